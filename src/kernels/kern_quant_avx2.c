/* kern_quant_avx2.c - integer products for processors with AVX2 alone. */
#if defined(__x86_64__)
#define NAME(product) avx2_##product
#define HAVE_VNNI 0
#include "kernels/kern_quant_ymm.inc"
#endif
