/* ops_ssm3.c - see ops_ssm3.h for the mathematics. A head is a task; it runs its rows in order. */
#include "kernels/ops_ssm3.h"

#include <math.h>
#include <string.h>

#include "kernels/ops_cpu.h"

typedef struct scan3_job {
    const kern *k;
    float *y;
    const scan3_rows *in;
    const scan3_config *c;
    const row_span *span;
    uint32_t n_span;
} scan3_job;

/* What one head keeps from row to row, and the finished B and C of the row at hand. */
typedef struct scan3_head {
    float *h, *v, *B, *angle;
    float now_B[SCAN3_MAX_STATE], now_C[SCAN3_MAX_STATE];
} scan3_head;

static const double pi = 3.141592653589793;

static float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

uint64_t ops_scan3_state(const scan3_config *c) {
    return (uint64_t)c->H * ((uint64_t)c->N * c->P + c->P + c->N + c->R);
}

static void find_state(scan3_head *s, const scan3_config *c, float *state, uint32_t head) {
    float *h = state + c->state_at, *v = h + (size_t)c->H * c->N * c->P;
    float *B = v + (size_t)c->H * c->P, *angle = B + (size_t)c->H * c->N;
    s->h = h + (size_t)head * c->N * c->P;
    s->v = v + (size_t)head * c->P;
    s->B = B + (size_t)head * c->N;
    s->angle = angle + (size_t)head * c->R;
}

/* y[N] = rms(x) * gain + bias; the sum in double, as everywhere a plain loop makes it. */
static void norm_and_bias(float *y, const float *x, const float *gain, const float *bias,
                          uint32_t N, float eps) {
    double square = 0;
    for (uint32_t n = 0; n < N; n++) square += (double)x[n] * (double)x[n];
    const float scale = 1.0f / sqrtf((float)(square / N) + eps);
    for (uint32_t n = 0; n < N; n++) y[n] = x[n] * scale * gain[n] + bias[n];
}

/* Angles stay within half a turn of 0, or they would lose their last digits in a long text. */
static void turn(scan3_head *s, const scan3_config *c, const float *theta, float dt) {
    for (uint32_t i = 0; i < c->R; i++) {
        const double speed = c->angles_shared ? pi * tanh((double)theta[i]) : (double)theta[i];
        double a = (double)s->angle[i] + speed * (double)dt;
        a -= 2 * pi * rint(a / (2 * pi));
        s->angle[i] = (float)a;
        const float cs = cosf(s->angle[i]), sn = sinf(s->angle[i]);
        float *const pair[2] = {s->now_B + 2 * i, s->now_C + 2 * i};
        for (int k = 0; k < 2; k++) {
            const float x = pair[k][0], y = pair[k][1];
            pair[k][0] = x * cs - y * sn;
            pair[k][1] = x * sn + y * cs;
        }
    }
}

static void scan3_row(const scan3_job *job, scan3_head *s, size_t row, uint32_t head) {
    const scan3_config *c = job->c;
    const scan3_rows *in = job->in;
    const uint32_t H = c->H, N = c->N, P = c->P, group = head / (H / c->G);
    const float *B = in->BC + row * in->bc_stride + (size_t)group * N;
    const float *v = in->v + row * in->v_stride + (size_t)head * P;
    float A, dt, keep;
    if (c->A) {
        A = c->A[head];
    } else {
        const float f = in->decay[row * H + head];
        A = -fmaxf(f >= 0 ? 1 + f : 1 / (1 - f), c->decay_floor);
    }
    const float e = in->e[row * H + head] + c->dt_bias[head];
    job->k->step_sizes(&dt, &keep, &e, 1, c->dt_min, c->dt_max, A);
    norm_and_bias(s->now_B, B, c->B_gain, c->B_bias + (size_t)head * N, N, c->eps);
    norm_and_bias(s->now_C, B + (size_t)c->G * N, c->C_gain, c->C_bias + (size_t)head * N, N,
                  c->eps);
    if (c->R) turn(s, c, in->theta + (c->angles_shared ? row : row * H + head) * c->R, dt);
    const float lam = sigmoid(in->lambda[row * H + head]), now = lam * dt;
    job->k->state_scan(&(kern_scan){.h = s->h,
                                    .y = job->y + (row * H + head) * P,
                                    .u = v,
                                    .B = s->now_B,
                                    .C = s->now_C,
                                    .keep = &keep,
                                    .in = &now,
                                    .last_u = s->v,
                                    .last_B = s->B,
                                    .T = 1,
                                    .N = N,
                                    .P = P,
                                    .skip = c->skip[head],
                                    .last_in = (1 - lam) * dt * keep});
    memcpy(s->B, s->now_B, N * sizeof *s->B);
    memcpy(s->v, v, P * sizeof *s->v);
}

static void scan3_task(void *ctx, uint32_t head, uint32_t thread) {
    const scan3_job *job = ctx;
    scan3_head s = {.h = NULL};
    (void)thread;
    for (const row_span *span = job->span; span < job->span + job->n_span; span++) {
        find_state(&s, job->c, span->state, head);
        for (uint32_t r = 0; r < span->n_row; r++) scan3_row(job, &s, span->first_row + r, head);
    }
}

void ops_cpu_scan3(ops *o, float *y, const scan3_rows *in, const scan3_config *c,
                   const row_span *span, uint32_t n_span) {
    cpu_ops *cpu = (cpu_ops *)(void *)o;
    scan3_job job = {cpu->k, y, in, c, span, n_span};
    uint64_t rows = 0;
    for (uint32_t i = 0; i < n_span; i++) rows += span[i].n_row;
    ops_cpu_run(cpu, c->H, rows * c->H * c->N * (c->P * 3ull + 64), scan3_task, &job);
}
