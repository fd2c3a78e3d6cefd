/* err.c - formats the one sentence a failure carries. Lines stay one line whatever the input:
 * control characters that came in through a file name or key are shown as '?'. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void one_line(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
}

status err_set(err *e, status code, const char *fmt, ...) {
    if (!e) return code;
    char text[sizeof e->text]; /* arguments may point into e->text */
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    one_line(text);
    memcpy(e->text, text, sizeof text);
    e->status = code;
    return code;
}

status err_sys(err *e, int errno_value, const char *fmt, ...) {
    if (!e) return RZ_EIO;
    char what[sizeof e->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    char why[128];
    const char *text = strerror_r(errno_value, why, sizeof why);
    return err_set(e, RZ_EIO, "%.360s: %s", what, text);
}

status err_at(err *e, status code, const char *where) {
    if (!e) return code;
    return err_set(e, code, "%.200s: %s", where, e->text);
}
