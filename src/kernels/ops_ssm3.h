/* ops_ssm3.h - the state scan of Mamba 3: a trapezoidal rule over the present and the last input,
 * whose B and C are normed, biased and turned by an angle that grows with the steps. */
#ifndef KERNELS_OPS_SSM3_H
#define KERNELS_OPS_SSM3_H

#include "kernels/ops.h"

enum { SCAN3_MAX_STATE = 1024 }; /* N */

/* For each head, with steps dt = clamp(softplus(e + dt_bias)), lam = sigmoid(lambda):
 *   B, C = rms(of the head's group) * gain + bias;   pairs (2i, 2i+1) turned by angle[i], i < R
 *   h = exp(dt A) h + (1 - lam) dt exp(dt A) (v[t-1] outer B[t-1]) + lam dt (v[t] outer B[t])
 *   y = h C + skip v
 * The state is h[H][N][P], v[t-1][H][P], B[t-1][H][N], angle[H][R], all 0 before the first. */
typedef struct scan3_config {
    uint32_t H, P, N, G;  /* head h uses group h / (H/G); N <= SCAN3_MAX_STATE */
    uint32_t R;           /* angles of a head, 2 R <= N; 0: nothing turns */
    bool angles_shared;   /* angle += pi tanh(theta[i]) dt, theta of all heads; else
                             angle += theta[h,i] dt */
    const float *dt_bias; /* [H] */
    const float *A;       /* [H], negative; NULL: from `decay` */
    float decay_floor;    /* A = -max(decay >= 0 ? 1 + decay : 1 / (1 - decay), decay_floor) */
    const float *skip;    /* [H] */
    float dt_min, dt_max;
    const float *B_gain, *C_gain; /* [N] */
    const float *B_bias, *C_bias; /* [H,N] */
    float eps;                    /* of the norm of B and C */
    uint32_t state_at;
} scan3_config;

/* What differs from row to row. */
typedef struct scan3_rows {
    const float *v; /* [T,H,P], row t at v + t * v_stride */
    size_t v_stride;
    const float *BC; /* [T, G N of B, G N of C], rows bc_stride apart */
    size_t bc_stride;
    const float *e, *lambda; /* [T,H] */
    const float *decay;      /* [T,H], or NULL */
    const float *theta;      /* [T,H,R] or [T,R] */
} scan3_rows;

/* Floats of state. */
uint64_t ops_scan3_state(const scan3_config *c);
/* y[T,H,P] */
void ops_cpu_scan3(ops *o, float *y, const scan3_rows *in, const scan3_config *c,
                   const row_span *span, uint32_t n_span);

#endif
