/* tok_merge.c - short rows look at all pairs again and again, long ones keep a heap of candidates
 * over a linked list. Both take the lowest rank first and the leftmost of equals: they agree. */
#include "tokenizer/tok_merge.h"

#include "base/mem.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_rzv.h"

enum { SHORT_ROW = 48 };

typedef struct merge_link {
    uint32_t prev, next;
} merge_link;

/* Two neighbours that could merge. Stale once either has changed. */
typedef struct merge_candidate {
    uint32_t rank, left, left_symbol, right_symbol, merged;
} merge_candidate;

static const uint64_t free_slot = UINT64_MAX;

/* Symbols of no token merge with nothing. */
static inline size_t find(const merge_table *t, uint32_t left, uint32_t right) {
    if (left > MERGE_MAX_SYMBOL || right > MERGE_MAX_SYMBOL) return SIZE_MAX;
    return merge_find(t, left, right);
}

static inline uint32_t rank_at(const merge_table *t, size_t i) {
    return t->rank ? t->rank[i] : merge_result(t, i);
}

bool merge_list_add(merge_list *l, merge_pair pair) {
    if (!mem_room(&l->p, &l->cap, l->n + 1, sizeof *l->p)) return false;
    l->p[l->n++] = pair;
    return true;
}

void merge_list_free(merge_list *l) {
    mem_free(l->p);
    *l = (merge_list){0};
}

bool merge_table_init(merge_table *t, size_t n, bool ranked, arena *mem) {
    const size_t n_slot = n + n / 2 + 16;
    if (n_slot > UINT32_MAX) return false;
    *t = (merge_table){arena_alloc(mem, n_slot * sizeof *t->slot), n_slot, NULL};
    if (ranked) t->rank = arena_alloc(mem, n_slot * sizeof *t->rank);
    if (!t->slot || (ranked && !t->rank)) return false;
    memset(t->slot, 0xFF, n_slot * sizeof *t->slot);
    return true;
}

void merge_table_put(merge_table *t, const merge_pair *p) {
    if (merge_find(t, p->left, p->right) != SIZE_MAX) return;
    size_t i = merge_hash(p->left, p->right) * t->n_slot >> 32;
    while (t->slot[i] != free_slot) i = merge_next(t, i);
    t->slot[i] = merge_key(p->left, p->right) | p->merged;
    if (t->rank) t->rank[i] = p->rank;
}

bool merge_table_build(merge_table *t, const merge_list *l, arena *mem) {
    bool by_id = true;
    for (size_t k = 0; k < l->n; k++) by_id &= l->p[k].rank == l->p[k].merged;
    if (!merge_table_init(t, l->n, !by_id, mem)) return false;
    for (size_t k = 0; k < l->n; k++) merge_table_put(t, &l->p[k]);
    return true;
}

/* Pairs make tokens, and a search ends soon. Without branches: what is out of bounds leaves a sign
 * bit. */
static status check(const rzv *a, const merge_table *t) {
    const uint32_t last_id = (uint32_t)a->t->n - 1;
    uint32_t bad = 0, run = 0, longest = 0;
    for (size_t i = 0; i < t->n_slot; i++) {
        const uint32_t used = t->slot[i] == free_slot ? 0 : UINT32_MAX;
        bad |= used & (last_id - merge_result(t, i));
        run = (run + 1) & used;
        longest = run > longest ? run : longest;
    }
    if (bad >> 31) return rzv_error(a, "merges", "make what is no token");
    return longest > RZV_MOST_RUN || longest == t->n_slot ? rzv_error(a, "merges", "are too dense")
                                                          : RZ_OK;
}

status merge_table_rzv(rzv *a, merge_table *t) {
    uint32_t n = (uint32_t)t->n_slot;
    bool ranked = t->rank != NULL;
    TRY(rzv_u32(a, "merges", &n, 1, UINT32_MAX));
    t->n_slot = n;
    TRY(rzv_array(a, "merges", &t->slot, n, sizeof *t->slot));
    TRY(rzv_flag(a, "ranks", &ranked));
    if (ranked) TRY(rzv_array(a, "ranks", &t->rank, n, sizeof *t->rank));
    return rzv_reads(a) ? check(a, t) : RZ_OK;
}

void merge_work_init(merge_work *w) {
    w->part = w->room;
    w->n = w->heap_n = w->heap_cap = w->link_cap = 0;
    w->cap = sizeof w->room / sizeof *w->room;
    w->link = NULL;
    w->heap = NULL;
    w->failed = false;
}

void merge_work_free(merge_work *w) {
    if (w->part != w->room) mem_free(w->part);
    mem_free(w->link);
    mem_free(w->heap);
}

void merge_work_add(merge_work *w, uint32_t symbol, size_t at) {
    if (w->n == w->cap) {
        const size_t cap = w->cap * 2;
        merge_part *p = mem_resize(w->part == w->room ? NULL : w->part, cap, sizeof *p);
        if (!p) {
            w->failed = true;
            return;
        }
        if (w->part == w->room) memcpy(p, w->room, sizeof w->room);
        w->part = p;
        w->cap = cap;
    }
    w->part[w->n++] = (merge_part){symbol, (uint32_t)at};
}

static void run_short(const merge_table *t, merge_work *w) {
    uint32_t rank[SHORT_ROW], merged[SHORT_ROW];
    merge_part *p = w->part;
    size_t n = w->n;
    const size_t none = SIZE_MAX;
#define LOOK(i)                                                      \
    do {                                                             \
        const size_t s_ = find(t, p[(i)].symbol, p[(i) + 1].symbol); \
        rank[i] = s_ == none ? MERGE_NONE : rank_at(t, s_);          \
        merged[i] = s_ == none ? MERGE_NONE : merge_result(t, s_);   \
    } while (0)
    for (size_t i = 0; i + 1 < n; i++) LOOK(i);
    for (;;) {
        uint32_t lowest = MERGE_NONE;
        size_t best = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            if (rank[i] < lowest) {
                lowest = rank[i];
                best = i;
            }
        }
        if (lowest == MERGE_NONE) break;
        p[best].symbol = merged[best];
        n--;
        for (size_t i = best + 1; i < n; i++) p[i] = p[i + 1];
        for (size_t i = best + 1; i + 1 < n; i++) {
            rank[i] = rank[i + 1];
            merged[i] = merged[i + 1];
        }
        if (best + 1 < n) LOOK(best);
        if (best > 0) LOOK(best - 1);
    }
#undef LOOK
    w->n = n;
}

static bool before(const merge_candidate *a, const merge_candidate *b) {
    return a->rank < b->rank || (a->rank == b->rank && a->left < b->left);
}

static void heap_push(merge_work *w, merge_candidate x) {
    if (!mem_room(&w->heap, &w->heap_cap, w->heap_n + 1, sizeof *w->heap)) {
        w->failed = true;
        return;
    }
    size_t i = w->heap_n++;
    for (; i > 0 && before(&x, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = x;
}

static merge_candidate heap_pop(merge_work *w) {
    const merge_candidate top = w->heap[0], x = w->heap[--w->heap_n];
    size_t i = 0;
    for (;;) {
        size_t child = i * 2 + 1;
        if (child >= w->heap_n) break;
        if (child + 1 < w->heap_n && before(&w->heap[child + 1], &w->heap[child])) child++;
        if (!before(&w->heap[child], &x)) break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = x;
    return top;
}

static void propose(const merge_table *t, merge_work *w, uint32_t left, uint32_t right) {
    if (left == MERGE_NONE || right == MERGE_NONE) return;
    const uint32_t a = w->part[left].symbol, b = w->part[right].symbol;
    const size_t i = find(t, a, b);
    if (i != SIZE_MAX)
        heap_push(w, (merge_candidate){rank_at(t, i), left, a, b, merge_result(t, i)});
}

static void run_long(const merge_table *t, merge_work *w) {
    const uint32_t n = (uint32_t)w->n;
    if (w->link_cap < w->n) {
        mem_free(w->link);
        w->link_cap = 0;
        w->link = mem_array(w->n, sizeof *w->link);
        w->failed |= !w->link;
        if (!w->link) return;
        w->link_cap = w->n;
    }
    merge_link *l = w->link;
    merge_part *p = w->part;
    w->heap_n = 0;
    for (uint32_t i = 0; i < n; i++)
        l[i] = (merge_link){i ? i - 1 : MERGE_NONE, i + 1 < n ? i + 1 : MERGE_NONE};
    for (uint32_t i = 0; i + 1 < n; i++) propose(t, w, i, i + 1);
    while (w->heap_n && !w->failed) {
        const merge_candidate x = heap_pop(w);
        const uint32_t right = l[x.left].next;
        if (p[x.left].symbol != x.left_symbol || right == MERGE_NONE ||
            p[right].symbol != x.right_symbol)
            continue;
        p[x.left].symbol = x.merged;
        l[x.left].next = l[right].next;
        if (l[right].next != MERGE_NONE) l[l[right].next].prev = x.left;
        p[right].symbol = MERGE_NONE; /* no candidate fits it any more */
        propose(t, w, l[x.left].prev, x.left);
        propose(t, w, x.left, l[x.left].next);
    }
    w->n = 0;
    for (uint32_t i = 0; i != MERGE_NONE; i = l[i].next) p[w->n++] = p[i];
}

void merge_run(const merge_table *t, merge_work *w) {
    if (w->failed || w->n < 2) return;
    if (w->n <= SHORT_ROW) run_short(t, w);
    else run_long(t, w);
}
