/* ask.c - see ask.h. */
#include "server/ask.h"

#include <stdint.h>

#include "base/mem.h"
#include "base/os.h"
#include "server/native.h"
#include "server/shapes.h"

enum { MAX_STOPS = 16, MAX_BIAS = 1024 };

void ask_penalties(fields *f, rz_params *p) {
    const char *repeat = fields_has(f, "repeat_penalty") ? "repeat_penalty" : "repetition_penalty";
    p->repeat_penalty = (float)fields_number(f, repeat, 0.01, 100.0, 1.0);
    p->presence_penalty = (float)fields_number(f, "presence_penalty", -100.0, 100.0, 0.0);
    p->frequency_penalty = (float)fields_number(f, "frequency_penalty", -100.0, 100.0, 0.0);
    p->repeat_last_n = (int)fields_int(f, "repeat_last_n", -1, INT32_MAX, 0);
    p->min_p = (float)fields_number(f, "min_p", 0.0, 1.0, 0.0);
}

uint64_t ask_seed(fields *f) {
    const uint64_t seed = fields_u64(f, "seed", os_random_u64());
    return seed ? seed : 0x9e3779b97f4a7c15u; /* 0 would mean: from the clock */
}

/* `stop`: one text or a list of them, as C strings in the request's arena. */
static void read_stop(fields *f, server *s, rz_params *p) {
    const json *v = json_get(f->root, "stop");
    if (!v || v->kind == JSON_NULL) return;
    const bool one = v->kind == JSON_STRING;
    if (!one && v->kind != JSON_ARRAY) {
        fields_fail(f, 422, "field `stop` must be a string or an array of strings");
        return;
    }
    const uint32_t n = one ? 1 : v->n;
    if (n > MAX_STOPS) {
        fields_fail(f, 400, "field `stop` has %u entries, at most %d are accepted", n, MAX_STOPS);
        return;
    }
    const char **list = arena_zero(&s->arena, MAX_STOPS, sizeof *list);
    for (const json *t = one ? v : v->child; t && list; t = one ? NULL : t->next) {
        if (t->kind != JSON_STRING) {
            fields_fail(f, 422, "field `stop` must hold strings, not %s", json_kind_name(t->kind));
        } else if (t->text.len == 0 || memchr(t->text.p, 0, t->text.len)) {
            fields_fail(f, 400, "field `stop` must not hold empty strings or NUL characters");
        } else {
            list[p->n_stop] = arena_copy(&s->arena, t->text.p, t->text.len);
            if (!list[p->n_stop++]) list = NULL;
        }
        if (f->status) return;
    }
    if (!list) fields_fail(f, 500, "out of memory");
    p->stop = list;
}

/* `logit_bias`: {"15043": -100} */
static void read_bias(fields *f, server *s, rz_params *p) {
    const json *v = fields_find(f, "logit_bias", JSON_OBJECT);
    if (!v) return;
    if (v->n > MAX_BIAS) {
        fields_fail(f, 400, "field `logit_bias` has %u entries, at most %d are accepted", v->n,
                    MAX_BIAS);
        return;
    }
    const size_t vocab = rz_tokenizer_size(s->tokenizer);
    rz_bias *list = arena_zero(&s->arena, v->n + 1u, sizeof *list);
    if (!list) fields_fail(f, 500, "out of memory");
    for (const json *m = list ? v->child : NULL; m; m = m->next) {
        uint64_t id;
        if (!str_u64(m->key, &id) || id >= vocab || m->kind != JSON_NUMBER) {
            fields_fail(f, 400, "field `logit_bias` must map token ids below %zu to numbers",
                        vocab);
            return;
        }
        list[p->n_bias++] = (rz_bias){(rz_token)id, (float)m->number};
    }
    p->bias = list;
}

void ask_timeout(fields *f, const server *s, rz_params *p) {
    const double most = 86400.0;
    const double wanted = fields_number(f, "timeout", 0.001, most, 0.0) * 1000;
    p->timeout_ms = wanted > 0 ? (int)(wanted + 0.5) : 0;
    const int bound = (int)s->lim.answer_ms;
    if (bound && (!p->timeout_ms || p->timeout_ms > bound)) p->timeout_ms = bound;
}

void ask_lists(fields *f, server *s, rz_params *p) {
    if (f->status) return;
    read_stop(f, s, p);
    read_bias(f, s, p);
    if (!f->status) shapes_read(f, s, p);
    ask_timeout(f, s, p);
    if (s->draining) fields_fail(f, 503, "the server is shutting down");
}

const rz_token *ask_ids(fields *f, server *s, const char *key, const json *list) {
    const size_t vocab = rz_tokenizer_size(s->tokenizer);
    rz_token *ids = arena_zero(&s->arena, list->n + 1u, sizeof *ids);
    size_t n = 0;
    if (!ids) fields_fail(f, 500, "out of memory");
    for (const json *v = list->child; v && !f->status; v = v->next) {
        int64_t id = 0;
        if (v->kind != JSON_NUMBER || !json_int(v, 0, (int64_t)vocab - 1, &id))
            fields_fail(f, 400, "field `%s` must hold token ids below %zu", key, vocab);
        ids[n++] = (rz_token)id;
    }
    return ids;
}

void ask_prompt(fields *f, job *j, uint32_t i, str prompt) {
    server *s = j->srv;
    err e;
    size_t n;
    if (native_encode(s, prompt, RZ_ENCODE_BOS | RZ_ENCODE_SPECIAL, &n, &e) < 0) {
        fields_fail(f, 500, "%s", e.text);
        return;
    }
    const size_t room = server_context(s);
    if (n == 0) fields_fail(f, 400, "Prompt '%.*s' tokenizes to empty sequence", STR_FMT(prompt));
    else if (n >= room)
        fields_fail(f, 400, "the prompt is %zu tokens long, the context holds %zu", n, room);
    else if (!job_set_prompt(j, i, s->ids, n)) fields_fail(f, 500, "out of memory");
}

int ask_code(status s) {
    return s == RZ_EFULL ? 503 : s == RZ_EINVAL ? 400 : s == RZ_EUNSUPPORTED ? 501 : 500;
}

void ask_submit(fields *f, job *j, uint32_t i, const rz_params *p) {
    err e;
    if (f->status) return;
    if (p->max_tokens == 0) {
        job_skip(j, i);
        return;
    }
    const status got = job_submit(j, i, p, &e);
    if (got < 0) fields_fail(f, ask_code(got), "%s", e.text);
}

int ask_trouble(const job *j, const gen *g, const char **text) {
    *text = "out of memory";
    if (g->why == RZ_FINISH_ERROR) {
        if (g->failure) *text = g->failure;
        return g->late ? 504 : 500;
    }
    if (g->why == RZ_FINISH_CANCEL && j->canceled) {
        *text = "the server is shutting down";
        return 503;
    }
    const bool lost = g->ids.failed || g->text.failed || g->items.failed || g->scored.failed;
    return g->why == RZ_FINISH_CANCEL || lost ? 500 : 0;
}

void ask_succeeded(const job *j) {
    metrics *m = &j->srv->metrics;
    const double seconds = (double)(loop_now(j->srv->loop) - j->began_ns) * 1e-9;
    m->succeeded++;
    m->latency_s += seconds;
    metrics_observe(&m->whole, seconds);
}
