/* arch_gptneox.c - GPT-NeoX and Pythia: LayerNorm, partly rotated heads, branches in parallel. */
#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    m->c.act = ACT_GELU_ERF;
    m->c.parallel = true;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_bool(m->file, name, "use_parallel_residual", "use_parallel_residual", &m->c.parallel,
                    e));
    return arch_read_rope(m, name, true, e);
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    l->parallel = m->c.parallel;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "gpt_neox.embed_in.weight", WEIGHT, M_AT(embed), V, D),
    NEED("output_norm.weight", "gpt_neox.final_layer_norm.weight", CENTER, M_AT(norm_out), D, NONE),
    NEED("output_norm.bias", "gpt_neox.final_layer_norm.bias", VECTOR, M_AT(norm_out.bias), D,
         NONE),
    MAYBE("output.weight", "embed_out.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    LAYER_NORM_ROWS,
    FUSED_QKV_ROWS("attention.query_key_value.", PER_HEAD),
    FUSED_QKV_BIAS_ROWS("attention.query_key_value.", PER_HEAD),
    NEED("attn_output.weight", "attention.dense.weight", WEIGHT, L_AT(o), D, HK),
    NEED("attn_output.bias", "attention.dense.bias", VECTOR, L_AT(o_bias), D, NONE),
    PLAIN_FFN_ROWS("mlp.dense_h_to_4h.", "mlp.dense_4h_to_h."),
    SLOT_END,
};

extern const arch arch_gptneox;
const arch arch_gptneox = {.name = "gptneox",
                           .hf_types = "gpt_neox",
                           .hf_layer = "gpt_neox.layers.",
                           .configure = configure,
                           .layer_kinds = layer_kinds,
                           .model_slot = model_slot,
                           .layer_slot = layer_slot};
