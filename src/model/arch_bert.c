/* arch_bert.c - BERT (Devlin et al. 2018, arXiv 1810.04805) and nomic-bert: encoders, in which
 * every token sees all others. They have no next token; what comes out is a vector for each token.
 *
 * Norms stand behind the sums: x = norm(x + attention(x)), x = norm(x + feed-forward(x)). BERT adds
 * a learned vector for each position, nomic-bert rotates queries and keys and has gated
 * feed-forwards. Both add a vector for the kind of text, of which there is only the first here. */
#include "model/arch_rows.h"

/* What the tensors cannot tell. */
static status check_word(const model *m, const char *key, const char *words, err *e) {
    str said = {NULL, 0}, rest = str_of(words);
    if (!m->file->config) return RZ_OK;
    TRY(config_str(m->file, said, NULL, key, &said, e));
    if (!said.p) return RZ_OK;
    while (rest.p)
        if (str_eq(str_split(&rest, '|'), said)) return RZ_OK;
    return err_set(e, RZ_EUNSUPPORTED, "%s: config.json: %s is \"%.*s\", this version knows %s",
                   m->file->path, key, STR_FMT(said), words);
}

static status read_common(model *m, str name, err *e) {
    m->c.both_ways = true;
    m->c.norm_eps = 1e-12f;
    m->c.n_type = 2;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    if (!m->file->config)
        return meta_u32(m->file, "tokenizer.ggml.token_type_count", &m->c.n_type, e);
    return config_u32(m->file, name, NULL, "type_vocab_size", &m->c.n_type, e);
}

static status configure(model *m, str name, err *e) {
    m->c.act = ACT_GELU_ERF;
    TRY(read_common(m, name, e));
    TRY(check_word(m, "hidden_act", "gelu", e));
    return check_word(m, "position_embedding_type", "absolute", e);
}

#define AT(member) offsetof(model_config, member)
static const config_key nomic_keys[] = {
    {NULL, "rotary_emb_fraction", KEY_F32, false, AT(rotary_share)},
    {NULL, "rotary_emb_base", KEY_F32, false, AT(rope_base)},
    {NULL, NULL, KEY_F32, false, 0},
};
#undef AT

/* A folder tells how long its texts were in training and how long they may be with a rotation that
 * changes with their length, which is not done here. */
static status configure_nomic(model *m, str name, err *e) {
    uint32_t trained = 0;
    bool prenorm = false, pairs = false;
    TRY(config_read(m->file, name, nomic_keys, &m->c, e));
    TRY(read_common(m, name, e));
    TRY(config_bool(m->file, name, NULL, "prenorm", &prenorm, e));
    TRY(config_bool(m->file, name, NULL, "rotary_emb_interleaved", &pairs, e));
    TRY(config_u32(m->file, name, NULL, "max_trained_positions", &trained, e));
    TRY(check_word(m, "activation_function", "swiglu|silu", e));
    if (prenorm)
        return err_set(e, RZ_EUNSUPPORTED, "%s: config.json: prenorm is true, expected false",
                       m->file->path);
    if (trained && trained < m->c.C) {
        m->c.C = trained;
        model_note(m, "context %u as in training", trained);
    }
    return arch_read_rope(m, name, !pairs, e);
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    l->attend.both_ways = true;
}

#define TYPES_ROW(hf)                                                                   \
    SLOT_ROW("token_types.weight", hf, FLAT, M_AT(token_type), TYPE, D, true, PART_ALL, \
             TWIST_NONE, FFN_NONE, MIX_NONE)
/* A norm behind a sum. */
#define SUM_NORM_ROWS(gguf, hf, at)                              \
    NEED(gguf "weight", hf "weight", CENTER, L_AT(at), D, NONE), \
        NEED(gguf "bias", hf "bias", VECTOR, L_AT(at.bias), D, NONE)
/* A projection with its bias. */
#define BIASED_ROWS(gguf, hf, at, out, in)                       \
    NEED(gguf "weight", hf "weight", WEIGHT, L_AT(at), out, in), \
        NEED(gguf "bias", hf "bias", VECTOR, L_AT(at##_bias), out, NONE)

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "embeddings.word_embeddings.weight", WEIGHT, M_AT(embed), V, D),
    NEED("position_embd.weight", "embeddings.position_embeddings.weight", WEIGHT, M_AT(positions),
         C, D),
    TYPES_ROW("embeddings.token_type_embeddings.weight"),
    NEED("token_embd_norm.weight", "embeddings.LayerNorm.weight", CENTER, M_AT(norm_embed), D,
         NONE),
    NEED("token_embd_norm.bias", "embeddings.LayerNorm.bias", VECTOR, M_AT(norm_embed.bias), D,
         NONE),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    BIASED_ROWS("attn_q.", "attention.self.query.", q, HK, D),
    BIASED_ROWS("attn_k.", "attention.self.key.", k, GK, D),
    BIASED_ROWS("attn_v.", "attention.self.value.", v, GK, D),
    BIASED_ROWS("attn_output.", "attention.output.dense.", o, D, HK),
    SUM_NORM_ROWS("attn_output_norm.", "attention.output.LayerNorm.", norm_mix_sum),
    BIASED_ROWS("ffn_up.", "intermediate.dense.", up, F, D),
    BIASED_ROWS("ffn_down.", "output.dense.", down, D, F),
    SUM_NORM_ROWS("layer_output_norm.", "output.LayerNorm.", norm_ffn_sum),
    SLOT_END,
};

static const tensor_slot nomic_model_slot[] = {
    NEED("token_embd.weight", "embeddings.word_embeddings.weight", WEIGHT, M_AT(embed), V, D),
    TYPES_ROW("embeddings.token_type_embeddings.weight"),
    NEED("token_embd_norm.weight", "emb_ln.weight", CENTER, M_AT(norm_embed), D, NONE),
    NEED("token_embd_norm.bias", "emb_ln.bias", VECTOR, M_AT(norm_embed.bias), D, NONE),
    SLOT_END,
};

static const tensor_slot nomic_layer_slot[] = {
    FUSED_QKV_ROWS("attn.Wqkv.", NONE),
    NEED("attn_output.weight", "attn.out_proj.weight", WEIGHT, L_AT(o), D, HK),
    SUM_NORM_ROWS("attn_output_norm.", "norm1.", norm_mix_sum),
    NEED("ffn_gate.weight", "mlp.fc12.weight", WEIGHT, L_AT(gate), F, D),
    NEED("ffn_up.weight", "mlp.fc11.weight", WEIGHT, L_AT(up), F, D),
    NEED("ffn_down.weight", "mlp.fc2.weight", WEIGHT, L_AT(down), D, F),
    SUM_NORM_ROWS("layer_output_norm.", "norm2.", norm_ffn_sum),
    SLOT_END,
};

/* Heads for the tasks of training, and what BERT makes of its first vector to tell whether two
 * texts follow each other. */
#define OTHER_HEADS "pooler.|cls.|embeddings.position_ids"

extern const arch arch_bert, arch_nomicbert;
const arch arch_bert = {.name = "bert",
                        .hf_types = "bert",
                        .hf_layer = "encoder.layer.",
                        .hf_outer = "bert.",
                        .hf_ignored = OTHER_HEADS,
                        .configure = configure,
                        .layer_kinds = layer_kinds,
                        .model_slot = model_slot,
                        .layer_slot = layer_slot};
const arch arch_nomicbert = {.name = "nomic-bert",
                             .hf_types = "nomic_bert",
                             .hf_layer = "encoder.layers.",
                             .hf_outer = "bert.",
                             .hf_ignored = OTHER_HEADS,
                             .configure = configure_nomic,
                             .layer_kinds = layer_kinds,
                             .model_slot = nomic_model_slot,
                             .layer_slot = nomic_layer_slot};
