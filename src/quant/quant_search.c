/* quant_search.c - least squares over whole numbers, by trying.
 *
 * For given q the best d and m are a linear regression; for given d and m the best q is rounding.
 * To alternate the two only finds the nearest local minimum, of which there are many. So a ladder
 * of scales around the range of the values is tried, each improved by one regression, and only the
 * best alternates on.
 *
 * Four values are worked on at a time with the compiler's vector types. They need no instruction
 * set beyond the baseline, and their sums are added in one order everywhere. */
#include "quant/quant_search.h"

#include <math.h>
#include <string.h>

#include "quant/quant.h"

typedef float v4 __attribute__((vector_size(16)));
typedef int32_t i4 __attribute__((vector_size(16)));

static inline v4 load(const float *p) {
    v4 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline v4 all(float f) { return (v4){f, f, f, f}; }
static inline float sum(v4 v) { return (v[0] + v[2]) + (v[1] + v[3]); }

static inline v4 pick(i4 mask, v4 yes, v4 no) { return (v4)((mask & (i4)yes) | (~mask & (i4)no)); }

/* Nearest whole number in lo..hi. Adding 1.5 * 2^23 leaves no bits behind the point. */
static inline v4 nearest(v4 v, v4 lo, v4 hi) {
    const v4 shift = all(0x1.8p23f);
    v = pick(v < lo, lo, v);
    v = pick(v > hi, hi, v);
    return v + shift - shift;
}

void search_prepare(search_block *s, const float *in, const float *importance, size_t n) {
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        const float x = in[i];
        s->x[i] = x != x ? 0.0f : x > 1e9f ? 1e9f : x < -1e9f ? -1e9f : x;
        s->w[i] = 1.0f;
        if (importance && importance[i] > 0.0f && importance[i] < INFINITY)
            total += (double)importance[i];
    }
    if (!(total > 0)) return;
    /* A floor, so that values nobody asked for do not become arbitrary. */
    const double scale = (double)n / total;
    for (size_t i = 0; i < n; i++) {
        const double w = (double)importance[i] * scale;
        s->w[i] = 1e-4f + (w > 0 && w <= (double)n ? (float)w : 0.0f);
    }
}

float search_error(const search_span *s, float d, float m) {
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    const v4 lo = all((float)s->lo), hi = all((float)s->hi);
    v4 error = all(0.0f);
    for (int i = 0; i < s->n; i += 4) {
        const v4 x = load(s->x + i) + m, q = nearest(x * inverse, lo, hi), e = x - q * d;
        error += load(s->w + i) * e * e;
    }
    return sum(error);
}

void search_levels(const search_span *s, float d, float m, int8_t *q) {
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    const v4 lo = all((float)s->lo), hi = all((float)s->hi);
    for (int i = 0; i < s->n; i += 4) {
        const v4 v = nearest((load(s->x + i) + m) * inverse, lo, hi);
        for (int k = 0; k < 4; k++) q[i + k] = (int8_t)v[k];
    }
}

/* Weighted sums over a span after rounding (x + m) * inverse. */
typedef struct sums {
    float q, qq, xq;
} sums;

static sums round_sums(const search_span *s, float inverse, float m) {
    const v4 lo = all((float)s->lo), hi = all((float)s->hi);
    v4 q = all(0.0f), qq = q, xq = q;
    for (int i = 0; i < s->n; i += 4) {
        const v4 x = load(s->x + i), v = nearest((x + m) * inverse, lo, hi);
        const v4 wv = load(s->w + i) * v;
        q += wv;
        qq += wv * v;
        xq += wv * x;
    }
    return (sums){sum(q), sum(qq), sum(xq)};
}

/* ---- x ~ d * q ---- */

search_sums search_rounded(const search_span *s, float scale) {
    const sums t = round_sums(s, scale != 0.0f ? 1.0f / scale : 0.0f, 0.0f);
    return (search_sums){t.xq, t.qq};
}

/* With the best d for given q the error is sum w x^2 less this. */
static float gain(sums t) { return t.qq > 0.0f ? t.xq * t.xq / t.qq : 0.0f; }

float search_scale(const search_span *s) {
    float far = 0.0f;
    for (int i = 0; i < s->n; i++)
        if (fabsf(s->x[i]) > fabsf(far)) far = s->x[i];
    if (fabsf(far) < 1e-30f) return 0.0f;
    /* The farthest value becomes lo; or more, and is cut off; or less. lo has no partner in hi:
     * where levels are few that matters, and the other sign is tried too. */
    const float lo = (float)s->lo;
    enum { STEPS = 18 };
    float best = 0.0f, d = 0.0f;
    for (int k = 0; k < STEPS; k++) {
        const float to = (1.15f * lo - 0.5f) * (1.0f - (float)k * 0.025f);
        for (int sign = 0; sign < (s->hi < 10 ? 2 : 1); sign++) {
            const sums t = round_sums(s, sign ? -to / far : to / far, 0.0f);
            if (gain(t) > best) best = gain(t), d = t.xq / t.qq;
        }
    }
    for (int k = 0; k < 3 && d != 0.0f; k++) {
        const sums t = round_sums(s, 1.0f / d, 0.0f);
        if (!(gain(t) > best)) break;
        best = gain(t), d = t.xq / t.qq;
    }
    return d;
}

/* ---- x ~ d * q - m ---- */

typedef struct moments {
    float w, x, xx;
} moments;

/* The regression for given q, and its error. */
static search_line regress(const moments *a, sums t, int any_sign, float *error) {
    const float det = a->w * t.qq - t.q * t.q;
    search_line line = {0};
    if (det > 1e-6f * a->w * t.qq) {
        line.d = (a->w * t.xq - a->x * t.q) / det;
        line.m = (t.q * t.xq - t.qq * a->x) / det;
    } else {
        line.m = -a->x / a->w;
    }
    if (line.m < 0.0f && !any_sign) {
        line.m = 0.0f;
        line.d = t.qq > 0.0f ? t.xq / t.qq : 0.0f;
    }
    if (line.d < 0.0f) line.d = 0.0f;
    const float d = line.d, m = line.m;
    *error = a->xx + d * d * t.qq + m * m * a->w - 2.0f * (d * (t.xq + m * t.q) - m * a->x);
    return line;
}

search_line search_affine(const search_span *s, int any_sign) {
    float min = s->x[0], max = s->x[0];
    moments a = {0};
    for (int i = 0; i < s->n; i++) {
        if (s->x[i] < min) min = s->x[i];
        if (s->x[i] > max) max = s->x[i];
        a.w += s->w[i];
        a.x += s->w[i] * s->x[i];
        a.xx += s->w[i] * s->x[i] * s->x[i];
    }
    if (min > 0.0f && !any_sign) min = 0.0f;
    if (max - min < 1e-30f) return (search_line){0.0f, -min};
    float best = INFINITY;
    search_line line = {0};
    enum { STEPS = 12 };
    for (int k = 0; k < STEPS; k++) {
        const float to = (float)s->hi * (1.0f + 0.04f * (float)k) + 0.1f * (float)k - 0.3f;
        const float over = (max - min) - (max - min) * (float)s->hi / to;
        for (int side = 0; side < 3; side++) {
            float error;
            const float m = -min - over * 0.5f * (float)side;
            const sums t = round_sums(s, to / (max - min), m);
            const search_line l = regress(&a, t, any_sign, &error);
            if (error < best) best = error, line = l;
        }
    }
    for (int k = 0; k < 4 && line.d > 0.0f; k++) {
        float error;
        const search_line l = regress(&a, round_sums(s, 1.0f / line.d, line.m), any_sign, &error);
        if (!(error < best)) break;
        best = error, line = l;
    }
    return line;
}

/* ---- x ~ scale * pattern ---- */

float search_ladder(search_pattern *pattern, void *ctx, int part, float first, float ratio, int n) {
    float best = 0.0f, scale = 0.0f;
    for (int k = 0; k < n; k++, first *= ratio) {
        const search_sums t = pattern(ctx, part, first);
        if (!(t.pp > 0.0f && t.xp * t.xp / t.pp > best)) continue;
        best = t.xp * t.xp / t.pp;
        scale = t.xp / t.pp;
    }
    for (int k = 0; k < 3 && scale != 0.0f; k++) {
        const search_sums t = pattern(ctx, part, scale);
        if (!(t.pp > 0.0f && t.xp * t.xp / t.pp > best)) break;
        best = t.xp * t.xp / t.pp;
        scale = t.xp / t.pp;
    }
    return scale;
}

/* Choose the scale numbers for d. Returns how much the error is lowered below that of all zeros;
 * *better is the d that would suit the choice best. */
static float choose_scales(const search_parts *p, float d, int8_t *scale, float *better) {
    float total = 0.0f, fx = 0.0f, ff = 0.0f;
    for (int k = 0; k < p->n_part; k++) {
        float least = INFINITY, factor = 0.0f;
        search_sums kept = {0};
        float s = floorf((p->want[k] / d - p->base) / p->step);
        s = fmaxf(fminf(s, (float)(p->hi - 1)), (float)p->lo);
        for (int i = 0; i < 2; i++, s += 1.0f) {
            const float f = p->step * s + p->base;
            const search_sums t = p->pattern(p->ctx, k, d * f);
            const float error = d * f * (d * f * t.pp - 2.0f * t.xp);
            if (!(error < least)) continue;
            least = error;
            factor = f;
            kept = t;
            scale[k] = (int8_t)s;
        }
        total -= least;
        fx += factor * kept.xp;
        ff += factor * factor * kept.pp;
    }
    *better = ff > 0.0f ? fx / ff : 0.0f;
    return total;
}

uint16_t search_scales(const search_parts *p, int n_try, int8_t *scale) {
    float most = 0.0f, best = 0.0f, next = 0.0f;
    uint16_t half = 0;
    for (int k = 0; k < p->n_part; k++) {
        if (fabsf(p->want[k]) > fabsf(most)) most = p->want[k];
        scale[k] = 0;
    }
    if (most == 0.0f) return 0;
    /* The part that wants most gets the largest factor, or half a number more or less. */
    const float end = p->step * (float)(p->lo < 0 ? p->lo : p->hi) + p->base;
    for (int k = 0; k < n_try + 3; k++) {
        static const float off[] = {0.0f, 0.5f, -0.5f, 1.0f, -1.0f, 1.5f, 2.0f};
        const float d = k < n_try ? most / (end + off[k] * (end < 0 ? -p->step : p->step)) : next;
        const uint16_t h = search_half_not_zero(d);
        float better;
        int8_t s[SEARCH_PARTS];
        if (h == 0) break;
        const float lowered = choose_scales(p, quant_f16_to_f32(h), s, &better);
        if (lowered > best) {
            best = lowered;
            next = better;
            half = h;
            memcpy(scale, s, (size_t)p->n_part);
        } else if (k >= n_try) {
            break;
        }
    }
    return half;
}

/* ---- Halves ---- */

uint16_t search_half(float f) { return quant_f32_to_f16(fmaxf(fminf(f, 65504.0f), -65504.0f)); }

uint16_t search_half_not_zero(float f) {
    const uint16_t h = search_half(f);
    return (h & 0x7fff) == 0 && f != 0.0f ? (uint16_t)(h | 1) : h;
}
