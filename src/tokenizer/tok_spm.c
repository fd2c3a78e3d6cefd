/* tok_spm.c - SentencePiece BPE: characters are merged to the pieces of highest score first.
 *
 * A symbol is a token id or, for characters that occur only inside longer pieces, a number behind
 * the last id. Every pair of symbols that makes a piece is found once, when the vocabulary is
 * opened (tok_merge.h does the rest). Between two characters that are neighbours in no piece
 * nothing ever merges: there the text falls apart into words that cannot influence each other. */
#include <stdlib.h>

#include "base/mem.h"
#include "tokenizer/tok_cache.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_rzv.h"
#include "unicode/utf8.h"

enum {
    SPACE = 0x2581,
    SPM_MOST = MERGE_MAX_SYMBOL - 0x110000, /* tokens: any character may need a symbol, too */
};

typedef struct char_slot {
    uint32_t cp, symbol; /* symbol MERGE_NONE: free slot */
} char_slot;

typedef struct spm {
    merge_table merges;
    char_slot *chars; /* open addressing */
    size_t char_mask;
    uint32_t ascii[128];
    uint32_t space;        /* symbol of U+2581 */
    bool words_apart;      /* no piece has a space behind another character */
    uint64_t near[128][2]; /* bit b of row a: some piece has these two characters side by side */
    uint64_t *joins;       /* the same of other characters: a bit per hash of two */
    uint32_t join_bits;    /* there are 1 << join_bits */
    int32_t byte[256];     /* -1: no such token */
    bool all_bytes;        /* there is one for each: nothing is unknown */
    tok_cache_pool caches;
    tok_spm_options o;
} spm;

static size_t char_home(const spm *s, uint32_t cp) {
    return (cp * 0x9e3779b97f4a7c15ull >> 32) & s->char_mask;
}

static uint32_t find_char(const spm *s, uint32_t cp) {
    if (cp < 128) return s->ascii[cp];
    for (size_t i = char_home(s, cp);; i = (i + 1) & s->char_mask) {
        if (s->chars[i].symbol == MERGE_NONE) return MERGE_NONE;
        if (s->chars[i].cp == cp) return s->chars[i].symbol;
    }
}

static void put_char(spm *s, uint32_t cp, uint32_t symbol) {
    if (cp < 128) {
        s->ascii[cp] = symbol;
        return;
    }
    size_t i = char_home(s, cp);
    while (s->chars[i].symbol != MERGE_NONE) i = (i + 1) & s->char_mask;
    s->chars[i] = (char_slot){cp, symbol};
}

/* ---- opening ---- */

/* Control, unknown and byte tokens are never made by merging, nor are texts that are no UTF-8. */
static bool can_merge(const tok *t, size_t id) {
    const uint8_t type = t->type[id];
    return type != TOK_CONTROL && type != TOK_UNKNOWN && type != TOK_BYTE && t->piece[id].len &&
           utf8_valid(t->piece[id]) == t->piece[id].len;
}

/* Call fn for every character of every mergeable piece. */
typedef void char_fn(void *ctx, size_t id, uint32_t cp, bool alone);
static void each_char(const tok *t, char_fn *fn, void *ctx) {
    for (size_t id = 0; id < t->n; id++) {
        if (!can_merge(t, id)) continue;
        str rest = t->piece[id];
        while (rest.len) {
            uint32_t cp;
            const size_t len = utf8_decode(rest, &cp);
            fn(ctx, id, cp, len == t->piece[id].len);
            rest.p += len;
            rest.len -= len;
        }
    }
}

typedef struct char_count {
    uint64_t *seen; /* bit per code point */
    size_t n;
} char_count;

static void count_char(void *ctx, size_t id, uint32_t cp, bool alone) {
    (void)id, (void)alone;
    char_count *c = ctx;
    const uint64_t bit = (uint64_t)1 << (cp % 64);
    c->n += !(c->seen[cp / 64] & bit);
    c->seen[cp / 64] |= bit;
}

static void number_alone(void *ctx, size_t id, uint32_t cp, bool alone) {
    if (alone) put_char(ctx, cp, (uint32_t)id);
}

typedef struct char_numbers {
    spm *s;
    uint32_t next;
} char_numbers;

static void number_rest(void *ctx, size_t id, uint32_t cp, bool alone) {
    (void)id, (void)alone;
    char_numbers *c = ctx;
    if (find_char(c->s, cp) == MERGE_NONE) put_char(c->s, cp, c->next++);
}

/* Every character of every piece gets a symbol: its own token where there is one. */
static bool number_chars(spm *s, tok *t, arena *scratch) {
    char_count count = {arena_zero(scratch, 0x110000 / 64, sizeof(uint64_t)), 0};
    if (!count.seen) return false;
    each_char(t, count_char, &count);
    size_t n_slot = 16;
    while (n_slot < count.n * 2) n_slot *= 2;
    s->chars = arena_zero(&t->mem, n_slot, sizeof *s->chars);
    if (!s->chars) return false;
    s->char_mask = n_slot - 1;
    for (size_t i = 0; i < n_slot; i++) s->chars[i].symbol = MERGE_NONE;
    for (size_t i = 0; i < 128; i++) s->ascii[i] = MERGE_NONE;
    each_char(t, number_alone, s);
    char_numbers numbers = {s, (uint32_t)t->n};
    each_char(t, number_rest, &numbers);
    s->space = find_char(s, SPACE);
    return true;
}

static uint64_t join_hash(const spm *s, uint32_t a, uint32_t b) {
    return ((uint64_t)a << 21 | b) * 0x9e3779b97f4a7c15ull >> (64 - s->join_bits);
}

/* ' ' is U+2581 where the text is so read. */
static uint32_t as_read(const spm *s, uint32_t cp) {
    return cp == ' ' && !s->o.keeps_spaces ? SPACE : cp;
}

static void put_join(spm *s, uint32_t a, uint32_t b) {
    const uint64_t h = join_hash(s, a, b);
    s->joins[h / 64] |= (uint64_t)1 << (h % 64);
    for (int k = 0; k < 4; k++) { /* U+2581 may be written ' ' */
        const uint32_t x = k & 1 && a == as_read(s, ' ') ? ' ' : a;
        const uint32_t y = k & 2 && b == as_read(s, ' ') ? ' ' : b;
        if (x < 128 && y < 128) s->near[x][y / 64] |= (uint64_t)1 << (y % 64);
    }
}

/* Which characters stand side by side in a piece, of whatever type: a list of merges may make
 * it. */
static bool find_joins(spm *s, tok *t) {
    size_t n = 0;
    for (size_t id = 0; id < t->n; id++) n += t->type[id] == TOK_ABSENT ? 0 : t->piece[id].len;
    s->join_bits = 8;
    while (s->join_bits < 24 && (size_t)1 << s->join_bits < n) s->join_bits++;
    s->joins = arena_zero(&t->mem, ((size_t)1 << s->join_bits) / 64, sizeof *s->joins);
    for (size_t id = 0; s->joins && id < t->n; id++) {
        if (t->type[id] == TOK_ABSENT) continue;
        str rest = t->piece[id];
        uint32_t last = UTF8_BAD;
        while (rest.len) {
            uint32_t cp;
            const size_t len = utf8_decode(rest, &cp);
            if (last != UTF8_BAD) put_join(s, last, cp);
            last = cp;
            rest.p += len;
            rest.len -= len;
        }
    }
    return s->joins != NULL;
}

/* All ways to make one piece of two symbols. */
static uint32_t find_part(const tok *t, const tok_index *x, size_t from, size_t to) {
    const uint32_t id = tok_index_part(x, from, to);
    return id != TOK_NO_ID && can_merge(t, id) ? id : MERGE_NONE;
}

static bool split_piece(const spm *s, const tok *t, tok_index *x, uint32_t id, uint32_t rank,
                        merge_list *out) {
    const str piece = x->text[id];
    uint32_t first_cp, last_cp;
    const size_t first = utf8_decode(piece, &first_cp);
    if (first == piece.len) return true;
    tok_index_begin(x, piece);
    size_t last = piece.len - 1;
    while ((piece.p[last] & 0xC0) == 0x80) last--;
    utf8_decode((str){piece.p + last, piece.len - last}, &last_cp);
    for (size_t cut = first; cut < piece.len; cut++) {
        if ((piece.p[cut] & 0xC0) == 0x80) continue;
        const uint32_t left = cut == first ? find_char(s, first_cp) : find_part(t, x, 0, cut);
        if (left == MERGE_NONE) continue;
        const uint32_t right =
            cut == last ? find_char(s, last_cp) : find_part(t, x, cut, piece.len);
        if (right == MERGE_NONE) continue;
        if (!merge_list_add(out, (merge_pair){left, right, id, rank})) return false;
    }
    return true;
}

bool tok_space_inside(str piece) {
    bool text = false;
    for (size_t i = 0; i < piece.len; i++) {
        const bool space = str_starts((str){piece.p + i, piece.len - i}, STR_LIT("\u2581"));
        if (space && text) return true;
        if (space) i += 2;
        else text = true;
    }
    return false;
}

static int by_score(const void *pa, const void *pb) {
    const float a = *(const float *)pa, b = *(const float *)pb;
    return (a < b) - (a > b);
}

/* rank[id]: place of the token's score, highest first; equal scores have equal ranks. Where scores
 * fall from id to id, as in most files, ids are ranks already. */
static bool rank_scores(const tok *t, uint32_t *rank, arena *scratch) {
    bool falling = true;
    float last = 0;
    for (size_t id = 0, n = 0; id < t->n; id++) {
        rank[id] = (uint32_t)id;
        if (!can_merge(t, id)) continue;
        falling &= n == 0 || t->score[id] < last;
        last = t->score[id];
        n++;
    }
    if (falling) return true;
    float *sorted = arena_alloc(scratch, t->n * sizeof *sorted);
    if (!sorted) return false;
    memcpy(sorted, t->score, t->n * sizeof *sorted);
    qsort(sorted, t->n, sizeof *sorted, by_score);
    for (size_t id = 0; id < t->n; id++) {
        size_t lo = 0, hi = t->n; /* how many scores are higher */
        while (lo < hi) {
            const size_t mid = lo + (hi - lo) / 2;
            if (sorted[mid] > t->score[id]) lo = mid + 1;
            else hi = mid;
        }
        rank[id] = (uint32_t)lo;
    }
    return true;
}

static bool find_merges(spm *s, tok *t, tok_index *x, const merge_list *given, arena *scratch) {
    merge_list list = {NULL, 0, 0};
    uint32_t *rank = arena_alloc(scratch, t->n * sizeof *rank);
    if (!rank || (!given && !rank_scores(t, rank, scratch))) return false;
    bool ok = true;
    s->words_apart = true;
    for (uint32_t id = 0; ok && id < t->n; id++) {
        if (!can_merge(t, id)) continue;
        if (!given) ok = split_piece(s, t, x, id, rank[id], &list);
        if (tok_space_inside(t->piece[id])) s->words_apart = false;
    }
    ok = ok && merge_table_build(&s->merges, given ? given : &list, &t->mem);
    merge_list_free(&list);
    return ok;
}

/* The byte that "<0x0A>" names, or -1. */
int tok_byte_named(str piece) {
    if (piece.len != 6 || !str_starts(piece, STR_LIT("<0x")) || piece.p[5] != '>') return -1;
    int value = 0;
    for (int i = 3; i < 5; i++) {
        const char c = piece.p[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                 : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

static void find_all_bytes(spm *s) {
    s->all_bytes = true;
    for (int i = 0; i < 256; i++) s->all_bytes &= s->byte[i] >= 0;
}

static void find_bytes(spm *s, const tok *t) {
    for (int i = 0; i < 256; i++) s->byte[i] = -1;
    if (s->o.no_bytes) return;
    for (size_t id = 0; id < t->n; id++) {
        if (t->type[id] != TOK_BYTE) continue;
        const int b = tok_byte_named(t->piece[id]);
        if (b >= 0 && s->byte[b] < 0) s->byte[b] = (int32_t)id;
    }
    find_all_bytes(s);
}

/* A file without token types still means bytes by "<0x0A>". */
static void find_byte_types(tok *t) {
    for (size_t id = 0; id < t->n; id++)
        if (t->type[id] == TOK_BYTE) return;
    for (size_t id = 0; id < t->n; id++)
        if (t->type[id] == TOK_NORMAL && tok_byte_named(t->piece[id]) >= 0) t->type[id] = TOK_BYTE;
}

/* Write what `id` decodes to, if `out` is given; returns the length. */
static size_t decoded(const tok *t, size_t id, bool raw_user, char *out) {
    const str piece = t->piece[id];
    switch (t->type[id]) {
        case TOK_CONTROL:
        case TOK_UNKNOWN:
            return 0;
        case TOK_BYTE:
            if (out) *out = (char)tok_byte_named(piece);
            return 1;
        case TOK_USER_DEFINED:
            if (!raw_user) break;
            if (out && piece.len) memcpy(out, piece.p, piece.len);
            return piece.len;
        default:
            break;
    }
    size_t n = 0;
    for (size_t i = 0; i < piece.len; i++, n++) {
        const bool space = str_starts((str){piece.p + i, piece.len - i}, STR_LIT("\u2581"));
        if (out) out[n] = space ? ' ' : piece.p[i];
        if (space) i += 2;
    }
    return n;
}

status tok_spm_bytes(tok *t, bool raw_user, const char *path, err *e) {
    size_t total = 0;
    find_byte_types(t);
    for (size_t id = 0; id < t->n; id++) {
        if (t->type[id] == TOK_BYTE && tok_byte_named(t->piece[id]) < 0)
            return err_set(e, RZ_EFORMAT,
                           "%s: tokenizer.ggml.tokens[%zu] is \"%.*s\", expected a byte token like "
                           "<0x0A>",
                           path, id, STR_FMT(t->piece[id]));
        if (mem_add_over(total, decoded(t, id, raw_user, NULL), &total) || total > UINT32_MAX)
            return err_set(e, RZ_EFORMAT, "%s: tokenizer.ggml.tokens is longer than 4 GiB", path);
    }
    t->byte_at = arena_zero(&t->mem, t->n + 1, sizeof *t->byte_at);
    t->bytes = arena_alloc(&t->mem, total + 1);
    if (!t->byte_at || !t->bytes) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    for (size_t id = 0; id < t->n; id++)
        t->byte_at[id + 1] =
            t->byte_at[id] + (uint32_t)decoded(t, id, raw_user, t->bytes + t->byte_at[id]);
    return RZ_OK;
}

/* ---- encoding ---- */

typedef struct encoder {
    const tok *t;
    const spm *s;
    str text;
    tok_ids *out;
    tok_cache *cache; /* of words; or NULL */
    int bad_byte;     /* a byte that no token can express, or -1 */
    bool last_unk;    /* the last id was made of unknown characters */
    merge_work w;     /* the word so far */
} encoder;

static void emit_bytes(encoder *c, str bytes) {
    if (bytes.len == 0) bytes = STR_LIT("\u2581"); /* the space that was put in front */
    bool all = true;
    for (size_t i = 0; i < bytes.len; i++) all &= c->s->byte[(unsigned char)bytes.p[i]] >= 0;
    if (all) {
        for (size_t i = 0; i < bytes.len; i++)
            tok_ids_push(c->out, c->s->byte[(unsigned char)bytes.p[i]]);
        return;
    }
    const int32_t unk = c->t->special[RZ_UNK];
    if (unk >= 0 && (!c->last_unk || c->s->o.keeps_unknown_runs)) tok_ids_push(c->out, unk);
    if (unk < 0 && !c->s->o.drops_unknown) c->bad_byte = (unsigned char)bytes.p[0];
    c->last_unk = true;
}

/* The word in c->w, which ends at byte `end` of the text. */
static void flush_word(encoder *c, size_t end) {
    merge_work *w = &c->w;
    merge_run(&c->s->merges, w);
    if (w->failed) return;
    for (size_t i = 0; i < w->n; i++) {
        const merge_part p = w->part[i];
        if (p.symbol < c->t->n) {
            tok_ids_push(c->out, (int32_t)p.symbol);
            c->last_unk = false;
            continue;
        }
        const size_t to = i + 1 < w->n ? w->part[i + 1].at : end;
        emit_bytes(c, (str){c->text.p + p.at, to - p.at});
    }
    w->n = 0;
}

/* Add the characters of [from, to) to the word. */
static void add_chars(encoder *c, size_t from, size_t to) {
    const spm *s = c->s;
    for (size_t i = from; i < to && !c->w.failed;) {
        uint32_t cp = (unsigned char)c->text.p[i];
        size_t len = 1;
        if (cp == ' ' && !s->o.keeps_spaces) cp = SPACE;
        else if (cp >= 0x80) len = utf8_decode((str){c->text.p + i, c->text.len - i}, &cp);
        merge_work_add(&c->w,
                       cp == SPACE      ? s->space
                       : cp == UTF8_BAD ? MERGE_NONE
                                        : find_char(s, cp),
                       i);
        i += len;
    }
}

/* The character at text.p[i], as it is read. */
static inline size_t read_char(const encoder *c, size_t i, uint32_t *cp) {
    const unsigned char b = (unsigned char)c->text.p[i];
    size_t len = 1;
    *cp = b;
    if (b >= 0x80) len = utf8_decode((str){c->text.p + i, c->text.len - i}, cp);
    return len;
}

/* May two neighbours in the text be part of one piece? What is no character is part of none. */
static inline bool may_join(const spm *s, uint32_t a, uint32_t b) {
    if (a < 128 && b < 128) return s->near[a][b / 64] >> (b % 64) & 1;
    if (a == UTF8_BAD || b == UTF8_BAD) return false;
    const uint64_t h = join_hash(s, as_read(s, a), as_read(s, b));
    return s->joins[h / 64] >> (h % 64) & 1;
}

/* Where the word that begins at `from` ends: before the first character that joins nothing before
 * it, or before any space. */
static size_t word_end(const encoder *c, size_t from) {
    const spm *s = c->s;
    const bool splits = s->o.splits_spaces;
    uint32_t last, cp;
    size_t i = from + read_char(c, from, &last);
    while (i < c->text.len) {
        const size_t len = read_char(c, i, &cp);
        if (!may_join(s, last, cp) || (splits && as_read(s, cp) == SPACE)) break;
        last = cp;
        i += len;
    }
    return i;
}

/* A word by itself; what is in c->w already stands before it. */
static void encode_word(encoder *c, size_t from, size_t to) {
    const unsigned char *p = (const unsigned char *)c->text.p;
    cache_probe x;
    tok_ids *out = c->out;
    tok_cache_ask(c->w.n ? NULL : c->cache, p + from, to - from, p + c->text.len, &x);
    if (x.slot) {
        if (!tok_ids_room(out, CACHE_LONG_IDS)) return;
        const size_t known = tok_cache_get(&x, out->p + out->n);
        out->n += known;
        if (known) return;
    }
    const size_t before = out->n;
    add_chars(c, from, to);
    flush_word(c, to);
    if (!out->failed && !c->w.failed && out->n > before)
        tok_cache_put(&x, out->p + before, out->n - before);
}

static void add_text(encoder *c) {
    for (size_t i = 0, to; i < c->text.len && !c->w.failed && !c->out->failed; i = to) {
        to = word_end(c, i);
        encode_word(c, i, to);
    }
    if (c->w.n) flush_word(c, c->text.len);
}

static bool wants_prefix(const spm *s, str text, int where) {
    const bool there = str_starts(text, STR_LIT("\u2581")) ||
                       (str_starts(text, STR_LIT(" ")) && !s->o.keeps_spaces);
    switch (s->o.prefix) {
        case SPM_PREFIX_NEVER:
            return false;
        case SPM_PREFIX_ALWAYS:
            return where & TOK_AFTER_SPECIAL;
        case SPM_PREFIX_UNLESS_THERE:
            return where & TOK_AFTER_SPECIAL && !there;
        case SPM_PREFIX_FIRST:
            return where & TOK_AT_START && !there;
    }
    return false;
}

static status encode_spm(const tok *t, str text, int where, tok_ids *out, err *e) {
    if (text.len >= UINT32_MAX)
        return err_set(e, RZ_EINVAL, "tokenizer: a text of %zu bytes, expected less than 4 GiB",
                       text.len);
    encoder c;
    c.t = t;
    c.s = t->state;
    c.text = text;
    c.out = out;
    spm *shared = t->state;
    c.cache = shared->all_bytes ? tok_cache_take(&shared->caches) : NULL;
    c.bad_byte = -1;
    c.last_unk = false;
    merge_work_init(&c.w);
    if (wants_prefix(c.s, text, where)) merge_work_add(&c.w, c.s->space, 0);
    add_text(&c);
    const bool failed = c.w.failed;
    merge_work_free(&c.w);
    tok_cache_give(&shared->caches, c.cache);
    if (failed) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    if (c.bad_byte >= 0)
        return err_set(e, RZ_EINVAL,
                       "tokenizer: byte 0x%02X of the text has no token, and the vocabulary has no "
                       "unknown token",
                       (unsigned)c.bad_byte);
    return RZ_OK;
}

/* The rest lies in the tokenizer's arena. */
static void forget_spm(void *state) {
    spm *s = state;
    if (s) tok_cache_pool_clear(&s->caches);
}

/* Words that are apart may be encoded apart, where unknown characters are not
 * gathered over the border. */
static size_t cut_spm(const tok *t, str text, size_t from) {
    const spm *s = t->state;
    if (!s->words_apart || s->o.keeps_spaces || !s->all_bytes) return text.len;
    for (size_t i = from > 0 ? from : 1; i < text.len; i++)
        if (text.p[i] == ' ' && (unsigned char)text.p[i - 1] > ' ' &&
            (unsigned char)text.p[i - 1] < 0x7F)
            return i;
    return text.len;
}

static const tok_methods spm_methods = {"SentencePiece BPE", encode_spm, forget_spm, cut_spm,
                                        forget_spm,          tok_spm_rzv};

status tok_spm_init(tok *t, tok_index *x, const merge_list *merges, const tok_spm_options *o,
                    err *e) {
    if (t->n > SPM_MOST)
        return err_set(e, RZ_EUNSUPPORTED, "%s: %zu tokens, this build takes up to %d", o->where,
                       t->n, SPM_MOST);
    arena scratch = ARENA_INIT;
    spm *s = arena_zero(&t->mem, 1, sizeof *s);
    if (s) s->o = *o;
    const bool ok = s && number_chars(s, t, &scratch) && find_joins(s, t) &&
                    find_merges(s, t, x, merges, &scratch);
    arena_free(&scratch);
    if (!ok) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    find_bytes(s, t);
    t->state = s;
    t->kind = &spm_methods;
    return RZ_OK;
}

/* A search for a character ends soon. */
static status rzv_chars(rzv *a, spm *s) {
    uint32_t n = (uint32_t)(s->char_mask + 1);
    size_t run = 0, longest = 0;
    TRY(rzv_u32(a, "characters", &n, 1, 1 << 22));
    if (n & (n - 1)) return rzv_error(a, "characters", "are no power of two");
    s->char_mask = n - 1;
    TRY(rzv_array(a, "characters", &s->chars, n, sizeof *s->chars));
    for (size_t i = 0; i < n; i++) {
        run = s->chars[i].symbol == MERGE_NONE ? 0 : run + 1;
        longest = run > longest ? run : longest;
    }
    if (longest > RZV_MOST_RUN || longest == n) return rzv_error(a, "characters", "are too dense");
    TRY(rzv_inside(a, "ASCII", s->ascii, sizeof s->ascii));
    TRY(rzv_inside(a, "neighbours", s->near, sizeof s->near));
    TRY(rzv_u32(a, "neighbours", &s->join_bits, 8, 24));
    return rzv_array(a, "neighbours", &s->joins, ((size_t)1 << s->join_bits) / 64,
                     sizeof *s->joins);
}

static status rzv_options(rzv *a, tok_spm_options *o) {
    uint32_t prefix = o->prefix;
    TRY(rzv_u32(a, "prefix", &prefix, 0, SPM_PREFIX_FIRST));
    o->prefix = (spm_prefix)prefix;
    TRY(rzv_flag(a, "keeps_spaces", &o->keeps_spaces));
    TRY(rzv_flag(a, "splits_spaces", &o->splits_spaces));
    TRY(rzv_flag(a, "no_bytes", &o->no_bytes));
    TRY(rzv_flag(a, "drops_unknown", &o->drops_unknown));
    return rzv_flag(a, "keeps_unknown_runs", &o->keeps_unknown_runs);
}

status tok_spm_rzv(rzv *a) {
    tok *t = a->t;
    if (t->n > SPM_MOST) return rzv_error(a, "tokens", "are too many");
    spm *s = rzv_reads(a) ? arena_zero(&t->mem, 1, sizeof *s) : t->state;
    if (!s) return rzv_no_memory(a);
    t->state = s;
    t->kind = &spm_methods;
    TRY(merge_table_rzv(a, &s->merges));
    TRY(rzv_chars(a, s));
    TRY(rzv_u32(a, "space", &s->space, 0, UINT32_MAX));
    TRY(rzv_flag(a, "words_apart", &s->words_apart));
    TRY(rzv_bytes(a, "bytes", s->byte));
    TRY(rzv_options(a, &s->o));
    if (rzv_reads(a) && !s->o.no_bytes) find_all_bytes(s);
    return RZ_OK;
}

status tok_spm_open_gguf(tok *t, const tensor_file *f, err *e) {
    static const tok_gguf_defaults defaults = {
        .bos = 1, .eos = 2, .unk = 0, .pad = -1, .add_bos = true, .needs_scores = true};
    tok_index x = {0};
    status s = tok_gguf_read(t, f, &defaults, &x, e);
    bool prefix = true;
    if (s >= 0) s = meta_bool(f, "tokenizer.ggml.add_space_prefix", &prefix, e);
    const tok_spm_options o = {.where = f->path,
                               .prefix = prefix ? SPM_PREFIX_ALWAYS : SPM_PREFIX_NEVER};
    t->drops_first_space = prefix;
    if (s >= 0) s = tok_spm_bytes(t, true, f->path, e);
    if (s >= 0) s = tok_spm_init(t, &x, NULL, &o, e);
    tok_index_done(&x);
    return s;
}
