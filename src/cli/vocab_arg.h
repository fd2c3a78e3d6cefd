/* vocab_arg.h - a tokenizer for a command: a model's own, or a vocabulary by itself. */
#ifndef CLI_VOCAB_ARG_H
#define CLI_VOCAB_ARG_H

#include "cli/model_arg.h"

typedef struct vocab_arg {
    model_arg model;
    const char *vocab; /* --vocab; NULL or "auto": the model's */
} vocab_arg;
extern const arg_option vocab_arg_options[]; /* --model, --demo, --vocab */

/* What is open; zeroed is nothing. */
typedef struct vocab {
    const rz_tokenizer *t;
    rz_tokenizer *own;
    rz_model *m;
} vocab;

/* Is it a vocabulary by itself? */
bool vocab_arg_alone(const vocab_arg *a);
/* As model_arg_take; with --vocab no word of the rest is a model, unless there are more than the
 * `words` that the command takes besides. */
status vocab_arg_take(vocab_arg *a, const arg_list *rest, size_t words, size_t *used, err *e);
status vocab_arg_open(const vocab_arg *a, vocab *out, err *e);
void vocab_close(vocab *v);

#endif
