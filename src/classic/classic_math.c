/* classic_math.c - sums, exponentials and choices that several kinds of model are made of. */
#include <math.h>

#include "classic/classic.h"

enum { AT_ONCE = 6 }; /* rows in one call: few enough to need no scratch, see kern.h */

void classic_affine(const kern *k, const float *x, size_t rows, size_t in, const float *w,
                    const float *b, size_t out, float *y) {
    for (size_t t = 0; t < rows; t += AT_ONCE) {
        const uint32_t T = (uint32_t)(rows - t < AT_ONCE ? rows - t : AT_ONCE);
        const kern_rows part = {.x = x + t * in, .x_stride = in, .T = T, .n = (uint32_t)in};
        k->product[QUANT_F32](y + t * out, out, (const uint8_t *)w, in * sizeof *w, (uint32_t)out,
                              &part, NULL);
        if (!b) continue;
        for (size_t i = t; i < t + T; i++)
            for (size_t o = 0; o < out; o++) y[i * out + o] += b[o];
    }
}

/* x = n ln 2 + r, |r| <= ln(2) / 2: the series of e^r to r^13 / 13!, whose rest is below 2^-58,
 * times 2^n. ln 2 is taken off in two parts, the first with 21 zeros at its end. */
double classic_exp(double x) {
    static const double series[] = {1.0,
                                    1.0,
                                    1.0 / 2,
                                    1.0 / 6,
                                    1.0 / 24,
                                    1.0 / 120,
                                    1.0 / 720,
                                    1.0 / 5040,
                                    1.0 / 40320,
                                    1.0 / 362880,
                                    1.0 / 3628800,
                                    1.0 / 39916800,
                                    1.0 / 479001600,
                                    1.0 / 6227020800};
    if (!(x > -708)) return x < 0 ? 0 : x;
    if (x > 709) return (double)INFINITY;
    const double n = floor(x * 1.4426950408889634 + 0.5);
    const double r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
    double p = series[13];
    for (int i = 12; i >= 0; i--) p = p * r + series[i];
    const uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* Of -|x|, which cannot overflow. */
double classic_sigmoid(double x) {
    const double small = classic_exp(x < 0 ? x : -x);
    return x < 0 ? small / (1 + small) : 1 / (1 + small);
}

void classic_softmax(float *x, size_t n) {
    const float most = x[classic_argmax(x, n)];
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)classic_exp((double)x[i] - (double)most);
        sum += (double)x[i];
    }
    for (size_t i = 0; i < n; i++) x[i] = (float)((double)x[i] / sum);
}

size_t classic_argmax(const float *x, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}
