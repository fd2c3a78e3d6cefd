/* ops_latent.h - multi-head latent attention in its absorbed form (DeepSeek-AI 2024, arXiv
 * 2405.04434): all heads read one latent vector and one rotated key per token.
 *
 * The cache holds a token once: `rank` numbers of latent and `rope` of rotated key. A page of a
 * layer is the latents [KV_PAGE_TOKENS][rank], then the rotated keys [rope][KV_PAGE_TOKENS]. Each
 * operation gives a row the same bits whatever the other rows and the threads are. */
#ifndef KERNELS_OPS_LATENT_H
#define KERNELS_OPS_LATENT_H

#include "kernels/ops.h"

/* One matrix for each head, all of one shape: head h at w.data + h * head_bytes. */
typedef struct head_stack {
    weight w; /* of head 0; first, so that an empty slot has no data */
    uint64_t head_bytes;
} head_stack;

/* Numbers of head h in row t: x + t * row + h * head. */
typedef struct head_rows {
    float *x;
    size_t row, head;
} head_rows;

typedef struct latent_config {
    uint32_t H, rank, rope; /* rank + rope <= LATENT_MAX, rank >= 1 */
    float scale;            /* on q.k */
} latent_config;

enum { LATENT_MAX = 4096 };

/* y[t,h] = w[h] x[t,h] for T rows of H heads; x and y apart. */
void ops_cpu_heads(ops *o, const head_rows *y, const head_rows *x, const head_stack *w, uint32_t H,
                   uint32_t T);
/* y[t,h] = x[t,h], n numbers each. */
void ops_cpu_copy_heads(ops *o, const head_rows *y, const head_rows *x, uint32_t n, uint32_t H,
                        uint32_t T);
/* Store c[T,rank] and k[T,rope] of this step at their positions. kv->base is where the layer begins
 * in page 0. */
void ops_cpu_latent_write(ops *o, const kv_slab *kv, const latent_config *c, const float *latent,
                          const float *k, const row_span *span, uint32_t n_span);
/* out[T,H,rank] = softmax-weighted latents of positions 0 .. a row's own; q[T,H,rank + rope]. */
void ops_cpu_latent_attend(ops *o, float *out, const float *q, const kv_slab *kv,
                           const latent_config *c, const row_span *span, uint32_t n_span);

#endif
