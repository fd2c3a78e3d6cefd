/* test_kv_types.c - every type a cache can have: the same bits however the work is cut, near the
 * logits of full precision, and its bytes counted right. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <realizar.h>

#include "test.h"

enum { TOKENS = 50, FEW = 10 };

static rz_token token_at(size_t i) { return (rz_token)(3 + i * 37 % 500); }

static rz_model *open_demo(int threads) {
    rz_model_options opt = RZ_MODEL_INIT;
    opt.threads = threads;
    rz_model *m = NULL;
    return rz_model_open_demo(&m, &opt, NULL) < 0 ? NULL : m;
}

/* Logits [vocab] after n <= TOKENS tokens fed `chunk` at a time; free() them. */
static float *logits_of(rz_model *m, rz_kv kv, size_t n, size_t chunk) {
    rz_session *s = NULL;
    rz_error e = {0};
    rz_token id[TOKENS];
    for (size_t i = 0; i < TOKENS; i++) id[i] = token_at(i);
    rz_status r = rz_session_new(&s, m, 0, kv, &e);
    for (size_t i = 0; r >= 0 && i < n; i += chunk)
        r = rz_session_feed(s, id + i, n - i < chunk ? n - i : chunk, &e);
    float *out = NULL;
    if (r < 0) {
        test_fail(__FILE__, __LINE__, "%s", e.text);
    } else {
        rz_model_info info;
        rz_model_describe(m, &info);
        out = malloc(info.vocab * sizeof *out);
        memcpy(out, rz_session_logits(s), info.vocab * sizeof *out);
    }
    rz_session_free(s);
    return out;
}

static uint32_t vocab_of(const rz_model *m) {
    rz_model_info info;
    rz_model_describe(m, &info);
    return info.vocab;
}

static void test_bits_do_not_depend_on_threads_or_chunks(void) {
    for (int kv = RZ_KV_F32; kv <= RZ_KV_Q4_0; kv++) {
        float *a = NULL;
        for (int threads = 1; threads <= 3; threads++) {
            rz_model *m = open_demo(threads);
            REQUIRE(m);
            const size_t chunk = threads == 1 ? 1 : threads == 2 ? 7 : TOKENS;
            float *b = logits_of(m, (rz_kv)kv, TOKENS, chunk);
            REQUIRE(b);
            CHECK_MSG(!a || memcmp(a, b, vocab_of(m) * sizeof *a) == 0, "kv %d, %d threads", kv,
                      threads);
            free(a);
            a = b;
            rz_model_close(m);
        }
        free(a);
    }
}

/* Mean square error beside full precision, as a share of the logits' mean square. The weights are
 * F32: quantized activations would add noise of their own. */
static void test_logits_are_near_full_precision(void) {
    static const double allowed[] = {[RZ_KV_F32] = 0,
                                     [RZ_KV_F16] = 1e-6,
                                     [RZ_KV_BF16] = 1e-5,
                                     [RZ_KV_Q8_0] = 1e-4,
                                     [RZ_KV_Q4_0] = 1e-2};
    rz_model *m = NULL;
    REQUIRE(rz_model_open_synthetic(&m, "llama-15m", "F32", NULL, NULL) == RZ_OK);
    const uint32_t n = vocab_of(m);
    float *want = logits_of(m, RZ_KV_F32, FEW, FEW);
    REQUIRE(want);
    for (int kv = RZ_KV_F32; kv <= RZ_KV_Q4_0; kv++) {
        float *got = logits_of(m, (rz_kv)kv, FEW, FEW);
        REQUIRE(got);
        double error = 0, all = 0;
        for (uint32_t i = 0; i < n; i++) {
            error += pow((double)got[i] - (double)want[i], 2);
            all += pow((double)want[i], 2);
        }
        CHECK_MSG(error / all <= allowed[kv], "kv %d: nmse %.3g, allowed %.3g", kv, error / all,
                  allowed[kv]);
        CHECK_MSG(kv == RZ_KV_F32 || error > 0, "kv %d is not what was asked for", kv);
        free(got);
    }
    free(want);
    rz_model_close(m);
}

static void test_bytes_are_counted(void) {
    rz_model *m;
    rz_error e = {0};
    REQUIRE(rz_model_open_synthetic(&m, "llama-15m", "Q8_0", NULL, &e) == RZ_OK);
    /* 6 layers of 6 heads of 48: keys and values, each 2 blocks a head. */
    CHECK(rz_model_kv_bytes(m, RZ_KV_F32) == 2 * 6 * 6 * 48 * 4);
    CHECK(rz_model_kv_bytes(m, RZ_KV_BF16) == 2 * 6 * 6 * 48 * 2);
    CHECK(rz_model_kv_bytes(m, RZ_KV_AUTO) == rz_model_kv_bytes(m, RZ_KV_F16));
    CHECK(rz_model_kv_bytes(m, RZ_KV_Q8_0) == 2 * 6 * 6 * 2 * 34);
    CHECK(rz_model_kv_bytes(m, RZ_KV_Q4_0) == 2 * 6 * 6 * 2 * 18);
    CHECK_STR(rz_model_kv_name(m, RZ_KV_AUTO), "f16");
    CHECK_STR(rz_model_kv_name(m, RZ_KV_Q8_0), "q8_0");
    CHECK(rz_model_kv_bytes(m, (rz_kv)99) == 0 && rz_model_kv_name(m, (rz_kv)99) == NULL);
    rz_session *s = NULL;
    CHECK(rz_session_new(&s, m, 16, (rz_kv)99, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "kv is 99, expected an rz_kv");
    rz_engine_options opt = RZ_ENGINE_INIT;
    opt.kv = RZ_KV_Q8_0;
    opt.kv_bytes = 1 << 20;
    rz_engine *g;
    REQUIRE(rz_engine_new(&g, m, &opt, &e) == RZ_OK);
    rz_engine_stats stats;
    rz_engine_stats_get(g, &stats);
    CHECK(stats.kv_bytes_total == stats.kv_pages_total * rz_model_kv_bytes(m, RZ_KV_Q8_0) * 32);
    CHECK(stats.kv_pages_total == (1 << 20) / (rz_model_kv_bytes(m, RZ_KV_Q8_0) * 32));
    rz_engine_free(g);
    rz_model_close(m);
}

void suite_kv_types(void) {
    RUN(test_bits_do_not_depend_on_threads_or_chunks);
    RUN(test_logits_are_near_full_precision);
    RUN(test_bytes_are_counted);
}
