/* grammar_arg.h - what the answer may look like: the options, and the grammar made from them. */
#ifndef CLI_GRAMMAR_ARG_H
#define CLI_GRAMMAR_ARG_H

#include "cli/args.h"

typedef struct grammar_arg {
    const char *grammar_file, *grammar, *schema_file, *schema, *regex;
    bool json;
} grammar_arg;
extern const arg_option grammar_arg_options[];

/* At most one of them is given; RZ_EINVAL names two. */
status grammar_arg_check(const grammar_arg *a, err *e);
/* *out = NULL when none is given; rz_grammar_free it. RZ_EINVAL when what is given is none. */
status grammar_arg_make(const grammar_arg *a, const rz_tokenizer *t, rz_grammar **out, err *e);

#endif
