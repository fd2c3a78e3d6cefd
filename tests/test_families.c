/* test_families.c - families without a reference from elsewhere: tiny random models, written in
 * both kinds of file, against a slow forward pass in double that follows the published equations.
 *
 * The reference knows nothing of the engine: it takes weights by their checkpoint names and one
 * row of facts a family. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/os.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "test.h"
#include "tiny.h"

enum { D = 48, H = 6, G = 2, K = 8, F = 40, V = 37, L = 5, T = 23, MAX_TENSORS = 128 };

typedef enum norm_form { NO_NORM, RMS, LAYER, LAYER_BIAS } norm_form;
typedef enum act_form { SILU_GATED, GELU_TANH } act_form;

/* One family: what differs from x += attn(norm x); x += mlp(norm x). */
typedef struct family {
    const char *gguf, *config; /* general.architecture; what config.json says of it */
    norm_form norm;            /* of the stream, at the end too */
    bool post_norms;           /* behind the branches, and none before them */
    bool parallel, whole_row_qk_norm;
    bool pairs;        /* neighbouring dims rotate; else halves */
    bool gguf_permute; /* q and k rows of GGUF are in pair order */
    uint32_t n_rot;
    uint32_t plain_every; /* every so many layers do not rotate; 0: all do */
    uint32_t window;      /* and in the others keys within it count; 0: all */
    bool window_all;      /* in every layer */
    act_form act;
    bool qkv_bias, o_bias, mlp_bias, head_bias, own_head;
    double rope_base, embed_scale, residual_scale, score_scale, logit_scale; /* 0: the usual */
    const char *final_norm, *o_name, *up_name, *down_name;                   /* NULL: as llama */
    struct {
        const char *key;
        double value; /* whole ones are stored as u32 */
    } meta[6];
} family;

#define EVERY_BIAS .qkv_bias = true, .o_bias = true, .mlp_bias = true
#define STARCODER2                                                                      \
    .gguf = "starcoder2", .norm = LAYER_BIAS, .n_rot = K, .act = GELU_TANH, EVERY_BIAS, \
    .up_name = "mlp.c_fc", .down_name = "mlp.c_proj"

/* The first key of meta is the epsilon. */
static const family families[] = {
    {STARCODER2,
     .config = "\"model_type\":\"starcoder2\",\"norm_epsilon\":1e-5,\"sliding_window\":null,"
               "\"rope_theta\":5000.0",
     .rope_base = 5000, .meta = {{"attention.layer_norm_epsilon", 1e-5}, {"rope.freq_base", 5000}}},
    {STARCODER2,
     .config = "\"model_type\":\"starcoder2\",\"norm_epsilon\":1e-5,\"sliding_window\":6",
     .window = 6, .window_all = true,
     .meta = {{"attention.layer_norm_epsilon", 1e-5}, {"attention.sliding_window", 6}}},
    {.gguf = "stablelm",
     .config = "\"model_type\":\"stablelm\",\"layer_norm_eps\":1e-5,\"partial_rotary_factor\":0.25,"
               "\"use_qkv_bias\":true",
     .norm = LAYER_BIAS,
     .n_rot = 2,
     .qkv_bias = true,
     .own_head = true,
     .meta = {{"attention.layer_norm_epsilon", 1e-5}, {"rope.dimension_count", 2}}},
    {.gguf = "olmo2",
     .config = "\"model_type\":\"olmo2\",\"rms_norm_eps\":1e-6",
     .norm = RMS,
     .post_norms = true,
     .whole_row_qk_norm = true,
     .n_rot = K,
     .own_head = true,
     .meta = {{"attention.layer_norm_rms_epsilon", 1e-6}}},
    {.gguf = "granite",
     .config = "\"model_type\":\"granite\",\"rms_norm_eps\":1e-5,\"embedding_multiplier\":12.0,"
               "\"residual_multiplier\":0.22,\"logits_scaling\":4.0,\"attention_multiplier\":0.2",
     .norm = RMS,
     .gguf_permute = true,
     .n_rot = K,
     .embed_scale = 12,
     .residual_scale = 0.22,
     .score_scale = 0.2,
     .logit_scale = 0.25,
     .meta = {{"attention.layer_norm_rms_epsilon", 1e-5},
              {"embedding_scale", 12.0},
              {"residual_scale", 0.22},
              {"logit_scale", 4.0},
              {"attention.scale", 0.2}}},
    {.gguf = "smollm3",
     .config = "\"model_type\":\"smollm3\",\"rms_norm_eps\":1e-6,\"no_rope_layers\":[1,1,1,0,1]",
     .norm = RMS,
     .gguf_permute = true,
     .n_rot = K,
     .plain_every = 4,
     .meta = {{"attention.layer_norm_rms_epsilon", 1e-6}}},
    {.gguf = "command-r",
     .config = "\"model_type\":\"cohere\",\"layer_norm_eps\":1e-5,\"logit_scale\":0.0625",
     .norm = LAYER,
     .parallel = true,
     .pairs = true,
     .n_rot = K,
     .logit_scale = 0.0625,
     .meta = {{"attention.layer_norm_epsilon", 1e-5}, {"logit_scale", 0.0625}}},
    {.gguf = "cohere2",
     .config = "\"model_type\":\"cohere2\",\"layer_norm_eps\":1e-5,\"logit_scale\":0.25,"
               "\"sliding_window\":5,\"sliding_window_pattern\":4",
     .norm = LAYER,
     .parallel = true,
     .pairs = true,
     .n_rot = K,
     .plain_every = 4,
     .window = 5,
     .logit_scale = 0.25,
     .meta = {{"attention.layer_norm_epsilon", 1e-5},
              {"logit_scale", 0.25},
              {"attention.sliding_window", 5}}},
    {.gguf = "phi2",
     .config = "\"model_type\":\"phi\",\"layer_norm_eps\":1e-5,\"partial_rotary_factor\":0.5",
     .norm = LAYER_BIAS,
     .parallel = true,
     .n_rot = 4,
     .act = GELU_TANH,
     EVERY_BIAS,
     .head_bias = true,
     .own_head = true,
     .final_norm = "model.final_layernorm",
     .o_name = "self_attn.dense",
     .up_name = "mlp.fc1",
     .down_name = "mlp.fc2",
     .meta = {{"attention.layer_norm_epsilon", 1e-5}, {"rope.dimension_count", 4}}},
};

/* ---- Weights ---- */

typedef struct entry {
    char hf[128], gguf[96];
    uint64_t rows, cols; /* cols 0: a vector */
    bool permuted;       /* in GGUF */
    float *x;
} entry;

typedef struct weights {
    const family *f;
    entry e[MAX_TENSORS];
    size_t n;
    uint64_t random;
} weights;

static float noise(weights *w) {
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(w->random >> 40) / (1 << 23) - 1);
}

/* Norm gains lie around 1, matrices keep the size of what goes through them. */
static void add(weights *w, const char *hf, const char *gguf, uint64_t rows, uint64_t cols) {
    entry *e = &w->e[w->n++];
    snprintf(e->hf, sizeof e->hf, "%s", hf);
    snprintf(e->gguf, sizeof e->gguf, "%s", gguf);
    e->rows = rows;
    e->cols = cols;
    const uint64_t n = rows * (cols ? cols : 1);
    const bool gain = !cols && strstr(hf, "norm") && strstr(hf, ".weight");
    const float size = cols ? 1.8f / sqrtf((float)cols) : 0.3f;
    e->x = malloc(n * sizeof *e->x);
    for (uint64_t i = 0; i < n; i++) e->x[i] = noise(w) * size + (gain ? 1.0f : 0.0f);
}

static void add_layer(weights *w, uint32_t i, const char *hf, const char *gguf, uint64_t rows,
                      uint64_t cols) {
    char a[128], b[96];
    snprintf(a, sizeof a, "model.layers.%u.%s", i, hf);
    snprintf(b, sizeof b, "blk.%u.%s", i, gguf);
    add(w, a, b, rows, cols);
}

/* A projection with its bias, if the family has one. */
static void add_pair(weights *w, uint32_t i, const char *hf, const char *gguf, uint64_t rows,
                     uint64_t cols, bool bias) {
    char a[64], b[64];
    snprintf(a, sizeof a, "%s.weight", hf);
    snprintf(b, sizeof b, "%s.weight", gguf);
    add_layer(w, i, a, b, rows, cols);
    if (!bias) return;
    snprintf(a, sizeof a, "%s.bias", hf);
    snprintf(b, sizeof b, "%s.bias", gguf);
    add_layer(w, i, a, b, rows, 0);
}

static const char *or_else(const char *name, const char *usual) { return name ? name : usual; }

static void add_one_layer(weights *w, uint32_t i) {
    const family *f = w->f;
    if (f->post_norms) {
        add_pair(w, i, "post_attention_layernorm", "post_attention_norm", D, 0, false);
        add_pair(w, i, "post_feedforward_layernorm", "post_ffw_norm", D, 0, false);
    } else {
        add_pair(w, i, "input_layernorm", "attn_norm", D, 0, f->norm == LAYER_BIAS);
        if (!f->parallel)
            add_pair(w, i, "post_attention_layernorm", "ffn_norm", D, 0, f->norm == LAYER_BIAS);
    }
    size_t at = w->n;
    add_pair(w, i, "self_attn.q_proj", "attn_q", H * K, D, f->qkv_bias);
    w->e[at].permuted = f->gguf_permute;
    at = w->n;
    add_pair(w, i, "self_attn.k_proj", "attn_k", G * K, D, f->qkv_bias);
    w->e[at].permuted = f->gguf_permute;
    add_pair(w, i, "self_attn.v_proj", "attn_v", G * K, D, f->qkv_bias);
    add_pair(w, i, or_else(f->o_name, "self_attn.o_proj"), "attn_output", D, H * K, f->o_bias);
    if (f->whole_row_qk_norm) {
        add_pair(w, i, "self_attn.q_norm", "attn_q_norm", H * K, 0, false);
        add_pair(w, i, "self_attn.k_norm", "attn_k_norm", G * K, 0, false);
    }
    if (f->act == SILU_GATED) add_pair(w, i, "mlp.gate_proj", "ffn_gate", F, D, false);
    add_pair(w, i, or_else(f->up_name, "mlp.up_proj"), "ffn_up", F, D, f->mlp_bias);
    add_pair(w, i, or_else(f->down_name, "mlp.down_proj"), "ffn_down", D, F, f->mlp_bias);
}

static void make_weights(weights *w, const family *f) {
    char name[64];
    *w = (weights){.f = f, .random = 12345 + (uint64_t)(f - families)};
    add(w, "model.embed_tokens.weight", "token_embd.weight", V, D);
    snprintf(name, sizeof name, "%s.weight", or_else(f->final_norm, "model.norm"));
    add(w, name, "output_norm.weight", D, 0);
    snprintf(name, sizeof name, "%s.bias", or_else(f->final_norm, "model.norm"));
    if (f->norm == LAYER_BIAS) add(w, name, "output_norm.bias", D, 0);
    if (f->own_head) add(w, "lm_head.weight", "output.weight", V, D);
    if (f->head_bias) add(w, "lm_head.bias", "output.bias", V, 0);
    for (uint32_t i = 0; i < L; i++) add_one_layer(w, i);
}

static void drop_weights(weights *w) {
    for (size_t i = 0; i < w->n; i++) free(w->e[i].x);
}

/* By name, or NULL. */
static const float *whole(const weights *w, const char *name) {
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->e[i].hf, name) == 0) return w->e[i].x;
    return NULL;
}

static const float *of_layer(const weights *w, uint32_t i, const char *name, const char *end) {
    char full[96];
    snprintf(full, sizeof full, "model.layers.%u.%s%s", i, name, end);
    return whole(w, full);
}

/* ---- The reference ---- */

static void normed(double *y, const double *x, size_t n, norm_form form, const float *gain,
                   const float *bias, double eps) {
    double mean = 0, square = 0;
    for (size_t i = 0; i < n; i++) mean += x[i] / (double)n;
    if (form == RMS) mean = 0;
    for (size_t i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) / sqrt(square + eps) * (double)gain[i] + (bias ? (double)bias[i] : 0);
}

static void times(double *y, const float *a, const float *b, const double *x, size_t rows,
                  size_t cols) {
    for (size_t r = 0; r < rows; r++) {
        y[r] = b ? (double)b[r] : 0;
        for (size_t c = 0; c < cols; c++) y[r] += (double)a[r * cols + c] * x[c];
    }
}

static double eps_of(const family *f) { return f->meta[0].value < 5e-6 ? 1e-6 : 1e-5; }

static void project(const weights *w, uint32_t i, const char *name, double *y, const double *x,
                    size_t rows, size_t cols) {
    times(y, of_layer(w, i, name, ".weight"), of_layer(w, i, name, ".bias"), x, rows, cols);
}

static void rotate(const family *f, double *x, uint32_t heads, uint32_t pos) {
    const double base = f->rope_base > 0 ? f->rope_base : 10000;
    for (uint32_t h = 0; h < heads; h++)
        for (uint32_t j = 0; j < f->n_rot / 2; j++) {
            const double a = pos * pow(base, -2.0 * j / f->n_rot);
            double *p = x + h * K + (f->pairs ? 2 * j : j), *q = p + (f->pairs ? 1 : f->n_rot / 2);
            const double u = *p, v = *q;
            *p = u * cos(a) - v * sin(a);
            *q = v * cos(a) + u * sin(a);
        }
}

typedef struct past {
    double k[L][T][G * K], v[L][T][G * K];
} past;

static void attend(const weights *w, past *p, uint32_t i, uint32_t pos, double *out,
                   const double *n) {
    const family *f = w->f;
    double q[H * K], mixed[H * K], *k = p->k[i][pos];
    project(w, i, "self_attn.q_proj", q, n, H * K, D);
    project(w, i, "self_attn.k_proj", k, n, G * K, D);
    project(w, i, "self_attn.v_proj", p->v[i][pos], n, G * K, D);
    if (f->whole_row_qk_norm) {
        normed(q, q, H * K, RMS, of_layer(w, i, "self_attn.q_norm", ".weight"), NULL, eps_of(f));
        normed(k, k, G * K, RMS, of_layer(w, i, "self_attn.k_norm", ".weight"), NULL, eps_of(f));
    }
    const bool special = f->plain_every && (i + 1) % f->plain_every == 0;
    if (!special) {
        rotate(f, q, H, pos);
        rotate(f, k, G, pos);
    }
    const uint32_t window = f->window && (f->window_all || !special) ? f->window : T;
    const double scale = f->score_scale > 0 ? f->score_scale : 1 / sqrt((double)K);
    for (uint32_t h = 0; h < H; h++) {
        double s[T], sum = 0, *o = mixed + h * K;
        const uint32_t g = h / (H / G);
        memset(o, 0, K * sizeof *o);
        for (uint32_t j = 0; j <= pos; j++) {
            s[j] = 0;
            for (uint32_t d = 0; d < K; d++) s[j] += q[h * K + d] * p->k[i][j][g * K + d];
            s[j] = pos - j < window ? exp(s[j] * scale) : 0;
            sum += s[j];
        }
        for (uint32_t j = 0; j <= pos; j++)
            for (uint32_t d = 0; d < K; d++) o[d] += s[j] / sum * p->v[i][j][g * K + d];
    }
    project(w, i, or_else(f->o_name, "self_attn.o_proj"), out, mixed, D, H * K);
}

static void feed_forward(const weights *w, uint32_t i, double *out, const double *n) {
    const family *f = w->f;
    double up[F], gate[F];
    project(w, i, or_else(f->up_name, "mlp.up_proj"), up, n, F, D);
    if (f->act == SILU_GATED) project(w, i, "mlp.gate_proj", gate, n, F, D);
    for (uint32_t j = 0; j < F; j++) {
        const double x = up[j];
        if (f->act == SILU_GATED) up[j] *= gate[j] / (1 + exp(-gate[j]));
        else up[j] = x / 2 * (1 + tanh(sqrt(2 / 3.141592653589793) * (x + 0.044715 * x * x * x)));
    }
    project(w, i, or_else(f->down_name, "mlp.down_proj"), out, up, D, F);
}

static void add_scaled(double *x, const double *t, double scale) {
    for (uint32_t d = 0; d < D; d++) x[d] += t[d] * (scale > 0 ? scale : 1);
}

static void run_layer(const weights *w, past *p, uint32_t i, uint32_t pos, double *x) {
    const family *f = w->f;
    const double eps = eps_of(f);
    double n[D], a[D], b[D];
    if (f->post_norms) {
        attend(w, p, i, pos, a, x);
        normed(a, a, D, RMS, of_layer(w, i, "post_attention_layernorm", ".weight"), NULL, eps);
        add_scaled(x, a, 1);
        feed_forward(w, i, b, x);
        normed(b, b, D, RMS, of_layer(w, i, "post_feedforward_layernorm", ".weight"), NULL, eps);
        add_scaled(x, b, 1);
        return;
    }
    normed(n, x, D, f->norm, of_layer(w, i, "input_layernorm", ".weight"),
           of_layer(w, i, "input_layernorm", ".bias"), eps);
    attend(w, p, i, pos, a, n);
    if (!f->parallel) {
        add_scaled(x, a, f->residual_scale);
        normed(n, x, D, f->norm, of_layer(w, i, "post_attention_layernorm", ".weight"),
               of_layer(w, i, "post_attention_layernorm", ".bias"), eps);
    }
    feed_forward(w, i, b, n);
    if (f->parallel) add_scaled(x, a, f->residual_scale);
    add_scaled(x, b, f->residual_scale);
}

static void run_reference(const weights *w, const rz_token *ids, double logits[T][V]) {
    static past p;
    const family *f = w->f;
    char name[64], bias[64];
    snprintf(name, sizeof name, "%s.weight", or_else(f->final_norm, "model.norm"));
    snprintf(bias, sizeof bias, "%s.bias", or_else(f->final_norm, "model.norm"));
    const float *embed = whole(w, "model.embed_tokens.weight");
    const float *head = f->own_head ? whole(w, "lm_head.weight") : embed;
    for (uint32_t t = 0; t < T; t++) {
        double x[D], n[D];
        for (uint32_t d = 0; d < D; d++)
            x[d] = (double)embed[ids[t] * D + (int)d] * (f->embed_scale > 0 ? f->embed_scale : 1);
        for (uint32_t i = 0; i < L; i++) run_layer(w, &p, i, t, x);
        normed(n, x, D, f->norm, whole(w, name), whole(w, bias), eps_of(f));
        times(logits[t], head, whole(w, "lm_head.bias"), n, V, D);
        for (uint32_t v = 0; v < V; v++) logits[t][v] *= f->logit_scale > 0 ? f->logit_scale : 1;
    }
}

/* ---- Files ---- */

/* Row r of a q or k whose rows go in pairs comes from this row of the checkpoint's. */
static uint64_t unpermuted(uint64_t r) {
    const uint64_t in = r % K;
    return r - in + in / 2 + in % 2 * (K / 2);
}

static status write_gguf(const weights *w, buf *out, err *e) {
    static const struct {
        const char *key;
        uint32_t value;
    } sizes[] = {{"block_count", L},          {"embedding_length", D},
                 {"attention.head_count", H}, {"attention.head_count_kv", G},
                 {"feed_forward_length", F},  {"context_length", 64}};
    gguf_writer *g;
    char key[96];
    float *turned[MAX_TENSORS] = {NULL};
    TRY(gguf_writer_new(&g, e));
    status s = gguf_put_str(g, "general.architecture", str_of(w->f->gguf), e);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && s >= 0; i++) {
        snprintf(key, sizeof key, "%s.%s", w->f->gguf, sizes[i].key);
        s = gguf_put_u32(g, key, sizes[i].value, e);
    }
    for (size_t i = 0; i < 6 && w->f->meta[i].key && s >= 0; i++) {
        const double v = w->f->meta[i].value;
        snprintf(key, sizeof key, "%s.%s", w->f->gguf, w->f->meta[i].key);
        const bool count = v == floor(v) && strstr(key, "scale") == NULL;
        s = count ? gguf_put_u32(g, key, (uint32_t)v, e) : gguf_put_f32(g, key, (float)v, e);
    }
    for (size_t i = 0; i < w->n && s >= 0; i++) {
        const entry *t = &w->e[i];
        const uint64_t n = t->cols ? t->cols : 1, dim[2] = {t->cols ? t->cols : t->rows, t->rows};
        if (t->permuted) {
            turned[i] = malloc(t->rows * n * sizeof(float));
            for (uint64_t r = 0; r < t->rows; r++)
                memcpy(turned[i] + r * n, t->x + unpermuted(r) * n, n * sizeof(float));
        }
        s = gguf_put_tensor(g, str_of(t->gguf), QUANT_F32, t->cols ? 2 : 1, dim,
                            turned[i] ? turned[i] : t->x, e);
    }
    if (s >= 0) s = gguf_write_buf(g, out, e);
    gguf_writer_free(g);
    for (size_t i = 0; i < w->n; i++) free(turned[i]);
    return s;
}

static status put_entries(const void *of, safetensors_writer *g, err *e) {
    const weights *w = of;
    for (size_t i = 0; i < w->n; i++) {
        const entry *t = &w->e[i];
        const uint64_t dim[2] = {t->cols ? t->cols : t->rows, t->rows};
        TRY(safetensors_put_tensor(g, str_of(t->hf), QUANT_F32, t->cols ? 2 : 1, dim, t->x, e));
    }
    return RZ_OK;
}

static const char *write_folder(const weights *w, const char *name) {
    char config[1024];
    snprintf(config, sizeof config,
             "{%s,\"num_hidden_layers\":%d,\"hidden_size\":%d,\"num_attention_heads\":%d,"
             "\"num_key_value_heads\":%d,\"intermediate_size\":%d,\"head_dim\":%d,"
             "\"max_position_embeddings\":64,\"vocab_size\":%d}",
             w->f->config, L, D, H, G, F, K, V);
    return tiny_folder_of(put_entries, w, name, config);
}

/* ---- Comparing ---- */

static void check_model(const family *f, const char *kind, rz_model *m, const rz_token *ids,
                        double want[T][V]) {
    char what[64];
    snprintf(what, sizeof what, "%s as %s", f->gguf, kind);
    tiny_check_logits(what, m, ids, T, want[0], 2e-5);
}

static void check_family(const family *f) {
    static weights w;
    static double want[T][V];
    char name[32];
    rz_token ids[T];
    rz_error e = {0};
    buf file = BUF_INIT;
    rz_model *m = NULL;
    for (int i = 0; i < T; i++) ids[i] = (i * 11 + 3) % V;
    make_weights(&w, f);
    run_reference(&w, ids, want);
    REQUIRE(write_gguf(&w, &file, &e) == RZ_OK);
    if (rz_model_open_memory(&m, file.p, file.len, NULL, &e) < 0)
        test_fail(__FILE__, __LINE__, "%s", e.text);
    if (m) check_model(f, "GGUF", m, ids, want);
    rz_model_close(m);
    m = NULL;
    snprintf(name, sizeof name, "family-%zu", (size_t)(f - families));
    const char *folder = write_folder(&w, name);
    REQUIRE(folder != NULL);
    rz_model_options opt = RZ_MODEL_INIT;
    opt.threads = 2;
    if (rz_model_open(&m, folder, &opt, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    if (m) check_model(f, "a folder", m, ids, want);
    rz_model_close(m);
    buf_free(&file);
    drop_weights(&w);
}

static void test_families_follow_their_equations(void) {
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) check_family(&families[i]);
}

void suite_families(void) { RUN(test_families_follow_their_equations); }
