/* sampler.h - logits to one token.
 *
 * Order of application: logit bias, penalties, allowed tokens, then (temperature 0) the largest,
 * or temperature, top-k, softmax, min-p, top-p and one draw. Ties go to the lower id. The random
 * stream is a function of the seed and the number of tokens drawn, nothing else. */
#ifndef RUNTIME_SAMPLER_H
#define RUNTIME_SAMPLER_H

#include "base/err.h"

/* One request's settings and random state; settings are borrowed. */
typedef struct sampler {
    const rz_params *p;
    uint64_t state;
} sampler;

/* Working memory for one vocabulary, shared by all samplers of a thread. */
typedef struct sampler_scratch {
    uint32_t n_vocab;
    float *logit;                   /* [n_vocab] */
    struct sampler_candidate *cand; /* [n_vocab] */
    uint32_t *count;                /* [n_vocab], all zero between calls */
    const uint64_t *allowed;        /* a bit for each token that may be picked; NULL: all may */
    uint32_t n_allowed;             /* bits; tokens beyond them may not be picked */
} sampler_scratch;

status sampler_scratch_init(sampler_scratch *s, uint32_t n_vocab, err *e);
void sampler_scratch_done(sampler_scratch *s);

/* p->seed == 0 takes a seed from the system. */
void sampler_init(sampler *s, const rz_params *p);

/* logits[n_vocab] are not changed. history[n] are the tokens so far, prompt included. Never fails:
 * NaN counts as -inf, and a row without any finite number yields the first token allowed, or
 * token 0. */
int32_t sampler_pick(sampler *s, sampler_scratch *w, const float *logits, const int32_t *history,
                     uint32_t n);

/* Log probabilities by the logits alone: of `id`, then of the `top` likeliest (as many as are
 * finite). Writes 1 + top at most, returns how many. NaN counts as -inf. */
size_t sampler_scores(sampler_scratch *w, const float *logits, int32_t id, uint32_t top,
                      rz_score *out);

#endif
