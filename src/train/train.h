/* train.h - the training loop: data in, steps of AdamW, checkpoints out. */
#ifndef TRAIN_TRAIN_H
#define TRAIN_TRAIN_H

#include "train/net.h"
#include "train/tokens.h"

typedef struct train_plan {
    uint64_t weights, tokens, steps, first_step; /* first_step: where a checkpoint is continued */
    uint64_t windows, validation;                /* sequences to train on, to validate with */
    uint64_t memory;                             /* bytes, estimated */
} train_plan;

typedef struct train_step {
    uint64_t step; /* done, counted from 1 */
    double loss, grad_norm, rate, epoch;
    double validation; /* loss, or NaN */
    double seconds;    /* since the line before */
    uint64_t steps;    /* since the line before */
    uint64_t tokens;
} train_step;

/* Each may be NULL; non-zero from `step` stops after a checkpoint is written. */
typedef struct train_events {
    void (*plan)(void *ud, const train_plan *p);
    int (*step)(void *ud, const train_step *s);
    void (*saved)(void *ud, const char *path, bool final);
    int (*stop)(void *ud); /* asked after every step */
    void *ud;
} train_events;

typedef struct train_request {
    const train_config *c;
    const char *data;   /* a token file, or NULL: random tokens */
    const char *resume; /* "auto", a checkpoint, or NULL */
    pool *workers;
    train_events on;
} train_request;

/* What lies between two steps. */
typedef struct trainer {
    const train_config *c;
    net *n;
    net_run *r;
    tokens data;
    char digest[TOKENS_DIGEST];
    const char *data_path; /* "" for random tokens */
    real *m, *v;           /* [n_weights] averages of the gradient and its square */
    uint64_t step;         /* done */
} trainer;

/* RZ_ECANCELED when it was stopped; the checkpoint is written. RZ_EINVAL when the loss is no number
 * any more. */
status train_run(const train_request *r, err *e);

/* ---- checkpoint.c ---- */

enum { CHECKPOINT_PATH = TRAIN_MAX_PATH + 256 };

/* Write weights, config.json and, unless `final`, what continuing needs, and remove the oldest that
 * are too many. The small file that names the others comes last, so what it names is whole.
 * `path`: the file of weights. */
status checkpoint_save(const trainer *t, bool final, char path[CHECKPOINT_PATH], err *e);
/* Continue from a checkpoint: "auto" is the latest in the folder, if there is one. RZ_EINVAL names
 * every key of the configuration that differs, and data that are not the same. */
status checkpoint_load(trainer *t, const char *from, err *e);

#endif
