/* arch_gptoss.c - gpt-oss: experts in MXFP4 with biases and a clamped SwiGLU, attention with a sink
 * for each head and biases everywhere, every other layer (the first too) within a window.
 *
 * Checkpoint folders interleave gate and up row by row, and keep blocks and scales apart. YaRN's
 * ramp does not begin and end at whole dims, though GGUF files do not say so. */
#include "model/arch_rows.h"

enum { PATTERN = 2 };

static status configure(model *m, str name, err *e) {
    m->c.act = ACT_SWIGLU_CLAMPED;
    m->c.route.renormalise = true;
    m->c.rope_base = 150000.0f;
    m->c.window_pattern = PATTERN;
    m->c.yarn_between = true;
    TRY(config_read_transformer(&m->c, m->file, name, e));
    TRY(config_read_experts(&m->c, m->file, name, e));
    TRY(config_u32(m->file, name, "attention.sliding_window", "sliding_window", &m->c.window, e));
    TRY(config_u32(m->file, name, "attention.sliding_window_pattern", NULL, &m->c.window_pattern,
                   e));
    if (m->c.window_pattern == 0)
        return err_set(e, RZ_EFORMAT, "%s: attention.sliding_window_pattern is 0", m->file->path);
    return arch_read_rope(m, name, true, e);
}

static void layer_kinds(const model *m, layer *l) {
    const str type = arch_layer_type(m->file, l->index);
    const bool global =
        type.p ? str_is(type, "full_attention") : (l->index + 1) % m->c.window_pattern == 0;
    arch_plain_layer(m, l);
    l->ffn = FFN_MOE;
    if (global) l->attend.window = 0;
}

/* Rows for one kind of file, of layers that all have experts. */
#define EXPERT(gguf, hf, kind, at, out, in, part, twist) \
    ROWS(gguf, hf, kind, L_AT(at), out, in, part, twist)

static const tensor_slot layer_slot[] = {
    NEED("attn_norm.weight", "input_layernorm.weight", NORM, L_AT(norm_in), D, NONE),
    NEED("post_attention_norm.weight", "post_attention_layernorm.weight", NORM, L_AT(norm_ffn), D,
         NONE),
    QKVO_ROWS,
    QKV_BIAS_ROWS(NEED),
    NEED("attn_output.bias", "self_attn.o_proj.bias", VECTOR, L_AT(o_bias), D, NONE),
    NEED("attn_sinks.weight", "self_attn.sinks", VECTOR, L_AT(attend.sink), H, NONE),
    NEED("ffn_gate_inp.weight", "mlp.router.weight", WEIGHT, L_AT(router), E, D),
    NEED("ffn_gate_inp.bias", "mlp.router.bias", VECTOR, L_AT(router_out_bias), E, NONE),
    EXPERT("ffn_gate_exps.weight", NULL, EXPERTS, experts_gate, FE, D, ALL, NONE),
    EXPERT("ffn_up_exps.weight", NULL, EXPERTS, experts_up, FE, D, ALL, NONE),
    EXPERT("ffn_down_exps.weight", NULL, EXPERTS, experts_down, D, FE, ALL, NONE),
    EXPERT("ffn_gate_exps.bias", NULL, FLAT, experts_gate_bias, E, FE, ALL, NONE),
    EXPERT("ffn_up_exps.bias", NULL, FLAT, experts_up_bias, E, FE, ALL, NONE),
    EXPERT("ffn_down_exps.bias", "mlp.experts.down_proj_bias", FLAT, experts_down_bias, E, D, ALL,
           NONE),
    EXPERT(NULL, "mlp.experts.gate_up_proj", EXPERTS, experts_gate, FE, D, EVEN, MX_SPLIT),
    EXPERT(NULL, "mlp.experts.gate_up_proj", EXPERTS, experts_up, FE, D, ODD, MX_SPLIT),
    EXPERT(NULL, "mlp.experts.down_proj", EXPERTS, experts_down, D, FE, ALL, MX_SPLIT),
    EXPERT(NULL, "mlp.experts.gate_up_proj_bias", FLAT, experts_gate_bias, E, FE, EVEN, NONE),
    EXPERT(NULL, "mlp.experts.gate_up_proj_bias", FLAT, experts_up_bias, E, FE, ODD, NONE),
    SLOT_END,
};

extern const arch arch_gptoss;
const arch arch_gptoss = {.name = "gpt-oss",
                          .hf_types = "gpt_oss",
                          .hf_layer = "model.layers.",
                          .configure = configure,
                          .layer_kinds = layer_kinds,
                          .model_slot = arch_model_rms,
                          .layer_slot = layer_slot};
