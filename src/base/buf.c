/* buf.c - see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_CAP = 64 };

void buf_free(buf *b) {
    mem_free(b->p);
    *b = (buf){.limit = b->limit};
}

void buf_clear(buf *b) {
    b->len = 0;
    b->failed = false;
}

char *buf_reserve(buf *b, size_t more) {
    if (b->failed) return NULL;
    size_t want;
    if (mem_add_over(b->len, more, &want) || (b->limit && want > b->limit)) goto fail;
    if (want > b->cap) {
        size_t cap = b->cap ? b->cap : FIRST_CAP;
        while (cap < want && cap < SIZE_MAX / 2) cap *= 2;
        if (cap < want) cap = want;
        if (b->limit && cap > b->limit) cap = b->limit;
        char *p = mem_resize(b->p, cap, 1);
        if (!p) goto fail;
        b->p = p;
        b->cap = cap;
    }
    return b->p ? b->p + b->len : b->p;
fail:
    b->failed = true;
    return NULL;
}

void buf_add(buf *b, const void *bytes, size_t n) {
    if (n == 0) return;
    char *to = buf_reserve(b, n);
    if (!to) return;
    memcpy(to, bytes, n);
    b->len += n;
}

void buf_str(buf *b, str s) { buf_add(b, s.p, s.len); }

void buf_text(buf *b, const char *s) { buf_add(b, s, strlen(s)); }

void buf_char(buf *b, char c) { buf_add(b, &c, 1); }

void buf_printf(buf *b, const char *fmt, ...) {
    char small[256];
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    const int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t)n < sizeof small) {
        buf_add(b, small, (size_t)n);
    } else {
        char *to = buf_reserve(b, (size_t)n + 1);
        if (to) {
            vsnprintf(to, (size_t)n + 1, fmt, again);
            b->len += (size_t)n;
        }
    }
    va_end(again);
}

void buf_drop(buf *b, size_t n) {
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    if (n == 0) return;
    memmove(b->p, b->p + n, b->len - n);
    b->len -= n;
}

const char *buf_cstr(buf *b) {
    char *end = buf_reserve(b, 1);
    if (!end) return NULL;
    *end = 0;
    return b->p;
}
