/* tok_unigram.c - Unigram: of all ways to cut a word into tokens the one with the highest sum of
 * scores (Viterbi). A character that no token of its own begins costs `unk_score`.
 *
 * At a place that no token found so far reaches beyond, every path passes: what lies before it is
 * decided, written out, and forgotten, so memory does not grow with the text. The sum goes on from
 * there, which keeps rounding as it is in the libraries that look at the whole text at once. */
#include <math.h>

#include "base/mem.h"
#include "tokenizer/tok_pipe.h"
#include "tokenizer/tok_rzv.h"
#include "unicode/utf8.h"

/* The best way to reach a place. */
typedef struct unigram_best {
    double score;
    uint32_t from; /* where the last token begins */
    uint32_t id;   /* TRIE_NONE: an unknown character */
    bool reached;
} unigram_best;

typedef struct unigram {
    tok_trie trie;
    double *score; /* [n] */
    int32_t byte[256];
    double unk_score;
    int32_t unk;
    bool has_bytes, single;
} unigram;

/* Room for places 0 .. n - 1. */
static bool make_room(word_work *w, size_t n) {
    if (n <= w->cap) return true;
    size_t cap = w->cap ? w->cap : 256;
    while (cap < n) cap *= 2;
    unigram_best *p = mem_resize(w->best, cap, sizeof *p);
    if (!p) {
        w->failed = true;
        return false;
    }
    for (size_t i = w->cap; i < cap; i++) p[i].reached = false;
    w->best = p;
    w->cap = cap;
    return true;
}

/* SentencePiece compares before it rounds. */
static void offer(const unigram *u, unigram_best *to, double score, uint32_t from, uint32_t id) {
    if (to->reached && score <= to->score) return;
    *to = (unigram_best){u->single ? (double)(float)score : score, from, id, true};
}

/* Bytes of the character at the front; bytes that are no character count one by one. */
static size_t char_length(str s) {
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

/* All tokens that begin at `at`. Returns the furthest place they reach. */
static size_t look(const unigram *u, str word, size_t at, word_work *w) {
    const str rest = {word.p + at, word.len - at};
    const size_t one = char_length(rest);
    const double so_far = w->best[at].score;
    size_t far = 0;
    bool single = false;
    uint32_t node = 0;
    for (size_t i = 0; i < rest.len; i++) {
        node = tok_trie_step(&u->trie, node, (unsigned char)rest.p[i]);
        if (node == TRIE_NONE) break;
        const uint32_t id = u->trie.node[node].id;
        if (id == TRIE_NONE) continue;
        if (!make_room(w, at + i + 2)) return at + one;
        offer(u, &w->best[at + i + 1], so_far + u->score[id], (uint32_t)at, id);
        single |= i + 1 == one;
        far = i + 1;
    }
    if (single) return at + far;
    if (!make_room(w, at + one + 1)) return at + one;
    const double unk = so_far + u->unk_score;
    offer(u, &w->best[at + one], u->single ? (double)(float)unk : unk, (uint32_t)at, TRIE_NONE);
    return at + (far > one ? far : one);
}

static void encode_unigram(const tok *t, const void *state, str word, word_work *w, tok_ids *out) {
    const unigram *u = state;
    (void)t;
    size_t at = 0, far = 0;
    while (word.len && !w->failed && !out->failed) {
        if (at == far && at > 0) { /* every path passes here */
            settle(u, word, at, w, out);
            word.p += at;
            word.len -= at;
            at = far = 0;
            continue;
        }
        if (at == 0) {
            if (!make_room(w, 1)) return;
            w->best[0] = (unigram_best){w->score, 0, TRIE_NONE, true};
        }
        if (w->best[at].reached) {
            const size_t end = look(u, word, at, w);
            if (end > far) far = end;
        }
        at += char_length((str){word.p + at, word.len - at});
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
    *m = (word_model){"Unigram", encode_unigram, u, tok_unigram_rzv};
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
    *m = (word_model){"Unigram", encode_unigram, u, tok_unigram_rzv};
    return RZ_OK;
}
