/* arch_bloom.c - Bloom: no positions but a penalty on distance (ALiBi), LayerNorm everywhere, also
 * behind the embedding. */
#include <math.h>

#include "model/arch.h"

/* Press et al. 2022 (arXiv 2108.12409): for H a power of two the geometric sequence that begins at
 * and falls by 2^(-8/H); for others that of the next lower power, then every other one of twice
 * that power. */
static status make_slopes(model *m, float max_bias, err *e) {
    const uint32_t H = m->c.H;
    uint32_t whole = 1;
    while (whole * 2 <= H) whole *= 2;
    float *slope = arena_zero(&m->mem, H, sizeof *slope);
    if (!slope) return err_set(e, RZ_ENOMEM, "%s: out of memory", m->file->path);
    for (uint32_t h = 0; h < H; h++) {
        const double step = h < whole ? h + 1.0 : (2.0 * (h - whole) + 1) / 2;
        slope[h] = (float)exp2(-(double)max_bias * step / whole);
    }
    m->slope = slope;
    return RZ_OK;
}

static status configure(model *m, str name, err *e) {
    float max_bias = 8;
    bool other_residual = false;
    const config_key bias[] = {{"attention.max_alibi_bias", NULL, KEY_F32, false, 0},
                               {NULL, NULL, KEY_F32, false, 0}};
    const config_key residual[] = {
        {NULL, "apply_residual_connection_post_layernorm", KEY_BOOL, false, 0},
        {NULL, NULL, KEY_BOOL, false, 0}};
    m->c.act = ACT_GELU_TANH;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_read(m->file, name, bias, &max_bias, e));
    TRY(config_read(m->file, name, residual, &other_residual, e));
    if (other_residual)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%s: apply_residual_connection_post_layernorm is not supported",
                       m->file->path);
    if (!(max_bias > 0) || !(max_bias < 1000))
        return err_set(e, RZ_EFORMAT, "%s: attention.max_alibi_bias is %g, expected 0 to 1000",
                       m->file->path, (double)max_bias);
    m->c.n_rot = 0;
    return make_slopes(m, max_bias, e);
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    l->attend.slope = m->slope;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "word_embeddings.weight", WEIGHT, M_AT(embed), V, D),
    NEED("token_embd_norm.weight", "word_embeddings_layernorm.weight", CENTER, M_AT(norm_embed), D,
         NONE),
    NEED("token_embd_norm.bias", "word_embeddings_layernorm.bias", VECTOR, M_AT(norm_embed.bias), D,
         NONE),
    NEED("output_norm.weight", "ln_f.weight", CENTER, M_AT(norm_out), D, NONE),
    NEED("output_norm.bias", "ln_f.bias", VECTOR, M_AT(norm_out.bias), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

#define QKV "self_attention.query_key_value."
static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "input_layernorm.weight", CENTER, L_AT(norm_in), D, NONE),
    NEED("attn_norm.bias", "input_layernorm.bias", VECTOR, L_AT(norm_in.bias), D, NONE),
    ROWS("attn_qkv.weight", QKV "weight", WEIGHT, L_AT(q), HK, D, Q, PER_HEAD),
    ROWS("attn_qkv.weight", QKV "weight", WEIGHT, L_AT(k), GK, D, K, PER_HEAD),
    ROWS("attn_qkv.weight", QKV "weight", WEIGHT, L_AT(v), GK, D, V, PER_HEAD),
    ROWS("attn_qkv.bias", QKV "bias", VECTOR, L_AT(q_bias), HK, NONE, Q, PER_HEAD),
    ROWS("attn_qkv.bias", QKV "bias", VECTOR, L_AT(k_bias), GK, NONE, K, PER_HEAD),
    ROWS("attn_qkv.bias", QKV "bias", VECTOR, L_AT(v_bias), GK, NONE, V, PER_HEAD),
    NEED("attn_output.weight", "self_attention.dense.weight", WEIGHT, L_AT(o), D, HK),
    NEED("attn_output.bias", "self_attention.dense.bias", VECTOR, L_AT(o_bias), D, NONE),
    NEED("ffn_norm.weight", "post_attention_layernorm.weight", CENTER, L_AT(norm_ffn), D, NONE),
    NEED("ffn_norm.bias", "post_attention_layernorm.bias", VECTOR, L_AT(norm_ffn.bias), D, NONE),
    NEED("ffn_up.weight", "mlp.dense_h_to_4h.weight", WEIGHT, L_AT(up), F, D),
    NEED("ffn_up.bias", "mlp.dense_h_to_4h.bias", VECTOR, L_AT(up_bias), F, NONE),
    NEED("ffn_down.weight", "mlp.dense_4h_to_h.weight", WEIGHT, L_AT(down), D, F),
    NEED("ffn_down.bias", "mlp.dense_4h_to_h.bias", VECTOR, L_AT(down_bias), D, NONE),
    SLOT_END,
};

extern const arch arch_bloom;
const arch arch_bloom = {.name = "bloom",
                         .hf_types = "bloom",
                         .hf_layer = "h.",
                         .hf_outer = "transformer.",
                         .configure = configure,
                         .layer_kinds = layer_kinds,
                         .model_slot = model_slot,
                         .layer_slot = layer_slot};
