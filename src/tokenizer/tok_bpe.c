/* tok_bpe.c - byte-level BPE: the text is split into pieces, the bytes of a piece become tokens.
 *
 * Nearly every piece has been seen before, so a cache is asked first; then tok_walk.h finds the
 * tokens of a new one. Only very long pieces, and vocabularies that break the rules of tok_walk.h,
 * are merged as the definition says. The loops over pieces are compiled once per splitter, with
 * the splitter inside. */
#include "base/map.h"
#include "base/mem.h"
#include "tokenizer/tok_cache.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_merge.h"
#include "tokenizer/tok_rzv.h"
#include "tokenizer/tok_scan.h"
#include "tokenizer/tok_split.h"
#include "tokenizer/tok_walk.h"

typedef struct bpe {
    tok_walk walk;
    tok_split split;
    str *pattern; /* [n_pattern] of the splitter */
    uint32_t n_pattern;
    uint32_t byte_symbol[256]; /* MERGE_NONE: no such token */
    tok_cache_pool caches;
} bpe;

typedef struct encoder {
    const tok *t;
    bpe *b;
    tok_cache *cache; /* or NULL */
    tok_ids *out;
    const scan_byte *limit; /* bytes up to here may be read */
    merge_work w;
    status failed; /* of the splitter, told in *e */
    err *e;
} encoder;

/* ---- opening ---- */

/* Tokens that text can become: not the special ones. */
static bool is_plain(const tok *t, size_t id) {
    return t->type[id] == TOK_NORMAL || t->type[id] == TOK_UNUSED || t->type[id] == TOK_UNDEFINED;
}

static bool index_tokens(tok *t, bpe *b, const merge_list *merges, bool whole_first) {
    str *text = mem_array_zero(t->n, sizeof *text);
    for (size_t id = 0; text && id < t->n; id++)
        if (is_plain(t, id))
            text[id] = (str){t->bytes + t->byte_at[id], t->byte_at[id + 1] - t->byte_at[id]};
    const bool ok = text && tok_walk_init(&b->walk, text, t->n, merges, whole_first, &t->mem);
    for (unsigned i = 0; ok && i < 256; i++) {
        const char byte = (char)i;
        const uint32_t id = byte_trie_find(&b->walk.trie, (str){&byte, 1});
        b->byte_symbol[i] = id == TRIE_NONE ? MERGE_NONE : id;
    }
    mem_free(text);
    return ok;
}

static void free_bpe(void *state) {
    bpe *b = state;
    if (!b) return;
    tok_split_free(&b->split);
    tok_cache_pool_clear(&b->caches);
}

/* ---- encoding ---- */

/* Merge the bytes of a piece into e->w. */
static void merge_bytes(encoder *c, const scan_byte *p, size_t len) {
    merge_work *w = &c->w;
    w->n = 0;
    for (size_t i = 0; i < len; i++) merge_work_add(w, c->b->byte_symbol[p[i]], i);
    merge_run(&c->b->walk.merges, w);
}

static void encode_merged(encoder *c, const scan_byte *p, size_t len) {
    merge_bytes(c, p, len);
    const int32_t unk = c->t->special[RZ_UNK];
    if (!tok_ids_room(c->out, c->w.n)) return;
    for (size_t i = 0; i < c->w.n; i++) {
        const uint32_t symbol = c->w.part[i].symbol;
        if (symbol != MERGE_NONE) c->out->p[c->out->n++] = (int32_t)symbol;
        else if (unk >= 0) c->out->p[c->out->n++] = unk;
    }
}

enum { PIECES = 32 };

/* A piece no cache knows. */
static void encode_new(encoder *c, const cache_probe *x) {
    const size_t before = c->out->n;
    size_t n = 0;
    if (x->len <= WALK_MOST) {
        if (!tok_ids_room(c->out, x->len)) return;
        n = tok_walk_encode(&c->b->walk, x->p, x->len, c->cache ? c->cache->pair : NULL,
                            c->out->p + before);
        c->out->n += n;
    }
    if (n == 0) encode_merged(c, x->p, x->len);
    if (!c->out->failed && !c->w.failed) tok_cache_put(x, c->out->p + before, c->out->n - before);
}

static void encode_pieces(encoder *c, const cache_probe *x, size_t n) {
    for (size_t i = 0; i < n; i++, x++) {
        tok_ids *out = c->out;
        if (out->cap - out->n < CACHE_LONG_IDS && !tok_ids_room(out, CACHE_LONG_IDS)) return;
        const size_t known = tok_cache_get(x, out->p + out->n);
        out->n += known;
        if (known) continue;
        encode_new(c, x);
        if (c->out->failed || c->w.failed) return;
    }
}

#define PIECE_LOOP(name, SCAN)                                                     \
    static void name(encoder *c, const scan_byte *p, const scan_byte *end) {       \
        cache_probe some[PIECES];                                                  \
        while (p < end && !c->out->failed && !c->w.failed) {                       \
            size_t n = 0;                                                          \
            for (const scan_byte *q; n < PIECES && p < end; p = q) {               \
                q = SCAN;                                                          \
                tok_cache_ask(c->cache, p, (size_t)(q - p), c->limit, &some[n++]); \
            }                                                                      \
            encode_pieces(c, some, n);                                             \
        }                                                                          \
    }
PIECE_LOOP(loop_cl100k, scan_cl100k(p, end, 3))
PIECE_LOOP(loop_qwen2, scan_cl100k(p, end, 1))
PIECE_LOOP(loop_gpt2, scan_gpt2(p, end))
PIECE_LOOP(loop_o200k, scan_o200k(p, end, 3, true))
PIECE_LOOP(loop_tekken, scan_o200k(p, end, 1, false))
PIECE_LOOP(loop_deepseek3, scan_deepseek3(p, end))
PIECE_LOOP(loop_none, end)

static void loop_stages(encoder *c, const scan_byte *p, const scan_byte *end) {
    split_ends ends = {0};
    const scan_byte *from = p;
    c->failed = tok_split_all(&c->b->split, (str){(const char *)p, (size_t)(end - p)}, &ends, c->e);
    for (size_t i = 0; c->failed >= 0 && i < ends.n && !c->out->failed && !c->w.failed; i++) {
        cache_probe one;
        tok_cache_ask(c->cache, from, (size_t)(p + ends.end[i] - from), c->limit, &one);
        encode_pieces(c, &one, 1);
        from = p + ends.end[i];
    }
    split_ends_free(&ends);
}

static void (*const loops[])(encoder *, const scan_byte *, const scan_byte *) = {
    [SPLIT_NONE] = loop_none,           [SPLIT_CL100K] = loop_cl100k, [SPLIT_QWEN2] = loop_qwen2,
    [SPLIT_GPT2] = loop_gpt2,           [SPLIT_O200K] = loop_o200k,   [SPLIT_TEKKEN] = loop_tekken,
    [SPLIT_DEEPSEEK3] = loop_deepseek3, [SPLIT_STAGES] = loop_stages,
};

static status encode_bpe(const tok *t, str text, int where, tok_ids *out, err *e) {
    (void)where;
    if (text.len >= UINT32_MAX)
        return err_set(e, RZ_EINVAL, "tokenizer: a text of %zu bytes, expected less than 4 GiB",
                       text.len);
    encoder c;
    c.t = t;
    c.b = t->state;
    c.cache = tok_cache_take(&c.b->caches);
    c.out = out;
    c.limit = (const scan_byte *)text.p + text.len;
    c.failed = RZ_OK;
    c.e = e;
    merge_work_init(&c.w);
    loops[c.b->split.kind](&c, (const scan_byte *)text.p, c.limit);
    out->failed |= c.w.failed;
    merge_work_free(&c.w);
    tok_cache_give(&c.b->caches, c.cache);
    if (c.failed < 0) return c.failed;
    return out->failed ? err_set(e, RZ_ENOMEM, "tokenizer: out of memory") : RZ_OK;
}

/* Is the character that ends at text.p[at] a letter beyond ASCII? */
static bool letter_before(str text, size_t at) {
    size_t from = at - 1;
    while (from > 0 && at - from < 4 && ((unsigned char)text.p[from] & 0xC0) == 0x80) from--;
    uint32_t cp;
    const size_t n = utf8_decode((str){text.p + from, at - from}, &cp);
    return n == at - from && cp != UTF8_BAD && char_class(cp) & CHAR_LETTER;
}

/* Every scanner ends a piece between a letter and the ASCII white space behind
 * it, whatever stands further left or right. Of other splitters nothing is
 * known. */
static size_t cut_bpe(const tok *t, str text, size_t from) {
    const bpe *b = t->state;
    if (b->split.kind == SPLIT_NONE || b->split.kind == SPLIT_STAGES) return text.len;
    for (size_t i = from > 0 ? from : 1; i < text.len; i++) {
        const unsigned char space = (unsigned char)text.p[i], last = (unsigned char)text.p[i - 1];
        if (space != ' ' && space != '\n') continue;
        if (last < 0x80 ? char_class_low(last) & CHAR_LETTER : letter_before(text, i)) return i;
    }
    return text.len;
}

static void forget_bpe(void *state) {
    bpe *b = state;
    tok_cache_pool_clear(&b->caches);
}

static const tok_methods bpe_methods = {"byte-level BPE", encode_bpe, free_bpe,
                                        cut_bpe,          forget_bpe, tok_bpe_rzv};

static bool keep_patterns(tok *t, bpe *b, const str *pattern, size_t n) {
    b->pattern = arena_zero(&t->mem, n, sizeof *b->pattern);
    b->n_pattern = (uint32_t)n;
    bool ok = b->pattern != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        b->pattern[i] = (str){arena_copy(&t->mem, pattern[i].p, pattern[i].len), pattern[i].len};
        ok = b->pattern[i].p != NULL;
    }
    return ok;
}

status tok_bpe_init(tok *t, const merge_list *merges, const tok_bpe_options *o, err *e) {
    if (t->n > MERGE_MAX_SYMBOL)
        return err_set(e, RZ_EUNSUPPORTED, "%s: %zu tokens, this build takes up to %d", o->where,
                       t->n, MERGE_MAX_SYMBOL);
    bpe *b = arena_zero(&t->mem, 1, sizeof *b);
    if (!b) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    t->state = b;
    t->kind = &bpe_methods;
    if (!index_tokens(t, b, merges, o->whole_first))
        return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    if (!keep_patterns(t, b, o->pattern, o->n_pattern))
        return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    return tok_split_init(&b->split, b->pattern, b->n_pattern, o->where, e);
}

/* Patterns, from which the splitter is made again. */
static status rzv_patterns(rzv *a, bpe *b) {
    enum { MOST = 64 };
    TRY(rzv_u32(a, "patterns", &b->n_pattern, 0, MOST));
    if (rzv_reads(a)) b->pattern = arena_zero(&a->t->mem, b->n_pattern, sizeof *b->pattern);
    if (!b->pattern) return rzv_no_memory(a);
    for (uint32_t i = 0; i < b->n_pattern; i++) TRY(rzv_str(a, "patterns", &b->pattern[i]));
    return rzv_reads(a) ? tok_split_init(&b->split, b->pattern, b->n_pattern, a->path, a->e)
                        : RZ_OK;
}

status tok_bpe_rzv(rzv *a) {
    tok *t = a->t;
    if (t->n > MERGE_MAX_SYMBOL) return rzv_error(a, "tokens", "are too many");
    bpe *b = rzv_reads(a) ? arena_zero(&t->mem, 1, sizeof *b) : t->state;
    if (!b) return rzv_no_memory(a);
    t->state = b;
    t->kind = &bpe_methods;
    TRY(tok_walk_rzv(a, &b->walk));
    TRY(rzv_inside(a, "bytes", b->byte_symbol, sizeof b->byte_symbol));
    for (int i = 0; i < 256; i++)
        if (b->byte_symbol[i] != MERGE_NONE && b->byte_symbol[i] >= t->n)
            return rzv_error(a, "bytes", "have an id of no token");
    return rzv_patterns(a, b);
}
