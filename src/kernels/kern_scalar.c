/* kern_scalar.c - the specification: every inner loop in plain C, on any processor.
 *
 * Clear before fast; what it gives the other tables must give bit for bit. fmaf is correctly
 * rounded everywhere, in hardware or in the C library. The integer products are in
 * kern_scalar_quant.c. */
#include <math.h>
#include <string.h>

#include "kernels/kern.h"
#include "kernels/kern_quant.h"
#include "kernels/kern_unroll.h"

#define KERN(name) scalar_##name
enum { SCORE_ROWS = 4, VALUE_ROWS = 4 };

typedef struct vf {
    float v[16];
} vf;

#define EACH for (int i = 0; i < 16; i++)

static inline vf vf_set(float f) {
    vf r;
    EACH r.v[i] = f;
    return r;
}

static inline vf vf_load_n(const float *p, size_t n) {
    vf r = {{0}};
    memcpy(r.v, p, n * sizeof *p);
    return r;
}

static inline vf vf_load(const float *p) { return vf_load_n(p, 16); }
static inline void vf_store_n(float *p, vf a, size_t n) { memcpy(p, a.v, n * sizeof *p); }
static inline void vf_store(float *p, vf a) { vf_store_n(p, a, 16); }

static inline uint32_t bits_of(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float float_of(uint32_t u) {
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

#define LANEWISE(name, expression)      \
    static inline vf name(vf a, vf b) { \
        vf r;                           \
        EACH {                          \
            const float x = a.v[i];     \
            const float y = b.v[i];     \
            r.v[i] = (expression);      \
        }                               \
        return r;                       \
    }
LANEWISE(vf_add, x + y)
LANEWISE(vf_sub, x - y)
LANEWISE(vf_mul, x *y)
LANEWISE(vf_div, x / y)
LANEWISE(vf_max, x > y ? x : y)
LANEWISE(vf_min, x < y ? x : y)
LANEWISE(vf_sign_of, float_of(bits_of(x) ^ (bits_of(y) & 0x80000000u)))

static inline vf vf_abs(vf a) {
    EACH a.v[i] = fabsf(a.v[i]);
    return a;
}

static inline vf vf_fma(vf a, vf b, vf c) {
    vf r;
    EACH r.v[i] = fmaf(a.v[i], b.v[i], c.v[i]);
    return r;
}

static inline vf vf_if_less(vf a, vf b, vf x, vf y) {
    vf r;
    EACH r.v[i] = a.v[i] < b.v[i] ? x.v[i] : y.v[i];
    return r;
}

static inline vf vf_pow2(vf t) {
    EACH t.v[i] = float_of((bits_of(t.v[i]) << 23) + 0x3f800000u);
    return t;
}

static inline float vf_sum(vf a) {
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) a.v[i] += a.v[i + half];
    return a.v[0];
}

static inline float vf_hmax(vf a) {
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) a.v[i] = a.v[i] > a.v[i + half] ? a.v[i] : a.v[i + half];
    return a.v[0];
}

static inline vf vf_swap(vf a) {
    vf r;
    EACH r.v[i] = a.v[i ^ 1];
    return r;
}

static inline vf vf_dup_even(vf a) {
    vf r;
    EACH r.v[i] = a.v[i & ~1];
    return r;
}

static inline vf vf_dup_odd(vf a) {
    vf r;
    EACH r.v[i] = a.v[i | 1];
    return r;
}

static inline vf vf_evens(vf a, vf b) {
    vf r;
    EACH r.v[i] = i < 8 ? a.v[2 * i] : b.v[2 * i - 16];
    return r;
}

static inline vf vf_odds(vf a, vf b) {
    vf r;
    EACH r.v[i] = i < 8 ? a.v[2 * i + 1] : b.v[2 * i - 15];
    return r;
}

static inline void vf_low_bytes(int8_t *q, vf t) { EACH q[i] = (int8_t)(uint8_t)bits_of(t.v[i]); }

static inline vf vf_load_half_n(const uint16_t *p, size_t n) {
    vf r = {{0}};
    for (size_t i = 0; i < n; i++) r.v[i] = quant_f16_to_f32(p[i]);
    return r;
}

static inline vf vf_load_half(const uint16_t *p) { return vf_load_half_n(p, 16); }

static inline void vf_store_half_n(uint16_t *p, vf a, size_t n) {
    for (size_t i = 0; i < n; i++) p[i] = quant_f32_to_f16(a.v[i]);
}

static inline void vf_store_half(uint16_t *p, vf a) { vf_store_half_n(p, a, 16); }

#include "kernels/kern_body.inc"

/* ---- Products ---- */

static uint16_t load_u16(const uint8_t *p) {
    uint16_t u;
    memcpy(&u, p, sizeof u);
    return u;
}

static float load_f32(const uint8_t *p) {
    float f;
    memcpy(&f, p, sizeof f);
    return f;
}

static float load_f16(const uint8_t *p) { return quant_f16_to_f32(load_u16(p)); }
static float load_bf16(const uint8_t *p) { return quant_bf16_to_f32(load_u16(p)); }

/* One output of a float product: sixteen strided chains, then the tree. */
static inline float dot_float(const float *x, const uint8_t *w, uint32_t n, size_t bytes,
                              float (*load)(const uint8_t *)) {
    vf sum = vf_set(0.0f);
    for (uint32_t k = 0; k < n; k++) sum.v[k % 16] = fmaf(x[k], load(w + k * bytes), sum.v[k % 16]);
    return vf_sum(sum);
}

#define PRODUCT(type, dot)                                                                    \
    static void product_##type(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes, \
                               uint32_t n_row, const kern_rows *x, void *scratch) {           \
        (void)scratch;                                                                        \
        for (uint32_t t = 0; t < x->T; t++)                                                   \
            for (uint32_t r = 0; r < n_row; r++) {                                            \
                const uint8_t *row = w + r * row_bytes;                                       \
                y[t * y_stride + r] = dot;                                                    \
            }                                                                                 \
    }
PRODUCT(f32, dot_float(x->x + t * x->x_stride, row, x->n, 4, load_f32))
PRODUCT(f16, dot_float(x->x + t * x->x_stride, row, x->n, 2, load_f16))
PRODUCT(bf16, dot_float(x->x + t * x->x_stride, row, x->n, 2, load_bf16))

const kern kern_scalar = {
    .name = "scalar",
    KERN_BODY_ROWS,
    .product = {[QUANT_F32] = product_f32,
                [QUANT_F16] = product_f16,
                [QUANT_BF16] = product_bf16,
#define X(type, stem) [QUANT_##type] = scalar_##stem,
                KERN_QUANT_LIST(X)
#undef X
    },
};
