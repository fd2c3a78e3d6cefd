/* arch_stablelm.c - StableLM (3B, 2 1.6B, Zephyr): a llama block with LayerNorm and partly rotated
 * heads. The 12B runs its branches side by side and norms single heads: not supported. */
#include "model/arch.h"

static status configure(model *m, str name, err *e) {
    bool parallel = false;
    const config_key keys[] = {
        {"use_parallel_residual", "use_parallel_residual", KEY_BOOL, false, 0},
        {NULL, NULL, KEY_BOOL, false, 0}};
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_read(m->file, name, keys, &parallel, e));
    if (parallel)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%s: use_parallel_residual is not supported for stablelm", m->file->path);
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    m->rope[0].half = 1;
    return RZ_OK;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "model.embed_tokens.weight", WEIGHT, M_AT(embed), V, D),
    NEED("output_norm.weight", "model.norm.weight", CENTER, M_AT(norm_out), D, NONE),
    NEED("output_norm.bias", "model.norm.bias", VECTOR, M_AT(norm_out.bias), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "input_layernorm.weight", CENTER, L_AT(norm_in), D, NONE),
    NEED("attn_norm.bias", "input_layernorm.bias", VECTOR, L_AT(norm_in.bias), D, NONE),
    NEED("attn_q.weight", "self_attn.q_proj.weight", WEIGHT, L_AT(q), HK, D),
    NEED("attn_k.weight", "self_attn.k_proj.weight", WEIGHT, L_AT(k), GK, D),
    NEED("attn_v.weight", "self_attn.v_proj.weight", WEIGHT, L_AT(v), GK, D),
    MAYBE("attn_q.bias", "self_attn.q_proj.bias", VECTOR, L_AT(q_bias), HK, NONE),
    MAYBE("attn_k.bias", "self_attn.k_proj.bias", VECTOR, L_AT(k_bias), GK, NONE),
    MAYBE("attn_v.bias", "self_attn.v_proj.bias", VECTOR, L_AT(v_bias), GK, NONE),
    NEED("attn_output.weight", "self_attn.o_proj.weight", WEIGHT, L_AT(o), D, HK),
    NEED("ffn_norm.weight", "post_attention_layernorm.weight", CENTER, L_AT(norm_ffn), D, NONE),
    NEED("ffn_norm.bias", "post_attention_layernorm.bias", VECTOR, L_AT(norm_ffn.bias), D, NONE),
    NEED("ffn_gate.weight", "mlp.gate_proj.weight", WEIGHT, L_AT(gate), F, D),
    NEED("ffn_up.weight", "mlp.up_proj.weight", WEIGHT, L_AT(up), F, D),
    NEED("ffn_down.weight", "mlp.down_proj.weight", WEIGHT, L_AT(down), D, F),
    SLOT_END,
};

extern const arch arch_stablelm;
const arch arch_stablelm = {.name = "stablelm",
                            .hf_types = "stablelm",
                            .hf_layer = "model.layers.",
                            .configure = configure,
                            .layer_kinds = arch_plain_layer,
                            .model_slot = model_slot,
                            .layer_slot = layer_slot};
