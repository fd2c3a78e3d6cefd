/* test_tok.c - tokenizers: small vocabularies built here, and golden ids of real ones. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "test.h"
#include "tok_golden.h"
#include "tokenizer/detok.h"
#include "unicode/utf8.h"
#include "vocab.h"

static void test_spm_merges_highest_score_first(void) {
    vocab v;
    vocab_spm(&v);
    vocab_set_bool(&v, "tokenizer.ggml.add_space_prefix", false);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    CHECK_STR(tok_kind(t), "SentencePiece BPE");
    CHECK(tok_size(t) == v.n);
    CHECK_STR(vocab_pieces(t, "abc", 0), "abc"); /* ab, then ab + c */
    CHECK_STR(vocab_pieces(t, "bca", 0), "bc|a");
    CHECK_STR(vocab_pieces(t, "aaa", 0), "aa|a"); /* the left one of two equal pairs */
    CHECK_STR(vocab_pieces(t, "aaaa", 0), "aaaa");
    CHECK_STR(vocab_pieces(t, "aaaaaaa", 0), "aaaa|aa|a");
    CHECK_STR(vocab_pieces(t, "a  b", 0), "a|\u2581\u2581|b");
    CHECK_STR(vocab_pieces(t, "é的x", 0), "é|的|<0x78>");
    CHECK_STR(vocab_pieces(t, "", 0), "");
    CHECK_STR(vocab_pieces(t, "a\xC3", 0), "a|<0xC3>");
    CHECK(!tok_drops_first_space(t));
    tok_close(t);
    vocab_done(&v);
}

static void test_spm_long_words_merge_like_short_ones(void) {
    vocab v;
    vocab_spm(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    uint64_t seed = 1;
    for (int round = 0; round < 200; round++) {
        /* A long word of parts that cannot merge over "z" must give the parts' ids in a row. */
        char whole[2048] = "z", part[64];
        size_t n = 1;
        tok_ids all = {0}, one = {0};
        CHECK(tok_encode(t, STR_LIT("z"), 0, &all, NULL) == RZ_OK);
        while (n < 1500) {
            const size_t len = 1 + rng_below(&seed, 30);
            for (size_t i = 0; i < len; i++) part[i] = "aaabc"[rng_below(&seed, 5)];
            part[len] = 0;
            memcpy(whole + n, part, len);
            n += len;
            whole[n++] = 'z';
            one.n = 0;
            const str word = {whole + n - len - 2, len + 2};
            CHECK(tok_encode(t, word, 0, &one, NULL) == RZ_OK);
            for (size_t i = 2; i < one.n; i++) tok_ids_push(&all, one.p[i]);
        }
        one.n = 0;
        CHECK(tok_encode(t, (str){whole, n}, 0, &one, NULL) == RZ_OK);
        CHECK(one.n == all.n && memcmp(one.p, all.p, all.n * sizeof *all.p) == 0);
        tok_ids_free(&all);
        tok_ids_free(&one);
    }
    tok_close(t);
    vocab_done(&v);
}

static void test_spm_space_prefix_follows_special_tokens(void) {
    vocab v;
    vocab_spm(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    CHECK(tok_drops_first_space(t));
    CHECK_STR(vocab_pieces(t, "a", 0), "\u2581a");
    CHECK_STR(vocab_pieces(t, "a", TOK_BOS), "<s>|\u2581a");
    CHECK_STR(vocab_pieces(t, "", TOK_BOS), "<s>");
    CHECK_STR(vocab_pieces(t, "a[[x]]a", 0), "\u2581a|[[x]]|\u2581a");
    CHECK_STR(vocab_pieces(t, "a<|user|>a", TOK_SPECIAL), "\u2581a|<|user|>|\u2581a");
    CHECK_STR(vocab_pieces(t, "<s>", TOK_SPECIAL), "<s>");
    CHECK_STR(vocab_pieces(t, "<s>", 0), "\u2581|<0x3C>|<0x73>|<0x3E>");
    CHECK_STR(vocab_pieces(t, "[[x]][[x]]", 0), "[[x]]|[[x]]");
    tok_close(t);
    vocab_set_bool(&v, "tokenizer.ggml.add_bos_token", false);
    vocab_set_bool(&v, "tokenizer.ggml.add_eos_token", true);
    t = vocab_open(&v);
    REQUIRE(t);
    CHECK_STR(vocab_pieces(t, "a", TOK_BOS), "\u2581a|</s>");
    tok_close(t);
    vocab_done(&v);
}

static void test_phi3_strips_white_space_behind_special_tokens(void) {
    vocab v;
    vocab_spm(&v);
    vocab_set_str(&v, "general.name", "Phi-3 mini");
    tok *t = vocab_open(&v);
    REQUIRE(t);
    CHECK_STR(vocab_pieces(t, "<|user|> \n a", TOK_SPECIAL), "<|user|>|\u2581a");
    CHECK_STR(vocab_pieces(t, "<s> a", TOK_SPECIAL), "<s>|\u2581|\u2581a");
    tok_close(t);
    vocab_done(&v);
}

static void test_end_tokens_are_known_by_id_and_name(void) {
    vocab v;
    vocab_spm(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    const int32_t im_end = (int32_t)v.n - 3, user = (int32_t)v.n - 2, x = (int32_t)v.n - 1;
    CHECK(tok_is_end(t, 2) && tok_is_end(t, im_end) && !tok_is_end(t, user) && !tok_is_end(t, 1));
    CHECK(tok_is_control(t, user) && tok_is_control(t, 0) && !tok_is_control(t, x));
    CHECK(!tok_is_end(t, -1) && !tok_is_end(t, (int32_t)v.n) && !tok_is_control(t, INT32_MIN));
    CHECK(tok_special(t, RZ_BOS) == 1 && tok_special(t, RZ_EOS) == 2 &&
          tok_special(t, RZ_UNK) == 0);
    CHECK(tok_special(t, RZ_EOT) == im_end && tok_special(t, RZ_PAD) == -1);
    CHECK(tok_bytes(t, user).p && tok_bytes(t, user).len == 0);
    CHECK(str_is(tok_bytes(t, 3 + '\n'), "\n") && str_is(tok_bytes(t, x), "[[x]]"));
    CHECK(str_is(tok_piece(t, user), "<|user|>"));
    CHECK(!tok_bytes(t, -1).p && !tok_piece(t, (int32_t)v.n).p);
    tok_close(t);
    vocab_done(&v);
}

static void test_unknown_characters_without_byte_tokens(void) {
    vocab v;
    vocab_start(&v, "tiny.gguf");
    vocab_put(&v, "<unk>", 0, 2);
    vocab_put(&v, "a", 0, 1);
    vocab_set_str(&v, "tokenizer.ggml.model", "llama");
    vocab_set_array(&v, "tokenizer.ggml.tokens", META_STRING, v.piece, v.n);
    vocab_set_array(&v, "tokenizer.ggml.scores", META_F32, v.score, v.n);
    vocab_set_array(&v, "tokenizer.ggml.token_type", META_I32, v.type, v.n);
    vocab_set_bool(&v, "tokenizer.ggml.add_space_prefix", false);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    CHECK_STR(vocab_pieces(t, "axya", 0), "a|<unk>|a");
    tok_close(t);
    v.type[0] = 1;
    vocab_set_u32(&v, "tokenizer.ggml.unknown_token_id", UINT32_MAX);
    t = vocab_open(&v);
    REQUIRE(t);
    CHECK_STR(vocab_pieces(t, "axa", 0),
              "tokenizer: byte 0x78 of the text has no token, and the vocabulary has no unknown "
              "token");
    tok_close(t);
    vocab_done(&v);
}

static void check_refused(vocab *v, status code, const char *text) {
    tok *t = (tok *)v;
    err e = {0};
    CHECK(tok_open_gguf(&t, &v->file, &e) == code);
    CHECK(t == (tok *)v);
    CHECK_STR(e.text, text);
    vocab_done(v);
    vocab_spm(v);
}

static void test_malformed_metadata_is_one_clear_error(void) {
    vocab v;
    vocab_spm(&v);
    vocab_set_str(&v, "tokenizer.ggml.model", "quipu");
    check_refused(&v, RZ_EUNSUPPORTED,
                  "small.gguf: tokenizer.ggml.model is \"quipu\", this build reads llama, "
                  "gpt2, bert, t5 and rwkv");
    vocab_set_u32(&v, "tokenizer.ggml.tokens", 3);
    check_refused(&v, RZ_EFORMAT, "small.gguf: tokenizer.ggml.tokens is a u32, expected an array");
    vocab_set_array(&v, "tokenizer.ggml.tokens", META_F32, v.score, 3);
    check_refused(&v, RZ_EFORMAT,
                  "small.gguf: tokenizer.ggml.tokens is an array of f32, expected strings");
    vocab_set_array(&v, "tokenizer.ggml.tokens", META_STRING, v.piece, 0);
    check_refused(&v, RZ_EFORMAT,
                  "small.gguf: tokenizer.ggml.tokens has 0 entries, expected 1 to 67108864");
    vocab_set_array(&v, "tokenizer.ggml.scores", META_F32, v.score, 10);
    check_refused(&v, RZ_EFORMAT,
                  "small.gguf: tokenizer.ggml.scores has 10 entries, expected 275, one per token");
    vocab_set_array(&v, "tokenizer.ggml.scores", META_STRING, v.piece, v.n);
    check_refused(&v, RZ_EFORMAT,
                  "small.gguf: tokenizer.ggml.scores is an array of string, expected numbers");
    v.score[7] = NAN;
    check_refused(&v, RZ_EFORMAT, "small.gguf: tokenizer.ggml.scores[7] is not a number");
    v.type[9] = 7;
    check_refused(&v, RZ_EFORMAT, "small.gguf: tokenizer.ggml.token_type[9] is 7, expected 0 to 6");
    vocab_set_array(&v, "tokenizer.ggml.token_type", META_I32, v.type, v.n - 1);
    check_refused(&v, RZ_EFORMAT,
                  "small.gguf: tokenizer.ggml.token_type has 274 entries, expected 275, one per "
                  "token");
    v.type[262] = 6;
    check_refused(&v, RZ_EFORMAT,
                  "small.gguf: tokenizer.ggml.tokens[262] is \"c\", expected a byte token like "
                  "<0x0A>");
    v.piece[262] = STR_LIT("a");
    check_refused(&v, RZ_EFORMAT,
                  "small.gguf: tokenizer.ggml.tokens[262] is \"a\" like entry 260, expected every "
                  "token once");
    vocab_set_u32(&v, "tokenizer.ggml.eos_token_id", 275);
    check_refused(&v, RZ_EFORMAT,
                  "small.gguf: tokenizer.ggml.eos_token_id is 275, expected less than 275, the "
                  "number of tokens");
    vocab_set_u32(&v, "tokenizer.ggml.bos_token_id", UINT32_MAX);
    vocab_set_bool(&v, "tokenizer.ggml.add_bos_token", true);
    check_refused(&v, RZ_EFORMAT,
                  "small.gguf: tokenizer.ggml.add_bos_token is true, expected a "
                  "tokenizer.ggml.bos_token_id with it");
    vocab_done(&v);
}

static void test_missing_tokenizer_is_none(void) {
    vocab v;
    vocab_start(&v, "small.gguf");
    tok *t = (tok *)&v;
    CHECK(tok_open_gguf(&t, &v.file, NULL) == RZ_OK && t == NULL);
    vocab_set_str(&v, "tokenizer.ggml.model", "none");
    t = (tok *)&v;
    CHECK(tok_open_gguf(&t, &v.file, NULL) == RZ_OK && t == NULL);
    vocab_set_str(&v, "tokenizer.ggml.model", "llama");
    err e = {0};
    CHECK(tok_open_gguf(&t, &v.file, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "small.gguf: tokenizer.ggml.tokens is missing, expected an array of strings");
    vocab_done(&v);
}

static void test_every_failed_allocation_is_reported(void) {
    vocab v;
    vocab_spm(&v);
    char text[400];
    memset(text, 'a', sizeof text);
    bool done = false;
    for (long n = 1; !done && n < 200; n++) {
        tok *t = NULL;
        tok_ids ids = {0};
        buf out = BUF_INIT;
        err e = {0};
        mem_fail_at(n);
        status s = tok_open_gguf(&t, &v.file, &e);
        if (s >= 0) s = tok_encode(t, (str){text, sizeof text}, TOK_BOS, &ids, &e);
        if (s >= 0) s = detok_all(t, ids.p, ids.n, false, &out, &e);
        done = !mem_fail_hit();
        mem_fail_at(0);
        /* Without a cache it goes on; everything else is an error. */
        CHECK_MSG(s == RZ_OK || (!done && s == RZ_ENOMEM), "allocation %ld: %d %s", n, (int)s,
                  e.text);
        CHECK(s < 0 || ids.n > 1);
        tok_ids_free(&ids);
        buf_free(&out);
        tok_close(t);
    }
    CHECK(done);
    vocab_done(&v);
}

/* ---- decoding ---- */

static void test_detok_never_splits_a_character(void) {
    vocab v;
    vocab_spm(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    detok d;
    detok_init(&d, t, false);
    buf out = BUF_INIT;
    const unsigned char smile[] = {0xF0, 0x9F, 0x99, 0x82};
    for (int i = 0; i < 3; i++) detok_push(&d, 3 + smile[i], &out);
    CHECK(out.len == 0);
    detok_push(&d, 3 + smile[3], &out);
    CHECK_STR(buf_cstr(&out), "🙂");
    buf_clear(&out);
    /* F0 9F is one broken character, then A, then a lone continuation byte */
    detok_push(&d, 3 + 0xF0, &out);
    detok_push(&d, 3 + 0x9F, &out);
    detok_push(&d, 3 + 'A', &out);
    detok_push(&d, 3 + 0x80, &out);
    CHECK_STR(buf_cstr(&out), "\uFFFDA\uFFFD");
    buf_clear(&out);
    detok_push(&d, 3 + 0xE0, &out);
    CHECK(out.len == 0);
    detok_push(&d, 3 + 0x80, &out); /* E0 80 is no beginning of anything: two errors */
    CHECK_STR(buf_cstr(&out), "\uFFFD\uFFFD");
    buf_clear(&out);
    detok_push(&d, 3 + 0xE2, &out);
    detok_push(&d, 3 + 0x82, &out);
    detok_push(&d, -1, &out);
    detok_push(&d, 1 << 30, &out);
    CHECK(out.len == 0);
    detok_flush(&d, &out);
    detok_flush(&d, &out);
    CHECK_STR(buf_cstr(&out), "\uFFFD");
    buf_free(&out);
    tok_close(t);
    vocab_done(&v);
}

static void test_detok_drops_only_the_first_space(void) {
    vocab v;
    vocab_spm(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    const int32_t space_a = 3 + 256 + 7;
    CHECK(str_is(tok_piece(t, space_a), "\u2581a"));
    const int32_t ids[] = {1, space_a, space_a};
    buf out = BUF_INIT;
    CHECK(detok_all(t, ids, 3, false, &out, NULL) == RZ_OK);
    CHECK(str_is(buf_view(&out), "a a"));
    buf_clear(&out);
    CHECK(detok_all(t, ids, 3, true, &out, NULL) == RZ_OK);
    CHECK(str_is(buf_view(&out), " a a"));
    err e = {0};
    const int32_t bad[] = {5, 999};
    CHECK(detok_all(t, bad, 2, true, &out, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "token id 999 at position 1, expected 0 to 274");
    CHECK(out.len == 4);
    buf_free(&out);
    tok_close(t);
    vocab_done(&v);
}

/* Every maximal part that is no UTF-8 becomes one U+FFFD. */
static void lossy(buf *out, str s) {
    while (s.len) {
        uint32_t cp;
        const size_t n = utf8_decode(s, &cp);
        buf_str(out, cp == UTF8_BAD ? STR_LIT("\uFFFD") : (str){s.p, n});
        s.p += n;
        s.len -= n;
    }
}

static void test_detok_of_any_split_is_the_whole(void) {
    vocab v;
    vocab_spm(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    uint64_t seed = 7;
    for (int round = 0; round < 2000; round++) {
        int32_t ids[24];
        const size_t n = rng_below(&seed, 24);
        for (size_t i = 0; i < n; i++)
            ids[i] = rng_below(&seed, 3) ? 3 + 0x7E + (int32_t)rng_below(&seed, 130)
                                         : (int32_t)rng_below(&seed, v.n);
        buf bytes = BUF_INIT, streamed = BUF_INIT, expected = BUF_INIT;
        CHECK(detok_all(t, ids, n, true, &bytes, NULL) == RZ_OK);
        lossy(&expected, buf_view(&bytes));
        detok d;
        detok_init(&d, t, true);
        for (size_t i = 0; i < n; i++) {
            detok_push(&d, ids[i], &streamed);
            CHECK(utf8_valid(buf_view(&streamed)) == streamed.len);
        }
        detok_flush(&d, &streamed);
        CHECK(str_eq(buf_view(&streamed), buf_view(&expected)));
        buf_free(&bytes);
        buf_free(&streamed);
        buf_free(&expected);
    }
    tok_close(t);
    vocab_done(&v);
}

/* ---- golden ids of real vocabularies ---- */

static void test_llama2_equals_its_golden_ids(void) {
    real r;
    if (real_open(&r, "vocabs/ggml/ggml-vocab-llama-spm.gguf")) {
        golden_jsonl(r.t, "golden/tokenizer/llama2.jsonl", true);
        golden_ggml(r.t, "llama-spm");
    }
    real_close(&r);
}

static void test_phi3_equals_its_golden_ids(void) {
    real r;
    if (real_open(&r, "vocabs/ggml/ggml-vocab-phi-3.gguf.gz")) golden_ggml(r.t, "phi-3");
    real_close(&r);
}

static void test_stories_prompt_equals_its_golden_ids(void) {
    real r;
    size_t len = 0, text_len = 0;
    int32_t *want =
        test_read_file(test_shared("golden/models/stories260K/golden/prompt0.i32"), &len);
    int32_t *more =
        test_read_file(test_shared("golden/models/stories260K/golden/greedy0.i32"), &text_len);
    char *text = NULL;
    if (want && more && real_open(&r, "models/stories260K-f32.gguf")) {
        tok_ids ids = {0};
        CHECK(tok_encode(r.t, STR_LIT("Once upon a time"), TOK_BOS, &ids, NULL) == RZ_OK);
        CHECK(ids.n * 4 == len && memcmp(ids.p, want, len) == 0);
        for (size_t i = 0; i < text_len / 4; i++) tok_ids_push(&ids, more[i]);
        detok d;
        detok_init(&d, r.t, false);
        buf out = BUF_INIT;
        for (size_t i = 0; i < ids.n; i++) detok_push(&d, ids.p[i], &out);
        detok_flush(&d, &out);
        text = test_read_file(test_shared("golden/models/stories260K/golden/text.txt"), &text_len);
        CHECK(text && str_eq(str_trim(buf_view(&out)), str_trim((str){text, text_len})));
        buf_free(&out);
        tok_ids_free(&ids);
        real_close(&r);
    } else if (!want || !more) {
        test_skip("golden/models/stories260K is not there");
    }
    free(want);
    free(more);
    free(text);
}

static void test_long_and_random_texts_come_back(void) {
    real r;
    if (real_open(&r, "vocabs/ggml/ggml-vocab-llama-spm.gguf")) random_texts_come_back(r.t);
    real_close(&r);
}

/* A text is cut where two characters are neighbours in no piece, and nowhere else. */
static void test_pieces_of_any_characters_are_found_across_words(void) {
    static vocab v;
    vocab_spm(&v);
    vocab_put(&v, "\u00e9\u7684", -20, 1);
    vocab_put(&v, "\u7684b", -21, 1);
    vocab_put(&v, "b\u2581", -22, 1);
    vocab_put(&v, "b\u2581a", -23, 1);
    vocab_publish(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    CHECK_STR(vocab_pieces(t, "\u00e9\u7684\u00e9", 0), "\u2581|\u00e9\u7684|\u00e9");
    CHECK_STR(vocab_pieces(t, "\u7684ba\u7684b", 0), "\u2581|\u7684b|a|\u7684b");
    CHECK_STR(vocab_pieces(t, "cb c", 0), "\u2581|c|b\u2581|c");
    CHECK_STR(vocab_pieces(t, "\u7684\xff\u7684b", 0), "\u2581|\u7684|<0xFF>|\u7684b");
    tok_close(t);
    vocab_done(&v);
}

void suite_tok(void) {
    RUN(test_spm_merges_highest_score_first);
    RUN(test_spm_long_words_merge_like_short_ones);
    RUN(test_spm_space_prefix_follows_special_tokens);
    RUN(test_phi3_strips_white_space_behind_special_tokens);
    RUN(test_end_tokens_are_known_by_id_and_name);
    RUN(test_unknown_characters_without_byte_tokens);
    RUN(test_malformed_metadata_is_one_clear_error);
    RUN(test_missing_tokenizer_is_none);
    RUN(test_every_failed_allocation_is_reported);
    RUN(test_detok_never_splits_a_character);
    RUN(test_detok_drops_only_the_first_space);
    RUN(test_detok_of_any_split_is_the_whole);
    RUN(test_llama2_equals_its_golden_ids);
    RUN(test_phi3_equals_its_golden_ids);
    RUN(test_stories_prompt_equals_its_golden_ids);
    RUN(test_long_and_random_texts_come_back);
    RUN(test_pieces_of_any_characters_are_found_across_words);
}
