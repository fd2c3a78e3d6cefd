/* arch_llama.c - Llama 1 to 3 and Mistral: pre-norm, rotary attention with grouped keys, SwiGLU.
 *
 * GGUF stores q and k for rotation of neighbouring pairs, checkpoint folders for rotation of
 * halves. GGUF calls Mixtral a llama too: with experts, chosen by softmax over the chosen. */
#include "model/arch.h"

static status configure(model *m, str name, err *e) {
    TRY(config_read_transformer(&m->c, m->file, name, e));
    uint32_t n_expert = 0;
    TRY(config_u32(m->file, name, "expert_count", NULL, &n_expert, e));
    if (n_expert) {
        m->c.route.renormalise = true;
        TRY(config_read_experts(&m->c, m->file, name, e));
        m->c.F_expert = m->c.F;
    }
    TRY(config_u32(m->file, name, "attention.sliding_window", "sliding_window", &m->c.window, e));
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    m->rope[0].half = m->file->config != NULL;
    return RZ_OK;
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    if (m->c.route.n_expert) l->ffn = FFN_MOE;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "model.embed_tokens.weight", WEIGHT, M_AT(embed), V, D),
    NEED("output_norm.weight", "model.norm.weight", NORM, M_AT(norm_out), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "input_layernorm.weight", NORM, L_AT(norm_in), D, NONE),
    NEED("attn_q.weight", "self_attn.q_proj.weight", WEIGHT, L_AT(q), HK, D),
    NEED("attn_k.weight", "self_attn.k_proj.weight", WEIGHT, L_AT(k), GK, D),
    NEED("attn_v.weight", "self_attn.v_proj.weight", WEIGHT, L_AT(v), GK, D),
    NEED("attn_output.weight", "self_attn.o_proj.weight", WEIGHT, L_AT(o), D, HK),
    MAYBE("attn_q.bias", "self_attn.q_proj.bias", VECTOR, L_AT(q_bias), HK, NONE),
    MAYBE("attn_k.bias", "self_attn.k_proj.bias", VECTOR, L_AT(k_bias), GK, NONE),
    MAYBE("attn_v.bias", "self_attn.v_proj.bias", VECTOR, L_AT(v_bias), GK, NONE),
    MAYBE("attn_output.bias", "self_attn.o_proj.bias", VECTOR, L_AT(o_bias), D, NONE),
    NEED("ffn_norm.weight", "post_attention_layernorm.weight", NORM, L_AT(norm_ffn), D, NONE),
    FFN(DENSE, "ffn_gate.weight", "mlp.gate_proj.weight", WEIGHT, L_AT(gate), F, D),
    FFN(DENSE, "ffn_up.weight", "mlp.up_proj.weight", WEIGHT, L_AT(up), F, D),
    FFN(DENSE, "ffn_down.weight", "mlp.down_proj.weight", WEIGHT, L_AT(down), D, F),
    FFN(MOE, "ffn_gate_inp.weight", NULL, WEIGHT, L_AT(router), E, D),
    FFN(MOE, "ffn_gate_exps.weight", NULL, EXPERTS, L_AT(experts_gate), FE, D),
    FFN(MOE, "ffn_up_exps.weight", NULL, EXPERTS, L_AT(experts_up), FE, D),
    FFN(MOE, "ffn_down_exps.weight", NULL, EXPERTS, L_AT(experts_down), D, FE),
    SLOT_END,
};

extern const arch arch_llama;
const arch arch_llama = {.name = "llama",
                         .hf_types = "llama|mistral",
                         .hf_layer = "model.layers.",
                         .configure = configure,
                         .layer_kinds = layer_kinds,
                         .model_slot = model_slot,
                         .layer_slot = layer_slot};
