/* fim.c - see fim.h. The order is that of training: prefix, suffix, middle (Bavarian et al. 2022,
 * PSM); models without a mark for the middle have learned suffix, prefix. What the user wrote is
 * encoded without special tokens, so that no text can be a mark. */
#include "server/fim.h"

#include <stdlib.h>

#include "server/native.h"

/* By the file's metadata, an older name of it, or the spellings in use. */
static const struct {
    size_t at;
    const char *key, *older;
    const char *const name[9];
} marks[] = {
    {offsetof(fim_marks, prefix),
     "tokenizer.ggml.fim_pre_token_id",
     "tokenizer.ggml.prefix_token_id",
     {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<PRE>", "\u2581<PRE>",
      "<\uff5cfim\u2581begin\uff5c>", "<|code_prefix|>", "[PREFIX]"}},
    {offsetof(fim_marks, suffix),
     "tokenizer.ggml.fim_suf_token_id",
     "tokenizer.ggml.suffix_token_id",
     {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<SUF>", "\u2581<SUF>",
      "<\uff5cfim\u2581hole\uff5c>", "<|code_suffix|>", "[SUFFIX]"}},
    {offsetof(fim_marks, middle),
     "tokenizer.ggml.fim_mid_token_id",
     "tokenizer.ggml.middle_token_id",
     {"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<MID>", "\u2581<MID>",
      "<\uff5cfim\u2581end\uff5c>", "<|code_middle|>", "[MIDDLE]"}},
    {offsetof(fim_marks, repo),
     "tokenizer.ggml.fim_rep_token_id",
     NULL,
     {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
    {offsetof(fim_marks, file), "tokenizer.ggml.fim_sep_token_id", NULL, {"<|file_sep|>"}},
};
enum { N_MARK = sizeof marks / sizeof *marks };

static rz_token *mark_at(fim_marks *m, int i) {
    return (rz_token *)(void *)((char *)m + marks[i].at);
}

static rz_token by_metadata(const server *s, const char *key) {
    char text[32];
    uint64_t id;
    if (!key || rz_model_meta(s->model, key, text, sizeof text) < 0) return -1;
    return str_u64(str_of(text), &id) && id < rz_tokenizer_size(s->tokenizer) ? (rz_token)id : -1;
}

static bool is_named(str piece, const char *const *name) {
    for (; *name; name++)
        if (str_is(piece, *name)) return true;
    return false;
}

static const fim_marks *find_marks(server *s) {
    fim_marks *m = &s->fim;
    if (m->known) return m;
    m->known = true;
    for (int i = 0; i < N_MARK; i++) {
        *mark_at(m, i) = by_metadata(s, marks[i].key);
        if (*mark_at(m, i) < 0) *mark_at(m, i) = by_metadata(s, marks[i].older);
    }
    const size_t n = rz_tokenizer_size(s->tokenizer);
    for (size_t id = 0; id < n; id++) {
        str piece;
        piece.p = rz_token_piece(s->tokenizer, (rz_token)id, &piece.len);
        for (int i = 0; piece.p && i < N_MARK; i++)
            if (*mark_at(m, i) < 0 && is_named(piece, marks[i].name)) *mark_at(m, i) = (rz_token)id;
    }
    return m;
}

/* Ids being put together. */
typedef struct ids {
    server *srv;
    buf b;
    err e;
    bool failed;
} ids;

static void add_mark(ids *x, rz_token id) {
    if (id >= 0) buf_add(&x->b, &id, sizeof id);
}

static void add_text(ids *x, str text) {
    size_t n;
    if (x->failed || !text.len) return;
    x->failed = native_encode(x->srv, text, 0, &n, &x->e) < 0;
    if (!x->failed) buf_add(&x->b, x->srv->ids, n * sizeof *x->srv->ids);
}

/* Does a text begin with BOS? */
static void add_begin(ids *x) {
    const rz_token bos = rz_token_special(x->srv->tokenizer, RZ_BOS);
    size_t n = 0;
    if (bos >= 0 && native_encode(x->srv, STR_LIT(""), RZ_ENCODE_BOS, &n, &x->e) == RZ_OK && n &&
        x->srv->ids[0] == bos)
        add_mark(x, bos);
}

static str member(const json *v, const char *key) {
    const json *t = json_get(v, key);
    return t && t->kind == JSON_STRING ? t->text : STR_LIT("");
}

/* Other files stand in front: behind marks of their own where the model knows them. */
static void add_extra(ids *x, const fim_marks *m, const json *extra) {
    if (!extra || !extra->n) return;
    const bool marked = m->file >= 0;
    if (marked && m->repo >= 0) {
        add_mark(x, m->repo);
        add_text(x, STR_LIT("project\n"));
    }
    for (const json *v = extra->child; v; v = v->next) {
        add_mark(x, m->file);
        if (marked && member(v, "filename").len) {
            add_text(x, member(v, "filename"));
            add_text(x, STR_LIT("\n"));
        }
        add_text(x, member(v, "text"));
        add_text(x, STR_LIT("\n"));
    }
    if (marked) add_mark(x, m->file);
}

void fim_prompt(fields *f, job *j, uint32_t i, const fim_parts *p) {
    server *s = j->srv;
    const fim_marks *m = find_marks(s);
    if (m->prefix < 0 || m->suffix < 0) {
        fields_fail(f, 501, "this model has no tokens for filling in the middle");
        return;
    }
    ids x = {.srv = s, .b = BUF_INIT};
    add_begin(&x);
    add_extra(&x, m, p->extra);
    const bool suffix_first = m->middle < 0;
    if (suffix_first) {
        add_mark(&x, m->suffix);
        add_text(&x, p->suffix);
    }
    add_mark(&x, m->prefix);
    add_text(&x, p->prefix);
    if (!suffix_first) {
        add_mark(&x, m->suffix);
        add_text(&x, p->suffix);
        add_mark(&x, m->middle);
    }
    add_text(&x, p->begun);
    const size_t n = x.b.len / sizeof(rz_token), room = server_context(s);
    if (x.failed) fields_fail(f, 500, "%s", x.e.text);
    else if (!x.b.failed && n >= room)
        fields_fail(f, 400, "the prompt is %zu tokens long, the context holds %zu", n, room);
    else if (x.b.failed || !job_set_prompt(j, i, (const rz_token *)(const void *)x.b.p, n))
        fields_fail(f, 500, "out of memory");
    buf_free(&x.b);
}
