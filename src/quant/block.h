/* block.h - the bytes of every block format, drawn once.
 *
 * How to read the drawings: `d f16` is a scale in half precision, `q7` is the stored integer of the
 * block's value 7, two numbers in a byte are `low high`. Next to each drawing stands the value that
 * a stored integer means. Formats of 256 values ("super-blocks") cut them into sub-blocks of 16 or
 * 32 with small integer scales of their own.
 *
 * Structs are packed because files put no padding between blocks: an 18-byte block begins on any
 * even byte, a 17-byte one anywhere. Multi-byte numbers are little-endian like the machines we run
 * on. The layouts are those of ggml (ggml-common.h, ggml-quants.c), whose files we must read. */
#ifndef QUANT_BLOCK_H
#define QUANT_BLOCK_H

#include <stdint.h>

#include "quant/quant_list.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "blocks are little-endian numbers");

/* BLOCK_BYTES_Q4_0 and so on: what the table says. */
enum {
#define X(name, id, block, bytes) BLOCK_BYTES_##name = (bytes),
    QUANT_LIST(X)
#undef X
};
#define BLOCK_ASSERT(type, name) \
    _Static_assert(sizeof(block_##type) == BLOCK_BYTES_##name, "size of " #name)

#pragma pack(push, 1)

/* ---- 32 values, one scale ---- */

/* | d f16 | q0 q16 | q1 q17 | ... | q15 q31 |            value = (q - 8) * d */
typedef struct block_q4_0 {
    uint16_t d;
    uint8_t q[16];
} block_q4_0;
BLOCK_ASSERT(q4_0, Q4_0);

/* | d f16 | m f16 | q0 q16 | ... | q15 q31 |             value = q * d + m */
typedef struct block_q4_1 {
    uint16_t d, m;
    uint8_t q[16];
} block_q4_1;
BLOCK_ASSERT(q4_1, Q4_1);

/* | d f16 | high u32: bit i is bit 4 of q_i | q0 q16 | ... | q15 q31 |      value = (q - 16) * d */
typedef struct block_q5_0 {
    uint16_t d;
    uint32_t high;
    uint8_t q[16];
} block_q5_0;
BLOCK_ASSERT(q5_0, Q5_0);

/* | d f16 | m f16 | high u32 | q0 q16 | ... | q15 q31 |  value = q * d + m */
typedef struct block_q5_1 {
    uint16_t d, m;
    uint32_t high;
    uint8_t q[16];
} block_q5_1;
BLOCK_ASSERT(q5_1, Q5_1);

/* | d f16 | q0 i8 | q1 | ... | q31 |                     value = q * d */
typedef struct block_q8_0 {
    uint16_t d;
    int8_t q[32];
} block_q8_0;
BLOCK_ASSERT(q8_0, Q8_0);

/* | d f16 | s f16 | q0 i8 | ... | q31 |                  value = q * d
 * s is d times the sum of q: what the offset of a Q4_1 or Q5_1 partner is multiplied by. For
 * activations; files do not contain it. */
typedef struct block_q8_1 {
    uint16_t d, s;
    int8_t q[32];
} block_q8_1;
BLOCK_ASSERT(q8_1, Q8_1);

/* ---- 256 values, sub-blocks with integer scales: the K formats ---- */

/* 16 sub-blocks of 16. Low nibble of scale[s] is the scale, high nibble the minimum.
 * | scale 16 bytes | q 64 bytes | d f16 | min f16 |
 * Each half of 128 values has 32 bytes of q; byte l holds, from the low bits up, values l, l + 32,
 * l + 64, l + 96 of its half.               value = q * d * scale - min * minimum,  q in 0..3 */
typedef struct block_q2_k {
    uint8_t scale[16];
    uint8_t q[64];
    uint16_t d, min;
} block_q2_k;
BLOCK_ASSERT(q2_k, Q2_K);

/* 16 sub-blocks of 16.
 * | high 32 bytes | q 64 bytes | scale 12 bytes | d f16 |
 * q as in Q2_K, two low bits a value. Bit i / 32 of high[i % 32] is the high bit of value i.
 * Scale s has 6 bits, stored plus 32: low nibbles of scale[0..7] are the low 4 bits of scales 0..7,
 * high nibbles those of scales 8..15; scale[8 + s % 4] holds the 2 high bits of s at 2 * (s / 4).
 *                                           value = (q - 4) * d * (scale - 32),     q in 0..7 */
typedef struct block_q3_k {
    uint8_t high[32];
    uint8_t q[64];
    uint8_t scale[12];
    uint16_t d;
} block_q3_k;
BLOCK_ASSERT(q3_k, Q3_K);

/* 8 sub-blocks of 32.
 * | d f16 | min f16 | scale 12 bytes | q 128 bytes |
 * The 12 bytes are eight 6-bit scales and eight 6-bit minimums:
 *   byte 0..3   scale 0..3 in the low 6 bits, high 2 bits of scale 4..7 above
 *   byte 4..7   minimum 0..3 in the low 6 bits, high 2 bits of minimum 4..7 above
 *   byte 8..11  low 4 bits of scale 4..7, low 4 bits of minimum 4..7 above
 * 32 bytes of q for each 64 values: byte l holds values l and l + 32 of them.
 *                                           value = q * d * scale - min * minimum,  q in 0..15 */
typedef struct block_q4_k {
    uint16_t d, min;
    uint8_t scale[12];
    uint8_t q[128];
} block_q4_k;
BLOCK_ASSERT(q4_k, Q4_K);

/* Q4_K with a fifth bit: bit i / 32 of high[i % 32] is bit 4 of value i.
 * | d f16 | min f16 | scale 12 bytes | high 32 bytes | q 128 bytes | */
typedef struct block_q5_k {
    uint16_t d, min;
    uint8_t scale[12];
    uint8_t high[32];
    uint8_t q[128];
} block_q5_k;
BLOCK_ASSERT(q5_k, Q5_K);

/* 16 sub-blocks of 16.
 * | low 128 bytes | high 64 bytes | scale 16 x i8 | d f16 |
 * In each half of 128 values: low nibbles of the half's 64 bytes of low are values 0..63, high
 * nibbles values 64..127; byte l of the half's 32 bytes of high holds bits 4 and 5 of values
 * l, l + 32, l + 64, l + 96, from the low bits up.
 *                                           value = (q - 32) * d * scale,           q in 0..63 */
typedef struct block_q6_k {
    uint8_t low[128];
    uint8_t high[64];
    int8_t scale[16];
    uint16_t d;
} block_q6_k;
BLOCK_ASSERT(q6_k, Q6_K);

/* | d f32 | q0 i8 | ... | q255 | 16 x i16: sums of 16 neighbours |     value = q * d
 * For activations; files do not contain it. */
typedef struct block_q8_k {
    float d;
    int8_t q[256];
    int16_t sum[16];
} block_q8_k;
BLOCK_ASSERT(q8_k, Q8_K);

/* ---- 256 values, points of a codebook: the IQ formats ----
 *
 * Values are taken 8 (or 4) at a time as a point of a fixed grid (quant_iq_tables.c) times signs.
 * "7 signs" are signs of values 0..6 of eight; the sign of the eighth makes the number of minus
 * signs even. */

/* For each 32 values: | 4 x u8 grid point of 8 | u32: 4 x 7 signs, scale in the 4 high bits |
 * d f16 in front of all.                    value = sign * point * d * (scale + 1/2) / 4 */
typedef struct block_iq2_xxs {
    uint16_t d;
    struct {
        uint8_t point[4];
        uint32_t sign_scale;
    } part[8];
} block_iq2_xxs;
BLOCK_ASSERT(iq2_xxs, IQ2_XXS);

/* | d f16 | 32 x u16: 9-bit grid point of 8, 7 signs above | 16 nibbles: scale of 16 values |
 *                                           value = sign * point * d * (scale + 1/2) / 4 */
typedef struct block_iq2_xs {
    uint16_t d;
    uint16_t q[32];
    uint8_t scale[8];
} block_iq2_xs;
BLOCK_ASSERT(iq2_xs, IQ2_XS);

/* | d f16 | 32 x u8 grid point of 8, low bits | 32 x u8 signs | 32 x 2 high bits |
 * | 16 nibbles: scale of 16 values |
 *                                           value = sign * point * d * (scale + 1/2) / 4 */
typedef struct block_iq2_s {
    uint16_t d;
    uint8_t point[32];
    uint8_t sign[32];
    uint8_t high[8];
    uint8_t scale[8];
} block_iq2_s;
BLOCK_ASSERT(iq2_s, IQ2_S);

/* | d f16 | 64 x u8 grid point of 4 | for each 32 values u32: 4 x 7 signs, scale in the high bits |
 *                                           value = sign * point * d * (scale + 1/2) / 2 */
typedef struct block_iq3_xxs {
    uint16_t d;
    uint8_t point[64];
    uint32_t sign_scale[8];
} block_iq3_xxs;
BLOCK_ASSERT(iq3_xxs, IQ3_XXS);

/* | d f16 | 64 x u8 grid point of 4, low bits | 64 x 1 high bit | 32 x u8 signs | 8 nibble scales |
 *                                           value = sign * point * d * (2 * scale + 1) */
typedef struct block_iq3_s {
    uint16_t d;
    uint8_t point[64];
    uint8_t high[8];
    uint8_t sign[32];
    uint8_t scale[4];
} block_iq3_s;
BLOCK_ASSERT(iq3_s, IQ3_S);

/* | d f16 | 32 x u8 grid point of 8, low bits |
 * | for each 32 values u16: 4 x 3 high bits, 3-bit scale, bit 15: shift is -1/8 instead of 1/8 |
 *                                           value = (point + shift) * d * (2 * scale + 1) */
typedef struct block_iq1_s {
    uint16_t d;
    uint8_t point[32];
    uint16_t high[8];
} block_iq1_s;
BLOCK_ASSERT(iq1_s, IQ1_S);

/* | 32 x u8 grid point of 8, low bits | 32 nibbles: 3 high bits, bit 3: shift is -1/8 |
 * | 4 x u16: 4 x 3-bit scales of 16 values, and in the 4 high bits a quarter of d f16, low first |
 *                                           value = (point + shift) * d * (2 * scale + 1) */
typedef struct block_iq1_m {
    uint8_t point[32];
    uint8_t high[16];
    uint16_t scale[4];
} block_iq1_m;
BLOCK_ASSERT(iq1_m, IQ1_M);

/* | d f16 | q0 q16 | ... | q15 q31 |        value = d * level[q], 16 fixed levels
 * 32 values only. */
typedef struct block_iq4_nl {
    uint16_t d;
    uint8_t q[16];
} block_iq4_nl;
BLOCK_ASSERT(iq4_nl, IQ4_NL);

/* 8 sub-blocks of 32, each laid out as the q of IQ4_NL.
 * | d f16 | u16: 2 high bits of 8 scales | 4 bytes: 8 nibbles, low bits of scales | q 128 bytes |
 *                                           value = d * (scale - 32) * level[q] */
typedef struct block_iq4_xs {
    uint16_t d;
    uint16_t scale_high;
    uint8_t scale_low[4];
    uint8_t q[128];
} block_iq4_xs;
BLOCK_ASSERT(iq4_xs, IQ4_XS);

/* ---- -1, 0, 1 ---- */

/* | q 48 bytes | last 4 bytes | d f16 |     value = (digit - 1) * d
 * A byte holds 5 base-3 digits as a fraction of 256, rounded up: multiplied by 3 the first digit
 * stands in bits 8 and 9. Digit k of bytes 0..31 are values 32 k .. 32 k + 31, of bytes 32..47
 * values 160 + 16 k ..., of the 4 last bytes (4 digits) values 240 + 4 k ... */
typedef struct block_tq1_0 {
    uint8_t q[48];
    uint8_t last[4];
    uint16_t d;
} block_tq1_0;
BLOCK_ASSERT(tq1_0, TQ1_0);

/* | q 64 bytes, order as in Q2_K | d f16 |  value = (q - 1) * d */
typedef struct block_tq2_0 {
    uint8_t q[64];
    uint16_t d;
} block_tq2_0;
BLOCK_ASSERT(tq2_0, TQ2_0);

/* ---- 4-bit floats, and few bits with one scale ---- */

/* | e u8 | q0 q16 | ... | q15 q31 |         value = 2^(e - 127) * fp4(q)
 * fp4 (E2M1): sign, then 0 1/2 1 3/2 2 3 4 6. */
typedef struct block_mxfp4 {
    uint8_t e;
    uint8_t q[16];
} block_mxfp4;
BLOCK_ASSERT(mxfp4, MXFP4);

/* 4 sub-blocks of 16, each with a scale in E4M3 (sign ignored) and 8 bytes | q0 q8 | ... | q7 q15 |
 * | 4 x scale | q 32 bytes |                value = e4m3(scale) * fp4(q) */
typedef struct block_nvfp4 {
    uint8_t scale[4];
    uint8_t q[32];
} block_nvfp4;
BLOCK_ASSERT(nvfp4, NVFP4);

/* | d f16 | 16 bytes, bit i % 8 of byte i / 8 |             value = bit ? d : -d,  128 values */
typedef struct block_q1_0 {
    uint16_t d;
    uint8_t q[16];
} block_q1_0;
BLOCK_ASSERT(q1_0, Q1_0);

/* | d f16 | 16 bytes, 4 values a byte from the low bits |   value = (q - 1) * d,   64 values */
typedef struct block_q2_0 {
    uint16_t d;
    uint8_t q[16];
} block_q2_0;
BLOCK_ASSERT(q2_0, Q2_0);

#pragma pack(pop)

#endif
