/* fuzz_tok_hf.c - any bytes as a tokenizer.json; what opens encodes a text and decodes it.
 *
 * Input: the file, a byte 0, the text. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tokenizer/detok.h"
#include "tokenizer/tok_impl.h"
#include "unicode/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    const size_t len = zero ? (size_t)(zero - data) : size;
    const str text = {(const char *)data + len + (zero != NULL), size - len - (zero != NULL)};
    tok *t = NULL;
    err e = {0};
    if (tok_open_hf(&t, "fuzz", (str){(const char *)data, len}, &e) < 0) {
        if (e.text[0] == 0) abort();
        return 0;
    }
    tok_ids ids = {0};
    buf all = BUF_INIT, streamed = BUF_INIT;
    if (tok_encode(t, text, TOK_SPECIAL | TOK_BOS, &ids, NULL) == RZ_OK) {
        if (detok_all(t, ids.p, ids.n, false, &all, NULL) != RZ_OK) abort();
        detok d;
        detok_init(&d, t, false);
        for (size_t i = 0; i < ids.n; i++) detok_push(&d, ids.p[i], &streamed);
        detok_flush(&d, &streamed);
        if (utf8_valid(buf_view(&streamed)) != streamed.len) abort();
    }
    buf_free(&all);
    buf_free(&streamed);
    tok_ids_free(&ids);
    tok_close(t);
    return 0;
}
