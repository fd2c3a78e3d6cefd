/* kv.c - where keys and values live between steps.
 *
 * The cache is one slab cut into pages of KV_PAGE_TOKENS tokens. A sequence holds page numbers, not
 * memory, so growing never copies, and the same beginning of two texts is the same pages with a
 * count. Pages are handed out here and nowhere else. */
#include "runtime/kv.h"

#include "base/mem.h"

uint64_t kv_page_bytes(const model *m, kv_type type) {
    return m->cache_bytes[type] * KV_PAGE_TOKENS;
}

status kv_pool_init(kv_pool *p, const model *m, kv_type type, uint32_t n_page, err *e) {
    if (m->float_cache && kv_is_quantized(type))
        return err_set(e, RZ_EUNSUPPORTED,
                       "kv: latent attention keeps its cache as f32, f16 or bf16, not as %s",
                       kv_type_name(type));
    *p = (kv_pool){.slab = {.type = type, .page_bytes = kv_page_bytes(m, type)}, .n_page = n_page};
    size_t bytes = 0;
    const bool over = mem_mul_over(n_page, p->slab.page_bytes, &bytes);
    p->slab.base = over ? NULL : mem_map(bytes);
    p->free_page = mem_array(n_page, sizeof *p->free_page);
    p->held = mem_map((size_t)n_page * sizeof *p->held);
    if (!p->slab.base || !p->free_page || !p->held) {
        kv_pool_done(p);
        return err_set(e, RZ_ENOMEM, "kv: no memory for %u pages of %llu bytes", n_page,
                       (unsigned long long)p->slab.page_bytes);
    }
    for (uint32_t i = 0; i < n_page; i++) p->free_page[i] = n_page - 1 - i;
    p->n_free = n_page;
    return RZ_OK;
}

void kv_pool_done(kv_pool *p) {
    mem_unmap(p->slab.base, p->n_page * p->slab.page_bytes);
    mem_unmap(p->held, (size_t)p->n_page * sizeof *p->held);
    mem_free(p->free_page);
    p->slab.base = NULL;
    p->free_page = NULL;
    p->held = NULL;
    p->n_page = p->n_free = 0;
}

status kv_seq_init(kv_seq *s, uint32_t max_tokens, err *e) {
    *s = (kv_seq){.page_cap = kv_pages_for(max_tokens)};
    s->page = mem_array(s->page_cap, sizeof *s->page);
    if (!s->page) return err_set(e, RZ_ENOMEM, "kv: out of memory");
    return RZ_OK;
}

void kv_seq_done(kv_seq *s, kv_pool *p) {
    kv_truncate(p, s, 0);
    mem_free(s->page);
    *s = (kv_seq){0};
}

status kv_reserve(kv_pool *p, kv_seq *s, uint32_t n_token, err *e) {
    const uint32_t want = kv_pages_for(n_token);
    if (want > s->page_cap)
        return err_set(e, RZ_EFULL, "kv: %u tokens do not fit a sequence of %u", n_token,
                       s->page_cap * KV_PAGE_TOKENS);
    if (want > s->n_page && want - s->n_page > p->n_free)
        return err_set(e, RZ_EFULL, "kv: need %u pages, %u free", want - s->n_page, p->n_free);
    while (s->n_page < want) {
        const uint32_t page = p->free_page[--p->n_free];
        p->held[page] = 1;
        s->page[s->n_page++] = page;
    }
    return RZ_OK;
}

void kv_truncate(kv_pool *p, kv_seq *s, uint32_t n_token) {
    const uint32_t keep = kv_pages_for(n_token);
    while (s->n_page > keep) kv_give(p, s->page[--s->n_page]);
}

void kv_share(kv_pool *p, uint32_t page) { p->held[page]++; }

void kv_give(kv_pool *p, uint32_t page) {
    if (--p->held[page] == 0) p->free_page[p->n_free++] = page;
}
