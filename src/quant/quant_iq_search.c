/* quant_iq_search.c - the nearest point of a codebook, exactly.
 *
 * The error of a point is a sum over its four digits, each of which has only nine (or eight) cases.
 * Those are tabled; then a point costs three additions, and all points that share high digits are
 * skipped when not even the best low digits could make them win. */
#include "quant/quant_iq_search.h"

static int number_of(const int8_t *level, int n, uint64_t byte) {
    int l = 0;
    while (l < n - 1 && level[l] != (int8_t)(byte & 255)) l++;
    return l;
}

/* Fill in the rest once high[] and low[] of the points are known. */
static void arrange(iq_grid *g, int n, const int8_t *level, int n_level, int n_digit) {
    g->n_digit = n_digit;
    for (int l = 0; l < n_level; l++) g->level[l] = (float)level[l];
    for (int h = 0, p = 0; h <= n_digit * n_digit; h++) {
        while (p < n && n_digit * (g->high[p] >> 4) + (g->high[p] & 15) < h) p++;
        g->first[h] = (uint16_t)p;
    }
}

void iq_grid_of_eight(iq_grid *g, const uint64_t *point, int n, const int8_t *level) {
    for (int p = 0; p < n; p++) {
        int d[4];
        for (int i = 0; i < 4; i++)
            d[i] = number_of(level, 3, point[p] >> 16 * i) +
                   3 * number_of(level, 3, point[p] >> (16 * i + 8));
        g->low[p] = (uint8_t)(d[1] << 4 | d[0]);
        g->high[p] = (uint8_t)(d[3] << 4 | d[2]);
    }
    arrange(g, n, level, 3, 9);
}

void iq_grid_of_four(iq_grid *g, const uint32_t *point, int n, const int8_t *level) {
    for (int p = 0; p < n; p++) {
        int d[4];
        for (int i = 0; i < 4; i++) d[i] = number_of(level, 8, point[p] >> 8 * i);
        g->low[p] = (uint8_t)(d[1] << 4 | d[0]);
        g->high[p] = (uint8_t)(d[3] << 4 | d[2]);
    }
    arrange(g, n, level, 8, 8);
}

/* The errors of the cases of each digit, and the least of each. */
typedef struct digits {
    float error[4][IQ_DIGITS];
    float least[4];
} digits;

static void find_least(digits *t, int n_digit) {
    for (int i = 0; i < 4; i++) {
        float least = t->error[i][0];
        for (int d = 1; d < n_digit; d++) least = t->error[i][d] < least ? t->error[i][d] : least;
        t->least[i] = least;
    }
}

static int nearest(const iq_grid *g, const digits *t, int guess, float *error) {
    const float *e0 = t->error[0], *e1 = t->error[1], *e2 = t->error[2], *e3 = t->error[3];
    const float low = t->least[0] + t->least[1];
    const uint8_t *first_low = g->low;
    int best = guess;
    float least = (e0[g->low[guess] & 15] + e1[g->low[guess] >> 4]) +
                  (e2[g->high[guess] & 15] + e3[g->high[guess] >> 4]);
    for (int d3 = 0; d3 < g->n_digit; d3++) {
        if (e3[d3] + t->least[2] + low >= least) continue;
        for (int d2 = 0; d2 < g->n_digit; d2++) {
            const float high = e2[d2] + e3[d3];
            if (high + low >= least) continue;
            const uint16_t *first = g->first + g->n_digit * d3 + d2;
            for (int p = first[0]; p < first[1]; p++) {
                const float e = (e0[first_low[p] & 15] + e1[first_low[p] >> 4]) + high;
                if (e < least) least = e, best = p;
            }
        }
    }
    *error = least;
    return best;
}

int iq_nearest_eight(const iq_grid *g, const float *x, const float *w, float scale, float shift,
                     int guess, float *error) {
    digits t;
    float p[3];
    for (int l = 0; l < 3; l++) p[l] = scale * (g->level[l] + shift);
    for (int i = 0; i < 4; i++) {
        float a[3], b[3];
        for (int l = 0; l < 3; l++) {
            a[l] = w[2 * i] * p[l] * (p[l] - 2.0f * x[2 * i]);
            b[l] = w[2 * i + 1] * p[l] * (p[l] - 2.0f * x[2 * i + 1]);
        }
        for (int d = 0; d < 9; d++) t.error[i][d] = a[d % 3] + b[d / 3];
    }
    find_least(&t, 9);
    return nearest(g, &t, guess, error);
}

int iq_nearest_four(const iq_grid *g, const float *x, const float *w, float scale, int guess) {
    digits t;
    float error;
    for (int i = 0; i < 4; i++) {
        for (int l = 0; l < 8; l++) {
            const float p = scale * g->level[l];
            t.error[i][l] = w[i] * p * (p - 2.0f * x[i]);
        }
    }
    find_least(&t, 8);
    return nearest(g, &t, guess, &error);
}
