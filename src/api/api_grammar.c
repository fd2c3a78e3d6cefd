/* api_grammar.c - argument checks in front of grammar/gram.c. */
#include "api/api.h"
#include "grammar/gram.h"

rz_status rz_grammar_new(rz_grammar **out, const rz_tokenizer *t, rz_grammar_kind kind,
                         const char *text, size_t len, rz_error *e) {
    if (!t) return err_set(e, RZ_EINVAL, "rz_grammar_new: this model has no tokenizer");
    if (!out || (len && !text)) return err_set(e, RZ_EINVAL, "rz_grammar_new: a pointer is NULL");
    return grammar_new(out, t, kind, (str){text, len}, e);
}

void rz_grammar_free(rz_grammar *g) { grammar_free(g); }

rz_status rz_grammar_check(const rz_grammar *g, const char *text, size_t len, size_t *good,
                           int *whole, rz_error *e) {
    if (!g || (len && !text)) return err_set(e, RZ_EINVAL, "rz_grammar_check: a pointer is NULL");
    gram_run r;
    size_t fits = 0;
    TRY(gram_run_begin(&r, g, e));
    const status s = gram_run_bytes(&r, (str){text, len}, &fits, e);
    const bool ends = s >= 0 && fits == len && gram_run_may_end(&r);
    gram_run_end(&r);
    if (s >= 0 && good) *good = fits;
    if (s >= 0 && whole) *whole = ends;
    return s;
}

status api_check_grammar(const rz_model *m, const rz_params *p, err *e) {
    if (!p->grammar || (m->tok && grammar_tok(p->grammar) == m->tok)) return RZ_OK;
    return err_set(e, RZ_EINVAL, "the grammar was made for another tokenizer");
}
