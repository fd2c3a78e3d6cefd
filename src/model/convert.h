/* convert.h - a model from one kind of file to another: checkpoint folders, GGUF files, types.
 *
 * Names go through the tables that bind them (arch.h), read the other way round; numbers through
 * the tables of config.c. What was written is opened and compared before it takes its name, so that
 * a file that says something the other kind cannot say is refused and not bent. */
#ifndef MODEL_CONVERT_H
#define MODEL_CONVERT_H

#include "base/pool.h"
#include "model/quantize.h"

typedef struct convert_request {
    const char *type; /* of matrices: a mix or type for GGUF, F32, F16 or BF16 for folders; NULL:
                         as they are, blocks in folders as F32 */
    bool no_tokenizer;
} convert_request;

typedef struct convert_report {
    uint32_t tensors, changed; /* of those written: in all, in another type than before */
    uint64_t weights, bytes_from, bytes_to;
} convert_report;

/* Make `out` from the open file `f`: a GGUF file when its name ends in .gguf, else a folder, which
 * must not be there yet. It appears whole or not at all and does not depend on the number of
 * threads. RZ_EUNSUPPORTED says what has no form there. */
status convert_write(const tensor_file *f, const char *out, const convert_request *r,
                     convert_report *report, pool *workers, quant_progress_fn *progress, void *ud,
                     err *e);

#endif
