/* quant_search.h - least squares: the scale, and perhaps the offset, at which a few values lose
 * least when they are cut into few numbers.
 *
 * Everything is single precision in a fixed order: the same input gives the same file
 * everywhere. */
#ifndef QUANT_QUANT_SEARCH_H
#define QUANT_QUANT_SEARCH_H

#include <stddef.h>
#include <stdint.h>

enum { SEARCH_MAX = 256, SEARCH_PARTS = 16 };

/* A block made safe to calculate with: NaN is 0, sizes are below 1e9, which is more than a block
 * can hold, and weights are about 1 and above 0. in[n]; importance[n] or NULL; n <= SEARCH_MAX. */
typedef struct search_block {
    float x[SEARCH_MAX], w[SEARCH_MAX];
} search_block;
void search_prepare(search_block *s, const float *in, const float *importance, size_t n);

/* ---- Evenly spaced levels: x ~ d * q - m with whole q in lo..hi ---- */

/* Of one choice of numbers: the weighted sums of x * p and p * p, where p are the numbers before
 * they are scaled. They give the error at any scale, and the scale that suits the choice best. */
typedef struct search_sums {
    float xp, pp;
} search_sums;

/* Some neighbours of a block. n is a multiple of 4. */
typedef struct search_span {
    const float *x, *w;
    int n, lo, hi;
} search_span;

/* Weighted squared error when x is rounded to the nearest d * q - m. */
float search_error(const search_span *s, float d, float m);
/* The q of that. */
void search_levels(const search_span *s, float d, float m, int8_t *q);
/* Round to the nearest scale * q. */
search_sums search_rounded(const search_span *s, float scale);
/* The best d for m = 0; negative when that uses an uneven lo..hi better. 0 if all values are 0. */
float search_scale(const search_span *s);
/* The best d >= 0 and m; lo is 0. m >= 0 too unless any_sign. */
typedef struct search_line {
    float d, m;
} search_line;
search_line search_affine(const search_span *s, int any_sign);

/* ---- Any patterns: x ~ scale * p, where the p of several values are one of some patterns ---- */

/* Choose the pattern nearest to the values of a part at a scale. */
typedef search_sums search_pattern(void *ctx, int part, float scale);

/* The best scale among n steps from `first`, each `ratio` times the one before, and what they lead
 * to. 0 when nothing is better than 0. */
float search_ladder(search_pattern *pattern, void *ctx, int part, float first, float ratio, int n);

/* A block of parts whose scales are d * (step * s + base) with whole s in lo..hi. */
typedef struct search_parts {
    search_pattern *pattern;
    void *ctx;
    int n_part, lo, hi;
    float step, base;
    float want[SEARCH_PARTS]; /* the best scale of each part by itself */
} search_parts;

/* The best d (as a half) and s of each part. d is tried at n_try sizes. */
uint16_t search_scales(const search_parts *p, int n_try, int8_t *scale);

/* ---- Halves ---- */

/* Nearest half that is not infinite. */
uint16_t search_half(float f);
/* The same, and 0 only for 0: the smallest scale can still be multiplied. */
uint16_t search_half_not_zero(float f);

#endif
