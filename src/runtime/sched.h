/* sched.h - which rows run in the next step.
 *
 * Every running sequence with one token to go gets its row first; the rest of the row budget goes
 * to prompts in order of arrival. While somebody is streaming, the budget shrinks so that a step
 * keeps within SCHED_STEP_MS and a long prompt never stalls the streams. When pages run short, the
 * youngest sequence is preempted: it gives its pages back and later computes them again, with the
 * same result to the bit. */
#ifndef RUNTIME_SCHED_H
#define RUNTIME_SCHED_H

#include "runtime/prefix.h"
#include "runtime/seq.h"
#include "runtime/ssm_state.h"

enum { SCHED_STEP_MS = 60, SCHED_MIN_CHUNK = 32 };

typedef struct sched {
    kv_pool *pages;
    ssm_pool *states; /* as many slots as may run */
    prefix *prefix;
    uint32_t max_rows, max_running;
    seq *waiting, *waiting_last; /* oldest first */
    seq **running;               /* [max_running], oldest first */
    uint32_t n_running, n_waiting;
    double rows_per_ms; /* of recent prompt steps; 0 = not measured yet */
} sched;

status sched_init(sched *s, kv_pool *pages, ssm_pool *states, prefix *t, uint32_t max_rows,
                  uint32_t max_running, err *e);
void sched_done(sched *s);

void sched_add(sched *s, seq *q);
/* Find a request anywhere, or NULL. */
seq *sched_find(const sched *s, rz_ticket t);
/* Admit, preempt, and set n_row and wants_logits of every running sequence. Returns the number of
 * rows: 0 means there is nothing to do. Pages for all planned rows are held afterwards. */
uint32_t sched_plan(sched *s);
/* Hold pages for n more tokens than q has, if nobody has to leave for them. */
bool sched_extend(sched *s, seq *q, uint32_t n);
/* Learn from a step that ran `rows` rows. */
void sched_note(sched *s, uint32_t rows, uint64_t ns);
/* Give back the pages and the state of q. */
void sched_release(sched *s, seq *q);
/* Take everything that has ended out of both lists; returns them as a list through seq.next. */
seq *sched_take_ended(sched *s);

#endif
