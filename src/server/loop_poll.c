/* loop_poll.c - waiting with poll(), for systems without epoll. Every round looks at every source,
 * so it is for hundreds of connections rather than thousands.
 *
 * Sources and what poll() sees stand in two lists in the same order; a source knows its place. What
 * is removed in a round leaves a gap, which is closed before the next: a place means the same
 * source as long as events are being told. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/mem.h"
#include "server/loop_wait.h"

typedef struct waiter {
    struct pollfd *fd;    /* [cap] */
    loop_source **source; /* [cap], NULL: a gap */
    size_t n, cap;
    bool gaps;
} waiter;

static status open_waiter(void **out, err *e) {
    waiter *w = mem_zero(sizeof *w);
    if (!w) return err_set(e, RZ_ENOMEM, "server: out of memory");
    *out = w;
    return RZ_OK;
}

static void close_waiter(void *arg) {
    waiter *w = arg;
    mem_free(w->fd);
    mem_free(w->source);
    mem_free(w);
}

static short to_poll(unsigned wants) {
    return (short)((wants & LOOP_READ ? POLLIN : 0) | (wants & LOOP_WRITE ? POLLOUT : 0) |
                   (wants & LOOP_HANGUP ? POLLRDHUP : 0));
}

static unsigned from_poll(short events) {
    return (events & POLLIN ? LOOP_READ : 0u) | (events & POLLOUT ? LOOP_WRITE : 0u) |
           (events & POLLRDHUP ? LOOP_HANGUP : 0u) |
           (events & (POLLERR | POLLHUP | POLLNVAL) ? LOOP_BROKEN : 0u);
}

static bool grow(waiter *w) {
    const size_t cap = w->cap ? 2 * w->cap : 64;
    struct pollfd *fd = mem_array(cap, sizeof *fd);
    loop_source **source = mem_array(cap, sizeof(loop_source *));
    if (!fd || !source) {
        mem_free(fd);
        mem_free(source);
        return false;
    }
    if (w->n) memcpy(fd, w->fd, w->n * sizeof *fd);
    if (w->n) memcpy(source, w->source, w->n * sizeof *source);
    mem_free(w->fd);
    mem_free(w->source);
    w->fd = fd;
    w->source = source;
    w->cap = cap;
    return true;
}

static status add(void *arg, loop_source *s, unsigned wants, err *e) {
    waiter *w = arg;
    if (w->n == w->cap && !grow(w)) return err_set(e, RZ_ENOMEM, "server: out of memory");
    w->fd[w->n] = (struct pollfd){.fd = s->fd, .events = to_poll(wants)};
    w->source[w->n] = s;
    s->at = w->n++;
    s->wants = wants;
    return RZ_OK;
}

static void want(void *arg, loop_source *s, unsigned wants) {
    waiter *w = arg;
    w->fd[s->at].events = to_poll(wants);
    s->wants = wants;
}

static void remove_source(void *arg, loop_source *s) {
    waiter *w = arg;
    w->source[s->at] = NULL;
    w->fd[s->at].fd = -1;
    w->gaps = true;
}

static void close_gaps(waiter *w) {
    size_t kept = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (!w->source[i]) continue;
        w->fd[kept] = w->fd[i];
        w->source[kept] = w->source[i];
        w->source[kept]->at = kept;
        kept++;
    }
    w->n = kept;
    w->gaps = false;
}

static int wait_all(void *arg, int timeout_ms, void (*woken)(loop *l), loop *l) {
    waiter *w = arg;
    if (w->gaps) close_gaps(w);
    const int n = poll(w->fd, (nfds_t)w->n, timeout_ms);
    const int why = n < 0 ? errno : 0;
    const size_t all = n > 0 ? w->n : 0; /* what is added meanwhile was not looked at */
    woken(l);
    for (size_t i = 0; i < all; i++) {
        const short events = w->fd[i].revents;
        loop_source *s = w->source[i];
        if (s && events) s->ready(s, from_poll(events));
    }
    return why;
}

const loop_waiter loop_poll = {open_waiter, close_waiter, add, want, remove_source, wait_all};
