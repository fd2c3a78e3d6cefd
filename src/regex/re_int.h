/* re_int.h - what the files of the regular expression engine share.
 *
 * Way of a pattern: text -> tree (re_parse.c, re_class.c) -> simpler tree (re_tree.c) -> program
 * (re_prog.c), run by re_pike.c, re_back.c, re_dfa.c and re_jit.c.
 *
 * Nothing behind the parser knows code points. All sets of a pattern together cut the code points
 * into classes that no set tells apart (re_syms.c); texts are read as symbols: the class of a
 * character, or one of three that are no character: `bad` (a byte that is no part of UTF-8),
 * `edge` (before the first and after the last character) and `final` (a newline that ends the text,
 * used only by patterns with \Z). So looking one character ahead or behind costs an automaton
 * nothing: assertions are sets of symbols, tried when the next symbol is known. */
#ifndef REGEX_RE_INT_H
#define REGEX_RE_INT_H

#include "base/arena.h"
#include "regex/re.h"
#include "unicode/ucd.h"

enum {
    RE_MAX_PATTERN = 1 << 18, /* bytes */
    RE_MAX_TREE = 64 << 20,   /* bytes of memory for reading a pattern */
    RE_MAX_NEST = 250,        /* groups inside groups */
    RE_MAX_GROUP = 1000,
    RE_MAX_REPEAT = 65535,
    RE_MAX_INST = 100000,
    RE_MAX_SET = 4096, /* different sets in one pattern */
    RE_MAX_CLASS = 4096,
    RE_MAX_LOOK = 16,      /* look-arounds longer than a character */
    RE_MAX_SLOTS = 4 << 20 /* instructions x capture slots */
};
#define RE_INFINITE UINT32_MAX

/* ---- sets of code points (re_set.c) ---- */

typedef struct re_range {
    uint32_t lo, hi; /* both included */
} re_range;

enum { RE_SET_BAD = 1, RE_SET_NOT_FINAL = 2 };
typedef struct re_set {
    re_range *r; /* [n], sorted and apart from each other once re_set_sort was called */
    uint32_t n, cap;
    uint32_t flags; /* holds `bad`; does not hold `final` */
} re_set;

/* All return false when out of memory. Memory is the arena's. */
bool re_set_add(arena *a, re_set *s, uint32_t lo, uint32_t hi);
bool re_set_add_all(arena *a, re_set *s, const re_set *other);
bool re_set_add_ucd(arena *a, re_set *s, ucd_set named);
void re_set_sort(re_set *s);
bool re_set_negate(arena *a, re_set *s);
bool re_set_and(arena *a, re_set *s, const re_set *other);
bool re_set_sub(arena *a, re_set *s, const re_set *other);
/* Add everything that differs from a member by case only. */
bool re_set_fold(arena *a, re_set *s);
bool re_set_has(const re_set *s, uint32_t cp);

/* ---- tree ---- */

typedef enum re_kind {
    RE_N_EMPTY,
    RE_N_SET,     /* a: set */
    RE_N_CAT,     /* children in order */
    RE_N_ALT,     /* children by priority */
    RE_N_REPEAT,  /* child a..b times */
    RE_N_GROUP,   /* a: number */
    RE_N_ATOMIC,  /* child's first way of matching only */
    RE_N_LOOK,    /* behind, neg; a: number of the look-around */
    RE_N_BACKREF, /* a: group; icase */
    RE_N_ASSERT,  /* how, neg; a: set */
} re_kind;

typedef enum re_assert_how { RE_BEHIND, RE_AHEAD, RE_WORD } re_assert_how;

typedef struct re_node {
    uint8_t kind, how;
    bool lazy, neg, behind, icase;
    uint32_t a, b;
    struct re_node *child, *next; /* first child, next sibling */
} re_node;

typedef struct re_group_info {
    str name; /* in the tree's arena */
} re_group_info;

typedef struct re_tree {
    arena mem;
    re_node *root;
    re_set *set;
    uint32_t n_set, cap_set;
    uint32_t *set_slot; /* hash table of set number + 1 */
    uint32_t n_slot;
    re_group_info *group;
    uint32_t n_group; /* group 0 included */
    uint32_t any_set; /* every symbol but edge */
    uint32_t n_look;
    re_node *look[RE_MAX_LOOK]; /* inner ones before those that hold them */
    bool backrefs, atomics, look_groups, behind_backref;
} re_tree;

status re_parse(re_tree *t, str pattern, unsigned flags, err *e);
/* Rewrites that keep the meaning: possessive sets, one-character look-around, joined sets. */
status re_simplify(re_tree *t, err *e);
/* The number of a set equal to *s (sorted); RE_INFINITE when there are too many or no memory. */
uint32_t re_intern(re_tree *t, const re_set *s);
re_node *re_node_new(re_tree *t, re_kind kind);
bool re_nullable(const re_node *n);

/* The parser, shared with re_class.c. */
typedef struct re_parser {
    re_tree *t;
    str pat;
    size_t at;
    unsigned flags;
    int depth;
    bool quoting; /* between \Q and \E */
    status failed;
    err *e;
    struct {
        ucd_set name;
        bool ascii, used;
        re_set set;
    } seen[16];           /* named sets built before */
    uint32_t *backref_at; /* offset and group of each, checked at the end */
    uint32_t n_backref, cap_backref;
} re_parser;

/* Sets p->failed with "regex: offset N: what" and returns false. */
bool re_fail(re_parser *p, size_t at, const char *what);
bool re_nomem(re_parser *p);
/* [...]: p->at is behind the bracket; fills *out. */
bool re_parse_class(re_parser *p, re_set *out);
/* The escape at p->at (behind the backslash): true with *cp set for a character, or *is_set and the
 * set. */
bool re_parse_escape(re_parser *p, bool in_class, re_set *set, bool *is_set, uint32_t *cp);
/* The character at p->at, which moves behind it. */
bool re_parse_char(re_parser *p, uint32_t *cp);
bool re_named_set(re_parser *p, ucd_set name, bool ascii, re_set *out);
bool re_perl_set(re_parser *p, char letter, re_set *out);

/* ---- symbols (re_syms.c) ---- */

typedef struct re_syms {
    uint16_t ascii[128];
    uint16_t *stage1; /* [0x110000 / 64], or NULL: all characters above U+007F are class `other` */
    uint16_t *stage2; /* blocks of 64 */
    uint16_t other;
    uint16_t n_class;
    uint16_t bad, edge, final, n; /* n: number of symbols */
    bool use_final;
    uint32_t n_word;     /* 64-bit words in a set of symbols */
    uint64_t *set;       /* [n_set][n_word] */
    uint32_t stage2_len; /* for copying and accounts */
} re_syms;

status re_syms_make(re_syms *y, const re_tree *t, err *e);
void re_syms_done(re_syms *y);

static inline bool re_sym_in(const re_syms *y, uint32_t set, unsigned sym) {
    return y->set[(size_t)set * y->n_word + sym / 64] >> (sym % 64) & 1;
}

/* ---- program (re_prog.c) ---- */

typedef enum re_op {
    RE_OP_SET,   /* a symbol of set `arg`, then next */
    RE_OP_SPLIT, /* next, or else alt */
    RE_OP_JUMP,
    RE_OP_SAVE,   /* position into slot `arg` */
    RE_OP_ASSERT, /* assertion: `how`, set `arg`, `neg` */
    RE_OP_LOOK,   /* look-around `arg`; `neg`; alt: its body for the backtracker, or 0 */
    RE_OP_BACKREF,
    RE_OP_ATOMIC, /* body at alt up to MATCH, then next */
    RE_OP_LOOP,   /* remember the position in loop register `arg` */
    RE_OP_LEAVE,  /* to alt when nothing was consumed since LOOP `arg` */
    RE_OP_MATCH,
} re_op;

typedef struct re_inst {
    uint8_t op, how;
    bool neg, flag; /* flag: ignore case, or body matches towards the start */
    uint32_t arg, next, alt;
} re_inst;

typedef struct re_prog {
    re_inst *inst;
    uint32_t n;
    size_t cap;
    uint32_t start;  /* anchored at the first position */
    uint32_t search; /* the same behind a lazy loop over anything */
    uint32_t n_loop; /* loop registers */
    bool any_behind; /* has assertions that look at the previous symbol */
    bool any_look;   /* has look-arounds answered by the oracle */
    bool any_ahead;
    bool empty_loop_ahead; /* a loop that can turn without consuming holds one that looks ahead */
    bool nullable;
} re_prog;

typedef struct re_prog_options {
    bool reverse;  /* match from the end to the start; assertions change sides */
    bool captures; /* with SAVE */
    bool bodies;   /* with bodies of look-arounds, atomic groups and loop registers */
} re_prog_options;

status re_prog_make(re_prog *p, const re_tree *t, const re_node *root, re_prog_options opt, err *e);
void re_prog_done(re_prog *p);

static inline bool re_assert_holds(const re_syms *y, const re_inst *i, unsigned behind,
                                   unsigned ahead) {
    const bool b = i->how != RE_AHEAD && re_sym_in(y, i->arg, behind);
    const bool a = i->how != RE_BEHIND && re_sym_in(y, i->arg, ahead);
    return (a != b) != i->neg;
}

/* ---- text as symbols ---- */

typedef struct re_subject {
    const uint8_t *p;
    size_t len;
    const re_syms *y;
    const uint16_t *look; /* [len + 1] bit per look-around: holds here; or NULL */
} re_subject;

/* Symbol of the character of two bytes or more at p (a bad byte: length 1). */
unsigned re_sym_wide(const re_syms *y, const uint8_t *p, const uint8_t *end, size_t *len);
unsigned re_sym_wide_back(const re_syms *y, const uint8_t *begin, const uint8_t *p, size_t *len);

/* The symbol at `at` and its length; edge of length 0 at the end. */
static inline unsigned re_sym_at(const re_subject *s, size_t at, size_t *len) {
    if (at >= s->len) {
        *len = 0;
        return s->y->edge;
    }
    *len = 1;
    const uint8_t b = s->p[at];
    if (b >= 0x80) return re_sym_wide(s->y, s->p + at, s->p + s->len, len);
    if (b == '\n' && s->y->use_final && at + 1 == s->len) return s->y->final;
    return s->y->ascii[b];
}

/* The symbol that ends at `at`. */
static inline unsigned re_sym_before(const re_subject *s, size_t at, size_t *len) {
    if (at == 0) {
        *len = 0;
        return s->y->edge;
    }
    *len = 1;
    const uint8_t b = s->p[at - 1];
    if (b >= 0x80) return re_sym_wide_back(s->y, s->p, s->p + at, len);
    if (b == '\n' && s->y->use_final && at == s->len) return s->y->final;
    return s->y->ascii[b];
}

#endif
