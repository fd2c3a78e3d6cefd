/* tok_norm.c - one pass per step, back and forth between two buffers; steps that change nothing
 * make no copy. */
#include "tokenizer/tok_norm.h"

#include "unicode/char_class.h"
#include "unicode/utf8.h"

static void replace(buf *out, str s, str from, str to) {
    while (s.len) {
        const ptrdiff_t at = str_find(s, from);
        if (at < 0) break;
        buf_add(out, s.p, (size_t)at);
        buf_str(out, to);
        s.p += (size_t)at + from.len;
        s.len -= (size_t)at + from.len;
    }
    buf_str(out, s);
}

static str strip_left(str s) {
    while (s.len) {
        uint32_t cp;
        const size_t n = utf8_decode(s, &cp);
        if (cp == UTF8_BAD || char_class(cp) != CHAR_SPACE) break;
        s.p += n;
        s.len -= n;
    }
    return s;
}

static str strip_right(str s) {
    while (s.len) {
        size_t at = s.len - 1;
        while (at > 0 && (s.p[at] & 0xC0) == 0x80) at--;
        uint32_t cp;
        const size_t n = utf8_decode((str){s.p + at, s.len - at}, &cp);
        if (cp == UTF8_BAD || at + n != s.len || char_class(cp) != CHAR_SPACE) break;
        s.len = at;
    }
    return s;
}

/* Apply one step to *s. true: the result was written to *out and *s views it. */
static bool apply(const norm_step *t, str *s, buf *out) {
    buf_clear(out);
    switch (t->op) {
        case NORM_OP_FORM:
            if (norm_done(*s, t->form) == s->len) return false;
            norm_apply(out, *s, t->form);
            break;
        case NORM_OP_LOWER:
            norm_lower(out, *s);
            break;
        case NORM_OP_STRIP_MARKS:
            norm_strip_marks(out, *s, true);
            break;
        case NORM_OP_REPLACE:
            if (t->from.len == 0 || str_find(*s, t->from) < 0) return false;
            replace(out, *s, t->from, t->to);
            break;
        case NORM_OP_PREPEND:
            if (s->len == 0) return false;
            buf_str(out, t->to);
            buf_str(out, *s);
            break;
        case NORM_OP_STRIP_LEFT:
            *s = strip_left(*s);
            return false;
        case NORM_OP_STRIP_RIGHT:
            *s = strip_right(*s);
            return false;
    }
    *s = buf_view(out);
    return true;
}

str tok_norm_apply(const tok_norm *n, str s, buf work[2]) {
    buf *unused = &work[0];
    for (size_t i = 0; i < n->n && !work[0].failed && !work[1].failed; i++)
        if (apply(&n->step[i], &s, unused)) unused = unused == work ? &work[1] : &work[0];
    return s;
}
