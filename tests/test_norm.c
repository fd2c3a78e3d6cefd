/* test_norm.c - normalization forms, against the Unicode consortium's own test where it is
 * installed, and the table of character classes against the properties. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "test.h"
#include "unicode/char_class.h"
#include "unicode/norm.h"
#include "unicode/ucd.h"
#include "unicode/utf8.h"

static void check_form(const char *text, norm_form form, const char *want) {
    buf out = BUF_INIT;
    norm_apply(&out, str_of(text), form);
    CHECK_STR(buf_cstr(&out), want);
    buf_free(&out);
}

static void test_known_forms(void) {
    check_form("plain", NORM_NFC, "plain");
    check_form("", NORM_NFKD, "");
    check_form("e\u0301", NORM_NFC, "\u00e9");
    check_form("a\u00e9b", NORM_NFD, "ae\u0301b");
    check_form("\uac01", NORM_NFD, "\u1100\u1161\u11a8");
    check_form("\u1100\u1161\u11a8", NORM_NFC, "\uac01");
    check_form("\uac00\u11a8", NORM_NFC, "\uac01");
    check_form("\ufb01 \u2460 \uff21", NORM_NFKC, "fi 1 A");
    check_form("\ufb01", NORM_NFC, "\ufb01");
    check_form("q\u0307\u0323", NORM_NFC, "q\u0323\u0307"); /* marks in order, nothing composes */
    check_form("\u1e0b\u0323", NORM_NFC, "\u1e0d\u0307");
    check_form("a\u0301\u0301", NORM_NFC, "\u00e1\u0301");
    check_form("\u2000", NORM_NFC, "\u2002");
    check_form("\u0958", NORM_NFC, "\u0915\u093c"); /* never composed */
}

static void test_bad_bytes_pass_and_separate(void) {
    check_form(
        "\xff"
        "e\xff\u0301\x80\x80",
        NORM_NFC,
        "\xff"
        "e\xff\u0301\x80\x80");
    check_form("e\u0301\xc3", NORM_NFC, "\u00e9\xc3");
    check_form("\x80\x80\x80\u0301", NORM_NFC, "\x80\x80\x80\u0301");
}

static void test_many_marks_are_sorted(void) {
    buf text = BUF_INIT, out = BUF_INIT;
    buf_char(&text, 'a');
    for (int i = 0; i < 20000; i++) buf_text(&text, i % 2 ? "\u0323" : "\u0316\u0301");
    norm_apply(&out, buf_view(&text), NORM_NFC);
    /* U+0323 and U+0316 have class 220, U+0301 230; the first dot below joins the letter when no
     * mark of its class stands before it, which one does. */
    CHECK(!out.failed && str_starts(buf_view(&out), STR_LIT("\u00e1\u0316\u0323\u0316\u0323")));
    CHECK(str_ends(buf_view(&out), STR_LIT("\u0301\u0301")));
    CHECK(out.len == text.len - 1);
    buf_free(&text);
    buf_free(&out);
}

static void test_cutting_never_changes_the_result(void) {
    static const uint32_t some[] = {'a',    'e',    ' ',   0x301,  0x323, 0xe9,  0x1100, 0x1161,
                                    0x11a8, 0xac00, 0x958, 0x2126, 0x3b1, 0x345, 0x4e00, 0x1d15e};
    uint64_t seed = 5;
    for (int round = 0; round < 20000; round++) {
        char text[128];
        size_t n = 0;
        const size_t count = rng_below(&seed, 12);
        for (size_t i = 0; i < count; i++)
            n += utf8_encode(some[rng_below(&seed, sizeof some / sizeof *some)], text + n);
        const norm_form form = (norm_form)rng_below(&seed, 4);
        const str s = {text, n};
        buf once = BUF_INIT, twice = BUF_INIT;
        norm_apply(&once, s, form);
        norm_apply(&twice, buf_view(&once), form);
        CHECK(str_eq(buf_view(&once), buf_view(&twice)));
        /* What is done stays as it is, whatever follows. */
        const size_t done = norm_done(s, form);
        CHECK(str_starts(buf_view(&once), (str){text, done}));
        CHECK(norm_done(buf_view(&once), form) <= once.len);
        buf_free(&once);
        buf_free(&twice);
    }
}

static void test_lower_case_and_stripping(void) {
    buf out = BUF_INIT;
    norm_lower(&out, STR_LIT("ABC \u00c9\u0130\u03a3 \xff!"));
    CHECK_STR(buf_cstr(&out), "abc \u00e9i\u0307\u03c3 \xff!");
    buf_clear(&out);
    norm_strip_marks(&out, STR_LIT("e\u0301a\u0903\xff"), false);
    CHECK_STR(buf_cstr(&out), "ea\u0903\xff");
    buf_clear(&out);
    norm_strip_marks(&out, STR_LIT("e\u0301a\u0903\xff"), true);
    CHECK_STR(buf_cstr(&out), "ea\xff");
    buf_free(&out);
}

static void test_out_of_memory_shows(void) {
    char text[400] = "a";
    size_t n = 1;
    for (; n < 300; n += 2) memcpy(text + n, n % 4 == 1 ? "\u0301" : "\u0323", 2);
    bool done = false;
    for (long i = 1; !done && i < 50; i++) {
        buf out = BUF_INIT;
        mem_fail_at(i);
        norm_apply(&out, (str){text, n}, NORM_NFC);
        done = !mem_fail_hit();
        mem_fail_at(0);
        CHECK(out.failed == !done);
        buf_free(&out);
    }
    CHECK(done);
}

static size_t read_points(char **p, char *out) {
    size_t n = 0;
    while (**p != ';') n += utf8_encode((uint32_t)strtoul(*p, p, 16), out + n);
    ++*p;
    return n;
}

/* columns: 1 source; 2 NFC; 3 NFD; 4 NFKC; 5 NFKD */
static void check_line(char *line, size_t number) {
    static const norm_form forms[] = {NORM_NFC, NORM_NFD, NORM_NFKC, NORM_NFKD};
    char text[5][256];
    size_t len[5];
    for (int i = 0; i < 5; i++) len[i] = read_points(&line, text[i]);
    for (int f = 0; f < 4; f++) {
        for (int i = 0; i < 5; i++) {
            /* The K forms of all columns are equal; the others keep 4 and 5 apart. */
            const int want = f >= 2 ? f + 1 : i < 3 ? f + 1 : f + 3;
            buf out = BUF_INIT;
            norm_apply(&out, (str){text[i], len[i]}, forms[f]);
            CHECK_MSG(str_eq(buf_view(&out), (str){text[want], len[want]}),
                      "line %zu, form %d of column %d", number, f, i + 1);
            buf_free(&out);
        }
    }
}

static void test_every_line_of_the_conformance_test(void) {
    FILE *f = popen("bzip2 -dc /usr/share/unicode/NormalizationTest.txt.bz2 2>/dev/null", "r");
    char line[2048];
    size_t n = 0;
    for (size_t number = 1; f && fgets(line, sizeof line, f); number++) {
        if (line[0] == '#' || line[0] == '@') continue;
        check_line(line, number);
        n++;
    }
    if (f) pclose(f);
    if (n == 0) test_skip("the package unicode-data is not installed");
    else CHECK(n > 18000);
}

static unsigned class_by_properties(uint32_t cp) {
    if (ucd_has(cp, UCD_P_White_Space)) return CHAR_SPACE;
    const ucd_category c = ucd_category_of(cp);
    if (c == UCD_Lu || c == UCD_Lt) return CHAR_UPPER;
    if (c == UCD_Ll) return CHAR_LOWER;
    if (c == UCD_Lm || c == UCD_Lo) return CHAR_CASELESS;
    return ucd_in_major(cp, 'M')   ? CHAR_MARK
           : ucd_in_major(cp, 'N') ? CHAR_NUMBER
           : ucd_in_major(cp, 'P') ? CHAR_PUNCT
           : ucd_in_major(cp, 'S') ? CHAR_SYMBOL
                                   : CHAR_NONE;
}

static void test_classes_agree_with_properties(void) {
    for (uint32_t cp = 0; cp <= UCD_MAX; cp++)
        CHECK_MSG(char_class(cp) == class_by_properties(cp), "U+%04X", (unsigned)cp);
}

void suite_norm(void) {
    RUN(test_known_forms);
    RUN(test_bad_bytes_pass_and_separate);
    RUN(test_many_marks_are_sorted);
    RUN(test_cutting_never_changes_the_result);
    RUN(test_lower_case_and_stripping);
    RUN(test_out_of_memory_shows);
    RUN(test_every_line_of_the_conformance_test);
    RUN(test_classes_agree_with_properties);
}
