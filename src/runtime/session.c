/* session.c - feeds tokens in chunks through the same forward() the engine uses.
 *
 * Going back is free for attention, whose cache keeps every position. Recurrent layers keep one
 * state only, so copies of it are taken on the way; a rewind starts from the last copy before the
 * place and runs the tokens in between again. */
#include "runtime/session.h"

#include "base/mem.h"
#include "grammar/gram.h"
#include "model/forward.h"
#include "runtime/kv.h"
#include "runtime/sampler.h"

/* Rows in one step: enough to use the blocked products well. All of a text that sees both ways. */
enum { CHUNK = 256, SCORE_CHUNK = 32 };

/* A copy of the state is taken every so many tokens; when all are used, every other one goes and
 * the distance doubles. */
enum { COPY_EVERY = 256, MAX_COPIES = 16 };

typedef struct state_copy {
    uint32_t n_token;
    float *state;
} state_copy;

struct rz_session {
    const model *m;
    ops *o;
    kv_pool pages;
    kv_seq kv;
    step step;
    uint32_t chunk; /* rows of a step at most */
    bool is_long;   /* which rotation the cache holds */
    sampler_scratch scratch;
    sampler sampler;
    gram_run gram;       /* of the grammar that sampling last used, */
    uint32_t gram_from;  /* whose text begins at this token,        */
    uint32_t gram_until; /* and is followed up to this one          */
    bool gram_stale;     /* it was rewound: to be followed again    */
    uint64_t seed;       /* the caller's, as last seen */
    bool sampled;
    int32_t *tokens; /* [context] */
    uint32_t n_token, context;
    bool has_logits;
    float *logits; /* [V] */
    uint32_t *pos, *logit_row;
    row_span span;
    float *state; /* of recurrent layers, or NULL */
    state_copy copy[MAX_COPIES];
    uint32_t n_copy, copy_every;
    int (*stop)(void *ud); /* or NULL */
    void *stop_ud;
};

static status take_memory(session *s, pool *workers, kv_type kv, err *e) {
    const model_config *c = &s->m->c;
    TRY(kv_pool_init(&s->pages, s->m, kv, kv_pages_for(s->context), e));
    TRY(kv_seq_init(&s->kv, s->context, e));
    TRY(step_init(&s->step, s->m, s->chunk, SCORE_CHUNK, e));
    TRY(sampler_scratch_init(&s->scratch, c->V, e));
    TRY(ops_cpu_new(&s->o, workers, s->chunk, model_max_cols(s->m), e));
    s->tokens = mem_array(s->context, sizeof *s->tokens);
    s->logits = mem_array(c->V, sizeof *s->logits);
    s->pos = mem_array(s->chunk, sizeof *s->pos);
    s->logit_row = mem_array(SCORE_CHUNK, sizeof *s->logit_row);
    s->state = mem_array_zero(s->m->state_width, sizeof *s->state);
    s->copy_every = COPY_EVERY;
    if (!s->tokens || !s->logits || !s->pos || !s->logit_row || !s->state)
        return err_set(e, RZ_ENOMEM, "session: out of memory");
    s->step.kv = &s->pages.slab;
    s->step.pos = s->pos;
    s->step.logit_row = s->logit_row;
    s->step.span = &s->span;
    return RZ_OK;
}

status session_new(session **out, const model *m, pool *workers, uint32_t context, kv_type kv,
                   err *e) {
    session *s = mem_zero(sizeof *s);
    if (!s) return err_set(e, RZ_ENOMEM, "session: out of memory");
    s->m = m;
    s->context = context;
    s->chunk = m->c.both_ways ? context : CHUNK;
    s->is_long = model_is_long(m, context, 0);
    const status r = take_memory(s, workers, kv, e);
    if (r < 0) {
        session_free(s);
        return r;
    }
    *out = s;
    return RZ_OK;
}

void session_free(session *s) {
    if (!s) return;
    if (s->kv.page) kv_seq_done(&s->kv, &s->pages);
    kv_pool_done(&s->pages);
    step_done(&s->step);
    sampler_scratch_done(&s->scratch);
    gram_run_end(&s->gram);
    if (s->o) s->o->free(s->o);
    mem_free(s->tokens);
    mem_free(s->logits);
    mem_free(s->pos);
    mem_free(s->logit_row);
    mem_free(s->state);
    for (uint32_t i = 0; i < s->n_copy; i++) mem_free(s->copy[i].state);
    mem_free(s);
}

/* Run n rows from position n_token on; the last n_logit of them give logits. */
static status run_chunk(session *s, const int32_t *ids, uint32_t n, uint32_t n_logit, err *e) {
    TRY(kv_reserve(&s->pages, &s->kv, s->n_token + n, e));
    s->span = (row_span){0, n, s->n_token, s->kv.page, s->state, s->is_long};
    s->step.n_row = n;
    s->step.n_span = 1;
    s->step.id = ids;
    s->step.n_logit = n_logit;
    for (uint32_t i = 0; i < n; i++) s->pos[i] = s->n_token + i;
    for (uint32_t i = 0; i < n_logit; i++) s->logit_row[i] = n - n_logit + i;
    TRY(forward(s->o, s->m, &s->step, e));
    memmove(s->tokens + s->n_token, ids, n * sizeof *ids);
    s->n_token += n;
    return RZ_OK;
}

/* Too many copies: keep those at twice the distance. */
static void thin_copies(session *s) {
    uint32_t kept = 0;
    s->copy_every *= 2;
    for (uint32_t i = 0; i < s->n_copy; i++) {
        if (s->copy[i].n_token % s->copy_every == 0) s->copy[kept++] = s->copy[i];
        else mem_free(s->copy[i].state);
    }
    s->n_copy = kept;
}

/* After a chunk that ends where a copy belongs. Without memory there is no copy, and a rewind has
 * further to run. */
static void keep_copy(session *s) {
    if (s->m->state_width == 0 || s->n_token % s->copy_every) return;
    if (s->n_copy == MAX_COPIES) thin_copies(s);
    float *state = s->n_token % s->copy_every ? NULL : mem_array(s->m->state_width, sizeof *state);
    if (!state) return;
    memcpy(state, s->state, s->m->state_width * sizeof *state);
    s->copy[s->n_copy++] = (state_copy){s->n_token, state};
}

/* The state as it was after `length` tokens, or a little earlier; returns after how many. */
static uint32_t restore_state(session *s, uint32_t length) {
    while (s->n_copy && s->copy[s->n_copy - 1].n_token > length)
        mem_free(s->copy[--s->n_copy].state);
    const size_t bytes = s->m->state_width * sizeof *s->state;
    if (s->n_copy == 0) {
        memset(s->state, 0, bytes);
        return 0;
    }
    memcpy(s->state, s->copy[s->n_copy - 1].state, bytes);
    return s->copy[s->n_copy - 1].n_token;
}

/* Rows of the next chunk: up to the next place for a copy. */
static uint32_t chunk_rows(const session *s, uint32_t left, uint32_t chunk) {
    uint32_t rows = left < chunk ? left : chunk;
    const uint32_t to_copy = s->copy_every - s->n_token % s->copy_every;
    if (s->m->state_width && rows > to_copy) rows = to_copy;
    return rows;
}

/* Back to `length` tokens, rotated as a text of `total` tokens. Running them is known to succeed:
 * it has before. */
static status go_back(session *s, uint32_t length, uint32_t total, err *e) {
    s->has_logits = false;
    s->gram_stale |= length < s->gram_until;
    if (s->gram_from > length) gram_run_end(&s->gram); /* its text begins anew */
    uint32_t from = length;
    const bool was_long = s->is_long;
    s->is_long = model_is_long(s->m, s->context, total);
    if (s->is_long != was_long) from = 0; /* the cache is of the other rotation */
    if (s->m->state_width) from = restore_state(s, from);
    s->n_token = from;
    kv_truncate(&s->pages, &s->kv, from);
    while (s->n_token < length) {
        const uint32_t rows = chunk_rows(s, length - s->n_token, s->chunk);
        TRY(run_chunk(s, s->tokens + s->n_token, rows, 0, e));
        keep_copy(s);
    }
    return RZ_OK;
}

status session_feed(session *s, const int32_t *ids, uint32_t n, float *logits, err *e) {
    if (n > s->context - s->n_token)
        return err_set(e, RZ_EFULL, "session: %u tokens do not fit a context of %u holding %u", n,
                       s->context, s->n_token);
    const uint32_t before = s->n_token, V = s->m->c.V, chunk = logits ? SCORE_CHUNK : s->chunk;
    const bool had_logits = s->has_logits;
    if (model_is_long(s->m, s->context, before + n) != s->is_long)
        TRY(go_back(s, before, before + n, e));
    for (uint32_t done = 0; done < n;) {
        const uint32_t rows = chunk_rows(s, n - done, chunk);
        const bool last = done + rows == n;
        const uint32_t n_logit = logits ? rows : last ? 1 : 0;
        const status r = run_chunk(s, ids + done, rows, n_logit, e);
        if (r < 0) { /* as before the call: the logits still belong to the last token kept */
            TRY(go_back(s, before, before, e));
            s->has_logits = had_logits;
            return r;
        }
        keep_copy(s);
        if (logits)
            memcpy(logits + (size_t)done * V, s->step.logits, (size_t)rows * V * sizeof *logits);
        if (last) {
            memcpy(s->logits, s->step.logits + (size_t)(n_logit - 1) * V, V * sizeof *s->logits);
            s->has_logits = true;
        }
        done += rows;
    }
    return RZ_OK;
}

/* Rows of a text that count. */
typedef struct pooled {
    rz_pooling how;
    double *sum; /* [D], in order of position: the same bits whatever the chunks are */
} pooled;

static void pool_chunk(const session *s, pooled *p, uint32_t rows, bool first, bool last) {
    const uint32_t D = s->m->c.D;
    uint32_t from = 0, to = rows;
    if (p->how == RZ_POOL_CLS) to = first ? 1 : 0;
    if (p->how == RZ_POOL_LAST) from = last ? rows - 1 : rows;
    for (; from < to; from++)
        for (uint32_t d = 0; d < D; d++) p->sum[d] += (double)s->step.x[(size_t)from * D + d];
}

static status pool_rows(session *s, const int32_t *ids, uint32_t n, pooled *p, err *e) {
    if (model_is_long(s->m, s->context, n) != s->is_long) TRY(go_back(s, 0, n, e));
    for (uint32_t done = 0; done < n;) {
        const uint32_t rows = chunk_rows(s, n - done, s->chunk);
        if (s->stop && s->stop(s->stop_ud))
            return err_set(e, RZ_ECANCELED, "session: stopped on request");
        TRY(run_chunk(s, ids + done, rows, 0, e));
        keep_copy(s);
        pool_chunk(s, p, rows, done == 0, done + rows == n);
        done += rows;
    }
    return RZ_OK;
}

status session_pool(session *s, const int32_t *ids, uint32_t n, rz_pooling how, float *out,
                    err *e) {
    if (n == 0 || s->n_token || n > s->context)
        return err_set(e, RZ_EFULL, "session: %u tokens do not fit a context of %u holding %u", n,
                       s->context, s->n_token);
    const uint32_t D = s->m->c.D;
    pooled p = {how, mem_array_zero(D, sizeof *p.sum)};
    if (!p.sum) return err_set(e, RZ_ENOMEM, "session: out of memory");
    s->step.want_states = true;
    const status r = pool_rows(s, ids, n, &p, e);
    s->step.want_states = false;
    for (uint32_t d = 0; d < D && r >= 0; d++)
        out[d] = (float)(p.sum[d] / (how == RZ_POOL_MEAN ? n : 1));
    mem_free(p.sum);
    return r;
}

const float *session_logits(const session *s) { return s->has_logits ? s->logits : NULL; }

/* Bring the grammar's text up to what was fed; false: it does not fit, or there is no memory. */
static bool follow_grammar(session *s, const grammar *g) {
    if (s->gram.g != g) s->gram_from = s->n_token;
    if (s->gram.g != g || s->gram_stale) {
        gram_run_end(&s->gram);
        s->gram_until = s->gram_from;
        s->gram_stale = false;
    }
    if (!s->gram.g && gram_run_begin(&s->gram, g, NULL) < 0) return false;
    while (s->gram_until < s->n_token) {
        if (gram_run_token(&s->gram, s->tokens[s->gram_until], NULL) < 0) return false;
        s->gram_until++;
    }
    return true;
}

/* The pick among the tokens that the grammar allows, or -1. */
static int32_t sample_grammar(session *s, const rz_params *p) {
    bool any = false;
    if (!follow_grammar(s, p->grammar)) return -1;
    uint64_t *mask = mem_array(grammar_words(p->grammar), sizeof *mask);
    int32_t id = -1;
    if (mask && gram_run_mask(&s->gram, mask, p->ignore_eos != 0, &any, NULL) == RZ_OK && any) {
        s->scratch.allowed = mask;
        s->scratch.n_allowed = (uint32_t)tok_size(grammar_tok(p->grammar));
        id = sampler_pick(&s->sampler, &s->scratch, s->logits, s->tokens, s->n_token);
        s->scratch.allowed = NULL;
    }
    mem_free(mask);
    return id;
}

int32_t session_sample(session *s, const rz_params *p) {
    if (!s->has_logits) return -1;
    if (!s->sampled || s->seed != p->seed) {
        sampler_init(&s->sampler, p);
        s->seed = p->seed;
        s->sampled = true;
    }
    s->sampler.p = p;
    if (p->grammar) return sample_grammar(s, p);
    return sampler_pick(&s->sampler, &s->scratch, s->logits, s->tokens, s->n_token);
}

uint32_t session_length(const session *s) { return s->n_token; }

status session_rewind(session *s, uint32_t length, err *e) {
    if (length > s->n_token)
        return err_set(e, RZ_EINVAL, "session: cannot rewind to %u, it holds %u tokens", length,
                       s->n_token);
    return length == s->n_token ? RZ_OK : go_back(s, length, length, e);
}

void session_stop(session *s, int (*stop)(void *ud), void *ud) {
    s->stop = stop;
    s->stop_ud = ud;
}

const model *session_model(const session *s) { return s->m; }

void session_tap(session *s, ops_tap *tap, void *ud) {
    s->o->tap = tap;
    s->o->tap_ud = ud;
}
