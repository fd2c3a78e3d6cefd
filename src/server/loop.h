/* loop.h - one thread waiting for many descriptors and deadlines.
 *
 * Level-triggered, so that epoll and poll() can stand behind the same calls. Deadlines of one kind
 * are all equally long, so each kind is a list in order of expiry: starting, moving and stopping a
 * timer costs a few pointers however many there are. */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    LOOP_READ = 1,
    LOOP_WRITE = 2,
    LOOP_HANGUP = 4, /* the peer has closed its sending side */
    LOOP_BROKEN = 8, /* the connection is gone; always reported, never asked for */
};

typedef struct loop loop;
typedef struct loop_source loop_source;
typedef struct loop_timer loop_timer;
typedef struct loop_alarm loop_alarm;

/* Embedded first in what owns the descriptor. It may remove itself in `ready`, but its memory must
 * stay valid until loop_wait returns. */
struct loop_source {
    int fd;
    unsigned wants; /* LOOP_... bits being waited for; 0 = not in the loop */
    void (*ready)(loop_source *s, unsigned events);
    size_t at; /* its place in the list of those waited for */
};

struct loop_timer {
    loop_timer *prev, *next;
    loop_alarm *alarm; /* the list it waits in, NULL when stopped */
    uint64_t deadline_ns;
};

/* All timers of one length. */
struct loop_alarm {
    loop_timer *first, *last;
    uint64_t after_ns;
    void (*fire)(loop_timer *t); /* the timer is stopped when this runs */
    loop_alarm *other;
};

/* epoll, or poll. */
status loop_new(loop **out, bool with_poll, err *e);
void loop_free(loop *l);
status loop_add(loop *l, loop_source *s, unsigned wants, err *e);
void loop_want(loop *l, loop_source *s, unsigned wants);
void loop_remove(loop *l, loop_source *s);

void loop_alarm_init(loop *l, loop_alarm *a, uint32_t ms, void (*fire)(loop_timer *t));
/* (Re)start: the deadline is counted from the loop's current round. */
void loop_timer_start(loop *l, loop_alarm *a, loop_timer *t);
void loop_timer_stop(loop_timer *t);

/* One round: wait for events or the next deadline, run what is due. */
status loop_wait(loop *l, err *e);
/* Monotonic time at which the current round began. */
uint64_t loop_now(const loop *l);

#endif
