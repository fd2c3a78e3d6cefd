/* ffn_moe.c - mixture of experts: each row runs through the few experts its router chooses.
 *
 * Rows are grouped by expert, so a prompt pays a matrix product for each expert anybody chose, and
 * nothing for the others. Experts are visited in ascending order: that is the order in which a
 * row's answers are added. */
#include <math.h>
#include <string.h>

#include "model/forward.h"

static float sigmoid_gate(float x) { return 1.0f / (1.0f + expf(-x)); }

typedef struct expert {
    weight gate, up, down;
    const float *gate_bias, *up_bias, *down_bias; /* or NULL */
} expert;

/* moe_y[n,D] = swiglu of x[n,D] by one expert. */
static void run_expert(ops *o, const model *m, step *s, const expert *w, const float *x,
                       uint32_t n) {
    const linear_job gate_up[] = {{s->gate, &w->gate}, {s->up, &w->up}};
    o->linear(o, gate_up, 2, x, n);
    if (w->gate_bias) o->bias(o, s->gate, w->gate_bias, n, w->gate.n_out);
    if (w->up_bias) o->bias(o, s->up, w->up_bias, n, w->up.n_out);
    o->act_mul(o, s->gate, s->gate, s->up, (uint64_t)n * w->gate.n_out, m->c.act);
    o->linear(o, &(linear_job){s->moe_y, &w->down}, 1, s->gate, n);
    if (w->down_bias) o->bias(o, s->moe_y, w->down_bias, n, w->down.n_out);
}

static weight expert_weight(const expert_stack *stack, uint32_t e) {
    weight w = stack->w;
    w.data = stack->data[e];
    return w;
}

static const float *expert_bias(const float *all, uint32_t e, uint32_t n) {
    return all ? all + (size_t)e * n : NULL;
}

static expert expert_of(const layer *l, uint32_t e) {
    const uint32_t F = l->experts_gate.w.n_out, D = l->experts_down.w.n_out;
    return (expert){.gate = expert_weight(&l->experts_gate, e),
                    .up = expert_weight(&l->experts_up, e),
                    .down = expert_weight(&l->experts_down, e),
                    .gate_bias = expert_bias(l->experts_gate_bias, e, F),
                    .up_bias = expert_bias(l->experts_up_bias, e, F),
                    .down_bias = expert_bias(l->experts_down_bias, e, D)};
}

/* Rows that chose expert e, with their weights. */
static uint32_t rows_of(const step *s, uint32_t k, uint32_t e) {
    uint32_t n = 0;
    for (uint32_t t = 0; t < s->n_row; t++)
        for (uint32_t j = 0; j < k; j++)
            if (s->moe_id[t * k + j] == (int32_t)e) {
                s->moe_row[n] = t;
                s->moe_row_w[n++] = s->moe_w[t * k + j];
            }
    return n;
}

/* sum += swiglu(shared expert), weighted by its own gate where the family has one. */
static void add_shared(ops *o, const model *m, const layer *l, step *s, const float *t_in) {
    const uint32_t T = s->n_row;
    if (!l->shared_gate.data) return;
    const expert shared = {.gate = l->shared_gate, .up = l->shared_up, .down = l->shared_down};
    run_expert(o, m, s, &shared, t_in, T);
    for (uint32_t t = 0; t < T; t++) s->moe_row[t] = t, s->moe_row_w[t] = 1;
    if (l->shared_switch.data) {
        o->linear(o, &(linear_job){s->moe_row_w, &l->shared_switch}, 1, t_in, T);
        o->flush(o, NULL);
        for (uint32_t t = 0; t < T; t++) s->moe_row_w[t] = sigmoid_gate(s->moe_row_w[t]);
    }
    ops_scatter_add(s->moe_sum, s->moe_y, s->moe_row, s->moe_row_w, T, m->c.D);
}

void ffn_moe(ops *o, const model *m, const layer *l, step *s, float *t_out, const float *t_in) {
    const uint32_t T = s->n_row, D = m->c.D, k = m->c.route.n_used;
    o->linear(o, &(linear_job){s->moe_logits, &l->router}, 1, t_in, T);
    if (l->router_out_bias) o->bias(o, s->moe_logits, l->router_out_bias, T, m->c.route.n_expert);
    o->flush(o, NULL);
    ops_route(&m->c.route, s->moe_logits, l->router_bias, s->moe_id, s->moe_w, T);
    memset(s->moe_sum, 0, (size_t)T * D * sizeof *s->moe_sum);
    for (uint32_t e = 0; e < m->c.route.n_expert; e++) {
        const uint32_t n = rows_of(s, k, e);
        if (n == 0) continue;
        const expert w = expert_of(l, e);
        o->gather(o, s->moe_x, t_in, s->moe_row, n, D);
        run_expert(o, m, s, &w, s->moe_x, n);
        ops_scatter_add(s->moe_sum, s->moe_y, s->moe_row, s->moe_row_w, n, D);
    }
    add_shared(o, m, l, s, t_in);
    memcpy(t_out, s->moe_sum, (size_t)T * D * sizeof *t_out);
}
