/* loop_wait.h - what loop.c needs of the system: one table for each way of waiting. */
#ifndef SERVER_LOOP_WAIT_H
#define SERVER_LOOP_WAIT_H

#include "server/loop.h"

/* All take what `open` made; events are LOOP_... bits, `wants` may be 0. */
typedef struct loop_waiter {
    status (*open)(void **out, err *e);
    void (*close)(void *w);
    status (*add)(void *w, loop_source *s, unsigned wants, err *e);
    void (*want)(void *w, loop_source *s, unsigned wants);
    void (*remove)(void *w, loop_source *s);
    /* Wait so long (-1: for ever) and tell `ready` of every source something happened to; a source
     * that was removed meanwhile has wants 0. Returns an errno, 0 when all is well. `woken` is
     * called in between. */
    int (*wait)(void *w, int timeout_ms, void (*woken)(loop *l), loop *l);
} loop_waiter;

extern const loop_waiter loop_epoll, loop_poll;

#endif
