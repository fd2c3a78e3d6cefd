/* kern_quant_dotprod.c - integer products for aarch64 processors with SDOT. */
#if defined(__aarch64__)
#define NAME(product) dotprod_##product
#define HAVE_DOT 1
#include "kernels/kern_quant_arm.inc"
#endif
