/* fit.h - classic models made from tables. The same table, options and seed give the same bytes.
 *
 * Fitting looks at the whole table; what is to be kept for tests has been split off before. Where
 * columns are of different units (CSV), nets work on columns shifted by their mean and divided by
 * their deviation, and the model that is kept has that folded into its first weights. */
#ifndef CLASSIC_FIT_H
#define CLASSIC_FIT_H

#include "classic/classic.h"
#include "classic/table.h"

typedef struct fit_options {
    const char *kind; /* "logistic" */
    bool classify;    /* the answers are classes, else values */
    uint64_t seed;
    size_t epochs, batch; /* 0: as the kind likes it */
    double rate, l2;      /* < 0: as the kind likes it */
    size_t depth, trees, clusters;
    const char *hidden; /* of mlp: "64,32" */
    uint64_t created;   /* seconds, for the metadata */
    rz_progress_fn *progress;
    void *progress_ud;
} fit_options;

/* Name of kind i, NULL past the end. */
const char *fit_name(size_t i);
/* RZ_ENOTFOUND: no such kind; RZ_EINVAL: a table or an option that does not suit it. */
status fit(classic **out, const table *t, const fit_options *opt, err *e);

/* ---- What kinds share ---- */

/* Make the payload of a model and say of which type it is. */
typedef status fit_fn(const table *t, const fit_options *opt, uint16_t *type, buf *out, err *e);
fit_fn fit_net, fit_linear, fit_tree, fit_forest, fit_boosting, fit_k_means;

/* Tell how far it is. RZ_ECANCELED when the listener says stop. */
status fit_tell(const fit_options *opt, uint64_t done, uint64_t total, err *e);
/* Column means and deviations (1 for columns that do not vary; that of the whole table when all are
 * of one unit), [cols] each. */
void fit_columns(const table *t, double *mean, double *deviation);

#endif
