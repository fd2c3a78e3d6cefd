/* quant_k.c - the K formats: 256 values in sub-blocks with integer scales.
 *
 * The functions that fetch one number of a block are the drawings of block.h in code. */
#include <math.h>
#include <string.h>

#include "quant/block.h"
#include "quant/quant_rows.h"
#include "quant/quant_search.h"

enum { BLOCK_LEN = 256 };

/* Value i of 256 in two bits: each half of 128 values has 32 bytes, a quarter for each bit pair. */
static int two_bits(const uint8_t *q, int i) {
    return q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

static void q2_k_read(const block_q2_k *b, float *out) {
    const float d = quant_f16_to_f32(b->d), min = quant_f16_to_f32(b->min);
    for (int i = 0; i < BLOCK_LEN; i++) {
        const int s = b->scale[i / 16];
        out[i] = d * (float)(s & 15) * (float)two_bits(b->q, i) - min * (float)(s >> 4);
    }
}

static int q3_k_scale(const block_q3_k *b, int s) {
    const int low = s < 8 ? b->scale[s] & 15 : b->scale[s - 8] >> 4;
    return (low | (b->scale[8 + s % 4] >> s / 4 * 2 & 3) << 4) - 32;
}

static void q3_k_read(const block_q3_k *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < BLOCK_LEN; i++) {
        const int high = b->high[i % 32] >> i / 32 & 1;
        const int q = (two_bits(b->q, i) | high << 2) - 4;
        out[i] = d * (float)q3_k_scale(b, i / 16) * (float)q;
    }
}

/* Scale and minimum s of the 12 bytes of Q4_K and Q5_K. */
static int q4_k_scale(const uint8_t *p, int s) {
    return s < 4 ? p[s] & 63 : (p[s + 4] & 15) | p[s - 4] >> 6 << 4;
}

static int q4_k_minimum(const uint8_t *p, int s) {
    return s < 4 ? p[s + 4] & 63 : p[s + 4] >> 4 | p[s] >> 6 << 4;
}

/* Value i of 256 values in nibbles: 32 bytes for each 64 values. */
static int four_bits(const uint8_t *q, int i) {
    return q[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15;
}

static void q4_k_read(const block_q4_k *b, float *out) {
    const float d = quant_f16_to_f32(b->d), min = quant_f16_to_f32(b->min);
    for (int i = 0; i < BLOCK_LEN; i++) {
        const float scale = d * (float)q4_k_scale(b->scale, i / 32);
        const float minimum = min * (float)q4_k_minimum(b->scale, i / 32);
        out[i] = scale * (float)four_bits(b->q, i) - minimum;
    }
}

static void q5_k_read(const block_q5_k *b, float *out) {
    const float d = quant_f16_to_f32(b->d), min = quant_f16_to_f32(b->min);
    for (int i = 0; i < BLOCK_LEN; i++) {
        const float scale = d * (float)q4_k_scale(b->scale, i / 32);
        const float minimum = min * (float)q4_k_minimum(b->scale, i / 32);
        const int q = four_bits(b->q, i) | (b->high[i % 32] >> i / 32 & 1) << 4;
        out[i] = scale * (float)q - minimum;
    }
}

static void q6_k_read(const block_q6_k *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < BLOCK_LEN; i++) {
        const int low = b->low[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15;
        const int q = (low | two_bits(b->high, i) << 4) - 32;
        out[i] = d * (float)b->scale[i / 16] * (float)q;
    }
}

static void q8_k_read(const block_q8_k *b, float *out) {
    for (int i = 0; i < BLOCK_LEN; i++) out[i] = b->d * (float)b->q[i];
}

/* The farthest value becomes -127. */
static void q8_k_write(const float *in, block_q8_k *b) {
    float max = 0.0f;
    for (int i = 0; i < BLOCK_LEN; i++)
        if (isfinite(in[i]) && fabsf(in[i]) > fabsf(max)) max = in[i];
    *b = (block_q8_k){0};
    const float id = max != 0.0f ? -127.0f / max : INFINITY;
    if (!isfinite(id)) return; /* zeros, or so little that the inverse is infinite: zeros */
    for (int i = 0; i < BLOCK_LEN; i++) {
        const float v = rintf(in[i] * id);
        b->q[i] = (int8_t)(v < 127.0f ? v > -127.0f ? v : -127.0f : 127.0f);
        b->sum[i / 16] = (int16_t)(b->sum[i / 16] + b->q[i]);
    }
    b->d = 1.0f / id;
}

/* ---- Writing: fitting a super-block ---- */

/* A super-block of x ~ d * scale * q - min * minimum. */
typedef struct affine_fit {
    uint16_t d, min;
    uint8_t scale[16], minimum[16];
    int8_t q[BLOCK_LEN];
} affine_fit;

/* What is being fitted: its sub-blocks, and what each would like without regard to the others. */
typedef struct affine_task {
    search_span span[16];
    search_line want[16];
    int n_sub, scale_top;
} affine_task;

/* The whole numbers in lo..hi below and above v. */
static void around(float v, int lo, int hi, int *out) {
    if (v < (float)lo) v = (float)lo;
    if (v > (float)hi) v = (float)hi;
    out[0] = (int)floorf(v);
    out[1] = out[0] < hi ? out[0] + 1 : hi;
}

/* Fill in scales and minimums for these d and min. Returns the error of the block. */
static float affine_choose(const affine_task *t, uint16_t d_half, uint16_t min_half,
                           affine_fit *f) {
    const float d = quant_f16_to_f32(d_half), min = quant_f16_to_f32(min_half);
    float total = 0.0f;
    f->d = d_half;
    f->min = min_half;
    for (int s = 0; s < t->n_sub; s++) {
        int scale[2], minimum[2];
        float best = INFINITY;
        around(d > 0.0f ? t->want[s].d / d : 0.0f, 0, t->scale_top, scale);
        around(min > 0.0f ? t->want[s].m / min : 0.0f, 0, t->scale_top, minimum);
        for (int k = 0; k < 4; k++) {
            const float error =
                search_error(&t->span[s], d * (float)scale[k % 2], min * (float)minimum[k / 2]);
            if (!(error < best)) continue;
            best = error;
            f->scale[s] = (uint8_t)scale[k % 2];
            f->minimum[s] = (uint8_t)minimum[k / 2];
        }
        total += best;
    }
    return total;
}

static void affine_levels(const affine_task *t, affine_fit *f) {
    const float d = quant_f16_to_f32(f->d), min = quant_f16_to_f32(f->min);
    for (int s = 0, at = 0; s < t->n_sub; at += t->span[s++].n)
        search_levels(&t->span[s], d * f->scale[s], min * f->minimum[s], f->q + at);
}

/* The best d and min when every whole number of the block stays. */
static search_line affine_regress(const affine_task *t, const affine_fit *f) {
    double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;
    for (int s = 0, at = 0; s < t->n_sub; at += t->span[s++].n) {
        const float *x = t->span[s].x, *w = t->span[s].w;
        for (int i = 0; i < t->span[s].n; i++) {
            const double a = f->scale[s] * f->q[at + i], b = f->minimum[s];
            const double wi = (double)w[i], xi = (double)x[i];
            aa += wi * a * a;
            ab += wi * a * b;
            bb += wi * b * b;
            ax += wi * a * xi;
            bx += wi * b * xi;
        }
    }
    const double det = aa * bb - ab * ab;
    if (det > 1e-9 * aa * bb)
        return (search_line){(float)((ax * bb - bx * ab) / det),
                             (float)((ax * ab - bx * aa) / det)};
    return (search_line){aa > 0 ? (float)(ax / aa) : 0.0f, bb > 0 ? (float)(-bx / bb) : 0.0f};
}

/* Keep d and min if they lose less than the best so far. */
static int affine_try(const affine_task *t, float d, float min, affine_fit *best, float *least) {
    affine_fit f;
    const float error = affine_choose(t, search_half_not_zero(fmaxf(d, 0.0f)),
                                      search_half_not_zero(fmaxf(min, 0.0f)), &f);
    if (!(error < *least)) return 0;
    *least = error;
    *best = f;
    return 1;
}

/* Fit a block in sub-blocks of n with numbers in 0..top and scales in 0..scale_top. A coarse scale
 * that suits most sub-blocks can be better than the one that suits the largest, so n_try fractions
 * of it are tried. */
static void affine_search(const search_block *b, int n, int top, int scale_top, int n_try,
                          affine_fit *best) {
    static const float fraction[] = {1.0f, 0.96f, 1.04f, 0.92f, 1.08f, 0.87f, 0.82f};
    affine_task t = {.n_sub = BLOCK_LEN / n, .scale_top = scale_top};
    float d = 0.0f, min = 0.0f, least = INFINITY;
    for (int s = 0; s < t.n_sub; s++) {
        t.span[s] = (search_span){b->x + s * n, b->w + s * n, n, 0, top};
        t.want[s] = search_affine(&t.span[s], 0);
        d = fmaxf(d, t.want[s].d / (float)scale_top);
        min = fmaxf(min, t.want[s].m / (float)scale_top);
    }
    float with = 1.0f;
    for (int k = 0; k < n_try; k++)
        if (affine_try(&t, d * fraction[k], min, best, &least)) with = fraction[k];
    for (int k = 1; k < n_try; k++) affine_try(&t, d * with, min * fraction[k], best, &least);
    affine_levels(&t, best);
    for (int k = 0; k < 3; k++) {
        const search_line line = affine_regress(&t, best);
        if (!affine_try(&t, line.d, line.m, best, &least)) return;
        affine_levels(&t, best);
    }
}

/* A super-block of x ~ d * scale * q. */
typedef struct scaled_fit {
    uint16_t d;
    int8_t scale[16];
    int8_t q[BLOCK_LEN];
} scaled_fit;

static search_sums span_pattern(void *ctx, int part, float scale) {
    const search_span *span = ctx;
    return search_rounded(&span[part], scale);
}

/* Fit a block in sub-blocks of 16 with numbers in lo..hi and scales in scale_lo..scale_hi. */
static void scaled_search(const search_block *b, int lo, int hi, int scale_lo, int scale_hi,
                          scaled_fit *f) {
    search_span span[16];
    search_parts p = {span_pattern, span, 16, scale_lo, scale_hi, 1.0f, 0.0f, {0}};
    for (int s = 0; s < 16; s++) {
        span[s] = (search_span){b->x + 16 * s, b->w + 16 * s, 16, lo, hi};
        p.want[s] = search_scale(&span[s]);
    }
    f->d = search_scales(&p, 5, f->scale);
    const float d = quant_f16_to_f32(f->d);
    for (int s = 0; s < 16; s++)
        search_levels(&span[s], d * (float)f->scale[s], 0.0f, f->q + 16 * s);
}

/* ---- Writing: packing ---- */

static void put_two_bits(uint8_t *q, int i, int v) {
    q[i / 128 * 32 + i % 32] |= (uint8_t)((v & 3) << i % 128 / 32 * 2);
}

static void put_four_bits(uint8_t *q, int i, int v) {
    q[i / 64 * 32 + i % 32] |= (uint8_t)((v & 15) << i % 64 / 32 * 4);
}

static void q2_k_search(const float *in, const float *importance, block_q2_k *b) {
    search_block x;
    affine_fit f;
    search_prepare(&x, in, importance, BLOCK_LEN);
    affine_search(&x, 16, 3, 15, 7, &f);
    *b = (block_q2_k){.d = f.d, .min = f.min};
    for (int s = 0; s < 16; s++) b->scale[s] = (uint8_t)(f.scale[s] | f.minimum[s] << 4);
    for (int i = 0; i < BLOCK_LEN; i++) put_two_bits(b->q, i, f.q[i]);
}

static void q3_k_search(const float *in, const float *importance, block_q3_k *b) {
    search_block x;
    scaled_fit f;
    search_prepare(&x, in, importance, BLOCK_LEN);
    scaled_search(&x, -4, 3, -32, 31, &f);
    *b = (block_q3_k){.d = f.d};
    for (int s = 0; s < 16; s++) {
        const int v = f.scale[s] + 32;
        b->scale[s % 8] |= (uint8_t)((v & 15) << s / 8 * 4);
        b->scale[8 + s % 4] |= (uint8_t)(v >> 4 << s / 4 * 2);
    }
    for (int i = 0; i < BLOCK_LEN; i++) {
        put_two_bits(b->q, i, f.q[i] + 4);
        b->high[i % 32] |= (uint8_t)((f.q[i] + 4) >> 2 << i / 32);
    }
}

static void put_q4_k_scales(uint8_t *p, const affine_fit *f) {
    for (int s = 0; s < 4; s++) {
        p[s] = (uint8_t)(f->scale[s] | f->scale[s + 4] >> 4 << 6);
        p[s + 4] = (uint8_t)(f->minimum[s] | f->minimum[s + 4] >> 4 << 6);
        p[s + 8] = (uint8_t)((f->scale[s + 4] & 15) | (f->minimum[s + 4] & 15) << 4);
    }
}

static void q4_k_search(const float *in, const float *importance, block_q4_k *b) {
    search_block x;
    affine_fit f;
    search_prepare(&x, in, importance, BLOCK_LEN);
    affine_search(&x, 32, 15, 63, 2, &f);
    *b = (block_q4_k){.d = f.d, .min = f.min};
    put_q4_k_scales(b->scale, &f);
    for (int i = 0; i < BLOCK_LEN; i++) put_four_bits(b->q, i, f.q[i]);
}

static void q5_k_search(const float *in, const float *importance, block_q5_k *b) {
    search_block x;
    affine_fit f;
    search_prepare(&x, in, importance, BLOCK_LEN);
    affine_search(&x, 32, 31, 63, 2, &f);
    *b = (block_q5_k){.d = f.d, .min = f.min};
    put_q4_k_scales(b->scale, &f);
    for (int i = 0; i < BLOCK_LEN; i++) {
        put_four_bits(b->q, i, f.q[i]);
        b->high[i % 32] |= (uint8_t)(f.q[i] >> 4 << i / 32);
    }
}

static void q6_k_search(const float *in, const float *importance, block_q6_k *b) {
    search_block x;
    scaled_fit f;
    search_prepare(&x, in, importance, BLOCK_LEN);
    scaled_search(&x, -32, 31, -128, 127, &f);
    *b = (block_q6_k){.d = f.d};
    for (int s = 0; s < 16; s++) b->scale[s] = f.scale[s];
    for (int i = 0; i < BLOCK_LEN; i++) {
        const int v = f.q[i] + 32;
        b->low[i / 128 * 64 + i % 64] |= (uint8_t)((v & 15) << i % 128 / 64 * 4);
        put_two_bits(b->high, i, v >> 4);
    }
}

QUANT_READ_ROWS(q2_k, BLOCK_LEN)
QUANT_READ_ROWS(q3_k, BLOCK_LEN)
QUANT_READ_ROWS(q4_k, BLOCK_LEN)
QUANT_READ_ROWS(q5_k, BLOCK_LEN)
QUANT_READ_ROWS(q6_k, BLOCK_LEN)
QUANT_READ_ROWS(q8_k, BLOCK_LEN)
QUANT_WRITE_ROWS(q8_k, BLOCK_LEN)
QUANT_ONLY_SEARCH_ROWS(q2_k, BLOCK_LEN)
QUANT_ONLY_SEARCH_ROWS(q3_k, BLOCK_LEN)
QUANT_ONLY_SEARCH_ROWS(q4_k, BLOCK_LEN)
QUANT_ONLY_SEARCH_ROWS(q5_k, BLOCK_LEN)
QUANT_ONLY_SEARCH_ROWS(q6_k, BLOCK_LEN)
