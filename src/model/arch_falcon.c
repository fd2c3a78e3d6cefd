/* arch_falcon.c - Falcon 7B's layout: one key head, one LayerNorm feeding both branches. */
#include "model/arch.h"

static status configure(model *m, str name, err *e) {
    m->c.act = ACT_GELU_ERF;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    bool multi_query = false, grouped = false;
    const config_key many[] = {{NULL, "multi_query", KEY_BOOL, false, 0},
                               {NULL, NULL, KEY_BOOL, false, 0}};
    const config_key newer[] = {{NULL, "new_decoder_architecture", KEY_BOOL, false, 0},
                                {NULL, NULL, KEY_BOOL, false, 0}};
    TRY(config_read(m->file, name, many, &multi_query, e));
    TRY(config_read(m->file, name, newer, &grouped, e));
    if (multi_query) m->c.G = 1;
    if (grouped)
        return err_set(e, RZ_EUNSUPPORTED, "%s: new_decoder_architecture is not supported",
                       m->file->path);
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    m->rope[0].half = 1;
    return RZ_OK;
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    l->parallel = true;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "transformer.word_embeddings.weight", WEIGHT, M_AT(embed), V, D),
    NEED("output_norm.weight", "transformer.ln_f.weight", CENTER, M_AT(norm_out), D, NONE),
    NEED("output_norm.bias", "transformer.ln_f.bias", VECTOR, M_AT(norm_out.bias), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "input_layernorm.weight", CENTER, L_AT(norm_in), D, NONE),
    NEED("attn_norm.bias", "input_layernorm.bias", VECTOR, L_AT(norm_in.bias), D, NONE),
    ROWS("attn_qkv.weight", "self_attention.query_key_value.weight", WEIGHT, L_AT(q), HK, D, Q,
         NONE),
    ROWS("attn_qkv.weight", "self_attention.query_key_value.weight", WEIGHT, L_AT(k), GK, D, K,
         NONE),
    ROWS("attn_qkv.weight", "self_attention.query_key_value.weight", WEIGHT, L_AT(v), GK, D, V,
         NONE),
    NEED("attn_output.weight", "self_attention.dense.weight", WEIGHT, L_AT(o), D, HK),
    NEED("ffn_up.weight", "mlp.dense_h_to_4h.weight", WEIGHT, L_AT(up), F, D),
    NEED("ffn_down.weight", "mlp.dense_4h_to_h.weight", WEIGHT, L_AT(down), D, F),
    SLOT_END,
};

extern const arch arch_falcon;
const arch arch_falcon = {.name = "falcon",
                          .hf_types = "falcon",
                          .hf_layer = "transformer.h.",
                          .configure = configure,
                          .layer_kinds = layer_kinds,
                          .model_slot = model_slot,
                          .layer_slot = layer_slot};
