/* tensor_write.h - what the writers share: bytes into a file or into memory, tensors from memory or
 * made row by row. */
#ifndef FORMAT_TENSOR_WRITE_H
#define FORMAT_TENSOR_WRITE_H

#include "base/buf.h"
#include "format/tensor_file.h"

typedef status emit_fn(void *ud, const void *p, size_t n, err *e);

/* ud is an os_file, or a buf. */
status emit_to_file(void *ud, const void *p, size_t n, err *e);
status emit_to_buf(void *ud, const void *p, size_t n, err *e);

/* A tensor that will be written: t.data, or rows when that is NULL. */
typedef struct tensor_source {
    tensor_info t;
    tensor_rows_fn *rows;
    void *ud;
} tensor_source;

/* Write the tensor's bytes. Rows are made in steps of at most TENSOR_STEP bytes, but one at
 * least. */
enum { TENSOR_STEP = 4 << 20 };
status emit_tensor(const tensor_source *s, emit_fn *emit, void *ud, err *e);

/* Fill n, bytes and the unused dim of *t from its name, type and dims; RZ_EINVAL names the
 * writer. */
status tensor_measure(tensor_info *t, const char *writer, err *e);

#endif
