/* arch_phi3.c - Phi-3 and Phi-4: a llama block with fused qkv and gate/up, halves rotated, and two
 * sets of frequencies.
 *
 * The long set holds for every position of a text once it is longer than the model was first
 * trained for. Other engines choose it for GGUF files when they choose the context; so do we. */
#include <math.h>

#include "model/arch_rows.h"

/* The frequencies divided by a list of factors: a tensor in GGUF, an array in config.json. */
static status divide(rope_config *r, const model *m, const char *tensor, const char *key, err *e) {
    const tensor_info *t = tensor_file_find(m->file, str_of(tensor));
    const json *scaling = m->file->config ? json_get(m->file->config, "rope_scaling") : NULL;
    const json *v = json_get(scaling, key);
    const uint32_t n = r->n_rot / 2, found = t ? (uint32_t)t->n : v ? v->n : n;
    if (found != n || (t && t->type != QUANT_F32))
        return err_set(e, RZ_EFORMAT, "%s: %s has %u factors, expected %u", m->file->path,
                       t ? tensor : key, found, n);
    double *inv_freq = (double *)(uintptr_t)r->inv_freq;
    v = v ? v->child : NULL;
    for (uint32_t i = 0; i < n && (t || v); i++) {
        float factor = v ? (float)v->number : 0;
        if (t) memcpy(&factor, t->data + i * sizeof factor, sizeof factor);
        if (!(factor > 0) || !isfinite(factor))
            return err_set(e, RZ_EFORMAT, "%s: %s[%u] is %g, expected > 0", m->file->path,
                           t ? tensor : key, i, (double)factor);
        inv_freq[i] /= (double)factor;
        if (v) v = v->next;
    }
    return RZ_OK;
}

/* LongRoPE (Ding et al. 2024, arXiv 2402.13753): cos and sin times sqrt(1 + ln(C/c) / ln c). */
static float magnitude(const model *m) {
    const double ratio = (double)m->c.C / m->long_from;
    return ratio <= 1 ? 1 : (float)sqrt(1 + log(ratio) / log(m->long_from));
}

static status configure(model *m, str name, err *e) {
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_u32(m->file, name, "attention.sliding_window", "sliding_window", &m->c.window, e));
    TRY(config_u32(m->file, name, "rope.scaling.original_context_length",
                   "original_max_position_embeddings", &m->long_from, e));
    rope_config *near = &m->rope[0], *far = &m->rope_long[0];
    TRY(config_plain_rope(near, m->c.n_rot, m->c.rope_base, &m->mem, e));
    TRY(config_plain_rope(far, m->c.n_rot, m->c.rope_base, &m->mem, e));
    TRY(divide(near, m, "rope_factors_short.weight", "short_factor", e));
    TRY(divide(far, m, "rope_factors_long.weight", "long_factor", e));
    near->half = far->half = 1;
    m->long_by_length = m->file->config != NULL; /* GGUF files are run by context everywhere */
    float factor = m->file->config && m->long_from > 1 ? magnitude(m) : 1;
    TRY(config_f32(m->file, name, "rope.scaling.attn_factor", NULL, &factor, e));
    near->mscale = far->mscale = factor;
    return RZ_OK;
}

static const tensor_slot layer_slot[] = {
    RMS_NORM_ROWS,
    FUSED_QKV_ROWS("self_attn.qkv_proj.", NONE),
    NEED("attn_output.weight", "self_attn.o_proj.weight", WEIGHT, L_AT(o), D, HK),
    ROWS("ffn_up.weight", "mlp.gate_up_proj.weight", WEIGHT, L_AT(gate), F, D, GATE, NONE),
    ROWS("ffn_up.weight", "mlp.gate_up_proj.weight", WEIGHT, L_AT(up), F, D, UP, NONE),
    NEED("ffn_down.weight", "mlp.down_proj.weight", WEIGHT, L_AT(down), D, F),
    SLOT_END,
};

extern const arch arch_phi3;
const arch arch_phi3 = {.name = "phi3",
                        .hf_types = "phi3",
                        .hf_layer = "model.layers.",
                        .configure = configure,
                        .layer_kinds = arch_plain_layer,
                        .model_slot = arch_model_rms,
                        .layer_slot = layer_slot};
