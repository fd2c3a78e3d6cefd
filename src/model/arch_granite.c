/* arch_granite.c - Granite 3 (dense): a llama block whose embedding, scores, branches and logits
 * are scaled by numbers of the file; logits are divided by theirs. */
#include "model/arch_rows.h"

#define AT(member) offsetof(model_config, member)
static const config_key keys[] = {
    {"embedding_scale", "embedding_multiplier", KEY_F32, false, AT(embed_scale)},
    {"residual_scale", "residual_multiplier", KEY_F32, false, AT(residual_scale)},
    {"logit_scale", "logits_scaling", KEY_F32, false, AT(logit_scale)},
    {"attention.scale", "attention_multiplier", KEY_F32, false, AT(score_scale)},
    {NULL, NULL, KEY_F32, false, 0},
};
#undef AT

static status configure(model *m, str name, err *e) {
    TRY(config_read(m->file, name, keys, &m->c, e));
    TRY(config_read_transformer(&m->c, m->file, name, e));
    m->c.logit_scale = 1 / m->c.logit_scale;
    return arch_read_rope(m, name, m->file->config != NULL, e);
}

static const tensor_slot layer_slot[] = {
    RMS_NORM_ROWS,
    QKVO_ROWS,
    QKV_BIAS_ROWS(MAYBE),
    MAYBE("attn_output.bias", "self_attn.o_proj.bias", VECTOR, L_AT(o_bias), D, NONE),
    GATED_FFN_ROWS,
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
