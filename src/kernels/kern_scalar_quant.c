/* kern_scalar_quant.c - the specification of integer products: every quantized type as integers in
 * a byte, with scales and offsets, and the chain of kern.h over them.
 *
 * The layouts are drawn in quant/block.h. Scales are products of a half-precision number and a
 * small integer, so they are exact floats. Where scales of 16 weights are small integers they go
 * into the weights instead (Q2_K, Q3_K), and a block of 32 has one scale. */
#include <math.h>

#include "kernels/kern_quant.h"
#include "quant/block.h"
#include "quant/quant_iq_tables.h"

static float half(uint16_t h) { return quant_f16_to_f32(h); }

static void set_scale(kern_weights *w, float scale) { w->scale[0] = w->scale[1] = scale; }
static void set_offset(kern_weights *w, float offset) { w->offset[0] = w->offset[1] = offset; }

/* Values 0..15 in the low nibbles, 16..31 in the high ones. */
static int nibble_of_32(const uint8_t *q, int i) { return i < 16 ? q[i] & 15 : q[i - 16] >> 4; }

static int nibble(const uint8_t *p, int i) { return p[i / 2] >> i % 2 * 4 & 15; }

/* ---- 32 weights ---- */

static void read_q4_0(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q4_0 *b = (const block_q4_0 *)(const void *)row + block;
    set_scale(w, half(b->d));
    set_offset(w, 0.0f);
    for (int i = 0; i < 32; i++) w->q[i] = (int8_t)(nibble_of_32(b->q, i) - 8);
}

static void read_q4_1(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q4_1 *b = (const block_q4_1 *)(const void *)row + block;
    set_scale(w, half(b->d));
    set_offset(w, half(b->m));
    for (int i = 0; i < 32; i++) w->q[i] = (int8_t)nibble_of_32(b->q, i);
}

static int fifth_bit(uint32_t high, int i) { return (int)(high >> i & 1) << 4; }

static void read_q5_0(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q5_0 *b = (const block_q5_0 *)(const void *)row + block;
    set_scale(w, half(b->d));
    set_offset(w, 0.0f);
    for (int i = 0; i < 32; i++)
        w->q[i] = (int8_t)((nibble_of_32(b->q, i) | fifth_bit(b->high, i)) - 16);
}

static void read_q5_1(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q5_1 *b = (const block_q5_1 *)(const void *)row + block;
    set_scale(w, half(b->d));
    set_offset(w, half(b->m));
    for (int i = 0; i < 32; i++) w->q[i] = (int8_t)(nibble_of_32(b->q, i) | fifth_bit(b->high, i));
}

static void read_q8_0(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q8_0 *b = (const block_q8_0 *)(const void *)row + block;
    set_scale(w, half(b->d));
    set_offset(w, 0.0f);
    for (int i = 0; i < 32; i++) w->q[i] = b->q[i];
}

static void read_q8_1(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q8_1 *b = (const block_q8_1 *)(const void *)row + block;
    set_scale(w, half(b->d));
    set_offset(w, 0.0f);
    for (int i = 0; i < 32; i++) w->q[i] = b->q[i];
}

/* ---- K formats ---- */

/* Value i of 256 in two bits. */
static int two_bits(const uint8_t *q, int i) {
    return q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

static void read_q2_k(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q2_k *b = (const block_q2_k *)(const void *)row + block / 8;
    const int first = (int)(block % 8) * 32;
    const uint8_t *scale = b->scale + first / 16;
    set_scale(w, half(b->d));
    for (int h = 0; h < 2; h++) w->offset[h] = -(half(b->min) * (float)(scale[h] >> 4));
    for (int i = 0; i < 32; i++)
        w->q[i] = (int8_t)(two_bits(b->q, first + i) * (scale[i / 16] & 15));
}

static int q3_k_scale(const block_q3_k *b, int s) {
    const int low = s < 8 ? b->scale[s] & 15 : b->scale[s - 8] >> 4;
    return (low | (b->scale[8 + s % 4] >> s / 4 * 2 & 3) << 4) - 32;
}

/* q - 4 is in -4..3 and a scale in -32..31: minus their product fits a byte, their product does
 * not. */
static void read_q3_k(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q3_k *b = (const block_q3_k *)(const void *)row + block / 8;
    const int first = (int)(block % 8) * 32;
    set_scale(w, -half(b->d));
    set_offset(w, 0.0f);
    for (int i = 0; i < 32; i++) {
        const int high = b->high[i] >> block % 8 & 1;
        const int q = (two_bits(b->q, first + i) | high << 2) - 4;
        w->q[i] = (int8_t) - (q * q3_k_scale(b, (first + i) / 16));
    }
}

/* Scale and minimum s of the 12 bytes of Q4_K and Q5_K. */
static int q4_k_scale(const uint8_t *p, uint32_t s) {
    return s < 4 ? p[s] & 63 : (p[s + 4] & 15) | p[s - 4] >> 6 << 4;
}

static int q4_k_minimum(const uint8_t *p, uint32_t s) {
    return s < 4 ? p[s + 4] & 63 : p[s + 4] >> 4 | p[s] >> 6 << 4;
}

static int four_bits(const uint8_t *q, int i) {
    return q[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15;
}

static void read_q4_k(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q4_k *b = (const block_q4_k *)(const void *)row + block / 8;
    const int first = (int)(block % 8) * 32;
    set_scale(w, half(b->d) * (float)q4_k_scale(b->scale, block % 8));
    set_offset(w, -(half(b->min) * (float)q4_k_minimum(b->scale, block % 8)));
    for (int i = 0; i < 32; i++) w->q[i] = (int8_t)four_bits(b->q, first + i);
}

static void read_q5_k(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q5_k *b = (const block_q5_k *)(const void *)row + block / 8;
    const int first = (int)(block % 8) * 32;
    set_scale(w, half(b->d) * (float)q4_k_scale(b->scale, block % 8));
    set_offset(w, -(half(b->min) * (float)q4_k_minimum(b->scale, block % 8)));
    for (int i = 0; i < 32; i++)
        w->q[i] = (int8_t)(four_bits(b->q, first + i) | (b->high[i] >> block % 8 & 1) << 4);
}

static void read_q6_k(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q6_k *b = (const block_q6_k *)(const void *)row + block / 8;
    const int first = (int)(block % 8) * 32;
    for (int h = 0; h < 2; h++) w->scale[h] = half(b->d) * (float)b->scale[first / 16 + h];
    set_offset(w, 0.0f);
    for (int i = first; i < first + 32; i++) {
        const int low = b->low[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15;
        w->q[i - first] = (int8_t)((low | two_bits(b->high, i) << 4) - 32);
    }
}

/* ---- IQ formats ---- */

/* Eight weights: bytes of a point with signs. */
static void put_eight(int8_t *q, uint64_t point, uint32_t signs) {
    for (int i = 0; i < 8; i++) {
        const int v = (int)(point >> 8 * i & 255);
        q[i] = (int8_t)(signs >> i & 1 ? -v : v);
    }
}

static uint64_t two_fours(uint32_t first, uint32_t second) {
    return first | (uint64_t)second << 32;
}

static void read_iq2_xxs(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_iq2_xxs *b = (const block_iq2_xxs *)(const void *)row + block / 8;
    const uint32_t s = b->part[block % 8].sign_scale;
    set_scale(w, half(b->d) * (0.5f + (float)(s >> 28)) * 0.25f);
    set_offset(w, 0.0f);
    for (uint32_t g = 0; g < 4; g++)
        put_eight(w->q + 8 * g, quant_iq2_xxs_grid[b->part[block % 8].point[g]],
                  quant_iq_signs(s >> g * 7 & 127));
}

static void read_iq2_xs(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_iq2_xs *b = (const block_iq2_xs *)(const void *)row + block / 8;
    const int at = (int)(block % 8) * 2;
    for (int h = 0; h < 2; h++)
        w->scale[h] = half(b->d) * (0.5f + (float)nibble(b->scale, at + h)) * 0.25f;
    set_offset(w, 0.0f);
    for (int g = 0; g < 4; g++) {
        const uint32_t q = b->q[2 * at + g];
        put_eight(w->q + 8 * g, quant_iq2_xs_grid[q & 511], quant_iq_signs(q >> 9));
    }
}

static void read_iq2_s(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_iq2_s *b = (const block_iq2_s *)(const void *)row + block / 8;
    const int at = (int)(block % 8) * 2;
    for (int h = 0; h < 2; h++)
        w->scale[h] = half(b->d) * (0.5f + (float)nibble(b->scale, at + h)) * 0.25f;
    set_offset(w, 0.0f);
    for (int g = 0; g < 4; g++) {
        const int high = b->high[block % 8] >> g * 2 & 3;
        put_eight(w->q + 8 * g, quant_iq2_s_grid[b->point[2 * at + g] | high << 8],
                  b->sign[2 * at + g]);
    }
}

static void read_iq3_xxs(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_iq3_xxs *b = (const block_iq3_xxs *)(const void *)row + block / 8;
    const uint32_t s = b->sign_scale[block % 8];
    const uint8_t *point = b->point + block % 8 * 8;
    set_scale(w, half(b->d) * (0.5f + (float)(s >> 28)) * 0.5f);
    set_offset(w, 0.0f);
    for (uint32_t g = 0; g < 4; g++)
        put_eight(w->q + 8 * g,
                  two_fours(quant_iq3_xxs_grid[point[2 * g]], quant_iq3_xxs_grid[point[2 * g + 1]]),
                  quant_iq_signs(s >> g * 7 & 127));
}

static void read_iq3_s(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_iq3_s *b = (const block_iq3_s *)(const void *)row + block / 8;
    const int at = (int)(block % 8) * 8;
    set_scale(w, half(b->d) * (float)(1 + 2 * nibble(b->scale, at / 8)));
    set_offset(w, 0.0f);
    for (int g = 0; g < 4; g++) {
        uint32_t four[2];
        for (int k = 0; k < 2; k++) {
            const int high = b->high[block % 8] >> (2 * g + k) & 1;
            four[k] = quant_iq3_s_grid[b->point[at + 2 * g + k] | high << 8];
        }
        put_eight(w->q + 8 * g, two_fours(four[0], four[1]), b->sign[at / 2 + g]);
    }
}

/* Eight weights of the 1-bit formats, (point + shift) * 8 with a shift of an eighth. */
static void put_shifted(int8_t *q, uint64_t point, int minus) {
    for (int i = 0; i < 8; i++)
        q[i] = (int8_t)(8 * (int8_t)(point >> 8 * i & 255) + (minus ? -1 : 1));
}

static void read_iq1_s(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_iq1_s *b = (const block_iq1_s *)(const void *)row + block / 8;
    const int h = b->high[block % 8];
    set_scale(w, half(b->d) * (float)(2 * (h >> 12 & 7) + 1) * 0.125f);
    set_offset(w, 0.0f);
    for (uint32_t g = 0; g < 4; g++)
        put_shifted(w->q + 8 * g,
                    quant_iq1_grid[b->point[block % 8 * 4 + g] | (h >> g * 3 & 7) << 8],
                    h & 0x8000);
}

static void read_iq1_m(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_iq1_m *b = (const block_iq1_m *)(const void *)row + block / 8;
    const int first = (int)(block % 8) * 4;
    uint32_t d = 0;
    for (int i = 0; i < 4; i++) d |= (uint32_t)(b->scale[i] >> 12) << 4 * i;
    for (int h = 0; h < 2; h++) {
        const int s = b->scale[block % 8 / 2] >> ((first / 2 + h) % 4 * 3) & 7;
        w->scale[h] = half((uint16_t)d) * (float)(2 * s + 1) * 0.125f;
    }
    set_offset(w, 0.0f);
    for (int g = 0; g < 4; g++) {
        const int h = nibble(b->high, first + g);
        put_shifted(w->q + 8 * g, quant_iq1_grid[b->point[first + g] | (h & 7) << 8], h & 8);
    }
}

static void read_iq4_nl(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_iq4_nl *b = (const block_iq4_nl *)(const void *)row + block;
    set_scale(w, half(b->d));
    set_offset(w, 0.0f);
    for (int i = 0; i < 32; i++) w->q[i] = quant_iq4_level[nibble_of_32(b->q, i)];
}

static void read_iq4_xs(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_iq4_xs *b = (const block_iq4_xs *)(const void *)row + block / 8;
    const int s = (int)(block % 8);
    const int scale = nibble(b->scale_low, s) | (b->scale_high >> 2 * s & 3) << 4;
    set_scale(w, half(b->d) * (float)(scale - 32));
    set_offset(w, 0.0f);
    for (int i = 0; i < 32; i++) w->q[i] = quant_iq4_level[nibble_of_32(b->q + 16 * s, i)];
}

/* ---- Few levels ---- */

/* Digit k of a byte that is a fraction of 256 in base 3. */
static int digit(uint8_t byte, uint32_t k) {
    static const uint8_t power[5] = {1, 3, 9, 27, 81};
    return (uint8_t)(byte * power[k]) * 3 >> 8;
}

static void read_tq1_0(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_tq1_0 *b = (const block_tq1_0 *)(const void *)row + block / 8;
    const uint32_t first = block % 8 * 32;
    set_scale(w, half(b->d));
    set_offset(w, 0.0f);
    for (uint32_t n = 0; n < 32; n++) {
        const uint32_t i = first + n;
        int v;
        if (i < 160) v = digit(b->q[n], i / 32);
        else if (i < 240) v = digit(b->q[32 + i % 16], (i - 160) / 16);
        else v = digit(b->last[i % 4], (i - 240) / 4);
        w->q[n] = (int8_t)(v - 1);
    }
}

static void read_tq2_0(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_tq2_0 *b = (const block_tq2_0 *)(const void *)row + block / 8;
    set_scale(w, half(b->d));
    set_offset(w, 0.0f);
    for (int i = 0; i < 32; i++) w->q[i] = (int8_t)(two_bits(b->q, (int)(block % 8) * 32 + i) - 1);
}

static void read_q1_0(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q1_0 *b = (const block_q1_0 *)(const void *)row + block / 4;
    const uint8_t *q = b->q + block % 4 * 4;
    set_scale(w, half(b->d));
    set_offset(w, 0.0f);
    for (int i = 0; i < 32; i++) w->q[i] = q[i / 8] >> i % 8 & 1 ? 1 : -1;
}

static void read_q2_0(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q2_0 *b = (const block_q2_0 *)(const void *)row + block / 2;
    const uint8_t *q = b->q + block % 2 * 8;
    set_scale(w, half(b->d));
    set_offset(w, 0.0f);
    for (int i = 0; i < 32; i++) w->q[i] = (int8_t)((q[i / 4] >> i % 4 * 2 & 3) - 1);
}

/* ---- 4-bit floats ---- */

/* Twice the value of each fp4 number; scales are halved to match. */
static const int8_t twice_fp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static void read_mxfp4(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_mxfp4 *b = (const block_mxfp4 *)(const void *)row + block;
    set_scale(w, ldexpf(1.0f, b->e - 128));
    set_offset(w, 0.0f);
    for (int i = 0; i < 32; i++) w->q[i] = twice_fp4[nibble_of_32(b->q, i)];
}

/* Half of a scale in E4M3 without sign; 0x7f is 0. */
static float nvfp4_half_scale(uint8_t s) {
    const int exponent = s >> 3 & 15, fraction = s & 7;
    if (s == 0x7f) return 0.0f;
    if (exponent == 0) return ldexpf((float)fraction, -10);
    return ldexpf((float)(8 + fraction), exponent - 11);
}

static void read_nvfp4(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_nvfp4 *b = (const block_nvfp4 *)(const void *)row + block / 2;
    const uint32_t s = block % 2 * 2;
    set_offset(w, 0.0f);
    for (uint32_t h = 0; h < 2; h++) {
        w->scale[h] = nvfp4_half_scale(b->scale[s + h]);
        const uint8_t *q = b->q + 8 * (s + h);
        for (int i = 0; i < 8; i++) {
            w->q[16 * h + (size_t)i] = twice_fp4[q[i] & 15];
            w->q[16 * h + 8 + (size_t)i] = twice_fp4[q[i] >> 4];
        }
    }
}

const kern_quant_type *kern_quant_of(quant_type t) {
    static const kern_quant_type type[QUANT_TYPE_COUNT] = {
        [QUANT_Q4_0] = {LINK_32, read_q4_0},         [QUANT_Q4_1] = {LINK_32_OFFSET, read_q4_1},
        [QUANT_Q5_0] = {LINK_32, read_q5_0},         [QUANT_Q5_1] = {LINK_32_OFFSET, read_q5_1},
        [QUANT_Q8_0] = {LINK_32, read_q8_0},         [QUANT_Q8_1] = {LINK_32, read_q8_1},
        [QUANT_Q2_K] = {LINK_32_OFFSETS, read_q2_k}, [QUANT_Q3_K] = {LINK_32, read_q3_k},
        [QUANT_Q4_K] = {LINK_32_OFFSET, read_q4_k},  [QUANT_Q5_K] = {LINK_32_OFFSET, read_q5_k},
        [QUANT_Q6_K] = {LINK_16, read_q6_k},         [QUANT_IQ2_XXS] = {LINK_32, read_iq2_xxs},
        [QUANT_IQ2_XS] = {LINK_16, read_iq2_xs},     [QUANT_IQ2_S] = {LINK_16, read_iq2_s},
        [QUANT_IQ3_XXS] = {LINK_32, read_iq3_xxs},   [QUANT_IQ3_S] = {LINK_32, read_iq3_s},
        [QUANT_IQ1_S] = {LINK_32, read_iq1_s},       [QUANT_IQ1_M] = {LINK_16, read_iq1_m},
        [QUANT_IQ4_NL] = {LINK_32, read_iq4_nl},     [QUANT_IQ4_XS] = {LINK_32, read_iq4_xs},
        [QUANT_TQ1_0] = {LINK_32, read_tq1_0},       [QUANT_TQ2_0] = {LINK_32, read_tq2_0},
        [QUANT_Q1_0] = {LINK_32, read_q1_0},         [QUANT_Q2_0] = {LINK_32, read_q2_0},
        [QUANT_MXFP4] = {LINK_32, read_mxfp4},       [QUANT_NVFP4] = {LINK_16, read_nvfp4},
    };
    return &type[t];
}

/* ---- The chain ---- */

static float scaled(float scale, int32_t sum) {
    return fmaf(scale, KERN_BIAS_FLOAT + (float)sum, -(scale * KERN_BIAS_FLOAT));
}

static float add_block(float acc, const kern_weights *w, kern_link link, const int8_t *q,
                       const kern_block *x) {
    int32_t sum[2] = {0, 0};
    for (int i = 0; i < 32; i++) sum[i / 16] += w->q[i] * q[i];
    if (link == LINK_16) {
        acc = fmaf(scaled(w->scale[0], sum[0]), x->d, acc);
        return fmaf(scaled(w->scale[1], sum[1]), x->d, acc);
    }
    acc = fmaf(scaled(w->scale[0], sum[0] + sum[1]), x->d, acc);
    if (link == LINK_32) return acc;
    if (link == LINK_32_OFFSET) return fmaf(w->offset[0], x->sum, acc);
    acc = fmaf(w->offset[0], x->half_sum[0], acc);
    return fmaf(w->offset[1], x->half_sum[1], acc);
}

static void product(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes, uint32_t n_row,
                    const kern_rows *x, quant_type t) {
    const kern_quant_type *type = kern_quant_of(t);
    kern_weights v;
    for (uint32_t r = 0; r < n_row; r++, w += row_bytes, y++) {
        for (uint32_t c = 0; c < x->T; c++) y[c * y_stride] = 0.0f;
        for (uint32_t b = 0; b < x->n / 32; b++) {
            type->read(w, b, &v);
            for (uint32_t c = 0; c < x->T; c++)
                y[c * y_stride] =
                    add_block(y[c * y_stride], &v, type->link, x->q + c * x->q_stride + b * 32,
                              x->block + c * x->block_stride + b);
        }
    }
}

#define X(type, stem)                                                                 \
    void scalar_##stem(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes, \
                       uint32_t n_row, const kern_rows *x, void *scratch) {           \
        (void)scratch;                                                                \
        product(y, y_stride, w, row_bytes, n_row, x, QUANT_##type);                   \
    }
KERN_QUANT_LIST(X)
#undef X
