/* net.c - the row of parts: weights and their names, memory, forward, backward. */
#include "train/net.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/rng.h"

enum { LOGITS_BYTES = 16 << 20, MIN_CHUNK = 16, COLUMNS = 32 };
static const real norm_eps = (real)1e-5;
static const float usual_spread = 0.02f;

/* ---- Weights ---- */

/* Shapes are [a] or, with b, [a, b]. */
static size_t add_param(net *n, const char *name, uint64_t a, uint64_t b, float spread) {
    param *p = &n->param[n->n_param++];
    snprintf(p->name, sizeof p->name, "%s", name);
    p->n_dims = b ? 2 : 1;
    p->dim[0] = b ? b : a;
    p->dim[1] = b ? a : 1;
    p->dim[2] = 1;
    p->n = (size_t)(a * (b ? b : 1));
    p->at = n->n_weights;
    p->decay = b != 0;
    p->spread = spread;
    n->n_weights += p->n;
    return p->at;
}

static size_t add_layer(net *n, uint32_t layer, const char *name, uint64_t a, uint64_t b,
                        float spread) {
    char whole[96];
    snprintf(whole, sizeof whole, "layers.%u.%s.weight", layer, name);
    return add_param(n, whole, a, b, spread);
}

/* What goes back into the row begins smaller, the more parts there are. */
static float last_spread(const net *n) { return usual_spread / sqrtf(2.0f * (float)n->m.layers); }

static void add_attention(net *n, uint32_t i) {
    const uint64_t d = n->m.hidden, kv = (uint64_t)n->m.kv_heads * n->head;
    part *p = &n->part[n->n_part++];
    *p = (part){.kind = PART_ATTN, .saved = 2 * d + 2 * kv + n->m.heads};
    p->norm = add_layer(n, i, "input_layernorm", d, 0, 0);
    p->at[0] = add_layer(n, i, "self_attn.q_proj", d, d, usual_spread);
    p->at[1] = add_layer(n, i, "self_attn.k_proj", kv, d, usual_spread);
    p->at[2] = add_layer(n, i, "self_attn.v_proj", kv, d, usual_spread);
    p->at[3] = add_layer(n, i, "self_attn.o_proj", d, d, last_spread(n));
}

static void add_swiglu(net *n, uint32_t i) {
    const uint64_t d = n->m.hidden, F = n->m.ffn;
    part *p = &n->part[n->n_part++];
    *p = (part){.kind = PART_SWIGLU, .saved = 2 * F};
    p->norm = add_layer(n, i, "post_attention_layernorm", d, 0, 0);
    p->at[0] = add_layer(n, i, "mlp.gate_proj", F, d, usual_spread);
    p->at[1] = add_layer(n, i, "mlp.up_proj", F, d, usual_spread);
    p->at[2] = add_layer(n, i, "mlp.down_proj", d, F, last_spread(n));
}

static status check_kinds(const train_model *m, err *e) {
    static const char *const name[] = {"", "latent attention (MLA)", "Mamba-1", "Mamba-2",
                                       "Mamba-3"};
    for (uint32_t i = 0; i < m->layers; i++)
        if (m->kind[i] != LAYER_GQA)
            return err_set(e, RZ_EUNSUPPORTED,
                           "layer %u is %s: training it is not supported yet, only attention with "
                           "SwiGLU is",
                           i, name[m->kind[i]]);
    if (m->experts)
        return err_set(e, RZ_EUNSUPPORTED,
                       "num_experts is %u: training experts is not supported yet", m->experts);
    return RZ_OK;
}

status net_new(net **out, const train_model *m, err *e) {
    TRY(check_kinds(m, e));
    const uint64_t weights = train_model_weights(m);
    net *n = mem_zero(sizeof *n);
    if (!n) return err_set(e, RZ_ENOMEM, "train: out of memory");
    n->m = *m;
    n->head = m->hidden / m->heads;
    n->param = mem_array_zero((size_t)m->layers * 9 + 3, sizeof *n->param);
    n->part = mem_array_zero((size_t)m->layers * 2, sizeof *n->part);
    n->w = weights < SIZE_MAX / sizeof(real) ? mem_map((size_t)weights * sizeof(real)) : NULL;
    n->g = n->w ? mem_map((size_t)weights * sizeof(real)) : NULL;
    if (!n->param || !n->part || !n->g) {
        net_free(n);
        return err_set(e, RZ_ENOMEM, "train: no memory for %llu weights",
                       (unsigned long long)weights);
    }
    n->embed = add_param(n, "embed_tokens.weight", m->vocab, m->hidden, usual_spread);
    for (uint32_t i = 0; i < m->layers; i++) {
        add_attention(n, i);
        add_swiglu(n, i);
    }
    n->norm = add_param(n, "norm.weight", m->hidden, 0, 0);
    n->out = m->tied ? n->embed : add_param(n, "lm_head.weight", m->vocab, m->hidden, usual_spread);
    *out = n;
    return RZ_OK;
}

void net_free(net *n) {
    if (!n) return;
    const size_t bytes = (size_t)train_model_weights(&n->m) * sizeof(real);
    if (n->w) mem_unmap(n->w, bytes);
    if (n->g) mem_unmap(n->g, bytes);
    mem_free(n->param);
    mem_free(n->part);
    mem_free(n);
}

/* Two normal numbers from two uniform ones (Box and Muller). */
static void normal_pair(uint64_t *seed, double out[2]) {
    const double r = sqrt(-2 * log(1 - rng_unit(seed))), a = 6.283185307179586 * rng_unit(seed);
    out[0] = r * cos(a);
    out[1] = r * sin(a);
}

void net_init(net *n, uint64_t seed) {
    for (size_t p = 0; p < n->n_param; p++) {
        const param *q = &n->param[p];
        for (size_t i = 0; i < q->n; i += 2) {
            double z[2] = {1, 1};
            if (q->spread > 0) normal_pair(&seed, z);
            const double by = q->spread > 0 ? (double)q->spread : 1;
            n->w[q->at + i] = (real)(float)(z[0] * by);
            if (i + 1 < q->n) n->w[q->at + i + 1] = (real)(float)(z[1] * by);
        }
    }
}

/* ---- Memory ---- */

typedef struct sizes {
    size_t saved, wide, chunk;
} sizes;

static sizes measure(const net *n, size_t T) {
    const size_t d = n->m.hidden, F = n->m.ffn, kv = (size_t)n->m.kv_heads * n->head;
    const size_t V = n->m.vocab, fit = LOGITS_BYTES / sizeof(float) / V;
    sizes s = {0, 0, fit < MIN_CHUNK ? MIN_CHUNK : fit < T ? fit : T};
    if (s.chunk > T) s.chunk = T;
    for (size_t i = 0; i < n->n_part; i++) s.saved += n->part[i].saved;
    s.wide = 3 * F > 2 * d + 2 * kv ? 3 * F : 2 * d + 2 * kv;
    return s;
}

size_t net_run_bytes(const net *n, size_t B, size_t S, int threads) {
    const size_t T = B * S, d = n->m.hidden;
    const sizes s = measure(n, T);
    const size_t numbers = T * ((n->n_part + 1) * d + s.saved + 3 * d + s.wide + 1) +
                           s.chunk * n->m.vocab + S * n->head + (size_t)threads * TEAM_SCRATCH;
    return numbers * sizeof(real) + T * sizeof(double);
}

static void make_turns(net_run *r) {
    const size_t half = r->n->head / 2;
    for (size_t s = 0; s < r->S; s++)
        for (size_t i = 0; i < half; i++) {
            const double a = (double)s * pow(r->n->m.theta, -2.0 * (double)i / (double)r->n->head);
            r->turn[2 * (s * half + i)] = (real)cos(a);
            r->turn[2 * (s * half + i) + 1] = (real)sin(a);
        }
}

status net_run_new(net_run **out, net *n, pool *workers, size_t B, size_t S, err *e) {
    net_run *r = mem_zero(sizeof *r);
    if (!r) return err_set(e, RZ_ENOMEM, "train: out of memory");
    const size_t T = B * S, d = n->m.hidden, V = n->m.vocab;
    const sizes s = measure(n, T);
    *r = (net_run){.n = n, .B = B, .S = S, .T = T, .chunk = s.chunk};
    if (team_new(&r->team, workers, e) < 0) goto nomem;
    r->x = mem_array(T * (n->n_part + 1), d * sizeof(real));
    r->saved = mem_array_zero(n->n_part, sizeof *r->saved);
    r->norm = mem_array(T, d * sizeof(real));
    r->dx = mem_array(T, d * sizeof(real));
    r->dy = mem_array(T, d * sizeof(real));
    r->wide = mem_array(T, s.wide * sizeof(real));
    r->row = mem_array(T, sizeof(real));
    r->logits = mem_array(s.chunk, V * sizeof(real));
    r->turn = mem_array(S, n->head * sizeof(real));
    r->loss = mem_array(T, sizeof *r->loss);
    if (!r->x || !r->saved || !r->norm || !r->dx || !r->dy || !r->wide || !r->row || !r->logits ||
        !r->turn || !r->loss)
        goto nomem;
    for (size_t i = 0; i < n->n_part; i++)
        if (!(r->saved[i] = mem_array(T, n->part[i].saved * sizeof(real)))) goto nomem;
    make_turns(r);
    *out = r;
    return RZ_OK;
nomem:
    net_run_free(r);
    return err_set(e, RZ_ENOMEM, "train: no memory for batches of %zu sequences of %zu tokens", B,
                   S);
}

void net_run_free(net_run *r) {
    if (!r) return;
    team_free(&r->team);
    for (size_t i = 0; r->saved && i < r->n->n_part; i++) mem_free(r->saved[i]);
    real *const all[] = {r->x, r->norm, r->dx, r->dy, r->wide, r->row, r->logits, r->turn};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
    mem_free(r->saved);
    mem_free(r->loss);
    mem_free(r);
}

/* ---- Norms ---- */

typedef struct norm_call {
    const net_run *r;
    const real *x, *gain, *dn; /* dn: the gradient by what the norm gave */
    real *y, *dx, *dgain;
} norm_call;

static void norm_rows(void *ctx, size_t first, size_t n, uint32_t thread) {
    const norm_call *c = ctx;
    const size_t d = c->r->n->m.hidden;
    (void)thread;
    for (size_t t = first; t < first + n; t++)
        real_norm_rms(c->y + t * d, c->x + t * d, c->gain, d, norm_eps);
}

static void norm_forward(net_run *r, const real *x, size_t gain) {
    norm_call c = {.r = r, .x = x, .gain = r->n->w + gain, .y = r->norm};
    team_rows(&r->team, r->T, norm_rows, &c);
}

/* y = x k g with k = 1 / sqrt(mean(x^2) + eps): dx = k g dy - x k^3 mean(x g dy). */
static void norm_back_rows(void *ctx, size_t first, size_t n, uint32_t thread) {
    const norm_call *c = ctx;
    const size_t d = c->r->n->m.hidden;
    (void)thread;
    for (size_t t = first; t < first + n; t++) {
        const real *x = c->x + t * d, *dn = c->dn + t * d;
        real *dx = c->dx + t * d, sum = 0;
        const real k = 1 / real_sqrt(real_dot(x, x, d) / (real)d + norm_eps);
        for (size_t i = 0; i < d; i++) sum += x[i] * c->gain[i] * dn[i];
        const real by = k * k * k * sum / (real)d;
        for (size_t i = 0; i < d; i++) dx[i] += k * c->gain[i] * dn[i] - by * x[i];
        c->r->row[t] = k;
    }
}

static void norm_back_gain(void *ctx, uint32_t task, uint32_t thread) {
    const norm_call *c = ctx;
    const size_t d = c->r->n->m.hidden, lo = (size_t)task * COLUMNS;
    const size_t hi = lo + COLUMNS < d ? lo + COLUMNS : d;
    (void)thread;
    for (size_t t = 0; t < c->r->T; t++)
        for (size_t i = lo; i < hi; i++)
            c->dgain[i] += c->x[t * d + i] * c->r->row[t] * c->dn[t * d + i];
}

/* r->dx += the gradient by x */
static void norm_backward(net_run *r, const real *x, size_t gain, const real *dn) {
    norm_call c = {.r = r, .x = x, .gain = r->n->w + gain, .dn = dn};
    c.dx = r->dx;
    c.dgain = r->n->g + gain;
    team_rows(&r->team, r->T, norm_back_rows, &c);
    pool_run(r->team.workers, (r->n->m.hidden + COLUMNS - 1) / COLUMNS, norm_back_gain, &c);
}

/* ---- Both ends ---- */

static void embed_forward(net_run *r, const uint32_t *in) {
    const size_t d = r->n->m.hidden;
    for (size_t t = 0; t < r->T; t++)
        memcpy(r->x + t * d, r->n->w + r->n->embed + in[t] * d, d * sizeof(real));
}

typedef struct embed_call {
    net_run *r;
    const uint32_t *in;
} embed_call;

static void embed_back_columns(void *ctx, uint32_t task, uint32_t thread) {
    const embed_call *c = ctx;
    const size_t d = c->r->n->m.hidden, lo = (size_t)task * COLUMNS;
    const size_t n = d - lo < COLUMNS ? d - lo : COLUMNS;
    (void)thread;
    for (size_t t = 0; t < c->r->T; t++)
        real_add_scaled(c->r->n->g + c->r->n->embed + c->in[t] * d + lo, 1, c->r->dx + t * d + lo,
                        n);
}

typedef struct loss_call {
    net_run *r;
    const uint32_t *target;
    size_t first; /* token of the chunk */
    real scale;
} loss_call;

/* Logits to losses and, with a scale, to scale * (softmax - one hot) in their place. */
static void loss_rows(void *ctx, size_t first, size_t n, uint32_t thread) {
    const loss_call *c = ctx;
    const size_t V = c->r->n->m.vocab;
    (void)thread;
    for (size_t i = first; i < first + n; i++) {
        real *z = c->r->logits + i * V;
        const uint32_t right = c->target[c->first + i];
        const real most = real_most(z, V), said = z[right];
        const real sum = real_exp_sum(z, V, 1, most);
        c->r->loss[c->first + i] = log((double)sum) + (double)most - (double)said;
        if (c->scale == 0) continue;
        const real by = c->scale / sum;
        for (size_t v = 0; v < V; v++) z[v] *= by;
        z[right] -= c->scale;
    }
}

/* The output matrix and the loss, chunk by chunk; the gradient by the last norm goes to r->dy. */
static void head(net_run *r, const uint32_t *target, real scale) {
    net *n = r->n;
    const size_t d = n->m.hidden, V = n->m.vocab;
    const real *w = n->w + n->out;
    for (size_t t = 0; t < r->T; t += r->chunk) {
        const size_t rows = r->T - t < r->chunk ? r->T - t : r->chunk;
        loss_call c = {r, target, t, scale};
        gemm(&r->team, r->logits, V, as_is(r->norm + t * d, d), turned(w, d),
             (size_t[]){rows, V, d}, false);
        team_rows(&r->team, rows, loss_rows, &c);
        if (scale == 0) continue;
        gemm(&r->team, r->dy + t * d, d, as_is(r->logits, V), as_is(w, d), (size_t[]){rows, d, V},
             false);
        gemm(&r->team, n->g + n->out, d, turned(r->logits, V), as_is(r->norm + t * d, d),
             (size_t[]){V, d, rows}, true);
    }
}

/* ---- The row ---- */

static const struct {
    void (*forward)(const part_call *c, real *x);
    void (*backward)(const part_call *c, real *dn, const real *dy);
} parts[] = {
    [PART_ATTN] = {attn_forward, attn_backward},
    [PART_SWIGLU] = {swiglu_forward, swiglu_backward},
};

static void forward(net_run *r, const net_batch *b) {
    const net *n = r->n;
    const size_t row = r->T * n->m.hidden;
    r->begin = b->begin;
    embed_forward(r, b->in);
    for (size_t i = 0; i < n->n_part; i++) {
        const part *p = &n->part[i];
        real *x = r->x + i * row;
        const part_call c = {r, p, r->saved[i], r->norm};
        norm_forward(r, x, p->norm);
        memcpy(x + row, x, row * sizeof *x);
        parts[p->kind].forward(&c, x + row);
    }
    norm_forward(r, r->x + n->n_part * row, n->norm);
}

static void backward(net_run *r, const net_batch *b) {
    const net *n = r->n;
    const size_t row = r->T * n->m.hidden;
    embed_call c = {r, b->in};
    memset(r->dx, 0, row * sizeof *r->dx);
    norm_backward(r, r->x + n->n_part * row, n->norm, r->dy);
    for (size_t i = n->n_part; i-- > 0;) {
        const part *p = &n->part[i];
        const part_call call = {r, p, r->saved[i], r->norm};
        norm_forward(r, r->x + i * row, p->norm);
        parts[p->kind].backward(&call, r->dy, r->dx);
        norm_backward(r, r->x + i * row, p->norm, r->dy);
    }
    pool_run(r->team.workers, (n->m.hidden + COLUMNS - 1) / COLUMNS, embed_back_columns, &c);
}

double net_loss(net_run *r, const net_batch *b, real scale) {
    double sum = 0;
    forward(r, b);
    head(r, b->target, scale);
    for (size_t t = 0; t < r->T; t++) sum += r->loss[t];
    if (scale != 0) backward(r, b);
    return sum;
}

void net_logits(net_run *r, const net_batch *b, real *out) {
    const size_t d = r->n->m.hidden, V = r->n->m.vocab;
    forward(r, b);
    gemm(&r->team, out, V, as_is(r->norm, d), turned(r->n->w + r->n->out, d),
         (size_t[]){r->T, V, d}, false);
}
