/* arch_phi2.c - Phi-1, 1.5 and 2: one LayerNorm feeds both branches, heads are partly rotated,
 * biases everywhere, on the logits too. Some GGUF files hold q, k and v fused, others apart. */
#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    m->c.act = ACT_GELU_TANH;
    return arch_configure_halves(m, name, e);
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    l->parallel = true;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "model.embed_tokens.weight", WEIGHT, M_AT(embed), V, D),
    NEED("output_norm.weight", "model.final_layernorm.weight", CENTER, M_AT(norm_out), D, NONE),
    NEED("output_norm.bias", "model.final_layernorm.bias", VECTOR, M_AT(norm_out.bias), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    MAYBE("output.bias", "lm_head.bias", VECTOR, M_AT(head_bias), V, NONE),
    SLOT_END,
};

#define FUSED(what, kind, at, out, in, part)                                                 \
    SLOT_ROW("attn_qkv." what, NULL, kind, L_AT(at), out, in, true, PART_##part, TWIST_NONE, \
             FFN_NONE, MIX_NONE)
static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "input_layernorm.weight", CENTER, L_AT(norm_in), D, NONE),
    NEED("attn_norm.bias", "input_layernorm.bias", VECTOR, L_AT(norm_in.bias), D, NONE),
    FUSED("weight", WEIGHT, q, HK, D, Q),
    FUSED("weight", WEIGHT, k, GK, D, K),
    FUSED("weight", WEIGHT, v, GK, D, V),
    FUSED("bias", VECTOR, q_bias, HK, NONE, Q),
    FUSED("bias", VECTOR, k_bias, GK, NONE, K),
    FUSED("bias", VECTOR, v_bias, GK, NONE, V),
    NEED("attn_q.weight", "self_attn.q_proj.weight", WEIGHT, L_AT(q), HK, D),
    NEED("attn_k.weight", "self_attn.k_proj.weight", WEIGHT, L_AT(k), GK, D),
    NEED("attn_v.weight", "self_attn.v_proj.weight", WEIGHT, L_AT(v), GK, D),
    QKV_BIAS_ROWS(NEED),
    NEED("attn_output.weight", "self_attn.dense.weight", WEIGHT, L_AT(o), D, HK),
    NEED("attn_output.bias", "self_attn.dense.bias", VECTOR, L_AT(o_bias), D, NONE),
    PLAIN_FFN_ROWS("mlp.fc1.", "mlp.fc2."),
    SLOT_END,
};

extern const arch arch_phi2;
const arch arch_phi2 = {.name = "phi2",
                        .hf_types = "phi",
                        .hf_layer = "model.layers.",
                        .configure = configure,
                        .layer_kinds = layer_kinds,
                        .model_slot = model_slot,
                        .layer_slot = layer_slot};
