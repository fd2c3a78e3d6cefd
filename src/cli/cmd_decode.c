/* cmd_decode.c - realizar decode: token ids to text, byte for byte. */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "cli/input.h"
#include "cli/vocab_arg.h"
#include "json/json.h"

typedef struct decode_args {
    vocab_arg vocab;
    const char *ids;
    bool json;
} decode_args;

/* clang-format off */
static const arg_option options[] = {
    {.name = "ids", .letter = 'i', .kind = ARG_TEXT, .at = offsetof(decode_args, ids),
     .value = "1,2,3",
     .help = "the ids, with commas or spaces between; instead of the argument IDS"},
    {.name = "json", .kind = ARG_FLAG, .at = offsetof(decode_args, json),
     .help = "one JSON object: count, text"},
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {
    {"Model", vocab_arg_options, offsetof(decode_args, vocab)},
    {"Options", options, 0},
};

/* --ids, else the arguments behind the model, else standard input. */
static status read_ids(decode_args *a, const arg_list *rest, rz_token **ids, size_t *n, err *e) {
    buf text = BUF_INIT;
    size_t used;
    TRY(vocab_arg_take(&a->vocab, rest, a->ids ? 0 : SIZE_MAX, &used, e));
    if (a->ids) TRY(model_arg_no_more(rest, used, e));
    status s = RZ_OK;
    if (a->ids || rest->n == used) s = input_text(a->ids, NULL, "ids", &text, e);
    else if (strcmp(rest->item[used], "-") == 0 && rest->n == used + 1)
        s = input_text("-", NULL, "ids", &text, e);
    else
        for (size_t i = used; i < rest->n; i++) {
            buf_text(&text, rest->item[i]);
            buf_char(&text, ' ');
        }
    if (s >= 0 && text.failed) s = err_set(e, RZ_ENOMEM, "out of memory for token ids");
    if (s >= 0) s = input_ids(buf_view(&text), "ids", ids, n, e);
    buf_free(&text);
    return s;
}

static status make(const decode_args *a, const rz_tokenizer *t, const rz_token *ids, size_t n,
                   buf *out, err *e) {
    size_t len = 0, again = 0;
    buf text = BUF_INIT;
    TRY(rz_decode(t, ids, n, NULL, 0, &len, e));
    char *to = buf_reserve(&text, len + 1);
    status s = to ? rz_decode(t, ids, n, to, len, &again, e)
                  : err_set(e, RZ_ENOMEM, "out of memory for the text");
    if (s >= 0) {
        text.len = len;
        if (a->json) {
            buf_printf(out, "{\"count\":%zu,\"text\":", n);
            json_write_string(out, buf_view(&text));
            buf_text(out, "}\n");
        } else {
            buf_str(out, buf_view(&text));
            if (os_is_terminal(STDOUT_FILENO)) buf_char(out, '\n');
        }
    }
    buf_free(&text);
    return s;
}

static int decode(const cmd_call *c) {
    decode_args *a = c->values;
    vocab v = {NULL, NULL, NULL};
    rz_token *ids = NULL;
    size_t n = 0;
    buf out = BUF_INIT;
    err e = {0};
    status s = read_ids(a, c->rest, &ids, &n, &e);
    int code;
    if (s == RZ_EINVAL) code = cmd_usage(c, "%s", e.text);
    else {
        if (s >= 0) s = vocab_arg_open(&a->vocab, &v, &e);
        if (s >= 0) s = make(a, v.t, ids, n, &out, &e);
        code = s < 0 ? cmd_failed(c, &e) : cmd_print(c, &out);
    }
    vocab_close(&v);
    mem_free(ids);
    buf_free(&out);
    return code;
}

const cmd_spec cmd_decode = {
    {"MODEL [OPTION ...] [IDS ...]\n--demo [OPTION ...] [IDS ...]\n--vocab NAME|FILE [OPTION ...] "
     "[IDS ...]",
     "The text the ids stand for, exactly: a line end is added only on a terminal. Control tokens "
     "have no text. Ids are arguments, --ids, or standard input.",
     "decode --demo --ids 1,5,9\ntokenize m.gguf --ids \"a b\" | realizar decode m.gguf", groups,
     sizeof groups / sizeof *groups, sizeof(decode_args)},
    decode};
