/* bench_regex.c - megabytes per second of the regular expression engine, beside PCRE2's JIT when
 * built with it (bench/regex.sh does that).
 *
 *   bench_regex [TEXT]      TEXT: a large file for the patterns of tokenizers
 *
 * Engines take turns within a round; printed are medians of ROUNDS rounds of processor time. The
 * texts of the small cases are made here: 100 KB of log lines, links and so on. */
#include "bench_regex.h"

#include <realizar.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 9, SMALL = 100 << 10, MAX_ENGINE = 4 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- this library as an engine ---- */

typedef struct ours {
    rz_regex *r;
    rz_regex_iter *it;
} ours;

static void ours_close(void *self) {
    ours *o = self;
    rz_regex_iter_free(o->it);
    rz_regex_free(o->r);
    free(o);
}

static void *open_with(const char *pattern, unsigned flags) {
    rz_error e = {0};
    ours *o = calloc(1, sizeof *o);
    if (!o || rz_regex_compile(&o->r, pattern, strlen(pattern), flags, &e) < 0 ||
        rz_regex_iter_new(&o->it, o->r, &e) < 0) {
        fprintf(stderr, "%s: %s\n", pattern, e.text);
        exit(1);
    }
    return o;
}

static void *ours_open(const char *pattern, int lines) {
    (void)lines;
    return open_with(pattern, 0);
}

static void *plain_open(const char *pattern, int lines) {
    (void)lines;
    return open_with(pattern, RZ_REGEX_NO_JIT);
}

static size_t ours_lines(ours *o, const char *text, size_t len, size_t *bytes) {
    size_t n = 0;
    for (const char *p = text, *end = text + len; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        rz_span m[8];
        if (!nl) nl = end;
        rz_regex_iter_text(o->it, p, (size_t)(nl - p));
        if (rz_regex_next_captures(o->it, m, 8, NULL) == RZ_OK && m[0].start != RZ_NO_MATCH) {
            n++;
            for (int g = 0; g < 8; g++)
                if (m[g].start != RZ_NO_MATCH) *bytes += m[g].end - m[g].start;
        }
        p = nl + 1;
    }
    return n;
}

static size_t ours_count(void *self, const char *text, size_t len, int lines, size_t *bytes) {
    ours *o = self;
    rz_span m[256];
    size_t n = 0, got;
    if (lines) return ours_lines(o, text, len, bytes);
    rz_regex_iter_text(o->it, text, len);
    while (rz_regex_next(o->it, m, 256, &got, NULL) == RZ_OK && got) {
        for (size_t i = 0; i < got; i++) *bytes += m[i].end - m[i].start;
        n += got;
    }
    return n;
}

static const char *ours_kind(void *self) { return rz_regex_engine_name(((ours *)self)->r); }

const engine engine_ours = {"realizar", ours_open, ours_count, ours_kind, ours_close};
const engine engine_plain = {"no JIT", plain_open, ours_count, ours_kind, ours_close};

/* ---- texts ---- */

static char *fill(size_t *len, const char *const *part, size_t n_part, const char *before,
                  const char *after) {
    char *text = malloc(SMALL + 400);
    size_t n = 0;
    if (!text) exit(1);
    for (unsigned r = 1; n < SMALL; r = r * 1664525u + 1013904223u)
        n += (size_t)sprintf(text + n, "%s%s%s", before, part[(r >> 16) % n_part], after);
    *len = n;
    return text;
}

static char *text_log(size_t *len) {
    static const char *const level[] = {"INFO", "WARNING", "ERROR", "CRITICAL", "DEBUG"};
    static const char *const what[] = {"Request processed in 12 ms", "Connection lost after 30 s",
                                       "Query of table users failed", "User signed in",
                                       "No cache entry for key user_123"};
    char *text = malloc(SMALL + 400);
    size_t n = 0;
    if (!text) exit(1);
    for (unsigned i = 0; n < SMALL; i++)
        n += (size_t)sprintf(text + n, "2024-%02u-%02u %02u:30:45 [%s] %s\n", i / 24 / 28 % 12 + 1,
                             i / 24 % 28 + 1, i % 24, level[n % 5], what[n % 5]);
    *len = n;
    return text;
}

static char *text_url(size_t *len) {
    static const char *const part[] = {
        "https://www.example.com/path/to/resource", "http://sub.test.org:8080/api/v1/users?id=123",
        "https://example.net/user/repo/blob/main/src/file.c", "http://localhost:3000/admin",
        "https://api.example.io/endpoint?key=value&foo=bar"};
    return fill(len, part, 5, "Look at this link: ", " for more about it. ");
}

static char *text_unicode(size_t *len) {
    static const char *const part[] = {"Hello world",   "Bonjour le monde", "Hola mundo",
                                       "Привет мир",    "こんにちは世界",   "你好世界",
                                       "مرحبا بالعالم", "שלום עולם",        "Γειά σου κόσμε"};
    return fill(len, part, 9, "", " • ");
}

static char *text_html(size_t *len) {
    static const char *const part[] = {"<div class=\"box\">",
                                       "<p>A paragraph of text</p>",
                                       "<a href=\"/link\">Click here</a>",
                                       "<span style=\"color: red;\">Red</span>",
                                       "<img src=\"image.jpg\" alt=\"what it shows\">",
                                       "</div>"};
    return fill(len, part, 6, "", " Some text between the tags. ");
}

static char *text_words(size_t *len) {
    static const char *const part[] = {"the",    "quick",   "brown", "fox",   "jumps", "over",
                                       "lazy",   "dog",     "and",   "then",  "runs",  "through",
                                       "forest", "near",    "river", "where", "birds", "sing",
                                       "their",  "morning", "songs"};
    return fill(len, part, 21, "", " ");
}

static char *text_email(size_t *len) {
    static const char *const part[] = {
        "john.doe@example.com",       "jane_smith@company.org", "nobody",
        "test+tag@sub.example.co.uk", "@example.com",           "a@b",
        "user123@test-domain.com",    "spaces in@mail.com"};
    return fill(len, part, 8, "", "\n");
}

static char *text_json(size_t *len) {
    static const char *const part[] = {"{\"id\":12,\"name\":\"User 12\",\"status\":\"active\"}",
                                       "{\"note\":\"Some \\\"quoted\\\" text here\",\"n\":[1,2]}"};
    return fill(len, part, 2, "", ",");
}

static char *text_ip(size_t *len) {
    static const char *const part[] = {"192.168.0.1", "10.0.255.14", "8.8.8.8", "172.16.31.200"};
    return fill(len, part, 4, "Connection from ", " on port 8080. ");
}

/* ---- cases ---- */

#define CL100K                                                               \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WORD "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define O200K                                                                         \
    WORD "*" LOWER "+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" WORD "+" LOWER                   \
         "*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" \
         "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const struct {
    const char *name, *pattern;
    char *(*text)(size_t *len); /* NULL: the file */
    int lines;
} cases[] = {
    {"log_parsing", "(\\d{4}-\\d{2}-\\d{2}) (\\d{2}:\\d{2}:\\d{2}) \\[(\\w+)\\] (.+)", text_log, 1},
    {"url_extraction", "https?://[^\\s<>]+", text_url, 0},
    {"unicode_letters", "\\p{L}+", text_unicode, 0},
    {"unicode_words", "\\w+", text_unicode, 0},
    {"html_tags", "<[^>]+>", text_html, 0},
    {"word_boundary", "\\bthe\\b", text_words, 0},
    {"email_validation", "^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\\.[a-zA-Z]{2,}$", text_email, 1},
    {"alternation", "fox|dog|bird|cat|fish|bear|wolf|lion", text_words, 0},
    {"json_strings", "\"([^\"\\\\]|\\\\.)*\"", text_json, 0},
    {"ip_addresses", "\\b(?:\\d{1,3}\\.){3}\\d{1,3}\\b", text_ip, 0},
    {"backreferences", "(\\w)\\1", text_words, 0},
    {"lookahead", "\\w+(?=ing\\b)", text_words, 0},
    {"negative_lookahead", "\\w+(?![s]\\b)", text_words, 0},
    {"lookbehind", "(?<=@)\\w+", text_email, 0},
    {"find_emails", "[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\\.[a-zA-Z]{2,}", text_words, 0},
    {"gpt2", "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     NULL, 0},
    {"cl100k", CL100K, NULL, 0},
    {"o200k", O200K, NULL, 0},
};

static char *read_file(const char *path, size_t *len) {
    FILE *f = path ? fopen(path, "rb") : NULL;
    char *text = NULL;
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    const long size = ftell(f);
    rewind(f);
    if (size > 0 && (text = malloc((size_t)size))) *len = fread(text, 1, (size_t)size, f);
    fclose(f);
    return text;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Seconds of one pass, over enough passes to take 20 ms. */
static double measure(const engine *e, void *self, const char *text, size_t len, int lines,
                      size_t *n, size_t *bytes) {
    int passes = 0;
    const double start = now();
    double spent;
    do {
        *bytes = 0;
        *n = e->count(self, text, len, lines, bytes);
        passes++;
    } while ((spent = now() - start) < 0.02);
    return spent / passes;
}

static void run(size_t c, const char *text, size_t len) {
    const engine *engines[MAX_ENGINE] = {&engine_ours, &engine_plain,
#ifdef HAVE_PCRE2
                                         &engine_pcre2, &engine_pcre2_bytes
#endif
    };
    double times[MAX_ENGINE][ROUNDS];
    size_t n[MAX_ENGINE] = {0}, bytes[MAX_ENGINE] = {0};
    void *self[MAX_ENGINE] = {NULL};
    for (int k = 0; k < MAX_ENGINE && engines[k]; k++)
        self[k] = engines[k]->open(cases[c].pattern, cases[c].lines);
    for (int round = 0; round < ROUNDS; round++)
        for (int k = 0; k < MAX_ENGINE && self[k]; k++)
            times[k][round] =
                measure(engines[k], self[k], text, len, cases[c].lines, &n[k], &bytes[k]);
    printf("%-19s %-22s", cases[c].name, engines[0]->kind(self[0]));
    for (int k = 0; k < MAX_ENGINE && self[k]; k++) {
        qsort(times[k], ROUNDS, sizeof(double), by_size);
        const double mb = (double)len / times[k][ROUNDS / 2] * 1e-6;
        printf(" %8.0f%s", mb, n[k] == n[0] && bytes[k] == bytes[0] ? " " : "!");
        if (k >= 2) printf(" %5.2fx", times[k][ROUNDS / 2] / times[0][ROUNDS / 2]);
        engines[k]->close(self[k]);
    }
    printf("  %zu matches\n", n[0]);
    fflush(stdout);
}

int main(int argc, char **argv) {
    size_t len = 0;
    const char *only = argc > 2 ? argv[2] : NULL;
    char *file = read_file(argc > 1 ? argv[1] : NULL, &len);
    printf("MB/s, medians of %d rounds; ! marks results that differ from ours\n", ROUNDS);
    printf("%-19s %-22s %8s  %8s ", "case", "engine", "realizar", "no JIT");
#ifdef HAVE_PCRE2
    printf(" %8s  ours/  %8s  ours/", "PCRE2", "bytewise");
#endif
    printf("\n");
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        if (only && !strstr(cases[c].name, only)) continue;
        if (!cases[c].text && !file) continue;
        size_t n = len;
        char *text = cases[c].text ? cases[c].text(&n) : file;
        run(c, text, n);
        if (text != file) free(text);
    }
    free(file);
    return 0;
}
