/* arena.h - memory that is freed all at once, one arena per lifetime (model, request, parse). */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

typedef struct arena_chunk arena_chunk;
typedef struct arena {
    arena_chunk *last;
    size_t bytes; /* handed out so far */
    size_t limit; /* arena_alloc fails beyond this; 0 = no limit */
} arena;

#define ARENA_INIT \
    { NULL, 0, 0 }

/* Uninitialised memory aligned for any type, or NULL. */
void *arena_alloc(arena *a, size_t bytes);
void *arena_zero(arena *a, size_t n, size_t each);
/* A copy of `len` bytes with a 0 behind it, or NULL. */
char *arena_copy(arena *a, const char *text, size_t len);
/* Free everything; the arena is empty and usable. */
void arena_free(arena *a);
/* Forget everything but keep the largest chunk for the next round. */
void arena_reset(arena *a);

#endif
