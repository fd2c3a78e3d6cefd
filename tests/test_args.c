/* test_args.c - option tables: parsing, ranges, errors, help, suggestions. */
#include <stdio.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "cli/args.h"
#include "test.h"

typedef struct inner {
    float share;
    int kind;
} inner;

typedef struct values {
    bool quiet, loud;
    int count;
    size_t size, room;
    uint64_t seed;
    const char *name;
    arg_list stop;
    inner in;
} values;

/* clang-format off */
static const arg_option outer_options[] = {
    {.name = "quiet", .letter = 'q', .kind = ARG_FLAG, .at = offsetof(values, quiet),
     .help = "hush"},
    {.name = "loud", .letter = 'l', .kind = ARG_FLAG, .at = offsetof(values, loud),
     .help = "shout"},
    {.name = "count", .letter = 'n', .kind = ARG_INT, .at = offsetof(values, count), .min = -1,
     .max = 10, .value = "N", .fallback = "3", .help = "how many"},
    {.name = "size", .kind = ARG_SIZE, .at = offsetof(values, size), .min = 2, .max = 3e9,
     .value = "N", .fallback = "8", .help = "how big"},
    {.name = "room", .kind = ARG_BYTES, .at = offsetof(values, room), .min = 0, .max = 9e18,
     .value = "SIZE", .fallback = "1k", .help = "how roomy"},
    {.name = "seed", .kind = ARG_U64, .at = offsetof(values, seed), .max = 2e19, .value = "N",
     .help = "start"},
    {.name = "name", .kind = ARG_TEXT, .at = offsetof(values, name), .value = "TEXT",
     .help = "who"},
    {.name = "stop", .kind = ARG_LIST, .at = offsetof(values, stop), .value = "TEXT",
     .help = "where to end"},
    {.name = "secret", .kind = ARG_FLAG, .at = offsetof(values, loud)},
    {.name = NULL}};
static const arg_option inner_options[] = {
    {.name = "share", .kind = ARG_FLOAT, .at = offsetof(inner, share), .min = 0, .max = 1,
     .value = "X", .fallback = "0.5", .help = "a share of it all"},
    {.name = "kind", .kind = ARG_CHOICE, .at = offsetof(inner, kind), .value = "auto|f32|f16",
     .fallback = "f32", .help = "which"},
    {.name = NULL}};
/* clang-format on */
static const arg_group groups[] = {
    {"Outer", outer_options, 0},
    {"Inner", inner_options, offsetof(values, in)},
};
static const arg_spec spec = {
    "THING [WORD ...]\n--other", "About it.", "try THING", groups, 2, sizeof(values)};

static values v;
static arg_list rest;
static bool help;
static err e;

/* Arguments as one text, separated by '|', which lives on while the values are looked at. */
static status parse(const char *line) {
    static char text[512];
    static char *argv[32];
    int argc = 0;
    args_free(&spec, &v, &rest);
    snprintf(text, sizeof text, "%s", line);
    for (char *at = text; *line && at;) {
        char *bar = strchr(at, '|');
        if (bar) *bar = 0;
        argv[argc++] = at;
        at = bar ? bar + 1 : NULL;
    }
    e = (err){0};
    return args_parse(&spec, argc, argv, &v, &rest, &help, &e);
}

static void done(void) {
    args_free(&spec, &v, &rest);
    memset(&v, 0, sizeof v);
}

static void test_nothing_given_means_defaults(void) {
    CHECK(parse("") == RZ_OK);
    CHECK(!v.quiet && v.count == 3 && v.size == 8 && v.room == 1024 && v.seed == 0 && !v.name);
    CHECK(v.in.share == 0.5f && v.in.kind == 1 && v.stop.n == 0 && rest.n == 0 && !help);
    done();
}

static void test_every_way_to_write_an_option(void) {
    CHECK(parse("--count|5|-q|a|--name=x=y|--share=0.25|b") == RZ_OK);
    CHECK(v.count == 5 && v.quiet && v.in.share == 0.25f && rest.n == 2);
    CHECK_STR(v.name, "x=y");
    CHECK_STR(rest.item[1], "b");
    CHECK(parse("-qln7|--kind=f16|--room|1.5M|--seed=18446744073709551615") == RZ_OK);
    CHECK(v.quiet && v.loud && v.count == 7 && v.in.kind == 2 && v.room == 3 << 19);
    CHECK(v.seed == UINT64_MAX);
    CHECK(parse("-n|-1|--name=|--stop|a|--stop=b|--count=2") == RZ_OK);
    CHECK(v.count == 2 && v.stop.n == 2); /* the last one wins; lists collect */
    CHECK_STR(v.name, "");
    CHECK_STR(v.stop.item[1], "b");
    done();
}

static void test_dashes_end_the_options(void) {
    CHECK(parse("-q|-|--|-n|--count|--") == RZ_OK);
    CHECK(v.quiet && v.count == 3 && rest.n == 4);
    CHECK_STR(rest.item[0], "-");
    CHECK_STR(rest.item[1], "-n");
    CHECK_STR(rest.item[3], "--");
    done();
}

static void test_a_value_may_begin_with_a_dash(void) {
    CHECK(parse("--name|-x|--stop|--") == RZ_OK);
    CHECK_STR(v.name, "-x");
    CHECK(v.stop.n == 1 && rest.n == 0);
    done();
}

static void test_help_wins_over_what_follows(void) {
    CHECK(parse("a|--help|--nonsense") == RZ_OK && help);
    CHECK(parse("-qh") == RZ_OK && help);
    CHECK(parse("--name|--help") == RZ_OK && !help);
    CHECK(parse("--|--help") == RZ_OK && !help);
    CHECK(parse("--nonsense|--help") == RZ_EINVAL);
    done();
}

static void test_errors_name_option_value_and_expectation(void) {
    static const char *const cases[][2] = {
        {"--count=x", "--count is \"x\", expected a whole number from -1 to 10"},
        {"-n|11", "-n is \"11\", expected a whole number from -1 to 10"},
        {"-n1.5", "-n is \"1.5\", expected a whole number from -1 to 10"},
        {"--count=", "--count is \"\", expected a whole number from -1 to 10"},
        {"--count=99999999999999999999",
         "--count is \"99999999999999999999\", expected a whole number from -1 to 10"},
        {"--count", "--count needs a value: a whole number from -1 to 10"},
        {"--size=1", "--size is \"1\", expected a whole number, at least 2"},
        {"--size=-2", "--size is \"-2\", expected a whole number, at least 2"},
        {"--room=1q", "--room is \"1q\", expected a size in bytes such as 4096, 512M or 2G"},
        {"--seed=-1", "--seed is \"-1\", expected a whole number, at least 0"},
        {"--share=1.1", "--share is \"1.1\", expected a number from 0 to 1"},
        {"--share=nan", "--share is \"nan\", expected a number from 0 to 1"},
        {"--kind=f64", "--kind is \"f64\", expected one of auto f32 f16"},
        {"--kind=", "--kind is \"\", expected one of auto f32 f16"},
        {"--name", "--name needs a value: TEXT"},
        {"--quiet=1", "--quiet takes no value, found \"1\""},
        {"--cuont=1", "--cuont: no such option; did you mean --count?"},
        {"--cou", "--cou: no such option; did you mean --count?"},
        {"--hlep", "--hlep: no such option; did you mean --help?"},
        {"--zebra", "--zebra: no such option; --help lists them"},
        {"--=x", "--: no such option; --help lists them"},
        {"-x", "-x: no such option; --help lists them"},
        {"-qx", "-qx: no such option; --help lists them"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_MSG(parse(cases[i][0]) == RZ_EINVAL, "%s was accepted", cases[i][0]);
        CHECK_STR(e.text, cases[i][1]);
    }
    done();
}

static void test_options_without_help_work_unseen(void) {
    CHECK(parse("--secret") == RZ_OK && v.loud);
    buf out = BUF_INIT;
    args_help(&spec, "test", "a test", &out);
    REQUIRE(buf_cstr(&out));
    CHECK(!strstr(buf_cstr(&out), "secret"));
    buf_free(&out);
    done();
}

static void test_help_shows_what_the_table_says(void) {
    buf out = BUF_INIT;
    args_help(&spec, "test", "a test", &out);
    REQUIRE(buf_cstr(&out));
    static const char *const lines[] = {
        "realizar test - a test\n",
        "\nusage: realizar test THING [WORD ...]\n       realizar test --other\n",
        "\nAbout it.\n",
        "\nOuter:\n  -q, --quiet               hush\n",
        "\n  -n, --count N             how many (default: 3)\n",
        "\nInner:\n      --share X             a share of it all (default: 0.5)\n",
        "\n      --kind auto|f32|f16   which (default: f32)\n",
        "\n  -h, --help                this text\n",
        "\nExamples:\n  realizar try THING\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        CHECK_MSG(strstr(buf_cstr(&out), lines[i]), "help has no \"%s\":\n%s", lines[i],
                  buf_cstr(&out));
    buf_free(&out);
}

static void test_help_stays_within_80_columns(void) {
    const arg_option option[] = {
        {.name = "an-option-with-a-very-long-name",
         .kind = ARG_TEXT,
         .value = "VALUE",
         .help = "a text of many words which goes on and on so that it has to be wrapped more than "
                 "once before it ends"},
        {.name = NULL}};
    const arg_group group = {"Long", option, 0};
    const arg_spec wide = {"",
                           "word word word word word word word word word word word word word "
                           "word word word word word word word",
                           NULL,
                           &group,
                           1,
                           sizeof(values)};
    buf out = BUF_INIT;
    args_help(&wide, "test", "a test", &out);
    str left = buf_view(&out);
    size_t lines = 0;
    while (left.p) {
        const str line = str_split(&left, '\n');
        CHECK_MSG(line.len <= 80, "%zu columns: %.*s", line.len, STR_FMT(line));
        lines++;
    }
    CHECK(lines > 12);
    buf_free(&out);
}

static void test_near_names_are_near(void) {
    static const char *const names[] = {"run", "serve", "temperature", "top-k", "top-p"};
    CHECK_STR(nearest_name("rnu", names, 5), "run");
    CHECK_STR(nearest_name("sreve", names, 5), "serve");
    CHECK_STR(nearest_name("temp", names, 5), "temperature");
    CHECK_STR(nearest_name("tempreatur", names, 5), "temperature");
    CHECK_STR(nearest_name("top_k", names, 5), "top-k");
    CHECK(nearest_name("xyz", names, 5) == NULL);
    CHECK(nearest_name("", names, 5) == NULL);
    CHECK(nearest_name("r", names, 5) == NULL);
    CHECK(nearest_name("a-name-that-is-longer-than-any-option-there-is", names, 5) == NULL);
}

static void test_no_memory_is_an_error(void) {
    for (long n = 1; n < 4; n++) {
        mem_fail_at(n);
        const status s = parse("a|--stop|b|c");
        const bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(s == (hit ? RZ_ENOMEM : RZ_OK));
        if (!hit) CHECK(rest.n == 2 && v.stop.n == 1);
    }
    done();
}

void suite_args(void) {
    RUN(test_nothing_given_means_defaults);
    RUN(test_every_way_to_write_an_option);
    RUN(test_dashes_end_the_options);
    RUN(test_a_value_may_begin_with_a_dash);
    RUN(test_help_wins_over_what_follows);
    RUN(test_errors_name_option_value_and_expectation);
    RUN(test_options_without_help_work_unseen);
    RUN(test_help_shows_what_the_table_says);
    RUN(test_help_stays_within_80_columns);
    RUN(test_near_names_are_near);
    RUN(test_no_memory_is_an_error);
}
