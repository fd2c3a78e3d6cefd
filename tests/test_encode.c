/* test_encode.c - many texts, parts of a text, texts in pieces: the ids are always the whole's. */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "realizar.h"
#include "test.h"
#include "tok_golden.h"
#include "vocab.h"

/* Words, signs, white space, other scripts and special tokens in any order. */
static void add_random(buf *b, uint64_t *seed, size_t len) {
    static const char *const part[] = {" the",
                                       "ab",
                                       " abab",
                                       "\n",
                                       "  ",
                                       "\n\n",
                                       "x.",
                                       "don't",
                                       " 12345",
                                       "\u4f60\u597d",
                                       "\u00e9t\u00e9",
                                       " \u0928\u092e",
                                       "\u0958\n",
                                       "[tool]",
                                       "<|endoftext|>",
                                       "\t",
                                       "/path",
                                       "\u2581",
                                       " \u2581",
                                       "\xff",
                                       "Camel CASE ",
                                       "\r\n",
                                       "a\u0301 "};
    while (b->len < len) buf_text(b, part[rng_below(seed, sizeof part / sizeof *part)]);
}

static bool same_ids(const tok_ids *a, const tok_ids *b) {
    return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n * sizeof *a->p) == 0);
}

/* Cut at every place tok_cut allows, and encode the parts. */
static void check_cuts(const tok *t, str text, int flags) {
    const tok_encode_options o = {flags, NULL, 0, NULL};
    tok_ids whole = {0}, parts = {0};
    CHECK(tok_encode_with(t, text, &o, &whole, NULL) == RZ_OK);
    size_t from = 0, n = 0;
    do {
        const size_t to = tok_cut(t, text, from + 1, &o);
        const str part = {text.p + from, to - from};
        CHECK((from ? tok_encode_rest : tok_encode_with)(t, part, &o, &parts, NULL) == RZ_OK);
        from = to;
        n++;
    } while (from < text.len);
    CHECK_MSG(same_ids(&whole, &parts), "%zu ids in %zu parts, %zu whole", parts.n, n, whole.n);
    tok_ids_free(&whole);
    tok_ids_free(&parts);
}

static void test_parts_give_the_ids_of_the_whole(void) {
    static const char *const pre[] = {"gpt-2",  "llama-bpe",   "qwen2",    "gpt-4o",
                                      "tekken", "deepseek-v3", "starcoder"};
    uint64_t seed = 9;
    for (size_t k = 0; k <= sizeof pre / sizeof *pre; k++) {
        vocab v;
        if (k < sizeof pre / sizeof *pre) {
            vocab_bpe(&v);
            vocab_set_str(&v, "tokenizer.ggml.pre", pre[k]);
        } else {
            vocab_spm(&v);
        }
        tok *t = vocab_open(&v);
        REQUIRE(t);
        for (int round = 0; round < 200; round++) {
            buf text = BUF_INIT;
            add_random(&text, &seed, 1 + rng_below(&seed, 200));
            check_cuts(t, buf_view(&text), round % 2 ? TOK_SPECIAL : 0);
            buf_free(&text);
        }
        tok_close(t);
        vocab_done(&v);
    }
}

static void test_threads_do_not_change_ids(void) {
    vocab v;
    vocab_bpe(&v);
    tok *t = vocab_open(&v);
    pool *workers = NULL;
    REQUIRE(t && pool_new(&workers, 3, NULL) == RZ_OK);
    buf text = BUF_INIT;
    uint64_t seed = 4;
    add_random(&text, &seed, 1500000);
    const tok_encode_options one = {TOK_SPECIAL, NULL, 0, NULL};
    const tok_encode_options many = {TOK_SPECIAL, NULL, 0, workers};
    const tok_encode_options plain = {0, NULL, 0, workers};
    tok_ids a = {0}, b = {0};
    CHECK(tok_encode_with(t, buf_view(&text), &one, &a, NULL) == RZ_OK);
    CHECK(tok_encode_with(t, buf_view(&text), &many, &b, NULL) == RZ_OK);
    CHECK(a.n > 100000 && same_ids(&a, &b));
    a.n = b.n = 0;
    CHECK(tok_encode(t, buf_view(&text), 0, &a, NULL) == RZ_OK);
    CHECK(tok_encode_with(t, buf_view(&text), &plain, &b, NULL) == RZ_OK);
    CHECK(same_ids(&a, &b));
    tok_ids_free(&a);
    tok_ids_free(&b);
    buf_free(&text);
    pool_free(workers);
    tok_close(t);
    vocab_done(&v);
}

static void test_chosen_special_tokens(void) {
    vocab v;
    vocab_bpe(&v);
    vocab_put(&v, "<|other|>", 0, 3);
    vocab_publish(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    const int32_t end = (int32_t)v.n - 3, tool = (int32_t)v.n - 2, other = (int32_t)v.n - 1;
    const str text = STR_LIT("<|endoftext|>[tool]<|other|>");
    const tok_encode_options o = {0, &other, 1, NULL};
    tok_ids ids = {0};
    CHECK(tok_encode_with(t, text, &o, &ids, NULL) == RZ_OK);
    CHECK(ids.n == 15 && ids.p[0] == '<' && ids.p[13] == tool && ids.p[14] == other);
    ids.n = 0;
    CHECK(tok_encode(t, text, TOK_SPECIAL, &ids, NULL) == RZ_OK);
    CHECK(ids.n == 3 && ids.p[0] == end);
    tok_ids_free(&ids);
    tok_close(t);
    vocab_done(&v);
}

static void test_batches_keep_their_order(void) {
    vocab v;
    vocab_bpe(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    const char *text[] = {"abab", "", "a<|endoftext|>", "cd"};
    const size_t len[] = {4, 0, 14, 2};
    rz_encode_options o = RZ_ENCODE_INIT;
    o.flags = RZ_ENCODE_SPECIAL;
    rz_batch b = {NULL, NULL, 0};
    for (o.threads = 1; o.threads < 4; o.threads++) {
        CHECK(rz_encode_batch(t, text, len, 4, &o, &b, NULL) == RZ_OK);
        CHECK(b.n == 4 && b.start[0] == 0 && b.start[1] == 1 && b.start[2] == 1);
        CHECK(b.start[3] == 3 && b.start[4] == 4 && b.ids[1] == 'a');
        rz_batch_free(&b);
    }
    CHECK(rz_encode_batch(t, NULL, NULL, 0, NULL, &b, NULL) == RZ_OK && b.start[0] == 0);
    rz_batch_free(&b);
    rz_error e;
    o.threads = -1;
    CHECK(rz_encode_batch(t, text, len, 4, &o, &b, &e) == RZ_EINVAL && !b.ids);
    CHECK_STR(e.text, "rz_encode_options: threads is -1, expected 0 to 1024");
    tok_close(t);
    vocab_done(&v);
}

static void test_a_failing_text_of_a_batch_is_named(void) {
    vocab v;
    vocab_start(&v, "tiny.gguf");
    vocab_put(&v, "a", 0, 1);
    vocab_set_str(&v, "tokenizer.ggml.model", "llama");
    vocab_publish(&v);
    vocab_set_u32(&v, "tokenizer.ggml.unknown_token_id", UINT32_MAX);
    vocab_set_bool(&v, "tokenizer.ggml.add_space_prefix", false);
    vocab_set_bool(&v, "tokenizer.ggml.add_bos_token", false);
    vocab_set_u32(&v, "tokenizer.ggml.bos_token_id", UINT32_MAX);
    vocab_set_u32(&v, "tokenizer.ggml.eos_token_id", UINT32_MAX);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    const char *text[] = {"a", "ab"};
    const size_t len[] = {1, 2};
    rz_batch b = {NULL, NULL, 0};
    rz_error e;
    CHECK(rz_encode_batch(t, text, len, 2, NULL, &b, &e) == RZ_EINVAL && !b.ids);
    CHECK(strncmp(e.text, "text 1: tokenizer: byte 0x62 ", 29) == 0);
    tok_close(t);
    vocab_done(&v);
}

static int collect(void *ud, const rz_token *ids, size_t n) {
    for (size_t i = 0; i < n; i++) tok_ids_push(ud, ids[i]);
    return 0;
}

static int stop(void *ud, const rz_token *ids, size_t n) {
    (void)ud, (void)ids, (void)n;
    return 1;
}

static void test_texts_in_pieces_give_the_ids_of_the_whole(void) {
    uint64_t seed = 12;
    for (int round = 0; round < 120; round++) {
        vocab v;
        if (round % 3) vocab_bpe(&v);
        else vocab_spm(&v);
        tok *t = vocab_open(&v);
        REQUIRE(t);
        buf text = BUF_INIT;
        add_random(&text, &seed, rng_below(&seed, 9000));
        rz_encode_options o = RZ_ENCODE_INIT;
        o.flags = round % 4 ? RZ_ENCODE_BOS | RZ_ENCODE_SPECIAL : RZ_ENCODE_BOS;
        tok_ids whole = {0}, got = {0};
        rz_encoder *c = NULL;
        CHECK(tok_encode(t, buf_view(&text), o.flags, &whole, NULL) == RZ_OK);
        REQUIRE(rz_encoder_new(&c, t, &o, 4096, collect, &got, NULL) == RZ_OK);
        for (int again = 0; again < 2; again++) {
            got.n = 0;
            for (size_t at = 0, n; at < text.len; at += n) {
                n = 1 + rng_below(&seed, 700);
                if (n > text.len - at) n = text.len - at;
                CHECK(rz_encoder_feed(c, text.p + at, n, NULL) == RZ_OK);
            }
            CHECK(rz_encoder_finish(c, NULL) == RZ_OK);
            CHECK_MSG(same_ids(&whole, &got), "round %d: %zu ids, %zu whole", round, got.n,
                      whole.n);
        }
        rz_encoder_free(c);
        tok_ids_free(&whole);
        tok_ids_free(&got);
        buf_free(&text);
        tok_close(t);
        vocab_done(&v);
    }
}

static void test_a_text_without_a_cut_is_refused_at_the_limit(void) {
    vocab v;
    vocab_bpe(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    char text[5000];
    memset(text, '.', sizeof text);
    rz_encoder *c = NULL;
    rz_error e;
    tok_ids got = {0};
    REQUIRE(rz_encoder_new(&c, t, NULL, 4096, collect, &got, NULL) == RZ_OK);
    CHECK(rz_encoder_feed(c, text, sizeof text, &e) == RZ_EFULL);
    CHECK_STR(e.text, "the text allows no cut for 4096 bytes: it must be encoded whole");
    rz_encoder_free(c);
    REQUIRE(rz_encoder_new(&c, t, NULL, 0, stop, NULL, NULL) == RZ_OK);
    CHECK(rz_encoder_feed(c, "ab", 2, NULL) == RZ_OK);
    CHECK(rz_encoder_finish(c, &e) == RZ_ECANCELED);
    rz_encoder_free(c);
    tok_ids_free(&got);
    tok_close(t);
    vocab_done(&v);
}

static void test_offsets_follow_the_text(void) {
    vocab v;
    vocab_spm(&v);
    tok *t = vocab_open(&v);
    REQUIRE(t);
    tok_ids ids = {0};
    const str text = STR_LIT("aab \u7684<s>a");
    CHECK(tok_encode(t, text, TOK_BOS | TOK_SPECIAL, &ids, NULL) == RZ_OK);
    size_t start[16];
    rz_error e;
    REQUIRE(ids.n <= 16);
    CHECK(rz_token_offsets(t, text.p, text.len, ids.p, ids.n, start, &e) == RZ_OK);
    CHECK(start[0] == 0 && start[1] == 0 && start[ids.n - 1] == text.len - 1);
    for (size_t i = 1; i < ids.n; i++) CHECK(start[i] >= start[i - 1]);
    CHECK(rz_token_offsets(t, "b", 1, ids.p, ids.n, start, &e) == RZ_EINVAL);
    CHECK(strstr(e.text, "does not spell the text at byte 0"));
    CHECK(rz_token_offsets(t, text.p, text.len, ids.p, 2, start, &e) == RZ_EINVAL);
    tok_ids_free(&ids);
    tok_close(t);
    vocab_done(&v);
}

static void test_the_corpus_is_the_same_in_parts(void) {
    size_t len = 0;
    char *text = test_read_file(test_shared("corpus/mixed_5mb.txt"), &len);
    real r;
    if (!text) {
        test_skip("corpus/mixed_5mb.txt is not there");
        return;
    }
    if (!test_thorough() && len > 1000000) len = 1000000;
    if (real_open_any(&r, "vocabs/gpt2.tiktoken")) {
        pool *workers = NULL;
        CHECK(pool_new(&workers, 2, NULL) == RZ_OK);
        const tok_encode_options o = {0, NULL, 0, workers};
        tok_ids whole = {0}, parts = {0}, pieces = {0};
        CHECK(tok_encode(r.t, (str){text, len}, 0, &whole, NULL) == RZ_OK);
        CHECK(tok_encode_with(r.t, (str){text, len}, &o, &parts, NULL) == RZ_OK);
        CHECK(same_ids(&whole, &parts));
        rz_encoder *c = NULL;
        CHECK(rz_encoder_new(&c, r.t, NULL, 1 << 16, collect, &pieces, NULL) == RZ_OK);
        CHECK(rz_encoder_feed(c, text, len, NULL) == RZ_OK);
        CHECK(rz_encoder_finish(c, NULL) == RZ_OK);
        CHECK(same_ids(&whole, &pieces));
        rz_encoder_free(c);
        pool_free(workers);
        tok_ids_free(&whole);
        tok_ids_free(&parts);
        tok_ids_free(&pieces);
    }
    real_close(&r);
    free(text);
}

void suite_encode(void) {
    RUN(test_parts_give_the_ids_of_the_whole);
    RUN(test_threads_do_not_change_ids);
    RUN(test_chosen_special_tokens);
    RUN(test_batches_keep_their_order);
    RUN(test_a_failing_text_of_a_batch_is_named);
    RUN(test_texts_in_pieces_give_the_ids_of_the_whole);
    RUN(test_a_text_without_a_cut_is_refused_at_the_limit);
    RUN(test_offsets_follow_the_text);
    RUN(test_the_corpus_is_the_same_in_parts);
}
