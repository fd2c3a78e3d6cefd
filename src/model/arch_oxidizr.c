/* arch_oxidizr.c - checkpoints of the oxidizr trainer: attention, latent attention and Mamba 1, 2
 * and 3 in any order, each with what its names and shapes say.
 *
 * Its config.json has no model_type and may be absent. Shapes win over it: what the file is asked
 * for is only what shapes cannot tell, and what it does not say is a default that is reported. The
 * kind of layer N is told by how its names go on: layers.N.mamba3., .mamba2., .mamba.,
 * .self_attn.w_dkv or .self_attn.q_proj. Recurrent arithmetic is the trainer's documented one. */
#include <math.h>
#include <stdio.h>

#include "kernels/ops_ssm3.h"
#include "model/arch.h"

#define PREFIX "layers."

static bool claims(const tensor_file *f) {
    if (!tensor_file_find(f, STR_LIT("embed_tokens.weight"))) return false;
    for (size_t i = 0; i < f->n_tensor; i++)
        if (str_starts(f->tensor[i].name, STR_LIT(PREFIX))) return true;
    return false;
}

/* ---- Names and shapes ---- */

/* One layer's tensors. */
typedef struct looker {
    const tensor_file *f;
    uint32_t layer;
    const char *missing; /* the first that was asked for and is not there, or NULL */
} looker;

static const tensor_info *look(const looker *a, const char *name) {
    char whole[128];
    snprintf(whole, sizeof whole, PREFIX "%u.%s", a->layer, name);
    return tensor_file_find(a->f, str_of(whole));
}

/* Size of dimension `d` of a tensor, 0 = the fastest. */
static uint32_t size_of(looker *a, const char *name, uint32_t d) {
    const tensor_info *t = look(a, name);
    if (!t && !a->missing) a->missing = name;
    return t && t->dim[d] <= UINT32_MAX ? (uint32_t)t->dim[d] : 0;
}

static uint32_t rows_of(looker *a, const char *name) { return size_of(a, name, 1); }

/* Does any name of the layer begin so? */
static bool has_part(const looker *a, const char *part) {
    char whole[128];
    snprintf(whole, sizeof whole, PREFIX "%u.%s", a->layer, part);
    for (size_t i = 0; i < a->f->n_tensor; i++)
        if (str_starts(a->f->tensor[i].name, str_of(whole))) return true;
    return false;
}

/* 1 + the largest number that follows `prefix` in a name. */
static uint32_t count_numbered(const tensor_file *f, const char *prefix) {
    const str start = str_of(prefix);
    uint64_t most = 0, n;
    for (size_t i = 0; i < f->n_tensor; i++) {
        str rest = f->tensor[i].name;
        if (!str_starts(rest, start)) continue;
        rest.p += start.len;
        rest.len -= start.len;
        if (str_u64(str_split(&rest, '.'), &n) && n < UINT32_MAX && n + 1 > most) most = n + 1;
    }
    return (uint32_t)most;
}

/* ---- What shapes do not say ---- */

typedef struct told {
    uint32_t heads, kv_heads, head_dim, used_experts, n_groups, context;
    float base, eps;
} told;

#define AT(member) offsetof(told, member)
static const config_key keys[] = {
    {NULL, "num_attention_heads", KEY_U32, false, AT(heads)},
    {NULL, "num_key_value_heads|num_kv_heads", KEY_U32, false, AT(kv_heads)},
    {NULL, "head_dim", KEY_U32, false, AT(head_dim)},
    {NULL, "experts_per_tok|num_experts_per_tok", KEY_U32, false, AT(used_experts)},
    {NULL, "mamba2_n_groups", KEY_U32, false, AT(n_groups)},
    {NULL, "max_seq_len|max_position_embeddings", KEY_U32, false, AT(context)},
    {NULL, "rope_theta", KEY_F32, false, AT(base)},
    {NULL, "rms_norm_eps", KEY_F32, false, AT(eps)},
    {NULL, NULL, KEY_U32, false, 0},
};
#undef AT

enum { DEFAULT_EXPERTS = 2, DEFAULT_CONTEXT = 4096 };
static const float default_base = 10000.0f;
static const float layer_norm_eps = 1e-6f; /* of everything around a Mamba 2 or 3 */

static status read_told(told *t, const tensor_file *f, err *e) {
    *t = (told){.eps = 1e-5f};
    TRY(config_read(f, (str){NULL, 0}, keys, t, e));
    if ((t->base == 0 || (t->base > 1 && t->base <= 1e30f)) && t->eps > 0 && t->eps < 1 &&
        t->context <= 1 << 28)
        return RZ_OK;
    return err_set(e, RZ_EFORMAT, "%s: rope_theta is %g, rms_norm_eps %g, max_seq_len %u", f->path,
                   (double)t->base, (double)t->eps, t->context);
}

static float base_of(model *m, const told *t) {
    if (t->base > 0) return t->base;
    model_note(m, "rope_theta %g by default", (double)default_base);
    return default_base;
}

/* Head size of plain attention: said, or the hidden size by the heads, or the usual one that fits
 * queries and keys. */
static uint32_t head_size(model *m, const told *t, uint32_t q, uint32_t k) {
    static const uint32_t usual[] = {64, 128, 96, 80};
    if (t->head_dim) return t->head_dim;
    if (t->heads) return m->c.D / t->heads;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (q % usual[i] || k % usual[i]) continue;
        model_note(m, "head_dim %u, the usual size that fits", usual[i]);
        return usual[i];
    }
    return 0;
}

/* ---- Layers ---- */

static status cannot(const looker *a, const char *what, err *e) {
    if (a->missing)
        return err_set(e, RZ_EFORMAT, "%s: 1 tensor is missing: " PREFIX "%u.%s", a->f->path,
                       a->layer, a->missing);
    return err_set(e, RZ_EFORMAT, "%s: layer %u: %s", a->f->path, a->layer, what);
}

static status read_attention(model *m, layer *l, looker *a, const told *t, err *e) {
    const uint32_t q = rows_of(a, "self_attn.q_proj.weight");
    const uint32_t k = rows_of(a, "self_attn.k_proj.weight"), K = head_size(m, t, q, k);
    l->mix = MIX_ATTN;
    if (a->missing || K == 0 || K % 2 || K > 4096 || q == 0 || k == 0 || q % K || k % K || q % k)
        return cannot(a, "its heads do not divide q_proj and k_proj; --set head_dim=N", e);
    if (m->rope[0].inv_freq && m->rope[0].n_rot != K)
        return cannot(a, "its heads are of another size than those of a layer before", e);
    l->attend = (attend_config){.H = q / K, .G = k / K, .K = K, .scale = 1 / sqrtf((float)K)};
    if (m->rope[0].inv_freq) return RZ_OK;
    TRY(config_plain_rope(&m->rope[0], K, base_of(m, t), &m->mem, e));
    m->rope[0].half = 1;
    return RZ_OK;
}

static bool same_latent(const mla_config *a, const mla_config *b) {
    return a->rank == b->rank && a->q_rank == b->q_rank && a->nope == b->nope &&
           a->rope == b->rope && a->value == b->value && a->q_rope_apart == b->q_rope_apart;
}

static status read_latent(model *m, layer *l, looker *a, const told *t, err *e) {
    mla_config c = {.q_rope_apart = true};
    c.rope = rows_of(a, "self_attn.w_kr.weight");
    c.rank = rows_of(a, "self_attn.w_dkv.weight");
    c.q_rank = rows_of(a, "self_attn.w_dq.weight");
    const uint32_t turned = rows_of(a, "self_attn.w_qr.weight");
    const uint32_t whole = rows_of(a, "self_attn.w_uq.weight"), H = c.rope ? turned / c.rope : 0;
    l->mix = MIX_MLA;
    l->rope = 1;
    if (a->missing || H == 0 || turned % c.rope || whole == 0 || whole % H)
        return cannot(a, "w_qr, w_kr and w_uq do not agree on the number of heads", e);
    c.nope = c.value = whole / H;
    if (m->c.mla.rank && !same_latent(&c, &m->c.mla))
        return cannot(a, "its latents are of another size than those of a layer before", e);
    m->c.mla = c;
    TRY(config_check_latent(&c, m->file, e));
    l->attend =
        (attend_config){.H = H, .G = H, .K = c.nope, .scale = 1 / sqrtf((float)(c.nope + c.rope))};
    if (m->rope[1].inv_freq) return RZ_OK;
    TRY(config_plain_rope(&m->rope[1], c.rope, base_of(m, t), &m->mem, e));
    m->rope[1].half = 1;
    return RZ_OK;
}

static status read_ffn(model *m, layer *l, looker *a, const told *t, err *e) {
    l->norm_in.eps = l->norm_ffn.eps = t->eps;
    l->ffn = has_part(a, "moe.") ? FFN_MOE : FFN_DENSE;
    if (l->ffn == FFN_DENSE) {
        l->F = rows_of(a, "mlp.gate_proj.weight");
        return l->F ? RZ_OK : cannot(a, "its feed-forward has no width", e);
    }
    char experts[64];
    snprintf(experts, sizeof experts, PREFIX "%u.moe.experts.", a->layer);
    model_config c = m->c;
    c.route = (route_config){.n_expert = count_numbered(a->f, experts),
                             .n_used = t->used_experts,
                             .renormalise = true,
                             .scale = 1};
    c.F_expert = rows_of(a, "moe.experts.0.gate_proj.weight");
    c.F_shared = look(a, "moe.shared_expert.gate_proj.weight")
                     ? rows_of(a, "moe.shared_expert.gate_proj.weight")
                     : 0;
    if (a->missing) return cannot(a, "", e);
    if (t->used_experts == 0) {
        c.route.n_used = c.route.n_expert < DEFAULT_EXPERTS ? c.route.n_expert : DEFAULT_EXPERTS;
        model_note(m, "experts_per_tok %u by default", c.route.n_used);
    }
    if (m->c.route.n_expert && (m->c.route.n_expert != c.route.n_expert ||
                                m->c.F_expert != c.F_expert || m->c.F_shared != c.F_shared))
        return cannot(a, "its experts are others than those of a layer before", e);
    m->c = c;
    return config_check_experts(&m->c, m->file, e);
}

static status read_mamba1(model *m, layer *l, looker *a, err *e) {
    ssm_config *c = &l->ssm;
    l->mix = MIX_MAMBA1;
    l->norm_in.eps = m->c.norm_eps;
    c->inner = c->rank = size_of(a, "mamba.d", 0);
    c->state = size_of(a, "mamba.a_log", 0);
    c->conv = size_of(a, "mamba.conv1d.weight", 0);
    c->state_max = 30;
    if (a->missing) return cannot(a, "", e);
    TRY(config_check_ssm(&m->c, c, m->file, e));
    l->state_width = c->inner * (c->conv - 1 + c->state);
    return RZ_OK;
}

static status read_mamba2(model *m, layer *l, looker *a, const told *t, err *e) {
    ssm_config *c = &l->ssm;
    l->mix = MIX_MAMBA2;
    l->norm_in.eps = l->ssm_norm.eps = layer_norm_eps;
    c->inner = size_of(a, "mamba2.mixer.norm.weight", 0);
    c->heads = size_of(a, "mamba2.mixer.A_log", 0);
    c->conv = size_of(a, "mamba2.mixer.conv1d.weight", 0);
    c->groups = t->n_groups ? t->n_groups : 1;
    if (t->n_groups == 0) model_note(m, "mamba2_n_groups 1 by default");
    const tensor_info *conv = look(a, "mamba2.mixer.conv1d.weight");
    const uint64_t channels = conv ? conv->dim[2] : 0;
    if (a->missing || channels <= c->inner || channels > UINT32_MAX || c->groups == 0 ||
        (channels - c->inner) % (2ull * c->groups))
        return cannot(a, "conv1d's channels are not the inner width and two of each group", e);
    c->state = (uint32_t)((channels - c->inner) / 2 / c->groups);
    TRY(config_check_ssm(&m->c, c, m->file, e));
    l->state_width = (uint32_t)channels * (c->conv - 1) + c->inner * c->state;
    return RZ_OK;
}

/* Rotation, convolution and several ranks are there when their tensors are. */
static status read_mamba3(model *m, layer *l, looker *a, err *e) {
    ssm_config *c = &l->ssm;
    l->mix = MIX_MAMBA3;
    c->wide = 1;
    l->norm_in.eps = l->ssm_norm.eps = c->bc_eps = layer_norm_eps;
    c->inner = size_of(a, "mamba3.mixer.norm.weight", 0);
    c->heads = size_of(a, "mamba3.mixer.A_log", 0);
    c->state = size_of(a, "mamba3.mixer.b_bias", 0);
    const uint64_t rows = rows_of(a, "mamba3.mixer.in_proj.weight");
    const uint64_t rest = rows - 2ull * c->inner - c->heads;
    if (a->missing || rows < 2ull * c->inner + c->heads || c->state == 0 || rest == 0 ||
        rest % (2ull * c->state) || c->heads == 0 || c->inner % c->heads || c->inner == 0)
        return cannot(a, "in_proj's rows are not 2 inner widths, the heads and two of each group",
                      e);
    const uint32_t P = c->inner / c->heads;
    c->groups = (uint32_t)(rest / 2 / c->state);
    if (look(a, "mamba3.mixer.theta_proj.weight")) c->angles = c->state / 2;
    if (look(a, "mamba3.mixer.conv1d.weight"))
        c->conv = size_of(a, "mamba3.mixer.conv1d.weight", 0);
    if (look(a, "mamba3.mixer.mimo_x_up.weight")) {
        c->wide = rows_of(a, "mamba3.mixer.mimo_x_up.weight") / P;
        if (rows_of(a, "mamba3.mixer.mimo_x_down.weight") != P || c->wide == 0)
            return cannot(a, "mimo_x_up and mimo_x_down do not fit its heads", e);
    }
    TRY(config_check_ssm(&m->c, c, m->file, e));
    const scan3_config scan = {.H = c->heads, .P = P * c->wide, .N = c->state, .R = c->angles};
    const uint64_t width =
        ops_scan3_state(&scan) + (c->conv ? c->conv - 1 : 0) * ((uint64_t)c->inner + rest);
    if (width > UINT32_MAX) return cannot(a, "its state is too large", e);
    l->state_width = (uint32_t)width;
    return RZ_OK;
}

static status read_layer(model *m, layer *l, err *e) {
    looker a = {m->file, l->index, NULL};
    told t;
    TRY(read_told(&t, m->file, e));
    l->ssm = (ssm_config){
        .groups = 1, .norm_groups = 1, .act_input = true, .dt_min = 0.001f, .dt_max = 0.1f};
    if (has_part(&a, "mamba3.")) return read_mamba3(m, l, &a, e);
    if (has_part(&a, "mamba2.")) return read_mamba2(m, l, &a, &t, e);
    if (has_part(&a, "mamba.")) return read_mamba1(m, l, &a, e);
    const bool latent = look(&a, "self_attn.w_dkv.weight") != NULL;
    if (!latent && !look(&a, "self_attn.q_proj.weight"))
        return cannot(&a, "has neither mamba, mamba2, mamba3 nor attention tensors", e);
    TRY(latent ? read_latent(m, l, &a, &t, e) : read_attention(m, l, &a, &t, e));
    return read_ffn(m, l, &a, &t, e);
}

/* Nothing is asked of config.json that names and shapes say. */
static status configure(model *m, str name, err *e) {
    const tensor_info *embed = tensor_file_find(m->file, STR_LIT("embed_tokens.weight"));
    told t;
    (void)name;
    TRY(read_told(&t, m->file, e));
    config_plain_scales(&m->c);
    m->c.L = count_numbered(m->file, PREFIX);
    m->c.D = embed->dim[0] <= UINT32_MAX ? (uint32_t)embed->dim[0] : 0;
    m->c.C = t.context ? t.context : DEFAULT_CONTEXT;
    m->c.norm_eps = t.eps;
    model_note(m, "layers and their sizes from names and shapes");
    if (t.context == 0) model_note(m, "max_seq_len %u by default", m->c.C);
    return config_check_depth(&m->c, m->file, e);
}

static const tensor_slot model_slot[] = {
    NEED(NULL, "embed_tokens.weight", WEIGHT, M_AT(embed), V, D),
    NEED(NULL, "norm.weight", NORM, M_AT(norm_out), D, NONE),
    MAYBE(NULL, "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

/* Rows for one kind of mixer, of one kind of feed-forward. */
#define MIXER(mixer, hf, kind, at, out, in, ...) \
    SLOT_ROW(NULL, hf, kind, L_AT(at), out, in, false, __VA_ARGS__, FFN_NONE, MIX_##mixer)
#define ALL PART_ALL, TWIST_NONE
#define MAMBA1(hf, kind, at, out, in, ...) \
    MIXER(MAMBA1, "mamba." hf, kind, at, out, in, __VA_ARGS__)
#define MAMBA2(hf, kind, at, out, in, ...) \
    MIXER(MAMBA2, "mamba2." hf, kind, at, out, in, __VA_ARGS__)
#define MAMBA3(hf, kind, at, out, in, ...) \
    MIXER(MAMBA3, "mamba3." hf, kind, at, out, in, __VA_ARGS__)
#define MAYBE3(hf, kind, at, out, in)                                                       \
    SLOT_ROW(NULL, "mamba3.mixer." hf, kind, L_AT(at), out, in, true, PART_ALL, TWIST_NONE, \
             FFN_NONE, MIX_MAMBA3)
#define LATENT(hf, kind, at, out, in, ...) \
    MIXER(MLA, "self_attn." hf, kind, at, out, in, __VA_ARGS__)
#define EXPERTS(hf, kind, at, out, in) FFN(MOE, NULL, "moe." hf, kind, L_AT(at), out, in)

/* What Mamba 2 and 3, which have heads, have in common. row: MAMBA2 or MAMBA3. */
#define HEADED_ROWS(row)                                                                      \
    row("norm.weight", CENTER, norm_in, D, NONE, ALL),                                        \
        row("norm.bias", VECTOR, norm_in.bias, D, NONE, ALL),                                 \
        row("mixer.in_proj.weight", WEIGHT, ssm_in_z, SI, D, PART_SSM_Z, TWIST_NONE),         \
        row("mixer.in_proj.weight", WEIGHT, ssm_in_x, SC, D, PART_SSM_X, TWIST_NONE),         \
        row("mixer.in_proj.weight", WEIGHT, ssm_dt, SH, D, PART_SSM_DT, TWIST_NONE),          \
        row("mixer.in_proj.bias", VECTOR, ssm_in_z_bias, SI, NONE, PART_SSM_Z, TWIST_NONE),   \
        row("mixer.in_proj.bias", VECTOR, ssm_in_x_bias, SC, NONE, PART_SSM_X, TWIST_NONE),   \
        row("mixer.in_proj.bias", VECTOR, ssm_dt_in_bias, SH, NONE, PART_SSM_DT, TWIST_NONE), \
        row("mixer.dt_bias", FLAT, ssm_dt_bias, SH, NONE, ALL),                               \
        row("mixer.A_log", FLAT, ssm_A, SH, NONE, PART_ALL, TWIST_NEG_EXP_BOUND),             \
        row("mixer.D", FLAT, ssm_skip, SH, NONE, ALL),                                        \
        row("mixer.norm.weight", FLAT, ssm_norm.gain, SI, NONE, ALL),                         \
        row("mixer.out_proj.weight", WEIGHT, ssm_out, D, SI, ALL),                            \
        row("mixer.out_proj.bias", VECTOR, ssm_out_bias, D, NONE, ALL)

/* clang-format off */
static const tensor_slot layer_slot[] = {
    MIXER(ATTN, "input_layernorm.weight", NORM, norm_in, D, NONE, ALL),
    MIXER(ATTN, "self_attn.q_proj.weight", WEIGHT, q, HK, D, ALL),
    MIXER(ATTN, "self_attn.k_proj.weight", WEIGHT, k, GK, D, ALL),
    MIXER(ATTN, "self_attn.v_proj.weight", WEIGHT, v, GK, D, ALL),
    MIXER(ATTN, "self_attn.o_proj.weight", WEIGHT, o, D, HK, ALL),

    MIXER(MLA, "input_layernorm.weight", NORM, norm_in, D, NONE, ALL),
    LATENT("w_dkv.weight", WEIGHT, kv_down, MC, D, ALL),
    LATENT("w_kr.weight", WEIGHT, kv_rope, MR, D, ALL),
    LATENT("w_dq.weight", WEIGHT, q_down, MQ, D, ALL),
    LATENT("w_uq.weight", WEIGHT, q, MP, MQ, ALL),
    LATENT("w_qr.weight", WEIGHT, q_rope, MT, D, ALL),
    LATENT("w_uk.weight", HEADS, k_up, MC, MN, PART_HEADS_TURNED, TWIST_NONE),
    LATENT("w_uv.weight", HEADS, v_up, MV, MC, ALL),
    LATENT("o_proj.weight", WEIGHT, o, D, MO, ALL),

    FFN(DENSE, NULL, "post_attention_layernorm.weight", NORM, L_AT(norm_ffn), D, NONE),
    FFN(DENSE, NULL, "mlp.gate_proj.weight", WEIGHT, L_AT(gate), F, D),
    FFN(DENSE, NULL, "mlp.up_proj.weight", WEIGHT, L_AT(up), F, D),
    FFN(DENSE, NULL, "mlp.down_proj.weight", WEIGHT, L_AT(down), D, F),

    FFN(MOE, NULL, "post_attention_layernorm.weight", NORM, L_AT(norm_ffn), D, NONE),
    FFN_MAYBE(MOE, NULL, "moe.gate.weight", WEIGHT, L_AT(router), E, D),
    EXPERTS("router.gate.weight", WEIGHT, router, E, D),
    EXPERTS("experts.*.gate_proj.weight", EXPERTS, experts_gate, FE, D),
    EXPERTS("experts.*.up_proj.weight", EXPERTS, experts_up, FE, D),
    EXPERTS("experts.*.down_proj.weight", EXPERTS, experts_down, D, FE),
    EXPERTS("shared_expert.gate_proj.weight", WEIGHT, shared_gate, FS, D),
    EXPERTS("shared_expert.up_proj.weight", WEIGHT, shared_up, FS, D),
    EXPERTS("shared_expert.down_proj.weight", WEIGHT, shared_down, D, FS),

    MIXER(MAMBA1, "norm.weight", NORM, norm_in, D, NONE, ALL),
    MAMBA1("in_proj.weight", WEIGHT, ssm_in_x, SI, D, PART_FIRST, TWIST_NONE),
    MAMBA1("in_proj.weight", WEIGHT, ssm_in_z, SI, D, PART_SECOND, TWIST_NONE),
    MAMBA1("conv1d.weight", FLAT, ssm_conv, SI, SK, ALL),
    MAMBA1("conv1d.bias", FLAT, ssm_conv_bias, SI, NONE, ALL),
    MAMBA1("x_proj.weight", WEIGHT, ssm_x_dt, SR, SI, PART_X_DT, TWIST_NONE),
    MAMBA1("x_proj.weight", WEIGHT, ssm_x_B, SN, SI, PART_X_B, TWIST_NONE),
    MAMBA1("x_proj.weight", WEIGHT, ssm_x_C, SN, SI, PART_X_C, TWIST_NONE),
    MAMBA1("dt_proj.weight", WEIGHT, ssm_dt, SI, SR, ALL),
    MAMBA1("dt_proj.bias", FLAT, ssm_dt_bias, SI, NONE, ALL),
    MAMBA1("a_log", FLAT, ssm_A, SI, SN, PART_ALL, TWIST_EXP_NEG),
    MAMBA1("d", FLAT, ssm_skip, SI, NONE, ALL),
    MAMBA1("out_proj.weight", WEIGHT, ssm_out, D, SI, ALL),

    HEADED_ROWS(MAMBA2),
    MAMBA2("mixer.conv1d.weight", FLAT, ssm_conv, SC, SK, ALL),
    MAMBA2("mixer.conv1d.bias", FLAT, ssm_conv_bias, SC, NONE, ALL),

    HEADED_ROWS(MAMBA3),
    MAMBA3("mixer.lambda_proj.weight", WEIGHT, ssm_lambda, SH, D, ALL),
    MAMBA3("mixer.lambda_proj.bias", VECTOR, ssm_lambda_bias, SH, NONE, ALL),
    MAMBA3("mixer.b_bias", FLAT, ssm_B_bias, SH, SN, ALL),
    MAMBA3("mixer.c_bias", FLAT, ssm_C_bias, SH, SN, ALL),
    MAMBA3("mixer.bc_norm.weight", VECTOR, ssm_B_gain, SN, NONE, ALL),
    MAMBA3("mixer.bc_norm.weight", VECTOR, ssm_C_gain, SN, NONE, ALL),
    MAYBE3("theta_proj.weight", WEIGHT, ssm_theta, SA, D),
    MAYBE3("theta_proj.bias", VECTOR, ssm_theta_bias, SA, NONE),
    MAYBE3("conv1d.weight", FLAT, ssm_conv, SC, SK),
    MAYBE3("conv1d.bias", FLAT, ssm_conv_bias, SC, NONE),
    MAYBE3("mimo_x_up.weight", WEIGHT, ssm_widen, SW, SP),
    MAYBE3("mimo_x_up.bias", VECTOR, ssm_widen_bias, SW, NONE),
    MAYBE3("mimo_x_down.weight", WEIGHT, ssm_narrow, SP, SW),
    MAYBE3("mimo_x_down.bias", VECTOR, ssm_narrow_bias, SP, NONE),
    SLOT_END,
};
/* clang-format on */

extern const arch arch_oxidizr;
const arch arch_oxidizr = {.name = "oxidizr",
                           .hf_layer = PREFIX,
                           .claims = claims,
                           .configure = configure,
                           .read_layer = read_layer,
                           .model_slot = model_slot,
                           .layer_slot = layer_slot};
