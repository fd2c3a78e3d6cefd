/* quant_iq_write.c - writing the IQ formats.
 *
 * A block is a few parts with a scale each. At a given scale every group of eight (or four) values
 * goes to its nearest point of the codebook; which scales, is searched by quant_search.c. There a
 * codebook is a `pattern`: this file says what the points of each format are. */
#include <math.h>
#include <string.h>

#include "quant/block.h"
#include "quant/quant_iq_search.h"
#include "quant/quant_iq_tables.h"
#include "quant/quant_rows.h"
#include "quant/quant_search.h"

enum { BLOCK_LEN = 256 };

static const int8_t level_iq2[3] = {8, 25, 43}, level_iq1[3] = {-1, 0, 1};
static const int8_t level_iq3_xxs[8] = {4, 12, 20, 28, 36, 44, 52, 62};
static const int8_t level_iq3_s[8] = {1, 3, 5, 7, 9, 11, 13, 15};

/* A block being written. */
typedef struct task {
    search_block b; /* 2- and 3-bit formats: x without the sign that is stored apart */
    const iq_grid *grid;
    const uint64_t *eight; /* the points, one of the two */
    const uint32_t *four;
    int part_len;
    uint8_t sign[32];        /* of each eight values */
    uint8_t minus_shift[32]; /* 1-bit formats: the shift of each eight is negative */
    uint16_t point[64];
} task;

static void sums_of_bytes(search_sums *t, const float *x, const float *w, uint64_t point, int n) {
    for (int i = 0; i < n; i++) {
        const float p = (float)(point >> 8 * i & 255);
        t->xp += w[i] * x[i] * p;
        t->pp += w[i] * p * p;
    }
}

static search_sums pattern_of_eights(void *ctx, int part, float scale) {
    task *t = ctx;
    search_sums sums = {0};
    for (int at = part * t->part_len; at < (part + 1) * t->part_len; at += 8) {
        const float *x = t->b.x + at, *w = t->b.w + at;
        float error;
        const int p = iq_nearest_eight(t->grid, x, w, scale, 0.0f, t->point[at / 8], &error);
        t->point[at / 8] = (uint16_t)p;
        sums_of_bytes(&sums, x, w, t->eight[p], 8);
    }
    return sums;
}

static search_sums pattern_of_fours(void *ctx, int part, float scale) {
    task *t = ctx;
    search_sums sums = {0};
    for (int at = part * t->part_len; at < (part + 1) * t->part_len; at += 4) {
        const float *x = t->b.x + at, *w = t->b.w + at;
        const int p = iq_nearest_four(t->grid, x, w, scale, t->point[at / 4]);
        t->point[at / 4] = (uint16_t)p;
        sums_of_bytes(&sums, x, w, t->four[p], 4);
    }
    return sums;
}

/* Take the signs of each eight values off. Where seven are stored and the number of minus signs is
 * odd, one value has to have the wrong sign: the one that it costs least. */
static void take_signs(task *t, int stored) {
    for (int g = 0; g < 32; g++) {
        float *x = t->b.x + 8 * g;
        const float *w = t->b.w + 8 * g;
        uint32_t sign = 0;
        int least = 0;
        for (int i = 0; i < 8; i++) {
            sign |= (uint32_t)(x[i] < 0.0f) << i;
            x[i] = fabsf(x[i]);
            if (w[i] * x[i] < w[least] * x[least]) least = i;
        }
        if (stored == 7 && __builtin_parity(sign)) {
            sign ^= 1u << least;
            x[least] = -x[least];
        }
        t->sign[g] = (uint8_t)sign;
    }
}

/* Root of the mean square of a part. */
static float part_size(const task *t, int part) {
    float xx = 0.0f, ww = 0.0f;
    for (int i = part * t->part_len; i < (part + 1) * t->part_len; i++) {
        xx += t->b.w[i] * t->b.x[i] * t->b.x[i];
        ww += t->b.w[i];
    }
    return sqrtf(xx / ww);
}

/* Find d, the scale numbers 0..hi (a scale is d * (step * number + base)) and the points. The
 * ladder begins where a part's root mean square is at `from` on the axis of the codebook. */
static uint16_t fit(task *t, search_pattern *pattern, int hi, float step, float base, float from,
                    int8_t *scale) {
    search_parts p = {pattern, t, BLOCK_LEN / t->part_len, 0, hi, step, base, {0}};
    for (int k = 0; k < p.n_part; k++) {
        const float size = part_size(t, k);
        p.want[k] = size > 0.0f ? search_ladder(pattern, t, k, size / from, 1.22f, 5) : 0.0f;
    }
    const uint16_t half = search_scales(&p, 2, scale);
    const float d = quant_f16_to_f32(half);
    for (int k = 0; k < p.n_part; k++) pattern(t, k, d * (step * (float)scale[k] + base));
    return half;
}

static uint32_t four_signs(const task *t, int part) {
    uint32_t bits = 0;
    for (int g = 0; g < 4; g++) bits |= (t->sign[4 * part + g] & 127u) << 7 * g;
    return bits;
}

static void put_nibbles(const int8_t *v, int n, uint8_t *out) {
    for (int i = 0; i < n; i += 2) out[i / 2] = (uint8_t)(v[i] | v[i + 1] << 4);
}

/* ---- Two bits ---- */

static void iq2_xxs_search(task *t, block_iq2_xxs *b) {
    int8_t scale[SEARCH_PARTS];
    take_signs(t, 7);
    b->d = fit(t, pattern_of_eights, 15, 0.25f, 0.125f, 30.0f, scale);
    for (int k = 0; k < 8; k++) {
        for (int g = 0; g < 4; g++) b->part[k].point[g] = (uint8_t)t->point[4 * k + g];
        b->part[k].sign_scale = four_signs(t, k) | (uint32_t)scale[k] << 28;
    }
}

static void iq2_xs_search(task *t, block_iq2_xs *b) {
    int8_t scale[SEARCH_PARTS];
    take_signs(t, 7);
    b->d = fit(t, pattern_of_eights, 15, 0.25f, 0.125f, 30.0f, scale);
    for (int g = 0; g < 32; g++) b->q[g] = (uint16_t)(t->point[g] | (t->sign[g] & 127) << 9);
    put_nibbles(scale, 16, b->scale);
}

static void iq2_s_search(task *t, block_iq2_s *b) {
    int8_t scale[SEARCH_PARTS];
    take_signs(t, 8);
    *b = (block_iq2_s){0};
    b->d = fit(t, pattern_of_eights, 15, 0.25f, 0.125f, 30.0f, scale);
    for (int g = 0; g < 32; g++) {
        b->point[g] = (uint8_t)t->point[g];
        b->sign[g] = t->sign[g];
        b->high[g / 4] |= (uint8_t)(t->point[g] >> 8 << g % 4 * 2);
    }
    put_nibbles(scale, 16, b->scale);
}

/* ---- Three bits ---- */

static void iq3_xxs_search(task *t, block_iq3_xxs *b) {
    int8_t scale[SEARCH_PARTS];
    take_signs(t, 7);
    b->d = fit(t, pattern_of_fours, 15, 0.5f, 0.25f, 42.0f, scale);
    for (int g = 0; g < 64; g++) b->point[g] = (uint8_t)t->point[g];
    for (int k = 0; k < 8; k++) b->sign_scale[k] = four_signs(t, k) | (uint32_t)scale[k] << 28;
}

static void iq3_s_search(task *t, block_iq3_s *b) {
    int8_t scale[SEARCH_PARTS];
    take_signs(t, 8);
    *b = (block_iq3_s){0};
    b->d = fit(t, pattern_of_fours, 15, 2.0f, 1.0f, 9.5f, scale);
    for (int g = 0; g < 64; g++) {
        b->point[g] = (uint8_t)t->point[g];
        b->high[g / 8] |= (uint8_t)(t->point[g] >> 8 << g % 8);
    }
    memcpy(b->sign, t->sign, sizeof b->sign);
    put_nibbles(scale, 8, b->scale);
}

/* ---- One bit ---- */

/* The nearest points of n values that share a shift. Returns their error. */
static float nearest_shifted(const task *t, int at, int n, float scale, float shift,
                             uint16_t *point) {
    float total = 0.0f, error;
    for (int i = 0; i < n; i += 8) {
        const float *x = t->b.x + at + i, *w = t->b.w + at + i;
        point[i / 8] =
            (uint16_t)iq_nearest_eight(t->grid, x, w, scale, shift, t->point[(at + i) / 8], &error);
        total += error;
    }
    return total;
}

static void sums_of_shifted(search_sums *t, const float *x, const float *w, uint64_t point,
                            float shift) {
    for (int i = 0; i < 8; i++) {
        const float p = (float)(int8_t)(point >> 8 * i & 255) + shift;
        t->xp += w[i] * x[i] * p;
        t->pp += w[i] * p * p;
    }
}

/* Parts in which `together` values share a shift. */
static search_sums pattern_of_shifted(task *t, int part, int together, float scale) {
    search_sums sums = {0};
    for (int at = part * t->part_len; at < (part + 1) * t->part_len; at += together) {
        uint16_t plus[4], minus[4];
        const float error = nearest_shifted(t, at, together, scale, 0.125f, plus);
        const int is_minus = nearest_shifted(t, at, together, scale, -0.125f, minus) < error;
        for (int i = 0; i < together; i += 8) {
            const int g = (at + i) / 8;
            t->minus_shift[g] = (uint8_t)is_minus;
            t->point[g] = is_minus ? minus[i / 8] : plus[i / 8];
            sums_of_shifted(&sums, t->b.x + at + i, t->b.w + at + i, t->eight[t->point[g]],
                            is_minus ? -0.125f : 0.125f);
        }
    }
    return sums;
}

static search_sums pattern_iq1_s(void *ctx, int part, float scale) {
    return pattern_of_shifted(ctx, part, 32, scale);
}

static search_sums pattern_iq1_m(void *ctx, int part, float scale) {
    return pattern_of_shifted(ctx, part, 8, scale);
}

static void iq1_s_search(task *t, block_iq1_s *b) {
    int8_t scale[SEARCH_PARTS];
    b->d = fit(t, pattern_iq1_s, 7, 2.0f, 1.0f, 1.7f, scale);
    for (int k = 0; k < 8; k++) {
        uint32_t high = (uint32_t)scale[k] << 12 | (t->minus_shift[4 * k] ? 0x8000 : 0);
        for (int g = 0; g < 4; g++) {
            b->point[4 * k + g] = (uint8_t)t->point[4 * k + g];
            high |= (uint32_t)(t->point[4 * k + g] >> 8) << 3 * g;
        }
        b->high[k] = (uint16_t)high;
    }
}

static void iq1_m_search(task *t, block_iq1_m *b) {
    int8_t scale[SEARCH_PARTS];
    *b = (block_iq1_m){0};
    const uint16_t d = fit(t, pattern_iq1_m, 7, 2.0f, 1.0f, 1.7f, scale);
    for (int k = 0; k < 4; k++) {
        uint32_t packed = (uint32_t)(d >> 4 * k & 15) << 12;
        for (int i = 0; i < 4; i++) packed |= (uint32_t)scale[4 * k + i] << 3 * i;
        b->scale[k] = (uint16_t)packed;
    }
    for (int g = 0; g < 32; g++) {
        const int h = t->point[g] >> 8 | (t->minus_shift[g] ? 8 : 0);
        b->point[g] = (uint8_t)t->point[g];
        b->high[g / 2] |= (uint8_t)(h << g % 2 * 4);
    }
}

/* ---- Four bits: 16 uneven levels ---- */

/* The number of the level nearest to v: four questions, each halving what is left. */
static int nearest_level(float v) {
    const int8_t *level = quant_iq4_level;
    int low = 0;
    for (int half = 8; half; half /= 2) {
        const float middle = 0.5f * (float)(level[low + half - 1] + level[low + half]);
        low += v > middle ? half : 0;
    }
    return low;
}

static search_sums pattern_of_levels(void *ctx, int part, float scale) {
    const search_block *b = ctx;
    const float *x = b->x + 32 * part, *w = b->w + 32 * part;
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    search_sums sums = {0};
    for (int i = 0; i < 32; i++) {
        const float p = (float)quant_iq4_level[nearest_level(x[i] * inverse)];
        sums.xp += w[i] * x[i] * p;
        sums.pp += w[i] * p * p;
    }
    return sums;
}

static void put_levels(const float *x, float scale, uint8_t *q) {
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    for (int i = 0; i < 16; i++)
        q[i] = (uint8_t)(nearest_level(x[i] * inverse) | nearest_level(x[i + 16] * inverse) << 4);
}

/* The best scale of 32 values, of either sign: the levels reach further below 0 than above. */
static float levels_scale(search_block *b, int part) {
    const float *x = b->x + 32 * part;
    float far = 0.0f;
    for (int i = 0; i < 32; i++)
        if (fabsf(x[i]) > fabsf(far)) far = x[i];
    if (fabsf(far) < 1e-30f) return 0.0f;
    const float down = search_ladder(pattern_of_levels, b, part, far / -150.0f, 1.07f, 9);
    const float up = search_ladder(pattern_of_levels, b, part, far / 130.0f, 1.07f, 9);
    const search_sums d = pattern_of_levels(b, part, down), u = pattern_of_levels(b, part, up);
    return u.xp * u.xp * d.pp > d.xp * d.xp * u.pp ? up : down;
}

static void iq4_nl_search(const float *in, const float *importance, block_iq4_nl *b) {
    search_block s;
    search_prepare(&s, in, importance, 32);
    b->d = search_half_not_zero(levels_scale(&s, 0));
    put_levels(s.x, quant_f16_to_f32(b->d), b->q);
}

static void iq4_xs_search(const float *in, const float *importance, block_iq4_xs *b) {
    search_block s;
    search_parts p = {pattern_of_levels, &s, 8, -32, 31, 1.0f, 0.0f, {0}};
    int8_t scale[SEARCH_PARTS];
    search_prepare(&s, in, importance, BLOCK_LEN);
    for (int k = 0; k < 8; k++) p.want[k] = levels_scale(&s, k);
    *b = (block_iq4_xs){.d = search_scales(&p, 3, scale)};
    for (int k = 0; k < 8; k++) {
        const int v = scale[k] + 32;
        b->scale_low[k / 2] |= (uint8_t)((v & 15) << k % 2 * 4);
        b->scale_high |= (uint16_t)(v >> 4 << 2 * k);
        put_levels(s.x + 32 * k, quant_f16_to_f32(b->d) * (float)scale[k], b->q + 16 * k);
    }
}

QUANT_ONLY_SEARCH_ROWS(iq4_nl, 32)
QUANT_ONLY_SEARCH_ROWS(iq4_xs, BLOCK_LEN)

/* ---- Rows of the others: the codebook is arranged once ---- */

#define GRID_ROWS(type, len, arrange, member, points, level)                             \
    void type##_from_float_weighted(const float *in, void *blocks, size_t n,             \
                                    const float *importance) {                           \
        iq_grid grid;                                                                    \
        block_##type *b = blocks;                                                        \
        arrange(&grid, points, (int)(sizeof points / sizeof *points), level);            \
        for (size_t i = 0; i < n; i += BLOCK_LEN) {                                      \
            task t = {.grid = &grid, .member = points, .part_len = (len)};               \
            search_prepare(&t.b, in + i, importance ? importance + i : NULL, BLOCK_LEN); \
            type##_search(&t, b++);                                                      \
        }                                                                                \
    }                                                                                    \
    void type##_from_float(const float *in, void *blocks, size_t n) {                    \
        type##_from_float_weighted(in, blocks, n, NULL);                                 \
    }
GRID_ROWS(iq2_xxs, 32, iq_grid_of_eight, eight, quant_iq2_xxs_grid, level_iq2)
GRID_ROWS(iq2_xs, 16, iq_grid_of_eight, eight, quant_iq2_xs_grid, level_iq2)
GRID_ROWS(iq2_s, 16, iq_grid_of_eight, eight, quant_iq2_s_grid, level_iq2)
GRID_ROWS(iq3_xxs, 32, iq_grid_of_four, four, quant_iq3_xxs_grid, level_iq3_xxs)
GRID_ROWS(iq3_s, 32, iq_grid_of_four, four, quant_iq3_s_grid, level_iq3_s)
GRID_ROWS(iq1_s, 32, iq_grid_of_eight, eight, quant_iq1_grid, level_iq1)
GRID_ROWS(iq1_m, 16, iq_grid_of_eight, eight, quant_iq1_grid, level_iq1)
