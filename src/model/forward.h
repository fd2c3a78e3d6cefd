/* forward.h - one step of the model: the only place where a token meets a layer. */
#ifndef MODEL_FORWARD_H
#define MODEL_FORWARD_H

#include "model/model.h"

/* What runs in this step and the memory it runs in. Rows of one sequence stand together, in order
 * of position; sequences come in any order. */
typedef struct step {
    uint32_t n_row;       /* T */
    const int32_t *id;    /* [T] tokens, all inside the vocabulary */
    const uint32_t *pos;  /* [T] */
    const row_span *span; /* [n_span], covering all rows */
    uint32_t n_span;
    const uint32_t *logit_row; /* [n_logit] rows whose logits somebody wants */
    uint32_t n_logit;
    bool want_states; /* on return x holds the last norm of every row; n_logit is 0 */
    const kv_slab *kv;

    /* Scratch, taken once for max_row rows. */
    uint32_t max_row, max_logit;
    float *x, *t;                   /* [T,D] residual stream, branch being computed */
    float *u;                       /* [T,D] the other branch of parallel layers */
    float *q, *mixed;               /* [T,H*K] */
    float *k, *v;                   /* [T,G*K] */
    float *gate, *up;               /* [T,F] */
    float *cs[MODEL_MAX_ROPES];     /* [T,n_rot] cos and sin of this step's positions */
    float *mla_low, *mla_rope;      /* [T,q_rank], [T,H*rope] */
    float *mla_latent, *mla_key;    /* [T,rank], [T,rope] */
    float *mla_q, *mla_out;         /* [T,H*(rank+rope)], [T,H*rank] */
    float *ssm_x;                   /* [T,channels] what the convolution runs over */
    float *ssm_z, *ssm_y;           /* [T,inner] gate, result */
    float *ssm_dt, *ssm_low;        /* [T,inner or heads], [T,rank] */
    float *ssm_B, *ssm_C;           /* [T,state] */
    float *ssm_lambda, *ssm_decay;  /* [T,heads] */
    float *ssm_theta;               /* [T,angles of all heads] */
    float *ssm_wide, *ssm_wide_y;   /* [T,inner wide] */
    float *moe_logits;              /* [T,E] */
    float *moe_x, *moe_y, *moe_sum; /* [T,D] rows of one expert, its answers, the sum of all */
    int32_t *moe_id;                /* [T,n_used] */
    float *moe_w;                   /* [T,n_used] */
    uint32_t *moe_row;              /* [T] rows that chose the expert at hand */
    float *moe_row_w;               /* [T] their weights */
    float *picked;                  /* [n_logit,D] */
    float *logits;                  /* [n_logit,V] */
    void *memory;
    size_t memory_bytes;
} step;

/* Take scratch for steps of up to max_row rows and max_logit rows of logits. */
status step_init(step *s, const model *m, uint32_t max_row, uint32_t max_logit, err *e);
void step_done(step *s);

/* Run the step. On return s->logits holds [n_logit, V]. Allocates nothing. */
status forward(ops *o, const model *m, step *s, err *e);

/* The blocks forward() calls, one file each. Both read t_in[T,D] and write t_out[T,D], which may be
 * the same buffer. */
typedef void mix_fn(ops *o, const model *m, const layer *l, step *s, float *t_out,
                    const float *t_in);
typedef void ffn_fn(ops *o, const model *m, const layer *l, step *s, float *t_out,
                    const float *t_in);
mix_fn mix_attn, mix_mla, mix_mamba1, mix_mamba2, mix_mamba3, mix_shortconv;
ffn_fn ffn_dense, ffn_moe;

#endif
