/* model_arg.h - the options every command with a model shares, and opening what they name. */
#ifndef CLI_MODEL_ARG_H
#define CLI_MODEL_ARG_H

#include "cli/cmd.h"

typedef struct model_arg {
    const char *path;
    bool demo;
    arg_list set;
} model_arg;
extern const arg_option model_arg_options[]; /* --model, --demo, --set */

typedef struct compute_arg {
    int threads;
    size_t ctx;
    int kv, kv_values; /* rz_kv; the second AUTO or the same, see compute_arg_check */
    const char *quant; /* or NULL */
} compute_arg;
/* --threads, --ctx, --kv-type, --cache-type-k, --cache-type-v, --quant */
extern const arg_option compute_arg_options[];
/* The same but --threads, of which the command has a list of its own. */
extern const arg_option compute_arg_options_list[];
/* The same with --kv-type f32 as the default: for commands whose numbers are compared. */
extern const arg_option compute_arg_options_f32[];
/* --threads and --quant alone: for commands that keep nothing from one call to the next. */
extern const arg_option compute_arg_options_plain[];

/* RZ_EINVAL when keys and values were asked to be different; model_arg_open checks it. */
status compute_arg_check(const compute_arg *c, err *e);

/* Where a model comes from: --demo, --model, or else the first word of the rest. *used is how many
 * words of the rest it took. RZ_EINVAL when there is none or more than one. */
status model_arg_take(model_arg *a, const arg_list *rest, size_t *used, err *e);
/* The same for commands that read a text: one word follows, in *file. */
status model_arg_take_with_text(model_arg *a, const arg_list *rest, const char **file, err *e);
/* RZ_EINVAL naming the first word of the rest behind the first `used`, if there is one. */
status model_arg_no_more(const arg_list *rest, size_t used, err *e);

/* Open it. With `c` its weights are read in now, shown on standard error when that is a terminal
 * and it takes over half a second; without, only its head is used and one thread is made. A
 * signal stops it: RZ_ECANCELED. */
status model_arg_open(const model_arg *a, const compute_arg *c, rz_model **out, err *e);
/* general.name, or what the path ends in without ".gguf", or "demo". Writes at most `cap`. */
void model_arg_name(const model_arg *a, const rz_model *m, char *out, size_t cap);
/* "llama, 260.0K weights, F32, 1.0 MiB" */
void model_arg_summary(const rz_model *m, buf *out);

/* blazr's --vocab: anything but "auto" is RZ_EUNSUPPORTED, as model files bring a tokenizer. */
#define MODEL_ARG_VOCABS "auto|llama3|cl100k_base|o200k_base|deepseek_v3"
status model_arg_check_vocab(int vocab, const rz_model *m, err *e);

#endif
