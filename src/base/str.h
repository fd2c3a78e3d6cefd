/* str.h - (pointer, length) views of text somebody else owns, and strict number parsing. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct str {
    const char *p;
    size_t len;
} str;

/* For printf: "%.*s", STR_FMT(s). Long views are cut at 200 bytes. */
#define STR_FMT(s) (int)((s).len < 200 ? (s).len : 200), ((s).len ? (s).p : "")
#define STR_LIT(lit) ((str){(lit), sizeof(lit) - 1})

static inline str str_of(const char *s) { return (str){s, s ? strlen(s) : 0}; }
static inline bool str_eq(str a, str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}
static inline bool str_is(str a, const char *lit) { return str_eq(a, str_of(lit)); }
static inline bool str_starts(str s, str prefix) {
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}
static inline bool str_ends(str s, str suffix) {
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.p + s.len - suffix.len, suffix.p, suffix.len) == 0);
}
bool str_eq_nocase(str a, str b); /* ASCII letters only */
/* Without leading and trailing spaces, tabs, CR, LF. */
str str_trim(str s);
/* Cut *rest at the next `sep` and return what was before it; *rest is empty with p == NULL
 * after the last part. */
str str_split(str *rest, char sep);
/* Position of `needle` in `hay`, or -1. An empty needle is at 0. */
ptrdiff_t str_find(str hay, str needle);

/* 0 to 15, or -1 for what is no hexadecimal digit. */
int str_hex_digit(char c);
/* The whole view must be one number, without spaces; false on overflow and leaves *out alone. */
bool str_i64(str s, int64_t *out);
bool str_u64(str s, uint64_t *out);
/* Decimal floating point, "inf", "-inf" and "nan" refused. Locale-independent. */
bool str_f64(str s, double *out);
/* "512", "64k", "1.5G": bytes with an optional binary suffix k, m, g, t (and b or ib behind it). */
bool str_bytes(str s, uint64_t *out);

#endif
