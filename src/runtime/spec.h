/* spec.h - tokens guessed ahead, so that one step may make several (Leviathan et al. 2023).
 *
 * The engine runs the guesses behind the last token and samples row by row as it would have without
 * them: a guess counts only when it is the very token that sampling gives, so the answer is the
 * same to the bit, greedy or not. Guesses come from the text itself (what followed the last few
 * tokens earlier on) or from a small model with the same vocabulary. */
#ifndef RUNTIME_SPEC_H
#define RUNTIME_SPEC_H

#include "base/pool.h"
#include "runtime/seq.h"
#include "runtime/session.h"

typedef struct spec {
    uint32_t lookup;    /* most tokens guessed from the text; 0: none            */
    uint32_t most;      /* most tokens guessed by the other model                */
    const model *draft; /* NULL: there is none                                   */
    pool *workers;      /* of the draft model                                    */
    uint32_t context;
    kv_type kv;
    session **idle; /* [max_sessions] of the draft model, the first n_idle wait  */
    uint32_t n_idle, n_session, max_sessions;
} spec;

/* `draft` has the vocabulary of the model it guesses for; NULL: only lookup. */
status spec_init(spec *s, uint32_t lookup, const model *draft, pool *workers, uint32_t most,
                 uint32_t context, uint32_t max_sessions, err *e);
void spec_done(spec *s);
/* Guess up to `max` tokens behind those of q, into q->draft. Returns q->n_draft. */
uint32_t spec_guess(spec *s, seq *q, uint32_t max);
/* The first `right` guesses were right and are now tokens of q. */
void spec_judge(spec *s, seq *q, uint32_t right);
/* q is over. */
void spec_leave(spec *s, seq *q);

#endif
