/* engine.h - the loop that turns requests into tokens: one thread, any number of requests.
 *
 * The engine thread is the only writer of inference state. Requests, cancellations and pauses reach
 * it through one inbox; answers leave through each request's sink. */
#ifndef RUNTIME_ENGINE_H
#define RUNTIME_ENGINE_H

#include "base/pool.h"
#include "model/model.h"
#include "tokenizer/tok.h"

typedef struct rz_engine engine;

/* Options are complete (no zeros left, checked by the caller). */
typedef struct engine_config {
    uint32_t context, batch_tokens, max_requests, max_queue, n_page;
    kv_type kv;
    uint64_t prefix_bytes; /* 0: prompts are not kept for others */
    uint32_t lookup;       /* tokens guessed from the text itself; 0: none */
    const model *draft;    /* guesses tokens; NULL: none does */
    pool *draft_workers;
    uint32_t draft_tokens;
} engine_config;

/* model, tokenizer (or NULL) and workers must outlive the engine. `owner` is only handed back by
 * engine_owner. */
status engine_new(engine **out, rz_model *owner, const model *m, const tok *t, pool *workers,
                  const engine_config *config, err *e);
void engine_free(engine *g);
/* ids are inside the vocabulary and 1 <= n < context. [any thread] */
status engine_submit(engine *g, const int32_t *ids, uint32_t n, const rz_params *p,
                     const rz_sink *sink, rz_ticket *out, err *e);
void engine_cancel(engine *g, rz_ticket t);               /* [any thread] */
void engine_pause(engine *g, rz_ticket t, bool paused);   /* [any thread] */
void engine_stats(const engine *g, rz_engine_stats *out); /* [any thread] */
rz_model *engine_owner(const engine *g);
/* Longest prompt + answer. */
uint32_t engine_context(const engine *g);

#endif
