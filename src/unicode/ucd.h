/* ucd.h - properties of code points, from the Unicode character database.
 *
 * Every function takes any 32-bit number; what is above U+10FFFF is unassigned, without properties
 * and its own case mapping. Lookup is two array reads. Case mappings are the simple ones: one code
 * point to one. Tables: ucd_tables.c, written by gen/gen_ucd.c (`make unicode-tables`). */
#ifndef UNICODE_UCD_H
#define UNICODE_UCD_H

#include <stdbool.h>

#include "base/str.h"
#include "unicode/ucd_list.h"

enum { UCD_MAX = 0x10FFFF };

#define UCD_NUMBER(name, alias) UCD_##name,
typedef enum ucd_category { UCD_CATEGORY_LIST(UCD_NUMBER) UCD_N_CATEGORY } ucd_category;
#undef UCD_NUMBER
#define UCD_NUMBER(name, alias) UCD_GCB_##name,
typedef enum ucd_grapheme { UCD_GRAPHEME_LIST(UCD_NUMBER) UCD_N_GRAPHEME } ucd_grapheme;
#undef UCD_NUMBER
#define UCD_NUMBER(name, alias) UCD_P_##name,
typedef enum ucd_property { UCD_PROPERTY_LIST(UCD_NUMBER) UCD_N_PROPERTY } ucd_property;
#undef UCD_NUMBER

/* "15.0.0": the version of the database the tables were made from. */
const char *ucd_version(void);

ucd_category ucd_category_of(uint32_t cp);
ucd_grapheme ucd_grapheme_of(uint32_t cp); /* Grapheme_Cluster_Break */
/* A number below ucd_n_scripts(); 0 is Unknown. */
unsigned ucd_script_of(uint32_t cp);
unsigned ucd_n_scripts(void);
const char *ucd_script_name(unsigned script); /* "Latin" */
bool ucd_has(uint32_t cp, ucd_property p);
/* \w: Alphabetic, any Mark, Nd, Pc, Join_Control (UTS #18, annex C). */
bool ucd_word(uint32_t cp);
/* Letter, mark, number, punctuation, symbol, separator: the first letter of the category. */
bool ucd_in_major(uint32_t cp, char major);

uint32_t ucd_lower(uint32_t cp);
uint32_t ucd_upper(uint32_t cp);
uint32_t ucd_fold(uint32_t cp);
/* The next code point with the same case folding, in a cycle: k -> U+212A -> K -> k. cp itself
 * when it stands alone. */
uint32_t ucd_case_next(uint32_t cp);

/* A set of code points named as in \p{...}: "Lu", "Letter", "L&", "Greek", "Script=Grek",
 * "gc=Nd", "White_Space", "Emoji", "Any", "Assigned", "ASCII". Case, spaces, '-' and '_' do not
 * count. */
typedef struct ucd_set {
    enum {
        UCD_SET_ANY,
        UCD_SET_CATEGORIES,
        UCD_SET_SCRIPT,
        UCD_SET_PROPERTY,
        UCD_SET_ASCII,
        UCD_SET_WORD,
        UCD_SET_GRAPHEME
    } kind;
    uint32_t what; /* bit set of categories, script, property or grapheme class */
} ucd_set;
/* false when no set has that name. */
bool ucd_set_find(str name, ucd_set *out);
bool ucd_set_has(ucd_set s, uint32_t cp);
/* Calls `range` for every range of the set, both ends included, in order and apart from each other,
 * until it returns false; then false. */
typedef bool ucd_range_fn(void *arg, uint32_t lo, uint32_t hi);
bool ucd_set_ranges(ucd_set s, ucd_range_fn *range, void *arg);
/* First code point >= cp that has case variants, or UCD_MAX + 1. */
uint32_t ucd_cased_from(uint32_t cp);

#endif
