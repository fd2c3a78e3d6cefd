/* bench_batch.c - several sequences that decode together, on an engine as a server has it.
 *
 * Each sequence is held after its first token until all have theirs; then they go on together, one
 * token of each in every step. Steps are counted by the first sequence, whose token comes first in
 * every step. All that happens in the callbacks, on the engine's thread. */
#include <pthread.h>
#include <time.h>

#include "base/os.h"
#include "cli/bench_run.h"
#include "cli/stop.h"

enum { WARM_STEPS = 3, SLACK = 8, CHECK_MS = 100 };

typedef struct batch_run batch_run;

typedef struct batch_seq {
    batch_run *run;
    size_t index;
    rz_ticket ticket;
    size_t tokens;
} batch_seq;

struct batch_run {
    rz_engine *g;
    const bench_plan *p;
    batch_seq seq[BENCH_MAX_BATCH];
    size_t n_seq, n_ready; /* n_ready: have their first token */
    bool together;
    size_t n, step; /* tokens in a stretch; steps together so far */
    uint64_t first_ns, start_ns;
    double *rate;
    size_t n_rate;
    bool over; /* everything is measured; the rest is cancelled */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t n_done;
    bool failed; /* one ended by an error */
    rz_error error;
};

static void hold_until_all_are_ready(batch_seq *q) {
    batch_run *r = q->run;
    if (q->tokens == 1) r->n_ready++;
    if (r->n_ready < r->n_seq) {
        rz_engine_pause(r->g, q->ticket, 1);
        return;
    }
    r->together = true;
    for (size_t i = 0; i < r->n_seq; i++) rz_engine_pause(r->g, r->seq[i].ticket, 0);
}

/* The first sequence got a token: one step of all is over. */
static void count_step(batch_run *r) {
    const uint64_t now = os_now_ns();
    r->step++;
    if (r->step < WARM_STEPS) return;
    if (r->step == WARM_STEPS) {
        r->first_ns = r->start_ns = now;
        return;
    }
    if ((r->step - WARM_STEPS) % r->n) return;
    const double seconds = (double)(now - r->start_ns) * 1e-9;
    r->rate[r->n_rate++] = (double)(r->n * r->n_seq) / (seconds > 1e-9 ? seconds : 1e-9);
    r->start_ns = now;
    if (r->n_rate < r->p->runs && (double)(now - r->first_ns) * 1e-9 < r->p->seconds) return;
    r->over = true;
    for (size_t i = 0; i < r->n_seq; i++) rz_engine_cancel(r->g, r->seq[i].ticket);
}

static int on_token(void *ud, rz_token id, const char *text, size_t len) {
    batch_seq *q = ud;
    (void)text, (void)len;
    if (id < 0) return 0;
    q->tokens++;
    if (!q->run->together) hold_until_all_are_ready(q);
    else if (q->index == 0 && !q->run->over) count_step(q->run);
    return 0;
}

static void on_done(void *ud, rz_finish why, const rz_usage *use, const rz_error *error) {
    batch_run *r = ((batch_seq *)ud)->run;
    (void)use;
    pthread_mutex_lock(&r->lock);
    r->n_done++;
    if (why == RZ_FINISH_ERROR && !r->failed) {
        r->failed = true;
        if (error) r->error = *error;
    }
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

/* Until `n` sequences are done; a signal or an error cancels all. */
static void wait_for_all(batch_run *r, size_t n) {
    bool cancelled = false;
    pthread_mutex_lock(&r->lock);
    while (r->n_done < n) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += CHECK_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&r->changed, &r->lock, &until);
        if (cancelled || (!stop_asked() && !r->failed)) continue;
        for (size_t i = 0; i < n; i++) rz_engine_cancel(r->g, r->seq[i].ticket);
        cancelled = true;
    }
    pthread_mutex_unlock(&r->lock);
}

static status run_batch(batch_run *r, const rz_token *ids, size_t depth, err *e) {
    rz_params p = RZ_PARAMS_INIT;
    p.ignore_eos = 1;
    size_t n = 0;
    status s = RZ_OK;
    for (; n < r->n_seq; n++) {
        batch_seq *q = &r->seq[n];
        const rz_sink sink = {on_token, on_done, q};
        q->run = r;
        q->index = n;
        s = rz_engine_submit(r->g, ids, depth + 1, &p, &sink, &q->ticket, e);
        if (s < 0) break;
    }
    for (size_t i = 0; s < 0 && i < n; i++) rz_engine_cancel(r->g, r->seq[i].ticket);
    wait_for_all(r, n);
    if (s < 0) return s;
    if (stop_asked()) return err_set(e, RZ_ECANCELED, "stopped");
    if (r->failed) return err_set(e, r->error.status, "%s", r->error.text);
    if (r->n_rate == 0)
        return err_set(e, RZ_EFULL, "%zu sequences of %zu tokens ended before they were measured",
                       r->n_seq, depth);
    return RZ_OK;
}

status bench_batch(rz_model *m, const bench_plan *p, const rz_token *ids, bench_row *row,
                   double *rate, size_t *n_rate, err *e) {
    rz_engine_options opt = RZ_ENGINE_INIT;
    rz_model_info info;
    rz_model_describe(m, &info);
    const size_t around = row->depth + 1 + WARM_STEPS + SLACK;
    opt.context = around + p->runs * row->tokens;
    if (opt.context > info.context) { /* shorter stretches rather than none */
        opt.context = info.context;
        row->tokens = info.context > around + p->runs ? (info.context - around) / p->runs : 1;
    }
    opt.max_requests = row->batch;
    opt.kv = p->kv;
    opt.prefix_bytes = RZ_PREFIX_OFF; /* the same prompt again and again is to be computed */
    batch_run r = {.p = p, .n_seq = row->batch, .n = row->tokens, .rate = rate};
    TRY(rz_engine_new(&r.g, m, &opt, e));
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.changed, NULL);
    const status s = run_batch(&r, ids, row->depth, e);
    rz_engine_free(r.g);
    pthread_cond_destroy(&r.changed);
    pthread_mutex_destroy(&r.lock);
    *n_rate = r.n_rate;
    return s;
}
