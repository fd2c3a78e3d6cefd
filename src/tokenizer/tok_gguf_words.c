/* tok_gguf_words.c - tokenizer.ggml.model "bert" (WordPiece), "t5" (Unigram) and "rwkv" (the
 * longest token at every place), each as llama.cpp runs it. */
#include <math.h>

#include "base/mem.h"
#include "tokenizer/tok_pipe.h"

static status no_memory(err *e) { return err_set(e, RZ_ENOMEM, "tokenizer: out of memory"); }

static status own_norm(tok *t, const norm_step *step, size_t n, err *e) {
    t->own_norm.step = arena_alloc(&t->mem, n * sizeof *step);
    if (!t->own_norm.step) return no_memory(e);
    memcpy(t->own_norm.step, step, n * sizeof *step);
    t->own_norm.n = n;
    t->norm = &t->own_norm;
    return RZ_OK;
}

/* ---- WordPiece ---- */

/* The id that closes a text; an absent key leaves *id alone. */
static status closing_id(const tok *t, const tensor_file *f, int32_t *id, err *e) {
    uint32_t sep = (uint32_t)*id;
    const char *key = "tokenizer.ggml.seperator_token_id"; /* so GGUF spells it */
    TRY(meta_u32(f, key, &sep, e));
    if (sep >= t->n)
        return err_set(e, RZ_EFORMAT, "%s: %s is %u, expected less than %zu, the number of tokens",
                       f->path, key, sep, t->n);
    *id = (int32_t)sep;
    return RZ_OK;
}

status tok_wordpiece_open_gguf(tok *t, const tensor_file *f, err *e) {
    static const tok_gguf_defaults defaults = {
        .bos = 101, .eos = -1, .unk = 100, .pad = 0, .add_bos = true};
    static const norm_step norm[] = {{.op = NORM_OP_FORM, .form = NORM_NFD},
                                     {.op = NORM_OP_STRIP_MN},
                                     {.op = NORM_OP_LOWER},
                                     {.op = NORM_OP_CLEAN}};
    static const pre_step pre[] = {
        {.op = PRE_SPLIT_CHARS, .behavior = PRE_REMOVED, .is = pre_is_space},
        {.op = PRE_SPLIT_CHARS, .behavior = PRE_ISOLATED, .is = pre_is_alone}};
    tok_index x = {0};
    word_model w;
    status s = tok_gguf_read(t, f, &defaults, &x, e);
    tok_index_done(&x);
    TRY(s);
    bool add_sep = true;
    int32_t sep = t->n > 102 ? 102 : 0;
    TRY(meta_bool(f, "tokenizer.ggml.add_sep_token", &add_sep, e));
    TRY(closing_id(t, f, &sep, e));
    if (add_sep && t->n_after < TOK_MAX_AROUND) t->after[t->n_after++] = sep;
    t->drops_first_space = true;
    TRY(tok_spm_bytes(t, true, f->path, e));
    TRY(own_norm(t, norm, sizeof norm / sizeof *norm, e));
    const wordpiece_options o = {
        .unk = t->special[RZ_UNK], .lead = STR_LIT("\u2581"), .inside = {"", 0}};
    TRY(tok_wordpiece_init(&w, t, &o, e));
    pre_step *step = arena_alloc(&t->mem, sizeof pre);
    if (!step) return no_memory(e);
    memcpy(step, pre, sizeof pre);
    return tok_pipe_init(t, step, sizeof pre / sizeof *pre, w, e);
}

/* ---- Unigram ---- */

static status read_map(tok *t, const tensor_file *f, tok_charsmap *m, err *e) {
    static const char key[] = "tokenizer.ggml.precompiled_charsmap";
    const meta_value *v = tensor_file_meta(f, key);
    if (!v) return RZ_OK;
    if (v->type != META_ARRAY || (v->a.elem != META_U8 && v->a.elem != META_I8))
        return err_set(e, RZ_EFORMAT, "%s: %s is a %s, expected an array of bytes", f->path, key,
                       meta_type_name(v->type));
    if (v->a.n == 0) return RZ_OK;
    return tok_charsmap_read(m, (str){(const char *)v->a.packed, (size_t)v->a.n}, f->path, &t->mem,
                             e);
}

static status keep_user_defined(tok *t, norm_spm *n, err *e) {
    tok_special_set *keep = arena_zero(&t->mem, 1, sizeof *keep);
    if (!keep) return no_memory(e);
    t->kept = keep;
    for (size_t id = 0; id < t->n; id++)
        if (t->type[id] == TOK_USER_DEFINED &&
            !tok_special_add(keep, t->piece[id], (int32_t)id, true))
            return no_memory(e);
    tok_special_sort(keep);
    n->keep = keep;
    return RZ_OK;
}

status tok_unigram_open_gguf(tok *t, const tensor_file *f, err *e) {
    static const tok_gguf_defaults defaults = {
        .bos = -1, .eos = 1, .unk = 2, .pad = 0, .add_eos = true, .needs_scores = true};
    tok_index x = {0};
    word_model w;
    status s = tok_gguf_read(t, f, &defaults, &x, e);
    tok_index_done(&x);
    TRY(s);
    norm_spm *n = arena_zero(&t->mem, 1, sizeof *n);
    if (!n) return no_memory(e);
    bool prefix = false;
    TRY(meta_bool(f, "tokenizer.ggml.add_space_prefix", &prefix, e));
    TRY(meta_bool(f, "tokenizer.ggml.remove_extra_whitespaces", &n->one_space, e));
    TRY(read_map(t, f, &n->map, e));
    TRY(keep_user_defined(t, n, e));
    norm_spm_ready(n);
    n->prefix = prefix;
    t->drops_first_space = prefix;
    const norm_step step = {.op = NORM_OP_SPM, .spm = n};
    TRY(own_norm(t, &step, 1, e));
    TRY(tok_spm_bytes(t, true, f->path, e));
    float lowest = INFINITY;
    for (size_t id = 0; id < t->n; id++)
        if (t->type[id] == TOK_NORMAL) lowest = fminf(lowest, t->score[id]);
    const unigram_options o = {.score = t->score,
                               .unk = t->special[RZ_UNK],
                               .unk_score = (double)((lowest < INFINITY ? lowest : 0) - 10.0f),
                               .only_plain = true};
    TRY(tok_unigram_init(&w, t, &o, e));
    return tok_pipe_init(t, NULL, 0, w, e);
}

/* ---- RWKV ---- */

/* Pieces are escaped: \n \r \t \xHH, any other character behind a backslash as it is. false: it
 * ends inside an escape. */
static bool unescape(str s, buf *out) {
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] != '\\') {
            buf_char(out, s.p[i]);
            continue;
        }
        if (++i == s.len) return false;
        if (s.p[i] != 'x') {
            const char c = s.p[i];
            buf_char(out, c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c);
            continue;
        }
        if (i + 2 >= s.len || str_hex_digit(s.p[i + 1]) < 0 || str_hex_digit(s.p[i + 2]) < 0)
            return false;
        buf_char(out, (char)(str_hex_digit(s.p[i + 1]) * 16 + str_hex_digit(s.p[i + 2])));
        i += 2;
    }
    return true;
}

static status unescape_all(tok *t, const char *path, err *e) {
    buf all = BUF_INIT;
    all.limit = UINT32_MAX;
    status s = RZ_OK;
    t->byte_at = arena_zero(&t->mem, t->n + 1, sizeof *t->byte_at);
    if (!t->byte_at) return no_memory(e);
    for (size_t id = 0; id < t->n && s >= 0; id++) {
        if (t->type[id] == TOK_CONTROL || t->type[id] == TOK_UNKNOWN) buf_str(&all, (str){"", 0});
        else if (!unescape(t->piece[id], &all))
            s = err_set(e, RZ_EFORMAT,
                        "%s: tokenizer.ggml.tokens[%zu] is \"%.*s\", which ends inside an escape",
                        path, id, STR_FMT(t->piece[id]));
        t->byte_at[id + 1] = (uint32_t)all.len;
    }
    if (s >= 0 && !all.failed) t->bytes = arena_copy(&t->mem, all.len ? all.p : "", all.len);
    buf_free(&all);
    return s < 0 || t->bytes ? s : no_memory(e);
}

status tok_rwkv_open_gguf(tok *t, const tensor_file *f, err *e) {
    static const tok_gguf_defaults defaults = {.bos = -1, .eos = -1, .unk = -1, .pad = -1};
    tok_index x = {0};
    word_model w;
    status s = tok_gguf_read(t, f, &defaults, &x, e);
    tok_index_done(&x);
    TRY(s);
    TRY(unescape_all(t, f->path, e));
    TRY(tok_greedy_init(&w, t, t->special[RZ_UNK], e));
    return tok_pipe_init(t, NULL, 0, w, e);
}
