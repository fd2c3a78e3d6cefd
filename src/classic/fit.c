/* fit.c - which kinds can be fitted, what they need of a table, and the metadata they get. */
#include "classic/fit.h"

#include <math.h>
#include <stdio.h>

#include "format/msgpack.h"

typedef struct kind {
    const char *name;
    fit_fn *fit;
    bool values, classes; /* answers it can learn */
} kind;

static const kind kinds[] = {
    {"linear", fit_linear, true, false},   {"logistic", fit_net, false, true},
    {"mlp", fit_net, true, true},          {"tree", fit_tree, true, true},
    {"forest", fit_forest, true, true},    {"boosting", fit_boosting, true, true},
    {"kmeans", fit_k_means, false, false},
};
enum { N_KIND = sizeof kinds / sizeof *kinds };

const char *fit_name(size_t i) { return i < N_KIND ? kinds[i].name : NULL; }

status fit_tell(const fit_options *opt, uint64_t done, uint64_t total, err *e) {
    const rz_progress p = {"fitting", done, total};
    if (opt->progress && opt->progress(opt->progress_ud, &p))
        return err_set(e, RZ_ECANCELED, "stopped");
    return RZ_OK;
}

void fit_columns(const table *t, double *mean, double *deviation) {
    const double n = (double)t->rows;
    for (size_t j = 0; j < t->cols; j++) mean[j] = deviation[j] = 0;
    for (size_t i = 0; i < t->rows; i++)
        for (size_t j = 0; j < t->cols; j++) mean[j] += (double)t->x[i * t->cols + j];
    for (size_t j = 0; j < t->cols; j++) mean[j] /= n;
    for (size_t i = 0; i < t->rows; i++)
        for (size_t j = 0; j < t->cols; j++) {
            const double d = (double)t->x[i * t->cols + j] - mean[j];
            deviation[j] += d * d;
        }
    for (size_t j = 0; j < t->cols; j++) {
        deviation[j] = sqrt(deviation[j] / n);
        if (!(deviation[j] > 0)) deviation[j] = 1;
    }
    if (!t->one_unit) return;
    /* One scale for all, or rare pixels would be blown up: that of the whole table. */
    double middle = 0, spread = 0;
    for (size_t j = 0; j < t->cols; j++) middle += mean[j] / (double)t->cols;
    for (size_t i = 0; i < t->rows * t->cols; i++) {
        const double d = (double)t->x[i] - middle;
        spread += d * d;
    }
    spread = sqrt(spread / (n * (double)t->cols));
    for (size_t j = 0; j < t->cols; j++) deviation[j] = spread > 0 ? spread : 1;
}

static status check(const kind *k, const table *t, const fit_options *opt, err *e) {
    if (t->rows < 2) return err_set(e, RZ_EINVAL, "%zu rows are too few to learn from", t->rows);
    if (t->cols > CLASSIC_MAX_INPUTS)
        return err_set(e, RZ_EINVAL, "%zu columns, at most %d", t->cols, CLASSIC_MAX_INPUTS);
    if (!k->values && !k->classes) return RZ_OK;
    if (!t->class) return err_set(e, RZ_EINVAL, "%s needs answers: name their column", k->name);
    if (opt->classify && !k->classes)
        return err_set(e, RZ_EINVAL, "%s learns numbers, not classes", k->name);
    if (!opt->classify && !k->values)
        return err_set(e, RZ_EINVAL, "%s learns classes, not numbers", k->name);
    if (opt->classify && t->classes < 2)
        return err_set(e, RZ_EINVAL, "all rows are of one class, expected two or more");
    if (!opt->classify && !t->value)
        return err_set(e, RZ_EINVAL, "an answer is \"%.40s\", expected numbers", t->label[0]);
    return RZ_OK;
}

/* Are the classes called 0, 1, 2 ...? Then no names are needed. */
static bool plain_labels(const table *t) {
    for (size_t i = 0; i < t->classes; i++) {
        uint64_t n;
        if (!str_u64(str_of(t->label[i]), &n) || n != i) return false;
    }
    return true;
}

/* The keys that aprender writes, and what it cannot say: names of classes and columns. */
static void describe(const table *t, const fit_options *opt, bool classes, buf *out) {
    const bool labels = classes && !plain_labels(t);
    char created[24];
    snprintf(created, sizeof created, "%010llu", (unsigned long long)opt->created);
    msgpack_map(out, 2 + (uint32_t)labels + (t->name ? 1 : 0));
    msgpack_str(out, STR_LIT("created_at"));
    msgpack_str(out, str_of(created));
    msgpack_str(out, STR_LIT("aprender_version"));
    msgpack_str(out, STR_LIT("0.11.0"));
    if (labels) {
        msgpack_str(out, STR_LIT("labels"));
        msgpack_array(out, (uint32_t)t->classes);
        for (size_t i = 0; i < t->classes; i++) msgpack_str(out, str_of(t->label[i]));
    }
    if (t->name) {
        msgpack_str(out, STR_LIT("features"));
        msgpack_array(out, (uint32_t)t->cols);
        for (size_t i = 0; i < t->cols; i++) msgpack_str(out, str_of(t->name[i]));
    }
}

status fit(classic **out, const table *t, const fit_options *opt, err *e) {
    const kind *k = NULL;
    for (size_t i = 0; i < N_KIND; i++)
        if (strcmp(kinds[i].name, opt->kind) == 0) k = &kinds[i];
    if (!k) return err_set(e, RZ_ENOTFOUND, "no model is called \"%.40s\"", opt->kind);
    TRY(check(k, t, opt, e));
    buf bytes = BUF_INIT, meta = BUF_INIT;
    uint16_t type = 0;
    status s = k->fit(t, opt, &type, &bytes, e);
    if (s >= 0) describe(t, opt, k->classes && opt->classify, &meta);
    if (s >= 0 && (bytes.failed || meta.failed))
        s = err_set(e, RZ_ENOMEM, "out of memory for a model");
    if (s >= 0) s = classic_from_payload(out, type, buf_view(&bytes), buf_view(&meta), e);
    buf_free(&bytes);
    buf_free(&meta);
    return s;
}
