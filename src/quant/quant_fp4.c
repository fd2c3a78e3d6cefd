/* quant_fp4.c - the formats of 4-bit floats: MXFP4 of the OCP Microscaling specification, and
 * NVFP4. */
#include <math.h>

#include "quant/block.h"
#include "quant/quant_rows.h"
#include "quant/quant_search.h"

/* Twice the value of each fp4 number, so that it is whole; scales are halved to match. */
static const int8_t twice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* 2^(e - 128) for e in 0..255: half of the scale. Exact, also where it is subnormal. */
static float mxfp4_half_scale(uint8_t e) { return ldexpf(1.0f, e - 128); }

static void mxfp4_read(const block_mxfp4 *b, float *out) {
    const float d = mxfp4_half_scale(b->e);
    for (int i = 0; i < 16; i++) {
        out[i] = (float)twice[b->q[i] & 15] * d;
        out[i + 16] = (float)twice[b->q[i] >> 4] * d;
    }
}

/* Half of the scale in E4M3: 4 bits of exponent (bias 7), 3 of fraction. 0x7f is NaN in the format
 * and 0 here; the sign bit is not looked at. Both as in ggml. */
static float nvfp4_half_scale(uint8_t s) {
    const int exponent = s >> 3 & 15, fraction = s & 7;
    if (s == 0x7f) return 0.0f;
    if (exponent == 0) return ldexpf((float)fraction, -10);
    return ldexpf((float)(8 + fraction), exponent - 11);
}

static void nvfp4_read(const block_nvfp4 *b, float *out) {
    for (int s = 0; s < 4; s++, out += 16) {
        const float d = nvfp4_half_scale(b->scale[s]);
        const uint8_t *q = b->q + 8 * s;
        for (int i = 0; i < 8; i++) {
            out[i] = (float)twice[q[i] & 15] * d;
            out[i + 8] = (float)twice[q[i] >> 4] * d;
        }
    }
}

/* ---- Writing ---- */

/* The number nearest to v, which is in units of half the scale. */
static int nearest_fp4(float v) {
    static const float middle[7] = {0.5f, 1.5f, 2.5f, 3.5f, 5.0f, 7.0f, 10.0f};
    const float size = fabsf(v);
    int q = 0;
    for (int i = 0; i < 7; i++) q += size > middle[i];
    return v < 0.0f ? q | 8 : q;
}

/* The weighted error of n values at a scale. */
static float fp4_error(const float *x, const float *w, int n, float half_scale) {
    const float inverse = half_scale > 0.0f ? 1.0f / half_scale : 0.0f;
    float error = 0.0f;
    for (int i = 0; i < n; i++) {
        const float e = x[i] - (float)twice[nearest_fp4(x[i] * inverse)] * half_scale;
        error += w[i] * e * e;
    }
    return error;
}

static void put_fp4(const float *x, int n, float half_scale, uint8_t *q) {
    const float inverse = half_scale > 0.0f ? 1.0f / half_scale : 0.0f;
    for (int i = 0; i < n / 2; i++)
        q[i] = (uint8_t)(nearest_fp4(x[i] * inverse) | nearest_fp4(x[i + n / 2] * inverse) << 4);
}

static float farthest(const float *x, int n) {
    float far = 0.0f;
    for (int i = 0; i < n; i++) far = fmaxf(far, fabsf(x[i]));
    return far;
}

/* The least error among scale numbers first .. last. */
static int best_scale(const float *x, const float *w, int n, float (*half_scale)(uint8_t),
                      int first, int last) {
    int best = first;
    float least = INFINITY;
    for (int s = first; s <= last; s++) {
        const float error = fp4_error(x, w, n, half_scale((uint8_t)s));
        if (error < least) least = error, best = s;
    }
    return best;
}

static void mxfp4_search(const float *in, const float *importance, block_mxfp4 *b) {
    search_block s;
    search_prepare(&s, in, importance, 32);
    const float far = farthest(s.x, 32);
    *b = (block_mxfp4){0};
    if (far < 1e-30f) return;
    /* 2^e is just above the farthest value, which at scale 2^(e - 3) is in 4..8: cut off at 6 or
     * not. One scale below and one above may lose less. */
    int e;
    frexpf(far, &e);
    b->e = (uint8_t)best_scale(s.x, s.w, 32, mxfp4_half_scale, e + 127 - 4, e + 127 - 2);
    put_fp4(s.x, 32, mxfp4_half_scale(b->e), b->q);
}

static void nvfp4_search(const float *in, const float *importance, block_nvfp4 *b) {
    enum { LARGEST = 0x7e };
    search_block s;
    search_prepare(&s, in, importance, 64);
    for (int k = 0; k < 4; k++) {
        const float *x = s.x + 16 * k, *w = s.w + 16 * k;
        /* From where the farthest value is 6 some numbers up and down: 8 double the scale. */
        const float far = farthest(x, 16);
        int at = 0;
        while (at < LARGEST && 12.0f * nvfp4_half_scale((uint8_t)at) < far) at++;
        b->scale[k] = (uint8_t)best_scale(x, w, 16, nvfp4_half_scale, at > 5 ? at - 5 : 0,
                                          at + 4 < LARGEST ? at + 4 : LARGEST);
        put_fp4(x, 16, nvfp4_half_scale(b->scale[k]), b->q + 8 * k);
    }
}

QUANT_READ_ROWS(mxfp4, 32)
QUANT_READ_ROWS(nvfp4, 64)
QUANT_ONLY_SEARCH_ROWS(mxfp4, 32)
QUANT_ONLY_SEARCH_ROWS(nvfp4, 64)
