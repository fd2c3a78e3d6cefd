/* quant_ternary.c - the formats of one and two bits with one scale: -1, 0 and 1 in TQ1_0 and TQ2_0,
 * signs alone in Q1_0, -1, 0, 1 and 2 in Q2_0.
 *
 * ggml writes TQ1_0 and TQ2_0 with the largest value as the scale, which suits weights that are
 * ternary already. Here the scale is searched: of such weights it is the same, of others the error
 * is a fraction. */
#include <math.h>

#include "quant/block.h"
#include "quant/quant_rows.h"
#include "quant/quant_search.h"

enum { BLOCK_LEN = 256 };

/* ---- Reading ---- */

/* Digit k of a byte that is a fraction of 256 in base 3: multiplying by 3^k modulo 256 drops the
 * digits in front, multiplying by 3 again brings the next one to the top. */
static int digit(uint8_t byte, int k) {
    static const uint8_t power[5] = {1, 3, 9, 27, 81};
    return (uint8_t)(byte * power[k]) * 3 >> 8;
}

/* Where value i of TQ1_0 is: which byte of q followed by last, and which digit. */
static int tq1_0_place(int i, int *k) {
    if (i < 160) return *k = i / 32, i % 32;
    if (i < 240) return *k = (i - 160) / 16, 32 + i % 16;
    return *k = (i - 240) / 4, 48 + i % 4;
}

static void tq1_0_read(const block_tq1_0 *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < BLOCK_LEN; i++) {
        int k;
        const int at = tq1_0_place(i, &k);
        out[i] = (float)(digit(at < 48 ? b->q[at] : b->last[at - 48], k) - 1) * d;
    }
}

static void tq2_0_read(const block_tq2_0 *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < BLOCK_LEN; i++)
        out[i] = (float)((b->q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3) - 1) * d;
}

static void q1_0_read(const block_q1_0 *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < 128; i++) out[i] = b->q[i / 8] >> i % 8 & 1 ? d : -d;
}

static void q2_0_read(const block_q2_0 *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < 64; i++) out[i] = (float)((b->q[i / 4] >> i % 4 * 2 & 3) - 1) * d;
}

/* ---- Writing ---- */

static search_sums rounded(void *ctx, int part, float scale) {
    (void)part;
    return search_rounded(ctx, scale);
}

/* The best scale for levels lo..hi, and the level of each value. The ladder begins at the root mean
 * square, where all values count, and ends where only the farthest few do. */
static uint16_t few_levels(const float *in, const float *importance, int n, int hi, int8_t *q) {
    search_block b;
    search_prepare(&b, in, importance, (size_t)n);
    search_span span = {b.x, b.w, n, -1, hi};
    float xx = 0.0f, ww = 0.0f, scale = 0.0f;
    for (int i = 0; i < n; i++) {
        xx += b.w[i] * b.x[i] * b.x[i];
        ww += b.w[i];
    }
    const float size = sqrtf(xx / ww);
    if (size > 1e-30f) scale = search_ladder(rounded, &span, 0, 0.7f * size, 1.2f, 18);
    if (size > 1e-30f && hi != 1) {
        const float minus = search_ladder(rounded, &span, 0, -0.7f * size, 1.2f, 18);
        if (search_error(&span, minus, 0.0f) < search_error(&span, scale, 0.0f)) scale = minus;
    }
    const uint16_t half = search_half_not_zero(scale);
    search_levels(&span, quant_f16_to_f32(half), 0.0f, q);
    return half;
}

/* The digits of a byte from the front as a fraction of 256, rounded up so that cutting off digit
 * after digit gives them back. */
static uint8_t pack_digits(const int *d, int n) {
    int v = 0;
    for (int i = 0; i < 5; i++) v = 3 * v + (i < n ? d[i] : 0);
    return (uint8_t)((v * 256 + 242) / 243);
}

static void tq1_0_search(const float *in, const float *importance, block_tq1_0 *b) {
    int8_t q[BLOCK_LEN];
    int d[52][5] = {{0}};
    b->d = few_levels(in, importance, BLOCK_LEN, 1, q);
    for (int i = 0; i < BLOCK_LEN; i++) {
        int k;
        const int at = tq1_0_place(i, &k);
        d[at][k] = q[i] + 1;
    }
    for (int at = 0; at < 48; at++) b->q[at] = pack_digits(d[at], 5);
    for (int at = 0; at < 4; at++) b->last[at] = pack_digits(d[48 + at], 4);
}

static void tq2_0_search(const float *in, const float *importance, block_tq2_0 *b) {
    int8_t q[BLOCK_LEN];
    *b = (block_tq2_0){.d = few_levels(in, importance, BLOCK_LEN, 1, q)};
    for (int i = 0; i < BLOCK_LEN; i++)
        b->q[i / 128 * 32 + i % 32] |= (uint8_t)((q[i] + 1) << i % 128 / 32 * 2);
}

/* The best scale for signs is the mean size. */
static void q1_0_search(const float *in, const float *importance, block_q1_0 *b) {
    search_block s;
    float xw = 0.0f, ww = 0.0f;
    search_prepare(&s, in, importance, 128);
    *b = (block_q1_0){0};
    for (int i = 0; i < 128; i++) {
        xw += s.w[i] * fabsf(s.x[i]);
        ww += s.w[i];
        b->q[i / 8] |= (uint8_t)((s.x[i] >= 0.0f) << i % 8);
    }
    b->d = search_half(xw / ww);
}

static void q2_0_search(const float *in, const float *importance, block_q2_0 *b) {
    int8_t q[64];
    *b = (block_q2_0){.d = few_levels(in, importance, 64, 2, q)};
    for (int i = 0; i < 64; i++) b->q[i / 4] |= (uint8_t)((q[i] + 1) << i % 4 * 2);
}

QUANT_READ_ROWS(tq1_0, BLOCK_LEN)
QUANT_READ_ROWS(tq2_0, BLOCK_LEN)
QUANT_READ_ROWS(q1_0, 128)
QUANT_READ_ROWS(q2_0, 64)
QUANT_ONLY_SEARCH_ROWS(tq1_0, BLOCK_LEN)
QUANT_ONLY_SEARCH_ROWS(tq2_0, BLOCK_LEN)
QUANT_ONLY_SEARCH_ROWS(q1_0, 128)
QUANT_ONLY_SEARCH_ROWS(q2_0, 64)
