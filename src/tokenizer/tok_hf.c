/* tok_hf.c - Hugging Face tokenizer.json: vocabulary and added tokens, and what to look for beside
 * it. The other parts are in tok_hf_*.c. Other tokenizers in JSON are handed on from here. */
#include "tokenizer/tok_hf.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"

/* ---- Reading JSON ---- */

status hf_no_memory(err *e) { return err_set(e, RZ_ENOMEM, "tokenizer: out of memory"); }

/* Short texts as they are, everything else by its kind. */
static void found_text(const json *v, buf *out) {
    if (!v) buf_text(out, "missing");
    else if (v->kind == JSON_STRING) buf_printf(out, "\"%.*s\"", STR_FMT(v->text));
    else if (v->kind == JSON_NUMBER) buf_printf(out, "%.*s", STR_FMT(v->text));
    else if (v->kind == JSON_BOOL) buf_text(out, v->truth ? "true" : "false");
    else buf_printf(out, "%s", json_kind_name(v->kind));
}

status hf_expected(const hf *h, const char *where, const char *key, const json *found,
                   const char *what, err *e) {
    buf text = BUF_INIT;
    found_text(found, &text);
    const char *p = buf_cstr(&text);
    const status s = err_set(e, RZ_EFORMAT, "%s: %s%s%s is %s, expected %s", h->path, where,
                             key ? "." : "", key ? key : "", p ? p : "wrong", what);
    buf_free(&text);
    return s;
}

status hf_unknown(const hf *h, const char *where, const json *v, err *e) {
    const json *type = json_get(v, "type");
    if (!type || type->kind != JSON_STRING) return hf_expected(h, where, "type", type, "a name", e);
    return err_set(e, RZ_EUNSUPPORTED, "%s: %s.type is \"%.*s\", which this build does not know",
                   h->path, where, STR_FMT(type->text));
}

/* A member that is there and not null. */
static const json *member(const json *v, const char *key) {
    const json *m = json_get(v, key);
    return m && m->kind != JSON_NULL ? m : NULL;
}

status hf_bool(const hf *h, const json *v, const char *where, const char *key, bool *out, err *e) {
    const json *m = member(v, key);
    if (!m) return RZ_OK;
    if (m->kind != JSON_BOOL) return hf_expected(h, where, key, m, "true or false", e);
    *out = m->truth;
    return RZ_OK;
}

status hf_str(const hf *h, const json *v, const char *where, const char *key, str *out, err *e) {
    const json *m = member(v, key);
    if (!m) return RZ_OK;
    if (m->kind != JSON_STRING) return hf_expected(h, where, key, m, "a string", e);
    *out = m->text;
    return RZ_OK;
}

status hf_u32(const hf *h, const json *v, const char *where, const char *key, uint32_t *out,
              err *e) {
    const json *m = member(v, key);
    int64_t n;
    if (!m) return RZ_OK;
    if (!json_int(m, 0, UINT32_MAX, &n)) return hf_expected(h, where, key, m, "a whole number", e);
    *out = (uint32_t)n;
    return RZ_OK;
}

status hf_each(hf *h, const json *v, const char *where, const char *key, hf_read *fn, err *e) {
    const json *list = json_get(v, key);
    if (!list || list->kind != JSON_ARRAY) return hf_expected(h, where, key, list, "an array", e);
    size_t i = 0;
    for (const json *c = list->child; c; c = c->next) {
        char at[HF_PATH];
        snprintf(at, sizeof at, "%.*s.%s[%zu]", HF_PATH - 48, where, key, i++);
        TRY(fn(h, c, at, e));
    }
    return RZ_OK;
}

bool hf_is(const json *v, const char *type) {
    const json *t = json_get(v, "type");
    return t && t->kind == JSON_STRING && str_is(t->text, type);
}

status hf_pattern(const hf *h, const json *v, const char *where, str *out, bool *regex, err *e) {
    const json *text = v && v->kind == JSON_STRING ? v : json_get(v, "String");
    const json *expression = json_get(v, "Regex");
    if (!text) text = expression;
    *regex = text && text == expression;
    if (!text || text->kind != JSON_STRING)
        return hf_expected(h, where, "pattern", v, "a String or a Regex", e);
    *out = text->text;
    return RZ_OK;
}

str hf_keep(hf *h, str s) { return (str){arena_copy(&h->t->mem, s.len ? s.p : "", s.len), s.len}; }

/* ---- Vocabulary ---- */

static status entry_error(const hf *h, const char *what, size_t i, const json *found,
                          const char *expected, err *e) {
    char where[HF_PATH];
    snprintf(where, sizeof where, "%s[%zu]", what, i);
    return hf_expected(h, where, NULL, found, expected, e);
}

/* Ids are dense in real files; a file of n entries may not ask for many more than n. */
static size_t id_limit(size_t entries) {
    const size_t most = entries * 2 + 65536;
    return most < TOK_MAX_SIZE ? most : TOK_MAX_SIZE;
}

/* Vocabularies come as {"piece": id} or, of Unigram, as [["piece", score]]. */
static status vocab_entry(const hf *h, const json *v, size_t i, size_t limit, str *piece,
                          size_t *id, err *e) {
    int64_t n = (int64_t)i;
    *piece = v->key;
    if (json_get(h->model, "vocab")->kind == JSON_ARRAY) {
        if (v->kind != JSON_ARRAY || v->n != 2 || v->child->kind != JSON_STRING ||
            v->child->next->kind != JSON_NUMBER)
            return entry_error(h, "model.vocab", i, v, "a piece and its score", e);
        *piece = v->child->text;
    } else if (!json_int(v, 0, (int64_t)limit - 1, &n)) {
        char what[64];
        snprintf(what, sizeof what, "an id below %zu", limit);
        return entry_error(h, "model.vocab", i, v, what, e);
    }
    *id = (size_t)n;
    return RZ_OK;
}

static const json *vocab_of(const hf *h) { return json_get(h->model, "vocab"); }

static status check_added(const hf *h, const json *list, size_t limit, size_t *max_id, err *e) {
    size_t i = 0;
    for (const json *c = list ? list->child : NULL; c; c = c->next, i++) {
        const json *text = json_get(c, "content"), *id = json_get(c, "id");
        int64_t n;
        if (!text || text->kind != JSON_STRING)
            return entry_error(h, "added_tokens", i, text, "content that is a string", e);
        if (!json_int(id, 0, (int64_t)limit - 1, &n))
            return entry_error(h, "added_tokens", i, id, "an id that is not far from the others",
                               e);
        if ((size_t)n + 1 > *max_id) *max_id = (size_t)n + 1;
    }
    return RZ_OK;
}

static status make_arrays(hf *h, size_t n, err *e) {
    tok *t = h->t;
    t->n = n;
    h->piece = arena_zero(&t->mem, n, sizeof *h->piece);
    t->type = arena_alloc(&t->mem, n);
    t->flags = arena_zero(&t->mem, n, 1);
    if (!h->piece || !t->type || !t->flags) return hf_no_memory(e);
    memset(t->type, TOK_ABSENT, n);
    t->piece = h->piece;
    return RZ_OK;
}

static status set_piece(hf *h, size_t id, str piece, const char *what, size_t i, err *e) {
    if (h->t->type[id] != TOK_ABSENT)
        return err_set(e, RZ_EFORMAT, "%s: %s[%zu] \"%.*s\" has id %zu like \"%.*s\"", h->path,
                       what, i, STR_FMT(piece), id, STR_FMT(h->piece[id]));
    h->piece[id] = hf_keep(h, piece);
    h->t->type[id] = TOK_NORMAL;
    return h->piece[id].p ? RZ_OK : hf_no_memory(e);
}

static status read_vocab(hf *h, const json *added, err *e) {
    const json *v = vocab_of(h);
    if (!v || (v->kind != JSON_OBJECT && v->kind != JSON_ARRAY))
        return hf_expected(h, "model", "vocab", v, "an object or an array", e);
    if (added && added->kind == JSON_NULL) added = NULL;
    if (added && added->kind != JSON_ARRAY)
        return hf_expected(h, "added_tokens", NULL, added, "an array", e);
    const size_t limit = id_limit((size_t)v->n + (added ? added->n : 0));
    size_t n = 0, i = 0, id;
    str piece;
    for (const json *c = v->child; c; c = c->next, i++) {
        TRY(vocab_entry(h, c, i, limit, &piece, &id, e));
        if (id + 1 > n) n = id + 1;
    }
    TRY(check_added(h, added, limit, &n, e));
    if (n == 0) return hf_expected(h, "model", "vocab", v, "at least one token", e);
    TRY(make_arrays(h, n, e));
    i = 0;
    for (const json *c = v->child; c; c = c->next, i++) {
        TRY(vocab_entry(h, c, i, limit, &piece, &id, e));
        TRY(set_piece(h, id, piece, "model.vocab", i, e));
    }
    if (!tok_index_init(&h->x, h->piece, n)) return hf_no_memory(e);
    return RZ_OK;
}

static void index_all(hf *h) {
    uint32_t other;
    for (uint32_t id = 0; id < h->t->n; id++)
        if (h->t->type[id] != TOK_ABSENT) tok_index_add(&h->x, id, &other);
}

/* ---- Added tokens ---- */

static status add_flag(const hf *h, const json *c, const char *where, const char *key, uint8_t flag,
                       uint8_t *flags, err *e) {
    bool on = false;
    TRY(hf_bool(h, c, where, key, &on, e));
    if (on) *flags |= flag;
    return RZ_OK;
}

/* Pieces of added tokens that the vocabulary does not have. Where it has one its id counts. */
static status place_added(hf *h, const json *list, err *e) {
    size_t i = 0;
    for (const json *c = list ? list->child : NULL; c; c = c->next, i++) {
        const str text = json_get(c, "content")->text;
        int64_t id = 0;
        (void)json_int(json_get(c, "id"), 0, INT32_MAX, &id);
        if (tok_index_find(&h->x, text) != TOK_NO_ID) continue;
        if (text.len) TRY(set_piece(h, (size_t)id, text, "added_tokens", i, e));
    }
    return RZ_OK;
}

/* The text under which a token is found in a rewritten text is rewritten itself. */
static status find_normalized(hf *h, uint32_t id, str text, bool always, err *e) {
    buf work[2] = {BUF_INIT, BUF_INIT};
    str s = tok_norm_apply(&h->t->own_norm, text, work);
    status st = RZ_OK;
    if (work[0].failed || work[1].failed) st = hf_no_memory(e);
    if (st >= 0) s = hf_keep(h, s);
    if (st >= 0 && (!s.p || !tok_special_add(&h->t->normalized, s, (int32_t)id, always)))
        st = hf_no_memory(e);
    buf_free(&work[0]);
    buf_free(&work[1]);
    return st;
}

static status read_added(hf *h, const json *list, err *e) {
    tok *t = h->t;
    size_t i = 0;
    for (const json *c = list ? list->child : NULL; c; c = c->next, i++) {
        char where[HF_PATH];
        uint8_t flags = 0;
        bool special = false;
        const uint32_t id = tok_index_find(&h->x, json_get(c, "content")->text);
        if (id == TOK_NO_ID) continue; /* an empty text */
        snprintf(where, sizeof where, "added_tokens[%zu]", i);
        TRY(add_flag(h, c, where, "lstrip", TOK_STRIPS_LEFT, &flags, e));
        TRY(add_flag(h, c, where, "rstrip", TOK_STRIPS_RIGHT, &flags, e));
        TRY(add_flag(h, c, where, "single_word", TOK_WHOLE_WORD, &flags, e));
        TRY(hf_bool(h, c, where, "special", &special, e));
        bool normalized = !special;
        TRY(hf_bool(h, c, where, "normalized", &normalized, e));
        if (normalized) flags |= TOK_NORMALIZED;
        t->flags[id] = flags;
        t->type[id] = special ? TOK_CONTROL : TOK_USER_DEFINED;
        if (normalized) TRY(find_normalized(h, id, h->piece[id], !special, e));
        else if (!tok_special_add(&t->specials, h->piece[id], (int32_t)id, !special))
            return hf_no_memory(e);
    }
    tok_special_sort(&t->specials);
    tok_special_sort(&t->normalized);
    return RZ_OK;
}

static status take_norm(hf *h, err *e) {
    tok *t = h->t;
    if (h->n_norm == 0) return RZ_OK;
    t->own_norm.step = arena_alloc(&t->mem, h->n_norm * sizeof *h->norm);
    if (!t->own_norm.step) return hf_no_memory(e);
    memcpy(t->own_norm.step, h->norm, h->n_norm * sizeof *h->norm);
    t->own_norm.n = h->n_norm;
    h->n_norm = 0; /* they are the tokenizer's now */
    t->norm = &t->own_norm;
    return RZ_OK;
}

static status read_all(hf *h, err *e) {
    h->model = json_get(h->root, "model");
    if (!h->model || h->model->kind != JSON_OBJECT)
        return hf_expected(h, "model", NULL, h->model, "an object", e);
    const json *added = json_get(h->root, "added_tokens");
    for (int i = 0; i < TOK_SPECIAL_COUNT; i++) h->t->special[i] = -1;
    TRY(read_vocab(h, added, e));
    index_all(h);
    TRY(place_added(h, added, e));
    tok_index_done(&h->x);
    if (!tok_index_init(&h->x, h->piece, h->t->n)) return hf_no_memory(e);
    index_all(h);
    TRY(hf_read_normalizer(h, e));
    TRY(take_norm(h, e));
    TRY(hf_read_pre_tokenizer(h, e));
    TRY(hf_read_decoder(h, e));
    TRY(read_added(h, added, e));
    TRY(hf_read_post_processor(h, e));
    TRY(hf_open_model(h, e));
    if (json_get(h->root, "truncation") && json_get(h->root, "truncation")->kind == JSON_OBJECT)
        log_info("%s: truncation is ignored", h->path);
    return hf_find_roles(h, e);
}

static status read_root(hf *h, str file, err *e) {
    json *root = NULL;
    const status s = json_parse(&root, file, &h->mem, e);
    if (s < 0) return err_at(e, s, h->path);
    h->root = root;
    return RZ_OK;
}

status tok_open_hf(tok **out, const char *path, str file, err *e) {
    hf *h = mem_zero(sizeof *h);
    tok *t = mem_zero(sizeof *t);
    status s = h && t ? RZ_OK : hf_no_memory(e);
    if (s >= 0) {
        h->t = t;
        h->path = path;
        s = read_root(h, file, e);
        if (s >= 0 && tok_looks_like_tekken(h->root)) {
            s = tok_open_tekken(out, path, h->root, e);
            tok_close(t);
            t = NULL;
        } else if (s >= 0) {
            s = read_all(h, e);
        }
        for (size_t i = 0; i < h->n_norm; i++) re_free(h->norm[i].re);
        tok_index_done(&h->x);
        arena_free(&h->mem);
    }
    mem_free(h);
    if (s < 0) {
        tok_close(t);
        return s;
    }
    if (t) *out = t;
    return RZ_OK;
}
