/* grow.h - decision trees grown from rows, by the best split of every node (CART). */
#ifndef CLASSIC_GROW_H
#define CLASSIC_GROW_H

#include "classic/table.h"
#include "base/err.h"
#include "classic/tree.h"

typedef struct grow_sort {
    float v;
    uint32_t row;
} grow_sort;

typedef struct grower {
    /* What is learned: classes (by the Gini impurity; leaves hold their shares), or values (by
     * squares; leaves hold sum of value / sum of weight). */
    const table *t;
    const uint32_t *class; /* [rows] or NULL */
    size_t classes;
    const double *value;  /* [rows] or NULL */
    const double *weight; /* [rows] of leaf values alone, or NULL: all 1 */
    double leaf_scale;    /* of leaf values */
    size_t most_depth;
    size_t features; /* tried at a node, at random; all of them when 0 */
    uint64_t rng;

    /* Working memory, made by grow_begin. */
    grow_sort *sort;                 /* [2 * rows] */
    uint32_t *row, *spare, *feature; /* [rows], [rows], [cols] */
    double *left, *right;            /* [classes] */
    buf node, leaf;
} grower;

status grow_begin(grower *g, err *e);
void grow_done(grower *g);
/* One tree from the n rows in g->row (which are reordered; a row may be there twice), appended to
 * *out as a payload has it. */
status grow_tree(grower *g, size_t n, buf *out, err *e);
/* What the tree last grown, of values, says of row x. */
float grow_ask(const grower *g, const float *x);

#endif
