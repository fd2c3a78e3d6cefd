/* kern_quant_avx512.c - integer products for AVX-512 with VNNI: 16 weight rows side by side, one in
 * each 32-bit lane, so that no sum ever crosses lanes.
 *
 * 32 weight rows, a chunk of inputs at a time, are unpacked into scratch (kern_unpack_avx512.h):
 * bytes in the order VPDPBUSD wants, unsigned with 128 added, because it multiplies unsigned by
 * signed. The 128 is taken out again by starting integer sums at kern_block.bias. A tile of 32
 * weight rows by up to 6 rows of x runs over the chunk with all sums in registers, and the inputs'
 * four bytes are broadcast from memory to all lanes. Types differ in how they are unpacked and in
 * the links of their chains; there is one tile for each kind of link.
 *
 * Few rows of x: the same with shorter chunks, so that weights just unpacked are still in the
 * nearest cache together with what is fetched ahead. */
#if defined(__x86_64__)
#include "kernels/kern_unpack_avx512.h"
#include "kernels/kern_unroll.h"

enum {
    CHUNK_BLOCKS = 16, /* unpacked at a time: 32 rows of them stay in the nearest cache */
    FEW_BLOCKS = 8,
    FEW_X = 4, /* up to so many rows of x the chunks are short */
    TILE_X = 6,
    MOST_X = 256, /* rows of x that share an unpacked chunk */
};

/* Two groups of 16 rows, a chunk of inputs, and the sums of every row of x so far. */
struct chunk {
    lane_block b[CHUNK_BLOCKS][2];
    __m512 acc[MOST_X][2];
};
_Static_assert(sizeof(chunk) <= KERN_SCRATCH, "scratch of integer products");

INLINE __m512i broadcast4(const int8_t *q) {
    int32_t four;
    __builtin_memcpy(&four, q, sizeof four);
    return _mm512_set1_epi32(four);
}

/* 16 inputs, those of w[first] .. w[first + 3]. */
INLINE void add_dots(__m512i sum[TILE_X][2], const lane_block *v, int first, const int8_t *q,
                     size_t q_stride, const int C) {
    UNROLL
    for (int j = 0; j < 4; j++) {
        const __m512i w0 = v[0].w[first + j], w1 = v[1].w[first + j];
        UNROLL
        for (int c = 0; c < C; c++) {
            const __m512i four = broadcast4(q + (size_t)c * q_stride + 4 * j);
            sum[c][0] = _mm512_dpbusd_epi32(sum[c][0], w0, four);
            sum[c][1] = _mm512_dpbusd_epi32(sum[c][1], w1, four);
        }
    }
}

/* The link of scale number i: acc = fma(scale * sum, d, acc). */
INLINE void add_scaled(__m512 acc[TILE_X][2], __m512i sum[TILE_X][2], const lane_block *v,
                       const int i, const kern_block *in, size_t stride, const int C) {
    const __m512 bias = _mm512_set1_ps(-KERN_BIAS_FLOAT);
    const __m512 scale[2] = {v[0].scale[i], v[1].scale[i]};
    const __m512 minus[2] = {_mm512_mul_ps(scale[0], bias), _mm512_mul_ps(scale[1], bias)};
    UNROLL
    for (int c = 0; c < C; c++) {
        const __m512 d = _mm512_set1_ps(in[(size_t)c * stride].d);
        UNROLL
        for (int h = 0; h < 2; h++) {
            const __m512 sum_h = _mm512_castsi512_ps(sum[c][h]);
            acc[c][h] = _mm512_fmadd_ps(_mm512_fmadd_ps(scale[h], sum_h, minus[h]), d, acc[c][h]);
        }
    }
}

INLINE void add_offset(__m512 acc[TILE_X][2], __m512 offset0, __m512 offset1, const float *sum,
                       size_t stride, const int C) {
    UNROLL
    for (int c = 0; c < C; c++) {
        const __m512 s = _mm512_set1_ps(sum[(size_t)c * stride]);
        acc[c][0] = _mm512_fmadd_ps(offset0, s, acc[c][0]);
        acc[c][1] = _mm512_fmadd_ps(offset1, s, acc[c][1]);
    }
}

/* 32 inputs against 32 weight rows. */
INLINE void tile_block(__m512 acc[TILE_X][2], const lane_block *v, const int8_t *q, size_t q_stride,
                       const kern_block *in, size_t stride, const int C, const kern_link link) {
    __m512i sum[TILE_X][2];
    if (link == LINK_16) {
        UNROLL
        for (int half = 0; half < 2; half++) {
            UNROLL
            for (int c = 0; c < C; c++)
                sum[c][0] = sum[c][1] = _mm512_set1_epi32(in[(size_t)c * stride].half_bias[half]);
            add_dots(sum, v, 4 * half, q + 16 * half, q_stride, C);
            add_scaled(acc, sum, v, half, in, stride, C);
        }
        return;
    }
    UNROLL
    for (int c = 0; c < C; c++)
        sum[c][0] = sum[c][1] = _mm512_set1_epi32(in[(size_t)c * stride].bias);
    add_dots(sum, v, 0, q, q_stride, C);
    add_dots(sum, v, 4, q + 16, q_stride, C);
    add_scaled(acc, sum, v, 0, in, stride, C);
    enum { FLOATS = sizeof(kern_block) / sizeof(float) };
    if (link == LINK_32_OFFSET)
        add_offset(acc, v[0].offset[0], v[1].offset[0], &in->sum, stride * FLOATS, C);
    if (link != LINK_32_OFFSETS) return;
    UNROLL
    for (int half = 0; half < 2; half++)
        add_offset(acc, v[0].offset[half], v[1].offset[half], &in->half_sum[half], stride * FLOATS,
                   C);
}

INLINE void tile(chunk *u, const kern_rows *x, uint32_t c0, const int C, const target *to,
                 const kern_link link) {
    __m512 acc[TILE_X][2];
    const uint32_t b0 = to->first_block;
    const int8_t *q = x->q + c0 * x->q_stride + b0 * 32;
    const kern_block *in = x->block + c0 * x->block_stride + b0;
    UNROLL
    for (int c = 0; c < C; c++) UNROLL
    for (int h = 0; h < 2; h++) acc[c][h] = b0 ? u->acc[c0 + (uint32_t)c][h] : _mm512_setzero_ps();
    fetch_next(&u->acc[c0][0], sizeof u->acc[0], C);
    fetch_next(&u->acc[c0][1], sizeof u->acc[0], C);
    for (uint32_t b = 0; b < to->n_block; b++, q += 32, in++) {
        /* A line is two blocks of either. */
        if (b % 2) fetch_next(in, x->block_stride * sizeof *in, C);
        else fetch_next(q, x->q_stride, C);
        tile_block(acc, u->b[b], q, x->q_stride, in, x->block_stride, C, link);
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
INLINE void run_chunk(chunk *u, const kern_rows *x, const target *to, const kern_link link) {
    for (uint32_t c = 0, C; c < x->T; c += C) {
        const uint32_t left = x->T - c, n_tile = (left + TILE_X - 1) / TILE_X;
        C = (left + n_tile - 1) / n_tile; /* 9 rows are 5 and 4, not 6 and 3 */
        switch (C) {
            case 1:
                tile(u, x, c, 1, to, link);
                break;
            case 2:
                tile(u, x, c, 2, to, link);
                break;
            case 3:
                tile(u, x, c, 3, to, link);
                break;
            case 4:
                tile(u, x, c, 4, to, link);
                break;
            case 5:
                tile(u, x, c, 5, to, link);
                break;
            default:
                tile(u, x, c, 6, to, link);
                break;
        }
    }
}

static void chunk_32(chunk *u, const kern_rows *x, const target *to) {
    run_chunk(u, x, to, LINK_32);
}
static void chunk_32_offset(chunk *u, const kern_rows *x, const target *to) {
    run_chunk(u, x, to, LINK_32_OFFSET);
}
static void chunk_32_offsets(chunk *u, const kern_rows *x, const target *to) {
    run_chunk(u, x, to, LINK_32_OFFSETS);
}
static void chunk_16(chunk *u, const kern_rows *x, const target *to) {
    run_chunk(u, x, to, LINK_16);
}

static chunk_fn *form_of(quant_type t) {
    static chunk_fn *const run[] = {
        [LINK_32] = chunk_32,
        [LINK_32_OFFSET] = chunk_32_offset,
        [LINK_32_OFFSETS] = chunk_32_offsets,
        [LINK_16] = chunk_16,
    };
    return run[kern_quant_of(t)->link];
}

INLINE uint32_t chunk_blocks(uint32_t T) { return T <= FEW_X ? FEW_BLOCKS : CHUNK_BLOCKS; }

#include "kernels/kern_quant_lanes.inc"

/* Fewer rows than lanes: the specification does it. */
#define X(type, stem)                                                                       \
    void avx512_##stem(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,       \
                       uint32_t n_row, const kern_rows *x, void *scratch) {                 \
        const lane_source s = {.w = w, .stride = row_bytes};                                \
        const method m = {LANES(stem), form_of(QUANT_##type)};                              \
        if (n_row < LANE_ROWS) scalar_##stem(y, y_stride, w, row_bytes, n_row, x, scratch); \
        else product(y, y_stride, &s, n_row, x, scratch, &m);                               \
    }
KERN_QUANT_LIST(X)
#undef X
#endif
