/* quant_rows.h - the row functions of every format, for the table in quant.c.
 *
 * They are declared by their type in quant.h: quant_to_float reads, quant_from_float writes,
 * quant_from_float_weighted writes with the importance of each value (NULL: all alike). The n of
 * each is a multiple of its block. */
#ifndef QUANT_QUANT_ROWS_H
#define QUANT_QUANT_ROWS_H

#include "quant/quant.h"

/* quant_float.c */
quant_to_float f32_to_float, f16_to_float, bf16_to_float, f64_to_float;
quant_to_float i8_to_float, i16_to_float, i32_to_float, i64_to_float;
quant_to_float u8_to_float, u16_to_float, u32_to_float, u64_to_float;
quant_to_float f8_e4m3_to_float, f8_e5m2_to_float;
quant_from_float f32_from_float, f16_from_float, bf16_from_float;

/* quant_legacy.c */
quant_to_float q4_0_to_float, q4_1_to_float, q5_0_to_float, q5_1_to_float;
quant_to_float q8_0_to_float, q8_1_to_float;
quant_from_float q4_0_from_float, q4_1_from_float, q5_0_from_float, q5_1_from_float;
quant_from_float q8_0_from_float, q8_1_from_float;
quant_from_float_weighted q4_0_from_float_weighted, q4_1_from_float_weighted;
quant_from_float_weighted q5_0_from_float_weighted, q5_1_from_float_weighted;

/* quant_k.c */
quant_to_float q2_k_to_float, q3_k_to_float, q4_k_to_float, q5_k_to_float, q6_k_to_float;
quant_to_float q8_k_to_float;
quant_from_float q2_k_from_float, q3_k_from_float, q4_k_from_float, q5_k_from_float;
quant_from_float q6_k_from_float, q8_k_from_float;
quant_from_float_weighted q2_k_from_float_weighted, q3_k_from_float_weighted;
quant_from_float_weighted q4_k_from_float_weighted, q5_k_from_float_weighted;
quant_from_float_weighted q6_k_from_float_weighted;

/* quant_iq.c */
quant_to_float iq2_xxs_to_float, iq2_xs_to_float, iq2_s_to_float, iq3_xxs_to_float, iq3_s_to_float;
quant_to_float iq1_s_to_float, iq1_m_to_float, iq4_nl_to_float, iq4_xs_to_float;

/* quant_iq_write.c */
quant_from_float iq2_xxs_from_float, iq2_xs_from_float, iq2_s_from_float;
quant_from_float iq3_xxs_from_float, iq3_s_from_float, iq1_s_from_float;
quant_from_float iq1_m_from_float, iq4_nl_from_float, iq4_xs_from_float;
quant_from_float_weighted iq2_xxs_from_float_weighted, iq2_xs_from_float_weighted;
quant_from_float_weighted iq2_s_from_float_weighted, iq3_xxs_from_float_weighted;
quant_from_float_weighted iq3_s_from_float_weighted, iq1_s_from_float_weighted;
quant_from_float_weighted iq1_m_from_float_weighted, iq4_nl_from_float_weighted;
quant_from_float_weighted iq4_xs_from_float_weighted;

/* quant_ternary.c */
quant_to_float tq1_0_to_float, tq2_0_to_float, q1_0_to_float, q2_0_to_float;
quant_from_float tq1_0_from_float, tq2_0_from_float, q1_0_from_float, q2_0_from_float;
quant_from_float_weighted tq1_0_from_float_weighted, tq2_0_from_float_weighted;
quant_from_float_weighted q1_0_from_float_weighted, q2_0_from_float_weighted;

/* quant_fp4.c */
quant_to_float mxfp4_to_float, nvfp4_to_float;
quant_from_float mxfp4_from_float, nvfp4_from_float;
quant_from_float_weighted mxfp4_from_float_weighted, nvfp4_from_float_weighted;

/* Most formats are handled one block at a time. These make the row functions from
 *     static void q4_0_read(const block_q4_0 *b, float *out);
 *     static void q4_0_write(const float *in, block_q4_0 *b);
 *     static void q4_0_search(const float *in, const float *importance, block_q4_0 *b);
 * QUANT_ONLY_SEARCH_ROWS is for formats that have no other way of being written. */
#define QUANT_READ_ROWS(type, values)                                       \
    void type##_to_float(const void *blocks, float *out, size_t n) {        \
        const block_##type *b = blocks;                                     \
        for (size_t i = 0; i < n; i += (values)) type##_read(b++, out + i); \
    }
#define QUANT_WRITE_ROWS(type, values)                                      \
    void type##_from_float(const float *in, void *blocks, size_t n) {       \
        block_##type *b = blocks;                                           \
        for (size_t i = 0; i < n; i += (values)) type##_write(in + i, b++); \
    }
#define QUANT_SEARCH_ROWS(type, values)                                      \
    void type##_from_float_weighted(const float *in, void *blocks, size_t n, \
                                    const float *importance) {               \
        block_##type *b = blocks;                                            \
        for (size_t i = 0; i < n; i += (values))                             \
            type##_search(in + i, importance ? importance + i : NULL, b++);  \
    }
#define QUANT_ONLY_SEARCH_ROWS(type, values)                          \
    QUANT_SEARCH_ROWS(type, values)                                   \
    void type##_from_float(const float *in, void *blocks, size_t n) { \
        type##_from_float_weighted(in, blocks, n, NULL);              \
    }

#endif
