/* vocab.h - small vocabularies built in code, as tokenizer.ggml.* metadata. */
#ifndef TESTS_VOCAB_H
#define TESTS_VOCAB_H

#include "tokenizer/detok.h"

enum { VOCAB_MAX_PIECES = 600, VOCAB_MAX_KEYS = 16 };

typedef struct vocab {
    str piece[VOCAB_MAX_PIECES];
    float score[VOCAB_MAX_PIECES];
    int32_t type[VOCAB_MAX_PIECES];
    size_t n;
    char names[256][8];
    meta_kv kv[VOCAB_MAX_KEYS];
    tensor_file file;
} vocab;

/* No tokens and no keys. */
void vocab_start(vocab *v, const char *path);
/* SentencePiece: unk 0, bos 1, eos 2, bytes 3..258, then a few words. */
void vocab_spm(vocab *v);
/* GPT-2's kind: bytes 0..255 in its alphabet, then a few words with their merges. */
void vocab_bpe(vocab *v);
void vocab_done(vocab *v);

void vocab_put(vocab *v, const char *piece, float score, int type);
/* Write tokens, scores and types as they are now into the metadata. */
void vocab_publish(vocab *v);
void vocab_set_str(vocab *v, const char *key, const char *text);
void vocab_set_u32(vocab *v, const char *key, uint32_t x);
void vocab_set_bool(vocab *v, const char *key, bool x);
void vocab_set_array(vocab *v, const char *key, meta_type elem, const void *p, size_t n);

/* NULL and a failed test when it cannot be opened. */
tok *vocab_open(vocab *v);
/* Ids as text: pieces with "|" between, or the error. Good until the next call. */
const char *vocab_pieces(const tok *t, const char *text, int flags);

#endif
