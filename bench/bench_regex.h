/* bench_regex.h - one engine as the regular expression benchmark sees it. */
#ifndef BENCH_REGEX_H
#define BENCH_REGEX_H

#include <stddef.h>

typedef struct engine {
    const char *name;
    void *(*open)(const char *pattern, int lines); /* NULL: cannot run it */
    /* Number of matches, or of bytes matched when `bytes`; `lines`: first match of each line, with all
     * groups. */
    size_t (*count)(void *self, const char *text, size_t len, int lines, size_t *bytes);
    const char *(*kind)(void *self);
    void (*close)(void *self);
} engine;

extern const engine engine_ours, engine_plain; /* bench_regex.c: with and without machine code */
#ifdef HAVE_PCRE2
extern const engine engine_pcre2, engine_pcre2_bytes; /* peers/regex_pcre2.c */
#endif

#endif
