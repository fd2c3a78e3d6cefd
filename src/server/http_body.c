/* http_body.c - chunked request bodies, decoded in place. Extensions and trailer fields are checked
 * like headers and then forgotten. */
#include "server/http.h"

#include <string.h>

enum { PHASE_SIZE, PHASE_DATA, PHASE_DATA_END, PHASE_TRAILER };
enum { MAX_SIZE_LINE = 256 }; /* with its CRLF */

static http_result bad(http_chunks *c, int status, const char *why) {
    c->status = status;
    c->why = why;
    return HTTP_BAD;
}

static bool is_text(const char *p, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (((uint8_t)p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f) return false;
    return true;
}

/* "1a;name=value" */
static http_result take_size(http_chunks *c, str line, const limits *lim) {
    uint64_t size = 0;
    size_t i = 0;
    for (; i < line.len && str_hex_digit(line.p[i]) >= 0; i++) {
        if (size >> 60) return bad(c, 413, "the request body is too large");
        size = size << 4 | (uint64_t)str_hex_digit(line.p[i]);
    }
    if (i == 0) return bad(c, 400, "a chunk size is malformed");
    const str rest = str_trim((str){line.p + i, line.len - i});
    if ((rest.len && rest.p[0] != ';') || !is_text(rest.p, rest.len))
        return bad(c, 400, "a chunk size is malformed");
    if (c->out > lim->body_bytes || size > lim->body_bytes - c->out)
        return bad(c, 413, "the request body is too large");
    c->left = size;
    c->phase = size ? PHASE_DATA : PHASE_TRAILER;
    return HTTP_PARTIAL;
}

static http_result take_trailer(http_chunks *c, str line) {
    if (line.len == 0) return HTTP_DONE;
    const char *colon = memchr(line.p, ':', line.len);
    if (!colon || colon == line.p || line.p[0] == ' ' || line.p[0] == '\t' ||
        !is_text(line.p, line.len))
        return bad(c, 400, "a trailer field is malformed");
    return HTTP_PARTIAL;
}

/* A size or trailer line at p[*at..len). HTTP_PARTIAL with *at unmoved: it is not complete. */
static http_result take_line(http_chunks *c, const char *p, size_t *at, size_t len,
                             const limits *lim) {
    const bool trailer = c->phase == PHASE_TRAILER;
    const size_t most = trailer ? lim->head_bytes - c->trailer : MAX_SIZE_LINE;
    const size_t have = len - *at < most ? len - *at : most;
    const char *lf = have ? memchr(p + *at, '\n', have) : NULL;
    if (!lf && have < most) return HTTP_PARTIAL;
    if (!lf && trailer) return bad(c, 431, "the trailer fields are too large");
    if (!lf) return bad(c, 400, "a chunk size line is too long");
    const size_t nl = (size_t)(lf - p);
    if (nl == *at || p[nl - 1] != '\r') return bad(c, 400, "a line does not end in CRLF");
    const str line = {p + *at, nl - 1 - *at};
    if (trailer) c->trailer += nl + 1 - *at;
    *at = nl + 1;
    return trailer ? take_trailer(c, line) : take_size(c, line, lim);
}

http_result http_chunked(http_chunks *c, char *p, size_t *len, const limits *lim) {
    if (c->status) return HTTP_BAD;
    size_t at = c->out;
    http_result res = HTTP_PARTIAL;
    for (;;) {
        const size_t have = *len - at;
        if (c->phase == PHASE_DATA) {
            const size_t n = c->left < have ? (size_t)c->left : have;
            memmove(p + c->out, p + at, n);
            c->out += n;
            at += n;
            c->left -= n;
            if (c->left) break;
            c->phase = PHASE_DATA_END;
        } else if (c->phase == PHASE_DATA_END) {
            if ((have > 0 && p[at] != '\r') || (have > 1 && p[at + 1] != '\n'))
                return bad(c, 400, "a chunk is longer than its size");
            if (have < 2) break;
            at += 2;
            c->phase = PHASE_SIZE;
        } else {
            const size_t before = at;
            res = take_line(c, p, &at, *len, lim);
            if (res != HTTP_PARTIAL || at == before) break;
        }
    }
    if (res == HTTP_BAD) return HTTP_BAD;
    memmove(p + c->out, p + at, *len - at);
    *len -= at - c->out;
    return res;
}
