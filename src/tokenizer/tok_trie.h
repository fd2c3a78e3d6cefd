/* tok_trie.h - all tokens that begin a text, in one walk over it.
 *
 * A double array: the child of node s by byte c is base[s] ^ c, if that node says that s is its
 * parent. One read per byte of text. */
#ifndef TOKENIZER_TOK_TRIE_H
#define TOKENIZER_TOK_TRIE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define TRIE_NONE UINT32_MAX

typedef struct trie_node {
    uint32_t base, parent; /* parent TRIE_NONE: not in use; the root is its own parent */
    uint32_t id;           /* of the key that ends here, or TRIE_NONE */
} trie_node;

typedef struct tok_trie {
    const trie_node *node; /* [n], n a multiple of 256; node 0 is the root */
    size_t n;
} tok_trie;

typedef struct trie_key {
    str text;
    uint32_t id;
} trie_key;

/* Build from keys, in `mem`; `key` is sorted on the way. Of equal keys the lowest id counts, empty
 * ones are left out. false: out of memory. */
bool tok_trie_build(tok_trie *t, trie_key *key, size_t n, arena *mem);

/* Its part of a compact file. */
struct rzv;
status tok_trie_rzv(struct rzv *a, tok_trie *t);

/* The child by byte c, or TRIE_NONE. `node` is one of the trie's. */
static inline uint32_t tok_trie_step(const tok_trie *t, uint32_t node, unsigned char c) {
    const uint32_t to = t->node[node].base ^ c;
    return t->node[to].parent == node && to ? to : TRIE_NONE;
}
/* The node that all of `s` leads to from `node`, or TRIE_NONE (also for `node` TRIE_NONE). */
uint32_t tok_trie_walk(const tok_trie *t, uint32_t node, str s);
/* The id of a whole key, or TRIE_NONE. */
uint32_t tok_trie_find(const tok_trie *t, str s);

#endif
