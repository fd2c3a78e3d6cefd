/* mem.h - the only malloc of the tree.
 *
 * Every size is checked for overflow here, and tests reach every out-of-memory path by making the
 * n-th allocation fail. Results are NULL when there is no memory; free takes NULL. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t bytes);                    /* never NULL for 0 bytes            */
void *mem_zero(size_t bytes);                     /* zeroed                            */
void *mem_array(size_t n, size_t each);           /* n * each bytes, uninitialised     */
void *mem_array_zero(size_t n, size_t each);      /* n * each bytes, zeroed            */
void *mem_resize(void *p, size_t n, size_t each); /* NULL: p is still valid            */
void *mem_aligned(size_t align, size_t bytes);    /* align a power of two; mem_free it */
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t len); /* adds the final 0                  */
void mem_free(void *p);

/* Zeroed pages straight from the system, resident only once touched. NULL when refused. */
void *mem_map(size_t bytes);
void mem_unmap(void *p, size_t bytes);

/* true when a * b (or a + b) does not fit; *out is then unchanged. */
static inline bool mem_mul_over(size_t a, size_t b, size_t *out) {
    size_t r;
    if (__builtin_mul_overflow(a, b, &r)) return true;
    *out = r;
    return false;
}
static inline bool mem_add_over(size_t a, size_t b, size_t *out) {
    size_t r;
    if (__builtin_add_overflow(a, b, &r)) return true;
    *out = r;
    return false;
}

/* A growing array: room for n elements of `each` bytes in *(T **)array, which has room for *cap
 * (0 and NULL at first). It at least doubles; what is behind the old elements is uninitialised.
 * false when there is no memory: nothing has changed. */
bool mem_more(void *array, size_t *cap, size_t n, size_t each);
static inline bool mem_room(void *array, size_t *cap, size_t n, size_t each) {
    return n <= *cap || mem_more(array, cap, n, each);
}

/* For tests. The n-th allocation from now (1 = the next) of any thread fails, later ones work
 * again; 0 switches it off. mem_fail_hit tells whether it happened. */
void mem_fail_at(long n);
bool mem_fail_hit(void);
/* Allocations of the calling thread so far: a hot path that must not allocate leaves it alone. */
uint64_t mem_count(void);

#endif
