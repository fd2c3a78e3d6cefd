/* importance.h - what goes into each matrix of a model while it runs: mean squares by column. */
#ifndef MODEL_IMPORTANCE_H
#define MODEL_IMPORTANCE_H

#include "format/imatrix.h"
#include "model/model.h"

typedef struct importance importance;

/* For a model from a GGUF file, whose names the result uses. The model must outlive it. */
status importance_new(importance **out, const model *m, err *e);
void importance_free(importance *x);
/* An ops_tap with the importance as `ud`: adds the rows of one product's input. */
void importance_tap(void *ud, const weight *w, const float *x, size_t stride, uint32_t T);

/* Every matrix that saw input, in the order of the file; the experts of a stack are matrices of one
 * entry. RZ_EFORMAT names one whose inputs were not finite. Borrowed. */
status importance_sums(importance *x, const imatrix_sums **out, size_t *n, err *e);

#endif
