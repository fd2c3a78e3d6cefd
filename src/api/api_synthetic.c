/* api_synthetic.c - models of real shapes with random weights, made in memory.
 *
 * They answer "how fast would that model be on this machine" without a download. All matrices share
 * one stretch of random blocks while the file image is built, so only the image takes memory. */
#include <stdio.h>

#include "api/api.h"
#include "base/mem.h"
#include "base/rng.h"
#include "format/gguf.h"

typedef enum shape_kind { SHAPE_LLAMA, SHAPE_QWEN3, SHAPE_MOE, SHAPE_MAMBA2 } shape_kind;

/* Of Mamba `ffn` is the inner width, heads are those of the state, head_size is the state's. */
typedef struct shape {
    const char *name, *arch;
    shape_kind kind;
    uint32_t layers, width, ffn, heads, kv_heads, head_size, vocab, context;
} shape;

/* clang-format off */
static const shape shapes[] = {
    /* name          arch      kind          layers width  ffn  heads kv  size vocab   context */
    {"llama-15m",    "llama",  SHAPE_LLAMA,   6,    288,   768,  6,   6,  48,  32000,   256},
    {"llama-110m",   "llama",  SHAPE_LLAMA,  12,    768,  2048, 12,  12,  64,  32000,  1024},
    {"llama-1b",     "llama",  SHAPE_LLAMA,  16,   2048,  8192, 32,   8,  64, 128256, 32768},
    {"llama-8b",     "llama",  SHAPE_LLAMA,  32,   4096, 14336, 32,   8, 128, 128256, 32768},
    {"qwen3-0.6b",   "qwen3",  SHAPE_QWEN3,  28,   1024,  3072, 16,   8, 128, 151936, 32768},
    {"mixtral-tiny", "llama",  SHAPE_MOE,     8,   1024,  3584, 16,   4,  64,  32000, 32768},
    {"mamba2-1.3b",  "mamba2", SHAPE_MAMBA2, 48,   2048,  4096, 64,   1, 128,  50288, 32768},
    /* small enough for long contexts, and of about the same size */
    {"llama-tiny",   "llama",  SHAPE_LLAMA,   2,    128,   512,  2,   2,  64,   1024, 131072},
    {"mamba2-tiny",  "mamba2", SHAPE_MAMBA2,  4,    128,   256,  4,   1,  64,   1024, 131072},
};
enum { EXPERTS = 8, EXPERTS_USED = 2, CONV = 4 };
/* clang-format on */

static const shape *find_shape(const char *name) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, name) == 0) return &shapes[i];
    return NULL;
}

/* What the tensors borrow while the image is written. */
typedef struct material {
    const shape *s;
    quant_type type;
    uint8_t *blocks; /* as many as the largest matrix has */
    float *ones;     /* [widest row] and so are these */
    float *minus;    /* -1 */
    float *noise;    /* small; [widest row * CONV or EXPERTS] */
    gguf_writer *w;
} material;

static status put_matrix(material *m, const char *name, uint32_t n_out, uint32_t n_in, err *e) {
    const uint64_t dim[TENSOR_MAX_DIMS] = {n_in, n_out, 1, 1};
    return gguf_put_tensor(m->w, str_of(name), m->type, 2, dim, m->blocks, e);
}

static status put_experts(material *m, const char *name, uint32_t n_out, uint32_t n_in, err *e) {
    const uint64_t dim[TENSOR_MAX_DIMS] = {n_in, n_out, EXPERTS, 1};
    return gguf_put_tensor(m->w, str_of(name), m->type, 3, dim, m->blocks, e);
}

static status put_flat(material *m, const char *name, uint32_t n, const float *v, err *e) {
    const uint64_t dim[TENSOR_MAX_DIMS] = {n, 1, 1, 1};
    return gguf_put_tensor(m->w, str_of(name), QUANT_F32, 1, dim, v, e);
}

static status put_table(material *m, const char *name, uint32_t n_out, uint32_t n_in,
                        const float *v, err *e) {
    const uint64_t dim[TENSOR_MAX_DIMS] = {n_in, n_out, 1, 1};
    return gguf_put_tensor(m->w, str_of(name), QUANT_F32, 2, dim, v, e);
}

typedef struct layer_name {
    char text[64];
} layer_name;

static const char *in_layer(layer_name *n, uint32_t i, const char *what) {
    snprintf(n->text, sizeof n->text, "blk.%u.%s", i, what);
    return n->text;
}

static status put_attention(material *m, uint32_t i, err *e) {
    const shape *s = m->s;
    const uint32_t HK = s->heads * s->head_size, GK = s->kv_heads * s->head_size;
    layer_name n;
    TRY(put_flat(m, in_layer(&n, i, "attn_norm.weight"), s->width, m->ones, e));
    TRY(put_matrix(m, in_layer(&n, i, "attn_q.weight"), HK, s->width, e));
    TRY(put_matrix(m, in_layer(&n, i, "attn_k.weight"), GK, s->width, e));
    TRY(put_matrix(m, in_layer(&n, i, "attn_v.weight"), GK, s->width, e));
    TRY(put_matrix(m, in_layer(&n, i, "attn_output.weight"), s->width, HK, e));
    if (s->kind != SHAPE_QWEN3) return RZ_OK;
    TRY(put_flat(m, in_layer(&n, i, "attn_q_norm.weight"), s->head_size, m->ones, e));
    return put_flat(m, in_layer(&n, i, "attn_k_norm.weight"), s->head_size, m->ones, e);
}

static status put_ffn(material *m, uint32_t i, err *e) {
    const shape *s = m->s;
    layer_name n;
    TRY(put_flat(m, in_layer(&n, i, "ffn_norm.weight"), s->width, m->ones, e));
    if (s->kind != SHAPE_MOE) {
        TRY(put_matrix(m, in_layer(&n, i, "ffn_gate.weight"), s->ffn, s->width, e));
        TRY(put_matrix(m, in_layer(&n, i, "ffn_up.weight"), s->ffn, s->width, e));
        return put_matrix(m, in_layer(&n, i, "ffn_down.weight"), s->width, s->ffn, e);
    }
    TRY(put_table(m, in_layer(&n, i, "ffn_gate_inp.weight"), EXPERTS, s->width, m->noise, e));
    TRY(put_experts(m, in_layer(&n, i, "ffn_gate_exps.weight"), s->ffn, s->width, e));
    TRY(put_experts(m, in_layer(&n, i, "ffn_up_exps.weight"), s->ffn, s->width, e));
    return put_experts(m, in_layer(&n, i, "ffn_down_exps.weight"), s->width, s->ffn, e);
}

static uint32_t mamba_channels(const shape *s) { return s->ffn + 2 * s->head_size; }

static status put_mamba(material *m, uint32_t i, err *e) {
    const shape *s = m->s;
    const uint32_t channels = mamba_channels(s), n_in = s->ffn + channels + s->heads;
    layer_name n;
    TRY(put_flat(m, in_layer(&n, i, "attn_norm.weight"), s->width, m->ones, e));
    TRY(put_matrix(m, in_layer(&n, i, "ssm_in.weight"), n_in, s->width, e));
    TRY(put_table(m, in_layer(&n, i, "ssm_conv1d.weight"), channels, CONV, m->noise, e));
    TRY(put_flat(m, in_layer(&n, i, "ssm_conv1d.bias"), channels, m->noise, e));
    TRY(put_flat(m, in_layer(&n, i, "ssm_dt.bias"), s->heads, m->noise, e));
    TRY(put_table(m, in_layer(&n, i, "ssm_a"), s->heads, 1, m->minus, e));
    TRY(put_table(m, in_layer(&n, i, "ssm_d"), s->heads, 1, m->ones, e));
    TRY(put_flat(m, in_layer(&n, i, "ssm_norm.weight"), s->ffn, m->ones, e));
    return put_matrix(m, in_layer(&n, i, "ssm_out.weight"), s->width, s->ffn, e);
}

static status put_layer(material *m, uint32_t i, err *e) {
    if (m->s->kind == SHAPE_MAMBA2) return put_mamba(m, i, e);
    TRY(put_attention(m, i, e));
    return put_ffn(m, i, e);
}

typedef struct number_key {
    const char *key;
    uint32_t v;
} number_key;

static status put_numbers(material *m, const number_key *k, size_t n, err *e) {
    char key[96];
    for (size_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "%s.%s", m->s->arch, k[i].key);
        TRY(gguf_put_u32(m->w, key, k[i].v, e));
    }
    return RZ_OK;
}

static status put_keys(material *m, err *e) {
    const shape *s = m->s;
    const number_key all[] = {{"block_count", s->layers},
                              {"embedding_length", s->width},
                              {"vocab_size", s->vocab},
                              {"context_length", s->context}};
    const number_key attention[] = {
        {"feed_forward_length", s->ffn},          {"attention.head_count", s->heads},
        {"attention.head_count_kv", s->kv_heads}, {"attention.key_length", s->head_size},
        {"attention.value_length", s->head_size}, {"rope.dimension_count", s->head_size}};
    const number_key experts[] = {{"expert_count", EXPERTS}, {"expert_used_count", EXPERTS_USED}};
    const number_key mamba[] = {{"feed_forward_length", 0},       {"attention.head_count", 0},
                                {"ssm.conv_kernel", CONV},        {"ssm.inner_size", s->ffn},
                                {"ssm.state_size", s->head_size}, {"ssm.time_step_rank", s->heads},
                                {"ssm.group_count", s->kv_heads}};
    char key[96];
    TRY(gguf_put_str(m->w, "general.architecture", str_of(s->arch), e));
    TRY(gguf_put_str(m->w, "general.name", str_of(s->name), e));
    TRY(put_numbers(m, all, sizeof all / sizeof *all, e));
    if (s->kind == SHAPE_MAMBA2) TRY(put_numbers(m, mamba, sizeof mamba / sizeof *mamba, e));
    else TRY(put_numbers(m, attention, sizeof attention / sizeof *attention, e));
    if (s->kind == SHAPE_MOE) TRY(put_numbers(m, experts, sizeof experts / sizeof *experts, e));
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", s->arch);
    return gguf_put_f32(m->w, key, 1e-5f, e);
}

enum { FRESH_ROWS = 256, ROW = 1024 };

/* Blocks of small random weights, quantized properly and then repeated. */
static status fill_blocks(material *m, uint64_t bytes, err *e) {
    const quant_info *q = quant_get((uint32_t)m->type);
    uint64_t row_bytes = 0, seed = 1;
    float row[ROW];
    if (!q->from_float || !quant_row_bytes(m->type, ROW, &row_bytes))
        return err_set(e, RZ_EUNSUPPORTED, "synthetic: weights cannot be stored as %s", q->name);
    for (uint64_t at = 0; at < bytes; at += row_bytes) {
        const uint64_t left = bytes - at < row_bytes ? bytes - at : row_bytes;
        uint8_t block[ROW * sizeof(float)];
        if (at / row_bytes >= FRESH_ROWS) {
            memcpy(m->blocks + at, m->blocks + at % (FRESH_ROWS * row_bytes), left);
            continue;
        }
        for (int i = 0; i < ROW; i++) row[i] = (float)(rng_unit(&seed) - 0.5) * 0.08f;
        q->from_float(row, block, ROW);
        memcpy(m->blocks + at, block, left);
    }
    return RZ_OK;
}

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* Everything the tensors borrow from. */
static status take_material(material *m, err *e) {
    const shape *s = m->s;
    uint64_t row_bytes, bytes, seed = 2;
    const uint32_t widest = larger(larger(s->width, s->ffn), mamba_channels(s));
    const uint32_t experts = s->kind == SHAPE_MOE ? EXPERTS : 1;
    if (!quant_row_bytes(m->type, s->width, &row_bytes) ||
        !quant_row_bytes(m->type, s->ffn, &bytes))
        return err_set(e, RZ_EUNSUPPORTED, "synthetic: rows of %s are no whole blocks of %s",
                       s->name, quant_get((uint32_t)m->type)->name);
    bytes = row_bytes * larger(s->vocab, 3 * s->ffn * experts);
    m->blocks = mem_alloc(bytes);
    m->ones = mem_array(widest, sizeof *m->ones);
    m->minus = mem_array(widest, sizeof *m->minus);
    m->noise = mem_array((size_t)widest * EXPERTS, sizeof *m->noise);
    if (!m->blocks || !m->ones || !m->minus || !m->noise)
        return err_set(e, RZ_ENOMEM, "synthetic: out of memory for %s", s->name);
    for (uint32_t i = 0; i < widest; i++) {
        m->ones[i] = 1;
        m->minus[i] = -1;
    }
    for (uint32_t i = 0; i < widest * EXPERTS; i++)
        m->noise[i] = (float)(rng_unit(&seed) - 0.5) * 0.1f;
    return fill_blocks(m, bytes, e);
}

/* ---- Vocabulary ---- */

enum { SPM_NORMAL = 1, SPM_UNKNOWN = 2, SPM_CONTROL = 3, SPM_BYTE = 6, BYTES_AT = 3 };
enum { WORDS_AT = BYTES_AT + 256, WORD = 16 };

/* The spelling of token i: three special ones, all bytes, then words of letters, every number in
 * base 26, every other one with a space before it. */
static size_t spell(char out[WORD], uint32_t i) {
    static const char *const special[BYTES_AT] = {"<unk>", "<s>", "</s>"};
    if (i < BYTES_AT) return (size_t)snprintf(out, WORD, "%s", special[i]);
    if (i < WORDS_AT) return (size_t)snprintf(out, WORD, "<0x%02X>", i - BYTES_AT);
    size_t n = 0;
    i -= WORDS_AT;
    if (i % 2) n += (size_t)snprintf(out, WORD, "\xe2\x96\x81"); /* U+2581 */
    for (i = i / 2 + 1; i > 0; i = (i - 1) / 26) out[n++] = (char)('a' + (i - 1) % 26);
    return n;
}

static status put_tokens(material *m, char (*text)[WORD], str *token, float *score, int32_t *kind,
                         err *e) {
    const uint32_t n = m->s->vocab;
    for (uint32_t i = 0; i < n; i++) {
        token[i] = (str){text[i], spell(text[i], i)};
        score[i] = i < WORDS_AT ? 0 : -(float)(i - WORDS_AT);
        kind[i] = i == 0         ? SPM_UNKNOWN
                  : i < BYTES_AT ? SPM_CONTROL
                  : i < WORDS_AT ? SPM_BYTE
                                 : SPM_NORMAL;
    }
    TRY(gguf_put_str(m->w, "tokenizer.ggml.model", STR_LIT("llama"), e));
    TRY(gguf_put_strs(m->w, "tokenizer.ggml.tokens", token, n, e));
    TRY(gguf_put_array(m->w, "tokenizer.ggml.scores", META_F32, score, n, e));
    TRY(gguf_put_array(m->w, "tokenizer.ggml.token_type", META_I32, kind, n, e));
    TRY(gguf_put_u32(m->w, "tokenizer.ggml.unknown_token_id", 0, e));
    TRY(gguf_put_u32(m->w, "tokenizer.ggml.bos_token_id", 1, e));
    return gguf_put_u32(m->w, "tokenizer.ggml.eos_token_id", 2, e);
}

static status put_vocabulary(material *m, err *e) {
    const size_t n = m->s->vocab;
    char(*text)[WORD] = mem_array(n, sizeof *text);
    str *token = mem_array(n, sizeof *token);
    float *score = mem_array(n, sizeof *score);
    int32_t *kind = mem_array(n, sizeof *kind);
    const status s = text && token && score && kind
                         ? put_tokens(m, text, token, score, kind, e)
                         : err_set(e, RZ_ENOMEM, "synthetic: out of memory for a vocabulary");
    mem_free(text);
    mem_free(token);
    mem_free(score);
    mem_free(kind);
    return s;
}

/* ---- The whole ---- */

static status build(material *m, bool vocabulary, err *e) {
    const shape *s = m->s;
    TRY(take_material(m, e));
    TRY(gguf_writer_new(&m->w, e));
    TRY(put_keys(m, e));
    if (vocabulary) TRY(put_vocabulary(m, e));
    TRY(put_matrix(m, "token_embd.weight", s->vocab, s->width, e));
    TRY(put_flat(m, "output_norm.weight", s->width, m->ones, e));
    for (uint32_t i = 0; i < s->layers; i++) TRY(put_layer(m, i, e));
    return RZ_OK;
}

static void drop_material(material *m) {
    gguf_writer_free(m->w);
    mem_free(m->blocks);
    mem_free(m->ones);
    mem_free(m->minus);
    mem_free(m->noise);
}

static status choose(material *m, const char *name, const char *type, err *e) {
    *m = (material){.s = find_shape(name)};
    if (!m->s) return err_set(e, RZ_ENOTFOUND, "synthetic: no shape is called \"%.40s\"", name);
    if (!quant_find(str_of(type), &m->type))
        return err_set(e, RZ_ENOTFOUND, "synthetic: no type is called \"%.40s\"", type);
    return RZ_OK;
}

const char *rz_synthetic_name(size_t i) {
    return i < sizeof shapes / sizeof *shapes ? shapes[i].name : NULL;
}

rz_status rz_model_open_synthetic(rz_model **out, const char *name, const char *type,
                                  const rz_model_options *opt, rz_error *e) {
    if (!out || !name || !type)
        return err_set(e, RZ_EINVAL, "rz_model_open_synthetic: a pointer is NULL");
    material m;
    TRY(choose(&m, name, type, e));
    buf image = BUF_INIT;
    rz_model *made = NULL;
    status s = build(&m, false, e);
    if (s >= 0) s = gguf_write_buf(m.w, &image, e);
    if (s >= 0) s = rz_model_open_memory(&made, image.p, image.len, opt, e);
    drop_material(&m);
    if (s < 0) {
        buf_free(&image);
        return s;
    }
    made->image = image;
    *out = made;
    return RZ_OK;
}

rz_status rz_synthetic_write(const char *name, const char *type, const char *path, rz_error *e) {
    if (!name || !type || !path)
        return err_set(e, RZ_EINVAL, "rz_synthetic_write: a pointer is NULL");
    material m;
    TRY(choose(&m, name, type, e));
    status s = build(&m, true, e);
    if (s >= 0) s = gguf_write(m.w, path, e);
    drop_material(&m);
    return s;
}
