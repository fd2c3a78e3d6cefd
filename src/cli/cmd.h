/* cmd.h - what a subcommand is: a table of options and a function. One file cmd_<name>.c each, one
 * row in cmd_list.h. */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include "cli/args.h"

/* Exit codes. A command that was stopped by a signal gives 128 + its number. */
enum { CMD_OK = 0, CMD_FAILED = 1, CMD_USAGE = 2 };

typedef struct cmd_call {
    const char *name; /* as typed: "run" */
    void *values;     /* the command's struct, filled */
    const arg_list *rest;
} cmd_call;

/* Returns the exit code. Errors have been printed. */
typedef int cmd_fn(const cmd_call *c);

typedef struct cmd_spec {
    arg_spec args;
    cmd_fn *run;
} cmd_spec;

extern const cmd_spec cmd_bench, cmd_completion, cmd_convert, cmd_decode, cmd_embed, cmd_fit,
    cmd_generate, cmd_health, cmd_imatrix, cmd_info, cmd_lambda, cmd_logits, cmd_perplexity,
    cmd_predict, cmd_prepare, cmd_quantize, cmd_run, cmd_serve, cmd_tokenize, cmd_tokenizer,
    cmd_train, cmd_vocab;

typedef struct cmd_row {
    const char *group, *name, *summary;
    const cmd_spec *spec;
} cmd_row;
/* Row `i` of cmd_list.h, NULL behind the last. */
const cmd_row *cmd_at(size_t i);

/* One line on standard error, "realizar NAME: ..."; returns CMD_FAILED, or CMD_USAGE. When the call
 * was stopped by a signal (RZ_ECANCELED) it prints nothing and returns that exit code. */
int cmd_failed(const cmd_call *c, const err *e);
int cmd_usage(const cmd_call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Write the buffer to standard output and free it. CMD_OK, or CMD_FAILED with a message. */
int cmd_print(const cmd_call *c, buf *out);

#endif
