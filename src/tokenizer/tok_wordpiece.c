/* tok_wordpiece.c - word models that look tokens up: WordPiece takes the longest token at every
 * place of a word and gives the word up where there is none; WordLevel knows whole words only; the
 * greedy model (RWKV) is WordPiece over a whole text without giving up. */
#include "base/mem.h"
#include "tokenizer/tok_pipe.h"
#include "tokenizer/tok_rzv.h"
#include "unicode/utf8.h"

typedef struct wordpiece {
    tok_trie trie;
    uint32_t inside; /* the node where tokens behind the first begin, or TRIE_NONE */
    wordpiece_options o;
} wordpiece;

static bool build(tok_trie *trie, tok *t, const str *text) {
    trie_key *key = mem_array(t->n + 1, sizeof *key);
    size_t n = 0;
    for (size_t id = 0; key && id < t->n; id++)
        if (t->type[id] != TOK_ABSENT) key[n++] = (trie_key){text[id], (uint32_t)id};
    const bool ok = key && tok_trie_build(trie, key, n, &t->mem);
    mem_free(key);
    return ok;
}

/* The longest key at the front of s from `node` on; its length, 0: none. */
static size_t longest(const tok_trie *trie, uint32_t node, str s, uint32_t *id) {
    size_t found = 0;
    for (size_t i = 0; i < s.len && node != TRIE_NONE; i++) {
        node = tok_trie_step(trie, node, (unsigned char)s.p[i]);
        if (node == TRIE_NONE || trie->node[node].id == TRIE_NONE) continue;
        *id = trie->node[node].id;
        found = i + 1;
    }
    return found;
}

static bool too_long(str word, size_t most) {
    size_t n = 0;
    for (size_t i = 0; most && i < word.len; i++) n += ((unsigned char)word.p[i] & 0xC0) != 0x80;
    return most && n > most;
}

static void encode_wordpiece(const tok *t, const void *state, str word, word_work *w,
                             tok_ids *out) {
    const wordpiece *p = state;
    const size_t before = out->n;
    (void)t;
    bool good = !too_long(word, p->o.max_chars);
    if (p->o.lead.len) {
        buf_clear(&w->text);
        buf_str(&w->text, p->o.lead);
        buf_str(&w->text, word);
        if (w->text.failed) return;
        word = buf_view(&w->text);
    }
    uint32_t node = 0, id = 0;
    while (good && word.len) {
        const size_t n = longest(&p->trie, node, word, &id);
        good = n > 0;
        if (good) tok_ids_push(out, (int32_t)id);
        word.p += n;
        word.len -= n;
        node = p->inside;
    }
    if (good) return;
    out->n = before;
    if (p->o.unk >= 0) tok_ids_push(out, p->o.unk);
}

status tok_wordpiece_init(word_model *m, tok *t, const wordpiece_options *o, err *e) {
    wordpiece *p = arena_zero(&t->mem, 1, sizeof *p);
    if (!p || !build(&p->trie, t, t->piece))
        return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    p->o = *o;
    p->inside = tok_trie_walk(&p->trie, 0, o->inside);
    *m = (word_model){"WordPiece", encode_wordpiece, p, tok_wordpiece_rzv, false};
    return RZ_OK;
}

static void encode_wordlevel(const tok *t, const void *state, str word, word_work *w,
                             tok_ids *out) {
    const wordpiece *p = state;
    (void)t, (void)w;
    const uint32_t id = tok_trie_find(&p->trie, word);
    if (id != TRIE_NONE) tok_ids_push(out, (int32_t)id);
    else if (p->o.unk >= 0) tok_ids_push(out, p->o.unk);
}

status tok_wordlevel_init(word_model *m, tok *t, int32_t unk, err *e) {
    wordpiece *p = arena_zero(&t->mem, 1, sizeof *p);
    if (!p || !build(&p->trie, t, t->piece))
        return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    p->o.unk = unk;
    *m = (word_model){"WordLevel", encode_wordlevel, p, tok_wordlevel_rzv, false};
    return RZ_OK;
}

static void encode_greedy(const tok *t, const void *state, str word, word_work *w, tok_ids *out) {
    const wordpiece *p = state;
    (void)t, (void)w;
    while (word.len && !out->failed) {
        uint32_t id = 0;
        size_t n = longest(&p->trie, 0, word, &id);
        if (n) tok_ids_push(out, (int32_t)id);
        else if (p->o.unk >= 0) tok_ids_push(out, p->o.unk);
        if (n == 0) n = 1;
        word.p += n;
        word.len -= n;
    }
}

status tok_greedy_init(word_model *m, tok *t, int32_t unk, err *e) {
    wordpiece *p = arena_zero(&t->mem, 1, sizeof *p);
    str *text = mem_array(t->n + 1, sizeof *text);
    for (size_t id = 0; text && id < t->n; id++)
        text[id] = (str){t->bytes + t->byte_at[id], t->byte_at[id + 1] - t->byte_at[id]};
    const bool ok = p && text && build(&p->trie, t, text);
    mem_free(text);
    if (!ok) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    p->o.unk = unk;
    *m = (word_model){"greedy", encode_greedy, p, tok_greedy_rzv, false};
    return RZ_OK;
}

/* ---- compact files ---- */

/* *p receives m's state, or a new one. */
static status rzv_words(rzv *a, const word_model *m, wordpiece **p) {
    *p = rzv_reads(a) ? arena_zero(&a->t->mem, 1, sizeof **p) : m->state;
    if (!*p) return rzv_no_memory(a);
    TRY(tok_trie_rzv(a, &(*p)->trie));
    return rzv_id(a, "unk", &(*p)->o.unk);
}

status tok_wordpiece_rzv(rzv *a, word_model *m) {
    wordpiece *p;
    TRY(rzv_words(a, m, &p));
    uint32_t max_chars = (uint32_t)p->o.max_chars;
    TRY(rzv_str(a, "lead", &p->o.lead));
    TRY(rzv_str(a, "inside", &p->o.inside));
    TRY(rzv_u32(a, "max_chars", &max_chars, 0, UINT32_MAX));
    p->o.max_chars = max_chars;
    p->inside = tok_trie_walk(&p->trie, 0, p->o.inside);
    *m = (word_model){"WordPiece", encode_wordpiece, p, tok_wordpiece_rzv, false};
    return RZ_OK;
}

status tok_wordlevel_rzv(rzv *a, word_model *m) {
    wordpiece *p;
    TRY(rzv_words(a, m, &p));
    *m = (word_model){"WordLevel", encode_wordlevel, p, tok_wordlevel_rzv, false};
    return RZ_OK;
}

status tok_greedy_rzv(rzv *a, word_model *m) {
    wordpiece *p;
    TRY(rzv_words(a, m, &p));
    *m = (word_model){"greedy", encode_greedy, p, tok_greedy_rzv, false};
    return RZ_OK;
}
