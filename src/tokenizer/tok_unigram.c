/* tok_unigram.c - Unigram: of all ways to cut a word into tokens the one with the highest sum of
 * scores (Viterbi). A character that no token of its own begins costs `unk_score`.
 *
 * At a place that no token found so far reaches beyond, every path passes: what lies before it is
 * decided, written out, and forgotten, so memory does not grow with the text. The sum goes on from
 * there, which keeps rounding as it is in the libraries that look at the whole text at once.
 *
 * Where no token has a space behind another character, every path passes before each space, and
 * the words between are remembered. Only the sum before a word can then change what becomes of it,
 * by how much it rounds: with the ids is kept up to which sum they are certain. */
#include <math.h>

#include "base/mem.h"
#include "tokenizer/tok_pipe.h"
#include "tokenizer/tok_rzv.h"
#include "unicode/utf8.h"

static const char SPACE[] = "\u2581";

enum { WORDS = 32, MOST_SUM_BITS = 40, UNKNOWN = 1 << 23 };

/* The best way to reach a place. */
typedef struct unigram_best {
    double score, second; /* `second`: of the next best, -INFINITY if there is none */
    uint32_t from;        /* where the last token begins */
    uint32_t id;          /* TRIE_NONE: an unknown character */
    bool reached;
} unigram_best;

typedef struct unigram {
    tok_trie trie;
    double *score; /* [n] */
    int32_t byte[256];
    double unk_score;
    int32_t unk;
    bool has_bytes, single;
    bool words_apart; /* no token has U+2581 behind another character */
    size_t longest;   /* token, in bytes */
} unigram;

/* Room for places 0 .. n - 1. */
static bool make_room(word_work *w, size_t n) {
    const size_t before = w->cap;
    if (n <= before) return true;
    w->failed |= !mem_room(&w->best, &w->cap, n, sizeof *w->best);
    for (size_t i = before; i < w->cap; i++) w->best[i].reached = false;
    return !w->failed;
}

/* SentencePiece compares before it rounds. */
static inline void offer(const unigram *u, unigram_best *to, double score, uint32_t from,
                         uint32_t id) {
    double second = -INFINITY;
    if (to->reached && score <= to->score) {
        if (score > to->second) to->second = score;
        return;
    }
    if (to->reached) second = to->score;
    *to = (unigram_best){u->single ? (double)(float)score : score, second, from, id, true};
}

/* Bytes of the character at the front; bytes that are no character count one by one. */
static inline size_t char_length(str s) {
    if ((unsigned char)*s.p < 0x80) return 1;
    uint32_t cp;
    const size_t n = utf8_decode(s, &cp);
    return cp == UTF8_BAD ? 1 : n;
}

static void emit(const unigram *u, str bytes, uint32_t id, word_work *w, tok_ids *out) {
    if (id != TRIE_NONE && (int32_t)id != u->unk) {
        tok_ids_push(out, (int32_t)id);
        w->last_unk = false;
        return;
    }
    bool all = u->has_bytes;
    for (size_t i = 0; i < bytes.len && all; i++) all = u->byte[(unsigned char)bytes.p[i]] >= 0;
    if (all) {
        for (size_t i = 0; i < bytes.len; i++)
            tok_ids_push(out, u->byte[(unsigned char)bytes.p[i]]);
        return;
    }
    if (u->unk >= 0 && !w->last_unk) tok_ids_push(out, u->unk);
    w->last_unk = true;
}

/* Places 0 .. to of w->best are decided: turn the path around, write it, forget it. */
static void settle(const unigram *u, str word, size_t to, word_work *w, tok_ids *out) {
    size_t next = to;
    uint32_t id = 0;
    for (size_t at = to; at > 0;) { /* after this loop best[from] says where its token ends */
        const size_t from = w->best[at].from;
        const uint32_t this_id = w->best[at].id;
        w->best[at].from = (uint32_t)next;
        w->best[at].id = id;
        next = at;
        id = this_id;
        at = from;
    }
    for (size_t at = 0; at < to;) {
        emit(u, (str){word.p + at, next - at}, id, w, out);
        at = next;
        next = w->best[at].from;
        id = w->best[at].id;
    }
    w->score = w->best[to].score;
    for (size_t i = 0; i <= to; i++) w->best[i].reached = false;
}

/* All tokens that begin at `at`, whose character has `one` bytes. Returns the furthest place they
 * reach. */
static size_t look(const unigram *u, str word, size_t at, size_t one, word_work *w) {
    const size_t rest = word.len - at, most = rest < u->longest ? rest : u->longest;
    if (!make_room(w, at + (most > one ? most : one) + 1)) return at + one;
    unigram_best *best = w->best + at;
    const unsigned char *p = (const unsigned char *)word.p + at;
    const double so_far = best->score;
    size_t far = 0;
    bool single = false;
    uint32_t node = 0;
    for (size_t i = 0; i < most; i++) {
        node = tok_trie_step(&u->trie, node, p[i]);
        if (node == TRIE_NONE) break;
        const uint32_t id = u->trie.node[node].id;
        if (id == TRIE_NONE) continue;
        offer(u, &best[i + 1], so_far + u->score[id], (uint32_t)at, id);
        single |= i + 1 == one;
        far = i + 1;
    }
    if (single) return at + far;
    const double unk = so_far + u->unk_score;
    offer(u, &best[one], u->single ? (double)(float)unk : unk, (uint32_t)at, TRIE_NONE);
    return at + (far > one ? far : one);
}

/* What is remembered of a word: its tokens, unknown characters as UNKNOWN + how many in a row, and
 * last how large the sum before it may be: 2 to the power of that. */
typedef struct memo {
    int32_t step[CACHE_LONG + 1], *p; /* p: the first */
    size_t n;
} memo;

/* The path to place `to`. false: not all of it can be written again from a memo. */
static bool note_path(const unigram *u, const unigram_best *best, size_t to, memo *m) {
    m->p = m->step + CACHE_LONG;
    *m->p = 0; /* no step yet */
    for (size_t at = to; at > 0; at = best[at].from) {
        const bool unknown = best[at].id == TRIE_NONE;
        if (unknown ? u->has_bytes : (int32_t)best[at].id == u->unk) return false;
        if (unknown && at < to && *m->p & UNKNOWN) ++*m->p;
        else *--m->p = unknown ? UNKNOWN + 1 : (int32_t)best[at].id;
    }
    m->n = (size_t)(m->step + CACHE_LONG - m->p);
    return !(*m->p & UNKNOWN); /* it may belong to one before */
}

/* The path to place `to` is the same whatever the sum before it is, as long as it is no larger than
 * 2 to the power of what is returned; -1: that is not certain.
 *
 * A path has at most `to` sums, each rounded by at most `unit` times the largest of them. What two
 * paths to a place differ by changes by no more than 2 * to times that, here and with another sum
 * before; the factor of 4 leaves room for the rounding of all that is computed with. */
static int safe_sum(const unigram *u, const unigram_best *best, size_t to) {
    const double unit = u->single ? 0x1p-24 : 0x1p-53;
    double margin = INFINITY, deep = 1;
    for (size_t at = to; at > 0; at = best[at].from)
        margin = fmin(margin, best[at].score - best[at].second);
    for (size_t i = 1; i <= to; i++)
        if (best[i].reached) deep = fmax(deep, 1 + fabs(best[i].score - best[0].score));
    const double most = margin / (4 * (double)to * unit) - fabs(best[0].score) - 2 * deep;
    int bits = -1;
    for (double sum = 1; sum <= most && bits < MOST_SUM_BITS; sum *= 2) bits++;
    return bits;
}

/* Remember the word, whose last place is `to`. */
static void note_word(const unigram *u, const cache_probe *x, const word_work *w, size_t to) {
    memo m;
    const int bits = safe_sum(u, w->best, to);
    if (bits < 0 || !note_path(u, w->best, to, &m)) return;
    m.p[m.n++] = bits;
    cache_probe wide = *x;
    if (m.n > CACHE_SHORT_IDS && !x->wide) tok_cache_ask_wide(w->cache, x->p, x->len, &wide);
    tok_cache_put(&wide, m.p, m.n);
}

/* A word that is not remembered, or not for this sum. */
static void encode_word(const unigram *u, const cache_probe *x, word_work *w, tok_ids *out) {
    str word = {(const char *)x->p, x->len};
    size_t at = 0, far = 0;
    while (!w->failed && !out->failed) {
        if (at == 0) {
            if (!make_room(w, 1)) return;
            w->best[0] = (unigram_best){w->score, -INFINITY, 0, TRIE_NONE, true};
        }
        const size_t one = char_length((str){word.p + at, word.len - at});
        if (w->best[at].reached) {
            const size_t end = look(u, word, at, one, w);
            if (end > far) far = end;
        }
        at += one;
        if (w->failed || at < far || (x->slot && at < word.len)) continue;
        if (x->slot) note_word(u, x, w, at);
        settle(u, word, at, w, out); /* every path passes here */
        word.p += at;
        word.len -= at;
        if (word.len == 0) return;
        at = far = 0;
    }
}

static void add_score(const unigram *u, word_work *w, double score) {
    score += w->score;
    w->score = u->single ? (double)(float)score : score;
}

/* Is it remembered? Then its ids are written. */
static bool recall(const unigram *u, const cache_probe *x, word_work *w, tok_ids *out) {
    if (!x->slot || !tok_ids_room(out, CACHE_LONG_IDS)) return false;
    const int32_t *step = out->p + out->n;
    size_t n = tok_cache_get(x, out->p + out->n);
    if (n == 0 && !x->wide) { /* short, with many ids */
        cache_probe wide;
        tok_cache_ask_wide(w->cache, x->p, x->len, &wide);
        n = tok_cache_get(&wide, out->p + out->n);
    }
    if (n == 0 || fabs(w->score) > (double)((uint64_t)1 << step[n - 1])) return false;
    for (size_t i = 0; i + 1 < n; i++) {
        const int32_t id = step[i];
        if (!(id & UNKNOWN)) {
            add_score(u, w, u->score[id]);
            out->p[out->n++] = id; /* never beyond step[i] */
            w->last_unk = false;
            continue;
        }
        for (int32_t k = id - UNKNOWN; k > 0; k--) add_score(u, w, u->unk_score);
        if (u->unk >= 0 && !w->last_unk) out->p[out->n++] = u->unk;
        w->last_unk = true;
    }
    return true;
}

static inline bool is_space(str s, size_t at) {
    return s.len - at >= 3 && memcmp(s.p + at, SPACE, 3) == 0;
}

/* Before the next space that stands behind something else. */
static size_t word_end(str s, size_t from) {
    size_t i = from;
    while (is_space(s, i)) i += 3;
    while (i < s.len) {
        const char *at = memchr(s.p + i, (unsigned char)*SPACE, s.len - i);
        if (!at) return s.len;
        i = (size_t)(at - s.p);
        if (is_space(s, i)) return i;
        i++;
    }
    return s.len;
}

static void encode_unigram(const tok *t, const void *state, str word, word_work *w, tok_ids *out) {
    const unigram *u = state;
    const unsigned char *p = (const unsigned char *)word.p;
    tok_cache *cache = t->n <= UNKNOWN ? w->cache : NULL;
    for (size_t from = 0; from < word.len;) {
        cache_probe some[WORDS];
        size_t n = 0;
        for (size_t to; n < WORDS && from < word.len; from = to) {
            to = u->words_apart ? word_end(word, from) : word.len;
            tok_cache_ask(cache, p + from, to - from, p + word.len, &some[n++]);
        }
        for (size_t i = 0; i < n && !w->failed && !out->failed; i++)
            if (!recall(u, &some[i], w, out)) encode_word(u, &some[i], w, out);
        if (w->failed || out->failed) return;
    }
}

/* What can be seen of all tokens at once. */
static void measure(unigram *u, const tok *t) {
    u->words_apart = true;
    for (size_t id = 0; id < t->n; id++) {
        const str piece = tok_piece(t, (int32_t)id);
        if (piece.len > u->longest) u->longest = piece.len;
        if (tok_space_inside(piece)) u->words_apart = false;
    }
}

/* Which tokens a text can become. */
static bool is_found(const tok *t, size_t id, bool only_plain) {
    const uint8_t type = t->type[id];
    const str piece = t->piece[id];
    if (type == TOK_ABSENT || piece.len == 0 || utf8_valid(piece) < piece.len) return false;
    return !only_plain || type == TOK_NORMAL || type == TOK_USER_DEFINED || type == TOK_UNUSED;
}

status tok_unigram_init(word_model *m, tok *t, const unigram_options *o, err *e) {
    unigram *u = arena_zero(&t->mem, 1, sizeof *u);
    trie_key *key = mem_array(t->n + 1, sizeof *key);
    size_t n = 0;
    bool ok = u && key && (u->score = arena_zero(&t->mem, t->n, sizeof *u->score)) != NULL;
    for (size_t id = 0; ok && id < t->n; id++) {
        u->score[id] = o->exact ? o->exact[id] : (double)o->score[id];
        if (t->type[id] == TOK_USER_DEFINED)
            u->score[id] = o->user_score != 0 ? (double)t->piece[id].len * o->user_score - 0.1
                                              : (o->only_plain ? 0 : u->score[id]);
        if (is_found(t, id, o->only_plain) && u->score[id] > -INFINITY)
            key[n++] = (trie_key){t->piece[id], (uint32_t)id};
    }
    ok = ok && tok_trie_build(&u->trie, key, n, &t->mem);
    mem_free(key);
    if (!ok) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    u->unk_score = o->unk_score;
    u->unk = o->unk;
    u->single = o->single;
    u->has_bytes = o->byte != NULL;
    memset(u->byte, 0xFF, sizeof u->byte);
    if (o->byte) memcpy(u->byte, o->byte, sizeof u->byte);
    measure(u, t);
    *m = (word_model){"Unigram", encode_unigram, u, tok_unigram_rzv, true};
    return RZ_OK;
}

status tok_unigram_rzv(rzv *a, word_model *m) {
    unigram *u = rzv_reads(a) ? arena_zero(&a->t->mem, 1, sizeof *u) : m->state;
    if (!u) return rzv_no_memory(a);
    TRY(tok_trie_rzv(a, &u->trie));
    TRY(rzv_array(a, "scores", &u->score, a->t->n, sizeof *u->score));
    TRY(rzv_bytes(a, "bytes", u->byte));
    TRY(rzv_f64(a, "unk_score", &u->unk_score));
    TRY(rzv_id(a, "unk", &u->unk));
    TRY(rzv_flag(a, "has_bytes", &u->has_bytes));
    TRY(rzv_flag(a, "single", &u->single));
    if (rzv_reads(a)) measure(u, a->t);
    *m = (word_model){"Unigram", encode_unigram, u, tok_unigram_rzv, true};
    return RZ_OK;
}
