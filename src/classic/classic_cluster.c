/* classic_cluster.c - models of distances and projections: k-means, principal components, nearest
 * neighbours.
 *
 *   KMeans  u64 clusters, u64 inputs, f32[clusters * inputs] centres, f32 sum of squared distances
 *           when fitted, u64 iterations
 *   PCA     u64 components, u64 inputs, f32[inputs] means, f32[components * inputs] directions,
 *           f32[components] variances
 *   KNN     u64 neighbours, u8 distance (0 Euclid, 1 Manhattan), u8 weights (0 all alike, 1 by
 *           1 / distance), u64 rows, u64 inputs, u64 classes (0: the answer is a value),
 *           f32[rows * inputs], then for each row its class as u32, or its value as f32 */
#include <math.h>

#include "classic/classic.h"

static status no_memory(err *e) { return err_set(e, RZ_ENOMEM, "out of memory for a model"); }

/* In double, over the inputs in order. */
static double square_distance(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)a[i] - (double)b[i];
        sum += d * d;
    }
    return sum;
}

/* ---- k-means ---- */

typedef struct k_means {
    size_t k;
    float *centre; /* [k][inputs] */
    float inertia;
    size_t iterations;
} k_means;

static status k_means_read(classic *c, payload *r, err *e) {
    k_means *m = arena_zero(&c->mem, 1, sizeof *m);
    if (!m) return no_memory(e);
    TRY(payload_size(r, "the number of clusters", 1, CLASSIC_MAX_CLASSES, &m->k, e));
    TRY(payload_size(r, "the number of features", 1, CLASSIC_MAX_INPUTS, &c->inputs, e));
    TRY(payload_floats(r, "centres", m->k, c->inputs, &m->centre, e));
    TRY(payload_f32(r, "the sum of squared distances", &m->inertia, e));
    TRY(payload_size(r, "the number of iterations", 0, SIZE_MAX, &m->iterations, e));
    c->m = m;
    c->classes = m->k;
    c->no_proba = true;
    c->params = m->k * c->inputs;
    return RZ_OK;
}

static void k_means_write(const classic *c, buf *out) {
    const k_means *m = c->m;
    payload_put_u64(out, m->k);
    payload_put_u64(out, c->inputs);
    payload_put_floats(out, m->centre, m->k * c->inputs);
    payload_put_f32(out, m->inertia);
    payload_put_u64(out, m->iterations);
}

static void k_means_run(const classic *c, const float *x, size_t rows, bool proba, float *y,
                        float *work) {
    const k_means *m = c->m;
    (void)proba, (void)work;
    for (size_t t = 0; t < rows; t++, x += c->inputs) {
        size_t best = 0;
        double least = square_distance(x, m->centre, c->inputs);
        for (size_t i = 1; i < m->k; i++) {
            const double d = square_distance(x, m->centre + i * c->inputs, c->inputs);
            if (d < least) {
                least = d;
                best = i;
            }
        }
        y[t] = (float)best;
    }
}

const classic_kind classic_k_means = {k_means_read, k_means_write, k_means_run, NULL};

/* ---- Principal components ---- */

typedef struct pca {
    float *mean;      /* [inputs] */
    float *direction; /* [outputs][inputs] */
    float *variance;  /* [outputs] */
} pca;

static status pca_read(classic *c, payload *r, err *e) {
    pca *m = arena_zero(&c->mem, 1, sizeof *m);
    if (!m) return no_memory(e);
    TRY(payload_size(r, "the number of components", 1, CLASSIC_MAX_INPUTS, &c->outputs, e));
    TRY(payload_size(r, "the number of features", 1, CLASSIC_MAX_INPUTS, &c->inputs, e));
    TRY(payload_floats(r, "means", c->inputs, 1, &m->mean, e));
    TRY(payload_floats(r, "directions", c->outputs, c->inputs, &m->direction, e));
    TRY(payload_floats(r, "variances", c->outputs, 1, &m->variance, e));
    c->m = m;
    c->work = c->inputs;
    c->params = c->outputs * (c->inputs + 1) + c->inputs;
    return RZ_OK;
}

static void pca_write(const classic *c, buf *out) {
    const pca *m = c->m;
    payload_put_u64(out, c->outputs);
    payload_put_u64(out, c->inputs);
    payload_put_floats(out, m->mean, c->inputs);
    payload_put_floats(out, m->direction, c->outputs * c->inputs);
    payload_put_floats(out, m->variance, c->outputs);
}

static void pca_run(const classic *c, const float *x, size_t rows, bool proba, float *y,
                    float *work) {
    const pca *m = c->m;
    (void)proba;
    for (size_t t = 0; t < rows; t++, x += c->inputs) {
        for (size_t i = 0; i < c->inputs; i++) work[i] = x[i] - m->mean[i];
        classic_affine(c->k, work, 1, c->inputs, m->direction, NULL, c->outputs,
                       y + t * c->outputs);
    }
}

const classic_kind classic_pca = {pca_read, pca_write, pca_run, NULL};

/* ---- Nearest neighbours ---- */

typedef struct knn {
    size_t k, rows;
    uint8_t manhattan, by_distance;
    float *x;        /* [rows][inputs] */
    uint32_t *class; /* [rows], or NULL */
    float *value;    /* [rows], or NULL */
} knn;

static status knn_read(classic *c, payload *r, err *e) {
    knn *m = arena_zero(&c->mem, 1, sizeof *m);
    if (!m) return no_memory(e);
    TRY(payload_size(r, "the number of neighbours", 1, SIZE_MAX, &m->k, e));
    TRY(payload_u8(r, "the kind of distance", &m->manhattan, e));
    TRY(payload_u8(r, "the kind of weights", &m->by_distance, e));
    if (m->manhattan > 1 || m->by_distance > 1)
        return err_set(e, RZ_EUNSUPPORTED, "distance %u with weights %u, expected 0 or 1",
                       m->manhattan, m->by_distance);
    TRY(payload_size(r, "the number of rows", m->k, UINT32_MAX, &m->rows, e));
    TRY(payload_size(r, "the number of features", 1, CLASSIC_MAX_INPUTS, &c->inputs, e));
    TRY(payload_size(r, "the number of classes", 0, CLASSIC_MAX_CLASSES, &c->classes, e));
    TRY(payload_floats(r, "rows", m->rows, c->inputs, &m->x, e));
    if (c->classes)
        TRY(payload_u32s(r, "classes of rows", m->rows, (uint32_t)c->classes, &m->class, e));
    else TRY(payload_floats(r, "values of rows", m->rows, 1, &m->value, e));
    c->m = m;
    /* The nearest so far: distance and row; then the shares of the classes. */
    c->work = 2 * m->k + c->classes;
    c->params = m->rows * (c->inputs + 1);
    return RZ_OK;
}

static void knn_write(const classic *c, buf *out) {
    const knn *m = c->m;
    payload_put_u64(out, m->k);
    payload_put_u8(out, m->manhattan);
    payload_put_u8(out, m->by_distance);
    payload_put_u64(out, m->rows);
    payload_put_u64(out, c->inputs);
    payload_put_u64(out, c->classes);
    payload_put_floats(out, m->x, m->rows * c->inputs);
    for (size_t i = 0; i < m->rows; i++) {
        if (c->classes) payload_put_u32(out, m->class[i]);
        else payload_put_f32(out, m->value[i]);
    }
}

static float distance(const knn *m, const float *a, const float *b, size_t n) {
    if (!m->manhattan) return (float)sqrt(square_distance(a, b, n));
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += fabs((double)a[i] - (double)b[i]);
    return (float)sum;
}

/* The k nearest, nearest first; of rows as near as each other the first ones. A row number is kept
 * as the bits of a float. */
static void nearest(const classic *c, const knn *m, const float *x, float *dist, float *which) {
    size_t n = 0;
    for (size_t i = 0; i < m->rows; i++) {
        const float d = distance(m, x, m->x + i * c->inputs, c->inputs);
        if (n == m->k && !(d < dist[n - 1])) continue;
        size_t at = n < m->k ? n++ : n - 1;
        for (; at > 0 && d < dist[at - 1]; at--) {
            dist[at] = dist[at - 1];
            memcpy(&which[at], &which[at - 1], sizeof *which);
        }
        const uint32_t row = (uint32_t)i;
        dist[at] = d;
        memcpy(&which[at], &row, sizeof row);
    }
}

/* Rows at no distance, when there are some, decide alone. */
static double weight_of(const knn *m, float d, bool exact) {
    if (!m->by_distance) return 1;
    if (exact) return d == 0;
    return 1 / (double)d;
}

static void knn_run(const classic *c, const float *x, size_t rows, bool proba, float *y,
                    float *work) {
    const knn *m = c->m;
    float *dist = work, *which = work + m->k, *share = work + 2 * m->k;
    for (size_t t = 0; t < rows; t++, x += c->inputs) {
        double total = 0, value = 0;
        nearest(c, m, x, dist, which);
        for (size_t i = 0; i < c->classes; i++) share[i] = 0;
        for (size_t i = 0; i < m->k; i++) {
            uint32_t row;
            memcpy(&row, &which[i], sizeof row);
            const double w = weight_of(m, dist[i], dist[0] == 0);
            total += w;
            if (c->classes) share[m->class[row]] += (float)w;
            else value += w * (double)m->value[row];
        }
        if (!c->classes) y[t] = (float)(value / total);
        else if (!proba) y[t] = (float)classic_argmax(share, c->classes);
        for (size_t i = 0; proba && i < c->classes; i++)
            y[t * c->classes + i] = (float)((double)share[i] / total);
    }
}

const classic_kind classic_knn = {knn_read, knn_write, knn_run, NULL};
