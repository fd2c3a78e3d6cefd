/* tok_pipe.c - see tok_pipe.h. */
#include "tokenizer/tok_pipe.h"

#include "base/mem.h"

typedef struct pipe_state {
    pre_step *step;
    size_t n_step;
    word_model model;
    tok_methods methods; /* with the model's name */
} pipe_state;

static status encode_pipe(const tok *t, str text, int where, tok_ids *out, err *e) {
    const pipe_state *p = t->state;
    if (text.len >= UINT32_MAX / 4)
        return err_set(e, RZ_EINVAL, "tokenizer: a text of %zu bytes, expected less than 1 GiB",
                       text.len);
    pre_words words = {0};
    word_work w = {.failed = false};
    merge_work_init(&w.merge);
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
    merge_work_free(&w.merge);
    buf_free(&w.text);
    mem_free(w.best);
    pre_words_free(&words);
    return s;
}

static void free_pipe(void *state) {
    pipe_state *p = state;
    for (size_t i = 0; p && i < p->n_step; i++) re_free(p->step[i].re);
}

status tok_pipe_init(tok *t, pre_step *step, size_t n_step, word_model m, err *e) {
    pipe_state *p = arena_zero(&t->mem, 1, sizeof *p);
    if (!p) {
        for (size_t i = 0; i < n_step; i++) re_free(step[i].re);
        return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    }
    *p = (pipe_state){step, n_step, m, {m.name, encode_pipe, free_pipe, NULL, NULL}};
    t->state = p;
    t->kind = &p->methods;
    return RZ_OK;
}
