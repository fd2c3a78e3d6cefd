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

static void pack(uint8_t *packed, const int32_t *id, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t v = (uint32_t)id[i];
        packed[3 * i] = (uint8_t)v;
        packed[3 * i + 1] = (uint8_t)(v >> 8);
        packed[3 * i + 2] = (uint8_t)(v >> 16);
    }
}

void tok_cache_put(const cache_probe *x, const int32_t *id, size_t n) {
    if (!x->slot || n == 0) return;
    if (!x->wide && n <= CACHE_SHORT_IDS) {
        cache_short *s = x->slot; /* the newer of two comes first */
        s[1] = s[0];
        s[0] = (cache_short){x->key[0], x->key[1], {0}, (uint8_t)n};
        pack(s->id, id, n);
    } else if (x->wide && n <= CACHE_LONG_IDS) {
        cache_long *l = x->slot;
        memcpy(l->piece, x->p, x->len);
        pack(l->id, id, n);
        l->len = (uint8_t)x->len;
        l->n = (uint8_t)n;
    }
}
