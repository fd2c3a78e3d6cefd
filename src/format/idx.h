/* idx.h - IDX files, as MNIST and its kin are published: an array of numbers with its shape.
 *
 *   u8 0, u8 0, u8 type, u8 dimensions, u32 each dimension, the numbers: all big-endian
 *   types: 08 u8, 09 i8, 0b i16, 0c i32, 0d f32, 0e f64 */
#ifndef FORMAT_IDX_H
#define FORMAT_IDX_H

#include "base/err.h"
#include "base/str.h"

typedef struct idx {
    uint8_t type;
    size_t rows, cols;   /* the first dimension; the product of the others, 1 when there are none */
    const uint8_t *data; /* [rows][cols], a view into the file */
} idx;

bool idx_is(str bytes);
/* The bytes must be exactly those of the array. The error begins with `path`. */
status idx_parse(idx *out, const char *path, str bytes, err *e);
/* Number i of the array; not finite only when its type is a float's. */
double idx_at(const idx *x, size_t i);

#endif
