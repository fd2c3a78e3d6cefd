/* test_encoders.c - bert and nomic-bert: tiny random models, in both kinds of file, against a slow
 * forward pass in double written from their equations. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "serving.h"
#include "test.h"
#include "tiny.h"

enum { D = 48, H = 3, K = 16, F = 80, V = 41, L = 3, C = 320, LONG = 300 };

static const double eps = 1e-6; /* stored as 1e-6 too: the published 1e-12 tests nothing */

typedef struct encoder {
    const char *name, *config;
    tiny_head_fn *head;
    bool nomic;
} encoder;

static status put_sizes(gguf_writer *g, const char *arch, err *e) {
    static const struct {
        const char *key;
        uint32_t value;
    } sizes[] = {{"block_count", L},         {"embedding_length", D}, {"attention.head_count", H},
                 {"feed_forward_length", F}, {"context_length", C},   {"pooling_type", 2}};
    char key[96];
    TRY(gguf_put_str(g, "general.architecture", str_of(arch), e));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(key, sizeof key, "%s.%s", arch, sizes[i].key);
        TRY(gguf_put_u32(g, key, sizes[i].value, e));
    }
    snprintf(key, sizeof key, "%s.attention.layer_norm_epsilon", arch);
    TRY(gguf_put_f32(g, key, (float)eps, e));
    snprintf(key, sizeof key, "%s.attention.causal", arch);
    return gguf_put_bool(g, key, false, e);
}

static status bert_head(gguf_writer *g, err *e) { return put_sizes(g, "bert", e); }

static status nomic_head(gguf_writer *g, err *e) {
    TRY(put_sizes(g, "nomic-bert", e));
    return gguf_put_f32(g, "nomic-bert.rope.freq_base", 1000, e);
}

static const encoder encoders[] = {
    {"bert",
     "{\"model_type\":\"bert\",\"num_hidden_layers\":3,\"hidden_size\":48,\"hidden_act\":\"gelu\","
     "\"num_attention_heads\":3,\"intermediate_size\":80,\"max_position_embeddings\":320,"
     "\"layer_norm_eps\":1e-6,\"type_vocab_size\":2,\"position_embedding_type\":\"absolute\"}",
     bert_head, false},
    {"nomic-bert",
     "{\"model_type\":\"nomic_bert\",\"n_layer\":3,\"n_embd\":48,\"n_head\":3,\"n_inner\":80,"
     "\"n_positions\":8192,\"max_trained_positions\":320,\"layer_norm_epsilon\":1e-6,"
     "\"rotary_emb_base\":1000,\"rotary_emb_fraction\":1.0,\"rotary_emb_interleaved\":false,"
     "\"activation_function\":\"swiglu\",\"prenorm\":false,\"type_vocab_size\":2}",
     nomic_head, true},
};

static void pair(tiny *t, int layer, const char *hf, const char *gguf, uint64_t a, uint64_t b) {
    char x[96], y[96];
    snprintf(x, sizeof x, "%s.weight", hf), snprintf(y, sizeof y, "%s.weight", gguf);
    tiny_add(t, layer, x, y, a, b, 0);
    snprintf(x, sizeof x, "%s.bias", hf), snprintf(y, sizeof y, "%s.bias", gguf);
    tiny_add(t, layer, x, y, a, 0, 0);
}

static void make(tiny *t, const encoder *c) {
    tiny_begin(t, c->nomic ? "encoder.layers." : "encoder.layer.", 5);
    tiny_add(t, -1, "embeddings.word_embeddings.weight", "token_embd.weight", V, D, 0);
    tiny_add(t, -1, "embeddings.token_type_embeddings.weight", "token_types.weight", 2, D, 0);
    if (c->nomic) pair(t, -1, "emb_ln", "token_embd_norm", D, 0);
    else {
        tiny_add(t, -1, "embeddings.position_embeddings.weight", "position_embd.weight", C, D, 0);
        tiny_add(t, -1, "pooler.dense.weight", NULL, D, D, 0); /* another task's */
        pair(t, -1, "embeddings.LayerNorm", "token_embd_norm", D, 0);
    }
    for (int i = 0; i < L; i++) {
        if (c->nomic) {
            tiny_add(t, i, "attn.Wqkv.weight", "attn_qkv.weight", 3 * D, D, 0);
            tiny_add(t, i, "attn.out_proj.weight", "attn_output.weight", D, D, 0);
            pair(t, i, "norm1", "attn_output_norm", D, 0);
            tiny_add(t, i, "mlp.fc11.weight", "ffn_up.weight", F, D, 0);
            tiny_add(t, i, "mlp.fc12.weight", "ffn_gate.weight", F, D, 0);
            tiny_add(t, i, "mlp.fc2.weight", "ffn_down.weight", D, F, 0);
            pair(t, i, "norm2", "layer_output_norm", D, 0);
            continue;
        }
        pair(t, i, "attention.self.query", "attn_q", D, D);
        pair(t, i, "attention.self.key", "attn_k", D, D);
        pair(t, i, "attention.self.value", "attn_v", D, D);
        pair(t, i, "attention.output.dense", "attn_output", D, D);
        pair(t, i, "attention.output.LayerNorm", "attn_output_norm", D, 0);
        pair(t, i, "intermediate.dense", "ffn_up", F, D);
        pair(t, i, "output.dense", "ffn_down", D, F);
        pair(t, i, "output.LayerNorm", "layer_output_norm", D, 0);
    }
}

/* ---- The reference ---- */

static const float *get(const tiny *t, int layer, const char *name, const char *end) {
    char whole[96];
    snprintf(whole, sizeof whole, "%s.%s", name, end);
    return tiny_get(t, layer, whole);
}

static void linear(const tiny *t, int i, const char *name, double *y, const double *x, size_t rows,
                   size_t cols) {
    tiny_times(y, get(t, i, name, "weight"), get(t, i, name, "bias"), x, rows, cols);
}

static void norm(const tiny *t, int i, const char *name, double *x) {
    tiny_layer_norm(x, x, D, get(t, i, name, "weight"), get(t, i, name, "bias"), eps);
}

static double gelu(double x) { return x / 2 * (1 + erf(x / sqrt(2.0))); }

static void qkv(const encoder *c, const tiny *t, int i, uint32_t pos, const double *x, double *q,
                double *k, double *v) {
    if (!c->nomic) {
        linear(t, i, "attention.self.query", q, x, D, D);
        linear(t, i, "attention.self.key", k, x, D, D);
        linear(t, i, "attention.self.value", v, x, D, D);
        return;
    }
    double all[3 * D];
    linear(t, i, "attn.Wqkv", all, x, 3 * D, D);
    memcpy(q, all, D * sizeof *q);
    memcpy(k, all + D, D * sizeof *k);
    memcpy(v, all + 2 * D, D * sizeof *v);
    tiny_rope(q, H, K, K, pos, 1000);
    tiny_rope(k, H, K, K, pos, 1000);
}

static void feed_forward(const encoder *c, const tiny *t, int i, double *out, const double *x) {
    double up[F], gate[F];
    if (c->nomic) {
        linear(t, i, "mlp.fc11", up, x, F, D);
        linear(t, i, "mlp.fc12", gate, x, F, D);
        for (uint32_t j = 0; j < F; j++) up[j] *= tiny_silu(gate[j]);
        linear(t, i, "mlp.fc2", out, up, D, F);
        return;
    }
    linear(t, i, "intermediate.dense", up, x, F, D);
    for (uint32_t j = 0; j < F; j++) up[j] = gelu(up[j]);
    linear(t, i, "output.dense", out, up, D, F);
}

static void run_layer(const encoder *c, const tiny *t, int i, double x[][D], uint32_t n) {
    static double q[LONG][D], k[LONG][D], v[LONG][D];
    const tiny_attention a = {.H = H, .G = H, .K = K, .end = n, .scale = 1 / sqrt((double)K)};
    for (uint32_t p = 0; p < n; p++) qkv(c, t, i, p, x[p], q[p], k[p], v[p]);
    for (uint32_t p = 0; p < n; p++) {
        double mixed[D], out[D];
        tiny_attend(&a, mixed, q[p], k[0], v[0]);
        linear(t, i, c->nomic ? "attn.out_proj" : "attention.output.dense", out, mixed, D, D);
        for (uint32_t d = 0; d < D; d++) x[p][d] += out[d];
        norm(t, i, c->nomic ? "norm1" : "attention.output.LayerNorm", x[p]);
        feed_forward(c, t, i, out, x[p]);
        for (uint32_t d = 0; d < D; d++) x[p][d] += out[d];
        norm(t, i, c->nomic ? "norm2" : "output.LayerNorm", x[p]);
    }
}

static void run_reference(const encoder *c, const tiny *t, const rz_token *ids, uint32_t n,
                          double x[][D]) {
    const float *word = tiny_get(t, -1, "embeddings.word_embeddings.weight");
    const float *type = tiny_get(t, -1, "embeddings.token_type_embeddings.weight");
    const float *place = tiny_get(t, -1, "embeddings.position_embeddings.weight");
    for (uint32_t p = 0; p < n; p++) {
        for (uint32_t d = 0; d < D; d++)
            x[p][d] = (double)word[ids[p] * D + (int)d] + (double)type[d] +
                      (place ? (double)place[p * D + d] : 0);
        norm(t, -1, c->nomic ? "emb_ln" : "embeddings.LayerNorm", x[p]);
    }
    for (int i = 0; i < L; i++) run_layer(c, t, i, x, n);
}

/* ---- Comparing ---- */

static void check_length(const encoder *c, const tiny *t, const char *kind, rz_model *m,
                         uint32_t n) {
    static double x[LONG][D];
    rz_token ids[LONG];
    for (uint32_t p = 0; p < n; p++) ids[p] = (rz_token)((p * 13 + 5) % V);
    run_reference(c, t, ids, n, x);
    for (int how = RZ_POOL_MEAN; how <= RZ_POOL_LAST; how++) {
        rz_embed_options opt = RZ_EMBED_INIT;
        float got[D];
        double worst = 0;
        opt.pooling = (rz_pooling)how;
        opt.raw = 1;
        REQUIRE(rz_embed_ids(m, ids, n, &opt, got, NULL) == RZ_OK);
        for (uint32_t d = 0; d < D; d++) {
            double want = 0;
            if (how == RZ_POOL_CLS) want = x[0][d];
            if (how == RZ_POOL_LAST) want = x[n - 1][d];
            for (uint32_t p = 0; p < n && how == RZ_POOL_MEAN; p++) want += x[p][d] / n;
            worst = fmax(worst, fabs(want - (double)got[d]));
        }
        CHECK_MSG(worst < 2e-5, "%s as %s: %u tokens, pooling %d: off by %.2g", c->name, kind, n,
                  how, worst);
    }
}

static void check_model(const encoder *c, const tiny *t, const char *kind, rz_model *m) {
    static const uint32_t lengths[] = {1, 2, 33, LONG};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        check_length(c, t, kind, m, lengths[i]);
    rz_model_info info;
    rz_model_describe(m, &info);
    CHECK(info.context == C && rz_model_is_encoder(m));
    CHECK(strstr(info.layer_kinds, "attention both ways") != NULL);
}

static void test_encoders_follow_their_equations(void) {
    static tiny t;
    for (size_t i = 0; i < sizeof encoders / sizeof *encoders; i++) {
        const encoder *c = &encoders[i];
        rz_error e = {0};
        buf file = BUF_INIT;
        rz_model *m = NULL;
        make(&t, c);
        REQUIRE(tiny_gguf(&t, c->head, &file, &e) == RZ_OK);
        if (rz_model_open_memory(&m, file.p, file.len, NULL, &e) < 0)
            test_fail(__FILE__, __LINE__, "%s", e.text);
        if (m) check_model(c, &t, "GGUF", m);
        CHECK(!m || rz_model_pooling(m) == RZ_POOL_CLS); /* as its key says */
        rz_model_close(m);
        m = NULL;
        char name[32];
        snprintf(name, sizeof name, "encoder-%zu", i);
        const char *folder = tiny_folder(&t, name, c->config);
        REQUIRE(folder != NULL);
        if (rz_model_open(&m, folder, NULL, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
        if (m) check_model(c, &t, "a folder", m);
        CHECK(!m || rz_model_pooling(m) == RZ_POOL_MEAN); /* by default */
        rz_model_close(m);
        buf_free(&file);
        tiny_end(&t);
    }
}

static rz_model *open_bert(tiny *t, buf *file) {
    rz_model *m = NULL;
    make(t, &encoders[0]);
    if (tiny_gguf(t, bert_head, file, NULL) < 0) return NULL;
    return rz_model_open_memory(&m, file->p, file->len, NULL, NULL) < 0 ? NULL : m;
}

/* A WordPiece vocabulary whose tokens 2 and 3 stand around a text. */
static status bert_with_words(gguf_writer *g, err *e) {
    static const char *const first[] = {"[PAD]",   "[UNK]",     "[CLS]",     "[SEP]",
                                        "\u2581a", "\u2581cat", "\u2581sat", "s"};
    static char made[V][16];
    str token[V];
    for (int i = 0; i < V; i++) {
        snprintf(made[i], sizeof made[i], "w%d", i);
        token[i] = str_of(i < 8 ? first[i] : made[i]);
    }
    TRY(bert_head(g, e));
    TRY(gguf_put_str(g, "tokenizer.ggml.model", STR_LIT("bert"), e));
    TRY(gguf_put_strs(g, "tokenizer.ggml.tokens", token, V, e));
    TRY(gguf_put_u32(g, "tokenizer.ggml.unknown_token_id", 1, e));
    TRY(gguf_put_u32(g, "tokenizer.ggml.bos_token_id", 2, e));
    return gguf_put_u32(g, "tokenizer.ggml.seperator_token_id", 3, e);
}

static void test_a_text_goes_between_its_marks(void) {
    static const rz_token ids[] = {2, 4, 5, 6, 7, 3};
    static tiny t;
    buf file = BUF_INIT;
    rz_error e = {0};
    rz_model *m = NULL;
    float want[D], got[D];
    size_t n = 0;
    make(&t, &encoders[0]);
    REQUIRE(tiny_gguf(&t, bert_with_words, &file, &e) == RZ_OK);
    if (rz_model_open_memory(&m, file.p, file.len, NULL, &e) < 0)
        test_fail(__FILE__, __LINE__, "%s", e.text);
    REQUIRE(m != NULL);
    CHECK(rz_embed(m, "A cat sats", 10, NULL, got, &n, &e) == RZ_OK && n == 6);
    CHECK(rz_embed_ids(m, ids, 6, NULL, want, &e) == RZ_OK);
    CHECK(memcmp(got, want, sizeof got) == 0);
    rz_model_close(m);
    buf_free(&file);
    tiny_end(&t);
}

static void test_an_encoder_has_no_next_token(void) {
    static const char want[] = "bert models have no next token, only vectors of texts";
    static tiny t;
    buf file = BUF_INIT;
    rz_error e = {0};
    rz_session *s = NULL;
    rz_engine *g = NULL;
    rz_model *m = open_bert(&t, &file);
    REQUIRE(m != NULL);
    CHECK(rz_session_new(&s, m, 0, RZ_KV_AUTO, &e) == RZ_EUNSUPPORTED && !s);
    CHECK_MSG(strstr(e.text, want) != NULL, "%s", e.text);
    e.text[0] = 0;
    CHECK(rz_engine_new(&g, m, NULL, &e) == RZ_EUNSUPPORTED && !g);
    CHECK_MSG(strstr(e.text, want) != NULL, "%s", e.text);
    e.text[0] = 0;
    const rz_token ids[] = {1, 2, 3};
    CHECK(rz_imatrix(m, ids, 3, "none", NULL, NULL, &e) == RZ_EUNSUPPORTED);
    CHECK_MSG(strstr(e.text, want) != NULL, "%s", e.text);
    rz_model_close(m);
    buf_free(&file);
    tiny_end(&t);
}

static void test_an_encoder_is_served_for_its_vectors(void) {
    static const exchange list[] = {
        {"/health", NULL, 200, "healthy"},
        {"/metrics", NULL, 200, "\nrealizar_kv_cache_pages 0\n"},
        {"/slots", NULL, 200, "[]"},
        {"/v1/embeddings", "{\"input\":\"A cat sats\"}", 200,
         "\"usage\":{\"prompt_tokens\":6,\"total_tokens\":6}"},
        {"/rerank", "{\"query\":\"cat\",\"documents\":[\"a\",\"cat\"]}", 200,
         "\"results\":[{\"index\":1,\"relevance_score\":1}"},
        {"/v1/completions", "{\"prompt\":\"a\"}", 501,
         "{\"error\":{\"message\":\"this model gives vectors of texts, it makes no text\""},
        {"/api/generate", "{\"prompt\":\"a\",\"raw\":true}", 501, "it makes no text"},
        {"/stream/generate", "{\"prompt\":\"a\"}", 501, "it makes no text"},
    };
    static tiny t;
    running r;
    buf file = BUF_INIT;
    rz_error e = {0};
    make(&t, &encoders[0]);
    REQUIRE(tiny_gguf(&t, bert_with_words, &file, &e) == RZ_OK);
    const char *path = test_temp("served-bert.gguf");
    FILE *out = fopen(path, "wb");
    REQUIRE(out && fwrite(file.p, 1, file.len, out) == file.len && fclose(out) == 0);
    if (make_from(&r, path)) {
        start_server(&r);
        check_exchanges(&r, list, sizeof list / sizeof *list);
        stop_server(&r);
    }
    buf_free(&file);
    tiny_end(&t);
}

static void test_pooling_is_read_beside_a_folder(void) {
    static tiny t;
    char path[640];
    rz_error e = {0};
    rz_model *m = NULL;
    make(&t, &encoders[0]);
    const char *folder = tiny_folder(&t, "encoder-pooling", encoders[0].config);
    REQUIRE(folder != NULL);
    snprintf(path, sizeof path, "%s/1_Pooling", folder);
    REQUIRE(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/1_Pooling/config.json", folder);
    static const struct {
        const char *text;
        rz_pooling want; /* AUTO: refused */
    } row[] = {
        {"{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}", RZ_POOL_CLS},
        {"{\"pooling_mode_cls_token\":false,\"pooling_mode_lasttoken\":true}", RZ_POOL_LAST},
        {"{\"pooling_mode_cls_token\":", RZ_POOL_AUTO},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        FILE *out = fopen(path, "w");
        REQUIRE(out != NULL && fputs(row[i].text, out) >= 0 && fclose(out) == 0);
        const rz_status s = rz_model_open(&m, folder, NULL, &e);
        CHECK(s == (row[i].want == RZ_POOL_AUTO ? RZ_EFORMAT : RZ_OK));
        if (s >= 0) {
            CHECK(rz_model_pooling(m) == row[i].want);
            rz_model_close(m);
        } else CHECK_MSG(strstr(e.text, "1_Pooling/config.json: ") != NULL, "%s", e.text);
    }
    tiny_end(&t);
}

void suite_encoders(void) {
    RUN(test_encoders_follow_their_equations);
    RUN(test_a_text_goes_between_its_marks);
    RUN(test_an_encoder_has_no_next_token);
    RUN(test_an_encoder_is_served_for_its_vectors);
    RUN(test_pooling_is_read_beside_a_folder);
}
