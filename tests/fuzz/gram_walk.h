/* gram_walk.h - what the fuzz targets of grammars do once one is read: walk a text through it, and
 * see that masks say what stepping says and that whatever is under way can go on or end. */
#ifndef TESTS_FUZZ_GRAM_WALK_H
#define TESTS_FUZZ_GRAM_WALK_H

#include <stdlib.h>

#include "grammar/gram_tables.h"

/* A vocabulary of the 256 bytes and all pairs that begin with one of four. */
static void gram_walk_tree(tok_tree *w, tok_tree_node *node, int32_t *same) {
    *w = (tok_tree){.node = node, .same = same};
    for (unsigned b = 0; b < 256; b++) {
        const uint32_t at = w->n++;
        same[w->n_id] = -1;
        node[at] = (tok_tree_node){0, (int32_t)w->n_id++, 0, (uint8_t)b};
        for (unsigned c = 0; c < 256 && (b == '"' || b == 'a' || b == '[' || b == 0xC3); c++) {
            same[w->n_id] = -1;
            node[w->n] = (tok_tree_node){w->n + 1, (int32_t)w->n_id++, 1, (uint8_t)c};
            w->n++;
        }
        node[at].end = w->n;
        w->single[b] = true;
    }
    w->n_single = 256;
}

/* Every mask bit of `config` against steps. Nothing is said once the tables are in trouble. */
static void gram_walk_check(gram_tables *t, uint32_t config, uint64_t *bits) {
    bool any = t->config[config].ends;
    gram_tables_mask(t, config, bits);
    for (uint32_t i = 0; i < t->tree->n && t->trouble == RZ_OK; i++) {
        static uint32_t above;
        const tok_tree_node *n = &t->tree->node[i];
        uint32_t next = gram_next(t, n->depth ? above : config, n->byte);
        if (n->depth == 0) above = next;
        if (t->trouble != RZ_OK) return;
        const bool is = bits[n->id / 64] >> (n->id % 64) & 1;
        if (is != (next != GRAM_DEAD)) abort();
        any |= is;
    }
    if (t->trouble == RZ_OK && !any && config != GRAM_DEAD) abort();
}

/* The grammar in `t` against a text; both may be anything. */
static void gram_walk(const gram_tree *g, const uint8_t *text, size_t len) {
    enum { NODES = 256 + 4 * 256 };
    static tok_tree_node node[NODES];
    static int32_t same[NODES];
    static uint64_t bits[NODES / 64 + 1];
    tok_tree tree;
    gram_auto a;
    gram_walk_tree(&tree, node, same);
    if (gram_auto_make(&a, g, tree.single, 40, NULL) < 0) return;
    gram_tables *t = gram_tables_new(&a, &tree);
    uint32_t at = t ? gram_config_of(t, gram_frame_of(t, a.start, 0)) : GRAM_DEAD;
    for (size_t i = 0; t && t->trouble == RZ_OK && at != GRAM_DEAD; i++) {
        /* where ways were dropped for being too many, steps may lead nowhere */
        if (t->config[at + 1].item - t->config[at].item > GRAM_MAX_WAYS / 10) break;
        if (i < 20) gram_walk_check(t, at, bits);
        if (i == len) break;
        at = gram_next(t, at, text[i]);
    }
    gram_tables_free(t);
    gram_auto_done(&a);
}

typedef status gram_reader(gram_tree *t, str text, err *e);

/* A grammar as `read` takes it and a text, cut at the last newline. */
static void gram_walk_input(gram_reader *read, const uint8_t *data, size_t size) {
    gram_tree t;
    size_t cut = size;
    if (size > 4000) return;
    while (cut && data[cut - 1] != '\n') cut--;
    gram_tree_init(&t);
    if (read(&t, (str){(const char *)data, cut ? cut - 1 : size}, NULL) >= 0)
        gram_walk(&t, data + cut, size - cut);
    gram_tree_done(&t);
}

#endif
