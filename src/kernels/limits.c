/* limits.c - see limits.h. */
#include "kernels/limits.h"

#include <string.h>

#include "base/cpu.h"
#include "kernels/kern_unroll.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* Long enough that the clock settles: a burst of a few milliseconds runs a tenth faster than any
 * model can. Reading fetches a page ahead, which is 15% faster than leaving it to hardware. */
static _Atomic unsigned sink; /* so that no loop is dropped; several threads add to it */
enum { STEPS = 10000000, CHAINS = 12, AHEAD = 4096 };

#ifndef __aarch64__
static void read_bytes(const uint8_t *p, size_t n) {
    unsigned sum = 0;
    for (size_t i = 0; i < n; i += 64) sum += p[i];
    sink += sum;
}
#endif

#if defined(__x86_64__)
#define FOR(type, set, f, per_lane)                                      \
    {                                                                    \
        type a[CHAINS];                                                  \
        UNROLL for (int i = 0; i < CHAINS; i++) a[i] = set;              \
        for (int k = 0; k < STEPS; k++) {                                \
            UNROLL for (int i = 0; i < CHAINS; i++) {                    \
                a[i] = f;                                                \
                __asm__("" : "+v"(a[i]));                                \
            }                                                            \
        }                                                                \
        UNROLL for (int i = 1; i < CHAINS; i++) __asm__("" ::"v"(a[i])); \
        return (double)STEPS * CHAINS * (per_lane);                      \
    }

__attribute__((target("avx512f,avx512vnni"))) static double bytes_512(void) {
    const __m512i x = _mm512_set1_epi8(3);
    FOR(__m512i, x, _mm512_dpbusd_epi32(a[i], x, x), 64)
}
__attribute__((target("avx2"))) static double bytes_256(void) {
    const __m256i x = _mm256_set1_epi8(1), one = _mm256_set1_epi16(1);
    FOR(__m256i, x, _mm256_add_epi32(a[i], _mm256_madd_epi16(_mm256_maddubs_epi16(a[i], x), one)),
        32)
}
__attribute__((target("avx2,avxvnni"))) static double bytes_256_vnni(void) {
    const __m256i x = _mm256_set1_epi8(3);
    FOR(__m256i, x, _mm256_dpbusd_avx_epi32(a[i], x, x), 32)
}
__attribute__((target("avx512f"))) static double floats_512(void) {
    const __m512 x = _mm512_set1_ps(0.5f);
    FOR(__m512, x, _mm512_fmadd_ps(a[i], x, x), 16)
}
__attribute__((target("avx2,fma"))) static double floats_256(void) {
    const __m256 x = _mm256_set1_ps(0.5f);
    FOR(__m256, x, _mm256_fmadd_ps(a[i], x, x), 8)
}
__attribute__((target("avx512f"))) static void read_512(const uint8_t *p, size_t n) {
    __m512i a[4] = {_mm512_setzero_si512()};
    for (size_t i = 0; i + 256 <= n; i += 256) UNROLL for (size_t j = 0; j < 4; j++) {
            __builtin_prefetch(p + i + 64 * j + AHEAD);
            a[j] = _mm512_or_si512(a[j], _mm512_loadu_si512(p + i + 64 * j));
        }
    for (int j = 0; j < 4; j++) {
        unsigned first;
        memcpy(&first, &a[j], sizeof first);
        sink += first;
    }
}
__attribute__((target("avx2"))) static void read_256(const uint8_t *p, size_t n) {
    __m256i a[4] = {_mm256_setzero_si256()};
    for (size_t i = 0; i + 128 <= n; i += 128) UNROLL for (size_t j = 0; j < 4; j++) {
            __builtin_prefetch(p + i + 32 * j + AHEAD);
            a[j] = _mm256_or_si256(
                a[j], _mm256_loadu_si256((const __m256i *)(const void *)(p + i + 32 * j)));
        }
    for (int j = 0; j < 4; j++) {
        unsigned first;
        memcpy(&first, &a[j], sizeof first);
        sink += first;
    }
}
static const limits_isa avx2 = {"avx2", bytes_256, floats_256};
static const limits_isa avx_vnni = {"avx-vnni", bytes_256_vnni, floats_256};
static const limits_isa avx512 = {"avx512", bytes_512, floats_512};

const limits_isa *limits_list(int i) {
    const cpu_info *c = cpu_get();
    const limits_isa *has[4] = {NULL};
    int n = 0;
    if (c->avx2 && c->fma) has[n++] = &avx2;
    if (c->avx_vnni && c->fma) has[n++] = &avx_vnni;
    if (c->avx512f && c->avx512_vnni) has[n++] = &avx512;
    return i >= 0 && i < n ? has[i] : NULL;
}

void limits_read(const uint8_t *p, size_t n) {
    if (cpu_get()->avx512f) read_512(p, n);
    else if (cpu_get()->avx2) read_256(p, n);
    else read_bytes(p, n);
}
#elif defined(__aarch64__)
static double floats_neon(void) {
    const float32x4_t x = vdupq_n_f32(0.5f);
    float32x4_t a[CHAINS];
    for (int i = 0; i < CHAINS; i++) a[i] = x;
    for (int k = 0; k < STEPS; k++)
        for (int i = 0; i < CHAINS; i++) {
            a[i] = vfmaq_f32(a[i], x, x);
            __asm__("" : "+w"(a[i]));
        }
    for (int i = 0; i < CHAINS; i++) sink += (unsigned)vgetq_lane_f32(a[i], 0);
    return (double)STEPS * CHAINS * 4;
}
static double bytes_neon(void) {
    const int8x8_t x = vdup_n_s8(1);
    int16x8_t a[CHAINS];
    for (int i = 0; i < CHAINS; i++) a[i] = vdupq_n_s16(0);
    for (int k = 0; k < STEPS; k++)
        for (int i = 0; i < CHAINS; i++) {
            a[i] = vmlal_s8(a[i], x, x);
            __asm__("" : "+w"(a[i]));
        }
    for (int i = 0; i < CHAINS; i++) sink += (unsigned)vgetq_lane_s16(a[i], 0);
    return (double)STEPS * CHAINS * 8;
}
static const limits_isa neon = {"neon", bytes_neon, floats_neon};

const limits_isa *limits_list(int i) { return i == 0 ? &neon : NULL; }

void limits_read(const uint8_t *p, size_t n) {
    uint8x16_t a = vdupq_n_u8(0);
    for (size_t i = 0; i + 64 <= n; i += 64)
        for (size_t j = 0; j < 64; j += 16) a = vorrq_u8(a, vld1q_u8(p + i + j));
    sink += vgetq_lane_u8(a, 0);
}
#else
const limits_isa *limits_list(int i) {
    (void)i;
    return NULL;
}

void limits_read(const uint8_t *p, size_t n) { read_bytes(p, n); }
#endif

/* ---- All threads ---- */

enum { PIECES = 64, LINE = 64 };

typedef struct all_call {
    limits_loop *loop;
    double done; /* by one thread: all do the same */
    const uint8_t *buffer;
    size_t piece;
} all_call;

static void compute_task(void *ctx, uint32_t task, uint32_t thread) {
    all_call *c = ctx;
    (void)thread;
    const double done = c->loop();
    if (task == 0) c->done = done;
}

double limits_compute_all(pool *p, limits_loop *loop) {
    all_call c = {.loop = loop};
    const uint32_t n = (uint32_t)pool_threads(p);
    pool_run(p, n, compute_task, &c);
    return c.done * n;
}

static void read_task(void *ctx, uint32_t task, uint32_t thread) {
    const all_call *c = ctx;
    (void)thread;
    limits_read(c->buffer + task * c->piece, c->piece);
}

double limits_read_all(pool *p, const uint8_t *buffer, size_t bytes) {
    all_call c = {.buffer = buffer, .piece = bytes / PIECES / LINE * LINE};
    pool_run(p, PIECES, read_task, &c);
    return (double)c.piece * PIECES;
}
