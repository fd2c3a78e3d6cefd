/* cpu.c - CPUID says what the chip can do, XGETBV what the system saves on a context switch; a
 * feature counts when both agree. On aarch64 the kernel's auxiliary vector tells. */
#include "base/cpu.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* XGETBV spelled out: the intrinsic would need the file compiled for a newer chip. */
static unsigned xcr0(void) {
    unsigned lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return lo;
}

static bool bit(unsigned word, int n) { return (word >> n) & 1; }

static void detect(cpu_info *c) {
    unsigned a, b, cx, d;
    if (!__get_cpuid(1, &a, &b, &cx, &d) || !bit(cx, 27)) return; /* 27: OSXSAVE */
    const unsigned saved = xcr0();
    const bool ymm = (saved & 0x06) == 0x06, zmm = (saved & 0xe6) == 0xe6;
    if (!ymm || !bit(cx, 28)) return; /* 28: AVX */
    c->fma = bit(cx, 12);
    c->f16c = bit(cx, 29);
    if (!__get_cpuid_count(7, 0, &a, &b, &cx, &d)) return;
    c->avx2 = bit(b, 5);
    const unsigned leaves = a;
    c->avx512f = zmm && bit(b, 16);
    if (c->avx512f) {
        c->avx512dq = bit(b, 17);
        c->avx512bw = bit(b, 30);
        c->avx512vl = bit(b, 31);
        c->avx512_vbmi = bit(cx, 1);
        c->avx512_vnni = bit(cx, 11);
        c->avx512_fp16 = bit(d, 23);
    }
    if (leaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &cx, &d)) {
        c->avx_vnni = c->avx2 && bit(a, 4);
        c->avx512_bf16 = c->avx512f && bit(a, 5);
    }
}

#elif defined(__aarch64__)
#include <sys/auxv.h>

static void detect(cpu_info *c) {
    const unsigned long cap = getauxval(AT_HWCAP), cap2 = getauxval(AT_HWCAP2);
    c->neon = (cap >> 1) & 1;     /* HWCAP_ASIMD   */
    c->fp16 = (cap >> 10) & 1;    /* HWCAP_ASIMDHP */
    c->dotprod = (cap >> 20) & 1; /* HWCAP_ASIMDDP */
    c->i8mm = (cap2 >> 13) & 1;   /* HWCAP2_I8MM   */
}

#else
static void detect(cpu_info *c) { (void)c; }
#endif

static cpu_info info;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find(void) {
    detect(&info);
    cpu_set_t set;
    info.cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    if (info.cores < 1) info.cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (info.cores < 1) info.cores = 1;
}

const cpu_info *cpu_get(void) {
    pthread_once(&once, find);
    return &info;
}
