/* quant_iq_search.h - the nearest point of a codebook. */
#ifndef QUANT_QUANT_IQ_SEARCH_H
#define QUANT_QUANT_IQ_SEARCH_H

#include <stdint.h>

enum { IQ_POINTS = 2048, IQ_DIGITS = 9 };

/* A codebook arranged for searching. A point is four digits: of eight values with three levels each
 * digit is two values (0..8), of four values with eight levels it is one (0..7). */
typedef struct iq_grid {
    int n_digit;
    float level[8];
    /* Points with the two high digits n_digit * d3 + d2 = h are first[h] .. first[h + 1] - 1. */
    uint16_t first[IQ_DIGITS * IQ_DIGITS + 1];
    uint8_t high[IQ_POINTS]; /* d3 << 4 | d2 of each point */
    uint8_t low[IQ_POINTS];  /* d1 << 4 | d0 */
} iq_grid;

/* point[n]: eight values a point, each one of three levels. The points are sorted. */
void iq_grid_of_eight(iq_grid *g, const uint64_t *point, int n, const int8_t *level);
/* point[n]: four values a point, each one of eight levels. */
void iq_grid_of_four(iq_grid *g, const uint32_t *point, int n, const int8_t *level);

/* The point p with the least sum of w * (x - scale * (p + shift))^2 over its eight (four) values,
 * and that sum less the sum of w * x^2. `guess` is a point to beat; a good one makes it fast. */
int iq_nearest_eight(const iq_grid *g, const float *x, const float *w, float scale, float shift,
                     int guess, float *error);
int iq_nearest_four(const iq_grid *g, const float *x, const float *w, float scale, int guess);

#endif
