/* grow.c - grows decision trees. Of splits as good as each other the first is taken: the lowest
 * feature, then the lowest threshold. */
#include "classic/grow.h"

#include "base/mem.h"
#include "base/rng.h"
#include "classic/payload.h"

typedef struct split {
    double gain; /* what is left and right of it is that much purer */
    uint32_t feature;
    float threshold;
} split;

status grow_begin(grower *g, err *e) {
    const size_t rows = g->t->rows, classes = g->classes ? g->classes : 1;
    g->sort = mem_array(rows, 2 * sizeof *g->sort);
    g->row = mem_array(rows, sizeof *g->row);
    g->spare = mem_array(rows, sizeof *g->spare);
    g->feature = mem_array(g->t->cols, sizeof *g->feature);
    g->left = mem_array(classes, sizeof *g->left);
    g->right = mem_array(classes, sizeof *g->right);
    if (!g->sort || !g->row || !g->spare || !g->feature || !g->left || !g->right)
        return err_set(e, RZ_ENOMEM, "out of memory for a tree");
    for (size_t i = 0; i < g->t->cols; i++) g->feature[i] = (uint32_t)i;
    return RZ_OK;
}

void grow_done(grower *g) {
    mem_free(g->sort);
    mem_free(g->row);
    mem_free(g->spare);
    mem_free(g->feature);
    mem_free(g->left);
    mem_free(g->right);
    buf_free(&g->node);
    buf_free(&g->leaf);
}

/* Merge sort of a[n] by value through b[n], from runs of one upwards; where the result is. */
static grow_sort *sort_values(grow_sort *a, grow_sort *b, size_t n) {
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t at = 0; at < n; at += 2 * run) {
            const size_t mid = at + run < n ? at + run : n, end = mid + run < n ? mid + run : n;
            size_t i = at, j = mid;
            for (size_t to = at; to < end; to++)
                b[to] = j == end || (i < mid && a[i].v <= a[j].v) ? a[i++] : a[j++];
        }
        grow_sort *t = a;
        a = b;
        b = t;
    }
    return a;
}

/* A number with a <= it < b. */
static float between(float a, float b) {
    const float mid = (float)((double)a + ((double)b - (double)a) / 2);
    return mid < b && mid >= a ? mid : a;
}

/* Purity is sum of squares / number, of class counts or of the sum of values. */
static void best_of_classes(const grower *g, const grow_sort *s, size_t n, uint32_t feature,
                            double whole, split *best) {
    double left = 0, right = 0;
    for (size_t k = 0; k < g->classes; k++) g->left[k] = g->right[k] = 0;
    for (size_t i = 0; i < n; i++) g->right[g->class[s[i].row]]++;
    for (size_t k = 0; k < g->classes; k++) right += g->right[k] * g->right[k];
    for (size_t i = 0; i + 1 < n; i++) {
        const uint32_t k = g->class[s[i].row];
        left += 2 * g->left[k]++ + 1;
        right -= 2 * g->right[k]-- - 1;
        if (!(s[i].v < s[i + 1].v)) continue;
        const double gain = left / (double)(i + 1) + right / (double)(n - i - 1) - whole;
        if (gain > best->gain) *best = (split){gain, feature, between(s[i].v, s[i + 1].v)};
    }
}

static void best_of_values(const grower *g, const grow_sort *s, size_t n, uint32_t feature,
                           double whole, split *best) {
    double total = 0, left = 0;
    for (size_t i = 0; i < n; i++) total += g->value[s[i].row];
    for (size_t i = 0; i + 1 < n; i++) {
        left += g->value[s[i].row];
        if (!(s[i].v < s[i + 1].v)) continue;
        const double right = total - left;
        const double gain =
            left * left / (double)(i + 1) + right * right / (double)(n - i - 1) - whole;
        if (gain > best->gain) *best = (split){gain, feature, between(s[i].v, s[i + 1].v)};
    }
}

/* How pure the rows are as they are, and whether nothing is left to split. */
static double purity(const grower *g, const uint32_t *row, size_t n, bool *pure) {
    double sum = 0, squares = 0;
    if (!g->class) {
        *pure = true;
        for (size_t i = 0; i < n; i++) {
            sum += g->value[row[i]];
            if (g->value[row[i]] != g->value[row[0]]) *pure = false;
        }
        return sum * sum / (double)n;
    }
    for (size_t k = 0; k < g->classes; k++) g->left[k] = 0;
    for (size_t i = 0; i < n; i++) g->left[g->class[row[i]]]++;
    for (size_t k = 0; k < g->classes; k++) squares += g->left[k] * g->left[k];
    *pure = squares >= (double)n * (double)n;
    return squares / (double)n;
}

/* The features that are tried: all, or some drawn to the front. */
static size_t draw_features(grower *g) {
    const size_t cols = g->t->cols;
    if (!g->features || g->features >= cols) return cols;
    for (size_t i = 0; i < g->features; i++) {
        const size_t j = i + (size_t)rng_below(&g->rng, cols - i);
        const uint32_t f = g->feature[i];
        g->feature[i] = g->feature[j];
        g->feature[j] = f;
    }
    return g->features;
}

static bool find_split(grower *g, const uint32_t *row, size_t n, split *best) {
    bool pure;
    const double whole = purity(g, row, n, &pure);
    *best = (split){1e-9 * (whole < 0 ? -whole : whole), 0, 0};
    if (pure) return false;
    const double least = best->gain;
    const size_t tried = draw_features(g);
    for (size_t f = 0; f < tried; f++) {
        const uint32_t feature = g->feature[f];
        for (size_t i = 0; i < n; i++)
            g->sort[i] = (grow_sort){g->t->x[(size_t)row[i] * g->t->cols + feature], row[i]};
        const grow_sort *s = sort_values(g->sort, g->sort + g->t->rows, n);
        if (g->class) best_of_classes(g, s, n, feature, whole, best);
        else best_of_values(g, s, n, feature, whole, best);
    }
    return best->gain > least;
}

static void put_leaf(grower *g, const uint32_t *row, size_t n) {
    const size_t width = g->class ? g->classes : 1;
    const tree_node leaf = {TREE_LEAF, 0, (uint32_t)(g->leaf.len / sizeof(float) / width), 0};
    buf_add(&g->node, &leaf, sizeof leaf);
    if (g->class) {
        for (size_t k = 0; k < width; k++) g->left[k] = 0;
        for (size_t i = 0; i < n; i++) g->left[g->class[row[i]]]++;
        for (size_t k = 0; k < width; k++)
            payload_put_f32(&g->leaf, (float)(g->left[k] / (double)n));
        return;
    }
    double sum = 0, weight = 0;
    for (size_t i = 0; i < n; i++) {
        sum += g->value[row[i]];
        weight += g->weight ? g->weight[row[i]] : 1;
    }
    /* A leaf that is as good as sure says little, however small its weight. */
    payload_put_f32(&g->leaf, (float)(g->leaf_scale * sum / (weight > 1e-10 ? weight : 1e-10)));
}

/* Rows that go left to the front, both in their order; how many. */
static size_t part_rows(const grower *g, uint32_t *row, size_t n, const split *s) {
    size_t left = 0, right = 0;
    for (size_t i = 0; i < n; i++) {
        const bool is_left = g->t->x[(size_t)row[i] * g->t->cols + s->feature] <= s->threshold;
        if (is_left) row[left++] = row[i];
        else g->spare[right++] = row[i];
    }
    memcpy(row + left, g->spare, right * sizeof *row);
    return left;
}

static void link_node(grower *g, size_t i, size_t left, size_t right) {
    if (g->node.failed) return;
    tree_node *n = (tree_node *)(void *)g->node.p + i;
    n->left = (uint32_t)left;
    n->right = (uint32_t)right;
}

static size_t node_count(const grower *g) { return g->node.len / sizeof(tree_node); }

static void grow_node(grower *g, uint32_t *row, size_t n, size_t depth) {
    split s = {0};
    if (depth >= g->most_depth || n < 2 || !find_split(g, row, n, &s)) {
        put_leaf(g, row, n);
        return;
    }
    const size_t at = node_count(g);
    const tree_node node = {s.feature, s.threshold, 0, 0};
    buf_add(&g->node, &node, sizeof node);
    const size_t left = part_rows(g, row, n, &s);
    grow_node(g, row, left, depth + 1);
    const size_t right_at = node_count(g);
    grow_node(g, row + left, n - left, depth + 1);
    link_node(g, at, at + 1, right_at);
}

static tree grown(const grower *g) {
    return (tree){(tree_node *)(void *)g->node.p, node_count(g), (float *)(void *)g->leaf.p,
                  g->leaf.len / sizeof(float)};
}

status grow_tree(grower *g, size_t n, buf *out, err *e) {
    buf_clear(&g->node);
    buf_clear(&g->leaf);
    grow_node(g, g->row, n, 0);
    if (g->node.failed || g->leaf.failed) return err_set(e, RZ_ENOMEM, "out of memory for a tree");
    const tree t = grown(g);
    tree_write(&t, out);
    return RZ_OK;
}

float grow_ask(const grower *g, const float *x) {
    const tree t = grown(g);
    const tree_node *n = t.node;
    while (n->feature != TREE_LEAF)
        n = t.node + (x[n->feature] <= n->threshold ? n->left : n->right);
    return t.leaf[n->left];
}
