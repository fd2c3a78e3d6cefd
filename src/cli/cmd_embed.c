/* cmd_embed.c - realizar embed: texts as vectors, as JSON. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/input.h"
#include "cli/model_arg.h"
#include "cli/output.h"
#include "cli/stop.h"
#include "json/json.h"

typedef struct embed_args {
    model_arg model;
    compute_arg compute;
    const char *file;
    int pooling, raw;
} embed_args;

/* The words are in the order of rz_pooling; "none" is 1 as rz_embed_options.raw is. */
#define POOLING_WORDS "auto|mean|cls|last"

/* clang-format off */
static const arg_option options[] = {
    {.name = "file", .letter = 'f', .kind = ARG_TEXT, .at = offsetof(embed_args, file),
     .value = "PATH", .help = "texts from a file, one a line; \"-\" is standard input"},
    {.name = "pooling", .kind = ARG_CHOICE, .at = offsetof(embed_args, pooling),
     .value = POOLING_WORDS, .fallback = "auto",
     .help = "how the vectors of a text's tokens become one; auto = as the model says"},
    {.name = "normalize", .kind = ARG_CHOICE, .at = offsetof(embed_args, raw),
     .value = "l2|none", .fallback = "l2", .help = "l2: scale every vector to length 1"},
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {
    {"Model", model_arg_options, offsetof(embed_args, model)},
    {"Options", options, 0},
    {"Computing", compute_arg_options_plain, offsetof(embed_args, compute)},
};

/* What one text after the other is written with. */
typedef struct embedder {
    rz_model *m;
    rz_embed_options opt;
    uint32_t width;
    float *vector;
    size_t n; /* texts so far */
    buf out;  /* of one text */
} embedder;

/* Text by text, so that long lists need no memory and a reader sees them come. */
static status print_text(embedder *x, str text, err *e) {
    size_t n_token = 0;
    err why = {0};
    const status s = rz_embed(x->m, text.p, text.len, &x->opt, x->vector, &n_token, &why);
    if (s < 0) return err_set(e, s, "text %zu: %.400s", x->n + 1, why.text);
    buf_clear(&x->out);
    buf_printf(&x->out, "%s\n{\"index\":%zu,\"tokens\":%zu,\"embedding\":[", x->n ? "," : "", x->n,
               n_token);
    for (uint32_t i = 0; i < x->width; i++) {
        if (i) buf_char(&x->out, ',');
        json_write_number(&x->out, (double)x->vector[i]);
    }
    buf_text(&x->out, "]}");
    x->n++;
    if (x->out.failed) return err_set(e, RZ_ENOMEM, "out of memory for JSON");
    TRY(output_write(x->out.p, x->out.len, e));
    return stop_asked() ? err_set(e, RZ_ECANCELED, "stopped") : RZ_OK;
}

static status print_line(void *ctx, str line, size_t number, err *e) {
    (void)number;
    return line.len ? print_text(ctx, line, e) : RZ_OK;
}

static status print_head(embedder *x, const embed_args *a, err *e) {
    static const char *const words[] = {"auto", "mean", "cls", "last"};
    char name[256];
    model_arg_name(&a->model, x->m, name, sizeof name);
    buf_text(&x->out, "{\"model\":");
    json_write_string(&x->out, str_of(name));
    buf_printf(&x->out, ",\"width\":%u,\"pooling\":\"%s\",\"normalize\":\"%s\",\"embeddings\":[",
               x->width, words[a->pooling ? a->pooling : (int)rz_model_pooling(x->m)],
               a->raw ? "none" : "l2");
    if (x->out.failed) return err_set(e, RZ_ENOMEM, "out of memory for JSON");
    return output_write(x->out.p, x->out.len, e);
}

static status make(const embed_args *a, const arg_list *rest, size_t used, embedder *x, err *e) {
    rz_model_info info;
    rz_model_describe(x->m, &info);
    x->width = info.width;
    x->vector = mem_array(x->width, sizeof *x->vector);
    if (!x->vector) return err_set(e, RZ_ENOMEM, "out of memory for a vector");
    TRY(print_head(x, a, e));
    for (size_t i = used; i < rest->n; i++) TRY(print_text(x, str_of(rest->item[i]), e));
    if (rest->n == used) TRY(input_lines(a->file, print_line, x, e));
    return output_write("\n]}\n", 4, e);
}

static status check(const embed_args *a, const arg_list *rest, size_t used, err *e) {
    if (a->file && rest->n > used)
        return err_set(e, RZ_EINVAL, "texts both as arguments and from --file: choose one");
    return RZ_OK;
}

static int embed(const cmd_call *c) {
    embed_args *a = c->values;
    embedder x = {.opt = RZ_EMBED_INIT, .out = BUF_INIT};
    size_t used = 0;
    err e = {0};
    status s = model_arg_take(&a->model, c->rest, &used, &e);
    if (s >= 0) s = check(a, c->rest, used, &e);
    int code = CMD_OK;
    if (s == RZ_EINVAL) code = cmd_usage(c, "%s", e.text);
    else {
        x.opt.pooling = (rz_pooling)a->pooling;
        x.opt.raw = a->raw;
        stop_listen(1, NULL);
        if (s >= 0) s = model_arg_open(&a->model, &a->compute, &x.m, &e);
        if (s >= 0) s = make(a, c->rest, used, &x, &e);
        if (s < 0) code = cmd_failed(c, &e);
    }
    rz_model_close(x.m);
    mem_free(x.vector);
    buf_free(&x.out);
    return code;
}

const cmd_spec cmd_embed = {
    {"MODEL [OPTION ...] [TEXT ...]\n--demo [OPTION ...] [TEXT ...]",
     "Each text as a vector, in one JSON object. The texts are the arguments behind the model, or "
     "the lines of a file or of standard input that are not empty. Any model will do; those made "
     "for it give vectors that lie close together for texts of the same meaning.",
     "embed model.gguf \"a cat sat\" \"a dog ran\"\n"
     "embed model.gguf --pooling mean --normalize none --file lines.txt",
     groups, sizeof groups / sizeof *groups, sizeof(embed_args)},
    embed};
