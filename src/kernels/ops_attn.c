/* ops_attn.c - attention over the paged cache: online softmax, page by page.
 *
 * A task holds up to TILES tiles of KERN_QUERIES query rows that read the same key/value head: the
 * heads of a group times consecutive positions. It walks the pages once, and every page is read
 * from the near cache by all its tiles, as floats if it pays or has to be. Each query row keeps its
 * own state (largest score, sum, weighted values), and keys come in ascending order, so a row's
 * bits do not depend on its neighbours.
 *
 * Keys are summed in chunks of CHUNK_KEYS, counted from position 0, and the chunks joined in order:
 * that fixes the sum however the chunks are spread over threads. They are when there are too few
 * rows to keep the threads busy: each chunk of each task is then a task of its own, and a second
 * round joins their sums. */
#include <math.h>
#include <string.h>

#include "kernels/ops_cpu.h"

enum {
    TILES = 4,
    TASK_ROWS = TILES * KERN_QUERIES,
    CHUNK_KEYS = 1024,
    TASKS_PER_THREAD = 4, /* with fewer, chunks are spread */
    SUM_ROWS = 64,        /* rows of K floats in the scratch of a task, then a page in floats */
};
_Static_assert(SUM_ROWS >= TASK_ROWS, "sums of a task");
_Static_assert((SUM_ROWS + 2 * KERN_PAGE) * KV_MAX_HEAD * sizeof(float) <= KERN_SCRATCH,
               "sums and a page of keys and values fit the scratch of a thread");

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

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
    uint32_t rows;               /* query rows of a task in this step, at most */
} attend_call;

/* One query row of a task. */
typedef struct query {
    const float *q;
    float *out, *sum; /* the result; where the running chunk is summed */
    uint32_t head;
    uint32_t key_lo, key_hi; /* reads these positions */
    float m, l;              /* of the running chunk */
    float all_m, all_l;      /* of the chunks joined in out */
    bool started;            /* out holds something */
} query;

typedef struct task_state {
    query row[TASK_ROWS];
    uint32_t n;
} task_state;

static uint32_t span_tasks(const attend_call *a, const row_span *s) {
    return (s->n_row + a->positions - 1) / a->positions * a->a->G * a->head_blocks;
}

/* Chunks that some row of a span reads, from the first of all on. */
static uint32_t span_chunks(const row_span *s) {
    return (s->pos + s->n_row + CHUNK_KEYS - 1) / CHUNK_KEYS;
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
            const uint32_t end = s->pos + (cfg->both_ways ? s->n_row : first + p + 1);
            st->row[st->n++] = (query){
                .q = a->q + at,
                .out = a->out + at,
                .head = *g * group + h0 + h,
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

/* Keys and values of one head in a page, in a type that the kernels multiply with. */
typedef struct page_view {
    const void *keys, *values;
    kv_type type;
} page_view;

/* Scaled scores with what ALiBi (Press et al. 2022, arXiv 2108.12409) adds for the distance. */
static void add_slopes(const attend_call *a, const page_rows *p, uint32_t at, float *s) {
    for (uint32_t i = 0; i < p->n; i++) {
        const float slope = a->a->slope[p->row[i]->head], scale = a->a->scale;
        const int32_t first = (int32_t)at + 1 - (int32_t)p->row[i]->key_hi;
        for (int32_t j = 0; j < KERN_PAGE; j++) {
            float *score = s + i * KERN_PAGE + (uint32_t)j;
            *score = *score * scale + slope * (float)(first + j);
        }
    }
}

static void tile_on_page(const attend_call *a, query *row, uint32_t n, uint32_t at,
                         const page_view *page) {
    const kern *k = a->c->k;
    const uint32_t K = a->a->K;
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
    k->scores(s, q, p.n, page->keys, page->type, K);
    if (a->a->slope) add_slopes(a, &p, at, s);
    k->weights(s, p.n, p.lo, p.hi, a->a->slope ? 1.0f : a->a->scale, a->a->softcap, &state);
    for (uint32_t i = 0, end; i < p.n; i = end) {
        for (end = i + 1; end < p.n && p.lo[end] == p.lo[i] && p.hi[end] == p.hi[i];) end++;
        k->values(sum + i, state.rescale + i, s + i * KERN_PAGE, end - i, page->values, page->type,
                  p.lo[i], p.hi[i], K);
    }
    for (uint32_t i = 0; i < p.n; i++) {
        p.row[i]->m = state.m[i];
        p.row[i]->l = state.l[i];
    }
}

/* Memory does not know where the next page is. */
static void prefetch(const uint8_t *at, size_t bytes) {
    for (size_t i = 0; i < bytes; i += CACHE_LINE) __builtin_prefetch(at + i);
}

static void prefetch_page(const attend_call *a, const row_span *s, uint32_t g, uint32_t at) {
    const size_t bytes = (size_t)kv_head_bytes(a->kv->type, a->kv->K) * KERN_PAGE;
    const uint8_t *keys = ops_cpu_keys(a->kv, s->page[at / KERN_PAGE], a->layer, g);
    prefetch(keys, bytes);
    prefetch(keys + ops_cpu_value_offset(a->kv), bytes);
}

/* The page that begins at position `at`. Several tiles read it: it is turned into floats once. */
static page_view view_page(const attend_call *a, const row_span *s, uint32_t g, uint32_t at,
                           uint32_t hi, uint32_t n_row, float *scratch) {
    const kern *k = a->c->k;
    const kv_type type = a->kv->type;
    const uint32_t K = a->a->K;
    const uint8_t *keys = ops_cpu_keys(a->kv, s->page[at / KERN_PAGE], a->layer, g);
    const uint8_t *values = keys + ops_cpu_value_offset(a->kv);
    if (!kv_is_quantized(type) && (type == KV_F32 || n_row <= KERN_QUERIES))
        return (page_view){keys, values, type};
    float *wide = scratch + (size_t)SUM_ROWS * K, *wide_values = wide + (size_t)KERN_PAGE * K;
    k->load_keys(wide, keys, type, K);
    k->load_values(wide_values, values, type, 0, least(hi - at, KERN_PAGE), K);
    return (page_view){wide, wide_values, KV_F32};
}

static void attend_chunk(const attend_call *a, const row_span *s, task_state *st, uint32_t g,
                         uint32_t lo, uint32_t hi, float *scratch) {
    for (uint32_t at = lo / KERN_PAGE * KERN_PAGE; at < hi; at += KERN_PAGE) {
        if (hi - at > KERN_PAGE) prefetch_page(a, s, g, at + KERN_PAGE);
        const page_view page = view_page(a, s, g, at, hi, st->n, scratch);
        for (uint32_t i = 0; i < st->n; i += KERN_QUERIES)
            tile_on_page(a, st->row + i, least(st->n - i, KERN_QUERIES), at, &page);
    }
}

static void begin_row(query *r, float *sum, uint32_t K) {
    r->sum = sum;
    r->m = -INFINITY;
    r->l = 0;
    memset(sum, 0, K * sizeof *sum);
}

static bool saw_keys(const query *r) { return !(r->m == -INFINITY && r->l == 0); }

/* The sums of a row's next chunk, in r->sum, go to those before. */
static void join(const attend_call *a, query *r) {
    const uint32_t K = a->a->K;
    if (r->started) {
        a->c->k->merge(&r->all_m, &r->all_l, r->out, r->m, r->l, r->sum, K);
        return;
    }
    if (r->sum != r->out) memcpy(r->out, r->sum, K * sizeof *r->out);
    r->all_m = r->m;
    r->all_l = r->l;
    r->started = true;
}

/* All chunks are joined: the sink is one more key, whose value is zero, behind all others. */
static void finish(const attend_call *a, query *r) {
    static const float zeros[KV_MAX_HEAD];
    const uint32_t K = a->a->K;
    if (a->a->sink)
        a->c->k->merge(&r->all_m, &r->all_l, r->out, a->a->sink[r->head], 1.0f, zeros, K);
    a->c->k->divide(r->out, r->all_l, K);
}

/* ---- Tasks ---- */

static float *scratch_of(const attend_call *a, uint32_t thread) {
    return (float *)(void *)(a->c->scratch + thread * a->c->scratch_bytes);
}

/* The span with start[i] <= task < start[i + 1]. */
static uint32_t span_of(const attend_call *a, uint32_t task) {
    const uint32_t *start = a->c->span_task;
    uint32_t low = 0, high = a->n_span;
    while (high - low > 1) {
        const uint32_t middle = (low + high) / 2;
        if (start[middle] <= task) low = middle;
        else high = middle;
    }
    return low;
}

/* All chunks of a task one after the other. The first chunk of a row is summed in place, later ones
 * beside it and then joined. */
static void attend_task(void *ctx, uint32_t task, uint32_t thread) {
    const attend_call *a = ctx;
    const uint32_t at_span = span_of(a, task), K = a->a->K;
    const row_span *s = &a->span[at_span];
    task_state st;
    uint32_t g;
    collect(a, s, task - a->c->span_task[at_span], &g, &st);
    if (!st.n) return;
    float *scratch = scratch_of(a, thread);
    /* Rows are in order of position: the first reads from the lowest key, the last to the
     * highest. */
    const uint32_t first = st.row[0].key_lo, end = st.row[st.n - 1].key_hi;
    for (uint32_t at = first / CHUNK_KEYS * CHUNK_KEYS; at < end; at += CHUNK_KEYS) {
        for (uint32_t i = 0; i < st.n; i++)
            begin_row(&st.row[i], st.row[i].started ? scratch + (size_t)i * K : st.row[i].out, K);
        attend_chunk(a, s, &st, g, at > first ? at : first, least(at + CHUNK_KEYS, end), scratch);
        for (uint32_t i = 0; i < st.n; i++)
            if (saw_keys(&st.row[i])) join(a, &st.row[i]);
    }
    for (uint32_t i = 0; i < st.n; i++) finish(a, &st.row[i]);
}

/* Sums of row i of a chunk that is a task: K floats, then m and l. */
static float *partial_of(const attend_call *a, uint32_t task, uint32_t i) {
    return a->c->partial + ((size_t)task * a->rows + i) * (a->a->K + 2);
}

/* Task c * chunks + j of a span is chunk j of what would be its task c. */
static void chunk_task(void *ctx, uint32_t task, uint32_t thread) {
    const attend_call *a = ctx;
    const uint32_t at_span = span_of(a, task), K = a->a->K;
    const row_span *s = &a->span[at_span];
    const uint32_t in_span = task - a->c->span_task[at_span], n_chunk = span_chunks(s);
    const uint32_t at = in_span % n_chunk * CHUNK_KEYS;
    task_state st;
    uint32_t g;
    collect(a, s, in_span / n_chunk, &g, &st);
    if (!st.n) return;
    const uint32_t first = st.row[0].key_lo, end = st.row[st.n - 1].key_hi;
    const uint32_t lo = at > first ? at : first, hi = least(at + CHUNK_KEYS, end);
    for (uint32_t i = 0; i < st.n; i++) begin_row(&st.row[i], partial_of(a, task, i), K);
    if (lo < hi) attend_chunk(a, s, &st, g, lo, hi, scratch_of(a, thread));
    for (uint32_t i = 0; i < st.n; i++) {
        float *sum = partial_of(a, task, i);
        sum[K] = st.row[i].m;
        sum[K + 1] = st.row[i].l;
    }
}

/* What chunk_task has left of one task's chunks, in their order. */
static void join_task(void *ctx, uint32_t task, uint32_t thread) {
    const attend_call *a = ctx;
    const row_span *s = a->span;
    const uint32_t *start = a->c->span_task, K = a->a->K;
    (void)thread;
    for (; task >= span_tasks(a, s); s++, start++) task -= span_tasks(a, s);
    const uint32_t n_chunk = span_chunks(s);
    task_state st;
    uint32_t g;
    collect(a, s, task, &g, &st);
    for (uint32_t i = 0; i < st.n; i++) {
        query *r = &st.row[i];
        for (uint32_t j = 0; j < n_chunk; j++) {
            r->sum = partial_of(a, *start + task * n_chunk + j, i);
            r->m = r->sum[K];
            r->l = r->sum[K + 1];
            if (saw_keys(r)) join(a, r);
        }
        finish(a, r);
    }
}

/* Number the tasks of every span; with `spread` one for each chunk. Returns how many there are. */
static uint64_t number_tasks(attend_call *a, bool spread) {
    uint32_t *start = a->c->span_task;
    uint64_t n = 0;
    for (uint32_t i = 0; i < a->n_span; i++) {
        start[i] = (uint32_t)n;
        n += (uint64_t)span_tasks(a, &a->span[i]) * (spread ? span_chunks(&a->span[i]) : 1);
    }
    start[a->n_span] = (uint32_t)n;
    return n;
}

static void attend_spans(attend_call *a) {
    const uint32_t n_thread = (uint32_t)pool_threads(a->c->workers);
    uint64_t keys = 0, chunks = 0;
    uint32_t most_rows = 1;
    for (uint32_t i = 0; i < a->n_span; i++) {
        const row_span *s = &a->span[i];
        keys += (uint64_t)s->n_row * (s->pos + s->n_row);
        chunks += (uint64_t)span_tasks(a, s) * span_chunks(s);
        if (s->n_row > most_rows) most_rows = s->n_row;
    }
    const uint64_t work = keys * a->a->H * a->a->K / 8, n_task = number_tasks(a, false);
    a->rows = least(a->positions, most_rows) * a->heads;
    if (n_thread == 1 || n_task >= n_thread * TASKS_PER_THREAD || chunks == n_task ||
        chunks * a->rows > PARTIAL_FLOATS / (a->a->K + 2)) {
        ops_cpu_run(a->c, (uint32_t)n_task, work, attend_task, a);
        return;
    }
    ops_cpu_run(a->c, (uint32_t)number_tasks(a, true), work, chunk_task, a);
    ops_cpu_run(a->c, (uint32_t)n_task, chunks * a->rows * a->a->K, join_task, a);
}

void ops_cpu_attend(ops *o, float *out, const float *q, const kv_slab *kv, uint32_t layer,
                    const attend_config *c, const row_span *span, uint32_t n_span) {
    attend_call a = {
        .c = (cpu_ops *)(void *)o, .out = out, .q = q, .kv = kv, .a = c, .layer = layer};
    const uint32_t group = c->H / c->G;
    a.heads = least(group, KERN_QUERIES);
    a.head_blocks = (group + a.heads - 1) / a.heads;
    a.positions = KERN_QUERIES / a.heads * TILES;
    for (uint32_t i = 0; i < n_span; i += a.n_span) {
        a.span = span + i;
        a.n_span = least(n_span - i, a.c->max_rows);
        attend_spans(&a);
    }
}
