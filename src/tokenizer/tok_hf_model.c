/* tok_hf_model.c - the model of a tokenizer.json and the kind of tokenizer that runs it.
 *
 * Three kinds run BPE: byte-level text has tok_bpe.c, characters with byte tokens have tok_spm.c,
 * both only where they give exactly what the file says; everything else is a pipeline. */
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "tokenizer/tok_hf.h"
#include "tokenizer/tok_patterns.h"
#include "tokenizer/tok_pre.h"

typedef struct model_settings {
    str unk, inside, end; /* names and marks; empty: none */
    bool fuse_unk, byte_fallback, ignore_merges;
    uint32_t max_chars;
} model_settings;

static status read_settings(const hf *h, model_settings *m, err *e) {
    const json *v = h->model;
    *m = (model_settings){{"", 0}, {"", 0}, {"", 0}, false, false, false, 100};
    TRY(hf_str(h, v, "model", "unk_token", &m->unk, e));
    TRY(hf_str(h, v, "model", "continuing_subword_prefix", &m->inside, e));
    TRY(hf_str(h, v, "model", "end_of_word_suffix", &m->end, e));
    TRY(hf_bool(h, v, "model", "fuse_unk", &m->fuse_unk, e));
    TRY(hf_bool(h, v, "model", "byte_fallback", &m->byte_fallback, e));
    TRY(hf_bool(h, v, "model", "ignore_merges", &m->ignore_merges, e));
    return hf_u32(h, v, "model", "max_input_chars_per_word", &m->max_chars, e);
}

static status find_unk(hf *h, const model_settings *m, err *e) {
    if (m->unk.len == 0) return RZ_OK;
    const uint32_t id = tok_index_find(&h->x, m->unk);
    if (id == TOK_NO_ID)
        return hf_expected(h, "model", "unk_token", json_get(h->model, "unk_token"), "a token", e);
    h->t->special[RZ_UNK] = (int32_t)id;
    return RZ_OK;
}

/* Byte tokens: "<0x0A>" in capitals. */
static void find_bytes(hf *h) {
    static const char digits[] = "0123456789ABCDEF";
    for (int b = 0; b < 256; b++) {
        const char name[6] = {'<', '0', 'x', digits[b >> 4], digits[b & 15], '>'};
        const uint32_t id = tok_index_find(&h->x, (str){name, 6});
        h->byte[b] = id == TOK_NO_ID ? -1 : (int32_t)id;
    }
}

/* ---- Merges ---- */

static status merge_error(const hf *h, size_t i, str what, err *e) {
    return err_set(e, RZ_EFORMAT, "%s: model.merges[%zu]: \"%.*s\" is no token", h->path, i,
                   STR_FMT(what));
}

/* "a b" or ["a", "b"]. */
static bool merge_parts(const json *v, str *a, str *b) {
    if (v->kind == JSON_ARRAY && v->n == 2 && v->child->kind == JSON_STRING &&
        v->child->next->kind == JSON_STRING) {
        *a = v->child->text;
        *b = v->child->next->text;
        return true;
    }
    if (v->kind != JSON_STRING) return false;
    size_t cut = 0;
    while (cut < v->text.len && v->text.p[cut] != ' ') cut++;
    if (cut == v->text.len) return false;
    *a = (str){v->text.p, cut};
    *b = (str){v->text.p + cut + 1, v->text.len - cut - 1};
    return true;
}

static status read_merge(hf *h, const json *v, size_t i, str inside, buf *joined, merge_list *out,
                         err *e) {
    str a, b;
    if (!merge_parts(v, &a, &b)) {
        char where[64];
        snprintf(where, sizeof where, "model.merges[%zu]", i);
        return hf_expected(h, where, NULL, v, "two tokens", e);
    }
    buf_clear(joined);
    buf_str(joined, a);
    if (str_starts(b, inside)) buf_add(joined, b.p + inside.len, b.len - inside.len);
    else buf_str(joined, b);
    if (joined->failed) return hf_no_memory(e);
    const merge_pair m = {tok_index_find(&h->x, a), tok_index_find(&h->x, b),
                          tok_index_find(&h->x, buf_view(joined)), (uint32_t)i};
    if (m.left == TOK_NO_ID) return merge_error(h, i, a, e);
    if (m.right == TOK_NO_ID) return merge_error(h, i, b, e);
    if (m.merged == TOK_NO_ID) return merge_error(h, i, buf_view(joined), e);
    return merge_list_add(out, m) ? RZ_OK : hf_no_memory(e);
}

static status read_merges(hf *h, str inside, merge_list *out, err *e) {
    const json *v = json_get(h->model, "merges");
    if (!v || v->kind != JSON_ARRAY) return hf_expected(h, "model", "merges", v, "an array", e);
    if (h->t->n > MERGE_MAX_SYMBOL)
        return err_set(e, RZ_EUNSUPPORTED, "%s: %zu tokens, this build takes up to %d", h->path,
                       h->t->n, MERGE_MAX_SYMBOL);
    buf joined = BUF_INIT;
    status s = RZ_OK;
    size_t i = 0;
    for (const json *c = v->child; s >= 0 && c; c = c->next)
        s = read_merge(h, c, i++, inside, &joined, out, e);
    buf_free(&joined);
    bool rising = true; /* ids say the same as lines: half the memory */
    for (size_t k = 1; k < out->n; k++) rising &= out->p[k].merged >= out->p[k - 1].merged;
    for (size_t k = 0; rising && k < out->n; k++) out->p[k].rank = out->p[k].merged;
    return s;
}

/* ---- Byte-level BPE ---- */

/* Patterns that leave nothing of a text unmatched, so that keeping the matches is the same as
 * cutting at them. */
static bool covers_all(str pattern) {
    static const char *const all[] = {PAT_CL100K, PAT_QWEN2, PAT_GPT2 "|\\s+", PAT_O200K,
                                      PAT_TEKKEN};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (str_is(pattern, all[i])) return true;
    return false;
}

/* The pattern of one step that only cuts, p NULL: it does more. */
static str cutting_pattern(const pre_step *s) {
    const str none = {NULL, 0};
    if (s->op == PRE_SPLIT_RE) {
        if (s->behavior == PRE_ISOLATED && !s->invert) return s->text;
        return s->behavior == PRE_REMOVED && s->invert && covers_all(s->text) ? s->text : none;
    }
    if (s->op != PRE_SPLIT_CHARS || s->is != pre_is_number || s->invert) return none;
    if (s->behavior == PRE_ISOLATED) return STR_LIT("\\p{N}");
    return s->behavior == PRE_CONTIGUOUS ? STR_LIT("\\p{N}+") : none;
}

/* The patterns when the steps only cut, and then spell bytes; false otherwise. */
static bool is_byte_level(const hf *h, const model_settings *m, str pattern[HF_MAX_STEPS],
                          size_t *n, bool *space) {
    *n = 0;
    *space = false;
    if (m->byte_fallback || m->inside.len || m->end.len || h->n_pre == 0 || h->drops_first_space ||
        h->drops_last_space || h->n_decode != 1 || h->decode[0].op != HF_DECODE_BYTES ||
        h->pre[h->n_pre - 1].op != PRE_BYTES)
        return false;
    for (size_t i = 0; i + 1 < h->n_pre; i++) {
        if (i == 0 && h->pre[i].op == PRE_SPACE) {
            *space = true;
            continue;
        }
        pattern[*n] = cutting_pattern(&h->pre[i]);
        if (!pattern[(*n)++].p) return false;
    }
    return true;
}

/* "PATTERN|\\s+" leaves nothing out where PATTERN leaves white space whole: the same cuts. */
static bool cuts_alike(str pattern, const char *named) {
    static const char rest[] = "|\\s+";
    const size_t len = strlen(named);
    return str_is(pattern, named) ||
           (pattern.len == len + strlen(rest) && str_starts(pattern, str_of(named)) &&
            str_ends(pattern, str_of(rest)));
}

/* The name under which GGUF knows this way to split, or NULL. */
static const char *find_gguf_pre(const hf *h, const model_settings *m, const str *pattern,
                                 size_t n) {
    const tok_norm *norm = &h->t->own_norm;
    const bool nfc =
        norm->n == 1 && norm->step[0].op == NORM_OP_FORM && norm->step[0].form == NORM_NFC;
    if (norm->n && !nfc) return NULL;
    const char *name;
    for (size_t i = 0; (name = pre_name(i)) != NULL; i++) {
        const pre_kind *pre = pre_find(str_of(name));
        size_t k = 0;
        while (k < n && pre->pattern[k] && cuts_alike(pattern[k], pre->pattern[k])) k++;
        if (k == n && !pre->pattern[k] && pre->nfc == nfc && pre->ignore_merges == m->ignore_merges)
            return name;
    }
    return NULL;
}

static status open_byte_level(hf *h, const model_settings *m, const str *pattern, size_t n,
                              err *e) {
    if (!h->t->puts_space) h->t->gguf_pre = find_gguf_pre(h, m, pattern, n);
    merge_list merges = {0};
    status s = tok_byte_level_bytes(h->t, h->path, e);
    if (s >= 0) s = read_merges(h, (str){"", 0}, &merges, e);
    const tok_bpe_options o = {h->path, pattern, n, m->ignore_merges};
    if (s >= 0) s = tok_bpe_init(h->t, &merges, &o, e);
    merge_list_free(&merges);
    return s;
}

/* ---- BPE over characters ---- */

/* Does the last step of the normalizer leave no ' '? */
static bool has_no_spaces(const hf *h) {
    const tok_norm *n = &h->t->own_norm;
    return n->n && n->step[n->n - 1].op == NORM_OP_REPLACE && str_is(n->step[n->n - 1].from, " ") &&
           str_find(n->step[n->n - 1].to, STR_LIT(" ")) < 0;
}

/* What tok_spm.c can do of the steps; false: not all. */
static bool is_spm(const hf *h, const model_settings *m, tok_spm_options *o) {
    const pre_step *s = h->pre;
    size_t n = h->n_pre;
    *o = (tok_spm_options){.where = h->path,
                           .no_bytes = !m->byte_fallback,
                           .drops_unknown = true,
                           .keeps_unknown_runs = !m->fuse_unk};
    if (m->ignore_merges || m->inside.len || m->end.len) return false;
    if (n && s->op == PRE_SPLIT_TEXT && str_is(s->text, " ") && has_no_spaces(h)) {
        s++; /* never finds one */
        n--;
    }
    if (n == 0) {
        o->prefix = SPM_PREFIX_NEVER;
        o->keeps_spaces = true;
        return true;
    }
    if (s->op != PRE_METASPACE || !str_is(s->text, "\u2581")) return false;
    o->prefix = s->scheme == PRE_NEVER   ? SPM_PREFIX_NEVER
                : s->scheme == PRE_FIRST ? SPM_PREFIX_FIRST
                                         : SPM_PREFIX_UNLESS_THERE;
    if (n == 1) return true;
    o->splits_spaces = true;
    return n == 2 && s[1].op == PRE_SPLIT_TEXT && s[1].behavior == PRE_WITH_NEXT && !s[1].invert &&
           str_is(s[1].text, "\u2581");
}

static status open_spm(hf *h, const model_settings *m, const tok_spm_options *o, err *e) {
    merge_list merges = {0};
    for (int b = 0; m->byte_fallback && b < 256; b++)
        if (h->byte[b] >= 0 && h->t->type[h->byte[b]] == TOK_NORMAL)
            h->t->type[h->byte[b]] = TOK_BYTE;
    status s = hf_decode_pieces(h, e);
    if (s >= 0) s = read_merges(h, (str){"", 0}, &merges, e);
    if (s >= 0) s = tok_spm_init(h->t, &h->x, &merges, o, e);
    merge_list_free(&merges);
    return s;
}

/* ---- Pipelines ---- */

static void free_steps(pre_step *step, size_t n) {
    for (size_t i = 0; step && i < n; i++) re_free(step[i].re);
}

static status open_pipe(hf *h, word_model w, err *e) {
    pre_step *step = arena_alloc(&h->t->mem, (h->n_pre + 1) * sizeof *step);
    if (!step) return hf_no_memory(e);
    memcpy(step, h->pre, h->n_pre * sizeof *step);
    for (size_t i = 0; i < h->n_pre; i++) {
        if (step[i].op != PRE_SPLIT_RE) continue;
        const status s = re_compile(&step[i].re, step[i].text, NULL, e);
        if (s < 0) {
            free_steps(step, i);
            err_at(e, s, "pre_tokenizer");
            return err_at(e, s, h->path);
        }
    }
    return tok_pipe_init(h->t, step, h->n_pre, w, e);
}

static status open_word_bpe(hf *h, const model_settings *m, err *e) {
    merge_list merges = {0};
    word_model w = {0};
    const word_bpe_options o = {h->t->special[RZ_UNK], m->byte_fallback ? h->byte : NULL,
                                hf_keep(h, m->inside), hf_keep(h, m->end),
                                m->fuse_unk,           m->ignore_merges};
    if (!o.inside.p || !o.end.p) return hf_no_memory(e);
    status s = read_merges(h, m->inside, &merges, e);
    if (s >= 0) s = tok_word_bpe_init(&w, h->t, &merges, &o, e);
    if (s >= 0) s = open_pipe(h, w, e);
    merge_list_free(&merges);
    return s;
}

static status open_bpe(hf *h, err *e) {
    model_settings m;
    tok_spm_options spm;
    str pattern[HF_MAX_STEPS];
    size_t n;
    bool space;
    TRY(read_settings(h, &m, e));
    TRY(find_unk(h, &m, e));
    find_bytes(h);
    if (is_byte_level(h, &m, pattern, &n, &space)) {
        h->t->puts_space = space;
        return open_byte_level(h, &m, pattern, n, e);
    }
    if (is_spm(h, &m, &spm)) return open_spm(h, &m, &spm, e);
    TRY(hf_decode_pieces(h, e));
    return open_word_bpe(h, &m, e);
}

static status open_unigram(hf *h, err *e) {
    const json *v = json_get(h->model, "vocab");
    model_settings m;
    word_model w;
    double lowest = 0;
    int64_t unk = -1;
    TRY(read_settings(h, &m, e));
    if (v->kind != JSON_ARRAY) return hf_expected(h, "model", "vocab", v, "an array", e);
    const json *found = json_get(h->model, "unk_id");
    if (found && found->kind != JSON_NULL && !json_int(found, 0, (int64_t)v->n - 1, &unk))
        return hf_expected(h, "model", "unk_id", found, "the id of a token", e);
    h->t->special[RZ_UNK] = (int32_t)unk;
    find_bytes(h);
    double *score = arena_zero(&h->mem, h->t->n, sizeof *score);
    if (!score) return hf_no_memory(e);
    size_t i = 0;
    for (const json *c = v->child; c; c = c->next, i++) {
        score[i] = c->child->next->number;
        if (i == 0 || score[i] < lowest) lowest = score[i];
    }
    for (size_t id = v->n; id < h->t->n; id++)
        if (h->t->type[id] != TOK_ABSENT) score[id] = -INFINITY; /* not the model's */
    const unigram_options o = {.exact = score,
                               .unk = (int32_t)unk,
                               .byte = m.byte_fallback ? h->byte : NULL,
                               .unk_score = lowest - 10};
    TRY(hf_decode_pieces(h, e));
    TRY(tok_unigram_init(&w, h->t, &o, e));
    return open_pipe(h, w, e);
}

static status open_words(hf *h, bool pieces, err *e) {
    model_settings m;
    word_model w;
    TRY(read_settings(h, &m, e));
    if (pieces && !json_get(h->model, "continuing_subword_prefix")) m.inside = STR_LIT("##");
    TRY(find_unk(h, &m, e));
    const int32_t unk = h->t->special[RZ_UNK];
    const wordpiece_options o = {unk, {"", 0}, m.inside, m.max_chars};
    TRY(hf_decode_pieces(h, e));
    if (pieces) TRY(tok_wordpiece_init(&w, h->t, &o, e));
    else TRY(tok_wordlevel_init(&w, h->t, unk, e));
    return open_pipe(h, w, e);
}

status hf_open_model(hf *h, err *e) {
    const json *type = json_get(h->model, "type");
    if (!type || type->kind == JSON_NULL) { /* older files: the members tell */
        if (json_get(h->model, "merges")) return open_bpe(h, e);
        if (json_get(h->model, "vocab")->kind == JSON_ARRAY) return open_unigram(h, e);
        return open_words(h, json_get(h->model, "max_input_chars_per_word") != NULL, e);
    }
    if (hf_is(h->model, "BPE")) return open_bpe(h, e);
    if (hf_is(h->model, "Unigram")) return open_unigram(h, e);
    if (hf_is(h->model, "WordPiece")) return open_words(h, true, e);
    if (hf_is(h->model, "WordLevel")) return open_words(h, false, e);
    return hf_unknown(h, "model", h->model, e);
}
