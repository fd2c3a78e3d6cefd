/* arch_gpt2.c - GPT-2: learned positions, LayerNorm, fused qkv, plain gelu feed-forward.
 *
 * Checkpoint folders store every matrix of a layer as [in, out]. */
#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    m->c.act = ACT_GELU_TANH;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    m->c.n_rot = 0;
    return RZ_OK;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "wte.weight", WEIGHT, M_AT(embed), V, D),
    NEED("position_embd.weight", "wpe.weight", WEIGHT, M_AT(positions), C, D),
    NEED("output_norm.weight", "ln_f.weight", CENTER, M_AT(norm_out), D, NONE),
    NEED("output_norm.bias", "ln_f.bias", VECTOR, M_AT(norm_out.bias), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "ln_1.weight", CENTER, L_AT(norm_in), D, NONE),
    NEED("attn_norm.bias", "ln_1.bias", VECTOR, L_AT(norm_in.bias), D, NONE),
    FUSED_QKV_ROWS("attn.c_attn.", TRANSPOSED),
    FUSED_QKV_BIAS_ROWS("attn.c_attn.", NONE),
    ROWS("attn_output.weight", "attn.c_proj.weight", WEIGHT, L_AT(o), D, HK, ALL, TRANSPOSED),
    NEED("attn_output.bias", "attn.c_proj.bias", VECTOR, L_AT(o_bias), D, NONE),
    NEED("ffn_norm.weight", "ln_2.weight", CENTER, L_AT(norm_ffn), D, NONE),
    NEED("ffn_norm.bias", "ln_2.bias", VECTOR, L_AT(norm_ffn.bias), D, NONE),
    ROWS("ffn_up.weight", "mlp.c_fc.weight", WEIGHT, L_AT(up), F, D, ALL, TRANSPOSED),
    NEED("ffn_up.bias", "mlp.c_fc.bias", VECTOR, L_AT(up_bias), F, NONE),
    ROWS("ffn_down.weight", "mlp.c_proj.weight", WEIGHT, L_AT(down), D, F, ALL, TRANSPOSED),
    NEED("ffn_down.bias", "mlp.c_proj.bias", VECTOR, L_AT(down_bias), D, NONE),
    SLOT_END,
};

extern const arch arch_gpt2;
const arch arch_gpt2 = {.name = "gpt2",
                        .hf_types = "gpt2",
                        .hf_layer = "h.",
                        .hf_outer = "transformer.",
                        .configure = configure,
                        .layer_kinds = arch_plain_layer,
                        .model_slot = model_slot,
                        .layer_slot = layer_slot};
