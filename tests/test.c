/* test.c - runs the suites of suite_list.h and counts.
 *
 *   test [--quick] [--threaded] [--figures] [suite ...]
 *
 * --quick leaves out of the tests what takes seconds, --threaded the suites of one thread.
 * --figures prints what tests measured, not only whether it was near enough.
 * The last line is "N passed, N failed, N skipped"; the exit code is 1 when anything failed. */
#include "test.h"

#include <math.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name;
    void (*fn)(void);
} suites[] = {
#define ROW(name) {#name, suite_##name},
    SUITE_LIST(ROW)};

static int n_passed, n_failed, n_skipped;
static const char *const of_one_thread[] = {SUITES_OF_ONE_THREAD};
static bool failed, skipped, quick, threaded, figures;
static const char *running;
static char temp_dir[64];

void test_fail(const char *file, int line, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    printf("%s:%d: %s: ", file, line, running);
    vprintf(fmt, args);
    printf("\n");
    va_end(args);
    failed = true;
}

void test_skip(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    printf("skipped %s: ", running);
    vprintf(fmt, args);
    printf("\n");
    va_end(args);
    skipped = true;
}

void test_figure(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    if (figures) vprintf(fmt, args), printf("\n");
    va_end(args);
}

void test_check_str(const char *file, int line, const char *a, const char *b) {
    if (!a || !b || strcmp(a, b) != 0)
        test_fail(file, line, "\"%s\" is not \"%s\"", a ? a : "(null)", b ? b : "(null)");
}

void test_run(const char *name, void (*fn)(void)) {
    running = name;
    failed = skipped = false;
    fn();
    if (failed) n_failed++;
    else if (skipped) n_skipped++;
    else n_passed++;
    fflush(stdout);
}

bool test_thorough(void) { return !quick; }

static char *rotating(void) {
    static char paths[8][1024];
    static int turn;
    return paths[turn++ % 8];
}

const char *test_shared(const char *relative) {
    const char *root = getenv("REALIZAR_SHARED");
    char *path = rotating();
    snprintf(path, 1024, "%s/%s", root ? root : "../shared", relative);
    return access(path, R_OK) == 0 ? path : NULL;
}

double test_most_off(const float *got, const float *want, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const double off = fabs((double)got[i] - (double)want[i]);
        if (isnan(off)) return INFINITY;
        if (off > most) most = off;
    }
    return most;
}

void *test_read_file(const char *path, size_t *len) {
    FILE *f = path ? fopen(path, "rb") : NULL;
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    const long size = ftell(f);
    rewind(f);
    char *p = malloc((size_t)size + 1);
    if (p && fread(p, 1, (size_t)size, f) == (size_t)size) {
        p[size] = 0;
        *len = (size_t)size;
    } else {
        free(p);
        p = NULL;
    }
    fclose(f);
    return p;
}

const char *test_temp(const char *name) {
    if (!temp_dir[0]) {
        strcpy(temp_dir, "/tmp/realizar-test-XXXXXX");
        if (!mkdtemp(temp_dir)) {
            perror("mkdtemp");
            exit(1);
        }
    }
    char *path = rotating();
    snprintf(path, 1024, "%s/%s", temp_dir, name);
    return path;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)kind, (void)at;
    remove(path);
    return 0;
}

static void remove_temp(void) {
    if (temp_dir[0]) nftw(temp_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool wanted(const char *name, int argc, char **argv) {
    bool any = false;
    for (size_t i = 0; threaded && i < sizeof of_one_thread / sizeof *of_one_thread; i++)
        if (strcmp(of_one_thread[i], name) == 0) return false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-') continue;
        any = true;
        if (strcmp(argv[i], name) == 0) return true;
    }
    return !any;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        quick |= strcmp(argv[i], "--quick") == 0;
        threaded |= strcmp(argv[i], "--threaded") == 0;
        figures |= strcmp(argv[i], "--figures") == 0;
        if (strcmp(argv[i], "--help") == 0) {
            printf("usage: test [--quick] [--threaded] [--figures] [suite ...]; suites:");
            for (size_t k = 0; k < sizeof suites / sizeof *suites; k++)
                printf(" %s", suites[k].name);
            printf("\n");
            return 0;
        }
    }
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        if (!wanted(suites[i].name, argc, argv)) continue;
        const int before = n_passed, bad = n_failed;
        const double start = seconds();
        suites[i].fn();
        printf("%-17s %4d ok %6.1f s%s\n", suites[i].name, n_passed - before, seconds() - start,
               n_failed > bad ? "   FAILED" : "");
    }
    remove_temp();
    printf("%d passed, %d failed, %d skipped\n", n_passed, n_failed, n_skipped);
    return n_failed ? 1 : 0;
}
