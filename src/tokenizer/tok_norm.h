/* tok_norm.h - the rewriting of a text before it is split: a list of steps. */
#ifndef TOKENIZER_TOK_NORM_H
#define TOKENIZER_TOK_NORM_H

#include "base/arena.h"
#include "base/buf.h"
#include "unicode/norm.h"

typedef enum norm_op {
    NORM_OP_FORM,        /* `form` */
    NORM_OP_LOWER,       /* each character to lower case */
    NORM_OP_STRIP_MARKS, /* every combining mark goes */
    NORM_OP_REPLACE,     /* each `from` becomes `to` */
    NORM_OP_PREPEND,     /* `to` in front of a text that is not empty */
    NORM_OP_STRIP_LEFT,  /* white space at the beginning goes */
    NORM_OP_STRIP_RIGHT, /* white space at the end goes */
} norm_op;

typedef struct norm_step {
    norm_op op;
    norm_form form;
    str from, to;
} norm_step;

typedef struct tok_norm {
    norm_step *step;
    size_t n;
} tok_norm;

/* The rewritten text: `s` itself where nothing changes, else a view into `work` (two buffers the
 * caller frees). Out of memory shows as work[0].failed or work[1].failed. */
str tok_norm_apply(const tok_norm *n, str s, buf work[2]);

#endif
