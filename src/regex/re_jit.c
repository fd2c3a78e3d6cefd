/* re_jit.c - machine code for a complete table of states.
 *
 * Each state is a piece of code that looks at one byte and goes to the next state, so that the
 * processor predicts where a text goes on instead of waiting for a table. The bytes on which a
 * state stays are tested first; two more ways are jumps, what has more goes through a table of code
 * offsets. Characters above U+007F are decoded by a call and dispatched by class. The code finds
 * match after match until its list is full or a place is no match; then re_find.c takes over.
 *
 * Memory is written first and made executable, and read-only, after. Where the system refuses that
 * the table of states is used as it is. */
#include "regex/re_jit.h"

#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"

enum { MAX_STATES = 220, MAX_SYMS = 200, STATE_LABELS = 6, MAX_DETOURS = 128 };
/* Labels of state k, from JIT_FIRST_STATE + k * STATE_LABELS. */
enum { AT, INC, INC_MARKED, WIDE, ADD, ADD_MARKED };

struct re_jit {
    uint8_t *memory;
    size_t bytes;
    uint32_t enter, again, begin;
    uint32_t *start;      /* [y->n] code of the start state by symbol behind */
    uint64_t match_slots; /* set where the match ends */
    uint32_t n_slot;      /* 0: code without groups */
};

void jit_bytes(jit_asm *a, const void *p, size_t n) {
    a->failed |= !mem_room(&a->code, &a->cap, a->n + n, 1);
    if (a->failed) return;
    memcpy(a->code + a->n, p, n);
    a->n += n;
}

void jit_label(jit_asm *a, uint32_t label) { a->label[label] = (uint32_t)a->n; }

void jit_fix_here(jit_asm *a, uint32_t label) {
    a->failed |= !mem_room(&a->fix, &a->cap_fix, a->n_fix + 1, sizeof *a->fix);
    if (!a->failed) a->fix[a->n_fix++] = (jit_fix){(uint32_t)a->n, label};
}

#if defined __x86_64__ || defined __aarch64__

static uint32_t decode(const re_syms *y, const uint8_t *p, const uint8_t *end) {
    size_t len;
    const unsigned sym = re_sym_wide(y, p, end, &len);
    return (uint32_t)sym | (uint32_t)len << 16;
}

/* A way to a label on which groups are set first: code of its own that ends in a jump. */
typedef struct detour {
    uint32_t action, label;
} detour;

typedef struct plan {
    const re *r;
    const re_dfa *d;
    const re_onepass
        *o; /* groups are set too: d is made from it, its states one further; or NULL */
    detour detour[MAX_DETOURS];
    uint32_t n_detour;
    jit_asm a;
    uint32_t n_set, sets_at; /* bit sets over bytes, eight to a table */
    uint32_t byte_at, wide_at, skip_at, code_at;
} plan;

static uint32_t label_of(uint32_t state, uint32_t which) {
    return JIT_FIRST_STATE + state * STATE_LABELS + which;
}

static uint32_t entry(const plan *p, uint32_t state, unsigned sym) {
    return p->d->trans[(size_t)state * p->d->n_sym + sym];
}

static uint32_t target(const plan *p, uint32_t t) { return (t & ~RE_DFA_MATCH) / p->d->n_sym; }

/* A match ends before every symbol: it is noted once, on entry. */
static bool always_matches(const plan *p, uint32_t state) {
    for (unsigned s = 0; s < p->d->n_sym; s++)
        if (s != p->d->y->final && !(entry(p, state, s) & RE_DFA_MATCH)) return false;
    return true;
}

static uint32_t detour_to(plan *p, uint32_t action, uint32_t label) {
    uint32_t i = 0;
    while (i < p->n_detour && (p->detour[i].action != action || p->detour[i].label != label)) i++;
    if (i == MAX_DETOURS) {
        p->a.failed = true;
        return label;
    }
    if (i == p->n_detour) p->detour[p->n_detour++] = (detour){action, label};
    return label_of(p->d->n_state, 0) + i;
}

/* Where a state, which has (or not) noted its match, leads by a symbol; `wide`: of a wide
 * character. */
static uint32_t way(plan *p, uint32_t state, unsigned sym, bool noted, bool wide) {
    const uint32_t t = entry(p, state, sym), to = target(p, t);
    const bool mark = (t & RE_DFA_MATCH) && !noted;
    if (to == 0 && mark) return JIT_DONE_MATCH;
    if (to == 0 && !noted && state == p->d->start[0] / p->d->n_sym)
        return wide ? JIT_MISS_WIDE : JIT_MISS;
    if (to == 0) return JIT_DONE;
    const uint32_t action =
        p->o ? p->o->trans[(size_t)(state - 1) * p->d->n_sym + sym] >> RE_ONEPASS_ROW : 0;
    const uint32_t label =
        label_of(to, wide ? (mark ? ADD_MARKED : ADD) : (mark ? INC_MARKED : INC));
    return action ? detour_to(p, action, label) : label;
}

/* Number of a new set of bytes. */
static uint32_t add_set(plan *p, const bool in[256]) {
    const uint32_t set = p->n_set++;
    uint8_t *table = p->a.code + p->sets_at + set / 8 * 256;
    for (unsigned b = 0; b < 256; b++)
        if (in[b]) table[b] |= (uint8_t)(1u << set % 8);
    return set;
}

static void go_if_in(plan *p, const bool in[256], uint32_t label) {
    const uint32_t set = add_set(p, in);
    jit_if_in(&p->a, p->sets_at + set / 8 * 256, set % 8, label);
}

/* Whether a run in state k is likely long enough to be passed 16 bytes at a time: it holds all
 * small letters. Then its table is filled in: low halves of its bytes by high half, and a bit for
 * each high half. */
static bool long_stay(plan *p, uint32_t k, const bool stay[256]) {
    uint8_t *table = p->a.code + p->skip_at + k * 32;
    for (unsigned b = 'a'; b <= 'z'; b++)
        if (!stay[b]) return false;
    if (!jit_can_skip()) return false;
    for (unsigned b = 0; b < 128; b++)
        if (stay[b]) table[b & 15] |= (uint8_t)(1u << (b >> 4));
    for (unsigned h = 0; h < 8; h++) table[16 + h] = (uint8_t)(1u << h);
    return true;
}

static void write_state(plan *p, uint32_t k) {
    jit_asm *a = &p->a;
    const re_syms *y = p->d->y;
    const bool noted = always_matches(p, k);
    uint32_t other[3] = {0}, n_other = 0; /* where bytes lead that do not stay */
    bool stay[256] = {false}, first[256] = {false}, any = false;
    for (unsigned b = 0; b < 128; b++) {
        const uint32_t to = way(p, k, y->ascii[b], noted, false);
        uint32_t i = 0;
        if (to == label_of(k, INC)) {
            stay[b] = any = true;
            continue;
        }
        while (i < n_other && other[i] != to) i++;
        if (i == n_other && n_other < 3) other[n_other++] = to;
        first[b] = i == 0;
    }
    jit_label(a, label_of(k, INC_MARKED));
    jit_mark(a);
    jit_label(a, label_of(k, INC));
    jit_next(a);
    jit_label(a, label_of(k, AT));
    if (long_stay(p, k, stay)) jit_skip(a, p->skip_at + k * 32, label_of(k, AT));
    if (noted) jit_mark(a);
    jit_at_end(a, (entry(p, k, y->edge) & RE_DFA_MATCH) && !noted ? JIT_DONE_MATCH : JIT_DONE);
    jit_load(a);
    if (any) go_if_in(p, stay, label_of(k, INC));
    if (n_other > 2) {
        jit_dispatch(a, p->byte_at + k * 256 * 4);
    } else {
        jit_if_wide(a, label_of(k, WIDE));
        if (n_other == 2) go_if_in(p, first, other[0]);
        if (n_other) jit_jump(a, other[n_other - 1]);
    }
    jit_label(a, label_of(k, WIDE));
    jit_wide(a);
    any = false;
    for (unsigned s = 0; s < 256; s++) {
        stay[s] = s < p->d->n_sym && way(p, k, s, noted, true) == label_of(k, ADD);
        any |= stay[s];
    }
    if (any) go_if_in(p, stay, label_of(k, ADD));
    jit_dispatch(a, p->wide_at + k * p->d->n_sym * 4);
    jit_label(a, label_of(k, ADD_MARKED));
    jit_mark(a);
    jit_label(a, label_of(k, ADD));
    jit_next_wide(a);
    jit_jump(a, label_of(k, AT));
}

static void write_frame(plan *p) {
    jit_asm *a = &p->a;
    jit_enter(a);
    jit_label(a, JIT_AGAIN);
    if (!p->r->start_any) {
        bool in[256], pass[256] = {false};
        for (unsigned b = 0; b < 256; b++) in[b] = p->r->can_start[b];
        for (unsigned b = 0; b < 128; b++) pass[b] = !in[b];
        jit_label(a, JIT_SKIP);
        if (long_stay(p, 0, pass)) jit_skip(a, p->skip_at, JIT_SKIP);
        jit_at_end(a, JIT_FOUND);
        jit_load(a);
        go_if_in(p, in, JIT_FOUND);
        jit_next(a);
        jit_jump(a, JIT_SKIP);
        jit_label(a, JIT_FOUND);
    }
    jit_label(a, JIT_BEGIN);
    jit_begin(a, p->r->forward.any_behind ? p->byte_at : 0);
    jit_label(a, JIT_MISS);
    jit_miss(a, false);
    jit_label(a, JIT_MISS_WIDE);
    jit_miss(a, true);
    jit_label(a, JIT_DONE_MATCH);
    jit_mark(a);
    jit_label(a, JIT_DONE);
    jit_store(a);
    jit_label(a, JIT_EXIT);
    jit_leave(a);
    jit_decoder(a, decode, p->d->y->stage1 != NULL);
}

static void write_detours(plan *p) {
    for (uint32_t i = 0; i < p->n_detour; i++) {
        jit_label(&p->a, label_of(p->d->n_state, 0) + i);
        jit_save(&p->a, p->o->action[p->detour[i].action]);
        jit_jump(&p->a, p->detour[i].label);
    }
}

static uint32_t start_label(const plan *p, unsigned behind) {
    const uint32_t state = p->d->start[behind] / p->d->n_sym;
    return p->a.label[state ? label_of(state, AT) : (uint32_t)JIT_DONE];
}

static void fill_tables(plan *p) {
    uint32_t *byte = (uint32_t *)(void *)(p->a.code + p->byte_at);
    uint32_t *wide = (uint32_t *)(void *)(p->a.code + p->wide_at);
    const re_syms *y = p->d->y;
    /* Row 0, of the dead state, holds the start states by the byte before. */
    for (unsigned b = 0; b < 128; b++) byte[b] = start_label(p, y->ascii[b]);
    for (uint32_t k = 2; k < p->d->n_state; k++) {
        const bool noted = always_matches(p, k);
        for (unsigned b = 0; b < 256; b++)
            byte[k * 256 + b] =
                p->a.label[b < 128 ? way(p, k, y->ascii[b], noted, false) : label_of(k, WIDE)];
        for (unsigned s = 0; s < p->d->n_sym; s++)
            wide[k * p->d->n_sym + s] = p->a.label[way(p, k, s, noted, true)];
    }
}

static bool write_code(plan *p) {
    const uint32_t n = p->d->n_state;
    const size_t sets = (3 * (size_t)n + 1 + 7) / 8 * 256;
    p->sets_at = 64;
    p->byte_at = p->sets_at + (uint32_t)sets;
    p->wide_at = p->byte_at + n * 256 * 4;
    p->skip_at = (p->wide_at + n * p->d->n_sym * 4 + 15) & ~15u;
    const size_t tables = p->skip_at + (size_t)n * 32;
    p->a.n_label = label_of(n, 0) + MAX_DETOURS;
    p->a.label = mem_array_zero(p->a.n_label, sizeof *p->a.label);
    p->a.cap = tables * 2 + 4096;
    p->a.code = mem_zero(p->a.cap);
    if (!p->a.label || !p->a.code) return false;
    p->a.n = tables;
    p->code_at = (uint32_t)tables;
    memset(p->a.code, 0x0F, 16); /* for jit_skip: the low half of a byte */
    write_frame(p);
    for (uint32_t k = 2; k < n && !p->a.failed; k++) write_state(p, k);
    write_detours(p);
    if (p->a.failed) return false;
    fill_tables(p);
    for (size_t i = 0; i < p->a.n_fix; i++)
        if (!jit_patch(&p->a, p->a.fix[i].at, p->a.label[p->a.fix[i].label])) return false;
    return true;
}

/* Into pages of its own, executable once written. false: refused. */
static bool install(re_jit *j, const jit_asm *a) {
    j->bytes = (a->n + 4095) & ~(size_t)4095;
    j->memory = mem_map(j->bytes);
    if (!j->memory) return false;
    memcpy(j->memory, a->code, a->n);
    __builtin___clear_cache((char *)j->memory, (char *)j->memory + a->n);
    return mprotect(j->memory, j->bytes, PROT_READ | PROT_EXEC) == 0;
}

static re_jit *make_code(plan *p) {
    re_jit *j = mem_zero(sizeof *j);
    const unsigned n = p->r->syms.n;
    if (j) j->start = mem_array(n, sizeof *j->start);
    bool ok = j && j->start && write_code(p);
    for (unsigned s = 0; ok && s < n; s++) j->start[s] = start_label(p, s);
    if (ok) {
        j->again = p->a.label[JIT_AGAIN];
        j->begin = p->a.label[JIT_BEGIN];
        j->enter = p->code_at;
        ok = install(j, &p->a);
    }
    mem_free(p->a.code);
    mem_free(p->a.label);
    mem_free(p->a.fix);
    if (ok) return j;
    re_jit_free(j);
    return NULL;
}

static bool fits(const re *r, uint32_t n_state) {
    return !r->syms.use_final && n_state <= MAX_STATES && r->syms.n <= MAX_SYMS;
}

/* The table of r->onepass in the shape of re_dfa.c. false: no memory, or its matches end in
 * different ways. */
static bool shape(re_dfa *d, const re *r, uint64_t *match_slots) {
    const re_onepass *o = r->onepass;
    const uint32_t n = r->syms.n, row = (1u << RE_ONEPASS_ROW) - 1;
    uint32_t action = 0;
    *d = (re_dfa){.y = &r->syms, .n_sym = n, .n_state = o->n_state + 1};
    d->trans = mem_array_zero((size_t)d->n_state * n, sizeof *d->trans);
    d->start = mem_array(n, sizeof *d->start);
    if (!d->trans || !d->start) return false;
    for (unsigned s = 0; s < n; s++) d->start[s] = o->start[s] + n;
    for (size_t c = n; c < (size_t)o->n_state * n; c++) {
        const uint32_t to = o->trans[c] & row;
        d->trans[c + n] = (to ? to + n : 0) | (o->match[c] ? RE_DFA_MATCH : 0);
        if (o->match[c] == 0) continue;
        if (action && o->match[c] != action) return false;
        action = o->match[c];
    }
    *match_slots = action ? o->action[action - 1] : 0;
    return true;
}

re_jit *re_jit_new(const re *r, bool groups) {
    plan p = {.r = r, .d = &r->first};
    if (!groups)
        return r->have_first && r->first.n_sym == r->syms.n && fits(r, r->first.n_state)
                   ? make_code(&p)
                   : NULL;
    re_dfa d = {0};
    re_jit *j = NULL;
    uint64_t match_slots;
    p.o = r->onepass;
    p.d = &d;
    if (fits(r, r->onepass->n_state + 1) && shape(&d, r, &match_slots)) j = make_code(&p);
    if (j) {
        j->match_slots = match_slots;
        j->n_slot = r->n_slot;
    }
    mem_free(d.trans);
    mem_free(d.start);
    return j;
}

void re_jit_free(re_jit *j) {
    if (!j) return;
    mem_unmap(j->memory, j->bytes);
    mem_free(j->start);
    mem_free(j);
}

/* Every member is set one by one: clearing the whole first costs as much as a short match. */
static void call(const re_jit *j, jit_run *r, const re_subject *s, size_t at, unsigned behind,
                 uint32_t entry) {
    jit_fn *fn;
    const uint8_t *enter = j->memory + j->enter;
    r->p = s->p + at;
    r->end = s->p + s->len;
    r->text = s->p;
    r->y = s->y;
    r->entry = j->memory + entry;
    r->start = j->memory + j->start[behind];
    r->patience = 256;
    r->last = r->saved = NULL;
    r->stage1 = s->y->stage1;
    r->stage2 = s->y->stage2;
    r->base = j->memory;
    memcpy(&fn, &enter, sizeof fn);
    fn(r);
}

size_t re_jit_many(const re_jit *j, const re_subject *s, size_t *at, unsigned behind, rz_span *out,
                   size_t cap) {
    jit_run r;
    r.out = out;
    r.out_end = out + cap;
    call(j, &r, s, *at, behind, j->again);
    *at = (size_t)(r.p - s->p);
    return (size_t)(r.out - out);
}

/* One try: the list of matches has no room. */
static void call_once(const re_jit *j, jit_run *r, const re_subject *s, size_t at, unsigned behind,
                      size_t *slot) {
    r->out = r->out_end = NULL;
    r->slot = slot;
    call(j, r, s, at, behind, j->begin);
}

size_t re_jit_one(const re_jit *j, const re_subject *s, size_t at, unsigned behind, size_t *read) {
    jit_run r;
    call_once(j, &r, s, at, behind, NULL);
    *read = (size_t)(r.read - s->p);
    return r.last ? (size_t)(r.last - s->p) : RE_NONE;
}

bool re_jit_groups(const re_jit *j, const re_subject *s, size_t at, unsigned behind, size_t *slot,
                   size_t *read) {
    for (uint32_t i = 0; i < j->n_slot; i++) slot[i] = RE_NONE;
    jit_run r;
    call_once(j, &r, s, at, behind, slot);
    *read = (size_t)(r.read - s->p);
    if (!r.last) return false;
    const uintptr_t text = (uintptr_t)s->p;
    slot[0] = at;
    slot[1] = (size_t)(r.last - s->p);
    if (r.saved && r.saved >= r.last) return false; /* a group was set on the way to no match */
    for (uint32_t i = 2; i < j->n_slot; i++)
        if (slot[i] != RE_NONE) slot[i] -= text;
    for (uint64_t m = j->match_slots; m; m &= m - 1) slot[__builtin_ctzll(m)] = slot[1];
    return true;
}

#else

re_jit *re_jit_new(const re *r, bool groups) {
    (void)r, (void)groups;
    return NULL;
}

void re_jit_free(re_jit *j) { (void)j; }

size_t re_jit_many(const re_jit *j, const re_subject *s, size_t *at, unsigned behind, rz_span *out,
                   size_t cap) {
    (void)j, (void)s, (void)at, (void)behind, (void)out, (void)cap;
    return 0;
}

size_t re_jit_one(const re_jit *j, const re_subject *s, size_t at, unsigned behind, size_t *read) {
    (void)j, (void)s, (void)behind;
    *read = at;
    return RE_NONE;
}

bool re_jit_groups(const re_jit *j, const re_subject *s, size_t at, unsigned behind, size_t *slot,
                   size_t *read) {
    (void)j, (void)s, (void)behind, (void)slot;
    *read = at;
    return false;
}

#endif
