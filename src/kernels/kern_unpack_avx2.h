/* kern_unpack_avx2.h - how 8 weight rows lie side by side for kern_quant_others_avx2.c, and the
 * functions that bring each type there. */
#ifndef KERNELS_KERN_UNPACK_AVX2_H
#define KERNELS_KERN_UNPACK_AVX2_H

#include <immintrin.h>

#include "kernels/kern_quant.h"

enum { LANE_ROWS = 8 };

/* 32 weights of 8 rows, row r in the 32-bit lane r: w[j] holds weights 4j .. 4j+3 of every row as
 * bytes. What stands in a byte depends on the type (kern_quant_others_avx2.c has the list): the
 * weight itself, with sign; the weight plus an offset that makes it 0 or more; or only the small
 * integer that the integer scale of its 16 belongs to. The last are in `factor`, twice as 16 bits,
 * and `shift` is what each sum of q is multiplied by and added, for the first and the last 16.
 * Members that the type does not use are left as they were, as is scale[1] where one serves 32. */
typedef struct lane_block {
    __m256i w[8];
    __m256 scale[2], offset[2];
    __m256i factor[2], shift;
} lane_block;

/* Where to read: 8 rows, and what will be read after these rows, to be fetched meanwhile. */
typedef struct lane_source {
    const uint8_t *w;
    size_t stride;
    const uint8_t *ahead;
} lane_source;

/* Blocks first .. first + n - 1 of 8 rows into out[0], out[2], out[4] ...: another 8 rows go in
 * between. Where a stored block is 256 weights, first and n are multiples of 8; of 64 or 128, the
 * row may end earlier. Nothing behind the rows is read. */
typedef void lane_unpack(lane_block *out, lane_source *s, uint32_t first, uint32_t n);

#define X(type, stem) lane_unpack lanes8_##stem;
KERN_QUANT_OTHERS(X)
#undef X

#endif
