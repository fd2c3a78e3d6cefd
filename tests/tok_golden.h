/* tok_golden.h - real vocabularies against their golden ids. */
#ifndef TESTS_TOK_GOLDEN_H
#define TESTS_TOK_GOLDEN_H

#include "tokenizer/detok.h"

typedef struct real {
    tensor_file *file;
    tok *t;
    void *memory;
} real;

/* A vocabulary of the shared data; .gz files are unpacked by the gzip program. false after a skip
 * or a failure. */
bool real_open(real *r, const char *relative);
bool real_open_any(real *r, const char *relative);
void real_close(real *r);

/* How a golden file is checked. */
enum {
    GOLDEN_SPECIAL = 1,    /* also with special tokens */
    GOLDEN_EATS_SPACE = 2, /* decoding drops a text's own leading space, as the reference does */
    GOLDEN_NO_DECODE = 4,  /* normalizing loses what decoding would have to give back */
};
/* Every line of a golden file: encode, decode. */
void golden_jsonl(const tok *t, const char *relative, int how);
/* llama.cpp's pairs: texts between separator lines, one line of ids each. */
void golden_ggml(const tok *t, const char *name);
/* Open by tok_open and check one golden file; then the same in the compact form. */
void golden_file(const char *file, const char *jsonl, int how);
/* A mebibyte of one letter, of random bytes, of spaces, of random letters: each comes back. */
void random_texts_come_back(const tok *t);
/* All that belongs to a GGUF file, and again in the compact form; NULL: there is none. */
void golden_gguf(const char *file, const char *jsonl, const char *pair);

#endif
