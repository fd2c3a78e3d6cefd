/* arch.h - what an architecture is: a rule for the configuration and a table of tensors.
 *
 * A family is a file arch_<name>.c with one `const arch` and a row in arch_list.h; everything else
 * (loading from GGUF and checkpoint folders, errors, batching, info) comes from the tables. */
#ifndef MODEL_ARCH_H
#define MODEL_ARCH_H

#include "model/model.h"

/* Sizes in the shape alphabet, resolved by bind.c against model_config. */
typedef enum dim_name {
    DIM_NONE,
    DIM_D,
    DIM_HK,
    DIM_GK,
    DIM_K,
    DIM_H, /* query heads */
    DIM_F,
    DIM_V,
    DIM_C,
    DIM_TYPE, /* kinds of text */
    DIM_E,    /* experts */
    DIM_FE,   /* width of an expert */
    DIM_FS,   /* width of the shared expert */
    DIM_ONE,
    DIM_SI, /* recurrent layers: inner width */
    DIM_SN, /* state size */
    DIM_SK, /* taps of the convolution */
    DIM_SR, /* rank of the step size */
    DIM_SH, /* heads */
    DIM_SA, /* Mamba 3: angles of all heads */
    DIM_SP, /* size of a head */
    DIM_SW, /* of a head inside the scan */
    DIM_SC, /* channels of Mamba 2's convolution: inner + 2 groups x state */
    DIM_MC, /* latent attention: rank of the latent */
    DIM_MQ, /* rank of the queries' latent, or 0 */
    DIM_MX, /* D when queries have no latent, else 0 */
    DIM_MN, /* dims of a head without rotation */
    DIM_MR, /* with rotation */
    DIM_MV, /* of its value */
    DIM_MH, /* of all heads: H (MN + MR) */
    DIM_MP, /* H MN */
    DIM_MT, /* H MR */
    DIM_MO, /* H MV */
    DIM_COUNT
} dim_name;

typedef enum slot_kind {
    SLOT_WEIGHT,  /* a `weight`: out x in, any type the device reads */
    SLOT_NORM,    /* a `norm_weight`: gain of `out` values, eps from the configuration */
    SLOT_CENTER,  /* the same, subtracting the mean */
    SLOT_EXPERTS, /* an `expert_stack`: GGUF stacks [E, out, in], folders number them: '*' in hf */
    SLOT_HEADS,   /* a `head_stack` of H matrices out x in, stored [H, out, in] or as parts say */
    SLOT_FLAT,    /* a `const float *` of out x in values, whatever shape they are stored in */
    SLOT_VECTOR   /* a `const float *`: out values */
} slot_kind;

/* Which rows of a fused tensor a slot takes. */
typedef enum slot_part {
    PART_ALL,
    PART_Q, /* of [q | k | v] */
    PART_K,
    PART_V,
    PART_GATE, /* of [gate | up] */
    PART_UP,
    PART_FIRST, /* of two equal parts */
    PART_SECOND,
    PART_THIRD_1, /* of three equal parts */
    PART_THIRD_2,
    PART_THIRD_3,
    PART_EVEN, /* of two parts row by row in turn */
    PART_ODD,
    PART_SSM_Z, /* of [z | u B C | dt], in Mamba 3 [z | u B C | dt | decay | lambda | angles] */
    PART_SSM_X,
    PART_SSM_DT,
    PART_SSM_DECAY,
    PART_SSM_LAMBDA,
    PART_SSM_ANGLE,
    PART_X_DT, /* of [dt | B | C] */
    PART_X_B,
    PART_X_C,
    PART_LATENT, /* of [latent | rotated key] */
    PART_LATENT_ROPE,
    PART_HEADS_K, /* SLOT_HEADS, turned: for each head [key | value], each with rank columns */
    PART_HEADS_V,
    PART_HEADS_TURNED, /* SLOT_HEADS, turned: stored [H, in, out] */
} slot_part;

/* How a checkpoint folder stores what GGUF has straightened out. */
typedef enum slot_twist {
    TWIST_NONE,
    TWIST_TRANSPOSED,    /* stored [in, out] */
    TWIST_PER_HEAD,      /* fused qkv goes head by head: q, k, v of head 0, then of head 1, ... */
    TWIST_PLUS_ONE,      /* a norm's gain is 1 + what is stored */
    TWIST_MX_SPLIT,      /* experts of MXFP4 as NAME_blocks and NAME_scales, or NAME transposed */
    TWIST_NEG_EXP,       /* -exp(what is stored) */
    TWIST_EXP_NEG,       /* exp(-what is stored) */
    TWIST_NEG_EXP_BOUND, /* -exp(what is stored), from -1e6 to -1e-6 */
} slot_twist;

/* One tensor, or a part of one, of a layer (GGUF name behind "blk.N.", checkpoint name behind the
 * architecture's layer prefix) or of the model (whole name). A name that is NULL: not in that kind
 * of file. A size that is 0 in this model: no such tensor. A member that an earlier row has filled
 * is not asked for again: older and newer names of one thing stand in two rows. */
typedef struct tensor_slot {
    const char *gguf, *hf;
    slot_kind kind;
    size_t offset; /* of the member in `layer` or `model` */
    dim_name out, in;
    bool optional;
    slot_part part;
    slot_twist twist; /* applies to checkpoint folders */
    ffn_kind ffn;     /* only in layers of this kind; FFN_NONE: in all */
    mix_kind mix;     /* only in layers of this kind; MIX_NONE: in all */
} tensor_slot;

struct arch {
    const char *name;       /* general.architecture */
    const char *hf_types;   /* model_type of config.json, several separated by '|'; NULL: none */
    const char *hf_layer;   /* "model.layers.", the number and a dot follow */
    const char *hf_outer;   /* stands in front of every name in some folders, or NULL */
    const char *hf_ignored; /* tensors of other tasks begin so, several separated by '|'; or NULL */
    /* Converting (convert.c): the class config.json names, one for each of hf_types; NULL: the
     * family's numbers have no form in the other kind of file. */
    const char *hf_class;
    bool gguf_pairs; /* GGUF holds q and k for rotation of neighbouring dims, folders of halves */
    /* Fill m->c and whatever of the model is not a tensor. */
    status (*configure)(model *m, str arch_name, err *e);
    /* Decide layer l->index: mixer, feed-forward, rotation, window. Called after configure. */
    void (*layer_kinds)(const model *m, layer *l);
    /* Instead of layer_kinds, where layers have sizes of their own that may be wrong. */
    status (*read_layer)(model *m, layer *l, err *e);
    /* Is this a checkpoint of the family? For folders whose config.json has no model_type, or that
     * have none. NULL: no. */
    bool (*claims)(const tensor_file *f);
    const tensor_slot *model_slot, *layer_slot; /* end with kind of a row without names */
};

/* By the name in a GGUF file, or by config.json's model_type. NULL: none. */
const arch *arch_find(str gguf_name);
const arch *arch_find_hf(str model_type);
/* The one that claims a checkpoint without model_type, or NULL. */
const arch *arch_find_claimed(const tensor_file *f);
/* "llama, qwen2": for error texts. */
const char *arch_names(void);

/* Attention as the configuration says, no window, rotation 0: what most layers want. */
void arch_plain_layer(const model *m, layer *l);

/* configure: sizes and rotation of halves, nothing else. */
status arch_configure_halves(model *m, str name, err *e);

/* Rotary frequencies of m->rope[0]. halves: dims (i, i + n_rot/2) rotate together, else (2i, 2i+1);
 * q and k of llama's descendants are stored for the former in checkpoint folders and turned for the
 * latter in GGUF files, those of most other families are left alone. */
status arch_read_rope(model *m, str name, bool halves, err *e);

/* config_read_transformer and the scales of Granite: of the embedding, the branches and the scores,
 * and what logits are divided by. */
status arch_read_scaled(model *m, str name, err *e);

/* The sizes of Mamba 2 layers beside others; GGUF calls the number of heads time_step_rank. Needs
 * those of the transformer. */
status arch_read_mamba2(model *m, str name, err *e);
/* Make l, whatever it was, such a layer; its feed-forward stays. */
void arch_mamba2_layer(const model *m, layer *l);

/* GGUF gives layers without attention no key heads: has this one any? */
bool arch_has_key_heads(const model *m, uint32_t index);

/* Of layer `index` in the list layer_types of config.json; without one p is NULL. */
str arch_layer_type(const tensor_file *f, uint32_t index);

/* Rows of a layer's matrix, by its names as in a slot; 0 when there is none. */
uint64_t arch_layer_rows(const model *m, uint32_t index, const char *gguf, const char *hf);

/* Is `index` in the list of numbers config.json holds under `key`? */
bool arch_is_listed(const tensor_file *f, const char *key, uint32_t index);

/* layer_kinds of Qwen with experts: a plain layer, with experts unless config.json names it in
 * mlp_only_layers or its number is off decoder_sparse_step. */
void arch_sparse_layer(const model *m, layer *l);

/* Fill every slot of m and its layers. Lists what is missing (first ten) or names the first tensor
 * of wrong type or shape, or that no slot wanted. */
status bind_tensors(model *m, err *e);
/* Does the file have the tensor that a slot of layer l, or of the model (NULL), goes by? */
bool bind_has_slot(const model *m, const tensor_slot *s, const layer *l);

/* A tensor of the file and the slot it is for; of a fused one, the first of its slots. */
typedef struct bound_tensor {
    const tensor_slot *slot; /* NULL: it is no weight */
    const layer *layer;      /* NULL: of the model itself */
    uint32_t expert;         /* of a numbered one */
} bound_tensor;
/* What each tensor of an open model's file is: [m->file->n_tensor], in `mem`. */
status bind_map(const model *m, arena *mem, const bound_tensor **out, err *e);
/* The name of what fills `slot` in a file of the other kind (`gguf`: in a GGUF file) or in this
 * one. false: it has none there. In a folder an expert has its number. */
enum { BIND_NAME_MAX = 256 };
bool bind_name(const model *m, const bound_tensor *t, bool gguf, char out[BIND_NAME_MAX]);

/* How slot rows are written: NEED("gguf", "checkpoint", NORM, L_AT(norm_in), D, NONE) for a whole
 * required tensor, MAYBE for an optional one, ROWS with a part and a twist for what is fused or
 * stored differently, FFN for what only layers with that feed-forward have. */
#define M_AT(member) offsetof(model, member)
#define L_AT(member) offsetof(layer, member)
#define SLOT_ROW(gguf, hf, kind, at, out, in, ...) \
    { gguf, hf, SLOT_##kind, at, DIM_##out, DIM_##in, __VA_ARGS__ }
#define NEED(gguf, hf, kind, at, out, in) \
    SLOT_ROW(gguf, hf, kind, at, out, in, false, PART_ALL, TWIST_NONE, FFN_NONE, MIX_NONE)
#define MAYBE(gguf, hf, kind, at, out, in) \
    SLOT_ROW(gguf, hf, kind, at, out, in, true, PART_ALL, TWIST_NONE, FFN_NONE, MIX_NONE)
#define ROWS(gguf, hf, kind, at, out, in, part, twist) \
    SLOT_ROW(gguf, hf, kind, at, out, in, false, PART_##part, TWIST_##twist, FFN_NONE, MIX_NONE)
#define FFN(which, gguf, hf, kind, at, out, in) \
    SLOT_ROW(gguf, hf, kind, at, out, in, false, PART_ALL, TWIST_NONE, FFN_##which, MIX_NONE)
#define FFN_MAYBE(which, gguf, hf, kind, at, out, in) \
    SLOT_ROW(gguf, hf, kind, at, out, in, true, PART_ALL, TWIST_NONE, FFN_##which, MIX_NONE)
#define SLOT_END \
    SLOT_ROW(NULL, NULL, VECTOR, 0, NONE, NONE, false, PART_ALL, TWIST_NONE, FFN_NONE, MIX_NONE)

#endif
