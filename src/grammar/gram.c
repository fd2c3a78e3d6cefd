/* gram.c - grammars and texts under way; tables are used under the grammar's lock. */
#include "grammar/gram.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "grammar/gram_tables.h"

enum { JSON_DEPTH = 120 }; /* nesting that readers of JSON commonly take, ours included */

struct rz_grammar {
    atomic_uint refs;
    const tok *t;
    const tok_tree *tree;
    gram_auto a;
    pthread_mutex_t lock;
    gram_tables *tables; /* the newest */
};

/* ---- grammars ---- */

static status read_any(gram_tree *t, rz_grammar_kind kind, str text, err *e) {
    switch (kind) {
        case RZ_GRAMMAR_GBNF:
            return gram_read_gbnf(t, text, e);
        case RZ_GRAMMAR_REGEX:
            return gram_read_regex(t, text, e);
        case RZ_GRAMMAR_SCHEMA:
            return gram_read_schema(t, text, e);
        case RZ_GRAMMAR_JSON:
            return gram_read_json(t, e);
    }
    return err_set(e, RZ_EINVAL, "grammar: %d is no kind of grammar", (int)kind);
}

static status make(grammar *g, rz_grammar_kind kind, str text, err *e) {
    const bool is_json = kind == RZ_GRAMMAR_JSON || kind == RZ_GRAMMAR_SCHEMA;
    gram_tree tree;
    TRY(tok_tree_of(&g->tree, g->t, e));
    gram_tree_init(&tree);
    status s = read_any(&tree, kind, text, e);
    if (s >= 0) s = gram_tree_check(&tree, e);
    if (s >= 0)
        s = gram_auto_make(&g->a, &tree, g->tree->single, is_json ? JSON_DEPTH : GRAM_MAX_DEPTH, e);
    gram_tree_done(&tree);
    TRY(s);
    g->tables = gram_tables_new(&g->a, g->tree);
    return g->tables ? RZ_OK : err_set(e, RZ_ENOMEM, "grammar: out of memory");
}

status grammar_new(grammar **out, const tok *t, rz_grammar_kind kind, str text, err *e) {
    grammar *g = mem_zero(sizeof *g);
    if (!g) return err_set(e, RZ_ENOMEM, "grammar: out of memory");
    atomic_init(&g->refs, 1);
    g->t = t;
    pthread_mutex_init(&g->lock, NULL);
    const status s = make(g, kind, text, e);
    if (s < 0) grammar_free(g);
    else *out = g;
    return s;
}

grammar *grammar_share(const grammar *g) {
    grammar *mine = (grammar *)(uintptr_t)g;
    atomic_fetch_add(&mine->refs, 1);
    return mine;
}

void grammar_free(grammar *g) {
    if (!g || atomic_fetch_sub(&g->refs, 1) != 1) return;
    gram_tables_free(g->tables);
    gram_auto_done(&g->a);
    pthread_mutex_destroy(&g->lock);
    mem_free(g);
}

const tok *grammar_tok(const grammar *g) { return g->t; }
size_t grammar_words(const grammar *g) { return gram_words(g->tree); }

/* ---- texts ---- */

static void leave(gram_tables *t) {
    if (--t->refs == 0) gram_tables_free(t);
}

/* Move the text to tables that have room; begin new ones when the newest have none. */
static status move_over(gram_run *r, err *e) {
    grammar *g = r->g;
    if (g->tables->bytes > GRAM_MAX_BYTES) {
        gram_tables *fresh = gram_tables_new(&g->a, g->tree);
        if (!fresh) return err_set(e, RZ_ENOMEM, "grammar: out of memory");
        leave(g->tables);
        g->tables = fresh;
    }
    gram_tables *to = g->tables;
    to->trouble = RZ_OK;
    to->steps = 0;
    const uint32_t at = gram_move(to, r->t, r->at);
    if (to->trouble < 0) return err_set(e, RZ_ENOMEM, "grammar: out of memory");
    to->refs++;
    leave(r->t);
    r->t = to;
    r->at = at;
    return RZ_OK;
}

/* Lock, and tables fit for work. */
static status enter(gram_run *r, err *e) {
    pthread_mutex_lock(&r->g->lock);
    const status s = r->t->bytes > GRAM_MAX_BYTES ? move_over(r, e) : RZ_OK;
    r->t->trouble = RZ_OK;
    r->t->steps = 0;
    if (s < 0) pthread_mutex_unlock(&r->g->lock);
    return s;
}

static status trouble(const gram_tables *t, err *e) {
    if (t->trouble == RZ_OK) return RZ_OK;
    if (t->trouble == RZ_ENOMEM) return err_set(e, RZ_ENOMEM, "grammar: out of memory");
    return err_set(e, RZ_EFULL, "grammar: too many ways through it are open at once");
}

status gram_run_begin(gram_run *r, const grammar *g, err *e) {
    grammar *mine = grammar_share(g);
    *r = (gram_run){.g = mine};
    pthread_mutex_lock(&mine->lock);
    r->t = mine->tables;
    r->t->refs++;
    r->t->trouble = RZ_OK;
    r->t->steps = 0;
    r->at = gram_config_of(r->t, gram_frame_of(r->t, mine->a.start, 0));
    const status s = trouble(r->t, e);
    pthread_mutex_unlock(&mine->lock);
    if (s < 0) gram_run_end(r);
    return s;
}

void gram_run_end(gram_run *r) {
    if (!r->g) return;
    pthread_mutex_lock(&r->g->lock);
    leave(r->t);
    pthread_mutex_unlock(&r->g->lock);
    grammar_free(r->g);
    *r = (gram_run){0};
}

status gram_run_mask(gram_run *r, uint64_t *bits, bool no_end, bool *any, err *e) {
    const tok_tree *tree = r->g->tree;
    TRY(enter(r, e));
    gram_tables_mask(r->t, r->at, bits);
    const bool ends = r->t->config[r->at].ends;
    const status s = trouble(r->t, e);
    pthread_mutex_unlock(&r->g->lock);
    TRY(s);
    for (uint32_t i = 0; i < tree->n_stop && ends && !no_end; i++)
        bits[tree->stop[i] / 64] |= (uint64_t)1 << (tree->stop[i] % 64);
    uint64_t all = 0;
    for (size_t i = 0; i < gram_words(tree); i++) all |= bits[i];
    *any = all != 0;
    return RZ_OK;
}

/* With `whole` all bytes or none. */
static status advance(gram_run *r, str bytes, bool whole, size_t *good, err *e) {
    TRY(enter(r, e));
    const uint32_t before = r->at;
    size_t n = 0;
    for (; n < bytes.len; n++) {
        const uint32_t next = gram_next(r->t, r->at, (uint8_t)bytes.p[n]);
        if (next == GRAM_DEAD) break;
        r->at = next;
    }
    const status s = trouble(r->t, e);
    if (whole && n < bytes.len) r->at = before;
    pthread_mutex_unlock(&r->g->lock);
    *good = n;
    return s;
}

status gram_run_bytes(gram_run *r, str bytes, size_t *good, err *e) {
    return advance(r, bytes, false, good, e);
}

status gram_run_token(gram_run *r, int32_t id, err *e) {
    const str bytes = tok_bytes(r->g->t, id);
    size_t good = 0;
    if (!bytes.p || !bytes.len || tok_is_control(r->g->t, id))
        return err_set(e, RZ_EINVAL, "grammar: token %d stands for no text", id);
    TRY(advance(r, bytes, true, &good, e));
    if (good == bytes.len) return RZ_OK;
    return err_set(e, RZ_EINVAL, "grammar: token %d does not fit here", id);
}

bool gram_run_may_end(const gram_run *r) {
    pthread_mutex_lock(&r->g->lock);
    const bool ends = r->t->config[r->at].ends;
    pthread_mutex_unlock(&r->g->lock);
    return ends;
}

bool gram_run_closed(const gram_run *r) {
    pthread_mutex_lock(&r->g->lock);
    const gram_config *c = &r->t->config[r->at];
    const bool closed = c->ends && c->item == c[1].item;
    pthread_mutex_unlock(&r->g->lock);
    return closed;
}
