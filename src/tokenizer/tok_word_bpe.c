/* tok_word_bpe.c - BPE over the characters of a word, with everything a tokenizer.json can ask
 * for: marks on characters inside and at the end of a word, byte tokens, unknown tokens that fuse,
 * words that are looked up whole first. */
#include "base/mem.h"
#include "tokenizer/tok_pipe.h"
#include "tokenizer/tok_rzv.h"
#include "unicode/utf8.h"

typedef struct word_bpe {
    tok_trie trie;
    merge_table merges;
    word_bpe_options o;
    int32_t byte[256];
    uint32_t inside; /* the node of o.inside, or TRIE_NONE */
} word_bpe;

/* The token of one character, marked by where it stands. */
static uint32_t find_char(const word_bpe *b, str c, bool first, bool last) {
    uint32_t node = tok_trie_walk(&b->trie, first ? 0 : b->inside, c);
    if (last) node = tok_trie_walk(&b->trie, node, b->o.end);
    return node == TRIE_NONE ? TRIE_NONE : b->trie.node[node].id;
}

/* The byte tokens of `s`; false when one is missing. */
static bool add_bytes(const word_bpe *b, str s, size_t at, merge_work *w) {
    for (size_t i = 0; i < s.len; i++)
        if (b->byte[(unsigned char)s.p[i]] < 0) return false;
    for (size_t i = 0; i < s.len; i++)
        merge_work_add(w, (uint32_t)b->byte[(unsigned char)s.p[i]], at);
    return true;
}

/* A character that is no token, with its marks, as byte tokens. */
static bool add_marked_bytes(const word_bpe *b, str c, bool first, bool last, word_work *w,
                             size_t at) {
    buf_clear(&w->text);
    if (!first) buf_str(&w->text, b->o.inside);
    buf_str(&w->text, c);
    if (last) buf_str(&w->text, b->o.end);
    return !w->text.failed && add_bytes(b, buf_view(&w->text), at, &w->merge);
}

static void encode_word_bpe(const tok *t, const void *state, str word, word_work *w, tok_ids *out) {
    const word_bpe *b = state;
    (void)t;
    if (b->o.ignore_merges) {
        const uint32_t whole = tok_trie_find(&b->trie, word);
        if (whole != TRIE_NONE) {
            tok_ids_push(out, (int32_t)whole);
            return;
        }
    }
    bool pending = false; /* an unknown token that more characters may join */
    w->merge.n = 0;
    for (size_t at = 0; at < word.len && !w->merge.failed;) {
        uint32_t cp;
        const size_t n = utf8_decode((str){word.p + at, word.len - at}, &cp);
        const str c = {word.p + at, n};
        const bool first = at == 0, last = at + n == word.len;
        const uint32_t id = find_char(b, c, first, last);
        if (id != TRIE_NONE) {
            if (pending) merge_work_add(&w->merge, (uint32_t)b->o.unk, at);
            pending = false;
            merge_work_add(&w->merge, id, at);
        } else if (!(b->o.byte && add_marked_bytes(b, c, first, last, w, at)) && b->o.unk >= 0) {
            if (pending && !b->o.fuse_unk) merge_work_add(&w->merge, (uint32_t)b->o.unk, at);
            pending = true;
        }
        at += n;
    }
    if (pending) merge_work_add(&w->merge, (uint32_t)b->o.unk, word.len);
    merge_run(&b->merges, &w->merge);
    for (size_t i = 0; i < w->merge.n && !w->merge.failed; i++)
        tok_ids_push(out, (int32_t)w->merge.part[i].symbol);
}

status tok_word_bpe_init(word_model *m, tok *t, const merge_list *merges, const word_bpe_options *o,
                         err *e) {
    word_bpe *b = arena_zero(&t->mem, 1, sizeof *b);
    trie_key *key = mem_array(t->n + 1, sizeof *key);
    size_t n = 0;
    for (size_t id = 0; key && id < t->n; id++)
        if (t->type[id] != TOK_ABSENT) key[n++] = (trie_key){t->piece[id], (uint32_t)id};
    const bool ok = b && key && tok_trie_build(&b->trie, key, n, &t->mem) &&
                    merge_table_build(&b->merges, merges, &t->mem);
    mem_free(key);
    if (!ok) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    b->o = *o;
    b->inside = tok_trie_walk(&b->trie, 0, o->inside);
    if (o->byte) {
        memcpy(b->byte, o->byte, sizeof b->byte);
        b->o.byte = b->byte;
    }
    *m = (word_model){"BPE", encode_word_bpe, b, tok_word_bpe_rzv, false};
    return RZ_OK;
}

status tok_word_bpe_rzv(rzv *a, word_model *m) {
    word_bpe *b = rzv_reads(a) ? arena_zero(&a->t->mem, 1, sizeof *b) : m->state;
    if (!b) return rzv_no_memory(a);
    bool bytes = b->o.byte != NULL;
    TRY(tok_trie_rzv(a, &b->trie));
    TRY(merge_table_rzv(a, &b->merges));
    TRY(rzv_id(a, "unk", &b->o.unk));
    TRY(rzv_flag(a, "byte_fallback", &bytes));
    TRY(rzv_bytes(a, "bytes", b->byte));
    TRY(rzv_str(a, "inside", &b->o.inside));
    TRY(rzv_str(a, "end", &b->o.end));
    TRY(rzv_flag(a, "fuse_unk", &b->o.fuse_unk));
    TRY(rzv_flag(a, "ignore_merges", &b->o.ignore_merges));
    b->o.byte = bytes ? b->byte : NULL;
    b->inside = tok_trie_walk(&b->trie, 0, b->o.inside);
    *m = (word_model){"BPE", encode_word_bpe, b, tok_word_bpe_rzv, false};
    return RZ_OK;
}
