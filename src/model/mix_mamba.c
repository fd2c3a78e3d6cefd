/* mix_mamba.c - Mamba 1 and 2: projections around a short convolution and a state scan. */
#include "kernels/ops_ssm.h"
#include "model/forward.h"

/* [u | z] = in(t); conv; [e | B | C] = x_proj(u); scan; gate; out. */
void mix_mamba1(ops *o, const model *m, const layer *l, step *s, float *t_out, const float *t_in) {
    const ssm_config *c = &l->ssm;
    const uint32_t T = s->n_row;
    const linear_job in[] = {{s->ssm_x, &l->ssm_in_x}, {s->ssm_z, &l->ssm_in_z}};
    o->linear(o, in, 2, t_in, T);
    o->flush(o, NULL);
    ops_cpu_conv(o, s->ssm_x,
                 &(conv_config){.C = c->inner,
                                .K = c->conv,
                                .w = l->ssm_conv,
                                .b = l->ssm_conv_bias,
                                .state_at = l->state_at},
                 s->span, s->n_span);
    const linear_job select[] = {
        {s->ssm_low, &l->ssm_x_dt}, {s->ssm_B, &l->ssm_x_B}, {s->ssm_C, &l->ssm_x_C}};
    o->linear(o, select, 3, s->ssm_x, T);
    if (l->ssm_dt_norm.gain) ops_norm(o, s->ssm_low, s->ssm_low, &l->ssm_dt_norm, T, c->rank);
    if (l->ssm_B_norm.gain) ops_norm(o, s->ssm_B, s->ssm_B, &l->ssm_B_norm, T, c->state);
    if (l->ssm_C_norm.gain) ops_norm(o, s->ssm_C, s->ssm_C, &l->ssm_C_norm, T, c->state);
    o->linear(o, &(linear_job){s->ssm_dt, &l->ssm_dt}, 1, s->ssm_low, T);
    o->flush(o, NULL);
    const scan1_config scan = {.D = c->inner,
                               .N = c->state,
                               .dt_bias = l->ssm_dt_bias,
                               .A = l->ssm_A,
                               .skip = l->ssm_skip,
                               .state_at = l->state_at + (c->conv - 1) * c->inner,
                               .state_max = c->state_max};
    ops_cpu_scan1(o, s->ssm_y, s->ssm_x, s->ssm_dt, s->ssm_B, s->ssm_C, &scan, s->span, s->n_span);
    o->act_mul(o, s->ssm_y, s->ssm_z, s->ssm_y, (uint64_t)T * c->inner, ACT_SILU);
    o->linear(o, &(linear_job){t_out, &l->ssm_out}, 1, s->ssm_y, T);
    if (l->ssm_out_bias) o->bias(o, t_out, l->ssm_out_bias, T, m->c.D);
}

/* [z | u B C | e] = in(t); conv over u B C; scan; norm of the gated result; out. */
void mix_mamba2(ops *o, const model *m, const layer *l, step *s, float *t_out, const float *t_in) {
    const ssm_config *c = &l->ssm;
    const uint32_t T = s->n_row, channels = c->inner + 2 * c->groups * c->state;
    const linear_job in[] = {
        {s->ssm_z, &l->ssm_in_z}, {s->ssm_x, &l->ssm_in_x}, {s->ssm_dt, &l->ssm_dt}};
    o->linear(o, in, 3, t_in, T);
    if (l->ssm_in_z_bias) o->bias(o, s->ssm_z, l->ssm_in_z_bias, T, c->inner);
    if (l->ssm_in_x_bias) o->bias(o, s->ssm_x, l->ssm_in_x_bias, T, channels);
    if (l->ssm_dt_in_bias) o->bias(o, s->ssm_dt, l->ssm_dt_in_bias, T, c->heads);
    o->flush(o, NULL);
    ops_cpu_conv(o, s->ssm_x,
                 &(conv_config){.C = channels,
                                .K = c->conv,
                                .w = l->ssm_conv,
                                .b = l->ssm_conv_bias,
                                .state_at = l->state_at},
                 s->span, s->n_span);
    const scan2_config scan = {.H = c->heads,
                               .P = c->inner / c->heads,
                               .N = c->state,
                               .G = c->groups,
                               .dt_bias = l->ssm_dt_bias,
                               .A = l->ssm_A,
                               .skip = l->ssm_skip,
                               .dt_min = c->dt_min,
                               .dt_max = c->dt_max,
                               .state_at = l->state_at + (c->conv - 1) * channels};
    ops_cpu_scan2(o, s->ssm_y, s->ssm_x, s->ssm_dt, &scan, s->span, s->n_span);
    ops_cpu_gated_norm(o, s->ssm_y, s->ssm_z, &l->ssm_norm, T, c->inner, c->norm_groups);
    o->linear(o, &(linear_job){t_out, &l->ssm_out}, 1, s->ssm_y, T);
    if (l->ssm_out_bias) o->bias(o, t_out, l->ssm_out_bias, T, m->c.D);
}
