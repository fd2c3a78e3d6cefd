/* quant_float.c - plain numbers as rows: f32, f16, bf16, f64, f8 and integers.
 *
 * Half precision is converted with integer arithmetic only, so every machine, compiler and rounding
 * mode gives the bits that the conversion instructions of x86 and ARM give. */
#include <string.h>

#include "quant/quant_rows.h"

static uint32_t bits_of(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float float_of(uint32_t u) {
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* Half: sign, 5 bits of exponent (bias 15), 10 of fraction. Single: 8 (bias 127) and 23. */
float quant_f16_to_f32(uint16_t h) {
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    const uint32_t exponent = h >> 10 & 0x1f;
    uint32_t fraction = (uint32_t)(h & 0x3ff) << 13;
    if (exponent == 0x1f) return float_of(sign | 0x7f800000 | (fraction ? 0x400000 : 0) | fraction);
    if (exponent) return float_of(sign | (exponent + 127 - 15) << 23 | fraction);
    if (!fraction) return float_of(sign);
    /* A subnormal half is a normal single: shift the leading one to its implicit place. */
    const uint32_t up = (uint32_t)__builtin_clz(fraction) - 8;
    return float_of(sign | (127 - 14 - up) << 23 | (fraction << up & 0x7fffff));
}

uint16_t quant_f32_to_f16(float f) {
    const uint32_t u = bits_of(f), sign = u >> 16 & 0x8000, size = u & 0x7fffffff;
    if (size > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (size >> 13 & 0x3ff)); /* NaN */
    if (size >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and more: infinity */
    if (size < 0x33000000) return (uint16_t)sign;             /* less than 2^-25: zero */
    uint32_t fraction, drop; /* the result is the fraction without its last `drop` bits */
    if (size < 0x38800000) { /* below 2^-14: subnormal */
        fraction = (size & 0x7fffff) | 0x800000;
        drop = 126 - (size >> 23);
    } else {
        fraction = size - ((127 - 15) << 23);
        drop = 13;
    }
    /* Adding just under half of the last kept place, one more when that is odd, rounds to nearest
     * even; a carry goes into the exponent, where it belongs. */
    const uint32_t odd = fraction >> drop & 1;
    return (uint16_t)(sign | (fraction + (1u << (drop - 1)) - 1 + odd) >> drop);
}

float quant_bf16_to_f32(uint16_t h) { return float_of((uint32_t)h << 16); }

uint16_t quant_f32_to_bf16(float f) {
    const uint32_t u = bits_of(f);
    if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 0x40); /* NaN */
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

/* Sign, 4 bits of exponent (bias 7), 3 of fraction; all ones is NaN, there is no infinity. */
float quant_f8_e4m3_to_f32(uint8_t b) {
    const uint32_t sign = (uint32_t)(b & 0x80) << 24, size = b & 0x7f;
    if (size == 0x7f) return float_of(sign | 0x7fc00000);
    if (size < 8) return float_of(sign | bits_of((float)size * 0x1p-9f));
    return float_of(sign | ((size << 20) + ((127 - 7) << 23)));
}

/* The upper half of an IEEE half. */
float quant_f8_e5m2_to_f32(uint8_t b) { return quant_f16_to_f32((uint16_t)(b << 8)); }

void f32_to_float(const void *blocks, float *out, size_t n) {
    if (n) memcpy(out, blocks, n * sizeof *out);
}

void f32_from_float(const float *in, void *blocks, size_t n) {
    if (n) memcpy(blocks, in, n * sizeof *in);
}

/* Reading a row of some number: load each through memcpy, for rows may be unaligned. */
#define READ_NUMBERS(name, number, convert)               \
    void name(const void *blocks, float *out, size_t n) { \
        const unsigned char *b = blocks;                  \
        for (size_t i = 0; i < n; i++) {                  \
            number v;                                     \
            memcpy(&v, b + i * sizeof v, sizeof v);       \
            out[i] = convert(v);                          \
        }                                                 \
    }
READ_NUMBERS(f16_to_float, uint16_t, quant_f16_to_f32)
READ_NUMBERS(bf16_to_float, uint16_t, quant_bf16_to_f32)
READ_NUMBERS(f64_to_float, double, (float))
READ_NUMBERS(i8_to_float, int8_t, (float))
READ_NUMBERS(i16_to_float, int16_t, (float))
READ_NUMBERS(i32_to_float, int32_t, (float))
READ_NUMBERS(i64_to_float, int64_t, (float))
READ_NUMBERS(u8_to_float, uint8_t, (float))
READ_NUMBERS(u16_to_float, uint16_t, (float))
READ_NUMBERS(u32_to_float, uint32_t, (float))
READ_NUMBERS(u64_to_float, uint64_t, (float))
READ_NUMBERS(f8_e4m3_to_float, uint8_t, quant_f8_e4m3_to_f32)
READ_NUMBERS(f8_e5m2_to_float, uint8_t, quant_f8_e5m2_to_f32)

#define WRITE_HALVES(name, convert)                      \
    void name(const float *in, void *blocks, size_t n) { \
        unsigned char *b = blocks;                       \
        for (size_t i = 0; i < n; i++) {                 \
            const uint16_t h = convert(in[i]);           \
            memcpy(b + i * sizeof h, &h, sizeof h);      \
        }                                                \
    }
WRITE_HALVES(f16_from_float, quant_f32_to_f16)
WRITE_HALVES(bf16_from_float, quant_f32_to_bf16)
