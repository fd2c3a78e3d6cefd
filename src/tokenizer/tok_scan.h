/* tok_scan.h - the hand-written splitters: each finds the end of the piece that begins at p,
 * exactly as the regular expression it is named after would find it.
 *
 * They are inline so that every loop around one compiles to code of its own. All of them read
 * [p, end) and take `end` for the end of the text; p < end. They return a place behind p. Bytes
 * that are no UTF-8 are in no set and no complement of one, as src/regex has it: nothing matches
 * there, and a run of them is a piece. */
#ifndef TOKENIZER_TOK_SCAN_H
#define TOKENIZER_TOK_SCAN_H

#include "tokenizer/tok_scan_ascii.h"
#include "unicode/char_class.h"
#include "unicode/utf8.h"

typedef unsigned char scan_byte;

/* Classes of their own: the end of the text, and bytes that are no UTF-8. Both are in no set, and
 * the scanners keep them out of complements of sets. */
enum { SCAN_END = 256, SCAN_BAD = 512, SCAN_NOTHING = SCAN_END | SCAN_BAD };

unsigned scan_class_rare(const scan_byte *p, const scan_byte *end, size_t *len);

/* The class of the character at p and its length; SCAN_END at the end. */
static inline unsigned scan_class(const scan_byte *p, const scan_byte *end, size_t *len) {
    *len = 0;
    if (p >= end) return SCAN_END;
    const unsigned b = *p;
    *len = 1;
    if (b < 0x80) return char_class_low(b);
    if (b >= 0xC2 && b < 0xE0 && end - p >= 2 && (p[1] & 0xC0) == 0x80) {
        *len = 2;
        return char_class_low((b & 0x1F) << 6 | (p[1] & 0x3Fu));
    }
    if (b >= 0xE1 && b < 0xF0 && b != 0xED && end - p >= 3 && (p[1] & 0xC0) == 0x80 &&
        (p[2] & 0xC0) == 0x80) {
        *len = 3;
        return char_class_low((b & 0xF) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu));
    }
    return scan_class_rare(p, end, len);
}

static inline const scan_byte *scan_run(const scan_byte *p, const scan_byte *end, unsigned set) {
    size_t len;
    while (scan_class(p, end, &len) & set) p += len;
    return p;
}

/* Bytes that are no UTF-8. */
static inline const scan_byte *scan_bad(const scan_byte *p, const scan_byte *end) {
    return scan_run(p, end, SCAN_BAD);
}

static inline const scan_byte *scan_newlines(const scan_byte *p, const scan_byte *end) {
    while (p < end && (*p == '\r' || *p == '\n')) p++;
    return p;
}

/* 's 't 'm 'd 're 've 'll behind the apostrophe at p: how long it is with the apostrophe, or 0.
 * `fold`: in any case; U+017F folds to s. */
static inline size_t scan_contraction(const scan_byte *p, const scan_byte *end, bool fold) {
    const unsigned down = fold ? 0x20 : 0;
    const unsigned a = end - p > 1 ? p[1] | down : 0, b = end - p > 2 ? p[2] | down : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    return fold && end - p > 2 && p[1] == 0xC5 && p[2] == 0xBF ? 3 : 0;
}

/* White space at p: \s*[\r\n]+ when `lines`, else \s+(?!\S), else \s+. */
static inline const scan_byte *scan_space(const scan_byte *p, const scan_byte *end, bool lines) {
    const scan_byte *q = ascii_run(p, end, ASCII_SPACES), *last = q > p ? q - 1 : p, *line = NULL;
    size_t len;
    unsigned k;
    while ((k = scan_class(q, end, &len)) & CHAR_SPACE) {
        last = q;
        q += len;
        if (*last == '\r' || *last == '\n') line = q;
    }
    if (lines && line) return line;
    return k & SCAN_NOTHING || last == p ? q : last;
}

/* `digits` characters of class N at most, from p. */
static inline const scan_byte *scan_digits(const scan_byte *p, const scan_byte *end, int digits) {
    size_t len;
    for (; digits > 0 && scan_class(p, end, &len) & CHAR_NUMBER; digits--) p += len;
    return p;
}

/* [^\s\p{L}\p{N}]: everything that is not in these sets, and is there. */
static inline bool scan_is_sign(unsigned k) {
    return !(k & (CHAR_SPACE | CHAR_LETTER | CHAR_NUMBER | SCAN_NOTHING));
}

static inline const scan_byte *scan_signs(const scan_byte *p, const scan_byte *end) {
    size_t len;
    while (scan_is_sign(scan_class(p, end, &len))) p += len;
    return p;
}

/* Where an ASCII word may begin: behind one character that is no digit, line end, apostrophe or
 * letter, or at a letter. NULL: not by ASCII rules alone. */
static inline const scan_byte *scan_word_start(const scan_byte *p) {
    static const uint8_t skip[128] = {
        /* 0: look closer, 1: a letter, 2: one character before it */
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 2, 2, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2};
    if (*p >= 0x80 || !skip[*p]) return NULL;
    return p + skip[*p] - 1;
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*
 * |\s*[\r\n]+|\s+(?!\S)|\s+      (cl100k_base, Llama 3: digits 3; Qwen 2: 1) */
static inline const scan_byte *scan_cl100k(const scan_byte *p, const scan_byte *end, int digits) {
    size_t len, len2;
    const scan_byte *word = scan_word_start(p);
    if (word) {
        const scan_byte *q = ascii_run(word, end, ASCII_LETTERS);
        if (q > word) return q < end && *q >= 0x80 ? scan_run(q, end, CHAR_LETTER) : q;
    }
    const unsigned k = scan_class(p, end, &len);
    if (k & CHAR_LETTER) return scan_run(p + len, end, CHAR_LETTER);
    if (k & CHAR_NUMBER) return scan_digits(p, end, digits);
    if (*p == '\'') {
        const size_t n = scan_contraction(p, end, true);
        if (n) return p + n;
    }
    if (k & SCAN_BAD) return scan_bad(p, end);
    const unsigned next = scan_class(p + len, end, &len2);
    if (next & CHAR_LETTER && *p != '\r' && *p != '\n')
        return scan_run(p + len + len2, end, CHAR_LETTER);
    if (*p == ' ' && scan_is_sign(next)) return scan_newlines(scan_signs(p + len + len2, end), end);
    if (scan_is_sign(k)) return scan_newlines(scan_signs(p + len, end), end);
    return scan_space(p, end, true);
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+      (GPT-2) */
static inline const scan_byte *scan_gpt2(const scan_byte *p, const scan_byte *end) {
    size_t len;
    if (*p == '\'') {
        const size_t n = scan_contraction(p, end, false);
        if (n) return p + n;
    }
    const scan_byte *q = *p == ' ' ? p + 1 : p, *word = ascii_run(q, end, ASCII_LETTERS);
    if (word > q) return word < end && *word >= 0x80 ? scan_run(word, end, CHAR_LETTER) : word;
    const unsigned k = scan_class(q, end, &len);
    if (k & CHAR_LETTER) return scan_run(q + len, end, CHAR_LETTER);
    if (k & CHAR_NUMBER) return scan_run(q + len, end, CHAR_NUMBER);
    if (scan_is_sign(k)) return scan_signs(q + len, end);
    return k & SCAN_BAD && q == p ? scan_bad(p, end) : scan_space(p, end, false);
}

enum {
    SCAN_U = CHAR_UPPER | CHAR_CASELESS | CHAR_MARK, /* [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] */
    SCAN_L = CHAR_LOWER | CHAR_CASELESS | CHAR_MARK, /* [\p{Ll}\p{Lm}\p{Lo}\p{M}]       */
};

/* [U]*[L]+ from p, giving back what [U]* took too much of; NULL where there is no match. *upper is
 * where the run of [U] ends. */
static inline const scan_byte *scan_word(const scan_byte *p, const scan_byte *end,
                                         const scan_byte **upper) {
    const scan_byte *last = NULL;
    size_t len;
    unsigned k;
    while ((k = scan_class(p, end, &len)) & SCAN_U) {
        p += len;
        if (k & SCAN_L) last = p;
    }
    *upper = p;
    return k & CHAR_LOWER ? scan_run(p + len, end, SCAN_L) : last;
}

/* A word of ASCII letters that nothing beyond ASCII follows, by the rules of scan_o200k; else
 * NULL. */
static inline const scan_byte *scan_ascii_word(const scan_byte *p, const scan_byte *end,
                                               bool contractions) {
    const scan_byte *from = *p == '\'' ? p + 1 : scan_word_start(p);
    if (!from) return NULL;
    const scan_byte *upper = ascii_run(from, end, ASCII_UPPERS);
    const scan_byte *q = ascii_run(upper, end, ASCII_LOWERS);
    if (q == from || (q < end && *q >= 0x80)) return NULL;
    return contractions && q < end && *q == '\'' ? q + scan_contraction(q, end, true) : q;
}

/* [^\r\n\p{L}\p{N}]?[U]*[L]+(?i:'s|..)?|[^\r\n\p{L}\p{N}]?[U]+[L]*(?i:'s|..)?|\p{N}{1,digits}
 * | ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * (o200k_base: digits 3, contractions; Tekken: digits 1, none) */
static inline const scan_byte *scan_o200k(const scan_byte *p, const scan_byte *end, int digits,
                                          bool contractions) {
    size_t len, len2;
    const scan_byte *word = scan_ascii_word(p, end, contractions);
    if (word) return word;
    const unsigned k = scan_class(p, end, &len);
    if (k & CHAR_NUMBER) return scan_digits(p, end, digits);
    if (k & SCAN_BAD) return scan_bad(p, end);
    const bool prefix = !(k & CHAR_LETTER) && *p != '\r' && *p != '\n';
    if (prefix || k & CHAR_LETTER) {
        const scan_byte *from = prefix ? p + len : p, *upper, *q = scan_word(from, end, &upper);
        if (!q && k & CHAR_MARK) q = p + len; /* [U]*[L]+ without the prefix: the mark alone */
        if (!q && upper > from) q = upper;
        if (q && contractions && q < end && *q == '\'') q += scan_contraction(q, end, true);
        if (q) return q;
    }
    const unsigned next = scan_class(p + len, end, &len2);
    const scan_byte *q = NULL;
    if (*p == ' ' && scan_is_sign(next)) q = scan_signs(p + len + len2, end);
    else if (scan_is_sign(k)) q = scan_signs(p + len, end);
    if (!q) return scan_space(p, end, true);
    while (q < end && (*q == '\r' || *q == '\n' || *q == '/')) q++;
    return q;
}

/* DeepSeek-V3 applies three patterns in turn: \p{N}{1,3}, then runs of CJK and kana, then the one
 * of scan_fragment. A fragment is what the first two leave between their matches (or the CJK run
 * itself); its end counts as the end of the text for the third. */
static inline bool scan_is_cjk(const scan_byte *p, size_t len) {
    if (len != 3 || *p >= 0xF0) return false;
    const uint32_t cp = (*p & 0xFu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    return (cp >= 0x3040 && cp <= 0x30FF) || (cp >= 0x4E00 && cp <= 0x9FA5);
}

static inline unsigned scan_in_fragment(const scan_byte *p, const scan_byte *end, bool cjk,
                                        size_t *len) {
    const unsigned k = scan_class(p, end, len);
    if (k & SCAN_NOTHING) return k;
    if (k & CHAR_NUMBER || scan_is_cjk(p, *len) != cjk) {
        *len = 0;
        return SCAN_END;
    }
    return k;
}

static inline const scan_byte *scan_fragment_run(const scan_byte *p, const scan_byte *end, bool cjk,
                                                 unsigned set) {
    size_t len;
    while (scan_in_fragment(p, end, cjk, &len) & set) p += len;
    return p;
}

/* scan_space inside a fragment. */
static inline const scan_byte *scan_fragment_space(const scan_byte *p, const scan_byte *end) {
    const scan_byte *q = p;
    size_t len;
    while (scan_class(q, end, &len) & CHAR_SPACE) q += len;
    const bool at_end = scan_in_fragment(q, end, false, &len) & SCAN_NOTHING;
    return scan_space(p, at_end ? q : end, true);
}

/* Nothing matches at p: the piece goes on to where something does. */
static inline const scan_byte *scan_fragment_gap(const scan_byte *p, const scan_byte *end,
                                                 bool cjk) {
    size_t len, next_len;
    for (;;) {
        const unsigned k = scan_in_fragment(p, end, cjk, &len);
        if (k != CHAR_NONE && k != SCAN_BAD) return p;
        if (k == CHAR_NONE &&
            scan_in_fragment(p + len, end, cjk, &next_len) & (CHAR_LETTER | CHAR_MARK))
            return p;
        p += len;
    }
}

/* [!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*
 * |\s*[\r\n]+|\s+(?!\S)|\s+ */
static inline const scan_byte *scan_fragment(const scan_byte *p, const scan_byte *end, bool cjk) {
    const unsigned word = CHAR_LETTER | CHAR_MARK, sign = CHAR_PUNCT | CHAR_SYMBOL;
    size_t len, len2;
    const unsigned k = scan_in_fragment(p, end, cjk, &len);
    if (k & word) return scan_fragment_run(p + len, end, cjk, word);
    const unsigned next = scan_in_fragment(p + len, end, cjk, &len2);
    if (k & sign) {
        if (*p < 0x80 && len2 == 1 && next & CHAR_LETTER) {
            for (p += 2; p < end && *p < 0x80 && char_class_low(*p) & CHAR_LETTER;) p++;
            return p;
        }
        p = scan_fragment_run(p + len, end, cjk, sign);
        return cjk ? p : scan_newlines(p, end);
    }
    if (k & SCAN_BAD) return scan_fragment_gap(p, end, cjk);
    if (next & word && *p != '\r' && *p != '\n')
        return scan_fragment_run(p + len + len2, end, cjk, word);
    if (*p == ' ' && next & sign)
        return scan_newlines(scan_fragment_run(p + len + len2, end, cjk, sign), end);
    if (k & CHAR_SPACE) return scan_fragment_space(p, end);
    return scan_fragment_gap(p + len, end, cjk);
}

static inline const scan_byte *scan_deepseek3(const scan_byte *p, const scan_byte *end) {
    size_t len;
    const scan_byte *word = *p == '\'' ? p + 1 : scan_word_start(p);
    if (word) {
        /* A sign takes ASCII letters only; behind the others a word may go on. */
        const scan_byte *q = ascii_run(word, end, ASCII_LETTERS);
        const bool sign = word > p && char_class_low(*p) & (CHAR_PUNCT | CHAR_SYMBOL);
        if (q > word && (sign || q == end || *q < 0x80)) return q;
    }
    if (scan_class(p, end, &len) & CHAR_NUMBER) return scan_digits(p, end, 3);
    return scan_fragment(p, end, scan_is_cjk(p, len));
}

#endif
