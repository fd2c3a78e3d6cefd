/* bench_compare.c - two results of realizar bench side by side. Rows belong together when test,
 * threads, depth and batch are the same. */
#include <math.h>
#include <stdio.h>

#include "cli/bench_report.h"
#include "cli/show.h"
#include "json/json.h"

typedef struct result {
    const char *name;
    const json *top, *rows;
} result;

static status read_result(result *r, str text, const char *name, arena *a, err *e) {
    json *top;
    err why = {0};
    if (json_parse(&top, text, a, &why) < 0)
        return err_set(e, RZ_EFORMAT, "%s: %.300s", name, why.text);
    *r = (result){name, top, json_get(top, "results")};
    if (!r->rows || r->rows->kind != JSON_ARRAY)
        return err_set(e, RZ_EFORMAT, "%s: not a result of realizar bench --json: no \"results\"",
                       name);
    return RZ_OK;
}

static str text_of(const json *object, const char *key) {
    const json *v = json_get(object, key);
    return v && v->kind == JSON_STRING ? v->text : STR_LIT("");
}

static double number_of(const json *object, const char *key, double otherwise) {
    const json *v = json_get(object, key);
    return v && v->kind == JSON_NUMBER ? v->number : otherwise;
}

/* Did they measure the same thing? */
static bool same_case(const json *a, const json *b) {
    static const char *const key[] = {"threads", "depth", "batch"};
    if (!str_eq(text_of(a, "test"), text_of(b, "test"))) return false;
    for (size_t i = 0; i < sizeof key / sizeof *key; i++)
        if (fabs(number_of(a, key[i], 1) - number_of(b, key[i], 1)) > 0) return false;
    return true;
}

static void rate(buf *out, double v) {
    buf text = BUF_INIT;
    show_rate(&text, v);
    buf_printf(out, "%12s", buf_cstr(&text) ? buf_cstr(&text) : "");
    buf_free(&text);
}

/* Half the distance between slowest and fastest, in percent of the median. */
static double spread(const json *row) {
    const double median = number_of(row, "tokens_per_s", 0);
    return median > 0 ? 50 * (number_of(row, "max", 0) - number_of(row, "min", 0)) / median : 0;
}

/* Ratio of the medians, 0 when there is none. */
static double compare_row(const json *a, const json *b, buf *out) {
    const double before = number_of(a, "tokens_per_s", 0), after = number_of(b, "tokens_per_s", 0);
    if (!(before > 0) || !(after > 0)) return 0;
    const bool apart = number_of(a, "max", 0) < number_of(b, "min", 0) ||
                       number_of(b, "max", 0) < number_of(a, "min", 0);
    const str test = text_of(b, "test");
    buf_printf(out, "%8.0f %8.0f %6.0f  %-7.*s", number_of(b, "threads", 1),
               number_of(b, "depth", 0), number_of(b, "batch", 1), STR_FMT(test));
    rate(out, before);
    buf_printf(out, " +-%4.1f%%", spread(a));
    rate(out, after);
    buf_printf(out, " +-%4.1f%%%8.3f%s\n", spread(b), after / before,
               apart ? "" : "  within the spread");
    return after / before;
}

static void tell_difference(const result *a, const result *b, const char *key, buf *out) {
    const str x = text_of(a->top, key), y = text_of(b->top, key);
    if (str_eq(x, y)) return;
    buf_printf(out, "not the same %s: ", key);
    show_quoted(out, x, 100);
    buf_text(out, " and ");
    show_quoted(out, y, 100);
    buf_char(out, '\n');
}

status bench_compare(str before, const char *before_name, str after, const char *after_name,
                     buf *out, err *e) {
    arena mem = {0};
    result a, b;
    double logs = 0;
    size_t n = 0;
    status s = read_result(&a, before, before_name, &mem, e);
    if (s >= 0) s = read_result(&b, after, after_name, &mem, e);
    if (s >= 0) {
        static const char *const what[] = {"machine", "model", "quantization", "kv"};
        for (size_t i = 0; i < sizeof what / sizeof *what; i++)
            tell_difference(&a, &b, what[i], out);
        buf_printf(out,
                   " threads    depth  batch  test       before  spread       after  spread"
                   "   ratio\n");
        for (const json *row = b.rows->child; row; row = row->next)
            for (const json *old = a.rows->child; old; old = old->next) {
                if (!same_case(old, row)) continue;
                const double ratio = compare_row(old, row, out);
                if (ratio > 0) logs += log(ratio), n++;
                break;
            }
        if (n == 0)
            s = err_set(e, RZ_EFORMAT, "%s and %s have no test in common", before_name, after_name);
        else buf_printf(out, "\ngeometric mean of the ratios: %.3f\n", exp(logs / (double)n));
    }
    arena_free(&mem);
    return s;
}
