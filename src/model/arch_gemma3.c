/* arch_gemma3.c - Gemma 3 text models: Gemma 2 without caps, with norms on q and k; every sixth
 * layer (or as the file says) is global with its own rotation, the others see a window.
 *
 * Norm gains mean 1 + w; GGUF files hold the sum already. */
#include <math.h>

#include "model/arch_rows.h"

enum { DEFAULT_PATTERN = 6, DEFAULT_WINDOW = 1024 };
static const float default_local_base = 10000.0f, default_global_base = 1000000.0f;

static status configure(model *m, str name, err *e) {
    float local_base = default_local_base;
    m->c.norm_eps = 1e-6f;
    m->c.rope_base = default_global_base;
    m->c.act = ACT_GELU_TANH;
    m->c.window = DEFAULT_WINDOW;
    m->c.window_pattern = DEFAULT_PATTERN;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    m->c.embed_scale = sqrtf((float)m->c.D);
    uint32_t scalar = 0;
    TRY(config_u32(m->file, name, "attention.query_pre_attn_scalar", "query_pre_attn_scalar",
                   &scalar, e));
    if (scalar) m->c.score_scale = 1.0f / sqrtf((float)scalar);
    TRY(config_u32(m->file, name, "attention.sliding_window", "sliding_window", &m->c.window, e));
    TRY(config_u32(m->file, name, "attention.sliding_window_pattern", "sliding_window_pattern",
                   &m->c.window_pattern, e));
    TRY(config_f32(m->file, name, "rope.freq_base_swa", "rope_local_base_freq", &local_base, e));
    if (m->c.window_pattern == 0 || !(local_base > 1))
        return err_set(e, RZ_EFORMAT, "%s: sliding_window_pattern is %u, local rope base %g",
                       m->file->path, m->c.window_pattern, (double)local_base);
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    TRY(config_plain_rope(&m->rope[1], m->c.n_rot, local_base, &m->mem, e));
    m->rope[0].half = m->rope[1].half = 1;
    return RZ_OK;
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    const bool global = (l->index + 1) % m->c.window_pattern == 0;
    if (global) l->attend.window = 0;
    else l->rope = 1;
}

static const tensor_slot layer_slot[] = {
    FOUR_PLUS_ONE_NORM_ROWS,
    QKVO_ROWS,
    ROWS("attn_q_norm.weight", "self_attn.q_norm.weight", NORM, L_AT(q_norm), K, NONE, ALL,
         PLUS_ONE),
    ROWS("attn_k_norm.weight", "self_attn.k_norm.weight", NORM, L_AT(k_norm), K, NONE, ALL,
         PLUS_ONE),
    GATED_FFN_ROWS("mlp."),
    SLOT_END,
};

extern const arch arch_gemma3;
const arch arch_gemma3 = {.name = "gemma3",
                          .hf_types = "gemma3_text",
                          .hf_layer = "model.layers.",
                          .configure = configure,
                          .layer_kinds = layer_kinds,
                          .model_slot = arch_model_plus_one,
                          .layer_slot = layer_slot};
