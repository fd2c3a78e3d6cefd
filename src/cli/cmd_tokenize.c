/* cmd_tokenize.c - realizar tokenize: text to ids, with the pieces they stand for. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/input.h"
#include "cli/show.h"
#include "cli/tok_lines.h"
#include "cli/vocab_arg.h"
#include "json/json.h"

typedef struct tokenize_args {
    vocab_arg vocab;
    const char *file;
    bool special, bos, no_bos;
    bool json, ids, count, color, jsonl; /* at most one of these */
} tokenize_args;

/* clang-format off */
#define FLAG(id, n, h) \
    {.name = (n), .kind = ARG_FLAG, .at = offsetof(tokenize_args, id), .help = (h)}
static const arg_option options[] = {
    {.name = "file", .letter = 'f', .kind = ARG_TEXT, .at = offsetof(tokenize_args, file),
     .value = "PATH", .help = "read the text from a file; \"-\" is standard input"},
    FLAG(special, "special", "recognise special tokens written out in the text"),
    FLAG(bos, "bos", "begin with the prefix the vocabulary asks for: the default with a model"),
    FLAG(no_bos, "no-bos", "leave it out: the default with --vocab"),
    FLAG(ids, "ids", "only the ids, on one line with commas between: input for decode"),
    FLAG(count, "count", "only how many they are"),
    FLAG(color, "color", "the text with its tokens in turning colours"),
    FLAG(json, "json", "one JSON object: count, ids, pieces"),
    FLAG(jsonl, "jsonl", "for each line {\"text\":...} or {\"text_b64\":...} of the input a line "
                         "{\"ids\":[...]}"),
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {
    {"Model", vocab_arg_options, offsetof(tokenize_args, vocab)},
    {"Options", options, 0},
};

static str piece_of(const rz_tokenizer *t, rz_token id) {
    size_t len = 0;
    const char *p = rz_token_piece(t, id, &len);
    return (str){p, p ? len : 0};
}

static void list_ids(const rz_token *ids, size_t n, buf *out) {
    for (size_t i = 0; i < n; i++) buf_printf(out, i ? ",%d" : "%d", ids[i]);
}

static void print_json(const rz_tokenizer *t, const rz_token *ids, size_t n, buf *out) {
    buf_printf(out, "{\"count\":%zu,\"ids\":[", n);
    list_ids(ids, n, out);
    buf_text(out, "],\"pieces\":[");
    for (size_t i = 0; i < n; i++) {
        if (i) buf_char(out, ',');
        json_write_string(out, piece_of(t, ids[i]));
    }
    buf_text(out, "]}\n");
}

static void print_table(const rz_tokenizer *t, const rz_token *ids, size_t n, buf *out) {
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "%8d  ", ids[i]);
        show_quoted(out, piece_of(t, ids[i]), 0);
        buf_char(out, '\n');
    }
}

/* Backgrounds in turn, so that neighbours differ; line ends are shown and made. */
static void print_color(const rz_tokenizer *t, const rz_token *ids, size_t n, buf *out) {
    static const int color[] = {153, 223, 157, 225, 229};
    for (size_t i = 0; i < n; i++) {
        size_t len = 0;
        const char *p = rz_token_bytes(t, ids[i], &len);
        const str bytes = rz_token_is_control(t, ids[i]) ? piece_of(t, ids[i]) : (str){p, len};
        buf_printf(out, "\033[30;48;5;%dm", color[i % (sizeof color / sizeof *color)]);
        show_plain(out, bytes, 0);
        buf_text(out, "\033[0m");
        if (bytes.len && bytes.p[bytes.len - 1] == '\n') buf_char(out, '\n');
    }
    buf_char(out, '\n');
}

static int flags_of(const tokenize_args *a) {
    const bool bos = a->bos || (!a->no_bos && !vocab_arg_alone(&a->vocab));
    return (bos ? RZ_ENCODE_BOS : 0) | (a->special ? RZ_ENCODE_SPECIAL : 0);
}

static status make(const tokenize_args *a, const rz_tokenizer *t, str text, buf *out, err *e) {
    rz_token *ids = NULL;
    size_t n = 0;
    TRY(input_encode(t, text, flags_of(a), &ids, &n, e));
    if (a->json) print_json(t, ids, n, out);
    else if (a->count) buf_printf(out, "%zu\n", n);
    else if (a->color) print_color(t, ids, n, out);
    else if (a->ids) {
        list_ids(ids, n, out);
        buf_char(out, '\n');
    } else print_table(t, ids, n, out);
    mem_free(ids);
    return RZ_OK;
}

static status check(const tokenize_args *a, err *e) {
    if (a->json + a->ids + a->count + a->color + a->jsonl > 1)
        return err_set(e, RZ_EINVAL, "--json, --ids, --count, --color and --jsonl: choose one");
    if (a->bos && a->no_bos) return err_set(e, RZ_EINVAL, "--bos and --no-bos: choose one");
    return RZ_OK;
}

static int tokenize(const cmd_call *c) {
    tokenize_args *a = c->values;
    buf text = BUF_INIT, out = BUF_INIT;
    vocab v = {NULL, NULL, NULL};
    size_t used = 0;
    err e = {0};
    status s = check(a, &e);
    if (s >= 0) s = vocab_arg_take(&a->vocab, c->rest, a->jsonl || a->file ? 0 : 1, &used, &e);
    if (s >= 0) s = model_arg_no_more(c->rest, used + !a->jsonl, &e);
    if (s >= 0 && !a->jsonl)
        s = input_text(c->rest->n > used ? c->rest->item[used] : NULL, a->file, "text", &text, &e);
    int code = CMD_OK;
    if (s == RZ_EINVAL) code = cmd_usage(c, "%s", e.text);
    else {
        if (s >= 0) s = vocab_arg_open(&a->vocab, &v, &e);
        if (s >= 0 && a->jsonl) s = tok_lines(v.t, flags_of(a), a->file, &e);
        else if (s >= 0) s = make(a, v.t, buf_view(&text), &out, &e);
        if (s < 0) code = cmd_failed(c, &e);
        else if (!a->jsonl) code = cmd_print(c, &out);
    }
    vocab_close(&v);
    buf_free(&text);
    buf_free(&out);
    return code;
}

const cmd_spec cmd_tokenize = {
    {"MODEL [OPTION ...] [TEXT]\n--demo [OPTION ...] [TEXT]\n--vocab NAME|FILE [OPTION ...] [TEXT]",
     "One line for each token: its id and how the vocabulary spells it. The text is the argument, "
     "a file, or standard input, byte for byte. Vocabularies are known by name where their files "
     "are in $REALIZAR_VOCAB_DIR or ~/.local/share/realizar/vocabs.",
     "tokenize --demo \"Once upon a time\"\ntokenize model.gguf --ids --no-bos < story.txt\n"
     "tokenize --vocab cl100k_base --count --file story.txt",
     groups, sizeof groups / sizeof *groups, sizeof(tokenize_args)},
    tokenize};
