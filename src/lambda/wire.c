/* wire.c - see wire.h. */
#include "lambda/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"

enum { READ_BYTES = 64 * 1024, MAX_HEAD = 64 * 1024, MAX_LINE = 8 * 1024 };

typedef union place_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} place_address;

static bool read_place(str place, place_address *to, socklen_t *len) {
    char host[INET6_ADDRSTRLEN + 2];
    size_t colon = place.len;
    uint64_t port = 0;
    while (colon && place.p[colon - 1] != ':') colon--;
    if (colon < 2 || colon > sizeof host) return false;
    str name = {place.p, colon - 1};
    if (!str_u64((str){place.p + colon, place.len - colon}, &port) || port < 1 || port > 65535)
        return false;
    if (name.len > 2 && name.p[0] == '[' && name.p[name.len - 1] == ']')
        name = (str){name.p + 1, name.len - 2};
    snprintf(host, sizeof host, "%.*s", STR_FMT(name));
    if (str_is(name, "localhost")) snprintf(host, sizeof host, "127.0.0.1");
    memset(to, 0, sizeof *to);
    if (inet_pton(AF_INET, host, &to->v4.sin_addr) == 1) {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons((uint16_t)port);
        *len = sizeof to->v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &to->v6.sin6_addr) != 1) return false;
    to->v6.sin6_family = AF_INET6;
    to->v6.sin6_port = htons((uint16_t)port);
    *len = sizeof to->v6;
    return true;
}

/* Until `events`, the deadline or the wake descriptor. */
static status wait_for(wire *w, short events, err *e) {
    for (;;) {
        int ms = -1;
        if (w->deadline_ns) {
            const uint64_t now = os_now_ns();
            w->late = now >= w->deadline_ns;
            if (w->late) return err_set(e, RZ_EIO, "the deadline has passed");
            const uint64_t left = (w->deadline_ns - now) / 1000000 + 1;
            ms = left > 3600000 ? 3600000 : (int)left;
        }
        struct pollfd p[2] = {{w->fd, events, 0}, {w->wake, POLLIN, 0}};
        const int n = poll(p, w->wake < 0 ? 1 : 2, ms);
        if (n < 0 && errno != EINTR) return err_sys(e, errno, "poll");
        if (n > 0 && w->wake >= 0 && p[1].revents) return err_set(e, RZ_ECANCELED, "stopped");
        if (n > 0) return RZ_OK;
    }
}

status wire_connect(wire *w, str place, err *e) {
    place_address to;
    socklen_t len = 0;
    int why = 0;
    socklen_t why_len = sizeof why;
    const int on = 1;
    if (!read_place(place, &to, &len))
        return err_set(e, RZ_EINVAL, "\"%.*s\" is no address and port, such as 127.0.0.1:9001",
                       STR_FMT(place));
    wire_close(w);
    w->fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->fd < 0) return err_sys(e, errno, "cannot create a socket");
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(w->fd, &to.any, len) == 0) return RZ_OK;
    why = errno;
    if (why == EINPROGRESS) {
        TRY(wait_for(w, POLLOUT, e));
        if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &why, &why_len) != 0) why = errno;
    }
    if (!why) return RZ_OK;
    wire_close(w);
    return err_sys(e, why, "cannot connect to %.*s", STR_FMT(place));
}

void wire_close(wire *w) {
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
    w->eof = w->late = false;
    w->at = 0;
    buf_clear(&w->in);
}

void wire_done(wire *w) {
    wire_close(w);
    buf_free(&w->in);
}

status wire_send(wire *w, str bytes, err *e) {
    while (bytes.len) {
        const ssize_t n = send(w->fd, bytes.p, bytes.len, MSG_NOSIGNAL);
        if (n > 0) bytes = (str){bytes.p + n, bytes.len - (size_t)n};
        else if (n < 0 && errno == EAGAIN) TRY(wait_for(w, POLLOUT, e));
        else if (n < 0 && errno != EINTR) return err_sys(e, errno, "cannot send");
    }
    return RZ_OK;
}

status wire_send_chunk(wire *w, str bytes, str trailer, err *e) {
    buf b = BUF_INIT;
    buf_printf(&b, "%zx\r\n", bytes.len);
    buf_str(&b, bytes.len ? bytes : trailer);
    buf_text(&b, "\r\n");
    const status s =
        b.failed ? err_set(e, RZ_ENOMEM, "out of memory") : wire_send(w, buf_view(&b), e);
    buf_free(&b);
    return s;
}

/* ---- receiving ---- */

static str unread(const wire *w) {
    return w->in.p ? (str){w->in.p + w->at, w->in.len - w->at} : (str){"", 0};
}

/* At least one more byte, or eof. Views into the input are void. */
static status receive(wire *w, err *e) {
    if (w->at) buf_drop(&w->in, w->at);
    w->at = 0;
    char *to = buf_reserve(&w->in, READ_BYTES);
    if (!to) return err_set(e, RZ_ENOMEM, "out of memory");
    for (;;) {
        const ssize_t n = recv(w->fd, to, READ_BYTES, 0);
        if (n > 0) w->in.len += (size_t)n;
        if (n == 0) w->eof = true;
        if (n >= 0) return RZ_OK;
        if (errno == EAGAIN) TRY(wait_for(w, POLLIN, e));
        else if (errno != EINTR) return err_sys(e, errno, "cannot receive");
    }
}

static status ended(err *e) {
    return err_set(e, RZ_EIO, "the connection ended in the middle of an answer");
}

static status bad(err *e) { return err_set(e, RZ_EFORMAT, "the answer is not HTTP/1.1"); }

/* A line without its CRLF, of at most MAX_LINE bytes. */
static status take_line(wire *w, str *line, err *e) {
    ptrdiff_t end;
    while ((end = str_find(unread(w), STR_LIT("\r\n"))) < 0) {
        if (unread(w).len > MAX_LINE) return bad(e);
        if (w->eof) return ended(e);
        TRY(receive(w, e));
    }
    *line = (str){w->in.p + w->at, (size_t)end};
    w->at += (size_t)end + 2;
    return RZ_OK;
}

static bool is_name(str s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~') return false;
    return s.len > 0;
}

bool wire_field(const wire_answer *a, size_t *at, str *name, str *value) {
    const str head = buf_view(&a->head);
    if (*at == 0) *at = (size_t)(str_find(head, STR_LIT("\r\n")) + 2);
    while (*at < head.len) {
        str rest = {head.p + *at, head.len - *at};
        const ptrdiff_t end = str_find(rest, STR_LIT("\r\n"));
        if (end >= 0) rest.len = (size_t)end;
        *at += rest.len + 2;
        *name = str_split(&rest, ':');
        *value = str_trim(rest);
        if (rest.p && is_name(*name)) return true;
    }
    return false;
}

str wire_find(const wire_answer *a, const char *name) {
    size_t at = 0;
    str found, value;
    while (wire_field(a, &at, &found, &value))
        if (str_eq_nocase(found, str_of(name))) return value;
    return (str){NULL, 0};
}

static status read_head(wire *w, wire_answer *a, err *e) {
    ptrdiff_t end;
    while ((end = str_find(unread(w), STR_LIT("\r\n\r\n"))) < 0) {
        if (unread(w).len > MAX_HEAD) return bad(e);
        if (w->eof && !unread(w).len)
            return err_set(e, RZ_ENOTFOUND, "the connection was closed without an answer");
        if (w->eof) return ended(e);
        TRY(receive(w, e));
    }
    buf_clear(&a->head);
    buf_add(&a->head, w->in.p + w->at, (size_t)end + 2);
    w->at += (size_t)end + 4;
    if (a->head.failed) return err_set(e, RZ_ENOMEM, "out of memory");
    const str head = buf_view(&a->head);
    uint64_t code = 0;
    if (head.len < 14 || !str_starts(head, STR_LIT("HTTP/1.")) || head.p[8] != ' ' ||
        !str_u64((str){head.p + 9, 3}, &code) || code < 100 || code > 599)
        return bad(e);
    a->code = (int)code;
    return RZ_OK;
}

status wire_head(wire *w, wire_answer *a, err *e) {
    do TRY(read_head(w, a, e));
    while (a->code < 200);
    const str length = wire_find(a, "content-length"), coding = wire_find(a, "transfer-encoding");
    a->chunked = coding.p && str_eq_nocase(coding, STR_LIT("chunked"));
    a->sized = !a->chunked && length.p;
    a->begun = false;
    a->left = 0;
    if (a->sized && !str_u64(length, &a->left)) return bad(e);
    if (coding.p && !a->chunked) return bad(e);
    if (a->code == 204 || a->code == 304) a->sized = true;
    a->close =
        str_eq_nocase(wire_find(a, "connection"), STR_LIT("close")) || (!a->sized && !a->chunked);
    return RZ_OK;
}

/* The size of the next chunk; behind the last the trailer is stepped over. */
static status next_chunk(wire *w, wire_answer *a, err *e) {
    str line;
    if (a->begun) {
        TRY(take_line(w, &line, e));
        if (line.len) return bad(e);
    }
    a->begun = true;
    TRY(take_line(w, &line, e));
    size_t i = 0;
    int digit;
    while (i < line.len && (digit = str_hex_digit(line.p[i])) >= 0 && i < 15) {
        a->left = a->left * 16 + (unsigned)digit;
        i++;
    }
    if (i == 0 || (i < line.len && line.p[i] != ';' && line.p[i] != ' ')) return bad(e);
    if (a->left) return RZ_OK;
    do TRY(take_line(w, &line, e));
    while (line.len);
    a->chunked = false;
    a->sized = true; /* with nothing left */
    return RZ_OK;
}

status wire_body(wire *w, wire_answer *a, str *piece, err *e) {
    *piece = (str){NULL, 0};
    if (a->chunked && !a->left) TRY(next_chunk(w, a, e));
    if (a->sized && !a->left) return RZ_OK;
    while (!unread(w).len) {
        if (w->eof && a->close && !a->chunked && !a->sized) return RZ_OK;
        if (w->eof) return ended(e);
        TRY(receive(w, e));
    }
    *piece = unread(w);
    if (a->sized || a->chunked) {
        if (piece->len > a->left) piece->len = (size_t)a->left;
        a->left -= piece->len;
    }
    w->at += piece->len;
    return RZ_OK;
}

status wire_all(wire *w, wire_answer *a, size_t max, buf *out, err *e) {
    for (;;) {
        str piece;
        TRY(wire_body(w, a, &piece, e));
        if (!piece.len) return RZ_OK;
        if (piece.len > max - out->len)
            return err_set(e, RZ_EFULL, "a body of more than %zu bytes", max);
        buf_str(out, piece);
        if (out->failed) return err_set(e, RZ_ENOMEM, "out of memory");
    }
}
