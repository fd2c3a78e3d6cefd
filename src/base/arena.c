/* arena.c - bump allocation from a list of chunks that double in size. */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_CHUNK = 1024, LARGEST_STEP = 1 << 20, ALIGN = 16 };

struct arena_chunk {
    arena_chunk *prev;
    size_t used, cap;
    _Alignas(ALIGN) unsigned char data[];
};

static arena_chunk *grow(arena *a, size_t bytes) {
    size_t cap = a->last ? a->last->cap * 2 : FIRST_CHUNK;
    if (cap > LARGEST_STEP) cap = LARGEST_STEP;
    if (cap < bytes) cap = bytes;
    size_t total;
    if (mem_add_over(cap, sizeof(arena_chunk), &total)) return NULL;
    arena_chunk *c = mem_alloc(total);
    if (!c) return NULL;
    *c = (arena_chunk){.prev = a->last, .cap = cap};
    a->last = c;
    return c;
}

void *arena_alloc(arena *a, size_t bytes) {
    if (bytes > SIZE_MAX - ALIGN) return NULL;
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (a->limit && (bytes > a->limit || a->bytes > a->limit - bytes)) return NULL;
    arena_chunk *c = a->last;
    if (!c || c->cap - c->used < bytes) c = grow(a, bytes);
    if (!c) return NULL;
    void *p = c->data + c->used;
    c->used += bytes;
    a->bytes += bytes;
    return p;
}

void *arena_zero(arena *a, size_t n, size_t each) {
    size_t bytes;
    if (mem_mul_over(n, each, &bytes)) return NULL;
    void *p = arena_alloc(a, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

char *arena_copy(arena *a, const char *text, size_t len) {
    size_t bytes;
    char *p = mem_add_over(len, 1, &bytes) ? NULL : arena_alloc(a, bytes);
    if (!p) return NULL;
    if (len) memcpy(p, text, len);
    p[len] = 0;
    return p;
}

static void free_chunks(arena_chunk *c) {
    while (c) {
        arena_chunk *prev = c->prev;
        mem_free(c);
        c = prev;
    }
}

void arena_free(arena *a) {
    free_chunks(a->last);
    a->last = NULL;
    a->bytes = 0;
}

void arena_reset(arena *a) {
    if (!a->last) return;
    free_chunks(a->last->prev); /* the last chunk is the largest, or nearly */
    a->last->prev = NULL;
    a->last->used = 0;
    a->bytes = 0;
}
