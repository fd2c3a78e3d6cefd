/* map.h - the only hash table of the tree: byte-string keys to 64-bit values.
 *
 * Keys are borrowed (they must outlive the map). The hash is seeded per table from the system's
 * random source so that hostile keys cannot be made to collide. Iteration order is insertion
 * order, which keeps everything that prints a map deterministic. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

typedef struct map_entry {
    str key;
    uint64_t value;
} map_entry;

typedef struct map {
    map_entry *entry; /* [n], in order of insertion; there is no removal */
    size_t n, cap;
    uint32_t *slot; /* [n_slot] entry number + 1, 0 = free */
    size_t n_slot;
    uint64_t seed;
} map;

#define MAP_INIT \
    { NULL, 0, 0, NULL, 0, 0 }

void map_free(map *m);
/* Room for n entries in all. false: out of memory. */
bool map_reserve(map *m, size_t n);
typedef enum map_put_result { MAP_NEW, MAP_EXISTS, MAP_NOMEM } map_put_result;
/* MAP_EXISTS leaves the old value alone. */
map_put_result map_put(map *m, str key, uint64_t value);
/* A pointer to the value, or NULL. Valid until the next map_put. */
uint64_t *map_get(const map *m, str key);

/* Seeded 64-bit hash of bytes; the same everywhere for the same seed. */
uint64_t map_hash(const void *p, size_t len, uint64_t seed);

#endif
