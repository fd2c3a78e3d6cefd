/* train.c - the loop. Which tokens a step sees follows from its number and the seed alone, so a
 * checkpoint holds no more of the data than that. */
#include "train/train.h"

#include "base/mem.h"
#include "base/rng.h"

enum { RANDOM_TOKENS = 1000000, OPTIMIZER_CHUNK = 1 << 14 };

typedef struct loop {
    trainer t;
    const train_request *r;
    uint64_t steps; /* of the whole run */
    size_t windows, validation;
    uint32_t *order; /* [windows] of the epoch */
    uint64_t epoch;  /* that `order` is for, + 1; 0: none yet */
    uint32_t *in, *target, *begin;
    double *squares; /* [chunks] */
    uint64_t logged, logged_ns;
} loop;

/* ---- Data ---- */

static void make_order(loop *l, uint64_t epoch) {
    uint64_t seed = l->t.c->trainer.seed + 0x9e3779b97f4a7c15ull * (epoch + 1);
    for (size_t i = 0; i < l->windows; i++) l->order[i] = (uint32_t)i;
    l->epoch = epoch + 1;
    if (!l->t.c->trainer.shuffle) return;
    for (size_t i = l->windows; i > 1; i--) {
        const size_t j = (size_t)rng_below(&seed, i);
        const uint32_t other = l->order[j];
        l->order[j] = l->order[i - 1];
        l->order[i - 1] = other;
    }
}

/* Sequence b of the batch is this window of the data. */
static void take_window(loop *l, size_t b, size_t window) {
    const size_t S = l->t.r->S, at = b * S;
    const uint32_t *id = l->t.data.id + window * S;
    const int64_t end = l->t.c->trainer.document_end;
    memcpy(l->in + at, id, S * sizeof *id);
    memcpy(l->target + at, id + 1, S * sizeof *id);
    uint32_t begin = 0;
    for (size_t i = 0; i < S; i++) {
        if (i && (int64_t)id[i - 1] == end) begin = (uint32_t)i;
        l->begin[at + i] = begin;
    }
}

static void take_batch(loop *l, uint64_t number) {
    for (size_t b = 0; b < l->t.r->B; b++) {
        const uint64_t at = number * l->t.r->B + b;
        if (l->epoch != at / l->windows + 1) make_order(l, at / l->windows);
        take_window(l, b, l->order[at % l->windows]);
    }
}

/* ---- One step ---- */

static double rate_at(const loop *l, uint64_t step) {
    const trainer_config *c = &l->t.c->trainer;
    if (step < c->warmup) return c->rate * (double)(step + 1) / (double)c->warmup;
    if (c->schedule == SCHEDULE_CONSTANT || l->steps <= c->warmup + 1) return c->rate;
    const double share = (double)(step - c->warmup) / (double)(l->steps - 1 - c->warmup);
    const double left =
        c->schedule == SCHEDULE_LINEAR ? 1 - share : 0.5 * (1 + cos(3.14159265358979 * share));
    return c->min_rate + (c->rate - c->min_rate) * left;
}

static void add_squares(void *ctx, uint32_t task, uint32_t thread) {
    loop *l = ctx;
    const size_t at = (size_t)task * OPTIMIZER_CHUNK, n = l->t.n->n_weights;
    const size_t end = at + OPTIMIZER_CHUNK < n ? at + OPTIMIZER_CHUNK : n;
    double sum = 0;
    (void)thread;
    for (size_t i = at; i < end; i++) sum += (double)l->t.n->g[i] * (double)l->t.n->g[i];
    l->squares[task] = sum;
}

static uint32_t chunks(const loop *l) {
    return (uint32_t)((l->t.n->n_weights + OPTIMIZER_CHUNK - 1) / OPTIMIZER_CHUNK);
}

static double gradient_norm(loop *l) {
    double sum = 0;
    pool_run(l->r->workers, chunks(l), add_squares, l);
    for (uint32_t i = 0; i < chunks(l); i++) sum += l->squares[i];
    return sqrt(sum);
}

typedef struct update {
    trainer *t;
    const param *p;
    kern_adam adam;
} update;

static void update_task(void *ctx, uint32_t task, uint32_t thread) {
    const update *u = ctx;
    const size_t at = (size_t)task * OPTIMIZER_CHUNK, i = u->p->at + at;
    const size_t n = u->p->n - at < OPTIMIZER_CHUNK ? u->p->n - at : OPTIMIZER_CHUNK;
    (void)thread;
    kern_get()->adam(u->t->n->w + i, u->t->m + i, u->t->v + i, u->t->n->g + i, n, &u->adam);
    memset(u->t->n->g + i, 0, n * sizeof *u->t->n->g);
}

/* AdamW (Loshchilov and Hutter 2019); decay is of matrices alone. */
static void update_weights(loop *l, double rate, double norm) {
    const trainer_config *c = &l->t.c->trainer;
    const double t = (double)(l->t.step + 1);
    update u = {.t = &l->t};
    u.adam.scale = c->clip > 0 && norm > c->clip ? (float)(c->clip / norm) : 1.0f;
    u.adam.b1 = (float)c->b1;
    u.adam.b2 = (float)c->b2;
    u.adam.eps = (float)c->eps;
    u.adam.rate = (float)(rate / (1 - pow(c->b1, t)));
    u.adam.v_scale = (float)(1 / sqrt(1 - pow(c->b2, t)));
    for (size_t i = 0; i < l->t.n->n_param; i++) {
        u.p = &l->t.n->param[i];
        u.adam.keep = u.p->decay ? (float)(1 - rate * c->decay) : 1.0f;
        pool_run(l->r->workers, (uint32_t)((u.p->n + OPTIMIZER_CHUNK - 1) / OPTIMIZER_CHUNK),
                 update_task, &u);
    }
}

static status one_step(loop *l, train_step *s, err *e) {
    const trainer_config *c = &l->t.c->trainer;
    const size_t count = l->t.r->T * c->accum;
    const net_batch b = {l->in, l->target, l->begin};
    double loss = 0;
    for (uint32_t i = 0; i < c->accum; i++) {
        take_batch(l, l->t.step * c->accum + i);
        loss += net_loss(l->t.r, &b, 1.0f / (float)count);
    }
    s->loss = loss / (double)count;
    s->grad_norm = gradient_norm(l);
    s->rate = rate_at(l, l->t.step);
    if (!isfinite(s->loss) || !isfinite(s->grad_norm))
        return err_set(
            e, RZ_EINVAL,
            "step %llu: the loss is %g, its gradient %g; a smaller learning_rate or more "
            "warmup_steps may help",
            (unsigned long long)l->t.step + 1, s->loss, s->grad_norm);
    update_weights(l, s->rate, s->grad_norm);
    l->t.step++;
    s->step = l->t.step;
    s->tokens = l->t.step * count;
    s->epoch = (double)(l->t.step * c->accum * c->batch) / (double)l->windows;
    return RZ_OK;
}

/* Mean loss of the windows that are not trained on, in whole batches. */
static double validate(loop *l) {
    const net_batch b = {l->in, l->target, l->begin};
    const size_t B = l->t.r->B, parts = l->validation / B;
    double sum = 0;
    for (size_t i = 0; i < parts; i++) {
        for (size_t j = 0; j < B; j++) take_window(l, j, l->windows + i * B + j);
        sum += net_loss(l->t.r, &b, 0);
    }
    return parts ? sum / (double)(parts * l->t.r->T) : NAN;
}

/* ---- The loop ---- */

static status save(loop *l, bool final, err *e) {
    char path[CHECKPOINT_PATH];
    TRY(checkpoint_save(&l->t, final, path, e));
    if (l->r->on.saved) l->r->on.saved(l->r->on.ud, path, final);
    return RZ_OK;
}

static int report(loop *l, train_step *s) {
    const trainer_config *c = &l->t.c->trainer;
    const bool last = s->step == l->steps;
    const bool line = s->step % c->log_every == 0 || last;
    const uint32_t every = c->validate_every ? c->validate_every : c->log_every;
    s->validation = NAN;
    if (l->validation && (s->step % every == 0 || last)) s->validation = validate(l);
    if (!line && isnan(s->validation)) return 0;
    const uint64_t now = os_now_ns();
    s->seconds = (double)(now - l->logged_ns) * 1e-9;
    s->steps = s->step - l->logged;
    l->logged = s->step;
    l->logged_ns = now;
    return l->r->on.step ? l->r->on.step(l->r->on.ud, s) : 0;
}

static status steps(loop *l, err *e) {
    const trainer_config *c = &l->t.c->trainer;
    l->logged = l->t.step;
    l->logged_ns = os_now_ns();
    while (l->t.step < l->steps) {
        train_step s = {.step = 0};
        TRY(one_step(l, &s, e));
        const bool stop = report(l, &s) || (l->r->on.stop && l->r->on.stop(l->r->on.ud));
        const bool due = c->save_every && l->t.step % c->save_every == 0;
        if (stop || due) TRY(save(l, false, e));
        if (stop)
            return err_set(e, RZ_ECANCELED, "stopped after step %llu",
                           (unsigned long long)l->t.step);
    }
    return save(l, true, e);
}

static status open_data(loop *l, err *e) {
    const train_config *c = l->t.c;
    const size_t S = c->model.seq;
    TRY(l->r->data ? tokens_open(&l->t.data, l->r->data, c->model.vocab, e)
                   : tokens_random(&l->t.data, RANDOM_TOKENS, c->model.vocab, c->trainer.seed, e));
    l->t.data_path = l->r->data ? l->r->data : "";
    tokens_digest(&l->t.data, l->t.digest);
    const size_t all = (l->t.data.n - 1) / S;
    l->validation = (size_t)((double)all * c->trainer.validation);
    l->windows = all - l->validation;
    if (all == 0 || l->windows == 0 || all > UINT32_MAX)
        return err_set(e, RZ_EINVAL, "%.200s: %zu tokens are %zu sequences of max_seq_len %zu",
                       l->r->data ? l->r->data : "random tokens", l->t.data.n, all, S);
    if (c->trainer.validation > 0 && l->validation < c->trainer.batch)
        return err_set(e, RZ_EINVAL,
                       "validation_fraction %g of %zu sequences is %zu, less than batch_size %u",
                       c->trainer.validation, all, l->validation, c->trainer.batch);
    const uint64_t each = (uint64_t)c->trainer.batch * c->trainer.accum;
    const uint64_t total = (l->windows + each - 1) / each * c->trainer.epochs;
    l->steps = c->trainer.max_steps && c->trainer.max_steps < total ? c->trainer.max_steps : total;
    return RZ_OK;
}

static status open_model(loop *l, err *e) {
    const train_config *c = l->t.c;
    const size_t T = (size_t)c->trainer.batch * c->model.seq;
    TRY(net_new(&l->t.n, &c->model, e));
    const size_t n = l->t.n->n_weights;
    TRY(net_run_new(&l->t.r, l->t.n, l->r->workers, c->trainer.batch, c->model.seq, e));
    l->t.m = mem_map(n * sizeof *l->t.m);
    l->t.v = mem_map(n * sizeof *l->t.v);
    l->order = mem_array(l->windows, sizeof *l->order);
    l->in = mem_array(T, sizeof *l->in);
    l->target = mem_array(T, sizeof *l->target);
    l->begin = mem_array(T, sizeof *l->begin);
    l->squares = mem_array(chunks(l), sizeof *l->squares);
    if (!l->t.m || !l->t.v || !l->order || !l->in || !l->target || !l->begin || !l->squares)
        return err_set(e, RZ_ENOMEM, "train: no memory for %zu weights", n);
    net_init(l->t.n, c->trainer.seed);
    return l->r->resume ? checkpoint_load(&l->t, l->r->resume, e) : RZ_OK;
}

static void tell_plan(const loop *l) {
    const net *n = l->t.n;
    const train_plan p = {
        .weights = n->n_weights,
        .tokens = l->t.data.n,
        .steps = l->steps,
        .first_step = l->t.step,
        .windows = l->windows,
        .validation = l->validation,
        .memory = 4 * n->n_weights * sizeof *n->w +
                  net_run_bytes(n, l->t.r->B, l->t.r->S, pool_threads(l->r->workers)),
    };
    if (l->r->on.plan) l->r->on.plan(l->r->on.ud, &p);
}

status train_run(const train_request *r, err *e) {
    loop l = {.t = {.c = r->c}, .r = r};
    if (strcmp(r->c->model.dtype, "f32") != 0)
        return err_set(e, RZ_EUNSUPPORTED, "dtype is %s: training computes in f32 alone so far",
                       r->c->model.dtype);
    status s = open_data(&l, e);
    if (s >= 0) s = open_model(&l, e);
    if (s >= 0) {
        tell_plan(&l);
        s = steps(&l, e);
    }
    const size_t bytes = l.t.n ? l.t.n->n_weights * sizeof *l.t.m : 0;
    if (l.t.m) mem_unmap(l.t.m, bytes);
    if (l.t.v) mem_unmap(l.t.v, bytes);
    net_run_free(l.t.r);
    net_free(l.t.n);
    tokens_close(&l.t.data);
    mem_free(l.order);
    mem_free(l.in);
    mem_free(l.target);
    mem_free(l.begin);
    mem_free(l.squares);
    return s;
}
