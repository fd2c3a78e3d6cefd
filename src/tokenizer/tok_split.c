/* tok_split.c - patterns by name to scanners, and the loop that applies several in turn. */
#include "tokenizer/tok_split.h"

#include "base/mem.h"
#include "regex/re.h"
#include "tokenizer/tok_patterns.h"
#include "tokenizer/tok_scan.h"

unsigned scan_class_rare(const scan_byte *p, const scan_byte *end, size_t *len) {
    uint32_t cp;
    *len = utf8_decode((str){(const char *)p, (size_t)(end - p)}, &cp);
    return cp == UTF8_BAD ? SCAN_BAD : char_class(cp);
}

/* Whole patterns with a scanner. */
static const struct {
    const char *pattern;
    split_kind kind;
} scanners[] = {
    {PAT_CL100K, SPLIT_CL100K},     {PAT_QWEN2, SPLIT_QWEN2}, {PAT_GPT2, SPLIT_GPT2},
    {PAT_GPT2 "|\\s+", SPLIT_GPT2}, {PAT_O200K, SPLIT_O200K}, {PAT_TEKKEN, SPLIT_TEKKEN},
};

static const char *const deepseek3[] = {PAT_DEEPSEEK_DIGITS, PAT_DEEPSEEK_CJK, PAT_DEEPSEEK_WORDS};

/* Runs of characters of some classes: the simple patterns that stand before a scanner. */
typedef struct run_pattern {
    const char *pattern;
    unsigned set;
    const char *more;  /* ASCII characters besides */
    uint32_t min, max; /* max 0: any number */
} run_pattern;

static const run_pattern runs[] = {
    {"\\p{N}", CHAR_NUMBER, "", 1, 1},
    {"\\p{N}{1,3}", CHAR_NUMBER, "", 1, 3},
    {"\\p{N}+", CHAR_NUMBER, "", 1, 0},
    {"[0-9][0-9][0-9]", 0, "0123456789", 3, 3},
    {"[\\p{P}\\$\\+<=>\\^~\\|`]+", CHAR_PUNCT, "$+<=>^~|`", 1, 0},
    {"[\\p{P}\\$\\+<=>\\^~\\|]+", CHAR_PUNCT, "$+<=>^~|", 1, 0},
};

struct split_stage {
    split_kind kind;        /* not SPLIT_NONE: a scanner */
    const run_pattern *run; /* else, if not NULL         */
    re *re;                 /* else                      */
};

static split_kind find_scanner(str pattern) {
    for (size_t i = 0; i < sizeof scanners / sizeof *scanners; i++)
        if (str_is(pattern, scanners[i].pattern)) return scanners[i].kind;
    return SPLIT_NONE;
}

static status find_stage(split_stage *s, str pattern, const char *where, bool only_re, err *e) {
    s->kind = only_re ? SPLIT_NONE : find_scanner(pattern);
    if (s->kind != SPLIT_NONE) return RZ_OK;
    for (size_t i = 0; i < sizeof runs / sizeof *runs && !s->run && !only_re; i++)
        if (str_is(pattern, runs[i].pattern)) s->run = &runs[i];
    if (s->run) return RZ_OK;
    const status st = re_compile(&s->re, pattern, NULL, e);
    return st < 0 ? err_at(e, st, where) : RZ_OK;
}

static bool is_deepseek3(const str *pattern, size_t n) {
    bool same = n == 3;
    for (size_t i = 0; same && i < n; i++) same = str_is(pattern[i], deepseek3[i]);
    return same;
}

status tok_split_init(tok_split *s, const str *pattern, size_t n, const char *where, err *e) {
    *s = (tok_split){SPLIT_NONE, NULL, 0};
    if (n == 0) return RZ_OK;
    if (n == 1) s->kind = find_scanner(pattern[0]);
    else if (is_deepseek3(pattern, n)) s->kind = SPLIT_DEEPSEEK3;
    if (s->kind != SPLIT_NONE) return RZ_OK;
    return tok_split_init_re(s, pattern, n, where, false, e);
}

status tok_split_init_re(tok_split *s, const str *pattern, size_t n, const char *where,
                         bool only_re, err *e) {
    *s = (tok_split){SPLIT_STAGES, mem_array_zero(n, sizeof(split_stage)), n};
    status st = s->stage ? RZ_OK : err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    for (size_t i = 0; i < n && st >= 0; i++)
        st = find_stage(&s->stage[i], pattern[i], where, only_re, e);
    if (st < 0) tok_split_free(s);
    return st;
}

void tok_split_free(tok_split *s) {
    for (size_t i = 0; s->stage && i < s->n_stage; i++) re_free(s->stage[i].re);
    mem_free(s->stage);
    *s = (tok_split){SPLIT_NONE, NULL, 0};
}

void split_ends_free(split_ends *l) {
    mem_free(l->end);
    *l = (split_ends){0};
}

static void add_end(split_ends *l, size_t end) {
    if (!mem_room(&l->end, &l->cap, l->n + 1, sizeof *l->end)) {
        l->failed = true;
        return;
    }
    l->end[l->n++] = (uint32_t)end;
}

static const scan_byte *scan_one(split_kind kind, const scan_byte *p, const scan_byte *end) {
    switch (kind) {
        case SPLIT_CL100K:
            return scan_cl100k(p, end, 3);
        case SPLIT_QWEN2:
            return scan_cl100k(p, end, 1);
        case SPLIT_GPT2:
            return scan_gpt2(p, end);
        case SPLIT_O200K:
            return scan_o200k(p, end, 3, true);
        case SPLIT_TEKKEN:
            return scan_o200k(p, end, 1, false);
        case SPLIT_DEEPSEEK3:
            return scan_deepseek3(p, end);
        case SPLIT_NONE:
        case SPLIT_STAGES:
            break;
    }
    return end;
}

static void split_scan(split_kind kind, str text, size_t from, size_t to, split_ends *out) {
    const scan_byte *base = (const scan_byte *)text.p, *p = base + from, *end = base + to;
    while (p < end && !out->failed) {
        p = scan_one(kind, p, end);
        add_end(out, (size_t)(p - base));
    }
}

static bool in_run(const run_pattern *r, const scan_byte *p, unsigned k) {
    return !(k & SCAN_NOTHING) && ((k & r->set) || (*p && *p < 0x80 && strchr(r->more, *p)));
}

/* The pieces between matches and the matches themselves. */
static void split_runs(const run_pattern *r, str text, size_t from, size_t to, split_ends *out) {
    const scan_byte *base = (const scan_byte *)text.p, *p = base + from, *end = base + to;
    size_t len, gap = from;
    while (p < end && !out->failed) {
        const scan_byte *q = p;
        uint32_t n = 0;
        while ((r->max == 0 || n < r->max) && in_run(r, q, scan_class(q, end, &len))) {
            q += len;
            n++;
        }
        if (n < r->min) {
            scan_class(p, end, &len);
            p += len;
            continue;
        }
        if ((size_t)(p - base) > gap) add_end(out, (size_t)(p - base));
        add_end(out, (size_t)(q - base));
        p = q;
        gap = (size_t)(q - base);
    }
    if (gap < to) add_end(out, to);
}

/* The same by a regular expression. An empty match cuts without being a piece. */
static status split_re(re_work *w, str text, size_t from, size_t to, split_ends *out, err *e) {
    size_t gap = from;
    re_text(w, (str){text.p + from, to - from});
    while (!out->failed) {
        re_span m[64];
        size_t n;
        TRY(re_next_many(w, m, sizeof m / sizeof *m, &n, e));
        if (n == 0) break;
        for (size_t i = 0; i < n; i++) {
            if (from + m[i].start > gap) add_end(out, from + m[i].start);
            if (m[i].end > m[i].start) add_end(out, from + m[i].end);
            if (from + m[i].end > gap) gap = from + m[i].end;
        }
    }
    if (gap < to) add_end(out, to);
    return RZ_OK;
}

/* One pattern over the pieces the ones before it left. */
static status split_stage_all(const split_stage *stage, str text, const split_ends *before,
                              split_ends *after, err *e) {
    re_work *w = NULL;
    if (stage->re) TRY(re_work_new(&w, stage->re, e));
    status s = RZ_OK;
    size_t from = 0;
    for (size_t k = 0; k < before->n && !after->failed && s >= 0; from = before->end[k++]) {
        if (stage->re) s = split_re(w, text, from, before->end[k], after, e);
        else if (stage->run) split_runs(stage->run, text, from, before->end[k], after);
        else split_scan(stage->kind, text, from, before->end[k], after);
    }
    re_work_free(w);
    return s;
}

static status split_stages(const tok_split *t, str text, split_ends *out, err *e) {
    split_ends after = {0};
    status s = RZ_OK;
    out->n = 0;
    add_end(out, text.len);
    for (size_t i = 0; i < t->n_stage && !out->failed && s >= 0; i++) {
        after.n = 0;
        s = split_stage_all(&t->stage[i], text, out, &after, e);
        const split_ends swap = *out;
        *out = after;
        after = swap;
    }
    split_ends_free(&after);
    return s;
}

status tok_split_all(const tok_split *s, str text, split_ends *out, err *e) {
    out->n = 0;
    if (text.len == 0) return RZ_OK;
    if (s->kind == SPLIT_STAGES) TRY(split_stages(s, text, out, e));
    else if (s->kind == SPLIT_NONE) add_end(out, text.len);
    else split_scan(s->kind, text, 0, text.len, out);
    return out->failed ? err_set(e, RZ_ENOMEM, "tokenizer: out of memory") : RZ_OK;
}
