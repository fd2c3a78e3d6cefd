/* sample_arg.c - sampling options. Defaults are blazr's: temperature 0.7, top-k 40, top-p 0.9. */
#include "cli/sample_arg.h"

#include <math.h>

#include "base/mem.h"

#define NUMBER(id, n, a, b, d, h)                                                               \
    {                                                                                           \
        .name = (n), .kind = ARG_FLOAT, .at = offsetof(sample_arg, id), .min = (a), .max = (b), \
        .value = "X", .fallback = (d), .help = (h)                                              \
    }

/* clang-format off */
const arg_option sample_arg_options[] = {
    {.name = "temperature", .letter = 't', .kind = ARG_FLOAT,
     .at = offsetof(sample_arg, temperature), .min = 0, .max = 1000, .value = "X",
     .fallback = "0.7", .help = "how freely to choose; 0 = always the likeliest token"},
    {.name = "top-k", .letter = 'k', .kind = ARG_INT, .at = offsetof(sample_arg, top_k),
     .min = 0, .max = 1000000, .value = "N", .fallback = "40",
     .help = "choose among the N likeliest tokens; 0 = all"},
    NUMBER(top_p, "top-p", 0, 1, "0.9",
           "choose among the likeliest tokens that hold this share; 1 = all"),
    NUMBER(min_p, "min-p", 0, 1, "0", "leave out tokens below this share of the likeliest one"),
    NUMBER(repeat_penalty, "repeat-penalty", 0, 1000, "1",
           "divide the logits of tokens seen lately; 1 = off"),
    NUMBER(presence_penalty, "presence-penalty", -1000, 1000, "0",
           "subtract once for a token seen lately"),
    NUMBER(frequency_penalty, "frequency-penalty", -1000, 1000, "0",
           "subtract for every time it was seen lately"),
    {.name = "repeat-last-n", .kind = ARG_INT, .at = offsetof(sample_arg, repeat_last_n),
     .min = -1, .max = 1 << 30, .value = "N", .fallback = "64",
     .help = "how many tokens lately is; -1 = all"},
    {.name = "logit-bias", .kind = ARG_LIST, .at = offsetof(sample_arg, bias),
     .value = "ID=ADD",
     .help = "add to the logit of a token, or -inf to forbid it; may be repeated"},
    {.name = "stop", .kind = ARG_LIST, .at = offsetof(sample_arg, stop), .value = "TEXT",
     .help = "end the answer in front of this text; may be repeated"},
    {.name = "ignore-eos", .kind = ARG_FLAG, .at = offsetof(sample_arg, ignore_eos),
     .help = "go on past the end of the text"},
    {.name = "seed", .letter = 's', .kind = ARG_U64, .at = offsetof(sample_arg, seed), .min = 0,
     .max = 1.8446744073709552e19, .value = "N", .fallback = "0",
     .help = "same seed, same text; 0 = a new one each time"},
    {.name = NULL},
};
/* clang-format on */

static status read_bias(const char *text, rz_bias *out, err *e) {
    str rest = str_of(text);
    const str id = str_split(&rest, '=');
    int64_t token;
    double add = -INFINITY;
    const bool forbid = str_is(rest, "-inf");
    if (!str_i64(id, &token) || token < 0 || token > INT32_MAX ||
        (!forbid && (!str_f64(rest, &add) || fabs(add) > 1e6)))
        return err_set(e, RZ_EINVAL,
                       "--logit-bias is \"%.80s\", expected ID=ADD such as 42=-1.5 or 42=-inf",
                       text);
    *out = (rz_bias){(rz_token)token, (float)add};
    return RZ_OK;
}

status sample_arg_params(const sample_arg *a, rz_params *out, rz_bias **bias, err *e) {
    rz_params p = RZ_PARAMS_INIT;
    p.temperature = a->temperature;
    p.top_k = a->top_k;
    p.top_p = a->top_p;
    p.min_p = a->min_p;
    p.repeat_penalty = a->repeat_penalty;
    p.presence_penalty = a->presence_penalty;
    p.frequency_penalty = a->frequency_penalty;
    p.repeat_last_n = a->repeat_last_n;
    p.seed = a->seed;
    p.ignore_eos = a->ignore_eos;
    p.stop = a->stop.item;
    p.n_stop = a->stop.n;
    for (size_t i = 0; i < a->stop.n; i++)
        if (!*a->stop.item[i]) return err_set(e, RZ_EINVAL, "--stop is \"\", expected some text");
    rz_bias *list = mem_array(a->bias.n, sizeof *list);
    if (!list) return err_set(e, RZ_ENOMEM, "out of memory for --logit-bias");
    for (size_t i = 0; i < a->bias.n; i++) {
        const status s = read_bias(a->bias.item[i], &list[i], e);
        if (s < 0) {
            mem_free(list);
            return s;
        }
    }
    p.bias = list;
    p.n_bias = a->bias.n;
    *out = p;
    *bias = list;
    return RZ_OK;
}
