/* detok.c - the tail of an unfinished character is all that is kept between ids. */
#include "tokenizer/detok.h"

#include "tokenizer/tok_impl.h"
#include "unicode/utf8.h"

static void add_replacement(buf *out) { buf_text(out, "\uFFFD"); }

void detok_init(detok *d, const tok *t, bool continuing) {
    *d = (detok){.t = t, .at_start = !continuing};
}

/* The bytes of `id`; at the start of a text less the space that encoding put there. */
static str take_bytes(const tok *t, int32_t id, bool *at_start) {
    str s = tok_bytes(t, id);
    if (s.len == 0 || !*at_start) return s;
    *at_start = false;
    const uint8_t type = t->type[id];
    if (tok_drops_first_space(t) && type != TOK_BYTE && type != TOK_USER_DEFINED && s.p[0] == ' ') {
        s.p++;
        s.len--;
    }
    return s;
}

/* Move what is decided at the front of the tail to *out; the rest may still become a character. */
static void settle_tail(detok *d, buf *out) {
    while (d->tail_len) {
        const str tail = {(const char *)d->tail, d->tail_len};
        if (utf8_incomplete_tail(tail) == tail.len) return;
        uint32_t cp;
        const size_t n = utf8_decode(tail, &cp);
        if (cp == UTF8_BAD) add_replacement(out);
        else buf_add(out, d->tail, n);
        d->tail_len = (uint8_t)(d->tail_len - n);
        memmove(d->tail, d->tail + n, d->tail_len);
    }
}

/* In vocabularies that mark the ends of words the last mark is no space. */
static void hold_space(detok *d, str *s, buf *out) {
    if (!d->t->drops_last_space || s->len == 0) return;
    if (d->held_space) buf_char(out, ' ');
    d->held_space = s->p[s->len - 1] == ' ';
    if (d->held_space) s->len--;
}

void detok_push(detok *d, int32_t id, buf *out) {
    str s = take_bytes(d->t, id, &d->at_start);
    hold_space(d, &s, out);
    while (d->tail_len && s.len) {
        d->tail[d->tail_len++] = (uint8_t)*s.p;
        s.p++;
        s.len--;
        settle_tail(d, out);
    }
    while (s.len) {
        size_t n = utf8_valid(s);
        buf_add(out, s.p, n);
        s.p += n;
        s.len -= n;
        if (s.len == 0) return;
        if (utf8_incomplete_tail(s) == s.len) {
            memcpy(d->tail, s.p, s.len);
            d->tail_len = (uint8_t)s.len;
            return;
        }
        uint32_t cp;
        n = utf8_decode(s, &cp);
        add_replacement(out);
        s.p += n;
        s.len -= n;
    }
}

void detok_flush(detok *d, buf *out) {
    if (d->tail_len) add_replacement(out);
    d->tail_len = 0;
    d->held_space = false;
}

status detok_all(const tok *t, const int32_t *ids, size_t n, bool continuing, buf *out, err *e) {
    const size_t before = out->len;
    bool at_start = !continuing;
    for (size_t i = 0; i < n; i++) {
        const str s = take_bytes(t, ids[i], &at_start);
        if (!s.p) {
            out->len = before;
            return err_set(e, RZ_EINVAL, "token id %d at position %zu, expected 0 to %zu",
                           (int)ids[i], i, tok_size(t) - 1);
        }
        buf_str(out, s);
    }
    if (t->drops_last_space && out->len > before && out->p[out->len - 1] == ' ') out->len--;
    if (!out->failed) return RZ_OK;
    out->len = before;
    return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
}
