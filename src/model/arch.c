/* arch.c - finding an architecture, and what several of them share. */
#include <stdio.h>

#include "model/arch_list.h"
#include "model/arch_rows.h"

#define DECLARE(name) extern const arch arch_##name;
ARCH_LIST(DECLARE)

static const arch *const archs[] = {
#define ROW(name) &arch_##name,
    ARCH_LIST(ROW)};

const arch *arch_find(str gguf_name) {
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++)
        if (archs[i]->name && str_is(gguf_name, archs[i]->name)) return archs[i];
    return NULL;
}

const arch *arch_find_hf(str model_type) {
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        str rest = str_of(archs[i]->hf_types);
        while (rest.p)
            if (str_eq(str_split(&rest, '|'), model_type)) return archs[i];
    }
    return NULL;
}

const arch *arch_find_claimed(const tensor_file *f) {
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++)
        if (archs[i]->claims && archs[i]->claims(f)) return archs[i];
    return NULL;
}

const char *arch_names(void) {
#define NAME(name) ", " #name
    static const char names[] = "" ARCH_LIST(NAME);
    return names + 2;
}

void arch_plain_layer(const model *m, layer *l) {
    const model_config *c = &m->c;
    l->mix = MIX_ATTN;
    l->ffn = FFN_DENSE;
    l->F = c->F;
    l->attend = (attend_config){.H = c->H,
                                .G = c->G,
                                .K = c->K,
                                .scale = c->score_scale,
                                .window = c->window,
                                .softcap = c->score_cap};
}

status arch_read_rope(model *m, str name, bool halves, err *e) {
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    m->rope[0].half = halves;
    return RZ_OK;
}

status arch_configure_halves(model *m, str name, err *e) {
    TRY(config_read_transformer(&m->c, m->file, name, e));
    return arch_read_rope(m, name, true, e);
}

#define AT(member) offsetof(model_config, member)
static const config_key scale_keys[] = {
    {"embedding_scale", "embedding_multiplier", KEY_F32, false, AT(embed_scale)},
    {"residual_scale", "residual_multiplier", KEY_F32, false, AT(residual_scale)},
    {"logit_scale", "logits_scaling", KEY_F32, false, AT(logit_scale)},
    {"attention.scale", "attention_multiplier", KEY_F32, false, AT(score_scale)},
    {NULL, NULL, KEY_F32, false, 0},
};
#undef AT

status arch_read_scaled(model *m, str name, err *e) {
    TRY(config_read(m->file, name, scale_keys, &m->c, e));
    TRY(config_read_transformer(&m->c, m->file, name, e));
    m->c.logit_scale = 1 / m->c.logit_scale;
    return RZ_OK;
}

status arch_read_mamba2(model *m, str name, err *e) {
    ssm_config *c = &m->c.ssm;
    TRY(config_read_ssm_part(&m->c, m->file, name, e));
    if (c->heads == 0) c->heads = c->rank;
    if (c->heads == 0)
        return err_set(e, RZ_EFORMAT, "%s: ssm.time_step_rank, the number of heads, is 0",
                       m->file->path);
    return config_check_ssm(&m->c, c, m->file, e);
}

void arch_mamba2_layer(const model *m, layer *l) {
    const ssm_config *c = &m->c.ssm;
    l->mix = MIX_MAMBA2;
    l->attend = (attend_config){0};
    l->ssm = *c;
    l->ssm_norm.eps = m->c.norm_eps;
    l->state_width = (c->inner + 2 * c->groups * c->state) * (c->conv - 1) + c->inner * c->state;
}

bool arch_has_key_heads(const model *m, uint32_t index) {
    uint32_t heads = 0;
    return config_layer_u32(m->file, str_of(m->arch->name), "attention.head_count_kv", index,
                            &heads) &&
           heads > 0;
}

str arch_layer_type(const tensor_file *f, uint32_t index) {
    const json *v = f->config ? json_get(f->config, "layer_types") : NULL;
    v = v ? v->child : NULL;
    while (v && index--) v = v->next;
    return v && v->kind == JSON_STRING ? v->text : (str){NULL, 0};
}

uint64_t arch_layer_rows(const model *m, uint32_t index, const char *gguf, const char *hf) {
    char name[256];
    const bool folder = m->file->config != NULL;
    snprintf(name, sizeof name, "%s%u.%s", folder ? m->arch->hf_layer : "blk.", index,
             folder ? hf : gguf);
    const tensor_info *t = tensor_file_find(m->file, str_of(name));
    return t ? t->dim[1] : 0;
}

bool arch_is_listed(const tensor_file *f, const char *key, uint32_t index) {
    const json *list = f->config ? json_get(f->config, key) : NULL;
    int64_t n;
    for (const json *v = list ? list->child : NULL; v; v = v->next)
        if (json_int(v, 0, UINT32_MAX, &n) && n == index) return true;
    return false;
}

void arch_sparse_layer(const model *m, layer *l) {
    arch_plain_layer(m, l);
    const bool off_step = (l->index + 1) % m->c.sparse_step != 0;
    l->ffn = off_step || arch_is_listed(m->file, "mlp_only_layers", l->index) ? FFN_DENSE : FFN_MOE;
}

#define EMBED_ROW NEED("token_embd.weight", "model.embed_tokens.weight", WEIGHT, M_AT(embed), V, D)
#define HEAD_ROW MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D)

const tensor_slot arch_model_rms[] = {
    EMBED_ROW,
    NEED("output_norm.weight", "model.norm.weight", NORM, M_AT(norm_out), D, NONE),
    HEAD_ROW,
    SLOT_END,
};

const tensor_slot arch_model_plus_one[] = {
    EMBED_ROW,
    ROWS("output_norm.weight", "model.norm.weight", NORM, M_AT(norm_out), D, NONE, ALL, PLUS_ONE),
    SLOT_END,
};

const tensor_slot arch_model_center[] = {
    EMBED_ROW,
    NEED("output_norm.weight", "model.norm.weight", CENTER, M_AT(norm_out), D, NONE),
    NEED("output_norm.bias", "model.norm.bias", VECTOR, M_AT(norm_out.bias), D, NONE),
    HEAD_ROW,
    SLOT_END,
};
