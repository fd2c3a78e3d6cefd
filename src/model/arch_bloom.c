/* arch_bloom.c - Bloom: no positions but a penalty on distance (ALiBi), LayerNorm everywhere, also
 * behind the embedding. */
#include <math.h>

#include "model/arch_rows.h"

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
    m->c.act = ACT_GELU_TANH;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_f32(m->file, name, "attention.max_alibi_bias", NULL, &max_bias, e));
    TRY(config_bool(m->file, name, NULL, "apply_residual_connection_post_layernorm",
                    &other_residual, e));
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

static const tensor_slot layer_slot[] = {
    LAYER_NORM_ROWS,
    FUSED_QKV_ROWS("self_attention.query_key_value.", PER_HEAD),
    FUSED_QKV_BIAS_ROWS("self_attention.query_key_value.", PER_HEAD),
    NEED("attn_output.weight", "self_attention.dense.weight", WEIGHT, L_AT(o), D, HK),
    NEED("attn_output.bias", "self_attention.dense.bias", VECTOR, L_AT(o_bias), D, NONE),
    PLAIN_FFN_ROWS("mlp.dense_h_to_4h.", "mlp.dense_4h_to_h."),
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
