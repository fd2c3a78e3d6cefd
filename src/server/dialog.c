/* dialog.c - see dialog.h. */
#include "server/dialog.h"

#include "base/mem.h"
#include "base/os.h"
#include "server/ask.h"

/* ---- tools ---- */

static str name_of(const json *tool) {
    const json *name = json_get(json_get(tool, "function"), "name");
    return name && name->kind == JSON_STRING ? name->text : (str){NULL, 0};
}

static const json *read_tools(fields *f) {
    const json *list = fields_find(f, "tools", JSON_ARRAY);
    uint32_t i = 0;
    for (const json *t = list ? list->child : NULL; t; t = t->next, i++) {
        const json *type = json_get(t, "type");
        if (type && !(type->kind == JSON_STRING && str_is(type->text, "function")))
            fields_fail(f, 400, "field `tools[%u].type` must be \"function\"", i);
        else if (!name_of(t).len)
            fields_fail(f, 400, "field `tools[%u].function.name` must be a name", i);
    }
    return list && list->n && !f->status ? list : NULL;
}

/* "none", "auto", "required" or the one tool to call; *name is empty for any. */
static void read_choice(fields *f, dialog *d, bool *forced, str *name) {
    const json *v = json_get(f->root, "tool_choice");
    const json *single = fields_find(f, "parallel_tool_calls", JSON_BOOL);
    d->single = single && !single->truth;
    *forced = false;
    *name = (str){"", 0};
    if (!v || v->kind == JSON_NULL) return;
    if (v->kind == JSON_STRING && str_is(v->text, "none")) {
        d->tools = NULL;
    } else if (v->kind == JSON_STRING && str_is(v->text, "required")) {
        *forced = true;
    } else if (v->kind == JSON_OBJECT && name_of(v).len) {
        *forced = true;
        *name = name_of(v);
        const json *t = d->tools ? d->tools->child : NULL;
        while (t && !str_eq(name_of(t), *name)) t = t->next;
        if (!t)
            fields_fail(f, 400, "field `tool_choice`: there is no tool \"%.*s\"", STR_FMT(*name));
    } else if (!(v->kind == JSON_STRING && str_is(v->text, "auto"))) {
        fields_fail(f, 400,
                    "field `tool_choice` must be \"none\", \"auto\", \"required\" or a function");
    }
    if (*forced && !d->tools) fields_fail(f, 400, "field `tool_choice` needs `tools`");
}

/* ---- the request as the template sees it ---- */

static void write_key(buf *b, str key) {
    if (b->p[b->len - 1] != '{') buf_char(b, ',');
    json_write_string(b, key);
    buf_char(b, ':');
}

static bool is_role(const json *message, const char *role) {
    const json *v = json_get(message, "role");
    return v && v->kind == JSON_STRING && str_is(v->text, role);
}

/* One message, its text in front of `more`. */
static void write_with(buf *b, const char *role, str text, str more) {
    buf both = BUF_INIT;
    buf_printf(b, "{\"role\":\"%s\",\"content\":", role);
    buf_str(&both, text);
    buf_str(&both, more);
    b->failed |= both.failed;
    json_write_string(b, buf_view(&both));
    buf_char(b, '}');
    buf_free(&both);
}

static void describe_tools(const json *tools, bool behind, buf *out) {
    buf_text(out, behind ? "\n\n" : "");
    buf_text(out,
             "You can call tools. To call one, answer with nothing but a JSON object "
             "{\"name\": NAME, \"arguments\": OBJECT}, or a list of such objects. The tools:\n");
    json_write(out, tools);
}

/* Calls the assistant has made, as it was told to write them. */
static void describe_calls(const json *calls, buf *out) {
    buf_char(out, '[');
    for (const json *c = calls->child; c; c = c->next) {
        const json *made = json_get(c, "function"), *args = json_get(made, "arguments");
        if (c != calls->child) buf_text(out, ", ");
        buf_text(out, "{\"name\": ");
        json_write_string(out, name_of(c));
        buf_text(out, ", \"arguments\": ");
        if (args && args->kind == JSON_STRING) buf_str(out, args->text);
        else if (args) json_write(out, args);
        else buf_text(out, "{}");
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

/* The messages for a template that knows nothing of tools. */
static void write_plain(buf *b, const json *messages, const json *tools) {
    const json *m = messages->child;
    const json *first = m && is_role(m, "system") ? json_get(m, "content") : NULL;
    const bool own = first && first->kind == JSON_STRING;
    buf more = BUF_INIT;
    buf_char(b, '[');
    if (tools) {
        describe_tools(tools, own, &more);
        write_with(b, "system", own ? first->text : STR_LIT(""), buf_view(&more));
        if (own) m = m->next;
    }
    for (; m; m = m->next) {
        const json *calls = json_get(m, "tool_calls"), *text = json_get(m, "content");
        const str content = text && text->kind == JSON_STRING ? text->text : STR_LIT("");
        buf_clear(&more);
        if (b->p[b->len - 1] != '[') buf_char(b, ',');
        if (calls && calls->kind == JSON_ARRAY && calls->n) {
            describe_calls(calls, &more);
            write_with(b, "assistant", content, buf_view(&more));
        } else if (is_role(m, "tool")) {
            write_with(b, "user", STR_LIT("The tool answers: "), content);
        } else {
            json_write(b, m);
        }
    }
    b->failed |= more.failed;
    buf_char(b, ']');
    buf_free(&more);
}

/* Members of chat_template_kwargs stand in for those of the request. */
static void write_request(buf *b, const json *root, const json *tools, bool plain) {
    const json *more = json_get(root, "chat_template_kwargs");
    if (more && more->kind != JSON_OBJECT) more = NULL;
    buf_char(b, '{');
    for (const json *m = root->child; m && !b->failed; m = m->next) {
        const json *newer = more ? more->child : NULL;
        while (newer && !str_eq(newer->key, m->key)) newer = newer->next;
        if (newer || m == more || str_is(m->key, "tools") || str_is(m->key, "tool_choice"))
            continue;
        write_key(b, m->key);
        if (plain && str_is(m->key, "messages") && m->kind == JSON_ARRAY) write_plain(b, m, tools);
        else json_write(b, m);
    }
    for (const json *m = more ? more->child : NULL; m && !b->failed; m = m->next) {
        write_key(b, m->key);
        json_write(b, m);
    }
    if (tools && !plain && !b->failed) {
        write_key(b, STR_LIT("tools"));
        json_write(b, tools);
    }
    buf_char(b, '}');
}

/* In the arena, with room for `more` bytes behind it. */
static char *render(fields *f, server *s, str request, size_t more, size_t *len) {
    size_t cap = request.len + 4096;
    for (int round = 0; round < 2; round++) {
        err e;
        char *text = arena_alloc(&s->arena, cap + more);
        const status got =
            text ? rz_chat_render(s->model, request.p, request.len, text, cap, len, &e) : RZ_ENOMEM;
        if (!text) fields_fail(f, 500, "out of memory");
        else if (got < 0) fields_fail(f, got == RZ_EINVAL ? 400 : 500, "%s", e.text);
        if (f->status) return NULL;
        if (*len <= cap) return text;
        cap = *len;
    }
    fields_fail(f, 500, "the chat template gives another text every time");
    return NULL;
}

void dialog_render(fields *f, server *s, dialog *out) {
    *out = (dialog){.prompt = {"", 0}, .opening = {"", 0}};
    bool forced;
    str name, source = {NULL, 0};
    fields_find(f, "chat_template_kwargs", JSON_OBJECT);
    fields_need(f, "messages", JSON_ARRAY);
    out->tools = read_tools(f);
    read_choice(f, out, &forced, &name);
    if (f->status) return;
    source.p = rz_chat_template(s->model, &source.len, NULL);
    const bool plain = str_find(source, STR_LIT("tools")) < 0;
    out->family = tool_family_of(plain ? STR_LIT("") : source);
    buf request = BUF_INIT, open = BUF_INIT;
    if (forced) tool_opening(out->family, name, &open);
    write_request(&request, f->root, out->tools, plain);
    char *text = NULL;
    size_t len = 0;
    if (request.failed || open.failed) fields_fail(f, 500, "out of memory");
    else text = render(f, s, buf_view(&request), open.len, &len);
    if (text && open.len) memcpy(text + len, open.p, open.len);
    if (text) out->prompt = (str){text, len + open.len};
    if (text) out->opening = (str){text + len, open.len};
    buf_free(&request);
    buf_free(&open);
}

void dialog_attach(fields *f, const dialog *d, job *j, uint32_t i) {
    if (f->status || !d->tools) return;
    j->gen[i].tools = toolcall_new(d->family, d->tools);
    buf_str(&j->gen[i].text, d->opening);
    if (!j->gen[i].tools || j->gen[i].text.failed) fields_fail(f, 500, "out of memory");
}

void dialog_feed(gen *g, str text, const tool_sink *sink) {
    if (!g->tools && text.len) sink->text(sink->ud, text);
    if (g->tools && !toolcall_feed(g->tools, text, sink)) g->text.failed = true;
}

int dialog_finish(const job *j, gen *g, const tool_sink *sink, const char **text) {
    const int code = ask_trouble(j, g, text);
    return !code && g->tools && !toolcall_finish(g->tools, sink) ? 500 : code;
}

bool dialog_take_apart(gen *g, const tool_sink *sink) {
    if (!g->tools) sink->text(sink->ud, buf_view(&g->text));
    return !g->tools ||
           (toolcall_feed(g->tools, buf_view(&g->text), sink) && toolcall_finish(g->tools, sink));
}

void dialog_call_id(uint64_t answer, uint32_t n, char out[10]) {
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    /* splitmix64, so that neighbours look nothing alike. */
    uint64_t z = answer + (n + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    for (int i = 0; i < 9; i++, z /= 62) out[i] = digits[z % 62];
    out[9] = 0;
}

void dialog_translate(fields *f, server *s, buf *request, dialog *out) {
    json *root = NULL;
    *out = (dialog){.prompt = {"", 0}, .opening = {"", 0}};
    const char *text = request->failed ? NULL : arena_copy(&s->arena, request->p, request->len);
    if (!text || json_parse(&root, (str){text, request->len}, &s->arena, NULL) < 0)
        fields_fail(f, 500, "out of memory");
    buf_free(request);
    if (f->status) return;
    fields inner = {.root = root};
    dialog_render(&inner, s, out);
    if (inner.status) fields_fail(f, inner.status, "%s", inner.text);
}

job *dialog_start(fields *f, conn *c, const job_type *type, const dialog *d, const rz_params *p) {
    job *j = f->status ? NULL : job_new(c, type, 1);
    c->srv->metrics.requests++;
    if (!j) {
        fields_fail(f, 500, "out of memory");
        return NULL;
    }
    j->openai = (openai_reply){
        .id = os_random_u64(), .created_s = os_unix_ms() / 1000, .chat = true, .single = d->single};
    if (d->fill) fim_prompt(f, j, 0, d->fill);
    else ask_prompt(f, j, 0, d->prompt);
    dialog_attach(f, d, j, 0);
    ask_submit(f, j, 0, p);
    if (!f->status) return j;
    job_leave(j);
    return NULL;
}
