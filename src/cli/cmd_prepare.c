/* cmd_prepare.c - realizar prepare: text and JSON lines to a file of token ids. */
#include <stdio.h>

#include "base/os.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/stop.h"
#include "cli/vocab_arg.h"

typedef struct prepare_args {
    vocab_arg vocab;
    const char *out, *field, *separator;
    int threads;
    bool special, bos, no_eos, quiet;
} prepare_args;

/* clang-format off */
#define AT(member) .at = offsetof(prepare_args, member)
static const arg_option options[] = {
    {.name = "out", .letter = 'o', .kind = ARG_TEXT, AT(out), .value = "FILE",
     .help = "where to write; the file appears whole or not at all"},
    {.name = "field", .kind = ARG_TEXT, AT(field), .value = "NAME", .fallback = "text",
     .help = "the member of each JSON line that is the text"},
    {.name = "separator", .kind = ARG_TEXT, AT(separator), .value = "TEXT",
     .help = "documents of a text file lie between these; by default the file is one"},
    {.name = "special", .kind = ARG_FLAG, AT(special),
     .help = "recognise special tokens written out in the text"},
    {.name = "bos", .kind = ARG_FLAG, AT(bos),
     .help = "begin each document with the vocabulary's BOS"},
    {.name = "no-eos", .kind = ARG_FLAG, AT(no_eos),
     .help = "do not end each document with the vocabulary's EOS"},
    {.name = "threads", .kind = ARG_INT, AT(threads), .min = 0, .max = 1024, .value = "N",
     .fallback = "0", .help = "worker threads; 0 = RZ_THREADS, or one per core"},
    {.name = "quiet", .letter = 'q', .kind = ARG_FLAG, AT(quiet), .help = "no summary"},
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {
    {"Model", vocab_arg_options, offsetof(prepare_args, vocab)},
    {"Options", options, 0},
};

static void summary(const rz_prepare_report *r, const char *path, double seconds) {
    buf out = BUF_INIT;
    buf_printf(&out, "%llu tokens of %llu documents in %.300s, ids below %zu, ",
               (unsigned long long)r->tokens, (unsigned long long)r->documents, path, r->vocab);
    if (r->end >= 0) buf_printf(&out, "documents end with %d, ", r->end);
    show_bytes(&out, (uint64_t)((double)r->bytes / (seconds > 1e-9 ? seconds : 1e-9)));
    buf_text(&out, "/s\n");
    if (!out.failed) fwrite(out.p, 1, out.len, stderr);
    buf_free(&out);
}

static int prepare(const cmd_call *c) {
    prepare_args *a = c->values;
    const arg_list all = *c->rest;
    vocab v = {NULL, NULL, NULL};
    rz_prepare_report report = {0};
    err e = {0};
    if (!a->out) return cmd_usage(c, "no --out: name the file to write");
    if (all.n == 0) return cmd_usage(c, "no text: name one file or more");
    if (!a->vocab.model.path && !a->vocab.model.demo && !vocab_arg_alone(&a->vocab))
        return cmd_usage(c, "no vocabulary: give --vocab, --model or --demo");
    stop_listen(1, NULL);
    progress g = progress_begin(NULL);
    rz_prepare_options opt = RZ_PREPARE_INIT;
    opt.field = a->field;
    opt.separator = a->separator;
    opt.special = a->special;
    opt.begin = a->bos;
    opt.no_end = a->no_eos;
    opt.threads = a->threads;
    opt.progress = progress_show;
    opt.progress_ud = &g;
    status s = vocab_arg_open(&a->vocab, &v, &e);
    if (s >= 0) s = rz_prepare(v.t, all.item, all.n, a->out, &opt, &report, &e);
    progress_end(&g);
    vocab_close(&v);
    if (s < 0) return cmd_failed(c, &e);
    if (!a->quiet) summary(&report, a->out, (double)(os_now_ns() - g.start) * 1e-9);
    return CMD_OK;
}

const cmd_spec cmd_prepare = {
    {"FILE ... --out FILE --vocab NAME|FILE [OPTION ...]\nFILE ... --out FILE --model MODEL "
     "[OPTION ...]",
     "Writes the tokens of texts, one document behind the other, as 32-bit little-endian numbers: "
     "what realizar train reads. Files whose names end in .jsonl or .ndjson hold a document in "
     "each "
     "line; another is one document, or several with --separator. The file does not depend on "
     "threads.",
     "prepare story.txt --vocab cl100k_base --out story.bin\n"
     "prepare part1.jsonl part2.jsonl --model model.gguf --field content --out all.bin\n"
     "prepare TinyStories.txt --separator \"<|endoftext|>\" --vocab llama3 --out stories.bin",
     groups, sizeof groups / sizeof *groups, sizeof(prepare_args)},
    prepare};
