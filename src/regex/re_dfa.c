/* re_dfa.c - determinisation, ahead of time or on the way. See re_run.h for the table's shape.
 *
 * Closures go through instructions that consume nothing. What can be decided without the next
 * symbol is decided when a state is made; assertions that look ahead stay in the list and are
 * opened once the symbol is known, at their place in the order of priorities. Where such an
 * assertion stands in a loop that can turn without consuming, the walk from it would take that turn
 * a second time, by choices the first walk had not come to yet; there the state is the list of
 * instructions the walk began at, and all of it is done again when the symbol is known. */
#include <string.h>

#include "base/mem.h"
#include "regex/re_run.h"

enum { DEAD = 0, UNKNOWN = 1, FIRST_STATE = 2, COMPLETE_WORK = 4000000 };

void re_number_behind(const re_prog *p, const re_syms *y, uint16_t *behind) {
    for (unsigned a = 0; a < y->n; a++) {
        behind[a] = 0;
        if (!p->any_behind) continue;
        for (unsigned b = 0; b <= a; b++) {
            bool same = true;
            for (uint32_t i = 0; same && i < p->n; i++) {
                const re_inst *in = &p->inst[i];
                if (in->op == RE_OP_ASSERT && in->how != RE_AHEAD)
                    same = re_sym_in(y, in->arg, a) == re_sym_in(y, in->arg, b);
            }
            if (!same) continue;
            behind[a] = (uint16_t)b;
            break;
        }
    }
}

static void forget(re_dfa *d) {
    memset(d->slot, 0, d->n_slot * sizeof *d->slot);
    for (unsigned i = 0; i < d->y->n; i++) d->start[i] = UNKNOWN * d->n_sym;
    d->n_state = FIRST_STATE;
    d->n_item = 0;
    for (unsigned i = 0; i <= FIRST_STATE; i++) d->item_at[i] = 0;
    memset(d->trans, 0, FIRST_STATE * d->n_sym * sizeof *d->trans);
}

status re_dfa_init(re_dfa *d, const re_prog *prog, const re_syms *y, unsigned n_look, bool search,
                   bool all, size_t limit, err *e) {
    const size_t n = prog->n + 1;
    *d = (re_dfa){.prog = prog,
                  .y = y,
                  .n_sym = (uint32_t)y->n << n_look,
                  .n_look = n_look,
                  .entry = search ? prog->search : prog->start,
                  .all = all,
                  .limit = limit};
    d->cap_state = 16;
    d->n_slot = 64;
    d->cap_item = 256;
    d->trans = mem_array((size_t)d->cap_state * d->n_sym, sizeof *d->trans);
    d->item_at = mem_array(d->cap_state + 1, sizeof *d->item_at);
    d->item = mem_array(d->cap_item, sizeof *d->item);
    d->slot = mem_array(d->n_slot, sizeof *d->slot);
    d->start = mem_array(y->n, sizeof *d->start);
    d->behind = mem_array(y->n, sizeof *d->behind);
    d->mark = mem_array_zero(n, sizeof *d->mark);
    d->stack = mem_array(2 * n, sizeof *d->stack);
    d->list = mem_array(n + 1, sizeof *d->list);
    d->next = mem_array(n + 1, sizeof *d->next);
    if (!d->trans || !d->item_at || !d->item || !d->slot || !d->start || !d->behind || !d->mark ||
        !d->stack || !d->list || !d->next) {
        re_dfa_done(d);
        return err_set(e, RZ_ENOMEM, "regex: out of memory");
    }
    re_number_behind(prog, y, d->behind);
    forget(d);
    return RZ_OK;
}

void re_dfa_done(re_dfa *d) {
    if (!d) return;
    mem_free(d->trans);
    mem_free(d->item_at);
    mem_free(d->item);
    mem_free(d->slot);
    mem_free(d->start);
    mem_free(d->behind);
    mem_free(d->mark);
    mem_free(d->stack);
    mem_free(d->list);
    mem_free(d->next);
    *d = (re_dfa){0};
}

/* ---- closures ---- */

/* What is known about the place a closure is made for. */
typedef struct place {
    unsigned behind, ahead; /* ahead: RE_INFINITE while the next symbol is not known */
    unsigned look;          /* bits of the oracle */
} place;

static void begin(re_dfa *d) {
    if (++d->generation == 0) {
        memset(d->mark, 0, (d->prog->n + 1) * sizeof *d->mark);
        d->generation = 1;
    }
}

static bool passes(const re_dfa *d, const re_inst *i, place at) {
    if (i->op == RE_OP_LOOK) return (at.look >> i->arg & 1) != i->neg;
    return re_assert_holds(d->y, i, at.behind, at.ahead);
}

/* Append to out[*n] what is reached from pc, by priority. true: a match cut the rest off. */
static bool close_over(re_dfa *d, uint32_t pc, place at, uint32_t *out, uint32_t *n) {
    uint32_t depth = 0;
    d->stack[depth++] = pc;
    while (depth > 0) {
        pc = d->stack[--depth];
        while (d->mark[pc] != d->generation) {
            const re_inst *i = &d->prog->inst[pc];
            d->mark[pc] = d->generation;
            d->work++;
            if (i->op == RE_OP_SPLIT) {
                d->stack[depth++] = i->alt;
            } else if (i->op == RE_OP_ASSERT || i->op == RE_OP_LOOK) {
                const bool early = i->op == RE_OP_ASSERT && i->how == RE_BEHIND;
                if (at.ahead == RE_INFINITE && !early) {
                    out[(*n)++] = pc;
                    break;
                }
                if (!passes(d, i, at)) break;
            } else if (i->op == RE_OP_SET || i->op == RE_OP_MATCH) {
                out[(*n)++] = pc;
                if (i->op == RE_OP_MATCH && !d->all) return true;
                break;
            }
            pc = i->next;
        }
    }
    return false;
}

/* ---- states ---- */

static uint32_t hash_items(const uint32_t *item, uint32_t n) {
    uint64_t h = n;
    for (uint32_t i = 0; i < n; i++) h = (h ^ item[i]) * 0xff51afd7ed558ccdu, h ^= h >> 32;
    return (uint32_t)h;
}

static bool grow_slots(re_dfa *d) {
    const uint32_t n = d->n_slot * 2;
    uint32_t *slot = mem_array_zero(n, sizeof *slot);
    if (!slot) return false;
    for (uint32_t s = FIRST_STATE; s < d->n_state; s++) {
        uint32_t at = hash_items(d->item + d->item_at[s], d->item_at[s + 1] - d->item_at[s]);
        for (at &= n - 1; slot[at]; at = (at + 1) & (n - 1)) continue;
        slot[at] = s;
    }
    mem_free(d->slot);
    d->slot = slot;
    d->n_slot = n;
    return true;
}

static bool grow_states(re_dfa *d) {
    const uint32_t cap = d->cap_state * 2;
    uint32_t *trans = mem_resize(d->trans, (size_t)cap * d->n_sym, sizeof *trans);
    if (!trans) return false;
    d->trans = trans;
    uint32_t *at = mem_resize(d->item_at, cap + 1, sizeof *at);
    if (!at) return false;
    d->item_at = at;
    d->cap_state = cap;
    return true;
}

static size_t table_bytes(const re_dfa *d, uint32_t more_items) {
    return ((size_t)(d->n_state + 1) * d->n_sym + d->n_item + more_items) * sizeof(uint32_t);
}

/* The row of the state with these items (the first is the context behind). RE_DFA_FAILED: no
 * memory, or past the limit of a table that must not start anew. */
static uint32_t intern_state(re_dfa *d, const uint32_t *item, uint32_t n) {
    if (n == 1) return DEAD;
    uint32_t at = hash_items(item, n) & (d->n_slot - 1);
    for (; d->slot[at]; at = (at + 1) & (d->n_slot - 1)) {
        const uint32_t s = d->slot[at];
        if (d->item_at[s + 1] - d->item_at[s] == n &&
            memcmp(d->item + d->item_at[s], item, n * sizeof *item) == 0)
            return s * d->n_sym;
    }
    if (d->n_state > FIRST_STATE + 2 && table_bytes(d, n) > d->limit) {
        if (d->complete) return RE_DFA_FAILED;
        d->resets++;
        forget(d);
        return intern_state(d, item, n);
    }
    if ((d->n_state == d->cap_state && !grow_states(d)) ||
        !mem_room(&d->item, &d->cap_item, (size_t)d->n_item + n, sizeof *d->item))
        return RE_DFA_FAILED;
    if (d->n_state * 2 > d->n_slot) {
        if (!grow_slots(d)) return RE_DFA_FAILED;
        at = hash_items(item, n) & (d->n_slot - 1);
        while (d->slot[at]) at = (at + 1) & (d->n_slot - 1);
    }
    const uint32_t s = d->n_state++;
    d->slot[at] = s;
    memcpy(d->item + d->n_item, item, n * sizeof *item);
    d->n_item += n;
    d->item_at[s + 1] = d->n_item;
    uint32_t *row = d->trans + (size_t)s * d->n_sym;
    for (uint32_t i = 0; i < d->n_sym; i++) row[i] = UNKNOWN * d->n_sym;
    return s * d->n_sym;
}

/* The seeds themselves, each once, as the list of a state; returns its length. */
static uint32_t list_seeds(re_dfa *d, const uint32_t *seed, uint32_t n_seed) {
    uint32_t n = 1;
    begin(d);
    for (uint32_t i = 0; i < n_seed; i++) {
        if (d->mark[seed[i]] == d->generation) continue;
        d->mark[seed[i]] = d->generation;
        d->list[n++] = seed[i];
    }
    return n;
}

/* The state reached at instructions seed[n] behind symbol `behind`. */
static uint32_t make_state(re_dfa *d, const uint32_t *seed, uint32_t n_seed, unsigned behind) {
    uint32_t n = 1;
    bool pending = false;
    begin(d);
    for (uint32_t i = 0; i < n_seed; i++)
        if (close_over(d, seed[i], (place){behind, RE_INFINITE, 0}, d->list, &n)) break;
    for (uint32_t i = 1; i < n && !pending; i++) {
        const uint8_t op = d->prog->inst[d->list[i]].op;
        pending = op == RE_OP_ASSERT || op == RE_OP_LOOK;
    }
    if (pending && d->prog->empty_loop_ahead) n = list_seeds(d, seed, n_seed);
    d->list[0] = pending ? d->behind[behind] : 0;
    return intern_state(d, d->list, n);
}

uint32_t re_dfa_start(re_dfa *d, unsigned sym) {
    if (d->start[sym] != UNKNOWN * d->n_sym) return d->start[sym];
    const uint32_t row = make_state(d, &d->entry, 1, sym);
    if (row != RE_DFA_FAILED) d->start[sym] = row;
    return row;
}

uint32_t re_dfa_step(re_dfa *d, uint32_t row, unsigned sym) {
    const uint32_t s = row / d->n_sym, from = d->item_at[s], to = d->item_at[s + 1];
    const unsigned look = sym / d->y->n, plain = sym % d->y->n;
    const place at = {d->item[from], plain, look};
    uint32_t n = 0, n_next = 0;
    bool match = false;
    begin(d);
    for (uint32_t i = from + 1; i < to; i++)
        if (close_over(d, d->item[i], at, d->list, &n)) break;
    for (uint32_t i = 0; i < n; i++) {
        const re_inst *in = &d->prog->inst[d->list[i]];
        if (in->op == RE_OP_MATCH) match = true;
        else if (plain != d->y->edge && re_sym_in(d->y, in->arg, plain))
            d->next[n_next++] = in->next;
    }
    const uint64_t resets = d->resets;
    const uint32_t next = make_state(d, d->next, n_next, plain);
    if (next == RE_DFA_FAILED) return RE_DFA_FAILED;
    const uint32_t t = next | (match ? RE_DFA_MATCH : 0);
    if (d->resets == resets) d->trans[row + sym] = t;
    return t;
}

bool re_dfa_complete(re_dfa *d) {
    d->complete = true;
    bool ok = true;
    for (unsigned i = 0; ok && i < d->y->n; i++) ok = re_dfa_start(d, i) != RE_DFA_FAILED;
    for (uint32_t s = FIRST_STATE; ok && s < d->n_state; s++)
        for (uint32_t sym = 0; ok && sym < d->n_sym; sym++) {
            ok = d->work < COMPLETE_WORK && re_dfa_step(d, s * d->n_sym, sym) != RE_DFA_FAILED;
        }
    d->complete = ok;
    return ok;
}

/* ---- running ---- */

static status no_memory(err *e) { return err_set(e, RZ_ENOMEM, "regex: out of memory"); }

/* Without look-around bits, up to `stop` (never the final newline): the loop that matters. */
static uint32_t run_plain(re_dfa *d, const re_subject *s, uint32_t row, const uint8_t **at,
                          const uint8_t *stop, const uint8_t **last) {
    const uint8_t *p = *at, *end = s->p + s->len, *found = *last;
    const uint16_t *ascii = s->y->ascii;
    const uint32_t *trans = d->trans;
    const uint32_t special = UNKNOWN * d->n_sym;
    while (p < stop) {
        size_t len = 1;
        const unsigned sym = *p < 0x80 ? ascii[*p] : re_sym_wide(s->y, p, end, &len);
        uint32_t t = trans[row + sym];
        if ((t & ~RE_DFA_MATCH) <= special) {
            if ((t & ~RE_DFA_MATCH) == special) {
                t = re_dfa_step(d, row, sym);
                if (t == RE_DFA_FAILED) return RE_DFA_FAILED;
                trans = d->trans;
            }
            if ((t & ~RE_DFA_MATCH) == DEAD) {
                if (t & RE_DFA_MATCH) found = p;
                row = DEAD;
                break;
            }
        }
        found = t & RE_DFA_MATCH ? p : found;
        row = t & ~RE_DFA_MATCH;
        p += len;
    }
    *at = p;
    *last = found;
    return row;
}

/* One symbol of whatever kind, or the end. */
static uint32_t step_any(re_dfa *d, uint32_t row, unsigned sym, unsigned look) {
    sym += look * d->y->n;
    const uint32_t t = d->trans[row + sym];
    return (t & ~RE_DFA_MATCH) == UNKNOWN * d->n_sym ? re_dfa_step(d, row, sym) : t;
}

/* The bits at `at` that this automaton knows: look-arounds that were simplified away, or that stand
 * elsewhere in the pattern, have bits above them. */
static unsigned look_at(const re_dfa *d, const uint16_t *look, size_t at) {
    return d->n_look ? look[at] & ((1u << d->n_look) - 1) : 0;
}

status re_dfa_forward(re_dfa *d, const re_subject *s, size_t at, size_t *end, size_t *stop,
                      err *e) {
    size_t len;
    const uint8_t *last = NULL, *p = s->p + at, *last_plain = s->p + s->len;
    uint32_t row = re_dfa_start(d, d->prog->any_behind ? re_sym_before(s, at, &len) : 0);
    if (row == RE_DFA_FAILED) return no_memory(e);
    if (s->y->use_final && s->len > at) last_plain--;
    if (d->n_sym == d->y->n) row = run_plain(d, s, row, &p, last_plain, &last);
    if (row == RE_DFA_FAILED) return no_memory(e);
    while (row != DEAD) {
        const size_t here = (size_t)(p - s->p);
        const unsigned sym = re_sym_at(s, here, &len);
        const uint32_t t = step_any(d, row, sym, look_at(d, s->look, here));
        if (t == RE_DFA_FAILED) return no_memory(e);
        if (t & RE_DFA_MATCH) last = p;
        if (sym == s->y->edge) break;
        row = t & ~RE_DFA_MATCH;
        p += len;
    }
    *end = last ? (size_t)(last - s->p) : RE_NONE;
    *stop = (size_t)(p - s->p);
    return RZ_OK;
}

status re_dfa_backward(re_dfa *d, const re_subject *s, size_t at, size_t from, size_t *start,
                       err *e) {
    size_t len, found = RE_NONE;
    uint32_t row = re_dfa_start(d, d->prog->any_behind ? re_sym_at(s, at, &len) : 0);
    while (row != DEAD && row != RE_DFA_FAILED) {
        const unsigned sym = re_sym_before(s, at, &len);
        const uint32_t t = step_any(d, row, sym, look_at(d, s->look, at));
        if (t == RE_DFA_FAILED) return no_memory(e);
        if (t & RE_DFA_MATCH) found = at;
        if (sym == s->y->edge || at - from < len || len == 0) break;
        row = t & ~RE_DFA_MATCH;
        at -= len;
    }
    if (row == RE_DFA_FAILED) return no_memory(e);
    *start = found;
    return RZ_OK;
}

status re_dfa_mark(re_dfa *d, const re_subject *s, uint16_t *look, unsigned bit, bool backward,
                   err *e) {
    size_t at = backward ? s->len : 0, len;
    uint32_t row = re_dfa_start(d, s->y->edge);
    if (row == RE_DFA_FAILED) return no_memory(e);
    for (;;) {
        const unsigned sym = backward ? re_sym_before(s, at, &len) : re_sym_at(s, at, &len);
        const uint32_t t = step_any(d, row, sym, look_at(d, look, at));
        if (t == RE_DFA_FAILED) return no_memory(e);
        if (t & RE_DFA_MATCH) look[at] |= (uint16_t)(1u << bit);
        if (len == 0) return RZ_OK;
        row = t & ~RE_DFA_MATCH;
        at = backward ? at - len : at + len;
    }
}
