/* api_prepare.c - rz_prepare: checks what was given and makes the threads. */
#include "api/api.h"
#include "train/prepare.h"

typedef struct prepare_call {
    rz_prepare_options opt;
    prepare_request r;
} prepare_call;

static int tell(void *ud, uint64_t done, uint64_t total) {
    const prepare_call *c = ud;
    const rz_progress p = {"tokenizing", done, total};
    return c->opt.progress(c->opt.progress_ud, &p);
}

rz_status rz_prepare(const rz_tokenizer *t, const char *const *in, size_t n_in, const char *out,
                     const rz_prepare_options *given, rz_prepare_report *report, rz_error *e) {
    prepare_call c = {.r = {.t = t, .in = in, .n_in = n_in}};
    prepare_result made = {0};
    int threads = 0;
    if (!t || !in || !out || !*out) return err_set(e, RZ_EINVAL, "rz_prepare: a pointer is NULL");
    for (size_t i = 0; i < n_in; i++)
        if (!in[i]) return err_set(e, RZ_EINVAL, "rz_prepare: file name %zu is NULL", i);
    if (n_in == 0) return err_set(e, RZ_EINVAL, "rz_prepare: no file to read");
    TRY(api_take_struct(&c.opt, sizeof c.opt, given, "rz_prepare_options", e));
    TRY(api_pick_threads(c.opt.threads, &threads, e));
    c.r.field = str_of(c.opt.field ? c.opt.field : "text");
    c.r.separator = str_of(c.opt.separator);
    c.r.special = c.opt.special != 0;
    c.r.begin = c.opt.begin != 0;
    c.r.end = c.opt.no_end == 0;
    c.r.tell = c.opt.progress ? tell : NULL;
    c.r.ud = &c;
    if (c.r.field.len == 0 || c.r.field.len > 100)
        return err_set(e, RZ_EINVAL, "field is %zu bytes, expected 1 to 100", c.r.field.len);
    TRY(pool_new(&c.r.workers, threads, e));
    const status s = prepare_write(&c.r, out, &made, e);
    pool_free(c.r.workers);
    if (s >= 0 && report)
        *report = (rz_prepare_report){made.documents, made.tokens, made.bytes,
                                      c.r.end ? tok_special(t, RZ_EOS) : -1, tok_size(t)};
    return s;
}
