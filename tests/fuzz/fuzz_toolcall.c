/* fuzz_toolcall.c - any text as the answer of a model that may call tools.
 *
 * The first byte chooses the family, the second where the text is cut in two. The cut must change
 * nothing, what is called has arguments in the shape of an object, and nothing reads beyond. */
#include <stdlib.h>
#include <string.h>

#include "../toolcall_signs.h"
#include "base/buf.h"
#include "fuzz.h"
#include "server/toolcall.h"

static const char tools[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"properties\":{\"a\":"
    "{\"type\":\"string\"}}}}},{\"function\":{\"name\":\"g\"}}]";

static void require(bool ok) {
    if (!ok) abort();
}

static void on_text(void *ud, str text) {
    require(text.len > 0);
    buf_str(ud, text);
}

static void on_call(void *ud, str name, str args) {
    arena a = ARENA_INIT;
    json *v;
    require(name.len > 0 && json_parse(&v, args, &a, NULL) == RZ_OK && v->kind == JSON_OBJECT);
    arena_free(&a);
    buf_printf(ud, "\n<%zu ", name.len);
    buf_str(ud, name);
    buf_str(ud, args);
}

/* Each piece in memory of exactly its size. */
static void feed(toolcall *t, const tool_sink *sink, const uint8_t *p, size_t n) {
    char *exact = malloc(n ? n : 1);
    if (n) memcpy(exact, p, n);
    require(toolcall_feed(t, (str){exact, n}, sink));
    free(exact);
}

static void run(size_t sign, const uint8_t *p, size_t n, size_t cut, buf *out) {
    arena a = ARENA_INIT;
    json *list;
    require(json_parse(&list, str_of(tools), &a, NULL) == RZ_OK);
    toolcall *t = toolcall_new(tool_family_of(str_of(toolcall_signs[sign])), list);
    require(t != NULL);
    arena_free(&a);
    const tool_sink sink = {on_text, on_call, out};
    feed(t, &sink, p, cut);
    feed(t, &sink, p + cut, n - cut);
    require(toolcall_finish(t, &sink));
    toolcall_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    const size_t n = size - 2, sign = data[0] % TOOLCALL_SIGNS;
    buf whole = BUF_INIT, cut = BUF_INIT;
    run(sign, data + 2, n, n, &whole);
    run(sign, data + 2, n, n * data[1] / 255, &cut);
    require(str_eq(buf_view(&whole), buf_view(&cut)));
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
