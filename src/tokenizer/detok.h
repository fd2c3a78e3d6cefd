/* detok.h - ids to text as they come, never cutting a UTF-8 character in two. */
#ifndef TOKENIZER_DETOK_H
#define TOKENIZER_DETOK_H

#include "tokenizer/tok.h"

typedef struct detok {
    const tok *t;
    bool at_start;   /* the next text is the first: a dummy prefix space is dropped */
    uint8_t tail[4]; /* bytes of an unfinished character */
    uint8_t tail_len;
    bool held_space; /* a space that is text only if more follows */
} detok;

/* `continuing`: the text goes on after a prompt, so a leading space is real and kept. */
void detok_init(detok *d, const tok *t, bool continuing);
/* Append to *out the whole characters that id completes. Bytes that can never become a character
 * come out as U+FFFD each (maximal subparts). Unknown ids add nothing. */
void detok_push(detok *d, int32_t id, buf *out);
/* The end: an unfinished character becomes one U+FFFD. */
void detok_flush(detok *d, buf *out);
/* All bytes of ids as they are (they may end inside a character); RZ_EINVAL names the first id that
 * is none. */
status detok_all(const tok *t, const int32_t *ids, size_t n, bool continuing, buf *out, err *e);

#endif
