/* arch_olmo2.c - OLMo 2: norms behind the branches instead of before them, q and k normed as whole
 * rows before rotation. */
#include "model/arch_rows.h"

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    l->norm_whole_row = true;
}

static const tensor_slot layer_slot[] = {
    QKVO_ROWS,
    NEED("attn_q_norm.weight", "self_attn.q_norm.weight", NORM, L_AT(q_norm), HK, NONE),
    NEED("attn_k_norm.weight", "self_attn.k_norm.weight", NORM, L_AT(k_norm), GK, NONE),
    NEED("post_attention_norm.weight", "post_attention_layernorm.weight", NORM, L_AT(norm_mix_out),
         D, NONE),
    NEED("post_ffw_norm.weight", "post_feedforward_layernorm.weight", NORM, L_AT(norm_ffn_out), D,
         NONE),
    GATED_FFN_ROWS("mlp."),
    SLOT_END,
};

extern const arch arch_olmo2;
const arch arch_olmo2 = {.name = "olmo2",
                         .hf_types = "olmo2",
                         .hf_layer = "model.layers.",
                         .configure = arch_configure_halves,
                         .layer_kinds = layer_kinds,
                         .model_slot = arch_model_rms,
                         .layer_slot = layer_slot};
