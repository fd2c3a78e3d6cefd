/* lambda.c - rz_lambda_...: the loop of an AWS Lambda custom runtime.
 *
 *   GET  /runtime/invocation/next          an event, its id and its deadline
 *   POST /runtime/invocation/ID/response   the answer: whole, or in chunks as it is made
 *   POST /runtime/invocation/ID/error      none, and why
 *   POST /runtime/init/error               there will be no server, and why
 *
 * Every event becomes one request on a connection of its own to the server beside us, so its routes
 * are all there, and closing the connection when the time is over stops the work. The trace goes
 * with the request; it is not put into the environment, which other threads may be reading.
 * Sources:
 * docs.aws.amazon.com/lambda, "runtimes-api", "response streaming", "urls-invocation". */
#include <errno.h>
#include <pthread.h>
#include <realizar.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "lambda/envelope.h"
#include "lambda/event.h"
#include "lambda/wire.h"

#define BASE "/2018-06-01/runtime"

enum {
    MAX_EVENT = 64 * 1024 * 1024, /* AWS allows 6 MB */
    MAX_ANSWER = 256 * 1024 * 1024,
    MARGIN_MS = 100, /* of an event's time, kept for saying that it is over */
};

typedef struct lambda {
    rz_server *srv;
    char *place; /* of the runtime API */
    bool streaming;
    wire api;
    int over_fd; /* readable when the server has ended */
    status served;
    rz_error why;
    arena mem;    /* an event's tree    */
    buf event;    /* its text           */
    buf out, all; /* what is being sent */
} lambda;

/* One event. */
typedef struct invocation {
    char id[129];
    uint64_t deadline_ns; /* monotonic; 0: none */
    str trace;            /* in the head of the answer to next */
} invocation;

/* ---- the runtime API ---- */

static void start_request(lambda *l, const char *method, const char *path, const char *id) {
    buf_clear(&l->out);
    buf_printf(&l->out, "%s " BASE, method);
    buf_printf(&l->out, path, id);
    buf_printf(&l->out, " HTTP/1.1\r\nHost: %s\r\nUser-Agent: realizar/%s\r\n", l->place,
               rz_version());
}

static status send_out(lambda *l, err *e) {
    if (l->out.failed) return err_set(e, RZ_ENOMEM, "lambda: out of memory");
    if (l->api.fd < 0) TRY(wire_connect(&l->api, str_of(l->place), e));
    return wire_send(&l->api, buf_view(&l->out), e);
}

/* What the runtime API says to a POST. RZ_EFULL: too long for it. RZ_EIO: it is out of order. */
static status take_verdict(lambda *l, err *e) {
    wire_answer a = {.head = BUF_INIT};
    status s = wire_head(&l->api, &a, e);
    buf_clear(&l->all);
    if (s >= 0) s = wire_all(&l->api, &a, MAX_EVENT, &l->all, e);
    if (s < 0 || a.close) wire_close(&l->api);
    if (s >= 0 && a.code == 413) s = err_set(e, RZ_EFULL, "lambda: the answer is too long");
    else if (s >= 0 && a.code >= 500)
        s = err_set(e, RZ_EIO, "lambda: the runtime API answered %d", a.code);
    else if (s >= 0 && a.code >= 300)
        log_warn("lambda: the runtime API answered %d: %.*s", a.code, STR_FMT(buf_view(&l->all)));
    buf_free(&a.head);
    return s;
}

/* POST with a body; `more` is NULL or header lines. A connection that was closed while it lay idle
 * is opened once more. */
static status post(lambda *l, const char *path, const char *id, const char *more, str body,
                   err *e) {
    status s = RZ_OK;
    for (int round = 0; round < 2; round++) {
        const bool fresh = l->api.fd < 0;
        start_request(l, "POST", path, id);
        buf_printf(&l->out, "%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                   more ? more : "", body.len);
        buf_str(&l->out, body);
        s = send_out(l, e);
        if (s >= 0) s = take_verdict(l, e);
        if (s != RZ_ENOTFOUND && (s != RZ_EIO || fresh)) break;
        wire_close(&l->api);
    }
    return s;
}

/* The event ends without an answer. */
static status post_error(lambda *l, const char *path, const char *id, const char *type, str message,
                         err *e) {
    buf body = BUF_INIT;
    char more[128];
    envelope_failure(&body, type, message);
    snprintf(more, sizeof more, "Lambda-Runtime-Function-Error-Type: %s\r\n", type);
    const status s = body.failed ? err_set(e, RZ_ENOMEM, "lambda: out of memory")
                                 : post(l, path, id, more, buf_view(&body), e);
    buf_free(&body);
    return s;
}

static bool is_id(str s) {
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '-' || c == '_' || c == '.'))
            return false;
    }
    return s.len > 0 && s.len <= 128;
}

static status read_invocation(lambda *l, wire_answer *a, invocation *inv, err *e) {
    const str id = wire_find(a, "lambda-runtime-aws-request-id");
    uint64_t deadline = 0;
    const uint64_t now = os_unix_ms();
    if (a->code != 200)
        return err_set(e, RZ_EIO, "lambda: the runtime API answered %d to next", a->code);
    if (!is_id(id)) return err_set(e, RZ_EFORMAT, "lambda: an event without a request id");
    snprintf(inv->id, sizeof inv->id, "%.*s", STR_FMT(id));
    inv->trace = wire_find(a, "lambda-runtime-trace-id");
    inv->deadline_ns = 0;
    if (str_u64(wire_find(a, "lambda-runtime-deadline-ms"), &deadline)) {
        const uint64_t left = deadline > now + MARGIN_MS ? deadline - now - MARGIN_MS : 1;
        inv->deadline_ns = os_now_ns() + (left < 86400000 ? left : 86400000) * 1000000;
    }
    buf_clear(&l->event);
    return wire_all(&l->api, a, MAX_EVENT, &l->event, e);
}

/* Wait for the next event. RZ_ECANCELED: the server has ended. */
static status take_event(lambda *l, wire_answer *a, invocation *inv, err *e) {
    status s = RZ_OK;
    for (int round = 0; round < 2; round++) {
        const bool fresh = l->api.fd < 0;
        start_request(l, "GET", "/invocation/next%s", "");
        buf_text(&l->out, "\r\n");
        l->api.wake = l->over_fd;
        s = send_out(l, e);
        if (s >= 0) s = wire_head(&l->api, a, e);
        if (s >= 0) s = read_invocation(l, a, inv, e);
        l->api.wake = -1;
        if (s < 0 || a->close) wire_close(&l->api);
        if (fresh || (s != RZ_ENOTFOUND && s != RZ_EIO)) break;
    }
    return s;
}

/* ---- answers ---- */

static status answer_error(lambda *l, const invocation *inv, const event *ev, int code,
                           const char *why, err *e) {
    if (ev->kind == EVENT_PLAIN) {
        const char *type = code == 504   ? "Sandbox.Timedout"
                           : code >= 500 ? "Runtime.Failure"
                                         : "Runtime.BadEvent";
        return post_error(l, "/invocation/%s/error", inv->id, type, str_of(why), e);
    }
    buf body = BUF_INIT;
    envelope_error(&body, ev, code, why);
    const status s = body.failed
                         ? err_set(e, RZ_ENOMEM, "lambda: out of memory")
                         : post(l, "/invocation/%s/response", inv->id, NULL, buf_view(&body), e);
    buf_free(&body);
    return s;
}

/* The route's whole answer in its envelope. */
static status answer_whole(lambda *l, const invocation *inv, const event *ev, const wire_answer *a,
                           err *e) {
    buf body = BUF_INIT;
    status s;
    const str said = buf_view(&l->all);
    if (ev->kind == EVENT_PLAIN && a->code >= 400) {
        char type[32];
        snprintf(type, sizeof type, "HTTP.%d", a->code);
        return post_error(l, "/invocation/%s/error", inv->id, type,
                          envelope_sentence(said, &l->mem), e);
    }
    if (ev->kind == EVENT_PLAIN) envelope_plain(&body, a, said);
    else envelope_write(&body, ev, a, said);
    if (body.failed) s = err_set(e, RZ_ENOMEM, "lambda: out of memory");
    else s = post(l, "/invocation/%s/response", inv->id, NULL, buf_view(&body), e);
    buf_free(&body);
    if (s == RZ_EFULL)
        s = post_error(l, "/invocation/%s/error", inv->id, "Function.ResponseSizeTooLarge",
                       STR_LIT("the answer is longer than Lambda takes"), e);
    return s;
}

/* The end of a streamed answer that failed on its way. */
static void failure_trailer(buf *out, const char *type, const char *message) {
    buf body = BUF_INIT;
    envelope_failure(&body, type, str_of(message));
    buf_printf(out,
               "Lambda-Runtime-Function-Error-Type: %s\r\n"
               "Lambda-Runtime-Function-Error-Body: ",
               type);
    char *to = buf_reserve(out, base64_length(body.len));
    if (to) out->len += base64_encode(buf_view(&body), to);
    buf_text(out, "\r\n");
    out->failed |= body.failed;
    buf_free(&body);
}

/* Pieces as they come. A failure of the route's side is told in the trailer, one of the runtime
 * API's side is returned. */
static status answer_streamed(lambda *l, const invocation *inv, const event *ev, wire *w,
                              wire_answer *a, err *e) {
    const str type = wire_find(a, "content-type");
    buf trailer = BUF_INIT, prelude = BUF_INIT;
    err why = {0};
    str piece;
    start_request(l, "POST", "/invocation/%s/response", inv->id);
    buf_text(&l->out,
             "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
             "Transfer-Encoding: chunked\r\n"
             "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n"
             "Content-Type: ");
    if (ev->kind == EVENT_PLAIN) buf_str(&l->out, type.len ? type : STR_LIT("text/plain"));
    else buf_text(&l->out, "application/vnd.awslambda.http-integration-response");
    buf_text(&l->out, "\r\n\r\n");
    if (ev->kind != EVENT_PLAIN) envelope_prelude(&prelude, a);
    /* A connection that lay idle may be gone, and chunks cannot be sent twice. */
    wire_close(&l->api);
    status s = prelude.failed ? err_set(e, RZ_ENOMEM, "lambda: out of memory") : send_out(l, e);
    if (s >= 0 && prelude.len) s = wire_send_chunk(&l->api, buf_view(&prelude), (str){"", 0}, e);
    while (s >= 0) {
        if (wire_body(w, a, &piece, &why) < 0) {
            failure_trailer(&trailer, w->late ? "Sandbox.Timedout" : "Runtime.Failure", why.text);
            break;
        }
        if (!piece.len) break;
        s = wire_send_chunk(&l->api, piece, (str){"", 0}, e);
    }
    if (s >= 0) s = wire_send_chunk(&l->api, (str){"", 0}, buf_view(&trailer), e);
    if (s >= 0) s = take_verdict(l, e);
    else wire_close(&l->api);
    buf_free(&trailer);
    buf_free(&prelude);
    return s;
}

static status answer_through(lambda *l, const invocation *inv, const event *ev, err *e) {
    wire w = WIRE_INIT;
    wire_answer a = {.head = BUF_INIT};
    err why = {0}, unsent = {0};
    w.deadline_ns = inv->deadline_ns;
    buf_clear(&l->all);
    status got = rz_server_connect(l->srv, &w.fd, &why);
    /* A request that is refused before it was read to its end has an answer all the same. */
    if (got >= 0) (void)wire_send(&w, buf_view(&ev->request), &unsent);
    if (got >= 0) got = wire_head(&w, &a, &why);
    if (got >= 0 && ev->head) {
        a.sized = true;
        a.chunked = false;
        a.left = 0;
    }
    const bool stream = got >= 0 && l->streaming && (ev->kind != EVENT_PLAIN || a.code < 400);
    if (got >= 0 && !stream) got = wire_all(&w, &a, MAX_ANSWER, &l->all, &why);
    status s;
    if (got < 0 && w.late) s = answer_error(l, inv, ev, 504, "the event's time is over", e);
    else if (got < 0) s = answer_error(l, inv, ev, 502, why.text, e);
    else if (stream) s = answer_streamed(l, inv, ev, &w, &a, e);
    else s = answer_whole(l, inv, ev, &a, e);
    wire_done(&w);
    buf_free(&a.head);
    return s;
}

static status answer(lambda *l, const invocation *inv, err *e) {
    event ev;
    arena_reset(&l->mem);
    event_read(&ev, buf_view(&l->event), inv->trace, &l->mem);
    const status s =
        ev.code ? answer_error(l, inv, &ev, ev.code, ev.why, e) : answer_through(l, inv, &ev, e);
    buf_free(&ev.request);
    if (s < 0 && s != RZ_EIO && s != RZ_ENOTFOUND) {
        log_warn("lambda: event %s: %s", inv->id, e->text);
        return RZ_OK; /* one event only */
    }
    return s;
}

/* ---- running ---- */

static status open_api(lambda *l, const rz_lambda_options *opt, err *e) {
    rz_lambda_options o = RZ_LAMBDA_INIT;
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    const char *place = o.api ? o.api : getenv("AWS_LAMBDA_RUNTIME_API");
    *l = (lambda){.api = WIRE_INIT, .over_fd = -1, .streaming = o.streaming != 0};
    if (!place || !place[0])
        return err_set(e, RZ_EINVAL,
                       "lambda: AWS_LAMBDA_RUNTIME_API is not set: this is not AWS Lambda");
    if (strlen(place) > 200) return err_set(e, RZ_EINVAL, "lambda: the API's address is too long");
    l->place = mem_strdup(place);
    return l->place ? RZ_OK : err_set(e, RZ_ENOMEM, "lambda: out of memory");
}

static void close_api(lambda *l) {
    wire_done(&l->api);
    if (l->over_fd >= 0) close(l->over_fd);
    buf_free(&l->event);
    buf_free(&l->out);
    buf_free(&l->all);
    arena_free(&l->mem);
    mem_free(l->place);
}

static void *serve(void *arg) {
    lambda *l = arg;
    l->served = rz_server_run(l->srv, &l->why);
    eventfd_write(l->over_fd, 1);
    return NULL;
}

static status take_events(lambda *l, err *e) {
    wire_answer a = {.head = BUF_INIT};
    status s = RZ_OK;
    while (s >= 0) {
        invocation inv;
        s = take_event(l, &a, &inv, e);
        if (s >= 0) s = answer(l, &inv, e);
    }
    buf_free(&a.head);
    return s;
}

rz_status rz_lambda_run(rz_server *s, const rz_lambda_options *opt, rz_error *err_out) {
    lambda l;
    pthread_t thread;
    err e = {0};
    if (!s) return err_set(err_out, RZ_EINVAL, "lambda: server is NULL");
    status got = open_api(&l, opt, &e);
    l.srv = s;
    if (got >= 0) l.over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (got >= 0 && l.over_fd < 0) got = err_sys(&e, errno, "lambda: cannot create an eventfd");
    const int failed = got < 0 ? 0 : pthread_create(&thread, NULL, serve, &l);
    if (failed) got = err_sys(&e, failed, "lambda: cannot start a thread");
    if (got >= 0) {
        got = take_events(&l, &e);
        rz_server_stop(s);
        pthread_join(thread, NULL);
        if (got == RZ_ECANCELED) {
            got = l.served;
            e = l.why;
        }
    }
    close_api(&l);
    if (got < 0 && err_out) *err_out = e;
    return got;
}

rz_status rz_lambda_init_error(const rz_lambda_options *opt, const rz_error *why,
                               rz_error *err_out) {
    lambda l;
    status s = open_api(&l, opt, err_out);
    if (s >= 0)
        s = post_error(&l, "/init/error%s", "", "Runtime.InitFailed",
                       str_of(why ? why->text : "it failed"), err_out);
    close_api(&l);
    return s;
}
