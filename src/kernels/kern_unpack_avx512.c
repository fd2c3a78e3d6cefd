/* kern_unpack_avx512.c - weights of every type into lanes, see kern_unpack_avx512.h. What the bytes
 * mean is drawn in quant/block.h and written plainly in kern_scalar_quant.c.
 *
 * The usual way: 16 bytes of 16 rows are turned so that a register holds one 32-bit word of every
 * row, and the fields of blocks are cut out of these registers for 16 rows at once. Types whose
 * weights are looked up eight or four at a time are read row by row into a small square, which is
 * then turned the same way. */
#if defined(__x86_64__)
#include "kernels/kern_unpack_avx512.h"

#include <string.h>

#include "kernels/kern_unroll.h"
#include "quant/block.h"
#include "quant/quant_iq_tables.h"

enum { ROWS = LANE_ROWS };

/* ---- Bringing rows into lanes ---- */

INLINE __m128i load16(const uint8_t *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* 16 bytes of 16 rows: register j gets word j of every row, row r in lane r. */
INLINE void turn(const uint8_t *p, size_t stride, __m512i out[4]) {
    __m512i a[4];
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        const uint8_t *row = p + i * stride;
        a[i] = _mm512_castsi128_si512(load16(row));
        a[i] = _mm512_inserti32x4(a[i], load16(row + 4 * stride), 1);
        a[i] = _mm512_inserti32x4(a[i], load16(row + 8 * stride), 2);
        a[i] = _mm512_inserti32x4(a[i], load16(row + 12 * stride), 3);
    }
    const __m512i lo0 = _mm512_unpacklo_epi32(a[0], a[1]), hi0 = _mm512_unpackhi_epi32(a[0], a[1]);
    const __m512i lo1 = _mm512_unpacklo_epi32(a[2], a[3]), hi1 = _mm512_unpackhi_epi32(a[2], a[3]);
    out[0] = _mm512_unpacklo_epi64(lo0, lo1);
    out[1] = _mm512_unpackhi_epi64(lo0, lo1);
    out[2] = _mm512_unpacklo_epi64(hi0, hi1);
    out[3] = _mm512_unpackhi_epi64(hi0, hi1);
}

/* 16 n bytes of 16 rows. */
INLINE void turn_all(const uint8_t *p, size_t stride, __m512i *out, const size_t n) {
    UNROLL
    for (size_t i = 0; i < n; i++) turn(p + 16 * i, stride, out + 4 * i);
}

/* The two, four or one bytes at `p` of 16 rows, without sign. */
INLINE __m512i halves_of_rows(const uint8_t *p, size_t stride) {
    uint16_t v[ROWS];
    for (size_t r = 0; r < ROWS; r++) memcpy(&v[r], p + r * stride, sizeof *v);
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)v));
}

INLINE __m512i words_of_rows(const uint8_t *p, size_t stride) {
    uint32_t v[ROWS];
    for (size_t r = 0; r < ROWS; r++) memcpy(&v[r], p + r * stride, sizeof *v);
    return _mm512_loadu_si512(v);
}

INLINE __m512i bytes_of_rows(const uint8_t *p, size_t stride) {
    uint8_t v[ROWS];
    for (size_t r = 0; r < ROWS; r++) v[r] = p[r * stride];
    return _mm512_cvtepu8_epi32(load16(v));
}

/* The half-precision number in the low 16 bits of each lane. */
INLINE __m512 low_half(__m512i v) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v)); }
INLINE __m512 high_half(__m512i v) { return low_half(_mm512_srli_epi32(v, 16)); }

/* The half-precision number at the beginning of 4 (or 2) blocks of 16 rows, all within 64 bytes:
 * merged two rows at a time until every block has its sixteen side by side. */
INLINE void scales_of_rows(const uint8_t *p, size_t stride, const int n, const int block_bytes,
                           __m512 *out) {
    const short w1 = (short)(block_bytes / 2), w2 = (short)(2 * w1), w3 = (short)(3 * w1);
    const __m512i words = _mm512_castsi128_si512(
        _mm_setr_epi16(0, 32, w1, (short)(w1 + 32), w2, (short)(w2 + 32), w3, (short)(w3 + 32)));
    const __m512i dwords = _mm512_castsi256_si512(_mm256_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19));
    const __m512i qwords = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i front = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i back = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    __m512i a[8];
    UNROLL
    for (size_t i = 0; i < 8; i++)
        a[i] = _mm512_permutex2var_epi16(_mm512_loadu_si512(p + 2 * i * stride), words,
                                         _mm512_loadu_si512(p + (2 * i + 1) * stride));
    UNROLL
    for (size_t i = 0; i < 4; i++) a[i] = _mm512_permutex2var_epi32(a[2 * i], dwords, a[2 * i + 1]);
    const __m512i lo = _mm512_permutex2var_epi64(a[0], qwords, a[1]);
    const __m512i hi = _mm512_permutex2var_epi64(a[2], qwords, a[3]);
    const __m512i first = _mm512_permutex2var_epi64(lo, front, hi);
    out[0] = _mm512_cvtph_ps(_mm512_castsi512_si256(first));
    out[1] = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(first, 1));
    if (n == 2) return;
    const __m512i second = _mm512_permutex2var_epi64(lo, back, hi);
    out[2] = _mm512_cvtph_ps(_mm512_castsi512_si256(second));
    out[3] = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(second, 1));
}

/* ---- Fields ---- */

/* The low 4 bits of bytes, with `with` set. */
INLINE __m512i low_nibbles(__m512i v, __m512i with) {
    return _mm512_ternarylogic_epi32(v, _mm512_set1_epi8(15), with, 0xea); /* (v & 15) | with */
}
INLINE __m512i high_nibbles(__m512i v, __m512i with) {
    return low_nibbles(_mm512_srli_epi16(v, 4), with);
}

/* a | (b & mask) */
INLINE __m512i or_masked(__m512i a, __m512i b, int mask) {
    return _mm512_ternarylogic_epi32(a, b, _mm512_set1_epi8((char)mask), 0xf8);
}

/* Bits of bytes; none of them may be cut by the end of the byte. */
INLINE __m512i bits(__m512i v, const unsigned shift, int mask) {
    return _mm512_and_si512(_mm512_srli_epi32(v, shift), _mm512_set1_epi8((char)mask));
}

#include "kernels/kern_unpack_lanes.inc"

/* Bits 4j .. 4j+3 of each lane, one for each byte. */
INLINE __mmask64 four_bits(__m512i v, const int j) {
    const __m512i bit = _mm512_set1_epi32(j % 2 ? (int)0x80402010 : 0x08040201);
    return _mm512_test_epi8_mask(repeat_byte(v, j / 2), bit);
}

/* Bytes 0..15 of a table by the low 4 bits of bytes. */
INLINE __m512i look_up(const int8_t table[16], __m512i nibbles) {
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(load16((const uint8_t *)table)), nibbles);
}

/* ---- 32 values ---- */

INLINE void weights_q4_0(lane_block *out, const uint8_t *p, size_t stride) {
    const __m512i zero = _mm512_setzero_si512(), up = _mm512_set1_epi8(128 - 8);
    __m512i d[4];
    turn(p + offsetof(block_q4_0, q), stride, d);
    UNROLL
    for (int j = 0; j < 4; j++) {
        out->w[j] = _mm512_add_epi8(low_nibbles(d[j], zero), up);
        out->w[4 + j] = _mm512_add_epi8(high_nibbles(d[j], zero), up);
    }
}

INLINE void weights_iq4_nl(lane_block *out, const uint8_t *p, size_t stride) {
    const __m512i zero = _mm512_setzero_si512(), up = _mm512_set1_epi8(-128);
    __m512i d[4];
    turn(p, stride, d);
    UNROLL
    for (int j = 0; j < 4; j++) {
        const __m512i lo = look_up(quant_iq4_level, low_nibbles(d[j], zero));
        const __m512i hi = look_up(quant_iq4_level, high_nibbles(d[j], zero));
        out->w[j] = _mm512_xor_si512(lo, up);
        out->w[4 + j] = _mm512_xor_si512(hi, up);
    }
}

INLINE void weights_q8_0(lane_block *out, const uint8_t *p, size_t stride) {
    turn_all(p + offsetof(block_q8_0, q), stride, out->w, 2);
    UNROLL
    for (int j = 0; j < 8; j++) out->w[j] = _mm512_xor_si512(out->w[j], _mm512_set1_epi8(-128));
}

/* Types that are a half-precision scale and weights. */
typedef enum simple_type { SIMPLE_Q4_0, SIMPLE_IQ4_NL, SIMPLE_Q8_0 } simple_type;

INLINE void simple_weights(lane_block *out, const uint8_t *p, size_t stride, const simple_type t) {
    if (t == SIMPLE_Q4_0) weights_q4_0(out, p, stride);
    else if (t == SIMPLE_IQ4_NL) weights_iq4_nl(out, p + offsetof(block_iq4_nl, q), stride);
    else weights_q8_0(out, p, stride);
}

INLINE void simple(lane_block *out, lane_source *s, uint32_t first, uint32_t n,
                   const simple_type t) {
    const size_t bytes = t == SIMPLE_Q8_0 ? sizeof(block_q8_0) : sizeof(block_q4_0);
    const uint32_t at_once = t == SIMPLE_Q8_0 ? 2 : 4;
    const uint8_t *p = s->w + first * bytes;
    uint32_t b = 0;
    for (; b + at_once <= n; b += at_once) {
        __m512 scale[4];
        fetch(s, ROWS * bytes * at_once);
        scales_of_rows(p, s->stride, (int)at_once, (int)bytes, scale);
        for (uint32_t i = 0; i < at_once; i++, p += bytes, out += 2) {
            out->scale[0] = scale[i];
            simple_weights(out, p, s->stride, t);
        }
    }
    for (; b < n; b++, p += bytes, out += 2) {
        out->scale[0] = low_half(halves_of_rows(p, s->stride));
        simple_weights(out, p, s->stride, t);
    }
}

void lanes16_q4_0(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    simple(out, s, first, n, SIMPLE_Q4_0);
}
void lanes16_q8_0(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    simple(out, s, first, n, SIMPLE_Q8_0);
}
void lanes16_iq4_nl(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    simple(out, s, first, n, SIMPLE_IQ4_NL);
}

void lanes16_q8_1(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first * sizeof(block_q8_1);
    for (uint32_t b = 0; b < n; b++, p += sizeof(block_q8_1), out += 2) {
        fetch(s, ROWS * sizeof(block_q8_1));
        out->scale[0] = low_half(halves_of_rows(p, s->stride));
        /* The weights of a Q8_0 that begins two bytes later. */
        weights_q8_0(out, p + offsetof(block_q8_1, q) - offsetof(block_q8_0, q), s->stride);
    }
}

void lanes16_q4_1(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const __m512i up = _mm512_set1_epi8(-128);
    const uint8_t *p = s->w + first * sizeof(block_q4_1);
    for (uint32_t b = 0; b < n; b++, p += sizeof(block_q4_1), out += 2) {
        __m512i d[4];
        fetch(s, ROWS * sizeof(block_q4_1));
        const __m512i head = words_of_rows(p, s->stride);
        out->scale[0] = low_half(head);
        out->offset[0] = high_half(head);
        turn(p + offsetof(block_q4_1, q), s->stride, d);
        UNROLL
        for (int j = 0; j < 4; j++) {
            out->w[j] = low_nibbles(d[j], up);
            out->w[4 + j] = high_nibbles(d[j], up);
        }
    }
}

void lanes16_q5_0(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const __m512i zero = _mm512_setzero_si512(), bit = _mm512_set1_epi8(16);
    const __m512i up = _mm512_set1_epi8(128 - 16);
    const uint8_t *p = s->w + first * sizeof(block_q5_0);
    for (uint32_t b = 0; b < n; b++, p += sizeof(block_q5_0), out += 2) {
        __m512i d[4];
        fetch(s, ROWS * sizeof(block_q5_0));
        const __m512i high = words_of_rows(p + offsetof(block_q5_0, high), s->stride);
        out->scale[0] = low_half(halves_of_rows(p, s->stride));
        turn(p + offsetof(block_q5_0, q), s->stride, d);
        UNROLL
        for (int j = 0; j < 8; j++) {
            const __m512i v = j < 4 ? low_nibbles(d[j], zero) : high_nibbles(d[j - 4], zero);
            const __m512i w = _mm512_add_epi8(v, up);
            out->w[j] = _mm512_mask_add_epi8(w, four_bits(high, j), w, bit);
        }
    }
}

void lanes16_q5_1(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const __m512i bit = _mm512_set1_epi8(16), up = _mm512_set1_epi8(-128);
    const uint8_t *p = s->w + first * sizeof(block_q5_1);
    for (uint32_t b = 0; b < n; b++, p += sizeof(block_q5_1), out += 2) {
        __m512i d[4];
        fetch(s, ROWS * sizeof(block_q5_1));
        const __m512i head = words_of_rows(p, s->stride);
        const __m512i high = words_of_rows(p + offsetof(block_q5_1, high), s->stride);
        out->scale[0] = low_half(head);
        out->offset[0] = high_half(head);
        turn(p + offsetof(block_q5_1, q), s->stride, d);
        UNROLL
        for (int j = 0; j < 8; j++) {
            const __m512i w = j < 4 ? low_nibbles(d[j], up) : high_nibbles(d[j - 4], up);
            out->w[j] = _mm512_mask_add_epi8(w, four_bits(high, j), w, bit);
        }
    }
}

/* Twice the fp4 numbers, plus 128. */
static const int8_t fp4_up[16] = {-128, -127, -126, -125, -124, -122, -120, -116,
                                  -128, 127,  126,  125,  124,  122,  120,  116};

void lanes16_mxfp4(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const __m512i zero = _mm512_setzero_si512(), one = _mm512_set1_epi32(1);
    const uint8_t *p = s->w + first * sizeof(block_mxfp4);
    for (uint32_t b = 0; b < n; b++, p += sizeof(block_mxfp4), out += 2) {
        __m512i d[4];
        fetch(s, ROWS * sizeof(block_mxfp4));
        /* 2^(e - 128): subnormal for e = 0 and 1, else an exponent of e - 1. */
        const __m512i e = bytes_of_rows(p, s->stride);
        const __m512i tiny = _mm512_sllv_epi32(_mm512_set1_epi32(0x200000), e);
        const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, one), 23);
        const __mmask16 small = _mm512_cmple_epi32_mask(e, one);
        out->scale[0] = _mm512_castsi512_ps(_mm512_mask_blend_epi32(small, normal, tiny));
        turn(p + offsetof(block_mxfp4, q), s->stride, d);
        UNROLL
        for (int j = 0; j < 4; j++) {
            out->w[j] = look_up(fp4_up, low_nibbles(d[j], zero));
            out->w[4 + j] = look_up(fp4_up, high_nibbles(d[j], zero));
        }
    }
}

/* Half of an E4M3 scale in byte i: its bits without the sign, in the place of a half-precision
 * number's, are 2^-8 of it. 0x7f is 0. */
INLINE __m512 nvfp4_half_scale(__m512i v, const unsigned i) {
    const __m512i byte = _mm512_and_si512(_mm512_srli_epi32(v, 8 * i), _mm512_set1_epi32(255));
    const __mmask16 good = _mm512_cmpneq_epi32_mask(byte, _mm512_set1_epi32(127));
    const __m512i half = _mm512_slli_epi32(_mm512_and_si512(byte, _mm512_set1_epi32(127)), 7);
    return _mm512_maskz_mul_ps(good, low_half(half), _mm512_set1_ps(128.0f));
}

void lanes16_nvfp4(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const __m512i zero = _mm512_setzero_si512();
    const uint8_t *p = s->w + first / 2 * sizeof(block_nvfp4);
    for (uint32_t b = 0; b < n; b += 2, p += sizeof(block_nvfp4)) {
        fetch(s, ROWS * sizeof(block_nvfp4));
        const __m512i head = words_of_rows(p, s->stride);
        UNROLL
        for (unsigned i = 0; i < 2; i++, out += 2) {
            __m512i d[4];
            turn(p + offsetof(block_nvfp4, q) + 16 * i, s->stride, d);
            UNROLL
            for (unsigned h = 0; h < 2; h++) {
                out->scale[h] = nvfp4_half_scale(head, 2 * i + h);
                UNROLL
                for (unsigned j = 0; j < 2; j++) {
                    out->w[4 * h + j] = look_up(fp4_up, low_nibbles(d[2 * h + j], zero));
                    out->w[4 * h + 2 + j] = look_up(fp4_up, high_nibbles(d[2 * h + j], zero));
                }
            }
        }
    }
}

/* ---- K formats ---- */

/* Scales and minimums of 16 rows of Q4_K or Q5_K, whose blocks begin at p, for 8 blocks. */
INLINE void scales_q4_k(lane_block *out, const uint8_t *p, size_t stride) {
    __m512i head[4], scale[2], minimum[2];
    turn(p, stride, head); /* d and min, then the 12 bytes */
    const __m512 d = low_half(head[0]);
    const __m512 min = _mm512_sub_ps(_mm512_set1_ps(-0.0f), high_half(head[0]));
    scale[0] = _mm512_and_si512(head[1], _mm512_set1_epi8(63));
    minimum[0] = _mm512_and_si512(head[2], _mm512_set1_epi8(63));
    scale[1] = or_masked(bits(head[3], 0, 15), _mm512_srli_epi16(head[1], 2), 48);
    minimum[1] = or_masked(bits(head[3], 4, 15), _mm512_srli_epi16(head[2], 2), 48);
    UNROLL
    for (unsigned b = 0; b < 8; b++) {
        out[2 * b].scale[0] = _mm512_mul_ps(d, byte_float(scale[b / 4], b % 4));
        out[2 * b].offset[0] = _mm512_mul_ps(min, byte_float(minimum[b / 4], b % 4));
    }
}

void lanes16_q4_k(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const __m512i up = _mm512_set1_epi8(-128);
    const uint8_t *p = s->w + first / 8 * sizeof(block_q4_k);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_q4_k), out += 16) {
        scales_q4_k(out, p, s->stride);
        for (size_t k = 0; k < 4; k++) {
            __m512i d[8];
            fetch(s, ROWS * sizeof(block_q4_k) / 4);
            turn_all(p + offsetof(block_q4_k, q) + 32 * k, s->stride, d, 2);
            UNROLL
            for (int j = 0; j < 8; j++) {
                out[4 * k].w[j] = low_nibbles(d[j], up);
                out[4 * k + 2].w[j] = high_nibbles(d[j], up);
            }
        }
    }
}

void lanes16_q5_k(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const __m512i up = _mm512_set1_epi8(-128);
    const uint8_t *p = s->w + first / 8 * sizeof(block_q5_k);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_q5_k), out += 16) {
        __m512i high[8];
        scales_q4_k(out, p, s->stride);
        turn_all(p + offsetof(block_q5_k, high), s->stride, high, 2);
        for (size_t k = 0; k < 4; k++) {
            __m512i d[8];
            fetch(s, ROWS * sizeof(block_q5_k) / 4);
            turn_all(p + offsetof(block_q5_k, q) + 32 * k, s->stride, d, 2);
            UNROLL
            for (int j = 0; j < 8; j++) {
                /* The fifth bits of these two blocks are the lowest that are left. */
                out[4 * k].w[j] =
                    or_masked(low_nibbles(d[j], up), _mm512_slli_epi16(high[j], 4), 16);
                out[4 * k + 2].w[j] =
                    or_masked(high_nibbles(d[j], up), _mm512_slli_epi16(high[j], 3), 16);
                high[j] = _mm512_srli_epi16(high[j], 2);
            }
        }
    }
}

void lanes16_q6_k(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const __m512i zero = _mm512_setzero_si512(), up = _mm512_set1_epi8(128 - 32);
    const uint8_t *p = s->w + first / 8 * sizeof(block_q6_k);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_q6_k), out += 16) {
        __m512i scale[4];
        const __m512 d = low_half(halves_of_rows(p + offsetof(block_q6_k, d), s->stride));
        turn(p + offsetof(block_q6_k, scale), s->stride, scale);
        UNROLL
        for (unsigned i = 0; i < 16; i++)
            out[i / 2 * 2].scale[i % 2] = _mm512_mul_ps(d, signed_byte_float(scale[i / 4], i % 4));
        for (size_t half = 0; half < 2; half++) {
            __m512i high[8];
            lane_block *o = out + 8 * half;
            turn_all(p + offsetof(block_q6_k, high) + 32 * half, s->stride, high, 2);
            for (size_t k = 0; k < 2; k++) { /* blocks k and k + 2 of this half */
                __m512i low[8];
                fetch(s, (ROWS * sizeof(block_q6_k) + 3) / 4);
                turn_all(p + offsetof(block_q6_k, low) + 64 * half + 32 * k, s->stride, low, 2);
                UNROLL
                for (int j = 0; j < 8; j++) {
                    const __m512i two = _mm512_slli_epi16(high[j], 4);
                    const __m512i lo = or_masked(low_nibbles(low[j], zero), two, 48);
                    const __m512i hi = or_masked(high_nibbles(low[j], zero), high[j], 48);
                    o[2 * k].w[j] = _mm512_add_epi8(lo, up);
                    o[2 * k + 4].w[j] = _mm512_add_epi8(hi, up);
                    high[j] = _mm512_srli_epi16(high[j], 2);
                }
            }
        }
    }
}

/* The lowest two bits of q times the two scales in `word`; q loses them. Products are below 64, so
 * one 16-bit multiplication makes two of them. */
INLINE void put_q2_k(lane_block *out, __m512i q[8], __m512i word, __m512 min) {
    const __m512i minimum = bits(word, 4, 15), scale = bits(word, 0, 15);
    UNROLL
    for (int h = 0; h < 2; h++) {
        const __m512i factor = repeat_byte_16(scale, h);
        out->offset[h] = _mm512_mul_ps(min, byte_float(minimum, (unsigned)h));
        UNROLL
        for (int j = 4 * h; j < 4 * h + 4; j++) {
            const __m512i product = _mm512_mullo_epi16(bits(q[j], 0, 3), factor);
            out->w[j] = _mm512_or_si512(product, _mm512_set1_epi8(-128));
            q[j] = _mm512_srli_epi16(q[j], 2);
        }
    }
}

void lanes16_q2_k(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first / 8 * sizeof(block_q2_k);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_q2_k), out += 16) {
        __m512i head[4];
        const __m512i ends = words_of_rows(p + offsetof(block_q2_k, d), s->stride);
        const __m512 d = low_half(ends);
        const __m512 min = _mm512_sub_ps(_mm512_set1_ps(-0.0f), high_half(ends));
        turn(p + offsetof(block_q2_k, scale), s->stride, head);
        for (size_t half = 0; half < 2; half++) {
            __m512i q[8];
            turn_all(p + offsetof(block_q2_k, q) + 32 * half, s->stride, q, 2);
            for (size_t i = 4 * half; i < 4 * half + 4; i++) {
                fetch(s, (ROWS * sizeof(block_q2_k) + 7) / 8);
                put_q2_k(&out[2 * i], q, i % 2 ? _mm512_srli_epi32(head[i / 2], 16) : head[i / 2],
                         min);
                out[2 * i].scale[0] = d;
            }
        }
    }
}

/* The sixteen scales of Q3_K as bytes 0..63, scale s in byte s % 4 of scale[s / 4]; returns d. */
INLINE __m512 scales_q3_k(const uint8_t *p, size_t stride, __m512i scale[4]) {
    __m512i v[4], word[3];
    turn(p + sizeof(block_q3_k) - 16, stride, v); /* the 12 bytes are bytes 2..13 of these */
    UNROLL
    for (int i = 0; i < 3; i++)
        word[i] = _mm512_or_si512(_mm512_srli_epi32(v[i], 16), _mm512_slli_epi32(v[i + 1], 16));
    UNROLL
    for (unsigned i = 0; i < 4; i++)
        scale[i] = or_masked(bits(word[i % 2], i / 2 * 4, 15),
                             _mm512_slli_epi16(bits(word[2], 2 * i, 3), 4), 48);
    return high_half(v[3]);
}

/* Minus (q - 4) * (scale - 32), plus 128, is q * (32 - scale) + 4 * scale; of each product the
 * lowest byte counts. q and high lose the bits that are used. */
INLINE void put_q3_k(lane_block *out, __m512i q[8], __m512i high[8], __m512i word) {
    const __m512i even = _mm512_set1_epi16(255);
    UNROLL
    for (int h = 0; h < 2; h++) {
        const __m512i factor = _mm512_sub_epi16(_mm512_set1_epi16(32), repeat_byte_16(word, h));
        const __m512i four = _mm512_slli_epi16(repeat_byte(word, h), 2);
        UNROLL
        for (int j = 4 * h; j < 4 * h + 4; j++) {
            const __m512i v = or_masked(bits(q[j], 0, 3), _mm512_slli_epi16(high[j], 2), 4);
            const __m512i a = _mm512_mullo_epi16(_mm512_and_si512(v, even), factor);
            const __m512i b = _mm512_mullo_epi16(_mm512_andnot_si512(even, v), factor);
            out->w[j] = _mm512_add_epi8(_mm512_ternarylogic_epi32(b, a, even, 0xf8), four);
            q[j] = _mm512_srli_epi16(q[j], 2);
            high[j] = _mm512_srli_epi16(high[j], 1);
        }
    }
}

void lanes16_q3_k(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first / 8 * sizeof(block_q3_k);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_q3_k), out += 16) {
        __m512i scale[4], high[8];
        const __m512 d = scales_q3_k(p, s->stride, scale);
        turn_all(p + offsetof(block_q3_k, high), s->stride, high, 2);
        for (size_t half = 0; half < 2; half++) {
            __m512i q[8];
            turn_all(p + offsetof(block_q3_k, q) + 32 * half, s->stride, q, 2);
            for (size_t i = 4 * half; i < 4 * half + 4; i++) {
                fetch(s, (ROWS * sizeof(block_q3_k) + 7) / 8);
                put_q3_k(&out[2 * i], q, high,
                         i % 2 ? _mm512_srli_epi32(scale[i / 2], 16) : scale[i / 2]);
                out[2 * i].scale[0] = _mm512_sub_ps(_mm512_set1_ps(-0.0f), d);
            }
        }
    }
}

void lanes16_iq4_xs(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first / 8 * sizeof(block_iq4_xs);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_iq4_xs), out += 16) {
        __m512i head[4];
        turn(p, s->stride, head);
        const __m512 d = low_half(head[0]);
        __m512i low = head[1], high = _mm512_srli_epi32(head[0], 16);
        for (size_t i = 0; i < 8; i++) {
            if (i % 2 == 0) fetch(s, ROWS * sizeof(block_iq4_xs) / 4);
            const __m512i four = _mm512_and_si512(low, _mm512_set1_epi32(15));
            const __m512i two = _mm512_and_si512(high, _mm512_set1_epi32(3));
            const __m512i scale = _mm512_sub_epi32(_mm512_or_si512(four, _mm512_slli_epi32(two, 4)),
                                                   _mm512_set1_epi32(32));
            out[2 * i].scale[0] = _mm512_mul_ps(d, _mm512_cvtepi32_ps(scale));
            low = _mm512_srli_epi32(low, 4);
            high = _mm512_srli_epi32(high, 2);
            weights_iq4_nl(&out[2 * i], p + offsetof(block_iq4_xs, q) + 16 * i, s->stride);
        }
    }
}

/* ---- Few levels ---- */

void lanes16_tq2_0(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const __m512i up = _mm512_set1_epi8(127);
    const uint8_t *p = s->w + first / 8 * sizeof(block_tq2_0);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_tq2_0), out += 16) {
        const __m512 d = low_half(halves_of_rows(p + offsetof(block_tq2_0, d), s->stride));
        for (size_t half = 0; half < 2; half++) {
            __m512i q[8];
            fetch(s, ROWS * sizeof(block_tq2_0) / 2);
            turn_all(p + offsetof(block_tq2_0, q) + 32 * half, s->stride, q, 2);
            for (size_t i = 4 * half; i < 4 * half + 4; i++) {
                out[2 * i].scale[0] = d;
                UNROLL
                for (int j = 0; j < 8; j++) {
                    out[2 * i].w[j] = _mm512_add_epi8(bits(q[j], 0, 3), up);
                    q[j] = _mm512_srli_epi16(q[j], 2);
                }
            }
        }
    }
}

/* The first base-3 digit of bytes that are fractions of 256, minus 1 plus 128; the fraction loses
 * it. */
INLINE __m512i next_digit(__m512i *v) {
    const __m512i one = _mm512_set1_epi8(1);
    const __mmask64 third = _mm512_cmpge_epu8_mask(*v, _mm512_set1_epi8(86));
    const __mmask64 two_thirds = _mm512_cmpge_epu8_mask(*v, _mm512_set1_epi8((char)171));
    __m512i d = _mm512_set1_epi8(127);
    d = _mm512_mask_add_epi8(d, third, d, one);
    d = _mm512_mask_add_epi8(d, two_thirds, d, one);
    *v = _mm512_add_epi8(*v, _mm512_add_epi8(*v, *v));
    return d;
}

void lanes16_tq1_0(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first / 8 * sizeof(block_tq1_0);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_tq1_0), out += 16) {
        __m512i q[12];
        fetch(s, ROWS * sizeof(block_tq1_0));
        const __m512 d = low_half(halves_of_rows(p + offsetof(block_tq1_0, d), s->stride));
        __m512i last = words_of_rows(p + offsetof(block_tq1_0, last), s->stride);
        turn_all(p, s->stride, q, 3);
        for (size_t i = 0; i < 8; i++) {
            out[2 * i].scale[0] = d;
            UNROLL
            for (int j = 0; j < 8; j++) {
                __m512i *from = i < 5 ? &q[j] : i < 7 || j < 4 ? &q[8 + j % 4] : &last;
                out[2 * i].w[j] = next_digit(from);
            }
        }
    }
}

void lanes16_q1_0(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const __m512i minus = _mm512_set1_epi8(127), two = _mm512_set1_epi8(2);
    const uint8_t *p = s->w + first / 4 * sizeof(block_q1_0);
    for (uint32_t b = 0; b < n; b += 4, p += sizeof(block_q1_0)) {
        __m512i q[4];
        fetch(s, ROWS * sizeof(block_q1_0));
        const __m512 d = low_half(halves_of_rows(p, s->stride));
        turn(p + offsetof(block_q1_0, q), s->stride, q);
        for (size_t i = 0; i < 4; i++, out += 2) {
            out->scale[0] = d;
            UNROLL
            for (int j = 0; j < 8; j++)
                out->w[j] = _mm512_mask_add_epi8(minus, four_bits(q[i], j), minus, two);
        }
    }
}

void lanes16_q2_0(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const __m512i up = _mm512_set1_epi8(127), low = _mm512_set1_epi32(255);
    const uint8_t *p = s->w + first / 2 * sizeof(block_q2_0);
    for (uint32_t b = 0; b < n; b += 2, p += sizeof(block_q2_0)) {
        __m512i q[4];
        fetch(s, ROWS * sizeof(block_q2_0));
        const __m512 d = low_half(halves_of_rows(p, s->stride));
        turn(p + offsetof(block_q2_0, q), s->stride, q);
        for (size_t i = 0; i < 2; i++, out += 2) {
            out->scale[0] = d;
            UNROLL
            for (unsigned j = 0; j < 8; j++) {
                /* Bits 2k of a byte go to bits 8k of the lane. */
                __m512i v = _mm512_and_si512(_mm512_srli_epi32(q[2 * i + j / 4], j % 4 * 8), low);
                v = _mm512_or_si512(v, _mm512_slli_epi32(v, 12));
                v = _mm512_or_si512(v, _mm512_slli_epi32(v, 6));
                out->w[j] = _mm512_add_epi8(_mm512_and_si512(v, _mm512_set1_epi8(3)), up);
            }
        }
    }
}

/* ---- Codebooks ---- */

INLINE __m512 numbers_of_rows(const uint8_t *p, size_t stride) {
    return low_half(halves_of_rows(p, stride));
}

/* Absolute values with 32 signs, plus 128. */
INLINE void put_points(__m512i w[8], __m512i signs) {
    const __m512i up = _mm512_set1_epi8(-128);
    UNROLL
    for (int j = 0; j < 8; j++)
        w[j] = _mm512_mask_sub_epi8(_mm512_add_epi8(up, w[j]), four_bits(signs, j), up, w[j]);
}

/* -1, 0, 1 times 8, minus 1 where `minus` says so, else plus 1, and 128. */
INLINE void put_shifted(__m512i w[8], __m512i minus) {
    const __m512i plus = _mm512_set1_epi8(-127), less = _mm512_set1_epi8(127);
    UNROLL
    for (int j = 0; j < 8; j++) {
        const __m512i two = _mm512_add_epi8(w[j], w[j]), four = _mm512_add_epi8(two, two);
        const __m512i more = _mm512_mask_blend_epi8(four_bits(minus, j), plus, less);
        w[j] = _mm512_add_epi8(_mm512_add_epi8(four, four), more);
    }
}

#include "kernels/kern_unpack_books.inc"
#endif
