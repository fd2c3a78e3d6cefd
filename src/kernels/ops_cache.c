/* ops_cache.c - what a page of the cache looks like, and writing to it. Reading is attention's, in
 * ops_attn.c. */
#include <string.h>

#include "base/mem.h"
#include "kernels/ops_cpu.h"
#include "quant/block.h"

enum { BLOCK = 32, MAX_BLOCKS = KV_MAX_HEAD / BLOCK };

static const char *const type_name[KV_TYPE_COUNT] = {
    [KV_F32] = "f32", [KV_F16] = "f16", [KV_BF16] = "bf16", [KV_Q8_0] = "q8_0", [KV_Q4_0] = "q4_0"};

const char *kv_type_name(kv_type t) { return t < KV_TYPE_COUNT ? type_name[t] : NULL; }

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static uint32_t blocks_of(uint32_t K) { return K / BLOCK + (K % BLOCK != 0); }

uint64_t kv_head_bytes(kv_type t, uint32_t K) {
    switch (t) {
        case KV_F32:
            return (uint64_t)K * sizeof(float);
        case KV_Q8_0:
            return (uint64_t)blocks_of(K) * sizeof(block_q8_0);
        case KV_Q4_0:
            return (uint64_t)blocks_of(K) * sizeof(block_q4_0);
        default:
            return (uint64_t)K * sizeof(uint16_t);
    }
}

status kv_slab_layout(kv_slab *s, err *e) {
    uint64_t bytes = 2 * KV_PAGE_TOKENS * kv_head_bytes(s->type, s->K);
    if (s->n_layer == 0 || s->G == 0 || s->K == 0 || s->K > KV_MAX_HEAD ||
        __builtin_mul_overflow(bytes, s->G, &bytes) || bytes > UINT64_MAX / s->n_layer / 2)
        return err_set(e, RZ_EINVAL, "kv: %u layers of %u heads of %u values do not fit",
                       s->n_layer, s->G, s->K);
    s->layer_bytes = bytes;
    s->page_bytes = bytes * s->n_layer;
    return RZ_OK;
}

uint8_t *ops_cpu_keys(const kv_slab *kv, uint32_t page, uint32_t layer, uint32_t g) {
    const uint64_t head = kv_head_bytes(kv->type, kv->K) * KV_PAGE_TOKENS;
    return kv->base + page * kv->page_bytes + layer * kv->layer_bytes + g * head;
}

size_t ops_cpu_value_offset(const kv_slab *kv) { return kv->layer_bytes / 2; }

/* ---- Writing ---- */

typedef struct write_call {
    const cpu_ops *c;
    const kv_slab *kv;
    uint32_t layer;
    const float *k, *v;
    const row_span *span;
} write_call;

/* Keys of one position in floats: down a column of the page. */
static void write_keys(const write_call *w, uint8_t *keys, uint32_t slot, const float *k) {
    const uint32_t K = w->kv->K;
    if (w->kv->type == KV_F32) {
        float *at = (float *)(void *)keys + slot;
        for (uint32_t i = 0; i < K; i++) at[(size_t)i * KV_PAGE_TOKENS] = k[i];
        return;
    }
    uint16_t *at = (uint16_t *)(void *)keys + slot, half[64];
    for (uint32_t i = 0; i < K; i += 64) {
        const uint32_t n = least(K - i, 64);
        w->c->k->kv_store(half, w->kv->type, k + i, n);
        for (uint32_t j = 0; j < n; j++) at[(size_t)(i + j) * KV_PAGE_TOKENS] = half[j];
    }
}

/* x[K] in blocks, as ggml stores such a row. */
static void make_blocks(void *blocks, kv_type type, const float *x, uint32_t K) {
    const quant_info *q = quant_get(type == KV_Q8_0 ? QUANT_Q8_0 : QUANT_Q4_0);
    const uint32_t whole = K / BLOCK * BLOCK;
    float last[BLOCK] = {0};
    q->from_float(x, blocks, whole);
    if (whole == K) return;
    memcpy(last, x + whole, (K - whole) * sizeof *x);
    q->from_float(last, (uint8_t *)blocks + (size_t)whole / BLOCK * q->bytes, BLOCK);
}

/* Block by block: the scale, then the bytes, each into the slot of its line. */
static void turn_blocks(uint8_t *keys, kv_type type, uint32_t slot, const void *blocks,
                        uint32_t n_block) {
    const uint8_t *from = blocks;
    const size_t n = type == KV_Q8_0 ? sizeof(block_q8_0) : sizeof(block_q4_0);
    for (uint32_t b = 0; b < n_block; b++, from += n, keys += n * KV_PAGE_TOKENS) {
        memcpy(keys + slot * sizeof(uint16_t), from, sizeof(uint16_t));
        uint8_t *at = keys + KV_PAGE_TOKENS * sizeof(uint16_t) + slot;
        for (size_t i = sizeof(uint16_t); i < n; i++, at += KV_PAGE_TOKENS) *at = from[i];
    }
}
_Static_assert(offsetof(block_q8_0, q) == 2 && offsetof(block_q4_0, q) == 2, "scale, then bytes");

/* One head of one position: keys go down a column of the page, values along a row. */
static void write_head(const write_call *w, uint8_t *keys, uint32_t slot, const float *k,
                       const float *v) {
    const kv_slab *kv = w->kv;
    uint8_t *values =
        keys + ops_cpu_value_offset(kv) + slot * (size_t)kv_head_bytes(kv->type, kv->K);
    if (!kv_is_quantized(kv->type)) {
        write_keys(w, keys, slot, k);
        w->c->k->kv_store(values, kv->type, v, kv->K);
        return;
    }
    block_q8_0 blocks[MAX_BLOCKS];
    make_blocks(blocks, kv->type, k, kv->K);
    turn_blocks(keys, kv->type, slot, blocks, blocks_of(kv->K));
    make_blocks(values, kv->type, v, kv->K);
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
        uint8_t *keys = ops_cpu_keys(kv, s->page[pos / KV_PAGE_TOKENS], w->layer, g);
        write_head(w, keys, pos % KV_PAGE_TOKENS, w->k + at, w->v + at);
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
