/* loop_epoll.c - waiting with epoll. The one surprise: a source removed during a round may still
 * have an event in the fetched batch; its `wants` is 0 then and the event is skipped. */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/loop_wait.h"

enum { BATCH = 256 };

typedef struct waiter {
    int fd;
    struct epoll_event event[BATCH];
} waiter;

static status open_waiter(void **out, err *e) {
    waiter *w = mem_zero(sizeof *w);
    if (!w) return err_set(e, RZ_ENOMEM, "server: out of memory");
    w->fd = epoll_create1(EPOLL_CLOEXEC);
    if (w->fd < 0) {
        mem_free(w);
        return err_sys(e, errno, "server: cannot create an epoll descriptor");
    }
    *out = w;
    return RZ_OK;
}

static void close_waiter(void *arg) {
    waiter *w = arg;
    close(w->fd);
    mem_free(w);
}

static uint32_t to_epoll(unsigned wants) {
    return (wants & LOOP_READ ? (uint32_t)EPOLLIN : 0) |
           (wants & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0) |
           (wants & LOOP_HANGUP ? (uint32_t)EPOLLRDHUP : 0);
}

static unsigned from_epoll(uint32_t events) {
    return (events & EPOLLIN ? LOOP_READ : 0u) | (events & EPOLLOUT ? LOOP_WRITE : 0u) |
           (events & EPOLLRDHUP ? LOOP_HANGUP : 0u) |
           (events & (EPOLLERR | EPOLLHUP) ? LOOP_BROKEN : 0u);
}

static status add(void *arg, loop_source *s, unsigned wants, err *e) {
    const waiter *w = arg;
    struct epoll_event ev = {.events = to_epoll(wants), .data.ptr = s};
    if (epoll_ctl(w->fd, EPOLL_CTL_ADD, s->fd, &ev) < 0)
        return err_sys(e, errno, "server: cannot watch a descriptor");
    s->wants = wants;
    return RZ_OK;
}

static void want(void *arg, loop_source *s, unsigned wants) {
    const waiter *w = arg;
    struct epoll_event ev = {.events = to_epoll(wants), .data.ptr = s};
    if (epoll_ctl(w->fd, EPOLL_CTL_MOD, s->fd, &ev) == 0) s->wants = wants;
}

static void remove_source(void *arg, loop_source *s) {
    const waiter *w = arg;
    epoll_ctl(w->fd, EPOLL_CTL_DEL, s->fd, NULL);
}

static int wait_all(void *arg, int timeout_ms, void (*woken)(loop *l), loop *l) {
    waiter *w = arg;
    const int n = epoll_wait(w->fd, w->event, BATCH, timeout_ms);
    const int why = n < 0 ? errno : 0;
    woken(l);
    for (int i = 0; i < n; i++) {
        loop_source *s = w->event[i].data.ptr;
        if (s->wants) s->ready(s, from_epoll(w->event[i].events));
    }
    return why;
}

const loop_waiter loop_epoll = {open_waiter, close_waiter, add, want, remove_source, wait_all};
