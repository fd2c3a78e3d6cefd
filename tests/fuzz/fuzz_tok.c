/* fuzz_tok.c - vocabularies and texts of any shape through open, encode and decode.
 *
 * Input: a byte of switches, then token descriptions (type, score, length, text) up to a type byte
 * of 0xFF, then the text to encode. With the switch BYTES the vocabulary also has all byte tokens
 * and decoding must give the text back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/detok.h"
#include "unicode/utf8.h"

enum { BYTES = 1, PREFIX = 2, SHORT_SCORES = 4, SPECIAL = 8, MAX_PIECES = 1024, MAX_KEYS = 8 };

typedef struct vocab {
    str piece[MAX_PIECES];
    float score[MAX_PIECES];
    int32_t type[MAX_PIECES];
    size_t n;
    meta_kv kv[MAX_KEYS];
    tensor_file file;
} vocab;

static char byte_names[256][8];

static void set(vocab *v, const char *key, meta_value value) {
    v->kv[v->file.n_kv] = (meta_kv){str_of(key), value};
    if (map_put(&v->file.kv_index, str_of(key), v->file.n_kv) != MAP_NEW) abort();
    v->file.n_kv++;
}

static void set_array(vocab *v, const char *key, meta_type elem, const void *p, size_t n) {
    meta_value a = {.type = META_ARRAY};
    a.a.elem = elem;
    a.a.n = n;
    if (elem == META_STRING) a.a.strings = p;
    else a.a.packed = p;
    set(v, key, a);
}

static size_t add_pieces(vocab *v, const uint8_t *data, size_t size) {
    size_t i = 0;
    while (i + 3 <= size && data[i] != 0xFF && v->n < MAX_PIECES) {
        size_t len = data[i + 2] % 40;
        if (len > size - i - 3) len = size - i - 3;
        v->type[v->n] = data[i] % 9;
        v->score[v->n] = (float)(int8_t)data[i + 1];
        v->piece[v->n++] = (str){(const char *)data + i + 3, len};
        i += 3 + len;
    }
    return i < size ? i + 1 : size;
}

static void add_bytes(vocab *v) {
    for (int b = 0; b < 256; b++) {
        snprintf(byte_names[b], sizeof byte_names[b], "<0x%02X>", b);
        v->piece[v->n] = str_of(byte_names[b]);
        v->type[v->n++] = 6;
    }
}

static bool has_sign(str s) { return str_find(s, STR_LIT("\u2581")) >= 0; }

static void encode_and_decode(const tok *t, const vocab *v, str text, int switches) {
    tok_ids ids = {0};
    buf all = BUF_INIT, streamed = BUF_INIT;
    const int flags = switches & SPECIAL ? TOK_SPECIAL | TOK_BOS : 0;
    if (tok_encode(t, text, flags, &ids, NULL) == RZ_OK) {
        if (detok_all(t, ids.p, ids.n, false, &all, NULL) != RZ_OK) abort();
        bool plain = false; /* a token for the space, and none that puts spaces around it */
        for (size_t i = 0; i < v->n; i++) plain |= v->type[i] == 1 && str_is(v->piece[i], "\u2581");
        for (size_t i = 0; i < v->n; i++) plain &= v->type[i] != 4 && v->type[i] != 2;
        if (plain && switches & BYTES && !(switches & SPECIAL) && !has_sign(text) &&
            !str_eq(buf_view(&all), text))
            abort();
        detok d;
        detok_init(&d, t, false);
        for (size_t i = 0; i < ids.n; i++) detok_push(&d, ids.p[i], &streamed);
        detok_flush(&d, &streamed);
        if (utf8_valid(buf_view(&streamed)) != streamed.len) abort();
    }
    buf_free(&all);
    buf_free(&streamed);
    tok_ids_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    static vocab v;
    memset(&v, 0, sizeof v);
    v.file.path = "fuzz";
    v.file.kv = v.kv;
    const int switches = data[0];
    if (switches & BYTES) add_bytes(&v);
    const size_t used = 1 + add_pieces(&v, data + 1, size - 1);
    set(&v, "tokenizer.ggml.model", (meta_value){.type = META_STRING, .s = STR_LIT("llama")});
    set_array(&v, "tokenizer.ggml.tokens", META_STRING, v.piece, v.n);
    set_array(&v, "tokenizer.ggml.scores", META_F32, v.score,
              v.n - (switches & SHORT_SCORES && v.n ? 1 : 0));
    set_array(&v, "tokenizer.ggml.token_type", META_I32, v.type, v.n);
    set(&v, "tokenizer.ggml.add_space_prefix",
        (meta_value){.type = META_BOOL, .u = (switches & PREFIX) != 0});
    tok *t = NULL;
    err e = {0};
    if (tok_open_gguf(&t, &v.file, &e) == RZ_OK)
        encode_and_decode(t, &v, (str){(const char *)data + used, size - used}, switches);
    else if (e.text[0] == 0) abort();
    tok_close(t);
    map_free(&v.file.kv_index);
    return 0;
}
