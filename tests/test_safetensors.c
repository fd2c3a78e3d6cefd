/* test_safetensors.c - safetensors files: what they hold is found where it lies; damaged and
 * hostile ones are refused with one sentence and never a byte read past their end. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "format/safetensors.h"
#include "guarded.h"
#include "test.h"
#include "touch_file.h"

/* Length, header, `data` bytes counting up from 0. */
static void make(buf *b, const char *header, size_t data) {
    const uint64_t n = strlen(header);
    buf_clear(b);
    buf_add(b, &n, sizeof n);
    buf_text(b, header);
    for (size_t i = 0; i < data; i++) buf_char(b, (char)i);
}

static status open_guarded(const void *bytes, size_t len, err *e) {
    tensor_file *f = NULL;
    const status s = tensor_file_open_memory(&f, guarded(bytes, len), len, e);
    CHECK((f != NULL) == (s == RZ_OK));
    if (f) touch_file(f);
    tensor_file_close(f);
    return s;
}

typedef struct row {
    const char *header;
    size_t data;
    status status;
    const char *text; /* without "<memory>: " */
} row;

static void check_rows(const row *rows, size_t n) {
    buf b = BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        err e = {0};
        make(&b, rows[i].header, rows[i].data);
        const status s = open_guarded(b.p, b.len, &e);
        CHECK_MSG(s == rows[i].status, "status %d of %s: %s", s, rows[i].header, e.text);
        CHECK_STR(s == RZ_OK ? "ok" : e.text + strlen("<memory>: "), rows[i].text);
    }
    buf_free(&b);
}
#define CHECK_ROWS(rows) check_rows((rows), sizeof(rows) / sizeof *(rows))

#define AT(name, type, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_tensors_are_found_where_they_lie(void) {
    buf b = BUF_INIT;
    err e = {0};
    tensor_file *f = NULL;
    make(&b,
         "{\"__metadata__\":{\"format\":\"pt\",\"a\\u0062\":\"\\n\"}," AT(
             "b", "BF16", "[2,1,3]", "[4,16]") "," AT("w\\u0031", "U8", "[]",
                                                      "[16,17]") "," AT("a", "F32", "[1]",
                                                                        "[0,4]") "}   ",
         17);
    CHECK_MSG(tensor_file_open_memory(&f, guarded(b.p, b.len), b.len, &e) == RZ_OK, "%s", e.text);
    buf_free(&b);
    REQUIRE(f);
    CHECK_STR(f->format, "safetensors");
    CHECK(f->n_tensor == 3 && f->n_part == 0 && f->folder == NULL);
    CHECK(f->config && f->config->kind == JSON_OBJECT && f->config->n == 0);
    const tensor_info *t = tensor_file_find(f, STR_LIT("b"));
    REQUIRE(t == &f->tensor[0]);
    CHECK(t->type == QUANT_BF16 && t->n_dims == 3 && t->n == 6 && t->bytes == 12);
    CHECK(t->dim[0] == 3 && t->dim[1] == 1 && t->dim[2] == 2 && t->dim[3] == 1);
    CHECK(t->data[0] == 4 && t->data[11] == 15);
    t = tensor_file_find(f, STR_LIT("w1"));
    REQUIRE(t);
    CHECK(t->type == QUANT_U8 && t->n_dims == 1 && t->dim[0] == 1 && t->n == 1 && t->data[0] == 16);
    CHECK(tensor_file_find(f, STR_LIT("a"))->data[0] == 0);
    CHECK(!tensor_file_find(f, STR_LIT("__metadata__")));
    str s = {NULL, 0};
    CHECK(meta_str(f, "format", &s, NULL) == RZ_OK && str_is(s, "pt"));
    CHECK(meta_str(f, "ab", &s, NULL) == RZ_OK && str_is(s, "\n"));
    tensor_file_close(f);
}

static void test_every_dtype_has_its_size(void) {
    static const struct {
        const char *name;
        quant_type type;
        unsigned bytes;
    } want[] = {
        {"F64", QUANT_F64, 8},   {"F32", QUANT_F32, 4},         {"F16", QUANT_F16, 2},
        {"BF16", QUANT_BF16, 2}, {"I64", QUANT_I64, 8},         {"I32", QUANT_I32, 4},
        {"I16", QUANT_I16, 2},   {"I8", QUANT_I8, 1},           {"U64", QUANT_U64, 8},
        {"U32", QUANT_U32, 4},   {"U16", QUANT_U16, 2},         {"U8", QUANT_U8, 1},
        {"BOOL", QUANT_BOOL, 1}, {"F8_E4M3", QUANT_F8_E4M3, 1}, {"F8_E5M2", QUANT_F8_E5M2, 1}};
    buf b = BUF_INIT;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        tensor_file *f = NULL;
        err e = {0};
        char header[128];
        snprintf(header, sizeof header,
                 "{\"t\":{\"dtype\":\"%s\",\"shape\":[3,2],\"data_offsets\":[0,%u]}}", want[i].name,
                 6 * want[i].bytes);
        make(&b, header, 6 * want[i].bytes);
        CHECK_MSG(tensor_file_open_memory(&f, b.p, b.len, &e) == RZ_OK, "%s", e.text);
        CHECK(f && f->tensor->type == want[i].type && f->tensor->dim[0] == 2);
        CHECK(safetensors_has_type(want[i].type) && quant_get((uint32_t)want[i].type)->to_float);
        tensor_file_close(f);
    }
    CHECK(!safetensors_has_type(QUANT_Q4_0) && !safetensors_has_type(QUANT_Q8_K));
    buf_free(&b);
}

static void test_headers_that_lie_are_refused(void) {
    static const row rows[] = {
        {"{}", 0, RZ_OK, "ok"},
        {"{}  \n", 0, RZ_OK, "ok"},
        {"{\"__metadata__\":{}}", 0, RZ_OK, "ok"},
        {"{", 0, RZ_EFORMAT,
         "header: JSON line 1, column 2: expected a key in quotes, found the end"},
        {"{} x", 0, RZ_EFORMAT,
         "header: JSON line 1, column 4: expected the end after the value, found 'x'"},
        {"{}", 1, RZ_EFORMAT, "has 1 bytes of data, the tensors end at 0"},
        {"{\"a\":7}", 0, RZ_EFORMAT, "tensor a: is described by number, expected an object"},
        {"{\"\":{}}", 0, RZ_EFORMAT, "the header names a tensor in 0 bytes that are no name"},
        {"{\"a\\u0000b\":{}}", 0, RZ_EFORMAT,
         "the header names a tensor in 3 bytes that are no name"},
        {"{\"__metadata__\":[]}", 0, RZ_EFORMAT, "__metadata__ is array, expected an object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, RZ_EFORMAT,
         "__metadata__: a is number, expected a string"},
        {"{\"__metadata__\":{\"\":\"\"}}", 0, RZ_EFORMAT,
         "the header names a metadata key in 0 bytes that are no name"},
        {"{" AT("a", "U8", "[1]", "[0,1]") "," AT("a", "U8", "[1]", "[1,2]") "}", 2, RZ_EFORMAT,
         "header: JSON line 1, column 54: key \"a\" is given twice"},
        {"{" AT("a", "U8", "[1]", "[0,1]") "," AT("\\u0061", "U8", "[1]", "[1,2]") "}", 2,
         RZ_EFORMAT, "header: JSON line 1, column 54: key \"a\" is given twice"},
        {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"I8\"}}", 0, RZ_EFORMAT,
         "header: JSON line 1, column 20: key \"dtype\" is given twice"},
        {"{\"a\":[Infinity]}", 0, RZ_EFORMAT,
         "header: JSON line 1, column 7: expected a value, found 'I'"},
        {"{\"a\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
         "0,"
         "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
         "0,"
         "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
         "0,"
         "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
         "0]}",
         0, RZ_EFORMAT, "the header holds too many values for its 359 bytes"},
    };
    CHECK_ROWS(rows);
}

static void test_descriptions_that_lie_are_refused(void) {
    static const row rows[] = {
        {"{" AT("a", "U8", "[4]", "[0,4]") "}", 4, RZ_OK, "ok"},
        {"{" AT("a", "U8", "[2.0,2e0]", "[0,4.0]") "}", 4, RZ_OK, "ok"},
        {"{\"a\":{}}", 4, RZ_EFORMAT, "tensor a: dtype is missing"},
        {"{\"a\":{\"dtype\":1}}", 4, RZ_EFORMAT, "tensor a: dtype is number, expected a string"},
        {"{\"a\":{\"dtype\":\"U8\"}}", 4, RZ_EFORMAT, "tensor a: shape is missing"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", 4, RZ_EFORMAT,
         "tensor a: data_offsets is missing"},
        {"{" AT("a", "F4", "[4]", "[0,4]") "}", 4, RZ_EUNSUPPORTED,
         "tensor a: has the unknown dtype \"F4\""},
        {"{" AT("a", "f32", "[1]", "[0,4]") "}", 4, RZ_EUNSUPPORTED,
         "tensor a: has the unknown dtype \"f32\""},
        {"{" AT("a", "Q8_0", "[32]", "[0,34]") "}", 34, RZ_EUNSUPPORTED,
         "tensor a: has the unknown dtype \"Q8_0\""},
        {"{" AT("a", "U8", "4", "[0,4]") "}", 4, RZ_EFORMAT,
         "tensor a: shape is number, expected an array"},
        {"{" AT("a", "U8", "[1,1,1,1,4]", "[0,4]") "}", 4, RZ_EUNSUPPORTED,
         "tensor a: has 5 dimensions, expected at most 4"},
        {"{" AT("a", "U8", "[4,0]", "[0,0]") "}", 0, RZ_EUNSUPPORTED,
         "tensor a: has a dimension of 0, so it holds nothing"},
        {"{" AT("a", "U8", "[-4]", "[0,4]") "}", 4, RZ_EFORMAT,
         "tensor a: shape holds number -4, expected numbers of 0 or more"},
        {"{" AT("a", "U8", "[1.5]", "[0,4]") "}", 4, RZ_EFORMAT,
         "tensor a: shape holds number 1.5, expected numbers of 0 or more"},
        {"{" AT("a", "U8", "[null]", "[0,4]") "}", 4, RZ_EFORMAT,
         "tensor a: shape holds null , expected numbers of 0 or more"},
        {"{" AT("a", "U8", "[9223372036854775808]", "[0,4]") "}", 4, RZ_EFORMAT,
         "tensor a: shape holds number 9223372036854775808, expected numbers of 0 or more"},
        {"{" AT("a", "U8", "[4294967296,4294967296]", "[0,4]") "}", 4, RZ_EFORMAT,
         "tensor a: its shape makes too many values"},
        {"{" AT("a", "U8", "[4294967296,2147483648]", "[0,4]") "}", 4, RZ_EFORMAT,
         "tensor a: its shape makes too many values"},
        {"{" AT("a", "F64", "[4611686018427387904]", "[0,4]") "}", 4, RZ_EFORMAT,
         "tensor a: 4611686018427387904 values of type F64 are too many bytes"},
        {"{" AT("a", "U8", "[4]", "[0]") "}", 4, RZ_EFORMAT,
         "tensor a: data_offsets is not [begin, end] with begin <= end"},
        {"{" AT("a", "U8", "[4]", "[0,4,8]") "}", 4, RZ_EFORMAT,
         "tensor a: data_offsets is not [begin, end] with begin <= end"},
        {"{" AT("a", "U8", "[4]", "[4,0]") "}", 4, RZ_EFORMAT,
         "tensor a: data_offsets is not [begin, end] with begin <= end"},
        {"{" AT("a", "U8", "[4]", "[-1,3]") "}", 4, RZ_EFORMAT,
         "tensor a: data_offsets is not [begin, end] with begin <= end"},
        {"{" AT("a", "U8", "[4]", "{}") "}", 4, RZ_EFORMAT,
         "tensor a: data_offsets is not [begin, end] with begin <= end"},
        {"{" AT("a", "U8", "[4]", "[0,5]") "}", 4, RZ_EFORMAT,
         "tensor a: bytes 0 to 5 lie outside the file, which has 4 bytes of data"},
        {"{" AT("a", "U8", "[4]", "[9223372036854775803,9223372036854775807]") "}", 4, RZ_EFORMAT,
         "tensor a: bytes 9223372036854775803 to 9223372036854775807 lie outside the file, which "
         "has "
         "4 bytes of data"},
        {"{" AT("a", "F32", "[2]", "[0,4]") "}", 4, RZ_EFORMAT,
         "tensor a: has 4 bytes, expected 8 for 2 values of type F32"},
    };
    CHECK_ROWS(rows);
}

static void test_overlaps_and_holes_are_refused(void) {
    static const row rows[] = {
        {"{" AT("a", "U8", "[4]", "[4,8]") "," AT("b", "U8", "[4]", "[0,4]") "}", 8, RZ_OK, "ok"},
        {"{" AT("a", "U8", "[4]", "[0,4]") "," AT("b", "U8", "[4]", "[0,4]") "}", 4, RZ_EFORMAT,
         "tensor b: begins at byte 0, inside tensor a which ends at 4"},
        {"{" AT("a", "U8", "[8]", "[0,8]") "," AT("b", "U8", "[4]", "[2,6]") "}", 8, RZ_EFORMAT,
         "tensor b: begins at byte 2, inside tensor a which ends at 8"},
        {"{" AT("b", "U8", "[4]", "[3,7]") "," AT("a", "U8", "[4]", "[0,4]") "}", 7, RZ_EFORMAT,
         "tensor b: begins at byte 3, inside tensor a which ends at 4"},
        {"{" AT("a", "U8", "[4]", "[1,5]") "}", 5, RZ_EFORMAT,
         "tensor a: begins at byte 1, but nothing holds the bytes from 0"},
        {"{" AT("a", "U8", "[4]", "[0,4]") "," AT("b", "U8", "[4]", "[5,9]") "}", 9, RZ_EFORMAT,
         "tensor b: begins at byte 5, but nothing holds the bytes from 4"},
        {"{" AT("a", "U8", "[4]", "[0,4]") "}", 9, RZ_EFORMAT,
         "has 9 bytes of data, the tensors end at 4"},
    };
    CHECK_ROWS(rows);
}

static void check_bytes(const void *bytes, size_t len, const char *text) {
    err e = {0};
    CHECK(open_guarded(bytes, len, &e) == RZ_EFORMAT);
    CHECK_STR(e.text + strlen("<memory>: "), text);
}

static void test_lengths_that_lie_are_refused(void) {
    static const char unknown[] = "not a GGUF or safetensors file: begins with the bytes";
    char text[128];
    snprintf(text, sizeof text, "%s 02 00 00 00", unknown);
    check_bytes("\2\0\0\0\0\0\0\0", 8, text); /* nothing to tell it by */
    check_bytes("\2\0\0\0\0\0\0\0[]", 10, text);
    check_bytes("\2\0\0\0\0\0\0\0{", 9,
                "the file ends inside the header: 2 bytes at byte 8, only 1 are left");
    check_bytes("\0\0\0\0\0\0\0\0{}", 10,
                "header: JSON line 1, column 1: expected a value, found the end");
    check_bytes("\x00\xe1\xf5\x05\0\0\0\0{}", 10,
                "the file ends inside the header: 100000000 bytes at byte 8, only 2 are left");
    snprintf(text, sizeof text, "%s 01 e1 f5 05", unknown);
    check_bytes("\x01\xe1\xf5\x05\0\0\0\0{}", 10, text); /* one more than any header may have */
    snprintf(text, sizeof text, "%s ff ff ff ff", unknown);
    check_bytes("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, text);
}

static void make_rich(buf *b) {
    make(b,
         "{\"__metadata__\":{\"k\":\"v\"}," AT("a.weight", "F32", "[2,3]", "[0,24]") ",\n" AT(
             "\\u00e9", "BF16", "[1,1,4]", "[24,32]") "," AT("c", "BOOL", "[]", "[32,33]") "}",
         33);
}

static void test_a_file_cut_anywhere_is_refused(void) {
    buf b = BUF_INIT;
    err e = {0};
    make_rich(&b);
    CHECK_MSG(open_guarded(b.p, b.len, &e) == RZ_OK, "%s", e.text);
    for (size_t len = 0; len < b.len; len++) {
        e = (err){0};
        CHECK_MSG(open_guarded(b.p, len, &e) == RZ_EFORMAT, "%zu bytes: %s", len, e.text);
        CHECK(e.text[0]);
    }
    buf_free(&b);
}

static void test_a_file_with_any_byte_changed_is_read_or_refused(void) {
    buf b = BUF_INIT;
    make_rich(&b);
    for (size_t i = 0; i < b.len; i++) {
        const char was = b.p[i];
        for (unsigned v = 0; v < 256; v += test_thorough() ? 1 : 15) {
            err e = {0};
            b.p[i] = (char)v;
            const status s = open_guarded(b.p, b.len, &e);
            CHECK_MSG(s == RZ_OK || s == RZ_EFORMAT || s == RZ_EUNSUPPORTED, "status %d", s);
        }
        b.p[i] = was;
    }
    buf_free(&b);
}

static void test_no_memory_while_opening_is_an_ordinary_error(void) {
    buf b = BUF_INIT;
    make_rich(&b);
    long n = 1;
    for (bool hit = true; hit && n < 100; n++) {
        tensor_file *f = NULL;
        err e = {0};
        mem_fail_at(n);
        const status s = tensor_file_open_memory(&f, b.p, b.len, &e);
        hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK_MSG(s == (hit ? RZ_ENOMEM : RZ_OK) && (f == NULL) == hit, "%ld: %s", n, e.text);
        tensor_file_close(f);
    }
    CHECK_MSG(n > 5 && n < 100, "%ld allocations", n);
    buf_free(&b);
}

static void test_memory_is_bounded_by_the_header(void) {
    buf b = BUF_INIT, header = BUF_INIT;
    tensor_file *f = NULL;
    err e = {0};
    buf_char(&header, '{');
    enum { N = 20000 };
    for (int i = 0; i < N; i++)
        buf_printf(&header,
                   "%s\"%x\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1],\"data_offsets\":[%d,%d]}",
                   i ? "," : "", i, i, i + 1);
    buf_char(&header, '}');
    make(&b, buf_cstr(&header), N);
    CHECK_MSG(tensor_file_open_memory(&f, b.p, b.len, &e) == RZ_OK, "%s", e.text);
    CHECK(f && f->n_tensor == N && f->mem.bytes <= 4 * header.len);
    CHECK(f && *tensor_file_find(f, STR_LIT("4e1f"))->data == (uint8_t)0x4e1f);
    tensor_file_close(f);
    buf_free(&header);
    buf_free(&b);
}

/* ---- The reference checkpoints, read a second time by searching the text ---- */

/* Every tensor of one file, found by plain string search, is in f: type, shape and bytes. */
static size_t compare_file(const tensor_file *f, const char *path) {
    size_t len = 0, n = 0;
    char *file = test_read_file(path, &len);
    if (!file) return 0;
    uint64_t header;
    memcpy(&header, file, 8);
    char *text = malloc(header + 1);
    memcpy(text, file + 8, header);
    text[header] = 0;
    for (char *at = text; (at = strstr(at, "\":{\"dtype\":\"")) != NULL; at++) {
        const char *name = at;
        while (name[-1] != '"') name--;
        char dtype[16];
        unsigned long long dim[4] = {1, 1, 1, 1}, begin = 0, end = 0;
        sscanf(at + strlen("\":{\"dtype\":\""), "%15[A-Z0-9_]", dtype);
        const int dims = sscanf(strstr(at, "\"shape\":["), "\"shape\":[%llu,%llu,%llu,%llu",
                                &dim[0], &dim[1], &dim[2], &dim[3]);
        sscanf(strstr(at, "\"data_offsets\":["), "\"data_offsets\":[%llu,%llu]", &begin, &end);
        const tensor_info *t = tensor_file_find(f, (str){name, (size_t)(at - name)});
        n++;
        if (!t) {
            test_fail(__FILE__, __LINE__, "%s: %.60s is not listed", path, name);
            continue;
        }
        CHECK_STR(quant_get(t->type)->name, dtype);
        CHECK((int)t->n_dims == (dims > 0 ? dims : 1) && t->bytes == end - begin);
        for (int i = 0; i < dims; i++) CHECK(t->dim[dims - 1 - i] == dim[i]);
        CHECK(t->bytes == end - begin && memcmp(t->data, file + 8 + header + begin, t->bytes) == 0);
    }
    free(text);
    free(file);
    return n;
}

static bool is_checkpoint(const char *name) {
    return strncmp(name, "hf-", 3) == 0 || strncmp(name, "ox-", 3) == 0 ||
           strncmp(name, "ssm-", 4) == 0;
}

static void check_checkpoint(const char *folder, arena *mem) {
    tensor_file *f = NULL;
    err e = {0};
    const char *const *name;
    size_t n = 0, n_tensor = 0, n_file = 0;
    REQUIRE(os_list_folder(folder, mem, &name, &n, &e) == RZ_OK);
    if (tensor_file_open(&f, folder, &e) < 0) {
        test_fail(__FILE__, __LINE__, "%s", e.text);
        return;
    }
    bool config = false;
    for (size_t i = 0; i < n; i++) {
        char path[2304];
        snprintf(path, sizeof path, "%s/%s", folder, name[i]);
        config |= strcmp(name[i], "config.json") == 0;
        if (!str_ends(str_of(name[i]), STR_LIT(".safetensors"))) continue;
        n_tensor += compare_file(f, path);
        n_file++;
    }
    CHECK_MSG(n_tensor > 5 && f->n_tensor == n_tensor && f->n_part == n_file,
              "%s: %zu tensors in %zu files, %zu in %zu listed", folder, n_tensor, n_file,
              f->n_tensor, f->n_part);
    CHECK(f->config && (f->config->n > 0) == config);
    CHECK(!config || json_get(f->config, "vocab_size"));
    CHECK_STR(f->folder, folder);
    tensor_file_close(f);
}

static void test_every_reference_checkpoint_opens(void) {
    arena mem = ARENA_INIT;
    const char *root = test_shared("golden/models"), *const * name;
    char folder[1536];
    size_t n = 0, found = 0;
    if (!root) {
        test_skip("golden/models is not there");
        return;
    }
    char models[1024];
    snprintf(models, sizeof models, "%s", root);
    REQUIRE(os_list_folder(models, &mem, &name, &n, NULL) == RZ_OK);
    for (size_t i = 0; i < n; i++) {
        if (!is_checkpoint(name[i])) continue;
        snprintf(folder, sizeof folder, "%s/%s", models, name[i]);
        check_checkpoint(folder, &mem);
        found++;
    }
    CHECK_MSG(found >= 47, "%zu checkpoints", found);
    arena_free(&mem);
}

void suite_safetensors(void) {
    RUN(test_tensors_are_found_where_they_lie);
    RUN(test_every_dtype_has_its_size);
    RUN(test_headers_that_lie_are_refused);
    RUN(test_descriptions_that_lie_are_refused);
    RUN(test_overlaps_and_holes_are_refused);
    RUN(test_lengths_that_lie_are_refused);
    RUN(test_a_file_cut_anywhere_is_refused);
    RUN(test_a_file_with_any_byte_changed_is_read_or_refused);
    RUN(test_no_memory_while_opening_is_an_ordinary_error);
    RUN(test_memory_is_bounded_by_the_header);
    RUN(test_every_reference_checkpoint_opens);
}
