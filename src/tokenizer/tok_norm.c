/* tok_norm.c - one pass per step, back and forth between two buffers; steps that change nothing
 * make no copy. */
#include "tokenizer/tok_norm.h"

#include "tokenizer/tok_impl.h"
#include "unicode/char_class.h"
#include "unicode/ucd.h"
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

/* Replace by a regular expression. A search that cannot go on shows as out->failed. */
static void replace_re(buf *out, str s, const re *pattern, str to) {
    re_work *w = NULL;
    size_t from = 0;
    if (re_work_new(&w, pattern, NULL) < 0) {
        out->failed = true;
        return;
    }
    re_text(w, s);
    for (;;) {
        re_span m;
        if (re_next(w, &m, NULL) < 0) {
            out->failed = true;
            break;
        }
        if (m.start == RE_NONE) break;
        buf_add(out, s.p + from, m.start - from);
        buf_str(out, to);
        from = m.end;
    }
    buf_add(out, s.p + from, s.len - from);
    re_work_free(w);
}

bool tok_is_cjk(uint32_t cp) {
    static const uint32_t range[][2] = {{0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF},
                                        {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF},
                                        {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};
    for (size_t i = 0; i < sizeof range / sizeof *range; i++)
        if (cp >= range[i][0] && cp <= range[i][1]) return true;
    return false;
}

static bool is_tab(uint32_t cp) { return cp == '\t' || cp == '\n' || cp == '\r'; }

/* What BERT's clean_text makes of a character; UTF8_BAD: nothing. */
static uint32_t clean(uint32_t cp) {
    if (is_tab(cp)) return ' ';
    if (cp == 0 || cp == UTF8_REPLACEMENT || ucd_in_major(cp, 'C')) return UTF8_BAD;
    return char_class(cp) == CHAR_SPACE ? ' ' : cp;
}

static uint32_t nmt(uint32_t cp) {
    if ((cp >= 1 && cp <= 8) || cp == 0x0B || (cp >= 0x0E && cp <= 0x1F) || cp == 0x7F ||
        cp == 0x8F || cp == 0x9F)
        return UTF8_BAD;
    if (is_tab(cp) || cp == 0x0C || cp == 0x1680 || (cp >= 0x200B && cp <= 0x200F) ||
        cp == 0x2028 || cp == 0x2029 || cp == 0x2581 || cp == 0xFEFF || cp == UTF8_REPLACEMENT)
        return ' ';
    return cp;
}

static void put_char(buf *out, uint32_t cp) {
    char text[4];
    buf_add(out, text, utf8_encode(cp, text));
}

/* Character by character; `fn` gives what to put in place, UTF8_BAD for nothing. Bytes that are no
 * character stay. */
static void map_chars(buf *out, str s, uint32_t (*fn)(uint32_t)) {
    while (s.len) {
        uint32_t cp;
        const size_t n = utf8_decode(s, &cp);
        if (cp == UTF8_BAD) buf_add(out, s.p, n);
        else if (fn(cp) != UTF8_BAD) put_char(out, fn(cp));
        s.p += n;
        s.len -= n;
    }
}

static void space_cjk(buf *out, str s) {
    while (s.len) {
        uint32_t cp;
        const size_t n = utf8_decode(s, &cp);
        const bool cjk = cp != UTF8_BAD && tok_is_cjk(cp);
        if (cjk) buf_char(out, ' ');
        buf_add(out, s.p, n);
        if (cjk) buf_char(out, ' ');
        s.p += n;
        s.len -= n;
    }
}

static void spell_bytes(buf *out, str s) {
    for (size_t i = 0; i < s.len; i++) put_char(out, tok_byte_char((unsigned char)s.p[i]));
}

/* ---- character maps ---- */

typedef struct grapheme_state {
    ucd_grapheme last;
    bool pictographic;  /* the cluster is Extended_Pictographic Extend* so far, ZWJ may follow */
    bool odd_regionals; /* an odd number of regional indicators precedes */
} grapheme_state;

/* UAX #29, rules GB3 to GB13: no boundary before a character of class g? */
static bool joins(const grapheme_state *st, ucd_grapheme g, bool pictographic) {
    const ucd_grapheme l = st->last;
    if (l == UCD_GCB_CR) return g == UCD_GCB_LF;
    if (l == UCD_GCB_LF || l == UCD_GCB_Control) return false;
    if (g == UCD_GCB_CR || g == UCD_GCB_LF || g == UCD_GCB_Control) return false;
    if (l == UCD_GCB_L && (g == UCD_GCB_L || g == UCD_GCB_V || g == UCD_GCB_LV || g == UCD_GCB_LVT))
        return true;
    if ((l == UCD_GCB_LV || l == UCD_GCB_V) && (g == UCD_GCB_V || g == UCD_GCB_T)) return true;
    if ((l == UCD_GCB_LVT || l == UCD_GCB_T) && g == UCD_GCB_T) return true;
    if (g == UCD_GCB_Extend || g == UCD_GCB_ZWJ || g == UCD_GCB_SpacingMark) return true;
    if (l == UCD_GCB_Prepend) return true;
    if (l == UCD_GCB_ZWJ && st->pictographic && pictographic) return true;
    return l == UCD_GCB_Regional_Indicator && g == UCD_GCB_Regional_Indicator && st->odd_regionals;
}

/* Bytes of the grapheme cluster at the front of s. Bytes that are no character stand alone. */
static size_t grapheme_length(str s) {
    grapheme_state st = {UCD_GCB_Other, false, false};
    size_t at = 0;
    while (at < s.len) {
        uint32_t cp;
        const size_t n = utf8_decode((str){s.p + at, s.len - at}, &cp);
        if (cp == UTF8_BAD) return at ? at : n;
        const ucd_grapheme g = ucd_grapheme_of(cp);
        const bool picture = ucd_has(cp, UCD_P_Extended_Pictographic);
        if (at && !joins(&st, g, picture)) break;
        if (g != UCD_GCB_Extend && g != UCD_GCB_ZWJ) st.pictographic = picture;
        st.odd_regionals = g == UCD_GCB_Regional_Indicator && !st.odd_regionals;
        st.last = g;
        at += n;
    }
    return at;
}

/* Whole graphemes of less than 6 bytes where the map knows a beginning of them, else by character:
 * so the library behind tokenizer.json has it. */
static void map_graphemes(buf *out, str s, const tok_charsmap *m) {
    while (s.len && !out->failed) {
        str to;
        const size_t len = grapheme_length(s);
        if (len < 6 && tok_charsmap_find(m, (str){s.p, len}, false, &to)) {
            buf_str(out, to);
        } else {
            for (size_t i = 0; i < len;) {
                uint32_t cp;
                const size_t n = utf8_decode((str){s.p + i, len - i}, &cp);
                if (tok_charsmap_find(m, (str){s.p + i, n}, false, &to)) buf_str(out, to);
                else buf_add(out, s.p + i, n);
                i += n;
            }
        }
        s.p += len;
        s.len -= len;
    }
}

/* What SentencePiece makes of the front of s; returns the bytes used. */
static size_t spm_prefix_of(const norm_spm *spm, str s, str *to) {
    tok_special_match m;
    uint32_t cp;
    if (spm->keep && spm->keep->any[1][(unsigned char)*s.p] && tok_special_at(spm->keep, s, &m)) {
        *to = (str){s.p, m.len};
        return m.len;
    }
    const size_t mapped = tok_charsmap_find(&spm->map, s, true, to);
    if (mapped) return mapped;
    const size_t n = utf8_decode(s, &cp);
    *to = (str){s.p, n};
    if (cp != UTF8_BAD) return n;
    *to = STR_LIT("\uFFFD");
    return 1;
}

/* What a byte of the text calls for. An ASCII character that nothing is looked for with is copied;
 * where the map has it with marks behind it, unless one may follow. */
enum { SPM_LOOK, SPM_COPY, SPM_SPACE, SPM_UNLESS_MARKED = 4 };

void norm_spm_ready(norm_spm *spm) {
    for (int b = 0; b < 256; b++) {
        const unsigned char c = (unsigned char)b;
        const bool kept = spm->keep && spm->keep->any[1][b];
        spm->what[b] = SPM_LOOK;
        if (b >= 0x80 || kept || !tok_charsmap_spares(&spm->map, c)) continue;
        spm->what[b] = c == ' ' ? SPM_SPACE : SPM_COPY;
        if (tok_charsmap_begins(&spm->map, c)) spm->what[b] |= SPM_UNLESS_MARKED;
    }
}

static inline unsigned what_at(const norm_spm *spm, str s, size_t at) {
    const unsigned what = spm->what[(unsigned char)s.p[at]];
    if (!(what & SPM_UNLESS_MARKED)) return what;
    if (at + 1 < s.len && (unsigned char)s.p[at + 1] >= 0x80) return SPM_LOOK;
    return what - SPM_UNLESS_MARKED;
}

/* Bytes at the front of s that stay as they are and hold no space. */
static size_t same_run(const norm_spm *spm, str s) {
    size_t n = 0;
    while (n < s.len) {
        const unsigned what = what_at(spm, s, n);
        const str rest = {s.p + n, s.len - n};
        if (what == SPM_COPY) {
            n++;
            continue;
        }
        if (what == SPM_SPACE) break;
        str to;
        const size_t used = spm_prefix_of(spm, rest, &to);
        if (to.p != rest.p || memchr(to.p, ' ', to.len)) break;
        n += used;
    }
    return n;
}

static void put_spaced(buf *out, str s, str space) {
    while (s.len) {
        const char *at = memchr(s.p, ' ', s.len);
        const size_t n = at ? (size_t)(at - s.p) : s.len;
        buf_add(out, s.p, n);
        if (at) buf_str(out, space);
        s.p += n + (at != NULL);
        s.len -= n + (at != NULL);
    }
}

static void spm_text(buf *out, str s, const norm_spm *spm) {
    const str space = spm->plain_space ? STR_LIT(" ") : STR_LIT("\u2581");
    bool begun = false, after_space = spm->one_space;
    const size_t start = out->len;
    while (s.len && !out->failed) {
        const size_t run = same_run(spm, s);
        const bool one = !run && what_at(spm, s, 0) == SPM_SPACE;
        str to = {s.p, run + one};
        const size_t used = run || one ? to.len : spm_prefix_of(spm, s, &to);
        s.p += used;
        s.len -= used;
        while (after_space && to.len && *to.p == ' ') {
            to.p++;
            to.len--;
        }
        if (to.len == 0) continue;
        if (!begun && spm->prefix) buf_str(out, space);
        begun = true;
        if (run) buf_add(out, to.p, run);
        else if (one) buf_str(out, space);
        else put_spaced(out, to, space);
        after_space = spm->one_space && to.p[to.len - 1] == ' ';
    }
    while (spm->one_space && out->len - start >= space.len && str_ends(buf_view(out), space))
        out->len -= space.len;
    if (begun && spm->suffix) buf_str(out, space);
}

/* ---- */

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
        case NORM_OP_STRIP_MN:
            norm_strip_marks(out, *s, false);
            break;
        case NORM_OP_REPLACE_RE:
            replace_re(out, *s, t->re, t->to);
            break;
        case NORM_OP_CLEAN:
            map_chars(out, *s, clean);
            break;
        case NORM_OP_SPACE_CJK:
            space_cjk(out, *s);
            break;
        case NORM_OP_NMT:
            map_chars(out, *s, nmt);
            break;
        case NORM_OP_BYTES:
            spell_bytes(out, *s);
            break;
        case NORM_OP_CHARSMAP:
            map_graphemes(out, *s, t->map);
            break;
        case NORM_OP_SPM:
            spm_text(out, *s, t->spm);
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

void tok_norm_done(tok_norm *n) {
    for (size_t i = 0; n && i < n->n; i++) re_free(n->step[i].re);
}
