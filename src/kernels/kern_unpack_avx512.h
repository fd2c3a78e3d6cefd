/* kern_unpack_avx512.h - how 16 weight rows lie side by side for the tile of kern_quant_avx512.c,
 * and the functions that bring each type there. */
#ifndef KERNELS_KERN_UNPACK_AVX512_H
#define KERNELS_KERN_UNPACK_AVX512_H

#include "kernels/kern_unpack.h"

enum { LANE_ROWS = 16 };

typedef __m512i lane_ints;
typedef __m512 lane_floats;
typedef unsigned lane_shift;

/* Row r in the 32-bit lane r: w[j] holds weights 4j .. 4j+3 of every row as unsigned bytes with 128
 * added. scale[1] and the offsets are set where the link uses them. */
struct lane_block {
    lane_ints w[8];
    lane_floats scale[2], offset[2];
};

#define LANES(stem) lanes16_##stem
#define LANE_OP(op) _mm512_##op
#define LANE_BITS(op) _mm512_##op##_si512
#define LANE_REPEAT(v128) _mm512_broadcast_i32x4(v128)
#define X(type, stem) lane_unpack LANES(stem);
KERN_QUANT_LIST(X)
#undef X

#endif
