/* re_literal_neon.c - re_scan with table look-ups of 16 bytes. */
#include <arm_neon.h>

#include "regex/re_literal.h"

static inline uint8x16_t buckets(uint8x16_t low, uint8x16_t high, const uint8_t *p) {
    const uint8x16_t x = vld1q_u8(p);
    return vandq_u8(vqtbl1q_u8(low, vandq_u8(x, vdupq_n_u8(15))),
                    vqtbl1q_u8(high, vshrq_n_u8(x, 4)));
}

/* Four bits for each byte that is not zero. */
static inline uint64_t four_each(uint8x16_t x) {
    const uint8x8_t some = vshrn_n_u16(vreinterpretq_u16_u8(vtstq_u8(x, x)), 4);
    return vget_lane_u64(vreinterpret_u64_u8(some), 0);
}

/* One string: by its first and its last byte. */
static size_t scan_one(const re_literals *l, const uint8_t *p, size_t n) {
    const size_t last = l->len[0] - 1u;
    const uint8x16_t a = vdupq_n_u8(l->text[0][0]), b = vdupq_n_u8(l->text[0][last]);
    size_t i = 0;
    for (; i + last + 16 <= n; i += 16) {
        const uint64_t found =
            four_each(vandq_u8(vceqq_u8(a, vld1q_u8(p + i)), vceqq_u8(b, vld1q_u8(p + i + last))));
        if (found) return i + (size_t)__builtin_ctzll(found) / 4;
    }
    return i;
}

size_t re_scan_neon(const re_literals *l, const uint8_t *p, size_t n) {
    if (l->n == 1) return scan_one(l, p, n);
    const uint32_t last = l->print - 1;
    const uint8x16_t low0 = vld1q_u8(l->low[0]), high0 = vld1q_u8(l->high[0]);
    const uint8x16_t low1 = vld1q_u8(l->low[1]), high1 = vld1q_u8(l->high[1]);
    const uint8x16_t low2 = vld1q_u8(l->low[last]), high2 = vld1q_u8(l->high[last]);
    size_t i = 0;
    for (; i + last + 16 <= n; i += 16) {
        uint8x16_t left = vandq_u8(buckets(low0, high0, p + i), buckets(low1, high1, p + i + 1));
        left = vandq_u8(left, buckets(low2, high2, p + i + last));
        const uint64_t found = four_each(left);
        if (found) return i + (size_t)__builtin_ctzll(found) / 4;
    }
    return i;
}
