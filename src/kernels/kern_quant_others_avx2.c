/* kern_quant_others_avx2.c - integer products on 256-bit registers for types that have no way of
 * their own in kern_quant_ymm.inc: 8 weight rows side by side, one in each 32-bit lane.
 *
 * Weights are read row by row, 32 at a time, as the specification reads them (kern_quant_of), with
 * vectors where that is worth it. Few rows of x: they are multiplied as bytes, and the sums of 8
 * rows brought together. Many: they are widened to 16 bits, two of a row in a lane, for VPMADDWD;
 * 16 weight rows, CHUNK_BLOCKS blocks at a time, are used for all rows of x from scratch. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "kernels/kern_quant.h"
#include "kernels/kern_unroll.h"
#include "quant/block.h"
#include "quant/quant_iq_tables.h"

enum { ROWS = 8, FEW_X = 4, CHUNK_BLOCKS = 8, TILE_X = 3, MOST_X = 256, PAIRS = 16 };

#define INLINE static inline __attribute__((always_inline))

/* ---- Reading 32 weights ---- */

INLINE __m256i load32(const void *p) { return _mm256_loadu_si256(p); }
INLINE float half(uint16_t h) { return _cvtsh_ss(h); }

/* Bits of bytes; none of them may be cut by the end of the byte. */
INLINE __m256i bits(__m256i v, uint32_t shift, int mask) {
    return _mm256_and_si256(_mm256_srl_epi16(v, _mm_cvtsi32_si128((int)shift)),
                            _mm256_set1_epi8((char)mask));
}

/* 16 bytes: their low nibbles, then their high ones. */
INLINE __m256i nibbles_of_16(const uint8_t *q) {
    const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)q);
    const __m256i both =
        _mm256_inserti128_si256(_mm256_castsi128_si256(v), _mm_srli_epi16(v, 4), 1);
    return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

/* 32 bits to bytes of 0 or `value`. */
INLINE __m256i spread_bits(uint32_t b, int value) {
    const __m256i byte = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                          2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    const __m256i v = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32((int)b), byte), bit);
    return _mm256_and_si256(_mm256_cmpeq_epi8(v, bit), _mm256_set1_epi8((char)value));
}

INLINE void put(kern_weights *w, __m256i q, float scale, float offset) {
    _mm256_storeu_si256((__m256i *)(void *)w->q, q);
    w->scale[0] = w->scale[1] = scale;
    w->offset[0] = w->offset[1] = offset;
}

static void read_q4_1(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q4_1 *b = (const block_q4_1 *)(const void *)row + block;
    put(w, nibbles_of_16(b->q), half(b->d), half(b->m));
}

static void read_q5_0(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q5_0 *b = (const block_q5_0 *)(const void *)row + block;
    const __m256i q = _mm256_or_si256(nibbles_of_16(b->q), spread_bits(b->high, 16));
    put(w, _mm256_sub_epi8(q, _mm256_set1_epi8(16)), half(b->d), 0.0f);
}

static void read_q5_1(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q5_1 *b = (const block_q5_1 *)(const void *)row + block;
    put(w, _mm256_or_si256(nibbles_of_16(b->q), spread_bits(b->high, 16)), half(b->d), half(b->m));
}

INLINE __m256i levels(const uint8_t *q) {
    const void *table = quant_iq4_level;
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(table)),
                               nibbles_of_16(q));
}

static void read_iq4_nl(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_iq4_nl *b = (const block_iq4_nl *)(const void *)row + block;
    put(w, levels(b->q), half(b->d), 0.0f);
}

static void read_iq4_xs(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_iq4_xs *b = (const block_iq4_xs *)(const void *)row + block / 8;
    const uint32_t s = block % 8;
    const int low = b->scale_low[s / 2] >> s % 2 * 4 & 15, high = b->scale_high >> 2 * s & 3;
    put(w, levels(b->q + 16 * s), half(b->d) * (float)((low | high << 4) - 32), 0.0f);
}

/* Scale and minus the minimum of a block of Q4_K or Q5_K. */
INLINE void put_q4_k(kern_weights *w, __m256i q, const uint8_t *p, uint32_t s, float d, float min) {
    const int scale = s < 4 ? p[s] & 63 : (p[s + 4] & 15) | p[s - 4] >> 6 << 4;
    const int minimum = s < 4 ? p[s + 4] & 63 : p[s + 4] >> 4 | p[s] >> 6 << 4;
    put(w, q, d * (float)scale, -(min * (float)minimum));
}

static void read_q4_k(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q4_k *b = (const block_q4_k *)(const void *)row + block / 8;
    const uint32_t s = block % 8;
    put_q4_k(w, bits(load32(b->q + s / 2 * 32), s % 2 * 4, 15), b->scale, s, half(b->d),
             half(b->min));
}

static void read_q5_k(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q5_k *b = (const block_q5_k *)(const void *)row + block / 8;
    const uint32_t s = block % 8;
    const __m256i high = _mm256_slli_epi16(bits(load32(b->high), s, 1), 4);
    const __m256i q = _mm256_or_si256(bits(load32(b->q + s / 2 * 32), s % 2 * 4, 15), high);
    put_q4_k(w, q, b->scale, s, half(b->d), half(b->min));
}

static void read_q6_k(const uint8_t *row, uint32_t block, kern_weights *w) {
    const block_q6_k *b = (const block_q6_k *)(const void *)row + block / 8;
    const uint32_t at = block % 8 / 4, k = block % 4; /* which half, which 32 of it */
    const __m256i low = bits(load32(b->low + 64 * at + k % 2 * 32), k / 2 * 4, 15);
    const __m256i high = _mm256_slli_epi16(bits(load32(b->high + 32 * at), 2 * k, 3), 4);
    put(w, _mm256_sub_epi8(_mm256_or_si256(low, high), _mm256_set1_epi8(32)), 0.0f, 0.0f);
    for (int h = 0; h < 2; h++)
        w->scale[h] = half(b->d) * (float)b->scale[block % 8 * 2 + (uint32_t)h];
}

/* The reader of a type: one of the above, or the specification's. */
static kern_read_weights *reader(quant_type t) {
    switch (t) {
        case QUANT_Q4_1:
            return read_q4_1;
        case QUANT_Q5_0:
            return read_q5_0;
        case QUANT_Q5_1:
            return read_q5_1;
        case QUANT_IQ4_NL:
            return read_iq4_nl;
        case QUANT_IQ4_XS:
            return read_iq4_xs;
        case QUANT_Q4_K:
            return read_q4_k;
        case QUANT_Q5_K:
            return read_q5_k;
        case QUANT_Q6_K:
            return read_q6_k;
        default:
            return kern_quant_of(t)->read;
    }
}

/* ---- Few rows of x ---- */

/* Products of 32 signed bytes in 8 sums, 4 for each 16. The sign of the weights goes to x, which is
 * never -128; two products of at most 128 * 127 fit 16 bits. */
INLINE __m256i dots(__m256i w, __m256i x) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

INLINE __m256 scaled(__m256 acc, const float *scale, __m256i sum, __m256 d) {
    const __m256 s = _mm256_loadu_ps(scale);
    const __m256 minus = _mm256_mul_ps(s, _mm256_set1_ps(-KERN_BIAS_FLOAT));
    const __m256i begun = _mm256_add_epi32(sum, _mm256_set1_epi32(KERN_BIAS));
    return _mm256_fmadd_ps(_mm256_fmadd_ps(s, _mm256_castsi256_ps(begun), minus), d, acc);
}

/* Scales and offsets of 8 rows. */
typedef struct row_scales {
    float scale[2][ROWS], offset[2][ROWS];
} row_scales;

/* The links of a block of 8 rows whose dots are v. */
INLINE __m256 add_links(__m256 acc, const __m256i v[ROWS], const row_scales *s,
                        const kern_block *in, kern_link link) {
    const __m256i q0 =
        _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
    const __m256i q1 =
        _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]), _mm256_hadd_epi32(v[6], v[7]));
    const __m256i first = _mm256_permute2x128_si256(q0, q1, 0x20);
    const __m256i last = _mm256_permute2x128_si256(q0, q1, 0x31);
    const __m256 d = _mm256_set1_ps(in->d);
    if (link == LINK_16) return scaled(scaled(acc, s->scale[0], first, d), s->scale[1], last, d);
    acc = scaled(acc, s->scale[0], _mm256_add_epi32(first, last), d);
    if (link == LINK_32) return acc;
    const __m256 offset0 = _mm256_loadu_ps(s->offset[0]), offset1 = _mm256_loadu_ps(s->offset[1]);
    if (link == LINK_32_OFFSET) return _mm256_fmadd_ps(offset0, _mm256_set1_ps(in->sum), acc);
    acc = _mm256_fmadd_ps(offset0, _mm256_set1_ps(in->half_sum[0]), acc);
    return _mm256_fmadd_ps(offset1, _mm256_set1_ps(in->half_sum[1]), acc);
}

/* 8 rows against up to FEW_X rows of x; the next 8 are fetched from front to back meanwhile. */
static void few_group(float *y, size_t y_stride, const uint8_t *w, size_t stride,
                      const kern_rows *x, kern_read_weights *read, kern_link link) {
    const uint32_t n_block = x->n / 32;
    const size_t step = ROWS * stride / n_block;
    const uint8_t *ahead = w + ROWS * stride;
    __m256 acc[FEW_X];
    kern_weights v[ROWS];
    row_scales s;
    for (int c = 0; c < FEW_X; c++) acc[c] = _mm256_setzero_ps();
    for (uint32_t b = 0; b < n_block; b++) {
        for (size_t i = 0; i < step; i += 64) _mm_prefetch((const char *)ahead + i, _MM_HINT_T0);
        ahead += step;
        for (size_t r = 0; r < ROWS; r++) {
            read(w + r * stride, b, &v[r]);
            for (size_t h = 0; h < 2; h++) {
                s.scale[h][r] = v[r].scale[h];
                s.offset[h][r] = v[r].offset[h];
            }
        }
        for (uint32_t c = 0; c < x->T; c++) {
            const __m256i in = load32(x->q + c * x->q_stride + b * 32);
            __m256i sum[ROWS];
            UNROLL
            for (int r = 0; r < ROWS; r++) sum[r] = dots(load32(v[r].q), in);
            acc[c] = add_links(acc[c], sum, &s, x->block + c * x->block_stride + b, link);
        }
    }
    for (uint32_t c = 0; c < x->T; c++) _mm256_storeu_ps(y + c * y_stride, acc[c]);
}

/* ---- Many rows of x ---- */

/* 32 weights of 8 rows: pair k of row r, its two 16-bit numbers, in w[k][r]. */
typedef struct pair_block {
    int32_t w[PAIRS][ROWS];
    float scale[2][ROWS], offset[2][ROWS];
} pair_block;

/* Two groups of rows, the sums of every row of x so far, the rows of x of a tile. */
typedef struct chunk {
    pair_block b[CHUNK_BLOCKS][2];
    float acc[MOST_X][2][ROWS];
    int16_t x[TILE_X][CHUNK_BLOCKS * 32];
} chunk;
_Static_assert(sizeof(chunk) <= KERN_SCRATCH, "scratch of integer products");

/* Where a chunk's sums go: with the last chunk of a row they are the outputs. */
typedef struct target {
    float *y[2];
    size_t y_stride;
    uint32_t first_block, n_block;
    bool last;
} target;

INLINE void widen(int16_t *to, const int8_t *q) {
    for (int h = 0; h < 32; h += 16) {
        const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(q + h));
        _mm256_storeu_si256((__m256i *)(void *)(to + h), _mm256_cvtepi8_epi16(v));
    }
}

static void read_rows(pair_block *out, const uint8_t *w, size_t stride, uint32_t block,
                      kern_read_weights *read) {
    kern_weights v;
    int16_t wide[32];
    for (size_t r = 0; r < ROWS; r++) {
        read(w + r * stride, block, &v);
        widen(wide, v.q);
        for (size_t k = 0; k < PAIRS; k++) memcpy(&out->w[k][r], wide + 2 * k, sizeof(int32_t));
        for (size_t h = 0; h < 2; h++) {
            out->scale[h][r] = v.scale[h];
            out->offset[h][r] = v.offset[h];
        }
    }
}

INLINE __m256i load_pairs(const int32_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

INLINE __m256i broadcast_pair(const int16_t *x) {
    int32_t pair;
    memcpy(&pair, x, sizeof pair);
    return _mm256_set1_epi32(pair);
}

/* The link of scale number i over pairs first .. first + n - 1. */
INLINE void add_link(chunk *u, const pair_block *v, uint32_t c0, const kern_block *in,
                     size_t stride, uint32_t b, const int i, int first, int n, const int C) {
    __m256i sum[TILE_X][2];
    UNROLL
    for (int c = 0; c < C; c++) sum[c][0] = sum[c][1] = _mm256_set1_epi32(KERN_BIAS);
    for (int k = first; k < first + n; k++) {
        const __m256i w0 = load_pairs(v[0].w[k]), w1 = load_pairs(v[1].w[k]);
        UNROLL
        for (int c = 0; c < C; c++) {
            const __m256i x = broadcast_pair(u->x[c] + b * 32 + (size_t)k * 2);
            sum[c][0] = _mm256_add_epi32(sum[c][0], _mm256_madd_epi16(w0, x));
            sum[c][1] = _mm256_add_epi32(sum[c][1], _mm256_madd_epi16(w1, x));
        }
    }
    UNROLL
    for (int h = 0; h < 2; h++) {
        const __m256 scale = _mm256_loadu_ps(v[h].scale[i]);
        const __m256 minus = _mm256_mul_ps(scale, _mm256_set1_ps(-KERN_BIAS_FLOAT));
        UNROLL
        for (int c = 0; c < C; c++) {
            float *acc = u->acc[c0 + (uint32_t)c][h];
            const __m256 scaled = _mm256_fmadd_ps(scale, _mm256_castsi256_ps(sum[c][h]), minus);
            const __m256 d = _mm256_set1_ps(in[(size_t)c * stride].d);
            _mm256_storeu_ps(acc, _mm256_fmadd_ps(scaled, d, _mm256_loadu_ps(acc)));
        }
    }
}

static void add_offset(float acc[2][ROWS], const pair_block *v, int i, float sum) {
    for (int h = 0; h < 2; h++) {
        const __m256 offset = _mm256_loadu_ps(v[h].offset[i]);
        const __m256 a = _mm256_loadu_ps(acc[h]);
        _mm256_storeu_ps(acc[h], _mm256_fmadd_ps(offset, _mm256_set1_ps(sum), a));
    }
}

/* C rows of x from c0 on against the chunk. */
INLINE void tile(chunk *u, const kern_rows *x, uint32_t c0, const int C, const target *to,
                 kern_link link) {
    const size_t stride = x->block_stride;
    const kern_block *in = x->block + c0 * stride + to->first_block;
    for (int c = 0; c < C; c++) {
        const int8_t *q = x->q + (c0 + (size_t)c) * x->q_stride + to->first_block * 32;
        for (uint32_t b = 0; b < to->n_block; b++) widen(u->x[c] + b * 32, q + b * 32);
        if (to->first_block == 0) memset(u->acc[c0 + (size_t)c], 0, sizeof u->acc[0]);
    }
    for (uint32_t b = 0; b < to->n_block; b++, in++) {
        const pair_block *v = u->b[b];
        if (link == LINK_16) {
            add_link(u, v, c0, in, stride, b, 0, 0, PAIRS / 2, C);
            add_link(u, v, c0, in, stride, b, 1, PAIRS / 2, PAIRS / 2, C);
        } else add_link(u, v, c0, in, stride, b, 0, 0, PAIRS, C);
        for (int c = 0; c < C && link != LINK_16 && link != LINK_32; c++) {
            const kern_block *in_c = in + (size_t)c * stride;
            float(*acc)[ROWS] = u->acc[c0 + (uint32_t)c];
            if (link == LINK_32_OFFSET) add_offset(acc, v, 0, in_c->sum);
            else {
                add_offset(acc, v, 0, in_c->half_sum[0]);
                add_offset(acc, v, 1, in_c->half_sum[1]);
            }
        }
    }
    for (int c = 0; c < C && to->last; c++)
        for (int h = 0; h < 2; h++)
            memcpy(to->y[h] + (c0 + (size_t)c) * to->y_stride, u->acc[c0 + (size_t)c][h],
                   sizeof u->acc[0][0]);
}

static void run_chunk(chunk *u, const kern_rows *x, const target *to, kern_link link) {
    uint32_t c = 0;
    for (; c + TILE_X <= x->T; c += TILE_X) tile(u, x, c, TILE_X, to, link);
    for (; c < x->T; c++) tile(u, x, c, 1, to, link);
}

/* Up to MOST_X rows of x. */
static void product_rows(float *y, size_t y_stride, const uint8_t *w, size_t stride, uint32_t n_row,
                         const kern_rows *x, chunk *u, quant_type t) {
    const kern_quant_type type = {kern_quant_of(t)->link, reader(t)};
    const uint32_t n_block = x->n / 32, last = n_row - ROWS;
    for (uint32_t i = 0; i < n_row; i += 2 * ROWS) {
        /* The last groups overlap those before them. */
        const uint32_t r[2] = {i < last ? i : last, i + ROWS < last ? i + ROWS : last};
        target to = {.y = {y + r[0], y + r[1]}, .y_stride = y_stride};
        for (; to.first_block < n_block; to.first_block += CHUNK_BLOCKS) {
            to.n_block = n_block - to.first_block;
            if (to.n_block > CHUNK_BLOCKS) to.n_block = CHUNK_BLOCKS;
            to.last = to.first_block + to.n_block == n_block;
            for (uint32_t b = 0; b < to.n_block; b++)
                for (int h = 0; h < 2; h++)
                    read_rows(&u->b[b][h], w + r[h] * stride, stride, to.first_block + b,
                              type.read);
            run_chunk(u, x, &to, type.link);
        }
    }
}

static void product(float *y, size_t y_stride, const uint8_t *w, size_t stride, uint32_t n_row,
                    const kern_rows *x, void *scratch, quant_type t) {
    for (uint32_t i = 0; i < n_row && x->T <= FEW_X; i += ROWS) {
        const uint32_t r = n_row - i < ROWS ? n_row - ROWS : i;
        few_group(y + r, y_stride, w + r * stride, stride, x, reader(t), kern_quant_of(t)->link);
    }
    for (uint32_t c = 0; c < x->T && x->T > FEW_X; c += MOST_X) {
        kern_rows part = *x;
        part.q += c * x->q_stride;
        part.block += c * x->block_stride;
        part.T = x->T - c < MOST_X ? x->T - c : MOST_X;
        product_rows(y + c * y_stride, y_stride, w, stride, n_row, &part, scratch, t);
    }
}

/* Fewer rows than lanes: the specification does it. */
#define X(type, stem)                                                                  \
    void avx2_##stem(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,    \
                     uint32_t n_row, const kern_rows *x, void *scratch) {              \
        if (n_row < ROWS) scalar_##stem(y, y_stride, w, row_bytes, n_row, x, scratch); \
        else product(y, y_stride, w, row_bytes, n_row, x, scratch, QUANT_##type);      \
    }
KERN_QUANT_OTHERS(X)
#undef X
#endif
