/* tok_cache.h - remembers what pieces were encoded to. Exact: the whole piece is compared.
 *
 * Short pieces (up to 15 bytes) and wide ones (up to 48) have a table each; who has many ids for
 * short pieces may ask for them among the wide ones. A short piece has two
 * places side by side, of which the older is given up; a long one has one place. Ids take three
 * bytes each. A third table remembers which tokens may be neighbours (tok_walk.h). A cache belongs
 * to one encoding call at a time; between calls it waits in its tokenizer's pool, so that text
 * after text finds it warm. */
#ifndef TOKENIZER_TOK_CACHE_H
#define TOKENIZER_TOK_CACHE_H

#include <stdatomic.h>

#include "base/map.h"
#include "base/str.h"

enum {
    CACHE_SHORT = 15,
    CACHE_SHORT_IDS = 5,
    CACHE_SHORT_SLOTS = 1 << 17,
    CACHE_LONG = 48,
    CACHE_LONG_IDS = 25,
    CACHE_LONG_SLOTS = 1 << 14,
    CACHE_PAIRS = 1 << 15,
    CACHE_POOL = 16,
};

typedef struct cache_short {
    uint64_t lo, hi; /* the piece, zeros, and its length in the last byte; hi 0: empty */
    uint8_t id[3 * CACHE_SHORT_IDS];
    uint8_t n;
} cache_short;
_Static_assert(sizeof(cache_short) == 32, "two to a cache line");

typedef struct cache_long {
    char piece[CACHE_LONG];
    uint8_t id[3 * CACHE_LONG_IDS];
    uint8_t len, n; /* len 0: empty */
    uint8_t unused[3];
} cache_long;
_Static_assert(sizeof(cache_long) == 128, "two cache lines");

typedef struct tok_cache {
    cache_short *brief; /* [CACHE_SHORT_SLOTS] */
    cache_long *wide;   /* [CACHE_LONG_SLOTS] */
    uint64_t *pair;     /* [CACHE_PAIRS] */
} tok_cache;

/* The first of the packed ids. */
static inline int32_t tok_cache_id(const uint8_t *packed) {
    return (int32_t)(packed[0] | (uint32_t)packed[1] << 8 | (uint32_t)packed[2] << 16);
}

/* Caches at rest; any number of threads. Zeroed is empty. */
typedef struct tok_cache_pool {
    _Atomic(tok_cache *) slot[CACHE_POOL];
} tok_cache_pool;

/* A cache to use, or NULL when there is no memory (then go without). */
tok_cache *tok_cache_take(tok_cache_pool *p);
void tok_cache_give(tok_cache_pool *p, tok_cache *c);
/* Free those at rest. */
void tok_cache_pool_clear(tok_cache_pool *p);

/* Two words and one product, folded: enough for a table of one place per piece. */
static inline size_t tok_cache_hash(uint64_t lo, uint64_t hi) {
    const __uint128_t r = (__uint128_t)(lo ^ 0x9e3779b97f4a7c15ull) * (hi ^ 0xd1342543de82ef95ull);
    return (size_t)((uint64_t)r ^ (uint64_t)(r >> 64));
}

/* The key of a piece of 1..15 bytes. Reads 16 bytes where `limit` allows. */
static inline void tok_cache_key(const unsigned char *p, size_t len, const unsigned char *limit,
                                 uint64_t key[2]) {
    if (limit - p >= 16) {
        memcpy(key, p, 16);
    } else {
        key[0] = key[1] = 0;
        memcpy(key, p, len);
    }
    const uint64_t all = UINT64_MAX;
    key[0] &= len >= 8 ? all : ~(all << len * 8);
    key[1] &= len > 8 ? ~(all << (len - 8) * 8) : 0;
    key[1] |= (uint64_t)len << 56;
}

/* The first of the two places of a short piece. */
static inline cache_short *tok_cache_short(const tok_cache *c, const uint64_t key[2]) {
    return &c->brief[tok_cache_hash(key[0], key[1]) & (CACHE_SHORT_SLOTS - 2)];
}

static inline cache_long *tok_cache_long(const tok_cache *c, const unsigned char *p, size_t len) {
    return &c->wide[map_hash((const char *)p, len, 0) & (CACHE_LONG_SLOTS - 1)];
}

/* A piece on its way: what is asked of the cache, and where it is. */
typedef struct cache_probe {
    uint64_t key[2];
    const unsigned char *p;
    size_t len;
    void *slot; /* NULL: no cache has it */
    bool wide;  /* the slot is a cache_long */
} cache_probe;

/* In the table of wide pieces, whatever the length up to CACHE_LONG. */
static inline void tok_cache_ask_wide(const tok_cache *c, const unsigned char *p, size_t len,
                                      cache_probe *x) {
    x->p = p;
    x->len = len;
    x->slot = tok_cache_long(c, p, len);
    x->wide = true;
}

/* The cache's lines are asked for long before they are needed: they are far away. `c` may be NULL;
 * `limit` as above. */
static inline void tok_cache_ask(const tok_cache *c, const unsigned char *p, size_t len,
                                 const unsigned char *limit, cache_probe *x) {
    x->p = p;
    x->len = len;
    x->slot = NULL;
    x->wide = len > CACHE_SHORT;
    if (!c || len > CACHE_LONG) return;
    if (!x->wide) {
        tok_cache_key(p, len, limit, x->key);
        x->slot = tok_cache_short(c, x->key);
    } else {
        x->slot = tok_cache_long(c, p, len);
    }
    __builtin_prefetch(x->slot);
}

static inline size_t tok_cache_get_short(const cache_probe *x, int32_t *out) {
    const cache_short *s = x->slot;
    if (s->lo != x->key[0] || s->hi != x->key[1]) {
        s++;
        if (s->lo != x->key[0] || s->hi != x->key[1]) return 0;
    }
    for (int i = 0; i < CACHE_SHORT_IDS; i++) out[i] = tok_cache_id(s->id + 3 * i);
    return s->n;
}

/* The ids of the piece; 0: not known. `out` has room for CACHE_LONG_IDS. */
static inline size_t tok_cache_get(const cache_probe *x, int32_t *out) {
    if (!x->slot) return 0;
    if (!x->wide) return tok_cache_get_short(x, out);
    const cache_long *l = x->slot;
    if (l->len != x->len || memcmp(l->piece, x->p, x->len) != 0) return 0;
    for (int i = 0; i < l->n; i++) out[i] = tok_cache_id(l->id + 3 * i);
    return l->n;
}

/* Remember its ids, where there is a place for as many. */
void tok_cache_put(const cache_probe *x, const int32_t *id, size_t n);

#endif
