/* tok_walk.h - byte pair encoding without merging.
 *
 * What merging a text gives is the only row of tokens in which every two neighbours are what
 * merging their bytes gives: a merge across a border of a row would also happen with only its two
 * neighbours there. So a text is walked from left to right, longest token first; each token is
 * checked against the one before it, and the walk steps back where none fits. Time grows with the
 * length of the text.
 *
 * Whether two tokens may be neighbours follows from how each is made. A token is made from two
 * parts in one way, since merging its bytes is one chain of events; other pairs that spell it never
 * meet. The neighbours' history is played back: at each moment the last part of the left one and
 * the first part of the right one must not have been a pair that merges earlier than the next event
 * on either side. This needs that parts are made before the whole. Most vocabularies keep to that;
 * in Llama 3's a few hundred tokens do not. Those are odd: they are never walked over, and where
 * two of an odd token's parts meet, the piece is left to merging by definition. */
#ifndef TOKENIZER_TOK_WALK_H
#define TOKENIZER_TOK_WALK_H

#include "base/err.h"
#include "tokenizer/tok_merge.h"
#include "tokenizer/byte_trie.h"

enum { WALK_MOST = 1024 }; /* longest piece that is walked; longer ones are merged */

typedef struct tok_walk {
    byte_trie trie;     /* plain tokens; TRIE_WHOLE: odd, or never made by merging */
    uint64_t *split;    /* [n]: left << 43 | right << 22 | order of its merge from 1; 0: not made */
    uint64_t *filter;   /* a bit per hash of a pair: most pairs are told at once not to merge */
    uint32_t shift;     /* of a hash, to the number of its bit */
    merge_table merges; /* the pairs that can meet: one per token, and all of odd ones */
    bool walks;         /* false: pairs out of order, or two tokens of equal bytes; only merges */
    bool whole_first;   /* a text that spells a token is that token, whatever merging says */
} tok_walk;

/* From the bytes of the plain tokens (text[id]; empty: not one of them) and, in ascending rank, the
 * pairs that merge. NULL: any two tokens whose bytes together are a token merge to it, and ids are
 * ranks. Arrays are in `mem`. false: out of memory. */
bool tok_walk_init(tok_walk *w, const str *text, size_t n, const merge_list *merges,
                   bool whole_first, arena *mem);

/* Its part of a compact file. */
status tok_walk_rzv(struct rzv *a, tok_walk *w);

/* The ids of a piece of 1..WALK_MOST bytes. Returns their number, at most len; 0: some byte has no
 * token, or odd tokens are about, and the bytes are to be merged. `known` remembers
 * which tokens may be neighbours: CACHE_PAIRS words, zero at first; or NULL. */
size_t tok_walk_encode(const tok_walk *w, const unsigned char *p, size_t len, uint64_t *known,
                       int32_t *out);

#endif
