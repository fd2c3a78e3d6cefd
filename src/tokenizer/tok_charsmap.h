/* tok_charsmap.h - SentencePiece's precompiled map of characters, as .model files, tokenizer.json
 * and GGUF carry it.
 *
 *   | u32 n | n bytes: double array of u32 | texts, each with a 0 behind it |
 *
 * A unit of the array: bits 0..7 the byte that leads here, bit 8 a text ends here, bit 9 the offset
 * counts in 256s, bits 10..30 the offset to the children; or, with bit 31, where the text
 * begins. */
#ifndef TOKENIZER_TOK_CHARSMAP_H
#define TOKENIZER_TOK_CHARSMAP_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

typedef struct tok_charsmap {
    uint32_t *unit; /* [n] */
    size_t n;
    str texts; /* ends with a 0 */
} tok_charsmap;

/* A copy of the blob, in `mem`. RZ_EFORMAT: "where: ..." */
status tok_charsmap_read(tok_charsmap *m, str blob, const char *where, arena *mem, err *e);
/* The longest (or shortest) beginning of `s` that the map replaces: its length, and by what in
 * *to; 0: none. */
size_t tok_charsmap_find(const tok_charsmap *m, str s, bool longest, str *to);

/* Does anything that the map replaces begin with this byte? */
bool tok_charsmap_begins(const tok_charsmap *m, unsigned char byte);

/* Does this ASCII byte stay what it is wherever no byte >= 0x80 stands behind it? */
bool tok_charsmap_spares(const tok_charsmap *m, unsigned char byte);

#endif
