/* reply.c - see reply.h. Head and body go into one buffer so that a reply is one send. The size of
 * a chunk is written as eight digits when it is opened and filled in when it is ended. */
#include "server/reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "json/json.h"
#include "server/router.h"

enum { CHUNK_DIGITS = 8, CHUNK_HEAD = CHUNK_DIGITS + 2 };

static const struct {
    int code;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *reply_reason(int code) {
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].code == code) return reasons[i].reason;
    return "Unknown";
}

void reply_number(buf *b, uint64_t v) {
    char digits[20];
    size_t n = sizeof digits;
    do digits[--n] = (char)('0' + v % 10);
    while (v /= 10);
    buf_add(b, digits + n, sizeof digits - n);
}

/* Everything up to the blank line. length < 0: not known. */
static void head(conn *c, int code, const char *type, int64_t length, const char *extra) {
    buf *o = conn_out(c);
    buf_str(o, STR_LIT("HTTP/1.1 "));
    reply_number(o, (uint64_t)code);
    buf_char(o, ' ');
    buf_text(o, reply_reason(code));
    buf_str(o, STR_LIT("\r\nDate: "));
    buf_add(o, server_date(c->srv), SERVER_DATE_LEN);
    if (type) {
        buf_str(o, STR_LIT("\r\nContent-Type: "));
        buf_text(o, type);
    }
    if (length >= 0 && code != 204 && code != 304) {
        buf_str(o, STR_LIT("\r\nContent-Length: "));
        reply_number(o, (uint64_t)length);
    }
    if (c->chunked) buf_str(o, STR_LIT("\r\nTransfer-Encoding: chunked"));
    if (!c->keep) buf_str(o, STR_LIT("\r\nConnection: close"));
    else if (c->old) buf_str(o, STR_LIT("\r\nConnection: keep-alive"));
    buf_str(o, STR_LIT("\r\n"));
    if (c->srv->cors) {
        buf_str(o, STR_LIT("Access-Control-Allow-Origin: "));
        buf_text(o, c->srv->cors);
        buf_str(o, STR_LIT("\r\n"));
    }
    if (extra) buf_text(o, extra);
    buf_str(o, STR_LIT("\r\n"));
    c->status = code;
    c->replied = true;
}

void reply_send(conn *c, int code, const char *type, str body, const char *extra) {
    head(c, code, type, (int64_t)body.len, extra);
    c->reply_bytes = body.len;
    if (!c->head_only) buf_str(conn_out(c), body);
    conn_finish(c);
}

buf *reply_body(server *s) {
    buf_clear(&s->body);
    return &s->body;
}

void reply_json(conn *c, const buf *body) {
    if (body->failed) reply_error(c, 500, "out of memory");
    else reply_send(c, 200, REPLY_JSON, buf_view(body), NULL);
}

void reply_error_json(buf *b, str text) {
    buf_str(b, STR_LIT("{\"error\":"));
    json_write_string(b, text);
    buf_char(b, '}');
}

void reply_error(conn *c, int code, const char *fmt, ...) {
    char text[1024];
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    buf *b = reply_body(c->srv);
    reply_error_json(b, (str){text, len});
    if (b->failed) c->keep = false;
    reply_send(c, code, REPLY_JSON, buf_view(b), code == 503 ? "Retry-After: 1\r\n" : NULL);
}

void reply_allow(conn *c, int code, str path, const char *more) {
    buf lines = BUF_INIT;
    buf_text(&lines, "Allow: ");
    router_allow(path, &lines);
    buf_text(&lines, "\r\n");
    buf_text(&lines, more ? more : "");
    buf *b = reply_body(c->srv);
    if (code != 204) reply_error_json(b, STR_LIT("Method not allowed"));
    reply_send(c, code, code == 204 ? NULL : REPLY_JSON, buf_view(b), buf_cstr(&lines));
    buf_free(&lines);
}

void reply_begin(conn *c, int code, const char *type, const char *extra) {
    c->chunked = !c->old;
    if (c->old) c->keep = false; /* only the end of the connection can end this reply */
    c->reply_bytes = 0;
    head(c, code, type, -1, extra);
}

buf *reply_part(conn *c) {
    buf *o = conn_out(c);
    if (c->part == 0) {
        c->part = o->len + 1;
        if (c->chunked) buf_str(o, STR_LIT("00000000\r\n"));
    }
    return o;
}

void reply_part_end(conn *c) {
    if (c->part == 0) return;
    buf *o = conn_out(c);
    const size_t at = c->part - 1;
    c->part = 0;
    if (o->failed) return;
    const size_t skip = c->chunked ? CHUNK_HEAD : 0;
    size_t size = o->len - at - skip;
    c->reply_bytes += size;
    if (!c->chunked) return;
    if (size == 0) { /* an empty chunk would end the reply */
        o->len = at;
        return;
    }
    for (size_t i = CHUNK_DIGITS; i-- > 0; size >>= 4) o->p[at + i] = "0123456789abcdef"[size & 15];
    buf_str(o, STR_LIT("\r\n"));
}

void reply_end(conn *c) {
    reply_part_end(c);
    if (c->chunked) buf_str(conn_out(c), STR_LIT("0\r\n\r\n"));
    conn_finish(c);
}
