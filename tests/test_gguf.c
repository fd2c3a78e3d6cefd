/* test_gguf.c - real GGUF files open and come back from the writer; split files; typed metadata. */
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/gguf.h"
#include "test.h"
#include "touch_file.h"

static bool same_value(const meta_value *a, const meta_value *b) {
    if (a->type != b->type) return false;
    if (a->type == META_STRING) return str_eq(a->s, b->s);
    if (a->type != META_ARRAY) return a->u == b->u;
    if (a->a.elem != b->a.elem || a->a.n != b->a.n) return false;
    if (a->a.packed) {
        const size_t bytes = (size_t)a->a.n * meta_type_bytes(a->a.elem);
        return b->a.packed && (bytes == 0 || memcmp(a->a.packed, b->a.packed, bytes) == 0);
    }
    for (uint64_t i = 0; i < a->a.n; i++) {
        if (a->a.elem == META_STRING ? !str_eq(a->a.strings[i], b->a.strings[i])
                                     : !same_value(&a->a.items[i], &b->a.items[i]))
            return false;
    }
    return true;
}

static bool same_file(const tensor_file *a, const tensor_file *b) {
    if (a->n_kv != b->n_kv || a->n_tensor != b->n_tensor) return false;
    for (size_t i = 0; i < a->n_kv; i++)
        if (!str_eq(a->kv[i].key, b->kv[i].key) || !same_value(&a->kv[i].value, &b->kv[i].value))
            return false;
    for (size_t i = 0; i < a->n_tensor; i++) {
        const tensor_info *x = &a->tensor[i], *y = &b->tensor[i];
        if (!str_eq(x->name, y->name) || x->type != y->type || x->n_dims != y->n_dims ||
            memcmp(x->dim, y->dim, sizeof x->dim) != 0 || x->bytes != y->bytes ||
            memcmp(x->data, y->data, (size_t)x->bytes) != 0)
            return false;
    }
    return true;
}

static status put_all(gguf_writer *w, const tensor_file *f, err *e) {
    for (size_t i = 0; i < f->n_kv; i++) TRY(gguf_put_value(w, f->kv[i].key, &f->kv[i].value, e));
    for (size_t i = 0; i < f->n_tensor; i++) {
        const tensor_info *t = &f->tensor[i];
        TRY(gguf_put_tensor(w, t->name, t->type, t->n_dims, t->dim, t->data, e));
    }
    return RZ_OK;
}

/* Read, write, read: the same. */
static void check_round_trip(const char *path) {
    tensor_file *f = NULL, *again = NULL;
    gguf_writer *w = NULL;
    buf b = BUF_INIT;
    err e = {0};
    CHECK_MSG(tensor_file_open(&f, path, &e) == RZ_OK, "%s", e.text);
    if (!f) return;
    touch_file(f);
    CHECK(f->n_part == 1 && f->file_bytes == f->part[0].len);
    REQUIRE(gguf_writer_new(&w, &e) == RZ_OK);
    CHECK_MSG(put_all(w, f, &e) == RZ_OK, "%s", e.text);
    CHECK_MSG(gguf_write_buf(w, &b, &e) == RZ_OK, "%s", e.text);
    /* Other writers lay files out the same way, but not all pad the end. */
    CHECK_MSG(b.len >= f->file_bytes && b.len < f->file_bytes + GGUF_DEFAULT_ALIGNMENT &&
                  memcmp(b.p, f->part[0].data, f->part[0].len) == 0,
              "%s is not written byte for byte", path);
    CHECK_MSG(tensor_file_open_memory(&again, b.p, b.len, &e) == RZ_OK, "%s: %s", path, e.text);
    if (again) CHECK_MSG(same_file(f, again), "%s changes by being written", path);
    gguf_writer_free(w);
    tensor_file_close(f);
    tensor_file_close(again);
    buf_free(&b);
}

static void check_all(const char *folder, const char *pattern) {
    const char *at = test_shared(folder);
    if (!at) {
        test_skip("no shared %s", folder);
        return;
    }
    char both[1200];
    snprintf(both, sizeof both, "%s/%s", at, pattern);
    glob_t g;
    CHECK(glob(both, 0, NULL, &g) == 0 && g.gl_pathc > 0);
    for (size_t i = 0; i < g.gl_pathc; i++) check_round_trip(g.gl_pathv[i]);
    globfree(&g);
}

static void test_golden_models_open_and_round_trip(void) {
    check_all("golden/models", "gguf-*/model.gguf");
}
static void test_stories_open_and_round_trip(void) { check_all("models", "*.gguf"); }
static void test_demos_open_and_round_trip(void) { check_all("models/demo", "*.gguf"); }
static void test_vocabularies_without_tensors_open_and_round_trip(void) {
    check_all("vocabs/ggml", "*.gguf");
}

static void test_a_real_file_is_described(void) {
    const char *path = test_shared("models/stories260K-f32.gguf");
    tensor_file *f = NULL;
    err e = {0};
    if (!path) {
        test_skip("no shared models/stories260K-f32.gguf");
        return;
    }
    CHECK_MSG(tensor_file_open(&f, path, &e) == RZ_OK, "%s", e.text);
    REQUIRE(f);
    str arch = STR_LIT("");
    uint32_t layers = 0;
    CHECK(meta_str(f, "general.architecture", &arch, &e) == RZ_OK && str_is(arch, "llama"));
    CHECK(meta_u32(f, "llama.block_count", &layers, &e) == RZ_OK && layers == 5);
    const tensor_info *t = tensor_file_find(f, STR_LIT("token_embd.weight"));
    REQUIRE(t);
    CHECK(t->n_dims == 2 && t->dim[0] == 64 && t->dim[1] == 512 && t->type == QUANT_F32);
    CHECK(t->bytes == 64 * 512 * 4);
    tensor_file_close(f);
}

/* The writer's file as an open tensor_file over *b. */
static tensor_file *reopen(gguf_writer *w, buf *b) {
    tensor_file *f = NULL;
    err e = {0};
    buf_clear(b);
    CHECK_MSG(gguf_write_buf(w, b, &e) == RZ_OK, "%s", e.text);
    CHECK_MSG(tensor_file_open_memory(&f, b->p, b->len, &e) == RZ_OK, "%s", e.text);
    return f;
}

static status put(gguf_writer *w, const char *key, meta_value v) {
    return gguf_put_value(w, str_of(key), &v, NULL);
}

static void fill_with_numbers(gguf_writer *w) {
    static const uint64_t big[2] = {7, UINT64_MAX};
    static const float reals[3] = {1.5f, -2, 0};
    static const int16_t shorts[2] = {-3, 300};
    static const uint8_t flags[2] = {1, 0};
    const str words[2] = {STR_LIT("a"), STR_LIT("b")};
    CHECK(put(w, "u8", (meta_value){.type = META_U8, .u = 200}) == RZ_OK);
    CHECK(put(w, "i8", (meta_value){.type = META_I8, .i = -5}) == RZ_OK);
    CHECK(put(w, "i64", (meta_value){.type = META_I64, .i = INT64_MIN}) == RZ_OK);
    CHECK(put(w, "u64", (meta_value){.type = META_U64, .u = UINT64_MAX}) == RZ_OK);
    CHECK(put(w, "i32", (meta_value){.type = META_I32, .i = 70000}) == RZ_OK);
    CHECK(put(w, "f64", (meta_value){.type = META_F64, .f = 1e300}) == RZ_OK);
    CHECK(put(w, "nan", (meta_value){.type = META_F32, .f = (double)NAN}) == RZ_OK);
    CHECK(gguf_put_u32(w, "u32", UINT32_MAX, NULL) == RZ_OK);
    CHECK(gguf_put_f32(w, "f32", 0.25f, NULL) == RZ_OK);
    CHECK(gguf_put_bool(w, "bool", true, NULL) == RZ_OK);
    CHECK(gguf_put_str(w, "str", STR_LIT("text"), NULL) == RZ_OK);
    CHECK(gguf_put_strs(w, "strs", words, 2, NULL) == RZ_OK);
    CHECK(gguf_put_array(w, "big", META_U64, big, 2, NULL) == RZ_OK);
    CHECK(gguf_put_array(w, "reals", META_F32, reals, 3, NULL) == RZ_OK);
    CHECK(gguf_put_array(w, "shorts", META_I16, shorts, 2, NULL) == RZ_OK);
    CHECK(gguf_put_array(w, "flags", META_BOOL, flags, 2, NULL) == RZ_OK);
    CHECK(gguf_put_array(w, "none", META_F64, NULL, 0, NULL) == RZ_OK);
}

static void test_metadata_is_read_by_type_and_range(void) {
    gguf_writer *w;
    buf b = BUF_INIT;
    err e = {0};
    REQUIRE(gguf_writer_new(&w, NULL) == RZ_OK);
    fill_with_numbers(w);
    tensor_file *f = reopen(w, &b);
    REQUIRE(f);
    uint32_t u = 1;
    CHECK(meta_u32(f, "missing", &u, &e) == RZ_OK && u == 1);
    CHECK(meta_u32(f, "u8", &u, &e) == RZ_OK && u == 200);
    CHECK(meta_u32(f, "i32", &u, &e) == RZ_OK && u == 70000);
    CHECK(meta_u32(f, "u32", &u, &e) == RZ_OK && u == UINT32_MAX);
    CHECK(meta_u32(f, "i8", &u, &e) == RZ_EFORMAT && u == UINT32_MAX);
    CHECK_STR(e.text, "<memory>: key i8 is -5, expected 0 to 4294967295");
    CHECK(meta_u32(f, "u64", &u, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "<memory>: key u64 is 18446744073709551615, expected 0 to 4294967295");
    CHECK(meta_u32(f, "str", &u, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "<memory>: key str is of type string, expected an integer");
    CHECK(meta_u32(f, "bool", &u, NULL) == RZ_EFORMAT && meta_u32(f, "f32", &u, NULL) < 0);
    float x = 1;
    CHECK(meta_f32(f, "missing", &x, &e) == RZ_OK && x == 1.0f);
    CHECK(meta_f32(f, "f32", &x, &e) == RZ_OK && x == 0.25f);
    CHECK(meta_f32(f, "i8", &x, &e) == RZ_OK && x == -5.0f);
    CHECK(meta_f32(f, "u8", &x, &e) == RZ_OK && x == 200.0f);
    CHECK(meta_f32(f, "f64", &x, &e) == RZ_EFORMAT && x == 200.0f);
    CHECK_STR(e.text, "<memory>: key f64 is 1e+300, expected a finite 32-bit float");
    CHECK(meta_f32(f, "nan", &x, &e) == RZ_EFORMAT);
    CHECK(meta_f32(f, "reals", &x, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "<memory>: key reals is of type array, expected a number");
    bool yes = false;
    CHECK(meta_bool(f, "bool", &yes, &e) == RZ_OK && yes);
    CHECK(meta_bool(f, "u8", &yes, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "<memory>: key u8 is of type u8, expected bool");
    str s = STR_LIT("default");
    CHECK(meta_str(f, "missing", &s, &e) == RZ_OK && str_is(s, "default"));
    CHECK(meta_str(f, "str", &s, &e) == RZ_OK && str_is(s, "text"));
    CHECK(meta_str(f, "strs", &s, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "<memory>: key strs is of type array, expected string");
    tensor_file_close(f);
    gguf_writer_free(w);
    buf_free(&b);
}

static void test_array_elements_widen(void) {
    gguf_writer *w;
    buf b = BUF_INIT;
    REQUIRE(gguf_writer_new(&w, NULL) == RZ_OK);
    fill_with_numbers(w);
    tensor_file *f = reopen(w, &b);
    REQUIRE(f);
    const meta_value *big = tensor_file_meta(f, "big"), *reals = tensor_file_meta(f, "reals");
    const meta_value *shorts = tensor_file_meta(f, "shorts"), *flags = tensor_file_meta(f, "flags");
    int64_t i = 0;
    double d = 0;
    CHECK(meta_array_i64(big, 0, &i) && i == 7 && !meta_array_i64(big, 1, &i) && i == 7);
    CHECK(meta_array_f64(big, 1, &d) && d == 18446744073709551616.0);
    CHECK(meta_array_f64(reals, 1, &d) && d == -2 && !meta_array_i64(reals, 1, &i));
    CHECK(meta_array_i64(shorts, 0, &i) && i == -3 && meta_array_f64(shorts, 1, &d) && d == 300);
    CHECK(meta_array_i64(flags, 0, &i) && i == 1 && !meta_array_i64(shorts, 2, &i));
    CHECK(!meta_array_i64(tensor_file_meta(f, "strs"), 0, &i) && !meta_array_i64(NULL, 0, &i));
    CHECK(!meta_array_f64(tensor_file_meta(f, "u8"), 0, &d));
    CHECK(tensor_file_meta(f, "none")->a.n == 0);
    CHECK_STR(meta_type_name(META_F64), "f64");
    CHECK_STR(meta_type_name((meta_type)13), "?");
    CHECK(meta_type_bytes(META_ARRAY) == 0 && meta_type_bytes((meta_type)99) == 0);
    tensor_file_close(f);
    gguf_writer_free(w);
    buf_free(&b);
}

static void test_the_writer_refuses_what_would_not_be_read(void) {
    gguf_writer *w;
    err e = {0};
    const float row[64] = {0};
    const uint64_t good[2] = {32, 2}, odd[1] = {33}, zero[2] = {32, 0};
    const uint64_t huge[3] = {1ull << 40, 1ull << 40, 2}, five[5] = {1, 1, 1, 1, 1};
    REQUIRE(gguf_writer_new(&w, NULL) == RZ_OK);
    CHECK(gguf_put_u32(w, "k", 1, &e) == RZ_OK);
    CHECK(gguf_put_str(w, "k", STR_LIT("x"), &e) == RZ_EINVAL);
    CHECK_STR(e.text, "GGUF writer: key k is given twice");
    CHECK(gguf_put_u32(w, "", 1, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "GGUF writer: key name of 0 bytes is no name");
    CHECK(gguf_put_u32(w, "\xFF", 1, &e) == RZ_EINVAL);
    CHECK(gguf_put_u32(w, "general.alignment", 33, &e) == RZ_EINVAL);
    CHECK(gguf_put_array(w, "a", META_STRING, row, 1, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "GGUF writer: key a: elements of type string are not packed");
    CHECK(put(w, "b", (meta_value){.type = META_BOOL, .u = 2}) == RZ_EINVAL);
    CHECK(put(w, "c", (meta_value){.type = META_TYPE_COUNT}) == RZ_EINVAL);
    CHECK(gguf_put_tensor(w, STR_LIT("t"), QUANT_F32, 2, good, row, &e) == RZ_OK);
    CHECK(gguf_put_tensor(w, STR_LIT("t"), QUANT_F32, 2, good, row, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "GGUF writer: tensor t is given twice");
    CHECK(gguf_put_tensor(w, STR_LIT("u"), QUANT_Q4_0, 1, odd, row, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "GGUF writer: tensor u: rows of 33 values do not fit Q4_0");
    CHECK(gguf_put_tensor(w, STR_LIT("u"), QUANT_F32, 2, zero, row, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "GGUF writer: tensor u is empty or too large");
    CHECK(gguf_put_tensor(w, STR_LIT("u"), QUANT_F32, 3, huge, row, &e) == RZ_EINVAL);
    CHECK(gguf_put_tensor(w, STR_LIT("u"), QUANT_F32, 5, five, row, &e) == RZ_EINVAL);
    CHECK(gguf_put_tensor(w, STR_LIT("u"), (quant_type)5, 2, good, row, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "GGUF writer: tensor u has the unknown type id 5");
    buf b = BUF_INIT;
    tensor_file *f = reopen(w, &b);
    REQUIRE(f);
    CHECK(f->n_kv == 1 && f->n_tensor == 1);
    tensor_file_close(f);
    gguf_writer_free(w);
    gguf_writer_free(NULL);
    buf_free(&b);
}

static void test_the_writer_refuses_arrays_out_of_shape(void) {
    gguf_writer *w;
    err e = {0};
    meta_value nest[GGUF_MAX_DEPTH + 1] = {{.type = META_ARRAY}};
    meta_value scalar = {.type = META_U8}, mixed = {.type = META_ARRAY}, odd = mixed;
    REQUIRE(gguf_writer_new(&w, NULL) == RZ_OK);
    for (int i = 1; i <= GGUF_MAX_DEPTH; i++) {
        nest[i].type = META_ARRAY;
        nest[i].a.elem = META_ARRAY;
        nest[i].a.n = 1;
        nest[i].a.items = &nest[i - 1];
    }
    CHECK(gguf_put_value(w, STR_LIT("deep"), &nest[GGUF_MAX_DEPTH], &e) == RZ_EINVAL);
    CHECK_STR(e.text, "GGUF writer: key deep: arrays nested deeper than 8");
    CHECK(gguf_put_value(w, STR_LIT("deep"), &nest[GGUF_MAX_DEPTH - 1], &e) == RZ_OK);
    mixed.a.elem = META_ARRAY;
    mixed.a.n = 1;
    mixed.a.items = &scalar;
    CHECK(gguf_put_value(w, STR_LIT("mixed"), &mixed, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "GGUF writer: key mixed: element 0 is no array");
    odd.a.elem = META_TYPE_COUNT;
    CHECK(gguf_put_value(w, STR_LIT("odd"), &odd, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "GGUF writer: key odd is an array of type 13, which is none");
    gguf_writer_free(w);
}

static void test_writing_where_nothing_can_be_written_says_so(void) {
    gguf_writer *w;
    err e = {0};
    REQUIRE(gguf_writer_new(&w, NULL) == RZ_OK);
    CHECK(gguf_write(w, test_temp("no/such/folder.gguf"), &e) == RZ_EIO);
    CHECK(strstr(e.text, "no/such/folder.gguf: cannot write: No such file") != NULL);
    gguf_writer_free(w);
}

static void test_the_writer_keeps_the_alignment_asked_for(void) {
    const uint8_t bytes[3] = {1, 2, 3};
    const uint64_t dim[1] = {3};
    for (uint32_t a = 8; a <= 65536; a *= 2) {
        gguf_writer *w;
        buf b = BUF_INIT;
        REQUIRE(gguf_writer_new(&w, NULL) == RZ_OK);
        CHECK(gguf_put_u32(w, "general.alignment", a, NULL) == RZ_OK);
        CHECK(gguf_put_tensor(w, STR_LIT("x"), QUANT_I8, 1, dim, bytes, NULL) == RZ_OK);
        CHECK(gguf_put_tensor(w, STR_LIT("y"), QUANT_I8, 1, dim, bytes, NULL) == RZ_OK);
        tensor_file *f = reopen(w, &b);
        REQUIRE(f);
        CHECK(b.len % a == 0 && b.len >= 3 * (size_t)a);
        CHECK(f->tensor[1].data - f->tensor[0].data == (ptrdiff_t)a);
        CHECK((size_t)(f->tensor[0].data - (const uint8_t *)b.p) % a == 0);
        CHECK(memcmp(f->tensor[1].data, bytes, 3) == 0);
        tensor_file_close(f);
        gguf_writer_free(w);
        buf_free(&b);
    }
}

static void test_no_memory_while_writing_is_an_ordinary_error(void) {
    const uint64_t dim[1] = {8};
    const float data[8] = {0};
    long n = 1;
    for (bool hit = true; hit && n < 200; n++) {
        gguf_writer *w = NULL;
        buf b = BUF_INIT;
        mem_fail_at(n);
        status s = gguf_writer_new(&w, NULL);
        if (s >= 0) s = gguf_put_u32(w, "key", 1, NULL);
        if (s >= 0) s = gguf_put_strs(w, "list", (str[2]){STR_LIT("a"), STR_LIT("b")}, 2, NULL);
        if (s >= 0) s = gguf_put_tensor(w, STR_LIT("t"), QUANT_F32, 1, dim, data, NULL);
        if (s >= 0) s = gguf_write_buf(w, &b, NULL);
        if (s >= 0) s = gguf_write(w, test_temp("oom.gguf"), NULL);
        hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(s == (hit ? RZ_ENOMEM : RZ_OK));
        gguf_writer_free(w);
        buf_free(&b);
    }
    CHECK_MSG(n > 8 && n < 200, "%ld allocations", n);
    /* Once a value was lost the writer says so for good instead of writing a damaged file. */
    gguf_writer *w;
    buf b = BUF_INIT;
    static const char large[100000];
    REQUIRE(gguf_writer_new(&w, NULL) == RZ_OK);
    CHECK(gguf_put_u32(w, "key", 1, NULL) == RZ_OK);
    mem_fail_at(1);
    CHECK(gguf_put_array(w, "lost", META_U8, large, sizeof large, NULL) == RZ_ENOMEM);
    mem_fail_at(0);
    CHECK(gguf_put_u32(w, "next", 1, NULL) == RZ_ENOMEM);
    CHECK(gguf_write_buf(w, &b, NULL) == RZ_ENOMEM && b.len == 0);
    gguf_writer_free(w);
    buf_free(&b);
}

/* ---- split files ------------------------------------------------------ */

typedef struct part_spec {
    const char *file, *tensor;
    uint32_t no, count, total;
} part_spec;

static void write_part(part_spec p) {
    gguf_writer *w;
    err e = {0};
    const uint64_t dim[1] = {4};
    const float data[4] = {(float)p.no, 1, 2, 3};
    REQUIRE(gguf_writer_new(&w, NULL) == RZ_OK);
    if (p.no == 0) CHECK(gguf_put_str(w, "general.architecture", STR_LIT("llama"), &e) == RZ_OK);
    if (p.no == 1) CHECK(gguf_put_u32(w, "general.alignment", 256, &e) == RZ_OK);
    CHECK(put(w, "split.no", (meta_value){.type = META_U16, .u = p.no}) == RZ_OK);
    CHECK(put(w, "split.count", (meta_value){.type = META_U16, .u = p.count}) == RZ_OK);
    CHECK(put(w, "split.tensors.count", (meta_value){.type = META_I32, .i = p.total}) == RZ_OK);
    if (p.tensor) CHECK(gguf_put_tensor(w, str_of(p.tensor), QUANT_F32, 1, dim, data, &e) == RZ_OK);
    CHECK_MSG(gguf_write(w, test_temp(p.file), &e) == RZ_OK, "%s", e.text);
    gguf_writer_free(w);
}

static void test_split_files_open_from_any_part(void) {
    static const char *const names[] = {"m-00001-of-00003.gguf", "m-00002-of-00003.gguf",
                                        "m-00003-of-00003.gguf"};
    write_part((part_spec){names[0], NULL, 0, 3, 2}); /* metadata alone, as some are cut */
    write_part((part_spec){names[1], "a", 1, 3, 2});
    write_part((part_spec){names[2], "b", 2, 3, 2});
    for (int i = 0; i < 3; i++) {
        tensor_file *f = NULL;
        err e = {0};
        str arch = {NULL, 0};
        CHECK_MSG(tensor_file_open(&f, test_temp(names[i]), &e) == RZ_OK, "%s", e.text);
        if (!f) continue;
        CHECK(f->n_part == 3 && f->n_tensor == 2);
        CHECK(f->file_bytes == f->part[0].len + f->part[1].len + f->part[2].len);
        CHECK(meta_str(f, "general.architecture", &arch, &e) == RZ_OK && str_is(arch, "llama"));
        const tensor_info *a = tensor_file_find(f, STR_LIT("a"));
        const tensor_info *b = tensor_file_find(f, STR_LIT("b"));
        REQUIRE(a && b);
        float x, y;
        memcpy(&x, a->data, 4);
        memcpy(&y, b->data, 4);
        CHECK(x == 1.0f && y == 2.0f && str_is(f->tensor[0].name, "a"));
        touch_file(f);
        tensor_file_close(f);
    }
}

/* Open `name` and compare the error, in which the folder is left out. */
static void check_split_error(const char *name, status want, const char *text) {
    tensor_file *f = NULL;
    err e = {0};
    const status s = tensor_file_open(&f, test_temp(name), &e);
    CHECK_MSG(s == want && f == NULL, "status %d for %s", s, name);
    char folder[1024], shown[512] = "";
    snprintf(folder, sizeof folder, "%s", test_temp(""));
    for (str rest = str_of(e.text); rest.len;) {
        const ptrdiff_t at = str_find(rest, str_of(folder));
        const size_t n = at < 0 ? rest.len : (size_t)at;
        strncat(shown, rest.p, n);
        const size_t skip = n + (at < 0 ? 0 : strlen(folder));
        rest = (str){rest.p + skip, rest.len - skip};
    }
    CHECK_STR(shown, text);
    tensor_file_close(f);
}

static void test_split_files_that_do_not_fit_are_refused(void) {
    write_part((part_spec){"x-00001-of-00002.gguf", "a", 0, 2, 2});
    check_split_error("x-00001-of-00002.gguf", RZ_ENOTFOUND,
                      "x-00001-of-00002.gguf: part 2 of 2 is missing: x-00002-of-00002.gguf");
    write_part((part_spec){"y-00001-of-00002.gguf", "a", 0, 2, 2});
    write_part((part_spec){"y-00002-of-00002.gguf", "b", 0, 2, 2});
    check_split_error("y-00001-of-00002.gguf", RZ_EFORMAT,
                      "y-00002-of-00002.gguf: is part 1 of 2 by its keys, expected part 2 of 2");
    check_split_error("y-00002-of-00002.gguf", RZ_EFORMAT,
                      "y-00002-of-00002.gguf: is part 1 of 2 by its keys, so its name must end in "
                      "-00001-of-00002.gguf");
    write_part((part_spec){"z-00001-of-00002.gguf", "a", 0, 2, 3});
    write_part((part_spec){"z-00002-of-00002.gguf", "b", 1, 2, 3});
    check_split_error("z-00002-of-00002.gguf", RZ_EFORMAT,
                      "z-00001-of-00002.gguf: the 2 parts have 2 tensors, key split.tensors.count "
                      "is 3");
    write_part((part_spec){"d-00001-of-00002.gguf", "a", 0, 2, 2});
    write_part((part_spec){"d-00002-of-00002.gguf", "a", 1, 2, 2});
    check_split_error("d-00001-of-00002.gguf", RZ_EFORMAT,
                      "d-00002-of-00002.gguf: tensor a: an earlier part has it too");
    write_part((part_spec){"renamed.gguf", "a", 0, 2, 2});
    check_split_error("renamed.gguf", RZ_EFORMAT,
                      "renamed.gguf: is part 1 of 2 by its keys, so its name must end in "
                      "-00001-of-00002.gguf");
    write_part((part_spec){"n-00003-of-00002.gguf", "a", 2, 2, 2});
    check_split_error("n-00003-of-00002.gguf", RZ_EFORMAT,
                      "n-00003-of-00002.gguf: key split.no is 2, expected 0 to 1");
    write_part((part_spec){"c-00001-of-02000.gguf", "a", 0, 2000, 2});
    check_split_error("c-00001-of-02000.gguf", RZ_EFORMAT,
                      "c-00001-of-02000.gguf: key split.count is 2000, expected 1 to 1024");
    check_split_error("nothing.gguf", RZ_ENOTFOUND, "nothing.gguf: No such file or directory");
}

static void test_a_split_file_needs_a_path(void) {
    write_part((part_spec){"m-00001-of-00002.gguf", "a", 0, 2, 2});
    size_t len = 0;
    void *bytes = test_read_file(test_temp("m-00001-of-00002.gguf"), &len);
    tensor_file *f = NULL;
    err e = {0};
    REQUIRE(bytes);
    CHECK(tensor_file_open_memory(&f, bytes, len, &e) == RZ_EUNSUPPORTED && !f);
    CHECK_STR(e.text, "<memory>: part 1 of 2: a split file can only be opened by its path");
    free(bytes);
}

static void test_no_memory_while_joining_parts_is_an_ordinary_error(void) {
    write_part((part_spec){"o-00001-of-00002.gguf", "a", 0, 2, 2});
    write_part((part_spec){"o-00002-of-00002.gguf", "b", 1, 2, 2});
    const char *path = test_temp("o-00002-of-00002.gguf");
    long n = 1;
    for (bool hit = true; hit && n < 200; n++) {
        tensor_file *f = NULL;
        mem_fail_at(n);
        const status s = tensor_file_open(&f, path, NULL);
        hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(s == (hit ? RZ_ENOMEM : RZ_OK) && (f == NULL) == hit);
        tensor_file_close(f);
    }
    CHECK_MSG(n > 12 && n < 200, "%ld allocations", n);
}

void suite_gguf(void) {
    RUN(test_golden_models_open_and_round_trip);
    RUN(test_stories_open_and_round_trip);
    RUN(test_demos_open_and_round_trip);
    RUN(test_vocabularies_without_tensors_open_and_round_trip);
    RUN(test_a_real_file_is_described);
    RUN(test_metadata_is_read_by_type_and_range);
    RUN(test_array_elements_widen);
    RUN(test_the_writer_refuses_what_would_not_be_read);
    RUN(test_the_writer_refuses_arrays_out_of_shape);
    RUN(test_writing_where_nothing_can_be_written_says_so);
    RUN(test_the_writer_keeps_the_alignment_asked_for);
    RUN(test_no_memory_while_writing_is_an_ordinary_error);
    RUN(test_split_files_open_from_any_part);
    RUN(test_split_files_that_do_not_fit_are_refused);
    RUN(test_a_split_file_needs_a_path);
    RUN(test_no_memory_while_joining_parts_is_an_ordinary_error);
}
