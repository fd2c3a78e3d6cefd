/* http.c - see http.h. A head is taken line by line: a line is looked at once, when its LF has
 * arrived, so a client that sends single bytes costs no more than one that sends a block. Limits
 * are checked on the unfinished line too, in the order in which the finished one would fail. */
#include "server/http.h"

#include <string.h>

enum { PHASE_REQUEST, PHASE_HEADERS, PHASE_DONE };
enum { SEEN_HOST = 1, SEEN_LENGTH = 2, SEEN_ENCODING = 4, SEEN_TYPE = 8 };
enum { MAX_BLANK_BEFORE = 8 }; /* bytes of empty lines tolerated before a request */

/* 1: may be in a token (RFC 9110, 5.6.2). 2: may be in a request target. 4: may be in a value. */
static const uint8_t class_of[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    4, 7, 6, 7, 7, 7, 7, 7, 6, 6, 7, 7, 6, 7, 7, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 6, 6, 6,
    6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 7, 6, 7, 0,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
};
enum { IN_TOKEN = 1, IN_TARGET = 2, IN_VALUE = 4 };

static bool all(const char *p, size_t len, uint8_t class) {
    uint8_t ok = class;
    for (size_t i = 0; i < len; i++) ok &= class_of[(uint8_t)p[i]];
    return ok != 0;
}

static const char *const method_name[] = {
#define ROW(name) #name,
    HTTP_METHOD_LIST(ROW)
#undef ROW
        "?"};

const char *http_method_name(http_method m) { return method_name[m]; }

void http_reset(http_request *r) {
    /* The header array is only read up to n_header. */
    r->method = HTTP_UNKNOWN_METHOD;
    r->target = r->path = r->query = r->content_type = (http_span){0, 0};
    r->minor = 0;
    r->keep_alive = r->chunked = r->has_length = r->expect_continue = false;
    r->length = 0;
    r->n_header = 0;
    r->head_len = 0;
    r->status = 0;
    r->why = NULL;
    r->line = r->scanned = 0;
    r->phase = PHASE_REQUEST;
    r->seen = 0;
}

static http_result bad(http_request *r, int status, const char *why) {
    r->status = status;
    r->why = why;
    return HTTP_BAD;
}

static http_span span(size_t from, size_t to) {
    return (http_span){(uint16_t)from, (uint16_t)(to - from)};
}

/* "GET", "/path?query", in p[from..to). */
static http_result take_target(http_request *r, const char *p, size_t from, size_t to) {
    r->target = span(from, to);
    str t = {p + from, to - from};
    if (r->method == HTTP_OPTIONS && str_is(t, "*")) {
        r->path = r->target;
        return HTTP_PARTIAL;
    }
    if (r->method != HTTP_CONNECT && t.p[0] != '/') { /* http://host/path, as proxies send it */
        const ptrdiff_t scheme = str_find(t, STR_LIT("://"));
        const char *slash = NULL;
        if (scheme > 0) {
            const size_t skip = (size_t)scheme + 3;
            slash = memchr(t.p + skip, '/', t.len - skip);
        }
        if (!slash) return bad(r, 400, "the request target is not a path");
        from = (size_t)(slash - p);
    }
    const char *mark = memchr(p + from, '?', to - from);
    const size_t end = mark ? (size_t)(mark - p) : to;
    r->path = span(from, end);
    if (mark) r->query = span(end + 1, to);
    return HTTP_PARTIAL;
}

static http_result take_request_line(http_request *r, const char *p, size_t end) {
    const char *at = p + r->line;
    const size_t len = end - r->line;
    const char *sp = memchr(at, ' ', len);
    const size_t method_len = sp ? (size_t)(sp - at) : 0;
    if (method_len == 0 || !all(at, method_len, IN_TOKEN))
        return bad(r, 400, "the request line is malformed");
    if (len < method_len + 10) return bad(r, 400, "the request line is malformed");
    /* The version is behind the last space: "HTTP/1.1". */
    const char *version = p + end - 8;
    if (version[-1] != ' ' || memcmp(version, "HTTP/", 5) != 0 || version[5] < '0' ||
        version[5] > '9' || version[6] != '.' || version[7] < '0' || version[7] > '9')
        return bad(r, 400, "the request line is malformed");
    const size_t from = r->line + method_len + 1, to = (size_t)(version - 1 - p);
    if (from >= to || !all(p + from, to - from, IN_TARGET))
        return bad(r, 400, "the request target is malformed");
    if (version[5] != '1') return bad(r, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    r->minor = version[7] == '0' ? 0 : 1;
    r->keep_alive = r->minor == 1;
    r->method = HTTP_UNKNOWN_METHOD;
    for (int m = 0; m < HTTP_UNKNOWN_METHOD; m++)
        if (str_eq((str){at, method_len}, str_of(method_name[m]))) r->method = (http_method)m;
    if (r->method == HTTP_UNKNOWN_METHOD) return bad(r, 501, "this method is not implemented");
    r->phase = PHASE_HEADERS;
    return take_target(r, p, from, to);
}

static http_result take_length(http_request *r, str v) {
    if (r->seen & SEEN_LENGTH) return bad(r, 400, "more than one Content-Length");
    r->seen |= SEEN_LENGTH;
    if (v.len == 0) return bad(r, 400, "Content-Length is not a number");
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] < '0' || v.p[i] > '9') return bad(r, 400, "Content-Length is not a number");
    if (!str_u64(v, &r->length)) return bad(r, 413, "the request body is too large");
    r->has_length = true;
    return HTTP_PARTIAL;
}

static http_result take_encoding(http_request *r, str v) {
    if (r->seen & SEEN_ENCODING) return bad(r, 400, "more than one Transfer-Encoding");
    r->seen |= SEEN_ENCODING;
    if (!str_eq_nocase(v, STR_LIT("chunked")))
        return bad(r, 501, "the only Transfer-Encoding implemented is chunked");
    r->chunked = true;
    return HTTP_PARTIAL;
}

static http_result take_connection(http_request *r, str v) {
    while (v.p) {
        const str word = str_trim(str_split(&v, ','));
        if (str_eq_nocase(word, STR_LIT("close"))) r->keep_alive = false;
        else if (r->minor == 0 && str_eq_nocase(word, STR_LIT("keep-alive"))) r->keep_alive = true;
    }
    return HTTP_PARTIAL;
}

/* The few headers that decide about framing and routing; the others are only remembered. */
static http_result know_header(http_request *r, str name, str v, http_span at) {
    switch (name.len) {
        case 4:
            if (!str_eq_nocase(name, STR_LIT("host"))) break;
            if (r->seen & SEEN_HOST) return bad(r, 400, "more than one Host header");
            r->seen |= SEEN_HOST;
            if (v.len && !all(v.p, v.len, IN_TARGET)) return bad(r, 400, "Host is malformed");
            break;
        case 6:
            if (!str_eq_nocase(name, STR_LIT("expect")) || r->minor == 0) break;
            if (!str_eq_nocase(v, STR_LIT("100-continue")))
                return bad(r, 417, "the only expectation met here is 100-continue");
            r->expect_continue = true;
            break;
        case 10:
            if (str_eq_nocase(name, STR_LIT("connection"))) return take_connection(r, v);
            break;
        case 12:
            if (!str_eq_nocase(name, STR_LIT("content-type"))) break;
            if (r->seen & SEEN_TYPE) return bad(r, 400, "more than one Content-Type");
            r->seen |= SEEN_TYPE;
            r->content_type = at;
            break;
        case 14:
            if (str_eq_nocase(name, STR_LIT("content-length"))) return take_length(r, v);
            break;
        case 17:
            if (str_eq_nocase(name, STR_LIT("transfer-encoding"))) return take_encoding(r, v);
            break;
        default:
            break;
    }
    return HTTP_PARTIAL;
}

/* "Name: value" in p[line..end). HTTP_PARTIAL means good so far. */
static http_result take_header(http_request *r, const char *p, size_t end, const limits *lim) {
    const char *at = p + r->line;
    if (*at == ' ' || *at == '\t') return bad(r, 400, "folded header lines are not accepted");
    const char *colon = memchr(at, ':', end - r->line);
    const size_t name_len = colon ? (size_t)(colon - at) : 0;
    if (name_len == 0 || !all(at, name_len, IN_TOKEN))
        return bad(r, 400, "a header name is malformed");
    size_t from = r->line + name_len + 1, to = end;
    while (from < to && (p[from] == ' ' || p[from] == '\t')) from++;
    while (to > from && (p[to - 1] == ' ' || p[to - 1] == '\t')) to--;
    if (!all(p + from, to - from, IN_VALUE)) return bad(r, 400, "a header value is malformed");
    if (r->n_header == HTTP_MAX_HEADERS || r->n_header >= lim->headers)
        return bad(r, 431, "too many header lines");
    r->header[r->n_header++] = (http_header){span(r->line, r->line + name_len), span(from, to)};
    return know_header(r, (str){at, name_len}, (str){p + from, to - from}, span(from, to));
}

static http_result finish_head(http_request *r, size_t head_len) {
    r->phase = PHASE_DONE;
    r->head_len = head_len;
    if (r->minor > 0 && !(r->seen & SEEN_HOST)) return bad(r, 400, "the Host header is missing");
    if (r->chunked && r->has_length)
        return bad(r, 400, "Content-Length together with Transfer-Encoding");
    if (r->chunked && r->minor == 0) return bad(r, 400, "HTTP/1.0 knows no Transfer-Encoding");
    return HTTP_DONE;
}

/* What can be said about the line that starts at r->line with `have` bytes of it (CR and LF
 * included when they are there) before looking at its contents. */
static http_result check_limits(http_request *r, const char *p, size_t have, size_t content,
                                const limits *lim) {
    if (r->phase == PHASE_REQUEST) {
        if (have && p[r->line] != '\r' && !all(p + r->line, 1, IN_TOKEN))
            return bad(r, 400, "this is not HTTP");
        if (r->line + (have && p[r->line] == '\r') > MAX_BLANK_BEFORE)
            return bad(r, 400, "this is not HTTP");
        if (content > lim->line_bytes) return bad(r, 414, "the request line is too long");
    }
    if (r->line + have > lim->head_bytes) return bad(r, 431, "the request head is too large");
    return HTTP_PARTIAL;
}

/* The line p[line..nl], nl being its LF. */
static http_result take_line(http_request *r, const char *p, size_t nl, const limits *lim) {
    const bool crlf = nl > r->line && p[nl - 1] == '\r';
    const size_t end = crlf ? nl - 1 : nl;
    if (check_limits(r, p, nl + 1 - r->line, end - r->line, lim) == HTTP_BAD) return HTTP_BAD;
    if (!crlf) return bad(r, 400, "a line does not end in CRLF");
    if (end == r->line) return r->phase == PHASE_REQUEST ? HTTP_PARTIAL : finish_head(r, nl + 1);
    return r->phase == PHASE_REQUEST ? take_request_line(r, p, end) : take_header(r, p, end, lim);
}

http_result http_head(http_request *r, const char *p, size_t len, const limits *lim) {
    if (r->status) return HTTP_BAD;
    for (;;) {
        const char *lf = len > r->scanned ? memchr(p + r->scanned, '\n', len - r->scanned) : NULL;
        if (!lf) {
            r->scanned = len;
            const size_t have = len - r->line;
            /* The last byte may be the CR of the line end. */
            return check_limits(r, p, have, have ? have - 1 : 0, lim);
        }
        const size_t nl = (size_t)(lf - p);
        const http_result res = take_line(r, p, nl, lim);
        if (res != HTTP_PARTIAL) return res;
        r->line = r->scanned = nl + 1;
    }
}

str http_find(const http_request *r, const char *base, const char *name) {
    const str want = str_of(name);
    for (uint32_t i = 0; i < r->n_header; i++)
        if (str_eq_nocase(http_at(base, r->header[i].name), want))
            return http_at(base, r->header[i].value);
    return (str){NULL, 0};
}
