/* chat.c - finding a model's chat template and giving it what it expects.
 *
 * Templates are written for transformers, which hands them plain texts and parsed arguments; the
 * requests come in the shape of OpenAI's API. What differs is settled here, once. */
#include "tokenizer/chat.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"

enum { MAX_TEMPLATE = 1 << 20, MAX_CONFIG = 1 << 24 };

static const char chatml[] =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + (m.content or '') + '<|im_end|>\n' "
    "}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
static const char role_lines[] =
    "{% for m in messages %}{{ '<|' + m.role + '|>\n' + (m.content or '') + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}";

struct chat {
    arena mem;
    const tok *tok;
    str source;
    const char *from;
    jinja *template; /* NULL: `why` says what is wrong with it */
    err why;
    str bos, eos; /* as spelled in the vocabulary, "" for none */
    bool built_in;
};

/* ---- finding it ---- */

static status keep(chat *c, str source, const char *from, err *e) {
    c->source = (str){arena_copy(&c->mem, source.p, source.len), source.len};
    c->from = from;
    return c->source.p ? RZ_OK : err_set(e, RZ_ENOMEM, "%s: out of memory", from);
}

/* "folder/name" whole into the chat's memory; p NULL: there is no file that can be read. */
static status read_beside(chat *c, const char *folder, const char *name, size_t max, str *out,
                          err *e) {
    const size_t len = strlen(folder) + strlen(name) + 2;
    char *path = arena_alloc(&c->mem, len), *text = NULL;
    size_t n = 0;
    *out = (str){NULL, 0};
    if (!path) return err_set(e, RZ_ENOMEM, "%s: out of memory", folder);
    snprintf(path, len, "%s/%s", folder, name);
    if (os_path_kind(path) != OS_FILE) return RZ_OK;
    const status got = os_read_file(path, max, &text, &n, e);
    if (got < 0) return got == RZ_ENOMEM ? got : RZ_OK;
    *out = (str){arena_copy(&c->mem, text, n), n};
    mem_free(text);
    return out->p ? RZ_OK : err_set(e, RZ_ENOMEM, "%s: out of memory", path);
}

/* `chat_template` of tokenizer_config.json: a text, or a list of {name, template}. */
static str in_config(const json *root) {
    const json *v = json_get(root, "chat_template");
    if (v && v->kind == JSON_STRING) return v->text;
    const json *first = v && v->kind == JSON_ARRAY ? v->child : NULL, *chosen = first;
    for (const json *m = first; m; m = m->next) {
        const json *name = json_get(m, "name");
        if (name && name->kind == JSON_STRING && str_is(name->text, "default")) chosen = m;
    }
    const json *text = json_get(chosen, "template");
    return text && text->kind == JSON_STRING ? text->text : (str){NULL, 0};
}

/* c->source stays empty when the folder has no template. */
static status find_in_folder(chat *c, const char *folder, err *e) {
    str file, config;
    json *root;
    TRY(read_beside(c, folder, "chat_template.jinja", MAX_TEMPLATE, &file, e));
    if (file.p) return keep(c, file, "chat_template.jinja", e);
    TRY(read_beside(c, folder, "tokenizer_config.json", MAX_CONFIG, &config, e));
    if (!config.p) return RZ_OK;
    const status got = json_parse_python(&root, config, &c->mem, e);
    if (got < 0) return got == RZ_ENOMEM ? got : RZ_OK;
    const str text = in_config(root);
    return text.p ? keep(c, text, "tokenizer_config.json", e) : RZ_OK;
}

static bool has_piece(const tok *t, str piece) {
    for (size_t id = 0; t && id < tok_size(t); id++)
        if (str_eq(tok_piece(t, (int32_t)id), piece)) return true;
    return false;
}

static status find(chat *c, const tensor_file *f, err *e) {
    str text = {NULL, 0};
    if (meta_str(f, "tokenizer.chat_template", &text, NULL) == RZ_OK && text.len)
        return keep(c, text, "the model file", e);
    if (f->folder) TRY(find_in_folder(c, f->folder, e));
    if (c->source.p) return RZ_OK;
    c->built_in = true;
    return has_piece(c->tok, STR_LIT("<|im_start|>"))
               ? keep(c, str_of(chatml), "built-in ChatML", e)
               : keep(c, str_of(role_lines), "built-in role lines", e);
}

static str spelled(const tok *t, rz_special which) {
    const int32_t id = t ? tok_special(t, which) : -1;
    const str piece = id >= 0 ? tok_piece(t, id) : (str){NULL, 0};
    return piece.p ? piece : STR_LIT("");
}

status chat_open(chat **out, const tensor_file *f, const tok *t, err *e) {
    chat *c = mem_zero(sizeof *c);
    if (!c) return err_set(e, RZ_ENOMEM, "%s: out of memory", f->path);
    c->tok = t;
    c->bos = spelled(t, RZ_BOS);
    c->eos = spelled(t, RZ_EOS);
    status got = find(c, f, e);
    if (got == RZ_OK && jinja_compile(&c->template, c->source, &c->why) == RZ_ENOMEM)
        got = err_set(e, RZ_ENOMEM, "%s: out of memory", f->path);
    if (got < 0) {
        chat_close(c);
        return got;
    }
    *out = c;
    return RZ_OK;
}

void chat_close(chat *c) {
    if (!c) return;
    jinja_free(c->template);
    arena_free(&c->mem);
    mem_free(c);
}

str chat_source(const chat *c, const char **from) {
    if (from) *from = c->from;
    return c->source;
}

bool chat_is_own(const chat *c) { return !c->built_in; }

/* ---- what the template sees ---- */

/* Members are copied one by one: the request is not ours to change. */
typedef struct builder {
    arena *mem;
    bool failed;
} builder;

static json *copy_of(builder *b, const json *v) {
    json *n = arena_alloc(b->mem, sizeof *n);
    if (!n) {
        b->failed = true;
        return NULL;
    }
    *n = *v;
    n->next = NULL;
    return n;
}

static json *text_value(builder *b, const char *key, str text) {
    return copy_of(b, &(json){.kind = JSON_STRING, .key = str_of(key), .text = text});
}

static void append(json *parent, json *child) {
    json **at = &parent->child;
    if (!child) return;
    while (*at) at = &(*at)->next;
    *at = child;
    parent->n++;
}

/* The texts of a list of parts, or NULL when it holds anything else. */
static json *joined_parts(builder *b, const json *parts) {
    buf text = BUF_INIT;
    for (const json *p = parts->child; p; p = p->next) {
        const json *type = json_get(p, "type"), *words = json_get(p, "text");
        if (!type || type->kind != JSON_STRING || !str_is(type->text, "text") || !words ||
            words->kind != JSON_STRING) {
            buf_free(&text);
            return NULL;
        }
        if (p != parts->child) buf_char(&text, '\n');
        buf_str(&text, words->text);
    }
    const char *copy = text.failed ? NULL : arena_copy(b->mem, text.p, text.len);
    b->failed |= !copy;
    json *v = text_value(b, "content", (str){copy, text.len});
    buf_free(&text);
    return v;
}

static json *with_children(builder *b, const json *v, json *(*change)(builder *, const json *)) {
    json *n = copy_of(b, v);
    if (!n) return NULL;
    json **at = &n->child;
    *at = NULL;
    for (const json *m = v->child; m && !b->failed; m = m->next) {
        *at = change(b, m);
        if (*at) at = &(*at)->next;
    }
    return n;
}

/* "arguments": "{...}" becomes the object. */
static json *call_member(builder *b, const json *v) {
    if (v->kind == JSON_OBJECT) return with_children(b, v, call_member);
    json *parsed;
    if (v->kind != JSON_STRING || !str_is(v->key, "arguments") ||
        json_parse(&parsed, v->text, b->mem, NULL) < 0 || parsed->kind != JSON_OBJECT)
        return copy_of(b, v);
    parsed->key = v->key;
    return parsed;
}

static json *call_in_list(builder *b, const json *v) { return with_children(b, v, call_member); }

static json *message_member(builder *b, const json *v) {
    if (v->kind == JSON_ARRAY && str_is(v->key, "content")) {
        json *text = joined_parts(b, v);
        return text ? text : copy_of(b, v);
    }
    if (v->kind == JSON_ARRAY && str_is(v->key, "tool_calls"))
        return with_children(b, v, call_in_list);
    return copy_of(b, v);
}

static json *message(builder *b, const json *v) { return with_children(b, v, message_member); }

static json *request_member(builder *b, const json *v) {
    return str_is(v->key, "messages") ? with_children(b, v, message) : copy_of(b, v);
}

static status check(const json *request, err *e) {
    const json *list = json_get(request, "messages");
    if (!list || list->kind != JSON_ARRAY || list->n == 0)
        return err_set(e, RZ_EINVAL, "`messages` must be a list of at least one message");
    size_t i = 0;
    for (const json *m = list->child; m; m = m->next, i++) {
        const json *role = json_get(m, "role"), *content = json_get(m, "content");
        if (m->kind != JSON_OBJECT || !role || role->kind != JSON_STRING)
            return err_set(e, RZ_EINVAL, "messages[%zu] must be an object with a text `role`", i);
        if (content && content->kind != JSON_STRING && content->kind != JSON_ARRAY &&
            content->kind != JSON_NULL)
            return err_set(e, RZ_EINVAL, "messages[%zu].content must be a text or a list, not %s",
                           i, json_kind_name(content->kind));
    }
    return RZ_OK;
}

/* Variables the request does not give itself. */
static void add_missing(builder *b, const chat *c, json *vars) {
    if (!json_get(vars, "bos_token")) append(vars, text_value(b, "bos_token", c->bos));
    if (!json_get(vars, "eos_token")) append(vars, text_value(b, "eos_token", c->eos));
    if (!json_get(vars, "add_generation_prompt"))
        append(vars, copy_of(b, &(json){.kind = JSON_BOOL,
                                        .truth = true,
                                        .key = STR_LIT("add_generation_prompt")}));
    if (!json_get(vars, "tools"))
        append(vars, copy_of(b, &(json){.kind = JSON_NULL, .key = STR_LIT("tools")}));
}

/* Does encoding put the mark in front by itself? */
static bool encoder_adds_bos(const chat *c) {
    tok_ids ids = {0};
    const bool adds =
        c->tok && tok_encode(c->tok, STR_LIT(""), TOK_BOS, &ids, NULL) == RZ_OK && ids.n;
    tok_ids_free(&ids);
    return adds;
}

status chat_render(const chat *c, const json *request, buf *out, err *e) {
    TRY(check(request, e));
    if (!c->template)
        return err_set(e, RZ_EUNSUPPORTED, "the chat template of %s cannot be used: %s", c->from,
                       c->why.text);
    arena mem = ARENA_INIT;
    builder b = {.mem = &mem};
    jinja_limits lim = JINJA_LIMITS_DEFAULT;
    buf text = BUF_INIT;
    lim.unix_s = (int64_t)(os_unix_ms() / 1000);
    json *vars = with_children(&b, request, request_member);
    if (vars) add_missing(&b, c, vars);
    status got = b.failed ? err_set(e, RZ_ENOMEM, "chat template: out of memory")
                          : jinja_render(c->template, vars, &lim, &text, e);
    if (got == RZ_OK) {
        const bool twice = c->bos.len && str_starts(buf_view(&text), c->bos) && encoder_adds_bos(c);
        const size_t from = twice ? c->bos.len : 0;
        buf_add(out, text.p + from, text.len - from);
        if (out->failed) got = err_set(e, RZ_ENOMEM, "chat template: out of memory");
    }
    buf_free(&text);
    arena_free(&mem);
    return got;
}
