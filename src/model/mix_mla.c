/* mix_mla.c - multi-head latent attention, absorbed: keys and values are never made.
 *
 * A key is k_up c with a latent c of the token, so q . (k_up c) = (k_up^T q) . c: queries are taken
 * to the latent space, weighted latents come back, and v_up makes the output of them. All heads
 * read the same cache, a latent and one rotated key a token. */
#include "model/forward.h"

/* Products of the block's input, and of the queries' own latent where there is one. */
static void project(ops *o, const layer *l, step *s, const float *t_in) {
    const uint32_t T = s->n_row;
    linear_job job[4] = {{s->mla_latent, &l->kv_down}, {s->mla_key, &l->kv_rope}};
    uint32_t n = 2;
    job[n++] = l->q_down.data ? (linear_job){s->mla_low, &l->q_down} : (linear_job){s->q, &l->q};
    if (l->q_rope.data) job[n++] = (linear_job){s->mla_rope, &l->q_rope};
    o->linear(o, job, n, t_in, T);
    if (l->kv_down_norm.gain)
        ops_norm(o, s->mla_latent, s->mla_latent, &l->kv_down_norm, T, l->kv_down.n_out);
    if (!l->q_down.data) return;
    if (l->q_down_norm.gain)
        ops_norm(o, s->mla_low, s->mla_low, &l->q_down_norm, T, l->q_down.n_out);
    o->linear(o, &(linear_job){s->q, &l->q}, 1, s->mla_low, T);
}

void mix_mla(ops *o, const model *m, const layer *l, step *s, float *t_out, const float *t_in) {
    const mla_config *c = &m->c.mla;
    const uint32_t T = s->n_row, H = l->attend.H, wide = c->rank + c->rope;
    const uint32_t head = l->q_rope.data ? c->nope : c->nope + c->rope;
    project(o, l, s, t_in);
    const head_rows plain = {s->q, (size_t)H * head, head};
    const head_rows turning = l->q_rope.data
                                  ? (head_rows){s->mla_rope, (size_t)H * c->rope, c->rope}
                                  : (head_rows){s->q + c->nope, plain.row, plain.head};
    const rope_config *rope = &m->rope[l->rope];
    o->rope(o, turning.x, s->cs[l->rope], rope, T, H, (uint32_t)turning.head);
    o->rope(o, s->mla_key, s->cs[l->rope], rope, T, 1, c->rope);
    o->flush(o, NULL);
    const head_rows to = {s->mla_q, (size_t)H * wide, wide};
    const head_rows to_turning = {s->mla_q + c->rank, to.row, to.head};
    ops_cpu_heads(o, &to, &plain, &l->k_up, H, T);
    ops_cpu_copy_heads(o, &to_turning, &turning, c->rope, H, T);
    const kv_slab kv = model_layer_cache(l, s->kv);
    const latent_config latent = {H, c->rank, c->rope, l->attend.scale};
    ops_cpu_latent_write(o, &kv, &latent, s->mla_latent, s->mla_key, s->span, s->n_span);
    ops_cpu_latent_attend(o, s->mla_out, s->mla_q, &kv, &latent, s->span, s->n_span);
    const head_rows back = {s->mla_out, (size_t)H * c->rank, c->rank};
    const head_rows mixed = {s->mixed, (size_t)H * c->value, c->value};
    ops_cpu_heads(o, &mixed, &back, &l->v_up, H, T);
    o->linear(o, &(linear_job){t_out, &l->o}, 1, s->mixed, T);
}
