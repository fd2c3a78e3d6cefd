/* pool.h - run a function over many tasks on all threads and wait.
 *
 * Tasks are handed out one by one from a shared counter, so a stolen core slows only its own task.
 * Which thread runs a task is unspecified: results must not depend on it. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdint.h>

#include "base/err.h"

typedef struct pool pool;
/* `thread` is 0..n_threads-1, for per-thread scratch; 0 is the caller. */
typedef void pool_fn(void *ctx, uint32_t task, uint32_t thread);

/* n_threads counts the caller; 1 makes no thread at all. */
status pool_new(pool **out, int n_threads, err *e);
void pool_free(pool *p);
int pool_threads(const pool *p);
/* Run fn for task 0..n_tasks-1 and return when all are done. Calls from several threads take
 * turns. fn must not call pool_run on the same pool. */
void pool_run(pool *p, uint32_t n_tasks, pool_fn *fn, void *ctx);

#endif
