/* fuzz_schema.c - a JSON schema and a text, cut at the last newline: reading, and walking the
 * text through it. */
#include <string.h>

#include "fuzz.h"
#include "gram_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    gram_tree t;
    size_t cut = size;
    if (size > 4000) return 0;
    while (cut && data[cut - 1] != '\n') cut--;
    const size_t len = cut ? cut - 1 : size;
    gram_tree_init(&t);
    if (gram_read_schema(&t, (str){(const char *)data, len}, NULL) >= 0)
        gram_walk(&t, data + cut, size - cut);
    gram_tree_done(&t);
    return 0;
}
