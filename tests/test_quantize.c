/* test_quantize.c - which tensor gets which type, files made from files, importance matrices. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/mem.h"
#include "base/rng.h"
#include "format/gguf.h"
#include "format/imatrix.h"
#include "model/quantize.h"
#include "test.h"

/* ---- Mixes ---- */

enum { MAX_TEST_LAYERS = 80 };

/* A model of n layers, all with attention and a feed-forward. */
static mix_model layers(uint32_t n, uint32_t n_gqa, uint32_t n_expert) {
    static uint32_t rank[MAX_TEST_LAYERS + 1];
    for (uint32_t i = 0; i <= MAX_TEST_LAYERS; i++) rank[i] = i;
    return (mix_model){.n_layer = n,
                       .n_expert = n_expert,
                       .n_gqa = n_gqa,
                       .n_attn = n,
                       .attn_rank = rank,
                       .ffn_rank = rank};
}

static quant_type chosen(const char *mix, const mix_model *m, const char *name, uint64_t cols) {
    const mix_tensor t = {str_of(name), cols, 4096, strstr(name, "_exps") != NULL};
    return mix_choose(quant_mix_find(str_of(mix)), m, &t);
}

/* "QQ.Q": one letter a layer, Q where the type is `more`, a dot where it is `base`. */
static const char *pattern(const char *mix, const mix_model *m, const char *suffix, quant_type more,
                           quant_type base) {
    static char text[MAX_TEST_LAYERS + 1];
    for (uint32_t i = 0; i < m->n_layer; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%u.%s.weight", i, suffix);
        const quant_type t = chosen(mix, m, name, 4096);
        text[i] = t == more ? 'Q' : t == base ? '.' : '?';
    }
    text[m->n_layer] = 0;
    return text;
}

static void test_mixes_give_some_layers_more_bits(void) {
    const mix_model m = layers(32, 4, 0), few = layers(32, 1, 0);
    const char *more = "QQQQ..Q..Q..Q..Q..Q..Q..Q..QQQQQ";
    CHECK_STR(pattern("Q4_K_M", &m, "attn_v", QUANT_Q6_K, QUANT_Q4_K), more);
    CHECK_STR(pattern("Q4_K_M", &m, "ffn_down", QUANT_Q6_K, QUANT_Q4_K), more);
    CHECK_STR(pattern("q5_k_m", &m, "ffn_down", QUANT_Q6_K, QUANT_Q5_K), more);
    CHECK_STR(pattern("Q4_K_M", &m, "ffn_up", QUANT_Q6_K, QUANT_Q4_K),
              "................................");
    CHECK_STR(pattern("Q4_K_S", &m, "attn_v", QUANT_Q5_K, QUANT_Q4_K),
              "QQQQ............................");
    CHECK_STR(pattern("Q4_K_S", &m, "ffn_down", QUANT_Q5_K, QUANT_Q4_K),
              "QQQQ............................");
    CHECK_STR(pattern("Q3_K_M", &m, "attn_v", QUANT_Q5_K, QUANT_Q4_K),
              "QQ..............................");
    CHECK_STR(pattern("Q3_K_M", &m, "ffn_down", QUANT_Q5_K, QUANT_Q4_K),
              "QQ..............................");
    CHECK(chosen("Q2_K", &m, "blk.3.attn_v.weight", 4096) == QUANT_Q4_K);
    CHECK(chosen("Q2_K", &few, "blk.3.attn_v.weight", 4096) == QUANT_Q3_K);
    CHECK(chosen("Q2_K", &m, "blk.3.attn_output.weight", 4096) == QUANT_Q3_K);
    CHECK(chosen("Q3_K_L", &m, "blk.3.ffn_down.weight", 4096) == QUANT_Q5_K);
    CHECK(chosen("IQ4_XS", &m, "blk.9.attn_v.weight", 4096) == QUANT_Q5_K);
    CHECK(chosen("IQ4_XS", &few, "blk.9.attn_v.weight", 4096) == QUANT_IQ4_XS);
    CHECK(chosen("IQ2_XS", &few, "blk.9.attn_v.weight", 4096) == QUANT_Q2_K);
    CHECK(chosen("IQ2_M", &few, "blk.9.attn_output.weight", 4096) == QUANT_IQ3_S);
    CHECK(chosen("IQ2_S", &m, "blk.9.ffn_up.weight", 4096) == QUANT_IQ2_XS);
    CHECK(chosen("IQ3_XS", &m, "blk.3.ffn_gate.weight", 4096) == QUANT_IQ3_S);
    CHECK(chosen("IQ3_XS", &m, "blk.4.ffn_gate.weight", 4096) == QUANT_IQ3_XXS);
    CHECK(chosen("Q4_K_M", &few, "blk.9.attn_qkv.weight", 4096) == QUANT_Q5_K);
    CHECK(chosen("Q8_0", &m, "blk.9.ffn_down.weight", 4096) == QUANT_Q8_0);
    CHECK(chosen("BF16", &m, "output.weight", 4096) == QUANT_BF16);
}

static void test_the_output_gets_more_bits(void) {
    mix_model m = layers(32, 4, 0);
    CHECK(chosen("Q4_K_M", &m, "output.weight", 4096) == QUANT_Q6_K);
    CHECK(chosen("Q4_0", &m, "output.weight", 4096) == QUANT_Q6_K);
    CHECK(chosen("Q8_0", &m, "output.weight", 4096) == QUANT_Q8_0);
    CHECK(chosen("IQ2_XXS", &m, "output.weight", 4096) == QUANT_Q5_K);
    CHECK(chosen("Q4_K_M", &m, "output.weight", 4000) == QUANT_Q8_0);
    CHECK(chosen("Q4_K_M", &m, "token_embd.weight", 4096) == QUANT_Q4_K);
    CHECK(chosen("IQ2_XXS", &m, "token_embd.weight", 4096) == QUANT_Q2_K);
    CHECK(chosen("TQ2_0", &m, "token_embd.weight", 4096) == QUANT_Q4_K);
    m.tied = true;
    CHECK(chosen("Q4_K_M", &m, "token_embd.weight", 4096) == QUANT_Q6_K);
    m.falcon = true;
    CHECK(chosen("Q4_K_M", &m, "token_embd.weight", 4096) == QUANT_Q8_0);
}

static void test_mixes_know_experts_sizes_and_importance(void) {
    mix_model m = layers(32, 4, 8);
    CHECK(chosen("Q4_K_M", &m, "blk.9.attn_v.weight", 4096) == QUANT_Q8_0);
    CHECK(chosen("Q4_K_M", &m, "blk.9.attn_k.weight", 4096) == QUANT_Q8_0);
    CHECK(chosen("Q4_K_M", &m, "blk.9.attn_output.weight", 4096) == QUANT_Q5_K);
    CHECK(chosen("Q4_K_M", &m, "blk.31.ffn_down_exps.weight", 4096) == QUANT_Q6_K);
    CHECK(chosen("IQ1_S", &m, "blk.9.attn_k.weight", 4096) == QUANT_Q4_K);
    CHECK(chosen("MXFP4_MOE", &m, "blk.9.ffn_up_exps.weight", 4096) == QUANT_MXFP4);
    CHECK(chosen("MXFP4_MOE", &m, "blk.9.attn_q.weight", 4096) == QUANT_Q8_0);
    CHECK(chosen("MXFP4_MOE", &m, "output.weight", 4096) == QUANT_Q8_0);
    m = layers(80, 8, 0); /* 70B */
    CHECK(chosen("Q4_K_S", &m, "blk.40.attn_v.weight", 4096) == QUANT_Q5_K);
    m = layers(32, 1, 0);
    CHECK(chosen("Q4_0", &m, "blk.0.ffn_down.weight", 4096) == QUANT_Q4_0);
    CHECK(chosen("IQ3_XXS", &m, "blk.9.ffn_down.weight", 4096) == QUANT_Q3_K);
    m.importance = true;
    CHECK(chosen("Q4_0", &m, "blk.0.ffn_down.weight", 4096) == QUANT_Q4_1);
    CHECK(chosen("IQ3_XXS", &m, "blk.9.ffn_down.weight", 4096) == QUANT_IQ3_XXS);
}

static void test_rows_that_fill_no_blocks_get_the_next_type(void) {
    CHECK(mix_fitting(QUANT_Q4_K, 4096) == QUANT_Q4_K);
    CHECK(mix_fitting(QUANT_Q4_K, 96) == QUANT_Q5_0);
    CHECK(mix_fitting(QUANT_Q5_K, 96) == QUANT_Q5_1);
    CHECK(mix_fitting(QUANT_Q6_K, 96) == QUANT_Q8_0);
    CHECK(mix_fitting(QUANT_Q2_K, 96) == QUANT_Q4_0);
    CHECK(mix_fitting(QUANT_TQ1_0, 96) == QUANT_Q4_0);
    CHECK(mix_fitting(QUANT_IQ2_XS, 96) == QUANT_IQ4_NL);
    CHECK(mix_fitting(QUANT_NVFP4, 96) == QUANT_MXFP4);
    CHECK(mix_fitting(QUANT_Q4_K, 100) == QUANT_F16);
    CHECK(mix_fitting(QUANT_Q8_0, 100) == QUANT_F16);
    CHECK(mix_fitting(QUANT_F32, 100) == QUANT_F32);
}

static void test_small_and_delicate_tensors_stay(void) {
    static const char *const stay[] = {
        "blk.0.attn_norm.weight",
        "blk.0.ffn_gate_inp.weight",
        "blk.0.ssm_conv1d.weight",
        "position_embd.weight",
        "blk.0.ssm_a",
        "blk.0.attn_q.bias",
        "blk.0.ssm_norm.weight",
        "token_types.weight",
    };
    static const char *const go[] = {"blk.0.attn_q.weight",        "token_embd.weight",
                                     "blk.0.ffn_gate_exps.weight", "blk.0.ssm_in.weight",
                                     "blk.0.ssm_x.weight",         "output.weight"};
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++) {
        const mix_tensor t = {str_of(stay[i]), 256, 256, false};
        CHECK_MSG(!mix_may_quantize(&t), "%s", stay[i]);
    }
    for (size_t i = 0; i < sizeof go / sizeof *go; i++) {
        const mix_tensor t = {str_of(go[i]), 256, 256, false}, vector = {t.name, 256, 1, false};
        CHECK_MSG(mix_may_quantize(&t), "%s", go[i]);
        CHECK_MSG(!mix_may_quantize(&vector), "%s as a vector", go[i]);
    }
}

/* ---- Files ---- */

enum { COLS = 256, ROWS = 6, EXPERTS = 3 };

/* A file with a matrix, a stack of experts, a norm and a router, all of random floats. */
typedef struct sample {
    float value[COLS * ROWS * EXPERTS];
    buf image;
    tensor_file *file;
} sample;

static bool put(gguf_writer *w, const char *name, uint32_t n_dims, const sample *s) {
    const uint64_t dim[] = {COLS, ROWS, EXPERTS};
    return gguf_put_tensor(w, str_of(name), QUANT_F32, n_dims, dim, s->value, NULL) == RZ_OK;
}

static bool make_sample(sample *s, float bad) {
    uint64_t seed = 7;
    gguf_writer *w = NULL;
    s->image = (buf)BUF_INIT;
    s->file = NULL;
    for (size_t i = 0; i < sizeof s->value / sizeof *s->value; i++)
        s->value[i] = (float)(rng_unit(&seed) + rng_unit(&seed) - 1);
    s->value[COLS * 2 + 9] += bad;
    const uint32_t layer_count = 1;
    bool ok = gguf_writer_new(&w, NULL) == RZ_OK &&
              gguf_put_str(w, "general.architecture", STR_LIT("llama"), NULL) == RZ_OK &&
              gguf_put_u32(w, "llama.block_count", layer_count, NULL) == RZ_OK &&
              gguf_put_u32(w, "general.file_type", 0, NULL) == RZ_OK &&
              gguf_put_u32(w, "split.count", 0, NULL) == RZ_OK &&
              gguf_put_str(w, "some.text", STR_LIT("kept"), NULL) == RZ_OK;
    ok = ok && put(w, "token_embd.weight", 2, s) && put(w, "output.weight", 2, s) &&
         put(w, "blk.0.attn_norm.weight", 1, s) && put(w, "blk.0.attn_q.weight", 2, s) &&
         put(w, "blk.0.ffn_gate_inp.weight", 2, s) && put(w, "blk.0.ffn_up_exps.weight", 3, s);
    ok = ok && gguf_write_buf(w, &s->image, NULL) == RZ_OK &&
         tensor_file_open_memory(&s->file, s->image.p, s->image.len, NULL) == RZ_OK;
    gguf_writer_free(w);
    return ok;
}

static void drop_sample(sample *s) {
    tensor_file_close(s->file);
    buf_free(&s->image);
}

/* Quantize the sample with n threads into the file `path`. */
static status make_file(const sample *s, const quant_request *r, const char *path, int n_thread,
                        err *e) {
    quant_plan p;
    pool *workers = NULL;
    TRY(quant_plan_make(&p, s->file, r, e));
    status done = pool_new(&workers, n_thread, e);
    if (done >= 0) done = quant_plan_write(&p, r, path, workers, NULL, NULL, e);
    pool_free(workers);
    quant_plan_free(&p);
    return done;
}

static void check_rows(const sample *s, const tensor_info *t, const float *importance) {
    uint8_t want[COLS * 4];
    uint64_t row_bytes = 0;
    REQUIRE(t && quant_row_bytes(t->type, COLS, &row_bytes));
    for (uint64_t row = 0; row < t->n / COLS; row++) {
        quant_write_row(t->type, s->value + row * COLS, want, COLS,
                        importance ? importance + row / ROWS * COLS : NULL);
        CHECK_MSG(memcmp(want, t->data + row * row_bytes, row_bytes) == 0, "%.*s: row %d",
                  STR_FMT(t->name), (int)row);
    }
}

static void test_a_file_becomes_the_rows_its_types_say(void) {
    static sample s;
    tensor_file *f = NULL;
    uint32_t n = 0;
    err e = {0};
    REQUIRE(make_sample(&s, 0));
    const char *path = test_temp("q4.gguf");
    const quant_request r = {.name = "Q4_K_M"};
    CHECK_MSG(make_file(&s, &r, path, 2, &e) == RZ_OK, "%s", e.text);
    REQUIRE(tensor_file_open(&f, path, &e) == RZ_OK);
    CHECK(f->n_tensor == 6);
    static const struct {
        const char *name;
        quant_type type;
    } want[] = {{"token_embd.weight", QUANT_Q4_K},        {"output.weight", QUANT_Q6_K},
                {"blk.0.attn_norm.weight", QUANT_F32},    {"blk.0.attn_q.weight", QUANT_Q4_K},
                {"blk.0.ffn_gate_inp.weight", QUANT_F32}, {"blk.0.ffn_up_exps.weight", QUANT_Q4_K}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const tensor_info *t = tensor_file_find(f, str_of(want[i].name));
        REQUIRE(t != NULL);
        CHECK_MSG(t->type == want[i].type, "%s is %s", want[i].name, quant_get(t->type)->name);
        check_rows(&s, t, NULL);
    }
    CHECK(meta_u32(f, "general.file_type", &n, NULL) == RZ_OK && n == 15);
    CHECK(meta_u32(f, "general.quantization_version", &n, NULL) == RZ_OK && n == 2);
    CHECK(tensor_file_meta(f, "some.text") && !tensor_file_meta(f, "split.count"));
    tensor_file_close(f);
    drop_sample(&s);
}

static void test_bytes_do_not_depend_on_threads(void) {
    static sample s;
    REQUIRE(make_sample(&s, 0));
    const quant_request r = {.name = "Q3_K_S"};
    size_t len[3] = {0};
    void *bytes[3] = {0};
    for (int i = 0; i < 3; i++) {
        const char *path = test_temp("threads.gguf");
        CHECK(make_file(&s, &r, path, i + 1, NULL) == RZ_OK);
        bytes[i] = test_read_file(path, &len[i]);
    }
    for (int i = 1; i < 3; i++)
        CHECK(bytes[i] && len[i] == len[0] && memcmp(bytes[i], bytes[0], len[0]) == 0);
    for (int i = 0; i < 3; i++) free(bytes[i]);
    drop_sample(&s);
}

/* An importance matrix for the stack of experts, each expert another. */
static imatrix *experts_matrix(float *mean) {
    const char *path = test_temp("experts.gguf");
    double sum[COLS * EXPERTS];
    const uint64_t count[EXPERTS] = {10, 20, 0};
    for (int i = 0; i < COLS * EXPERTS; i++) {
        sum[i] = (i % 7 + i / COLS) * 5.0;
        mean[i] = count[i / COLS] ? (float)(sum[i] / (double)count[i / COLS]) : 1.0f;
    }
    const imatrix_sums x = {STR_LIT("blk.0.ffn_up_exps.weight"), COLS, EXPERTS, sum, count};
    const imatrix_source from = {4, 5, STR_LIT("some.txt")};
    imatrix *m = NULL;
    if (imatrix_write(path, false, &x, 1, &from, NULL) < 0) return NULL;
    return imatrix_open(&m, path, NULL) == RZ_OK ? m : NULL;
}

static void test_importance_goes_to_each_expert(void) {
    static sample s;
    float mean[COLS * EXPERTS];
    tensor_file *f = NULL;
    str text = {NULL, 0};
    imatrix *m = experts_matrix(mean);
    REQUIRE(make_sample(&s, 0) && m);
    const quant_request r = {.name = "Q2_K", .importance = m, .importance_path = "x", .pure = true};
    const char *path = test_temp("weighted.gguf");
    CHECK(make_file(&s, &r, path, 2, NULL) == RZ_OK);
    REQUIRE(tensor_file_open(&f, path, NULL) == RZ_OK);
    check_rows(&s, tensor_file_find(f, STR_LIT("blk.0.ffn_up_exps.weight")), mean);
    check_rows(&s, tensor_file_find(f, STR_LIT("blk.0.attn_q.weight")), NULL);
    CHECK(meta_str(f, "quantize.imatrix.dataset", &text, NULL) == RZ_OK && text.p &&
          str_is(text, "some.txt"));
    tensor_file_close(f);
    imatrix_close(m);
    drop_sample(&s);
}

static void test_pure_keep_and_named_types(void) {
    static sample s;
    quant_plan p;
    err e = {0};
    REQUIRE(make_sample(&s, 0));
    const quant_keep keep[] = {{STR_LIT("blk.*.attn_*"), QUANT_Q8_0},
                               {STR_LIT("*exps.weight"), QUANT_F16}};
    quant_request r = {.name = "Q4_K",
                       .pure = true,
                       .keep = keep,
                       .n_keep = 2,
                       .output_type = "BF16",
                       .embedding_type = "Q5_1"};
    CHECK_MSG(quant_plan_make(&p, s.file, &r, &e) == RZ_OK, "%s", e.text);
    REQUIRE(p.n == 6);
    static const quant_type want[] = {QUANT_Q5_1, QUANT_BF16, QUANT_F32,
                                      QUANT_Q8_0, QUANT_F32,  QUANT_F16};
    for (size_t i = 0; i < 6; i++)
        CHECK_MSG(p.row[i].to.type == want[i], "%.*s: %s", STR_FMT(p.row[i].to.name),
                  quant_get(p.row[i].to.type)->name);
    quant_plan_free(&p);
    drop_sample(&s);
}

static void refused(const sample *s, const quant_request *r, const char *part) {
    quant_plan p;
    err e = {0};
    CHECK_MSG(quant_plan_make(&p, s->file, r, &e) < 0, "accepted, expected: %s", part);
    CHECK_MSG(strstr(e.text, part) != NULL, "\"%s\" is not in \"%s\"", part, e.text);
}

static void test_impossible_requests_say_why(void) {
    static sample s;
    float mean[COLS * EXPERTS];
    imatrix *m = experts_matrix(mean);
    REQUIRE(make_sample(&s, 0) && m);
    const quant_keep none = {STR_LIT("blk.7.*"), QUANT_Q8_0};
    refused(&s, &(quant_request){.name = "Q4_X"}, "\"Q4_X\" is no type; there are F32, F16");
    refused(&s, &(quant_request){.name = "Q8_K"}, "is no type");
    refused(&s, &(quant_request){.name = "I8"}, "is no type");
    refused(&s, &(quant_request){.name = "Q8_0", .output_type = "huge"}, "output type \"huge\"");
    refused(&s, &(quant_request){.name = "Q8_0", .keep = &none, .n_keep = 1},
            "\"blk.7.*\" is the name of no tensor that is quantized");
    refused(&s, &(quant_request){.name = "IQ2_XXS"},
            "blk.0.attn_q.weight: IQ2_XXS needs an importance matrix");
    refused(&s, &(quant_request){.name = "IQ1_S", .importance = m},
            "blk.0.attn_q.weight: IQ1_S needs an importance matrix with an entry for it");
    m->entry[0].n--;
    refused(&s, &(quant_request){.name = "Q4_0", .importance = m}, "made with another model");
    imatrix_close(m);
    drop_sample(&s);
}

static void test_values_that_are_not_finite_are_named(void) {
    static sample s;
    err e = {0};
    REQUIRE(make_sample(&s, NAN));
    const quant_request r = {.name = "Q8_0"};
    const char *path = test_temp("nan.gguf");
    CHECK(make_file(&s, &r, path, 2, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "tensor token_embd.weight: row 2 holds a value that is not finite");
    size_t len;
    void *left = test_read_file(path, &len);
    CHECK(left == NULL);
    free(left);
    drop_sample(&s);
}

static void test_quantized_tensors_are_taken_when_allowed(void) {
    static sample s;
    tensor_file *f = NULL;
    err e = {0};
    quant_plan p;
    REQUIRE(make_sample(&s, 0));
    const quant_request first = {.name = "Q8_0"};
    const char *path = test_temp("again.gguf");
    REQUIRE(make_file(&s, &first, path, 1, NULL) == RZ_OK);
    REQUIRE(tensor_file_open(&f, path, NULL) == RZ_OK);
    quant_request r = {.name = "Q4_0"};
    CHECK(quant_plan_make(&p, f, &r, &e) == RZ_EINVAL);
    CHECK(strstr(e.text, "tensor token_embd.weight is Q8_0 already") != NULL);
    r.again = true;
    CHECK(quant_plan_make(&p, f, &r, &e) == RZ_OK);
    quant_plan_free(&p);
    r = (quant_request){.name = "F16"}; /* back to floats loses nothing twice */
    CHECK(quant_plan_make(&p, f, &r, &e) == RZ_OK);
    quant_plan_free(&p);
    r = (quant_request){.name = "Q8_0"}; /* what is there already is copied */
    CHECK(quant_plan_make(&p, f, &r, &e) == RZ_OK);
    for (size_t i = 0; i < p.n; i++) CHECK(p.row[i].to.data != NULL);
    quant_plan_free(&p);
    tensor_file_close(f);
    drop_sample(&s);
}

/* One layer of Phi-2 with q, k and v in tensors of their own, though its table has rows for them
 * fused: the rules must not take one for the other. */
static void test_a_model_being_opened_gets_the_types_of_a_file(void) {
    static const struct {
        const char *name;
        bool vector;
    } tensors[] = {{"token_embd.weight", 0},    {"output_norm.weight", 1},
                   {"output_norm.bias", 1},     {"blk.0.attn_norm.weight", 1},
                   {"blk.0.attn_norm.bias", 1}, {"blk.0.attn_q.weight", 0},
                   {"blk.0.attn_k.weight", 0},  {"blk.0.attn_v.weight", 0},
                   {"blk.0.attn_q.bias", 1},    {"blk.0.attn_k.bias", 1},
                   {"blk.0.attn_v.bias", 1},    {"blk.0.attn_output.bias", 1},
                   {"blk.0.ffn_up.weight", 0},  {"blk.0.attn_output.weight", 0},
                   {"blk.0.ffn_up.bias", 1},    {"blk.0.ffn_down.weight", 0},
                   {"blk.0.ffn_down.bias", 1}};
    static const struct {
        const char *key;
        uint32_t value;
    } sizes[] = {{"phi2.block_count", 1},
                 {"phi2.embedding_length", 256},
                 {"phi2.attention.head_count", 4},
                 {"phi2.feed_forward_length", 256},
                 {"phi2.context_length", 64}};
    static const float zero[256 * 256];
    const uint64_t dim[] = {256, 256};
    gguf_writer *w;
    buf image = BUF_INIT;
    rz_model *m = NULL;
    err e = {0};
    REQUIRE(gguf_writer_new(&w, NULL) == RZ_OK);
    CHECK(gguf_put_str(w, "general.architecture", STR_LIT("phi2"), NULL) == RZ_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        CHECK(gguf_put_u32(w, sizes[i].key, sizes[i].value, NULL) == RZ_OK);
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        CHECK(gguf_put_tensor(w, str_of(tensors[i].name), QUANT_F32, tensors[i].vector ? 1 : 2, dim,
                              zero, NULL) == RZ_OK);
    CHECK(gguf_write_buf(w, &image, NULL) == RZ_OK);
    gguf_writer_free(w);
    rz_model_options opt = RZ_MODEL_INIT;
    opt.quant = "Q4_K_M";
    CHECK_MSG(rz_model_open_memory(&m, image.p, image.len, &opt, &e) == RZ_OK, "%s", e.text);
    const layer *l = m ? m->m->layer : NULL;
    CHECK(l && l->q.type == QUANT_Q4_K && l->k.type == QUANT_Q4_K && l->v.type == QUANT_Q6_K);
    CHECK(l && l->down.type == QUANT_Q6_K && l->up.type == QUANT_Q4_K);
    rz_model_close(m);
    buf_free(&image);
}

/* ---- Importance matrices ---- */

static void check_round_trip(bool legacy) {
    const char *path = test_temp(legacy ? "a.dat" : "a.gguf");
    const double sum[] = {1, 2, 3, 40, 50, 60}, none[] = {0, 0};
    const uint64_t count[] = {10, 0}, zero[] = {0};
    const imatrix_sums x[] = {{STR_LIT("blk.0.a.weight"), 3, 2, sum, count},
                              {STR_LIT("blk.0.b.weight"), 2, 1, none, zero}};
    const imatrix_source from = {2, 5, STR_LIT("text.txt")};
    imatrix *m = NULL;
    err e = {0};
    CHECK_MSG(imatrix_write(path, legacy, x, 2, &from, &e) == RZ_OK, "%s", e.text);
    CHECK_MSG(imatrix_open(&m, path, &e) == RZ_OK, "%s", e.text);
    REQUIRE(m != NULL);
    CHECK(m->n == (legacy ? 1 : 2) && m->chunks == 2 && str_is(m->dataset, "text.txt"));
    const imatrix_entry *a = imatrix_find(m, STR_LIT("blk.0.a.weight"));
    REQUIRE(a && a->n == 6);
    static const float want[] = {0.1f, 0.2f, 0.3f, 1, 1, 1};
    for (int i = 0; i < 6; i++)
        CHECK_MSG(fabsf(a->mean[i] - want[i]) < 1e-6f, "value %d is %g", i, (double)a->mean[i]);
    CHECK(!imatrix_find(m, STR_LIT("blk.0.c.weight")));
    imatrix_close(m);
}

static void test_importance_survives_both_forms(void) {
    check_round_trip(false);
    check_round_trip(true);
}

static void damaged(const void *p, size_t n, const char *part) {
    imatrix *m = NULL;
    err e = {0};
    CHECK_MSG(imatrix_parse(&m, "x.dat", p, n, &e) == RZ_EFORMAT, "accepted, expected: %s", part);
    CHECK_MSG(strstr(e.text, part) != NULL, "\"%s\" is not in \"%s\"", part, e.text);
    imatrix_close(m);
}

static void test_damaged_importance_is_refused(void) {
    static const char good[] =
        "\1\0\0\0"
        "\1\0\0\0"
        "a"
        "\2\0\0\0"
        "\1\0\0\0"
        "\0\0\x80\x3f";
    const size_t n = sizeof good - 1;
    char bad[sizeof good];
    imatrix *m = NULL;
    CHECK(imatrix_parse(&m, "x.dat", (const uint8_t *)good, n, NULL) == RZ_OK);
    CHECK(m && m->n == 1 && m->entry[0].mean[0] == 0.5f); /* 1 in two calls */
    imatrix_close(m);
    damaged(good, 3, "file ends before its number of entries");
    damaged(good, n - 1, "no importance matrix");
    memcpy(bad, good, n);
    bad[4] = 0;
    damaged(bad, n, "its name has 0 bytes");
    memcpy(bad, good, n);
    bad[13] = 2;
    damaged(bad, n, "entry a: 2 values do not fit the file");
    memcpy(bad, good, n);
    bad[n - 1] = (char)0xbf;
    damaged(bad, n, "value 0 is -0.5, expected a mean square");
    memcpy(bad, good, n);
    bad[n - 2] = (char)0xc0;
    bad[n - 1] = 0x7f;
    damaged(bad, n, "expected a mean square");
}

void suite_quantize(void) {
    RUN(test_mixes_give_some_layers_more_bits);
    RUN(test_the_output_gets_more_bits);
    RUN(test_mixes_know_experts_sizes_and_importance);
    RUN(test_rows_that_fill_no_blocks_get_the_next_type);
    RUN(test_small_and_delicate_tensors_stay);
    RUN(test_a_file_becomes_the_rows_its_types_say);
    RUN(test_bytes_do_not_depend_on_threads);
    RUN(test_importance_goes_to_each_expert);
    RUN(test_pure_keep_and_named_types);
    RUN(test_impossible_requests_say_why);
    RUN(test_values_that_are_not_finite_are_named);
    RUN(test_quantized_tensors_are_taken_when_allowed);
    RUN(test_a_model_being_opened_gets_the_types_of_a_file);
    RUN(test_importance_survives_both_forms);
    RUN(test_damaged_importance_is_refused);
}
