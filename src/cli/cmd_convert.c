/* cmd_convert.c - realizar convert: checkpoint folders to GGUF files and back. */
#include <stdio.h>

#include "base/os.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/stop.h"

typedef struct convert_args {
    const char *type;
    arg_list set;
    int threads;
    bool no_tokenizer, quiet;
} convert_args;

/* clang-format off */
#define AT(member) .at = offsetof(convert_args, member)
static const arg_option options[] = {
    {.name = "type", .kind = ARG_TEXT, AT(type), .value = "TYPE",
     .help = "of the matrices: any type or mix of realizar quantize for GGUF, F32, F16 or BF16 for "
             "folders; by default they stay as they are, and blocks become F32 in folders"},
    {.name = "no-tokenizer", .kind = ARG_FLAG, AT(no_tokenizer),
     .help = "leave tokenizer and chat template behind"},
    {.name = "set", .kind = ARG_LIST, AT(set), .value = "KEY=VALUE",
     .help = "let the model's configuration say so; may be repeated"},
    ARG_ROW_THREADS(offsetof(convert_args, threads)),
    ARG_ROW_QUIET(offsetof(convert_args, quiet), "no summary"),
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {{"Options", options, 0}};

static void summary(const rz_convert_report *r, const char *path, double seconds) {
    buf out = BUF_INIT;
    buf_printf(&out, "%u tensors, %u of them in another type: ", r->tensors, r->changed);
    show_bytes(&out, r->bytes_from);
    buf_text(&out, " -> ");
    show_bytes(&out, r->bytes_to);
    buf_printf(&out, " in %.300s, %.1f s\n", path, seconds);
    if (!out.failed) fwrite(out.p, 1, out.len, stderr);
    buf_free(&out);
}

static int convert(const cmd_call *c) {
    const convert_args *a = c->values;
    rz_convert_report report = {0};
    err e = {0};
    if (c->rest->n != 2)
        return cmd_usage(c, "expected IN and OUT, found %zu argument%s", c->rest->n,
                         c->rest->n == 1 ? "" : "s");
    progress g = progress_begin(NULL);
    rz_convert_options opt = RZ_CONVERT_INIT;
    opt.type = a->type;
    opt.no_tokenizer = a->no_tokenizer;
    opt.set = a->set.item;
    opt.n_set = a->set.n;
    opt.threads = a->threads;
    opt.progress = progress_show;
    opt.progress_ud = &g;
    stop_listen(1, NULL);
    const status s = rz_convert(c->rest->item[0], c->rest->item[1], &opt, &report, &e);
    progress_end(&g);
    if (s < 0) return cmd_failed(c, &e);
    if (!a->quiet) summary(&report, c->rest->item[1], (double)(os_now_ns() - g.start) * 1e-9);
    return CMD_OK;
}

const cmd_spec cmd_convert = {
    {"IN OUT [OPTION ...]",
     "Writes the model IN, a GGUF file, a checkpoint folder or a name, as OUT: a GGUF file when it "
     "ends in .gguf, else a new folder with model.safetensors, config.json and the tokenizer. "
     "Models of the llama, qwen2, qwen3, mamba and oxidizr families go both ways; what the other "
     "kind of file cannot say is refused. OUT is opened and compared before it gets its name, "
     "appears whole or not at all and is the same for any number of threads.",
     "convert checkpoint/ model.gguf --type Q4_K_M\n"
     "convert model.gguf folder --type BF16",
     groups, sizeof groups / sizeof *groups, sizeof(convert_args)},
    convert};
