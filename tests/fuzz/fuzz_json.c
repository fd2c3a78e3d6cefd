/* fuzz_json.c - any bytes through the JSON parser; what it accepts is written and read again.
 *
 * The tree may only depend on the text: parsing what was written gives the same text once more.
 * The same bytes go through the string writer and the UTF-8 functions, which take anything. */
#include <stdlib.h>

#include "fuzz.h"
#include "json/json.h"
#include "unicode/utf8.h"

static void require(bool ok) {
    if (!ok) abort();
}

static void check_tree(str text) {
    arena a = ARENA_INIT;
    json *v = NULL, *again = NULL;
    buf first = BUF_INIT, second = BUF_INIT;
    err e = {0};
    if (json_parse(&v, text, &a, &e) == RZ_OK) {
        require(utf8_valid(text) == text.len);
        json_write(&first, v);
        require(!first.failed && utf8_valid(buf_view(&first)) == first.len);
        require(json_parse(&again, buf_view(&first), &a, &e) == RZ_OK);
        json_write(&second, again);
        require(str_eq(buf_view(&first), buf_view(&second)));
        if (v->kind == JSON_NUMBER) {
            double back = 0;
            buf_clear(&second);
            json_write_number(&second, v->number);
            require(str_f64(buf_view(&second), &back) && back == v->number);
        }
    } else {
        require(v == NULL && e.text[0]);
    }
    buf_free(&first);
    buf_free(&second);
    arena_free(&a);
}

static void check_string(str text) {
    arena a = ARENA_INIT;
    json *v = NULL;
    buf b = BUF_INIT;
    json_write_string(&b, text);
    require(json_parse(&v, buf_view(&b), &a, NULL) == RZ_OK && v->kind == JSON_STRING);
    if (utf8_valid(text) == text.len) require(str_eq(v->text, text));
    buf_free(&b);
    arena_free(&a);
}

static void check_utf8(str text) {
    const size_t valid = utf8_valid(text), tail = utf8_incomplete_tail(text);
    size_t at = 0;
    require(tail <= 3 && tail <= text.len);
    while (at < text.len) {
        uint32_t cp;
        const size_t n = utf8_decode((str){text.p + at, text.len - at}, &cp);
        char bytes[4];
        require(n >= 1 && n <= 4 && n <= text.len - at);
        require((cp == UTF8_BAD) == (at >= valid) || at > valid);
        if (cp != UTF8_BAD)
            require(utf8_encode(cp, bytes) == n && memcmp(bytes, text.p + at, n) == 0);
        at += n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const str text = {(const char *)data, size};
    check_tree(text);
    check_string(text);
    check_utf8(text);
    return 0;
}
