/* test_re_split.c - patterns of tokenizers against a splitter written out by hand.
 *
 * The reference works on code points, alternative by alternative, as slowly and plainly as can
 * be. */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "regex/re.h"
#include "test.h"
#include "unicode/ucd.h"
#include "unicode/utf8.h"

enum { MAX_CHARS = 80, NO = -1 };

typedef struct text {
    uint32_t cp[MAX_CHARS + 4]; /* zeros behind the end */
    size_t at[MAX_CHARS + 1];   /* byte offsets */
    char bytes[MAX_CHARS * 4];
    int n;
} text;

static bool letter(uint32_t c) { return ucd_in_major(c, 'L'); }
static bool number(uint32_t c) { return ucd_in_major(c, 'N'); }
static bool space(uint32_t c) { return ucd_has(c, UCD_P_White_Space); }
static bool newline(uint32_t c) { return c == '\r' || c == '\n'; }
static bool sign(uint32_t c) { return !space(c) && !letter(c) && !number(c); }
static bool lead(uint32_t c) { return !newline(c) && !letter(c) && !number(c); }
static bool upper(uint32_t c) {
    return (letter(c) || ucd_in_major(c, 'M')) && ucd_category_of(c) != UCD_Ll;
}
static bool lower(uint32_t c) {
    const ucd_category k = ucd_category_of(c);
    return (letter(c) || ucd_in_major(c, 'M')) && k != UCD_Lu && k != UCD_Lt;
}
static bool punct(uint32_t c) { return ucd_in_major(c, 'P') || ucd_in_major(c, 'S'); }
static bool mark_or_letter(uint32_t c) { return letter(c) || ucd_in_major(c, 'M'); }
static bool not_lps(uint32_t c) { return !newline(c) && !letter(c) && !punct(c); }
static bool newline_or_slash(uint32_t c) { return newline(c) || c == '/'; }
static bool kana_or_han(uint32_t c) {
    return (c >= 0x4E00 && c <= 0x9FA5) || (c >= 0x3040 && c <= 0x30FF);
}
static bool ascii_letter(uint32_t c) { return (c | 32) >= 'a' && (c | 32) <= 'z' && c < 128; }

static int run(const text *t, int i, bool (*in)(uint32_t)) {
    while (i < t->n && in(t->cp[i])) i++;
    return i;
}

/* 's 't 're 've 'm 'll 'd */
static int contraction(const text *t, int i, bool icase) {
    static const char *const tails[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    if (i >= t->n || t->cp[i] != '\'') return NO;
    for (size_t k = 0; k < 7; k++) {
        const int len = (int)strlen(tails[k]);
        int j = 0;
        while (j < len && i + 1 + j < t->n &&
               (icase ? ucd_fold(t->cp[i + 1 + j]) : t->cp[i + 1 + j]) == (uint32_t)tails[k][j])
            j++;
        if (j == len) return i + 1 + len;
    }
    return NO;
}

static int spaces(const text *t, int i, bool newlines) {
    const int j = run(t, i, space);
    if (j == i) return NO;
    for (int k = j; newlines && k > i; k--)
        if (newline(t->cp[k - 1])) return k;
    return j < t->n && j - i > 1 ? j - 1 : j;
}

static int signs(const text *t, int i, bool (*sign_of)(uint32_t), bool (*tail)(uint32_t)) {
    for (int skip = t->cp[i] == ' '; skip >= 0; skip--) {
        const int j = run(t, i + skip, sign_of);
        if (j > i + skip) return tail ? run(t, j, tail) : j;
    }
    return NO;
}

static int digits(const text *t, int i, int most) {
    const int j = run(t, i, number);
    return j == i ? NO : j - i > most ? i + most : j;
}

static int next_cl100k(const text *t, int i, int most) {
    int j = contraction(t, i, true);
    if (j != NO) return j;
    const int word = lead(t->cp[i]) && i + 1 < t->n && letter(t->cp[i + 1]) ? i + 1 : i;
    if (letter(t->cp[word])) return run(t, word, letter);
    if ((j = digits(t, i, most)) != NO) return j;
    if ((j = signs(t, i, sign, newline)) != NO) return j;
    return spaces(t, i, true);
}

/* tiktoken's possessive spelling has \s++$ before the newlines: space up to the end is one
 * piece. */
static int next_possessive(const text *t, int i, int most) {
    const int j = run(t, i, space);
    return j > i && j == t->n ? j : next_cl100k(t, i, most);
}

static int with_contraction(const text *t, int j) {
    const int c = contraction(t, j, true);
    return c == NO ? j : c;
}

static int next_o200k(const text *t, int i, int unused) {
    (void)unused;
    for (int skip = lead(t->cp[i]); skip >= 0; skip--)
        for (int u = run(t, i + skip, upper); u >= i + skip; u--) {
            const int l = run(t, u, lower);
            if (l > u) return with_contraction(t, l);
        }
    for (int skip = lead(t->cp[i]); skip >= 0; skip--) {
        const int u = run(t, i + skip, upper);
        if (u > i + skip) return with_contraction(t, run(t, u, lower));
    }
    int j = digits(t, i, 3);
    if (j != NO) return j;
    if ((j = signs(t, i, sign, newline_or_slash)) != NO) return j;
    return spaces(t, i, true);
}

static int next_gpt2(const text *t, int i, int unused) {
    (void)unused;
    int j = contraction(t, i, false);
    if (j != NO) return j;
    const int k = i + (t->cp[i] == ' ' && i + 1 < t->n);
    if ((j = run(t, k, letter)) > k) return j;
    if ((j = run(t, k, number)) > k) return j;
    if ((j = signs(t, i, sign, NULL)) != NO) return j;
    return spaces(t, i, false);
}

static int next_digits(const text *t, int i, int most) { return digits(t, i, most); }

static int next_kana(const text *t, int i, int unused) {
    (void)unused;
    const int j = run(t, i, kana_or_han);
    return j > i ? j : NO;
}

static int next_deepseek(const text *t, int i, int unused) {
    (void)unused;
    const uint32_t c = t->cp[i];
    int j;
    if (c > ' ' && c < 127 && !ascii_letter(c) && !number(c) &&
        (j = run(t, i + 1, ascii_letter)) > i + 1)
        return j;
    for (int skip = not_lps(c); skip >= 0; skip--)
        if ((j = run(t, i + skip, mark_or_letter)) > i + skip) return j;
    if ((j = signs(t, i, punct, newline)) != NO) return j;
    return spaces(t, i, true);
}

#define CL100K(digits)                                                   \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UP "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOW "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define TAIL "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"

static const struct {
    const char *name, *pattern;
    int (*next)(const text *t, int i, int most);
    int most;
} rows[] = {
    {"cl100k and llama3", CL100K("\\p{N}{1,3}"), next_cl100k, 3},
    {"qwen", CL100K("\\p{N}"), next_cl100k, 1},
    {"cl100k as tiktoken spells it",
     "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+|"
     " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
     next_possessive, 3},
    {"o200k",
     "[^\\r\\n\\p{L}\\p{N}]?" UP "*" LOW "+" TAIL "[^\\r\\n\\p{L}\\p{N}]?" UP "+" LOW "*" TAIL
     "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     next_o200k, 3},
    {"gpt2", "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     next_gpt2, 0},
    {"deepseek 1", "\\p{N}{1,3}", next_digits, 3},
    {"deepseek 2", "[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+",
     next_kana, 0},
    {"deepseek 3",
     "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
     "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|"
     "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     next_deepseek, 0},
};
enum { N_ROW = sizeof rows / sizeof *rows };

static void random_text(text *t, uint64_t *seed) {
    static const uint32_t often[] = {'a',   'b',   'S',    't',    'D',     'l',    'L',    'r',
                                     'e',   'v',   'm',    'd',    '1',     '2',    ' ',    ' ',
                                     ' ',   '\'',  '\'',   '\n',   '\r',    '\t',   '/',    '.',
                                     '!',   '-',   0xE9,   0xC9,   0x1C5,   0x2B0,  0x5D0,  0x301,
                                     0x903, 0x661, 0x216B, 0xBD,   0x4E2D,  0x3042, 0x30A2, 0x3000,
                                     0x85,  0xA0,  0x2028, 0x200B, 0x1F600, 0x17F,  0x212A, 0x20AC};
    memset(t, 0, sizeof *t);
    const int want = (int)rng_below(seed, MAX_CHARS) / (1 + (int)rng_below(seed, 4));
    size_t bytes = 0;
    while (t->n < want) {
        uint32_t c = often[rng_below(seed, sizeof often / sizeof *often)];
        if (rng_below(seed, 8) == 0)
            c = (uint32_t)rng_below(seed, rng_below(seed, 2) ? 0x3000 : UCD_MAX);
        if (c == 0 || (c >= 0xD800 && c < 0xE000)) continue;
        /* Runs are what the patterns are about. */
        for (int k = (int)rng_below(seed, 3); k >= 0 && t->n < want; k--) {
            t->cp[t->n] = c;
            t->at[t->n++] = bytes;
            bytes += utf8_encode(c, t->bytes + bytes);
        }
    }
    t->at[t->n] = bytes;
}

/* The batches of re_next_many hold what re_next finds one by one. */
static bool batches_agree(re_work *w, str s) {
    re_span one[MAX_CHARS + 1], many[MAX_CHARS + 5];
    size_t n = 0, n_many = 0, got = 1;
    re_text(w, s);
    while (re_next(w, &one[n], NULL) == RZ_OK && one[n].start != RE_NONE) n++;
    re_text(w, s);
    for (; got; n_many += got)
        if (re_next_many(w, many + n_many, 5, &got, NULL) < 0 || n_many + got > n) return false;
    return n == n_many && memcmp(one, many, n * sizeof *one) == 0;
}

static void compare(size_t k, re_engine engine, int rounds) {
    const re_options opt = {.engine = engine};
    re *r = NULL;
    re_work *w = NULL;
    err e = {0};
    const status st = re_compile(&r, str_of(rows[k].pattern), &opt, &e);
    CHECK_MSG(st == RZ_OK, "%s: %s", rows[k].name, e.text);
    if (st < 0 || re_work_new(&w, r, &e) < 0) {
        re_free(r);
        return;
    }
    uint64_t seed = 12345 + k;
    int bad = 0;
    for (int round = 0; round < rounds && bad == 0; round++) {
        text t;
        re_span m;
        random_text(&t, &seed);
        re_text(w, (str){t.bytes, t.at[t.n]});
        for (int i = 0; i < t.n && bad == 0;) {
            const int j = rows[k].next(&t, i, rows[k].most);
            if (j == NO) {
                i++;
                continue;
            }
            bad += re_next(w, &m, &e) < 0 || m.start != t.at[i] || m.end != t.at[j];
            i = j;
        }
        bad += bad == 0 && (re_next(w, &m, &e) < 0 || m.start != RE_NONE);
        bad += bad == 0 && !batches_agree(w, (str){t.bytes, t.at[t.n]});
        CHECK_MSG(bad == 0, "%s differs by %s in round %d: %.*s", rows[k].name, re_engine_name(r),
                  round, (int)t.at[t.n], t.bytes);
    }
    re_work_free(w);
    re_free(r);
}

static void test_tokenizer_patterns_split_as_the_reference_does(void) {
    for (size_t k = 0; k < N_ROW; k++) compare(k, RE_AUTO, test_thorough() ? 200000 : 3000);
}

static void test_tokenizer_patterns_split_alike_in_all_engines(void) {
    for (size_t k = 0; k < N_ROW; k++) {
        compare(k, RE_DFA, 500);
        compare(k, RE_PIKE, 300);
        compare(k, RE_BACK, 300);
    }
}

void suite_re_split(void) {
    RUN(test_tokenizer_patterns_split_as_the_reference_does);
    RUN(test_tokenizer_patterns_split_alike_in_all_engines);
}
