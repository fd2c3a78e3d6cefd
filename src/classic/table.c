/* table.c - files into tables: columns, answers as classes and values, a part kept for tests. */
#include "classic/table.h"

#include <math.h>
#include <stdio.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/rng.h"
#include "format/csv.h"
#include "format/idx.h"

enum { MAX_CLASSES = 1 << 20 };

/* A table while it grows: x and answers are moved into its arena at the end. */
typedef struct maker {
    table *t;
    const char *name;
    const table_options *opt;
    float *x;
    str *answer; /* [rows] */
    size_t x_cap, answer_cap;
    bool answers;  /* there are some */
    size_t target; /* CSV: their column */
} maker;

static status no_memory(const char *name, err *e) {
    return err_set(e, RZ_ENOMEM, "%.200s: out of memory", name);
}

static bool is_kept(const char *keep, str answer) {
    if (!keep) return true;
    for (str rest = str_of(keep); rest.p;)
        if (str_eq(str_trim(str_split(&rest, ',')), answer)) return true;
    return false;
}

/* Room for one more row. */
static status grow(maker *k, err *e) {
    const size_t rows = k->t->rows;
    if (rows >= UINT32_MAX) return err_set(e, RZ_EFULL, "%.200s: too many rows", k->name);
    if (rows < k->answer_cap) return RZ_OK;
    const size_t cap = k->answer_cap ? 2 * k->answer_cap : 64;
    size_t n = 0;
    if (mem_mul_over(cap, k->t->cols, &n)) return no_memory(k->name, e);
    float *x = mem_resize(k->x, n, sizeof *x);
    if (x) k->x = x;
    str *answer = x ? mem_resize(k->answer, cap, sizeof *answer) : NULL;
    if (!answer) return no_memory(k->name, e);
    k->answer = answer;
    k->answer_cap = cap;
    return RZ_OK;
}

/* ---- Answers ---- */

typedef struct named {
    str text;
    double number;
    uint32_t old;
} named;

static bool before(const named *a, const named *b, bool numbers) {
    if (numbers && a->number != b->number) return a->number < b->number;
    const size_t n = a->text.len < b->text.len ? a->text.len : b->text.len;
    const int c = n ? memcmp(a->text.p, b->text.p, n) : 0;
    return c ? c < 0 : a->text.len < b->text.len;
}

/* Merge sort of a[n] through b[n]. */
static void sort(named *a, named *b, size_t n, bool numbers) {
    if (n < 2) return;
    const size_t half = n / 2;
    sort(a, b, half, numbers);
    sort(a + half, b, n - half, numbers);
    memcpy(b, a, half * sizeof *a);
    for (size_t i = 0, j = half, to = 0; i < half; to++) {
        if (j < n && before(&a[j], &b[i], numbers)) a[to] = a[j++];
        else a[to] = b[i++];
    }
}

static status order_classes(maker *k, const map *seen, err *e) {
    table *t = k->t;
    bool numbers = true;
    t->classes = seen->n;
    named *list = mem_array(2 * seen->n + 1, sizeof *list);
    uint32_t *renamed = mem_array(seen->n + 1, sizeof *renamed);
    t->label = arena_alloc(&t->mem, (seen->n + 1) * sizeof *t->label);
    t->value = arena_alloc(&t->mem, (t->rows + 1) * sizeof *t->value);
    bool fits = list && renamed && t->label && t->value;
    for (size_t i = 0; fits && i < seen->n; i++) {
        list[i] = (named){seen->entry[i].key, 0, (uint32_t)i};
        numbers = str_f64(list[i].text, &list[i].number) && numbers;
    }
    if (fits) sort(list, list + seen->n, seen->n, numbers);
    for (size_t i = 0; fits && i < seen->n; i++) {
        renamed[list[i].old] = (uint32_t)i;
        t->label[i] = arena_copy(&t->mem, list[i].text.p, list[i].text.len);
        fits = t->label[i] != NULL;
    }
    for (size_t i = 0; fits && i < t->rows; i++) {
        t->class[i] = renamed[t->class[i]];
        if (numbers) t->value[i] = (float)list[t->class[i]].number;
    }
    if (!numbers) t->value = NULL;
    mem_free(list);
    mem_free(renamed);
    return fits ? RZ_OK : no_memory(k->name, e);
}

static status find_classes(maker *k, map *seen, err *e) {
    table *t = k->t;
    t->class = arena_alloc(&t->mem, (t->rows + 1) * sizeof *t->class);
    if (!t->class) return no_memory(k->name, e);
    for (size_t i = 0; i < t->rows; i++) {
        const uint64_t *old = map_get(seen, k->answer[i]);
        t->class[i] = old ? (uint32_t)*old : (uint32_t)seen->n;
        if (old) continue;
        if (seen->n == MAX_CLASSES)
            return err_set(e, RZ_EFULL, "%.200s: over %d different answers", k->name, MAX_CLASSES);
        if (map_put(seen, k->answer[i], seen->n) == MAP_NOMEM) return no_memory(k->name, e);
    }
    return order_classes(k, seen, e);
}

/* What was collected becomes the table's. */
static status finish(maker *k, err *e) {
    table *t = k->t;
    map seen = MAP_INIT;
    if (t->rows == 0) return err_set(e, RZ_EFORMAT, "%.200s: no rows", k->name);
    t->x = arena_alloc(&t->mem, t->rows * t->cols * sizeof *t->x + 1);
    if (!t->x) return no_memory(k->name, e);
    if (t->cols) memcpy(t->x, k->x, t->rows * t->cols * sizeof *t->x);
    const status s = k->answers ? find_classes(k, &seen, e) : RZ_OK;
    map_free(&seen);
    return s;
}

/* ---- CSV ---- */

/* Which field holds the answers: SIZE_MAX when none does. */
static status find_target(maker *k, const csv *c, bool *named_so, err *e) {
    uint64_t n = 0;
    const char *target = k->opt->target;
    *named_so = false;
    k->target = SIZE_MAX;
    k->answers = target != NULL;
    if (!target) return RZ_OK;
    const bool number = str_u64(str_of(target), &n);
    for (size_t i = 0; i < c->n && !number; i++)
        if (str_is(str_trim(c->field[i]), target)) {
            k->target = i;
            *named_so = true;
            return RZ_OK;
        }
    if (strcmp(target, "last") == 0) n = c->n;
    else if (!number)
        return err_set(e, RZ_ENOTFOUND, "%.200s: no column is called \"%.100s\"", k->name, target);
    if (n < 1 || n > c->n)
        return err_set(e, RZ_ENOTFOUND, "%.200s: column %.20s, but there are %zu", k->name, target,
                       c->n);
    k->target = (size_t)n - 1;
    return RZ_OK;
}

/* Names of columns, when the first record holds any. */
static status take_names(maker *k, const csv *c, bool named_so, bool *is_header, err *e) {
    table *t = k->t;
    double number;
    *is_header = named_so;
    for (size_t i = 0; i < c->n; i++)
        if (i != k->target && !str_f64(str_trim(c->field[i]), &number)) *is_header = true;
    t->cols = c->n - (k->target != SIZE_MAX);
    if (t->cols == 0) return err_set(e, RZ_EFORMAT, "%.200s: no column of features", k->name);
    if (!*is_header) return RZ_OK;
    t->name = arena_alloc(&t->mem, t->cols * sizeof *t->name);
    if (!t->name) return no_memory(k->name, e);
    for (size_t i = 0, to = 0; i < c->n; i++) {
        const str field = str_trim(c->field[i]);
        const char *copy = arena_copy(&t->mem, field.p, field.len);
        if (!copy) return no_memory(k->name, e);
        if (i == k->target) t->target = copy;
        else t->name[to++] = copy;
    }
    return RZ_OK;
}

static status take_row(maker *k, const csv *c, err *e) {
    table *t = k->t;
    const size_t want = t->cols + (k->target != SIZE_MAX);
    if (c->n != want)
        return err_set(e, RZ_EFORMAT, "%.200s: line %zu: %zu fields, expected %zu", k->name, c->at,
                       c->n, want);
    if (k->target != SIZE_MAX && !is_kept(k->opt->keep, str_trim(c->field[k->target])))
        return RZ_OK;
    TRY(grow(k, e));
    float *to = k->x + t->rows * t->cols;
    for (size_t i = 0; i < c->n; i++) {
        const str field = str_trim(c->field[i]);
        double v = 0;
        if (i == k->target) {
            if (field.len == 0)
                return err_set(e, RZ_EFORMAT, "%.200s: line %zu: no answer in column %zu", k->name,
                               c->at, i + 1);
            k->answer[t->rows] = field;
            continue;
        }
        if (!str_f64(field, &v) || !isfinite((float)v))
            return err_set(e, RZ_EFORMAT, "%.200s: line %zu, column %zu: \"%.*s\" is no number",
                           k->name, c->at, i + 1, STR_FMT(field));
        *to++ = (float)v;
    }
    t->rows++;
    return RZ_OK;
}

static status read_csv(maker *k, csv *c, err *e) {
    bool more = false, named_so = false, is_header = false;
    status s = csv_next(c, &more, e);
    if (s < 0) return err_at(e, s, k->name);
    if (!more) return err_set(e, RZ_EFORMAT, "%.200s: no rows", k->name);
    TRY(find_target(k, c, &named_so, e));
    TRY(take_names(k, c, named_so, &is_header, e));
    if (!is_header) TRY(take_row(k, c, e));
    for (;;) {
        s = csv_next(c, &more, e);
        if (s < 0) return err_at(e, s, k->name);
        if (!more) return RZ_OK;
        TRY(take_row(k, c, e));
    }
}

/* ---- IDX ---- */

static status answer_text(maker *k, double v, str *out, err *e) {
    char text[32];
    snprintf(text, sizeof text, "%.9g", v);
    out->p = arena_copy(&k->t->mem, text, strlen(text));
    out->len = strlen(text);
    return out->p ? RZ_OK : no_memory(k->name, e);
}

static status idx_row(maker *k, const idx *x, const idx *labels, size_t i, err *e) {
    table *t = k->t;
    str answer = {0};
    if (labels) {
        TRY(answer_text(k, idx_at(labels, i), &answer, e));
        if (!is_kept(k->opt->keep, answer)) return RZ_OK;
    }
    TRY(grow(k, e));
    k->answer[t->rows] = answer;
    for (size_t j = 0; j < t->cols; j++) {
        const double v = idx_at(x, i * t->cols + j);
        const float f = (float)(x->type == 8 ? v / 255 : v);
        if (!isfinite(f))
            return err_set(e, RZ_EFORMAT, "%.200s: row %zu, number %zu is not finite", k->name, i,
                           j);
        k->x[t->rows * t->cols + j] = f;
    }
    t->rows++;
    return RZ_OK;
}

static status read_idx(maker *k, str bytes, str labels, err *e) {
    idx x, y = {0};
    TRY(idx_parse(&x, k->name, bytes, e));
    if (x.cols == 0 || x.cols > UINT32_MAX)
        return err_set(e, RZ_EFORMAT, "%.200s: rows of %zu numbers", k->name, x.cols);
    k->t->cols = x.cols;
    k->t->one_unit = true;
    k->answers = k->opt->labels != NULL;
    if (k->answers) {
        TRY(idx_parse(&y, k->opt->labels, labels, e));
        if (y.rows != x.rows || y.cols != 1)
            return err_set(e, RZ_EFORMAT, "%.200s: %zu labels of %zu numbers for %zu rows",
                           k->opt->labels, y.rows, y.cols, x.rows);
    }
    for (size_t i = 0; i < x.rows; i++) TRY(idx_row(k, &x, k->answers ? &y : NULL, i, e));
    return RZ_OK;
}

/* ---- Any file ---- */

static status read_any(maker *k, str bytes, str labels, err *e) {
    if (str_starts(bytes, STR_LIT("\x1f\x8b")))
        return err_set(e, RZ_EUNSUPPORTED, "%.200s: compressed: run gunzip on it first", k->name);
    if (idx_is(bytes)) return read_idx(k, bytes, labels, e);
    if (k->opt->labels)
        return err_set(e, RZ_EINVAL, "%.200s: labels of their own go with IDX files only", k->name);
    csv c = csv_begin(bytes, &k->t->mem);
    const status s = read_csv(k, &c, e);
    csv_done(&c);
    return s;
}

static status make(table **out, const char *name, str bytes, str labels, const table_options *opt,
                   err *e) {
    maker k = {.t = mem_zero(sizeof *k.t), .name = name, .opt = opt, .target = SIZE_MAX};
    if (!k.t) return no_memory(name, e);
    k.t->target = "";
    status s = read_any(&k, bytes, labels, e);
    if (s >= 0) s = finish(&k, e);
    mem_free(k.x);
    mem_free(k.answer);
    if (s < 0) table_free(k.t);
    else *out = k.t;
    return s;
}

status table_parse(table **out, const char *name, str bytes, const table_options *opt, err *e) {
    if (opt->labels)
        return err_set(e, RZ_EINVAL, "%.200s: labels go with files, not with bytes", name);
    return make(out, name, bytes, (str){0}, opt, e);
}

status table_open(table **out, const char *path, const table_options *opt, err *e) {
    os_map file, labels = {0};
    TRY(os_map_open(&file, path, e));
    status s = opt->labels ? os_map_open(&labels, opt->labels, e) : RZ_OK;
    if (s >= 0)
        s = make(out, path, (str){(const char *)file.data, file.len},
                 (str){(const char *)labels.data, labels.len}, opt, e);
    if (opt->labels) os_map_close(&labels);
    os_map_close(&file);
    return s;
}

void table_free(table *t) {
    if (!t) return;
    arena mem = t->mem;
    arena_free(&mem);
    mem_free(t);
}

/* ---- Splitting ---- */

/* Mark `share` of the n rows in `row`, which is shuffled. */
static void mark(uint32_t *row, size_t n, double share, uint64_t *rng, uint8_t *is_test) {
    const size_t want = (size_t)((double)n * share + 0.5);
    for (size_t i = 0; i < n && i < want; i++) {
        const size_t j = i + (size_t)rng_below(rng, n - i);
        const uint32_t r = row[i];
        row[i] = row[j];
        row[j] = r;
        is_test[row[i]] = 1;
    }
}

/* Rows by class one after the other, when every class has two at least. */
static bool by_class(const table *t, uint32_t *row, size_t *start) {
    if (!t->class) return false;
    for (size_t k = 0; k <= t->classes; k++) start[k] = 0;
    for (size_t i = 0; i < t->rows; i++) start[t->class[i] + 1]++;
    for (size_t k = 1; k <= t->classes; k++)
        if (start[k] < 2) return false;
    for (size_t k = 1; k <= t->classes; k++) start[k] += start[k - 1];
    for (size_t i = 0; i < t->rows; i++) row[start[t->class[i]]++] = (uint32_t)i;
    for (size_t k = t->classes; k > 0; k--) start[k] = start[k - 1];
    start[0] = 0;
    return true;
}

static status copy_names(table *to, const table *from, err *e) {
    const size_t n_name = from->name ? from->cols : 0;
    to->name = from->name ? arena_alloc(&to->mem, (n_name + 1) * sizeof *to->name) : NULL;
    to->label = arena_alloc(&to->mem, (from->classes + 1) * sizeof *to->label);
    to->target = arena_copy(&to->mem, from->target, strlen(from->target));
    if (!to->label || !to->target || (from->name && !to->name)) return no_memory("table", e);
    for (size_t i = 0; i < n_name; i++) {
        to->name[i] = arena_copy(&to->mem, from->name[i], strlen(from->name[i]));
        if (!to->name[i]) return no_memory("table", e);
    }
    for (size_t i = 0; i < from->classes; i++) {
        to->label[i] = arena_copy(&to->mem, from->label[i], strlen(from->label[i]));
        if (!to->label[i]) return no_memory("table", e);
    }
    to->classes = from->classes;
    to->cols = from->cols;
    to->one_unit = from->one_unit;
    return RZ_OK;
}

/* The rows of which is_test is `test`, in order. */
static status part(const table *from, const uint8_t *is_test, uint8_t test, table **out, err *e) {
    table *t = mem_zero(sizeof *t);
    size_t n = 0;
    *out = t;
    if (!t) return no_memory("table", e);
    for (size_t i = 0; i < from->rows; i++) n += is_test[i] == test;
    t->x = arena_alloc(&t->mem, n * from->cols * sizeof *t->x + 1);
    if (from->class) t->class = arena_alloc(&t->mem, n * sizeof *t->class + 1);
    if (from->value) t->value = arena_alloc(&t->mem, n * sizeof *t->value + 1);
    if (!t->x || (from->class && !t->class) || (from->value && !t->value))
        return no_memory("table", e);
    for (size_t i = 0; i < from->rows; i++) {
        if (is_test[i] != test) continue;
        memcpy(t->x + t->rows * from->cols, from->x + i * from->cols, from->cols * sizeof *t->x);
        if (t->class) t->class[t->rows] = from->class[i];
        if (t->value) t->value[t->rows] = from->value[i];
        t->rows++;
    }
    return copy_names(t, from, e);
}

status table_split(const table *t, double share, uint64_t seed, table **train, table **test,
                   err *e) {
    if (!(share >= 0 && share < 1))
        return err_set(e, RZ_EINVAL, "a share of %g for tests, expected 0 to below 1", share);
    uint8_t *is_test = mem_array_zero(t->rows + 1, 1);
    uint32_t *row = mem_array(t->rows + 1, sizeof *row);
    size_t *start = mem_array(t->classes + 1, sizeof *start);
    status s = is_test && row && start ? RZ_OK : no_memory("table", e);
    table *part_of[2] = {NULL, NULL};
    if (s >= 0 && by_class(t, row, start)) {
        for (size_t k = 0; k < t->classes; k++)
            mark(row + start[k], start[k + 1] - start[k], share, &seed, is_test);
    } else if (s >= 0) {
        for (size_t i = 0; i < t->rows; i++) row[i] = (uint32_t)i;
        mark(row, t->rows, share, &seed, is_test);
    }
    if (s >= 0) s = part(t, is_test, 0, &part_of[0], e);
    if (s >= 0) s = part(t, is_test, 1, &part_of[1], e);
    mem_free(is_test);
    mem_free(row);
    mem_free(start);
    if (s < 0) {
        table_free(part_of[0]);
        table_free(part_of[1]);
        return s;
    }
    *train = part_of[0];
    *test = part_of[1];
    return RZ_OK;
}
