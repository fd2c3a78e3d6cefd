/* h_generate.c - POST /generate, /stream/generate and /batch/generate.
 *
 *   prompt | prompts, max_tokens = 50, strategy = "greedy" | "top_k" | "top_p", temperature = 1,
 *   top_k = 50, top_p = 0.9, seed = 42, model_id; and beyond the reference: min_p,
 *   repeat_penalty (or repetition_penalty), presence_penalty, frequency_penalty, repeat_last_n,
 *   stop (text or list), logit_bias ({"id": add}), ignore_eos.
 *
 * Only these requests feed the realizar_requests_... metrics. */
#include <stdint.h>

#include "base/mem.h"
#include "server/fields.h"
#include "server/job.h"
#include "server/native.h"
#include "server/sse.h"

enum { MAX_STOPS = 16, MAX_BIAS = 1024 };

/* ---- the request ---- */

static void read_strategy(fields *f, rz_params *p) {
    const str name = fields_text(f, "strategy", STR_LIT("greedy"));
    const double temperature = fields_number(f, "temperature", -1e9, 1e9, 1.0);
    const int64_t top_k = fields_int(f, "top_k", 1, INT32_MAX, 50);
    const double top_p = fields_number(f, "top_p", 0.0, 1.0, 0.9);
    const bool greedy = str_is(name, "greedy");
    if (!greedy && !str_is(name, "top_k") && !str_is(name, "top_p"))
        fields_fail(f, 400, "Invalid strategy: %.*s", STR_FMT(name));
    /* Greedy does not look at the temperature, and 0 is how many clients ask for it. */
    if (temperature < 0 || (temperature <= 0 && !greedy))
        fields_fail(f, 400, "Temperature must be positive");
    if (top_p <= 0) fields_fail(f, 400, "field `top_p` must be above 0");
    p->temperature = greedy ? 0.0f : (float)temperature;
    p->top_k = str_is(name, "top_k") ? (int)top_k : 0;
    p->top_p = str_is(name, "top_p") ? (float)top_p : 0.0f;
}

static void read_penalties(fields *f, rz_params *p) {
    const char *repeat = fields_has(f, "repeat_penalty") ? "repeat_penalty" : "repetition_penalty";
    p->repeat_penalty = (float)fields_number(f, repeat, 0.01, 100.0, 1.0);
    p->presence_penalty = (float)fields_number(f, "presence_penalty", -100.0, 100.0, 0.0);
    p->frequency_penalty = (float)fields_number(f, "frequency_penalty", -100.0, 100.0, 0.0);
    p->repeat_last_n = (int)fields_int(f, "repeat_last_n", -1, INT32_MAX, 0);
    p->min_p = (float)fields_number(f, "min_p", 0.0, 1.0, 0.0);
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

/* Everything but the prompt. The engine takes seed 0 for "from the clock", but a request that says
 * 0 wants the same tokens every time. */
static void read_params(fields *f, server *s, rz_params *p) {
    *p = (rz_params)RZ_PARAMS_INIT;
    native_check(f, s);
    p->max_tokens = (int)fields_int(f, "max_tokens", 0, INT32_MAX, 50);
    read_strategy(f, p);
    read_penalties(f, p);
    const uint64_t seed = fields_u64(f, "seed", 42);
    p->seed = seed ? seed : 0x9e3779b97f4a7c15u;
    p->ignore_eos = fields_bool(f, "ignore_eos", false);
    if (f->status) return;
    read_stop(f, s, p);
    read_bias(f, s, p);
    if (s->draining) fields_fail(f, 503, "the server is shutting down");
}

/* ---- starting ---- */

static void fail(conn *c, int code, const char *text) {
    c->srv->metrics.failed++;
    reply_error(c, code, "%s", text);
}

/* Encode the prompt of generation i and see that it fits. */
static void set_prompt(fields *f, job *j, uint32_t i, str prompt) {
    server *s = j->srv;
    err e;
    size_t n;
    if (native_encode(s, prompt, RZ_ENCODE_BOS | RZ_ENCODE_SPECIAL, &n, &e) < 0) {
        fields_fail(f, 500, "%s", e.text);
        return;
    }
    const size_t room = rz_engine_context(s->engine);
    if (n == 0) fields_fail(f, 400, "Prompt '%.*s' tokenizes to empty sequence", STR_FMT(prompt));
    else if (n >= room)
        fields_fail(f, 400, "the prompt is %zu tokens long, the context holds %zu", n, room);
    else if (!job_set_prompt(j, i, s->ids, n)) fields_fail(f, 500, "out of memory");
}

static void submit(fields *f, job *j, const rz_params *p) {
    err e;
    for (uint32_t i = 0; i < j->n && !f->status; i++) {
        if (p->max_tokens == 0) {
            job_skip(j, i);
            continue;
        }
        const status got = job_submit(j, i, p, &e);
        if (got < 0)
            fields_fail(f, got == RZ_EFULL ? 503 : got == RZ_EINVAL ? 400 : 500, "%s", e.text);
    }
}

/* One generation per prompt; the first thing wrong ends them all with an error reply. */
static bool start(fields *f, conn *c, const job_type *type, const str *prompt, uint32_t n,
                  const rz_params *p) {
    job *j = f->status ? NULL : job_new(c, type, n);
    if (j) {
        for (uint32_t i = 0; i < n && !f->status; i++) set_prompt(f, j, i, prompt[i]);
        submit(f, j, p);
    } else {
        fields_fail(f, 500, "out of memory");
    }
    c->srv->metrics.requests++;
    if (!f->status) return true;
    if (j) job_leave(j);
    fail(c, f->status, f->text);
    return false;
}

/* ---- the reply ---- */

/* Why generation g did not end well: a status and *text, or 0. */
static int trouble(const job *j, const gen *g, const char **text) {
    *text = "out of memory";
    if (g->why == RZ_FINISH_ERROR) {
        if (g->failure) *text = g->failure;
        return 500;
    }
    if (g->why == RZ_FINISH_CANCEL && j->canceled) {
        *text = "the server is shutting down";
        return 503;
    }
    return g->why == RZ_FINISH_CANCEL || g->ids.failed || g->text.failed ? 500 : 0;
}

static void succeeded(const job *j) {
    metrics *m = &j->srv->metrics;
    const double seconds = (double)(loop_now(j->srv->loop) - j->began_ns) * 1e-9;
    m->succeeded++;
    m->latency_s += seconds;
    metrics_observe(&m->whole, seconds);
}

static const char *finish_name(const gen *g) {
    return g->why == RZ_FINISH_STOP ? "stop" : "length";
}

/* {"token_ids":[prompt and answer],"text":"prompt and answer","num_generated":N,...} */
static status write_result(const server *s, buf *b, const gen *g, err *e) {
    buf text = BUF_INIT;
    const status got = native_decode(s, g->prompt, g->n_prompt, &text, e);
    if (got == RZ_OK) {
        buf_str(&text, buf_view(&g->text));
        buf_text(b, "{\"token_ids\":[");
        native_add_ids(b, g->prompt, g->n_prompt, true);
        native_add_ids(b, (const rz_token *)(const void *)g->ids.p, g->n_token, false);
        buf_text(b, "],\"text\":");
        json_write_string(b, buf_view(&text));
        buf_text(b, ",\"num_generated\":");
        reply_number(b, g->n_token);
        buf_printf(b, ",\"generated_text\":");
        json_write_string(b, buf_view(&g->text));
        buf_printf(b, ",\"finish_reason\":\"%s\",\"prompt_tokens\":%zu}", finish_name(g),
                   g->n_prompt);
        b->failed |= text.failed;
    }
    buf_free(&text);
    return got;
}

static void reply_results(job *j, bool list) {
    conn *c = j->conn;
    const char *text;
    err e;
    buf *b = reply_body(j->srv);
    if (list) buf_text(b, "{\"results\":[");
    for (uint32_t i = 0; i < j->n; i++) {
        const int code = trouble(j, &j->gen[i], &text);
        if (code) {
            fail(c, code, text);
            return;
        }
        if (i) buf_char(b, ',');
        if (write_result(j->srv, b, &j->gen[i], &e) < 0) {
            fail(c, 500, e.text);
            return;
        }
    }
    if (list) buf_text(b, "]}");
    succeeded(j);
    reply_json(c, b);
}

static void generate_end(job *j) { reply_results(j, false); }
static void batch_end(job *j) { reply_results(j, true); }

static void stream_token(job *j, gen *g, rz_token id, str text) {
    (void)g;
    buf *o = sse_event(j->conn, "token");
    buf_text(o, "{\"token_id\":");
    if (id < 0) buf_text(o, "-1");
    else reply_number(o, (uint64_t)id);
    buf_text(o, ",\"text\":");
    json_write_string(o, text);
    buf_char(o, '}');
    sse_event_end(j->conn);
}

static void stream_end(job *j) {
    const gen *g = &j->gen[0];
    const char *text;
    if (trouble(j, g, &text)) {
        j->srv->metrics.failed++;
        reply_error_json(sse_event(j->conn, "error"), str_of(text));
    } else {
        succeeded(j);
        buf_printf(sse_event(j->conn, "done"), "{\"num_generated\":%u,\"finish_reason\":\"%s\"}",
                   g->n_token, finish_name(g));
    }
    sse_event_end(j->conn);
    sse_end(j->conn);
}

static const job_type generate_type = {NULL, generate_end};
static const job_type batch_type = {NULL, batch_end};
static const job_type stream_type = {stream_token, stream_end};

/* ---- handlers ---- */

static bool start_one(conn *c, const call *in, const job_type *type) {
    fields f;
    rz_params p;
    fields_parse(&f, in);
    const str prompt = fields_need_text(&f, "prompt");
    if (!f.status && prompt.len == 0) fields_fail(&f, 400, "Prompt cannot be empty");
    read_params(&f, in->srv, &p);
    return start(&f, c, type, &prompt, 1, &p);
}

void generate_post(conn *c, const call *in) {
    if (start_one(c, in, &generate_type)) job_started(c->job);
}

void stream_post(conn *c, const call *in) {
    if (!start_one(c, in, &stream_type)) return;
    sse_begin(c);
    job_started(c->job);
}

void batch_generate(conn *c, const call *in) {
    fields f;
    rz_params p;
    fields_parse(&f, in);
    const json *list = fields_need(&f, "prompts", JSON_ARRAY);
    if (!f.status && list->n == 0) fields_fail(&f, 400, "Prompts array cannot be empty");
    if (!f.status && list->n > in->srv->lim.batch)
        fields_fail(&f, 400, "Prompts array has %u entries, at most %zu are accepted", list->n,
                    in->srv->lim.batch);
    const uint32_t n = f.status ? 0 : list->n;
    str *prompt = arena_zero(&in->srv->arena, n + 1u, sizeof *prompt);
    if (!prompt) fields_fail(&f, 500, "out of memory");
    uint32_t i = 0;
    for (const json *v = n && prompt ? list->child : NULL; v; v = v->next) {
        if (v->kind != JSON_STRING)
            fields_fail(&f, 422, "field `prompts` must hold strings, not %s",
                        json_kind_name(v->kind));
        else if (v->text.len == 0) fields_fail(&f, 400, "Prompt '' tokenizes to empty sequence");
        prompt[i++] = v->text;
    }
    read_params(&f, in->srv, &p);
    if (start(&f, c, &batch_type, prompt, n, &p)) job_started(c->job);
}
