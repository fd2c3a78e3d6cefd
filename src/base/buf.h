/* buf.h - growing bytes. Failure is sticky: after one, appends do nothing and the owner asks
 * once at the end whether buf.failed. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

typedef struct buf {
    char *p;
    size_t len, cap;
    size_t limit; /* fails beyond this many bytes; 0 = no limit */
    bool failed;
} buf;

#define BUF_INIT \
    { NULL, 0, 0, 0, false }

void buf_free(buf *b);  /* empty and usable again */
void buf_clear(buf *b); /* length 0, memory kept, failure forgotten */
/* Room for `more` bytes behind the end, or NULL. The caller adds to len what it wrote. */
char *buf_reserve(buf *b, size_t more);
void buf_add(buf *b, const void *bytes, size_t n);
void buf_str(buf *b, str s);
void buf_text(buf *b, const char *s);
void buf_char(buf *b, char c);
void buf_printf(buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Drop the first n bytes. */
void buf_drop(buf *b, size_t n);
static inline str buf_view(const buf *b) { return (str){b->p, b->len}; }
/* The text with a 0 behind it ("" when empty), or NULL after failure. Borrowed. */
const char *buf_cstr(buf *b);

#endif
