/* arch_granitehybrid.c - Granite 4: Mamba 2 layers, some of attention, usually without any notion
 * of position, experts beside one that everybody uses; scaled as Granite 3 is. The small ones have
 * a plain feed-forward, which checkpoint folders keep under the shared expert's name. */
#include "model/arch_rows.h"

/* Attention rotates only where the file says so. */
static status read_positions(model *m, str name, err *e) {
    bool rotates = false;
    str kind = {NULL, 0};
    TRY(config_bool(m->file, name, "rope.scaling.finetuned", NULL, &rotates, e));
    if (m->file->config) TRY(config_str(m->file, name, NULL, "position_embedding_type", &kind, e));
    if (!rotates && !str_is(kind, "rope")) return RZ_OK;
    return arch_read_rope(m, name, m->file->config != NULL, e);
}

static status configure(model *m, str name, err *e) {
    uint32_t n_expert = 0;
    m->c.norm_eps = 1e-6f;
    TRY(config_u32(m->file, name, NULL, "shared_intermediate_size", &m->c.F_shared, e));
    TRY(arch_read_scaled(m, name, e));
    TRY(arch_read_mamba2(m, name, e));
    TRY(config_u32(m->file, name, "expert_count", "num_local_experts", &n_expert, e));
    m->c.route.renormalise = true;
    if (n_expert) TRY(config_read_experts(&m->c, m->file, name, e));
    return read_positions(m, name, e);
}

static bool attends(const model *m, const layer *l) {
    if (m->file->config) return str_is(arch_layer_type(m->file, l->index), "attention");
    return arch_has_key_heads(m, l->index);
}

static status read_layer(model *m, layer *l, err *e) {
    (void)e;
    arch_plain_layer(m, l);
    if (m->c.route.n_expert) l->ffn = FFN_MOE;
    else if (m->file->config && m->c.F_shared) l->F = m->c.F_shared;
    if (!m->rope[0].inv_freq) l->rope = MODEL_MAX_ROPES;
    if (attends(m, l)) return RZ_OK;
    arch_mamba2_layer(m, l);
    return RZ_OK;
}

/* Of layers with that feed-forward, a part of a tensor in folders. */
#define SHARE(which, gguf, hf, kind, at, out, in, part)                                          \
    SLOT_ROW(gguf, NULL, kind, L_AT(at), out, in, false, PART_ALL, TWIST_NONE, FFN_##which,      \
             MIX_NONE),                                                                          \
        SLOT_ROW(NULL, hf, kind, L_AT(at), out, in, false, PART_##part, TWIST_NONE, FFN_##which, \
                 MIX_NONE)

static const tensor_slot layer_slot[] = {
    RMS_NORM_ROWS,
    MIXED_QKVO_ROWS("self_attn.", "o_proj."),
    MAMBA2_ROWS("mamba."),
    SHARE(DENSE, "ffn_gate.weight", "shared_mlp.input_linear.weight", WEIGHT, gate, F, D, FIRST),
    SHARE(DENSE, "ffn_up.weight", "shared_mlp.input_linear.weight", WEIGHT, up, F, D, SECOND),
    SHARE(DENSE, "ffn_down.weight", "shared_mlp.output_linear.weight", WEIGHT, down, D, F, ALL),
    FFN(MOE, "ffn_gate_inp.weight", "block_sparse_moe.router.layer.weight", WEIGHT, L_AT(router), E,
        D),
    SHARE(MOE, "ffn_gate_exps.weight", "block_sparse_moe.input_linear.weight", EXPERTS,
          experts_gate, FE, D, FIRST),
    SHARE(MOE, "ffn_up_exps.weight", "block_sparse_moe.input_linear.weight", EXPERTS, experts_up,
          FE, D, SECOND),
    SHARE(MOE, "ffn_down_exps.weight", "block_sparse_moe.output_linear.weight", EXPERTS,
          experts_down, D, FE, ALL),
    SHARE(MOE, "ffn_gate_shexp.weight", "shared_mlp.input_linear.weight", WEIGHT, shared_gate, FS,
          D, FIRST),
    SHARE(MOE, "ffn_up_shexp.weight", "shared_mlp.input_linear.weight", WEIGHT, shared_up, FS, D,
          SECOND),
    SHARE(MOE, "ffn_down_shexp.weight", "shared_mlp.output_linear.weight", WEIGHT, shared_down, D,
          FS, ALL),
    SLOT_END,
};

extern const arch arch_granitehybrid;
const arch arch_granitehybrid = {.name = "granitehybrid",
                                 .hf_types = "granitemoehybrid",
                                 .hf_layer = "model.layers.",
                                 .configure = configure,
                                 .read_layer = read_layer,
                                 .model_slot = arch_model_rms,
                                 .layer_slot = layer_slot};
