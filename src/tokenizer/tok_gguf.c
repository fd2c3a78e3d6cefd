/* tok_gguf.c - the part of tokenizer.ggml.* metadata that every kind of vocabulary shares.
 *
 * Everything is checked here against the number of tokens, so that the kinds can index freely. */
#include "base/log.h"
#include "tokenizer/tok_impl.h"

static status no_memory(err *e) { return err_set(e, RZ_ENOMEM, "tokenizer: out of memory"); }

/* An array of any element type with exactly n elements; *out NULL when the key is absent. */
static status get_array(const tensor_file *f, const char *key, size_t n, const meta_value **out,
                        err *e) {
    const meta_value *v = tensor_file_meta(f, key);
    if (v && v->type != META_ARRAY)
        return err_set(e, RZ_EFORMAT, "%s: %s is a %s, expected an array", f->path, key,
                       meta_type_name(v->type));
    if (v && n && v->a.n != n)
        return err_set(e, RZ_EFORMAT, "%s: %s has %llu entries, expected %zu, one per token",
                       f->path, key, (unsigned long long)v->a.n, n);
    *out = v;
    return RZ_OK;
}

static status read_pieces(tok *t, const tensor_file *f, err *e) {
    static const char key[] = "tokenizer.ggml.tokens";
    const meta_value *v;
    TRY(get_array(f, key, 0, &v, e));
    if (!v)
        return err_set(e, RZ_EFORMAT, "%s: %s is missing, expected an array of strings", f->path,
                       key);
    if (v->a.elem != META_STRING)
        return err_set(e, RZ_EFORMAT, "%s: %s is an array of %s, expected strings", f->path, key,
                       meta_type_name(v->a.elem));
    if (v->a.n == 0 || v->a.n > TOK_MAX_SIZE)
        return err_set(e, RZ_EFORMAT, "%s: %s has %llu entries, expected 1 to %d", f->path, key,
                       (unsigned long long)v->a.n, TOK_MAX_SIZE);
    t->n = (size_t)v->a.n;
    t->piece = v->a.strings;
    return RZ_OK;
}

static status read_types(tok *t, const tensor_file *f, err *e) {
    static const char key[] = "tokenizer.ggml.token_type";
    t->type = arena_alloc(&t->mem, t->n);
    t->flags = arena_zero(&t->mem, t->n, 1);
    if (!t->type || !t->flags) return no_memory(e);
    memset(t->type, TOK_NORMAL, t->n);
    const meta_value *v;
    TRY(get_array(f, key, t->n, &v, e));
    for (size_t i = 0; v && i < t->n; i++) {
        int64_t type;
        if (!meta_array_i64(v, i, &type))
            return err_set(e, RZ_EFORMAT, "%s: %s is an array of %s, expected integers", f->path,
                           key, meta_type_name(v->a.elem));
        if (type < 0 || type >= TOK_TYPE_COUNT)
            return err_set(e, RZ_EFORMAT, "%s: %s[%zu] is %lld, expected 0 to %d", f->path, key, i,
                           (long long)type, TOK_TYPE_COUNT - 1);
        t->type[i] = (uint8_t)type;
    }
    return RZ_OK;
}

static status read_scores(tok *t, const tensor_file *f, bool needed, err *e) {
    static const char key[] = "tokenizer.ggml.scores";
    const meta_value *v;
    TRY(get_array(f, key, t->n, &v, e));
    if (!v && needed)
        return err_set(e, RZ_EFORMAT, "%s: %s is missing, expected %zu numbers, one per token",
                       f->path, key, t->n);
    if (!v) return RZ_OK;
    t->score = arena_zero(&t->mem, t->n, sizeof *t->score);
    if (!t->score) return no_memory(e);
    for (size_t i = 0; i < t->n; i++) {
        double score;
        if (!meta_array_f64(v, i, &score))
            return err_set(e, RZ_EFORMAT, "%s: %s is an array of %s, expected numbers", f->path,
                           key, meta_type_name(v->a.elem));
        if (score != score)
            return err_set(e, RZ_EFORMAT, "%s: %s[%zu] is not a number", f->path, key, i);
        t->score[i] = (float)score;
    }
    return RZ_OK;
}

/* *id keeps its value (the default) when the key is absent. All ones means "has none". */
static status read_id(const tok *t, const tensor_file *f, const char *key, bool strict, int32_t *id,
                      err *e) {
    const meta_value *v = tensor_file_meta(f, key);
    if (!v) return RZ_OK;
    const bool is_signed =
        v->type == META_I8 || v->type == META_I16 || v->type == META_I32 || v->type == META_I64;
    if ((is_signed && v->i == -1) || (v->type == META_U32 && v->u == UINT32_MAX)) {
        *id = -1;
        return RZ_OK;
    }
    uint32_t found = 0;
    TRY(meta_u32(f, key, &found, e));
    if (found < t->n) {
        *id = (int32_t)found;
        return RZ_OK;
    }
    if (strict)
        return err_set(e, RZ_EFORMAT, "%s: %s is %u, expected less than %zu, the number of tokens",
                       f->path, key, found, t->n);
    log_warn("%s: %s is %u but there are only %zu tokens; ignored", f->path, key, found, t->n);
    *id = -1;
    return RZ_OK;
}

static status needs(const tok *t, const tensor_file *f, const char *name, rz_special which,
                    err *e) {
    if (t->special[which] >= 0) return RZ_OK;
    return err_set(e, RZ_EFORMAT,
                   "%s: tokenizer.ggml.add_%s_token is true, expected a tokenizer.ggml.%s_token_id "
                   "with it",
                   f->path, name, name);
}

static status read_ids(tok *t, const tensor_file *f, const tok_gguf_defaults *d, err *e) {
    const int32_t defaults[TOK_SPECIAL_COUNT] = {
        [RZ_BOS] = d->bos, [RZ_EOS] = d->eos, [RZ_EOT] = -1, [RZ_PAD] = d->pad, [RZ_UNK] = d->unk};
    for (int i = 0; i < TOK_SPECIAL_COUNT; i++)
        t->special[i] = defaults[i] < (int64_t)t->n ? defaults[i] : -1;
    TRY(read_id(t, f, "tokenizer.ggml.bos_token_id", true, &t->special[RZ_BOS], e));
    TRY(read_id(t, f, "tokenizer.ggml.eos_token_id", true, &t->special[RZ_EOS], e));
    TRY(read_id(t, f, "tokenizer.ggml.eot_token_id", true, &t->special[RZ_EOT], e));
    TRY(read_id(t, f, "tokenizer.ggml.unknown_token_id", true, &t->special[RZ_UNK], e));
    /* Converters have written padding ids one past the end; nothing here depends on them. */
    TRY(read_id(t, f, "tokenizer.ggml.padding_token_id", false, &t->special[RZ_PAD], e));
    int32_t eom = -1;
    TRY(read_id(t, f, "tokenizer.ggml.eom_token_id", true, &eom, e));
    if (eom >= 0) t->flags[eom] |= TOK_IS_END;
    bool bos = d->add_bos && t->special[RZ_BOS] >= 0, eos = d->add_eos && t->special[RZ_EOS] >= 0;
    TRY(meta_bool(f, "tokenizer.ggml.add_bos_token", &bos, e));
    TRY(meta_bool(f, "tokenizer.ggml.add_eos_token", &eos, e));
    if (bos) TRY(needs(t, f, "bos", RZ_BOS, e));
    if (eos) TRY(needs(t, f, "eos", RZ_EOS, e));
    if (bos) t->before[t->n_before++] = t->special[RZ_BOS];
    if (eos) t->after[t->n_after++] = t->special[RZ_EOS];
    return RZ_OK;
}

/* Phi-3 files do not carry it, but white space behind their special tokens is swallowed
 * (the model's tokenizer.json says "rstrip"). */
static status phi3_strips(tok *t, const tensor_file *f, const tok_index *x, err *e) {
    str name = {NULL, 0};
    TRY(meta_str(f, "general.name", &name, e));
    bool phi3 = false;
    for (size_t i = 0; i + 4 <= name.len && !phi3; i++)
        phi3 = str_eq_nocase((str){name.p + i, 4}, STR_LIT("phi3")) ||
               (i + 5 <= name.len && str_eq_nocase((str){name.p + i, 5}, STR_LIT("phi-3")));
    if (!phi3) return RZ_OK;
    for (size_t i = 0; i < t->n; i++)
        if (t->type[i] == TOK_CONTROL || t->type[i] == TOK_USER_DEFINED)
            t->flags[i] |= TOK_STRIPS_RIGHT;
    static const char *const keep[] = {"<unk>", "<s>", "<|endoftext|>"};
    for (size_t i = 0; i < sizeof keep / sizeof *keep; i++) {
        const uint32_t id = tok_index_find(x, str_of(keep[i]));
        if (id != TOK_NO_ID) t->flags[id] &= (uint8_t)~TOK_STRIPS_RIGHT;
    }
    return RZ_OK;
}

static status index_pieces(const tok *t, const tensor_file *f, tok_index *x, err *e) {
    if (!tok_index_init(x, t->piece, t->n)) return no_memory(e);
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t other = 0;
        if (!tok_index_add(x, i, &other))
            return err_set(e, RZ_EFORMAT,
                           "%s: tokenizer.ggml.tokens[%u] is \"%.*s\" like entry %u, expected "
                           "every token once",
                           f->path, i, STR_FMT(t->piece[i]), other);
    }
    return RZ_OK;
}

status tok_gguf_read(tok *t, const tensor_file *f, const tok_gguf_defaults *d, tok_index *x,
                     err *e) {
    TRY(read_pieces(t, f, e));
    TRY(read_types(t, f, e));
    TRY(read_scores(t, f, d->needs_scores, e));
    TRY(read_ids(t, f, d, e));
    TRY(index_pieces(t, f, x, e));
    tok_find_ends(t, x);
    TRY(phi3_strips(t, f, x, e));
    return tok_find_specials(t, e);
}
