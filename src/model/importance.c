/* importance.c - finds the tensor behind each product by where its weights lie in the file.
 *
 * Slots that take a part of a fused tensor read the same input; only the part with the tensor's
 * first row counts it. Matrices that were copied when the model was opened are not in the file and
 * go uncounted. The output matrix is left out: few rows reach it. */
#include "model/importance.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

typedef struct source {
    const tensor_info *t;
    uint64_t n_mat;
    double *sum;     /* [n_mat, dim[0]]; NULL until something goes in */
    uint64_t *count; /* [n_mat] */
} source;

struct importance {
    const model *m;
    source *source; /* by address */
    size_t n;
    imatrix_sums *sums; /* [n] */
    arena mem;
    bool no_memory;
};

static int by_address(const void *a, const void *b) {
    const uint8_t *x = ((const source *)a)->t->data, *y = ((const source *)b)->t->data;
    return (x > y) - (x < y);
}

static status no_memory(const model *m, err *e) {
    return err_set(e, RZ_ENOMEM, "%.200s: out of memory for importance", m->file->path);
}

status importance_new(importance **out, const model *m, err *e) {
    const tensor_file *f = m->file;
    if (f->config)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%.200s: an importance matrix goes by the names of a GGUF file; make one of "
                       "this checkpoint first",
                       f->path);
    importance *x = mem_zero(sizeof *x);
    if (!x) return no_memory(m, e);
    x->m = m;
    x->source = arena_zero(&x->mem, f->n_tensor + 1, sizeof *x->source);
    x->sums = arena_zero(&x->mem, f->n_tensor + 1, sizeof *x->sums);
    if (!x->source || !x->sums) {
        importance_free(x);
        return no_memory(m, e);
    }
    for (size_t i = 0; i < f->n_tensor; i++) {
        const tensor_info *t = &f->tensor[i];
        if (t->n > t->dim[0]) x->source[x->n++] = (source){.t = t, .n_mat = t->dim[2] * t->dim[3]};
    }
    qsort(x->source, x->n, sizeof *x->source, by_address);
    *out = x;
    return RZ_OK;
}

void importance_free(importance *x) {
    if (!x) return;
    arena_free(&x->mem);
    mem_free(x);
}

/* The tensor that holds this address, or NULL. */
static source *find(importance *x, const uint8_t *at) {
    size_t low = 0, high = x->n;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (x->source[mid].t->data <= at) low = mid + 1;
        else high = mid;
    }
    if (low == 0) return NULL;
    source *s = &x->source[low - 1];
    return (uint64_t)(at - s->t->data) < s->t->bytes ? s : NULL;
}

static bool take_memory(importance *x, source *s) {
    if (s->sum) return true;
    s->count = arena_zero(&x->mem, s->n_mat, sizeof *s->count);
    if (s->count) s->sum = arena_zero(&x->mem, s->n_mat * s->t->dim[0], sizeof *s->sum);
    if (!s->sum) x->no_memory = true;
    return s->sum != NULL;
}

void importance_tap(void *ud, const weight *w, const float *x, size_t stride, uint32_t T) {
    importance *all = ud;
    source *s = w->data == all->m->head.data ? NULL : find(all, w->data);
    if (!s || w->n_in != s->t->dim[0]) return;
    const uint64_t row = (uint64_t)(w->data - s->t->data) / w->row_bytes;
    if (row % s->t->dim[1] != 0 || !take_memory(all, s)) return;
    const uint64_t mat = row / s->t->dim[1];
    double *sum = s->sum + mat * w->n_in;
    for (uint32_t t = 0; t < T; t++, x += stride)
        for (uint32_t i = 0; i < w->n_in; i++) sum[i] += (double)x[i] * (double)x[i];
    s->count[mat] += T;
}

static bool all_finite(const double *v, uint64_t n) {
    for (uint64_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return false;
    return true;
}

static int by_place(const void *a, const void *b) {
    const source *x = a, *y = b;
    return (x->t > y->t) - (x->t < y->t);
}

status importance_sums(importance *x, const imatrix_sums **out, size_t *n, err *e) {
    size_t found = 0;
    if (x->no_memory) return no_memory(x->m, e);
    qsort(x->source, x->n, sizeof *x->source, by_place);
    for (size_t i = 0; i < x->n; i++) {
        const source *s = &x->source[i];
        if (!s->sum) continue;
        if (!all_finite(s->sum, s->n_mat * s->t->dim[0]))
            return err_set(e, RZ_EFORMAT, "tensor %.*s: what goes into it is not finite",
                           STR_FMT(s->t->name));
        x->sums[found++] = (imatrix_sums){.name = s->t->name,
                                          .n_col = (uint32_t)s->t->dim[0],
                                          .n_mat = (uint32_t)s->n_mat,
                                          .sum = s->sum,
                                          .count = s->count};
    }
    qsort(x->source, x->n, sizeof *x->source, by_address);
    *out = x->sums;
    *n = found;
    return RZ_OK;
}
