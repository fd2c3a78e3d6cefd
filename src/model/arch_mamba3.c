/* arch_mamba3.c - the official Mamba 3 module, one input at a time (no MIMO), in the names of the
 * state-spaces repository: decay, step, lambda and angles are rows of one projection.
 *
 * Its config.json has no model_type; ssm_cfg.layer says what it is. */
#include <math.h>

#include "kernels/ops_ssm3.h"
#include "model/arch.h"

enum { MLP_MULTIPLE = 128 };

static bool claims(const tensor_file *f) {
    const json *kind = json_get(json_get(f->config, "ssm_cfg"), "layer");
    return kind && kind->kind == JSON_STRING && str_is(kind->text, "Mamba3");
}

typedef struct official {
    uint32_t head, expand, inter, n_rope;
    float fraction, floor;
    bool mimo;
} official;

#define AT(member) offsetof(official, member)
static const config_key keys[] = {
    {NULL, "ssm_cfg.headdim", KEY_U32, false, AT(head)},
    {NULL, "ssm_cfg.expand", KEY_U32, false, AT(expand)},
    {NULL, "d_intermediate", KEY_U32, false, AT(inter)},
    {NULL, "ssm_cfg.rope_fraction", KEY_F32, false, AT(fraction)},
    {NULL, "ssm_cfg.A_floor", KEY_F32, false, AT(floor)},
    {NULL, "ssm_cfg.is_mimo", KEY_BOOL, false, AT(mimo)},
    {NULL, NULL, KEY_U32, false, 0},
};
#undef AT

#define AT(member) offsetof(model_config, member)
static const config_key size_keys[] = {
    {NULL, "n_layer", KEY_U32, true, AT(L)},
    {NULL, "d_model", KEY_U32, true, AT(D)},
    {NULL, "ssm_cfg.d_state", KEY_U32, false, AT(ssm.state)},
    {NULL, "ssm_cfg.ngroups", KEY_U32, false, AT(ssm.groups)},
    {NULL, NULL, KEY_U32, false, 0},
};
#undef AT

static status configure(model *m, str name, err *e) {
    official o = {.head = 64, .expand = 2, .fraction = 0.5f, .floor = 1e-4f};
    model_config *c = &m->c;
    ssm_config *s = &c->ssm;
    config_plain_scales(c);
    c->norm_eps = 1e-5f;
    c->C = 1 << 20; /* nothing in the model bounds it */
    *s = (ssm_config){.state = 128, .groups = 1, .wide = 1, .dt_max = INFINITY, .bc_eps = 1e-5f};
    TRY(config_read(m->file, name, keys, &o, e));
    TRY(config_read(m->file, name, size_keys, c, e));
    if (o.mimo)
        return err_set(e, RZ_EUNSUPPORTED, "%s: ssm_cfg.is_mimo is not supported", m->file->path);
    if (!(o.fraction == 0.5f || o.fraction == 1.0f) || !(o.floor > 0) || !isfinite(o.floor))
        return err_set(e, RZ_EFORMAT, "%s: ssm_cfg.rope_fraction is %g, A_floor %g", m->file->path,
                       (double)o.fraction, (double)o.floor);
    if (o.expand == 0 || o.expand > 64 || o.head == 0 || c->D == 0 || c->D > 1 << 20 ||
        o.inter > 1 << 20 || c->D * (uint64_t)o.expand % o.head)
        return err_set(e, RZ_EFORMAT, "%s: d_model %u, expand %u, headdim %u do not fit",
                       m->file->path, c->D, o.expand, o.head);
    s->inner = c->D * o.expand;
    s->heads = s->inner / o.head;
    s->angles = (uint32_t)((float)s->state * o.fraction) / 2;
    s->angles_shared = s->norm_first = true;
    s->norm_groups = s->heads;
    s->decay_floor = o.floor;
    c->F = (o.inter + MLP_MULTIPLE - 1) / MLP_MULTIPLE * MLP_MULTIPLE;
    return config_check_ssm(c, s, m->file, e);
}

static void layer_kinds(const model *m, layer *l) {
    l->mix = MIX_MAMBA3;
    l->ffn = m->c.F ? FFN_DENSE : FFN_NONE;
    l->F = m->c.F;
    l->ssm = m->c.ssm;
    l->ssm_norm.eps = m->c.norm_eps;
    l->state_width = (uint32_t)ops_scan3_state(&(scan3_config){.H = l->ssm.heads,
                                                               .P = l->ssm.inner / l->ssm.heads,
                                                               .N = l->ssm.state,
                                                               .R = l->ssm.angles});
}

static const tensor_slot model_slot[] = {
    NEED(NULL, "backbone.embedding.weight", WEIGHT, M_AT(embed), V, D),
    NEED(NULL, "backbone.norm_f.weight", NORM, M_AT(norm_out), D, NONE),
    MAYBE(NULL, "lm_head.weight", WEIGHT, M_AT(head), V, D),
    SLOT_END,
};

#define IN(at, out, part) ROWS(NULL, "mixer.in_proj.weight", WEIGHT, L_AT(at), out, D, part, NONE)
static const tensor_slot layer_slot[] = {
    NEED(NULL, "norm.weight", NORM, L_AT(norm_in), D, NONE),
    IN(ssm_in_z, SI, SSM_Z),
    IN(ssm_in_x, SC, SSM_X),
    IN(ssm_dt, SH, SSM_DT),
    IN(ssm_decay, SH, SSM_DECAY),
    IN(ssm_lambda, SH, SSM_LAMBDA),
    IN(ssm_theta, SA, SSM_ANGLE),
    NEED(NULL, "mixer.dt_bias", FLAT, L_AT(ssm_dt_bias), SH, NONE),
    NEED(NULL, "mixer.D", FLAT, L_AT(ssm_skip), SH, NONE),
    NEED(NULL, "mixer.B_bias", FLAT, L_AT(ssm_B_bias), SH, SN),
    NEED(NULL, "mixer.C_bias", FLAT, L_AT(ssm_C_bias), SH, SN),
    NEED(NULL, "mixer.B_norm.weight", VECTOR, L_AT(ssm_B_gain), SN, NONE),
    NEED(NULL, "mixer.C_norm.weight", VECTOR, L_AT(ssm_C_gain), SN, NONE),
    MAYBE(NULL, "mixer.norm.weight", FLAT, L_AT(ssm_norm.gain), SI, NONE),
    NEED(NULL, "mixer.out_proj.weight", WEIGHT, L_AT(ssm_out), D, SI),
    FFN(DENSE, NULL, "norm2.weight", NORM, L_AT(norm_ffn), D, NONE),
    SLOT_ROW(NULL, "mlp.fc1.weight", WEIGHT, L_AT(up), F, D, false, PART_FIRST, TWIST_NONE,
             FFN_DENSE, MIX_NONE),
    SLOT_ROW(NULL, "mlp.fc1.weight", WEIGHT, L_AT(gate), F, D, false, PART_SECOND, TWIST_NONE,
             FFN_DENSE, MIX_NONE),
    FFN(DENSE, NULL, "mlp.fc2.weight", WEIGHT, L_AT(down), D, F),
    SLOT_END,
};

extern const arch arch_mamba3;
const arch arch_mamba3 = {.name = "mamba3",
                          .hf_layer = "backbone.layers.",
                          .claims = claims,
                          .configure = configure,
                          .layer_kinds = layer_kinds,
                          .model_slot = model_slot,
                          .layer_slot = layer_slot};
