/* tok_tekken.c - Mistral's tekken.json: tokens with their ranks, the pattern that splits a text,
 * and special tokens in front of them. The id of a token is its rank plus the number of special
 * ones. */
#include <stdio.h>

#include "base/base64.h"
#include "base/mem.h"
#include "json/json.h"
#include "tokenizer/tok_impl.h"

enum { MAX_SPECIAL = 1 << 16 };

/* What files without a list of special tokens mean. */
static const char *const usual[] = {"<unk>",
                                    "<s>",
                                    "</s>",
                                    "[INST]",
                                    "[/INST]",
                                    "[AVAILABLE_TOOLS]",
                                    "[/AVAILABLE_TOOLS]",
                                    "[TOOL_RESULTS]",
                                    "[/TOOL_RESULTS]",
                                    "[TOOL_CALLS]",
                                    "[IMG]",
                                    "<pad>",
                                    "[IMG_BREAK]",
                                    "[IMG_END]",
                                    "[PREFIX]",
                                    "[MIDDLE]",
                                    "[SUFFIX]",
                                    "[SYSTEM_PROMPT]",
                                    "[/SYSTEM_PROMPT]",
                                    "[TOOL_CONTENT]"};

typedef struct tekken {
    tok *t;
    const char *path;
    const json *root, *config;
    str *text; /* [n] */
    int64_t n, n_special;
    str pattern;
} tekken;

static status expected(const tekken *k, const char *what, const char *where, err *e) {
    return err_set(e, RZ_EFORMAT, "%s: %s: expected %s", k->path, where, what);
}

static status no_memory(err *e) { return err_set(e, RZ_ENOMEM, "tokenizer: out of memory"); }

static status keep(tekken *k, int64_t id, str text, bool control, const char *where, err *e) {
    if (k->text[id].len)
        return err_set(e, RZ_EFORMAT, "%s: %s: id %lld a second time", k->path, where,
                       (long long)id);
    char *copy = arena_copy(&k->t->mem, text.p, text.len);
    if (!copy) return no_memory(e);
    k->text[id] = (str){copy, text.len};
    k->t->type[id] = control ? TOK_CONTROL : TOK_NORMAL;
    return RZ_OK;
}

static status read_config(tekken *k, err *e) {
    const json *pattern = json_get(k->config, "pattern");
    const json *vocab = json_get(k->root, "vocab");
    if (!pattern || pattern->kind != JSON_STRING)
        return expected(k, "a regular expression", "config.pattern", e);
    k->pattern = pattern->text;
    if (!json_int(json_get(k->config, "default_num_special_tokens"), 0, MAX_SPECIAL, &k->n_special))
        return expected(k, "a number up to 65536", "config.default_num_special_tokens", e);
    if (!vocab || vocab->kind != JSON_ARRAY || vocab->n == 0)
        return expected(k, "a list of tokens", "vocab", e);
    const int64_t most = (int64_t)vocab->n + k->n_special;
    if (!json_int(json_get(k->config, "default_vocab_size"), k->n_special + 1, TOK_MAX_SIZE, &k->n))
        return expected(k, "a number above that of special tokens", "config.default_vocab_size", e);
    if (k->n > most) k->n = most;
    return RZ_OK;
}

static status read_specials(tekken *k, err *e) {
    const json *list = json_get(k->root, "special_tokens");
    char text[64];
    const size_t n_usual = sizeof usual / sizeof *usual;
    const bool given = list && list->kind == JSON_ARRAY;
    size_t i = 0;
    for (const json *c = given ? list->child : NULL; c; c = c->next, i++) {
        const json *name = json_get(c, "token_str");
        int64_t id;
        snprintf(text, sizeof text, "special_tokens[%zu]", i);
        if (!name || name->kind != JSON_STRING || name->text.len == 0 ||
            !json_int(json_get(c, "rank"), 0, k->n_special - 1, &id))
            return expected(k, "token_str and a rank below the number of special tokens", text, e);
        TRY(keep(k, id, name->text, true, text, e));
    }
    for (int64_t id = 0; id < k->n_special; id++) {
        if (k->text[id].len) continue;
        if (!given && (size_t)id < n_usual) snprintf(text, sizeof text, "%s", usual[id]);
        else snprintf(text, sizeof text, "<SPECIAL_%lld>", (long long)id);
        TRY(keep(k, id, str_of(text), true, "special_tokens", e));
    }
    return RZ_OK;
}

static status read_token(tekken *k, const json *v, size_t i, buf *bytes, err *e) {
    const json *text = json_get(v, "token_bytes");
    char where[64];
    int64_t rank;
    snprintf(where, sizeof where, "vocab[%zu]", i);
    if (!json_int(json_get(v, "rank"), 0, TOK_MAX_SIZE, &rank))
        return expected(k, "a rank", where, e);
    if (rank + k->n_special >= k->n) return RZ_OK; /* of a larger vocabulary */
    if (!text || text->kind != JSON_STRING) return expected(k, "token_bytes", where, e);
    buf_clear(bytes);
    char *to = buf_reserve(bytes, text->text.len + 1);
    if (!to) return no_memory(e);
    const size_t n = base64_decode(text->text, to);
    if (n == SIZE_MAX || n == 0) return expected(k, "token_bytes in base64", where, e);
    return keep(k, rank + k->n_special, (str){to, n}, false, where, e);
}

static int32_t named(const tekken *k, const char *text) {
    for (int64_t id = 0; id < k->n_special; id++)
        if (str_is(k->text[id], text)) return (int32_t)id;
    return -1;
}

static status read_all(tekken *k, err *e) {
    tok *t = k->t;
    k->config = json_get(k->root, "config");
    TRY(read_config(k, e));
    t->n = (size_t)k->n;
    k->text = arena_zero(&t->mem, t->n, sizeof *k->text);
    t->type = arena_alloc(&t->mem, t->n);
    t->flags = arena_zero(&t->mem, t->n, 1);
    if (!k->text || !t->type || !t->flags) return no_memory(e);
    memset(t->type, TOK_ABSENT, t->n);
    TRY(read_specials(k, e));
    buf bytes = BUF_INIT;
    status s = RZ_OK;
    size_t i = 0;
    for (const json *c = json_get(k->root, "vocab")->child; c && s >= 0; c = c->next)
        s = read_token(k, c, i++, &bytes, e);
    buf_free(&bytes);
    TRY(s);
    const int32_t special[TOK_SPECIAL_COUNT] = {[RZ_BOS] = named(k, "<s>"),
                                                [RZ_EOS] = named(k, "</s>"),
                                                [RZ_EOT] = -1,
                                                [RZ_PAD] = named(k, "<pad>"),
                                                [RZ_UNK] = named(k, "<unk>")};
    memcpy(t->special, special, sizeof special);
    if (special[RZ_BOS] >= 0) t->before[t->n_before++] = special[RZ_BOS];
    return tok_rank_finish(t, k->text, k->path, &k->pattern, 1, e);
}

bool tok_looks_like_tekken(const json *root) {
    return json_get(json_get(root, "config"), "default_num_special_tokens") != NULL;
}

status tok_open_tekken(tok **out, const char *path, const json *root, err *e) {
    tok *t = mem_zero(sizeof *t);
    if (!t) return no_memory(e);
    tekken k = {.t = t, .path = path, .root = root};
    const status s = read_all(&k, e);
    if (s < 0) {
        tok_close(t);
        return s;
    }
    *out = t;
    return RZ_OK;
}
