/* arch_smollm3.c - SmolLM 3: a llama block; every fourth layer, or those config.json lists, does
 * not rotate. */
#include "model/arch.h"

enum { DEFAULT_INTERVAL = 4 };

static status configure(model *m, str name, err *e) {
    m->c.window_pattern = DEFAULT_INTERVAL;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_u32(m->file, name, NULL, "no_rope_layer_interval", &m->c.window_pattern, e));
    if (m->c.window_pattern == 0)
        return err_set(e, RZ_EFORMAT, "%s: no_rope_layer_interval is 0", m->file->path);
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    m->rope[0].half = m->file->config != NULL;
    return RZ_OK;
}

/* no_rope_layers has a 1 for each layer that rotates, a 0 for each that does not. */
static bool rotates(const model *m, uint32_t i) {
    const json *list = m->file->config ? json_get(m->file->config, "no_rope_layers") : NULL;
    const json *at = list && list->kind == JSON_ARRAY ? list->child : NULL;
    for (uint32_t n = 0; at && n < i; n++) at = at->next;
    return at ? at->number != 0 : (i + 1) % m->c.window_pattern != 0;
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    if (!rotates(m, l->index)) l->rope = MODEL_MAX_ROPES;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "model.embed_tokens.weight", WEIGHT, M_AT(embed), V, D),
    NEED("output_norm.weight", "model.norm.weight", NORM, M_AT(norm_out), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "input_layernorm.weight", NORM, L_AT(norm_in), D, NONE),
    NEED("attn_q.weight", "self_attn.q_proj.weight", WEIGHT, L_AT(q), HK, D),
    NEED("attn_k.weight", "self_attn.k_proj.weight", WEIGHT, L_AT(k), GK, D),
    NEED("attn_v.weight", "self_attn.v_proj.weight", WEIGHT, L_AT(v), GK, D),
    NEED("attn_output.weight", "self_attn.o_proj.weight", WEIGHT, L_AT(o), D, HK),
    NEED("ffn_norm.weight", "post_attention_layernorm.weight", NORM, L_AT(norm_ffn), D, NONE),
    NEED("ffn_gate.weight", "mlp.gate_proj.weight", WEIGHT, L_AT(gate), F, D),
    NEED("ffn_up.weight", "mlp.up_proj.weight", WEIGHT, L_AT(up), F, D),
    NEED("ffn_down.weight", "mlp.down_proj.weight", WEIGHT, L_AT(down), D, F),
    SLOT_END,
};

extern const arch arch_smollm3;
const arch arch_smollm3 = {.name = "smollm3",
                           .hf_types = "smollm3",
                           .hf_layer = "model.layers.",
                           .configure = configure,
                           .layer_kinds = layer_kinds,
                           .model_slot = model_slot,
                           .layer_slot = layer_slot};
