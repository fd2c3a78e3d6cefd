/* utf8.h - UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef UNICODE_UTF8_H
#define UNICODE_UTF8_H

#include "base/str.h"

#define UTF8_BAD UINT32_MAX
enum { UTF8_REPLACEMENT = 0xFFFD };

/* Decode the character at s.p[0] (s.len > 0). Returns its length in bytes and the code point in
 * *cp; for bytes that are no character *cp is UTF8_BAD and the length is that of the maximal part
 * (Unicode 3.9, "maximal subpart") to replace by one U+FFFD, at least 1. */
size_t utf8_decode_any(str s, uint32_t *cp);
/* The same; most characters of two and three bytes are read where this is called. */
static inline size_t utf8_decode(str s, uint32_t *cp) {
    const unsigned char *p = (const unsigned char *)s.p;
    if (p[0] < 0x80) {
        *cp = p[0];
        return 1;
    }
    if (p[0] >= 0xC2 && p[0] < 0xE0 && s.len >= 2 && (p[1] & 0xC0) == 0x80) {
        *cp = (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
        return 2;
    }
    if (p[0] > 0xE0 && p[0] < 0xF0 && p[0] != 0xED && s.len >= 3 && (p[1] & 0xC0) == 0x80 &&
        (p[2] & 0xC0) == 0x80) {
        *cp = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
        return 3;
    }
    return utf8_decode_any(s, cp);
}
/* Write cp to out[0..3]; returns 1..4, or 0 for what is no character. */
size_t utf8_encode(uint32_t cp, char *out);
/* Bytes of the longest valid prefix. */
size_t utf8_valid(str s);
/* How many bytes at the end of s begin a character that is not complete yet (0..3): the tail that
 * a streaming writer keeps back. Bytes that can never become a character are not kept back. */
size_t utf8_incomplete_tail(str s);

#endif
