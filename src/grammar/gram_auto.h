/* gram_auto.h - a grammar as automata over bytes: one for each rule, which call each other.
 *
 * Every automaton is deterministic, a call counting as a symbol. A state may have both bytes and
 * calls to go on with; what may be under way at one time is therefore a set of stacks
 * (gram_run.c). Read-only once made. Internal to src/grammar. */
#ifndef GRAMMAR_GRAM_AUTO_H
#define GRAMMAR_GRAM_AUTO_H

#include "grammar/gram_tree.h"

enum {
    GRAM_MAX_STATES = 100000,
    GRAM_MAX_EDGES = 4000000,
    GRAM_MAX_DEPTH = 1000, /* rules inside rules, at most */
};

typedef struct gram_edge {
    uint8_t lo, hi; /* classes of bytes, both included */
    uint32_t to;
} gram_edge;

typedef struct gram_callee {
    uint32_t start, back; /* states: of the rule that is called; behind it */
} gram_callee;

typedef struct gram_state {
    uint32_t edge, call; /* first of each; they end where the next state's begin */
    uint16_t need;       /* how many rules must be open above this one to come to its end */
    bool final;
} gram_state;

typedef struct gram_auto {
    gram_state *state; /* [n_state + 1] */
    uint32_t n_state;
    gram_edge *edge;
    uint32_t n_edge;
    gram_callee *call;
    uint32_t n_call;
    uint32_t start;     /* of the root rule */
    uint8_t class[256]; /* bytes that no edge tells apart share a class */
    uint32_t n_class;
    uint32_t max_depth;
} gram_auto;

/* `byte` says which bytes there are: paths through others are left out. RZ_EFORMAT: left recursion,
 * or nothing matches; RZ_EUNSUPPORTED: nothing of those bytes does; RZ_EFULL: it is too large.
 * Nesting is bounded by `max_depth`, at most GRAM_MAX_DEPTH. */
status gram_auto_make(gram_auto *a, const gram_tree *t, const bool byte[256], uint32_t max_depth,
                      err *e);
void gram_auto_done(gram_auto *a);

/* ---- on the way: gram_nfa.c builds what gram_auto.c makes deterministic ---- */

typedef struct gram_arc {
    uint32_t to, next; /* next: another arc of the same state, or GRAM_INFINITE */
    uint32_t rule;     /* called, or GRAM_INFINITE: bytes lo..hi, or none of them when lo > hi */
    uint8_t lo, hi;
} gram_arc;

typedef struct gram_nfa {
    uint32_t *first; /* [n] first arc of each state, or GRAM_INFINITE */
    gram_arc *arc;
    uint32_t n, n_arc;
    size_t cap, cap_arc;
    uint32_t *start, *final; /* [n_rule] states; GRAM_INFINITE: the rule is not used */
    uint32_t n_rule;
} gram_nfa;

/* Rules that the root needs and that are not written out where they are used. */
status gram_nfa_make(gram_nfa *n, const gram_tree *t, const bool byte[256], err *e);
void gram_nfa_done(gram_nfa *n);

#endif
