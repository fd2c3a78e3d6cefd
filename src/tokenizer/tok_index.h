/* tok_index.h - from the bytes of a token, or of any part of a token, to its id, while a vocabulary
 * is opened.
 *
 * The hash of every part of one text follows from the hashes of its beginnings (a polynomial modulo
 * 2^61 - 1 with a random base), so looking at all ways to cut a token in two costs no more than its
 * length, however long a hostile one is. */
#ifndef TOKENIZER_TOK_INDEX_H
#define TOKENIZER_TOK_INDEX_H

#include "base/str.h"

#define TOK_NO_ID UINT32_MAX

typedef struct tok_index {
    const str *text;                /* borrowed: [n] */
    uint64_t base, *power, *prefix; /* [longest + 1] */
    uint64_t *hash;                 /* [mask + 1] */
    uint32_t *id;
    size_t mask, longest;
    str current;
} tok_index;

/* Room for all n texts; none is in it yet. false: out of memory. */
bool tok_index_init(tok_index *x, const str *text, size_t n);
void tok_index_done(tok_index *x);
/* Add text[id]. false: the same text is there already, as *other. Empty texts are left out. */
bool tok_index_add(tok_index *x, uint32_t id, uint32_t *other);
/* The id of a whole text, or TOK_NO_ID. */
uint32_t tok_index_find(const tok_index *x, str s);
/* Make `s` the text whose parts are asked for; at most as long as the longest token. */
void tok_index_begin(tok_index *x, str s);
uint32_t tok_index_part(const tok_index *x, size_t from, size_t to);

#endif
