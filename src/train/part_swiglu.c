/* part_swiglu.c - x += (silu(n Wg^T) * (n Wu^T)) Wd^T */
#include "train/net.h"

typedef struct swiglu_call {
    size_t F;
    real *h, *dgate, *dup; /* dgate holds dh at first */
    const real *gate, *up;
} swiglu_call;

static void silu_rows(void *ctx, size_t first, size_t n, uint32_t thread) {
    const swiglu_call *s = ctx;
    const size_t at = first * s->F;
    (void)thread;
    real_silu_mul(s->h + at, s->gate + at, s->up + at, n * s->F);
}

static void silu_back_rows(void *ctx, size_t first, size_t n, uint32_t thread) {
    const swiglu_call *s = ctx;
    const size_t at = first * s->F;
    (void)thread;
    real_silu_back(s->h + at, s->dgate + at, s->dup + at, s->gate + at, s->up + at, s->dgate + at,
                   n * s->F);
}

static swiglu_call swiglu_arrays(const part_call *c) {
    const size_t F = c->r->n->m.ffn, all = c->r->T * F;
    return (swiglu_call){F,        c->r->wide,    c->r->wide + all, c->r->wide + 2 * all,
                         c->saved, c->saved + all};
}

void swiglu_forward(const part_call *c, real *x) {
    net_run *r = c->r;
    const size_t d = r->n->m.hidden, F = r->n->m.ffn, T = r->T;
    const real *w = r->n->w;
    swiglu_call s = swiglu_arrays(c);
    gemm(&r->team, c->saved, F, as_is(c->n, d), turned(w + c->p->at[0], d), (size_t[]){T, F, d},
         false);
    gemm(&r->team, c->saved + T * F, F, as_is(c->n, d), turned(w + c->p->at[1], d),
         (size_t[]){T, F, d}, false);
    team_rows(&r->team, T, silu_rows, &s);
    gemm(&r->team, x, d, as_is(s.h, F), turned(w + c->p->at[2], F), (size_t[]){T, d, F}, true);
}

void swiglu_backward(const part_call *c, real *dn, const real *dy) {
    net_run *r = c->r;
    const size_t d = r->n->m.hidden, F = r->n->m.ffn, T = r->T;
    const real *w = r->n->w;
    real *g = r->n->g;
    swiglu_call s = swiglu_arrays(c);
    gemm(&r->team, s.dgate, F, as_is(dy, d), as_is(w + c->p->at[2], F), (size_t[]){T, F, d}, false);
    team_rows(&r->team, T, silu_back_rows, &s);
    gemm(&r->team, g + c->p->at[2], F, turned(dy, d), as_is(s.h, F), (size_t[]){d, F, T}, true);
    gemm(&r->team, g + c->p->at[0], d, turned(s.dgate, F), as_is(c->n, d), (size_t[]){F, d, T},
         true);
    gemm(&r->team, g + c->p->at[1], d, turned(s.dup, F), as_is(c->n, d), (size_t[]){F, d, T}, true);
    gemm(&r->team, dn, d, as_is(s.dgate, F), as_is(w + c->p->at[0], d), (size_t[]){T, d, F}, false);
    gemm(&r->team, dn, d, as_is(s.dup, F), as_is(w + c->p->at[1], d), (size_t[]){T, d, F}, true);
}
