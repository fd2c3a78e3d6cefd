/* arch_falcon.c - Falcon 7B's layout: one key head, one LayerNorm feeding both branches. */
#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    m->c.act = ACT_GELU_ERF;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    bool multi_query = false, grouped = false;
    TRY(config_bool(m->file, name, NULL, "multi_query", &multi_query, e));
    TRY(config_bool(m->file, name, NULL, "new_decoder_architecture", &grouped, e));
    if (multi_query) m->c.G = 1;
    if (grouped)
        return err_set(e, RZ_EUNSUPPORTED, "%s: new_decoder_architecture is not supported",
                       m->file->path);
    return arch_read_rope(m, name, true, e);
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
    FUSED_QKV_ROWS("self_attention.query_key_value.", NONE),
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
