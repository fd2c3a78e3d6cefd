/* kern_unpack_avx2.c - weights of every type into lanes, see kern_unpack_avx2.h. What the bytes
 * mean is drawn in quant/block.h and written plainly in kern_scalar_quant.c.
 *
 * The usual way: 16 bytes of 8 rows are turned so that a register holds one 32-bit word of every
 * row, and the fields of blocks are cut out of these registers for 8 rows at once. Types whose
 * weights are looked up eight or four at a time are read row by row into a small square, which is
 * then turned the same way. */
#if defined(__x86_64__)
#include "kernels/kern_fields_avx2.h"
#include "kernels/kern_unpack_avx2.h"
#include "quant/block.h"
#include "quant/quant_iq_tables.h"

enum { ROWS = LANE_ROWS };

/* ---- Fields ---- */

/* Bits 4j .. 4j+3 of each lane, one for each byte: `value` or 0. */
INLINE __m256i four_bits(__m256i v, const int j, int value) {
    const __m256i bit = _mm256_set1_epi32(j % 2 ? (int)0x80402010 : 0x08040201);
    const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(repeat_byte(v, j / 2), bit), bit);
    return _mm256_and_si256(set, _mm256_set1_epi8((char)value));
}

/* Bytes 0..15 of a table by bytes below 16. */
INLINE __m256i look_up(const int8_t table[16], __m256i nibbles) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(load16(table)), nibbles);
}

/* 32 nibbles of 8 rows: the low ones of 16 bytes, then the high ones. */
INLINE void turn_nibbles(__m256i w[8], const uint8_t *p, size_t stride) {
    __m256i d[4];
    turn(p, stride, d);
    UNROLL
    for (int j = 0; j < 4; j++) {
        w[j] = bits(d[j], 0, 15);
        w[4 + j] = bits(d[j], 4, 15);
    }
}

INLINE void turn_levels(__m256i w[8], const uint8_t *p, size_t stride, const int8_t level[16]) {
    turn_nibbles(w, p, stride);
    UNROLL
    for (int j = 0; j < 8; j++) w[j] = look_up(level, w[j]);
}

INLINE void add_fifth_bits(__m256i w[8], __m256i high) {
    UNROLL
    for (int j = 0; j < 8; j++) w[j] = _mm256_or_si256(w[j], four_bits(high, j, 16));
}

/* ---- 32 values ---- */

/* A function over blocks that are stored one by one: `body` reads the one at p into *out. */
#define BLOCKS(stem, body)                                                            \
    void lanes8_##stem(lane_block *out, lane_source *s, uint32_t first, uint32_t n) { \
        const size_t stride = s->stride;                                              \
        const uint8_t *p = s->w + first * sizeof(block_##stem);                       \
        for (uint32_t b = 0; b < n; b++, p += sizeof(block_##stem), out += 2) {       \
            fetch(s, ROWS * sizeof(block_##stem));                                    \
            body                                                                      \
        }                                                                             \
    }
BLOCKS(q4_1, {
    const __m256i head = words_of_rows(p, stride);
    out->scale[0] = low_half(head);
    out->offset[0] = high_half(head);
    turn_nibbles(out->w, FIELD(q4_1, q), stride);
})

BLOCKS(q5_0, {
    out->scale[0] = halves_of_rows(p, stride);
    turn_nibbles(out->w, FIELD(q5_0, q), stride);
    add_fifth_bits(out->w, words_of_rows(FIELD(q5_0, high), stride));
})

BLOCKS(q5_1, {
    const __m256i head = words_of_rows(p, stride);
    out->scale[0] = low_half(head);
    out->offset[0] = high_half(head);
    turn_nibbles(out->w, FIELD(q5_1, q), stride);
    add_fifth_bits(out->w, words_of_rows(FIELD(q5_1, high), stride));
})

BLOCKS(q8_1, {
    out->scale[0] = halves_of_rows(p, stride);
    turn(FIELD(q8_1, q), stride, out->w);
    turn(FIELD(q8_1, q) + 16, stride, out->w + 4);
})

BLOCKS(iq4_nl, {
    out->scale[0] = halves_of_rows(p, stride);
    turn_levels(out->w, FIELD(iq4_nl, q), stride, quant_iq4_level);
})

/* Twice the fp4 numbers, plus 16. */
static const int8_t fp4_up[16] = {16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4};

/* 2^(e - 128): subnormal for e = 0 and 1, else an exponent of e - 1. */
INLINE __m256 mxfp4_half_scale(__m256i e) {
    const __m256i one = _mm256_set1_epi32(1);
    const __m256i tiny = _mm256_sllv_epi32(_mm256_set1_epi32(0x200000), e);
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, one), 23);
    return _mm256_castsi256_ps(_mm256_blendv_epi8(tiny, normal, _mm256_cmpgt_epi32(e, one)));
}

BLOCKS(mxfp4, {
    out->scale[0] = mxfp4_half_scale(bytes_of_rows(p, stride));
    turn_levels(out->w, FIELD(mxfp4, q), stride, fp4_up);
})

/* Half of an E4M3 scale in byte i: its bits without the sign, in the place of a half-precision
 * number's, are 2^-8 of it. 0x7f is 0. */
INLINE __m256 nvfp4_half_scale(__m256i v, const int i) {
    const __m256i byte = _mm256_and_si256(_mm256_srli_epi32(v, 8 * i), _mm256_set1_epi32(255));
    const __m256i bad = _mm256_cmpeq_epi32(byte, _mm256_set1_epi32(127));
    const __m256i half = _mm256_slli_epi32(_mm256_and_si256(byte, _mm256_set1_epi32(127)), 7);
    return _mm256_mul_ps(low_half(_mm256_andnot_si256(bad, half)), _mm256_set1_ps(128.0f));
}

void lanes8_nvfp4(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first / 2 * sizeof(block_nvfp4);
    for (uint32_t b = 0; b < n; b += 2, p += sizeof(block_nvfp4)) {
        fetch(s, ROWS * sizeof(block_nvfp4));
        const __m256i head = words_of_rows(p, s->stride);
        UNROLL
        for (int i = 0; i < 2; i++, out += 2) {
            __m256i d[4];
            turn(FIELD(nvfp4, q) + 16 * (size_t)i, s->stride, d);
            UNROLL
            for (int h = 0; h < 2; h++) {
                out->scale[h] = nvfp4_half_scale(head, 2 * i + h);
                UNROLL
                for (int j = 0; j < 2; j++) {
                    out->w[4 * h + j] = look_up(fp4_up, bits(d[2 * h + j], 0, 15));
                    out->w[4 * h + 2 + j] = look_up(fp4_up, bits(d[2 * h + j], 4, 15));
                }
            }
        }
    }
}

/* ---- K formats ---- */

/* 8 scales and offsets, for one block each. */
INLINE void put_scales_q4_k(lane_block *out, const uint8_t *p, size_t stride) {
    __m256 scale[8], offset[8];
    scales_q4_k(scale, offset, p, stride);
    UNROLL
    for (int b = 0; b < 8; b++) {
        out[2 * b].scale[0] = scale[b];
        out[2 * b].offset[0] = offset[b];
    }
}

void lanes8_q4_k(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first / 8 * sizeof(block_q4_k);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_q4_k), out += 16) {
        put_scales_q4_k(out, p, s->stride);
        for (size_t k = 0; k < 8; k++) { /* 16 bytes: half of two blocks */
            lane_block *o = out + k / 2 * 4;
            __m256i d[4];
            fetch(s, ROWS * sizeof(block_q4_k) / 8);
            turn(FIELD(q4_k, q) + 16 * k, s->stride, d);
            UNROLL
            for (size_t j = 0; j < 4; j++) {
                o[0].w[k % 2 * 4 + j] = bits(d[j], 0, 15);
                o[2].w[k % 2 * 4 + j] = bits(d[j], 4, 15);
            }
        }
    }
}

void lanes8_q5_k(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first / 8 * sizeof(block_q5_k);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_q5_k), out += 16) {
        put_scales_q4_k(out, p, s->stride);
        for (size_t h = 0; h < 2; h++) { /* which half of each block */
            __m256i high[4];
            turn(FIELD(q5_k, high) + 16 * h, s->stride, high);
            for (size_t k = 0; k < 4; k++) {
                __m256i d[4];
                fetch(s, ROWS * sizeof(block_q5_k) / 8);
                turn(FIELD(q5_k, q) + 32 * k + 16 * h, s->stride, d);
                UNROLL
                for (size_t j = 0; j < 4; j++) {
                    /* The fifth bits of these two blocks are the lowest that are left. */
                    out[4 * k].w[4 * h + j] =
                        or_masked(bits(d[j], 0, 15), _mm256_slli_epi16(high[j], 4), 16);
                    out[4 * k + 2].w[4 * h + j] =
                        or_masked(bits(d[j], 4, 15), _mm256_slli_epi16(high[j], 3), 16);
                    high[j] = _mm256_srli_epi16(high[j], 2);
                }
            }
        }
    }
}

/* 16 bytes of low bits are half h of two blocks; `high` loses the bits that are used. */
INLINE void put_q6_k(lane_block *first, lane_block *second, const uint8_t *low, size_t stride,
                     __m256i high[4], const size_t h) {
    __m256i d[4];
    turn(low, stride, d);
    UNROLL
    for (size_t j = 0; j < 4; j++) {
        first->w[4 * h + j] = or_masked(bits(d[j], 0, 15), _mm256_slli_epi16(high[j], 4), 48);
        second->w[4 * h + j] = or_masked(bits(d[j], 4, 15), high[j], 48);
        high[j] = _mm256_srli_epi16(high[j], 2);
    }
}

void lanes8_q6_k(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first / 8 * sizeof(block_q6_k);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_q6_k), out += 16) {
        __m256i high[4];
        __m256 scale[16];
        scales_q6_k(scale, p, s->stride);
        UNROLL
        for (int i = 0; i < 16; i++) out[i / 2 * 2].scale[i % 2] = scale[i];
        for (size_t i = 0; i < 4; i++) {
            const size_t half = i / 2, h = i % 2; /* of the 256, of each block */
            lane_block *o = out + 8 * half;
            turn(FIELD(q6_k, high) + 32 * half + 16 * h, s->stride, high);
            for (size_t k = 0; k < 2; k++) { /* blocks k and k + 2 of this half */
                fetch(s, (ROWS * sizeof(block_q6_k) + 7) / 8);
                put_q6_k(&o[2 * k], &o[2 * k + 4], FIELD(q6_k, low) + 64 * half + 32 * k + 16 * h,
                         s->stride, high, h);
            }
        }
    }
}

void lanes8_q2_k(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first / 8 * sizeof(block_q2_k);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_q2_k), out += 16) {
        __m256i head[4];
        const __m256i ends = words_of_rows(FIELD(q2_k, d), s->stride);
        const __m256 d = low_half(ends), min = negated(high_half(ends));
        turn(FIELD(q2_k, scale), s->stride, head);
        UNROLL
        for (int i = 0; i < 16; i++) {
            lane_block *o = out + i / 2 * 2;
            o->factor[i % 2] = repeat_byte_16(bits(head[i / 4], 0, 15), i % 4);
            o->offset[i % 2] = _mm256_mul_ps(min, byte_float(bits(head[i / 4], 4, 15), i % 4));
            o->scale[0] = d;
        }
        for (size_t k = 0; k < 4; k++) { /* 16 bytes: half of four blocks */
            lane_block *o = out + k / 2 * 8;
            __m256i q[4];
            fetch(s, (ROWS * sizeof(block_q2_k) + 3) / 4);
            turn(FIELD(q2_k, q) + 16 * k, s->stride, q);
            UNROLL
            for (int i = 0; i < 4; i++) UNROLL
            for (size_t j = 0; j < 4; j++) o[2 * i].w[k % 2 * 4 + j] = bits(q[j], 2 * i, 3);
        }
    }
}

/* The sixteen scales of Q3_K as bytes 0..63, scale s in byte s % 4 of scale[s / 4]; returns d. */
INLINE __m256 scales_q3_k(const uint8_t *p, size_t stride, __m256i scale[4]) {
    __m256i v[4], word[3];
    turn(p + sizeof(block_q3_k) - 16, stride, v); /* the 12 bytes are bytes 2..13 of these */
    UNROLL
    for (int i = 0; i < 3; i++)
        word[i] = _mm256_or_si256(_mm256_srli_epi32(v[i], 16), _mm256_slli_epi32(v[i + 1], 16));
    UNROLL
    for (int i = 0; i < 4; i++)
        scale[i] = or_masked(bits(word[i % 2], i / 2 * 4, 15),
                             _mm256_slli_epi16(bits(word[2], 2 * i, 3), 4), 48);
    return high_half(v[3]);
}

/* Minus (q - 4) * (scale - 32) is q * (32 - scale) + 4 * (scale - 32). */
INLINE void factors_q3_k(lane_block *out, const __m256i scale[4], __m256 d) {
    const __m256i most = _mm256_set1_epi16(32);
    UNROLL
    for (int b = 0; b < 8; b++, out += 2) {
        const __m256i s0 = repeat_byte_16(scale[b / 2], b % 2 * 2);
        const __m256i s1 = repeat_byte_16(scale[b / 2], b % 2 * 2 + 1);
        out->scale[0] = d;
        out->factor[0] = _mm256_sub_epi16(most, s0);
        out->factor[1] = _mm256_sub_epi16(most, s1);
        const __m256i both = _mm256_blend_epi16(s0, s1, 0xaa);
        out->shift = _mm256_slli_epi16(_mm256_sub_epi16(both, most), 2);
    }
}

void lanes8_q3_k(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first / 8 * sizeof(block_q3_k);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_q3_k), out += 16) {
        __m256i scale[4], high[4], q[4];
        const __m256 d = negated(scales_q3_k(p, s->stride, scale));
        factors_q3_k(out, scale, d);
        for (size_t h = 0; h < 2; h++) { /* which half of each block */
            turn(FIELD(q3_k, high) + 16 * h, s->stride, high);
            for (size_t half = 0; half < 2; half++) {
                fetch(s, (ROWS * sizeof(block_q3_k) + 3) / 4);
                turn(FIELD(q3_k, q) + 32 * half + 16 * h, s->stride, q);
                UNROLL
                for (size_t i = 0; i < 4; i++) UNROLL
                for (size_t j = 0; j < 4; j++) {
                    const __m256i top = _mm256_slli_epi16(bits(high[j], 0, 1), 2);
                    out[8 * half + 2 * i].w[4 * h + j] =
                        _mm256_or_si256(bits(q[j], 2 * (int)i, 3), top);
                    high[j] = _mm256_srli_epi16(high[j], 1);
                }
            }
        }
    }
}

void lanes8_iq4_xs(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first / 8 * sizeof(block_iq4_xs);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_iq4_xs), out += 16) {
        __m256i head[4];
        turn(p, s->stride, head);
        const __m256 d = low_half(head[0]);
        __m256i low = head[1], high = _mm256_srli_epi32(head[0], 16);
        for (size_t i = 0; i < 8; i++) {
            fetch(s, ROWS * sizeof(block_iq4_xs) / 8);
            const __m256i four = _mm256_and_si256(low, _mm256_set1_epi32(15));
            const __m256i two = _mm256_and_si256(high, _mm256_set1_epi32(3));
            const __m256i scale = _mm256_sub_epi32(_mm256_or_si256(four, _mm256_slli_epi32(two, 4)),
                                                   _mm256_set1_epi32(32));
            out[2 * i].scale[0] = _mm256_mul_ps(d, _mm256_cvtepi32_ps(scale));
            low = _mm256_srli_epi32(low, 4);
            high = _mm256_srli_epi32(high, 2);
            turn_levels(out[2 * i].w, FIELD(iq4_xs, q) + 16 * i, s->stride, quant_iq4_level);
        }
    }
}

/* ---- Few levels ---- */

void lanes8_tq2_0(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first / 8 * sizeof(block_tq2_0);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_tq2_0), out += 16) {
        const __m256 d = halves_of_rows(FIELD(tq2_0, d), s->stride);
        for (size_t k = 0; k < 4; k++) { /* 16 bytes: half of four blocks */
            lane_block *o = out + k / 2 * 8;
            __m256i q[4];
            fetch(s, (ROWS * sizeof(block_tq2_0) + 3) / 4);
            turn(FIELD(tq2_0, q) + 16 * k, s->stride, q);
            UNROLL
            for (int i = 0; i < 4; i++) {
                o[2 * i].scale[0] = d;
                UNROLL
                for (size_t j = 0; j < 4; j++) o[2 * i].w[k % 2 * 4 + j] = bits(q[j], 2 * i, 3);
            }
        }
    }
}

/* The first base-3 digit of bytes that are fractions of 256; the fraction loses it. */
INLINE __m256i next_digit(__m256i *v) {
    const __m256i third = _mm256_set1_epi8(86), two_thirds = _mm256_set1_epi8((char)171);
    const __m256i a = _mm256_cmpeq_epi8(_mm256_max_epu8(*v, third), *v);
    const __m256i b = _mm256_cmpeq_epi8(_mm256_max_epu8(*v, two_thirds), *v);
    *v = _mm256_add_epi8(*v, _mm256_add_epi8(*v, *v));
    return _mm256_abs_epi8(_mm256_add_epi8(a, b));
}

void lanes8_tq1_0(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    const uint8_t *p = s->w + first / 8 * sizeof(block_tq1_0);
    for (uint32_t b = 0; b < n; b += 8, p += sizeof(block_tq1_0), out += 16) {
        __m256i q[12];
        fetch(s, ROWS * sizeof(block_tq1_0));
        const __m256 d = halves_of_rows(FIELD(tq1_0, d), s->stride);
        __m256i last = words_of_rows(FIELD(tq1_0, last), s->stride);
        for (size_t i = 0; i < 3; i++) turn(p + 16 * i, s->stride, q + 4 * i);
        for (size_t i = 0; i < 8; i++) {
            out[2 * i].scale[0] = d;
            UNROLL
            for (int j = 0; j < 8; j++) {
                __m256i *from = i < 5 ? &q[j] : i < 7 || j < 4 ? &q[8 + j % 4] : &last;
                out[2 * i].w[j] = next_digit(from);
            }
        }
    }
}

/* Blocks of one bit, or two bits, for each weight: 16 bytes behind a scale. */
INLINE void few_bits(lane_block *out, lane_source *s, uint32_t first, uint32_t n, const int width) {
    _Static_assert(sizeof(block_q1_0) == sizeof(block_q2_0), "the same but for the width");
    const uint32_t blocks = width == 1 ? 4 : 2; /* of 32 */
    const __m256i low = _mm256_set1_epi32(255);
    const uint8_t *p = s->w + first / blocks * sizeof(block_q1_0);
    for (uint32_t b = 0; b < n; b += blocks, p += sizeof(block_q1_0)) {
        __m256i q[4];
        fetch(s, ROWS * sizeof(block_q1_0));
        const __m256 d = halves_of_rows(p, s->stride);
        turn(FIELD(q1_0, q), s->stride, q);
        for (size_t i = 0; i < blocks; i++, out += 2) {
            out->scale[0] = d;
            UNROLL
            for (int j = 0; j < 8; j++) {
                if (width == 1) {
                    out->w[j] = four_bits(q[i], j, 2);
                    continue;
                }
                /* Bits 2k of a byte go to bits 8k of the lane. */
                __m256i v = _mm256_srli_epi32(q[2 * i + (size_t)j / 4], j % 4 * 8);
                v = _mm256_and_si256(v, low);
                v = _mm256_or_si256(v, _mm256_slli_epi32(v, 12));
                v = _mm256_or_si256(v, _mm256_slli_epi32(v, 6));
                out->w[j] = _mm256_and_si256(v, _mm256_set1_epi8(3));
            }
        }
    }
}

void lanes8_q1_0(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    few_bits(out, s, first, n, 1);
}
void lanes8_q2_0(lane_block *out, lane_source *s, uint32_t first, uint32_t n) {
    few_bits(out, s, first, n, 2);
}

/* ---- Codebooks ---- */

INLINE __m256 numbers_of_rows(const uint8_t *p, size_t stride) { return halves_of_rows(p, stride); }

/* Absolute values with 32 signs. */
INLINE void put_points(__m256i w[8], __m256i signs) {
    UNROLL
    for (int j = 0; j < 8; j++) {
        const __m256i minus = four_bits(signs, j, 255);
        w[j] = _mm256_sub_epi8(_mm256_xor_si256(w[j], minus), minus);
    }
}

/* -1, 0, 1 times 8, minus 1 where `minus` says so, else plus 1, and 16 more. */
INLINE void put_shifted(__m256i w[8], __m256i minus) {
    UNROLL
    for (int j = 0; j < 8; j++) {
        const __m256i two = _mm256_add_epi8(w[j], w[j]), four = _mm256_add_epi8(two, two);
        const __m256i more = _mm256_sub_epi8(_mm256_set1_epi8(17), four_bits(minus, j, 2));
        w[j] = _mm256_add_epi8(_mm256_add_epi8(four, four), more);
    }
}

#include "kernels/kern_unpack_books.inc"
#endif
