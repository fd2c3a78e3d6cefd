/* test_json.c - what is JSON, what is not and how that is said, and writing it again. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "json/json.h"
#include "test.h"

/* The text comes from memory of its exact size, so that a sanitizer sees any read past the end. */
static status parse_exact(json **out, const char *text, size_t len, arena *a, char **copy, err *e) {
    *copy = malloc(len ? len : 1);
    memcpy(*copy, text, len);
    return json_parse(out, (str){*copy, len}, a, e);
}

/* Compact form of the tree, or the error text. Good until the next few calls. */
static const char *through_n(const char *text, size_t len) {
    static char shown[4][512];
    static int turn;
    char *to = shown[turn++ % 4], *copy;
    arena a = ARENA_INIT;
    json *v = NULL;
    err e = {0};
    if (parse_exact(&v, text, len, &a, &copy, &e) < 0) {
        snprintf(to, 512, "%s", e.text);
        CHECK(v == NULL);
        CHECK_MSG(e.status == RZ_EFORMAT, "status %d for %s", e.status, e.text);
    } else {
        buf b = BUF_INIT;
        json_write(&b, v);
        snprintf(to, 512, "%s", buf_cstr(&b));
        buf_free(&b);
    }
    free(copy);
    arena_free(&a);
    return to;
}
static const char *through(const char *text) { return through_n(text, strlen(text)); }

static void test_values_of_every_kind_are_read(void) {
    static const char *const same[] = {"null",
                                       "true",
                                       "false",
                                       "0",
                                       "-0",
                                       "-1.5e3",
                                       "\"\"",
                                       "[]",
                                       "{}",
                                       "[1,[2,[]],{\"a\":{}}]",
                                       "{\"\":0,\"a\":[true,null]}",
                                       "123456789012345678901234567890",
                                       "[0.1,1e-7,2E+5,-0.0]",
                                       "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"",
                                       "\"\x7F\""};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) CHECK_STR(through(same[i]), same[i]);
    CHECK_STR(through(" \t\r\n [ 1 , { \"a\" : 2 } ] \n"), "[1,{\"a\":2}]");
    CHECK_STR(through("\"a\\/b\\u0041\\n\\\"\\\\\""), "\"a/bA\\n\\\"\\\\\"");
}

static void test_the_tree_holds_what_was_written(void) {
    const char text[] = "{\"n\":-12.5,\"s\":\"a\\u0000b\",\"t\":true,\"l\":[1,2,3],\"z\":null}";
    arena a = ARENA_INIT;
    json *v;
    REQUIRE(json_parse(&v, str_of(text), &a, NULL) == RZ_OK);
    CHECK(v->kind == JSON_OBJECT && v->n == 5);
    const json *n = json_get(v, "n"), *s = json_get(v, "s"), *l = json_get(v, "l");
    REQUIRE(n && s && l);
    CHECK(n->kind == JSON_NUMBER && n->number == -12.5 && str_is(n->text, "-12.5"));
    CHECK(s->kind == JSON_STRING && s->text.len == 3 && memcmp(s->text.p, "a\0b", 3) == 0);
    CHECK(json_get(v, "t")->truth && json_get(v, "z")->kind == JSON_NULL);
    CHECK(l->kind == JSON_ARRAY && l->n == 3 && l->child->next->next->number == 3 &&
          l->child->next->next->next == NULL);
    CHECK(json_get(v, "none") == NULL && json_get(l, "n") == NULL && json_get(NULL, "n") == NULL);
    /* A string without escapes is not copied. */
    CHECK(n->key.p >= text && n->key.p < text + sizeof text);
    CHECK_STR(json_kind_name(JSON_OBJECT), "object");
    CHECK_STR(json_kind_name((json_kind)77), "?");
    arena_free(&a);
}

static void test_what_is_not_json_is_refused_with_line_and_column(void) {
    static const char *const rows[][2] = {
        {"", "JSON line 1, column 1: expected a value, found the end"},
        {" \n ", "JSON line 2, column 2: expected a value, found the end"},
        {"[1,]", "JSON line 1, column 4: expected a value, found ']'"},
        {"[1 2]", "JSON line 1, column 4: expected ',' or ']', found '2'"},
        {"[1", "JSON line 1, column 3: expected ',' or ']', found the end"},
        {"[", "JSON line 1, column 2: expected a value, found the end"},
        {"]", "JSON line 1, column 1: expected a value, found ']'"},
        {"[,1]", "JSON line 1, column 2: expected a value, found ','"},
        {"{\"a\":1,}", "JSON line 1, column 8: expected a key in quotes, found '}'"},
        {"{a:1}", "JSON line 1, column 2: expected a key in quotes, found 'a'"},
        {"{'a':1}", "JSON line 1, column 2: expected a key in quotes, found '''"},
        {"{\"a\" 1}", "JSON line 1, column 6: expected ':' after the key, found '1'"},
        {"{\"a\":}", "JSON line 1, column 6: expected a value, found '}'"},
        {"{\"a\":1 \"b\":2}", "JSON line 1, column 8: expected ',' or '}', found '\"'"},
        {"{\"a\":1", "JSON line 1, column 7: expected ',' or '}', found the end"},
        {"{\"a\"", "JSON line 1, column 5: expected ':' after the key, found the end"},
        {"{", "JSON line 1, column 2: expected a key in quotes, found the end"},
        {"1 2", "JSON line 1, column 3: expected the end after the value, found '2'"},
        {"{}x", "JSON line 1, column 3: expected the end after the value, found 'x'"},
        {"nul", "JSON line 1, column 1: expected a value, found 'n' which is not \"null\""},
        {"True", "JSON line 1, column 1: expected a value, found 'T'"},
        {"tru ", "JSON line 1, column 1: expected a value, found 't' which is not \"true\""},
        {"nullx", "JSON line 1, column 5: expected the end after the value, found 'x'"},
        {"NaN", "JSON line 1, column 1: expected a value, found 'N'"},
        {"-Infinity", "JSON line 1, column 2: expected a digit after '-', found 'I'"},
        {"+1", "JSON line 1, column 1: expected a value, found '+'"},
        {".5", "JSON line 1, column 1: expected a value, found '.'"},
        {"1.", "JSON line 1, column 3: expected a digit after '.', found the end"},
        {"1.e3", "JSON line 1, column 3: expected a digit after '.', found 'e'"},
        {"1e", "JSON line 1, column 3: expected a digit in the exponent, found the end"},
        {"1e+", "JSON line 1, column 4: expected a digit in the exponent, found the end"},
        {"01", "JSON line 1, column 1: number with a leading zero"},
        {"-01", "JSON line 1, column 1: number with a leading zero"},
        {"-", "JSON line 1, column 2: expected a digit after '-', found the end"},
        {"0x10", "JSON line 1, column 2: expected the end after the value, found 'x'"},
        {"[1e400]", "JSON line 1, column 2: number 1e400 is out of range or too long"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(through(rows[i][0]), rows[i][1]);
}

static void test_what_is_no_string_is_refused_with_line_and_column(void) {
    static const char *const rows[][2] = {
        {"\"abc", "JSON line 1, column 5: string without closing quote"},
        {"\"", "JSON line 1, column 2: string without closing quote"},
        {"\"a\nb\"", "JSON line 1, column 3: control character 0x0a in a string"},
        {"\"a\tb\"", "JSON line 1, column 3: control character 0x09 in a string"},
        {"\"\\x\"", "JSON line 1, column 3: expected an escape character after '\\', found 'x'"},
        {"\"\\", "JSON line 1, column 3: expected an escape character after '\\', found the end"},
        {"\"\\u12g4\"", "JSON line 1, column 2: expected four hex digits after \\u"},
        {"\"\\u12\"", "JSON line 1, column 2: expected four hex digits after \\u"},
        {"\"\\u", "JSON line 1, column 2: expected four hex digits after \\u"},
        {"\"\\ud800\"", "JSON line 1, column 2: lone surrogate \\ud800"},
        {"\"\\uDC00\\ud800\"", "JSON line 1, column 2: lone surrogate \\udc00"},
        {"\"\\ud800\\u0041\"", "JSON line 1, column 2: lone surrogate \\ud800"},
        {"\"\\ud800\\ud800\"", "JSON line 1, column 2: lone surrogate \\ud800"},
        {"\"\\ud83d\\ude0\"", "JSON line 1, column 2: lone surrogate \\ud83d"},
        {"\"\xFF\"", "JSON line 1, column 2: byte 0xff is not valid UTF-8"},
        {"\"\xC0\x80\"", "JSON line 1, column 2: byte 0xc0 is not valid UTF-8"},
        {"\"\xED\xA0\x80\"", "JSON line 1, column 2: byte 0xed is not valid UTF-8"},
        {"\"\xE2\x82", "JSON line 1, column 2: byte 0xe2 is not valid UTF-8"},
        {"\xFF", "JSON line 1, column 1: expected a value, found byte 0xff"},
        {"\xEF\xBB\xBF{}", "JSON line 1, column 1: expected a value, found a byte order mark"},
        {"[1] // c", "JSON line 1, column 5: expected the end after the value, found '/'"},
        {"{\"a\":1,\"a\":2}", "JSON line 1, column 8: key \"a\" is given twice"},
        {"{\"a\":1,\"\\u0061\":2}", "JSON line 1, column 8: key \"a\" is given twice"},
        {"{\n\"\xC3\xA9\xC3\xA9\": x}", "JSON line 2, column 7: expected a value, found 'x'"},
        {"\xC2\xA0"
         "1",
         "JSON line 1, column 1: expected a value, found '\xC2\xA0'"},
        {"\f1", "JSON line 1, column 1: expected a value, found byte 0x0c"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(through(rows[i][0]), rows[i][1]);
    CHECK_STR(through_n("1\0", 2),
              "JSON line 1, column 2: expected the end after the value, found byte 0x00");
    CHECK_STR(through_n("\"a\0\"", 4), "JSON line 1, column 3: control character 0x00 in a string");
    CHECK_STR(through_n("\"\\\0\"", 4),
              "JSON line 1, column 3: expected an escape character after '\\', found byte 0x00");
    err e = {0};
    json *v;
    arena a = ARENA_INIT;
    CHECK(json_parse(&v, (str){NULL, 0}, &a, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "JSON line 1, column 1: expected a value, found the end");
    arena_free(&a);
}

static void test_words_of_python_are_numbers_only_where_asked_for(void) {
    static const char text[] = "[0.0,Infinity,-Infinity,NaN,-1]";
    arena a = ARENA_INIT;
    json *v = NULL;
    err e = {0};
    REQUIRE(json_parse_python(&v, str_of(text), &a, &e) == RZ_OK && v->n == 5);
    CHECK(isinf(v->child->next->number) && v->child->next->number > 0);
    CHECK(isinf(v->child->next->next->number) && v->child->next->next->number < 0);
    CHECK(isnan(v->child->next->next->next->number));
    CHECK(v->child->next->next->next->next->number == -1);
    int64_t i;
    CHECK(!json_int(v->child->next, INT64_MIN, INT64_MAX, &i));
    buf b = BUF_INIT;
    json_write(&b, v);
    CHECK_STR(buf_cstr(&b), text);
    buf_free(&b);
    CHECK_STR(through("[Infinity]"), "JSON line 1, column 2: expected a value, found 'I'");
    CHECK_STR(through("-Infinity"), "JSON line 1, column 2: expected a digit after '-', found 'I'");
    CHECK(json_parse_python(&v, STR_LIT("Infinit"), &a, &e) == RZ_EFORMAT);
    CHECK(json_parse_python(&v, STR_LIT("infinity"), &a, &e) == RZ_EFORMAT);
    CHECK(json_parse_python(&v, STR_LIT("[NaN0]"), &a, &e) == RZ_EFORMAT);
    arena_free(&a);
}

static void test_surrogate_pairs_become_one_character(void) {
    CHECK_STR(through("\"\\ud83d\\ude00\""), "\"\xF0\x9F\x98\x80\"");
    CHECK_STR(through("\"\\uD800\\uDC00\\uDBFF\\uDFFF\""), "\"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\"");
    CHECK_STR(through("\"\\uD7FF\\uE000\\uFFFF\""), "\"\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF\"");
}

static void nest(char *to, size_t n, const char *open, const char *close) {
    const size_t a = strlen(open), b = strlen(close);
    for (size_t i = 0; i < n; i++) memcpy(to + i * a, open, a);
    for (size_t i = 0; i < n; i++) memcpy(to + n * a + i * b, close, b);
}

static void test_depth_is_limited(void) {
    enum { DEEP = 100000 };
    arena a = ARENA_INIT;
    json *v;
    err e = {0};
    char *text = malloc(DEEP * 6);
    nest(text, JSON_MAX_DEPTH, "[", "]");
    CHECK(json_parse(&v, (str){text, JSON_MAX_DEPTH * 2}, &a, &e) == RZ_OK);
    nest(text, JSON_MAX_DEPTH + 1, "[", "]");
    CHECK(json_parse(&v, (str){text, JSON_MAX_DEPTH * 2 + 2}, &a, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "JSON line 1, column 129: nested deeper than 128 levels");
    nest(text, DEEP, "[", "]");
    CHECK(json_parse(&v, (str){text, DEEP * 2}, &a, &e) == RZ_EFORMAT);
    nest(text, DEEP, "{\"a\":", "}");
    CHECK(json_parse(&v, (str){text, DEEP * 6}, &a, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "JSON line 1, column 641: nested deeper than 128 levels");
    free(text);
    arena_free(&a);
}

/* A quadratic comparison of 100,000 members is 5 * 10^9 steps: the test would not end. */
static void test_a_key_given_twice_is_found_among_100000(void) {
    enum { N = 100000 };
    buf b = BUF_INIT;
    buf_char(&b, '{');
    for (int i = 0; i < N; i++) buf_printf(&b, "\"key%d\":%d,", i, i);
    const size_t before = b.len;
    buf_text(&b, "\"last\":0}");
    arena a = ARENA_INIT;
    json *v = NULL;
    err e = {0};
    REQUIRE(json_parse(&v, buf_view(&b), &a, &e) == RZ_OK);
    CHECK(v->n == N + 1 && json_get(v, "key77777")->number == 77777);
    b.len = before;
    buf_text(&b, "\"key5\":0}");
    CHECK(json_parse(&v, buf_view(&b), &a, &e) == RZ_EFORMAT);
    CHECK(strstr(e.text, ": key \"key5\" is given twice") != NULL);
    buf_free(&b);
    arena_free(&a);
    for (int n = 2; n < 40; n++) { /* both ways of looking, and the step from one to the other */
        buf_char(&b, '{');
        for (int i = 0; i < n; i++) buf_printf(&b, "\"k%d\":0,", i);
        buf_printf(&b, "\"k%d\":0}", n / 2);
        CHECK_MSG(json_parse(&v, buf_view(&b), &a, &e) == RZ_EFORMAT, "%d members", n);
        buf_clear(&b);
    }
    buf_free(&b);
    arena_free(&a);
}

static void test_integers_are_exact_or_refused(void) {
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } rows[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"-7", true, -7},
        {"1e3", true, 1000},
        {"5.0", true, 5},
        {"9007199254740993", true, 9007199254740993},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"1.5", false, 0},
        {"1e-3", false, 0},
        {"1e300", false, 0},
        {"\"1\"", false, 0},
        {"true", false, 0},
        {"9007199254740993.0", true, 9007199254740992},
    };
    arena a = ARENA_INIT;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json *v;
        int64_t got = 0;
        REQUIRE(json_parse(&v, str_of(rows[i].text), &a, NULL) == RZ_OK);
        CHECK_MSG(json_int(v, INT64_MIN, INT64_MAX, &got) == rows[i].good, "%s", rows[i].text);
        CHECK_MSG(got == rows[i].value, "%s", rows[i].text);
    }
    json *v;
    int64_t got = 7;
    REQUIRE(json_parse(&v, STR_LIT("10"), &a, NULL) == RZ_OK);
    CHECK(!json_int(v, 0, 9, &got) && !json_int(v, 11, 20, &got) && !json_int(NULL, 0, 9, &got));
    CHECK(got == 7);
    CHECK(json_int(v, 10, 10, &got) && got == 10);
    arena_free(&a);
}

static const char *number(double v) {
    static char shown[4][64];
    static int turn;
    char *to = shown[turn++ % 4];
    buf b = BUF_INIT;
    json_write_number(&b, v);
    snprintf(to, 64, "%s", buf_cstr(&b));
    buf_free(&b);
    return to;
}

static void test_numbers_are_written_short_and_exact(void) {
    CHECK_STR(number(0), "0");
    CHECK_STR(number(-0.0), "-0");
    CHECK_STR(number(1), "1");
    CHECK_STR(number(-1000000), "-1000000");
    CHECK_STR(number(9007199254740992.0), "9007199254740992");
    CHECK_STR(number(0.1), "0.1");
    CHECK_STR(number(0.1 + 0.2), "0.30000000000000004");
    CHECK_STR(number(1.0 / 3), "0.3333333333333333");
    CHECK_STR(number(1e-7), "1e-7");
    CHECK_STR(number(1e22), "1e22");
    CHECK_STR(number(1.5e300), "1.5e300");
    CHECK_STR(number(5e-324), "5e-324");
    CHECK_STR(number(2.2250738585072014e-308), "2.2250738585072014e-308");
    CHECK_STR(number(1.7976931348623157e308), "1.7976931348623157e308");
    CHECK_STR(number(NAN), "null");
    CHECK_STR(number(INFINITY), "null");
    CHECK_STR(number(-INFINITY), "null");
    CHECK_STR(number((double)0.7f), "0.699999988079071");
    uint64_t seed = 5;
    int wrong = 0;
    for (int i = 0; i < 50000; i++) {
        const uint64_t bits = rng_splitmix(&seed);
        double v, back = 0;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v)) continue;
        if (i % 2) v = (double)(float)v;
        if (!isfinite(v)) continue;
        const char *text = number(v);
        if (!str_f64(str_of(text), &back) || memcmp(&back, &v, sizeof v) != 0) wrong++;
    }
    CHECK_MSG(wrong == 0, "%d doubles do not come back", wrong);
}

static void test_the_locale_does_not_change_numbers(void) {
    const char *before = setlocale(LC_NUMERIC, NULL);
    char name[64];
    snprintf(name, sizeof name, "%s", before ? before : "C");
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8")) {
        test_skip("no locale with a decimal comma is installed");
        return;
    }
    CHECK_STR(number(1.5), "1.5");
    CHECK_STR(through("[1.5]"), "[1.5]");
    setlocale(LC_NUMERIC, name);
}

static const char *string(const char *s, size_t len) {
    static char shown[4][256];
    static int turn;
    char *to = shown[turn++ % 4];
    buf b = BUF_INIT;
    json_write_string(&b, (str){s, len});
    snprintf(to, 256, "%s", buf_cstr(&b));
    buf_free(&b);
    return to;
}

static void test_strings_are_escaped_and_repaired(void) {
    CHECK_STR(string(NULL, 0), "\"\"");
    CHECK_STR(string("a\0b", 3), "\"a\\u0000b\"");
    CHECK_STR(string("\b\f\n\r\t\x01\x1f\"\\/", 10), "\"\\b\\f\\n\\r\\t\\u0001\\u001f\\\"\\\\/\"");
    CHECK_STR(string("\xC3\xA9\x7F", 3), "\"\xC3\xA9\x7F\"");
    CHECK_STR(string("a\xFF\xE2\x82", 4), "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    CHECK_STR(string("\xED\xA0\x80", 3), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    char all[256];
    for (int i = 0; i < 256; i++) all[i] = (char)i;
    buf b = BUF_INIT;
    json_write_string(&b, (str){all, 256});
    arena a = ARENA_INIT;
    json *v;
    err e = {0};
    REQUIRE(json_parse(&v, buf_view(&b), &a, &e) == RZ_OK);
    CHECK(v->text.len == 128 + 128 * 3 && memcmp(v->text.p, all, 128) == 0);
    buf_free(&b);
    arena_free(&a);
}

static void test_no_memory_is_an_ordinary_error(void) {
    buf b = BUF_INIT;
    buf_text(&b, "{\"text\":\"\\u0041\",\"list\":[");
    for (int i = 0; i < 200; i++) buf_printf(&b, "%d,", i);
    buf_text(&b, "0],\"o\":{");
    for (int i = 0; i < 40; i++) buf_printf(&b, "\"k%d\":[],", i);
    buf_text(&b, "\"last\":{}}}");
    REQUIRE(!b.failed);
    int failures = 0;
    for (long n = 1; n < 1000; n++) {
        arena a = ARENA_INIT;
        json *v = NULL;
        err e = {0};
        mem_fail_at(n);
        const status s = json_parse(&v, buf_view(&b), &a, &e);
        const bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(s == (hit ? RZ_ENOMEM : RZ_OK) && (v == NULL) == hit);
        if (hit) CHECK(strncmp(e.text, "JSON: out of memory", 19) == 0);
        arena_free(&a);
        failures += hit;
        if (!hit) break;
    }
    CHECK_MSG(failures > 8, "only %d allocations", failures);
    buf_free(&b);
    arena small = ARENA_INIT;
    small.limit = 4096;
    json *v = NULL;
    char many[1000];
    memset(many, '[', sizeof many);
    for (size_t i = 1; i + 1 < sizeof many; i++) many[i] = i % 2 ? '1' : ',';
    many[sizeof many - 1] = ']';
    many[sizeof many - 2] = '1';
    CHECK(json_parse(&v, (str){many, sizeof many}, &small, NULL) < 0);
    arena_free(&small);
}

/* Random trees, written and read, are the same text again. */
static void grow(buf *b, uint64_t *seed, int depth) {
    const uint64_t kind = rng_below(seed, depth > 5 ? 4 : 6);
    const uint64_t n = rng_below(seed, 5);
    double v;
    switch (kind) {
        case 0:
            buf_text(b, "null");
            return;
        case 1:
            buf_text(b, n % 2 ? "true" : "false");
            return;
        case 2:
            v = rng_unit(seed) * 1e6;
            json_write_number(b, n % 2 ? floor(v) : v);
            return;
        case 3: {
            char text[16];
            for (size_t i = 0; i < sizeof text; i++) text[i] = (char)rng_below(seed, 128);
            json_write_string(b, (str){text, rng_below(seed, sizeof text)});
            return;
        }
        default:
            break;
    }
    buf_char(b, kind == 4 ? '[' : '{');
    for (uint64_t i = 0; i < n; i++) {
        if (i) buf_char(b, ',');
        if (kind == 5) buf_printf(b, "\"k%d\":", (int)i);
        grow(b, seed, depth + 1);
    }
    buf_char(b, kind == 4 ? ']' : '}');
}

static void test_random_trees_round_trip(void) {
    uint64_t seed = 11;
    arena a = ARENA_INIT;
    buf first = BUF_INIT, second = BUF_INIT;
    for (int i = 0; i < 2000; i++) {
        json *v;
        err e = {0};
        buf_clear(&first);
        buf_clear(&second);
        grow(&first, &seed, 0);
        REQUIRE(json_parse(&v, buf_view(&first), &a, &e) == RZ_OK);
        json_write(&second, v);
        REQUIRE(str_eq(buf_view(&first), buf_view(&second)));
        arena_reset(&a);
    }
    buf_free(&first);
    buf_free(&second);
    arena_free(&a);
}

void suite_json(void) {
    RUN(test_values_of_every_kind_are_read);
    RUN(test_the_tree_holds_what_was_written);
    RUN(test_what_is_not_json_is_refused_with_line_and_column);
    RUN(test_what_is_no_string_is_refused_with_line_and_column);
    RUN(test_words_of_python_are_numbers_only_where_asked_for);
    RUN(test_surrogate_pairs_become_one_character);
    RUN(test_depth_is_limited);
    RUN(test_a_key_given_twice_is_found_among_100000);
    RUN(test_integers_are_exact_or_refused);
    RUN(test_numbers_are_written_short_and_exact);
    RUN(test_the_locale_does_not_change_numbers);
    RUN(test_strings_are_escaped_and_repaired);
    RUN(test_no_memory_is_an_ordinary_error);
    RUN(test_random_trees_round_trip);
}
