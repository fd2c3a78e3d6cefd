/* bench_report.h - what realizar bench measured, its three forms of output, and comparing two. */
#ifndef CLI_BENCH_REPORT_H
#define CLI_BENCH_REPORT_H

#include "base/buf.h"
#include "base/err.h"

enum { BENCH_MAX_RUNS = 100 };

typedef struct bench_row {
    const char *test; /* "prefill" or "decode" */
    int threads;
    size_t depth;  /* tokens in the cache before */
    size_t batch;  /* sequences that run together */
    size_t tokens; /* computed in one run, of each sequence */
    size_t runs;
    double median, min, max; /* tokens per second, of all sequences together */
    double gb_per_s;         /* weights and cache read, at the median; 0 = not meaningful */
    double share;            /* of what the limits of the machine allow; 0 = not known */
} bench_row;

typedef struct bench_report {
    const char *machine, *model, *quant, *arch, *kv, *summary;
    uint64_t params, weight_bytes, token_bytes, kv_bytes; /* token_bytes: of weights, for one token;
                                                             kv_bytes: a token's in the cache */
    double load[3];          /* average of 1, 5, 15 minutes when it began; negative: unknown */
    const rz_limits *limits; /* [n_limits], one for each number of threads */
    size_t n_limits;
    const bench_row *row;
    size_t n_row;
    uint64_t logit_hash, token_hash;
} bench_report;

void bench_table(const bench_report *r, buf *out);
void bench_csv(const bench_report *r, buf *out);
void bench_json(const bench_report *r, buf *out);

/* Rows of two results in JSON side by side, with their ratios. The names are for headings and
 * errors. RZ_EFORMAT when a text is no result, or they have no row in common. */
status bench_compare(str before, const char *before_name, str after, const char *after_name,
                     buf *out, err *e);

#endif
