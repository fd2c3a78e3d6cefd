/* limits.h - loops that do nothing but what a processor is best at: what kernels are measured
 * against. Timing them is the caller's business. */
#ifndef KERNELS_LIMITS_H
#define KERNELS_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* Independent chains of multiply-accumulates in registers, for some tens of milliseconds. Returns
 * how many were done. */
typedef double limits_loop(void);

typedef struct limits_isa {
    const char *name; /* "avx2" */
    limits_loop *int8, *f32;
} limits_isa;

/* Number i of the instruction sets this processor has, from simple to best; NULL after the last. */
const limits_isa *limits_list(int i);
/* Read n bytes with the widest loads there are, fetching ahead. */
void limits_read(const uint8_t *p, size_t n);

#endif
