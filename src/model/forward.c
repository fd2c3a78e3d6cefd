/* forward.c - THE main path. Read this file first.
 *
 * x[T,D] is the residual stream, t and u the branches being computed. Rows of many sequences,
 * prompt chunks and single tokens alike, go through together. A norm without weights is a copy, so
 * pre-norm, post-norm, sandwich and parallel models share this loop. */
#include "model/forward.h"

#include <string.h>

#include "base/mem.h"
#include "kernels/profile.h"

static mix_fn *const mix[MIX_KIND_COUNT] = {
    [MIX_ATTN] = mix_attn,     [MIX_MLA] = mix_mla,       [MIX_MAMBA1] = mix_mamba1,
    [MIX_MAMBA2] = mix_mamba2, [MIX_MAMBA3] = mix_mamba3, [MIX_SHORTCONV] = mix_shortconv};
static ffn_fn *const ffn[FFN_KIND_COUNT] = {[FFN_DENSE] = ffn_dense, [FFN_MOE] = ffn_moe};

/* Cos and sin of every row: sequences beyond long_from may turn otherwise. */
static void tabulate_ropes(ops *o, const model *m, step *s) {
    for (int i = 0; i < MODEL_MAX_ROPES; i++) {
        const uint32_t n = m->rope[i].n_rot;
        if (!m->rope[i].inv_freq) continue;
        for (uint32_t first = 0, next; first < s->n_span; first = next) {
            const row_span *a = &s->span[first];
            const bool far = a->is_long && m->rope_long[i].inv_freq;
            uint32_t rows = 0;
            for (next = first; next < s->n_span && s->span[next].is_long == a->is_long; next++)
                rows += s->span[next].n_row;
            o->rope_table(o, s->cs[i] + (size_t)a->first_row * n,
                          far ? &m->rope_long[i] : &m->rope[i], s->pos + a->first_row, rows);
        }
    }
}

/* x[T,D] = embedding of the tokens, with whatever the family adds to it. */
static void embed_tokens(ops *o, const model *m, step *s) {
    const uint32_t T = s->n_row, D = m->c.D;
    o->embed(o, s->x, &m->embed, s->id, T, m->c.embed_scale);
    if (m->positions.data) {
        o->embed(o, s->t, &m->positions, (const int32_t *)s->pos, T, 1.0f);
        o->add(o, s->x, s->t, (uint64_t)T * D);
    }
    if (m->token_type) o->bias(o, s->x, m->token_type, T, D);
    if (m->norm_embed.gain) ops_norm(o, s->x, s->x, &m->norm_embed, T, D);
    tabulate_ropes(o, m, s);
}

/* x += branch, normalised and scaled where the family does; then the sum is. */
static void add_branch(ops *o, const model *m, step *s, float *branch, const norm_weight *norm,
                       const norm_weight *sum) {
    const uint64_t n = (uint64_t)s->n_row * m->c.D;
    if (norm->gain) ops_norm(o, branch, branch, norm, s->n_row, m->c.D);
    if (m->c.residual_scale != 1) o->scale(o, branch, m->c.residual_scale, n);
    o->add(o, s->x, branch, n);
    if (sum->gain) ops_norm(o, s->x, s->x, sum, s->n_row, m->c.D);
}

/* Only rows somebody will sample from pay for the vocabulary product. */
static void read_logits(ops *o, const model *m, step *s) {
    const uint64_t n = (uint64_t)s->n_logit * m->c.V;
    o->gather(o, s->picked, s->x, s->logit_row, s->n_logit, m->c.D);
    ops_norm(o, s->picked, s->picked, &m->norm_out, s->n_logit, m->c.D);
    o->linear(o, &(linear_job){s->logits, &m->head}, 1, s->picked, s->n_logit);
    if (m->head_bias) o->bias(o, s->logits, m->head_bias, s->n_logit, m->c.V);
    if (m->c.logit_scale != 1) o->scale(o, s->logits, m->c.logit_scale, n);
    if (m->c.logit_cap > 0) o->softcap(o, s->logits, m->c.logit_cap, n);
}

status forward(ops *o, const model *m, step *s, err *e) {
    const uint32_t T = s->n_row, D = m->c.D;
    profile_step(true);
    embed_tokens(o, m, s);
    for (uint32_t i = 0; i < m->c.L; i++) {
        const layer *l = &m->layer[i];
        profile_layer((int)i);
        if (l->parallel) {
            const norm_weight *norm = l->norm_ffn.gain ? &l->norm_ffn : &l->norm_in;
            ops_norm(o, s->u, s->x, norm, T, D);
        }
        if (l->mix != MIX_NONE) {
            ops_norm(o, s->t, s->x, &l->norm_in, T, D);
            mix[l->mix](o, m, l, s, s->t, s->t);
            add_branch(o, m, s, s->t, &l->norm_mix_out, &l->norm_mix_sum);
        }
        if (l->ffn == FFN_NONE) continue;
        if (!l->parallel) ops_norm(o, s->u, s->x, &l->norm_ffn, T, D);
        ffn[l->ffn](o, m, l, s, s->u, s->u);
        add_branch(o, m, s, s->u, &l->norm_ffn_out, &l->norm_ffn_sum);
    }
    profile_layer(PROFILE_NO_LAYER);
    if (s->n_logit) read_logits(o, m, s);
    if (s->want_states) ops_norm(o, s->x, s->x, &m->norm_out, T, D);
    const status r = o->flush(o, e);
    profile_step(false);
    return r;
}

enum { ALIGN_FLOATS = 16, MAX_PARTS = 48 };

/* One array of the scratch: `at` receives its address. All elements are 4 bytes wide. */
typedef struct scratch_part {
    void *at;
    uint64_t rows, cols;
} scratch_part;

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* The widest row of each kind that any layer makes. */
typedef struct widths {
    uint64_t q, mixed, kv, inner, channels, dt, low, state, wide, theta, heads;
} widths;

static widths find_widths(const model *m) {
    const mla_config *a = &m->c.mla;
    widths w = {0};
    for (uint32_t i = 0; i < m->c.L; i++) {
        const layer *l = &m->layer[i];
        const attend_config *c = &l->attend;
        const ssm_config *s = &l->ssm;
        const uint64_t heads = s->heads, H = c->H;
        w.q = most(w.q, most(H * c->K, H * (a->nope + a->rope)));
        w.mixed = most(w.mixed, most(H * c->K, H * a->value));
        w.kv = most(w.kv, (uint64_t)c->G * c->K);
        w.inner = most(w.inner, s->inner);
        w.channels = most(w.channels, s->inner + 2ull * s->groups * s->state);
        w.dt = most(w.dt, heads ? heads : s->inner);
        w.low = most(w.low, s->rank);
        w.state = most(w.state, s->state);
        if (!s->wide) continue;
        w.heads = most(w.heads, heads);
        w.theta = most(w.theta, heads * s->angles);
        w.wide = most(w.wide, (uint64_t)s->inner * s->wide);
    }
    return w;
}

static int list_parts(scratch_part part[MAX_PARTS], step *s, const model *m) {
    const model_config *c = &m->c;
    const uint64_t T = s->max_row;
    const widths w = find_widths(m);
    const mla_config *a = &c->mla;
    const uint64_t T_mla = a->rank ? T : 0, H = m->most_heads;
    const uint64_t E = c->route.n_expert, k = c->route.n_used, T_moe = E ? T : 0;
    uint64_t F = c->F > c->F_expert ? c->F : c->F_expert;
    if (c->F_shared > F) F = c->F_shared;
    const scratch_part all[] = {
        {&s->x, T, c->D},
        {&s->t, T, c->D},
        {&s->u, T, c->D},
        {&s->q, T, w.q},
        {&s->mixed, T, w.mixed},
        {&s->k, T, w.kv},
        {&s->v, T, w.kv},
        {&s->gate, T, F},
        {&s->up, T, F},
        {&s->cs[0], T, m->rope[0].n_rot},
        {&s->cs[1], T, m->rope[1].n_rot},
        {&s->mla_low, T_mla, a->q_rank},
        {&s->mla_rope, a->q_rope_apart ? T_mla : 0, H * a->rope},
        {&s->mla_latent, T_mla, a->rank},
        {&s->mla_key, T_mla, a->rope},
        {&s->mla_q, T_mla, H * (a->rank + a->rope)},
        {&s->mla_out, T_mla, H * a->rank},
        {&s->ssm_x, T, w.channels},
        {&s->ssm_z, T, w.inner},
        {&s->ssm_y, T, w.inner},
        {&s->ssm_dt, T, w.dt},
        {&s->ssm_low, T, w.low},
        {&s->ssm_B, T, w.state},
        {&s->ssm_C, T, w.state},
        {&s->ssm_lambda, T, w.heads},
        {&s->ssm_decay, T, w.heads},
        {&s->ssm_theta, T, w.theta},
        {&s->ssm_wide, T, w.wide},
        {&s->ssm_wide_y, T, w.wide},
        {&s->moe_logits, T, E},
        {&s->moe_x, T_moe, c->D},
        {&s->moe_y, T_moe, c->D},
        {&s->moe_sum, T_moe, c->D},
        {&s->moe_id, T, k},
        {&s->moe_w, T, k},
        {&s->moe_row, T_moe, 1},
        {&s->moe_row_w, T_moe, 1},
        {&s->picked, s->max_logit, c->D},
        {&s->logits, s->max_logit, c->V},
    };
    memcpy(part, all, sizeof all);
    return sizeof all / sizeof *all;
}

status step_init(step *s, const model *m, uint32_t max_row, uint32_t max_logit, err *e) {
    *s = (step){.max_row = max_row, .max_logit = max_logit};
    scratch_part part[MAX_PARTS];
    size_t total = 0, at[MAX_PARTS];
    const int n = list_parts(part, s, m);
    for (int i = 0; i < n; i++) {
        size_t floats;
        at[i] = total;
        if (mem_mul_over(part[i].rows, part[i].cols, &floats) ||
            mem_add_over(total, floats, &total) || mem_add_over(total, ALIGN_FLOATS, &total))
            return err_set(e, RZ_ENOMEM, "step: %u rows are too many for this model", max_row);
        total = total / ALIGN_FLOATS * ALIGN_FLOATS;
    }
    if (mem_mul_over(total, sizeof(float), &s->memory_bytes))
        return err_set(e, RZ_ENOMEM, "step: %u rows are too many for this model", max_row);
    /* Pages become resident only when a step is large enough to touch them. */
    s->memory = mem_map(s->memory_bytes);
    if (!s->memory)
        return err_set(e, RZ_ENOMEM, "step: no memory for %zu bytes of scratch", s->memory_bytes);
    for (int i = 0; i < n; i++) {
        float *place = (float *)s->memory + at[i];
        memcpy(part[i].at, &place, sizeof place);
    }
    return RZ_OK;
}

void step_done(step *s) {
    mem_unmap(s->memory, s->memory_bytes);
    *s = (step){0};
}
