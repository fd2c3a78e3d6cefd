/* test_cli.c - the parts commands share: token ids from text, text for terminals, units, biases. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "cli/input.h"
#include "cli/sample_arg.h"
#include "cli/show.h"
#include "test.h"

static void test_ids_in_every_spelling(void) {
    static const char *const same[] = {"1,22,333", "1 22 333", "[1, 22, 333]", " 1,\n22,,333,\n",
                                       "1\t22\r\n333"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        rz_token *ids = NULL;
        size_t n = 0;
        err e = {0};
        REQUIRE(input_ids(str_of(same[i]), "ids", &ids, &n, &e) == RZ_OK);
        CHECK_MSG(n == 3 && ids[0] == 1 && ids[1] == 22 && ids[2] == 333, "\"%s\"", same[i]);
        mem_free(ids);
    }
    rz_token *ids = NULL;
    size_t n = 9;
    CHECK(input_ids(STR_LIT(""), "ids", &ids, &n, NULL) == RZ_OK && n == 0);
    mem_free(ids);
}

static void test_ids_that_are_none(void) {
    static const char *const bad[] = {"a", "1,-2", "1.5", "2147483648", "1;2", "[1,2", "0x10"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rz_token *ids = NULL;
        size_t n = 7;
        err e = {0};
        CHECK_MSG(input_ids(str_of(bad[i]), "--ids", &ids, &n, &e) == RZ_EINVAL, "\"%s\"", bad[i]);
        CHECK(ids == NULL && n == 7);
    }
    err e = {0};
    rz_token *ids = NULL;
    size_t n;
    input_ids(STR_LIT("1,two"), "--ids", &ids, &n, &e);
    CHECK_STR(e.text, "--ids: \"two\" is no token id, expected numbers like 1,2,3");
}

static const char *shown(str s, size_t max, bool quotes) {
    static buf out;
    buf_clear(&out);
    if (quotes) show_quoted(&out, s, max);
    else show_plain(&out, s, max);
    return buf_cstr(&out);
}

static void test_text_cannot_steer_a_terminal(void) {
    CHECK_STR(shown(STR_LIT("a\x1b[2Jb\x7f"), 0, false), "a\\x1b[2Jb\\x7f");
    CHECK_STR(shown(STR_LIT("\xc2\x9b"), 0, false), "\\xc2\\x9b"); /* C1: one-character CSI */
    CHECK_STR(shown(STR_LIT("\n\r\t\0z"), 0, false), "\\n\\r\\t\\x00z");
    CHECK_STR(shown(STR_LIT("\xc2\xa0\xe2\x96\x81 \xf0\x9f\x98\x80"), 0, false),
              "\xc2\xa0\xe2\x96\x81 \xf0\x9f\x98\x80");
    CHECK_STR(shown(STR_LIT("\"\\"), 0, true), "\"\\\"\\\\\"");
}

static void test_bytes_that_are_not_utf8_are_shown_as_bytes(void) {
    CHECK_STR(shown(STR_LIT("\xff"), 0, false), "\\xff");
    CHECK_STR(shown(STR_LIT("\xc3"), 0, false), "\\xc3");          /* cut short   */
    CHECK_STR(shown(STR_LIT("\xc0\xaf"), 0, false), "\\xc0\\xaf"); /* overlong    */
    CHECK_STR(shown(STR_LIT("\xe0\x80\xaf"), 0, false), "\\xe0\\x80\\xaf");
    CHECK_STR(shown(STR_LIT("\xed\xa0\x80"), 0, false), "\\xed\\xa0\\x80"); /* surrogate */
    CHECK_STR(shown(STR_LIT("\xf4\x90\x80\x80"), 0, false), "\\xf4\\x90\\x80\\x80");
    CHECK_STR(shown(STR_LIT("\xc3(\xe2\x82"), 0, false), "\\xc3(\\xe2\\x82");
}

static void test_long_text_is_cut_between_characters(void) {
    CHECK_STR(shown(STR_LIT("abcdef"), 3, false), "abc...");
    CHECK_STR(shown(STR_LIT("ab\xc3\xa4z"), 3, false), "ab\xc3\xa4...");
    CHECK_STR(shown(STR_LIT("abc"), 3, true), "\"abc\"");
}

static void test_units(void) {
    buf out = BUF_INIT;
    show_bytes(&out, 1023);
    buf_char(&out, ' ');
    show_bytes(&out, 1536);
    buf_char(&out, ' ');
    show_bytes(&out, UINT64_MAX);
    buf_char(&out, ' ');
    show_count(&out, 999);
    buf_char(&out, ' ');
    show_count(&out, 7240000000);
    buf_char(&out, ' ');
    show_rate(&out, 1.2345);
    buf_char(&out, ' ');
    show_rate(&out, 123.45);
    buf_char(&out, ' ');
    show_rate(&out, 12345.6);
    CHECK_STR(buf_cstr(&out), "1023 bytes 1.5 KiB 16.0 EiB 999 7.2B 1.23 123.5 12346");
    CHECK(show_width(STR_LIT("\xe2\x96\x81"
                             "ab")) == 3);
    buf_free(&out);
}

static void test_biases(void) {
    const char *given[] = {"5=1.5", "0=-inf", "2147483647=-3"};
    sample_arg a = {.bias = {given, 3}, .temperature = 0.5f};
    rz_params p;
    rz_bias *bias = NULL;
    err e = {0};
    REQUIRE(sample_arg_params(&a, &p, &bias, &e) == RZ_OK);
    CHECK(p.temperature == 0.5f && p.n_bias == 3 && p.bias == bias);
    CHECK(bias[0].id == 5 && bias[0].add == 1.5f);
    CHECK(isinf(bias[1].add) && bias[1].add < 0 && bias[2].id == INT32_MAX);
    mem_free(bias);
    static const char *const bad[] = {"5",     "=1",    "5=",    "-1=1",        "a=1",
                                      "5=inf", "5=nan", "5=1e7", "2147483648=1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *one[] = {bad[i]};
        a.bias = (arg_list){one, 1};
        CHECK_MSG(sample_arg_params(&a, &p, &bias, &e) == RZ_EINVAL, "\"%s\"", bad[i]);
    }
    CHECK_STR(e.text,
              "--logit-bias is \"2147483648=1\", expected ID=ADD such as 42=-1.5 or 42=-inf");
}

static void test_text_comes_from_one_place(void) {
    const char *path = test_temp("prompt.txt");
    REQUIRE(os_write_file(path, "two\nlines\r\n", 11, NULL) == RZ_OK);
    buf b = BUF_INIT;
    err e = {0};
    CHECK(input_text(NULL, path, "prompt", &b, &e) == RZ_OK);
    CHECK_STR(buf_cstr(&b), "two\nlines\r\n");
    input_trim_line_end(&b);
    CHECK_STR(buf_cstr(&b), "two\nlines");
    input_trim_line_end(&b);
    CHECK_STR(buf_cstr(&b), "two\nlines");
    buf_clear(&b);
    CHECK(input_text("given", NULL, "prompt", &b, &e) == RZ_OK);
    CHECK_STR(buf_cstr(&b), "given");
    CHECK(input_text("given", path, "prompt", &b, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "two prompts: one as an argument, one from --file");
    CHECK(input_text(NULL, "/nonexistent/file", "prompt", &b, &e) == RZ_EIO);
    CHECK_STR(e.text, "/nonexistent/file: No such file or directory");
    CHECK(input_text(NULL, "/", "prompt", &b, &e) == RZ_EIO);
    buf_free(&b);
}

void suite_cli(void) {
    RUN(test_ids_in_every_spelling);
    RUN(test_ids_that_are_none);
    RUN(test_text_cannot_steer_a_terminal);
    RUN(test_bytes_that_are_not_utf8_are_shown_as_bytes);
    RUN(test_long_text_is_cut_between_characters);
    RUN(test_units);
    RUN(test_biases);
    RUN(test_text_comes_from_one_place);
}
