/* arch_cohere.c - Command R and R7B: one LayerNorm without bias feeds both branches, neighbouring
 * pairs rotate, logits are scaled. R7B (cohere2) looks through a window and rotates, but for every
 * fourth layer, which sees everything and does not rotate. The norms of single heads that
 * Command R+ has are not supported: its q_norm tensors have no place here. */
#include "model/arch_rows.h"

enum { GLOBAL_EVERY = 4, DEFAULT_WINDOW = 4096 };

static status configure(model *m, str name, err *e) {
    m->c.logit_scale = 0.0625f;
    TRY(config_f32(m->file, name, "logit_scale", "logit_scale", &m->c.logit_scale, e));
    TRY(config_read_transformer(&m->c, m->file, name, e));
    return arch_read_rope(m, name, false, e);
}

static status configure2(model *m, str name, err *e) {
    m->c.window = DEFAULT_WINDOW;
    m->c.window_pattern = GLOBAL_EVERY;
    TRY(configure(m, name, e));
    TRY(config_u32(m->file, name, "attention.sliding_window", "sliding_window", &m->c.window, e));
    TRY(config_u32(m->file, name, NULL, "sliding_window_pattern", &m->c.window_pattern, e));
    if (m->c.window_pattern == 0)
        return err_set(e, RZ_EFORMAT, "%s: sliding_window_pattern is 0", m->file->path);
    return RZ_OK;
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    l->parallel = true;
}

static void layer_kinds2(const model *m, layer *l) {
    layer_kinds(m, l);
    if ((l->index + 1) % m->c.window_pattern) return;
    l->attend.window = 0;
    l->rope = MODEL_MAX_ROPES;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "model.embed_tokens.weight", WEIGHT, M_AT(embed), V, D),
    NEED("output_norm.weight", "model.norm.weight", CENTER, M_AT(norm_out), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "input_layernorm.weight", CENTER, L_AT(norm_in), D, NONE),
    QKVO_ROWS,
    GATED_FFN_ROWS("mlp."),
    SLOT_END,
};

extern const arch arch_cohere;
const arch arch_cohere = {.name = "command-r",
                          .hf_types = "cohere",
                          .hf_layer = "model.layers.",
                          .configure = configure,
                          .layer_kinds = layer_kinds,
                          .model_slot = model_slot,
                          .layer_slot = layer_slot};

extern const arch arch_cohere2;
const arch arch_cohere2 = {.name = "cohere2",
                           .hf_types = "cohere2",
                           .hf_layer = "model.layers.",
                           .configure = configure2,
                           .layer_kinds = layer_kinds2,
                           .model_slot = model_slot,
                           .layer_slot = layer_slot};
