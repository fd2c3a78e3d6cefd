/* shapes.c - see shapes.h. The grammar least recently asked for makes room; requests that run with
 * it keep it alive by themselves. */
#include "server/shapes.h"

#include "base/buf.h"
#include "base/mem.h"

enum { MAX_SHAPES = 16 };

typedef struct shape {
    rz_grammar_kind kind;
    buf text;
    rz_grammar *made;
    uint64_t used;
} shape;

struct shapes {
    shape item[MAX_SHAPES];
    uint64_t now;
};

static void drop(shape *s) {
    rz_grammar_free(s->made);
    buf_free(&s->text);
    *s = (shape){0};
}

void shapes_done(server *s) {
    for (size_t i = 0; s->shapes && i < MAX_SHAPES; i++) drop(&s->shapes->item[i]);
    mem_free(s->shapes);
    s->shapes = NULL;
}

/* The grammar for that text, made when it is not there. */
static const rz_grammar *find(fields *f, server *s, rz_grammar_kind kind, str text) {
    err e;
    if (!s->shapes) s->shapes = mem_zero(sizeof *s->shapes);
    if (!s->shapes) {
        fields_fail(f, 500, "out of memory");
        return NULL;
    }
    shape *oldest = &s->shapes->item[0];
    s->shapes->now++;
    for (size_t i = 0; i < MAX_SHAPES; i++) {
        shape *h = &s->shapes->item[i];
        if (h->made && h->kind == kind && str_eq(buf_view(&h->text), text)) {
            h->used = s->shapes->now;
            return h->made;
        }
        if (h->used < oldest->used) oldest = h;
    }
    rz_grammar *made = NULL;
    const status got = rz_grammar_new(&made, s->tokenizer, kind, text.p, text.len, &e);
    if (got < 0) {
        fields_fail(f, got == RZ_ENOMEM ? 500 : 400, "%s", e.text);
        return NULL;
    }
    drop(oldest);
    *oldest = (shape){.kind = kind, .made = made, .used = s->shapes->now};
    buf_str(&oldest->text, text);
    if (!oldest->text.failed) return made;
    drop(oldest);
    fields_fail(f, 500, "out of memory");
    return NULL;
}

static const rz_grammar *by_schema(fields *f, server *s, const json *schema) {
    buf text = BUF_INIT;
    const rz_grammar *made = NULL;
    json_write(&text, schema);
    if (text.failed) fields_fail(f, 500, "out of memory");
    else made = find(f, s, RZ_GRAMMAR_SCHEMA, buf_view(&text));
    buf_free(&text);
    return made;
}

/* {"type":"json_object"}, with "schema" as llama-server takes it, or {"type":"json_schema",
 * "json_schema":{"schema":...}}. */
static const rz_grammar *by_format(fields *f, server *s, const json *format) {
    const json *type = json_get(format, "type"), *schema = json_get(format, "schema");
    const str name = type && type->kind == JSON_STRING ? type->text : STR_LIT("");
    if (str_is(name, "text")) return NULL;
    if (str_is(name, "json_object"))
        return schema ? by_schema(f, s, schema) : find(f, s, RZ_GRAMMAR_JSON, STR_LIT(""));
    if (!str_is(name, "json_schema")) {
        fields_fail(f, 400,
                    "field `response_format`: `type` must be text, json_object or json_schema");
        return NULL;
    }
    const json *inner = json_get(format, "json_schema");
    if (inner) schema = json_get(inner, "schema");
    if (schema) return by_schema(f, s, schema);
    fields_fail(f, 400, "field `response_format`: `json_schema` must hold a `schema`");
    return NULL;
}

void shapes_format(fields *f, server *s, const json *format, rz_params *p) {
    if (!format || format->kind == JSON_NULL || f->status) return;
    if (format->kind == JSON_OBJECT) p->grammar = by_schema(f, s, format);
    else if (format->kind == JSON_STRING && str_is(format->text, "json"))
        p->grammar = find(f, s, RZ_GRAMMAR_JSON, STR_LIT(""));
    else if (format->kind != JSON_STRING || format->text.len)
        fields_fail(f, 400, "field `format` must be \"json\" or a JSON schema");
}

void shapes_read(fields *f, server *s, rz_params *p) {
    const json *format = fields_find(f, "response_format", JSON_OBJECT);
    const str rules = fields_text(f, "grammar", STR_LIT("")); /* "" is llama-server's for none */
    const str regex = fields_text(f, "regex", STR_LIT(""));
    const json *schema = fields_has(f, "json_schema") ? json_get(f->root, "json_schema") : NULL;
    if (f->status) return;
    if ((rules.len != 0) + (regex.len != 0) + (schema != NULL) > 1) {
        fields_fail(f, 400, "only one of `grammar`, `json_schema` and `regex` can hold");
        return;
    }
    if (format) p->grammar = by_format(f, s, format);
    if (p->grammar && (rules.len || regex.len || schema))
        fields_fail(f, 400, "field `response_format` and another shape of the answer");
    else if (rules.len) p->grammar = find(f, s, RZ_GRAMMAR_GBNF, rules);
    else if (regex.len) p->grammar = find(f, s, RZ_GRAMMAR_REGEX, regex);
    else if (schema) p->grammar = by_schema(f, s, schema);
}
