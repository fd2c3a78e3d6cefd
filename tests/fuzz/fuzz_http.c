/* fuzz_http.c - any bytes as requests: head, then body by its framing, then the next request.
 *
 * The first byte chooses the limits and where the input is cut in two; the cut must not change what
 * comes out. What is accepted must lie inside the input and obey the limits. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "server/http.h"

static const limits choices[] = {
    {.line_bytes = 8192, .head_bytes = 32768, .headers = HTTP_MAX_HEADERS, .body_bytes = 1 << 20},
    {.line_bytes = 24, .head_bytes = 96, .headers = 3, .body_bytes = 7},
};

static void require(bool ok) {
    if (!ok) abort();
}

/* What came of one request: enough to compare two ways of feeding it. */
typedef struct outcome {
    http_result result;
    int code;
    http_request req;
    buf body;
    size_t rest; /* bytes of the input behind the request */
} outcome;

static void check_head(const http_request *r, const limits *lim) {
    require(r->head_len <= lim->head_bytes && r->n_header <= lim->headers);
    require(r->target.at + r->target.len <= r->head_len && r->target.len <= lim->line_bytes);
    require(r->path.len > 0 && r->path.at >= r->target.at);
    require(r->path.at + r->path.len <= r->target.at + r->target.len);
    require(!(r->chunked && r->has_length));
    for (uint32_t i = 0; i < r->n_header; i++) {
        require(r->header[i].name.len > 0);
        require(r->header[i].value.at + r->header[i].value.len < r->head_len);
    }
}

/* Feed p[0..len), first its first `cut` bytes, then all; each time from memory of exactly that
 * size, so that reading beyond is found. */
static void feed(outcome *o, const char *p, size_t len, size_t cut, const limits *lim) {
    http_chunks c = {0};
    http_reset(&o->req);
    char *kept = malloc(len ? len : 1);
    size_t have = 0, from = 0;
    o->result = HTTP_PARTIAL;
    o->code = 0;
    bool head = false;
    for (int step = 0; step < 2 && o->result == HTTP_PARTIAL; step++) {
        const size_t to = step ? len : cut;
        kept = realloc(kept, have + (to - from) + 1);
        memcpy(kept + have, p + from, to - from);
        have += to - from;
        from = to;
        char *exact = malloc(have ? have : 1);
        memcpy(exact, kept, have);
        http_result res = head ? HTTP_DONE : http_head(&o->req, exact, have, lim);
        o->code = o->req.status;
        head = res == HTTP_DONE;
        if (head) {
            check_head(&o->req, lim);
            size_t body = have - o->req.head_len, got = (size_t)o->req.length;
            if (o->req.chunked) {
                res = http_chunked(&c, exact + o->req.head_len, &body, lim);
                o->code = c.status;
                got = c.out;
                if (res != HTTP_BAD) require(c.out <= body && c.out <= lim->body_bytes);
                have = o->req.head_len + body;
                memcpy(kept, exact, have);
            } else {
                res = body >= o->req.length ? HTTP_DONE : HTTP_PARTIAL;
            }
            if (res == HTTP_DONE) {
                buf_add(&o->body, exact + o->req.head_len, got);
                o->rest = body - got + (len - from);
            }
        }
        o->result = res;
        free(exact);
    }
    free(kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    const limits *lim = &choices[data[0] & 1];
    const char *p = (const char *)data + 1;
    size_t len = size - 1;
    const size_t part = data[0] >> 1;
    for (int i = 0; i < 8 && len > 0; i++) {
        outcome whole = {0}, cut = {0};
        feed(&whole, p, len, len, lim);
        feed(&cut, p, len, len * part / 128, lim);
        require(whole.result == cut.result && whole.code == cut.code);
        require((whole.result == HTTP_BAD) == (whole.code != 0));
        if (whole.result == HTTP_DONE) {
            require(whole.rest == cut.rest && whole.rest < len);
            require(str_eq(buf_view(&whole.body), buf_view(&cut.body)));
        }
        const bool more = whole.result == HTTP_DONE;
        p += len - whole.rest;
        len = more ? whole.rest : 0;
        buf_free(&whole.body);
        buf_free(&cut.body);
    }
    return 0;
}
