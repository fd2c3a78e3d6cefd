/* tok_trie.c - building the double array: sorted keys with the same beginning are a range, so a
 * node is a range and a depth. Nodes with one child fill the holes that broad ones leave. */
#include "tokenizer/tok_trie.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_rzv.h"

enum { BLOCK = 256, MAX_TRIES = 48 };

/* A node whose children are still to be placed. */
typedef struct pending {
    size_t lo, hi, depth;
    uint32_t node;
} pending;

typedef struct builder {
    trie_node *node; /* a free one links the free list: base is the next, id the previous */
    size_t n, cap;
    uint32_t free, last; /* ends of the free list, or TRIE_NONE */
    pending *stack;
    size_t n_stack, stack_cap;
} builder;

static void take(builder *b, uint32_t i, uint32_t parent) {
    trie_node *n = &b->node[i];
    if (n->id != TRIE_NONE) b->node[n->id].base = n->base;
    else b->free = n->base;
    if (n->base != TRIE_NONE) b->node[n->base].id = n->id;
    else b->last = n->id;
    *n = (trie_node){0, parent, TRIE_NONE};
}

/* 256 more free nodes, at the end of the list. */
static bool add_block(builder *b) {
    if (b->n + BLOCK > UINT32_MAX / 2) return false;
    if (!mem_room(&b->node, &b->cap, b->n + BLOCK, sizeof *b->node)) return false;
    for (uint32_t i = 0; i < BLOCK; i++) {
        const uint32_t at = (uint32_t)b->n + i;
        b->node[at] = (trie_node){TRIE_NONE, TRIE_NONE, b->last};
        if (b->last != TRIE_NONE) b->node[b->last].base = at;
        else b->free = at;
        b->last = at;
    }
    b->n += BLOCK;
    return true;
}

static bool fits(const builder *b, uint32_t base, const unsigned char *label, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (b->node[base ^ label[i]].parent != TRIE_NONE) return false;
    return true;
}

/* A base at which all labels find a free node. */
static bool find_base(builder *b, const unsigned char *label, size_t n, uint32_t *base) {
    uint32_t at = b->free;
    for (int tries = 0; at != TRIE_NONE && tries < MAX_TRIES; tries++, at = b->node[at].base) {
        *base = at ^ label[0];
        if (fits(b, *base, label, n)) return true;
    }
    *base = (uint32_t)b->n;
    return add_block(b);
}

static bool push(builder *b, pending p) {
    if (!mem_room(&b->stack, &b->stack_cap, b->n_stack + 1, sizeof *b->stack)) return false;
    b->stack[b->n_stack++] = p;
    return true;
}

/* Place the children of one node. */
static bool expand(builder *b, const trie_key *key, pending p) {
    unsigned char label[256];
    size_t from[257], n = 0;
    while (p.lo < p.hi && key[p.lo].text.len == p.depth) {
        if (b->node[p.node].id == TRIE_NONE && p.depth) b->node[p.node].id = key[p.lo].id;
        p.lo++;
    }
    for (size_t i = p.lo; i < p.hi; i++) {
        const unsigned char c = (unsigned char)key[i].text.p[p.depth];
        if (n && label[n - 1] == c) continue;
        from[n] = i;
        label[n++] = c;
    }
    if (n == 0) return true;
    from[n] = p.hi;
    uint32_t base;
    if (!find_base(b, label, n, &base)) return false;
    b->node[p.node].base = base;
    for (size_t i = 0; i < n; i++) take(b, base ^ label[i], p.node);
    for (size_t i = n; i-- > 0;)
        if (!push(b, (pending){from[i], from[i + 1], p.depth + 1, base ^ label[i]})) return false;
    return true;
}

static int by_text(const void *pa, const void *pb) {
    const trie_key *a = pa, *b = pb;
    const size_t n = a->text.len < b->text.len ? a->text.len : b->text.len;
    const int c = n ? memcmp(a->text.p, b->text.p, n) : 0;
    if (c) return c;
    if (a->text.len != b->text.len) return a->text.len < b->text.len ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

bool tok_trie_build(tok_trie *t, trie_key *key, size_t n, arena *mem) {
    builder b = {.free = TRIE_NONE, .last = TRIE_NONE};
    if (n) qsort(key, n, sizeof *key, by_text);
    bool ok = add_block(&b);
    if (ok) {
        take(&b, 0, 0);
        ok = push(&b, (pending){0, n, 0, 0});
    }
    while (ok && b.n_stack) ok = expand(&b, key, b.stack[--b.n_stack]);
    for (size_t i = 0; ok && i < b.n; i++)
        if (b.node[i].parent == TRIE_NONE) b.node[i] = (trie_node){0, TRIE_NONE, TRIE_NONE};
    trie_node *node = ok ? arena_alloc(mem, b.n * sizeof *node) : NULL;
    if (node) {
        memcpy(node, b.node, b.n * sizeof *node);
        *t = (tok_trie){node, b.n};
    }
    mem_free(b.node);
    mem_free(b.stack);
    return node != NULL;
}

status tok_trie_rzv(rzv *a, tok_trie *t) {
    uint32_t n = (uint32_t)t->n;
    TRY(rzv_u32(a, "trie", &n, BLOCK, UINT32_MAX));
    t->n = n;
    TRY(rzv_array(a, "trie", &t->node, n, sizeof *t->node));
    bool bad = n % BLOCK != 0;
    for (size_t i = 0; i < n; i++)
        bad |= t->node[i].base >= n || (t->node[i].id != TRIE_NONE && t->node[i].id >= a->t->n);
    return bad ? rzv_error(a, "trie", "leads nowhere") : RZ_OK;
}

uint32_t tok_trie_walk(const tok_trie *t, uint32_t node, str s) {
    for (size_t i = 0; i < s.len && node != TRIE_NONE; i++)
        node = tok_trie_step(t, node, (unsigned char)s.p[i]);
    return node;
}

uint32_t tok_trie_find(const tok_trie *t, str s) {
    const uint32_t node = tok_trie_walk(t, 0, s);
    return node == TRIE_NONE ? TRIE_NONE : t->node[node].id;
}
