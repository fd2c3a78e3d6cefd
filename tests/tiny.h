/* tiny.h - tiny random models in both kinds of file, and slow mathematics in double to hold against
 * the engine: for families that have no reference from elsewhere. Nothing here knows the engine's
 * kernels or tables. */
#ifndef TESTS_TINY_H
#define TESTS_TINY_H

#include "base/buf.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "realizar.h"

enum { TINY_MAX = 256 };

typedef struct tiny_tensor {
    char hf[112], gguf[96]; /* whole names; empty: not in that kind of file */
    uint32_t n_dims;
    uint64_t dim[3], n; /* slowest first, as people write shapes */
    quant_type type;    /* in GGUF */
    float *x;           /* what it means, and what a checkpoint folder holds */
    void *gguf_data;    /* what a GGUF file holds; NULL: x */
    uint8_t *hf_bytes;  /* what a folder holds, U8, one dimension more; NULL: x */
    uint64_t hf_last;   /* that dimension */
} tiny_tensor;

typedef struct tiny {
    const char *hf_layer; /* "model.layers." */
    tiny_tensor t[TINY_MAX];
    size_t n;
    uint64_t random;
} tiny;

void tiny_begin(tiny *t, const char *hf_layer, uint64_t seed);
void tiny_end(tiny *t);
/* Add a [a], [a,b] or [a,b,c] (0: no such dimension) of random numbers: gains (one dimension,
 * "norm" in a name that does not end in bias) around 1, matrices such that they keep the size of
 * what goes through them. `layer` -1: names are whole. A '*' in hf stands for numbers 0 .. a-1: a
 * tensor [b,c] for each. hf or gguf NULL: not in that kind of file. */
tiny_tensor *tiny_add(tiny *t, int layer, const char *hf, const char *gguf, uint64_t a, uint64_t b,
                      uint64_t c);
/* Store it in that type, and let it mean what that comes to. Folders keep the same values. */
void tiny_quantize(tiny_tensor *x, quant_type type);
/* Zeros for a folder to hold in its place: bytes of the tensor's shape with one more dimension of
 * `last` behind the others, or without if that is 0. The caller fills them. */
uint8_t *tiny_bytes(tiny_tensor *x, uint64_t last);
/* The values of a tensor by the name it was added with (hf's, or gguf's if it has none); NULL. */
const float *tiny_get(const tiny *t, int layer, const char *name);

/* The model as a GGUF file in memory; `head` writes the metadata. */
typedef status tiny_head_fn(gguf_writer *g, err *e);
status tiny_gguf(const tiny *t, tiny_head_fn *head, buf *out, err *e);
typedef struct tiny_number {
    const char *key; /* behind the architecture's name and a dot */
    double value; /* whole ones are stored as u32 unless the key tells of a scale, base, factor */
} tiny_number;
/* Metadata; the last has no key. */
status tiny_put_numbers(gguf_writer *g, const char *arch, const tiny_number *n, err *e);
/* model.safetensors and config.json in a new folder; its path (until the next call) or NULL. */
const char *tiny_folder(const tiny *t, const char *name, const char *config);

/* The same of tensors that `put` hands to the writer. */
typedef status tiny_put_fn(const void *of, safetensors_writer *g, err *e);
const char *tiny_folder_of(tiny_put_fn *put, const void *of, const char *name, const char *config);

/* ---- Mathematics ---- */

double tiny_silu(double x);
double tiny_softplus(double x);
/* y[rows] = a[rows,cols] x + b; b may be NULL. */
void tiny_times(double *y, const float *a, const float *b, const double *x, size_t rows,
                size_t cols);
/* y = x / rms(x) * gain; y may be x. */
void tiny_rms(double *y, const double *x, size_t n, const float *gain, double eps);
void tiny_layer_norm(double *y, const double *x, size_t n, const float *gain, const float *bias,
                     double eps);
/* Rotate dims (i, i + n_rot/2) of every head of K by pos * base^(-2i/n_rot). */
void tiny_rope(double *x, uint32_t heads, uint32_t K, uint32_t n_rot, uint32_t pos, double base);

typedef struct tiny_attention {
    uint32_t H, G, K;
    uint32_t first, end; /* keys that count */
    double scale;
    const float *sink; /* [H], or NULL */
} tiny_attention;
/* out[H,K] of one query q[H,K] over k[position][G,K] and v. */
void tiny_attend(const tiny_attention *a, double *out, const double *q, const double *k,
                 const double *v);

/* The `used` largest of z[n], largest first, and their softmax among themselves. */
void tiny_top(const double *z, uint32_t n, uint32_t used, uint32_t *id, double *w);

/* ---- Comparing ---- */

/* Logits of m at all n positions against want[n, vocab], no further off than `tolerance` of the
 * largest, in one piece and in pieces of 1, 3 and 16 with the same bits. `what` names the model in
 * messages. */
void tiny_check_logits(const char *what, rz_model *m, const rz_token *ids, size_t n,
                       const double *want, double tolerance);

#endif
