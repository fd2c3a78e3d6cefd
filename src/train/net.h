/* net.h - a model that is trained: its weights by oxidizr's names, the loss of a batch and the
 * gradient of that by every weight.
 *
 * A model is a row of parts, each x = x + f(norm(x)): a mixer (attention) or a feed-forward. There
 * is no tape: forward keeps what each part's backward needs, in memory that was measured before,
 * and backward walks the row from its end. Shapes: T = B * S tokens, d wide.
 *
 * Results do not depend on the number of threads: products as gemm.h says, sums over tokens in
 * their order. Gradients are added to what is there in that order too, so parts of a batch one
 * after the other give the bits of the whole (unless the output matrix is the embedding, whose
 * gradient has two sums in turn). */
#ifndef TRAIN_NET_H
#define TRAIN_NET_H

#include "train/gemm.h"
#include "train/train_config.h"

typedef enum part_kind { PART_ATTN, PART_SWIGLU } part_kind;

typedef struct param {
    char name[96];
    size_t at, n;
    uint32_t n_dims;
    uint64_t dim[3]; /* fastest first */
    bool decay;      /* matrices alone */
    float spread;    /* of its random start; 0: begins as ones */
} param;

enum { PART_WEIGHTS = 8 };
typedef struct part {
    part_kind kind;
    size_t norm;             /* where its gain begins among the weights */
    size_t at[PART_WEIGHTS]; /* where its matrices begin */
    size_t saved;            /* numbers it keeps for a token */
} part;

typedef struct net {
    train_model m;
    uint32_t head; /* size of an attention head */
    param *param;
    size_t n_param, n_weights;
    part *part;
    size_t n_part;
    size_t embed, norm, out; /* out is embed when tied */
    real *w, *g;             /* [n_weights] weights, gradients */
} net;

/* RZ_EUNSUPPORTED for layers that cannot be trained yet. */
status net_new(net **out, const train_model *m, err *e);
void net_free(net *n);
/* Random weights that depend on the seed alone. */
void net_init(net *n, uint64_t seed);

/* Memory for batches of B sequences of S tokens. */
typedef struct net_run {
    net *n;
    team team;
    size_t B, S, T;
    real *x;       /* [n_part + 1][T, d] what goes into each part; last: into the last norm */
    real **saved;  /* [n_part] of each part */
    real *norm;    /* [T, d] */
    real *dx, *dy; /* [T, d] gradients: of the row, of what a part's norm gave */
    real *wide;    /* scratch of the part that runs */
    real *row;     /* [T] */
    real *logits;  /* [CHUNK, V] */
    size_t chunk;
    real *turn;            /* [S][head / 2][2] cosines and sines */
    double *loss;          /* [T] */
    const uint32_t *begin; /* of the running batch */
} net_run;

status net_run_new(net_run **out, net *n, pool *workers, size_t B, size_t S, err *e);
void net_run_free(net_run *r);
/* What net_run_new allocates, in bytes. */
size_t net_run_bytes(const net *n, size_t B, size_t S, int threads);

/* A batch: token t of T predicts target[t]; begin[t] is the first token, counted from the start of
 * its sequence, that t may look at: 0, or where its document begins. */
typedef struct net_batch {
    const uint32_t *in, *target, *begin;
} net_batch;

/* Sum over tokens of the negative log-likelihood. With `scale` not 0 the gradient of scale times
 * that is added to n->g. */
double net_loss(net_run *r, const net_batch *b, real scale);
/* out[T, V] */
void net_logits(net_run *r, const net_batch *b, real *out);

/* ---- Parts: n is the normed input; x += f(n); dn = the gradient by n for dy ---- */

typedef struct part_call {
    net_run *r;
    const part *p;
    real *saved; /* [T, p->saved], in arrays as the part likes */
    const real *n;
} part_call;

void attn_forward(const part_call *c, real *x);
void attn_backward(const part_call *c, real *dn, const real *dy);
void swiglu_forward(const part_call *c, real *x);
void swiglu_backward(const part_call *c, real *dn, const real *dy);

#endif
