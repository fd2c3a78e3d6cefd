/* test_tok_words.c - tries, Unigram and greedy vocabularies in GGUF files, SentencePiece models and
 * tekken.json made in code. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/rng.h"
#include "test.h"
#include "tokenizer/tok_trie.h"
#include "unicode/utf8.h"
#include "vocab.h"

static void test_trie_knows_what_was_put_in_and_nothing_else(void) {
    enum { N = 3000 };
    static char text[N][8];
    trie_key *key = mem_array(N, sizeof *key);
    tok_trie t;
    arena mem = ARENA_INIT;
    uint64_t r = 7;
    for (uint32_t i = 0; i < N; i++) {
        const size_t len = 1 + rng_below(&r, 7);
        for (size_t k = 0; k < len; k++) text[i][k] = (char)(rng_below(&r, 5) * 60);
        key[i] = (trie_key){{text[i], len}, i};
    }
    REQUIRE(tok_trie_build(&t, key, N, &mem));
    for (size_t i = 0; i < N; i++) { /* sorted: the first of equals has the lowest id */
        const bool again = i > 0 && str_eq(key[i].text, key[i - 1].text);
        if (!again) CHECK(tok_trie_find(&t, key[i].text) == key[i].id);
        char longer[9];
        memcpy(longer, key[i].text.p, key[i].text.len);
        longer[key[i].text.len] = '!';
        CHECK(tok_trie_find(&t, (str){longer, key[i].text.len + 1}) == TRIE_NONE);
    }
    CHECK(tok_trie_find(&t, (str){"", 0}) == TRIE_NONE);
    arena_free(&mem);
    mem_free(key);
}

static void test_an_empty_trie_finds_nothing(void) {
    tok_trie t;
    arena mem = ARENA_INIT;
    REQUIRE(tok_trie_build(&t, NULL, 0, &mem));
    CHECK(tok_trie_find(&t, STR_LIT("a")) == TRIE_NONE);
    arena_free(&mem);
}

/* ---- GGUF ---- */

static void put_unigram(vocab *v) {
    static const struct {
        const char *piece;
        float score;
        int type;
    } rows[] = {{"<pad>", 0, 3},        {"</s>", 0, 3},        {"<unk>", 0, 2},
                {"\u2581", -2, 1},      {"\u2581he", -3, 1},   {"he", -4, 1},
                {"llo", -3, 1},         {"l", -5, 1},          {"o", -5, 1},
                {"\u2581hello", -7, 1}, {"<extra_id_0>", 0, 4}};
    vocab_start(v, "t5.gguf");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        vocab_put(v, rows[i].piece, rows[i].score, rows[i].type);
    vocab_set_str(v, "tokenizer.ggml.model", "t5");
    vocab_set_bool(v, "tokenizer.ggml.add_space_prefix", true);
    vocab_set_bool(v, "tokenizer.ggml.remove_extra_whitespaces", true);
    vocab_publish(v);
}

static void test_t5_takes_the_best_path(void) {
    static vocab v;
    put_unigram(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    CHECK_STR(vocab_pieces(t, "  hello   hellol ", 0), "\u2581he|llo|\u2581he|llo|l");
    CHECK_STR(vocab_pieces(t, "hexyz\u4f60o", 0), "\u2581he|<unk>|o");
    CHECK_STR(vocab_pieces(t, "he<extra_id_0>o", 0), "\u2581he|<extra_id_0>|\u2581|o");
    CHECK_STR(vocab_pieces(t, "he", TOK_BOS), "\u2581he|</s>");
    CHECK_STR(vocab_pieces(t, "   ", 0), "");
    CHECK_STR(tok_kind(t), "Unigram");
    tok_close(t);
    vocab_set_bool(&v, "tokenizer.ggml.add_space_prefix", false);
    vocab_set_bool(&v, "tokenizer.ggml.remove_extra_whitespaces", false);
    t = vocab_open(&v);
    CHECK_STR(vocab_pieces(t, "he  he", 0), "he|\u2581|\u2581he");
    tok_close(t);
    vocab_set_str(&v, "tokenizer.ggml.precompiled_charsmap", "x");
    err e = {0};
    t = NULL;
    CHECK(tok_open_gguf(&t, &v.file, &e) == RZ_EFORMAT && !t);
    CHECK_STR(
        e.text,
        "t5.gguf: tokenizer.ggml.precompiled_charsmap is a string, expected an array of bytes");
    vocab_done(&v);
}

static void test_a_long_text_needs_no_more_memory_than_its_words(void) {
    static vocab v;
    put_unigram(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    enum { WORDS = 100000 };
    buf text = BUF_INIT;
    tok_ids ids = {0};
    for (int i = 0; i < WORDS; i++) buf_text(&text, "hello ");
    CHECK(tok_encode(t, buf_view(&text), 0, &ids, NULL) == RZ_OK);
    CHECK(ids.n == 2 * WORDS && ids.p[2 * WORDS - 2] == ids.p[0]);
    tok_ids_free(&ids);
    buf_free(&text);
    tok_close(t);
    vocab_done(&v);
}

static void test_rwkv_takes_the_longest_token(void) {
    static vocab v;
    vocab_start(&v, "rwkv.gguf");
    static const char *const pieces[] = {"<s>", "a",   "ab",         "abcd", "b",
                                         "c",   "\\n", "\\xff\\x00", "\\\\", " "};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        vocab_put(&v, pieces[i], 0, i == 0 ? 3 : 1);
    vocab_set_str(&v, "tokenizer.ggml.model", "rwkv");
    vocab_set_u32(&v, "tokenizer.ggml.unknown_token_id", 0);
    vocab_publish(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    CHECK_STR(vocab_pieces(t, "abcabcd\n\\ax", 0), "ab|c|abcd|\\n|\\\\|a|<s>");
    tok_ids ids = {0};
    CHECK(tok_encode(t, (str){"\xff\0ab", 4}, 0, &ids, NULL) == RZ_OK);
    CHECK(ids.n == 2 && ids.p[0] == 7 && ids.p[1] == 2);
    const str bytes = tok_bytes(t, 7);
    CHECK(bytes.len == 2 && memcmp(bytes.p, "\xff\0", 2) == 0);
    tok_ids_free(&ids);
    tok_close(t);
    vocab_put(&v, "x\\x1", 0, 1);
    vocab_publish(&v);
    err e = {0};
    t = NULL;
    CHECK(tok_open_gguf(&t, &v.file, &e) == RZ_EFORMAT && !t);
    CHECK_STR(e.text,
              "rwkv.gguf: tokenizer.ggml.tokens[10] is \"x\\x1\", which ends inside an escape");
    vocab_done(&v);
}

/* ---- SentencePiece ---- */

static void put_message(buf *out, int field, const buf *message) {
    buf_char(out, (char)(field << 3 | 2));
    buf_char(out, (char)message->len); /* all of them are short */
    buf_str(out, buf_view(message));
}

static void put_number(buf *out, int field, unsigned value) {
    if (field > 15) {
        buf_char(out, (char)((field << 3 & 127) | 128));
        buf_char(out, (char)(field >> 4));
    } else {
        buf_char(out, (char)(field << 3));
    }
    buf_char(out, (char)value);
}

static void put_piece(buf *out, const char *text, float score, unsigned type) {
    buf p = BUF_INIT;
    buf_char(&p, 1 << 3 | 2);
    buf_char(&p, (char)strlen(text));
    buf_text(&p, text);
    buf_char(&p, 2 << 3 | 5);
    buf_add(&p, &score, 4); /* little-endian, as are the machines this is built for */
    if (type != 1) put_number(&p, 3, type);
    put_message(out, 1, &p);
    buf_free(&p);
}

/* A model with pieces a, b, ab, a user-defined one, and the kind given. */
static void small_model(buf *out, unsigned kind, bool one_space) {
    buf part = BUF_INIT;
    put_piece(out, "<unk>", 0, 2);
    put_piece(out, "<s>", 0, 3);
    put_piece(out, "</s>", 0, 3);
    put_piece(out, "[x]", 0, 4);
    put_piece(out, "\u2581", -1, 1);
    put_piece(out, "a", -2, 1);
    put_piece(out, "b", -3, 1);
    put_piece(out, "ab", -4, 1);
    put_piece(out, "\u2581ab", -5, 1);
    put_number(&part, 3, kind);
    put_message(out, 2, &part);
    buf_clear(&part);
    if (!one_space) put_number(&part, 4, 0);
    put_message(out, 3, &part);
    buf_free(&part);
}

static tok *open_model(const buf *model, err *e) {
    const char *path = test_temp("small.model");
    tok *t = NULL;
    CHECK(os_write_file(path, model->p, model->len, NULL) == RZ_OK);
    if (tok_open(&t, path, e) < 0) memmove(e->text, strstr(e->text, "small.model"), 100);
    return t;
}

static void test_sentencepiece_rewrites_spaces_and_keeps_user_pieces(void) {
    buf m = BUF_INIT;
    err e = {0};
    small_model(&m, 2, true);
    tok *t = open_model(&m, &e);
    REQUIRE(t);
    CHECK_STR(vocab_pieces(t, "  ab   b ", 0), "\u2581ab|\u2581|b");
    CHECK_STR(vocab_pieces(t, "[x]ab", 0), "\u2581|[x]|ab");
    CHECK_STR(vocab_pieces(t, "a<s>", TOK_BOS), "<s>|\u2581|a|<unk>");
    CHECK_STR(vocab_pieces(t, "a<s>b", TOK_SPECIAL), "\u2581|a|<s>|\u2581|b");
    CHECK(tok_special(t, RZ_EOS) == 2 && tok_is_end(t, 2));
    tok_close(t);
    buf_clear(&m);
    small_model(&m, 1, false);
    t = open_model(&m, &e);
    REQUIRE(t);
    CHECK_STR(vocab_pieces(t, " ab  b ", 0), "\u2581|\u2581ab|\u2581|\u2581|b|\u2581");
    CHECK_STR(vocab_pieces(t, "[x]ab", 0), "\u2581|[x]|ab");
    CHECK_STR(tok_kind(t), "Unigram");
    tok_close(t);
    buf_free(&m);
}

/* ---- Unigram beside its definition ---- */

static const struct {
    const char *piece;
    float score;
} tight[] = {{"<unk>", 0},        {"\u2581", -1.3f},  {"a", -2.1f},        {"b", -3.2f},
             {"aa", -4.2f},       {"ab", -5.3001f},   {"ba", -5.2999f},    {"aab", -7.4003f},
             {"bb", -6.4f},       {"\u2581a", -3.4f}, {"\u2581ab", -6.6f}, {"abab", -10.6f},
             {"\u2581z", -30000}, {"d", -2}};
enum { TIGHT = sizeof tight / sizeof *tight, TIGHT_TEXT = 1200 };

/* The best path through the whole text, every sum rounded to float, the first of equals. */
static void encode_by_definition(str s, double unk, tok_ids *out) {
    static double score[TIGHT_TEXT + 1];
    static size_t from[TIGHT_TEXT + 1], id[TIGHT_TEXT + 1], path[TIGHT_TEXT + 1];
    for (size_t i = 0; i <= s.len; i++) score[i] = -INFINITY;
    score[0] = 0;
    for (size_t at = 0; at < s.len; at++) {
        if (((unsigned char)s.p[at] & 0xC0) == 0x80) continue;
        uint32_t cp;
        const size_t one = utf8_decode((str){s.p + at, s.len - at}, &cp);
        bool single = false;
        for (size_t t = 1; t <= TIGHT; t++) { /* the last stands for an unknown character */
            const str piece = t < TIGHT ? str_of(tight[t].piece) : (str){s.p + at, one};
            if (t == TIGHT ? single : !str_starts((str){s.p + at, s.len - at}, piece)) continue;
            const double sum = score[at] + (t < TIGHT ? (double)tight[t].score : unk);
            const size_t to = at + piece.len;
            single |= piece.len == one;
            if ((t == TIGHT ? (double)(float)sum : sum) <= score[to]) continue;
            score[to] = (double)(float)sum;
            from[to] = at;
            id[to] = t;
        }
    }
    size_t n = 0;
    for (size_t at = s.len; at > 0; at = from[at]) path[n++] = id[at];
    for (size_t i = n; i-- > 0;)
        if (path[i] < TIGHT) tok_ids_push(out, (int32_t)path[i]);
        else if (i + 1 == n || path[i + 1] < TIGHT) tok_ids_push(out, 0);
}

/* Words come again and again with other sums before them, small ones and such that rounding
 * decides between paths. */
static void test_remembered_words_are_what_the_whole_text_gives(void) {
    static const char *const part[] = {"a", "b", "a", "b", "aab", "abab", " ", " a", "\u4f60", "c"};
    buf m = BUF_INIT, text = BUF_INIT, spelled = BUF_INIT;
    err e = {0};
    for (size_t i = 0; i < TIGHT; i++) put_piece(&m, tight[i].piece, tight[i].score, i ? 1 : 2);
    put_number(&text, 3, 1);
    put_message(&m, 2, &text);
    tok *t = open_model(&m, &e);
    REQUIRE(t);
    uint64_t r = 11;
    size_t wrong = 0;
    for (int round = 0; round < 400; round++) {
        tok_ids want = {0}, got = {0};
        buf_clear(&text);
        buf_clear(&spelled);
        for (uint64_t z = rng_below(&r, 3) * rng_below(&r, 40); z > 0; z--) buf_text(&text, "z ");
        while (text.len < 300) buf_text(&text, part[rng_below(&r, sizeof part / sizeof *part)]);
        buf_char(&text, 'd');
        bool space = true;
        for (size_t i = 0; i < text.len; i++) {
            if (space) buf_text(&spelled, "\u2581");
            while (text.p[i] == ' ') i++;
            buf_char(&spelled, text.p[i]);
            space = i + 1 < text.len && text.p[i + 1] == ' ';
        }
        REQUIRE(spelled.len <= TIGHT_TEXT);
        encode_by_definition(buf_view(&spelled), (double)(-30000.0f - 10.0f), &want);
        CHECK(tok_encode(t, buf_view(&text), 0, &got, NULL) == RZ_OK);
        wrong += got.n != want.n || memcmp(got.p, want.p, got.n * sizeof *got.p) != 0;
        tok_ids_free(&want);
        tok_ids_free(&got);
    }
    CHECK_MSG(wrong == 0, "%zu of 400 texts differ", wrong);
    tok_close(t);
    buf_free(&m);
    buf_free(&text);
    buf_free(&spelled);
}

static void test_damaged_sentencepiece_models_are_refused(void) {
    buf m = BUF_INIT;
    small_model(&m, 7, true);
    err e = {0};
    CHECK(!open_model(&m, &e));
    CHECK_STR(e.text,
              "small.model: the model is of kind 7, this build reads 1 (Unigram) and 2 (BPE)");
    buf_clear(&m);
    small_model(&m, 2, true);
    const size_t whole = m.len;
    size_t refused = 0;
    for (m.len = 5; m.len < whole; m.len++) { /* never more than an error */
        tok *t = open_model(&m, &e);
        refused += t == NULL;
        tok_close(t);
    }
    CHECK(refused > whole / 2);
    buf_clear(&m);
    put_piece(&m, "a", 0, 1);
    put_piece(&m, "a", 0, 1);
    CHECK(!open_model(&m, &e));
    CHECK_STR(e.text, "small.model: pieces 0 and 1 are both \"a\"");
    buf_clear(&m);
    put_piece(&m, "<0xZZ>", 0, 6);
    CHECK(!open_model(&m, &e));
    CHECK_STR(e.text, "small.model: piece 0 is \"<0xZZ>\", expected a byte token like <0x0A>");
    buf_free(&m);
}

/* ---- Tekken ---- */

#define TEKKEN(special, size, vocab)                                                \
    "{\"config\":{\"pattern\":\"[a-z]+|.\",\"default_num_special_tokens\":" special \
    ",\"default_vocab_size\":" size "},\"vocab\":[" vocab "]}"
#define A "{\"rank\":0,\"token_bytes\":\"YQ==\"}"
#define B "{\"rank\":1,\"token_bytes\":\"Yg==\"}"
#define AB "{\"rank\":2,\"token_bytes\":\"YWI=\"}"

static void test_tekken_files(void) {
    static const struct {
        const char *json, *want;
    } bad[] = {
        {TEKKEN("\"x\"", "9", A),
         ": config.default_num_special_tokens: expected a number up to 65536"},
        {TEKKEN("3", "2", A),
         ": config.default_vocab_size: expected a number above that of special tokens"},
        {TEKKEN("3", "9", "{\"rank\":0,\"token_bytes\":\"!\"}"),
         ": vocab[0]: expected token_bytes in base64"},
        {TEKKEN("3", "9", A "," A), ": vocab[1]: id 3 a second time"},
    };
    const char *path = test_temp("tekken.json");
    tok *t = NULL;
    err e = {0};
    const char *good = TEKKEN("4", "7", A "," B "," AB ",{\"rank\":9,\"token_bytes\":\"Yw==\"}");
    CHECK(os_write_file(path, good, strlen(good), NULL) == RZ_OK);
    if (tok_open(&t, path, &e) < 0) {
        test_fail(__FILE__, __LINE__, "%s", e.text);
        return;
    }
    CHECK(tok_size(t) == 7);
    CHECK_STR(vocab_pieces(t, "abba[INST]", TOK_SPECIAL | TOK_BOS), "<s>|ab|b|a|[INST]");
    tok_close(t);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        t = NULL;
        CHECK(os_write_file(path, bad[i].json, strlen(bad[i].json), NULL) == RZ_OK);
        CHECK(tok_open(&t, path, &e) == RZ_EFORMAT && !t);
        CHECK_STR(e.text + strlen(path), bad[i].want);
        tok_close(t);
    }
}

void suite_tok_words(void) {
    RUN(test_trie_knows_what_was_put_in_and_nothing_else);
    RUN(test_an_empty_trie_finds_nothing);
    RUN(test_t5_takes_the_best_path);
    RUN(test_a_long_text_needs_no_more_memory_than_its_words);
    RUN(test_rwkv_takes_the_longest_token);
    RUN(test_sentencepiece_rewrites_spaces_and_keeps_user_pieces);
    RUN(test_remembered_words_are_what_the_whole_text_gives);
    RUN(test_damaged_sentencepiece_models_are_refused);
    RUN(test_tekken_files);
}
