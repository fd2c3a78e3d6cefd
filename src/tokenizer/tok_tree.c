/* tok_tree.c - see tok_tree.h. The sorted tokens are the depth-first order already: what a token
 * shares with the one before it is nodes that are there. */
#include "tokenizer/tok_tree.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tokenizer/tok_impl.h"

typedef struct entry {
    str bytes;
    int32_t id;
} entry;

static int by_bytes(const void *a, const void *b) {
    const entry *x = a, *y = b;
    const size_t n = x->bytes.len < y->bytes.len ? x->bytes.len : y->bytes.len;
    const int c = memcmp(x->bytes.p, y->bytes.p, n);
    if (c) return c;
    if (x->bytes.len != y->bytes.len) return x->bytes.len < y->bytes.len ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

/* The tokens that stand for text, sorted; those that end one go to w->stop. */
static uint32_t collect(tok_tree *w, const tok *t, entry *list) {
    uint32_t n = 0;
    const int32_t unknown = tok_special(t, RZ_UNK);
    for (int32_t id = 0; id < (int32_t)w->n_id; id++) {
        w->same[id] = -1;
        if (tok_is_end(t, id)) {
            w->stop[w->n_stop++] = id;
            continue;
        }
        const str bytes = tok_bytes(t, id);
        if (!bytes.p || !bytes.len || bytes.len > TOK_TREE_DEPTH || id == unknown ||
            tok_is_control(t, id))
            continue;
        list[n++] = (entry){bytes, id};
    }
    qsort(list, n, sizeof *list, by_bytes);
    return n;
}

static size_t shared(str a, str b) {
    size_t n = 0;
    while (n < a.len && n < b.len && a.p[n] == b.p[n]) n++;
    return n;
}

/* Nodes that tokens [0, n) need. */
static size_t count_nodes(const entry *list, uint32_t n) {
    size_t nodes = 0;
    for (uint32_t i = 0; i < n; i++)
        nodes += list[i].bytes.len - (i ? shared(list[i - 1].bytes, list[i].bytes) : 0);
    return nodes;
}

static void add_nodes(tok_tree *w, const entry *list, uint32_t n, uint32_t *open) {
    size_t depth = 0; /* open[0..depth) is the path to the last token */
    for (uint32_t i = 0; i < n; i++) {
        const str b = list[i].bytes;
        const size_t keep = i ? shared(list[i - 1].bytes, b) : 0;
        while (depth > keep) w->node[open[--depth]].end = w->n;
        for (; depth < b.len; depth++) {
            open[depth] = w->n;
            w->node[w->n++] = (tok_tree_node){0, -1, (uint16_t)depth, (uint8_t)b.p[depth]};
        }
        tok_tree_node *last = &w->node[open[depth - 1]];
        w->same[list[i].id] = last->id;
        last->id = list[i].id;
        if (b.len > 1 || w->single[(uint8_t)b.p[0]]) continue;
        w->single[(uint8_t)b.p[0]] = true;
        w->n_single++;
    }
    while (depth > 0) w->node[open[--depth]].end = w->n;
}

static status build(tok_tree **out, const tok *t, err *e) {
    const size_t n_id = tok_size(t);
    tok_tree *w = mem_zero(sizeof *w);
    entry *list = mem_array(n_id, sizeof *list);
    uint32_t open[TOK_TREE_DEPTH] = {0};
    status s = RZ_OK;
    if (w && list) {
        w->n_id = (uint32_t)n_id;
        w->same = mem_array(n_id, sizeof *w->same);
        w->stop = mem_array(n_id, sizeof *w->stop);
    }
    uint32_t n = 0;
    if (w && w->same && w->stop) {
        n = collect(w, t, list);
        w->node = mem_array(count_nodes(list, n), sizeof *w->node);
    }
    if (w && w->node) add_nodes(w, list, n, open);
    else s = err_set(e, RZ_ENOMEM, "tokenizer: out of memory for a tree of %zu tokens", n_id);
    mem_free(list);
    if (s < 0) tok_tree_free(w);
    else *out = w;
    return s;
}

void tok_tree_free(tok_tree *w) {
    if (!w) return;
    mem_free(w->node);
    mem_free(w->same);
    mem_free(w->stop);
    mem_free(w);
}

status tok_tree_of(const tok_tree **out, const tok *t, err *e) {
    tok *owner = (tok *)(uintptr_t)t; /* the tree is a cache: nobody sees the tokenizer change */
    tok_tree *made = NULL, *there = atomic_load(&owner->tree);
    if (!there) {
        TRY(build(&made, t, e));
        if (atomic_compare_exchange_strong(&owner->tree, &there, made)) there = made;
        else tok_tree_free(made); /* another thread was faster */
    }
    *out = there;
    return RZ_OK;
}
