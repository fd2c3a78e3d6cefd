/* sched.c - admission, chunking and preemption. See sched.h for the rules. */
#include "runtime/sched.h"

#include "base/mem.h"
#include "base/os.h"

status sched_init(sched *s, kv_pool *pages, ssm_pool *states, prefix *t, uint32_t max_rows,
                  uint32_t max_running, err *e) {
    *s = (sched){.pages = pages, .states = states, .prefix = t};
    s->max_rows = max_rows;
    s->max_running = max_running;
    s->running = mem_array_zero(max_running, sizeof *s->running);
    return s->running ? RZ_OK : err_set(e, RZ_ENOMEM, "scheduler: out of memory");
}

void sched_done(sched *s) {
    mem_free(s->running);
    s->running = NULL;
}

void sched_add(sched *s, seq *q) {
    q->next = NULL;
    if (s->waiting_last) s->waiting_last->next = q;
    else s->waiting = q;
    s->waiting_last = q;
    s->n_waiting++;
}

static void push_front(sched *s, seq *q) {
    q->next = s->waiting;
    s->waiting = q;
    if (!s->waiting_last) s->waiting_last = q;
    s->n_waiting++;
}

/* Take the oldest that is not paused, or NULL. */
static seq *pop_ready(sched *s) {
    seq *before = NULL;
    for (seq *q = s->waiting; q; before = q, q = q->next) {
        if (q->paused) continue;
        *(before ? &before->next : &s->waiting) = q->next;
        if (s->waiting_last == q) s->waiting_last = before;
        s->n_waiting--;
        q->next = NULL;
        return q;
    }
    return NULL;
}

seq *sched_find(const sched *s, rz_ticket t) {
    for (uint32_t i = 0; i < s->n_running; i++)
        if (s->running[i]->ticket == t) return s->running[i];
    for (seq *q = s->waiting; q; q = q->next)
        if (q->ticket == t) return q;
    return NULL;
}

void sched_release(sched *s, seq *q) {
    prefix_leave(s->prefix, q);
    ssm_give(s->states, q->state);
    q->state = NULL;
}

/* running[i] gives everything back and waits at the head of the line. */
static void preempt(sched *s, uint32_t i) {
    seq *q = s->running[i];
    s->n_running--;
    memmove(s->running + i, s->running + i + 1, (s->n_running - i) * sizeof *s->running);
    sched_release(s, q);
    q->n_done = 0;
    q->n_row = 0;
    q->preempted = true;
    push_front(s, q);
}

/* A sequence whose reader is slow makes place for one that can run. */
static bool preempt_paused(sched *s) {
    for (uint32_t i = s->n_running; i-- > 0;) {
        if (!s->running[i]->paused) continue;
        preempt(s, i);
        return true;
    }
    return false;
}

/* Pages for all tokens q has; idle ones of the prefix cache make room. */
static bool reserve(sched *s, seq *q, uint32_t n_token) {
    const uint32_t want = kv_pages_for(n_token);
    return want <= q->kv.n_page || prefix_make_room(s->prefix, want - q->kv.n_page);
}

/* Hold pages for all tokens q has so far, with room for one more. They are held at once, or two
 * admissions would count on the same pages. */
static bool take_place(sched *s, seq *q) {
    if (s->n_running == s->max_running) return false;
    prefix_take(s->prefix, q);
    if (!reserve(s, q, q->n_token < q->max_token ? q->n_token + 1 : q->n_token) ||
        kv_reserve(s->pages, &q->kv, q->n_token, NULL) < 0) {
        sched_release(s, q);
        q->n_done = 0;
        return false;
    }
    q->state = ssm_take(s->states);
    prefix_fill(s->prefix, q);
    return true;
}

static void admit(sched *s) {
    for (seq *q; (q = pop_ready(s)) != NULL;) {
        while (!take_place(s, q)) {
            if (preempt_paused(s)) continue;
            push_front(s, q);
            return;
        }
        if (!q->admitted_ns) q->admitted_ns = os_now_ns();
        s->running[s->n_running++] = q;
    }
}

/* Pages for the next row of running[i], preempting younger ones. false: it was preempted itself. */
static bool make_room(sched *s, uint32_t i) {
    seq *q = s->running[i];
    while (!reserve(s, q, q->n_token) || kv_reserve(s->pages, &q->kv, q->n_token, NULL) < 0) {
        const bool itself = i + 1 == s->n_running;
        preempt(s, s->n_running - 1);
        if (itself) return false;
    }
    return true;
}

static uint32_t pending(const seq *q) { return q->paused || q->ended ? 0 : q->n_token - q->n_done; }

/* Rows that prompts may use beside `streaming` single rows. */
static uint32_t prompt_budget(const sched *s, uint32_t streaming) {
    uint32_t budget = s->max_rows - streaming;
    if (streaming && s->rows_per_ms > 0) {
        const double fit = s->rows_per_ms * SCHED_STEP_MS;
        if (fit < (double)budget) budget = (uint32_t)fit;
        if (budget < SCHED_MIN_CHUNK) budget = SCHED_MIN_CHUNK;
    }
    return budget < s->max_rows - streaming ? budget : s->max_rows - streaming;
}

/* Those that have to compute all again line up for it, the oldest first. */
static void restart(sched *s) {
    for (uint32_t i = s->n_running; i-- > 0;) {
        seq *q = s->running[i];
        if (!q->again) continue;
        q->again = false;
        preempt(s, i);
    }
}

uint32_t sched_plan(sched *s) {
    restart(s);
    admit(s);
    uint32_t rows = 0;
    for (uint32_t i = 0; i < s->n_running; i++) {
        seq *q = s->running[i];
        q->n_row = 0;
        if (pending(q) != 1 || rows == s->max_rows) continue;
        if (!make_room(s, i)) break;
        q->n_row = 1;
        rows++;
    }
    uint32_t budget = prompt_budget(s, rows);
    for (uint32_t i = 0; i < s->n_running && budget > 0; i++) {
        seq *q = s->running[i];
        if (pending(q) <= 1) continue;
        prefix_take(s->prefix, q); /* others may have got there meanwhile */
        prefix_fill(s->prefix, q);
        const uint32_t want = pending(q);
        q->n_row = prefix_rows(s->prefix, q, want < budget ? want : budget);
        budget -= q->n_row;
        rows += q->n_row;
    }
    for (uint32_t i = 0; i < s->n_running; i++) {
        seq *q = s->running[i];
        q->wants_logits = q->n_row > 0 && q->n_done + q->n_row == q->n_token;
    }
    return rows;
}

bool sched_extend(sched *s, seq *q, uint32_t n) {
    return reserve(s, q, q->n_token + n) &&
           kv_reserve(s->pages, &q->kv, q->n_token + n, NULL) == RZ_OK;
}

void sched_note(sched *s, uint32_t rows, uint64_t ns) {
    if (rows < SCHED_MIN_CHUNK || ns == 0) return; /* single tokens say nothing of prompts */
    const double now = (double)rows / ((double)ns * 1e-6);
    s->rows_per_ms = s->rows_per_ms > 0 ? 0.75 * s->rows_per_ms + 0.25 * now : now;
}

seq *sched_take_ended(sched *s) {
    seq *ended = NULL;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->n_running; i++) {
        seq *q = s->running[i];
        if (q->ended) {
            q->next = ended;
            ended = q;
        } else {
            s->running[kept++] = q;
        }
    }
    s->n_running = kept;
    seq *last = NULL;
    for (seq **at = &s->waiting; *at;) {
        seq *q = *at;
        if (!q->ended) {
            last = q;
            at = &q->next;
            continue;
        }
        *at = q->next;
        s->n_waiting--;
        q->next = ended;
        ended = q;
    }
    s->waiting_last = last;
    return ended;
}
