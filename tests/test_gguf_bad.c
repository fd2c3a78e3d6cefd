/* test_gguf_bad.c - damaged and hostile GGUF files: one sentence each, and never a byte read past
 * the end. Every input lies at the end of a page with nothing behind it.
 *
 * Files are spelled as words:  #text   bytes as they are
 *                              4:7     a number, here of 4 bytes; 1, 2 and 8 likewise
 *                              s:text  u64 length and text
 *                              z:9     so many zero bytes
 *                              P       zeros to a multiple of 32 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "guarded.h"
#include "test.h"
#include "touch_file.h"

static void spell(buf *b, const char *spec) {
    buf_clear(b);
    for (str rest = str_of(spec), w; rest.p;) {
        w = str_split(&rest, ' ');
        uint64_t n = 0;
        if (w.len == 0) continue;
        const str tail = {w.p + 2, w.len > 2 ? w.len - 2 : 0};
        if (w.p[0] == '#') {
            buf_add(b, w.p + 1, w.len - 1);
        } else if (w.p[0] == 's') {
            n = tail.len;
            buf_add(b, &n, 8);
            buf_str(b, tail);
        } else if (w.p[0] == 'P') {
            while (b->len % 32) buf_char(b, 0);
        } else if (!str_u64(tail, &n)) {
            test_fail(__FILE__, __LINE__, "cannot spell %.*s", STR_FMT(w));
        } else if (w.p[0] == 'z') {
            for (uint64_t i = 0; i < n; i++) buf_char(b, 0);
        } else {
            buf_add(b, &n, (size_t)(w.p[0] - '0'));
        }
    }
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
    const char *spec;
    status status;
    const char *text; /* without "<memory>: " */
} row;

static void check_rows(const row *rows, size_t n) {
    buf b = BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        err e = {0};
        spell(&b, rows[i].spec);
        const status s = open_guarded(b.p, b.len, &e);
        CHECK_MSG(s == rows[i].status, "status %d of %s: %s", s, rows[i].spec, e.text);
        const char *text = s == RZ_OK ? "ok" : e.text + strlen("<memory>: ");
        CHECK_STR(text, rows[i].text);
    }
    buf_free(&b);
}
#define CHECK_ROWS(rows) check_rows((rows), sizeof(rows) / sizeof *(rows))

static void test_what_is_no_gguf_is_named(void) {
    static const row rows[] = {
        {"", RZ_EFORMAT, "the file is empty"},
        {"#GG", RZ_EFORMAT, "not a GGUF or safetensors file: only 2 bytes long"},
        {"#abcdefgh", RZ_EFORMAT,
         "not a GGUF or safetensors file: begins with the bytes 61 62 63 64"},
        {"#PK 1:3 1:4 z:30", RZ_EFORMAT,
         "not a GGUF or safetensors file but a zip archive (perhaps a PyTorch checkpoint)"},
        {"1:128 1:2 #}q", RZ_EFORMAT,
         "not a GGUF or safetensors file but a Python pickle (perhaps a PyTorch checkpoint)"},
        {"#<!DOCTYPE #html>", RZ_EFORMAT,
         "not a GGUF or safetensors file but an HTML page (perhaps a failed download)"},
        {"#version 1:32 #https://git-lfs.github.com/spec/v1", RZ_EFORMAT,
         "not a GGUF or safetensors file but a Git LFS pointer: the file itself was not "
         "downloaded"},
        {"1:31 1:139 8:0", RZ_EFORMAT, "not a GGUF or safetensors file but compressed with gzip"},
        {"#tjgg z:20", RZ_EFORMAT,
         "not a GGUF or safetensors file but a GGJT file, which GGUF has replaced"},
        {"#{}", RZ_EFORMAT, "not a GGUF or safetensors file but JSON text"},
    };
    CHECK_ROWS(rows);
}

static void test_headers_that_lie_are_refused(void) {
    static const row rows[] = {
        {"#GGUF 4:3 8:0 8:0", RZ_OK, "ok"},
        {"#GGUF 4:2 8:0 8:0", RZ_OK, "ok"},
        {"#GGUF", RZ_EFORMAT, "the file ends inside the header: 4 bytes, expected at least 24"},
        {"#GGUF 4:3 8:0 4:0", RZ_EFORMAT,
         "the file ends inside the header: 20 bytes, expected at least 24"},
        {"#GGUF 4:1 4:0 4:0 8:0", RZ_EUNSUPPORTED, "GGUF version 1, expected 2 or 3"},
        {"#GGUF 4:4 8:0 8:0", RZ_EUNSUPPORTED, "GGUF version 4, expected 2 or 3"},
        {"#GGUF 4:0 8:0 8:0", RZ_EUNSUPPORTED, "GGUF version 0, expected 2 or 3"},
        {"#GGUF 4:50331648 8:0 8:0", RZ_EUNSUPPORTED,
         "a GGUF file of a big-endian machine (version reads 0x03000000)"},
        {"#GGUF 4:3 8:18446744073709551615 8:0", RZ_EFORMAT,
         "the header counts 18446744073709551615 tensors, expected at most 1048576"},
        {"#GGUF 4:3 8:0 8:1048577", RZ_EFORMAT,
         "the header counts 1048577 keys, expected at most 1048576"},
        {"#GGUF 4:3 8:1000 8:0 z:32999", RZ_EFORMAT,
         "1000 tensors need 33 bytes each, only 32999 bytes are left"},
        {"#GGUF 4:3 8:0 8:1000 z:13999", RZ_EFORMAT,
         "1000 keys need 14 bytes each, only 13999 bytes are left"},
        {"#GGUF 4:3 8:1 8:1 z:40", RZ_EFORMAT, "1 keys need 14 bytes each, only 7 bytes are left"},
    };
    CHECK_ROWS(rows);
}

#define KEY1 "#GGUF 4:3 8:0 8:1 "
static void test_keys_that_lie_are_refused(void) {
    static const row rows[] = {
        {KEY1 "s:k 4:0 1:7", RZ_OK, "ok"},
        {KEY1 "8:99 z:6", RZ_EFORMAT,
         "key 1 of 1: the file ends inside the name: 99 bytes at byte 32, only 6 are left"},
        {KEY1 "8:18446744073709551615 z:6", RZ_EFORMAT,
         "key 1 of 1: the file ends inside the name: 18446744073709551615 bytes at byte 32, only 6 "
         "are left"},
        {KEY1 "s: 4:4 4:7", RZ_EFORMAT, "key 1 of 1: the name is empty"},
        {KEY1 "8:1 1:255 4:4 4:7", RZ_EFORMAT, "key 1 of 1: the name is not UTF-8 text"},
        {KEY1 "8:2 #a 1:0 4:4 4:7", RZ_EFORMAT, "key 1 of 1: the name is not UTF-8 text"},
        {KEY1 "s:k 4:13 8:0", RZ_EFORMAT, "key k: has type 13, expected 0 to 12"},
        {KEY1 "s:k 4:10 4:0", RZ_EFORMAT,
         "key k: the file ends inside the value: 8 bytes at byte 37, only 4 are left"},
        {KEY1 "s:k 4:7 1:2", RZ_EFORMAT, "key k: a bool is 2, expected 0 or 1"},
        {KEY1 "s:k 4:8 8:5 #abc", RZ_EFORMAT,
         "key k: the file ends inside a string: 5 bytes at byte 45, only 3 are left"},
        {KEY1 "s:k 4:8 4:5", RZ_EFORMAT,
         "key k: the file ends inside a string: 8 bytes at byte 37, only 4 are left"},
        {"#GGUF 4:3 8:0 8:2 s:k 4:4 4:7 s:k 4:4 4:7", RZ_EFORMAT, "key k: is given twice"},
        {"#GGUF 4:3 8:0 8:2 s:a 4:0 1:1 8:9 z:7", RZ_EFORMAT,
         "key 2 of 2: the file ends inside the name: 9 bytes at byte 46, only 7 are left"},
    };
    CHECK_ROWS(rows);
    buf b = BUF_INIT;
    const uint64_t len = 65536;
    err e = {0};
    spell(&b, KEY1);
    buf_add(&b, &len, 8);
    for (uint64_t i = 0; i < len + 20; i++) buf_char(&b, 'k');
    tensor_file *f = NULL;
    CHECK(tensor_file_open_memory(&f, b.p, b.len, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "<memory>: key 1 of 1: the name is 65536 bytes long, expected at most 65535");
    buf_free(&b);
}

static void test_arrays_that_lie_are_refused(void) {
    static const row rows[] = {
        {KEY1 "s:k 4:9 4:0 8:0", RZ_OK, "ok"},
        {KEY1 "s:k 4:9 4:9 8:2 4:4 8:1 4:7 4:8 8:1 s:x", RZ_OK, "ok"},
        {KEY1 "s:k 4:9 4:13 8:0", RZ_EFORMAT,
         "key k: an array of elements of type 13, expected 0 to 12"},
        {KEY1 "s:k 4:9 4:4 4:0", RZ_EFORMAT,
         "key k: the file ends inside the length of an array: 8 bytes at byte 41, only 4 are left"},
        {KEY1 "s:k 4:9 2:4", RZ_EFORMAT,
         "key k: the file ends inside the type of an array: 4 bytes at byte 37, only 2 are left"},
        {KEY1 "s:k 4:9 4:4 8:3 z:11", RZ_EFORMAT,
         "key k: 3 array elements need 4 bytes each, only 11 bytes are left"},
        {KEY1 "s:k 4:9 4:12 8:2305843009213693952 z:11", RZ_EFORMAT,
         "key k: 2305843009213693952 array elements need 8 bytes each, only 11 bytes are left"},
        {KEY1 "s:k 4:9 4:8 8:1152921504606846976 z:16", RZ_EFORMAT,
         "key k: 1152921504606846976 strings need 8 bytes each, only 16 bytes are left"},
        {KEY1 "s:k 4:9 4:8 8:2 s:ab 8:9", RZ_EFORMAT,
         "key k: the file ends inside a string: 9 bytes at byte 67, only 0 are left"},
        {KEY1 "s:k 4:9 4:9 8:18446744073709551615 z:16", RZ_EFORMAT,
         "key k: 18446744073709551615 arrays need 12 bytes each, only 16 bytes are left"},
        {KEY1 "s:k 4:9 4:7 8:3 1:0 1:1 1:9", RZ_EFORMAT, "key k: a bool is 9, expected 0 or 1"},
        /* The inner count fits the file, but not beside its sibling of at least 12 bytes. */
        {KEY1 "s:k 4:9 4:9 8:2 4:0 8:5 z:16", RZ_EFORMAT,
         "key k: 5 array elements need 1 bytes each, only 4 bytes are left"},
        {KEY1 "s:k 4:9 4:9 8:1 4:9 8:1 4:9 8:1 4:9 8:1 4:9 8:1 4:9 8:1 4:9 8:1 4:0 8:0", RZ_OK,
         "ok"},
        {KEY1 "s:k 4:9 4:9 8:1 4:9 8:1 4:9 8:1 4:9 8:1 4:9 8:1 4:9 8:1 4:9 8:1 4:9 8:1 4:0 8:0",
         RZ_EFORMAT, "key k: arrays nested deeper than 8"},
    };
    CHECK_ROWS(rows);
}

static void test_alignments_that_lie_are_refused(void) {
    static const row rows[] = {
        {KEY1 "s:general.alignment 4:4 4:8", RZ_OK, "ok"},
        {KEY1 "s:general.alignment 4:4 4:65536", RZ_OK, "ok"},
        {KEY1 "s:general.alignment 4:4 4:0", RZ_EFORMAT,
         "key general.alignment is 0, expected a power of two from 8 to 65536"},
        {KEY1 "s:general.alignment 4:4 4:48", RZ_EFORMAT,
         "key general.alignment is 48, expected a power of two from 8 to 65536"},
        {KEY1 "s:general.alignment 4:4 4:4", RZ_EFORMAT,
         "key general.alignment is 4, expected a power of two from 8 to 65536"},
        {KEY1 "s:general.alignment 4:4 4:2147483648", RZ_EFORMAT,
         "key general.alignment is 2147483648, expected a power of two from 8 to 65536"},
        {KEY1 "s:general.alignment 4:10 8:32", RZ_EFORMAT,
         "key general.alignment is of type u64, expected u32"},
    };
    CHECK_ROWS(rows);
}

static void test_split_keys_that_lie_are_refused(void) {
    static const row rows[] = {
        {KEY1 "s:split.count 4:2 2:0", RZ_OK, "ok"},
        {KEY1 "s:split.count 4:2 2:1", RZ_OK, "ok"},
        {KEY1 "s:split.count 4:2 2:2", RZ_EFORMAT, "has key split.count but no split.no"},
        {KEY1 "s:split.count 4:5 4:4294967295", RZ_EFORMAT,
         "key split.count is -1, expected 0 to 4294967295"},
        {KEY1 "s:split.count 4:8 s:3", RZ_EFORMAT,
         "key split.count is of type string, expected an integer"},
        {"#GGUF 4:3 8:0 8:2 s:split.count 4:2 2:3 s:split.no 4:2 2:3", RZ_EFORMAT,
         "key split.no is 3, expected 0 to 2"},
        {"#GGUF 4:3 8:0 8:2 s:split.count 4:2 2:3 s:split.no 4:2 2:2", RZ_EUNSUPPORTED,
         "part 3 of 3: a split file can only be opened by its path"},
    };
    CHECK_ROWS(rows);
}

#define TENSOR1 "#GGUF 4:3 8:1 8:0 "
static void test_tensors_that_lie_are_refused(void) {
    static const row rows[] = {
        {TENSOR1 "s:t 4:1 8:8 4:0 8:0 P z:32", RZ_OK, "ok"},
        {TENSOR1 "s:t 4:4 8:32 8:1 8:1 8:2 4:2 8:32 P z:68", RZ_OK, "ok"},
        {TENSOR1 "s: 4:1 8:8 4:0 8:0 P z:32", RZ_EFORMAT, "tensor 1 of 1: the name is empty"},
        {TENSOR1 "8:1 1:128 4:1 8:8 4:0 8:0 P", RZ_EFORMAT,
         "tensor 1 of 1: the name is not UTF-8 text"},
        {TENSOR1 "s:t 4:0 8:8 4:0 8:0 P z:32", RZ_EFORMAT,
         "tensor t: has 0 dimensions, expected 1 to 4"},
        {TENSOR1 "s:t 4:5 8:8 4:0 8:0 P z:32", RZ_EFORMAT,
         "tensor t: has 5 dimensions, expected 1 to 4"},
        {TENSOR1 "s:t 4:2 8:8 8:0 4:0 8:0 P z:32", RZ_EFORMAT, "tensor t: dimension 1 is 0"},
        {TENSOR1 "s:t 4:2 8:4294967296 8:4294967296 4:0 8:0 P", RZ_EFORMAT,
         "tensor t: dimension 1 is 4294967296, which makes too many values"},
        {TENSOR1 "s:t 4:1 8:9223372036854775808 4:0 8:0 P", RZ_EFORMAT,
         "tensor t: dimension 0 is 9223372036854775808, which makes too many values"},
        {TENSOR1 "s:t 4:1 8:9223372036854775807 4:0 8:0 P", RZ_EFORMAT,
         "tensor t: 9223372036854775807 values of type F32 are too many bytes"},
        {TENSOR1 "s:t 4:1 8:8 4:4 8:0 P z:32", RZ_EUNSUPPORTED,
         "tensor t: has the unknown type id 4"},
        {TENSOR1 "s:t 4:1 8:8 4:4294967295 8:0 P z:32", RZ_EUNSUPPORTED,
         "tensor t: has the unknown type id 4294967295"},
        {TENSOR1 "s:t 4:2 8:33 8:32 4:2 8:0 P z:9999", RZ_EFORMAT,
         "tensor t: rows of 33 values, expected a multiple of 32 for Q4_0"},
        {TENSOR1 "s:t 4:1 8:8 4:0 8:16 P z:64", RZ_EFORMAT,
         "tensor t: offset 16 is no multiple of the alignment 32"},
        {TENSOR1 "s:t 4:1 8:8 4:0 8:0 P z:31", RZ_EFORMAT,
         "tensor t: 32 bytes at offset 0 lie outside the file, which has 31 bytes of data"},
        {TENSOR1 "s:t 4:1 8:8 4:0 8:0", RZ_EFORMAT,
         "tensor t: 32 bytes at offset 0 lie outside the file, which has 0 bytes of data"},
        {TENSOR1 "s:t 4:1 8:8 4:0 8:64 P z:64", RZ_EFORMAT,
         "tensor t: 32 bytes at offset 64 lie outside the file, which has 64 bytes of data"},
        {TENSOR1 "s:t 4:1 8:8 4:0 8:18446744073709551584 P z:64", RZ_EFORMAT,
         "tensor t: 32 bytes at offset 18446744073709551584 lie outside the file, which has 64 "
         "bytes of data"},
        {TENSOR1 "s:t 4:2 8:8 8:99999 4:0 4:0", RZ_EFORMAT,
         "tensor t: the file ends inside the offset: 8 bytes at byte 57, only 4 are left"},
    };
    CHECK_ROWS(rows);
}

#define TENSOR2 "#GGUF 4:3 8:2 8:0 "
static void test_tensors_that_collide_are_refused(void) {
    static const row rows[] = {
        {TENSOR2 "s:a 4:1 8:8 4:0 8:32 s:b 4:1 8:8 4:0 8:0 P z:64", RZ_OK, "ok"},
        {TENSOR2 "s:a 4:1 8:8 4:0 8:0 s:a 4:1 8:8 4:0 8:32 P z:64", RZ_EFORMAT,
         "tensor a: is given twice"},
        {TENSOR2 "s:a 4:1 8:8 4:0 8:0 s:b 4:1 8:8 4:0 8:0 P z:64", RZ_EFORMAT,
         "tensors a and b overlap: 32 bytes at offset 0, the next at 0"},
        {TENSOR2 "s:a 4:1 8:9 4:0 8:0 s:b 4:1 8:8 4:0 8:32 P z:64", RZ_EFORMAT,
         "tensors a and b overlap: 36 bytes at offset 0, the next at 32"},
        {TENSOR2 "s:a 4:1 8:8 4:0 8:32 s:b 4:1 8:16 4:0 8:0 P z:64", RZ_EFORMAT,
         "tensors b and a overlap: 64 bytes at offset 0, the next at 32"},
    };
    CHECK_ROWS(rows);
}

/* A file with every kind of entry, 8 bytes aligned so that no byte but padding is unused. */
static void spell_rich(buf *b) {
    spell(b,
          "#GGUF 4:3 8:3 8:16 s:general.alignment 4:4 4:8 s:u8 4:0 1:200 s:i8 4:1 1:200 s:u16 4:2 "
          "2:40000 s:i16 4:3 2:40000 s:u32 4:4 4:3000000000 s:i32 4:5 4:3000000000 s:f32 4:6 "
          "4:1069547520 s:bool 4:7 1:1 s:str 4:8 s:text s:u64 4:10 8:18446744073709551615 s:i64 "
          "4:11 8:18446744073709551615 s:f64 4:12 8:4609434218613702656 s:nums 4:9 4:3 8:3 2:1 "
          "2:65535 2:3 s:strs 4:9 4:8 8:3 s:a s: s:ccc s:nest 4:9 4:9 8:2 4:9 8:1 4:7 8:2 1:0 1:1 "
          "4:8 8:1 s:deep s:a.weight 4:2 8:4 8:2 4:0 8:72 s:b.weight 4:1 8:32 4:8 8:0 s:c 4:3 8:1 "
          "8:2 8:3 4:24 8:40");
    while (b->len % 8) buf_char(b, 0);
    for (int i = 0; i < 104; i++) buf_char(b, (char)i);
}

static void test_the_rich_file_reads_back(void) {
    buf b = BUF_INIT;
    err e = {0};
    tensor_file *f = NULL;
    spell_rich(&b);
    CHECK_MSG(tensor_file_open_memory(&f, guarded(b.p, b.len), b.len, &e) == RZ_OK, "%s", e.text);
    buf_free(&b);
    REQUIRE(f);
    CHECK_STR(f->format, "GGUF v3");
    CHECK_STR(f->path, "<memory>");
    CHECK(f->n_kv == 16 && f->n_tensor == 3 && f->n_part == 0);
    CHECK(tensor_file_meta(f, "u8")->u == 200 && tensor_file_meta(f, "i8")->i == -56);
    CHECK(tensor_file_meta(f, "u16")->u == 40000 && tensor_file_meta(f, "i16")->i == -25536);
    CHECK(tensor_file_meta(f, "u32")->u == 3000000000);
    CHECK(tensor_file_meta(f, "i32")->i == -1294967296);
    CHECK(tensor_file_meta(f, "f32")->f == 1.5 && tensor_file_meta(f, "f64")->f == 1.5);
    CHECK(tensor_file_meta(f, "bool")->u == 1 && str_is(tensor_file_meta(f, "str")->s, "text"));
    CHECK(tensor_file_meta(f, "u64")->u == UINT64_MAX && tensor_file_meta(f, "i64")->i == -1);
    const meta_value *nest = tensor_file_meta(f, "nest");
    CHECK(nest->a.n == 2 && nest->a.items[0].a.elem == META_ARRAY);
    CHECK(nest->a.items[0].a.items[0].a.elem == META_BOOL);
    CHECK(nest->a.items[0].a.items[0].a.packed[1] == 1);
    CHECK(str_is(nest->a.items[1].a.strings[0], "deep"));
    CHECK(tensor_file_meta(f, "strs")->a.n == 3 &&
          str_is(tensor_file_meta(f, "strs")->a.strings[2], "ccc"));
    const tensor_info *a = tensor_file_find(f, STR_LIT("a.weight"));
    const tensor_info *c = tensor_file_find(f, STR_LIT("c"));
    REQUIRE(a && c);
    CHECK(a->type == QUANT_F32 && a->n_dims == 2 && a->n == 8 && a->bytes == 32);
    CHECK(a->dim[0] == 4 && a->dim[1] == 2 && a->dim[2] == 1 && a->data[0] == 72);
    CHECK(c->type == QUANT_I8 && c->n == 6 && c->bytes == 6 && c->data[5] == 45);
    CHECK(tensor_file_find(f, STR_LIT("none")) == NULL && tensor_file_meta(f, "none") == NULL);
    tensor_file_close(f);
}

static void test_a_file_cut_anywhere_is_refused(void) {
    buf b = BUF_INIT;
    spell_rich(&b);
    CHECK(open_guarded(b.p, b.len, NULL) == RZ_OK);
    for (size_t n = 0; n < b.len; n++) {
        err e = {0};
        const status s = open_guarded(b.p, n, &e);
        CHECK_MSG(s == RZ_EFORMAT, "status %d of the first %zu bytes", s, n);
        CHECK(strncmp(e.text, "<memory>: ", 10) == 0 && !strchr(e.text, '\n'));
    }
    buf_free(&b);
}

static void test_a_file_with_any_byte_changed_is_read_or_refused(void) {
    buf b = BUF_INIT;
    spell_rich(&b);
    int accepted = 0, refused = 0;
    for (size_t i = 0; i < b.len; i++) {
        const char was = b.p[i];
        for (int v = 0; v < 256; v += test_thorough() ? 1 : 5) {
            err e = {0};
            b.p[i] = (char)v;
            const status s = open_guarded(b.p, b.len, &e);
            CHECK(s == RZ_OK || s == RZ_EFORMAT || s == RZ_EUNSUPPORTED);
            CHECK(s == RZ_OK || e.text[0]);
            accepted += s == RZ_OK;
            refused += s != RZ_OK;
        }
        b.p[i] = was;
    }
    CHECK_MSG(accepted > 1000 && refused > 1000, "%d and %d", accepted, refused);
    buf_free(&b);
}

static void test_no_memory_while_opening_is_an_ordinary_error(void) {
    buf b = BUF_INIT;
    spell_rich(&b);
    long n = 1;
    for (bool hit = true; hit && n < 1000; n++) {
        tensor_file *f = NULL;
        err e = {0};
        mem_fail_at(n);
        const status s = tensor_file_open_memory(&f, b.p, b.len, &e);
        hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(s == (hit ? RZ_ENOMEM : RZ_OK) && (f == NULL) == hit);
        if (hit) CHECK(strstr(e.text, "out of memory") != NULL);
        tensor_file_close(f);
    }
    CHECK_MSG(n > 8 && n < 1000, "%ld allocations", n);
    buf_free(&b);
}

/* Tables for the worst a file can ask for stay a small multiple of it. */
static void test_memory_is_bounded_by_the_file(void) {
    buf b = BUF_INIT;
    enum { N = 3000 };
    const uint64_t n = N;
    spell(&b, "#GGUF 4:3 8:0 8:1 s:k 4:9 4:9");
    buf_add(&b, &n, 8);
    for (int i = 0; i < N; i++) { /* N arrays of one empty array each */
        static const char inner[24] = {9, 0, 0, 0, 1};
        buf_add(&b, inner, sizeof inner);
    }
    tensor_file *f = NULL;
    REQUIRE(tensor_file_open_memory(&f, b.p, b.len, NULL) == RZ_OK);
    CHECK_MSG(f->mem.bytes < 6 * b.len, "%zu bytes for a file of %zu", f->mem.bytes, b.len);
    touch_file(f);
    tensor_file_close(f);
    buf_clear(&b);
    buf_text(&b, "GGUF");
    buf_add(&b, "\3\0\0\0\0\0\0\0\0\0\0", 12);
    buf_add(&b, &n, 8);
    for (int i = 0; i < N; i++) { /* the shortest keys and values */
        const uint64_t len = 4;
        buf_add(&b, &len, 8);
        buf_printf(&b, "%04d", i);
        buf_add(&b, "\0\0\0\0\0", 5);
    }
    REQUIRE(tensor_file_open_memory(&f, b.p, b.len, NULL) == RZ_OK);
    CHECK_MSG(f->mem.bytes < 10 * b.len, "%zu bytes for a file of %zu", f->mem.bytes, b.len);
    tensor_file_close(f);
    buf_free(&b);
}

/* Offsets in falling order are the worst case of the overlap check: quadratic would be 4 * 10^9. */
static void test_sixty_thousand_tensors_in_any_order(void) {
    enum { N = 60000 };
    const uint64_t n = N;
    buf b = BUF_INIT;
    buf_add(&b, "GGUF\3\0\0", 8);
    buf_add(&b, &n, 8);
    buf_add(&b, "\0\0\0\0\0\0\0", 8);
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t len = 6, dim = 1, offset = (n - 1 - i) * 32;
        const uint32_t one = 1, type = QUANT_I8;
        buf_add(&b, &len, 8);
        buf_printf(&b, "t%05d", (int)i);
        buf_add(&b, &one, 4);
        buf_add(&b, &dim, 8);
        buf_add(&b, &type, 4);
        buf_add(&b, &offset, 8);
    }
    while (b.len % 32) buf_char(&b, 0);
    char *data = buf_reserve(&b, N * 32);
    REQUIRE(data);
    memset(data, 0, N * 32);
    b.len += N * 32;
    tensor_file *f = NULL;
    err e = {0};
    CHECK_MSG(tensor_file_open_memory(&f, b.p, b.len, &e) == RZ_OK, "%s", e.text);
    REQUIRE(f);
    touch_file(f);
    tensor_file_close(f);
    buf_free(&b);
}

void suite_gguf_bad(void) {
    RUN(test_what_is_no_gguf_is_named);
    RUN(test_headers_that_lie_are_refused);
    RUN(test_keys_that_lie_are_refused);
    RUN(test_arrays_that_lie_are_refused);
    RUN(test_alignments_that_lie_are_refused);
    RUN(test_split_keys_that_lie_are_refused);
    RUN(test_tensors_that_lie_are_refused);
    RUN(test_tensors_that_collide_are_refused);
    RUN(test_the_rich_file_reads_back);
    RUN(test_a_file_cut_anywhere_is_refused);
    RUN(test_a_file_with_any_byte_changed_is_read_or_refused);
    RUN(test_no_memory_while_opening_is_an_ordinary_error);
    RUN(test_memory_is_bounded_by_the_file);
    RUN(test_sixty_thousand_tensors_in_any_order);
}
