/* json.c - a recursive-descent parser for RFC 8259, stricter than the RFC where it leaves a choice.
 *
 * The depth limit bounds the recursion, so hostile nesting costs a fixed amount of stack. Members
 * of small objects are compared with each other to find a key given twice; larger objects use a
 * hash table, so that an object of n members costs about n. */
#include "json/json.h"

#include <math.h>
#include <stdio.h>

#include "base/map.h"
#include "json/parse_error.h"
#include "unicode/utf8.h"

enum { COMPARE_MEMBERS = 16 /* from here on a hash table finds duplicates */ };

typedef struct parser {
    const char *start, *p, *end;
    arena *a;
    err *e;
    unsigned depth;
    bool python; /* Infinity and NaN are numbers */
} parser;

static status parse_value(parser *ps, json *v);

#define FAIL_AT(ps, at, ...) parse_error("JSON", (ps)->start, at, (ps)->e, __VA_ARGS__)

static status no_memory(const parser *ps) {
    return parse_no_memory("JSON", (size_t)(ps->end - ps->start), ps->e);
}

typedef struct shown {
    char text[24];
} shown;

/* What stands at `at`, for "expected ..., found ...". */
static shown show(const parser *ps, const char *at) {
    shown s = {"the end"};
    if (at >= ps->end) return s;
    uint32_t cp;
    const size_t n = utf8_decode((str){at, (size_t)(ps->end - at)}, &cp);
    if (cp == UTF8_BAD || cp < 0x20 || cp == 0x7F || cp == 0xFEFF)
        snprintf(s.text, sizeof s.text, "byte 0x%02x", (unsigned)(unsigned char)*at);
    else snprintf(s.text, sizeof s.text, "'%.*s'", (int)n, at);
    return s;
}

static status expected(const parser *ps, const char *what) {
    return FAIL_AT(ps, ps->p, "expected %s, found %s", what, show(ps, ps->p).text);
}

static void skip_space(parser *ps) {
    while (ps->p < ps->end && (*ps->p == ' ' || *ps->p == '\n' || *ps->p == '\t' || *ps->p == '\r'))
        ps->p++;
}

static bool next_is(const parser *ps, char c) { return ps->p < ps->end && *ps->p == c; }

static size_t skip_digits(parser *ps) {
    const char *from = ps->p;
    while (ps->p < ps->end && *ps->p >= '0' && *ps->p <= '9') ps->p++;
    return (size_t)(ps->p - from);
}

static status parse_number(parser *ps, json *v) {
    const char *from = ps->p;
    if (next_is(ps, '-')) ps->p++;
    const bool zero = next_is(ps, '0');
    const size_t whole = skip_digits(ps);
    if (whole == 0) return expected(ps, "a digit after '-'");
    if (zero && whole > 1) return FAIL_AT(ps, from, "number with a leading zero");
    bool integer = true;
    if (next_is(ps, '.')) {
        ps->p++;
        integer = false;
        if (skip_digits(ps) == 0) return expected(ps, "a digit after '.'");
    }
    if (next_is(ps, 'e') || next_is(ps, 'E')) {
        ps->p++;
        integer = false;
        if (next_is(ps, '+') || next_is(ps, '-')) ps->p++;
        if (skip_digits(ps) == 0) return expected(ps, "a digit in the exponent");
    }
    const str text = {from, (size_t)(ps->p - from)};
    int64_t i = 0;
    /* Fifteen digits are exact in a double. Zero goes the long way for the sign of "-0". */
    if (integer && whole <= 15 && str_i64(text, &i) && i != 0) v->number = (double)i;
    else if (!str_f64(text, &v->number))
        return FAIL_AT(ps, from, "number %.*s is out of range or too long",
                       (int)(text.len < 40 ? text.len : 40), text.p);
    v->kind = JSON_NUMBER;
    v->text = text;
    return RZ_OK;
}

/* Four hexadecimal digits at p. */
static bool hex4(const parser *ps, const char *p, uint32_t *out) {
    uint32_t v = 0;
    if (ps->end - p < 4) return false;
    for (int i = 0; i < 4; i++) {
        const int digit = str_hex_digit(p[i]);
        if (digit < 0) return false;
        v = v << 4 | (uint32_t)digit;
    }
    *out = v;
    return true;
}

/* ps->p is at the backslash of \uXXXX; a high surrogate must be followed by its low one. */
static status unicode_escape(parser *ps, uint32_t *cp) {
    uint32_t hi, lo;
    if (!hex4(ps, ps->p + 2, &hi)) return FAIL_AT(ps, ps->p, "expected four hex digits after \\u");
    if (hi < 0xD800 || hi > 0xDFFF) {
        *cp = hi;
        ps->p += 6;
        return RZ_OK;
    }
    if (hi >= 0xDC00 || ps->end - ps->p < 12 || ps->p[6] != '\\' || ps->p[7] != 'u' ||
        !hex4(ps, ps->p + 8, &lo) || lo < 0xDC00 || lo > 0xDFFF)
        return FAIL_AT(ps, ps->p, "lone surrogate \\u%04x", (unsigned)hi);
    *cp = 0x10000 + ((hi - 0xD800) << 10) + (lo - 0xDC00);
    ps->p += 12;
    return RZ_OK;
}

/* Check the string whose first character is at ps->p up to its closing quote. *to, if not NULL,
 * receives the decoded bytes and moves on; ps->p is left behind the quote. */
static status scan_string(parser *ps, char *to, size_t *len, bool *escaped) {
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    size_t n = 0;
    *escaped = false;
    for (;;) {
        if (ps->p >= ps->end) return FAIL_AT(ps, ps->p, "string without closing quote");
        const unsigned char c = (unsigned char)*ps->p;
        char bytes[4];
        const char *from = ps->p;
        size_t k = 1;
        if (c == '"') break;
        if (c == '\\') {
            const char letter = ps->end - ps->p > 1 ? ps->p[1] : 0;
            const char *at = letter ? strchr(letters, letter) : NULL;
            uint32_t cp = 0;
            *escaped = true;
            if (letter == 'u') {
                TRY(unicode_escape(ps, &cp));
            } else if (at) {
                cp = (unsigned char)meant[at - letters];
                ps->p += 2;
            } else {
                ps->p++;
                return expected(ps, "an escape character after '\\'");
            }
            k = utf8_encode(cp, bytes);
            from = bytes;
        } else if (c >= 0x80) {
            uint32_t cp;
            k = utf8_decode((str){ps->p, (size_t)(ps->end - ps->p)}, &cp);
            if (cp == UTF8_BAD) return FAIL_AT(ps, ps->p, "byte 0x%02x is not valid UTF-8", c);
            ps->p += k;
        } else if (c < 0x20) {
            return FAIL_AT(ps, ps->p, "control character 0x%02x in a string", c);
        } else {
            ps->p++;
        }
        if (to) memcpy(to + n, from, k);
        n += k;
    }
    ps->p++;
    *len = n;
    return RZ_OK;
}

/* ps->p is at the opening quote. A string with escapes is measured first, then decoded. */
static status parse_string(parser *ps, str *out) {
    const char *first = ++ps->p;
    size_t len = 0;
    bool escaped = false;
    TRY(scan_string(ps, NULL, &len, &escaped));
    if (!escaped) {
        *out = (str){first, len};
        return RZ_OK;
    }
    char *to = arena_alloc(ps->a, len);
    if (!to) return no_memory(ps);
    ps->p = first;
    TRY(scan_string(ps, to, &len, &escaped));
    *out = (str){to, len};
    return RZ_OK;
}

static status parse_word(parser *ps, json *v, const char *word) {
    const size_t len = strlen(word);
    if ((size_t)(ps->end - ps->p) < len || memcmp(ps->p, word, len) != 0)
        return FAIL_AT(ps, ps->p, "expected a value, found %s which is not \"%s\"",
                       show(ps, ps->p).text, word);
    ps->p += len;
    v->kind = word[0] == 'n' ? JSON_NULL : JSON_BOOL;
    v->truth = word[0] == 't';
    return RZ_OK;
}

/* Is this one of the words Python writes for numbers that JSON cannot spell? */
static bool parse_non_finite(parser *ps, json *v) {
    static const struct {
        str word;
        double value;
    } words[] = {{{"Infinity", 8}, (double)INFINITY},
                 {{"-Infinity", 9}, (double)-INFINITY},
                 {{"NaN", 3}, (double)NAN}};
    const str rest = {ps->p, (size_t)(ps->end - ps->p)};
    for (size_t i = 0; ps->python && i < sizeof words / sizeof *words; i++) {
        if (!str_starts(rest, words[i].word)) continue;
        v->kind = JSON_NUMBER;
        v->number = words[i].value;
        v->text = (str){ps->p, words[i].word.len};
        ps->p += v->text.len;
        return true;
    }
    return false;
}

/* Append an element to v; *link is where the pointer to it goes. */
static json *append(parser *ps, json *v, json ***link) {
    if (v->n == UINT32_MAX) return NULL;
    json *item = arena_zero(ps->a, 1, sizeof *item);
    if (!item) return NULL;
    **link = item;
    *link = &item->next;
    v->n++;
    return item;
}

static status parse_array(parser *ps, json *v) {
    json **link = &v->child;
    v->kind = JSON_ARRAY;
    ps->p++;
    skip_space(ps);
    if (next_is(ps, ']')) {
        ps->p++;
        return RZ_OK;
    }
    for (;;) {
        json *item = append(ps, v, &link);
        if (!item) return no_memory(ps);
        TRY(parse_value(ps, item));
        skip_space(ps);
        if (next_is(ps, ']')) break;
        if (!next_is(ps, ',')) return expected(ps, "',' or ']'");
        ps->p++;
    }
    ps->p++;
    return RZ_OK;
}

/* Is `item`, the newest member of obj, a second one of its name? */
static map_put_result register_key(const json *obj, const json *item, map *seen) {
    if (obj->n < COMPARE_MEMBERS) {
        for (const json *m = obj->child; m != item; m = m->next)
            if (str_eq(m->key, item->key)) return MAP_EXISTS;
        return MAP_NEW;
    }
    if (seen->n == 0) {
        for (const json *m = obj->child; m != item; m = m->next)
            if (map_put(seen, m->key, 0) == MAP_NOMEM) return MAP_NOMEM;
    }
    return map_put(seen, item->key, 0);
}

static status parse_members(parser *ps, json *v, map *seen) {
    json **link = &v->child;
    for (;;) {
        skip_space(ps);
        const char *at = ps->p;
        if (!next_is(ps, '"')) return expected(ps, "a key in quotes");
        str key = {NULL, 0};
        TRY(parse_string(ps, &key));
        json *item = append(ps, v, &link);
        if (!item) return no_memory(ps);
        item->key = key;
        const map_put_result r = register_key(v, item, seen);
        if (r == MAP_NOMEM) return no_memory(ps);
        if (r == MAP_EXISTS)
            return FAIL_AT(ps, at, "key \"%.*s\" is given twice",
                           (int)(key.len < 80 ? key.len : 80), key.p);
        skip_space(ps);
        if (!next_is(ps, ':')) return expected(ps, "':' after the key");
        ps->p++;
        TRY(parse_value(ps, item));
        skip_space(ps);
        if (next_is(ps, '}')) break;
        if (!next_is(ps, ',')) return expected(ps, "',' or '}'");
        ps->p++;
    }
    ps->p++;
    return RZ_OK;
}

static status parse_object(parser *ps, json *v) {
    v->kind = JSON_OBJECT;
    ps->p++;
    skip_space(ps);
    if (next_is(ps, '}')) {
        ps->p++;
        return RZ_OK;
    }
    map seen = MAP_INIT;
    const status s = parse_members(ps, v, &seen);
    map_free(&seen);
    return s;
}

static status parse_value(parser *ps, json *v) {
    skip_space(ps);
    if (ps->p >= ps->end) return expected(ps, "a value");
    const char c = *ps->p;
    if (parse_non_finite(ps, v)) return RZ_OK;
    switch (c) {
        case '{':
        case '[': {
            if (ps->depth == JSON_MAX_DEPTH)
                return FAIL_AT(ps, ps->p, "nested deeper than %d levels", JSON_MAX_DEPTH);
            ps->depth++;
            const status s = c == '{' ? parse_object(ps, v) : parse_array(ps, v);
            ps->depth--;
            return s;
        }
        case '"':
            v->kind = JSON_STRING;
            return parse_string(ps, &v->text);
        case 't':
            return parse_word(ps, v, "true");
        case 'f':
            return parse_word(ps, v, "false");
        case 'n':
            return parse_word(ps, v, "null");
        default:
            if (c == '-' || (c >= '0' && c <= '9')) return parse_number(ps, v);
            return expected(ps, "a value");
    }
}

static status parse(json **out, str text, bool python, arena *a, err *e) {
    const char *start = text.len ? text.p : "";
    parser ps = {start, start, start + text.len, a, e, 0, python};
    if (str_starts(text, STR_LIT("\xEF\xBB\xBF")))
        return FAIL_AT(&ps, start, "expected a value, found a byte order mark");
    json *v = arena_zero(a, 1, sizeof *v);
    if (!v) return no_memory(&ps);
    TRY(parse_value(&ps, v));
    skip_space(&ps);
    if (ps.p < ps.end) return expected(&ps, "the end after the value");
    *out = v;
    return RZ_OK;
}

status json_parse(json **out, str text, arena *a, err *e) { return parse(out, text, false, a, e); }

status json_parse_python(json **out, str text, arena *a, err *e) {
    return parse(out, text, true, a, e);
}

const json *json_get(const json *obj, const char *key) {
    if (!obj || obj->kind != JSON_OBJECT) return NULL;
    const str want = str_of(key);
    for (const json *m = obj->child; m; m = m->next)
        if (str_eq(m->key, want)) return m;
    return NULL;
}

bool json_int(const json *v, int64_t min, int64_t max, int64_t *out) {
    if (!v || v->kind != JSON_NUMBER) return false;
    int64_t i;
    if (!str_i64(v->text, &i)) {
        /* "1e3" and "5.0" are integers too; past 2^53 the double has lost the digits. */
        if (!(fabs(v->number) <= 9007199254740992.0) || v->number != floor(v->number)) return false;
        i = (int64_t)v->number;
    }
    if (i < min || i > max) return false;
    *out = i;
    return true;
}

const char *json_kind_name(json_kind k) {
    static const char *const names[] = {"null", "boolean", "number", "string", "array", "object"};
    return (unsigned)k < sizeof names / sizeof *names ? names[k] : "?";
}
