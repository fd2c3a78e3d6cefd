/* part_attn.c - causal attention with rotated queries and keys, grouped heads; scores are made
 * block by block and not kept (Dao et al. 2022): memory grows with the length, not its square.
 *
 * Backward makes the weights again from the logarithm of their sum. With p = exp(s - lse),
 * o = p v:  dv = p^T do,  dp = do v^T,  ds = p (dp - do . o),  dq = ds k,  dk = ds^T q. */
#include "train/net.h"

enum { QUERIES = 96, KEYS = 128 };
_Static_assert(QUERIES *KEYS == TEAM_TILE, "a block of scores fills the scratch");

typedef struct attention {
    const net_run *r;
    size_t H, G, K, q_width, kv_width;
    real scale;
    real *q, *k, *v, *o, *lse; /* saved */
    real *dq, *dk, *dv;
    real *d_o;
} attention;

static attention attn_arrays(const part_call *c) {
    const net *n = c->r->n;
    const size_t T = c->r->T, H = n->m.heads, G = n->m.kv_heads, K = n->head;
    attention a = {.r = c->r, .H = H, .G = G, .K = K, .q_width = H * K, .kv_width = G * K};
    a.scale = 1 / real_sqrt((real)K);
    a.q = c->saved;
    a.o = a.q + T * H * K;
    a.k = a.o + T * H * K;
    a.v = a.k + T * G * K;
    a.lse = a.v + T * G * K;
    a.dq = c->r->wide;
    a.dk = a.dq + T * H * K;
    a.dv = a.dk + T * G * K;
    a.d_o = a.dv + T * G * K;
    return a;
}

typedef struct turn_call {
    const net_run *r;
    real *x;
    size_t heads, K;
    real sign; /* -1 turns back */
} turn_call;

static void turn_rows(void *ctx, size_t first, size_t n, uint32_t thread) {
    const turn_call *c = ctx;
    const size_t half = c->K / 2;
    (void)thread;
    for (size_t t = first; t < first + n; t++) {
        const real *cs = c->r->turn + t % c->r->S * c->K;
        for (size_t h = 0; h < c->heads; h++) {
            real *x = c->x + (t * c->heads + h) * c->K;
            for (size_t i = 0; i < half; i++) {
                const real a = x[i], b = x[i + half], s = c->sign * cs[2 * i + 1];
                x[i] = a * cs[2 * i] - b * s;
                x[i + half] = b * cs[2 * i] + a * s;
            }
        }
    }
}

static void turn(net_run *r, real *x, size_t heads, size_t K, real sign) {
    turn_call c = {r, x, heads, K, sign};
    team_rows(&r->team, r->T, turn_rows, &c);
}

/* One block of queries of one head. */
typedef struct tile {
    size_t b, h, i, rows; /* sequence, head, first query in it, queries */
    size_t j, cols;       /* the block of keys */
    real *s, *ds, *pack;
} tile;

static real *query(const attention *a, const tile *t, real *of) {
    return of + (t->b * a->r->S + t->i) * a->q_width + t->h * a->K;
}
static size_t key(const attention *a, const tile *t) {
    return (t->b * a->r->S + t->j) * a->kv_width + t->h / (a->H / a->G) * a->K;
}

/* s[rows, cols] = x y^T, x a row of queries, y of keys */
static void scores(const attention *a, const tile *t, real *s, real *x, const real *y) {
    gemm_one(t->pack, s, KEYS, as_is(query(a, t, x), a->q_width),
             turned(y + key(a, t), a->kv_width), (size_t[]){t->rows, t->cols, a->K}, false);
}

/* Keys lo .. hi-1 of the block are those query i of the block may look at. */
static void seen(const attention *a, const tile *t, size_t i, size_t *lo, size_t *hi) {
    const size_t q = t->i + i, from = a->r->begin[t->b * a->r->S + q];
    const size_t end = q + 1 < t->j + t->cols ? q + 1 : t->j + t->cols;
    *lo = from > t->j ? from - t->j : 0;
    *hi = end > t->j ? end - t->j : 0;
    if (*lo > *hi) *lo = *hi;
}

static void clear_unseen(real *s, size_t lo, size_t hi, size_t cols) {
    for (size_t j = 0; j < lo; j++) s[j] = 0;
    for (size_t j = hi; j < cols; j++) s[j] = 0;
}

/* o = softmax(q k^T) v for a block of queries; most and sum are of the keys so far. */
static void forward_keys(const attention *a, tile *t, real *most, real *sum) {
    real *o = query(a, t, a->o);
    scores(a, t, t->s, a->q, a->k);
    for (size_t i = 0; i < t->rows; i++) {
        real *s = t->s + i * KEYS, *out = o + i * a->q_width;
        size_t lo, hi;
        seen(a, t, i, &lo, &hi);
        const real m = real_most(s + lo, hi - lo) * a->scale;
        if (hi > lo && m > most[i]) {
            const real by = sum[i] > 0 ? real_exp(most[i] - m) : 0;
            for (size_t k = 0; k < a->K; k++) out[k] *= by;
            sum[i] *= by;
            most[i] = m;
        }
        sum[i] += hi > lo ? real_exp_sum(s + lo, hi - lo, a->scale, most[i]) : 0;
        clear_unseen(s, lo, hi, t->cols);
    }
    gemm_one(t->pack, o, a->q_width, as_is(t->s, KEYS), as_is(a->v + key(a, t), a->kv_width),
             (size_t[]){t->rows, a->K, t->cols}, true);
}

static void attend_task(void *ctx, uint32_t task, uint32_t thread) {
    const attention *a = ctx;
    const size_t S = a->r->S;
    real most[QUERIES], sum[QUERIES], *scratch = team_pack(&a->r->team, thread);
    tile t = {.b = task / a->H, .h = task % a->H, .s = scratch + GEMM_PACK, .pack = scratch};
    for (t.i = 0; t.i < S; t.i += QUERIES) {
        t.rows = S - t.i < QUERIES ? S - t.i : QUERIES;
        real *o = query(a, &t, a->o);
        for (size_t i = 0; i < t.rows; i++) {
            memset(o + i * a->q_width, 0, a->K * sizeof *o);
            most[i] = -INFINITY;
            sum[i] = 0;
        }
        for (t.j = 0; t.j < t.i + t.rows; t.j += KEYS) {
            t.cols = t.i + t.rows - t.j < KEYS ? t.i + t.rows - t.j : KEYS;
            forward_keys(a, &t, most, sum);
        }
        for (size_t i = 0; i < t.rows; i++) {
            for (size_t k = 0; k < a->K; k++) o[i * a->q_width + k] /= sum[i];
            a->lse[(t.b * S + t.i + i) * a->H + t.h] = most[i] + real_log(sum[i]);
        }
    }
}

static void backward_block(const attention *a, const tile *t, const real *along) {
    const size_t k = key(a, t), S = a->r->S;
    real *dq = query(a, t, a->dq);
    const real *d_o = query(a, t, a->d_o);
    scores(a, t, t->s, a->q, a->k);
    scores(a, t, t->ds, a->d_o, a->v);
    for (size_t i = 0; i < t->rows; i++) {
        real *p = t->s + i * KEYS, *ds = t->ds + i * KEYS;
        size_t lo, hi;
        seen(a, t, i, &lo, &hi);
        real_exp_sum(p + lo, hi - lo, a->scale, a->lse[(t->b * S + t->i + i) * a->H + t->h]);
        for (size_t j = lo; j < hi; j++) ds[j] = p[j] * (ds[j] - along[i]) * a->scale;
        clear_unseen(p, lo, hi, t->cols);
        clear_unseen(ds, lo, hi, t->cols);
    }
    gemm_one(t->pack, a->dv + k, a->kv_width, turned(t->s, KEYS), as_is(d_o, a->q_width),
             (size_t[]){t->cols, a->K, t->rows}, true);
    gemm_one(t->pack, a->dk + k, a->kv_width, turned(t->ds, KEYS),
             as_is(query(a, t, a->q), a->q_width), (size_t[]){t->cols, a->K, t->rows}, true);
    gemm_one(t->pack, dq, a->q_width, as_is(t->ds, KEYS), as_is(a->k + k, a->kv_width),
             (size_t[]){t->rows, a->K, t->cols}, true);
}

/* All query heads of one key head, in order: they add to the same keys and values. */
static void attend_back_task(void *ctx, uint32_t task, uint32_t thread) {
    const attention *a = ctx;
    const size_t S = a->r->S, group = a->H / a->G, g = task % a->G;
    real along[QUERIES], *scratch = team_pack(&a->r->team, thread);
    tile t = {.b = task / a->G, .pack = scratch, .s = scratch + GEMM_PACK};
    t.ds = t.s + TEAM_TILE;
    for (t.h = g * group; t.h < (g + 1) * group; t.h++)
        for (t.i = 0; t.i < S; t.i += QUERIES) {
            t.rows = S - t.i < QUERIES ? S - t.i : QUERIES;
            const real *o = query(a, &t, a->o), *d_o = query(a, &t, a->d_o);
            for (size_t i = 0; i < t.rows; i++)
                along[i] = real_dot(o + i * a->q_width, d_o + i * a->q_width, a->K);
            for (t.j = 0; t.j < t.i + t.rows; t.j += KEYS) {
                t.cols = t.i + t.rows - t.j < KEYS ? t.i + t.rows - t.j : KEYS;
                backward_block(a, &t, along);
            }
        }
}

void attn_forward(const part_call *c, real *x) {
    net_run *r = c->r;
    const size_t d = r->n->m.hidden, T = r->T;
    const real *w = r->n->w;
    attention a = attn_arrays(c);
    real *const to[3] = {a.q, a.k, a.v};
    const size_t width[3] = {a.q_width, a.kv_width, a.kv_width};
    for (int i = 0; i < 3; i++)
        gemm(&r->team, to[i], width[i], as_is(c->n, d), turned(w + c->p->at[i], d),
             (size_t[]){T, width[i], d}, false);
    turn(r, a.q, a.H, a.K, 1);
    turn(r, a.k, a.G, a.K, 1);
    pool_run(r->team.workers, (uint32_t)(r->B * a.H), attend_task, &a);
    gemm(&r->team, x, d, as_is(a.o, a.q_width), turned(w + c->p->at[3], a.q_width),
         (size_t[]){T, d, a.q_width}, true);
}

void attn_backward(const part_call *c, real *dn, const real *dy) {
    net_run *r = c->r;
    const size_t d = r->n->m.hidden, T = r->T;
    const real *w = r->n->w;
    real *g = r->n->g;
    attention a = attn_arrays(c);
    real *const from[3] = {a.dq, a.dk, a.dv};
    const size_t width[3] = {a.q_width, a.kv_width, a.kv_width};
    memset(a.dq, 0, T * (a.q_width + 2 * a.kv_width) * sizeof *a.dq);
    gemm(&r->team, a.d_o, a.q_width, as_is(dy, d), as_is(w + c->p->at[3], a.q_width),
         (size_t[]){T, a.q_width, d}, false);
    gemm(&r->team, g + c->p->at[3], a.q_width, turned(dy, d), as_is(a.o, a.q_width),
         (size_t[]){d, a.q_width, T}, true);
    pool_run(r->team.workers, (uint32_t)(r->B * a.G), attend_back_task, &a);
    turn(r, a.dq, a.H, a.K, -1);
    turn(r, a.dk, a.G, a.K, -1);
    for (int i = 0; i < 3; i++) {
        gemm(&r->team, g + c->p->at[i], d, turned(from[i], width[i]), as_is(c->n, d),
             (size_t[]){width[i], d, T}, true);
        gemm(&r->team, dn, d, as_is(from[i], width[i]), as_is(w + c->p->at[i], d),
             (size_t[]){T, d, width[i]}, i > 0);
    }
}
