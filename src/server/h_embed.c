/* h_embed.c - texts as vectors: POST /v1/embeddings as OpenAI's clients ask, /api/embed and
 * /api/embeddings as Ollama's do, and /rerank, which orders texts by them.
 *
 *   /v1/embeddings    input (a text, a list of texts, token ids, a list of lists of ids),
 *                     encoding_format = "float" | "base64", dimensions, timeout
 *   /api/embed        input (a text or a list of texts), truncate = true, dimensions
 *   /api/embeddings   prompt; the vector is as computed, not scaled
 *   /rerank           query, documents, top_n, return_documents = false
 *
 * Every model gives vectors; how good they are is another matter. */
#include <stdlib.h>

#include "server/ask.h"
#include "server/native.h"
#include "server/openai.h"
#include "server/reply.h"

static void fail(conn *c, const fields *f) {
    c->srv->metrics.failed++;
    openai_fail(c, f->status, f->text);
}

static void fail_ollama(conn *c, const fields *f) {
    c->srv->metrics.failed++;
    reply_error(c, f->status == 422 ? 400 : f->status, "%s", f->text);
}

/* ---- the request ---- */

static uint32_t read_dimensions(fields *f, const server *s) {
    rz_model_info info;
    rz_model_describe(s->model, &info);
    return (uint32_t)fields_int(f, "dimensions", 1, info.width, info.width);
}

static bool is_nested(const json *v) {
    return v && v->kind == JSON_ARRAY && v->n && v->child->kind != JSON_NUMBER;
}

static void set_ids(fields *f, job *j, uint32_t i, const rz_token *ids, size_t n) {
    const size_t room = server_context(j->srv);
    if (f->status) return;
    if (n == 0) fields_fail(f, 400, "text %u is empty", i);
    else if (n > room)
        fields_fail(f, 400, "text %u is %zu tokens long, the model takes at most %zu", i, n, room);
    else if (!job_set_prompt(j, i, ids, n)) fields_fail(f, 500, "out of memory");
}

/* The first tokens that fit, with the one that the model wants behind every text. */
static size_t cut(const server *s, size_t n, rz_token end) {
    const size_t room = server_context(s);
    if (n <= room) return n;
    if (s->ids[n - 1] == end) s->ids[room - 1] = end;
    return room;
}

static void set_text(fields *f, job *j, uint32_t i, str text, bool truncate) {
    server *s = j->srv;
    rz_token end = -1;
    size_t n = 0;
    err e;
    if (f->status) return;
    if (truncate && native_encode(s, STR_LIT(""), RZ_ENCODE_BOS, &n, &e) == RZ_OK && n)
        end = s->ids[n - 1];
    if (native_encode(s, text, RZ_ENCODE_BOS, &n, &e) < 0) {
        fields_fail(f, 500, "%s", e.text);
        return;
    }
    set_ids(f, j, i, s->ids, truncate ? cut(s, n, end) : n);
}

/* A text, or a list of ids. */
static void set_input(fields *f, job *j, uint32_t i, const json *v, bool truncate) {
    if (v->kind == JSON_STRING && v->text.len) set_text(f, j, i, v->text, truncate);
    else if (v->kind == JSON_STRING) fields_fail(f, 400, "text %u is empty", i);
    else if (v->kind == JSON_ARRAY && v->n) set_ids(f, j, i, ask_ids(f, j->srv, "input", v), v->n);
    else fields_fail(f, 400, "field `input` must be a text, a list of texts or token ids");
}

/* A job for n vectors, not started. NULL: failed. */
static job *begin(fields *f, conn *c, const job_type *type, size_t n, vector_form form) {
    server *s = c->srv;
    s->metrics.requests++;
    if (!s->tokenizer) fields_fail(f, 501, "this model has no tokenizer");
    if (s->draining) fields_fail(f, 503, "the server is shutting down");
    if (!f->status && n > s->lim.texts)
        fields_fail(f, 400, "%zu texts are given, at most %zu are accepted", n, s->lim.texts);
    job *j = f->status ? NULL : job_new(c, type, (uint32_t)n);
    if (!j) fields_fail(f, 500, "out of memory");
    else j->vector = form;
    return j;
}

/* Let all be computed, or give the job up. true: the reply will come. */
static bool run(fields *f, job *j) {
    rz_params p = RZ_PARAMS_INIT;
    err e;
    if (!j) return false;
    ask_timeout(f, j->srv, &p);
    for (uint32_t i = 0; i < j->n && !f->status; i++) {
        const status got = job_embed(j, i, p.timeout_ms, &e);
        if (got < 0) fields_fail(f, ask_code(got), "%s", e.text);
    }
    if (f->status) job_leave(j);
    else job_started(j);
    return !f->status;
}

/* All of the field `input`. */
static job *begin_input(fields *f, conn *c, const job_type *type, vector_form form, bool truncate) {
    const json *input = json_get(f->root, "input");
    const bool many = is_nested(input);
    if (!f->status && !input) fields_fail(f, 400, "missing field `input`");
    job *j = begin(f, c, type, many ? input->n : 1, form);
    const json *v = many ? input->child : input;
    for (uint32_t i = 0; j && i < j->n && !f->status; i++, v = v->next)
        set_input(f, j, i, v, truncate);
    return j;
}

/* ---- the reply ---- */

/* The first thing that went wrong, or 0. */
static int trouble(const job *j, const char **text) {
    for (uint32_t i = 0; i < j->n; i++) {
        const int code = ask_trouble(j, &j->gen[i], text);
        if (code) return code;
    }
    return 0;
}

static size_t prompt_tokens(const job *j) {
    size_t n = 0;
    for (uint32_t i = 0; i < j->n; i++) n += j->gen[i].n_prompt;
    return n;
}

static bool failed(job *j, bool ollama) {
    fields f = {0};
    const char *text;
    const int code = trouble(j, &text);
    if (!code) return false;
    fields_fail(&f, code, "%s", text);
    if (ollama) fail_ollama(j->conn, &f);
    else fail(j->conn, &f);
    return true;
}

static void usage(buf *b, const job *j) {
    const size_t n = prompt_tokens(j);
    buf_printf(b, ",\"usage\":{\"prompt_tokens\":%zu,\"total_tokens\":%zu}", n, n);
}

static void openai_end(job *j) {
    if (failed(j, false)) return;
    buf *b = reply_body(j->srv);
    buf_text(b, "{\"object\":\"list\",\"data\":[");
    for (uint32_t i = 0; i < j->n; i++) {
        buf_printf(b, "%s{\"object\":\"embedding\",\"index\":%u,\"embedding\":", i ? "," : "", i);
        buf_str(b, buf_view(&j->gen[i].text));
        buf_char(b, '}');
    }
    buf_text(b, "],\"model\":");
    json_write_string(b, str_of(j->srv->model_id));
    usage(b, j);
    buf_char(b, '}');
    ask_succeeded(j);
    reply_json(j->conn, b);
}

static void ollama_end(job *j) {
    if (failed(j, true)) return;
    buf *b = reply_body(j->srv);
    buf_text(b, "{\"model\":");
    json_write_string(b, str_of(j->srv->model_id));
    buf_text(b, ",\"embeddings\":[");
    for (uint32_t i = 0; i < j->n; i++) {
        if (i) buf_char(b, ',');
        buf_str(b, buf_view(&j->gen[i].text));
    }
    buf_printf(b, "],\"total_duration\":%llu,\"load_duration\":0,\"prompt_eval_count\":%zu}",
               (unsigned long long)(loop_now(j->srv->loop) - j->began_ns), prompt_tokens(j));
    ask_succeeded(j);
    reply_json(j->conn, b);
}

static void single_end(job *j) {
    if (failed(j, true)) return;
    buf *b = reply_body(j->srv);
    buf_text(b, "{\"embedding\":");
    buf_str(b, buf_view(&j->gen[0].text));
    buf_char(b, '}');
    ask_succeeded(j);
    reply_json(j->conn, b);
}

static const job_type openai_type = {NULL, openai_end};
static const job_type ollama_type = {NULL, ollama_end};
static const job_type single_type = {NULL, single_end};

/* ---- vectors ---- */

void embeddings_post(conn *c, const call *in) {
    fields f;
    fields_parse(&f, in);
    vector_form form = {.as = VECTOR_JSON, .n = read_dimensions(&f, in->srv)};
    const str as = fields_text(&f, "encoding_format", STR_LIT("float"));
    if (str_is(as, "base64")) form.as = VECTOR_BASE64;
    else if (!str_is(as, "float"))
        fields_fail(&f, 400, "field `encoding_format` must be \"float\" or \"base64\"");
    if (!run(&f, begin_input(&f, c, &openai_type, form, false))) fail(c, &f);
}

void ollama_embed(conn *c, const call *in) {
    fields f;
    fields_parse_untyped(&f, in);
    const json *input = json_get(f.root, "input");
    const vector_form form = {.as = VECTOR_JSON, .n = read_dimensions(&f, in->srv)};
    const bool truncate = fields_bool(&f, "truncate", true);
    const bool nothing = input && ((input->kind == JSON_STRING && !input->text.len) ||
                                   (input->kind == JSON_ARRAY && !input->n));
    if (!f.status && nothing) { /* is the model there? */
        buf *b = reply_body(in->srv);
        buf_text(b, "{\"model\":");
        json_write_string(b, str_of(in->srv->model_id));
        buf_text(b, ",\"embeddings\":[]}");
        reply_json(c, b);
        return;
    }
    if (!run(&f, begin_input(&f, c, &ollama_type, form, truncate))) fail_ollama(c, &f);
}

void ollama_embeddings(conn *c, const call *in) {
    fields f;
    fields_parse_untyped(&f, in);
    const vector_form form = {.as = VECTOR_JSON, .n = read_dimensions(&f, in->srv), .raw = true};
    const str prompt = fields_text(&f, "prompt", STR_LIT(""));
    if (!f.status && !prompt.len) {
        buf *b = reply_body(in->srv);
        buf_text(b, "{\"embedding\":[]}");
        reply_json(c, b);
        return;
    }
    job *j = begin(&f, c, &single_type, 1, form);
    if (j) set_text(&f, j, 0, prompt, true);
    if (!run(&f, j)) fail_ollama(c, &f);
}

/* ---- order ---- */

typedef struct rank {
    double score;
    uint32_t i;
} rank;

static int compare(const void *a, const void *b) {
    const rank *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->i < y->i ? -1 : x->i > y->i;
}

/* Both have length 1. */
static double cosine(const gen *a, const gen *b) {
    double sum = 0;
    for (size_t at = 0; at + sizeof(float) <= a->text.len; at += sizeof(float)) {
        float x, y;
        memcpy(&x, a->text.p + at, sizeof x);
        memcpy(&y, b->text.p + at, sizeof y);
        sum += (double)x * (double)y;
    }
    return sum > 1 ? 1 : sum == sum ? sum : -1;
}

/* Generation 0 is the query. */
static void rerank_end(job *j) {
    if (failed(j, false)) return;
    const uint32_t n = j->n - 1;
    rank *list = arena_zero(&j->srv->arena, n, sizeof *list);
    if (!list) {
        openai_fail(j->conn, 500, "out of memory");
        return;
    }
    for (uint32_t i = 0; i < n; i++) list[i] = (rank){cosine(&j->gen[0], &j->gen[i + 1]), i};
    qsort(list, n, sizeof *list, compare);
    buf *b = reply_body(j->srv);
    buf_text(b, "{\"model\":");
    json_write_string(b, str_of(j->srv->model_id));
    buf_text(b, ",\"object\":\"list\"");
    usage(b, j);
    buf_text(b, ",\"results\":[");
    for (uint32_t i = 0; i < n && i < j->most; i++) {
        const buf *document = &j->gen[list[i].i + 1].items;
        buf_printf(b, "%s{\"index\":%u,\"relevance_score\":%.7g", i ? "," : "", list[i].i,
                   list[i].score);
        if (document->len) buf_text(b, ",\"document\":{\"text\":");
        buf_str(b, buf_view(document));
        buf_text(b, document->len ? "}}" : "}");
        b->failed |= document->failed;
    }
    buf_text(b, "]}");
    ask_succeeded(j);
    reply_json(j->conn, b);
}

static const job_type rerank_type = {NULL, rerank_end};

/* A document is a text, or an object with one. */
static str document_text(fields *f, const json *v) {
    const json *text = v->kind == JSON_OBJECT ? json_get(v, "text") : v;
    if (text && text->kind == JSON_STRING) return text->text;
    fields_fail(f, 400, "field `documents` must hold texts, not %s", json_kind_name(v->kind));
    return STR_LIT("");
}

void rerank_post(conn *c, const call *in) {
    fields f;
    fields_parse(&f, in);
    const vector_form form = {.as = VECTOR_FLOATS, .n = read_dimensions(&f, in->srv)};
    const str query = fields_need_text(&f, "query");
    const json *documents = fields_need(&f, "documents", JSON_ARRAY);
    const int64_t most = fields_int(&f, "top_n", 1, INT32_MAX, INT32_MAX);
    const bool back = fields_bool(&f, "return_documents", false);
    if (!f.status && !query.len) fields_fail(&f, 400, "field `query` is empty");
    if (!f.status && !documents->n) fields_fail(&f, 400, "field `documents` is empty");
    job *j = begin(&f, c, &rerank_type, f.status ? 1 : documents->n + (size_t)1, form);
    if (j) {
        j->most = (uint32_t)most;
        set_text(&f, j, 0, query, false);
        const json *v = documents->child;
        for (uint32_t i = 1; i < j->n && !f.status; i++, v = v->next) {
            const str text = document_text(&f, v);
            set_text(&f, j, i, text, false);
            if (back) json_write_string(&j->gen[i].items, text);
        }
    }
    if (!run(&f, j)) fail(c, &f);
}
