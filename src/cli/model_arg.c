/* model_arg.c - opening a model for a command. */
#include "cli/model_arg.h"

#include <stdio.h>

#include "cli/progress.h"
#include "cli/show.h"

const arg_option model_arg_options[] = {
    {.name = "model",
     .letter = 'm',
     .kind = ARG_TEXT,
     .at = offsetof(model_arg, path),
     .value = "PATH",
     .help = "the GGUF file, instead of the argument MODEL"},
    {.name = "demo",
     .kind = ARG_FLAG,
     .at = offsetof(model_arg, demo),
     .help = "the small model inside this program"},
    {.name = "set",
     .kind = ARG_LIST,
     .at = offsetof(model_arg, set),
     .value = "KEY=VALUE",
     .help = "let the model's configuration say so; may be repeated"},
    {.name = NULL},
};

#define THREADS ARG_ROW_THREADS(offsetof(compute_arg, threads))
#define CTX                                                                                 \
    {                                                                                       \
        .name = "ctx", .kind = ARG_SIZE, .at = offsetof(compute_arg, ctx), .min = 0,        \
        .max = 1 << 30, .value = "N",                                                       \
        .help = "longest prompt and answer in tokens; 0 = the model's own", .fallback = "0" \
    }
/* The words are in the order of rz_kv. llama.cpp's names say the same for keys and values apart. */
#define KV_WORDS "auto|f32|f16|bf16|q8_0|q4_0"
#define KV_TYPE(otherwise)                                                                         \
    {                                                                                              \
        .name = "kv-type", .kind = ARG_CHOICE, .at = offsetof(compute_arg, kv), .value = KV_WORDS, \
        .help = "how keys and values are kept; auto = f32 for f32 weights, else f16",              \
        .fallback = (otherwise)                                                                    \
    }
#define CACHE_TYPES                                                                         \
    {.name = "cache-type-k",                                                                \
     .kind = ARG_CHOICE,                                                                    \
     .at = offsetof(compute_arg, kv),                                                       \
     .value = KV_WORDS,                                                                     \
     .help = "another name of the same"},                                                   \
    {                                                                                       \
        .name = "cache-type-v", .kind = ARG_CHOICE, .at = offsetof(compute_arg, kv_values), \
        .value = KV_WORDS, .help = "must be what --cache-type-k is", .fallback = "auto"     \
    }
#define QUANT                                                                                   \
    {                                                                                           \
        .name = "quant", .kind = ARG_TEXT, .at = offsetof(compute_arg, quant), .value = "TYPE", \
        .help = "quantize float weights while they are read: Q8_0, Q4_K_M ...; see quantize"    \
    }

const arg_option compute_arg_options[] = {THREADS,     CTX,   KV_TYPE("auto"),
                                          CACHE_TYPES, QUANT, {.name = NULL}};
const arg_option compute_arg_options_list[] = {
    CTX, KV_TYPE("auto"), CACHE_TYPES, QUANT, {.name = NULL}};
const arg_option compute_arg_options_f32[] = {THREADS,     CTX,   KV_TYPE("f32"),
                                              CACHE_TYPES, QUANT, {.name = NULL}};

const arg_option compute_arg_options_plain[] = {THREADS, QUANT, {.name = NULL}};

status compute_arg_check(const compute_arg *c, err *e) {
    if (c->kv_values == RZ_KV_AUTO || c->kv_values == c->kv) return RZ_OK;
    return err_set(e, RZ_EINVAL,
                   "--cache-type-v: keys and values are kept alike, give --kv-type instead");
}

status model_arg_take(model_arg *a, const arg_list *rest, size_t *used, err *e) {
    if (a->demo && a->path)
        return err_set(e, RZ_EINVAL, "two models: --demo and --model \"%.80s\"", a->path);
    *used = 0;
    if (a->demo || a->path) return RZ_OK;
    if (rest->n == 0)
        return err_set(e, RZ_EINVAL, "no model: give a GGUF file, or --demo for the one inside");
    a->path = rest->item[0];
    *used = 1;
    return RZ_OK;
}

status model_arg_no_more(const arg_list *rest, size_t used, err *e) {
    if (rest->n <= used) return RZ_OK;
    return err_set(e, RZ_EINVAL, "unexpected argument \"%.80s\"; quote text that has spaces",
                   rest->item[used]);
}

status model_arg_take_with_text(model_arg *a, const arg_list *rest, const char **file, err *e) {
    size_t used;
    TRY(model_arg_take(a, rest, &used, e));
    TRY(model_arg_no_more(rest, used + 1, e));
    if (rest->n == used)
        return err_set(e, RZ_EINVAL, "no text: name a file, or - for standard input");
    *file = rest->item[used];
    return RZ_OK;
}

status model_arg_open(const model_arg *a, const compute_arg *c, rz_model **out, err *e) {
    if (c) TRY(compute_arg_check(c, e));
    progress g = progress_begin(NULL);
    rz_model_options opt = RZ_MODEL_INIT;
    opt.threads = c ? c->threads : 1;
    opt.prefault = c != NULL;
    opt.quant = c ? c->quant : NULL;
    opt.set = a->set.item;
    opt.n_set = a->set.n;
    opt.progress = progress_show;
    opt.progress_ud = &g;
    const status s =
        a->demo ? rz_model_open_demo(out, &opt, e) : rz_model_open(out, a->path, &opt, e);
    progress_end(&g);
    return s;
}

void model_arg_name(const model_arg *a, const rz_model *m, char *out, size_t cap) {
    rz_model_info info;
    rz_model_describe(m, &info);
    str name = str_of(info.name);
    if (name.len == 0) {
        const char *path = a->demo ? "demo" : a->path ? a->path : "model";
        const char *slash = strrchr(path, '/');
        name = str_of(slash && slash[1] ? slash + 1 : path);
        if (str_ends(name, STR_LIT(".gguf"))) name.len -= strlen(".gguf");
    }
    buf text = BUF_INIT;
    show_plain(&text, name, 60);
    snprintf(out, cap, "%s", buf_cstr(&text) ? buf_cstr(&text) : "model");
    buf_free(&text);
}

void model_arg_summary(const rz_model *m, buf *out) {
    rz_model_info info;
    rz_model_describe(m, &info);
    buf_printf(out, "%s, ", info.arch);
    show_count(out, info.params);
    buf_printf(out, " weights, %s, ", info.quant);
    show_bytes(out, info.weight_bytes);
}

status model_arg_check_vocab(int vocab, const rz_model *m, err *e) {
    rz_model_info info;
    rz_model_describe(m, &info);
    if (vocab == 0) return RZ_OK;
    str rest = STR_LIT(MODEL_ARG_VOCABS), word = {NULL, 0};
    for (int i = 0; i <= vocab; i++) word = str_split(&rest, '|');
    return err_set(e, RZ_EUNSUPPORTED,
                   "--vocab %.*s: %.200s brings its own tokenizer (%s); leave --vocab out",
                   STR_FMT(word), info.path, info.tokenizer);
}
