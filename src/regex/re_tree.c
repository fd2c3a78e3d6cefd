/* re_tree.c - rewrites of the tree that keep its meaning and let automata run it.
 *
 * The important ones: a look-around at one character becomes an assertion, and a possessive loop
 * over a set becomes a plain loop that may only stop where the set does not go on: S*+ is S*(?!S).
 * So the patterns of tokenizers need no backtracking. What remains atomic or looks further is
 * counted in the tree, and limits the choice of engines. */
#include "regex/re_int.h"

static re_node *simplify(re_tree *t, re_node *n, bool in_look);

bool re_nullable(const re_node *n) {
    switch ((re_kind)n->kind) {
        case RE_N_SET:
            return false;
        case RE_N_CAT:
            for (const re_node *c = n->child; c; c = c->next)
                if (!re_nullable(c)) return false;
            return true;
        case RE_N_ALT:
            for (const re_node *c = n->child; c; c = c->next)
                if (re_nullable(c)) return true;
            return false;
        case RE_N_REPEAT:
            return n->a == 0 || re_nullable(n->child);
        case RE_N_GROUP:
        case RE_N_ATOMIC:
            return re_nullable(n->child);
        default:
            return true;
    }
}

/* Matches in one way at most, wherever it stands. */
static bool choiceless(const re_node *n) {
    switch ((re_kind)n->kind) {
        case RE_N_ALT:
            return false;
        case RE_N_REPEAT:
            if (n->a != n->b) return false;
            return choiceless(n->child);
        case RE_N_CAT:
            for (const re_node *c = n->child; c; c = c->next)
                if (!choiceless(c)) return false;
            return true;
        case RE_N_GROUP:
            return choiceless(n->child);
        default:
            return true;
    }
}

static re_node *list(re_tree *t, re_kind kind, re_node *a, re_node *b) {
    re_node *n = a && b ? re_node_new(t, kind) : NULL;
    if (!n) return NULL;
    n->child = a;
    a->next = b;
    b->next = NULL;
    return n;
}

static re_node *set_copy(re_tree *t, const re_node *set) {
    re_node *n = re_node_new(t, RE_N_SET);
    if (n) n->a = set->a;
    return n;
}

static re_node *assert_new(re_tree *t, re_assert_how how, bool neg, uint32_t set) {
    re_node *n = re_node_new(t, RE_N_ASSERT);
    if (!n) return NULL;
    n->how = (uint8_t)how;
    n->neg = neg;
    n->a = set;
    return n;
}

static re_node *repeat_new(re_tree *t, re_node *child, uint32_t min, uint32_t max) {
    re_node *n = child ? re_node_new(t, RE_N_REPEAT) : NULL;
    if (!n) return NULL;
    n->child = child;
    n->a = min;
    n->b = max;
    return n;
}

/* S{a,b}+ without the plus: all b, or fewer where no further one stands. */
static re_node *possessive_set(re_tree *t, re_node *rep) {
    const uint32_t min = rep->a, max = rep->b;
    re_node *set = rep->child;
    if (rep->lazy) {
        rep->lazy = false;
        rep->b = min;
        return rep;
    }
    if (min == max) return rep;
    re_node *stop = assert_new(t, RE_AHEAD, true, set->a);
    if (max == RE_INFINITE) return list(t, RE_N_CAT, rep, stop);
    re_node *all = max == 1 ? set_copy(t, set) : repeat_new(t, set_copy(t, set), max, max);
    re_node *fewer;
    if (max == 1) {
        fewer = stop;
    } else {
        rep->b = max - 1;
        fewer = list(t, RE_N_CAT, rep, stop);
    }
    return list(t, RE_N_ALT, all, fewer);
}

/* The set every match of n begins with, or NULL when that is not plain to see. */
static const re_set *first_set(const re_tree *t, const re_node *n) {
    if (n->kind == RE_N_SET) return &t->set[n->a];
    if (n->kind == RE_N_CAT || n->kind == RE_N_GROUP) return first_set(t, n->child);
    if (n->kind == RE_N_REPEAT && n->a > 0) return first_set(t, n->child);
    return NULL;
}

static bool disjoint(const re_set *a, const re_set *b) {
    for (uint32_t i = 0, j = 0; i < a->n && j < b->n;) {
        if (a->r[i].lo <= b->r[j].hi && b->r[j].lo <= a->r[i].hi) return false;
        if (a->r[i].hi < b->r[j].hi) i++;
        else j++;
    }
    return true;
}

static bool alternatives_exclude_each_other(const re_tree *t, const re_node *alt) {
    enum { MOST = 16 };
    const re_set *first[MOST];
    size_t n = 0;
    for (const re_node *c = alt->child; c; c = c->next) {
        if (n == MOST || !(first[n] = first_set(t, c))) return false;
        for (size_t i = 0; i < n; i++)
            if (!disjoint(first[i], first[n])) return false;
        n++;
    }
    return true;
}

static re_node *atomic(re_tree *t, re_node *x) {
    if (choiceless(x)) return x;
    if (x->kind == RE_N_REPEAT && x->child->kind == RE_N_SET) return possessive_set(t, x);
    re_node **last = NULL;
    if (x->kind == RE_N_GROUP) {
        last = &x->child;
    } else if (x->kind == RE_N_CAT) {
        for (last = &x->child; (*last)->next && choiceless(*last);) last = &(*last)->next;
        if ((*last)->next) last = NULL;
    } else if (x->kind == RE_N_ALT && alternatives_exclude_each_other(t, x)) {
        for (last = &x->child; *last; last = &(*last)->next) {
            re_node *after = (*last)->next;
            re_node *n = atomic(t, *last);
            if (!n) return NULL;
            n->next = after;
            *last = n;
        }
        return x;
    }
    if (last) {
        re_node *n = atomic(t, *last);
        if (!n) return NULL;
        n->next = NULL;
        *last = n;
        return x;
    }
    re_node *n = re_node_new(t, RE_N_ATOMIC);
    if (!n) return NULL;
    n->child = x;
    t->atomics = true;
    return n;
}

static bool is_one(const re_node *n) { return n->kind == RE_N_SET || (n->kind == RE_N_ASSERT); }

/* (?=x) or the like for x a set or an assertion. */
static re_node *look_one(re_tree *t, const re_node *look, const re_node *x) {
    if (x->kind == RE_N_ASSERT)
        return assert_new(t, (re_assert_how)x->how, x->neg != look->neg, x->a);
    return assert_new(t, look->behind ? RE_BEHIND : RE_AHEAD, look->neg, x->a);
}

/* (?=a|b) is (?=a)|(?=b), and (?!a|b) is (?!a)(?!b), for one-character alternatives. */
static re_node *look_alternatives(re_tree *t, const re_node *look) {
    re_node *n = re_node_new(t, look->neg ? RE_N_CAT : RE_N_ALT);
    if (!n) return NULL;
    re_node **tail = &n->child;
    for (const re_node *c = look->child->child; c; c = c->next, tail = &(*tail)->next)
        if (!(*tail = look_one(t, look, c))) return NULL;
    return n;
}

static bool holds_group(const re_node *n) {
    if (n->kind == RE_N_GROUP) return true;
    for (const re_node *c = n->child; c; c = c->next)
        if (holds_group(c)) return true;
    return false;
}

static bool holds_kind(const re_node *n, re_kind kind) {
    if (n->kind == kind) return true;
    for (const re_node *c = n->child; c; c = c->next)
        if (holds_kind(c, kind)) return true;
    return false;
}

static re_node *look(re_tree *t, re_node *n) {
    re_node *x = n->child;
    const bool plain = !holds_group(x) && !holds_kind(x, RE_N_BACKREF);
    if (x->kind == RE_N_ATOMIC && plain) x = n->child = x->child;
    /* Only whether it matches counts: a loop at the end need not go on. */
    if (x->kind == RE_N_REPEAT && x->a > 0 && plain) {
        x->b = x->a;
        if (x->a == 1) x = n->child = x->child;
    }
    if (plain && re_nullable(x) && !holds_kind(x, RE_N_ASSERT) && !holds_kind(x, RE_N_LOOK)) {
        if (!n->neg) return re_node_new(t, RE_N_EMPTY);
        const re_set none = {NULL, 0, 0, 0};
        re_node *never = re_node_new(t, RE_N_SET);
        if (never) never->a = re_intern(t, &none);
        return never;
    }
    if (is_one(x)) return look_one(t, n, x);
    if (x->kind == RE_N_ALT) {
        const re_node *c = x->child;
        while (c && is_one(c)) c = c->next;
        if (!c) return look_alternatives(t, n);
    }
    if (holds_group(x)) t->look_groups = true;
    if (n->behind && (holds_kind(x, RE_N_BACKREF) || holds_kind(x, RE_N_ATOMIC)))
        t->behind_backref = true;
    n->a = t->n_look;
    if (t->n_look < RE_MAX_LOOK) t->look[t->n_look] = n;
    t->n_look++;
    return n;
}

/* Neighbouring one-character alternatives are one set. */
static bool join_sets(re_tree *t, re_node *alt) {
    for (re_node *c = alt->child; c && c->next;) {
        re_node *d = c->next;
        if (c->kind != RE_N_SET || d->kind != RE_N_SET) {
            c = d;
            continue;
        }
        re_set s = {NULL, 0, 0, t->set[c->a].flags};
        if (!re_set_add_all(&t->mem, &s, &t->set[c->a]) ||
            !re_set_add_all(&t->mem, &s, &t->set[d->a]))
            return false;
        re_set_sort(&s);
        c->a = re_intern(t, &s);
        if (c->a == RE_INFINITE) return false;
        c->next = d->next;
    }
    return true;
}

/* Simplify the children of a sequence or alternation, taking in those of the same kind. */
static re_node *flatten(re_tree *t, re_node *n, bool in_look) {
    for (re_node **at = &n->child; *at;) {
        re_node *after = (*at)->next;
        re_node *c = simplify(t, *at, in_look);
        if (!c) return NULL;
        if (c->kind == RE_N_EMPTY && n->kind == RE_N_CAT) {
            *at = after;
        } else if (c->kind == n->kind) {
            *at = c->child;
            while (*at) at = &(*at)->next;
            *at = after;
        } else {
            *at = c;
            c->next = after;
            at = &c->next;
        }
    }
    if (n->kind == RE_N_ALT && !join_sets(t, n)) return NULL;
    if (!n->child) n->kind = RE_N_EMPTY;
    else if (!n->child->next) return n->child;
    return n;
}

/* Recursion is as deep as groups are nested. */
static re_node *simplify(re_tree *t, re_node *n, bool in_look) {
    if (n->kind == RE_N_CAT || n->kind == RE_N_ALT) return flatten(t, n, in_look);
    if (!n->child) return n;
    n->child = simplify(t, n->child, in_look || n->kind == RE_N_LOOK);
    if (!n->child) return NULL;
    n->child->next = NULL;
    if (n->kind == RE_N_LOOK) return look(t, n);
    if (n->kind == RE_N_ATOMIC) return atomic(t, n->child);
    if (n->kind == RE_N_REPEAT && n->a == 1 && n->b == 1) return n->child;
    if (n->kind == RE_N_REPEAT && n->b == 0) return re_node_new(t, RE_N_EMPTY);
    return n;
}

/* What is matched last is not taken back by anything: an atomic group there is an ordinary one. */
static re_node *loosen_tail(re_node *n) {
    while (n->kind == RE_N_ATOMIC) {
        n->child->next = n->next;
        n = n->child;
    }
    if (n->kind == RE_N_GROUP) {
        n->child = loosen_tail(n->child);
    } else if (n->kind == RE_N_ALT) {
        for (re_node **c = &n->child; *c; c = &(*c)->next) *c = loosen_tail(*c);
    } else if (n->kind == RE_N_CAT) {
        re_node **c = &n->child;
        while ((*c)->next) c = &(*c)->next;
        *c = loosen_tail(*c);
    }
    return n;
}

status re_simplify(re_tree *t, err *e) {
    re_node *root = simplify(t, loosen_tail(t->root), false);
    if (!root) {
        if (t->n_set == RE_MAX_SET)
            return err_set(e, RZ_EFULL, "regex: more than %d different sets", RE_MAX_SET);
        return err_set(e, RZ_ENOMEM, "regex: out of memory");
    }
    if (t->n_look > RE_MAX_LOOK)
        return err_set(e, RZ_EFULL, "regex: more than %d look-arounds longer than a character",
                       RE_MAX_LOOK);
    if (t->behind_backref)
        return err_set(e, RZ_EUNSUPPORTED,
                       "regex: a backreference or atomic group inside look-behind");
    t->root = root;
    return RZ_OK;
}
