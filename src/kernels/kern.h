/* kern.h - what one processor core must be able to do: the inner loops behind ops_cpu.c, one table
 * of pointers for each instruction set.
 *
 * The scalar table is the specification. Every other table gives the same bits (tests compare with
 * memcmp), so a result depends on the shapes and the values of its own row alone: not on the number
 * of threads, rows in the step, tile sizes or the processor. NaN results stay NaN, but which NaN is
 * not promised. What fixes the bits:
 *
 *  - Quantized weights times a row x. x is quantized once (see `quantize`) to 8-bit integers in
 *    blocks of 32 with a float scale. 32 weights are integers in a byte with one scale, or with
 *    one for each 16, and some types add an offset: kern_quant.h says which, and how each type
 *    is read so. The products of integers are summed exactly, and an output is one chain over
 *    the blocks in order, from acc = 0. For each scale
 *        acc = fma(u, d, acc),   u = fma(scale, B + sum, -(scale * B)),   B = KERN_BIAS_FLOAT
 *    which makes u the product scale * sum rounded once (NaN when scale * B is not finite), and
 *    saves a conversion: sums that begin at KERN_BIAS are the bits of the float B + sum. Then,
 *    for each offset,
 *        acc = fma(offset, d * (sum of q), acc)
 *    Vector code puts 8 or 16 weight rows side by side, each with its own chain.
 *  - F32, F16 and BF16 weights times a row x in float: 16 partial sums, lane k % 16, each a chain
 *    of fma in order of k from 0, then added as a tree: lane i + lane i+8, i + i+4, i + i+2,
 *    i + i+1.
 *  - Everything else is written once on a vector of 16 lanes (kern_body.inc), which is one
 *    register, two, four or an array, with explicit fma and sums over lanes as that tree. */
#ifndef KERNELS_KERN_H
#define KERNELS_KERN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kernels/ops.h"
#include "quant/quant.h"

/* What goes with 32 quantized inputs. KERN_BIAS as the bits of a float is 1.5 * 2^23, and with any
 * |n| < 2^22 added it is the float that is larger by n. */
enum { KERN_BIAS = 0x4b400000 };
#define KERN_BIAS_FLOAT 12582912.0f

typedef struct kern_block {
    float d;              /* x = q * d */
    float sum;            /* d * (sum of q) */
    float half_sum[2];    /* of the first 16, of the last 16 */
    int32_t bias;         /* KERN_BIAS - 128 * (sum of q): where sums of (w + 128) * q begin */
    int32_t half_bias[2]; /* of the first 16, of the last 16 */
    int16_t half_q[2];    /* sum of q of the first 16, of the last 16 */
} kern_block;

/* T rows of n floats, and the same rows quantized. q and block are NULL when nobody asked for them.
 * q has n rounded up to whole blocks of 32 (zeros at the end). */
typedef struct kern_rows {
    const float *x;                          /* row t at x + t * x_stride */
    const int8_t *q;                         /* row t at q + t * q_stride */
    const kern_block *block;                 /* row t at block + t * block_stride */
    size_t x_stride, q_stride, block_stride; /* in elements */
    uint32_t T, n;
} kern_rows;

/* y[t * y_stride + r] = x[t] . w[r] for every t < x->T, r < n_row. Row r of w is at w +
 * r * row_bytes and nothing behind the last row is read. `scratch` is KERN_SCRATCH bytes, aligned
 * to 64, of this thread. */
typedef void kern_product(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,
                          uint32_t n_row, const kern_rows *x, void *scratch);

/* One block of keys and values against R query rows. */
enum {
    KERN_PAGE = KV_PAGE_TOKENS,
    KERN_QUERIES = 16, /* most rows in one call */
    KERN_SCRATCH = 512 << 10,
};

/* State of R rows over the pages seen so far: largest score m, sum l of exp(score - m). */
typedef struct kern_softmax {
    float m[KERN_QUERIES], l[KERN_QUERIES];
    float rescale[KERN_QUERIES]; /* out: what the sums so far are multiplied by */
} kern_softmax;

/* One head of a state scan (see ops_ssm.h) over T positions: h[N][P] is the state, lanes over P.
 *   h[n,p] = keep[t] h[n,p] + B[t,n] (in[t] u[t,p])
 *   y[t,p] = skip u[t,p] + sum over n of C[t,n] h[n,p]: a chain of fma in order of n
 * With last_u, and then T is 1, last_B[n] last_in last_u[p] comes on top. */
typedef struct kern_scan {
    float *h, *y;
    const float *u, *B, *C;
    const float *keep, *in;               /* [T] */
    const float *last_u, *last_B;         /* [P], [N], or NULL */
    size_t u_stride, y_stride, bc_stride; /* between positions */
    size_t T, N, P;
    float skip, last_in;
} kern_scan;

/* Panels of products whose both sides change (training). */
enum { KERN_TILE_ROWS = 12, KERN_TILE_COLS = 16 };

/* One step of AdamW: g' = g * scale; m = b1 m + (1 - b1) g'; v = b2 v + (1 - b2) g'^2;
 * w = w * keep - rate * m / (sqrt(v) * v_scale + eps). */
typedef struct kern_adam {
    float scale, b1, b2, eps;
    float rate;    /* learning rate / (1 - b1^t) */
    float v_scale; /* 1 / sqrt(1 - b2^t) */
    float keep;    /* 1 - learning rate * decay */
} kern_adam;

typedef struct kern {
    const char *name;

    /* x[n] += t[n] */
    void (*add)(float *x, const float *t, size_t n);
    /* y[n] = x / sqrt(mean(x^2) + eps) * gain; y may be x. */
    void (*norm_rms)(float *y, const float *x, const float *gain, size_t n, float eps);
    /* y[n] = (x - mean) / sqrt(variance + eps) * gain + bias; y may be x, bias may be NULL. */
    void (*norm_layer)(float *y, const float *x, const float *gain, const float *bias, size_t n,
                       float eps);
    /* x[n] *= factor */
    void (*scale)(float *x, float factor, size_t n);
    /* x[n] = act(x) */
    void (*act)(float *x, size_t n, act_kind act);
    /* y[n] = act(gate[n]) * up[n]; y may be either. */
    void (*act_mul)(float *y, const float *gate, const float *up, size_t n, act_kind act);
    /* x[n] = cap * tanh(x / cap) */
    void (*softcap)(float *x, float cap, size_t n);
    /* Rotate one head in place: cs[n_rot / 2][2] = cos, sin; pairs as rope_config.half says. */
    void (*rope)(float *x, const float *cs, size_t n_rot, int half);
    /* Blocks of 32: d = max|x| / 127, q = x * (127 / max|x|) rounded to nearest even; a block whose
     * largest is below 2^-120 is all zeros. The last block may be short. */
    void (*quantize)(const float *x, size_t n, int8_t *q, kern_block *block);

    /* By weight type; NULL: this type goes through floats (ops_cpu.c). */
    kern_product *product[QUANT_TYPE_COUNT];

    /* n floats into a cache of F32, F16 or BF16. */
    void (*kv_store)(void *out, kv_type type, const float *x, size_t n);
    /* The keys of a page in any type as floats: out[K][KERN_PAGE]. A quantized value is one
     * product, scale * integer. */
    void (*load_keys)(float *out, const void *keys, kv_type type, uint32_t K);
    /* The values of tokens lo .. hi-1 of a page as floats: out[KERN_PAGE][K]. */
    void (*load_values)(float *out, const void *values, kv_type type, uint32_t lo, uint32_t hi,
                        uint32_t K);
    /* In `scores` and `values` the type is F32, F16 or BF16.
     * s[R][KERN_PAGE] = q[r][K] . keys[K][KERN_PAGE]: chains of fma in order of k. */
    void (*scores)(float *s, const float *const *q, uint32_t R, const void *keys, kv_type type,
                   uint32_t K);
    /* Turn scores s[R][KERN_PAGE] into weights exp(s * scale - m), 0 outside keys lo[r] .. hi[r]-1
     * (at least one each), and move the state on. */
    void (*weights)(float *s, uint32_t R, const uint32_t *lo, const uint32_t *hi, float scale,
                    float softcap, kern_softmax *state);
    /* out[r][K] = out[r] * rescale[r] + sum of p[r][j] * values[j][K] for lo <= j < hi: chains of
     * fma in order of j. */
    void (*values)(float *const *out, const float *rescale, const float *p, uint32_t R,
                   const void *values, kv_type type, uint32_t lo, uint32_t hi, uint32_t K);
    /* Join two states of one row over different keys: (m, l, out) with (m2, l2, out2). */
    void (*merge)(float *m, float *l, float *out, float m2, float l2, const float *out2,
                  uint32_t K);
    /* out[K] = out / l */
    void (*divide)(float *out, float l, uint32_t K);

    /* Recurrent layers, see ops_ssm.h.
     * dt[n] = softplus(e) within min .. max, keep[n] = exp(dt * A); keep may be NULL. */
    void (*step_sizes)(float *dt, float *keep, const float *e, size_t n, float min, float max,
                       float A);
    /* One position of n channels: x = silu(b + w[0] past[0] + .. + w[K-1] x), without silu if
     * plain. w[K][n]; past[K-1] rows, `stride` apart, move on; b may be NULL. */
    void (*conv)(float *x, float *past, size_t stride, const float *w, const float *b, size_t n,
                 size_t K, int plain);
    /* One position of n channels of h[n][N]: h = exp(dt A) h + dt u B, within +- max if that is not
     * 0; y[n] = h C + skip u. A[n][N], B[N], C[N]. */
    void (*select_scan)(float *y, float *h, const float *u, const float *dt, const float *A,
                        const float *B, const float *C, const float *skip, size_t n, size_t N,
                        float max);
    void (*state_scan)(const kern_scan *s);

    /* ---- Training (kern_train.inc) ---- */

    /* c[rows][cols] = (add ? c : 0) + a b, each output one chain of fma in order of k. a is a panel
     * [K][KERN_TILE_ROWS], b one of [K][KERN_TILE_COLS]; rows and cols count what is stored. */
    void (*tile)(float *c, size_t c_stride, const float *a, const float *b, size_t K, uint32_t rows,
                 uint32_t cols, int add);
    float (*dot)(const float *x, const float *y, size_t n);
    /* y[n] = a * x + y, rounded once */
    void (*add_scaled)(float *y, float a, const float *x, size_t n);
    float (*most)(const float *x, size_t n); /* largest; -infinity for n == 0 */
    /* x[n] = exp(x * scale - shift); returns their sum */
    float (*exp_sum)(float *x, size_t n, float scale, float shift);
    /* h[n] = silu(gate) * up, and its gradients for dh: dgate may be dh. */
    void (*silu_back)(float *h, float *dgate, float *dup, const float *gate, const float *up,
                      const float *dh, size_t n);
    /* AdamW on n weights; see kern_adam. */
    void (*adam)(float *w, float *m, float *v, const float *g, size_t n, const kern_adam *c);
} kern;

/* The best table of this processor, or the one RZ_CPU names: scalar, avx2, avxvnni, avx512, neon,
 * neon-dot. A name the processor or the build does not have is ignored with a warning. The same for
 * the whole process. */
const kern *kern_get(void);
/* Table number i of those this processor can run, from scalar to the best; NULL after the last. */
const kern *kern_list(int i);
/* By name; NULL when this processor cannot run it. */
const kern *kern_find(const char *name);

/* Do products with this weight type read the quantized row, or the floats? */
int kern_takes_quantized(quant_type t);

/* An ops table that runs on `k` whatever the processor: for tests and measurements. */
status ops_cpu_new_kern(ops **out, const kern *k, pool *workers, uint32_t max_rows,
                        uint32_t max_cols, err *e);

extern const kern kern_scalar;
#if defined(__x86_64__)
extern const kern kern_avx2, kern_avxvnni, kern_avx512;
#elif defined(__aarch64__)
extern const kern kern_neon, kern_neon_dot;
#endif

#endif
