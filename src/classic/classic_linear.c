/* classic_linear.c - linear and logistic regression, the two kinds whose payload is aprender's own
 * (version 0.11):
 *
 *   u8 1, u64 n, f32[n] weights, f32 intercept, then
 *   linear: u8 whether an intercept was fitted
 *   logistic: f32 learning rate, u64 most iterations, f32 tolerance, of how it was trained */
#include "classic/classic.h"

typedef struct linear {
    float *w; /* [inputs] */
    float b;
    uint8_t fit_intercept;
    float rate, tolerance;
    size_t max_iter;
} linear;

/* Few inputs: the same sum as the kernels', of which all but four lanes are 0. */
static void few_inputs(const linear *m, const float *x, size_t rows, size_t n, float *z) {
    float w[4] = {0};
    memcpy(w, m->w, n * sizeof *w);
    for (size_t i = 0; i < rows; i++, x += n) {
        const float p0 = w[0] * x[0];
        const float p1 = n > 1 ? w[1] * x[1] : 0;
        const float p2 = n > 2 ? w[2] * x[2] : 0;
        const float p3 = n > 3 ? w[3] * x[3] : 0;
        z[i] = ((p0 + p2) + (p1 + p3)) + m->b;
    }
}

/* z[rows] = x[rows][inputs] . w + b */
static void sums(const classic *c, const float *x, size_t rows, float *z) {
    const linear *m = c->m;
    if (c->inputs <= 4) few_inputs(m, x, rows, c->inputs, z);
    else classic_affine(c->k, x, rows, c->inputs, m->w, &m->b, 1, z);
}

static status read_weights(classic *c, payload *r, linear **out, err *e) {
    uint8_t tag;
    linear *m = arena_zero(&c->mem, 1, sizeof *m);
    if (!m) return err_set(e, RZ_ENOMEM, "out of memory for a model");
    TRY(payload_u8(r, "the tag of the weights", &tag, e));
    if (tag != 1)
        return err_set(e, RZ_EFORMAT,
                       tag ? "the tag of the weights is %u, expected 1"
                           : "the model was never fitted: it has no weights (tag %u)",
                       tag);
    TRY(payload_size(r, "the number of weights", 1, CLASSIC_MAX_INPUTS, &c->inputs, e));
    TRY(payload_floats(r, "weights", c->inputs, 1, &m->w, e));
    TRY(payload_f32(r, "the intercept", &m->b, e));
    c->params = c->inputs + 1;
    c->m = m;
    *out = m;
    return RZ_OK;
}

static void write_weights(const classic *c, buf *out) {
    const linear *m = c->m;
    payload_put_u8(out, 1);
    payload_put_u64(out, c->inputs);
    payload_put_floats(out, m->w, c->inputs);
    payload_put_f32(out, m->b);
}

/* ---- Linear regression ---- */

static status linear_read(classic *c, payload *r, err *e) {
    linear *m;
    TRY(read_weights(c, r, &m, e));
    TRY(payload_u8(r, "whether an intercept was fitted", &m->fit_intercept, e));
    if (m->fit_intercept > 1)
        return err_set(e, RZ_EFORMAT, "whether an intercept was fitted is %u, expected 0 or 1",
                       m->fit_intercept);
    return RZ_OK;
}

static void linear_write(const classic *c, buf *out) {
    write_weights(c, out);
    payload_put_u8(out, ((const linear *)c->m)->fit_intercept);
}

static void linear_run(const classic *c, const float *x, size_t rows, bool proba, float *y,
                       float *work) {
    (void)proba, (void)work;
    sums(c, x, rows, y);
}

const classic_kind classic_linear_regression = {linear_read, linear_write, linear_run, NULL};

/* ---- Logistic regression ---- */

static status logistic_read(classic *c, payload *r, err *e) {
    linear *m;
    TRY(read_weights(c, r, &m, e));
    TRY(payload_f32(r, "the learning rate", &m->rate, e));
    TRY(payload_size(r, "the number of iterations", 0, SIZE_MAX, &m->max_iter, e));
    TRY(payload_f32(r, "the tolerance", &m->tolerance, e));
    c->classes = 2;
    return RZ_OK;
}

static void logistic_write(const classic *c, buf *out) {
    const linear *m = c->m;
    write_weights(c, out);
    payload_put_f32(out, m->rate);
    payload_put_u64(out, m->max_iter);
    payload_put_f32(out, m->tolerance);
}

/* The probability is at least a half exactly where the sum is not negative. */
static void logistic_run(const classic *c, const float *x, size_t rows, bool proba, float *y,
                         float *work) {
    enum { BLOCK = 64 };
    float z[BLOCK];
    (void)work;
    for (size_t t = 0; t < rows; t += BLOCK) {
        const size_t n = rows - t < BLOCK ? rows - t : BLOCK;
        sums(c, x + t * c->inputs, n, z);
        for (size_t i = 0; i < n && !proba; i++) y[t + i] = z[i] >= 0 ? 1.0f : 0.0f;
        for (size_t i = 0; i < n && proba; i++) {
            const double p = classic_sigmoid((double)z[i]);
            y[2 * (t + i)] = (float)(1 - p);
            y[2 * (t + i) + 1] = (float)p;
        }
    }
}

const classic_kind classic_logistic_regression = {logistic_read, logistic_write, logistic_run,
                                                  NULL};
