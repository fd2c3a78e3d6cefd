/* prepare.c - documents are gathered until there is work for all threads, encoded together, and
 * appended; long ones are encoded alone, on all threads. Texts stay in the mapped file. */
#include "train/prepare.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/os.h"
#include "json/json.h"

enum { BATCH_BYTES = 8 << 20, BATCH_TEXTS = 1 << 14, LONG_TEXT = 1 << 20 };

typedef struct preparer {
    const prepare_request *r;
    int32_t bos, eos; /* -1: none */
    os_file *out;
    str *text; /* [BATCH_TEXTS] of which n are waiting */
    tok_ids *ids;
    size_t n, waiting; /* bytes of these texts */
    arena mem;         /* of the waiting JSON */
    prepare_result sum;
} preparer;

static tok_encode_options options_of(const preparer *p) {
    return (tok_encode_options){p->r->special ? TOK_SPECIAL : 0, NULL, 0, p->r->workers};
}

static status put(preparer *p, const tok_ids *ids, err *e) {
    const size_t n = ids->n + (p->bos >= 0) + (p->eos >= 0);
    if (p->bos >= 0) TRY(os_file_write(p->out, &p->bos, sizeof p->bos, e));
    TRY(os_file_write(p->out, ids->p, ids->n * sizeof *ids->p, e));
    if (p->eos >= 0) TRY(os_file_write(p->out, &p->eos, sizeof p->eos, e));
    p->sum.documents++;
    p->sum.tokens += n;
    return RZ_OK;
}

static status flush(preparer *p, err *e) {
    const tok_encode_options o = options_of(p);
    status s = RZ_OK;
    if (p->n == 0) return RZ_OK;
    TRY(tok_encode_batch(p->r->t, p->text, p->n, &o, p->ids, NULL, e));
    for (size_t i = 0; i < p->n; i++) {
        if (s >= 0) s = put(p, &p->ids[i], e);
        tok_ids_free(&p->ids[i]);
    }
    p->n = p->waiting = 0;
    arena_reset(&p->mem);
    return s;
}

static status long_text(preparer *p, str text, err *e) {
    const tok_encode_options o = options_of(p);
    tok_ids ids = {0};
    TRY(flush(p, e));
    status s = tok_encode_with(p->r->t, text, &o, &ids, e);
    if (s >= 0) s = put(p, &ids, e);
    tok_ids_free(&ids);
    return s;
}

static status add(preparer *p, str text, err *e) {
    if (text.len == 0) return RZ_OK;
    p->sum.bytes += text.len;
    if (text.len >= LONG_TEXT) return long_text(p, text, e);
    p->text[p->n++] = text;
    p->waiting += text.len;
    return p->n < BATCH_TEXTS && p->waiting < BATCH_BYTES ? RZ_OK : flush(p, e);
}

static status tell(const preparer *p, uint64_t done, uint64_t total, err *e) {
    if (p->r->tell && p->r->tell(p->r->ud, done, total)) return err_set(e, RZ_ECANCELED, "stopped");
    return RZ_OK;
}

static status json_line(preparer *p, const char *path, size_t number, str line, err *e) {
    json *v = NULL;
    err why = {0};
    if (line.len == 0) return RZ_OK;
    const status s = json_parse(&v, line, &p->mem, &why);
    if (s < 0) return err_set(e, s, "%.200s, line %zu: %.200s", path, number, why.text);
    char name[128];
    snprintf(name, sizeof name, "%.*s", STR_FMT(p->r->field));
    const json *text = json_get(v, name);
    if (text && text->kind == JSON_STRING) return add(p, text->text, e);
    return err_set(e, RZ_EFORMAT,
                   "%.200s, line %zu: expected an object with a string \"%.100s\", found %s", path,
                   number, name,
                   text                     ? json_kind_name(text->kind)
                   : v->kind == JSON_OBJECT ? "none"
                                            : json_kind_name(v->kind));
}

/* One file; `before` bytes of `total` have been read. */
static status read_file(preparer *p, const char *path, str all, uint64_t before, uint64_t total,
                        err *e) {
    const bool lines =
        str_ends(str_of(path), STR_LIT(".jsonl")) || str_ends(str_of(path), STR_LIT(".ndjson"));
    const str between = lines ? STR_LIT("\n") : p->r->separator;
    str rest = all;
    for (size_t number = 1; rest.len; number++) {
        const ptrdiff_t at = between.len ? str_find(rest, between) : -1;
        const str part = {rest.p, at < 0 ? rest.len : (size_t)at};
        const size_t used = at < 0 ? rest.len : part.len + between.len;
        const str inner = between.len ? str_trim(part) : part;
        TRY(lines ? json_line(p, path, number, inner, e) : add(p, inner, e));
        rest.p += used;
        rest.len -= used;
        TRY(tell(p, before + (uint64_t)(rest.p - all.p), total, e));
    }
    return flush(p, e); /* the map goes away */
}

static status read_all(preparer *p, const os_map *file, err *e) {
    uint64_t total = 0, before = 0;
    for (size_t i = 0; i < p->r->n_in; i++) total += file[i].len;
    for (size_t i = 0; i < p->r->n_in; i++) {
        const str all = {(const char *)file[i].data, file[i].len};
        TRY(read_file(p, p->r->in[i], all, before, total, e));
        before += file[i].len;
    }
    return p->sum.tokens ? RZ_OK
                         : err_set(e, RZ_EINVAL, "%.300s%s: there is no text", p->r->in[0],
                                   p->r->n_in > 1 ? " and the others" : "");
}

static status start(preparer *p, const char *out, err *e) {
    if (p->r->begin && p->bos < 0)
        return err_set(e, RZ_EINVAL, "the vocabulary has no token to begin documents with (BOS)");
    p->text = mem_array(BATCH_TEXTS, sizeof *p->text);
    p->ids = mem_array_zero(BATCH_TEXTS, sizeof *p->ids);
    if (!p->text || !p->ids) return err_set(e, RZ_ENOMEM, "prepare: out of memory");
    return os_file_create(&p->out, out, e);
}

static status write_open(const prepare_request *r, const os_map *file, const char *out,
                         prepare_result *result, err *e) {
    preparer p = {.r = r,
                  .bos = r->begin ? tok_special(r->t, RZ_BOS) : -1,
                  .eos = r->end ? tok_special(r->t, RZ_EOS) : -1};
    status s = start(&p, out, e);
    if (s >= 0) s = os_file_end(p.out, read_all(&p, file, e), e);
    if (s >= 0 && result) *result = p.sum;
    arena_free(&p.mem);
    mem_free(p.text);
    mem_free(p.ids);
    return s;
}

status prepare_write(const prepare_request *r, const char *out, prepare_result *result, err *e) {
    os_map *file = mem_array_zero(r->n_in ? r->n_in : 1, sizeof *file);
    status s = file ? RZ_OK : err_set(e, RZ_ENOMEM, "prepare: out of memory");
    for (size_t i = 0; s >= 0 && i < r->n_in; i++) {
        s = os_map_open(&file[i], r->in[i], e);
        if (s >= 0 && os_same_file(r->in[i], out))
            s = err_set(e, RZ_EINVAL, "%.300s would be written over while it is read", out);
    }
    if (s >= 0) s = write_open(r, file, out, result, e);
    for (size_t i = 0; file && i < r->n_in; i++) os_map_close(&file[i]);
    mem_free(file);
    return s;
}
