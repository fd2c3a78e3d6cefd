/* kern_neon.c - the tables for aarch64: a vector of 16 floats is four registers. The integer
 * products are in kern_quant_neon.c and, for processors with the dot product instructions, in
 * kern_quant_dotprod.c; everything else the two tables share. */
#if defined(__aarch64__)
#include <arm_neon.h>
#include <math.h>
#include <string.h>

#include "kernels/kern.h"
#include "kernels/kern_quant.h"
#include "kernels/kern_unroll.h"

#define KERN(name) neon_##name
enum { SCORE_ROWS = 2, VALUE_ROWS = 2 };

typedef struct vf {
    float32x4_t a, b, c, d;
} vf;

static inline vf vf_set(float f) {
    const float32x4_t v = vdupq_n_f32(f);
    return (vf){v, v, v, v};
}
static inline vf vf_load(const float *p) {
    return (vf){vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
}
static inline void vf_store(float *p, vf x) {
    vst1q_f32(p, x.a);
    vst1q_f32(p + 4, x.b);
    vst1q_f32(p + 8, x.c);
    vst1q_f32(p + 12, x.d);
}
static inline vf vf_load_n(const float *p, size_t n) {
    float f[16] = {0};
    memcpy(f, p, n * sizeof *f);
    return vf_load(f);
}
static inline void vf_store_n(float *p, vf x, size_t n) {
    float f[16];
    vf_store(f, x);
    memcpy(p, f, n * sizeof *f);
}

/* Not FMAX and FMIN: those order zeros and NaN differently. */
static inline float32x4_t max4(float32x4_t x, float32x4_t y) {
    return vbslq_f32(vcgtq_f32(x, y), x, y);
}
static inline float32x4_t min4(float32x4_t x, float32x4_t y) {
    return vbslq_f32(vcltq_f32(x, y), x, y);
}
static inline float32x4_t sign4(float32x4_t x, float32x4_t s) {
    const uint32x4_t sign = vandq_u32(vreinterpretq_u32_f32(s), vdupq_n_u32(0x80000000u));
    return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(x), sign));
}

#define LANEWISE(name, op)                                                   \
    static inline vf name(vf x, vf y) {                                      \
        return (vf){op(x.a, y.a), op(x.b, y.b), op(x.c, y.c), op(x.d, y.d)}; \
    }
LANEWISE(vf_add, vaddq_f32)
LANEWISE(vf_sub, vsubq_f32)
LANEWISE(vf_mul, vmulq_f32)
LANEWISE(vf_div, vdivq_f32)
LANEWISE(vf_max, max4)
LANEWISE(vf_min, min4)
LANEWISE(vf_sign_of, sign4)

static inline vf vf_fma(vf x, vf y, vf z) {
    return (vf){vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b), vfmaq_f32(z.c, x.c, y.c),
                vfmaq_f32(z.d, x.d, y.d)};
}
static inline vf vf_abs(vf x) {
    return (vf){vabsq_f32(x.a), vabsq_f32(x.b), vabsq_f32(x.c), vabsq_f32(x.d)};
}
static inline vf vf_if_less(vf a, vf b, vf x, vf y) {
    return (vf){vbslq_f32(vcltq_f32(a.a, b.a), x.a, y.a), vbslq_f32(vcltq_f32(a.b, b.b), x.b, y.b),
                vbslq_f32(vcltq_f32(a.c, b.c), x.c, y.c), vbslq_f32(vcltq_f32(a.d, b.d), x.d, y.d)};
}
static inline float32x4_t pow2_4(float32x4_t t) {
    const int32x4_t n = vshlq_n_s32(vreinterpretq_s32_f32(t), 23);
    return vreinterpretq_f32_s32(vaddq_s32(n, vdupq_n_s32(0x3f800000)));
}
static inline vf vf_pow2(vf t) { return (vf){pow2_4(t.a), pow2_4(t.b), pow2_4(t.c), pow2_4(t.d)}; }
static inline float vf_sum(vf x) {
    const float32x4_t t = vaddq_f32(vaddq_f32(x.a, x.c), vaddq_f32(x.b, x.d));
    const float32x2_t u = vadd_f32(vget_low_f32(t), vget_high_f32(t));
    return vget_lane_f32(vpadd_f32(u, u), 0);
}
static inline float vf_hmax(vf x) {
    const float32x4_t t = max4(max4(x.a, x.c), max4(x.b, x.d));
    const float32x4_t u = max4(t, vextq_f32(t, t, 2));
    return vgetq_lane_f32(max4(u, vextq_f32(u, u, 1)), 0);
}
static inline vf vf_swap(vf x) {
    return (vf){vrev64q_f32(x.a), vrev64q_f32(x.b), vrev64q_f32(x.c), vrev64q_f32(x.d)};
}
static inline vf vf_dup_even(vf x) {
    return (vf){vtrn1q_f32(x.a, x.a), vtrn1q_f32(x.b, x.b), vtrn1q_f32(x.c, x.c),
                vtrn1q_f32(x.d, x.d)};
}
static inline vf vf_dup_odd(vf x) {
    return (vf){vtrn2q_f32(x.a, x.a), vtrn2q_f32(x.b, x.b), vtrn2q_f32(x.c, x.c),
                vtrn2q_f32(x.d, x.d)};
}
static inline vf vf_evens(vf x, vf y) {
    return (vf){vuzp1q_f32(x.a, x.b), vuzp1q_f32(x.c, x.d), vuzp1q_f32(y.a, y.b),
                vuzp1q_f32(y.c, y.d)};
}
static inline vf vf_odds(vf x, vf y) {
    return (vf){vuzp2q_f32(x.a, x.b), vuzp2q_f32(x.c, x.d), vuzp2q_f32(y.a, y.b),
                vuzp2q_f32(y.c, y.d)};
}
static inline uint8x8_t low_bytes8(float32x4_t x, float32x4_t y) {
    return vmovn_u16(
        vcombine_u16(vmovn_u32(vreinterpretq_u32_f32(x)), vmovn_u32(vreinterpretq_u32_f32(y))));
}
static inline void vf_low_bytes(int8_t *q, vf t) {
    vst1_s8(q, vreinterpret_s8_u8(low_bytes8(t.a, t.b)));
    vst1_s8(q + 8, vreinterpret_s8_u8(low_bytes8(t.c, t.d)));
}
static inline float32x4_t half4(const uint16_t *p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
static inline vf vf_load_half(const uint16_t *p) {
    return (vf){half4(p), half4(p + 4), half4(p + 8), half4(p + 12)};
}
static inline vf vf_load_half_n(const uint16_t *p, size_t n) {
    uint16_t h[16] = {0};
    memcpy(h, p, n * sizeof *h);
    return vf_load_half(h);
}
static inline float32x4_t brain4(const uint16_t *p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}
static inline vf vf_load_brain(const uint16_t *p) {
    return (vf){brain4(p), brain4(p + 4), brain4(p + 8), brain4(p + 12)};
}
static inline vf vf_load_brain_n(const uint16_t *p, size_t n) {
    uint16_t h[16] = {0};
    memcpy(h, p, n * sizeof *h);
    return vf_load_brain(h);
}
static inline void store_half4(uint16_t *p, float32x4_t x) {
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x)));
}
static inline void vf_store_half(uint16_t *p, vf x) {
    store_half4(p, x.a);
    store_half4(p + 4, x.b);
    store_half4(p + 8, x.c);
    store_half4(p + 12, x.d);
}
static inline void vf_store_half_n(uint16_t *p, vf x, size_t n) {
    uint16_t h[16];
    vf_store_half(h, x);
    memcpy(p, h, n * sizeof *h);
}

#include "kernels/kern_body.inc"

enum { TILE_ROWS = 2, TILE_COLS = 3, BLOCK_COLS = 512 };
#include "kernels/kern_float.inc"

const kern kern_neon = {
    .name = "neon",
    KERN_BODY_ROWS,
    .product =
        {
            KERN_FLOAT_ROWS,
            [QUANT_Q4_0] = neon_q4_0,
            [QUANT_Q8_0] = neon_q8_0,
        },
};

const kern kern_neon_dot = {
    .name = "neon-dot",
    KERN_BODY_ROWS,
    .product =
        {
            KERN_FLOAT_ROWS,
            [QUANT_Q4_0] = dotprod_q4_0,
            [QUANT_Q8_0] = dotprod_q8_0,
        },
};
#endif
