/* test_tok_rzv.c - the compact form of vocabularies: the same as what it was made of, and files
 * that are not what they should be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/rng.h"
#include "test.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_rzv.h"
#include "vocab.h"

static const char *const texts[] = {
    "",
    "a",
    " ab abab  cdab\n\tefg xyz",
    "hello hello<|im_end|> hellollo<end>[[x]][tool]<|endoftext|>",
    "one two three, four... 1234 5",
    "\u7684 \u00e9\u4f60\u597d \U0001f600 \u0130\ufb01 e\u0301",
    "\xff\xfe broken \xe4\xbd",
};
enum { TEXTS = sizeof texts / sizeof *texts };

/* Everything that can be asked of two tokenizers is answered alike. */
static void check_same(const char *name, const tok *a, const tok *b) {
    CHECK_MSG(tok_size(a) == tok_size(b), "%s", name);
    CHECK_STR(tok_kind(b), tok_kind(a));
    for (int i = 0; i <= RZ_UNK; i++)
        CHECK_MSG(tok_special(a, (rz_special)i) == tok_special(b, (rz_special)i), "%s", name);
    for (int32_t id = -1; id <= (int32_t)tok_size(a); id++) {
        const bool same = str_eq(tok_piece(a, id), tok_piece(b, id)) &&
                          str_eq(tok_bytes(a, id), tok_bytes(b, id)) &&
                          !tok_piece(a, id).p == !tok_piece(b, id).p &&
                          tok_is_end(a, id) == tok_is_end(b, id) &&
                          tok_is_control(a, id) == tok_is_control(b, id);
        CHECK_MSG(same, "%s: token %d", name, (int)id);
    }
    CHECK(tok_drops_first_space(a) == tok_drops_first_space(b));
    for (int i = 0; i < 2 * TEXTS; i++) {
        tok_ids x = {0}, y = {0};
        const int flags = i % 2 ? TOK_SPECIAL | TOK_BOS : 0;
        const str text = str_of(texts[i / 2]);
        CHECK(tok_encode(a, text, flags, &x, NULL) == tok_encode(b, text, flags, &y, NULL));
        CHECK_MSG(x.n == y.n && (x.n == 0 || memcmp(x.p, y.p, x.n * sizeof *x.p) == 0),
                  "%s: \"%s\"", name, texts[i / 2]);
        buf p = BUF_INIT, q = BUF_INIT;
        CHECK(detok_all(a, x.p, x.n, false, &p, NULL) == detok_all(b, x.p, x.n, false, &q, NULL));
        CHECK_MSG(str_eq(buf_view(&p), buf_view(&q)), "%s: \"%s\"", name, texts[i / 2]);
        buf_free(&p);
        buf_free(&q);
        tok_ids_free(&x);
        tok_ids_free(&y);
    }
}

/* Save, open, compare, save again; closes `t`. */
static void check_form(const char *name, tok *t) {
    char path[2][512];
    char *file[2] = {NULL, NULL};
    size_t len[2] = {0, 0};
    tok *again = NULL;
    err e = {0};
    snprintf(path[0], sizeof path[0], "%s", test_temp("form.rzv"));
    snprintf(path[1], sizeof path[1], "%s", test_temp("form2.rzv"));
    if (tok_save_rzv(t, path[0], &e) < 0 || tok_open(&again, path[0], &e) < 0) {
        test_fail(__FILE__, __LINE__, "%s: %s", name, e.text);
        tok_close(t);
        return;
    }
    check_same(name, t, again);
    CHECK(tok_save_rzv(again, path[1], &e) == RZ_OK);
    for (int i = 0; i < 2; i++) file[i] = test_read_file(path[i], &len[i]);
    CHECK_MSG(len[0] > 0 && len[0] == len[1] && memcmp(file[0], file[1], len[0]) == 0, "%s", name);
    for (int i = 0; i < 2; i++) free(file[i]);
    tok_close(again);
    tok_close(t);
}

static void test_gguf_kinds_are_the_same_from_a_compact_file(void) {
    static vocab v;
    vocab_spm(&v);
    check_form("SentencePiece", vocab_open(&v));
    vocab_done(&v);
    vocab_bpe(&v);
    check_form("bytes", vocab_open(&v));
    vocab_set_str(&v, "tokenizer.ggml.pre", "olmo"); /* normalized */
    check_form("normalized bytes", vocab_open(&v));
    vocab_set_str(&v, "tokenizer.ggml.pre", "jais-2"); /* split by a regular expression */
    check_form("split bytes", vocab_open(&v));
    vocab_done(&v);
}

static const char *const seeds[] = {
    "tok_hf/added_tokens8",
    "tok_hf/bpe_with_ends_of_words4",
    "tok_hf/bpe_with_marks_inside_words5",
    "tok_hf/bytes7",
    "tok_hf/bytes_with_a_space_in_front6",
    "tok_hf/characters9",
    "tok_hf/scripts_and_marks11",
    "tok_hf/tekken",
    "tok_hf/template10",
    "tok_hf/unigram1",
    "tok_hf/unigram2",
    "tok_hf/wordlevel3",
    "tok_hf/wordpiece0",
    "tok_spm/bpe",
    "tok_spm/map",
    "tok_spm/suffix",
    "tok_spm/unigram",
};

/* The tokenizer of a fuzz input; NULL: a failed test. */
static tok *open_seed(const char *name) {
    char path[128];
    size_t len = 0;
    tok *t = NULL;
    err e = {0};
    snprintf(path, sizeof path, "tests/fuzz/corpus/%s", name);
    char *data = test_read_file(path, &len);
    if (!data) {
        test_fail(__FILE__, __LINE__, "%s is not there", path);
        return NULL;
    }
    status s;
    if (strncmp(name, "tok_hf", 6) == 0) {
        const char *end = memchr(data, 0, len);
        s = tok_open_hf(&t, name, (str){data, end ? (size_t)(end - data) : len}, &e);
    } else {
        const size_t skip = 1 + (unsigned char)data[0];
        s = tok_open_spm(&t, name, (str){data + skip, len - skip}, NULL, 0, &e);
    }
    if (s < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    free(data);
    return t;
}

static void test_files_of_every_kind_are_the_same_from_a_compact_file(void) {
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        tok *t = open_seed(seeds[i]);
        if (t) check_form(seeds[i], t);
    }
}

/* ---- Damage ---- */

typedef struct bytes {
    char *p;
    size_t len;
} bytes;

static bytes saved(tok *t) {
    bytes b = {NULL, 0};
    const char *path = test_temp("damage.rzv");
    err e = {0};
    if (t && tok_save_rzv(t, path, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    if (t) b.p = test_read_file(path, &b.len);
    tok_close(t);
    return b;
}

/* Opening n bytes fails with this sentence behind "x: ". */
static void check_refused(const char *p, size_t n, status code, const char *want) {
    tok *t = NULL;
    err e = {0};
    CHECK_MSG(tok_open_rzv(&t, "x", (str){p, n}, &e) == code && !t, "%s: %d", want, (int)e.status);
    CHECK_STR(strncmp(e.text, "x: ", 3) == 0 ? e.text + 3 : e.text, want);
    tok_close(t);
}

static void test_a_damaged_file_is_one_error(void) {
    const bytes b = saved(open_seed("tok_hf/wordlevel3"));
    REQUIRE(b.p);
    check_refused(b.p, 0, RZ_EFORMAT, "not a compact vocabulary");
    check_refused(b.p, RZV_HEADER - 1, RZ_EFORMAT, "not a compact vocabulary");
    check_refused(b.p, b.len - 1, RZ_EFORMAT, "the file is cut off or has something behind it");
    for (size_t i = 0; i < b.len; i++) { /* every byte counts */
        tok *t = NULL;
        b.p[i] ^= 0x20;
        CHECK_MSG(tok_open_rzv(&t, "x", (str){b.p, b.len}, NULL) < 0, "%zu", i);
        tok_close(t);
        b.p[i] ^= 0x20;
    }
    b.p[b.len - 1] ^= 1;
    check_refused(b.p, b.len, RZ_EFORMAT, "damaged: the sum of the file is another");
    b.p[b.len - 1] ^= 1;
    b.p[8] = 1;
    check_refused(
        b.p, b.len, RZ_EUNSUPPORTED,
        "a compact vocabulary of version 1, this build reads 2; convert it again from its "
        "source");
    b.p[8] = RZV_VERSION;
    b.p[0] = 'r';
    check_refused(b.p, b.len, RZ_EFORMAT, "not a compact vocabulary");
    free(b.p);
}

/* Put a number somewhere, under a right sum. */
static void check_number(bytes b, size_t at, uint32_t x, const char *want) {
    uint32_t was;
    memcpy(&was, b.p + at, sizeof was);
    memcpy(b.p + at, &x, sizeof x);
    rzv_seal(b.p, b.len);
    check_refused(b.p, b.len, RZ_EFORMAT, want);
    memcpy(b.p + at, &was, sizeof was);
    rzv_seal(b.p, b.len);
}

static void test_numbers_out_of_range_are_named(void) {
    const bytes b = saved(open_seed("tok_hf/wordlevel3"));
    REQUIRE(b.p);
    check_number(b, RZV_HEADER, 3, "kind is 3, expected 0 to 2");
    check_number(b, RZV_HEADER + 4, 0, "tokens is 0, expected 1 to 67108864");
    check_number(b, RZV_HEADER + 4, 1 << 26, "types is longer than the file");
    check_number(b, RZV_ALIGN, 0x09090909, "types have one this build does not know");
    free(b.p);
}

/* Encode and decode with a tokenizer of which nothing is known. */
static void use(const tok *t) {
    for (int i = 0; i < TEXTS; i++) {
        tok_ids ids = {0};
        buf out = BUF_INIT;
        (void)tok_encode(t, str_of(texts[i]), TOK_SPECIAL, &ids, NULL);
        for (size_t k = 0; k < ids.n; k++) CHECK(ids.p[k] >= 0 && (size_t)ids.p[k] < tok_size(t));
        (void)detok_all(t, ids.p, ids.n, false, &out, NULL);
        buf_free(&out);
        tok_ids_free(&ids);
    }
}

/* Any content under a right sum is refused, or works somehow inside its arrays. */
static void check_hostile(const char *name, bytes b, uint64_t *r, int rounds) {
    char *copy = malloc(b.len);
    int opened = 0;
    for (int i = 0; i < rounds; i++) {
        const size_t len = i % 4 ? b.len : RZV_HEADER + rng_below(r, (uint32_t)b.len - RZV_HEADER);
        tok *t = NULL;
        err e = {0};
        memcpy(copy, b.p, b.len);
        for (int k = 0; k <= i % 3; k++) {
            const size_t at = RZV_HEADER + rng_below(r, (uint32_t)(b.len - RZV_HEADER));
            copy[at] = (char)rng_below(r, i % 2 ? 256 : 4);
        }
        rzv_seal(copy, len);
        if (tok_open_rzv(&t, "x", (str){copy, len}, &e) == RZ_OK) {
            opened++;
            use(t);
        } else {
            CHECK_MSG(e.text[0] && !t, "%s", name);
        }
        tok_close(t);
    }
    CHECK_MSG(opened < rounds, "%s", name);
    free(copy);
}

static void test_hostile_files_are_refused_or_harmless(void) {
    uint64_t r = 20;
    const int rounds = test_thorough() ? 4000 : 200;
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        const bytes b = saved(open_seed(seeds[i]));
        if (b.p) check_hostile(seeds[i], b, &r, rounds);
        free(b.p);
    }
}

static void test_memory_may_run_out_anywhere(void) {
    static const char *const some[] = {"tok_hf/bytes7", "tok_hf/unigram1", "tok_spm/map"};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        const bytes b = saved(open_seed(some[i]));
        REQUIRE(b.p);
        bool hit = true;
        for (long n = 1; hit && n < 10000; n++) {
            tok *t = NULL;
            err e = {0};
            mem_fail_at(n);
            const status s = tok_open_rzv(&t, "x", (str){b.p, b.len}, &e);
            hit = mem_fail_hit();
            mem_fail_at(0);
            CHECK_MSG(s == RZ_OK || (s == RZ_ENOMEM && !t), "%s: %ld: %s", some[i], n, e.text);
            tok_close(t);
        }
        CHECK(!hit);
        free(b.p);
    }
}

void suite_tok_rzv(void) {
    RUN(test_gguf_kinds_are_the_same_from_a_compact_file);
    RUN(test_files_of_every_kind_are_the_same_from_a_compact_file);
    RUN(test_a_damaged_file_is_one_error);
    RUN(test_numbers_out_of_range_are_named);
    RUN(test_hostile_files_are_refused_or_harmless);
    RUN(test_memory_may_run_out_anywhere);
}
