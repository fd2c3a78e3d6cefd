/* mix_attn.c - attention with rotary positions over the paged cache (MHA, GQA, MQA). */
#include "model/forward.h"

/* Normalise x[T, n_head*K] over each head, or over the whole row. */
static void norm_heads(ops *o, const layer *l, float *x, const norm_weight *w, uint32_t T,
                       uint32_t n_head) {
    const uint32_t K = l->attend.K;
    if (!w->gain) return;
    if (l->norm_whole_row) ops_norm(o, x, x, w, T, n_head * K);
    else ops_norm(o, x, x, w, T * n_head, K);
}

/* t_out[T,D] = attention(t_in[T,D]). Queries of head h read the keys of head h / (H/G). */
void mix_attn(ops *o, const model *m, const layer *l, step *s, float *t_out, const float *t_in) {
    const attend_config *c = &l->attend;
    const uint32_t T = s->n_row, H = c->H, G = c->G, K = c->K;
    const linear_job qkv[] = {{s->q, &l->q}, {s->k, &l->k}, {s->v, &l->v}};
    o->linear(o, qkv, 3, t_in, T);
    if (l->q_bias) o->bias(o, s->q, l->q_bias, T, H * K);
    if (l->k_bias) o->bias(o, s->k, l->k_bias, T, G * K);
    if (l->v_bias) o->bias(o, s->v, l->v_bias, T, G * K);
    norm_heads(o, l, s->q, &l->q_norm, T, H);
    norm_heads(o, l, s->k, &l->k_norm, T, G);
    if (l->rope < MODEL_MAX_ROPES && m->rope[l->rope].n_rot) {
        o->rope(o, s->q, s->cs[l->rope], &m->rope[l->rope], T, H, K);
        o->rope(o, s->k, s->cs[l->rope], &m->rope[l->rope], T, G, K);
    }
    const kv_slab kv = model_layer_cache(l, s->kv);
    o->kv_write(o, &kv, 0, s->k, s->v, s->span, s->n_span);
    o->attend(o, s->mixed, s->q, &kv, 0, c, s->span, s->n_span);
    o->linear(o, &(linear_job){t_out, &l->o}, 1, s->mixed, T);
    if (l->o_bias) o->bias(o, t_out, l->o_bias, T, m->c.D);
}
