/* arch_llama.c - Llama 1 to 3, Mistral and Mixtral: pre-norm, rotary attention with grouped keys,
 * SwiGLU, or the best of several experts, weighed by the softmax of the chosen.
 *
 * GGUF stores q and k for rotation of neighbouring pairs, checkpoint folders for rotation of
 * halves, and calls Mixtral a llama too. */
#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    TRY(config_read_transformer(&m->c, m->file, name, e));
    uint32_t n_expert = 0;
    TRY(config_u32(m->file, name, "expert_count", "num_local_experts", &n_expert, e));
    if (n_expert) {
        m->c.route.renormalise = true;
        TRY(config_read_experts(&m->c, m->file, name, e));
        m->c.F_expert = m->c.F;
    }
    TRY(config_u32(m->file, name, "attention.sliding_window", "sliding_window", &m->c.window, e));
    return arch_read_rope(m, name, m->file->config != NULL, e);
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    if (m->c.route.n_expert) l->ffn = FFN_MOE;
}

static const tensor_slot layer_slot[] = {
    RMS_NORM_ROWS,
    QKVO_ROWS,
    QKV_BIAS_ROWS(MAYBE),
    MAYBE("attn_output.bias", "self_attn.o_proj.bias", VECTOR, L_AT(o_bias), D, NONE),
    GATED_FFN_ROWS("mlp."),
    FFN(MOE, "ffn_gate_inp.weight", "block_sparse_moe.gate.weight", WEIGHT, L_AT(router), E, D),
    FFN(MOE, "ffn_gate_exps.weight", "block_sparse_moe.experts.*.w1.weight", EXPERTS,
        L_AT(experts_gate), FE, D),
    FFN(MOE, "ffn_up_exps.weight", "block_sparse_moe.experts.*.w3.weight", EXPERTS,
        L_AT(experts_up), FE, D),
    FFN(MOE, "ffn_down_exps.weight", "block_sparse_moe.experts.*.w2.weight", EXPERTS,
        L_AT(experts_down), D, FE),
    SLOT_END,
};

extern const arch arch_llama;
const arch arch_llama = {.name = "llama",
                         .hf_types = "llama|mistral|mixtral",
                         .hf_class = "LlamaForCausalLM|MistralForCausalLM|MixtralForCausalLM",
                         .gguf_pairs = true,
                         .hf_layer = "model.layers.",
                         .configure = configure,
                         .layer_kinds = layer_kinds,
                         .model_slot = arch_model_rms,
                         .layer_slot = layer_slot};
