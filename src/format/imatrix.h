/* imatrix.h - importance matrices: how much each input column of each weight matters, measured as
 * the mean square of what went into it.
 *
 * Two forms are read and written, both llama.cpp's. GGUF: for each weight X a tensor X.in_sum2 of
 * sums of squares [columns, matrices] and X.counts [1, matrices], how many rows were added. The
 * older one (".dat", little-endian): i32 number of entries; for each i32 name length, name, i32
 * calls, i32 number of values, f32 values (mean times calls); at the end i32 calls, i32 length and
 * name of the text. */
#ifndef FORMAT_IMATRIX_H
#define FORMAT_IMATRIX_H

#include "format/tensor_file.h"

typedef struct imatrix_entry {
    str name;    /* of the weight */
    size_t n;    /* columns times matrices */
    float *mean; /* [n] finite, >= 0; 1 for matrices that saw no input */
} imatrix_entry;

typedef struct imatrix {
    imatrix_entry *entry;
    size_t n;
    uint32_t chunks; /* pieces of text it was made of, 0 when unknown */
    str dataset;     /* name of the text, or "" */
    map index;
    arena mem;
} imatrix;

status imatrix_open(imatrix **out, const char *path, err *e);
/* The same from memory, which is not needed afterwards. `path` is for error texts. */
status imatrix_parse(imatrix **out, const char *path, const uint8_t *data, size_t len, err *e);
void imatrix_close(imatrix *m);
const imatrix_entry *imatrix_find(const imatrix *m, str name); /* or NULL */

/* What was collected for one weight: sum[n_mat, n_col] of squares over count[n_mat] rows. */
typedef struct imatrix_sums {
    str name;
    uint32_t n_col, n_mat;
    const double *sum;
    const uint64_t *count;
} imatrix_sums;

typedef struct imatrix_source {
    uint32_t chunks, chunk_tokens;
    str dataset;
} imatrix_source;

/* In the order given, atomically. `legacy`: the older form, in which weights that saw no input are
 * left out. */
status imatrix_write(const char *path, bool legacy, const imatrix_sums *x, size_t n,
                     const imatrix_source *from, err *e);

#endif
