/* kern_avx512.c - the table for processors with AVX-512 (F, BW, VL, DQ, VNNI): a vector of 16
 * floats is one register. The integer products are in kern_quant_avx512.c. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/kern.h"
#include "kernels/kern_quant.h"
#include "kernels/kern_unroll.h"

#define KERN(name) avx512_##name
enum { SCORE_ROWS = 8, VALUE_ROWS = 8 };

typedef __m512 vf;

#define vf_set _mm512_set1_ps
#define vf_load _mm512_loadu_ps
#define vf_store _mm512_storeu_ps
#define vf_add _mm512_add_ps
#define vf_sub _mm512_sub_ps
#define vf_mul _mm512_mul_ps
#define vf_div _mm512_div_ps
#define vf_fma _mm512_fmadd_ps
#define vf_max _mm512_max_ps
#define vf_min _mm512_min_ps
#define vf_abs _mm512_abs_ps
#define vf_dup_even _mm512_moveldup_ps
#define vf_dup_odd _mm512_movehdup_ps

static inline __mmask16 first_lanes(size_t n) { return (__mmask16)((1u << n) - 1); }
static inline vf vf_load_n(const float *p, size_t n) {
    return _mm512_maskz_loadu_ps(first_lanes(n), p);
}
static inline void vf_store_n(float *p, vf a, size_t n) {
    _mm512_mask_storeu_ps(p, first_lanes(n), a);
}
static inline vf vf_sign_of(vf a, vf s) {
    return _mm512_xor_ps(a, _mm512_and_ps(s, _mm512_set1_ps(-0.0f)));
}
static inline vf vf_if_less(vf a, vf b, vf x, vf y) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
static inline vf vf_pow2(vf t) {
    const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(t), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(n, _mm512_set1_epi32(0x3f800000)));
}
static inline float vf_sum(vf a) {
    const __m256 b = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    const __m128 d = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}
static inline float vf_hmax(vf a) {
    const __m256 b = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    const __m128 d = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
}
static inline vf vf_swap(vf a) { return _mm512_permute_ps(a, 0xb1); }
static inline vf pick(vf a, vf b, int first) {
    const __m512i lane =
        _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    return _mm512_permutex2var_ps(a, _mm512_add_epi32(lane, _mm512_set1_epi32(first)), b);
}
static inline vf vf_evens(vf a, vf b) { return pick(a, b, 0); }
static inline vf vf_odds(vf a, vf b) { return pick(a, b, 1); }
static inline void vf_low_bytes(int8_t *q, vf t) {
    _mm_storeu_si128((__m128i *)(void *)q, _mm512_cvtepi32_epi8(_mm512_castps_si512(t)));
}
static inline vf vf_load_half(const uint16_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
static inline vf vf_load_half_n(const uint16_t *p, size_t n) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n), p));
}
static inline vf vf_load_brain(const uint16_t *p) {
    const __m256i h = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}
static inline vf vf_load_brain_n(const uint16_t *p, size_t n) {
    const __m256i h = _mm256_maskz_loadu_epi16(first_lanes(n), p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}
static inline __m256i to_half(vf a) {
    return _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline void vf_store_half(uint16_t *p, vf a) {
    _mm256_storeu_si256((__m256i *)(void *)p, to_half(a));
}
static inline void vf_store_half_n(uint16_t *p, vf a, size_t n) {
    _mm256_mask_storeu_epi16(p, first_lanes(n), to_half(a));
}

#include "kernels/kern_body.inc"

enum { TILE_ROWS = 4, TILE_COLS = 6, BLOCK_COLS = 512 };
#include "kernels/kern_float.inc"

const kern kern_avx512 = {
    .name = "avx512",
    KERN_BODY_ROWS,
    .product = {KERN_FLOAT_ROWS,
#define X(type, stem) [QUANT_##type] = avx512_##stem,
                KERN_QUANT_LIST(X)
#undef X
    },
};
#endif
