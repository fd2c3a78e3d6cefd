/* parse_error.c - see parse_error.h. */
#include "json/parse_error.h"

#include <stdarg.h>
#include <stdio.h>

status parse_error(const char *format, const char *start, const char *at, err *e, const char *fmt,
                   ...) {
    size_t line = 1, column = 1;
    for (const char *c = start; c < at; c++) {
        if (*c == '\n') line++, column = 1;
        else if (((unsigned char)*c & 0xC0) != 0x80) column++; /* no continuation byte */
    }
    char what[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return err_set(e, RZ_EFORMAT, "%s line %zu, column %zu: %s", format, line, column, what);
}

status parse_no_memory(const char *format, size_t n, err *e) {
    return err_set(e, RZ_ENOMEM, "%s: out of memory for a tree of %zu bytes of text", format, n);
}
