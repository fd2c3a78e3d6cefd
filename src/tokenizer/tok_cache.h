/* tok_cache.h - remembers what pieces were encoded to. Exact: the whole piece is compared.
 *
 * Short pieces (up to 15 bytes) and long ones (up to 40) have a table each, in which a piece
 * has one place and the newer one wins. A cache belongs to one encoding call at a time; between
 * calls it waits in its tokenizer's pool, so that text after text finds it warm. */
#ifndef TOKENIZER_TOK_CACHE_H
#define TOKENIZER_TOK_CACHE_H

#include <stdatomic.h>

#include "base/str.h"

enum {
    CACHE_SHORT = 15,
    CACHE_SHORT_IDS = 3,
    CACHE_SHORT_SLOTS = 1 << 14,
    CACHE_LONG = 40,
    CACHE_LONG_IDS = 5,
    CACHE_LONG_SLOTS = 1 << 12,
    CACHE_POOL = 16,
};

typedef struct cache_short {
    uint64_t lo, hi; /* the piece, zeros, and its length in the last byte; hi 0: empty */
    int32_t id[CACHE_SHORT_IDS];
    uint32_t n;
} cache_short;
_Static_assert(sizeof(cache_short) == 32, "two to a cache line");

typedef struct cache_long {
    char piece[CACHE_LONG];
    int32_t id[CACHE_LONG_IDS];
    uint8_t len, n; /* len 0: empty */
} cache_long;
_Static_assert(sizeof(cache_long) == 64, "one to a cache line");

typedef struct tok_cache {
    cache_short *brief; /* [CACHE_SHORT_SLOTS] */
    cache_long *wide;   /* [CACHE_LONG_SLOTS] */
} tok_cache;

/* Caches at rest; any number of threads. Zeroed is empty. */
typedef struct tok_cache_pool {
    _Atomic(tok_cache *) slot[CACHE_POOL];
} tok_cache_pool;

/* A cache to use, or NULL when there is no memory (then go without). */
tok_cache *tok_cache_take(tok_cache_pool *p);
void tok_cache_give(tok_cache_pool *p, tok_cache *c);
void tok_cache_pool_done(tok_cache_pool *p);

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

static inline cache_short *tok_cache_short(const tok_cache *c, const uint64_t key[2]) {
    return &c->brief[tok_cache_hash(key[0], key[1]) & (CACHE_SHORT_SLOTS - 1)];
}

#endif
