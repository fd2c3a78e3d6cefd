/* norm_tables.h - the tables behind norm.c, as gen/gen_norm.c writes them into norm_tables.c. */
#ifndef UNICODE_NORM_TABLES_H
#define UNICODE_NORM_TABLES_H

#include <stdint.h>

enum {
    NORM_NOT_NFC = 1,    /* NFC_QC is not Yes  */
    NORM_NOT_NFKC = 2,   /* NFKC_QC is not Yes */
    NORM_CANONICAL = 4,  /* has a canonical decomposition     */
    NORM_COMPATIBLE = 8, /* has any decomposition              */
    NORM_LIMIT = 0x30000,
};

/* What many characters share. */
typedef struct norm_kind {
    uint8_t ccc, flags;
} norm_kind;

/* Full decompositions, sorted by character: `canonical` and `compatible` of them at `at`, in
 * turn. */
typedef struct norm_decomposition {
    uint32_t cp;
    uint16_t at;
    uint8_t canonical, compatible;
} norm_decomposition;

/* Sorted by first, then second. */
typedef struct norm_composition {
    uint32_t first, second, both;
} norm_composition;

extern const uint8_t norm_row[NORM_LIMIT / 128];
extern const uint8_t norm_number[][128];
extern const norm_kind norm_kinds[];
extern const norm_decomposition norm_decompositions[];
extern const unsigned norm_n_decompositions;
extern const uint32_t norm_points[];
extern const norm_composition norm_compositions[];
extern const unsigned norm_n_compositions;

#endif
