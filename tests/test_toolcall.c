/* test_toolcall.c - calls of tools read out of each family's way of writing them. */
#include <string.h>

#include "base/buf.h"
#include "server/toolcall.h"
#include "test.h"
#include "toolcall_signs.h"

#define TOOL(name)                                                                         \
    "{\"type\":\"function\",\"function\":{\"name\":\"" name                                \
    "\",\"parameters\":"                                                                   \
    "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"},\"n\":{\"type\":" \
    "\"integer\"}}}}}"
static const char tools[] = "[" TOOL("weather") "," TOOL("clock") "]";

static void on_text(void *ud, str text) { buf_str(ud, text); }

static void on_call(void *ud, str name, str args) {
    buf_char(ud, '<');
    buf_str(ud, name);
    buf_char(ud, ' ');
    buf_str(ud, args);
    buf_char(ud, '>');
}

/* Text as it is, calls as <name args>; fed in pieces of `step` bytes. */
static void parse(const char *sign, const char *answer, size_t step, buf *out) {
    arena a = ARENA_INIT;
    json *list = NULL;
    CHECK(json_parse(&list, str_of(tools), &a, NULL) == RZ_OK);
    toolcall *t = toolcall_new(tool_family_of(str_of(sign)), list);
    arena_free(&a); /* the parser has its own copy */
    REQUIRE(t != NULL);
    const tool_sink sink = {on_text, on_call, out};
    const size_t len = strlen(answer);
    for (size_t i = 0; i < len; i += step)
        CHECK(toolcall_feed(t, (str){answer + i, len - i < step ? len - i : step}, &sink));
    CHECK(toolcall_finish(t, &sink));
    toolcall_free(t);
}

typedef struct sample {
    const char *sign, *answer, *want;
} sample;

#define D(word) "<\xef\xbd\x9ctool\xe2\x96\x81" word "\xef\xbd\x9c>"
#define U "\xe2\x96\x81"
#define CALL(name, args) "{\"name\": \"" name "\", \"arguments\": " args "}"
#define PARIS "{\"city\": \"Paris\"}"

static const sample samples[] = {
    {"<tool_call>", "Hello, world.\n", "Hello, world.\n"},
    {"<tool_call>", "<tool_call>\n" CALL("weather", PARIS) "\n</tool_call>",
     "<weather {\"city\":\"Paris\"}>"},
    {"<tool_call>",
     "Let me see.\n\n<tool_call>" CALL("weather", PARIS) "</tool_call>\n<tool_call>" CALL(
         "clock", "{}") "</tool_call>\n",
     "Let me see.<weather {\"city\":\"Paris\"}><clock {}>"},
    {"<tool_call>", "<tool_call>" CALL("weather", "{\"city\":\"a</tool_call>b\"}") "</tool_call>",
     "<weather {\"city\":\"a</tool_call>b\"}>"},
    {"<tool_call>", "<tool_call>" CALL("weather", "\"{\\\"n\\\":1}\""), "<weather {\"n\":1}>"},
    {"<tool_call>", "a <tool_call>no call</tool_call> b", "a <tool_call>no call</tool_call> b"},
    {"<tool_call>", "1 < 2 <tool", "1 < 2 <tool"},
    {"<tool_call>", "<tool_call>" CALL("clock", "{}") "</tool_call>\n It is  noon, I think.",
     "<clock {}>It is  noon, I think."},
    {"<tool_call>",
     "<tool_call>\n<function=weather>\n<parameter=city>\n12\n</parameter>\n"
     "<parameter=n>\n7\n</parameter>\n</function>\n</tool_call>",
     "<weather {\"city\":\"12\",\"n\":7}>"},
    {"<tool_call>", "<tool_call><function=w><parameter=a>1</parameter><parameter=a>2</parameter>",
     "<tool_call><function=w><parameter=a>1</parameter><parameter=a>2</parameter>"},
    {"[TOOL_CALLS]", "[TOOL_CALLS] [" CALL("weather", PARIS) ", " CALL("clock", "{}") "]",
     "<weather {\"city\":\"Paris\"}><clock {}>"},
    {"[TOOL_CALLS]",
     "Yes.[TOOL_CALLS]weather[ARGS]{\"n\":[1,{}]}[TOOL_CALLS]clock[CALL_ID]x1[ARGS]{}",
     "Yes.<weather {\"n\":[1,{}]}><clock {}>"},
    {"[TOOL_CALLS]", "[TOOL_CALLS]weather[ARGS]{\"n\":", "[TOOL_CALLS]weather[ARGS]{\"n\":"},
    {D("calls" U "begin"),
     D("calls" U "begin") D("call" U "begin") "function" D(
         "sep") "weather\n```json\n" PARIS
                "\n```" D("call" U "end") "\n" D("call" U "begin") "function" D(
                    "sep") "clock\n```json\n{}\n```" D("call" U "end") D("calls" U "end"),
     "<weather {\"city\":\"Paris\"}><clock {}>"},
    {D("calls" U "begin"),
     "Hm." D("calls" U "begin") D("call" U "begin") "clock" D("sep") "{}" D("call" U "end")
         D("calls" U "end"),
     "Hm.<clock {}>"},
    {"<|python_tag|>", "{\"name\": \"weather\", \"parameters\": " PARIS "}",
     "<weather {\"city\":\"Paris\"}>"},
    {"<|python_tag|>",
     "<|python_tag|>{\"type\":\"function\",\"name\":\"clock\",\"parameters\":{}}; "
     "{\"name\":\"weather\",\"parameters\":{\"n\":1}}",
     "<clock {}><weather {\"n\":1}>"},
    {"<|python_tag|>", "{\"answer\": 42}", "{\"answer\": 42}"},
    {"<|START_ACTION|>",
     "<|START_ACTION|>[{\"tool_call_id\":\"0\",\"tool_name\":\"clock\","
     "\"parameters\":{}}]<|END_ACTION|>",
     "<clock {}>"},
    {"<|tool_call|>", "<|tool_call|>[" CALL("clock", "{}") "]<|/tool_call|>", "<clock {}>"},
    {"", "```json\n{\"tool_calls\":[" CALL("clock", "{}") "," CALL("weather", "{}") "]}\n```",
     "<clock {}><weather {}>"},
    {"", "{\"function\":{\"name\":\"clock\",\"arguments\":\"{}\"}}", "<clock {}>"},
    {"", CALL("unknown", "{}"), CALL("unknown", "{}")},
    {"", CALL("clock", "[1]"), CALL("clock", "[1]")},
    {"", CALL("clock", "{}") " and so on", CALL("clock", "{}") " and so on"},
    {"", "Plain. " CALL("clock", "{}"), "Plain. " CALL("clock", "{}")},
};

static void test_every_family_is_read(void) {
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        for (size_t step = 1; step < 400; step = step * 3 + 1) {
            buf out = BUF_INIT;
            parse(samples[i].sign, samples[i].answer, step, &out);
            const char *got = buf_cstr(&out);
            CHECK_MSG(strcmp(got, samples[i].want) == 0, "%s in steps of %zu: %s",
                      samples[i].answer, step, got);
            buf_free(&out);
        }
    }
}

/* What a forced answer begins with is the beginning of a call. */
static void test_openings_are_calls(void) {
    for (size_t i = 0; i < TOOLCALL_SIGNS; i++) {
        const tool_family *f = tool_family_of(str_of(toolcall_signs[i]));
        buf text = BUF_INIT, out = BUF_INIT;
        tool_opening(f, STR_LIT("clock"), &text);
        buf_text(&text, "{}");
        const char *open = buf_cstr(&text);
        const bool list = strchr(open, '[') && !strstr(open, "[TOOL_CALLS]\"");
        if (i > 0) buf_text(&text, list && strstr(open, "[{") ? "}]" : "}");
        parse(toolcall_signs[i], buf_cstr(&text), 7, &out);
        CHECK_MSG(strcmp(buf_cstr(&out), "<clock {}>") == 0, "%s: %s gives %s", tool_family_name(f),
                  buf_cstr(&text), buf_cstr(&out));
        buf_free(&text);
        buf_free(&out);
    }
}

static void test_a_stream_says_text_at_once(void) {
    buf out = BUF_INIT;
    const tool_sink sink = {on_text, on_call, &out};
    toolcall *t = toolcall_new(tool_family_of(STR_LIT("<tool_call>")), NULL);
    REQUIRE(t != NULL);
    CHECK(toolcall_feed(t, STR_LIT("One two"), &sink));
    CHECK_STR(buf_cstr(&out), "One two");
    CHECK(toolcall_feed(t, STR_LIT(" <to"), &sink));
    CHECK_STR(buf_cstr(&out), "One two");
    CHECK(toolcall_feed(t, STR_LIT("e> three"), &sink));
    CHECK_STR(buf_cstr(&out), "One two <toe> three");
    CHECK(tool_is_mark(toolcall_family(t), STR_LIT("</tool_call>")));
    CHECK(!tool_is_mark(toolcall_family(t), STR_LIT("<|im_end|>")));
    toolcall_free(t);
    buf_free(&out);
}

void suite_toolcall(void) {
    RUN(test_every_family_is_read);
    RUN(test_openings_are_calls);
    RUN(test_a_stream_says_text_at_once);
}
