/* arch_rows.h - rows of the tensor tables that many families share, in groups.
 *
 * GGUF has one name for each thing; in checkpoint folders most families kept llama's. A family
 * that differs in one row of a group writes the group's rows itself. */
#ifndef MODEL_ARCH_ROWS_H
#define MODEL_ARCH_ROWS_H

#include "model/arch.h"

/* ---- Whole tables of a model: embedding, last norm, and a head unless it is the embedding ---- */

extern const tensor_slot arch_model_rms[];      /* the norm is RMSNorm */
extern const tensor_slot arch_model_plus_one[]; /* RMSNorm with gains of 1 + w, never a head */
extern const tensor_slot arch_model_center[];   /* LayerNorm with bias */

/* ---- Groups of a layer's rows ---- */

/* Norms in front of attention and feed-forward. */
#define RMS_NORM_ROWS                                                                 \
    NEED("attn_norm.weight", "input_layernorm.weight", NORM, L_AT(norm_in), D, NONE), \
        NEED("ffn_norm.weight", "post_attention_layernorm.weight", NORM, L_AT(norm_ffn), D, NONE)
#define LAYER_NORM_ROWS                                                                        \
    NEED("attn_norm.weight", "input_layernorm.weight", CENTER, L_AT(norm_in), D, NONE),        \
        NEED("attn_norm.bias", "input_layernorm.bias", VECTOR, L_AT(norm_in.bias), D, NONE),   \
        NEED("ffn_norm.weight", "post_attention_layernorm.weight", CENTER, L_AT(norm_ffn), D,  \
             NONE),                                                                            \
        NEED("ffn_norm.bias", "post_attention_layernorm.bias", VECTOR, L_AT(norm_ffn.bias), D, \
             NONE)

/* RMSNorms of gains 1 + w in front of both branches and behind them. */
#define FOUR_PLUS_ONE_NORM_ROWS                                                                    \
    ROWS("attn_norm.weight", "input_layernorm.weight", NORM, L_AT(norm_in), D, NONE, ALL,          \
         PLUS_ONE),                                                                                \
        ROWS("post_attention_norm.weight", "post_attention_layernorm.weight", NORM,                \
             L_AT(norm_mix_out), D, NONE, ALL, PLUS_ONE),                                          \
        ROWS("ffn_norm.weight", "pre_feedforward_layernorm.weight", NORM, L_AT(norm_ffn), D, NONE, \
             ALL, PLUS_ONE),                                                                       \
        ROWS("post_ffw_norm.weight", "post_feedforward_layernorm.weight", NORM,                    \
             L_AT(norm_ffn_out), D, NONE, ALL, PLUS_ONE)

/* Projections of attention, each a tensor of its own. */
#define QKVO_ROWS                                                                 \
    NEED("attn_q.weight", "self_attn.q_proj.weight", WEIGHT, L_AT(q), HK, D),     \
        NEED("attn_k.weight", "self_attn.k_proj.weight", WEIGHT, L_AT(k), GK, D), \
        NEED("attn_v.weight", "self_attn.v_proj.weight", WEIGHT, L_AT(v), GK, D), \
        NEED("attn_output.weight", "self_attn.o_proj.weight", WEIGHT, L_AT(o), D, HK)
/* The same where only some layers attend; hf stands in front of the names in folders, hf_o is what
 * the last projection is called. */
#define MIXED_QKVO_ROWS(hf, hf_o)                                              \
    ATTN_ROW("attn_q.weight", hf "q_proj.weight", WEIGHT, L_AT(q), HK, D),     \
        ATTN_ROW("attn_k.weight", hf "k_proj.weight", WEIGHT, L_AT(k), GK, D), \
        ATTN_ROW("attn_v.weight", hf "v_proj.weight", WEIGHT, L_AT(v), GK, D), \
        ATTN_ROW("attn_output.weight", hf hf_o "weight", WEIGHT, L_AT(o), D, HK)
#define ATTN_ROW(gguf, hf, kind, at, out, in) \
    SLOT_ROW(gguf, hf, kind, at, out, in, false, PART_ALL, TWIST_NONE, FFN_NONE, MIX_ATTN)
/* row: NEED or MAYBE. */
#define QKV_BIAS_ROWS(row)                                                           \
    row("attn_q.bias", "self_attn.q_proj.bias", VECTOR, L_AT(q_bias), HK, NONE),     \
        row("attn_k.bias", "self_attn.k_proj.bias", VECTOR, L_AT(k_bias), GK, NONE), \
        row("attn_v.bias", "self_attn.v_proj.bias", VECTOR, L_AT(v_bias), GK, NONE)

/* q, k and v in one tensor, which checkpoint folders call `hf` "weight" and twist so. */
#define FUSED_QKV_ROWS(hf, twist)                                               \
    ROWS("attn_qkv.weight", hf "weight", WEIGHT, L_AT(q), HK, D, Q, twist),     \
        ROWS("attn_qkv.weight", hf "weight", WEIGHT, L_AT(k), GK, D, K, twist), \
        ROWS("attn_qkv.weight", hf "weight", WEIGHT, L_AT(v), GK, D, V, twist)
#define FUSED_QKV_BIAS_ROWS(hf, twist)                                              \
    ROWS("attn_qkv.bias", hf "bias", VECTOR, L_AT(q_bias), HK, NONE, Q, twist),     \
        ROWS("attn_qkv.bias", hf "bias", VECTOR, L_AT(k_bias), GK, NONE, K, twist), \
        ROWS("attn_qkv.bias", hf "bias", VECTOR, L_AT(v_bias), GK, NONE, V, twist)

/* Mamba 2 where only some layers are. hf: what stands in front of the names in folders. */
#define MAMBA2_ROW(gguf, hf, kind, at, out, in, part, twist)                                 \
    SLOT_ROW(gguf, hf, kind, L_AT(at), out, in, false, PART_##part, TWIST_##twist, FFN_NONE, \
             MIX_MAMBA2)
#define MAMBA2_BIAS_ROW(gguf, hf, kind, at, out, part)                                     \
    SLOT_ROW(gguf, hf, kind, L_AT(at), out, NONE, true, PART_##part, TWIST_NONE, FFN_NONE, \
             MIX_MAMBA2)
#define MAMBA2_ROWS(hf)                                                                            \
    MAMBA2_ROW("ssm_in.weight", hf "in_proj.weight", WEIGHT, ssm_in_z, SI, D, SSM_Z, NONE),        \
        MAMBA2_ROW("ssm_in.weight", hf "in_proj.weight", WEIGHT, ssm_in_x, SC, D, SSM_X, NONE),    \
        MAMBA2_ROW("ssm_in.weight", hf "in_proj.weight", WEIGHT, ssm_dt, SH, D, SSM_DT, NONE),     \
        MAMBA2_BIAS_ROW(NULL, hf "in_proj.bias", VECTOR, ssm_in_z_bias, SI, SSM_Z),                \
        MAMBA2_BIAS_ROW(NULL, hf "in_proj.bias", VECTOR, ssm_in_x_bias, SC, SSM_X),                \
        MAMBA2_BIAS_ROW(NULL, hf "in_proj.bias", VECTOR, ssm_dt_in_bias, SH, SSM_DT),              \
        MAMBA2_ROW("ssm_conv1d.weight", hf "conv1d.weight", FLAT, ssm_conv, SC, SK, ALL, NONE),    \
        MAMBA2_BIAS_ROW("ssm_conv1d.bias", hf "conv1d.bias", FLAT, ssm_conv_bias, SC, ALL),        \
        MAMBA2_ROW("ssm_dt.bias", hf "dt_bias", FLAT, ssm_dt_bias, SH, NONE, ALL, NONE),           \
        MAMBA2_ROW("ssm_a", hf "A_log", FLAT, ssm_A, SH, NONE, ALL, NEG_EXP),                      \
        MAMBA2_ROW("ssm_d", hf "D", FLAT, ssm_skip, SH, NONE, ALL, NONE),                          \
        MAMBA2_ROW("ssm_norm.weight", hf "norm.weight", FLAT, ssm_norm.gain, SI, NONE, ALL, NONE), \
        MAMBA2_ROW("ssm_out.weight", hf "out_proj.weight", WEIGHT, ssm_out, D, SI, ALL, NONE),     \
        MAMBA2_BIAS_ROW(NULL, hf "out_proj.bias", VECTOR, ssm_out_bias, D, ALL)

/* Feed-forwards: a gated one; one of two matrices with biases; gated experts. hf: what stands in
 * front of the names in checkpoint folders, hf_router the router's. */
#define GATED_FFN_ROWS(hf)                                                          \
    FFN(DENSE, "ffn_gate.weight", hf "gate_proj.weight", WEIGHT, L_AT(gate), F, D), \
        FFN(DENSE, "ffn_up.weight", hf "up_proj.weight", WEIGHT, L_AT(up), F, D),   \
        FFN(DENSE, "ffn_down.weight", hf "down_proj.weight", WEIGHT, L_AT(down), D, F)
#define PLAIN_FFN_ROWS(hf_up, hf_down)                                       \
    NEED("ffn_up.weight", hf_up "weight", WEIGHT, L_AT(up), F, D),           \
        NEED("ffn_up.bias", hf_up "bias", VECTOR, L_AT(up_bias), F, NONE),   \
        NEED("ffn_down.weight", hf_down "weight", WEIGHT, L_AT(down), D, F), \
        NEED("ffn_down.bias", hf_down "bias", VECTOR, L_AT(down_bias), D, NONE)
#define EXPERT_ROWS(hf, hf_router)                                                               \
    FFN(MOE, "ffn_gate_inp.weight", hf hf_router "weight", WEIGHT, L_AT(router), E, D),          \
        FFN(MOE, "ffn_gate_exps.weight", hf "experts.*.gate_proj.weight", EXPERTS,               \
            L_AT(experts_gate), FE, D),                                                          \
        FFN(MOE, "ffn_up_exps.weight", hf "experts.*.up_proj.weight", EXPERTS, L_AT(experts_up), \
            FE, D),                                                                              \
        FFN(MOE, "ffn_down_exps.weight", hf "experts.*.down_proj.weight", EXPERTS,               \
            L_AT(experts_down), D, FE)

#endif
