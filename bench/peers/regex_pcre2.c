/* regex_pcre2.c - PCRE2 with its JIT as a peer of bench_regex.c: in UTF mode with Unicode classes,
 * which is the same work as ours, and bytewise with ASCII classes, which is less. Found by
 * pcre2_jit_match, its quickest entry. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "../bench_regex.h"

typedef struct peer {
    pcre2_code *code;
    pcre2_match_data *data;
    int utf;
} peer;

static void *open_with(const char *pattern, uint32_t options) {
    int code;
    PCRE2_SIZE at;
    peer *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->utf = (options & PCRE2_UTF) != 0;
    p->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);
    if (!p->code || pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE) != 0) {
        free(p);
        return NULL;
    }
    p->data = pcre2_match_data_create_from_pattern(p->code, NULL);
    return p;
}

static void *utf_open(const char *pattern, int lines) {
    (void)lines;
    return open_with(pattern, PCRE2_UTF | PCRE2_UCP);
}

static void *bytes_open(const char *pattern, int lines) {
    (void)lines;
    return strstr(pattern, "\\p") ? NULL : open_with(pattern, 0);
}

static size_t count_lines(peer *p, const char *text, size_t len, size_t *bytes) {
    const PCRE2_SIZE *o = pcre2_get_ovector_pointer(p->data);
    size_t n = 0;
    for (const char *s = text, *end = text + len; s < end;) {
        const char *nl = memchr(s, '\n', (size_t)(end - s));
        if (!nl) nl = end;
        const int got =
            pcre2_jit_match(p->code, (PCRE2_SPTR)s, (size_t)(nl - s), 0, 0, p->data, NULL);
        n += got > 0;
        for (int g = 0; g < got; g++)
            if (o[2 * g] != PCRE2_UNSET) *bytes += o[2 * g + 1] - o[2 * g];
        s = nl + 1;
    }
    return n;
}

static size_t count(void *self, const char *text, size_t len, int lines, size_t *bytes) {
    peer *p = self;
    const PCRE2_SIZE *o = pcre2_get_ovector_pointer(p->data);
    size_t n = 0, at = 0;
    if (lines) return count_lines(p, text, len, bytes);
    while (pcre2_jit_match(p->code, (PCRE2_SPTR)text, len, at, 0, p->data, NULL) > 0) {
        *bytes += o[1] - o[0];
        n++;
        at = o[1];
        if (o[1] == o[0] && ++at > len) break;
    }
    return n;
}

static const char *kind(void *self) {
    (void)self;
    return "jit";
}

static void shut(void *self) {
    peer *p = self;
    pcre2_match_data_free(p->data);
    pcre2_code_free(p->code);
    free(p);
}

const engine engine_pcre2 = {"pcre2", utf_open, count, kind, shut};
const engine engine_pcre2_bytes = {"pcre2 bytes", bytes_open, count, kind, shut};
