/* fit_kmeans.c - k-means by Lloyd's iteration from k-means++ beginnings (Arthur, Vassilvitskii
 * 2007), the best of TRIES. Sums are in double over the rows in order. */
#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "classic/fit.h"

enum { TRIES = 8, MOST_ROUNDS = 300 };

typedef struct work {
    const table *t;
    size_t k;
    double *centre, *sum; /* [k][cols] */
    double *near;         /* [rows] squared distance to the nearest centre */
    size_t *count;        /* [k] */
    uint32_t *of;         /* [rows] which centre that is */
} work;

static double square(const float *x, const double *c, size_t n) {
    double s = 0;
    for (size_t j = 0; j < n; j++) {
        const double d = (double)x[j] - c[j];
        s += d * d;
    }
    return s;
}

static void put_centre(work *w, size_t c, size_t row) {
    for (size_t j = 0; j < w->t->cols; j++)
        w->centre[c * w->t->cols + j] = (double)w->t->x[row * w->t->cols + j];
}

/* Each further centre is a row, likelier the farther it is from those there are. */
static void begin(work *w, uint64_t *rng) {
    const table *t = w->t;
    put_centre(w, 0, (size_t)rng_below(rng, t->rows));
    for (size_t i = 0; i < t->rows; i++) w->near[i] = (double)INFINITY;
    for (size_t c = 1; c < w->k; c++) {
        double total = 0;
        for (size_t i = 0; i < t->rows; i++) {
            const double d = square(t->x + i * t->cols, w->centre + (c - 1) * t->cols, t->cols);
            if (d < w->near[i]) w->near[i] = d;
            total += w->near[i];
        }
        double at = rng_unit(rng) * total;
        size_t row = 0;
        while (row + 1 < t->rows && (at -= w->near[row]) >= 0) row++;
        put_centre(w, c, row);
    }
}

/* Give every row its nearest centre; the sum of squared distances. *moved: some have another. */
static double assign(work *w, bool *moved) {
    const table *t = w->t;
    double total = 0;
    *moved = false;
    for (size_t i = 0; i < t->rows; i++) {
        uint32_t best = 0;
        double least = (double)INFINITY;
        for (size_t c = 0; c < w->k; c++) {
            const double d = square(t->x + i * t->cols, w->centre + c * t->cols, t->cols);
            if (d < least) {
                least = d;
                best = (uint32_t)c;
            }
        }
        if (w->of[i] != best) *moved = true;
        w->of[i] = best;
        w->near[i] = least;
        total += least;
    }
    return total;
}

/* Centres to the middle of their rows; one without rows goes to the row that is farthest off. */
static void move_centres(work *w) {
    const table *t = w->t;
    for (size_t i = 0; i < w->k * t->cols; i++) w->sum[i] = 0;
    for (size_t c = 0; c < w->k; c++) w->count[c] = 0;
    for (size_t i = 0; i < t->rows; i++) {
        w->count[w->of[i]]++;
        for (size_t j = 0; j < t->cols; j++)
            w->sum[w->of[i] * t->cols + j] += (double)t->x[i * t->cols + j];
    }
    for (size_t c = 0; c < w->k; c++) {
        size_t far = 0;
        for (size_t j = 0; w->count[c] && j < t->cols; j++)
            w->centre[c * t->cols + j] = w->sum[c * t->cols + j] / (double)w->count[c];
        if (w->count[c]) continue;
        for (size_t i = 1; i < t->rows; i++)
            if (w->near[i] > w->near[far]) far = i;
        put_centre(w, c, far);
        w->near[far] = 0;
    }
}

static void put_model(const work *w, double inertia, size_t rounds, buf *out) {
    buf_clear(out);
    payload_put_u64(out, w->k);
    payload_put_u64(out, w->t->cols);
    for (size_t i = 0; i < w->k * w->t->cols; i++) payload_put_f32(out, (float)w->centre[i]);
    payload_put_f32(out, (float)inertia);
    payload_put_u64(out, rounds);
}

static status search(work *w, const fit_options *opt, buf *out, err *e) {
    double best = (double)INFINITY;
    for (uint64_t i = 0; i < TRIES; i++) {
        uint64_t rng = opt->seed + i * 0x9e3779b97f4a7c15ull;
        bool moved = true;
        double inertia = 0;
        size_t rounds = 0;
        TRY(fit_tell(opt, i, TRIES, e));
        begin(w, &rng);
        for (size_t r = 0; r < w->t->rows; r++) w->of[r] = UINT32_MAX;
        for (; rounds < MOST_ROUNDS; rounds++) {
            inertia = assign(w, &moved);
            if (!moved) break;
            move_centres(w);
        }
        if (!(inertia < best)) continue;
        best = inertia;
        put_model(w, inertia, rounds, out);
    }
    return RZ_OK;
}

status fit_k_means(const table *t, const fit_options *opt, uint16_t *type, buf *out, err *e) {
    work w = {.t = t, .k = opt->clusters ? opt->clusters : t->classes ? t->classes : 8};
    *type = 6;
    if (w.k > t->rows || w.k > CLASSIC_MAX_CLASSES)
        return err_set(e, RZ_EINVAL, "%zu clusters of %zu rows", w.k, t->rows);
    size_t cells = 0;
    const bool over = mem_mul_over(w.k, t->cols, &cells);
    w.centre = over ? NULL : mem_array(cells, sizeof *w.centre);
    w.sum = over ? NULL : mem_array(cells, sizeof *w.sum);
    w.near = mem_array(t->rows, sizeof *w.near);
    w.count = mem_array(w.k, sizeof *w.count);
    w.of = mem_array(t->rows, sizeof *w.of);
    const bool fits = w.centre && w.sum && w.near && w.count && w.of;
    const status s =
        fits ? search(&w, opt, out, e) : err_set(e, RZ_ENOMEM, "out of memory for clusters");
    mem_free(w.centre);
    mem_free(w.sum);
    mem_free(w.near);
    mem_free(w.count);
    mem_free(w.of);
    return s;
}
