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

/* Every line of a golden file: encode without and, if `special`, with special tokens; decode. */
void golden_jsonl(const tok *t, const char *relative, bool special);
/* llama.cpp's pairs: texts between separator lines, one line of ids each. */
void golden_ggml(const tok *t, const char *name);
/* All that belongs to a GGUF file; NULL: there is none. */
/* Open by tok_open and check one golden file. */
void golden_file(const char *file, const char *jsonl, bool special);
void golden_gguf(const char *file, const char *jsonl, const char *pair);

#endif
