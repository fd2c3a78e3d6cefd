/* gguf.h - reading and writing GGUF v2 and v3 (specification: ggml docs/gguf.md). */
#ifndef FORMAT_GGUF_H
#define FORMAT_GGUF_H

#include "base/buf.h"
#include "format/tensor_file.h"

enum {
    GGUF_DEFAULT_ALIGNMENT = 32,
    GGUF_MAX_ALIGNMENT = 65536, /* and at least 8, always a power of two */
    GGUF_MAX_DEPTH = 8,         /* of arrays in arrays */
    GGUF_MAX_COUNT = 1 << 20,   /* of keys, and of tensors */
    GGUF_MAX_NAME = 65535,      /* bytes of a key or tensor name */
};

/* Are these the first bytes of a GGUF file? */
bool gguf_is(str bytes);
/* Fill the empty *f from data[0..len), which must outlive it; f->part stays the caller's.
 * `path` is only for error texts. On failure *f holds nothing but memory: tensor_file_close it. */
status gguf_parse(tensor_file *f, const char *path, const uint8_t *data, size_t len, err *e);
/* If *f, just parsed, is a part of a split file (split.count > 1), open the others by the pattern
 * of its name, NAME-00002-of-00003.gguf, and join them: the metadata is part 1's, the tensors
 * those of all parts in order. A missing part is RZ_ENOTFOUND; without a path (on_disk false) a
 * split file is RZ_EUNSUPPORTED. */
status gguf_complete(tensor_file *f, bool on_disk, err *e);

/* Writing: collect metadata and tensors, then write everything at once. */
typedef struct gguf_writer gguf_writer;
status gguf_writer_new(gguf_writer **out, err *e);
void gguf_writer_free(gguf_writer *w);
/* Keys and strings are copied. A key given twice is RZ_EINVAL. */
status gguf_put_u32(gguf_writer *w, const char *key, uint32_t v, err *e);
status gguf_put_f32(gguf_writer *w, const char *key, float v, err *e);
status gguf_put_bool(gguf_writer *w, const char *key, bool v, err *e);
status gguf_put_str(gguf_writer *w, const char *key, str v, err *e);
status gguf_put_strs(gguf_writer *w, const char *key, const str *v, size_t n, err *e);
/* n packed little-endian elements of a fixed-size type. */
status gguf_put_array(gguf_writer *w, const char *key, meta_type elem, const void *v, size_t n,
                      err *e);
/* Any value as read from another file. */
status gguf_put_value(gguf_writer *w, str key, const meta_value *v, err *e);
/* `data` is borrowed until gguf_write. bytes must be what type and dims say. */
status gguf_put_tensor(gguf_writer *w, str name, quant_type type, uint32_t n_dims,
                       const uint64_t *dim, const void *data, err *e);
/* The same with rows made when they are written, in order, a few MiB at a time. */
status gguf_put_rows(gguf_writer *w, const tensor_info *t, tensor_rows_fn *rows, void *ud, err *e);
/* Version 3, tensors in the order given, atomically: the file appears whole or not at all. */
status gguf_write(const gguf_writer *w, const char *path, err *e);
/* The same into memory. */
status gguf_write_buf(const gguf_writer *w, buf *out, err *e);

#endif
