/* ops_attn.c - attention over the paged cache: online softmax, page by page.
 *
 * A task holds up to TILES tiles of KERN_QUERIES query rows that read the same key/value head: the
 * heads of a group times consecutive positions. It walks the pages once, and every page is read
 * from the near cache by all its tiles. Each query row keeps its own state (largest score, sum,
 * weighted values), and keys come in ascending order, so a row's bits do not depend on its
 * neighbours.
 *
 * Keys are summed in chunks of CHUNK_KEYS, counted from position 0, and the chunks joined in order:
 * that fixes the sum however the chunks may be spread over threads. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/ops_cpu.h"

enum { TILES = 4, CHUNK_KEYS = 1024, K_MAX = 4096 };

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static size_t element_bytes(kv_type t) { return t == KV_F32 ? sizeof(float) : sizeof(uint16_t); }

status kv_slab_layout(kv_slab *s, err *e) {
    uint64_t bytes = 2 * KV_PAGE_TOKENS * element_bytes(s->type);
    if (s->n_layer == 0 || s->G == 0 || s->K == 0 || s->K > K_MAX ||
        __builtin_mul_overflow(bytes, s->K, &bytes) ||
        __builtin_mul_overflow(bytes, s->G, &bytes) || bytes > UINT64_MAX / s->n_layer / 2)
        return err_set(e, RZ_EINVAL, "kv: %u layers of %u heads of %u values do not fit",
                       s->n_layer, s->G, s->K);
    s->layer_bytes = bytes;
    s->page_bytes = bytes * s->n_layer;
    return RZ_OK;
}

/* Keys of one head in a page; the values are value_offset behind. */
static uint8_t *keys_of(const kv_slab *kv, uint32_t page, uint32_t layer, uint32_t g) {
    const size_t head = (size_t)kv->K * KV_PAGE_TOKENS * element_bytes(kv->type);
    return kv->base + page * kv->page_bytes + layer * kv->layer_bytes + g * head;
}

static size_t value_offset(const kv_slab *kv) { return kv->layer_bytes / 2; }

/* ---- Writing ---- */

typedef struct write_call {
    const cpu_ops *c;
    const kv_slab *kv;
    uint32_t layer;
    const float *k, *v;
    const row_span *span;
} write_call;

/* One head of one position: keys go down a column of the page, values along a row. */
static void write_head(const write_call *w, uint8_t *keys, uint32_t slot, const float *k,
                       const float *v) {
    const kv_slab *kv = w->kv;
    const uint32_t K = kv->K;
    if (kv->type == KV_F32) {
        float *at = (float *)(void *)keys + slot;
        for (uint32_t i = 0; i < K; i++) at[(size_t)i * KV_PAGE_TOKENS] = k[i];
    } else {
        uint16_t *at = (uint16_t *)(void *)keys + slot, half[64];
        for (uint32_t i = 0; i < K; i += 64) {
            const uint32_t n = least(K - i, 64);
            w->c->k->kv_store(half, KV_F16, k + i, n);
            for (uint32_t j = 0; j < n; j++) at[(size_t)(i + j) * KV_PAGE_TOKENS] = half[j];
        }
    }
    uint8_t *values = keys + value_offset(kv) + (size_t)slot * K * element_bytes(kv->type);
    w->c->k->kv_store(values, kv->type, v, K);
}

/* One key/value head of all rows of a span: consecutive positions fill the lines of a page. */
static void write_task(void *ctx, uint32_t g, uint32_t thread) {
    const write_call *w = ctx;
    const kv_slab *kv = w->kv;
    const row_span *s = w->span;
    const size_t row = (size_t)kv->G * kv->K;
    (void)thread;
    for (uint32_t i = 0; i < s->n_row; i++) {
        const uint32_t pos = s->pos + i;
        const size_t at = (s->first_row + i) * row + (size_t)g * kv->K;
        write_head(w, keys_of(kv, s->page[pos / KV_PAGE_TOKENS], w->layer, g), pos % KV_PAGE_TOKENS,
                   w->k + at, w->v + at);
    }
}

void ops_cpu_kv_write(ops *o, const kv_slab *kv, uint32_t layer, const float *k, const float *v,
                      const row_span *span, uint32_t n_span) {
    cpu_ops *c = (cpu_ops *)(void *)o;
    for (uint32_t i = 0; i < n_span; i++) {
        write_call w = {c, kv, layer, k, v, &span[i]};
        ops_cpu_run(c, kv->G, (uint64_t)span[i].n_row * kv->G * kv->K * 4, write_task, &w);
    }
}

/* ---- Reading ---- */

typedef struct attend_call {
    cpu_ops *c;
    float *out;
    const float *q;
    const kv_slab *kv;
    const attend_config *a;
    const row_span *span;
    uint32_t n_span, layer;
    uint32_t heads, head_blocks; /* query heads in a tile; blocks of them in a group */
    uint32_t positions;          /* in a task */
} attend_call;

/* One query row of a task. */
typedef struct query {
    const float *q;
    float *out, *sum;        /* the result; where the running chunk is summed */
    uint32_t key_lo, key_hi; /* reads these positions */
    float m, l;              /* of the running chunk */
    float all_m, all_l;      /* of the chunks joined in out */
    bool started;            /* out holds something */
} query;

typedef struct task_state {
    query row[TILES * KERN_QUERIES];
    uint32_t n;
} task_state;

static uint32_t span_tasks(const attend_call *a, const row_span *s) {
    return (s->n_row + a->positions - 1) / a->positions * a->a->G * a->head_blocks;
}

/* Which query rows are task number `task` of a span, position after position. */
static void collect(const attend_call *a, const row_span *s, uint32_t task, uint32_t *g,
                    task_state *st) {
    const attend_config *cfg = a->a;
    const uint32_t group = cfg->H / cfg->G, per_block = cfg->G * a->head_blocks;
    const uint32_t first = task / per_block * a->positions;
    const uint32_t n_pos = least(a->positions, s->n_row - first);
    const uint32_t h0 = task % a->head_blocks * a->heads, nh = least(a->heads, group - h0);
    *g = task % per_block / a->head_blocks;
    st->n = 0;
    for (uint32_t p = 0; p < n_pos; p++)
        for (uint32_t h = 0; h < nh; h++) {
            const size_t row = s->first_row + first + p;
            const size_t at = (row * cfg->H + *g * group + h0 + h) * cfg->K;
            const uint32_t end = s->pos + first + p + 1;
            st->row[st->n++] = (query){
                .q = a->q + at,
                .out = a->out + at,
                .key_lo = cfg->window && end > cfg->window ? end - cfg->window : 0,
                .key_hi = end,
            };
        }
}

/* Rows that see at least one key of the page that begins at position `at`. */
typedef struct page_rows {
    query *row[KERN_QUERIES];
    uint32_t n, lo[KERN_QUERIES], hi[KERN_QUERIES];
} page_rows;

static void rows_on_page(page_rows *p, query *row, uint32_t n, uint32_t at) {
    p->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t lo = row[i].key_lo > at ? row[i].key_lo - at : 0;
        const uint32_t hi = row[i].key_hi > at ? least(row[i].key_hi - at, KERN_PAGE) : 0;
        if (lo >= hi) continue;
        p->row[p->n] = &row[i];
        p->lo[p->n] = lo;
        p->hi[p->n++] = hi;
    }
}

static void tile_on_page(const attend_call *a, query *row, uint32_t n, uint32_t at,
                         const uint8_t *keys) {
    const kern *k = a->c->k;
    const uint32_t K = a->a->K;
    const kv_type type = a->kv->type;
    page_rows p;
    rows_on_page(&p, row, n, at);
    if (!p.n) return;
    _Alignas(CACHE_LINE) float s[KERN_QUERIES * KERN_PAGE];
    kern_softmax state;
    const float *q[KERN_QUERIES];
    float *sum[KERN_QUERIES];
    for (uint32_t i = 0; i < p.n; i++) {
        q[i] = p.row[i]->q;
        sum[i] = p.row[i]->sum;
        state.m[i] = p.row[i]->m;
        state.l[i] = p.row[i]->l;
    }
    k->scores(s, q, p.n, keys, type, K);
    k->weights(s, p.n, p.lo, p.hi, a->a->scale, a->a->softcap, &state);
    for (uint32_t i = 0, end; i < p.n; i = end) {
        for (end = i + 1; end < p.n && p.lo[end] == p.lo[i] && p.hi[end] == p.hi[i];) end++;
        k->values(sum + i, state.rescale + i, s + i * KERN_PAGE, end - i,
                  keys + value_offset(a->kv), type, p.lo[i], p.hi[i], K);
    }
    for (uint32_t i = 0; i < p.n; i++) {
        p.row[i]->m = state.m[i];
        p.row[i]->l = state.l[i];
    }
}

/* The first chunk of a row is summed in place, later ones beside it and then joined. */
static void begin_chunk(const attend_call *a, task_state *st, float *scratch) {
    for (uint32_t i = 0; i < st->n; i++) {
        query *r = &st->row[i];
        r->sum = r->started ? scratch + (size_t)i * a->a->K : r->out;
        r->m = -INFINITY;
        r->l = 0;
        memset(r->sum, 0, a->a->K * sizeof *r->sum);
    }
}

static void end_chunk(const attend_call *a, task_state *st) {
    for (uint32_t i = 0; i < st->n; i++) {
        query *r = &st->row[i];
        if (r->m == -INFINITY && r->l == 0) continue; /* saw no key of this chunk */
        if (r->started) {
            a->c->k->merge(&r->all_m, &r->all_l, r->out, r->m, r->l, r->sum, a->a->K);
        } else {
            r->all_m = r->m;
            r->all_l = r->l;
            r->started = true;
        }
    }
}

static void attend_chunk(const attend_call *a, const row_span *s, task_state *st, uint32_t g,
                         uint32_t lo, uint32_t hi) {
    for (uint32_t at = lo / KERN_PAGE * KERN_PAGE; at < hi; at += KERN_PAGE) {
        const uint8_t *keys = keys_of(a->kv, s->page[at / KERN_PAGE], a->layer, g);
        for (uint32_t i = 0; i < st->n; i += KERN_QUERIES)
            tile_on_page(a, st->row + i, least(st->n - i, KERN_QUERIES), at, keys);
    }
}

static void attend_task(void *ctx, uint32_t task, uint32_t thread) {
    const attend_call *a = ctx;
    const uint32_t *start = a->c->span_task;
    uint32_t low = 0, high = a->n_span; /* the span with start[low] <= task < start[low + 1] */
    while (high - low > 1) {
        const uint32_t middle = (low + high) / 2;
        if (start[middle] <= task) low = middle;
        else high = middle;
    }
    const row_span *s = &a->span[low];
    task_state st;
    uint32_t g;
    collect(a, s, task - start[low], &g, &st);
    if (!st.n) return;
    float *scratch = (float *)(void *)(a->c->scratch + thread * a->c->scratch_bytes);
    /* Rows are in order of position: the first reads from the lowest key, the last to the
     * highest. */
    const uint32_t first = st.row[0].key_lo, end = st.row[st.n - 1].key_hi;
    for (uint32_t at = first / CHUNK_KEYS * CHUNK_KEYS; at < end; at += CHUNK_KEYS) {
        begin_chunk(a, &st, scratch);
        attend_chunk(a, s, &st, g, at > first ? at : first, least(at + CHUNK_KEYS, end));
        end_chunk(a, &st);
    }
    for (uint32_t i = 0; i < st.n; i++) a->c->k->divide(st.row[i].out, st.row[i].all_l, a->a->K);
}

static void attend_spans(attend_call *a) {
    uint32_t *start = a->c->span_task;
    uint64_t keys = 0;
    start[0] = 0;
    for (uint32_t i = 0; i < a->n_span; i++) {
        const row_span *s = &a->span[i];
        start[i + 1] = start[i] + span_tasks(a, s);
        keys += (uint64_t)s->n_row * (s->pos + s->n_row);
    }
    ops_cpu_run(a->c, start[a->n_span], keys * a->a->H * a->a->K / 8, attend_task, a);
}

void ops_cpu_attend(ops *o, float *out, const float *q, const kv_slab *kv, uint32_t layer,
                    const attend_config *c, const row_span *span, uint32_t n_span) {
    attend_call a = {
        .c = (cpu_ops *)(void *)o, .out = out, .q = q, .kv = kv, .a = c, .layer = layer};
    const uint32_t group = c->H / c->G;
    const size_t fits = KERN_SCRATCH / (KERN_QUERIES * sizeof(float)) / c->K;
    const uint32_t tiles = fits < TILES ? (uint32_t)fits : TILES;
    a.heads = least(group, KERN_QUERIES);
    a.head_blocks = (group + a.heads - 1) / a.heads;
    a.positions = KERN_QUERIES / a.heads * tiles;
    for (uint32_t i = 0; i < n_span; i += a.n_span) {
        a.span = span + i;
        a.n_span = least(n_span - i, a.c->max_rows);
        attend_spans(&a);
    }
}
