/* tensor_file.c - opens a model file by its first bytes and answers questions about any of them.
 *
 * What a file is not is worth a sentence too: people point at PyTorch checkpoints, archives, failed
 * downloads and Git LFS pointers, and "bad magic" helps none of them. */
#include "format/tensor_file.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "format/format_list.h"
#include "format/gguf.h"
#include "format/hf_dir.h"
#include "format/safetensors.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little-endian and mapped");

typedef struct file_format {
    bool (*is)(str bytes);
    status (*parse)(tensor_file *f, const char *path, const uint8_t *data, size_t len, err *e);
    status (*complete)(tensor_file *f, bool on_disk, err *e);
} file_format;

static const file_format formats[] = {
#define X(is, parse, complete) {is, parse, complete},
    FORMAT_LIST(X)
#undef X
};

static const struct {
    str magic;
    const char *what;
} strangers[] = {
#define ROW(magic, what) \
    { {magic, sizeof(magic) - 1}, what }
    ROW("FUGG", "a GGUF file of a big-endian machine"),
    ROW("lmgg", "a GGML file, which GGUF has replaced"),
    ROW("fmgg", "a GGMF file, which GGUF has replaced"),
    ROW("tjgg", "a GGJT file, which GGUF has replaced"),
    ROW("algg", "a GGLA adapter, which GGUF has replaced"),
    ROW("PK\x03\x04", "a zip archive (perhaps a PyTorch checkpoint)"),
    ROW("PK\x05\x06", "an empty zip archive"),
    ROW("\x80\x02", "a Python pickle (perhaps a PyTorch checkpoint)"),
    ROW("\x80\x03", "a Python pickle (perhaps a PyTorch checkpoint)"),
    ROW("\x80\x04", "a Python pickle (perhaps a PyTorch checkpoint)"),
    ROW("\x80\x05", "a Python pickle (perhaps a PyTorch checkpoint)"),
    ROW("version https://git-lfs", "a Git LFS pointer: the file itself was not downloaded"),
    ROW("<!DOCTYPE", "an HTML page (perhaps a failed download)"),
    ROW("<!doctype", "an HTML page (perhaps a failed download)"),
    ROW("<html", "an HTML page (perhaps a failed download)"),
    ROW("<?xml", "an XML document (perhaps a failed download)"),
    ROW("\x1F\x8B", "compressed with gzip"),
    ROW("\x28\xB5\x2F\xFD", "compressed with zstd"),
    ROW("\xFD"
        "7zXZ",
        "compressed with xz"),
    ROW("BZh", "compressed with bzip2"),
    ROW("\x89HDF", "an HDF5 file"),
    ROW("\x93NUMPY", "a NumPy array"),
    ROW("APR", "an .apr file"),
    ROW("#!", "a script"),
    ROW("\x7F"
        "ELF",
        "a program"),
    ROW("{", "JSON text"),
#undef ROW
};

static status stranger(const char *path, str s, err *e) {
    static const char no_model[] = "not a GGUF or safetensors file";
    if (s.len == 0) return err_set(e, RZ_EFORMAT, "%.200s: the file is empty", path);
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (str_starts(s, strangers[i].magic))
            return err_set(e, RZ_EFORMAT, "%.200s: %s but %s", path, no_model, strangers[i].what);
    if (s.len < 4)
        return err_set(e, RZ_EFORMAT, "%.200s: %s: only %zu bytes long", path, no_model, s.len);
    const uint8_t *b = (const uint8_t *)s.p;
    return err_set(e, RZ_EFORMAT, "%.200s: %s: begins with the bytes %02x %02x %02x %02x", path,
                   no_model, b[0], b[1], b[2], b[3]);
}

static status fill(tensor_file *f, const uint8_t *data, size_t len, bool on_disk, err *e) {
    const str bytes = {(const char *)data, len};
    f->file_bytes = len;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (!formats[i].is(bytes)) continue;
        TRY(formats[i].parse(f, f->path, data, len, e));
        TRY(formats[i].complete(f, on_disk, e));
        return hf_dir_carried(f, e);
    }
    return stranger(f->path, bytes, e);
}

static status no_memory(const char *path, err *e) {
    return err_set(e, RZ_ENOMEM, "%.200s: out of memory", path);
}

static tensor_file *new_file(const char *path) {
    tensor_file *f = mem_zero(sizeof *f);
    if (!f) return NULL;
    f->path = arena_copy(&f->mem, path, strlen(path));
    if (f->path) return f;
    tensor_file_close(f);
    return NULL;
}

/* One file, mapped. */
static status open_file(tensor_file *f, err *e) {
    os_map *part = f->part = mem_array_zero(1, sizeof *part);
    if (!part) return no_memory(f->path, e);
    TRY(os_map_open(part, f->path, e));
    f->n_part = 1;
    return fill(f, part->data, part->len, true, e);
}

status tensor_file_open(tensor_file **out, const char *path, err *e) {
    tensor_file *f = new_file(path);
    if (!f) return no_memory(path, e);
    status s = hf_dir_find(path, &f->mem, &f->path, e);
    if (s >= 0) s = safetensors_is_set(f->path) ? safetensors_open_set(f, e) : open_file(f, e);
    if (s < 0) {
        tensor_file_close(f);
        return s;
    }
    *out = f;
    return RZ_OK;
}

status tensor_file_open_memory(tensor_file **out, const void *data, size_t len, err *e) {
    tensor_file *f = new_file("<memory>");
    if (!f) return no_memory("<memory>", e);
    const status s = fill(f, data, len, false, e);
    if (s < 0) {
        tensor_file_close(f);
        return s;
    }
    *out = f;
    return RZ_OK;
}

void tensor_file_close(tensor_file *f) {
    if (!f) return;
    for (size_t i = 0; i < f->n_part; i++) os_map_close(&f->part[i]);
    mem_free(f->part);
    map_free(&f->kv_index);
    map_free(&f->tensor_index);
    arena_free(&f->mem);
    mem_free(f);
}

const tensor_info *tensor_file_find(const tensor_file *f, str name) {
    const uint64_t *at = map_get(&f->tensor_index, name);
    return at ? &f->tensor[*at] : NULL;
}

const meta_value *tensor_file_meta(const tensor_file *f, const char *key) {
    const uint64_t *at = map_get(&f->kv_index, str_of(key));
    return at ? &f->kv[*at].value : NULL;
}

static const struct {
    const char *name;
    size_t bytes;
} types[META_TYPE_COUNT] = {
    [META_U8] = {"u8", 1},   [META_I8] = {"i8", 1},       [META_U16] = {"u16", 2},
    [META_I16] = {"i16", 2}, [META_U32] = {"u32", 4},     [META_I32] = {"i32", 4},
    [META_F32] = {"f32", 4}, [META_BOOL] = {"bool", 1},   [META_STRING] = {"string", 0},
    [META_U64] = {"u64", 8}, [META_ARRAY] = {"array", 0}, [META_I64] = {"i64", 8},
    [META_F64] = {"f64", 8},
};

const char *meta_type_name(meta_type t) {
    return (unsigned)t < META_TYPE_COUNT ? types[t].name : "?";
}

size_t meta_type_bytes(meta_type t) { return (unsigned)t < META_TYPE_COUNT ? types[t].bytes : 0; }

meta_value meta_load(meta_type t, const uint8_t *p) {
    union {
        uint8_t u8;
        int8_t i8;
        uint16_t u16;
        int16_t i16;
        uint32_t u32;
        int32_t i32;
        uint64_t u64;
        int64_t i64;
        float f32;
        double f64;
    } raw = {0};
    meta_value v = {.type = t};
    memcpy(&raw, p, meta_type_bytes(t));
    switch (t) {
        case META_U8:
        case META_BOOL:
            v.u = raw.u8;
            break;
        case META_I8:
            v.i = (int64_t)raw.i8;
            break;
        case META_U16:
            v.u = raw.u16;
            break;
        case META_I16:
            v.i = raw.i16;
            break;
        case META_U32:
            v.u = raw.u32;
            break;
        case META_I32:
            v.i = raw.i32;
            break;
        case META_U64:
            v.u = raw.u64;
            break;
        case META_I64:
            v.i = raw.i64;
            break;
        case META_F32:
            v.f = (double)raw.f32;
            break;
        case META_F64:
            v.f = raw.f64;
            break;
        default:
            break;
    }
    return v;
}

static bool is_unsigned(meta_type t) {
    return t == META_U8 || t == META_U16 || t == META_U32 || t == META_U64;
}
static bool is_signed(meta_type t) {
    return t == META_I8 || t == META_I16 || t == META_I32 || t == META_I64;
}
static bool is_float(meta_type t) { return t == META_F32 || t == META_F64; }

static status wrong_type(const tensor_file *f, const char *key, const meta_value *v,
                         const char *wanted, err *e) {
    return err_set(e, RZ_EFORMAT, "%.200s: key %s is of type %s, expected %s", f->path, key,
                   meta_type_name(v->type), wanted);
}

status meta_u32(const tensor_file *f, const char *key, uint32_t *out, err *e) {
    const meta_value *v = tensor_file_meta(f, key);
    if (!v) return RZ_OK;
    if (is_signed(v->type) ? v->i < 0 || v->i > (int64_t)UINT32_MAX
                           : is_unsigned(v->type) && v->u > UINT32_MAX) {
        if (is_signed(v->type))
            return err_set(e, RZ_EFORMAT, "%.200s: key %s is %" PRId64 ", expected 0 to %u",
                           f->path, key, v->i, UINT32_MAX);
        return err_set(e, RZ_EFORMAT, "%.200s: key %s is %" PRIu64 ", expected 0 to %u", f->path,
                       key, v->u, UINT32_MAX);
    }
    if (is_unsigned(v->type)) *out = (uint32_t)v->u;
    else if (is_signed(v->type)) *out = (uint32_t)v->i;
    else return wrong_type(f, key, v, "an integer", e);
    return RZ_OK;
}

status meta_f32(const tensor_file *f, const char *key, float *out, err *e) {
    const meta_value *v = tensor_file_meta(f, key);
    if (!v) return RZ_OK;
    double d;
    if (is_float(v->type)) d = v->f;
    else if (is_unsigned(v->type)) d = (double)v->u;
    else if (is_signed(v->type)) d = (double)v->i;
    else return wrong_type(f, key, v, "a number", e);
    if (!(fabs(d) <= (double)FLT_MAX))
        return err_set(e, RZ_EFORMAT, "%.200s: key %s is %g, expected a finite 32-bit float",
                       f->path, key, d);
    *out = (float)d;
    return RZ_OK;
}

status meta_bool(const tensor_file *f, const char *key, bool *out, err *e) {
    const meta_value *v = tensor_file_meta(f, key);
    if (!v) return RZ_OK;
    if (v->type != META_BOOL) return wrong_type(f, key, v, "bool", e);
    *out = v->u != 0;
    return RZ_OK;
}

status meta_str(const tensor_file *f, const char *key, str *out, err *e) {
    const meta_value *v = tensor_file_meta(f, key);
    if (!v) return RZ_OK;
    if (v->type != META_STRING) return wrong_type(f, key, v, "string", e);
    *out = v->s;
    return RZ_OK;
}

static bool element(const meta_value *v, uint64_t i, meta_value *out) {
    if (!v || v->type != META_ARRAY || !v->a.packed || i >= v->a.n) return false;
    *out = meta_load(v->a.elem, v->a.packed + i * meta_type_bytes(v->a.elem));
    return true;
}

bool meta_array_i64(const meta_value *v, uint64_t i, int64_t *out) {
    meta_value x;
    if (!element(v, i, &x) || is_float(x.type)) return false;
    if (!is_signed(x.type) && x.u > INT64_MAX) return false;
    *out = is_signed(x.type) ? x.i : (int64_t)x.u;
    return true;
}

bool meta_array_f64(const meta_value *v, uint64_t i, double *out) {
    meta_value x;
    if (!element(v, i, &x)) return false;
    if (is_float(x.type)) *out = x.f;
    else *out = is_signed(x.type) ? (double)x.i : (double)x.u;
    return true;
}
