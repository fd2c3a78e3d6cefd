/* parse_error.h - errors of the parsers in this folder: what format, where, what. */
#ifndef JSON_PARSE_ERROR_H
#define JSON_PARSE_ERROR_H

#include "base/err.h"

/* RZ_EFORMAT, "JSON line 2, column 7: ..."; `at` lies in the text that begins at `start`. Columns
 * count characters. */
status parse_error(const char *format, const char *start, const char *at, err *e, const char *fmt,
                   ...) __attribute__((format(printf, 5, 6)));
/* RZ_ENOMEM for a text of n bytes. */
status parse_no_memory(const char *format, size_t n, err *e);

#endif
