/* h_generate.c - POST /generate, /stream/generate and /batch/generate.
 *
 *   prompt | prompts, max_tokens = 50, strategy = "greedy" | "top_k" | "top_p", temperature = 1,
 *   top_k = 50, top_p = 0.9, seed = 42, model_id; and beyond the reference: min_p,
 *   repeat_penalty (or repetition_penalty), presence_penalty, frequency_penalty, repeat_last_n,
 *   stop (text or list), logit_bias ({"id": add}), ignore_eos,
 *   grammar, json_schema, regex, response_format.
 *
 * Only these requests feed the realizar_requests_... metrics. */
#include <stdint.h>

#include "base/mem.h"
#include "server/ask.h"
#include "server/native.h"
#include "server/sse.h"

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

/* Everything but the prompt. The engine takes seed 0 for "from the clock", but a request that says
 * 0 wants the same tokens every time. */
static void read_params(fields *f, server *s, rz_params *p) {
    *p = (rz_params)RZ_PARAMS_INIT;
    native_check(f, s);
    p->max_tokens = (int)fields_int(f, "max_tokens", 0, INT32_MAX, 50);
    read_strategy(f, p);
    ask_penalties(f, p);
    const uint64_t seed = fields_u64(f, "seed", 42);
    p->seed = seed ? seed : 0x9e3779b97f4a7c15u;
    p->ignore_eos = fields_bool(f, "ignore_eos", false);
    if (f->status) return;
    ask_lists(f, s, p);
}

/* ---- starting ---- */

static void fail(conn *c, int code, const char *text) {
    c->srv->metrics.failed++;
    reply_error(c, code, "%s", text);
}

/* One generation per prompt; the first thing wrong ends them all with an error reply. */
static bool start(fields *f, conn *c, const job_type *type, const str *prompt, uint32_t n,
                  const rz_params *p) {
    job *j = f->status ? NULL : job_new(c, type, n);
    if (j) {
        for (uint32_t i = 0; i < n && !f->status; i++) ask_prompt(f, j, i, prompt[i]);
        for (uint32_t i = 0; i < n; i++) ask_submit(f, j, i, p);
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
        const int code = ask_trouble(j, &j->gen[i], &text);
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
    ask_succeeded(j);
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
    if (ask_trouble(j, g, &text)) {
        j->srv->metrics.failed++;
        reply_error_json(sse_event(j->conn, "error"), str_of(text));
    } else {
        ask_succeeded(j);
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
