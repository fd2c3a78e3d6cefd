/* kern_few_avx2.c - integer products of the K formats with one or two rows of x: decoding.
 *
 * 8 weight rows side by side, one in each 32-bit lane, as in kern_quant_others_avx2.c, but weights
 * go from memory to products without a stop in scratch, and what comes next is fetched at an even
 * pace: memory is never idle and never asked for more at once than the core can wait for. */
#if defined(__x86_64__)
#include "kernels/kern_fields_avx2.h"
#include "kernels/kern_unpack_avx2.h"
#include "quant/block.h"

enum { ROWS = LANE_ROWS, MOST = FEW_ROWS };

/* Rows of x from one block of 32 on. */
typedef struct inputs {
    const char *q;
    const kern_block *in;
    size_t q_stride, in_stride; /* in elements */
} inputs;

INLINE inputs inputs_at(const kern_rows *x, uint32_t block) {
    return (inputs){(const char *)x->q + (size_t)block * 32, x->block + block, x->q_stride,
                    x->block_stride};
}

/* Four inputs of row c, from number i on, in every lane. */
INLINE __m256i four_inputs(const inputs *t, const int c, const size_t i) {
    return broadcast4(t->q + (size_t)c * t->q_stride + i);
}

/* acc = fma(scale * sum, d, acc) for block `b`, where sum begins at KERN_BIAS. */
INLINE __m256 add_scaled(__m256 acc, __m256 scale, __m256i sum, const kern_block *in) {
    const __m256 minus = _mm256_mul_ps(scale, _mm256_set1_ps(-KERN_BIAS_FLOAT));
    const __m256 scaled = _mm256_fmadd_ps(scale, _mm256_castsi256_ps(sum), minus);
    return _mm256_fmadd_ps(scaled, _mm256_set1_ps(in->d), acc);
}

INLINE void add_block(__m256 *acc, __m256 scale, __m256 offset, const __m256i *sum, const inputs *t,
                      const size_t b, const int C) {
    UNROLL
    for (int c = 0; c < C; c++) {
        const kern_block *in = t->in + (size_t)c * t->in_stride + b;
        const __m256i biased = _mm256_add_epi32(sum[c], _mm256_set1_epi32(KERN_BIAS));
        acc[c] = add_scaled(acc[c], scale, biased, in);
        acc[c] = _mm256_fmadd_ps(offset, _mm256_set1_ps(in->sum), acc[c]);
    }
}

/* 16 weights of 0 .. 63 in four registers, times inputs i .. i + 15. Products of weights up to
 * `most` fit 16 bits four, or else two registers together. */
INLINE void dot_16(__m256i *sum, const __m256i w[4], const inputs *t, const size_t i,
                   const int most, const int C) {
    UNROLL
    for (int c = 0; c < C; c++) {
        __m256i words[4];
        UNROLL
        for (size_t j = 0; j < 4; j++)
            words[j] = _mm256_maddubs_epi16(w[j], four_inputs(t, c, i + 4 * j));
        __m256i first = _mm256_add_epi16(words[0], words[1]);
        __m256i second = _mm256_add_epi16(words[2], words[3]);
        if (most < 32) {
            first = pairs_to_dwords(_mm256_add_epi16(first, second));
        } else {
            first = _mm256_add_epi32(pairs_to_dwords(first), pairs_to_dwords(second));
        }
        sum[c] = first;
    }
}

/* ---- Q4_K and Q5_K ---- */

/* Two blocks, which share 32 bytes: 64 inputs. `high` has fifth bits where the type has them, of
 * these blocks in bits 2k and 2k + 1. */
INLINE void add_pair(__m256 *acc, const uint8_t *p, size_t stride, const __m256i high[2][4],
                     const __m256 scale[2], const __m256 offset[2], const inputs *t, const int k,
                     const int C) {
    __m256i sum[2][2][MOST]; /* by block, half */
    UNROLL
    for (size_t h = 0; h < 2; h++) {
        __m256i d[4], w[4];
        turn(p + 16 * h, stride, d);
        UNROLL
        for (int b = 0; b < 2; b++) {
            const int at = 2 * k + b; /* of the fifth bit */
            UNROLL
            for (int j = 0; j < 4; j++) {
                w[j] = bits(d[j], 4 * b, 15);
                if (!high) continue;
                const __m256i moved = at < 4 ? _mm256_slli_epi16(high[h][j], 4 - at)
                                             : _mm256_srli_epi16(high[h][j], at - 4);
                w[j] = or_masked(w[j], moved, 16);
            }
            dot_16(sum[b][h], w, t, 32 * (size_t)b + 16 * h, 31, C);
        }
    }
    UNROLL
    for (size_t b = 0; b < 2; b++) {
        UNROLL
        for (int c = 0; c < C; c++) sum[b][0][c] = _mm256_add_epi32(sum[b][0][c], sum[b][1][c]);
        add_block(acc, scale[b], offset[b], sum[b][0], t, b, C);
    }
}

INLINE void add_q4_k(__m256 *acc, const uint8_t *p, lane_source *s, const kern_rows *x, uint32_t b,
                     const int C) {
    __m256 scale[8], offset[8];
    scales_q4_k(scale, offset, p, s->stride);
    UNROLL
    for (int k = 0; k < 4; k++) {
        const inputs t = inputs_at(x, b + 2 * (uint32_t)k);
        fetch(s, ROWS * sizeof(block_q4_k) / 4);
        add_pair(acc, FIELD(q4_k, q) + 32 * k, s->stride, NULL, scale + 2 * k, offset + 2 * k, &t,
                 k, C);
    }
}

INLINE void add_q5_k(__m256 *acc, const uint8_t *p, lane_source *s, const kern_rows *x, uint32_t b,
                     const int C) {
    __m256 scale[8], offset[8];
    __m256i high[2][4];
    scales_q4_k(scale, offset, p, s->stride);
    turn(FIELD(q5_k, high), s->stride, high[0]);
    turn(FIELD(q5_k, high) + 16, s->stride, high[1]);
    UNROLL
    for (int k = 0; k < 4; k++) {
        const inputs t = inputs_at(x, b + 2 * (uint32_t)k);
        fetch(s, ROWS * sizeof(block_q5_k) / 4);
        add_pair(acc, FIELD(q5_k, q) + 32 * k, s->stride, (const __m256i(*)[4])high, scale + 2 * k,
                 offset + 2 * k, &t, k, C);
    }
}

/* ---- Q6_K ---- */

/* Half h of blocks k and k + 2 of 128 weights. */
INLINE void dot_q6_k(__m256i sum[4][2][MOST], const uint8_t *low, size_t stride,
                     const __m256i high[4], const inputs *t, const int k, const size_t h,
                     const int C) {
    __m256i d[4];
    turn(low, stride, d);
    UNROLL
    for (int two = 0; two < 2; two++) {
        const int at = 2 * k + 4 * two, block = k + 2 * two;
        __m256i w[4];
        UNROLL
        for (int j = 0; j < 4; j++) {
            const __m256i moved =
                at < 4 ? _mm256_slli_epi16(high[j], 4 - at) : _mm256_srli_epi16(high[j], at - 4);
            w[j] = or_masked(bits(d[j], 4 * two, 15), moved, 48);
        }
        dot_16(sum[block][h], w, t, 32 * (size_t)block + 16 * h, 63, C);
    }
}

/* The links of one block. Weights have 32 added: the sum of them times x begins that much lower. */
INLINE void add_halves(__m256 *acc, const __m256 scale[2], __m256i sum[2][MOST], const inputs *t,
                       const size_t b, const int C) {
    UNROLL
    for (int h = 0; h < 2; h++) UNROLL
    for (int c = 0; c < C; c++) {
        const kern_block *in = t->in + (size_t)c * t->in_stride + b;
        const int32_t begin = KERN_BIAS + ((in->half_bias[h] - KERN_BIAS) >> 2);
        const __m256i biased = _mm256_add_epi32(sum[h][c], _mm256_set1_epi32(begin));
        acc[c] = add_scaled(acc[c], scale[h], biased, in);
    }
}

INLINE void add_q6_k(__m256 *acc, const uint8_t *p, lane_source *s, const kern_rows *x, uint32_t b,
                     const int C) {
    __m256 scale[16];
    scales_q6_k(scale, p, s->stride);
    for (size_t half = 0; half < 2; half++) {
        const inputs t = inputs_at(x, b + 4 * (uint32_t)half);
        __m256i sum[4][2][MOST];
        UNROLL
        for (size_t h = 0; h < 2; h++) {
            __m256i high[4];
            turn(FIELD(q6_k, high) + 32 * half + 16 * h, s->stride, high);
            UNROLL
            for (int k = 0; k < 2; k++) {
                fetch(s, (ROWS * sizeof(block_q6_k) + 7) / 8);
                dot_q6_k(sum, FIELD(q6_k, low) + 64 * half + 32 * (size_t)k + 16 * h, s->stride,
                         high, &t, k, h, C);
            }
        }
        UNROLL
        for (size_t i = 0; i < 4; i++) add_halves(acc, scale + 8 * half + 2 * i, sum[i], &t, i, C);
    }
}

/* ---- Rows ---- */

typedef void add_256(__m256 *acc, const uint8_t *p, lane_source *s, const kern_rows *x, uint32_t b,
                     const int C);

INLINE void few(float *y, size_t y_stride, const lane_source *w, uint32_t n_row, const kern_rows *x,
                const size_t bytes, add_256 *add, const int C) {
    for (uint32_t i = 0; i < n_row; i += ROWS) {
        /* The last group overlaps the one before it. */
        const uint32_t r = n_row - i < ROWS ? n_row - ROWS : i;
        const uint8_t *p = w->w + r * w->stride;
        lane_source s = {p, w->stride, p + ROWS * w->stride};
        __m256 acc[MOST];
        UNROLL
        for (int c = 0; c < C; c++) acc[c] = _mm256_setzero_ps();
        for (uint32_t b = 0; b < x->n / 32; b += 8, p += bytes) add(acc, p, &s, x, b, C);
        UNROLL
        for (int c = 0; c < C; c++) _mm256_storeu_ps(y + (size_t)c * y_stride + r, acc[c]);
    }
}

#define FEW(stem)                                                                     \
    void few8_##stem(float *y, size_t y_stride, const lane_source *w, uint32_t n_row, \
                     const kern_rows *x) {                                            \
        const size_t bytes = sizeof(block_##stem);                                    \
        if (x->T == 1) few(y, y_stride, w, n_row, x, bytes, add_##stem, 1);           \
        else few(y, y_stride, w, n_row, x, bytes, add_##stem, 2);                     \
    }
FEW(q4_k)
FEW(q5_k)
FEW(q6_k)
#endif
