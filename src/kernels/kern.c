/* kern.c - which table of inner loops this process uses.
 *
 * A table may leave product rows NULL; they are filled from the next simpler table here, once. */
#include "kernels/kern.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/log.h"
#include "kernels/kern_quant.h"

enum { MOST_TABLES = 4 };
static kern table[MOST_TABLES];
static int n_table;
static const kern *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Tables come from simple to best. */
static void add_table(const kern *k) {
    kern *t = &table[n_table];
    *t = *k;
    for (int i = 0; n_table && i < QUANT_TYPE_COUNT; i++)
        if (!t->product[i]) t->product[i] = t[-1].product[i];
    n_table++;
}

static const kern *find(const char *name) {
    for (int i = 0; i < n_table; i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}

static void choose(void) {
    add_table(&kern_scalar);
#if defined(__x86_64__)
    const cpu_info *cpu = cpu_get();
    const bool avx2 = cpu->avx2 && cpu->fma && cpu->f16c;
    if (avx2) add_table(&kern_avx2);
    if (avx2 && cpu->avx_vnni) add_table(&kern_avxvnni);
    if (avx2 && cpu->avx512f && cpu->avx512bw && cpu->avx512vl && cpu->avx512dq && cpu->avx512_vnni)
        add_table(&kern_avx512);
#elif defined(__aarch64__)
    const cpu_info *cpu = cpu_get();
    if (cpu->neon) add_table(&kern_neon);
    if (cpu->neon && cpu->dotprod) add_table(&kern_neon_dot);
#endif
    chosen = &table[n_table - 1];
    const char *wish = getenv("RZ_CPU");
    if (!wish || !*wish) return;
    const kern *k = find(wish);
    if (k) chosen = k;
    else
        log_warn("RZ_CPU=%s: this processor or build has no such kernels, using %s", wish,
                 chosen->name);
}

const kern *kern_get(void) {
    pthread_once(&once, choose);
    return chosen;
}

const kern *kern_list(int i) {
    pthread_once(&once, choose);
    return i >= 0 && i < n_table ? &table[i] : NULL;
}

const kern *kern_find(const char *name) {
    pthread_once(&once, choose);
    return find(name);
}

int kern_takes_quantized(quant_type t) { return kern_quant_of(t)->link != LINK_NONE; }
