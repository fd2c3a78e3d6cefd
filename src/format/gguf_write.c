/* gguf_write.c - collects metadata and tensors and writes a GGUF v3 file.
 *
 * Metadata is kept as the bytes it will be in the file; tensor data stays where the caller has it
 * until it is copied out. Files and memory share one path: `emit`, a function that takes bytes. */
#include "base/mem.h"
#include "format/gguf.h"
#include "format/tensor_write.h"
#include "unicode/utf8.h"

struct gguf_writer {
    arena mem; /* keys and names */
    map keys, names;
    buf kv; /* the metadata section */
    tensor_source *tensor;
    size_t n_tensor, cap;
    uint32_t alignment;
};

static const char writer_name[] = "GGUF writer";

static status no_memory(err *e) { return err_set(e, RZ_ENOMEM, "%s: out of memory", writer_name); }

status gguf_writer_new(gguf_writer **out, err *e) {
    gguf_writer *w = mem_zero(sizeof *w);
    if (!w) return no_memory(e);
    w->alignment = GGUF_DEFAULT_ALIGNMENT;
    *out = w;
    return RZ_OK;
}

void gguf_writer_free(gguf_writer *w) {
    if (!w) return;
    map_free(&w->keys);
    map_free(&w->names);
    buf_free(&w->kv);
    mem_free(w->tensor);
    arena_free(&w->mem);
    mem_free(w);
}

static void add_u32(buf *b, uint32_t v) { buf_add(b, &v, sizeof v); }
static void add_u64(buf *b, uint64_t v) { buf_add(b, &v, sizeof v); }
static void add_str(buf *b, str s) {
    add_u64(b, s.len);
    buf_str(b, s);
}

/* Enter a key or tensor name that may be given once. */
static status enter(gguf_writer *w, map *names, const char *what, str name, str *copy, err *e) {
    if (name.len == 0 || name.len > GGUF_MAX_NAME || utf8_valid(name) != name.len ||
        memchr(name.p, 0, name.len))
        return err_set(e, RZ_EINVAL, "GGUF writer: %s name of %zu bytes is no name", what,
                       name.len);
    const char *p = arena_copy(&w->mem, name.p, name.len);
    if (!p) return no_memory(e);
    *copy = (str){p, name.len};
    switch (map_put(names, *copy, names->n)) {
        case MAP_EXISTS:
            return err_set(e, RZ_EINVAL, "GGUF writer: %s %.*s is given twice", what,
                           STR_FMT(name));
        case MAP_NOMEM:
            return no_memory(e);
        case MAP_NEW:
            break;
    }
    return RZ_OK;
}

static status check_value(str key, const meta_value *v, unsigned depth, err *e) {
    if ((unsigned)v->type >= META_TYPE_COUNT)
        return err_set(e, RZ_EINVAL, "GGUF writer: key %.*s has type %u, which is none",
                       STR_FMT(key), (unsigned)v->type);
    if (v->type == META_BOOL && v->u > 1)
        return err_set(e, RZ_EINVAL, "GGUF writer: key %.*s: a bool is %llu, expected 0 or 1",
                       STR_FMT(key), (unsigned long long)v->u);
    if (v->type != META_ARRAY) return RZ_OK;
    if ((unsigned)v->a.elem >= META_TYPE_COUNT)
        return err_set(e, RZ_EINVAL, "GGUF writer: key %.*s is an array of type %u, which is none",
                       STR_FMT(key), (unsigned)v->a.elem);
    if (depth >= GGUF_MAX_DEPTH)
        return err_set(e, RZ_EINVAL, "GGUF writer: key %.*s: arrays nested deeper than %d",
                       STR_FMT(key), GGUF_MAX_DEPTH);
    if (v->a.elem != META_ARRAY) return RZ_OK;
    for (uint64_t i = 0; i < v->a.n; i++) {
        if (v->a.items[i].type != META_ARRAY)
            return err_set(e, RZ_EINVAL, "GGUF writer: key %.*s: element %llu is no array",
                           STR_FMT(key), (unsigned long long)i);
        TRY(check_value(key, &v->a.items[i], depth + 1, e));
    }
    return RZ_OK;
}

static void add_scalar(buf *b, const meta_value *v) {
    const size_t n = meta_type_bytes(v->type);
    if (v->type == META_F32) {
        const float f = (float)v->f;
        buf_add(b, &f, n);
    } else {
        buf_add(b, &v->u, n); /* the low bytes of an integer come first; an f64 is all of them */
    }
}

static void add_value(buf *b, const meta_value *v) {
    if (v->type == META_STRING) {
        add_str(b, v->s);
    } else if (v->type != META_ARRAY) {
        add_scalar(b, v);
    } else {
        add_u32(b, (uint32_t)v->a.elem);
        add_u64(b, v->a.n);
        if (v->a.elem == META_STRING)
            for (uint64_t i = 0; i < v->a.n; i++) add_str(b, v->a.strings[i]);
        else if (v->a.elem == META_ARRAY)
            for (uint64_t i = 0; i < v->a.n; i++) add_value(b, &v->a.items[i]);
        else buf_add(b, v->a.packed, (size_t)v->a.n * meta_type_bytes(v->a.elem));
    }
}

static bool good_alignment(uint64_t a) {
    return a >= 8 && a <= GGUF_MAX_ALIGNMENT && (a & (a - 1)) == 0;
}

status gguf_put_value(gguf_writer *w, str key, const meta_value *v, err *e) {
    const bool alignment = str_is(key, "general.alignment");
    TRY(check_value(key, v, 0, e));
    if (alignment && (v->type != META_U32 || !good_alignment(v->u)))
        return err_set(e, RZ_EINVAL,
                       "GGUF writer: key general.alignment must be a u32 power of two from 8 to %d",
                       GGUF_MAX_ALIGNMENT);
    str copy;
    TRY(enter(w, &w->keys, "key", key, &copy, e));
    const size_t before = w->kv.len;
    add_str(&w->kv, copy);
    add_u32(&w->kv, (uint32_t)v->type);
    add_value(&w->kv, v);
    if (w->kv.failed) {
        w->kv.len = before;
        return no_memory(e);
    }
    if (alignment) w->alignment = (uint32_t)v->u;
    return RZ_OK;
}

status gguf_put_u32(gguf_writer *w, const char *key, uint32_t v, err *e) {
    return gguf_put_value(w, str_of(key), &(meta_value){.type = META_U32, .u = v}, e);
}

status gguf_put_f32(gguf_writer *w, const char *key, float v, err *e) {
    return gguf_put_value(w, str_of(key), &(meta_value){.type = META_F32, .f = (double)v}, e);
}

status gguf_put_bool(gguf_writer *w, const char *key, bool v, err *e) {
    return gguf_put_value(w, str_of(key), &(meta_value){.type = META_BOOL, .u = v}, e);
}

status gguf_put_str(gguf_writer *w, const char *key, str v, err *e) {
    return gguf_put_value(w, str_of(key), &(meta_value){.type = META_STRING, .s = v}, e);
}

status gguf_put_strs(gguf_writer *w, const char *key, const str *v, size_t n, err *e) {
    meta_value a = {.type = META_ARRAY};
    a.a.elem = META_STRING;
    a.a.n = n;
    a.a.strings = v;
    return gguf_put_value(w, str_of(key), &a, e);
}

status gguf_put_array(gguf_writer *w, const char *key, meta_type elem, const void *v, size_t n,
                      err *e) {
    if (meta_type_bytes(elem) == 0)
        return err_set(e, RZ_EINVAL, "GGUF writer: key %s: elements of type %s are not packed", key,
                       meta_type_name(elem));
    meta_value a = {.type = META_ARRAY};
    a.a.elem = elem;
    a.a.n = n;
    a.a.packed = v;
    return gguf_put_value(w, str_of(key), &a, e);
}

static status put_source(gguf_writer *w, tensor_source t, err *e) {
    if (!quant_get((uint32_t)t.t.type)->name || t.t.type >= QUANT_GGML_COUNT)
        return err_set(e, RZ_EINVAL, "%s: tensor %.*s has the unknown type id %u", writer_name,
                       STR_FMT(t.t.name), (unsigned)t.t.type);
    TRY(tensor_measure(&t.t, writer_name, e));
    if (!mem_room(&w->tensor, &w->cap, w->n_tensor + 1, sizeof *w->tensor)) return no_memory(e);
    TRY(enter(w, &w->names, "tensor", t.t.name, &t.t.name, e));
    w->tensor[w->n_tensor++] = t;
    return RZ_OK;
}

status gguf_put_tensor(gguf_writer *w, str name, quant_type type, uint32_t n_dims,
                       const uint64_t *dim, const void *data, err *e) {
    tensor_source t = {.t = {.name = name, .type = type, .n_dims = n_dims, .data = data}};
    if (n_dims <= TENSOR_MAX_DIMS) memcpy(t.t.dim, dim, n_dims * sizeof *dim);
    return put_source(w, t, e);
}

status gguf_put_rows(gguf_writer *w, const tensor_info *t, tensor_rows_fn *rows, void *ud, err *e) {
    tensor_source s = {.t = *t, .rows = rows, .ud = ud};
    s.t.data = NULL;
    return put_source(w, s, e);
}

static uint64_t padding(const gguf_writer *w, uint64_t at) {
    return (w->alignment - at % w->alignment) % w->alignment;
}

static status emit_padding(const gguf_writer *w, uint64_t at, emit_fn *emit, void *ud, err *e) {
    static const char zeros[4096];
    for (uint64_t n = padding(w, at); n;) {
        const size_t k = n < sizeof zeros ? (size_t)n : sizeof zeros;
        TRY(emit(ud, zeros, k, e));
        n -= k;
    }
    return RZ_OK;
}

static status emit_all(const gguf_writer *w, emit_fn *emit, void *ud, err *e) {
    buf head = BUF_INIT;
    if (w->kv.failed) return no_memory(e); /* a key is entered whose value is not there */
    buf_text(&head, "GGUF");
    add_u32(&head, 3);
    add_u64(&head, w->n_tensor);
    add_u64(&head, w->keys.n);
    buf_add(&head, w->kv.p, w->kv.len);
    uint64_t offset = 0;
    for (size_t i = 0; i < w->n_tensor; i++) {
        const tensor_info *t = &w->tensor[i].t;
        add_str(&head, t->name);
        add_u32(&head, t->n_dims);
        for (uint32_t k = 0; k < t->n_dims; k++) add_u64(&head, t->dim[k]);
        add_u32(&head, (uint32_t)t->type);
        add_u64(&head, offset);
        offset += t->bytes + padding(w, t->bytes);
    }
    const uint64_t length = head.len;
    const status s = head.failed ? no_memory(e) : emit(ud, head.p, head.len, e);
    buf_free(&head);
    TRY(s);
    TRY(emit_padding(w, length, emit, ud, e));
    for (size_t i = 0; i < w->n_tensor; i++) {
        TRY(emit_tensor(&w->tensor[i], emit, ud, e));
        TRY(emit_padding(w, w->tensor[i].t.bytes, emit, ud, e));
    }
    return RZ_OK;
}

status gguf_write(const gguf_writer *w, const char *path, err *e) {
    os_file *f;
    TRY(os_file_create(&f, path, e));
    return os_file_end(f, emit_all(w, emit_to_file, f, e), e);
}

status gguf_write_buf(const gguf_writer *w, buf *out, err *e) {
    const size_t before = out->len;
    const status s = emit_all(w, emit_to_buf, out, e);
    if (s < 0) out->len = before;
    return s;
}
