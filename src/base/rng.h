/* rng.h - small random number generators; streams depend on the seed alone. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

/* splitmix64 (Steele, Lea, Flood 2014): any seed is good, every value appears once per period. */
static inline uint64_t rng_splitmix(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/* Uniform in [0, 1), 53 bits. */
static inline double rng_unit(uint64_t *state) {
    return (double)(rng_splitmix(state) >> 11) * 0x1p-53;
}

/* Uniform in 0..n-1 (n > 0); the bias is below n / 2^64. */
static inline uint64_t rng_below(uint64_t *state, uint64_t n) {
    return (uint64_t)(((__uint128_t)rng_splitmix(state) * n) >> 64);
}

#endif
