/* config.c - metadata to numbers, with every number checked before anybody multiplies by it. */
#include "model/config.h"

#include <math.h>
#include <stdio.h>

#include "kernels/ops_latent.h"
#include "kernels/ops_ssm.h"
#include "kernels/ops_ssm3.h"

enum {
    MAX_LAYERS = 4096,
    MAX_WIDTH = 1 << 20,
    MAX_HEADS = 1 << 16,
    MAX_HEAD_SIZE = 4096,
    MAX_CONTEXT = 1 << 28
};

/* ---- One key ---- */

/* "rope_scaling.factor" inside the configuration, or NULL. */
static const json *follow(const json *at, str path) {
    while (at && path.p) {
        const str name = str_split(&path, '.');
        const json *child = at->kind == JSON_OBJECT ? at->child : NULL;
        while (child && !str_eq(child->key, name)) child = child->next;
        at = child;
    }
    return at && at->kind != JSON_NULL ? at : NULL;
}

static const json *find_json(const tensor_file *f, const char *spellings, str *found) {
    str rest = str_of(spellings);
    while (rest.p) {
        *found = str_split(&rest, '|');
        const json *v = follow(f->config, *found);
        if (v) return v;
    }
    return NULL;
}

static status wrong_json(const tensor_file *f, str name, const json *v, const char *want, err *e) {
    return err_set(e, RZ_EFORMAT, "%s: config.json: %.*s is %s %.*s, expected %s", f->path,
                   STR_FMT(name), json_kind_name(v->kind), STR_FMT(v->text), want);
}

static status read_json(const tensor_file *f, const config_key *k, void *to, bool *have, err *e) {
    str name;
    int64_t whole;
    const json *v = k->json ? find_json(f, k->json, &name) : NULL;
    *have = v != NULL;
    if (!v) return RZ_OK;
    switch (k->kind) {
        case KEY_U32:
        case KEY_U32_MOST:
            if (!json_int(v, 0, UINT32_MAX, &whole))
                return wrong_json(f, name, v, "a number of 0 or more", e);
            *(uint32_t *)to = (uint32_t)whole;
            break;
        case KEY_F32:
            if (v->kind != JSON_NUMBER) return wrong_json(f, name, v, "a number", e);
            *(float *)to = (float)v->number;
            break;
        case KEY_BOOL:
            if (v->kind != JSON_BOOL) return wrong_json(f, name, v, "true or false", e);
            *(bool *)to = v->truth;
            break;
    }
    return RZ_OK;
}

/* A list, and every number in it is one. */
static status read_most(const tensor_file *f, const char *key, uint32_t *to, err *e) {
    const meta_value *v = tensor_file_meta(f, key);
    if (!v || v->type != META_ARRAY) return meta_u32(f, key, to, e);
    *to = 0;
    for (uint64_t i = 0; i < v->a.n; i++) {
        int64_t n = -1;
        if (!meta_array_i64(v, i, &n) || n < 0 || n > UINT32_MAX)
            return err_set(e, RZ_EFORMAT, "%s: key %s: element %llu is no number of 0 or more",
                           f->path, key, (unsigned long long)i);
        if (n > *to) *to = (uint32_t)n;
    }
    return RZ_OK;
}

bool config_layer_u32(const tensor_file *f, str arch, const char *gguf, uint32_t layer,
                      uint32_t *out) {
    char key[256];
    int64_t n;
    snprintf(key, sizeof key, "%.*s.%s", STR_FMT(arch), gguf);
    const meta_value *v = tensor_file_meta(f, key);
    if (!v) return false;
    if (v->type != META_ARRAY) return meta_u32(f, key, out, NULL) >= 0;
    if (!meta_array_i64(v, layer, &n) || n < 0 || n > UINT32_MAX) return false;
    *out = (uint32_t)n;
    return true;
}

static status read_gguf(const tensor_file *f, str arch, const config_key *k, void *to, bool *have,
                        err *e) {
    char key[256];
    *have = false;
    if (!k->gguf) return RZ_OK;
    snprintf(key, sizeof key, "%.*s.%s", STR_FMT(arch), k->gguf);
    *have = tensor_file_meta(f, key) != NULL;
    switch (k->kind) {
        case KEY_U32:
            return meta_u32(f, key, to, e);
        case KEY_F32:
            return meta_f32(f, key, to, e);
        case KEY_BOOL:
            return meta_bool(f, key, to, e);
        case KEY_U32_MOST:
            return read_most(f, key, to, e);
    }
    return RZ_OK;
}

static status read_key(const tensor_file *f, str arch, const config_key *k, void *to, err *e) {
    bool have;
    if (f->config) {
        TRY(read_json(f, k, to, &have, e));
        if (have || !k->need) return RZ_OK;
        return err_set(e, RZ_EFORMAT, "%s: config.json: %s is missing", f->path, k->json);
    }
    TRY(read_gguf(f, arch, k, to, &have, e));
    if (have || !k->need) return RZ_OK;
    return err_set(e, RZ_EFORMAT, "%s: key %.*s.%s is missing", f->path, STR_FMT(arch), k->gguf);
}

status config_read(const tensor_file *f, str arch, const config_key *keys, void *into, err *e) {
    for (const config_key *k = keys; k->gguf || k->json; k++)
        TRY(read_key(f, arch, k, (char *)into + k->offset, e));
    return RZ_OK;
}

status config_u32(const tensor_file *f, str arch, const char *gguf, const char *path, uint32_t *out,
                  err *e) {
    return read_key(f, arch, &(config_key){gguf, path, KEY_U32, false, 0}, out, e);
}

status config_f32(const tensor_file *f, str arch, const char *gguf, const char *path, float *out,
                  err *e) {
    return read_key(f, arch, &(config_key){gguf, path, KEY_F32, false, 0}, out, e);
}

status config_bool(const tensor_file *f, str arch, const char *gguf, const char *path, bool *out,
                   err *e) {
    return read_key(f, arch, &(config_key){gguf, path, KEY_BOOL, false, 0}, out, e);
}

status config_str(const tensor_file *f, str arch, const char *gguf, const char *path, str *out,
                  err *e) {
    if (f->config) {
        str name;
        const json *v = path ? find_json(f, path, &name) : NULL;
        if (v && v->kind != JSON_STRING) return wrong_json(f, name, v, "a string", e);
        if (v) *out = v->text;
        return RZ_OK;
    }
    char key[256];
    snprintf(key, sizeof key, "%.*s.%s", STR_FMT(arch), gguf);
    return meta_str(f, key, out, e);
}

/* ---- Rotary positions ---- */

typedef struct rope_scaling {
    float factor, mscale, mscale_all, attn_factor, beta_fast, beta_slow, low, high, legacy_factor;
    bool whole;        /* YaRN's ramp begins and ends at whole dims */
    uint32_t original; /* context length the model was first trained on */
} rope_scaling;

#define AT(member) offsetof(rope_scaling, member)
#define BOTH(name) "rope_scaling." name "|rope_parameters." name
static const config_key scaling_keys[] = {
    {"rope.scale_linear", NULL, KEY_F32, false, AT(legacy_factor)},
    {"rope.scaling.factor", BOTH("factor"), KEY_F32, false, AT(factor)},
    {"rope.scaling.attn_factor", BOTH("attention_factor"), KEY_F32, false, AT(attn_factor)},
    {"rope.scaling.yarn_beta_fast", BOTH("beta_fast"), KEY_F32, false, AT(beta_fast)},
    {"rope.scaling.yarn_beta_slow", BOTH("beta_slow"), KEY_F32, false, AT(beta_slow)},
    {"rope.scaling.low_freq_factor", BOTH("low_freq_factor"), KEY_F32, false, AT(low)},
    {"rope.scaling.high_freq_factor", BOTH("high_freq_factor"), KEY_F32, false, AT(high)},
    {NULL, BOTH("mscale"), KEY_F32, false, AT(mscale)},
    {NULL, BOTH("mscale_all_dim"), KEY_F32, false, AT(mscale_all)},
    {NULL, BOTH("truncate"), KEY_BOOL, false, AT(whole)},
    {"rope.scaling.original_context_length", BOTH("original_max_position_embeddings"), KEY_U32,
     false, AT(original)},
    {NULL, NULL, KEY_U32, false, 0},
};
#undef AT

static status read_scaling(rope_scaling *s, str *type, const model_config *c, const tensor_file *f,
                           str arch, err *e) {
    *s = (rope_scaling){.factor = 1,
                        .attn_factor = 1,
                        .beta_fast = 32,
                        .beta_slow = 1,
                        .low = 1,
                        .high = 4,
                        .legacy_factor = 1,
                        .whole = !c->yarn_between,
                        .original = c->C};
    *type = STR_LIT("none");
    TRY(config_read(f, arch, scaling_keys, s, e));
    if (s->legacy_factor > 1) { /* older files know only this one */
        s->factor = s->legacy_factor;
        *type = STR_LIT("linear");
    }
    TRY(config_str(f, arch, "rope.scaling.type",
                   BOTH("rope_type") "|rope_scaling.type|rope_parameters.type", type, e));
    if (str_is(*type, "default")) *type = STR_LIT("none");
    if (s->factor == 0) s->factor = 1; /* some converters write 0 for "none" */
    const float positive[] = {s->factor, s->attn_factor, s->beta_fast, s->beta_slow, s->low};
    bool good = s->original > 0 && s->high > s->low && isfinite(s->high);
    for (size_t i = 0; i < sizeof positive / sizeof *positive; i++)
        good = good && positive[i] > 0 && isfinite(positive[i]);
    if (good) return RZ_OK;
    return err_set(e, RZ_EFORMAT,
                   "%s: %.*s.rope.scaling holds a value that is not positive and finite", f->path,
                   STR_FMT(arch));
}
#undef BOTH

static const double two_pi = 6.283185307179586;

/* YaRN (Peng et al. 2023, arXiv 2309.00071): frequencies that turn often within the original
 * context stay, slow ones are interpolated, a ramp lies between. */
static void scale_yarn(double *inv_freq, uint32_t n_rot, double base, const rope_scaling *s) {
    const double dims_per_ln = n_rot / (2 * log(base)), original = s->original;
    const double fast = (double)s->beta_fast * two_pi, slow = (double)s->beta_slow * two_pi;
    double low = dims_per_ln * log(original / fast), high = dims_per_ln * log(original / slow);
    if (s->whole) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(0, low);
    high = fmin(n_rot - 1.0, high);
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        const double ramp = fmin(1, fmax(0, (i - low) / fmax(0.001, high - low)));
        inv_freq[i] *= (1 - ramp) + ramp / (double)s->factor;
    }
}

/* What YaRN does to cos and sin. config.json may say it whole, or (DeepSeek) as a ratio of two. */
static float yarn_magnitude(const rope_scaling *s, bool is_json) {
    const float ln = s->factor > 1 ? 0.1f * logf(s->factor) : 0;
    if (!is_json) return s->attn_factor * (1 + ln);
    if (s->attn_factor != 1) return s->attn_factor;
    if (s->mscale > 0 && s->mscale_all > 0) return (1 + s->mscale * ln) / (1 + s->mscale_all * ln);
    return 1 + ln;
}

/* Llama 3.1's rule: long wavelengths are divided by factor, short ones kept, smooth in between. */
static void scale_llama3(double *inv_freq, uint32_t n_rot, const rope_scaling *s) {
    const double low = (double)s->low, high = (double)s->high, factor = (double)s->factor;
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        const double turns = s->original * inv_freq[i] / two_pi;
        const double keep = fmin(1, fmax(0, (turns - low) / (high - low)));
        inv_freq[i] *= (1 - keep) / factor + keep;
    }
}

/* rope_freqs.weight, when present, divides each frequency. */
static status apply_factors(double *inv_freq, uint32_t n_rot, const tensor_file *f, err *e) {
    const tensor_info *t = tensor_file_find(f, STR_LIT("rope_freqs.weight"));
    if (!t) return RZ_OK;
    if (t->type != QUANT_F32 || t->n != n_rot / 2)
        return err_set(e, RZ_EFORMAT,
                       "%s: tensor rope_freqs.weight is %s with %llu values, expected F32 with %u",
                       f->path, quant_get(t->type)->name, (unsigned long long)t->n, n_rot / 2);
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        float factor;
        memcpy(&factor, t->data + (size_t)i * sizeof factor, sizeof factor);
        if (!(factor > 0) || !isfinite(factor))
            return err_set(e, RZ_EFORMAT, "%s: rope_freqs.weight[%u] is %g, expected > 0", f->path,
                           i, (double)factor);
        inv_freq[i] /= (double)factor;
    }
    return RZ_OK;
}

status config_plain_rope(rope_config *r, uint32_t n_rot, float base, arena *mem, err *e) {
    double *inv_freq = arena_zero(mem, n_rot / 2, sizeof *inv_freq);
    if (!inv_freq) return err_set(e, RZ_ENOMEM, "rope: out of memory");
    for (uint32_t i = 0; i < n_rot / 2; i++) inv_freq[i] = pow((double)base, -2.0 * i / n_rot);
    *r = (rope_config){.n_rot = n_rot, .inv_freq = inv_freq, .mscale = 1};
    return RZ_OK;
}

status config_read_rope(rope_config *r, const model_config *c, const tensor_file *f, str arch,
                        arena *mem, err *e) {
    const uint32_t n_rot = c->n_rot;
    rope_scaling s;
    str type;
    TRY(read_scaling(&s, &type, c, f, arch, e));
    rope_config made;
    TRY(config_plain_rope(&made, n_rot, c->rope_base, mem, e));
    double *inv_freq = (double *)(uintptr_t)made.inv_freq;
    if (str_is(type, "linear")) {
        for (uint32_t i = 0; i < n_rot / 2; i++) inv_freq[i] /= (double)s.factor;
    } else if (str_is(type, "yarn")) {
        scale_yarn(inv_freq, n_rot, (double)c->rope_base, &s);
        made.mscale = yarn_magnitude(&s, f->config != NULL);
    } else if (str_is(type, "llama3")) {
        scale_llama3(inv_freq, n_rot, &s);
    } else if (!str_is(type, "none")) {
        return err_set(
            e, RZ_EUNSUPPORTED,
            "%s: rope scaling type \"%.*s\" is not supported (none, linear, yarn, llama3)", f->path,
            STR_FMT(type));
    }
    TRY(apply_factors(inv_freq, n_rot, f, e));
    *r = made;
    return RZ_OK;
}

/* ---- Dimensions ---- */

#define AT(member) offsetof(model_config, member)
static const config_key transformer_keys[] = {
    /* GGUF, config.json, kind, needed, where it goes */
    {"block_count", "num_hidden_layers|n_layer|num_layers", KEY_U32, true, AT(L)},
    {"embedding_length", "hidden_size|n_embd|d_model", KEY_U32, true, AT(D)},
    {"attention.head_count", "num_attention_heads|n_head", KEY_U32, true, AT(H)},
    {"attention.head_count_kv", "num_key_value_heads|num_kv_heads", KEY_U32_MOST, false, AT(G)},
    {"attention.key_length", "head_dim", KEY_U32, false, AT(K)},
    {"feed_forward_length", "intermediate_size|n_inner", KEY_U32_MOST, false, AT(F)},
    {"context_length", "max_position_embeddings|n_positions|max_seq_len|seq_length", KEY_U32, false,
     AT(C)},
    {"attention.layer_norm_epsilon", "layer_norm_eps|layer_norm_epsilon|norm_epsilon", KEY_F32,
     false, AT(norm_eps)},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", KEY_F32, false, AT(norm_eps)},
    {"attention.scale", NULL, KEY_F32, false, AT(score_scale)},
    {"attn_logit_softcapping", "attn_logit_softcapping", KEY_F32, false, AT(score_cap)},
    {"final_logit_softcapping", "final_logit_softcapping", KEY_F32, false, AT(logit_cap)},
    {"rope.dimension_count", NULL, KEY_U32, false, AT(n_rot)},
    {NULL, "partial_rotary_factor|rotary_pct|rope_parameters.partial_rotary_factor", KEY_F32, false,
     AT(rotary_share)},
    {"rope.freq_base", "rope_theta|rope_parameters.rope_theta|rotary_emb_base", KEY_F32, false,
     AT(rope_base)},
    {NULL, NULL, KEY_U32, false, 0},
};
#undef AT

static status check_sizes(const model_config *c, const tensor_file *f, err *e) {
    const struct {
        const char *what;
        uint32_t v, max;
    } size[] = {
        {"block_count", c->L, MAX_LAYERS},         {"embedding_length", c->D, MAX_WIDTH},
        {"attention.head_count", c->H, MAX_HEADS}, {"feed_forward_length", c->F, MAX_WIDTH},
        {"context_length", c->C, MAX_CONTEXT},     {"head size", c->K, MAX_HEAD_SIZE},
    };
    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        if (size[i].v < 1 || size[i].v > size[i].max)
            return err_set(e, RZ_EFORMAT, "%s: %s is %u, expected 1 to %u", f->path, size[i].what,
                           size[i].v, size[i].max);
    if (c->G == 0 || c->H % c->G)
        return err_set(e, RZ_EFORMAT,
                       "%s: attention.head_count_kv is %u, expected a divisor of head_count %u",
                       f->path, c->G, c->H);
    if (c->n_rot > c->K || c->n_rot % 2)
        return err_set(e, RZ_EFORMAT, "%s: rope.dimension_count is %u, expected even and <= %u",
                       f->path, c->n_rot, c->K);
    return RZ_OK;
}

static status check_factors(const model_config *c, const tensor_file *f, err *e) {
    const struct {
        const char *what;
        float v, min, max;
    } factor[] = {
        {"layer_norm_rms_epsilon", c->norm_eps, 0, 1},
        {"rope.freq_base", c->rope_base, 1.001f, 1e30f},
        {"attention.scale", c->score_scale, 1e-9f, 1e9f},
        {"attn_logit_softcapping", c->score_cap, 0, 1e9f},
        {"final_logit_softcapping", c->logit_cap, 0, 1e9f},
        {"embedding scale", c->embed_scale, -1e9f, 1e9f},
        {"residual scale", c->residual_scale, -1e9f, 1e9f},
        {"logit scale", c->logit_scale, -1e9f, 1e9f},
    };
    for (size_t i = 0; i < sizeof factor / sizeof *factor; i++)
        if (!(factor[i].v >= factor[i].min) || !(factor[i].v <= factor[i].max))
            return err_set(e, RZ_EFORMAT, "%s: %s is %g, expected %g to %g", f->path,
                           factor[i].what, (double)factor[i].v, (double)factor[i].min,
                           (double)factor[i].max);
    return RZ_OK;
}

status config_read_transformer(model_config *c, const tensor_file *f, str arch, err *e) {
    if (c->norm_eps == 0) c->norm_eps = 1e-5f;
    if (c->rope_base == 0) c->rope_base = 10000.0f;
    if (c->embed_scale == 0) c->embed_scale = 1.0f;
    if (c->residual_scale == 0) c->residual_scale = 1.0f;
    if (c->logit_scale == 0) c->logit_scale = 1.0f;
    const uint32_t not_said = UINT32_MAX;
    c->n_rot = c->G = not_said;
    TRY(config_read(f, arch, transformer_keys, c, e));
    if (c->H && c->K == 0) c->K = c->D / c->H;
    if (c->G == not_said) c->G = c->H;
    if (c->F == 0 && c->D <= MAX_WIDTH) c->F = 4 * c->D; /* GPT-2's and Bloom's rule */
    if (c->C == 0) c->C = 2048;
    if (c->score_scale == 0) c->score_scale = 1.0f / sqrtf((float)c->K);
    if (c->n_rot == not_said) {
        c->n_rot = c->mla.rank ? c->mla.rope : c->K;
        if (c->rotary_share > 0 && c->rotary_share < 1)
            c->n_rot = (uint32_t)((float)c->K * c->rotary_share) / 2 * 2;
    }
    TRY(check_sizes(c, f, e));
    TRY(check_factors(c, f, e));
    uint32_t value_length = c->K;
    TRY(config_u32(f, arch, "attention.value_length", NULL, &value_length, e));
    if (value_length != c->K && !c->mla.rank)
        return err_set(e, RZ_EUNSUPPORTED, "%s: value heads of %u beside key heads of %u", f->path,
                       value_length, c->K);
    return RZ_OK;
}

#define AT(member) offsetof(model_config, member)
static const config_key expert_keys[] = {
    {"expert_count", "num_experts|num_local_experts|n_routed_experts", KEY_U32, true,
     AT(route.n_expert)},
    {"expert_used_count", "num_experts_per_tok|experts_per_tok", KEY_U32, true, AT(route.n_used)},
    {"expert_feed_forward_length", "moe_intermediate_size", KEY_U32, false, AT(F_expert)},
    {"expert_shared_feed_forward_length", "shared_expert_intermediate_size", KEY_U32, false,
     AT(F_shared)},
    {NULL, "decoder_sparse_step", KEY_U32, false, AT(sparse_step)},
    {"expert_group_count", "n_group", KEY_U32, false, AT(route.n_group)},
    {"expert_group_used_count", "topk_group", KEY_U32, false, AT(route.n_group_used)},
    {"expert_weights_scale", "routed_scaling_factor", KEY_F32, false, AT(route.scale)},
    {"expert_weights_norm", "norm_topk_prob", KEY_BOOL, false, AT(route.renormalise)},
    {NULL, NULL, KEY_U32, false, 0},
};
#undef AT

status config_read_experts(model_config *c, const tensor_file *f, str arch, err *e) {
    route_config *r = &c->route;
    c->sparse_step = 1;
    TRY(config_read(f, arch, expert_keys, c, e));
    if (c->sparse_step == 0)
        return err_set(e, RZ_EFORMAT, "%s: decoder_sparse_step is 0, expected 1 or more", f->path);
    if (c->F_expert == 0) c->F_expert = c->F;
    if (r->scale == 0) r->scale = 1;
    return config_check_experts(c, f, e);
}

status config_check_experts(const model_config *c, const tensor_file *f, err *e) {
    const route_config *r = &c->route;
    if (r->n_expert < 1 || r->n_expert > ROUTE_MAX_EXPERTS)
        return err_set(e, RZ_EFORMAT, "%s: expert_count is %u, expected 1 to %d", f->path,
                       r->n_expert, ROUTE_MAX_EXPERTS);
    if (r->n_used < 1 || r->n_used > r->n_expert)
        return err_set(e, RZ_EFORMAT, "%s: expert_used_count is %u, expected 1 to %u", f->path,
                       r->n_used, r->n_expert);
    if (r->n_group > 1 && (r->n_group > ROUTE_MAX_GROUPS || r->n_expert % r->n_group ||
                           r->n_group_used < 1 || r->n_group_used > r->n_group))
        return err_set(e, RZ_EFORMAT, "%s: %u of %u groups do not divide %u experts", f->path,
                       r->n_group_used, r->n_group, r->n_expert);
    if (c->F_expert > MAX_WIDTH || c->F_shared > MAX_WIDTH || !isfinite(r->scale))
        return err_set(e, RZ_EFORMAT, "%s: expert widths %u and %u, expected at most %d", f->path,
                       c->F_expert, c->F_shared, MAX_WIDTH);
    return RZ_OK;
}

#define AT(member) offsetof(mla_config, member)
static const config_key latent_keys[] = {
    {"attention.kv_lora_rank", "kv_lora_rank", KEY_U32, true, AT(rank)},
    {"attention.q_lora_rank", "q_lora_rank", KEY_U32, false, AT(q_rank)},
    {"rope.dimension_count", "qk_rope_head_dim", KEY_U32, true, AT(rope)},
    {NULL, "qk_nope_head_dim", KEY_U32, false, AT(nope)},
    {NULL, "v_head_dim", KEY_U32, false, AT(value)},
    {NULL, NULL, KEY_U32, false, 0},
};
#undef AT

/* GGUF gives the size of a whole head: key_length_mla, in older files key_length. */
static status read_gguf_heads(mla_config *c, const tensor_file *f, str arch, err *e) {
    uint32_t key = 0;
    const char *const names[] = {"attention.key_length", "attention.key_length_mla",
                                 "attention.value_length", "attention.value_length_mla"};
    for (int i = 0; i < 4; i++)
        TRY(config_u32(f, arch, names[i], NULL, i < 2 ? &key : &c->value, e));
    if (key <= c->rope)
        return err_set(e, RZ_EFORMAT, "%s: heads of %u with %u rotated dims", f->path, key,
                       c->rope);
    c->nope = key - c->rope;
    return RZ_OK;
}

status config_read_latent(mla_config *c, const tensor_file *f, str arch, err *e) {
    TRY(config_read(f, arch, latent_keys, c, e));
    if (!f->config) TRY(read_gguf_heads(c, f, arch, e));
    return config_check_latent(c, f, e);
}

status config_check_latent(const mla_config *c, const tensor_file *f, err *e) {
    const struct {
        const char *what;
        uint32_t v, min, max;
    } size[] = {
        {"kv_lora_rank", c->rank, 1, LATENT_MAX},      {"q_lora_rank", c->q_rank, 0, MAX_WIDTH},
        {"rotated head dims", c->rope, 2, LATENT_MAX}, {"value head size", c->value, 1, LATENT_MAX},
        {"other head dims", c->nope, 1, LATENT_MAX},
    };
    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        if (size[i].v < size[i].min || size[i].v > size[i].max)
            return err_set(e, RZ_EFORMAT, "%s: %s is %u, expected %u to %u", f->path, size[i].what,
                           size[i].v, size[i].min, size[i].max);
    if (c->rope % 2 || c->rank + c->rope > LATENT_MAX || c->nope + c->rope > MAX_HEAD_SIZE)
        return err_set(e, RZ_EFORMAT, "%s: a latent of %u with heads of %u and %u rotated dims",
                       f->path, c->rank, c->nope, c->rope);
    return RZ_OK;
}

#define AT(member) offsetof(model_config, member)
static const config_key ssm_keys[] = {
    {"block_count", "num_hidden_layers|n_layer", KEY_U32, true, AT(L)},
    {"embedding_length", "hidden_size|d_model", KEY_U32, true, AT(D)},
    {"context_length", "max_position_embeddings", KEY_U32, false, AT(C)},
    {"attention.layer_norm_rms_epsilon", "layer_norm_epsilon", KEY_F32, false, AT(norm_eps)},
    {"ssm.conv_kernel", "conv_kernel", KEY_U32, false, AT(ssm.conv)},
    {"ssm.inner_size", "intermediate_size", KEY_U32, false, AT(ssm.inner)},
    {"ssm.state_size", "state_size", KEY_U32, true, AT(ssm.state)},
    {"ssm.time_step_rank", "time_step_rank", KEY_U32, false, AT(ssm.rank)},
    {"ssm.group_count", "n_groups", KEY_U32, false, AT(ssm.groups)},
    {NULL, "num_heads", KEY_U32, false, AT(ssm.heads)},
    {NULL, NULL, KEY_U32, false, 0},
};
#undef AT

status config_read_ssm(model_config *c, const tensor_file *f, str arch, err *e) {
    uint32_t expand = 2;
    c->norm_eps = 1e-5f;
    config_plain_scales(c);
    c->C = 1 << 20; /* nothing in the model bounds it */
    c->ssm = (ssm_config){.conv = 4, .groups = 1, .dt_min = 0, .dt_max = INFINITY};
    TRY(config_read(f, arch, ssm_keys, c, e));
    TRY(config_u32(f, arch, "ssm.expand", "expand", &expand, e));
    if (c->ssm.inner == 0 && expand < 64 && c->D <= MAX_WIDTH) c->ssm.inner = expand * c->D;
    c->ssm.norm_groups = c->ssm.groups;
    return config_check_ssm(c, &c->ssm, f, e);
}

#define AT(member) offsetof(ssm_config, member)
static const config_key ssm_part_keys[] = {
    {"ssm.conv_kernel", "mamba_d_conv|conv_kernel", KEY_U32, false, AT(conv)},
    {"ssm.inner_size", NULL, KEY_U32, false, AT(inner)},
    {"ssm.state_size", "mamba_d_state|ssm_state_size", KEY_U32, true, AT(state)},
    {"ssm.group_count", "mamba_n_groups|n_groups", KEY_U32, false, AT(groups)},
    {NULL, "mamba_n_heads|mamba_num_heads", KEY_U32, false, AT(heads)},
    {NULL, NULL, KEY_U32, false, 0},
};
#undef AT

/* "auto" in place of a number is for the family to know. */
static status read_rank(uint32_t *rank, const tensor_file *f, str arch, err *e) {
    const json *said = f->config ? json_get(f->config, "mamba_dt_rank") : NULL;
    if (said && said->kind == JSON_STRING && str_is(said->text, "auto")) return RZ_OK;
    return config_u32(f, arch, "ssm.time_step_rank", "mamba_dt_rank", rank, e);
}

status config_read_ssm_part(model_config *c, const tensor_file *f, str arch, err *e) {
    uint32_t expand = 2;
    c->ssm = (ssm_config){.conv = 4, .groups = 1, .dt_min = 0, .dt_max = INFINITY};
    TRY(config_read(f, arch, ssm_part_keys, &c->ssm, e));
    TRY(read_rank(&c->ssm.rank, f, arch, e));
    TRY(config_u32(f, arch, "ssm.expand", "mamba_expand", &expand, e));
    if (c->ssm.inner == 0 && expand < 64 && c->D <= MAX_WIDTH) c->ssm.inner = expand * c->D;
    c->ssm.norm_groups = c->ssm.groups;
    return RZ_OK;
}

void config_plain_scales(model_config *c) {
    c->embed_scale = c->residual_scale = c->logit_scale = 1;
}

/* A row of a table of sizes. */
typedef struct size_range {
    const char *what;
    uint32_t v, min, max;
} size_range;

static status check_ranges(const size_range *r, size_t n, const tensor_file *f, err *e) {
    for (size_t i = 0; i < n; i++)
        if (r[i].v < r[i].min || r[i].v > r[i].max)
            return err_set(e, RZ_EFORMAT, "%s: %s is %u, expected %u to %u", f->path, r[i].what,
                           r[i].v, r[i].min, r[i].max);
    return RZ_OK;
}

status config_check_depth(const model_config *c, const tensor_file *f, err *e) {
    const size_range size[] = {{"block_count", c->L, 1, MAX_LAYERS},
                               {"embedding_length", c->D, 1, MAX_WIDTH},
                               {"context_length", c->C, 1, MAX_CONTEXT}};
    return check_ranges(size, sizeof size / sizeof *size, f, e);
}

status config_check_ssm(const model_config *c, const ssm_config *s, const tensor_file *f, err *e) {
    const size_range size[] = {{"ssm.inner_size", s->inner, 1, MAX_WIDTH},
                               {"ssm.state_size", s->state, 1, 65536},
                               {"ssm.conv_kernel", s->conv, s->wide ? 0 : 1, CONV_MAX_TAPS},
                               {"ssm.group_count", s->groups, 1, 65536},
                               {"ssm.time_step_rank", s->rank, 0, MAX_WIDTH},
                               {"heads", s->heads, s->wide, MAX_WIDTH}};
    TRY(config_check_depth(c, f, e));
    TRY(check_ranges(size, sizeof size / sizeof *size, f, e));
    const uint64_t wide = s->wide ? s->wide : 1;
    if (s->inner * wide > MAX_WIDTH || s->inner * wide * s->state > 1u << 28 ||
        (uint64_t)s->groups * s->state > MAX_WIDTH)
        return err_set(e, RZ_EFORMAT, "%s: a state of %llu x %u is too large", f->path,
                       (unsigned long long)(s->inner * wide), s->state);
    if (s->heads && (s->inner % s->heads || s->heads % s->groups))
        return err_set(e, RZ_EFORMAT, "%s: %u heads in %u groups do not divide a width of %u",
                       f->path, s->heads, s->groups, s->inner);
    if (s->wide && (s->state > SCAN3_MAX_STATE || s->angles > s->state / 2))
        return err_set(e, RZ_EFORMAT, "%s: a state size of %u with %u angles, expected at most %d",
                       f->path, s->state, s->angles, SCAN3_MAX_STATE);
    return RZ_OK;
}

/* ---- Writing ---- */

/* Where a member has two rows the later one is the newer family's. */
static bool has_later_row(const config_key *k, bool gguf) {
    for (const config_key *n = k + 1; n->gguf || n->json; n++)
        if (n->offset == k->offset && (gguf ? n->gguf : n->json)) return true;
    return false;
}

static bool is_zero(const config_key *k, const void *v) {
    float f = 1;
    uint32_t u = 1;
    if (k->kind == KEY_F32) memcpy(&f, v, sizeof f);
    if (k->kind == KEY_U32) memcpy(&u, v, sizeof u);
    return f == 0 || u == 0;
}

static status write_keys(const config_key *keys, const void *from, bool gguf, const config_sink *to,
                         err *e) {
    for (const config_key *k = keys; k->gguf || k->json; k++) {
        const void *v = (const char *)from + k->offset;
        str rest = str_of(gguf ? k->gguf : k->json);
        if (!rest.p || is_zero(k, v) || has_later_row(k, gguf)) continue;
        const str first = str_split(&rest, '|');
        char name[96];
        snprintf(name, sizeof name, "%.*s", STR_FMT(first));
        TRY(to->number(to->ud, name, k->kind, v, e));
    }
    return RZ_OK;
}

status config_write(const model_config *c, bool gguf, const config_sink *to, err *e) {
    model_config said = *c;
    const uint32_t none = 0;
    if (c->K && said.score_scale == 1.0f / sqrtf((float)c->K)) said.score_scale = 0; /* the usual */
    if (said.ssm.heads) said.ssm.rank = said.ssm.heads; /* GGUF knows them by that name */
    if (said.ssm.inner) {
        TRY(write_keys(ssm_keys, &said, gguf, to, e));
        if (!gguf) return RZ_OK;
        TRY(to->number(to->ud, "attention.head_count", KEY_U32, &none, e));
        return to->number(to->ud, "feed_forward_length", KEY_U32, &none, e);
    }
    TRY(write_keys(transformer_keys, &said, gguf, to, e));
    if (gguf) TRY(to->number(to->ud, "attention.value_length", KEY_U32, &said.K, e));
    if (said.window)
        TRY(to->number(to->ud, gguf ? "attention.sliding_window" : "sliding_window", KEY_U32,
                       &said.window, e));
    return said.route.n_expert ? write_keys(expert_keys, &said, gguf, to, e) : RZ_OK;
}

static float divisor(const tensor_info *t, uint32_t i) {
    float factor;
    memcpy(&factor, t->data + (size_t)i * sizeof factor, sizeof factor);
    return factor;
}

/* Llama 3's parameters from what it divides frequencies by. Only their ratios count, so the lower
 * bound is 1 as everywhere; two frequencies inside the ramp give the others. */
static status find_llama3(rope_scaling *s, const model_config *c, const tensor_file *f, err *e) {
    const tensor_info *t = tensor_file_find(f, STR_LIT("rope_freqs.weight"));
    double most = 1, x[2] = {0, 0}, keep[2] = {0, 0};
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n_rot / 2; i++) most = fmax(most, (double)divisor(t, i));
    for (uint32_t i = 0; most > 1 && i < c->n_rot / 2; i++) {
        const double factor = (double)divisor(t, i);
        if (!(factor > 0)) continue;
        const double k = (1 / factor - 1 / most) / (1 - 1 / most);
        if (!(k > 1e-4 && k < 1 - 1e-4)) continue;
        const uint32_t at = n++ ? 1 : 0;
        x[at] = pow((double)c->rope_base, -2.0 * i / c->n_rot) / two_pi;
        keep[at] = k;
    }
    *s = (rope_scaling){.factor = (float)most, .low = 1, .high = 4, .original = 8192};
    if (n == 0) return RZ_OK;
    double high = 4, original = x[0] > 0 ? (keep[0] * 3 + 1) / x[0] : 0;
    if (n > 1) {
        const double run = x[0] - x[1], rise = keep[0] - keep[1];
        const double slope = run > 0 ? rise / run : 0, down = slope * x[0] - keep[0];
        high = down > 0 ? 1 + 1 / down : 0;
        original = down > 0 ? slope / down : 0;
    }
    if (!(original >= 1 && original < 1e9))
        return err_set(e, RZ_EUNSUPPORTED,
                       "%s: rope_freqs.weight follows no rule that config.json can say", f->path);
    s->high = (float)(fabs(high - round(high)) < 0.01 ? round(high) : high);
    s->original = (uint32_t)lround(original);
    return RZ_OK;
}

status config_rope_type(const model_config *c, const tensor_file *f, str arch, str *type, err *e) {
    rope_scaling s;
    return read_scaling(&s, type, c, f, arch, e);
}

status config_write_rope(const model_config *c, const tensor_file *f, str arch, bool gguf,
                         const config_sink *to, err *e) {
    rope_scaling s;
    str type;
    TRY(read_scaling(&s, &type, c, f, arch, e));
    if (gguf && str_is(type, "llama3")) return RZ_OK;
    const bool divided = !gguf && tensor_file_find(f, STR_LIT("rope_freqs.weight"));
    if (divided && !str_is(type, "none"))
        return err_set(e, RZ_EUNSUPPORTED, "%s: %.*s scaling beside rope_freqs.weight", f->path,
                       STR_FMT(type));
    if (divided) {
        TRY(find_llama3(&s, c, f, e));
        type = STR_LIT("llama3");
    }
    if (str_is(type, "none")) return RZ_OK;
#define NAME(g, j) (gguf ? "rope.scaling." g : "rope_scaling." j)
    char word[32];
    snprintf(word, sizeof word, "%.*s", STR_FMT(type));
    TRY(to->text(to->ud, NAME("type", "rope_type"), word, e));
    TRY(to->number(to->ud, NAME("factor", "factor"), KEY_F32, &s.factor, e));
    if (str_is(type, "linear")) return RZ_OK;
    TRY(to->number(to->ud, NAME("original_context_length", "original_max_position_embeddings"),
                   KEY_U32, &s.original, e));
    if (str_is(type, "llama3")) {
        TRY(to->number(to->ud, NAME("low_freq_factor", "low_freq_factor"), KEY_F32, &s.low, e));
        return to->number(to->ud, NAME("high_freq_factor", "high_freq_factor"), KEY_F32, &s.high,
                          e);
    }
    const float whole = yarn_magnitude(&s, f->config != NULL);
    const float rest = whole / (s.factor > 1 ? 1 + 0.1f * logf(s.factor) : 1);
    TRY(to->number(to->ud, NAME("attn_factor", "attention_factor"), KEY_F32, gguf ? &rest : &whole,
                   e));
    TRY(to->number(to->ud, NAME("yarn_beta_fast", "beta_fast"), KEY_F32, &s.beta_fast, e));
    return to->number(to->ud, NAME("yarn_beta_slow", "beta_slow"), KEY_F32, &s.beta_slow, e);
#undef NAME
}
