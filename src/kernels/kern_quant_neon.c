/* kern_quant_neon.c - integer products for every aarch64 processor. */
#if defined(__aarch64__)
#define NAME(product) neon_##product
#define HAVE_DOT 0
#include "kernels/kern_quant_arm.inc"
#endif
