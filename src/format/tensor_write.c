/* tensor_write.c - writes tensors without holding a whole converted one in memory. */
#include "format/tensor_write.h"

#include "base/mem.h"

status emit_to_file(void *ud, const void *p, size_t n, err *e) {
    return os_file_write(ud, p, n, e);
}

status emit_to_buf(void *ud, const void *p, size_t n, err *e) {
    buf *b = ud;
    buf_add(b, p, n);
    return b->failed ? err_set(e, RZ_ENOMEM, "out of memory for %zu bytes", b->len + n) : RZ_OK;
}

status emit_tensor(const tensor_source *s, emit_fn *emit, void *ud, err *e) {
    if (s->t.data) return emit(ud, s->t.data, (size_t)s->t.bytes, e);
    const uint64_t rows = s->t.n / s->t.dim[0], row_bytes = s->t.bytes / rows;
    uint64_t step = row_bytes < TENSOR_STEP ? TENSOR_STEP / row_bytes : 1;
    if (step > rows) step = rows;
    void *chunk = mem_array((size_t)step, (size_t)row_bytes);
    if (!chunk)
        return err_set(e, RZ_ENOMEM, "tensor %.*s: out of memory for %llu rows", STR_FMT(s->t.name),
                       (unsigned long long)step);
    status done = RZ_OK;
    for (uint64_t at = 0; at < rows && done >= 0; at += step) {
        const uint64_t n = rows - at < step ? rows - at : step;
        done = s->rows(s->ud, at, n, chunk, e);
        if (done >= 0) done = emit(ud, chunk, (size_t)(n * row_bytes), e);
    }
    mem_free(chunk);
    return done;
}

status tensor_measure(tensor_info *t, const char *writer, err *e) {
    uint64_t bytes;
    if (t->n_dims < 1 || t->n_dims > TENSOR_MAX_DIMS)
        return err_set(e, RZ_EINVAL, "%s: tensor %.*s has %u dimensions, expected 1 to %d", writer,
                       STR_FMT(t->name), t->n_dims, TENSOR_MAX_DIMS);
    if (!quant_row_bytes(t->type, t->dim[0], &bytes))
        return err_set(e, RZ_EINVAL, "%s: tensor %.*s: rows of %llu values do not fit %s", writer,
                       STR_FMT(t->name), (unsigned long long)t->dim[0],
                       quant_get((uint32_t)t->type)->name);
    t->n = t->dim[0];
    for (uint32_t i = 1; i < TENSOR_MAX_DIMS; i++) {
        if (i >= t->n_dims) t->dim[i] = 1;
        if (__builtin_mul_overflow(bytes, t->dim[i], &bytes)) bytes = 0;
        t->n *= t->dim[i];
    }
    if (bytes == 0 || bytes > SIZE_MAX / 2)
        return err_set(e, RZ_EINVAL, "%s: tensor %.*s is empty or too large", writer,
                       STR_FMT(t->name));
    t->bytes = bytes;
    return RZ_OK;
}
