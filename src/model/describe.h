/* describe.h - a model in words, for people. */
#ifndef MODEL_DESCRIBE_H
#define MODEL_DESCRIBE_H

#include "base/buf.h"
#include "model/model.h"

/* "24 attention + feed-forward", "3 mamba2, 1 latent attention + 4 experts (2 used)" */
void model_describe_layers(const model *m, buf *out);
/* "Q4_K 71.2% (168), Q6_K 25.0% (25), F32 3.8% (113)": share of bytes, number of tensors */
void model_describe_types(const model *m, buf *out);
/* Weights without those of the experts a token does not use. */
uint64_t model_active_params(const model *m);

#endif
