/* cmd_imatrix.c - realizar imatrix: measure on a text which inputs of each matrix are large. */
#include <stdio.h>

#include "base/mem.h"
#include "base/os.h"
#include "cli/input.h"
#include "cli/model_arg.h"
#include "cli/progress.h"
#include "cli/stop.h"

typedef struct imatrix_args {
    model_arg model;
    const char *out;
    size_t ctx;
    int threads, form;
    bool quiet;
} imatrix_args;

/* clang-format off */
#define AT(member) .at = offsetof(imatrix_args, member)
static const arg_option options[] = {
    {.name = "out", .letter = 'o', .kind = ARG_TEXT, AT(out), .value = "FILE",
     .help = "where to write; the file appears whole or not at all"},
    {.name = "form", .kind = ARG_CHOICE, AT(form), .value = "gguf|dat", .fallback = "gguf",
     .help = "dat = the older of llama.cpp's forms"},
    {.name = "ctx", .kind = ARG_SIZE, AT(ctx), .min = 0, .max = 1 << 30, .value = "N",
     .fallback = "0",
     .help = "tokens in a piece of text; 0 = 512, or less for smaller models"},
    ARG_ROW_THREADS(offsetof(imatrix_args, threads)),
    ARG_ROW_QUIET(offsetof(imatrix_args, quiet), "no summary"),
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {
    {"Model", model_arg_options, offsetof(imatrix_args, model)},
    {"Options", options, 0},
};

static status make(const imatrix_args *a, rz_model *m, const buf *text, const char *name,
                   progress *g, rz_imatrix_report *report, err *e) {
    const rz_tokenizer *t = rz_model_tokenizer(m);
    rz_token *ids = NULL;
    size_t n = 0;
    rz_imatrix_options opt = RZ_IMATRIX_INIT;
    if (!t) return err_set(e, RZ_EUNSUPPORTED, "this model file has no tokenizer");
    TRY(input_encode(t, buf_view(text), 0, &ids, &n, e));
    opt.context = a->ctx;
    opt.legacy = a->form == 1;
    opt.dataset = name;
    opt.progress = progress_show;
    opt.progress_ud = g;
    const status s = n ? rz_imatrix(m, ids, n, a->out, &opt, report, e)
                       : err_set(e, RZ_EINVAL, "the text is empty");
    mem_free(ids);
    return s;
}

static void summary(const rz_imatrix_report *r, const imatrix_args *a) {
    fprintf(stderr, "importance of %u tensors from %u pieces of %zu tokens in %s\n", r->entries,
            r->pieces, r->context, a->out);
    if (r->partial)
        fprintf(stderr,
                "%u of them have experts that no token chose; a longer text may reach them\n",
                r->partial);
}

static int imatrix(const cmd_call *c) {
    imatrix_args *a = c->values;
    rz_model *m = NULL;
    rz_imatrix_report report = {0};
    buf text = BUF_INIT;
    const char *file = NULL;
    err e = {0};
    if (model_arg_take_with_text(&a->model, c->rest, &file, &e) < 0)
        return cmd_usage(c, "%s", e.text);
    if (!a->out) return cmd_usage(c, "no --out: name the file to write");
    stop_listen(1, NULL);
    progress g = progress_begin("tokens");
    const compute_arg compute = {.threads = a->threads};
    status s = input_text(NULL, file, "text", &text, &e);
    if (s >= 0) s = model_arg_open(&a->model, &compute, &m, &e);
    if (s >= 0) s = make(a, m, &text, file, &g, &report, &e);
    progress_end(&g);
    const int code = s < 0 ? cmd_failed(c, &e) : CMD_OK;
    if (s >= 0 && !a->quiet) summary(&report, a);
    rz_model_close(m);
    buf_free(&text);
    return code;
}

const cmd_spec cmd_imatrix = {
    {"MODEL FILE --out FILE [OPTION ...]",
     "Runs a text through a model and writes the mean square of what goes into each column of each "
     "matrix, by which realizar quantize --imatrix weighs errors. Experts are counted one by one. "
     "The file does not depend on threads.",
     "imatrix model-f16.gguf text.txt --out model.imatrix.gguf\n"
     "imatrix model-f16.gguf text.txt --out model.dat --form dat",
     groups, sizeof groups / sizeof *groups, sizeof(imatrix_args)},
    imatrix};
