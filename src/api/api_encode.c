/* api_encode.c - tokenizers by themselves, many texts at once, texts that come
 * in pieces. */
#include "api/api.h"
#include "base/mem.h"
#include "base/pool.h"

rz_status rz_tokenizer_open(rz_tokenizer **out, const char *what, rz_error *e) {
    if (!out || !what) return err_set(e, RZ_EINVAL, "rz_tokenizer_open: a pointer is NULL");
    return tok_open_any(out, what, e);
}

void rz_tokenizer_close(rz_tokenizer *t) { tok_close(t); }

const char *rz_tokenizer_kind(const rz_tokenizer *t) { return tok_kind(t); }

int rz_token_is_control(const rz_tokenizer *t, rz_token id) { return tok_is_control(t, id); }

/* The caller's options as ours; a pool of their threads in *workers, NULL for
 * one. */
static status take_options(const rz_tokenizer *t, const rz_encode_options *theirs,
                           tok_encode_options *ours, pool **workers, err *e) {
    rz_encode_options o = RZ_ENCODE_INIT;
    *workers = NULL;
    if (!t) return err_set(e, RZ_EINVAL, "rz_encode: this model has no tokenizer");
    if (theirs) TRY(api_take_struct(&o, sizeof o, theirs, "rz_encode_options", e));
    if (o.n_special && !o.special)
        return err_set(e, RZ_EINVAL, "rz_encode_options: special is NULL");
    if (o.threads < 0 || o.threads > 1024)
        return err_set(e, RZ_EINVAL, "rz_encode_options: threads is %d, expected 0 to 1024",
                       o.threads);
    if (o.threads > 1) TRY(pool_new(workers, o.threads, e));
    *ours = (tok_encode_options){o.flags, o.special, o.n_special, *workers};
    return RZ_OK;
}

void rz_batch_free(rz_batch *b) {
    if (!b) return;
    mem_free(b->ids);
    mem_free(b->start);
    *b = (rz_batch){NULL, NULL, 0};
}

/* One list of all ids. */
static status gather(const tok_ids *ids, size_t n, rz_batch *out, err *e) {
    rz_batch b = {NULL, mem_array(n + 1, sizeof *b.start), n};
    size_t total = 0;
    for (size_t i = 0; i < n; i++) total += ids[i].n;
    b.ids = mem_array(total ? total : 1, sizeof *b.ids);
    if (!b.start || !b.ids) {
        rz_batch_free(&b);
        return err_set(e, RZ_ENOMEM, "rz_encode_batch: out of memory");
    }
    b.start[0] = 0;
    for (size_t i = 0; i < n; i++) {
        if (ids[i].n) memcpy(b.ids + b.start[i], ids[i].p, ids[i].n * sizeof *b.ids);
        b.start[i + 1] = b.start[i] + ids[i].n;
    }
    *out = b;
    return RZ_OK;
}

static status encode_texts(const rz_tokenizer *t, const str *text, size_t n,
                           const tok_encode_options *o, tok_ids *ids, err *e) {
    if (n == 1) return tok_encode_with(t, text[0], o, &ids[0], e);
    size_t failed = 0;
    err why = {0};
    const status s = tok_encode_batch(t, text, n, o, ids, &failed, &why);
    return s < 0 ? err_set(e, s, "text %zu: %.400s", failed, why.text) : s;
}

rz_status rz_encode_batch(const rz_tokenizer *t, const char *const *text, const size_t *len,
                          size_t n, const rz_encode_options *opt, rz_batch *out, rz_error *e) {
    tok_encode_options o;
    pool *workers;
    if (!out || (n && (!text || !len)))
        return err_set(e, RZ_EINVAL, "rz_encode_batch: a pointer is NULL");
    for (size_t i = 0; i < n; i++)
        if (!text[i] && len[i])
            return err_set(e, RZ_EINVAL, "rz_encode_batch: text[%zu] is NULL", i);
    TRY(take_options(t, opt, &o, &workers, e));
    str *list = mem_array(n, sizeof *list);
    tok_ids *ids = mem_array_zero(n, sizeof *ids);
    status s = RZ_OK;
    if (!list || !ids) s = err_set(e, RZ_ENOMEM, "rz_encode_batch: out of memory");
    for (size_t i = 0; s >= 0 && i < n; i++) list[i] = (str){text[i], len[i]};
    if (s >= 0) s = encode_texts(t, list, n, &o, ids, e);
    if (s >= 0) s = gather(ids, n, out, e);
    for (size_t i = 0; ids && i < n; i++) tok_ids_free(&ids[i]);
    mem_free(ids);
    mem_free(list);
    pool_free(workers);
    return s;
}

/* ---- texts in pieces ---- */

enum { ENCODER_STEP = 1 << 20, ENCODER_LIMIT = 64 << 20 };

struct rz_encoder {
    const rz_tokenizer *t;
    tok_encode_options o;
    rz_token *special; /* a copy of the caller's */
    pool *workers;
    rz_ids_fn *fn;
    void *ud;
    size_t limit, step, tried; /* no cut before `tried` */
    buf text;                  /* not encoded yet */
    tok_ids ids;
    bool begun, around; /* some text, or BOS, was encoded already */
};

void rz_encoder_free(rz_encoder *c) {
    if (!c) return;
    pool_free(c->workers);
    mem_free(c->special);
    buf_free(&c->text);
    tok_ids_free(&c->ids);
    mem_free(c);
}

rz_status rz_encoder_new(rz_encoder **out, const rz_tokenizer *t, const rz_encode_options *opt,
                         size_t limit, rz_ids_fn *fn, void *ud, rz_error *e) {
    if (!out || !fn) return err_set(e, RZ_EINVAL, "rz_encoder_new: a pointer is NULL");
    rz_encoder *c = mem_zero(sizeof *c);
    if (!c) return err_set(e, RZ_ENOMEM, "rz_encoder_new: out of memory");
    status s = take_options(t, opt, &c->o, &c->workers, e);
    if (s >= 0 && c->o.n_special) {
        c->special = mem_array(c->o.n_special, sizeof *c->special);
        if (c->special) memcpy(c->special, c->o.special, c->o.n_special * sizeof *c->special);
        else s = err_set(e, RZ_ENOMEM, "rz_encoder_new: out of memory");
        c->o.special = c->special;
    }
    if (s < 0) {
        rz_encoder_free(c);
        return s;
    }
    c->t = t;
    c->fn = fn;
    c->ud = ud;
    c->limit = limit ? limit : ENCODER_LIMIT;
    c->step = c->limit / 2 < ENCODER_STEP ? c->limit / 2 : ENCODER_STEP;
    *out = c;
    return RZ_OK;
}

static status give_ids(rz_encoder *c, const rz_token *ids, size_t n, err *e) {
    if (n && c->fn(c->ud, ids, n)) return err_set(e, RZ_ECANCELED, "stopped by the caller");
    return RZ_OK;
}

/* Encode the first n bytes kept. */
static status encode_some(rz_encoder *c, size_t n, err *e) {
    const str text = {c->text.p, n};
    c->ids.n = 0;
    TRY(c->begun ? tok_encode_rest(c->t, text, &c->o, &c->ids, e)
                 : tok_encode_with(c->t, text, &c->o, &c->ids, e));
    if (n) c->begun = true;
    buf_drop(&c->text, n);
    c->tried = 0;
    return give_ids(c, c->ids.p, c->ids.n, e);
}

/* The last cut at which what stands before it is at least half a step and what
 * is behind it long enough that no special token is cut; 0: none. */
static size_t find_cut(rz_encoder *c) {
    const str all = buf_view(&c->text);
    const size_t margin = tok_longest_special(c->t) + 16;
    if (all.len < c->step + margin) return 0;
    const str safe = {all.p, all.len - margin};
    size_t from = c->tried > c->step / 2 ? c->tried : c->step / 2, last = 0;
    for (;;) {
        const size_t cut = tok_cut(c->t, all, from, &c->o);
        if (cut >= safe.len) break;
        last = cut;
        from = cut + 1 > safe.len - safe.len / 16 ? cut + 1 : safe.len - safe.len / 16;
    }
    if (!last) c->tried = safe.len;
    return last;
}

static status begin(rz_encoder *c, err *e) {
    size_t n = 0;
    if (!(c->o.flags & TOK_BOS)) return RZ_OK;
    const int32_t *ids = tok_before(c->t, &n);
    c->o.flags &= ~TOK_BOS; /* what goes around the text is given apart */
    c->around = true;
    return give_ids(c, ids, n, e);
}

rz_status rz_encoder_feed(rz_encoder *c, const char *text, size_t len, rz_error *e) {
    if (!c || (len && !text)) return err_set(e, RZ_EINVAL, "rz_encoder_feed: a pointer is NULL");
    TRY(begin(c, e));
    while (len) {
        const size_t n = len < c->step ? len : c->step;
        if (c->text.len + n > c->limit)
            return err_set(e, RZ_EFULL,
                           "the text allows no cut for %zu bytes: it must be encoded whole",
                           c->limit);
        buf_add(&c->text, text, n);
        if (c->text.failed) return err_set(e, RZ_ENOMEM, "rz_encoder_feed: out of memory");
        text += n;
        len -= n;
        const size_t cut = find_cut(c);
        if (cut) TRY(encode_some(c, cut, e));
    }
    return RZ_OK;
}

rz_status rz_encoder_finish(rz_encoder *c, rz_error *e) {
    if (!c) return err_set(e, RZ_EINVAL, "rz_encoder_finish: a pointer is NULL");
    size_t n = 0;
    TRY(begin(c, e));
    TRY(encode_some(c, c->text.len, e));
    const int32_t *ids = tok_after(c->t, &n);
    if (c->around) {
        c->o.flags |= TOK_BOS;
        TRY(give_ids(c, ids, n, e));
    }
    c->around = c->begun = false;
    return RZ_OK;
}

/* ---- offsets ---- */

rz_status rz_token_offsets(const rz_tokenizer *t, const char *text, size_t len, const rz_token *ids,
                           size_t n, size_t *start, rz_error *e) {
    if (!t || (len && !text) || (n && (!ids || !start)))
        return err_set(e, RZ_EINVAL, "rz_token_offsets: a pointer is NULL");
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        str s = tok_bytes(t, ids[i]);
        if (!s.p) return err_set(e, RZ_EINVAL, "token id %d at position %zu is none", ids[i], i);
        const str rest = {text + at, len - at}, piece = tok_piece(t, ids[i]);
        if (tok_is_control(t, ids[i]) && str_starts(rest, piece)) s = piece;
        /* the space that SentencePiece puts in front of a text */
        if (!str_starts(rest, s) && tok_drops_first_space(t) && s.len && s.p[0] == ' ') {
            s.p++;
            s.len--;
        }
        if (!str_starts(rest, s))
            return err_set(e, RZ_EINVAL,
                           "token id %d at position %zu does not spell the text at byte %zu",
                           ids[i], i, at);
        start[i] = at;
        at += s.len;
    }
    if (at != len)
        return err_set(e, RZ_EINVAL, "the ids spell %zu bytes of a text of %zu", at, len);
    return RZ_OK;
}
