/* test_yaml.c - the YAML subset gives the same tree as JSON, and says what it does not read. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/yaml.h"
#include "test.h"

/* Compact JSON of the tree, or the error text. Good until the next few calls. */
static const char *through(const char *text) {
    static char shown[4][512];
    static int turn;
    char *to = shown[turn++ % 4];
    const size_t len = strlen(text);
    char *copy = malloc(len ? len : 1); /* of its exact size, for the sanitizers */
    arena a = ARENA_INIT;
    json *v = NULL;
    err e = {0};
    memcpy(copy, text, len);
    if (yaml_parse(&v, (str){copy, len}, &a, &e) < 0) {
        snprintf(to, 512, "%s", e.text);
        CHECK(v == NULL && e.status == RZ_EFORMAT);
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

typedef struct row {
    const char *yaml, *want;
} row;
static void check_rows(const row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) CHECK_STR(through(rows[i].yaml), rows[i].want);
}
#define CHECK_ROWS(rows) check_rows((rows), sizeof(rows) / sizeof *(rows))

static void test_scalars_follow_the_core_schema(void) {
    static const row rows[] = {
        {"", "null"},
        {"# nothing\n\n", "null"},
        {"---\n", "null"},
        {"[~, null, Null, NULL, ]", "[null,null,null,null]"},
        {"[true, True, FALSE, false, yes, no, nULL]",
         "[true,true,false,false,\"yes\",\"no\",\"nULL\"]"},
        {"[0, -7, 12.5, 1e-3, 6.02E+23]", "[0,-7,12.5,1e-3,6.02E+23]"},
        {"[+5, .5, 2., -.25, 007, 0x1F, 0xg]", "[5,0.5,2,-0.25,7,31,\"0xg\"]"},
        {"[.inf, -.INF, .NaN, inf]", "[Infinity,-Infinity,NaN,\"inf\"]"},
        {"[1.2.3, 1e, -, 12abc, v1.0]", "[\"1.2.3\",\"1e\",\"-\",\"12abc\",\"v1.0\"]"},
        {"'it''s'", "\"it's\""},
        {"\"a\\tb\\u00e9 # no comment\"", "\"a\\tb\xC3\xA9 # no comment\""},
        {"['1', \"true\", ~]", "[\"1\",\"true\",null]"},
        {"plain text with  spaces # and a comment", "\"plain text with  spaces\""},
        {"a#b", "\"a#b\""},
        {"http://x:80/y", "\"http://x:80/y\""},
        {"\xE2\x82\xAC", "\"\xE2\x82\xAC\""},
    };
    CHECK_ROWS(rows);
}

static void test_blocks_nest_by_their_columns(void) {
    static const row rows[] = {
        {"a: 1\nb: two\n", "{\"a\":1,\"b\":\"two\"}"},
        {"a:\n  b:\n    c: 1\n  d: 2\ne: 3", "{\"a\":{\"b\":{\"c\":1},\"d\":2},\"e\":3}"},
        {"a:\nb: ~\nc: # comment\n", "{\"a\":null,\"b\":null,\"c\":null}"},
        {"- 1\n- two\n-\n- [3, 4]\n", "[1,\"two\",null,[3,4]]"},
        {"a:\n  - 1\n  - 2\nb:\n- 3\n- 4\nc: 5", "{\"a\":[1,2],\"b\":[3,4],\"c\":5}"},
        {"- a: 1\n  b: 2\n- c: 3\n", "[{\"a\":1,\"b\":2},{\"c\":3}]"},
        {"- - 1\n  - 2\n- - 3\n", "[[1,2],[3]]"},
        {"-\n  a: 1\n-   b: 2\n    c: 3", "[{\"a\":1},{\"b\":2,\"c\":3}]"},
        {"a:\n\n  # comment\n\n  b: 1 # more\n\n\nc: 2", "{\"a\":{\"b\":1},\"c\":2}"},
        {"a:\n  text on its own line\nb: 1", "{\"a\":\"text on its own line\",\"b\":1}"},
        {"\"a b\": 1\n'c': 2\nd e: 3\n1: 4", "{\"a b\":1,\"c\":2,\"d e\":3,\"1\":4}"},
        {"a: [1,\n  2, # two\n  3\n]\nb: {x: 1, y: [2], z: }\nc: {}",
         "{\"a\":[1,2,3],\"b\":{\"x\":1,\"y\":[2],\"z\":null},\"c\":{}}"},
        {"a: 1\r\nb:\r\n  - 2\r\n", "{\"a\":1,\"b\":[2]}"},
        {"a: 1\r", "{\"a\":1}"},
        {"--- # start\na: 1\n", "{\"a\":1}"},
        {"  a: 1\n  b: 2\n", "{\"a\":1,\"b\":2}"},
        {"{\"json\": [true, null, -1.5e3, \"x\"]}", "{\"json\":[true,null,-1.5e3,\"x\"]}"},
    };
    CHECK_ROWS(rows);
}

static void test_a_training_configuration_is_read(void) {
    CHECK_STR(
        through("# nano\n"
                "model:\n"
                "  name: nano   # short\n"
                "  hidden_size: 384\n"
                "  kv_heads: null\n"
                "  mamba_layers: [0, 1, 2, 4, 5, 6]\n"
                "  rope_theta: 10000.0\n"
                "  dtype: bf16\n"
                "\n"
                "trainer:\n"
                "  learning_rate: 3e-4\n"
                "  distributed:\n"
                "    enabled: false\n"
                "    gpu_ids:\n"
                "      - 0\n"
                "      - 1\n"),
        "{\"model\":{\"name\":\"nano\",\"hidden_size\":384,\"kv_heads\":null,\"mamba_layers\":"
        "[0,1,2,4,5,6],\"rope_theta\":10000.0,\"dtype\":\"bf16\"},\"trainer\":{"
        "\"learning_rate\":3e-4,\"distributed\":{\"enabled\":false,\"gpu_ids\":[0,1]}}}");
}

static void test_what_is_not_read_is_named_with_line_and_column(void) {
    static const row rows[] = {
        {"a: &x 1", "YAML line 1, column 4: anchors (&) are not read"},
        {"a: *x", "YAML line 1, column 4: aliases (*) are not read"},
        {"a: !!str 1", "YAML line 1, column 4: tags (!) are not read"},
        {"a: |\n  text", "YAML line 1, column 4: block scalars (|) are not read"},
        {"a: >\n  text", "YAML line 1, column 4: block scalars (>) are not read"},
        {"%YAML 1.2\n---\na: 1", "YAML line 1, column 1: directives (%) are not read"},
        {"? a\n: b", "YAML line 1, column 1: complex keys (?) are not read"},
        {"a: 1\n---\nb: 2", "YAML line 2, column 1: several documents in one file"},
        {"a: 1\na: 2", "YAML line 2, column 1: key \"a\" is given twice"},
        {"{a: 1, a: 2}", "YAML line 1, column 8: key \"a\" is given twice"},
        {"a:\n\tb: 1", "YAML line 2, column 1: a tab in the indentation"},
        {"a: 1\n  b: 2", "YAML line 2, column 3: indented deeper than the line it belongs to"},
        {"  a: 1\nb: 2", "YAML line 2, column 1: expected the end, found text less indented"},
        {"a: b: c", "YAML line 1, column 5: expected the end of the line after a value"},
        {"a: 'x' y", "YAML line 1, column 8: expected the end of the line after a value"},
        {"a: [1, 2", "YAML line 1, column 9: expected ',' or ']'"},
        {"a: [1 2: 3]", "YAML line 1, column 8: expected ',' or ']'"},
        {"a: {", "YAML line 1, column 5: expected '}'"},
        {"a: {b", "YAML line 1, column 6: expected ':' after the key"},
        {"a: {b:", "YAML line 1, column 7: expected '}'"},
        {"a: 'open\n'", "YAML line 1, column 4: no closing quote on this line"},
        {"a: \"open\\\"", "YAML line 1, column 4: no closing quote on this line"},
        {"a: \"\\x41\"",
         "YAML line 1, column 4: a string in double quotes with an escape JSON has not"},
        {"a: ]", "YAML line 1, column 4: ']' is no value"},
        {"a: @b", "YAML line 1, column 4: reserved signs (@) are not read"},
        {"a\nb", "YAML line 2, column 1: expected the end, found text less indented"},
        {"a: 1\nb\n", "YAML line 2, column 2: expected ':' after the key"},
        {"a: \xFF", "YAML line 1, column 4: bytes that are not UTF-8"},
        {"a: \x01", "YAML line 1, column 4: control character 0x01"},
    };
    CHECK_ROWS(rows);
}

static void test_depth_is_limited(void) {
    static const char *const opens[] = {"[", "- ", "{a: "};
    for (size_t i = 0; i < 3; i++) {
        for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 2; depth++) {
            buf b = BUF_INIT;
            for (int k = 0; k < depth; k++) buf_text(&b, opens[i]);
            const char *got = through(buf_cstr(&b));
            CHECK_MSG(
                (strstr(got, "nested deeper than 128 levels") != NULL) == (depth > JSON_MAX_DEPTH),
                "%s %d: %s", opens[i], depth, got);
            buf_free(&b);
        }
    }
}

static void test_no_memory_is_an_ordinary_error(void) {
    static const char text[] =
        "a: [1, +2, 'it''s', \"x\\ty\"]\nb:\n  - c: {d: 1}\n    e: 0x1F\n  - .5\n";
    long n = 1;
    for (bool hit = true; hit && n < 200; n++) {
        arena a = ARENA_INIT;
        json *v = NULL;
        err e = {0};
        mem_fail_at(n);
        const status s = yaml_parse(&v, str_of(text), &a, &e);
        hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK_MSG(s == (hit ? RZ_ENOMEM : RZ_OK) && (v == NULL) == hit, "%ld: %s", n, e.text);
        arena_free(&a);
    }
    CHECK(n > 5 && n < 200);
}

void suite_yaml(void) {
    RUN(test_scalars_follow_the_core_schema);
    RUN(test_blocks_nest_by_their_columns);
    RUN(test_a_training_configuration_is_read);
    RUN(test_what_is_not_read_is_named_with_line_and_column);
    RUN(test_depth_is_limited);
    RUN(test_no_memory_is_an_ordinary_error);
}
