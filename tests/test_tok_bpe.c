/* test_tok_bpe.c - byte-level BPE: splitting, merging, GPT-2 vocabularies in GGUF files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "test.h"
#include "tok_golden.h"
#include "tokenizer/tok_merge.h"
#include "tokenizer/tok_pre.h"
#include "tokenizer/tok_split.h"
#include "unicode/utf8.h"
#include "vocab.h"

/* ---- splitting ---- */

#define CL100K                                                                                    \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]" \
    "+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define O200K                                                                                     \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?" \
    "i:"                                                                                          \
    "'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{"  \
    "Ll}"                                                                                         \
    "\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| "                           \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n/]"                                                               \
    "*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define DEEPSEEK_WORDS                                                                 \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?" \
    "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
#define DIGITS "\\p{N}{1,3}"
#define CJK "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
#define QWEN2                                                                                \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]" \
    "+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define TEKKEN                                                                                   \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|" \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|" \
    "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/* The pieces with "|" between them. */
static const char *pieces(const char *const *pattern, size_t n, const char *text) {
    static char out[1024];
    tok_split s;
    split_ends ends = {0};
    str list[8];
    err e = {0};
    for (size_t i = 0; i < n; i++) list[i] = str_of(pattern[i]);
    out[0] = 0;
    if (tok_split_init(&s, list, n, "test", &e) < 0) {
        snprintf(out, sizeof out, "%s", e.text);
    } else {
        CHECK(tok_split_all(&s, str_of(text), &ends, NULL) == RZ_OK);
        size_t from = 0, len = 0;
        for (size_t i = 0; i < ends.n; from = ends.end[i++])
            len += (size_t)snprintf(out + len, sizeof out - len, "%s%.*s", i ? "|" : "",
                                    (int)(ends.end[i] - from), text + from);
    }
    split_ends_free(&ends);
    tok_split_free(&s);
    return out;
}

static const char *by(const char *pattern, const char *text) { return pieces(&pattern, 1, text); }

static void test_cl100k_pieces(void) {
    CHECK_STR(by(CL100K, "Hello, world's 12345 x"), "Hello|,| world|'s| |123|45| x");
    CHECK_STR(by(CL100K, "don'T DON'LLx 'Sx"), "don|'T| DON|'LL|x| '|Sx");
    CHECK_STR(by(CL100K, "it'\u017fx"), "it|'\u017f|x");
    CHECK_STR(by(CL100K, "a  b   c\t d"), "a| | b|  | c|\t| d");
    CHECK_STR(by(CL100K, "a\n\n  b \n c  "), "a|\n\n| | b| \n| c|  ");
    CHECK_STR(by(CL100K, "(foo) ((bar)) !?\n\nx"), "(foo|)| ((|bar|))| !?\n\n|x");
    CHECK_STR(by(CL100K, "\u00e9t\u00e9 \u4f60\u597d \u0661\u0662\u0663\u0664"),
              "\u00e9t\u00e9| \u4f60\u597d| |\u0661\u0662\u0663|\u0664");
    CHECK_STR(by(CL100K, "\u00a0x\u2003\u2003y"), "\u00a0x|\u2003|\u2003y");
    CHECK_STR(by(CL100K, "a\xff\x80z"), "a|\xff\x80|z");
}

static void test_gpt2_pieces(void) {
    CHECK_STR(by(GPT2, "Hello, world's 12345 x"), "Hello|,| world|'s| 12345| x");
    CHECK_STR(by(GPT2, "DON'T 'll\tx  y\n"), "DON|'|T| '|ll|\t|x| | y|\n");
}

static void test_o200k_pieces(void) {
    CHECK_STR(by(O200K, "camelCase HTMLParser don't"), "camel|Case| HTMLParser| don't");
    CHECK_STR(by(O200K, "ABC abC"), "ABC| ab|C");
    CHECK_STR(by(O200K, "path/to//x /\n/"), "path|/to|//|x| /\n/");
    CHECK_STR(by(O200K, "A\u4f60B\u597dC"), "A\u4f60B\u597d|C");
    CHECK_STR(by(O200K, "\u0301AB \u0301"), "\u0301|AB| \u0301");
}

static void test_deepseek_pieces(void) {
    const char *const three[] = {DIGITS, CJK, DEEPSEEK_WORDS};
    CHECK_STR(pieces(three, 3, "ab1234  5 x"), "ab|123|4|  |5| x");
    CHECK_STR(pieces(three, 3, "x\u4f60\u30fb\u597dy .foo"), "x|\u4f60|\u30fb|\u597d|y| .|foo");
    CHECK_STR(pieces(three, 3, ".foo\u00e9 \x01\x02z\x01"), ".foo|\u00e9| |\x01|\x02z|\x01");
    CHECK_STR(pieces(three, 3, "  \u4f60  a"), "  |\u4f60| | a");
}

static void test_stages_follow_each_other(void) {
    const char *const two[] = {"\\p{N}", GPT2};
    CHECK_STR(pieces(two, 2, "ab 12  3"), "ab| |1|2|  |3");
    const char *const falcon[] = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"};
    CHECK_STR(pieces(falcon, 3, "a $12345"), "a| |$|123|45");
    CHECK_STR(by("a+(?=b)", "xaabaa"), "x|aa|baa");
    CHECK(strncmp(by("(quipu", "a"), "test: ", 6) == 0);
}

static const char *const patterns[][3] = {{CL100K, NULL, NULL}, {QWEN2, NULL, NULL},
                                          {GPT2, NULL, NULL},   {O200K, NULL, NULL},
                                          {TEKKEN, NULL, NULL}, {DIGITS, CJK, DEEPSEEK_WORDS}};

/* Characters where the patterns' rules meet, and some of everything. */
static size_t random_text(uint64_t *seed, bool bytes, char *out) {
    static const char *const parts[] = {"a",          "B",      " ",      "\n",     "\r", "\t",
                                        "1",          ".",      "'",      "s",      "ll", "\u00e9",
                                        "\u0301",     "\u4f60", "\u2003", "\u01c5", "/",  "\u0663",
                                        "\U0001f642", "\u017f", "\u30fb", "\x01",   "  "};
    const size_t count = rng_below(seed, 20);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const uint64_t what = rng_below(seed, 8);
        if (bytes && what < 3) {
            out[n++] = (char)rng_splitmix(seed);
        } else if (what == 7) {
            n += utf8_encode((uint32_t)rng_below(seed, 0x3000), out + n);
        } else if (what == 6) {
            n += utf8_encode((uint32_t)rng_below(seed, 0x110000), out + n);
        } else {
            const char *part = parts[rng_below(seed, sizeof parts / sizeof *parts)];
            memcpy(out + n, part, strlen(part));
            n += strlen(part);
        }
    }
    return n;
}

static void show_difference(int kind, str text) {
    char hex[1024];
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += (size_t)snprintf(hex + n, sizeof hex - n, "%02x ", (unsigned char)text.p[i]);
    test_fail(__FILE__, __LINE__, "pattern %d, text %s", kind, hex);
}

/* The scanners and the regular expressions they are named after. */
static void check_agreement(int kind, bool bytes, int rounds) {
    tok_split fast, slow;
    str list[3];
    size_t n = 0;
    for (; n < 3 && patterns[kind][n]; n++) list[n] = str_of(patterns[kind][n]);
    REQUIRE(tok_split_init(&fast, list, n, "test", NULL) == RZ_OK);
    REQUIRE(tok_split_init_re(&slow, list, n, "test", true, NULL) == RZ_OK);
    CHECK(fast.kind != SPLIT_STAGES && slow.kind == SPLIT_STAGES);
    split_ends a = {0}, b = {0};
    uint64_t seed = (uint64_t)kind * 2 + bytes;
    for (int round = 0, bad = 0; round < rounds && bad < 3; round++) {
        char text[256];
        const str s = {text, random_text(&seed, bytes, text)};
        CHECK(tok_split_all(&fast, s, &a, NULL) == RZ_OK);
        CHECK(tok_split_all(&slow, s, &b, NULL) == RZ_OK);
        if (a.n == b.n && (a.n == 0 || memcmp(a.end, b.end, a.n * sizeof *a.end) == 0)) continue;
        show_difference(kind, s);
        bad++;
    }
    split_ends_free(&a);
    split_ends_free(&b);
    tok_split_free(&fast);
    tok_split_free(&slow);
}

static void test_scanners_agree_with_their_patterns(void) {
    const int rounds = test_thorough() ? 170000 : 4000;
    for (int kind = 0; kind < 6; kind++) {
        check_agreement(kind, false, rounds);
        check_agreement(kind, true, rounds);
    }
}

/* ---- merging ---- */

static void test_bytes_merge_in_the_order_of_the_list(void) {
    vocab v;
    vocab_bpe(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    CHECK_STR(tok_kind(t), "byte-level BPE");
    CHECK(!tok_drops_first_space(t));
    CHECK_STR(vocab_pieces(t, "abab", 0), "abab");
    CHECK_STR(vocab_pieces(t, "ababab", 0), "abab|ab"); /* the left one of equals */
    CHECK_STR(vocab_pieces(t, " ab", 0), "\u0120ab");
    CHECK_STR(vocab_pieces(t, " cd", 0), "\u0120|cd"); /* c d before Ġ c */
    CHECK_STR(vocab_pieces(t, "efg", 0), "ef|g");      /* a token, but no merge leads to it */
    CHECK_STR(vocab_pieces(t, "efg efg", 0), "ef|g|\u0120|ef|g");
    CHECK_STR(vocab_pieces(t, "\xff\n", 0), "\u00ff|\u010a");
    CHECK_STR(vocab_pieces(t, "a<|endoftext|>[tool]", 0), "a|<|||e|n|d|o|f|t|e|x|t|||>|[tool]");
    CHECK_STR(vocab_pieces(t, "a<|endoftext|>[tool]", TOK_SPECIAL), "a|<|endoftext|>|[tool]");
    CHECK_STR(vocab_pieces(t, "", TOK_BOS), "");
    tok_close(t);
    vocab_done(&v);
}

static void test_ignored_merges_take_whole_tokens(void) {
    vocab v;
    vocab_bpe(&v);
    vocab_set_str(&v, "tokenizer.ggml.pre", "llama-bpe");
    tok *t = vocab_open(&v);
    REQUIRE(t);
    CHECK_STR(vocab_pieces(t, "efg", 0), "efg");
    CHECK_STR(vocab_pieces(t, "xyz xyz", 0), "xyz|\u0120|x|y|z");
    tok_close(t);
    vocab_done(&v);
}

static void test_missing_bytes_are_dropped_or_unknown(void) {
    vocab v;
    vocab_bpe(&v);
    v.type['q'] = 3; /* no longer text */
    tok *t = vocab_open(&v);
    REQUIRE(t);
    CHECK_STR(vocab_pieces(t, "aqa", 0), "a|a");
    tok_close(t);
    vocab_set_u32(&v, "tokenizer.ggml.unknown_token_id", 'q');
    t = vocab_open(&v);
    REQUIRE(t);
    CHECK_STR(vocab_pieces(t, "aqa", 0), "a|q|a");
    tok_close(t);
    vocab_done(&v);
}

/* Merge by definition: again and again the leftmost pair of lowest rank. */
static void merge_slowly(const merge_list *l, uint32_t *p, size_t *n) {
    for (;;) {
        size_t best = *n, line = l->n;
        for (size_t i = 0; i + 1 < *n; i++)
            for (size_t k = 0; k < line; k++)
                if (l->p[k].left == p[i] && l->p[k].right == p[i + 1]) {
                    line = k;
                    best = i;
                }
        if (best == *n) return;
        p[best] = l->p[line].merged;
        memmove(p + best + 1, p + best + 2, (*n - best - 2) * sizeof *p);
        --*n;
    }
}

static void test_merging_agrees_with_its_definition(void) {
    uint64_t seed = 21;
    for (int round = 0; round < 300; round++) {
        merge_list list = {0};
        merge_table table;
        arena mem = ARENA_INIT;
        const uint32_t letters = 2 + (uint32_t)rng_below(&seed, 3);
        for (uint32_t k = 0; k < 12; k++) { /* symbols made so far are letters, then merges */
            const merge_pair m = {(uint32_t)rng_below(&seed, letters + k),
                                  (uint32_t)rng_below(&seed, letters + k), letters + k,
                                  round % 2 ? k : letters + k};
            REQUIRE(merge_list_add(&list, m));
        }
        REQUIRE(merge_table_build(&table, &list, &mem));
        for (int texts = 0; texts < 40; texts++) {
            uint32_t slow[200];
            size_t n = rng_below(&seed, texts % 2 ? 40 : 200);
            merge_work w;
            merge_work_init(&w);
            for (size_t i = 0; i < n; i++) {
                slow[i] = (uint32_t)rng_below(&seed, letters);
                merge_work_add(&w, slow[i], i);
            }
            merge_run(&table, &w);
            merge_slowly(&list, slow, &n);
            bool same = w.n == n;
            for (size_t i = 0; same && i < n; i++) same = w.part[i].symbol == slow[i];
            CHECK(same);
            merge_work_free(&w);
        }
        merge_list_free(&list);
        arena_free(&mem);
    }
}

static void check_refused(vocab *v, status code, const char *text) {
    tok *t = NULL;
    err e = {0};
    CHECK(tok_open_gguf(&t, &v->file, &e) == code && !t);
    CHECK_STR(e.text, text);
    vocab_done(v);
    vocab_bpe(v);
}

static void test_malformed_merges_are_one_clear_error(void) {
    vocab v;
    vocab_bpe(&v);
    const str no_space = STR_LIT("ab"), no_token = STR_LIT("a q"), end = STR_LIT("a ");
    vocab_set_array(&v, "tokenizer.ggml.merges", META_STRING, &no_space, 1);
    check_refused(&v, RZ_EFORMAT,
                  "bytes.gguf: tokenizer.ggml.merges[0] is \"ab\", expected two tokens and a "
                  "space");
    vocab_set_array(&v, "tokenizer.ggml.merges", META_STRING, &end, 1);
    check_refused(&v, RZ_EFORMAT,
                  "bytes.gguf: tokenizer.ggml.merges[0] is \"a \", expected two tokens and a "
                  "space");
    vocab_set_array(&v, "tokenizer.ggml.merges", META_STRING, &no_token, 1);
    check_refused(&v, RZ_EFORMAT,
                  "bytes.gguf: tokenizer.ggml.merges[0] is \"a q\", expected \"aq\" to be a token");
    vocab_set_u32(&v, "tokenizer.ggml.merges", 1);
    check_refused(&v, RZ_EFORMAT,
                  "bytes.gguf: tokenizer.ggml.merges is of another type, expected an array of "
                  "strings");
    vocab_set_str(&v, "tokenizer.ggml.pre", "quipu");
    check_refused(&v, RZ_EUNSUPPORTED,
                  "bytes.gguf: tokenizer.ggml.pre is \"quipu\", which this build does not know");
    vocab_done(&v);
}

static void test_every_failed_allocation_is_reported(void) {
    vocab v;
    vocab_bpe(&v);
    vocab_set_str(&v, "tokenizer.ggml.pre", "starcoder");
    char text[400];
    memset(text, 'a', sizeof text);
    bool done = false;
    for (long n = 1; !done && n < 200; n++) {
        tok *t = NULL;
        tok_ids ids = {0};
        err e = {0};
        mem_fail_at(n);
        status s = tok_open_gguf(&t, &v.file, &e);
        if (s >= 0) s = tok_encode(t, (str){text, sizeof text}, TOK_BOS, &ids, &e);
        const bool hit = mem_fail_hit();
        mem_fail_at(0);
        done = !hit;
        /* Without a cache it goes on; everything else is an error. */
        CHECK_MSG(s == RZ_OK || (hit && s == RZ_ENOMEM), "allocation %ld: %d", n, (int)s);
        CHECK(s < 0 || ids.n == sizeof text);
        tok_ids_free(&ids);
        tok_close(t);
    }
    CHECK(done);
    vocab_done(&v);
}

/* ---- golden ids ---- */

static void test_gpt2_equals_its_golden_ids(void) {
    golden_gguf("vocabs/ggml/ggml-vocab-gpt-2.gguf", "golden/tokenizer/gpt2.jsonl", "gpt-2");
}
static void test_mpt_equals_its_golden_ids(void) {
    golden_gguf("vocabs/ggml/ggml-vocab-mpt.gguf.gz", "golden/tokenizer/mpt.jsonl", "mpt");
}
static void test_falcon_equals_its_golden_ids(void) {
    golden_gguf("vocabs/ggml/ggml-vocab-falcon.gguf.gz", NULL, "falcon");
}
static void test_starcoder_equals_its_golden_ids(void) {
    golden_gguf("vocabs/ggml/ggml-vocab-starcoder.gguf.gz", NULL, "starcoder");
}
static void test_refact_equals_its_golden_ids(void) {
    golden_gguf("vocabs/ggml/ggml-vocab-refact.gguf.gz", NULL, "refact");
}

static void test_deepseek_llm_equals_its_golden_ids(void) {
    golden_gguf("vocabs/ggml/ggml-vocab-deepseek-llm.gguf.gz", NULL, "deepseek-llm");
}
static void test_deepseek_coder_equals_its_golden_ids(void) {
    golden_gguf("vocabs/ggml/ggml-vocab-deepseek-coder.gguf.gz", NULL, "deepseek-coder");
}

static void test_every_pre_tokenizer_name_works(void) {
    vocab v;
    vocab_bpe(&v);
    const char *name;
    for (size_t i = 0; (name = pre_name(i)) != NULL; i++) {
        vocab_set_str(&v, "tokenizer.ggml.pre", name);
        tok *t = vocab_open(&v);
        tok_ids ids = {0};
        buf out = BUF_INIT;
        const str text = STR_LIT("Hello, world's 12345 \u4f60\u597d\n\n  x  \xff.");
        CHECK_MSG(t && tok_encode(t, text, 0, &ids, NULL) == RZ_OK, "%s", name);
        if (t) CHECK(detok_all(t, ids.p, ids.n, false, &out, NULL) == RZ_OK);
        CHECK_MSG(str_eq(buf_view(&out), text), "%s", name);
        tok_ids_free(&ids);
        buf_free(&out);
        tok_close(t);
    }
    vocab_done(&v);
}

static void test_any_bytes_come_back(void) {
    real r;
    if (real_open(&r, "vocabs/ggml/ggml-vocab-gpt-2.gguf")) random_texts_come_back(r.t);
    real_close(&r);
}

void suite_tok_bpe(void) {
    RUN(test_cl100k_pieces);
    RUN(test_gpt2_pieces);
    RUN(test_o200k_pieces);
    RUN(test_deepseek_pieces);
    RUN(test_stages_follow_each_other);
    RUN(test_scanners_agree_with_their_patterns);
    RUN(test_bytes_merge_in_the_order_of_the_list);
    RUN(test_ignored_merges_take_whole_tokens);
    RUN(test_missing_bytes_are_dropped_or_unknown);
    RUN(test_merging_agrees_with_its_definition);
    RUN(test_malformed_merges_are_one_clear_error);
    RUN(test_every_failed_allocation_is_reported);
    RUN(test_gpt2_equals_its_golden_ids);
    RUN(test_mpt_equals_its_golden_ids);
    RUN(test_falcon_equals_its_golden_ids);
    RUN(test_starcoder_equals_its_golden_ids);
    RUN(test_refact_equals_its_golden_ids);
    RUN(test_deepseek_llm_equals_its_golden_ids);
    RUN(test_deepseek_coder_equals_its_golden_ids);
    RUN(test_every_pre_tokenizer_name_works);
    RUN(test_any_bytes_come_back);
}
