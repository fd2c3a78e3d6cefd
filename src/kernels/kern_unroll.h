/* kern_unroll.h - UNROLL before a loop with a small constant count: registers in arrays stay
 * registers only when every index is a constant, and -O2 alone leaves such loops rolled. INLINE
 * before a function whose constant arguments have to be constants inside as well. */
#ifndef KERNELS_KERN_UNROLL_H
#define KERNELS_KERN_UNROLL_H

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define INLINE static inline __attribute__((always_inline))

#endif
