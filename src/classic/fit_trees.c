/* fit_trees.c - one decision tree; many of them on samples of rows and columns (Breiman 2001); and
 * one after the other, each on what the others left over (Friedman 2001). */
#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "classic/fit.h"
#include "classic/grow.h"

enum { TREE_DEPTH = 16, BOOST_DEPTH = 3, TREES = 100, MOST_TREES = 1 << 20, MOST_DEPTH = 64 };

static status check(const fit_options *opt, err *e) {
    if (opt->depth > MOST_DEPTH)
        return err_set(e, RZ_EINVAL, "trees %zu deep, at most %d", opt->depth, MOST_DEPTH);
    if (opt->trees > MOST_TREES)
        return err_set(e, RZ_EINVAL, "%zu trees, at most %d", opt->trees, MOST_TREES);
    return RZ_OK;
}

/* The answers of a table as the grower wants them; *values is to be freed. */
static status begin(grower *g, const table *t, const fit_options *opt, double **values, err *e) {
    *g = (grower){.t = t, .leaf_scale = 1, .most_depth = opt->depth ? opt->depth : TREE_DEPTH};
    *values = NULL;
    TRY(check(opt, e));
    if (opt->classify) {
        g->class = t->class;
        g->classes = t->classes;
    } else {
        *values = mem_array(t->rows, sizeof **values);
        if (!*values) return err_set(e, RZ_ENOMEM, "out of memory for answers");
        for (size_t i = 0; i < t->rows; i++) (*values)[i] = (double)t->value[i];
        g->value = *values;
    }
    return grow_begin(g, e);
}

static void put_shape(const table *t, const fit_options *opt, buf *out) {
    payload_put_u64(out, t->cols);
    payload_put_u64(out, opt->classify ? t->classes : 0);
}

status fit_tree(const table *t, const fit_options *opt, uint16_t *type, buf *out, err *e) {
    grower g;
    double *values;
    *type = 3;
    put_shape(t, opt, out);
    status s = begin(&g, t, opt, &values, e);
    if (s >= 0) {
        for (size_t i = 0; i < t->rows; i++) g.row[i] = (uint32_t)i;
        s = grow_tree(&g, t->rows, out, e);
    }
    grow_done(&g);
    mem_free(values);
    return s;
}

status fit_forest(const table *t, const fit_options *opt, uint16_t *type, buf *out, err *e) {
    const size_t n = opt->trees ? opt->trees : TREES;
    const double some = opt->classify ? sqrt((double)t->cols) : (double)t->cols / 3;
    grower g;
    double *values;
    *type = 4;
    put_shape(t, opt, out);
    payload_put_u64(out, n);
    status s = begin(&g, t, opt, &values, e);
    g.features = some < 1 ? 1 : (size_t)some;
    for (size_t i = 0; i < n && s >= 0; i++) {
        g.rng = opt->seed + i * 0x9e3779b97f4a7c15ull;
        for (size_t r = 0; r < t->rows; r++) g.row[r] = (uint32_t)rng_below(&g.rng, t->rows);
        /* The order that earlier trees drew features in is none of this tree's business. */
        for (size_t c = 0; c < t->cols; c++) g.feature[c] = (uint32_t)c;
        s = grow_tree(&g, t->rows, out, e);
        if (s >= 0) s = fit_tell(opt, i + 1, n, e);
    }
    grow_done(&g);
    mem_free(values);
    return s;
}

/* ---- Boosting ---- */

typedef struct boost {
    const table *t;
    bool classify;
    size_t n_sum;           /* sums a row has */
    float *sum;             /* [rows][n_sum] */
    double *value, *weight; /* [rows] of the tree that is grown */
    float *chance;          /* [n_sum] */
    float rate;
} boost;

/* Where the sums begin: the mean, the log odds, the logs of the shares. */
static void first_sums(const boost *b, float *first) {
    const table *t = b->t;
    for (size_t k = 0; k < b->n_sum; k++) {
        double n = 0;
        for (size_t i = 0; i < t->rows; i++) {
            if (!b->classify) n += (double)t->value[i];
            else n += b->n_sum == 1 ? t->class[i] == 1 : t->class[i] == k;
        }
        const double share = n / (double)t->rows;
        if (!b->classify) first[k] = (float)share;
        else if (b->n_sum == 1) first[k] = (float)log(fmax(share, 1e-6) / fmax(1 - share, 1e-6));
        else first[k] = (float)log(fmax(share, 1e-6));
    }
}

/* What is left over of class k (or of the value), and its curvature for the leaves. */
static void residuals(boost *b, size_t k) {
    for (size_t i = 0; i < b->t->rows; i++) {
        const float *sum = b->sum + i * b->n_sum;
        if (!b->classify) {
            b->value[i] = (double)b->t->value[i] - (double)sum[0];
            b->weight[i] = 1;
            continue;
        }
        double p;
        if (b->n_sum == 1) {
            p = classic_sigmoid((double)sum[0]);
            b->value[i] = (b->t->class[i] == 1) - p;
        } else {
            memcpy(b->chance, sum, b->n_sum * sizeof *sum);
            classic_softmax(b->chance, b->n_sum);
            p = (double)b->chance[k];
            b->value[i] = (b->t->class[i] == k) - p;
        }
        b->weight[i] = p * (1 - p);
    }
}

static status boost_round(boost *b, grower *g, size_t k, buf *out, err *e) {
    residuals(b, k);
    for (size_t i = 0; i < b->t->rows; i++) g->row[i] = (uint32_t)i;
    return grow_tree(g, b->t->rows, out, e);
}

/* The trees of one round see the same sums, and are added after it: `added` holds what. */
static status boost_all(boost *b, grower *g, size_t rounds, const fit_options *opt, float *added,
                        buf *out, err *e) {
    for (size_t round = 0; round < rounds; round++) {
        for (size_t k = 0; k < b->n_sum; k++) {
            TRY(boost_round(b, g, k, out, e));
            for (size_t i = 0; i < b->t->rows; i++)
                added[i * b->n_sum + k] = grow_ask(g, b->t->x + i * b->t->cols);
        }
        for (size_t i = 0; i < b->t->rows * b->n_sum; i++) b->sum[i] += b->rate * added[i];
        TRY(fit_tell(opt, round + 1, rounds, e));
    }
    return RZ_OK;
}

static status boost_table(boost *b, const fit_options *opt, float *added, buf *out, err *e) {
    const size_t rounds = opt->trees ? opt->trees : TREES;
    grower g = {.t = b->t,
                .value = b->value,
                .weight = b->weight,
                .leaf_scale = b->n_sum > 1 ? (double)(b->n_sum - 1) / (double)b->n_sum : 1,
                .most_depth = opt->depth ? opt->depth : BOOST_DEPTH};
    payload_put_f32(out, b->rate);
    payload_put_u64(out, b->n_sum);
    first_sums(b, b->chance);
    payload_put_floats(out, b->chance, b->n_sum);
    payload_put_u64(out, rounds * b->n_sum);
    for (size_t i = 0; i < b->t->rows; i++)
        memcpy(b->sum + i * b->n_sum, b->chance, b->n_sum * sizeof *b->sum);
    status s = grow_begin(&g, e);
    if (s >= 0) s = boost_all(b, &g, rounds, opt, added, out, e);
    grow_done(&g);
    return s;
}

status fit_boosting(const table *t, const fit_options *opt, uint16_t *type, buf *out, err *e) {
    boost b = {.t = t,
               .classify = opt->classify,
               .n_sum = opt->classify && t->classes > 2 ? t->classes : 1,
               .rate = (float)(opt->rate >= 0 ? opt->rate : 0.1)};
    size_t cells = 0;
    *type = 5;
    TRY(check(opt, e));
    put_shape(t, opt, out);
    const bool over = mem_mul_over(t->rows, b.n_sum, &cells);
    float *added = over ? NULL : mem_array(cells, sizeof *added);
    b.sum = over ? NULL : mem_array(cells, sizeof *b.sum);
    b.value = mem_array(t->rows, sizeof *b.value);
    b.weight = mem_array(t->rows, sizeof *b.weight);
    b.chance = mem_array(b.n_sum, sizeof *b.chance);
    const bool fits = added && b.sum && b.value && b.weight && b.chance;
    const status s = fits ? boost_table(&b, opt, added, out, e)
                          : err_set(e, RZ_ENOMEM, "out of memory for sums");
    mem_free(added);
    mem_free(b.sum);
    mem_free(b.value);
    mem_free(b.weight);
    mem_free(b.chance);
    return s;
}
