/* safetensors.c - reads one safetensors file where it lies in memory.
 *
 *   | u64 n | n bytes of JSON | data |
 *   {"__metadata__": {"format": "pt"},
 *    "name": {"dtype": "F32", "shape": [out, in], "data_offsets": [begin, end]}, ...}
 *
 * Offsets count from the end of the header. The tensors must fill the data from its first byte to
 * its last without overlap or hole, as the reference reader demands: nothing can hide in the file.
 * Shapes are written slowest dimension first and turned round here. The header may have any length,
 * so no tensor's address is aligned. The memory taken is at most a small multiple of the header. */
#include "format/safetensors.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "format/hf_dir.h"

enum {
    LENGTH_BYTES = 8,
    /* A tensor with one-letter name and four dimensions is 58 bytes of text and ten JSON values. */
    TREE_PER_BYTE = 16,
    TREE_BASE = 4096,
    MAX_NAME = 65535,
};

typedef struct reader {
    const char *path;
    const uint8_t *data; /* of the tensors */
    uint64_t len;
    tensor_file *f;
    err *e;
} reader;

/* Where a tensor lies, as the header says. */
typedef struct span {
    uint64_t begin, end;
    uint64_t tensor;
} span;

static status no_memory(const reader *r) {
    return err_set(r->e, RZ_ENOMEM, "%.200s: out of memory for the header", r->path);
}

static status fail(const reader *r, status code, str tensor, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static status fail(const reader *r, status code, str tensor, const char *fmt, ...) {
    char what[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return err_set(r->e, code, "%.200s: tensor %.*s: %s", r->path,
                   (int)(tensor.len < 120 ? tensor.len : 120), tensor.p, what);
}

static uint64_t header_bytes(const void *p) {
    uint64_t n;
    memcpy(&n, p, sizeof n);
    return n;
}

bool safetensors_is(str bytes) {
    return bytes.len > LENGTH_BYTES && bytes.p[LENGTH_BYTES] == '{' &&
           header_bytes(bytes.p) <= SAFETENSORS_MAX_HEADER;
}

/* ---- One tensor ---- */

static const quant_type dtypes[] = {QUANT_F32,     QUANT_BF16, QUANT_F16, QUANT_F64, QUANT_I64,
                                    QUANT_I32,     QUANT_I16,  QUANT_I8,  QUANT_U8,  QUANT_F8_E4M3,
                                    QUANT_F8_E5M2, QUANT_U16,  QUANT_U32, QUANT_U64, QUANT_BOOL};

/* Our names are those of the format. */
bool safetensors_has_type(quant_type t) {
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (dtypes[i] == t) return true;
    return false;
}

static status take_type(const reader *r, const json *entry, tensor_info *t) {
    const json *dtype = json_get(entry, "dtype");
    if (!dtype) return fail(r, RZ_EFORMAT, t->name, "dtype is missing");
    if (dtype->kind != JSON_STRING)
        return fail(r, RZ_EFORMAT, t->name, "dtype is %s, expected a string",
                    json_kind_name(dtype->kind));
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (!str_is(dtype->text, quant_get(dtypes[i])->name)) continue;
        t->type = dtypes[i];
        return RZ_OK;
    }
    return fail(r, RZ_EUNSUPPORTED, t->name, "has the unknown dtype \"%.*s\"",
                (int)(dtype->text.len < 40 ? dtype->text.len : 40), dtype->text.p);
}

/* A scalar, [], is read as one row of one value. */
static status take_shape(const reader *r, const json *entry, tensor_info *t) {
    const json *shape = json_get(entry, "shape");
    if (!shape) return fail(r, RZ_EFORMAT, t->name, "shape is missing");
    if (shape->kind != JSON_ARRAY)
        return fail(r, RZ_EFORMAT, t->name, "shape is %s, expected an array",
                    json_kind_name(shape->kind));
    if (shape->n > TENSOR_MAX_DIMS)
        return fail(r, RZ_EUNSUPPORTED, t->name, "has %u dimensions, expected at most %d", shape->n,
                    TENSOR_MAX_DIMS);
    t->n_dims = shape->n ? shape->n : 1;
    t->n = 1;
    for (uint32_t i = 0; i < TENSOR_MAX_DIMS; i++) t->dim[i] = 1;
    uint32_t at = shape->n;
    for (const json *v = shape->child; v; v = v->next) {
        int64_t dim;
        if (!json_int(v, 0, INT64_MAX, &dim))
            return fail(r, RZ_EFORMAT, t->name,
                        "shape holds %s %.*s, expected numbers of 0 or more",
                        json_kind_name(v->kind), (int)(v->text.len < 40 ? v->text.len : 40),
                        v->text.p ? v->text.p : "");
        if (dim == 0)
            return fail(r, RZ_EUNSUPPORTED, t->name, "has a dimension of 0, so it holds nothing");
        t->dim[--at] = (uint64_t)dim;
        if (__builtin_mul_overflow(t->n, (uint64_t)dim, &t->n) || t->n > INT64_MAX)
            return fail(r, RZ_EFORMAT, t->name, "its shape makes too many values");
    }
    if (__builtin_mul_overflow(t->n, (uint64_t)quant_get(t->type)->bytes, &t->bytes))
        return fail(r, RZ_EFORMAT, t->name, "%" PRIu64 " values of type %s are too many bytes",
                    t->n, quant_get(t->type)->name);
    return RZ_OK;
}

static status take_place(const reader *r, const json *entry, tensor_info *t, span *place) {
    const json *offsets = json_get(entry, "data_offsets");
    int64_t begin, end;
    if (!offsets) return fail(r, RZ_EFORMAT, t->name, "data_offsets is missing");
    if (offsets->kind != JSON_ARRAY || offsets->n != 2 ||
        !json_int(offsets->child, 0, INT64_MAX, &begin) ||
        !json_int(offsets->child->next, 0, INT64_MAX, &end) || end < begin)
        return fail(r, RZ_EFORMAT, t->name, "data_offsets is not [begin, end] with begin <= end");
    if ((uint64_t)end > r->len)
        return fail(r, RZ_EFORMAT, t->name,
                    "bytes %" PRId64 " to %" PRId64 " lie outside the file, which has %" PRIu64
                    " bytes of data",
                    begin, end, r->len);
    if ((uint64_t)(end - begin) != t->bytes)
        return fail(r, RZ_EFORMAT, t->name,
                    "has %" PRId64 " bytes, expected %" PRIu64 " for %" PRIu64 " values of type %s",
                    end - begin, t->bytes, t->n, quant_get(t->type)->name);
    t->data = r->data + begin;
    place->begin = (uint64_t)begin;
    place->end = (uint64_t)end;
    return RZ_OK;
}

static status take_name(const reader *r, str key, const char *what, str *out) {
    const bool good = key.len > 0 && key.len <= MAX_NAME && !memchr(key.p, 0, key.len);
    if (!good)
        return err_set(r->e, RZ_EFORMAT,
                       "%.200s: the header names a %s in %zu bytes that are no name", r->path, what,
                       key.len);
    const char *copy = arena_copy(&r->f->mem, key.p, key.len);
    if (!copy) return no_memory(r);
    *out = (str){copy, key.len};
    return RZ_OK;
}

/* ---- All of them ---- */

static int by_begin(const void *a, const void *b) {
    const span *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static status check_cover(const reader *r, span *place, size_t n) {
    uint64_t at = 0;
    qsort(place, n, sizeof *place, by_begin);
    for (size_t i = 0; i < n; i++) {
        const str name = r->f->tensor[place[i].tensor].name;
        if (place[i].begin > at)
            return fail(r, RZ_EFORMAT, name,
                        "begins at byte %" PRIu64 ", but nothing holds the bytes from %" PRIu64,
                        place[i].begin, at);
        if (place[i].begin < at)
            return fail(r, RZ_EFORMAT, name,
                        "begins at byte %" PRIu64 ", inside tensor %.60s which ends at %" PRIu64,
                        place[i].begin, r->f->tensor[place[i - 1].tensor].name.p, at);
        at = place[i].end;
    }
    if (at == r->len) return RZ_OK;
    return err_set(r->e, RZ_EFORMAT,
                   "%.200s: has %" PRIu64 " bytes of data, the tensors end at %" PRIu64, r->path,
                   r->len, at);
}

static status read_tensors(const reader *r, const json *root, span *place) {
    tensor_file *f = r->f;
    for (const json *entry = root->child; entry; entry = entry->next) {
        if (str_is(entry->key, "__metadata__")) continue;
        tensor_info *t = &f->tensor[f->n_tensor];
        TRY(take_name(r, entry->key, "tensor", &t->name));
        if (entry->kind != JSON_OBJECT)
            return fail(r, RZ_EFORMAT, t->name, "is described by %s, expected an object",
                        json_kind_name(entry->kind));
        TRY(take_type(r, entry, t));
        TRY(take_shape(r, entry, t));
        TRY(take_place(r, entry, t, &place[f->n_tensor]));
        place[f->n_tensor].tensor = f->n_tensor;
        /* The parser has refused keys given twice. */
        if (map_put(&f->tensor_index, t->name, f->n_tensor) != MAP_NEW) return no_memory(r);
        f->n_tensor++;
    }
    return check_cover(r, place, f->n_tensor);
}

static status read_metadata(const reader *r, const json *meta) {
    tensor_file *f = r->f;
    if (!meta) return RZ_OK;
    if (meta->kind != JSON_OBJECT)
        return err_set(r->e, RZ_EFORMAT, "%.200s: __metadata__ is %s, expected an object", r->path,
                       json_kind_name(meta->kind));
    f->kv = arena_zero(&f->mem, meta->n, sizeof *f->kv);
    if (!f->kv) return no_memory(r);
    for (const json *v = meta->child; v; v = v->next) {
        meta_kv *kv = &f->kv[f->n_kv];
        TRY(take_name(r, v->key, "metadata key", &kv->key));
        if (v->kind != JSON_STRING)
            return err_set(r->e, RZ_EFORMAT, "%.200s: __metadata__: %.*s is %s, expected a string",
                           r->path, STR_FMT(kv->key), json_kind_name(v->kind));
        const char *copy = arena_copy(&f->mem, v->text.p, v->text.len);
        if (!copy || map_put(&f->kv_index, kv->key, f->n_kv) != MAP_NEW) return no_memory(r);
        kv->value = (meta_value){.type = META_STRING, .s = {copy, v->text.len}};
        f->n_kv++;
    }
    return RZ_OK;
}

static status read_header(const reader *r, const json *root) {
    const size_t n = root->n;
    if (root->kind != JSON_OBJECT)
        return err_set(r->e, RZ_EFORMAT, "%.200s: the header is %s, expected an object", r->path,
                       json_kind_name(root->kind));
    TRY(read_metadata(r, json_get(root, "__metadata__")));
    span *place = mem_array(n, sizeof *place);
    r->f->tensor = arena_zero(&r->f->mem, n, sizeof *r->f->tensor);
    const status s = place && r->f->tensor && map_reserve(&r->f->tensor_index, n)
                         ? read_tensors(r, root, place)
                         : no_memory(r);
    mem_free(place);
    return s;
}

/* The tree is wanted only while the header is read. */
static status parse_tree(const reader *r, str text, arena *tree, json **root) {
    tree->limit = TREE_PER_BYTE * text.len + TREE_BASE;
    const status s = json_parse(root, text, tree, r->e);
    if (s == RZ_ENOMEM && tree->limit - tree->bytes <= text.len)
        return err_set(r->e, RZ_EFORMAT,
                       "%.200s: the header holds too many values for its %zu bytes", r->path,
                       text.len);
    if (s < 0) {
        err_at(r->e, s, "header");
        return err_at(r->e, s, r->path);
    }
    return RZ_OK;
}

status safetensors_parse(tensor_file *f, const char *path, const uint8_t *data, size_t len,
                         err *e) {
    if (!safetensors_is((str){(const char *)data, len}))
        return err_set(e, RZ_EFORMAT, "%.200s: not a safetensors file", path);
    const uint64_t n = header_bytes(data);
    if (n > len - LENGTH_BYTES)
        return err_set(e, RZ_EFORMAT,
                       "%.200s: the file ends inside the header: %" PRIu64
                       " bytes at byte 8, only %zu are left",
                       path, n, len - LENGTH_BYTES);
    const reader r = {.path = path,
                      .data = data + LENGTH_BYTES + n,
                      .len = len - LENGTH_BYTES - n,
                      .f = f,
                      .e = e};
    arena tree = ARENA_INIT;
    json *root = NULL;
    const str text = {(const char *)data + LENGTH_BYTES, (size_t)n};
    f->format = "safetensors";
    status s = parse_tree(&r, text, &tree, &root);
    if (s >= 0) s = read_header(&r, root);
    arena_free(&tree);
    return s;
}

status safetensors_complete(tensor_file *f, bool on_disk, err *e) {
    return on_disk ? hf_dir_config(f, e) : hf_dir_no_config(f, e);
}
