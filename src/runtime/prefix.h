/* prefix.h - what earlier requests computed, kept for those that begin with the same tokens.
 *
 * A radix tree over pages: each node is one page of the cache with the KV_PAGE_TOKENS tokens it
 * holds, below the page it follows. Requests with the same beginning hold the same pages, counted
 * in kv_pool. A page nobody but the tree holds is idle, and the one unused for longest goes when
 * its place is needed. Recurrent layers add a copy of their state at some of the nodes; only there
 * can another request go on. What is reused has the bits that computing it again would give. */
#ifndef RUNTIME_PREFIX_H
#define RUNTIME_PREFIX_H

#include "runtime/seq.h"
#include "runtime/ssm_state.h"

typedef struct prefix {
    const model *m;
    kv_pool *pages;
    uint32_t context;
    struct prefix_node *node; /* of page p: [p + 1]; NULL: nothing is ever kept */
    uint32_t *bucket;         /* [mask + 1] full pages by parent and tokens */
    uint32_t mask;
    uint64_t seed;
    ssm_pool saved; /* copies of recurrent state */
    uint32_t every; /* tokens between two such copies of a text */
    uint64_t limit, held, node_bytes, state_bytes;
    uint32_t n_idle; /* pages that only the tree holds */
    uint64_t queries, hits, tokens, evictions;
} prefix;

/* `bytes` bound pages, states and the tree itself; 0: keep nothing. */
status prefix_init(prefix *t, kv_pool *pages, const model *m, uint32_t context, uint64_t bytes,
                   err *e);
void prefix_done(prefix *t);

/* Let q, at the end of the pages it shares, hold the following ones that the tree has; q->n_done
 * moves behind them. At least one token is left to run. */
void prefix_take(prefix *t, seq *q);
/* q holds pages for all its tokens: give it what prefix_take could not, its state and a copy of a
 * page that begins as q goes on. */
void prefix_fill(prefix *t, seq *q);
/* Make n pages free by dropping idle ones. false: there are not so many, none was dropped. */
bool prefix_make_room(prefix *t, uint32_t n);
/* Of the next n rows of q those up to the next place for a copy of its state. */
uint32_t prefix_rows(const prefix *t, const seq *q, uint32_t n);
/* After a step, before the next token is known: keep the pages q has filled. */
void prefix_note(prefix *t, seq *q);
/* q gives all its pages back; what it began stays in the tree, with its state. */
void prefix_leave(prefix *t, seq *q);

#endif
