/* arch_gptneox.c - GPT-NeoX and Pythia: LayerNorm, partly rotated heads, branches in parallel. */
#include "model/arch.h"

static status configure(model *m, str name, err *e) {
    const config_key parallel[] = {
        {"use_parallel_residual", "use_parallel_residual", KEY_BOOL, false, 0},
        {NULL, NULL, KEY_BOOL, false, 0}};
    m->c.act = ACT_GELU_ERF;
    m->c.parallel = true;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_read(m->file, name, parallel, &m->c.parallel, e));
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    m->rope[0].half = 1;
    return RZ_OK;
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    l->parallel = m->c.parallel;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "gpt_neox.embed_in.weight", WEIGHT, M_AT(embed), V, D),
    NEED("output_norm.weight", "gpt_neox.final_layer_norm.weight", CENTER, M_AT(norm_out), D, NONE),
    NEED("output_norm.bias", "gpt_neox.final_layer_norm.bias", VECTOR, M_AT(norm_out.bias), D,
         NONE),
    MAYBE("output.weight", "embed_out.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "input_layernorm.weight", CENTER, L_AT(norm_in), D, NONE),
    NEED("attn_norm.bias", "input_layernorm.bias", VECTOR, L_AT(norm_in.bias), D, NONE),
    NEED("ffn_norm.weight", "post_attention_layernorm.weight", CENTER, L_AT(norm_ffn), D, NONE),
    NEED("ffn_norm.bias", "post_attention_layernorm.bias", VECTOR, L_AT(norm_ffn.bias), D, NONE),
    ROWS("attn_qkv.weight", "attention.query_key_value.weight", WEIGHT, L_AT(q), HK, D, Q,
         PER_HEAD),
    ROWS("attn_qkv.weight", "attention.query_key_value.weight", WEIGHT, L_AT(k), GK, D, K,
         PER_HEAD),
    ROWS("attn_qkv.weight", "attention.query_key_value.weight", WEIGHT, L_AT(v), GK, D, V,
         PER_HEAD),
    ROWS("attn_qkv.bias", "attention.query_key_value.bias", VECTOR, L_AT(q_bias), HK, NONE, Q,
         PER_HEAD),
    ROWS("attn_qkv.bias", "attention.query_key_value.bias", VECTOR, L_AT(k_bias), GK, NONE, K,
         PER_HEAD),
    ROWS("attn_qkv.bias", "attention.query_key_value.bias", VECTOR, L_AT(v_bias), GK, NONE, V,
         PER_HEAD),
    NEED("attn_output.weight", "attention.dense.weight", WEIGHT, L_AT(o), D, HK),
    NEED("attn_output.bias", "attention.dense.bias", VECTOR, L_AT(o_bias), D, NONE),
    NEED("ffn_up.weight", "mlp.dense_h_to_4h.weight", WEIGHT, L_AT(up), F, D),
    NEED("ffn_down.weight", "mlp.dense_4h_to_h.weight", WEIGHT, L_AT(down), D, F),
    NEED("ffn_up.bias", "mlp.dense_h_to_4h.bias", VECTOR, L_AT(up_bias), F, NONE),
    NEED("ffn_down.bias", "mlp.dense_4h_to_h.bias", VECTOR, L_AT(down_bias), D, NONE),
    SLOT_END,
};

extern const arch arch_gptneox;
const arch arch_gptneox = {.name = "gptneox",
                           .hf_types = "gpt_neox",
                           .hf_layer = "gpt_neox.layers.",
                           .configure = configure,
                           .layer_kinds = layer_kinds,
                           .model_slot = model_slot,
                           .layer_slot = layer_slot};
