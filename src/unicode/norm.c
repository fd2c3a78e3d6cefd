/* norm.c - decompose, order the marks, compose.
 *
 * Text is worked on from one character that nothing before it can change to the next; stretches
 * that are in the form already are copied as they are, and most text is one such stretch.
 * Hangul is arithmetic (Unicode 3.12). */
#include "unicode/norm.h"

#include "base/mem.h"
#include "unicode/norm_tables.h"
#include "unicode/ucd.h"
#include "unicode/utf8.h"

enum {
    HANGUL_S = 0xAC00,
    HANGUL_L = 0x1100,
    HANGUL_V = 0x1161,
    HANGUL_T = 0x11A7,
    HANGUL_N_L = 19,
    HANGUL_N_V = 21,
    HANGUL_N_T = 28,
    HANGUL_N_S = HANGUL_N_L * HANGUL_N_V * HANGUL_N_T,
};

static const norm_kind plain = {0, 0};

static const norm_kind *kind_of(uint32_t cp) {
    if (cp >= NORM_LIMIT) return &plain;
    return &norm_kinds[norm_number[norm_row[cp >> 7]][cp & 127]];
}

/* Flags of characters that are not simply themselves in a form. */
static unsigned changes(norm_form form) {
    static const unsigned of[] = {[NORM_NFC] = NORM_NOT_NFC,
                                  [NORM_NFD] = NORM_CANONICAL,
                                  [NORM_NFKC] = NORM_NOT_NFKC,
                                  [NORM_NFKD] = NORM_COMPATIBLE};
    return of[form];
}

static bool is_hangul(uint32_t cp) { return cp >= HANGUL_S && cp < HANGUL_S + HANGUL_N_S; }

/* A character before which the text may be cut, and which is in the form by itself. */
static bool stands_alone(uint32_t cp, norm_form form) {
    const norm_kind *k = kind_of(cp);
    if (k->ccc || k->flags & changes(form)) return false;
    return !((form == NORM_NFD || form == NORM_NFKD) && is_hangul(cp));
}

/* Bytes at the front that begin characters below U+0300 (U+0080 for the K forms and for NFD),
 * all of which stand alone. */
static size_t skip_simple(str s, unsigned lead) {
    size_t i = 0;
    while (s.len - i >= 8) {
        uint64_t w;
        memcpy(&w, s.p + i, 8);
        /* bytes >= lead, lead in 0x80..0xFF: bit 7 set and the low seven bits large enough */
        const uint64_t ones = 0x0101010101010101ull, low = w & 0x7F * ones;
        if ((low + (uint64_t)(0x100 - lead) * ones) & w & 0x80 * ones) break;
        i += 8;
    }
    while (i < s.len && (unsigned char)s.p[i] < lead) i++;
    return i;
}

/* Step over one character; UTF8_BAD for bytes that are none. */
static uint32_t next(str *s) {
    uint32_t cp;
    const size_t len = utf8_decode(*s, &cp);
    s->p += len;
    s->len -= len;
    return cp;
}

size_t norm_done(str s, norm_form form) {
    const unsigned lead = form == NORM_NFC ? 0xCC : 0x80;
    const char *cut = s.p;
    str rest = s;
    while (rest.len) {
        const size_t n = skip_simple(rest, lead);
        if (n) {
            cut = rest.p + n - 1; /* the last character may join what follows */
            while (cut > s.p && (*cut & 0xC0) == 0x80) cut--;
            rest.p += n;
            rest.len -= n;
            continue;
        }
        const char *at = rest.p;
        const uint32_t cp = next(&rest);
        if (cp != UTF8_BAD && !stands_alone(cp, form)) return (size_t)(cut - s.p);
        cut = cp == UTF8_BAD ? rest.p : at;
    }
    return s.len;
}

/* ---- one stretch ---- */

typedef struct mark {
    uint32_t cp;
    uint8_t ccc;
} mark;

typedef struct stretch {
    mark *p;
    size_t n, cap;
    mark room[64];
} stretch;

static bool add(stretch *w, uint32_t cp) {
    if (w->n == w->cap) {
        const size_t cap = w->cap * 2;
        mark *p = mem_resize(w->p == w->room ? NULL : w->p, cap, sizeof *p);
        if (!p) return false;
        if (w->p == w->room) memcpy(p, w->room, sizeof w->room);
        w->p = p;
        w->cap = cap;
    }
    w->p[w->n++] = (mark){cp, kind_of(cp)->ccc};
    return true;
}

static const norm_decomposition *find_decomposition(uint32_t cp) {
    size_t lo = 0, hi = norm_n_decompositions;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (norm_decompositions[mid].cp < cp) lo = mid + 1;
        else hi = mid;
    }
    return &norm_decompositions[lo];
}

static bool add_decomposed(stretch *w, uint32_t cp, bool compatible) {
    if (is_hangul(cp)) {
        const uint32_t i = cp - HANGUL_S, t = i % HANGUL_N_T;
        return add(w, HANGUL_L + i / (HANGUL_N_V * HANGUL_N_T)) &&
               add(w, HANGUL_V + i / HANGUL_N_T % HANGUL_N_V) && (t == 0 || add(w, HANGUL_T + t));
    }
    if (!(kind_of(cp)->flags & (compatible ? NORM_COMPATIBLE : NORM_CANONICAL))) return add(w, cp);
    const norm_decomposition *d = find_decomposition(cp);
    const uint32_t *from = norm_points + d->at + (compatible ? d->canonical : 0);
    const size_t n = compatible ? d->compatible : d->canonical;
    for (size_t i = 0; i < n; i++)
        if (!add(w, from[i])) return false;
    return true;
}

/* Stable sort of a run of marks by class. */
static bool order_run(mark *p, size_t n) {
    if (n <= 32) {
        for (size_t i = 1; i < n; i++) {
            const mark m = p[i];
            size_t k = i;
            for (; k > 0 && p[k - 1].ccc > m.ccc; k--) p[k] = p[k - 1];
            p[k] = m;
        }
        return true;
    }
    size_t at[257] = {0};
    mark *sorted = mem_array(n, sizeof *sorted);
    if (!sorted) return false;
    for (size_t i = 0; i < n; i++) at[p[i].ccc + 1]++;
    for (int c = 0; c < 256; c++) at[c + 1] += at[c];
    for (size_t i = 0; i < n; i++) sorted[at[p[i].ccc]++] = p[i];
    memcpy(p, sorted, n * sizeof *p);
    mem_free(sorted);
    return true;
}

static bool order(stretch *w) {
    for (size_t i = 0; i < w->n;) {
        size_t end = i;
        while (end < w->n && w->p[end].ccc) end++;
        if (end > i + 1 && !order_run(w->p + i, end - i)) return false;
        i = end + 1;
    }
    return true;
}

static uint32_t compose_pair(uint32_t a, uint32_t b) {
    if (a - HANGUL_L < HANGUL_N_L && b - HANGUL_V < HANGUL_N_V)
        return HANGUL_S + ((a - HANGUL_L) * HANGUL_N_V + (b - HANGUL_V)) * HANGUL_N_T;
    if (is_hangul(a) && (a - HANGUL_S) % HANGUL_N_T == 0 && b > HANGUL_T &&
        b < HANGUL_T + HANGUL_N_T)
        return a + (b - HANGUL_T);
    size_t lo = 0, hi = norm_n_compositions;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const norm_composition *c = &norm_compositions[mid];
        if (c->first < a || (c->first == a && c->second < b)) lo = mid + 1;
        else hi = mid;
    }
    if (lo == norm_n_compositions) return 0;
    const norm_composition *c = &norm_compositions[lo];
    return c->first == a && c->second == b ? c->both : 0;
}

/* Join each character to the last starter unless one of its class or higher stands between
 * (Unicode 3.11, D117). */
static void compose(stretch *w) {
    size_t starter = SIZE_MAX, n = 0;
    unsigned last = 0; /* class of the character in front, 0 right behind the starter */
    for (size_t i = 0; i < w->n; i++) {
        const mark m = w->p[i];
        const bool next_to_it = starter + 1 == n;
        if (starter != SIZE_MAX && (next_to_it || (last != 0 && last < m.ccc))) {
            const uint32_t both = compose_pair(w->p[starter].cp, m.cp);
            if (both) {
                w->p[starter].cp = both;
                continue;
            }
        }
        last = m.ccc;
        if (m.ccc == 0) starter = n;
        w->p[n++] = m;
    }
    w->n = n;
}

static void put(buf *out, uint32_t cp) {
    char text[4];
    buf_add(out, text, utf8_encode(cp, text));
}

/* One character that may be cut before, and those behind it that may not. */
static void apply_stretch(buf *out, str s, norm_form form) {
    stretch w;
    w.p = w.room;
    w.n = 0;
    w.cap = sizeof w.room / sizeof *w.room;
    bool ok = true;
    while (ok && s.len) ok = add_decomposed(&w, next(&s), form == NORM_NFKC || form == NORM_NFKD);
    ok = ok && order(&w);
    if (ok && (form == NORM_NFC || form == NORM_NFKC)) compose(&w);
    for (size_t i = 0; ok && i < w.n; i++) put(out, w.p[i].cp);
    out->failed |= !ok;
    if (w.p != w.room) mem_free(w.p);
}

void norm_apply(buf *out, str s, norm_form form) {
    while (s.len && !out->failed) {
        const size_t n = norm_done(s, form);
        buf_add(out, s.p, n);
        s.p += n;
        s.len -= n;
        if (s.len == 0) return;
        str rest = s;
        const bool bad = next(&rest) == UTF8_BAD;
        while (!bad && rest.len) { /* to the next place where the text may be cut */
            str after = rest;
            const uint32_t cp = next(&after);
            if (cp == UTF8_BAD || stands_alone(cp, form)) break;
            rest = after;
        }
        const str one = {s.p, (size_t)(rest.p - s.p)};
        if (bad) buf_str(out, one);
        else apply_stretch(out, one, form);
        s = rest;
    }
}

void norm_lower(buf *out, str s) {
    while (s.len) {
        const char *at = s.p;
        const uint32_t cp = next(&s);
        if (cp == UTF8_BAD) buf_add(out, at, (size_t)(s.p - at));
        else if (cp == 0x130) buf_text(out, "i\u0307");
        else put(out, ucd_lower(cp));
    }
}

void norm_strip_marks(buf *out, str s, bool all_marks) {
    while (s.len) {
        const char *at = s.p;
        const uint32_t cp = next(&s);
        const ucd_category c = cp == UTF8_BAD ? UCD_Cn : ucd_category_of(cp);
        if (c == UCD_Mn || (all_marks && (c == UCD_Mc || c == UCD_Me))) continue;
        buf_add(out, at, (size_t)(s.p - at));
    }
}
