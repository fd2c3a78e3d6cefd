/* tok_bpe.c - byte-level BPE: the text is split into pieces, the bytes of a piece are merged.
 *
 * Nearly every piece has been seen before or is a token as it stands, so merging is the rare
 * case. A piece that spells a token is that token at once where the vocabulary says so
 * (tiktoken, ignore_merges); elsewhere only if merging its bytes leads there, which is tried
 * once per token and remembered. The loops over pieces are compiled once per splitter, with the
 * splitter inside. */
#include <stdatomic.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/os.h"
#include "tokenizer/tok_cache.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_index.h"
#include "tokenizer/tok_merge.h"
#include "tokenizer/tok_scan.h"
#include "tokenizer/tok_split.h"

enum { UNTRIED, REACHED, NOT_REACHED }; /* does merging a token's bytes lead to it? */

typedef struct bpe {
    merge_table merges;
    tok_split split;
    uint32_t byte_symbol[256]; /* MERGE_NONE: no such token */
    uint32_t *token;           /* open addressing: whole tokens by their bytes; MERGE_NONE: free */
    size_t token_mask;
    uint64_t seed;
    bool whole_first;    /* a piece that spells a token is it, whatever merging says */
    atomic_uchar *reach; /* [n] */
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

static uint32_t find_token(const tok *t, const bpe *b, const char *p, size_t len) {
    for (size_t i = map_hash(p, len, b->seed) & b->token_mask;; i = (i + 1) & b->token_mask) {
        const uint32_t id = b->token[i];
        if (id == MERGE_NONE) return MERGE_NONE;
        const uint32_t at = t->byte_at[id];
        if (t->byte_at[id + 1] - at == len && memcmp(t->bytes + at, p, len) == 0) return id;
    }
}

/* Tokens that text can become: not the special ones. */
static bool is_plain(const tok *t, size_t id) {
    return (t->type[id] == TOK_NORMAL || t->type[id] == TOK_UNUSED ||
            t->type[id] == TOK_UNDEFINED) &&
           t->byte_at[id + 1] > t->byte_at[id];
}

static bool index_tokens(tok *t, bpe *b) {
    size_t n_slot = 16;
    while (n_slot < t->n * 2) n_slot *= 2;
    b->token = arena_alloc(&t->mem, n_slot * sizeof *b->token);
    if (!b->token) return false;
    memset(b->token, 0xFF, n_slot * sizeof *b->token);
    b->token_mask = n_slot - 1;
    b->seed = os_random_u64();
    for (int i = 0; i < 256; i++) b->byte_symbol[i] = MERGE_NONE;
    for (size_t id = 0; id < t->n; id++) {
        if (!is_plain(t, id)) continue;
        const char *p = t->bytes + t->byte_at[id];
        const size_t len = t->byte_at[id + 1] - t->byte_at[id];
        if (find_token(t, b, p, len) != MERGE_NONE) continue; /* two spellings of the same bytes */
        size_t i = map_hash(p, len, b->seed) & b->token_mask;
        while (b->token[i] != MERGE_NONE) i = (i + 1) & b->token_mask;
        b->token[i] = (uint32_t)id;
        if (len == 1) b->byte_symbol[(unsigned char)*p] = (uint32_t)id;
    }
    return true;
}

static void free_bpe(void *state) {
    bpe *b = state;
    if (!b) return;
    tok_split_free(&b->split);
    tok_cache_pool_done(&b->caches);
}

/* ---- encoding ---- */

static bool make_room(tok_ids *out, size_t more) {
    if (out->cap - out->n >= more) return true;
    if (out->failed) return false;
    size_t cap = out->cap * 2 > out->n + more ? out->cap * 2 : out->n + more + 64;
    int32_t *p = mem_resize(out->p, cap, sizeof *p);
    out->failed |= !p;
    if (!p) return false;
    out->p = p;
    out->cap = cap;
    return true;
}

/* Merge the bytes of a piece into e->w. */
static void merge_bytes(encoder *c, const scan_byte *p, size_t len) {
    merge_work *w = &c->w;
    w->n = 0;
    for (size_t i = 0; i < len; i++) merge_work_add(w, c->b->byte_symbol[p[i]], i);
    merge_run(&c->b->merges, w);
}

/* Is the piece the token `id`, which it spells? If not it is merged in c->w. */
static bool is_whole(encoder *c, uint32_t id, const scan_byte *p, size_t len) {
    if (c->b->whole_first) return true;
    atomic_uchar *reach = &c->b->reach[id];
    const unsigned char known = atomic_load_explicit(reach, memory_order_relaxed);
    if (known == REACHED) return true;
    merge_bytes(c, p, len);
    const bool reached = c->w.n == 1 && c->w.part[0].symbol == id;
    if (known == UNTRIED && !c->w.failed)
        atomic_store_explicit(reach, reached ? REACHED : NOT_REACHED, memory_order_relaxed);
    return reached;
}

static void remember(encoder *c, const scan_byte *p, size_t len, const int32_t *id, size_t n) {
    if (!c->cache || n == 0) return;
    if (len <= CACHE_SHORT && n <= CACHE_SHORT_IDS) {
        uint64_t key[2];
        tok_cache_key(p, len, c->limit, key);
        cache_short *s = tok_cache_short(c->cache, key);
        *s = (cache_short){key[0], key[1], {0}, (uint32_t)n};
        memcpy(s->id, id, n * sizeof *id);
    } else if (len > CACHE_SHORT && len <= CACHE_LONG && n <= CACHE_LONG_IDS) {
        cache_long *l = &c->cache->wide[map_hash(p, len, 0) & (CACHE_LONG_SLOTS - 1)];
        memcpy(l->piece, p, len);
        memcpy(l->id, id, n * sizeof *id);
        l->len = (uint8_t)len;
        l->n = (uint8_t)n;
    }
}

/* A piece no cache knows. */
static void encode_new(encoder *c, const scan_byte *p, size_t len) {
    const size_t before = c->out->n;
    const uint32_t id = find_token(c->t, c->b, (const char *)p, len);
    if (id != MERGE_NONE && is_whole(c, id, p, len)) {
        tok_ids_push(c->out, (int32_t)id);
    } else {
        if (id == MERGE_NONE) merge_bytes(c, p, len);
        const int32_t unk = c->t->special[RZ_UNK];
        if (!make_room(c->out, c->w.n)) return;
        for (size_t i = 0; i < c->w.n; i++) {
            const uint32_t symbol = c->w.part[i].symbol;
            if (symbol != MERGE_NONE) c->out->p[c->out->n++] = (int32_t)symbol;
            else if (unk >= 0) c->out->p[c->out->n++] = unk;
        }
    }
    if (!c->out->failed && !c->w.failed)
        remember(c, p, len, c->out->p + before, c->out->n - before);
}

static void encode_long(encoder *c, const scan_byte *p, size_t len) {
    if (c->cache && len <= CACHE_LONG) {
        const cache_long *l = &c->cache->wide[map_hash(p, len, 0) & (CACHE_LONG_SLOTS - 1)];
        if (l->len == len && memcmp(l->piece, p, len) == 0) {
            if (!make_room(c->out, CACHE_LONG_IDS)) return;
            memcpy(c->out->p + c->out->n, l->id, l->n * sizeof *l->id);
            c->out->n += l->n;
            return;
        }
    }
    encode_new(c, p, len);
}

static inline void encode_piece(encoder *c, const scan_byte *p, size_t len) {
    if (len > CACHE_SHORT || !c->cache) {
        encode_long(c, p, len);
        return;
    }
    uint64_t key[2];
    tok_cache_key(p, len, c->limit, key);
    const cache_short *s = tok_cache_short(c->cache, key);
    if (s->lo != key[0] || s->hi != key[1]) {
        encode_new(c, p, len);
        return;
    }
    tok_ids *out = c->out;
    if (out->cap - out->n < CACHE_SHORT_IDS && !make_room(out, CACHE_SHORT_IDS)) return;
    memcpy(out->p + out->n, s->id, sizeof s->id);
    out->n += s->n;
}

#define PIECE_LOOP(name, SCAN)                                               \
    static void name(encoder *c, const scan_byte *p, const scan_byte *end) { \
        while (p < end && !c->out->failed && !c->w.failed) {                 \
            const scan_byte *q = SCAN;                                       \
            encode_piece(c, p, (size_t)(q - p));                             \
            p = q;                                                           \
        }                                                                    \
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
        encode_piece(c, from, (size_t)(p + ends.end[i] - from));
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

static const tok_methods bpe_methods = {"byte-level BPE", encode_bpe, free_bpe};

status tok_bpe_init(tok *t, const merge_list *merges, const tok_bpe_options *o, err *e) {
    if (t->n > MERGE_MAX_SYMBOL)
        return err_set(e, RZ_EUNSUPPORTED, "%s: %zu tokens, this build takes up to %d", o->where,
                       t->n, MERGE_MAX_SYMBOL);
    bpe *b = arena_zero(&t->mem, 1, sizeof *b);
    if (!b) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    t->state = b;
    t->kind = &bpe_methods;
    b->whole_first = o->whole_first;
    b->reach = arena_zero(&t->mem, t->n, sizeof *b->reach);
    if (!b->reach || !index_tokens(t, b) || !merge_table_build(&b->merges, merges, &t->mem))
        return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    return tok_split_init(&b->split, o->pattern, o->n_pattern, o->where, e);
}
