/* tensor_file.h - one view of every model file: named tensors and typed metadata over a map.
 *
 * Readers (gguf.c, safetensors.c) fill this in; everything above sees only this. All sizes and
 * offsets have been checked when it exists: each tensor's bytes lie inside the file, its row length
 * is a multiple of its block, names are unique. */
#ifndef FORMAT_TENSOR_FILE_H
#define FORMAT_TENSOR_FILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/os.h"
#include "base/str.h"
#include "json/json.h"
#include "quant/quant.h"

enum { TENSOR_MAX_DIMS = 4, TENSOR_FILE_MAX_PARTS = 1024 };

typedef struct tensor_info {
    str name; /* 0-terminated too */
    quant_type type;
    uint32_t n_dims;               /* 1..4 */
    uint64_t dim[TENSOR_MAX_DIMS]; /* dim[0] varies fastest (a row); unused ones are 1 */
    uint64_t n;                    /* product of dim */
    const uint8_t *data;           /* in the map, not necessarily aligned */
    uint64_t bytes;
} tensor_info;

/* Values are GGUF's own numbers. */
typedef enum meta_type {
    META_U8 = 0,
    META_I8 = 1,
    META_U16 = 2,
    META_I16 = 3,
    META_U32 = 4,
    META_I32 = 5,
    META_F32 = 6,
    META_BOOL = 7,
    META_STRING = 8,
    META_ARRAY = 9,
    META_U64 = 10,
    META_I64 = 11,
    META_F64 = 12,
    META_TYPE_COUNT
} meta_type;

/* One metadata value. Numbers widen into u, i or f according to type; arrays of fixed-size
 * elements point at the packed little-endian bytes, arrays of strings and of arrays at items. */
typedef struct meta_value meta_value;
struct meta_value {
    meta_type type;
    union {
        uint64_t u; /* META_U8, U16, U32, U64, BOOL */
        int64_t i;  /* META_I8, I16, I32, I64 */
        double f;   /* META_F32, F64 */
        str s;      /* META_STRING, a view into the map */
        struct {
            meta_type elem;
            uint64_t n;
            const uint8_t *packed;   /* fixed-size elem: n * size bytes, unaligned; else NULL */
            const str *strings;      /* elem == META_STRING */
            const meta_value *items; /* elem == META_ARRAY */
        } a;
    };
};

typedef struct meta_kv {
    str key; /* 0-terminated too */
    meta_value value;
} meta_kv;

typedef struct tensor_file {
    const char *path;   /* for error texts; "<memory>" */
    const char *format; /* "GGUF v3" */
    meta_kv *kv;
    size_t n_kv;
    tensor_info *tensor;
    size_t n_tensor;
    map kv_index, tensor_index; /* name -> position */
    os_map *part;               /* the mapped files, in order; none when opened from memory */
    size_t n_part;
    uint64_t file_bytes; /* all parts together */
    const json *config;  /* of a checkpoint, {} when it has none; NULL: everything is in kv */
    const char
        *folder; /* of a checkpoint on disk: where tokenizer.json and the like lie; or NULL */
    arena mem;
} tensor_file;

/* Open any supported file by its first bytes, a checkpoint folder, or what a model name leads to
 * (hf_dir_find). For a split file give any part; all are opened. f->path is what was opened. */
status tensor_file_open(tensor_file **out, const char *path, err *e);
/* `data` must outlive the result. */
status tensor_file_open_memory(tensor_file **out, const void *data, size_t len, err *e);
void tensor_file_close(tensor_file *f);
/* "KEY=VALUE": let the configuration say so, whatever the file says. KEY is a member of config.json
 * ("rope_scaling.factor") or a metadata key of a GGUF file; VALUE a JSON scalar or a bare word.
 * Before a model is made of the file. RZ_EINVAL when it is none. */
status tensor_file_set(tensor_file *f, const char *assignment, err *e);

const tensor_info *tensor_file_find(const tensor_file *f, str name);       /* or NULL */
const meta_value *tensor_file_meta(const tensor_file *f, const char *key); /* or NULL */

/* For writers: make rows first .. first + n - 1 of a tensor, packed one behind the other, at `out`.
 * A row is dim[0] values. */
typedef status tensor_rows_fn(void *ud, uint64_t first, uint64_t n, void *out, err *e);

/* Typed reading of one key. Missing: *out keeps its value (the default) and the status is RZ_OK.
 * Wrong type or out of range: RZ_EFORMAT naming file, key, found, expected. Any integer type is
 * accepted where it fits; meta_f32 accepts integers too. */
status meta_u32(const tensor_file *f, const char *key, uint32_t *out, err *e);
status meta_f32(const tensor_file *f, const char *key, float *out, err *e);
status meta_bool(const tensor_file *f, const char *key, bool *out, err *e);
status meta_str(const tensor_file *f, const char *key, str *out, err *e);
/* Element i of an array (i < n), widened. _i64: integers and booleans that fit; _f64: those and
 * floats. false otherwise, also when i is past the end or v is no array (or NULL). */
bool meta_array_i64(const meta_value *v, uint64_t i, int64_t *out);
bool meta_array_f64(const meta_value *v, uint64_t i, double *out);

const char *meta_type_name(meta_type t); /* "u32", "string", ...; "?" beyond the last */
size_t meta_type_bytes(meta_type t);     /* 0 for string and array */
/* A value of a fixed-size type from its packed little-endian bytes. */
meta_value meta_load(meta_type t, const uint8_t *p);

#endif
