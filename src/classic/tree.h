/* tree.h - one decision tree, as it is asked, grown and written. */
#ifndef CLASSIC_TREE_H
#define CLASSIC_TREE_H

#include "base/buf.h"

#define TREE_LEAF 0xffffffffu

typedef struct tree_node {
    uint32_t feature;     /* or TREE_LEAF */
    float threshold;      /* left when the feature is at most this */
    uint32_t left, right; /* nodes; of a leaf, left is its number */
} tree_node;

typedef struct tree {
    tree_node *node; /* [n], children behind their parent */
    size_t n;
    float *leaf; /* [n_value], each leaf's numbers together */
    size_t n_value;
} tree;

/* As a payload has it, see classic_tree.c. */
void tree_write(const tree *t, buf *out);

#endif
