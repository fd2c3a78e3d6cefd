/* ops_ssm.h - what recurrent layers do along a sequence: short convolutions and state scans.
 *
 * Each works span by span, row by row in order of position, so chunks of any size give the same
 * bits. Channels and heads are independent and are what threads share. */
#ifndef KERNELS_OPS_SSM_H
#define KERNELS_OPS_SSM_H

#include "kernels/ops.h"

/* Causal convolution of each channel with its own K taps, then SiLU unless plain; in place.
 *   x[t,c] = silu(b[c] + sum_j w[c,j] x[t-K+1+j, c])
 * The state holds the last K-1 inputs, oldest first: [K-1][C]. */
enum { CONV_MAX_TAPS = 64 }; /* K */
typedef struct conv_config {
    uint32_t C, K;
    const float *w, *b; /* [C,K], [C] or NULL */
    uint32_t state_at;  /* in the sequence's state */
    bool plain;         /* without SiLU */
} conv_config;

/* Selective scan of Mamba 1 (Gu and Dao 2023, arXiv 2312.00752), state h[D][N]:
 *   dt = softplus(e + dt_bias)   h = exp(dt A) h + (dt u) B   y = h C + skip u                  */
typedef struct scan1_config {
    uint32_t D, N;
    const float *dt_bias; /* [D] */
    const float *A;       /* [D,N], negative */
    const float *skip;    /* [D] */
    uint32_t state_at;
    float state_max; /* h is clamped to +- this after every step; 0: it is not */
} scan1_config;

/* State space duality of Mamba 2 (Dao and Gu 2024, arXiv 2405.21060), state h[H][N][P]:
 *   dt = clamp(softplus(e + dt_bias))   h = exp(dt A) h + dt (u outer B)   y = h C + skip u     */
typedef struct scan2_config {
    uint32_t H, P, N, G;  /* head h uses group h / (H/G); inner width D = H P */
    const float *dt_bias; /* [H] */
    const float *A;       /* [H], negative */
    const float *skip;    /* [H] */
    float dt_min, dt_max;
    uint32_t state_at;
} scan2_config;

void ops_cpu_conv(ops *o, float *x, const conv_config *c, const row_span *span, uint32_t n_span);
/* u[T,D], e[T,D], B[T,N], C[T,N] -> y[T,D] */
void ops_cpu_scan1(ops *o, float *y, const float *u, const float *e, const float *B, const float *C,
                   const scan1_config *c, const row_span *span, uint32_t n_span);
/* x[T, D + 2GN] holds u, B and C side by side, e[T,H] -> y[T,D] */
void ops_cpu_scan2(ops *o, float *y, const float *x, const float *e, const scan2_config *c,
                   const row_span *span, uint32_t n_span);
/* y[T,D] = rms(y) * gain over each of G equal parts of a row. */
void ops_cpu_norm_parts(ops *o, float *y, const norm_weight *w, uint32_t T, uint32_t D, uint32_t G);
/* y[T,D] = rms(y * silu(z)) * gain, the norm over each of G equal parts of a row. */
void ops_cpu_gated_norm(ops *o, float *y, const float *z, const norm_weight *w, uint32_t T,
                        uint32_t D, uint32_t G);

#endif
