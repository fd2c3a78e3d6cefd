/* table.h - numbers in rows, from CSV or IDX files: what models are fitted to and asked about. */
#ifndef CLASSIC_TABLE_H
#define CLASSIC_TABLE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* The answers that go with the rows, in two forms: as classes, and as values when all are numbers.
 * Classes are in order of their numbers, or else of their bytes. */
typedef struct table {
    size_t rows, cols;
    float *x;           /* [rows][cols] */
    bool one_unit;      /* all columns mean the same kind of thing, as pixels do: IDX */
    const char **name;  /* [cols] of the header, or NULL */
    uint32_t *class;    /* [rows], NULL: no answers */
    float *value;       /* [rows], NULL: no answers, or not all are numbers */
    const char **label; /* [classes] */
    size_t classes;
    const char *target; /* the name of the answers' column, "" when it has none */
    arena mem;
} table;

typedef struct table_options {
    const char *target; /* CSV: the answers' column by name or by number from 1; "last"; or NULL */
    const char *labels; /* IDX: the file of the answers, or NULL */
    const char *keep;   /* "0,1": only rows with these answers; or NULL */
} table_options;

/* By the first bytes: IDX, else CSV. `name` is for error texts. A first line of which a field is no
 * number, the answers' column aside, names the columns. Bytes of IDX files become 0 .. 1. */
status table_parse(table **out, const char *name, str bytes, const table_options *opt, err *e);
status table_open(table **out, const char *path, const table_options *opt, err *e);
void table_free(table *t);
/* Rows at random into two tables, which share the classes of `t`: `share` of each class, or of all
 * rows when the answers are no classes, rounded, go to *test. */
status table_split(const table *t, double share, uint64_t seed, table **train, table **test,
                   err *e);

#endif
