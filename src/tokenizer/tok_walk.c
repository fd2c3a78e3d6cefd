/* tok_walk.c - see tok_walk.h: finding out how each token is made, and the walk itself. */
#include "tokenizer/tok_walk.h"

#include "base/mem.h"
#include "tokenizer/tok_cache.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_rzv.h"

enum { FILTER_BITS = 20, FEW_FILTER_BITS = 12, FEW = 1 << 10 };

static inline uint32_t left_of(uint64_t split) { return (uint32_t)(split >> 43); }
static inline uint32_t right_of(uint64_t split) { return (uint32_t)(split >> 22 & 0x1FFFFF); }
static inline uint32_t order_of(uint64_t split) { return (uint32_t)(split & 0x3FFFFF); }

/* When the pair merges: 0: a part of an odd token, there is no saying; UINT32_MAX: never. */
static inline uint32_t pair_order(const tok_walk *w, uint32_t a, uint32_t b) {
    const uint64_t h = merge_hash(a, b) >> w->shift;
    if (!(w->filter[h / 64] >> (h % 64) & 1)) return UINT32_MAX;
    const size_t i = merge_find(&w->merges, a, b);
    return i == SIZE_MAX ? UINT32_MAX : order_of(w->split[merge_result(&w->merges, i)]);
}

typedef enum answer { NO, YES, ODD } answer;

/* May a and b, both made, be neighbours in the end? From the end back to the beginning: the part
 * that was made last is taken apart first, of two made by the same pair the right one. Until then a
 * merge across the border would have come first. */
static answer may_touch(const tok_walk *w, uint32_t a, uint32_t b) {
    uint32_t limit = UINT32_MAX;
    uint64_t split_a = w->split[a], split_b = w->split[b];
    answer yes = YES;
    for (;;) {
        const uint32_t order = pair_order(w, a, b);
        if (order < limit) {
            if (order) return NO;
            yes = ODD;
        }
        if (order_of(split_a) > order_of(split_b)) {
            limit = order_of(split_a);
            a = right_of(split_a);
            split_a = w->split[a];
        } else {
            if (order_of(split_b) == 0) return yes;
            limit = order_of(split_b) + 1;
            b = left_of(split_b);
            split_b = w->split[b];
        }
    }
}

/* ---- opening ---- */

typedef struct builder {
    tok_walk *w;
    const str *text;
    merge_list all; /* pairs that are in the table */
    size_t room;    /* of the table */
    uint32_t n_made;
    bool ranked, failed;
    arena scratch;
} builder;

static bool is_reached(uint32_t value) { return value < TRIE_WHOLE; }

static void put_pair(builder *b, const merge_pair *p) {
    if (b->all.n == b->room) {
        b->room = b->room * 2 + 64;
        b->failed |= !merge_table_init(&b->w->merges, b->room, b->ranked, &b->scratch);
        for (size_t i = 0; !b->failed && i < b->all.n; i++)
            merge_table_put(&b->w->merges, &b->all.p[i]);
    }
    b->failed = b->failed || !merge_list_add(&b->all, *p);
    if (b->failed) return;
    merge_table_put(&b->w->merges, p);
    const uint64_t h = merge_hash(p->left, p->right) >> b->w->shift;
    b->w->filter[h / 64] |= (uint64_t)1 << (h % 64);
}

/* Token p->merged is made of these two. */
static void set_split(builder *b, const merge_pair *p) {
    b->w->split[p->merged] = (uint64_t)p->left << 43 | (uint64_t)p->right << 22 | ++b->n_made;
    byte_trie_at(&b->w->trie, b->text[p->merged])->tag &= ~((uint32_t)TRIE_WHOLE << 8);
    put_pair(b, p);
}

static bool is_made(const tok_walk *w, uint32_t id) { return order_of(w->split[id]) != 0; }

/* Call fn for every way to cut a token in two tokens, until it says so. */
typedef bool cut_fn(builder *b, const merge_pair *p);
static void each_cut(builder *b, uint32_t id, cut_fn *fn) {
    const byte_trie *t = &b->w->trie;
    const str s = b->text[id];
    uint32_t base = t->root;
    for (size_t cut = 1; cut < s.len; cut++) {
        const trie_node *n = byte_trie_step(t, base, (unsigned char)s.p[cut - 1]);
        if (!n) return;
        base = n->base;
        if (n->tag >> 8 == TRIE_NONE) continue;
        const uint32_t right = byte_trie_find(t, (str){s.p + cut, s.len - cut});
        if (right == TRIE_NONE) continue;
        const merge_pair p = {n->tag >> 8, right, id, id};
        if (fn(b, &p)) return;
    }
}

/* What has a higher id is not reached yet. */
static bool try_cut(builder *b, const merge_pair *p) {
    if (!is_reached(p->left) || !is_reached(p->right)) return false;
    if (may_touch(b->w, p->left, p->right) != YES) return false;
    set_split(b, p);
    return true;
}

static bool put_cut(builder *b, const merge_pair *p) {
    put_pair(b, &(merge_pair){p->left & TRIE_ID, p->right & TRIE_ID, p->merged, p->rank});
    return b->failed;
}

static void find_cuts(builder *b, size_t n) {
    for (uint32_t id = 0; id < n && !b->failed; id++) {
        if (b->text[id].len < 2) continue;
        each_cut(b, id, try_cut);
        if (!is_made(b->w, id)) each_cut(b, id, put_cut);
    }
}

/* The same from a list. */
static void take_list(builder *b, const merge_list *l) {
    tok_walk *w = b->w;
    for (size_t k = 0; k < l->n && w->walks && !b->failed; k++) {
        const merge_pair *p = &l->p[k];
        const bool in_order =
            k == 0 || p[-1].rank < p->rank || (p[-1].rank == p->rank && p[-1].merged == p->merged);
        /* of two tokens with the same bytes only one is in the trie */
        w->walks = in_order && b->text[p->merged].len &&
                   (byte_trie_find(&w->trie, b->text[p->merged]) & TRIE_ID) == p->merged;
        if (!w->walks || is_made(w, p->merged)) continue;
        const bool there = (b->text[p->left].len == 1 || is_made(w, p->left)) &&
                           (b->text[p->right].len == 1 || is_made(w, p->right));
        const answer met = there ? may_touch(w, p->left, p->right) : ODD;
        if (met == YES) set_split(b, p);
        else if (met == ODD) put_pair(b, p);
    }
}

static bool build_trie(tok_walk *w, const str *text, size_t n, arena *mem) {
    str *list = mem_array(n, sizeof *list);
    uint32_t *value = mem_array(n, sizeof *value);
    size_t k = 0;
    for (size_t id = 0; list && value && id < n; id++) {
        if (text[id].len == 0) continue;
        list[k] = text[id];
        value[k++] = (uint32_t)id | (text[id].len > 1 ? TRIE_WHOLE : 0);
    }
    const bool ok = list && value && byte_trie_build(&w->trie, list, value, k, mem);
    mem_free(list);
    mem_free(value);
    return ok;
}

static size_t filter_words(const tok_walk *w) { return ((size_t)1 << (32 - w->shift)) / 64; }

bool tok_walk_init(tok_walk *w, const str *text, size_t n, const merge_list *merges,
                   bool whole_first, arena *mem) {
    builder b = {.w = w, .text = text, .room = n};
    *w = (tok_walk){.walks = true, .whole_first = whole_first};
    for (size_t k = 0; merges && k < merges->n; k++)
        b.ranked |= merges->p[k].rank != merges->p[k].merged;
    w->split = arena_zero(mem, n, sizeof *w->split);
    w->shift = n > FEW ? 32 - FILTER_BITS : 32 - FEW_FILTER_BITS;
    w->filter = arena_zero(mem, filter_words(w), sizeof *w->filter);
    bool ok = w->split && w->filter && build_trie(w, text, n, mem) &&
              merge_table_init(&w->merges, b.room, b.ranked, &b.scratch);
    if (ok && merges) take_list(&b, merges);
    else if (ok) find_cuts(&b, n);
    ok = ok && !b.failed && merge_table_build(&w->merges, w->walks ? &b.all : merges, mem);
    merge_list_free(&b.all);
    arena_free(&b.scratch);
    return ok;
}

/* Parts are shorter than the whole: so taking tokens apart comes to an end. */
static status check_splits(const rzv *a, const tok_walk *w) {
    const uint32_t *at = a->t->byte_at;
    const uint32_t n = (uint32_t)a->t->n;
    for (uint32_t id = 0; id < n; id++) {
        const uint64_t split = w->split[id];
        if (order_of(split) == 0) continue;
        const uint32_t left = left_of(split), right = right_of(split);
        if (left >= n || right >= n) return rzv_error(a, "parts", "are no tokens");
        const uint32_t first = at[left + 1] - at[left], second = at[right + 1] - at[right];
        if (first == 0 || second == 0 || (uint64_t)first + second != at[id + 1] - at[id])
            return rzv_error(a, "parts", "are not as long as their token");
    }
    return RZ_OK;
}

status tok_walk_rzv(rzv *a, tok_walk *w) {
    TRY(rzv_flag(a, "walks", &w->walks));
    TRY(rzv_flag(a, "whole_first", &w->whole_first));
    TRY(byte_trie_rzv(a, &w->trie));
    TRY(rzv_array(a, "parts", &w->split, a->t->n, sizeof *w->split));
    TRY(rzv_u32(a, "filter", &w->shift, 32 - FILTER_BITS, 32 - FEW_FILTER_BITS));
    TRY(rzv_array(a, "filter", &w->filter, filter_words(w), sizeof *w->filter));
    TRY(merge_table_rzv(a, &w->merges));
    return rzv_reads(a) ? check_splits(a, w) : RZ_OK;
}

/* ---- encoding ---- */

typedef struct match {
    uint32_t id;
    size_t end;
} match;

/* The longest token at p[from] that ends at or before `to`, and the longest below it (end 0: there
 * is none). Returns the value of all bytes up to `to`. */
static inline uint32_t longest(const tok_walk *w, const unsigned char *p, size_t from, size_t to,
                               match best[2]) {
    const trie_node *node = w->trie.node;
    uint32_t base = w->trie.root, value = TRIE_NONE;
    best[0] = best[1] = (match){TRIE_NONE, 0};
    for (size_t i = from; i < to; i++) {
        const trie_node n = node[base ^ p[i]];
        if ((n.tag & 0xFF) != p[i]) return TRIE_NONE;
        base = n.base;
        value = n.tag >> 8;
        if (!is_reached(value)) continue;
        best[1] = best[0];
        best[0] = (match){value, i + 1};
    }
    return value;
}

typedef struct walk_state {
    const tok_walk *w;
    const unsigned char *p;
    int32_t *out;
    uint64_t *known;
    size_t n; /* ids so far, and where each ends */
    uint16_t end[WALK_MOST];
    uint64_t dead[WALK_MOST / 64 + 1]; /* no way leads from here to the end */
} walk_state;

/* may_touch, remembered: the two ids (a + 1 keeps an empty word from being a pair) and the answer.
 * What is odd is not. */
static inline answer may_touch_known(const walk_state *s, uint32_t a, uint32_t b) {
    if (!s->known) return may_touch(s->w, a, b);
    const uint64_t key = (uint64_t)(a + 1) << 23 | (uint64_t)b << 1;
    uint64_t *word = &s->known[merge_hash(a, b) % CACHE_PAIRS];
    if ((*word | 1) == (key | 1)) return *word & 1;
    const answer met = may_touch(s->w, a, b);
    if (met != ODD) *word = key | met;
    return met;
}

static inline answer may_end(const walk_state *s, match m) {
    if (s->dead[m.end / 64] >> (m.end % 64) & 1) return NO;
    return s->n == 0 ? YES : may_touch_known(s, (uint32_t)s->out[s->n - 1], m.id);
}

/* The longest token at `pos`, ending at or before `to`, that may stand there, as m[0]; m has the
 * two longest, whatever stands before them. */
static answer find_next(const walk_state *s, size_t pos, match m[2]) {
    for (;;) {
        for (int k = 0; k < 2; k++) {
            if (k) m[0] = m[1];
            if (m[0].end == 0) return NO;
            const answer met = may_end(s, m[0]);
            if (met != NO) return met;
        }
        longest(s->w, s->p, pos, m[0].end - 1, m);
    }
}

/* The row of a piece that is no whole token; m: its two longest beginnings. */
static size_t walk(walk_state *s, size_t len, match m[2]) {
    size_t pos = 0;
    memset(s->dead, 0, (len / 64 + 1) * sizeof *s->dead);
    for (;;) {
        size_t to = len;
        const answer met = find_next(s, pos, m);
        if (met == ODD) return 0;
        if (met == YES) {
            s->out[s->n] = (int32_t)m[0].id;
            s->end[s->n++] = (uint16_t)m[0].end;
            pos = m[0].end;
            if (pos == len) return s->n;
        } else {
            if (s->n == 0) return 0;
            s->dead[pos / 64] |= (uint64_t)1 << (pos % 64);
            to = (size_t)s->end[--s->n] - 1;
            pos = s->n ? s->end[s->n - 1] : 0;
        }
        longest(s->w, s->p, pos, to, m);
    }
}

size_t tok_walk_encode(const tok_walk *w, const unsigned char *p, size_t len, uint64_t *known,
                       int32_t *out) {
    match m[2];
    const uint32_t whole = longest(w, p, 0, len, m);
    if (whole != TRIE_NONE && (w->whole_first || (w->walks && is_reached(whole)))) {
        *out = (int32_t)(whole & TRIE_ID);
        return 1;
    }
    if (!w->walks) return 0;
    walk_state s;
    s.w = w;
    s.p = p;
    s.out = out;
    s.known = known;
    s.n = 0;
    return walk(&s, len, m);
}
