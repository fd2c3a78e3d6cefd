/* api_tokens.c - rz_encode and its relatives. */
#include "api/api.h"
#include "base/mem.h"
#include "tokenizer/detok.h"

const rz_tokenizer *rz_model_tokenizer(const rz_model *m) { return m->tok; }

rz_status rz_encode(const rz_tokenizer *t, const char *text, size_t len, int flags, rz_token *out,
                    size_t cap, size_t *n, rz_error *e) {
    if (!t) return err_set(e, RZ_EINVAL, "rz_encode: this model has no tokenizer");
    if (!n || (len && !text) || (cap && !out))
        return err_set(e, RZ_EINVAL, "rz_encode: a pointer is NULL");
    tok_ids ids = {0};
    const status s = tok_encode(t, (str){text, len}, flags, &ids, e);
    if (s >= 0) {
        const size_t copied = ids.n < cap ? ids.n : cap;
        if (copied) memcpy(out, ids.p, copied * sizeof *out);
        *n = ids.n;
    }
    tok_ids_free(&ids);
    return s;
}

rz_status rz_decode(const rz_tokenizer *t, const rz_token *ids, size_t n, char *out, size_t cap,
                    size_t *len, rz_error *e) {
    if (!t) return err_set(e, RZ_EINVAL, "rz_decode: this model has no tokenizer");
    if (!len || (n && !ids) || (cap && !out))
        return err_set(e, RZ_EINVAL, "rz_decode: a pointer is NULL");
    buf b = BUF_INIT;
    status s = detok_all(t, ids, n, false, &b, e);
    if (s >= 0 && b.failed) s = err_set(e, RZ_ENOMEM, "rz_decode: out of memory");
    if (s >= 0) {
        const size_t copied = b.len < cap ? b.len : cap;
        if (copied) memcpy(out, b.p, copied);
        *len = b.len;
    }
    buf_free(&b);
    return s;
}

const char *rz_token_bytes(const rz_tokenizer *t, rz_token id, size_t *len) {
    const str s = tok_bytes(t, id);
    if (len) *len = s.len;
    return s.p;
}

const char *rz_token_piece(const rz_tokenizer *t, rz_token id, size_t *len) {
    const str s = tok_piece(t, id);
    if (len) *len = s.len;
    return s.p;
}

rz_token rz_token_special(const rz_tokenizer *t, rz_special which) { return tok_special(t, which); }

size_t rz_tokenizer_size(const rz_tokenizer *t) { return tok_size(t); }
