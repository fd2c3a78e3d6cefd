/* arch_gemma2.c - Gemma 2: four norms a layer, soft caps, every other layer sees only a window.
 *
 * Norm gains mean 1 + w; GGUF files hold the sum already. */
#include <math.h>

#include "model/arch.h"

static status configure(model *m, str name, err *e) {
    m->c.norm_eps = 1e-6f;
    m->c.act = ACT_GELU_TANH;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    m->c.embed_scale = sqrtf((float)m->c.D);
    uint32_t scalar = 0;
    TRY(config_u32(m->file, name, "attention.query_pre_attn_scalar", "query_pre_attn_scalar",
                   &scalar, e));
    if (scalar) m->c.score_scale = 1.0f / sqrtf((float)scalar);
    TRY(config_u32(m->file, name, "attention.sliding_window", "sliding_window", &m->c.window, e));
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    m->rope[0].half = 1;
    return RZ_OK;
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    if (l->index % 2) l->attend.window = 0;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "model.embed_tokens.weight", WEIGHT, M_AT(embed), V, D),
    ROWS("output_norm.weight", "model.norm.weight", NORM, M_AT(norm_out), D, NONE, ALL, PLUS_ONE),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    ROWS("attn_norm.weight", "input_layernorm.weight", NORM, L_AT(norm_in), D, NONE, ALL, PLUS_ONE),
    ROWS("post_attention_norm.weight", "post_attention_layernorm.weight", NORM, L_AT(norm_mix_out),
         D, NONE, ALL, PLUS_ONE),
    ROWS("ffn_norm.weight", "pre_feedforward_layernorm.weight", NORM, L_AT(norm_ffn), D, NONE, ALL,
         PLUS_ONE),
    ROWS("post_ffw_norm.weight", "post_feedforward_layernorm.weight", NORM, L_AT(norm_ffn_out), D,
         NONE, ALL, PLUS_ONE),
    NEED("attn_q.weight", "self_attn.q_proj.weight", WEIGHT, L_AT(q), HK, D),
    NEED("attn_k.weight", "self_attn.k_proj.weight", WEIGHT, L_AT(k), GK, D),
    NEED("attn_v.weight", "self_attn.v_proj.weight", WEIGHT, L_AT(v), GK, D),
    NEED("attn_output.weight", "self_attn.o_proj.weight", WEIGHT, L_AT(o), D, HK),
    NEED("ffn_gate.weight", "mlp.gate_proj.weight", WEIGHT, L_AT(gate), F, D),
    NEED("ffn_up.weight", "mlp.up_proj.weight", WEIGHT, L_AT(up), F, D),
    NEED("ffn_down.weight", "mlp.down_proj.weight", WEIGHT, L_AT(down), D, F),
    SLOT_END,
};

extern const arch arch_gemma2;
const arch arch_gemma2 = {.name = "gemma2",
                          .hf_types = "gemma2",
                          .hf_layer = "model.layers.",
                          .configure = configure,
                          .layer_kinds = layer_kinds,
                          .model_slot = model_slot,
                          .layer_slot = layer_slot};
