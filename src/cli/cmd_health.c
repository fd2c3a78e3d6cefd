/* cmd_health.c - realizar health: GET a URL, exit 0 when the answer is 200. Made for containers
 * that hold nothing but this program: plain sockets, addresses as numbers, no resolver. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "cli/cmd.h"
#include "cli/show.h"

#define DEFAULT_URL "http://127.0.0.1:8080/health"

enum { MAX_REPLY = 64 << 10 };

typedef struct health_args {
    float timeout;
} health_args;

/* clang-format off */
static const arg_option options[] = {
    {.name = "timeout", .kind = ARG_FLOAT, .at = offsetof(health_args, timeout), .min = 0.001,
     .max = 3600, .value = "SECONDS", .fallback = "2",
     .help = "for connecting and the answer together"},
    {.name = NULL}};
/* clang-format on */

typedef struct target {
    str host, path; /* host without brackets */
    uint16_t port;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t address_len;
} target;

static status bad_url(const char *url, const char *why, err *e) {
    return err_set(e, RZ_EINVAL, "%.200s: %s, expected a URL such as %s", url, why, DEFAULT_URL);
}

static bool fill_address(target *t) {
    char host[64];
    if (t->host.len >= sizeof host) return false;
    snprintf(host, sizeof host, "%.*s", STR_FMT(t->host));
    memset(&t->address, 0, sizeof t->address);
    if (strcmp(host, "localhost") == 0) snprintf(host, sizeof host, "127.0.0.1");
    if (inet_pton(AF_INET, host, &t->address.v4.sin_addr) == 1) {
        t->address.v4.sin_family = AF_INET;
        t->address.v4.sin_port = htons(t->port);
        t->address_len = sizeof t->address.v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &t->address.v6.sin6_addr) != 1) return false;
    t->address.v6.sin6_family = AF_INET6;
    t->address.v6.sin6_port = htons(t->port);
    t->address_len = sizeof t->address.v6;
    return true;
}

static status parse_url(const char *url, target *t, err *e) {
    static const char scheme[] = "http://";
    str s = str_of(url);
    if (!str_starts(s, str_of(scheme))) return bad_url(url, "does not begin with http://", e);
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 127)
            return bad_url(url, "has a space or control character", e);
    s = (str){s.p + strlen(scheme), s.len - strlen(scheme)};
    const char *slash = s.len ? memchr(s.p, '/', s.len) : NULL;
    str place = {s.p, slash ? (size_t)(slash - s.p) : s.len};
    t->path = slash ? (str){slash, s.len - place.len} : STR_LIT("/health");
    if (str_is(t->path, "/")) t->path = STR_LIT("/health");
    const bool v6 = place.len && place.p[0] == '[';
    const char *end = place.len ? memchr(place.p, v6 ? ']' : ':', place.len) : NULL;
    if (v6 && !end) return bad_url(url, "a \"[\" without \"]\"", e);
    t->host = (str){place.p + v6, (end ? (size_t)(end - place.p) : place.len) - v6};
    str port = {NULL, 0};
    if (end) port = (str){end + v6, place.len - (size_t)(end + v6 - place.p)};
    uint64_t number = 80;
    if (port.len && (port.p[0] != ':' || !str_u64((str){port.p + 1, port.len - 1}, &number) ||
                     number < 1 || number > 65535))
        return bad_url(url, "the port is no number from 1 to 65535", e);
    t->port = (uint16_t)number;
    if (!fill_address(t)) return bad_url(url, "the host is no address in numbers", e);
    return RZ_OK;
}

/* ---- Talking ---- */

/* Wait for `events`; RZ_EIO at the deadline. */
static status wait_for(int fd, short events, uint64_t deadline, err *e) {
    for (;;) {
        const uint64_t now = os_now_ns();
        struct pollfd p = {fd, events, 0};
        if (now >= deadline) return err_set(e, RZ_EIO, "no answer in time");
        const int n = poll(&p, 1, (int)((deadline - now) / 1000000 + 1));
        if (n > 0) return RZ_OK;
        if (n < 0 && errno != EINTR) return err_sys(e, errno, "poll");
    }
}

static status connect_to(const target *t, uint64_t deadline, int *out, err *e) {
    const int fd = socket(t->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return err_sys(e, errno, "socket");
    int why = 0;
    socklen_t len = sizeof why;
    status s = RZ_OK;
    if (connect(fd, &t->address.any, t->address_len) != 0) {
        why = errno;
        if (why == EINPROGRESS) {
            s = wait_for(fd, POLLOUT, deadline, e);
            if (s >= 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) != 0) why = errno;
        }
        if (s >= 0 && why) s = err_sys(e, why, "cannot connect");
    }
    if (s < 0) close(fd);
    else *out = fd;
    return s;
}

static status send_request(int fd, const target *t, uint64_t deadline, err *e) {
    buf b = BUF_INIT;
    status s = RZ_OK;
    const bool v6 = t->address.any.sa_family == AF_INET6;
    buf_printf(&b, "GET %.*s HTTP/1.1\r\nHost: %s%.*s%s:%u\r\nUser-Agent: realizar/%s\r\n",
               (int)t->path.len, t->path.p, v6 ? "[" : "", STR_FMT(t->host), v6 ? "]" : "",
               (unsigned)t->port, rz_version());
    buf_text(&b, "Accept: */*\r\nConnection: close\r\n\r\n");
    if (b.failed) s = err_set(e, RZ_ENOMEM, "out of memory");
    while (s >= 0 && b.len) {
        const ssize_t n = send(fd, b.p, b.len, MSG_NOSIGNAL);
        if (n > 0) buf_drop(&b, (size_t)n);
        else if (n < 0 && errno == EAGAIN) s = wait_for(fd, POLLOUT, deadline, e);
        else if (n < 0 && errno != EINTR) s = err_sys(e, errno, "cannot send");
    }
    buf_free(&b);
    return s;
}

/* Until the first line is whole; the rest is not needed. */
static status read_first_line(int fd, uint64_t deadline, buf *b, err *e) {
    while (!b->len || !memchr(b->p, '\n', b->len)) {
        char *to = buf_reserve(b, 4096);
        if (!to) return err_set(e, RZ_ENOMEM, "out of memory");
        const ssize_t n = recv(fd, to, 4096, 0);
        if (n > 0) b->len += (size_t)n;
        else if (n == 0) return err_set(e, RZ_EIO, "the connection was closed without an answer");
        else if (errno == EAGAIN) TRY(wait_for(fd, POLLIN, deadline, e));
        else if (errno != EINTR) return err_sys(e, errno, "cannot receive");
        if (b->len > MAX_REPLY) return err_set(e, RZ_EFORMAT, "the answer is not HTTP");
    }
    return RZ_OK;
}

/* "HTTP/1.1 200 OK" -> 200 */
static status status_code(const buf *b, int *out, err *e) {
    str rest = buf_view(b);
    str line = str_trim(str_split(&rest, '\n'));
    const str version = str_split(&line, ' '), code = str_split(&line, ' ');
    uint64_t v;
    if (!str_starts(version, STR_LIT("HTTP/1.")) || code.len != 3 || !str_u64(code, &v))
        return err_set(e, RZ_EFORMAT, "the answer is not HTTP");
    *out = (int)v;
    return RZ_OK;
}

static status ask(const target *t, float timeout, int *code, err *e) {
    const uint64_t deadline = os_now_ns() + (uint64_t)((double)timeout * 1e9);
    buf reply = BUF_INIT;
    int fd = -1;
    status s = connect_to(t, deadline, &fd, e);
    if (s >= 0) s = send_request(fd, t, deadline, e);
    if (s >= 0) s = read_first_line(fd, deadline, &reply, e);
    if (s >= 0) s = status_code(&reply, code, e);
    if (fd >= 0) close(fd);
    buf_free(&reply);
    return s;
}

static int health(const cmd_call *c) {
    const health_args *a = c->values;
    const char *url = c->rest->n ? c->rest->item[0] : DEFAULT_URL;
    target t;
    int code = 0;
    err e = {0};
    if (c->rest->n > 1) return cmd_usage(c, "unexpected argument \"%.80s\"", c->rest->item[1]);
    if (parse_url(url, &t, &e) < 0) return cmd_usage(c, "%s", e.text);
    status s = ask(&t, a->timeout, &code, &e);
    if (s >= 0 && code != 200) s = err_set(&e, RZ_EIO, "status %d, expected 200", code);
    if (s < 0) {
        err_at(&e, s, url);
        return cmd_failed(c, &e);
    }
    buf out = BUF_INIT;
    buf_printf(&out, "%.500s: healthy\n", url);
    return cmd_print(c, &out);
}

static const arg_group groups[] = {{"Options", options, 0}};

const cmd_spec cmd_health = {
    {"[URL]",
     "GET URL (default " DEFAULT_URL "; without a path, /health). Exit code 0 when the answer is "
     "200, else 1 with the reason on standard error. The host is an address in numbers, or "
     "localhost.",
     "health\nhealth http://127.0.0.1:9000", groups, 1, sizeof(health_args)},
    health};
