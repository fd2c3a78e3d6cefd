/* test_embed.c - texts as vectors: what pooling means, and what is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/mem.h"
#include "test.h"

enum { LONG = 300 }; /* tokens: more than a step takes */

static rz_model *open_demo(int threads) {
    static const char *const set[] = {"llama.context_length=600"};
    rz_model_options opt = RZ_MODEL_INIT;
    rz_model *m = NULL;
    opt.threads = threads;
    opt.set = set;
    opt.n_set = 1;
    if (rz_model_open_demo(&m, &opt, NULL) < 0) m = NULL;
    return m;
}

static void some_ids(const rz_model *m, rz_token *ids, size_t n) {
    for (size_t i = 0; i < n; i++) ids[i] = (rz_token)((i * 37 + 11) % m->m->c.V);
}

static float *pooled(rz_model *m, const rz_token *ids, size_t n, rz_pooling how, int raw) {
    rz_embed_options opt = RZ_EMBED_INIT;
    float *out = mem_array(m->m->c.D, sizeof *out);
    opt.pooling = how;
    opt.raw = raw;
    if (rz_embed_ids(m, ids, n, &opt, out, NULL) < 0) test_fail(__FILE__, __LINE__, "no vector");
    return out;
}

static void test_the_last_vector_makes_the_logits(void) {
    enum { N = 17 };
    rz_model *m = open_demo(2);
    rz_session *s = NULL;
    rz_token ids[N];
    REQUIRE(m != NULL);
    const uint32_t D = m->m->c.D, V = m->m->c.V;
    some_ids(m, ids, N);
    float *x = pooled(m, ids, N, RZ_POOL_LAST, 1), *row = mem_array(D, sizeof *row);
    REQUIRE(rz_session_new(&s, m, 0, RZ_KV_F32, NULL) == RZ_OK);
    REQUIRE(rz_session_feed(s, ids, N, NULL) == RZ_OK);
    const float *logits = rz_session_logits(s);
    double worst = 0;
    for (uint32_t v = 0; v < V; v++) {
        const weight *w = &m->m->head;
        double sum = 0;
        quant_get(w->type)->to_float(w->data + v * w->row_bytes, row, D);
        for (uint32_t d = 0; d < D; d++) sum += (double)row[d] * (double)x[d];
        worst = fmax(worst, fabs(sum - (double)logits[v]));
    }
    CHECK_MSG(worst < 0.15, "off by %g", worst); /* products of Q8_0 round their input */
    rz_session_free(s);
    rz_model_close(m);
    mem_free(x), mem_free(row);
}

static void test_the_mean_is_that_of_all_prefixes(void) {
    enum { N = 9 };
    rz_model *m = open_demo(1);
    rz_token ids[N];
    REQUIRE(m != NULL);
    const uint32_t D = m->m->c.D;
    some_ids(m, ids, N);
    double *sum = mem_array_zero(D, sizeof *sum);
    for (size_t n = 1; n <= N; n++) {
        float *last = pooled(m, ids, n, RZ_POOL_LAST, 1);
        for (uint32_t d = 0; d < D; d++) sum[d] += (double)last[d];
        mem_free(last);
    }
    float *mean = pooled(m, ids, N, RZ_POOL_MEAN, 1), *cls = pooled(m, ids, N, RZ_POOL_CLS, 1);
    float *first = pooled(m, ids, 1, RZ_POOL_LAST, 1);
    double worst = 0;
    for (uint32_t d = 0; d < D; d++) worst = fmax(worst, fabs(sum[d] / N - (double)mean[d]));
    CHECK_MSG(worst < 1e-6, "off by %g", worst);
    CHECK(memcmp(cls, first, D * sizeof *cls) == 0);
    mem_free(sum), mem_free(mean), mem_free(cls), mem_free(first);
    rz_model_close(m);
}

static void test_a_vector_has_length_one_unless_raw(void) {
    rz_model *m = open_demo(1);
    rz_token ids[5];
    REQUIRE(m != NULL);
    some_ids(m, ids, 5);
    float *unit = pooled(m, ids, 5, RZ_POOL_MEAN, 0), *raw = pooled(m, ids, 5, RZ_POOL_MEAN, 1);
    double length = 0, own = 0, along = 0;
    for (uint32_t d = 0; d < m->m->c.D; d++) {
        length += (double)unit[d] * (double)unit[d];
        own += (double)raw[d] * (double)raw[d];
        along += (double)unit[d] * (double)raw[d];
    }
    CHECK(fabs(length - 1) < 1e-6);
    CHECK(fabs(along - sqrt(own)) < 1e-5 * along); /* the same direction */
    mem_free(unit), mem_free(raw);
    rz_model_close(m);
}

static void test_threads_and_steps_change_no_bit(void) {
    rz_model *one = open_demo(1), *two = open_demo(2);
    rz_token *ids = mem_array(LONG, sizeof *ids);
    REQUIRE(one != NULL && two != NULL);
    const size_t bytes = one->m->c.D * sizeof(float);
    some_ids(one, ids, LONG);
    for (int how = RZ_POOL_MEAN; how <= RZ_POOL_LAST; how++) {
        float *a = pooled(one, ids, LONG, (rz_pooling)how, 0);
        float *b = pooled(two, ids, LONG, (rz_pooling)how, 0);
        CHECK_MSG(memcmp(a, b, bytes) == 0, "pooling %d", how);
        mem_free(a), mem_free(b);
    }
    /* The mean of a text longer than a step, against single vectors around the step's end. */
    float *all = pooled(one, ids, 257, RZ_POOL_MEAN, 1),
          *less = pooled(one, ids, 256, RZ_POOL_MEAN, 1);
    float *last = pooled(one, ids, 257, RZ_POOL_LAST, 1);
    double worst = 0;
    for (uint32_t d = 0; d < one->m->c.D; d++) {
        const double want = (256.0 * (double)less[d] + (double)last[d]) / 257;
        worst = fmax(worst, fabs(want - (double)all[d]));
    }
    CHECK_MSG(worst < 1e-6, "off by %g", worst);
    mem_free(all), mem_free(less), mem_free(last), mem_free(ids);
    rz_model_close(one);
    rz_model_close(two);
}

static void test_what_cannot_be_a_vector_is_refused(void) {
    rz_model *m = open_demo(1);
    rz_embed_options opt = RZ_EMBED_INIT;
    rz_error e = {0};
    size_t n = 77;
    REQUIRE(m != NULL);
    float *out = mem_array_zero(m->m->c.D, sizeof *out);
    rz_token *ids = mem_array_zero(601, sizeof *ids);
    CHECK(rz_embed_ids(m, ids, 601, NULL, out, &e) == RZ_EFULL);
    CHECK(strcmp(e.text, "a text of 601 tokens; this model was made for at most 600") == 0);
    CHECK(rz_embed_ids(m, ids, 0, NULL, out, &e) == RZ_EINVAL);
    CHECK(strcmp(e.text, "no tokens given") == 0);
    ids[3] = (rz_token)m->m->c.V;
    CHECK(rz_embed_ids(m, ids, 4, NULL, out, &e) == RZ_EINVAL);
    CHECK(strstr(e.text, "at position 3 is not in a vocabulary of") != NULL);
    opt.pooling = (rz_pooling)9;
    CHECK(rz_embed_ids(m, ids, 3, &opt, out, &e) == RZ_EINVAL);
    CHECK(strcmp(e.text, "pooling is 9, expected an rz_pooling") == 0);
    CHECK(rz_embed(m, NULL, 0, NULL, out, &n, &e) == RZ_EINVAL && n == 77);
    CHECK(rz_embed(m, "a", 1, NULL, out, &n, &e) == RZ_OK && n >= 2);
    CHECK(rz_model_pooling(m) == RZ_POOL_LAST && !rz_model_is_encoder(m));
    for (uint32_t d = 0; d < m->m->c.D; d++) CHECK(isfinite(out[d]));
    mem_free(out), mem_free(ids);
    rz_model_close(m);
}

void suite_embed(void) {
    RUN(test_the_last_vector_makes_the_logits);
    RUN(test_the_mean_is_that_of_all_prefixes);
    RUN(test_a_vector_has_length_one_unless_raw);
    RUN(test_threads_and_steps_change_no_bit);
    RUN(test_what_cannot_be_a_vector_is_refused);
}
