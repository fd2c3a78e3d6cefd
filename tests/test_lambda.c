/* test_lambda.c - Lambda events become exactly one request each, answers the envelope their source
 * reads. The loop itself and the runtime API: tests/e2e/lambda.sh. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/rng.h"
#include "lambda/envelope.h"
#include "lambda/event.h"
#include "lambda/wire.h"
#include "server/http.h"
#include "serving.h"
#include "test.h"

#define TAIL "Host: lambda\r\nConnection: close\r\nContent-Length: "

static const struct {
    const char *event, *request; /* request: its beginning up to TAIL, then length and body */
    event_kind kind;
} good[] = {
    {"{\"prompt\":\"a\"}",
     "POST /generate HTTP/1.1\r\nContent-Type: application/json\r\n" TAIL
     "14\r\n\r\n{\"prompt\":\"a\"}",
     EVENT_PLAIN},
    {"{\"features\":[1]}",
     "POST /predict HTTP/1.1\r\nContent-Type: application/json\r\n" TAIL
     "16\r\n\r\n{\"features\":[1]}",
     EVENT_PLAIN},
    {"{\"action\":\"metrics\"}", "GET /metrics HTTP/1.1\r\n" TAIL "0\r\n\r\n", EVENT_PLAIN},
    {"{\"path\":\"/tokenize\",\"body\":{\"text\":\"a\"}}",
     "POST /tokenize HTTP/1.1\r\nContent-Type: application/json\r\n" TAIL
     "12\r\n\r\n{\"text\":\"a\"}",
     EVENT_PLAIN},
    {"{\"body\":\"eyJ0ZXh0IjoiYSJ9\",\"isBase64Encoded\":true}",
     "POST /tokenize HTTP/1.1\r\nContent-Type: application/json\r\n" TAIL
     "12\r\n\r\n{\"text\":\"a\"}",
     EVENT_PLAIN},
    {"{\"version\":\"2.0\",\"rawPath\":\"/v1/a%20b\",\"rawQueryString\":\"a=%20&b=c d\","
     "\"cookies\":[\"x=y\"],\"headers\":{\"Accept\":\"*/*\",\"Host\":\"h\",\"X-A\":null},"
     "\"requestContext\":{\"http\":{\"method\":\"GET\"},\"stage\":\"$default\"}}",
     "GET /v1/a%20b?a=%20&b=c%20d HTTP/1.1\r\nAccept: */*\r\nCookie: x=y\r\n" TAIL "0\r\n\r\n",
     EVENT_V2},
    {"{\"version\":\"2.0\",\"rawPath\":\"/s/health\",\"requestContext\":{\"http\":{\"method\":"
     "\"GET\"},\"stage\":\"s\"}}",
     "GET /health HTTP/1.1\r\n" TAIL "0\r\n\r\n", EVENT_V2},
    {"{\"httpMethod\":\"PUT\",\"path\":\"/a b?\\r\\nc\",\"requestContext\":{},"
     "\"multiValueHeaders\":{\"A\":[\"1\",\"2\"]},\"headers\":{\"A\":\"2\"},"
     "\"multiValueQueryStringParameters\":{\"q\":[\"1&2\",\"%\"]},\"body\":\"xyz\"}",
     "PUT /a%20b%3F%0D%0Ac?q=1%262&q=%25 HTTP/1.1\r\nA: 1\r\nA: 2\r\n" TAIL "3\r\n\r\nxyz",
     EVENT_V1},
    {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"requestContext\":{\"elb\":{}},"
     "\"queryStringParameters\":{\"q\":\"%20+1\"},\"headers\":{\"Transfer-Encoding\":\"chunked\"}}",
     "GET /?q=%20+1 HTTP/1.1\r\n" TAIL "0\r\n\r\n", EVENT_ALB},
};

static void test_events_become_requests(void) {
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        arena mem = ARENA_INIT;
        event ev;
        event_read(&ev, str_of(good[i].event), (str){"", 0}, &mem);
        CHECK_MSG(!ev.code && ev.kind == good[i].kind, "%s: %s", good[i].event, ev.why);
        CHECK_STR(buf_cstr(&ev.request), good[i].request);
        buf_free(&ev.request);
        arena_free(&mem);
    }
}

static void test_the_trace_is_passed_on_once(void) {
    static const char own[] =
        "{\"requestContext\":{\"http\":{\"method\":\"GET\"}},\"headers\":{\"X-Amzn-Trace-Id\":"
        "\"own\"}}";
    for (int i = 0; i < 2; i++) {
        arena mem = ARENA_INIT;
        event ev;
        event_read(&ev, str_of(i ? own : "{\"action\":\"health\"}"), STR_LIT("Root=1"), &mem);
        const char *request = buf_cstr(&ev.request);
        CHECK_MSG(
            strstr(request, i ? "\r\nX-Amzn-Trace-Id: own\r\n" : "\r\nX-Amzn-Trace-Id: Root=1\r\n"),
            "%s", request);
        CHECK(!i || !strstr(request, "Root=1"));
        buf_free(&ev.request);
        arena_free(&mem);
    }
}

static void test_wrong_events_are_named(void) {
    static const struct {
        const char *event, *why;
    } list[] = {
        {"", "event: "},
        {"[]", "must be an object, not"},
        {"{}", "no request in it"},
        {"{\"path\":1}", "\"path\" must be a string"},
        {"{\"path\":\"/\",\"method\":\"get\"}", "the method is none"},
        {"{\"body\":\"=\",\"isBase64Encoded\":true}", "\"body\" is not base64"},
        {"{\"body\":\"{\"}", "event: \"body\": "},
        {"{\"httpMethod\":\"GET\",\"headers\":{\"a b\":\"c\"}}", "header \"a b\" is none"},
        {"{\"httpMethod\":\"GET\",\"headers\":{\"a\":\"b\\u0000\"}}", "header \"a\" is none"},
        {"{\"httpMethod\":\"GET\",\"headers\":{\"a\":\"b\\r\\n\"}}", "header \"a\" is none"},
        {"{\"httpMethod\":\"GET\",\"headers\":{\"\":\"b\"}}", "header \"\" is none"},
        {"{\"httpMethod\":\"GET\",\"headers\":[]}", "headers must be an object"},
        {"{\"httpMethod\":\"GET\",\"queryStringParameters\":\"a\"}", "query parameters must be"},
        {"{\"httpMethod\":\"GET\",\"body\":{}}", "\"body\" must be a string"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        arena mem = ARENA_INIT;
        event ev;
        event_read(&ev, str_of(list[i].event), (str){"", 0}, &mem);
        CHECK_MSG(ev.code == 400 && strstr(ev.why, list[i].why), "%s: %d %s", list[i].event,
                  ev.code, ev.why);
        buf_free(&ev.request);
        arena_free(&mem);
    }
}

/* Whatever is in an event: no request, or exactly one, with nothing behind it. */
static void check_one_request(str text) {
    const limits lim = {.line_bytes = 1 << 16, .head_bytes = 60000, .headers = HTTP_MAX_HEADERS};
    arena mem = ARENA_INIT;
    event ev;
    event_read(&ev, text, STR_LIT("Root=1"), &mem);
    if (!ev.code) {
        http_request r;
        http_reset(&r);
        const http_result got = http_head(&r, ev.request.p, ev.request.len, &lim);
        const bool unknown = got == HTTP_BAD && r.status == 501; /* a method nobody knows */
        CHECK_MSG(unknown || (got == HTTP_DONE && r.has_length && !r.chunked &&
                              r.head_len + r.length == ev.request.len),
                  "%.*s became %.*s", STR_FMT(text), STR_FMT(buf_view(&ev.request)));
    } else {
        CHECK(ev.why[0]);
    }
    buf_free(&ev.request);
    arena_free(&mem);
}

static void test_no_event_smuggles_a_second_request(void) {
    static const char *const bits[] = {"\\r\\n", "\\n", "\\u0000", " HTTP/1.1\\r\\n\\r\\n",
                                       "%",      ":",   "\"",      "\\u00e9",
                                       "{",      "1",   ",",       "\\\\"};
    uint64_t r = 7;
    for (int round = 0; round < 20000; round++) {
        const char *from = good[rng_below(&r, sizeof good / sizeof *good)].event;
        buf b = BUF_INIT;
        buf_text(&b, from);
        for (uint64_t n = rng_below(&r, 3) + 1; n; n--) {
            const size_t at = rng_below(&r, b.len);
            buf tail = BUF_INIT;
            buf_add(&tail, b.p + at, b.len - at);
            b.len = at;
            buf_text(&b, bits[rng_below(&r, sizeof bits / sizeof *bits)]);
            const size_t skip = rng_below(&r, 3) % (tail.len + 1);
            buf_add(&b, tail.p + skip, tail.len - skip);
            buf_free(&tail);
            if (!b.len) buf_char(&b, '{');
        }
        check_one_request(buf_view(&b));
        buf_free(&b);
    }
}

static void test_answers_get_the_envelope_of_their_event(void) {
    wire_answer a = {.head = BUF_INIT, .code = 200};
    event ev = {.kind = EVENT_V2};
    buf b = BUF_INIT;
    buf_text(&a.head,
             "HTTP/1.1 200 OK\r\nContent-Type: t\r\nConnection: close\r\nA: 1\r\na: 2\r\n");
    envelope_write(&b, &ev, &a, STR_LIT("\"x\""));
    CHECK_STR(buf_cstr(&b),
              "{\"statusCode\":200,\"headers\":{\"Content-Type\":\"t\",\"A\":\"1, 2\"},"
              "\"isBase64Encoded\":false,\"body\":\"\\\"x\\\"\"}");
    buf_clear(&b);
    ev.kind = EVENT_ALB;
    ev.lists = true;
    envelope_write(&b, &ev, &a, STR_LIT("\xff\x00"));
    CHECK_STR(buf_cstr(&b),
              "{\"statusCode\":200,\"statusDescription\":\"200 OK\",\"multiValueHeaders\":{"
              "\"Content-Type\":[\"t\"],\"A\":[\"1\",\"2\"]},\"isBase64Encoded\":true,"
              "\"body\":\"/wA=\"}");
    buf_free(&b);
    buf_free(&a.head);
}

/* ---- wire ---- */

/* What wire makes of an answer that comes in pieces of `step` bytes. */
static status hear_answer(const char *sent, size_t step, wire_answer *a, buf *body, err *e) {
    int pair[2];
    wire w = WIRE_INIT;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    w.fd = pair[0];
    *a = (wire_answer){.head = BUF_INIT};
    size_t at = 0;
    const size_t len = strlen(sent);
    /* All is in the socket before it is read; pieces are made by reading little at a time. */
    while (at < len) {
        const size_t n = len - at < step ? len - at : step;
        CHECK(send(pair[1], sent + at, n, MSG_NOSIGNAL) == (ssize_t)n);
        at += n;
    }
    close(pair[1]);
    status s = wire_head(&w, a, e);
    if (s >= 0) s = wire_all(&w, a, 1000, body, e);
    wire_done(&w);
    return s;
}

static void test_answers_are_read_however_they_end(void) {
    static const struct {
        const char *sent, *body; /* body NULL: refused with the text `why` */
        const char *why;
    } list[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", "abc", NULL},
        {"HTTP/1.1 200 OK\r\n\r\nabc", "abc", NULL},
        {"HTTP/1.1 204 No Content\r\n\r\nabc", "", NULL},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nA: "
         "b\r\n"
         "\r\n",
         "abc", NULL},
        {"", NULL, "closed without an answer"},
        {"HTTP/1.1 200 OK\r\n", NULL, "in the middle of an answer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", NULL, "in the middle of an answer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nab", NULL, "not HTTP/1.1"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", NULL,
         "not HTTP/1.1"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", NULL,
         "not HTTP/1.1"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", NULL, "not HTTP/1.1"},
        {"HTTP/2 200 OK\r\n\r\n", NULL, "not HTTP/1.1"},
        {"HTTP/1.1 xyz OK\r\n\r\n", NULL, "not HTTP/1.1"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        wire_answer a;
        buf body = BUF_INIT;
        err e = {0};
        const status s = hear_answer(list[i].sent, 7, &a, &body, &e);
        if (list[i].body) {
            CHECK_MSG(s == RZ_OK, "%s: %s", list[i].sent, e.text);
            CHECK_STR(buf_cstr(&body), list[i].body);
        } else {
            CHECK_MSG(s < 0 && strstr(e.text, list[i].why), "%s: %d %s", list[i].sent, (int)s,
                      e.text);
        }
        buf_free(&body);
        buf_free(&a.head);
    }
}

static void test_a_server_without_a_port_is_reached_from_within(void) {
    rz_server_options o = RZ_SERVER_INIT;
    running r;
    rz_error e;
    int fd = -1;
    buf b = BUF_INIT;
    if (!make_server(&r, NULL)) return;
    CHECK(rz_server_connect(r.server, &fd, &e) == RZ_EINVAL && strstr(e.text, "its port"));
    rz_server_free(r.server);
    o.port = -2;
    CHECK(rz_server_new(&r.server, r.engine, &o, &e) == RZ_OK);
    CHECK(rz_server_port(r.server) == 0);
    CHECK(rz_server_connect(r.server, &fd, &e) == RZ_OK); /* before it runs */
    start_server(&r);
    wire w = WIRE_INIT;
    wire_answer a = {.head = BUF_INIT};
    w.fd = fd;
    CHECK(wire_send(&w, STR_LIT("GET /health HTTP/1.1\r\nHost: h\r\n\r\n"), &e) == RZ_OK);
    CHECK(wire_head(&w, &a, &e) == RZ_OK && a.code == 200);
    CHECK(wire_all(&w, &a, 1000, &b, &e) == RZ_OK && strstr(buf_cstr(&b), "healthy"));
    wire_done(&w);
    buf_free(&a.head);
    buf_free(&b);
    stop_server(&r);
}

void suite_lambda(void) {
    RUN(test_events_become_requests);
    RUN(test_the_trace_is_passed_on_once);
    RUN(test_wrong_events_are_named);
    RUN(test_no_event_smuggles_a_second_request);
    RUN(test_answers_get_the_envelope_of_their_event);
    RUN(test_answers_are_read_however_they_end);
    RUN(test_a_server_without_a_port_is_reached_from_within);
}
