/* tok_merge.h - the heart of byte pair encoding: in a row of symbols, merge the neighbouring pair
 * of lowest rank (the leftmost of equals) until no pair merges.
 *
 * What a symbol is (a byte, a character) and what a rank is (token id, line in a list of merges,
 * place among the scores) is the caller's business. */
#ifndef TOKENIZER_TOK_MERGE_H
#define TOKENIZER_TOK_MERGE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define MERGE_NONE UINT32_MAX
enum { MERGE_MAX_SYMBOL = (1 << 21) - 2 };

/* Pairs, open addressing. A slot is left << 43 | right << 22 | merged, all ones when free. */
typedef struct merge_table {
    uint64_t *slot; /* [n_slot] */
    size_t n_slot;
    uint32_t *rank; /* per slot; NULL: the rank is the merged symbol */
} merge_table;

static inline uint64_t merge_key(uint32_t left, uint32_t right) {
    return (uint64_t)left << 43 | (uint64_t)right << 22;
}
/* 32 bits. */
static inline uint64_t merge_hash(uint32_t left, uint32_t right) {
    return ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15ull >> 32;
}
static inline size_t merge_next(const merge_table *t, size_t slot) {
    return slot + 1 < t->n_slot ? slot + 1 : 0;
}
/* The slot of the pair, or SIZE_MAX. Both <= MERGE_MAX_SYMBOL. */
static inline size_t merge_find(const merge_table *t, uint32_t left, uint32_t right) {
    const uint64_t key = merge_key(left, right);
    for (size_t i = merge_hash(left, right) * t->n_slot >> 32;; i = merge_next(t, i)) {
        const uint64_t slot = t->slot[i];
        if ((slot ^ key) >> 22 == 0) return i;
        if (slot == UINT64_MAX) return SIZE_MAX;
    }
}
static inline uint32_t merge_result(const merge_table *t, size_t slot) {
    return (uint32_t)(t->slot[slot] & 0x3FFFFF);
}

/* A list of pairs while a vocabulary is opened. */
typedef struct merge_pair {
    uint32_t left, right, merged, rank;
} merge_pair;
typedef struct merge_list {
    merge_pair *p;
    size_t n, cap;
} merge_list;
bool merge_list_add(merge_list *l, merge_pair pair); /* false: out of memory */
void merge_list_free(merge_list *l);
/* Room for n pairs, none in it yet, in `mem`; `ranked`: some rank is not the merged symbol. */
bool merge_table_init(merge_table *t, size_t n, bool ranked, arena *mem);
/* Add one; an equal pair that is there already stays. */
void merge_table_put(merge_table *t, const merge_pair *pair);
/* The table of a list, in `mem`. Of two equal pairs the first counts. All symbols <=
 * MERGE_MAX_SYMBOL. */
bool merge_table_build(merge_table *t, const merge_list *l, arena *mem);

/* Its part of a compact file. */
struct rzv;
status merge_table_rzv(struct rzv *a, merge_table *t);

/* A row of symbols. */
typedef struct merge_part {
    uint32_t symbol;
    uint32_t at; /* where it begins in the caller's text */
} merge_part;

/* Working memory, reusable from row to row. */
typedef struct merge_work {
    merge_part *part; /* [n] */
    size_t n, cap;
    struct merge_link *link;
    size_t link_cap;
    struct merge_candidate *heap;
    size_t heap_n, heap_cap;
    bool failed; /* out of memory; sticky */
    merge_part room[64];
} merge_work;

void merge_work_init(merge_work *w);
void merge_work_free(merge_work *w);
void merge_work_add(merge_work *w, uint32_t symbol, size_t at);
/* Merge part[0..n-1] in place; n becomes the number left. Time n log n at worst. */
void merge_run(const merge_table *t, merge_work *w);

#endif
