/* re_literal.h - what a pattern says about bytes before any automaton runs: strings one of which
 * every match begins with, and a string every match holds. Internal to src/regex. */
#ifndef REGEX_RE_LITERAL_H
#define REGEX_RE_LITERAL_H

#include "regex/re_int.h"

enum {
    RE_LIT_MAX = 16,   /* strings */
    RE_LIT_BYTES = 16, /* of one; longer ones are cut */
    RE_LIT_PRINT = 3   /* bytes a string is first recognised by */
};

/* Strings fall into 8 buckets; at each of the first `print` places a table by low and one by high
 * half of the byte says which buckets may go on. A place where a bucket is left is looked at. */
typedef struct re_literals {
    uint32_t n, print;
    bool whole; /* the strings are the matches, the first one in order where several fit */
    uint8_t text[RE_LIT_MAX][RE_LIT_BYTES], len[RE_LIT_MAX];
    uint8_t low[RE_LIT_PRINT][16], high[RE_LIT_PRINT][16]; /* for 16 bytes at once */
    uint8_t byte[RE_LIT_PRINT][256];                       /* both, for one byte */
} re_literals;

/* Strings of which every match of the tree begins with one. false: none worth looking for. */
bool re_literals_make(re_literals *l, const re_tree *t);
/* The first place from `at` on where one of them stands, and which; RE_NONE: none. */
size_t re_literals_find(const re_literals *l, const uint8_t *text, size_t len, size_t at,
                        uint32_t *which);
/* The longest string known to be in every match; its length, 0 when there is none. */
size_t re_required(const re_tree *t, uint8_t out[RE_LIT_BYTES]);

/* The first place at which a string may stand, else the first that was not looked at. */
typedef size_t re_scan(const re_literals *l, const uint8_t *p, size_t n);
re_scan re_scan_avx2, re_scan_neon;

#endif
