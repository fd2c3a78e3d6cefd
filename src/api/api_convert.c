/* api_convert.c - rz_convert: opens what it names, converts, reports. */
#include "api/api.h"
#include "model/convert.h"

typedef struct convert_call {
    rz_convert_options opt;
    tensor_file *file;
    pool *workers;
} convert_call;

static int tell(void *ud, uint64_t done, uint64_t total) {
    const convert_call *c = ud;
    const rz_progress p = {"converting", done, total};
    return c->opt.progress ? c->opt.progress(c->opt.progress_ud, &p) : 0;
}

static status prepare(convert_call *c, const char *in, const char *out, err *e) {
    int threads = 0;
    if (c->opt.n_set && !c->opt.set)
        return err_set(e, RZ_EINVAL, "rz_convert: set is NULL but has a count");
    TRY(api_pick_threads(c->opt.threads, &threads, e));
    TRY(tensor_file_open(&c->file, in, e));
    TRY(api_refuse_same(c->file->path, out, e));
    for (size_t i = 0; i < c->opt.n_set; i++) TRY(tensor_file_set(c->file, c->opt.set[i], e));
    return pool_new(&c->workers, threads, e);
}

rz_status rz_convert(const char *in, const char *out, const rz_convert_options *given,
                     rz_convert_report *report, rz_error *e) {
    convert_call c = {.file = NULL};
    convert_report made = {0};
    if (!in || !out || !*out) return err_set(e, RZ_EINVAL, "rz_convert: a name is missing");
    TRY(api_take_struct(&c.opt, sizeof c.opt, given, "rz_convert_options", e));
    const convert_request r = {c.opt.type, c.opt.no_tokenizer != 0};
    status s = prepare(&c, in, out, e);
    if (s >= 0) s = convert_write(c.file, out, &r, &made, c.workers, tell, &c, e);
    if (s >= 0 && report)
        *report = (rz_convert_report){made.tensors, made.changed, made.weights, made.bytes_from,
                                      made.bytes_to};
    pool_free(c.workers);
    tensor_file_close(c.file);
    return s;
}
