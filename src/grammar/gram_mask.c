/* gram_mask.c - which tokens fit, by walking the vocabulary's tree together with the automata.
 *
 * For each state, the tokens that stay inside its rule do not depend on what is below on the stack:
 * they are found once, together with the places in the tree where the rule may be left. Only what
 * lies behind those places is walked for a whole stack, and it is little: nearly all of a
 * vocabulary is decided by "inside a string". */
#include "base/mem.h"
#include "grammar/gram_tables.h"

typedef struct walk {
    gram_tables *t;
    uint64_t *bits;
    uint32_t *pop, n_pop;
    size_t cap_pop;
    bool pops; /* note where the rule may be left */
    uint32_t reach;
} walk;

static void allow(walk *w, int32_t id) {
    for (; id >= 0; id = w->t->tree->same[id]) w->bits[id / 64] |= (uint64_t)1 << (id % 64);
}

static void note_pop(walk *w, uint32_t node) {
    if (mem_room(&w->pop, &w->cap_pop, w->n_pop + 1u, sizeof *w->pop)) w->pop[w->n_pop++] = node;
    else w->t->trouble = RZ_ENOMEM;
}

/* The nodes [from, to) of the tree, which lie below one whose config is `config`. */
static void walk_tree(walk *w, uint32_t config, uint32_t from, uint32_t to) {
    gram_tables *t = w->t;
    const tok_tree_node *node = t->tree->node;
    uint32_t at[TOK_TREE_DEPTH + 1];
    if (from >= to) return;
    const unsigned base = node[from].depth;
    at[0] = config;
    for (uint32_t i = from; i < to && t->trouble == RZ_OK;) {
        const tok_tree_node *n = &node[i];
        const unsigned depth = n->depth - base;
        const uint32_t next = gram_next(t, at[depth], n->byte);
        if (next == GRAM_DEAD) {
            i = n->end;
            continue;
        }
        at[depth + 1] = next;
        if (n->id >= 0) allow(w, n->id);
        if (w->pops) {
            const gram_config *c = &t->config[next];
            if (w->reach < c->reach) w->reach = c->reach;
            if (c->ends && n->end > i + 1) note_pop(w, i);
        }
        i++;
    }
}

/* What is in w as one block of memory. */
static gram_mask *keep(walk *w) {
    const size_t words = gram_words(w->t->tree);
    uint32_t n = 0;
    for (size_t i = 0; i < words; i++) n += (uint32_t)__builtin_popcountll(w->bits[i]);
    const bool dense = n / 2 > words;
    const size_t bytes =
        sizeof(gram_mask) + (dense ? words * 8 : n * sizeof(int32_t)) + w->n_pop * sizeof(uint32_t);
    gram_mask *m = mem_alloc(bytes);
    if (!m) {
        w->t->trouble = RZ_ENOMEM;
        return NULL;
    }
    *m = (gram_mask){.n = n, .n_pop = w->n_pop, .reach = w->reach, .dense = dense, .bytes = bytes};
    void *data = m + 1;
    if (dense) {
        m->bits = data;
        memcpy(m->bits, w->bits, words * 8);
        m->pop = (uint32_t *)(void *)(m->bits + words);
    } else {
        m->id = data;
        m->pop = (uint32_t *)(void *)(m->id + n);
        for (size_t i = 0, k = 0; i < words; i++)
            for (uint64_t left = w->bits[i]; left; left &= left - 1)
                m->id[k++] = (int32_t)(i * 64 + (size_t)__builtin_ctzll(left));
    }
    if (w->n_pop) memcpy(m->pop, w->pop, w->n_pop * sizeof *m->pop);
    w->t->bytes += bytes;
    return m;
}

static void add_mask(const gram_mask *m, uint64_t *bits, size_t words) {
    if (m->dense)
        for (size_t i = 0; i < words; i++) bits[i] |= m->bits[i];
    else
        for (uint32_t i = 0; i < m->n; i++) bits[m->id[i] / 64] |= (uint64_t)1 << (m->id[i] % 64);
}

/* Tokens inside the rule of that state, which is begun with nothing below it. */
static const gram_mask *local_mask(gram_tables *t, uint32_t state) {
    if (t->local[state]) return t->local[state];
    walk w = {.t = t, .bits = t->bits, .pops = true};
    memset(t->bits, 0, gram_words(t->tree) * sizeof *t->bits);
    const uint32_t frame = gram_frame_of(t, state, 0);
    const uint32_t config = gram_config_of(t, frame);
    w.reach = t->config[config].reach;
    walk_tree(&w, config, 0, t->tree->n);
    gram_mask *m = t->trouble == RZ_OK ? keep(&w) : NULL;
    mem_free(w.pop);
    t->local[state] = m;
    return m;
}

/* All tokens that fit, stack by stack; false: nesting is near its bound, where what is below
 * matters everywhere. */
static bool mask_by_state(gram_tables *t, uint32_t config, uint64_t *bits) {
    const tok_tree_node *node = t->tree->node;
    const uint32_t from = t->config[config].item, to = t->config[config + 1].item;
    for (uint32_t k = from; k < to && t->trouble == RZ_OK; k++) {
        const gram_frame f = t->frame[t->item[k]];
        const gram_mask *m = local_mask(t, f.state);
        if (!m) return true;
        if (m->reach == GRAM_UNKNOWN || f.depth + m->reach > t->a->max_depth) return false;
        add_mask(m, bits, gram_words(t->tree));
        if (!f.below || !m->n_pop) continue;
        walk w = {.t = t, .bits = bits};
        const uint32_t out = gram_config_of(t, f.below);
        for (uint32_t i = 0; i < m->n_pop && t->trouble == RZ_OK; i++)
            walk_tree(&w, out, m->pop[i] + 1, node[m->pop[i]].end);
    }
    return true;
}

void gram_tables_mask(gram_tables *t, uint32_t config, uint64_t *bits) {
    const size_t words = gram_words(t->tree);
    if (!t->mask[config]) {
        memset(bits, 0, words * sizeof *bits);
        walk w = {.t = t, .bits = bits};
        if (!mask_by_state(t, config, bits)) {
            memset(bits, 0, words * sizeof *bits);
            walk_tree(&w, config, 0, t->tree->n);
        }
        if (t->trouble == RZ_OK) t->mask[config] = keep(&w);
        return;
    }
    memset(bits, 0, words * sizeof *bits);
    add_mask(t->mask[config], bits, words);
}
