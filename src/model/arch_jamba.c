/* arch_jamba.c - Jamba (Lieber et al. 2024, arXiv 2403.19887): Mamba 1 layers with norms on the
 * step size, B and C, every so often a layer of attention without any notion of position, and
 * experts in every other feed-forward. */
#include "model/arch_rows.h"

/* One layer in `period`, counted from `offset`. */
typedef struct rhythm {
    uint32_t period, offset;
} rhythm;

static status read_rhythm(const model *m, const char *period, const char *offset, rhythm *r,
                          err *e) {
    const str none = {NULL, 0};
    TRY(config_u32(m->file, none, NULL, period, &r->period, e));
    TRY(config_u32(m->file, none, NULL, offset, &r->offset, e));
    if (r->period > 0 && r->offset < r->period) return RZ_OK;
    return err_set(e, RZ_EFORMAT, "%s: config.json: %s is %u beside %s %u", m->file->path, offset,
                   r->offset, period, r->period);
}

static bool falls_on(const rhythm *r, uint32_t index) { return index % r->period == r->offset; }

static status configure(model *m, str name, err *e) {
    m->c.norm_eps = 1e-6f;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_read_ssm_part(&m->c, m->file, name, e));
    m->c.ssm.heads = 0;
    if (m->c.ssm.rank == 0) m->c.ssm.rank = (m->c.D + 15) / 16; /* "auto" */
    TRY(config_check_ssm(&m->c, &m->c.ssm, m->file, e));
    uint32_t n_expert = 0;
    TRY(config_u32(m->file, name, "expert_count", "num_experts", &n_expert, e));
    return n_expert ? config_read_experts(&m->c, m->file, name, e) : RZ_OK;
}

static status is_attention(const model *m, const layer *l, bool *yes, err *e) {
    rhythm r = {8, 4};
    if (!m->file->config) {
        *yes = arch_has_key_heads(m, l->index);
        return RZ_OK;
    }
    TRY(read_rhythm(m, "attn_layer_period", "attn_layer_offset", &r, e));
    *yes = falls_on(&r, l->index);
    return RZ_OK;
}

/* A file of one expert has it as a plain feed-forward. */
static status has_experts(const model *m, const layer *l, bool *yes, err *e) {
    rhythm r = {2, 1};
    if (!m->file->config) {
        *yes = arch_layer_rows(m, l->index, "ffn_gate_inp.weight", NULL) > 0;
        return RZ_OK;
    }
    TRY(read_rhythm(m, "expert_layer_period", "expert_layer_offset", &r, e));
    *yes = m->c.route.n_expert > 1 && falls_on(&r, l->index);
    return RZ_OK;
}

static status read_layer(model *m, layer *l, err *e) {
    bool attends, experts;
    TRY(is_attention(m, l, &attends, e));
    TRY(has_experts(m, l, &experts, e));
    arch_plain_layer(m, l);
    l->rope = MODEL_MAX_ROPES;
    if (experts) l->ffn = FFN_MOE;
    if (attends) return RZ_OK;
    l->mix = MIX_MAMBA1;
    l->attend = (attend_config){0};
    l->ssm = m->c.ssm;
    l->state_width = l->ssm.inner * (l->ssm.conv - 1 + l->ssm.state);
    return RZ_OK;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "model.embed_tokens.weight", WEIGHT, M_AT(embed), V, D),
    NEED("output_norm.weight", "model.final_layernorm.weight", NORM, M_AT(norm_out), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

#define MAMBA(gguf, hf, kind, at, out, in, part, twist)                                     \
    SLOT_ROW(gguf, "mamba." hf, kind, L_AT(at), out, in, false, PART_##part, TWIST_##twist, \
             FFN_NONE, MIX_MAMBA1)

static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "input_layernorm.weight", NORM, L_AT(norm_in), D, NONE),
    NEED("ffn_norm.weight", "pre_ff_layernorm.weight", NORM, L_AT(norm_ffn), D, NONE),
    MIXED_QKVO_ROWS("self_attn.", "o_proj."),
    MAMBA("ssm_in.weight", "in_proj.weight", WEIGHT, ssm_in_x, SI, D, FIRST, NONE),
    MAMBA("ssm_in.weight", "in_proj.weight", WEIGHT, ssm_in_z, SI, D, SECOND, NONE),
    MAMBA("ssm_conv1d.weight", "conv1d.weight", FLAT, ssm_conv, SI, SK, ALL, NONE),
    MAMBA("ssm_conv1d.bias", "conv1d.bias", FLAT, ssm_conv_bias, SI, NONE, ALL, NONE),
    MAMBA("ssm_x.weight", "x_proj.weight", WEIGHT, ssm_x_dt, SR, SI, X_DT, NONE),
    MAMBA("ssm_x.weight", "x_proj.weight", WEIGHT, ssm_x_B, SN, SI, X_B, NONE),
    MAMBA("ssm_x.weight", "x_proj.weight", WEIGHT, ssm_x_C, SN, SI, X_C, NONE),
    MAMBA("ssm_dt_norm.weight", "dt_layernorm.weight", NORM, ssm_dt_norm, SR, NONE, ALL, NONE),
    MAMBA("ssm_b_norm.weight", "b_layernorm.weight", NORM, ssm_B_norm, SN, NONE, ALL, NONE),
    MAMBA("ssm_c_norm.weight", "c_layernorm.weight", NORM, ssm_C_norm, SN, NONE, ALL, NONE),
    MAMBA("ssm_dt.weight", "dt_proj.weight", WEIGHT, ssm_dt, SI, SR, ALL, NONE),
    MAMBA("ssm_dt.bias", "dt_proj.bias", FLAT, ssm_dt_bias, SI, NONE, ALL, NONE),
    MAMBA("ssm_a", "A_log", FLAT, ssm_A, SI, SN, ALL, NEG_EXP),
    MAMBA("ssm_d", "D", FLAT, ssm_skip, SI, NONE, ALL, NONE),
    MAMBA("ssm_out.weight", "out_proj.weight", WEIGHT, ssm_out, D, SI, ALL, NONE),
    GATED_FFN_ROWS("feed_forward."),
    EXPERT_ROWS("feed_forward.", "router."),
    SLOT_END,
};

extern const arch arch_jamba;
const arch arch_jamba = {.name = "jamba",
                         .hf_types = "jamba",
                         .hf_layer = "model.layers.",
                         .configure = configure,
                         .read_layer = read_layer,
                         .model_slot = model_slot,
                         .layer_slot = layer_slot};
