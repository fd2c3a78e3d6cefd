/* kern_quant.h - the integer products that fill rows of the tables in kern_<set>.c, and the view of
 * weights that they share.
 *
 * kern_quant_of is the specification: how 32 weights of each type are integers with scales and
 * offsets. Vector code arrives at the same numbers its own way, or uses this one where it is not
 * worth its own. */
#ifndef KERNELS_KERN_QUANT_H
#define KERNELS_KERN_QUANT_H

#include "kernels/kern.h"

/* What is added to a chain for each 32 weights, in this order (kern.h has the formulas). */
typedef enum kern_link {
    LINK_NONE,       /* not a type of integer products */
    LINK_32,         /* one scale */
    LINK_32_OFFSET,  /* one scale, one offset */
    LINK_32_OFFSETS, /* one scale, an offset for the first 16, one for the last 16 */
    LINK_16,         /* a scale for the first 16, one for the last 16 */
} kern_link;

/* weight i = q[i] * scale[i / 16] + offset[i / 16]. Both scales, both offsets are always set. */
typedef struct kern_weights {
    int8_t q[32];
    float scale[2], offset[2];
} kern_weights;

/* Weights 32 * block .. 32 * block + 31 of a row. */
typedef void kern_read_weights(const uint8_t *row, uint32_t block, kern_weights *w);

typedef struct kern_quant_type {
    kern_link link;
    kern_read_weights *read;
} kern_quant_type;

/* .link is LINK_NONE for types that have no integer product. */
const kern_quant_type *kern_quant_of(quant_type t);

/* Every type with an integer product: name in QUANT_LIST, stem of function names. */
/* clang-format off */
#define KERN_QUANT_LIST(X) \
    X(Q4_0, q4_0) X(Q8_0, q8_0) KERN_QUANT_OTHERS(X)
/* Of these, all that a 256-bit table has no row of its own for. */
#define KERN_QUANT_OTHERS(X) \
    X(Q4_1, q4_1) X(Q5_0, q5_0) X(Q5_1, q5_1) X(Q8_1, q8_1)                               \
    X(Q2_K, q2_k) X(Q3_K, q3_k) X(Q4_K, q4_k) X(Q5_K, q5_k) X(Q6_K, q6_k)                 \
    X(IQ4_NL, iq4_nl) X(IQ4_XS, iq4_xs) X(IQ3_XXS, iq3_xxs) X(IQ3_S, iq3_s)               \
    X(IQ2_XXS, iq2_xxs) X(IQ2_XS, iq2_xs) X(IQ2_S, iq2_s) X(IQ1_S, iq1_s) X(IQ1_M, iq1_m) \
    X(TQ1_0, tq1_0) X(TQ2_0, tq2_0) X(Q1_0, q1_0) X(Q2_0, q2_0)                           \
    X(MXFP4, mxfp4) X(NVFP4, nvfp4)
/* clang-format on */

#define X(type, stem) kern_product scalar_##stem;
KERN_QUANT_LIST(X)
#undef X
#if defined(__x86_64__)
#define X(type, stem) kern_product avx512_##stem;
KERN_QUANT_LIST(X)
#undef X
#define X(type, stem) kern_product avx2_##stem;
KERN_QUANT_LIST(X)
#undef X
kern_product avxvnni_q4_0, avxvnni_q8_0;
#elif defined(__aarch64__)
kern_product neon_q4_0, neon_q8_0;
kern_product dotprod_q4_0, dotprod_q8_0;
#endif

#endif
