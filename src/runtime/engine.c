/* engine.c - THE loop. engine_tick() is one turn of it: take messages, plan, run, sample.
 *
 * What waits in the inbox is bounded by the requests admitted (max_requests + max_queue), so
 * submitting is refused early instead of messages being lost late. */
#include "runtime/engine.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/queue.h"
#include "model/forward.h"
#include "runtime/sched.h"
#include "runtime/spec.h"

typedef enum message_kind { MSG_SUBMIT, MSG_CANCEL, MSG_PAUSE, MSG_RESUME, MSG_QUIT } message_kind;

typedef struct message {
    message_kind kind;
    rz_ticket ticket;
    seq *seq; /* MSG_SUBMIT: taken over */
} message;

enum { MAX_MESSAGES = 1 << 20, DRAIN_AT_ONCE = 64 };

/* Steps with guesses have no more rows than this: beyond it a row costs what it costs alone. */
enum { DRAFT_ROWS = 32 };

struct rz_engine {
    engine_config c;
    rz_model *owner;
    const model *m;
    const tok *tok;
    ops *o;
    queue *inbox;
    pthread_t thread;
    bool started;
    /* Engine thread from here on. */
    kv_pool pages;
    ssm_pool states;
    prefix prefix;
    sched sched;
    spec spec;
    step step;
    sampler_scratch scratch;
    uint64_t *mask;      /* of a grammar: a bit for each token */
    int32_t *id;         /* [batch_tokens] */
    uint32_t *pos;       /* [batch_tokens] */
    row_span *span;      /* [max_requests] */
    uint32_t *logit_row; /* [max_logit] */
    bool quit;
    /* Any thread. */
    atomic_uint_fast64_t next_ticket;
    atomic_uint_fast64_t n_live; /* submitted and not done */
    atomic_uint_fast64_t requests, prompt_tokens, output_tokens, steps, busy_ns;
    atomic_uint_fast32_t running, queued, pages_used;
    atomic_uint_fast64_t prefix_queries, prefix_hits, prefix_tokens, prefix_evictions, prefix_held;
    atomic_uint_fast64_t drafted, draft_right;
};

/* ---- One turn ---- */

static void publish_stats(engine *g) {
    atomic_store(&g->running, g->sched.n_running);
    atomic_store(&g->queued, g->sched.n_waiting);
    atomic_store(&g->pages_used, g->pages.n_page - g->pages.n_free - g->prefix.n_idle);
    atomic_store(&g->prefix_queries, g->prefix.queries);
    atomic_store(&g->prefix_hits, g->prefix.hits);
    atomic_store(&g->prefix_tokens, g->prefix.tokens);
    atomic_store(&g->prefix_evictions, g->prefix.evictions);
    atomic_store(&g->prefix_held, g->prefix.held);
}

/* Whoever hears of the end may look at the statistics: pages go back and are counted first. */
static void finish_ended(engine *g, const err *error) {
    seq *ended = sched_take_ended(&g->sched);
    if (!ended) return;
    for (seq *q = ended; q; q = q->next) sched_release(&g->sched, q);
    publish_stats(g);
    for (seq *q = ended, *next; q; q = next) {
        next = q->next;
        spec_leave(&g->spec, q);
        seq_finish(q, error);
        seq_free(q, &g->pages);
        atomic_fetch_sub(&g->n_live, 1);
    }
}

static void end_all(engine *g, rz_finish why) {
    for (uint32_t i = 0; i < g->sched.n_running; i++) {
        g->sched.running[i]->ended = true;
        g->sched.running[i]->why = why;
    }
    for (seq *q = g->sched.waiting; q; q = q->next) {
        q->ended = true;
        q->why = why;
    }
}

static void take_message(engine *g, const message *msg) {
    if (msg->kind == MSG_QUIT) {
        g->quit = true;
        return;
    }
    if (msg->kind == MSG_SUBMIT) {
        sched_add(&g->sched, msg->seq);
        return;
    }
    seq *q = sched_find(&g->sched, msg->ticket);
    if (!q) return; /* it is done already */
    if (msg->kind == MSG_CANCEL) {
        q->ended = true;
        q->why = RZ_FINISH_CANCEL;
    } else {
        q->paused = msg->kind == MSG_PAUSE;
    }
}

static void drain_inbox(engine *g) {
    message msg[DRAIN_AT_ONCE];
    for (size_t n; (n = queue_pop(g->inbox, msg, DRAIN_AT_ONCE)) > 0;)
        for (size_t i = 0; i < n; i++) take_message(g, &msg[i]);
}

static bool is_late(seq *q, uint64_t now) {
    if (q->ended || !q->until_ns || now < q->until_ns) return false;
    q->ended = true;
    q->why = RZ_FINISH_ERROR;
    err_set(&q->error, RZ_ECANCELED, "the request took longer than %g s",
            q->params.timeout_ms / 1000.0);
    return true;
}

/* End the requests whose time is over. Returns the milliseconds until the next one's is, at least
 * 1, or -1. */
static int end_late(engine *g) {
    const uint64_t now = os_now_ns();
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < g->sched.n_running; i++) {
        seq *q = g->sched.running[i];
        if (!is_late(q, now) && q->until_ns && q->until_ns < next) next = q->until_ns;
    }
    for (seq *q = g->sched.waiting; q; q = q->next)
        if (!is_late(q, now) && q->until_ns && q->until_ns < next) next = q->until_ns;
    return next == UINT64_MAX ? -1 : (int)((next - now) / 1000000 + 1);
}

static bool is_long(const engine *g, const seq *q) {
    return model_is_long(g->m, g->c.context, q->n_token);
}

static bool guesses(const engine *g) { return g->spec.lookup || g->spec.draft; }

/* Add guesses to the plan, as far as there is room. Recurrent state cannot go back from a wrong
 * one. Returns how many. */
static uint32_t plan_drafts(engine *g, uint32_t rows) {
    uint32_t made = 0, room = g->c.batch_tokens - rows;
    if (!guesses(g) || g->m->state_width || rows >= DRAFT_ROWS) return 0;
    if (room > DRAFT_ROWS - rows) room = DRAFT_ROWS - rows;
    for (uint32_t i = 0; i < g->sched.n_running && made < room; i++) {
        seq *q = g->sched.running[i];
        uint32_t max = q->max_token - q->n_token;
        if (q->n_row != 1 || !q->wants_logits || max <= 1) continue;
        max = max - 1 < room - made ? max - 1 : room - made;
        uint32_t n = spec_guess(&g->spec, q, max);
        const bool same =
            model_is_long(g->m, g->c.context, q->n_token + n) == is_long(g, q); /* rotation */
        if (n && (!same || !sched_extend(&g->sched, q, n))) {
            spec_judge(&g->spec, q, 0);
            n = 0;
        }
        q->n_row += n;
        made += n;
    }
    return made;
}

/* Lay the planned rows out for forward(). */
static void gather_step(engine *g) {
    step *s = &g->step;
    s->n_row = s->n_span = s->n_logit = 0;
    for (uint32_t i = 0; i < g->sched.n_running; i++) {
        seq *q = g->sched.running[i];
        if (q->n_row == 0) continue;
        g->span[s->n_span++] =
            (row_span){s->n_row, q->n_row, q->n_done, q->kv.page, q->state, is_long(g, q)};
        for (uint32_t j = 0; j < q->n_row; j++, s->n_row++) {
            const uint32_t at = q->n_done + j;
            g->id[s->n_row] = at < q->n_token ? q->tokens[at] : q->draft[at - q->n_token];
            g->pos[s->n_row] = at;
        }
        if (!q->wants_logits) continue;
        q->logit_at = s->n_logit;
        for (uint32_t j = 0; j <= q->n_draft; j++)
            g->logit_row[s->n_logit++] = s->n_row - 1 - q->n_draft + j;
    }
}

static void tell_scores(engine *g, const seq *q, int32_t id, const float *logits) {
    rz_score list[1 + RZ_MAX_SCORES];
    if (!q->params.scores || seq_is_end(q, id)) return;
    const uint32_t top = (uint32_t)q->params.top_scores;
    q->params.scores(q->params.scores_ud, list, sampler_scores(&g->scratch, logits, id, top, list));
}

/* The next token of q, and the ones behind it as long as they are those that were guessed. Returns
 * how many. */
static uint32_t sample_rows(engine *g, seq *q) {
    const float *logits = g->step.logits + (size_t)q->logit_at * g->m->c.V;
    const uint32_t n = q->n_draft;
    uint32_t made = 0, right = 0;
    for (;; logits += g->m->c.V) {
        const bool was_long = is_long(g, q);
        const int32_t id = seq_pick(q, &g->scratch, logits, g->mask);
        if (id < 0) break;
        tell_scores(g, q, id, logits);
        seq_push(q, id);
        q->again = is_long(g, q) != was_long;
        made++;
        if (q->ended || right == n || id != q->draft[right]) break;
        right++;
        q->n_done++; /* its row has run already */
        if (q->again) break;
    }
    if (n == 0) return made;
    spec_judge(&g->spec, q, right);
    prefix_note(&g->prefix, q);
    atomic_fetch_add(&g->drafted, n);
    atomic_fetch_add(&g->draft_right, right);
    return made;
}

static void sample_step(engine *g) {
    uint64_t prompt = 0, output = 0;
    for (uint32_t i = 0; i < g->sched.n_running; i++) {
        seq *q = g->sched.running[i];
        if (q->n_row == 0) continue;
        if (q->n_done < q->n_prompt)
            prompt += q->n_done + q->n_row < q->n_prompt ? q->n_row : q->n_prompt - q->n_done;
        q->n_done += q->n_row - q->n_draft;
        q->n_row = 0;
        prefix_note(&g->prefix, q);
        if (q->wants_logits) output += sample_rows(g, q);
    }
    atomic_fetch_add(&g->prompt_tokens, prompt);
    atomic_fetch_add(&g->output_tokens, output);
}

/* One turn. false: there is nothing to do until a message comes or *wait_ms have passed. */
static bool engine_tick(engine *g, int *wait_ms) {
    err e = {0};
    drain_inbox(g);
    *wait_ms = end_late(g);
    finish_ended(g, NULL);
    uint32_t rows = sched_plan(&g->sched);
    if (rows) rows += plan_drafts(g, rows);
    publish_stats(g);
    if (rows == 0) return false;
    const uint64_t start = os_now_ns();
    gather_step(g);
    if (forward(g->o, g->m, &g->step, &e) < 0) {
        log_error("step of %u rows failed: %s", rows, e.text);
        end_all(g, RZ_FINISH_ERROR); /* these requests only, never the process */
    } else {
        sample_step(g);
    }
    const uint64_t ns = os_now_ns() - start;
    sched_note(&g->sched, rows, ns);
    atomic_fetch_add(&g->busy_ns, ns);
    atomic_fetch_add(&g->steps, 1);
    finish_ended(g, &e);
    publish_stats(g);
    return true;
}

static void *engine_main(void *arg) {
    engine *g = arg;
    int wait_ms;
    while (!g->quit)
        if (!engine_tick(g, &wait_ms) && !g->quit) queue_wait(g->inbox, wait_ms);
    end_all(g, RZ_FINISH_CANCEL);
    finish_ended(g, NULL);
    publish_stats(g);
    return NULL;
}

/* ---- Life ---- */

static status take_memory(engine *g, pool *workers, err *e) {
    const engine_config *c = &g->c;
    uint32_t max_logit = c->max_requests;
    if (c->lookup || c->draft) max_logit += DRAFT_ROWS;
    if (max_logit > c->batch_tokens) max_logit = c->batch_tokens;
    TRY(queue_new(&g->inbox, sizeof(message), MAX_MESSAGES, e));
    TRY(kv_pool_init(&g->pages, g->m, c->kv, c->n_page, e));
    TRY(ssm_pool_init(&g->states, g->m->state_width, c->max_requests, e));
    TRY(prefix_init(&g->prefix, &g->pages, g->m, c->context, c->prefix_bytes, e));
    TRY(sched_init(&g->sched, &g->pages, &g->states, &g->prefix, c->batch_tokens, c->max_requests,
                   e));
    TRY(spec_init(&g->spec, c->lookup, c->draft, c->draft_workers, c->draft_tokens, c->context,
                  c->max_requests, e));
    TRY(step_init(&g->step, g->m, c->batch_tokens, max_logit, e));
    TRY(sampler_scratch_init(&g->scratch, g->m->c.V, e));
    TRY(ops_cpu_new(&g->o, workers, c->batch_tokens, model_max_cols(g->m), e));
    g->mask = mem_array(g->tok ? tok_size(g->tok) / 64 + 1 : 1, sizeof *g->mask);
    g->id = mem_array(c->batch_tokens, sizeof *g->id);
    g->pos = mem_array(c->batch_tokens, sizeof *g->pos);
    g->span = mem_array(c->max_requests, sizeof *g->span);
    g->logit_row = mem_array(max_logit, sizeof *g->logit_row);
    if (!g->mask || !g->id || !g->pos || !g->span || !g->logit_row)
        return err_set(e, RZ_ENOMEM, "engine: out of memory");
    g->step.id = g->id;
    g->step.pos = g->pos;
    g->step.span = g->span;
    g->step.logit_row = g->logit_row;
    g->step.kv = &g->pages.slab;
    return RZ_OK;
}

status engine_new(engine **out, rz_model *owner, const model *m, const tok *t, pool *workers,
                  const engine_config *config, err *e) {
    engine *g = mem_zero(sizeof *g);
    if (!g) return err_set(e, RZ_ENOMEM, "engine: out of memory");
    g->c = *config;
    g->owner = owner;
    g->m = m;
    g->tok = t;
    status s = take_memory(g, workers, e);
    if (s >= 0) {
        const int why = pthread_create(&g->thread, NULL, engine_main, g);
        if (why) s = err_sys(e, why, "engine: cannot start its thread");
        g->started = why == 0;
    }
    if (s < 0) {
        engine_free(g);
        return s;
    }
    *out = g;
    return RZ_OK;
}

static void send(engine *g, const message *msg) {
    while (!queue_push(g->inbox, msg)) sched_yield(); /* a million cancellations are under way */
}

void engine_free(engine *g) {
    if (!g) return;
    if (g->started) {
        send(g, &(message){.kind = MSG_QUIT});
        pthread_join(g->thread, NULL);
    }
    if (g->inbox) { /* what was submitted while quitting */
        drain_inbox(g);
        end_all(g, RZ_FINISH_CANCEL);
        finish_ended(g, NULL);
    }
    spec_done(&g->spec);
    sched_done(&g->sched);
    prefix_done(&g->prefix);
    kv_pool_done(&g->pages);
    ssm_pool_done(&g->states);
    step_done(&g->step);
    sampler_scratch_done(&g->scratch);
    if (g->o) g->o->free(g->o);
    mem_free(g->mask);
    mem_free(g->id);
    mem_free(g->pos);
    mem_free(g->span);
    mem_free(g->logit_row);
    queue_free(g->inbox);
    mem_free(g);
}

/* ---- From other threads ---- */

status engine_submit(engine *g, const int32_t *ids, uint32_t n, const rz_params *p,
                     const rz_sink *sink, rz_ticket *out, err *e) {
    const uint64_t most = (uint64_t)g->c.max_requests + g->c.max_queue;
    if (atomic_fetch_add(&g->n_live, 1) >= most) {
        atomic_fetch_sub(&g->n_live, 1);
        return err_set(e, RZ_EFULL, "engine: %llu requests are running or waiting already",
                       (unsigned long long)most);
    }
    seq *q;
    const status s = seq_new(&q, ids, n, p, sink, g->tok, engine_context(g), e);
    if (s < 0) {
        atomic_fetch_sub(&g->n_live, 1);
        return s;
    }
    q->ticket = atomic_fetch_add(&g->next_ticket, 1) + 1;
    if (out) *out = q->ticket; /* before the engine may call back with it */
    atomic_fetch_add(&g->requests, 1);
    send(g, &(message){MSG_SUBMIT, q->ticket, q});
    return RZ_OK;
}

void engine_cancel(engine *g, rz_ticket t) { send(g, &(message){.kind = MSG_CANCEL, .ticket = t}); }

void engine_pause(engine *g, rz_ticket t, bool paused) {
    send(g, &(message){.kind = paused ? MSG_PAUSE : MSG_RESUME, .ticket = t});
}

rz_model *engine_owner(const engine *g) { return g->owner; }

uint32_t engine_context(const engine *g) {
    const uint64_t pool_tokens = (uint64_t)g->c.n_page * KV_PAGE_TOKENS;
    return pool_tokens < g->c.context ? (uint32_t)pool_tokens : g->c.context;
}

void engine_stats(const engine *g, rz_engine_stats *out) {
    const uint64_t page = g->pages.slab.page_bytes;
    *out = (rz_engine_stats){
        .requests = atomic_load(&g->requests),
        .prompt_tokens = atomic_load(&g->prompt_tokens),
        .output_tokens = atomic_load(&g->output_tokens),
        .steps = atomic_load(&g->steps),
        .running = (uint32_t)atomic_load(&g->running),
        .queued = (uint32_t)atomic_load(&g->queued),
        .kv_pages_total = g->c.n_page,
        .kv_pages_used = (uint32_t)atomic_load(&g->pages_used),
        .kv_page_tokens = KV_PAGE_TOKENS,
        .busy_s = (double)atomic_load(&g->busy_ns) * 1e-9,
        .prefix_queries = atomic_load(&g->prefix_queries),
        .prefix_hits = atomic_load(&g->prefix_hits),
        .prefix_tokens = atomic_load(&g->prefix_tokens),
        .prefix_evictions = atomic_load(&g->prefix_evictions),
        .prefix_bytes_total = g->c.prefix_bytes,
        .prefix_bytes_used = atomic_load(&g->prefix_held),
        .draft_tokens = atomic_load(&g->drafted),
        .draft_accepted = atomic_load(&g->draft_right),
    };
    out->kv_bytes_total = out->kv_pages_total * page;
    out->kv_bytes_used = out->kv_pages_used * page;
}
