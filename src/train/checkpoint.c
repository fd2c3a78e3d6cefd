/* checkpoint.c - what training leaves in its folder, and continuing from there.
 *
 *   NAME_SEQ_PARAMS_DTYPE_step_N.safetensors   weights by oxidizr's names
 *   checkpoint_step_N.optimizer                averages of AdamW, also safetensors
 *   checkpoint_step_N.meta.json                names both, and what they belong to; comes last
 *   NAME_SEQ_PARAMS_DTYPE_final.safetensors    weights at the end
 *   config.json                                what the weights' shapes do not say */
#include <stdio.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "format/safetensors.h"
#include "json/json.h"
#include "train/train.h"

#define META_BEGIN "checkpoint_step_"
#define META_END ".meta.json"

/* ---- Text ---- */

static void put_count(buf *b, const char *name, uint64_t v) {
    buf_printf(b, ",\n  \"%s\": %llu", name, (unsigned long long)v);
}

static void put_real(buf *b, const char *name, double v) {
    buf_printf(b, ",\n  \"%s\": ", name);
    json_write_number(b, v);
}

static void put_text(buf *b, const char *name, const char *text) {
    buf_printf(b, ",\n  \"%s\": ", name);
    json_write_string(b, str_of(text));
}

/* config.json: oxidizr's keys, and those it should have written too. */
static void write_config(const train_model *m, buf *b) {
    buf_printf(b, "{\n  \"hidden_size\": %u", m->hidden);
    put_count(b, "num_layers", m->layers);
    put_count(b, "vocab_size", m->vocab);
    put_count(b, "num_attention_heads", m->heads);
    put_count(b, "num_kv_heads", m->kv_heads);
    put_count(b, "intermediate_size", m->ffn);
    put_count(b, "max_seq_len", m->seq);
    put_real(b, "rope_theta", m->theta);
    put_real(b, "rms_norm_eps", 1e-5);
    buf_printf(b, ",\n  \"tie_word_embeddings\": %s\n}\n", m->tied ? "true" : "false");
}

/* What must be the same for a run to go on, as an object of one line. */
static void write_identity(const trainer *t, buf *b) {
    const train_model *m = &t->c->model;
    const trainer_config *c = &t->c->trainer;
    buf_printf(b, "{\"hidden_size\":%u,\"num_layers\":%u,\"num_heads\":%u,\"kv_heads\":%u",
               m->hidden, m->layers, m->heads, m->kv_heads);
    buf_printf(b, ",\"intermediate_size\":%u,\"vocab_size\":%u,\"max_seq_len\":%u,\"rope_theta\":",
               m->ffn, m->vocab, m->seq);
    json_write_number(b, m->theta);
    buf_printf(b, ",\"tie_word_embeddings\":%s,\"batch_size\":%u,\"gradient_accumulation\":%u",
               m->tied ? "true" : "false", c->batch, c->accum);
    buf_printf(b, ",\"seed\":%llu,\"shuffle\":%s,\"document_end\":%lld,\"validation_fraction\":",
               (unsigned long long)c->seed, c->shuffle ? "true" : "false",
               (long long)c->document_end);
    json_write_number(b, c->validation);
    buf_char(b, '}');
}

static void label(uint64_t n, char out[24]) {
    if (n >= 1000000000) snprintf(out, 24, "%.1fb", (double)n * 1e-9);
    else if (n >= 1000000) snprintf(out, 24, "%llum", (unsigned long long)(n + 500000) / 1000000);
    else snprintf(out, 24, "%lluk", (unsigned long long)(n + 500) / 1000);
}

/* The name of the weights, without folder. */
static void weights_name(const trainer *t, bool final, char out[256]) {
    char size[24], step[40];
    label(t->n->n_weights, size);
    snprintf(step, sizeof step, final ? "final" : "step_%llu", (unsigned long long)t->step);
    snprintf(out, 256, "%s_%u_%s_%s_%s.safetensors", t->c->model.name, t->c->model.seq, size,
             t->c->model.dtype, step);
}

static status in_folder(const trainer *t, const char *name, char out[CHECKPOINT_PATH], err *e) {
    const int n = snprintf(out, CHECKPOINT_PATH, "%s/%s", t->c->trainer.folder, name);
    if (n > 0 && n < CHECKPOINT_PATH) return RZ_OK;
    return err_set(e, RZ_EINVAL, "checkpoint_dir is too long");
}

/* ---- Writing ---- */

static status put_all(safetensors_writer *w, const net *n, const char *prefix, const real *x,
                      err *e) {
    for (size_t i = 0; i < n->n_param; i++) {
        const param *p = &n->param[i];
        char name[128];
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        TRY(safetensors_put_tensor(w, str_of(name), QUANT_F32, p->n_dims, p->dim, x + p->at, e));
    }
    return RZ_OK;
}

static status write_tensors(const trainer *t, const char *path, bool optimizer, err *e) {
    safetensors_writer *w = NULL;
    TRY(safetensors_writer_new(&w, e));
    status s = RZ_OK;
    if (!optimizer) s = put_all(w, t->n, "", t->n->w, e);
    else {
        s = put_all(w, t->n, "m.", t->m, e);
        if (s >= 0) s = put_all(w, t->n, "v.", t->v, e);
    }
    if (s >= 0) s = safetensors_write(w, path, e);
    safetensors_writer_free(w);
    return s;
}

static status write_text(const char *path, buf *b, err *e) {
    const status s = b->failed ? err_set(e, RZ_ENOMEM, "%.300s: out of memory", path)
                               : os_write_file(path, b->p, b->len, e);
    buf_free(b);
    return s;
}

static status write_meta(const trainer *t, const char *weights, const char *optimizer, err *e) {
    char name[80], path[CHECKPOINT_PATH], hash[SHA256_TEXT];
    buf b = BUF_INIT, config = BUF_INIT, same = BUF_INIT;
    write_config(&t->c->model, &config);
    write_identity(t, &same);
    sha256_text(config.p, config.len, hash);
    buf_printf(&b, "{\n  \"step\": %llu", (unsigned long long)t->step);
    put_count(&b, "timestamp", os_unix_ms() / 1000);
    put_text(&b, "model_config_hash", hash);
    put_text(&b, "data_file_path", t->data_path);
    put_text(&b, "data_file_hash", t->digest);
    put_text(&b, "checkpoint_file", weights);
    put_text(&b, "optimizer_file", optimizer);
    put_text(&b, "dtype", t->c->model.dtype);
    buf_text(&b, ",\n  \"must_match\": ");
    buf_str(&b, buf_view(&same));
    buf_text(&b, "\n}\n");
    b.failed |= config.failed || same.failed;
    buf_free(&config);
    buf_free(&same);
    snprintf(name, sizeof name, META_BEGIN "%llu" META_END, (unsigned long long)t->step);
    const status s = in_folder(t, name, path, e);
    if (s >= 0) return write_text(path, &b, e);
    buf_free(&b);
    return s;
}

/* The step in the name of a meta file. */
static bool meta_step(const char *name, uint64_t *step) {
    str s = str_of(name);
    if (!str_starts(s, STR_LIT(META_BEGIN)) || !str_ends(s, STR_LIT(META_END))) return false;
    s.p += sizeof META_BEGIN - 1;
    if (s.len < sizeof META_BEGIN + sizeof META_END - 1) return false;
    s.len -= sizeof META_BEGIN + sizeof META_END - 2;
    return str_u64(s, step);
}

typedef struct meta {
    arena mem;
    char *text;
    json *root;
} meta;

static void meta_close(meta *m) {
    arena_free(&m->mem);
    mem_free(m->text);
}

static status meta_open(meta *m, const char *path, err *e) {
    size_t len = 0;
    err why = {0};
    *m = (meta){ARENA_INIT, NULL, NULL};
    TRY(os_read_file(path, 1 << 20, &m->text, &len, e));
    const status s = json_parse(&m->root, (str){m->text, len}, &m->mem, &why);
    if (s >= 0) return RZ_OK;
    meta_close(m);
    return err_set(e, s, "%.300s: %.150s", path, why.text);
}

/* A file that the meta file names, in the same folder. */
static status named(const trainer *t, const meta *m, const char *key, char out[CHECKPOINT_PATH],
                    err *e) {
    const json *v = json_get(m->root, key);
    char name[256];
    if (!v || v->kind != JSON_STRING || v->text.len == 0 || v->text.len >= sizeof name ||
        memchr(v->text.p, '/', v->text.len) || memchr(v->text.p, 0, v->text.len))
        return err_set(e, RZ_EFORMAT, "checkpoint: its meta file has no good %s", key);
    memcpy(name, v->text.p, v->text.len);
    name[v->text.len] = 0;
    return in_folder(t, name, out, e);
}

static void remove_checkpoint(const trainer *t, uint64_t step) {
    char name[80], path[CHECKPOINT_PATH], file[2][CHECKPOINT_PATH] = {"", ""};
    meta m;
    snprintf(name, sizeof name, META_BEGIN "%llu" META_END, (unsigned long long)step);
    if (in_folder(t, name, path, NULL) < 0 || meta_open(&m, path, NULL) < 0) return;
    const bool whole = named(t, &m, "checkpoint_file", file[0], NULL) >= 0 &&
                       named(t, &m, "optimizer_file", file[1], NULL) >= 0;
    meta_close(&m);
    os_remove(path);
    for (int i = 0; whole && i < 2; i++) os_remove(file[i]);
}

static status prune(const trainer *t, err *e) {
    const char *const *name;
    size_t n = 0;
    arena mem = ARENA_INIT;
    status s = os_list_folder(t->c->trainer.folder, &mem, &name, &n, e);
    for (bool again = s >= 0 && t->c->trainer.keep > 0; again;) {
        uint64_t oldest = UINT64_MAX, step, count = 0;
        for (size_t i = 0; i < n; i++)
            if (meta_step(name[i], &step)) {
                char path[CHECKPOINT_PATH];
                if (in_folder(t, name[i], path, NULL) < 0 || os_path_kind(path) != OS_FILE)
                    continue;
                count++;
                if (step < oldest) oldest = step;
            }
        again = count > t->c->trainer.keep;
        if (again) remove_checkpoint(t, oldest);
    }
    arena_free(&mem);
    return s;
}

status checkpoint_save(const trainer *t, bool final, char path[CHECKPOINT_PATH], err *e) {
    char weights[256], optimizer[80], other[CHECKPOINT_PATH];
    buf config = BUF_INIT;
    TRY(os_make_folder(t->c->trainer.folder, e));
    weights_name(t, final, weights);
    TRY(in_folder(t, "config.json", other, e));
    write_config(&t->c->model, &config);
    TRY(write_text(other, &config, e));
    TRY(in_folder(t, weights, path, e));
    TRY(write_tensors(t, path, false, e));
    if (final) return RZ_OK;
    snprintf(optimizer, sizeof optimizer, META_BEGIN "%llu.optimizer", (unsigned long long)t->step);
    TRY(in_folder(t, optimizer, other, e));
    TRY(write_tensors(t, other, true, e));
    TRY(write_meta(t, weights, optimizer, e));
    return prune(t, e);
}

/* ---- Reading ---- */

/* Every key that differs, with both values. */
static status check_identity(const trainer *t, const meta *m, err *e) {
    buf now = BUF_INIT, why = BUF_INIT;
    arena mem = ARENA_INIT;
    json *ours = NULL;
    write_identity(t, &now);
    status s = now.failed ? err_set(e, RZ_ENOMEM, "checkpoint: out of memory")
                          : json_parse(&ours, buf_view(&now), &mem, e);
    const json *theirs = json_get(m->root, "must_match");
    for (const json *v = s >= 0 ? ours->child : NULL; v; v = v->next) {
        buf a = BUF_INIT, b = BUF_INIT;
        char key[64];
        snprintf(key, sizeof key, "%.*s", STR_FMT(v->key));
        const json *was = json_get(theirs, key);
        json_write(&a, v);
        if (was) json_write(&b, was);
        if (!str_eq(buf_view(&a), buf_view(&b)))
            buf_printf(&why, "%s%s %.40s, was %.40s", why.len ? "; " : "", key, buf_cstr(&a),
                       was ? buf_cstr(&b) : "not there");
        buf_free(&a);
        buf_free(&b);
    }
    if (s >= 0 && why.len)
        s = err_set(e, RZ_EINVAL, "the checkpoint is of another configuration: %.400s",
                    buf_cstr(&why));
    const json *hash = json_get(m->root, "data_file_hash");
    if (s >= 0 && (!hash || hash->kind != JSON_STRING || !str_is(hash->text, t->digest)))
        s = err_set(e, RZ_EINVAL, "the checkpoint is of other data than %.300s",
                    *t->data_path ? t->data_path : "random tokens");
    buf_free(&now);
    buf_free(&why);
    arena_free(&mem);
    return s;
}

static status take_all(const tensor_file *f, const net *n, const char *prefix, real *x, err *e) {
    for (size_t i = 0; i < n->n_param; i++) {
        const param *p = &n->param[i];
        char name[128];
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        const tensor_info *t = tensor_file_find(f, str_of(name));
        if (!t) return err_set(e, RZ_EFORMAT, "%.300s: no tensor %s", f->path, name);
        if (t->type != QUANT_F32 || t->n != p->n)
            return err_set(e, RZ_EFORMAT, "%.300s: %s has %llu values, expected %zu of F32",
                           f->path, name, (unsigned long long)t->n, p->n);
        memcpy(x + p->at, t->data, p->n * sizeof *x);
    }
    return RZ_OK;
}

static status read_tensors(trainer *t, const char *path, bool optimizer, err *e) {
    tensor_file *f = NULL;
    status s = RZ_OK;
    TRY(tensor_file_open(&f, path, e));
    if (!optimizer) s = take_all(f, t->n, "", t->n->w, e);
    else {
        s = take_all(f, t->n, "m.", t->m, e);
        if (s >= 0) s = take_all(f, t->n, "v.", t->v, e);
    }
    tensor_file_close(f);
    return s;
}

/* The path of the latest meta file; empty when there is none. */
static status find_latest(const trainer *t, char out[CHECKPOINT_PATH], err *e) {
    const char *const *name;
    size_t n = 0;
    uint64_t best = 0, step;
    arena mem = ARENA_INIT;
    status s = RZ_OK;
    out[0] = 0;
    if (os_path_kind(t->c->trainer.folder) == OS_NOTHING) return RZ_OK;
    s = os_list_folder(t->c->trainer.folder, &mem, &name, &n, e);
    for (size_t i = 0; s >= 0 && i < n; i++)
        if (meta_step(name[i], &step) && step >= best) {
            best = step;
            s = in_folder(t, name[i], out, e);
        }
    arena_free(&mem);
    return s;
}

/* The meta file that belongs to a file of weights "..._step_N.safetensors" of the folder. */
static status find_given(const trainer *t, const char *from, char out[CHECKPOINT_PATH], err *e) {
    const char *base = strrchr(from, '/'), *at = NULL;
    char name[80];
    uint64_t step = 0;
    base = base ? base + 1 : from;
    if (!meta_step(base, &step)) {
        for (const char *p = base; (p = strstr(p, "_step_")); p++) at = p + 6;
        str digits = {at, at ? strspn(at, "0123456789") : 0};
        if (!at || !str_u64(digits, &step))
            return err_set(e, RZ_EINVAL,
                           "--resume %.300s: expected auto, NAME_step_N.safetensors or "
                           "checkpoint_step_N.meta.json",
                           from);
    }
    snprintf(name, sizeof name, META_BEGIN "%llu" META_END, (unsigned long long)step);
    return in_folder(t, name, out, e);
}

static status load(trainer *t, const meta *m, err *e) {
    char path[CHECKPOINT_PATH];
    int64_t step = 0;
    TRY(check_identity(t, m, e));
    if (!json_int(json_get(m->root, "step"), 1, INT64_MAX / 2, &step))
        return err_set(e, RZ_EFORMAT, "checkpoint: its meta file has no good step");
    TRY(named(t, m, "checkpoint_file", path, e));
    TRY(read_tensors(t, path, false, e));
    TRY(named(t, m, "optimizer_file", path, e));
    TRY(read_tensors(t, path, true, e));
    t->step = (uint64_t)step;
    return RZ_OK;
}

status checkpoint_load(trainer *t, const char *from, err *e) {
    char path[CHECKPOINT_PATH];
    meta m;
    TRY(strcmp(from, "auto") == 0 ? find_latest(t, path, e) : find_given(t, from, path, e));
    if (!*path) return RZ_OK;
    TRY(meta_open(&m, path, e));
    const status s = load(t, &m, e);
    meta_close(&m);
    return s;
}
