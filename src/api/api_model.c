/* api_model.c - opening, describing and closing a model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/api.h"
#include "api/demo_model.h"
#include "base/buf.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "kernels/kern.h"
#include "model/arch.h"
#include "model/describe.h"
#include "model/quantize.h"

enum { PREFAULT_STEP = 4 << 20, PAGE = 4096 };

/* Read one byte of every page, so that the first token does not wait for the disk. */
static status prefault(const tensor_file *f, const rz_model_options *opt, err *e) {
    rz_progress progress = {"loading", 0, f->file_bytes};
    volatile uint8_t sink = 0;
    for (size_t i = 0; i < f->n_part; i++) {
        os_map_willneed(&f->part[i]);
        for (size_t at = 0; at < f->part[i].len; at += PREFAULT_STEP) {
            const size_t left = f->part[i].len - at;
            const size_t n = left < PREFAULT_STEP ? left : PREFAULT_STEP;
            for (size_t j = 0; j < n; j += PAGE) sink ^= f->part[i].data[at + j];
            progress.done += n;
            if (opt->progress && opt->progress(opt->progress_ud, &progress) != 0)
                return err_set(e, RZ_ECANCELED, "%s: loading was stopped", f->path);
        }
    }
    (void)sink;
    return RZ_OK;
}

status api_pick_threads(int wanted, int *out, err *e) {
    const char *env = getenv("RZ_THREADS");
    int64_t n = wanted;
    if (n == 0 && env && !str_i64(str_of(env), &n))
        return err_set(e, RZ_EINVAL, "RZ_THREADS is \"%.40s\", expected a number", env);
    if (n == 0) n = cpu_get()->cores;
    if (n < 1 || n > 1024)
        return err_set(e, RZ_EINVAL, "threads is %lld, expected 1 to 1024", (long long)n);
    *out = (int)n;
    return RZ_OK;
}

static status copy_name(rz_model *m, err *e) {
    str name = STR_LIT("");
    TRY(meta_str(m->file, "general.name", &name, e));
    m->name = mem_strndup(name.p, name.len);
    return m->name ? RZ_OK : err_set(e, RZ_ENOMEM, "%s: out of memory", m->file->path);
}

static int tell_quantizing(void *ud, uint64_t done, uint64_t total) {
    const rz_model_options *opt = ud;
    const rz_progress p = {"quantizing", done, total};
    return opt->progress ? opt->progress(opt->progress_ud, &p) : 0;
}

/* Weights as they will be computed with: quantized, which reads them, or read if that is wanted. */
static status ready_weights(rz_model *m, rz_model_options *opt, err *e) {
    if (opt->quant) return model_quantize(m->m, opt->quant, m->workers, tell_quantizing, opt, e);
    return opt->prefault ? prefault(m->file, opt, e) : RZ_OK;
}

static status put_in_words(rz_model *m, err *e) {
    model_describe_layers(m->m, &m->layer_kinds);
    model_describe_types(m->m, &m->types);
    if (buf_cstr(&m->layer_kinds) && buf_cstr(&m->types)) return RZ_OK;
    return err_set(e, RZ_ENOMEM, "%s: out of memory", m->file->path);
}

/* Takes the file over, also on failure. */
static status open_model(rz_model **out, tensor_file *f, const rz_model_options *given, err *e) {
    rz_model_options opt;
    rz_model *m = mem_zero(sizeof *m);
    int threads = 0;
    status s = m ? RZ_OK : err_set(e, RZ_ENOMEM, "%s: out of memory", f->path);
    if (s < 0) {
        tensor_file_close(f);
        return s;
    }
    m->file = f;
    s = api_take_struct(&opt, sizeof opt, given, "rz_model_options", e);
    if (s < 0) opt.n_set = 0;
    if (s >= 0) s = api_pick_threads(opt.threads, &threads, e);
    for (size_t i = 0; i < opt.n_set && s >= 0; i++) s = tensor_file_set(f, opt.set[i], e);
    if (s >= 0) s = model_open(&m->m, f, e);
    if (s >= 0) s = put_in_words(m, e);
    if (s >= 0) s = tok_open_model(&m->tok, f, e);
    if (s >= 0) s = chat_open(&m->chat, f, m->tok, e);
    if (s >= 0) s = copy_name(m, e);
    if (s >= 0) s = pool_new(&m->workers, threads, e);
    if (s >= 0) s = ready_weights(m, &opt, e);
    if (s < 0) {
        rz_model_close(m);
        return s;
    }
    *out = m;
    return RZ_OK;
}

rz_status rz_model_open(rz_model **out, const char *path, const rz_model_options *opt,
                        rz_error *e) {
    if (!out || !path) return err_set(e, RZ_EINVAL, "rz_model_open: a pointer is NULL");
    tensor_file *f;
    TRY(tensor_file_open(&f, path, e));
    return open_model(out, f, opt, e);
}

rz_status rz_model_open_memory(rz_model **out, const void *data, size_t len,
                               const rz_model_options *opt, rz_error *e) {
    if (!out || !data) return err_set(e, RZ_EINVAL, "rz_model_open_memory: a pointer is NULL");
    tensor_file *f;
    TRY(tensor_file_open_memory(&f, data, len, e));
    return open_model(out, f, opt, e);
}

rz_status rz_model_open_demo(rz_model **out, const rz_model_options *opt, rz_error *e) {
    size_t len;
    const void *data = demo_model(&len);
    return rz_model_open_memory(out, data, len, opt, e);
}

void rz_model_close(rz_model *m) {
    if (!m) return;
    pool_free(m->workers);
    chat_close(m->chat);
    tok_close(m->tok);
    model_close(m->m);
    tensor_file_close(m->file);
    mem_free(m->name);
    buf_free(&m->layer_kinds);
    buf_free(&m->types);
    buf_free(&m->image);
    mem_free(m);
}

void rz_model_describe(const rz_model *m, rz_model_info *out) {
    const model_config *c = &m->m->c;
    *out = (rz_model_info){
        .path = m->file->path,
        .format = m->file->format,
        .arch = m->m->arch->name,
        .name = m->name,
        .quant = quant_get(m->m->main_type)->name,
        .tokenizer = m->tok ? tok_kind(m->tok) : "none",
        .layer_kinds = m->layer_kinds.p,
        .types = m->types.p,
        .notes = m->m->notes,
        .params = m->m->n_param,
        .active_params = model_active_params(m->m),
        .weight_bytes = m->m->weight_bytes,
        .file_bytes = m->file->file_bytes,
        .layers = c->L,
        .width = c->D,
        .heads = c->H,
        .kv_heads = c->G,
        .head_size = c->K,
        .ffn_width = c->F,
        .vocab = c->V,
        .context = c->C,
        .kv_floats_per_token = m->m->cache_width,
        .chat_template = chat_is_own(m->chat),
        .state_bytes = m->m->state_width * sizeof(float),
        .tensors = (uint32_t)m->file->n_tensor,
        .meta_keys = (uint32_t)m->file->n_kv,
        .threads = (uint32_t)pool_threads(m->workers),
    };
}

uint64_t rz_model_kv_bytes(const rz_model *m, rz_kv kv) {
    kv_type type;
    return api_kv_type(m, kv, &type, NULL) < 0 ? 0 : m->m->cache_bytes[type];
}

const char *rz_model_kv_name(const rz_model *m, rz_kv kv) {
    kv_type type;
    return api_kv_type(m, kv, &type, NULL) < 0 ? NULL : kv_type_name(type);
}

rz_status rz_model_tensor(const rz_model *m, size_t i, rz_tensor_desc *out) {
    if (i >= m->file->n_tensor) return RZ_EINVAL;
    const tensor_info *t = &m->file->tensor[i];
    *out = (rz_tensor_desc){t->name.p, quant_get(t->type)->name, t->n_dims, {0}, t->bytes};
    memcpy(out->dim, t->dim, sizeof out->dim);
    return RZ_OK;
}

/* ---- Metadata as text ---- */

enum { ARRAY_SHOWN = 8 };

static void scalar_text(const meta_value *v, buf *b) {
    switch (v->type) {
        case META_BOOL:
            buf_text(b, v->u ? "true" : "false");
            break;
        case META_STRING:
            buf_str(b, v->s);
            break;
        case META_F32:
            buf_printf(b, "%.9g", v->f);
            break;
        case META_F64:
            buf_printf(b, "%.17g", v->f);
            break;
        case META_I8:
        case META_I16:
        case META_I32:
        case META_I64:
            buf_printf(b, "%lld", (long long)v->i);
            break;
        default:
            buf_printf(b, "%llu", (unsigned long long)v->u);
            break;
    }
}

static void array_text(const meta_value *v, buf *b) {
    buf_char(b, '[');
    for (uint64_t i = 0; i < v->a.n && i < ARRAY_SHOWN; i++) {
        if (i) buf_text(b, ", ");
        int64_t whole;
        double real;
        if (v->a.elem == META_STRING) {
            buf_char(b, '"');
            buf_str(b, v->a.strings[i]);
            buf_char(b, '"');
        } else if (v->a.elem == META_ARRAY) {
            buf_text(b, "[...]");
        } else if (meta_array_i64(v, i, &whole)) {
            buf_printf(b, "%lld", (long long)whole);
        } else if (meta_array_f64(v, i, &real)) {
            buf_printf(b, "%.9g", real);
        }
    }
    if (v->a.n > ARRAY_SHOWN) buf_printf(b, ", ... %llu in all", (unsigned long long)v->a.n);
    buf_char(b, ']');
}

static long value_text(const meta_value *v, char *out, size_t cap) {
    buf b = BUF_INIT;
    if (v->type == META_ARRAY) array_text(v, &b);
    else scalar_text(v, &b);
    const size_t n = b.failed || cap == 0 ? 0 : b.len < cap ? b.len : cap - 1;
    if (n) memcpy(out, b.p, n);
    if (cap) out[n] = 0;
    const long len = b.failed ? -1 : (long)b.len;
    buf_free(&b);
    return len;
}

long rz_model_meta_at(const rz_model *m, size_t i, const char **key, const char **type, char *out,
                      size_t cap) {
    if (i >= m->file->n_kv) return -1;
    const meta_kv *kv = &m->file->kv[i];
    if (key) *key = kv->key.p;
    if (type) *type = meta_type_name(kv->value.type);
    return value_text(&kv->value, out, cap);
}

long rz_model_meta(const rz_model *m, const char *key, char *out, size_t cap) {
    const meta_value *v = tensor_file_meta(m->file, key);
    return v ? value_text(v, out, cap) : -1;
}
