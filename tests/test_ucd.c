/* test_ucd.c - Unicode properties: spot values, and the whole database where it is installed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "unicode/ucd.h"

static bool in(const char *name, uint32_t cp) {
    ucd_set s;
    return ucd_set_find(str_of(name), &s) && ucd_set_has(s, cp);
}

static void test_categories_of_well_known_characters(void) {
    static const struct {
        uint32_t cp;
        ucd_category category;
    } rows[] = {{'A', UCD_Lu},      {'a', UCD_Ll},      {'5', UCD_Nd},       {' ', UCD_Zs},
                {'_', UCD_Pc},      {'-', UCD_Pd},      {'(', UCD_Ps},       {'+', UCD_Sm},
                {'$', UCD_Sc},      {'\n', UCD_Cc},     {0x1C5, UCD_Lt},     {0x2B0, UCD_Lm},
                {0x5D0, UCD_Lo},    {0x300, UCD_Mn},    {0x903, UCD_Mc},     {0x20DD, UCD_Me},
                {0x2160, UCD_Nl},   {0xB2, UCD_No},     {0xAB, UCD_Pi},      {0xBB, UCD_Pf},
                {0x1F600, UCD_So},  {0x2028, UCD_Zl},   {0x2029, UCD_Zp},    {0x200D, UCD_Cf},
                {0xE000, UCD_Co},   {0xD800, UCD_Cs},   {0x378, UCD_Cn},     {0x4E2D, UCD_Lo},
                {0x10FFFF, UCD_Cn}, {0x110000, UCD_Cn}, {UINT32_MAX, UCD_Cn}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_MSG(ucd_category_of(rows[i].cp) == rows[i].category, "U+%04X has category %d",
                  (unsigned)rows[i].cp, ucd_category_of(rows[i].cp));
    CHECK(ucd_in_major('x', 'L') && ucd_in_major(0x300, 'M') && !ucd_in_major('1', 'L'));
}

static void test_properties_scripts_and_words(void) {
    CHECK(ucd_has(0x3000, UCD_P_White_Space) && ucd_has(0x85, UCD_P_White_Space));
    CHECK(!ucd_has(0x200B, UCD_P_White_Space));
    CHECK(ucd_has(0x1F600, UCD_P_Emoji) && ucd_has('1', UCD_P_Emoji));
    CHECK(ucd_word('_') && ucd_word(0x300) && ucd_word(0x661) && ucd_word(0x200D));
    CHECK(!ucd_word('-') && !ucd_word(' ') && !ucd_word(0xB2) && !ucd_word(0x110000));
    CHECK_STR(ucd_script_name(ucd_script_of('a')), "Latin");
    CHECK_STR(ucd_script_name(ucd_script_of(0x3B1)), "Greek");
    CHECK_STR(ucd_script_name(ucd_script_of(0x4E2D)), "Han");
    CHECK_STR(ucd_script_name(ucd_script_of(' ')), "Common");
    CHECK_STR(ucd_script_name(ucd_script_of(0x378)), "Unknown");
    CHECK(ucd_grapheme_of(0xAC00) == UCD_GCB_LV && ucd_grapheme_of(0xAC01) == UCD_GCB_LVT);
    CHECK(ucd_grapheme_of('a') == UCD_GCB_Other && ucd_grapheme_of(0x1F1E6) == 6);
}

static void test_case_mappings_go_one_to_one(void) {
    CHECK(ucd_lower('A') == 'a' && ucd_upper('z') == 'Z' && ucd_lower('1') == '1');
    CHECK(ucd_upper(0xFF) == 0x178 && ucd_lower(0x130) == 'i' && ucd_upper(0xDF) == 0xDF);
    CHECK(ucd_fold(0x1E9E) == 0xDF && ucd_fold(0x3C2) == 0x3C3 && ucd_fold(0x212A) == 'k');
    CHECK(ucd_fold(0x10400) == 0x10428 && ucd_lower(0x110000) == 0x110000);
    /* K, k and the Kelvin sign are one cycle of three. */
    CHECK(ucd_case_next('K') == 'k' && ucd_case_next('k') == 0x212A &&
          ucd_case_next(0x212A) == 'K');
    CHECK(ucd_case_next('5') == '5');
    CHECK(ucd_cased_from('[') == 'a' && ucd_cased_from(0x4E00) == 0xA640);
}

static void test_sets_are_found_by_loose_names(void) {
    CHECK(in("Lu", 'A') && in("lu", 'A') && in("Uppercase_Letter", 'A') && !in("Lu", 'a'));
    CHECK(in("L", 0x4E2D) && in("letter", 'x') && in("L&", 'x') && !in("LC", 0x4E2D));
    CHECK(in("Greek", 0x3B1) && in("Grek", 0x3B1) && in("Script=Greek", 0x3B1));
    CHECK(in("sc=Han", 0x4E2D) && in("gc=Nd", '7') && in("White Space", ' '));
    CHECK(in("Any", 0) && in("ASCII", 127) && !in("ASCII", 128) && in("Assigned", 'a'));
    CHECK(!in("Assigned", 0x378) && in("Cn", 0x378) && in("Emoji", 0x1F600));
    ucd_set s;
    CHECK(!ucd_set_find(STR_LIT("Nope"), &s) && !ucd_set_find(STR_LIT(""), &s));
    CHECK(!ucd_set_find(STR_LIT("sc=Lu"), &s) && !ucd_set_find(STR_LIT("xx=Lu"), &s));
    CHECK(!in("Any", UCD_MAX + 1));
}

typedef struct walk {
    ucd_set s;
    uint32_t next; /* first code point behind the last range */
    bool bad;
} walk;

static bool walk_range(void *arg, uint32_t lo, uint32_t hi) {
    walk *w = arg;
    w->bad |= lo < w->next || (w->next > 0 && lo == w->next) || hi < lo || hi > UCD_MAX;
    for (uint32_t cp = w->next; cp < lo; cp++) w->bad |= ucd_set_has(w->s, cp);
    for (uint32_t cp = lo; cp <= hi; cp++) w->bad |= !ucd_set_has(w->s, cp);
    w->next = hi + 1;
    return !w->bad;
}

static void test_walking_by_ranges_is_the_same_as_asking_each(void) {
    static const char *const names[] = {"L",  "Lu",    "N",   "White_Space", "Han", "Latin",
                                        "Cn", "ASCII", "Any", "Emoji",       "Zs"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        walk w = {.next = 0};
        REQUIRE(ucd_set_find(str_of(names[i]), &w.s));
        CHECK_MSG(ucd_set_ranges(w.s, walk_range, &w), "%s", names[i]);
        for (uint32_t cp = w.next; cp <= UCD_MAX; cp++) w.bad |= ucd_set_has(w.s, cp);
        CHECK_MSG(!w.bad, "%s", names[i]);
    }
    uint32_t seen = 0;
    for (uint32_t cp = 0; cp <= UCD_MAX; cp++) seen += ucd_case_next(cp) != cp;
    for (uint32_t cp = 0; (cp = ucd_cased_from(cp)) <= UCD_MAX; cp++) seen--;
    CHECK(seen == 0);
}

static void test_a_case_cycle_holds_exactly_one_folding(void) {
    uint32_t bad = 0;
    for (uint32_t cp = 0; cp <= UCD_MAX; cp++) {
        uint32_t steps = 1;
        for (uint32_t c = ucd_case_next(cp); c != cp && steps < 9; c = ucd_case_next(c), steps++)
            bad += ucd_fold(c) != ucd_fold(cp);
        bad += steps > 4 || (ucd_fold(cp) != cp && steps == 1);
    }
    CHECK(bad == 0);
}

/* The database read a second time, by other code than the generator's. */
static void test_tables_equal_the_installed_database(void) {
    FILE *f = fopen("/usr/share/unicode/UnicodeData.txt", "r");
    FILE *v = fopen("/usr/share/unicode/PropList.txt", "r");
    char line[4096] = "";
    const bool same = f && v && fgets(line, sizeof line, v) && strstr(line, ucd_version());
    if (v) fclose(v);
    if (!same) {
        if (f) fclose(f);
        test_skip("no Unicode %s database on this machine", ucd_version());
        return;
    }
    uint32_t next = 0, bad = 0;
    while (fgets(line, sizeof line, f)) {
        char name[200] = "", category[8] = "", *p = line;
        uint32_t map[2];
        const uint32_t cp = (uint32_t)strtoul(line, NULL, 16);
        sscanf(line, "%*[^;];%199[^;];%7[^;]", name, category);
        for (int i = 0; i < 12; i++) p = strchr(p, ';') + 1;
        map[0] = *p == ';' ? cp : (uint32_t)strtoul(p, NULL, 16);
        p = strchr(p, ';') + 1;
        map[1] = *p == ';' ? cp : (uint32_t)strtoul(p, NULL, 16);
        const bool range = strstr(name, "Last>") != NULL;
        for (; next < cp; next++) bad += range ? !in(category, next) : !in("Cn", next);
        bad += !in(category, cp) || ucd_upper(cp) != map[0] || ucd_lower(cp) != map[1];
        next = cp + 1;
    }
    for (; next <= UCD_MAX; next++) bad += !in("Cn", next);
    fclose(f);
    CHECK_MSG(bad == 0, "%u code points differ", (unsigned)bad);
}

void suite_ucd(void) {
    RUN(test_categories_of_well_known_characters);
    RUN(test_properties_scripts_and_words);
    RUN(test_case_mappings_go_one_to_one);
    RUN(test_sets_are_found_by_loose_names);
    RUN(test_walking_by_ranges_is_the_same_as_asking_each);
    RUN(test_a_case_cycle_holds_exactly_one_folding);
    RUN(test_tables_equal_the_installed_database);
}
