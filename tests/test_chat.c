/* test_chat.c - where a chat template is found, and what it is given. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "test.h"
#include "tokenizer/chat.h"

/* A checkpoint folder that holds this file, or none. */
static void folder_with(tensor_file *f, const char *name, const char *text) {
    static char folder[512];
    static int n;
    char sub[32];
    err e;
    snprintf(sub, sizeof sub, "chat%d", n++);
    snprintf(folder, sizeof folder, "%s", test_temp(sub));
    CHECK(os_make_folder(folder, &e) == RZ_OK);
    *f = (tensor_file){.path = "model.safetensors", .folder = folder};
    if (!name) return;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK(os_write_file(path, text, strlen(text), &e) == RZ_OK);
}

/* The prompt, or the error; good until the next few calls. */
static const char *render(const tensor_file *f, const char *request) {
    static char shown[4][1024];
    static int turn;
    char *to = shown[turn++ % 4];
    arena a = ARENA_INIT;
    json *root = NULL;
    chat *c = NULL;
    buf out = BUF_INIT;
    err e = {0};
    to[0] = 0;
    if (chat_open(&c, f, NULL, &e) != RZ_OK || json_parse(&root, str_of(request), &a, &e) != RZ_OK)
        CHECK_STR(e.text, "");
    else
        snprintf(to, sizeof shown[0], "%s",
                 chat_render(c, root, &out, &e) == RZ_OK ? buf_cstr(&out) : e.text);
    chat_close(c);
    buf_free(&out);
    arena_free(&a);
    return to;
}

static const char *from_of(const tensor_file *f) {
    chat *c = NULL;
    const char *from = "";
    if (chat_open(&c, f, NULL, NULL) == RZ_OK) chat_source(c, &from);
    chat_close(c);
    return from;
}

#define HELLO "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"

static void test_a_checkpoint_brings_its_template(void) {
    tensor_file f;
    folder_with(&f, NULL, NULL);
    CHECK_STR(from_of(&f), "built-in role lines");
    CHECK_STR(render(&f, HELLO), "<|user|>\nhello\n<|assistant|>\n");
    folder_with(&f, "tokenizer_config.json", "{\"chat_template\":\"[{{ messages[0].content }}]\"}");
    CHECK_STR(from_of(&f), "tokenizer_config.json");
    CHECK_STR(render(&f, HELLO), "[hello]");
    folder_with(&f, "tokenizer_config.json",
                "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"tools\"},"
                "{\"name\":\"default\",\"template\":\"plain\"}]}");
    CHECK_STR(render(&f, HELLO), "plain");
    folder_with(&f, "chat_template.jinja", "<{{ messages[0].role }}>");
    CHECK_STR(from_of(&f), "chat_template.jinja");
    CHECK_STR(render(&f, HELLO), "<user>");
}

static void test_requests_come_as_templates_expect_them(void) {
    tensor_file f;
    folder_with(&f, "chat_template.jinja",
                "{% for m in messages %}{{ m.content }}|{% for c in m.tool_calls or [] %}"
                "{{ c.function.arguments.city }}{% endfor %}{% endfor %}"
                "{{ add_generation_prompt }}{{ tools }}{{ bos_token }}{{ extra }}");
    CHECK_STR(render(&f,
                     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
                     "\"a\"},{\"type\":\"text\",\"text\":\"b\"}]},{\"role\":\"assistant\","
                     "\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"f\","
                     "\"arguments\":\"{\\\"city\\\":\\\"Bern\\\"}\"}}]}],\"extra\":7}"),
              "a\nb|None|BernTrueNone7");
    CHECK_STR(render(&f,
                     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}],"
                     "\"add_generation_prompt\":false}"),
              "[{'type': 'image'}]|FalseNone");
}

static void test_what_is_wrong_is_said(void) {
    tensor_file f;
    folder_with(&f, "chat_template.jinja", "{% if %}");
    CHECK_STR(render(&f, HELLO),
              "the chat template of chat_template.jinja cannot be used: "
              "template line 1: expected an expression, found '%}'");
    folder_with(&f, NULL, NULL);
    CHECK_STR(render(&f, "{}"), "`messages` must be a list of at least one message");
    CHECK_STR(render(&f, "{\"messages\":[{\"content\":\"x\"}]}"),
              "messages[0] must be an object with a text `role`");
    CHECK_STR(render(&f, "{\"messages\":[{\"role\":\"user\",\"content\":1}]}"),
              "messages[0].content must be a text or a list, not number");
    folder_with(&f, "tokenizer_config.json", "{\"chat_template\":");
    CHECK_STR(from_of(&f), "built-in role lines");
}

void suite_chat(void) {
    RUN(test_a_checkpoint_brings_its_template);
    RUN(test_requests_come_as_templates_expect_them);
    RUN(test_what_is_wrong_is_said);
}
