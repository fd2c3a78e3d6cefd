/* tok_pre.h - the pre-tokenizers that GGUF files name in tokenizer.ggml.pre. */
#ifndef TOKENIZER_TOK_PRE_H
#define TOKENIZER_TOK_PRE_H

#include "base/str.h"

enum { PRE_MAX_PATTERNS = 6 };

typedef struct pre_kind {
    const char *pattern[PRE_MAX_PATTERNS + 1]; /* applied in turn; NULL ends the list */
    bool ignore_merges;                        /* a piece that spells a token is that token */
    bool add_bos;                              /* unless the file says otherwise */
    bool nfc;                                  /* normalized first; GGUF files do not say so */
} pre_kind;

/* NULL: no such name. */
const pre_kind *pre_find(str name);
/* The i-th name, NULL past the last. */
const char *pre_name(size_t i);

#endif
