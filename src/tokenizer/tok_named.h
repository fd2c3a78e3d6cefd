/* tok_named.h - what the files of well-known vocabularies leave out: how text is split, and which
 * special tokens there are. */
#ifndef TOKENIZER_TOK_NAMED_H
#define TOKENIZER_TOK_NAMED_H

#include "base/str.h"

enum { NAMED_MAX_PATTERNS = 3, NAMED_AGENT_TOKENS = 54 };

typedef struct named_token {
    const char *text;
    int32_t id;
    bool plain; /* always recognised, and decoded as its text */
} named_token;

/* Numbered tokens: text with the number (id - first + number) where "%d" stands. */
typedef struct named_range {
    const char *text;
    int32_t first, last, number;
} named_range;

typedef struct tok_named {
    const char *name, *file;      /* "llama3", "llama3.tiktoken" */
    const char *package, *member; /* an npm package and where it is in it; or NULL */
    const char *sha256;           /* of `file`; NULL where `package` is */
    const char *pattern[NAMED_MAX_PATTERNS + 1];
    const named_token *token; /* ends with text NULL */
    const named_range *range; /* ends with text NULL; or NULL */
    int32_t bos, eos, pad, unk;
    bool adds_bos;
    int32_t agent_base;                                  /* id of the first agent token */
    const char *splintr_pattern[NAMED_MAX_PATTERNS + 1]; /* where it differs; [0] NULL: no */
} tok_named;

/* By name or alias, without "+agent" and "+splintr". NULL: none. */
const tok_named *tok_named_find(str name);
/* All of them, for listing; NULL past the end. */
const tok_named *tok_named_at(size_t i);

/* The i-th agent token (splintr's 54): "<|system|>". `out` has room for 32 bytes. Its id is
 * agent_base + i, except that llama3 has image, audio and video where the model has them. */
int32_t tok_named_agent(const tok_named *v, int i, char out[32]);

#endif
