/* re_set.c - sets of code points as sorted ranges. */
#include <stdlib.h>
#include <string.h>

#include "regex/re_int.h"

bool re_set_add(arena *a, re_set *s, uint32_t lo, uint32_t hi) {
    if (s->n && lo <= s->r[s->n - 1].hi + 1 && lo >= s->r[s->n - 1].lo) {
        if (hi > s->r[s->n - 1].hi) s->r[s->n - 1].hi = hi;
        return true;
    }
    if (s->n == s->cap) {
        const uint32_t cap = s->cap ? s->cap * 2 : 8;
        re_range *r = arena_alloc(a, cap * sizeof *r);
        if (!r) return false;
        if (s->n) memcpy(r, s->r, s->n * sizeof *r);
        s->r = r;
        s->cap = cap;
    }
    s->r[s->n++] = (re_range){lo, hi};
    return true;
}

bool re_set_add_all(arena *a, re_set *s, const re_set *other) {
    for (uint32_t i = 0; i < other->n; i++)
        if (!re_set_add(a, s, other->r[i].lo, other->r[i].hi)) return false;
    return true;
}

typedef struct target {
    arena *a;
    re_set *s;
} target;

static bool add_range(void *arg, uint32_t lo, uint32_t hi) {
    const target *t = arg;
    return re_set_add(t->a, t->s, lo, hi);
}

bool re_set_add_ucd(arena *a, re_set *s, ucd_set named) {
    target t = {a, s};
    return ucd_set_ranges(named, add_range, &t);
}

static int by_lo(const void *a, const void *b) {
    const re_range *x = a, *y = b;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

void re_set_sort(re_set *s) {
    bool sorted = true;
    for (uint32_t i = 1; i < s->n && sorted; i++) sorted = s->r[i].lo > s->r[i - 1].hi + 1;
    if (sorted) return;
    qsort(s->r, s->n, sizeof *s->r, by_lo);
    uint32_t n = 0;
    for (uint32_t i = 1; i < s->n; i++) {
        if (s->r[i].lo > s->r[n].hi + 1) s->r[++n] = s->r[i];
        else if (s->r[i].hi > s->r[n].hi) s->r[n].hi = s->r[i].hi;
    }
    s->n = n + 1;
}

bool re_set_negate(arena *a, re_set *s) {
    re_set out = {NULL, 0, 0, 0};
    uint32_t lo = 0;
    re_set_sort(s);
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->r[i].lo > lo && !re_set_add(a, &out, lo, s->r[i].lo - 1)) return false;
        lo = s->r[i].hi + 1;
    }
    if (lo <= UCD_MAX && !re_set_add(a, &out, lo, UCD_MAX)) return false;
    *s = out;
    return true;
}

bool re_set_and(arena *a, re_set *s, const re_set *other) {
    re_set out = {NULL, 0, 0, 0};
    for (uint32_t i = 0, j = 0; i < s->n && j < other->n;) {
        const re_range x = s->r[i], y = other->r[j];
        const uint32_t lo = x.lo > y.lo ? x.lo : y.lo, hi = x.hi < y.hi ? x.hi : y.hi;
        if (lo <= hi && !re_set_add(a, &out, lo, hi)) return false;
        if (x.hi < y.hi) i++;
        else j++;
    }
    *s = out;
    return true;
}

bool re_set_sub(arena *a, re_set *s, const re_set *other) {
    re_set rest = {NULL, 0, 0, 0};
    return re_set_add_all(a, &rest, other) && re_set_negate(a, &rest) && re_set_and(a, s, &rest);
}

/* Everything that differs from cp by case only, but for what lies in *r already. */
static bool add_variants(arena *a, re_set *s, uint32_t cp, re_range r) {
    for (uint32_t c = ucd_case_next(cp); c != cp; c = ucd_case_next(c))
        if ((c < r.lo || c > r.hi) && !re_set_add(a, s, c, c)) return false;
    return true;
}

bool re_set_fold(arena *a, re_set *s) {
    const uint32_t n = s->n;
    uint32_t from = 1, cased = 0; /* no cased code point from `from` up to before `cased` */
    for (uint32_t i = 0; i < n; i++) {
        const re_range r = s->r[i];
        for (uint32_t cp = r.lo; cp <= r.hi; cp = cased + 1) {
            /* Asked again only when needed: the way to the next one may be the whole code space. */
            if (cp < from || cp > cased) cased = ucd_cased_from(from = cp);
            if (cased > r.hi) break;
            if (!add_variants(a, s, cased, r)) return false;
        }
    }
    re_set_sort(s);
    return true;
}

bool re_set_has(const re_set *s, uint32_t cp) {
    for (uint32_t i = 0; i < s->n; i++)
        if (cp >= s->r[i].lo && cp <= s->r[i].hi) return true;
    return false;
}
