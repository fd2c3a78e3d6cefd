/* arch_olmo2.c - OLMo 2: norms behind the branches instead of before them, q and k normed as whole
 * rows before rotation. */
#include "model/arch.h"

static status configure(model *m, str name, err *e) {
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    m->rope[0].half = 1;
    return RZ_OK;
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    l->norm_whole_row = true;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "model.embed_tokens.weight", WEIGHT, M_AT(embed), V, D),
    NEED("output_norm.weight", "model.norm.weight", NORM, M_AT(norm_out), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    NEED("attn_q.weight", "self_attn.q_proj.weight", WEIGHT, L_AT(q), HK, D),
    NEED("attn_k.weight", "self_attn.k_proj.weight", WEIGHT, L_AT(k), GK, D),
    NEED("attn_v.weight", "self_attn.v_proj.weight", WEIGHT, L_AT(v), GK, D),
    NEED("attn_output.weight", "self_attn.o_proj.weight", WEIGHT, L_AT(o), D, HK),
    NEED("attn_q_norm.weight", "self_attn.q_norm.weight", NORM, L_AT(q_norm), HK, NONE),
    NEED("attn_k_norm.weight", "self_attn.k_norm.weight", NORM, L_AT(k_norm), GK, NONE),
    NEED("post_attention_norm.weight", "post_attention_layernorm.weight", NORM, L_AT(norm_mix_out),
         D, NONE),
    NEED("post_ffw_norm.weight", "post_feedforward_layernorm.weight", NORM, L_AT(norm_ffn_out), D,
         NONE),
    NEED("ffn_gate.weight", "mlp.gate_proj.weight", WEIGHT, L_AT(gate), F, D),
    NEED("ffn_up.weight", "mlp.up_proj.weight", WEIGHT, L_AT(up), F, D),
    NEED("ffn_down.weight", "mlp.down_proj.weight", WEIGHT, L_AT(down), D, F),
    SLOT_END,
};

extern const arch arch_olmo2;
const arch arch_olmo2 = {.name = "olmo2",
                         .hf_types = "olmo2",
                         .hf_layer = "model.layers.",
                         .configure = configure,
                         .layer_kinds = layer_kinds,
                         .model_slot = model_slot,
                         .layer_slot = layer_slot};
