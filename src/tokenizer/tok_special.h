/* tok_special.h - finding tokens that are written out in a text ("<|im_end|>").
 *
 * Leftmost match first, the longest of those that begin there: what Hugging Face's added tokens and
 * llama.cpp's longest-first search give unless two special tokens overlap in the text. */
#ifndef TOKENIZER_TOK_SPECIAL_H
#define TOKENIZER_TOK_SPECIAL_H

#include "base/err.h"
#include "base/str.h"

typedef struct tok_special_entry {
    str text;
    int32_t id;
    bool always; /* found even when the caller did not ask for special tokens */
} tok_special_entry;

typedef struct tok_special_set {
    tok_special_entry *entry; /* sorted by text */
    size_t n, cap;
    uint32_t first[257]; /* entries whose text begins with byte b: first[b] .. first[b + 1] */
    bool any[2][256];    /* [1]: some entry begins with this byte; [0]: some `always` entry does */
    bool has[2];
    int only[2];    /* the one byte that any[i] has, or -1 */
    size_t longest; /* bytes */
} tok_special_set;

typedef struct tok_special_match {
    size_t at, len;
    int32_t id;
} tok_special_match;

/* Which special tokens to find besides those that are always found. */
typedef struct tok_wanted {
    bool all;
    const int32_t *id; /* [n] these, unless all */
    size_t n;
} tok_wanted;

/* `text` is borrowed; empty texts are ignored. false: out of memory. */
bool tok_special_add(tok_special_set *s, str text, int32_t id, bool always);
/* After the last add, before the first find. */
void tok_special_sort(tok_special_set *s);
void tok_special_free(tok_special_set *s);
/* The longest entry that `text` begins with. */
bool tok_special_at(const tok_special_set *s, str text, tok_special_match *m);
/* The first match at or behind `from`; false when there is none. */
bool tok_special_find(const tok_special_set *s, str text, size_t from, tok_wanted wanted,
                      tok_special_match *m);

#endif
