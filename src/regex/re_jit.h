/* re_jit.h - between re_jit.c, which plans the code, and re_jit_x64.c or re_jit_arm64.c, which know
 * the instructions. */
#ifndef REGEX_RE_JIT_H
#define REGEX_RE_JIT_H

#include "regex/re_run.h"

/* What a run is given and leaves; the code knows the offsets. */
typedef struct jit_run {
    const uint8_t *p, *end; /* in: where to begin; out: p is where the last try began */
    rz_span *out, *out_end; /* matches are put here while there is room */
    const uint8_t *text;
    const re_syms *y;
    const uint8_t *entry;            /* first code: `again` or `begin` */
    const uint8_t *start;            /* code of the start state at the first p */
    int64_t patience;                /* bytes that tries without match may read */
    const uint8_t *last;             /* out: end of the match of the last try, NULL: none */
    const uint8_t *read;             /* out: how far it looked */
    const uint16_t *stage1, *stage2; /* of y */
    const uint8_t *base;             /* of the tables */
    size_t *slot;                    /* places of groups, as pointers into the text */
    const uint8_t *saved;            /* out: where the last of them was set, NULL: none */
} jit_run;

typedef void jit_fn(jit_run *r);

/* Symbol of the character at p in the low half, its length in the high half. */
typedef uint32_t jit_decode(const re_syms *y, const uint8_t *p, const uint8_t *end);

enum {
    JIT_AGAIN, /* look for the next place to begin, then try */
    JIT_BEGIN, /* try at p with the start state */
    JIT_DONE,  /* the try is over */
    JIT_MISS,  /* no match, nothing was read */
    JIT_MISS_WIDE,
    JIT_FAILED,     /* no match: try the next place while patience lasts */
    JIT_DONE_MATCH, /* the same, and a match ends at p */
    JIT_EXIT,
    JIT_DECODE,
    JIT_DECODE_THREE,
    JIT_DECODE_SLOW,
    JIT_SKIP, /* the loop over bytes that begin no match */
    JIT_FOUND,
    JIT_FIRST_STATE
};

typedef struct jit_fix {
    uint32_t at, label;
} jit_fix;

/* Code being written. Tables come first in the same memory, so that one register finds both. */
typedef struct jit_asm {
    uint8_t *code;
    size_t n, cap;
    uint32_t *label; /* [n_label] offset of each, 0 = not placed */
    uint32_t n_label;
    jit_fix *fix;
    size_t n_fix, cap_fix;
    bool failed;
} jit_asm;

void jit_bytes(jit_asm *a, const void *p, size_t n);
void jit_label(jit_asm *a, uint32_t label);
void jit_fix_here(jit_asm *a, uint32_t label);

/* One implementation per machine. */
void jit_enter(jit_asm *a);                /* the function's head; goes to r->entry */
void jit_leave(jit_asm *a);                /* store p, last, read; return */
void jit_mark(jit_asm *a);                 /* last = p */
void jit_next(jit_asm *a);                 /* p++ */
void jit_save(jit_asm *a, uint64_t slots); /* slot[i] = p for each bit, and saved = p */
void jit_next_wide(jit_asm *a);            /* p += length of the wide character */
void jit_jump(jit_asm *a, uint32_t label);
void jit_at_end(jit_asm *a, uint32_t label); /* go there when p == end */
void jit_load(jit_asm *a);                   /* byte = *p */
void jit_if_in(jit_asm *a, uint32_t table, unsigned bit, uint32_t label); /* table[byte] has bit */
void jit_if_wide(jit_asm *a, uint32_t label);                             /* byte >= 0x80 */
/* Move p behind the bytes of a set, 16 at a time while as many are left; `table` holds 16 bytes by
 * low and 16 by high half of a byte, whose common bits say that it is in. May do nothing. */
void jit_skip(jit_asm *a, uint32_t table, uint32_t label);
bool jit_can_skip(void);
void jit_dispatch(jit_asm *a, uint32_t table); /* to the code at offset table[byte or symbol] */
/* The subroutine JIT_DECODE: symbol and length of the wide character at p. `decode` does what its
 * quick ways do not; tables: r->stage1 and r->stage2 are there. */
void jit_decoder(jit_asm *a, jit_decode *decode, bool tables);
void jit_wide(jit_asm *a); /* call it */
/* start = p, last = NULL, to r->start at the first p. Elsewhere the byte before chooses the state
 * from table `behind` (0: there is one start state only, r->start); a wide character before
 * exits. */
void jit_begin(jit_asm *a, uint32_t behind);
/* Behind a try: exit, or store its match, or (JIT_FAILED) try the next place. */
void jit_store(jit_asm *a);
/* No match, and the try began with the character that ended it: go on behind it, unless one try
 * only was asked for. `wide`: its length is known, otherwise it is a byte. */
void jit_miss(jit_asm *a, bool wide);
bool jit_patch(jit_asm *a, uint32_t at, uint32_t target); /* aim the jump at `at` */

#endif
