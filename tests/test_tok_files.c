/* test_tok_files.c - tokenizer files other than GGUF, and vocabularies by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/sha256.h"
#include "test.h"
#include "tok_golden.h"

static const char *write_file(const char *name, const char *text) {
    const char *path = test_temp(name);
    CHECK(os_write_file(path, text, strlen(text), NULL) == RZ_OK);
    return path;
}

/* Opening the text as a file of that name fails with this sentence behind the path. */
static void check_refused(const char *name, const char *text, status code, const char *want) {
    tok *t = NULL;
    err e = {0};
    const char *path = write_file(name, text);
    CHECK_MSG(tok_open(&t, path, &e) == code && !t, "%s: %d", name, (int)e.status);
    const char *found = strncmp(e.text, path, strlen(path)) == 0 ? e.text + strlen(path) : e.text;
    CHECK_STR(found, want);
    tok_close(t);
}

static void test_tiktoken_lines_are_checked(void) {
    check_refused("gpt2.tiktoken", "IQ== 0\nIg== 0\n", RZ_EFORMAT, ":2: id 0 a second time");
    check_refused("gpt2.tiktoken", "IQ== 0\nIg==1\n", RZ_EFORMAT,
                  ":2: \"Ig==1\", expected base64, a space and a number");
    check_refused("gpt2.tiktoken", "IQ== 0\nI!== 1\n", RZ_EFORMAT, ":2: \"I!==\", expected base64");
    check_refused("gpt2.tiktoken", "IQ== 0\nIg== 99999999\n", RZ_EFORMAT,
                  ":2: id 99999999, expected less than 4099 in a file of this size");
    check_refused("gpt2.tiktoken", "IQ== 0\nIQ== 1\n", RZ_EFORMAT,
                  ": id 50256 of the special token <|endoftext|> is taken or too large");
    check_refused(
        "unknown.tiktoken", "IQ== 0\n", RZ_EINVAL,
        "a .tiktoken file does not say how text is split, and unknown is no vocabulary "
        "known by name; these are: cl100k_base, o200k_base, o200k_harmony, p50k_base, "
        "r50k_base, gpt2, llama3, deepseek_v3, qwen3, mistral_v1, mistral_v2, mistral_v3");
    check_refused("gpt2.tiktoken", "something else\n", RZ_EFORMAT,
                  ": not a tokenizer file this build knows");
    check_refused("empty.tiktoken", "", RZ_EFORMAT, ": not a tokenizer file this build knows");
}

static void test_named_vocabularies_are_looked_for_in_order(void) {
    tok *t = NULL;
    err e = {0};
    const char *const nowhere[] = {"no/such/folder", "nor/this"};
    CHECK(tok_open_named(&t, STR_LIT("cl100k_base"), nowhere, 2, &e) == RZ_ENOTFOUND);
    CHECK_STR(
        e.text,
        "vocabulary cl100k_base: cl100k_base.tiktoken is in none of 2 folders, last looked in "
        "nor/this");
    CHECK(tok_open_named(&t, STR_LIT("gpt2+agent"), nowhere, 2, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "gpt2 has no agent tokens");
    CHECK(tok_open_named(&t, STR_LIT("quipu"), nowhere, 2, &e) == RZ_EINVAL);
    CHECK(!t);
}

/* The ids that other tools publish for the 54 agent tokens. */
static void test_agent_tokens_have_their_ids(void) {
    const char *vocabs = test_shared("vocabs");
    if (!vocabs || !test_shared("vocabs/cl100k_base.tiktoken")) {
        test_skip("vocabs are not there");
        return;
    }
    static const struct {
        const char *name;
        size_t size;
        const char *token[3];
        int32_t id[3];
    } rows[] = {
        {"cl100k_base+agent",
         100331,
         {"<|think|>", "<|function|>", "<|pad|>"},
         {100282, 100292, 100316}},
        {"o200k_base+splintr",
         200073,
         {"<|system|>", "<|pad|>", "<|/summary|>"},
         {200019, 200058, 200072}},
        {"llama3+agent", 128354, {"<|image|>", "<|title|>", "<|pad|>"}, {128256, 128348, 128339}},
        {"deepseek_v3+splintr",
         128954,
         {"<|system|>", "<|think|>", "<|/summary|>"},
         {128900, 128905, 128953}},
        {"mistral_v3+agent",
         131126,
         {"<|system|>", "<|pad|>", "<|/summary|>"},
         {131072, 131111, 131125}},
        {"mistral_v1+agent",
         32054,
         {"<|system|>", "<|pad|>", "<|/summary|>"},
         {32000, 32039, 32053}},
        {"mistral_v2+splintr",
         32822,
         {"<|system|>", "<|pad|>", "<|/summary|>"},
         {32768, 32807, 32821}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tok *t = NULL;
        err e = {0};
        if (tok_open_named(&t, str_of(rows[i].name), &vocabs, 1, &e) < 0) {
            test_fail(__FILE__, __LINE__, "%s", e.text);
            continue;
        }
        CHECK_MSG(tok_size(t) == rows[i].size, "%s: %zu", rows[i].name, tok_size(t));
        for (int k = 0; k < 3; k++) {
            tok_ids ids = {0};
            CHECK(tok_encode(t, str_of(rows[i].token[k]), TOK_SPECIAL, &ids, NULL) == RZ_OK);
            CHECK_MSG(ids.n == 1 && ids.p[0] == rows[i].id[k], "%s %s", rows[i].name,
                      rows[i].token[k]);
            tok_ids_free(&ids);
        }
        tok_close(t);
    }
}

static void test_tiktoken_files_equal_their_golden_ids(void) {
    golden_file("vocabs/cl100k_base.tiktoken", "golden/tokenizer/cl100k_base.jsonl",
                GOLDEN_SPECIAL);
    golden_file("vocabs/o200k_base.tiktoken", "golden/tokenizer/o200k_base.jsonl", GOLDEN_SPECIAL);
    golden_file("vocabs/gpt2.tiktoken", "golden/tokenizer/gpt2.jsonl", GOLDEN_SPECIAL);
    golden_file("vocabs/llama3.tiktoken", "golden/tokenizer/llama3.jsonl", GOLDEN_SPECIAL);
    golden_file("vocabs/deepseek_v3.tiktoken", "golden/tokenizer/deepseek_v3.jsonl",
                GOLDEN_SPECIAL);
    golden_file("vocabs/mistral_v3_tekken.tiktoken", "golden/tokenizer/mistral_v3.jsonl", 0);
}

static void test_tokenizer_json_files_equal_their_golden_ids(void) {
    golden_file("vocabs/gpt2.tokenizer.json.gz", "golden/tokenizer/gpt2.jsonl", GOLDEN_SPECIAL);
    golden_file("vocabs/llama2.tokenizer.json.gz", "golden/tokenizer/llama2.jsonl", GOLDEN_SPECIAL);
    golden_file("vocabs/llama3.tokenizer.json.gz", "golden/tokenizer/llama3.jsonl", GOLDEN_SPECIAL);
    golden_file("vocabs/mistral_v1.tokenizer.json.gz", "golden/tokenizer/mistral_v1.jsonl",
                GOLDEN_SPECIAL | GOLDEN_EATS_SPACE);
    golden_file("vocabs/mistral_v2.tokenizer.json.gz", "golden/tokenizer/mistral_v2.jsonl",
                GOLDEN_SPECIAL | GOLDEN_EATS_SPACE);
    golden_file("vocabs/deepseek_v3.tokenizer.json.gz", "golden/tokenizer/deepseek_v3.jsonl",
                GOLDEN_SPECIAL);
    golden_file("vocabs/qwen3.tokenizer.json.gz", "golden/tokenizer/qwen3.jsonl", GOLDEN_SPECIAL);
    golden_file("vocabs/gemma3.tokenizer.json.gz", "golden/tokenizer/gemma3.jsonl", GOLDEN_SPECIAL);
}

static void test_sentencepiece_models_equal_their_golden_ids(void) {
    golden_file("vocabs/llama2.model", "golden/tokenizer/llama2.jsonl", GOLDEN_SPECIAL);
    golden_file("vocabs/mistral_v1.model", "golden/tokenizer/mistral_v1_spm.jsonl", 0);
    golden_file("vocabs/mistral_v2.model", "golden/tokenizer/mistral_v2_spm.jsonl", 0);
    golden_file("vocabs/xlnet_base_cased.model", "golden/tokenizer/xlnet_unigram.jsonl",
                GOLDEN_NO_DECODE);
}

static void test_bert_in_gguf_equals_its_golden_ids(void) {
    golden_gguf("vocabs/ggml/ggml-vocab-bert-bge.gguf", NULL, "bert-bge");
}

/* One tokenizer.json turned into the .tiktoken file it is known as. */
static void test_saving_gives_the_known_file(void) {
    real r;
    if (!real_open_any(&r, "vocabs/llama3.tokenizer.json.gz")) return;
    const char *path = test_temp("llama3.tiktoken");
    err e = {0};
    char sum[SHA256_TEXT] = "";
    size_t len = 0;
    if (tok_save_tiktoken(r.t, path, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    char *data = test_read_file(path, &len);
    if (data) sha256_text(data, len, sum);
    CHECK_STR(sum, "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55");
    free(data);
    real_close(&r);
    if (!real_open_any(&r, "vocabs/llama2.model")) return;
    CHECK(tok_save_tiktoken(r.t, "out", &e) == RZ_EUNSUPPORTED);
    CHECK_STR(e.text,
              "out: a .tiktoken file holds byte-level BPE, and this vocabulary is "
              "SentencePiece BPE");
    real_close(&r);
}

void suite_tok_files(void) {
    RUN(test_tiktoken_lines_are_checked);
    RUN(test_named_vocabularies_are_looked_for_in_order);
    RUN(test_agent_tokens_have_their_ids);
    RUN(test_tiktoken_files_equal_their_golden_ids);
    RUN(test_tokenizer_json_files_equal_their_golden_ids);
    RUN(test_sentencepiece_models_equal_their_golden_ids);
    RUN(test_bert_in_gguf_equals_its_golden_ids);
    RUN(test_saving_gives_the_known_file);
}
