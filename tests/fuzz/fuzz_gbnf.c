/* fuzz_gbnf.c - a GBNF grammar and a text, cut at the last newline: reading, and walking the
 * text through it. */
#include "fuzz.h"
#include "gram_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    gram_walk_input(gram_read_gbnf, data, size);
    return 0;
}
