/* arch_stablelm.c - StableLM (3B, 2 1.6B, Zephyr): a llama block with LayerNorm and partly rotated
 * heads. The 12B runs its branches side by side and norms single heads: not supported. */
#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    bool parallel = false;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_bool(m->file, name, "use_parallel_residual", "use_parallel_residual", &parallel, e));
    if (parallel)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%s: use_parallel_residual is not supported for stablelm", m->file->path);
    return arch_read_rope(m, name, true, e);
}

static const tensor_slot layer_slot[] = {
    LAYER_NORM_ROWS, QKVO_ROWS, QKV_BIAS_ROWS(MAYBE), GATED_FFN_ROWS("mlp."), SLOT_END,
};

extern const arch arch_stablelm;
const arch arch_stablelm = {.name = "stablelm",
                            .hf_types = "stablelm",
                            .hf_layer = "model.layers.",
                            .configure = configure,
                            .layer_kinds = arch_plain_layer,
                            .model_slot = arch_model_center,
                            .layer_slot = layer_slot};
