/* train_config.c - keys are rows of two tables; what a single value may be is in the row, what
 * values must be together is in the checks below. */
#include "train/train_config.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "base/os.h"
#include "json/yaml.h"

typedef enum key_kind {
    KEY_COUNT,
    KEY_U64,
    KEY_REAL,
    KEY_BOOL,
    KEY_TEXT,
    KEY_WORD,
    KEY_SKIP
} key_kind;

typedef struct key {
    const char *name;
    key_kind kind;
    bool needed;
    size_t at, size;  /* in the struct; of KEY_TEXT */
    double min, max;  /* of numbers */
    const char *word; /* of KEY_WORD "a|b": its position is stored in an int */
} key;

#define M(name, kind, need, member, min, max) \
    { #name, KEY_##kind, need, offsetof(train_model, member), 0, min, max, NULL }
#define T(name, kind, need, member, min, max) \
    { #name, KEY_##kind, need, offsetof(trainer_config, member), 0, min, max, NULL }
#define BIG 1048576
/* clang-format off */
static const key model_keys[] = {
    {"name", KEY_TEXT, false, offsetof(train_model, name), TRAIN_MAX_NAME, 0, 0, NULL},
    M(hidden_size, COUNT, true, hidden, 1, BIG),
    M(num_layers, COUNT, true, layers, 1, TRAIN_MAX_LAYERS),
    M(num_heads, COUNT, true, heads, 1, 65536),
    M(kv_heads, COUNT, false, kv_heads, 1, 65536),
    M(kv_latent_dim, COUNT, false, kv_latent, 1, BIG),
    M(q_latent_dim, COUNT, false, q_latent, 1, BIG),
    M(d_rope, COUNT, false, d_rope, 2, 65536),
    M(num_experts, COUNT, false, experts, 1, 4096),
    M(experts_per_tok, COUNT, false, experts_used, 1, 4096),
    {"shared_expert_enabled", KEY_SKIP, false, 0, 0, 0, 0, NULL}, /* there always is one */
    M(intermediate_size, COUNT, false, ffn, 1, BIG),
    {"mamba_layers", KEY_SKIP, false, 0, 0, 0, 0, NULL}, /* read_layers */
    M(mamba2_num_heads, COUNT, false, m2_heads, 1, 65536),
    M(mamba2_head_dim, COUNT, false, m2_head_dim, 1, 65536),
    M(mamba2_state_size, COUNT, false, m2_state, 1, 65536),
    M(mamba2_chunk_size, COUNT, false, m2_chunk, 1, BIG),
    M(mamba2_n_groups, COUNT, false, m2_groups, 1, 65536),
    M(mamba2_conv_kernel, COUNT, false, m2_conv, 1, 64),
    M(mamba2_expand, COUNT, false, m2_expand, 1, 64),
    M(mamba3_enabled, BOOL, false, m3, 0, 0),
    M(mamba3_complex_rope, BOOL, false, m3_rotate, 0, 0),
    M(mamba3_mimo_rank, COUNT, false, m3_rank, 0, 1024),
    M(mamba3_use_conv, BOOL, false, m3_conv, 0, 0),
    M(vocab_size, COUNT, true, vocab, 2, 1 << 24),
    M(max_seq_len, COUNT, true, seq, 1, 1 << 24),
    M(rope_theta, REAL, true, theta, 1.5, 1e30),
    M(tie_word_embeddings, BOOL, false, tied, 0, 0),
    {"dtype", KEY_TEXT, false, offsetof(train_model, dtype), sizeof((train_model *)0)->dtype, 0, 0,
     NULL},
};
static const key trainer_keys[] = {
    T(learning_rate, REAL, true, rate, 0, 1e3),
    T(min_learning_rate, REAL, false, min_rate, 0, 1e3),
    T(warmup_steps, U64, false, warmup, 0, 1e12),
    {"schedule", KEY_WORD, false, offsetof(trainer_config, schedule), 0, 0, 0,
     "constant|linear|cosine"},
    T(batch_size, COUNT, true, batch, 1, 65536),
    T(max_steps, U64, true, max_steps, 0, 1e12),
    T(num_epochs, COUNT, true, epochs, 1, 1e6),
    T(gradient_accumulation, COUNT, true, accum, 1, 65536),
    {"checkpoint_dir", KEY_TEXT, true, offsetof(trainer_config, folder), TRAIN_MAX_PATH, 0, 0,
     NULL},
    T(log_interval, COUNT, true, log_every, 1, 1e9),
    T(save_interval, COUNT, true, save_every, 0, 1e9),
    T(max_checkpoints, COUNT, false, keep, 0, 1e9),
    T(validation_interval, COUNT, false, validate_every, 0, 1e9),
    T(validation_fraction, REAL, false, validation, 0, 0.5),
    T(load_balance_alpha, REAL, false, balance, 0, 1e6),
    T(weight_decay, REAL, false, decay, 0, 1e3),
    T(adam_beta1, REAL, false, b1, 0, 0.999999),
    T(adam_beta2, REAL, false, b2, 0, 0.999999),
    T(adam_epsilon, REAL, false, eps, 1e-20, 1),
    T(max_grad_norm, REAL, false, clip, 0, 1e30),
    T(seed, U64, false, seed, 0, 9e15),
    T(shuffle, BOOL, false, shuffle, 0, 0),
    T(document_end, U64, false, document_end, 0, 4294967295.0),
    /* There is one device; the original does not use the last two either. */
    {"target_device", KEY_SKIP, false, 0, 0, 0, 0, NULL},
    {"distributed", KEY_SKIP, false, 0, 0, 0, 0, NULL},
    {"group_size", KEY_SKIP, false, 0, 0, 0, 0, NULL},
    {"beta_kl", KEY_SKIP, false, 0, 0, 0, 0, NULL},
};
/* clang-format on */
#undef M
#undef T
enum {
    MODEL_KEYS = sizeof model_keys / sizeof *model_keys,
    TRAINER_KEYS = sizeof trainer_keys / sizeof *trainer_keys
};

typedef struct reader {
    const char *path, *section;
    err *e;
} reader;

static void describe(const json *v, char out[96]) {
    if (v->kind == JSON_STRING || v->kind == JSON_NUMBER)
        snprintf(out, 96, "%.*s", (int)(v->text.len < 60 ? v->text.len : 60), v->text.p);
    else if (v->kind == JSON_BOOL) snprintf(out, 96, "%s", v->truth ? "true" : "false");
    else snprintf(out, 96, "%s", json_kind_name(v->kind));
}

static status wrong(const reader *r, const key *k, const json *v, const char *expected) {
    char found[96];
    describe(v, found);
    return err_set(r->e, RZ_EINVAL, "%.200s: %s.%s is %s, expected %s", r->path, r->section,
                   k->name, found, expected);
}

static status read_word(const reader *r, const key *k, const json *v, int *out) {
    str rest = str_of(k->word);
    for (int i = 0; rest.p; i++)
        if (v->kind == JSON_STRING && str_eq(str_split(&rest, '|'), v->text)) {
            *out = i;
            return RZ_OK;
        } else if (v->kind != JSON_STRING) break;
    return wrong(r, k, v, k->word);
}

static status read_value(const reader *r, const key *k, const json *v, void *to) {
    char range[96];
    snprintf(range, sizeof range, "%s%.10g to %.10g",
             k->kind == KEY_REAL ? "a number from " : "a whole number from ", k->min, k->max);
    switch (k->kind) {
        case KEY_SKIP:
            return RZ_OK;
        case KEY_WORD:
            return read_word(r, k, v, to);
        case KEY_BOOL:
            if (v->kind != JSON_BOOL) return wrong(r, k, v, "true or false");
            *(bool *)to = v->truth;
            return RZ_OK;
        case KEY_TEXT:
            if (v->kind != JSON_STRING || v->text.len == 0 || v->text.len >= k->size ||
                memchr(v->text.p, 0, v->text.len))
                return wrong(r, k, v, "a text that is not too long");
            memcpy(to, v->text.p, v->text.len);
            ((char *)to)[v->text.len] = 0;
            return RZ_OK;
        case KEY_REAL:
            if (v->kind != JSON_NUMBER || !(v->number >= k->min && v->number <= k->max))
                return wrong(r, k, v, range);
            *(double *)to = v->number;
            return RZ_OK;
        default:
            break;
    }
    int64_t n;
    if (!json_int(v, (int64_t)k->min, (int64_t)k->max, &n)) return wrong(r, k, v, range);
    if (k->kind == KEY_COUNT) *(uint32_t *)to = (uint32_t)n;
    else *(uint64_t *)to = (uint64_t)n;
    return RZ_OK;
}

static status unknown_key(const reader *r, str name, const key *keys, size_t n) {
    const char *names[MODEL_KEYS + TRAINER_KEYS];
    char word[64];
    for (size_t i = 0; i < n; i++) names[i] = keys[i].name;
    snprintf(word, sizeof word, "%.*s", (int)(name.len < 60 ? name.len : 60), name.p);
    const char *near = nearest_name(word, names, n);
    return err_set(r->e, RZ_EINVAL, "%.200s: %s.%s: no such key%s%s%s", r->path, r->section, word,
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static status read_section(const reader *r, const json *v, const key *keys, size_t n, void *out) {
    bool seen[MODEL_KEYS + TRAINER_KEYS] = {false};
    for (const json *m = v->child; m; m = m->next) {
        size_t i = 0;
        while (i < n && !str_is(m->key, keys[i].name)) i++;
        if (i == n) return unknown_key(r, m->key, keys, n);
        if (m->kind == JSON_NULL) continue; /* as if it were not there */
        TRY(read_value(r, &keys[i], m, (char *)out + keys[i].at));
        seen[i] = true;
    }
    for (size_t i = 0; i < n; i++)
        if (keys[i].needed && !seen[i])
            return err_set(r->e, RZ_EINVAL, "%.200s: %s.%s is missing", r->path, r->section,
                           keys[i].name);
    return RZ_OK;
}

/* ---- Layers ---- */

static status read_layers(const reader *r, const json *model, train_model *m) {
    const json *list = json_get(model, "mamba_layers");
    const bool listed = list && list->kind != JSON_NULL;
    const layer_kind recurrent = m->m2_heads ? (m->m3 ? LAYER_MAMBA3 : LAYER_MAMBA2) : LAYER_MAMBA1;
    const layer_kind other = m->kv_latent ? LAYER_MLA : LAYER_GQA;
    const bool all = !listed && (m->m2_heads || m->m3);
    for (uint32_t i = 0; i < m->layers; i++) m->kind[i] = (uint8_t)(all ? recurrent : other);
    if (!listed) return RZ_OK;
    if (list->kind != JSON_ARRAY)
        return err_set(r->e, RZ_EINVAL, "%.200s: model.mamba_layers is %s, expected a list",
                       r->path, json_kind_name(list->kind));
    for (const json *v = list->child; v; v = v->next) {
        int64_t i;
        char found[96];
        describe(v, found);
        if (!json_int(v, 0, (int64_t)m->layers - 1, &i))
            return err_set(r->e, RZ_EINVAL,
                           "%.200s: model.mamba_layers has %s, expected layers below num_layers %u",
                           r->path, found, m->layers);
        m->kind[i] = (uint8_t)recurrent;
    }
    return RZ_OK;
}

static bool has_kind(const train_model *m, layer_kind kind) {
    for (uint32_t i = 0; i < m->layers; i++)
        if (m->kind[i] == kind) return true;
    return false;
}

/* ---- What values must be together ---- */

#define REFUSE(...) return err_set(e, RZ_EINVAL, __VA_ARGS__)

static status check_attention(const train_model *m, const char *path, err *e) {
    const uint32_t K = m->hidden / m->heads;
    if (m->hidden % m->heads)
        REFUSE("%.200s: hidden_size %u is no multiple of num_heads %u", path, m->hidden, m->heads);
    if (m->kv_heads > m->heads || m->heads % m->kv_heads)
        REFUSE("%.200s: num_heads %u is no multiple of kv_heads %u", path, m->heads, m->kv_heads);
    if (has_kind(m, LAYER_GQA) && K % 2)
        REFUSE("%.200s: hidden_size %u by num_heads %u makes heads of %u, expected an even number",
               path, m->hidden, m->heads, K);
    if (!has_kind(m, LAYER_MLA)) return RZ_OK;
    if (m->q_latent == 0 || m->d_rope == 0)
        REFUSE("%.200s: kv_latent_dim %u without %s", path, m->kv_latent,
               m->q_latent ? "d_rope" : "q_latent_dim");
    if (m->d_rope % 2) REFUSE("%.200s: d_rope is %u, expected an even number", path, m->d_rope);
    if (m->experts_used > m->experts)
        REFUSE("%.200s: experts_per_tok %u is more than num_experts %u", path, m->experts_used,
               m->experts);
    return RZ_OK;
}

static status check_mamba(const train_model *m, const char *path, err *e) {
    const uint32_t *const value[] = {&m->m2_head_dim, &m->m2_state, &m->m2_groups, &m->m2_expand};
    static const char *const name[] = {"head_dim", "state_size", "n_groups", "expand"};
    if (m->m3 && m->m2_heads == 0)
        REFUSE("%.200s: mamba3_enabled without mamba2_num_heads, head_dim and state_size", path);
    if (!has_kind(m, LAYER_MAMBA2) && !has_kind(m, LAYER_MAMBA3)) return RZ_OK;
    for (size_t i = 0; i < sizeof value / sizeof *value; i++)
        if (*value[i] == 0)
            REFUSE("%.200s: mamba2_num_heads %u without mamba2_%s", path, m->m2_heads, name[i]);
    const uint64_t inner = (uint64_t)m->hidden * m->m2_expand;
    if (inner != (uint64_t)m->m2_heads * m->m2_head_dim)
        REFUSE(
            "%.200s: hidden_size %u by mamba2_expand %u is %llu, but mamba2_num_heads %u by "
            "mamba2_head_dim %u is %llu",
            path, m->hidden, m->m2_expand, (unsigned long long)inner, m->m2_heads, m->m2_head_dim,
            (unsigned long long)m->m2_heads * m->m2_head_dim);
    if (m->m2_heads % m->m2_groups)
        REFUSE("%.200s: mamba2_num_heads %u is no multiple of mamba2_n_groups %u", path,
               m->m2_heads, m->m2_groups);
    if (m->m3 && m->m3_rotate && m->m2_state % 2)
        REFUSE("%.200s: mamba2_state_size %u is odd, but mamba3_complex_rope turns pairs", path,
               m->m2_state);
    return RZ_OK;
}

status train_config_check(const train_config *c, const char *path, err *e) {
    const train_model *m = &c->model;
    const trainer_config *t = &c->trainer;
    TRY(check_attention(m, path, e));
    TRY(check_mamba(m, path, e));
    if (strcmp(m->dtype, "f32") != 0 && strcmp(m->dtype, "bf16") != 0 &&
        strcmp(m->dtype, "f16") != 0)
        REFUSE("%.200s: dtype is %s, expected f32, f16 or bf16", path, m->dtype);
    if (strchr(m->name, '/'))
        REFUSE("%.200s: name is %s, expected no slash: it begins file names", path, m->name);
    if (t->min_rate > t->rate)
        REFUSE("%.200s: min_learning_rate %g is above learning_rate %g", path, t->min_rate,
               t->rate);
    if (t->document_end >= (int64_t)m->vocab)
        REFUSE("%.200s: document_end %lld is not below vocab_size %u", path,
               (long long)t->document_end, m->vocab);
    return RZ_OK;
}

/* ---- Files ---- */

static const train_config defaults = {
    .model = {.name = "model",
              .dtype = "f32",
              .m2_conv = 4,
              .m2_chunk = 256,
              .m2_groups = 1,
              .m2_expand = 2,
              .m3_rotate = true},
    .trainer = {.keep = 10,
                .decay = 0.01,
                .b1 = 0.9,
                .b2 = 0.999,
                .eps = 1e-8,
                .clip = 1,
                .seed = 42,
                .document_end = -1,
                .shuffle = true},
};

static status read_tree(train_config *c, const char *path, const json *root, err *e) {
    const reader rm = {path, "model", e}, rt = {path, "trainer", e};
    static const char *const section[] = {"model", "trainer"};
    for (const json *v = root->kind == JSON_OBJECT ? root->child : NULL; v; v = v->next)
        if (!str_is(v->key, "model") && !str_is(v->key, "trainer"))
            return err_set(e, RZ_EINVAL,
                           "%.200s: %.*s: no such section, expected model and trainer", path,
                           STR_FMT(v->key));
    for (int i = 0; i < 2; i++) {
        const json *v = json_get(root, section[i]);
        if (!v || v->kind != JSON_OBJECT)
            return err_set(e, RZ_EINVAL, "%.200s: no section %s", path, section[i]);
    }
    const json *model = json_get(root, "model");
    TRY(read_section(&rm, model, model_keys, MODEL_KEYS, &c->model));
    TRY(read_section(&rt, json_get(root, "trainer"), trainer_keys, TRAINER_KEYS, &c->trainer));
    if (c->model.kv_heads == 0) c->model.kv_heads = c->model.heads;
    if (c->model.experts && c->model.experts_used == 0)
        c->model.experts_used = c->model.experts < 2 ? c->model.experts : 2;
    if (c->model.experts && c->model.ffn == 0)
        return err_set(e, RZ_EINVAL, "%.200s: num_experts %u without intermediate_size", path,
                       c->model.experts);
    if (c->model.ffn == 0) c->model.ffn = 4 * c->model.hidden;
    TRY(read_layers(&rm, model, &c->model));
    return train_config_check(c, path, e);
}

status train_config_parse(train_config *out, const char *path, str text, err *e) {
    train_config *c = mem_alloc(sizeof *c);
    arena mem = ARENA_INIT;
    json *root = NULL;
    err why = {0};
    if (!c) return err_set(e, RZ_ENOMEM, "%.200s: out of memory", path);
    *c = defaults;
    status s = yaml_parse(&root, text, &mem, &why);
    if (s < 0) err_set(e, s, "%.200s: %.250s", path, why.text);
    else s = read_tree(c, path, root, e);
    if (s >= 0) *out = *c;
    arena_free(&mem);
    mem_free(c);
    return s;
}

status train_config_load(train_config *out, const char *path, err *e) {
    char *text = NULL;
    size_t len = 0;
    TRY(os_read_file(path, 1 << 20, &text, &len, e));
    const status s = train_config_parse(out, path, (str){text, len}, e);
    mem_free(text);
    return s;
}

/* ---- Size ---- */

static uint64_t layer_weights(const train_model *m, layer_kind kind) {
    const uint64_t d = m->hidden, D = d * m->m2_expand, N = m->m2_state, H = m->m2_heads;
    const uint64_t gn = (uint64_t)m->m2_groups * N, wide = D + 2 * gn, P = m->m2_head_dim;
    const uint64_t ffn = 3 * (uint64_t)m->ffn * d, di = 2 * d;
    switch (kind) {
        case LAYER_MAMBA1:
            return d + 2 * di * d + di * 4 + di + (di + 32) * di + di * di + di + di * 16 + di +
                   d * di;
        case LAYER_MAMBA2:
            return 2 * d + (D + wide + H) * (d + 1) + wide * (m->m2_conv + 1) + 3 * H + D +
                   d * (D + 1);
        case LAYER_MAMBA3:
            return 2 * d + (D + wide + H) * (d + 1) + d * (D + 1) + H * (d + 1) +
                   (m->m3_rotate ? H * N / 2 * (d + 1) : 0) + 2 * H * N + 3 * H + N + D +
                   (m->m3_conv ? wide * (m->m2_conv + 1) : 0) +
                   (m->m3_rank ? 2 * P * P * m->m3_rank + P * m->m3_rank + P : 0);
        case LAYER_MLA: {
            const uint64_t latent = (uint64_t)m->kv_latent * d + (uint64_t)m->q_latent * d +
                                    d * m->q_latent + 2 * d * m->kv_latent +
                                    (uint64_t)m->heads * m->d_rope * d + (uint64_t)m->d_rope * d +
                                    d * d;
            return 2 * d + latent + (m->experts ? m->experts * d + (m->experts + 1) * ffn : ffn);
        }
        default:
            return 2 * d + 2 * d * d + 2 * d / m->heads * m->kv_heads * d + ffn;
    }
}

uint64_t train_model_weights(const train_model *m) {
    uint64_t n = (m->tied ? 1 : 2) * (uint64_t)m->vocab * m->hidden + m->hidden;
    for (uint32_t i = 0; i < m->layers; i++) n += layer_weights(m, (layer_kind)m->kind[i]);
    return n;
}
