/* bench_run.h - measuring one model with one number of threads. */
#ifndef CLI_BENCH_RUN_H
#define CLI_BENCH_RUN_H

#include "cli/bench_report.h"

/* What to measure: the cross product of depths and batches. */
typedef struct bench_plan {
    const rz_token *depth; /* [n_depth] tokens already in the context */
    size_t n_depth;
    const rz_token *batch; /* [n_batch] sequences at once */
    size_t n_batch;
    size_t prompt_tokens, answer_tokens, runs;
    size_t context; /* 0 = the model's own */
    rz_kv kv;
    double seconds; /* no further run of a test that has taken this long */
} bench_plan;

enum { BENCH_MAX_BATCH = 64 };

/* What a token costs, from the shapes of the model. */
typedef struct bench_cost {
    double weight_bytes; /* read for one token */
    double kv_bytes;     /* of one token in the cache, all layers */
    double layer_macs;   /* with weights, but for the vocabulary */
    double head_macs;    /* with the vocabulary */
    double key_macs;     /* of attention, for each key */
    bool int8;           /* weights are multiplied as bytes */
} bench_cost;

bench_cost bench_cost_of(const rz_model *m, rz_kv kv);

/* Append rows to row[*n_row ..], at most n_depth * (1 + n_batch). `limits` may be NULL. Depths that
 * do not fit the context are left out. RZ_ECANCELED after a signal. */
status bench_measure(rz_model *m, const bench_plan *p, const rz_limits *limits, bench_row *row,
                     size_t *n_row, err *e);
/* Hash of the logits of a short text from the start, and of the tokens they choose. */
status bench_hash(rz_model *m, const bench_plan *p, uint64_t *logit_hash, uint64_t *token_hash,
                  err *e);

/* bench_batch.c: tokens a second of row->batch sequences that decode together behind row->depth
 * tokens each, in p->runs stretches of row->tokens (made less where the context ends), written to
 * rate[*n_rate]. ids[depth + 1]. */
status bench_batch(rz_model *m, const bench_plan *p, const rz_token *ids, bench_row *row,
                   double *rate, size_t *n_rate, err *e);

/* A line on standard error where that is a terminal; with NULL it goes away. */
void bench_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
