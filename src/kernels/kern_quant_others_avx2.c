/* kern_quant_others_avx2.c - integer products on 256-bit registers without VPDPBUSD, for types that
 * have no way of their own in kern_quant_ymm.inc: 8 weight rows side by side, one in each 32-bit
 * lane, so that no sum ever crosses lanes.
 *
 * 16 weight rows, CHUNK_BLOCKS blocks at a time, are unpacked into scratch (kern_unpack_avx2.h) and
 * used for all rows of x from there; four bytes of x are broadcast from memory to all lanes. What
 * is cheapest depends on how large the bytes of weights are:
 *
 *  - VPMADDUBSW adds two products of unsigned and signed bytes in 16 bits. Small weights leave room
 *    there for more of them before VPMADDWD takes the sum to 32 bits: 32 weights of 0 .. 15 are 16
 *    products to a lane, 16 * 15 * 128 < 2^15; of 0 .. 31 half as many, of 0 .. 63 a quarter.
 *  - Where 16 weights have an integer scale that kern_scalar_quant.c multiplies them with, that
 *    VPMADDWD does it instead: the integers are the same.
 *  - Weights of 8 bits and x are widened to 16 bits for VPMADDWD. With few rows of x that would
 *    not pay: there the sign of the weights goes to x, and VPMADDUBSW takes what is left. */
#if defined(__x86_64__)
#include "kernels/kern_unpack_avx2.h"
#include "kernels/kern_ymm.h"

enum {
    CHUNK_BLOCKS = 8, /* unpacked at a time: 16 rows of them stay in the nearest cache */
    FEW_X = 4,        /* up to so many rows of x nothing is widened */
    TILE_X = 4,
    MOST_X = 256, /* rows of x that share an unpacked chunk */
};

/* Two groups of 8 rows, a chunk of inputs, both once more where they are widened, and the sums of
 * every row of x so far. Widened, the even ones of 32 bytes come first, then the odd ones. */
struct chunk {
    lane_block b[CHUNK_BLOCKS][2];
    __m256i wide[CHUNK_BLOCKS][2][16];
    __m256i x[TILE_X][CHUNK_BLOCKS][2];
    __m256 acc[MOST_X][2];
};
_Static_assert(sizeof(chunk) <= KERN_SCRATCH, "scratch of integer products");

/* What the bytes of lane_block.w are. */
typedef enum byte_kind {
    BYTES_4,      /* 0 .. 15 */
    BYTES_5,      /* 0 .. 31 */
    BYTES_6,      /* 0 .. 63 */
    BYTES_FACTOR, /* 0 .. 15, to be multiplied by a factor for each 16 */
    BYTES_SHIFT,  /* the same, and a multiple of the sum of q is added */
    BYTES_SIGNED, /* weights */
    BYTES_WIDE,   /* weights, widened */
} byte_kind;

/* How a type is multiplied. Weights are bytes minus 2^up_bits, or where that is 0, as they are. */
typedef struct form {
    byte_kind bytes;
    kern_link link;
    int up_bits;
} form;

/* ---- Integer sums ---- */

/* Registers whose products fit 16 bits together. */
INLINE int run_of(const byte_kind k) { return k == BYTES_4 ? 8 : k == BYTES_6 ? 2 : 4; }

/* Rows of x in a tile: all sums stay in registers. Where those of 16 bits are not all that is
 * wanted, there are others of 32 beside them. */
INLINE uint32_t tile_rows(const form f) {
    const bool beside = f.bytes == BYTES_4        ? false
                        : f.bytes >= BYTES_SIGNED ? false
                                                  : f.bytes != BYTES_5 || f.link != LINK_16;
    return beside ? 3 : 4;
}

/* Sums of 16 weights, or of all 32, from register `first` on: products in 16 bits, run by run. */
INLINE void sum_runs(__m256i sum[TILE_X][2], const lane_block *v, const int first, const int n,
                     const char *x, size_t stride, const int C, const form f) {
    const int run = run_of(f.bytes);
    UNROLL
    for (int begin = first; begin < first + n; begin += run) {
        __m256i words[TILE_X][2];
        UNROLL
        for (int j = begin; j < begin + run; j++) {
            const __m256i w0 = v[0].w[j], w1 = v[1].w[j];
            UNROLL
            for (int c = 0; c < C; c++) {
                const __m256i four = broadcast4(x + (size_t)c * stride + 4 * j);
                const __m256i p0 = _mm256_maddubs_epi16(w0, four);
                const __m256i p1 = _mm256_maddubs_epi16(w1, four);
                words[c][0] = j == begin ? p0 : _mm256_add_epi16(words[c][0], p0);
                words[c][1] = j == begin ? p1 : _mm256_add_epi16(words[c][1], p1);
                IN_TURN(words[c][0]);
                IN_TURN(words[c][1]);
            }
        }
        const bool factors = f.bytes == BYTES_FACTOR || f.bytes == BYTES_SHIFT;
        UNROLL
        for (int c = 0; c < C; c++) UNROLL
        for (int h = 0; h < 2; h++) {
            const __m256i by = factors ? v[h].factor[begin / 4] : _mm256_set1_epi16(1);
            const __m256i pairs = _mm256_madd_epi16(words[c][h], by);
            sum[c][h] = begin == first ? pairs : _mm256_add_epi32(sum[c][h], pairs);
            IN_TURN(sum[c][h]);
        }
    }
}

/* Signed times signed bytes. Two products of at most 128 * 127 fit 16 bits; x is never -128 (but in
 * a block whose scale is NaN, where no sum matters). */
INLINE void sum_signed(__m256i sum[TILE_X][2], const lane_block *v, const int first, const int n,
                       const char *x, size_t stride, const int C) {
    UNROLL
    for (int j = first; j < first + n; j++) UNROLL
    for (int h = 0; h < 2; h++) {
        const __m256i w = v[h].w[j], size = _mm256_abs_epi8(w);
        UNROLL
        for (int c = 0; c < C; c++) {
            const __m256i four = broadcast4(x + (size_t)c * stride + 4 * j);
            const __m256i words = _mm256_maddubs_epi16(size, _mm256_sign_epi8(four, w));
            const __m256i pairs = _mm256_madd_epi16(words, _mm256_set1_epi16(1));
            sum[c][h] = j == first ? pairs : _mm256_add_epi32(sum[c][h], pairs);
            IN_TURN(sum[c][h]);
        }
    }
}

/* `w` is the widened block of the first group; that of the second follows. */
INLINE void sum_wide(__m256i sum[TILE_X][2], const __m256i *w, const int first, const int n,
                     const char *x, size_t stride, const int C) {
    UNROLL
    for (int j = 2 * first; j < 2 * (first + n); j++) {
        const __m256i w0 = w[j], w1 = w[16 + j];
        /* The pairs of registers 2j and 2j+1 are the even and the odd ones. */
        const int at = j / 2 * 4 + j % 2 * 32;
        UNROLL
        for (int c = 0; c < C; c++) {
            const __m256i pair = broadcast4(x + (size_t)c * stride + at);
            const __m256i p0 = _mm256_madd_epi16(w0, pair), p1 = _mm256_madd_epi16(w1, pair);
            sum[c][0] = j == 2 * first ? p0 : _mm256_add_epi32(sum[c][0], p0);
            sum[c][1] = j == 2 * first ? p1 : _mm256_add_epi32(sum[c][1], p1);
            IN_TURN(sum[c][0]);
            IN_TURN(sum[c][1]);
        }
    }
}

/* What a sum begins with. `bias` is KERN_BIAS - 128 * (sum of q), all of it multiples of 128. */
INLINE __m256i begin_sum(const lane_block *v, const kern_block *in, const int32_t *bias,
                         const form f) {
    const __m256i zero = _mm256_set1_epi32(KERN_BIAS);
    if (f.bytes == BYTES_SHIFT)
        return _mm256_add_epi32(zero, _mm256_madd_epi16(v->shift, broadcast4(in->half_q)));
    if (f.up_bits < 0) return zero;
    const int less = 7 - f.up_bits;
    const __m256i moved = _mm256_srai_epi32(broadcast4(bias), less);
    return _mm256_add_epi32(moved, _mm256_set1_epi32(KERN_BIAS - (KERN_BIAS >> less)));
}

/* ---- Tiles ---- */

/* Rows of x of a tile, as they are summed. */
typedef struct inputs {
    const char *x;
    size_t stride; /* in bytes */
    const kern_block *in;
    size_t in_stride;
} inputs;

/* The link of scale number i: acc = fma(scale * sum, d, acc). */
INLINE void add_link(__m256 (*acc)[2], const lane_block *v, const __m256i *wide, const inputs *t,
                     const int i, const int C, const form f) {
    const int n = f.link == LINK_16 ? 4 : 8, first = n * i; /* registers */
    __m256i sum[TILE_X][2];
    if (f.bytes == BYTES_SIGNED) sum_signed(sum, v, first, n, t->x, t->stride, C);
    else if (f.bytes == BYTES_WIDE) sum_wide(sum, wide, first, n, t->x, t->stride, C);
    else sum_runs(sum, v, first, n, t->x, t->stride, C, f);
    UNROLL
    for (int h = 0; h < 2; h++) {
        const __m256 scale = v[h].scale[i];
        const __m256 minus = _mm256_mul_ps(scale, _mm256_set1_ps(-KERN_BIAS_FLOAT));
        UNROLL
        for (int c = 0; c < C; c++) {
            const kern_block *in = t->in + (size_t)c * t->in_stride;
            const int32_t *bias = f.link == LINK_16 ? &in->half_bias[i] : &in->bias;
            const __m256i begun = _mm256_add_epi32(sum[c][h], begin_sum(&v[h], in, bias, f));
            const __m256 scaled = _mm256_fmadd_ps(scale, _mm256_castsi256_ps(begun), minus);
            acc[c][h] = _mm256_fmadd_ps(scaled, _mm256_set1_ps(in->d), acc[c][h]);
        }
    }
}

INLINE void add_offset(__m256 (*acc)[2], const lane_block *v, const int i, const float *sum,
                       size_t stride, const int C) {
    UNROLL
    for (int c = 0; c < C; c++) {
        const __m256 s = _mm256_set1_ps(sum[(size_t)c * stride]);
        acc[c][0] = _mm256_fmadd_ps(v[0].offset[i], s, acc[c][0]);
        acc[c][1] = _mm256_fmadd_ps(v[1].offset[i], s, acc[c][1]);
    }
}

INLINE void tile_block(__m256 (*acc)[2], const lane_block *v, const __m256i *wide, const inputs *t,
                       const int C, const form f) {
    if (f.link == LINK_16) {
        add_link(acc, v, wide, t, 0, C, f);
        add_link(acc, v, wide, t, 1, C, f);
        return;
    }
    add_link(acc, v, wide, t, 0, C, f);
    enum { FLOATS = sizeof(kern_block) / sizeof(float) };
    if (f.link == LINK_32_OFFSET) add_offset(acc, v, 0, &t->in->sum, t->in_stride * FLOATS, C);
    if (f.link != LINK_32_OFFSETS) return;
    add_offset(acc, v, 0, &t->in->half_sum[0], t->in_stride * FLOATS, C);
    add_offset(acc, v, 1, &t->in->half_sum[1], t->in_stride * FLOATS, C);
}

INLINE void widen_x(chunk *u, const char *q, size_t stride, uint32_t n_block, const int C) {
    UNROLL
    for (size_t c = 0; c < (size_t)C; c++)
        for (size_t b = 0; b < n_block; b++) {
            const void *p = q + c * stride + b * 32;
            const __m256i v = _mm256_loadu_si256(p);
            u->x[c][b][0] = even_words(v);
            u->x[c][b][1] = odd_words(v);
        }
}

/* C rows of x from c0 on against the chunk. */
INLINE void tile(chunk *u, const kern_rows *x, uint32_t c0, const int C, const target *to,
                 const form f) {
    const uint32_t b0 = to->first_block;
    __m256(*acc)[2] = &u->acc[c0];
    const char *q = (const char *)x->q + c0 * x->q_stride + b0 * 32;
    inputs t = {q, x->q_stride, x->block + c0 * x->block_stride + b0, x->block_stride};
    size_t step = 32;
    if (f.bytes == BYTES_WIDE) {
        widen_x(u, q, x->q_stride, to->n_block, C);
        t.x = (const char *)u->x[0], t.stride = sizeof u->x[0], step = sizeof u->x[0][0];
    }
    if (b0 == 0) {
        UNROLL
        for (int c = 0; c < C; c++) acc[c][0] = acc[c][1] = _mm256_setzero_ps();
    }
    for (uint32_t b = 0; b < to->n_block; b++, q += 32, t.x += step, t.in++) {
        /* A line is two blocks of either. */
        if (b % 2) fetch_next(t.in, x->block_stride * sizeof *t.in, C);
        else fetch_next(q, x->q_stride, C);
        tile_block(acc, u->b[b], u->wide[b][0], &t, C, f);
    }
    UNROLL
    for (int c = 0; c < C; c++) UNROLL
    for (int h = 0; h < 2; h++)
        if (to->y[h]) _mm256_storeu_ps(to->y[h] + (c0 + (size_t)c) * to->y_stride, acc[c][h]);
}

/* All rows of x against the unpacked chunk. */
INLINE void run_chunk(chunk *u, const kern_rows *x, const target *to, const form f) {
    if (f.bytes == BYTES_WIDE)
        for (uint32_t b = 0; b < to->n_block; b++)
            for (int h = 0; h < 2; h++)
                for (int j = 0; j < 8; j++) {
                    u->wide[b][h][2 * j] = even_words(u->b[b][h].w[j]);
                    u->wide[b][h][2 * j + 1] = odd_words(u->b[b][h].w[j]);
                }
    const uint32_t most = tile_rows(f);
    for (uint32_t c = 0, C; c < x->T; c += C) {
        const uint32_t left = x->T - c, n_tile = (left + most - 1) / most;
        C = (left + n_tile - 1) / n_tile; /* 5 rows are 3 and 2, not 4 and 1 */
        if (C == 1) tile(u, x, c, 1, to, f);
        else if (C == 2) tile(u, x, c, 2, to, f);
        else if (C == 3) tile(u, x, c, 3, to, f);
        else if (most > 3) tile(u, x, c, 4, to, f);
    }
}

/* ---- Forms ---- */

/* Functions chunk_<name>: the bytes, the link, the power of two that is added to weights or -1. */
#define FORMS(X)                                  \
    X(u4, BYTES_4, LINK_32_OFFSET, -1)            \
    X(u5, BYTES_5, LINK_32_OFFSET, -1)            \
    X(up_0, BYTES_4, LINK_32, 0)                  \
    X(up_4, BYTES_5, LINK_32, 4)                  \
    X(up_4_halves, BYTES_5, LINK_16, 4)           \
    X(up_5_halves, BYTES_6, LINK_16, 5)           \
    X(factors, BYTES_FACTOR, LINK_32_OFFSETS, -1) \
    X(factors_shift, BYTES_SHIFT, LINK_32, -1)    \
    X(signed, BYTES_SIGNED, LINK_32, -1)          \
    X(signed_halves, BYTES_SIGNED, LINK_16, -1)   \
    X(wide, BYTES_WIDE, LINK_32, -1)              \
    X(wide_halves, BYTES_WIDE, LINK_16, -1)
#define X(name, bytes, link, up_bits)                                          \
    static void chunk_##name(chunk *u, const kern_rows *x, const target *to) { \
        run_chunk(u, x, to, (form){(bytes), (link), (up_bits)});               \
    }
FORMS(X)
#undef X

/* The form of a type; `few`: for few rows of x. */
static chunk_fn *form_of(quant_type t, bool few) {
    switch (t) {
        case QUANT_Q4_1:
        case QUANT_Q4_K:
            return chunk_u4;
        case QUANT_Q5_1:
        case QUANT_Q5_K:
            return chunk_u5;
        case QUANT_TQ1_0:
        case QUANT_TQ2_0:
        case QUANT_Q1_0:
        case QUANT_Q2_0:
            return chunk_up_0;
        case QUANT_Q5_0:
        case QUANT_MXFP4:
        case QUANT_IQ1_S:
            return chunk_up_4;
        case QUANT_IQ1_M:
        case QUANT_NVFP4:
            return chunk_up_4_halves;
        case QUANT_Q6_K:
            return chunk_up_5_halves;
        case QUANT_Q2_K:
            return chunk_factors;
        case QUANT_Q3_K:
            return chunk_factors_shift;
        case QUANT_IQ2_XS:
        case QUANT_IQ2_S:
            return few ? chunk_signed_halves : chunk_wide_halves;
        default:
            return few ? chunk_signed : chunk_wide;
    }
}

INLINE uint32_t chunk_blocks(uint32_t T) {
    (void)T;
    return CHUNK_BLOCKS;
}

#include "kernels/kern_quant_lanes.inc"

/* Products of types that have a way of their own for few rows of x, else NULL. */
static few_product *few_of(quant_type t) {
    switch (t) {
        case QUANT_Q4_K:
            return few8_q4_k;
        case QUANT_Q5_K:
            return few8_q5_k;
        case QUANT_Q6_K:
            return few8_q6_k;
        default:
            return NULL;
    }
}

static void any_product(float *y, size_t y_stride, const lane_source *w, uint32_t n_row,
                        const kern_rows *x, void *scratch, const method *m, quant_type t) {
    few_product *few = x->T <= FEW_ROWS ? few_of(t) : NULL;
    if (few) few(y, y_stride, w, n_row, x);
    else product(y, y_stride, w, n_row, x, scratch, m);
}
/* Fewer rows than lanes: the specification does it. */
#define X(type, stem)                                                                       \
    void avx2_##stem(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,         \
                     uint32_t n_row, const kern_rows *x, void *scratch) {                   \
        const lane_source s = {.w = w, .stride = row_bytes};                                \
        const method m = {LANES(stem), form_of(QUANT_##type, x->T <= FEW_X)};               \
        if (n_row < LANE_ROWS) scalar_##stem(y, y_stride, w, row_bytes, n_row, x, scratch); \
        else any_product(y, y_stride, &s, n_row, x, scratch, &m, QUANT_##type);             \
    }
KERN_QUANT_OTHERS(X)
#undef X
#endif
