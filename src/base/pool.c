/* pool.c - parallel_for with workers that spin briefly between regions and then sleep.
 *
 * A region is published by opening the gate and bumping `epoch`. Workers that come in time pass the
 * gate and take tasks beside the caller; when none is left the caller shuts it and waits only for
 * those inside, so a worker whose core was taken away delays nobody. Workers spin for SPIN_NS,
 * which covers the gap between two products of one token, then sleep on a futex, so an idle
 * process uses no time at all. With fewer cores than threads they sleep at once. */
#include "base/pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/os.h"

enum { SPIN_NS = 200000, SPINS_PER_CLOCK = 64, CACHE_LINE = 64 };
static const uint32_t gate_open = 1u << 31;

struct pool {
    _Alignas(CACHE_LINE) _Atomic uint32_t epoch; /* region number; futex the workers sleep on */
    _Atomic uint32_t sleepers;
    _Alignas(CACHE_LINE) _Atomic uint32_t next; /* task to hand out */
    _Alignas(CACHE_LINE) _Atomic uint32_t gate; /* open bit and the workers inside; a futex too */
    _Alignas(CACHE_LINE) uint32_t n_tasks;
    pool_fn *fn;
    void *ctx;
    bool spin;
    atomic_bool quit;
    int n_threads;
    pthread_mutex_t turn;
    pthread_t *thread; /* [n_threads - 1] */
};

typedef struct worker_start {
    pool *p;
    uint32_t index;
} worker_start;

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t seen) {
    syscall(SYS_futex, (void *)word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) {
    syscall(SYS_futex, (void *)word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Wait until *word is no longer `old`: spin first, if that makes sense, then sleep. */
static uint32_t await_change(_Atomic uint32_t *word, uint32_t old, bool spin,
                             _Atomic uint32_t *sleepers) {
    uint32_t now;
    const uint64_t until = spin ? os_now_ns() + SPIN_NS : 0;
    while (spin) {
        for (int i = 0; i < SPINS_PER_CLOCK; i++) {
            now = atomic_load_explicit(word, memory_order_acquire);
            if (now != old) return now;
            relax();
        }
        if (os_now_ns() >= until) break;
    }
    atomic_fetch_add(sleepers, 1);
    while ((now = atomic_load(word)) == old) futex_wait(word, old);
    atomic_fetch_sub(sleepers, 1);
    return now;
}

static void work(pool *p, uint32_t thread) {
    const uint32_t n = p->n_tasks;
    for (;;) {
        const uint32_t task = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (task >= n) return;
        p->fn(p->ctx, task, thread);
    }
}

/* Pass the gate if it is open. */
static bool enter(pool *p) {
    uint32_t gate = atomic_load(&p->gate);
    while (gate & gate_open)
        if (atomic_compare_exchange_weak(&p->gate, &gate, gate + 1)) return true;
    return false;
}

static void *worker(void *arg) {
    const worker_start start = *(worker_start *)arg;
    mem_free(arg);
    pool *p = start.p;
    uint32_t seen = 0;
    for (;;) {
        seen = await_change(&p->epoch, seen, p->spin, &p->sleepers);
        if (atomic_load(&p->quit)) return NULL;
        if (!enter(p)) continue; /* too late: the region is over */
        work(p, start.index);
        if (atomic_fetch_sub(&p->gate, 1) == 1) futex_wake(&p->gate);
    }
}

/* No further worker comes in; wait for those who are inside. */
static void shut_gate(pool *p) {
    uint32_t inside = atomic_fetch_and(&p->gate, ~gate_open) & ~gate_open;
    while (inside) {
        for (int i = 0; i < SPINS_PER_CLOCK && inside; i++) {
            relax();
            inside = atomic_load_explicit(&p->gate, memory_order_acquire);
        }
        if (inside && !p->spin) futex_wait(&p->gate, inside);
        else if (inside) sched_yield();
    }
}

void pool_run(pool *p, uint32_t n_tasks, pool_fn *fn, void *ctx) {
    if (p->n_threads == 1 || n_tasks <= 1) {
        /* Thread 0's scratch belongs to whoever holds the turn. */
        pthread_mutex_lock(&p->turn);
        for (uint32_t i = 0; i < n_tasks; i++) fn(ctx, i, 0);
        pthread_mutex_unlock(&p->turn);
        return;
    }
    pthread_mutex_lock(&p->turn);
    p->fn = fn;
    p->ctx = ctx;
    p->n_tasks = n_tasks;
    atomic_store(&p->next, 0);
    atomic_store(&p->gate, gate_open);
    atomic_fetch_add(&p->epoch, 1);
    if (atomic_load(&p->sleepers)) futex_wake(&p->epoch);
    work(p, 0);
    shut_gate(p);
    pthread_mutex_unlock(&p->turn);
}

int pool_threads(const pool *p) { return p->n_threads; }

static status start_workers(pool *p, int n, err *e) {
    for (int i = 1; i < n; i++) {
        worker_start *arg = mem_alloc(sizeof *arg);
        if (!arg) return err_set(e, RZ_ENOMEM, "threads: out of memory");
        *arg = (worker_start){p, (uint32_t)i};
        const int why = pthread_create(&p->thread[i - 1], NULL, worker, arg);
        if (why) {
            mem_free(arg);
            return err_sys(e, why, "threads: cannot start thread %d of %d", i + 1, n);
        }
        p->n_threads = i + 1;
    }
    return RZ_OK;
}

status pool_new(pool **out, int n_threads, err *e) {
    if (n_threads < 1 || n_threads > 1024)
        return err_set(e, RZ_EINVAL, "threads: %d is not in 1..1024", n_threads);
    pool *p = mem_aligned(CACHE_LINE, sizeof *p);
    if (!p) return err_set(e, RZ_ENOMEM, "threads: out of memory");
    *p = (pool){.n_threads = 1, .spin = n_threads <= cpu_get()->cores};
    pthread_mutex_init(&p->turn, NULL);
    p->thread = mem_array_zero((size_t)n_threads, sizeof *p->thread);
    status s = RZ_OK;
    if (!p->thread) s = err_set(e, RZ_ENOMEM, "threads: out of memory");
    else s = start_workers(p, n_threads, e);
    if (s < 0) {
        pool_free(p);
        return s;
    }
    *out = p;
    return RZ_OK;
}

void pool_free(pool *p) {
    if (!p) return;
    atomic_store(&p->quit, true);
    atomic_fetch_add(&p->epoch, 1);
    futex_wake(&p->epoch);
    for (int i = 1; i < p->n_threads; i++) pthread_join(p->thread[i - 1], NULL);
    pthread_mutex_destroy(&p->turn);
    mem_free(p->thread);
    mem_free(p);
}
