/* arch_mamba.c - Mamba 1 and Mamba 2: nothing but norms and recurrent mixers.
 *
 * GGUF holds A itself, checkpoint folders its logarithm: A = -exp(A_log). */
#include <math.h>

#include "model/arch.h"

static status configure1(model *m, str name, err *e) {
    bool normed = false;
    TRY(config_read_ssm(&m->c, m->file, name, e));
    TRY(config_bool(m->file, name, "ssm.dt_b_c_rms", NULL, &normed, e));
    if (normed)
        return err_set(e, RZ_EUNSUPPORTED, "%s: mamba with norms on dt, B and C is not supported",
                       m->file->path);
    if (m->c.ssm.rank == 0 || m->c.ssm.rank > m->c.ssm.inner)
        return err_set(e, RZ_EFORMAT, "%s: ssm.time_step_rank is %u, expected 1 to %u",
                       m->file->path, m->c.ssm.rank, m->c.ssm.inner);
    return RZ_OK;
}

/* GGUF calls the number of heads time_step_rank. */
static status configure2(model *m, str name, err *e) {
    ssm_config *c = &m->c.ssm;
    TRY(config_read_ssm(&m->c, m->file, name, e));
    if (c->heads == 0) c->heads = c->rank;
    if (c->heads == 0 || c->inner % c->heads || c->groups == 0 || c->heads % c->groups)
        return err_set(e, RZ_EFORMAT, "%s: %u heads in %u groups do not divide a width of %u",
                       m->file->path, c->heads, c->groups, c->inner);
    return RZ_OK;
}

static void kinds1(const model *m, layer *l) {
    const ssm_config *c = &m->c.ssm;
    l->mix = MIX_MAMBA1;
    l->ssm = *c;
    l->state_width = c->inner * (c->conv - 1 + c->state);
}

static void kinds2(const model *m, layer *l) {
    const ssm_config *c = &m->c.ssm;
    l->mix = MIX_MAMBA2;
    l->ssm = *c;
    l->ssm_norm.eps = m->c.norm_eps;
    l->state_width = (c->inner + 2 * c->groups * c->state) * (c->conv - 1) + c->inner * c->state;
}

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "backbone.embeddings.weight", WEIGHT, M_AT(embed), V, D),
    NEED("output_norm.weight", "backbone.norm_f.weight", NORM, M_AT(norm_out), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot slot1[] = {
    NEED("attn_norm.weight", "norm.weight", NORM, L_AT(norm_in), D, NONE),
    ROWS("ssm_in.weight", "mixer.in_proj.weight", WEIGHT, L_AT(ssm_in_x), SI, D, FIRST, NONE),
    ROWS("ssm_in.weight", "mixer.in_proj.weight", WEIGHT, L_AT(ssm_in_z), SI, D, SECOND, NONE),
    NEED("ssm_conv1d.weight", "mixer.conv1d.weight", FLAT, L_AT(ssm_conv), SI, SK),
    MAYBE("ssm_conv1d.bias", "mixer.conv1d.bias", FLAT, L_AT(ssm_conv_bias), SI, NONE),
    ROWS("ssm_x.weight", "mixer.x_proj.weight", WEIGHT, L_AT(ssm_x_dt), SR, SI, X_DT, NONE),
    ROWS("ssm_x.weight", "mixer.x_proj.weight", WEIGHT, L_AT(ssm_x_B), SN, SI, X_B, NONE),
    ROWS("ssm_x.weight", "mixer.x_proj.weight", WEIGHT, L_AT(ssm_x_C), SN, SI, X_C, NONE),
    NEED("ssm_dt.weight", "mixer.dt_proj.weight", WEIGHT, L_AT(ssm_dt), SI, SR),
    NEED("ssm_dt.bias", "mixer.dt_proj.bias", FLAT, L_AT(ssm_dt_bias), SI, NONE),
    ROWS("ssm_a", "mixer.A_log", FLAT, L_AT(ssm_A), SI, SN, ALL, NEG_EXP),
    NEED("ssm_d", "mixer.D", FLAT, L_AT(ssm_skip), SI, NONE),
    NEED("ssm_out.weight", "mixer.out_proj.weight", WEIGHT, L_AT(ssm_out), D, SI),
    SLOT_END,
};

static const tensor_slot slot2[] = {
    NEED("attn_norm.weight", "norm.weight", NORM, L_AT(norm_in), D, NONE),
    ROWS("ssm_in.weight", "mixer.in_proj.weight", WEIGHT, L_AT(ssm_in_z), SI, D, SSM_Z, NONE),
    ROWS("ssm_in.weight", "mixer.in_proj.weight", WEIGHT, L_AT(ssm_in_x), SC, D, SSM_X, NONE),
    ROWS("ssm_in.weight", "mixer.in_proj.weight", WEIGHT, L_AT(ssm_dt), SH, D, SSM_DT, NONE),
    NEED("ssm_conv1d.weight", "mixer.conv1d.weight", FLAT, L_AT(ssm_conv), SC, SK),
    MAYBE("ssm_conv1d.bias", "mixer.conv1d.bias", FLAT, L_AT(ssm_conv_bias), SC, NONE),
    NEED("ssm_dt.bias", "mixer.dt_bias", FLAT, L_AT(ssm_dt_bias), SH, NONE),
    ROWS("ssm_a", "mixer.A_log", FLAT, L_AT(ssm_A), SH, NONE, ALL, NEG_EXP),
    NEED("ssm_d", "mixer.D", FLAT, L_AT(ssm_skip), SH, NONE),
    NEED("ssm_norm.weight", "mixer.norm.weight", FLAT, L_AT(ssm_norm.gain), SI, NONE),
    NEED("ssm_out.weight", "mixer.out_proj.weight", WEIGHT, L_AT(ssm_out), D, SI),
    SLOT_END,
};

extern const arch arch_mamba, arch_mamba2;
const arch arch_mamba = {.name = "mamba",
                         .hf_types = "mamba",
                         .hf_class = "MambaForCausalLM",
                         .hf_layer = "backbone.layers.",
                         .configure = configure1,
                         .layer_kinds = kinds1,
                         .model_slot = model_slot,
                         .layer_slot = slot1};
const arch arch_mamba2 = {.name = "mamba2",
                          .hf_types = "mamba2",
                          .hf_class = "Mamba2ForCausalLM",
                          .hf_layer = "backbone.layers.",
                          .configure = configure2,
                          .layer_kinds = kinds2,
                          .model_slot = model_slot,
                          .layer_slot = slot2};
