/* bench_pool.c - what a parallel region costs, and what the threads cost that wait for one.
 *
 *   bench_pool [--threads 2] [--rounds 99] [--regions 200] [--idle-ms 2000]
 *
 * Regions of one empty task for each thread, microseconds each, fastest and middle round: first so
 * that each task waits until all have begun, which is the way to the other threads and back, then
 * as they come, where the caller may have done all of them before another thread looks. Then the
 * processor's time of the whole process over a while without regions: an idle server's share.
 * On a machine that does other work threads wait for a core as well, and the fastest says most. */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/os.h"
#include "base/pool.h"
#include "series.h"

typedef struct options {
    uint32_t threads, rounds, regions, idle_ms;
} options;

typedef struct meeting {
    atomic_uint begun, done;
    uint32_t n_tasks; /* to wait for; 0: nobody waits */
} meeting;

static void task_meet(void *ctx, uint32_t task, uint32_t thread) {
    enum { SPINS = 10000 };
    meeting *m = ctx;
    (void)task;
    (void)thread;
    if (m->n_tasks) atomic_fetch_add(&m->begun, 1);
    for (int i = 0; atomic_load(&m->begun) < m->n_tasks; i++)
        if (i > SPINS) sched_yield();
    atomic_fetch_add(&m->done, 1);
}

/* Microseconds for one region; false: not every task was done once. */
static bool time_regions(pool *p, const options *o, bool meet, series *s) {
    meeting m = {.n_tasks = meet ? o->threads : 0};
    const uint64_t start = os_now_ns();
    for (uint32_t i = 0; i < o->regions; i++) {
        atomic_store(&m.begun, 0);
        pool_run(p, o->threads, task_meet, &m);
    }
    series_add(s, (double)(os_now_ns() - start) * 1e-3 / o->regions);
    return atomic_load(&m.done) == o->threads * o->regions;
}

static double process_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Percent of one core that the process takes while nothing is to be done. */
static double idle_share(uint32_t ms) {
    const struct timespec settle = {.tv_nsec = 50000000};
    const struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&settle, NULL); /* workers spin for a moment before they sleep */
    const double before = process_seconds();
    const uint64_t start = os_now_ns();
    nanosleep(&wait, NULL);
    return 100 * (process_seconds() - before) / ((double)(os_now_ns() - start) * 1e-9);
}

static bool parse(options *o, int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const uint32_t value = bench_number(argv[i + 1]);
        if (!value) return false;
        if (strcmp(argv[i], "--threads") == 0) o->threads = value;
        else if (strcmp(argv[i], "--rounds") == 0) o->rounds = value;
        else if (strcmp(argv[i], "--regions") == 0) o->regions = value;
        else if (strcmp(argv[i], "--idle-ms") == 0) o->idle_ms = value;
        else return false;
    }
    return argc % 2 == 1 && o->threads <= 1024 && o->regions <= 1000000;
}

static void print(const char *what, series *s) {
    printf("%s: fastest %.2f us, median %.2f us +-%.0f%%\n", what, series_least(s),
           series_median(s), series_spread(s));
}

int main(int argc, char **argv) {
    options o = {.threads = 2, .rounds = 99, .regions = 200, .idle_ms = 2000};
    pool *p;
    err e;
    if (!parse(&o, argc, argv)) {
        fprintf(stderr, "bench_pool: see the top of bench/bench_pool.c for the options\n");
        return 2;
    }
    if (pool_new(&p, (int)o.threads, &e) < 0) {
        fprintf(stderr, "bench_pool: no memory or threads\n");
        return 1;
    }
    series met = {.n = 0}, alone = {.n = 0};
    bool all = true;
    for (uint32_t round = 0; round < o.rounds; round++) {
        all = time_regions(p, &o, true, &met) && all;
        all = time_regions(p, &o, false, &alone) && all;
    }
    printf("regions of %u tasks on %u threads\n", o.threads, o.threads);
    print("all threads meet", &met);
    print("as they come", &alone);
    printf("idle: %.3f%% of a core\n", idle_share(o.idle_ms));
    pool_free(p);
    if (all) return 0;
    fprintf(stderr, "bench_pool: not every task was done once\n");
    return 1;
}
