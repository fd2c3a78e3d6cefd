/* quant_legacy.c - the formats of one scale, and perhaps one offset, for a few dozen values.
 *
 * Writing follows ggml's reference quantizers operation by operation, so that the same floats give
 * the same file; every product and rounding below is therefore in the order it is for a reason.
 * Writing with importance is a search of our own. */
#include <math.h>

#include "quant/block.h"
#include "quant/quant_rows.h"
#include "quant/quant_search.h"

/* v cut to lo..hi and truncated towards zero. NaN gives lo: it must become some number. */
static int clip(float v, int lo, int hi) {
    if (!(v > (float)lo)) return lo;
    return v < (float)hi ? (int)v : hi;
}

/* 1 / d, 0 for d == 0, so that a block of zeros is written as zeros. */
static float inverse(float d) { return d != 0.0f ? 1.0f / d : 0.0f; }

/* Of 32 values the one farthest from 0, with its sign; the first of equals. */
static float farthest(const float *x) {
    float best = 0.0f;
    for (int i = 0; i < 32; i++)
        if (fabsf(x[i]) > fabsf(best)) best = x[i];
    return best;
}

/* x = (q - half) * d, q in 0 .. 2 * half - 1. The farthest value gets q = 0, the one level that has
 * no partner of the other sign; so d may be negative. */
static float centred(const float *x, int half, uint8_t *q) {
    const float d = farthest(x) / (float)-half, id = inverse(d);
    for (int i = 0; i < 32; i++)
        q[i] = (uint8_t)clip(x[i] * id + ((float)half + 0.5f), 0, 2 * half - 1);
    return d;
}

/* x = q * d + *m, q in 0 .. top. */
static float offset(const float *x, int top, uint8_t *q, float *m) {
    float min = x[0], max = x[0];
    for (int i = 1; i < 32; i++) {
        if (x[i] < min) min = x[i];
        if (x[i] > max) max = x[i];
    }
    const float d = (max - min) / (float)top, id = inverse(d);
    for (int i = 0; i < 32; i++) q[i] = (uint8_t)clip((x[i] - min) * id + 0.5f, 0, top);
    *m = min;
    return d;
}

/* The nibbles of 32 values in the order of Q4_0. */
static void put_nibbles(const uint8_t *q, uint8_t *out) {
    for (int i = 0; i < 16; i++) out[i] = (uint8_t)((q[i] & 15) | (q[i + 16] & 15) << 4);
}

static int nibble(const uint8_t *q, int i) { return i < 16 ? q[i] & 15 : q[i - 16] >> 4; }

static uint32_t fifth_bits(const uint8_t *q) {
    uint32_t high = 0;
    for (int i = 0; i < 32; i++) high |= (uint32_t)(q[i] >> 4) << i;
    return high;
}

static int five_bits(const uint8_t *q, uint32_t high, int i) {
    return nibble(q, i) | (int)(high >> i & 1) << 4;
}

/* As `centred` and `offset`, but where the weighted error is least; the halves are final. */
static uint16_t centred_search(const float *x, const float *importance, int half, uint8_t *q) {
    search_block b;
    search_prepare(&b, x, importance, 32);
    const search_span span = {b.x, b.w, 32, -half, half - 1};
    const uint16_t d = search_half(search_scale(&span));
    int8_t level[32];
    search_levels(&span, quant_f16_to_f32(d), 0.0f, level);
    for (int i = 0; i < 32; i++) q[i] = (uint8_t)(level[i] + half);
    return d;
}

static uint16_t offset_search(const float *x, const float *importance, int top, uint8_t *q,
                              uint16_t *m) {
    search_block b;
    search_prepare(&b, x, importance, 32);
    const search_span span = {b.x, b.w, 32, 0, top};
    const search_line line = search_affine(&span, 1);
    const uint16_t d = search_half(line.d);
    *m = search_half(-line.m);
    int8_t level[32];
    search_levels(&span, quant_f16_to_f32(d), -quant_f16_to_f32(*m), level);
    for (int i = 0; i < 32; i++) q[i] = (uint8_t)level[i];
    return d;
}

/* ---- Q4_0, Q4_1, Q5_0, Q5_1 ---- */

static void q4_0_read(const block_q4_0 *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < 32; i++) out[i] = (float)(nibble(b->q, i) - 8) * d;
}

static void q4_0_write(const float *in, block_q4_0 *b) {
    uint8_t q[32];
    b->d = quant_f32_to_f16(centred(in, 8, q));
    put_nibbles(q, b->q);
}

static void q4_0_search(const float *in, const float *importance, block_q4_0 *b) {
    uint8_t q[32];
    b->d = centred_search(in, importance, 8, q);
    put_nibbles(q, b->q);
}

static void q4_1_read(const block_q4_1 *b, float *out) {
    const float d = quant_f16_to_f32(b->d), m = quant_f16_to_f32(b->m);
    for (int i = 0; i < 32; i++) out[i] = (float)nibble(b->q, i) * d + m;
}

static void q4_1_write(const float *in, block_q4_1 *b) {
    uint8_t q[32];
    float m;
    b->d = quant_f32_to_f16(offset(in, 15, q, &m));
    b->m = quant_f32_to_f16(m);
    put_nibbles(q, b->q);
}

static void q4_1_search(const float *in, const float *importance, block_q4_1 *b) {
    uint8_t q[32];
    uint16_t m;
    b->d = offset_search(in, importance, 15, q, &m);
    b->m = m;
    put_nibbles(q, b->q);
}

static void q5_0_read(const block_q5_0 *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < 32; i++) out[i] = (float)(five_bits(b->q, b->high, i) - 16) * d;
}

static void q5_0_write(const float *in, block_q5_0 *b) {
    uint8_t q[32];
    b->d = quant_f32_to_f16(centred(in, 16, q));
    b->high = fifth_bits(q);
    put_nibbles(q, b->q);
}

static void q5_0_search(const float *in, const float *importance, block_q5_0 *b) {
    uint8_t q[32];
    b->d = centred_search(in, importance, 16, q);
    b->high = fifth_bits(q);
    put_nibbles(q, b->q);
}

static void q5_1_read(const block_q5_1 *b, float *out) {
    const float d = quant_f16_to_f32(b->d), m = quant_f16_to_f32(b->m);
    for (int i = 0; i < 32; i++) out[i] = (float)five_bits(b->q, b->high, i) * d + m;
}

static void q5_1_write(const float *in, block_q5_1 *b) {
    uint8_t q[32];
    float m;
    b->d = quant_f32_to_f16(offset(in, 31, q, &m));
    b->m = quant_f32_to_f16(m);
    b->high = fifth_bits(q);
    put_nibbles(q, b->q);
}

static void q5_1_search(const float *in, const float *importance, block_q5_1 *b) {
    uint8_t q[32];
    uint16_t m;
    b->d = offset_search(in, importance, 31, q, &m);
    b->m = m;
    b->high = fifth_bits(q);
    put_nibbles(q, b->q);
}

/* ---- Q8_0, Q8_1 ---- */

static float eight_bits(const float *x, int8_t *q) {
    const float d = fabsf(farthest(x)) / 127.0f, id = inverse(d);
    for (int i = 0; i < 32; i++) q[i] = (int8_t)clip(roundf(x[i] * id), -127, 127);
    return d;
}

static void q8_0_read(const block_q8_0 *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < 32; i++) out[i] = (float)b->q[i] * d;
}

static void q8_0_write(const float *in, block_q8_0 *b) {
    b->d = quant_f32_to_f16(eight_bits(in, b->q));
}

static void q8_1_read(const block_q8_1 *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < 32; i++) out[i] = (float)b->q[i] * d;
}

static void q8_1_write(const float *in, block_q8_1 *b) {
    const float d = eight_bits(in, b->q);
    int sum = 0;
    for (int i = 0; i < 32; i++) sum += b->q[i];
    b->d = quant_f32_to_f16(d);
    b->s = quant_f32_to_f16((float)sum * d);
}

QUANT_READ_ROWS(q4_0, 32)
QUANT_READ_ROWS(q4_1, 32)
QUANT_READ_ROWS(q5_0, 32)
QUANT_READ_ROWS(q5_1, 32)
QUANT_READ_ROWS(q8_0, 32)
QUANT_READ_ROWS(q8_1, 32)
QUANT_WRITE_ROWS(q4_0, 32)
QUANT_WRITE_ROWS(q4_1, 32)
QUANT_WRITE_ROWS(q5_0, 32)
QUANT_WRITE_ROWS(q5_1, 32)
QUANT_WRITE_ROWS(q8_0, 32)
QUANT_WRITE_ROWS(q8_1, 32)
QUANT_SEARCH_ROWS(q4_0, 32)
QUANT_SEARCH_ROWS(q4_1, 32)
QUANT_SEARCH_ROWS(q5_0, 32)
QUANT_SEARCH_ROWS(q5_1, 32)
