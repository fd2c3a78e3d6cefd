/* test_prepare.c - token files: realizar prepare writes what the tokenizer says, document by
 * document; what it and the reader refuse. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/os.h"
#include "realizar.h"
#include "test.h"
#include "tokenizer/tok.h"
#include "train/tokens.h"

static rz_model *demo;

static const char *file_of(const char *name, const char *text) {
    const char *path = test_temp(name);
    CHECK(os_write_file(path, text, strlen(text), NULL) == RZ_OK);
    return path;
}

/* The ids of these texts, each with `end` behind it unless that is -1. */
static tok_ids ids_of(const char *const *text, size_t n, int32_t end) {
    tok_ids ids = {0};
    for (size_t i = 0; i < n; i++) {
        CHECK(tok_encode(rz_model_tokenizer(demo), str_of(text[i]), 0, &ids, NULL) == RZ_OK);
        if (end >= 0) tok_ids_push(&ids, end);
    }
    return ids;
}

/* Prepare one file and compare with those texts. */
static void check_file(const char *in, const rz_prepare_options *opt, const char *const *text,
                       size_t n) {
    const char *out = test_temp("out.bin");
    rz_prepare_report report = {0};
    err e = {0};
    CHECK_MSG(rz_prepare(rz_model_tokenizer(demo), &in, 1, out, opt, &report, &e) == RZ_OK, "%s",
              e.text);
    tok_ids want = ids_of(text, n, opt->no_end ? -1 : 2);
    tokens got = {.n = 0};
    CHECK_MSG(tokens_open(&got, out, 512, &e) == RZ_OK, "%s", e.text);
    CHECK_MSG(got.n == want.n && report.tokens == want.n, "%zu tokens, expected %zu", got.n,
              want.n);
    CHECK(report.documents == n && report.vocab == 512);
    if (got.n == want.n) CHECK(memcmp(got.id, want.p, want.n * sizeof *want.p) == 0);
    tokens_close(&got);
    tok_ids_free(&want);
}

static void test_a_text_is_one_document(void) {
    static const char *const text[] = {"Once upon a time, a cat.\n\nIt slept.\n"};
    rz_prepare_options opt = RZ_PREPARE_INIT;
    check_file(file_of("a.txt", text[0]), &opt, text, 1);
    opt.no_end = 1;
    check_file(file_of("a.txt", text[0]), &opt, text, 1);
}

static void test_documents_lie_between_separators(void) {
    static const char *const text[] = {"One day.", "Two days.\nOr so.", "Three"};
    rz_prepare_options opt = RZ_PREPARE_INIT;
    opt.separator = "<end>";
    const char *in = file_of("b.txt", "One day.\n<end>\nTwo days.\nOr so.<end>\n<end> Three\n");
    check_file(in, &opt, text, 3);
}

static void test_lines_of_json_are_documents(void) {
    static const char *const text[] = {"a \"quoted\" word\n", "plain"};
    rz_prepare_options opt = RZ_PREPARE_INIT;
    check_file(file_of("c.jsonl",
                       "{\"text\":\"a \\\"quoted\\\" word\\n\",\"n\":1}\n\n"
                       "{\"n\":2,\"text\":\"plain\"}"),
               &opt, text, 2);
    opt.field = "body";
    check_file(file_of("d.ndjson",
                       "{\"body\":\"a \\\"quoted\\\" word\\n\"}\n"
                       "{\"body\":\"\"}\r\n{\"body\":\"plain\"}\n"),
               &opt, text, 2);
}

/* More documents than a batch, and one longer than a batch takes, on 1 thread and on 4. */
static void test_the_file_does_not_depend_on_threads(void) {
    rz_prepare_options opt = RZ_PREPARE_INIT;
    buf b = BUF_INIT;
    const char *out[2] = {test_temp("one.bin"), test_temp("four.bin")};
    for (int i = 0; i < 20000; i++) buf_printf(&b, "{\"text\":\"the cat %d\"}\n", i);
    buf_text(&b, "{\"text\":\"");
    while (b.len < 1800000) buf_text(&b, "the little boy named Leo went to the lake. ");
    buf_text(&b, "\"}\n{\"text\":\"last\"}");
    const char *in = file_of("e.jsonl", buf_cstr(&b));
    buf_free(&b);
    os_map file[2];
    for (int i = 0; i < 2; i++) {
        opt.threads = i ? 4 : 1;
        REQUIRE(rz_prepare(rz_model_tokenizer(demo), &in, 1, out[i], &opt, NULL, NULL) == RZ_OK);
        REQUIRE(os_map_open(&file[i], out[i], NULL) == RZ_OK);
    }
    CHECK(file[0].len == file[1].len && file[0].len > 1000000);
    CHECK(file[0].len == file[1].len && memcmp(file[0].data, file[1].data, file[0].len) == 0);
    os_map_close(&file[0]);
    os_map_close(&file[1]);
}

static void refused(const char *in, const rz_prepare_options *opt, const char *part) {
    const char *out = test_temp("refused.bin");
    err e = {0};
    CHECK(rz_prepare(rz_model_tokenizer(demo), &in, 1, out, opt, NULL, &e) < 0);
    CHECK_MSG(strstr(e.text, part) != NULL, "\"%s\" is not in \"%s\"", part, e.text);
    CHECK(os_path_kind(out) == OS_NOTHING);
}

static void test_what_is_no_text_is_refused(void) {
    rz_prepare_options opt = RZ_PREPARE_INIT;
    refused(file_of("f.jsonl", "{\"text\":\"a\"}\n{\"text\":5}\n"), &opt,
            "line 2: expected an object with a string \"text\", found number");
    refused(file_of("g.jsonl", "{\"txt\":\"a\"}\n"), &opt, "line 1: expected an object");
    refused(file_of("h.jsonl", "[1]\n"), &opt, "found array");
    refused(file_of("i.jsonl", "{\"text\":\"a\"}\n{\"text\":\n"), &opt, "line 2: ");
    refused(file_of("j.txt", ""), &opt, "j.txt: there is no text");
    refused(test_temp("none.txt"), &opt, "No such file");
    const char *same = file_of("k.txt", "text");
    err e = {0};
    CHECK(rz_prepare(rz_model_tokenizer(demo), &same, 1, same, &opt, NULL, &e) == RZ_EINVAL);
    opt.field = "";
    refused(same, &opt, "field is 0 bytes, expected 1 to 100");
}

static int stop_at_once(void *ud, const rz_progress *p) {
    CHECK(p->total == 4 && p->done <= 4);
    ++*(int *)ud;
    return 1;
}

static void test_progress_can_stop_it(void) {
    rz_prepare_options opt = RZ_PREPARE_INIT;
    int calls = 0;
    opt.progress = stop_at_once;
    opt.progress_ud = &calls;
    refused(file_of("l.txt", "text"), &opt, "stopped");
    CHECK(calls == 1);
}

static void test_token_files_are_checked(void) {
    const uint32_t ids[3] = {1, 511, 512};
    const char *path = test_temp("ids.bin");
    tokens t = {.n = 0};
    err e = {0};
    REQUIRE(os_write_file(path, ids, sizeof ids, NULL) == RZ_OK);
    CHECK(tokens_open(&t, path, 512, &e) == RZ_EFORMAT);
    CHECK_MSG(strstr(e.text, "token 512 at position 2, vocab_size is 512"), "%s", e.text);
    REQUIRE(tokens_open(&t, path, 513, &e) == RZ_OK);
    CHECK(t.n == 3 && t.id[1] == 511);
    char digest[2][TOKENS_DIGEST];
    tokens_digest(&t, digest[0]);
    tokens_close(&t);
    REQUIRE(os_write_file(path, ids, 8, NULL) == RZ_OK);
    REQUIRE(tokens_open(&t, path, 513, &e) == RZ_OK);
    tokens_digest(&t, digest[1]);
    CHECK(strlen(digest[0]) == 64 && strcmp(digest[0], digest[1]) != 0);
    tokens_close(&t);
    REQUIRE(os_write_file(path, ids, 7, NULL) == RZ_OK);
    CHECK(tokens_open(&t, path, 512, &e) == RZ_EFORMAT && strstr(e.text, "7 bytes"));
    REQUIRE(os_write_file(path, ids, 0, NULL) == RZ_OK);
    CHECK(tokens_open(&t, path, 512, &e) == RZ_EFORMAT && strstr(e.text, "no tokens"));
}

static void test_random_tokens_depend_on_the_seed_alone(void) {
    tokens a, b, c;
    REQUIRE(tokens_random(&a, 1000, 7, 5, NULL) == RZ_OK);
    REQUIRE(tokens_random(&b, 1000, 7, 5, NULL) == RZ_OK);
    REQUIRE(tokens_random(&c, 1000, 7, 6, NULL) == RZ_OK);
    CHECK(memcmp(a.id, b.id, 4000) == 0 && memcmp(a.id, c.id, 4000) != 0);
    uint32_t seen = 0;
    for (size_t i = 0; i < a.n; i++) seen |= 1u << (a.id[i] & 31);
    CHECK_MSG(seen == 127, "%x", seen);
    tokens_close(&a);
    tokens_close(&b);
    tokens_close(&c);
}

void suite_prepare(void) {
    if (rz_model_open_demo(&demo, NULL, NULL) < 0) {
        test_skip("no embedded model");
        return;
    }
    RUN(test_a_text_is_one_document);
    RUN(test_documents_lie_between_separators);
    RUN(test_lines_of_json_are_documents);
    RUN(test_the_file_does_not_depend_on_threads);
    RUN(test_what_is_no_text_is_refused);
    RUN(test_progress_can_stop_it);
    RUN(test_token_files_are_checked);
    RUN(test_random_tokens_depend_on_the_seed_alone);
    rz_model_close(demo);
}
