/* test_kern.c - every table of inner loops that this processor can run gives the bits of the scalar
 * one, at all small sizes, and reads nothing behind the last weight row. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/rng.h"
#include "kernels/kern.h"
#include "test.h"

static uint64_t seed;
static const kern *scalar, *other; /* what the running test compares */

enum { MOST = 1200 };

/* Mostly ordinary numbers, some huge, tiny, subnormal or zero. */
static float any_number(void) {
    const float f = (float)(rng_unit(&seed) * 8 - 4);
    switch (rng_below(&seed, 40)) {
        case 0:
            return 0.0f;
        case 1:
            return -0.0f;
        case 2:
            return f * 1e-30f;
        case 3:
            return f * 1e30f;
        case 4:
            return f * 1e-44f;
        case 5:
            return f * 30;
        default:
            return f;
    }
}

static float tame_number(void) { return (float)(rng_unit(&seed) * 4 - 2); }

static void fill(float *p, size_t n, float (*number)(void)) {
    for (size_t i = 0; i < n; i++) p[i] = number();
}

static bool same(const void *a, const void *b, size_t bytes) { return memcmp(a, b, bytes) == 0; }

/* Not NaN: which NaN comes out is not promised. */
static bool same_floats(const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!same(&a[i], &b[i], sizeof *a) && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

static void each_table(void (*check)(void)) {
    scalar = kern_list(0);
    for (int i = 1; (other = kern_list(i)) != NULL; i++) check();
}

/* ---- Rows and elements ---- */

static void elements_agree(size_t n) {
    float x[MOST], t[MOST], gain[MOST], a[MOST], b[MOST];
    fill(x, n, any_number), fill(t, n, any_number), fill(gain, n, any_number);
    const size_t bytes = n * sizeof *x;
    memcpy(a, x, bytes), memcpy(b, x, bytes);
    scalar->add(a, t, n), other->add(b, t, n);
    CHECK_MSG(same_floats(a, b, n), "%s add %zu", other->name, n);
    scalar->scale(a, 1.7f, n), other->scale(b, 1.7f, n);
    CHECK_MSG(same_floats(a, b, n), "%s scale %zu", other->name, n);
    memcpy(a, x, bytes), memcpy(b, x, bytes);
    scalar->softcap(a, 5.0f, n), other->softcap(b, 5.0f, n);
    CHECK_MSG(same_floats(a, b, n), "%s softcap %zu", other->name, n);
    for (int act = ACT_SILU; act <= ACT_RELU2; act++) {
        scalar->act_mul(a, x, t, n, (act_kind)act), other->act_mul(b, x, t, n, (act_kind)act);
        CHECK_MSG(same_floats(a, b, n), "%s act_mul %d %zu", other->name, act, n);
        memcpy(a, x, bytes), memcpy(b, x, bytes);
        scalar->act(a, n, (act_kind)act), other->act(b, n, (act_kind)act);
        CHECK_MSG(same_floats(a, b, n), "%s act %d %zu", other->name, act, n);
    }
    scalar->norm_rms(a, x, gain, n, 1e-6f), other->norm_rms(b, x, gain, n, 1e-6f);
    CHECK_MSG(same_floats(a, b, n), "%s norm_rms %zu", other->name, n);
    fill(x, n, tame_number);
    scalar->norm_rms(a, x, gain, n, 1e-6f), other->norm_rms(b, x, gain, n, 1e-6f);
    CHECK_MSG(same_floats(a, b, n), "%s norm_rms %zu", other->name, n);
    for (int with = 0; with < 2; with++) {
        const float *bias = with ? t : NULL;
        scalar->norm_layer(a, x, gain, bias, n, 1e-6f);
        other->norm_layer(b, x, gain, bias, n, 1e-6f);
        CHECK_MSG(same_floats(a, b, n), "%s norm_layer %zu", other->name, n);
    }
}

static void check_elements(void) {
    for (size_t n = 1; n <= 70; n++) elements_agree(n);
    elements_agree(MOST);
}

static void test_elementwise_bits_agree(void) { each_table(check_elements); }

static void check_rope(void) {
    float x[256], cs[256], a[256], b[256];
    for (size_t n = 2; n <= 160; n += 2)
        for (int half = 0; half < 2; half++) {
            fill(x, 256, tame_number), fill(cs, 256, tame_number);
            memcpy(a, x, sizeof x), memcpy(b, x, sizeof x);
            scalar->rope(a, cs, n, half), other->rope(b, cs, n, half);
            CHECK_MSG(same(a, b, sizeof a) && same(a + n, x + n, (256 - n) * sizeof *x),
                      "%s rope %zu half=%d", other->name, n, half);
        }
}

static void test_rope_bits_agree(void) { each_table(check_rope); }

static void check_quantize(void) {
    float x[320], d[2][10];
    int8_t q[2][320];
    int32_t bias[2][10];
    for (size_t n = 1; n <= 320; n += n < 70 ? 1 : 50) {
        fill(x, n, n % 3 ? tame_number : any_number);
        if (n % 5 == 0) memset(x, 0, (n < 32 ? n : 32) * sizeof *x);
        scalar->quantize(x, n, q[0], d[0], bias[0]), other->quantize(x, n, q[1], d[1], bias[1]);
        const size_t blocks = (n + 31) / 32;
        CHECK_MSG(same(q[0], q[1], blocks * 32) && same(d[0], d[1], blocks * sizeof *d[0]) &&
                      same(bias[0], bias[1], blocks * sizeof *bias[0]),
                  "%s quantize %zu", other->name, n);
    }
}

static void test_quantize_bits_agree(void) { each_table(check_quantize); }

static void test_quantize_is_its_definition(void) {
    const kern *k = kern_get();
    float x[64] = {0}, d[2];
    int8_t q[64];
    int32_t bias[2];
    for (int i = 0; i < 32; i++) x[i] = (float)(i - 16) * 0.5f; /* largest 8: 127 / 8 = 15.875 */
    x[40] = 0x1p-121f;
    k->quantize(x, 64, q, d, bias);
    CHECK(q[0] == -127 && q[16] == 0 && q[17] == 8 && q[31] == 119 && d[0] == 8.0f / 127);
    int sum = 0;
    for (int i = 0; i < 32; i++) sum += q[i];
    CHECK(bias[0] == -128 * sum);
    CHECK(q[40] == 0 && d[1] == 0 && bias[1] == 0);
    x[3] = NAN;
    x[35] = INFINITY;
    k->quantize(x, 64, q, d, bias);
    CHECK(isnan(d[0]) && isnan(d[1]));
}

/* ---- Cache and attention ---- */

static void check_store(void) {
    float x[100];
    uint8_t a[400], b[400];
    for (size_t n = 1; n <= 100; n++)
        for (int type = KV_F32; type <= KV_BF16; type++) {
            fill(x, n, any_number);
            x[n / 2] = 65520.0f;
            memset(a, 7, sizeof a), memset(b, 7, sizeof b);
            scalar->kv_store(a, (kv_type)type, x, n), other->kv_store(b, (kv_type)type, x, n);
            CHECK_MSG(same(a, b, sizeof a), "%s kv_store %zu type %d", other->name, n, type);
        }
}

static void test_cache_bits_agree(void) { each_table(check_store); }

/* Pages of random bytes whose scales are numbers. */
static void check_load(void) {
    enum { K_MOST = 100, BYTES = K_MOST * KERN_PAGE * 4 + 4096 };
    uint8_t *page = malloc(BYTES);
    float *out[2] = {malloc(K_MOST * KERN_PAGE * 4), malloc(K_MOST * KERN_PAGE * 4)};
    const kern *k[2] = {scalar, other};
    for (uint32_t i = 0; i < BYTES / 2; i++) {
        const uint16_t half = (uint16_t)(rng_below(&seed, 65536) & 0xbbff); /* below 2 */
        memcpy(page + 2 * i, &half, sizeof half);
    }
    for (uint32_t K = 1; K <= K_MOST; K += K < 34 ? 1 : 11)
        for (int type = KV_F32; type < KV_TYPE_COUNT; type++)
            for (int values = 0; values < 2; values++) {
                const size_t bytes = K * KERN_PAGE * sizeof(float);
                for (int i = 0; i < 2; i++) {
                    memset(out[i], 7, bytes);
                    if (values) k[i]->load_values(out[i], page, (kv_type)type, K % 5, 32, K);
                    else k[i]->load_keys(out[i], page, (kv_type)type, K);
                }
                CHECK_MSG(same(out[0], out[1], bytes), "%s %s of %s K=%u", other->name,
                          values ? "values" : "keys", kv_type_name((kv_type)type), K);
            }
    free(page), free(out[0]), free(out[1]);
}

static void test_loaded_pages_agree(void) { each_table(check_load); }

/* A page of one head in both types, and queries, scores, results of R rows. */
typedef struct page_case {
    float cache[256 * KERN_PAGE], query[KERN_QUERIES][256];
    uint16_t half[256 * KERN_PAGE];
    float s[2][KERN_QUERIES * KERN_PAGE], out[2][KERN_QUERIES][256];
    kern_softmax state[2];
} page_case;

static void page_agrees(page_case *c, uint32_t R, uint32_t K, kv_type type) {
    const float *q[KERN_QUERIES];
    float *out[2][KERN_QUERIES];
    uint32_t lo[KERN_QUERIES], hi[KERN_QUERIES];
    fill(c->cache, K * KERN_PAGE, tame_number);
    fill(c->query[0], KERN_QUERIES * 256, tame_number);
    fill(c->out[0][0], KERN_QUERIES * 256, tame_number);
    scalar->kv_store(c->half, type == KV_BF16 ? KV_BF16 : KV_F16, c->cache, K * KERN_PAGE);
    memcpy(c->out[1], c->out[0], sizeof c->out[0]);
    for (uint32_t r = 0; r < R; r++) {
        q[r] = c->query[r];
        out[0][r] = c->out[0][r], out[1][r] = c->out[1][r];
        lo[r] = (uint32_t)rng_below(&seed, KERN_PAGE);
        hi[r] = lo[r] + 1 + (uint32_t)rng_below(&seed, KERN_PAGE - lo[r]);
        c->state[0].m[r] = r % 3 ? tame_number() : -INFINITY;
        c->state[0].l[r] = r % 3 ? 1.5f : 0;
    }
    c->state[1] = c->state[0];
    const void *cache = type == KV_F32 ? (const void *)c->cache : c->half;
    const kern *k[2] = {scalar, other};
    for (int i = 0; i < 2; i++) {
        k[i]->scores(c->s[i], q, R, cache, type, K);
        k[i]->weights(c->s[i], R, lo, hi, 0.3f, R % 2 ? 2.0f : 0, &c->state[i]);
        k[i]->values(out[i], c->state[i].rescale, c->s[i], R, cache, type, lo[0], hi[0], K);
    }
    CHECK_MSG(same(c->s[0], c->s[1], R * KERN_PAGE * sizeof(float)), "%s scores R=%u K=%u type %d",
              other->name, R, K, (int)type);
    CHECK_MSG(same(c->state[0].m, c->state[1].m, R * sizeof(float)) &&
                  same(c->state[0].l, c->state[1].l, R * sizeof(float)) &&
                  same(c->state[0].rescale, c->state[1].rescale, R * sizeof(float)),
              "%s weights R=%u K=%u", other->name, R, K);
    CHECK_MSG(same(c->out[0], c->out[1], sizeof c->out[0]), "%s values R=%u K=%u type %d",
              other->name, R, K, (int)type);
    float m[2] = {0.5f, 0.5f}, l[2] = {2, 2};
    for (int i = 0; i < 2; i++) {
        k[i]->merge(&m[i], &l[i], out[i][0], R % 2 ? 1.25f : -3, 1.5f, c->query[1], K);
        k[i]->divide(out[i][0], l[i], K);
    }
    CHECK_MSG(same(m, m + 1, sizeof *m) && same(l, l + 1, sizeof *l) &&
                  same(c->out[0], c->out[1], sizeof c->out[0]),
              "%s merge K=%u", other->name, K);
}

static void check_pages(void) {
    page_case *c = malloc(sizeof *c);
    static const uint32_t size[] = {1, 8, 12, 16, 24, 31, 32, 48, 64, 80, 96, 128, 256};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        for (uint32_t R = 1; R <= KERN_QUERIES; R += i % 4 == 3 ? 1 : 5) {
            page_agrees(c, R, size[i], KV_F32);
            page_agrees(c, R, size[i], KV_F16);
            page_agrees(c, R, size[i], KV_BF16);
        }
    free(c);
}

static void test_attention_bits_agree(void) { each_table(check_pages); }

/* ---- Products ---- */

/* Weight rows whose last byte is the last before a page that must not be touched. */
typedef struct guarded {
    uint8_t *map, *data;
    size_t bytes;
} guarded;

static guarded guard(size_t bytes) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guarded g = {.bytes = (bytes + page - 1) / page * page + page};
    g.map = mmap(NULL, g.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED) return (guarded){0};
    mprotect(g.map + g.bytes - page, page, PROT_NONE);
    g.data = g.map + g.bytes - page - bytes;
    return g;
}

/* Rows of x and everything `linear` makes of them. */
typedef struct x_rows {
    float x[40 * MOST];
    int8_t q[40 * (MOST + 32)];
    float d[40 * (MOST / 32 + 1)];
    int32_t bias[40 * (MOST / 32 + 1)];
    float y[2][40 * 100];
    _Alignas(64) uint8_t scratch[KERN_SCRATCH];
} x_rows;

static kern_rows quantized(x_rows *s, uint32_t T, uint32_t n) {
    const size_t blocks = (n + 31) / 32;
    for (uint32_t t = 0; t < T; t++)
        scalar->quantize(s->x + (size_t)t * n, n, s->q + t * blocks * 32, s->d + t * blocks,
                         s->bias + t * blocks);
    return (kern_rows){.x = s->x,
                       .q = s->q,
                       .d = s->d,
                       .bias = s->bias,
                       .x_stride = n,
                       .q_stride = blocks * 32,
                       .d_stride = blocks,
                       .T = T,
                       .n = n};
}

static void product_agrees(x_rows *s, quant_type t, uint32_t n_row, uint32_t n, uint32_t T) {
    const quant_info *info = quant_get((uint32_t)t);
    uint64_t row_bytes;
    REQUIRE(quant_row_bytes(t, n, &row_bytes));
    guarded g = guard(n_row * row_bytes);
    REQUIRE(g.data);
    fill(s->x, (size_t)T * n, tame_number);
    for (uint32_t r = 0; r < n_row; r++) {
        float row[MOST];
        fill(row, n, tame_number);
        info->from_float(row, g.data + r * row_bytes, n);
    }
    const kern_rows x = quantized(s, T, n);
    const size_t stride = n_row + 3; /* what is between the rows of y must stay */
    memset(s->y, 0x55, sizeof s->y);
    scalar->product[t](s->y[0], stride, g.data, row_bytes, n_row, &x, s->scratch);
    other->product[t](s->y[1], stride, g.data, row_bytes, n_row, &x, s->scratch);
    CHECK_MSG(same(s->y[0], s->y[1], sizeof s->y[0]), "%s %s %ux%u, %u rows", other->name,
              info->name, n_row, n, T);
    munmap(g.map, g.bytes);
}

static void check_products(void) {
    x_rows *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    for (int t = 0; t < QUANT_TYPE_COUNT; t++) {
        const quant_info *info = quant_get((uint32_t)t);
        if (!other->product[t] || !scalar->product[t] || !info->from_float) continue;
        const uint32_t b = info->block;
        for (uint32_t n = 1; n <= 70; n++) {
            const uint32_t cols = b == 1 ? n : (n % 8 + 1) * b;
            if (cols <= MOST) product_agrees(s, (quant_type)t, 71 - n, cols, n % 13 + 1);
        }
        for (uint32_t T = 1; T <= 40; T += T < 14 ? 1 : 9)
            product_agrees(s, (quant_type)t, 33, b == 1 ? 50 : 2 * b, T);
        product_agrees(s, (quant_type)t, 70, MOST / b * b, 2);
        product_agrees(s, (quant_type)t, 35, MOST / b * b, 16);
    }
    free(s);
}

static void test_product_bits_agree_and_stay_inside(void) { each_table(check_products); }

/* Extreme blocks: the largest integers of both signs against the largest activations. */
static void check_extremes(void) {
    static const quant_type type[] = {QUANT_Q4_0, QUANT_Q8_0};
    x_rows *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    for (size_t i = 0; i < 2; i++)
        for (int pattern = 0; pattern < 4; pattern++) {
            uint64_t row_bytes = 0;
            quant_row_bytes(type[i], 64, &row_bytes);
            uint8_t w[32 * 68];
            memset(w, pattern & 1 ? 0x00 : type[i] == QUANT_Q4_0 ? 0xff : 0x7f, sizeof w);
            if (type[i] == QUANT_Q8_0 && pattern & 1) memset(w, 0x80, sizeof w);
            for (size_t b = 0; b < 64; b++) {
                const uint16_t one = 0x3c00;
                memcpy(w + b * row_bytes / 2, &one, sizeof one);
            }
            for (int k = 0; k < 64 * 9; k++) s->x[k] = pattern & 2 ? 1.0f : -1.0f;
            const kern_rows x = quantized(s, 9, 64);
            for (uint32_t T = 1; T <= 9; T += 8) {
                kern_rows some = x;
                some.T = T;
                scalar->product[type[i]](s->y[0], 32, w, row_bytes, 32, &some, s->scratch);
                other->product[type[i]](s->y[1], 32, w, row_bytes, 32, &some, s->scratch);
                CHECK_MSG(same(s->y[0], s->y[1], T * 32 * sizeof(float)), "%s type %d pattern %d",
                          other->name, (int)type[i], pattern);
            }
        }
    free(s);
}

static void test_largest_integers_do_not_saturate(void) { each_table(check_extremes); }

/* A NaN in a row of x reaches every output of that row and of no other. */
static void check_nan(void) {
    enum { ROWS = 35, N = 96, BAD = 3 };
    x_rows *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    float row[N];
    uint8_t w[ROWS * N * sizeof(float)];
    for (int t = 0; t < QUANT_TYPE_COUNT; t++) {
        const quant_info *info = quant_get((uint32_t)t);
        uint64_t row_bytes = 0;
        if (!other->product[t] || !info->from_float || info->block > 32) continue;
        REQUIRE(quant_row_bytes((quant_type)t, N, &row_bytes));
        for (uint32_t r = 0; r < ROWS; r++) {
            fill(row, N, tame_number);
            info->from_float(row, w + r * row_bytes, N);
        }
        for (uint32_t T = BAD + 1; T <= 9; T++) {
            fill(s->x, T * N, tame_number);
            s->x[BAD * N + 40] = NAN;
            const kern_rows x = quantized(s, T, N);
            other->product[t](s->y[1], ROWS, w, row_bytes, ROWS, &x, s->scratch);
            size_t wrong = 0;
            for (size_t i = 0; i < T * ROWS; i++)
                wrong += (isnan(s->y[1][i]) != 0) != (i / ROWS == BAD);
            CHECK_MSG(wrong == 0, "%s %s, %u rows: %zu outputs", other->name, info->name, T, wrong);
        }
    }
    free(s);
}

static void test_a_nan_spoils_its_row_alone(void) { each_table(check_nan); }

/* ---- Choosing ---- */

static void test_tables_are_found_by_name(void) {
    CHECK(kern_list(0) == kern_find("scalar") && kern_list(-1) == NULL && kern_list(99) == NULL);
    CHECK(kern_find("sse9") == NULL && kern_find("") == NULL);
    for (int i = 0; kern_list(i); i++) CHECK(kern_find(kern_list(i)->name) == kern_list(i));
    CHECK(kern_get() != NULL && kern_find(kern_get()->name) == kern_get());
}

void suite_kern(void) {
    seed = 7;
    RUN(test_elementwise_bits_agree);
    RUN(test_rope_bits_agree);
    RUN(test_quantize_bits_agree);
    RUN(test_quantize_is_its_definition);
    RUN(test_cache_bits_agree);
    RUN(test_loaded_pages_agree);
    RUN(test_attention_bits_agree);
    RUN(test_product_bits_agree_and_stay_inside);
    RUN(test_largest_integers_do_not_saturate);
    RUN(test_a_nan_spoils_its_row_alone);
    RUN(test_tables_are_found_by_name);
}
