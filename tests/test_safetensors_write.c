/* test_safetensors_write.c - what is written is read back byte for byte, aligned, in one order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "test.h"
#include "touch_file.h"

static safetensors_writer *new_writer(void) {
    safetensors_writer *w = NULL;
    CHECK(safetensors_writer_new(&w, NULL) == RZ_OK);
    return w;
}

static void put(safetensors_writer *w, const char *name, quant_type t, uint64_t d0, uint64_t d1,
                const void *data) {
    const uint64_t dim[2] = {d0, d1};
    err e = {0};
    CHECK_MSG(safetensors_put_tensor(w, str_of(name), t, d1 ? 2 : 1, dim, data, &e) == RZ_OK, "%s",
              e.text);
}

static const uint8_t bytes[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

static void test_a_written_file_has_one_form(void) {
    buf a = BUF_INIT, b = BUF_INIT;
    for (int order = 0; order < 2; order++) {
        safetensors_writer *w = new_writer();
        if (order) put(w, "w", QUANT_F32, 2, 0, bytes);
        put(w, "z", QUANT_BOOL, 3, 0, bytes);
        put(w, "b", QUANT_BF16, 1, 2, bytes + 1);
        if (!order) CHECK(safetensors_put_text(w, STR_LIT("z"), STR_LIT("\"\n"), NULL) == RZ_OK);
        CHECK(safetensors_put_text(w, STR_LIT("format"), STR_LIT("pt"), NULL) == RZ_OK);
        if (order) CHECK(safetensors_put_text(w, STR_LIT("z"), STR_LIT("\"\n"), NULL) == RZ_OK);
        put(w, "a\xC3\xA9", QUANT_BF16, 1, 0, bytes);
        if (!order) put(w, "w", QUANT_F32, 2, 0, bytes);
        CHECK(safetensors_write_buf(w, order ? &b : &a, NULL) == RZ_OK);
        safetensors_writer_free(w);
    }
    CHECK(str_eq(buf_view(&a), buf_view(&b)));
    static const char want[] =
        "{\"__metadata__\":{\"format\":\"pt\",\"z\":\"\\\"\\n\"},"
        "\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        "\"a\xC3\xA9\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[8,10]},"
        "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,1],\"data_offsets\":[10,14]},"
        "\"z\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[14,17]}}";
    const size_t padded = (sizeof want - 1 + 7) / 8 * 8;
    CHECK(a.len == 8 + padded + 17 && memcmp(a.p + 8, want, sizeof want - 1) == 0);
    CHECK((uint8_t)a.p[0] == padded % 256 && (uint8_t)a.p[1] == padded / 256);
    CHECK(memcmp(a.p + 8 + padded, "\1\2\3\4\5\6\7\10\1\2\2\3\4\5\1\2\3", 17) == 0);
    buf_free(&a);
    buf_free(&b);
}

static status counting_rows(void *ud, uint64_t first, uint64_t n, void *out, err *e) {
    uint64_t *calls = ud;
    if (*calls == 99) return err_set(e, RZ_EIO, "the source is gone");
    for (uint64_t i = 0; i < n * 4; i++) ((uint8_t *)out)[i] = (uint8_t)((first * 4 + i) * 7);
    ++*calls;
    return RZ_OK;
}

static void test_rows_are_made_while_writing(void) {
    enum { ROWS = 3 << 20 };
    uint64_t calls = 0;
    const tensor_info t = {
        .name = STR_LIT("t"), .type = QUANT_U8, .n_dims = 3, .dim = {4, ROWS / 2, 2, 7}};
    const char *path = test_temp("rows.safetensors");
    safetensors_writer *w = new_writer();
    err e = {0};
    CHECK(safetensors_put_rows(w, &t, counting_rows, &calls, &e) == RZ_OK);
    CHECK_MSG(safetensors_write(w, path, &e) == RZ_OK, "%s", e.text);
    CHECK_MSG(calls == 3, "%llu calls", (unsigned long long)calls);
    tensor_file *f = NULL;
    REQUIRE(tensor_file_open(&f, path, &e) == RZ_OK);
    CHECK(f->tensor->n_dims == 3 && f->tensor->dim[2] == 2 && f->tensor->bytes == 4 * ROWS);
    size_t wrong = 0;
    for (size_t i = 0; i < 4 * ROWS; i++) wrong += f->tensor->data[i] != (uint8_t)(i * 7);
    CHECK(wrong == 0);
    tensor_file_close(f);
    /* The source fails: no file appears, and the old one is as it was. */
    calls = 99;
    const char *nowhere = test_temp("nowhere.safetensors");
    CHECK(safetensors_write(w, nowhere, &e) == RZ_EIO);
    CHECK_STR(e.text, "the source is gone");
    CHECK(os_path_kind(nowhere) == OS_NOTHING);
    safetensors_writer_free(w);
    gguf_writer *g = NULL;
    calls = 0;
    REQUIRE(gguf_writer_new(&g, &e) == RZ_OK);
    const tensor_info small = {
        .name = STR_LIT("t"), .type = QUANT_I8, .n_dims = 2, .dim = {4, 5, 9, 9}};
    CHECK(gguf_put_rows(g, &small, counting_rows, &calls, &e) == RZ_OK);
    buf b = BUF_INIT;
    CHECK(gguf_write_buf(g, &b, &e) == RZ_OK && calls == 1);
    CHECK(tensor_file_open_memory(&f, b.p, b.len, &e) == RZ_OK && f->tensor->data[19] == 19 * 7);
    CHECK(f->tensor->dim[2] == 1);
    tensor_file_close(f);
    buf_free(&b);
    gguf_writer_free(g);
}

static void check_refused(status want, status got, const err *e, const char *text) {
    CHECK(got == want);
    CHECK_STR(e->text, text);
}

static void test_the_writer_refuses_what_would_not_be_read(void) {
    safetensors_writer *w = new_writer();
    const uint64_t dim[4] = {32, 1, 1, 1}, zero[1] = {0}, huge[2] = {1ull << 40, 1ull << 40};
    err e = {0};
    put(w, "a", QUANT_F32, 4, 0, bytes);
#define PUT(name, type, n, dims) \
    safetensors_put_tensor(w, (str){name, sizeof name - 1}, type, n, dims, bytes, &e), &e
    check_refused(RZ_EINVAL, PUT("a", QUANT_F32, 1, dim),
                  "safetensors writer: tensor a is given twice");
    check_refused(RZ_EINVAL, PUT("", QUANT_F32, 1, dim),
                  "safetensors writer: a tensor name of 0 bytes is not text");
    check_refused(RZ_EINVAL, PUT("a\0b", QUANT_F32, 1, dim),
                  "safetensors writer: a tensor name of 3 bytes is not text");
    check_refused(RZ_EINVAL, PUT("\xFF", QUANT_F32, 1, dim),
                  "safetensors writer: a tensor name of 1 bytes is not text");
    check_refused(RZ_EINVAL, PUT("__metadata__", QUANT_F32, 1, dim),
                  "safetensors writer: a tensor cannot be called __metadata__");
    check_refused(RZ_EUNSUPPORTED, PUT("b", QUANT_Q8_0, 1, dim),
                  "safetensors writer: tensor b: the format has no type Q8_0");
    check_refused(RZ_EUNSUPPORTED, PUT("b", (quant_type)5, 1, dim),
                  "safetensors writer: tensor b: the format has no type of that number");
    check_refused(RZ_EINVAL, PUT("b", QUANT_F32, 0, dim),
                  "safetensors writer: tensor b has 0 dimensions, expected 1 to 4");
    check_refused(RZ_EINVAL, PUT("b", QUANT_F32, 5, dim),
                  "safetensors writer: tensor b has 5 dimensions, expected 1 to 4");
    check_refused(RZ_EINVAL, PUT("b", QUANT_F32, 1, zero),
                  "safetensors writer: tensor b is empty or too large");
    check_refused(RZ_EINVAL, PUT("b", QUANT_F32, 2, huge),
                  "safetensors writer: tensor b is empty or too large");
    check_refused(RZ_EINVAL, safetensors_put_text(w, STR_LIT("k"), STR_LIT("\xFF"), &e), &e,
                  "safetensors writer: a metadata value of 1 bytes is not text");
    CHECK(safetensors_put_text(w, STR_LIT("k"), STR_LIT(""), &e) == RZ_OK);
    check_refused(RZ_EINVAL, safetensors_put_text(w, STR_LIT("k"), STR_LIT("x"), &e), &e,
                  "safetensors writer: metadata key k is given twice");
    buf b = BUF_INIT;
    tensor_file *f = NULL;
    CHECK(safetensors_write_buf(w, &b, &e) == RZ_OK);
    CHECK(tensor_file_open_memory(&f, b.p, b.len, &e) == RZ_OK && f->n_tensor == 1 && f->n_kv == 1);
    tensor_file_close(f);
    buf_free(&b);
    safetensors_writer_free(w);
}

static void same_tensors(const tensor_file *a, const tensor_file *b, const char *name) {
    CHECK_MSG(a->n_tensor == b->n_tensor && a->n_kv == b->n_kv, "%s", name);
    for (size_t i = 0; i < a->n_tensor; i++) {
        const tensor_info *x = &a->tensor[i], *y = tensor_file_find(b, x->name);
        const bool same = y && x->type == y->type && x->n_dims == y->n_dims &&
                          memcmp(x->dim, y->dim, sizeof x->dim) == 0 && x->bytes == y->bytes &&
                          memcmp(x->data, y->data, x->bytes) == 0;
        CHECK_MSG(same, "%s: tensor %s", name, x->name.p);
        CHECK(!y || (y->data - b->part[0].data) % quant_get(y->type)->bytes == 0);
    }
}

static void round_trip(const char *folder, const char *name) {
    tensor_file *f = NULL, *again = NULL;
    err e = {0};
    safetensors_writer *w = new_writer();
    const char *path = test_temp("again.safetensors");
    REQUIRE(tensor_file_open(&f, folder, &e) == RZ_OK);
    for (size_t i = 0; i < f->n_kv; i++)
        CHECK(safetensors_put_text(w, f->kv[i].key, f->kv[i].value.s, &e) == RZ_OK);
    for (size_t i = 0; i < f->n_tensor; i++) {
        const tensor_info *t = &f->tensor[i];
        CHECK(safetensors_put_tensor(w, t->name, t->type, t->n_dims, t->dim, t->data, &e) == RZ_OK);
    }
    CHECK_MSG(safetensors_write(w, path, &e) == RZ_OK, "%s", e.text);
    if (tensor_file_open(&again, path, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    else same_tensors(f, again, name);
    tensor_file_close(f);
    tensor_file_close(again);
    safetensors_writer_free(w);
}

static void test_reference_checkpoints_round_trip(void) {
    arena mem = ARENA_INIT;
    const char *const *name;
    size_t n = 0, found = 0;
    const char *root = test_shared("golden/models");
    if (!root) {
        test_skip("golden/models is not there");
        return;
    }
    char models[1024], folder[2048];
    snprintf(models, sizeof models, "%s", root);
    REQUIRE(os_list_folder(models, &mem, &name, &n, NULL) == RZ_OK);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(name[i], "hf-", 3) != 0 && strncmp(name[i], "ox-", 3) != 0) continue;
        snprintf(folder, sizeof folder, "%s/%s", models, name[i]);
        round_trip(folder, name[i]);
        found++;
    }
    CHECK(found >= 46);
    arena_free(&mem);
}

static status write_some(buf *out) {
    safetensors_writer *w = NULL;
    const uint64_t dim[1] = {4};
    uint64_t calls = 0;
    const tensor_info t = {.name = STR_LIT("t"), .type = QUANT_U8, .n_dims = 1, .dim = {4}};
    TRY(safetensors_writer_new(&w, NULL));
    status s = safetensors_put_text(w, STR_LIT("k"), STR_LIT("v"), NULL);
    if (s >= 0) s = safetensors_put_tensor(w, STR_LIT("a"), QUANT_F32, 1, dim, bytes, NULL);
    if (s >= 0) s = safetensors_put_rows(w, &t, counting_rows, &calls, NULL);
    if (s >= 0) s = safetensors_write_buf(w, out, NULL);
    safetensors_writer_free(w);
    return s;
}

static void test_no_memory_while_writing_is_an_ordinary_error(void) {
    long n = 1;
    for (bool hit = true; hit && n < 100; n++) {
        buf b = BUF_INIT;
        mem_fail_at(n);
        const status s = write_some(&b);
        hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(s == (hit ? RZ_ENOMEM : RZ_OK) && (hit ? b.len == 0 : b.len > 20));
        buf_free(&b);
    }
    CHECK_MSG(n > 8 && n < 100, "%ld allocations", n);
}

void suite_safetensors_write(void) {
    RUN(test_a_written_file_has_one_form);
    RUN(test_rows_are_made_while_writing);
    RUN(test_the_writer_refuses_what_would_not_be_read);
    RUN(test_reference_checkpoints_round_trip);
    RUN(test_no_memory_while_writing_is_an_ordinary_error);
}
