/* ops_route.c - choosing experts for each row, and adding what they answer.
 *
 * Both work row by row in a fixed order (experts by score, ties to the lower number; sums over the
 * chosen in that order), so a row's result does not depend on its neighbours. */
#include "kernels/ops_route.h"

#include <math.h>

/* p[E] = softmax(z[E]). Sums in double: E is small and the order is that of the experts. */
static void softmax(float *p, const float *z, uint32_t E) {
    float max = z[0];
    double sum = 0;
    for (uint32_t i = 1; i < E; i++) max = fmaxf(max, z[i]);
    for (uint32_t i = 0; i < E; i++) {
        p[i] = expf(z[i] - max);
        sum += (double)p[i];
    }
    for (uint32_t i = 0; i < E; i++) p[i] = (float)((double)p[i] / sum);
}

static float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

/* Largest of c[from..to), -1 when none is left; the first of equals. */
static int64_t best(const float *c, uint32_t from, uint32_t to) {
    int64_t at = -1;
    for (uint32_t i = from; i < to; i++)
        if (c[i] > -INFINITY && (at < 0 || c[i] > c[at])) at = i;
    return at;
}

/* DeepSeek's limit: only experts of the best groups may be chosen. A group is judged by its largest
 * score, or (with a selection bias, V3) by the sum of its two largest. */
static void limit_groups(float *c, const route_config *r) {
    float score[ROUTE_MAX_GROUPS] = {0};
    const uint32_t each = r->n_expert / r->n_group;
    for (uint32_t g = 0; g < r->n_group; g++) {
        const uint32_t from = g * each;
        const int64_t first = best(c, from, from + each);
        score[g] = first < 0 ? -INFINITY : c[first];
        if (!r->two_per_group || first < 0) continue;
        const float kept = c[first];
        c[first] = -INFINITY;
        const int64_t second = best(c, from, from + each);
        c[first] = kept;
        if (second >= 0) score[g] += c[second];
    }
    bool keep[ROUTE_MAX_GROUPS] = {false};
    for (uint32_t k = 0; k < r->n_group_used; k++) {
        const int64_t g = best(score, 0, r->n_group);
        if (g < 0) break;
        keep[g] = true;
        score[g] = -INFINITY;
    }
    for (uint32_t g = 0; g < r->n_group; g++)
        for (uint32_t i = 0; i < each && !keep[g]; i++) c[g * each + i] = -INFINITY;
}

void ops_route(const route_config *r, float *z, const float *bias, int32_t *id, float *w,
               uint32_t T) {
    const uint32_t E = r->n_expert, k = r->n_used;
    float p[ROUTE_MAX_EXPERTS] = {0}, choice[ROUTE_MAX_EXPERTS] = {0};
    for (uint32_t t = 0; t < T; t++, z += E, id += k, w += k) {
        if (r->sigmoid)
            for (uint32_t i = 0; i < E; i++) p[i] = sigmoid(z[i]);
        else softmax(p, z, E);
        for (uint32_t i = 0; i < E; i++) choice[i] = bias ? p[i] + bias[i] : p[i];
        if (r->n_group > 1) limit_groups(choice, r);
        float sum = 0;
        for (uint32_t j = 0; j < k; j++) {
            int64_t e = best(choice, 0, E);
            if (e < 0) e = 0; /* rows of NaN: any expert will do */
            choice[e] = -INFINITY;
            id[j] = (int32_t)e;
            w[j] = p[e];
            sum += p[e];
        }
        for (uint32_t j = 0; j < k; j++) {
            if (r->renormalise) w[j] /= sum > 0 ? sum : 1;
            w[j] *= r->scale;
        }
    }
}

void ops_scatter_add(float *y, const float *x, const uint32_t *row, const float *w, uint32_t n,
                     uint32_t D) {
    for (uint32_t i = 0; i < n; i++, x += D) {
        float *to = y + (size_t)row[i] * D;
        for (uint32_t d = 0; d < D; d++) to[d] += w[i] * x[d];
    }
}
