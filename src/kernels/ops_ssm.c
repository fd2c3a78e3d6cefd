/* ops_ssm.c - see ops_ssm.h for the mathematics. */
#include "kernels/ops_ssm.h"

#include <math.h>
#include <string.h>

#include "kernels/ops_cpu.h"

enum { CHANNELS_PER_TASK = 64 };

static float silu(float x) { return x / (1.0f + expf(-x)); }

static float softplus(float x) { return x > 20.0f ? x : log1pf(expf(x)); }

static uint32_t count_rows(const row_span *span, uint32_t n_span) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_span; i++) n += span[i].n_row;
    return n;
}

/* What a task needs, whichever operation it is. */
typedef struct ssm_job {
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
    const uint32_t end = first + CHANNELS_PER_TASK < c->C ? first + CHANNELS_PER_TASK : c->C;
    (void)thread;
    for (const row_span *s = job->span; s < job->span + job->n_span; s++) {
        float *past = s->state + c->state_at;
        for (uint32_t r = 0; r < s->n_row; r++) {
            float *x = job->y + (size_t)(s->first_row + r) * c->C;
            for (uint32_t ch = first; ch < end; ch++) {
                const float *w = c->w + (size_t)ch * K;
                const float now = x[ch];
                float sum = c->b ? c->b[ch] : 0;
                for (uint32_t j = 0; j + 1 < K; j++) {
                    sum += w[j] * past[(size_t)j * c->C + ch];
                    past[(size_t)j * c->C + ch] =
                        j + 2 < K ? past[(size_t)(j + 1) * c->C + ch] : now;
                }
                sum += w[K - 1] * now;
                x[ch] = c->plain ? sum : silu(sum);
            }
        }
    }
}

void ops_cpu_conv(ops *o, float *x, const conv_config *c, const row_span *span, uint32_t n_span) {
    ssm_job job = {.y = x, .conv = c, .span = span, .n_span = n_span};
    const uint64_t work = (uint64_t)count_rows(span, n_span) * c->C * (c->K + 16);
    ops_cpu_run((cpu_ops *)(void *)o, (c->C + CHANNELS_PER_TASK - 1) / CHANNELS_PER_TASK, work,
                conv_task, &job);
}

/* ---- Mamba 1 ---- */

static void scan1_task(void *ctx, uint32_t task, uint32_t thread) {
    const ssm_job *job = ctx;
    const scan1_config *c = job->scan1;
    const uint32_t N = c->N, first = task * CHANNELS_PER_TASK;
    const float max = c->state_max;
    const uint32_t end = first + CHANNELS_PER_TASK < c->D ? first + CHANNELS_PER_TASK : c->D;
    (void)thread;
    for (const row_span *s = job->span; s < job->span + job->n_span; s++)
        for (uint32_t r = 0; r < s->n_row; r++) {
            const size_t row = s->first_row + r;
            const float *B = job->B + row * N, *C = job->C + row * N;
            for (uint32_t d = first; d < end; d++) {
                float *h = s->state + c->state_at + (size_t)d * N;
                const float *A = c->A + (size_t)d * N;
                const float u = job->u[row * c->D + d];
                const float dt = softplus(job->e[row * c->D + d] + c->dt_bias[d]);
                float y = 0;
                for (uint32_t n = 0; n < N; n++) {
                    h[n] = expf(dt * A[n]) * h[n] + dt * u * B[n];
                    if (max > 0) h[n] = fminf(fmaxf(h[n], -max), max);
                    y += h[n] * C[n];
                }
                job->y[row * c->D + d] = y + c->skip[d] * u;
            }
        }
}

void ops_cpu_scan1(ops *o, float *y, const float *u, const float *e, const float *B, const float *C,
                   const scan1_config *c, const row_span *span, uint32_t n_span) {
    ssm_job job = {
        .y = y, .u = u, .e = e, .B = B, .C = C, .scan1 = c, .span = span, .n_span = n_span};
    const uint64_t work = (uint64_t)count_rows(span, n_span) * c->D * (c->N * 16ull + 32);
    ops_cpu_run((cpu_ops *)(void *)o, (c->D + CHANNELS_PER_TASK - 1) / CHANNELS_PER_TASK, work,
                scan1_task, &job);
}

/* ---- Mamba 2 ---- */

/* One position of one head: state h[N][P], lanes over P. */
static void scan2_step(float *y, float *h, const float *u, const float *B, const float *C,
                       const scan2_config *c, uint32_t head, float dt) {
    const uint32_t P = c->P;
    const float decay = expf(dt * c->A[head]), skip = c->skip[head];
    for (uint32_t p = 0; p < P; p++) y[p] = 0;
    for (uint32_t n = 0; n < c->N; n++, h += P) {
        const float in = dt * B[n], out = C[n];
        for (uint32_t p = 0; p < P; p++) {
            h[p] = decay * h[p] + in * u[p];
            y[p] += out * h[p];
        }
    }
    for (uint32_t p = 0; p < P; p++) y[p] += skip * u[p];
}

static void scan2_task(void *ctx, uint32_t head, uint32_t thread) {
    const ssm_job *job = ctx;
    const scan2_config *c = job->scan2;
    const uint32_t D = c->H * c->P, GN = c->G * c->N, group = head / (c->H / c->G);
    (void)thread;
    for (const row_span *s = job->span; s < job->span + job->n_span; s++)
        for (uint32_t r = 0; r < s->n_row; r++) {
            const size_t row = s->first_row + r;
            const float *x = job->u + row * (D + 2 * GN);
            float dt = softplus(job->e[row * c->H + head] + c->dt_bias[head]);
            dt = fminf(fmaxf(dt, c->dt_min), c->dt_max);
            scan2_step(job->y + row * D + (size_t)head * c->P,
                       s->state + c->state_at + (size_t)head * c->N * c->P, x + head * c->P,
                       x + D + group * c->N, x + D + GN + group * c->N, c, head, dt);
        }
}

void ops_cpu_scan2(ops *o, float *y, const float *x, const float *e, const scan2_config *c,
                   const row_span *span, uint32_t n_span) {
    ssm_job job = {.y = y, .u = x, .e = e, .scan2 = c, .span = span, .n_span = n_span};
    const uint64_t work = (uint64_t)count_rows(span, n_span) * c->H * c->P * c->N * 2;
    ops_cpu_run((cpu_ops *)(void *)o, c->H, work, scan2_task, &job);
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
