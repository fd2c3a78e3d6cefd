/* arch_qwen2moe.c - Qwen 2 with experts: weights from the softmax over all of them, and a shared
 * expert behind a sigmoid gate. */
#include "model/arch.h"

static status configure(model *m, str name, err *e) {
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_read_experts(&m->c, m->file, name, e));
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    m->rope[0].half = 1;
    return RZ_OK;
}

/* Layers named in mlp_only_layers, or off the sparse step, have one plain feed-forward. */
static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    l->ffn = arch_is_listed(m->file, "mlp_only_layers", l->index) ? FFN_DENSE : FFN_MOE;
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
    NEED("attn_q.bias", "self_attn.q_proj.bias", VECTOR, L_AT(q_bias), HK, NONE),
    NEED("attn_k.bias", "self_attn.k_proj.bias", VECTOR, L_AT(k_bias), GK, NONE),
    NEED("attn_v.bias", "self_attn.v_proj.bias", VECTOR, L_AT(v_bias), GK, NONE),
    NEED("ffn_norm.weight", "post_attention_layernorm.weight", NORM, L_AT(norm_ffn), D, NONE),
    FFN(DENSE, "ffn_gate.weight", "mlp.gate_proj.weight", WEIGHT, L_AT(gate), F, D),
    FFN(DENSE, "ffn_up.weight", "mlp.up_proj.weight", WEIGHT, L_AT(up), F, D),
    FFN(DENSE, "ffn_down.weight", "mlp.down_proj.weight", WEIGHT, L_AT(down), D, F),
    FFN(MOE, "ffn_gate_inp.weight", "mlp.gate.weight", WEIGHT, L_AT(router), E, D),
    FFN(MOE, "ffn_gate_exps.weight", "mlp.experts.*.gate_proj.weight", EXPERTS, L_AT(experts_gate),
        FE, D),
    FFN(MOE, "ffn_up_exps.weight", "mlp.experts.*.up_proj.weight", EXPERTS, L_AT(experts_up), FE,
        D),
    FFN(MOE, "ffn_down_exps.weight", "mlp.experts.*.down_proj.weight", EXPERTS, L_AT(experts_down),
        D, FE),
    FFN_MAYBE(MOE, "ffn_gate_shexp.weight", "mlp.shared_expert.gate_proj.weight", WEIGHT,
              L_AT(shared_gate), FS, D),
    FFN_MAYBE(MOE, "ffn_up_shexp.weight", "mlp.shared_expert.up_proj.weight", WEIGHT,
              L_AT(shared_up), FS, D),
    FFN_MAYBE(MOE, "ffn_down_shexp.weight", "mlp.shared_expert.down_proj.weight", WEIGHT,
              L_AT(shared_down), D, FS),
    FFN_MAYBE(MOE, "ffn_gate_inp_shexp.weight", "mlp.shared_expert_gate.weight", WEIGHT,
              L_AT(shared_switch), ONE, D),
    SLOT_END,
};

extern const arch arch_qwen2moe;
const arch arch_qwen2moe = {.name = "qwen2moe",
                            .hf_types = "qwen2_moe",
                            .hf_layer = "model.layers.",
                            .configure = configure,
                            .layer_kinds = layer_kinds,
                            .model_slot = model_slot,
                            .layer_slot = layer_slot};
