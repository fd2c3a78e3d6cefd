/* test_re.c - the regular expression engine: syntax, agreement of the engines, limits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "regex/re.h"
#include "test.h"
#include "unicode/ucd.h"
#include "unicode/utf8.h"

static const re_engine engines[] = {RE_AUTO, RE_PIKE, RE_DFA, RE_BACK, RE_JIT};
static const char *const engine_names[] = {"auto", "pike", "dfa", "back", "jit"};
enum { N_ENGINE = sizeof engines / sizeof *engines, MAX_SPAN = 64 };

typedef struct result {
    status st;
    re_span span[MAX_SPAN];
} result;

/* First match with its groups; st RZ_EUNSUPPORTED: not by this engine. */
static result match(const char *pattern, str text, re_engine engine) {
    result out = {.st = RZ_OK, .span = {{RE_NONE, RE_NONE}}};
    const re_options opt = {.engine = engine};
    re *r = NULL;
    re_work *w = NULL;
    err e = {0};
    out.st = re_compile(&r, str_of(pattern), &opt, &e);
    if (out.st == RZ_OK && re_groups(r) <= MAX_SPAN) {
        if (re_work_new(&w, r, &e) == RZ_OK) {
            re_text(w, text);
            out.st = re_captures(w, 0, out.span, &e);
        }
    }
    re_work_free(w);
    re_free(r);
    return out;
}

/* "3-5" of the match and "," and so on for the groups; "-" for none. */
static const char *spell(const result *r, size_t groups) {
    static char out[4][1024];
    static int turn;
    char *p = out[turn++ % 4];
    size_t n = 0;
    if (r->st != RZ_OK) return r->st == RZ_EUNSUPPORTED ? "unsupported" : "error";
    for (size_t g = 0; g < groups && n < 900; g++) {
        if (r->span[g].start == RE_NONE)
            n += (size_t)snprintf(p + n, 1024 - n, "%s-", g ? "," : "");
        else
            n += (size_t)snprintf(p + n, 1024 - n, "%s%zu-%zu", g ? "," : "", r->span[g].start,
                                  r->span[g].end);
    }
    return p;
}

static size_t groups_of(const char *pattern) {
    re *r = NULL;
    const size_t n = re_compile(&r, str_of(pattern), NULL, NULL) == RZ_OK ? re_groups(r) : 1;
    re_free(r);
    return n;
}

/* ---- syntax: one row that matches and one that does not for each construct ---- */

typedef struct row {
    const char *construct, *pattern, *text, *want; /* want: as spell() says it */
} row;

static const row syntax[] = {
    {"literal", "bc", "abcd", "1-3"},
    {"literal", "bd", "abcd", "-"},
    {"\\n", "\\n", "a\n", "1-2"},
    {"\\n", "\\n", "an", "-"},
    {"\\r", "\\r", "a\r", "1-2"},
    {"\\r", "\\r", "ar", "-"},
    {"\\t", "\\t", "a\t", "1-2"},
    {"\\t", "\\t", "at", "-"},
    {"\\f", "\\f", "\f", "0-1"},
    {"\\f", "\\f", "f", "-"},
    {"\\v", "\\v", "\v", "0-1"},
    {"\\v", "\\v", "v", "-"},
    {"\\a", "\\a", "\a", "0-1"},
    {"\\a", "\\a", "a", "-"},
    {"\\e", "\\e", "\x1b", "0-1"},
    {"\\e", "\\e", "e", "-"},
    {"\\xHH", "\\x41", "A", "0-1"},
    {"\\xHH", "\\x41", "x41", "-"},
    {"\\x{}", "\\x{1F600}", "\xF0\x9F\x98\x80", "0-4"},
    {"\\x{}", "\\x{1F600}", "\xF0\x9F\x98\x81", "-"},
    {"\\uHHHH", "\\u00e9", "\xC3\xA9", "0-2"},
    {"\\uHHHH", "\\u00e9", "e", "-"},
    {"\\u{}", "\\u{e9}", "\xC3\xA9", "0-2"},
    {"\\u{}", "\\u{e9}", "u", "-"},
    {"\\cX", "\\cA", "\x01", "0-1"},
    {"\\cX", "\\ca", "A", "-"},
    {"\\0", "\\012", "\n", "0-1"},
    {"\\0", "\\012", "0", "-"},
    {"\\Q..\\E", "\\Qa.b*\\E+", "a.b**", "0-5"},
    {"\\Q..\\E", "\\Qa.b\\E", "axb", "-"},
    {"escaped sign", "\\.\\*\\[", ".*[", "0-3"},
    {"escaped sign", "\\.", "a", "-"},
    {".", "a.c",
     "a\xC3\xA9"
     "c",
     "0-4"},
    {".", "a.c", "a\nc", "-"},
    {"\\d", "\\d+",
     "a\xD9\xA1"
     "2",
     "1-4"},
    {"\\d", "\\d", "abc", "-"},
    {"\\D", "\\D", "1a", "1-2"},
    {"\\D", "\\D", "12", "-"},
    {"\\w", "\\w+", "-\xC3\xA9_1", "1-5"},
    {"\\w", "\\w", "-+ ", "-"},
    {"\\W", "\\W", "a-", "1-2"},
    {"\\W", "\\W", "a_1", "-"},
    {"\\s", "\\s+", "a\xE3\x80\x80 b", "1-5"},
    {"\\s", "\\s", "ab\xE2\x80\x8B", "-"},
    {"\\S", "\\S", " a", "1-2"},
    {"\\S", "\\S", " \t\n", "-"},
    {"\\h", "\\h", "\n\t", "1-2"},
    {"\\h", "\\h", "\n", "-"},
    {"\\H", "\\H", " a", "1-2"},
    {"\\H", "\\H", " \t", "-"},
    {"\\R", "\\R", "a\r\nb", "1-3"},
    {"\\R", "\\R\\n", "\r\n", "-"},
    {"\\N", "\\N+", "\nab\n", "1-3"},
    {"\\N", "\\N", "\n\n", "-"},
    {"\\X", "\\X", "e\xCC\x81x", "0-3"},
    {"\\X", "^\\X\\x{301}", "e\xCC\x81x", "-"},
    {"class", "[abc]+", "xcabx", "1-4"},
    {"class", "[abc]", "xyz", "-"},
    {"range", "[b-d]+", "abcde", "1-4"},
    {"range", "[b-d]", "aez-", "-"},
    {"] first", "[]a]+", "]a", "0-2"},
    {"] first", "[^]a]", "]a", "-"},
    {"- at an end", "[-a]+[b-]", "a--", "0-3"},
    {"- at an end", "[a-]", "b", "-"},
    {"negated class", "[^abc]", "abx", "2-3"},
    {"negated class", "[^abc]", "cab", "-"},
    {"[:posix:]", "[[:digit:][:upper:]]+", "a1B", "1-3"},
    {"[:posix:]", "[[:alpha:]]", "12", "-"},
    {"[:^posix:]", "[[:^digit:]]", "1a", "1-2"},
    {"[:^posix:]", "[[:^digit:]]", "12", "-"},
    {"&&", "[a-z&&[^aeiou]]+", "aebcd", "2-5"},
    {"&&", "[a-z&&[^aeiou]]", "aei", "-"},
    {"--", "[a-z--[d-z]]+", "xabc", "1-4"},
    {"--", "[a-z--[d-z]]", "xyz", "-"},
    {"~~", "[a-c~~b-d]+", "bad", "1-3"},
    {"~~", "[a-c~~b-d]", "bcb", "-"},
    {"nested class", "[a[b[c]]]+", "xcab", "1-4"},
    {"nested class", "[a[bc]]", "[]", "-"},
    {"\\p category", "\\p{Lu}\\p{Ll}", "aBc", "1-3"},
    {"\\p category", "\\p{Lu}", "abc", "-"},
    {"\\pL", "\\pL", "1\xC3\xA9", "1-3"},
    {"\\pL", "\\pL", "12", "-"},
    {"\\P", "\\P{L}+", "ab12", "2-4"},
    {"\\P", "\\P{L}", "ab", "-"},
    {"\\p{^}", "\\p{^L}", "a1", "1-2"},
    {"\\p{^}", "\\p{^L}", "ab", "-"},
    {"\\p script", "\\p{Greek}+", "a\xCE\xB1\xCE\xB2", "1-5"},
    {"\\p script", "\\p{Script=Greek}", "abc", "-"},
    {"\\p property", "\\p{White_Space}", "a ", "1-2"},
    {"\\p property", "\\p{Uppercase}", "abc", "-"},
    {"\\p{Emoji}", "\\p{Emoji_Presentation}", "a\xF0\x9F\x98\x80", "1-5"},
    {"\\p{Emoji}", "\\p{Emoji_Presentation}", "a1", "-"},
    {"*", "ab*c", "abbc", "0-4"},
    {"*", "ab*c", "abdc", "-"},
    {"+", "ab+c", "abbc", "0-4"},
    {"+", "ab+c", "ac", "-"},
    {"?", "ab?c", "ac", "0-2"},
    {"?", "ab?c", "abbc", "-"},
    {"{n}", "a{3}", "aaaa", "0-3"},
    {"{n}", "a{3}", "aa", "-"},
    {"{n,}", "a{2,}", "aaaa", "0-4"},
    {"{n,}", "a{2,}", "aba", "-"},
    {"{n,m}", "a{2,3}", "aaaa", "0-3"},
    {"{n,m}", "^a{2,3}$", "aaaa", "-"},
    {"{ alone", "a{,2}b{x", "a{,2}b{x", "0-8"},
    {"{ alone", "a{x}", "aa", "-"},
    {"*?", "a*?b", "aab", "0-3"},
    {"*?", "a*?", "aaa", "0-0"},
    {"+?", "a+?", "aaa", "0-1"},
    {"+?", "a+?b", "b", "-"},
    {"??", "ab??", "ab", "0-1"},
    {"??", "ab??c", "abbc", "-"},
    {"{n,m}?", "a{2,3}?", "aaaa", "0-2"},
    {"{n,m}?", "a{2,3}?b", "ab", "-"},
    {"*+", "a*+b", "aab", "0-3"},
    {"*+", "a*+ab", "aab", "-"},
    {"++", "a++b", "aab", "0-3"},
    {"++", "a++ab", "aab", "-"},
    {"?+", "a?+b", "ab", "0-2"},
    {"?+", "^a?+ab", "ab", "-"},
    {"{n,m}+", "a{1,2}+b", "aab", "0-3"},
    {"{n,m}+", "^a{1,2}+ab", "aab", "-"},
    {"(?>)", "(?>a+|b)c", "aac", "0-3"},
    {"(?>)", "(?>a|ab)c", "abc", "-"},
    {"(?>)", "^(?>(?:ab)*|x)ab", "ababab", "-"},
    {"^", "^a", "ab", "0-1"},
    {"^", "^b", "a\nb", "-"},
    {"$", "b$", "ab", "1-2"},
    {"$", "b$", "ab\n", "-"},
    {"(?m)^", "(?m)^b", "a\nb", "2-3"},
    {"(?m)^", "(?m)^b", "ab", "-"},
    {"(?m)$", "(?m)a$", "a\nb", "0-1"},
    {"(?m)$", "(?m)a$", "ab\n", "-"},
    {"\\A", "(?m)\\Aa", "ab", "0-1"},
    {"\\A", "(?m)\\Ab", "a\nb", "-"},
    {"\\z", "b\\z", "ab", "1-2"},
    {"\\z", "(?m)b\\z", "ab\n", "-"},
    {"\\Z", "b\\Z", "ab\n", "1-2"},
    {"\\Z", "b\\Z", "ab\n\n", "-"},
    {"\\b", "\\bb", "ab b", "3-4"},
    {"\\b", "\\bb", "ab", "-"},
    {"\\b Unicode", "\\bb",
     "\xC3\xA9"
     "b",
     "-"},
    {"\\B", "\\Bb", "b ab", "3-4"},
    {"\\B", "\\Bb", "b b", "-"},
    {"group", "(a)(b)?", "a", "0-1,0-1,-"},
    {"group", "(a)b", "acb", "-,-"},
    {"(?P<n>)", "(?P<x>a)", "ba", "1-2,1-2"},
    {"(?P<n>)", "(?P<x>a)", "b", "-,-"},
    {"(?<n>)", "(?<x>a)", "ba", "1-2,1-2"},
    {"(?<n>)", "(?<x>a)", "b", "-,-"},
    {"(?'n')", "(?'x'a)", "ba", "1-2,1-2"},
    {"(?'n')", "(?'x'a)", "b", "-,-"},
    {"(?:)", "(?:ab)+", "xabab", "1-5"},
    {"(?:)", "(?:ab)+", "ba", "-"},
    {"alternation", "b|ab|abc", "abc", "0-2"},
    {"alternation", "x|y", "abc", "-"},
    {"\\1", "(\\w)\\1", "abccd", "2-4,2-3"},
    {"\\1", "(\\w)\\1", "abcd", "-,-"},
    {"\\k<n>", "(?<c>.)\\k<c>", "abb", "1-3,1-2"},
    {"\\k<n>", "(?<c>.)\\k<c>", "abc", "-,-"},
    {"\\g{n}", "(.)(.)\\g{-1}", "abb", "0-3,0-1,1-2"},
    {"\\g{n}", "(.)(.)\\g{1}", "abb", "-,-,-"},
    {"(?P=n)", "(?P<c>.)(?P=c)", "abb", "1-3,1-2"},
    {"(?P=n)", "(?P<c>.)(?P=c)", "abc", "-,-"},
    {"(?=)", "a(?=b)", "aab", "1-2"},
    {"(?=)", "a(?=b)", "aac", "-"},
    {"(?=) long", "\\w+(?=ing\\b)", "sing going", "0-1"},
    {"(?=) long", "a(?=bc)", "abd", "-"},
    {"(?!)", "a(?!b)", "abac", "2-3"},
    {"(?!)", "a(?!b)", "ab", "-"},
    {"(?!) long", "a(?!bc)", "abcabd", "3-4"},
    {"(?!) long", "a(?!bc)", "abc", "-"},
    {"(?<=)", "(?<=@)\\w+", "a@bc", "2-4"},
    {"(?<=)", "(?<=@)a", "a", "-"},
    {"(?<=) long", "(?<=ab+)c", "cabbc", "4-5"},
    {"(?<=) long", "(?<=ab)c", "bc", "-"},
    {"(?<!)", "(?<!\\$)\\b\\d+", "$12 34", "4-6"},
    {"(?<!)", "(?<!a)b", "ab", "-"},
    {"(?<!) long", "(?<!ab)c", "abcxc", "4-5"},
    {"(?<!) long", "(?<!ab)c", "abc", "-"},
    {"look in look", "(?=a(?!bc))a", "abcabd", "3-4"},
    {"look in look", "(?=a(?!bc))a", "abc", "-"},
    {"group in look", "(?=(\\w+))a", "abc", "0-1,0-3"},
    {"group in look", "(?=(\\d))a", "abc", "-,-"},
    {"(?i)", "(?i)aBc", "AbC", "0-3"},
    {"(?i)", "aBc", "AbC", "-"},
    {"(?i) Unicode", "(?i)k", "\xE2\x84\xAA", "0-3"},
    {"(?i) Unicode", "(?i)\xC3\x9F", "ss", "-"},
    {"(?i) class", "(?i)[k-m]+", "\xE2\x84\xAAL", "0-4"},
    {"(?i) class", "(?i)[^k]", "Kk", "-"},
    {"(?s)", "(?s)a.b", "a\nb", "0-3"},
    {"(?s)", "(?-s)a.b", "a\nb", "-"},
    {"(?x)", "(?x) a b # comment\n c", "abc", "0-3"},
    {"(?x)", "(?x) a b", "a b", "-"},
    {"(?-u)", "(?-u)\\w+",
     "\xC3\xA9"
     "a",
     "2-3"},
    {"(?-u)", "(?-u:\\d)\\d",
     "\xD9\xA1"
     "1",
     "-"},
    {"scoped flag", "a(?i:b)c", "aBc", "0-3"},
    {"scoped flag", "a(?i:b)c", "aBC", "-"},
    {"flag to the end", "(a(?i)b)c", "aBc", "0-3,0-2"},
    {"flag to the end", "(a(?i)b)c", "aBC", "-,-"},
    {"(?#)", "a(?#comment)b", "ab", "0-2"},
    {"(?#)", "a(?#b)", "b", "-"},
    {"bad byte", "a.", "a\xFF", "-"},
    {"bad byte", "[^b]", "\xFF\x80", "-"},
    {"bad byte", "a(?!\\S)", "a\xFF", "0-1"},
    {"bad byte", "\\bb",
     "\xFF"
     "b",
     "1-2"},
    {"empty pattern", "", "abc", "0-0"},
    {"nullable loop", "(a|b*)+", "abc", "0-2,1-2"},
    {"nullable loop", "(|a)+", "aaa", "0-0,0-0"},
    /* An empty turn ends its loop, also when what it passes must see the next character first. */
    {"nullable loop, look", "(\\w?-?\?(?=())){2,}", "ab-", "0-2,1-2,2-2"},
    {"nullable loop, look", "(?:\\w?-?\?(?!\\d)){2,}", "ab-", "0-2"},
    {"nullable loop, look", "(?:-??\\b)+x", "-x", "0-2"},
    {"look never reached", "(?=ab)a(?:(?=bc)){0}", "cabc", "1-2"},
    {"look never reached", "(?=a(?=bc))a(?:(?=cd)){0}(?:(?<=xa)){0}", "xabcd", "1-2"},
    {"priority", "(a|ab)(c|bcd)", "abcd", "0-4,0-1,1-4"},
    {"lazy group", "<(.+?)>", "<a><b>", "0-3,1-2"},
};

static void test_every_construct_matches_and_does_not(void) {
    for (size_t i = 0; i < sizeof syntax / sizeof *syntax; i++) {
        const row *r = &syntax[i];
        const size_t groups = groups_of(r->pattern);
        for (size_t k = 0; k < N_ENGINE; k++) {
            const result got = match(r->pattern, str_of(r->text), engines[k]);
            if (got.st == RZ_EUNSUPPORTED && engines[k] != RE_AUTO) continue;
            CHECK_MSG(strcmp(spell(&got, groups), r->want) == 0, "%s: %s by %s gives %s, not %s",
                      r->construct, r->pattern, engine_names[engines[k]], spell(&got, groups),
                      r->want);
        }
    }
}

static void test_bad_patterns_say_where(void) {
    static const struct {
        const char *pattern, *text;
    } rows[] = {
        {"(a", "regex: offset 0: this group is not closed"},
        {"a)", "regex: offset 1: this parenthesis was not opened"},
        {"[a", "regex: offset 0: this class is not closed"},
        {"*a", "regex: offset 0: nothing stands before this quantifier"},
        {"a**", "regex: offset 2: nothing stands before this quantifier"},
        {"a{2}{3}", "regex: offset 4: nothing stands before this quantifier"},
        {"a{3,2}", "regex: offset 1: repeat counts are at most 65535, the smaller one first"},
        {"a{70000}", "regex: offset 1: repeat counts are at most 65535, the smaller one first"},
        {"\\", "regex: offset 0: the pattern ends in a backslash"},
        {"\\y", "regex: offset 0: unknown escape"},
        {"\\i", "regex: offset 0: unknown escape"},
        {"[\\B]", "regex: offset 1: unknown escape"},
        {"[b-a]", "regex: offset 1: this range runs backwards"},
        {"[a-\\d]", "regex: offset 2: a range ends in a character, not in a set"},
        {"[[:nope:]]", "regex: offset 1: no such [:class:]"},
        {"\\p{Nope}", "regex: offset 0: no such Unicode property"},
        {"\\p{L", "regex: offset 0: \\p{ is not closed"},
        {"\\x{110000}", "regex: offset 0: not a code point"},
        {"\\x{D800}", "regex: offset 0: not a code point"},
        {"\\xZ", "regex: offset 0: hexadecimal digits are missing"},
        {"\\u12", "regex: offset 0: hexadecimal digits are missing"},
        {"\\c", "regex: offset 0: \\c takes a letter"},
        {"\\1", "regex: offset 0: there is no group of this number"},
        {"(a)\\2", "regex: offset 3: there is no group of this number"},
        {"\\k<x>", "regex: offset 0: no group of this name stands before"},
        {"(?<x>a)(?<x>b)", "regex: offset 7: two groups have this name"},
        {"(?<1x>a)", "regex: offset 0: a group name begins with a letter or _"},
        {"(?<x", "regex: offset 3: a group name is letters, digits and _, closed by > ' } or )"},
        {"(?y)", "regex: offset 0: unknown kind of group, or flag"},
        {"(?(1)a|b)", "regex: offset 0: unknown kind of group, or flag"},
        {"(?#a", "regex: offset 0: this comment is not closed"},
        {"a\xFF", "regex: offset 1: the pattern is not valid UTF-8"},
        {"(?<=(a)\\1)b", "regex: a backreference or atomic group inside look-behind"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        re *r = NULL;
        err e = {0};
        CHECK_MSG(re_compile(&r, str_of(rows[i].pattern), NULL, &e) < 0, "%s compiles",
                  rows[i].pattern);
        CHECK_STR(e.text, rows[i].text);
        CHECK(r == NULL);
        re_free(r);
    }
}

/* ---- the engines agree ---- */

typedef struct maker {
    uint64_t seed;
    char out[512];
    size_t n;
    int depth, groups, in_look;
} maker;

static void put(maker *m, const char *text) {
    const size_t len = strlen(text);
    if (m->n + len + 8 < sizeof m->out) {
        memcpy(m->out + m->n, text, len);
        m->n += len;
    }
    m->out[m->n] = 0;
}

static void random_alt(maker *m);

static void random_atom(maker *m) {
    static const char *const atoms[] = {
        "a",        "b",       "c",      "1",   " ",      "\xC3\xA9", ".",
        "\\w",      "\\d",     "\\s",    "\\S", "\\W",    "[ab]",     "[^a]",
        "[b-d1]",   "\\p{L}",  "\\P{L}", "\\n", "(?i:A)", "\\h",      "[^\\s\\p{L}]",
        "\\N",      "aa",      "ab",     "\\b", "\\B",    "^",        "$",
        "(?m:^)",   "(?m:$)",  "\\A",    "\\Z", "(?=a)",  "(?!a)",    "(?<=b)",
        "(?<!\\s)", "(?!\\S)", "\\X",    "\\R"};
    const uint64_t kind = m->depth > 3 ? 9 : rng_below(&m->seed, 14);
    m->depth++;
    if (kind < 3 && m->groups < 6 && !m->in_look) {
        m->groups++;
        put(m, "(");
        random_alt(m);
        put(m, ")");
    } else if (kind < 5) {
        put(m, "(?:");
        random_alt(m);
        put(m, ")");
    } else if (kind == 5 && !m->in_look) {
        static const char *const looks[] = {"(?=", "(?!", "(?<=", "(?<!"};
        m->in_look++;
        put(m, looks[rng_below(&m->seed, 4)]);
        random_alt(m);
        put(m, ")");
        m->in_look--;
    } else {
        put(m, atoms[rng_below(&m->seed, sizeof atoms / sizeof *atoms)]);
    }
    m->depth--;
}

static void random_cat(maker *m) {
    static const char *const often[] = {"*", "+", "?", "{2}", "{1,2}", "{0,3}", "{2,}"};
    for (uint64_t n = rng_below(&m->seed, 4); n > 0; n--) {
        const size_t before = m->n;
        random_atom(m);
        if (m->n == before || rng_below(&m->seed, 3)) continue;
        put(m, often[rng_below(&m->seed, 7)]);
        if (rng_below(&m->seed, 3) == 0) put(m, "?");
        else if (rng_below(&m->seed, 8) == 0) put(m, "+");
    }
}

static void random_alt(maker *m) {
    random_cat(m);
    for (uint64_t n = rng_below(&m->seed, 4) / 2; n > 0; n--) {
        put(m, "|");
        random_cat(m);
    }
}

static size_t random_subject(uint64_t *seed, char *out, size_t most) {
    static const char *const parts[] = {"a",        "a",   "b",  "c",    "A",
                                        "1",        " ",   "\n", "\r",   "\xC3\xA9",
                                        "-",        "aa",  "ab", "\xFF", "\xE4\xB8\xAD",
                                        "\xCC\x81", "\xC3"};
    size_t n = 0;
    for (uint64_t k = rng_below(seed, most); k > 0; k--) {
        const char *p = parts[rng_below(seed, sizeof parts / sizeof *parts)];
        memcpy(out + n, p, strlen(p));
        n += strlen(p);
    }
    return n;
}

/* All matches with all groups by two engines; false when they differ. */
static bool agree(re_work *a, re_work *b, size_t groups, str text) {
    re_text(a, text);
    re_text(b, text);
    for (size_t at = 0; at <= text.len; at++) {
        re_span x[MAX_SPAN], y[MAX_SPAN];
        const status s = re_captures(a, at, x, NULL), t = re_captures(b, at, y, NULL);
        if (s == RZ_EFULL || t == RZ_EFULL) return true; /* only budgets may differ */
        if (s != t || memcmp(x, y, groups * sizeof *x) != 0) return false;
        if (x[0].start == RE_NONE) return true;
        at = x[0].start; /* so that matches that overlap are compared too */
    }
    return true;
}

/* All matches in batches, as the machine code finds them, and one by one. */
static bool batches_agree(re_work *many, re_work *one, str text, size_t batch) {
    re_span m[7], x;
    re_text(many, text);
    re_text(one, text);
    for (size_t n = 1; n;) {
        if (re_next_many(many, m, batch, &n, NULL) < 0) return false;
        for (size_t i = 0; i < n; i++)
            if (re_next(one, &x, NULL) < 0 || x.start != m[i].start || x.end != m[i].end)
                return false;
    }
    return re_next(one, &x, NULL) == RZ_OK && x.start == RE_NONE;
}

static void test_engines_agree_on_random_patterns(void) {
    const int rounds = test_thorough() ? 8000 : 500;
    int compiled = 0, bad = 0;
    for (int i = 0; i < rounds && bad < 5; i++) {
        maker m = {.seed = (uint64_t)i * 7919 + 1};
        re *r[N_ENGINE] = {NULL};
        re_work *w[N_ENGINE] = {NULL};
        random_alt(&m);
        if (re_compile(&r[0], str_of(m.out), NULL, NULL) < 0) continue;
        compiled++;
        for (int k = 0; k < N_ENGINE; k++) {
            const re_options opt = {.engine = engines[k], .step_budget = 200000};
            if (engines[k] == RE_JIT) continue; /* what RE_AUTO takes whenever it can */
            if (k && re_compile(&r[k], str_of(m.out), &opt, NULL) < 0) continue;
            if (re_work_new(&w[k], r[k], NULL) < 0) continue;
        }
        for (int j = 0; j < 12; j++) {
            char text[200];
            const size_t len = random_subject(&m.seed, text, 24);
            if (w[2] && !batches_agree(w[0], w[2], (str){text, len}, 1 + (size_t)j % 7)) {
                test_fail(__FILE__, __LINE__, "batches differ: pattern %d %s on %.*s", i, m.out,
                          (int)len, text);
                bad++;
            }
            for (int k = 1; k < N_ENGINE; k++) {
                if (!w[k] || agree(w[0], w[k], re_groups(r[0]), (str){text, len})) continue;
                test_fail(__FILE__, __LINE__, "%s and %s differ: pattern %d %s on %.*s",
                          re_engine_name(r[0]), re_engine_name(r[k]), i, m.out, (int)len, text);
                bad++;
            }
        }
        for (int k = 0; k < N_ENGINE; k++) {
            re_work_free(w[k]);
            re_free(r[k]);
        }
    }
    CHECK_MSG(compiled > rounds / 2, "only %d of %d patterns compile", compiled, rounds);
}

/* ---- searching for literals first ---- */

static re_work *open_as(const char *pattern, re_engine engine, re **r) {
    const re_options opt = {.engine = engine};
    re_work *w = NULL;
    if (re_compile(r, str_of(pattern), &opt, NULL) == RZ_OK) re_work_new(&w, *r, NULL);
    return w;
}

static void test_literals_are_found_where_the_tables_find_them(void) {
    static const struct {
        const char *pattern, *engine; /* the beginning of its name */
    } rows[] = {{"abc", "memmem"},
                {"aab|cba|bca", "teddy"},
                {"abca|ab|abcab", "teddy"},
                {"\\babc\\b", "memmem+"},
                {"(?:abc|bca)+x", "teddy+"},
                {"(a)bc(?:a|b)", "teddy"},
                {"(?i)xab", "teddy"},
                {"abcabcabcabcabcabcab[ab]*", "memmem+"},
                {"ab(?=c)", "memmem+"},
                {"aab?c?x", "teddy"},
                {"\xC3\xA9"
                 "a{2}|aaa",
                 "teddy"},
                {"bac(?!x)|cab", "teddy+"}};
    char text[400];
    uint64_t seed = 99;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        re *a = NULL, *b = NULL;
        re_work *w = open_as(rows[i].pattern, RE_AUTO, &a);
        re_work *v = open_as(rows[i].pattern, RE_DFA, &b);
        REQUIRE(w && v);
        CHECK_MSG(strncmp(re_engine_name(a), rows[i].engine, strlen(rows[i].engine)) == 0,
                  "%s runs as %s", rows[i].pattern, re_engine_name(a));
        for (int round = 0; round < 200; round++) {
            size_t n = 0;
            const size_t len = rng_below(&seed, 380);
            while (n < len) {
                const uint64_t k = rng_below(&seed, 24);
                if (k == 23) memcpy(text + n, "\xC3\xA9", 2), n += 2;
                else text[n++] = "abcabcabcabcabcabcxX -"[k % 22];
            }
            CHECK_MSG(agree(w, v, re_groups(a), (str){text, n}), "%s differs in round %d",
                      rows[i].pattern, round);
            CHECK_MSG(batches_agree(w, v, (str){text, n}, 1 + (size_t)round % 7),
                      "batches of %s differ in round %d", rows[i].pattern, round);
        }
        re_work_free(w);
        re_work_free(v);
        re_free(a);
        re_free(b);
    }
}

static void test_what_every_match_needs_is_asked_again_for_each_text(void) {
    re *r = NULL;
    re_work *w = open_as("[a-z]+@[a-z]+", RE_AUTO, &r);
    re_span m = {0, 0};
    REQUIRE(w);
    re_text(w, STR_LIT("ab cd ef"));
    CHECK(re_find(w, 0, &m, NULL) == RZ_OK && m.start == RE_NONE);
    re_text(w, STR_LIT("ab c@d ef g@h"));
    CHECK(re_find(w, 0, &m, NULL) == RZ_OK && m.start == 3 && m.end == 6);
    CHECK(re_find(w, 6, &m, NULL) == RZ_OK && m.start == 10 && m.end == 13);
    CHECK(re_find(w, 12, &m, NULL) == RZ_OK && m.start == RE_NONE);
    CHECK(re_find(w, 1, &m, NULL) == RZ_OK && m.start == 3 && m.end == 6);
    re_work_free(w);
    re_free(r);
}

/* ---- graphemes ---- */

static void test_graphemes_are_cut_as_the_database_cuts_them(void) {
    FILE *f = fopen("/usr/share/unicode/auxiliary/GraphemeBreakTest.txt", "r");
    if (!f) {
        test_skip("no Unicode database on this machine");
        return;
    }
    re *r = NULL;
    re_work *w = NULL;
    char line[2048];
    int lines = 0;
    REQUIRE(re_compile(&r, STR_LIT("\\X"), NULL, NULL) == RZ_OK &&
            re_work_new(&w, r, NULL) == RZ_OK);
    while (fgets(line, sizeof line, f)) {
        char text[256];
        size_t n = 0, cut[64], n_cut = 0;
        line[strcspn(line, "#\n")] = 0;
        for (char *p = strtok(line, " \t"); p; p = strtok(NULL, " \t")) {
            const uint32_t cp = (uint32_t)strtoul(p, NULL, 16);
            if (strcmp(p, "\xC3\xB7") == 0) cut[n_cut++] = n;
            else if ((unsigned char)*p < 0x80) n += utf8_encode(cp, text + n);
        }
        if (n_cut == 0 || n == 0) continue;
        lines++;
        re_text(w, (str){text, n});
        for (size_t i = 0; i + 1 < n_cut; i++) {
            re_span m = {0, 0};
            CHECK(re_next(w, &m, NULL) == RZ_OK);
            CHECK_MSG(m.start == cut[i] && m.end == cut[i + 1], "test %d, grapheme %zu: %zu-%zu",
                      lines, i, m.start, m.end);
        }
    }
    fclose(f);
    CHECK(lines > 500);
    re_work_free(w);
    re_free(r);
}

/* ---- limits ---- */

static status try_on(const char *pattern, str text, re_span *m, err *e) {
    re *r = NULL;
    re_work *w = NULL;
    status s = re_compile(&r, str_of(pattern), NULL, e);
    if (s == RZ_OK) s = re_work_new(&w, r, e);
    if (s == RZ_OK) {
        re_text(w, text);
        s = re_find(w, 0, m, e);
    }
    re_work_free(w);
    re_free(r);
    return s;
}

static void test_patterns_that_hurt_backtracking_are_linear(void) {
    static const char *const rows[] = {"(a+)+$",
                                       "(a*)*$",
                                       "(a|aa)+$",
                                       "(a|a?)+$",
                                       "(.*)(.*)(.*)b$",
                                       "(x+x+)+y",
                                       ".*.*=.*",
                                       "(a+){10}$",
                                       "(?:a?){30}a{30}$",
                                       "^(([a-z])+.)+[A-Z]([a-z])+$",
                                       "(a|b)*a(a|b){12}c",
                                       "a*a*a*a*a*a*b$",
                                       "(?=(a+)+$)b",
                                       "\\w+(?=ing\\b)",
                                       "(?<=a+a+)c",
                                       "(\\s*a\\s*)+$"};
    const size_t len = 200000;
    char *text = malloc(len);
    REQUIRE(text);
    memset(text, 'a', len);
    text[len - 1] = '!';
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        re_span m = {0, 0};
        err e = {0};
        CHECK_MSG(try_on(rows[i], (str){text, len}, &m, &e) == RZ_OK, "%s: %s", rows[i], e.text);
        CHECK_MSG(m.start == RE_NONE || m.start == len, "%s matches", rows[i]);
    }
    free(text);
}

static void test_backreferences_end_in_a_budget_error(void) {
    re_span m;
    err e = {0};
    const str text = STR_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
    CHECK(try_on("^(a+)+\\1c", text, &m, &e) == RZ_EFULL);
    CHECK_STR(e.text, "regex: the step budget of 20000000 is spent on a match at byte 0");
    CHECK(try_on("^(?>(?:a|aa)+|b)c", text, &m, &e) != RZ_OK || m.start == RE_NONE);
    CHECK(try_on("(a+)b?\\1", text, &m, &e) == RZ_OK && m.start == 0 && m.end == 54);
}

static void test_patterns_too_large_are_refused_at_once(void) {
    static const char *const rows[] = {"((a{1000}){1000}){1000}",
                                       "(?:a{65535}){65535}",
                                       "((((){65535}){65535}){65535}){65535}",
                                       "(?:(?:a?){1000}){1000}",
                                       "\\X{60000}",
                                       "(?:(?=ab)|(?!cd)|(?=ef)|(?=gh)|(?=ij)|(?=kl)|(?=mn)|(?=op)|"
                                       "(?=qr)|(?=st)|(?=uv)|(?=wx)|(?=yz)|(?=12)|(?=34)|(?=56)|"
                                       "(?=78))"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        re *r = NULL;
        err e = {0};
        CHECK_MSG(re_compile(&r, str_of(rows[i]), NULL, &e) == RZ_EFULL, "%s: %s", rows[i], e.text);
        re_free(r);
    }
    char deep[3000] = "";
    for (int i = 0; i < 251; i++) strcat(deep, "(");
    err e = {0};
    re *r = NULL;
    CHECK(re_compile(&r, str_of(deep), NULL, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "regex: offset 250: groups are nested too deeply");
    for (int i = 0; i < 251; i++) deep[i] = '[';
    CHECK(re_compile(&r, str_of(deep), NULL, &e) == RZ_EFORMAT);
}

static void test_a_thousand_words_and_large_counts_work(void) {
    char *pattern = malloc(20000), text[] = "xx w777 w12 yy";
    REQUIRE(pattern);
    size_t n = 0;
    for (int i = 999; i >= 0; i--) n += (size_t)sprintf(pattern + n, "w%d|", i);
    pattern[n - 1] = 0;
    re_span m = {0, 0};
    CHECK(try_on(pattern, str_of(text), &m, NULL) == RZ_OK && m.start == 3 && m.end == 7);
    free(pattern);
    CHECK(try_on("[ab]{500,1000}c", STR_LIT("abc"), &m, NULL) == RZ_OK && m.start == RE_NONE);
    CHECK(try_on("\\p{L}{1000}", STR_LIT("abc"), &m, NULL) == RZ_OK && m.start == RE_NONE);
}

static void test_running_out_of_memory_is_an_error_like_others(void) {
    static const char *const rows[] = {"(?i)[^\\s\\p{L}]?(\\w+)(?=ing)|x{2,5}", "(a)\\1|b",
                                       "a(?!bc)d*"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int k = 0; k < N_ENGINE; k++) {
            bool hit = true;
            for (long n = 1; hit && n < 2000; n++) {
                mem_fail_at(n);
                const result got = match(rows[i], STR_LIT("aab going aa"), engines[k]);
                hit = mem_fail_hit();
                mem_fail_at(0);
                if (got.st == RZ_EUNSUPPORTED) break;
                if (hit)
                    CHECK_MSG(got.st == RZ_ENOMEM || got.st == RZ_OK, "%s, allocation %ld: %d",
                              rows[i], n, got.st);
                else CHECK(got.st == RZ_OK);
            }
            CHECK(!hit || k);
        }
}

/* ---- iterating ---- */

static void test_iteration_reports_empty_matches_once(void) {
    static const struct {
        const char *pattern, *text, *want;
    } rows[] = {{"a*", "baac", "0-0 1-3 4-4 "}, {"", "\xC3\xA9z", "0-0 2-2 3-3 "},
                {"a|", "ab", "0-1 2-2 "},       {"\\b", "ab c", "0-0 2-2 3-3 4-4 "},
                {"(?m)^", "a\nb", "0-0 2-2 "},  {"b", "abab", "1-2 3-4 "},
                {"\\Aa", "aa", "0-1 "}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < N_ENGINE; k++) {
            const re_options opt = {.engine = engines[k]};
            re *r = NULL;
            re_work *w = NULL;
            char got[200] = "";
            REQUIRE(re_compile(&r, str_of(rows[i].pattern), &opt, NULL) == RZ_OK);
            REQUIRE(re_work_new(&w, r, NULL) == RZ_OK);
            re_text(w, str_of(rows[i].text));
            for (re_span m; re_next(w, &m, NULL) == RZ_OK && m.start != RE_NONE;)
                sprintf(got + strlen(got), "%zu-%zu ", m.start, m.end);
            CHECK_STR(got, rows[i].want);
            re_work_free(w);
            re_free(r);
        }
}

void suite_re(void) {
    RUN(test_every_construct_matches_and_does_not);
    RUN(test_bad_patterns_say_where);
    RUN(test_engines_agree_on_random_patterns);
    RUN(test_literals_are_found_where_the_tables_find_them);
    RUN(test_what_every_match_needs_is_asked_again_for_each_text);
    RUN(test_graphemes_are_cut_as_the_database_cuts_them);
    RUN(test_patterns_that_hurt_backtracking_are_linear);
    RUN(test_backreferences_end_in_a_budget_error);
    RUN(test_patterns_too_large_are_refused_at_once);
    RUN(test_a_thousand_words_and_large_counts_work);
    RUN(test_running_out_of_memory_is_an_error_like_others);
    RUN(test_iteration_reports_empty_matches_once);
}
