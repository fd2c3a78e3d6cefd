/* ops.h - what a device must be able to do, and the shapes it does it on.
 *
 * The forward pass is written on this table alone. Shape alphabet: T rows in this step, D model
 * width, H query heads, G key/value heads, K head size, F feed-forward width, V vocabulary,
 * N and M any two widths. Matrices are row after row; weights are stored [out, in].
 *
 * Every operation gives row t the same bits whatever the other rows are, whatever T is and however
 * many threads work: sums have an order fixed by the shapes of one row (see kern.h). */
#ifndef KERNELS_OPS_H
#define KERNELS_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "quant/quant.h"

/* w[n_out, n_in]: rows in a block format, borrowed from the file. data == NULL: absent. */
typedef struct weight {
    const uint8_t *data;
    quant_type type;
    uint32_t n_out, n_in;
    uint64_t row_bytes;
} weight;

/* Normalisation over a row. gain == NULL: the row is copied unchanged. */
typedef struct norm_weight {
    const float *gain; /* [D], or NULL */
    const float *bias; /* [D], or NULL; only with center */
    float eps;
    bool center; /* subtract the mean first (LayerNorm); else by the root mean square alone */
} norm_weight;

/* SWIGLU_CLAMPED (gpt-oss), with g = min(gate, 7) and u = clamp(up, -7, 7):
 * g sigmoid(1.702 g) (u + 1); without up the first two factors. NONE: gate itself. */
typedef enum act_kind {
    ACT_SILU,
    ACT_GELU_TANH,
    ACT_GELU_ERF,
    ACT_RELU2,
    ACT_SWIGLU_CLAMPED,
    ACT_NONE,
    ACT_KIND_COUNT
} act_kind;

/* One product y[T, w.n_out] = x[T, w.n_in] * w^T of several that share x. */
typedef struct linear_job {
    float *y;
    const weight *w;
} linear_job;

/* Rotary positions. Dims beyond n_rot pass through. */
typedef struct rope_config {
    uint32_t n_rot;         /* even, <= K */
    int half;               /* 0: pairs (2i, 2i+1) as GGUF llama; 1: (i, i + n_rot/2) as NeoX */
    const double *inv_freq; /* [n_rot / 2], radians per position, all scaling applied */
    float mscale;           /* factor on cos and sin (YaRN attention factor), normally 1 */
} rope_config;

/* ---- Keys and values ---- */

/* Tokens in a page; also the block of keys that attention handles at a time. */
enum { KV_PAGE_TOKENS = 32 };
typedef enum kv_type { KV_F32, KV_F16, KV_BF16, KV_Q8_0, KV_Q4_0, KV_TYPE_COUNT } kv_type;

/* One slab of pages. A page holds KV_PAGE_TOKENS tokens of all layers: for each layer the keys
 * [G][K][KV_PAGE_TOKENS] (transposed: the scores of a page's keys come out side by side, no
 * horizontal sums), then the values [G][KV_PAGE_TOKENS][K].
 *
 * Q8_0 and Q4_0 hold K in blocks of 32, the last one filled up with zeros. A token's values are
 * blocks as in quant/block.h. Keys are turned block by block, for KV_PAGE_TOKENS = 32 tokens t:
 *   | scale f16 [t] | q [32][t] |   or   | scale f16 [t] | two nibbles [16][t] |
 * where byte i of Q4_0 holds dimension i of the block in its low nibble and i + 16 in its high. */
typedef struct kv_slab {
    uint8_t *base;
    kv_type type;
    uint32_t n_layer, G, K;
    uint64_t layer_bytes, page_bytes;
} kv_slab;

/* "q8_0"; NULL past the last. */
const char *kv_type_name(kv_type t);
/* Bytes that the K values of one head take for one token. */
uint64_t kv_head_bytes(kv_type t, uint32_t K);
static inline bool kv_is_quantized(kv_type t) { return t >= KV_Q8_0; }

/* Fill in the sizes from type, n_layer, G, K. RZ_EINVAL when they overflow. */
status kv_slab_layout(kv_slab *s, err *e);

/* The rows of one sequence in this step: consecutive rows at consecutive positions. page[i] is the
 * slab page of positions i*KV_PAGE_TOKENS ... ; there are enough for pos + n_row tokens. */
typedef struct row_span {
    uint32_t first_row, n_row;
    uint32_t pos; /* of the first row */
    const uint32_t *page;
    float *state; /* of the sequence's recurrent layers (model.h says where each is), or NULL */
    bool is_long; /* rotate as for a text beyond model.long_from tokens */
} row_span;

typedef struct attend_config {
    uint32_t H, G, K; /* H is a multiple of G; query head h reads key/value head h / (H/G) */
    float scale;      /* on q.k */
    uint32_t window;  /* keys j with pos - j < window count; 0 = all */
    float softcap;    /* c * tanh(s / c) on scaled scores; 0 = off */
    bool both_ways;   /* every row of a span sees all of the span; without slope and window */
    /* [H] ALiBi: slope[h] * (j - pos) is added to scaled scores; or NULL */
    const float *slope;
    /* [H] a score that takes part in the softmax and has no value; or NULL */
    const float *sink;
} attend_config;

/* ---- The table ---- */

/* Sees the input x[T, w->n_in] of a product, row t at x + t * stride, before it is computed. */
typedef void ops_tap(void *ud, const weight *w, const float *x, size_t stride, uint32_t T);

typedef struct ops ops;
struct ops {
    const char *name; /* "cpu avx512" */

    /* x[T,D] = w[id[t], :] * scale. ids are inside the table. */
    void (*embed)(ops *o, float *x, const weight *w, const int32_t *id, uint32_t T, float scale);
    /* y[T,D] = x / sqrt(mean(x^2) + eps) * gain; y may be x. */
    void (*norm_rms)(ops *o, float *y, const float *x, const norm_weight *w, uint32_t T,
                     uint32_t D);
    /* x[n] += t[n] */
    void (*add)(ops *o, float *x, const float *t, uint64_t n);
    /* Several products of the same x[T, n_in]. */
    void (*linear)(ops *o, const linear_job *job, uint32_t n_job, const float *x, uint32_t T);
    /* y[T,N] += bias[N] */
    void (*bias)(ops *o, float *y, const float *bias, uint32_t T, uint32_t N);
    /* y[n] = act(gate[n]) * up[n]; y may be gate or up. */
    void (*act_mul)(ops *o, float *y, const float *gate, const float *up, uint64_t n, act_kind act);
    /* cs[T, n_rot/2, 2] = cos and sin of pos[t] * inv_freq[i], times mscale. Once per step. */
    void (*rope_table)(ops *o, float *cs, const rope_config *r, const uint32_t *pos, uint32_t T);
    /* Rotate x[T,H,K] in place by the table. */
    void (*rope)(ops *o, float *x, const float *cs, const rope_config *r, uint32_t T, uint32_t H,
                 uint32_t K);
    /* Store k[T,G,K] and v[T,G,K] of this step at their positions. */
    void (*kv_write)(ops *o, const kv_slab *kv, uint32_t layer, const float *k, const float *v,
                     const row_span *span, uint32_t n_span);
    /* out[T,H,K]: each row attends over positions 0 .. its own, or the span's last. out must not
     * be q. */
    void (*attend)(ops *o, float *out, const float *q, const kv_slab *kv, uint32_t layer,
                   const attend_config *c, const row_span *span, uint32_t n_span);
    /* y[n, D] = x[row[i], :]; y must not be x. */
    void (*gather)(ops *o, float *y, const float *x, const uint32_t *row, uint32_t n, uint32_t D);
    /* x[n] = cap * tanh(x / cap) */
    void (*softcap)(ops *o, float *x, float cap, uint64_t n);
    /* y[T,D] = (x - mean x) / sqrt(var x + eps) * gain + bias; y may be x. */
    void (*norm_layer)(ops *o, float *y, const float *x, const norm_weight *w, uint32_t T,
                       uint32_t D);
    /* x[n] = act(x) */
    void (*act)(ops *o, float *x, uint64_t n, act_kind act);
    /* x[n] *= factor */
    void (*scale)(ops *o, float *x, float factor, uint64_t n);
    /* Wait until everything asked for is done. */
    status (*flush)(ops *o, err *e);
    void (*free)(ops *o);
    /* Asked about every product with weights, on the calling thread; NULL: nobody asks. */
    ops_tap *tap;
    void *tap_ud;
};

/* Either normalisation, as the weight says. */
static inline void ops_norm(ops *o, float *y, const float *x, const norm_weight *w, uint32_t T,
                            uint32_t D) {
    (w->center ? o->norm_layer : o->norm_rms)(o, y, x, w, T, D);
}

/* The processor. Scratch for up to max_rows rows of up to max_cols inputs is taken now, nothing
 * later. `workers` is shared and must outlive the result. One thread at a time uses an ops. */
status ops_cpu_new(ops **out, pool *workers, uint32_t max_rows, uint32_t max_cols, err *e);

/* Can `linear` and `embed` read this type? */
int ops_cpu_supports(quant_type t);

#endif
