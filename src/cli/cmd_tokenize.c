/* cmd_tokenize.c - realizar tokenize: text to ids, with the pieces they stand for. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/input.h"
#include "cli/model_arg.h"
#include "cli/show.h"
#include "json/json.h"

typedef struct tokenize_args {
    model_arg model;
    const char *file;
    bool special, no_bos, json, ids;
} tokenize_args;

/* clang-format off */
#define FLAG(id, n, h) \
    {.name = (n), .kind = ARG_FLAG, .at = offsetof(tokenize_args, id), .help = (h)}
static const arg_option options[] = {
    {.name = "file", .letter = 'f', .kind = ARG_TEXT, .at = offsetof(tokenize_args, file),
     .value = "PATH", .help = "read the text from a file; \"-\" is standard input"},
    FLAG(special, "special", "recognise special tokens written out in the text"),
    FLAG(no_bos, "no-bos", "leave out the prefix the model asks for"),
    FLAG(ids, "ids", "only the ids, on one line with commas between: input for decode"),
    FLAG(json, "json", "one JSON object: count, ids, pieces"),
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {
    {"Model", model_arg_options, offsetof(tokenize_args, model)},
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

static status make(const tokenize_args *a, rz_model *m, str text, buf *out, err *e) {
    const rz_tokenizer *t = rz_model_tokenizer(m);
    rz_token *ids = NULL;
    size_t n = 0;
    const int flags = (a->no_bos ? 0 : RZ_ENCODE_BOS) | (a->special ? RZ_ENCODE_SPECIAL : 0);
    if (!t) return err_set(e, RZ_EUNSUPPORTED, "this model file has no tokenizer");
    TRY(input_encode(t, text, flags, &ids, &n, e));
    if (a->json) print_json(t, ids, n, out);
    else if (a->ids) {
        list_ids(ids, n, out);
        buf_char(out, '\n');
    } else print_table(t, ids, n, out);
    mem_free(ids);
    return RZ_OK;
}

static int tokenize(const cmd_call *c) {
    tokenize_args *a = c->values;
    buf text = BUF_INIT, out = BUF_INIT;
    rz_model *m = NULL;
    size_t used = 0;
    err e = {0};
    status s = a->json && a->ids ? err_set(&e, RZ_EINVAL, "--json and --ids: choose one") : RZ_OK;
    if (s >= 0) s = model_arg_take(&a->model, c->rest, &used, &e);
    if (s >= 0) s = model_arg_no_more(c->rest, used + 1, &e);
    if (s >= 0)
        s = input_text(c->rest->n > used ? c->rest->item[used] : NULL, a->file, "text", &text, &e);
    int code;
    if (s == RZ_EINVAL) code = cmd_usage(c, "%s", e.text);
    else {
        if (s >= 0) s = model_arg_open(&a->model, NULL, &m, &e);
        if (s >= 0) s = make(a, m, buf_view(&text), &out, &e);
        code = s < 0 ? cmd_failed(c, &e) : cmd_print(c, &out);
    }
    rz_model_close(m);
    buf_free(&text);
    buf_free(&out);
    return code;
}

const cmd_spec cmd_tokenize = {
    {"MODEL [OPTION ...] [TEXT]\n--demo [OPTION ...] [TEXT]",
     "One line for each token: its id and how the vocabulary spells it. The text is the argument, "
     "a "
     "file, or standard input, byte for byte.",
     "tokenize --demo \"Once upon a time\"\ntokenize model.gguf --ids --no-bos < story.txt", groups,
     sizeof groups / sizeof *groups, sizeof(tokenize_args)},
    tokenize};
