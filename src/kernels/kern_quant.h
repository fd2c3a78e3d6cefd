/* kern_quant.h - the integer products that fill rows of the tables in kern_<set>.c. */
#ifndef KERNELS_KERN_QUANT_H
#define KERNELS_KERN_QUANT_H

#include "kernels/kern.h"

#if defined(__x86_64__)
kern_product avx512_q4_0, avx512_q8_0;
kern_product avx2_q4_0, avx2_q8_0;
kern_product avxvnni_q4_0, avxvnni_q8_0;
#elif defined(__aarch64__)
kern_product neon_q4_0, neon_q8_0;
kern_product dotprod_q4_0, dotprod_q8_0;
#endif

#endif
