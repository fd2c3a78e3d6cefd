/* parrot.c - see parrot.h.
 *
 * Layers that add nothing leave the last token's embedding, which is one of D unit vectors: the
 * first for whatever a prompt ends with, the next ones for the words themselves. The output matrix
 * maps each to the word that follows. */
#include "parrot.h"

#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"
#include "format/gguf.h"

enum { D = 32, BYTES = 256, FIRST = 3 + BYTES, END = 2, MAX_V = FIRST + PARROT_MAX };

typedef struct parrot {
    str piece[MAX_V];
    char name[BYTES][8]; /* "<0x41>" */
    int32_t type[MAX_V];
    float score[MAX_V];
    float in[MAX_V][D], out[MAX_V][D], none[D][D], one[D];
    uint32_t V;
} parrot;

static void fill(parrot *p, const char *const *say, size_t n) {
    enum { UNKNOWN = 2, CONTROL = 3, OWN = 4, BYTE = 6 };
    static const char *const special[] = {"<unk>", "<s>", "</s>"};
    for (int i = 0; i < 3; i++) {
        p->piece[i] = str_of(special[i]);
        p->type[i] = i ? CONTROL : UNKNOWN;
    }
    for (int i = 0; i < BYTES; i++) {
        snprintf(p->name[i], sizeof p->name[i], "<0x%02X>", (unsigned)i);
        p->piece[3 + i] = str_of(p->name[i]);
        p->type[3 + i] = BYTE;
    }
    p->V = FIRST + (uint32_t)n;
    for (uint32_t i = 0; i < p->V; i++) p->in[i][0] = 1;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t id = FIRST + i;
        p->piece[id] = str_of(say[i]);
        p->type[id] = OWN;
        p->in[id][0] = 0;
        p->in[id][i + 1] = 1;
        p->out[id][i] = 10;
    }
    p->out[END][n] = 10;
    for (int i = 0; i < D; i++) p->one[i] = 1;
}

static status put_words(gguf_writer *w, const parrot *p, const char *chat_template, err *e) {
    TRY(gguf_put_str(w, "tokenizer.ggml.model", STR_LIT("llama"), e));
    TRY(gguf_put_strs(w, "tokenizer.ggml.tokens", p->piece, p->V, e));
    TRY(gguf_put_array(w, "tokenizer.ggml.scores", META_F32, p->score, p->V, e));
    TRY(gguf_put_array(w, "tokenizer.ggml.token_type", META_I32, p->type, p->V, e));
    TRY(gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 1, e));
    TRY(gguf_put_u32(w, "tokenizer.ggml.eos_token_id", END, e));
    if (!chat_template) return RZ_OK;
    return gguf_put_str(w, "tokenizer.chat_template", str_of(chat_template), e);
}

static status put_model(gguf_writer *w, const parrot *p, err *e) {
    static const char *const square[] = {"attn_q", "attn_k",   "attn_v",  "attn_output",
                                         "ffn_up", "ffn_gate", "ffn_down"};
    const uint64_t table[] = {D, p->V}, matrix[] = {D, D};
    char name[64];
    TRY(gguf_put_str(w, "general.architecture", STR_LIT("llama"), e));
    TRY(gguf_put_u32(w, "llama.context_length", 4096, e));
    TRY(gguf_put_u32(w, "llama.embedding_length", D, e));
    TRY(gguf_put_u32(w, "llama.block_count", 1, e));
    TRY(gguf_put_u32(w, "llama.feed_forward_length", D, e));
    TRY(gguf_put_u32(w, "llama.attention.head_count", 1, e));
    TRY(gguf_put_f32(w, "llama.attention.layer_norm_rms_epsilon", 1e-5f, e));
    TRY(gguf_put_tensor(w, STR_LIT("token_embd.weight"), QUANT_F32, 2, table, p->in, e));
    TRY(gguf_put_tensor(w, STR_LIT("output.weight"), QUANT_F32, 2, table, p->out, e));
    TRY(gguf_put_tensor(w, STR_LIT("output_norm.weight"), QUANT_F32, 1, matrix, p->one, e));
    TRY(gguf_put_tensor(w, STR_LIT("blk.0.attn_norm.weight"), QUANT_F32, 1, matrix, p->one, e));
    TRY(gguf_put_tensor(w, STR_LIT("blk.0.ffn_norm.weight"), QUANT_F32, 1, matrix, p->one, e));
    for (size_t i = 0; i < sizeof square / sizeof *square; i++) {
        snprintf(name, sizeof name, "blk.0.%s.weight", square[i]);
        TRY(gguf_put_tensor(w, str_of(name), QUANT_F32, 2, matrix, p->none, e));
    }
    return RZ_OK;
}

status parrot_write(const char *path, const char *chat_template, const char *const *say, size_t n,
                    err *e) {
    gguf_writer *w;
    if (n > PARROT_MAX) return err_set(e, RZ_EINVAL, "a parrot knows %d words", PARROT_MAX);
    parrot *p = mem_zero(sizeof *p);
    if (!p) return err_set(e, RZ_ENOMEM, "out of memory");
    fill(p, say, n);
    status s = gguf_writer_new(&w, e);
    if (s >= 0) {
        s = put_words(w, p, chat_template, e);
        if (s >= 0) s = put_model(w, p, e);
        if (s >= 0) s = gguf_write(w, path, e);
        gguf_writer_free(w);
    }
    mem_free(p);
    return s;
}
