/* fuzz_safetensors.c - any bytes as a safetensors file. Whatever opens is read from end to end,
 * held against the promises of tensor_file.h, written and read again. */
#include <stdlib.h>

#include "../touch_file.h"
#include "format/safetensors.h"
#include "fuzz.h"

static void require(bool ok) {
    if (!ok) abort();
}

static void check_tensors(const tensor_file *f, const uint8_t *data, size_t size) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < f->n_tensor; i++) {
        const tensor_info *t = &f->tensor[i];
        uint64_t row = 0;
        require(tensor_file_find(f, t->name) == t && safetensors_has_type(t->type));
        require(t->n_dims >= 1 && t->n_dims <= TENSOR_MAX_DIMS && t->bytes > 0);
        require(t->data >= data && t->bytes <= size - (size_t)(t->data - data));
        require(quant_row_bytes(t->type, t->dim[0], &row) && row * (t->n / t->dim[0]) == t->bytes);
        bytes += t->bytes;
    }
    uint64_t header;
    memcpy(&header, data, sizeof header);
    require(bytes == size - 8 - header);
}

static void check_again(const tensor_file *f) {
    safetensors_writer *w = NULL;
    tensor_file *again = NULL;
    buf b = BUF_INIT;
    err e = {0};
    require(safetensors_writer_new(&w, &e) == RZ_OK);
    for (size_t i = 0; i < f->n_kv; i++)
        require(safetensors_put_text(w, f->kv[i].key, f->kv[i].value.s, &e) == RZ_OK);
    for (size_t i = 0; i < f->n_tensor; i++) {
        const tensor_info *t = &f->tensor[i];
        require(safetensors_put_tensor(w, t->name, t->type, t->n_dims, t->dim, t->data, &e) ==
                RZ_OK);
    }
    require(safetensors_write_buf(w, &b, &e) == RZ_OK);
    require(tensor_file_open_memory(&again, b.p, b.len, &e) == RZ_OK);
    require(again->n_kv == f->n_kv && again->n_tensor == f->n_tensor);
    require(touch_file(again) == touch_file(f));
    tensor_file_close(again);
    safetensors_writer_free(w);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tensor_file *f = NULL;
    err e = {0};
    if (!safetensors_is((str){(const char *)data, size})) return 0;
    if (tensor_file_open_memory(&f, data, size, &e) < 0) {
        require(f == NULL && e.text[0]);
        return 0;
    }
    require(f->mem.bytes <= 16 * size + 1024);
    check_tensors(f, data, size);
    check_again(f);
    tensor_file_close(f);
    return 0;
}
