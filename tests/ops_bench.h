/* ops_bench.h - the operations of the processor with workers of their own, and numbers for them. */
#ifndef TESTS_OPS_BENCH_H
#define TESTS_OPS_BENCH_H

#include "kernels/kern.h"

extern uint64_t noise_seed;
/* Roughly normal, spread 1. */
float noise(void);
float *noises(size_t n); /* free it */

typedef struct bench {
    pool *p;
    ops *o;
} bench;

/* k NULL: the table this process chose. */
bench open_bench(const kern *k, int threads, uint32_t rows, uint32_t cols);
void close_bench(bench *b);

#endif
