/* config.h - the numbers that define a model, and the shape alphabet every layer speaks.
 *
 *   T rows in this step   D model width        H query heads   G key/value heads   K head size
 *   F feed-forward width  V vocabulary size    L layers        C context           S sequences
 *
 * They come from GGUF metadata ("<arch>.<key>") or from a config.json; a table of config_key rows
 * gives both spellings. */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include "format/tensor_file.h"
#include "kernels/ops.h"
#include "kernels/ops_route.h"

/* Recurrent layers (Mamba). inner 0: the model has none. */
typedef struct ssm_config {
    uint32_t inner, state, conv; /* inner width, state size N, taps of the convolution */
    uint32_t rank;               /* of the step size's projection (Mamba 1) */
    uint32_t heads, groups;      /* Mamba 2 and 3 */
    float dt_min, dt_max;        /* step sizes are clamped to these */
    uint32_t norm_groups;        /* parts of a row that the norm of the result runs over */
    float state_max;             /* Mamba 1: the state is clamped to +- this; 0: it is not */
    /* Mamba 3 */
    uint32_t wide;      /* heads are so many times wider inside the scan */
    uint32_t angles;    /* pairs of B and C that turn */
    bool angles_shared; /* all heads turn by the same, each with its step */
    bool act_input;     /* without convolution u has its activation all the same */
    bool norm_first;    /* the result is normed before its gate */
    float decay_floor;  /* least decay, where decay comes from the token */
    float bc_eps;       /* of the norms of B and C */
} ssm_config;

/* Latent attention (MLA). rank 0: the model has none. */
typedef struct mla_config {
    uint32_t rank;              /* of the latent that keys and values are made of */
    uint32_t q_rank;            /* of the queries' own latent, 0: none */
    uint32_t nope, rope, value; /* of a head: dims of its key without and with rotation, of value */
    bool q_rope_apart;          /* rotated query dims come from the block's input, by q_rope */
} mla_config;

/* Raw values as read; what is derived from them lies in the model. */
typedef struct model_config {
    uint32_t L, D, H, G, K, F, V, C;
    float norm_eps;
    float embed_scale;       /* on the embedding row, normally 1 */
    float residual_scale;    /* on each branch before it is added, normally 1 */
    float logit_scale;       /* on the logits, normally 1 */
    float logit_cap;         /* soft cap on the logits, 0 = none */
    float score_cap;         /* soft cap on attention scores, 0 = none */
    float score_scale;       /* on q.k; 0 = 1 / sqrt(K) */
    uint32_t n_type;         /* kinds of text a token can stand in (BERT) */
    uint32_t window;         /* sliding window, 0 = none */
    uint32_t window_pattern; /* every so many layers see everything */
    bool parallel;           /* both branches of a layer read the same x */
    bool both_ways;          /* a token sees those behind it too: vectors of texts, no next token */
    uint32_t n_rot;          /* rotated dims of a head */
    float rotary_share;      /* n_rot / K where the file says it so, else 0 */
    float rope_base;
    bool yarn_between; /* YaRN's ramp begins and ends between dims unless the file says otherwise */
    act_kind act;
    route_config route; /* n_expert 0: no experts */
    uint32_t F_expert, F_shared;
    uint32_t n_dense;     /* leading layers without experts */
    uint32_t sparse_step; /* experts in every so many layers, as config.json says; else 1 */
    uint32_t n_extra;     /* layers in the file behind the last, for predicting further tokens */
    mla_config mla;
    ssm_config ssm;
} model_config;

/* U32_MOST: of a list with a number for each layer the largest. */
typedef enum key_kind { KEY_U32, KEY_F32, KEY_BOOL, KEY_U32_MOST } key_kind;

/* One number of a configuration. `json` lists spellings separated by '|', members of nested objects
 * by '.'; NULL: has none in that kind of file. null in JSON counts as missing. */
typedef struct config_key {
    const char *gguf, *json;
    key_kind kind;
    bool need;
    size_t offset; /* of the uint32_t, float or bool in the struct being filled */
} config_key;

/* Fill *into from every row of `keys` (ended by a row without names). What is missing and not
 * needed keeps its value; missing, wrong type and out of range name file, key, found, expected. */
status config_read(const tensor_file *f, str arch, const config_key *keys, void *into, err *e);
/* A string by GGUF suffix or JSON path; missing keeps *out. */
status config_str(const tensor_file *f, str arch, const char *gguf, const char *path, str *out,
                  err *e);
/* One number or truth in the same way. */
status config_u32(const tensor_file *f, str arch, const char *gguf, const char *path, uint32_t *out,
                  err *e);
status config_f32(const tensor_file *f, str arch, const char *gguf, const char *path, float *out,
                  err *e);
status config_bool(const tensor_file *f, str arch, const char *gguf, const char *path, bool *out,
                   err *e);

/* The number for one layer, of a key that has one for all or a list. false: there is none. */
bool config_layer_u32(const tensor_file *f, str arch, const char *gguf, uint32_t layer,
                      uint32_t *out);

/* The dimensions common to Transformer families, checked against each other: everything above but
 * V, which comes from the embedding's shape. Fields already set are the family's defaults. */
status config_read_transformer(model_config *c, const tensor_file *f, str arch, err *e);

/* Experts: counts and widths, checked. Fields of c->route already set are the family's defaults. */
status config_read_experts(model_config *c, const tensor_file *f, str arch, err *e);

/* Latent attention: ranks and head sizes, checked. Before config_read_transformer. */
status config_read_latent(mla_config *c, const tensor_file *f, str arch, err *e);

/* Scales that are 1 unless a family says otherwise. */
void config_plain_scales(model_config *c);
/* Are these sizes in range and do they divide each other? */
status config_check_depth(const model_config *c, const tensor_file *f, err *e);
status config_check_experts(const model_config *c, const tensor_file *f, err *e);
status config_check_latent(const mla_config *c, const tensor_file *f, err *e);
status config_check_ssm(const model_config *c, const ssm_config *s, const tensor_file *f, err *e);

/* A model of recurrent layers alone: L D C norm_eps and ssm. */
status config_read_ssm(model_config *c, const tensor_file *f, str arch, err *e);

/* The recurrent layers of a model that has others too: ssm, not checked yet. */
status config_read_ssm_part(model_config *c, const tensor_file *f, str arch, err *e);

/* Rotary frequencies with the file's scaling (none, linear, yarn, llama3, rope_freqs.weight).
 * `base` and n_rot are checked here. */
status config_read_rope(rope_config *r, const model_config *c, const tensor_file *f, str arch,
                        arena *mem, err *e);
/* Where a configuration is written: names are GGUF keys without the architecture in front, or
 * members of config.json, "rope_scaling.factor" inside an object. */
typedef struct config_sink {
    status (*number)(void *ud, const char *name, key_kind kind, const void *v, err *e);
    status (*text)(void *ud, const char *name, const char *v, err *e);
    void *ud;
} config_sink;
/* Every number of the tables above that has a name in that kind of file. */
status config_write(const model_config *c, bool gguf, const config_sink *to, err *e);
/* The scaling of rotary frequencies that the file `f` says, for the other kind of file. Llama 3's
 * ("llama3") is a tensor rope_freqs.weight in GGUF and nothing is written; the other way its
 * parameters are found from the tensor, RZ_EUNSUPPORTED when they cannot be. */
status config_rope_type(const model_config *c, const tensor_file *f, str arch, str *type, err *e);
status config_write_rope(const model_config *c, const tensor_file *f, str arch, bool gguf,
                         const config_sink *to, err *e);

/* Plain frequencies base^(-2i/n_rot), nothing read. */
status config_plain_rope(rope_config *r, uint32_t n_rot, float base, arena *mem, err *e);

#endif
