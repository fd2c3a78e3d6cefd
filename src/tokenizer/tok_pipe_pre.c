/* tok_pipe_pre.c - the steps that cut and rewrite.
 *
 * A splitting step first finds spans: matches and what lies between them. What becomes of a match
 * is the step's behavior. Steps that rewrite give the words a new text. */
#include "base/mem.h"
#include "tokenizer/tok_pipe.h"
#include "unicode/ucd.h"
#include "unicode/utf8.h"

bool pre_is_space(uint32_t cp, uint32_t arg) {
    (void)arg;
    return ucd_has(cp, UCD_P_White_Space);
}
bool pre_is_number(uint32_t cp, uint32_t arg) {
    (void)arg;
    return ucd_in_major(cp, 'N');
}
bool pre_is_punct(uint32_t cp, uint32_t arg) {
    (void)arg;
    if (cp < 128)
        return (cp >= '!' && cp <= '/') || (cp >= ':' && cp <= '@') || (cp >= '[' && cp <= '`') ||
               (cp >= '{' && cp <= '~');
    return ucd_in_major(cp, 'P');
}
bool pre_is_char(uint32_t cp, uint32_t arg) { return cp == arg; }
bool pre_is_cjk(uint32_t cp, uint32_t arg) {
    (void)arg;
    return tok_is_cjk(cp);
}

bool pre_is_alone(uint32_t cp, uint32_t arg) {
    return pre_is_punct(cp, arg) || pre_is_cjk(cp, arg);
}

void pre_words_free(pre_words *w) {
    buf_free(&w->room);
    mem_free(w->p);
    *w = (pre_words){0};
}

static void add_word(pre_words *w, size_t from, size_t to, bool first) {
    if (from == to || w->failed) return;
    if (!mem_room(&w->p, &w->cap, w->n + 1, sizeof *w->p)) {
        w->failed = true;
        return;
    }
    w->p[w->n++] = (pre_word){(uint32_t)from, (uint32_t)to, first};
}

/* ---- Splitting ---- */

/* The spans of one word become words, one after the other. */
typedef struct splitter {
    const pre_step *step;
    pre_words *out;
    size_t begin;     /* of the word */
    bool first;       /* it begins where the text does */
    size_t held, end; /* span [held, end) waits for what comes; held == end: none */
    bool held_match;
    bool last_match; /* the span before was a match */
} splitter;

static void put(splitter *s, size_t from, size_t to) {
    add_word(s->out, from, to, s->first && from == s->begin);
}

static void hold(splitter *s, size_t from, size_t to, bool match) {
    s->held = from;
    s->end = to;
    s->held_match = match;
}

static void flush(splitter *s) {
    put(s, s->held, s->end);
    s->held = s->end;
}

static void add_span(splitter *s, size_t from, size_t to, bool match) {
    match ^= s->step->invert;
    switch (s->step->behavior) {
        case PRE_REMOVED:
            if (!match) put(s, from, to);
            break;
        case PRE_ISOLATED:
            put(s, from, to);
            break;
        case PRE_CONTIGUOUS:
            if (s->held < s->end && s->held_match == match) {
                s->end = to;
                break;
            }
            flush(s);
            hold(s, from, to, match);
            break;
        case PRE_WITH_PREVIOUS: /* the first match of a row joins what stands before it */
            if (match && !s->last_match && s->held < s->end) {
                s->end = to;
                break;
            }
            flush(s);
            hold(s, from, to, match);
            break;
        case PRE_WITH_NEXT: /* the last match of a row joins what stands behind it */
            if (!match && s->last_match && s->held < s->end) {
                s->end = to;
                break;
            }
            flush(s);
            hold(s, from, to, match);
            break;
    }
    s->last_match = match;
}

static status split_re(splitter *s, re_work *w, str text, size_t from, size_t to, err *e) {
    size_t at = from;
    re_text(w, (str){text.p + from, to - from});
    for (;;) {
        re_span m;
        TRY(re_next(w, &m, e));
        if (m.start == RE_NONE) break;
        if (from + m.start > at) add_span(s, at, from + m.start, false);
        if (m.end > m.start) add_span(s, from + m.start, from + m.end, true);
        at = from + m.end;
    }
    if (at < to) add_span(s, at, to, false);
    return RZ_OK;
}

static void split_text(splitter *s, str text, size_t from, size_t to) {
    const str what = s->step->text;
    while (from < to && what.len) {
        const ptrdiff_t at = str_find((str){text.p + from, to - from}, what);
        if (at < 0) break;
        if (at > 0) add_span(s, from, from + (size_t)at, false);
        add_span(s, from + (size_t)at, from + (size_t)at + what.len, true);
        from += (size_t)at + what.len;
    }
    if (from < to) add_span(s, from, to, false);
}

static void split_chars(splitter *s, str text, size_t from, size_t to) {
    size_t gap = from;
    while (from < to) {
        uint32_t cp;
        const size_t n = utf8_decode((str){text.p + from, to - from}, &cp);
        if (cp != UTF8_BAD && s->step->is(cp, s->step->arg)) {
            if (from > gap) add_span(s, gap, from, false);
            add_span(s, from, from + n, true);
            gap = from + n;
        }
        from += n;
    }
    if (gap < to) add_span(s, gap, to, false);
}

enum { SCRIPT_ANY = -1 };

/* Japanese writes with three scripts: all are Han here. A space belongs to any. */
static int script_of(uint32_t cp) {
    if (cp == UTF8_BAD || cp == ' ') return SCRIPT_ANY;
    if (cp == 0x30FC) cp = 0x4E00;
    const unsigned script = ucd_script_of(cp);
    if (script == 0) return SCRIPT_ANY;
    const char *name = ucd_script_name(script);
    if (strcmp(name, "Hiragana") == 0 || strcmp(name, "Katakana") == 0)
        return (int)ucd_script_of(0x4E00);
    return (int)script;
}

/* What stands before the first character of a certain script is left out, as in the library. */
static void split_scripts(splitter *s, str text, size_t from, size_t to) {
    size_t gap = to;
    int last = SCRIPT_ANY;
    while (from < to) {
        uint32_t cp;
        const size_t n = utf8_decode((str){text.p + from, to - from}, &cp);
        const int script = script_of(cp);
        if (script != SCRIPT_ANY && script != last) {
            if (last != SCRIPT_ANY) add_span(s, gap, from, false);
            gap = from;
            last = script;
        }
        from += n;
    }
    if (gap < to) add_span(s, gap, to, false);
}

static status split_words(const pre_step *step, const pre_words *in, pre_words *out, err *e) {
    re_work *w = NULL;
    status s = RZ_OK;
    if (step->op == PRE_SPLIT_RE) TRY(re_work_new(&w, step->re, e));
    for (size_t i = 0; s >= 0 && i < in->n && !out->failed; i++) {
        const pre_word word = in->p[i];
        splitter sp = {.step = step, .out = out, .begin = word.from, .first = word.first};
        if (step->op == PRE_SPLIT_RE) s = split_re(&sp, w, in->text, word.from, word.to, e);
        else if (step->op == PRE_SPLIT_CHARS) split_chars(&sp, in->text, word.from, word.to);
        else if (step->op == PRE_SPLIT_SCRIPTS) split_scripts(&sp, in->text, word.from, word.to);
        else split_text(&sp, in->text, word.from, word.to);
        flush(&sp);
    }
    re_work_free(w);
    return s;
}

/* ---- Rewriting ---- */

static void metaspace(const pre_step *step, str word, bool first, buf *out) {
    const bool there = str_starts(word, STR_LIT(" ")) || str_starts(word, step->text);
    if (!there && (step->scheme == PRE_ALWAYS || (step->scheme == PRE_FIRST && first)))
        buf_str(out, step->text);
    for (size_t i = 0; i < word.len; i++) {
        if (word.p[i] == ' ') buf_str(out, step->text);
        else buf_char(out, word.p[i]);
    }
}

static void spell_bytes(str word, buf *out) {
    for (size_t i = 0; i < word.len; i++) {
        char text[4];
        buf_add(out, text, utf8_encode(tok_byte_char((unsigned char)word.p[i]), text));
    }
}

static void rewrite_words(const pre_step *step, const pre_words *in, pre_words *out) {
    for (size_t i = 0; i < in->n && !out->failed && !out->room.failed; i++) {
        const pre_word word = in->p[i];
        const str text = {in->text.p + word.from, word.to - word.from};
        const size_t from = out->room.len;
        if (step->op == PRE_METASPACE) metaspace(step, text, word.first, &out->room);
        else if (step->op == PRE_BYTES) spell_bytes(text, &out->room);
        else {
            if (!str_starts(text, STR_LIT(" "))) buf_char(&out->room, ' ');
            buf_str(&out->room, text);
        }
        if (out->room.len >= UINT32_MAX) out->room.failed = true;
        add_word(out, from, out->room.len, word.first);
    }
    out->text = buf_view(&out->room);
}

static status run_step(const pre_step *step, const pre_words *in, pre_words *out, err *e) {
    out->n = 0;
    buf_clear(&out->room);
    if (step->op == PRE_METASPACE || step->op == PRE_SPACE || step->op == PRE_BYTES) {
        rewrite_words(step, in, out);
        return RZ_OK;
    }
    out->text = in->text;
    return split_words(step, in, out, e);
}

/* The text the words of `from` are views into goes with them. */
static void keep_text(pre_words *from, pre_words *to) {
    if (to->text.p != from->room.p || !from->room.p) return;
    const buf unused = to->room;
    to->room = from->room;
    from->room = unused;
}

status pre_run(const pre_step *step, size_t n, str text, bool at_start, pre_words *out, err *e) {
    pre_words other = {0};
    status s = RZ_OK;
    out->text = text;
    add_word(out, 0, text.len, at_start);
    for (size_t i = 0; i < n && s >= 0 && !out->failed && !out->room.failed; i++) {
        s = run_step(&step[i], out, &other, e);
        keep_text(out, &other);
        const pre_words swap = *out;
        *out = other;
        other = swap;
    }
    if (s >= 0 && (out->failed || out->room.failed))
        s = err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    pre_words_free(&other);
    return s;
}
