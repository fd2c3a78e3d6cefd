/* mem.c - malloc with a fuse. See mem.h. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_long fuse; /* allocations left before the failing one, 0 = off */
static atomic_bool fuse_hit;
static _Thread_local uint64_t count;

static bool blown(void) {
    count++;
    if (atomic_load_explicit(&fuse, memory_order_relaxed) == 0) return false;
    if (atomic_fetch_sub(&fuse, 1) != 1) return false;
    atomic_store(&fuse_hit, true);
    return true;
}

void mem_fail_at(long n) {
    atomic_store(&fuse_hit, false);
    atomic_store(&fuse, n);
}

bool mem_fail_hit(void) { return atomic_load(&fuse_hit); }

uint64_t mem_count(void) { return count; }

void *mem_alloc(size_t bytes) { return blown() ? NULL : malloc(bytes ? bytes : 1); }

void *mem_zero(size_t bytes) { return blown() ? NULL : calloc(1, bytes ? bytes : 1); }

void *mem_array(size_t n, size_t each) {
    size_t bytes;
    return mem_mul_over(n, each, &bytes) ? NULL : mem_alloc(bytes);
}

void *mem_array_zero(size_t n, size_t each) {
    size_t bytes;
    return mem_mul_over(n, each, &bytes) ? NULL : mem_zero(bytes);
}

void *mem_resize(void *p, size_t n, size_t each) {
    size_t bytes;
    if (mem_mul_over(n, each, &bytes) || blown()) return NULL;
    return realloc(p, bytes ? bytes : 1);
}

bool mem_more(void *array, size_t *cap, size_t n, size_t each) {
    enum { FIRST = 16 };
    void *p; /* through memcpy: the caller's pointer is of another type */
    size_t more = *cap ? *cap : FIRST / 2;
    if (mem_mul_over(more, 2, &more)) return false;
    if (more < n) more = n;
    memcpy(&p, array, sizeof p);
    p = mem_resize(p, more, each);
    if (!p) return false;
    memcpy(array, &p, sizeof p);
    *cap = more;
    return true;
}

void *mem_aligned(size_t align, size_t bytes) {
    void *p = NULL;
    if (blown() || posix_memalign(&p, align, bytes ? bytes : 1) != 0) return NULL;
    return p;
}

char *mem_strdup(const char *s) { return mem_strndup(s, strlen(s)); }

char *mem_strndup(const char *s, size_t len) {
    size_t bytes;
    char *copy = mem_add_over(len, 1, &bytes) ? NULL : mem_alloc(bytes);
    if (!copy) return NULL;
    if (len) memcpy(copy, s, len);
    copy[len] = 0;
    return copy;
}

void mem_free(void *p) { free(p); }

void *mem_map(size_t bytes) {
    if (blown()) return NULL;
    void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void mem_unmap(void *p, size_t bytes) {
    if (p) munmap(p, bytes ? bytes : 1);
}
