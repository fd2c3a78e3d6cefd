/* arch_qwen3.c - Qwen 3: a llama block whose q and k heads are normalised before rotation. */
#include "model/arch_rows.h"

static const tensor_slot layer_slot[] = {
    RMS_NORM_ROWS,
    QKVO_ROWS,
    NEED("attn_q_norm.weight", "self_attn.q_norm.weight", NORM, L_AT(q_norm), K, NONE),
    NEED("attn_k_norm.weight", "self_attn.k_norm.weight", NORM, L_AT(k_norm), K, NONE),
    GATED_FFN_ROWS("mlp."),
    SLOT_END,
};

extern const arch arch_qwen3;
const arch arch_qwen3 = {.name = "qwen3",
                         .hf_types = "qwen3",
                         .hf_class = "Qwen3ForCausalLM",
                         .hf_layer = "model.layers.",
                         .configure = arch_configure_halves,
                         .layer_kinds = arch_plain_layer,
                         .model_slot = arch_model_rms,
                         .layer_slot = layer_slot};
