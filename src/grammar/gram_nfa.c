/* gram_nfa.c - rules as automata with empty steps (Thompson 1968), over the bytes of UTF-8.
 *
 * Small rules that do not call themselves are written out where they are used: fewer calls to
 * follow later. Rules with a loop over many characters are kept apart, so that all their users
 * share one mask of tokens. */
#include "base/mem.h"
#include "grammar/gram_auto.h"
#include "unicode/utf8.h"

enum {
    MAX_ARCS = 1000000,
    MAX_NFA = 500000,
    MAX_WORK = 3000000, /* nodes laid down: repetitions of nothing make no states */
    MAX_SIZE = 1000000,
    INLINE_SIZE = 12,
    ONCE_SIZE = 2000,
    INLINE_DEPTH = 30,
    WIDE = 128, /* characters in a set whose masks are worth sharing */
};

typedef struct rule_info {
    uint32_t *callee; /* [n_callee], with repetitions */
    uint32_t n_callee, at;
    size_t cap_callee;
    uint32_t users, size, depth;
    uint8_t color; /* 0 not seen, 1 open, 2 done */
    bool recursive, wide, written_out;
} rule_info;

typedef struct maker {
    gram_nfa *n;
    const gram_tree *t;
    const bool *byte;
    rule_info *info;
    uint32_t *stack; /* [n_rule] */
    uint32_t work;
    bool failed; /* out of memory */
    bool full;
} maker;

/* ---- which rules are written out ---- */

static void note_callee(maker *m, rule_info *i, uint32_t rule) {
    if (!mem_room(&i->callee, &i->cap_callee, i->n_callee + 1u, sizeof *i->callee)) {
        m->failed = true;
        return;
    }
    i->callee[i->n_callee++] = rule;
    m->info[rule].users++;
}

static bool is_wide(const gram_node *n) {
    uint32_t total = 0;
    for (uint32_t i = 0; i < n->n_range; i++) total += n->range[i].hi - n->range[i].lo + 1;
    return total > WIDE;
}

/* Nodes below n; notes what is called, and loops over wide sets. */
static void look_at(maker *m, rule_info *i, const gram_node *n, bool looped) {
    i->size++;
    if (n->kind == GRAM_TEXT) i->size += (uint32_t)(n->text.len < 1000 ? n->text.len : 1000) / 8;
    if (n->kind == GRAM_RULE) note_callee(m, i, n->a);
    if (n->kind == GRAM_SET && looped && is_wide(n)) i->wide = true;
    if (n->kind == GRAM_REPEAT) {
        looped |= n->b > 8;
        i->size += n->b == GRAM_INFINITE ? n->a : n->b;
    }
    if (i->size > MAX_SIZE) i->size = MAX_SIZE;
    for (const gram_node *c = n->child; c && !m->failed; c = c->next) look_at(m, i, c, looped);
}

static void decide(maker *m, uint32_t rule) {
    rule_info *i = &m->info[rule];
    for (uint32_t k = 0; k < i->n_callee; k++) {
        const rule_info *c = &m->info[i->callee[k]];
        if (!c->written_out) continue;
        if (c->depth + 1 > i->depth) i->depth = c->depth + 1;
        i->size = i->size + c->size < ONCE_SIZE ? i->size + c->size : ONCE_SIZE;
        i->wide |= c->wide;
    }
    const bool once = i->users == 1 && i->size < ONCE_SIZE;
    i->written_out = rule != m->t->root && !i->recursive && i->depth < INLINE_DEPTH &&
                     (once || (i->size <= INLINE_SIZE && !i->wide));
}

/* From the root through all rules it needs, callees first. A rule that is met while it is open
 * calls itself: every cycle has one. */
static void visit_rules(maker *m) {
    uint32_t n = 0;
    m->stack[n++] = m->t->root;
    while (n && !m->failed) {
        const uint32_t rule = m->stack[n - 1];
        rule_info *i = &m->info[rule];
        if (i->color == 0) {
            i->color = 1;
            look_at(m, i, m->t->rule[rule].body, false);
        }
        if (i->at == i->n_callee) {
            i->color = 2;
            n--;
            continue;
        }
        const uint32_t next = i->callee[i->at++];
        if (m->info[next].color == 1) m->info[next].recursive = true;
        if (m->info[next].color == 0) m->stack[n++] = next;
    }
}

/* ---- states and arcs ---- */

static uint32_t new_state(maker *m) {
    gram_nfa *n = m->n;
    m->full |= n->n == MAX_NFA;
    m->failed |= !mem_room(&n->first, &n->cap, n->n + 1u, sizeof *n->first);
    if (m->failed || m->full) return 0;
    n->first[n->n] = GRAM_INFINITE;
    return n->n++;
}

static void new_arc(maker *m, uint32_t from, gram_arc arc) {
    gram_nfa *n = m->n;
    m->full |= n->n_arc == MAX_ARCS;
    m->failed |= !mem_room(&n->arc, &n->cap_arc, n->n_arc + 1u, sizeof *n->arc);
    if (m->failed || m->full) return;
    arc.next = n->first[from];
    n->arc[n->n_arc] = arc;
    n->first[from] = n->n_arc++;
}

static void step_free(maker *m, uint32_t from, uint32_t to) {
    new_arc(m, from, (gram_arc){.to = to, .rule = GRAM_INFINITE, .lo = 1, .hi = 0});
}

/* Those of the bytes lo..hi that there are. */
static void step_bytes(maker *m, uint32_t from, uint32_t to, unsigned lo, unsigned hi) {
    for (unsigned b = lo; b <= hi; b++) {
        if (!m->byte[b]) continue;
        unsigned end = b;
        while (end < hi && m->byte[end + 1]) end++;
        new_arc(m, from, (gram_arc){to, 0, GRAM_INFINITE, (uint8_t)b, (uint8_t)end});
        b = end;
    }
}

/* The characters lo..hi, whose encodings have `len` bytes each, as sequences of byte ranges: cut
 * where a following byte would not run through all of 80..BF. */
static void step_encoded(maker *m, uint32_t from, uint32_t to, uint32_t lo, uint32_t hi,
                         unsigned len) {
    for (unsigned tail = 1; tail < len; tail++) {
        const uint32_t low = (1u << (6 * tail)) - 1;
        if ((lo & ~low) == (hi & ~low)) continue;
        if (lo & low) {
            step_encoded(m, from, to, lo, lo | low, len);
            step_encoded(m, from, to, (lo | low) + 1, hi, len);
            return;
        }
        if ((hi & low) != low) {
            step_encoded(m, from, to, lo, (hi & ~low) - 1, len);
            step_encoded(m, from, to, hi & ~low, hi, len);
            return;
        }
    }
    char a[4], b[4];
    if (utf8_encode(lo, a) != len || utf8_encode(hi, b) != len) return;
    for (unsigned i = 0; i < len; i++) {
        const uint32_t next = i + 1 == len ? to : new_state(m);
        step_bytes(m, from, next, (uint8_t)a[i], (uint8_t)b[i]);
        from = next;
    }
}

static void step_range(maker *m, uint32_t from, uint32_t to, gram_range r) {
    static const struct {
        uint32_t lo, hi;
        unsigned len;
    } part[] = {{0, 0x7F, 1},
                {0x80, 0x7FF, 2},
                {0x800, 0xD7FF, 3},
                {0xE000, 0xFFFF, 3},
                {0x10000, 0x10FFFF, 4}};
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        const uint32_t lo = r.lo > part[i].lo ? r.lo : part[i].lo;
        const uint32_t hi = r.hi < part[i].hi ? r.hi : part[i].hi;
        if (lo <= hi) step_encoded(m, from, to, lo, hi, part[i].len);
    }
}

/* ---- nodes ---- */

static uint32_t build(maker *m, const gram_node *n, uint32_t from);

static uint32_t build_repeat(maker *m, const gram_node *n, uint32_t from) {
    for (uint32_t i = 0; i < n->a && !m->failed && !m->full; i++) from = build(m, n->child, from);
    if (n->b == GRAM_INFINITE) { /* a state of its own, so that nothing else leads into the loop */
        const uint32_t loop = new_state(m), out = new_state(m);
        step_free(m, from, loop);
        step_free(m, build(m, n->child, loop), loop);
        step_free(m, loop, out);
        return out;
    }
    const uint32_t out = new_state(m);
    for (uint32_t i = n->a; i < n->b && !m->failed && !m->full; i++) {
        step_free(m, from, out);
        from = build(m, n->child, from);
    }
    step_free(m, from, out);
    return out;
}

/* Lay n down behind state `from`; the state behind it. Depth: groups times rules written out. */
static uint32_t build(maker *m, const gram_node *n, uint32_t from) {
    uint32_t out = from;
    if (++m->work > MAX_WORK) m->full = true;
    if (m->failed || m->full) return from;
    switch (n->kind) {
        case GRAM_EMPTY:
            return from;
        case GRAM_NEVER:
            return new_state(m);
        case GRAM_TEXT:
            for (size_t i = 0; i < n->text.len && !m->failed && !m->full; i++) {
                const uint32_t next = new_state(m);
                step_bytes(m, out, next, (uint8_t)n->text.p[i], (uint8_t)n->text.p[i]);
                out = next;
            }
            return out;
        case GRAM_SET:
            out = new_state(m);
            for (uint32_t i = 0; i < n->n_range; i++) step_range(m, from, out, n->range[i]);
            return out;
        case GRAM_CAT:
            for (const gram_node *c = n->child; c; c = c->next) out = build(m, c, out);
            return out;
        case GRAM_ALT:
            out = new_state(m);
            for (const gram_node *c = n->child; c; c = c->next) {
                const uint32_t way = new_state(m);
                step_free(m, from, way);
                step_free(m, build(m, c, way), out);
            }
            return out;
        case GRAM_REPEAT:
            return build_repeat(m, n, from);
        case GRAM_RULE:
            break;
    }
    if (m->info[n->a].written_out) return build(m, m->t->rule[n->a].body, from);
    out = new_state(m);
    new_arc(m, from, (gram_arc){.to = out, .rule = n->a, .lo = 1, .hi = 0});
    return out;
}

static void build_rules(maker *m) {
    for (uint32_t r = 0; r < m->t->n_rule && !m->failed && !m->full; r++) {
        m->n->start[r] = m->n->final[r] = GRAM_INFINITE;
        if (m->info[r].color == 0 || m->info[r].written_out) continue;
        m->n->start[r] = new_state(m);
        m->n->final[r] = build(m, m->t->rule[r].body, m->n->start[r]);
    }
}

/* Callees are decided before their callers: in the order in which visit_rules left them. */
static void decide_all(maker *m) {
    for (uint32_t r = 0; r < m->t->n_rule; r++) {
        m->info[r].color = m->info[r].color ? 1 : 0;
        m->info[r].at = 0;
    }
    uint32_t n = 0;
    m->stack[n++] = m->t->root;
    while (n) {
        const uint32_t rule = m->stack[n - 1];
        rule_info *i = &m->info[rule];
        i->color = 2;
        while (i->at < i->n_callee && m->info[i->callee[i->at]].color != 1) i->at++;
        if (i->at < i->n_callee) {
            m->stack[n++] = i->callee[i->at];
        } else {
            decide(m, rule);
            n--;
        }
    }
}

status gram_nfa_make(gram_nfa *n, const gram_tree *t, const bool byte[256], err *e) {
    maker m = {.n = n, .t = t, .byte = byte};
    *n = (gram_nfa){.n_rule = t->n_rule};
    m.info = mem_array_zero(t->n_rule, sizeof *m.info);
    m.stack = mem_array(t->n_rule, sizeof *m.stack);
    n->start = mem_array(t->n_rule, sizeof *n->start);
    n->final = mem_array(t->n_rule, sizeof *n->final);
    m.failed = !m.info || !m.stack || !n->start || !n->final;
    if (!m.failed) visit_rules(&m);
    if (!m.failed) decide_all(&m);
    if (!m.failed) build_rules(&m);
    for (uint32_t r = 0; m.info && r < t->n_rule; r++) mem_free(m.info[r].callee);
    mem_free(m.info);
    mem_free(m.stack);
    if (m.failed) return err_set(e, RZ_ENOMEM, "grammar: out of memory");
    if (m.full)
        return err_set(e, RZ_EFULL,
                       "grammar: with its repetitions written out it takes more than "
                       "%d states",
                       MAX_NFA);
    return RZ_OK;
}

void gram_nfa_done(gram_nfa *n) {
    mem_free(n->first);
    mem_free(n->arc);
    mem_free(n->start);
    mem_free(n->final);
}
