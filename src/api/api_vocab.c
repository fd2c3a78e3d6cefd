/* api_vocab.c - vocabularies known by name: where they come from, and their common form. */
#include "api/api.h"
#include "tokenizer/tok_named.h"

rz_status rz_vocab_at(size_t i, rz_vocab_info *out) {
    const tok_named *v = tok_named_at(i);
    if (!v || !out) return RZ_EINVAL;
    *out = (rz_vocab_info){v->name, v->file, v->package, v->member, v->sha256};
    return RZ_OK;
}

rz_status rz_vocab_convert(const char *from, const char *to, rz_error *e) {
    tok *t = NULL;
    if (!from || !to) return err_set(e, RZ_EINVAL, "rz_vocab_convert: a pointer is NULL");
    TRY(tok_open_any(&t, from, e));
    const status s = str_ends(str_of(to), STR_LIT(".rzv")) ? tok_save_rzv(t, to, e)
                                                           : tok_save_tiktoken(t, to, e);
    tok_close(t);
    return s;
}
