/* arch_gemma.c - Gemma 1: a llama block with gelu, scaled embeddings and gains of 1 + w. */
#include <math.h>

#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    m->c.norm_eps = 1e-6f;
    m->c.act = ACT_GELU_TANH;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    m->c.embed_scale = sqrtf((float)m->c.D);
    return arch_read_rope(m, name, true, e);
}

static const tensor_slot layer_slot[] = {
    ROWS("attn_norm.weight", "input_layernorm.weight", NORM, L_AT(norm_in), D, NONE, ALL, PLUS_ONE),
    ROWS("ffn_norm.weight", "post_attention_layernorm.weight", NORM, L_AT(norm_ffn), D, NONE, ALL,
         PLUS_ONE),
    QKVO_ROWS,
    GATED_FFN_ROWS("mlp."),
    SLOT_END,
};

extern const arch arch_gemma;
const arch arch_gemma = {.name = "gemma",
                         .hf_types = "gemma",
                         .hf_layer = "model.layers.",
                         .configure = configure,
                         .layer_kinds = arch_plain_layer,
                         .model_slot = arch_model_plus_one,
                         .layer_slot = layer_slot};
