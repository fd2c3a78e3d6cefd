/* event.c - see event.h. Nothing of an event reaches the request line or a field unchecked: paths
 * and queries are percent-encoded where they must be, fields are tokens and visible text. */
#include "lambda/event.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/base64.h"
#include "json/json.h"

/* A plain event goes where its member says, first match. */
static const struct {
    const char *member, *path;
} plain[] = {
    {"messages", "/v1/chat/completions"},
    {"prompt", "/generate"},
    {"prompts", "/batch/generate"},
    {"text", "/tokenize"},
    {"texts", "/batch/tokenize"},
    {"token_ids", "/detokenize"},
    {"features", "/predict"},
    {"instances", "/predict/batch"},
};

static void fail(event *ev, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void fail(event *ev, int code, const char *fmt, ...) {
    va_list args;
    if (ev->code) return;
    va_start(args, fmt);
    vsnprintf(ev->why, sizeof ev->why, fmt, args);
    va_end(args);
    ev->code = code;
}

/* The text of a member; absent when there is none. Another kind is an error. */
static str text(event *ev, const json *obj, const char *key, str absent) {
    const json *v = json_get(obj, key);
    if (!v || v->kind == JSON_NULL) return absent;
    if (v->kind == JSON_STRING) return v->text;
    fail(ev, 400, "event: \"%s\" must be a string, not %s", key, json_kind_name(v->kind));
    return absent;
}

static bool is_plain_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-._~", c);
}

/* Percent-encode what is neither a letter, a digit, "-._~" nor in `keep`. */
static void encode(buf *out, str s, const char *keep) {
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.p[i];
        if (c && (is_plain_letter(c) || strchr(keep, c))) buf_char(out, c);
        else buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}

#define PATH_KEEP "%/:@!$&'()*+,;="
#define QUERY_KEEP PATH_KEEP "?"

/* ---- fields ---- */

static bool is_token(str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!s.p[i] || (!is_plain_letter(s.p[i]) && !strchr("!#$%&'*+^`|", s.p[i]))) return false;
    return s.len > 0;
}

static bool is_visible(str s) {
    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 127) return false;
    return true;
}

/* About the connection to whoever spoke to Lambda, not about ours. */
static bool is_of_connection(str name) {
    static const char *const list[] = {"connection",
                                       "content-length",
                                       "expect",
                                       "host",
                                       "keep-alive",
                                       "proxy-connection",
                                       "te",
                                       "trailer",
                                       "upgrade",
                                       "transfer-encoding",
                                       "x-amzn-oidc-data"};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (str_eq_nocase(name, str_of(list[i]))) return true;
    return false;
}

static void write_field(event *ev, str name, const json *value) {
    if (value->kind == JSON_NULL || is_of_connection(name)) return;
    if (value->kind != JSON_STRING || !is_token(name) || !is_visible(value->text)) {
        fail(ev, 400, "event: header \"%.*s\" is none",
             STR_FMT(is_visible(name) ? name : STR_LIT("?")));
        return;
    }
    buf_str(&ev->request, name);
    buf_text(&ev->request, ": ");
    buf_str(&ev->request, str_trim(value->text));
    buf_text(&ev->request, "\r\n");
}

/* {"name":"value"} or {"name":["value",...]}. */
static void write_fields(event *ev, const json *fields) {
    if (!fields || fields->kind == JSON_NULL) return;
    if (fields->kind != JSON_OBJECT) {
        fail(ev, 400, "event: headers must be an object, not %s", json_kind_name(fields->kind));
        return;
    }
    for (const json *f = fields->child; f; f = f->next) {
        if (f->kind != JSON_ARRAY) write_field(ev, f->key, f);
        for (const json *v = f->kind == JSON_ARRAY ? f->child : NULL; v; v = v->next)
            write_field(ev, f->key, v);
    }
}

static bool has_field(const json *fields, const char *name) {
    for (const json *f = fields ? fields->child : NULL; f; f = f->next)
        if (fields->kind == JSON_OBJECT && str_eq_nocase(f->key, str_of(name))) return true;
    return false;
}

/* ---- requests ---- */

static void write_pair(buf *out, char *sep, str name, str value, const char *keep) {
    buf_char(out, *sep);
    *sep = '&';
    encode(out, name, keep);
    buf_char(out, '=');
    encode(out, value, keep);
}

/* {"name":"value"} or {"name":["value",...]}, as ?name=value&name=value. */
static void write_query(event *ev, const json *query, const char *keep) {
    char sep = '?';
    if (!query || query->kind == JSON_NULL) return;
    if (query->kind != JSON_OBJECT) {
        fail(ev, 400, "event: query parameters must be an object, not %s",
             json_kind_name(query->kind));
        return;
    }
    for (const json *q = query->child; q; q = q->next) {
        if (q->kind == JSON_STRING) write_pair(&ev->request, &sep, q->key, q->text, keep);
        for (const json *v = q->kind == JSON_ARRAY ? q->child : NULL; v; v = v->next)
            if (v->kind == JSON_STRING) write_pair(&ev->request, &sep, q->key, v->text, keep);
    }
}

static void write_line(event *ev, str method, str path) {
    for (size_t i = 0; i < method.len; i++)
        if (method.p[i] < 'A' || method.p[i] > 'Z') method.len = 0;
    if (!method.len || method.len > 16) fail(ev, 400, "event: the method is none");
    ev->head = str_is(method, "HEAD");
    buf_str(&ev->request, method);
    buf_char(&ev->request, ' ');
    if (!str_starts(path, STR_LIT("/"))) buf_char(&ev->request, '/');
    encode(&ev->request, path, PATH_KEEP);
}

/* The body's bytes: decoded into `mem` when they come as base64. */
static str read_body(event *ev, const json *root, arena *mem) {
    const str body = text(ev, root, "body", (str){"", 0});
    const json *coded = json_get(root, "isBase64Encoded");
    if (!body.len || !coded || coded->kind != JSON_BOOL || !coded->truth) return body;
    char *out = arena_alloc(mem, body.len);
    const size_t n = out ? base64_decode(body, out) : SIZE_MAX;
    if (!out) fail(ev, 500, "out of memory");
    else if (n == SIZE_MAX) fail(ev, 400, "event: \"body\" is not base64");
    return n == SIZE_MAX ? (str){"", 0} : (str){out, n};
}

static void write_end(event *ev, str trace, bool traced, str body) {
    if (trace.len && !traced && is_visible(trace)) {
        buf_text(&ev->request, "X-Amzn-Trace-Id: ");
        buf_str(&ev->request, trace);
        buf_text(&ev->request, "\r\n");
    }
    buf_printf(&ev->request, "Host: lambda\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
               body.len);
    buf_str(&ev->request, body);
}

/* Function URL and API Gateway's HTTP: path and query come as they were sent. */
static void read_v2(event *ev, const json *root, str trace, str body) {
    const json *context = json_get(root, "requestContext"), *headers = json_get(root, "headers");
    str path = text(ev, root, "rawPath", STR_LIT("/"));
    const str stage = text(ev, context, "stage", STR_LIT("$default"));
    const str query = text(ev, root, "rawQueryString", (str){"", 0});
    const json *cookies = json_get(root, "cookies");
    /* A named stage is in front of the path, and not of our routes. */
    if (!str_is(stage, "$default") && path.len > stage.len && path.p[0] == '/' &&
        str_starts((str){path.p + 1, path.len - 1}, stage) &&
        (path.len == stage.len + 1 || path.p[stage.len + 1] == '/'))
        path = (str){path.p + stage.len + 1, path.len - stage.len - 1};
    write_line(ev, text(ev, json_get(context, "http"), "method", (str){"", 0}), path);
    if (query.len) buf_char(&ev->request, '?');
    encode(&ev->request, query, QUERY_KEEP);
    buf_text(&ev->request, " HTTP/1.1\r\n");
    write_fields(ev, headers);
    for (const json *v = cookies && cookies->kind == JSON_ARRAY ? cookies->child : NULL; v;
         v = v->next)
        write_field(ev, STR_LIT("Cookie"), v);
    write_end(ev, trace, has_field(headers, "x-amzn-trace-id"), body);
}

static void read_v1(event *ev, const json *root, str trace, str body) {
    const json *many = json_get(root, "multiValueHeaders"), *one = json_get(root, "headers");
    const json *queries = json_get(root, "multiValueQueryStringParameters");
    const bool lists = many && many->kind == JSON_OBJECT;
    const json *headers = lists ? many : one;
    ev->lists = lists;
    write_line(ev, text(ev, root, "httpMethod", (str){"", 0}),
               text(ev, root, "path", STR_LIT("/")));
    /* A load balancer passes names and values on as they were sent, API Gateway decodes them. */
    if (!queries || queries->kind == JSON_NULL) queries = json_get(root, "queryStringParameters");
    write_query(ev, queries, ev->kind == EVENT_ALB ? "%+" : "");
    buf_text(&ev->request, " HTTP/1.1\r\n");
    write_fields(ev, headers);
    write_end(ev, trace, has_field(headers, "x-amzn-trace-id"), body);
}

/* {"path":"/tokenize","body":{...}}, {"action":"metrics"}, or the body of a route by itself. */
static void read_plain(event *ev, const json *root, str source, str trace) {
    const str action = text(ev, root, "action", (str){NULL, 0});
    str path = text(ev, root, "path", action);
    const json *inner = json_get(root, "body");
    buf own = BUF_INIT;
    str body = {"", 0};
    if (path.p && inner && inner->kind != JSON_NULL) {
        json_write(&own, inner);
        body = inner->kind == JSON_STRING ? inner->text : buf_view(&own);
    }
    for (size_t i = 0; !path.p && i < sizeof plain / sizeof *plain; i++) {
        if (!json_get(root, plain[i].member)) continue;
        path = str_of(plain[i].path);
        body = source;
    }
    if (!path.p)
        fail(ev, 400,
             "event: no request in it, and none of messages, prompt, prompts, text, texts, "
             "token_ids, features, instances, path or action");
    write_line(ev, text(ev, root, "method", body.len ? STR_LIT("POST") : STR_LIT("GET")), path);
    buf_text(&ev->request, " HTTP/1.1\r\n");
    if (body.len) buf_text(&ev->request, "Content-Type: application/json\r\n");
    write_end(ev, trace, false, body);
    ev->request.failed |= own.failed;
    buf_free(&own);
}

void event_read(event *ev, str source, str trace, arena *mem) {
    json *root = NULL;
    err e = {0};
    *ev = (event){.kind = EVENT_PLAIN, .request = BUF_INIT};
    if (json_parse(&root, source, mem, &e) < 0) {
        fail(ev, e.status == RZ_ENOMEM ? 500 : 400, "event: %.180s", e.text);
        return;
    }
    const json *context = json_get(root, "requestContext"), *version = json_get(root, "version");
    const bool v2 =
        json_get(json_get(context, "http"), "method") ||
        (version && version->kind == JSON_STRING && str_is(version->text, "2.0") && context);
    if (root->kind != JSON_OBJECT)
        fail(ev, 400, "event: it must be an object, not %s", json_kind_name(root->kind));
    else if (v2) ev->kind = EVENT_V2;
    else if (json_get(context, "elb")) ev->kind = EVENT_ALB;
    else if (json_get(root, "httpMethod")) ev->kind = EVENT_V1;
    const json *inner = json_get(root, "body");
    if (ev->kind != EVENT_PLAIN) {
        const str body = read_body(ev, root, mem);
        if (v2) read_v2(ev, root, trace, body);
        else read_v1(ev, root, trace, body);
    } else if (!ev->code && inner && inner->kind == JSON_STRING && !json_get(root, "path")) {
        /* A request's body in a bare envelope. */
        const str body = read_body(ev, root, mem);
        root = NULL;
        if (!ev->code && json_parse(&root, body, mem, &e) < 0)
            fail(ev, 400, "event: \"body\": %.160s", e.text);
        if (!ev->code) read_plain(ev, root, body, trace);
    } else if (!ev->code) {
        read_plain(ev, root, source, trace);
    }
    if (ev->request.failed) fail(ev, 500, "out of memory");
}
