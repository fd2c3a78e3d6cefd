/* api_embed.c - rz_embed: a text as one vector. */
#include <math.h>

#include "api/api.h"

/* A vector of zeros has no direction and stays. */
static void scale_to_one(float *x, uint32_t D) {
    double square = 0;
    for (uint32_t d = 0; d < D; d++) square += (double)x[d] * (double)x[d];
    if (square == 0) return;
    const double unit = 1 / sqrt(square);
    for (uint32_t d = 0; d < D; d++) x[d] = (float)((double)x[d] * unit);
}

rz_status rz_embed_ids(rz_model *m, const rz_token *ids, size_t n, const rz_embed_options *given,
                       float *out, rz_error *e) {
    rz_embed_options opt;
    session *s;
    if (!m || !out) return err_set(e, RZ_EINVAL, "rz_embed_ids: a pointer is NULL");
    TRY(api_take_struct(&opt, sizeof opt, given, "rz_embed_options", e));
    if ((unsigned)opt.pooling > RZ_POOL_LAST)
        return err_set(e, RZ_EINVAL, "pooling is %d, expected an rz_pooling", (int)opt.pooling);
    if (opt.pooling == RZ_POOL_AUTO) opt.pooling = m->m->pooling;
    TRY(api_check_ids(m, ids, n, e));
    if (n > m->m->c.C)
        return err_set(e, RZ_EFULL, "a text of %zu tokens; this model was made for at most %u", n,
                       m->m->c.C);
    /* Full precision: the cache is gone after the call. */
    TRY(session_new(&s, m->m, m->workers, (uint32_t)n, KV_F32, e));
    session_stop(s, opt.stop, opt.stop_ud);
    const status r = session_pool(s, ids, (uint32_t)n, opt.pooling, out, e);
    session_free(s);
    if (r >= 0 && !opt.raw) scale_to_one(out, m->m->c.D);
    return r;
}

rz_status rz_embed(rz_model *m, const char *text, size_t len, const rz_embed_options *opt,
                   float *out, size_t *n_token, rz_error *e) {
    if (!m || !text) return err_set(e, RZ_EINVAL, "rz_embed: a pointer is NULL");
    if (!m->tok) return err_set(e, RZ_EINVAL, "%s: has no tokenizer", m->file->path);
    tok_ids ids = {0};
    status s = tok_encode(m->tok, (str){text, len}, TOK_BOS, &ids, e);
    if (s >= 0 && ids.n == 0) s = err_set(e, RZ_EINVAL, "the text is empty");
    if (s >= 0) s = rz_embed_ids(m, ids.p, ids.n, opt, out, e);
    if (s >= 0 && n_token) *n_token = ids.n;
    tok_ids_free(&ids);
    return s;
}

rz_pooling rz_model_pooling(const rz_model *m) { return m->m->pooling; }

int rz_model_is_encoder(const rz_model *m) { return m->m->c.both_ways; }
