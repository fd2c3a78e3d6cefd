/* classic_mlp.c - layers of neurons one after the other (NeuralSequential).
 *
 *   u64 layers, each: u8 activation (0 none, 1 ReLU, 2 sigmoid, 3 tanh, 4 GELU by tanh, 5 softmax),
 *   u64 outputs, u64 inputs, f32[outputs * inputs] weights, f32[outputs] biases
 *
 * Softmax may be the last alone: then the answer is a class. So is that of one last sigmoid. Of
 * anything else the answer is the last layer's values. */
#include "classic/classic.h"

typedef enum activation { NONE, RELU, SIGMOID, TANH, GELU, SOFTMAX, N_ACTIVATION } activation;

typedef struct layer {
    uint8_t act;
    size_t in, out;
    float *w, *b; /* [out][in], [out] */
} layer;

typedef struct mlp {
    layer *l;
    size_t n;
    size_t widest; /* of outputs */
} mlp;

enum { ROWS = 6 }; /* taken through the layers together */

static status read_layer(classic *c, payload *r, const layer *before, layer *l, err *e) {
    TRY(payload_u8(r, "an activation", &l->act, e));
    if (l->act >= N_ACTIVATION)
        return err_set(e, RZ_EUNSUPPORTED, "activation %u, expected 0 to %d", l->act,
                       N_ACTIVATION - 1);
    TRY(payload_size(r, "the outputs of a layer", 1, CLASSIC_MAX_INPUTS, &l->out, e));
    TRY(payload_size(r, "the inputs of a layer", 1, CLASSIC_MAX_INPUTS, &l->in, e));
    if (before && before->out != l->in)
        return err_set(e, RZ_EFORMAT, "a layer of %zu inputs behind one of %zu outputs", l->in,
                       before->out);
    TRY(payload_floats(r, "weights", l->out, l->in, &l->w, e));
    TRY(payload_floats(r, "biases", l->out, 1, &l->b, e));
    c->params += l->out * (l->in + 1);
    return RZ_OK;
}

static status mlp_read(classic *c, payload *r, err *e) {
    mlp *m = arena_zero(&c->mem, 1, sizeof *m);
    if (!m) return err_set(e, RZ_ENOMEM, "out of memory for a model");
    TRY(payload_count(r, "the number of layers", 25, &m->n, e));
    if (m->n == 0) return err_set(e, RZ_EFORMAT, "a network without layers");
    m->l = arena_zero(&c->mem, m->n, sizeof *m->l);
    if (!m->l) return err_set(e, RZ_ENOMEM, "out of memory for %zu layers", m->n);
    for (size_t i = 0; i < m->n; i++) {
        TRY(read_layer(c, r, i ? &m->l[i - 1] : NULL, &m->l[i], e));
        if (m->l[i].act == SOFTMAX && i + 1 < m->n)
            return err_set(e, RZ_EUNSUPPORTED, "layer %zu of %zu is a softmax, which must be last",
                           i, m->n);
        if (m->l[i].out > m->widest) m->widest = m->l[i].out;
    }
    const layer *last = &m->l[m->n - 1];
    if (last->act == SOFTMAX && (last->out < 2 || last->out > CLASSIC_MAX_CLASSES))
        return err_set(e, RZ_EFORMAT, "a softmax of %zu outputs, expected 2 to %d", last->out,
                       CLASSIC_MAX_CLASSES);
    if (last->act == SOFTMAX) c->classes = last->out;
    else if (last->act == SIGMOID && last->out == 1) c->classes = 2;
    else c->outputs = last->out;
    c->m = m;
    c->inputs = m->l[0].in;
    c->work = 2 * ROWS * m->widest;
    return RZ_OK;
}

static void mlp_write(const classic *c, buf *out) {
    const mlp *m = c->m;
    payload_put_u64(out, m->n);
    for (size_t i = 0; i < m->n; i++) {
        const layer *l = &m->l[i];
        payload_put_u8(out, l->act);
        payload_put_u64(out, l->out);
        payload_put_u64(out, l->in);
        payload_put_floats(out, l->w, l->out * l->in);
        payload_put_floats(out, l->b, l->out);
    }
}

static double tanh_of(double x) { return 2 * classic_sigmoid(2 * x) - 1; }

static float activated(float x, uint8_t act) {
    const double v = (double)x;
    switch ((activation)act) {
        case RELU:
            return x > 0 ? x : 0;
        case SIGMOID:
            return (float)classic_sigmoid(v);
        case TANH:
            return (float)tanh_of(v);
        case GELU: /* sqrt(2 / pi) (x + 0.044715 x^3) */
            return (float)(0.5 * v *
                           (1 + tanh_of(0.7978845608028654 * (v + 0.044715 * v * v * v))));
        default:
            return x;
    }
}

/* `n` rows of the last layer's sums, without its activation where that is a decision. */
static const float *sums(const classic *c, const mlp *m, const float *x, size_t n, float *work) {
    float *out = work;
    for (size_t i = 0; i < m->n; i++) {
        const layer *l = &m->l[i];
        out = work + (i & 1) * ROWS * m->widest;
        classic_affine(c->k, x, n, l->in, l->w, l->b, l->out, out);
        if (l->act != NONE && !(c->classes && i + 1 == m->n))
            for (size_t k = 0; k < n * l->out; k++) out[k] = activated(out[k], l->act);
        x = out;
    }
    return out;
}

static void answer(const classic *c, const float *z, bool proba, float *y) {
    const mlp *m = c->m;
    const bool binary = c->classes == 2 && m->l[m->n - 1].out == 1;
    if (!c->classes) {
        memcpy(y, z, c->outputs * sizeof *y);
    } else if (binary && proba) {
        const double p = classic_sigmoid((double)z[0]);
        y[0] = (float)(1 - p);
        y[1] = (float)p;
    } else if (binary) {
        y[0] = z[0] >= 0 ? 1.0f : 0.0f;
    } else if (proba) {
        memcpy(y, z, c->classes * sizeof *y);
        classic_softmax(y, c->classes);
    } else {
        y[0] = (float)classic_argmax(z, c->classes);
    }
}

static void mlp_run(const classic *c, const float *x, size_t rows, bool proba, float *y,
                    float *work) {
    const mlp *m = c->m;
    const size_t width = proba ? c->classes : c->outputs, out = m->l[m->n - 1].out;
    for (size_t t = 0; t < rows; t += ROWS) {
        const size_t n = rows - t < ROWS ? rows - t : ROWS;
        const float *z = sums(c, m, x + t * c->inputs, n, work);
        for (size_t i = 0; i < n; i++) answer(c, z + i * out, proba, y + (t + i) * width);
    }
}

const classic_kind classic_neural_sequential = {mlp_read, mlp_write, mlp_run, NULL};
