/* base64.c - four digits are three bytes. */
#include "base/base64.h"

static int digit_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t base64_decode(str s, char *out) {
    size_t n = 0, have = 0;
    uint32_t bits = 0;
    if (s.len == 0 || s.len % 4) return SIZE_MAX;
    size_t len = s.len;
    while (len > s.len - 2 && s.p[len - 1] == '=') len--;
    for (size_t i = 0; i < len; i++) {
        const int d = digit_of(s.p[i]);
        if (d < 0) return SIZE_MAX;
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        out[n++] = (char)(bits >> have & 255);
    }
    return n;
}

size_t base64_length(size_t n) { return (n + 2) / 3 * 4; }

size_t base64_encode(str s, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;
    for (size_t i = 0; i < s.len; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < s.len ? (unsigned char)s.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            out[n++] = i + k > s.len ? '=' : digits[bits >> (18 - 6 * k) & 63];
    }
    return n;
}
