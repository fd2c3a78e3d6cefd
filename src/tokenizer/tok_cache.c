/* tok_cache.c - caches are made when an encoding finds none at rest, and rest where there is
 * room. */
#include "tokenizer/tok_cache.h"

#include "base/mem.h"

enum {
    SHORT_BYTES = CACHE_SHORT_SLOTS * sizeof(cache_short),
    LONG_BYTES = CACHE_LONG_SLOTS * sizeof(cache_long),
    PAIR_BYTES = CACHE_PAIRS * sizeof(uint64_t),
    ALL_BYTES = SHORT_BYTES + LONG_BYTES + PAIR_BYTES,
};

static void free_cache(tok_cache *c) {
    if (!c) return;
    mem_unmap(c->brief, ALL_BYTES);
    mem_free(c);
}

static tok_cache *new_cache(void) {
    tok_cache *c = mem_zero(sizeof *c);
    if (!c) return NULL;
    c->brief = mem_map(ALL_BYTES); /* pages nobody touches cost nothing */
    if (!c->brief) {
        mem_free(c);
        return NULL;
    }
    c->wide = (cache_long *)((char *)c->brief + SHORT_BYTES);
    c->pair = (uint64_t *)((char *)c->brief + SHORT_BYTES + LONG_BYTES);
    return c;
}

tok_cache *tok_cache_take(tok_cache_pool *p) {
    for (int i = 0; i < CACHE_POOL; i++) {
        if (!atomic_load_explicit(&p->slot[i], memory_order_relaxed)) continue;
        tok_cache *c = atomic_exchange(&p->slot[i], NULL);
        if (c) return c;
    }
    return new_cache();
}

void tok_cache_give(tok_cache_pool *p, tok_cache *c) {
    for (int i = 0; c && i < CACHE_POOL; i++) {
        tok_cache *none = NULL;
        if (atomic_compare_exchange_strong(&p->slot[i], &none, c)) return;
    }
    free_cache(c);
}

void tok_cache_pool_clear(tok_cache_pool *p) {
    for (int i = 0; i < CACHE_POOL; i++) free_cache(atomic_exchange(&p->slot[i], NULL));
}
