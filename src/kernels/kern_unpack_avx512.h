/* kern_unpack_avx512.h - how 16 weight rows lie side by side for the tile of kern_quant_avx512.c,
 * and the functions that bring each type there. */
#ifndef KERNELS_KERN_UNPACK_AVX512_H
#define KERNELS_KERN_UNPACK_AVX512_H

#include <immintrin.h>

#include "kernels/kern_quant.h"

enum { LANE_ROWS = 16 };

/* 32 weights of 16 rows, row r in the 32-bit lane r: w[j] holds weights 4j .. 4j+3 of every row as
 * unsigned bytes with 128 added. scale[1] and the offsets are set where the link uses them. */
typedef struct lane_block {
    __m512i w[8];
    __m512 scale[2], offset[2];
} lane_block;

/* Where to read: 16 rows, and what will be read after these rows, to be fetched meanwhile. */
typedef struct lane_source {
    const uint8_t *w;
    size_t stride;
    const uint8_t *ahead;
} lane_source;

/* Blocks first .. first + n - 1 of 16 rows into out[0], out[2], out[4] ...: another 16 rows go in
 * between. Where a stored block is 256 weights, first and n are multiples of 8; of 64 or 128, the
 * row may end earlier. Nothing behind the rows is read. */
typedef void lane_unpack(lane_block *out, lane_source *s, uint32_t first, uint32_t n);

#define X(type, stem) lane_unpack lanes_##stem;
KERN_QUANT_LIST(X)
#undef X

#endif
