/* seq.h - one request: its tokens, its pages, its text, from submission to done(). */
#ifndef RUNTIME_SEQ_H
#define RUNTIME_SEQ_H

#include "base/buf.h"
#include "grammar/gram.h"
#include "runtime/kv.h"
#include "runtime/sampler.h"
#include "tokenizer/detok.h"

enum { SEQ_MAX_DRAFT = 16 };

typedef struct seq seq;
struct seq {
    rz_ticket ticket;
    rz_params params; /* stop strings and biases point into this object's own copies */
    rz_sink sink;
    sampler sampler;
    /* tokens[0..n_token) are known; the cache holds the first n_done of them. What lies between is
     * what the next steps must run: a whole prompt at first, then one token at a time, and
     * everything again after preemption. */
    int32_t *tokens;
    uint32_t n_token, n_done, n_prompt;
    uint32_t max_token; /* capacity of tokens: prompt + longest answer */
    kv_seq kv;
    float *state; /* of recurrent layers, while running; or NULL */
    /* For the prefix cache: the first n_shared pages are in its tree too. */
    uint32_t n_shared, n_taken, n_cached; /* tokens just taken from it; of the prompt, in all */
    uint32_t split;                       /* a place for a copy of the state, in tokens */
    bool is_long, asked, hit, preempted;
    const tok *tok; /* NULL: the model has no vocabulary, ids only */
    detok detok;
    gram_run gram; /* where the answer stands in params.grammar */
    buf held;      /* text that may be the beginning of a stop string */
    bool paused, ended;
    bool again; /* what the cache holds has become useless: all tokens must run again */
    bool cut;   /* a stop string ended it: nothing behind it is text any more */
    rz_finish why;
    err error; /* with RZ_FINISH_ERROR, when it is this request's own */
    uint64_t submitted_ns, admitted_ns, first_token_ns;
    uint64_t until_ns; /* 0: it has all the time */
    seq *next;         /* in a list of the scheduler */
    /* The plan of the current step. */
    uint32_t n_row, logit_at;
    bool wants_logits;
    /* Guesses that run behind its tokens in this step (spec.h). */
    int32_t draft[SEQ_MAX_DRAFT];
    uint32_t n_draft;
    uint32_t draft_most;        /* as many as seem worth it; 0: not known yet */
    bool by_model;              /* the other model made them                  */
    struct rz_session *drafter; /* that model's reading of this text, or NULL */
    uint32_t n_drafted;         /* tokens of it that are right                */
};

/* Copies ids and params; `max_total` bounds prompt + answer. */
status seq_new(seq **out, const int32_t *ids, uint32_t n, const rz_params *p, const rz_sink *sink,
               const tok *t, uint32_t max_total, err *e);
/* Pages go back to `pages`; NULL is fine for s. Does not call done(). */
void seq_free(seq *s, kv_pool *pages);

/* Would this token end the text? */
bool seq_is_end(const seq *s, int32_t id);
/* The next token by logits[V], which seq_push takes; -1: the request has ended, because nothing may
 * follow in its grammar. `mask` is scratch, a bit for each token. */
int32_t seq_pick(seq *s, sampler_scratch *w, const float *logits, uint64_t *mask);
/* Append a sampled token: text goes out, and s->ended with s->why says if that was the last. */
void seq_push(seq *s, int32_t id);
/* Release held text (unless an error ended it) and call done(). `error` with RZ_FINISH_ERROR. */
void seq_finish(seq *s, const err *error);

#endif
