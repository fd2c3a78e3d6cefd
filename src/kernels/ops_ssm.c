/* ops_ssm.c - see ops_ssm.h for the mathematics. */
#include "kernels/ops_ssm.h"

#include <math.h>

#include "kernels/ops_cpu.h"

enum {
    CHANNELS_PER_TASK = 64,
    ROWS_AT_ONCE = 16, /* of a scan: their inputs stay in the nearest cache */
};

static uint32_t count_rows(const row_span *span, uint32_t n_span) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_span; i++) n += span[i].n_row;
    return n;
}

/* What a task needs, whichever operation it is. */
typedef struct ssm_job {
    const kern *k;
    float *y;
    const float *u, *e, *B, *C;
    const conv_config *conv;
    const scan1_config *scan1;
    const scan2_config *scan2;
    const row_span *span;
    uint32_t n_span;
} ssm_job;

/* ---- Convolution ---- */

static void conv_task(void *ctx, uint32_t task, uint32_t thread) {
    const ssm_job *job = ctx;
    const conv_config *c = job->conv;
    const uint32_t K = c->K, first = task * CHANNELS_PER_TASK;
    const uint32_t n = c->C - first < CHANNELS_PER_TASK ? c->C - first : CHANNELS_PER_TASK;
    float w[CONV_MAX_TAPS * CHANNELS_PER_TASK]; /* [K][n] */
    (void)thread;
    for (uint32_t ch = 0; ch < n; ch++)
        for (uint32_t j = 0; j < K; j++) w[j * n + ch] = c->w[(size_t)(first + ch) * K + j];
    for (const row_span *s = job->span; s < job->span + job->n_span; s++)
        for (uint32_t r = 0; r < s->n_row; r++)
            job->k->conv(job->y + (size_t)(s->first_row + r) * c->C + first,
                         s->state + c->state_at + first, c->C, w, c->b ? c->b + first : NULL, n, K,
                         c->plain);
}

void ops_cpu_conv(ops *o, float *x, const conv_config *c, const row_span *span, uint32_t n_span) {
    cpu_ops *cpu = (cpu_ops *)(void *)o;
    ssm_job job = {.k = cpu->k, .y = x, .conv = c, .span = span, .n_span = n_span};
    const uint64_t work = (uint64_t)count_rows(span, n_span) * c->C * (c->K + 16);
    ops_cpu_run(cpu, (c->C + CHANNELS_PER_TASK - 1) / CHANNELS_PER_TASK, work, conv_task, &job);
}

/* ---- Mamba 1 ---- */

static void scan1_task(void *ctx, uint32_t task, uint32_t thread) {
    const ssm_job *job = ctx;
    const scan1_config *c = job->scan1;
    const uint32_t N = c->N, first = task * CHANNELS_PER_TASK;
    const uint32_t n = c->D - first < CHANNELS_PER_TASK ? c->D - first : CHANNELS_PER_TASK;
    float dt[CHANNELS_PER_TASK];
    (void)thread;
    for (const row_span *s = job->span; s < job->span + job->n_span; s++)
        for (uint32_t r = 0; r < s->n_row; r++) {
            const size_t row = s->first_row + r, at = row * c->D + first;
            for (uint32_t d = 0; d < n; d++) dt[d] = job->e[at + d] + c->dt_bias[first + d];
            job->k->step_sizes(dt, NULL, dt, n, 0, INFINITY, 0);
            job->k->select_scan(job->y + at, s->state + c->state_at + (size_t)first * N,
                                job->u + at, dt, c->A + (size_t)first * N, job->B + row * N,
                                job->C + row * N, c->skip + first, n, N, c->state_max);
        }
}

void ops_cpu_scan1(ops *o, float *y, const float *u, const float *e, const float *B, const float *C,
                   const scan1_config *c, const row_span *span, uint32_t n_span) {
    cpu_ops *cpu = (cpu_ops *)(void *)o;
    ssm_job job = {.k = cpu->k,
                   .y = y,
                   .u = u,
                   .e = e,
                   .B = B,
                   .C = C,
                   .scan1 = c,
                   .span = span,
                   .n_span = n_span};
    const uint64_t work = (uint64_t)count_rows(span, n_span) * c->D * (c->N * 16ull + 32);
    ops_cpu_run(cpu, (c->D + CHANNELS_PER_TASK - 1) / CHANNELS_PER_TASK, work, scan1_task, &job);
}

/* ---- Mamba 2 ---- */

static void scan2_task(void *ctx, uint32_t head, uint32_t thread) {
    const ssm_job *job = ctx;
    const scan2_config *c = job->scan2;
    const size_t D = (size_t)c->H * c->P, GN = (size_t)c->G * c->N, group = head / (c->H / c->G);
    float dt[ROWS_AT_ONCE], keep[ROWS_AT_ONCE];
    kern_scan scan = {.keep = keep,
                      .in = dt,
                      .u_stride = D + 2 * GN,
                      .y_stride = D,
                      .bc_stride = D + 2 * GN,
                      .N = c->N,
                      .P = c->P,
                      .skip = c->skip[head]};
    (void)thread;
    for (const row_span *s = job->span; s < job->span + job->n_span; s++)
        for (uint32_t r = 0; r < s->n_row; r += ROWS_AT_ONCE) {
            const size_t row = s->first_row + r;
            const float *x = job->u + row * (D + 2 * GN);
            scan.T = s->n_row - r < ROWS_AT_ONCE ? s->n_row - r : ROWS_AT_ONCE;
            for (size_t t = 0; t < scan.T; t++)
                dt[t] = job->e[(row + t) * c->H + head] + c->dt_bias[head];
            job->k->step_sizes(dt, keep, dt, scan.T, c->dt_min, c->dt_max, c->A[head]);
            scan.h = s->state + c->state_at + (size_t)head * c->N * c->P;
            scan.y = job->y + row * D + (size_t)head * c->P;
            scan.u = x + (size_t)head * c->P;
            scan.B = x + D + group * c->N;
            scan.C = scan.B + GN;
            job->k->state_scan(&scan);
        }
}

void ops_cpu_scan2(ops *o, float *y, const float *x, const float *e, const scan2_config *c,
                   const row_span *span, uint32_t n_span) {
    cpu_ops *cpu = (cpu_ops *)(void *)o;
    ssm_job job = {.k = cpu->k, .y = y, .u = x, .e = e, .scan2 = c, .span = span, .n_span = n_span};
    const uint64_t work = (uint64_t)count_rows(span, n_span) * c->H * c->P * c->N * 2;
    ops_cpu_run(cpu, c->H, work, scan2_task, &job);
}

void ops_cpu_norm_parts(ops *o, float *y, const norm_weight *w, uint32_t T, uint32_t D,
                        uint32_t G) {
    const uint32_t part = D / G;
    for (uint32_t t = 0; t < T; t++)
        for (uint32_t g = 0; g < G; g++) {
            float *row = y + (size_t)t * D + (size_t)g * part;
            const norm_weight one = {.gain = w->gain + (size_t)g * part, .eps = w->eps};
            o->norm_rms(o, row, row, &one, 1, part);
        }
}

void ops_cpu_gated_norm(ops *o, float *y, const float *z, const norm_weight *w, uint32_t T,
                        uint32_t D, uint32_t G) {
    o->act_mul(o, y, z, y, (uint64_t)T * D, ACT_SILU);
    o->flush(o, NULL);
    ops_cpu_norm_parts(o, y, w, T, D, G);
}
