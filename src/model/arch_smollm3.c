/* arch_smollm3.c - SmolLM 3: a llama block; every fourth layer, or those config.json lists, does
 * not rotate. */
#include "model/arch_rows.h"

enum { DEFAULT_INTERVAL = 4 };

static status configure(model *m, str name, err *e) {
    m->c.window_pattern = DEFAULT_INTERVAL;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_u32(m->file, name, NULL, "no_rope_layer_interval", &m->c.window_pattern, e));
    if (m->c.window_pattern == 0)
        return err_set(e, RZ_EFORMAT, "%s: no_rope_layer_interval is 0", m->file->path);
    return arch_read_rope(m, name, m->file->config != NULL, e);
}

/* no_rope_layers has a 1 for each layer that rotates, a 0 for each that does not. */
static bool rotates(const model *m, uint32_t i) {
    const json *list = m->file->config ? json_get(m->file->config, "no_rope_layers") : NULL;
    const json *at = list && list->kind == JSON_ARRAY ? list->child : NULL;
    for (uint32_t n = 0; at && n < i; n++) at = at->next;
    return at ? at->number != 0 : (i + 1) % m->c.window_pattern != 0;
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    if (!rotates(m, l->index)) l->rope = MODEL_MAX_ROPES;
}

static const tensor_slot layer_slot[] = {
    RMS_NORM_ROWS,
    QKVO_ROWS,
    GATED_FFN_ROWS("mlp."),
    SLOT_END,
};

extern const arch arch_smollm3;
const arch arch_smollm3 = {.name = "smollm3",
                           .hf_types = "smollm3",
                           .hf_layer = "model.layers.",
                           .configure = configure,
                           .layer_kinds = layer_kinds,
                           .model_slot = arch_model_rms,
                           .layer_slot = layer_slot};
