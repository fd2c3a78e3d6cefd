/* api_quantize.c - rz_quantize: opens what it names, plans, reports, writes. */
#include "api/api.h"
#include "base/mem.h"
#include "format/parts.h"
#include "model/quantize.h"

/* ---- Not onto itself ---- */

status api_refuse_same(const char *in, const char *out, err *e) {
    arena mem = ARENA_INIT;
    str stem;
    uint32_t no, count = 0;
    bool same = os_same_file(in, out);
    if (!same && parts_of_name(str_of(in), ".gguf", &stem, &no, &count))
        for (no = 1; no <= count && count <= TENSOR_FILE_MAX_PARTS && !same; no++) {
            const char *part = parts_name(&mem, stem, no, count, ".gguf");
            same = part && os_same_file(part, out);
        }
    arena_free(&mem);
    if (!same) return RZ_OK;
    return err_set(e, RZ_EINVAL, "%.200s: is the file that is read; name another to write", out);
}

/* ---- Request ---- */

typedef struct quantize_call {
    rz_quantize_options opt;
    const char *in, *out;
    quant_request request;
    quant_keep *keep;
    imatrix *importance;
    tensor_file *file;
    pool *workers;
    quant_plan plan;
} quantize_call;

static status read_keep(quantize_call *c, err *e) {
    if (c->opt.n_keep && !c->opt.keep)
        return err_set(e, RZ_EINVAL, "rz_quantize: keep is NULL but has a count");
    c->keep = mem_array_zero(c->opt.n_keep + 1, sizeof *c->keep);
    if (!c->keep) return err_set(e, RZ_ENOMEM, "rz_quantize: out of memory");
    for (size_t i = 0; i < c->opt.n_keep; i++) {
        str rest = str_of(c->opt.keep[i]);
        const str name = str_split(&rest, '=');
        quant_keep *k = &c->keep[i];
        if (!name.len || !rest.p || !quant_find(rest, &k->type) || k->type >= QUANT_GGML_COUNT ||
            !quant_get(k->type)->from_float || k->type == QUANT_Q8_1 || k->type == QUANT_Q8_K)
            return err_set(e, RZ_EINVAL, "\"%.100s\" is not TENSOR=TYPE with a type to store",
                           c->opt.keep[i] ? c->opt.keep[i] : "");
        k->pattern = name;
    }
    return RZ_OK;
}

static status prepare(quantize_call *c, const char *type, err *e) {
    int threads = 0;
    TRY(api_pick_threads(c->opt.threads, &threads, e));
    TRY(read_keep(c, e));
    TRY(tensor_file_open(&c->file, c->in, e));
    if (!c->opt.dry_run) TRY(api_refuse_same(c->in, c->out, e));
    if (c->opt.imatrix) TRY(imatrix_open(&c->importance, c->opt.imatrix, e));
    TRY(pool_new(&c->workers, threads, e));
    c->request = (quant_request){.name = type,
                                 .importance = c->importance,
                                 .importance_path = c->opt.imatrix,
                                 .pure = c->opt.pure != 0,
                                 .again = c->opt.allow_requantize != 0,
                                 .output_type = c->opt.output_type,
                                 .embedding_type = c->opt.embedding_type,
                                 .keep = c->keep,
                                 .n_keep = c->opt.n_keep};
    return quant_plan_make(&c->plan, c->file, &c->request, e);
}

static void describe(const quantize_call *c, rz_quantize_report *report) {
    *report = (rz_quantize_report){.tensors = (uint32_t)c->plan.n};
    for (size_t i = 0; i < c->plan.n; i++) {
        const quant_row *r = &c->plan.row[i];
        const bool made = !r->to.data;
        report->quantized += made;
        report->fell_back += r->fell_back;
        report->unweighted += made && c->importance && !r->importance;
        report->weights += r->from->n;
        report->bytes_from += r->from->bytes;
        report->bytes_to += r->to.bytes;
        if (!c->opt.tensor) continue;
        rz_quantized t = {.name = r->from->name.p,
                          .from = quant_get(r->from->type)->name,
                          .to = quant_get(r->to.type)->name,
                          .bytes_from = r->from->bytes,
                          .bytes_to = r->to.bytes,
                          .fell_back = r->fell_back,
                          .importance = r->importance != NULL};
        memcpy(t.dim, r->from->dim, sizeof t.dim);
        c->opt.tensor(c->opt.tensor_ud, &t);
    }
}

static int tell(void *ud, uint64_t done, uint64_t total) {
    const quantize_call *c = ud;
    const rz_progress p = {"quantizing", done, total};
    return c->opt.progress ? c->opt.progress(c->opt.progress_ud, &p) : 0;
}

rz_status rz_quantize(const char *in, const char *out, const char *type,
                      const rz_quantize_options *given, rz_quantize_report *report, rz_error *e) {
    quantize_call c = {.in = in, .out = out};
    rz_quantize_report local;
    if (!in || !type) return err_set(e, RZ_EINVAL, "rz_quantize: a pointer is NULL");
    TRY(api_take_struct(&c.opt, sizeof c.opt, given, "rz_quantize_options", e));
    if (!out && !c.opt.dry_run) return err_set(e, RZ_EINVAL, "rz_quantize: no name to write to");
    status s = prepare(&c, type, e);
    if (s >= 0) {
        describe(&c, report ? report : &local);
        if (!c.opt.dry_run) s = quant_plan_write(&c.plan, &c.request, out, c.workers, tell, &c, e);
    }
    quant_plan_free(&c.plan);
    pool_free(c.workers);
    imatrix_close(c.importance);
    tensor_file_close(c.file);
    mem_free(c.keep);
    return s;
}

const char *rz_quantize_name(size_t i) {
    const quant_mix *mix = quant_mix_at(i);
    return mix && !mix->also ? mix->name : NULL;
}
