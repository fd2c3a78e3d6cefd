/* series.c - see series.h. */
#include "series.h"

#include <stdlib.h>
#include <time.h>

#include "base/str.h"

double bench_now(int n_threads) {
    struct timespec t;
    clock_gettime(n_threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void series_add(series *s, double v) {
    if (s->n < SERIES_MOST) s->v[s->n++] = v;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The figure at n * part / 4 from the least. */
static double quarter(series *s, int part) {
    if (!s->n) return 0;
    qsort(s->v, (size_t)s->n, sizeof *s->v, by_value);
    const int at = s->n * part / 4;
    return s->v[at < s->n ? at : s->n - 1];
}

double series_median(series *s) { return quarter(s, 2); }
double series_least(series *s) { return quarter(s, 0); }
double series_most(series *s) { return quarter(s, 4); }

double series_spread(series *s) {
    const double m = series_median(s);
    return m > 0 ? 50 * (s->v[s->n - 1 - s->n / 4] - s->v[s->n / 4]) / m : 0;
}

bool bench_listed(const char *list, const char *name) {
    if (!list) return true;
    for (str rest = str_of(list); rest.p;)
        if (str_eq_nocase(str_split(&rest, ','), str_of(name))) return true;
    return false;
}

uint32_t bench_number(const char *text) {
    uint64_t v;
    return text && str_u64(str_of(text), &v) && v <= 1 << 24 ? (uint32_t)v : 0;
}

bool bench_rows(const char *text, uint32_t rows[ROWS_MOST], uint32_t *n) {
    *n = 0;
    for (str rest = str_of(text); rest.p;) {
        uint64_t v;
        if (*n == ROWS_MOST || !str_u64(str_split(&rest, ','), &v) || v < 1 || v > 4096)
            return false;
        rows[(*n)++] = (uint32_t)v;
    }
    return true;
}
