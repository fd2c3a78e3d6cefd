/* test_table.c - CSV and IDX files into tables: columns, answers, what is refused, splitting. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/os.h"
#include "classic/table.h"
#include "format/csv.h"
#include "guarded.h"
#include "test.h"

static table *parse(const char *text, const char *target, const char *keep) {
    table *t = NULL;
    err e = {0};
    const table_options opt = {target, NULL, keep};
    const size_t n = strlen(text);
    const status s = table_parse(&t, "f", (str){(const char *)guarded(text, n), n}, &opt, &e);
    CHECK_MSG(s == RZ_OK, "%s", e.text);
    return t;
}

static void test_columns_and_answers(void) {
    table *t = parse("a, b ,kind\r\n1,2.5,cat\r\n\r\n-3,4e2,ant\n5,6,cat", "kind", NULL);
    REQUIRE(t != NULL);
    CHECK(t->rows == 3 && t->cols == 2 && t->classes == 2 && !t->value);
    const float want[] = {1, 2.5f, -3, 400, 5, 6};
    CHECK(memcmp(t->x, want, sizeof want) == 0);
    CHECK_STR(t->name[1], "b");
    CHECK_STR(t->target, "kind");
    CHECK_STR(t->label[0], "ant");
    CHECK_STR(t->label[1], "cat");
    CHECK(t->class[0] == 1 && t->class[1] == 0 && t->class[2] == 1);
    table_free(t);
}

static void test_answers_that_are_numbers_are_in_their_order(void) {
    table *t = parse("10,1\n9,2\n-1,3\n10,4\n", "1", NULL);
    REQUIRE(t != NULL);
    CHECK(t->rows == 4 && t->classes == 3 && !t->name && t->value);
    CHECK_STR(t->label[0], "-1");
    CHECK_STR(t->label[1], "9");
    CHECK_STR(t->label[2], "10");
    CHECK(t->class[0] == 2 && t->value[0] == 10 && t->value[2] == -1);
    table_free(t);
    t = parse("10,1\n9,2\n-1,3\n10,4\n", "1", "9, -1");
    REQUIRE(t != NULL);
    CHECK(t->rows == 2 && t->classes == 2 && t->x[0] == 2 && t->x[1] == 3);
    table_free(t);
    t = parse("1,2\n3,4", NULL, NULL);
    REQUIRE(t != NULL);
    CHECK(t->cols == 2 && !t->class && t->classes == 0);
    table_free(t);
}

static void test_quotes(void) {
    table *t =
        parse("\xef\xbb\xbf\"a,\"\"b\"\"\",\"c\nd\"\n\"1\",\"x\"\"y\"\n2,\"x,y\"\n", "last", NULL);
    REQUIRE(t != NULL);
    CHECK_STR(t->name[0], "a,\"b\"");
    CHECK_STR(t->target, "c\nd");
    CHECK_STR(t->label[0], "x\"y");
    CHECK_STR(t->label[1], "x,y");
    table_free(t);
}

static void test_bad_csv_is_refused(void) {
    static const struct {
        const char *text, *target, *error;
    } rows[] = {
        {"", NULL, "f: no rows"},
        {"\n \n", NULL, "f: no rows"},
        {"a,b\n", NULL, "f: no rows"},
        {"1,2\n3\n", NULL, "f: line 2: 1 fields, expected 2"},
        {"1,2\n\n3,x\n", NULL, "f: line 3, column 2: \"x\" is no number"},
        {"1,2\n3,1e39\n", NULL, "f: line 2, column 2: \"1e39\" is no number"},
        {"1,2\n3,nan\n", NULL, "f: line 2, column 2: \"nan\" is no number"},
        {"1,\"2\n", NULL, "f: line 1: a quote is not closed"},
        {"1,\"2\"x\n", NULL, "f: line 1: text behind a closing quote"},
        {"1,2\"\n", NULL, "f: line 1: a quote inside a field that does not begin with one"},
        {"1,2\n", "kind", "f: no column is called \"kind\""},
        {"1,2\n", "3", "f: column 3, but there are 2"},
        {"1\n", "1", "f: no column of features"},
        {"1,\n", "2", "f: line 1: no answer in column 2"},
        {"\x1f\x8b\x08", NULL, "f: compressed: run gunzip on it first"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        table *t = NULL;
        err e = {0};
        const table_options opt = {rows[i].target, NULL, NULL};
        const size_t n = strlen(rows[i].text);
        const str bytes = {(const char *)guarded(rows[i].text, n), n};
        CHECK_MSG(table_parse(&t, "f", bytes, &opt, &e) < 0 && !t, "%s", rows[i].text);
        CHECK_STR(e.text, rows[i].error);
    }
}

static const char *file(const char *name, const void *bytes, size_t n) {
    const char *path = test_temp(name);
    CHECK(os_write_file(path, bytes, n, NULL) == RZ_OK);
    return path;
}

static void test_idx_images_and_labels(void) {
    static const char images[] = "\0\0\x08\x03\0\0\0\x03\0\0\0\x01\0\0\0\x02\xff\0\x33\0\0\xff";
    static const char labels[] = "\0\0\x08\x01\0\0\0\x03\x05\x03\x05";
    const char *x = file("x.idx", images, sizeof images - 1);
    const char *y = file("y.idx", labels, sizeof labels - 1);
    table *t = NULL;
    err e = {0};
    table_options opt = {NULL, y, NULL};
    CHECK_MSG(table_open(&t, x, &opt, &e) == RZ_OK, "%s", e.text);
    REQUIRE(t != NULL);
    CHECK(t->rows == 3 && t->cols == 2 && t->classes == 2);
    CHECK(t->x[0] == 1 && t->x[1] == 0 && t->x[2] == 0.2f && t->x[5] == 1);
    CHECK_STR(t->label[0], "3");
    CHECK(t->class[0] == 1 && t->class[1] == 0 && t->value[0] == 5);
    table_free(t);
    opt.keep = "3";
    CHECK(table_open(&t, x, &opt, &e) == RZ_OK && t->rows == 1);
    table_free(t);
    t = NULL;
    opt = (table_options){NULL, x, NULL};
    CHECK(table_open(&t, x, &opt, &e) == RZ_EFORMAT && strstr(e.text, "3 labels of 2 numbers"));
    for (size_t n = 4; n < sizeof images - 1; n++) {
        opt = (table_options){NULL, NULL, NULL};
        const str cut = {(const char *)guarded(images, n), n};
        CHECK_MSG(table_parse(&t, "f", cut, &opt, &e) == RZ_EFORMAT && !t, "%zu bytes", n);
    }
}

static void test_idx_numbers_of_every_type(void) {
    static const struct {
        const char *bytes;
        size_t n;
        float want;
    } rows[] = {{"\0\0\x09\1\0\0\0\1\xfe", 9, -2},
                {"\0\0\x0b\1\0\0\0\1\xff\0", 10, -256},
                {"\0\0\x0c\1\0\0\0\1\xff\xff\xff\xfb", 12, -5},
                {"\0\0\x0d\1\0\0\0\1\x3f\xc0\0\0", 12, 1.5f},
                {"\0\0\x0e\1\0\0\0\1\x3f\xf8\0\0\0\0\0\0", 16, 1.5f}};
    const table_options opt = {NULL, NULL, NULL};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        table *t = NULL;
        CHECK(table_parse(&t, "f", (str){rows[i].bytes, rows[i].n}, &opt, NULL) == RZ_OK);
        REQUIRE(t != NULL);
        CHECK_MSG(t->x[0] == rows[i].want, "row %zu: %g", i, (double)t->x[0]);
        table_free(t);
    }
    table *t = NULL;
    err e = {0};
    CHECK(table_parse(&t, "f", (str){"\0\0\x0d\1\0\0\0\1\x7f\x80\0\0", 12}, &opt, &e) < 0);
    CHECK_STR(e.text, "f: row 0, number 0 is not finite");
    CHECK(table_parse(&t, "f",
                      (str){"\0\0\x08\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16}, &opt,
                      &e) == RZ_EFORMAT);
}

static void test_splitting_keeps_shares_and_rows(void) {
    buf b = BUF_INIT;
    for (int i = 0; i < 100; i++) buf_printf(&b, "%d,%s\n", i, i % 4 ? "b" : "a");
    table *t = parse(buf_cstr(&b), "2", NULL), *train = NULL, *test = NULL, *again[2];
    REQUIRE(t != NULL);
    REQUIRE(table_split(t, 0.2, 7, &train, &test, NULL) == RZ_OK);
    CHECK(train->rows == 80 && test->rows == 20 && test->classes == 2 && test->cols == 1);
    size_t a = 0;
    bool seen[100] = {false};
    for (size_t i = 0; i < 100; i++) {
        const table *from = i < 80 ? train : test;
        const size_t row = i < 80 ? i : i - 80;
        const int v = (int)from->x[row];
        CHECK(!seen[v] && from->class[row] == (v % 4 != 0));
        if (row) CHECK(from->x[row] > from->x[row - 1]);
        seen[v] = true;
        a += i >= 80 && v % 4 == 0;
    }
    CHECK(a == 5);
    REQUIRE(table_split(t, 0.2, 7, &again[0], &again[1], NULL) == RZ_OK);
    CHECK(memcmp(again[1]->x, test->x, 20 * sizeof(float)) == 0);
    table_free(again[0]);
    table_free(again[1]);
    REQUIRE(table_split(t, 0.2, 8, &again[0], &again[1], NULL) == RZ_OK);
    CHECK(memcmp(again[1]->x, test->x, 20 * sizeof(float)) != 0);
    table_free(again[0]);
    table_free(again[1]);
    err e = {0};
    CHECK(table_split(t, 1, 7, &again[0], &again[1], &e) == RZ_EINVAL);
    table_free(t);
    table_free(train);
    table_free(test);
    buf_free(&b);
}

static void test_memory_may_run_out(void) {
    const str text = STR_LIT("a,b\n1,x\n2,\"y\"\"z\"\n3,x\n4,\"y\"\"z\"\n");
    const table_options opt = {"b", NULL, NULL};
    for (long n = 1; n < 200; n++) {
        table *t = NULL, *train = NULL, *test = NULL;
        mem_fail_at(n);
        status s = table_parse(&t, "f", text, &opt, NULL);
        if (s == RZ_OK) s = table_split(t, 0.5, 1, &train, &test, NULL);
        const bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK_MSG(s == (hit ? RZ_ENOMEM : RZ_OK), "allocation %ld: %d", n, s);
        table_free(t);
        table_free(train);
        table_free(test);
        if (!hit) break;
    }
}

void suite_table(void) {
    RUN(test_columns_and_answers);
    RUN(test_answers_that_are_numbers_are_in_their_order);
    RUN(test_quotes);
    RUN(test_bad_csv_is_refused);
    RUN(test_idx_images_and_labels);
    RUN(test_idx_numbers_of_every_type);
    RUN(test_splitting_keeps_shares_and_rows);
    RUN(test_memory_may_run_out);
}
