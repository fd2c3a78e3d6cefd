/* arch_bamba.c - Bamba (IBM, Princeton, CMU and UIUC, 2024): Mamba 2 layers, among them some of
 * attention that rotate half of each head, and a SwiGLU feed-forward in every layer.
 *
 * Only its checkpoint folders: GGUF files of it say they are granitehybrid. */
#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    m->c.rotary_share = 0.5f; /* config.json may leave it out */
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(arch_read_mamba2(m, name, e));
    return arch_read_rope(m, name, true, e);
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    if (!arch_is_listed(m->file, "attn_layer_indices", l->index)) arch_mamba2_layer(m, l);
}

static const tensor_slot model_slot[] = {
    NEED(NULL, "model.embed_tokens.weight", WEIGHT, M_AT(embed), V, D),
    NEED(NULL, "model.final_layernorm.weight", NORM, M_AT(norm_out), D, NONE),
    MAYBE(NULL, "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    NEED(NULL, "input_layernorm.weight", NORM, L_AT(norm_in), D, NONE),
    NEED(NULL, "pre_ff_layernorm.weight", NORM, L_AT(norm_ffn), D, NONE),
    MIXED_QKVO_ROWS("self_attn.", "o_proj."),
    MAMBA2_ROWS("mamba."),
    GATED_FFN_ROWS("feed_forward."),
    SLOT_END,
};

extern const arch arch_bamba;
const arch arch_bamba = {.name = "bamba",
                         .hf_types = "bamba",
                         .hf_layer = "model.layers.",
                         .configure = configure,
                         .layer_kinds = layer_kinds,
                         .model_slot = model_slot,
                         .layer_slot = layer_slot};
