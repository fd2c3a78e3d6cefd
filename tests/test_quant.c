/* test_quant.c - block formats against the bytes and floats that ggml made. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "quant/block.h"
#include "quant/quant.h"
#include "quant/quant_iq_search.h"
#include "quant/quant_iq_tables.h"
#include "test.h"

enum { MAX_BLOCK_BYTES = 292, MAX_BLOCK = 256, ROWS = 12, COLS = 512 };

/* "q4_k" for Q4_K: how golden files are called. */
static const char *lower(const char *name) {
    static char text[32];
    size_t i = 0;
    for (; name[i] && i < sizeof text - 1; i++)
        text[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    text[i] = 0;
    return text;
}

/* The file golden/quant/<folder>/<name>.<ext>, NULL when it is not there. free() it. */
static void *golden(const char *folder, const char *name, const char *ext, size_t *len) {
    char path[96];
    snprintf(path, sizeof path, "golden/quant/%s/%s.%s", folder, name, ext);
    const char *found = test_shared(path);
    return found ? test_read_file(found, len) : NULL;
}

/* How many floats apart two floats are; 0 also for NaN and NaN. */
static uint32_t ulps(float a, float b) {
    uint32_t u[2];
    memcpy(&u[0], &a, 4);
    memcpy(&u[1], &b, 4);
    if (u[0] == u[1] || (isnan(a) && isnan(b))) return 0;
    if ((u[0] ^ u[1]) & 0x80000000) return UINT32_MAX;
    return u[0] > u[1] ? u[0] - u[1] : u[1] - u[0];
}

static void test_ids_names_and_sizes_are_those_of_gguf(void) {
    uint64_t bytes = 7;
    quant_type t;
    CHECK(quant_get(2)->block == 32 && quant_get(2)->bytes == 18);
    CHECK_STR(quant_get(12)->name, "Q4_K");
    CHECK(quant_get(4)->name == NULL && quant_get(63)->name == NULL);
    CHECK(quant_get(QUANT_TYPE_COUNT)->name == NULL && quant_get(UINT32_MAX)->name == NULL);
    CHECK(quant_find(STR_LIT("q8_0"), &t) && t == QUANT_Q8_0);
    CHECK(quant_find(STR_LIT("iQ2_xXs"), &t) && t == QUANT_IQ2_XXS);
    CHECK(!quant_find(STR_LIT("Q8_"), &t) && !quant_find(STR_LIT(""), &t) && t == QUANT_IQ2_XXS);
    CHECK(quant_row_bytes(QUANT_Q4_K, 512, &bytes) && bytes == 288);
    CHECK(quant_row_bytes(QUANT_F32, 0, &bytes) && bytes == 0);
    bytes = 7;
    CHECK(!quant_row_bytes(QUANT_Q4_0, 33, &bytes));
    CHECK(!quant_row_bytes(QUANT_F64, UINT64_MAX, &bytes));
    CHECK(!quant_row_bytes((quant_type)5, 32, &bytes) && bytes == 7);
}

static void test_every_type_has_a_sane_row(void) {
    for (uint32_t id = 0; id < QUANT_TYPE_COUNT; id++) {
        const quant_info *q = quant_get(id);
        if (!q->name) {
            CHECK(!q->block && !q->bytes && !q->to_float && !q->from_float);
            continue;
        }
        CHECK(q->block > 0 && q->block <= MAX_BLOCK && q->bytes > 0 && q->bytes <= MAX_BLOCK_BYTES);
        CHECK(!q->from_float || q->to_float);
        CHECK(!q->from_float_weighted || q->from_float);
    }
}

static void test_half_precision_rounds_to_nearest_even(void) {
    static const struct {
        float f;
        uint16_t h;
    } want[] = {
        {0.0f, 0},          {-0.0f, 0x8000},        {1.0f, 0x3c00},
        {65504.0f, 0x7bff}, {65519.996f, 0x7bff},   {65520.0f, 0x7c00},
        {-1e9f, 0xfc00},    {0x1p-14f, 0x0400},     {0x1.ff8p-15f, 0x03ff},
        {0x1p-24f, 1},      {0x1p-25f, 0},          {0x1.000002p-25f, 1},
        {0x1.8p-24f, 2},    {0x1.ffep-15f, 0x0400}, {1.0f + 0x1p-11f, 0x3c00},
        {1e-40f, 0},        {INFINITY, 0x7c00},     {1.0f + 0x1.8p-10f, 0x3c02},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const uint16_t h = quant_f32_to_f16(want[i].f);
        CHECK_MSG(h == want[i].h, "%a is %04x, want %04x", (double)want[i].f, h, want[i].h);
    }
    CHECK(quant_f32_to_bf16(1.0f + 0x1p-8f) == 0x3f80);
    CHECK(quant_f32_to_bf16(1.0f + 0x1.8p-7f) == 0x3f82);
    CHECK(quant_f32_to_bf16(3.4e38f) == 0x7f80);
    CHECK(quant_f32_to_bf16(-INFINITY) == 0xff80);
    CHECK(isnan(quant_f16_to_f32(quant_f32_to_f16(NAN))));
    CHECK(isnan(quant_bf16_to_f32(quant_f32_to_bf16(NAN))));
}

static void test_every_half_comes_back(void) {
    uint32_t wrong = 0;
    for (uint32_t h = 0; h < 0x10000; h++) {
        const float a = quant_f16_to_f32((uint16_t)h), b = quant_bf16_to_f32((uint16_t)h);
        if (isnan(a) ? !isnan(quant_f16_to_f32(quant_f32_to_f16(a))) : quant_f32_to_f16(a) != h)
            wrong++;
        if (isnan(b) ? !isnan(quant_bf16_to_f32(quant_f32_to_bf16(b))) : quant_f32_to_bf16(b) != h)
            wrong++;
    }
    CHECK_MSG(wrong == 0, "%u of 65536 patterns differ", wrong);
}

static void test_plain_numbers_are_read(void) {
    const double f64[3] = {1.5, -1e300, 0.1};
    const int64_t i64[3] = {-1, INT64_MIN, 1 << 20};
    const int8_t i8[3] = {-128, 0, 127};
    float out[3];
    quant_get(QUANT_F64)->to_float(f64, out, 3);
    CHECK(out[0] == 1.5f && isinf(out[1]) && out[2] == 0.1f);
    quant_get(QUANT_I64)->to_float(i64, out, 3);
    CHECK(out[0] == -1.0f && out[1] == -0x1p63f && out[2] == 0x1p20f);
    quant_get(QUANT_I8)->to_float(i8, out, 3);
    CHECK(out[0] == -128.0f && out[1] == 0.0f && out[2] == 127.0f);
    const uint64_t u64[3] = {UINT64_MAX, 1, 0};
    quant_get(QUANT_U64)->to_float(u64, out, 3);
    CHECK(out[0] == 0x1p64f && out[1] == 1.0f && out[2] == 0.0f);
    quant_get(QUANT_U8)->to_float(i8, out, 3);
    CHECK(out[0] == 128.0f && out[1] == 0.0f && out[2] == 127.0f);
}

static void test_eight_bit_floats_are_those_of_the_specification(void) {
    static const struct {
        uint8_t b;
        float e4m3, e5m2;
    } want[] = {{0x00, 0.0f, 0.0f},        {0x80, -0.0f, -0.0f},
                {0x01, 0x1p-9f, 0x1p-16f}, {0x07, 7 * 0x1p-9f, 0x1.cp-14f},
                {0x08, 0x1p-6f, 0x1p-13f}, {0x38, 1.0f, 0.5f},
                {0x3c, 1.5f, 1.0f},        {0xbc, -1.5f, -1.0f},
                {0x7b, 352.0f, 57344.0f},  {0x7e, 448.0f, NAN},
                {0x7c, 384.0f, INFINITY},  {0xfc, -384.0f, -INFINITY},
                {0x7f, NAN, NAN},          {0xff, NAN, NAN}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        CHECK_MSG(ulps(quant_f8_e4m3_to_f32(want[i].b), want[i].e4m3) == 0, "e4m3 0x%02x",
                  want[i].b);
        CHECK_MSG(ulps(quant_f8_e5m2_to_f32(want[i].b), want[i].e5m2) == 0, "e5m2 0x%02x",
                  want[i].b);
    }
    float out[3];
    quant_get(QUANT_F8_E4M3)->to_float("\x38\x3c\xbc", out, 3);
    CHECK(out[0] == 1.0f && out[1] == 1.5f && out[2] == -1.5f);
    for (int b = 1; b < 0x7f; b++) /* in order, so no pattern is out of its place */
        CHECK(quant_f8_e4m3_to_f32((uint8_t)b) > quant_f8_e4m3_to_f32((uint8_t)(b - 1)));
}

/* Every golden file of dequantized blocks, bit for bit. */
static void check_reading(const quant_info *q) {
    size_t len = 0, n_bytes = 0;
    void *blocks = golden("dequant", lower(q->name), "bin", &len);
    float *want = golden("dequant", lower(q->name), "f32", &n_bytes);
    const size_t n = n_bytes / sizeof *want;
    float *got = blocks && want ? malloc(n_bytes) : NULL;
    if (!got) {
        test_skip("no golden blocks of %s", q->name);
    } else if (len * q->block != n * q->bytes) {
        CHECK_MSG(0, "%s: %zu bytes are not %zu values", q->name, len, n);
    } else {
        q->to_float(blocks, got, n);
        uint32_t worst = 0;
        size_t at = 0;
        for (size_t i = 0; i < n; i++) {
            if (ulps(got[i], want[i]) > worst) worst = ulps(got[i], want[i]), at = i;
        }
        CHECK_MSG(worst == 0, "%s: value %zu is %a, want %a", q->name, at, (double)got[at],
                  (double)want[at]);
    }
    free(got);
    free(want);
    free(blocks);
}

static void test_reading_equals_ggml_bit_for_bit(void) {
    for (uint32_t id = 0; id < QUANT_TYPE_COUNT; id++) {
        const quant_info *q = quant_get(id);
        const bool plain = q->block == 1 && id != QUANT_F16 && id != QUANT_BF16;
        if (q->name && !plain && id != QUANT_Q8_1 && id != QUANT_Q8_K) check_reading(q);
    }
}

static void check_writing(const quant_info *q) {
    size_t n_bytes = 0, len = 0;
    float *in = golden("quantize", "input", "f32", &n_bytes);
    uint8_t *want = golden("quantize", lower(q->name), "bin", &len);
    uint8_t *got = in && want ? malloc(len) : NULL;
    const size_t n = n_bytes / sizeof *in;
    if (!got) {
        test_skip("no golden quantization to %s", q->name);
    } else if (len * q->block != n * q->bytes) {
        CHECK_MSG(0, "%s: %zu bytes are not %zu values", q->name, len, n);
    } else {
        q->from_float(in, got, n);
        size_t i = 0;
        while (i < len && got[i] == want[i]) i++;
        CHECK_MSG(i == len, "%s: byte %zu, in block %zu, differs", q->name, i, i / q->bytes);
    }
    free(got);
    free(want);
    free(in);
}

static void test_writing_simple_types_equals_ggml_bit_for_bit(void) {
    static const quant_type simple[] = {QUANT_F16,  QUANT_BF16, QUANT_Q4_0, QUANT_Q4_1,
                                        QUANT_Q5_0, QUANT_Q5_1, QUANT_Q8_0};
    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++)
        check_writing(quant_get((uint32_t)simple[i]));
}

static double square_error(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

/* Our quantization of the golden rows against ggml's: the root of the mean squared error is no
 * larger over all, and at most 1.05 times theirs in a row. QUANT_TABLE=1 in the environment prints
 * the ratios. */
static void check_error(const quant_info *q, const float *in, const uint8_t *theirs) {
    const size_t row_bytes = COLS / q->block * q->bytes;
    uint8_t ours[COLS * 2];
    float a[COLS], b[COLS];
    double sum_a = 0, sum_b = 0, worst = 0;
    REQUIRE(row_bytes <= sizeof ours);
    for (size_t r = 0; r < ROWS; r++) {
        q->from_float(in + r * COLS, ours, COLS);
        q->to_float(ours, a, COLS);
        q->to_float(theirs + r * row_bytes, b, COLS);
        const double ea = square_error(in + r * COLS, a, COLS);
        const double eb = square_error(in + r * COLS, b, COLS);
        const double ratio = eb > 0 ? sqrt(ea / eb) : ea > 0 ? 1e9 : 0;
        CHECK_MSG(ratio <= 1.05, "%s: row %zu has %.3f times the error", q->name, r, ratio);
        if (ratio > worst) worst = ratio;
        sum_a += ea;
        sum_b += eb;
    }
    const double ratio = sqrt(sum_a / sum_b);
    CHECK_MSG(ratio <= 1.0000001, "%s: %.3f times the error", q->name, ratio);
    if (getenv("QUANT_TABLE"))
        printf("%-8s rmse %.6f, ggml %.6f, ratio %.3f, worst row %.3f\n", q->name,
               sqrt(sum_a / (ROWS * COLS)), sqrt(sum_b / (ROWS * COLS)), ratio, worst);
}

static void test_writing_loses_no_more_than_ggml(void) {
    size_t n_bytes = 0, len = 0;
    float *in = golden("quantize", "input", "f32", &n_bytes);
    if (!in) {
        test_skip("no golden rows to quantize");
        return;
    }
    CHECK(n_bytes == ROWS * COLS * sizeof *in);
    for (uint32_t id = 0; id < QUANT_TYPE_COUNT && n_bytes == ROWS * COLS * sizeof *in; id++) {
        const quant_info *q = quant_get(id);
        uint8_t *theirs = q->from_float ? golden("quantize", lower(q->name), "bin", &len) : NULL;
        if (theirs && len == (size_t)ROWS * COLS / q->block * q->bytes) check_error(q, in, theirs);
        free(theirs);
    }
    free(in);
}

/* Weights as models have them: nearly normal, a few far out. */
static void random_row(float *x, size_t n, uint64_t *r) {
    for (size_t i = 0; i < n; i++) {
        double v = -6;
        for (int k = 0; k < 12; k++) v += rng_unit(r);
        x[i] = (float)(0.03 * v * (rng_below(r, 50) ? 1 : 3));
    }
}

static double weighted_error(const float *a, const float *b, const float *w, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double e = (double)a[i] - (double)b[i];
        sum += (double)w[i] * e * e;
    }
    return sum;
}

static void test_importance_lowers_the_weighted_error(void) {
    enum { N = 4096 };
    static float x[N], w[N], back[N];
    static uint8_t blocks[N * 2];
    uint64_t r = 3;
    random_row(x, N, &r);
    for (size_t i = 0; i < N; i++) w[i] = rng_below(&r, 10) ? 0.1f : 5.0f;
    for (uint32_t id = 0; id < QUANT_TYPE_COUNT; id++) {
        const quant_info *q = quant_get(id);
        if (!q->from_float_weighted) continue;
        q->from_float(x, blocks, N);
        q->to_float(blocks, back, N);
        const double without = weighted_error(x, back, w, N);
        CHECK(quant_write_row((quant_type)id, x, blocks, N, w));
        q->to_float(blocks, back, N);
        const double with = weighted_error(x, back, w, N);
        CHECK_MSG(with < 0.97 * without, "%s: %g with, %g without", q->name, with, without);
    }
}

/* The scale of the importance does not matter, and importance without content is none. */
static void test_importance_is_relative(void) {
    float x[MAX_BLOCK], w[MAX_BLOCK], w2[MAX_BLOCK];
    uint8_t a[MAX_BLOCK * 2], b[MAX_BLOCK * 2];
    uint64_t r = 4;
    random_row(x, MAX_BLOCK, &r);
    for (uint32_t id = 0; id < QUANT_TYPE_COUNT; id++) {
        const quant_info *q = quant_get(id);
        const size_t bytes = q->name ? MAX_BLOCK / q->block * q->bytes : 0;
        if (!q->from_float_weighted) continue;
        for (int i = 0; i < MAX_BLOCK; i++) w[i] = (float)rng_unit(&r), w2[i] = 1024.0f * w[i];
        q->from_float_weighted(x, a, MAX_BLOCK, w);
        q->from_float_weighted(x, b, MAX_BLOCK, w2);
        CHECK_MSG(memcmp(a, b, bytes) == 0, "%s: 1024 times the importance", q->name);
        for (int i = 0; i < MAX_BLOCK; i++) w[i] = i % 2 ? NAN : 0.0f;
        q->from_float_weighted(x, a, MAX_BLOCK, w);
        q->from_float_weighted(x, b, MAX_BLOCK, NULL);
        CHECK_MSG(memcmp(a, b, bytes) == 0, "%s: importance of nothing", q->name);
    }
}

/* Values that are exact in a type come back as they were. */
static void test_exact_values_survive_a_round_trip(void) {
    float in[32], out[32];
    uint8_t blocks[64];
    for (int i = 0; i < 32; i++) in[i] = (float)(i % 16 - 8) * 0.5f;
    quant_get(QUANT_Q4_0)->from_float(in, blocks, 32);
    quant_get(QUANT_Q4_0)->to_float(blocks, out, 32);
    CHECK(memcmp(in, out, sizeof in) == 0);
    for (int i = 0; i < 32; i++) in[i] = (float)(i * 8 - 127) * 0.25f;
    in[31] = 127 * 0.25f;
    quant_get(QUANT_Q8_0)->from_float(in, blocks, 32);
    quant_get(QUANT_Q8_0)->to_float(blocks, out, 32);
    CHECK(memcmp(in, out, sizeof in) == 0);
}

/* Weights that are ternary, or 4-bit floats, are written without loss. */
static void test_matching_weights_are_written_exactly(void) {
    static const quant_type ternary[] = {QUANT_TQ1_0, QUANT_TQ2_0, QUANT_Q2_0};
    float in[MAX_BLOCK], out[MAX_BLOCK];
    uint8_t blocks[MAX_BLOCK];
    uint64_t r = 5;
    for (size_t t = 0; t < sizeof ternary / sizeof *ternary; t++) {
        const quant_info *q = quant_get((uint32_t)ternary[t]);
        for (int i = 0; i < MAX_BLOCK; i++) in[i] = 0.75f * (float)((int)rng_below(&r, 3) - 1);
        q->from_float(in, blocks, MAX_BLOCK);
        q->to_float(blocks, out, MAX_BLOCK);
        CHECK_MSG(memcmp(in, out, sizeof in) == 0, "%s", q->name);
    }
    static const float fp4[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    for (int i = 0; i < MAX_BLOCK; i++) in[i] = (i % 2 ? 4.0f : -4.0f) * fp4[(i + 7) / 2 % 8];
    for (quant_type t = QUANT_MXFP4; t <= QUANT_NVFP4; t++) {
        quant_get((uint32_t)t)->from_float(in, blocks, MAX_BLOCK);
        quant_get((uint32_t)t)->to_float(blocks, out, MAX_BLOCK);
        int wrong = 0;
        for (int i = 0; i < MAX_BLOCK; i++) wrong += in[i] != out[i];
        CHECK_MSG(wrong == 0, "%s: %d values differ", quant_get((uint32_t)t)->name, wrong);
    }
}

static double point_error(const float *x, const float *w, uint64_t point, int n, float scale) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const double e = (double)x[i] - (double)scale * (double)(point >> 8 * i & 255);
        sum += (double)w[i] * e * e;
    }
    return sum;
}

/* The search skips most points; looking at all of them finds nothing better. */
/* gcc 12 for aarch64 stops with an internal error when it vectorises the loops in here. */
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((optimize("no-tree-vectorize")))
#endif
static void
test_the_nearest_point_is_the_nearest(void) {
    static const int8_t three[3] = {8, 25, 43}, eight[8] = {1, 3, 5, 7, 9, 11, 13, 15};
    static iq_grid of_eight, of_four;
    iq_grid_of_eight(&of_eight, quant_iq2_s_grid, 1024, three);
    iq_grid_of_four(&of_four, quant_iq3_s_grid, 512, eight);
    uint64_t r = 6;
    for (int round = 0; round < 300; round++) {
        float x[8], w[8], error;
        for (int i = 0; i < 8; i++) x[i] = (float)rng_unit(&r), w[i] = (float)rng_unit(&r) + 0.01f;
        double best8 = INFINITY, best4 = INFINITY;
        for (int p = 0; p < 1024; p++)
            best8 = fmin(best8, point_error(x, w, quant_iq2_s_grid[p], 8, 0.025f));
        for (int p = 0; p < 512; p++)
            best4 = fmin(best4, point_error(x, w, quant_iq3_s_grid[p], 4, 0.07f));
        const int a = iq_nearest_eight(&of_eight, x, w, 0.025f, 0.0f, round, &error);
        const int b = iq_nearest_four(&of_four, x, w, 0.07f, round);
        CHECK(point_error(x, w, quant_iq2_s_grid[a], 8, 0.025f) <= best8 * 1.00001 + 1e-6);
        CHECK(point_error(x, w, quant_iq3_s_grid[b], 4, 0.07f) <= best4 * 1.00001 + 1e-6);
    }
}

/* Blocks at an odd address, ends guarded by the sanitizers: exactly the promised bytes are used. */
static void test_blocks_need_no_alignment(void) {
    uint64_t r = 1;
    for (uint32_t id = 0; id < QUANT_TYPE_COUNT; id++) {
        const quant_info *q = quant_get(id);
        if (!q->to_float) continue;
        uint8_t *bytes = malloc(2 * (size_t)q->bytes + 1);
        float *out = malloc(2 * q->block * sizeof *out),
              *again = malloc(2 * q->block * sizeof *out);
        REQUIRE(bytes && out && again);
        for (uint32_t i = 0; i < 2 * q->bytes; i++) bytes[i] = (uint8_t)rng_splitmix(&r);
        q->to_float(bytes, again, 2 * (size_t)q->block);
        memmove(bytes + 1, bytes, 2 * (size_t)q->bytes);
        q->to_float(bytes + 1, out, 2 * (size_t)q->block);
        CHECK_MSG(memcmp(out, again, 2 * q->block * sizeof *out) == 0, "%s", q->name);
        if (q->from_float) q->from_float(out, bytes + 1, 2 * (size_t)q->block);
        free(bytes);
        free(out);
        free(again);
    }
}

static void test_any_float_can_be_written(void) {
    static const float odd[] = {NAN,  INFINITY, -INFINITY, 3.4e38f, -3.4e38f, 1e-45f,
                                0.0f, -1e-39f,  65520.0f,  1e-8f,   -0.0f,    1.0f};
    enum { N_ODD = sizeof odd / sizeof *odd };
    uint64_t r = 2;
    float in[MAX_BLOCK], out[MAX_BLOCK], importance[MAX_BLOCK];
    uint8_t blocks[MAX_BLOCK * 8];
    for (uint32_t id = 0; id < QUANT_TYPE_COUNT; id++) {
        const quant_info *q = quant_get(id);
        if (!q->from_float) continue;
        for (int round = 0; round < 100; round++) {
            /* first rows of one kind of value, then mixtures of a few kinds */
            for (int i = 0; i < MAX_BLOCK; i++) {
                in[i] = odd[round < N_ODD ? (uint64_t)round : rng_below(&r, N_ODD)];
                importance[i] = odd[rng_below(&r, N_ODD)];
            }
            q->from_float(in, blocks, MAX_BLOCK);
            q->to_float(blocks, out, MAX_BLOCK);
            CHECK(quant_write_row((quant_type)id, in, blocks, MAX_BLOCK, importance));
            q->to_float(blocks, out, MAX_BLOCK);
        }
    }
    CHECK(!quant_write_row(QUANT_I8, in, blocks, MAX_BLOCK, NULL));
}

void suite_quant(void) {
    RUN(test_ids_names_and_sizes_are_those_of_gguf);
    RUN(test_every_type_has_a_sane_row);
    RUN(test_half_precision_rounds_to_nearest_even);
    RUN(test_every_half_comes_back);
    RUN(test_plain_numbers_are_read);
    RUN(test_eight_bit_floats_are_those_of_the_specification);
    RUN(test_reading_equals_ggml_bit_for_bit);
    RUN(test_writing_simple_types_equals_ggml_bit_for_bit);
    RUN(test_writing_loses_no_more_than_ggml);
    RUN(test_importance_lowers_the_weighted_error);
    RUN(test_importance_is_relative);
    RUN(test_exact_values_survive_a_round_trip);
    RUN(test_matching_weights_are_written_exactly);
    RUN(test_the_nearest_point_is_the_nearest);
    RUN(test_blocks_need_no_alignment);
    RUN(test_any_float_can_be_written);
}
