/* fuzz_schema.c - a JSON schema and a text, cut at the last newline: reading, and walking the
 * text through it. */
#include "fuzz.h"
#include "gram_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    gram_walk_input(gram_read_schema, data, size);
    return 0;
}
