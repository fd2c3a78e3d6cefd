/* gram_regex.c - the tree of a regular expression as a grammar.
 *
 * Which way of matching comes first does not matter here, so lazy loops are plain ones. ^ and $ are
 * understood where they frame a pattern or one of its alternatives. */
#include "grammar/gram_regex.h"

#include "regex/re_int.h"

typedef struct maker {
    gram_tree *t;
    const re_tree *re;
    gram_spell *spell;
    bool anywhere;
    status failed;
    err *e;
} maker;

static gram_node *refuse(maker *m, const char *what) {
    if (m->failed == RZ_OK)
        m->failed = err_set(m->e, RZ_EUNSUPPORTED, "grammar: a pattern with %s", what);
    return &m->t->none;
}

static gram_node *make_set(maker *m, uint32_t set) {
    const re_set *s = &m->re->set[set];
    gram_range *r = arena_alloc(&m->t->mem, (s->n + 1u) * sizeof *r);
    if (!r) {
        m->t->failed = true;
        return &m->t->none;
    }
    for (uint32_t i = 0; i < s->n; i++) r[i] = (gram_range){s->r[i].lo, s->r[i].hi};
    return m->spell ? m->spell(m->t, r, s->n) : gram_set(m->t, r, s->n);
}

/* Parts of a pattern nest as deeply as RE_MAX_NEST allows. */
static gram_node *make(maker *m, const re_node *n) {
    switch ((re_kind)n->kind) {
        case RE_N_EMPTY:
            return gram_new(m->t, GRAM_EMPTY);
        case RE_N_SET:
            return make_set(m, n->a);
        case RE_N_GROUP:
            return n->child ? make(m, n->child) : gram_new(m->t, GRAM_EMPTY);
        case RE_N_REPEAT:
            return gram_repeat(m->t, make(m, n->child), n->a, n->b);
        case RE_N_CAT:
        case RE_N_ALT: {
            gram_node *list = gram_new(m->t, n->kind == RE_N_CAT ? GRAM_CAT : GRAM_ALT);
            for (const re_node *c = n->child; c && m->failed == RZ_OK; c = c->next)
                gram_add(list, make(m, c));
            return list;
        }
        case RE_N_ATOMIC:
            return refuse(m, "possessive loops or atomic groups");
        case RE_N_LOOK:
            return refuse(m, "look-around");
        case RE_N_BACKREF:
            return refuse(m, "backreferences");
        case RE_N_ASSERT:
            break;
    }
    return refuse(m, n->how == RE_WORD ? "word boundaries" : "^ or $ inside");
}

/* ^ (behind) or $ without (?m). */
static bool is_edge(const maker *m, const re_node *n, re_assert_how how) {
    if (!n || n->kind != RE_N_ASSERT || n->how != how || !n->neg) return false;
    const re_set *s = &m->re->set[n->a];
    return s->n == 1 && s->r[0].lo == 0 && s->r[0].hi == UCD_MAX && s->flags == RE_SET_BAD;
}

static gram_node *anything(maker *m) {
    static const gram_range all = {0, GRAM_MAX_CHAR};
    gram_node *any = m->spell ? m->spell(m->t, &all, 1) : gram_set(m->t, &all, 1);
    return gram_repeat(m->t, any, 0, GRAM_INFINITE);
}

/* One alternative: what stands between its anchors, or with anything around it. */
static gram_node *make_framed(maker *m, const re_node *n) {
    const re_node *first = n->kind == RE_N_CAT ? n->child : n, *end = NULL, *last = first;
    if (n->kind != RE_N_CAT) end = n->next;
    for (const re_node *c = first; c && c != end; c = c->next) last = c;
    gram_node *cat = gram_new(m->t, GRAM_CAT);
    const bool begins = is_edge(m, first, RE_BEHIND), ends = is_edge(m, last, RE_AHEAD);
    if (!begins && m->anywhere) gram_add(cat, anything(m));
    for (const re_node *c = first; c && c != end && m->failed == RZ_OK; c = c->next)
        if (!(c == first && begins) && !(c == last && ends)) gram_add(cat, make(m, c));
    if (!ends && m->anywhere) gram_add(cat, anything(m));
    return cat;
}

static gram_node *make_whole(maker *m, const re_node *n) {
    while (n->kind == RE_N_GROUP && n->child) n = n->child;
    if (n->kind != RE_N_ALT) return make_framed(m, n);
    gram_node *alt = gram_new(m->t, GRAM_ALT);
    for (const re_node *c = n->child; c && m->failed == RZ_OK; c = c->next)
        gram_add(alt, make_framed(m, c));
    return alt;
}

status gram_regex(gram_tree *t, str pattern, bool anywhere, gram_spell *spell, gram_node **out,
                  err *e) {
    re_tree parsed = {0};
    status s = re_parse(&parsed, pattern, 0, e);
    maker m = {.t = t, .re = &parsed, .spell = spell, .anywhere = anywhere, .e = e};
    if (s >= 0) {
        *out = make_whole(&m, parsed.root);
        s = m.failed;
    }
    arena_free(&parsed.mem);
    return s;
}

status gram_read_regex(gram_tree *t, str pattern, err *e) {
    gram_node *body = NULL;
    TRY(gram_regex(t, pattern, false, NULL, &body, e));
    t->root = gram_rule_new(t, body);
    return gram_tree_check(t, e);
}
