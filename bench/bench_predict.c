/* bench_predict.c - what an answer of a classic model takes, one row and several at a time.
 *
 *   bench_predict [--samples 10000]
 *
 * Logistic regressions of the sizes of MNIST, CIFAR-10 and Iris with random weights, on rows that
 * lie in the nearest cache, as a caller in a loop has them. A sample is CALLS calls one after the
 * other, divided by their number: one alone is shorter than reading the clock. Nanoseconds a call:
 * middle, 95th and 99th percentile of the samples, fastest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/rng.h"
#include "classic/classic.h"
#include "series.h"

enum { CALLS = 16, WARM = 100 };

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static classic *model(size_t n, uint64_t *rng) {
    buf b = BUF_INIT;
    classic *c = NULL;
    payload_put_u8(&b, 1);
    payload_put_u64(&b, n);
    for (size_t i = 0; i <= n; i++) payload_put_f32(&b, (float)(rng_unit(rng) - 0.5));
    payload_put_f32(&b, 0.01f);
    payload_put_u64(&b, 100);
    payload_put_f32(&b, 1e-4f);
    classic_from_payload(&c, 2, buf_view(&b), STR_LIT("\x80"), NULL);
    buf_free(&b);
    return c;
}

static bool measure(const char *name, size_t n, size_t rows, bool proba, size_t samples) {
    uint64_t rng = 42;
    classic *c = model(n, &rng);
    float *x = mem_array(n * rows, sizeof *x), *y = mem_array(2 * rows, sizeof *y);
    double *ns = mem_array(samples, sizeof *ns);
    bool good = c && x && y && ns;
    for (size_t i = 0; good && i < n * rows; i++) x[i] = (float)rng_unit(&rng);
    for (size_t i = 0; good && i < samples + WARM; i++) {
        const uint64_t start = os_now_ns();
        for (int k = 0; k < CALLS; k++)
            good = classic_run(c, x, rows, n, proba, y, proba ? 2 : 1, NULL) == RZ_OK && good;
        if (i >= WARM) ns[i - WARM] = (double)(os_now_ns() - start) / CALLS;
    }
    if (good) {
        qsort(ns, samples, sizeof *ns, by_size);
        printf("%-9s %5zu features %3zu rows %-13s %8.1f %8.1f %8.1f %8.1f ns\n", name, n, rows,
               proba ? "probabilities" : "classes", ns[samples / 2], ns[samples * 95 / 100],
               ns[samples * 99 / 100], ns[0]);
    }
    classic_free(c);
    mem_free(x);
    mem_free(y);
    mem_free(ns);
    return good;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        size_t n;
    } data[] = {{"MNIST", 784}, {"CIFAR-10", 3072}, {"Iris", 4}};
    static const size_t rows[] = {1, 8, 32};
    uint32_t samples = 10000;
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], "--samples") == 0) samples = bench_number(argv[i + 1]);
    if (samples < 1 || argc % 2 == 0) {
        fprintf(stderr, "bench_predict [--samples 10000]\n");
        return 2;
    }
    printf("%s; %u samples of %d calls\n%51s %8s %8s %8s %8s\n", kern_get()->name, samples, CALLS,
           "", "p50", "p95", "p99", "least");
    for (size_t d = 0; d < sizeof data / sizeof *data; d++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (int proba = 0; proba < 2; proba++)
                if (!measure(data[d].name, data[d].n, rows[r], proba, samples)) return 1;
    return 0;
}
