/* msgpack.c - MessagePack, bounds-checked: every length is held against the bytes that are left. */
#include "format/msgpack.h"

#include <math.h>
#include <stdio.h>

enum { MAX_DEPTH = 32, MAX_KEYS = 4096 }; /* keys are compared with one another */

typedef struct cursor {
    const uint8_t *p;
    size_t at, len;
    arena *mem;
} cursor;

static status no_memory(err *e) { return err_set(e, RZ_ENOMEM, "out of memory for metadata"); }

/* n bytes, big-endian. */
static status take(cursor *c, unsigned n, uint64_t *out, err *e) {
    uint64_t v = 0;
    if (c->len - c->at < n)
        return err_set(e, RZ_EFORMAT, "metadata ends inside the value at byte %zu", c->at);
    for (unsigned i = 0; i < n; i++) v = v << 8 | c->p[c->at++];
    *out = v;
    return RZ_OK;
}

static status take_str(cursor *c, uint64_t len, str *out, err *e) {
    if (len > c->len - c->at)
        return err_set(e, RZ_EFORMAT, "metadata: a text of %llu bytes at byte %zu is too long",
                       (unsigned long long)len, c->at);
    *out = (str){(const char *)c->p + c->at, (size_t)len};
    c->at += (size_t)len;
    return RZ_OK;
}

static status put_number(cursor *c, json *v, double number, const char *text, err *e) {
    const size_t len = strlen(text);
    v->kind = isfinite(number) ? JSON_NUMBER : JSON_NULL;
    v->number = isfinite(number) ? number : 0;
    v->text.p = arena_copy(c->mem, text, len);
    v->text.len = len;
    return v->text.p ? RZ_OK : no_memory(e);
}

static status put_unsigned(cursor *c, json *v, uint64_t n, err *e) {
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    return put_number(c, v, (double)n, text, e);
}

static status put_signed(cursor *c, json *v, int64_t n, err *e) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)n);
    return put_number(c, v, (double)n, text, e);
}

static status put_float(cursor *c, json *v, double n, err *e) {
    char text[40];
    snprintf(text, sizeof text, "%.17g", n);
    return put_number(c, v, n, text, e);
}

static status put_bin(cursor *c, json *v, uint64_t len, err *e) {
    static const char digit[] = "0123456789abcdef";
    str s = {0};
    TRY(take_str(c, len, &s, e));
    char *text = arena_alloc(c->mem, 2 * s.len + 1);
    if (!text) return no_memory(e);
    for (size_t i = 0; i < s.len; i++) {
        text[2 * i] = digit[(uint8_t)s.p[i] >> 4];
        text[2 * i + 1] = digit[s.p[i] & 15];
    }
    v->kind = JSON_STRING;
    v->text = (str){text, 2 * s.len};
    return RZ_OK;
}

static status value(cursor *c, json **out, int depth, err *e);

static status put_key(cursor *c, json *map, str *key, err *e) {
    json *k;
    const size_t at = c->at;
    TRY(value(c, &k, MAX_DEPTH, e));
    if (k->kind != JSON_STRING)
        return err_set(e, RZ_EFORMAT, "metadata: the key at byte %zu is %s, expected a string", at,
                       json_kind_name(k->kind));
    for (const json *m = map->child; m; m = m->next)
        if (str_eq(m->key, k->text))
            return err_set(e, RZ_EFORMAT, "metadata: key \"%.*s\" is there twice",
                           STR_FMT(k->text));
    key->p = arena_copy(c->mem, k->text.p, k->text.len);
    key->len = k->text.len;
    return key->p ? RZ_OK : no_memory(e);
}

static status put_list(cursor *c, json *v, json_kind kind, uint64_t n, int depth, err *e) {
    json **end = &v->child;
    v->kind = kind;
    if (depth >= MAX_DEPTH)
        return err_set(e, RZ_EFORMAT, "metadata is nested over %d deep", MAX_DEPTH);
    if (n > c->len - c->at)
        return err_set(e, RZ_EFORMAT, "metadata: %llu entries at byte %zu do not fit",
                       (unsigned long long)n, c->at);
    if (kind == JSON_OBJECT && n > MAX_KEYS)
        return err_set(e, RZ_EFULL, "metadata: a map of %llu keys, at most %d are read",
                       (unsigned long long)n, MAX_KEYS);
    for (uint64_t i = 0; i < n; i++) {
        str key = {0};
        json *item = NULL;
        if (kind == JSON_OBJECT) TRY(put_key(c, v, &key, e));
        TRY(value(c, &item, depth + 1, e));
        item->key = key;
        *end = item;
        end = &item->next;
    }
    v->n = (uint32_t)n;
    return RZ_OK;
}

/* The types of one byte that hold a length of 2^k bytes in front: bin, ext, str, array, map. */
static status sized(cursor *c, json *v, uint8_t tag, int depth, err *e) {
    uint64_t n = 0;
    if (tag >= 0xc4 && tag <= 0xc6) { /* bin 8, 16, 32 */
        TRY(take(c, 1u << (tag - 0xc4), &n, e));
        return put_bin(c, v, n, e);
    }
    if (tag >= 0xd9 && tag <= 0xdb) { /* str 8, 16, 32 */
        TRY(take(c, 1u << (tag - 0xd9), &n, e));
        v->kind = JSON_STRING;
        return take_str(c, n, &v->text, e);
    }
    if (tag >= 0xdc) { /* array 16, 32, map 16, 32 */
        TRY(take(c, tag & 1 ? 4 : 2, &n, e));
        return put_list(c, v, tag >= 0xde ? JSON_OBJECT : JSON_ARRAY, n, depth, e);
    }
    if (tag >= 0xc7 && tag <= 0xc9) TRY(take(c, 1u << (tag - 0xc7), &n, e)); /* ext 8, 16, 32 */
    else n = (uint64_t)1 << ((tag - 0xd4u) & 7);                             /* fixext 1 .. 16 */
    str skipped = {0};
    return take_str(c, n + 1, &skipped, e);
}

static status fixed(cursor *c, json *v, uint8_t tag, int depth, err *e) {
    uint64_t n = 0;
    if (tag == 0xc2 || tag == 0xc3) {
        v->kind = JSON_BOOL;
        v->truth = tag == 0xc3;
        return RZ_OK;
    }
    if (tag == 0xca) {
        float f;
        TRY(take(c, 4, &n, e));
        const uint32_t bits = (uint32_t)n;
        memcpy(&f, &bits, sizeof f);
        return put_float(c, v, (double)f, e);
    }
    if (tag == 0xcb) {
        double d;
        TRY(take(c, 8, &n, e));
        memcpy(&d, &n, sizeof d);
        return put_float(c, v, d, e);
    }
    if (tag >= 0xcc && tag <= 0xcf) {
        TRY(take(c, 1u << (tag - 0xcc), &n, e));
        return put_unsigned(c, v, n, e);
    }
    if (tag >= 0xd0 && tag <= 0xd3) {
        static const uint64_t sign[] = {0x80, 0x8000, 0x80000000, 0x8000000000000000};
        TRY(take(c, 1u << (tag & 3), &n, e));
        return put_signed(c, v, (int64_t)((n ^ sign[tag & 3]) - sign[tag & 3]), e);
    }
    return sized(c, v, tag, depth, e);
}

static status value(cursor *c, json **out, int depth, err *e) {
    uint64_t tag = 0;
    json *v = arena_zero(c->mem, 1, sizeof *v);
    if (!v) return no_memory(e);
    *out = v;
    TRY(take(c, 1, &tag, e));
    if (tag < 0x80) return put_unsigned(c, v, tag, e);
    if (tag < 0x90) return put_list(c, v, JSON_OBJECT, tag & 15, depth, e);
    if (tag < 0xa0) return put_list(c, v, JSON_ARRAY, tag & 15, depth, e);
    if (tag < 0xc0) {
        v->kind = JSON_STRING;
        return take_str(c, tag & 31, &v->text, e);
    }
    if (tag >= 0xe0) return put_signed(c, v, (int64_t)tag - 256, e);
    if (tag == 0xc0) return RZ_OK; /* null */
    if (tag == 0xc1)
        return err_set(e, RZ_EFORMAT, "metadata: byte %zu is c1, which is no MessagePack",
                       c->at - 1);
    return fixed(c, v, (uint8_t)tag, depth, e);
}

status msgpack_parse(json **out, str bytes, arena *a, err *e) {
    cursor c = {(const uint8_t *)bytes.p, 0, bytes.len, a};
    json *v = NULL;
    TRY(value(&c, &v, 0, e));
    if (c.at != c.len)
        return err_set(e, RZ_EFORMAT, "metadata: %zu bytes are left over behind its value",
                       c.len - c.at);
    *out = v;
    return RZ_OK;
}

static void put_be(buf *b, uint32_t n, int bytes) {
    while (bytes-- > 0) buf_char(b, (char)(n >> 8 * bytes));
}

static void put_head(buf *b, uint8_t small, uint8_t large, uint32_t n) {
    if (n < 16) {
        buf_char(b, (char)(small | n));
    } else {
        buf_char(b, (char)(large + (n > 0xffff)));
        put_be(b, n, n > 0xffff ? 4 : 2);
    }
}

void msgpack_map(buf *b, uint32_t n) { put_head(b, 0x80, 0xde, n); }
void msgpack_array(buf *b, uint32_t n) { put_head(b, 0x90, 0xdc, n); }

void msgpack_str(buf *b, str s) {
    const uint32_t n = (uint32_t)s.len;
    if (n < 32) {
        buf_char(b, (char)(0xa0 | n));
    } else {
        const int bytes = n < 256 ? 1 : n < 65536 ? 2 : 4;
        buf_char(b, (char)(bytes == 1 ? 0xd9 : bytes == 2 ? 0xda : 0xdb));
        put_be(b, n, bytes);
    }
    buf_str(b, s);
}
