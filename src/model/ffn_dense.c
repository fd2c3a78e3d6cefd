/* ffn_dense.c - the feed-forward: down(act(gate(x)) * up(x)), without a gate down(act(up(x))). */
#include "model/forward.h"

static void gated(ops *o, const model *m, const layer *l, step *s, const float *t_in) {
    const uint32_t T = s->n_row, F = l->up.n_out;
    const linear_job gate_up[] = {{s->gate, &l->gate}, {s->up, &l->up}};
    o->linear(o, gate_up, 2, t_in, T);
    if (l->gate_bias) o->bias(o, s->gate, l->gate_bias, T, F);
    if (l->up_bias) o->bias(o, s->up, l->up_bias, T, F);
    o->act_mul(o, s->gate, s->gate, s->up, (uint64_t)T * F, m->c.act);
}

static void plain(ops *o, const model *m, const layer *l, step *s, const float *t_in) {
    const uint32_t T = s->n_row, F = l->up.n_out;
    o->linear(o, &(linear_job){s->gate, &l->up}, 1, t_in, T);
    if (l->up_bias) o->bias(o, s->gate, l->up_bias, T, F);
    o->act(o, s->gate, (uint64_t)T * F, m->c.act);
}

void ffn_dense(ops *o, const model *m, const layer *l, step *s, float *t_out, const float *t_in) {
    (l->gate.data ? gated : plain)(o, m, l, s, t_in);
    o->linear(o, &(linear_job){t_out, &l->down}, 1, s->gate, s->n_row);
    if (l->down_bias) o->bias(o, t_out, l->down_bias, s->n_row, m->c.D);
}
