/* cmd_predict.c - realizar predict: a classic model's answers, as lines or as JSON. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/input.h"
#include "json/json.h"

typedef struct predict_args {
    arg_list features;
    const char *csv, *json, *text, *target;
    bool proba;
} predict_args;

/* clang-format off */
#define TEXT(id, n, v, h) {.name = (n), .kind = ARG_TEXT, .at = offsetof(predict_args, id), \
                           .value = (v), .help = (h)}
static const arg_option options[] = {
    {.name = "features", .letter = 'f', .kind = ARG_LIST, .at = offsetof(predict_args, features),
     .value = "LIST", .help = "one row: \"5.1,3.5,1.4,0.2\"; may be given several times"},
    TEXT(csv, "csv", "FILE", "rows from a CSV file; \"-\" is standard input"),
    TEXT(json, "json", "FILE",
         "a request as POST /predict or /predict/batch takes it, and its answer; \"-\" as above"),
    TEXT(text, "text", "TEXT", "a text, for models that count words"),
    TEXT(target, "target", "COLUMN",
         "of --csv: right answers, by name, number or \"last\", to count how many are found"),
    {.name = "proba", .kind = ARG_FLAG, .at = offsetof(predict_args, proba),
     .help = "the probability of each class too"},
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {{"Options", options, 0}};

typedef struct asker {
    rz_predictor *p;
    rz_predictor_info info;
    bool proba;
    float *y, *chance; /* [rows][outputs], [rows][classes] */
    buf out;
} asker;

/* ---- Asking ---- */

static status ask(asker *a, const float *x, size_t rows, size_t cols, err *e) {
    a->y = mem_array(rows * a->info.outputs + 1, sizeof *a->y);
    a->chance = mem_array(rows * a->info.classes + 1, sizeof *a->chance);
    if (!a->y || !a->chance) return err_set(e, RZ_ENOMEM, "out of memory for answers");
    TRY(rz_predict(a->p, x, rows, cols, a->y, a->info.outputs, e));
    if (!a->proba) return RZ_OK;
    return rz_predict_proba(a->p, x, rows, cols, a->chance, a->info.classes, e);
}

/* A class by its name, or its number. */
static void put_label(const asker *a, size_t klass, buf *out) {
    const char *label = rz_predictor_label(a->p, klass);
    if (label) buf_text(out, label);
    else buf_printf(out, "%zu", klass);
}

/* ---- As lines ---- */

static void put_line(asker *a, size_t row) {
    const float *y = a->y + row * a->info.outputs;
    if (a->info.classes) put_label(a, (size_t)y[0], &a->out);
    for (size_t i = 0; !a->info.classes && i < a->info.outputs; i++)
        buf_printf(&a->out, i ? ",%.9g" : "%.9g", (double)y[i]);
    for (size_t k = 0; a->proba && k < a->info.classes; k++)
        buf_printf(&a->out, ",%.9g", (double)a->chance[row * a->info.classes + k]);
    buf_char(&a->out, '\n');
}

static void put_lines(asker *a, size_t rows) {
    if (a->proba) {
        buf_text(&a->out, "prediction");
        for (size_t k = 0; k < a->info.classes; k++) {
            buf_char(&a->out, ',');
            put_label(a, k, &a->out);
        }
        buf_char(&a->out, '\n');
    }
    for (size_t i = 0; i < rows; i++) put_line(a, i);
}

/* How many rows have the answer that their file gives, on standard error. */
static void count_right(const asker *a, const rz_table_info *t) {
    size_t right = 0;
    double square = 0;
    buf label = BUF_INIT;
    for (size_t i = 0; i < t->rows; i++) {
        if (a->info.classes) {
            buf_clear(&label);
            put_label(a, (size_t)a->y[i], &label);
            right += str_is(buf_view(&label), t->label[t->klass[i]]);
        } else if (t->value) {
            const double d = (double)a->y[i * a->info.outputs] - (double)t->value[i];
            square += d * d;
        }
    }
    buf_free(&label);
    if (a->info.classes)
        fprintf(stderr, "right: %zu of %zu (%.2f%%)\n", right, t->rows,
                100.0 * (double)right / (double)t->rows);
    else if (t->value) fprintf(stderr, "mean squared error: %.6g\n", square / (double)t->rows);
}

static status from_csv(asker *a, const predict_args *args, err *e) {
    rz_table *t = NULL;
    rz_table_options opt = RZ_TABLE_INIT;
    rz_table_info info = {0};
    buf text = BUF_INIT;
    opt.target = args->target;
    status s = input_text(NULL, args->csv, "rows", &text, e);
    if (s >= 0)
        s = rz_table_parse(&t, strcmp(args->csv, "-") ? args->csv : "<stdin>", text.p, text.len,
                           &opt, e);
    if (s >= 0) {
        rz_table_info_get(t, &info);
        s = ask(a, info.x, info.rows, info.cols, e);
    }
    if (s >= 0) {
        put_lines(a, info.rows);
        if (args->target) count_right(a, &info);
    }
    rz_table_free(t);
    buf_free(&text);
    return s;
}

/* Rows given on the command line are CSV too. */
static status from_features(asker *a, const arg_list *rows, err *e) {
    rz_table *t = NULL;
    rz_table_info info = {0};
    buf text = BUF_INIT;
    for (size_t i = 0; i < rows->n; i++) buf_printf(&text, "%s\n", rows->item[i]);
    status s = rz_table_parse(&t, "--features", text.p, text.len, NULL, e);
    if (s >= 0) {
        rz_table_info_get(t, &info);
        if (info.names || info.rows != rows->n)
            s = err_set(e, RZ_EINVAL, "--features: expected numbers with commas between");
        else s = ask(a, info.x, info.rows, info.cols, e);
    }
    if (s >= 0) put_lines(a, info.rows);
    rz_table_free(t);
    buf_free(&text);
    return s;
}

static status from_text(asker *a, const char *text, err *e) {
    a->y = mem_array(a->info.outputs, sizeof *a->y);
    if (!a->y) return err_set(e, RZ_ENOMEM, "out of memory for answers");
    TRY(rz_predict_text(a->p, text, strlen(text), a->y, a->info.outputs, e));
    put_line(a, 0);
    return RZ_OK;
}

/* ---- As the routes take and give it ---- */

static status take_row(const json *from, const char *what, float *x, size_t cols, err *e) {
    const json *list = json_get(from, "features");
    if (!list || list->kind != JSON_ARRAY)
        return err_set(e, RZ_EINVAL, "%s: no list \"features\"", what);
    if (list->n != cols)
        return err_set(e, RZ_EINVAL, "%s: %u features, expected %zu", what, list->n, cols);
    for (const json *v = list->child; v; v = v->next) {
        if (v->kind != JSON_NUMBER)
            return err_set(e, RZ_EINVAL, "%s: a feature is %s, expected a number", what,
                           json_kind_name(v->kind));
        *x++ = (float)v->number;
    }
    return RZ_OK;
}

static void put_answer(asker *a, size_t row) {
    const float *y = a->y + row * a->info.outputs;
    buf_text(&a->out, "{\"prediction\":");
    if (a->info.outputs > 1) buf_char(&a->out, '[');
    for (size_t i = 0; i < a->info.outputs; i++)
        buf_printf(&a->out, i ? ",%.9g" : "%.9g", (double)y[i]);
    if (a->info.outputs > 1) buf_char(&a->out, ']');
    const char *label = a->info.classes ? rz_predictor_label(a->p, (size_t)y[0]) : NULL;
    if (label) {
        buf_text(&a->out, ",\"label\":");
        json_write_string(&a->out, str_of(label));
    }
    for (size_t k = 0; a->proba && k < a->info.classes; k++)
        buf_printf(&a->out, "%s%.9g", k ? "," : ",\"probabilities\":[",
                   (double)a->chance[row * a->info.classes + k]);
    buf_text(&a->out, a->proba ? "]}" : "}");
}

static status answer_request(asker *a, const json *root, err *e) {
    const json *many = json_get(root, "instances");
    const json *opt = json_get(json_get(root, "options"), "return_probabilities");
    const size_t rows = many ? many->n : 1, cols = a->info.inputs;
    if (many && (many->kind != JSON_ARRAY || many->n == 0))
        return err_set(e, RZ_EINVAL, "\"instances\" is no list of rows");
    if (opt && opt->kind == JSON_BOOL && opt->truth) a->proba = true;
    float *x = mem_array(rows * cols + 1, sizeof *x);
    if (!x) return err_set(e, RZ_ENOMEM, "out of memory for features");
    status s = many ? RZ_OK : take_row(root, "the request", x, cols, e);
    size_t i = 0;
    for (const json *v = many ? many->child : NULL; v && s >= 0; v = v->next, i++) {
        char what[48];
        snprintf(what, sizeof what, "instance %zu", i);
        s = take_row(v, what, x + i * cols, cols, e);
    }
    if (s >= 0) s = ask(a, x, rows, cols, e);
    mem_free(x);
    if (s < 0) return s;
    if (many) buf_text(&a->out, "{\"predictions\":[");
    for (i = 0; i < rows; i++) {
        if (i) buf_char(&a->out, ',');
        put_answer(a, i);
    }
    buf_text(&a->out, many ? "]}\n" : "\n");
    return RZ_OK;
}

static status from_json(asker *a, const char *file, err *e) {
    buf text = BUF_INIT;
    arena mem = ARENA_INIT;
    json *root = NULL;
    status s = input_text(NULL, file, "request", &text, e);
    if (s >= 0) s = json_parse(&root, buf_view(&text), &mem, e);
    if (s >= 0) s = answer_request(a, root, e);
    arena_free(&mem);
    buf_free(&text);
    return s;
}

static int predict(const cmd_call *c) {
    const predict_args *args = c->values;
    const int sources =
        (args->features.n > 0) + (args->csv != NULL) + (args->json != NULL) + (args->text != NULL);
    err e = {0};
    if (c->rest->n == 0) return cmd_usage(c, "no model: name an .apr file");
    if (c->rest->n > 1) return cmd_usage(c, "one model, then options: \"%s\"", c->rest->item[1]);
    if (sources != 1)
        return cmd_usage(c, "%s: --features, --csv, --json or --text",
                         sources ? "rows from one place" : "no rows");
    if (args->target && !args->csv) return cmd_usage(c, "--target goes with --csv");
    asker a = {.proba = args->proba};
    status s = rz_predictor_open(&a.p, c->rest->item[0], &e);
    if (s >= 0) {
        rz_predictor_describe(a.p, &a.info);
        if (args->features.n) s = from_features(&a, &args->features, &e);
        else if (args->csv) s = from_csv(&a, args, &e);
        else if (args->json) s = from_json(&a, args->json, &e);
        else s = from_text(&a, args->text, &e);
    }
    const int code = s < 0 ? cmd_failed(c, &e) : cmd_print(c, &a.out);
    rz_predictor_close(a.p);
    mem_free(a.y);
    mem_free(a.chance);
    buf_free(&a.out);
    return code;
}

const cmd_spec cmd_predict = {
    {"MODEL.apr --features LIST ...\nMODEL.apr --csv FILE [--target COLUMN]\n"
     "MODEL.apr --json FILE\nMODEL.apr --text TEXT",
     "Ask a classic model: regression, trees, clusters, neighbours, small networks. One line for "
     "each row: the class, or the number.",
     "predict iris.apr --features 5.1,3.5,1.4,0.2 --proba\n"
     "predict iris.apr --csv models/data/iris.csv --target last\n"
     "predict words.apr --text \"a cat sat\"",
     groups, sizeof groups / sizeof *groups, sizeof(predict_args)},
    predict};
