/* tok_norm.h - the rewriting of a text before it is split: a list of steps. */
#ifndef TOKENIZER_TOK_NORM_H
#define TOKENIZER_TOK_NORM_H

#include "base/arena.h"
#include "base/buf.h"
#include "regex/re.h"
#include "tokenizer/tok_charsmap.h"
#include "tokenizer/tok_special.h"
#include "unicode/norm.h"

typedef enum norm_op {
    NORM_OP_FORM,        /* `form` */
    NORM_OP_LOWER,       /* each character to lower case */
    NORM_OP_STRIP_MARKS, /* every combining mark goes */
    NORM_OP_STRIP_MN,    /* every nonspacing mark goes */
    NORM_OP_REPLACE,     /* each `from` becomes `to` */
    NORM_OP_REPLACE_RE,  /* each match of `re` becomes `to` */
    NORM_OP_PREPEND,     /* `to` in front of a text that is not empty */
    NORM_OP_STRIP_LEFT,  /* white space at the beginning goes */
    NORM_OP_STRIP_RIGHT, /* white space at the end goes */
    NORM_OP_CLEAN,       /* BERT: control characters go, white space is ' ' */
    NORM_OP_SPACE_CJK,   /* BERT: spaces around each Chinese character */
    NORM_OP_NMT,         /* some control characters go, some characters become ' ' */
    NORM_OP_BYTES,       /* each byte as a character of GPT-2's alphabet */
    NORM_OP_CHARSMAP,    /* tokenizer.json's way of using `map`: by grapheme */
    NORM_OP_SPM,         /* all that SentencePiece does, see norm_spm */
} norm_op;

/* SentencePiece's normalizer. Spaces come out as U+2581. */
typedef struct norm_spm {
    tok_charsmap map;
    const tok_special_set *keep; /* texts that stay as they are, all `always`; or NULL */
    bool prefix;                 /* a space in front */
    bool suffix;                 /* a space behind */
    bool one_space;              /* none at the ends, one between words */
    bool plain_space;            /* ' ' stays ' ' */
    uint8_t what[256];           /* what a byte calls for, by norm_spm_ready */
} norm_spm;

/* Once `map` and `keep` are there. */
void norm_spm_ready(norm_spm *spm);

typedef struct norm_step {
    norm_op op;
    norm_form form;
    str from, to;
    re *re;
    const tok_charsmap *map;
    const norm_spm *spm;
} norm_step;

typedef struct tok_norm {
    norm_step *step;
    size_t n;
} tok_norm;

/* The rewritten text: `s` itself where nothing changes, else a view into `work` (two buffers the
 * caller frees). Out of memory shows as work[0].failed or work[1].failed. */
str tok_norm_apply(const tok_norm *n, str s, buf work[2]);
/* What the steps own; the list itself lies in an arena. */
void tok_norm_done(tok_norm *n);

/* The same for the ideographs of BERT's basic tokenizer, whose upper ranges are not Unicode's. */
bool tok_is_cjk(uint32_t cp);

#endif
