/* fuzz_gguf.c - any bytes as a model file. Whatever opens is read from end to end, held against the
 * promises of tensor_file.h, written and read again. */
#include <stdlib.h>

#include "../touch_file.h"
#include "format/gguf.h"
#include "fuzz.h"

static void require(bool ok) {
    if (!ok) abort();
}

static void check_tensors(const tensor_file *f, const uint8_t *data, size_t size) {
    for (size_t i = 0; i < f->n_tensor; i++) {
        const tensor_info *t = &f->tensor[i];
        uint64_t row = 0;
        require(tensor_file_find(f, t->name) == t);
        require(t->n_dims >= 1 && t->n_dims <= TENSOR_MAX_DIMS && t->bytes > 0);
        require(t->data >= data && t->bytes <= size - (size_t)(t->data - data));
        require(quant_row_bytes(t->type, t->dim[0], &row) && row * (t->n / t->dim[0]) == t->bytes);
    }
}

static void check_again(const tensor_file *f) {
    gguf_writer *w = NULL;
    tensor_file *again = NULL;
    buf b = BUF_INIT;
    err e = {0};
    require(gguf_writer_new(&w, &e) == RZ_OK);
    for (size_t i = 0; i < f->n_kv; i++)
        require(gguf_put_value(w, f->kv[i].key, &f->kv[i].value, &e) == RZ_OK);
    for (size_t i = 0; i < f->n_tensor; i++) {
        const tensor_info *t = &f->tensor[i];
        require(gguf_put_tensor(w, t->name, t->type, t->n_dims, t->dim, t->data, &e) == RZ_OK);
    }
    require(gguf_write_buf(w, &b, &e) == RZ_OK);
    require(tensor_file_open_memory(&again, b.p, b.len, &e) == RZ_OK);
    require(again->n_kv == f->n_kv && again->n_tensor == f->n_tensor);
    require(touch_file(again) == touch_file(f));
    tensor_file_close(again);
    gguf_writer_free(w);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tensor_file *f = NULL;
    err e = {0};
    if (tensor_file_open_memory(&f, data, size, &e) < 0) {
        require(f == NULL && e.text[0]);
        return 0;
    }
    /* 64 bytes of table for a key of 14, 80 for a tensor of 33, 48 for an array of 12; names. */
    require(f->mem.bytes <= 16 * size + 256);
    check_tensors(f, data, size);
    uint32_t u = 0;
    float x = 0;
    str s = {NULL, 0};
    for (size_t i = 0; i < f->n_kv; i++) {
        const char *key = f->kv[i].key.p;
        require(tensor_file_meta(f, key) == &f->kv[i].value);
        if (meta_u32(f, key, &u, &e) < 0 && meta_f32(f, key, &x, &e) < 0 &&
            meta_str(f, key, &s, &e) < 0)
            require(e.text[0]);
    }
    check_again(f);
    tensor_file_close(f);
    return 0;
}
