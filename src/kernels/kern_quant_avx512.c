/* kern_quant_avx512.c - integer products for AVX-512 with VNNI: 16 weight rows side by side, one in
 * each 32-bit lane, so that no sum ever crosses lanes.
 *
 * A type says how a block of 32 weights of 16 rows becomes eight registers of bytes, register j
 * holding weights 4j .. 4j+3 of every row, as unsigned numbers with 128 added (VPDPBUSD multiplies
 * unsigned by signed). The 128 is taken out again by starting the integer sum of a block at
 * kern_rows.bias. The activations' four bytes are broadcast from memory to all lanes.
 *
 * Few rows of x: the registers are used as they come. Many: 32 weight rows, CHUNK inputs at a time,
 * are put into scratch in that order, and a tile of 32 rows by up to 6 rows of x runs over them
 * with all sums in registers. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "kernels/kern_quant.h"
#include "kernels/kern_unroll.h"
#include "quant/block.h"

enum {
    ROWS = 16,
    FEW_X = 4,   /* up to this many rows of x the weights are used as they come */
    CHUNK = 512, /* inputs unpacked at a time: 32 rows of them stay in the nearest cache */
    CHUNK_BLOCKS = CHUNK / 32,
    TILE_X = 6,
    MOST_X = 256, /* rows of x that share an unpacked chunk */
};

#define INLINE static inline __attribute__((always_inline))

typedef struct bytes16 {
    __m512i v[8];
} bytes16;

/* ---- Bringing rows into lanes ---- */

INLINE __m128i load16(const uint8_t *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* 16 bytes of 16 rows: register j gets dword j of every row, row r in lane r. */
INLINE void dwords_of_rows(const uint8_t *p, size_t stride, __m512i out[4]) {
    __m512i a[4];
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        const uint8_t *row = p + i * stride;
        a[i] = _mm512_castsi128_si512(load16(row));
        a[i] = _mm512_inserti32x4(a[i], load16(row + 4 * stride), 1);
        a[i] = _mm512_inserti32x4(a[i], load16(row + 8 * stride), 2);
        a[i] = _mm512_inserti32x4(a[i], load16(row + 12 * stride), 3);
    }
    const __m512i lo0 = _mm512_unpacklo_epi32(a[0], a[1]), hi0 = _mm512_unpackhi_epi32(a[0], a[1]);
    const __m512i lo1 = _mm512_unpacklo_epi32(a[2], a[3]), hi1 = _mm512_unpackhi_epi32(a[2], a[3]);
    out[0] = _mm512_unpacklo_epi64(lo0, lo1);
    out[1] = _mm512_unpackhi_epi64(lo0, lo1);
    out[2] = _mm512_unpacklo_epi64(hi0, hi1);
    out[3] = _mm512_unpackhi_epi64(hi0, hi1);
}

/* The half-precision numbers at `p` of 16 rows. */
INLINE __m512 halves_of_rows(const uint8_t *p, size_t stride) {
    uint16_t h[ROWS];
    for (size_t r = 0; r < ROWS; r++) memcpy(&h[r], p + r * stride, sizeof *h);
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)h));
}

/* The half-precision numbers at the beginning of n = 2 or 4 blocks of 16 rows, all of them within
 * 64 bytes: merged two rows at a time until every block has its sixteen side by side. */
INLINE void scales_of_rows(const uint8_t *p, size_t stride, const int n, const int block_bytes,
                           __m512 *out) {
    const short w1 = (short)(block_bytes / 2), w2 = (short)(2 * w1), w3 = (short)(3 * w1);
    const __m512i words = _mm512_castsi128_si512(
        _mm_setr_epi16(0, 32, w1, (short)(w1 + 32), w2, (short)(w2 + 32), w3, (short)(w3 + 32)));
    const __m512i dwords = _mm512_castsi256_si512(_mm256_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19));
    const __m512i qwords = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i front = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i back = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    __m512i a[8];
    UNROLL
    for (size_t i = 0; i < 8; i++)
        a[i] = _mm512_permutex2var_epi16(_mm512_loadu_si512(p + 2 * i * stride), words,
                                         _mm512_loadu_si512(p + (2 * i + 1) * stride));
    UNROLL
    for (size_t i = 0; i < 4; i++) a[i] = _mm512_permutex2var_epi32(a[2 * i], dwords, a[2 * i + 1]);
    const __m512i lo = _mm512_permutex2var_epi64(a[0], qwords, a[1]);
    const __m512i hi = _mm512_permutex2var_epi64(a[2], qwords, a[3]);
    const __m512i first = _mm512_permutex2var_epi64(lo, front, hi);
    out[0] = _mm512_cvtph_ps(_mm512_castsi512_si256(first));
    out[1] = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(first, 1));
    if (n == 2) return;
    const __m512i second = _mm512_permutex2var_epi64(lo, back, hi);
    out[2] = _mm512_cvtph_ps(_mm512_castsi512_si256(second));
    out[3] = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(second, 1));
}

/* Bring n bytes of what is needed later into the near cache. */
INLINE const uint8_t *fetch(const uint8_t *p, size_t n) {
    enum { LINE = 64 };
    for (size_t i = 0; i < n; i += LINE) _mm_prefetch((const char *)p + i, _MM_HINT_T0);
    return p + n;
}

/* ---- Types ---- */

INLINE bytes16 bytes_q4_0(const uint8_t *p, size_t stride) {
    const __m512i low = _mm512_set1_epi8(15), up = _mm512_set1_epi8(128 - 8);
    __m512i d[4];
    bytes16 b;
    dwords_of_rows(p + offsetof(block_q4_0, q), stride, d);
    UNROLL
    for (int j = 0; j < 4; j++) {
        b.v[j] = _mm512_add_epi8(_mm512_and_si512(d[j], low), up);
        b.v[4 + j] = _mm512_add_epi8(_mm512_and_si512(_mm512_srli_epi16(d[j], 4), low), up);
    }
    return b;
}

INLINE bytes16 bytes_q8_0(const uint8_t *p, size_t stride) {
    const __m512i up = _mm512_set1_epi8(-128);
    bytes16 b;
    dwords_of_rows(p + offsetof(block_q8_0, q), stride, b.v);
    dwords_of_rows(p + offsetof(block_q8_0, q) + 16, stride, b.v + 4);
    UNROLL
    for (int j = 0; j < 8; j++) b.v[j] = _mm512_xor_si512(b.v[j], up);
    return b;
}

typedef enum block_kind { BLOCK_Q4_0, BLOCK_Q8_0 } block_kind;

INLINE size_t block_bytes(const block_kind k) {
    return k == BLOCK_Q4_0 ? sizeof(block_q4_0) : sizeof(block_q8_0);
}

INLINE bytes16 block_of_rows(const uint8_t *p, size_t stride, const block_kind k) {
    return k == BLOCK_Q4_0 ? bytes_q4_0(p, stride) : bytes_q8_0(p, stride);
}

INLINE __m512i broadcast4(const int8_t *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return _mm512_set1_epi32(four);
}

/* ---- Few rows of x ---- */

/* One block of 16 weight rows against C rows of x. */
INLINE void few_block(__m512 *acc, __m512 scale, const uint8_t *w, size_t stride,
                      const kern_rows *x, uint32_t b, const int C, const block_kind k) {
    const bytes16 v = block_of_rows(w, stride, k);
    UNROLL
    for (int c = 0; c < C; c++) {
        const size_t at = (size_t)c * x->d_stride + b;
        const int8_t *q = x->q + (size_t)c * x->q_stride + b * 32;
        __m512i sum = _mm512_set1_epi32(x->bias[at]), sum2 = _mm512_setzero_si512();
        UNROLL
        for (int j = 0; j < 4; j++) {
            sum = _mm512_dpbusd_epi32(sum, v.v[j], broadcast4(q + 4 * j));
            sum2 = _mm512_dpbusd_epi32(sum2, v.v[4 + j], broadcast4(q + 16 + 4 * j));
        }
        sum = _mm512_add_epi32(sum, sum2);
        acc[c] = _mm512_fmadd_ps(_mm512_mul_ps(scale, _mm512_set1_ps(x->d[at])),
                                 _mm512_cvtepi32_ps(sum), acc[c]);
    }
}

/* 16 weight rows. What memory sees is not their sixteen streams but one: while a group of rows is
 * used, the next is fetched from front to back. */
INLINE void few_group(float *y, size_t y_stride, const uint8_t *w, size_t stride,
                      const kern_rows *x, const int C, const block_kind k) {
    const uint32_t n_block = x->n / 32;
    const int at_once = k == BLOCK_Q4_0 ? 4 : 2;
    const uint8_t *ahead = w + ROWS * stride;
    __m512 acc[FEW_X], scale[4];
    UNROLL
    for (int c = 0; c < C; c++) acc[c] = _mm512_setzero_ps();
    uint32_t b = 0;
    for (; b + (uint32_t)at_once <= n_block; b += (uint32_t)at_once) {
        const uint8_t *p = w + b * block_bytes(k);
        ahead = fetch(ahead, ROWS * block_bytes(k) * (size_t)at_once);
        scales_of_rows(p, stride, at_once, (int)block_bytes(k), scale);
        UNROLL
        for (int i = 0; i < at_once; i++)
            few_block(acc, scale[i], p + (size_t)i * block_bytes(k), stride, x, b + (uint32_t)i, C,
                      k);
    }
    for (; b < n_block; b++) {
        const uint8_t *p = w + b * block_bytes(k);
        few_block(acc, halves_of_rows(p, stride), p, stride, x, b, C, k);
    }
    UNROLL
    for (int c = 0; c < C; c++) _mm512_storeu_ps(y + (size_t)c * y_stride, acc[c]);
}

INLINE void product_few(float *y, size_t y_stride, const uint8_t *w, size_t stride, uint32_t n_row,
                        const kern_rows *x, const block_kind k) {
    for (uint32_t i = 0; i < n_row; i += ROWS) {
        /* The last group overlaps the one before it. */
        const uint32_t r = n_row - i < ROWS ? n_row - ROWS : i;
        const uint8_t *p = w + r * stride;
        switch (x->T) {
            case 1:
                few_group(y + r, y_stride, p, stride, x, 1, k);
                break;
            case 2:
                few_group(y + r, y_stride, p, stride, x, 2, k);
                break;
            case 3:
                few_group(y + r, y_stride, p, stride, x, 3, k);
                break;
            default:
                few_group(y + r, y_stride, p, stride, x, 4, k);
                break;
        }
    }
}

/* ---- Many rows of x ---- */

/* Two groups of 16 rows, a chunk of inputs, and the sums of every row of x so far. */
typedef struct chunk {
    __m512i w[CHUNK_BLOCKS][2][8];
    __m512 scale[CHUNK_BLOCKS][2];
    __m512 acc[MOST_X][2];
} chunk;
_Static_assert(sizeof(chunk) <= KERN_SCRATCH, "scratch of integer products");

INLINE void unpack_block(chunk *u, int half, uint32_t b, __m512 scale, const uint8_t *w,
                         size_t stride, const block_kind k) {
    const bytes16 v = block_of_rows(w, stride, k);
    UNROLL
    for (int j = 0; j < 8; j++) u->w[b][half][j] = v.v[j];
    u->scale[b][half] = scale;
}

INLINE void unpack(chunk *u, int half, const uint8_t *w, size_t stride, uint32_t n_block,
                   const uint8_t **ahead, const block_kind k) {
    const int at_once = k == BLOCK_Q4_0 ? 4 : 2;
    __m512 scale[4];
    uint32_t b = 0;
    for (; b + (uint32_t)at_once <= n_block; b += (uint32_t)at_once) {
        *ahead = fetch(*ahead, ROWS * block_bytes(k) * (size_t)at_once);
        scales_of_rows(w, stride, at_once, (int)block_bytes(k), scale);
        UNROLL
        for (int i = 0; i < at_once; i++, w += block_bytes(k))
            unpack_block(u, half, b + (uint32_t)i, scale[i], w, stride, k);
    }
    for (; b < n_block; b++, w += block_bytes(k))
        unpack_block(u, half, b, halves_of_rows(w, stride), w, stride, k);
}

/* Where a chunk's sums go: with the last chunk of a row they are the outputs. */
typedef struct target {
    float *y[2]; /* of the two groups of rows, NULL before the last chunk */
    size_t y_stride;
    uint32_t first_block, n_block;
} target;

/* The rows of x behind these will be next: have them near by then. */
INLINE void fetch_next(const chunk *u, const kern_rows *x, uint32_t c0, const int C,
                       const target *to) {
    UNROLL
    for (int i = 0; i < C; i++) {
        const uint32_t c = c0 + (uint32_t)(i + C);
        const size_t at = c * x->d_stride + to->first_block;
        _mm_prefetch((const char *)(x->d + at), _MM_HINT_T0);
        _mm_prefetch((const char *)(x->bias + at), _MM_HINT_T0);
        _mm_prefetch((const char *)&u->acc[c][0], _MM_HINT_T0);
        _mm_prefetch((const char *)&u->acc[c][1], _MM_HINT_T0);
    }
}

INLINE void tile(chunk *u, const kern_rows *x, uint32_t c0, const int C, const target *to) {
    __m512 acc[TILE_X][2];
    const uint32_t b0 = to->first_block;
    fetch_next(u, x, c0, C, to);
    UNROLL
    for (int c = 0; c < C; c++) UNROLL
    for (int h = 0; h < 2; h++) acc[c][h] = b0 ? u->acc[c0 + (uint32_t)c][h] : _mm512_setzero_ps();
    const int8_t *q = x->q + c0 * x->q_stride + b0 * 32;
    const float *d = x->d + c0 * x->d_stride + b0;
    const int32_t *bias = x->bias + c0 * x->d_stride + b0;
    for (uint32_t b = 0; b < to->n_block; b++, q += 32, d++, bias++) {
        __m512i sum[TILE_X][2];
        UNROLL
        for (int c = 0; c < C; c++) {
            _mm_prefetch((const char *)q + (size_t)(c + C) * x->q_stride, _MM_HINT_T0);
            sum[c][0] = sum[c][1] = _mm512_set1_epi32(bias[(size_t)c * x->d_stride]);
        }
        UNROLL
        for (int j = 0; j < 8; j++) {
            const __m512i w0 = u->w[b][0][j], w1 = u->w[b][1][j];
            UNROLL
            for (int c = 0; c < C; c++) {
                const __m512i four = broadcast4(q + (size_t)c * x->q_stride + 4 * j);
                sum[c][0] = _mm512_dpbusd_epi32(sum[c][0], w0, four);
                sum[c][1] = _mm512_dpbusd_epi32(sum[c][1], w1, four);
            }
        }
        UNROLL
        for (int c = 0; c < C; c++) {
            const __m512 dx = _mm512_set1_ps(d[(size_t)c * x->d_stride]);
            UNROLL
            for (int h = 0; h < 2; h++)
                acc[c][h] = _mm512_fmadd_ps(_mm512_mul_ps(u->scale[b][h], dx),
                                            _mm512_cvtepi32_ps(sum[c][h]), acc[c][h]);
        }
    }
    UNROLL
    for (int c = 0; c < C; c++) UNROLL
    for (int h = 0; h < 2; h++) {
        float *out = (float *)&u->acc[c0 + (uint32_t)c][h];
        if (to->y[h]) out = to->y[h] + (c0 + (size_t)c) * to->y_stride;
        _mm512_storeu_ps(out, acc[c][h]);
    }
}

/* All rows of x against the unpacked chunk. */
static void run_chunk(chunk *u, const kern_rows *x, const target *to) {
    for (uint32_t c = 0, C; c < x->T; c += C) {
        const uint32_t left = x->T - c, n_tile = (left + TILE_X - 1) / TILE_X;
        C = (left + n_tile - 1) / n_tile; /* 9 rows are 5 and 4, not 6 and 3 */
        switch (C) {
            case 1:
                tile(u, x, c, 1, to);
                break;
            case 2:
                tile(u, x, c, 2, to);
                break;
            case 3:
                tile(u, x, c, 3, to);
                break;
            case 4:
                tile(u, x, c, 4, to);
                break;
            case 5:
                tile(u, x, c, 5, to);
                break;
            default:
                tile(u, x, c, 6, to);
                break;
        }
    }
}

INLINE void product_many(float *y, size_t y_stride, const uint8_t *w, size_t stride, uint32_t n_row,
                         const kern_rows *x, chunk *u, const block_kind k) {
    const uint32_t n_block = x->n / 32, last = n_row - ROWS;
    for (uint32_t i = 0; i < n_row; i += 2 * ROWS) {
        const uint8_t *ahead = w + (i + 2 * ROWS) * stride;
        const uint32_t r[2] = {i < last ? i : last, i + ROWS < last ? i + ROWS : last};
        for (uint32_t b = 0; b < n_block; b += CHUNK_BLOCKS) {
            target to = {.y_stride = y_stride, .first_block = b, .n_block = n_block - b};
            if (to.n_block > CHUNK_BLOCKS) to.n_block = CHUNK_BLOCKS;
            const bool end = b + to.n_block == n_block;
            UNROLL
            for (int h = 0; h < 2; h++) {
                to.y[h] = end ? y + r[h] : NULL;
                unpack(u, h, w + r[h] * stride + b * block_bytes(k), stride, to.n_block, &ahead, k);
            }
            run_chunk(u, x, &to);
        }
    }
}

INLINE void product(float *y, size_t y_stride, const uint8_t *w, size_t stride, uint32_t n_row,
                    const kern_rows *x, void *scratch, const block_kind k) {
    if (x->T <= FEW_X) {
        product_few(y, y_stride, w, stride, n_row, x, k);
        return;
    }
    for (uint32_t c = 0; c < x->T; c += MOST_X) {
        kern_rows part = *x;
        part.q += c * x->q_stride;
        part.d += c * x->d_stride;
        part.bias += c * x->d_stride;
        part.T = x->T - c < MOST_X ? x->T - c : MOST_X;
        product_many(y + c * y_stride, y_stride, w, stride, n_row, &part, scratch, k);
    }
}

/* Fewer rows than lanes: the specification does it. */
#define PRODUCT(name, kind, type)                                                                  \
    void name(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes, uint32_t n_row,       \
              const kern_rows *x, void *scratch) {                                                 \
        if (n_row < ROWS) kern_scalar.product[type](y, y_stride, w, row_bytes, n_row, x, scratch); \
        else product(y, y_stride, w, row_bytes, n_row, x, scratch, kind);                          \
    }
PRODUCT(avx512_q4_0, BLOCK_Q4_0, QUANT_Q4_0)
PRODUCT(avx512_q8_0, BLOCK_Q8_0, QUANT_Q8_0)
#endif
