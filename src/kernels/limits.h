/* limits.h - loops that do nothing but what a processor is best at: what kernels are measured
 * against. Timing them is the caller's business. */
#ifndef KERNELS_LIMITS_H
#define KERNELS_LIMITS_H

#include "base/pool.h"

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

/* All threads of a pool at once: each runs `loop`, or they read the buffer piece by piece. Returns
 * the multiply-accumulates done, or the bytes read (a few at the end may be left). */
double limits_compute_all(pool *p, limits_loop *loop);
double limits_read_all(pool *p, const uint8_t *buffer, size_t bytes);

#endif
