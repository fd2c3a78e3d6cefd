/* loop.c - deadlines, and one of two ways to wait behind loop.h. */
#include "server/loop.h"

#include <errno.h>

#include "base/mem.h"
#include "base/os.h"
#include "server/loop_wait.h"

struct loop {
    const loop_waiter *type;
    void *waiter;
    uint64_t now_ns;
    loop_alarm *alarms;
};

status loop_new(loop **out, bool with_poll, err *e) {
    loop *l = mem_zero(sizeof *l);
    if (!l) return err_set(e, RZ_ENOMEM, "server: out of memory");
    l->type = with_poll ? &loop_poll : &loop_epoll;
    const status s = l->type->open(&l->waiter, e);
    if (s < 0) {
        mem_free(l);
        return s;
    }
    l->now_ns = os_now_ns();
    *out = l;
    return RZ_OK;
}

void loop_free(loop *l) {
    if (!l) return;
    l->type->close(l->waiter);
    mem_free(l);
}

/* LOOP_BROKEN marks a source that is in the loop but asks for nothing. */
status loop_add(loop *l, loop_source *s, unsigned wants, err *e) {
    return l->type->add(l->waiter, s, wants | LOOP_BROKEN, e);
}

void loop_want(loop *l, loop_source *s, unsigned wants) {
    wants |= LOOP_BROKEN;
    if (s->wants && s->wants != wants) l->type->want(l->waiter, s, wants);
}

void loop_remove(loop *l, loop_source *s) {
    if (!s->wants) return;
    s->wants = 0;
    l->type->remove(l->waiter, s);
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

static void woken(loop *l) { l->now_ns = os_now_ns(); }

status loop_wait(loop *l, err *e) {
    const int timeout_ms = next_deadline_ms(l, os_now_ns());
    const int why = l->type->wait(l->waiter, timeout_ms, woken, l);
    if (why && why != EINTR) return err_sys(e, why, "server: waiting for events failed");
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
