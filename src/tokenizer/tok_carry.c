/* tok_carry.c - see tok_carry.h. What is written is read back by the same readers as any other
 * file, so nothing here has to be believed: convert.c opens the result and compares. */
#include "tokenizer/tok_carry.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/os.h"
#include "json/json.h"
#include "tokenizer/chat.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_pre.h"

enum { MAX_FILE = 1 << 28, PB_VARINT = 0, PB_TEXT = 2, PB_FLOAT = 5 };

#define WITHOUT "; --no-tokenizer converts without"

static status no_memory(err *e) { return err_set(e, RZ_ENOMEM, "tokenizer: out of memory"); }

static const char *path_in(arena *mem, const char *folder, const char *name) {
    const size_t len = strlen(folder) + strlen(name) + 2;
    char *path = arena_alloc(mem, len);
    if (path) snprintf(path, len, "%s/%s", folder, name);
    return path;
}

static status write_in(const char *folder, const char *name, const buf *text, err *e) {
    arena mem = ARENA_INIT;
    const char *path = path_in(&mem, folder, name);
    const status s =
        path && !text->failed ? os_write_file(path, text->p, text->len, e) : no_memory(e);
    arena_free(&mem);
    return s;
}

/* ---- Into a GGUF file ---- */

typedef struct gguf_role {
    rz_special which;
    const char *gguf, *config; /* keys of the id, and of the spelling in tokenizer_config.json */
} gguf_role;

static const gguf_role roles[] = {
    {RZ_BOS, "tokenizer.ggml.bos_token_id", "bos_token"},
    {RZ_EOS, "tokenizer.ggml.eos_token_id", "eos_token"},
    {RZ_EOT, "tokenizer.ggml.eot_token_id", NULL},
    {RZ_UNK, "tokenizer.ggml.unknown_token_id", "unk_token"},
    {RZ_PAD, "tokenizer.ggml.padding_token_id", "pad_token"},
};
enum { ROLES = sizeof roles / sizeof *roles };

/* Marks around a text that GGUF can say: BOS before, EOS behind. */
static status put_marks(const tok *t, const char *path, gguf_writer *w, err *e) {
    const bool before = t->n_before == 1 && t->before[0] == t->special[RZ_BOS];
    const bool after = t->n_after == 1 && t->after[0] == t->special[RZ_EOS];
    if ((t->n_before && !before) || (t->n_after && !after))
        return err_set(e, RZ_EUNSUPPORTED,
                       "%.200s: the tokenizer puts other marks around a text than BOS and EOS, "
                       "which GGUF cannot say" WITHOUT,
                       path);
    for (size_t i = 0; i < ROLES; i++)
        if (t->special[roles[i].which] >= 0)
            TRY(gguf_put_u32(w, roles[i].gguf, (uint32_t)t->special[roles[i].which], e));
    TRY(gguf_put_bool(w, "tokenizer.ggml.add_bos_token", before, e));
    return gguf_put_bool(w, "tokenizer.ggml.add_eos_token", after, e);
}

static status put_pieces(const tok *t, size_t n, const char *path, gguf_writer *w, arena *mem,
                         err *e) {
    str *piece = arena_zero(mem, n, sizeof *piece);
    int32_t *type = arena_zero(mem, n, sizeof *type);
    float *score = arena_zero(mem, n, sizeof *score);
    if (!piece || !type || !score) return no_memory(e);
    for (size_t id = 0; id < n; id++) {
        const bool there = id < t->n && t->type[id] != TOK_ABSENT;
        if (there && t->flags[id] & (TOK_STRIPS_LEFT | TOK_STRIPS_RIGHT | TOK_WHOLE_WORD))
            return err_set(e, RZ_EUNSUPPORTED,
                           "%.200s: token \"%.*s\" swallows white space or must stand alone, which "
                           "GGUF cannot say" WITHOUT,
                           path, STR_FMT(t->piece[id]));
        char *name = there ? NULL : arena_alloc(mem, 32);
        if (!there && !name) return no_memory(e);
        if (name) snprintf(name, 32, "[PAD%zu]", id);
        piece[id] = there ? t->piece[id] : str_of(name);
        type[id] = there ? t->type[id] : TOK_UNUSED;
        score[id] = there && t->score ? t->score[id] : 0;
    }
    TRY(gguf_put_strs(w, "tokenizer.ggml.tokens", piece, n, e));
    if (t->score) TRY(gguf_put_array(w, "tokenizer.ggml.scores", META_F32, score, n, e));
    return gguf_put_array(w, "tokenizer.ggml.token_type", META_I32, type, n, e);
}

/* model.merges of a tokenizer.json, as lines "A B". */
static status put_merges(const char *path, gguf_writer *w, arena *mem, err *e) {
    char *text = NULL;
    size_t len = 0, n = 0;
    json *root = NULL;
    TRY(os_read_file(path, MAX_FILE, &text, &len, e));
    const char *copy = arena_copy(mem, text, len);
    mem_free(text);
    if (!copy) return no_memory(e);
    TRY(json_parse(&root, (str){copy, len}, mem, e));
    const json *list = json_get(json_get(root, "model"), "merges");
    str *line = arena_zero(mem, (list ? list->n : 0) + 1, sizeof *line);
    if (!line) return no_memory(e);
    for (const json *c = list ? list->child : NULL; c; c = c->next) {
        if (c->kind == JSON_STRING) {
            line[n++] = c->text;
            continue;
        }
        const str a = c->child->text, b = c->child->next->text; /* checked when it was opened */
        char *joined = arena_alloc(mem, a.len + b.len + 2);
        if (!joined) return no_memory(e);
        memcpy(joined, a.p, a.len);
        joined[a.len] = ' ';
        memcpy(joined + a.len + 1, b.p, b.len);
        line[n++] = (str){joined, a.len + b.len + 1};
    }
    return gguf_put_strs(w, "tokenizer.ggml.merges", line, n, e);
}

static status put_template(const tensor_file *from, const tok *t, gguf_writer *w, err *e) {
    chat *c;
    TRY(chat_open(&c, from, t, e));
    status s = RZ_OK;
    if (chat_is_own(c)) s = gguf_put_str(w, "tokenizer.chat_template", chat_source(c, NULL), e);
    chat_close(c);
    return s;
}

static status put_tokenizer(const tok *t, const char *path, size_t n_vocab, gguf_writer *w,
                            arena *mem, err *e) {
    const bool bytes = t->gguf_pre != NULL;
    if (!bytes && t->carry_prefix == TOK_CARRY_NONE)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%.200s: a tokenizer of kind %s has no form in GGUF" WITHOUT, path,
                       tok_kind(t));
    TRY(gguf_put_str(w, "tokenizer.ggml.model", bytes ? STR_LIT("gpt2") : STR_LIT("llama"), e));
    TRY(gguf_put_str(w, "tokenizer.ggml.pre", str_of(bytes ? t->gguf_pre : "default"), e));
    TRY(put_pieces(t, t->n > n_vocab ? t->n : n_vocab, path, w, mem, e));
    if (bytes) TRY(put_merges(path, w, mem, e));
    else
        TRY(gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", t->carry_prefix == TOK_CARRY_PREFIX,
                          e));
    return put_marks(t, path, w, e);
}

/* The file of the folder that says it best: SentencePiece's own where tokenizer.json is not
 * byte-level. */
static status open_best(tok **out, const char **path, const tensor_file *f, arena *mem, err *e) {
    const char *hf = path_in(mem, f->folder, "tokenizer.json");
    const char *spm = path_in(mem, f->folder, "tokenizer.model");
    if (!hf || !spm) return no_memory(e);
    TRY(tok_open_model(out, f, e));
    *path = hf;
    if (!*out || (*out)->gguf_pre || os_path_kind(spm) != OS_FILE) return RZ_OK;
    *path = spm;
    if (os_path_kind(hf) != OS_FILE) return RZ_OK; /* it is the one that was opened */
    tok_close(*out);
    *out = NULL;
    return tok_open_spm_in(out, f->folder, e);
}

status tok_carry_to_gguf(const tensor_file *from, size_t n_vocab, gguf_writer *w, err *e) {
    arena mem = ARENA_INIT;
    tok *t = NULL;
    const char *path = from->path;
    status s = RZ_OK;
    if (from->folder) s = open_best(&t, &path, from, &mem, e);
    if (s >= 0 && t) s = put_tokenizer(t, path, n_vocab, w, &mem, e);
    if (s >= 0 && !t) s = gguf_put_str(w, "tokenizer.ggml.model", STR_LIT("none"), e);
    if (s >= 0) s = put_template(from, t, w, e);
    tok_close(t);
    arena_free(&mem);
    return s;
}

/* ---- Into a folder ---- */

static void add_id(buf *b, const char *before, int32_t id, str piece) {
    buf_printf(b, "%s{\"id\":%d,\"content\":", before, (int)id);
    json_write_string(b, piece);
    buf_text(b, ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false");
}

static bool is_added(const tok *t, size_t id) {
    return t->type[id] == TOK_CONTROL || t->type[id] == TOK_USER_DEFINED ||
           t->type[id] == TOK_UNKNOWN;
}

static void add_pre_tokenizer(buf *b, const pre_kind *pre) {
    buf_printf(b, "\"normalizer\":%s,\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[",
               pre->nfc ? "{\"type\":\"NFC\"}" : "null");
    for (size_t i = 0; pre->pattern[i]; i++) {
        buf_text(b, "{\"type\":\"Split\",\"pattern\":{\"Regex\":");
        json_write_string(b, str_of(pre->pattern[i]));
        buf_text(b, "},\"behavior\":\"Isolated\",\"invert\":false},");
    }
    buf_text(b,
             "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
             "\"use_regex\":false}]},");
}

/* What is put around a text, by TemplateProcessing. */
static void add_post_processor(buf *b, const tok *t) {
    if (!t->n_before && !t->n_after) {
        buf_text(b, "\"post_processor\":null,");
        return;
    }
    const int32_t before = t->n_before ? t->before[0] : -1, after = t->n_after ? t->after[0] : -1;
    buf_text(b, "\"post_processor\":{\"type\":\"TemplateProcessing\"");
    for (int pair = 0; pair < 2; pair++) {
        buf_printf(b, ",\"%s\":[", pair ? "pair" : "single");
        for (int part = 0; part <= pair; part++)
            for (int i = 0; i < 3; i++) {
                const int32_t id = i == 0 ? before : after;
                if (i != 1 && id < 0) continue;
                if (b->p[b->len - 1] != '[') buf_char(b, ',');
                buf_printf(b, "{\"%s\":{\"id\":", i == 1 ? "Sequence" : "SpecialToken");
                json_write_string(b, i == 1 ? str_of(part ? "B" : "A") : t->piece[id]);
                buf_printf(b, ",\"type_id\":%d}}", part);
                if (b->failed) return;
            }
        buf_char(b, ']');
    }
    buf_text(b, ",\"special_tokens\":{");
    for (int i = 0; i < 2; i++) {
        const int32_t id = i ? after : before;
        if (id < 0 || (i && after == before)) continue;
        if (i && before >= 0) buf_char(b, ',');
        json_write_string(b, t->piece[id]);
        buf_text(b, ":{\"id\":");
        json_write_string(b, t->piece[id]);
        buf_printf(b, ",\"ids\":[%d],\"tokens\":[", (int)id);
        json_write_string(b, t->piece[id]);
        buf_text(b, "]}");
    }
    buf_text(b, "}},");
}

static void add_model(buf *b, const tok *t, const pre_kind *pre, const meta_value *merges) {
    const char *before = "";
    buf_printf(b,
               "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
               "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,"
               "\"byte_fallback\":false,\"ignore_merges\":%s,\"vocab\":{",
               pre->ignore_merges ? "true" : "false");
    for (size_t id = 0; id < t->n; id++) {
        if (is_added(t, id)) continue;
        buf_text(b, before);
        before = ",";
        json_write_string(b, t->piece[id]);
        buf_printf(b, ":%zu", id);
    }
    buf_text(b, "},\"merges\":[");
    for (uint64_t i = 0; i < merges->a.n; i++) {
        if (i) buf_char(b, ',');
        json_write_string(b, merges->a.strings[i]);
    }
    buf_text(b, "]}");
}

static status write_tokenizer_json(const tok *t, const tensor_file *f, const char *folder, err *e) {
    str name = STR_LIT("default");
    TRY(meta_str(f, "tokenizer.ggml.pre", &name, e));
    const pre_kind *pre = pre_find(name);
    const meta_value *merges = tensor_file_meta(f, "tokenizer.ggml.merges");
    if (!pre || !merges) return err_set(e, RZ_EFORMAT, "%.200s: no merges", f->path);
    buf b = BUF_INIT;
    const char *before = "";
    buf_text(&b, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[");
    for (size_t id = 0; id < t->n; id++) {
        if (!is_added(t, id)) continue;
        add_id(&b, before, (int32_t)id, t->piece[id]);
        buf_printf(&b, ",\"special\":%s}", t->type[id] == TOK_USER_DEFINED ? "false" : "true");
        before = ",";
    }
    buf_text(&b, "],");
    add_pre_tokenizer(&b, pre);
    add_post_processor(&b, t);
    buf_text(&b,
             "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
             "\"trim_offsets\":true,\"use_regex\":true},");
    add_model(&b, t, pre, merges);
    buf_char(&b, '}');
    const status s = write_in(folder, "tokenizer.json", &b, e);
    buf_free(&b);
    return s;
}

static void pb_varint(buf *b, uint64_t v) {
    for (; v >= 128; v >>= 7) buf_char(b, (char)((v & 127) | 128));
    buf_char(b, (char)v);
}

static void pb_number(buf *b, uint32_t field, uint64_t v) {
    pb_varint(b, field << 3 | PB_VARINT);
    pb_varint(b, v);
}

static void pb_bytes(buf *b, uint32_t field, str bytes) {
    pb_varint(b, field << 3 | PB_TEXT);
    pb_varint(b, bytes.len);
    buf_str(b, bytes);
}

static void pb_float(buf *b, uint32_t field, float v) {
    pb_varint(b, field << 3 | PB_FLOAT);
    buf_add(b, &v, sizeof v);
}

/* Field numbers as in tok_spmodel.c. */
static status write_tokenizer_model(const tok *t, const tensor_file *f, const char *folder,
                                    err *e) {
    enum { BPE = 2 };
    bool prefix = true;
    TRY(meta_bool(f, "tokenizer.ggml.add_space_prefix", &prefix, e));
    buf b = BUF_INIT, part = BUF_INIT;
    for (size_t id = 0; id < t->n; id++) {
        const uint8_t type = t->type[id] == TOK_UNDEFINED ? TOK_NORMAL : t->type[id];
        buf_clear(&part);
        pb_bytes(&part, 1, t->piece[id]);
        pb_float(&part, 2, t->score ? t->score[id] : 0);
        if (type != TOK_NORMAL) pb_number(&part, 3, type);
        pb_bytes(&b, 1, buf_view(&part));
        b.failed |= part.failed;
    }
    buf_clear(&part);
    pb_number(&part, 3, BPE);
    pb_number(&part, 4, t->n);
    pb_number(&part, 35, 1); /* byte tokens */
    const rz_special special[] = {RZ_UNK, RZ_BOS, RZ_EOS, RZ_PAD};
    for (uint32_t i = 0; i < 4; i++) { /* -1: no such token */
        const int32_t id = t->special[special[i]];
        pb_number(&part, 40 + i, id < 0 ? UINT64_MAX : (uint64_t)id);
    }
    pb_bytes(&b, 2, buf_view(&part));
    b.failed |= part.failed;
    buf_clear(&part);
    pb_bytes(&part, 1, STR_LIT("identity"));
    pb_number(&part, 3, prefix);
    pb_number(&part, 4, 0); /* further spaces stay */
    pb_number(&part, 5, 1);
    pb_bytes(&b, 3, buf_view(&part));
    b.failed |= part.failed;
    const status s = write_in(folder, "tokenizer.model", &b, e);
    buf_free(&part);
    buf_free(&b);
    return s;
}

static status write_tokenizer_config(const tok *t, const tensor_file *f, bool bytes,
                                     const char *folder, err *e) {
    buf b = BUF_INIT;
    str template = {NULL, 0};
    TRY(meta_str(f, "tokenizer.chat_template", &template, e));
    buf_printf(&b, "{\n\"tokenizer_class\":\"%s\",\n\"add_bos_token\":%s,\n\"add_eos_token\":%s",
               bytes ? "PreTrainedTokenizerFast" : "LlamaTokenizer", t->n_before ? "true" : "false",
               t->n_after ? "true" : "false");
    for (size_t i = 0; i < ROLES; i++) {
        const int32_t id = t->special[roles[i].which];
        if (id < 0 || !roles[i].config) continue;
        buf_printf(&b, ",\n\"%s\":", roles[i].config);
        json_write_string(&b, t->piece[id]);
    }
    if (template.len) {
        buf_text(&b, ",\n\"chat_template\":");
        json_write_string(&b, template);
    }
    buf_text(&b, ",\n\"clean_up_tokenization_spaces\":false\n}\n");
    status s = write_in(folder, "tokenizer_config.json", &b, e);
    buf_clear(&b);
    buf_text(&b, "{");
    if (t->special[RZ_BOS] >= 0) buf_printf(&b, "\"bos_token_id\":%d,", t->special[RZ_BOS]);
    buf_text(&b, "\"eos_token_id\":[");
    const char *before = "";
    for (size_t id = 0; id < t->n; id++)
        if (tok_is_end(t, (int32_t)id)) {
            buf_printf(&b, "%s%zu", before, id);
            before = ",";
        }
    buf_text(&b, "]}\n");
    if (s >= 0 && *before) s = write_in(folder, "generation_config.json", &b, e);
    buf_free(&b);
    return s;
}

status tok_carry_to_folder(const tensor_file *from, const char *folder, err *e) {
    str model = {NULL, 0};
    tok *t = NULL;
    TRY(tok_open_gguf(&t, from, e));
    if (!t) return RZ_OK;
    status s = meta_str(from, "tokenizer.ggml.model", &model, e);
    const bool bytes = str_is(model, "gpt2");
    if (s >= 0 && bytes) s = write_tokenizer_json(t, from, folder, e);
    else if (s >= 0 && str_is(model, "llama")) s = write_tokenizer_model(t, from, folder, e);
    else if (s >= 0)
        s = err_set(e, RZ_EUNSUPPORTED,
                    "%.200s: a tokenizer of kind \"%.*s\" is not written into folders" WITHOUT,
                    from->path, STR_FMT(model));
    if (s >= 0) s = write_tokenizer_config(t, from, bytes, folder, e);
    tok_close(t);
    return s;
}

status tok_carry_files(const tensor_file *from, const char *folder, err *e) {
    static const char *const names[] = {"tokenizer.json",
                                        "tekken.json",
                                        "tokenizer.model",
                                        "tokenizer_config.json",
                                        "generation_config.json",
                                        "added_tokens.json",
                                        "vocab.json",
                                        "merges.txt",
                                        "chat_template.jinja",
                                        "special_tokens_map.json"};
    arena mem = ARENA_INIT;
    status s = RZ_OK;
    for (size_t i = 0; s >= 0 && i < sizeof names / sizeof *names; i++) {
        const char *path = path_in(&mem, from->folder, names[i]);
        char *text = NULL;
        size_t len = 0;
        if (!path) s = no_memory(e);
        else if (os_path_kind(path) == OS_FILE) s = os_read_file(path, MAX_FILE, &text, &len, e);
        if (s >= 0 && text) s = write_in(folder, names[i], &(buf){.p = text, .len = len}, e);
        mem_free(text);
    }
    arena_free(&mem);
    return s;
}

/* ---- Are they the same? ---- */

static status different(const char *path, const char *what, str token, err *e) {
    return err_set(e, RZ_EUNSUPPORTED,
                   "%.200s: the tokenizer would be another one there: %s \"%.*s\"" WITHOUT, path,
                   what, STR_FMT(token));
}

/* Runs of spaces are left out: SentencePiece models may join them, and GGUF's never do. */
static status same_cuts(const tok *before, const tok *after, const char *path, err *e) {
    static const char sample[] =
        "Once upon a time, 12345 (or 6.78e9) \"quotes\" don't end. na\xC3\xAFve \xE6\x97\xA5"
        "\xE6\x9C\xAC\xE8\xAA\x9E \xD0\x9C\xD0\xB8\xD1\x80 \xF0\x9F\x99\x82 x_y = f(a) && !b; "
        "return 0;";
    tok_ids a = {0}, b = {0};
    status s = tok_encode(before, STR_LIT(sample), TOK_BOS | TOK_SPECIAL, &a, e);
    if (s >= 0) s = tok_encode(after, STR_LIT(sample), TOK_BOS | TOK_SPECIAL, &b, e);
    size_t i = 0;
    while (s >= 0 && i < a.n && i < b.n && a.p[i] == b.p[i]) i++;
    if (s >= 0 && (i < a.n || i < b.n))
        s = different(path, "a text is cut otherwise at",
                      i < a.n ? tok_piece(before, a.p[i]) : STR_LIT("the end"), e);
    tok_ids_free(&a);
    tok_ids_free(&b);
    return s;
}

status tok_carry_check(const tok *before, const tok *after, const char *path, err *e) {
    static const rz_special marks[] = {RZ_BOS, RZ_EOS};
    if (!before) return RZ_OK;
    if (!after) return different(path, "there is none for", before->piece[0], e);
    for (size_t id = 0; id < before->n; id++)
        if (before->type[id] != TOK_ABSENT &&
            (id >= after->n || !str_eq(before->piece[id], after->piece[id])))
            return different(path, "it would spell otherwise", before->piece[id], e);
    for (int i = 0; i < 2; i++)
        if (before->special[marks[i]] != after->special[marks[i]])
            return different(path, "another mark than",
                             tok_piece(before, before->special[marks[i]]), e);
    return same_cuts(before, after, path, e);
}
