/* sample_arg.h - how the next token is chosen: the options, and rz_params from them. */
#ifndef CLI_SAMPLE_ARG_H
#define CLI_SAMPLE_ARG_H

#include "cli/args.h"

typedef struct sample_arg {
    float temperature, top_p, min_p, repeat_penalty, presence_penalty, frequency_penalty;
    int top_k, repeat_last_n;
    uint64_t seed;
    bool ignore_eos;
    arg_list stop, bias; /* bias: "ID=ADD" */
} sample_arg;
extern const arg_option sample_arg_options[];

/* Everything but max_tokens. *bias is memory behind out->bias (mem_free it); out borrows from `a`.
 * RZ_EINVAL names a --logit-bias that is none, or an empty --stop. */
status sample_arg_params(const sample_arg *a, rz_params *out, rz_bias **bias, err *e);

#endif
