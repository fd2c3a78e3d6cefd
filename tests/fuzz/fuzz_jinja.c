/* fuzz_jinja.c - any bytes as a chat template, rendered with a small conversation and small limits:
 * it ends with a text inside its limit or with one line of error. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tokenizer/jinja.h"

static const char vars[] =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"a \\u00e9\\n\"},{\"role\":\"assistant\","
    "\"content\":null,\"tool_calls\":[{\"id\":\"x\",\"function\":{\"name\":\"f\",\"arguments\":"
    "{\"k\":[1,2.5,true]}}}]}],\"tools\":[{\"type\":\"function\",\"n\":-3}],\"n\":7,\"s\":\"text\","
    "\"l\":[3,1,2],\"add_generation_prompt\":true}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const jinja_limits lim = {.memory = 4 << 20, .output = 1 << 20, .steps = 200000};
    arena a = ARENA_INIT;
    json *root = NULL;
    jinja *t = NULL;
    buf out = BUF_INIT;
    err e = {0};
    if (json_parse(&root, STR_LIT(vars), &a, &e) < 0) abort();
    status got = jinja_compile(&t, (str){(const char *)data, size}, &e);
    if (got == RZ_OK) got = jinja_render(t, root, &lim, &out, &e);
    if (got < 0 && (out.len || !e.text[0] || strchr(e.text, '\n'))) abort();
    if (out.len > lim.output) abort();
    jinja_free(t);
    buf_free(&out);
    arena_free(&a);
    return 0;
}
