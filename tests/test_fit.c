/* test_fit.c - fitting: known answers on small tables, real data, the same bytes every time, and
 * what is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "classic/fit.h"
#include "test.h"

static const fit_options usual = {.classify = true, .seed = 1, .rate = -1, .l2 = -1};

static table *read_text(const char *text, const char *target) {
    table *t = NULL;
    err e = {0};
    const table_options opt = {target, NULL, NULL};
    CHECK_MSG(table_parse(&t, "f", str_of(text), &opt, &e) == RZ_OK, "%s", e.text);
    return t;
}

static classic *fitted(const table *t, const char *kind, fit_options opt) {
    classic *c = NULL;
    err e = {0};
    opt.kind = kind;
    CHECK_MSG(fit(&c, t, &opt, &e) == RZ_OK, "%s: %s", kind, e.text);
    return c;
}

/* The share of rows whose class is found; or, negative, the mean squared error. */
static double score(const classic *c, const table *t) {
    double right = 0, square = 0;
    for (size_t i = 0; i < t->rows; i++) {
        float y;
        CHECK(classic_run(c, t->x + i * t->cols, 1, t->cols, false, &y, 1, NULL) == RZ_OK);
        if (c->classes) right += (uint32_t)y == t->class[i];
        else square -= ((double)y - (double)t->value[i]) * ((double)y - (double)t->value[i]);
    }
    return (c->classes ? right : square) / (double)t->rows;
}

/* y = 3 + 2 a - 0.5 b, exactly. */
static void test_a_line_is_found(void) {
    table *t = read_text("a,b,y\n0,0,3\n1,0,5\n0,2,2\n3,4,7\n-1,6,-2\n1000,-8,2007\n", "y");
    REQUIRE(t != NULL);
    fit_options opt = usual;
    opt.classify = false;
    classic *c = fitted(t, "linear", opt);
    REQUIRE(c != NULL && c->type == 1);
    float y[2];
    const float x[] = {2, 2, -10, 10};
    CHECK(classic_run(c, x, 2, 2, false, y, 1, NULL) == RZ_OK);
    CHECK_MSG(fabs((double)y[0] - 6) < 1e-3 && fabs((double)y[1] + 22) < 1e-3, "%g %g",
              (double)y[0], (double)y[1]);
    CHECK_STR(json_get(c->meta, "features")->child->text.p ? "ok" : "", "ok");
    classic_free(c);
    table_free(t);
}

static void test_exclusive_or_needs_more_than_a_line(void) {
    static const char *const able[] = {"mlp", "tree", "boosting"};
    table *t =
        read_text("0,0,no\n0,1,yes\n1,0,yes\n1,1,no\n0,0,no\n0,1,yes\n1,0,yes\n1,1,no\n", "3");
    REQUIRE(t != NULL);
    for (size_t i = 0; i < 3; i++) {
        fit_options opt = usual;
        opt.hidden = "16";
        classic *c = fitted(t, able[i], opt);
        REQUIRE(c != NULL);
        /* No single question helps at the root: greedy trees may stop there. */
        if (i == 0) CHECK_MSG(score(c, t) == 1, "%s: %g", able[i], score(c, t));
        CHECK_STR(c->label[1], "yes");
        classic_free(c);
    }
    classic *c = fitted(t, "logistic", usual);
    REQUIRE(c != NULL && c->type == 2);
    CHECK(score(c, t) <= 0.75);
    classic_free(c);
    table_free(t);
}

static table *open_data(const char *path, const char *target) {
    table *t = NULL;
    err e = {0};
    const table_options opt = {target, NULL, NULL};
    CHECK_MSG(table_open(&t, path, &opt, &e) == RZ_OK, "%s", e.text);
    return t;
}

typedef struct bar {
    const char *kind;
    uint16_t type;
    double least; /* share right */
} bar;

static void check_bars(const char *path, const char *target, const bar *bars, size_t n) {
    table *t = open_data(path, target), *train = NULL, *test = NULL;
    REQUIRE(t != NULL);
    REQUIRE(table_split(t, 0.2, 1, &train, &test, NULL) == RZ_OK);
    for (size_t i = 0; i < n; i++) {
        fit_options opt = usual;
        opt.trees = 20;
        opt.hidden = "8";
        buf a = BUF_INIT, b = BUF_INIT;
        classic *c = fitted(train, bars[i].kind, opt), *again = fitted(train, bars[i].kind, opt);
        REQUIRE(c != NULL && again != NULL);
        CHECK_MSG(c->type == bars[i].type, "%s: type %u", bars[i].kind, (unsigned)c->type);
        if (bars[i].least > 0)
            CHECK_MSG(score(c, test) >= bars[i].least, "%s, %s: %g", path, bars[i].kind,
                      score(c, test));
        CHECK(classic_write(c, &a, NULL) == RZ_OK && classic_write(again, &b, NULL) == RZ_OK);
        CHECK_MSG(a.len == b.len && memcmp(a.p, b.p, a.len) == 0, "%s: twice is not the same",
                  bars[i].kind);
        buf_free(&a);
        buf_free(&b);
        classic_free(c);
        classic_free(again);
    }
    table_free(t);
    table_free(train);
    table_free(test);
}

static void test_real_flowers(void) {
    static const bar bars[] = {{"logistic", 0x20, 0.93}, {"mlp", 0x20, 0.93},  {"tree", 3, 0.9},
                               {"forest", 4, 0.9},       {"boosting", 5, 0.9}, {"kmeans", 6, 0}};
    check_bars("models/data/iris.csv", "species", bars, sizeof bars / sizeof *bars);
}

static void test_real_wines(void) {
    static const bar bars[] = {{"logistic", 0x20, 0.9}, {"mlp", 0x20, 0.9},   {"tree", 3, 0.8},
                               {"forest", 4, 0.94},     {"boosting", 5, 0.9}, {"kmeans", 6, 0}};
    check_bars("models/data/wine.csv", "cultivar", bars, sizeof bars / sizeof *bars);
}

/* Facts about the data that copies get wrong: two rows of the flowers, sums of both. */
static void test_the_data_are_the_published_ones(void) {
    table *t = open_data("models/data/iris.csv", "species");
    REQUIRE(t != NULL && t->rows == 150 && t->cols == 4 && t->classes == 3);
    static const float rows[] = {4.9f, 3.1f, 1.5f, 0.2f}, other[] = {4.9f, 3.6f, 1.4f, 0.1f};
    CHECK(memcmp(t->x + 34 * 4, rows, sizeof rows) == 0);
    CHECK(memcmp(t->x + 37 * 4, other, sizeof other) == 0);
    static const double mean[] = {5.843333, 3.057333, 3.758, 1.199333};
    double sum[4] = {0};
    for (size_t i = 0; i < 600; i++) sum[i % 4] += (double)t->x[i] / 150;
    for (size_t j = 0; j < 4; j++) CHECK_MSG(fabs(sum[j] - mean[j]) < 1e-5, "%g", sum[j]);
    size_t count[3] = {0};
    for (size_t i = 0; i < 150; i++) count[t->class[i]]++;
    CHECK(count[0] == 50 && count[1] == 50 && count[2] == 50);
    table_free(t);
    t = open_data("models/data/wine.csv", "cultivar");
    REQUIRE(t != NULL && t->rows == 178 && t->cols == 13 && t->classes == 3);
    size_t wines[3] = {0};
    double alcohol = 0;
    for (size_t i = 0; i < 178; i++) {
        wines[t->class[i]]++;
        alcohol += (double)t->x[i * 13] / 178;
    }
    CHECK(wines[0] == 59 && wines[1] == 71 && wines[2] == 48 && fabs(alcohol - 13.0006) < 1e-3);
    table_free(t);
}

/* y = |x|: what lines cannot do. */
static void test_values_that_bend(void) {
    static const struct {
        const char *kind;
        double worst;
    } rows[] = {{"mlp", 0.01}, {"tree", 0.01}, {"forest", 0.05}, {"boosting", 0.05}};
    buf b = BUF_INIT;
    for (int i = -40; i <= 40; i++) buf_printf(&b, "%g,%g\n", i / 10.0, abs(i) / 10.0);
    table *t = read_text(buf_cstr(&b), "2");
    REQUIRE(t != NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fit_options opt = usual;
        opt.classify = false;
        classic *c = fitted(t, rows[i].kind, opt);
        REQUIRE(c != NULL && c->classes == 0);
        CHECK_MSG(-score(c, t) < rows[i].worst, "%s: %g", rows[i].kind, -score(c, t));
        classic_free(c);
    }
    table_free(t);
    buf_free(&b);
}

static void test_clusters_that_lie_apart_are_found(void) {
    buf b = BUF_INIT;
    uint64_t rng = 3;
    for (int i = 0; i < 90; i++)
        buf_printf(&b, "%g,%g,%d\n", (i % 3) * 10 + rng_unit(&rng),
                   (i % 3 == 1) * 10 + rng_unit(&rng), i % 3);
    table *t = read_text(buf_cstr(&b), "3");
    REQUIRE(t != NULL);
    classic *c = fitted(t, "kmeans", usual);
    REQUIRE(c != NULL && c->classes == 3);
    float first[3], y;
    for (size_t i = 0; i < 90; i++) {
        CHECK(classic_run(c, t->x + 2 * i, 1, 2, false, &y, 1, NULL) == RZ_OK);
        if (i < 3) first[i] = y;
        CHECK(y == first[i % 3]);
    }
    CHECK(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
    classic_free(c);
    table_free(t);
    buf_free(&b);
}

/* Trees that ask about everything know every row they have seen. */
static void test_a_deep_tree_knows_its_rows(void) {
    buf b = BUF_INIT;
    uint64_t rng = 5;
    for (int i = 0; i < 300; i++)
        buf_printf(&b, "%g,%g,%d\n", rng_unit(&rng), rng_unit(&rng), (int)rng_below(&rng, 5));
    table *t = read_text(buf_cstr(&b), "3");
    REQUIRE(t != NULL);
    fit_options opt = usual;
    opt.depth = 64;
    classic *c = fitted(t, "tree", opt);
    REQUIRE(c != NULL);
    CHECK(score(c, t) == 1);
    classic_free(c);
    opt.depth = 1;
    c = fitted(t, "tree", opt);
    REQUIRE(c != NULL);
    CHECK(score(c, t) < 0.5 && c->params == 3 + 2 * 5);
    classic_free(c);
    table_free(t);
    buf_free(&b);
}

static void refuse(const table *t, const char *kind, fit_options opt, const char *text) {
    classic *c = NULL;
    err e = {0};
    opt.kind = kind;
    CHECK(fit(&c, t, &opt, &e) < 0 && c == NULL);
    CHECK_STR(e.text, text);
}

static void test_what_is_refused(void) {
    table *none = read_text("1,2\n3,4\n", NULL), *one = read_text("1,a\n2,a\n", "2");
    table *words = read_text("1,a\n2,b\n3,a\n", "2");
    REQUIRE(none && one && words);
    fit_options opt = usual;
    refuse(words, "magic", opt, "no model is called \"magic\"");
    refuse(none, "tree", opt, "tree needs answers: name their column");
    refuse(one, "tree", opt, "all rows are of one class, expected two or more");
    refuse(words, "linear", opt, "linear learns numbers, not classes");
    opt.hidden = "3,x";
    refuse(words, "mlp", opt, "hidden layers are \"3,x\", expected widths like 64,32");
    opt.hidden = "1,1,1,1,1,1,1,1,1";
    refuse(words, "mlp", opt, "over 8 layers");
    opt = usual;
    opt.clusters = 4;
    refuse(words, "kmeans", opt, "4 clusters of 3 rows");
    opt.depth = 65;
    refuse(words, "forest", opt, "trees 65 deep, at most 64");
    opt = usual;
    opt.classify = false;
    refuse(words, "tree", opt, "an answer is \"a\", expected numbers");
    refuse(words, "logistic", opt, "logistic learns classes, not numbers");
    opt = usual;
    opt.rate = 1e300;
    refuse(words, "logistic", opt, "the weights have grown out of bounds: lower the rate");
    table_free(none);
    table_free(one);
    table_free(words);
}

static int stop_at_once(void *ud, const rz_progress *p) {
    (void)ud;
    return p->total > 0;
}

static void test_fitting_can_be_stopped_and_run_out_of_memory(void) {
    table *t = read_text("1,0,a\n2,1,b\n3,0,a\n4,1,b\n", "3");
    REQUIRE(t != NULL);
    for (size_t i = 0; fit_name(i); i++) {
        fit_options opt = usual;
        opt.kind = fit_name(i);
        opt.classify = strcmp(opt.kind, "linear") != 0;
        if (!opt.classify) continue; /* its answers are numbers, and it tells nothing on the way */
        opt.epochs = 2;
        opt.trees = 2;
        for (long n = 1; n < 500; n++) {
            classic *c = NULL;
            mem_fail_at(n);
            const status s = fit(&c, t, &opt, NULL);
            const bool hit = mem_fail_hit();
            mem_fail_at(0);
            CHECK_MSG(s == (hit ? RZ_ENOMEM : RZ_OK), "%s, allocation %ld: %d", opt.kind, n, s);
            classic_free(c);
            if (!hit) break;
        }
        if (strcmp(opt.kind, "tree") == 0) continue;
        classic *c = NULL;
        opt.progress = stop_at_once;
        CHECK_MSG(fit(&c, t, &opt, NULL) == RZ_ECANCELED && !c, "%s", opt.kind);
    }
    table_free(t);
}

void suite_fit(void) {
    RUN(test_a_line_is_found);
    RUN(test_exclusive_or_needs_more_than_a_line);
    RUN(test_real_flowers);
    RUN(test_real_wines);
    RUN(test_the_data_are_the_published_ones);
    RUN(test_values_that_bend);
    RUN(test_clusters_that_lie_apart_are_found);
    RUN(test_a_deep_tree_knows_its_rows);
    RUN(test_what_is_refused);
    RUN(test_fitting_can_be_stopped_and_run_out_of_memory);
}
