/* quant_iq.c - the IQ formats: points of a codebook, and levels that are not evenly spaced. */
#include "quant/block.h"
#include "quant/quant_iq_tables.h"
#include "quant/quant_rows.h"

enum { BLOCK_LEN = 256 };

/* Eight values: sign * byte of the point * scale. */
static void put_eight(float *out, uint64_t point, uint32_t signs, float scale) {
    for (int i = 0; i < 8; i++) {
        const float v = scale * (float)(point >> 8 * i & 255);
        out[i] = signs >> i & 1 ? -v : v;
    }
}

static uint64_t two_fours(uint32_t first, uint32_t second) {
    return first | (uint64_t)second << 32;
}

static int nibble(const uint8_t *p, int i) { return p[i / 2] >> i % 2 * 4 & 15; }

static void iq2_xxs_read(const block_iq2_xxs *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int g = 0; g < 32; g++) {
        const uint32_t s = b->part[g / 4].sign_scale;
        put_eight(out + 8 * g, quant_iq2_xxs_grid[b->part[g / 4].point[g % 4]],
                  quant_iq_signs(s >> g % 4 * 7 & 127), d * (0.5f + (float)(s >> 28)) * 0.25f);
    }
}

static void iq2_xs_read(const block_iq2_xs *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int g = 0; g < 32; g++)
        put_eight(out + 8 * g, quant_iq2_xs_grid[b->q[g] & 511], quant_iq_signs(b->q[g] >> 9),
                  d * (0.5f + (float)nibble(b->scale, g / 2)) * 0.25f);
}

static void iq2_s_read(const block_iq2_s *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int g = 0; g < 32; g++) {
        const int high = b->high[g / 4] >> g % 4 * 2 & 3;
        put_eight(out + 8 * g, quant_iq2_s_grid[b->point[g] | high << 8], b->sign[g],
                  d * (0.5f + (float)nibble(b->scale, g / 2)) * 0.25f);
    }
}

static void iq3_xxs_read(const block_iq3_xxs *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int g = 0; g < 32; g++) {
        const uint32_t s = b->sign_scale[g / 4];
        put_eight(
            out + 8 * g,
            two_fours(quant_iq3_xxs_grid[b->point[2 * g]], quant_iq3_xxs_grid[b->point[2 * g + 1]]),
            quant_iq_signs(s >> g % 4 * 7 & 127), d * (0.5f + (float)(s >> 28)) * 0.5f);
    }
}

static uint32_t iq3_s_point(const block_iq3_s *b, int i) {
    return quant_iq3_s_grid[b->point[i] | (b->high[i / 8] >> i % 8 & 1) << 8];
}

static void iq3_s_read(const block_iq3_s *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int g = 0; g < 32; g++)
        put_eight(out + 8 * g, two_fours(iq3_s_point(b, 2 * g), iq3_s_point(b, 2 * g + 1)),
                  b->sign[g], d * (float)(1 + 2 * nibble(b->scale, g / 4)));
}

/* Eight values of the 1-bit formats. */
static void put_shifted(float *out, uint64_t point, float scale, float shift) {
    for (int i = 0; i < 8; i++) out[i] = scale * ((float)(int8_t)(point >> 8 * i & 255) + shift);
}

static void iq1_s_read(const block_iq1_s *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int g = 0; g < 32; g++) {
        const int h = b->high[g / 4];
        put_shifted(out + 8 * g, quant_iq1_grid[b->point[g] | (h >> g % 4 * 3 & 7) << 8],
                    d * (float)(2 * (h >> 12 & 7) + 1), h & 0x8000 ? -0.125f : 0.125f);
    }
}

static void iq1_m_read(const block_iq1_m *b, float *out) {
    uint32_t half = 0;
    for (int i = 0; i < 4; i++) half |= (uint32_t)(b->scale[i] >> 12) << 4 * i;
    const float d = quant_f16_to_f32((uint16_t)half);
    for (int g = 0; g < 32; g++) {
        const int h = nibble(b->high, g), s = b->scale[g / 8] >> g / 2 % 4 * 3 & 7;
        put_shifted(out + 8 * g, quant_iq1_grid[b->point[g] | (h & 7) << 8], d * (float)(2 * s + 1),
                    h & 8 ? -0.125f : 0.125f);
    }
}

static void put_levels(float *out, const uint8_t *q, float scale) {
    for (int i = 0; i < 16; i++) {
        out[i] = scale * (float)quant_iq4_level[q[i] & 15];
        out[i + 16] = scale * (float)quant_iq4_level[q[i] >> 4];
    }
}

static void iq4_nl_read(const block_iq4_nl *b, float *out) {
    put_levels(out, b->q, quant_f16_to_f32(b->d));
}

static void iq4_xs_read(const block_iq4_xs *b, float *out) {
    const float d = quant_f16_to_f32(b->d);
    for (int s = 0; s < 8; s++) {
        const int scale = nibble(b->scale_low, s) | (b->scale_high >> 2 * s & 3) << 4;
        put_levels(out + 32 * s, b->q + 16 * s, d * (float)(scale - 32));
    }
}

QUANT_READ_ROWS(iq2_xxs, BLOCK_LEN)
QUANT_READ_ROWS(iq2_xs, BLOCK_LEN)
QUANT_READ_ROWS(iq2_s, BLOCK_LEN)
QUANT_READ_ROWS(iq3_xxs, BLOCK_LEN)
QUANT_READ_ROWS(iq3_s, BLOCK_LEN)
QUANT_READ_ROWS(iq1_s, BLOCK_LEN)
QUANT_READ_ROWS(iq1_m, BLOCK_LEN)
QUANT_READ_ROWS(iq4_nl, 32)
QUANT_READ_ROWS(iq4_xs, BLOCK_LEN)
