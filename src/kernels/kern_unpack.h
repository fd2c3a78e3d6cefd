/* kern_unpack.h - bringing weight rows side by side, one in each 32-bit lane of a register, a chunk
 * of inputs at a time: where they are read, who does it, and who multiplies with them.
 * kern_unpack_avx2.h and kern_unpack_avx512.h say how they lie. */
#ifndef KERNELS_KERN_UNPACK_H
#define KERNELS_KERN_UNPACK_H

#include <immintrin.h>
#include <string.h>

#include "kernels/kern_quant.h"
#include "kernels/kern_unroll.h"

/* 32 weights of LANE_ROWS rows. */
typedef struct lane_block lane_block;

/* Where to read: LANE_ROWS rows, and what will be read after them, to be fetched meanwhile. */
typedef struct lane_source {
    const uint8_t *w;
    size_t stride;
    const uint8_t *ahead;
} lane_source;

/* Blocks first .. first + n - 1 of the rows into out[0], out[2], out[4] ...: the next rows go in
 * between. Where a stored block is 256 weights, first and n are multiples of 8; of 64 or 128, the
 * row may end earlier. Nothing behind the rows is read. */
typedef void lane_unpack(lane_block *out, lane_source *s, uint32_t first, uint32_t n);

INLINE int word_at(const void *p) {
    int v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Bring n bytes of what is needed later into the near cache. */
INLINE void fetch(lane_source *s, size_t n) {
    enum { LINE = 64 };
    for (size_t i = 0; i < n; i += LINE) _mm_prefetch((const char *)s->ahead + i, _MM_HINT_T0);
    s->ahead += n;
}

/* Where a chunk's sums go: with the last chunk of a row they are the outputs. */
typedef struct target {
    float *y[2]; /* of the two groups of rows, NULL before the last chunk */
    size_t y_stride;
    uint32_t first_block, n_block;
} target;

/* All rows of x against an unpacked chunk: one function for each way to multiply. */
typedef struct chunk chunk;
typedef void chunk_fn(chunk *u, const kern_rows *x, const target *to);

/* The rows of x behind these will be next: have a line of each near by then. */
INLINE void fetch_next(const void *p, size_t stride, const int C) {
    UNROLL
    for (int c = 0; c < C; c++)
        _mm_prefetch((const char *)p + (size_t)(c + C) * stride, _MM_HINT_T0);
}

#endif
