/* serving.c - see serving.h. */
#include "serving.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "test.h"

/* ---- the server under test ---- */

int serving_poll;

static void *run_loop(void *arg) {
    running *r = arg;
    const uint64_t before = mem_count();
    r->status = rz_server_run(r->server, &r->error);
    r->allocations = mem_count() - before;
    return NULL;
}

bool make_with(running *r, const rz_server_options *opt, const rz_engine_options *eo) {
    memset(r, 0, sizeof *r);
    rz_server_options o = RZ_SERVER_INIT;
    if (opt) o = *opt;
    o.port = -1;
    o.poll_events = serving_poll;
    if (rz_model_open_demo(&r->model, NULL, &r->error) < 0) {
        test_skip("no demo model: %s", r->error.text);
        return false;
    }
    if (rz_engine_new(&r->engine, r->model, eo, &r->error) == RZ_OK &&
        rz_server_new(&r->server, r->engine, &o, &r->error) == RZ_OK)
        return true;
    test_fail(__FILE__, __LINE__, "%s", r->error.text);
    return false;
}

bool make_server(running *r, const rz_server_options *opt) {
    rz_engine_options eo = RZ_ENGINE_INIT;
    eo.max_requests = 8;
    return make_with(r, opt, &eo);
}

bool make_from(running *r, const char *path) {
    rz_server_options o = RZ_SERVER_INIT;
    memset(r, 0, sizeof *r);
    o.port = -1;
    if (rz_model_open(&r->model, path, NULL, &r->error) == RZ_OK &&
        (rz_model_is_encoder(o.model = r->model) ||
         rz_engine_new(&r->engine, r->model, NULL, &r->error) == RZ_OK) &&
        rz_server_new(&r->server, r->engine, &o, &r->error) == RZ_OK)
        return true;
    test_fail(__FILE__, __LINE__, "%s", r->error.text);
    return false;
}

void start_server(running *r) { pthread_create(&r->thread, NULL, run_loop, r); }

void wait_server(running *r) {
    pthread_join(r->thread, NULL);
    rz_server_free(r->server);
    rz_engine_free(r->engine);
    rz_model_close(r->model);
}

void stop_server(running *r) {
    rz_server_stop(r->server);
    wait_server(r);
    CHECK_MSG(r->status == RZ_OK, "%s", r->error.text);
}

void nap(int ms) {
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

/* ---- a client ---- */

int dial_with(const running *r, int receive_buffer) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)rz_server_port(r->server)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {PATIENCE_MS / 1000, 0};
    if (receive_buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0) return fd;
    close(fd);
    return -1;
}

int dial(const running *r) { return dial_with(r, 0); }

void put(int fd, const char *p, size_t len) {
    while (len > 0) {
        const ssize_t n = send(fd, p, len, MSG_NOSIGNAL); /* gives up after its patience */
        if (n <= 0) return;
        p += n;
        len -= (size_t)n;
    }
}

void say(int fd, const char *text) { put(fd, text, strlen(text)); }

const char *hear(int fd, buf *b, const char *until) {
    while (!until || !strstr(buf_cstr(b), until)) {
        char *to = buf_reserve(b, 4096);
        const ssize_t n = recv(fd, to, 4095, 0);
        if (n <= 0) break;
        b->len += (size_t)n;
    }
    return buf_cstr(b);
}

int status_of(const char *reply) {
    return strncmp(reply, "HTTP/1.1 ", 9) == 0 ? atoi(reply + 9) : 0;
}

const char *body_of(const char *reply) {
    const char *body = strstr(reply, "\r\n\r\n");
    return body ? body + 4 : "";
}

const char *ask(const running *r, buf *b, const char *request) {
    buf_clear(b);
    const int fd = dial(r);
    say(fd, request);
    hear(fd, b, NULL);
    close(fd);
    return buf_cstr(b);
}

const char *ask_get(const running *r, buf *b, const char *path) {
    char text[256];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path);
    return ask(r, b, text);
}

void format_post(buf *out, const char *path, const char *sent, const char *more) {
    buf_printf(out, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n", path);
    buf_printf(out, "%sContent-Length: %zu\r\n\r\n", more, strlen(sent));
    buf_text(out, sent);
}

const char *ask_post(const running *r, buf *b, const char *path, const char *sent) {
    buf text = BUF_INIT;
    format_post(&text, path, sent, "Connection: close\r\n");
    ask(r, b, buf_cstr(&text));
    buf_free(&text);
    return buf_cstr(b);
}

double metric(const running *r, const char *name) {
    buf b = BUF_INIT;
    char line[128];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(ask_get(r, &b, "/metrics"), line);
    const double v = at ? atof(at + strlen(line)) : -1;
    buf_free(&b);
    return v;
}

bool becomes(const running *r, const char *name, double want) {
    for (int i = 0; i < PATIENCE_MS / 5; i++, nap(5))
        if (metric(r, name) == want) return true;
    return false;
}

static void check_exchange(const running *r, const exchange *x) {
    buf b = BUF_INIT;
    const char *reply = x->json ? ask_post(r, &b, x->path, x->json) : ask_get(r, &b, x->path);
    CHECK_MSG(status_of(reply) == x->status && strstr(body_of(reply), x->part),
              "%s %s: wanted %d %s, got: %s", x->path, x->json ? x->json : "", x->status, x->part,
              reply);
    buf_free(&b);
}

void check_exchanges(const running *r, const exchange *list, size_t n) {
    for (size_t i = 0; i < n; i++) check_exchange(r, &list[i]);
}

void check_demo(const rz_server_options *opt, const exchange *list, size_t n) {
    running r;
    if (!make_server(&r, opt)) return;
    start_server(&r);
    check_exchanges(&r, list, n);
    stop_server(&r);
}
