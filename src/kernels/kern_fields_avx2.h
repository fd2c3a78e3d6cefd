/* kern_fields_avx2.h - the fields of blocks of 8 weight rows side by side: what kern_unpack_avx2.c
 * and kern_few_avx2.c share. */
#ifndef KERNELS_KERN_FIELDS_AVX2_H
#define KERNELS_KERN_FIELDS_AVX2_H

#include "kernels/kern_unpack_avx2.h"
#include "kernels/kern_ymm.h"
#include "quant/block.h"

#define FIELD(stem, member) (p + offsetof(block_##stem, member))

/* ---- Bringing rows into lanes ---- */

/* The four bytes at `p` of 8 rows, and the byte there, without sign. */
INLINE __m256i words_of_rows(const uint8_t *p, size_t s) {
    return _mm256_setr_epi32(word_at(p), word_at(p + s), word_at(p + 2 * s), word_at(p + 3 * s),
                             word_at(p + 4 * s), word_at(p + 5 * s), word_at(p + 6 * s),
                             word_at(p + 7 * s));
}

INLINE __m256i bytes_of_rows(const uint8_t *p, size_t s) {
    return _mm256_setr_epi32(p[0], p[s], p[2 * s], p[3 * s], p[4 * s], p[5 * s], p[6 * s],
                             p[7 * s]);
}

/* The half-precision number in the low, or the high, 16 bits of each lane. */
INLINE __m256 halves_of_lanes(__m256i v) {
    const __m128i lo = _mm256_castsi256_si128(v), hi = _mm256_extracti128_si256(v, 1);
    return _mm256_cvtph_ps(_mm_packus_epi32(lo, hi));
}
INLINE __m256 low_half(__m256i v) {
    return halves_of_lanes(_mm256_and_si256(v, _mm256_set1_epi32(0xffff)));
}
INLINE __m256 high_half(__m256i v) { return halves_of_lanes(_mm256_srli_epi32(v, 16)); }

/* ---- Fields ---- */

/* Bits of bytes, or of wider fields; none of them may be cut by the end of the byte. */
INLINE __m256i bits(__m256i v, const int shift, int mask) {
    const __m256i moved = shift ? _mm256_srli_epi32(v, shift) : v;
    return _mm256_and_si256(moved, _mm256_set1_epi8((char)mask));
}

/* a | (b & mask) */
INLINE __m256i or_masked(__m256i a, __m256i b, int mask) {
    return _mm256_or_si256(a, _mm256_and_si256(b, _mm256_set1_epi8((char)mask)));
}

INLINE __m256 negated(__m256 v) { return _mm256_xor_ps(v, _mm256_set1_ps(-0.0f)); }

#include "kernels/kern_unpack_lanes.inc"

/* Scales and minimums of 8 rows of Q4_K or Q5_K, whose blocks begin at p, for 8 blocks. */
INLINE void scales_q4_k(__m256 out_scale[8], __m256 offset[8], const uint8_t *p, size_t stride) {
    __m256i head[4], scale[2], minimum[2];
    turn(p, stride, head); /* d and min, then the 12 bytes */
    const __m256 d = low_half(head[0]), min = negated(high_half(head[0]));
    scale[0] = bits(head[1], 0, 63);
    minimum[0] = bits(head[2], 0, 63);
    scale[1] = or_masked(bits(head[3], 0, 15), _mm256_srli_epi16(head[1], 2), 48);
    minimum[1] = or_masked(bits(head[3], 4, 15), _mm256_srli_epi16(head[2], 2), 48);
    UNROLL
    for (int b = 0; b < 8; b++) {
        out_scale[b] = _mm256_mul_ps(d, byte_float(scale[b / 4], b % 4));
        offset[b] = _mm256_mul_ps(min, byte_float(minimum[b / 4], b % 4));
    }
}

/* The sixteen scales of 8 rows of Q6_K. */
INLINE void scales_q6_k(__m256 out[16], const uint8_t *p, size_t stride) {
    __m256i scale[4];
    const __m256 d = halves_of_rows(FIELD(q6_k, d), stride);
    turn(FIELD(q6_k, scale), stride, scale);
    UNROLL
    for (int i = 0; i < 16; i++) out[i] = _mm256_mul_ps(d, signed_byte_float(scale[i / 4], i % 4));
}

#endif
