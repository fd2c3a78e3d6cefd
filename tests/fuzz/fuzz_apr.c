/* fuzz_apr.c - any bytes as an .apr file, their checksum made right so that more than the checksum
 * is looked at: refused with a sentence, or a model that answers and is written as it was read. */
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "classic/classic.h"
#include "fuzz.h"

enum { MOST = 1 << 16 };

static void require(bool ok) {
    if (!ok) abort();
}

static void ask(const classic *c) {
    float *x = calloc(2 * c->inputs + 1, sizeof *x);
    float *y = calloc(2 * (c->outputs + c->classes) + 1, sizeof *y);
    require(x && y);
    if (c->inputs) {
        require(classic_run(c, x, 2, c->inputs, false, y, c->outputs, NULL) == RZ_OK);
        if (c->classes) require(y[0] >= 0 && y[0] < (float)c->classes && y[0] == y[1]);
        if (c->classes && !c->no_proba)
            require(classic_run(c, x, 2, c->inputs, true, y, c->classes, NULL) == RZ_OK);
    } else {
        require(classic_run_text(c, STR_LIT("The cat sat, \xff."), y, c->outputs, NULL) == RZ_OK);
    }
    free(x);
    free(y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    classic *c = NULL;
    err e = {0};
    buf again = BUF_INIT;
    char *copy = malloc(size + 1);
    require(copy != NULL);
    if (size) memcpy(copy, data, size);
    if (size >= APR_HEAD + APR_CRC) {
        const uint32_t crc = crc32_add(0, copy, size - APR_CRC);
        memcpy(copy + size - APR_CRC, &crc, sizeof crc);
    }
    if (classic_parse(&c, "<fuzz>", (str){copy, size}, &e) < 0) {
        require(c == NULL && e.text[0]);
    } else {
        require(c->mem.bytes <= 64 * size + 4096);
        require(classic_write(c, &again, NULL) == RZ_OK && !again.failed);
        require(again.len == size && memcmp(again.p, copy, size) == 0);
        if (c->inputs + c->outputs + c->classes <= MOST) ask(c);
        classic_free(c);
    }
    buf_free(&again);
    free(copy);
    return 0;
}
