/* api_synthetic.c - models of real shapes with random weights, made in memory.
 *
 * They answer "how fast would that model be on this machine" without a download. All matrices share
 * one stretch of random blocks while the file image is built, so only the image takes memory. */
#include <stdio.h>

#include "api/api.h"
#include "base/mem.h"
#include "base/rng.h"
#include "format/gguf.h"

typedef struct shape {
    const char *name, *arch;
    uint32_t layers, width, ffn, heads, kv_heads, head_size, vocab, context;
} shape;

/* clang-format off */
static const shape shapes[] = {
    /* name        arch     layers width  ffn  heads kv  size vocab   context */
    {"llama-15m",  "llama",  6,    288,   768,  6,   6,  48,  32000,   256},
    {"llama-110m", "llama", 12,    768,  2048, 12,  12,  64,  32000,  1024},
    {"llama-1b",   "llama", 16,   2048,  8192, 32,   8,  64, 128256, 32768},
    {"llama-8b",   "llama", 32,   4096, 14336, 32,   8, 128, 128256, 32768},
    {"qwen3-0.6b", "qwen3", 28,   1024,  3072, 16,   8, 128, 151936, 32768},
};
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
    float *ones;     /* [widest row] */
    gguf_writer *w;
} material;

static status put_matrix(material *m, const char *name, uint32_t n_out, uint32_t n_in, err *e) {
    const uint64_t dim[TENSOR_MAX_DIMS] = {n_in, n_out, 1, 1};
    return gguf_put_tensor(m->w, str_of(name), m->type, 2, dim, m->blocks, e);
}

static status put_norm(material *m, const char *name, uint32_t n, err *e) {
    const uint64_t dim[TENSOR_MAX_DIMS] = {n, 1, 1, 1};
    return gguf_put_tensor(m->w, str_of(name), QUANT_F32, 1, dim, m->ones, e);
}

static status put_layer(material *m, uint32_t i, err *e) {
    const shape *s = m->s;
    const uint32_t HK = s->heads * s->head_size, GK = s->kv_heads * s->head_size;
    const struct {
        const char *name;
        uint32_t n_out, n_in;
    } matrix[] = {
        {"attn_q", HK, s->width},       {"attn_k", GK, s->width},
        {"attn_v", GK, s->width},       {"attn_output", s->width, HK},
        {"ffn_gate", s->ffn, s->width}, {"ffn_up", s->ffn, s->width},
        {"ffn_down", s->width, s->ffn},
    };
    const struct {
        const char *name;
        uint32_t n;
    } norm[] = {{"attn_norm", s->width},
                {"ffn_norm", s->width},
                {"attn_q_norm", s->head_size},
                {"attn_k_norm", s->head_size}};
    const size_t n_norm = strcmp(s->arch, "qwen3") == 0 ? 4 : 2;
    char name[64];
    for (size_t k = 0; k < sizeof matrix / sizeof *matrix; k++) {
        snprintf(name, sizeof name, "blk.%u.%s.weight", i, matrix[k].name);
        TRY(put_matrix(m, name, matrix[k].n_out, matrix[k].n_in, e));
    }
    for (size_t k = 0; k < n_norm; k++) {
        snprintf(name, sizeof name, "blk.%u.%s.weight", i, norm[k].name);
        TRY(put_norm(m, name, norm[k].n, e));
    }
    return RZ_OK;
}

static status put_keys(material *m, err *e) {
    const shape *s = m->s;
    const struct {
        const char *key;
        uint32_t v;
    } number[] = {
        {"block_count", s->layers},
        {"embedding_length", s->width},
        {"feed_forward_length", s->ffn},
        {"attention.head_count", s->heads},
        {"attention.head_count_kv", s->kv_heads},
        {"attention.key_length", s->head_size},
        {"attention.value_length", s->head_size},
        {"context_length", s->context},
    };
    char key[96];
    TRY(gguf_put_str(m->w, "general.architecture", str_of(s->arch), e));
    TRY(gguf_put_str(m->w, "general.name", str_of(s->name), e));
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
        snprintf(key, sizeof key, "%s.%s", s->arch, number[i].key);
        TRY(gguf_put_u32(m->w, key, number[i].v, e));
    }
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

static status build(material *m, buf *image, err *e) {
    const shape *s = m->s;
    uint64_t row_bytes, bytes;
    const uint32_t most_in = s->ffn > s->width ? s->ffn : s->width;
    if (!quant_row_bytes(m->type, s->width, &row_bytes) ||
        !quant_row_bytes(m->type, s->ffn, &bytes))
        return err_set(e, RZ_EUNSUPPORTED, "synthetic: rows of %s are no whole blocks of %s",
                       s->name, quant_get((uint32_t)m->type)->name);
    bytes = row_bytes * (s->vocab > 2 * s->ffn ? s->vocab : 2 * s->ffn);
    m->blocks = mem_alloc(bytes);
    m->ones = mem_array(most_in, sizeof *m->ones);
    if (!m->blocks || !m->ones)
        return err_set(e, RZ_ENOMEM, "synthetic: out of memory for %s", s->name);
    for (uint32_t i = 0; i < most_in; i++) m->ones[i] = 1;
    TRY(fill_blocks(m, bytes, e));
    TRY(gguf_writer_new(&m->w, e));
    TRY(put_keys(m, e));
    TRY(put_matrix(m, "token_embd.weight", s->vocab, s->width, e));
    TRY(put_norm(m, "output_norm.weight", s->width, e));
    for (uint32_t i = 0; i < s->layers; i++) TRY(put_layer(m, i, e));
    return gguf_write_buf(m->w, image, e);
}

const char *rz_synthetic_name(size_t i) {
    return i < sizeof shapes / sizeof *shapes ? shapes[i].name : NULL;
}

rz_status rz_model_open_synthetic(rz_model **out, const char *name, const char *type,
                                  const rz_model_options *opt, rz_error *e) {
    if (!out || !name || !type)
        return err_set(e, RZ_EINVAL, "rz_model_open_synthetic: a pointer is NULL");
    material m = {.s = find_shape(name)};
    if (!m.s) return err_set(e, RZ_ENOTFOUND, "synthetic: no shape is called \"%.40s\"", name);
    if (!quant_find(str_of(type), &m.type))
        return err_set(e, RZ_ENOTFOUND, "synthetic: no type is called \"%.40s\"", type);
    buf image = BUF_INIT;
    rz_model *made = NULL;
    status s = build(&m, &image, e);
    if (s >= 0) s = rz_model_open_memory(&made, image.p, image.len, opt, e);
    gguf_writer_free(m.w);
    mem_free(m.blocks);
    mem_free(m.ones);
    if (s < 0) {
        buf_free(&image);
        return s;
    }
    made->image = image;
    *out = made;
    return RZ_OK;
}
