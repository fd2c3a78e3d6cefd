/* arch_gemma2.c - Gemma 2: four norms a layer, soft caps, every other layer sees only a window.
 *
 * Norm gains mean 1 + w; GGUF files hold the sum already. */
#include <math.h>

#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    m->c.norm_eps = 1e-6f;
    m->c.act = ACT_GELU_TANH;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    m->c.embed_scale = sqrtf((float)m->c.D);
    uint32_t scalar = 0;
    TRY(config_u32(m->file, name, "attention.query_pre_attn_scalar", "query_pre_attn_scalar",
                   &scalar, e));
    if (scalar) m->c.score_scale = 1.0f / sqrtf((float)scalar);
    TRY(config_u32(m->file, name, "attention.sliding_window", "sliding_window", &m->c.window, e));
    return arch_read_rope(m, name, true, e);
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    if (l->index % 2) l->attend.window = 0;
}

static const tensor_slot layer_slot[] = {
    FOUR_PLUS_ONE_NORM_ROWS,
    QKVO_ROWS,
    GATED_FFN_ROWS("mlp."),
    SLOT_END,
};

extern const arch arch_gemma2;
const arch arch_gemma2 = {.name = "gemma2",
                          .hf_types = "gemma2",
                          .hf_layer = "model.layers.",
                          .configure = configure,
                          .layer_kinds = layer_kinds,
                          .model_slot = arch_model_plus_one,
                          .layer_slot = layer_slot};
