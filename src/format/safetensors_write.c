/* safetensors_write.c - collects text and tensors and writes a safetensors file.
 *
 * Tensor data stays where the caller has it, or is made row by row, until it is written. The same
 * input gives the same bytes whatever the order it was given in. */
#include <stdlib.h>

#include "base/mem.h"
#include "format/safetensors.h"
#include "format/tensor_write.h"
#include "json/json.h"
#include "unicode/utf8.h"

static const char writer_name[] = "safetensors writer";

typedef struct text_entry {
    str key, value;
} text_entry;

struct safetensors_writer {
    arena mem;       /* names and text */
    map names, keys; /* of tensors; of text, whose value is a pointer to a str in mem */
    tensor_source *tensor;
    size_t n, cap;
};

static status no_memory(err *e) { return err_set(e, RZ_ENOMEM, "%s: out of memory", writer_name); }

status safetensors_writer_new(safetensors_writer **out, err *e) {
    safetensors_writer *w = mem_zero(sizeof *w);
    if (!w) return no_memory(e);
    *out = w;
    return RZ_OK;
}

void safetensors_writer_free(safetensors_writer *w) {
    if (!w) return;
    map_free(&w->names);
    map_free(&w->keys);
    mem_free(w->tensor);
    arena_free(&w->mem);
    mem_free(w);
}

/* A copy of text that JSON can hold and our reader takes as a name. */
static status copy_text(safetensors_writer *w, const char *what, str s, bool name, str *out,
                        err *e) {
    const bool empty = s.len == 0 || memchr(s.p, 0, s.len);
    if ((name && empty) || utf8_valid(s) != s.len)
        return err_set(e, RZ_EINVAL, "%s: %s of %zu bytes is not text", writer_name, what, s.len);
    const char *copy = arena_copy(&w->mem, s.p, s.len);
    if (!copy) return no_memory(e);
    *out = (str){copy, s.len};
    return RZ_OK;
}

static status enter(map *names, const char *what, str name, uint64_t value, err *e) {
    const map_put_result r = map_put(names, name, value);
    if (r == MAP_NEW) return RZ_OK;
    if (r == MAP_NOMEM) return no_memory(e);
    return err_set(e, RZ_EINVAL, "%s: %s %.*s is given twice", writer_name, what, STR_FMT(name));
}

status safetensors_put_text(safetensors_writer *w, str key, str value, err *e) {
    text_entry *entry = arena_zero(&w->mem, 1, sizeof *entry);
    if (!entry) return no_memory(e);
    TRY(copy_text(w, "a metadata key", key, true, &entry->key, e));
    TRY(copy_text(w, "a metadata value", value, false, &entry->value, e));
    return enter(&w->keys, "metadata key", entry->key, (uint64_t)(uintptr_t)&entry->value, e);
}

static status put(safetensors_writer *w, tensor_source s, err *e) {
    if (str_is(s.t.name, "__metadata__") || s.t.name.len > 65535)
        return err_set(e, RZ_EINVAL, "%s: a tensor cannot be called %.*s", writer_name,
                       STR_FMT(s.t.name));
    if (!safetensors_has_type(s.t.type))
        return err_set(e, RZ_EUNSUPPORTED, "%s: tensor %.*s: the format has no type %s",
                       writer_name, STR_FMT(s.t.name),
                       quant_get((uint32_t)s.t.type)->name ? quant_get((uint32_t)s.t.type)->name
                                                           : "of that number");
    TRY(tensor_measure(&s.t, writer_name, e));
    if (!mem_room(&w->tensor, &w->cap, w->n + 1, sizeof *w->tensor)) return no_memory(e);
    TRY(copy_text(w, "a tensor name", s.t.name, true, &s.t.name, e));
    TRY(enter(&w->names, "tensor", s.t.name, w->n, e));
    w->tensor[w->n++] = s;
    return RZ_OK;
}

status safetensors_put_tensor(safetensors_writer *w, str name, quant_type type, uint32_t n_dims,
                              const uint64_t *dim, const void *data, err *e) {
    tensor_source s = {.t = {.name = name, .type = type, .n_dims = n_dims, .data = data}};
    if (n_dims <= TENSOR_MAX_DIMS) memcpy(s.t.dim, dim, n_dims * sizeof *dim);
    return put(w, s, e);
}

status safetensors_put_rows(safetensors_writer *w, const tensor_info *t, tensor_rows_fn *rows,
                            void *ud, err *e) {
    tensor_source s = {.t = *t, .rows = rows, .ud = ud};
    s.t.data = NULL;
    return put(w, s, e);
}

/* ---- Output ---- */

static int compare_names(str a, str b) {
    const size_t n = a.len < b.len ? a.len : b.len;
    const int order = memcmp(a.p, b.p, n);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_size_and_name(const void *a, const void *b) {
    const tensor_info *x = &((const tensor_source *)a)->t, *y = &((const tensor_source *)b)->t;
    const uint32_t i = quant_get((uint32_t)x->type)->bytes, k = quant_get((uint32_t)y->type)->bytes;
    return i != k ? (i < k) - (i > k) : compare_names(x->name, y->name);
}

static int by_key(const void *a, const void *b) {
    return compare_names(((const text_entry *)a)->key, ((const text_entry *)b)->key);
}

static void write_texts(const safetensors_writer *w, text_entry *entry, buf *b) {
    for (size_t i = 0; i < w->keys.n; i++) {
        const map_entry *m = &w->keys.entry[i];
        entry[i] = (text_entry){m->key, *(const str *)(uintptr_t)m->value};
    }
    qsort(entry, w->keys.n, sizeof *entry, by_key);
    buf_text(b, "\"__metadata__\":{");
    for (size_t i = 0; i < w->keys.n; i++) {
        if (i) buf_char(b, ',');
        json_write_string(b, entry[i].key);
        buf_char(b, ':');
        json_write_string(b, entry[i].value);
    }
    buf_char(b, '}');
}

static void write_tensor(const tensor_info *t, uint64_t at, buf *b) {
    json_write_string(b, t->name);
    buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", quant_get((uint32_t)t->type)->name);
    for (uint32_t i = t->n_dims; i-- > 0;)
        buf_printf(b, "%llu%s", (unsigned long long)t->dim[i], i ? "," : "");
    const unsigned long long first = at, end = first + t->bytes;
    buf_printf(b, "],\"data_offsets\":[%llu,%llu]}", first, end);
}

/* The length and the header, padded. */
static status write_header(const safetensors_writer *w, buf *b, err *e) {
    uint64_t n = 0, at = 0;
    text_entry *entry = mem_array(w->keys.n, sizeof *entry);
    if (!entry) return no_memory(e);
    buf_add(b, &n, sizeof n);
    buf_char(b, '{');
    if (w->keys.n) write_texts(w, entry, b);
    mem_free(entry);
    for (size_t i = 0; i < w->n; i++) {
        if (i || w->keys.n) buf_char(b, ',');
        write_tensor(&w->tensor[i].t, at, b);
        at += w->tensor[i].t.bytes;
    }
    buf_char(b, '}');
    while (b->len % 8 && !b->failed) buf_char(b, ' ');
    if (b->failed) return no_memory(e);
    n = b->len - sizeof n;
    memcpy(b->p, &n, sizeof n);
    if (n <= SAFETENSORS_MAX_HEADER) return RZ_OK;
    return err_set(e, RZ_EINVAL, "%s: the header would be %llu bytes, at most %d can be read",
                   writer_name, (unsigned long long)n, SAFETENSORS_MAX_HEADER);
}

static status emit_all(safetensors_writer *w, emit_fn *emit, void *ud, err *e) {
    buf header = BUF_INIT;
    if (w->n) qsort(w->tensor, w->n, sizeof *w->tensor, by_size_and_name);
    status s = write_header(w, &header, e);
    if (s >= 0) s = emit(ud, header.p, header.len, e);
    buf_free(&header);
    for (size_t i = 0; s >= 0 && i < w->n; i++) s = emit_tensor(&w->tensor[i], emit, ud, e);
    return s;
}

status safetensors_write(safetensors_writer *w, const char *path, err *e) {
    os_file *f;
    TRY(os_file_create(&f, path, e));
    return os_file_end(f, emit_all(w, emit_to_file, f, e), e);
}

status safetensors_write_buf(safetensors_writer *w, buf *out, err *e) {
    const size_t before = out->len;
    const status s = emit_all(w, emit_to_buf, out, e);
    if (s < 0) out->len = before;
    return s;
}
