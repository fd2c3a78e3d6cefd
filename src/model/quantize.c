/* quantize.c - plans which tensor gets which type, then streams a file through the writers.
 *
 * Rows are independent of each other, so threads share them and the result is the same for any
 * number of threads. */
#include "model/quantize.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "format/gguf.h"

enum { VALUES_PER_TASK = 8192, QUANTIZATION_VERSION = 2 };

/* ---- Rows ---- */

typedef struct rows_call {
    const quant_rows *x;
    uint64_t first, n, per_task, in_bytes, out_bytes;
    uint8_t *out;
    float *scratch;       /* [threads][cols] */
    _Atomic uint64_t bad; /* the first row with a value that is not finite */
} rows_call;

static bool all_finite(const float *x, uint64_t n) {
    float sum = 0;
    for (uint64_t i = 0; i < n; i++) sum += x[i] * 0.0f; /* infinities and NaN give NaN */
    return sum == 0;
}

static void lower_to(_Atomic uint64_t *at, uint64_t v) {
    uint64_t seen = atomic_load(at);
    while (v < seen && !atomic_compare_exchange_weak(at, &seen, v)) {
    }
}

static void rows_task(void *ctx, uint32_t task, uint32_t thread) {
    rows_call *c = ctx;
    const quant_rows *x = c->x;
    float *value = c->scratch + thread * x->cols;
    const uint64_t end = (task + 1) * c->per_task < c->n ? (task + 1) * c->per_task : c->n;
    for (uint64_t i = task * c->per_task; i < end; i++) {
        const uint64_t row = c->first + i;
        quant_get(x->from)->to_float(x->data + row * c->in_bytes, value, x->cols);
        if (!all_finite(value, x->cols)) lower_to(&c->bad, row);
        const float *importance =
            x->importance ? x->importance + row / x->rows_each * x->cols : NULL;
        quant_write_row(x->to, value, c->out + i * c->out_bytes, x->cols, importance);
    }
}

status quant_rows_make(const quant_rows *x, uint64_t first, uint64_t n, void *out, pool *workers,
                       err *e) {
    rows_call c = {.x = x, .first = first, .n = n, .out = out, .bad = UINT64_MAX};
    size_t floats;
    if (!quant_row_bytes(x->from, x->cols, &c.in_bytes) ||
        !quant_row_bytes(x->to, x->cols, &c.out_bytes) ||
        mem_mul_over((size_t)pool_threads(workers), (size_t)x->cols, &floats))
        return err_set(e, RZ_EINVAL, "tensor %.*s: rows of %llu values do not fit",
                       STR_FMT(x->name), (unsigned long long)x->cols);
    c.per_task = x->cols < VALUES_PER_TASK ? VALUES_PER_TASK / x->cols : 1;
    const uint64_t n_task = (n + c.per_task - 1) / c.per_task;
    c.scratch = mem_array(floats, sizeof *c.scratch);
    if (!c.scratch || n_task > UINT32_MAX) {
        mem_free(c.scratch);
        return err_set(e, RZ_ENOMEM, "tensor %.*s: out of memory for its rows", STR_FMT(x->name));
    }
    pool_run(workers, (uint32_t)n_task, rows_task, &c);
    mem_free(c.scratch);
    const uint64_t bad = atomic_load(&c.bad);
    if (bad == UINT64_MAX) return RZ_OK;
    return err_set(e, RZ_EFORMAT, "tensor %.*s: row %llu holds a value that is not finite",
                   STR_FMT(x->name), (unsigned long long)bad);
}

/* ---- Planning ---- */

typedef struct planner {
    quant_plan *p;
    const quant_request *r;
    const quant_mix *mix;
    quant_type pure;              /* with r->pure: for everything */
    quant_type output, embedding; /* QUANT_TYPE_COUNT: as the mix says */
    mix_model m;
    bool *used; /* [n_keep] */
} planner;

/* A type that weights of files can be written in. */
static bool find_type(str name, quant_type *out) {
    return quant_find(name, out) && *out < QUANT_GGML_COUNT && quant_get(*out)->from_float &&
           *out != QUANT_Q8_1 && *out != QUANT_Q8_K;
}

static status type_option(const char *name, const char *what, quant_type *out, err *e) {
    *out = QUANT_TYPE_COUNT;
    if (!name || find_type(str_of(name), out)) return RZ_OK;
    return err_set(e, RZ_EINVAL, "%s \"%.60s\" is no type that weights can be stored in", what,
                   name);
}

static status pick_mix(planner *a, err *e) {
    TRY(quant_mix_get(&a->mix, a->r->name, e));
    if (!find_type(str_of(a->r->name), &a->pure)) a->pure = a->mix->base;
    TRY(type_option(a->r->output_type, "output type", &a->output, e));
    return type_option(a->r->embedding_type, "token embedding type", &a->embedding, e);
}

/* Does the name fit? Only * is special. */
static bool fits(str name, str pattern) {
    size_t i = 0, k = 0, star = SIZE_MAX, from = 0;
    while (i < name.len) {
        if (k < pattern.len && pattern.p[k] == '*') {
            star = k++;
            from = i;
        } else if (k < pattern.len && pattern.p[k] == name.p[i]) {
            i++, k++;
        } else if (star != SIZE_MAX) {
            k = star + 1;
            i = ++from;
        } else {
            return false;
        }
    }
    while (k < pattern.len && pattern.p[k] == '*') k++;
    return k == pattern.len;
}

static const quant_keep *keep_of(const planner *a, str name) {
    for (size_t i = 0; i < a->r->n_keep; i++)
        if (fits(name, a->r->keep[i].pattern)) {
            a->used[i] = true;
            return &a->r->keep[i];
        }
    return NULL;
}

/* The type of a tensor that may be quantized; *asked: the user named it for this tensor. */
static quant_type type_of(const planner *a, const mix_tensor *t, bool *asked) {
    const quant_keep *keep = keep_of(a, t->name);
    *asked = true;
    if (keep) return keep->type;
    if (mix_is_output(&a->m, t->name) && a->output != QUANT_TYPE_COUNT) return a->output;
    if (mix_is_embedding(t->name) && a->embedding != QUANT_TYPE_COUNT) return a->embedding;
    *asked = false;
    return a->r->pure ? a->pure : mix_choose(a->mix, &a->m, t);
}

static status check_requantize(const planner *a, const tensor_info *t, quant_type to, err *e) {
    if (quant_get(t->type)->block == 1 || quant_get(to)->block == 1 || a->r->again) return RZ_OK;
    return err_set(e, RZ_EINVAL,
                   "tensor %.*s is %s already; quantizing it again loses more than starting from "
                   "floats (--allow-requantize does it all the same)",
                   STR_FMT(t->name), quant_get(t->type)->name);
}

/* The importance of one tensor, if it is known and makes a difference. */
static status weigh(const planner *a, quant_row *row, err *e) {
    const tensor_info *t = row->from;
    const uint64_t n = t->dim[0] * t->dim[2] * t->dim[3];
    const bool outer = mix_is_output(&a->m, t->name) || mix_is_embedding(t->name);
    row->importance = a->r->importance ? imatrix_find(a->r->importance, t->name) : NULL;
    if (row->importance && row->importance->n != n)
        return err_set(
            e, RZ_EINVAL,
            "tensor %.*s has %llu input columns, its entry in the importance matrix %zu: "
            "it was made with another model",
            STR_FMT(t->name), (unsigned long long)n, row->importance->n);
    if (row->importance || outer || !mix_needs_importance(row->to.type)) return RZ_OK;
    return err_set(e, RZ_EINVAL, "tensor %.*s: %s needs an importance matrix%s", STR_FMT(t->name),
                   quant_get(row->to.type)->name,
                   a->r->importance ? " with an entry for it"
                                    : " (--imatrix FILE; realizar imatrix makes one)");
}

static bool is_number(quant_type t) {
    return t == QUANT_F32 || t == QUANT_F16 || t == QUANT_BF16 || quant_get(t)->block > 1;
}

static status plan_tensor(planner *a, const tensor_info *t, quant_row *row, err *e) {
    const mix_tensor shape = {t->name, t->dim[0], t->n / t->dim[0], t->dim[2] * t->dim[3] > 1};
    *row = (quant_row){.from = t, .to = *t};
    if (!is_number(t->type) || !mix_may_quantize(&shape)) return RZ_OK;
    bool asked;
    const quant_type wanted = type_of(a, &shape, &asked), type = mix_fitting(wanted, shape.cols);
    if (asked && type != wanted)
        return err_set(e, RZ_EINVAL, "tensor %.*s has rows of %llu values, which %s cannot store",
                       STR_FMT(t->name), (unsigned long long)shape.cols, quant_get(wanted)->name);
    if (type == t->type) return RZ_OK;
    if (!quant_get(t->type)->to_float)
        return err_set(e, RZ_EUNSUPPORTED, "tensor %.*s is %s, which cannot be read",
                       STR_FMT(t->name), quant_get(t->type)->name);
    TRY(check_requantize(a, t, type, e));
    uint64_t row_bytes = 0;
    quant_row_bytes(type, shape.cols, &row_bytes);
    row->fell_back = type != wanted;
    row->to.type = type;
    row->to.bytes = row_bytes * shape.rows;
    row->to.data = NULL;
    return weigh(a, row, e);
}

static status plan_all(planner *a, err *e) {
    quant_plan *p = a->p;
    const tensor_file *f = p->file;
    if (f->config)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%.200s: a checkpoint; realizar convert --type makes a quantized GGUF file "
                       "of it",
                       f->path);
    TRY(pick_mix(a, e));
    TRY(mix_model_read(&a->m, f, &p->mem, e));
    a->m.importance = a->r->importance != NULL;
    p->file_type = a->mix->file_type;
    p->n = f->n_tensor;
    p->row = arena_zero(&p->mem, p->n + 1, sizeof *p->row);
    a->used = arena_zero(&p->mem, a->r->n_keep + 1, sizeof *a->used);
    if (!p->row || !a->used) return err_set(e, RZ_ENOMEM, "%.200s: out of memory", f->path);
    for (size_t i = 0; i < p->n; i++) TRY(plan_tensor(a, &f->tensor[i], &p->row[i], e));
    for (size_t i = 0; i < a->r->n_keep; i++)
        if (!a->used[i])
            return err_set(e, RZ_EINVAL, "\"%.*s\" is the name of no tensor that is quantized",
                           STR_FMT(a->r->keep[i].pattern));
    return RZ_OK;
}

status quant_plan_make(quant_plan *p, const tensor_file *f, const quant_request *r, err *e) {
    *p = (quant_plan){.file = f};
    planner a = {.p = p, .r = r};
    const status s = plan_all(&a, e);
    if (s < 0) quant_plan_free(p);
    return s;
}

void quant_plan_free(quant_plan *p) {
    arena_free(&p->mem);
    *p = (quant_plan){0};
}

/* ---- Writing ---- */

typedef struct writing {
    pool *workers;
    quant_progress_fn *progress;
    void *ud;
    uint64_t done, total;
} writing;

typedef struct tensor_writing {
    writing *w;
    const quant_row *row;
} tensor_writing;

static status write_rows(void *ud, uint64_t first, uint64_t n, void *out, err *e) {
    const tensor_writing *t = ud;
    const tensor_info *from = t->row->from, *to = &t->row->to;
    const uint64_t row_bytes = to->bytes / (to->n / to->dim[0]);
    writing *w = t->w;
    if (to->data) {
        memcpy(out, to->data + first * row_bytes, n * row_bytes);
    } else {
        const imatrix_entry *x = t->row->importance;
        const quant_rows rows = {from->name,   from->data,   from->type,        to->type,
                                 from->dim[0], from->dim[1], x ? x->mean : NULL};
        TRY(quant_rows_make(&rows, first, n, out, w->workers, e));
    }
    w->done += n * row_bytes;
    if (w->progress && w->progress(w->ud, w->done, w->total) != 0)
        return err_set(e, RZ_ECANCELED, "stopped");
    return RZ_OK;
}

/* Keys that are about the file as it was. */
bool quant_replaces_key(str key) {
    return str_is(key, "general.file_type") || str_is(key, "general.quantization_version") ||
           str_starts(key, STR_LIT("split.")) || str_starts(key, STR_LIT("quantize.imatrix."));
}

static status put_keys(gguf_writer *w, const quant_plan *p, const quant_request *r, err *e) {
    for (size_t i = 0; i < p->file->n_kv; i++)
        if (!quant_replaces_key(p->file->kv[i].key))
            TRY(gguf_put_value(w, p->file->kv[i].key, &p->file->kv[i].value, e));
    TRY(gguf_put_u32(w, "general.quantization_version", QUANTIZATION_VERSION, e));
    TRY(gguf_put_u32(w, "general.file_type", p->file_type, e));
    if (!r->importance) return RZ_OK;
    TRY(gguf_put_str(w, "quantize.imatrix.file", str_of(r->importance_path), e));
    TRY(gguf_put_str(w, "quantize.imatrix.dataset", r->importance->dataset, e));
    TRY(gguf_put_u32(w, "quantize.imatrix.entries_count", (uint32_t)r->importance->n, e));
    return gguf_put_u32(w, "quantize.imatrix.chunks_count", r->importance->chunks, e);
}

static status put_all(gguf_writer *w, const quant_plan *p, const quant_request *r, writing *state,
                      const char *path, err *e) {
    arena mem = ARENA_INIT;
    tensor_writing *t = arena_zero(&mem, p->n + 1, sizeof *t);
    status s = t ? put_keys(w, p, r, e) : err_set(e, RZ_ENOMEM, "%.200s: out of memory", path);
    for (size_t i = 0; i < p->n && s >= 0; i++) {
        t[i] = (tensor_writing){state, &p->row[i]};
        state->total += p->row[i].to.bytes;
        s = gguf_put_rows(w, &p->row[i].to, write_rows, &t[i], e);
    }
    if (s >= 0) s = gguf_write(w, path, e);
    arena_free(&mem);
    return s;
}

status quant_plan_write(const quant_plan *p, const quant_request *r, const char *path,
                        pool *workers, quant_progress_fn *progress, void *ud, err *e) {
    gguf_writer *w;
    writing state = {workers, progress, ud, 0, 0};
    TRY(gguf_writer_new(&w, e));
    const status s = put_all(w, p, r, &state, path, e);
    gguf_writer_free(w);
    return s;
}
