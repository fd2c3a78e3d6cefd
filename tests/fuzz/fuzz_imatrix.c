/* fuzz_imatrix.c - any bytes as an importance matrix: refused with a sentence, or read into finite
 * weights that can be found by name. */
#include <math.h>
#include <stdlib.h>

#include "format/imatrix.h"
#include "fuzz.h"

static void require(bool ok) {
    if (!ok) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    imatrix *m = NULL;
    err e = {0};
    if (imatrix_parse(&m, "<fuzz>", data, size, &e) < 0) {
        require(m == NULL && e.text[0]);
        return 0;
    }
    require(m->n > 0);
    /* An entry of 17 bytes takes 32 of table, a copy of its name and of its values, padded. */
    require(m->mem.bytes <= 16 * size + 256);
    for (size_t i = 0; i < m->n; i++) {
        const imatrix_entry *x = &m->entry[i];
        require(imatrix_find(m, x->name) == x && x->n > 0);
        for (size_t k = 0; k < x->n; k++) require(isfinite(x->mean[k]) && x->mean[k] >= 0);
    }
    imatrix_close(m);
    return 0;
}
