/* test_gram.c - what each construct of a grammar lets through, and what it refuses; masks against
 * trying every token. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "grammar/gram.h"
#include "realizar.h"
#include "test.h"

static rz_model *model;
static const rz_tokenizer *words;

/* "" when the grammar is good, else the error. */
static const char *compile(rz_grammar_kind kind, const char *text, rz_grammar **out) {
    static rz_error e;
    e.text[0] = 0;
    *out = NULL;
    return rz_grammar_new(out, words, kind, text, strlen(text), &e) == RZ_OK ? "" : e.text;
}

/* texts: "|"-separated; one that begins with '!' must not fit as a whole. */
static void check(rz_grammar_kind kind, const char *rules, const char *texts) {
    rz_grammar *g;
    const char *why = compile(kind, rules, &g);
    CHECK_MSG(!*why, "%s: %s", rules, why);
    if (!g) return;
    str rest = str_of(texts);
    while (rest.p) {
        str one = str_split(&rest, '|');
        const bool want = !str_starts(one, STR_LIT("!"));
        if (!want) one = (str){one.p + 1, one.len - 1};
        int whole = -1;
        size_t good = 0;
        CHECK(rz_grammar_check(g, one.p, one.len, &good, &whole, NULL) == RZ_OK);
        CHECK_MSG(whole == want, "%s: \"%.*s\" %s (%zu bytes fit)", rules, STR_FMT(one),
                  want ? "does not fit" : "fits", good);
    }
    rz_grammar_free(g);
}

static void gbnf(const char *rules, const char *texts) { check(RZ_GRAMMAR_GBNF, rules, texts); }

static void test_gbnf_constructs(void) {
    gbnf("root ::= \"yes\" | \"no\"", "yes|no|!|!ye|!yesno|!maybe");
    gbnf("root ::= a b # one\na ::= \"x\"\n# two\nb ::= (\n \"y\" |\n \"z\" )", "xy|xz|!x|!xyz");
    gbnf("root ::= \"a\"\n  | \"b\"\n  | c\nc ::= \"d\"", "a|b|d|!c");
    gbnf("root ::= [a-c] [^a-c] [-x] [x-]", "adx-|!bb|!aax-|!ad--x|cz-x");
    gbnf("root ::= [\\]\\[] [\\x41] [\\u00e9] [\\U0001F600]", "]A\xC3\xA9\xF0\x9F\x98\x80|![A");
    gbnf("root ::= \"\\\"\\\\\\t\\u00e9\\x0a\"", "\"\\\t\xC3\xA9\n|!\"");
    gbnf("root ::= . .", "ab|\xC3\xA9\n|\xF0\x9F\x98\x80z|!a|!abc|!a\xC3");
    gbnf("root ::= \"a\"* \"b\"+ \"c\"?", "b|aab|abbc|!a|!abcc|!");
    gbnf("root ::= \"a\"{2} [bc]{1,} (\"d\" \"e\"){0,2}", "aab|aacbc|aabdede|!ab|!aa|!aabdedede");
    gbnf("root ::= (\"a\"{2}){3}", "aaaaaa|!aaaa|!aaaaaaaa");
    gbnf("root ::= \"\" | \"a\"", "|a|!aa");
    gbnf("root ::= \"(\" root \")\" | \"x\"", "x|((x))|!(x|!)");
    gbnf("root ::= \"a\" root \"b\" | \"\"", "|ab|aaabbb|!aab|!ba");
    gbnf("root ::= (\"a\"?)* \"b\"", "b|aaab|!a");
    gbnf("root ::= n* \"b\"\nn ::= \"a\"?", "b|aaab|!a");
    gbnf("under_score-1 ::= \"q\"\nroot ::= under_score-1", "q|!qq");
    gbnf("root ::= [^\\x00-\\x7F]{2}", "\xC3\xA9\xE2\x82\xAC|!a\xC3\xA9|!\xED\xA0\x80\xC3\xA9");
    gbnf("root ::= e\ne ::= t (\"+\" t)*\nt ::= [0-9]+ | \"(\" e \")\"",
         "1+(2+3)+44|!1+|!(1|((7))");
}

static void test_gbnf_refuses(void) {
    static const struct {
        const char *rules, *why;
    } bad[] = {
        {"", "grammar: there is no rule \"root\""},
        {"root = \"a\"", "grammar: line 1, column 6: expected ::="},
        {"root ::= b", "grammar: line 1, column 10: rule b is not defined"},
        {"root ::= \"a", "grammar: line 1, column 10: the literal is not closed"},
        {"root ::= [a", "grammar: line 1, column 10: the class is not closed"},
        {"root ::= [b-a]", "grammar: line 1, column 12: a range that ends before it begins"},
        {"root ::= []", "grammar: line 1, column 10: an empty class matches nothing"},
        {"root ::= (\"a\"", "grammar: line 1, column 10: the group is not closed"},
        {"root ::= \"\\q\"", "grammar: line 1, column 11: unknown escape"},
        {"root ::= \"\\xg0\"", "grammar: line 1, column 13: expected a hexadecimal digit"},
        {"root ::= \"\\uD800\"", "grammar: line 1, column 17: no such character"},
        {"root ::= \"a\"{3,2}",
         "grammar: line 1, column 14: a repetition whose most is below its least"},
        {"root ::= \"a\"{100001}", "grammar: line 1, column 14: more than 100000 repetitions"},
        {"root ::= \"a\" )",
         "grammar: line 1, column 14: expected a literal, a class, a rule, a group, | or the end "
         "of the line"},
        {"root ::= \"a\"\nroot ::= \"b\"",
         "grammar: line 2, column 1: this rule is defined already"},
        {"root ::= <think>", "grammar: line 1, column 10: tokens as symbols are not supported"},
        {"root ::= root \"a\" | \"b\"",
         "grammar: rule \"root\" is left-recursive: it can call itself before it has read "
         "anything"},
        {"root ::= b \"a\"\nb ::= c? b | \"x\"\nc ::= \"y\"",
         "grammar: rule \"b\" is left-recursive: it can call itself before it has read anything"},
        {"root ::= \"a\" root", "grammar: no text fits it, every way through it is endless"},
        {"root ::= \"a\" [^\\x00-\\U0010FFFF]",
         "grammar: no text fits it, every way through it is endless"},
        {"root ::= ([a-z]{100000}){100000}",
         "grammar: with its repetitions written out it takes more than 500000 states"},
        {"root ::= ((\"\"){100000}){100000}",
         "grammar: with its repetitions written out it takes more than 500000 states"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rz_grammar *g;
        CHECK_STR(compile(RZ_GRAMMAR_GBNF, bad[i].rules, &g), bad[i].why);
        rz_grammar_free(g);
    }
}

static void test_regex_constraint(void) {
    check(RZ_GRAMMAR_REGEX, "(?:yes|no)[.!]?", "yes|no.|!yes?|!y|!");
    check(RZ_GRAMMAR_REGEX, "^\\d{3}-[a-f]+?$", "123-abc|!123-|!123-g|!12-a");
    check(RZ_GRAMMAR_REGEX, "(?i)ab|^c$", "AB|aB|c|C|!abc");
    check(RZ_GRAMMAR_REGEX, "a.c",
          "abc|a\xC3\xA9"
          "c|!a\nc");
    check(RZ_GRAMMAR_REGEX, "()x", "x|!");
    rz_grammar *g;
    CHECK_STR(compile(RZ_GRAMMAR_REGEX, "(a)\\1", &g), "grammar: a pattern with backreferences");
    CHECK_STR(compile(RZ_GRAMMAR_REGEX, "a(?=b)", &g), "grammar: a pattern with look-around");
    CHECK_STR(compile(RZ_GRAMMAR_REGEX, "a\\bb", &g), "grammar: a pattern with word boundaries");
    CHECK_STR(compile(RZ_GRAMMAR_REGEX, "a^b", &g), "grammar: a pattern with ^ or $ inside");
    CHECK(strstr(compile(RZ_GRAMMAR_REGEX, "a(", &g), "regex: offset") != NULL);
}

static void test_json_objects(void) {
    check(RZ_GRAMMAR_JSON, "",
          "{}|{\"a\":1}|{\"a\": [1, -2.5e3, \"x\\n\\u00e9\", true, null, {}]}|!|![]|!{\"a\"}|!{,}|"
          "!{\"a\":01}|!{\"a\":\"\\ud800\"}|!{\"a\":1}}");
}

/* ---- masks ---- */

static uint64_t rng = 1;
static uint32_t roll(uint32_t n) {
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % n;
}

/* A walk of random allowed tokens; at each step the mask is what trying every token says. */
static void check_masks(rz_grammar_kind kind, const char *text, int steps) {
    rz_grammar *g;
    gram_run r;
    const char *why = compile(kind, text, &g);
    CHECK_MSG(!*why, "%s: %s", text, why);
    if (!g || gram_run_begin(&r, g, NULL) < 0) return;
    const int32_t n = (int32_t)tok_size(words);
    uint64_t *mask = mem_array(grammar_words(g), sizeof *mask);
    int32_t *may = mem_array((size_t)n, sizeof *may);
    for (int step = 0; step < steps && mask && may; step++) {
        bool any = false;
        uint32_t n_may = 0, wrong = 0;
        CHECK(gram_run_mask(&r, mask, false, &any, NULL) == RZ_OK);
        for (int32_t id = 0; id < n; id++) {
            const bool is = mask[id / 64] >> (id % 64) & 1;
            if (tok_is_end(words, id)) {
                wrong += is != gram_run_may_end(&r);
                continue;
            }
            const gram_run before = r;
            const bool fits = id != tok_special(words, RZ_UNK) && gram_run_token(&r, id, NULL) >= 0;
            r = before;
            wrong += is != fits;
            if (is) may[n_may++] = id;
        }
        CHECK_MSG(wrong == 0, "%s: step %d: %u tokens wrong", text, step, wrong);
        CHECK(any == (n_may > 0 || gram_run_may_end(&r)));
        if (n_may == 0) break;
        CHECK(gram_run_token(&r, may[roll(n_may)], NULL) == RZ_OK);
    }
    mem_free(mask);
    mem_free(may);
    gram_run_end(&r);
    rz_grammar_free(g);
}

static void test_masks_are_what_trying_says(void) {
    for (int seed = 1; seed <= (test_thorough() ? 10 : 2); seed++) {
        rng = (uint64_t)seed;
        check_masks(RZ_GRAMMAR_JSON, "", 60);
        check_masks(RZ_GRAMMAR_GBNF, "root ::= \"a\" root \"b\" | [a-z]* \" \"", 60);
        check_masks(RZ_GRAMMAR_GBNF, "root ::= \"(\" root \")\" | \"\"", 1100);
        check_masks(RZ_GRAMMAR_REGEX, "([a-z]+ ){3,9}\\.", 60);
        check_masks(RZ_GRAMMAR_SCHEMA,
                    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\",\"items\":"
                    "{\"type\":\"string\",\"maxLength\":5}},\"b\":{\"type\":\"integer\"}}}",
                    60);
    }
}

/* The bound on nesting holds with tokens that open several levels, and every text can be ended. */
static void test_nesting_is_bounded(void) {
    rz_grammar *g;
    REQUIRE(!*compile(RZ_GRAMMAR_GBNF, "root ::= \"[\" root \"]\" | \"x\"", &g));
    char deep[4096];
    memset(deep, '[', sizeof deep);
    size_t good = 0;
    CHECK(rz_grammar_check(g, deep, sizeof deep, &good, NULL, NULL) == RZ_OK);
    CHECK(good == 1000);
    deep[good] = 'x';
    memset(deep + good + 1, ']', good);
    int whole = 0;
    CHECK(rz_grammar_check(g, deep, 2 * good + 1, &good, &whole, NULL) == RZ_OK);
    CHECK(whole == 1);
    rz_grammar_free(g);
    REQUIRE(!*compile(RZ_GRAMMAR_JSON, "", &g));
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    CHECK(rz_grammar_check(g, deep, sizeof deep, &good, NULL, NULL) == RZ_OK);
    CHECK(good > 100 && good < 128);
    rz_grammar_free(g);
}

/* 2^n stacks for n letters: refused before memory is gone, by not letting the text get there. */
static void test_ambiguity_is_bounded(void) {
    rz_grammar *g;
    REQUIRE(!*compile(RZ_GRAMMAR_GBNF,
                      "root ::= \"x\" b \"1\" | \"x\" root \"2\" | \"\"\n"
                      "b ::= \"x\" root \"3\" | \"x\" b \"4\" | \"\"",
                      &g));
    char text[64];
    memset(text, 'x', sizeof text);
    size_t good = 0;
    CHECK(rz_grammar_check(g, text, sizeof text, &good, NULL, NULL) == RZ_OK);
    CHECK_MSG(good >= 6 && good < 20, "%zu", good);
    rz_grammar_free(g);
}

static void test_failing_memory_is_an_error(void) {
    static const char *const text = "root ::= [a-z]{2,5} b*\nb ::= \"(\" root \")\" | \"\\u00e9\"";
    for (long n = 1; n < 400; n++) {
        rz_grammar *g = NULL;
        rz_error e = {0};
        size_t good = 0;
        mem_fail_at(n);
        rz_status s = rz_grammar_new(&g, words, RZ_GRAMMAR_GBNF, text, strlen(text), &e);
        if (s == RZ_OK) s = rz_grammar_check(g, "abc(de)", 7, &good, NULL, &e);
        const bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(s == (hit ? RZ_ENOMEM : RZ_OK));
        if (hit) CHECK(strstr(e.text, "out of memory") != NULL);
        rz_grammar_free(g);
        if (!hit) return;
    }
    test_fail(__FILE__, __LINE__, "more allocations than expected");
}

void suite_gram(void) {
    rz_error e;
    if (rz_model_open_demo(&model, NULL, &e) != RZ_OK) {
        test_skip("%s", e.text);
        return;
    }
    words = rz_model_tokenizer(model);
    RUN(test_gbnf_constructs);
    RUN(test_gbnf_refuses);
    RUN(test_regex_constraint);
    RUN(test_json_objects);
    RUN(test_masks_are_what_trying_says);
    RUN(test_nesting_is_bounded);
    RUN(test_ambiguity_is_bounded);
    RUN(test_failing_memory_is_an_error);
    rz_model_close(model);
}
