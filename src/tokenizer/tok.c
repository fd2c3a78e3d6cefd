/* tok.c - what all kinds of vocabulary have in common: the table of kinds, special tokens around
 * and inside a text, lookups by id.
 *
 * A text is cut at the special tokens written out in it; the stretches between them go to the
 * kind's own encode function. */
#include "tokenizer/tok.h"

#include "base/mem.h"
#include "tokenizer/tok_impl.h"
#include "unicode/ucd.h"
#include "unicode/utf8.h"

void tok_ids_push(tok_ids *l, int32_t id) {
    if (l->failed) return;
    if (!mem_room(&l->p, &l->cap, l->n + 1, sizeof *l->p)) {
        l->failed = true;
        return;
    }
    l->p[l->n++] = id;
}

bool tok_ids_room(tok_ids *l, size_t more) {
    if (l->cap - l->n >= more) return true;
    l->failed = l->failed || !mem_room(&l->p, &l->cap, l->n + more, sizeof *l->p);
    return !l->failed;
}

void tok_ids_free(tok_ids *l) {
    mem_free(l->p);
    *l = (tok_ids){0};
}

/* tokenizer.ggml.model -> how to finish opening. */
static const struct {
    const char *model;
    status (*open)(tok *t, const tensor_file *f, err *e);
} gguf_kinds[] = {
    {"llama", tok_spm_open_gguf},  {"gpt2", tok_bpe_open_gguf},  {"bert", tok_wordpiece_open_gguf},
    {"t5", tok_unigram_open_gguf}, {"rwkv", tok_rwkv_open_gguf},
};

static status open_kind(tok *t, const tensor_file *f, str model, err *e) {
    for (size_t i = 0; i < sizeof gguf_kinds / sizeof *gguf_kinds; i++) {
        if (!str_is(model, gguf_kinds[i].model)) continue;
        return gguf_kinds[i].open(t, f, e);
    }
    return err_set(e, RZ_EUNSUPPORTED,
                   "%s: tokenizer.ggml.model is \"%.*s\", this build reads llama, gpt2, bert, t5 "
                   "and rwkv",
                   f->path, STR_FMT(model));
}

status tok_open_gguf(tok **out, const tensor_file *f, err *e) {
    str model = {NULL, 0};
    TRY(meta_str(f, "tokenizer.ggml.model", &model, e));
    if (!model.p || str_is(model, "none") || str_is(model, "no_vocab")) {
        *out = NULL;
        return RZ_OK;
    }
    tok *t = mem_zero(sizeof *t);
    if (!t) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    const status s = open_kind(t, f, model, e);
    if (s < 0) {
        tok_close(t);
        return s;
    }
    *out = t;
    return RZ_OK;
}

void tok_close(tok *t) {
    if (!t) return;
    if (t->kind) t->kind->free_state(t->state);
    tok_special_free(&t->specials);
    tok_special_free(&t->normalized);
    if (t->kept) tok_special_free(t->kept);
    tok_norm_done(&t->own_norm);
    tok_tree_free(atomic_load(&t->tree));
    arena_free(&t->mem);
    tensor_file_close(t->file);
    os_map_close(&t->map);
    mem_free(t);
}

/* Bytes of white space at the front of s, or at its end. */
static size_t spaces_at_front(str s) {
    size_t at = 0;
    while (at < s.len) {
        uint32_t cp;
        const size_t n = utf8_decode((str){s.p + at, s.len - at}, &cp);
        if (cp == UTF8_BAD || !ucd_has(cp, UCD_P_White_Space)) break;
        at += n;
    }
    return at;
}

static size_t spaces_at_end(str s) {
    size_t end = s.len;
    while (end) {
        size_t at = end - 1;
        uint32_t cp;
        while (at > 0 && ((unsigned char)s.p[at] & 0xC0) == 0x80) at--;
        const size_t n = utf8_decode((str){s.p + at, end - at}, &cp);
        if (cp == UTF8_BAD || at + n != end || !ucd_has(cp, UCD_P_White_Space)) break;
        end = at;
    }
    return s.len - end;
}

/* A word character: letter, mark, number or connector, as \w. */
static bool is_word(uint32_t cp) { return cp != UTF8_BAD && ucd_word(cp); }

static bool touches_word(str text, const tok_special_match *m) {
    uint32_t cp;
    size_t at = m->at;
    if (at > 0) {
        for (at--; at > 0 && ((unsigned char)text.p[at] & 0xC0) == 0x80;) at--;
        utf8_decode((str){text.p + at, m->at - at}, &cp);
        if (is_word(cp)) return true;
    }
    at = m->at + m->len;
    if (at == text.len) return false;
    utf8_decode((str){text.p + at, text.len - at}, &cp);
    return is_word(cp);
}

/* One encoding: what is asked for, and where ids go. */
typedef struct job {
    const tok *t;
    tok_wanted wanted;
    pool *workers;
    tok_ids *out;
    err *e;
} job;

static job job_of(const tok *t, const tok_encode_options *o, tok_ids *out, err *e) {
    const tok_wanted wanted = {o->flags & TOK_SPECIAL, o->special, o->n_special};
    return (job){t, wanted, o->workers, out, e};
}

/* The next special token at or behind `from` that may stand where it does. */
static bool next_special(const tok *t, const tok_special_set *set, str text, size_t from,
                         tok_wanted wanted, tok_special_match *m) {
    while (tok_special_find(set, text, from, wanted, m)) {
        if (!(t->flags[m->id] & TOK_WHOLE_WORD) || !touches_word(text, m)) return true;
        from = m->at + m->len;
    }
    return false;
}

typedef status part_fn(const job *j, str text, int where);

/* Special tokens of `set` become their ids, the stretches between go to fn. */
static status encode_parts(const job *j, const tok_special_set *set, part_fn *fn, str text,
                           int where) {
    size_t from = 0;
    tok_special_match m;
    while (next_special(j->t, set, text, from, j->wanted, &m)) {
        const uint8_t flags = j->t->flags[m.id];
        size_t to = m.at;
        if (flags & TOK_STRIPS_LEFT) to -= spaces_at_end((str){text.p + from, to - from});
        if (to > from) TRY(fn(j, (str){text.p + from, to - from}, where));
        tok_ids_push(j->out, m.id);
        where = TOK_AFTER_SPECIAL;
        from = m.at + m.len;
        if (flags & TOK_STRIPS_RIGHT)
            from += spaces_at_front((str){text.p + from, text.len - from});
    }
    if (from == text.len) return RZ_OK;
    return fn(j, (str){text.p + from, text.len - from}, where);
}

static status encode_parted(const job *j, str text, int where) {
    if (j->workers) return tok_encode_parts(j->t, text, where, j->workers, j->out, j->e);
    return j->t->kind->encode(j->t, text, where, j->out, j->e);
}

static status encode_plain(const job *j, str text, int where) {
    if (!j->t->puts_space || !where || str_starts(text, STR_LIT(" ")))
        return encode_parted(j, text, where);
    buf copy = BUF_INIT;
    buf_char(&copy, ' ');
    buf_str(&copy, text);
    const status s = copy.failed ? err_set(j->e, RZ_ENOMEM, "tokenizer: out of memory")
                                 : encode_parted(j, buf_view(&copy), where);
    buf_free(&copy);
    return s;
}

static status encode_raw(const job *j, str text, int where) {
    if (!j->t->norm) return encode_parts(j, &j->t->normalized, encode_plain, text, where);
    buf work[2] = {BUF_INIT, BUF_INIT};
    text = tok_norm_apply(j->t->norm, text, work);
    status s = RZ_OK;
    if (work[0].failed || work[1].failed) s = err_set(j->e, RZ_ENOMEM, "tokenizer: out of memory");
    else s = encode_parts(j, &j->t->normalized, encode_plain, text, where);
    buf_free(&work[0]);
    buf_free(&work[1]);
    return s;
}

static status encode_all(const job *j, str text, int where, bool around) {
    const size_t before = j->out->n;
    for (int i = 0; around && i < j->t->n_before; i++) tok_ids_push(j->out, j->t->before[i]);
    status s = encode_parts(j, &j->t->specials, encode_raw, text, where);
    for (int i = 0; around && i < j->t->n_after; i++) tok_ids_push(j->out, j->t->after[i]);
    if (s >= 0 && j->out->failed) s = err_set(j->e, RZ_ENOMEM, "tokenizer: out of memory");
    if (s < 0) j->out->n = before;
    return s;
}

status tok_encode_with(const tok *t, str text, const tok_encode_options *o, tok_ids *out, err *e) {
    const job j = job_of(t, o, out, e);
    return encode_all(&j, text, TOK_AT_START | TOK_AFTER_SPECIAL, o->flags & TOK_BOS);
}

status tok_encode_rest(const tok *t, str text, const tok_encode_options *o, tok_ids *out, err *e) {
    const job j = job_of(t, o, out, e);
    return encode_all(&j, text, 0, false);
}

status tok_encode(const tok *t, str text, int flags, tok_ids *out, err *e) {
    return tok_encode_with(t, text, &(tok_encode_options){flags, NULL, 0, NULL}, out, e);
}

/* Does a special token of the set lie across the cut, or end at it? */
static bool touches_special(const tok_special_set *set, str text, size_t cut, tok_wanted wanted) {
    size_t from = cut > set->longest ? cut - set->longest : 0;
    const size_t to = text.len - cut > set->longest ? cut + set->longest : text.len;
    tok_special_match m;
    for (; tok_special_find(set, (str){text.p, to}, from, wanted, &m) && m.at < cut;
         from = m.at + 1)
        if (m.at + m.len >= cut) return true;
    return false;
}

/* Normalization leaves ASCII white space alone and makes nothing of it and a
 * letter before it; other rewriting may look further than a cut allows. */
static bool norm_is_local(const tok_norm *n) {
    for (size_t i = 0; n && i < n->n; i++)
        if (n->step[i].op != NORM_OP_FORM) return false;
    return true;
}

size_t tok_cut(const tok *t, str text, size_t from, const tok_encode_options *o) {
    const tok_wanted wanted = {o->flags & TOK_SPECIAL, o->special, o->n_special};
    if (!t->kind->cut || !norm_is_local(t->norm)) return text.len;
    for (;; from++) {
        from = t->kind->cut(t, text, from);
        if (from == text.len) return from;
        if (t->norm && (unsigned char)text.p[from - 1] >= 0x80) continue;
        if (!touches_special(&t->specials, text, from, wanted) &&
            !touches_special(&t->normalized, text, from, wanted))
            return from;
    }
}

size_t tok_longest_special(const tok *t) {
    const size_t a = t->specials.longest, b = t->normalized.longest;
    return a > b ? a : b;
}

const int32_t *tok_before(const tok *t, size_t *n) {
    *n = t->n_before;
    return t->before;
}

const int32_t *tok_after(const tok *t, size_t *n) {
    *n = t->n_after;
    return t->after;
}

void tok_forget(tok *t) {
    if (t->kind->forget) t->kind->forget(t->state);
}

static bool is_id(const tok *t, int32_t id) {
    return id >= 0 && (size_t)id < t->n && t->type[id] != TOK_ABSENT;
}

size_t tok_size(const tok *t) { return t->n; }

const char *tok_kind(const tok *t) { return t->kind->name; }

static str text_of(const tok *t, int32_t id) {
    return (str){t->bytes + t->byte_at[id], t->byte_at[id + 1] - t->byte_at[id]};
}

str tok_piece(const tok *t, int32_t id) {
    if (!is_id(t, id)) return (str){NULL, 0};
    if (t->piece) return t->piece[id];
    if (!t->piece_at) return text_of(t, id);
    return (str){t->piece_text + t->piece_at[id], t->piece_at[id + 1] - t->piece_at[id]};
}

str tok_bytes(const tok *t, int32_t id) {
    if (!is_id(t, id)) return (str){NULL, 0};
    return tok_is_control(t, id) ? (str){t->bytes, 0} : text_of(t, id);
}

bool tok_is_end(const tok *t, int32_t id) { return is_id(t, id) && (t->flags[id] & TOK_IS_END); }

bool tok_is_control(const tok *t, int32_t id) {
    return is_id(t, id) && (t->type[id] == TOK_CONTROL || t->type[id] == TOK_UNKNOWN);
}

int32_t tok_special(const tok *t, rz_special which) {
    return (unsigned)which < TOK_SPECIAL_COUNT ? t->special[which] : -1;
}

bool tok_drops_first_space(const tok *t) { return t->drops_first_space; }
