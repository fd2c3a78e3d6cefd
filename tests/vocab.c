/* vocab.c - see vocab.h. */
#include "vocab.h"

#include <stdio.h>
#include <string.h>

#include "test.h"
#include "unicode/utf8.h"

void vocab_put(vocab *v, const char *piece, float score, int type) {
    v->piece[v->n] = str_of(piece);
    v->score[v->n] = score;
    v->type[v->n++] = type;
}

static void set(vocab *v, const char *key, meta_value value) {
    for (size_t i = 0; i < v->file.n_kv; i++) {
        if (!str_is(v->kv[i].key, key)) continue;
        v->kv[i].value = value;
        return;
    }
    v->kv[v->file.n_kv] = (meta_kv){str_of(key), value};
    map_put(&v->file.kv_index, v->kv[v->file.n_kv].key, v->file.n_kv);
    v->file.n_kv++;
}

void vocab_set_str(vocab *v, const char *key, const char *text) {
    set(v, key, (meta_value){.type = META_STRING, .s = str_of(text)});
}
void vocab_set_u32(vocab *v, const char *key, uint32_t x) {
    set(v, key, (meta_value){.type = META_U32, .u = x});
}
void vocab_set_bool(vocab *v, const char *key, bool x) {
    set(v, key, (meta_value){.type = META_BOOL, .u = x});
}
void vocab_set_array(vocab *v, const char *key, meta_type elem, const void *p, size_t n) {
    meta_value a = {.type = META_ARRAY};
    a.a.elem = elem;
    a.a.n = n;
    if (elem == META_STRING) a.a.strings = p;
    else a.a.packed = p;
    set(v, key, a);
}

void vocab_start(vocab *v, const char *path) {
    memset(v, 0, sizeof *v);
    v->file.path = path;
    v->file.kv = v->kv;
}

void vocab_publish(vocab *v) {
    vocab_set_array(v, "tokenizer.ggml.tokens", META_STRING, v->piece, v->n);
    vocab_set_array(v, "tokenizer.ggml.scores", META_F32, v->score, v->n);
    vocab_set_array(v, "tokenizer.ggml.token_type", META_I32, v->type, v->n);
}

void vocab_spm(vocab *v) {
    vocab_start(v, "small.gguf");
    vocab_put(v, "<unk>", 0, 2);
    vocab_put(v, "<s>", 0, 3);
    vocab_put(v, "</s>", 0, 3);
    for (int b = 0; b < 256; b++) {
        snprintf(v->names[b], sizeof v->names[b], "<0x%02X>", b);
        vocab_put(v, v->names[b], 0, 6);
    }
    static const char *const words[] = {"\u2581",       "a",   "b",       "c",  "ab",
                                        "bc",           "abc", "\u2581a", "aa", "aaaa",
                                        "\u2581\u2581", "é",   "的"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) vocab_put(v, words[i], -(float)i, 1);
    vocab_put(v, "<|im_end|>", 0, 3);
    vocab_put(v, "<|user|>", 0, 3);
    vocab_put(v, "[[x]]", 0, 4);
    vocab_set_str(v, "tokenizer.ggml.model", "llama");
    vocab_publish(v);
}

void vocab_done(vocab *v) { map_free(&v->file.kv_index); }

void vocab_bpe(vocab *v) {
    static const str merges[] = {{"a b", 3}, {"\u0120 ab", 5}, {"ab ab", 5},
                                 {"c d", 3}, {"\u0120 c", 4},  {"e f", 3}};
    vocab_start(v, "bytes.gguf");
    int next = 256;
    for (int b = 0; b < 256; b++) {
        const bool prints = (b >= '!' && b <= '~') || (b >= 0xA1 && b != 0xAD);
        v->names[b][utf8_encode((uint32_t)(prints ? b : next++), v->names[b])] = 0;
        vocab_put(v, v->names[b], 0, 1);
    }
    static const char *const merged[] = {"ab",      "\u0120ab", "abab", "cd",
                                         "\u0120c", "ef",       "efg",  "xyz"};
    for (size_t i = 0; i < sizeof merged / sizeof *merged; i++) vocab_put(v, merged[i], 0, 1);
    vocab_put(v, "<|endoftext|>", 0, 3);
    vocab_put(v, "[tool]", 0, 4);
    vocab_set_str(v, "tokenizer.ggml.model", "gpt2");
    vocab_set_str(v, "tokenizer.ggml.pre", "gpt-2");
    vocab_set_array(v, "tokenizer.ggml.merges", META_STRING, merges,
                    sizeof merges / sizeof *merges);
    vocab_publish(v);
}

const char *vocab_pieces(const tok *t, const char *text, int flags) {
    static char out[4096];
    tok_ids ids = {0};
    err e = {0};
    size_t n = 0;
    if (tok_encode(t, str_of(text), flags, &ids, &e) < 0) {
        snprintf(out, sizeof out, "%s", e.text);
        tok_ids_free(&ids);
        return out;
    }
    out[0] = 0;
    for (size_t i = 0; i < ids.n; i++) {
        const str p = tok_piece(t, ids.p[i]);
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s", i ? "|" : "", STR_FMT(p));
    }
    tok_ids_free(&ids);
    return out;
}

tok *vocab_open(vocab *v) {
    tok *t = NULL;
    err e = {0};
    if (tok_open_gguf(&t, &v->file, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    return t;
}
