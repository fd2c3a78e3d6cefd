/* kern_avx2.c - the tables for processors with AVX2, FMA and F16C: a vector of 16 floats is two
 * registers. The integer products are in kern_quant_avx2.c and, for processors that also have
 * AVX-VNNI, in kern_quant_avxvnni.c; everything else the two tables share. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/kern.h"
#include "kernels/kern_quant.h"
#include "kernels/kern_unroll.h"

#define KERN(name) avx2_##name
enum { SCORE_ROWS = 2, VALUE_ROWS = 2 };

typedef struct vf {
    __m256 a, b; /* lanes 0 .. 7 and 8 .. 15 */
} vf;

static inline vf vf_set(float f) { return (vf){_mm256_set1_ps(f), _mm256_set1_ps(f)}; }
static inline vf vf_load(const float *p) {
    return (vf){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
static inline void vf_store(float *p, vf x) {
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}

/* All ones in the first n < 16 lanes. */
static inline void first_lanes(size_t n, __m256i mask[2]) {
    static const int32_t ones[32] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                     -1, -1, -1, -1, -1, -1, -1, -1};
    mask[0] = _mm256_loadu_si256((const __m256i *)(const void *)(ones + 16 - n));
    mask[1] = _mm256_loadu_si256((const __m256i *)(const void *)(ones + 24 - n));
}
static inline vf vf_load_n(const float *p, size_t n) {
    __m256i mask[2];
    first_lanes(n, mask);
    return (vf){_mm256_maskload_ps(p, mask[0]), _mm256_maskload_ps(p + 8, mask[1])};
}
static inline void vf_store_n(float *p, vf x, size_t n) {
    __m256i mask[2];
    first_lanes(n, mask);
    _mm256_maskstore_ps(p, mask[0], x.a);
    _mm256_maskstore_ps(p + 8, mask[1], x.b);
}

#define LANEWISE(name, op) \
    static inline vf name(vf x, vf y) { return (vf){op(x.a, y.a), op(x.b, y.b)}; }
LANEWISE(vf_add, _mm256_add_ps)
LANEWISE(vf_sub, _mm256_sub_ps)
LANEWISE(vf_mul, _mm256_mul_ps)
LANEWISE(vf_div, _mm256_div_ps)
LANEWISE(vf_max, _mm256_max_ps)
LANEWISE(vf_min, _mm256_min_ps)

static inline vf vf_fma(vf x, vf y, vf z) {
    return (vf){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
static inline vf vf_abs(vf x) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return (vf){_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
}
static inline vf vf_sign_of(vf x, vf s) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return (vf){_mm256_xor_ps(x.a, _mm256_and_ps(s.a, sign)),
                _mm256_xor_ps(x.b, _mm256_and_ps(s.b, sign))};
}
static inline vf vf_if_less(vf a, vf b, vf x, vf y) {
    return (vf){_mm256_blendv_ps(y.a, x.a, _mm256_cmp_ps(a.a, b.a, _CMP_LT_OQ)),
                _mm256_blendv_ps(y.b, x.b, _mm256_cmp_ps(a.b, b.b, _CMP_LT_OQ))};
}
static inline __m256 pow2_8(__m256 t) {
    const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_set1_epi32(0x3f800000)));
}
static inline vf vf_pow2(vf t) { return (vf){pow2_8(t.a), pow2_8(t.b)}; }
static inline float vf_sum(vf x) {
    const __m256 b = _mm256_add_ps(x.a, x.b);
    const __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    const __m128 d = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}
static inline float vf_hmax(vf x) {
    const __m256 b = _mm256_max_ps(x.a, x.b);
    const __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    const __m128 d = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
}
static inline vf vf_swap(vf x) {
    return (vf){_mm256_permute_ps(x.a, 0xb1), _mm256_permute_ps(x.b, 0xb1)};
}
static inline vf vf_dup_even(vf x) {
    return (vf){_mm256_moveldup_ps(x.a), _mm256_moveldup_ps(x.b)};
}
static inline vf vf_dup_odd(vf x) { return (vf){_mm256_movehdup_ps(x.a), _mm256_movehdup_ps(x.b)}; }

/* What a shuffle inside the halves of registers left in the order 0 2 1 3, put into order. */
static inline __m256 in_order(__m256 x) {
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(x), 0xd8));
}
static inline vf vf_evens(vf x, vf y) {
    return (vf){in_order(_mm256_shuffle_ps(x.a, x.b, 0x88)),
                in_order(_mm256_shuffle_ps(y.a, y.b, 0x88))};
}
static inline vf vf_odds(vf x, vf y) {
    return (vf){in_order(_mm256_shuffle_ps(x.a, x.b, 0xdd)),
                in_order(_mm256_shuffle_ps(y.a, y.b, 0xdd))};
}
static inline void vf_low_bytes(int8_t *q, vf t) {
    const __m256i low = _mm256_set1_epi32(255);
    const __m256i a = _mm256_and_si256(_mm256_castps_si256(t.a), low);
    const __m256i b = _mm256_and_si256(_mm256_castps_si256(t.b), low);
    const __m256i words = _mm256_packus_epi32(a, b); /* a0-3 b0-3 | a4-7 b4-7 */
    const __m128i bytes =
        _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i *)(void *)q, _mm_shuffle_epi32(bytes, 0xd8));
}
static inline __m128i load8x16(const uint16_t *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}
static inline vf vf_load_half(const uint16_t *p) {
    return (vf){_mm256_cvtph_ps(load8x16(p)), _mm256_cvtph_ps(load8x16(p + 8))};
}
static inline vf vf_load_half_n(const uint16_t *p, size_t n) {
    uint16_t h[16] = {0};
    memcpy(h, p, n * sizeof *h);
    return vf_load_half(h);
}
static inline __m256 brain8(const uint16_t *p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load8x16(p)), 16));
}
static inline vf vf_load_brain(const uint16_t *p) { return (vf){brain8(p), brain8(p + 8)}; }
static inline vf vf_load_brain_n(const uint16_t *p, size_t n) {
    uint16_t h[16] = {0};
    memcpy(h, p, n * sizeof *h);
    return vf_load_brain(h);
}
static inline __m128i to_half(__m256 x) {
    return _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline void vf_store_half(uint16_t *p, vf x) {
    _mm_storeu_si128((__m128i *)(void *)p, to_half(x.a));
    _mm_storeu_si128((__m128i *)(void *)(p + 8), to_half(x.b));
}
static inline void vf_store_half_n(uint16_t *p, vf x, size_t n) {
    uint16_t h[16];
    vf_store_half(h, x);
    memcpy(p, h, n * sizeof *h);
}

#include "kernels/kern_body.inc"

enum { TILE_ROWS = 2, TILE_COLS = 3, BLOCK_COLS = 256 };

/* Sums take 12 of 16 registers: products are made half a vector at a time. */
#define FLOAT_HALVES
typedef __m256 vf_half;
static inline vf_half half_fma(vf_half x, vf_half y, vf_half z) { return _mm256_fmadd_ps(x, y, z); }
static inline vf_half half_load_f32(const void *p) { return _mm256_loadu_ps(p); }
static inline vf_half half_load_f16(const void *p) { return _mm256_cvtph_ps(load8x16(p)); }
static inline vf_half half_load_bf16(const void *p) { return brain8(p); }
#include "kernels/kern_float.inc"

const kern kern_avx2 = {
    .name = "avx2",
    KERN_BODY_ROWS,
    .product = {KERN_FLOAT_ROWS, [QUANT_Q4_0] = avx2_q4_0, [QUANT_Q8_0] = avx2_q8_0,
#define X(type, stem) [QUANT_##type] = avx2_##stem,
                KERN_QUANT_OTHERS(X)
#undef X
    },
};

const kern kern_avxvnni = {
    .name = "avxvnni",
    KERN_BODY_ROWS,
    .product =
        {
            KERN_FLOAT_ROWS,
            [QUANT_Q4_0] = avxvnni_q4_0,
            [QUANT_Q8_0] = avxvnni_q8_0,
        },
};
#endif
