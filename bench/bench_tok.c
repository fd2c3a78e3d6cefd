/* bench_tok.c - megabytes of text a second, per vocabulary.
 *
 *   bench_tok TEXT VOCABULARY ... [--rounds 7] [--threads N] [--docs OFFSETS] [--plain]
 *
 * Each round encodes the whole text once with empty caches (cold) and once more with those it left
 * (warm), in turns over the vocabularies; medians are printed with the spread, then how long opening
 * the file took and how much memory it left resident. With one thread, time is that thread's
 * processor time, so that other work on the machine falls out as far as it can; with more it is the
 * clock on the wall. --docs: a file with the byte each document begins at, and the end: they are
 * encoded one by one. --plain: only "warm ids hash" a line, for scripts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/pool.h"
#include "series.h"
#include "tokenizer/tok.h"

enum { MOST_VOCABS = 32 };

typedef struct row {
    const char *path;
    tok *t;
    double load_ms, resident_mib;
    uint32_t hash;
    series cold, warm;
    size_t n_ids;
} row;

static int n_threads = 1;

static double now(void) { return bench_now(n_threads); }

static void fail(const err *e) {
    fprintf(stderr, "bench_tok: %s\n", e->text);
    exit(1);
}

static pool *workers;
static size_t *doc; /* [n_doc + 1] */
static size_t n_doc;

static double encode_once(row *r, str text) {
    tok_ids ids = {0};
    err e = {0};
    const tok_encode_options o = {0, NULL, 0, workers};
    const double start = now();
    for (size_t i = 0; i < n_doc; i++) {
        const str one = {text.p + doc[i], doc[i + 1] - doc[i]};
        if (tok_encode_with(r->t, one, &o, &ids, &e) < 0) fail(&e);
    }
    const double seconds = now() - start;
    r->n_ids = ids.n;
    r->hash = 0x811c9dc5u;
    for (size_t i = 0; i < ids.n; i++) r->hash = (r->hash ^ (uint32_t)ids.p[i]) * 0x01000193u;
    tok_ids_free(&ids);
    return (double)text.len / seconds / 1e6;
}

/* Where documents begin, from a file with a number a line; or one document. */
static void read_docs(const char *path, size_t text_len) {
    char *file = NULL;
    size_t len = 0;
    err e = {0};
    if (path && os_read_file(path, (size_t)1 << 28, &file, &len, &e) < 0) fail(&e);
    doc = mem_array(len + 2, sizeof *doc);
    if (!doc) exit(1);
    str rest = {file, len};
    doc[0] = 0;
    while (rest.p && rest.len) {
        uint64_t at = 0;
        const str line = str_split(&rest, '\n');
        if (!line.len) continue;
        if (!str_u64(line, &at) || at > text_len || (n_doc && at < doc[n_doc - 1])) {
            fprintf(stderr, "bench_tok: %s: \"%.*s\"\n", path, STR_FMT(line));
            exit(1);
        }
        doc[n_doc++] = at;
    }
    if (n_doc) n_doc--;
    else doc[++n_doc] = text_len;
    mem_free(file);
}

static void open_row(row *r) {
    err e = {0};
    const uint64_t before = os_resident_bytes();
    const double start = now();
    if (tok_open(&r->t, r->path, &e) < 0) fail(&e);
    r->load_ms = (now() - start) * 1e3;
    r->resident_mib = ((double)os_resident_bytes() - (double)before) / (1 << 20);
}

static void print_row(row *r, bool plain) {
    const char *slash = strrchr(r->path, '/');
    if (plain) {
        printf("%.2f %zu %x\n", series_median(&r->warm), r->n_ids, (unsigned)r->hash);
        return;
    }
    printf("%-32s %8.1f %6.1f-%-6.1f %8.1f %6.1f-%-6.1f %10zu %9.1f %9.1f\n",
           slash ? slash + 1 : r->path, series_median(&r->cold), series_least(&r->cold),
           series_most(&r->cold), series_median(&r->warm), series_least(&r->warm),
           series_most(&r->warm), r->n_ids, r->load_ms, r->resident_mib);
}

static void measure(row *rows, int n, str text, int rounds) {
    for (int k = 0; k < rounds; k++)
        for (int i = 0; i < n; i++) {
            tok_forget(rows[i].t);
            series_add(&rows[i].cold, encode_once(&rows[i], text));
            series_add(&rows[i].warm, encode_once(&rows[i], text));
        }
}

int main(int argc, char **argv) {
    static row rows[MOST_VOCABS];
    const char *text_path = NULL, *docs = NULL;
    int n = 0, rounds = 7;
    bool plain = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) rounds = atoi(argv[++i]);
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) n_threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--docs") == 0 && i + 1 < argc) docs = argv[++i];
        else if (strcmp(argv[i], "--plain") == 0) plain = true;
        else if (!text_path) text_path = argv[i];
        else if (n < MOST_VOCABS) rows[n++].path = argv[i];
    }
    if (n == 0 || rounds < 1 || rounds > SERIES_MOST || n_threads < 1) {
        fprintf(stderr,
                "usage: bench_tok TEXT VOCABULARY ... [--rounds N] [--threads N] "
                "[--docs OFFSETS] [--plain]\n");
        return 2;
    }
    err e = {0};
    char *text = NULL;
    size_t len = 0;
    if (os_read_file(text_path, (size_t)1 << 32, &text, &len, &e) < 0) fail(&e);
    read_docs(docs, len);
    if (n_threads > 1 && pool_new(&workers, n_threads, &e) < 0) fail(&e);
    for (int i = 0; i < n; i++) open_row(&rows[i]);
    measure(rows, n, (str){text, len}, rounds);
    if (!plain)
        printf(
            "%zu bytes, %d thread%s, medians of %d rounds, MB/s\n%-32s %8s %13s %8s %13s %10s "
            "%9s %9s\n",
            len, n_threads, n_threads > 1 ? "s" : "", rounds, "", "cold", "", "warm", "", "ids",
            "load ms", "MiB");
    for (int i = 0; i < n; i++) {
        print_row(&rows[i], plain);
        tok_close(rows[i].t);
    }
    pool_free(workers);
    mem_free(doc);
    mem_free(text);
    return 0;
}
