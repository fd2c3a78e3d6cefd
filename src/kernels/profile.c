/* profile.c - see profile.h. */
#include "kernels/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"

enum { MOST_KINDS = 64, MOST_THREADS = 1024 };

typedef struct kind {
    const char *what; /* "linear_task" */
    uint64_t calls, ns;
    uint64_t waited_ns; /* of all threads together, while others worked */
} kind;

/* Each thread writes to a cache line of its own. */
typedef struct thread_time {
    _Alignas(64) uint64_t busy_ns;
} thread_time;

struct profile {
    kind kind[MOST_KINDS];
    size_t n_kind;
    int n_thread, n_layer, layer;
    uint64_t layer_ns[PROFILE_LAYERS];
    uint64_t steps, step_ns, step_began;
    thread_time thread[MOST_THREADS];
};

profile *profile_now;

status profile_start(err *e) {
    profile_stop();
    profile *p = mem_aligned(64, sizeof *p);
    if (!p) return err_set(e, RZ_ENOMEM, "profile: out of memory");
    memset(p, 0, sizeof *p);
    p->layer = PROFILE_NO_LAYER;
    p->n_thread = 1;
    profile_now = p;
    return RZ_OK;
}

void profile_stop(void) {
    mem_free(profile_now);
    profile_now = NULL;
}

void profile_enter_layer(int at) {
    profile *p = profile_now;
    p->layer = at < PROFILE_LAYERS ? at : PROFILE_LAYERS - 1;
    if (p->layer >= p->n_layer) p->n_layer = p->layer + 1;
}

void profile_step(bool begins) {
    profile *p = profile_now;
    if (!p) return;
    const uint64_t now = os_now_ns();
    if (begins) {
        p->step_began = now;
        return;
    }
    p->layer = PROFILE_NO_LAYER;
    p->steps++;
    p->step_ns += now - p->step_began;
}

/* ---- Counting ---- */

/* Few kinds, the same names again and again; too many are counted as the last. */
static kind *find_kind(profile *p, const char *what) {
    for (size_t i = 0; i < p->n_kind; i++)
        if (strcmp(p->kind[i].what, what) == 0) return &p->kind[i];
    if (p->n_kind == MOST_KINDS) return &p->kind[MOST_KINDS - 1];
    p->kind[p->n_kind].what = what;
    return &p->kind[p->n_kind++];
}

typedef struct timed_call {
    profile *p;
    pool_fn *fn;
    void *ctx;
} timed_call;

static void timed_task(void *ctx, uint32_t task, uint32_t thread) {
    const timed_call *c = ctx;
    const uint64_t start = os_now_ns();
    c->fn(c->ctx, task, thread);
    c->p->thread[thread].busy_ns += os_now_ns() - start;
}

void profile_run(pool *workers, bool parallel, const char *what, uint32_t n_task, pool_fn *fn,
                 void *ctx) {
    profile *p = profile_now;
    kind *k = find_kind(p, what);
    const int n_thread = pool_threads(workers);
    if (n_thread > p->n_thread) p->n_thread = n_thread;
    for (int i = 0; i < n_thread; i++) p->thread[i].busy_ns = 0;
    const uint64_t start = os_now_ns();
    if (parallel) pool_run(workers, n_task, timed_task, &(timed_call){p, fn, ctx});
    else
        for (uint32_t i = 0; i < n_task; i++) fn(ctx, i, 0);
    const uint64_t ns = os_now_ns() - start;
    uint64_t busy = parallel ? 0 : ns;
    for (int i = 0; i < n_thread; i++) busy += p->thread[i].busy_ns;
    k->calls++;
    k->ns += ns;
    if ((uint64_t)n_thread * ns > busy) k->waited_ns += (uint64_t)n_thread * ns - busy;
    if (p->layer >= 0) p->layer_ns[p->layer] += ns;
}

/* ---- Showing ---- */

static int by_time(const void *a, const void *b) {
    const kind *x = a, *y = b;
    return (x->ns < y->ns) - (x->ns > y->ns);
}

static double share(uint64_t part, uint64_t all) {
    return all ? 100 * (double)part / (double)all : 0;
}

static double ms(uint64_t ns) { return (double)ns * 1e-6; }

static void show_kinds(const profile *p, buf *out) {
    kind k[MOST_KINDS];
    uint64_t known = 0, waited = 0;
    memcpy(k, p->kind, p->n_kind * sizeof *k);
    qsort(k, p->n_kind, sizeof *k, by_time);
    buf_text(out, "  operation           calls          ms   share    us/call  threads idle\n");
    for (size_t i = 0; i < p->n_kind; i++) {
        const size_t n = strlen(k[i].what), tail = strlen("_task");
        known += k[i].ns;
        waited += k[i].waited_ns;
        buf_printf(out, "  %-14.*s %10llu %11.2f %6.1f%% %10.2f %12.1f%%\n",
                   (int)(n > tail ? n - tail : n), k[i].what, (unsigned long long)k[i].calls,
                   ms(k[i].ns), share(k[i].ns, p->step_ns),
                   ms(k[i].ns) * 1e3 / (double)(k[i].calls ? k[i].calls : 1),
                   share(k[i].waited_ns, k[i].ns * (uint64_t)p->n_thread));
    }
    const uint64_t rest = p->step_ns > known ? p->step_ns - known : 0;
    waited += rest * (uint64_t)(p->n_thread - 1);
    buf_printf(out, "  %-14s %10s %11.2f %6.1f%%\n", "between", "", ms(rest),
               share(rest, p->step_ns));
    buf_printf(out, "  threads idle: %.1f%%\n", share(waited, p->step_ns * (uint64_t)p->n_thread));
}

void profile_text(buf *out) {
    const profile *p = profile_now;
    if (!p) return;
    buf_printf(out, "profile: %llu steps, %.2f ms, %d thread%s\n", (unsigned long long)p->steps,
               ms(p->step_ns), p->n_thread, p->n_thread == 1 ? "" : "s");
    show_kinds(p, out);
    uint64_t in_layers = 0;
    buf_text(out, "  layer              ms   share\n");
    for (int i = 0; i < p->n_layer; i++) {
        in_layers += p->layer_ns[i];
        buf_printf(out, "  %5d %15.2f %6.1f%%\n", i, ms(p->layer_ns[i]),
                   share(p->layer_ns[i], p->step_ns));
    }
    const uint64_t outside = p->step_ns > in_layers ? p->step_ns - in_layers : 0;
    buf_printf(out, "  other %15.2f %6.1f%%\n", ms(outside), share(outside, p->step_ns));
}
