/* arch_granite.c - Granite 3 (dense): a llama block whose embedding, scores, branches and logits
 * are scaled by numbers of the file; logits are divided by theirs. */
#include "model/arch.h"

#define AT(member) offsetof(model_config, member)
static const config_key keys[] = {
    {"embedding_scale", "embedding_multiplier", KEY_F32, false, AT(embed_scale)},
    {"residual_scale", "residual_multiplier", KEY_F32, false, AT(residual_scale)},
    {"logit_scale", "logits_scaling", KEY_F32, false, AT(logit_scale)},
    {"attention.scale", "attention_multiplier", KEY_F32, false, AT(score_scale)},
    {NULL, NULL, KEY_F32, false, 0},
};
#undef AT

static status configure(model *m, str name, err *e) {
    TRY(config_read(m->file, name, keys, &m->c, e));
    TRY(config_read_transformer(&m->c, m->file, name, e));
    m->c.logit_scale = 1 / m->c.logit_scale;
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    m->rope[0].half = m->file->config != NULL; /* GGUF turns neighbouring pairs, as llama's */
    return RZ_OK;
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
    MAYBE("attn_q.bias", "self_attn.q_proj.bias", VECTOR, L_AT(q_bias), HK, NONE),
    MAYBE("attn_k.bias", "self_attn.k_proj.bias", VECTOR, L_AT(k_bias), GK, NONE),
    MAYBE("attn_v.bias", "self_attn.v_proj.bias", VECTOR, L_AT(v_bias), GK, NONE),
    NEED("attn_output.weight", "self_attn.o_proj.weight", WEIGHT, L_AT(o), D, HK),
    MAYBE("attn_output.bias", "self_attn.o_proj.bias", VECTOR, L_AT(o_bias), D, NONE),
    NEED("ffn_norm.weight", "post_attention_layernorm.weight", NORM, L_AT(norm_ffn), D, NONE),
    NEED("ffn_gate.weight", "mlp.gate_proj.weight", WEIGHT, L_AT(gate), F, D),
    NEED("ffn_up.weight", "mlp.up_proj.weight", WEIGHT, L_AT(up), F, D),
    NEED("ffn_down.weight", "mlp.down_proj.weight", WEIGHT, L_AT(down), D, F),
    SLOT_END,
};

extern const arch arch_granite;
const arch arch_granite = {.name = "granite",
                           .hf_types = "granite",
                           .hf_layer = "model.layers.",
                           .configure = configure,
                           .layer_kinds = arch_plain_layer,
                           .model_slot = model_slot,
                           .layer_slot = layer_slot};
