/* cpu.h - what the processor can do and the operating system lets it. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdbool.h>

typedef struct cpu_info {
    bool avx2, fma, f16c; /* x86-64 */
    bool avx_vnni;
    bool avx512f, avx512bw, avx512vl, avx512dq, avx512_vnni, avx512_vbmi, avx512_bf16, avx512_fp16;
    bool neon, dotprod, i8mm, fp16; /* aarch64 */
    int cores;                      /* this process may run on, at least 1 */
} cpu_info;

/* Found once, the same for the whole process. */
const cpu_info *cpu_get(void);

#endif
