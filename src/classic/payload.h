/* payload.h - the numbers of a classic model one after the other: little-endian, vectors with their
 * length in front as u64 (what Rust's bincode writes). Reading checks every length against the
 * bytes that are left, and that floats are finite. */
#ifndef CLASSIC_PAYLOAD_H
#define CLASSIC_PAYLOAD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

typedef struct payload {
    const uint8_t *p;
    size_t left;
    arena *mem; /* what is read lies there */
} payload;

status payload_u8(payload *r, const char *what, uint8_t *out, err *e);
status payload_u32(payload *r, const char *what, uint32_t *out, err *e);
status payload_f32(payload *r, const char *what, float *out, err *e);
/* A u64 in min .. max. */
status payload_size(payload *r, const char *what, size_t min, size_t max, size_t *out, err *e);
/* The same, a number of things that take `each` bytes at least, which must be there. */
status payload_count(payload *r, const char *what, size_t each, size_t *out, err *e);
/* a * b floats, aligned to 64 bytes. RZ_EFORMAT when they are not there or not finite. */
status payload_floats(payload *r, const char *what, size_t a, size_t b, float **out, err *e);
/* n numbers below `limit`. */
status payload_u32s(payload *r, const char *what, size_t n, uint32_t limit, uint32_t **out, err *e);
/* A u64 length and that many bytes, which stay where they are. */
status payload_str(payload *r, const char *what, str *out, err *e);

void payload_put_u8(buf *b, uint8_t v);
void payload_put_u32(buf *b, uint32_t v);
void payload_put_u64(buf *b, uint64_t v);
void payload_put_f32(buf *b, float v);
void payload_put_floats(buf *b, const float *v, size_t n); /* without a length in front */
void payload_put_str(buf *b, str s);

#endif
