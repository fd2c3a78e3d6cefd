/* quant_iq_tables.h - the codebooks of the IQ formats. */
#ifndef QUANT_QUANT_IQ_TABLES_H
#define QUANT_QUANT_IQ_TABLES_H

#include <stdint.h>

/* What the 16 numbers of IQ4_NL and IQ4_XS stand for: finer around 0, where most weights are. */
extern const int8_t quant_iq4_level[16];

/* A point of eight values, byte i is value i. Of iq2 the bytes are absolute values; of iq1 they are
 * int8_t -1, 0, 1. */
extern const uint64_t quant_iq2_xxs_grid[256];
extern const uint64_t quant_iq2_xs_grid[512];
extern const uint64_t quant_iq2_s_grid[1024];
extern const uint64_t quant_iq1_grid[2048];
/* A point of four absolute values. */
extern const uint32_t quant_iq3_xxs_grid[256];
extern const uint32_t quant_iq3_s_grid[512];

/* Eight signs (bit set: minus) from the seven that are stored. */
static inline uint32_t quant_iq_signs(uint32_t seven) {
    return seven | (uint32_t)__builtin_parity(seven) << 7;
}

#endif
