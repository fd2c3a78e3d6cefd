/* 06_predict.c - a classic model: fitted to a table, saved, opened again, asked.
 *
 *   06_predict [TABLE.csv [COLUMN [MODEL.apr]]] */
#include <realizar.h>
#include <stdio.h>
#include <stdlib.h>

/* How many rows get the answer that the table has. */
static size_t count_right(const rz_predictor *model, const rz_table *table, rz_error *err) {
    rz_table_info t;
    size_t right = 0;
    rz_table_info_get(table, &t);
    float *answer = malloc(t.rows * sizeof *answer);
    if (answer && rz_predict(model, t.x, t.rows, t.cols, answer, 1, err) == RZ_OK)
        for (size_t i = 0; i < t.rows; i++) right += (uint32_t)answer[i] == t.klass[i];
    free(answer);
    return right;
}

int main(int argc, char **argv) {
    rz_table *all = NULL, *train = NULL, *test = NULL;
    rz_predictor *model = NULL, *opened = NULL;
    rz_error err = {0};
    rz_table_options opt = RZ_TABLE_INIT;
    const char *path = argc > 1 ? argv[1] : "models/data/iris.csv";
    opt.target = argc > 2 ? argv[2] : "last";

    rz_status s = rz_table_open(&all, path, &opt, &err);
    if (s == RZ_OK) s = rz_table_split(all, 0.2, 1, &train, &test, &err);
    if (s == RZ_OK) s = rz_fit(&model, train, "forest", NULL, &err);
    if (s == RZ_OK && argc > 3) s = rz_predictor_save(model, argv[3], &err);
    if (s == RZ_OK && argc > 3) s = rz_predictor_open(&opened, argv[3], &err);
    if (s == RZ_OK) {
        rz_table_info t;
        rz_predictor_info info;
        rz_table_info_get(test, &t);
        rz_predictor_describe(opened ? opened : model, &info);
        const size_t right = count_right(opened ? opened : model, test, &err);
        printf("%s of %llu features: %zu of %zu right\n", info.kind,
               (unsigned long long)info.inputs, right, t.rows);
    }
    if (s != RZ_OK) fprintf(stderr, "06_predict: %s\n", err.text);
    rz_predictor_close(model);
    rz_predictor_close(opened);
    rz_table_free(all);
    rz_table_free(train);
    rz_table_free(test);
    return s != RZ_OK;
}
