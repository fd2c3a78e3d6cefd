/* series.h - what the benches measure with: time, figures of several rounds, lists of names. */
#ifndef BENCH_SERIES_H
#define BENCH_SERIES_H

#include <stdbool.h>
#include <stdint.h>

enum { SERIES_MOST = 99, ROWS_MOST = 8 };

/* Seconds. With one thread the processor's time of that thread, so that other work on the machine
 * falls out as far as it can; with more the clock on the wall. */
double bench_now(int n_threads);

/* What one figure was in each round; more than SERIES_MOST are dropped. */
typedef struct series {
    double v[SERIES_MOST];
    int n;
} series;

void series_add(series *s, double v);
/* These sort the figures. 0 when there are none. */
double series_median(series *s);
double series_spread(series *s); /* half the range of the middle values, in percent of the median */
double series_least(series *s);
double series_most(series *s);

/* Is `name` in a list separated by commas? NULL holds all. */
bool bench_listed(const char *list, const char *name);

/* Options of the benches of kernels. 0 is no number. */
uint32_t bench_number(const char *text);
/* Numbers of rows, "1,16,512". false: not 1 to 4096 each, or more than ROWS_MOST. */
bool bench_rows(const char *text, uint32_t rows[ROWS_MOST], uint32_t *n);

#endif
