/* server.c - rz_server_...: listening, accepting, running and stopping. What a connection does is
 * in conn.c, what is answered in h_*.c. */
#include "server/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "server/access.h"
#include "server/conn.h"
#include "server/embed.h"
#include "server/http.h"
#include "server/job.h"
#include "server/rate.h"
#include "server/shapes.h"

enum {
    DEFAULT_PORT = 8080,
    SPARE_DESCRIPTORS = 64, /* of the process's limit, left for others           */
    ACCEPT_AT_ONCE = 64,    /* then the other descriptors have their turn        */
    ACCEPT_REST_MS = 100,   /* pause when the system refuses another descriptor  */
    BODY_BYTES = 8 * 1024 * 1024,
    KEEP_SCRATCH = 1024 * 1024, /* bytes of each scratch kept between requests   */
    TREE_PER_BYTE = 16,         /* memory for parsed JSON, per byte of body      */
};

const char *server_date(server *s) {
    const uint64_t second = os_unix_ms() / 1000;
    if (second != s->date_second) {
        struct tm tm;
        const time_t t = (time_t)second;
        static const char day[] = "SunMonTueWedThuFriSat";
        static const char month[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        gmtime_r(&t, &tm);
        /* Not strftime: the names must not depend on the locale. */
        snprintf(s->date, sizeof s->date, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
                 day + 3 * tm.tm_wday, (unsigned)tm.tm_mday % 100u, month + 3 * tm.tm_mon,
                 (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)tm.tm_hour % 100u,
                 (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u);
        s->date_second = second;
    }
    return s->date;
}

void server_tidy(server *s) {
    if (s->arena.bytes > KEEP_SCRATCH) arena_free(&s->arena);
    else if (s->arena.bytes) arena_reset(&s->arena);
    if (s->body.cap > KEEP_SCRATCH) buf_free(&s->body);
    if (s->ids_cap > KEEP_SCRATCH / sizeof *s->ids) {
        mem_free(s->ids);
        s->ids = NULL;
        s->ids_cap = 0;
    }
}

size_t server_context(const server *s) {
    rz_model_info info;
    if (s->engine) return rz_engine_context(s->engine);
    rz_model_describe(s->model, &info);
    return info.context;
}

void server_engine_stats(const server *s, rz_engine_stats *out) {
    *out = (rz_engine_stats){0};
    if (s->engine) rz_engine_stats_get(s->engine, out);
}

/* ---- accepting ---- */

static bool close_oldest_idle(server *s) {
    loop_timer *t = s->idle_alarm.first;
    if (!t) return false;
    conn_close((conn *)(void *)((char *)t - offsetof(conn, timer)));
    return true;
}

/* Nobody idle to make room: say so as far as that is possible without a connection. */
static void turn_away(server *s, int fd) {
    static const char full[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        "Content-Length: 32\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
        "{\"error\":\"too many connections\"}";
    s->metrics.refused++;
    if (send(fd, full, sizeof full - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) shutdown(fd, SHUT_WR);
    close(fd);
}

static void rest(server *s) {
    if (!s->accepting) return;
    s->accepting = false;
    loop_want(s->loop, &s->listener.source, 0);
    loop_timer_start(s->loop, &s->accept_alarm, &s->accept_timer);
}

void server_rest_over(server *s) {
    if (s->accepting || s->draining || s->listener.source.fd < 0) return;
    s->accepting = true;
    loop_timer_stop(&s->accept_timer);
    loop_want(s->loop, &s->listener.source, LOOP_READ);
}

static void rest_late(loop_timer *t) {
    server_rest_over((server *)(void *)((char *)t - offsetof(server, accept_timer)));
}

/* false: nothing more to accept now. */
static bool accept_one(server *s) {
    struct sockaddr_in6 peer = {0};
    socklen_t len = sizeof peer;
    const int fd = accept4(s->listener.source.fd, (struct sockaddr *)&peer, &len,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        if (s->n_conn >= s->lim.connections && !close_oldest_idle(s)) turn_away(s, fd);
        else conn_open(s, fd, &peer);
        return true;
    }
    switch (errno) {
        case EAGAIN:
            return false;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            /* The waiting connection keeps the socket readable: without a rest we would spin. */
            if (close_oldest_idle(s)) return true;
            rest(s);
            return false;
        default:
            return true; /* that one connection failed before we got it */
    }
}

/* Connections from within the process. */
static void given_ready(loop_source *source, unsigned events) {
    (void)events;
    server *s = ((server_source *)source)->srv;
    const struct sockaddr_in6 nobody = {0};
    int fd;
    while (read(source->fd, &fd, sizeof fd) == sizeof fd) {
        if (s->draining) close(fd);
        else conn_open(s, fd, &nobody);
    }
}

static status accept_given(server *s, err *e) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(e, errno, "server: cannot create a pipe");
    s->given.source.fd = ends[0];
    s->give_fd = ends[1];
    return loop_add(s->loop, &s->given.source, LOOP_READ, e);
}

rz_status rz_server_connect(rz_server *s, int *fd, rz_error *err_out) {
    int pair[2];
    if (!s || !fd) return err_set(err_out, RZ_EINVAL, "server: server or fd is NULL");
    if (s->give_fd < 0)
        return err_set(err_out, RZ_EINVAL, "server: it listens; connect to its port");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(err_out, errno, "server: cannot create a connection");
    if (write(s->give_fd, &pair[1], sizeof pair[1]) != sizeof pair[1]) {
        close(pair[0]);
        close(pair[1]);
        return err_set(err_out, RZ_EFULL, "server: too many connections wait");
    }
    *fd = pair[0];
    return RZ_OK;
}

static void listener_ready(loop_source *source, unsigned events) {
    (void)events;
    server *s = ((server_source *)source)->srv;
    for (int i = 0; i < ACCEPT_AT_ONCE; i++)
        if (!accept_one(s)) return;
}

/* ---- stopping ---- */

void rz_server_stop(rz_server *s) {
    const int saved = errno;
    const uint64_t one = 1;
    if (!s) return;
    atomic_fetch_add(&s->stops, 1);
    if (write(s->stop_fd.source.fd, &one, sizeof one) < 0)
        errno = saved; /* it is readable anyway */
    errno = saved;
}

static void close_listener(server *s) {
    if (s->listener.source.fd < 0) return;
    loop_timer_stop(&s->accept_timer);
    loop_remove(s->loop, &s->listener.source);
    close(s->listener.source.fd);
    s->listener.source.fd = -1;
}

static void drain(server *s) {
    /* Who is in the listener's queue has connected: they are still answered. */
    if (s->give_fd >= 0) given_ready(&s->given.source, LOOP_READ);
    for (int i = 0; s->give_fd < 0 && i < ACCEPT_AT_ONCE && accept_one(s); i++) continue;
    s->draining = true;
    close_listener(s);
    log_info("server: finishing %zu requests, then stopping", s->n_job);
    for (conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        conn_drain(c);
    }
    loop_timer_start(s->loop, &s->drain_alarm, &s->drain_timer);
}

/* Stop now: whatever still runs is cut off. */
static void force(server *s) {
    if (s->n_job) s->forced = true;
    for (job *j = s->jobs; j; j = j->next) job_cancel(j);
    loop_timer_stop(&s->drain_timer);
    while (s->conns) conn_close(s->conns);
}

static void drain_late(loop_timer *t) {
    force((server *)(void *)((char *)t - offsetof(server, drain_timer)));
}

static void stop_ready(loop_source *source, unsigned events) {
    (void)events;
    server *s = ((server_source *)source)->srv;
    eventfd_t seen;
    eventfd_read(source->fd, &seen);
    const int stops = atomic_load(&s->stops);
    if (!s->draining && stops > 0) drain(s);
    if (stops > 1) force(s);
}

/* ---- making ---- */

/* host and port to a socket address. */
static status resolve(const char *host, int port, struct sockaddr_in6 *out, socklen_t *len,
                      err *e) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    char plain[INET6_ADDRSTRLEN + 1] = "";
    const size_t n = strlen(host);
    if (n > 2 && n < sizeof plain && host[0] == '[' && host[n - 1] == ']') {
        memcpy(plain, host + 1, n - 2);
        host = plain;
    }
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &v4.sin_addr)) {
        memcpy(out, &v4, sizeof v4);
        *len = sizeof v4;
        return RZ_OK;
    }
    if (inet_pton(AF_INET6, host, &v6.sin6_addr)) {
        *out = v6;
        *len = sizeof v6;
        return RZ_OK;
    }
    return err_set(e, RZ_EINVAL,
                   "server: host \"%.100s\" is not an IPv4 or IPv6 address, nor localhost", host);
}

static status listen_on(server *s, const char *host, int port, err *e) {
    struct sockaddr_in6 at = {0};
    socklen_t len = 0;
    TRY(resolve(host, port, &at, &len, e));
    const int fd = socket(at.sin6_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return err_sys(e, errno, "server: cannot create a socket");
    s->listener.source.fd = fd;
    const int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* Accepted sockets inherit these. Each reply is one send, so waiting for more is useless. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (at.sin6_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (const struct sockaddr *)&at, len) < 0 || listen(fd, SOMAXCONN) < 0)
        return err_sys(e, errno, "server: cannot listen on %s port %d", host, port);
    struct sockaddr_in6 got = {0};
    len = sizeof got;
    if (getsockname(fd, (struct sockaddr *)&got, &len) < 0)
        return err_sys(e, errno, "server: cannot find out the port");
    s->port = ntohs(got.sin6_port); /* the same place in both kinds of address */
    s->accepting = true;
    return loop_add(s->loop, &s->listener.source, LOOP_READ, e);
}

static uint32_t or_default(int value, uint32_t standard) {
    return value > 0 ? (uint32_t)value : standard;
}

static void set_limits(limits *l, const rz_server_options *o) {
    *l = (limits){.line_bytes = 8 * 1024,
                  .head_bytes = 32 * 1024,
                  .headers = HTTP_MAX_HEADERS,
                  .body_bytes = o->max_body_bytes ? o->max_body_bytes : BODY_BYTES,
                  .connections = o->max_connections ? o->max_connections : 4096,
                  .batch = 256,
                  .texts = 2048,
                  .out_high = 64 * 1024,
                  .out_low = 16 * 1024,
                  .head_ms = or_default(o->header_timeout_ms, 10000),
                  .body_ms = or_default(o->header_timeout_ms, 10000),
                  .idle_ms = or_default(o->idle_timeout_ms, 75000),
                  .write_ms = or_default(o->idle_timeout_ms, 75000),
                  .linger_ms = 2000,
                  .drain_ms = or_default(o->drain_timeout_ms, 30000),
                  .answer_ms = or_default(o->request_timeout_ms, 0)};
    const size_t many = (size_t)256 * 1024 * 1024;
    l->held_bytes =
        many > 4 * l->body_bytes || l->body_bytes > SIZE_MAX / 4 ? many : 4 * l->body_bytes;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY) return;
    const size_t most = files.rlim_cur > 2 * SPARE_DESCRIPTORS
                            ? (size_t)files.rlim_cur - SPARE_DESCRIPTORS
                            : SPARE_DESCRIPTORS;
    if (l->connections > most) l->connections = most;
}

static void set_alarms(server *s) {
    loop *l = s->loop;
    loop_alarm_init(l, &s->head_alarm, s->lim.head_ms, conn_late);
    loop_alarm_init(l, &s->body_alarm, s->lim.body_ms, conn_late);
    loop_alarm_init(l, &s->idle_alarm, s->lim.idle_ms, conn_late);
    loop_alarm_init(l, &s->write_alarm, s->lim.write_ms, conn_late);
    loop_alarm_init(l, &s->linger_alarm, s->lim.linger_ms, conn_late);
    loop_alarm_init(l, &s->drain_alarm, s->lim.drain_ms, drain_late);
    loop_alarm_init(l, &s->accept_alarm, ACCEPT_REST_MS, rest_late);
}

static status fill(server *s, rz_engine *engine, const rz_server_options *o, err *e) {
    s->engine = engine;
    s->model = engine ? rz_engine_model(engine) : o->model;
    s->tokenizer = rz_model_tokenizer(s->model);
    s->model_id = mem_strdup(o->model_id ? o->model_id : "default");
    s->in = mem_alloc(SERVER_READ_BYTES);
    if (!s->model_id || !s->in) return err_set(e, RZ_ENOMEM, "server: out of memory");
    if (s->lim.body_bytes < SIZE_MAX / TREE_PER_BYTE)
        s->arena.limit = s->lim.body_bytes * TREE_PER_BYTE + KEEP_SCRATCH;
    s->no_web = o->no_web != 0;
    s->began_ns = os_now_ns();
    s->began_unix_ms = os_unix_ms();
    TRY(access_init(s, o, e));
    TRY(loop_new(&s->loop, o->poll_events != 0, e));
    if (o->rate_per_minute) TRY(rate_new(&s->rate, (uint32_t)o->rate_per_minute, e));
    TRY(outbox_init(s, e));
    s->stop_fd.source.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->stop_fd.source.fd < 0) return err_sys(e, errno, "server: cannot create an eventfd");
    TRY(loop_add(s->loop, &s->stop_fd.source, LOOP_READ, e));
    if (o->port == -2) return accept_given(s, e);
    return listen_on(s, o->host ? o->host : "127.0.0.1",
                     o->port < 0    ? 0
                     : o->port == 0 ? DEFAULT_PORT
                                    : o->port,
                     e);
}

rz_status rz_server_new(rz_server **out, rz_engine *engine, const rz_server_options *opt,
                        rz_error *err_out) {
    rz_server_options o = RZ_SERVER_INIT;
    /* Callers built against an older header know fewer members. */
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    if (!out || (!engine && !o.model))
        return err_set(err_out, RZ_EINVAL, "server: out or engine is NULL");
    if (o.port > 65535)
        return err_set(err_out, RZ_EINVAL, "server: port %d is above 65535", o.port);
    if (o.rate_per_minute < 0)
        return err_set(err_out, RZ_EINVAL, "server: rate_per_minute is %d", o.rate_per_minute);
    server *s = mem_zero(sizeof *s);
    if (!s) return err_set(err_out, RZ_ENOMEM, "server: out of memory");
    s->listener = (server_source){{.fd = -1, .ready = listener_ready}, s};
    s->stop_fd = (server_source){{.fd = -1, .ready = stop_ready}, s};
    s->given = (server_source){{.fd = -1, .ready = given_ready}, s};
    s->give_fd = -1;
    set_limits(&s->lim, &o);
    const status got = fill(s, engine, &o, err_out);
    if (got < 0) {
        rz_server_free(s);
        return got;
    }
    *out = s;
    return RZ_OK;
}

/* Draining is over when all that is left are connections waiting for their client to close. */
static bool finished(const server *s) {
    return s->draining && s->n_job == 0 && s->n_conn == s->n_linger;
}

rz_status rz_server_run(rz_server *s, rz_error *err_out) {
    if (!s) return err_set(err_out, RZ_EINVAL, "server: NULL");
    if (s->ran) return err_set(err_out, RZ_EINVAL, "server: it has run already");
    s->ran = true;
    s->log_access = log_wants(RZ_LOG_INFO);
    set_alarms(s);
    if (s->give_fd < 0) log_info("server: listening on port %d", s->port);
    status got = RZ_OK;
    while (got == RZ_OK && !finished(s)) {
        got = loop_wait(s->loop, err_out);
        conn_sweep(s);
    }
    if (got < 0 && !s->draining) drain(s);
    force(s);
    /* The engine still owes a done() for every job. */
    while (s->n_job && loop_wait(s->loop, NULL) == RZ_OK) continue;
    conn_sweep(s);
    if (s->give_fd >= 0) given_ready(&s->given.source, LOOP_READ); /* who came too late */
    if (got == RZ_OK && s->forced)
        got = err_set(err_out, RZ_ECANCELED, "server: stopped before all requests were finished");
    return got;
}

void rz_server_free(rz_server *s) {
    if (!s) return;
    if (s->listener.source.fd >= 0) close(s->listener.source.fd);
    if (s->stop_fd.source.fd >= 0) close(s->stop_fd.source.fd);
    embed_done(s); /* its thread writes to the outbox */
    if (s->give_fd >= 0) {
        s->draining = true;
        given_ready(&s->given.source, LOOP_READ);
        close(s->given.source.fd);
        close(s->give_fd);
    }
    outbox_done(s);
    while (s->spare) {
        conn *c = s->spare;
        s->spare = c->next;
        mem_free(c);
    }
    loop_free(s->loop);
    buf_free(&s->out);
    buf_free(&s->body);
    arena_free(&s->arena);
    shapes_done(s);
    rate_free(s->rate);
    mem_free(s->ids);
    mem_free(s->in);
    mem_free(s->model_id);
    access_done(s);
    mem_free(s);
}

int rz_server_port(const rz_server *s) { return s ? s->port : 0; }
