/* test_jinja.c - the template engine by itself: what it prints, how it refuses, and that no
 * template takes more than it may. tests/e2e/jinja_peer.py compares with another implementation. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "test.h"
#include "tokenizer/jinja.h"

/* The text, or the error. Good until the next few calls. */
static const char *with(const char *template, const char *vars, const jinja_limits *lim) {
    static char shown[4][1024];
    static int turn;
    char *to = shown[turn++ % 4];
    arena a = ARENA_INIT;
    json *root = NULL;
    jinja *t = NULL;
    buf out = BUF_INIT;
    err e = {0};
    to[0] = 0;
    CHECK(json_parse(&root, str_of(vars), &a, &e) == RZ_OK);
    status got = jinja_compile(&t, str_of(template), &e);
    if (got == RZ_OK) got = jinja_render(t, root, lim, &out, &e);
    snprintf(to, sizeof shown[0], "%s", got == RZ_OK ? buf_cstr(&out) : e.text);
    if (got < 0) CHECK(out.len == 0);
    jinja_free(t);
    buf_free(&out);
    arena_free(&a);
    return to;
}

static const char *render(const char *template, const char *vars) {
    const jinja_limits lim = JINJA_LIMITS_DEFAULT;
    return with(template, vars, &lim);
}

static void test_a_chat_is_rendered(void) {
    CHECK_STR(
        render("{% for m in messages %}<|{{ m.role }}|>{{ m['content'] | trim }}\n"
               "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
               "{\"messages\":[{\"role\":\"user\",\"content\":\" hi \"},"
               "{\"role\":\"assistant\",\"content\":\"yo\"}],\"add_generation_prompt\":true}"),
        "<|user|>hi\n<|assistant|>yo\n<|assistant|>");
}

static void test_white_space_goes_as_transformers_sets_it_up(void) {
    CHECK_STR(render("a\n  {% if 1 %}\n b\n  {% endif %}\nc\n", "{}"), "a\n b\nc");
    CHECK_STR(render("a {{- 1 -}}  b", "{}"), "a1b");
    CHECK_STR(render("  {%+ if 1 +%}\nx{% endif %}", "{}"), "  \nx");
    CHECK_STR(render("{# c #}\n{{ 1 }}\n\n", "{}"), "1\n");
}

static void test_values_print_as_in_python(void) {
    CHECK_STR(render("{{ [1, 2.0, 'a', none, true, {'k': (1,)}] }}", "{}"),
              "[1, 2.0, 'a', None, True, {'k': (1,)}]");
    CHECK_STR(
        render("{{ x }} {{ 1e16 }} {{ 0.1 }} {{ 1e-5 }} {{ -0.0 }} {{ 100.0 }}", "{\"x\":1e22}"),
        "1e+22 1e+16 0.1 1e-05 -0.0 100.0");
    CHECK_STR(render("{{ x | tojson }}", "{\"x\":{\"a\":[1,2.50,\"\\u00e9\\n\"]}}"),
              "{\"a\": [1, 2.5, \"\xC3\xA9\\n\"]}");
}

static void test_a_namespace_outlives_the_loop_and_a_variable_does_not(void) {
    CHECK_STR(render("{% set ns = namespace(n=0) %}{% set n = 0 %}{% for i in [1, 2] %}"
                     "{% set ns.n = ns.n + i %}{% set n = n + i %}{% endfor %}{{ ns.n }}{{ n }}",
                     "{}"),
              "30");
}

static void test_errors_name_the_line(void) {
    CHECK_STR(render("a\n{{ 1 + }}", "{}"), "template line 2: expected an expression, found '}}'");
    CHECK_STR(render("{% if x %}", "{}"),
              "template line 1: a tag was not closed, found 'the end of the template'");
    CHECK_STR(render("\n\n{{ raise_exception('roles\nmust alternate') }}", "{}"),
              "chat template line 3: roles must alternate");
    CHECK_STR(render("{{ a.b.c }}", "{\"a\":{}}"), "chat template line 1: 'b' is undefined");
    CHECK_STR(render("{{ x | shout }}", "{}"), "chat template line 1: No filter named 'shout'.");
    CHECK_STR(render("{% include 'x' %}", "{}"),
              "template line 1: unknown or unsupported tag, found 'include'");
    CHECK_STR(render("{{ 'a' }", "{}"), "template line 1: brackets do not match");
    CHECK_STR(render("{{ 9223372036854775807 + 1 }}", "{}"),
              "chat template line 1: the number is too large");
}

static void test_a_template_cannot_reach_out_or_change_its_input(void) {
    CHECK_STR(render("{{ ''.__class__ }}|{{ l.append(1) }}", "{\"l\":[]}"),
              "chat template line 1: 'append' is undefined");
    CHECK_STR(render("{% set d.x = 1 %}", "{\"d\":{}}"),
              "chat template line 1: cannot assign attribute on non-namespace object");
}

static void test_time_memory_and_text_are_bounded(void) {
    const jinja_limits lim = {.memory = 16 << 20, .output = 1 << 16, .steps = 100000};
    CHECK_STR(with("{% for i in range(1000000000) %}{% endfor %}", "{}", &lim),
              "chat template line 1: the template runs for too long");
    CHECK_STR(with("{% for i in range(999) %}{% for j in range(999) %}{% endfor %}{% endfor %}",
                   "{}", &lim),
              "chat template line 1: the template runs for too long");
    CHECK_STR(with("{{ 'x' * 100000 }}", "{}", &lim),
              "chat template line 1: the template needs too much memory");
    CHECK_STR(with("{% for i in range(900) %}0123456789012345678901234567890123456789"
                   "0123456789012345678901234567890123456789{% endfor %}",
                   "{}", &lim),
              "chat template line 1: the text grows too long");
    CHECK_STR(with("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{}", &lim),
              "chat template line 1: nested too deeply");
    CHECK_STR(with("{% set x = namespace(s='ab') %}{% for i in range(60) %}"
                   "{% set x.s = x.s + x.s %}{% endfor %}",
                   "{}", &lim),
              "chat template line 1: the template needs too much memory");
}

static void test_deep_nesting_is_refused_when_compiling(void) {
    char text[2048] = "{{ ";
    for (int i = 0; i < 900; i++) strcat(text, "(");
    CHECK(strstr(render(text, "{}"), "nested too deeply") != NULL);
    strcpy(text, "{{ 1");
    for (int i = 0; i < 900; i++) strcat(text, "+1");
    strcat(text, " }}");
    CHECK_STR(render(text, "{}"), "chat template line 1: nested too deeply");
}

static void test_without_memory_it_ends_with_an_error(void) {
    for (long n = 1; n < 60; n++) {
        const jinja_limits lim = JINJA_LIMITS_DEFAULT;
        arena a = ARENA_INIT;
        json *root = NULL;
        jinja *t = NULL;
        buf out = BUF_INIT;
        REQUIRE(json_parse(&root, STR_LIT("{\"l\":[1,2]}"), &a, NULL) == RZ_OK);
        mem_fail_at(n);
        status got = jinja_compile(
            &t, STR_LIT("{% for x in l %}{{ x ~ 'a' | upper }}{{ l | tojson }}{% endfor %}"), NULL);
        if (got == RZ_OK) got = jinja_render(t, root, &lim, &out, NULL);
        mem_fail_at(0);
        CHECK_MSG(got == RZ_OK ? out.len == 16 : out.len == 0, "allocation %ld", n);
        jinja_free(t);
        buf_free(&out);
        arena_free(&a);
    }
}

void suite_jinja(void) {
    RUN(test_a_chat_is_rendered);
    RUN(test_white_space_goes_as_transformers_sets_it_up);
    RUN(test_values_print_as_in_python);
    RUN(test_a_namespace_outlives_the_loop_and_a_variable_does_not);
    RUN(test_errors_name_the_line);
    RUN(test_a_template_cannot_reach_out_or_change_its_input);
    RUN(test_time_memory_and_text_are_bounded);
    RUN(test_deep_nesting_is_refused_when_compiling);
    RUN(test_without_memory_it_ends_with_an_error);
}
