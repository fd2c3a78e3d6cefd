/* arch_qwen3moe.c - Qwen 3 with experts: norms on q and k, no shared expert. */
#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    TRY(config_read_transformer(&m->c, m->file, name, e));
    m->c.route.renormalise = true;
    TRY(config_read_experts(&m->c, m->file, name, e));
    return arch_read_rope(m, name, true, e);
}

static const tensor_slot layer_slot[] = {
    RMS_NORM_ROWS,
    QKVO_ROWS,
    NEED("attn_q_norm.weight", "self_attn.q_norm.weight", NORM, L_AT(q_norm), K, NONE),
    NEED("attn_k_norm.weight", "self_attn.k_norm.weight", NORM, L_AT(k_norm), K, NONE),
    GATED_FFN_ROWS("mlp."),
    EXPERT_ROWS("mlp.", "gate."),
    SLOT_END,
};

extern const arch arch_qwen3moe;
const arch arch_qwen3moe = {.name = "qwen3moe",
                            .hf_types = "qwen3_moe",
                            .hf_class = "Qwen3MoeForCausalLM",
                            .hf_layer = "model.layers.",
                            .configure = configure,
                            .layer_kinds = arch_sparse_layer,
                            .model_slot = arch_model_rms,
                            .layer_slot = layer_slot};
