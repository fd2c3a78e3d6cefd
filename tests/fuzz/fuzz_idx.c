/* fuzz_idx.c - any bytes as an IDX file: refused with a sentence, or every number can be read. */
#include <stdlib.h>

#include "format/idx.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    idx x;
    err e = {0};
    double sum = 0;
    if (idx_parse(&x, "<fuzz>", (str){(const char *)data, size}, &e) < 0) {
        if (!e.text[0]) abort();
        return 0;
    }
    if (x.rows && x.cols > size / x.rows) abort();
    for (size_t i = 0; i < x.rows * x.cols; i++) sum += idx_at(&x, i);
    volatile double kept = sum; /* so that reading is not left out */
    (void)kept;
    return 0;
}
