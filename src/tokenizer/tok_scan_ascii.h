/* tok_scan_ascii.h - runs of ASCII characters of one kind, sixteen bytes at a time where the
 * processor's base instruction set can compare as many. */
#ifndef TOKENIZER_TOK_SCAN_ASCII_H
#define TOKENIZER_TOK_SCAN_ASCII_H

#include <stddef.h>
#include <stdint.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

/* A kind is the range low..low + span of the bytes `byte | fold`. */
typedef struct ascii_range {
    unsigned char fold, low, span;
} ascii_range;

#define ASCII_LETTERS ((ascii_range){0x20, 'a', 25})
#define ASCII_LOWERS ((ascii_range){0, 'a', 25})
#define ASCII_UPPERS ((ascii_range){0, 'A', 25})
#define ASCII_SPACES ((ascii_range){0, ' ', 0})

/* How many of the 16 bytes at p are of that kind before the first that is not. */
static inline unsigned ascii_16(const unsigned char *p, ascii_range r) {
#if defined(__SSE2__)
    const __m128i v = _mm_or_si128(_mm_loadu_si128((const __m128i *)(const void *)p),
                                   _mm_set1_epi8((char)r.fold));
    const __m128i from_low = _mm_sub_epi8(v, _mm_set1_epi8((char)r.low));
    const __m128i in = _mm_cmpeq_epi8(_mm_max_epu8(from_low, _mm_set1_epi8((char)r.span)),
                                      _mm_set1_epi8((char)r.span));
    return (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(in));
#elif defined(__ARM_NEON)
    const uint8x16_t v = vorrq_u8(vld1q_u8(p), vdupq_n_u8(r.fold));
    const uint8x16_t out = vcgtq_u8(vsubq_u8(v, vdupq_n_u8(r.low)), vdupq_n_u8(r.span));
    const uint8x8_t half = vshrn_n_u16(vreinterpretq_u16_u8(out), 4); /* four bits a byte */
    const uint64_t bits = vget_lane_u64(vreinterpret_u64_u8(half), 0);
    return bits ? (unsigned)__builtin_ctzll(bits) / 4 : 16;
#else
    unsigned n = 0;
    while (n < 16 && (unsigned char)((p[n] | r.fold) - r.low) <= r.span) n++;
    return n;
#endif
}

/* The end of the run that begins at p; p itself where there is none. */
static inline const unsigned char *ascii_run(const unsigned char *p, const unsigned char *end,
                                             ascii_range r) {
    while (end - p >= 16) {
        const unsigned n = ascii_16(p, r);
        p += n;
        if (n < 16) return p;
    }
    while (p < end && (unsigned char)((*p | r.fold) - r.low) <= r.span) p++;
    return p;
}

#endif
