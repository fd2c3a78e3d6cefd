/* cmd_quantize.c - realizar quantize: a model file in fewer bits. */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/stop.h"

typedef struct quantize_args {
    const char *imatrix, *output_type, *embedding_type;
    arg_list keep;
    int threads;
    bool pure, again, dry_run, quiet;
} quantize_args;

/* clang-format off */
#define AT(member) .at = offsetof(quantize_args, member)
static const arg_option options[] = {
    {.name = "imatrix", .kind = ARG_TEXT, AT(imatrix), .value = "FILE",
     .help = "importance matrix to weigh errors by, as realizar imatrix makes it"},
    {.name = "pure", .kind = ARG_FLAG, AT(pure),
     .help = "one type for every matrix, no mix"},
    {.name = "keep", .kind = ARG_LIST, AT(keep), .value = "TENSOR=TYPE",
     .help = "the type of one tensor, or of those that TENSOR with * for any text fits; may be "
             "repeated, the first that fits counts"},
    {.name = "output-type", .kind = ARG_TEXT, AT(output_type), .value = "TYPE",
     .help = "the type of the output matrix"},
    {.name = "token-embedding-type", .kind = ARG_TEXT, AT(embedding_type), .value = "TYPE",
     .help = "the type of the token embedding"},
    {.name = "allow-requantize", .kind = ARG_FLAG, AT(again),
     .help = "take a model that is quantized already; starting from floats loses less"},
    {.name = "dry-run", .kind = ARG_FLAG, AT(dry_run),
     .help = "list what would become of each tensor; OUT may be left out and is not written"},
    ARG_ROW_THREADS(offsetof(quantize_args, threads)),
    ARG_ROW_QUIET(offsetof(quantize_args, quiet), "no summary"),
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {{"Options", options, 0}};

static void list_tensor(void *ud, const rz_quantized *t) {
    buf *out = ud;
    const size_t start = out->len;
    show_plain(out, str_of(t->name), 0);
    const size_t width = out->failed ? 0 : show_width((str){out->p + start, out->len - start});
    buf_printf(out, "%*s [%llu", width < 36 ? (int)(36 - width) : 0, "",
               (unsigned long long)t->dim[0]);
    for (int d = 1; d < 4 && t->dim[d] > 1; d++)
        buf_printf(out, ", %llu", (unsigned long long)t->dim[d]);
    buf_printf(out, "] %s", t->from);
    if (strcmp(t->from, t->to) != 0) buf_printf(out, " -> %s", t->to);
    if (t->fell_back) buf_text(out, " (rows do not fill larger blocks)");
    if (t->importance) buf_text(out, " (weighted)");
    buf_text(out, ", ");
    show_bytes(out, t->bytes_to);
    buf_char(out, '\n');
}

static void size_text(const rz_quantize_report *r, uint64_t bytes, buf *out) {
    show_bytes(out, bytes);
    buf_printf(out, " (%.2f bits a weight)", 8.0 * (double)bytes / (double)r->weights);
}

static void summary(const rz_quantize_report *r, const char *path, double seconds, buf *out) {
    buf_printf(out, "%u tensors, %u of them quantized: ", r->tensors, r->quantized);
    size_text(r, r->bytes_from, out);
    buf_text(out, " -> ");
    size_text(r, r->bytes_to, out);
    if (path) buf_printf(out, " in %.300s, %.1f s", path, seconds);
    buf_char(out, '\n');
    if (r->fell_back)
        buf_printf(out,
                   "%u tensors have rows that do not fill the blocks of their type and got "
                   "another\n",
                   r->fell_back);
    if (r->unweighted)
        buf_printf(out, "%u tensors are not in the importance matrix\n", r->unweighted);
}

static status read_args(const cmd_call *c, const char **out, const char **type, err *e) {
    const quantize_args *a = c->values;
    const size_t n = c->rest->n, want = a->dry_run && n == 2 ? 2 : 3;
    if (n != want)
        return err_set(e, RZ_EINVAL, "expected IN, OUT and TYPE, found %zu argument%s", n,
                       n == 1 ? "" : "s");
    *out = want == 3 ? c->rest->item[1] : NULL;
    *type = c->rest->item[want - 1];
    return RZ_OK;
}

static int quantize(const cmd_call *c) {
    const quantize_args *a = c->values;
    const char *path = NULL, *type = NULL;
    rz_quantize_report report = {0};
    buf out = BUF_INIT, said = BUF_INIT;
    err e = {0};
    if (read_args(c, &path, &type, &e) < 0) return cmd_usage(c, "%s", e.text);
    progress g = progress_begin(NULL);
    rz_quantize_options opt = RZ_QUANTIZE_INIT;
    opt.imatrix = a->imatrix;
    opt.pure = a->pure;
    opt.allow_requantize = a->again;
    opt.dry_run = a->dry_run;
    opt.output_type = a->output_type;
    opt.embedding_type = a->embedding_type;
    opt.keep = a->keep.item;
    opt.n_keep = a->keep.n;
    opt.threads = a->threads;
    opt.progress = progress_show;
    opt.progress_ud = &g;
    if (a->dry_run) opt.tensor = list_tensor;
    opt.tensor_ud = &out;
    stop_listen(1, NULL);
    const status s = rz_quantize(c->rest->item[0], path, type, &opt, &report, &e);
    progress_end(&g);
    int code = s < 0 ? cmd_failed(c, &e) : cmd_print(c, &out);
    if (s >= 0 && code == CMD_OK && !a->quiet) {
        summary(&report, a->dry_run ? NULL : path, (double)(os_now_ns() - g.start) * 1e-9, &said);
        if (!said.failed) fwrite(said.p, 1, said.len, stderr);
    }
    buf_free(&out);
    buf_free(&said);
    return code;
}

const cmd_spec cmd_quantize = {
    {"IN OUT TYPE [OPTION ...]\nIN TYPE --dry-run [OPTION ...]",
     "Writes the GGUF file OUT with the matrices of IN in fewer bits. TYPE is a mix, which gives "
     "tensors that matter more a larger type, or a type: Q8_0, Q6_K, Q5_K_M, Q5_K_S, Q4_K_M, "
     "Q4_K_S, Q3_K_L, Q3_K_M, Q3_K_S, Q2_K, Q2_K_S, Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL, IQ4_XS, "
     "IQ3_M, IQ3_S, IQ3_XS, IQ3_XXS, IQ2_M, IQ2_S, IQ2_XS, IQ2_XXS, IQ1_M, IQ1_S, TQ2_0, TQ1_0, "
     "MXFP4_MOE, NVFP4, Q2_0, Q1_0, F16, BF16, F32. Vectors, norms and routers stay as they are. "
     "OUT appears whole or not at all and is the same for any number of threads.",
     "quantize model-f16.gguf model-q4_k_m.gguf Q4_K_M\n"
     "quantize model.gguf out.gguf Q3_K_M --keep \"blk.0.*=Q8_0\"\n"
     "quantize model.gguf out.gguf IQ2_XS --imatrix model.imatrix.gguf",
     groups, sizeof groups / sizeof *groups, sizeof(quantize_args)},
    quantize};
