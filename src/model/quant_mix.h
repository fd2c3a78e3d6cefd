/* quant_mix.h - which type each tensor of a quantized file gets.
 *
 * A mix is a name people download by ("Q4_K_M"): a base type, and rules that give tensors to which
 * errors matter more, or less, another. The choices are those that llama.cpp's names stand for. */
#ifndef MODEL_QUANT_MIX_H
#define MODEL_QUANT_MIX_H

#include "base/arena.h"
#include "base/buf.h"
#include "format/tensor_file.h"

typedef struct quant_mix {
    const char *name;
    uint32_t file_type; /* general.file_type */
    quant_type base;
    bool also; /* another name of a mix that stands before it */
} quant_mix;

/* By name, ASCII case ignored; NULL: none. */
const quant_mix *quant_mix_find(str name);
/* The same; RZ_EINVAL lists the names there are. */
status quant_mix_get(const quant_mix **out, const char *name, err *e);
/* Row i, NULL past the end. */
const quant_mix *quant_mix_at(size_t i);
/* "Q4_K_M, Q4_K_S, ...": for help and errors. */
void quant_mix_names(buf *out);

/* What the rules look at besides a tensor itself. */
typedef struct mix_model {
    uint32_t n_layer, n_expert;
    uint32_t n_gqa;  /* query heads to a key head, 0: no attention */
    uint32_t n_attn; /* tensors with attention values */
    bool falcon;
    bool tied;       /* the embedding is the output too */
    bool importance; /* an importance matrix is at hand */
    /* [n_layer] how many layers before have such a tensor: attn_v, ffn_down. */
    const uint32_t *attn_rank, *ffn_rank;
} mix_model;

/* The same from a GGUF file. Arrays are taken from `mem`. RZ_EFORMAT when keys are missing. */
status mix_model_read(mix_model *m, const tensor_file *f, arena *mem, err *e);

/* One tensor as the rules see it: GGUF name and shape. */
typedef struct mix_tensor {
    str name;
    uint64_t cols, rows; /* rows of all its matrices together */
    bool stacked;        /* more than one matrix */
} mix_tensor;

/* Is this a matrix whose precision can be given up? Not vectors, norms, routers, convolutions,
 * positions and what else is small or delicate. */
bool mix_may_quantize(const mix_tensor *t);
bool mix_is_output(const mix_model *m, str name);
bool mix_is_embedding(str name);
/* The type the mix wants; rows may not fit it. */
quant_type mix_choose(const quant_mix *mix, const mix_model *m, const mix_tensor *t);
/* `wanted`, or the nearest larger type whose blocks rows of `cols` values fill, F16 at last. */
quant_type mix_fitting(quant_type wanted, uint64_t cols);
/* Types of so few bits that they need to know which values matter. */
bool mix_needs_importance(quant_type t);

#endif
