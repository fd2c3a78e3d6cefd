/* arch_nemotronh.c - Nemotron-H (NVIDIA 2025, arXiv 2504.03624): each layer is one branch, Mamba 2,
 * attention without any notion of position, or a feed-forward with squared ReLU.
 *
 * Folders spell the layers in hybrid_override_pattern, a letter each, or name them in
 * layers_block_type. GGUF gives layers without attention no key heads and those without
 * feed-forward a width of 0. */
#include "model/arch_rows.h"

typedef enum branch { BRANCH_MAMBA, BRANCH_ATTENTION, BRANCH_FFN } branch;

static status configure(model *m, str name, err *e) {
    uint32_t head = 0;
    m->c.act = ACT_RELU2;
    TRY(config_u32(m->file, name, NULL, "attention_head_dim", &m->c.K, e));
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_f32(m->file, name, NULL, "layer_norm_epsilon", &m->c.norm_eps, e));
    TRY(arch_read_mamba2(m, name, e));
    if (!m->file->config) return RZ_OK;
    TRY(config_u32(m->file, name, NULL, "mamba_head_dim", &head, e));
    if (head == 0 || (uint64_t)head * m->c.ssm.heads > UINT32_MAX)
        return err_set(e, RZ_EFORMAT, "%s: config.json: mamba_head_dim is %u", m->file->path, head);
    m->c.ssm.inner = head * m->c.ssm.heads;
    return config_check_ssm(&m->c, &m->c.ssm, m->file, e);
}

static status unknown_layer(const model *m, uint32_t index, str what, err *e) {
    return err_set(e, RZ_EUNSUPPORTED,
                   "%s: config.json: layer %u is \"%.*s\", this version knows mamba (M), "
                   "attention (*) and mlp (-)",
                   m->file->path, index, STR_FMT(what));
}

static status branch_by_config(const model *m, uint32_t index, branch *out, err *e) {
    const json *pattern = json_get(m->file->config, "hybrid_override_pattern");
    const json *list = json_get(m->file->config, "layers_block_type");
    str what = {NULL, 0};
    if (pattern && pattern->kind == JSON_STRING) {
        if (index < pattern->text.len) what = (str){pattern->text.p + index, 1};
    } else if (list) {
        const json *v = list->child;
        for (uint32_t i = 0; v && i < index; i++) v = v->next;
        if (v && v->kind == JSON_STRING) what = v->text;
    }
    if (str_is(what, "M") || str_is(what, "mamba")) *out = BRANCH_MAMBA;
    else if (str_is(what, "*") || str_is(what, "attention")) *out = BRANCH_ATTENTION;
    else if (str_is(what, "-") || str_is(what, "mlp")) *out = BRANCH_FFN;
    else return unknown_layer(m, index, what, e);
    return RZ_OK;
}

static branch branch_by_gguf(const model *m, uint32_t index) {
    uint32_t F = 0;
    config_layer_u32(m->file, str_of(m->arch->name), "feed_forward_length", index, &F);
    if (F) return BRANCH_FFN;
    return arch_has_key_heads(m, index) ? BRANCH_ATTENTION : BRANCH_MAMBA;
}

static status read_layer(model *m, layer *l, err *e) {
    branch what = BRANCH_MAMBA;
    if (m->file->config) TRY(branch_by_config(m, l->index, &what, e));
    else what = branch_by_gguf(m, l->index);
    arch_plain_layer(m, l);
    l->rope = MODEL_MAX_ROPES;
    if (what == BRANCH_FFN) {
        l->mix = MIX_NONE;
        l->attend = (attend_config){0};
        return RZ_OK;
    }
    l->ffn = FFN_NONE;
    if (what == BRANCH_MAMBA) arch_mamba2_layer(m, l);
    return RZ_OK;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "backbone.embeddings.weight", WEIGHT, M_AT(embed), V, D),
    NEED("output_norm.weight", "backbone.norm_f.weight", NORM, M_AT(norm_out), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    ATTN_ROW("attn_norm.weight", "norm.weight", NORM, L_AT(norm_in), D, NONE),
    MAMBA2_ROW("attn_norm.weight", "norm.weight", NORM, norm_in, D, NONE, ALL, NONE),
    FFN(DENSE, "attn_norm.weight", "norm.weight", NORM, L_AT(norm_ffn), D, NONE),
    MIXED_QKVO_ROWS("mixer.", "o_proj."),
    MAMBA2_ROWS("mixer."),
    FFN(DENSE, "ffn_up.weight", "mixer.up_proj.weight", WEIGHT, L_AT(up), F, D),
    FFN(DENSE, "ffn_down.weight", "mixer.down_proj.weight", WEIGHT, L_AT(down), D, F),
    SLOT_END,
};

extern const arch arch_nemotronh;
const arch arch_nemotronh = {.name = "nemotron_h",
                             .hf_types = "nemotron_h",
                             .hf_layer = "backbone.layers.",
                             .configure = configure,
                             .read_layer = read_layer,
                             .model_slot = model_slot,
                             .layer_slot = layer_slot};
