/* fit_net.c - logistic regression and small networks, by gradient descent with Adam (Kingma, Ba
 * 2015) on small batches of rows in random order.
 *
 * Logistic regression is the network without hidden layers: of two classes it is written as
 * LogisticRegression, of more as a NeuralSequential of one softmax. Hidden layers are rectifiers;
 * the last gives classes (cross-entropy) or one value (squares). The rate falls to 0 in a line. */
#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "classic/fit.h"

enum { MOST_LAYERS = 8, BATCH = 32, LEAST_STEPS = 2000, MOST_EPOCHS = 100000, MOST_BATCH = 65536 };

typedef struct net_layer {
    size_t in, out;
    float *w, *b;   /* [out][in], [out]: in net.p */
    float *dw, *db; /* their gradients: in net.g */
    float *y;       /* [batch][out] */
    float *dy;      /* [batch][out] */
} net_layer;

typedef struct net {
    const table *t;
    const fit_options *opt;
    const kern *k;
    net_layer l[MOST_LAYERS];
    size_t n; /* layers */
    size_t n_param, batch;
    float *p, *g, *m, *v;     /* [n_param]: parameters, gradients, their mean and mean square */
    float *x;                 /* [rows][cols] standardised */
    float *in;                /* [batch][cols] */
    uint32_t *row;            /* [rows] in random order */
    double *mean, *deviation; /* [cols] */
    double middle, spread;    /* of answers that are values */
    float *mem;               /* what the pointers in l lie in */
} net;

static bool is_binary(const net *n) { return n->opt->classify && n->t->classes == 2; }

/* ---- Shape ---- */

static status add_layer(net *n, size_t out, err *e) {
    if (n->n == MOST_LAYERS) return err_set(e, RZ_EINVAL, "over %d layers", MOST_LAYERS);
    net_layer *l = &n->l[n->n];
    l->in = n->n ? n->l[n->n - 1].out : n->t->cols;
    l->out = out;
    n->n_param += out * (l->in + 1);
    n->n++;
    return RZ_OK;
}

static status shape(net *n, err *e) {
    const fit_options *opt = n->opt;
    const bool mlp = strcmp(opt->kind, "mlp") == 0;
    const char *hidden = opt->hidden ? opt->hidden : "64";
    for (str rest = str_of(hidden); mlp && rest.p;) {
        uint64_t width;
        const str word = str_trim(str_split(&rest, ','));
        if (!str_u64(word, &width) || width < 1 || width > 65536)
            return err_set(e, RZ_EINVAL, "hidden layers are \"%.40s\", expected widths like 64,32",
                           hidden);
        TRY(add_layer(n, (size_t)width, e));
    }
    TRY(add_layer(n, opt->classify && n->t->classes > 2 ? n->t->classes : 1, e));
    n->batch = opt->batch ? opt->batch : BATCH;
    if (n->batch > MOST_BATCH)
        return err_set(e, RZ_EINVAL, "batches of %zu rows, at most %d", n->batch, MOST_BATCH);
    if (opt->epochs > MOST_EPOCHS)
        return err_set(e, RZ_EINVAL, "%zu epochs, at most %d", opt->epochs, MOST_EPOCHS);
    return RZ_OK;
}

static status reserve(net *n, err *e) {
    size_t cells = 0;
    for (size_t i = 0; i < n->n; i++) cells += 2 * n->batch * n->l[i].out;
    n->p = mem_array_zero(n->n_param, 4 * sizeof *n->p);
    n->mem = mem_array(cells, sizeof *n->mem);
    n->x = mem_array(n->t->rows, n->t->cols * sizeof *n->x);
    n->in = mem_array(n->batch, n->t->cols * sizeof *n->in);
    n->row = mem_array(n->t->rows, sizeof *n->row);
    n->mean = mem_array(n->t->cols, 2 * sizeof *n->mean);
    if (!n->p || !n->mem || !n->x || !n->in || !n->row || !n->mean)
        return err_set(e, RZ_ENOMEM, "out of memory for a network");
    n->g = n->p + n->n_param;
    n->m = n->g + n->n_param;
    n->v = n->m + n->n_param;
    n->deviation = n->mean + n->t->cols;
    float *at = n->mem;
    size_t used = 0;
    for (size_t i = 0; i < n->n; i++) {
        net_layer *l = &n->l[i];
        l->w = n->p + used;
        l->dw = n->g + used;
        used += l->out * l->in;
        l->b = n->p + used;
        l->db = n->g + used;
        used += l->out;
        l->y = at;
        l->dy = at + n->batch * l->out;
        at += 2 * n->batch * l->out;
    }
    return RZ_OK;
}

static void standardise(net *n) {
    const table *t = n->t;
    fit_columns(t, n->mean, n->deviation);
    for (size_t i = 0; i < t->rows; i++)
        for (size_t j = 0; j < t->cols; j++)
            n->x[i * t->cols + j] =
                (float)(((double)t->x[i * t->cols + j] - n->mean[j]) / n->deviation[j]);
    n->spread = 1;
    if (n->opt->classify) return;
    double square = 0;
    for (size_t i = 0; i < t->rows; i++) n->middle += (double)t->value[i] / (double)t->rows;
    for (size_t i = 0; i < t->rows; i++) {
        const double d = (double)t->value[i] - n->middle;
        square += d * d;
    }
    if (square > 0) n->spread = sqrt(square / (double)t->rows);
}

/* Uniform with a variance of 2 / in (He et al. 2015); a last layer begins at 0. */
static void first_weights(net *n, uint64_t *rng) {
    for (size_t i = 0; i + 1 < n->n; i++) {
        const double most = sqrt(6 / (double)n->l[i].in);
        for (size_t k = 0; k < n->l[i].out * n->l[i].in; k++)
            n->l[i].w[k] = (float)((2 * rng_unit(rng) - 1) * most);
    }
}

/* ---- One step ---- */

static void forward(net *n, size_t rows) {
    const float *x = n->in;
    for (size_t i = 0; i < n->n; i++) {
        net_layer *l = &n->l[i];
        classic_affine(n->k, x, rows, l->in, l->w, l->b, l->out, l->y);
        for (size_t k = 0; i + 1 < n->n && k < rows * l->out; k++)
            if (!(l->y[k] > 0)) l->y[k] = 0;
        x = l->y;
    }
}

/* dy of the last layer: what it says less what is right, for all three losses. */
static void last_gradient(net *n, const uint32_t *row, size_t rows) {
    net_layer *l = &n->l[n->n - 1];
    for (size_t i = 0; i < rows; i++) {
        float *y = l->y + i * l->out, *dy = l->dy + i * l->out;
        if (!n->opt->classify) {
            dy[0] = (float)((double)y[0] - ((double)n->t->value[row[i]] - n->middle) / n->spread);
        } else if (l->out == 1) {
            dy[0] = (float)(classic_sigmoid((double)y[0]) - n->t->class[row[i]]);
        } else {
            memcpy(dy, y, l->out * sizeof *dy);
            classic_softmax(dy, l->out);
            dy[n->t->class[row[i]]] -= 1;
        }
        for (size_t k = 0; k < l->out; k++) dy[k] /= (float)rows;
    }
}

/* dw[out][in] += dy[out] x[in], and dx[in] = dy . w where dx is wanted. */
static void backward_row(const net_layer *l, const float *x, const float *dy, float *dx) {
    for (size_t j = 0; dx && j < l->in; j++) dx[j] = 0;
    for (size_t o = 0; o < l->out; o++) {
        const float d = dy[o];
        const float *w = l->w + o * l->in;
        float *dw = l->dw + o * l->in;
        if (d == 0) continue;
        l->db[o] += d;
        for (size_t j = 0; j < l->in; j++) dw[j] += d * x[j];
        for (size_t j = 0; dx && j < l->in; j++) dx[j] += d * w[j];
    }
}

static void backward(net *n, size_t rows) {
    for (size_t k = 0; k < n->n_param; k++) n->g[k] = 0;
    for (size_t i = n->n; i-- > 0;) {
        const net_layer *l = &n->l[i];
        net_layer *before = i ? &n->l[i - 1] : NULL;
        for (size_t r = 0; r < rows; r++) {
            const float *x = before ? before->y + r * l->in : n->in + r * l->in;
            float *dx = before ? before->dy + r * l->in : NULL;
            backward_row(l, x, l->dy + r * l->out, dx);
            for (size_t j = 0; dx && j < l->in; j++)
                if (!(x[j] > 0)) dx[j] = 0;
        }
    }
    const float l2 = (float)(n->opt->l2 >= 0 ? n->opt->l2 : 1e-4);
    for (size_t i = 0; i < n->n; i++)
        for (size_t k = 0; k < n->l[i].out * n->l[i].in; k++) n->l[i].dw[k] += l2 * n->l[i].w[k];
}

static void adam(net *n, double rate, size_t step) {
    const double b1 = 0.9, b2 = 0.999;
    const float scale = (float)(rate / (1 - pow(b1, (double)step)));
    const float whole = (float)(1 / (1 - pow(b2, (double)step)));
    for (size_t k = 0; k < n->n_param; k++) {
        n->m[k] = 0.9f * n->m[k] + 0.1f * n->g[k];
        n->v[k] = 0.999f * n->v[k] + 0.001f * n->g[k] * n->g[k];
        n->p[k] -= scale * n->m[k] / (sqrtf(whole * n->v[k]) + 1e-8f);
    }
}

static void shuffle(uint32_t *row, size_t n, uint64_t *rng) {
    for (size_t i = n; i > 1; i--) {
        const size_t j = (size_t)rng_below(rng, i);
        const uint32_t r = row[i - 1];
        row[i - 1] = row[j];
        row[j] = r;
    }
}

static size_t epochs_of(const net *n) {
    if (n->opt->epochs) return n->opt->epochs;
    const size_t wanted = LEAST_STEPS * n->batch / n->t->rows;
    return wanted < 20 ? 20 : wanted > 500 ? 500 : wanted;
}

static status train(net *n, uint64_t *rng, err *e) {
    const size_t rows = n->t->rows, cols = n->t->cols, epochs = epochs_of(n);
    const size_t steps = epochs * ((rows + n->batch - 1) / n->batch);
    const double rate = n->opt->rate >= 0 ? n->opt->rate : n->n > 1 ? 0.003 : 0.02;
    for (size_t i = 0; i < rows; i++) n->row[i] = (uint32_t)i;
    for (size_t epoch = 0, step = 0; epoch < epochs; epoch++) {
        shuffle(n->row, rows, rng);
        for (size_t at = 0; at < rows; at += n->batch) {
            const size_t count = rows - at < n->batch ? rows - at : n->batch;
            for (size_t i = 0; i < count; i++)
                memcpy(n->in + i * cols, n->x + n->row[at + i] * cols, cols * sizeof *n->in);
            forward(n, count);
            last_gradient(n, n->row + at, count);
            backward(n, count);
            adam(n, rate * (1 - (double)step / (double)steps), step + 1);
            step++;
        }
        TRY(fit_tell(n->opt, epoch + 1, epochs, e));
    }
    for (size_t k = 0; k < n->n_param; k++)
        if (!isfinite(n->p[k]))
            return err_set(e, RZ_EINVAL, "the weights have grown out of bounds: lower the rate");
    return RZ_OK;
}

/* ---- Writing ---- */

/* The first layer takes columns as they are, the last gives values as they are. */
static void fold(net *n) {
    net_layer *first = &n->l[0], *last = &n->l[n->n - 1];
    for (size_t o = 0; o < first->out; o++) {
        double b = (double)first->b[o];
        for (size_t j = 0; j < first->in; j++) {
            const double w = (double)first->w[o * first->in + j] / n->deviation[j];
            b -= w * n->mean[j];
            first->w[o * first->in + j] = (float)w;
        }
        first->b[o] = (float)b;
    }
    if (n->opt->classify) return;
    for (size_t k = 0; k < last->in; k++) last->w[k] = (float)((double)last->w[k] * n->spread);
    last->b[0] = (float)((double)last->b[0] * n->spread + n->middle);
}

static void put_logistic(const net *n, buf *out) {
    payload_put_u8(out, 1);
    payload_put_u64(out, n->l[0].in);
    payload_put_floats(out, n->l[0].w, n->l[0].in);
    payload_put_f32(out, n->l[0].b[0]);
    payload_put_f32(out, n->opt->rate >= 0 ? (float)n->opt->rate : 0.02f);
    payload_put_u64(out, epochs_of(n));
    payload_put_f32(out, 1e-4f);
}

static void put_net(const net *n, buf *out) {
    enum { NONE, RELU, SIGMOID, SOFTMAX = 5 };
    payload_put_u64(out, n->n);
    for (size_t i = 0; i < n->n; i++) {
        const net_layer *l = &n->l[i];
        const uint8_t last = !n->opt->classify ? NONE : is_binary(n) ? SIGMOID : SOFTMAX;
        payload_put_u8(out, i + 1 < n->n ? RELU : last);
        payload_put_u64(out, l->out);
        payload_put_u64(out, l->in);
        payload_put_floats(out, l->w, l->out * l->in);
        payload_put_floats(out, l->b, l->out);
    }
}

status fit_net(const table *t, const fit_options *opt, uint16_t *type, buf *out, err *e) {
    net n = {.t = t, .opt = opt, .k = kern_get()};
    uint64_t rng = opt->seed;
    status s = shape(&n, e);
    if (s >= 0) s = reserve(&n, e);
    if (s >= 0) {
        standardise(&n);
        first_weights(&n, &rng);
        s = train(&n, &rng, e);
    }
    if (s >= 0) {
        const bool logistic = n.n == 1 && is_binary(&n);
        *type = logistic ? 0x02 : 0x20;
        fold(&n);
        if (logistic) put_logistic(&n, out);
        else put_net(&n, out);
    }
    mem_free(n.p);
    mem_free(n.mem);
    mem_free(n.x);
    mem_free(n.in);
    mem_free(n.row);
    mem_free(n.mean);
    return s;
}
