/* kv.h - the paged cache: who holds which page of the slab. */
#ifndef RUNTIME_KV_H
#define RUNTIME_KV_H

#include "kernels/ops.h"
#include "model/model.h"

/* All pages of one engine or session. Owned by one thread. */
typedef struct kv_pool {
    kv_slab slab;
    uint32_t n_page, n_free;
    uint32_t *free_page; /* [n_free], handed out from the end so that few pages stay warm */
    uint32_t *held;      /* [n_page] how many hold the page */
} kv_pool;

/* The pages of one sequence, in order of position. */
typedef struct kv_seq {
    uint32_t *page; /* [page_cap], the first n_page are held */
    uint32_t n_page, page_cap;
} kv_seq;

/* Bytes of one page for this model; 0 when none of its layers looks back. */
uint64_t kv_page_bytes(const model *m, kv_type type);

/* A slab of n_page pages; memory is touched only as pages are used. RZ_EUNSUPPORTED for a type that
 * this model's cache cannot have. */
status kv_pool_init(kv_pool *p, const model *m, kv_type type, uint32_t n_page, err *e);
void kv_pool_done(kv_pool *p);

/* Room for the page numbers of max_tokens tokens. */
status kv_seq_init(kv_seq *s, uint32_t max_tokens, err *e);
/* Gives the pages back. */
void kv_seq_done(kv_seq *s, kv_pool *p);

/* Hold pages for n_token tokens in all. All or nothing: when the pool is short the sequence is
 * unchanged and the scheduler may preempt someone and try again. RZ_EFULL if not. */
status kv_reserve(kv_pool *p, kv_seq *s, uint32_t n_token, err *e);
/* Give back the pages behind the first n_token tokens. */
void kv_truncate(kv_pool *p, kv_seq *s, uint32_t n_token);

/* One more holds a page that somebody holds; nobody writes to it from now on. */
void kv_share(kv_pool *p, uint32_t page);
/* One less; the last gives it back to the pool. */
void kv_give(kv_pool *p, uint32_t page);

static inline uint32_t kv_pages_for(uint32_t n_token) {
    return n_token / KV_PAGE_TOKENS + (n_token % KV_PAGE_TOKENS != 0);
}

#endif
