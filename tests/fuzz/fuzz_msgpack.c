/* fuzz_msgpack.c - any bytes as MessagePack: refused with a sentence, or a tree that is JSON. */
#include <stdlib.h>

#include "format/msgpack.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena mem = ARENA_INIT, other = ARENA_INIT;
    json *v = NULL, *again = NULL;
    buf text = BUF_INIT;
    err e = {0};
    if (msgpack_parse(&v, (str){(const char *)data, size}, &mem, &e) < 0) {
        if (v || !e.text[0]) abort();
    } else {
        json_write(&text, v);
        /* Keys that are not UTF-8 may become the same. */
        const status s = json_parse(&again, buf_view(&text), &other, &e);
        if (text.failed || (s < 0 && s != RZ_EFORMAT)) abort();
    }
    if (mem.bytes > 200 * size + 4096) abort();
    buf_free(&text);
    arena_free(&mem);
    arena_free(&other);
    return 0;
}
