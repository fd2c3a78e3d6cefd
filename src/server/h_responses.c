/* h_responses.c - POST /v1/responses, OpenAI's newer dialect: texts and calls of tools.
 *
 *   input (a text, or a list of messages, function_call and function_call_output items),
 *   instructions, max_output_tokens = 100, temperature = 0.7, top_p = 0.9, top_k = 40, seed, stop,
 *   tools, tool_choice, parallel_tool_calls, stream
 *
 * Nothing is kept: previous_response_id is refused. */
#include "base/os.h"
#include "server/ask.h"
#include "server/dialog.h"
#include "server/openai.h"
#include "server/sse.h"

static void fail(conn *c, int code, const char *text) {
    c->srv->metrics.failed++;
    openai_fail(c, code, text);
}

/* ---- the request as a chat ---- */

static str text_of(const json *v, const char *key) {
    const json *t = json_get(v, key);
    return t && t->kind == JSON_STRING ? t->text : (str){"", 0};
}

static void member(buf *b, const char *name, str value) {
    buf_printf(b, "\"%s\":", name);
    json_write_string(b, value);
}

/* A text, or the text parts of a list, as one string. */
static void write_content(fields *f, buf *b, const json *content) {
    buf all = BUF_INIT;
    if (content && content->kind == JSON_STRING) buf_str(&all, content->text);
    for (const json *v = content && content->kind == JSON_ARRAY ? content->child : NULL; v;
         v = v->next) {
        const str type = text_of(v, "type");
        if (!str_is(type, "input_text") && !str_is(type, "output_text") && !str_is(type, "text"))
            fields_fail(f, 400, "field `input`: parts of type \"%.*s\" are not supported",
                        STR_FMT(type));
        if (all.len) buf_char(&all, '\n');
        buf_str(&all, text_of(v, "text"));
    }
    json_write_string(b, buf_view(&all));
    b->failed |= all.failed;
    buf_free(&all);
}

static void write_item(fields *f, buf *b, const json *v) {
    const str type = text_of(v, "type"), role = text_of(v, "role");
    if (str_is(type, "reasoning")) return;
    if (b->p && b->p[b->len - 1] != '[') buf_char(b, ',');
    if (str_is(type, "function_call")) {
        buf_text(b, "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{");
        member(b, "id", text_of(v, "call_id"));
        buf_text(b, ",\"type\":\"function\",\"function\":{");
        member(b, "name", text_of(v, "name"));
        buf_char(b, ',');
        member(b, "arguments", text_of(v, "arguments"));
        buf_text(b, "}}]}");
    } else if (str_is(type, "function_call_output")) {
        buf_text(b, "{\"role\":\"tool\",");
        member(b, "tool_call_id", text_of(v, "call_id"));
        buf_text(b, ",\"content\":");
        write_content(f, b, json_get(v, "output"));
        buf_char(b, '}');
    } else if (role.len && (!type.len || str_is(type, "message"))) {
        buf_char(b, '{');
        member(b, "role", str_is(role, "developer") ? STR_LIT("system") : role);
        buf_text(b, ",\"content\":");
        write_content(f, b, json_get(v, "content"));
        buf_char(b, '}');
    } else {
        fields_fail(f, 400, "field `input`: items of type \"%.*s\" are not supported",
                    STR_FMT(type));
    }
}

/* Tools lie flat here: {"type":"function","name","description","parameters"}. */
static void write_tools(fields *f, buf *b, const json *tools) {
    buf_text(b, ",\"tools\":[");
    for (const json *t = tools->child; t; t = t->next) {
        const json *schema = json_get(t, "parameters");
        if (!str_is(text_of(t, "type"), "function") || !text_of(t, "name").len)
            fields_fail(f, 400, "field `tools`: only functions with a name are supported");
        if (t != tools->child) buf_char(b, ',');
        buf_text(b, "{\"type\":\"function\",\"function\":{");
        member(b, "name", text_of(t, "name"));
        buf_char(b, ',');
        member(b, "description", text_of(t, "description"));
        if (schema) buf_text(b, ",\"parameters\":");
        if (schema) json_write(b, schema);
        buf_text(b, "}}");
    }
    buf_char(b, ']');
}

static void write_choice(buf *b, const json *choice) {
    buf_text(b, ",\"tool_choice\":");
    if (choice->kind == JSON_OBJECT && text_of(choice, "name").len) {
        buf_text(b, "{\"type\":\"function\",\"function\":{");
        member(b, "name", text_of(choice, "name"));
        buf_text(b, "}}");
    } else {
        json_write(b, choice);
    }
}

static void render(fields *f, server *s, dialog *d) {
    const json *input = json_get(f->root, "input"), *choice = json_get(f->root, "tool_choice");
    const json *tools = fields_find(f, "tools", JSON_ARRAY);
    const json *single = fields_find(f, "parallel_tool_calls", JSON_BOOL);
    const str about = fields_text(f, "instructions", STR_LIT(""));
    const bool one = input && input->kind == JSON_STRING;
    if (!one && !(input && input->kind == JSON_ARRAY && input->n))
        fields_fail(f, 400, "field `input` must be a text or a list of items");
    buf b = BUF_INIT;
    buf_text(&b, "{\"messages\":[");
    if (about.len) {
        buf_text(&b, "{\"role\":\"system\",");
        member(&b, "content", about);
        buf_char(&b, '}');
    }
    if (one && !f->status) {
        buf_text(&b, about.len ? ",{\"role\":\"user\"," : "{\"role\":\"user\",");
        member(&b, "content", input->text);
        buf_char(&b, '}');
    }
    for (const json *v = one || f->status ? NULL : input->child; v && !f->status; v = v->next)
        write_item(f, &b, v);
    buf_char(&b, ']');
    if (tools && tools->n && !f->status) write_tools(f, &b, tools);
    if (choice && choice->kind != JSON_NULL && !f->status) write_choice(&b, choice);
    if (single && !single->truth) buf_text(&b, ",\"parallel_tool_calls\":false");
    buf_char(&b, '}');
    if (f->status) buf_free(&b);
    else dialog_translate(f, s, &b, d);
}

static void read_params(fields *f, server *s, rz_params *p) {
    *p = (rz_params)RZ_PARAMS_INIT;
    if (!s->tokenizer) fields_fail(f, 501, "this model has no tokenizer");
    if (fields_has(f, "previous_response_id"))
        fields_fail(f, 400, "field `previous_response_id`: responses are not kept");
    const json *kind = json_get(json_get(json_get(f->root, "text"), "format"), "type");
    if (kind && !(kind->kind == JSON_STRING && str_is(kind->text, "text")))
        fields_fail(f, 400, "field `text.format`: only {\"type\":\"text\"} is supported");
    p->max_tokens = (int)fields_int(f, "max_output_tokens", 1, INT32_MAX, 100);
    p->temperature = (float)fields_number(f, "temperature", 0.0, 100.0, 0.7);
    p->top_p = (float)fields_number(f, "top_p", 0.0, 1.0, 0.9);
    p->top_k = (int)fields_int(f, "top_k", 0, INT32_MAX, 40);
    ask_penalties(f, p);
    p->seed = ask_seed(f);
    ask_lists(f, s, p);
}

/* ---- the reply ---- */

static void write_call(buf *b, const job *j, str name, str args) {
    char id[10];
    dialog_call_id(j->openai.id, toolcall_count(j->gen[0].tools), id);
    buf_printf(b, "{\"type\":\"function_call\",\"id\":\"fc_%s\",\"call_id\":\"%s\",", id, id);
    member(b, "name", name);
    buf_char(b, ',');
    member(b, "arguments", args);
    buf_text(b, ",\"status\":\"completed\"}");
}

static void write_part(buf *b, str text) {
    buf_text(b, "{\"type\":\"output_text\",\"annotations\":[],");
    member(b, "text", text);
    buf_char(b, '}');
}

/* `text` NULL: the message has begun and has no part yet. */
static void write_message(buf *b, const job *j, const str *text) {
    buf_printf(b,
               "{\"type\":\"message\",\"id\":\"msg_%016llx\",\"status\":\"%s\",\"role\":"
               "\"assistant\",\"content\":[",
               (unsigned long long)j->openai.id, text ? "completed" : "in_progress");
    if (text) write_part(b, *text);
    buf_text(b, "]}");
}

/* `output` is a list's inside; `over` is false at the beginning of a stream. */
static void write_response(buf *b, const job *j, str output, bool over) {
    const gen *g = &j->gen[0];
    const bool cut = over && g->why != RZ_FINISH_STOP;
    buf_printf(b, "{\"id\":\"resp_%016llx\",\"object\":\"response\",\"created_at\":%llu,",
               (unsigned long long)j->openai.id, (unsigned long long)j->openai.created_s);
    buf_printf(b, "\"status\":\"%s\",\"error\":null,\"incomplete_details\":%s,",
               !over ? "in_progress"
               : cut ? "incomplete"
                     : "completed",
               cut ? "{\"reason\":\"max_output_tokens\"}" : "null");
    member(b, "model", str_of(j->srv->model_id));
    buf_text(b, ",\"output\":[");
    buf_str(b, output);
    buf_printf(b, "],\"parallel_tool_calls\":%s,\"tools\":[],\"tool_choice\":\"auto\"",
               j->openai.single ? "false" : "true");
    if (over)
        buf_printf(
            b,
            ",\"usage\":{\"input_tokens\":%zu,\"input_tokens_details\":{\"cached_tokens\":0},"
            "\"output_tokens\":%u,\"output_tokens_details\":{\"reasoning_tokens\":0},"
            "\"total_tokens\":%zu}}",
            g->n_prompt, g->n_token, g->n_prompt + g->n_token);
    else buf_text(b, ",\"usage\":null}");
}

typedef struct parts {
    const job *j;
    buf text, calls;
} parts;

static void add_text(void *ud, str text) { buf_str(&((parts *)ud)->text, text); }

static void add_call(void *ud, str name, str args) {
    parts *p = ud;
    if (p->calls.len && p->j->openai.single) return;
    if (p->calls.len) buf_char(&p->calls, ',');
    write_call(&p->calls, p->j, name, args);
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
    buf out = BUF_INIT;
    const tool_sink sink = {add_text, add_call, &p};
    const bool good = dialog_take_apart(g, &sink);
    const str all = buf_view(&p.text);
    if (all.len || !p.calls.len) write_message(&out, j, &all);
    if (out.len && p.calls.len) buf_char(&out, ',');
    buf_str(&out, buf_view(&p.calls));
    buf *b = reply_body(j->srv);
    write_response(b, j, buf_view(&out), true);
    b->failed |= p.text.failed || p.calls.failed || out.failed || !good;
    buf_free(&p.text);
    buf_free(&p.calls);
    buf_free(&out);
    ask_succeeded(j);
    if (b->failed) fail(j->conn, 500, "out of memory");
    else reply_json(j->conn, b);
}

/* ---- as events ---- */

/* {"type":NAME,"sequence_number":N, and the caller's rest. */
static buf *event(job *j, const char *name) {
    buf *b = sse_event(j->conn, name);
    buf_printf(b, "{\"type\":\"%s\",\"sequence_number\":%u,", name, j->openai.n_event++);
    return b;
}

static void event_end(job *j) {
    buf_char(conn_out(j->conn), '}');
    sse_event_end(j->conn);
}

/* Where the open message, or the next item, stands. */
static buf *item_event(job *j, const char *name) {
    buf *b = event(j, name);
    buf_printf(b, "\"output_index\":%u,", j->openai.n_block);
    return b;
}

static buf *part_event(job *j, const char *name) {
    buf *b = item_event(j, name);
    buf_printf(b, "\"item_id\":\"msg_%016llx\",\"content_index\":0,",
               (unsigned long long)j->openai.id);
    return b;
}

/* What has ended is told again at the end. */
static void keep_item(job *j, const buf *b, size_t from) {
    buf *all = &j->gen[0].items;
    if (all->len) buf_char(all, ',');
    if (!b->failed) buf_add(all, b->p + from, b->len - from);
}

static void close_message(job *j) {
    buf *all = &j->gen[0].text;
    if (!j->openai.open) return;
    const str text = buf_view(all);
    buf *b = part_event(j, "response.output_text.done");
    member(b, "text", text);
    event_end(j);
    b = part_event(j, "response.content_part.done");
    buf_text(b, "\"part\":");
    write_part(b, text);
    event_end(j);
    b = item_event(j, "response.output_item.done");
    buf_text(b, "\"item\":");
    const size_t from = b->len;
    write_message(b, j, &text);
    keep_item(j, b, from);
    event_end(j);
    j->openai.open = false;
    j->openai.n_block++;
    buf_clear(all);
}

static void event_text(void *ud, str text) {
    job *j = ud;
    if (!j->openai.open) {
        buf *b = item_event(j, "response.output_item.added");
        buf_text(b, "\"item\":");
        write_message(b, j, NULL);
        event_end(j);
        b = part_event(j, "response.content_part.added");
        buf_text(b, "\"part\":");
        write_part(b, STR_LIT(""));
        event_end(j);
        j->openai.open = true;
    }
    buf_str(&j->gen[0].text, text); /* of the message so far */
    member(part_event(j, "response.output_text.delta"), "delta", text);
    event_end(j);
}

static void event_call(void *ud, str name, str args) {
    static const char *const added[] = {
        "response.output_item.added", "response.function_call_arguments.delta",
        "response.function_call_arguments.done", "response.output_item.done"};
    job *j = ud;
    char id[10];
    if (toolcall_count(j->gen[0].tools) && j->openai.single) return;
    close_message(j);
    dialog_call_id(j->openai.id, toolcall_count(j->gen[0].tools), id);
    for (int i = 0; i < 4; i++) {
        buf *b = item_event(j, added[i]);
        if (i == 1 || i == 2) {
            buf_printf(b, "\"item_id\":\"fc_%s\",", id);
            member(b, i == 1 ? "delta" : "arguments", args);
        } else {
            buf_text(b, "\"item\":");
            const size_t from = b->len;
            write_call(b, j, name, i ? args : STR_LIT(""));
            if (i) keep_item(j, b, from);
        }
        event_end(j);
    }
    j->openai.n_block++;
}

static void stream_token(job *j, gen *g, rz_token id, str text) {
    const tool_sink sink = {event_text, event_call, j};
    (void)id;
    dialog_feed(g, text, &sink);
}

static void stream_end(job *j) {
    gen *g = &j->gen[0];
    const tool_sink sink = {event_text, event_call, j};
    const char *text;
    const int code = dialog_finish(j, g, &sink, &text);
    if (code) {
        buf *b = event(j, "error");
        j->srv->metrics.failed++;
        buf_printf(b, "\"code\":\"%d\",\"param\":null,", code);
        member(b, "message", str_of(text));
    } else {
        close_message(j);
        buf *b = event(j, g->why == RZ_FINISH_STOP ? "response.completed" : "response.incomplete");
        buf_text(b, "\"response\":");
        write_response(b, j, buf_view(&g->items), true);
        ask_succeeded(j);
    }
    event_end(j);
    sse_end(j->conn);
}

static void stream_begin(job *j) {
    static const char *const names[] = {"response.created", "response.in_progress"};
    const tool_sink sink = {event_text, event_call, j};
    gen *g = &j->gen[0];
    sse_begin(j->conn);
    for (int i = 0; i < 2; i++) {
        buf *b = event(j, names[i]);
        buf_text(b, "\"response\":");
        write_response(b, j, STR_LIT(""), false);
        event_end(j);
    }
    buf opening = g->text; /* from here on it holds the text of the open message */
    g->text = (buf)BUF_INIT;
    dialog_feed(g, buf_view(&opening), &sink);
    buf_free(&opening);
}

static const job_type whole_type = {NULL, whole_end};
static const job_type stream_type = {stream_token, stream_end};

void responses_post(conn *c, const call *in) {
    fields f;
    rz_params p;
    dialog d = {.opening = {"", 0}};
    fields_parse(&f, in);
    const bool stream = fields_bool(&f, "stream", false);
    read_params(&f, in->srv, &p);
    if (!f.status) render(&f, in->srv, &d);
    job *j = dialog_start(&f, c, stream ? &stream_type : &whole_type, &d, &p);
    if (!j) {
        fail(c, f.status, f.text);
        return;
    }
    if (stream) stream_begin(j);
    job_started(j);
}
