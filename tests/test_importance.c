/* test_importance.c - importance matrices of running models, and weights quantized on load. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/mem.h"
#include "format/imatrix.h"
#include "model/quantize.h"
#include "test.h"

enum { N_IDS = 40 };

static void some_ids(rz_token *ids) {
    for (int i = 0; i < N_IDS; i++) ids[i] = 5 + i * 37 % 250;
}

static imatrix *collect(rz_model *m, const char *path, int legacy, rz_imatrix_report *report) {
    rz_token ids[N_IDS];
    rz_imatrix_options opt = RZ_IMATRIX_INIT;
    imatrix *out = NULL;
    err e = {0};
    some_ids(ids);
    opt.legacy = legacy;
    CHECK_MSG(rz_imatrix(m, ids, N_IDS, path, &opt, report, &e) == RZ_OK, "%s", e.text);
    CHECK_MSG(imatrix_open(&out, path, &e) == RZ_OK, "%s", e.text);
    return out;
}

/* The first matrix sees embeddings, normalised: computed here from the definition. */
static void test_the_first_matrix_sees_normalised_embeddings(void) {
    rz_model *m = NULL;
    rz_imatrix_report report = {0};
    REQUIRE(rz_model_open_demo(&m, NULL, NULL) == RZ_OK);
    imatrix *x = collect(m, test_temp("demo.gguf"), 0, &report);
    REQUIRE(x != NULL);
    const uint32_t D = m->m->c.D;
    CHECK(report.entries == m->m->c.L * 7 && report.partial == 0 && report.pieces == 1);
    double *want = calloc(D, sizeof *want);
    float *row = malloc(D * sizeof *row);
    rz_token ids[N_IDS + 1];
    size_t n = 0;
    some_ids(ids + 1);
    REQUIRE(want && row);
    REQUIRE(rz_encode(rz_model_tokenizer(m), "", 0, RZ_ENCODE_BOS, ids, 1, &n, NULL) == RZ_OK);
    CHECK(n == 1); /* the prefix of every piece is counted too */
    const weight *embed = &m->m->embed;
    const norm_weight *norm = &m->m->layer[0].norm_in;
    for (int t = 0; t <= N_IDS; t++) {
        double ss = 0;
        quant_get(embed->type)->to_float(embed->data + (size_t)ids[t] * embed->row_bytes, row, D);
        for (uint32_t i = 0; i < D; i++) ss += (double)row[i] * (double)row[i];
        const double scale = 1 / sqrt(ss / D + (double)norm->eps);
        for (uint32_t i = 0; i < D; i++)
            want[i] += pow((double)row[i] * scale * (double)norm->gain[i], 2) / (N_IDS + 1);
    }
    static const char *const names[] = {"blk.0.attn_q.weight", "blk.0.attn_v.weight"};
    for (int k = 0; k < 2; k++) {
        const imatrix_entry *q = imatrix_find(x, str_of(names[k]));
        REQUIRE(q && q->n == D);
        for (uint32_t i = 0; i < D; i++)
            CHECK_MSG(fabs((double)q->mean[i] - want[i]) <= 1e-4 * (want[i] + 1e-3),
                      "%s, column %u: %g, expected %g", names[k], i, (double)q->mean[i], want[i]);
    }
    CHECK(!imatrix_find(x, STR_LIT("token_embd.weight")));
    CHECK(!imatrix_find(x, STR_LIT("output.weight")));
    free(want);
    free(row);
    imatrix_close(x);
    rz_model_close(m);
}

static void test_importance_does_not_depend_on_threads(void) {
    size_t len[2] = {0};
    void *bytes[2] = {0};
    for (int i = 0; i < 2; i++) {
        rz_model *m = NULL;
        rz_model_options opt = RZ_MODEL_INIT;
        opt.threads = 1 + 2 * i;
        REQUIRE(rz_model_open_demo(&m, &opt, NULL) == RZ_OK);
        const char *path = test_temp("threads.dat");
        imatrix_close(collect(m, path, 1, NULL));
        bytes[i] = test_read_file(path, &len[i]);
        rz_model_close(m);
    }
    CHECK(bytes[0] && bytes[1] && len[0] == len[1] && memcmp(bytes[0], bytes[1], len[0]) == 0);
    free(bytes[0]);
    free(bytes[1]);
}

/* Every expert counts what is routed to it: together as often as the router sends rows. */
static void test_experts_are_counted_one_by_one(void) {
    const char *path = test_shared("golden/models/gguf-mixtral/model.gguf");
    rz_model *m = NULL;
    if (!path) {
        test_skip("no golden mixtral");
        return;
    }
    REQUIRE(rz_model_open(&m, path, NULL, NULL) == RZ_OK);
    imatrix *x = collect(m, test_temp("experts.gguf"), 0, NULL);
    REQUIRE(x != NULL);
    const model_config *c = &m->m->c;
    const imatrix_entry *up = imatrix_find(x, STR_LIT("blk.0.ffn_up_exps.weight"));
    const imatrix_entry *down = imatrix_find(x, STR_LIT("blk.0.ffn_down_exps.weight"));
    const imatrix_entry *router = imatrix_find(x, STR_LIT("blk.0.ffn_gate_inp.weight"));
    REQUIRE(up && down && router);
    CHECK(up->n == (size_t)c->D * c->route.n_expert);
    CHECK(down->n == (size_t)c->F_expert * c->route.n_expert && router->n == c->D);
    CHECK(memcmp(up->mean, up->mean + c->D, c->D * sizeof *up->mean) != 0);
    imatrix_close(x);
    rz_model_close(m);
}

static void test_importance_of_nothing_is_refused(void) {
    rz_model *m = NULL;
    const rz_token far = 1 << 20, one = 1;
    rz_imatrix_options opt = RZ_IMATRIX_INIT;
    err e = {0};
    REQUIRE(rz_model_open_demo(&m, NULL, NULL) == RZ_OK);
    const char *path = test_temp("none.gguf");
    CHECK(rz_imatrix(m, &far, 1, path, NULL, NULL, &e) == RZ_EINVAL);
    CHECK(strstr(e.text, "is not in a vocabulary of 512") != NULL);
    CHECK(rz_imatrix(m, &one, 0, path, NULL, NULL, &e) == RZ_EINVAL);
    opt.context = 1;
    CHECK(rz_imatrix(m, &one, 1, path, &opt, NULL, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "context is 1, expected 2 to 192");
    rz_model_close(m);
}

/* ---- On load ---- */

static void logits_of(rz_model *m, float *out) {
    const rz_token ids[] = {1, 20, 33, 4};
    rz_session *s = NULL;
    REQUIRE(rz_session_new(&s, m, 8, RZ_KV_F32, NULL) == RZ_OK);
    CHECK(rz_session_feed(s, ids, 4, NULL) == RZ_OK);
    memcpy(out, rz_session_logits(s), m->m->c.V * sizeof *out);
    rz_session_free(s);
}

/* Quantized while it is opened: the same bits as a file made of it. */
static void check_same(const char *source, const char *type) {
    const char *from = test_shared(source);
    rz_model *a = NULL, *b = NULL;
    rz_model_options opt = RZ_MODEL_INIT;
    err e = {0};
    if (!from) {
        test_skip("no %s", source);
        return;
    }
    const char *path = test_temp("quant.gguf");
    REQUIRE(rz_quantize(from, path, type, NULL, NULL, &e) == RZ_OK);
    opt.quant = type;
    opt.threads = 2;
    CHECK_MSG(rz_model_open(&a, from, &opt, &e) == RZ_OK, "%s", e.text);
    CHECK_MSG(rz_model_open(&b, path, NULL, &e) == RZ_OK, "%s", e.text);
    if (a && b) {
        const size_t V = a->m->c.V;
        float *x = malloc(V * sizeof *x), *y = malloc(V * sizeof *y);
        logits_of(a, x);
        logits_of(b, y);
        CHECK_MSG(memcmp(x, y, V * sizeof *x) == 0, "%s as %s: other logits", source, type);
        CHECK(a->m->main_type == b->m->main_type);
        CHECK(a->m->weight_bytes == b->m->weight_bytes);
        free(x);
        free(y);
    }
    rz_model_close(a);
    rz_model_close(b);
}

static void test_quantizing_on_load_equals_a_file(void) {
    check_same("golden/models/gguf-llama256-bf16/model.gguf", "Q4_K_M");
    check_same("golden/models/gguf-llama256-f16/model.gguf", "q8_0");
    check_same("golden/models/gguf-mixtral/model.gguf", "Q4_0");
    check_same("golden/models/gguf-deepseek2-lite/model.gguf", "F32");
}

static void test_folders_are_quantized_on_load(void) {
    static const char *const folders[] = {"golden/models/hf-gpt2", "golden/models/hf-qwen2moe",
                                          "golden/models/hf-mamba"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *path = test_shared(folders[i]);
        rz_model *a = NULL, *b = NULL;
        rz_model_options opt = RZ_MODEL_INIT;
        err e = {0};
        if (!path) {
            test_skip("no %s", folders[i]);
            continue;
        }
        opt.quant = "Q8_0";
        CHECK_MSG(rz_model_open(&a, path, NULL, &e) == RZ_OK, "%s", e.text);
        CHECK_MSG(rz_model_open(&b, path, &opt, &e) == RZ_OK, "%s", e.text);
        REQUIRE(a && b);
        float x[1024] = {0}, y[1024] = {0};
        double apart = 0, size = 0;
        REQUIRE(a->m->c.V <= 1024);
        logits_of(a, x);
        logits_of(b, y);
        for (uint32_t k = 0; k < a->m->c.V; k++) {
            apart += pow((double)x[k] - (double)y[k], 2);
            size += pow((double)x[k], 2);
        }
        CHECK_MSG(apart > 0 && apart < 0.01 * size, "%s: %g of %g", folders[i], apart, size);
        CHECK(b->m->main_type == QUANT_Q8_0 && b->m->weight_bytes < a->m->weight_bytes / 2);
        rz_model_close(a);
        rz_model_close(b);
    }
}

static void test_impossible_types_on_load_say_why(void) {
    const char *path = test_shared("golden/models/gguf-llama256-f16/model.gguf");
    rz_model *m = NULL;
    rz_model_options opt = RZ_MODEL_INIT;
    err e = {0};
    if (!path) {
        test_skip("no golden llama256");
        return;
    }
    opt.quant = "Q9";
    CHECK(rz_model_open(&m, path, &opt, &e) == RZ_EINVAL && strstr(e.text, "\"Q9\" is no type"));
    opt.quant = "IQ2_XXS";
    CHECK(rz_model_open(&m, path, &opt, &e) == RZ_EUNSUPPORTED);
    CHECK_STR(e.text, "IQ2_XXS needs an importance matrix: realizar quantize makes such a file");
    CHECK(m == NULL);
}

void suite_importance(void) {
    RUN(test_the_first_matrix_sees_normalised_embeddings);
    RUN(test_importance_does_not_depend_on_threads);
    RUN(test_experts_are_counted_one_by_one);
    RUN(test_importance_of_nothing_is_refused);
    RUN(test_quantizing_on_load_equals_a_file);
    RUN(test_folders_are_quantized_on_load);
    RUN(test_impossible_types_on_load_say_why);
}
