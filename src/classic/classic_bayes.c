/* classic_bayes.c - naive Bayes with a normal distribution for each class and feature.
 *
 *   NaiveBayes  u64 classes, u64 inputs, f32[classes] how frequent each is, f32[classes * inputs]
 *               means, f32[classes * inputs] variances */
#include <math.h>

#include "classic/classic.h"

typedef struct bayes {
    float *prior, *mean, *variance;
    double *constant; /* [classes] log prior - sum of log(2 pi variance) / 2 */
} bayes;

static status check_positive(const float *v, size_t n, const char *what, err *e) {
    for (size_t i = 0; i < n; i++)
        if (!(v[i] > 0))
            return err_set(e, RZ_EFORMAT, "%s %zu is %g, expected more than 0", what, i,
                           (double)v[i]);
    return RZ_OK;
}

static status bayes_read(classic *c, payload *r, err *e) {
    bayes *m = arena_zero(&c->mem, 1, sizeof *m);
    if (!m) return err_set(e, RZ_ENOMEM, "out of memory for a model");
    TRY(payload_size(r, "the number of classes", 2, CLASSIC_MAX_CLASSES, &c->classes, e));
    TRY(payload_size(r, "the number of features", 1, CLASSIC_MAX_INPUTS, &c->inputs, e));
    TRY(payload_floats(r, "frequencies of classes", c->classes, 1, &m->prior, e));
    TRY(payload_floats(r, "means", c->classes, c->inputs, &m->mean, e));
    TRY(payload_floats(r, "variances", c->classes, c->inputs, &m->variance, e));
    TRY(check_positive(m->prior, c->classes, "frequency", e));
    TRY(check_positive(m->variance, c->classes * c->inputs, "variance", e));
    m->constant = arena_alloc(&c->mem, c->classes * sizeof *m->constant);
    if (!m->constant) return err_set(e, RZ_ENOMEM, "out of memory for a model");
    for (size_t k = 0; k < c->classes; k++) {
        m->constant[k] = log((double)m->prior[k]);
        for (size_t i = 0; i < c->inputs; i++)
            m->constant[k] -= 0.5 * log(6.283185307179586 * (double)m->variance[k * c->inputs + i]);
    }
    c->m = m;
    c->work = c->classes;
    c->params = c->classes * (2 * c->inputs + 1);
    return RZ_OK;
}

static void bayes_write(const classic *c, buf *out) {
    const bayes *m = c->m;
    payload_put_u64(out, c->classes);
    payload_put_u64(out, c->inputs);
    payload_put_floats(out, m->prior, c->classes);
    payload_put_floats(out, m->mean, c->classes * c->inputs);
    payload_put_floats(out, m->variance, c->classes * c->inputs);
}

/* log p(class) + log p(x | class), in double before it is kept as float. */
static void log_likelihood(const classic *c, const float *x, float *out) {
    const bayes *m = c->m;
    for (size_t k = 0; k < c->classes; k++) {
        const float *mean = m->mean + k * c->inputs, *variance = m->variance + k * c->inputs;
        double sum = m->constant[k];
        for (size_t i = 0; i < c->inputs; i++) {
            const double d = (double)x[i] - (double)mean[i];
            sum -= 0.5 * d * d / (double)variance[i];
        }
        out[k] = (float)sum;
    }
}

static void bayes_run(const classic *c, const float *x, size_t rows, bool proba, float *y,
                      float *work) {
    for (size_t t = 0; t < rows; t++, x += c->inputs) {
        float *out = proba ? y + t * c->classes : work;
        log_likelihood(c, x, out);
        if (proba) classic_softmax(out, c->classes);
        else y[t] = (float)classic_argmax(out, c->classes);
    }
}

const classic_kind classic_naive_bayes = {bayes_read, bayes_write, bayes_run, NULL};
