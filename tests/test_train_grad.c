/* test_train_grad.c - gradients: in double against central differences, by every weight; in float
 * against double; and that threads, instruction sets and parts of a batch change no bit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "test.h"
#include "train/net.h"
#include "train_f64.h"

enum { MAX_TOKENS = 512 };

typedef struct problem {
    train_model m;
    uint32_t in[MAX_TOKENS], target[MAX_TOKENS], begin[MAX_TOKENS];
    f64_batch b;
    size_t n; /* weights */
    double *w;
} problem;

static train_model small_model(uint32_t heads, uint32_t kv_heads, bool tied) {
    train_model m = {.name = "small",
                     .hidden = 12,
                     .layers = 2,
                     .heads = heads,
                     .kv_heads = kv_heads,
                     .ffn = 10,
                     .vocab = 13,
                     .seq = 256,
                     .tied = tied,
                     .theta = 100,
                     .dtype = "f32"};
    return m;
}

/* Random tokens and weights; documents begin here and there. */
static void problem_open(problem *p, train_model m, size_t B, size_t S) {
    uint64_t seed = 7;
    p->m = m;
    p->b = (f64_batch){B, S, p->in, p->target, p->begin};
    for (size_t t = 0; t < B * S; t++) {
        p->in[t] = (uint32_t)rng_below(&seed, m.vocab);
        p->target[t] = (uint32_t)rng_below(&seed, m.vocab);
        const bool fresh = t % S == 0 || rng_below(&seed, 9) == 0;
        p->begin[t] = t % S == 0 ? 0 : fresh ? (uint32_t)(t % S) : p->begin[t - 1];
    }
    if (S > 100)
        for (size_t t = 0; t < B * S; t++) p->begin[t] = t % S < 30 ? 0 : 20;
    p->n = (size_t)train_model_weights(&m);
    p->w = malloc(p->n * sizeof *p->w);
    for (size_t i = 0; i < p->n; i++) p->w[i] = (float)(0.8 * (rng_unit(&seed) - 0.5));
}

static void problem_close(problem *p) { free(p->w); }

static void check_model(train_model m, size_t B, size_t S) {
    problem p;
    problem_open(&p, m, B, S);
    const double worst = f64_check(&p.m, &p.b, p.w, p.n);
    CHECK_MSG(worst < 1e-4, "relative error %g", worst);
    problem_close(&p);
}

static void test_gradients_are_slopes(void) {
    check_model(small_model(3, 1, false), 2, 9);
    check_model(small_model(2, 2, true), 1, 7);
}

/* Longer than a block of queries and one of keys. */
static void test_gradients_are_slopes_across_blocks(void) {
    train_model m = small_model(2, 1, false);
    m.layers = 1;
    m.hidden = 4;
    m.ffn = 3;
    m.vocab = 5;
    check_model(m, 1, 150);
}

/* Float gradients of a problem on so many threads; freed by the caller. */
static float *gradients(const problem *p, int threads, size_t parts, double *loss) {
    pool *workers = NULL;
    net *n = NULL;
    net_run *r = NULL;
    err e = {0};
    const size_t B = p->b.B / parts;
    float *g = NULL;
    status s = pool_new(&workers, threads, &e);
    if (s >= 0) s = net_new(&n, &p->m, &e);
    if (s >= 0) s = net_run_new(&r, n, workers, B, p->b.S, &e);
    CHECK_MSG(s >= 0, "%s", e.text);
    *loss = 0;
    if (s >= 0) {
        for (size_t i = 0; i < p->n; i++) n->w[i] = (float)p->w[i];
        for (size_t i = 0; i < parts; i++) {
            const size_t at = i * B * p->b.S;
            const net_batch b = {p->in + at, p->target + at, p->begin + at};
            *loss += net_loss(r, &b, 1);
        }
        g = malloc(p->n * sizeof *g);
        memcpy(g, n->g, p->n * sizeof *g);
    }
    net_run_free(r);
    net_free(n);
    pool_free(workers);
    return g;
}

static void test_float_gradients_are_those_of_double(void) {
    problem p;
    train_model m = small_model(4, 2, false);
    m.hidden = 40;
    m.ffn = 50;
    m.vocab = 300;
    problem_open(&p, m, 2, 130);
    double loss = 0, most = 0, *want = malloc(p.n * sizeof *want);
    const double exact = f64_loss(&p.m, &p.b, p.w, want, p.n);
    float *got = gradients(&p, 2, 1, &loss);
    REQUIRE(got != NULL);
    CHECK_MSG(fabs(loss - exact) < 1e-6 * exact, "loss %.9g, in double %.9g", loss, exact);
    for (size_t i = 0; i < p.n; i++) most = fmax(most, fabs(want[i]));
    size_t off = 0;
    for (size_t i = 0; i < p.n; i++)
        off += fabs(got[i] - want[i]) > 1e-4 * fmax(fabs(want[i]), 1e-2 * most);
    CHECK_MSG(off == 0, "%zu of %zu gradients are off", off, p.n);
    free(got);
    free(want);
    problem_close(&p);
}

static void test_threads_and_parts_change_no_bit(void) {
    problem p;
    train_model m = small_model(4, 2, false);
    m.hidden = 72;
    m.ffn = 100;
    m.vocab = 290;
    problem_open(&p, m, 4, 40);
    static const struct {
        int threads;
        size_t parts;
    } way[] = {{1, 1}, {2, 1}, {5, 1}, {2, 2}, {1, 4}};
    double loss[5];
    float *g[5];
    for (int i = 0; i < 5; i++) {
        g[i] = gradients(&p, way[i].threads, way[i].parts, &loss[i]);
        REQUIRE(g[i] != NULL);
        CHECK_MSG(memcmp(g[0], g[i], p.n * sizeof *g[0]) == 0, "%d threads, %zu parts",
                  way[i].threads, way[i].parts);
        CHECK(fabs(loss[i] - loss[0]) < 1e-9 * loss[0]);
    }
    for (int i = 0; i < 5; i++) free(g[i]);
    problem_close(&p);
}

/* ---- Kernels ---- */

static void fill(float *x, size_t n, uint64_t *seed) {
    for (size_t i = 0; i < n; i++) x[i] = (float)(4 * (rng_unit(seed) - 0.5));
}

static void test_every_table_gives_the_same_bits(void) {
    enum { N = 75, K = 41, TILE = KERN_TILE_ROWS * KERN_TILE_COLS };
    const kern_adam step = {0.5f, 0.9f, 0.99f, 1e-8f, 0.01f, 1.25f, 0.999f};
    float a[K * KERN_TILE_ROWS], b[K * KERN_TILE_COLS], x[6][N], out[2][TILE + 6 * N + 3];
    for (int i = 0; kern_list(i); i++) {
        const kern *k = kern_list(i);
        float *o = out[i > 0];
        uint64_t seed = 3;
        memset(o, 0, sizeof out[0]);
        fill(a, sizeof a / sizeof *a, &seed);
        fill(b, sizeof b / sizeof *b, &seed);
        fill(x[0], 6 * (size_t)N, &seed);
        k->tile(o, KERN_TILE_COLS, a, b, K, KERN_TILE_ROWS, KERN_TILE_COLS, 0);
        k->tile(o, KERN_TILE_COLS, b, b, K / 2, 7, 13, 1);
        o += TILE;
        o[0] = k->dot(x[0], x[1], N);
        o[1] = k->most(x[1], N);
        k->add_scaled(x[1], 0.3f, x[0], N);
        k->silu_back(x[3], x[4], x[5], x[0], x[1], x[2], N);
        o[2] = k->exp_sum(x[0], N, 0.7f, 1.5f);
        for (int j = 0; j < N; j++) x[2][j] = fabsf(x[2][j]);
        k->adam(x[1], x[0], x[2], x[3], N, &step);
        memcpy(o + 3, x, sizeof x);
        CHECK_MSG(i == 0 || memcmp(out[0], out[1], sizeof out[0]) == 0, "%s", k->name);
    }
}

static void test_products_are_chains_in_order(void) {
    enum { M = 101, N = 270, K = 300 };
    pool *workers = NULL;
    team t;
    uint64_t seed = 5;
    REQUIRE(pool_new(&workers, 3, NULL) == RZ_OK && team_new(&t, workers, NULL) == RZ_OK);
    float *a = malloc(sizeof *a * M * K), *b = malloc(sizeof *b * K * N);
    float *c = malloc(sizeof *c * M * N);
    fill(a, (size_t)M * K, &seed);
    fill(b, (size_t)K * N, &seed);
    size_t off = 0;
    for (int kind = 0; kind < 4; kind++) {
        const matrix x = kind & 1 ? turned(a, M) : as_is(a, K);
        const matrix y = kind & 2 ? turned(b, K) : as_is(b, N);
        gemm(&t, c, N, x, y, (size_t[]){M, N, K / 2}, false);
        gemm(&t, c, N, (matrix){x.p + K / 2 * x.cols, x.rows, x.cols},
             (matrix){y.p + K / 2 * y.rows, y.rows, y.cols}, (size_t[]){M, N, K - K / 2}, true);
        for (size_t i = 0; i < M; i += 10)
            for (size_t j = 0; j < N; j++) {
                float s = 0;
                for (size_t k = 0; k < K; k++)
                    s = fmaf(x.p[i * x.rows + k * x.cols], y.p[k * y.rows + j * y.cols], s);
                off += s != c[i * N + j];
            }
    }
    CHECK_MSG(off == 0, "%zu outputs are others", off);
    free(a);
    free(b);
    free(c);
    team_free(&t);
    pool_free(workers);
}

void suite_train_grad(void) {
    RUN(test_every_table_gives_the_same_bits);
    RUN(test_products_are_chains_in_order);
    RUN(test_gradients_are_slopes);
    RUN(test_gradients_are_slopes_across_blocks);
    RUN(test_float_gradients_are_those_of_double);
    RUN(test_threads_and_parts_change_no_bit);
}
