/* re_literal_avx2.c - re_scan with shuffles of 32 bytes. */
#include <immintrin.h>

#include "regex/re_literal.h"

static inline __m256i twice(const uint8_t table[16]) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

static inline __m256i buckets(__m256i low, __m256i high, const uint8_t *p) {
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)p);
    const __m256i top = _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble);
    return _mm256_and_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(x, nibble)),
                            _mm256_shuffle_epi8(high, top));
}

/* One string: by its first and its last byte. */
static size_t scan_one(const re_literals *l, const uint8_t *p, size_t n) {
    const size_t last = l->len[0] - 1u;
    const __m256i a = _mm256_set1_epi8((char)l->text[0][0]);
    const __m256i b = _mm256_set1_epi8((char)l->text[0][last]);
    size_t i = 0;
    for (; i + last + 32 <= n; i += 32) {
        const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
        const __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(p + i + last));
        const __m256i both = _mm256_and_si256(_mm256_cmpeq_epi8(a, x), _mm256_cmpeq_epi8(b, y));
        const uint32_t found = (uint32_t)_mm256_movemask_epi8(both);
        if (found) return i + (size_t)__builtin_ctz(found);
    }
    return i;
}

size_t re_scan_avx2(const re_literals *l, const uint8_t *p, size_t n) {
    if (l->n == 1) return scan_one(l, p, n);
    const uint32_t last = l->print - 1;
    const __m256i low0 = twice(l->low[0]), high0 = twice(l->high[0]);
    const __m256i low1 = twice(l->low[1]), high1 = twice(l->high[1]);
    const __m256i low2 = twice(l->low[last]), high2 = twice(l->high[last]);
    size_t i = 0;
    for (; i + last + 32 <= n; i += 32) {
        __m256i left =
            _mm256_and_si256(buckets(low0, high0, p + i), buckets(low1, high1, p + i + 1));
        left = _mm256_and_si256(left, buckets(low2, high2, p + i + last));
        const __m256i none = _mm256_cmpeq_epi8(left, _mm256_setzero_si256());
        const uint32_t found = ~(uint32_t)_mm256_movemask_epi8(none);
        if (found) return i + (size_t)__builtin_ctz(found);
    }
    return i;
}
