/* map.c - open addressing with linear probing over a dense entry list. */
#include "base/map.h"

#include <string.h>

#include "base/mem.h"
#include "base/os.h"

static uint64_t mix(uint64_t a, uint64_t b) {
    const __uint128_t r = (__uint128_t)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* Eight bytes at a time through a 64x64->128 multiply, folded: the construction of wyhash. */
uint64_t map_hash(const void *p, size_t len, uint64_t seed) {
    static const uint64_t k0 = 0xa0761d6478bd642full, k1 = 0xe7037ed1a0b428dbull;
    const unsigned char *b = p;
    uint64_t h = mix(seed ^ k0, len ^ k1);
    while (len >= 8) {
        uint64_t w;
        memcpy(&w, b, 8);
        h = mix(h ^ w, k1);
        b += 8;
        len -= 8;
    }
    uint64_t w = 0;
    if (len) memcpy(&w, b, len);
    return mix(h ^ w, k0 ^ k1);
}

void map_free(map *m) {
    mem_free(m->entry);
    mem_free(m->slot);
    *m = (map)MAP_INIT;
}

static void place(map *m, uint32_t number) {
    const str key = m->entry[number].key;
    size_t i = map_hash(key.p, key.len, m->seed) & (m->n_slot - 1);
    while (m->slot[i]) i = (i + 1) & (m->n_slot - 1);
    m->slot[i] = number + 1;
}

bool map_reserve(map *m, size_t n) {
    if (n <= m->cap) return true;
    if (n >= UINT32_MAX / 4) return false;
    size_t n_slot = 16;
    while (n_slot < n * 2) n_slot *= 2;
    map_entry *entry = mem_resize(m->entry, n, sizeof *entry);
    if (!entry) return false;
    m->entry = entry;
    uint32_t *slot = mem_array_zero(n_slot, sizeof *slot);
    if (!slot) return false;
    mem_free(m->slot);
    m->slot = slot;
    m->n_slot = n_slot;
    m->cap = n;
    if (m->seed == 0) m->seed = os_random_u64() | 1;
    for (size_t i = 0; i < m->n; i++) place(m, (uint32_t)i);
    return true;
}

uint64_t *map_get(const map *m, str key) {
    if (m->n == 0) return NULL;
    size_t i = map_hash(key.p, key.len, m->seed) & (m->n_slot - 1);
    for (; m->slot[i]; i = (i + 1) & (m->n_slot - 1)) {
        map_entry *e = &m->entry[m->slot[i] - 1];
        if (str_eq(e->key, key)) return &e->value;
    }
    return NULL;
}

map_put_result map_put(map *m, str key, uint64_t value) {
    if (map_get(m, key)) return MAP_EXISTS;
    if (m->n == m->cap && !map_reserve(m, m->cap ? m->cap * 2 : 16)) return MAP_NOMEM;
    m->entry[m->n] = (map_entry){key, value};
    place(m, (uint32_t)m->n++);
    return MAP_NEW;
}
