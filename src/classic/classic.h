/* classic.h - classic models: what they have in common, and how one kind is added.
 *
 * A kind is a classic_kind in a file of its own and a row in classic_list.h. `read` makes the model
 * of its payload, `run` asks it about rows of numbers, `write` gives the payload back byte by byte.
 *
 * An answer is one of three things. Classes: a number below `classes`, or with `proba` the
 * probability of each. Values: `outputs` of them. Vectors of words, for kinds that take text.
 * Answers for a row depend on that row alone, whatever it is asked together with: sums over inputs
 * are those of kernels/kern.h, everything else is scalar code. */
#ifndef CLASSIC_CLASSIC_H
#define CLASSIC_CLASSIC_H

#include "classic/classic_list.h"
#include "classic/payload.h"
#include "format/apr.h"
#include "kernels/kern.h"

typedef struct classic classic;

typedef struct classic_kind {
    /* Fill what of `c` is marked so; the payload must be used up, which the caller checks. */
    status (*read)(classic *c, payload *r, err *e);
    void (*write)(const classic *c, buf *out);
    /* y[rows][width] of x[rows][inputs]; width is outputs, or with `proba` classes. `work` holds
     * c->work floats. Nothing fails: what could is checked while reading. */
    void (*run)(const classic *c, const float *x, size_t rows, bool proba, float *y, float *work);
    /* y[outputs] of a text, for kinds that take one; then `run` is NULL. */
    status (*run_text)(const classic *c, str text, float *y, err *e);
} classic_kind;

struct classic {
    const classic_kind *kind;
    uint16_t type;      /* the number in the file */
    uint8_t minor;      /* version 1.minor of the file */
    const char *name;   /* "LogisticRegression" */
    const kern *k;      /* the inner loops of this processor */
    void *m;            /* read: the kind's own */
    size_t inputs;      /* read: numbers in a row; 0: takes text */
    size_t outputs;     /* read: numbers in an answer, 1 for classes */
    size_t classes;     /* read: 0 when the answer is no class */
    size_t work;        /* read: floats `run` needs beside its result */
    bool no_proba;      /* read: classes, but without probabilities */
    uint64_t params;    /* read: learned numbers */
    const json *meta;   /* an object */
    const char **label; /* [classes] by metadata "labels", or NULL */
    const char *path;
    uint64_t file_bytes;
    str raw_meta; /* as in the file */
    arena mem;    /* everything above */
};

enum { CLASSIC_MAX_INPUTS = 1 << 26, CLASSIC_MAX_CLASSES = 1 << 20 };

/* `path` is for error texts; nothing of `data` is kept. */
status classic_parse(classic **out, const char *path, str data, err *e);
status classic_open(classic **out, const char *path, err *e);
/* A model that was just fitted: its payload, and metadata as MessagePack. */
status classic_from_payload(classic **out, uint16_t type, str payload, str meta, err *e);
void classic_free(classic *c);
/* The file, byte by byte what was read. Check out->failed. */
status classic_write(const classic *c, buf *out, err *e);

/* y[rows][outputs], or with `proba` y[rows][classes]. RZ_EINVAL: another number of columns, a model
 * that takes text; RZ_EUNSUPPORTED: no probabilities. */
status classic_run(const classic *c, const float *x, size_t rows, size_t cols, bool proba, float *y,
                   size_t width, err *e);
status classic_run_text(const classic *c, str text, float *y, size_t width, err *e);

/* ---- What kinds share ---- */

/* y[rows][out] = x[rows][in] . w[out][in] + b[out]; b may be NULL. */
void classic_affine(const kern *k, const float *x, size_t rows, size_t in, const float *w,
                    const float *b, size_t out, float *y);
/* e^x to 1e-15, the same everywhere; 0 below -708, infinite above 709. */
double classic_exp(double x);
double classic_sigmoid(double x);
/* x[n] becomes e^x / sum, in place. */
void classic_softmax(float *x, size_t n);
/* The first largest; 0 when all are NaN. */
size_t classic_argmax(const float *x, size_t n);

#define CLASSIC_ROW(id, name, row) extern const classic_kind row;
CLASSIC_LIST(CLASSIC_ROW)
#undef CLASSIC_ROW

#endif
