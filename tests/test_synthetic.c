/* test_synthetic.c - made-up models run like files do, and wrong names are named; what measures. */
#include <math.h>
#include <string.h>

#include <realizar.h>

#include "base/mem.h"
#include "test.h"

static void test_a_shape_runs(void) {
    rz_model *m;
    rz_session *s;
    rz_error e = {0};
    rz_model_info info;
    REQUIRE(rz_model_open_synthetic(&m, "llama-15m", "Q8_0", NULL, &e) == RZ_OK);
    rz_model_describe(m, &info);
    CHECK(info.layers == 6 && info.width == 288 && info.vocab == 32000);
    CHECK_STR(info.quant, "Q8_0");
    CHECK_STR(info.name, "llama-15m");
    const rz_token ids[] = {1, 500, 31999};
    REQUIRE(rz_session_new(&s, m, 16, RZ_KV_AUTO, &e) == RZ_OK);
    CHECK(rz_session_feed(s, ids, 3, &e) == RZ_OK);
    CHECK(isfinite(rz_session_logits(s)[77]));
    rz_session_free(s);
    rz_model_close(m);
}

static void test_wrong_names_are_named(void) {
    rz_model *m = NULL;
    rz_error e = {0};
    CHECK(rz_model_open_synthetic(&m, "llama-2t", "Q8_0", NULL, &e) == RZ_ENOTFOUND);
    CHECK_STR(e.text, "synthetic: no shape is called \"llama-2t\"");
    CHECK(rz_model_open_synthetic(&m, "llama-15m", "Q9", NULL, &e) == RZ_ENOTFOUND);
    CHECK_STR(e.text, "synthetic: no type is called \"Q9\"");
    CHECK(rz_model_open_synthetic(&m, "llama-15m", "I32", NULL, &e) == RZ_EUNSUPPORTED);
    CHECK_STR(e.text, "synthetic: weights cannot be stored as I32");
    CHECK(rz_model_open_synthetic(&m, "llama-15m", "Q4_K", NULL, &e) == RZ_EUNSUPPORTED);
    CHECK_STR(e.text, "synthetic: rows of llama-15m are no whole blocks of Q4_K");
    CHECK(m == NULL);
    size_t n = 0;
    while (rz_synthetic_name(n)) n++;
    CHECK(n >= 5 && strcmp(rz_synthetic_name(2), "llama-1b") == 0);
}

static void test_no_memory_is_an_error(void) {
    rz_model *m = NULL;
    rz_error e = {0};
    for (long n = 1; n <= 12; n++) {
        mem_fail_at(n);
        CHECK(rz_model_open_synthetic(&m, "llama-15m", "Q4_0", NULL, &e) == RZ_ENOMEM);
        mem_fail_at(0);
    }
    CHECK(m == NULL);
}

/* Experts and recurrent layers have their tensors where the architecture looks for them. */
static void test_other_kinds_of_shape_run(void) {
    static const char *const shape[] = {"mixtral-tiny", "mamba2-tiny"};
    for (size_t i = 0; i < 2 && test_thorough(); i++) {
        rz_model *m;
        rz_session *s;
        rz_error e = {0};
        const rz_token ids[] = {1, 500};
        REQUIRE(rz_model_open_synthetic(&m, shape[i], "Q4_0", NULL, &e) == RZ_OK);
        REQUIRE(rz_session_new(&s, m, 16, RZ_KV_AUTO, &e) == RZ_OK);
        CHECK(rz_session_feed(s, ids, 2, &e) == RZ_OK);
        CHECK(isfinite(rz_session_logits(s)[77]));
        rz_session_free(s);
        rz_model_close(m);
    }
}

static void test_a_written_shape_has_a_vocabulary(void) {
    rz_model *m;
    rz_error e = {0};
    rz_token id[8];
    size_t n;
    const char *path = test_temp("15m.gguf");
    REQUIRE(rz_synthetic_write("llama-15m", "Q4_0", path, &e) == RZ_OK);
    REQUIRE(rz_model_open(&m, path, NULL, &e) == RZ_OK);
    const rz_tokenizer *t = rz_model_tokenizer(m);
    REQUIRE(t && rz_tokenizer_size(t) == 32000);
    CHECK(rz_encode(t, "a b", 3, RZ_ENCODE_BOS, id, 8, &n, &e) == RZ_OK && n >= 3 && id[0] == 1);
    rz_model_close(m);
    CHECK(rz_synthetic_write("llama-2t", "Q4_0", path, &e) == RZ_ENOTFOUND);
    CHECK(rz_synthetic_write("llama-15m", "Q4_0", NULL, &e) == RZ_EINVAL);
}

static void test_limits_are_measured(void) {
    rz_limits l;
    rz_error e = {0};
    REQUIRE(rz_limits_measure(&l, 2, 1 << 20, &e) == RZ_OK);
    CHECK(l.threads == 2 && l.read_bytes > 0 && l.used < (int)l.n_peak);
    for (size_t i = 0; i < l.n_peak; i++) CHECK(l.peak[i].int8_macs > 0 && l.peak[i].f32_macs > 0);
    CHECK(rz_limits_measure(&l, 2000, 0, &e) == RZ_EINVAL);
    CHECK(rz_limits_measure(NULL, 1, 0, &e) == RZ_EINVAL);
}

static void test_a_profile_names_operations_and_layers(void) {
    rz_model *m;
    rz_session *s;
    rz_error e = {0};
    char text[4096];
    const rz_token ids[] = {1, 5, 9};
    REQUIRE(rz_model_open_demo(&m, NULL, &e) == RZ_OK);
    REQUIRE(rz_session_new(&s, m, 0, RZ_KV_AUTO, &e) == RZ_OK);
    CHECK(rz_profile_text(text, sizeof text) == 0 && text[0] == 0);
    CHECK(rz_profile_start(&e) == RZ_OK);
    CHECK(rz_session_feed(s, ids, 3, &e) == RZ_OK && rz_session_feed(s, ids, 1, &e) == RZ_OK);
    const long n = rz_profile_text(text, sizeof text);
    CHECK(n > 0 && (size_t)n == strlen(text));
    CHECK(strncmp(text, "profile: 2 steps, ", 18) == 0);
    CHECK(strstr(text, "\n  linear ") && strstr(text, "\n  attend ") && strstr(text, "\n  norm "));
    CHECK(strstr(text, "\n      4 ") && !strstr(text, "\n      5 ")); /* five layers */
    CHECK(strstr(text, "threads idle: "));
    char start[8];
    CHECK(rz_profile_text(start, sizeof start) == n && strcmp(start, "profile") == 0);
    CHECK(rz_profile_start(&e) == RZ_OK); /* anew */
    rz_profile_text(text, sizeof text);
    CHECK(strncmp(text, "profile: 0 steps, ", 18) == 0);
    rz_profile_stop();
    CHECK(rz_profile_text(NULL, 0) == 0);
    rz_session_free(s);
    rz_model_close(m);
}

void suite_synthetic(void) {
    RUN(test_a_shape_runs);
    RUN(test_wrong_names_are_named);
    RUN(test_other_kinds_of_shape_run);
    RUN(test_a_written_shape_has_a_vocabulary);
    RUN(test_limits_are_measured);
    RUN(test_a_profile_names_operations_and_layers);
    RUN(test_no_memory_is_an_error);
}
