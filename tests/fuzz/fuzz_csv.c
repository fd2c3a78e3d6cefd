/* fuzz_csv.c - any bytes as a table, of which the last column is the answers: refused with a
 * sentence, or finite numbers whose parts are the whole. */
#include <math.h>
#include <stdlib.h>

#include "classic/table.h"
#include "fuzz.h"

static void require(bool ok) {
    if (!ok) abort();
}

static void check(const table *t) {
    table *train = NULL, *test = NULL;
    require(t->rows > 0 && t->cols > 0);
    for (size_t i = 0; i < t->rows * t->cols; i++) require(isfinite(t->x[i]));
    for (size_t i = 0; t->class && i < t->rows; i++) require(t->class[i] < t -> classes);
    require(table_split(t, 0.3, 1, &train, &test, NULL) == RZ_OK);
    require(train->rows + test->rows == t->rows && train->classes == t->classes);
    table_free(train);
    table_free(test);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const target[] = {NULL, "last"};
    for (int i = 0; i < 2; i++) {
        const table_options opt = {target[i], NULL, NULL};
        table *t = NULL;
        err e = {0};
        if (table_parse(&t, "<fuzz>", (str){(const char *)data, size}, &opt, &e) < 0)
            require(t == NULL && e.text[0]);
        else check(t);
        table_free(t);
    }
    return 0;
}
