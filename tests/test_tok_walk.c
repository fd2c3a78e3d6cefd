/* test_tok_walk.c - the trie of tokens, and walking against merging by definition: vocabularies
 * made at random, orderly and not, and real ones. REALIZAR_TOK_ROUNDS sets how many random texts
 * of each kind a real vocabulary is tried with. */
#include "tokenizer/tok_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "test.h"
#include "tok_golden.h"
#include "unicode/utf8.h"

enum { MOST_TOKENS = 40, MOST_TEXT = 300 };

typedef struct small {
    str text[MOST_TOKENS];
    char room[MOST_TOKENS][64];
    size_t n;
    merge_list list;
} small;

/* ---- trie ---- */

static void test_trie_finds_the_tokens_and_nothing_else(void) {
    uint64_t seed = 3;
    for (int round = 0; round < 60; round++) {
        static char room[400][12];
        static str text[400];
        static uint32_t value[400];
        const size_t n = rng_below(&seed, 400);
        const unsigned letters = 2 + (unsigned)rng_below(&seed, 254);
        for (size_t i = 0; i < n; i++) {
            text[i] = (str){room[i], 1 + rng_below(&seed, 12)};
            for (size_t k = 0; k < text[i].len; k++) room[i][k] = (char)rng_below(&seed, letters);
            value[i] = (uint32_t)i;
        }
        byte_trie t;
        arena mem = ARENA_INIT;
        REQUIRE(byte_trie_build(&t, text, value, n, &mem));
        for (int k = 0; k < 3000; k++) {
            char any[12];
            str s = {any, 1 + rng_below(&seed, 11)};
            for (size_t i = 0; i < s.len; i++) any[i] = (char)rng_below(&seed, letters);
            if (n && k % 2) s = text[rng_below(&seed, n)];
            uint32_t want = TRIE_NONE;
            for (size_t i = n; i-- > 0;)
                if (str_eq(text[i], s)) want = (uint32_t)i;
            CHECK(byte_trie_find(&t, s) == want);
        }
        arena_free(&mem);
    }
}

/* ---- merging by definition ---- */

/* Again and again the leftmost of the pairs of lowest rank. */
static size_t merge_slowly(const small *v, str text, int32_t *out) {
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) out[n++] = text.p[i] - 'a';
    for (;;) {
        size_t best = n;
        merge_pair low = {0, 0, 0, UINT32_MAX};
        for (size_t i = 0; i + 1 < n; i++)
            for (size_t k = 0; k < v->list.n; k++) {
                const merge_pair p = v->list.p[k];
                if ((int32_t)p.left != out[i] || (int32_t)p.right != out[i + 1]) continue;
                if (p.rank >= low.rank) continue;
                low = p;
                best = i;
            }
        if (best == n) return n;
        out[best] = (int32_t)low.merged;
        memmove(out + best + 1, out + best + 2, (n - best - 2) * sizeof *out);
        n--;
    }
}

static uint32_t find_text(const small *v, str s) {
    for (uint32_t i = 0; i < v->n; i++)
        if (str_eq(v->text[i], s)) return i;
    return UINT32_MAX;
}

static bool add_token(small *v, str a, str b) {
    char *to = v->room[v->n];
    if (a.len + b.len > sizeof v->room[0] || v->n == MOST_TOKENS) return false;
    memcpy(to, a.p, a.len);
    memcpy(to + a.len, b.p, b.len);
    const str s = {to, a.len + b.len};
    if (find_text(v, s) != UINT32_MAX) return false;
    v->text[v->n++] = s;
    return true;
}

/* Letters, then tokens each made of two before it. */
static void make_small(small *v, uint64_t *seed) {
    memset(v, 0, sizeof *v);
    const size_t letters = 1 + rng_below(seed, 3);
    for (size_t i = 0; i < letters; i++) {
        v->room[i][0] = (char)('a' + i);
        v->text[i] = (str){v->room[i], 1};
    }
    v->n = letters;
    for (int k = 0; k < 16; k++)
        add_token(v, v->text[rng_below(seed, v->n)], v->text[rng_below(seed, v->n)]);
}

/* Every way to make a token of two, lowest id first: rank BPE. */
static void list_cuts(small *v) {
    for (uint32_t id = 0; id < v->n; id++)
        for (size_t cut = 1; cut < v->text[id].len; cut++) {
            const str s = v->text[id];
            const uint32_t l = find_text(v, (str){s.p, cut});
            const uint32_t r = find_text(v, (str){s.p + cut, s.len - cut});
            if (l != UINT32_MAX && r != UINT32_MAX)
                CHECK(merge_list_add(&v->list, (merge_pair){l, r, id, id}));
        }
}

/* Some of those pairs in any order: the list of merges of a file. */
static void list_some(small *v, uint64_t *seed, bool shuffled) {
    size_t kept = 0;
    list_cuts(v);
    for (size_t k = 0; k < v->list.n; k++)
        if (rng_below(seed, 4)) v->list.p[kept++] = v->list.p[k];
    v->list.n = kept;
    for (size_t k = kept; shuffled && k > 1; k--) {
        const size_t other = rng_below(seed, k);
        const merge_pair swap = v->list.p[k - 1];
        v->list.p[k - 1] = v->list.p[other];
        v->list.p[other] = swap;
    }
    for (size_t k = 0; k < kept; k++) v->list.p[k].rank = (uint32_t)k;
}

static size_t merged(const tok_walk *w, str text, int32_t *out) {
    merge_work m;
    merge_work_init(&m);
    for (size_t i = 0; i < text.len; i++)
        merge_work_add(&m, byte_trie_find(&w->trie, (str){text.p + i, 1}), i);
    merge_run(&w->merges, &m);
    for (size_t i = 0; i < m.n; i++) out[i] = (int32_t)m.part[i].symbol;
    const size_t n = m.n;
    merge_work_free(&m);
    return n;
}

/* Returns how many texts of 60 were walked. */
static int check_small(small *v, const merge_list *given, uint64_t *seed, uint64_t *known) {
    tok_walk w;
    arena mem = ARENA_INIT;
    CHECK(tok_walk_init(&w, v->text, v->n, given, false, &mem));
    size_t letters = 0;
    int walked = 0;
    while (letters < v->n && v->text[letters].len == 1) letters++;
    for (int k = 0; k < 60; k++) {
        char text[MOST_TEXT];
        int32_t slow[MOST_TEXT], fast[MOST_TEXT];
        const str s = {text, 1 + rng_below(seed, k % 3 ? 12 : MOST_TEXT)};
        for (size_t i = 0; i < s.len; i++) text[i] = (char)('a' + rng_below(seed, letters));
        const size_t n = merge_slowly(v, s, slow);
        size_t got = tok_walk_encode(&w, (const unsigned char *)text, s.len, known, fast);
        walked += got > 0;
        if (got) CHECK(got == n && memcmp(fast, slow, n * sizeof *slow) == 0);
        got = merged(&w, s, fast);
        CHECK(got == n && memcmp(fast, slow, n * sizeof *slow) == 0);
    }
    arena_free(&mem);
    return walked;
}

static void test_walking_agrees_with_merging_by_definition(void) {
    static uint64_t known[1 << 15];
    const int rounds = test_thorough() ? 6000 : 600;
    int walked[3] = {0};
    uint64_t seed = 17;
    for (int round = 0; round < rounds; round++)
        for (int kind = 0; kind < 3; kind++) {
            small v;
            make_small(&v, &seed);
            if (kind == 0) list_cuts(&v);
            else list_some(&v, &seed, kind == 2);
            memset(known, 0, sizeof known);
            walked[kind] += check_small(&v, kind ? &v.list : NULL, &seed, round % 2 ? known : NULL);
            merge_list_free(&v.list);
        }
    /* Both ways are taken: shuffled lists merge pairs before their parts can be there. */
    for (int kind = 0; kind < 3; kind++)
        CHECK_MSG(walked[kind] > rounds * 10 && walked[kind] < rounds * (kind ? 60 : 61),
                  "%d of %d", walked[kind], rounds * 60);
}

static void test_rank_and_list_differ_where_the_list_lacks_a_pair(void) {
    small v = {.n = 0};
    const char *const text[] = {"a", "b", "c", "bc", "abc"};
    for (size_t i = 0; i < 5; i++) {
        strcpy(v.room[i], text[i]);
        v.text[v.n++] = str_of(v.room[i]);
    }
    const merge_pair only = {1, 2, 3, 0};
    CHECK(merge_list_add(&v.list, only));
    for (int whole_first = 0; whole_first < 2; whole_first++) {
        tok_walk rank, list;
        arena mem = ARENA_INIT;
        int32_t out[3];
        const unsigned char *abc = (const unsigned char *)"abc";
        CHECK(tok_walk_init(&rank, v.text, v.n, NULL, whole_first, &mem));
        CHECK(tok_walk_init(&list, v.text, v.n, &v.list, whole_first, &mem));
        CHECK(rank.walks && list.walks);
        CHECK(tok_walk_encode(&rank, abc, 3, NULL, out) == 1 && out[0] == 4);
        const size_t n = tok_walk_encode(&list, abc, 3, NULL, out);
        CHECK(whole_first ? n == 1 && out[0] == 4 : n == 2 && out[0] == 0 && out[1] == 3);
        arena_free(&mem);
    }
    merge_list_free(&v.list);
}

/* ---- real vocabularies ---- */

static size_t random_bytes(uint64_t *seed, char *out) {
    const size_t n = 1 + rng_below(seed, 24);
    for (size_t i = 0; i < n; i++) out[i] = (char)rng_splitmix(seed);
    return n;
}

/* Characters of one script, mostly, with some of any kind. */
static size_t random_unicode(uint64_t *seed, char *out) {
    static const uint32_t first[] = {'a',   'A',   ' ',   0xC0,   0x391,  0x430,  0x5D0,
                                     0x627, 0x905, 0xE01, 0x3041, 0x4E00, 0xAC00, 0x1F600};
    const uint32_t base = first[rng_below(seed, sizeof first / sizeof *first)];
    const size_t count = 1 + rng_below(seed, 16);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t cp = rng_below(seed, 8) ? base + (uint32_t)rng_below(seed, 40)
                                               : (uint32_t)rng_below(seed, 0x110000);
        n += utf8_encode(cp, out + n);
    }
    return n;
}

/* Rank BPE as tiktoken defines it, on the bytes of one piece: whole tokens first. */
static size_t rank_slowly(const byte_trie *t, str s, int32_t *out) {
    size_t end[256], n = s.len;
    const uint32_t whole = byte_trie_find(t, s);
    if (whole != TRIE_NONE) {
        *out = (int32_t)(whole & TRIE_ID);
        return 1;
    }
    for (size_t i = 0; i < n; i++) end[i] = i + 1;
    for (;;) {
        size_t best = n, from = 0;
        uint32_t lowest = TRIE_NONE;
        for (size_t i = 0; i + 1 < n; from = end[i++]) {
            const uint32_t v = byte_trie_find(t, (str){s.p + from, end[i + 1] - from});
            if (v == TRIE_NONE || (v & TRIE_ID) >= lowest) continue;
            lowest = v & TRIE_ID;
            best = i;
        }
        if (best == n) break;
        memmove(end + best, end + best + 1, (n - best - 1) * sizeof *end);
        n--;
    }
    for (size_t i = 0, from = 0; i < n; from = end[i++])
        out[i] = (int32_t)(byte_trie_find(t, (str){s.p + from, end[i] - from}) & TRIE_ID);
    return n;
}

static void check_real(const char *file, size_t n_plain, size_t first) {
    real r;
    if (!real_open_any(&r, file)) {
        real_close(&r);
        return;
    }
    const char *wish = getenv("REALIZAR_TOK_ROUNDS");
    const long rounds = wish ? atol(wish) : test_thorough() ? 40000 : 1000;
    str *text = calloc(n_plain, sizeof *text);
    for (size_t i = first; i < n_plain; i++) text[i] = tok_bytes(r.t, (int32_t)i);
    tok_walk w;
    arena mem = ARENA_INIT;
    CHECK(tok_walk_init(&w, text, n_plain, NULL, true, &mem) && w.walks);
    uint64_t *known = calloc((size_t)1 << 15, sizeof *known), seed = 5;
    for (int kind = 0; kind < 2; kind++) {
        long bad = 0;
        for (long k = 0; k < rounds; k++) {
            char room[256];
            int32_t fast[256], slow[256];
            const str s = {room, kind ? random_unicode(&seed, room) : random_bytes(&seed, room)};
            if (s.len == 0) continue;
            const size_t n = rank_slowly(&w.trie, s, slow);
            size_t got = tok_walk_encode(&w, (const unsigned char *)room, s.len, known, fast);
            if (got == 0) got = merged(&w, s, fast);
            bad += got != n || memcmp(fast, slow, n * sizeof *slow) != 0;
        }
        CHECK_MSG(bad == 0, "%s: %ld of %ld texts of kind %d", file, bad, rounds, kind);
        if (wish)
            printf("%s: %ld random %s texts agree\n", file, rounds - bad,
                   kind ? "Unicode" : "byte");
    }
    free(known);
    free(text);
    arena_free(&mem);
    real_close(&r);
}

static void test_real_vocabularies_walk_as_tiktoken_merges(void) {
    check_real("vocabs/gpt2.tiktoken", 50256, 0);
    check_real("vocabs/cl100k_base.tiktoken", 100256, 0);
    if (!test_thorough() && !getenv("REALIZAR_TOK_ROUNDS")) return;
    check_real("vocabs/o200k_base.tiktoken", 199998, 0);
    check_real("vocabs/llama3.tiktoken", 128000, 0);
    check_real("vocabs/deepseek_v3.tiktoken", 128000, 3);
}

void suite_tok_walk(void) {
    RUN(test_trie_finds_the_tokens_and_nothing_else);
    RUN(test_walking_agrees_with_merging_by_definition);
    RUN(test_rank_and_list_differ_where_the_list_lacks_a_pair);
    RUN(test_real_vocabularies_walk_as_tiktoken_merges);
}
