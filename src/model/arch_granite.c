/* arch_granite.c - Granite 3 (dense): a llama block whose embedding, scores, branches and logits
 * are scaled by numbers of the file; logits are divided by theirs. */
#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    TRY(arch_read_scaled(m, name, e));
    return arch_read_rope(m, name, m->file->config != NULL, e);
}

static const tensor_slot layer_slot[] = {
    RMS_NORM_ROWS,
    QKVO_ROWS,
    QKV_BIAS_ROWS(MAYBE),
    MAYBE("attn_output.bias", "self_attn.o_proj.bias", VECTOR, L_AT(o_bias), D, NONE),
    GATED_FFN_ROWS("mlp."),
    SLOT_END,
};

extern const arch arch_granite;
const arch arch_granite = {.name = "granite",
                           .hf_types = "granite",
                           .hf_layer = "model.layers.",
                           .configure = configure,
                           .layer_kinds = arch_plain_layer,
                           .model_slot = arch_model_rms,
                           .layer_slot = layer_slot};
