/* bench_report.h - what realizar bench measured, and its three forms of output. */
#ifndef CLI_BENCH_REPORT_H
#define CLI_BENCH_REPORT_H

#include "base/buf.h"

enum { BENCH_MAX_RUNS = 100 };

typedef struct bench_row {
    const char *test; /* "prefill" or "decode" */
    size_t depth;     /* tokens in the cache before */
    size_t tokens;    /* computed in one run */
    size_t runs;
    double median, min, max; /* tokens per second */
    double gb_per_s;         /* weights read, at the median; 0 = not meaningful */
} bench_row;

typedef struct bench_report {
    const char *machine, *model, *quant, *arch, *kv, *summary;
    uint64_t params, weight_bytes, token_bytes; /* token_bytes: read for one token */
    int threads;
    const bench_row *row;
    size_t n_row;
    uint64_t logit_hash, token_hash;
} bench_report;

void bench_table(const bench_report *r, buf *out);
void bench_csv(const bench_report *r, buf *out);
void bench_json(const bench_report *r, buf *out);

#endif
