/* arch_deepseek2.c - DeepSeek V2 and V3 (and R1): latent attention, a few dense layers, then many
 * small experts beside shared ones.
 *
 * Queries of the lite variant come straight from the input. V2 chooses experts by softmax and
 * judges a group by its best; V3 by sigmoid with a bias, a group by its two best. Newer GGUF files
 * hold the halves of kv_b apart and the first already turned, older ones and folders hold it
 * whole. */
#include <math.h>

#include "model/arch_rows.h"

static bool is_v3(const tensor_file *f) {
    const json *type = json_get(f->config, "model_type");
    return type && str_is(type->text, "deepseek_v3");
}

/* The rule of choice, by the names config.json has for its parts. */
static status choose_by_config(model *m, str name, err *e) {
    route_config *r = &m->c.route;
    str score = is_v3(m->file) ? STR_LIT("sigmoid") : STR_LIT("softmax");
    str method = is_v3(m->file) ? STR_LIT("noaux_tc") : STR_LIT("greedy");
    TRY(config_str(m->file, name, NULL, "scoring_func", &score, e));
    TRY(config_str(m->file, name, NULL, "topk_method", &method, e));
    r->sigmoid = str_is(score, "sigmoid");
    r->two_per_group = str_is(method, "noaux_tc");
    if (str_is(method, "greedy")) r->n_group = 0;
    if (!(r->sigmoid || str_is(score, "softmax")) ||
        !(r->two_per_group || str_is(method, "greedy") || str_is(method, "group_limited_greedy")))
        return err_set(e, RZ_EUNSUPPORTED, "%s: experts chosen by %.*s of %.*s are not supported",
                       m->file->path, STR_FMT(method), STR_FMT(score));
    return RZ_OK;
}

static status choose_by_gguf(model *m, str name, err *e) {
    uint32_t gating = 1; /* files from before V3 do not say */
    TRY(config_u32(m->file, name, "expert_gating_func", NULL, &gating, e));
    if (gating != 1 && gating != 2)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%s: expert_gating_func is %u, expected 1 (softmax) or 2 (sigmoid)",
                       m->file->path, gating);
    m->c.route.sigmoid = m->c.route.two_per_group = gating == 2;
    return RZ_OK;
}

static status read_experts(model *m, str name, err *e) {
    uint32_t every = 1, shared = 0;
    TRY(config_read_experts(&m->c, m->file, name, e));
    TRY(config_u32(m->file, name, "expert_shared_count", "n_shared_experts", &shared, e));
    TRY(config_u32(m->file, name, "leading_dense_block_count", "first_k_dense_replace",
                   &m->c.n_dense, e));
    TRY(config_u32(m->file, name, "moe_every_n_layers", "moe_layer_freq", &every, e));
    if (every != 1 || (uint64_t)shared * m->c.F_expert > 1 << 20)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%s: experts in every %u layers, %u shared ones of width %u", m->file->path,
                       every, shared, m->c.F_expert);
    m->c.F_shared = shared * m->c.F_expert;
    return m->file->config ? choose_by_config(m, name, e) : choose_by_gguf(m, name, e);
}

/* Under YaRN scores are scaled by the square of 0.1 mscale_all_dim ln(factor) + 1. */
typedef struct score_keys {
    float factor, all_dim, log_multiplier;
} score_keys;

static status score_scale(model *m, str name, err *e) {
#define AT(member) offsetof(score_keys, member)
#define BOTH(name) "rope_scaling." name "|rope_parameters." name
    static const config_key keys[] = {
        {"rope.scaling.factor", BOTH("factor"), KEY_F32, false, AT(factor)},
        {"rope.scaling.yarn_log_multiplier", NULL, KEY_F32, false, AT(log_multiplier)},
        {NULL, BOTH("mscale_all_dim"), KEY_F32, false, AT(all_dim)},
        {NULL, NULL, KEY_F32, false, 0},
    };
    score_keys s = {.factor = 1};
    str type = STR_LIT("none");
    TRY(config_read(m->file, name, keys, &s, e));
    TRY(config_str(m->file, name, "rope.scaling.type", BOTH("rope_type") "|" BOTH("type"), &type,
                   e));
    float scale = 1.0f / sqrtf((float)(m->c.mla.nope + m->c.mla.rope));
    if (str_is(type, "yarn") && s.factor > 1) {
        const float each = m->file->config ? 0.1f * s.all_dim : s.log_multiplier;
        const float up = 1 + each * logf(s.factor);
        scale *= up * up;
    }
    if (!(scale > 1e-9f && scale < 1e9f))
        return err_set(e, RZ_EFORMAT, "%s: attention scores would be scaled by %g", m->file->path,
                       (double)scale);
    m->c.score_scale = scale;
    return RZ_OK;
#undef BOTH
#undef AT
}

static status configure(model *m, str name, err *e) {
    TRY(config_read_latent(&m->c.mla, m->file, name, e));
    m->c.K = m->c.mla.nope + m->c.mla.rope;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(read_experts(m, name, e));
    TRY(config_u32(m->file, name, NULL, "num_nextn_predict_layers", &m->c.n_extra, e));
    m->c.K = m->c.mla.nope + m->c.mla.rope;
    m->c.n_rot = m->c.mla.rope;
    TRY(config_read_rope(&m->rope[0], &m->c, m->file, name, &m->mem, e));
    /* GGUF does not hold mscale: it equals mscale_all_dim in every model there is. */
    if (!m->file->config) m->rope[0].mscale = 1;
    return score_scale(m, name, e);
}

static void layer_kinds(const model *m, layer *l) {
    arch_plain_layer(m, l);
    l->mix = MIX_MLA;
    l->ffn = l->index < m->c.n_dense ? FFN_DENSE : FFN_MOE;
    l->q_down_norm.eps = l->kv_down_norm.eps = 1e-6f; /* whatever the other norms have */
}

static const tensor_slot layer_slot[] = {
    RMS_NORM_ROWS,
    NEED("attn_q.weight", "self_attn.q_proj.weight", WEIGHT, L_AT(q), MH, MX),
    NEED("attn_q_a.weight", "self_attn.q_a_proj.weight", WEIGHT, L_AT(q_down), MQ, D),
    NEED("attn_q_a_norm.weight", "self_attn.q_a_layernorm.weight", NORM, L_AT(q_down_norm), MQ,
         NONE),
    NEED("attn_q_b.weight", "self_attn.q_b_proj.weight", WEIGHT, L_AT(q), MH, MQ),
    ROWS("attn_kv_a_mqa.weight", "self_attn.kv_a_proj_with_mqa.weight", WEIGHT, L_AT(kv_down), MC,
         D, LATENT, NONE),
    ROWS("attn_kv_a_mqa.weight", "self_attn.kv_a_proj_with_mqa.weight", WEIGHT, L_AT(kv_rope), MR,
         D, LATENT_ROPE, NONE),
    NEED("attn_kv_a_norm.weight", "self_attn.kv_a_layernorm.weight", NORM, L_AT(kv_down_norm), MC,
         NONE),
    MAYBE("attn_k_b.weight", NULL, HEADS, L_AT(k_up), MC, MN),
    MAYBE("attn_v_b.weight", NULL, HEADS, L_AT(v_up), MV, MC),
    ROWS("attn_kv_b.weight", "self_attn.kv_b_proj.weight", HEADS, L_AT(k_up), MC, MN, HEADS_K,
         NONE),
    ROWS("attn_kv_b.weight", "self_attn.kv_b_proj.weight", HEADS, L_AT(v_up), MV, MC, HEADS_V,
         NONE),
    NEED("attn_output.weight", "self_attn.o_proj.weight", WEIGHT, L_AT(o), D, MO),
    GATED_FFN_ROWS("mlp."),
    EXPERT_ROWS("mlp.", "gate."),
    FFN_MAYBE(MOE, "exp_probs_b.bias", "mlp.gate.e_score_correction_bias", VECTOR,
              L_AT(router_bias), E, NONE),
    FFN(MOE, "ffn_gate_shexp.weight", "mlp.shared_experts.gate_proj.weight", WEIGHT,
        L_AT(shared_gate), FS, D),
    FFN(MOE, "ffn_up_shexp.weight", "mlp.shared_experts.up_proj.weight", WEIGHT, L_AT(shared_up),
        FS, D),
    FFN(MOE, "ffn_down_shexp.weight", "mlp.shared_experts.down_proj.weight", WEIGHT,
        L_AT(shared_down), D, FS),
    SLOT_END,
};

extern const arch arch_deepseek2;
const arch arch_deepseek2 = {.name = "deepseek2",
                             .hf_types = "deepseek_v2|deepseek_v3",
                             .hf_layer = "model.layers.",
                             .configure = configure,
                             .layer_kinds = layer_kinds,
                             .model_slot = arch_model_rms,
                             .layer_slot = layer_slot};
