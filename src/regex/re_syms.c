/* re_syms.c - code points to symbols.
 *
 * A sweep over the ends of all ranges of all sets keeps, as a bit per set, which sets hold the code
 * points it stands at. Each different bit pattern is a class. The map from code points to classes
 * is a table of two stages cut where UTF-8 is cut, at 6 bits. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "regex/re_int.h"

typedef struct edge {
    uint32_t at, set;
} edge;

typedef struct span_class {
    uint32_t lo, hi, class;
} span_class;

typedef struct sweep {
    const re_tree *t;
    edge *edge;
    size_t n_edge;
    uint32_t words;       /* of a bit pattern */
    uint64_t *bits, *key; /* current pattern; a random number per set */
    uint64_t *pattern;    /* [class][words] */
    uint32_t n_class;
    size_t cap_class;
    uint32_t *slot; /* hash table of class + 1 */
    span_class *span;
    size_t n_span;
} sweep;

enum { SLOTS = 4 * RE_MAX_CLASS };

static int by_place(const void *a, const void *b) {
    const edge *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Number of the class with the current pattern; RE_INFINITE: no memory or too many. */
static uint32_t class_of(sweep *w, uint64_t hash) {
    uint32_t at = (uint32_t)(hash ^ hash >> 32) % SLOTS;
    for (; w->slot[at]; at = (at + 1) % SLOTS)
        if (memcmp(w->pattern + (size_t)(w->slot[at] - 1) * w->words, w->bits,
                   w->words * sizeof *w->bits) == 0)
            return w->slot[at] - 1;
    if (w->n_class == RE_MAX_CLASS) return RE_INFINITE;
    const size_t bytes = w->words * sizeof *w->bits;
    if (!mem_room(&w->pattern, &w->cap_class, w->n_class + 1u, bytes)) return RE_INFINITE;
    memcpy(w->pattern + (size_t)w->n_class * w->words, w->bits, bytes);
    w->slot[at] = ++w->n_class;
    return w->n_class - 1;
}

static bool sweep_run(sweep *w) {
    uint64_t hash = 0;
    uint32_t from = 0;
    for (size_t i = 0; from <= UCD_MAX;) {
        const uint32_t to = i < w->n_edge ? w->edge[i].at : UCD_MAX + 1;
        if (to > from) {
            const uint32_t class = class_of(w, hash);
            if (class == RE_INFINITE) return false;
            if (w->n_span && w->span[w->n_span - 1].class == class)
                w->span[w->n_span - 1].hi = to - 1;
            else w->span[w->n_span++] = (span_class){from, to - 1, class};
            from = to;
        }
        for (; i < w->n_edge && w->edge[i].at == from; i++) {
            w->bits[w->edge[i].set / 64] ^= (uint64_t)1 << w->edge[i].set % 64;
            hash ^= w->key[w->edge[i].set];
        }
    }
    return true;
}

static bool sweep_init(sweep *w) {
    size_t n = 0;
    for (uint32_t s = 0; s < w->t->n_set; s++) n += w->t->set[s].n;
    w->words = (w->t->n_set + 63) / 64 + (w->t->n_set == 0);
    w->edge = mem_array(2 * n, sizeof *w->edge);
    w->span = mem_array(2 * n + 1, sizeof *w->span);
    w->bits = mem_array_zero(w->words, sizeof *w->bits);
    w->key = mem_array(w->words * 64, sizeof *w->key);
    w->slot = mem_array_zero(SLOTS, sizeof *w->slot);
    if (!w->edge || !w->span || !w->bits || !w->key || !w->slot) return false;
    for (uint32_t s = 0; s < w->t->n_set; s++) {
        const re_set *set = &w->t->set[s];
        w->key[s] = (s + 1) * 0x9e3779b97f4a7c15u;
        w->key[s] = (w->key[s] ^ w->key[s] >> 29) * 0xff51afd7ed558ccdu;
        for (uint32_t i = 0; i < set->n; i++) {
            w->edge[w->n_edge++] = (edge){set->r[i].lo, s};
            w->edge[w->n_edge++] = (edge){set->r[i].hi + 1, s};
        }
    }
    qsort(w->edge, w->n_edge, sizeof *w->edge, by_place);
    return true;
}

static void sweep_done(sweep *w) {
    mem_free(w->edge);
    mem_free(w->span);
    mem_free(w->bits);
    mem_free(w->key);
    mem_free(w->slot);
    mem_free(w->pattern);
}

/* ---- the map ---- */

typedef struct blocks {
    uint16_t *data;
    uint32_t n;
    size_t cap;
} blocks;

/* Number of the block; equal ones are stored once (only the last few are compared: neighbours are
 * what repeats, and whole blocks of one class have `uniform`). */
static bool add_block(blocks *b, const uint16_t block[64], uint16_t *number) {
    for (uint32_t back = 1; back <= 8 && back <= b->n; back++) {
        if (memcmp(b->data + (size_t)(b->n - back) * 64, block, 64 * sizeof *block) != 0) continue;
        *number = (uint16_t)(b->n - back);
        return true;
    }
    if (!mem_room(&b->data, &b->cap, b->n + 1u, 64 * sizeof *block)) return false;
    memcpy(b->data + (size_t)b->n * 64, block, 64 * sizeof *block);
    *number = (uint16_t)b->n++;
    return true;
}

static bool make_map(re_syms *y, const sweep *w) {
    enum { N_STAGE1 = 0x110000 / 64, NOT_YET = 0xFFFF };
    blocks b = {NULL, 0, 0};
    uint16_t *uniform = mem_array(w->n_class, sizeof *uniform);
    y->stage1 = mem_array(N_STAGE1, sizeof *y->stage1);
    bool ok = uniform && y->stage1;
    if (ok) memset(uniform, 0xFF, w->n_class * sizeof *uniform);
    const span_class *s = w->span;
    for (uint32_t i = 0; ok && i < N_STAGE1; i++) {
        uint16_t block[64];
        const uint32_t first = i * 64;
        while (s->hi < first) s++;
        if (s->hi >= first + 63 && uniform[s->class] != NOT_YET) {
            y->stage1[i] = uniform[s->class];
            continue;
        }
        const span_class *k = s;
        for (uint32_t c = 0; c < 64; c++) {
            while (k->hi < first + c) k++;
            block[c] = (uint16_t)k->class;
        }
        ok = add_block(&b, block, &y->stage1[i]);
        if (ok && s->hi >= first + 63) uniform[s->class] = y->stage1[i];
    }
    mem_free(uniform);
    y->stage2 = b.data;
    y->stage2_len = b.n * 64;
    return ok;
}

static bool make_sets(re_syms *y, const sweep *w) {
    const re_tree *t = w->t;
    uint32_t newline = 0;
    for (size_t i = 0; i < w->n_span; i++)
        if (w->span[i].lo <= '\n' && w->span[i].hi >= '\n') newline = w->span[i].class;
    y->n_word = (y->n + 63u) / 64;
    y->set = mem_array_zero((size_t)t->n_set * y->n_word + 1, sizeof *y->set);
    if (!y->set) return false;
    for (uint32_t s = 0; s < t->n_set; s++) {
        uint64_t *set = y->set + (size_t)s * y->n_word;
        for (uint32_t c = 0; c < w->n_class; c++)
            if (w->pattern[(size_t)c * w->words + s / 64] >> (s % 64) & 1)
                set[c / 64] |= (uint64_t)1 << c % 64;
        const bool final =
            (set[newline / 64] >> newline % 64 & 1) && !(t->set[s].flags & RE_SET_NOT_FINAL);
        if (final) set[y->final / 64] |= (uint64_t)1 << y->final % 64;
        if (t->set[s].flags & RE_SET_BAD) set[y->bad / 64] |= (uint64_t)1 << y->bad % 64;
        if (t->set[s].flags & RE_SET_NOT_FINAL) y->use_final = true;
    }
    return true;
}

status re_syms_make(re_syms *y, const re_tree *t, err *e) {
    sweep w = {.t = t};
    bool ok = sweep_init(&w) && sweep_run(&w);
    if (ok) {
        y->n_class = (uint16_t)w.n_class;
        y->bad = y->n_class;
        y->edge = (uint16_t)(y->n_class + 1);
        y->final = (uint16_t)(y->n_class + 2);
        y->n = (uint16_t)(y->n_class + 3);
        const span_class *s = w.span;
        for (uint32_t c = 0; c < 128; c++) {
            while (s->hi < c) s++;
            y->ascii[c] = (uint16_t)s->class;
        }
        const span_class *last = &w.span[w.n_span - 1];
        y->other = (uint16_t)last->class;
        ok = (last->lo <= 128 || make_map(y, &w)) && make_sets(y, &w);
    }
    const bool full = w.n_class == RE_MAX_CLASS;
    sweep_done(&w);
    if (ok) return RZ_OK;
    re_syms_done(y);
    if (full)
        return err_set(e, RZ_EFULL, "regex: its sets make more than %d classes", RE_MAX_CLASS);
    return err_set(e, RZ_ENOMEM, "regex: out of memory");
}

void re_syms_done(re_syms *y) {
    mem_free(y->stage1);
    mem_free(y->stage2);
    mem_free(y->set);
    *y = (re_syms){0};
}

/* ---- reading ---- */

static bool tail(const uint8_t *p, const uint8_t *end, size_t n) {
    if ((size_t)(end - p) <= n) return false;
    for (size_t i = 1; i <= n; i++)
        if ((p[i] & 0xC0) != 0x80) return false;
    return true;
}

unsigned re_sym_wide(const re_syms *y, const uint8_t *p, const uint8_t *end, size_t *len) {
    const uint8_t b = p[0];
    uint32_t high; /* code point / 64 */
    if (b >= 0xC2 && b < 0xE0 && tail(p, end, 1)) {
        *len = 2;
        high = b & 0x1Fu;
    } else if (b >= 0xE0 && b < 0xF0 && tail(p, end, 2)) {
        *len = 3;
        high = (b & 0x0Fu) << 6 | (p[1] & 0x3Fu);
        if (high < 0x800 / 64 || (high >= 0xD800 / 64 && high < 0xE000 / 64)) goto bad;
    } else if (b >= 0xF0 && b < 0xF5 && tail(p, end, 3)) {
        *len = 4;
        high = (b & 7u) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
        if (high < 0x10000 / 64 || high >= 0x110000 / 64) goto bad;
    } else {
        goto bad;
    }
    if (!y->stage1) return y->other;
    return y->stage2[(size_t)y->stage1[high] * 64 + (p[*len - 1] & 0x3Fu)];
bad:
    *len = 1;
    return y->bad;
}

unsigned re_sym_wide_back(const re_syms *y, const uint8_t *begin, const uint8_t *p, size_t *len) {
    for (size_t n = 2; n <= 4 && n <= (size_t)(p - begin); n++) {
        if ((p[-(ptrdiff_t)n] & 0xC0) == 0x80) continue;
        const unsigned sym = re_sym_wide(y, p - n, p, len);
        if (*len == n) return sym;
        break;
    }
    *len = 1;
    return y->bad;
}
