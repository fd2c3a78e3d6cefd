/* arch_qwen2.c - Qwen 2 and 2.5: a llama block with biases on q, k and v, halves rotated. */
#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    bool windowed = false;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_bool(m->file, name, NULL, "use_sliding_window", &windowed, e));
    if (windowed)
        return err_set(e, RZ_EUNSUPPORTED, "%s: use_sliding_window is not supported for qwen2",
                       m->file->path);
    return arch_read_rope(m, name, true, e);
}

static const tensor_slot layer_slot[] = {
    RMS_NORM_ROWS, QKVO_ROWS, QKV_BIAS_ROWS(NEED), GATED_FFN_ROWS("mlp."), SLOT_END,
};

extern const arch arch_qwen2;
const arch arch_qwen2 = {.name = "qwen2",
                         .hf_types = "qwen2",
                         .hf_class = "Qwen2ForCausalLM",
                         .hf_layer = "model.layers.",
                         .configure = configure,
                         .layer_kinds = arch_plain_layer,
                         .model_slot = arch_model_rms,
                         .layer_slot = layer_slot};
