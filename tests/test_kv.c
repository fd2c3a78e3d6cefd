/* test_kv.c - pages are handed out once, come back, and never run over. */
#include <string.h>

#include "base/mem.h"
#include "runtime/kv.h"
#include "test.h"

static const model tiny = {.cache_bytes = {[KV_F16] = 32}};

static void test_reserve_is_all_or_nothing(void) {
    kv_pool pages;
    kv_seq a, b;
    err e = {0};
    REQUIRE(kv_pool_init(&pages, &tiny, KV_F16, 4, &e) == RZ_OK);
    REQUIRE(kv_seq_init(&a, 1000, &e) == RZ_OK && kv_seq_init(&b, 64, &e) == RZ_OK);
    CHECK(kv_reserve(&pages, &a, 1, &e) == RZ_OK && a.n_page == 1);
    CHECK(kv_reserve(&pages, &a, KV_PAGE_TOKENS, &e) == RZ_OK && a.n_page == 1);
    CHECK(kv_reserve(&pages, &a, KV_PAGE_TOKENS + 1, &e) == RZ_OK && a.n_page == 2);
    CHECK(kv_reserve(&pages, &b, 3 * KV_PAGE_TOKENS, &e) == RZ_EFULL);
    CHECK_STR(e.text, "kv: 96 tokens do not fit a sequence of 64");
    CHECK(kv_reserve(&pages, &a, 5 * KV_PAGE_TOKENS, &e) == RZ_EFULL);
    CHECK_STR(e.text, "kv: need 3 pages, 2 free");
    CHECK(a.n_page == 2 && pages.n_free == 2);
    CHECK(kv_reserve(&pages, &b, 2 * KV_PAGE_TOKENS, &e) == RZ_OK && pages.n_free == 0);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) CHECK(a.page[i] != b.page[j]);
    kv_truncate(&pages, &a, 1);
    CHECK(a.n_page == 1 && pages.n_free == 1);
    kv_seq_done(&a, &pages);
    kv_seq_done(&b, &pages);
    CHECK(pages.n_free == 4);
    kv_pool_done(&pages);
}

static void test_sizes_that_overflow_are_refused(void) {
    const model huge = {.cache_bytes = {[KV_F32] = UINT32_MAX}};
    kv_pool pages;
    err e = {0};
    CHECK(kv_pool_init(&pages, &huge, KV_F32, UINT32_MAX, &e) < 0);
    for (long n = 1; n <= 3; n++) {
        mem_fail_at(n);
        CHECK(kv_pool_init(&pages, &tiny, KV_F16, 4, &e) == RZ_ENOMEM);
        mem_fail_at(0);
    }
}

static void test_a_latent_cache_is_not_quantized(void) {
    const model latent = {.cache_bytes = {32, 16, 16, 34, 18}, .float_cache = true};
    kv_pool pages;
    err e = {0};
    for (int t = KV_F32; t < KV_TYPE_COUNT; t++) {
        const status s = kv_pool_init(&pages, &latent, (kv_type)t, 4, &e);
        CHECK(s == (t < KV_Q8_0 ? RZ_OK : RZ_EUNSUPPORTED));
        if (s == RZ_OK) kv_pool_done(&pages);
    }
    CHECK_STR(e.text, "kv: latent attention keeps its cache as f32, f16 or bf16, not as q4_0");
}

void suite_kv(void) {
    RUN(test_reserve_is_all_or_nothing);
    RUN(test_sizes_that_overflow_are_refused);
    RUN(test_a_latent_cache_is_not_quantized);
}
