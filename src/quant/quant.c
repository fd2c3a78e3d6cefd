/* quant.c - the table of block formats: sizes from quant_list.h, functions from quant_rows.h. */
#include "quant/quant.h"

#include "quant/quant_rows.h"

#define READ(type, read) [QUANT_##type].to_float = (read)
#define BOTH(type, read, write) READ(type, read), [QUANT_##type].from_float = (write)
#define SEARCH(type, stem)                          \
    BOTH(type, stem##_to_float, stem##_from_float), \
        [QUANT_##type].from_float_weighted = stem##_from_float_weighted

/* clang-format off */
static const quant_info table[QUANT_TYPE_COUNT] = {
#define X(type, id, values, size) \
    [id].name = #type, [id].block = (values), [id].bytes = (size),
    QUANT_LIST(X)
#undef X
    BOTH(F32, f32_to_float, f32_from_float),
    BOTH(F16, f16_to_float, f16_from_float),
    BOTH(BF16, bf16_to_float, bf16_from_float),
    READ(F64, f64_to_float),
    READ(I8, i8_to_float),
    READ(I16, i16_to_float),
    READ(I32, i32_to_float),
    READ(I64, i64_to_float),
    SEARCH(Q4_0, q4_0),
    SEARCH(Q4_1, q4_1),
    SEARCH(Q5_0, q5_0),
    SEARCH(Q5_1, q5_1),
    READ(F8_E4M3, f8_e4m3_to_float),
    READ(F8_E5M2, f8_e5m2_to_float),
    READ(U8, u8_to_float),
    READ(U16, u16_to_float),
    READ(U32, u32_to_float),
    READ(U64, u64_to_float),
    READ(BOOL, u8_to_float),
    BOTH(Q8_0, q8_0_to_float, q8_0_from_float),
    BOTH(Q8_1, q8_1_to_float, q8_1_from_float),
    SEARCH(Q1_0, q1_0),
    SEARCH(Q2_0, q2_0),
    SEARCH(Q2_K, q2_k),
    SEARCH(Q3_K, q3_k),
    SEARCH(Q4_K, q4_k),
    SEARCH(Q5_K, q5_k),
    SEARCH(Q6_K, q6_k),
    BOTH(Q8_K, q8_k_to_float, q8_k_from_float),
    SEARCH(IQ2_XXS, iq2_xxs),
    SEARCH(IQ2_XS, iq2_xs),
    SEARCH(IQ2_S, iq2_s),
    SEARCH(IQ3_XXS, iq3_xxs),
    SEARCH(IQ3_S, iq3_s),
    SEARCH(IQ1_S, iq1_s),
    SEARCH(IQ1_M, iq1_m),
    SEARCH(IQ4_NL, iq4_nl),
    SEARCH(IQ4_XS, iq4_xs),
    SEARCH(TQ1_0, tq1_0),
    SEARCH(TQ2_0, tq2_0),
    SEARCH(MXFP4, mxfp4),
    SEARCH(NVFP4, nvfp4),
};
/* clang-format on */

const quant_info *quant_get(uint32_t id) {
    static const quant_info none = {0};
    return id < QUANT_TYPE_COUNT ? &table[id] : &none;
}

bool quant_find(str name, quant_type *out) {
    for (uint32_t id = 0; id < QUANT_TYPE_COUNT; id++) {
        if (!table[id].name || !str_eq_nocase(name, str_of(table[id].name))) continue;
        *out = (quant_type)id;
        return true;
    }
    return false;
}

bool quant_row_bytes(quant_type t, uint64_t n, uint64_t *out) {
    const quant_info *q = quant_get((uint32_t)t);
    uint64_t bytes;
    if (!q->name || n % q->block) return false;
    if (__builtin_mul_overflow(n / q->block, (uint64_t)q->bytes, &bytes)) return false;
    *out = bytes;
    return true;
}

bool quant_write_row(quant_type t, const float *in, void *blocks, size_t n,
                     const float *importance) {
    const quant_info *q = quant_get((uint32_t)t);
    if (!q->from_float) return false;
    if (importance && q->from_float_weighted) q->from_float_weighted(in, blocks, n, importance);
    else q->from_float(in, blocks, n);
    return true;
}
