/* test.h - what a test file sees of the runner.
 *
 * A suite is a function `void suite_<name>(void)` in tests/test_<name>.c with a row in
 * suite_list.h. It calls RUN(test_function) for each test. CHECK goes on after a failure, REQUIRE
 * leaves the test. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "suite_list.h"

#define DECLARE(name) void suite_##name(void);
SUITE_LIST(DECLARE)
#undef DECLARE

void test_run(const char *name, void (*fn)(void));
void test_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The running test cannot say anything here; counted, and printed with its reason. */
void test_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A line for --figures: what was measured. */
void test_figure(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define RUN(fn) test_run(#fn, fn)
#define CHECK(cond)                                              \
    do {                                                         \
        if (!(cond)) test_fail(__FILE__, __LINE__, "%s", #cond); \
    } while (0)
#define REQUIRE(cond)                                   \
    do {                                                \
        if (!(cond)) {                                  \
            test_fail(__FILE__, __LINE__, "%s", #cond); \
            return;                                     \
        }                                               \
    } while (0)
/* A condition with the values that broke it: CHECK_MSG(a == b, "a is %d, b %d", a, b). */
#define CHECK_MSG(cond, ...)                                     \
    do {                                                         \
        if (!(cond)) test_fail(__FILE__, __LINE__, __VA_ARGS__); \
    } while (0)
#define CHECK_STR(a, b) test_check_str(__FILE__, __LINE__, (a), (b))
void test_check_str(const char *file, int line, const char *a, const char *b);

/* false under --quick: leave out what takes seconds. */
bool test_thorough(void);
/* Path of a file of the shared data ($REALIZAR_SHARED, else ../shared), or NULL when it is not
 * there. Good until the next few calls. */
const char *test_shared(const char *relative);
/* The largest absolute difference of n pairs; infinity when one is not a number. */
double test_most_off(const float *got, const float *want, size_t n);

/* A whole file in memory, NULL when it cannot be read; free() it. */
void *test_read_file(const char *path, size_t *len);
/* A fresh path for a file a test writes, in a folder removed at the end. Good until the next few
 * calls. */
const char *test_temp(const char *name);

#endif
