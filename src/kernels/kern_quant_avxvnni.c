/* kern_quant_avxvnni.c - integer products for processors with AVX2 and AVX-VNNI. */
#if defined(__x86_64__)
#define NAME(product) avxvnni_##product
#define HAVE_VNNI 1
#include "kernels/kern_quant_ymm.inc"
#endif
