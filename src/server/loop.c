/* loop.c - epoll behind loop.h. The one surprise: a source removed during a round may still have an
 * event in the fetched batch; its `wants` is 0 then and the event is skipped. */
#include "server/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"

enum { BATCH = 256 };

struct loop {
    int fd;
    uint64_t now_ns;
    loop_alarm *alarms;
    struct epoll_event event[BATCH];
};

status loop_new(loop **out, err *e) {
    loop *l = mem_zero(sizeof *l);
    if (!l) return err_set(e, RZ_ENOMEM, "server: out of memory");
    l->fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->fd < 0) {
        mem_free(l);
        return err_sys(e, errno, "server: cannot create an epoll descriptor");
    }
    l->now_ns = os_now_ns();
    *out = l;
    return RZ_OK;
}

void loop_free(loop *l) {
    if (!l) return;
    close(l->fd);
    mem_free(l);
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

/* LOOP_BROKEN marks a source that is in the loop but asks for nothing. */
status loop_add(loop *l, loop_source *s, unsigned wants, err *e) {
    struct epoll_event ev = {.events = to_epoll(wants), .data.ptr = s};
    if (epoll_ctl(l->fd, EPOLL_CTL_ADD, s->fd, &ev) < 0)
        return err_sys(e, errno, "server: cannot watch a descriptor");
    s->wants = wants | LOOP_BROKEN;
    return RZ_OK;
}

void loop_want(loop *l, loop_source *s, unsigned wants) {
    wants |= LOOP_BROKEN;
    if (!s->wants || s->wants == wants) return;
    struct epoll_event ev = {.events = to_epoll(wants), .data.ptr = s};
    if (epoll_ctl(l->fd, EPOLL_CTL_MOD, s->fd, &ev) == 0) s->wants = wants;
}

void loop_remove(loop *l, loop_source *s) {
    if (!s->wants) return;
    s->wants = 0;
    epoll_ctl(l->fd, EPOLL_CTL_DEL, s->fd, NULL);
}

void loop_alarm_init(loop *l, loop_alarm *a, uint32_t ms, void (*fire)(loop_timer *t)) {
    *a = (loop_alarm){.after_ns = (uint64_t)ms * 1000000u, .fire = fire, .other = l->alarms};
    l->alarms = a;
}

void loop_timer_stop(loop_timer *t) {
    loop_alarm *a = t->alarm;
    if (!a) return;
    if (t->prev) t->prev->next = t->next;
    else a->first = t->next;
    if (t->next) t->next->prev = t->prev;
    else a->last = t->prev;
    *t = (loop_timer){0};
}

void loop_timer_start(loop *l, loop_alarm *a, loop_timer *t) {
    loop_timer_stop(t);
    *t = (loop_timer){.prev = a->last, .alarm = a, .deadline_ns = l->now_ns + a->after_ns};
    if (a->last) a->last->next = t;
    else a->first = t;
    a->last = t;
}

/* Milliseconds until the next deadline, rounded up so that it is over then; -1 without any. */
static int next_deadline_ms(const loop *l, uint64_t now) {
    uint64_t first = UINT64_MAX;
    for (const loop_alarm *a = l->alarms; a; a = a->other)
        if (a->first && a->first->deadline_ns < first) first = a->first->deadline_ns;
    if (first == UINT64_MAX) return -1;
    if (first <= now) return 0;
    const uint64_t ms = (first - now + 999999u) / 1000000u;
    return ms < 3600000u ? (int)ms : 3600000;
}

status loop_wait(loop *l, err *e) {
    const int n = epoll_wait(l->fd, l->event, BATCH, next_deadline_ms(l, os_now_ns()));
    const int why = errno;
    l->now_ns = os_now_ns();
    if (n < 0 && why != EINTR) return err_sys(e, why, "server: waiting for events failed");
    for (int i = 0; i < n; i++) {
        loop_source *s = l->event[i].data.ptr;
        if (s->wants) s->ready(s, from_epoll(l->event[i].events));
    }
    for (loop_alarm *a = l->alarms; a; a = a->other) {
        while (a->first && a->first->deadline_ns <= l->now_ns) {
            loop_timer *t = a->first;
            loop_timer_stop(t);
            a->fire(t);
        }
    }
    return RZ_OK;
}

uint64_t loop_now(const loop *l) { return l->now_ns; }
