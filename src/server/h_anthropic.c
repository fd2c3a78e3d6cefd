/* h_anthropic.c - POST /v1/messages and /v1/messages/count_tokens, as Anthropic's clients ask.
 *
 *   messages, max_tokens, system, temperature = 1, top_p, top_k, min_p, seed, stop_sequences,
 *   stream, tools, tool_choice
 *
 * Contents are texts or lists of blocks: text, tool_use, tool_result; thinking is left out.
 * A stop sequence ends an answer as the end of the text does: "end_turn". */
#include "base/os.h"
#include "server/ask.h"
#include "server/dialog.h"
#include "server/native.h"
#include "server/sse.h"

/* ---- errors ---- */

static void write_error(buf *b, int code, const char *text) {
    const char *type = code == 401   ? "authentication_error"
                       : code == 404 ? "not_found_error"
                       : code == 413 ? "request_too_large"
                       : code == 503 ? "overloaded_error"
                       : code >= 500 ? "api_error"
                                     : "invalid_request_error";
    buf_printf(b, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", type);
    json_write_string(b, str_of(text));
    buf_text(b, "}}");
}

static void fail(conn *c, int code, const char *text) {
    buf *b = reply_body(c->srv);
    c->srv->metrics.failed++;
    if (code == 422) code = 400;
    write_error(b, code, text);
    reply_send(c, code, REPLY_JSON, buf_view(b), code == 503 ? "Retry-After: 1\r\n" : NULL);
}

/* ---- the request in OpenAI's words ---- */

static bool is_type(const json *v, const char *type) {
    const json *t = json_get(v, "type");
    return t && t->kind == JSON_STRING && str_is(t->text, type);
}

static str text_of(const json *v, const char *key) {
    const json *t = json_get(v, key);
    return t && t->kind == JSON_STRING ? t->text : (str){"", 0};
}

/* A text, or the text blocks of a list one below the other, as one string. */
static void write_text(fields *f, buf *b, const json *content) {
    buf all = BUF_INIT;
    if (content && content->kind == JSON_STRING) buf_str(&all, content->text);
    for (const json *v = content && content->kind == JSON_ARRAY ? content->child : NULL; v;
         v = v->next) {
        if (is_type(v, "tool_use") || is_type(v, "tool_result") || is_type(v, "thinking") ||
            is_type(v, "redacted_thinking"))
            continue;
        if (!is_type(v, "text")) {
            fields_fail(f, 400, "messages: blocks of type \"%.*s\" are not supported",
                        STR_FMT(text_of(v, "type")));
            break;
        }
        if (all.len) buf_char(&all, '\n');
        buf_str(&all, text_of(v, "text"));
    }
    json_write_string(b, buf_view(&all));
    b->failed |= all.failed;
    buf_free(&all);
}

static void separate(buf *b) {
    if (b->len && b->p[b->len - 1] != '[') buf_char(b, ',');
}

static void write_calls(buf *b, const json *content) {
    bool first = true;
    for (const json *v = content->child; v; v = v->next) {
        if (!is_type(v, "tool_use")) continue;
        const json *input = json_get(v, "input");
        buf_text(b, first ? ",\"tool_calls\":[{\"id\":" : ",{\"id\":");
        first = false;
        json_write_string(b, text_of(v, "id"));
        buf_text(b, ",\"type\":\"function\",\"function\":{\"name\":");
        json_write_string(b, text_of(v, "name"));
        buf_text(b, ",\"arguments\":");
        if (input) json_write(b, input);
        else buf_text(b, "{}");
        buf_text(b, "}}");
    }
    if (!first) buf_char(b, ']');
}

/* Is anything there but results of tools? */
static bool has_own(const json *content) {
    if (content->kind != JSON_ARRAY || !content->n) return true;
    for (const json *v = content->child; v; v = v->next)
        if (!is_type(v, "tool_result")) return true;
    return false;
}

static void write_message(fields *f, buf *b, const json *m) {
    const str role = text_of(m, "role");
    const json *content = json_get(m, "content");
    if (!str_is(role, "user") && !str_is(role, "assistant")) {
        fields_fail(f, 400, "messages: role must be \"user\" or \"assistant\"");
        return;
    }
    if (!content || (content->kind != JSON_STRING && content->kind != JSON_ARRAY)) {
        fields_fail(f, 400, "messages: content must be a string or a list of blocks");
        return;
    }
    for (const json *v = content->kind == JSON_ARRAY ? content->child : NULL; v; v = v->next) {
        if (!is_type(v, "tool_result")) continue;
        separate(b);
        buf_text(b, "{\"role\":\"tool\",\"tool_call_id\":");
        json_write_string(b, text_of(v, "tool_use_id"));
        buf_text(b, ",\"content\":");
        write_text(f, b, json_get(v, "content"));
        buf_char(b, '}');
    }
    if (!has_own(content)) return;
    separate(b);
    buf_text(b, "{\"role\":");
    json_write_string(b, role);
    buf_text(b, ",\"content\":");
    write_text(f, b, content);
    if (content->kind == JSON_ARRAY) write_calls(b, content);
    buf_char(b, '}');
}

static void write_tools(fields *f, buf *b, const json *tools) {
    buf_text(b, ",\"tools\":[");
    for (const json *t = tools->child; t; t = t->next) {
        const json *schema = json_get(t, "input_schema"), *about = json_get(t, "description");
        if (!text_of(t, "name").len) fields_fail(f, 400, "tools: every tool needs a name");
        separate(b);
        buf_text(b, "{\"type\":\"function\",\"function\":{\"name\":");
        json_write_string(b, text_of(t, "name"));
        if (about) buf_text(b, ",\"description\":");
        if (about) json_write(b, about);
        if (schema) buf_text(b, ",\"parameters\":");
        if (schema) json_write(b, schema);
        buf_text(b, "}}");
    }
    buf_char(b, ']');
}

static void write_choice(fields *f, buf *b, const json *choice) {
    const json *single = json_get(choice, "disable_parallel_tool_use");
    if (single && single->kind == JSON_BOOL && single->truth)
        buf_text(b, ",\"parallel_tool_calls\":false");
    if (is_type(choice, "any")) {
        buf_text(b, ",\"tool_choice\":\"required\"");
    } else if (is_type(choice, "none")) {
        buf_text(b, ",\"tool_choice\":\"none\"");
    } else if (is_type(choice, "tool")) {
        buf_text(b, ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":");
        json_write_string(b, text_of(choice, "name"));
        buf_text(b, "}}");
    } else if (!is_type(choice, "auto")) {
        fields_fail(f, 400, "tool_choice: type must be \"auto\", \"any\", \"none\" or \"tool\"");
    }
}

static void render(fields *f, server *s, dialog *d) {
    const json *messages = fields_need(f, "messages", JSON_ARRAY);
    const json *tools = fields_find(f, "tools", JSON_ARRAY);
    const json *choice = fields_find(f, "tool_choice", JSON_OBJECT);
    const json *system = json_get(f->root, "system");
    buf b = BUF_INIT;
    buf_text(&b, "{\"messages\":[");
    if (system && system->kind != JSON_NULL) {
        if (system->kind != JSON_STRING && system->kind != JSON_ARRAY)
            fields_fail(f, 400, "system must be a string or a list of blocks");
        buf_text(&b, "{\"role\":\"system\",\"content\":");
        write_text(f, &b, system);
        buf_char(&b, '}');
    }
    for (const json *m = messages ? messages->child : NULL; m && !f->status; m = m->next)
        write_message(f, &b, m);
    buf_char(&b, ']');
    if (tools && tools->n && !f->status) write_tools(f, &b, tools);
    if (choice && !f->status) write_choice(f, &b, choice);
    buf_char(&b, '}');
    if (f->status) buf_free(&b);
    else dialog_translate(f, s, &b, d);
}

/* `stop_sequences` is what others call `stop`. */
static void read_stop(fields *f, server *s, rz_params *p) {
    const json *list = fields_find(f, "stop_sequences", JSON_ARRAY);
    if (!list || f->status) return;
    json *stop = arena_zero(&s->arena, 1, sizeof *stop);
    json *root = arena_zero(&s->arena, 1, sizeof *root);
    if (!stop || !root) {
        fields_fail(f, 500, "out of memory");
        return;
    }
    *stop = *list;
    stop->key = STR_LIT("stop");
    stop->next = NULL;
    *root = (json){.kind = JSON_OBJECT, .n = 1, .child = stop};
    fields inner = {.root = root};
    ask_lists(&inner, s, p);
    if (inner.status) fields_fail(f, inner.status, "stop_sequences: %s", inner.text);
}

static void read_params(fields *f, server *s, rz_params *p) {
    *p = (rz_params)RZ_PARAMS_INIT;
    if (!f->status && !fields_has(f, "max_tokens"))
        fields_fail(f, 400, "max_tokens: field required");
    if (!s->tokenizer) fields_fail(f, 501, "this model has no tokenizer");
    p->max_tokens = (int)fields_int(f, "max_tokens", 1, INT32_MAX, 1);
    p->temperature = (float)fields_number(f, "temperature", 0.0, 2.0, 1.0);
    p->top_p = (float)fields_number(f, "top_p", 0.0, 1.0, 0.0);
    p->top_k = (int)fields_int(f, "top_k", 0, INT32_MAX, 0);
    ask_penalties(f, p);
    p->seed = ask_seed(f);
    read_stop(f, s, p);
    if (!f->status && s->draining) fields_fail(f, 503, "the server is shutting down");
}

/* ---- the reply ---- */

static const char *stop_reason(const gen *g) {
    if (g->tools && toolcall_count(g->tools)) return "tool_use";
    return g->why == RZ_FINISH_STOP ? "end_turn" : "max_tokens";
}

/* {"id",...,"content":[ */
static void begin_message(buf *b, const job *j) {
    buf_printf(b, "{\"id\":\"msg_%016llx\",\"type\":\"message\",\"role\":\"assistant\",\"model\":",
               (unsigned long long)j->openai.id);
    json_write_string(b, str_of(j->srv->model_id));
    buf_text(b, ",\"content\":[");
}

/* Behind the content. */
static void end_message(buf *b, const job *j, const char *reason) {
    const gen *g = &j->gen[0];
    buf_text(b, "],\"stop_reason\":");
    if (reason) buf_printf(b, "\"%s\"", reason);
    else buf_text(b, "null");
    buf_printf(b, ",\"stop_sequence\":null,\"usage\":{\"input_tokens\":%zu,\"output_tokens\":%u}}",
               g->n_prompt, g->n_token);
}

static void write_use(buf *b, const job *j, str name, str input) {
    char id[10];
    dialog_call_id(j->openai.id, toolcall_count(j->gen[0].tools), id);
    buf_printf(b, "{\"type\":\"tool_use\",\"id\":\"%s\",\"name\":", id);
    json_write_string(b, name);
    buf_text(b, ",\"input\":");
    buf_str(b, input);
    buf_char(b, '}');
}

typedef struct parts {
    const job *j;
    buf text, uses;
} parts;

static void add_text(void *ud, str text) { buf_str(&((parts *)ud)->text, text); }

static void add_use(void *ud, str name, str input) {
    parts *p = ud;
    if (p->uses.len && p->j->openai.single) return;
    if (p->uses.len) buf_char(&p->uses, ',');
    write_use(&p->uses, p->j, name, input);
}

static void whole_end(job *j) {
    gen *g = &j->gen[0];
    const char *text;
    const int code = ask_trouble(j, g, &text);
    if (code) {
        fail(j->conn, code, text);
        return;
    }
    parts p = {j, BUF_INIT, BUF_INIT};
    const tool_sink sink = {add_text, add_use, &p};
    buf *b = reply_body(j->srv);
    const bool good = dialog_take_apart(g, &sink);
    begin_message(b, j);
    if (p.text.len || !p.uses.len) {
        buf_text(b, "{\"type\":\"text\",\"text\":");
        json_write_string(b, buf_view(&p.text));
        buf_text(b, p.uses.len ? "}," : "}");
    }
    buf_str(b, buf_view(&p.uses));
    end_message(b, j, stop_reason(g));
    b->failed |= p.text.failed || p.uses.failed || !good;
    buf_free(&p.text);
    buf_free(&p.uses);
    ask_succeeded(j);
    if (b->failed) fail(j->conn, 500, "out of memory");
    else reply_json(j->conn, b);
}

/* ---- as events ---- */

static void stop_block(job *j) {
    openai_reply *o = &j->openai;
    if (!o->open) return;
    buf_printf(sse_event(j->conn, "content_block_stop"),
               "{\"type\":\"content_block_stop\",\"index\":%u}", o->n_block++);
    sse_event_end(j->conn);
    o->open = false;
}

static buf *start_block(job *j) {
    stop_block(j);
    buf *b = sse_event(j->conn, "content_block_start");
    buf_printf(
        b, "{\"type\":\"content_block_start\",\"index\":%u,\"content_block\":", j->openai.n_block);
    j->openai.open = true;
    return b;
}

static buf *delta(job *j, const char *type, const char *key) {
    buf *b = sse_event(j->conn, "content_block_delta");
    buf_printf(b,
               "{\"type\":\"content_block_delta\",\"index\":%u,\"delta\":{\"type\":\"%s\",\"%s\":",
               j->openai.n_block, type, key);
    return b;
}

static void event_text(void *ud, str text) {
    job *j = ud;
    if (!j->openai.open) {
        buf_text(start_block(j), "{\"type\":\"text\",\"text\":\"\"}}");
        sse_event_end(j->conn);
    }
    buf *b = delta(j, "text_delta", "text");
    json_write_string(b, text);
    buf_text(b, "}}");
    sse_event_end(j->conn);
}

static void event_use(void *ud, str name, str input) {
    job *j = ud;
    if (toolcall_count(j->gen[0].tools) && j->openai.single) return;
    buf *b = start_block(j);
    write_use(b, j, name, STR_LIT("{}"));
    buf_char(b, '}');
    sse_event_end(j->conn);
    b = delta(j, "input_json_delta", "partial_json");
    json_write_string(b, input);
    buf_text(b, "}}");
    sse_event_end(j->conn);
    stop_block(j);
}

static void event_token(job *j, gen *g, rz_token id, str text) {
    const tool_sink sink = {event_text, event_use, j};
    (void)id;
    dialog_feed(g, text, &sink);
}

static void event_begin(job *j) {
    buf *b = sse_event(j->conn, "message_start");
    buf_text(b, "{\"type\":\"message_start\",\"message\":");
    begin_message(b, j);
    end_message(b, j, NULL);
    buf_char(b, '}');
    sse_event_end(j->conn);
}

static void event_end(job *j) {
    gen *g = &j->gen[0];
    const tool_sink sink = {event_text, event_use, j};
    const char *text;
    const int code = dialog_finish(j, g, &sink, &text);
    if (code) {
        j->srv->metrics.failed++;
        write_error(sse_event(j->conn, "error"), code, text);
        sse_event_end(j->conn);
    } else {
        stop_block(j);
        buf_printf(
            sse_event(j->conn, "message_delta"),
            "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\",\"stop_sequence\":"
            "null},\"usage\":{\"output_tokens\":%u}}",
            stop_reason(g), g->n_token);
        sse_event_end(j->conn);
        buf_text(sse_event(j->conn, "message_stop"), "{\"type\":\"message_stop\"}");
        sse_event_end(j->conn);
        ask_succeeded(j);
    }
    sse_end(j->conn);
}

static const job_type whole_type = {NULL, whole_end};
static const job_type event_type = {event_token, event_end};

/* ---- handlers ---- */

void messages_post(conn *c, const call *in) {
    fields f;
    rz_params p;
    dialog d = {.opening = {"", 0}};
    fields_parse(&f, in);
    const bool stream = fields_bool(&f, "stream", false);
    read_params(&f, in->srv, &p);
    if (!f.status) render(&f, in->srv, &d);
    job *j = dialog_start(&f, c, stream ? &event_type : &whole_type, &d, &p);
    if (!j) {
        fail(c, f.status, f.text);
        return;
    }
    if (stream) {
        const tool_sink sink = {event_text, event_use, j};
        gen *g = &j->gen[0];
        sse_begin(c);
        event_begin(j);
        dialog_feed(g, buf_view(&g->text), &sink);
    }
    job_started(j);
}

void messages_count(conn *c, const call *in) {
    fields f;
    dialog d = {.opening = {"", 0}};
    size_t n = 0;
    err e;
    fields_parse(&f, in);
    if (!in->srv->tokenizer) fields_fail(&f, 501, "this model has no tokenizer");
    if (!f.status) render(&f, in->srv, &d);
    if (!f.status &&
        native_encode(in->srv, d.prompt, RZ_ENCODE_BOS | RZ_ENCODE_SPECIAL, &n, &e) < 0)
        fields_fail(&f, 500, "%s", e.text);
    if (f.status) {
        fail(c, f.status, f.text);
        return;
    }
    buf *b = reply_body(in->srv);
    buf_printf(b, "{\"input_tokens\":%zu}", n);
    reply_json(c, b);
}
