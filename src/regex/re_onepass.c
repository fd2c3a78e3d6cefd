/* re_onepass.c - captures of a known match by a table, for patterns that never have two ways.
 *
 * Where at most one instruction of a walk takes each symbol, a match has one way through the
 * program, and the groups it sets are known entry by entry. The table is made from the program with
 * captures: a state is an instruction (and what lies behind, where an assertion asks). The span of
 * the match comes from the tables of re_dfa.c; so a choice between going on and matching needs no
 * second look: the way that ends where the match ends is the one. */
#include <string.h>

#include "base/mem.h"
#include "regex/re_run.h"

enum {
    MAX_CELL = 1 << 14,
    MAX_ACTION = 1 << (32 - RE_ONEPASS_ROW),
    MAX_INST = 2000,
    MAX_WORK = 400000,
    MAX_SLOT = 64,
    NO_MATCH = 0 /* in `match`; otherwise action + 1 */
};

typedef struct maker {
    re_onepass *o;
    const re_prog *p;
    const re_syms *y;
    uint16_t *behind;
    uint32_t *key; /* [cap] pc * n_sym + behind number of each state */
    uint32_t *mark, generation, *stack;
    uint64_t *slots; /* [n] set on the way to what is on the stack */
    uint32_t n_state, cap, work;
    bool failed; /* two ways, or too large, or no memory */
} maker;

static uint32_t action_of(maker *m, uint64_t slots) {
    re_onepass *o = m->o;
    for (uint32_t i = 0; i < o->n_action; i++)
        if (o->action[i] == slots) return i;
    uint64_t *a = o->n_action == MAX_ACTION
                      ? NULL
                      : mem_resize(o->action, (size_t)o->n_action + 1, sizeof *a);
    if (!a) {
        m->failed = true;
        return 0;
    }
    o->action = a;
    a[o->n_action] = slots;
    return o->n_action++;
}

/* Whether an assertion behind pc, before the next symbol, asks what lies behind. */
static bool asks_behind(maker *m, uint32_t pc) {
    uint32_t depth = 0;
    m->generation++;
    m->stack[depth++] = pc;
    while (depth > 0) {
        for (pc = m->stack[--depth]; m->mark[pc] != m->generation;) {
            const re_inst *i = &m->p->inst[pc];
            m->mark[pc] = m->generation;
            if (i->op == RE_OP_ASSERT && i->how != RE_AHEAD) return true;
            if (i->op == RE_OP_SET || i->op == RE_OP_MATCH) break;
            if (i->op == RE_OP_SPLIT) m->stack[depth++] = i->alt;
            pc = i->next;
        }
    }
    return false;
}

/* The row of the state at pc behind `sym`. */
static uint32_t state_of(maker *m, uint32_t pc, unsigned sym) {
    const uint32_t n = m->y->n;
    const uint32_t key = pc * n + (asks_behind(m, pc) ? m->behind[sym] : 0u);
    for (uint32_t s = 1; s < m->n_state; s++)
        if (m->key[s] == key) return s * n;
    if (m->n_state == m->cap) {
        m->failed = true;
        return 0;
    }
    m->key[m->n_state] = key;
    return m->n_state++ * n;
}

/* Where the walk for one symbol ends. */
typedef struct way {
    uint32_t next; /* 0: nothing takes the symbol */
    uint64_t slots, match_slots;
    bool matches;
} way;

static way walk(maker *m, uint32_t state, unsigned sym) {
    const uint32_t n = m->y->n;
    const unsigned behind = m->key[state] % n;
    uint32_t depth = 0;
    way w = {0};
    m->generation++;
    m->slots[depth] = 0;
    m->stack[depth++] = m->key[state] / n;
    while (depth > 0) {
        uint32_t pc = m->stack[--depth];
        uint64_t slots = m->slots[depth];
        for (; m->mark[pc] != m->generation; pc = m->p->inst[pc].next) {
            const re_inst *i = &m->p->inst[pc];
            m->mark[pc] = m->generation;
            m->work++;
            if (i->op == RE_OP_MATCH) { /* what has lower priority is not taken */
                w.matches = true;
                w.match_slots = slots;
                return w;
            }
            if (i->op == RE_OP_SET) {
                if (sym == m->y->edge || !re_sym_in(m->y, i->arg, sym)) break;
                m->failed |= w.next != 0;
                w.next = i->next;
                w.slots = slots;
                break;
            }
            if (i->op == RE_OP_ASSERT && !re_assert_holds(m->y, i, behind, sym)) break;
            if (i->op == RE_OP_SAVE && i->arg >= 2) slots |= (uint64_t)1 << i->arg;
            if (i->op == RE_OP_SPLIT) {
                m->slots[depth] = slots;
                m->stack[depth++] = i->alt;
            }
        }
    }
    return w;
}

static void fill(maker *m, uint32_t state, unsigned sym) {
    const size_t cell = (size_t)state * m->y->n + sym;
    const way w = walk(m, state, sym);
    if (w.matches) m->o->match[cell] = (uint16_t)(action_of(m, w.match_slots) + 1);
    if (w.next)
        m->o->trans[cell] = state_of(m, w.next, sym) | action_of(m, w.slots) << RE_ONEPASS_ROW;
}

/* States from which nothing is set any more but at the end, and that always in the same way: there
 * the rest need not be read. */
static void find_settled(maker *m) {
    re_onepass *o = m->o;
    const uint32_t n = m->y->n;
    for (uint32_t s = 1; s < m->n_state; s++)
        for (uint32_t c = s * n; c < (s + 1) * n; c++)
            if (o->match[c] != NO_MATCH) o->settled[s] = o->match[c];
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t s = 1; s < m->n_state; s++) {
            bool keep = o->settled[s] != NO_MATCH;
            for (uint32_t c = s * n; keep && c < (s + 1) * n; c++) {
                const uint32_t to = (o->trans[c] & ((1u << RE_ONEPASS_ROW) - 1)) / n;
                keep = o->trans[c] >> RE_ONEPASS_ROW == 0 &&
                       (o->match[c] == NO_MATCH || o->match[c] == o->settled[s]) &&
                       (to == 0 || o->settled[to] == o->settled[s]);
            }
            if (keep || o->settled[s] == NO_MATCH) continue;
            o->settled[s] = NO_MATCH;
            changed = true;
        }
    }
}

static bool suits(const re_prog *p, const re_syms *y, uint32_t n_slot) {
    if (n_slot > MAX_SLOT || n_slot <= 2 || p->n > MAX_INST || y->use_final) return false;
    for (uint32_t i = 0; i < p->n; i++) {
        const uint8_t op = p->inst[i].op;
        if (op == RE_OP_LOOK || op == RE_OP_BACKREF || op == RE_OP_ATOMIC) return false;
    }
    return true;
}

static bool make(maker *m) {
    re_onepass *o = m->o;
    const uint32_t n = m->y->n;
    m->cap = MAX_CELL / n;
    const size_t cells = (size_t)m->cap * n;
    m->behind = mem_array(n, sizeof *m->behind);
    m->key = mem_array(m->cap, sizeof *m->key);
    m->mark = mem_array_zero(m->p->n, sizeof *m->mark);
    m->stack = mem_array(m->p->n + 1, sizeof *m->stack);
    m->slots = mem_array(m->p->n + 1, sizeof *m->slots);
    o->trans = mem_array_zero(cells, sizeof *o->trans);
    o->match = mem_array_zero(cells, sizeof *o->match);
    o->settled = mem_array_zero(m->cap, sizeof *o->settled);
    o->start = mem_array(n, sizeof *o->start);
    if (!m->behind || !m->key || !m->mark || !m->stack || !m->slots || !o->trans || !o->match ||
        !o->settled || !o->start || m->cap < 2)
        return false;
    re_number_behind(m->p, m->y, m->behind);
    m->n_state = 1;
    if (action_of(m, 0) != 0) return false;
    for (unsigned s = 0; s < n; s++) o->start[s] = state_of(m, m->p->start, s);
    for (uint32_t s = 1; s < m->n_state; s++)
        for (unsigned sym = 0; sym < n; sym++) {
            fill(m, s, sym);
            if (m->failed || m->work > MAX_WORK) return false;
        }
    find_settled(m);
    o->n_state = m->n_state;
    return true;
}

re_onepass *re_onepass_new(const re_prog *p, const re_syms *y, uint32_t n_slot) {
    if (!suits(p, y, n_slot)) return NULL;
    re_onepass *o = mem_zero(sizeof *o);
    maker m = {.o = o, .p = p, .y = y};
    const bool ok = o && make(&m);
    mem_free(m.behind);
    mem_free(m.key);
    mem_free(m.mark);
    mem_free(m.stack);
    mem_free(m.slots);
    if (ok) return o;
    re_onepass_free(o);
    return NULL;
}

void re_onepass_free(re_onepass *o) {
    if (!o) return;
    mem_free(o->trans);
    mem_free(o->match);
    mem_free(o->settled);
    mem_free(o->start);
    mem_free(o->action);
    mem_free(o);
}

static void set_slots(uint64_t slots, size_t at, size_t *slot) {
    for (; slots; slots &= slots - 1) slot[__builtin_ctzll(slots)] = at;
}

bool re_onepass_run(const re_onepass *o, const re_subject *s, re_span span, uint32_t n_slot,
                    size_t *slot) {
    size_t len;
    const re_syms *y = s->y;
    const uint8_t *p = s->p + span.start, *end = s->p + span.end;
    uint32_t row = o->start[re_sym_before(s, span.start, &len)], last;
    for (uint32_t i = 2; i < n_slot; i++) slot[i] = RE_NONE;
    slot[0] = span.start;
    slot[1] = span.end;
    while (p < end) {
        len = 1;
        const unsigned sym = *p < 0x80 ? y->ascii[*p] : re_sym_wide(y, p, s->p + s->len, &len);
        const uint32_t t = o->trans[row + sym];
        row = t & ((1u << RE_ONEPASS_ROW) - 1);
        if (t >> RE_ONEPASS_ROW) {
            set_slots(o->action[t >> RE_ONEPASS_ROW], (size_t)(p - s->p), slot);
            last = o->settled[row / y->n];
            if (last != NO_MATCH) {
                set_slots(o->action[last - 1], span.end, slot);
                return true;
            }
        } else if (row == 0) {
            return false;
        }
        p += len;
    }
    last = o->match[row + re_sym_at(s, span.end, &len)];
    if (last == NO_MATCH) return false;
    set_slots(o->action[last - 1], span.end, slot);
    return true;
}
