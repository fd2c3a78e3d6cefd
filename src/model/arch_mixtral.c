/* arch_mixtral.c - Mixtral checkpoint folders (its GGUF files say "llama"): a llama block whose
 * feed-forward is the two best of several experts. */
#include "model/arch.h"

static status configure(model *m, str name, err *e) {
    TRY(config_read_transformer(&m->c, m->file, name, e));
    m->c.route.renormalise = true;
    TRY(config_read_experts(&m->c, m->file, name, e));
    return arch_read_rope(m, name, true, e);
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    l->ffn = FFN_MOE;
}

static const tensor_slot model_slot[] = {
    NEED(NULL, "model.embed_tokens.weight", WEIGHT, M_AT(embed), V, D),
    NEED(NULL, "model.norm.weight", NORM, M_AT(norm_out), D, NONE),
    MAYBE(NULL, "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    NEED(NULL, "input_layernorm.weight", NORM, L_AT(norm_in), D, NONE),
    NEED(NULL, "self_attn.q_proj.weight", WEIGHT, L_AT(q), HK, D),
    NEED(NULL, "self_attn.k_proj.weight", WEIGHT, L_AT(k), GK, D),
    NEED(NULL, "self_attn.v_proj.weight", WEIGHT, L_AT(v), GK, D),
    NEED(NULL, "self_attn.o_proj.weight", WEIGHT, L_AT(o), D, HK),
    NEED(NULL, "post_attention_layernorm.weight", NORM, L_AT(norm_ffn), D, NONE),
    FFN(MOE, NULL, "block_sparse_moe.gate.weight", WEIGHT, L_AT(router), E, D),
    FFN(MOE, NULL, "block_sparse_moe.experts.*.w1.weight", EXPERTS, L_AT(experts_gate), FE, D),
    FFN(MOE, NULL, "block_sparse_moe.experts.*.w3.weight", EXPERTS, L_AT(experts_up), FE, D),
    FFN(MOE, NULL, "block_sparse_moe.experts.*.w2.weight", EXPERTS, L_AT(experts_down), D, FE),
    SLOT_END,
};

extern const arch arch_mixtral;
const arch arch_mixtral = {.name = NULL,
                           .hf_types = "mixtral",
                           .hf_layer = "model.layers.",
                           .configure = configure,
                           .layer_kinds = layer_kinds,
                           .model_slot = model_slot,
                           .layer_slot = layer_slot};
