/* tok_pipe.h - the general kind of vocabulary: a text goes through a list of steps that cut it into
 * words and rewrite them, and a word model turns each word into ids.
 *
 * It runs everything a tokenizer.json can say. Byte-level BPE and SentencePiece BPE have faster
 * kinds of their own (tok_bpe.c, tok_spm.c); the readers choose those where they give the same. */
#ifndef TOKENIZER_TOK_PIPE_H
#define TOKENIZER_TOK_PIPE_H

#include "regex/re.h"
#include "tokenizer/tok_cache.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_trie.h"

/* ---- Word models ---- */

/* What one encoding call works with. */
typedef struct word_work {
    merge_work merge;
    buf text;
    struct unigram_best *best; /* [cap], of tok_unigram.c */
    size_t cap;
    tok_cache *cache; /* of words, where the model wants one and there is memory; or NULL */
    bool failed;      /* out of memory */
    bool last_unk;    /* the last id was unknown, and the next unknown character belongs to it */
    double score;     /* of the best path so far */
} word_work;

typedef struct word_model {
    const char *name; /* "Unigram" */
    void (*encode)(const tok *t, const void *state, str word, word_work *w, tok_ids *out);
    void *state;                                        /* in the tokenizer's arena */
    status (*rzv)(struct rzv *a, struct word_model *m); /* its part of a compact file */
    bool remembers;                                     /* words, in word_work.cache */
} word_model;
/* Write m->state, or make *m. */
status tok_unigram_rzv(struct rzv *a, word_model *m);
status tok_wordpiece_rzv(struct rzv *a, word_model *m);
status tok_wordlevel_rzv(struct rzv *a, word_model *m);
status tok_word_bpe_rzv(struct rzv *a, word_model *m);
status tok_greedy_rzv(struct rzv *a, word_model *m);

typedef struct unigram_options {
    const float *score;
    const double *exact; /* instead of `score`, which then is NULL */
    int32_t unk;         /* -1: unknown characters vanish */
    const int32_t *byte; /* [256] byte tokens for unknown characters; or NULL */
    double unk_score;
    double user_score; /* of user-defined tokens: their length times this, less 0.1; 0: 0 */
    bool single;       /* sums are floats, as in SentencePiece itself */
    bool only_plain;   /* only normal, user-defined and unused tokens are found in a text */
} unigram_options;
/* Each takes pieces and types from *t. RZ_ENOMEM is the only failure. */
status tok_unigram_init(word_model *m, tok *t, const unigram_options *o, err *e);

typedef struct wordpiece_options {
    int32_t unk;      /* for a word that cannot be made; -1: nothing */
    str lead;         /* put in front of every word */
    str inside;       /* how tokens behind the first of a word begin: "##" */
    size_t max_chars; /* longer words are unknown; 0: any */
} wordpiece_options;
status tok_wordpiece_init(word_model *m, tok *t, const wordpiece_options *o, err *e);
/* A word is a token or unknown. */
status tok_wordlevel_init(word_model *m, tok *t, int32_t unk, err *e);

typedef struct word_bpe_options {
    int32_t unk;         /* -1: characters without token vanish */
    const int32_t *byte; /* as above */
    str inside, end;     /* "@@" of characters behind the first, "</w>" of the last */
    bool fuse_unk, ignore_merges;
} word_bpe_options;
status tok_word_bpe_init(word_model *m, tok *t, const merge_list *merges, const word_bpe_options *o,
                         err *e);
/* The longest token at every place, byte by byte. The keys are t's decoded bytes. */
status tok_greedy_init(word_model *m, tok *t, int32_t unk, err *e);

/* ---- Steps ---- */

typedef enum pre_op {
    PRE_SPLIT_RE,      /* at matches of `re` */
    PRE_SPLIT_TEXT,    /* at `text` */
    PRE_SPLIT_CHARS,   /* at characters that `is` says */
    PRE_SPLIT_SCRIPTS, /* where the script changes */
    PRE_METASPACE,     /* ' ' becomes `text`, see `scheme`; then PRE_SPLIT_TEXT if wanted */
    PRE_SPACE,         /* ' ' in front of a word that has none */
    PRE_BYTES,         /* each byte as a character of GPT-2's alphabet */
} pre_op;

typedef enum pre_behavior {
    PRE_REMOVED,
    PRE_ISOLATED,
    PRE_WITH_PREVIOUS,
    PRE_WITH_NEXT,
    PRE_CONTIGUOUS,
} pre_behavior;

typedef enum pre_scheme { PRE_NEVER, PRE_ALWAYS, PRE_FIRST } pre_scheme;

typedef struct pre_step {
    pre_op op;
    pre_behavior behavior;
    bool invert; /* what matches is kept, what does not is split at */
    pre_scheme scheme;
    str text;
    bool (*is)(uint32_t cp, uint32_t arg);
    uint32_t arg;
    re *re; /* owned */
} pre_step;

bool pre_is_space(uint32_t cp, uint32_t arg);
bool pre_is_number(uint32_t cp, uint32_t arg);
bool pre_is_punct(uint32_t cp, uint32_t arg); /* ASCII signs and category P */
bool pre_is_char(uint32_t cp, uint32_t arg);  /* cp == arg */
bool pre_is_cjk(uint32_t cp, uint32_t arg);
bool pre_is_alone(uint32_t cp, uint32_t arg); /* pre_is_punct or pre_is_cjk */

typedef struct pre_word {
    uint32_t from, to; /* in text */
    bool first;        /* begins where the original text begins */
} pre_word;
typedef struct pre_words {
    str text;
    buf room; /* holds `text` once a step has rewritten it */
    pre_word *p;
    size_t n, cap;
    bool failed;
} pre_words;
/* All steps over a text; the words are in out->p. */
status pre_run(const pre_step *step, size_t n, str text, bool at_start, pre_words *out, err *e);
void pre_words_free(pre_words *w);

/* Finish `t`: it takes the steps over (their regular expressions too, also on failure). `step` lies
 * in t's arena. */
status tok_pipe_init(tok *t, pre_step *step, size_t n_step, word_model m, err *e);

#endif
