/* ops_latent.c - see ops_latent.h.
 *
 * The kernels want keys dimension by dimension, the values of a latent are wanted token by token,
 * and the cache holds it once: a task turns each page into its scratch and multiplies it with all
 * its query rows, the heads of consecutive positions. Keys come in ascending order. */
#include "kernels/ops_latent.h"

#include <math.h>
#include <string.h>

#include "kernels/ops_cpu.h"

enum {
    ROWS_PER_TASK = 64, /* query rows that share a turned page; a multiple of KERN_QUERIES */
    HEAD_ROWS = 64,     /* rows of x in a task of ops_cpu_heads */
    BLOCK = 32          /* of quantized rows */
};
_Static_assert((size_t)LATENT_MAX *KERN_PAGE * sizeof(float) <= KERN_SCRATCH,
               "a turned page fits the scratch of a thread");

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static size_t element_bytes(kv_type t) { return t == KV_F32 ? sizeof(float) : sizeof(uint16_t); }

static size_t whole_lines(size_t bytes) {
    return (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

/* ---- A matrix for each head ---- */

typedef struct heads_call {
    const cpu_ops *c;
    const head_rows *y, *x;
    const head_stack *w;
    uint32_t n, T, n_block;
} heads_call;

/* Weights that no kernel multiplies with are turned into floats, a few rows at a time. */
static void through_floats(const heads_call *a, float *y, const uint8_t *data, const kern_rows *x,
                           uint8_t *scratch) {
    const weight *w = &a->w->w;
    float *rows = (float *)(void *)(scratch + KERN_SCRATCH);
    for (uint32_t r = 0; r < w->n_out; r += FLOAT_ROWS) {
        const uint32_t n = least(w->n_out - r, FLOAT_ROWS);
        for (uint32_t i = 0; i < n; i++)
            quant_get(w->type)->to_float(data + (r + i) * w->row_bytes, rows + (size_t)i * w->n_in,
                                         w->n_in);
        a->c->k->product[QUANT_F32](y + r, a->y->row, (const uint8_t *)rows, w->n_in * sizeof *rows,
                                    n, x, scratch);
    }
}

/* As many rows as fit are quantized into the scratch of the thread, then multiplied. Blocks of
 * quantized weights are BLOCK long at least, so there is room for one row. */
static void through_blocks(const heads_call *a, float *y, const uint8_t *data, const kern_rows *x,
                           uint8_t *scratch) {
    const weight *w = &a->w->w;
    const size_t n_block = (w->n_in + BLOCK - 1) / BLOCK;
    const size_t q_bytes = whole_lines(n_block * BLOCK);
    const size_t block_bytes = whole_lines(n_block * sizeof(kern_block));
    const size_t fit = (a->c->scratch_bytes - KERN_SCRATCH) / (q_bytes + block_bytes);
    uint8_t *at = scratch + KERN_SCRATCH;
    int8_t *q = (int8_t *)at;
    kern_block *block = (kern_block *)(void *)(at + fit * q_bytes);
    const size_t stride = block_bytes / sizeof *block;
    for (uint32_t t = 0, n; t < x->T; t += n) {
        n = fit < x->T - t ? (uint32_t)fit : x->T - t;
        kern_rows part = *x;
        part.x += t * x->x_stride;
        part.T = n;
        part.q = q, part.block = block;
        part.q_stride = q_bytes, part.block_stride = stride;
        for (uint32_t i = 0; i < n; i++)
            a->c->k->quantize(part.x + i * part.x_stride, w->n_in, q + i * q_bytes,
                              block + i * stride);
        a->c->k->product[w->type](y + t * a->y->row, a->y->row, data, w->row_bytes, w->n_out, &part,
                                  scratch);
    }
}

static void heads_task(void *ctx, uint32_t task, uint32_t thread) {
    const heads_call *a = ctx;
    const weight *w = &a->w->w;
    const uint32_t h = task / a->n_block, t = task % a->n_block * HEAD_ROWS;
    const uint8_t *data = w->data + h * a->w->head_bytes;
    const kern_rows x = {.x = a->x->x + t * a->x->row + h * a->x->head,
                         .x_stride = a->x->row,
                         .T = least(a->T - t, HEAD_ROWS),
                         .n = w->n_in};
    float *y = a->y->x + t * a->y->row + h * a->y->head;
    uint8_t *scratch = a->c->scratch + thread * a->c->scratch_bytes;
    kern_product *product = a->c->k->product[w->type];
    if (!product) through_floats(a, y, data, &x, scratch);
    else if (kern_takes_quantized(w->type)) through_blocks(a, y, data, &x, scratch);
    else product(y, a->y->row, data, w->row_bytes, w->n_out, &x, scratch);
}

void ops_cpu_heads(ops *o, const head_rows *y, const head_rows *x, const head_stack *w, uint32_t H,
                   uint32_t T) {
    cpu_ops *c = (cpu_ops *)(void *)o;
    for (uint32_t h = 0; o->tap && h < H; h++) {
        weight one = w->w;
        one.data += h * w->head_bytes;
        o->tap(o->tap_ud, &one, x->x + h * x->head, x->row, T);
    }
    heads_call a = {.c = c, .y = y, .x = x, .w = w, .T = T};
    a.n_block = (T + HEAD_ROWS - 1) / HEAD_ROWS;
    ops_cpu_run(c, H * a.n_block, (uint64_t)T * H * w->w.n_out * w->w.n_in / 8, heads_task, &a);
}

static void copy_task(void *ctx, uint32_t t, uint32_t thread) {
    const heads_call *a = ctx;
    (void)thread;
    for (uint32_t h = 0; h < a->T; h++)
        memcpy(a->y->x + t * a->y->row + h * a->y->head, a->x->x + t * a->x->row + h * a->x->head,
               a->n * sizeof(float));
}

void ops_cpu_copy_heads(ops *o, const head_rows *y, const head_rows *x, uint32_t n, uint32_t H,
                        uint32_t T) {
    heads_call a = {.y = y, .x = x, .n = n, .T = H};
    ops_cpu_run((cpu_ops *)(void *)o, T, (uint64_t)T * H * n, copy_task, &a);
}

/* ---- Writing ---- */

typedef struct latent_call {
    cpu_ops *c;
    float *out;
    const float *q, *latent, *k;
    const kv_slab *kv;
    const latent_config *cfg;
    const row_span *span;
    uint32_t n_span;
    uint32_t heads, head_blocks, positions; /* of a task; blocks of heads in a position */
} latent_call;

static uint8_t *page_of(const latent_call *a, const row_span *s, uint32_t pos) {
    return a->kv->base + s->page[pos / KERN_PAGE] * a->kv->page_bytes;
}

/* All rows of a span: the latent along a row of the page, the rotated key down a column. */
static void write_task(void *ctx, uint32_t task, uint32_t thread) {
    const latent_call *a = ctx;
    const row_span *s = &a->span[task];
    const kv_type type = a->kv->type;
    const uint32_t rank = a->cfg->rank, rope = a->cfg->rope;
    const size_t size = element_bytes(type);
    (void)thread;
    for (uint32_t i = 0; i < s->n_row; i++) {
        const size_t row = s->first_row + i, slot = (s->pos + i) % KERN_PAGE;
        uint8_t *page = page_of(a, s, s->pos + i), *keys = page + KERN_PAGE * rank * size;
        a->c->k->kv_store(page + slot * rank * size, type, a->latent + row * rank, rank);
        for (uint32_t d = 0; d < rope; d++)
            a->c->k->kv_store(keys + (d * KERN_PAGE + slot) * size, type, a->k + row * rope + d, 1);
    }
}

void ops_cpu_latent_write(ops *o, const kv_slab *kv, const latent_config *c, const float *latent,
                          const float *k, const row_span *span, uint32_t n_span) {
    latent_call a = {.latent = latent, .k = k, .kv = kv, .cfg = c, .span = span};
    a.c = (cpu_ops *)(void *)o;
    uint64_t rows = 0;
    for (uint32_t i = 0; i < n_span; i++) rows += span[i].n_row;
    ops_cpu_run(a.c, n_span, rows * (c->rank + c->rope * 8ull), write_task, &a);
}

/* ---- Reading ---- */

/* Query rows of a task, position after position. */
typedef struct query_rows {
    const float *q[ROWS_PER_TASK];
    float *out[ROWS_PER_TASK];
    uint32_t end[ROWS_PER_TASK]; /* reads positions below */
    float m[ROWS_PER_TASK], l[ROWS_PER_TASK];
    uint32_t n;
} query_rows;

static void collect(const latent_call *a, const row_span *s, uint32_t task, query_rows *r) {
    const latent_config *c = a->cfg;
    const uint32_t first = task / a->head_blocks * a->positions;
    const uint32_t h0 = task % a->head_blocks * a->heads, nh = least(a->heads, c->H - h0);
    const uint32_t n_pos = least(a->positions, s->n_row - first);
    r->n = 0;
    for (uint32_t p = 0; p < n_pos; p++)
        for (uint32_t h = h0; h < h0 + nh; h++, r->n++) {
            const size_t at = (size_t)(s->first_row + first + p) * c->H + h;
            r->q[r->n] = a->q + at * (c->rank + c->rope);
            r->out[r->n] = a->out + at * c->rank;
            r->end[r->n] = s->pos + first + p + 1;
            r->m[r->n] = -INFINITY;
            r->l[r->n] = 0;
            memset(r->out[r->n], 0, c->rank * sizeof *r->out[0]);
        }
}

/* keys[rank + rope][KERN_PAGE] of the first n tokens of a page; the other columns hold anything. */
static void turn_page(void *keys, const uint8_t *page, const latent_call *a, uint32_t n) {
    const uint32_t rank = a->cfg->rank;
    const size_t size = element_bytes(a->kv->type), latents = KERN_PAGE * rank * size;
    if (a->kv->type == KV_F32) {
        const float *from = (const float *)(const void *)page;
        for (uint32_t d = 0; d < rank; d++)
            for (uint32_t j = 0; j < n; j++)
                ((float *)keys)[d * KERN_PAGE + j] = from[(size_t)j * rank + d];
    } else {
        const uint16_t *from = (const uint16_t *)(const void *)page;
        for (uint32_t d = 0; d < rank; d++)
            for (uint32_t j = 0; j < n; j++)
                ((uint16_t *)keys)[d * KERN_PAGE + j] = from[(size_t)j * rank + d];
    }
    memcpy((uint8_t *)keys + latents, page + latents, a->cfg->rope * KERN_PAGE * size);
}

/* Rows from..from+n-1 of a task, all of which see a key of the page that begins at position at. */
static void tile_on_page(const latent_call *a, query_rows *r, uint32_t from, uint32_t n,
                         uint32_t at, const void *keys, const uint8_t *page) {
    const kern *k = a->c->k;
    const latent_config *c = a->cfg;
    const uint32_t lo[KERN_QUERIES] = {0};
    _Alignas(CACHE_LINE) float s[KERN_QUERIES * KERN_PAGE];
    uint32_t hi[KERN_QUERIES];
    kern_softmax state;
    memcpy(state.m, r->m + from, n * sizeof *state.m);
    memcpy(state.l, r->l + from, n * sizeof *state.l);
    for (uint32_t i = 0; i < n; i++) hi[i] = least(r->end[from + i] - at, KERN_PAGE);
    k->scores(s, r->q + from, n, keys, a->kv->type, c->rank + c->rope);
    k->weights(s, n, lo, hi, c->scale, 0, &state);
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && hi[end] == hi[i];) end++;
        k->values(r->out + from + i, state.rescale + i, s + i * KERN_PAGE, end - i, page,
                  a->kv->type, 0, hi[i], c->rank);
    }
    memcpy(r->m + from, state.m, n * sizeof *state.m);
    memcpy(r->l + from, state.l, n * sizeof *state.l);
}

/* Span whose tasks begin at or before `task`, the last such. */
static uint32_t span_of(const latent_call *a, uint32_t task) {
    uint32_t low = 0, high = a->n_span;
    while (high - low > 1) {
        const uint32_t middle = (low + high) / 2;
        if (a->c->span_task[middle] <= task) low = middle;
        else high = middle;
    }
    return low;
}

static void attend_task(void *ctx, uint32_t task, uint32_t thread) {
    const latent_call *a = ctx;
    const uint32_t i = span_of(a, task);
    const row_span *s = &a->span[i];
    query_rows r;
    collect(a, s, task - a->c->span_task[i], &r);
    if (r.n == 0) return;
    void *keys = a->c->scratch + thread * a->c->scratch_bytes;
    const uint32_t end = r.end[r.n - 1];
    uint32_t first = 0; /* row that still sees a key; ends ascend with the rows */
    for (uint32_t at = 0; at < end; at += KERN_PAGE) {
        const uint8_t *page = page_of(a, s, at);
        while (r.end[first] <= at) first++;
        turn_page(keys, page, a, least(end - at, KERN_PAGE));
        for (uint32_t t = first; t < r.n; t += KERN_QUERIES)
            tile_on_page(a, &r, t, least(r.n - t, KERN_QUERIES), at, keys, page);
    }
    for (uint32_t t = 0; t < r.n; t++) a->c->k->divide(r.out[t], r.l[t], a->cfg->rank);
}

void ops_cpu_latent_attend(ops *o, float *out, const float *q, const kv_slab *kv,
                           const latent_config *c, const row_span *span, uint32_t n_span) {
    latent_call a = {.c = (cpu_ops *)(void *)o, .out = out, .q = q, .kv = kv, .cfg = c};
    uint32_t *start = a.c->span_task;
    a.heads = least(c->H, ROWS_PER_TASK);
    a.head_blocks = (c->H + a.heads - 1) / a.heads;
    a.positions = ROWS_PER_TASK / a.heads;
    for (uint32_t i = 0; i < n_span; i += a.n_span) {
        uint64_t keys = 0;
        a.span = span + i;
        a.n_span = least(n_span - i, a.c->max_rows);
        start[0] = 0;
        for (uint32_t j = 0; j < a.n_span; j++) {
            const row_span *s = &a.span[j];
            start[j + 1] = start[j] + (s->n_row + a.positions - 1) / a.positions * a.head_blocks;
            keys += (uint64_t)s->n_row * (s->pos + s->n_row);
        }
        ops_cpu_run(a.c, start[a.n_span], keys * c->H * (2 * c->rank + c->rope) / 16, attend_task,
                    &a);
    }
}
