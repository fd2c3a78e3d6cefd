/* gram_auto.c - subsets of empty-step automata as states, a call to a rule being one symbol; then
 * what can never end is cut off.
 *
 * How deep a stack must still grow before a state's rule can end ("need") is known for every state.
 * Stacks are only entered that can end within the bound on nesting, so what is under way can always
 * be finished. */
#include "grammar/gram_auto.h"

#include <stdlib.h>

#include "base/mem.h"

enum { MAX_ITEMS = 5000000, MAX_LOOKS = 100000000, NO_NEED = UINT16_MAX };

typedef struct maker {
    gram_auto *a;
    const gram_nfa *n;
    size_t cap_state, cap_edge, cap_call, cap_item, cap_at;
    uint8_t *is_final;                 /* [n->n] */
    uint32_t *mark, *work, generation; /* [n->n] */
    uint32_t *list, n_list;            /* [n->n] the set being made */
    uint32_t *item, n_item;            /* members of all sets */
    uint32_t *item_at;                 /* [n_state + 1] */
    uint32_t *slot, n_slot;            /* hash table of state + 1 */
    const gram_arc **arc, **call;      /* [n->n_arc] of the state at work */
    uint32_t n_arc, n_callee, first_edge;
    uint32_t *start; /* [n->n_rule] states */
    bool failed, full;
} maker;

/* ---- sets of states ---- */

static void set_begin(maker *m) {
    m->generation++;
    m->n_list = 0;
}

/* Add a state and all that empty steps reach from it; what only has empty steps is left out. */
static void set_add(maker *m, uint32_t from) {
    uint32_t n = 0;
    if (m->mark[from] == m->generation) return;
    m->mark[from] = m->generation;
    m->work[n++] = from;
    while (n) {
        const uint32_t s = m->work[--n];
        bool keep = m->is_final[s];
        for (uint32_t i = m->n->first[s]; i != GRAM_INFINITE; i = m->n->arc[i].next) {
            const gram_arc *a = &m->n->arc[i];
            if (a->rule != GRAM_INFINITE || a->lo <= a->hi) {
                keep = true;
            } else if (m->mark[a->to] != m->generation) {
                m->mark[a->to] = m->generation;
                m->work[n++] = a->to;
            }
        }
        if (keep) m->list[m->n_list++] = s;
    }
}

static int by_number(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static bool grow_slots(maker *m) {
    const uint32_t n = m->n_slot ? m->n_slot * 2 : 1024;
    uint32_t *slot = mem_array_zero(n, sizeof *slot);
    if (!slot) return false;
    for (uint32_t s = 0; s < m->a->n_state; s++) {
        const uint32_t from = m->item_at[s], len = m->item_at[s + 1] - from;
        uint32_t at = (uint32_t)map_hash(m->item + from, len * sizeof *m->item, 1) & (n - 1);
        while (slot[at]) at = (at + 1) & (n - 1);
        slot[at] = s + 1;
    }
    mem_free(m->slot);
    m->slot = slot;
    m->n_slot = n;
    return true;
}

static bool add_state(maker *m) {
    gram_auto *a = m->a;
    m->full |= a->n_state >= GRAM_MAX_STATES || m->n_item > MAX_ITEMS;
    if (m->full) return false;
    const uint32_t n = a->n_state + 2; /* with the end of the last */
    bool ok = mem_room(&a->state, &m->cap_state, n, sizeof *a->state) &&
              mem_room(&m->item_at, &m->cap_at, n, sizeof *m->item_at) &&
              mem_room(&m->item, &m->cap_item, m->n_item + m->n_list + 1u, sizeof *m->item);
    if (ok && m->n_slot <= 2 * (a->n_state + 1)) ok = grow_slots(m);
    m->failed |= !ok;
    return ok;
}

/* The number of the state that is this set. */
static uint32_t set_state(maker *m) {
    gram_auto *a = m->a;
    qsort(m->list, m->n_list, sizeof *m->list, by_number);
    const size_t bytes = m->n_list * sizeof *m->list;
    const uint32_t hash = (uint32_t)map_hash(m->list, bytes, 1);
    if (m->n_slot)
        for (uint32_t at = hash & (m->n_slot - 1); m->slot[at]; at = (at + 1) & (m->n_slot - 1)) {
            const uint32_t s = m->slot[at] - 1, from = m->item_at[s];
            if (m->item_at[s + 1] - from == m->n_list &&
                (bytes == 0 || memcmp(m->item + from, m->list, bytes) == 0))
                return s;
        }
    if (!add_state(m)) return 0;
    uint32_t at = hash & (m->n_slot - 1);
    while (m->slot[at]) at = (at + 1) & (m->n_slot - 1);
    const uint32_t s = a->n_state++;
    m->slot[at] = s + 1;
    if (s == 0) m->item_at[0] = 0;
    if (bytes) memcpy(m->item + m->n_item, m->list, bytes);
    m->n_item += m->n_list;
    m->item_at[s + 1] = m->n_item;
    a->state[s] = (gram_state){0};
    for (uint32_t i = 0; i < m->n_list; i++) a->state[s].final |= m->is_final[m->list[i]] != 0;
    return s;
}

/* ---- edges ---- */

static void add_edge(maker *m, unsigned c, uint32_t to) {
    gram_auto *a = m->a;
    gram_edge *last = a->n_edge > m->first_edge ? &a->edge[a->n_edge - 1] : NULL;
    if (last && last->to == to && last->hi + 1u == c) {
        last->hi = (uint8_t)c;
        return;
    }
    m->full |= a->n_edge >= GRAM_MAX_EDGES;
    m->failed |= !mem_room(&a->edge, &m->cap_edge, a->n_edge + 1u, sizeof *a->edge);
    if (!m->full && !m->failed) a->edge[a->n_edge++] = (gram_edge){(uint8_t)c, (uint8_t)c, to};
}

static int by_rule(const void *a, const void *b) {
    const gram_arc *const *x = a, *const *y = b;
    return (*x)->rule < (*y)->rule ? -1 : (*x)->rule > (*y)->rule;
}

/* What leads on from the set that is state s: first all arcs, since `item` moves. */
static void gather(maker *m, uint32_t s) {
    m->n_arc = m->n_callee = 0;
    for (uint32_t k = m->item_at[s]; k < m->item_at[s + 1]; k++)
        for (uint32_t i = m->n->first[m->item[k]]; i != GRAM_INFINITE; i = m->n->arc[i].next) {
            const gram_arc *a = &m->n->arc[i];
            if (a->rule != GRAM_INFINITE) m->call[m->n_callee++] = a;
            else if (a->lo <= a->hi) m->arc[m->n_arc++] = a;
        }
}

static void expand(maker *m, uint32_t s) {
    gram_auto *a = m->a;
    uint8_t used[256] = {0};
    gather(m, s);
    const uint32_t first_edge = m->first_edge = a->n_edge, first_call = a->n_call;
    for (uint32_t i = 0; i < m->n_arc; i++)
        memset(used + a->class[m->arc[i]->lo], 1,
               (size_t)a -> class[m->arc[i]->hi] - a -> class[m->arc[i]->lo] + 1);
    for (unsigned c = 0; c < a->n_class && !m->failed && !m->full; c++) {
        if (!used[c]) continue;
        set_begin(m);
        for (uint32_t i = 0; i < m->n_arc; i++)
            if (a->class[m->arc[i]->lo] <= c && c <= a->class[m->arc[i]->hi])
                set_add(m, m->arc[i]->to);
        add_edge(m, c, set_state(m));
    }
    if (m->n_callee) qsort(m->call, m->n_callee, sizeof *m->call, by_rule);
    for (uint32_t i = 0; i < m->n_callee && !m->failed && !m->full;) {
        const uint32_t rule = m->call[i]->rule;
        set_begin(m);
        for (; i < m->n_callee && m->call[i]->rule == rule; i++) set_add(m, m->call[i]->to);
        const uint32_t back = set_state(m);
        m->failed |= !mem_room(&a->call, &m->cap_call, a->n_call + 1u, sizeof *a->call);
        if (!m->failed) a->call[a->n_call++] = (gram_callee){m->start[rule], back};
    }
    if (m->failed || m->full) return;
    a->state[s].edge = first_edge;
    a->state[s].call = first_call;
}

/* Bytes that all arcs treat alike. */
static void make_classes(gram_auto *a, const gram_nfa *n) {
    bool begins[257] = {true};
    for (uint32_t i = 0; i < n->n_arc; i++)
        if (n->arc[i].rule == GRAM_INFINITE && n->arc[i].lo <= n->arc[i].hi)
            begins[n->arc[i].lo] = begins[n->arc[i].hi + 1] = true;
    unsigned c = 0;
    for (unsigned b = 0; b < 256; b++) {
        if (b && begins[b]) c++;
        a->class[b] = (uint8_t)c;
    }
    a->n_class = c + 1;
}

static status determinize(gram_auto *a, const gram_nfa *n, uint32_t root, uint32_t **start,
                          err *e) {
    maker m = {.a = a, .n = n};
    make_classes(a, n);
    m.is_final = mem_zero(n->n);
    m.mark = mem_array_zero(n->n, sizeof *m.mark);
    m.work = mem_array(n->n, sizeof *m.work);
    m.list = mem_array(n->n, sizeof *m.list);
    m.arc = mem_array(n->n_arc, sizeof *m.arc);
    m.call = mem_array(n->n_arc, sizeof *m.call);
    m.start = mem_array(n->n_rule, sizeof *m.start);
    m.failed = !m.is_final || !m.mark || !m.work || !m.list || !m.arc || !m.call || !m.start;
    for (uint32_t r = 0; r < n->n_rule && !m.failed && !m.full; r++) {
        m.start[r] = GRAM_INFINITE;
        if (n->start[r] == GRAM_INFINITE) continue;
        m.is_final[n->final[r]] = 1;
        set_begin(&m);
        set_add(&m, n->start[r]);
        m.start[r] = set_state(&m);
    }
    for (uint32_t s = 0; s < a->n_state && !m.failed && !m.full; s++) expand(&m, s);
    if (!m.failed && !m.full) {
        a->start = m.start[root];
        a->state[a->n_state] = (gram_state){.edge = a->n_edge, .call = a->n_call};
    }
    mem_free(m.is_final);
    mem_free(m.mark);
    mem_free(m.work);
    mem_free(m.list);
    mem_free(m.item);
    mem_free(m.item_at);
    mem_free(m.slot);
    mem_free(m.arc);
    mem_free(m.call);
    *start = m.start;
    if (m.failed) return err_set(e, RZ_ENOMEM, "grammar: out of memory");
    if (m.full)
        return err_set(e, RZ_EFULL, "grammar: it takes more than %d states", GRAM_MAX_STATES);
    return RZ_OK;
}

/* ---- what can end ---- */

static bool is_bare(const gram_auto *a, uint32_t s) {
    const gram_state *q = &a->state[s];
    return q->final && q->edge == q[1].edge && q->call == q[1].call;
}

static uint16_t need_of(const gram_auto *a, uint32_t s) {
    const gram_state *q = &a->state[s];
    unsigned best = q->final ? 0 : NO_NEED;
    for (uint32_t i = q->edge; i < q[1].edge && best; i++)
        if (a->state[a->edge[i].to].need < best) best = a->state[a->edge[i].to].need;
    for (uint32_t i = q->call; i < q[1].call && best; i++) {
        unsigned n = a->state[a->call[i].start].need;
        const unsigned after = a->state[a->call[i].back].need;
        if (n == NO_NEED || after == NO_NEED) continue;
        if (!is_bare(a, a->call[i].back)) n++; /* a call that ends the rule takes no room */
        if (after > n) n = after;
        if (n < best) best = n;
    }
    return (uint16_t)best;
}

/* What states lean on: the CSR lists of those that look at state s. */
typedef struct leaning {
    uint32_t *at, *from;     /* [n_state + 1], [n_edge + 2 * n_call] */
    uint32_t *queue;         /* [n_state], a ring */
    bool *queued, *nullable; /* [n_state] */
} leaning;

static void leaning_done(leaning *l) {
    mem_free(l->at);
    mem_free(l->from);
    mem_free(l->queue);
    mem_free(l->queued);
    mem_free(l->nullable);
}

static void lean(leaning *l, uint32_t on, uint32_t s, bool count) {
    if (count) l->at[on + 1]++;
    else l->from[l->at[on]++] = s;
}

static void lean_all(const gram_auto *a, leaning *l, bool count) {
    for (uint32_t s = 0; s < a->n_state; s++) {
        for (uint32_t i = a->state[s].edge; i < a->state[s + 1].edge; i++)
            lean(l, a->edge[i].to, s, count);
        for (uint32_t i = a->state[s].call; i < a->state[s + 1].call; i++) {
            lean(l, a->call[i].start, s, count);
            lean(l, a->call[i].back, s, count);
        }
    }
}

static status leaning_make(const gram_auto *a, leaning *l, err *e) {
    const size_t n = a->n_state;
    l->at = mem_array_zero(n + 2, sizeof *l->at);
    l->from = mem_array((size_t)a->n_edge + 2 * (size_t)a->n_call, sizeof *l->from);
    l->queue = mem_array(n, sizeof *l->queue);
    l->queued = mem_array_zero(n, sizeof *l->queued);
    l->nullable = mem_array_zero(n, sizeof *l->nullable);
    if (!l->at || !l->from || !l->queue || !l->queued || !l->nullable)
        return err_set(e, RZ_ENOMEM, "grammar: out of memory");
    lean_all(a, l, true);
    for (size_t s = 0; s < n; s++) l->at[s + 1] += l->at[s];
    lean_all(a, l, false); /* which moves every start to its end: the next one's start */
    memmove(l->at + 1, l->at, n * sizeof *l->at);
    l->at[0] = 0;
    return RZ_OK;
}

/* Look at every state, and again at those that lean on one that has changed. */
static status settle(gram_auto *a, leaning *l, bool (*renew)(gram_auto *a, leaning *l, uint32_t s),
                     err *e) {
    uint32_t head = 0, n = a->n_state;
    uint64_t work = 0;
    for (uint32_t i = 0; i < n; i++) l->queue[i] = n - 1 - i;
    memset(l->queued, 1, n * sizeof *l->queued);
    for (uint32_t left = n; left; left--) {
        const uint32_t s = l->queue[head];
        head = head + 1 == n ? 0 : head + 1;
        l->queued[s] = false;
        work += a->state[s + 1].edge - a->state[s].edge + a->state[s + 1].call - a->state[s].call;
        if (work > MAX_LOOKS)
            return err_set(e, RZ_EFULL, "grammar: its rules build on each other too much");
        if (!renew(a, l, s)) continue;
        for (uint32_t i = l->at[s]; i < l->at[s + 1]; i++) {
            const uint32_t q = l->from[i];
            if (l->queued[q]) continue;
            l->queued[q] = true;
            const uint32_t end = head + left - 1;
            l->queue[end >= n ? end - n : end] = q;
            left++;
        }
    }
    return RZ_OK;
}

static bool renew_need(gram_auto *a, leaning *l, uint32_t s) {
    const uint16_t need = need_of(a, s), before = a->state[s].need;
    (void)l;
    a->state[s].need = need;
    return need != before;
}

static status find_needs(gram_auto *a, leaning *l, err *e) {
    for (uint32_t s = 0; s < a->n_state; s++) a->state[s].need = NO_NEED;
    return settle(a, l, renew_need, e);
}

/* Without the edges and calls that lead to where no end is. */
static void cut_dead(gram_auto *a) {
    uint32_t n_edge = 0, n_call = 0, edge = 0, call = 0;
    for (uint32_t s = 0; s < a->n_state; s++) {
        const uint32_t edges = a->state[s + 1].edge, calls = a->state[s + 1].call;
        a->state[s].edge = n_edge;
        a->state[s].call = n_call;
        for (; edge < edges; edge++)
            if (a->state[a->edge[edge].to].need <= a->max_depth) a->edge[n_edge++] = a->edge[edge];
        for (; call < calls; call++)
            if (a->state[a->call[call].start].need <= a->max_depth &&
                a->state[a->call[call].back].need <= a->max_depth)
                a->call[n_call++] = a->call[call];
    }
    a->state[a->n_state].edge = a->n_edge = n_edge;
    a->state[a->n_state].call = a->n_call = n_call;
}

/* ---- left recursion: a call that comes back to where it began without reading a byte ---- */

static bool renew_nullable(gram_auto *a, leaning *l, uint32_t s) {
    const gram_state *q = &a->state[s];
    bool is = q->final;
    for (uint32_t i = q->call; i < q[1].call && !is; i++)
        is = l->nullable[a->call[i].start] && l->nullable[a->call[i].back];
    const bool changed = is != l->nullable[s];
    l->nullable[s] = is;
    return changed;
}

typedef struct tarjan {
    uint32_t *index, *low, *group; /* [n]; index 0: not seen; group 0: none yet */
    uint32_t *open, n_open;        /* seen and in no group */
    uint32_t *path, *at, n_path;   /* the walk, and how far each state on it has come */
    uint32_t next, n_group;
} tarjan;

/* Step k of state s: even into the rule that is called, odd past it if it may be empty. */
static uint32_t step_of(const gram_auto *a, const bool *nullable, uint32_t s, uint32_t k) {
    const gram_callee *c = &a->call[a->state[s].call + k / 2];
    if (k % 2 == 0) return c->start;
    return nullable[c->start] ? c->back : GRAM_INFINITE;
}

/* Tarjan 1972, with a stack of its own. */
static void group_from(const gram_auto *a, const bool *nullable, tarjan *w, uint32_t root) {
    w->path[0] = root;
    w->at[0] = 0;
    w->n_path = 1;
    w->index[root] = w->low[root] = ++w->next;
    w->open[w->n_open++] = root;
    while (w->n_path) {
        const uint32_t s = w->path[w->n_path - 1];
        const uint32_t steps = 2 * (a->state[s + 1].call - a->state[s].call);
        if (w->at[w->n_path - 1] < steps) {
            const uint32_t to = step_of(a, nullable, s, w->at[w->n_path - 1]++);
            if (to == GRAM_INFINITE) continue;
            if (w->index[to] == 0) {
                w->index[to] = w->low[to] = ++w->next;
                w->open[w->n_open++] = to;
                w->at[w->n_path] = 0;
                w->path[w->n_path++] = to;
            } else if (w->group[to] == 0 && w->index[to] < w->low[s]) {
                w->low[s] = w->index[to];
            }
            continue;
        }
        if (w->low[s] == w->index[s]) {
            w->n_group++;
            do w->group[w->open[--w->n_open]] = w->n_group;
            while (w->open[w->n_open] != s);
        }
        w->n_path--;
        if (w->n_path && w->low[s] < w->low[w->path[w->n_path - 1]])
            w->low[w->path[w->n_path - 1]] = w->low[s];
    }
}

static status refuse_left(const gram_auto *a, const gram_tree *t, const uint32_t *start,
                          const uint32_t *group, err *e) {
    for (uint32_t s = 0; s < a->n_state; s++)
        for (uint32_t i = a->state[s].call; i < a->state[s + 1].call; i++) {
            if (group[s] != group[a->call[i].start]) continue;
            uint32_t r = 0;
            while (r + 1 < t->n_rule && start[r] != a->call[i].start) r++;
            return err_set(e, RZ_EFORMAT,
                           "grammar: rule \"%.*s\" is left-recursive: it can call itself before "
                           "it has read anything",
                           STR_FMT(t->rule[r].name));
        }
    return RZ_OK;
}

static status check_left(gram_auto *a, leaning *l, const gram_tree *t, const uint32_t *start,
                         err *e) {
    const size_t n = a->n_state;
    tarjan w = {0};
    TRY(settle(a, l, renew_nullable, e));
    w.index = mem_array_zero(6 * n, sizeof *w.index);
    if (!w.index) return err_set(e, RZ_ENOMEM, "grammar: out of memory");
    w.low = w.index + n;
    w.group = w.low + n;
    w.open = w.group + n;
    w.path = w.open + n;
    w.at = w.path + n;
    for (uint32_t q = 0; q < n; q++)
        if (w.index[q] == 0) group_from(a, l->nullable, &w, q);
    const status s = refuse_left(a, t, start, w.group, e);
    mem_free(w.index);
    return s;
}

/* ---- all of it ---- */

static status refuse_dead(const gram_auto *a, const bool byte[256], err *e) {
    bool all = true;
    for (int b = 0; b < 256; b++) all &= byte[b];
    if (a->state[a->start].need != NO_NEED)
        return err_set(e, RZ_EFULL, "grammar: its rules nest more than %u deep", a->max_depth);
    if (!all)
        return err_set(
            e, RZ_EUNSUPPORTED,
            "grammar: no text that fits can be spelled with the bytes of this vocabulary");
    return err_set(e, RZ_EFORMAT, "grammar: no text fits it, every way through it is endless");
}

status gram_auto_make(gram_auto *a, const gram_tree *t, const bool byte[256], uint32_t max_depth,
                      err *e) {
    gram_nfa n = {0};
    leaning l = {0};
    uint32_t *start = NULL;
    *a = (gram_auto){.max_depth = max_depth < GRAM_MAX_DEPTH ? max_depth : GRAM_MAX_DEPTH};
    status s = gram_nfa_make(&n, t, byte, e);
    if (s >= 0) s = determinize(a, &n, t->root, &start, e);
    if (s >= 0) s = leaning_make(a, &l, e);
    if (s >= 0) s = check_left(a, &l, t, start, e);
    if (s >= 0) s = find_needs(a, &l, e);
    if (s >= 0 && a->state[a->start].need > a->max_depth) s = refuse_dead(a, byte, e);
    if (s >= 0) cut_dead(a);
    gram_nfa_done(&n);
    leaning_done(&l);
    mem_free(start);
    if (s < 0) gram_auto_done(a);
    return s;
}

void gram_auto_done(gram_auto *a) {
    mem_free(a->state);
    mem_free(a->edge);
    mem_free(a->call);
    *a = (gram_auto){0};
}
