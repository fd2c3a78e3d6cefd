/* h_ollama.c - what Ollama's clients ask for: POST /api/generate, /api/chat, /api/show and GET
 * /api/tags, /api/ps, /api/version.
 *
 *   prompt, suffix, system, raw | messages, tools; stream = true (lines of JSON), think,
 *   options: num_predict = -1 (to the end of the context), temperature = 0.8, top_k = 40,
 *   top_p = 0.9, min_p, seed, stop, repeat_penalty, repeat_last_n, presence_penalty,
 *   frequency_penalty
 *
 * An empty prompt or conversation asks whether the model is loaded, which it always is. */
#include <stdio.h>
#include <time.h>

#include "base/os.h"
#include "server/ask.h"
#include "server/dialog.h"
#include "server/reply.h"
#include "server/shapes.h"

static void fail(conn *c, const fields *f) {
    c->srv->metrics.failed++;
    reply_error(c, f->status == 422 ? 400 : f->status, "%s", f->text);
}

/* "2026-01-31T12:00:00.123Z" */
static void write_time(buf *b, uint64_t unix_ms) {
    struct tm tm;
    const time_t t = (time_t)(unix_ms / 1000);
    gmtime_r(&t, &tm);
    buf_printf(b, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03uZ\"", tm.tm_year + 1900, tm.tm_mon + 1,
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(unix_ms % 1000));
}

static void member(buf *b, const char *name, str value) {
    if (b->len && b->p[b->len - 1] != '{') buf_char(b, ',');
    buf_printf(b, "\"%s\":", name);
    json_write_string(b, value);
}

/* ---- the model ---- */

/* "1.24B" */
static void write_size(buf *b, uint64_t params) {
    static const char units[] = " KMBT";
    double v = (double)params;
    int unit = 0;
    for (; v >= 1000 && units[unit + 1]; unit++) v /= 1000;
    char text[32];
    snprintf(text, sizeof text, unit ? "%.3g%c" : "%.0f%c", v, units[unit]);
    member(b, "parameter_size", str_trim(str_of(text)));
}

static void write_details(const server *s, buf *b) {
    rz_model_info info;
    rz_model_describe(s->model, &info);
    buf_text(b, ",\"details\":{");
    member(b, "parent_model", STR_LIT(""));
    member(b, "format",
           str_starts(str_of(info.format), STR_LIT("GGUF")) ? STR_LIT("gguf")
                                                            : STR_LIT("safetensors"));
    member(b, "family", str_of(info.arch));
    buf_text(b, ",\"families\":[");
    json_write_string(b, str_of(info.arch));
    buf_char(b, ']');
    write_size(b, info.params);
    member(b, "quantization_level", str_of(info.quant));
    buf_char(b, '}');
}

static void list(conn *c, bool running) {
    server *s = c->srv;
    rz_model_info info;
    rz_model_describe(s->model, &info);
    buf *b = reply_body(s);
    buf_text(b, "{\"models\":[{");
    member(b, "name", str_of(s->model_id));
    member(b, "model", str_of(s->model_id));
    buf_text(b, running ? ",\"expires_at\":\"0001-01-01T00:00:00Z\"" : ",\"modified_at\":");
    if (!running) write_time(b, s->began_unix_ms);
    buf_printf(b, ",\"size\":%llu,\"digest\":\"\"", (unsigned long long)info.file_bytes);
    if (running) buf_printf(b, ",\"size_vram\":0,\"context_length\":%zu", server_context(s));
    write_details(s, b);
    buf_text(b, "}]}");
    reply_json(c, b);
}

void ollama_tags(conn *c, const call *in) {
    (void)in;
    list(c, false);
}

void ollama_ps(conn *c, const call *in) {
    (void)in;
    list(c, true);
}

void ollama_version(conn *c, const call *in) {
    buf *b = reply_body(in->srv);
    buf_char(b, '{');
    member(b, "version", str_of(rz_version()));
    buf_char(b, '}');
    reply_json(c, b);
}

/* The name this server was given, with or without a tag. */
static bool is_served(const server *s, str name) {
    const str latest = STR_LIT(":latest");
    if (str_ends(name, latest)) name.len -= latest.len;
    return str_is(name, s->model_id);
}

void ollama_show(conn *c, const call *in) {
    server *s = in->srv;
    fields f;
    rz_model_info info;
    size_t len = 0;
    fields_parse_untyped(&f, in);
    const str name = fields_text(&f, fields_has(&f, "model") ? "model" : "name", STR_LIT(""));
    if (!f.status && !is_served(s, name))
        fields_fail(&f, 404, "model '%.*s' not found", STR_FMT(name));
    if (f.status) {
        reply_error(c, f.status == 422 ? 400 : f.status, "%s", f.text);
        return;
    }
    rz_model_describe(s->model, &info);
    const char *text = rz_chat_template(s->model, &len, NULL);
    buf *b = reply_body(s);
    buf_char(b, '{');
    member(b, "modelfile", STR_LIT(""));
    member(b, "parameters", STR_LIT(""));
    member(b, "template", (str){text, text ? len : 0});
    write_details(s, b);
    buf_text(b, ",\"model_info\":{");
    member(b, "general.architecture", str_of(info.arch));
    buf_printf(b, ",\"general.parameter_count\":%llu", (unsigned long long)info.params);
    const struct {
        const char *name;
        uint32_t value;
    } sizes[] = {{"context_length", info.context},
                 {"embedding_length", info.width},
                 {"block_count", info.layers},
                 {"feed_forward_length", info.ffn_width},
                 {"attention.head_count", info.heads},
                 {"vocab_size", info.vocab},
                 {"attention.head_count_kv", info.kv_heads}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        buf_printf(b, ",\"%s.%s\":%u", info.arch, sizes[i].name, sizes[i].value);
    buf_text(b, "},\"capabilities\":[\"completion\",\"tools\"]}");
    reply_json(c, b);
}

/* ---- the request ---- */

static void read_options(fields *f, server *s, rz_params *p) {
    static const json none = {.kind = JSON_OBJECT};
    *p = (rz_params)RZ_PARAMS_INIT;
    const json *given = fields_find(f, "options", JSON_OBJECT);
    fields o = {.root = given ? given : &none};
    const int64_t n = fields_int(&o, "num_predict", -2, INT32_MAX, -1);
    p->max_tokens = n < 0 ? INT32_MAX : (int)n;
    p->temperature = (float)fields_number(&o, "temperature", 0.0, 100.0, 0.8);
    p->top_p = (float)fields_number(&o, "top_p", 0.0, 1.0, 0.9);
    p->top_k = (int)fields_int(&o, "top_k", 0, INT32_MAX, 40);
    ask_penalties(&o, p);
    p->seed = ask_seed(&o);
    ask_lists(&o, s, p);
    if (o.status) fields_fail(f, o.status, "options: %s", o.text);
    if (!s->tokenizer) fields_fail(f, 501, "this model has no tokenizer");
    if (!f->status) shapes_format(f, s, json_get(f->root, "format"), p);
    const json *images = fields_find(f, "images", JSON_ARRAY);
    if (images && images->n) fields_fail(f, 400, "field `images`: this model reads text alone");
}

/* The request in OpenAI's words, for the chat template. */
static void render(fields *f, server *s, const json *messages, dialog *d) {
    const json *tools = fields_find(f, "tools", JSON_ARRAY);
    const json *think = json_get(f->root, "think");
    buf b = BUF_INIT;
    buf_text(&b, "{\"messages\":");
    if (messages) {
        json_write(&b, messages);
    } else {
        const str system = fields_text(f, "system", STR_LIT(""));
        buf_text(&b, "[");
        if (system.len) {
            buf_text(&b, "{\"role\":\"system\",\"content\":");
            json_write_string(&b, system);
            buf_text(&b, "},");
        }
        buf_text(&b, "{\"role\":\"user\",\"content\":");
        json_write_string(&b, fields_text(f, "prompt", STR_LIT("")));
        buf_text(&b, "}]");
    }
    if (tools) {
        buf_text(&b, ",\"tools\":");
        json_write(&b, tools);
    }
    if (think && think->kind == JSON_BOOL)
        buf_printf(&b, ",\"enable_thinking\":%s", think->truth ? "true" : "false");
    buf_char(&b, '}');
    dialog_translate(f, s, &b, d);
}

/* ---- the reply ---- */

static void begin_line(buf *b, const job *j) {
    buf_char(b, '{');
    member(b, "model", str_of(j->srv->model_id));
    buf_text(b, ",\"created_at\":");
    write_time(b, os_unix_ms());
}

static void write_call(buf *b, str name, str args) {
    buf_text(b, "{\"function\":{\"name\":");
    json_write_string(b, name);
    buf_text(b, ",\"arguments\":");
    buf_str(b, args);
    buf_text(b, "}}");
}

/* The answer's text, of a message or bare; `calls` is a list's inside, or empty. */
static void write_text(buf *b, const job *j, str text, str calls) {
    if (!j->openai.chat) {
        member(b, "response", text);
        return;
    }
    buf_text(b, ",\"message\":{\"role\":\"assistant\",\"content\":");
    json_write_string(b, text);
    if (calls.len) {
        buf_text(b, ",\"tool_calls\":[");
        buf_str(b, calls);
        buf_char(b, ']');
    }
    buf_char(b, '}');
}

static unsigned long long ns(double seconds) {
    return seconds > 0 ? (unsigned long long)(seconds * 1e9) : 0;
}

static void write_end(buf *b, const job *j) {
    const gen *g = &j->gen[0];
    const rz_usage *u = &g->use;
    buf_printf(b, ",\"done\":true,\"done_reason\":\"%s\"",
               g->why == RZ_FINISH_STOP ? "stop" : "length");
    buf_printf(b, ",\"total_duration\":%llu,\"load_duration\":0",
               ns(u->queue_s + u->prefill_s + u->decode_s));
    buf_printf(b, ",\"prompt_eval_count\":%zu,\"prompt_eval_duration\":%llu", g->n_prompt,
               ns(u->prefill_s));
    buf_printf(b, ",\"eval_count\":%u,\"eval_duration\":%llu}", g->n_token, ns(u->decode_s));
}

typedef struct parts {
    buf text, calls;
} parts;

static void add_text(void *ud, str text) { buf_str(&((parts *)ud)->text, text); }

static void add_call(void *ud, str name, str args) {
    buf *calls = &((parts *)ud)->calls;
    if (calls->len) buf_char(calls, ',');
    write_call(calls, name, args);
}

static void whole_end(job *j) {
    gen *g = &j->gen[0];
    const char *text;
    const int code = ask_trouble(j, g, &text);
    if (code) {
        j->srv->metrics.failed++;
        reply_error(j->conn, code, "%s", text);
        return;
    }
    parts p = {BUF_INIT, BUF_INIT};
    const tool_sink sink = {add_text, add_call, &p};
    buf *b = reply_body(j->srv);
    const bool good = dialog_take_apart(g, &sink);
    begin_line(b, j);
    write_text(b, j, buf_view(&p.text), buf_view(&p.calls));
    write_end(b, j);
    b->failed |= p.text.failed || p.calls.failed || !good;
    buf_free(&p.text);
    buf_free(&p.calls);
    ask_succeeded(j);
    reply_json(j->conn, b);
}

static void line(job *j, str text, str calls, bool last) {
    buf *b = reply_part(j->conn);
    begin_line(b, j);
    write_text(b, j, text, calls);
    if (last) write_end(b, j);
    else buf_text(b, ",\"done\":false}");
    buf_char(b, '\n');
}

static void line_text(void *ud, str text) { line(ud, text, STR_LIT(""), false); }

static void line_call(void *ud, str name, str args) {
    buf one = BUF_INIT;
    write_call(&one, name, args);
    line(ud, STR_LIT(""), buf_view(&one), false);
    buf_free(&one);
}

static void line_token(job *j, gen *g, rz_token id, str text) {
    const tool_sink sink = {line_text, line_call, j};
    (void)id;
    dialog_feed(g, text, &sink);
}

static void line_end(job *j) {
    gen *g = &j->gen[0];
    const tool_sink sink = {line_text, line_call, j};
    const char *text;
    const int code = dialog_finish(j, g, &sink, &text);
    if (code) {
        j->srv->metrics.failed++;
        reply_error_json(reply_part(j->conn), str_of(text));
        buf_char(reply_part(j->conn), '\n');
    } else {
        ask_succeeded(j);
        line(j, STR_LIT(""), STR_LIT(""), true);
    }
    reply_end(j->conn);
}

static const job_type whole_type = {NULL, whole_end};
static const job_type line_type = {line_token, line_end};

/* ---- starting ---- */

static void start(fields *f, conn *c, const dialog *d, const rz_params *p, bool chat) {
    const bool stream = fields_bool(f, "stream", true);
    job *j = dialog_start(f, c, stream ? &line_type : &whole_type, d, p);
    if (!j) {
        fail(c, f);
        return;
    }
    j->openai.chat = chat;
    if (stream) reply_begin(c, 200, "application/x-ndjson", NULL);
    job_started(j);
}

/* Is the model there? Yes. */
static void loaded(conn *c, bool chat) {
    const job nothing = {.srv = c->srv, .openai = {.chat = chat}};
    buf *b = reply_body(c->srv);
    begin_line(b, &nothing);
    write_text(b, &nothing, STR_LIT(""), STR_LIT(""));
    buf_text(b, ",\"done\":true,\"done_reason\":\"load\"}");
    reply_json(c, b);
}

void ollama_generate(conn *c, const call *in) {
    fields f;
    rz_params p;
    dialog d = {.opening = {"", 0}};
    fields_parse_untyped(&f, in);
    const str prompt = fields_text(&f, "prompt", STR_LIT(""));
    const bool raw = fields_bool(&f, "raw", false), empty = !f.status && !prompt.len;
    const str suffix = fields_text(&f, "suffix", STR_LIT(""));
    read_options(&f, in->srv, &p);
    if (!f.status && empty) {
        loaded(c, false);
        return;
    }
    const fim_parts fill = {.prefix = prompt, .suffix = suffix};
    if (suffix.len) d.fill = &fill;
    else if (raw) d.prompt = prompt;
    else if (!f.status) render(&f, in->srv, NULL, &d);
    start(&f, c, &d, &p, false);
}

void ollama_chat(conn *c, const call *in) {
    fields f;
    rz_params p;
    dialog d = {.opening = {"", 0}};
    fields_parse_untyped(&f, in);
    const json *messages = fields_find(&f, "messages", JSON_ARRAY);
    read_options(&f, in->srv, &p);
    if (!f.status && (!messages || !messages->n)) {
        loaded(c, true);
        return;
    }
    if (!f.status) render(&f, in->srv, messages, &d);
    start(&f, c, &d, &p, true);
}
