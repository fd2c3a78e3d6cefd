/* ssm_state.h - the fixed-size memory of recurrent layers: one slot for each running sequence. */
#ifndef RUNTIME_SSM_STATE_H
#define RUNTIME_SSM_STATE_H

#include "base/err.h"

typedef struct ssm_pool {
    float *base;
    uint64_t width; /* floats in a slot; 0: the model has no recurrent layer, slots are NULL */
    uint32_t n_slot, n_free;
    uint32_t *free_slot; /* [n_free] */
} ssm_pool;

status ssm_pool_init(ssm_pool *p, uint64_t width, uint32_t n_slot, err *e);
void ssm_pool_done(ssm_pool *p);
/* A slot of zeros: the state before the first token. There is one for each of n_slot holders. */
float *ssm_take(ssm_pool *p);
void ssm_give(ssm_pool *p, float *slot); /* NULL is fine */

#endif
