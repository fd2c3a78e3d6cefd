/* byte_trie.h - the tokens of a vocabulary by their bytes: one memory access per byte finds every
 * token that a text begins with.
 *
 * A double array: the children of a node lie at base ^ byte, all of them in one block of 256, and
 * each says which byte leads to it. No two nodes have the same base, so that byte is all there is
 * to check. Nodes without children have base 0, where no byte leads anywhere. */
#ifndef TOKENIZER_BYTE_TRIE_H
#define TOKENIZER_BYTE_TRIE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* A token's value: its number, or TRIE_NONE where no token ends. TRIE_WHOLE marks tokens that
 * merging never makes; they are only found as a whole. */
enum { TRIE_NONE = (1 << 24) - 1, TRIE_WHOLE = 1 << 22, TRIE_ID = TRIE_WHOLE - 1 };

typedef struct trie_node {
    uint32_t base;
    uint32_t tag; /* value << 8 | byte */
} trie_node;

typedef struct byte_trie {
    trie_node *node; /* [n] */
    size_t n;
    uint32_t root; /* base of the root */
} byte_trie;

/* From texts of which none is empty; of equal ones the first counts. value[i] <= TRIE_WHOLE |
 * TRIE_ID belongs to text[i]. In `mem`. false: out of memory. */
bool byte_trie_build(byte_trie *t, const str *text, const uint32_t *value, size_t n, arena *mem);

/* Its part of a compact file. */
struct rzv;
status byte_trie_rzv(struct rzv *a, byte_trie *t);

/* The node that `byte` leads to from a node with that base, or NULL. */
static inline const trie_node *byte_trie_step(const byte_trie *t, uint32_t base,
                                              unsigned char byte) {
    const trie_node *n = &t->node[base ^ byte];
    return (n->tag & 0xFF) == byte ? n : NULL;
}

/* The node of a whole text, or NULL. */
trie_node *byte_trie_at(const byte_trie *t, str text);
/* Its value, or TRIE_NONE. */
static inline uint32_t byte_trie_find(const byte_trie *t, str text) {
    const trie_node *n = byte_trie_at(t, text);
    return n ? n->tag >> 8 : TRIE_NONE;
}

#endif
