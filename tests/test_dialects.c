/* test_dialects.c - what clients of other servers ask for, and how they are answered. */
#include <stdio.h>
#include <string.h>

#include "json/json.h"
#include "parrot.h"
#include "serving.h"
#include "test.h"

#define CHAT "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]"

static void test_openai_requests_are_answered(void) {
    static const exchange list[] = {
        {"/v1/completions",
         "{\"prompt\":\"Once upon a time\",\"max_tokens\":3,\"temperature\":0,\"logprobs\":0}", 200,
         "\"top_logprobs\":null,\"text_offset\":[0,1,7]},\"finish_reason\":\"length\"}"},
        {"/v1/completions", "{\"prompt\":\"Once\",\"logit_bias\":{\"261\":100},\"max_tokens\":2}",
         200, "\"text\":\" a a\""},
        {"/v1/chat/completions", CHAT ",\"max_completion_tokens\":2,\"max_tokens\":9}", 200,
         "\"completion_tokens\":2,"},
        {"/v1/chat/completions", CHAT ",\"ignore_eos\":true}", 200, "\"completion_tokens\":100,"},
        {"/v1/chat/completions", CHAT ",\"n\":3,\"max_tokens\":1}", 200,
         "{\"index\":2,\"message\""},
    };
    check_demo(NULL, list, sizeof list / sizeof *list);
}

static void test_openai_errors_have_their_shape(void) {
    static const exchange list[] = {
#define BAD(path, sent, part) {path, sent, 400, "{\"error\":{\"message\":\"" part}
        BAD("/v1/completions", "{\"prompt\":\"a\",\"logprobs\":21}",
            "field `logprobs` must be from"),
        BAD("/v1/completions", "{\"prompt\":\"a\",\"logprobs\":true}",
            "field `logprobs` must be a"),
        BAD("/v1/completions", "{\"prompt\":\"a\",\"logprobs\":1,\"echo\":true}",
            "field `logprobs`: the prompt's own"),
        BAD("/v1/completions", "{\"prompt\":\"a\",\"max_tokens\":\"9\"}",
            "field `max_tokens` must be"),
        BAD("/v1/completions", "{\"prompt\":[1],\"suffix\":\"b\"}", "field `suffix`: "),
        {"/v1/completions", "{\"prompt\":\"a\",\"suffix\":\"b\"}", 501,
         "this model has no tokens for filling in the middle"},
        {"/infill", "{\"input_prefix\":\"a\"}", 501, "no tokens for filling in the middle"},
        BAD("/infill", "{\"input_prefix\":5}", "field `input_prefix` must be a string"),
        BAD("/infill", "{\"input_extra\":5}", "field `input_extra` must be"),
        BAD("/v1/chat/completions", CHAT ",\"top_logprobs\":2}", "field `top_logprobs` needs"),
        BAD("/v1/chat/completions", CHAT ",\"logprobs\":3}", "field `logprobs` must be a boolean"),
        BAD("/v1/chat/completions", CHAT ",\"logprobs\":true,\"top_logprobs\":21}",
            "field `top_logprobs` must be from"),
        BAD("/v1/chat/completions", CHAT ",\"n\":0}", "field `n` must be from 1"),
#undef BAD
    };
    check_demo(NULL, list, sizeof list / sizeof *list);
}

/* The tokens that come with log probabilities spell the answer, and greedy takes the likeliest. */
static void check_logprobs(const json *list, str text) {
    buf spelled = BUF_INIT;
    CHECK(list && list->kind == JSON_ARRAY && list->n > 0);
    for (const json *t = list ? list->child : NULL; t; t = t->next) {
        const json *top = json_get(t, "top_logprobs"), *first = top ? top->child : NULL;
        const json *own = json_get(t, "logprob"), *best = json_get(first, "logprob");
        CHECK(top && top->n == 3 && own && best);
        if (!own || !best) break;
        CHECK_MSG(own->number <= 0 && own->number == best->number, "%g, %g", own->number,
                  best->number);
        CHECK(json_get(first->next, "logprob")->number <= best->number);
        buf_str(&spelled, json_get(t, "token")->text);
    }
    CHECK_STR(buf_cstr(&spelled), text.p);
    buf_free(&spelled);
}

static void test_log_probabilities_come_with_their_tokens(void) {
    static const char request[] =
        CHAT ",\"max_tokens\":6,\"temperature\":0,\"logprobs\":true,\"top_logprobs\":3,\"stream\":";
    running r;
    buf b = BUF_INIT, sent = BUF_INIT, text = BUF_INIT, all = BUF_INIT;
    arena a = ARENA_INIT;
    json *root = NULL;
    if (!make_server(&r, NULL)) return;
    start_server(&r);
    buf_printf(&sent, "%sfalse}", request);
    const char *body = body_of(ask_post(&r, &b, "/v1/chat/completions", buf_cstr(&sent)));
    CHECK_MSG(json_parse(&root, str_of(body), &a, NULL) == RZ_OK, "%s", body);
    const json *choice = json_get(root, "choices");
    choice = choice ? choice->child : NULL;
    const json *content = json_get(json_get(choice, "message"), "content");
    CHECK(content != NULL);
    buf_str(&text, content ? content->text : STR_LIT(""));
    buf_char(&text, 0);
    check_logprobs(json_get(json_get(choice, "logprobs"), "content"), buf_view(&text));
    buf_clear(&sent);
    buf_printf(&sent, "%strue}", request);
    const char *p = ask_post(&r, &b, "/v1/chat/completions", buf_cstr(&sent));
    buf_char(&all, '[');
    for (const char *at = p; (at = strstr(at, "\"logprobs\":{\"content\":[")) != NULL;) {
        at += strlen("\"logprobs\":{\"content\":[");
        const char *end = strstr(at, "],\"refusal\"");
        if (all.len > 1) buf_char(&all, ',');
        buf_add(&all, at, end ? (size_t)(end - at) : 0);
    }
    buf_char(&all, ']');
    CHECK(json_parse(&root, buf_view(&all), &a, NULL) == RZ_OK && root->n == 6);
    check_logprobs(root, buf_view(&text));
    stop_server(&r);
    arena_free(&a);
    buf_free(&b);
    buf_free(&sent);
    buf_free(&text);
    buf_free(&all);
}

/* ---- tools ---- */

#define TOOLS                                                                              \
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"parameters\":" \
    "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}}"              \
    ",{\"type\":\"function\",\"function\":{\"name\":\"clock\"}}]"
#define ASK "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],"

static const char hermes[] =
    "{%- for t in tools or [] %}<tools>{{ t | tojson }}</tools>{% endfor %}"
    "{%- for m in messages %}[{{ m.role }}]{{ m.content }}"
    "{%- for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}"
    "{%- endfor %}[assistant]";

/* A server whose model says these words. */
static bool serve_parrot(running *r, const char *chat_template, const char *const *say, size_t n) {
    const char *path = test_temp("parrot.gguf");
    err e;
    CHECK_MSG(parrot_write(path, chat_template, say, n, &e) == RZ_OK, "%s", e.text);
    if (!make_from(r, path)) return false;
    start_server(r);
    return true;
}

static void test_tool_calls_are_read_back(void) {
    static const char *const say[] = {"Let me see.",
                                      "\n\n",
                                      "<tool_call>\n{\"name\": \"weather\",",
                                      " \"arguments\": {\"city\": \"Paris\"}}",
                                      "\n</tool_call>",
                                      "\n<tool_call>{\"name\":\"clock\"}",
                                      "</tool_call>"};
    static const exchange list[] = {
        {"/v1/chat/completions", ASK TOOLS "}", 200,
         "\"content\":\"Let me see.\",\"tool_calls\":[{\"id\":\""},
        {"/v1/chat/completions", ASK TOOLS "}", 200,
         "\"type\":\"function\",\"function\":{\"name\":\"weather\",\"arguments\":\"{\\\"city\\\":"
         "\\\"Paris\\\"}\"}},{\"id\":\""},
        {"/v1/chat/completions", ASK TOOLS "}", 200,
         "\"function\":{\"name\":\"clock\",\"arguments\":\"{}\"}}]},\"logprobs\":null,"
         "\"finish_reason\":\"tool_calls\"}"},
        {"/v1/chat/completions", ASK TOOLS ",\"parallel_tool_calls\":false}", 200,
         "\\\"Paris\\\"}\"}}]},"},
        {"/v1/chat/completions", ASK TOOLS ",\"tool_choice\":\"none\"}", 200,
         "\"content\":\"Let me see.\\n\\n<tool_call>"},
        {"/v1/chat/completions", ASK "\"tools\":[]}", 200, "\"finish_reason\":\"stop\""},
        {"/v1/chat/completions", ASK TOOLS ",\"stream\":true}", 200,
         "\"delta\":{\"content\":\"Let me see.\"}"},
        {"/v1/chat/completions", ASK TOOLS ",\"stream\":true}", 200,
         "\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\""},
        {"/v1/chat/completions", ASK TOOLS ",\"stream\":true}", 200,
         "\"delta\":{},\"logprobs\":null,\"finish_reason\":\"tool_calls\""},
        {"/apply-template", ASK TOOLS "}", 200, "{\"prompt\":\"<tools>{\\\"type\\\": \\\"function"},
        {"/apply-template", ASK TOOLS ",\"tool_choice\":\"required\"}", 200,
         "[user]Hi[assistant]<tool_call>\\n{\\\"name\\\": \\\"\"}"},
        {"/apply-template",
         ASK TOOLS ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"clock\"}}}",
         200, "{\\\"name\\\": \\\"clock\\\", \\\"arguments\\\": \"}"},
        {"/v1/chat/completions", ASK "\"tools\":{}}", 400, "field `tools` must be an array"},
        {"/v1/chat/completions", ASK "\"tools\":[1]}", 400, "`tools[0].function.name` must be"},
        {"/v1/chat/completions", ASK "\"tools\":[{\"type\":\"web\"}]}", 400,
         "`tools[0].type` must"},
        {"/v1/chat/completions", ASK TOOLS ",\"tool_choice\":\"maybe\"}", 400,
         "field `tool_choice` must be"},
        {"/v1/chat/completions",
         ASK TOOLS ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"x\"}}}", 400,
         "field `tool_choice`: there is no tool \\\"x\\\""},
        {"/v1/chat/completions", ASK "\"tool_choice\":\"required\"}", 400, "needs `tools`"},
    };
    running r;
    if (!serve_parrot(&r, hermes, say, sizeof say / sizeof *say)) return;
    check_exchanges(&r, list, sizeof list / sizeof *list);
    stop_server(&r);
}

/* A forced answer has begun before the model says its first word. */
static void test_a_forced_call_is_completed(void) {
    static const char *const say[] = {"{\"city\": \"Rome\"}", "}\n</tool_call>"};
    static const exchange list[] = {
        {"/v1/chat/completions",
         ASK TOOLS ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"weather\"}}}",
         200, "\"function\":{\"name\":\"weather\",\"arguments\":\"{\\\"city\\\":\\\"Rome\\\"}\"}"},
        {"/v1/chat/completions",
         ASK TOOLS ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"weather\"}},"
                   "\"stream\":true}",
         200, "\"arguments\":\"{\\\"city\\\":\\\"Rome\\\"}\"}}]}"},
    };
    running r;
    if (!serve_parrot(&r, hermes, say, sizeof say / sizeof *say)) return;
    check_exchanges(&r, list, sizeof list / sizeof *list);
    stop_server(&r);
}

static void test_templates_without_tools_are_told_of_them(void) {
    static const char bare[] = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}";
    static const char *const say[] = {"[{\"name\":\"clock\",\"arguments\":{}},",
                                      "{\"name\":\"weather\",\"arguments\":{}}]"};
    static const exchange list[] = {
        {"/v1/chat/completions", ASK TOOLS "}", 200,
         "\"message\":{\"role\":\"assistant\",\"content\":null,"},
        {"/v1/chat/completions", ASK TOOLS "}", 200,
         "\"name\":\"weather\",\"arguments\":\"{}\"}}]}"},
        {"/apply-template", ASK TOOLS "}", 200, "{\"prompt\":\"[system]You can call tools."},
        {"/apply-template",
         "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
         "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\",\"function\":"
         "{\"name\":\"clock\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"content\":\"12\"}]"
         "," TOOLS "}",
         200, "{\"prompt\":\"[system]Be brief.\\n\\nYou can call tools."},
        {"/apply-template",
         "{\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\","
         "\"function\":{\"name\":\"clock\",\"arguments\":\"{}\"}}]},"
         "{\"role\":\"tool\",\"content\":\"12\"}]}",
         200,
         "[assistant][{\\\"name\\\": \\\"clock\\\", \\\"arguments\\\": {}}][user]The tool answers: "
         "12"},
    };
    running r;
    if (!serve_parrot(&r, bare, say, sizeof say / sizeof *say)) return;
    check_exchanges(&r, list, sizeof list / sizeof *list);
    stop_server(&r);
}

/* ---- Ollama ---- */

static const char *const calling[] = {"Let me see.", "\n\n", "<tool_call>\n{\"name\": \"weather\",",
                                      " \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>"};

#define FORM                                                                               \
    "POST /api/generate HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n" \
    "Content-Type: application/x-www-form-urlencoded\r\n"

static void test_ollama_requests_are_answered(void) {
    static const exchange list[] = {
        {"/api/version", NULL, 200, "{\"version\":\""},
        {"/api/tags", NULL, 200,
         "{\"models\":[{\"name\":\"default\",\"model\":\"default\",\"modified_at\":\"2"},
        {"/api/tags", NULL, 200,
         "\"details\":{\"parent_model\":\"\",\"format\":\"gguf\",\"family\":\"llama\""},
        {"/api/ps", NULL, 200, "\"size_vram\":0,\"context_length\":4096,"},
        {"/api/show", "{\"model\":\"default:latest\"}", 200, "\"llama.context_length\":4096,"},
        {"/api/show", "{\"model\":\"other\"}", 404, "{\"error\":\"model 'other' not found\"}"},
        {"/api/generate", "{\"model\":\"default\"}", 200,
         "\"response\":\"\",\"done\":true,\"done_reason\":\"load\"}"},
        {"/api/generate", "{\"prompt\":\"Hi\",\"stream\":false}", 200,
         "\"response\":\"Let me see.\\n\\n<tool_call>"},
        {"/api/generate", "{\"prompt\":\"Hi\",\"raw\":true,\"system\":\"x\",\"stream\":false}", 200,
         "\"prompt_eval_count\":6,"},
        {"/api/generate", "{\"prompt\":\"Hi\",\"options\":{\"num_predict\":2}}", 200,
         "\"response\":\"Let me see.\",\"done\":false}\n"},
        {"/api/generate", "{\"prompt\":\"Hi\",\"options\":{\"num_predict\":2}}", 200,
         "\"done\":true,\"done_reason\":\"length\",\"total_duration\":"},
        {"/api/chat", "{\"messages\":[]}", 200, "\"done_reason\":\"load\""},
        {"/api/chat", ASK "\"stream\":false}", 200,
         "\"message\":{\"role\":\"assistant\",\"content\":\"Let me"},
        {"/api/chat", ASK TOOLS ",\"stream\":false}", 200,
         "\"content\":\"Let me see.\",\"tool_calls\":[{\"function\":{\"name\":\"weather\","
         "\"arguments\":{\"city\":\"Paris\"}}}]}"},
        {"/api/chat", ASK TOOLS "}", 200,
         "\"message\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{"
         "\"name\":"
         "\"weather\",\"arguments\":{\"city\":\"Paris\"}}}]},\"done\":false}\n"},
        {"/api/chat", ASK "\"options\":{\"stop\":[\"see\"]},\"stream\":false}", 200,
         "\"content\":\"Let me \"},\"done\":true,\"done_reason\":\"stop\""},
        {"/api/chat", ASK "\"options\":{\"temperature\":\"hot\"}}", 400,
         "{\"error\":\"options: field `temperature`"},
        {"/api/chat", ASK "\"options\":7}", 400, "{\"error\":\"field `options` must be an object"},
        {"/api/chat", ASK "\"format\":\"yaml\"}", 400, "{\"error\":\"field `format`"},
        {"/api/generate", "{\"prompt\":\"a\",\"suffix\":\"b\"}", 501,
         "{\"error\":\"this model has no tokens"},
        {"/api/generate", "{\"prompt\":\"a\",\"images\":[\"x\"]}", 400,
         "{\"error\":\"field `images`"},
        {"/api/generate", "{\"prompt\":4}", 400, "{\"error\":\"field `prompt` must be a string"},
    };
    running r;
    if (!serve_parrot(&r, hermes, calling, sizeof calling / sizeof *calling)) return;
    check_exchanges(&r, list, sizeof list / sizeof *list);
    /* As curl -d sends it, and as a page elsewhere could without being asked. */
    buf b = BUF_INIT;
    CHECK(status_of(ask(&r, &b, FORM "\r\n{}")) == 200);
    CHECK(status_of(ask(&r, &b, FORM "Origin: http://example.org\r\n\r\n{}")) == 415);
    buf_free(&b);
    stop_server(&r);
}

/* ---- Anthropic ---- */

#define MESSAGES "{\"max_tokens\":50,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define USES                                                                                  \
    ",\"tools\":[{\"name\":\"weather\",\"input_schema\":{\"type\":\"object\",\"properties\":" \
    "{\"city\":{\"type\":\"string\"}}}}]"
#define SAYS(text) \
    "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"" text

static void test_anthropic_requests_are_answered(void) {
    static const exchange list[] = {
        {"/v1/messages", MESSAGES "}", 200, "{\"id\":\"msg_"},
        {"/v1/messages", MESSAGES "}", 200,
         "\"content\":[{\"type\":\"text\",\"text\":\"Let me see.\\n\\n<tool_call>"},
        {"/v1/messages", MESSAGES "}", 200,
         "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":"},
        {"/v1/messages", MESSAGES USES "}", 200,
         "[{\"type\":\"text\",\"text\":\"Let me see.\"},{\"type\":\"tool_use\",\"id\":\""},
        {"/v1/messages", MESSAGES USES "}", 200,
         "\"name\":\"weather\",\"input\":{\"city\":\"Paris\"}}],\"stop_reason\":\"tool_use\""},
        {"/v1/messages", MESSAGES USES ",\"tool_choice\":{\"type\":\"none\"}}", 200,
         "\"stop_reason\":\"end_turn\""},
        {"/v1/messages", MESSAGES ",\"stop_sequences\":[\"see\"]}", 200, "\"text\":\"Let me \"}]"},
        {"/v1/messages", MESSAGES USES ",\"stream\":true}", 200,
         "event: message_start\ndata: {\"type\":\"message_start\","},
        {"/v1/messages", MESSAGES USES ",\"stream\":true}", 200,
         "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Let me see.\"}}\n\n"},
        {"/v1/messages", MESSAGES USES ",\"stream\":true}", 200,
         "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: "
         "content_block_start\n"
         "data: "
         "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\""},
        {"/v1/messages", MESSAGES USES ",\"stream\":true}", 200,
         "\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"city\\\":\\\"Paris\\\"}"
         "\"}}"},
        {"/v1/messages", MESSAGES USES ",\"stream\":true}", 200,
         "\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"output_"
         "tokens\":4}}\n\nevent: "
         "message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
        {"/v1/messages",
         "{\"max_tokens\":1,\"system\":[{\"type\":\"text\",\"text\":\"Be brief.\"}],\"messages\":["
         "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]},"
         "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":"
         "\"clock\",\"input\":{}}]},"
         "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\","
         "\"content\":\"12\"}]}]}",
         200, "\"stop_reason\":\"max_tokens\""},
        {"/v1/messages/count_tokens", "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
         200, "{\"input_tokens\":"},
        {"/v1/messages", "{\"messages\":[]}", 400, SAYS("max_tokens: field required")},
        {"/v1/messages", "{\"max_tokens\":5}", 400, SAYS("missing field `messages`")},
        {"/v1/messages", "{\"max_tokens\":0,\"messages\":[]}", 400,
         SAYS("field `max_tokens` must be from 1")},
        {"/v1/messages", MESSAGES ",\"temperature\":\"x\"}", 400,
         SAYS("field `temperature` must be a number")},
        {"/v1/messages", MESSAGES ",\"tools\":[{}]}", 400, SAYS("tools: every tool needs a name")},
        {"/v1/messages", MESSAGES USES ",\"tool_choice\":{\"type\":\"x\"}}", 400,
         SAYS("tool_choice: type must be")},
        {"/v1/messages",
         "{\"max_tokens\":5,\"messages\":[{\"role\":\"system\",\"content\":\"a\"}]}", 400,
         SAYS("messages: role must")},
        {"/v1/messages",
         "{\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}]}",
         400, SAYS("messages: blocks of type \\\"image\\\"")},
        {"/v1/messages", "[", 400, SAYS("Failed to parse")},
    };
    running r;
    if (!serve_parrot(&r, hermes, calling, sizeof calling / sizeof *calling)) return;
    check_exchanges(&r, list, sizeof list / sizeof *list);
    stop_server(&r);
}

/* ---- Responses, and llama-server's introspection ---- */

#define INPUT "{\"input\":\"Hi\""
#define FLAT ",\"tools\":[{\"type\":\"function\",\"name\":\"weather\",\"parameters\":{}}]"

static void test_responses_are_given(void) {
    static const exchange list[] = {
        {"/props", NULL, 200, "\"default_generation_settings\":{\"n_ctx\":4096,"},
        {"/slots", NULL, 200, "[]"},
        {"/v1/responses", INPUT "}", 200, "\"object\":\"response\",\"created_at\":"},
        {"/v1/responses", INPUT "}", 200, "\"text\":\"Let me see.\\n\\n<tool_call>"},
        {"/v1/responses", INPUT ",\"max_output_tokens\":1}", 200,
         "\"status\":\"incomplete\",\"error\":null,\"incomplete_details\":{\"reason\":"},
        {"/v1/responses", INPUT FLAT "}", 200,
         "\"text\":\"Let me see.\"}]},{\"type\":\"function_call\""},
        {"/v1/responses", INPUT FLAT "}", 200,
         "\"name\":\"weather\",\"arguments\":\"{\\\"city\\\":\\\"Paris\\\"}\",\"status\":"
         "\"completed\"}]"},
        {"/v1/responses", INPUT FLAT ",\"stream\":true}", 200,
         "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,"},
        {"/v1/responses", INPUT FLAT ",\"stream\":true}", 200, "\"delta\":\"Let me see.\"}"},
        {"/v1/responses", INPUT FLAT ",\"stream\":true}", 200,
         "\"type\":\"response.function_call_arguments.done\",\"sequence_number\":10,\"output_"
         "index\":1,"},
        {"/v1/responses", INPUT FLAT ",\"stream\":true}", 200, "event: response.completed\n"},
        {"/v1/responses",
         "{\"instructions\":\"Be brief.\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":"
         "\"input_text\",\"text\":\"Hi\"}]},{\"type\":\"function_call\",\"call_id\":\"a\",\"name\":"
         "\"clock\",\"arguments\":\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"a\","
         "\"output\":\"12\"}]}",
         200, "\"status\":\"completed\""},
        {"/v1/responses", "{}", 400, "{\"error\":{\"message\":\"field `input` must be"},
        {"/v1/responses", "{\"input\":[{\"type\":\"x\"}]}", 400, "items of type \\\"x\\\""},
        {"/v1/responses", INPUT ",\"previous_response_id\":\"x\"}", 400, "responses are not kept"},
        {"/v1/responses", INPUT ",\"tools\":[{\"type\":\"web_search\"}]}", 400,
         "field `tools`: only"},
        {"/v1/responses", INPUT ",\"max_output_tokens\":0}", 400, "must be from 1"},
    };
    running r;
    if (!serve_parrot(&r, hermes, calling, sizeof calling / sizeof *calling)) return;
    check_exchanges(&r, list, sizeof list / sizeof *list);
    stop_server(&r);
}

/* ---- the middle ---- */

/* The words follow each other, so an answer behind the mark of the middle begins with the third. */
static void test_the_middle_is_filled_in(void) {
    static const char *const say[] = {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>",
                                      "the middle", "<|file_sep|>"};
    static const char *const suffix_first[] = {"[SUFFIX]", "[PREFIX]", "the middle"};
    static const exchange list[] = {
        {"/infill", "{\"input_prefix\":\"ab\",\"input_suffix\":\"c\",\"n_predict\":1}", 200,
         "{\"index\":0,\"content\":\"the middle\",\"stop\":true,\"model\":\"default\","
         "\"tokens_predicted\":1,\"tokens_evaluated\":13,"},
        {"/infill", "{\"n_predict\":1}", 200, "\"tokens_evaluated\":4,"},
        {"/infill",
         "{\"input_prefix\":\"a\",\"input_extra\":[{\"filename\":\"f\",\"text\":\"t\"}],"
         "\"n_predict\":1}",
         200, "\"content\":\"the middle\""},
        {"/infill", "{\"input_prefix\":\"a\",\"n_predict\":1,\"stream\":true}", 200,
         "data: {\"index\":0,\"content\":\"the middle\",\"stop\":false}\n\n"},
        {"/infill", "{\"input_prefix\":\"a\",\"n_predict\":1,\"stream\":true}", 200,
         "data: {\"index\":0,\"content\":\"\",\"stop\":true,"},
        /* Marks in the user's text are text: without the special ones every byte is a token. */
        {"/infill", "{\"input_prefix\":\"<|fim_middle|>\",\"n_predict\":1}", 200,
         "\"content\":\"the middle\""},
        {"/v1/completions", "{\"prompt\":\"a\",\"suffix\":\"b\",\"max_tokens\":1}", 200,
         "\"text\":\"the middle\""},
        {"/v1/completions", "{\"prompt\":\"a\",\"suffix\":\"\",\"max_tokens\":1}", 200,
         "\"text\":\"<|fim_prefix|>\""},
        {"/api/generate",
         "{\"prompt\":\"a\",\"suffix\":\"b\",\"stream\":false,\"options\":{\"num_predict\":1}}",
         200, "\"response\":\"the middle\""},
    };
    static const exchange last[] = {
        {"/infill", "{\"input_suffix\":\"c\",\"n_predict\":1}", 200, "\"content\":\"the middle\""},
    };
    running r;
    if (!serve_parrot(&r, NULL, say, sizeof say / sizeof *say)) return;
    check_exchanges(&r, list, sizeof list / sizeof *list);
    stop_server(&r);
    if (!serve_parrot(&r, NULL, suffix_first, sizeof suffix_first / sizeof *suffix_first)) return;
    check_exchanges(&r, last, 1);
    stop_server(&r);
}

void suite_dialects(void) {
    RUN(test_openai_requests_are_answered);
    RUN(test_openai_errors_have_their_shape);
    RUN(test_log_probabilities_come_with_their_tokens);
    RUN(test_tool_calls_are_read_back);
    RUN(test_a_forced_call_is_completed);
    RUN(test_templates_without_tools_are_told_of_them);
    RUN(test_ollama_requests_are_answered);
    RUN(test_anthropic_requests_are_answered);
    RUN(test_responses_are_given);
    RUN(test_the_middle_is_filled_in);
}
