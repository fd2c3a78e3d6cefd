/* convert.c - writes a converted model: metadata, tensors, tokenizer; then looks whether it is the
 * same model and only then gives it its name.
 *
 * Families GGUF has a form for (arch.h: hf_class) change names, shapes and the order of rows. Those
 * GGUF has no names for at all go into a GGUF file as they are, with their configuration as text
 * (hf_dir_carried), so that they can be quantized and kept in one file. */
#include "model/convert.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "format/gguf.h"
#include "format/hf_dir.h"
#include "format/safetensors.h"
#include "json/json.h"
#include "model/arch.h"
#include "model/convert_plan.h"
#include "tokenizer/tok_carry.h"

enum { QUANTIZATION_VERSION = 2, CHUNK_SIZE = 256 };

typedef struct converter {
    const tensor_file *f;
    const convert_request *r;
    convert_plan plan;
    model *m;
    const char *out;
    char *temp; /* what is written, before it takes its name */
    pool *workers;
    quant_progress_fn *progress;
    void *ud;
    uint64_t done, total;
} converter;

static bool is_gguf(const tensor_file *f) { return str_starts(str_of(f->format), STR_LIT("GGUF")); }

static status no_memory(const converter *c, err *e) {
    return err_set(e, RZ_ENOMEM, "%.200s: out of memory", c->f->path);
}

/* ---- Tensors ---- */

typedef struct writing {
    converter *c;
    convert_tensor *t;
} writing;

static status write_rows(void *ud, uint64_t first, uint64_t n, void *out, err *e) {
    const writing *w = ud;
    converter *c = w->c;
    TRY(convert_rows(w->t, first, n, out, e));
    c->done += n * (w->t->to.bytes / (w->t->to.n / w->t->to.dim[0]));
    if (c->progress && c->progress(c->ud, c->done, c->total) != 0)
        return err_set(e, RZ_ECANCELED, "stopped");
    return RZ_OK;
}

static writing *writings(converter *c) {
    convert_plan *p = &c->plan;
    writing *w = arena_zero(&p->mem, p->n + 1, sizeof *w);
    for (size_t i = 0; w && i < p->n; i++) {
        w[i] = (writing){c, &p->tensor[i]};
        if (!p->tensor[i].to.data) c->total += p->tensor[i].to.bytes;
    }
    return w;
}

/* ---- A GGUF file ---- */

typedef struct gguf_sink {
    gguf_writer *w;
    const char *arch;
} gguf_sink;

static status sink_number(void *ud, const char *name, key_kind kind, const void *v, err *e) {
    const gguf_sink *g = ud;
    char key[160];
    snprintf(key, sizeof key, "%s.%s", g->arch, name);
    switch (kind) {
        case KEY_U32:
        case KEY_U32_MOST:
            return gguf_put_u32(g->w, key, *(const uint32_t *)v, e);
        case KEY_F32:
            return gguf_put_f32(g->w, key, *(const float *)v, e);
        case KEY_BOOL:
            return gguf_put_bool(g->w, key, *(const bool *)v, e);
    }
    return RZ_OK;
}

static status sink_text(void *ud, const char *name, const char *v, err *e) {
    const gguf_sink *g = ud;
    char key[160];
    snprintf(key, sizeof key, "%s.%s", g->arch, name);
    return gguf_put_str(g->w, key, str_of(v), e);
}

/* general.file_type: the mix, or what most weights are. */
static uint32_t file_type(const converter *c) {
    if (c->plan.mix) return c->plan.mix->file_type;
    const quant_mix *mix = quant_mix_find(str_of(quant_get(c->m->main_type)->name));
    return mix ? mix->file_type : 0;
}

/* Texts of __metadata__ that were GGUF's keys. */
static status put_general(const converter *c, gguf_writer *w, err *e) {
    bool named = false;
    for (size_t i = 0; i < c->f->n_kv; i++) {
        const meta_kv *kv = &c->f->kv[i];
        if (!str_starts(kv->key, STR_LIT("general.")) || kv->value.type != META_STRING ||
            str_is(kv->key, "general.architecture") || quant_replaces_key(kv->key))
            continue;
        named |= str_is(kv->key, "general.name");
        TRY(gguf_put_value(w, kv->key, &kv->value, e));
    }
    if (named || !c->f->folder) return RZ_OK;
    const char *slash = strrchr(c->f->folder, '/');
    const char *name = slash ? slash + 1 : c->f->folder;
    return *name && *name != '.' ? gguf_put_str(w, "general.name", str_of(name), e) : RZ_OK;
}

static bool is_tokenizer_key(str key) { return str_starts(key, STR_LIT("tokenizer.")); }

static status put_copied(const converter *c, gguf_writer *w, err *e) {
    for (size_t i = 0; i < c->f->n_kv; i++) {
        const meta_kv *kv = &c->f->kv[i];
        if (quant_replaces_key(kv->key) || (c->r->no_tokenizer && is_tokenizer_key(kv->key)))
            continue;
        TRY(gguf_put_value(w, kv->key, &kv->value, e));
    }
    return RZ_OK;
}

static status put_config(const converter *c, gguf_writer *w, err *e) {
    gguf_sink g = {w, c->m->arch->name};
    const config_sink to = {sink_number, sink_text, &g};
    TRY(config_write(&c->m->c, true, &to, e));
    TRY(sink_number(&g, "vocab_size", KEY_U32, &c->m->c.V, e));
    if (!c->m->rope[0].inv_freq) return RZ_OK;
    return config_write_rope(&c->m->c, c->f, str_of(c->m->arch->name), true, &to, e);
}

static status put_carried(const converter *c, gguf_writer *w, err *e) {
    buf b = BUF_INIT;
    json_write(&b, c->f->config);
    const status s = b.failed ? no_memory(c, e) : gguf_put_str(w, HF_DIR_CARRIED, buf_view(&b), e);
    buf_free(&b);
    return s;
}

static status put_keys(const converter *c, gguf_writer *w, err *e) {
    if (is_gguf(c->f)) {
        TRY(put_copied(c, w, e));
    } else {
        TRY(gguf_put_str(w, "general.architecture", str_of(c->m->arch->name), e));
        TRY(put_general(c, w, e));
        TRY(c->plan.names == CONVERT_KEEP ? put_carried(c, w, e) : put_config(c, w, e));
        if (!c->r->no_tokenizer) TRY(tok_carry_to_gguf(c->f, c->m->c.V, w, e));
    }
    TRY(gguf_put_u32(w, "general.quantization_version", QUANTIZATION_VERSION, e));
    return gguf_put_u32(w, "general.file_type", file_type(c), e);
}

static status put_tensors(converter *c, gguf_writer *w, err *e) {
    writing *each = writings(c);
    if (!each) return no_memory(c, e);
    for (size_t i = 0; i < c->plan.n; i++) {
        const tensor_info *t = &c->plan.tensor[i].to;
        if (t->data) TRY(gguf_put_tensor(w, t->name, t->type, t->n_dims, t->dim, t->data, e));
        else TRY(gguf_put_rows(w, t, write_rows, &each[i], e));
    }
    return gguf_write(w, c->temp, e);
}

static status write_gguf(converter *c, err *e) {
    gguf_writer *w;
    TRY(gguf_writer_new(&w, e));
    status s = put_keys(c, w, e);
    if (s >= 0) s = put_tensors(c, w, e);
    gguf_writer_free(w);
    return s;
}

/* ---- A folder ---- */

typedef struct json_sink {
    buf *top, *scaling; /* members, each behind a comma */
} json_sink;

static buf *member(const json_sink *j, const char *name, const char **rest) {
    static const char inside[] = "rope_scaling.";
    const bool scaling = strncmp(name, inside, strlen(inside)) == 0;
    *rest = scaling ? name + strlen(inside) : name;
    return scaling ? j->scaling : j->top;
}

/* The shortest spelling that reads back as this float. */
static void write_float(buf *b, float v) {
    double best = (double)v, x;
    char text[40];
    for (int digits = 9; digits > 0; digits--) {
        snprintf(text, sizeof text, "%.*g", digits, (double)v);
        if (!str_f64(str_of(text), &x) || (float)x != v) break;
        best = x;
    }
    json_write_number(b, best);
}

static status json_number(void *ud, const char *name, key_kind kind, const void *v, err *e) {
    buf *b = member(ud, name, &name);
    (void)e;
    buf_printf(b, ",\n\"%s\":", name);
    if (kind == KEY_U32 || kind == KEY_U32_MOST) buf_printf(b, "%u", *(const uint32_t *)v);
    if (kind == KEY_F32) write_float(b, *(const float *)v);
    if (kind == KEY_BOOL) buf_text(b, *(const bool *)v ? "true" : "false");
    return RZ_OK;
}

static status json_text(void *ud, const char *name, const char *v, err *e) {
    buf *b = member(ud, name, &name);
    (void)e;
    buf_printf(b, ",\n\"%s\":", name);
    json_write_string(b, str_of(v));
    return RZ_OK;
}

/* The part of "a|b|c" that names the plain form of a family, the one with a window, the one with
 * experts. A family with one name has it for all. */
static str variant(const model *m, const char *names) {
    str rest = str_of(names), name = str_split(&rest, '|');
    const int which = m->c.route.n_expert ? 2 : m->c.window ? 1 : 0;
    for (int i = 0; i < which && rest.p; i++) name = str_split(&rest, '|');
    return name;
}

static void add_bool(buf *b, const char *name, bool on) {
    buf_printf(b, ",\n\"%s\":%s", name, on ? "true" : "false");
}

/* What other programs want to be told. */
static void add_common(const converter *c, buf *b) {
    const model *m = c->m;
    const layer *l = &m->layer[0];
    const ssm_config *s = &m->c.ssm;
    buf_printf(b, ",\n\"vocab_size\":%u,\n\"hidden_act\":\"silu\"", m->c.V);
    add_bool(b, "tie_word_embeddings", m->tied);
    if (m->c.route.n_expert) buf_printf(b, ",\n\"num_local_experts\":%u", m->c.route.n_expert);
    if (!s->inner) {
        add_bool(b, "attention_bias", l->q_bias != NULL);
        return;
    }
    buf_printf(b, ",\n\"expand\":%u", s->inner / m->c.D);
    add_bool(b, "use_conv_bias", l->ssm_conv_bias != NULL);
    add_bool(b, "use_bias", false);
    if (!s->heads) return;
    add_bool(b, "rms_norm", true);
    buf_printf(b, ",\n\"head_dim\":%u,\n\"chunk_size\":%d", s->inner / s->heads, CHUNK_SIZE);
}

static status add_ids(const converter *c, buf *b, err *e) {
    static const char *const keys[][2] = {{"tokenizer.ggml.bos_token_id", "bos_token_id"},
                                          {"tokenizer.ggml.eos_token_id", "eos_token_id"},
                                          {"tokenizer.ggml.padding_token_id", "pad_token_id"}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        uint32_t id = UINT32_MAX;
        TRY(meta_u32(c->f, keys[i][0], &id, e));
        if (id != UINT32_MAX) buf_printf(b, ",\n\"%s\":%u", keys[i][1], id);
    }
    return RZ_OK;
}

static status write_config(const converter *c, buf *b, err *e) {
    const model *m = c->m;
    buf scaling = BUF_INIT;
    json_sink j = {b, &scaling};
    const config_sink to = {json_number, json_text, &j};
    const str type = variant(m, m->arch->hf_types), class = variant(m, m->arch->hf_class);
    buf_printf(b, "{\n\"architectures\":[\"%.*s\"],\n\"model_type\":\"%.*s\"", STR_FMT(class),
               STR_FMT(type));
    status s = config_write(&m->c, false, &to, e);
    if (s >= 0 && m->rope[0].inv_freq)
        s = config_write_rope(&m->c, c->f, str_of(m->arch->name), false, &to, e);
    if (s >= 0 && scaling.len) {
        buf_text(b, ",\n\"rope_scaling\":{");
        buf_add(b, scaling.p + 1, scaling.len - 1);
        buf_char(b, '}');
    }
    add_common(c, b);
    if (s >= 0) s = add_ids(c, b, e);
    buf_text(b, "\n}\n");
    b->failed |= scaling.failed;
    buf_free(&scaling);
    return s;
}

static const char *temp_in(converter *c, const char *name) {
    const size_t len = strlen(c->temp) + strlen(name) + 2;
    char *path = arena_alloc(&c->plan.mem, len);
    if (path) snprintf(path, len, "%s/%s", c->temp, name);
    return path;
}

static status put_texts(const converter *c, safetensors_writer *w, err *e) {
    TRY(safetensors_put_text(w, STR_LIT("format"), STR_LIT("pt"), e));
    for (size_t i = 0; i < c->f->n_kv; i++) {
        const meta_kv *kv = &c->f->kv[i];
        const bool general = is_gguf(c->f) ? str_starts(kv->key, STR_LIT("general.")) : true;
        if (general && kv->value.type == META_STRING && !quant_replaces_key(kv->key) &&
            !str_is(kv->key, "format") && !str_is(kv->key, "general.architecture"))
            TRY(safetensors_put_text(w, kv->key, kv->value.s, e));
    }
    return RZ_OK;
}

static status write_safetensors(converter *c, err *e) {
    safetensors_writer *w;
    writing *each = writings(c);
    const char *path = temp_in(c, "model.safetensors");
    if (!each || !path) return no_memory(c, e);
    TRY(safetensors_writer_new(&w, e));
    status s = put_texts(c, w, e);
    for (size_t i = 0; s >= 0 && i < c->plan.n; i++) {
        const tensor_info *t = &c->plan.tensor[i].to;
        if (t->data) s = safetensors_put_tensor(w, t->name, t->type, t->n_dims, t->dim, t->data, e);
        else s = safetensors_put_rows(w, t, write_rows, &each[i], e);
    }
    if (s >= 0) s = safetensors_write(w, path, e);
    safetensors_writer_free(w);
    return s;
}

static status write_folder(converter *c, err *e) {
    buf config = BUF_INIT;
    const char *path = temp_in(c, "config.json");
    if (!path) return no_memory(c, e);
    TRY(os_make_folder(c->temp, e));
    status s = RZ_OK;
    if (c->plan.names == CONVERT_KEEP) json_write(&config, c->f->config);
    else s = write_config(c, &config, e);
    if (s >= 0 && config.failed) s = no_memory(c, e);
    if (s >= 0) s = os_write_file(path, config.p, config.len, e);
    buf_free(&config);
    TRY(s);
    if (!c->r->no_tokenizer)
        TRY(c->f->folder ? tok_carry_files(c->f, c->temp, e)
                         : tok_carry_to_folder(c->f, c->temp, e));
    return write_safetensors(c, e);
}

/* ---- Is it the same model? ---- */

static bool near(double a, double b) { return fabs(a - b) <= 1e-5 * fmax(fabs(a), fabs(b)); }

static bool same_ropes(const model *a, const model *b) {
    for (int r = 0; r < MODEL_MAX_ROPES; r++) {
        const rope_config *x = &a->rope[r], *y = &b->rope[r];
        if (!x->inv_freq != !y->inv_freq || x->n_rot != y->n_rot) return false;
        if (x->inv_freq && !near((double)x->mscale, (double)y->mscale)) return false;
        for (uint32_t i = 0; x->inv_freq && i < x->n_rot / 2; i++)
            if (!near(x->inv_freq[i], y->inv_freq[i])) return false;
    }
    return true;
}

static bool same_layers(const model *a, const model *b) {
    for (uint32_t i = 0; i < a->c.L; i++) {
        const layer *x = &a->layer[i], *y = &b->layer[i];
        const ssm_config *s = &x->ssm, *t = &y->ssm;
        if (x->mix != y->mix || x->ffn != y->ffn || x->F != y->F ||
            x->state_width != y->state_width || x->attend.H != y->attend.H ||
            x->attend.G != y->attend.G || x->attend.K != y->attend.K ||
            x->attend.window != y->attend.window || s->inner != t->inner || s->state != t->state ||
            s->heads != t->heads || s->groups != t->groups || s->conv != t->conv)
            return false;
    }
    return true;
}

/* What differs, or NULL. */
static const char *difference(const model *a, const model *b) {
    const model_config *x = &a->c, *y = &b->c;
    const struct {
        const char *what;
        double x, y;
    } number[] = {{"the width", x->D, y->D},
                  {"the vocabulary", x->V, y->V},
                  {"the context", x->C, y->C},
                  {"the epsilon of norms", (double)x->norm_eps, (double)y->norm_eps},
                  {"the scale of embeddings", (double)x->embed_scale, (double)y->embed_scale},
                  {"the scale of residuals", (double)x->residual_scale, (double)y->residual_scale},
                  {"the scale of logits", (double)x->logit_scale, (double)y->logit_scale},
                  {"the cap of logits", (double)x->logit_cap, (double)y->logit_cap},
                  {"the cap of scores", (double)x->score_cap, (double)y->score_cap},
                  {"the scale of scores", (double)x->score_scale, (double)y->score_scale},
                  {"the number of experts", x->route.n_expert, y->route.n_expert},
                  {"the experts used", x->route.n_used, y->route.n_used},
                  {"the scale of experts", (double)x->route.scale, (double)y->route.scale},
                  {"the norm of expert weights", x->route.renormalise, y->route.renormalise},
                  {"the width of experts", x->F_expert, y->F_expert},
                  {"the width of shared experts", x->F_shared, y->F_shared}};
    if (x->L != y->L) return "the number of layers";
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        if (!near(number[i].x, number[i].y)) return number[i].what;
    if (!same_layers(a, b)) return "the kind or shape of a layer";
    if (!same_ropes(a, b)) return "the rotary frequencies";
    return a->tied == b->tied ? NULL : "the output matrix";
}

static status check_tokenizer(const converter *c, const tensor_file *made, err *e) {
    tok *before = NULL, *after = NULL;
    status s = tok_open_model(&before, c->f, e);
    if (s >= 0) s = tok_open_model(&after, made, e);
    if (s >= 0) s = tok_carry_check(before, after, c->f->path, e);
    tok_close(before);
    tok_close(after);
    return s;
}

static status check_result(const converter *c, err *e) {
    tensor_file *f = NULL;
    model *m = NULL;
    status s = tensor_file_open(&f, c->temp, e);
    if (s >= 0) s = model_open(&m, f, e);
    const char *what = s >= 0 ? difference(c->m, m) : NULL;
    if (what)
        s = err_set(e, RZ_EUNSUPPORTED, "%.200s: %s cannot be said in a %s", c->f->path, what,
                    c->plan.gguf ? "GGUF file" : "folder");
    if (s >= 0 && !c->r->no_tokenizer) s = check_tokenizer(c, f, e);
    model_close(m);
    tensor_file_close(f);
    return s;
}

/* ---- All of it ---- */

static status no_form(const converter *c, err *e) {
    return err_set(e, RZ_EUNSUPPORTED,
                   "%.200s: %s models are not converted between folders and GGUF files; llama, "
                   "qwen2, qwen2moe, qwen3, qwen3moe, mamba, mamba2 and oxidizr are",
                   c->f->path, c->m->arch->name);
}

static status pick_names(converter *c, err *e) {
    const arch *a = c->m->arch;
    const bool named = a->model_slot[0].gguf != NULL;
    c->plan.gguf = str_ends(str_of(c->out), STR_LIT(".gguf"));
    c->plan.names = CONVERT_KEEP;
    if (c->plan.gguf ? is_gguf(c->f) || !named : c->f->config != NULL) return RZ_OK;
    if (!a->hf_class) return no_form(c, e);
    if (a->gguf_pairs && c->m->c.n_rot != c->m->c.K)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%.200s: a head rotates only %u of its %u dims, which the other kind of "
                       "file orders otherwise",
                       c->f->path, c->m->c.n_rot, c->m->c.K);
    c->plan.names = c->plan.gguf ? CONVERT_TO_GGUF : CONVERT_TO_FOLDER;
    return RZ_OK;
}

static status check_out(const converter *c, err *e) {
    const str out = str_of(c->out);
    if (str_ends(out, STR_LIT(".safetensors")) || str_ends(out, STR_LIT(".json")))
        return err_set(e, RZ_EINVAL, "%.200s: name a folder, or a file that ends in .gguf", c->out);
    if (!c->plan.gguf && os_path_kind(c->out) != OS_NOTHING)
        return err_set(e, RZ_EINVAL, "%.200s: is there already; name a new folder", c->out);
    if (c->plan.gguf && os_path_kind(c->out) == OS_FOLDER)
        return err_set(e, RZ_EINVAL, "%.200s: is a folder", c->out);
    return RZ_OK;
}

static status prepare(converter *c, err *e) {
    TRY(model_open(&c->m, c->f, e));
    c->plan.m = c->m;
    TRY(pick_names(c, e));
    TRY(check_out(c, e));
    size_t len = strlen(c->out);
    while (len > 1 && c->out[len - 1] == '/') len--;
    c->temp = arena_alloc(&c->plan.mem, len + 40);
    if (!c->temp) return no_memory(c, e);
    snprintf(c->temp, len + 40, "%.*s.new-%ld", (int)len, c->out, (long)getpid());
    str scaling = {NULL, 0};
    if (c->m->rope[0].inv_freq)
        TRY(config_rope_type(&c->m->c, c->f, str_of(c->m->arch->name), &scaling, e));
    const bool factors = c->plan.names == CONVERT_TO_GGUF && str_is(scaling, "llama3");
    return convert_plan_make(&c->plan, c->r->type, factors, c->workers, e);
}

static void describe(const converter *c, convert_report *report) {
    *report = (convert_report){.tensors = (uint32_t)c->plan.n};
    for (size_t i = 0; i < c->plan.n; i++) {
        const convert_tensor *t = &c->plan.tensor[i];
        report->changed += t->to.type != t->from[0]->type;
        report->weights += t->to.n;
        report->bytes_to += t->to.bytes;
    }
    for (size_t i = 0; i < c->f->n_tensor; i++) report->bytes_from += c->f->tensor[i].bytes;
}

status convert_write(const tensor_file *f, const char *out, const convert_request *r,
                     convert_report *report, pool *workers, quant_progress_fn *progress, void *ud,
                     err *e) {
    converter c = {.f = f, .r = r, .out = out, .workers = workers, .progress = progress, .ud = ud};
    status s = prepare(&c, e);
    if (s >= 0) {
        describe(&c, report);
        s = c.plan.gguf ? write_gguf(&c, e) : write_folder(&c, e);
        if (s >= 0) s = check_result(&c, e);
        if (s >= 0) s = os_rename(c.temp, out, e);
        if (s < 0) os_remove(c.temp);
    }
    convert_plan_free(&c.plan);
    model_close(c.m);
    return s;
}
