/* fuzz_quant.c - any bytes are blocks of some type; whatever they say can be read, and written back
 * with any importance. The first byte is the type, the rest one row. */
#include <stdlib.h>

#include "quant/quant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 8192) return 0;
    const quant_info *q = quant_get(data[0] % QUANT_TYPE_COUNT);
    if (!q->name) return 0;
    const size_t n_block = (size - 1) / q->bytes, n = n_block * q->block;
    float *row = malloc((n + 1) * sizeof *row), *again = malloc((n + 1) * sizeof *again);
    uint8_t *blocks = malloc(n_block * q->bytes + 1);
    if (!row || !again || !blocks) abort();
    q->to_float(data + 1, row, n);
    if (quant_write_row((quant_type)(data[0] % QUANT_TYPE_COUNT), row, blocks, n, NULL)) {
        q->to_float(blocks, again, n);
        quant_write_row((quant_type)(data[0] % QUANT_TYPE_COUNT), row, blocks, n, again);
    }
    free(row);
    free(again);
    free(blocks);
    return 0;
}
