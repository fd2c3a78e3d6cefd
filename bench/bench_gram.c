/* bench_gram.c - what a mask over a vocabulary costs.
 *
 *   bench_gram VOCABULARY [--tokens 400] [--texts 20]
 *
 * Under each grammar that many texts are made of random allowed tokens, one mask a token. Time is
 * this thread's processor time. "first" are the masks of the first text, when nothing is known of
 * the grammar yet; "later" those of the others, which share what it found out. A mask above a
 * millisecond is counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "grammar/gram.h"
#include "series.h"

static const struct {
    const char *name;
    rz_grammar_kind kind;
    const char *text;
} shapes[] = {
    {"any JSON object", RZ_GRAMMAR_JSON, ""},
    {"schema, 6 members", RZ_GRAMMAR_SCHEMA,
     "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":"
     "\"integer\",\"minimum\":0,\"maximum\":150},\"email\":{\"format\":\"email\"},\"born\":{"
     "\"format\":\"date\"},\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"size\":{"
     "\"enum\":[\"small\",\"large\"]}},\"required\":[\"name\",\"age\",\"email\",\"born\",\"tags\","
     "\"size\"]}"},
    {"schema, maxLength 100", RZ_GRAMMAR_SCHEMA,
     "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":100}}"},
    {"regex, words", RZ_GRAMMAR_REGEX, "(?:[A-Za-z]+[ ,.])*[A-Za-z]+\\."},
    {"GBNF, arithmetic", RZ_GRAMMAR_GBNF,
     "root ::= e\ne ::= t ([-+*/] t)*\nt ::= [0-9]+ | \"(\" e \")\""},
};

static void fail(const err *e) {
    fprintf(stderr, "bench_gram: %s\n", e->text);
    exit(1);
}

static uint64_t rng = 1;
static uint32_t roll(uint32_t n) {
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % n;
}

/* One of the allowed tokens that is not an end, or -1. */
static int32_t pick(const grammar *g, const uint64_t *mask) {
    uint32_t n = 0, at;
    const size_t words = grammar_words(g);
    for (size_t i = 0; i < words; i++) n += (uint32_t)__builtin_popcountll(mask[i]);
    if (n == 0) return -1;
    at = roll(n);
    for (size_t i = 0; i < words; i++) {
        const uint32_t here = (uint32_t)__builtin_popcountll(mask[i]);
        uint64_t left = mask[i];
        if (at >= here) {
            at -= here;
            continue;
        }
        while (at--) left &= left - 1;
        return (int32_t)(i * 64 + (size_t)__builtin_ctzll(left));
    }
    return -1;
}

/* Microseconds of each mask of one text into us[most]; returns how many. */
static size_t one_text(const grammar *g, uint64_t *mask, size_t most, double *us) {
    gram_run r;
    err e;
    size_t n = 0;
    bool any = true;
    if (gram_run_begin(&r, g, &e) < 0) fail(&e);
    while (n < most) {
        const double start = bench_now(1);
        if (gram_run_mask(&r, mask, true, &any, &e) < 0) fail(&e);
        us[n++] = (bench_now(1) - start) * 1e6;
        const int32_t id = pick(g, mask);
        if (id < 0) break;
        if (gram_run_token(&r, id, &e) < 0) fail(&e);
    }
    gram_run_end(&r);
    return n;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print_times(const char *what, double *us, size_t n) {
    double sum = 0;
    size_t slow = 0;
    for (size_t i = 0; i < n; i++) sum += us[i], slow += us[i] > 1000;
    qsort(us, n, sizeof *us, by_size);
    printf(
        "  %-6s %6zu masks  mean %8.1f us  median %8.1f  p99 %8.1f  most %8.1f  above 1 ms %zu\n",
        what, n, sum / (double)n, us[n / 2], us[n * 99 / 100], us[n - 1], slow);
}

int main(int argc, char **argv) {
    size_t tokens = 400, texts = 20;
    err e;
    tok *t = NULL;
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--tokens") == 0) tokens = (size_t)atol(argv[i + 1]);
        if (strcmp(argv[i], "--texts") == 0) texts = (size_t)atol(argv[i + 1]);
    }
    if (argc < 2 || tokens < 1 || texts < 2) {
        fprintf(stderr, "usage: bench_gram VOCABULARY [--tokens 400] [--texts 20]\n");
        return 2;
    }
    if (tok_open_any(&t, argv[1], &e) < 0) fail(&e);
    printf("%s: %zu tokens\n", argv[1], tok_size(t));
    double *us = mem_array(tokens * texts, sizeof *us);
    for (size_t k = 0; us && k < sizeof shapes / sizeof *shapes; k++) {
        grammar *g = NULL;
        const double start = bench_now(1);
        if (grammar_new(&g, t, shapes[k].kind, str_of(shapes[k].text), &e) < 0) fail(&e);
        printf("%s: made in %.1f ms\n", shapes[k].name, (bench_now(1) - start) * 1e3);
        uint64_t *mask = mem_array(grammar_words(g), sizeof *mask);
        if (!mask) return 1;
        const size_t first = one_text(g, mask, tokens, us);
        print_times("first", us, first);
        size_t n = 0;
        for (size_t i = 1; i < texts; i++) n += one_text(g, mask, tokens, us + n);
        print_times("later", us, n);
        mem_free(mask);
        grammar_free(g);
    }
    mem_free(us);
    tok_close(t);
    return 0;
}
