/* train_f64.c - the sources of the trainer compiled once more, in double. */
#define TRAIN_DOUBLE
#include "train_f64.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "train/gemm.c"        // NOLINT(bugprone-suspicious-include)
#include "train/net.c"         // NOLINT(bugprone-suspicious-include)
#include "train/part_attn.c"   // NOLINT(bugprone-suspicious-include)
#include "train/part_swiglu.c" // NOLINT(bugprone-suspicious-include)

typedef struct bench {
    pool *workers;
    net *n;
    net_run *r;
} bench;

static bool bench_open(bench *b, const train_model *m, const f64_batch *x, size_t n) {
    err e = {0};
    *b = (bench){NULL, NULL, NULL};
    status s = pool_new(&b->workers, 1, &e);
    if (s >= 0) s = net_new(&b->n, m, &e);
    if (s >= 0) s = net_run_new(&b->r, b->n, b->workers, x->B, x->S, &e);
    CHECK_MSG(s >= 0, "%s", e.text);
    CHECK(s < 0 || (b->n->n_weights == n && train_model_weights(m) == n));
    return s >= 0 && b->n->n_weights == n;
}

static void bench_close(bench *b) {
    net_run_free(b->r);
    net_free(b->n);
    pool_free(b->workers);
}

double f64_loss(const train_model *m, const f64_batch *x, const double *w, double *g, size_t n) {
    const net_batch batch = {x->in, x->target, x->begin};
    bench b;
    double loss = -1;
    if (bench_open(&b, m, x, n)) {
        memcpy(b.n->w, w, n * sizeof *w);
        loss = net_loss(b.r, &batch, g ? 1 : 0);
        if (g) memcpy(g, b.n->g, n * sizeof *g);
    }
    bench_close(&b);
    return loss;
}

/* Central differences of fourth order: with such steps what they leave out and what rounding does
 * are both below 1e-9 of the loss. */
static double slope_at(bench *b, const net_batch *batch, size_t i, double w) {
    const double step = 5e-4;
    double loss[4];
    for (int k = 0; k < 4; k++) {
        b->n->w[i] = w + step * (k < 2 ? k - 2 : k - 1);
        loss[k] = net_loss(b->r, batch, 0);
    }
    return (8 * (loss[2] - loss[1]) - (loss[3] - loss[0])) / (12 * step);
}

double f64_check(const train_model *m, const f64_batch *x, const double *w, size_t n) {
    const net_batch batch = {x->in, x->target, x->begin};
    double worst = 0, most = 0;
    bench b;
    if (!bench_open(&b, m, x, n)) {
        bench_close(&b);
        return INFINITY;
    }
    memcpy(b.n->w, w, n * sizeof *w);
    net_loss(b.r, &batch, 1);
    for (size_t i = 0; i < n; i++) most = fabs(b.n->g[i]) > most ? fabs(b.n->g[i]) : most;
    for (size_t p = 0; p < b.n->n_param; p++) {
        const param *q = &b.n->param[p];
        for (size_t i = q->at; i < q->at + q->n; i++) {
            const double slope = slope_at(&b, &batch, i, w[i]), g = b.n->g[i];
            b.n->w[i] = w[i];
            const double size = fmax(fmax(fabs(g), fabs(slope)), 1e-5 * most);
            const double off = fabs(g - slope) / size;
            if (off > worst) worst = off;
            CHECK_MSG(off < 1e-4, "%s[%zu]: gradient %.9g, slope %.9g", q->name, i - q->at, g,
                      slope);
        }
    }
    bench_close(&b);
    return worst;
}
