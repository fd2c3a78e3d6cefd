/* tok_rzv_file.c - .rzv files: what all kinds of vocabulary have in common, saving and opening.
 * The kinds' own parts are beside the kinds: tok_bpe_rzv, tok_spm_rzv, tok_pipe_rzv. */
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_rzv.h"

enum { MAX_STEPS = 64 };

static const char magic[8] = "RZVOCAB";

/* ---- tokens ---- */

/* Where n texts begin in `bytes` bytes. */
static status check_offsets(const rzv *a, const char *name, const uint32_t *at, size_t n,
                            size_t bytes) {
    bool good = at[0] == 0 && at[n] == bytes;
    for (size_t i = 0; i < n; i++) good &= at[i] <= at[i + 1];
    return good ? RZ_OK : rzv_error(a, name, "do not rise from 0 to the length of the texts");
}

static status rzv_texts(rzv *a, const char *name, void *at, void *text, uint32_t bytes) {
    const uint32_t *offset;
    TRY(rzv_u32(a, name, &bytes, 0, UINT32_MAX));
    TRY(rzv_array(a, name, at, a->t->n + 1, sizeof *offset));
    memcpy(&offset, at, sizeof offset);
    TRY(check_offsets(a, name, offset, a->t->n, bytes));
    return rzv_array(a, name, text, bytes, 1);
}

/* How tokens are spelled, where it is not what they decode to. */
static status rzv_pieces(rzv *a) {
    tok *t = a->t;
    bool spelled = t->piece || t->piece_at;
    TRY(rzv_flag(a, "spelled", &spelled));
    if (!spelled) return RZ_OK;
    if (rzv_reads(a) || t->piece_at)
        return rzv_texts(a, "spellings", &t->piece_at, &t->piece_text,
                         t->piece_at ? t->piece_at[t->n] : 0);
    buf text = BUF_INIT;
    text.limit = UINT32_MAX;
    uint32_t *at = mem_array(t->n + 1, sizeof *at);
    for (size_t id = 0; at && id < t->n; id++) {
        at[id] = (uint32_t)text.len;
        buf_str(&text, t->type[id] == TOK_ABSENT ? (str){"", 0} : t->piece[id]);
    }
    status s = at && !text.failed ? RZ_OK : rzv_no_memory(a);
    if (s >= 0) {
        at[t->n] = (uint32_t)text.len;
        s = rzv_texts(a, "spellings", &at, &text.p, at[t->n]);
    }
    buf_free(&text);
    mem_free(at);
    return s;
}

static status rzv_tokens(rzv *a) {
    tok *t = a->t;
    uint32_t n = (uint32_t)t->n;
    TRY(rzv_u32(a, "tokens", &n, 1, TOK_MAX_SIZE));
    t->n = n;
    TRY(rzv_array(a, "types", &t->type, n, 1));
    TRY(rzv_array(a, "flags", &t->flags, n, 1));
    uint8_t most = 0;
    for (size_t id = 0; id < n; id++) most = t->type[id] > most ? t->type[id] : most;
    if (most > TOK_ABSENT) return rzv_error(a, "types", "have one this build does not know");
    TRY(rzv_texts(a, "texts", &t->byte_at, &t->bytes, t->byte_at ? t->byte_at[n] : 0));
    return rzv_pieces(a);
}

static status rzv_around(rzv *a, const char *name, int32_t id[TOK_MAX_AROUND], uint8_t *n) {
    uint32_t count = *n;
    TRY(rzv_u32(a, name, &count, 0, TOK_MAX_AROUND));
    *n = (uint8_t)count;
    for (uint32_t i = 0; i < count; i++) {
        TRY(rzv_id(a, name, &id[i]));
        if (id[i] < 0) return rzv_error(a, name, "has an id of no token");
    }
    return RZ_OK;
}

static status rzv_roles(rzv *a) {
    tok *t = a->t;
    for (int i = 0; i < TOK_SPECIAL_COUNT; i++) TRY(rzv_id(a, "special tokens", &t->special[i]));
    TRY(rzv_around(a, "tokens in front", t->before, &t->n_before));
    TRY(rzv_around(a, "tokens behind", t->after, &t->n_after));
    TRY(rzv_flag(a, "drops_first_space", &t->drops_first_space));
    TRY(rzv_flag(a, "drops_last_space", &t->drops_last_space));
    return rzv_flag(a, "puts_space", &t->puts_space);
}

static status rzv_set(rzv *a, const char *name, tok_special_set *s) {
    uint32_t n = (uint32_t)s->n;
    TRY(rzv_u32(a, name, &n, 0, TOK_MAX_SIZE));
    for (uint32_t i = 0; i < n; i++) {
        tok_special_entry entry = {{"", 0}, 0, false};
        if (!rzv_reads(a)) entry = s->entry[i];
        TRY(rzv_str(a, name, &entry.text));
        TRY(rzv_id(a, name, &entry.id));
        TRY(rzv_flag(a, name, &entry.always));
        if (entry.id < 0 || entry.text.len == 0)
            return rzv_error(a, name, "have one without text or id");
        if (rzv_reads(a) && !tok_special_add(s, entry.text, entry.id, entry.always))
            return rzv_no_memory(a);
    }
    if (rzv_reads(a)) tok_special_sort(s);
    return RZ_OK;
}

static status rzv_sets(rzv *a) {
    tok *t = a->t;
    bool kept = t->kept != NULL;
    TRY(rzv_set(a, "special tokens", &t->specials));
    TRY(rzv_set(a, "special tokens of rewritten text", &t->normalized));
    TRY(rzv_flag(a, "kept texts", &kept));
    if (!kept) return RZ_OK;
    if (rzv_reads(a)) t->kept = arena_zero(&t->mem, 1, sizeof *t->kept);
    return t->kept ? rzv_set(a, "kept texts", t->kept) : rzv_no_memory(a);
}

/* ---- normalization ---- */

static status rzv_map(rzv *a, tok_charsmap *m) {
    uint32_t n = (uint32_t)m->n;
    TRY(rzv_u32(a, "character map", &n, 0, UINT32_MAX));
    m->n = n;
    TRY(rzv_array(a, "character map", &m->unit, n, sizeof *m->unit));
    TRY(rzv_str(a, "character map", &m->texts));
    if (n && (m->texts.len == 0 || m->texts.p[m->texts.len - 1]))
        return rzv_error(a, "character map", "has a last text that does not end");
    return RZ_OK;
}

static status rzv_spm_norm(rzv *a, norm_spm *n) {
    enum { KEEP_NOTHING, KEEP_NORMALIZED, KEEP_KEPT };
    tok *t = a->t;
    uint32_t keep = !n->keep ? KEEP_NOTHING : n->keep == t->kept ? KEEP_KEPT : KEEP_NORMALIZED;
    TRY(rzv_map(a, &n->map));
    TRY(rzv_u32(a, "kept texts", &keep, 0, KEEP_KEPT));
    if (keep == KEEP_KEPT && !t->kept) return rzv_error(a, "kept texts", "are missing");
    n->keep = keep == KEEP_NOTHING ? NULL : keep == KEEP_KEPT ? t->kept : &t->normalized;
    TRY(rzv_flag(a, "prefix", &n->prefix));
    TRY(rzv_flag(a, "suffix", &n->suffix));
    TRY(rzv_flag(a, "one_space", &n->one_space));
    TRY(rzv_flag(a, "plain_space", &n->plain_space));
    norm_spm_ready(n);
    return RZ_OK;
}

/* Regular expressions are compiled again from their text, which is in `from`. */
static status rzv_step(rzv *a, norm_step *s) {
    static const char name[] = "normalizer";
    uint32_t op = s->op, form = s->form;
    TRY(rzv_u32(a, name, &op, 0, NORM_OP_SPM));
    TRY(rzv_u32(a, name, &form, 0, NORM_NFKD));
    s->op = (norm_op)op;
    s->form = (norm_form)form;
    TRY(rzv_str(a, name, &s->from));
    TRY(rzv_str(a, name, &s->to));
    if (rzv_reads(a) && s->op == NORM_OP_REPLACE_RE) {
        const status st = re_compile(&s->re, s->from, NULL, a->e);
        if (st < 0) return err_at(a->e, st, a->path);
    }
    if (s->op == NORM_OP_CHARSMAP) {
        tok_charsmap m = s->map ? *s->map : (tok_charsmap){NULL, 0, {NULL, 0}}, *copy;
        TRY(rzv_map(a, &m));
        if (!rzv_reads(a)) return RZ_OK;
        if (!(copy = arena_zero(&a->t->mem, 1, sizeof *copy))) return rzv_no_memory(a);
        *copy = m;
        s->map = copy;
    }
    if (s->op == NORM_OP_SPM) {
        norm_spm n = s->spm ? *s->spm : (norm_spm){.prefix = false}, *copy;
        TRY(rzv_spm_norm(a, &n));
        if (!rzv_reads(a)) return RZ_OK;
        if (!(copy = arena_zero(&a->t->mem, 1, sizeof *copy))) return rzv_no_memory(a);
        *copy = n;
        s->spm = copy;
    }
    return RZ_OK;
}

static status rzv_norm(rzv *a) {
    tok *t = a->t;
    uint32_t n = t->norm ? (uint32_t)t->norm->n : 0;
    TRY(rzv_u32(a, "normalizer", &n, 0, MAX_STEPS));
    if (rzv_reads(a) && n) {
        t->own_norm.step = arena_zero(&t->mem, n, sizeof *t->own_norm.step);
        if (!t->own_norm.step) return rzv_no_memory(a);
        t->own_norm.n = n;
        t->norm = &t->own_norm;
    }
    for (uint32_t i = 0; i < n; i++) TRY(rzv_step(a, &t->norm->step[i]));
    return RZ_OK;
}

/* ---- the whole ---- */

static status (*const kinds[])(rzv *a) = {tok_bpe_rzv, tok_spm_rzv, tok_pipe_rzv};
enum { KINDS = sizeof kinds / sizeof *kinds };

static status rzv_all(rzv *a) {
    uint32_t kind = 0;
    while (!rzv_reads(a) && kind + 1 < KINDS && kinds[kind] != a->t->kind->rzv) kind++;
    TRY(rzv_u32(a, "kind", &kind, 0, KINDS - 1));
    TRY(rzv_tokens(a));
    TRY(rzv_roles(a));
    TRY(rzv_sets(a));
    TRY(rzv_norm(a));
    return kinds[kind](a);
}

static status check_header(const char *path, str file, err *e) {
    char head[RZV_HEADER];
    uint64_t version;
    if (!tok_looks_like_rzv(file) || file.len < sizeof head)
        return err_set(e, RZ_EFORMAT, "%s: not a compact vocabulary", path);
    memcpy(&version, file.p + 8, sizeof version);
    if (version != RZV_VERSION)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%s: a compact vocabulary of version %llu, this build reads %d; convert it "
                       "again from its source",
                       path, (unsigned long long)version, RZV_VERSION);
    memcpy(head, file.p, sizeof head);
    rzv_seal_of(file, head);
    if (memcmp(head + 16, file.p + 16, 8) != 0)
        return err_set(e, RZ_EFORMAT, "%s: the file is cut off or has something behind it", path);
    if (memcmp(head + 24, file.p + 24, 8) != 0)
        return err_set(e, RZ_EFORMAT, "%s: damaged: the sum of the file is another", path);
    return RZ_OK;
}

bool tok_looks_like_rzv(str file) {
    return file.len >= sizeof magic && memcmp(file.p, magic, sizeof magic) == 0;
}

status tok_open_rzv(tok **out, const char *path, str file, err *e) {
    TRY(check_header(path, file, e));
    tok *t = mem_zero(sizeof *t);
    if (!t) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    rzv a = {t, path, NULL, file, RZV_HEADER, e};
    status s = rzv_all(&a);
    if (s >= 0 && a.at != file.len) s = rzv_error(&a, "the file", "has something behind its end");
    if (s < 0) {
        tok_close(t);
        return s;
    }
    *out = t;
    return RZ_OK;
}

status tok_save_rzv(const tok *t, const char *path, err *e) {
    buf out = BUF_INIT;
    const uint64_t version = RZV_VERSION;
    char head[RZV_HEADER] = {0};
    memcpy(head, magic, sizeof magic);
    memcpy(head + 8, &version, sizeof version);
    buf_add(&out, head, sizeof head);
    rzv a = {(tok *)(uintptr_t)t, path, &out, {NULL, 0}, 0, e}; /* it is only looked at */
    status s = rzv_all(&a);
    tok *again = NULL;
    if (s >= 0) {
        rzv_seal(out.p, out.len);
        s = tok_open_rzv(&again, path, buf_view(&out), e); /* what is not read back is not kept */
        tok_close(again);
    }
    if (s >= 0) s = os_write_file(path, out.p, out.len, e);
    buf_free(&out);
    return s;
}
