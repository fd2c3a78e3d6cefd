/* guarded.h - bytes at the end of a page with nothing behind it: one read too far faults. */
#ifndef TESTS_GUARDED_H
#define TESTS_GUARDED_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { GUARDED = 1 << 16 };

/* The bytes moved there, at most GUARDED; good until the next call. */
static inline const uint8_t *guarded(const void *bytes, size_t len) {
    static uint8_t *region;
    if (!region) {
        region =
            mmap(NULL, 2 * GUARDED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (region == MAP_FAILED || mprotect(region + GUARDED, GUARDED, PROT_NONE) != 0) abort();
    }
    if (len > GUARDED) abort();
    if (len) memcpy(region + GUARDED - len, bytes, len);
    return region + GUARDED - len;
}

#endif
