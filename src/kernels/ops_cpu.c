/* ops_cpu.c - the operations of ops.h on the processor: cut into tasks here, computed by the table
 * of inner loops in kern.h. Attention is in ops_attn.c.
 *
 * Tasks are handed out as threads come for them, so a core that somebody else uses slows only the
 * tile it holds. Which thread computes a tile, and how the tiles are cut, changes no bit. */
#include "kernels/ops_cpu.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/profile.h"

enum {
    WORTH_A_REGION = 100000, /* operations below this stay on the calling thread */
    ELEMENTS_PER_TASK = 16384,
    COLUMNS_PER_TASK = 256,
    MANY_COLUMNS = 32,
    JOBS_PER_RUN = 8,
};

void ops_cpu_region(cpu_ops *c, const char *what, uint32_t n_task, uint64_t work, pool_fn *fn,
                    void *ctx) {
    const bool parallel = work >= WORTH_A_REGION;
    if (profile_now) profile_run(c->workers, parallel, what, n_task, fn, ctx);
    else if (parallel) pool_run(c->workers, n_task, fn, ctx);
    else
        for (uint32_t i = 0; i < n_task; i++) fn(ctx, i, 0);
}

static cpu_ops *cpu(ops *o) { return (cpu_ops *)o; }

/* ---- Element by element and row by row ---- */

/* One call cut into tasks of `per_task` of `n` units (elements or rows). */
typedef struct spread {
    cpu_ops *c;
    float *y;
    const float *a, *b;
    uint64_t n, per_task;
    uint32_t D;
    float f;
    int kind;
    const void *more;
} spread;

static uint64_t spread_range(const spread *s, uint32_t task, uint64_t *first) {
    *first = task * s->per_task;
    return s->n - *first < s->per_task ? s->n - *first : s->per_task;
}

static uint32_t spread_tasks(const spread *s) {
    return (uint32_t)((s->n + s->per_task - 1) / s->per_task);
}

/* Rows per task so that a task has ELEMENTS_PER_TASK elements or one row. */
static uint64_t rows_per_task(uint64_t D) {
    return D < ELEMENTS_PER_TASK ? ELEMENTS_PER_TASK / (D ? D : 1) : 1;
}

static void add_task(void *ctx, uint32_t task, uint32_t thread) {
    const spread *s = ctx;
    uint64_t i;
    const uint64_t n = spread_range(s, task, &i);
    (void)thread;
    s->c->k->add(s->y + i, s->a + i, n);
}

static void cpu_add(ops *o, float *x, const float *t, uint64_t n) {
    spread s = {.c = cpu(o), .y = x, .a = t, .n = n, .per_task = ELEMENTS_PER_TASK};
    ops_cpu_run(s.c, spread_tasks(&s), n, add_task, &s);
}

static void act_mul_task(void *ctx, uint32_t task, uint32_t thread) {
    const spread *s = ctx;
    uint64_t i;
    const uint64_t n = spread_range(s, task, &i);
    (void)thread;
    if (s->b) s->c->k->act_mul(s->y + i, s->a + i, s->b + i, n, (act_kind)s->kind);
    else s->c->k->act(s->y + i, n, (act_kind)s->kind);
}

static void cpu_act_mul(ops *o, float *y, const float *gate, const float *up, uint64_t n,
                        act_kind act) {
    spread s = {.c = cpu(o), .y = y, .a = gate, .b = up, .n = n, .kind = (int)act};
    s.per_task = ELEMENTS_PER_TASK / 4;
    ops_cpu_run(s.c, spread_tasks(&s), n * 8, act_mul_task, &s);
}

static void cpu_act(ops *o, float *x, uint64_t n, act_kind act) {
    cpu_act_mul(o, x, x, NULL, n, act);
}

static void scale_task(void *ctx, uint32_t task, uint32_t thread) {
    const spread *s = ctx;
    uint64_t i;
    const uint64_t n = spread_range(s, task, &i);
    (void)thread;
    s->c->k->scale(s->y + i, s->f, n);
}

static void cpu_scale(ops *o, float *x, float factor, uint64_t n) {
    spread s = {.c = cpu(o), .y = x, .n = n, .f = factor, .per_task = ELEMENTS_PER_TASK};
    ops_cpu_run(s.c, spread_tasks(&s), n, scale_task, &s);
}

static void softcap_task(void *ctx, uint32_t task, uint32_t thread) {
    const spread *s = ctx;
    uint64_t i;
    const uint64_t n = spread_range(s, task, &i);
    (void)thread;
    s->c->k->softcap(s->y + i, s->f, n);
}

static void cpu_softcap(ops *o, float *x, float cap, uint64_t n) {
    spread s = {.c = cpu(o), .y = x, .n = n, .f = cap, .per_task = ELEMENTS_PER_TASK / 4};
    ops_cpu_run(s.c, spread_tasks(&s), n * 8, softcap_task, &s);
}

static void bias_task(void *ctx, uint32_t task, uint32_t thread) {
    const spread *s = ctx;
    uint64_t t;
    const uint64_t n = spread_range(s, task, &t);
    (void)thread;
    for (const uint64_t end = t + n; t < end; t++) s->c->k->add(s->y + t * s->D, s->a, s->D);
}

static void cpu_bias(ops *o, float *y, const float *bias, uint32_t T, uint32_t N) {
    spread s = {.c = cpu(o), .y = y, .a = bias, .n = T, .D = N, .per_task = rows_per_task(N)};
    ops_cpu_run(s.c, spread_tasks(&s), (uint64_t)T * N, bias_task, &s);
}

static void norm_task(void *ctx, uint32_t task, uint32_t thread) {
    const spread *s = ctx;
    const norm_weight *w = s->more;
    uint64_t t;
    const uint64_t n = spread_range(s, task, &t), D = s->D;
    (void)thread;
    for (const uint64_t end = t + n; t < end; t++)
        if (s->kind) s->c->k->norm_layer(s->y + t * D, s->a + t * D, w->gain, w->bias, D, w->eps);
        else s->c->k->norm_rms(s->y + t * D, s->a + t * D, w->gain, D, w->eps);
}

static void norm_rows(ops *o, float *y, const float *x, const norm_weight *w, uint32_t T,
                      uint32_t D, int center) {
    if (!w->gain) {
        if (y != x) memmove(y, x, (size_t)T * D * sizeof *y);
        return;
    }
    spread s = {.c = cpu(o), .y = y, .a = x, .n = T, .D = D, .kind = center, .more = w};
    s.per_task = rows_per_task(D);
    ops_cpu_run(s.c, spread_tasks(&s), (uint64_t)T * D * 2, norm_task, &s);
}

static void cpu_norm_rms(ops *o, float *y, const float *x, const norm_weight *w, uint32_t T,
                         uint32_t D) {
    norm_rows(o, y, x, w, T, D, 0);
}

static void cpu_norm_layer(ops *o, float *y, const float *x, const norm_weight *w, uint32_t T,
                           uint32_t D) {
    norm_rows(o, y, x, w, T, D, 1);
}

static void cpu_gather(ops *o, float *y, const float *x, const uint32_t *row, uint32_t n,
                       uint32_t D) {
    (void)o;
    for (uint32_t i = 0; i < n; i++)
        memcpy(y + (size_t)i * D, x + (size_t)row[i] * D, D * sizeof *y);
}

typedef struct embed_call {
    float *x;
    const weight *w;
    const int32_t *id;
    float scale;
} embed_call;

static void embed_task(void *ctx, uint32_t task, uint32_t thread) {
    const embed_call *e = ctx;
    const uint32_t D = e->w->n_in;
    float *x = e->x + (size_t)task * D;
    (void)thread;
    quant_get(e->w->type)->to_float(e->w->data + (uint64_t)e->id[task] * e->w->row_bytes, x, D);
    if (e->scale != 1.0f)
        for (uint32_t i = 0; i < D; i++) x[i] *= e->scale;
}

static void cpu_embed(ops *o, float *x, const weight *w, const int32_t *id, uint32_t T,
                      float scale) {
    embed_call e = {x, w, id, scale};
    ops_cpu_run(cpu(o), T, (uint64_t)T * w->n_in, embed_task, &e);
}

/* ---- Rotary positions ---- */

typedef struct rope_call {
    cpu_ops *c;
    float *x;
    float *table;
    const float *cs;
    const rope_config *r;
    const uint32_t *pos;
    uint32_t H, K;
} rope_call;

static void rope_table_task(void *ctx, uint32_t t, uint32_t thread) {
    const rope_call *a = ctx;
    float *cs = a->table + (size_t)t * a->r->n_rot;
    (void)thread;
    for (uint32_t i = 0; i < a->r->n_rot / 2; i++) {
        const double angle = (double)a->pos[t] * a->r->inv_freq[i];
        cs[2 * i] = (float)(cos(angle) * (double)a->r->mscale);
        cs[2 * i + 1] = (float)(sin(angle) * (double)a->r->mscale);
    }
}

static void cpu_rope_table(ops *o, float *cs, const rope_config *r, const uint32_t *pos,
                           uint32_t T) {
    rope_call a = {.table = cs, .r = r, .pos = pos};
    ops_cpu_run(cpu(o), T, (uint64_t)T * r->n_rot * 40, rope_table_task, &a);
}

static void rope_task(void *ctx, uint32_t t, uint32_t thread) {
    const rope_call *a = ctx;
    (void)thread;
    const float *cs = a->cs + (size_t)t * a->r->n_rot;
    float *x = a->x + (size_t)t * a->H * a->K;
    for (uint32_t h = 0; h < a->H; h++, x += a->K) a->c->k->rope(x, cs, a->r->n_rot, a->r->half);
}

static void cpu_rope(ops *o, float *x, const float *cs, const rope_config *r, uint32_t T,
                     uint32_t H, uint32_t K) {
    rope_call a = {.c = cpu(o), .x = x, .cs = cs, .r = r, .H = H, .K = K};
    ops_cpu_run(cpu(o), T, (uint64_t)T * H * r->n_rot, rope_task, &a);
}

/* ---- Products with weights ---- */

/* Jobs of one `linear` over the rows in `rows`, cut into tiles of weight rows and, when there are
 * many rows of x, blocks of them. */
typedef struct linear_call {
    cpu_ops *c;
    const linear_job *job;
    float *y_row[JOBS_PER_RUN]; /* y of the first of the rows */
    uint32_t tile[JOBS_PER_RUN], n_tile[JOBS_PER_RUN];
    uint32_t n_job, n_block;
    kern_rows rows;
} linear_call;

/* Any readable type: a few rows at a time are turned into floats, then multiplied as those. */
static void product_through_floats(const cpu_ops *c, float *y, const weight *w, uint32_t first,
                                   uint32_t n_row, const kern_rows *x, uint8_t *scratch) {
    float *rows = (float *)(void *)(scratch + KERN_SCRATCH);
    quant_to_float *to_float = quant_get(w->type)->to_float;
    for (uint32_t r = 0; r < n_row; r += FLOAT_ROWS) {
        const uint32_t n = n_row - r < FLOAT_ROWS ? n_row - r : FLOAT_ROWS;
        for (uint32_t i = 0; i < n; i++)
            to_float(w->data + (first + r + i) * w->row_bytes, rows + (size_t)i * w->n_in, w->n_in);
        c->k->product[QUANT_F32](y + r, w->n_out, (const uint8_t *)rows, w->n_in * sizeof *rows, n,
                                 x, scratch);
    }
}

static void linear_task(void *ctx, uint32_t task, uint32_t thread) {
    const linear_call *a = ctx;
    const cpu_ops *c = a->c;
    uint32_t j = 0;
    for (; task >= a->n_tile[j] * a->n_block; j++) task -= a->n_tile[j] * a->n_block;
    const weight *w = a->job[j].w;
    const uint32_t tile = task / a->n_block, block = task % a->n_block;
    const uint32_t first = tile * a->tile[j];
    const uint32_t n_row = tile + 1 == a->n_tile[j] ? w->n_out - first : a->tile[j];
    const uint32_t t = block * COLUMNS_PER_TASK;
    kern_rows x = a->rows;
    x.x += t * x.x_stride;
    if (x.q) {
        x.q += t * x.q_stride;
        x.block += t * x.block_stride;
    }
    x.T = x.T - t < COLUMNS_PER_TASK ? x.T - t : COLUMNS_PER_TASK;
    float *y = a->y_row[j] + (size_t)t * w->n_out + first;
    uint8_t *scratch = c->scratch + thread * c->scratch_bytes;
    if (c->k->product[w->type])
        c->k->product[w->type](y, w->n_out, w->data + first * w->row_bytes, w->row_bytes, n_row, &x,
                               scratch);
    else product_through_floats(c, y, w, first, n_row, &x, scratch);
}

/* Weight rows in a task: as much as a core streams well, few enough that every thread gets several
 * and the last one does not keep the others waiting. A multiple of 64; a short end joins the tile
 * before it, because kernels want at least 16 rows. */
static uint32_t cut_rows(const weight *w, uint32_t T, uint32_t n_thread, uint32_t *n_tile) {
    enum { STEP = 64, LEAST = 16, BYTES = 512 << 10, EACH = 6 };
    uint64_t tile = T >= MANY_COLUMNS ? 2 * STEP : BYTES / (w->row_bytes ? w->row_bytes : 1);
    const uint64_t fair = w->n_out / (n_thread * EACH);
    if (tile > fair) tile = fair;
    tile = tile < 1 ? STEP : (tile + STEP - 1) / STEP * STEP;
    const uint64_t n = (w->n_out + tile - 1) / tile;
    *n_tile = (uint32_t)(n > 1 && w->n_out - (n - 1) * tile < LEAST ? n - 1 : n);
    return (uint32_t)tile;
}

typedef struct quantize_call {
    const cpu_ops *c;
    const float *x;
    uint32_t n;
    size_t q_stride, block_stride;
} quantize_call;

static void quantize_task(void *ctx, uint32_t t, uint32_t thread) {
    const quantize_call *a = ctx;
    (void)thread;
    a->c->k->quantize(a->x + (size_t)t * a->n, a->n, a->c->q + t * a->q_stride,
                      a->c->block + t * a->block_stride);
}

/* Strides of quantized rows: whole cache lines, an odd number of them so that the same block of
 * many rows does not fall into the same cache set. */
static size_t odd_lines(size_t bytes) {
    const size_t lines = (bytes + CACHE_LINE - 1) / CACHE_LINE;
    return (lines | 1) * CACHE_LINE;
}

static void quantize_rows(cpu_ops *c, kern_rows *rows) {
    quantize_call a = {.c = c, .x = rows->x, .n = rows->n};
    const size_t n_block = (rows->n + 31) / 32;
    a.q_stride = odd_lines(n_block * 32);
    a.block_stride = odd_lines(n_block * sizeof *c->block) / sizeof *c->block;
    ops_cpu_run(c, rows->T, (uint64_t)rows->T * rows->n * 2, quantize_task, &a);
    rows->q = c->q;
    rows->block = c->block;
    rows->q_stride = a.q_stride;
    rows->block_stride = a.block_stride;
}

static void linear_rows(cpu_ops *c, const linear_job *job, uint32_t n_job, const float *x,
                        uint32_t first_row, uint32_t T) {
    const uint32_t n_in = job[0].w->n_in;
    linear_call a = {.c = c, .n_job = n_job, .job = job};
    a.rows = (kern_rows){.x = x + (size_t)first_row * n_in, .x_stride = n_in, .T = T, .n = n_in};
    a.n_block = (T + COLUMNS_PER_TASK - 1) / COLUMNS_PER_TASK;
    uint32_t n_task = 0;
    uint64_t n_out = 0;
    int quantized = 0;
    for (uint32_t j = 0; j < n_job; j++) {
        const weight *w = job[j].w;
        a.y_row[j] = job[j].y + (size_t)first_row * w->n_out;
        a.tile[j] = cut_rows(w, T, (uint32_t)pool_threads(c->workers), &a.n_tile[j]);
        n_task += a.n_tile[j] * a.n_block;
        n_out += w->n_out;
        quantized |= c->k->product[w->type] && kern_takes_quantized(w->type);
    }
    if (quantized) quantize_rows(c, &a.rows);
    ops_cpu_run(c, n_task, n_out * n_in / 8 * T, linear_task, &a);
}

static void cpu_linear(ops *o, const linear_job *job, uint32_t n_job, const float *x, uint32_t T) {
    cpu_ops *c = cpu(o);
    for (uint32_t j = 0; o->tap && j < n_job; j++)
        o->tap(o->tap_ud, job[j].w, x, job[j].w->n_in, T);
    for (uint32_t j = 0; j < n_job; j += JOBS_PER_RUN) {
        const uint32_t n = n_job - j < JOBS_PER_RUN ? n_job - j : JOBS_PER_RUN;
        for (uint32_t t = 0; t < T; t += c->max_rows)
            linear_rows(c, job + j, n, x, t, T - t < c->max_rows ? T - t : c->max_rows);
    }
}

/* ---- The table ---- */

static status cpu_flush(ops *o, err *e) {
    (void)o, (void)e;
    return RZ_OK;
}

static void cpu_free(ops *o) {
    if (!o) return;
    cpu_ops *c = cpu(o);
    mem_free(c->scratch);
    mem_free(c->q);
    mem_free(c->block);
    mem_free(c->span_task);
    mem_unmap(c->partial, PARTIAL_FLOATS * sizeof *c->partial);
    mem_free(c);
}

static const ops cpu_table = {
    .embed = cpu_embed,
    .norm_rms = cpu_norm_rms,
    .norm_layer = cpu_norm_layer,
    .add = cpu_add,
    .linear = cpu_linear,
    .bias = cpu_bias,
    .act = cpu_act,
    .act_mul = cpu_act_mul,
    .scale = cpu_scale,
    .rope_table = cpu_rope_table,
    .rope = cpu_rope,
    .kv_write = ops_cpu_kv_write,
    .attend = ops_cpu_attend,
    .gather = cpu_gather,
    .softcap = cpu_softcap,
    .flush = cpu_flush,
    .free = cpu_free,
};

static void *lines(size_t n, size_t each) {
    size_t bytes;
    return mem_mul_over(n, each, &bytes) ? NULL : mem_aligned(CACHE_LINE, bytes);
}

static bool take_scratch(cpu_ops *c) {
    const size_t n_thread = (size_t)pool_threads(c->workers);
    const size_t n_block = ((size_t)c->max_cols + 31) / 32;
    c->scratch_bytes = KERN_SCRATCH + odd_lines((size_t)c->max_cols * sizeof(float) * FLOAT_ROWS);
    c->scratch = lines(n_thread, c->scratch_bytes);
    c->q = lines(c->max_rows, odd_lines(n_block * 32));
    c->block = lines(c->max_rows, odd_lines(n_block * sizeof *c->block));
    c->span_task = mem_array((size_t)c->max_rows + 1, sizeof *c->span_task);
    c->partial = mem_map(PARTIAL_FLOATS * sizeof *c->partial); /* untouched until it is needed */
    return c->scratch && c->q && c->block && c->span_task && c->partial;
}

status ops_cpu_new_kern(ops **out, const kern *k, pool *workers, uint32_t max_rows,
                        uint32_t max_cols, err *e) {
    if (max_rows == 0 || max_cols == 0 || max_rows > 1 << 20 || max_cols > 1 << 24)
        return err_set(e, RZ_EINVAL, "cpu: %u rows of %u inputs are out of range", max_rows,
                       max_cols);
    cpu_ops *c = mem_zero(sizeof *c);
    if (!c) return err_set(e, RZ_ENOMEM, "cpu: out of memory");
    c->o = cpu_table;
    c->k = k;
    c->workers = workers;
    c->max_rows = max_rows;
    c->max_cols = max_cols;
    snprintf(c->name, sizeof c->name, "cpu %s", k->name);
    c->o.name = c->name;
    if (!take_scratch(c)) {
        cpu_free(&c->o);
        return err_set(e, RZ_ENOMEM, "cpu: out of memory for %u rows of %u inputs", max_rows,
                       max_cols);
    }
    *out = &c->o;
    return RZ_OK;
}

status ops_cpu_new(ops **out, pool *workers, uint32_t max_rows, uint32_t max_cols, err *e) {
    return ops_cpu_new_kern(out, kern_get(), workers, max_rows, max_cols, e);
}

int ops_cpu_supports(quant_type t) { return quant_get((uint32_t)t)->to_float != NULL; }
