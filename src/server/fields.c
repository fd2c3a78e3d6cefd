/* fields.c - see fields.h. */
#include "server/fields.h"

#include <stdarg.h>
#include <stdio.h>

#include "server/reply.h"

void fields_fail(fields *f, int code, const char *fmt, ...) {
    f->root = NULL;
    if (f->status) return;
    f->status = code;
    va_list args;
    va_start(args, fmt);
    vsnprintf(f->text, sizeof f->text, fmt, args);
    va_end(args);
}

bool fields_failed(fields *f, conn *c) {
    if (!f->status) return false;
    reply_error(c, f->status, "%s", f->text);
    return true;
}

/* "application/json", "application/vnd.x+json", with or without parameters. */
static bool is_json(const http_request *r, const char *base) {
    if (r->content_type.at == 0) return false;
    str rest = http_at(base, r->content_type);
    const str type = str_trim(str_split(&rest, ';'));
    const str tail = STR_LIT("+json");
    return str_eq_nocase(type, STR_LIT("application/json")) ||
           (type.len > tail.len &&
            str_eq_nocase((str){type.p + type.len - tail.len, tail.len}, tail));
}

static void parse(fields *f, const call *in, bool any_type) {
    json *root;
    err e;
    f->root = NULL;
    f->status = 0;
    f->text[0] = 0;
    if (!any_type && !is_json(in->req, in->base)) {
        fields_fail(f, 415, "Expected request with `Content-Type: application/json`");
        return;
    }
    const status got = json_parse(&root, in->body, &in->srv->arena, &e);
    if (got == RZ_ENOMEM) fields_fail(f, 413, "The request body needs too much memory");
    else if (got < 0) fields_fail(f, 400, "Failed to parse the request body as JSON: %s", e.text);
    else if (root->kind != JSON_OBJECT)
        fields_fail(f, 422, "The request body must be a JSON object, not %s",
                    json_kind_name(root->kind));
    else f->root = root;
}

void fields_parse(fields *f, const call *in) { parse(f, in, false); }

void fields_parse_untyped(fields *f, const call *in) {
    parse(f, in, http_find(in->req, in->base, "origin").len == 0);
}

bool fields_has(const fields *f, const char *key) {
    const json *v = json_get(f->root, key);
    return v && v->kind != JSON_NULL;
}

/* "a string", "an object" */
static const char *article(json_kind k) { return k == JSON_ARRAY || k == JSON_OBJECT ? "an" : "a"; }

const json *fields_find(fields *f, const char *key, json_kind kind) {
    const json *v = json_get(f->root, key);
    if (!v || v->kind == JSON_NULL) return NULL;
    if (v->kind == kind) return v;
    fields_fail(f, 422, "field `%s` must be %s %s, not %s", key, article(kind),
                json_kind_name(kind), json_kind_name(v->kind));
    return NULL;
}

const json *fields_need(fields *f, const char *key, json_kind kind) {
    const json *v = fields_find(f, key, kind);
    if (!v) fields_fail(f, 422, "missing field `%s`", key);
    return v;
}

str fields_text(fields *f, const char *key, str absent) {
    const json *v = fields_find(f, key, JSON_STRING);
    return v ? v->text : absent;
}

str fields_need_text(fields *f, const char *key) {
    const json *v = fields_need(f, key, JSON_STRING);
    return v ? v->text : (str){"", 0};
}

int64_t fields_int(fields *f, const char *key, int64_t min, int64_t max, int64_t absent) {
    const json *v = fields_find(f, key, JSON_NUMBER);
    int64_t value;
    if (!v) return absent;
    if (json_int(v, min, max, &value)) return value;
    if (json_int(v, INT64_MIN, INT64_MAX, &value))
        fields_fail(f, 400, "field `%s` must be from %lld to %lld, not %.*s", key, (long long)min,
                    (long long)max, STR_FMT(v->text));
    else fields_fail(f, 422, "field `%s` must be an integer, not %.*s", key, STR_FMT(v->text));
    return absent;
}

uint64_t fields_u64(fields *f, const char *key, uint64_t absent) {
    const json *v = fields_find(f, key, JSON_NUMBER);
    uint64_t value;
    if (!v) return absent;
    /* As spelled: a double would lose the low bits. */
    if (str_u64(v->text, &value)) return value;
    fields_fail(f, 422, "field `%s` must be an integer from 0 to 18446744073709551615, not %.*s",
                key, STR_FMT(v->text));
    return absent;
}

double fields_number(fields *f, const char *key, double min, double max, double absent) {
    const json *v = fields_find(f, key, JSON_NUMBER);
    if (!v) return absent;
    if (v->number >= min && v->number <= max) return v->number;
    fields_fail(f, 400, "field `%s` must be from %g to %g, not %.*s", key, min, max,
                STR_FMT(v->text));
    return absent;
}

bool fields_bool(fields *f, const char *key, bool absent) {
    const json *v = fields_find(f, key, JSON_BOOL);
    return v ? v->truth : absent;
}
