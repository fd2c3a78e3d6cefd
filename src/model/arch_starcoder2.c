/* arch_starcoder2.c - StarCoder 2: LayerNorm, grouped keys, halves rotated, a plain gelu
 * feed-forward, biases everywhere.
 *
 * config.json's window holds; GGUF files do not speak of it. */
#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    m->c.act = ACT_GELU_TANH;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_u32(m->file, name, "attention.sliding_window", "sliding_window", &m->c.window, e));
    return arch_read_rope(m, name, true, e);
}

static const tensor_slot layer_slot[] = {
    LAYER_NORM_ROWS,
    QKVO_ROWS,
    QKV_BIAS_ROWS(MAYBE),
    MAYBE("attn_output.bias", "self_attn.o_proj.bias", VECTOR, L_AT(o_bias), D, NONE),
    NEED("ffn_up.weight", "mlp.c_fc.weight", WEIGHT, L_AT(up), F, D),
    MAYBE("ffn_up.bias", "mlp.c_fc.bias", VECTOR, L_AT(up_bias), F, NONE),
    NEED("ffn_down.weight", "mlp.c_proj.weight", WEIGHT, L_AT(down), D, F),
    MAYBE("ffn_down.bias", "mlp.c_proj.bias", VECTOR, L_AT(down_bias), D, NONE),
    SLOT_END,
};

extern const arch arch_starcoder2;
const arch arch_starcoder2 = {.name = "starcoder2",
                              .hf_types = "starcoder2",
                              .hf_layer = "model.layers.",
                              .configure = configure,
                              .layer_kinds = arch_plain_layer,
                              .model_slot = arch_model_center,
                              .layer_slot = layer_slot};
