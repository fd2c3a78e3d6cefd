/* h_openai.c - POST /v1/completions, /v1/chat/completions and /apply-template, as OpenAI's clients
 * speak them.
 *
 *   model, prompt (a text, a list of texts, or token ids) | messages, suffix (beside a text),
 *   max_tokens (or max_completion_tokens), temperature = 0.7, top_p = 0.9, top_k = 40, min_p,
 *   n = 1, stop, seed, presence_penalty, frequency_penalty, repeat_penalty, logit_bias, stream,
 *   stream_options.include_usage, echo, logprobs (a number | true with top_logprobs), ignore_eos,
 *   chat_template_kwargs, tools, tool_choice, parallel_tool_calls, response_format, grammar,
 *   json_schema, regex
 *
 * Other fields are ignored. */
#include <stdint.h>

#include "base/mem.h"
#include "base/os.h"
#include "server/ask.h"
#include "server/dialog.h"
#include "server/fim.h"
#include "server/logprobs.h"
#include "server/native.h"
#include "server/openai.h"
#include "server/sse.h"

enum { ANSWER_TOKENS = 100, MAX_CHOICES = 64 };

static void fail(conn *c, int code, const char *text) {
    c->srv->metrics.failed++;
    openai_fail(c, code, text);
}

/* ---- the request ---- */

/* How many rz_score each token is to have: a chat says logprobs: true and top_logprobs: N, a
 * completion logprobs: N. */
static uint32_t read_logprobs(fields *f, bool chat) {
    if (!chat) {
        const int64_t n = fields_int(f, "logprobs", 0, RZ_MAX_SCORES, -1);
        if (n >= 0 && fields_bool(f, "echo", false))
            fields_fail(f, 400,
                        "field `logprobs`: the prompt's own are not known, so not with `echo`");
        return (uint32_t)(n + 1);
    }
    const bool wanted = fields_bool(f, "logprobs", false);
    const int64_t n = fields_int(f, "top_logprobs", 0, RZ_MAX_SCORES, 0);
    if (n > 0 && !wanted) fields_fail(f, 400, "field `top_logprobs` needs `logprobs`: true");
    return wanted ? (uint32_t)n + 1 : 0;
}

/* Everything but prompt or messages. */
static void read_params(fields *f, server *s, rz_params *p) {
    *p = (rz_params)RZ_PARAMS_INIT;
    const str model = fields_text(f, "model", (str){NULL, 0});
    (void)model; /* one model is served, under whatever name it is asked for */
    if (!s->tokenizer) fields_fail(f, 501, "this model has no tokenizer");
    const bool newer = fields_has(f, "max_completion_tokens");
    p->max_tokens = (int)fields_int(f, newer ? "max_completion_tokens" : "max_tokens", 0, INT32_MAX,
                                    ANSWER_TOKENS);
    p->temperature = (float)fields_number(f, "temperature", 0.0, 100.0, 0.7);
    p->top_p = (float)fields_number(f, "top_p", 0.0, 1.0, 0.9);
    p->top_k = (int)fields_int(f, "top_k", -1, INT32_MAX, 40);
    if (p->top_k < 0) p->top_k = 0;
    ask_penalties(f, p);
    p->seed = ask_seed(f);
    p->ignore_eos = fields_bool(f, "ignore_eos", false);
    ask_lists(f, s, p);
}

/* A list of token ids as the prompt of generation i. */
static void set_ids(fields *f, job *j, uint32_t i, const json *list) {
    const size_t n = list->n, room = server_context(j->srv);
    const rz_token *ids = ask_ids(f, j->srv, "prompt", list);
    if (!f->status && n >= room)
        fields_fail(f, 400, "the prompt is %zu tokens long, the context holds %zu", n, room);
    else if (!f->status && !job_set_prompt(j, i, ids, n)) fields_fail(f, 500, "out of memory");
}

/* Prompt number i of `prompt`: the value itself, or an element of a list of prompts. */
static void set_prompt(fields *f, job *j, uint32_t i, const json *v) {
    const str suffix = fields_text(f, "suffix", STR_LIT(""));
    if (!v) fields_fail(f, 400, "missing field `prompt`");
    else if (v->kind == JSON_STRING && v->text.len == 0)
        fields_fail(f, 400, "`prompt` cannot be empty");
    else if (v->kind == JSON_STRING && suffix.len)
        fim_prompt(f, j, i, &(fim_parts){.prefix = v->text, .suffix = suffix});
    else if (suffix.len) fields_fail(f, 400, "field `suffix`: `prompt` must be a text beside it");
    else if (v->kind == JSON_STRING) ask_prompt(f, j, i, v->text);
    else if (v->kind == JSON_ARRAY && v->n) set_ids(f, j, i, v);
    else fields_fail(f, 400, "field `prompt` must be a text, a list of texts or token ids");
}

/* How many prompts there are: 1 for a text or a list of ids. */
static uint32_t count_prompts(const json *v) {
    const bool many = v && v->kind == JSON_ARRAY && v->n && v->child->kind != JSON_NUMBER;
    return many ? v->n : 1;
}

/* ---- the reply ---- */

static void name_and_time(buf *b, const job *j, const char *object) {
    const openai_reply *o = &j->openai;
    buf_printf(b, "{\"id\":\"%s-%016llx\",\"object\":\"%s\",\"created\":%llu,\"model\":",
               o->chat ? "chatcmpl" : "cmpl", (unsigned long long)o->id, object,
               (unsigned long long)o->created_s);
    json_write_string(b, str_of(j->srv->model_id));
}

static void usage(buf *b, const job *j) {
    size_t in = 0, out = 0, cached = 0;
    for (uint32_t i = 0; i < j->n; i++) {
        in += j->gen[i].n_prompt;
        out += j->gen[i].n_token;
        cached += j->gen[i].use.cached;
    }
    buf_printf(b,
               "\"usage\":{\"prompt_tokens\":%zu,\"completion_tokens\":%zu,\"total_tokens\":%zu,"
               "\"prompt_tokens_details\":{\"cached_tokens\":%zu}}",
               in, out, in + out, cached);
}

static const char *finish_reason(const gen *g) {
    if (g->tools && toolcall_count(g->tools)) return "tool_calls";
    return g->why == RZ_FINISH_STOP ? "stop" : "length";
}

/* An answer taken apart. */
typedef struct parts {
    const gen *gen;
    buf text, calls;
    uint32_t n;
} parts;

static void add_text(void *ud, str text) { buf_str(&((parts *)ud)->text, text); }

static void write_call(buf *b, const gen *g, uint32_t n, str name, str args) {
    char id[10];
    dialog_call_id(g->job->openai.id + (uint64_t)(g - g->job->gen), n, id);
    buf_printf(b, "\"id\":\"%s\",\"type\":\"function\",\"function\":{\"name\":", id);
    json_write_string(b, name);
    buf_text(b, ",\"arguments\":");
    json_write_string(b, args);
    buf_text(b, "}}");
}

static void add_call(void *ud, str name, str args) {
    parts *p = ud;
    if (p->n && p->gen->job->openai.single) return;
    buf_text(&p->calls, p->n ? ",{" : "{");
    write_call(&p->calls, p->gen, p->n++, name, args);
}

/* {"role":"assistant","content":...,"tool_calls":[...]} */
static void message(buf *b, gen *g) {
    parts p = {.gen = g};
    const tool_sink sink = {add_text, add_call, &p};
    b->failed |= !dialog_take_apart(g, &sink);
    buf_text(b, "\"message\":{\"role\":\"assistant\",\"content\":");
    if (p.n && !p.text.len) buf_text(b, "null");
    else json_write_string(b, buf_view(&p.text));
    if (p.n) {
        buf_text(b, ",\"tool_calls\":[");
        buf_str(b, buf_view(&p.calls));
        buf_char(b, ']');
    }
    buf_char(b, '}');
    b->failed |= p.text.failed || p.calls.failed;
    buf_free(&p.text);
    buf_free(&p.calls);
}

static void choice(buf *b, const job *j, uint32_t i, err *e) {
    gen *g = &j->gen[i];
    buf_printf(b, "{\"index\":%u,", i);
    if (j->openai.chat) {
        message(b, g);
    } else {
        buf text = BUF_INIT;
        if (j->openai.echo && native_decode(j->srv, g->prompt, g->n_prompt, &text, e) < 0)
            b->failed = true;
        buf_str(&text, buf_view(&g->text));
        buf_text(b, "\"text\":");
        json_write_string(b, buf_view(&text));
        b->failed |= text.failed;
        buf_free(&text);
    }
    size_t at = 0;
    buf_text(b, ",\"logprobs\":");
    if (j->openai.chat) logprobs_chat(b, g, 0);
    else logprobs_text(b, g, 0, &at);
    buf_printf(b, ",\"finish_reason\":\"%s\"}", finish_reason(g));
}

static void whole_end(job *j) {
    conn *c = j->conn;
    const char *text;
    err e;
    for (uint32_t i = 0; i < j->n; i++) {
        const int code = ask_trouble(j, &j->gen[i], &text);
        if (!code) continue;
        fail(c, code, text);
        return;
    }
    buf *b = reply_body(j->srv);
    name_and_time(b, j, j->openai.chat ? "chat.completion" : "text_completion");
    buf_text(b, ",\"choices\":[");
    for (uint32_t i = 0; i < j->n; i++) {
        if (i) buf_char(b, ',');
        choice(b, j, i, &e);
    }
    buf_text(b, "],");
    usage(b, j);
    buf_char(b, '}');
    ask_succeeded(j);
    reply_json(c, b);
}

/* One event with one choice, but for its delta (a chat) or text; ended by chunk_close. */
static buf *chunk_open(job *j, uint32_t i) {
    buf *o = sse_event(j->conn, NULL);
    name_and_time(o, j, j->openai.chat ? "chat.completion.chunk" : "text_completion");
    buf_printf(o, ",\"choices\":[{\"index\":%u,", i);
    return o;
}

static void chunk_close(job *j, uint32_t i, const char *reason) {
    buf *o = conn_out(j->conn);
    gen *g = &j->gen[i];
    buf_text(o, ",\"logprobs\":");
    if (g->n_token == g->told) buf_text(o, "null");
    else if (j->openai.chat) logprobs_chat(o, g, g->told);
    else logprobs_text(o, g, g->told, &g->told_len);
    g->told = g->n_token;
    buf_text(o, ",\"finish_reason\":");
    if (reason) buf_printf(o, "\"%s\"", reason);
    else buf_text(o, "null");
    buf_text(o, j->openai.usage ? "}],\"usage\":null}" : "}]}");
    sse_event_end(j->conn);
}

/* `text` NULL: the end, with its reason. The first of a chat says who speaks. */
static void chunk(job *j, uint32_t i, const str *text, const char *reason, bool role) {
    buf *o = chunk_open(j, i);
    if (j->openai.chat) {
        buf_text(o, "\"delta\":{");
        if (role) buf_text(o, "\"role\":\"assistant\",");
        if (text) buf_text(o, "\"content\":");
        if (text) json_write_string(o, *text);
        buf_char(o, '}');
    } else {
        buf_text(o, "\"text\":");
        json_write_string(o, text ? *text : STR_LIT(""));
    }
    chunk_close(j, i, reason);
}

static void chunk_text(void *ud, str text) {
    gen *g = ud;
    chunk(g->job, (uint32_t)(g - g->job->gen), &text, NULL, false);
}

static void chunk_call(void *ud, str name, str args) {
    gen *g = ud;
    job *j = g->job;
    const uint32_t i = (uint32_t)(g - j->gen), n = toolcall_count(g->tools);
    if (n && j->openai.single) return;
    buf *o = chunk_open(j, i);
    buf_printf(o, "\"delta\":{\"tool_calls\":[{\"index\":%u,", n);
    write_call(o, g, n, name, args);
    buf_text(o, "]}");
    chunk_close(j, i, NULL);
}

static void chunk_token(job *j, gen *g, rz_token id, str text) {
    const tool_sink sink = {chunk_text, chunk_call, g};
    (void)id;
    (void)j;
    dialog_feed(g, text, &sink);
}

static void chunk_end(job *j) {
    const char *text;
    bool good = true;
    for (uint32_t i = 0; i < j->n; i++) {
        gen *g = &j->gen[i];
        const tool_sink sink = {chunk_text, chunk_call, g};
        const int code = dialog_finish(j, g, &sink, &text);
        if (code) {
            j->srv->metrics.failed++;
            openai_error(sse_event(j->conn, NULL), code, text);
            sse_event_end(j->conn);
            good = false;
            break;
        }
        chunk(j, i, NULL, finish_reason(&j->gen[i]), false);
    }
    if (good && j->openai.usage) {
        buf *o = sse_event(j->conn, NULL);
        name_and_time(o, j, j->openai.chat ? "chat.completion.chunk" : "text_completion");
        buf_text(o, ",\"choices\":[],");
        usage(o, j);
        buf_char(o, '}');
        sse_event_end(j->conn);
    }
    if (good) ask_succeeded(j);
    buf_text(sse_event(j->conn, NULL), "[DONE]");
    sse_event_end(j->conn);
    sse_end(j->conn);
}

static const job_type whole_type = {NULL, whole_end};
static const job_type chunk_type = {chunk_token, chunk_end};

/* ---- starting ---- */

/* What the texts of a stream begin with: who speaks, or the prompt again. */
static void begin_stream(job *j) {
    sse_begin(j->conn);
    for (uint32_t i = 0; i < j->n; i++) {
        const str nothing = STR_LIT("");
        buf text = BUF_INIT;
        err e;
        gen *g = &j->gen[i];
        const tool_sink sink = {chunk_text, chunk_call, g};
        if (j->openai.chat) chunk(j, i, &nothing, NULL, true);
        dialog_feed(g, buf_view(&g->text), &sink);
        if (j->openai.chat) continue;
        if (j->openai.echo &&
            native_decode(j->srv, j->gen[i].prompt, j->gen[i].n_prompt, &text, &e) == RZ_OK)
            chunk(j, i, &(str){text.p, text.len}, NULL, false);
        buf_free(&text);
    }
}

/* n answers to each prompt: of the field `prompt`, or the one rendered from a chat. */
static void start(fields *f, conn *c, const rz_params *p, const json *prompt, const dialog *chat) {
    server *s = c->srv;
    const uint32_t scores = read_logprobs(f, chat != NULL);
    const int64_t n = fields_int(f, "n", 1, MAX_CHOICES, 1);
    const bool stream = fields_bool(f, "stream", false), echo = fields_bool(f, "echo", false);
    const json *options = fields_find(f, "stream_options", JSON_OBJECT);
    const json *wants = json_get(options, "include_usage");
    const size_t total = f->status ? 0 : (size_t)n * (chat ? 1 : count_prompts(prompt));
    if (!f->status && total > s->lim.batch)
        fields_fail(f, 400, "%zu answers are asked for, at most %zu are given", total,
                    s->lim.batch);
    job *j = f->status ? NULL : job_new(c, stream ? &chunk_type : &whole_type, (uint32_t)total);
    if (!j) fields_fail(f, 500, "out of memory");
    if (j) {
        j->scores = scores;
        j->openai = (openai_reply){.id = os_random_u64(),
                                   .created_s = os_unix_ms() / 1000,
                                   .chat = chat != NULL,
                                   .echo = echo,
                                   .single = chat && chat->single,
                                   .usage = wants && wants->kind == JSON_BOOL && wants->truth};
        const bool many =
            prompt && prompt->kind == JSON_ARRAY && prompt->n && prompt->child->kind != JSON_NUMBER;
        const json *each = many ? prompt->child : prompt;
        for (uint32_t i = 0; i < j->n && !f->status; i++) {
            if (chat) ask_prompt(f, j, i, chat->prompt);
            if (chat) dialog_attach(f, chat, j, i);
            if (!chat) set_prompt(f, j, i, each);
            if (!chat && (i + 1) % (uint32_t)n == 0) each = each->next;
        }
        /* Answers to one prompt differ: each has a random stream of its own. */
        for (uint32_t i = 0; i < j->n; i++) {
            rz_params own = *p;
            own.seed += i % (uint32_t)n;
            ask_submit(f, j, i, &own);
        }
    }
    s->metrics.requests++;
    if (f->status) {
        if (j) job_leave(j);
        fail(c, f->status, f->text);
        return;
    }
    if (stream) begin_stream(j);
    job_started(j);
}

void completions_post(conn *c, const call *in) {
    fields f;
    rz_params p;
    fields_parse(&f, in);
    const json *prompt = json_get(f.root, "prompt");
    if (!f.status && !prompt) fields_fail(&f, 400, "missing field `prompt`");
    read_params(&f, in->srv, &p);
    start(&f, c, &p, prompt, NULL);
}

void chat_post(conn *c, const call *in) {
    fields f;
    rz_params p;
    fields_parse(&f, in);
    if (!f.status && !fields_has(&f, "messages")) fields_fail(&f, 400, "missing field `messages`");
    read_params(&f, in->srv, &p);
    dialog d;
    dialog_render(&f, in->srv, &d);
    start(&f, c, &p, NULL, &d);
}

/* {"messages":[...]} to {"prompt":"..."}. */
void apply_template_post(conn *c, const call *in) {
    fields f;
    fields_parse(&f, in);
    if (!f.status && !fields_has(&f, "messages")) fields_fail(&f, 400, "missing field `messages`");
    dialog d;
    dialog_render(&f, in->srv, &d);
    if (f.status) {
        fail(c, f.status, f.text);
        return;
    }
    buf *b = reply_body(in->srv);
    buf_text(b, "{\"prompt\":");
    json_write_string(b, d.prompt);
    buf_char(b, '}');
    reply_json(c, b);
}
