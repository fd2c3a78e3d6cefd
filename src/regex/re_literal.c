/* re_literal.c - finding the strings of a pattern in its tree, and in texts.
 *
 * The strings are the beginnings of all matches, multiplied out as far as RE_LIT_MAX of them allow;
 * what is wider than a few characters ends a string. They are searched by fingerprint with the
 * shuffle instructions of re_literal_avx2.c and re_literal_neon.c ("Teddy", after the Hyperscan
 * paper: X. Wang and others, NSDI 2019), or byte by byte with the same tables. */
#include "regex/re_literal.h"

#include <string.h>

#include "base/cpu.h"
#include "unicode/utf8.h"

enum {
    MAX_VARIANTS = 4, /* characters of a set that is still a literal */
    MAX_DEPTH = 100   /* of the tree; what is below is taken for anything */
};

typedef struct lit {
    uint8_t text[RE_LIT_BYTES];
    uint8_t len;
    bool exact; /* all of the match so far, not its beginning */
} lit;

typedef struct list {
    lit item[RE_LIT_MAX];
    uint32_t n; /* 0: anything */
} list;

static const list anything = {.n = 0};
static const list nothing = {.item = {{.exact = true}}, .n = 1};

static list prefixes(const re_tree *t, const re_node *n, int depth);

static bool add(list *l, lit x) {
    if (l->n == RE_LIT_MAX) return false;
    l->item[l->n++] = x;
    return true;
}

static list of_set(const re_set *s) {
    list l = {.n = 0};
    uint32_t count = 0;
    if (s->flags & RE_SET_BAD) return anything;
    for (uint32_t i = 0; i < s->n; i++) {
        count += s->r[i].hi - s->r[i].lo + 1;
        if (count > MAX_VARIANTS) return anything;
    }
    for (uint32_t i = 0; i < s->n; i++)
        for (uint32_t cp = s->r[i].lo; cp <= s->r[i].hi; cp++) {
            lit x = {.exact = true};
            char bytes[4];
            x.len = (uint8_t)utf8_encode(cp, bytes);
            memcpy(x.text, bytes, x.len);
            add(&l, x);
        }
    return l;
}

static void end_all(list *l) {
    for (uint32_t i = 0; i < l->n; i++) l->item[i].exact = false;
}

/* a, then b. Too many: what there is of a. */
static list join(const list *a, const list *b) {
    list out = {.n = 0}, cut = *a;
    end_all(&cut);
    if (b->n == 0) return cut;
    for (uint32_t i = 0; i < a->n; i++) {
        if (!a->item[i].exact) {
            if (!add(&out, a->item[i])) return cut;
            continue;
        }
        for (uint32_t k = 0; k < b->n; k++) {
            lit x = a->item[i];
            const uint32_t room = RE_LIT_BYTES - (uint32_t)x.len;
            const uint32_t n = b->item[k].len < room ? b->item[k].len : room;
            memcpy(x.text + x.len, b->item[k].text, n);
            x.exact = b->item[k].exact && n == b->item[k].len;
            x.len = (uint8_t)(x.len + n);
            if (!add(&out, x)) return cut;
        }
    }
    return out;
}

/* a or else b. */
static list either(const list *a, const list *b) {
    list out = *a;
    if (a->n == 0 || b->n == 0) return anything;
    for (uint32_t i = 0; i < b->n; i++)
        if (!add(&out, b->item[i])) return anything;
    return out;
}

static list of_repeat(const re_tree *t, const re_node *n, int depth) {
    const list one = prefixes(t, n->child, depth + 1);
    list l = nothing;
    if (n->a == 0) {
        list some = one;
        if (n->b > 1) end_all(&some);
        return n->lazy ? either(&nothing, &some) : either(&some, &nothing);
    }
    for (uint32_t i = 0; i < n->a && i < RE_LIT_BYTES; i++) l = join(&l, &one);
    if (n->b != n->a || n->a > RE_LIT_BYTES) end_all(&l);
    return l;
}

static list prefixes(const re_tree *t, const re_node *n, int depth) {
    list l = nothing;
    if (depth > MAX_DEPTH) return anything;
    switch ((re_kind)n->kind) {
        case RE_N_SET:
            return of_set(&t->set[n->a]);
        case RE_N_CAT:
            for (const re_node *c = n->child; c; c = c->next) {
                const list more = prefixes(t, c, depth + 1);
                l = join(&l, &more);
            }
            return l;
        case RE_N_ALT:
            l = prefixes(t, n->child, depth + 1);
            for (const re_node *c = n->child->next; c; c = c->next) {
                const list other = prefixes(t, c, depth + 1);
                l = either(&l, &other);
            }
            return l;
        case RE_N_REPEAT:
            return of_repeat(t, n, depth);
        case RE_N_GROUP:
        case RE_N_ATOMIC:
            return prefixes(t, n->child, depth + 1);
        case RE_N_BACKREF:
            return anything;
        default: /* consumes nothing, and what follows still begins here */
            return nothing;
    }
}

static bool has_condition(const re_node *n) {
    if (n->kind == RE_N_ASSERT || n->kind == RE_N_LOOK || n->kind == RE_N_BACKREF ||
        n->kind == RE_N_ATOMIC)
        return true;
    for (const re_node *c = n->child; c; c = c->next)
        if (has_condition(c)) return true;
    return false;
}

static void fill_tables(re_literals *l) {
    for (uint32_t i = 0; i < l->n; i++)
        for (uint32_t k = 0; k < l->print; k++) {
            const uint8_t b = l->text[i][k], bit = (uint8_t)(1u << i % 8);
            l->low[k][b & 15] |= bit;
            l->high[k][b >> 4] |= bit;
        }
    for (uint32_t k = 0; k < l->print; k++)
        for (uint32_t b = 0; b < 256; b++) l->byte[k][b] = l->low[k][b & 15] & l->high[k][b >> 4];
}

bool re_literals_make(re_literals *l, const re_tree *t) {
    const list p = prefixes(t, t->root, 0);
    uint32_t least = RE_LIT_BYTES;
    *l = (re_literals){.n = p.n, .whole = !has_condition(t->root)};
    for (uint32_t i = 0; i < p.n; i++) {
        memcpy(l->text[i], p.item[i].text, RE_LIT_BYTES);
        l->len[i] = p.item[i].len;
        if (l->len[i] < least) least = l->len[i];
        l->whole &= p.item[i].exact;
    }
    l->print = least < RE_LIT_PRINT ? least : RE_LIT_PRINT;
    /* One byte, or many short strings, stand in a text too often. */
    if (p.n == 0 || least < 2 || (least == 2 && p.n > 4)) return false;
    fill_tables(l);
    return true;
}

/* ---- search ---- */

static size_t scan_bytes(const re_literals *l, const uint8_t *p, size_t n, size_t i) {
    for (; i + l->print <= n; i++) {
        uint8_t left = l->byte[0][p[i]];
        for (uint32_t k = 1; k < l->print && left; k++) left &= l->byte[k][p[i + k]];
        if (left) return i;
    }
    return n;
}

static re_scan *wide_scan(void) {
#if defined __x86_64__
    return cpu_get()->avx2 ? re_scan_avx2 : NULL;
#elif defined __aarch64__
    return re_scan_neon;
#else
    return NULL;
#endif
}

size_t re_literals_find(const re_literals *l, const uint8_t *text, size_t len, size_t at,
                        uint32_t *which) {
    re_scan *wide = wide_scan();
    while (at < len) {
        const size_t i = wide ? wide(l, text + at, len - at) : 0;
        at += scan_bytes(l, text + at, len - at, i);
        for (uint32_t k = 0; k < l->n; k++)
            if (len - at >= l->len[k] && memcmp(text + at, l->text[k], l->len[k]) == 0) {
                *which = k;
                return at;
            }
        at++;
    }
    return RE_NONE;
}

/* ---- a string in every match ---- */

typedef struct run {
    uint8_t text[RE_LIT_BYTES], best[RE_LIT_BYTES];
    size_t len, best_len;
} run;

static void end_run(run *r) {
    if (r->len > r->best_len) {
        memcpy(r->best, r->text, r->len);
        r->best_len = r->len;
    }
    r->len = 0;
}

/* Go through what stands in every match, in order. */
static void must(const re_tree *t, const re_node *n, run *r) {
    if (n->kind == RE_N_CAT) {
        for (const re_node *c = n->child; c; c = c->next) must(t, c, r);
    } else if (n->kind == RE_N_GROUP || n->kind == RE_N_ATOMIC) {
        must(t, n->child, r);
    } else if (n->kind == RE_N_REPEAT && n->a > 0) {
        end_run(r);
        must(t, n->child, r);
        end_run(r);
    } else if (n->kind == RE_N_SET) {
        const list one = of_set(&t->set[n->a]);
        if (one.n != 1) {
            end_run(r);
            return;
        }
        if (r->len + one.item[0].len > RE_LIT_BYTES) end_run(r);
        memcpy(r->text + r->len, one.item[0].text, one.item[0].len);
        r->len += one.item[0].len;
    } else if (n->kind != RE_N_ASSERT && n->kind != RE_N_LOOK && n->kind != RE_N_EMPTY) {
        end_run(r);
    }
}

size_t re_required(const re_tree *t, uint8_t out[RE_LIT_BYTES]) {
    run r = {.len = 0};
    must(t, t->root, &r);
    end_run(&r);
    memcpy(out, r.best, RE_LIT_BYTES);
    return r.best_len;
}
