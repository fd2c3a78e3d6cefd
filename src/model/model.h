/* model.h - a model in memory: its numbers, its layers, its weights (borrowed from the file). */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "base/arena.h"
#include "format/tensor_file.h"
#include "kernels/ops.h"
#include "kernels/ops_latent.h"
#include "model/config.h"

typedef enum mix_kind {
    MIX_NONE,
    MIX_ATTN,
    MIX_MLA,
    MIX_MAMBA1,
    MIX_MAMBA2,
    MIX_MAMBA3,
    MIX_SHORTCONV,
    MIX_KIND_COUNT
} mix_kind;
typedef enum ffn_kind { FFN_NONE, FFN_DENSE, FFN_MOE, FFN_KIND_COUNT } ffn_kind;

/* One matrix of every expert: w holds shape and type, data[e] expert e's bytes. */
typedef struct expert_stack {
    weight w;
    const uint8_t **data;
} expert_stack;

/* Rotations a model can have at once (local and global attention). */
enum { MODEL_MAX_ROPES = 2 };

/* One layer: a mixer that looks along the sequence, a feed-forward that does not. */
typedef struct layer {
    mix_kind mix;
    ffn_kind ffn;
    uint32_t index;
    uint64_t cache_at[KV_TYPE_COUNT]; /* where its cache begins in a page, in bytes a token */
    uint32_t state_at;                /* where its state begins in a sequence's, in floats */
    uint32_t state_width; /* floats of state; 0: it remembers through the cache, if at all */
    bool parallel;        /* both branches read the same x: x += mix(norm_in x) + ffn(norm_ffn x) */
    norm_weight norm_in, norm_mix_out, norm_ffn, norm_ffn_out; /* gain NULL: absent */
    norm_weight norm_mix_sum, norm_ffn_sum; /* of x, once the branch has been added */
    /* MIX_ATTN */
    weight q, k, v, o;
    const float *q_bias, *k_bias, *v_bias, *o_bias; /* or NULL */
    norm_weight q_norm, k_norm;                     /* over each head, or the whole row */
    bool norm_whole_row;                            /* what q_norm and k_norm run over */
    uint32_t rope; /* which of the model's, MODEL_MAX_ROPES: none */
    attend_config attend;
    /* MIX_MLA: also q, o, rope and of attend H and scale. q has the rows of nope and rope of each
     * head, of nope alone beside q_rope. A norm without gain: none. */
    weight q_down, q_rope; /* no data: q reads t_in; rotated parts are among the rows of q */
    norm_weight q_down_norm;
    weight kv_down, kv_rope; /* to the latent and the shared rotated key */
    norm_weight kv_down_norm;
    head_stack k_up, v_up; /* [rank,nope], turned: from query to latent; [value,rank] */
    /* MIX_MAMBA1, MIX_MAMBA2, MIX_MAMBA3 and (ssm: inner and conv) MIX_SHORTCONV;
     * biases of the projections or NULL */
    ssm_config ssm;
    weight ssm_in_x, ssm_in_z, ssm_dt, ssm_out;
    const float *ssm_in_x_bias, *ssm_in_z_bias, *ssm_dt_in_bias, *ssm_out_bias;
    norm_weight ssm_dt_norm, ssm_B_norm, ssm_C_norm; /* MIX_MAMBA1; gain NULL: none */
    weight ssm_in_C;                                 /* MIX_SHORTCONV; its B is ssm_in_z */
    const float *ssm_in_C_bias;
    weight ssm_x_dt, ssm_x_B, ssm_x_C;     /* MIX_MAMBA1 */
    const float *ssm_conv, *ssm_conv_bias; /* [channels, taps], [channels] or NULL */
    const float *ssm_dt_bias, *ssm_A, *ssm_skip;
    norm_weight ssm_norm; /* MIX_MAMBA2 and 3: of the result */
    /* MIX_MAMBA3; decay without data: ssm_A; widen and narrow without data: one rank */
    weight ssm_lambda, ssm_theta, ssm_decay, ssm_widen, ssm_narrow;
    const float *ssm_lambda_bias, *ssm_theta_bias, *ssm_widen_bias, *ssm_narrow_bias;
    const float *ssm_B_gain, *ssm_C_gain, *ssm_B_bias, *ssm_C_bias; /* [N], [N], [H,N], [H,N] */
    uint32_t F;                                                     /* FFN_DENSE: its width */
    /* FFN_DENSE; gate without data: act(up x) alone */
    weight gate, up, down;
    const float *gate_bias, *up_bias, *down_bias;
    /* FFN_MOE */
    weight router;                /* [E,D] */
    const float *router_bias;     /* [E] added for choosing only, or NULL */
    const float *router_out_bias; /* [E] added to what it says, or NULL */
    expert_stack experts_gate, experts_up, experts_down;
    const float *experts_gate_bias, *experts_up_bias, *experts_down_bias; /* [E,..], or NULL */
    weight shared_gate, shared_up, shared_down; /* an expert everybody uses; no data: none */
    weight shared_switch;                       /* [1,D] its sigmoid gate; no data: always on */
} layer;

typedef struct arch arch;

typedef struct model {
    const tensor_file *file; /* not owned */
    const arch *arch;
    model_config c;
    layer *layer;     /* [L] */
    weight embed;     /* [V,D] */
    weight positions; /* [C,D] learned positions; no data: none */
    weight head;      /* [V,D]; embed again when the file has no output tensor */
    const float *head_bias;
    const float *token_type; /* [types,D] added to embeddings, always the first; or NULL */
    norm_weight norm_embed, norm_out;
    const float *slope;                     /* [H] of ALiBi, or NULL */
    rope_config rope[MODEL_MAX_ROPES];      /* inv_freq NULL: not used */
    rope_config rope_long[MODEL_MAX_ROPES]; /* instead, for texts beyond long_from tokens */
    uint32_t most_heads;                    /* of any layer */
    uint32_t long_from;                     /* 0: there is no such limit */
    bool long_by_length;                    /* every text by its own length, from its first token on
                                            once it has grown beyond; false: all texts alike, by
                                            the context they may grow to */
    uint32_t cache_width;                   /* elements of cache a token takes, all layers */
    uint64_t cache_bytes[KV_TYPE_COUNT];    /* and their bytes in each type */
    bool float_cache;                       /* some layer cannot keep its cache in blocks */
    uint64_t state_width; /* floats of recurrent state a sequence has, all layers */
    bool tied;
    rz_pooling pooling; /* how a text becomes one vector; never AUTO */
    uint64_t n_param, weight_bytes;
    quant_type main_type; /* the type that holds most weight bytes */
    char notes[400];      /* what was assumed, separated by "; " */
    arena mem;
} model;

/* Read configuration and bind every tensor, checking type and shape, before any memory is spent on
 * running. The file must outlive the model. */
status model_open(model **out, const tensor_file *f, err *e);
void model_close(model *m);
/* The cache of one layer as the attention operations want it: layer number 0 of the result. */
kv_slab model_layer_cache(const layer *l, const kv_slab *all);
/* Which rotation a text of n_token tokens has that may grow to `context`. */
bool model_is_long(const model *m, uint32_t context, uint32_t n_token);
/* Say once that something was assumed which the file does not tell. */
__attribute__((format(printf, 2, 3))) void model_note(model *m, const char *format, ...);
/* Largest input width of any product: what a device's scratch must hold. */
uint32_t model_max_cols(const model *m);

#endif
