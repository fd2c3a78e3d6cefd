/* profile.h - where the time of computing goes: by kind of operation, by layer, and how long
 * threads wait for each other.
 *
 * One profile for the process. Off, it costs one test of a pointer for each operation. It is
 * started and stopped while nothing computes, and one thread at a time may begin operations
 * meanwhile. */
#ifndef KERNELS_PROFILE_H
#define KERNELS_PROFILE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"

typedef struct profile profile;
extern profile *profile_now; /* NULL: off */

enum { PROFILE_NO_LAYER = -1, PROFILE_LAYERS = 1024 }; /* layers beyond are counted as the last */

/* Begin to count anew. */
status profile_start(err *e);
void profile_stop(void);
/* A table of what was counted; nothing when it is off. */
void profile_text(buf *out);

/* Run the tasks, on the workers if `parallel`, and count them as `what`, the name of a task
 * function: "linear_task" is shown as "linear". Only while it is on. */
void profile_run(pool *workers, bool parallel, const char *what, uint32_t n_task, pool_fn *fn,
                 void *ctx);

void profile_enter_layer(int at);
void profile_step(bool begins);
/* Which layer the next operations belong to. */
static inline void profile_layer(int at) {
    if (profile_now) profile_enter_layer(at);
}

#endif
