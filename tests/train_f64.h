/* train_f64.h - the trainer's gradients in double precision, from the same sources. */
#ifndef TESTS_TRAIN_F64_H
#define TESTS_TRAIN_F64_H

#include "train/train_config.h"

typedef struct f64_batch {
    size_t B, S;
    const uint32_t *in, *target, *begin; /* [B * S] */
} f64_batch;

/* Loss of a batch for weights w[n], in the order of the trainer; with g its gradient is written. */
double f64_loss(const train_model *m, const f64_batch *x, const double *w, double *g, size_t n);

/* Gradients by g against central differences for every weight; the largest relative error, where
 * less than a hundred thousandth of the largest gradient counts as that. */
double f64_check(const train_model *m, const f64_batch *x, const double *w, size_t n);

#endif
