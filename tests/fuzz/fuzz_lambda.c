/* fuzz_lambda.c - any bytes as an event of AWS Lambda: what is made of them is refused, or is one
 * request by the server's own parser, with nothing behind it. The same bytes are read as an answer
 * of the runtime API. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "json/json.h"
#include "lambda/envelope.h"
#include "lambda/event.h"
#include "lambda/wire.h"
#include "server/http.h"

static void check_event(str text) {
    const limits lim = {.line_bytes = 60000, .head_bytes = 60000, .headers = HTTP_MAX_HEADERS};
    arena mem = ARENA_INIT;
    event ev;
    event_read(&ev, text, STR_LIT("Root=1"), &mem);
    if (!ev.code) {
        http_request r;
        http_reset(&r);
        const http_result got = http_head(&r, ev.request.p, ev.request.len, &lim);
        const bool over = got == HTTP_BAD && (r.status == 414 || r.status == 431);
        const bool unknown = got == HTTP_BAD && r.status == 501;
        if (!over && !unknown &&
            !(got == HTTP_DONE && r.has_length && !r.chunked &&
              r.head_len + r.length == ev.request.len))
            abort();
    } else if (!ev.why[0]) {
        abort();
    }
    buf_free(&ev.request);
    arena_free(&mem);
}

static void check_answer(str bytes) {
    int pair[2];
    wire w = WIRE_INIT;
    wire_answer a = {.head = BUF_INIT};
    buf body = BUF_INIT, out = BUF_INIT;
    const event ev = {.kind = EVENT_ALB, .lists = true};
    err e = {0};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0) return;
    if (bytes.len) (void)!send(pair[1], bytes.p, bytes.len, MSG_NOSIGNAL);
    close(pair[1]);
    w.fd = pair[0];
    if (wire_head(&w, &a, &e) >= 0 && wire_all(&w, &a, 1 << 20, &body, &e) >= 0) {
        envelope_write(&out, &ev, &a, buf_view(&body));
        json *v = NULL;
        arena mem = ARENA_INIT;
        if (json_parse(&v, buf_view(&out), &mem, &e) < 0) abort();
        arena_free(&mem);
    }
    wire_done(&w);
    buf_free(&a.head);
    buf_free(&body);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const str all = {(const char *)data, size};
    check_event(all);
    check_answer(all);
    return 0;
}
