/* arch_lfm2.c - LFM2: gated short convolutions, and among them layers of attention with norms on q
 * and k; a SwiGLU feed-forward in every layer. LFM2 with experts has some from a certain layer on,
 * chosen by sigmoids with a bias that does not weigh them.
 *
 * A GGUF file says which layers convolve by giving them no key heads. The width of the feed-forward
 * comes from its tensors: folders tell it before it is rounded. */
#include "kernels/ops_ssm.h"
#include "model/arch_rows.h"

static status configure(model *m, str name, err *e) {
    ssm_config *s = &m->c.ssm;
    m->c.rope_base = 1000000.0f;
    *s = (ssm_config){.conv = 3, .groups = 1};
    TRY(config_f32(m->file, name, NULL, "norm_eps|block_norm_eps", &m->c.norm_eps, e));
    TRY(config_f32(m->file, name, NULL, "theta", &m->c.rope_base, e));
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_u32(m->file, name, "shortconv.l_cache", "conv_L_cache", &s->conv, e));
    s->inner = m->c.D;
    if (s->conv < 1 || s->conv > CONV_MAX_TAPS)
        return err_set(e, RZ_EFORMAT, "%s: shortconv.l_cache is %u, expected 1 to %d",
                       m->file->path, s->conv, CONV_MAX_TAPS);
    return arch_read_rope(m, name, true, e);
}

static status configure_moe(model *m, str name, err *e) {
    uint32_t gating = 2;
    m->c.route.renormalise = m->c.route.sigmoid = true;
    TRY(configure(m, name, e));
    TRY(config_read_experts(&m->c, m->file, name, e));
    TRY(config_u32(m->file, name, "leading_dense_block_count", "num_dense_layers", &m->c.n_dense,
                   e));
    TRY(config_u32(m->file, name, "expert_gating_func", NULL, &gating, e));
    if (gating != 2)
        return err_set(e, RZ_EUNSUPPORTED, "%s: expert_gating_func is %u, expected 2 (sigmoid)",
                       m->file->path, gating);
    return RZ_OK;
}

static bool attends(const model *m, const layer *l) {
    const str type = arch_layer_type(m->file, l->index);
    if (type.p) return str_is(type, "full_attention");
    if (m->file->config) return arch_is_listed(m->file, "full_attn_idxs", l->index);
    return arch_has_key_heads(m, l->index);
}

static status read_layer(model *m, layer *l, err *e) {
    (void)e;
    arch_plain_layer(m, l);
    const uint64_t F = arch_layer_rows(m, l->index, "ffn_up.weight", "feed_forward.w3.weight");
    if (F > 0 && F <= UINT32_MAX) l->F = (uint32_t)F;
    if (m->c.route.n_expert && l->index >= m->c.n_dense) l->ffn = FFN_MOE;
    if (attends(m, l)) return RZ_OK;
    l->mix = MIX_SHORTCONV;
    l->attend = (attend_config){0};
    l->ssm = m->c.ssm;
    l->state_width = m->c.D * (m->c.ssm.conv - 1);
    return RZ_OK;
}

#define CONV(gguf, hf, kind, at, out, in, part)                                           \
    SLOT_ROW(gguf, hf, kind, L_AT(at), out, in, false, PART_##part, TWIST_NONE, FFN_NONE, \
             MIX_SHORTCONV)
#define CONV_BIAS(hf, at, out, part)                                                         \
    SLOT_ROW(NULL, hf, VECTOR, L_AT(at), out, NONE, true, PART_##part, TWIST_NONE, FFN_NONE, \
             MIX_SHORTCONV)

static const tensor_slot model_slot[] = {
    NEED("token_embd.weight", "model.embed_tokens.weight", WEIGHT, M_AT(embed), V, D),
    NEED("token_embd_norm.weight", "model.embedding_norm.weight", NORM, M_AT(norm_out), D, NONE),
    MAYBE("output.weight", "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "operator_norm.weight", NORM, L_AT(norm_in), D, NONE),
    MIXED_QKVO_ROWS("self_attn.", "out_proj."),
    ATTN_ROW("attn_q_norm.weight", "self_attn.q_layernorm.weight", NORM, L_AT(q_norm), K, NONE),
    ATTN_ROW("attn_k_norm.weight", "self_attn.k_layernorm.weight", NORM, L_AT(k_norm), K, NONE),
    CONV("shortconv.in_proj.weight", "conv.in_proj.weight", WEIGHT, ssm_in_z, SI, D, THIRD_1),
    CONV("shortconv.in_proj.weight", "conv.in_proj.weight", WEIGHT, ssm_in_C, SI, D, THIRD_2),
    CONV("shortconv.in_proj.weight", "conv.in_proj.weight", WEIGHT, ssm_in_x, SI, D, THIRD_3),
    CONV("shortconv.conv.weight", "conv.conv.weight", FLAT, ssm_conv, SI, SK, ALL),
    CONV("shortconv.out_proj.weight", "conv.out_proj.weight", WEIGHT, ssm_out, D, SI, ALL),
    CONV_BIAS("conv.in_proj.bias", ssm_in_z_bias, SI, THIRD_1),
    CONV_BIAS("conv.in_proj.bias", ssm_in_C_bias, SI, THIRD_2),
    CONV_BIAS("conv.in_proj.bias", ssm_in_x_bias, SI, THIRD_3),
    CONV_BIAS("conv.conv.bias", ssm_conv_bias, SI, ALL),
    CONV_BIAS("conv.out_proj.bias", ssm_out_bias, D, ALL),
    NEED("ffn_norm.weight", "ffn_norm.weight", NORM, L_AT(norm_ffn), D, NONE),
    FFN(DENSE, "ffn_gate.weight", "feed_forward.w1.weight", WEIGHT, L_AT(gate), F, D),
    FFN(DENSE, "ffn_up.weight", "feed_forward.w3.weight", WEIGHT, L_AT(up), F, D),
    FFN(DENSE, "ffn_down.weight", "feed_forward.w2.weight", WEIGHT, L_AT(down), D, F),
    FFN(MOE, "ffn_gate_inp.weight", "feed_forward.gate.weight", WEIGHT, L_AT(router), E, D),
    FFN_MAYBE(MOE, "exp_probs_b.bias", "feed_forward.expert_bias", VECTOR, L_AT(router_bias), E,
              NONE),
    FFN(MOE, "ffn_gate_exps.weight", "feed_forward.experts.*.w1.weight", EXPERTS,
        L_AT(experts_gate), FE, D),
    FFN(MOE, "ffn_up_exps.weight", "feed_forward.experts.*.w3.weight", EXPERTS, L_AT(experts_up),
        FE, D),
    FFN(MOE, "ffn_down_exps.weight", "feed_forward.experts.*.w2.weight", EXPERTS,
        L_AT(experts_down), D, FE),
    SLOT_END,
};

extern const arch arch_lfm2, arch_lfm2moe;
const arch arch_lfm2 = {.name = "lfm2",
                        .hf_types = "lfm2",
                        .hf_layer = "model.layers.",
                        .configure = configure,
                        .read_layer = read_layer,
                        .model_slot = model_slot,
                        .layer_slot = layer_slot};
const arch arch_lfm2moe = {.name = "lfm2moe",
                           .hf_types = "lfm2_moe",
                           .hf_layer = "model.layers.",
                           .configure = configure_moe,
                           .read_layer = read_layer,
                           .model_slot = model_slot,
                           .layer_slot = layer_slot};
