/* ops_route.h - routing of rows to experts (mixture of experts). */
#ifndef KERNELS_OPS_ROUTE_H
#define KERNELS_OPS_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROUTE_MAX_EXPERTS = 1024, ROUTE_MAX_GROUPS = 64 };

typedef struct route_config {
    uint32_t n_expert, n_used;      /* 1 <= n_used <= n_expert <= ROUTE_MAX_EXPERTS */
    bool sigmoid;                   /* scores by sigmoid; else softmax over all experts */
    bool renormalise;               /* weights of the chosen sum to 1 */
    float scale;                    /* on the weights */
    uint32_t n_group, n_group_used; /* 0 or 1: no groups; else n_group divides n_expert */
    bool two_per_group;             /* a group counts its two best; else its best */
} route_config;

/* z[T,E] router logits -> id[T,n_used] experts, w[T,n_used] weights, best first. bias[E] (or NULL)
 * is added to the scores for choosing only. */
void ops_route(const route_config *r, float *z, const float *bias, int32_t *id, float *w,
               uint32_t T);

/* y[row[i], :] += w[i] * x[i, :] for i = 0 .. n-1 in that order. */
void ops_scatter_add(float *y, const float *x, const uint32_t *row, const float *w, uint32_t n,
                     uint32_t D);

#endif
