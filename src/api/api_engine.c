/* api_engine.c - choosing an engine's sizes, and argument checks in front of runtime/engine.c. */
#include <unistd.h>

#include "api/api.h"
#include "runtime/kv.h"
#include "runtime/seq.h"

enum { DEFAULT_BATCH = 512, DEFAULT_REQUESTS = 64, DEFAULT_QUEUE = 4096 };
enum { DEFAULT_PREFIX = 1 << 30, DEFAULT_DRAFT = 4 };
enum { MAX_BATCH = 1 << 16, MAX_REQUESTS = 1 << 16, MAX_QUEUE = 1 << 20 };

static uint64_t physical_memory(void) {
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static status take_count(const char *name, size_t v, size_t otherwise, size_t max, uint32_t *out,
                         err *e) {
    if (v == 0) v = otherwise;
    if (v > max) return err_set(e, RZ_EINVAL, "%s is %zu, expected at most %zu", name, v, max);
    *out = (uint32_t)v;
    return RZ_OK;
}

/* Pages: what was asked for, else enough for every request at full length, bounded by half of the
 * machine's memory (pages take none until they are used). */
static status choose_pages(engine_config *c, const rz_model *m, size_t kv_bytes, err *e) {
    uint64_t page = kv_page_bytes(m->m, c->kv);
    if (page == 0) page = 1; /* nothing looks back: pages only count tokens */
    uint64_t n = (uint64_t)kv_pages_for(c->context) * c->max_requests;
    const uint64_t half = physical_memory() / 2 / page;
    if (kv_bytes) n = kv_bytes / page;
    else if (n > half) n = half;
    if (n == 0)
        return err_set(e, RZ_EINVAL, "kv_bytes is %zu, one page of %d tokens takes %llu", kv_bytes,
                       KV_PAGE_TOKENS, (unsigned long long)page);
    c->n_page = n > UINT32_MAX / KV_PAGE_TOKENS ? UINT32_MAX / KV_PAGE_TOKENS : (uint32_t)n;
    return RZ_OK;
}

/* Guesses are ids: both models must mean the same by them. */
static status take_draft(engine_config *c, const rz_model *m, const rz_engine_options *opt,
                         err *e) {
    const rz_model *d = opt->draft;
    TRY(take_count("lookup", opt->lookup, 0, SEQ_MAX_DRAFT, &c->lookup, e));
    TRY(take_count("draft_tokens", opt->draft_tokens, DEFAULT_DRAFT, SEQ_MAX_DRAFT,
                   &c->draft_tokens, e));
    if (!d) return RZ_OK;
    TRY(api_check_predicts(d, e));
    if (d->m->c.V != m->m->c.V)
        return err_set(e, RZ_EINVAL, "the draft model knows %u tokens, the model %u", d->m->c.V,
                       m->m->c.V);
    for (uint32_t id = 0; id < m->m->c.V && m->tok && d->tok; id++)
        if (!str_eq(tok_piece(m->tok, (int32_t)id), tok_piece(d->tok, (int32_t)id)))
            return err_set(e, RZ_EINVAL, "token %u of the draft model is another than the model's",
                           id);
    c->draft = d->m;
    c->draft_workers = d->workers;
    return RZ_OK;
}

rz_status rz_engine_new(rz_engine **out, rz_model *m, const rz_engine_options *given, rz_error *e) {
    if (!out || !m) return err_set(e, RZ_EINVAL, "rz_engine_new: a pointer is NULL");
    rz_engine_options opt;
    TRY(api_check_predicts(m, e));
    TRY(api_take_struct(&opt, sizeof opt, given, "rz_engine_options", e));
    engine_config c = {0};
    TRY(api_kv_type(m, opt.kv, &c.kv, e));
    TRY(take_count("context", opt.context, m->m->c.C, m->m->c.C, &c.context, e));
    TRY(take_count("batch_tokens", opt.batch_tokens, DEFAULT_BATCH, MAX_BATCH, &c.batch_tokens, e));
    TRY(take_count("max_requests", opt.max_requests, DEFAULT_REQUESTS, MAX_REQUESTS,
                   &c.max_requests, e));
    TRY(take_count("max_queue", opt.max_queue, DEFAULT_QUEUE, MAX_QUEUE, &c.max_queue, e));
    TRY(take_draft(&c, m, &opt, e));
    TRY(choose_pages(&c, m, opt.kv_bytes, e));
    c.prefix_bytes = opt.prefix_bytes ? opt.prefix_bytes : DEFAULT_PREFIX;
    if (opt.prefix_bytes == RZ_PREFIX_OFF) c.prefix_bytes = 0;
    return engine_new(out, m, m->m, m->tok, m->workers, &c, e);
}

void rz_engine_free(rz_engine *g) { engine_free(g); }

rz_model *rz_engine_model(const rz_engine *g) { return engine_owner(g); }

size_t rz_engine_context(const rz_engine *g) { return engine_context(g); }

rz_status rz_engine_submit(rz_engine *g, const rz_token *ids, size_t n, const rz_params *given,
                           const rz_sink *sink, rz_ticket *out, rz_error *e) {
    if (!g || !sink) return err_set(e, RZ_EINVAL, "rz_engine_submit: a pointer is NULL");
    rz_params p;
    TRY(api_take_struct(&p, sizeof p, given, "rz_params", e));
    TRY(api_check_params(&p, e));
    TRY(api_check_grammar(engine_owner(g), &p, e));
    TRY(api_check_ids(engine_owner(g), ids, n, e));
    if (n >= engine_context(g))
        return err_set(e, RZ_EFULL, "the prompt has %zu tokens, a context of %u leaves no room", n,
                       engine_context(g));
    return engine_submit(g, ids, (uint32_t)n, &p, sink, out, e);
}

void rz_engine_cancel(rz_engine *g, rz_ticket t) { engine_cancel(g, t); }

void rz_engine_pause(rz_engine *g, rz_ticket t, int paused) { engine_pause(g, t, paused != 0); }

void rz_engine_stats_get(const rz_engine *g, rz_engine_stats *out) { engine_stats(g, out); }
