/* mix_shortconv.c - the gated short convolution of LFM2: [B | C | x] = in(t); out(C * conv(B * x)).
 * Its state is the last inputs of the convolution. */
#include "kernels/ops_ssm.h"
#include "model/forward.h"

void mix_shortconv(ops *o, const model *m, const layer *l, step *s, float *t_out,
                   const float *t_in) {
    const ssm_config *c = &l->ssm;
    const uint32_t T = s->n_row;
    const uint64_t n = (uint64_t)T * c->inner;
    const linear_job in[] = {
        {s->ssm_z, &l->ssm_in_z}, {s->ssm_y, &l->ssm_in_C}, {s->ssm_x, &l->ssm_in_x}};
    o->linear(o, in, 3, t_in, T);
    if (l->ssm_in_z_bias) o->bias(o, s->ssm_z, l->ssm_in_z_bias, T, c->inner);
    if (l->ssm_in_C_bias) o->bias(o, s->ssm_y, l->ssm_in_C_bias, T, c->inner);
    if (l->ssm_in_x_bias) o->bias(o, s->ssm_x, l->ssm_in_x_bias, T, c->inner);
    o->act_mul(o, s->ssm_x, s->ssm_z, s->ssm_x, n, ACT_NONE);
    o->flush(o, NULL);
    const conv_config conv = {.C = c->inner,
                              .K = c->conv,
                              .w = l->ssm_conv,
                              .b = l->ssm_conv_bias,
                              .state_at = l->state_at,
                              .plain = true};
    ops_cpu_conv(o, s->ssm_x, &conv, s->span, s->n_span);
    o->act_mul(o, s->ssm_y, s->ssm_y, s->ssm_x, n, ACT_NONE);
    o->linear(o, &(linear_job){t_out, &l->ssm_out}, 1, s->ssm_y, T);
    if (l->ssm_out_bias) o->bias(o, t_out, l->ssm_out_bias, T, m->c.D);
}
