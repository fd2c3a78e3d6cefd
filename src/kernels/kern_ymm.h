/* kern_ymm.h - pieces of integer products on 256-bit registers, 8 weight rows side by side. */
#ifndef KERNELS_KERN_YMM_H
#define KERNELS_KERN_YMM_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernels/kern_unroll.h"

INLINE __m128i load16(const void *p) { return _mm_loadu_si128(p); }

/* 16 bytes at p and 16 at q. */
INLINE __m256i load16x2(const void *p, const void *q) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(load16(p)), load16(q), 1);
}

/* 16 bytes of 8 rows: register j gets word j of every row, row r in lane r. */
INLINE void turn(const uint8_t *p, size_t stride, __m256i out[4]) {
    __m256i a[4];
    UNROLL
    for (size_t i = 0; i < 4; i++) a[i] = load16x2(p + i * stride, p + (i + 4) * stride);
    const __m256i lo0 = _mm256_unpacklo_epi32(a[0], a[1]), hi0 = _mm256_unpackhi_epi32(a[0], a[1]);
    const __m256i lo1 = _mm256_unpacklo_epi32(a[2], a[3]), hi1 = _mm256_unpackhi_epi32(a[2], a[3]);
    out[0] = _mm256_unpacklo_epi64(lo0, lo1);
    out[1] = _mm256_unpackhi_epi64(lo0, lo1);
    out[2] = _mm256_unpacklo_epi64(hi0, hi1);
    out[3] = _mm256_unpackhi_epi64(hi0, hi1);
}

INLINE short half_at(const void *p) {
    short v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The half-precision number at `p` of 8 rows. */
INLINE __m256 halves_of_rows(const uint8_t *p, size_t s) {
    return _mm256_cvtph_ps(_mm_setr_epi16(
        half_at(p), half_at(p + s), half_at(p + 2 * s), half_at(p + 3 * s), half_at(p + 4 * s),
        half_at(p + 5 * s), half_at(p + 6 * s), half_at(p + 7 * s)));
}

/* Sixteen signed bytes at even and at odd places to 16 bits. */
INLINE __m256i even_words(__m256i b) { return _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8); }
INLINE __m256i odd_words(__m256i b) { return _mm256_srai_epi16(b, 8); }

INLINE __m256i pairs_to_dwords(__m256i words) {
    return _mm256_madd_epi16(words, _mm256_set1_epi16(1));
}

/* Signed times signed bytes: the sign of the weights goes to x. Two products of at most 128 * 127
 * fit 16 bits; x is never -128 (but in a block whose scale is NaN, where no sum matters). */
INLINE __m256i dot_signed(__m256i w, __m256i x) {
    return pairs_to_dwords(_mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w)));
}

INLINE __m256i broadcast4(const void *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return _mm256_set1_epi32(four);
}

/* Integer sums may be taken in any order, so compilers gather all products of a block before they
 * add them, in far more registers than there are. This holds a sum to the order written. */
#define IN_TURN(sum) __asm__("" : "+x"(sum))

#endif
