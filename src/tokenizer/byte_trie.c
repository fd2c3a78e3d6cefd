/* byte_trie.c - building the double array from the sorted texts, depth first.
 *
 * Nodes with several children look for a base in the newest few blocks; nodes with one, which are
 * most, fill the gaps the others left in the oldest block that has any. */
#include "tokenizer/byte_trie.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_rzv.h"

enum { BLOCK = 256, WORDS = BLOCK / 64, RECENT = 4 };

/* Which of the 256 places of a block are taken, and which bases within it. */
typedef struct block {
    uint64_t taken[WORDS], base[WORDS];
    uint32_t n_taken;
} block;

typedef struct sort_row {
    uint64_t key; /* the first eight bytes, big endian */
    uint32_t i;
} sort_row;

/* A node whose children are still to be placed: the rows with a common prefix of `depth` bytes. */
typedef struct range {
    uint32_t lo, hi, depth, node;
} range;

typedef struct builder {
    byte_trie *t;
    const str *text;
    const uint32_t *value;
    sort_row *row;
    block *block;               /* [n_block] */
    size_t n_block, single;     /* `single`: blocks before it are full */
    size_t cap_block, cap_node; /* both in blocks */
    size_t recent[RECENT];
    range *stack;
    size_t n_stack, cap_stack;
} builder;

static bool has(const uint64_t *set, unsigned i) { return set[i / 64] >> (i % 64) & 1; }
static void put(uint64_t *set, unsigned i) { set[i / 64] |= (uint64_t)1 << (i % 64); }

/* ---- sorting ---- */

static uint64_t key_of(str s) {
    unsigned char b[8] = {0};
    uint64_t key = 0;
    memcpy(b, s.p, s.len < 8 ? s.len : 8);
    for (int i = 0; i < 8; i++) key = key << 8 | b[i];
    return key;
}

static void sort_by_byte(const sort_row *from, sort_row *to, size_t n, int shift) {
    size_t at[257] = {0};
    for (size_t i = 0; i < n; i++) at[(from[i].key >> shift & 255) + 1]++;
    for (int i = 0; i < 256; i++) at[i + 1] += at[i];
    for (size_t i = 0; i < n; i++) to[at[from[i].key >> shift & 255]++] = from[i];
}

static int by_text(str a, str b) {
    const int c = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* Rows with equal keys, a few dozen at most in a real vocabulary: heap sort, so that a hostile one
 * is no worse. */
static void sift(const builder *b, sort_row *r, size_t at, size_t n) {
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= n) return;
        if (child + 1 < n && by_text(b->text[r[child].i], b->text[r[child + 1].i]) < 0) child++;
        if (by_text(b->text[r[at].i], b->text[r[child].i]) >= 0) return;
        const sort_row swap = r[at];
        r[at] = r[child];
        r[child] = swap;
        at = child;
    }
}

static void sort_rest(const builder *b, sort_row *r, size_t n) {
    for (size_t i = n / 2; i-- > 0;) sift(b, r, i, n);
    while (n > 1) {
        const sort_row swap = r[--n];
        r[n] = r[0];
        r[0] = swap;
        sift(b, r, 0, n);
    }
}

static bool sort_rows(builder *b, size_t n) {
    sort_row *other = mem_array(n, sizeof *other);
    b->row = mem_array(n, sizeof *b->row);
    if (!other || !b->row) {
        mem_free(other);
        return false;
    }
    for (size_t i = 0; i < n; i++) b->row[i] = (sort_row){key_of(b->text[i]), (uint32_t)i};
    for (int shift = 0; shift < 64; shift += 8) {
        sort_by_byte(b->row, other, n, shift);
        sort_row *swap = b->row;
        b->row = other;
        other = swap;
    }
    mem_free(other);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && b->row[to].key == b->row[from].key;) to++;
        if (to - from > 1) sort_rest(b, b->row + from, to - from);
    }
    return true;
}

/* ---- placing ---- */

static bool add_block(builder *b) {
    const size_t n = b->n_block + 1;
    if (n > UINT32_MAX / BLOCK || !mem_room(&b->block, &b->cap_block, n, sizeof *b->block) ||
        !mem_room(&b->t->node, &b->cap_node, n, BLOCK * sizeof *b->t->node))
        return false;
    memset(&b->block[b->n_block], 0, sizeof *b->block);
    memset(b->t->node + b->n_block * BLOCK, 0, BLOCK * sizeof *b->t->node);
    for (size_t i = RECENT - 1; i > 0; i--) b->recent[i] = b->recent[i - 1];
    b->recent[0] = b->n_block++;
    return true;
}

/* A base in this block at which all the children's places are free; BLOCK: there is none. */
static unsigned fit(const block *k, const unsigned char *child, size_t n) {
    if (k->n_taken + n > BLOCK) return BLOCK;
    for (unsigned w = 0; w < WORDS; w++) {
        for (uint64_t room = ~k->taken[w]; room; room &= room - 1) {
            const unsigned base = (w * 64 + (unsigned)__builtin_ctzll(room)) ^ child[0];
            if (has(k->base, base)) continue;
            size_t i = 1;
            while (i < n && !has(k->taken, base ^ child[i])) i++;
            if (i == n) return base;
        }
    }
    return BLOCK;
}

/* The same for one child, as near to its parent as there is room: the same or the next cache lines,
 * as most of a long token is a chain of such nodes. */
static unsigned fit_near(const block *k, unsigned parent, unsigned char child) {
    enum { LINE = 64 / sizeof(trie_node), LINES = 4 };
    const unsigned from = parent / LINE * LINE;
    for (unsigned i = 0; i < LINE * LINES; i++) {
        const unsigned at = (from + i) % BLOCK, base = at ^ child;
        if (!has(k->taken, at) && !has(k->base, base)) return base;
    }
    return BLOCK;
}

static bool find_base(builder *b, const unsigned char *child, size_t n, uint32_t parent,
                      size_t *where, unsigned *base) {
    if (n == 1) {
        *where = parent / BLOCK;
        *base = *where ? fit_near(&b->block[*where], parent % BLOCK, *child) : BLOCK;
        if (*base != BLOCK) return true;
        while (b->single < b->n_block && b->block[b->single].n_taken == BLOCK) b->single++;
        for (size_t i = b->single; i < b->n_block && i < b->single + RECENT; i++) {
            *base = fit(&b->block[i], child, 1);
            *where = i;
            if (*base != BLOCK) return true;
        }
    }
    for (size_t i = 0; i < RECENT; i++) {
        *where = b->recent[i];
        if (!*where) continue;
        *base = fit(&b->block[*where], child, n);
        if (*base != BLOCK) return true;
        b->recent[i] = 0;
    }
    if (!add_block(b)) return false;
    *where = b->recent[0];
    *base = 0;
    return true;
}

/* The bytes that follow in [lo, hi) and where the rows of each begin. */
static size_t children_of(const builder *b, range r, unsigned char *child, uint32_t *from) {
    size_t n = 0;
    for (uint32_t i = r.lo; i < r.hi; i++) {
        const unsigned char c = (unsigned char)b->text[b->row[i].i].p[r.depth];
        if (n && child[n - 1] == c) continue;
        child[n] = c;
        from[n++] = i;
    }
    from[n] = r.hi;
    return n;
}

static bool push(builder *b, range r) {
    if (!mem_room(&b->stack, &b->cap_stack, b->n_stack + 1, sizeof *b->stack)) return false;
    b->stack[b->n_stack++] = r;
    return true;
}

/* Texts that end here are the first of their range; of several the first in the list counts. */
static uint32_t value_here(const builder *b, range *r) {
    uint32_t first = UINT32_MAX;
    for (; r->lo < r->hi && b->text[b->row[r->lo].i].len == r->depth; r->lo++)
        if (b->row[r->lo].i < first) first = b->row[r->lo].i;
    return first == UINT32_MAX ? TRIE_NONE : b->value[first];
}

/* Place the children of a node; `node` 0 is the root, which has no place of its own. */
static bool place(builder *b, range r) {
    unsigned char child[BLOCK];
    uint32_t from[BLOCK + 1];
    const size_t n = children_of(b, r, child, from);
    size_t where;
    unsigned base;
    if (!find_base(b, child, n, r.node, &where, &base)) return false;
    block *k = &b->block[where];
    const uint32_t first = (uint32_t)(where * BLOCK);
    put(k->base, base);
    k->n_taken += (uint32_t)n;
    if (r.depth) b->t->node[r.node].base = first + base;
    else b->t->root = first + base;
    for (size_t i = 0; i < n; i++) {
        const unsigned at = base ^ child[i];
        put(k->taken, at);
        range next = {from[i], from[i + 1], r.depth + 1, first + at};
        const uint32_t value = value_here(b, &next);
        b->t->node[next.node] = (trie_node){0, value << 8 | child[i]};
        if (next.lo < next.hi && !push(b, next)) return false;
    }
    return true;
}

/* Where no node is, no base in use may lead: a block with room has a base to spare. */
static void close_gaps(builder *b) {
    for (size_t i = 0; i < b->n_block; i++) {
        const block *k = &b->block[i];
        unsigned spare = 0;
        while (spare < BLOCK && has(k->base, spare)) spare++;
        for (unsigned at = 0; at < BLOCK; at++)
            if (!has(k->taken, at))
                b->t->node[i * BLOCK + at] =
                    (trie_node){0, (uint32_t)TRIE_NONE << 8 | (at ^ spare)};
    }
}

bool byte_trie_build(byte_trie *t, const str *text, const uint32_t *value, size_t n, arena *mem) {
    *t = (byte_trie){NULL, 0, 0};
    builder b = {.t = t, .text = text, .value = value};
    bool ok = add_block(&b); /* block 0 stays empty: it is where base 0 leads */
    if (ok) put(b.block[0].base, 0);
    b.recent[0] = 0;
    b.single = 1;
    ok = ok && sort_rows(&b, n) && (n == 0 || push(&b, (range){0, (uint32_t)n, 0, 0}));
    while (ok && b.n_stack) ok = place(&b, b.stack[--b.n_stack]);
    if (ok) close_gaps(&b);
    trie_node *nodes = t->node;
    t->n = b.n_block * BLOCK;
    t->node = ok ? arena_alloc(mem, t->n * sizeof *nodes) : NULL;
    if (t->node) memcpy(t->node, nodes, t->n * sizeof *nodes);
    mem_free(nodes);
    mem_free(b.row);
    mem_free(b.block);
    mem_free(b.stack);
    return t->node != NULL;
}

/* A base leads into the array, by any byte; a value is a token. Without branches: what is out of
 * bounds leaves a sign bit. */
static status check(const rzv *a, const byte_trie *t) {
    const uint32_t last = (uint32_t)t->n - 1, last_id = (uint32_t)a->t->n - 1;
    uint32_t bad = 0;
    for (size_t i = 0; i < t->n; i++) {
        const uint32_t base = t->node[i].base, value = t->node[i].tag >> 8;
        const uint32_t token = value == TRIE_NONE ? 0 : UINT32_MAX;
        bad |= base | (last - base) | (token & ((last_id - (value & TRIE_ID)) | value << 8));
    }
    return bad >> 31 || t->n % BLOCK ? rzv_error(a, "trie", "leads nowhere") : RZ_OK;
}

status byte_trie_rzv(rzv *a, byte_trie *t) {
    uint32_t n = (uint32_t)t->n;
    TRY(rzv_u32(a, "trie", &n, BLOCK, INT32_MAX));
    t->n = n;
    TRY(rzv_u32(a, "trie", &t->root, 0, n - 1));
    TRY(rzv_array(a, "trie", &t->node, n, sizeof *t->node));
    return rzv_reads(a) ? check(a, t) : RZ_OK;
}

trie_node *byte_trie_at(const byte_trie *t, str text) {
    const trie_node *n = NULL;
    uint32_t base = t->root;
    for (size_t i = 0; i < text.len; i++) {
        n = byte_trie_step(t, base, (unsigned char)text.p[i]);
        if (!n) return NULL;
        base = n->base;
    }
    return n ? &t->node[n - t->node] : NULL;
}
