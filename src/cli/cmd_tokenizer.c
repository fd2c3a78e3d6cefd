/* cmd_tokenizer.c - realizar tokenizer info|compare: what a vocabulary is, and where two differ. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/input.h"
#include "cli/show.h"
#include "cli/vocab_arg.h"
#include "json/json.h"

typedef struct tokenizer_args {
    const char *file;
    bool json, special;
} tokenizer_args;

/* clang-format off */
static const arg_option options[] = {
    {.name = "file", .letter = 'f', .kind = ARG_TEXT, .at = offsetof(tokenizer_args, file),
     .value = "PATH", .help = "compare: the text; \"-\" is standard input"},
    {.name = "special", .kind = ARG_FLAG, .at = offsetof(tokenizer_args, special),
     .help = "info: list the special tokens"},
    {.name = "json", .kind = ARG_FLAG, .at = offsetof(tokenizer_args, json),
     .help = "one JSON object"},
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {{"Options", options, 0}};

static const struct {
    const char *name;
    rz_special which;
} roles[] = {{"bos", RZ_BOS}, {"eos", RZ_EOS}, {"eot", RZ_EOT}, {"pad", RZ_PAD}, {"unk", RZ_UNK}};

static str piece_of(const rz_tokenizer *t, rz_token id) {
    size_t len = 0;
    const char *p = rz_token_piece(t, id, &len);
    return (str){p, p ? len : 0};
}

typedef struct counts {
    size_t tokens, control, longest, bytes;
} counts;

static counts count_tokens(const rz_tokenizer *t) {
    counts c = {0, 0, 0, 0};
    for (size_t id = 0; id < rz_tokenizer_size(t); id++) {
        size_t len = 0;
        if (!rz_token_bytes(t, (rz_token)id, &len)) continue;
        c.tokens++;
        c.control += rz_token_is_control(t, (rz_token)id) != 0;
        c.bytes += len;
        if (len > c.longest) c.longest = len;
    }
    return c;
}

static void info_json(const rz_tokenizer *t, counts c, bool special, buf *out) {
    buf_printf(out, "{\"kind\":\"%s\",\"size\":%zu,\"tokens\":%zu,\"control\":%zu,\"longest\":%zu",
               rz_tokenizer_kind(t), rz_tokenizer_size(t), c.tokens, c.control, c.longest);
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        buf_printf(out, ",\"%s\":%d", roles[i].name, rz_token_special(t, roles[i].which));
    const char *between = ",\"special\":{";
    for (size_t id = 0; special && id < rz_tokenizer_size(t); id++) {
        if (!rz_token_is_control(t, (rz_token)id)) continue;
        buf_text(out, between);
        json_write_string(out, piece_of(t, (rz_token)id));
        buf_printf(out, ":%zu", id);
        between = ",";
    }
    buf_text(out, special && c.control ? "}}\n" : "}\n");
}

static void info_text(const rz_tokenizer *t, counts c, bool special, buf *out) {
    buf_printf(out, "  kind      %s\n  ids       %zu, %zu of them tokens, %zu control tokens\n",
               rz_tokenizer_kind(t), rz_tokenizer_size(t), c.tokens, c.control);
    buf_printf(out, "  bytes     %.1f in a token, at most %zu\n",
               c.tokens ? (double)c.bytes / (double)c.tokens : 0.0, c.longest);
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        const rz_token id = rz_token_special(t, roles[i].which);
        if (id < 0) continue;
        buf_printf(out, "  %s       %d  ", roles[i].name, id);
        show_quoted(out, piece_of(t, id), 60);
        buf_char(out, '\n');
    }
    for (size_t id = 0; special && id < rz_tokenizer_size(t); id++) {
        if (!rz_token_is_control(t, (rz_token)id)) continue;
        buf_printf(out, "%10zu  ", id);
        show_quoted(out, piece_of(t, (rz_token)id), 0);
        buf_char(out, '\n');
    }
}

/* A model file's, or a vocabulary by itself: whatever the word names. */
static status open_word(const char *word, vocab *v, err *e) {
    vocab_arg a = {.vocab = word};
    if (strcmp(word, "demo") == 0) a = (vocab_arg){.model.demo = true};
    return vocab_arg_open(&a, v, e);
}

static status info(const tokenizer_args *a, const arg_list *rest, buf *out, err *e) {
    vocab v;
    if (rest->n != 2) return err_set(e, RZ_EINVAL, "info: expected one vocabulary or file");
    TRY(open_word(rest->item[1], &v, e));
    const counts c = count_tokens(v.t);
    if (a->json) info_json(v.t, c, a->special, out);
    else info_text(v.t, c, a->special, out);
    vocab_close(&v);
    return RZ_OK;
}

/* One row of a comparison. */
static status compare_one(const tokenizer_args *a, const char *word, str text, bool first, buf *out,
                          err *e) {
    vocab v;
    rz_token *ids = NULL;
    size_t n = 0, differ = 0;
    TRY(open_word(word, &v, e));
    const status s = input_encode(v.t, text, 0, &ids, &n, e);
    for (size_t i = 0; s >= 0 && i < n; i++) differ += rz_token_is_control(v.t, ids[i]) != 0;
    const double each = n ? (double)text.len / (double)n : 0.0;
    if (s >= 0 && a->json) {
        buf_text(out, first ? "[{\"vocab\":" : ",\n {\"vocab\":");
        json_write_string(out, str_of(word));
        buf_printf(out, ",\"tokens\":%zu,\"unknown\":%zu,\"bytes_per_token\":%.4f}", n, differ,
                   each);
    } else if (s >= 0) {
        if (first)
            buf_printf(out, "%10s %12s %8s  vocabulary\n", "tokens", "bytes/token", "unknown");
        buf_printf(out, "%10zu %12.3f %8zu  %s\n", n, each, differ, word);
    }
    mem_free(ids);
    vocab_close(&v);
    return s;
}

static status compare(const tokenizer_args *a, const arg_list *rest, buf *out, err *e) {
    buf text = BUF_INIT;
    if (rest->n < 3) return err_set(e, RZ_EINVAL, "compare: expected two vocabularies or more");
    status s = input_text(NULL, a->file, "text", &text, e);
    for (size_t i = 1; s >= 0 && i < rest->n; i++)
        s = compare_one(a, rest->item[i], buf_view(&text), i == 1, out, e);
    if (s >= 0 && a->json) buf_text(out, "]\n");
    buf_free(&text);
    return s;
}

static int tokenizer(const cmd_call *c) {
    const tokenizer_args *a = c->values;
    const char *what = c->rest->n ? c->rest->item[0] : "";
    buf out = BUF_INIT;
    err e = {0};
    status s;
    if (strcmp(what, "info") == 0) s = info(a, c->rest, &out, &e);
    else if (strcmp(what, "compare") == 0) s = compare(a, c->rest, &out, &e);
    else s = err_set(&e, RZ_EINVAL, "\"%.40s\": expected info or compare", what);
    if (s >= 0) return cmd_print(c, &out);
    buf_free(&out);
    return s == RZ_EINVAL ? cmd_usage(c, "%s", e.text) : cmd_failed(c, &e);
}

const cmd_spec cmd_tokenizer = {
    {"info VOCAB [--special] [--json]\ncompare VOCAB VOCAB ... [--file PATH] [--json]",
     "info: kind, size and special tokens of a vocabulary. compare: how many tokens a text takes "
     "in each of several. VOCAB is a name such as cl100k_base, a tokenizer file, a model file, or "
     "demo.",
     "tokenizer info cl100k_base --special\ntokenizer compare cl100k_base o200k_base --file a.txt",
     groups, sizeof groups / sizeof *groups, sizeof(tokenizer_args)},
    tokenizer};
