/* test_server.c - the server in this process on a free port, spoken to through plain sockets. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <realizar.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "json/json.h"
#include "server/server.h"
#include "serving.h"
#include "test.h"

/* All "text" members of the token events, in order. */
static void stream_text(const char *reply, buf *out) {
    for (const char *p = reply; (p = strstr(p, "event: token\ndata: ")) != NULL;) {
        p += strlen("event: token\ndata: ");
        arena a = ARENA_INIT;
        json *v;
        const char *end = strchr(p, '\n');
        if (end && json_parse(&v, (str){p, (size_t)(end - p)}, &a, NULL) == RZ_OK) {
            const json *text = json_get(v, "text");
            if (text) buf_str(out, text->text);
        }
        arena_free(&a);
    }
}

/* ---- routes ---- */

static void test_every_route_answers(void) {
    static const exchange list[] = {
        {"/health", NULL, 200, "\"status\":\"healthy\",\"version\":\""},
        {"/health?x=1", NULL, 200, "\"status\":\"healthy\""},
        {"/ready", NULL, 200, "{\"ready\":true,\"model_loaded\":true,\"model_name\":\"default\"}"},
        {"/models", NULL, 200, "{\"models\":[{\"id\":\"default\",\"name\":\""},
        {"/models", NULL, 200, "\"loaded\":true"},
        {"/v1/models", NULL, 200, "{\"object\":\"list\",\"data\":[{\"id\":\"default\","},
        {"/v1/models/default", NULL, 200, "{\"id\":\"default\",\"object\":\"model\",\"created\":"},
        {"/v1/models/other", NULL, 404,
         "{\"error\":{\"message\":\"Model 'other' not found\",\"type\":\"not_found_error\""},
        {"/metrics", NULL, 200, "\n# TYPE realizar_requests_total counter\n"},
        {"/tokenize", "{\"text\":\"\"}", 200, "{\"token_ids\":[],\"num_tokens\":0}"},
        {"/tokenize", "{\"text\":\"a\",\"model_id\":\"default\"}", 200, "{\"token_ids\":["},
        {"/tokenize", "{\"text\":\"a\\u00e9\",\"with_pieces\":true}", 200,
         "\"pieces\":[\" a\",[195],[169]],\"num_tokens\":3}"},
        {"/batch/tokenize", "{\"texts\":[\"a\",\"\"]}", 200,
         ",{\"token_ids\":[],\"num_tokens\":0}]}"},
        {"/detokenize", "{\"token_ids\":[]}", 200, "{\"text\":\"\"}"},
        {"/generate", "{\"prompt\":\"Once\",\"max_tokens\":3}", 200, "\"num_generated\":3,"},
        {"/generate", "{\"prompt\":\"Once\",\"max_tokens\":0}", 200, "\"num_generated\":0,"},
        {"/generate",
         "{\"prompt\":\"Once\",\"max_tokens\":4,\"strategy\":\"top_k\",\"unknown\":{}}", 200,
         "\"finish_reason\":\"length\""},
        {"/generate", "{\"prompt\":\"Once\",\"max_tokens\":4,\"strategy\":\"top_p\",\"seed\":0}",
         200, "\"token_ids\":["},
        {"/batch/generate", "{\"prompts\":[\"Once\",\"A\"],\"max_tokens\":2}", 200,
         "{\"results\":[{\"token_ids\":["},
        {"/stream/generate", "{\"prompt\":\"Once\",\"max_tokens\":2}", 200,
         "event: done\ndata: {\"num_generated\":2"},
    };
    check_demo(NULL, list, sizeof list / sizeof *list);
}

static void test_wrong_requests_get_a_clear_error(void) {
    static const exchange list[] = {
        {"/nothing", NULL, 404, "{\"error\":\"Not found: /nothing\"}"},
        {"/generate", NULL, 405, "{\"error\":\"Method not allowed\"}"},
        {"/health", "{}", 405, "{\"error\":\"Method not allowed\"}"},
        {"/generate", "{\"prompt\":\"\"}", 400, "{\"error\":\"Prompt cannot be empty\"}"},
        {"/generate", "{\"prompt\":\"a\",\"strategy\":\"best\"}", 400,
         "{\"error\":\"Invalid strategy: best\"}"},
        {"/generate", "{\"prompt\":\"a\",\"strategy\":\"top_k\",\"temperature\":0}", 400,
         "{\"error\":\"Temperature must be positive\"}"},
        {"/generate", "{\"prompt\":\"a\",\"temperature\":-1}", 400,
         "{\"error\":\"Temperature must be positive\"}"},
        {"/generate", "{\"prompt\":\"a\",\"model_id\":\"b\"}", 404,
         "{\"error\":\"Model 'b' not found\"}"},
        {"/generate", "{\"prompt\":\"a\",\"max_tokens\":\"5\"}", 422,
         "{\"error\":\"field `max_tokens` must be a number, not string\"}"},
        {"/generate", "{\"prompt\":\"a\",\"max_tokens\":1.5}", 422,
         "`max_tokens` must be an integer"},
        {"/generate", "{\"prompt\":\"a\",\"max_tokens\":-1}", 400, "`max_tokens` must be from 0"},
        {"/generate", "{\"prompt\":\"a\",\"max_tokens\":1e400}", 400, "out of range"},
        {"/generate", "{\"prompt\":\"a\",\"top_p\":0}", 400, "`top_p` must be above 0"},
        {"/generate", "{\"prompt\":\"a\",\"top_k\":0}", 400, "`top_k` must be from 1"},
        {"/generate", "{\"prompt\":\"a\",\"seed\":-1}", 422, "`seed` must be an integer"},
        {"/generate", "{\"prompt\":\"a\",\"stop\":[\"\"]}", 400, "`stop` must not hold empty"},
        {"/generate", "{\"prompt\":\"a\",\"stop\":5}", 422, "`stop` must be a string or"},
        {"/generate", "{\"prompt\":\"a\",\"logit_bias\":{\"x\":1}}", 400, "`logit_bias` must map"},
        {"/generate", "{\"prompt\":7}", 422,
         "{\"error\":\"field `prompt` must be a string, not number\"}"},
        {"/generate", "{}", 422, "{\"error\":\"missing field `prompt`\"}"},
        {"/generate", "[1]", 422, "must be a JSON object, not array"},
        {"/generate", "{\"prompt\":", 400,
         "{\"error\":\"Failed to parse the request body as JSON: "},
        {"/generate", "", 400, "Failed to parse"},
        {"/generate", "{\"prompt\":\"\xff\"}", 400, "Failed to parse"},
        {"/stream/generate", "{\"prompt\":\"\"}", 400, "{\"error\":\"Prompt cannot be empty\"}"},
        {"/batch/generate", "{\"prompts\":[]}", 400,
         "{\"error\":\"Prompts array cannot be empty\"}"},
        {"/batch/generate", "{\"prompts\":[\"a\",\"\"]}", 400,
         "{\"error\":\"Prompt '' tokenizes to empty sequence\"}"},
        {"/batch/generate", "{\"prompts\":[\"a\",1]}", 422, "`prompts` must hold strings"},
        {"/batch/tokenize", "{\"texts\":[]}", 400, "{\"error\":\"Texts array cannot be empty\"}"},
        {"/tokenize", "{\"text\":null}", 422, "{\"error\":\"missing field `text`\"}"},
        {"/detokenize", "{\"token_ids\":[1,\"x\"]}", 422, "`token_ids` must hold token ids"},
        {"/detokenize", "{\"token_ids\":[100000000]}", 400, "100000000"},
    };
    check_demo(NULL, list, sizeof list / sizeof *list);
}

typedef struct raw {
    const char *request;
    int status;
    const char *part; /* of the whole reply */
} raw;

static void test_protocol_errors(void) {
#define H "Host: h\r\nConnection: close\r\n"
    static const raw list[] = {
        {"nonsense\r\n\r\n", 400, "Connection: close"},
        {"\x16\x03\x01", 400, "this is not HTTP"},
        {"GET /health HTTP/1.1\r\n\r\n", 400, "Host"},
        {"GET /health HTTP/2.0\r\n\r\n", 505, "HTTP/1.1"},
        {"FLY /health HTTP/1.1\r\n" H "\r\n", 501, "error"},
        {"POST /generate HTTP/1.1\r\n" H "\r\n", 411, "error"},
        {"POST /generate HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n{}", 415, "application/json"},
        {"POST /generate HTTP/1.1\r\n" H "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
         415, "application/json"},
        {"POST /generate HTTP/1.1\r\n" H "Content-Length: 1073741824\r\n\r\n", 413, "too large"},
        {"POST /generate HTTP/1.1\r\n" H
         "Expect: 100-continue\r\nContent-Length: 1073741824\r\n\r\n",
         413, "HTTP/1.1 413"},
        {"POST /nothing HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", 404,
         ""},
        {"PUT /health HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", 405,
         "Allow: GET, HEAD, OPTIONS\r\n"},
        {"OPTIONS /generate HTTP/1.1\r\n" H "\r\n", 204, "Allow: POST, OPTIONS\r\n"},
        {"OPTIONS * HTTP/1.1\r\n" H "\r\n", 204, "Allow: GET, HEAD, POST, OPTIONS\r\n"},
        {"POST /t HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
         400, "Content-Length together with"},
    };
#undef H
    running r;
    if (!make_server(&r, NULL)) return;
    start_server(&r);
    buf b = BUF_INIT;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const char *reply = ask(&r, &b, list[i].request);
        CHECK_MSG(status_of(reply) == list[i].status && strstr(reply, list[i].part),
                  "%s: wanted %d %s, got: %s", list[i].request, list[i].status, list[i].part,
                  reply);
    }
    /* HEAD: the length of the body without the body. */
    const char *reply = ask(&r, &b, "HEAD /ready HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    CHECK(status_of(reply) == 200 && strstr(reply, "Content-Length: 57\r\n"));
    CHECK_STR(body_of(reply), "");
    buf_free(&b);
    stop_server(&r);
}

/* ---- connections ---- */

static void test_pipelined_requests_are_answered_in_order(void) {
    running r;
    if (!make_server(&r, NULL)) return;
    start_server(&r);
    buf text = BUF_INIT, b = BUF_INIT;
    buf_text(&text, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    format_post(&text, "/generate", "{\"prompt\":\"Once\",\"max_tokens\":20}", "");
    buf_text(&text, "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n");
    format_post(&text, "/stream/generate", "{\"prompt\":\"Once\",\"max_tokens\":3}", "");
    buf_text(&text,
             "POST /tokenize HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Type: "
             "application/json\r\n\r\n5\r\n{\"tex\r\n8\r\nt\":\"\"  }\r\n0\r\n\r\n");
    buf_text(&text, "GET /ready HTTP/1.0\r\n\r\n");
    /* At once, and cut into single bytes. */
    for (int round = 0; round < 2; round++) {
        const int fd = dial(&r);
        buf_clear(&b);
        if (round == 0) put(fd, text.p, text.len);
        for (size_t i = 0; round == 1 && i < text.len; i++) put(fd, text.p + i, 1);
        const char *at = hear(fd, &b, NULL);
        static const char *const order[] = {"\"healthy\"",           "\"num_generated\":20,",
                                            "Not found: /nothing",   "event: done",
                                            "0\r\n\r\nHTTP/1.1 200", "\"num_tokens\":0",
                                            "Connection: close",     "\"ready\":true"};
        for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
            const char *found = strstr(at, order[i]);
            CHECK_MSG(found, "%s is missing or out of order in: %s", order[i], buf_cstr(&b));
            if (found) at = found;
        }
        close(fd);
    }
    buf_free(&text);
    buf_free(&b);
    stop_server(&r);
}

static void test_expect_continue(void) {
    running r;
    if (!make_server(&r, NULL)) return;
    start_server(&r);
    buf b = BUF_INIT;
    const int fd = dial(&r);
    say(fd,
        "POST /tokenize HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Type: "
        "application/json\r\nContent-Length: 11\r\n\r\n");
    CHECK_STR(hear(fd, &b, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    buf_clear(&b);
    say(fd, "{\"text\":\"\"}");
    CHECK(strstr(hear(fd, &b, "\"num_tokens\":0}"), "HTTP/1.1 200 OK\r\n"));
    close(fd);
    buf_free(&b);
    stop_server(&r);
}

/* A half-sent head, a half-sent body and a silent connection are ended by their timeouts, and
 * nobody else notices. */
static void test_slow_senders_are_timed_out(void) {
    running r;
    rz_server_options o = RZ_SERVER_INIT;
    o.header_timeout_ms = 150;
    o.idle_timeout_ms = 150;
    if (!make_server(&r, &o)) return;
    start_server(&r);
    buf b = BUF_INIT, other = BUF_INIT;
    const int head = dial(&r), body = dial(&r), silent = dial(&r), idle = dial(&r);
    say(head, "GET /health HTT");
    say(body, "POST /generate HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{\"pro");
    say(idle, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(status_of(ask_get(&r, &other, "/health")) == 200);
    CHECK(status_of(hear(head, &b, NULL)) == 408);
    buf_clear(&b);
    CHECK(status_of(hear(body, &b, NULL)) == 408);
    buf_clear(&b);
    CHECK_STR(hear(silent, &b, NULL), "");
    buf_clear(&b);
    CHECK(status_of(hear(idle, &b, NULL)) == 200);
    close(head), close(body), close(silent), close(idle);
    buf_free(&b);
    buf_free(&other);
    stop_server(&r);
}

static void test_large_bodies(void) {
    running r;
    rz_server_options o = RZ_SERVER_INIT;
    o.max_body_bytes = 1024 * 1024;
    if (!make_server(&r, &o)) return;
    start_server(&r);
    buf text = BUF_INIT, b = BUF_INIT, big = BUF_INIT;
    /* Deeper than any stack. */
    for (int i = 0; i < 100000; i++) buf_char(&big, '[');
    CHECK(status_of(ask_post(&r, &b, "/tokenize", buf_cstr(&big))) == 400);
    /* Exactly the limit, and one more. */
    buf_clear(&big);
    buf_text(&big, "{\"text\":\"\"");
    while (big.len < o.max_body_bytes - 1) buf_char(&big, ' ');
    buf_char(&big, '}');
    CHECK(status_of(ask_post(&r, &b, "/tokenize", buf_cstr(&big))) == 200);
    buf_char(&big, ' ');
    CHECK(status_of(ask_post(&r, &b, "/tokenize", buf_cstr(&big))) == 413);
    /* A tree that would need forty times its text. */
    buf_clear(&big);
    buf_text(&big, "{\"token_ids\":[1");
    while (big.len < o.max_body_bytes - 10) buf_text(&big, ",1");
    buf_text(&big, "]}");
    CHECK(status_of(ask_post(&r, &b, "/detokenize", buf_cstr(&big))) == 413);
    /* Chunks without end. */
    const int fd = dial(&r);
    say(fd, "POST /tokenize HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    buf_clear(&big);
    buf_text(&big, "10000\r\n");
    while (big.len < 0x10000 + 7) buf_char(&big, 'x');
    buf_text(&big, "\r\n");
    for (int i = 0; i < 17; i++) put(fd, big.p, big.len);
    buf_clear(&b);
    CHECK(status_of(hear(fd, &b, NULL)) == 413);
    close(fd);
    CHECK(metric(&r, "realizar_http_input_bytes") == 0);
    buf_free(&text);
    buf_free(&b);
    buf_free(&big);
    stop_server(&r);
}

static void test_connections_are_capped(void) {
    running r;
    rz_server_options o = RZ_SERVER_INIT;
    o.max_connections = 3;
    if (!make_server(&r, &o)) return;
    start_server(&r);
    buf b = BUF_INIT;
    int fd[3];
    for (int i = 0; i < 3; i++) {
        fd[i] = dial(&r);
        say(fd[i], "GET /ready HTTP/1.1\r\nHost: h\r\n\r\n");
        buf_clear(&b);
        CHECK(status_of(hear(fd[i], &b, "}")) == 200);
    }
    /* The one idle for longest makes room. */
    CHECK(status_of(ask_get(&r, &b, "/health")) == 200);
    buf_clear(&b);
    CHECK_STR(hear(fd[0], &b, NULL), "");
    /* Nobody is idle: refused, politely. */
    close(fd[0]);
    CHECK(becomes(&r, "realizar_http_connections", 3));
    for (int i = 1; i < 3; i++) say(fd[i], "GET /he");
    fd[0] = dial(&r);
    say(fd[0], "GET /he");
    nap(50);
    CHECK(status_of(ask(&r, &b, "")) == 503);
    CHECK(strstr(buf_cstr(&b), "Retry-After: 1\r\n"));
    for (int i = 0; i < 3; i++) close(fd[i]);
    CHECK(becomes(&r, "realizar_http_connections", 1));
    buf_free(&b);
    stop_server(&r);
}

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Connections wait before anybody accepts; then the process may open two more descriptors. */
static void test_running_out_of_descriptors_is_survived(void) {
    running r;
    if (!make_server(&r, NULL)) return;
    int fd[6];
    for (int i = 0; i < 6; i++) {
        fd[i] = dial(&r);
        say(fd[i], i < 2 ? "GET /he" : "GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    struct rlimit before, now;
    getrlimit(RLIMIT_NOFILE, &before);
    const int next = dup(0);
    close(next);
    now = before;
    now.rlim_cur = (rlim_t)next + 2;
    setrlimit(RLIMIT_NOFILE, &now);
    start_server(&r);
    const double busy = cpu_seconds();
    nap(300);
    CHECK_MSG(cpu_seconds() - busy < 0.03, "%.3f s busy with waiting", cpu_seconds() - busy);
    setrlimit(RLIMIT_NOFILE, &before);
    buf b = BUF_INIT;
    for (int i = 2; i < 6; i++) {
        buf_clear(&b);
        CHECK(status_of(hear(fd[i], &b, "}")) == 200);
    }
    for (int i = 0; i < 6; i++) close(fd[i]);
    buf_free(&b);
    stop_server(&r);
}

/* ---- generations ---- */

static void test_stream_equals_generate(void) {
    running r;
    if (!make_server(&r, NULL)) return;
    start_server(&r);
    buf b = BUF_INIT, text = BUF_INIT;
    const char *sent = "{\"prompt\":\"Once upon\",\"max_tokens\":40,\"strategy\":\"top_p\"}";
    stream_text(ask_post(&r, &b, "/stream/generate", sent), &text);
    CHECK(text.len > 0);
    arena a = ARENA_INIT;
    json_kind kind = JSON_NULL;
    json *v;
    const char *whole = body_of(ask_post(&r, &b, "/generate", sent));
    if (json_parse(&v, str_of(whole), &a, NULL) == RZ_OK) {
        const json *made = json_get(v, "generated_text"), *all = json_get(v, "text");
        kind = made ? made->kind : JSON_NULL;
        CHECK(made && str_eq(made->text, buf_view(&text)));
        CHECK(all && str_ends(all->text, buf_view(&text)));
    }
    CHECK(kind == JSON_STRING);
    arena_free(&a);
    buf_free(&b);
    buf_free(&text);
    CHECK(metric(&r, "realizar_requests_total") == 2);
    CHECK(metric(&r, "realizar_requests_successful") == 2);
    CHECK(metric(&r, "realizar_tokens_generated") == 80);
    stop_server(&r);
}

#define LONG "{\"prompt\":\"Once\",\"max_tokens\":180,\"ignore_eos\":true}"

/* A stream nobody reads, held by the server. Sockets are made small and a few other replies take
 * some of their room, so that a short answer does not fit into them. */
static int stuck_stream(const running *r, buf *text) {
    const int fd = dial_with(r, 2048);
    buf_clear(text);
    for (int i = 0; i < 8; i++) buf_text(text, "GET /ready HTTP/1.1\r\nHost: h\r\n\r\n");
    format_post(text, "/stream/generate", LONG, "");
    put(fd, text->p, text->len);
    return fd;
}

/* The same, once it is certain that the engine did not make all tokens before the loop looked: it
 * can when the machine is busy, and then another is tried. `others` streams are held already. */
static int held_stream(const running *r, buf *text, int others) {
    for (int i = 0; i < 100; i++) {
        const int fd = stuck_stream(r, text);
        nap(30);
        if (metric(r, "realizar_jobs") == others + 1) return fd;
        close(fd);
        becomes(r, "realizar_jobs", others);
    }
    test_fail(__FILE__, __LINE__, "no stream is held by its slow reader");
    return -1;
}

static void shrink_buffers(running *r) {
    const int least = 2048;
    r->server->lim.out_high = 0;
    r->server->lim.out_low = 0;
    setsockopt(r->server->listener.source.fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
}

static bool make_small_server(running *r) {
    if (!make_server(r, NULL)) return false;
    shrink_buffers(r);
    return true;
}

static void test_slow_reader_is_held_and_loses_nothing(void) {
    running r;
    if (!make_small_server(&r)) return;
    start_server(&r);
    buf text = BUF_INIT, b = BUF_INIT, free_run = BUF_INIT;
    ask_post(&r, &free_run, "/stream/generate", LONG);
    const int fd = held_stream(&r, &text, 0);
    const double before = metric(&r, "realizar_tokens_generated");
    nap(50);
    /* Others are served meanwhile, and the stream waits for its reader. */
    for (int i = 0; i < 5; i++)
        CHECK(status_of(ask_post(&r, &b, "/generate", "{\"prompt\":\"A\",\"max_tokens\":5}")) ==
              200);
    nap(50);
    CHECK(metric(&r, "realizar_jobs") == 1);
    CHECK(metric(&r, "realizar_tokens_generated") < before + 25 + 180);
    buf_clear(&b);
    buf_clear(&text);
    stream_text(hear(fd, &b, "0\r\n\r\n"), &text);
    CHECK(strstr(buf_cstr(&b), "event: done"));
    buf_clear(&b);
    stream_text(buf_cstr(&free_run), &b);
    CHECK(b.len > 0);
    CHECK_STR(buf_cstr(&text), buf_cstr(&b));
    close(fd);
    buf_free(&text);
    buf_free(&b);
    buf_free(&free_run);
    stop_server(&r);
}

static void test_disconnect_cancels(void) {
    running r;
    if (!make_small_server(&r)) return;
    start_server(&r);
    buf text = BUF_INIT;
    int fd[3];
    for (int i = 0; i < 3; i++) fd[i] = held_stream(&r, &text, i);
    CHECK(metric(&r, "realizar_jobs") == 3);
    for (int i = 0; i < 3; i++) close(fd[i]);
    CHECK(becomes(&r, "realizar_jobs", 0));
    CHECK(metric(&r, "realizar_requests_canceled_total") >=
          3); /* held_stream may have tried more */
    CHECK(metric(&r, "realizar_requests_running") == 0);
    CHECK(metric(&r, "realizar_http_connections") == 1);
    buf_free(&text);
    stop_server(&r);
}

static void test_a_client_that_never_reads_is_dropped(void) {
    running r;
    if (!make_small_server(&r)) return;
    r.server->lim.write_ms = 400;
    start_server(&r);
    buf text = BUF_INIT;
    const int fd = held_stream(&r, &text, 0);
    CHECK(becomes(&r, "realizar_jobs", 0));
    CHECK(metric(&r, "realizar_requests_canceled_total") >= 1);
    CHECK(metric(&r, "realizar_http_connections") == 1);
    close(fd);
    buf_free(&text);
    stop_server(&r);
}

/* Two of a batch fit, the third does not: the whole batch is refused and nothing of it goes on. */
static void test_full_queue_is_503(void) {
    running r;
    rz_engine_options eo = RZ_ENGINE_INIT;
    eo.max_requests = 1;
    eo.max_queue = 2;
    if (!make_with(&r, NULL, &eo)) return;
    shrink_buffers(&r);
    start_server(&r);
    buf text = BUF_INIT, b = BUF_INIT;
    const int fd = held_stream(&r, &text, 0);
    ask_post(&r, &b, "/batch/generate", "{\"prompts\":[\"a\",\"b\",\"c\"],\"max_tokens\":150}");
    CHECK(status_of(buf_cstr(&b)) == 503 && strstr(buf_cstr(&b), "Retry-After: 1\r\n"));
    close(fd);
    CHECK(becomes(&r, "realizar_jobs", 0));
    CHECK(status_of(ask_post(&r, &b, "/generate", "{\"prompt\":\"a\",\"max_tokens\":5}")) == 200);
    CHECK(metric(&r, "realizar_requests_failed") == 1);
    buf_free(&text);
    buf_free(&b);
    stop_server(&r);
}

/* Each dialect says in its own shape that the answer took too long. */
static void test_an_answer_has_its_time(void) {
#define MANY "\"stream\":false,\"max_tokens\":200,\"n\":32,\"ignore_eos\":true,"
    static const exchange list[] = {
        {"/generate", "{\"prompt\":\"Once\",\"timeout\":20000}", 200, "\"num_generated\":50,"},
        {"/generate", "{\"prompt\":\"Once\",\"timeout\":0}", 400, "field `timeout` must be from"},
        {"/generate", "{\"prompt\":\"Once\",\"timeout\":\"1\"}", 422, "field `timeout` must be"},
        {"/v1/completions", "{\"prompt\":\"Once\"," MANY "\"timeout\":0.001}", 504,
         "{\"error\":{\"message\":\"the request took longer than 0.001 "
         "s\",\"type\":\"server_error\""},
        {"/batch/generate",
         "{\"prompts\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"],\"max_tokens\":200,"
         "\"ignore_eos\":true,\"timeout\":0.001}",
         504, "{\"error\":\"the request took longer than 0.001 s\"}"},
    };
#undef MANY
    check_demo(NULL, list, sizeof list / sizeof *list);
}

static void test_stop_finishes_what_runs(void) {
    running r;
    if (!make_small_server(&r)) return;
    start_server(&r);
    buf text = BUF_INIT, b = BUF_INIT;
    const int fd = held_stream(&r, &text, 0), idle = dial(&r), half = dial(&r);
    say(half, "GET /ready HTT");
    rz_server_stop(r.server);
    CHECK_STR(hear(idle, &b, NULL), ""); /* closed at once */
    CHECK(dial(&r) < 0);
    /* A request that had begun is answered: not ready any more. */
    say(half, "P/1.1\r\nHost: h\r\n\r\n");
    hear(half, &b, NULL);
    CHECK(status_of(buf_cstr(&b)) == 503 && strstr(buf_cstr(&b), "\"ready\":false"));
    buf_clear(&b);
    CHECK(strstr(hear(fd, &b, NULL), "event: done"));
    wait_server(&r);
    CHECK_MSG(r.status == RZ_OK, "%s", r.error.text);
    close(fd), close(idle), close(half);
    buf_free(&text);
    buf_free(&b);
}

static void test_second_stop_cuts_off(void) {
    running r;
    if (!make_small_server(&r)) return;
    start_server(&r);
    buf text = BUF_INIT;
    const int fd = held_stream(&r, &text, 0);
    rz_server_stop(r.server);
    rz_server_stop(r.server);
    wait_server(&r);
    CHECK(r.status == RZ_ECANCELED);
    CHECK_STR(r.error.text, "server: stopped before all requests were finished");
    close(fd);
    buf_free(&text);
}

static void test_drain_has_an_end(void) {
    running r;
    if (!make_small_server(&r)) return;
    r.server->lim.drain_ms = 100;
    start_server(&r);
    buf text = BUF_INIT;
    const int fd = held_stream(&r, &text, 0);
    rz_server_stop(r.server);
    wait_server(&r);
    CHECK(r.status == RZ_ECANCELED);
    close(fd);
    buf_free(&text);
}

/* ---- resources ---- */

static int open_files(void) {
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    while (d && readdir(d)) n++;
    if (d) closedir(d);
    return n;
}

static void test_nothing_is_left_open(void) {
    const int before = open_files();
    running r;
    if (!make_small_server(&r)) return;
    start_server(&r);
    buf text = BUF_INIT;
    int fd[20];
    for (int i = 0; i < 20; i++) fd[i] = i % 2 ? stuck_stream(&r, &text) : dial(&r);
    nap(20);
    for (int i = 0; i < 20; i++) close(fd[i]);
    CHECK(becomes(&r, "realizar_http_connections", 1));
    CHECK(becomes(&r, "realizar_jobs", 0));
    buf_free(&text);
    stop_server(&r);
    CHECK(open_files() == before);
}

/* Clients that send pieces of requests in any order, read or not, and leave in any way. */
static void test_chaos_leaves_nothing_behind(void) {
    static const char *const pieces[] = {
        "GET /health HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /metrics HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "POST /stream/generate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n",
        "Content-Length: 49\r\n\r\n",
        "{\"prompt\":\"Once upon a time\",\"max_tokens\":60    }",
        "Transfer-Encoding: chunked\r\n\r\n",
        "31\r\n{\"prompt\":\"Once upon a time\",\"max_tokens\":60    }\r\n0\r\n\r\n",
        "POST /generate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n",
        "Expect: 100-continue\r\n",
        "\r\n",
        "\x16\x03\x01garbage",
        "{\"prompt\":",
    };
    enum { AT_ONCE = 12 };
    running r;
    if (!make_small_server(&r)) return;
    start_server(&r);
    uint64_t rng = 11;
    char reply[512];
    int fd[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++) fd[i] = dial(&r);
    for (int round = 0; round < (test_thorough() ? 6000 : 1000); round++) {
        const int i = (int)rng_below(&rng, AT_ONCE);
        const char *piece = pieces[rng_below(&rng, sizeof pieces / sizeof *pieces)];
        switch (rng_below(&rng, 8)) {
            case 0:
                if (rng_below(&rng, 2)) { /* a reset instead of an orderly end */
                    const struct linger now = {1, 0};
                    setsockopt(fd[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
                }
                close(fd[i]);
                fd[i] = dial_with(&r, rng_below(&rng, 2) ? 2048 : 0);
                break;
            case 1:
                shutdown(fd[i], SHUT_WR);
                break;
            case 2:
            case 3:
                recv(fd[i], reply, sizeof reply, MSG_DONTWAIT);
                break;
            case 4:
                put(fd[i], piece, rng_below(&rng, strlen(piece) + 1));
                break;
            case 5: /* what belongs together */
                put(fd[i], pieces[2], strlen(pieces[2]));
                put(fd[i], pieces[5], strlen(pieces[5]));
                put(fd[i], pieces[6], strlen(pieces[6]));
                break;
            default:
                put(fd[i], piece, strlen(piece));
                break;
        }
    }
    for (int i = 0; i < AT_ONCE; i++) close(fd[i]);
    CHECK(becomes(&r, "realizar_http_connections", 1));
    CHECK(becomes(&r, "realizar_jobs", 0));
    CHECK(becomes(&r, "realizar_requests_running", 0));
    CHECK(metric(&r, "realizar_http_input_bytes") == 0);
    stop_server(&r);
}

static uint64_t allocations_for(int n_request) {
    running r;
    if (!make_server(&r, NULL)) return 0;
    start_server(&r);
    buf b = BUF_INIT;
    const int fd = dial(&r);
    for (int i = 0; i < n_request; i++) {
        say(fd, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
        buf_clear(&b);
        hear(fd, &b, "}");
    }
    close(fd);
    buf_free(&b);
    stop_server(&r);
    return r.allocations;
}

static void test_steady_requests_allocate_nothing(void) {
    const uint64_t few = allocations_for(10), many = allocations_for(500);
    CHECK_MSG(few == many, "%llu allocations for 10 requests, %llu for 500",
              (unsigned long long)few, (unsigned long long)many);
}

/* Wherever memory runs out, one request fails and the next one works. */
static void test_out_of_memory_costs_one_request(void) {
    running r;
    if (!make_server(&r, NULL)) return;
    start_server(&r);
    buf text = BUF_INIT, b = BUF_INIT;
    format_post(&text, "/generate", "{\"prompt\":\"Once\",\"max_tokens\":4,\"stop\":[\"zzz\"]}",
                "Connection: close\r\n");
    format_post(&text, "/stream/generate", "{\"prompt\":\"Once\",\"max_tokens\":4}", "");
    char *request = strdup(buf_cstr(&text));
    buf_reserve(&b, 65536);
    bool hit = true;
    for (long n = 1; hit && n < 200; n++) {
        const int fd = dial(&r);
        mem_fail_at(n);
        say(fd, request);
        char reply[4096];
        while (recv(fd, reply, sizeof reply, 0) > 0) continue;
        hit = mem_fail_hit();
        mem_fail_at(0);
        close(fd);
        CHECK(status_of(ask_get(&r, &b, "/health")) == 200);
        CHECK(becomes(&r, "realizar_jobs", 0));
    }
    CHECK(!hit);
    free(request);
    buf_free(&text);
    buf_free(&b);
    stop_server(&r);
}

static void test_bad_options_are_refused(void) {
    running r;
    if (!make_server(&r, NULL)) return;
    rz_server *second = NULL;
    rz_server_options o = RZ_SERVER_INIT;
    rz_error e = {0};
    o.port = rz_server_port(r.server);
    CHECK(rz_server_new(&second, r.engine, &o, &e) == RZ_EIO);
    char want[128];
    snprintf(want, sizeof want,
             "server: cannot listen on 127.0.0.1 port %d: Address already in use", o.port);
    CHECK_STR(e.text, want);
    o.port = 70000;
    CHECK(rz_server_new(&second, r.engine, &o, &e) == RZ_EINVAL);
    o.port = -1;
    o.host = "example.org";
    CHECK(rz_server_new(&second, r.engine, &o, &e) == RZ_EINVAL);
    CHECK(strstr(e.text, "\"example.org\" is not an IPv4 or IPv6 address"));
    CHECK(second == NULL);
    static const char *const hosts[] = {"localhost", "0.0.0.0", "::1", "[::1]", "::"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        o.host = hosts[i];
        /* IPv6 may be switched off where this runs; then the system says so. */
        const rz_status got = rz_server_new(&second, r.engine, &o, &e);
        CHECK_MSG(got == RZ_OK || (strchr(hosts[i], ':') && got == RZ_EIO), "%s: %s", hosts[i],
                  e.text);
        if (got == RZ_OK) rz_server_free(second);
    }
    start_server(&r);
    stop_server(&r);
}

static void check_key(const running *r, const char *path, const char *header, int code,
                      const char *part) {
    buf b = BUF_INIT;
    char text[256];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n%sConnection: close\r\n\r\n", path,
             header);
    const char *reply = ask(r, &b, text);
    CHECK_MSG(status_of(reply) == code && strstr(reply, part), "%s %s: %s", path, header, reply);
    buf_free(&b);
}

static void test_keys_are_asked_for(void) {
    static const char *const keys[] = {"first", "second-key"};
    rz_server_options o = RZ_SERVER_INIT;
    running r;
    o.api_keys = keys;
    o.n_api_keys = 2;
    if (!make_server(&r, &o)) return;
    start_server(&r);
    check_key(&r, "/models", "", 401, "WWW-Authenticate: Bearer\r\n");
    check_key(&r, "/models", "", 401, "{\"error\":\"a valid API key is needed\"}");
    check_key(&r, "/v1/models", "", 401, "\"code\":\"invalid_api_key\"}}");
    check_key(&r, "/v1/messages", "", 401, "\"type\":\"authentication_error\"");
    check_key(&r, "/nothing", "", 401, "");
    static const char *const wrong[] = {"firs", "first ",     "firstt",     "First",
                                        "x",    "second-kez", "firstfirst", "Bearer first"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char header[64];
        snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", wrong[i]);
        check_key(&r, "/models", header, i == 1 ? 200 : 401, ""); /* space around it is none */
    }
    check_key(&r, "/models", "Authorization: Basic first\r\n", 401, "");
    check_key(&r, "/models", "X-Api-Key: \r\n", 401, "");
    check_key(&r, "/models", "Authorization: Bearer first\r\n", 200, "\"models\":");
    check_key(&r, "/v1/models", "authorization: bearer second-key\r\n", 200, "\"data\":");
    check_key(&r, "/models", "X-Api-Key: second-key\r\n", 200, "\"models\":");
    check_key(&r, "/health", "", 200, "healthy");
    stop_server(&r);
}

static void test_wrong_keys_and_origins_are_refused(void) {
    static const char *const bad[] = {"", "two words", "line\n", "\xc3\xa4"};
    running r;
    rz_server *s = NULL;
    rz_error e;
    if (!make_server(&r, NULL)) return;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rz_server_options o = RZ_SERVER_INIT;
        o.port = -1;
        o.api_keys = &bad[i];
        o.n_api_keys = 1;
        CHECK(rz_server_new(&s, r.engine, &o, &e) == RZ_EINVAL && strstr(e.text, "API key 1"));
        o.n_api_keys = 0;
        o.cors_origin = bad[i];
        CHECK(rz_server_new(&s, r.engine, &o, &e) == RZ_EINVAL && strstr(e.text, "CORS"));
    }
    start_server(&r);
    stop_server(&r);
}

static void test_the_page_is_sent_once(void) {
    static const char *const paths[] = {"/", "/app.css", "/app.js"};
    static const char *const keys[] = {"k"};
    rz_server_options o = RZ_SERVER_INIT;
    running r;
    buf b = BUF_INIT;
    char sent[200], tag[20] = "";
    o.api_keys = keys; /* the page needs none */
    o.n_api_keys = 1;
    if (!make_server(&r, &o)) return;
    start_server(&r);
    for (int i = 0; i < 3; i++) {
        const char *reply = ask_get(&r, &b, paths[i]), *found = strstr(reply, "ETag: \"");
        CHECK_MSG(status_of(reply) == 200 && found && strstr(reply, "default-src 'none'"), "%.300s",
                  reply);
        if (found) memcpy(tag, found + 6, 18);
        snprintf(sent, sizeof sent,
                 "GET %s HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"no\" , W/%s\r\nConnection: "
                 "close\r\n\r\n",
                 paths[i], tag);
        reply = ask(&r, &b, sent);
        CHECK_MSG(status_of(reply) == 304 && !*body_of(reply), "%.300s", reply);
        CHECK(strstr(reply, tag) && !strstr(reply, "Content-Length"));
    }
    stop_server(&r);
    o.no_web = 1;
    if (!make_server(&r, &o)) return;
    start_server(&r);
    for (int i = 0; i < 3; i++) CHECK(status_of(ask_get(&r, &b, paths[i])) == 404);
    CHECK(status_of(ask_get(&r, &b, "/health")) == 200);
    stop_server(&r);
    buf_free(&b);
}

static void test_pages_from_elsewhere_need_leave(void) {
    static const char preflight[] =
        "OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: h\r\nOrigin: http://a\r\n"
        "Access-Control-Request-Headers: authorization,x-own\r\nConnection: "
        "close\r\n\r\n";
    static const char *const keys[] = {"k"};
    rz_server_options o = RZ_SERVER_INIT;
    running r;
    buf b = BUF_INIT;
    if (!make_server(&r, NULL)) return;
    start_server(&r);
    CHECK(!strstr(ask(&r, &b, preflight), "Access-Control"));
    CHECK(!strstr(ask_get(&r, &b, "/health"), "Access-Control"));
    stop_server(&r);
    o.cors_origin = "http://a";
    o.api_keys = keys;
    o.n_api_keys = 1;
    if (!make_server(&r, &o)) return;
    start_server(&r);
    const char *reply = ask(&r, &b, preflight);
    CHECK_MSG(status_of(reply) == 204 &&
                  strstr(reply, "Access-Control-Allow-Origin: http://a\r\n") &&
                  strstr(reply, "Access-Control-Allow-Headers: authorization,x-own\r\n") &&
                  strstr(reply, "Access-Control-Allow-Methods: GET, POST"),
              "%s", reply);
    CHECK(strstr(ask_get(&r, &b, "/health"), "Access-Control-Allow-Origin: http://a\r\n"));
    CHECK(
        strstr(ask_get(&r, &b, "/models"), "401 Unauthorized\r\n")); /* readable by the page too */
    CHECK(strstr(buf_cstr(&b), "Access-Control-Allow-Origin: http://a\r\n"));
    stop_server(&r);
    buf_free(&b);
}

static void run_all(void) {
    RUN(test_every_route_answers);
    RUN(test_wrong_requests_get_a_clear_error);
    RUN(test_keys_are_asked_for);
    RUN(test_wrong_keys_and_origins_are_refused);
    RUN(test_the_page_is_sent_once);
    RUN(test_pages_from_elsewhere_need_leave);
    RUN(test_protocol_errors);
    RUN(test_pipelined_requests_are_answered_in_order);
    RUN(test_expect_continue);
    RUN(test_slow_senders_are_timed_out);
    RUN(test_large_bodies);
    RUN(test_connections_are_capped);
    RUN(test_running_out_of_descriptors_is_survived);
    RUN(test_stream_equals_generate);
    RUN(test_slow_reader_is_held_and_loses_nothing);
    RUN(test_disconnect_cancels);
    RUN(test_a_client_that_never_reads_is_dropped);
    RUN(test_full_queue_is_503);
    RUN(test_an_answer_has_its_time);
    RUN(test_stop_finishes_what_runs);
    RUN(test_second_stop_cuts_off);
    RUN(test_drain_has_an_end);
    RUN(test_nothing_is_left_open);
    RUN(test_chaos_leaves_nothing_behind);
    RUN(test_steady_requests_allocate_nothing);
    RUN(test_out_of_memory_costs_one_request);
    RUN(test_bad_options_are_refused);
}

void suite_server(void) {
    run_all();
    serving_poll = 1;
    run_all();
    serving_poll = 0;
}
