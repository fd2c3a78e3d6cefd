/* gram_tree.c - building blocks of grammars. Running out of memory is remembered in the tree, so
 * that readers ask once. */
#include "grammar/gram_tree.h"

#include <stdlib.h>

#include "base/mem.h"

void gram_tree_init(gram_tree *t) {
    *t = (gram_tree){0};
    t->mem.limit = GRAM_MAX_TREE;
}

void gram_tree_done(gram_tree *t) {
    mem_free(t->rule);
    map_free(&t->names);
    arena_free(&t->mem);
}

status gram_tree_check(const gram_tree *t, err *e) {
    if (!t->failed) return RZ_OK;
    if (t->n_rule >= GRAM_MAX_RULES)
        return err_set(e, RZ_EFULL, "grammar: more than %d rules", GRAM_MAX_RULES);
    if (t->mem.bytes > GRAM_MAX_TREE / 2)
        return err_set(e, RZ_EFULL, "grammar: it takes more than %d bytes to read", GRAM_MAX_TREE);
    return err_set(e, RZ_ENOMEM, "grammar: out of memory");
}

static gram_node *failed(gram_tree *t) {
    t->failed = true;
    t->none = (gram_node){.kind = GRAM_EMPTY};
    return &t->none;
}

gram_node *gram_new(gram_tree *t, gram_kind kind) {
    gram_node *n = arena_zero(&t->mem, 1, sizeof *n);
    if (!n) return failed(t);
    n->kind = kind;
    return n;
}

gram_node *gram_text(gram_tree *t, str text) {
    gram_node *n = gram_new(t, GRAM_TEXT);
    const char *p = arena_copy(&t->mem, text.p, text.len);
    if (!p) return failed(t);
    n->text = (str){p, text.len};
    return n;
}

gram_node *gram_literal(gram_tree *t, const char *text) {
    gram_node *n = gram_new(t, GRAM_TEXT);
    n->text = str_of(text);
    return n;
}

gram_node *gram_set(gram_tree *t, const gram_range *r, uint32_t n) {
    if (n == 0) return gram_new(t, GRAM_NEVER);
    gram_node *s = gram_new(t, GRAM_SET);
    s->range = arena_alloc(&t->mem, n * sizeof *r);
    if (!s->range) return failed(t);
    memcpy(s->range, r, n * sizeof *r);
    s->n_range = n;
    return s;
}

static int by_start(const void *a, const void *b) {
    const gram_range *x = a, *y = b;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

gram_node *gram_set_not(gram_tree *t, gram_range *r, uint32_t n) {
    gram_range *gap = arena_alloc(&t->mem, (n + 1u) * sizeof *gap);
    if (!gap) return failed(t);
    uint32_t next = 0, found = 0;
    if (n) qsort(r, n, sizeof *r, by_start);
    for (uint32_t i = 0; i < n; i++) {
        if (r[i].lo > next) gap[found++] = (gram_range){next, r[i].lo - 1};
        if (r[i].hi >= next) next = r[i].hi + 1;
    }
    if (next <= GRAM_MAX_CHAR) gap[found++] = (gram_range){next, GRAM_MAX_CHAR};
    return gram_set(t, gap, found);
}

gram_node *gram_repeat(gram_tree *t, gram_node *child, uint32_t min, uint32_t max) {
    if (max == 0) return gram_new(t, GRAM_EMPTY);
    if (min == 1 && max == 1) return child;
    gram_node *n = gram_new(t, GRAM_REPEAT);
    n->a = min;
    n->b = max;
    return gram_add(n, child);
}

gram_node *gram_call(gram_tree *t, uint32_t rule) {
    gram_node *n = gram_new(t, GRAM_RULE);
    n->a = rule;
    return n;
}

gram_node *gram_add(gram_node *parent, gram_node *child) {
    if (parent->last) parent->last->next = child;
    else parent->child = child;
    parent->last = child;
    return parent;
}

gram_node *gram_cat(gram_tree *t, gram_node *a, gram_node *b) {
    return gram_add(gram_add(gram_new(t, GRAM_CAT), a), b);
}

gram_node *gram_alt(gram_tree *t, gram_node *a, gram_node *b) {
    return gram_add(gram_add(gram_new(t, GRAM_ALT), a), b);
}

uint32_t gram_rule_new(gram_tree *t, gram_node *body) {
    if (t->n_rule >= GRAM_MAX_RULES ||
        !mem_room(&t->rule, &t->cap_rule, t->n_rule + 1u, sizeof *t->rule)) {
        t->failed = true;
        return GRAM_INFINITE;
    }
    t->rule[t->n_rule] = (gram_rule){.body = body};
    return t->n_rule++;
}

uint32_t gram_rule_named(gram_tree *t, str name, size_t used_at) {
    const uint64_t *found = map_get(&t->names, name);
    if (found) return (uint32_t)*found;
    const char *copy = arena_copy(&t->mem, name.p, name.len);
    const uint32_t r = copy ? gram_rule_new(t, NULL) : GRAM_INFINITE;
    if (!copy) t->failed = true;
    if (r == GRAM_INFINITE) return r;
    t->rule[r].name = (str){copy, name.len};
    t->rule[r].used_at = used_at;
    if (map_put(&t->names, t->rule[r].name, r) == MAP_NOMEM) t->failed = true;
    return r;
}
