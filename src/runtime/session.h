/* session.h - one timeline run by its caller's own thread, without an engine. */
#ifndef RUNTIME_SESSION_H
#define RUNTIME_SESSION_H

#include "base/pool.h"
#include "model/model.h"

typedef struct rz_session session;

/* model and workers must outlive the session. `context` is at least 1. Of a model that looks both
 * ways nothing but session_pool may be used. */
status session_new(session **out, const model *m, pool *workers, uint32_t context, kv_type kv,
                   err *e);
void session_free(session *s);
/* Append tokens (all inside the vocabulary). `logits` NULL, or [n, V] for every position. */
status session_feed(session *s, const int32_t *ids, uint32_t n, float *logits, err *e);
/* The n tokens (at least 1) as one vector out[D], not scaled: the rows that come out behind the
 * last norm, pooled as `how` (not AUTO) says. Only of a session that holds nothing yet. */
status session_pool(session *s, const int32_t *ids, uint32_t n, rz_pooling how, float *out, err *e);
/* Ask `stop` between the steps of session_pool; what is not 0 ends it: RZ_ECANCELED. */
void session_stop(session *s, int (*stop)(void *ud), void *ud);
const float *session_logits(const session *s);          /* [V] after the last fed token, or NULL */
int32_t session_sample(session *s, const rz_params *p); /* -1 before the first feed */
uint32_t session_length(const session *s);
status session_rewind(session *s, uint32_t length, err *e);
const model *session_model(const session *s);
/* Show every product's input to `tap` from now on (see ops.h). */
void session_tap(session *s, ops_tap *tap, void *ud);

#endif
