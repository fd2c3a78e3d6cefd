/* log.c - formats a line and hands it to whoever listens; standard error by default. Also the only
 * mutable global of the library besides the chosen kernels. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const level_name[] = {"error", "warn", "info", "debug"};

static void to_stderr(void *ud, rz_level level, const char *line) {
    (void)ud;
    char text[1100]; /* one write, so lines of several threads do not mix */
    const int n = snprintf(text, sizeof text, "realizar: %s: %s\n", level_name[level], line);
    const size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    if (write(STDERR_FILENO, text, len) < 0) return; /* nobody left to tell */
}

static struct {
    rz_log_fn *fn;
    void *ud;
    rz_level max;
    bool chosen; /* max was set by rz_log_set, not by the environment */
} sink = {to_stderr, NULL, RZ_LOG_WARN, false};

static rz_level env_level(void) {
    const char *want = getenv("RZ_LOG");
    for (int i = 0; want && i < 4; i++)
        if (strcmp(want, level_name[i]) == 0) return (rz_level)i;
    return RZ_LOG_WARN;
}

void rz_log_set(rz_log_fn *fn, void *ud, rz_level max) {
    sink.fn = fn ? fn : to_stderr;
    sink.ud = ud;
    sink.max = max;
    sink.chosen = true;
}

bool log_wants(rz_level level) { return level <= (sink.chosen ? sink.max : env_level()); }

void log_line(rz_level level, const char *fmt, ...) {
    if (!log_wants(level)) return;
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    sink.fn(sink.ud, level, text);
}
