/* gram_tree.h - grammars as their readers build them: rules over sets of code points.
 *
 * GBNF (gram_gbnf.c), JSON Schema (gram_schema.c) and regular expressions (gram_regex.c) all end
 * here; gram_auto.c makes automata over bytes of it. Internal to src/grammar. */
#ifndef GRAMMAR_GRAM_TREE_H
#define GRAMMAR_GRAM_TREE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/str.h"

enum {
    GRAM_MAX_TEXT = 1 << 20,  /* bytes of a grammar as written */
    GRAM_MAX_TREE = 64 << 20, /* bytes of memory for one that is being read */
    GRAM_MAX_RULES = 20000,
    GRAM_MAX_NEST = 100, /* groups inside groups */
    GRAM_MAX_REPEAT = 100000,
    GRAM_MAX_CHAR = 0x10FFFF
};
#define GRAM_INFINITE UINT32_MAX

typedef enum gram_kind {
    GRAM_EMPTY,
    GRAM_NEVER,  /* matches nothing at all */
    GRAM_TEXT,   /* text, as UTF-8 */
    GRAM_SET,    /* one character of range[n_range] */
    GRAM_CAT,    /* children in order */
    GRAM_ALT,    /* one of the children */
    GRAM_REPEAT, /* child a..b times */
    GRAM_RULE,   /* rule a */
} gram_kind;

typedef struct gram_range {
    uint32_t lo, hi; /* both included */
} gram_range;

typedef struct gram_node gram_node;
struct gram_node {
    gram_kind kind;
    uint32_t a, b;
    str text;
    gram_range *range;
    uint32_t n_range;
    gram_node *child, *last, *next; /* first child, last child, next sibling */
};

typedef struct gram_rule {
    str name;
    gram_node *body; /* NULL: used, but not defined yet */
    size_t used_at;  /* offset of the first use, for error texts */
} gram_rule;

typedef struct gram_tree {
    arena mem;
    gram_rule *rule;
    uint32_t n_rule, root;
    size_t cap_rule;
    map names;      /* of rules that have one */
    bool failed;    /* out of memory: sticky, asked once at the end */
    gram_node none; /* what is given out then */
} gram_tree;

void gram_tree_init(gram_tree *t);
void gram_tree_done(gram_tree *t);
/* RZ_ENOMEM when anything failed. */
status gram_tree_check(const gram_tree *t, err *e);

/* All never return NULL; memory is the tree's. */
gram_node *gram_new(gram_tree *t, gram_kind kind);
gram_node *gram_text(gram_tree *t, str text);            /* copied */
gram_node *gram_literal(gram_tree *t, const char *text); /* borrowed */
gram_node *gram_set(gram_tree *t, const gram_range *r, uint32_t n);
/* The characters that are not in r[n]; sorts r. */
gram_node *gram_set_not(gram_tree *t, gram_range *r, uint32_t n);
gram_node *gram_repeat(gram_tree *t, gram_node *child, uint32_t min, uint32_t max);
gram_node *gram_call(gram_tree *t, uint32_t rule);
/* Append to a GRAM_CAT or GRAM_ALT; returns the parent. */
gram_node *gram_add(gram_node *parent, gram_node *child);
gram_node *gram_cat(gram_tree *t, gram_node *a, gram_node *b);
gram_node *gram_alt(gram_tree *t, gram_node *a, gram_node *b);
/* A new rule without a name; GRAM_INFINITE when there are too many (or no memory). */
uint32_t gram_rule_new(gram_tree *t, gram_node *body);
/* The rule of that name, made without a body when there is none yet. */
uint32_t gram_rule_named(gram_tree *t, str name, size_t used_at);

/* ---- readers: each fills t->rule and t->root ---- */

status gram_read_gbnf(gram_tree *t, str text, err *e);
/* The whole text must match. RZ_EUNSUPPORTED for what looks around or back. */
status gram_read_regex(gram_tree *t, str pattern, err *e);
status gram_read_schema(gram_tree *t, str text, err *e);
/* Any JSON object. */
status gram_read_json(gram_tree *t, err *e);

#endif
