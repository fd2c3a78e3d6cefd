/* fuzz_yaml.c - any bytes as a configuration, YAML or JSON with Python's words; what is read is
 * written as JSON and read again. */
#include <stdlib.h>

#include "fuzz.h"
#include "json/yaml.h"

static void require(bool ok) {
    if (!ok) abort();
}

static void check(str text, status (*parse)(json **out, str text, arena *a, err *e)) {
    arena a = ARENA_INIT;
    json *v = NULL, *again = NULL;
    buf first = BUF_INIT, second = BUF_INIT;
    err e = {0};
    if (parse(&v, text, &a, &e) == RZ_OK) {
        json_write(&first, v);
        require(!first.failed && json_parse_python(&again, buf_view(&first), &a, &e) == RZ_OK);
        json_write(&second, again);
        require(str_eq(buf_view(&first), buf_view(&second)));
    } else {
        require(v == NULL && e.text[0]);
    }
    buf_free(&first);
    buf_free(&second);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const str text = {(const char *)data, size};
    check(text, yaml_parse);
    check(text, json_parse_python);
    return 0;
}
