/* fuzz_tok_rzv.c - any bytes as a compact vocabulary; what opens encodes a text and decodes it.
 *
 * Input: the length of the text in one byte, the text, the file. Its length and sum are made right,
 * so that what they protect is reached. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tokenizer/detok.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_rzv.h"

static void use(const tok *t, str text) {
    tok_ids ids = {0};
    buf all = BUF_INIT;
    err e = {0};
    if (tok_encode(t, text, TOK_SPECIAL | TOK_BOS, &ids, &e) == RZ_OK) {
        if (detok_all(t, ids.p, ids.n, false, &all, NULL) == RZ_EINVAL)
            for (size_t i = 0; i < ids.n; i++) /* a made-up id may be one that is absent */
                if (ids.p[i] < 0 || (size_t)ids.p[i] >= tok_size(t)) abort();
    } else if (e.text[0] == 0) {
        abort();
    }
    for (size_t id = 0; id < tok_size(t) && id < 64; id++) {
        const str piece = tok_piece(t, (int32_t)id), bytes = tok_bytes(t, (int32_t)id);
        buf_str(&all, piece);
        buf_str(&all, bytes);
    }
    buf_free(&all);
    tok_ids_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    const size_t n = data[0] < size ? data[0] : size - 1;
    const str text = {(const char *)data + 1, n};
    const size_t len = size - 1 - n;
    char *file = malloc(len + 1); /* where arrays are aligned, and its end is seen */
    if (!file) abort();
    memcpy(file, data + 1 + n, len);
    if (len >= RZV_HEADER) rzv_seal(file, len);
    tok *t = NULL;
    err e = {0};
    if (tok_open_rzv(&t, "fuzz", (str){file, len}, &e) == RZ_OK) use(t, text);
    else if (e.text[0] == 0) abort();
    tok_close(t);
    free(file);
    return 0;
}
