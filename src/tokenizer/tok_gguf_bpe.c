/* tok_gguf_bpe.c - tokenizer.ggml.model "gpt2": byte-level BPE with a list of merges.
 *
 * Tokens are spelled in GPT-2's alphabet, in which every byte is one printable character: those
 * that print stand for themselves, the others for U+0100 and on. */
#include "base/log.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_index.h"
#include "tokenizer/tok_merge.h"
#include "tokenizer/tok_pre.h"
#include "unicode/utf8.h"

void tok_byte_alphabet(int16_t byte_of[TOK_BYTE_ALPHABET]) {
    int next = 256;
    memset(byte_of, 0xFF, TOK_BYTE_ALPHABET * sizeof *byte_of);
    for (int b = 0; b < 256; b++) {
        const bool prints = (b >= '!' && b <= '~') || (b >= 0xA1 && b != 0xAD);
        byte_of[prints ? b : next++] = (int16_t)b;
    }
}

uint32_t tok_byte_char(unsigned char b) {
    if (b <= ' ') return 256u + b;
    if (b >= 0x7F && b <= 0xA0) return 256u + 33 + (b - 0x7Fu);
    return b == 0xAD ? 256u + 67 : b;
}

size_t tok_byte_decode(const int16_t byte_of[TOK_BYTE_ALPHABET], str piece, char *out) {
    size_t n = 0;
    while (piece.len) {
        uint32_t cp;
        const size_t len = utf8_decode(piece, &cp);
        if (cp < TOK_BYTE_ALPHABET && byte_of[cp] >= 0) {
            if (out) out[n] = (char)byte_of[cp];
            n++;
        } else { /* a character that stands for itself, as added tokens have them */
            if (out) memcpy(out + n, piece.p, len);
            n += len;
        }
        piece.p += len;
        piece.len -= len;
    }
    return n;
}

static size_t decoded(const int16_t *byte_of, const tok *t, size_t id, char *out) {
    const str piece = t->piece[id];
    switch (t->type[id]) {
        case TOK_CONTROL:
        case TOK_UNKNOWN:
            return 0;
        case TOK_USER_DEFINED:
            if (out && piece.len) memcpy(out, piece.p, piece.len);
            return piece.len;
        default:
            return tok_byte_decode(byte_of, piece, out);
    }
}

status tok_byte_level_bytes(tok *t, const char *path, err *e) {
    int16_t byte_of[TOK_BYTE_ALPHABET];
    uint64_t total = 0;
    tok_byte_alphabet(byte_of);
    for (size_t id = 0; id < t->n; id++) total += decoded(byte_of, t, id, NULL);
    if (total > UINT32_MAX)
        return err_set(e, RZ_EFORMAT, "%s: the tokens are longer than 4 GiB", path);
    t->byte_at = arena_zero(&t->mem, t->n + 1, sizeof *t->byte_at);
    t->bytes = arena_alloc(&t->mem, (size_t)total + 1);
    if (!t->byte_at || !t->bytes) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    for (size_t id = 0; id < t->n; id++)
        t->byte_at[id + 1] =
            t->byte_at[id] + (uint32_t)decoded(byte_of, t, id, t->bytes + t->byte_at[id]);
    return RZ_OK;
}

/* "A B": the tokens A and B merge to AB. The space is not the first byte of A. */
static status read_merge(tok_index *x, const char *path, size_t i, str line, buf *joined,
                         merge_list *out, err *e) {
    static const char key[] = "tokenizer.ggml.merges";
    size_t cut = 1;
    while (cut < line.len && line.p[cut] != ' ') cut++;
    if (cut + 1 >= line.len)
        return err_set(e, RZ_EFORMAT, "%s: %s[%zu] is \"%.*s\", expected two tokens and a space",
                       path, key, i, STR_FMT(line));
    const str a = {line.p, cut}, b = {line.p + cut + 1, line.len - cut - 1};
    buf_clear(joined);
    buf_str(joined, a);
    buf_str(joined, b);
    if (joined->failed) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    merge_pair m = {tok_index_find(x, a), tok_index_find(x, b), tok_index_find(x, buf_view(joined)),
                    (uint32_t)i};
    const str missing = m.left == TOK_NO_ID     ? a
                        : m.right == TOK_NO_ID  ? b
                        : m.merged == TOK_NO_ID ? buf_view(joined)
                                                : (str){NULL, 0};
    if (missing.p)
        return err_set(e, RZ_EFORMAT, "%s: %s[%zu] is \"%.*s\", expected \"%.*s\" to be a token",
                       path, key, i, STR_FMT(line), STR_FMT(missing));
    return merge_list_add(out, m) ? RZ_OK : err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
}

/* Ranks are lines of the list. Where the merged tokens' ids rise from line to line they say the
 * same, in half the memory. */
static void ranks_from_ids(merge_list *l) {
    for (size_t i = 1; i < l->n; i++)
        if (l->p[i].merged < l->p[i - 1].merged) return;
    for (size_t i = 0; i < l->n; i++) l->p[i].rank = l->p[i].merged;
}

static status read_merges(const tensor_file *f, tok_index *x, merge_list *out, err *e) {
    static const char key[] = "tokenizer.ggml.merges";
    const meta_value *v = tensor_file_meta(f, key);
    if (!v || v->type != META_ARRAY || v->a.elem != META_STRING)
        return err_set(e, RZ_EFORMAT, "%s: %s is %s, expected an array of strings", f->path, key,
                       v ? "of another type" : "missing");
    buf joined = BUF_INIT;
    status s = RZ_OK;
    for (size_t i = 0; s >= 0 && i < v->a.n; i++)
        s = read_merge(x, f->path, i, v->a.strings[i], &joined, out, e);
    buf_free(&joined);
    ranks_from_ids(out);
    return s;
}

static status find_pre(const tensor_file *f, const pre_kind **out, err *e) {
    str name = {NULL, 0};
    TRY(meta_str(f, "tokenizer.ggml.pre", &name, e));
    if (!name.p || name.len == 0) {
        log_warn(
            "%s: tokenizer.ggml.pre is missing; text is split by default rules, which may not "
            "be this model's",
            f->path);
        name = STR_LIT("default");
    }
    *out = pre_find(name);
    if (*out) return RZ_OK;
    return err_set(e, RZ_EUNSUPPORTED,
                   "%s: tokenizer.ggml.pre is \"%.*s\", which this build does not know", f->path,
                   STR_FMT(name));
}

status tok_bpe_open_gguf(tok *t, const tensor_file *f, err *e) {
    const pre_kind *pre;
    TRY(find_pre(f, &pre, e));
    const tok_gguf_defaults defaults = {
        .bos = -1, .eos = -1, .unk = -1, .pad = -1, .add_bos = pre->add_bos};
    str pattern[PRE_MAX_PATTERNS];
    size_t n = 0;
    for (; pre->pattern[n]; n++) pattern[n] = str_of(pre->pattern[n]);
    static norm_step nfc_step = {.op = NORM_OP_FORM, .form = NORM_NFC};
    static const tok_norm nfc = {&nfc_step, 1};
    if (pre->nfc) t->norm = &nfc;
    tok_index x = {0};
    merge_list merges = {0};
    status s = tok_gguf_read(t, f, &defaults, &x, e);
    if (s >= 0) s = tok_byte_level_bytes(t, f->path, e);
    if (s >= 0) s = read_merges(f, &x, &merges, e);
    const tok_bpe_options o = {f->path, pattern, n, pre->ignore_merges};
    if (s >= 0) s = tok_bpe_init(t, &merges, &o, e);
    merge_list_free(&merges);
    tok_index_done(&x);
    return s;
}
