/* bench_attn.c - attention alone, beside the limits of this machine.
 *
 *   bench_attn [--threads N] [--cpu avx512,avx2] [--types f16,q8_0] [--keys 16384] [--rows 1,256]
 *              [--heads 32] [--kv-heads 8] [--head 64] [--mib 512] [--rounds 5]
 *
 * For each type of cache and instruction set, `attend` as the forward pass calls it: that many query
 * rows at the end of that many keys, over as many layers as it takes to leave the caches. With one
 * row the bytes of keys and values read per second and their share of the read bandwidth, with more
 * the multiply-accumulates per second and their share of the float peak. Measured in turns, medians
 * with the spread; with one thread in that thread's own time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kern.h"
#include "kernels/limits.h"
#include "series.h"

enum { MOST_CASES = 128 };

typedef struct options {
    int threads, rounds;
    uint32_t keys, H, G, K, mib;
    uint32_t T[ROWS_MOST], n_T;
    const char *types, *cpus;
} options;

static int n_threads;

static double now(void) { return bench_now(n_threads); }

/* ---- Limits ---- */

static void measure_limits(pool *p, const uint8_t *buffer, size_t bytes, series *read,
                           series *f32) {
    limits_loop *loop = NULL;
    double start = now(), done = limits_read_all(p, buffer, bytes);
    series_add(read, done / (now() - start) * 1e-9);
    for (int i = 0; limits_list(i); i++) loop = limits_list(i)->f32;
    if (!loop) return;
    start = now();
    done = limits_compute_all(p, loop);
    series_add(f32, done / (now() - start) * 1e-9);
}

/* ---- Attention ---- */

typedef struct one_case {
    ops *o;
    const kern *k;
    uint32_t T;
    series s;
} one_case;

typedef struct bench {
    const options *o;
    kv_slab kv;
    uint32_t *page;
    float *q, *out;
} bench;

static void run_case(bench *b, one_case *c) {
    const options *o = b->o;
    const attend_config a = {.H = o->H, .G = o->G, .K = o->K, .scale = 0.125f};
    const row_span s = {.n_row = c->T, .pos = o->keys - c->T, .page = b->page};
    uint32_t n = b->kv.n_layer;
    if (c->T > 1 || strcmp(c->k->name, "scalar") == 0) n = n > 2 ? 2 : n;
    const double start = now();
    for (uint32_t l = 0; l < n; l++) c->o->attend(c->o, b->out, b->q, &b->kv, l, &a, &s, 1);
    const double seconds = now() - start, heads = 2.0 * o->keys * n;
    const double read = heads * o->G * (double)kv_head_bytes(b->kv.type, o->K);
    const double macs = heads * o->H * o->K * c->T;
    series_add(&c->s, (c->T == 1 ? read : macs) / seconds * 1e-9);
}

/* All pages hold the same tokens: their values change no speed. */
static bool fill_cache(bench *b, pool *workers, uint8_t *buffer, size_t bytes) {
    const options *o = b->o;
    const uint32_t n_page = (o->keys + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS;
    ops *w;
    b->kv.n_layer = 1;
    if (kv_slab_layout(&b->kv, NULL) < 0) return false;
    b->kv.n_layer = (uint32_t)(bytes / n_page / b->kv.page_bytes);
    if (b->kv.n_layer == 0 || kv_slab_layout(&b->kv, NULL) < 0) return false;
    if (ops_cpu_new(&w, workers, KV_PAGE_TOKENS, o->H * o->K, NULL) < 0) return false;
    b->kv.base = buffer;
    for (uint32_t i = 0; i < n_page; i++) b->page[i] = i;
    const row_span s = {.n_row = KV_PAGE_TOKENS, .page = b->page};
    for (uint32_t l = 0; l < b->kv.n_layer; l++) w->kv_write(w, &b->kv, l, b->q, b->q, &s, 1);
    for (uint32_t i = 1; i < n_page; i++)
        memcpy(buffer + i * b->kv.page_bytes, buffer, b->kv.page_bytes);
    w->free(w);
    return true;
}

static void bench_type(bench *b, pool *workers, const double limit[2]) {
    static one_case cases[MOST_CASES];
    const options *o = b->o;
    int n = 0;
    for (int k = 0; kern_list(k); k++)
        for (uint32_t i = 0; i < o->n_T && bench_listed(o->cpus, kern_list(k)->name); i++) {
            one_case *c = &cases[n++];
            *c = (one_case){.k = kern_list(k), .T = o->T[i]};
            if (ops_cpu_new_kern(&c->o, c->k, workers, o->T[i], o->H * o->K, NULL) < 0) return;
        }
    for (int round = 0; round < o->rounds; round++)
        for (int i = 0; i < n; i++) run_case(b, &cases[i]);
    for (int i = 0; i < n; i++) {
        one_case *c = &cases[i];
        const double bound = limit[c->T > 1];
        printf("%-6s %-8s %5u %9.2f %-6s %5.1f%% +-%.1f%%\n", kv_type_name(b->kv.type), c->k->name,
               c->T, series_median(&c->s), c->T == 1 ? "GB/s" : "GMAC/s",
               bound > 0 ? 100 * series_median(&c->s) / bound : 0, series_spread(&c->s));
        c->o->free(c->o);
    }
    fflush(stdout);
}

/* ---- Command line ---- */

static bool parse(options *o, int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--threads") == 0) o->threads = (int)bench_number(value);
        else if (strcmp(name, "--rounds") == 0) o->rounds = (int)bench_number(value);
        else if (strcmp(name, "--keys") == 0) o->keys = bench_number(value);
        else if (strcmp(name, "--heads") == 0) o->H = bench_number(value);
        else if (strcmp(name, "--kv-heads") == 0) o->G = bench_number(value);
        else if (strcmp(name, "--head") == 0) o->K = bench_number(value);
        else if (strcmp(name, "--mib") == 0) o->mib = bench_number(value);
        else if (strcmp(name, "--types") == 0) o->types = value;
        else if (strcmp(name, "--cpu") == 0) o->cpus = value;
        else if (strcmp(name, "--rows") != 0 || !bench_rows(value, o->T, &o->n_T)) return false;
    }
    for (uint32_t i = 0; i < o->n_T; i++)
        if (o->T[i] > o->keys) return false;
    return argc % 2 == 1 && o->threads > 0 && o->threads <= 1024 && o->rounds > 0 &&
           o->rounds <= SERIES_MOST && o->G > 0 && o->H % o->G == 0 && o->K > 0 && o->mib > 0;
}

int main(int argc, char **argv) {
    options o = {.threads = 1, .rounds = 5, .keys = 16384, .H = 32, .G = 8, .K = 64, .mib = 512};
    o.T[0] = 1, o.T[1] = 256, o.n_T = 2;
    if (!parse(&o, argc, argv)) {
        fprintf(stderr, "bench_attn: see the top of bench/bench_attn.c for the options\n");
        return 2;
    }
    n_threads = o.threads;
    const size_t bytes = (size_t)o.mib << 20, n = (size_t)4096 * o.H * o.K;
    uint8_t *buffer = mem_map(bytes);
    bench b = {.o = &o};
    b.page = mem_array(o.keys / KV_PAGE_TOKENS + 1, sizeof *b.page);
    b.q = mem_array(n, sizeof *b.q);
    b.out = mem_array(n, sizeof *b.out);
    pool *workers;
    if (!buffer || !b.page || !b.q || !b.out || pool_new(&workers, o.threads, NULL) < 0) {
        fprintf(stderr, "bench_attn: no memory or threads\n");
        return 1;
    }
    uint64_t seed = 1;
    for (size_t i = 0; i < n; i++) b.q[i] = (float)(rng_unit(&seed) - 0.5);
    memset(buffer, 1, bytes);
    series read = {.n = 0}, f32 = {.n = 0};
    for (int round = 0; round < o.rounds; round++)
        measure_limits(workers, buffer, bytes, &read, &f32);
    const double limit[2] = {series_median(&read), series_median(&f32)};
    printf("limits, %d thread%s: read %.2f GB/s +-%.1f%%, floats %.1f GMAC/s\n", o.threads,
           o.threads == 1 ? " (its own time)" : "s", limit[0], series_spread(&read), limit[1]);
    printf("cache  cpu       rows\n");
    for (int t = 0; t < KV_TYPE_COUNT; t++) {
        b.kv = (kv_slab){.type = (kv_type)t, .G = o.G, .K = o.K};
        if (bench_listed(o.types, kv_type_name((kv_type)t)) &&
            fill_cache(&b, workers, buffer, bytes))
            bench_type(&b, workers, limit);
    }
    pool_free(workers);
    mem_unmap(buffer, bytes);
    mem_free(b.page);
    mem_free(b.q);
    mem_free(b.out);
    return 0;
}
