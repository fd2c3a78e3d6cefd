/* convert_plan.h - which tensors a converted file has, and where their values come from. */
#ifndef MODEL_CONVERT_PLAN_H
#define MODEL_CONVERT_PLAN_H

#include "model/convert.h"

/* What the names of tensors become. */
typedef enum convert_names { CONVERT_KEEP, CONVERT_TO_GGUF, CONVERT_TO_FOLDER } convert_names;

/* One tensor of the result. */
typedef struct convert_tensor {
    tensor_info to;                 /* data: its values, when they are few; else NULL */
    const tensor_info *const *from; /* [n_from] its matrices, all alike */
    uint32_t n_from;
    uint64_t first_row; /* of from[0], where it is a part of that */
    uint32_t head;      /* rows of a head, when those go in another order; else 0 */
    pool *workers;
    bool pairs; /* and the order is that of neighbouring pairs */
} convert_tensor;

typedef struct convert_plan {
    const model *m;
    convert_names names;
    bool gguf;            /* the result is a GGUF file */
    const quant_mix *mix; /* of a GGUF file, or NULL */
    quant_type type;      /* of a folder's matrices, or QUANT_TYPE_COUNT */
    mix_model rules;
    convert_tensor *tensor;
    size_t n;
    arena mem;
} convert_plan;

/* Decide about every tensor of an open model. The plan begins with m, names and gguf set; its
 * memory is freed by convert_plan_free, also on failure. `factors`: with rope_freqs.weight. */
status convert_plan_make(convert_plan *p, const char *type, bool factors, pool *workers, err *e);
void convert_plan_free(convert_plan *p);

/* A tensor_rows_fn for a convert_tensor. */
status convert_rows(void *ud, uint64_t first, uint64_t n, void *out, err *e);

#endif
