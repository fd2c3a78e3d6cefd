/* classic_tree.c - decision trees, and sums of them: random forests and gradient boosting.
 *
 *   DecisionTree      u64 inputs, u64 classes (0: the answer is a value), tree
 *   RandomForest      u64 inputs, u64 classes (0), u64 trees, trees: the mean of their leaves
 *   GradientBoosting  u64 inputs, u64 classes (0), f32 learning rate, u64 n, f32[n] where the sums
 *                     begin, u64 trees, trees: tree i is added to sum i % n. n is 1 for values and
 *                     two classes (the sum is a logit), else the number of classes (softmax).
 *
 *   tree   u64 nodes, nodes, u64 n, f32[n] leaves one after the other: the share of each class, or
 *          one value
 *   node   u32 feature, f32 threshold, u32 left, u32 right: left when the feature is at most the
 *          threshold, right when it is more or no number. Both lie behind the node itself, so that
 *          every walk ends. Feature 0xffffffff: a leaf, `left` is its number, the rest 0. */
#include "classic/classic.h"
#include "classic/tree.h"

typedef struct trees {
    tree *t;
    size_t n;
    size_t width; /* numbers in a leaf */
    float rate;   /* boosting */
    float *begin; /* boosting: [n_sum] */
    size_t n_sum;
} trees;

static const float *leaf_of(const tree *t, const float *x, size_t width) {
    const tree_node *n = t->node;
    while (n->feature != TREE_LEAF)
        n = t->node + (x[n->feature] <= n->threshold ? n->left : n->right);
    return t->leaf + n->left * width;
}

/* ---- Reading and writing ---- */

static status check_node(const tree *t, size_t i, size_t inputs, size_t n_leaf, err *e) {
    const tree_node *n = &t->node[i];
    if (n->feature == TREE_LEAF) {
        if (n->left < n_leaf) return RZ_OK;
        return err_set(e, RZ_EFORMAT, "node %zu is leaf %u of %zu", i, n->left, n_leaf);
    }
    if (n->feature >= inputs)
        return err_set(e, RZ_EFORMAT, "node %zu asks for feature %u of %zu", i, n->feature, inputs);
    if (n->left <= i || n->right <= i || n->left >= t->n || n->right >= t->n)
        return err_set(e, RZ_EFORMAT,
                       "node %zu of %zu leads to %u and %u, expected nodes behind it", i, t->n,
                       n->left, n->right);
    return RZ_OK;
}

static status read_tree(classic *c, payload *r, size_t width, tree *t, err *e) {
    TRY(payload_count(r, "the number of nodes", sizeof *t->node, &t->n, e));
    if (t->n == 0) return err_set(e, RZ_EFORMAT, "a tree without nodes");
    t->node = arena_alloc(&c->mem, t->n * sizeof *t->node);
    if (!t->node) return err_set(e, RZ_ENOMEM, "out of memory for a tree");
    for (size_t i = 0; i < t->n; i++) {
        tree_node *n = &t->node[i];
        TRY(payload_u32(r, "a node", &n->feature, e));
        TRY(payload_f32(r, "a threshold", &n->threshold, e));
        TRY(payload_u32(r, "a node", &n->left, e));
        TRY(payload_u32(r, "a node", &n->right, e));
    }
    TRY(payload_count(r, "the number of leaf values", sizeof(float), &t->n_value, e));
    if (t->n_value % width)
        return err_set(e, RZ_EFORMAT, "%zu leaf values, expected a multiple of %zu", t->n_value,
                       width);
    TRY(payload_floats(r, "leaf values", t->n_value, 1, &t->leaf, e));
    for (size_t i = 0; i < t->n; i++) TRY(check_node(t, i, c->inputs, t->n_value / width, e));
    c->params += t->n + t->n_value;
    return RZ_OK;
}

static status read_trees(classic *c, payload *r, size_t n, trees *m, err *e) {
    m->n = n;
    m->t = arena_zero(&c->mem, n + 1, sizeof *m->t);
    if (!m->t) return err_set(e, RZ_ENOMEM, "out of memory for %zu trees", n);
    for (size_t i = 0; i < n; i++) TRY(read_tree(c, r, m->width, &m->t[i], e));
    return RZ_OK;
}

static status read_shape(classic *c, payload *r, trees **out, err *e) {
    trees *m = arena_zero(&c->mem, 1, sizeof *m);
    if (!m) return err_set(e, RZ_ENOMEM, "out of memory for a model");
    TRY(payload_size(r, "the number of features", 1, CLASSIC_MAX_INPUTS, &c->inputs, e));
    TRY(payload_size(r, "the number of classes", 0, CLASSIC_MAX_CLASSES, &c->classes, e));
    if (c->classes == 1) return err_set(e, RZ_EFORMAT, "one class, expected 0, 2 or more");
    m->width = c->classes ? c->classes : 1;
    c->m = m;
    *out = m;
    return RZ_OK;
}

void tree_write(const tree *t, buf *out) {
    payload_put_u64(out, t->n);
    for (size_t i = 0; i < t->n; i++) {
        payload_put_u32(out, t->node[i].feature);
        payload_put_f32(out, t->node[i].threshold);
        payload_put_u32(out, t->node[i].left);
        payload_put_u32(out, t->node[i].right);
    }
    payload_put_u64(out, t->n_value);
    payload_put_floats(out, t->leaf, t->n_value);
}

static void write_shape(const classic *c, buf *out) {
    payload_put_u64(out, c->inputs);
    payload_put_u64(out, c->classes);
}

/* ---- One tree ---- */

static status tree_read(classic *c, payload *r, err *e) {
    trees *m;
    TRY(read_shape(c, r, &m, e));
    return read_trees(c, r, 1, m, e);
}

static void one_write(const classic *c, buf *out) {
    const trees *m = c->m;
    write_shape(c, out);
    tree_write(&m->t[0], out);
}

/* ---- Forests: a single tree is one of one ---- */

static status forest_read(classic *c, payload *r, err *e) {
    trees *m;
    size_t n;
    TRY(read_shape(c, r, &m, e));
    TRY(payload_count(r, "the number of trees", 16, &n, e));
    if (n == 0) return err_set(e, RZ_EFORMAT, "a forest without trees");
    c->work = m->width;
    return read_trees(c, r, n, m, e);
}

static void forest_write(const classic *c, buf *out) {
    const trees *m = c->m;
    write_shape(c, out);
    payload_put_u64(out, m->n);
    for (size_t i = 0; i < m->n; i++) tree_write(&m->t[i], out);
}

/* The mean of the trees' leaves: out[width]. */
static void mean_of(const trees *m, const float *x, float *out) {
    for (size_t k = 0; k < m->width; k++) out[k] = 0;
    for (size_t i = 0; i < m->n; i++) {
        const float *leaf = leaf_of(&m->t[i], x, m->width);
        for (size_t k = 0; k < m->width; k++) out[k] += leaf[k];
    }
    for (size_t k = 0; k < m->width && m->n > 1; k++) out[k] /= (float)m->n;
}

static void forest_run(const classic *c, const float *x, size_t rows, bool proba, float *y,
                       float *work) {
    const trees *m = c->m;
    for (size_t t = 0; t < rows; t++, x += c->inputs) {
        if (proba) {
            mean_of(m, x, y + t * m->width);
        } else {
            const float *mean = work;
            if (m->n == 1) mean = leaf_of(&m->t[0], x, m->width);
            else mean_of(m, x, work);
            y[t] = c->classes ? (float)classic_argmax(mean, c->classes) : mean[0];
        }
    }
}

const classic_kind classic_decision_tree = {tree_read, one_write, forest_run, NULL};
const classic_kind classic_random_forest = {forest_read, forest_write, forest_run, NULL};

/* ---- Boosting ---- */

static status boosting_read(classic *c, payload *r, err *e) {
    trees *m;
    size_t n;
    TRY(read_shape(c, r, &m, e));
    const size_t want = c->classes > 2 ? c->classes : 1;
    TRY(payload_f32(r, "the learning rate", &m->rate, e));
    TRY(payload_count(r, "the number of sums", sizeof(float), &m->n_sum, e));
    if (m->n_sum != want)
        return err_set(e, RZ_EFORMAT, "%zu sums, expected %zu for %zu classes", m->n_sum, want,
                       c->classes);
    TRY(payload_floats(r, "where the sums begin", m->n_sum, 1, &m->begin, e));
    TRY(payload_count(r, "the number of trees", 16, &n, e));
    if (n % want) return err_set(e, RZ_EFORMAT, "%zu trees, expected a multiple of %zu", n, want);
    m->width = 1;
    c->params += m->n_sum;
    c->work = m->n_sum;
    return read_trees(c, r, n, m, e);
}

static void boosting_write(const classic *c, buf *out) {
    const trees *m = c->m;
    write_shape(c, out);
    payload_put_f32(out, m->rate);
    payload_put_u64(out, m->n_sum);
    payload_put_floats(out, m->begin, m->n_sum);
    payload_put_u64(out, m->n);
    for (size_t i = 0; i < m->n; i++) tree_write(&m->t[i], out);
}

static void boosted(const trees *m, const float *x, float *sum) {
    for (size_t k = 0; k < m->n_sum; k++) sum[k] = m->begin[k];
    for (size_t i = 0, k = 0; i < m->n; i++, k = k + 1 < m->n_sum ? k + 1 : 0)
        sum[k] += m->rate * *leaf_of(&m->t[i], x, 1);
}

static void boosting_run(const classic *c, const float *x, size_t rows, bool proba, float *y,
                         float *work) {
    const trees *m = c->m;
    for (size_t t = 0; t < rows; t++, x += c->inputs) {
        boosted(m, x, work);
        if (c->classes == 0) {
            y[t] = work[0];
        } else if (c->classes > 2) {
            if (proba) {
                memcpy(y + t * c->classes, work, c->classes * sizeof *y);
                classic_softmax(y + t * c->classes, c->classes);
            } else {
                y[t] = (float)classic_argmax(work, c->classes);
            }
        } else if (proba) {
            const double p = classic_sigmoid((double)work[0]);
            y[2 * t] = (float)(1 - p);
            y[2 * t + 1] = (float)p;
        } else {
            y[t] = work[0] >= 0 ? 1.0f : 0.0f;
        }
    }
}

const classic_kind classic_gradient_boosting = {boosting_read, boosting_write, boosting_run, NULL};
