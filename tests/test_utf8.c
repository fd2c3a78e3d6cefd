/* test_utf8.c - every code point, and what is not one. */
#include <string.h>

#include "test.h"
#include "unicode/utf8.h"

static void test_every_code_point_round_trips(void) {
    int wrong = 0;
    for (uint32_t cp = 0; cp <= 0x110000; cp++) {
        char bytes[4];
        uint32_t back = 0;
        const size_t n = utf8_encode(cp, bytes);
        const bool good = cp <= 0x10FFFF && (cp < 0xD800 || cp > 0xDFFF);
        if (!good) {
            wrong += n != 0;
            continue;
        }
        wrong += utf8_decode((str){bytes, n}, &back) != n || back != cp;
        wrong += utf8_valid((str){bytes, n}) != n;
        wrong += utf8_incomplete_tail((str){bytes, n}) != 0;
        for (size_t k = 1; k < n; k++) {
            wrong += utf8_valid((str){bytes, k}) != 0;
            wrong += utf8_incomplete_tail((str){bytes, k}) != k;
            wrong += utf8_decode((str){bytes, k}, &back) != k || back != UTF8_BAD;
        }
    }
    CHECK_MSG(wrong == 0, "%d code points go wrong", wrong);
    CHECK(utf8_encode(UTF8_BAD, (char[4]){0}) == 0);
}

/* An independent statement of RFC 3629: decode the bits, then ask if the value may be so long. */
static bool is_character(const unsigned char *b, size_t n) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t v = n == 1 ? b[0] : b[0] & (0xFFu >> (n + 1));
    if (n == 1 && b[0] >= 0x80) return false;
    if (n > 1 && (b[0] & (0xFFu << (7 - n) & 0xFF)) != (0xFFu << (8 - n) & 0xFF)) return false;
    for (size_t i = 1; i < n; i++) {
        if ((b[i] & 0xC0) != 0x80) return false;
        v = v << 6 | (b[i] & 0x3Fu);
    }
    return v >= least[n] && v <= 0x10FFFF && (v < 0xD800 || v > 0xDFFF);
}

static void test_all_three_byte_sequences_are_judged_by_the_rfc(void) {
    int wrong = 0;
    for (uint32_t bits = 0; bits < 1u << 24; bits += test_thorough() ? 1 : 37) {
        const unsigned char b[3] = {(unsigned char)(bits >> 16), (unsigned char)(bits >> 8),
                                    (unsigned char)bits};
        size_t want = 0;
        for (size_t n = 1; n <= 3 && !want; n++)
            if (is_character(b, n)) want = n;
        uint32_t cp;
        const size_t got = utf8_decode((str){(const char *)b, 3}, &cp);
        wrong += (cp != UTF8_BAD) != (want != 0) || (want && got != want) || got < 1 || got > 3;
    }
    CHECK_MSG(wrong == 0, "%d sequences are judged wrongly", wrong);
}

static void test_four_byte_edges(void) {
    static const struct {
        const char *bytes;
        bool good;
    } rows[] = {
        {"\xF0\x90\x80\x80", true},  {"\xF0\x8F\xBF\xBF", false}, {"\xF4\x8F\xBF\xBF", true},
        {"\xF4\x90\x80\x80", false}, {"\xF5\x80\x80\x80", false}, {"\xF1\x80\x80\x7F", false},
        {"\xF8\x88\x80\x80", false}, {"\xFF\xFF\xFF\xFF", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_MSG((utf8_valid((str){rows[i].bytes, 4}) == 4) == rows[i].good, "row %zu", i);
}

/* The example of Unicode 3.9, table 3-8 and its neighbours: lengths of the maximal subparts. */
static void test_bad_bytes_are_cut_into_maximal_subparts(void) {
    static const struct {
        const char *bytes;
        const char *lengths;
    } rows[] = {
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", "111111111"},
        {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", "111111111"},
        {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", "111111111"},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", "21321"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str s = str_of(rows[i].bytes);
        char got[16] = "";
        for (size_t k = 0; s.len && k < 15; k++) {
            uint32_t cp;
            const size_t n = utf8_decode(s, &cp);
            CHECK((cp == UTF8_BAD) == ((unsigned char)s.p[0] >= 0x80));
            got[k] = (char)('0' + n);
            s = (str){s.p + n, s.len - n};
        }
        CHECK_STR(got, rows[i].lengths);
    }
}

static void test_valid_prefix_stops_at_the_first_bad_byte(void) {
    CHECK(utf8_valid(STR_LIT("")) == 0);
    CHECK(utf8_valid(STR_LIT("plain text of many words")) == 24);
    CHECK(utf8_valid(STR_LIT("0123456789\xC3\xA9 0123\xFFxx")) == 17);
    CHECK(utf8_valid(STR_LIT("01234567\xE2\x82")) == 8);
    CHECK(utf8_valid((str){"a\0b", 3}) == 3);
}

static void test_only_what_may_still_become_a_character_is_kept_back(void) {
    CHECK(utf8_incomplete_tail(STR_LIT("")) == 0);
    CHECK(utf8_incomplete_tail(STR_LIT("abc")) == 0);
    CHECK(utf8_incomplete_tail(STR_LIT("abc\xE2")) == 1);
    CHECK(utf8_incomplete_tail(STR_LIT("abc\xE2\x82")) == 2);
    CHECK(utf8_incomplete_tail(STR_LIT("abc\xE2\x82\xAC")) == 0);
    CHECK(utf8_incomplete_tail(STR_LIT("\xF0\x9F\x98")) == 3);
    CHECK(utf8_incomplete_tail(STR_LIT("\xF0\x9F\x98\x80")) == 0);
    CHECK(utf8_incomplete_tail(STR_LIT("\x80\x80\x80")) == 0);
    CHECK(utf8_incomplete_tail(STR_LIT("\x82\xAC")) == 0);
    CHECK(utf8_incomplete_tail(STR_LIT("a\xE0\x80")) == 0); /* would be overlong */
    CHECK(utf8_incomplete_tail(STR_LIT("a\xED\xA0")) == 0); /* would be a surrogate */
    CHECK(utf8_incomplete_tail(STR_LIT("a\xC0")) == 0);
    CHECK(utf8_incomplete_tail(STR_LIT("a\xFF")) == 0);
}

void suite_utf8(void) {
    RUN(test_every_code_point_round_trips);
    RUN(test_all_three_byte_sequences_are_judged_by_the_rfc);
    RUN(test_four_byte_edges);
    RUN(test_bad_bytes_are_cut_into_maximal_subparts);
    RUN(test_valid_prefix_stops_at_the_first_bad_byte);
    RUN(test_only_what_may_still_become_a_character_is_kept_back);
}
