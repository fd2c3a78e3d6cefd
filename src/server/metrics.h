/* metrics.h - what /metrics counts. Only the loop thread touches it. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 14 };

typedef struct histogram {
    uint64_t count[HISTOGRAM_BUCKETS + 1]; /* not cumulative; the last is +Inf */
    double sum;
} histogram;

typedef struct metrics {
    /* Generation requests: /generate and its relatives. */
    uint64_t requests, succeeded, failed, canceled;
    uint64_t prompt_tokens, tokens;
    double inference_s; /* prefill and decode, summed over requests */
    double latency_s;   /* with waiting                             */
    histogram first_token, per_token, whole;
    /* HTTP. */
    uint64_t replies[6]; /* by first digit of the status */
    uint64_t connections, refused, limited;
} metrics;

void metrics_observe(histogram *h, double seconds);

#endif
