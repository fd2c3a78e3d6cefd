/* kern_unpack_avx2.h - how 8 weight rows lie side by side for kern_quant_others_avx2.c, and the
 * functions that bring each type there. */
#ifndef KERNELS_KERN_UNPACK_AVX2_H
#define KERNELS_KERN_UNPACK_AVX2_H

#include "kernels/kern_unpack.h"

enum { LANE_ROWS = 8 };

typedef __m256i lane_ints;
typedef __m256 lane_floats;
typedef int lane_shift;

/* Row r in the 32-bit lane r: w[j] holds weights 4j .. 4j+3 of every row as bytes. What stands in a
 * byte depends on the type (kern_quant_others_avx2.c has the list): the weight itself, with sign;
 * the weight plus an offset that makes it 0 or more; or only the small integer that the integer
 * scale of its 16 belongs to. The last are in `factor`, twice as 16 bits, and `shift` is what each
 * sum of q is multiplied by and added, for the first and the last 16. Members that the type does
 * not use are left as they were, as is scale[1] where one serves 32. */
struct lane_block {
    lane_ints w[8];
    lane_floats scale[2], offset[2];
    lane_ints factor[2], shift;
};

#define LANES(stem) lanes8_##stem
#define LANE_OP(op) _mm256_##op
#define LANE_BITS(op) _mm256_##op##_si256
#define LANE_REPEAT(v128) _mm256_broadcastsi128_si256(v128)
#define X(type, stem) lane_unpack LANES(stem);
KERN_QUANT_OTHERS(X)
#undef X

/* Products with up to FEW_ROWS rows of x and at least LANE_ROWS rows of weights, which are used as
 * they come. */
enum { FEW_ROWS = 2 };
typedef void few_product(float *y, size_t y_stride, const lane_source *w, uint32_t n_row,
                         const kern_rows *x);
few_product few8_q4_k, few8_q5_k, few8_q6_k;

#endif
