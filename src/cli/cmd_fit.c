/* cmd_fit.c - realizar fit: a classic model from a table, and how well it does on rows it has not
 * seen. */
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/stop.h"
#include "json/json.h"

typedef struct fit_args {
    const char *out, *target, *labels, *keep, *hidden;
    float test, rate, l2;
    uint64_t seed, created;
    size_t epochs, batch, depth, trees, clusters;
    bool regress, json;
} fit_args;

/* clang-format off */
#define AT(id) .at = offsetof(fit_args, id)
#define TEXT(id, n, v, h) {.name = (n), .kind = ARG_TEXT, AT(id), .value = (v), .help = (h)}
#define COUNT(id, n, most, h) {.name = (n), .kind = ARG_SIZE, AT(id), .min = 0, .max = (most), \
                               .value = "N", .fallback = "0", .help = (h)}
static const arg_option table_options[] = {
    TEXT(target, "target", "COLUMN", "of CSV: the answers, by name, number or \"last\""),
    TEXT(labels, "labels", "FILE", "of IDX: the file of answers"),
    TEXT(keep, "keep", "LIST", "only rows with these answers: \"0,1\""),
    {.name = "regress", .kind = ARG_FLAG, AT(regress),
     .help = "answers are numbers to come near to, not classes; always so with linear"},
    {.name = "test", .kind = ARG_FLOAT, AT(test), .min = 0, .max = 0.9, .value = "X",
     .fallback = "0.2", .help = "share of rows kept for the score"},
    {.name = NULL}};

static const arg_option fit_options[] = {
    {.name = "out", .letter = 'o', .kind = ARG_TEXT, AT(out), .value = "FILE",
     .help = "write the model there (.apr); without, only the score is told"},
    {.name = "seed", .kind = ARG_U64, AT(seed), .value = "N", .fallback = "1",
     .help = "the same table, options and seed give the same file"},
    COUNT(epochs, "epochs", 100000, "nets: times through the rows; 0 = by the table"),
    COUNT(batch, "batch", 65536, "nets: rows in a step; 0 = 32"),
    {.name = "rate", .kind = ARG_FLOAT, AT(rate), .min = -1, .max = 100, .value = "X",
     .fallback = "-1", .help = "learning rate of nets and boosting; -1 = as the kind likes it"},
    {.name = "decay", .kind = ARG_FLOAT, AT(l2), .min = -1, .max = 1e9, .value = "X",
     .fallback = "-1", .help = "weight decay; -1 = as the kind likes it"},
    TEXT(hidden, "hidden", "LIST", "mlp: widths of hidden layers: \"64,32\" (default: 64)"),
    COUNT(depth, "depth", 64, "trees: most questions in a row; 0 = 16, boosting 3"),
    COUNT(trees, "trees", 1000000, "forest, boosting: how many; 0 = 100"),
    COUNT(clusters, "clusters", 1000000, "kmeans; 0 = as many as there are classes, or 8"),
    {.name = "created", .kind = ARG_U64, AT(created), .value = "SECONDS", .fallback = "0",
     .help = "time of making, kept in the file; 0 keeps files the same"},
    {.name = "json", .kind = ARG_FLAG, AT(json), .help = "the score as one JSON object"},
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {{"Table", table_options, 0}, {"Model", fit_options, 0}};

enum { MOST_SHOWN = 32 }; /* classes in a table on the terminal */

typedef struct work {
    const fit_args *a;
    rz_table *all, *train, *test;
    rz_predictor *p;
    rz_predictor_info info;
    rz_table_info t; /* of what is scored */
    float *y;
    size_t *count; /* [t.classes][info.classes]: right answer, given answer */
    buf out;
} work;

static bool counts(const work *w) { return w->info.classes && w->t.klass; }

static status ask(work *w, err *e) {
    rz_table_info_get(w->test, &w->t);
    rz_predictor_describe(w->p, &w->info);
    w->y = mem_array(w->t.rows + 1, sizeof *w->y);
    w->count = mem_array_zero(w->t.classes * w->info.classes + 1, sizeof *w->count);
    if (!w->y || !w->count) return err_set(e, RZ_ENOMEM, "out of memory for a score");
    TRY(rz_predict(w->p, w->t.x, w->t.rows, w->t.cols, w->y, 1, e));
    for (size_t i = 0; counts(w) && i < w->t.rows; i++)
        w->count[w->t.klass[i] * w->info.classes + (size_t)w->y[i]]++;
    return RZ_OK;
}

/* ---- The score ---- */

/* The share of right answers; of clusters, which have no names, that of the most frequent class in
 * each. */
static double share_right(const work *w) {
    const bool clusters = !w->info.proba;
    size_t right = 0;
    for (size_t k = 0; k < w->info.classes; k++) {
        size_t most = 0;
        for (size_t c = 0; clusters && c < w->t.classes; c++) {
            const size_t n = w->count[c * w->info.classes + k];
            if (n > most) most = n;
        }
        right += clusters ? most : w->count[k * w->info.classes + k];
    }
    return (double)right / (double)w->t.rows;
}

/* Root of the mean squared error, and the share of variance that is explained. */
static void errors(const work *w, double *rmse, double *r2) {
    double mean = 0, square = 0, spread = 0;
    for (size_t i = 0; i < w->t.rows; i++) mean += (double)w->t.value[i] / (double)w->t.rows;
    for (size_t i = 0; i < w->t.rows; i++) {
        const double d = (double)w->y[i] - (double)w->t.value[i];
        const double s = (double)w->t.value[i] - mean;
        square += d * d;
        spread += s * s;
    }
    *rmse = sqrt(square / (double)w->t.rows);
    *r2 = spread > 0 ? 1 - square / spread : 0;
}

static void put_counts(work *w) {
    size_t width = 7;
    for (size_t c = 0; c < w->t.classes; c++) {
        const size_t n = show_width(str_of(w->t.label[c]));
        if (n > width) width = n < 20 ? n : 20;
    }
    buf_printf(
        &w->out, "%s\n%*s",
        w->info.proba ? "answers given, by right answer:" : "clusters, by answer:", (int)width, "");
    for (size_t k = 0; k < w->info.classes; k++) buf_printf(&w->out, " %6zu", k);
    buf_char(&w->out, '\n');
    for (size_t c = 0; c < w->t.classes; c++) {
        buf label = BUF_INIT;
        show_plain(&label, str_of(w->t.label[c]), width);
        buf_str(&w->out, buf_view(&label));
        const size_t n = show_width(buf_view(&label));
        buf_printf(&w->out, "%*s", n < width ? (int)(width - n) : 0, "");
        for (size_t k = 0; k < w->info.classes; k++)
            buf_printf(&w->out, " %6zu", w->count[c * w->info.classes + k]);
        buf_char(&w->out, '\n');
        buf_free(&label);
    }
}

static void put_text(work *w, size_t train_rows, const char *what) {
    buf_printf(&w->out, "%s: %llu features, %llu parameters, %llu bytes\n", w->info.kind,
               (unsigned long long)w->info.inputs, (unsigned long long)w->info.params,
               (unsigned long long)w->info.file_bytes);
    buf_printf(&w->out, "fitted to %zu rows; %s of %zu rows: ", train_rows, what, w->t.rows);
    if (counts(w)) {
        buf_printf(&w->out, "%.2f%% right\n", 100 * share_right(w));
        if (w->t.classes <= MOST_SHOWN && w->info.classes <= MOST_SHOWN) put_counts(w);
    } else if (w->t.value && !w->info.classes) {
        double rmse, r2;
        errors(w, &rmse, &r2);
        buf_printf(&w->out, "root mean square error %.6g, R2 %.4f\n", rmse, r2);
    } else {
        buf_text(&w->out, "none, there are no answers\n");
    }
}

static void put_json(work *w, size_t train_rows) {
    buf_printf(&w->out, "{\"kind\":\"%s\",\"parameters\":%llu,\"train_rows\":%zu,\"test_rows\":%zu",
               w->info.kind, (unsigned long long)w->info.params, train_rows, w->t.rows);
    if (counts(w)) {
        buf_printf(&w->out, ",\"accuracy\":%.6f,\"labels\":[", share_right(w));
        for (size_t c = 0; c < w->t.classes; c++) {
            if (c) buf_char(&w->out, ',');
            json_write_string(&w->out, str_of(w->t.label[c]));
        }
        buf_text(&w->out, "],\"confusion\":[");
        for (size_t c = 0; c < w->t.classes; c++)
            for (size_t k = 0; k < w->info.classes; k++)
                buf_printf(&w->out, "%s%zu%s",
                           k   ? ","
                           : c ? ",["
                               : "[",
                           w->count[c * w->info.classes + k], k + 1 == w->info.classes ? "]" : "");
        buf_char(&w->out, ']');
    } else if (w->t.value && !w->info.classes) {
        double rmse, r2;
        errors(w, &rmse, &r2);
        buf_printf(&w->out, ",\"rmse\":%.9g,\"r2\":%.9g", rmse, r2);
    }
    buf_text(&w->out, "}\n");
}

/* ---- The command ---- */

static status open_table(work *w, const char *path, err *e) {
    rz_table_options opt = RZ_TABLE_INIT;
    opt.target = w->a->target;
    opt.labels = w->a->labels;
    opt.keep = w->a->keep;
    TRY(rz_table_open(&w->all, path, &opt, e));
    return rz_table_split(w->all, (double)w->a->test, w->a->seed, &w->train, &w->test, e);
}

static status make(work *w, const char *kind, const char *path, err *e) {
    const fit_args *a = w->a;
    rz_fit_options opt = RZ_FIT_INIT;
    rz_table_info train;
    progress g = progress_begin("steps");
    TRY(open_table(w, path, e));
    opt.regress = a->regress || strcmp(kind, "linear") == 0;
    opt.seed = a->seed;
    opt.epochs = a->epochs;
    opt.batch = a->batch;
    opt.rate = (double)a->rate;
    opt.l2 = (double)a->l2;
    opt.depth = a->depth;
    opt.trees = a->trees;
    opt.clusters = a->clusters;
    opt.hidden = a->hidden;
    opt.created = a->created;
    opt.progress = progress_show;
    opt.progress_ud = &g;
    const status s = rz_fit(&w->p, w->train, kind, &opt, e);
    progress_end(&g);
    if (s < 0) return s;
    rz_table_info_get(w->train, &train);
    rz_table_info_get(w->test, &w->t);
    const bool tested = w->t.rows > 0;
    if (!tested) { /* nothing was kept back: the score says so */
        rz_table_free(w->test);
        w->test = w->train;
        w->train = NULL;
    }
    TRY(ask(w, e));
    if (a->json) put_json(w, train.rows);
    else put_text(w, train.rows, tested ? "test score" : "score on the same rows,");
    return a->out ? rz_predictor_save(w->p, a->out, e) : RZ_OK;
}

static int fit(const cmd_call *c) {
    work w = {.a = c->values};
    err e = {0};
    if (c->rest->n != 2)
        return cmd_usage(c, c->rest->n < 2 ? "name a kind of model and a table"
                                           : "one kind and one table, then options");
    stop_listen(1, NULL);
    const status s = make(&w, c->rest->item[0], c->rest->item[1], &e);
    const int code = s < 0 ? cmd_failed(c, &e) : cmd_print(c, &w.out);
    rz_predictor_close(w.p);
    rz_table_free(w.all);
    rz_table_free(w.train);
    rz_table_free(w.test);
    mem_free(w.y);
    mem_free(w.count);
    buf_free(&w.out);
    return code;
}

const cmd_spec cmd_fit = {
    {"KIND TABLE --target COLUMN [--out MODEL.apr] [OPTION ...]\n"
     "KIND IMAGES --labels LABELS [--out MODEL.apr] [OPTION ...]",
     "Fit a classic model to the rows of a CSV file, or of IDX files as MNIST has. KIND is linear, "
     "logistic (any number of classes), mlp, tree, forest, boosting or kmeans. A part of the rows "
     "is kept for the score.",
     "fit logistic models/data/iris.csv --target species --out iris.apr\n"
     "fit forest models/data/wine.csv --target last --trees 50\n"
     "fit mlp images.idx3-ubyte --labels labels.idx1-ubyte --hidden 64 --out digits.apr",
     groups, sizeof groups / sizeof *groups, sizeof(fit_args)},
    fit};
