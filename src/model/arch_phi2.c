/* arch_phi2.c - Phi-1, 1.5 and 2: one LayerNorm feeds both branches, heads are partly rotated,
 * biases everywhere, on the logits too. Some GGUF files hold q, k and v fused, others apart. */
#include "model/arch.h"

static status configure(model *m, str name, err *e) {
    m->c.act = ACT_GELU_TANH;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    m->rope[0].half = 1;
    return RZ_OK;
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

static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "input_layernorm.weight", CENTER, L_AT(norm_in), D, NONE),
    NEED("attn_norm.bias", "input_layernorm.bias", VECTOR, L_AT(norm_in.bias), D, NONE),
    SLOT_ROW("attn_qkv.weight", NULL, WEIGHT, L_AT(q), HK, D, true, PART_Q, TWIST_NONE, FFN_NONE,
             MIX_NONE),
    SLOT_ROW("attn_qkv.weight", NULL, WEIGHT, L_AT(k), GK, D, true, PART_K, TWIST_NONE, FFN_NONE,
             MIX_NONE),
    SLOT_ROW("attn_qkv.weight", NULL, WEIGHT, L_AT(v), GK, D, true, PART_V, TWIST_NONE, FFN_NONE,
             MIX_NONE),
    SLOT_ROW("attn_qkv.bias", NULL, VECTOR, L_AT(q_bias), HK, NONE, true, PART_Q, TWIST_NONE,
             FFN_NONE, MIX_NONE),
    SLOT_ROW("attn_qkv.bias", NULL, VECTOR, L_AT(k_bias), GK, NONE, true, PART_K, TWIST_NONE,
             FFN_NONE, MIX_NONE),
    SLOT_ROW("attn_qkv.bias", NULL, VECTOR, L_AT(v_bias), GK, NONE, true, PART_V, TWIST_NONE,
             FFN_NONE, MIX_NONE),
    NEED("attn_q.weight", "self_attn.q_proj.weight", WEIGHT, L_AT(q), HK, D),
    NEED("attn_k.weight", "self_attn.k_proj.weight", WEIGHT, L_AT(k), GK, D),
    NEED("attn_v.weight", "self_attn.v_proj.weight", WEIGHT, L_AT(v), GK, D),
    NEED("attn_q.bias", "self_attn.q_proj.bias", VECTOR, L_AT(q_bias), HK, NONE),
    NEED("attn_k.bias", "self_attn.k_proj.bias", VECTOR, L_AT(k_bias), GK, NONE),
    NEED("attn_v.bias", "self_attn.v_proj.bias", VECTOR, L_AT(v_bias), GK, NONE),
    NEED("attn_output.weight", "self_attn.dense.weight", WEIGHT, L_AT(o), D, HK),
    NEED("attn_output.bias", "self_attn.dense.bias", VECTOR, L_AT(o_bias), D, NONE),
    NEED("ffn_up.weight", "mlp.fc1.weight", WEIGHT, L_AT(up), F, D),
    NEED("ffn_up.bias", "mlp.fc1.bias", VECTOR, L_AT(up_bias), F, NONE),
    NEED("ffn_down.weight", "mlp.fc2.weight", WEIGHT, L_AT(down), D, F),
    NEED("ffn_down.bias", "mlp.fc2.bias", VECTOR, L_AT(down_bias), D, NONE),
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
