/* bench_kern.c - the limits of this machine, and how near to them the products with weights come.
 *
 *   bench_kern [--threads N] [--types Q4_0,Q8_0] [--cpu avx512,avx2] [--rows 1,16,512]
 *              [--out 8192] [--in 2048] [--mib 1024] [--rounds 5]
 *
 * First the limits: reading a buffer larger than any cache with wide loads, multiply-accumulates of
 * bytes and of floats in registers. Then for each type and instruction set the `linear` operation
 * as the forward pass calls it, over more weights than the caches hold: with one row the bytes of
 * weights read per second, with many the multiply-accumulates per second, each with its share of
 * the limit.
 *
 * Everything is measured in turns, and the median over the rounds is printed with the spread. With
 * one thread time is the processor's time of that thread, so that other work on the machine falls
 * out as far as it can; with more it is the clock on the wall. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/rng.h"
#include "kernels/kern.h"
#include "kernels/limits.h"
#include "series.h"

enum { MOST_CASES = 256 };

typedef struct options {
    int threads, rounds;
    uint32_t n_out, n_in, mib;
    uint32_t T[ROWS_MOST], n_T;
    const char *types, *cpus;
} options;

static int n_threads;

static double now(void) { return bench_now(n_threads); }

/* ---- Limits ---- */

static void limit_compute(pool *p, limits_loop *loop, series *s) {
    if (!loop) return;
    const double start = now(), done = limits_compute_all(p, loop);
    series_add(s, done / (now() - start) * 1e-9);
}

static void limit_read(pool *p, const uint8_t *buffer, size_t bytes, series *s) {
    const double start = now(), done = limits_read_all(p, buffer, bytes);
    series_add(s, done / (now() - start) * 1e-9);
}

/* ---- Products ---- */

typedef struct one_case {
    quant_type type;
    ops *o;
    const kern *k;
    uint32_t T;
    series s;
} one_case;

/* As many matrices of the type as fit the buffer: random weights, one block of rows repeated. */
static uint32_t fill_weights(uint8_t *buffer, size_t bytes, weight *w) {
    enum { ROWS = 32 };
    const quant_info *info = quant_get((uint32_t)w->type);
    float *row = mem_array(w->n_in, sizeof *row);
    if (!row || !info->from_float) {
        mem_free(row);
        return 0;
    }
    uint64_t seed = 1;
    for (uint32_t r = 0; r < ROWS; r++) {
        for (uint32_t i = 0; i < w->n_in; i++) row[i] = (float)(rng_unit(&seed) - 0.5);
        info->from_float(row, buffer + r * w->row_bytes, w->n_in);
    }
    const size_t all = bytes / (w->n_out * w->row_bytes) * (w->n_out * w->row_bytes);
    for (size_t at = ROWS * w->row_bytes; at < all; at += ROWS * w->row_bytes) {
        const size_t n = ROWS * w->row_bytes;
        memcpy(buffer + at, buffer, all - at < n ? all - at : n);
    }
    mem_free(row);
    return (uint32_t)(all / (w->n_out * w->row_bytes));
}

/* Products over matrices until enough has been done; GB/s of weights for one row, else GMAC/s. */
static void run_case(one_case *c, weight w, const uint8_t *buffer, uint32_t n_matrix,
                     const float *x, float *y) {
    const double macs = (double)w.n_out * w.n_in * c->T;
    const double slow = strcmp(c->k->name, "scalar") == 0 ? 200 : 1;
    uint32_t n = (uint32_t)(4e10 / slow / macs);
    if (n > n_matrix) n = n_matrix;
    if (n < 1) n = 1;
    const linear_job job = {y, &w};
    const double start = now();
    for (uint32_t i = 0; i < n; i++) {
        w.data = buffer + i * w.n_out * w.row_bytes;
        c->o->linear(c->o, &job, 1, x, c->T);
    }
    const double seconds = now() - start;
    const double done = c->T == 1 ? (double)w.n_out * (double)w.row_bytes : macs;
    series_add(&c->s, done * n / seconds * 1e-9);
}

static void bench_type(const options *o, quant_type t, pool *workers, uint8_t *buffer, size_t bytes,
                       const double limit[3]) {
    static one_case cases[MOST_CASES];
    int n = 0;
    weight w = {.type = t, .n_out = o->n_out, .n_in = o->n_in};
    if (!quant_row_bytes(t, w.n_in, &w.row_bytes)) return;
    const uint32_t n_matrix = fill_weights(buffer, bytes, &w);
    if (!n_matrix) return;
    uint32_t most = 1;
    for (uint32_t i = 0; i < o->n_T; i++) most = o->T[i] > most ? o->T[i] : most;
    float *x = mem_array((size_t)most * w.n_in, sizeof *x);
    float *y = mem_array((size_t)most * w.n_out, sizeof *y);
    if (!x || !y) return;
    uint64_t seed = 2;
    for (size_t i = 0; i < (size_t)most * w.n_in; i++) x[i] = (float)(rng_unit(&seed) - 0.5);
    for (int k = 0; kern_list(k); k++)
        for (uint32_t i = 0; i < o->n_T && bench_listed(o->cpus, kern_list(k)->name); i++) {
            one_case *c = &cases[n++];
            *c = (one_case){.type = t, .k = kern_list(k), .T = o->T[i]};
            if (ops_cpu_new_kern(&c->o, c->k, workers, most, w.n_in, NULL) < 0) return;
        }
    for (int round = 0; round < o->rounds; round++)
        for (int i = 0; i < n; i++) run_case(&cases[i], w, buffer, n_matrix, x, y);
    for (int i = 0; i < n; i++) {
        one_case *c = &cases[i];
        const bool bytewise = kern_takes_quantized(t) && c->k->product[t];
        const double bound = c->T == 1 ? limit[0] : bytewise ? limit[1] : limit[2];
        printf("%-8s %-8s %5u %9.2f %-6s %5.1f%% +-%.1f%%\n", quant_get((uint32_t)t)->name,
               c->k->name, c->T, series_median(&c->s), c->T == 1 ? "GB/s" : "GMAC/s",
               bound > 0 ? 100 * series_median(&c->s) / bound : 0, series_spread(&c->s));
        c->o->free(c->o);
    }
    fflush(stdout);
    mem_free(x);
    mem_free(y);
}

/* ---- Command line ---- */

static bool parse(options *o, int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--threads") == 0) o->threads = (int)bench_number(value);
        else if (strcmp(name, "--rounds") == 0) o->rounds = (int)bench_number(value);
        else if (strcmp(name, "--out") == 0) o->n_out = bench_number(value);
        else if (strcmp(name, "--in") == 0) o->n_in = bench_number(value);
        else if (strcmp(name, "--mib") == 0) o->mib = bench_number(value);
        else if (strcmp(name, "--types") == 0) o->types = value;
        else if (strcmp(name, "--cpu") == 0) o->cpus = value;
        else if (strcmp(name, "--rows") != 0 || !bench_rows(value, o->T, &o->n_T)) return false;
    }
    return argc % 2 == 1 && o->threads > 0 && o->threads <= 1024 && o->rounds > 0 &&
           o->rounds <= SERIES_MOST && o->n_out > 0 && o->n_in > 0 && o->mib > 0;
}

int main(int argc, char **argv) {
    options o = {.threads = 1, .rounds = 5, .n_out = 8192, .n_in = 2048, .mib = 1024};
    o.T[0] = 1, o.T[1] = 16, o.T[2] = 512, o.n_T = 3;
    if (!parse(&o, argc, argv)) {
        fprintf(stderr, "bench_kern: see the top of bench/bench_kern.c for the options\n");
        return 2;
    }
    n_threads = o.threads;
    const size_t bytes = (size_t)o.mib << 20;
    uint8_t *buffer = mem_map(bytes);
    pool *workers;
    err e;
    if (!buffer || pool_new(&workers, o.threads, &e) < 0) {
        fprintf(stderr, "bench_kern: no memory or threads\n");
        return 1;
    }
    memset(buffer, 1, bytes);
    series read = {.n = 0}, int8 = {.n = 0}, f32 = {.n = 0};
    limits_isa best = {NULL, NULL, NULL};
    for (int i = 0; limits_list(i); i++) best = *limits_list(i);
    for (int round = 0; round < o.rounds; round++) {
        limit_read(workers, buffer, bytes, &read);
        limit_compute(workers, best.int8, &int8);
        limit_compute(workers, best.f32, &f32);
    }
    const double limit[3] = {series_median(&read), series_median(&int8), series_median(&f32)};
    printf("limits, %d thread%s: read %.2f GB/s +-%.1f%%, bytes %.1f GMAC/s, floats %.1f GMAC/s\n",
           o.threads, o.threads == 1 ? " (its own time)" : "s", limit[0], series_spread(&read),
           limit[1], limit[2]);
    printf("type     cpu       rows\n");
    for (int t = 0; t < QUANT_TYPE_COUNT; t++) {
        const char *name = quant_get((uint32_t)t)->name;
        if (name && ops_cpu_supports((quant_type)t) && bench_listed(o.types, name))
            bench_type(&o, (quant_type)t, workers, buffer, bytes, limit);
    }
    pool_free(workers);
    mem_unmap(buffer, bytes);
    return 0;
}
