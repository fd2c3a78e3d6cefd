/* arch_qwen2moe.c - Qwen 2 with experts: weights from the softmax over all of them, and a shared
 * expert behind a sigmoid gate. */
#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_read_experts(&m->c, m->file, name, e));
    return arch_read_rope(m, name, true, e);
}

static const tensor_slot layer_slot[] = {
    RMS_NORM_ROWS,
    QKVO_ROWS,
    QKV_BIAS_ROWS(NEED),
    GATED_FFN_ROWS("mlp."),
    EXPERT_ROWS("mlp.", "gate."),
    FFN_MAYBE(MOE, "ffn_gate_shexp.weight", "mlp.shared_expert.gate_proj.weight", WEIGHT,
              L_AT(shared_gate), FS, D),
    FFN_MAYBE(MOE, "ffn_up_shexp.weight", "mlp.shared_expert.up_proj.weight", WEIGHT,
              L_AT(shared_up), FS, D),
    FFN_MAYBE(MOE, "ffn_down_shexp.weight", "mlp.shared_expert.down_proj.weight", WEIGHT,
              L_AT(shared_down), D, FS),
    FFN_MAYBE(MOE, "ffn_gate_inp_shexp.weight", "mlp.shared_expert_gate.weight", WEIGHT,
              L_AT(shared_switch), ONE, D),
    SLOT_END,
};

extern const arch arch_qwen2moe;
const arch arch_qwen2moe = {.name = "qwen2moe",
                            .hf_types = "qwen2_moe",
                            .hf_class = "Qwen2MoeForCausalLM",
                            .hf_layer = "model.layers.",
                            .configure = configure,
                            .layer_kinds = arch_sparse_layer,
                            .model_slot = arch_model_rms,
                            .layer_slot = layer_slot};
