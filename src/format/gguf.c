/* gguf.c - reads GGUF v2 and v3, which differ in nothing a little-endian reader sees.
 *
 *   | "GGUF" | u32 version | u64 n_tensor | u64 n_kv | n_kv keys | n_tensor tensors | pad | data |
 *   key     u64 len, name | u32 type | value
 *   string  u64 len, bytes
 *   array   u32 type of elements | u64 n | elements
 *   tensor  u64 len, name | u32 n_dims | u64 dim[n_dims] | u32 type | u64 offset into data
 *
 * Nothing in the file is believed. Every count is compared with the bytes that are left before
 * anything is allocated, and bytes that later entries need at the least are set aside (`reserved`),
 * so that the memory taken is at most a small multiple of the file whatever the counts say, and
 * nested counts cannot each claim the same bytes. */
#include "format/gguf.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "unicode/utf8.h"

enum {
    HEADER_BYTES = 24,
    MIN_KV_BYTES = 8 + 1 + 4 + 1,             /* one-letter key, u8 value */
    MIN_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8, /* one-letter name, one dimension */
    MIN_STRING_BYTES = 8,
    MIN_ARRAY_BYTES = 12,
    MIN_ALIGNMENT = 8,
};

typedef struct reader {
    const char *path;
    const uint8_t *data;
    size_t len, pos;
    uint64_t reserved;  /* bytes that entries not yet begun need at the least */
    const char *entry;  /* what is being read, for error texts: "key", "tensor", NULL the header */
    str name;           /* its name once known */
    uint64_t number, n; /* until then: its number of how many */
    tensor_file *f;
    err *e;
} reader;

static status fail(const reader *r, status code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static status fail(const reader *r, status code, const char *fmt, ...) {
    char what[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    if (!r->entry) return err_set(r->e, code, "%.200s: %s", r->path, what);
    if (!r->name.p)
        return err_set(r->e, code, "%.200s: %s %" PRIu64 " of %" PRIu64 ": %s", r->path, r->entry,
                       r->number, r->n, what);
    return err_set(r->e, code, "%.200s: %s %.*s: %s", r->path, r->entry,
                   (int)(r->name.len < 120 ? r->name.len : 120), r->name.p, what);
}

static status no_memory(const reader *r) {
    return err_set(r->e, RZ_ENOMEM, "%.200s: out of memory for the header", r->path);
}

/* The next n bytes. */
static status take(reader *r, uint64_t n, const char *what, const uint8_t **out) {
    const size_t left = r->len - r->pos;
    if (n > left)
        return fail(r, RZ_EFORMAT,
                    "the file ends inside %s: %" PRIu64 " bytes at byte %zu, only %zu are left",
                    what, n, r->pos, left);
    *out = r->data + r->pos;
    r->pos += (size_t)n;
    return RZ_OK;
}

static status take_u32(reader *r, const char *what, uint32_t *out) {
    const uint8_t *p = r->data;
    TRY(take(r, sizeof *out, what, &p));
    memcpy(out, p, sizeof *out);
    return RZ_OK;
}

static status take_u64(reader *r, const char *what, uint64_t *out) {
    const uint8_t *p = r->data;
    TRY(take(r, sizeof *out, what, &p));
    memcpy(out, p, sizeof *out);
    return RZ_OK;
}

static status take_text(reader *r, const char *what, str *out) {
    uint64_t len;
    const uint8_t *p = r->data;
    TRY(take_u64(r, what, &len));
    TRY(take(r, len, what, &p));
    *out = (str){(const char *)p, (size_t)len};
    return RZ_OK;
}

/* Can n entries of at least `each` bytes still follow, with what is set aside for others? */
static status check_room(const reader *r, const char *what, uint64_t n, uint64_t each) {
    const uint64_t left = r->len - r->pos;
    const uint64_t room = left > r->reserved ? left - r->reserved : 0;
    if (n <= room / each) return RZ_OK;
    return fail(r, RZ_EFORMAT,
                "%" PRIu64 " %s need %" PRIu64 " bytes each, only %" PRIu64 " bytes are left", n,
                what, each, room);
}

/* A key or tensor name: text that can be shown and compared as a C string. */
static status take_name(reader *r, str *out) {
    str s = {"", 0};
    TRY(take_text(r, "the name", &s));
    if (s.len == 0) return fail(r, RZ_EFORMAT, "the name is empty");
    if (s.len > GGUF_MAX_NAME)
        return fail(r, RZ_EFORMAT, "the name is %zu bytes long, expected at most %d", s.len,
                    GGUF_MAX_NAME);
    if (utf8_valid(s) != s.len || memchr(s.p, 0, s.len))
        return fail(r, RZ_EFORMAT, "the name is not UTF-8 text");
    const char *copy = arena_copy(&r->f->mem, s.p, s.len);
    if (!copy) return no_memory(r);
    *out = (str){copy, s.len};
    return RZ_OK;
}

static status check_bools(const reader *r, const uint8_t *p, uint64_t n) {
    for (uint64_t i = 0; i < n; i++)
        if (p[i] > 1) return fail(r, RZ_EFORMAT, "a bool is %u, expected 0 or 1", p[i]);
    return RZ_OK;
}

static status take_value(reader *r, uint32_t type, meta_value *out, unsigned depth);

static status take_strings(reader *r, uint64_t n, const str **out) {
    TRY(check_room(r, "strings", n, MIN_STRING_BYTES));
    str *s = arena_alloc(&r->f->mem, (size_t)n * sizeof *s);
    if (!s) return no_memory(r);
    for (uint64_t i = 0; i < n; i++) TRY(take_text(r, "a string", &s[i]));
    *out = s;
    return RZ_OK;
}

static status take_items(reader *r, uint64_t n, const meta_value **out, unsigned depth) {
    TRY(check_room(r, "arrays", n, MIN_ARRAY_BYTES));
    meta_value *v = arena_zero(&r->f->mem, (size_t)n, sizeof *v);
    if (!v) return no_memory(r);
    r->reserved += n * MIN_ARRAY_BYTES;
    for (uint64_t i = 0; i < n; i++) {
        r->reserved -= MIN_ARRAY_BYTES;
        TRY(take_value(r, META_ARRAY, &v[i], depth + 1));
    }
    *out = v;
    return RZ_OK;
}

static status take_array(reader *r, meta_value *out, unsigned depth) {
    uint32_t elem;
    uint64_t n;
    if (depth >= GGUF_MAX_DEPTH)
        return fail(r, RZ_EFORMAT, "arrays nested deeper than %d", GGUF_MAX_DEPTH);
    TRY(take_u32(r, "the type of an array", &elem));
    if (elem >= META_TYPE_COUNT)
        return fail(r, RZ_EFORMAT, "an array of elements of type %u, expected 0 to %d", elem,
                    META_TYPE_COUNT - 1);
    TRY(take_u64(r, "the length of an array", &n));
    out->type = META_ARRAY;
    out->a.elem = (meta_type)elem;
    out->a.n = n;
    out->a.packed = NULL;
    out->a.strings = NULL;
    out->a.items = NULL;
    if (elem == META_STRING) return take_strings(r, n, &out->a.strings);
    if (elem == META_ARRAY) return take_items(r, n, &out->a.items, depth);
    const size_t each = meta_type_bytes((meta_type)elem);
    TRY(check_room(r, "array elements", n, each));
    const uint8_t *p = r->data;
    TRY(take(r, n * each, "an array", &p));
    out->a.packed = p;
    return elem == META_BOOL ? check_bools(r, p, n) : RZ_OK;
}

static status take_value(reader *r, uint32_t type, meta_value *out, unsigned depth) {
    const uint8_t *p = r->data;
    if (type >= META_TYPE_COUNT)
        return fail(r, RZ_EFORMAT, "has type %u, expected 0 to %d", type, META_TYPE_COUNT - 1);
    out->type = (meta_type)type;
    if (type == META_STRING) return take_text(r, "a string", &out->s);
    if (type == META_ARRAY) return take_array(r, out, depth);
    TRY(take(r, meta_type_bytes(out->type), "the value", &p));
    if (type == META_BOOL) TRY(check_bools(r, p, 1));
    *out = meta_load(out->type, p);
    return RZ_OK;
}

/* Remember the newest entry under its name. */
static status index_name(const reader *r, map *index, uint64_t at) {
    switch (map_put(index, r->name, at)) {
        case MAP_EXISTS:
            return fail(r, RZ_EFORMAT, "is given twice");
        case MAP_NOMEM:
            return no_memory(r);
        case MAP_NEW:
            break;
    }
    return RZ_OK;
}

static status read_keys(reader *r, uint64_t n) {
    tensor_file *f = r->f;
    f->kv = arena_zero(&f->mem, (size_t)n, sizeof *f->kv);
    if (!f->kv) return no_memory(r);
    r->entry = "key";
    r->n = n;
    for (uint64_t i = 0; i < n; i++) {
        meta_kv *kv = &f->kv[i];
        uint32_t type;
        r->name = (str){NULL, 0};
        r->number = i + 1;
        r->reserved -= MIN_KV_BYTES;
        TRY(take_name(r, &kv->key));
        r->name = kv->key;
        TRY(index_name(r, &f->kv_index, i));
        TRY(take_u32(r, "the type", &type));
        TRY(take_value(r, type, &kv->value, 0));
        f->n_kv = (size_t)i + 1;
    }
    r->entry = NULL;
    return RZ_OK;
}

static status take_shape(reader *r, tensor_info *t) {
    TRY(take_u32(r, "the number of dimensions", &t->n_dims));
    if (t->n_dims < 1 || t->n_dims > TENSOR_MAX_DIMS)
        return fail(r, RZ_EFORMAT, "has %u dimensions, expected 1 to %d", t->n_dims,
                    TENSOR_MAX_DIMS);
    t->n = 1;
    for (unsigned i = 0; i < TENSOR_MAX_DIMS; i++) {
        t->dim[i] = 1;
        if (i >= t->n_dims) continue;
        TRY(take_u64(r, "a dimension", &t->dim[i]));
        if (t->dim[i] == 0) return fail(r, RZ_EFORMAT, "dimension %u is 0", i);
        if (t->dim[i] > INT64_MAX || __builtin_mul_overflow(t->n, t->dim[i], &t->n) ||
            t->n > INT64_MAX)
            return fail(r, RZ_EFORMAT, "dimension %u is %" PRIu64 ", which makes too many values",
                        i, t->dim[i]);
    }
    return RZ_OK;
}

static status take_type(reader *r, tensor_info *t) {
    uint32_t id;
    uint64_t row;
    TRY(take_u32(r, "the type", &id));
    const quant_info *q = quant_get(id);
    if (!q->name || id >= QUANT_GGML_COUNT)
        return fail(r, RZ_EUNSUPPORTED, "has the unknown type id %u", id);
    t->type = (quant_type)id;
    if (t->dim[0] % q->block != 0)
        return fail(r, RZ_EFORMAT, "rows of %" PRIu64 " values, expected a multiple of %u for %s",
                    t->dim[0], q->block, q->name);
    if (!quant_row_bytes(t->type, t->dim[0], &row) ||
        __builtin_mul_overflow(row, t->n / t->dim[0], &t->bytes))
        return fail(r, RZ_EFORMAT, "%" PRIu64 " values of type %s are too many bytes", t->n,
                    q->name);
    return RZ_OK;
}

typedef struct span {
    uint64_t offset, bytes;
    uint64_t tensor;
} span;

static status read_tensors(reader *r, uint64_t n, span *spans) {
    tensor_file *f = r->f;
    f->tensor = arena_zero(&f->mem, (size_t)n, sizeof *f->tensor);
    if (!f->tensor) return no_memory(r);
    r->entry = "tensor";
    r->n = n;
    for (uint64_t i = 0; i < n; i++) {
        tensor_info *t = &f->tensor[i];
        r->name = (str){NULL, 0};
        r->number = i + 1;
        r->reserved -= MIN_TENSOR_BYTES;
        TRY(take_name(r, &t->name));
        r->name = t->name;
        TRY(index_name(r, &f->tensor_index, i));
        TRY(take_shape(r, t));
        TRY(take_type(r, t));
        TRY(take_u64(r, "the offset", &spans[i].offset));
        spans[i].bytes = t->bytes;
        spans[i].tensor = i;
        f->n_tensor = (size_t)i + 1;
    }
    r->entry = NULL;
    return RZ_OK;
}

static status find_alignment(const reader *r, uint64_t *out) {
    const meta_value *v = tensor_file_meta(r->f, "general.alignment");
    *out = GGUF_DEFAULT_ALIGNMENT;
    if (!v) return RZ_OK;
    if (v->type != META_U32)
        return fail(r, RZ_EFORMAT, "key general.alignment is of type %s, expected u32",
                    meta_type_name(v->type));
    const uint64_t a = v->u;
    if (a < MIN_ALIGNMENT || a > GGUF_MAX_ALIGNMENT || (a & (a - 1)) != 0)
        return fail(r, RZ_EFORMAT,
                    "key general.alignment is %" PRIu64 ", expected a power of two from %d to %d",
                    a, MIN_ALIGNMENT, GGUF_MAX_ALIGNMENT);
    *out = a;
    return RZ_OK;
}

static int by_offset(const void *a, const void *b) {
    const span *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return x->tensor < y->tensor ? -1 : x->tensor > y->tensor;
}

static status check_overlaps(const reader *r, span *spans, size_t n) {
    bool sorted = true; /* as writers leave them */
    for (size_t i = 1; i < n && sorted; i++) sorted = spans[i - 1].offset < spans[i].offset;
    if (!sorted) qsort(spans, n, sizeof *spans, by_offset);
    for (size_t i = 1; i < n; i++) {
        const span *a = &spans[i - 1], *b = &spans[i];
        if (b->offset - a->offset >= a->bytes) continue;
        return fail(r, RZ_EFORMAT,
                    "tensors %.60s and %.60s overlap: %" PRIu64 " bytes at offset %" PRIu64
                    ", the next at %" PRIu64,
                    r->f->tensor[a->tensor].name.p, r->f->tensor[b->tensor].name.p, a->bytes,
                    a->offset, b->offset);
    }
    return RZ_OK;
}

/* Offsets count from the first multiple of the alignment behind the descriptions. */
static status place_tensors(reader *r, span *spans, uint64_t alignment) {
    tensor_file *f = r->f;
    const uint64_t start = (r->pos + alignment - 1) / alignment * alignment;
    const uint64_t room = start < r->len ? r->len - start : 0;
    r->entry = "tensor";
    for (size_t i = 0; i < f->n_tensor; i++) {
        const span *s = &spans[i];
        r->name = f->tensor[i].name;
        if (s->offset % alignment != 0)
            return fail(r, RZ_EFORMAT,
                        "offset %" PRIu64 " is no multiple of the alignment %" PRIu64, s->offset,
                        alignment);
        if (s->offset > room || s->bytes > room - s->offset)
            return fail(r, RZ_EFORMAT,
                        "%" PRIu64 " bytes at offset %" PRIu64
                        " lie outside the file, which has "
                        "%" PRIu64 " bytes of data",
                        s->bytes, s->offset, room);
        f->tensor[i].data = r->data + start + s->offset;
    }
    r->entry = NULL;
    return check_overlaps(r, spans, f->n_tensor);
}

bool gguf_is(str bytes) { return str_starts(bytes, STR_LIT("GGUF")); }

static status read_header(reader *r, uint64_t *n_tensor, uint64_t *n_kv) {
    const uint8_t *magic = r->data;
    uint32_t version;
    TRY(take(r, 4, "the header", &magic));
    if (memcmp(magic, "GGUF", 4) != 0) return fail(r, RZ_EFORMAT, "not a GGUF file");
    TRY(take_u32(r, "the header", &version));
    if (version != 0 && (version & 0xFFFF) == 0)
        return fail(r, RZ_EUNSUPPORTED,
                    "a GGUF file of a big-endian machine (version reads 0x%08x)", version);
    if (version != 2 && version != 3)
        return fail(r, RZ_EUNSUPPORTED, "GGUF version %u, expected 2 or 3", version);
    r->f->format = version == 2 ? "GGUF v2" : "GGUF v3";
    TRY(take_u64(r, "the header", n_tensor));
    TRY(take_u64(r, "the header", n_kv));
    if (*n_tensor > GGUF_MAX_COUNT)
        return fail(r, RZ_EFORMAT, "the header counts %" PRIu64 " tensors, expected at most %d",
                    *n_tensor, GGUF_MAX_COUNT);
    if (*n_kv > GGUF_MAX_COUNT)
        return fail(r, RZ_EFORMAT, "the header counts %" PRIu64 " keys, expected at most %d", *n_kv,
                    GGUF_MAX_COUNT);
    TRY(check_room(r, "tensors", *n_tensor, MIN_TENSOR_BYTES));
    r->reserved = *n_tensor * MIN_TENSOR_BYTES;
    TRY(check_room(r, "keys", *n_kv, MIN_KV_BYTES));
    r->reserved += *n_kv * MIN_KV_BYTES;
    return RZ_OK;
}

status gguf_parse(tensor_file *f, const char *path, const uint8_t *data, size_t len, err *e) {
    reader r = {.path = path, .data = data, .len = len, .f = f, .e = e};
    uint64_t n_tensor = 0, n_kv = 0, alignment = 0;
    if (len < HEADER_BYTES)
        return fail(&r, RZ_EFORMAT,
                    "the file ends inside the header: %zu bytes, expected at least %d", len,
                    HEADER_BYTES);
    TRY(read_header(&r, &n_tensor, &n_kv));
    TRY(read_keys(&r, n_kv));
    TRY(find_alignment(&r, &alignment));
    span *spans = mem_array((size_t)n_tensor, sizeof *spans);
    if (!spans) return no_memory(&r);
    status s = read_tensors(&r, n_tensor, spans);
    if (s >= 0) s = place_tensors(&r, spans, alignment);
    mem_free(spans);
    return s;
}
