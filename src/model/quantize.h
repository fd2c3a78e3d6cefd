/* quantize.h - a model in another type: a file into a file, or weights when a model is opened. */
#ifndef MODEL_QUANTIZE_H
#define MODEL_QUANTIZE_H

#include "base/pool.h"
#include "format/imatrix.h"
#include "model/model.h"
#include "model/quant_mix.h"

/* One --keep: tensors whose name fits `pattern`, in which * stands for any text. */
typedef struct quant_keep {
    str pattern;
    quant_type type;
} quant_keep;

typedef struct quant_request {
    const char *name;                         /* of a mix, or of a type that can be written */
    const imatrix *importance;                /* or NULL */
    const char *importance_path;              /* for the file's metadata; with importance */
    bool pure;                                /* one type for everything */
    bool again;                               /* quantized tensors too */
    const char *output_type, *embedding_type; /* or NULL */
    const quant_keep *keep;                   /* the first that fits counts */
    size_t n_keep;
} quant_request;

/* What becomes of one tensor. */
typedef struct quant_row {
    const tensor_info *from;
    tensor_info to;                  /* data NULL: to be made */
    bool fell_back;                  /* its rows did not fit the type that was wanted */
    const imatrix_entry *importance; /* or NULL */
} quant_row;

typedef struct quant_plan {
    const tensor_file *file;
    uint32_t file_type;
    quant_row *row; /* [n], in the order of the file */
    size_t n;
    arena mem;
} quant_plan;

/* Decide about every tensor of a GGUF file, which must outlive the plan, as must what the request
 * points to. Errors name what cannot be done: an unknown name, quantized tensors without `again`,
 * types that need an importance matrix, a matrix of another size, patterns that fit nothing. */
status quant_plan_make(quant_plan *p, const tensor_file *f, const quant_request *r, err *e);
void quant_plan_free(quant_plan *p);

/* Called with bytes of the file written so far; non-zero stops. */
typedef int quant_progress_fn(void *ud, uint64_t done, uint64_t total);

/* Make the file: metadata as it was but for the file type, tensors as planned, a few MiB of one
 * tensor at a time. The bytes do not depend on the number of threads. The file appears whole or not
 * at all. */
status quant_plan_write(const quant_plan *p, const quant_request *r, const char *path,
                        pool *workers, quant_progress_fn *progress, void *ud, err *e);

/* Turn rows first .. first + n - 1 of float or quantized values (row_bytes each at `data`, `cols`
 * values) into rows of `type` at `out`. weight_of[cols] or NULL is their importance. RZ_EFORMAT
 * names the first row with a value that is not finite. */
typedef struct quant_rows {
    str name; /* for errors */
    const uint8_t *data;
    quant_type from, to;
    uint64_t cols, rows_each; /* rows of one matrix; importance has cols values for each matrix */
    const float *importance;
} quant_rows;
status quant_rows_make(const quant_rows *x, uint64_t first, uint64_t n, void *out, pool *workers,
                       err *e);

/* Keys that are about a file as it was, not about the model. */
bool quant_replaces_key(str key);
/* Rules about the tensors of an open model, whatever kind of file it came from: mix_model_read for
 * any (false: no memory), and the name that GGUF has for what a slot holds (false: none known). */
bool quant_rules(mix_model *out, const model *m, arena *mem);
struct tensor_slot;
bool quant_rule_name(const struct tensor_slot *table, const struct tensor_slot *s, const layer *l,
                     char *out, size_t cap);

/* Turn the float matrices of an open model into blocks of a mix or type; what a file of that name
 * would keep stays as it is. The blocks lie in the model's memory. `progress` counts bytes read. */
status model_quantize(model *m, const char *name, pool *workers, quant_progress_fn *progress,
                      void *ud, err *e);

#endif
