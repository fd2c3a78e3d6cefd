/* api_generate.c - one call from prompt to text: an engine for one request. */
#include <pthread.h>
#include <stdbool.h>

#include "api/api.h"

typedef struct one_answer {
    rz_text_fn *fn;
    void *ud;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    rz_finish why;
    rz_usage use;
    rz_error error;
} one_answer;

static int on_token(void *ud, rz_token id, const char *text, size_t len) {
    one_answer *a = ud;
    (void)id;
    return len && a->fn ? a->fn(a->ud, text, len) : 0;
}

static void on_done(void *ud, rz_finish why, const rz_usage *use, const rz_error *error) {
    one_answer *a = ud;
    pthread_mutex_lock(&a->lock);
    a->why = why;
    a->use = *use;
    if (error) a->error = *error;
    a->done = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

static status run_one(rz_engine *g, const tok_ids *ids, const rz_params *p, one_answer *a, err *e) {
    const rz_sink sink = {on_token, on_done, a};
    TRY(rz_engine_submit(g, ids->p, ids->n, p, &sink, NULL, e));
    pthread_mutex_lock(&a->lock);
    while (!a->done) pthread_cond_wait(&a->changed, &a->lock);
    pthread_mutex_unlock(&a->lock);
    if (a->why == RZ_FINISH_ERROR) return err_set(e, a->error.status, "%s", a->error.text);
    return RZ_OK;
}

rz_status rz_generate(rz_model *m, const char *prompt, const rz_params *p, rz_text_fn *fn, void *ud,
                      rz_usage *use, rz_error *e) {
    if (!m || !prompt) return err_set(e, RZ_EINVAL, "rz_generate: a pointer is NULL");
    if (!m->tok) return err_set(e, RZ_EINVAL, "%s: has no tokenizer", m->file->path);
    rz_engine_options opt = RZ_ENGINE_INIT;
    opt.max_requests = 1;
    opt.prefix_bytes = RZ_PREFIX_OFF;
    one_answer a = {.fn = fn, .ud = ud};
    pthread_mutex_init(&a.lock, NULL);
    pthread_cond_init(&a.changed, NULL);
    tok_ids ids = {0};
    rz_engine *g = NULL;
    status s = tok_encode(m->tok, str_of(prompt), TOK_BOS | TOK_SPECIAL, &ids, e);
    if (s >= 0) s = rz_engine_new(&g, m, &opt, e);
    if (s >= 0) s = run_one(g, &ids, p, &a, e);
    rz_engine_free(g);
    tok_ids_free(&ids);
    pthread_cond_destroy(&a.changed);
    pthread_mutex_destroy(&a.lock);
    if (s >= 0 && use) *use = a.use;
    return s;
}
