/* safetensors.h - reading and writing safetensors files, whole models or in shards (specification:
 * the format section of the safetensors README). */
#ifndef FORMAT_SAFETENSORS_H
#define FORMAT_SAFETENSORS_H

#include "base/buf.h"
#include "format/tensor_file.h"

enum {
    SAFETENSORS_MAX_HEADER = 100000000, /* bytes of JSON; the limit of the reference reader */
    SAFETENSORS_MAX_INDEX = 1 << 26,    /* bytes of model.safetensors.index.json */
};

/* Could these be the first bytes of a safetensors file? There is no magic: a length, then "{". */
bool safetensors_is(str bytes);
/* Can a tensor of this type be in one? The name is the same in both. */
bool safetensors_has_type(quant_type t);
/* Fill the empty *f from data[0..len), which must outlive it; f->part stays the caller's. Text of
 * __metadata__ becomes metadata. `path` is only for error texts. On failure *f holds nothing but
 * memory: tensor_file_close it. */
status safetensors_parse(tensor_file *f, const char *path, const uint8_t *data, size_t len, err *e);
/* Find config.json beside the file f->path; from memory the configuration is empty. */
status safetensors_complete(tensor_file *f, bool on_disk, err *e);

/* Does this path name one shard of several (NAME-00002-of-00003.safetensors) or their index
 * (NAME.safetensors.index.json)? */
bool safetensors_is_set(const char *path);
/* Open the whole set f->path belongs to into the empty *f. With an index every tensor must lie in
 * the shard the index says; other tensors of the shards are read too. Without one all shards must
 * be there by their names. A missing shard is RZ_ENOTFOUND. */
status safetensors_open_set(tensor_file *f, err *e);

/* Writing: collect text and tensors, then write everything at once. */
typedef struct safetensors_writer safetensors_writer;
status safetensors_writer_new(safetensors_writer **out, err *e);
void safetensors_writer_free(safetensors_writer *w);
/* An entry of __metadata__, copied. A key given twice is RZ_EINVAL. */
status safetensors_put_text(safetensors_writer *w, str key, str value, err *e);
/* `data` is borrowed until the file is written. RZ_EUNSUPPORTED for types the format has not. */
status safetensors_put_tensor(safetensors_writer *w, str name, quant_type type, uint32_t n_dims,
                              const uint64_t *dim, const void *data, err *e);
/* The same with rows made when they are written, in order, a few MiB at a time. */
status safetensors_put_rows(safetensors_writer *w, const tensor_info *t, tensor_rows_fn *rows,
                            void *ud, err *e);
/* Largest numbers first, names in byte order among equals, so that every tensor is aligned for its
 * type; the header is padded to 8 bytes. Atomically: the file appears whole or not at all. */
status safetensors_write(safetensors_writer *w, const char *path, err *e);
/* The same into memory. */
status safetensors_write_buf(safetensors_writer *w, buf *out, err *e);

#endif
