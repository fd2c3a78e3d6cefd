/* utf8.c - one character at a time, by table 3-7 of the Unicode Standard ("Well-Formed UTF-8 Byte
 * Sequences"). The surprising part of that table: only the second byte has a range that depends on
 * the first, and that alone excludes overlong forms, surrogates and everything above U+10FFFF. */
#include "unicode/utf8.h"

typedef struct lead {
    unsigned len;          /* bytes of the whole character, 0: cannot begin one */
    unsigned char low, up; /* range of the second byte */
} lead;

static lead lead_of(unsigned char c) {
    if (c < 0x80) return (lead){1, 0, 0};
    if (c < 0xC2) return (lead){0, 0, 0}; /* continuation bytes; C0 and C1 would be overlong */
    if (c < 0xE0) return (lead){2, 0x80, 0xBF};
    if (c == 0xE0) return (lead){3, 0xA0, 0xBF}; /* below A0: overlong */
    if (c == 0xED) return (lead){3, 0x80, 0x9F}; /* above 9F: surrogates */
    if (c < 0xF0) return (lead){3, 0x80, 0xBF};
    if (c == 0xF0) return (lead){4, 0x90, 0xBF};
    if (c < 0xF4) return (lead){4, 0x80, 0xBF};
    if (c == 0xF4) return (lead){4, 0x80, 0x8F}; /* above 8F: beyond U+10FFFF */
    return (lead){0, 0, 0};
}

/* How many bytes at s.p fit together, of the `l.len` that make the character. */
static unsigned fitting(str s, lead l) {
    unsigned n = 1;
    while (n < l.len && n < s.len) {
        const unsigned char c = (unsigned char)s.p[n];
        if (n == 1 ? c < l.low || c > l.up : (c & 0xC0) != 0x80) break;
        n++;
    }
    return n;
}

size_t utf8_decode_any(str s, uint32_t *cp) {
    const unsigned char first = (unsigned char)s.p[0];
    const lead l = lead_of(first);
    *cp = UTF8_BAD;
    if (l.len == 0) return 1;
    const unsigned n = fitting(s, l);
    if (n < l.len) return n;
    uint32_t v = first & (0xFFu >> (l.len + 1));
    for (unsigned i = 1; i < n; i++) v = v << 6 | ((unsigned char)s.p[i] & 0x3Fu);
    *cp = v;
    return n;
}

size_t utf8_encode(uint32_t cp, char *out) {
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        if (cp >= 0xD800 && cp <= 0xDFFF) return 0;
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    if (cp > 0x10FFFF) return 0;
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

size_t utf8_valid(str s) {
    size_t i = 0;
    while (i < s.len) {
        uint64_t eight;
        if (s.len - i >= 8) { /* text is mostly ASCII: eight bytes at once */
            memcpy(&eight, s.p + i, 8);
            if ((eight & 0x8080808080808080u) == 0) {
                i += 8;
                continue;
            }
        }
        uint32_t cp;
        const size_t n = utf8_decode((str){s.p + i, s.len - i}, &cp);
        if (cp == UTF8_BAD) break;
        i += n;
    }
    return i;
}

size_t utf8_incomplete_tail(str s) {
    const size_t most = s.len < 3 ? s.len : 3;
    for (size_t n = 1; n <= most; n++) {
        const str tail = {s.p + s.len - n, n};
        const unsigned char c = (unsigned char)tail.p[0];
        if ((c & 0xC0) == 0x80) continue; /* look further back for what this continues */
        const lead l = lead_of(c);
        return l.len > n && fitting(tail, l) == n ? n : 0;
    }
    return 0;
}
