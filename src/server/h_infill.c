/* h_infill.c - POST /infill, as editors ask llama-server what belongs between two texts.
 *
 *   input_prefix, input_suffix, input_extra ([{"filename","text"}]), prompt (what the middle begins
 *   with), n_predict = -1 (to the end of the context), temperature = 0.8, top_k = 40, top_p = 0.95,
 *   min_p, seed, stop, logit_bias, repeat_penalty and its relatives, ignore_eos, stream, timeout,
 *   grammar, json_schema, regex */
#include "base/os.h"
#include "server/ask.h"
#include "server/fim.h"
#include "server/openai.h"
#include "server/reply.h"
#include "server/sse.h"

static void fail(conn *c, int code, const char *text) {
    c->srv->metrics.failed++;
    openai_fail(c, code, text);
}

static void read_params(fields *f, server *s, rz_params *p) {
    *p = (rz_params)RZ_PARAMS_INIT;
    if (!s->tokenizer) fields_fail(f, 501, "this model has no tokenizer");
    const int64_t n = fields_int(f, "n_predict", -1, INT32_MAX, -1);
    p->max_tokens = n < 0 ? INT32_MAX : (int)n;
    p->temperature = (float)fields_number(f, "temperature", 0.0, 100.0, 0.8);
    p->top_k = (int)fields_int(f, "top_k", 0, INT32_MAX, 40);
    p->top_p = (float)fields_number(f, "top_p", 0.0, 1.0, 0.95);
    p->ignore_eos = fields_bool(f, "ignore_eos", false);
    ask_penalties(f, p);
    p->seed = ask_seed(f);
    ask_lists(f, s, p);
}

/* {"content":TEXT and, at the end, how it went. */
static void write_part(buf *b, const job *j, str text, bool last) {
    const gen *g = &j->gen[0];
    buf_text(b, "{\"index\":0,\"content\":");
    json_write_string(b, text);
    buf_printf(b, ",\"stop\":%s", last ? "true" : "false");
    if (last) {
        buf_text(b, ",\"model\":");
        json_write_string(b, str_of(j->srv->model_id));
        buf_printf(b, ",\"tokens_predicted\":%u,\"tokens_evaluated\":%zu,\"tokens_cached\":%u",
                   g->n_token, g->n_prompt, g->use.cached);
        buf_printf(b, ",\"stop_type\":\"%s\",\"truncated\":false",
                   g->why == RZ_FINISH_STOP ? "eos" : "limit");
        buf_printf(b, ",\"timings\":{\"prompt_ms\":%.3f,\"predicted_ms\":%.3f}",
                   1000 * g->use.prefill_s, 1000 * g->use.decode_s);
    }
    buf_char(b, '}');
}

static void whole_end(job *j) {
    const char *text;
    const int code = ask_trouble(j, &j->gen[0], &text);
    if (code) {
        fail(j->conn, code, text);
        return;
    }
    buf *b = reply_body(j->srv);
    write_part(b, j, buf_view(&j->gen[0].text), true);
    ask_succeeded(j);
    reply_json(j->conn, b);
}

static void part_token(job *j, gen *g, rz_token id, str text) {
    (void)g, (void)id;
    if (!text.len) return;
    write_part(sse_event(j->conn, NULL), j, text, false);
    sse_event_end(j->conn);
}

static void part_end(job *j) {
    const char *text;
    const int code = ask_trouble(j, &j->gen[0], &text);
    buf *b = sse_event(j->conn, NULL);
    if (code) {
        j->srv->metrics.failed++;
        openai_error(b, code, text);
    } else {
        write_part(b, j, STR_LIT(""), true);
        ask_succeeded(j);
    }
    sse_event_end(j->conn);
    sse_end(j->conn);
}

static const job_type whole_type = {NULL, whole_end};
static const job_type part_type = {part_token, part_end};

void infill_post(conn *c, const call *in) {
    fields f;
    rz_params p;
    fields_parse(&f, in);
    const fim_parts parts = {.prefix = fields_text(&f, "input_prefix", STR_LIT("")),
                             .suffix = fields_text(&f, "input_suffix", STR_LIT("")),
                             .begun = fields_text(&f, "prompt", STR_LIT("")),
                             .extra = fields_find(&f, "input_extra", JSON_ARRAY)};
    const bool stream = fields_bool(&f, "stream", false);
    read_params(&f, in->srv, &p);
    in->srv->metrics.requests++;
    job *j = f.status ? NULL : job_new(c, stream ? &part_type : &whole_type, 1);
    if (!j) fields_fail(&f, 500, "out of memory");
    else fim_prompt(&f, j, 0, &parts);
    if (j) ask_submit(&f, j, 0, &p);
    if (f.status) {
        if (j) job_leave(j);
        fail(c, f.status, f.text);
        return;
    }
    if (stream) sse_begin(c);
    job_started(j);
}
