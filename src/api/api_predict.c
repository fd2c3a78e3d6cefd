/* api_predict.c - rz_predictor, rz_predict and rz_table: classic models and tables of numbers. */
#include "api/api.h"
#include "base/mem.h"
#include "base/os.h"
#include "classic/classic.h"
#include "classic/fit.h"
#include "classic/table.h"

struct rz_predictor {
    classic *c;
};

struct rz_table {
    table *t;
};

/* ---- Models ---- */

int rz_predictor_is(const char *path) {
    os_map file;
    if (!path || os_map_open(&file, path, NULL) < 0) return 0;
    const bool is = apr_is((str){(const char *)file.data, file.len});
    os_map_close(&file);
    return is;
}

/* Gives *out the model, or frees it. */
static status wrap(rz_predictor **out, classic *c, err *e) {
    rz_predictor *p = mem_alloc(sizeof *p);
    if (!p) {
        classic_free(c);
        return err_set(e, RZ_ENOMEM, "out of memory for a model");
    }
    p->c = c;
    *out = p;
    return RZ_OK;
}

rz_status rz_predictor_open(rz_predictor **out, const char *path, rz_error *e) {
    classic *c;
    if (!out || !path) return err_set(e, RZ_EINVAL, "rz_predictor_open: a pointer is NULL");
    TRY(classic_open(&c, path, e));
    return wrap(out, c, e);
}

rz_status rz_predictor_open_memory(rz_predictor **out, const void *data, size_t len, rz_error *e) {
    classic *c;
    if (!out || (len && !data))
        return err_set(e, RZ_EINVAL, "rz_predictor_open_memory: a pointer is NULL");
    TRY(classic_parse(&c, "<memory>", (str){data, len}, e));
    return wrap(out, c, e);
}

void rz_predictor_close(rz_predictor *p) {
    if (!p) return;
    classic_free(p->c);
    mem_free(p);
}

void rz_predictor_describe(const rz_predictor *p, rz_predictor_info *out) {
    const classic *c = p->c;
    *out = (rz_predictor_info){.path = c->path,
                               .format = ".apr v1",
                               .kind = c->name,
                               .type = c->type,
                               .meta_keys = c->meta->n,
                               .inputs = c->inputs,
                               .outputs = c->outputs,
                               .classes = c->classes,
                               .proba = c->classes && !c->no_proba,
                               .params = c->params,
                               .file_bytes = c->file_bytes};
}

long rz_predictor_meta_at(const rz_predictor *p, size_t i, const char **key, const char **type,
                          char *out, size_t cap) {
    const json *v = p->c->meta->child;
    buf text = BUF_INIT;
    for (; v && i > 0; i--) v = v->next;
    if (!v) return -1;
    /* Keys are views into the file; their copies are made when it is read. */
    if (key) *key = v->key.p;
    if (type) *type = json_kind_name(v->kind);
    if (v->kind == JSON_STRING) buf_str(&text, v->text);
    else json_write(&text, v);
    const size_t n = text.len < cap ? text.len : cap ? cap - 1 : 0;
    if (cap && n) memcpy(out, text.p, n);
    if (cap) out[n] = 0;
    const long need = text.failed ? -1 : (long)text.len;
    buf_free(&text);
    return need;
}

const char *rz_predictor_label(const rz_predictor *p, size_t klass) {
    return p->c->label && klass < p->c->classes ? p->c->label[klass] : NULL;
}

rz_status rz_predictor_save(const rz_predictor *p, const char *path, rz_error *e) {
    buf b = BUF_INIT;
    if (!p || !path) return err_set(e, RZ_EINVAL, "rz_predictor_save: a pointer is NULL");
    status s = classic_write(p->c, &b, e);
    if (s >= 0 && b.failed) s = err_set(e, RZ_ENOMEM, "%.200s: out of memory", path);
    if (s >= 0) s = os_write_file(path, b.p, b.len, e);
    buf_free(&b);
    return s;
}

/* ---- Asking ---- */

rz_status rz_predict(const rz_predictor *p, const float *x, size_t rows, size_t cols, float *y,
                     size_t width, rz_error *e) {
    if (!p || (rows && (!x || !y))) return err_set(e, RZ_EINVAL, "rz_predict: a pointer is NULL");
    return classic_run(p->c, x, rows, cols, false, y, width, e);
}

rz_status rz_predict_proba(const rz_predictor *p, const float *x, size_t rows, size_t cols,
                           float *y, size_t width, rz_error *e) {
    if (!p || (rows && (!x || !y)))
        return err_set(e, RZ_EINVAL, "rz_predict_proba: a pointer is NULL");
    return classic_run(p->c, x, rows, cols, true, y, width, e);
}

rz_status rz_predict_text(const rz_predictor *p, const char *text, size_t len, float *y,
                          size_t width, rz_error *e) {
    if (!p || !y || (len && !text))
        return err_set(e, RZ_EINVAL, "rz_predict_text: a pointer is NULL");
    return classic_run_text(p->c, (str){text, len}, y, width, e);
}

/* ---- Tables ---- */

static status wrap_table(rz_table **out, table *t, err *e) {
    rz_table *r = mem_alloc(sizeof *r);
    if (!r) {
        table_free(t);
        return err_set(e, RZ_ENOMEM, "out of memory for a table");
    }
    r->t = t;
    *out = r;
    return RZ_OK;
}

static status take_options(const rz_table_options *given, table_options *out, err *e) {
    rz_table_options opt;
    TRY(api_take_struct(&opt, sizeof opt, given, "rz_table_options", e));
    *out = (table_options){opt.target, opt.labels, opt.keep};
    return RZ_OK;
}

rz_status rz_table_open(rz_table **out, const char *path, const rz_table_options *given,
                        rz_error *e) {
    table_options opt;
    table *t;
    if (!out || !path) return err_set(e, RZ_EINVAL, "rz_table_open: a pointer is NULL");
    TRY(take_options(given, &opt, e));
    TRY(table_open(&t, path, &opt, e));
    return wrap_table(out, t, e);
}

rz_status rz_table_parse(rz_table **out, const char *name, const void *bytes, size_t len,
                         const rz_table_options *given, rz_error *e) {
    table_options opt;
    table *t;
    if (!out || !name || (len && !bytes))
        return err_set(e, RZ_EINVAL, "rz_table_parse: a pointer is NULL");
    TRY(take_options(given, &opt, e));
    TRY(table_parse(&t, name, (str){bytes, len}, &opt, e));
    return wrap_table(out, t, e);
}

void rz_table_info_get(const rz_table *r, rz_table_info *out) {
    const table *t = r->t;
    *out = (rz_table_info){.rows = t->rows,
                           .cols = t->cols,
                           .x = t->x,
                           .names = t->name,
                           .klass = t->class,
                           .value = t->value,
                           .label = t->label,
                           .classes = t->classes,
                           .target = t->target};
}

rz_status rz_table_split(const rz_table *r, double share, uint64_t seed, rz_table **train,
                         rz_table **test, rz_error *e) {
    table *a, *b;
    rz_table *first = NULL, *second = NULL;
    if (!r || !train || !test) return err_set(e, RZ_EINVAL, "rz_table_split: a pointer is NULL");
    TRY(table_split(r->t, share, seed, &a, &b, e));
    status s = wrap_table(&first, a, e);
    if (s < 0) table_free(b);
    else s = wrap_table(&second, b, e);
    if (s < 0) {
        rz_table_free(first);
        return s;
    }
    *train = first;
    *test = second;
    return RZ_OK;
}

void rz_table_free(rz_table *t) {
    if (!t) return;
    table_free(t->t);
    mem_free(t);
}

/* ---- Fitting ---- */

rz_status rz_fit(rz_predictor **out, const rz_table *t, const char *kind,
                 const rz_fit_options *given, rz_error *e) {
    static const rz_fit_options usual = RZ_FIT_INIT;
    rz_fit_options opt;
    classic *c;
    if (!out || !t || !kind) return err_set(e, RZ_EINVAL, "rz_fit: a pointer is NULL");
    TRY(api_take_struct(&opt, sizeof opt, given ? given : &usual, "rz_fit_options", e));
    const fit_options o = {.kind = kind,
                           .classify = !opt.regress,
                           .seed = opt.seed,
                           .epochs = opt.epochs,
                           .batch = opt.batch,
                           .rate = opt.rate,
                           .l2 = opt.l2,
                           .depth = opt.depth,
                           .trees = opt.trees,
                           .clusters = opt.clusters,
                           .hidden = opt.hidden,
                           .created = opt.created,
                           .progress = opt.progress,
                           .progress_ud = opt.progress_ud};
    TRY(fit(&c, t->t, &o, e));
    return wrap(out, c, e);
}

const char *rz_fit_name(size_t i) { return fit_name(i); }
