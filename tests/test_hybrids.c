/* test_hybrids.c - gpt-oss, lfm2, jamba, granitehybrid, bamba, nemotron-h: tiny random models, in
 * both kinds of file, against a slow forward pass in double written from their equations. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "tiny.h"

enum { D = 64, H = 4, G = 2, K = 16, F = 96, V = 37, L = 5, T = 45, E = 5, USED = 2, FE = 32 };
enum { HK = H * K, GK = G * K };

static const double eps = 1e-5;
static tiny t;
static double keys[L][T][GK], values[L][T][GK];

static const float *get(int layer, const char *name) { return tiny_get(&t, layer, name); }

static void linear(int layer, const char *name, double *y, const double *x, size_t rows,
                   size_t cols) {
    char w[96], b[96];
    snprintf(w, sizeof w, "%s.weight", name);
    snprintf(b, sizeof b, "%s.bias", name);
    tiny_times(y, get(layer, w), get(layer, b), x, rows, cols);
}

static void add_to(double *x, const double *y, double factor) {
    for (int d = 0; d < D; d++) x[d] += y[d] * factor;
}

/* y = down(silu(gate x) * (up x)), matrices by pointer. */
static void swiglu(double *y, const double *x, const float *gate, const float *up,
                   const float *down, size_t width) {
    double a[F], b[F];
    tiny_times(a, gate, NULL, x, width, D);
    tiny_times(b, up, NULL, x, width, D);
    for (size_t i = 0; i < width; i++) a[i] = tiny_silu(a[i]) * b[i];
    tiny_times(y, down, NULL, a, D, width);
}

/* A family: weights, metadata, and one position through one layer. */
typedef struct family {
    const char *name, *config, *last_norm;
    void (*make)(void);
    tiny_head_fn *head; /* NULL: GGUF has no form of it */
    void (*layer)(int layer, int pos, double *x);
    double embed_scale, logit_scale; /* 0: 1 */
    bool rounds;                     /* products with blocks round what goes into them */
    const char *embed, *layers, *attention, *mamba; /* names in folders; NULL: the usual ones */
} family;
#define FAMILY(stem) .make = make_##stem, .head = stem##_head, .layer = stem##_layer

/* Of the family at hand. */
static const char *attention_at, *mamba_at;

static const char *named(const char *at, const char *what) {
    static char name[2][96];
    static int turn;
    turn = !turn;
    snprintf(name[turn], sizeof name[turn], "%s%s", at, what);
    return name[turn];
}

static void run_reference(const family *f, const rz_token *ids, double *logits) {
    const float *embed = get(-1, f->embed), *head = get(-1, "lm_head.weight");
    for (int p = 0; p < T; p++) {
        double x[D];
        for (int d = 0; d < D; d++) x[d] = (double)embed[ids[p] * D + d] * f->embed_scale;
        for (int i = 0; i < L; i++) f->layer(i, p, x);
        tiny_rms(x, x, D, get(-1, f->last_norm), eps);
        tiny_times(logits + (size_t)p * V, head ? head : embed, NULL, x, V, D);
        for (int v = 0; v < V; v++) logits[p * V + v] *= f->logit_scale;
    }
}

static void check_family(const family *given) {
    static double want[T * V];
    family usual = *given;
    const family *f = &usual;
    char what[64];
    rz_token ids[T];
    rz_error e = {0};
    buf file = BUF_INIT;
    rz_model *m = NULL;
    for (int i = 0; i < T; i++) ids[i] = (i * 11 + 3) % V;
    if (usual.embed_scale == 0) usual.embed_scale = 1;
    if (usual.logit_scale == 0) usual.logit_scale = 1;
    if (!usual.embed) usual.embed = "model.embed_tokens.weight";
    attention_at = usual.attention ? usual.attention : "self_attn.";
    mamba_at = usual.mamba ? usual.mamba : "mamba.";
    tiny_begin(&t, usual.layers ? usual.layers : "model.layers.", 7);
    tiny_add(&t, -1, f->embed, "token_embd.weight", V, D, 0);
    f->make();
    run_reference(f, ids, want);
    if (f->head) {
        REQUIRE(tiny_gguf(&t, f->head, &file, &e) == RZ_OK);
        if (rz_model_open_memory(&m, file.p, file.len, NULL, &e) < 0)
            test_fail(__FILE__, __LINE__, "%s", e.text);
    }
    snprintf(what, sizeof what, "%s as GGUF", f->name);
    if (m) tiny_check_logits(what, m, ids, T, want, f->rounds ? 2e-2 : 2e-5);
    rz_model_close(m);
    m = NULL;
    const char *folder = tiny_folder(&t, f->name, f->config);
    REQUIRE(folder != NULL);
    rz_model_options opt = RZ_MODEL_INIT;
    opt.threads = 2;
    if (rz_model_open(&m, folder, &opt, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    snprintf(what, sizeof what, "%s as a folder", f->name);
    if (m) tiny_check_logits(what, m, ids, T, want, f->rounds ? 2e-2 : 2e-5);
    rz_model_close(m);
    buf_free(&file);
    tiny_end(&t);
}

static status put_common(gguf_writer *g, const char *arch, err *e) {
    static const tiny_number sizes[] = {{"block_count", L},
                                        {"embedding_length", D},
                                        {"attention.head_count", H},
                                        {"attention.key_length", K},
                                        {"attention.value_length", K},
                                        {"context_length", 64},
                                        {"attention.layer_norm_rms_epsilon", 1e-5},
                                        {NULL, 0}};
    TRY(gguf_put_str(g, "general.architecture", str_of(arch), e));
    return tiny_put_numbers(g, arch, sizes, e);
}

#define COMMON                                                              \
    "\"num_hidden_layers\":5,\"hidden_size\":64,\"num_attention_heads\":4," \
    "\"num_key_value_heads\":2,\"head_dim\":16,\"max_position_embeddings\":64,"

static void add_ends(const char *last_norm, const char *gguf_norm, bool own_head) {
    tiny_add(&t, -1, last_norm, gguf_norm, D, 0, 0);
    if (own_head) tiny_add(&t, -1, "lm_head.weight", "output.weight", V, D, 0);
}

static void add_qkvo(int i, const char *hf_o, bool biases) {
    const struct {
        const char *hf, *gguf;
        uint64_t rows, cols;
    } row[] = {{"q_proj", "attn_q", HK, D},
               {"k_proj", "attn_k", GK, D},
               {"v_proj", "attn_v", GK, D},
               {hf_o, "attn_output", D, HK}};
    for (size_t r = 0; r < 4; r++) {
        char hf[64], gguf[64];
        snprintf(hf, sizeof hf, "%s%s.weight", attention_at, row[r].hf);
        snprintf(gguf, sizeof gguf, "%s.weight", row[r].gguf);
        tiny_add(&t, i, hf, gguf, row[r].rows, row[r].cols, 0);
        snprintf(hf, sizeof hf, "%s%s.bias", attention_at, row[r].hf);
        snprintf(gguf, sizeof gguf, "%s.bias", row[r].gguf);
        if (biases) tiny_add(&t, i, hf, gguf, row[r].rows, 0, 0);
    }
}

/* Queries of this position, keys and values of it added to those before. */
static void project_qkv(int i, int pos, double *q, const double *n) {
    linear(i, named(attention_at, "q_proj"), q, n, HK, D);
    linear(i, named(attention_at, "k_proj"), keys[i][pos], n, GK, D);
    linear(i, named(attention_at, "v_proj"), values[i][pos], n, GK, D);
}

static void attend(int i, int pos, int window, double scale, const float *sink, const char *o,
                   double *y, const double *q) {
    const tiny_attention a = {.H = H,
                              .G = G,
                              .K = K,
                              .first = window && pos >= window ? (uint32_t)(pos + 1 - window) : 0,
                              .end = (uint32_t)pos + 1,
                              .scale = scale,
                              .sink = sink};
    double mixed[HK];
    tiny_attend(&a, mixed, q, keys[i][0], values[i][0]);
    linear(i, named(attention_at, o), y, mixed, D, HK);
}

/* ---- gpt-oss ---- */

enum { WINDOW = 6, ORIGINAL = 16 };
static const double oss_base = 1000, oss_factor = 4;

static const char oss_config[] =
    "{\"model_type\":\"gpt_oss\"," COMMON
    "\"intermediate_size\":32,\"num_local_experts\":5,\"num_experts_per_tok\":2,"
    "\"rms_norm_eps\":1e-5,\"sliding_window\":6,\"rope_theta\":1000,"
    "\"layer_types\":[\"sliding_attention\",\"full_attention\",\"sliding_attention\","
    "\"full_attention\",\"sliding_attention\"],"
    "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,\"beta_fast\":32.0,\"beta_slow\":1.0,"
    "\"truncate\":false,\"original_max_position_embeddings\":16}}";

static status oss_head(gguf_writer *g, err *e) {
    static const tiny_number n[] = {{"attention.head_count_kv", G},
                                    {"feed_forward_length", FE},
                                    {"expert_feed_forward_length", FE},
                                    {"expert_count", E},
                                    {"expert_used_count", USED},
                                    {"attention.sliding_window", WINDOW},
                                    {"rope.freq_base", 1000},
                                    {"rope.scaling.factor", 4},
                                    {"rope.scaling.original_context_length", ORIGINAL},
                                    {NULL, 0}};
    TRY(put_common(g, "gpt-oss", e));
    TRY(gguf_put_str(g, "gpt-oss.rope.scaling.type", STR_LIT("yarn"), e));
    return tiny_put_numbers(g, "gpt-oss", n, e);
}

/* A folder's blocks and scales of matrices that GGUF has as blocks of 17 bytes: the scale, then
 * values 0 and 16, 1 and 17, ... Rows of `odd`, if there are any, stand between those of `even`. */
static void add_split(int i, const char *name, const tiny_tensor *even, const tiny_tensor *odd) {
    const tiny_tensor *from[2] = {even, odd};
    const uint64_t parts = odd ? 2 : 1, rows = even->dim[1], n = even->dim[2] / 32;
    char hf[96];
    snprintf(hf, sizeof hf, "%s_blocks", name);
    tiny_tensor *blocks = tiny_add(&t, i, hf, NULL, E, rows * parts, n);
    snprintf(hf, sizeof hf, "%s_scales", name);
    tiny_tensor *scales = tiny_add(&t, i, hf, NULL, E, rows * parts, n);
    uint8_t *b = tiny_bytes(blocks, 16), *s = tiny_bytes(scales, 0);
    for (uint64_t k = 0; k < E * rows * parts * n; k++) {
        const uint64_t row = k / n, x = row / (rows * parts), r = row % (rows * parts);
        const uint8_t *block =
            (const uint8_t *)from[r % parts]->gguf_data + ((x * rows + r / parts) * n + k % n) * 17;
        s[k] = block[0];
        for (int v = 0; v < 32; v++) {
            const int nibble = block[1 + v % 16] >> (v / 16 * 4) & 15;
            b[k * 16 + (uint64_t)v / 2] |= (uint8_t)(nibble << (v % 2 * 4));
        }
    }
}

static bool oss_blocks; /* the variant at hand */

static tiny_tensor *add_oss_experts(int i, const char *gguf, uint64_t rows, uint64_t cols) {
    tiny_tensor *x = tiny_add(&t, i, NULL, gguf, E, rows, cols);
    if (oss_blocks) tiny_quantize(x, QUANT_MXFP4);
    return x;
}

/* A folder's float matrices [E, in, rows], with rows as add_split has them. */
static void add_turned(int i, const char *name, const tiny_tensor *even, const tiny_tensor *odd) {
    const tiny_tensor *from[2] = {even, odd};
    const uint64_t parts = odd ? 2 : 1, rows = even->dim[1], in = even->dim[2];
    const tiny_tensor *x = tiny_add(&t, i, name, NULL, E, in, rows * parts);
    for (uint64_t k = 0; k < x->n; k++) {
        const uint64_t r = k % (rows * parts), c = k / (rows * parts) % in;
        const uint64_t e = k / (rows * parts) / in;
        x->x[k] = from[r % parts]->x[(e * rows + r / parts) * in + c];
    }
}

static void make_oss(void) {
    add_ends("model.norm.weight", "output_norm.weight", true);
    for (int i = 0; i < L; i++) {
        tiny_add(&t, i, "input_layernorm.weight", "attn_norm.weight", D, 0, 0);
        tiny_add(&t, i, "post_attention_layernorm.weight", "post_attention_norm.weight", D, 0, 0);
        add_qkvo(i, "o_proj", true);
        tiny_add(&t, i, "self_attn.sinks", "attn_sinks.weight", H, 0, 0);
        tiny_add(&t, i, "mlp.router.weight", "ffn_gate_inp.weight", E, D, 0);
        tiny_add(&t, i, "mlp.router.bias", "ffn_gate_inp.bias", E, 0, 0);
        const tiny_tensor *gate = add_oss_experts(i, "ffn_gate_exps.weight", FE, D);
        const tiny_tensor *up = add_oss_experts(i, "ffn_up_exps.weight", FE, D);
        const tiny_tensor *down = add_oss_experts(i, "ffn_down_exps.weight", D, FE);
        (oss_blocks ? add_split : add_turned)(i, "mlp.experts.gate_up_proj", gate, up);
        (oss_blocks ? add_split : add_turned)(i, "mlp.experts.down_proj", down, NULL);
        tiny_add(&t, i, "mlp.experts.down_proj_bias", "ffn_down_exps.bias", E, D, 0);
        const tiny_tensor *gb = tiny_add(&t, i, NULL, "ffn_gate_exps.bias", E, FE, 0);
        const tiny_tensor *ub = tiny_add(&t, i, NULL, "ffn_up_exps.bias", E, FE, 0);
        for (int k = 0; k < E * FE; k++) gb->x[k] *= 20; /* beyond the clamps */
        for (int k = 0; k < E * FE; k++) ub->x[k] *= 20;
        tiny_tensor *both = tiny_add(&t, i, "mlp.experts.gate_up_proj_bias", NULL, E, 2 * FE, 0);
        for (int k = 0; k < E * FE; k++) {
            both->x[2 * k] = gb->x[k];
            both->x[2 * k + 1] = ub->x[k];
        }
    }
}

/* YaRN with a ramp between dims: rotations by a mixture of base^(-2i/K) and that over factor. */
static void rotate_yarn(double *x, uint32_t heads, int pos) {
    const double pi = 3.14159265358979323846, per_ln = K / (2 * log(oss_base));
    const double low = fmax(0, per_ln * log(ORIGINAL / (32 * 2 * pi)));
    const double high = fmin(K - 1, per_ln * log(ORIGINAL / (1 * 2 * pi)));
    const double size = 0.1 * log(oss_factor) + 1;
    for (uint32_t h = 0; h < heads; h++, x += K)
        for (int i = 0; i < K / 2; i++) {
            const double plain = pow(oss_base, -2.0 * i / K);
            const double ramp = fmin(1, fmax(0, (i - low) / fmax(0.001, high - low)));
            const double angle = pos * (plain * (1 - ramp) + plain / oss_factor * ramp);
            const double a = x[i], b = x[i + K / 2];
            x[i] = (a * cos(angle) - b * sin(angle)) * size;
            x[i + K / 2] = (b * cos(angle) + a * sin(angle)) * size;
        }
}

static void oss_expert(int i, uint32_t e, double *y, const double *n) {
    double gate[FE], up[FE];
    tiny_times(gate, get(i, "ffn_gate_exps.weight") + e * FE * D,
               get(i, "ffn_gate_exps.bias") + e * FE, n, FE, D);
    tiny_times(up, get(i, "ffn_up_exps.weight") + e * FE * D, get(i, "ffn_up_exps.bias") + e * FE,
               n, FE, D);
    for (int k = 0; k < FE; k++) {
        const double g = fmin(gate[k], 7), u = fmax(-7, fmin(up[k], 7));
        gate[k] = g / (1 + exp(-1.702 * g)) * (u + 1);
    }
    tiny_times(y, get(i, "ffn_down_exps.weight") + e * D * FE,
               get(i, "mlp.experts.down_proj_bias") + e * D, gate, D, FE);
}

static void oss_layer(int i, int pos, double *x) {
    double n[D], q[HK], y[D], z[E], w[USED];
    uint32_t id[USED];
    tiny_rms(n, x, D, get(i, "input_layernorm.weight"), eps);
    project_qkv(i, pos, q, n);
    rotate_yarn(q, H, pos);
    rotate_yarn(keys[i][pos], G, pos);
    attend(i, pos, i % 2 == 0 ? WINDOW : 0, 1 / sqrt((double)K), get(i, "self_attn.sinks"),
           "o_proj", y, q);
    add_to(x, y, 1);
    tiny_rms(n, x, D, get(i, "post_attention_layernorm.weight"), eps);
    linear(i, "mlp.router", z, n, E, D);
    tiny_top(z, E, USED, id, w);
    for (int k = 0; k < USED; k++) {
        oss_expert(i, id[k], y, n);
        add_to(x, y, w[k]);
    }
}

static void test_gpt_oss(void) {
    const family floats = {"gpt-oss", oss_config, "model.norm.weight", FAMILY(oss)};
    family blocks = floats;
    blocks.name = "gpt-oss-mx";
    blocks.rounds = true;
    oss_blocks = false;
    check_family(&floats);
    oss_blocks = true;
    check_family(&blocks);
}

/* ---- lfm2 ---- */

enum { TAPS = 3 };

static bool lfm2_experts; /* the variant at hand */

static bool lfm2_attends(int i) { return i == 1 || i == 4; }
static bool lfm2_routes(int i) { return lfm2_experts && i >= 2; }

#define LFM2                                                                              \
    COMMON                                                                                \
    "\"norm_eps\":1e-5,\"rope_theta\":5000.0,\"conv_L_cache\":3,\"conv_bias\":false,"     \
    "\"layer_types\":[\"conv\",\"full_attention\",\"conv\",\"conv\",\"full_attention\"]," \
    "\"intermediate_size\":"
static const char lfm2_config[] = "{\"model_type\":\"lfm2\"," LFM2 "144}";
static const char lfm2moe_config[] =
    "{\"model_type\":\"lfm2_moe\"," LFM2
    "96,\"moe_intermediate_size\":32,\"num_experts\":5,\"num_experts_per_tok\":2,"
    "\"num_dense_layers\":2,\"norm_topk_prob\":true,\"use_expert_bias\":true,"
    "\"routed_scaling_factor\":1.0}";

static status lfm2_head(gguf_writer *g, err *e) {
    static const int32_t heads[L] = {0, G, 0, 0, G};
    static const tiny_number n[] = {{"feed_forward_length", F},
                                    {"shortconv.l_cache", TAPS},
                                    {"rope.freq_base", 5000},
                                    {NULL, 0}};
    static const tiny_number routed[] = {{"expert_count", E},
                                         {"expert_used_count", USED},
                                         {"expert_feed_forward_length", FE},
                                         {"leading_dense_block_count", 2},
                                         {"expert_gating_func", 2},
                                         {NULL, 0}};
    const char *arch = lfm2_experts ? "lfm2moe" : "lfm2";
    TRY(put_common(g, arch, e));
    TRY(gguf_put_array(
        g, lfm2_experts ? "lfm2moe.attention.head_count_kv" : "lfm2.attention.head_count_kv",
        META_I32, heads, L, e));
    if (lfm2_experts) TRY(tiny_put_numbers(g, arch, routed, e));
    return tiny_put_numbers(g, arch, n, e);
}

static void make_lfm2(void) {
    add_ends("model.embedding_norm.weight", "token_embd_norm.weight", false);
    for (int i = 0; i < L; i++) {
        tiny_add(&t, i, "operator_norm.weight", "attn_norm.weight", D, 0, 0);
        tiny_add(&t, i, "ffn_norm.weight", "ffn_norm.weight", D, 0, 0);
        if (lfm2_routes(i)) {
            tiny_add(&t, i, "feed_forward.gate.weight", "ffn_gate_inp.weight", E, D, 0);
            tiny_add(&t, i, "feed_forward.expert_bias", "exp_probs_b.bias", E, 0, 0);
            tiny_add(&t, i, "feed_forward.experts.*.w1.weight", "ffn_gate_exps.weight", E, FE, D);
            tiny_add(&t, i, "feed_forward.experts.*.w3.weight", "ffn_up_exps.weight", E, FE, D);
            tiny_add(&t, i, "feed_forward.experts.*.w2.weight", "ffn_down_exps.weight", E, D, FE);
        } else {
            tiny_add(&t, i, "feed_forward.w1.weight", "ffn_gate.weight", F, D, 0);
            tiny_add(&t, i, "feed_forward.w3.weight", "ffn_up.weight", F, D, 0);
            tiny_add(&t, i, "feed_forward.w2.weight", "ffn_down.weight", D, F, 0);
        }
        if (lfm2_attends(i)) {
            add_qkvo(i, "out_proj", false);
            tiny_add(&t, i, "self_attn.q_layernorm.weight", "attn_q_norm.weight", K, 0, 0);
            tiny_add(&t, i, "self_attn.k_layernorm.weight", "attn_k_norm.weight", K, 0, 0);
            continue;
        }
        tiny_add(&t, i, "conv.in_proj.weight", "shortconv.in_proj.weight", 3 * D, D, 0);
        tiny_add(&t, i, "conv.conv.weight", "shortconv.conv.weight", D, TAPS, 0);
        tiny_add(&t, i, "conv.out_proj.weight", "shortconv.out_proj.weight", D, D, 0);
    }
}

static void short_convolution(int i, int pos, double *y, const double *n) {
    static double past[L][T][D];
    double all[3 * D], c[D];
    const float *w = get(i, "conv.conv.weight");
    linear(i, "conv.in_proj", all, n, 3 * D, D);
    for (int d = 0; d < D; d++) {
        past[i][pos][d] = all[d] * all[2 * D + d];
        c[d] = 0;
        for (int j = 0; j < TAPS; j++) {
            const int from = pos - TAPS + 1 + j;
            if (from >= 0) c[d] += (double)w[d * TAPS + j] * past[i][from][d];
        }
        c[d] *= all[D + d];
    }
    linear(i, "conv.out_proj", y, c, D, D);
}

/* The largest of sigmoid + bias, weighed by the sigmoids alone, as parts of their sum. */
static void lfm2_route(int i, double *x, const double *n) {
    double z[E], biased[E], w[USED], y[D], sum = 0;
    uint32_t id[USED];
    linear(i, "feed_forward.gate", z, n, E, D);
    for (int e = 0; e < E; e++) {
        z[e] = 1 / (1 + exp(-z[e]));
        biased[e] = z[e] + (double)get(i, "feed_forward.expert_bias")[e];
    }
    tiny_top(biased, E, USED, id, w);
    for (int k = 0; k < USED; k++) sum += z[id[k]];
    for (int k = 0; k < USED; k++) {
        const size_t at = (size_t)id[k] * FE * D;
        swiglu(y, n, get(i, "feed_forward.experts.*.w1.weight") + at,
               get(i, "feed_forward.experts.*.w3.weight") + at,
               get(i, "feed_forward.experts.*.w2.weight") + at, FE);
        add_to(x, y, z[id[k]] / sum);
    }
}

static void lfm2_layer(int i, int pos, double *x) {
    double n[D], q[HK], y[D];
    tiny_rms(n, x, D, get(i, "operator_norm.weight"), eps);
    if (lfm2_attends(i)) {
        project_qkv(i, pos, q, n);
        for (int h = 0; h < H; h++)
            tiny_rms(q + h * K, q + h * K, K, get(i, "self_attn.q_layernorm.weight"), eps);
        for (int g = 0; g < G; g++)
            tiny_rms(keys[i][pos] + g * K, keys[i][pos] + g * K, K,
                     get(i, "self_attn.k_layernorm.weight"), eps);
        tiny_rope(q, H, K, K, (uint32_t)pos, 5000);
        tiny_rope(keys[i][pos], G, K, K, (uint32_t)pos, 5000);
        attend(i, pos, 0, 1 / sqrt((double)K), NULL, "out_proj", y, q);
    } else short_convolution(i, pos, y, n);
    add_to(x, y, 1);
    tiny_rms(n, x, D, get(i, "ffn_norm.weight"), eps);
    if (lfm2_routes(i)) {
        lfm2_route(i, x, n);
        return;
    }
    swiglu(y, n, get(i, "feed_forward.w1.weight"), get(i, "feed_forward.w3.weight"),
           get(i, "feed_forward.w2.weight"), F);
    add_to(x, y, 1);
}

static void test_lfm2(void) {
    const family lfm2 = {"lfm2", lfm2_config, "model.embedding_norm.weight", FAMILY(lfm2)};
    family routed = lfm2;
    check_family(&lfm2);
    routed.name = "lfm2moe";
    routed.config = lfm2moe_config;
    lfm2_experts = true;
    check_family(&routed);
    lfm2_experts = false;
}

/* ---- jamba ---- */

enum { INNER = 2 * D, STATE = 6, RANK = 5, CONV = 4 };

static bool jamba_attends(int i) { return i % 3 == 1; }
static bool jamba_routes(int i) { return i % 2 == 1; }

static const char jamba_config[] =
    "{\"model_type\":\"jamba\"," COMMON
    "\"intermediate_size\":96,\"num_experts\":5,\"num_experts_per_tok\":2,\"rms_norm_eps\":1e-5,"
    "\"attn_layer_period\":3,\"attn_layer_offset\":1,\"expert_layer_period\":2,"
    "\"expert_layer_offset\":1,\"mamba_d_conv\":4,\"mamba_d_state\":6,\"mamba_expand\":2,"
    "\"mamba_dt_rank\":5,\"mamba_conv_bias\":true,\"mamba_proj_bias\":false}";

static status jamba_head(gguf_writer *g, err *e) {
    static const int32_t heads[L] = {0, G, 0, 0, G};
    static const tiny_number n[] = {{"feed_forward_length", F},   {"expert_count", E},
                                    {"expert_used_count", USED},  {"ssm.conv_kernel", CONV},
                                    {"ssm.inner_size", INNER},    {"ssm.state_size", STATE},
                                    {"ssm.time_step_rank", RANK}, {NULL, 0}};
    TRY(put_common(g, "jamba", e));
    TRY(gguf_put_array(g, "jamba.attention.head_count_kv", META_I32, heads, L, e));
    return tiny_put_numbers(g, "jamba", n, e);
}

/* GGUF holds A = -exp(A_log). */
static void add_decay(int i, uint64_t rows, uint64_t cols) {
    const tiny_tensor *log = tiny_add(&t, i, named(mamba_at, "A_log"), NULL, rows, cols, 0);
    const tiny_tensor *a = tiny_add(&t, i, NULL, "ssm_a", rows, cols ? cols : 1, 0);
    for (uint64_t k = 0; k < log->n; k++) a->x[k] = -expf(log->x[k]);
}

static void add_jamba_mamba(int i) {
    tiny_add(&t, i, "mamba.in_proj.weight", "ssm_in.weight", 2 * INNER, D, 0);
    tiny_add(&t, i, "mamba.conv1d.weight", "ssm_conv1d.weight", INNER, CONV, 0);
    tiny_add(&t, i, "mamba.conv1d.bias", "ssm_conv1d.bias", INNER, 0, 0);
    tiny_add(&t, i, "mamba.x_proj.weight", "ssm_x.weight", RANK + 2 * STATE, INNER, 0);
    tiny_add(&t, i, "mamba.dt_layernorm.weight", "ssm_dt_norm.weight", RANK, 0, 0);
    tiny_add(&t, i, "mamba.b_layernorm.weight", "ssm_b_norm.weight", STATE, 0, 0);
    tiny_add(&t, i, "mamba.c_layernorm.weight", "ssm_c_norm.weight", STATE, 0, 0);
    tiny_add(&t, i, "mamba.dt_proj.weight", "ssm_dt.weight", INNER, RANK, 0);
    tiny_add(&t, i, "mamba.dt_proj.bias", "ssm_dt.bias", INNER, 0, 0);
    add_decay(i, INNER, STATE);
    tiny_add(&t, i, "mamba.D", "ssm_d", INNER, 0, 0);
    tiny_add(&t, i, "mamba.out_proj.weight", "ssm_out.weight", D, INNER, 0);
}

static void make_jamba(void) {
    add_ends("model.final_layernorm.weight", "output_norm.weight", true);
    for (int i = 0; i < L; i++) {
        tiny_add(&t, i, "input_layernorm.weight", "attn_norm.weight", D, 0, 0);
        tiny_add(&t, i, "pre_ff_layernorm.weight", "ffn_norm.weight", D, 0, 0);
        if (jamba_attends(i)) add_qkvo(i, "o_proj", false);
        else add_jamba_mamba(i);
        if (jamba_routes(i)) {
            tiny_add(&t, i, "feed_forward.router.weight", "ffn_gate_inp.weight", E, D, 0);
            tiny_add(&t, i, "feed_forward.experts.*.gate_proj.weight", "ffn_gate_exps.weight", E, F,
                     D);
            tiny_add(&t, i, "feed_forward.experts.*.up_proj.weight", "ffn_up_exps.weight", E, F, D);
            tiny_add(&t, i, "feed_forward.experts.*.down_proj.weight", "ffn_down_exps.weight", E, D,
                     F);
            continue;
        }
        tiny_add(&t, i, "feed_forward.gate_proj.weight", "ffn_gate.weight", F, D, 0);
        tiny_add(&t, i, "feed_forward.up_proj.weight", "ffn_up.weight", F, D, 0);
        tiny_add(&t, i, "feed_forward.down_proj.weight", "ffn_down.weight", D, F, 0);
    }
}

/* u[n] = silu(b + sum of the taps over the last CONV inputs); `past` remembers them. */
static void convolve(int i, int pos, double past[][2 * INNER], double *u, int n) {
    const float *w = get(i, named(mamba_at, "conv1d.weight"));
    const float *b = get(i, named(mamba_at, "conv1d.bias"));
    memcpy(past[pos], u, (size_t)n * sizeof *u);
    for (int c = 0; c < n; c++) {
        double sum = (double)b[c];
        for (int j = 0; j < CONV; j++)
            if (pos - CONV + 1 + j >= 0)
                sum += (double)w[c * CONV + j] * past[pos - CONV + 1 + j][c];
        u[c] = tiny_silu(sum);
    }
}

static double inputs[L][T][2 * INNER];

static void jamba_mamba(int i, int pos, double *y, const double *n) {
    static double h[L][INNER][STATE];
    double uz[2 * INNER], low[RANK + 2 * STATE], dt[INNER], out[INNER];
    if (pos == 0) memset(h[i], 0, sizeof h[i]);
    linear(i, "mamba.in_proj", uz, n, 2 * INNER, D);
    convolve(i, pos, inputs[i], uz, INNER);
    linear(i, "mamba.x_proj", low, uz, RANK + 2 * STATE, INNER);
    double *B = low + RANK, *C = B + STATE;
    tiny_rms(low, low, RANK, get(i, "mamba.dt_layernorm.weight"), eps);
    tiny_rms(B, B, STATE, get(i, "mamba.b_layernorm.weight"), eps);
    tiny_rms(C, C, STATE, get(i, "mamba.c_layernorm.weight"), eps);
    linear(i, "mamba.dt_proj", dt, low, INNER, RANK);
    for (int d = 0; d < INNER; d++) {
        const double step = tiny_softplus(dt[d]);
        out[d] = (double)get(i, "mamba.D")[d] * uz[d];
        for (int s = 0; s < STATE; s++) {
            const double a = -exp((double)get(i, "mamba.A_log")[d * STATE + s]);
            h[i][d][s] = exp(step * a) * h[i][d][s] + step * uz[d] * B[s];
            out[d] += h[i][d][s] * C[s];
        }
        out[d] *= tiny_silu(uz[INNER + d]);
    }
    linear(i, "mamba.out_proj", y, out, D, INNER);
}

/* Softmax over all experts, the likeliest are used with the weights they have. */
static void jamba_experts(int i, double *x, const double *n) {
    double z[E], w[USED], y[D], all = 0, chosen = 0;
    uint32_t id[USED];
    linear(i, "feed_forward.router", z, n, E, D);
    tiny_top(z, E, USED, id, w);
    for (int e = 0; e < E; e++) all += exp(z[e]);
    for (int k = 0; k < USED; k++) chosen += exp(z[id[k]]);
    for (int k = 0; k < USED; k++) {
        const size_t at = (size_t)id[k] * F * D;
        swiglu(y, n, get(i, "feed_forward.experts.*.gate_proj.weight") + at,
               get(i, "feed_forward.experts.*.up_proj.weight") + at,
               get(i, "feed_forward.experts.*.down_proj.weight") + at, F);
        add_to(x, y, w[k] * chosen / all);
    }
}

static void jamba_layer(int i, int pos, double *x) {
    double n[D], q[HK], y[D];
    tiny_rms(n, x, D, get(i, "input_layernorm.weight"), eps);
    if (jamba_attends(i)) {
        project_qkv(i, pos, q, n);
        attend(i, pos, 0, 1 / sqrt((double)K), NULL, "o_proj", y, q);
    } else jamba_mamba(i, pos, y, n);
    add_to(x, y, 1);
    tiny_rms(n, x, D, get(i, "pre_ff_layernorm.weight"), eps);
    if (jamba_routes(i)) {
        jamba_experts(i, x, n);
        return;
    }
    swiglu(y, n, get(i, "feed_forward.gate_proj.weight"), get(i, "feed_forward.up_proj.weight"),
           get(i, "feed_forward.down_proj.weight"), F);
    add_to(x, y, 1);
}

static void test_jamba(void) {
    check_family(&(family){"jamba", jamba_config, "model.final_layernorm.weight", FAMILY(jamba)});
}

/* ---- granitehybrid ---- */

enum { HEADS = 8, P = INNER / HEADS, MOST_GROUPS = 2, FS = 48 };

static bool granite_experts; /* the variant at hand */
static int groups = 1;       /* of Mamba 2 */

static int channels(void) { return INNER + 2 * groups * STATE; }

static bool granite_attends(int i) { return i == 2; }

#define GRANITE                                                                              \
    "{\"model_type\":\"granitemoehybrid\"," COMMON                                           \
    "\"intermediate_size\":96,\"shared_intermediate_size\":48,\"rms_norm_eps\":1e-5,"        \
    "\"embedding_multiplier\":12.0,\"residual_multiplier\":0.22,\"logits_scaling\":4.0,"     \
    "\"attention_multiplier\":0.2,\"position_embedding_type\":\"nope\",\"layer_types\":["    \
    "\"mamba\","                                                                             \
    "\"mamba\",\"attention\",\"mamba\",\"mamba\"],\"mamba_n_heads\":8,\"mamba_n_groups\":1," \
    "\"mamba_d_state\":6,\"mamba_d_head\":16,\"mamba_d_conv\":4,\"mamba_expand\":2,"         \
    "\"num_experts_per_tok\":2,"

static status granite_head(gguf_writer *g, err *e) {
    static const int32_t heads[L] = {0, 0, G, 0, 0};
    static const tiny_number n[] = {{"embedding_scale", 12},   {"residual_scale", 0.22},
                                    {"logit_scale", 4},        {"attention.scale", 0.2},
                                    {"ssm.conv_kernel", CONV}, {"ssm.inner_size", INNER},
                                    {"ssm.state_size", STATE}, {"ssm.time_step_rank", HEADS},
                                    {"ssm.group_count", 1},    {NULL, 0}};
    static const tiny_number routed[] = {{"feed_forward_length", F},
                                         {"expert_count", E},
                                         {"expert_used_count", USED},
                                         {"expert_shared_feed_forward_length", FS},
                                         {NULL, 0}};
    static const tiny_number plain[] = {{"feed_forward_length", FS}, {NULL, 0}};
    TRY(put_common(g, "granitehybrid", e));
    TRY(gguf_put_array(g, "granitehybrid.attention.head_count_kv", META_I32, heads, L, e));
    TRY(tiny_put_numbers(g, "granitehybrid", granite_experts ? routed : plain, e));
    return tiny_put_numbers(g, "granitehybrid", n, e);
}

/* Folders have gate and up in one tensor [n, 2 width, D] (n 1: one dimension less). */
static void add_gate_up(int i, const char *hf, const char *gguf_gate, const char *gguf_up,
                        uint64_t n, uint64_t width) {
    const uint64_t part = width * D;
    const tiny_tensor *both = n > 1 ? tiny_add(&t, i, hf, NULL, n, 2 * width, D)
                                    : tiny_add(&t, i, hf, NULL, 2 * width, D, 0);
    const tiny_tensor *gate = n > 1 ? tiny_add(&t, i, NULL, gguf_gate, n, width, D)
                                    : tiny_add(&t, i, NULL, gguf_gate, width, D, 0);
    const tiny_tensor *up = n > 1 ? tiny_add(&t, i, NULL, gguf_up, n, width, D)
                                  : tiny_add(&t, i, NULL, gguf_up, width, D, 0);
    for (uint64_t k = 0; k < n; k++) {
        memcpy(gate->x + k * part, both->x + 2 * k * part, part * sizeof(float));
        memcpy(up->x + k * part, both->x + (2 * k + 1) * part, part * sizeof(float));
    }
}

static void add_mamba2(int i) {
    const struct {
        const char *hf, *gguf;
        int rows, cols;
    } part[] = {{"in_proj.weight", "ssm_in.weight", INNER + channels() + HEADS, D},
                {"conv1d.weight", "ssm_conv1d.weight", channels(), CONV},
                {"conv1d.bias", "ssm_conv1d.bias", channels(), 0},
                {"dt_bias", "ssm_dt.bias", HEADS, 0},
                {"D", "ssm_d", HEADS, 0},
                {"norm.weight", "ssm_norm.weight", INNER, 0},
                {"out_proj.weight", "ssm_out.weight", D, INNER}};
    add_decay(i, HEADS, 0);
    for (size_t k = 0; k < sizeof part / sizeof *part; k++)
        tiny_add(&t, i, named(mamba_at, part[k].hf), part[k].gguf, (uint64_t)part[k].rows,
                 (uint64_t)part[k].cols, 0);
}

static void make_granite(void) {
    const bool routed = granite_experts;
    add_ends("model.norm.weight", "output_norm.weight", false);
    for (int i = 0; i < L; i++) {
        tiny_add(&t, i, "input_layernorm.weight", "attn_norm.weight", D, 0, 0);
        tiny_add(&t, i, "post_attention_layernorm.weight", "ffn_norm.weight", D, 0, 0);
        if (granite_attends(i)) add_qkvo(i, "o_proj", false);
        else add_mamba2(i);
        add_gate_up(i, "shared_mlp.input_linear.weight",
                    routed ? "ffn_gate_shexp.weight" : "ffn_gate.weight",
                    routed ? "ffn_up_shexp.weight" : "ffn_up.weight", 1, FS);
        tiny_add(&t, i, "shared_mlp.output_linear.weight",
                 routed ? "ffn_down_shexp.weight" : "ffn_down.weight", D, FS, 0);
        if (!routed) continue;
        tiny_add(&t, i, "block_sparse_moe.router.layer.weight", "ffn_gate_inp.weight", E, D, 0);
        add_gate_up(i, "block_sparse_moe.input_linear.weight", "ffn_gate_exps.weight",
                    "ffn_up_exps.weight", E, F);
        tiny_add(&t, i, "block_sparse_moe.output_linear.weight", "ffn_down_exps.weight", E, D, F);
    }
}

static void mamba2(int i, int pos, double *y, const double *n) {
    static double h[L][INNER][STATE];
    double all[2 * INNER + 2 * MOST_GROUPS * STATE + HEADS], out[INNER];
    const size_t C = (size_t)channels(), part = INNER / (size_t)groups;
    if (pos == 0) memset(h[i], 0, sizeof h[i]);
    linear(i, named(mamba_at, "in_proj"), all, n, INNER + C + HEADS, D);
    double *z = all, *u = all + INNER, *dt = u + C;
    convolve(i, pos, inputs[i], u, (int)C);
    for (size_t d = 0; d < INNER; d++) {
        const size_t head = d / P;
        const double *B = u + INNER + d / part * STATE, *c = B + (size_t)groups * STATE;
        const double bias = (double)get(i, named(mamba_at, "dt_bias"))[head];
        const double step = tiny_softplus(dt[head] + bias);
        const double decay = exp(-step * exp((double)get(i, named(mamba_at, "A_log"))[head]));
        out[d] = (double)get(i, named(mamba_at, "D"))[head] * u[d];
        for (int s = 0; s < STATE; s++) {
            h[i][d][s] = decay * h[i][d][s] + step * u[d] * B[s];
            out[d] += h[i][d][s] * c[s];
        }
        out[d] *= tiny_silu(z[d]);
    }
    for (size_t g = 0; g < INNER; g += part)
        tiny_rms(out + g, out + g, part, get(i, named(mamba_at, "norm.weight")) + g, eps);
    linear(i, named(mamba_at, "out_proj"), y, out, D, INNER);
}

static void granite_ffn(int i, double *y, const double *n) {
    const float *shared = get(i, "shared_mlp.input_linear.weight");
    const float *in = get(i, "block_sparse_moe.input_linear.weight");
    double z[E], w[USED], one[D];
    uint32_t id[USED];
    swiglu(y, n, shared, shared + FS * D, get(i, "shared_mlp.output_linear.weight"), FS);
    if (!granite_experts) return;
    linear(i, "block_sparse_moe.router.layer", z, n, E, D);
    tiny_top(z, E, USED, id, w);
    for (int k = 0; k < USED; k++) {
        const float *gate = in + (size_t)id[k] * 2 * F * D;
        swiglu(one, n, gate, gate + (size_t)F * D,
               get(i, "block_sparse_moe.output_linear.weight") + (size_t)id[k] * D * F, F);
        add_to(y, one, w[k]);
    }
}

static void granite_layer(int i, int pos, double *x) {
    double n[D], q[HK], y[D];
    tiny_rms(n, x, D, get(i, "input_layernorm.weight"), eps);
    if (granite_attends(i)) {
        project_qkv(i, pos, q, n);
        attend(i, pos, 0, 0.2, NULL, "o_proj", y, q);
    } else mamba2(i, pos, y, n);
    add_to(x, y, 0.22);
    tiny_rms(n, x, D, get(i, "post_attention_layernorm.weight"), eps);
    granite_ffn(i, y, n);
    add_to(x, y, 0.22);
}

static void test_granite_hybrid(void) {
    const family routed = {"granite-routed",    GRANITE "\"num_local_experts\":5}",
                           "model.norm.weight", FAMILY(granite),
                           .embed_scale = 12,   .logit_scale = 0.25};
    family plain = routed;
    plain.name = "granite-plain";
    plain.config = GRANITE "\"num_local_experts\":0}";
    granite_experts = true;
    check_family(&routed);
    granite_experts = false;
    check_family(&plain);
}

/* ---- bamba ---- */

static const char bamba_config[] =
    "{\"model_type\":\"bamba\"," COMMON
    "\"intermediate_size\":96,\"rms_norm_eps\":1e-5,\"attn_layer_indices\":[1,4],"
    "\"rope_theta\":10000.0,\"mamba_n_heads\":8,\"mamba_d_head\":\"auto\",\"mamba_n_groups\":1,"
    "\"mamba_d_state\":6,\"mamba_d_conv\":4,\"mamba_expand\":2,\"mamba_conv_bias\":true,"
    "\"mamba_proj_bias\":false}";

static void make_bamba(void) {
    add_ends("model.final_layernorm.weight", NULL, true);
    for (int i = 0; i < L; i++) {
        tiny_add(&t, i, "input_layernorm.weight", NULL, D, 0, 0);
        tiny_add(&t, i, "pre_ff_layernorm.weight", NULL, D, 0, 0);
        if (lfm2_attends(i)) add_qkvo(i, "o_proj", false);
        else add_mamba2(i);
        tiny_add(&t, i, "feed_forward.gate_proj.weight", NULL, F, D, 0);
        tiny_add(&t, i, "feed_forward.up_proj.weight", NULL, F, D, 0);
        tiny_add(&t, i, "feed_forward.down_proj.weight", NULL, D, F, 0);
    }
}

static void bamba_layer(int i, int pos, double *x) {
    double n[D], q[HK], y[D];
    tiny_rms(n, x, D, get(i, "input_layernorm.weight"), eps);
    if (lfm2_attends(i)) {
        project_qkv(i, pos, q, n);
        tiny_rope(q, H, K, K / 2, (uint32_t)pos, 10000);
        tiny_rope(keys[i][pos], G, K, K / 2, (uint32_t)pos, 10000);
        attend(i, pos, 0, 1 / sqrt((double)K), NULL, "o_proj", y, q);
    } else mamba2(i, pos, y, n);
    add_to(x, y, 1);
    tiny_rms(n, x, D, get(i, "pre_ff_layernorm.weight"), eps);
    swiglu(y, n, get(i, "feed_forward.gate_proj.weight"), get(i, "feed_forward.up_proj.weight"),
           get(i, "feed_forward.down_proj.weight"), F);
    add_to(x, y, 1);
}

static void test_bamba(void) {
    static const family bamba = {"bamba", bamba_config, "model.final_layernorm.weight",
                                 .make = make_bamba, .layer = bamba_layer};
    check_family(&bamba);
}

/* ---- nemotron-h ---- */

static const char nemotron_layers[] = "M-*M-";

#define NEMOTRON                                                                                \
    "{\"model_type\":\"nemotron_h\"," COMMON                                                    \
    "\"intermediate_size\":96,\"layer_norm_epsilon\":1e-5,\"mamba_num_heads\":8,"               \
    "\"mamba_head_dim\":16,\"n_groups\":2,\"ssm_state_size\":6,\"conv_kernel\":4,\"expand\":3," \
    "\"mlp_hidden_act\":\"relu2\","

static status nemotron_head(gguf_writer *g, err *e) {
    static const int32_t heads[L] = {0, 0, G, 0, 0}, widths[L] = {0, F, 0, 0, F};
    static const tiny_number n[] = {{"ssm.conv_kernel", CONV},     {"ssm.inner_size", INNER},
                                    {"ssm.state_size", STATE},     {"ssm.group_count", 2},
                                    {"ssm.time_step_rank", HEADS}, {NULL, 0}};
    TRY(put_common(g, "nemotron_h", e));
    TRY(gguf_put_array(g, "nemotron_h.attention.head_count_kv", META_I32, heads, L, e));
    TRY(gguf_put_array(g, "nemotron_h.feed_forward_length", META_I32, widths, L, e));
    return tiny_put_numbers(g, "nemotron_h", n, e);
}

static void make_nemotron(void) {
    add_ends("backbone.norm_f.weight", "output_norm.weight", true);
    for (int i = 0; i < L; i++) {
        tiny_add(&t, i, "norm.weight", "attn_norm.weight", D, 0, 0);
        if (nemotron_layers[i] == 'M') add_mamba2(i);
        else if (nemotron_layers[i] == '*') add_qkvo(i, "o_proj", false);
        else {
            tiny_add(&t, i, "mixer.up_proj.weight", "ffn_up.weight", F, D, 0);
            tiny_add(&t, i, "mixer.down_proj.weight", "ffn_down.weight", D, F, 0);
        }
    }
}

static void nemotron_layer(int i, int pos, double *x) {
    double n[D], q[HK], y[D], a[F];
    tiny_rms(n, x, D, get(i, "norm.weight"), eps);
    if (nemotron_layers[i] == 'M') {
        mamba2(i, pos, y, n);
    } else if (nemotron_layers[i] == '*') {
        project_qkv(i, pos, q, n);
        attend(i, pos, 0, 1 / sqrt((double)K), NULL, "o_proj", y, q);
    } else {
        linear(i, "mixer.up_proj", a, n, F, D);
        for (int k = 0; k < F; k++) a[k] = a[k] > 0 ? a[k] * a[k] : 0;
        linear(i, "mixer.down_proj", y, a, D, F);
    }
    add_to(x, y, 1);
}

static void test_nemotron_h(void) {
    family f = {"nemotron-h",
                NEMOTRON "\"hybrid_override_pattern\":\"M-*M-\"}",
                "backbone.norm_f.weight",
                FAMILY(nemotron),
                .embed = "backbone.embeddings.weight",
                .layers = "backbone.layers.",
                .attention = "mixer.",
                .mamba = "mixer."};
    groups = 2;
    check_family(&f);
    f.name = "nemotron-h-list";
    f.config =
        NEMOTRON "\"layers_block_type\":[\"mamba\",\"mlp\",\"attention\",\"mamba\",\"mlp\"]}";
    check_family(&f);
    groups = 1;
}

/* ---- Damage ---- */

static tiny_tensor *find(const char *name) {
    for (size_t i = 0; i < t.n; i++)
        if (strcmp(t.t[i].hf, name) == 0) return &t.t[i];
    return NULL;
}

static void check_refused(const char *folder_name, const char *want) {
    rz_error e = {0};
    rz_model *m = NULL;
    const char *folder = tiny_folder(&t, folder_name, oss_config);
    REQUIRE(folder != NULL);
    CHECK(rz_model_open(&m, folder, NULL, &e) == RZ_EFORMAT && m == NULL);
    CHECK_MSG(strstr(e.text, want) != NULL, "\"%s\" is not in \"%s\"", want, e.text);
    rz_model_close(m);
}

static void begin_usual(void) {
    attention_at = "self_attn.";
    mamba_at = "mamba.";
    tiny_begin(&t, "model.layers.", 7);
    tiny_add(&t, -1, "model.embed_tokens.weight", "token_embd.weight", V, D, 0);
}

static void test_damaged_experts_are_named(void) {
    begin_usual();
    oss_blocks = true;
    make_oss();
    tiny_tensor *scales = find("model.layers.2.mlp.experts.gate_up_proj_scales");
    tiny_tensor *blocks = find("model.layers.1.mlp.experts.down_proj_blocks");
    REQUIRE(scales != NULL && blocks != NULL);
    char kept[sizeof scales->hf];
    memcpy(kept, scales->hf, sizeof kept);
    scales->hf[0] = 0;
    check_refused("damaged-scales",
                  "1 tensor is missing: model.layers.2.mlp.experts.gate_up_proj_scales");
    memcpy(scales->hf, kept, sizeof kept);
    blocks->dim[1]--;
    check_refused(
        "damaged-blocks",
        "model.layers.1.mlp.experts.down_proj_blocks is [5,63,1,16], expected [5,64,1,16]");
    tiny_end(&t);
}

static void test_an_unknown_layer_is_named(void) {
    rz_error e = {0};
    rz_model *m = NULL;
    begin_usual();
    const char *folder =
        tiny_folder(&t, "nemotron-odd", NEMOTRON "\"hybrid_override_pattern\":\"M-*E-\"}");
    REQUIRE(folder != NULL);
    CHECK(rz_model_open(&m, folder, NULL, &e) == RZ_EUNSUPPORTED);
    CHECK_MSG(strstr(e.text,
                     "layer 3 is \"E\", this version knows mamba (M), attention (*) and "
                     "mlp (-)") != NULL,
              "%s", e.text);
    tiny_end(&t);
}

static status odd_head(gguf_writer *g, err *e) {
    static const int32_t heads[L] = {0, G, 0, -1, G};
    TRY(put_common(g, "lfm2", e));
    return gguf_put_array(g, "lfm2.attention.head_count_kv", META_I32, heads, L, e);
}

static void test_lists_of_heads_are_checked(void) {
    buf file = BUF_INIT;
    rz_error e = {0};
    rz_model *m = NULL;
    begin_usual();
    make_lfm2();
    REQUIRE(tiny_gguf(&t, odd_head, &file, &e) == RZ_OK);
    CHECK(rz_model_open_memory(&m, file.p, file.len, NULL, &e) == RZ_EFORMAT);
    CHECK_MSG(strstr(e.text, "lfm2.attention.head_count_kv: element 3 is no number of 0 or more"),
              "%s", e.text);
    buf_free(&file);
    tiny_end(&t);
}

void suite_hybrids(void) {
    RUN(test_gpt_oss);
    RUN(test_lfm2);
    RUN(test_jamba);
    RUN(test_granite_hybrid);
    RUN(test_bamba);
    RUN(test_nemotron_h);
    RUN(test_an_unknown_layer_is_named);
    RUN(test_damaged_experts_are_named);
    RUN(test_lists_of_heads_are_checked);
}
