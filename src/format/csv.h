/* csv.h - comma-separated values (RFC 4180), record by record. */
#ifndef FORMAT_CSV_H
#define FORMAT_CSV_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { CSV_MAX_FIELDS = 1 << 20 };

typedef struct csv {
    str rest;    /* what is not read yet */
    size_t line; /* lines begun so far */
    arena *mem;  /* of fields with quotes inside quotes */
    str *field;  /* [n] of the record last read */
    size_t n, cap;
    size_t at; /* the line it begins on */
} csv;

/* `text` must outlive it. A byte order mark in front is left out. */
csv csv_begin(str text, arena *mem);
void csv_done(csv *c);
/* The next record that is not an empty line; *more is false behind the last. Fields are as written,
 * without their quotes, and stay valid. RZ_EFORMAT names the line. */
status csv_next(csv *c, bool *more, err *e);

#endif
