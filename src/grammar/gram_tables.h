/* gram_tables.h - what was found out about a grammar's automata, shared by all texts under way.
 *
 * A frame is a state and the frame below it: a stack, of which equal ones have one number. A config
 * is a set of stacks, all that a text may stand at; equal ones have one number too, and a row of
 * configs to go on to, filled when first wanted. Tables only grow; when they are too large new ones
 * are begun, and texts under way move over. Internal to src/grammar. */
#ifndef GRAMMAR_GRAM_TABLES_H
#define GRAMMAR_GRAM_TABLES_H

#include "grammar/gram_auto.h"
#include "tokenizer/tok_tree.h"

enum {
    GRAM_MAX_WAYS = 1000,      /* stacks in a config; with more it is dead */
    GRAM_MAX_BYTES = 64 << 20, /* of tables, before new ones are begun */
    GRAM_MAX_WORK = 20000000,  /* stacks looked at for one token */
    GRAM_DEAD = 0,             /* the config nothing fits */
};
#define GRAM_UNKNOWN UINT32_MAX

typedef struct gram_frame {
    uint32_t state, below; /* below: a frame, 0: none */
    uint32_t depth;
} gram_frame;

typedef struct gram_config {
    uint32_t item; /* first of its frames; they end where the next config's begin */
    uint32_t
        reach; /* the most nesting anything in it needs; GRAM_UNKNOWN: something was too deep */
    bool ends; /* the text may end here */
} gram_config;

/* A set of tokens, as a list or as bits. */
typedef struct gram_mask {
    uint32_t n, n_pop; /* tokens; places in the vocabulary's tree where the rule may be left */
    uint32_t reach;
    bool dense;
    size_t bytes;
    uint64_t *bits; /* [words] when dense */
    int32_t *id;    /* [n] otherwise */
    uint32_t *pop;  /* [n_pop] nodes */
} gram_mask;

typedef struct gram_tables {
    const gram_auto *a;
    const tok_tree *tree;
    uint32_t refs;
    size_t bytes;
    gram_frame *frame;
    uint32_t n_frame, *frame_slot, n_frame_slot;
    uint32_t *mark, generation;
    gram_config *config; /* [n_config + 1] */
    uint32_t n_config, *config_slot, n_config_slot;
    uint32_t *item, n_item;
    uint32_t *next;    /* [n_config][n_class] */
    gram_mask **mask;  /* [n_config] or NULL */
    gram_mask **local; /* [n_state] of a rule begun at that state with nothing below, or NULL */
    uint32_t *work;    /* frames to look at */
    uint32_t *list, n_list; /* the config being made */
    size_t cap_frame, cap_mark, cap_config, cap_item, cap_next, cap_mask, cap_work, cap_list;
    uint32_t reach;
    bool ends;
    uint64_t *bits; /* [words] scratch */
    uint64_t steps; /* looked at in this call */
    status trouble; /* sticky within a call: RZ_ENOMEM or RZ_EFULL */
} gram_tables;

gram_tables *gram_tables_new(const gram_auto *a, const tok_tree *tree);
void gram_tables_free(gram_tables *t);

/* These set t->trouble when something fails, and then return GRAM_DEAD. */
uint32_t gram_frame_of(gram_tables *t, uint32_t state, uint32_t below);
/* The config of one frame. */
uint32_t gram_config_of(gram_tables *t, uint32_t frame);
uint32_t gram_step(gram_tables *t, uint32_t config, unsigned class);
/* The config of other tables in these. */
uint32_t gram_move(gram_tables *t, const gram_tables *from, uint32_t config);
/* bits[words] |= the tokens that fit behind the config (no ends). */
void gram_tables_mask(gram_tables *t, uint32_t config, uint64_t *bits);

static inline size_t gram_words(const tok_tree *tree) { return (tree->n_id + 63u) / 64; }

static inline uint32_t gram_next(gram_tables *t, uint32_t config, uint8_t byte) {
    const unsigned c = t->a->class[byte];
    const uint32_t n = t->next[(size_t)config * t->a->n_class + c];
    return n != GRAM_UNKNOWN ? n : gram_step(t, config, c);
}

#endif
