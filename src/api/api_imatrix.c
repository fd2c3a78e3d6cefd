/* api_imatrix.c - rz_imatrix: a text through a session whose products are watched. */
#include "api/api.h"
#include "base/mem.h"
#include "model/importance.h"

enum { USUAL_CONTEXT = 512, STEP = 256, MAX_PREFIX = 8 };

typedef struct imatrix_call {
    rz_model *m;
    rz_imatrix_options opt;
    rz_token prefix[MAX_PREFIX];
    size_t n_prefix, context;
    session *session;
    importance *sums;
    uint32_t pieces;
} imatrix_call;

static status find_prefix(imatrix_call *c, err *e) {
    if (!c->m->tok) return RZ_OK;
    TRY(rz_encode(rz_model_tokenizer(c->m), "", 0, RZ_ENCODE_BOS, c->prefix, MAX_PREFIX,
                  &c->n_prefix, e));
    return c->n_prefix <= MAX_PREFIX
               ? RZ_OK
               : err_set(e, RZ_EUNSUPPORTED, "imatrix: a prefix of %zu tokens", c->n_prefix);
}

static status prepare(imatrix_call *c, err *e) {
    const uint32_t C = c->m->m->c.C;
    TRY(find_prefix(c, e));
    c->context = c->opt.context ? c->opt.context : C < USUAL_CONTEXT ? C : USUAL_CONTEXT;
    if (c->context > C || c->context <= c->n_prefix)
        return err_set(e, RZ_EINVAL, "context is %zu, expected %zu to %u", c->context,
                       c->n_prefix + 1, C);
    TRY(importance_new(&c->sums, c->m->m, e));
    TRY(session_new(&c->session, c->m->m, c->m->workers, (uint32_t)c->context, KV_F32, e));
    session_tap(c->session, importance_tap, c->sums);
    return RZ_OK;
}

static status feed(imatrix_call *c, const rz_token *ids, size_t n, size_t done, size_t total,
                   err *e) {
    for (size_t at = 0; at < n;) {
        const size_t step = n - at < STEP ? n - at : STEP;
        const rz_progress p = {"importance", done + at, total};
        if (c->opt.progress && c->opt.progress(c->opt.progress_ud, &p) != 0)
            return err_set(e, RZ_ECANCELED, "stopped");
        TRY(session_feed(c->session, ids + at, (uint32_t)step, NULL, e));
        at += step;
    }
    return RZ_OK;
}

static status run(imatrix_call *c, const rz_token *ids, size_t n, err *e) {
    const size_t each = c->context - c->n_prefix;
    for (size_t at = 0; at < n; at += each, c->pieces++) {
        TRY(session_rewind(c->session, 0, e));
        TRY(session_feed(c->session, c->prefix, (uint32_t)c->n_prefix, NULL, e));
        TRY(feed(c, ids + at, n - at < each ? n - at : each, at, n, e));
    }
    return RZ_OK;
}

static status save(imatrix_call *c, const char *out, rz_imatrix_report *report, err *e) {
    const imatrix_sums *x;
    size_t n;
    TRY(importance_sums(c->sums, &x, &n, e));
    const imatrix_source from = {c->pieces, (uint32_t)c->context,
                                 str_of(c->opt.dataset ? c->opt.dataset : "")};
    TRY(imatrix_write(out, c->opt.legacy != 0, x, n, &from, e));
    if (!report) return RZ_OK;
    *report = (rz_imatrix_report){(uint32_t)n, 0, c->pieces, c->context};
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < x[i].n_mat; k++)
            if (x[i].count[k] == 0) {
                report->partial++;
                break;
            }
    return RZ_OK;
}

rz_status rz_imatrix(rz_model *m, const rz_token *ids, size_t n, const char *out,
                     const rz_imatrix_options *given, rz_imatrix_report *report, rz_error *e) {
    imatrix_call c = {.m = m};
    if (!m || !out) return err_set(e, RZ_EINVAL, "rz_imatrix: a pointer is NULL");
    TRY(api_take_struct(&c.opt, sizeof c.opt, given, "rz_imatrix_options", e));
    TRY(api_check_predicts(m, e));
    TRY(api_check_ids(m, ids, n, e));
    status s = prepare(&c, e);
    if (s >= 0) s = run(&c, ids, n, e);
    if (s >= 0) s = save(&c, out, report, e);
    session_free(c.session);
    importance_free(c.sums);
    return s;
}
