/* sha256.h - FIPS 180-4. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_TEXT = 65 };

typedef struct sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    uint8_t block[64];
} sha256;

void sha256_start(sha256 *s);
void sha256_add(sha256 *s, const void *data, size_t n);
void sha256_end(sha256 *s, uint8_t out[SHA256_BYTES]);
/* All at once, as 64 lower-case digits and a 0. */
void sha256_text(const void *p, size_t n, char out[SHA256_TEXT]);

#endif
