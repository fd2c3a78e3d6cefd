/* err.h - how everything in the tree reports failure.
 *
 * A function that can fail returns `status` and takes `err *` last (NULL allowed). The place that
 * fails calls err_set() once with a whole sentence: what, where, found, expected. Callers TRY(). */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <realizar.h>

typedef rz_status status;
typedef rz_error err;

/* Write code and sentence to *e (if e) and return the code, so that failing is one statement. */
status err_set(err *e, status code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same with the text of `errno_value` appended after ": ". */
status err_sys(err *e, int errno_value, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "where: " in front of the sentence already in *e: for boundaries that know a file name. */
status err_at(err *e, status code, const char *where);

#define TRY(call)                   \
    do {                            \
        const status try_ = (call); \
        if (try_ < 0) return try_;  \
    } while (0)

#endif
