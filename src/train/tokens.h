/* tokens.h - files of token ids: 32-bit little-endian numbers and nothing else, mapped. */
#ifndef TRAIN_TOKENS_H
#define TRAIN_TOKENS_H

#include "base/os.h"

typedef struct tokens {
    os_map map;
    uint32_t *own; /* random tokens; or NULL */
    const uint32_t *id;
    size_t n;
} tokens;

/* RZ_EFORMAT: the size is no multiple of 4, the file is empty, or a token (its position is in the
 * text) is not below `vocab`. */
status tokens_open(tokens *out, const char *path, uint32_t vocab, err *e);
/* `n` tokens that depend on the seed alone, to try a configuration without data. */
status tokens_random(tokens *out, size_t n, uint32_t vocab, uint64_t seed, err *e);
void tokens_close(tokens *t);
/* 64 hexadecimal digits of the first MiB and the size: is it the file it was? */
enum { TOKENS_DIGEST = 65 };
void tokens_digest(const tokens *t, char out[TOKENS_DIGEST]);

#endif
