/* fuzz_re.c - pattern and subject, cut at the first newline: all engines find the same matches. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "regex/re.h"

enum { MAX_GROUPS = 32, MAX_MATCHES = 50 };

/* Every match with its groups in one list; RZ_OK or why not. */
static status collect(str pattern, str text, re_engine engine, re_span *out, size_t *n) {
    const re_options opt = {.engine = engine, .step_budget = 100000};
    re *r = NULL;
    re_work *w = NULL;
    status s = re_compile(&r, pattern, &opt, NULL);
    *n = 0;
    if (s == RZ_OK && re_groups(r) > MAX_GROUPS) s = RZ_EUNSUPPORTED;
    if (s == RZ_OK) s = re_work_new(&w, r, NULL);
    if (s == RZ_OK) re_text(w, text);
    for (int i = 0; s == RZ_OK && i < MAX_MATCHES; i++) {
        s = re_next_captures(w, out + *n, NULL);
        if (s == RZ_OK && out[*n].start == RE_NONE) break;
        if (s == RZ_OK) *n += re_groups(r);
    }
    /* The same spans again, in batches. */
    if (s == RZ_OK && w) {
        re_span m[5];
        size_t got = 1, seen = 0;
        re_text(w, text);
        while (got && seen < MAX_MATCHES && re_next_many(w, m, 5, &got, NULL) == RZ_OK)
            for (size_t i = 0; i < got && seen < MAX_MATCHES; i++, seen++)
                if (seen * re_groups(r) >= *n ||
                    memcmp(&m[i], &out[seen * re_groups(r)], sizeof *m) != 0)
                    abort();
    }
    re_work_free(w);
    re_free(r);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static re_span a[MAX_GROUPS * MAX_MATCHES], b[MAX_GROUPS * MAX_MATCHES];
    static const re_engine others[] = {RE_PIKE, RE_DFA, RE_BACK};
    const uint8_t *cut = size ? memchr(data, '\n', size) : NULL;
    size_t n, m;
    if (!cut || size > 400) return 0;
    const str pattern = {(const char *)data, (size_t)(cut - data)};
    const str text = {(const char *)cut + 1, size - pattern.len - 1};
    const status s = collect(pattern, text, RE_AUTO, a, &n);
    if (s != RZ_OK) return 0;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (collect(pattern, text, others[i], b, &m) != RZ_OK) continue;
        if (n != m || memcmp(a, b, n * sizeof *a) != 0) abort();
    }
    return 0;
}
