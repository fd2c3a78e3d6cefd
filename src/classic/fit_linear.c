/* fit_linear.c - linear regression by least squares: the normal equations of standardised columns,
 * solved by Cholesky's method in double. `l2` times the number of rows is added to the diagonal
 * (1e-9 unless given), which also settles columns that say the same. */
#include <math.h>

#include "base/mem.h"
#include "classic/fit.h"

enum { MAX_COLS = 8192 };

/* a[n][n] += rows; b[n] += rows * answers, columns standardised. */
static void sum_rows(const table *t, const double *mean, const double *deviation, double middle,
                     double *z, double *a, double *b) {
    const size_t n = t->cols;
    for (size_t i = 0; i < t->rows; i++) {
        const double y = (double)t->value[i] - middle;
        for (size_t j = 0; j < n; j++) z[j] = ((double)t->x[i * n + j] - mean[j]) / deviation[j];
        for (size_t j = 0; j < n; j++) {
            b[j] += z[j] * y;
            for (size_t k = 0; k <= j; k++) a[j * n + k] += z[j] * z[k];
        }
    }
}

/* a = L L^T in its lower half, then b becomes the solution. false: not positive definite. */
static bool solve(double *a, double *b, size_t n) {
    for (size_t j = 0; j < n; j++) {
        for (size_t k = 0; k <= j; k++) {
            double s = a[j * n + k];
            for (size_t i = 0; i < k; i++) s -= a[j * n + i] * a[k * n + i];
            if (k < j) a[j * n + k] = s / a[k * n + k];
            else if (!(s > 0)) return false;
            else a[j * n + j] = sqrt(s);
        }
    }
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < j; i++) b[j] -= a[j * n + i] * b[i];
        b[j] /= a[j * n + j];
    }
    for (size_t j = n; j-- > 0;) {
        for (size_t i = j + 1; i < n; i++) b[j] -= a[i * n + j] * b[i];
        b[j] /= a[j * n + j];
    }
    return true;
}

static status solve_table(const table *t, const fit_options *opt, double *work, buf *out, err *e) {
    const size_t n = t->cols;
    double *mean = work, *deviation = mean + n, *z = deviation + n, *b = z + n, *a = b + n;
    double middle = 0;
    fit_columns(t, mean, deviation);
    for (size_t i = 0; i < t->rows; i++) middle += (double)t->value[i] / (double)t->rows;
    sum_rows(t, mean, deviation, middle, z, a, b);
    for (size_t j = 0; j < n; j++)
        a[j * n + j] += (opt->l2 >= 0 ? opt->l2 : 1e-9) * (double)t->rows;
    if (!solve(a, b, n))
        return err_set(e, RZ_EINVAL, "columns that follow from others: raise the weight decay");
    payload_put_u8(out, 1);
    payload_put_u64(out, n);
    for (size_t j = 0; j < n; j++) {
        b[j] /= deviation[j];
        middle -= b[j] * mean[j];
        payload_put_f32(out, (float)b[j]);
    }
    payload_put_f32(out, (float)middle);
    payload_put_u8(out, 1);
    return RZ_OK;
}

status fit_linear(const table *t, const fit_options *opt, uint16_t *type, buf *out, err *e) {
    *type = 1;
    if (t->cols > MAX_COLS)
        return err_set(e, RZ_EINVAL, "%zu columns, linear regression takes at most %d", t->cols,
                       MAX_COLS);
    double *work = mem_array_zero(t->cols * (t->cols + 4), sizeof *work);
    if (!work) return err_set(e, RZ_ENOMEM, "out of memory for %zu columns", t->cols);
    const status s = solve_table(t, opt, work, out, e);
    mem_free(work);
    return s;
}
