/* str.c - the parts of str.h that are more than one expression. */
#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

bool str_eq_nocase(str a, str b) {
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.p[i]) != lower(b.p[i])) return false;
    return true;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

str str_trim(str s) {
    while (s.len && is_space(s.p[0])) s.p++, s.len--;
    while (s.len && is_space(s.p[s.len - 1])) s.len--;
    return s;
}

str str_split(str *rest, char sep) {
    const char *at = rest->len ? memchr(rest->p, sep, rest->len) : NULL;
    str part = *rest;
    if (!at) {
        *rest = (str){NULL, 0};
        return part;
    }
    part.len = (size_t)(at - rest->p);
    *rest = (str){at + 1, rest->len - part.len - 1};
    return part;
}

ptrdiff_t str_find(str hay, str needle) {
    if (needle.len == 0) return 0;
    if (hay.len < needle.len) return -1;
    const char *at = memmem(hay.p, hay.len, needle.p, needle.len);
    return at ? at - hay.p : -1;
}

int str_hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool str_u64(str s, uint64_t *out) {
    if (s.len == 0 || s.len > 20) return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        const unsigned digit = (unsigned)(s.p[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *out = v;
    return true;
}

bool str_i64(str s, int64_t *out) {
    const bool neg = s.len && s.p[0] == '-';
    uint64_t v;
    if (!str_u64(neg ? (str){s.p + 1, s.len - 1} : s, &v)) return false;
    if (v > (uint64_t)INT64_MAX + (neg ? 1 : 0)) return false;
    *out = neg ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* [-+]digits[.digits][e[-+]digits], at least one digit before the exponent. */
static bool looks_decimal(str s) {
    size_t i = 0, digits = 0;
    if (i < s.len && (s.p[i] == '-' || s.p[i] == '+')) i++;
    for (; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++) digits++;
    if (i < s.len && s.p[i] == '.')
        for (i++; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++) digits++;
    if (digits == 0) return false;
    if (i < s.len && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.len && (s.p[i] == '-' || s.p[i] == '+')) i++;
        const size_t start = i;
        while (i < s.len && s.p[i] >= '0' && s.p[i] <= '9') i++;
        if (i == start) return false;
    }
    return i == s.len;
}

/* The "C" locale, made once: strtod would otherwise read "1,5" where the host program says so. */
static locale_t c_locale(void) {
    static _Atomic(locale_t) made;
    locale_t loc = atomic_load(&made);
    if (loc) return loc;
    loc = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = (locale_t)0;
    if (!loc || atomic_compare_exchange_strong(&made, &before, loc)) return loc;
    freelocale(loc); /* another thread was first */
    return before;
}

bool str_f64(str s, double *out) {
    char text[400]; /* longer spellings of a double say nothing more */
    if (s.len >= sizeof text || !looks_decimal(s)) return false;
    memcpy(text, s.p, s.len);
    text[s.len] = 0;
    const locale_t loc = c_locale();
    if (!loc) return false;
    const double v = strtod_l(text, NULL, loc);
    if (!isfinite(v)) return false;
    *out = v;
    return true;
}

bool str_bytes(str s, uint64_t *out) {
    static const char suffixes[] = "kmgt";
    if (s.len > 2 && lower(s.p[s.len - 1]) == 'b' && lower(s.p[s.len - 2]) == 'i') s.len -= 2;
    else if (s.len > 1 && lower(s.p[s.len - 1]) == 'b') s.len--;
    double unit = 1;
    const char *at = s.len ? strchr(suffixes, lower(s.p[s.len - 1])) : NULL;
    if (at && *at) {
        for (const char *c = suffixes; c <= at; c++) unit *= 1024;
        s.len--;
    }
    double v;
    if (!str_f64(s, &v) || v < 0 || v * unit >= 9e18) return false;
    *out = (uint64_t)(v * unit);
    return true;
}
