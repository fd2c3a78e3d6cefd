/* tok_pipe.c - see tok_pipe.h. */
#include "tokenizer/tok_pipe.h"

#include "base/mem.h"
#include "tokenizer/tok_rzv.h"

typedef struct pipe_state {
    pre_step *step;
    size_t n_step;
    word_model model;
    tok_methods methods; /* with the model's name */
    tok_cache_pool caches;
} pipe_state;

static status encode_pipe(const tok *t, str text, int where, tok_ids *out, err *e) {
    pipe_state *p = t->state;
    if (text.len >= UINT32_MAX / 4)
        return err_set(e, RZ_EINVAL, "tokenizer: a text of %zu bytes, expected less than 1 GiB",
                       text.len);
    pre_words words = {0};
    word_work w = {.failed = false};
    merge_work_init(&w.merge);
    if (p->model.remembers) w.cache = tok_cache_take(&p->caches);
    status s = pre_run(p->step, p->n_step, text, where & TOK_AT_START, &words, e);
    for (size_t i = 0; s >= 0 && i < words.n && !w.failed && !out->failed; i++) {
        const pre_word word = words.p[i];
        w.last_unk = false;
        w.score = 0;
        p->model.encode(t, p->model.state, (str){words.text.p + word.from, word.to - word.from}, &w,
                        out);
    }
    if (s >= 0 && (w.failed || w.merge.failed || w.text.failed))
        s = err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    tok_cache_give(&p->caches, w.cache);
    merge_work_free(&w.merge);
    buf_free(&w.text);
    mem_free(w.best);
    pre_words_free(&words);
    return s;
}

static void forget_pipe(void *state) {
    pipe_state *p = state;
    tok_cache_pool_clear(&p->caches);
}

static void free_pipe(void *state) {
    pipe_state *p = state;
    if (p) forget_pipe(p);
    for (size_t i = 0; p && i < p->n_step; i++) re_free(p->step[i].re);
}

static void make_pipe(pipe_state *p, pre_step *step, size_t n_step, word_model m) {
    const tok_methods methods = {m.name, encode_pipe, free_pipe, NULL, forget_pipe, tok_pipe_rzv};
    *p = (pipe_state){.step = step, .n_step = n_step, .model = m, .methods = methods};
}

status tok_pipe_init(tok *t, pre_step *step, size_t n_step, word_model m, err *e) {
    pipe_state *p = arena_zero(&t->mem, 1, sizeof *p);
    if (!p) {
        for (size_t i = 0; i < n_step; i++) re_free(step[i].re);
        return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    }
    make_pipe(p, step, n_step, m);
    t->state = p;
    t->kind = &p->methods;
    return RZ_OK;
}

/* ---- compact files ---- */

enum { MAX_STEPS = 64 };

static bool (*const tests[])(uint32_t cp, uint32_t arg) = {
    NULL, pre_is_space, pre_is_number, pre_is_punct, pre_is_char, pre_is_cjk, pre_is_alone};
enum { TESTS = sizeof tests / sizeof *tests };

/* Regular expressions are compiled again. */
static status rzv_step(rzv *a, pre_step *s) {
    static const char name[] = "pre-tokenizer";
    uint32_t op = s->op, behavior = s->behavior, scheme = s->scheme, is = 0;
    while (is + 1 < TESTS && tests[is] != s->is) is++;
    TRY(rzv_u32(a, name, &op, 0, PRE_BYTES));
    TRY(rzv_u32(a, name, &behavior, 0, PRE_CONTIGUOUS));
    TRY(rzv_u32(a, name, &scheme, 0, PRE_FIRST));
    TRY(rzv_u32(a, name, &is, 0, TESTS - 1));
    TRY(rzv_flag(a, name, &s->invert));
    TRY(rzv_u32(a, name, &s->arg, 0, UINT32_MAX));
    TRY(rzv_str(a, name, &s->text));
    s->op = (pre_op)op;
    s->behavior = (pre_behavior)behavior;
    s->scheme = (pre_scheme)scheme;
    s->is = tests[is];
    if (s->op == PRE_SPLIT_CHARS && !s->is) return rzv_error(a, name, "has no kind of character");
    if (!rzv_reads(a) || s->op != PRE_SPLIT_RE) return RZ_OK;
    const status st = re_compile(&s->re, s->text, NULL, a->e);
    return st < 0 ? err_at(a->e, st, a->path) : RZ_OK;
}

static status (*const models[])(rzv *a, word_model *m) = {
    tok_unigram_rzv, tok_wordpiece_rzv, tok_wordlevel_rzv, tok_word_bpe_rzv, tok_greedy_rzv};
enum { MODELS = sizeof models / sizeof *models };

status tok_pipe_rzv(rzv *a) {
    tok *t = a->t;
    pipe_state *p = rzv_reads(a) ? arena_zero(&t->mem, 1, sizeof *p) : t->state;
    if (!p) return rzv_no_memory(a);
    uint32_t n = (uint32_t)p->n_step, model = 0;
    while (!rzv_reads(a) && model + 1 < MODELS && models[model] != p->model.rzv) model++;
    TRY(rzv_u32(a, "word model", &model, 0, MODELS - 1));
    TRY(rzv_u32(a, "pre-tokenizer", &n, 0, MAX_STEPS));
    if (rzv_reads(a)) {
        pre_step *step = arena_zero(&t->mem, n, sizeof *step);
        if (!step) return rzv_no_memory(a);
        make_pipe(p, step, n, p->model); /* whatever happens next, it can be freed */
        t->state = p;
        t->kind = &p->methods;
    }
    for (uint32_t i = 0; i < n; i++) TRY(rzv_step(a, &p->step[i]));
    TRY(models[model](a, &p->model));
    if (rzv_reads(a)) make_pipe(p, p->step, n, p->model);
    return RZ_OK;
}
