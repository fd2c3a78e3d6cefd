/* real.h - the number that training computes with, and what is done to rows of it.
 *
 * It is float. The gradient checks compile the same sources again with TRAIN_DOUBLE, where it is
 * double, with plain loops in place of kernels and other names for what is not static: an error of
 * a formula cannot hide behind rounding. */
#ifndef TRAIN_REAL_H
#define TRAIN_REAL_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kern.h"

#ifdef TRAIN_DOUBLE
typedef double real;
#define team_new team_new_f64
#define team_free team_free_f64
#define team_rows team_rows_f64
#define gemm gemm_f64
#define gemm_one gemm_one_f64
#define net_new net_new_f64
#define net_free net_free_f64
#define net_init net_init_f64
#define net_run_new net_run_new_f64
#define net_run_free net_run_free_f64
#define net_run_bytes net_run_bytes_f64
#define net_loss net_loss_f64
#define net_logits net_logits_f64
#define attn_forward attn_forward_f64
#define attn_backward attn_backward_f64
#define swiglu_forward swiglu_forward_f64
#define swiglu_backward swiglu_backward_f64

static inline real real_sqrt(real x) { return sqrt(x); }
static inline real real_exp(real x) { return exp(x); }
static inline real real_log(real x) { return log(x); }

static inline void real_tile(real *c, size_t c_stride, const real *a, const real *b, size_t K,
                             uint32_t rows, uint32_t cols, bool more) {
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t j = 0; j < cols; j++) {
            real s = more ? c[r * c_stride + j] : 0;
            for (size_t k = 0; k < K; k++)
                s += a[k * KERN_TILE_ROWS + r] * b[k * KERN_TILE_COLS + j];
            c[r * c_stride + j] = s;
        }
}
static inline real real_dot(const real *x, const real *y, size_t n) {
    real s = 0;
    for (size_t i = 0; i < n; i++) s += x[i] * y[i];
    return s;
}
static inline void real_add_scaled(real *y, real a, const real *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}
static inline real real_most(const real *x, size_t n) {
    real m = -INFINITY;
    for (size_t i = 0; i < n; i++) m = x[i] > m ? x[i] : m;
    return m;
}
static inline real real_exp_sum(real *x, size_t n, real scale, real shift) {
    real s = 0;
    for (size_t i = 0; i < n; i++) s += x[i] = exp(x[i] * scale - shift);
    return s;
}
static inline void real_silu_mul(real *h, const real *gate, const real *up, size_t n) {
    for (size_t i = 0; i < n; i++) h[i] = gate[i] / (1 + exp(-gate[i])) * up[i];
}
static inline void real_silu_back(real *h, real *dgate, real *dup, const real *gate, const real *up,
                                  const real *dh, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const real s = 1 / (1 + exp(-gate[i])), y = gate[i] * s, d = dh[i];
        h[i] = y * up[i];
        dup[i] = d * y;
        dgate[i] = d * up[i] * s * (1 + gate[i] * (1 - s));
    }
}
static inline void real_norm_rms(real *y, const real *x, const real *gain, size_t n, real eps) {
    const real r = 1 / sqrt(real_dot(x, x, n) / (real)n + eps);
    for (size_t i = 0; i < n; i++) y[i] = x[i] * r * gain[i];
}
#else
typedef float real;

static inline real real_sqrt(real x) { return sqrtf(x); }
static inline real real_exp(real x) { return expf(x); }
static inline real real_log(real x) { return logf(x); }

static inline void real_tile(real *c, size_t c_stride, const real *a, const real *b, size_t K,
                             uint32_t rows, uint32_t cols, bool more) {
    kern_get()->tile(c, c_stride, a, b, K, rows, cols, more);
}
static inline real real_dot(const real *x, const real *y, size_t n) {
    return kern_get()->dot(x, y, n);
}
static inline void real_add_scaled(real *y, real a, const real *x, size_t n) {
    kern_get()->add_scaled(y, a, x, n);
}
static inline real real_most(const real *x, size_t n) { return kern_get()->most(x, n); }
static inline real real_exp_sum(real *x, size_t n, real scale, real shift) {
    return kern_get()->exp_sum(x, n, scale, shift);
}
static inline void real_silu_mul(real *h, const real *gate, const real *up, size_t n) {
    kern_get()->act_mul(h, gate, up, n, ACT_SILU);
}
static inline void real_silu_back(real *h, real *dgate, real *dup, const real *gate, const real *up,
                                  const real *dh, size_t n) {
    kern_get()->silu_back(h, dgate, dup, gate, up, dh, n);
}
static inline void real_norm_rms(real *y, const real *x, const real *gain, size_t n, real eps) {
    kern_get()->norm_rms(y, x, gain, n, eps);
}
#endif

#endif
