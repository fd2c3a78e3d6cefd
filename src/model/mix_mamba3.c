/* mix_mamba3.c - Mamba 3, in the official form and the trainer's: projections around a scan.
 *
 * What one form has and the other has not (biases, a convolution, projections of their own, several
 * ranks, norms) is a weight that is there or is not. */
#include <string.h>

#include "kernels/ops_ssm.h"
#include "kernels/ops_ssm3.h"
#include "model/forward.h"

static void add_bias(ops *o, float *y, const float *bias, uint32_t T, uint32_t n) {
    if (bias) o->bias(o, y, bias, T, n);
}

/* Every product of the block's input: z, [u B C], e, lambda, angles, decay. */
static void project(ops *o, const layer *l, step *s, const float *t_in) {
    const ssm_config *c = &l->ssm;
    const uint32_t T = s->n_row, channels = c->inner + 2 * c->groups * c->state;
    linear_job job[6] = {{s->ssm_z, &l->ssm_in_z},
                         {s->ssm_x, &l->ssm_in_x},
                         {s->ssm_dt, &l->ssm_dt},
                         {s->ssm_lambda, &l->ssm_lambda}};
    uint32_t n = 4;
    if (l->ssm_theta.data) job[n++] = (linear_job){s->ssm_theta, &l->ssm_theta};
    if (l->ssm_decay.data) job[n++] = (linear_job){s->ssm_decay, &l->ssm_decay};
    o->linear(o, job, n, t_in, T);
    add_bias(o, s->ssm_z, l->ssm_in_z_bias, T, c->inner);
    add_bias(o, s->ssm_x, l->ssm_in_x_bias, T, channels);
    add_bias(o, s->ssm_dt, l->ssm_dt_in_bias, T, c->heads);
    add_bias(o, s->ssm_lambda, l->ssm_lambda_bias, T, c->heads);
    if (l->ssm_theta.data) add_bias(o, s->ssm_theta, l->ssm_theta_bias, T, l->ssm_theta.n_out);
}

/* u B C through the convolution, or u through its activation. */
static void activate(ops *o, const layer *l, step *s) {
    const ssm_config *c = &l->ssm;
    const uint32_t channels = c->inner + 2 * c->groups * c->state;
    if (l->ssm_conv)
        ops_cpu_conv(o, s->ssm_x,
                     &(conv_config){.C = channels,
                                    .K = c->conv,
                                    .w = l->ssm_conv,
                                    .b = l->ssm_conv_bias,
                                    .state_at = l->state_at},
                     s->span, s->n_span);
    else if (c->act_input)
        for (uint32_t t = 0; t < s->n_row; t++)
            o->act(o, s->ssm_x + (size_t)t * channels, c->inner, ACT_SILU);
}

/* ssm_wide[T,H,P wide] = every head's u[P] through one matrix. */
static void widen(ops *o, const layer *l, step *s) {
    const ssm_config *c = &l->ssm;
    const uint32_t T = s->n_row, H = c->heads, P = c->inner / H;
    const uint32_t channels = c->inner + 2 * c->groups * c->state;
    o->flush(o, NULL);
    for (uint32_t t = 0; t < T; t++)
        memcpy(s->ssm_y + (size_t)t * c->inner, s->ssm_x + (size_t)t * channels,
               c->inner * sizeof *s->ssm_y);
    o->linear(o, &(linear_job){s->ssm_wide, &l->ssm_widen}, 1, s->ssm_y, T * H);
    add_bias(o, s->ssm_wide, l->ssm_widen_bias, T * H, P * c->wide);
}

static void scan(ops *o, const layer *l, step *s) {
    const ssm_config *c = &l->ssm;
    const uint32_t H = c->heads, P = c->inner / H * c->wide;
    const uint32_t channels = c->inner + 2 * c->groups * c->state;
    const scan3_config how = {
        .H = H,
        .P = P,
        .N = c->state,
        .G = c->groups,
        .R = c->angles,
        .angles_shared = c->angles_shared,
        .dt_bias = l->ssm_dt_bias,
        .A = l->ssm_A,
        .decay_floor = c->decay_floor,
        .skip = l->ssm_skip,
        .dt_min = c->dt_min,
        .dt_max = c->dt_max,
        .B_gain = l->ssm_B_gain,
        .C_gain = l->ssm_C_gain,
        .B_bias = l->ssm_B_bias,
        .C_bias = l->ssm_C_bias,
        .eps = c->bc_eps,
        .state_at = l->state_at + (l->ssm_conv ? (c->conv - 1) * channels : 0),
    };
    const bool wide = c->wide > 1 || l->ssm_widen.data;
    const scan3_rows in = {
        .v = wide ? s->ssm_wide : s->ssm_x,
        .v_stride = wide ? (size_t)H * P : channels,
        .BC = s->ssm_x + c->inner,
        .bc_stride = channels,
        .e = s->ssm_dt,
        .lambda = s->ssm_lambda,
        .decay = s->ssm_decay,
        .theta = s->ssm_theta,
    };
    o->flush(o, NULL);
    ops_cpu_scan3(o, wide ? s->ssm_wide_y : s->ssm_y, &in, &how, s->span, s->n_span);
}

/* The norm stands before the gate, after it, or nowhere. */
static void gate(ops *o, const layer *l, step *s) {
    const ssm_config *c = &l->ssm;
    const uint32_t T = s->n_row;
    if (l->ssm_norm.gain && !c->norm_first) {
        ops_cpu_gated_norm(o, s->ssm_y, s->ssm_z, &l->ssm_norm, T, c->inner, c->norm_groups);
        return;
    }
    if (l->ssm_norm.gain)
        ops_cpu_norm_parts(o, s->ssm_y, &l->ssm_norm, T, c->inner, c->norm_groups);
    o->act_mul(o, s->ssm_y, s->ssm_z, s->ssm_y, (uint64_t)T * c->inner, ACT_SILU);
}

void mix_mamba3(ops *o, const model *m, const layer *l, step *s, float *t_out, const float *t_in) {
    const ssm_config *c = &l->ssm;
    const uint32_t T = s->n_row;
    project(o, l, s, t_in);
    o->flush(o, NULL);
    activate(o, l, s);
    if (l->ssm_widen.data) widen(o, l, s);
    scan(o, l, s);
    if (l->ssm_narrow.data) {
        o->linear(o, &(linear_job){s->ssm_y, &l->ssm_narrow}, 1, s->ssm_wide_y, T * c->heads);
        add_bias(o, s->ssm_y, l->ssm_narrow_bias, T * c->heads, c->inner / c->heads);
    }
    gate(o, l, s);
    o->linear(o, &(linear_job){t_out, &l->ssm_out}, 1, s->ssm_y, T);
    add_bias(o, t_out, l->ssm_out_bias, T, m->c.D);
}
