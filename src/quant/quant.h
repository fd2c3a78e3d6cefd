/* quant.h - the block formats weights are stored in: one row of quant_list.h each.
 *
 * A row of `n` values is n / block blocks of `bytes` bytes; n must be a multiple of block. */
#ifndef QUANT_QUANT_H
#define QUANT_QUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "quant/quant_list.h"

/* Values below QUANT_GGML_COUNT are the ggml type ids that GGUF files carry. */
typedef enum quant_type {
#define X(name, id, block, bytes) QUANT_##name = id,
    QUANT_LIST(X)
#undef X
        QUANT_GGML_COUNT = 64,
    QUANT_TYPE_COUNT = 72 /* ids are below this; not every number in between is a type */
} quant_type;

/* All work on one row. n is a multiple of the block. None needs aligned pointers, allocates or
 * fails: any bytes can be read, and any floats written (infinities and NaN give some block, every
 * number of which can be read back). */
typedef void quant_to_float(const void *blocks, float *out, size_t n);
typedef void quant_from_float(const float *in, void *blocks, size_t n);
/* importance[n]: the weight of each value's squared error, >= 0. The result makes the weighted sum
 * small. Weights that are all zero or not finite are taken as absent. */
typedef void quant_from_float_weighted(const float *in, void *blocks, size_t n,
                                       const float *importance);

typedef struct quant_info {
    const char *name;             /* "Q4_0"; NULL for an id that is no type */
    uint32_t block;               /* values in a block */
    uint32_t bytes;               /* bytes of a block  */
    quant_to_float *to_float;     /* NULL: sizes are known, values cannot be read yet */
    quant_from_float *from_float; /* NULL: cannot be written */
    /* NULL: importance changes nothing in this type, use from_float. */
    quant_from_float_weighted *from_float_weighted;
} quant_info;

/* Never NULL; .name is NULL for ids that are no type (also for ids out of range). */
const quant_info *quant_get(uint32_t id);
/* By name, ASCII case ignored. false when there is none. */
bool quant_find(str name, quant_type *out);
/* Bytes of a row of n values; false when n is no multiple of the block or it overflows. */
bool quant_row_bytes(quant_type t, uint64_t n, uint64_t *out);
/* Write a row as well as the type allows: importance[n] may be NULL. false when the type cannot be
 * written; n must be a multiple of the block. */
bool quant_write_row(quant_type t, const float *in, void *blocks, size_t n,
                     const float *importance);

/* IEEE half and bfloat16, to nearest even; NaN stays NaN (made quiet, as processors do). */
float quant_f16_to_f32(uint16_t h);
uint16_t quant_f32_to_f16(float f);
float quant_bf16_to_f32(uint16_t h);
uint16_t quant_f32_to_bf16(float f);
/* The 8-bit floats of OCP 8-bit Floating Point Specification 1.0. E4M3 has no infinities. */
float quant_f8_e4m3_to_f32(uint8_t b);
float quant_f8_e5m2_to_f32(uint8_t b);

#endif
