/* test_classic.c - every kind of classic model on small numbers worked out by hand, what damages
 * it, and that an answer does not depend on the rows it comes with. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "classic/classic.h"
#include "test.h"

/* Payloads are spelled as words: u:N a u64, i:N a u32, b:N a byte, others floats. */
static void spell(buf *b, const char *spec) {
    buf_clear(b);
    for (str rest = str_of(spec), w; rest.p;) {
        w = str_split(&rest, ' ');
        uint64_t n = 0;
        double f = 0;
        if (w.len == 0) continue;
        if (w.len > 1 && w.p[1] == ':') {
            if (w.p[0] == 's') {
                payload_put_str(b, (str){w.p + 2, w.len - 2});
                continue;
            }
            CHECK_MSG(str_u64((str){w.p + 2, w.len - 2}, &n), "cannot spell %.*s", STR_FMT(w));
            if (w.p[0] == 'u') payload_put_u64(b, n);
            else if (w.p[0] == 'i') payload_put_u32(b, (uint32_t)n);
            else payload_put_u8(b, (uint8_t)n);
        } else {
            CHECK_MSG(str_f64(w, &f), "cannot spell %.*s", STR_FMT(w));
            payload_put_f32(b, (float)f);
        }
    }
}

static classic *make(uint16_t type, const char *spec) {
    buf b = BUF_INIT, again = BUF_INIT;
    classic *c = NULL;
    err e = {0};
    spell(&b, spec);
    const status s = classic_from_payload(&c, type, buf_view(&b), STR_LIT("\x80"), &e);
    CHECK_MSG(s == RZ_OK, "%s: %s", spec, e.text);
    if (c) {
        c->kind->write(c, &again);
        CHECK_MSG(again.len == b.len && memcmp(again.p, b.p, b.len) == 0, "written otherwise: %s",
                  spec);
    }
    buf_free(&b);
    buf_free(&again);
    return c;
}

static void refuse(uint16_t type, const char *spec, const char *text) {
    buf b = BUF_INIT;
    classic *c = NULL;
    err e = {0};
    spell(&b, spec);
    CHECK_MSG(classic_from_payload(&c, type, buf_view(&b), STR_LIT("\x80"), &e) < 0, "%s", spec);
    CHECK_STR(e.text + strlen("<fitted>: "), text);
    buf_free(&b);
}

/* The answers (or probabilities) for these rows. */
static void answers(const classic *c, bool proba, const float *x, size_t rows, const float *want) {
    float y[64] = {0};
    err e = {0};
    const size_t width = proba ? c->classes : c->outputs;
    REQUIRE(rows * width <= sizeof y / sizeof *y);
    CHECK_MSG(classic_run(c, x, rows, c->inputs, proba, y, width, &e) == RZ_OK, "%s", e.text);
    CHECK_MSG(test_most_off(y, want, rows * width) < 2e-6, "the first of %zu: %.9g", rows * width,
              (double)y[0]);
}

static void test_linear_regression(void) {
    classic *c = make(1, "b:1 u:3 1 -2 0.5 10 b:1");
    REQUIRE(c != NULL);
    CHECK(c->inputs == 3 && c->classes == 0 && c->params == 4);
    answers(c, false, (float[]){0, 0, 0, 1, 1, 2}, 2, (float[]){10, 10});
    classic_free(c);
    refuse(1, "b:1 u:1 2 3 b:2", "whether an intercept was fitted is 2, expected 0 or 1");
    refuse(1, "b:7 u:1 2 3 b:1", "the tag of the weights is 7, expected 1");
    refuse(1, "b:1 u:0 3 b:1", "the number of weights is 0, expected 1 to 67108864");
}

/* log(3): odds of three to one. */
static void test_logistic_regression(void) {
    classic *c = make(2, "b:1 u:2 1.09861229 0 0 0.01 u:100 0.0001");
    REQUIRE(c != NULL);
    const float x[] = {1, 5, -1, 5, 0, 0};
    answers(c, false, x, 3, (float[]){1, 0, 1});
    answers(c, true, x, 3, (float[]){0.25f, 0.75f, 0.75f, 0.25f, 0.5f, 0.5f});
    classic_free(c);
}

/* x0 <= 2: class 1 for sure; else x1 <= 0.5: 0 at three quarters, else 2. */
#define NODES                                                                          \
    "u:5 i:0 2 i:1 i:2 i:4294967295 0 i:0 i:0 i:1 0.5 i:3 i:4 i:4294967295 0 i:1 i:0 " \
    "i:4294967295 0 i:2 i:0 u:9 0 1 0 0.75 0.25 0 0 0 1"

static void test_decision_tree(void) {
    classic *c = make(3, "u:2 u:3 " NODES);
    REQUIRE(c != NULL);
    const float x[] = {2, 9, 3, 0.5f, 3, 0.6f, NAN, NAN};
    answers(c, false, x, 4, (float[]){1, 0, 2, 2});
    answers(c, true, x, 2, (float[]){0, 1, 0, 0.75f, 0.25f, 0});
    classic_free(c);
    c = make(3, "u:1 u:0 u:3 i:0 0 i:1 i:2 i:4294967295 0 i:0 i:0 i:4294967295 0 i:1 i:0 u:2 -7 7");
    REQUIRE(c != NULL);
    answers(c, false, (float[]){-1, 0, 1}, 3, (float[]){-7, -7, 7});
    float y;
    CHECK(classic_run(c, (float[]){0}, 1, 1, true, &y, 0, NULL) == RZ_EUNSUPPORTED);
    classic_free(c);
}

static void test_damaged_trees(void) {
    refuse(3, "u:1 u:0 u:0 u:0", "a tree without nodes");
    refuse(3, "u:1 u:1 u:0 u:0", "one class, expected 0, 2 or more");
    refuse(3, "u:1 u:0 u:1 i:0 0 i:0 i:0 u:1 3",
           "node 0 of 1 leads to 0 and 0, expected nodes behind it");
    refuse(3, "u:1 u:0 u:1 i:1 0 i:0 i:0 u:1 3", "node 0 asks for feature 1 of 1");
    refuse(3, "u:1 u:0 u:1 i:4294967295 0 i:1 i:0 u:1 3", "node 0 is leaf 1 of 1");
    refuse(3, "u:1 u:2 u:1 i:4294967295 0 i:0 i:0 u:3 3 3 3",
           "3 leaf values, expected a multiple of 2");
    refuse(3, "u:1 u:0 u:99999999 i:0",
           "the number of nodes is 99999999, more than the 4 bytes left hold");
    refuse(4, "u:1 u:0 u:0", "a forest without trees");
    refuse(5, "u:1 u:3 0.1 u:1 0 u:0", "1 sums, expected 3 for 3 classes");
    refuse(5, "u:1 u:3 0.1 u:3 0 0 0 u:1 u:1 i:4294967295 0 i:0 i:0 u:1 3",
           "1 trees, expected a multiple of 3");
}

#define STUMP(t, l, r) \
    "u:3 i:0 " t " i:1 i:2 i:4294967295 0 i:0 i:0 i:4294967295 0 i:1 i:0 u:2 " l " " r " "

static void test_random_forest(void) {
    classic *c = make(4, "u:1 u:0 u:2 " STUMP("0", "1", "2") STUMP("5", "10", "20"));
    REQUIRE(c != NULL);
    answers(c, false, (float[]){-1, 3, 6}, 3, (float[]){5.5f, 6, 11});
    classic_free(c);
    c = make(4, "u:2 u:3 u:2 " NODES " " NODES);
    REQUIRE(c != NULL);
    answers(c, true, (float[]){3, 0}, 1, (float[]){0.75f, 0.25f, 0});
    classic_free(c);
}

static void test_gradient_boosting(void) {
    classic *c = make(5, "u:1 u:0 0.5 u:1 100 u:2 " STUMP("0", "-2", "2") STUMP("3", "4", "8"));
    REQUIRE(c != NULL);
    answers(c, false, (float[]){0, 1, 4}, 3, (float[]){101, 103, 105});
    classic_free(c);
    c = make(5, "u:1 u:2 1 u:1 0 u:1 " STUMP("0", "-1.09861229", "1.09861229"));
    REQUIRE(c != NULL);
    answers(c, true, (float[]){0, 1}, 2, (float[]){0.75f, 0.25f, 0.25f, 0.75f});
    answers(c, false, (float[]){0, 1}, 2, (float[]){0, 1});
    classic_free(c);
    c = make(5, "u:1 u:3 1 u:3 0 0 0.69314718 u:3 " STUMP("0", "0", "5") STUMP("0", "0", "0")
                    STUMP("0", "0", "0"));
    REQUIRE(c != NULL);
    answers(c, true, (float[]){0}, 1, (float[]){0.25f, 0.25f, 0.5f});
    answers(c, false, (float[]){0, 1}, 2, (float[]){2, 0});
    classic_free(c);
}

static void test_k_means(void) {
    classic *c = make(6, "u:3 u:2 0 0 10 0 0 10 1.5 u:7");
    REQUIRE(c != NULL);
    answers(c, false, (float[]){1, 1, 8, 1, -3, 9, 5, 0}, 4, (float[]){0, 1, 2, 0});
    float y[3];
    err e = {0};
    CHECK(classic_run(c, y, 1, 2, true, y, 3, &e) == RZ_EUNSUPPORTED);
    CHECK_STR(e.text, "KMeans has no probabilities");
    classic_free(c);
}

static void test_principal_components(void) {
    classic *c = make(7, "u:2 u:3 1 2 3 1 0 0 0 0.6 0.8 4 1");
    REQUIRE(c != NULL && c->outputs == 2);
    answers(c, false, (float[]){1, 2, 3, 3, 7, 13}, 2, (float[]){0, 0, 2, 11});
    classic_free(c);
}

/* Means 0 and 2, variance 1, three to one: log odds at x are log 3 + (x - 2)^2 / 2 - x^2 / 2. */
static void test_naive_bayes(void) {
    classic *c = make(8, "u:2 u:1 0.75 0.25 0 2 1 1");
    REQUIRE(c != NULL);
    answers(c, true, (float[]){1}, 1, (float[]){0.75f, 0.25f});
    const float odds = 3 * expf(-2);
    answers(c, true, (float[]){2}, 1, (float[]){odds / (1 + odds), 1 / (1 + odds)});
    answers(c, false, (float[]){1, 2}, 2, (float[]){0, 1});
    classic_free(c);
    refuse(8, "u:2 u:1 0.75 0.25 0 2 1 0", "variance 1 is 0, expected more than 0");
}

static void test_nearest_neighbours(void) {
    classic *c = make(9, "u:3 b:0 b:0 u:5 u:1 u:2 0 1 2 10 11 i:0 i:0 i:1 i:1 i:1");
    REQUIRE(c != NULL);
    answers(c, false, (float[]){0.9f, 9, 2}, 3, (float[]){0, 1, 0});
    answers(c, true, (float[]){0.9f}, 1, (float[]){2 / 3.0f, 1 / 3.0f});
    classic_free(c);
    /* By distance: 1 / 1 of value 6, 1 / 2 of value 9; a row that is there decides alone. */
    c = make(9, "u:2 b:1 b:1 u:3 u:2 u:0 0 0 2 1 50 50 6 9 0");
    REQUIRE(c != NULL);
    answers(c, false, (float[]){1, 0, 2, 1}, 2, (float[]){7, 9});
    classic_free(c);
    refuse(9, "u:3 b:0 b:0 u:2 u:1 u:2 0 1 i:0 i:0",
           "the number of rows is 2, expected 3 to 4294967295");
    refuse(9, "u:1 b:0 b:0 u:1 u:1 u:2 0 i:2",
           "classes of rows: number 0 is 2, expected less than 2");
    refuse(9, "u:1 b:2 b:0 u:1 u:1 u:2 0 i:1", "distance 2 with weights 0, expected 0 or 1");
}

static void test_support_vectors(void) {
    classic *c = make(10, "b:0 u:3 u:2 1 0 0 1 -1 -1 0 0 0.5");
    REQUIRE(c != NULL);
    answers(c, false, (float[]){3, 1, 1, 3, -1, -1, 0, 0}, 4, (float[]){0, 1, 2, 2});
    classic_free(c);
    /* e^-(x - 0)^2 - e^-(x - 2)^2: positive nearer to 0. */
    c = make(10, "b:1 u:2 u:1 1 u:2 0 2 1 -1 0");
    REQUIRE(c != NULL);
    answers(c, false, (float[]){0.9f, 1.1f, -5}, 3, (float[]){1, 0, 1});
    classic_free(c);
    refuse(10, "b:2 u:2 u:1", "kernel 2, expected 0 (linear) or 1 (RBF)");
    refuse(10, "b:1 u:2 u:1 0 u:1 0 1 0", "gamma is 0, expected more than 0");
}

static void test_networks(void) {
    /* |x| by two rectifiers, then a line. */
    classic *c = make(32, "u:2 b:1 u:2 u:1 1 -1 0 0 b:0 u:1 u:2 1 1 0.5");
    REQUIRE(c != NULL);
    answers(c, false, (float[]){-3, 2}, 2, (float[]){3.5f, 2.5f});
    classic_free(c);
    c = make(32, "u:1 b:5 u:3 u:1 0 0 0 0 0 0.69314718");
    REQUIRE(c != NULL && c->classes == 3);
    answers(c, true, (float[]){1}, 1, (float[]){0.25f, 0.25f, 0.5f});
    answers(c, false, (float[]){1}, 1, (float[]){2});
    classic_free(c);
    c = make(32, "u:1 b:2 u:1 u:1 1.09861229 0");
    REQUIRE(c != NULL && c->classes == 2);
    answers(c, true, (float[]){1}, 1, (float[]){0.25f, 0.75f});
    classic_free(c);
    c = make(32, "u:2 b:3 u:1 u:1 1 0 b:4 u:1 u:1 1 0");
    REQUIRE(c != NULL && c->outputs == 1);
    const float t = tanhf(0.5f);
    const float g = 0.5f * t * (1 + tanhf(0.7978845608f * (t + 0.044715f * t * t * t)));
    answers(c, false, (float[]){0.5f}, 1, &g);
    classic_free(c);
    refuse(32, "u:0", "a network without layers");
    refuse(32, "u:1 b:6 u:1 u:1 1 1", "activation 6, expected 0 to 5");
    refuse(32, "u:1 b:5 u:1 u:1 1 1", "a softmax of 1 outputs, expected 2 to 1048576");
    refuse(32, "u:2 b:5 u:2 u:1 1 1 0 0 b:0 u:1 u:2 1 1 0",
           "layer 0 of 2 is a softmax, which must be last");
    refuse(32, "u:2 b:0 u:2 u:1 1 1 0 0 b:0 u:1 u:1 1 0",
           "a layer of 1 inputs behind one of 2 outputs");
}

static void text_is(const classic *c, const char *text, const float *want) {
    float y[8];
    REQUIRE(c->outputs <= sizeof y / sizeof *y);
    REQUIRE(classic_run_text(c, str_of(text), y, c->outputs, NULL) == RZ_OK);
    CHECK_MSG(test_most_off(y, want, c->outputs) < 1e-6, "%s: the first word: %g", text,
              (double)y[0]);
}

static void test_words_are_counted(void) {
    classic *c = make(18, "b:1 b:0 u:3 s:cat s:äpfel s:a1_b");
    REQUIRE(c != NULL && c->inputs == 0 && c->outputs == 3);
    text_is(c, "The CAT sat; cat. \xc3\x84PFEL cats a1_b", (float[]){2, 1, 1});
    text_is(c, "c a t", (float[]){0, 0, 0});
    text_is(c, "", (float[]){0, 0, 0});
    text_is(c,
            "cat\xff"
            "cat",
            (float[]){2, 0, 0});
    float y[3];
    err e = {0};
    CHECK(classic_run(c, y, 1, 3, false, y, 3, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "CountVectorizer takes text, not numbers");
    classic_free(c);
    c = make(18, "b:0 b:1 u:2 s:cat s:CAT");
    REQUIRE(c != NULL);
    text_is(c, "cat cat CAT", (float[]){1, 1});
    classic_free(c);
    refuse(18, "b:0 b:1 u:2 s:cat s:cat", "the word \"cat\" is there twice");
    refuse(18, "b:0 b:1 u:1 s:\xff", "word 0 is empty or no UTF-8");
}

static void test_words_are_weighed(void) {
    classic *c = make(17, "b:1 b:0 u:2 s:cat s:dog 2 1.5 b:0 b:2");
    REQUIRE(c != NULL);
    text_is(c, "cat cat dog dog", (float[]){0.8f, 0.6f}); /* 4 and 3, of length 5 */
    text_is(c, "bird", (float[]){0, 0});
    classic_free(c);
    c = make(17, "b:1 b:0 u:2 s:cat s:dog 2 1 b:1 b:1");
    REQUIRE(c != NULL);
    const float n = 2 * (1 + logf(2));
    text_is(c, "cat cat dog", (float[]){n / (n + 1), 1 / (n + 1)});
    classic_free(c);
}

/* ---- What holds for all ---- */

static void test_sizes_are_checked(void) {
    classic *c = make(2, "b:1 u:2 1 0 0 0.01 u:100 0.0001");
    float x[4] = {0}, y[4];
    err e = {0};
    REQUIRE(c != NULL);
    CHECK(classic_run(c, x, 1, 3, false, y, 1, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "3 features, expected 2");
    CHECK(classic_run(c, x, 1, 2, false, y, 2, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "room for 2 numbers a row, the answer has 1");
    CHECK(classic_run(c, x, 1, 2, true, y, 1, &e) == RZ_EINVAL);
    CHECK(classic_run(c, NULL, 0, 2, true, NULL, 2, &e) == RZ_OK);
    CHECK(classic_run_text(c, STR_LIT("x"), y, 1, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "LogisticRegression takes numbers, not text");
    classic_free(c);
}

static void test_labels(void) {
    classic *c = NULL;
    err e = {0};
    buf b = BUF_INIT;
    spell(&b, "b:1 u:1 1 0 0.01 u:100 0.0001");
    CHECK(classic_from_payload(&c, 2, buf_view(&b), STR_LIT("\x81\xa6labels\x92\xa2no\xa3yes"),
                               &e) == RZ_OK);
    REQUIRE(c != NULL);
    CHECK_STR(c->label[0], "no");
    CHECK_STR(c->label[1], "yes");
    classic_free(c);
    CHECK(classic_from_payload(&c, 2, buf_view(&b), STR_LIT("\x81\xa6labels\x91\xa2no"), &e) ==
          RZ_EFORMAT);
    CHECK_STR(e.text, "<fitted>: metadata: \"labels\" is array of 1, expected 2 strings");
    CHECK(classic_from_payload(&c, 2, buf_view(&b), STR_LIT("\x81\xa6labels\x92\xa2no\x01"), &e) ==
          RZ_EFORMAT);
    buf_free(&b);
}

/* Rows alone, in batches of any size, and with any inner loops: the same bits. */
static void test_rows_do_not_know_each_other(void) {
    static const size_t widths[] = {1, 2, 3, 4, 5, 16, 17, 100, 784};
    enum { ROWS = 70 };
    buf b = BUF_INIT;
    uint64_t rng = 1;
    float *x = mem_array(ROWS * 784, sizeof *x);
    REQUIRE(x != NULL);
    for (size_t i = 0; i < ROWS * 784; i++) x[i] = (float)(rng_unit(&rng) - 0.5);
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        const size_t n = widths[w];
        float want[ROWS], y[ROWS];
        classic *c = NULL;
        buf_clear(&b);
        payload_put_u8(&b, 1);
        payload_put_u64(&b, n);
        for (size_t i = 0; i <= n; i++) payload_put_f32(&b, (float)(rng_unit(&rng) - 0.5));
        payload_put_u8(&b, 1);
        REQUIRE(classic_from_payload(&c, 1, buf_view(&b), STR_LIT("\x80"), NULL) == RZ_OK);
        for (size_t i = 0; i < ROWS; i++)
            CHECK(classic_run(c, x + i * n, 1, n, false, &want[i], 1, NULL) == RZ_OK);
        for (int k = 0; kern_list(k); k++) {
            c->k = kern_list(k);
            CHECK(classic_run(c, x, ROWS, n, false, y, 1, NULL) == RZ_OK);
            CHECK_MSG(memcmp(y, want, sizeof y) == 0, "%zu inputs, %s", n, c->k->name);
        }
        for (size_t i = 0; i < ROWS; i++) {
            double sum = 0;
            const char *stored = b.p + 9;
            for (size_t j = 0; j <= n; j++) {
                float f;
                memcpy(&f, stored + j * sizeof f, sizeof f);
                sum += (double)f * (j < n ? (double)x[i * n + j] : 1);
            }
            CHECK_MSG(fabs(sum - (double)want[i]) < 1e-4, "%zu inputs: %g", n, sum);
        }
        classic_free(c);
    }
    mem_free(x);
    buf_free(&b);
}

static void test_exponentials(void) {
    for (int i = -7000; i <= 7000; i++) {
        const double x = i / 10.0, want = exp(x), got = classic_exp(x);
        CHECK_MSG(fabs(got - want) <= 2e-15 * want, "e^%g = %.17g, expected %.17g", x, got, want);
    }
    CHECK(classic_exp(-1000) == 0 && isinf(classic_exp(1000)) && classic_exp(0) == 1);
    CHECK(isnan(classic_exp((double)NAN)) && classic_sigmoid(0) == 0.5);
    CHECK(classic_sigmoid(800) == 1 && classic_sigmoid(-800) == 0);
}

static void test_memory_may_run_out(void) {
    buf b = BUF_INIT;
    spell(&b, "u:2 b:1 u:2 u:1 1 -1 0 0 b:0 u:1 u:2 1 1 0.5");
    for (long n = 1; n < 100; n++) {
        classic *c = NULL;
        err e = {0};
        mem_fail_at(n);
        const status s = classic_from_payload(&c, 32, buf_view(&b), STR_LIT("\x80"), &e);
        const bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK_MSG(s == (hit ? RZ_ENOMEM : RZ_OK) && (c == NULL) == hit, "allocation %ld: %s", n,
                  e.text);
        classic_free(c);
        if (!hit) break;
    }
    buf_free(&b);
}

void suite_classic(void) {
    RUN(test_linear_regression);
    RUN(test_logistic_regression);
    RUN(test_decision_tree);
    RUN(test_damaged_trees);
    RUN(test_random_forest);
    RUN(test_gradient_boosting);
    RUN(test_k_means);
    RUN(test_principal_components);
    RUN(test_naive_bayes);
    RUN(test_nearest_neighbours);
    RUN(test_support_vectors);
    RUN(test_networks);
    RUN(test_words_are_counted);
    RUN(test_words_are_weighed);
    RUN(test_sizes_are_checked);
    RUN(test_labels);
    RUN(test_rows_do_not_know_each_other);
    RUN(test_exponentials);
    RUN(test_memory_may_run_out);
}
