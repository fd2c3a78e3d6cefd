/* classic_svm.c - support vector machines, one against the rest when there are over two classes.
 *
 *   SVM     u8 kernel (0 linear, 1 RBF), u64 classes, u64 inputs; machines = 1 for two classes,
 *           else one for each
 *   linear  f32[machines * inputs] weights, f32[machines] intercepts
 *   RBF     f32 gamma, u64 vectors, f32[vectors * inputs], f32[machines * vectors] coefficients,
 *           f32[machines] intercepts; k(a, b) = e^(-gamma |a - b|^2) */
#include "classic/classic.h"

typedef struct svm {
    uint8_t rbf;
    size_t machines, vectors;
    float gamma;
    float *vector;    /* [vectors][inputs] */
    float *w;         /* [machines][inputs or vectors] */
    float *intercept; /* [machines] */
} svm;

static status svm_read(classic *c, payload *r, err *e) {
    svm *m = arena_zero(&c->mem, 1, sizeof *m);
    if (!m) return err_set(e, RZ_ENOMEM, "out of memory for a model");
    TRY(payload_u8(r, "the kernel", &m->rbf, e));
    if (m->rbf > 1)
        return err_set(e, RZ_EUNSUPPORTED, "kernel %u, expected 0 (linear) or 1 (RBF)", m->rbf);
    TRY(payload_size(r, "the number of classes", 2, CLASSIC_MAX_CLASSES, &c->classes, e));
    TRY(payload_size(r, "the number of features", 1, CLASSIC_MAX_INPUTS, &c->inputs, e));
    m->machines = c->classes == 2 ? 1 : c->classes;
    m->vectors = c->inputs;
    if (m->rbf) {
        TRY(payload_f32(r, "gamma", &m->gamma, e));
        if (!(m->gamma > 0))
            return err_set(e, RZ_EFORMAT, "gamma is %g, expected more than 0", (double)m->gamma);
        TRY(payload_size(r, "the number of vectors", 1, CLASSIC_MAX_INPUTS, &m->vectors, e));
        TRY(payload_floats(r, "vectors", m->vectors, c->inputs, &m->vector, e));
        c->params = m->vectors * c->inputs;
    }
    TRY(payload_floats(r, "weights", m->machines, m->vectors, &m->w, e));
    TRY(payload_floats(r, "intercepts", m->machines, 1, &m->intercept, e));
    c->m = m;
    c->no_proba = true;
    c->params += m->machines * (m->vectors + 1);
    c->work = m->machines + (m->rbf ? m->vectors : 0);
    return RZ_OK;
}

static void svm_write(const classic *c, buf *out) {
    const svm *m = c->m;
    payload_put_u8(out, m->rbf);
    payload_put_u64(out, c->classes);
    payload_put_u64(out, c->inputs);
    if (m->rbf) {
        payload_put_f32(out, m->gamma);
        payload_put_u64(out, m->vectors);
        payload_put_floats(out, m->vector, m->vectors * c->inputs);
    }
    payload_put_floats(out, m->w, m->machines * m->vectors);
    payload_put_floats(out, m->intercept, m->machines);
}

/* out[vectors] = k(x, vector) */
static void near_vectors(const svm *m, const float *x, size_t n, float *out) {
    for (size_t v = 0; v < m->vectors; v++) {
        const float *other = m->vector + v * n;
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            const double d = (double)x[i] - (double)other[i];
            sum += d * d;
        }
        out[v] = (float)classic_exp(-(double)m->gamma * sum);
    }
}

static void svm_run(const classic *c, const float *x, size_t rows, bool proba, float *y,
                    float *work) {
    const svm *m = c->m;
    (void)proba;
    for (size_t t = 0; t < rows; t++, x += c->inputs) {
        const float *in = x;
        if (m->rbf) {
            near_vectors(m, x, c->inputs, work + m->machines);
            in = work + m->machines;
        }
        classic_affine(c->k, in, 1, m->vectors, m->w, m->intercept, m->machines, work);
        if (m->machines == 1) y[t] = work[0] >= 0 ? 1.0f : 0.0f;
        else y[t] = (float)classic_argmax(work, m->machines);
    }
}

const classic_kind classic_svm = {svm_read, svm_write, svm_run, NULL};
