/* re_run.h - the engines and what they keep. Internal to src/regex. */
#ifndef REGEX_RE_RUN_H
#define REGEX_RE_RUN_H

#include "regex/re_literal.h"

/* ---- re_dfa.c: a table of states ----
 *
 * A state is the list, by priority, of instructions that wait for the next symbol. The entry for
 * (state, symbol) is the row of the next state, with RE_DFA_MATCH when a match ends before the
 * symbol: the symbol is looked at first, so that assertions can see it. Row 0 is the dead state,
 * row 1 stands for an entry that was not computed yet. */

#define RE_DFA_MATCH 0x80000000u
#define RE_DFA_FAILED 0x7fffffffu

typedef struct re_dfa {
    const re_prog *prog;
    const re_syms *y;
    uint32_t n_sym;  /* row length: y->n times the combinations of look-around bits */
    unsigned n_look; /* those bits */
    uint32_t entry;  /* prog->start or prog->search */
    bool all;        /* a match does not end what has lower priority: any match, the longest */
    bool complete;   /* every entry is computed: read-only, shared by threads */
    size_t limit;    /* bytes of table; beyond it a lazy table starts anew */
    uint32_t *trans; /* [n_state * n_sym] */
    uint32_t n_state, cap_state;
    uint32_t *item_at; /* [n_state + 1] first item of each state */
    uint32_t *item;    /* behind context, then instructions */
    uint32_t n_item;
    size_t cap_item;
    uint32_t *slot; /* hash table of state number */
    uint32_t n_slot;
    uint32_t *start;            /* [y->n] start row by symbol behind; 1 * n_sym = not built */
    uint16_t *behind;           /* [y->n] symbols that look the same from behind share a number */
    uint32_t *mark, generation; /* [prog->n] seen in this closure */
    uint32_t *stack, *list, *next; /* [prog->n + 1] scratch */
    uint64_t resets, work;         /* tables started anew; instructions visited */
} re_dfa;

status re_dfa_init(re_dfa *d, const re_prog *prog, const re_syms *y, unsigned n_look, bool search,
                   bool all, size_t limit, err *e);
void re_dfa_done(re_dfa *d);
/* behind[y->n]: symbols that no assertion of the program tells apart from behind get the number of
 * the smallest of them. */
void re_number_behind(const re_prog *p, const re_syms *y, uint16_t *behind);
/* Compute every entry. false when that would pass the limit, or takes long: then it is lazy. */
bool re_dfa_complete(re_dfa *d);
/* Row to start in behind `sym`, or RE_DFA_FAILED when out of memory. */
uint32_t re_dfa_start(re_dfa *d, unsigned sym);
/* The entry, computed. May start the table anew: only the result's row is good afterwards. */
uint32_t re_dfa_step(re_dfa *d, uint32_t row, unsigned sym);
/* The end of the match that starts at `at` (or, from a searching table, of the leftmost one at or
 * behind `at`); RE_NONE: none. *stop: how far it read. */
status re_dfa_forward(re_dfa *d, const re_subject *s, size_t at, size_t *end, size_t *stop, err *e);
/* The smallest start, not below `from`, of a match that ends at `at`. */
status re_dfa_backward(re_dfa *d, const re_subject *s, size_t at, size_t from, size_t *start,
                       err *e);
/* Set bit `bit` of look[i] wherever the automaton has a match; over the whole subject. */
status re_dfa_mark(re_dfa *d, const re_subject *s, uint16_t *look, unsigned bit, bool backward,
                   err *e);

/* ---- re_pike.c ---- */

typedef struct re_pike {
    uint32_t n_inst, n_slot;
    uint32_t *mark, generation;
    uint32_t *pc[2];
    size_t *cap[2]; /* [n_inst][n_slot] */
    struct pike_job *stack;
    size_t *work; /* [n_slot] */
} re_pike;

status re_pike_init(re_pike *k, const re_prog *p, uint32_t n_slot, err *e);
void re_pike_done(re_pike *k);
/* slot[n_slot] of the leftmost match from `at` on (exactly at `at` when anchored); false: none. */
bool re_pike_run(re_pike *k, const re_prog *p, const re_subject *s, size_t at, bool anchored,
                 size_t *slot);

/* ---- re_back.c ---- */

typedef struct re_back {
    uint32_t n_slot, n_loop;
    struct back_job *job;
    size_t n_job, cap_job;
    uint64_t *visited;
    size_t cap_visited;
    size_t *loop; /* [n_loop] */
    uint64_t steps, budget;
} re_back;

status re_back_init(re_back *b, const re_prog *p, uint32_t n_slot, uint64_t budget, err *e);
void re_back_done(re_back *b);
/* Whether remembering all places in `len` bytes is cheap enough. */
bool re_back_fits(const re_prog *p, size_t len);
/* A match at exactly `at`, into slot[]. With `window` not RE_NONE places up to it are remembered
 * and the time is linear. *found tells. RZ_EFULL: the step budget is spent. */
status re_back_run(re_back *b, const re_prog *p, const re_subject *s, size_t at, size_t window,
                   bool *found, size_t *slot, err *e);

/* ---- re_onepass.c ---- */

enum { RE_ONEPASS_ROW = 20 }; /* low bits of an entry: the next row; above them the action */

typedef struct re_onepass {
    uint32_t *trans;   /* [n_state][y->n] what to do before that symbol, and where it leads */
    uint16_t *match;   /* [n_state][y->n] action + 1 where a match may end before that symbol */
    uint16_t *settled; /* [n_state] action + 1 when only the end of the match is missing */
    uint32_t *start;   /* [y->n] first row by symbol behind */
    uint64_t *action;  /* [n_action] slots that are set to the place */
    uint32_t n_state, n_action;
} re_onepass;

/* NULL: the pattern has two ways somewhere, or needs too large a table. */
re_onepass *re_onepass_new(const re_prog *p, const re_syms *y, uint32_t n_slot);
void re_onepass_free(re_onepass *o);
/* The groups of the match that is known to be at `span`; false: there is none. */
bool re_onepass_run(const re_onepass *o, const re_subject *s, re_span span, uint32_t n_slot,
                    size_t *slot);

/* ---- re_jit.c ---- */

typedef struct re_jit re_jit;

/* Machine code for r->first, or for r->onepass with its groups; NULL: this machine or system has
 * none, or the table is too large. */
re_jit *re_jit_new(const re *r, bool groups);
void re_jit_free(re_jit *j);
/* Matches that are not empty, one behind the other from *at on, until `cap` are found or it comes
 * to a place that it leaves to others; *at is then that place, and no match begins before it. */
size_t re_jit_many(const re_jit *j, const re_subject *s, size_t *at, unsigned behind, rz_span *out,
                   size_t cap);
/* End of the match at exactly `at`, behind symbol `behind`; *read: how far it looked. */
size_t re_jit_one(const re_jit *j, const re_subject *s, size_t at, unsigned behind, size_t *read);
/* The same with the slots of its groups, of code made for them. false: they must be found by other
 * means, the end is right. */
bool re_jit_groups(const re_jit *j, const re_subject *s, size_t at, unsigned behind, size_t *slot,
                   size_t *read);

/* ---- the compiled pattern ---- */

struct re {
    re_tree tree; /* kept for the names of groups */
    re_syms syms;
    re_prog main;              /* with captures and bodies: pike, backtracker */
    re_prog forward, backward; /* without: tables of states */
    re_prog look[RE_MAX_LOOK]; /* against the direction of the look */
    bool look_behind[RE_MAX_LOOK];
    unsigned n_look, main_look_bits;
    re_engine engine; /* one of RE_PIKE RE_DFA RE_BACK RE_JIT */
    bool have_first;
    re_dfa first;        /* anchored, complete */
    re_jit *jit;         /* the same as machine code, or NULL */
    re_onepass *onepass; /* for captures, or NULL */
    re_jit *groups;      /* that as machine code, or NULL */
    uint32_t n_slot;
    uint64_t budget;
    re_literals *literals; /* every match begins with one of them; or NULL */
    uint8_t need[RE_LIT_BYTES];
    size_t n_need;          /* every match holds these bytes */
    bool text_start;        /* can only match at the start of the text */
    bool start_any;         /* a match may be empty or begin with any byte */
    uint8_t can_start[256]; /* otherwise: it may begin with this one */
    char name[32];
};

struct re_work {
    const re *r;
    re_subject text;
    size_t at, last_end; /* of re_next */
    bool looks_ready;
    uint16_t *look; /* [cap_look] */
    size_t cap_look;
    re_dfa *first, *search, *reverse; /* lazy ones, made when needed */
    re_dfa *look_dfa[RE_MAX_LOOK];
    re_pike *pike;
    re_back *back;
    size_t *slot;              /* [n_slot] */
    size_t need_from, need_at; /* no `need` between the two; need_at RE_NONE: nor behind */
    bool need_known;
    bool slots_ready; /* the search filled `slot` on its way */
    unsigned in_vain; /* how often trying each place did not pay, lately */
};

/* The part of re.c that finds a match with tables: re_find.c. With `slots` it may also fill
 * w->slot; then slots_ready is set. */
status re_find_tables(re_work *w, size_t from, bool slots, re_span *out, err *e);
/* Whether the bytes that every match holds stand at `from` or behind. */
bool re_still_possible(re_work *w, size_t from);
/* Fill w->text.look for the bound text, once. */
status re_make_looks(re_work *w, err *e);

#endif
