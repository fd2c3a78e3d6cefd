/* conn.c - see conn.h. Every way into this file ends in conn_settle, the one place that sends, goes
 * on with waiting requests, chooses the timer and tells the loop what to wait for. Nothing is
 * closed half-way: a connection that failed only becomes CONN_GONE and is closed there. */
#include "server/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/access.h"
#include "server/job.h"
#include "server/reply.h"
#include "server/router.h"

enum {
    KEEP_SPARE = 256,       /* closed connections kept for reuse                           */
    KEEP_BYTES = 16 * 1024, /* a buffer above this is given back when it is empty          */
    BODY_STEP = 16 * 1024,  /* body bytes that earn another body timeout                   */
    SMALL_BODY = 64 * 1024, /* a body read to its end although the answer is an error      */
};

/* Bytes of a request or several, in the server's scratch or in conn.in. */
typedef struct view {
    char *p;
    size_t len;
} view;

/* ---- opening and closing ---- */

static size_t unsent(const conn *c) { return c->out.len - c->out_at; }

static void count_input(conn *c) {
    c->srv->held += c->in.cap - c->in_cap;
    c->in_cap = c->in.cap;
}

/* Forget the input; a large buffer is given back. */
static void clear_input(conn *c) {
    if (c->in.cap > KEEP_BYTES) buf_free(&c->in);
    else buf_clear(&c->in);
    count_input(c);
}

void conn_close(conn *c) {
    if (c->source.fd < 0) return;
    server *s = c->srv;
    if (c->job) job_leave(c->job);
    if (s->writer == c) {
        buf_clear(&s->out);
        s->writer = NULL;
    }
    loop_timer_stop(&c->timer);
    loop_remove(s->loop, &c->source);
    close(c->source.fd);
    c->source.fd = -1;
    if (c->state == CONN_LINGER) s->n_linger--;
    c->state = CONN_GONE;
    buf_free(&c->in);
    count_input(c);
    buf_free(&c->out);
    if (c->prev) c->prev->next = c->next;
    else s->conns = c->next;
    if (c->next) c->next->prev = c->prev;
    s->n_conn--;
    c->next = s->gone;
    s->gone = c;
    server_rest_over(s);
}

void conn_sweep(server *s) {
    while (s->gone) {
        conn *c = s->gone;
        s->gone = c->next;
        if (s->n_spare < KEEP_SPARE && !s->draining) {
            c->next = s->spare;
            s->spare = c;
            s->n_spare++;
        } else {
            mem_free(c);
        }
    }
}

/* ---- output ---- */

buf *conn_out(conn *c) {
    if (unsent(c)) return &c->out;
    c->srv->writer = c;
    return &c->srv->out;
}

/* Send p[0..len) as far as the socket takes it. Returns what it took. */
static size_t send_some(conn *c, const char *p, size_t len) {
    size_t done = 0;
    while (done < len) {
        const ssize_t n = send(c->source.fd, p + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            c->state = CONN_GONE;
            break;
        }
    }
    if (done) c->restart = true; /* the client is reading: its time starts anew */
    return done;
}

static void send_kept(conn *c) {
    buf *o = &c->out;
    if (o->failed) c->state = CONN_GONE;
    if (c->state == CONN_GONE) return;
    c->out_at += send_some(c, o->p + c->out_at, unsent(c));
    if (c->out_at < o->len) {
        if (c->out_at > o->len / 2) {
            buf_drop(o, c->out_at);
            c->out_at = 0;
        }
        return;
    }
    c->out_at = 0;
    if (o->cap > KEEP_BYTES) buf_free(o);
    else buf_clear(o);
}

static void flush(conn *c) {
    server *s = c->srv;
    reply_part_end(c);
    if (s->writer == c) {
        buf *o = &s->out;
        s->writer = NULL;
        if (o->failed) c->state = CONN_GONE;
        if (c->state != CONN_GONE) {
            const size_t n = send_some(c, o->p, o->len);
            buf_add(&c->out, o->p + n, o->len - n);
        }
        if (o->cap > 16 * KEEP_BYTES) buf_free(o);
        else buf_clear(o);
        if (c->out.failed) c->state = CONN_GONE;
    } else if (unsent(c)) {
        send_kept(c);
    }
}

/* ---- one request ---- */

static void log_access(conn *c) {
    char ip[INET6_ADDRSTRLEN] = "?";
    unsigned port = 0;
    if (c->peer.sin6_family == AF_INET6) {
        inet_ntop(AF_INET6, &c->peer.sin6_addr, ip, sizeof ip);
        port = ntohs(c->peer.sin6_port);
    } else if (c->peer.sin6_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &c->peer, sizeof v4);
        inet_ntop(AF_INET, &v4.sin_addr, ip, sizeof ip);
        port = ntohs(v4.sin_port);
    }
    const double ms = (double)(loop_now(c->srv->loop) - c->began_ns) * 1e-6;
    log_info("%s:%u %s %s %d %llu B %.1f ms", ip, port, http_method_name(c->method), c->target,
             c->status, (unsigned long long)c->reply_bytes, ms);
}

/* Remember what the log line and the reply need: the head itself is dropped before a job ends. */
static void begin_reply(conn *c, const char *base) {
    const http_request *r = &c->req;
    c->method = r->method;
    c->head_only = r->method == HTTP_HEAD;
    c->old = r->minor == 0;
    c->keep = r->keep_alive && !c->srv->draining;
    c->replied = c->chunked = false;
    c->began_ns = loop_now(c->srv->loop);
    c->target[0] = '-';
    c->target[1] = 0;
    if (!base || !c->srv->log_access) return;
    const str t = http_at(base, r->target);
    const size_t len = t.len < sizeof c->target ? t.len : sizeof c->target - 1;
    memcpy(c->target, t.p, len);
    c->target[len] = 0;
}

void conn_finish(conn *c) {
    server *s = c->srv;
    if (c->status >= 100 && c->status < 600) s->metrics.replies[c->status / 100]++;
    if (s->log_access) log_access(c);
    c->served = c->restart = true;
    c->deaf = false;
    if (s->draining) c->keep = false;
    c->state = c->keep ? CONN_HEAD : CONN_CLOSING;
    http_reset(&c->req);
}

/* Answer with an error and read no further: where the next request begins is not known, or not
 * worth finding out. */
static void refuse(conn *c, int code, const char *why) {
    c->keep = false;
    c->linger = true;
    c->state = CONN_WORK;
    reply_error(c, code, "%s", why);
}

static bool has_body(const http_request *r) { return r->chunked || r->length > 0; }

/* The head is complete: decide what can be decided without the body. */
static void take_head(conn *c, const char *base) {
    const http_request *r = &c->req;
    begin_reply(c, base);
    c->route = router_find(r->method, http_at(base, r->path), &c->verdict);
    int key;
    if (!access_granted(c->srv, r, base, &key)) c->verdict = 401;
    else if (!c->verdict && r->method == HTTP_POST && !access_in_time(c, key)) c->verdict = 429;
    const bool wants_body =
        r->method == HTTP_POST || r->method == HTTP_PUT || r->method == HTTP_PATCH;
    if (!c->verdict && wants_body && !r->chunked && !r->has_length) c->verdict = 411;
    if (r->length > c->srv->lim.body_bytes) {
        refuse(c, 413, "the request body is too large");
        return;
    }
    c->state = CONN_BODY;
    c->chunks = (http_chunks){0};
    c->body_mark = BODY_STEP;
    c->restart = true;
    if (!has_body(r)) return;
    if (c->verdict && (r->expect_continue || r->chunked || r->length > SMALL_BODY)) {
        c->keep = false;
        c->linger = true;
        c->state = CONN_WORK;
        router_answer(c, base, (str){"", 0});
    } else if (r->expect_continue) {
        buf_str(conn_out(c), STR_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
    }
}

/* Is the body of c->req, which begins at v->p, all there? Then *body is it and *used the bytes of
 * the request. The view shrinks when chunks are decoded. */
static bool take_body(conn *c, view *v, str *body, size_t *used) {
    const http_request *r = &c->req;
    char *at = v->p + r->head_len;
    size_t have = v->len - r->head_len;
    http_result res;
    size_t got = have;
    if (r->chunked) {
        res = http_chunked(&c->chunks, at, &have, &c->srv->lim);
        v->len = r->head_len + have;
        got = c->chunks.out;
        if (res == HTTP_BAD) {
            v->len = 0;
            refuse(c, c->chunks.status, c->chunks.why);
            return false;
        }
    } else {
        res = have >= r->length ? HTTP_DONE : HTTP_PARTIAL;
        if (res == HTTP_DONE) got = (size_t)r->length;
    }
    if (got >= c->body_mark) {
        c->body_mark = got + BODY_STEP;
        c->restart = true;
    }
    *body = (str){at, got};
    *used = r->head_len + got;
    return res == HTTP_DONE;
}

/* Answer the request at the front of the view and step over it. false: there is none to answer
 * now, because it is not complete, or broken, or the connection is busy. */
static bool take_request(conn *c, view *v) {
    if (c->state == CONN_HEAD) {
        const http_result res = http_head(&c->req, v->p, v->len, &c->srv->lim);
        if (res == HTTP_PARTIAL) return false;
        if (res == HTTP_BAD) {
            begin_reply(c, NULL);
            refuse(c, c->req.status, c->req.why);
            return false;
        }
        take_head(c, v->p);
    }
    str body;
    size_t used;
    if (c->state != CONN_BODY || !take_body(c, v, &body, &used)) return false;
    c->state = CONN_WORK;
    router_answer(c, v->p, body);
    v->p += used;
    v->len -= used;
    return true;
}

static bool blocked(const conn *c) {
    const size_t waiting = unsent(c) ? unsent(c) : c->srv->writer == c ? c->srv->out.len : 0;
    return waiting > c->srv->lim.out_high;
}

/* Answer what can be answered of the view; true when the rest may hold more. */
static bool take_view(conn *c, view *v) {
    while (v->len && (c->state == CONN_HEAD || c->state == CONN_BODY)) {
        if (blocked(c)) flush(c);
        if (blocked(c)) return true;
        if (!take_request(c, v)) break;
    }
    if (c->state == CONN_CLOSING || c->state == CONN_GONE) {
        if (v->len) c->linger = true;
        v->len = 0;
    }
    return c->state == CONN_WORK && v->len > 0;
}

/* ---- input ---- */

static void take_buffered(conn *c) {
    view v = {c->in.p, c->in.len};
    c->more = take_view(c, &v);
    if (v.len == 0) {
        clear_input(c);
        return;
    }
    /* Chunks may have shrunk the tail, so the length is set before the front is dropped. */
    const size_t front = (size_t)(v.p - c->in.p);
    c->in.len = front + v.len;
    buf_drop(&c->in, front);
}

/* Room at the end of the input: as much again as there is, within what the request may need. */
static char *reserve_input(conn *c, size_t *room) {
    size_t want = c->in.len < 4096 ? 4096 : c->in.len;
    if (want > 4 * (size_t)SERVER_READ_BYTES) want = 4 * (size_t)SERVER_READ_BYTES;
    char *to = buf_reserve(&c->in, want);
    *room = want;
    count_input(c);
    return to;
}

/* One read. What arrives on an empty input is parsed where it was read. */
static void read_some(conn *c) {
    server *s = c->srv;
    const bool scratch = c->in.len == 0;
    size_t room = SERVER_READ_BYTES;
    if (!scratch && s->held > s->lim.held_bytes) {
        if (c->state == CONN_HEAD) begin_reply(c, NULL);
        refuse(c, 503, "too many unfinished requests");
        clear_input(c);
        return;
    }
    char *to = scratch ? s->in : reserve_input(c, &room);
    if (!to) {
        c->state = CONN_GONE;
        return;
    }
    const ssize_t n = recv(c->source.fd, to, room, MSG_DONTWAIT);
    if (n < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) c->state = CONN_GONE;
        return;
    }
    if (n == 0) {
        c->eof = true;
        return;
    }
    if (!scratch) {
        c->in.len += (size_t)n;
        take_buffered(c);
        return;
    }
    view v = {to, (size_t)n};
    c->more = take_view(c, &v);
    if (v.len == 0) return;
    buf_add(&c->in, v.p, v.len);
    count_input(c);
    if (c->in.failed) c->state = CONN_GONE;
}

/* After the last reply: swallow what still comes, so that closing does not reset the connection
 * before the client has read the reply. */
static void swallow(conn *c) {
    const ssize_t n = recv(c->source.fd, c->srv->in, SERVER_READ_BYTES, MSG_DONTWAIT);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))) return;
    c->state = CONN_GONE;
    c->srv->n_linger--;
}

static void conn_ready(loop_source *source, unsigned events) {
    conn *c = (conn *)source;
    if (events & LOOP_BROKEN) {
        conn_close(c);
        return;
    }
    if (events & (LOOP_READ | LOOP_HANGUP)) {
        if (c->state == CONN_HEAD || c->state == CONN_BODY) {
            if (!c->more) read_some(c);
        } else if (c->state == CONN_LINGER) {
            swallow(c);
        } else if (events & LOOP_HANGUP) { /* gone while a job works for it */
            conn_close(c);
            return;
        } else {
            c->deaf = true;
        }
    }
    conn_settle(c);
}

/* ---- settling ---- */

/* All was sent and nothing more will be. */
static void end_output(conn *c) {
    if (!c->linger || c->eof || shutdown(c->source.fd, SHUT_WR) < 0) {
        c->state = CONN_GONE;
        return;
    }
    c->state = CONN_LINGER;
    c->srv->n_linger++;
    c->restart = true;
}

static void hold_job(conn *c) {
    if (!c->job) return;
    const bool hold =
        c->paused ? unsent(c) > c->srv->lim.out_low : unsent(c) > c->srv->lim.out_high;
    if (hold == c->paused) return;
    c->paused = hold;
    job_pause(c->job, hold);
}

static void set_timer(conn *c) {
    server *s = c->srv;
    loop_alarm *a = NULL;
    if (unsent(c)) a = &s->write_alarm;
    else if (c->state == CONN_LINGER) a = &s->linger_alarm;
    else if (c->state == CONN_BODY) a = &s->body_alarm;
    else if (c->state == CONN_HEAD) a = c->in.len || !c->served ? &s->head_alarm : &s->idle_alarm;
    if (!a) loop_timer_stop(&c->timer);
    else if (c->restart || c->timer.alarm != a) loop_timer_start(s->loop, a, &c->timer);
    c->restart = false;
}

static void set_interest(conn *c) {
    unsigned want = unsent(c) ? LOOP_WRITE : 0;
    if (c->state == CONN_LINGER) want |= LOOP_READ;
    else if (c->state == CONN_WORK) want |= LOOP_HANGUP | (c->deaf ? 0u : LOOP_READ);
    else if (c->state != CONN_CLOSING && !c->eof && !c->more) want |= LOOP_READ | LOOP_HANGUP;
    loop_want(c->srv->loop, &c->source, want);
}

void conn_settle(conn *c) {
    if (c->source.fd < 0) return;
    flush(c);
    while (c->more && (c->state == CONN_HEAD || c->state == CONN_BODY) && !blocked(c)) {
        take_buffered(c);
        flush(c);
    }
    if (c->eof && !c->more && (c->state == CONN_HEAD || c->state == CONN_BODY))
        c->state = CONN_CLOSING;
    if (c->state == CONN_CLOSING && !unsent(c)) end_output(c);
    if (c->state == CONN_GONE) {
        conn_close(c);
        return;
    }
    hold_job(c);
    set_timer(c);
    set_interest(c);
}

void conn_late(loop_timer *t) {
    conn *c = (conn *)(void *)((char *)t - offsetof(conn, timer));
    const bool half = c->state == CONN_BODY || (c->state == CONN_HEAD && c->in.len);
    if (!half || unsent(c)) {
        conn_close(c);
        return;
    }
    if (c->state == CONN_HEAD) begin_reply(c, NULL);
    refuse(c, 408, "the request took too long to arrive");
    clear_input(c);
    conn_settle(c);
}

void conn_drain(conn *c) {
    c->keep = false;
    /* A request may have arrived in the meantime; it is still answered. */
    if (c->state == CONN_HEAD && c->in.len == 0) read_some(c);
    if (c->state == CONN_HEAD && c->in.len == 0) c->state = CONN_CLOSING;
    conn_settle(c);
}

conn *conn_open(server *s, int fd, const struct sockaddr_in6 *peer) {
    conn *c = s->spare;
    if (c) {
        s->spare = c->next;
        s->n_spare--;
    } else {
        c = mem_alloc(sizeof *c);
    }
    if (!c) goto fail;
    *c = (conn){.source = {.fd = fd, .ready = conn_ready}, .srv = s, .peer = *peer};
    http_reset(&c->req);
    if (loop_add(s->loop, &c->source, LOOP_READ | LOOP_HANGUP, NULL) < 0) goto fail;
    c->next = s->conns;
    if (s->conns) s->conns->prev = c;
    s->conns = c;
    s->n_conn++;
    s->metrics.connections++;
    loop_timer_start(s->loop, &s->head_alarm, &c->timer);
    return c;
fail:
    mem_free(c);
    close(fd);
    return NULL;
}
