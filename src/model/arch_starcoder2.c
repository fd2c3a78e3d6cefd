/* arch_starcoder2.c - StarCoder 2: LayerNorm, grouped keys, halves rotated, a plain gelu
 * feed-forward, biases everywhere.
 *
 * config.json's window holds; GGUF files do not speak of it. */
#include "model/arch.h"

static status configure(model *m, str name, err *e) {
    m->c.act = ACT_GELU_TANH;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_u32(m->file, name, "attention.sliding_window", "sliding_window", &m->c.window, e));
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    m->rope[0].half = 1;
    return RZ_OK;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "model.embed_tokens.weight", WEIGHT, M_AT(embed), V, D),
    NEED("output_norm.weight", "model.norm.weight", CENTER, M_AT(norm_out), D, NONE),
    NEED("output_norm.bias", "model.norm.bias", VECTOR, M_AT(norm_out.bias), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "input_layernorm.weight", CENTER, L_AT(norm_in), D, NONE),
    NEED("attn_norm.bias", "input_layernorm.bias", VECTOR, L_AT(norm_in.bias), D, NONE),
    NEED("attn_q.weight", "self_attn.q_proj.weight", WEIGHT, L_AT(q), HK, D),
    NEED("attn_k.weight", "self_attn.k_proj.weight", WEIGHT, L_AT(k), GK, D),
    NEED("attn_v.weight", "self_attn.v_proj.weight", WEIGHT, L_AT(v), GK, D),
    MAYBE("attn_q.bias", "self_attn.q_proj.bias", VECTOR, L_AT(q_bias), HK, NONE),
    MAYBE("attn_k.bias", "self_attn.k_proj.bias", VECTOR, L_AT(k_bias), GK, NONE),
    MAYBE("attn_v.bias", "self_attn.v_proj.bias", VECTOR, L_AT(v_bias), GK, NONE),
    NEED("attn_output.weight", "self_attn.o_proj.weight", WEIGHT, L_AT(o), D, HK),
    MAYBE("attn_output.bias", "self_attn.o_proj.bias", VECTOR, L_AT(o_bias), D, NONE),
    NEED("ffn_norm.weight", "post_attention_layernorm.weight", CENTER, L_AT(norm_ffn), D, NONE),
    NEED("ffn_norm.bias", "post_attention_layernorm.bias", VECTOR, L_AT(norm_ffn.bias), D, NONE),
    NEED("ffn_up.weight", "mlp.c_fc.weight", WEIGHT, L_AT(up), F, D),
    MAYBE("ffn_up.bias", "mlp.c_fc.bias", VECTOR, L_AT(up_bias), F, NONE),
    NEED("ffn_down.weight", "mlp.c_proj.weight", WEIGHT, L_AT(down), D, F),
    MAYBE("ffn_down.bias", "mlp.c_proj.bias", VECTOR, L_AT(down_bias), D, NONE),
    SLOT_END,
};

extern const arch arch_starcoder2;
const arch arch_starcoder2 = {.name = "starcoder2",
                              .hf_types = "starcoder2",
                              .hf_layer = "model.layers.",
                              .configure = configure,
                              .layer_kinds = arch_plain_layer,
                              .model_slot = model_slot,
                              .layer_slot = layer_slot};
