/* tok_tree.h - a vocabulary as a tree of bytes, laid out for walking all of it: nodes in
 * depth-first order, each with the place behind its subtree. Made when it is first asked for. */
#ifndef TOKENIZER_TOK_TREE_H
#define TOKENIZER_TOK_TREE_H

#include "tokenizer/tok.h"

enum { TOK_TREE_DEPTH = 1024 }; /* longer tokens are left out */

typedef struct tok_tree_node {
    uint32_t end;   /* first node behind this one's subtree */
    int32_t id;     /* the token that ends here, or -1      */
    uint16_t depth; /* of the root's children: 0            */
    uint8_t byte;   /* that leads here                      */
} tok_tree_node;

typedef struct tok_tree {
    tok_tree_node *node; /* [n] */
    uint32_t n;
    int32_t *same; /* [n_id] the next token of the same bytes, or -1 */
    uint32_t n_id; /* ids of the vocabulary */
    int32_t *stop; /* [n_stop] tokens that end a text; they are not in the tree */
    uint32_t n_stop;
    bool single[256]; /* bytes that are tokens by themselves */
    uint32_t n_single;
} tok_tree;

/* Tokens that stand for text: no control tokens, no unknown token, none that end a text. Lives as
 * long as the tokenizer. [any thread] */
status tok_tree_of(const tok_tree **out, const tok *t, err *e);
void tok_tree_free(tok_tree *w);

#endif
