/* ops_bench.c - see ops_bench.h. */
#include "ops_bench.h"

#include <stdlib.h>

#include "base/rng.h"

uint64_t noise_seed;

float noise(void) {
    double s = 0;
    for (int i = 0; i < 4; i++) s += rng_unit(&noise_seed) - 0.5;
    return (float)(s * 1.7);
}

float *noises(size_t n) {
    float *p = malloc((n + 1) * sizeof *p);
    for (size_t i = 0; i < n; i++) p[i] = noise();
    return p;
}

bench open_bench(const kern *k, int threads, uint32_t rows, uint32_t cols) {
    bench b = {0};
    if (pool_new(&b.p, threads, NULL) == RZ_OK)
        ops_cpu_new_kern(&b.o, k ? k : kern_get(), b.p, rows, cols, NULL);
    return b;
}

void close_bench(bench *b) {
    if (b->o) b->o->free(b->o);
    pool_free(b->p);
}
