/* fuzz_tok_spm.c - any bytes as a SentencePiece model; what opens encodes a text and decodes it.
 *
 * Input: the length of the text in one byte, the text, the model. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tokenizer/detok.h"
#include "tokenizer/tok_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    const size_t n = data[0] < size ? data[0] : size - 1;
    const str text = {(const char *)data + 1, n}, file = {text.p + n, size - 1 - n};
    tok *t = NULL;
    err e = {0};
    if (tok_open_spm(&t, "fuzz", file, NULL, 0, &e) < 0) {
        if (e.text[0] == 0) abort();
        return 0;
    }
    tok_ids ids = {0};
    buf all = BUF_INIT;
    if (tok_encode(t, text, TOK_SPECIAL | TOK_BOS, &ids, NULL) == RZ_OK &&
        detok_all(t, ids.p, ids.n, false, &all, NULL) != RZ_OK)
        abort();
    buf_free(&all);
    tok_ids_free(&ids);
    tok_close(t);
    return 0;
}
