/* tok_split.h - cutting a text into the pieces that are tokenized one by one.
 *
 * A splitter is one or more patterns applied in turn, each to the pieces the ones before it left;
 * text between the matches of a pattern is a piece of its own. */
#ifndef TOKENIZER_TOK_SPLIT_H
#define TOKENIZER_TOK_SPLIT_H

#include "base/err.h"
#include "base/str.h"

/* Splitters written by hand (tok_scan.h), known by their regular expressions. */
typedef enum split_kind {
    SPLIT_NONE, /* the whole text is one piece */
    SPLIT_CL100K,
    SPLIT_QWEN2,
    SPLIT_GPT2,
    SPLIT_O200K,
    SPLIT_TEKKEN,
    SPLIT_DEEPSEEK3,
    SPLIT_STAGES, /* any other: stage after stage */
} split_kind;

typedef struct split_stage split_stage;
typedef struct tok_split {
    split_kind kind;
    split_stage *stage; /* [n_stage], for SPLIT_STAGES */
    size_t n_stage;
} tok_split;

/* Patterns as they stand in the vocabulary's own files, in order; `where` begins the error text. */
status tok_split_init(tok_split *s, const str *pattern, size_t n, const char *where, err *e);
/* The same without the shortcut for well-known lists of patterns; `only_re`: and without any
 * hand-written code, which tests compare with. */
status tok_split_init_re(tok_split *s, const str *pattern, size_t n, const char *where,
                         bool only_re, err *e);
void tok_split_free(tok_split *s);

/* Where the pieces of a text end, in order. */
typedef struct split_ends {
    uint32_t *end; /* [n] */
    size_t n, cap;
    bool failed;
} split_ends;
void split_ends_free(split_ends *l);
/* Replace what is in *out. For any kind; the fused loops of tok_bpe.c do not come here.
 * text.len < 2^32. */
status tok_split_all(const tok_split *s, str text, split_ends *out, err *e);

#endif
