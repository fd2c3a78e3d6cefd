/* tok_many.c - several texts, or the parts of a long one, on several threads. */
#include "base/mem.h"
#include "tokenizer/tok_impl.h"

enum { PART_BYTES = 1 << 18 }; /* a part takes a few milliseconds: long enough to be worth a turn */

/* Texts that are encoded by any thread in any order. */
typedef struct batch {
    const tok *t;
    const str *text;
    const tok_encode_options *o; /* NULL: plain text */
    int where;                   /* of plain text 0; 0 for the others */
    tok_ids *ids;
    status *result;
    err *e; /* [n] */
} batch;

static void encode_one(void *ctx, uint32_t i, uint32_t thread) {
    (void)thread;
    const batch *b = ctx;
    const tok *t = b->t;
    if (b->o) b->result[i] = tok_encode_with(t, b->text[i], b->o, &b->ids[i], &b->e[i]);
    else b->result[i] = t->kind->encode(t, b->text[i], i ? 0 : b->where, &b->ids[i], &b->e[i]);
    if (b->result[i] >= 0 && b->ids[i].failed)
        b->result[i] = err_set(&b->e[i], RZ_ENOMEM, "tokenizer: out of memory");
}

/* Run it; the first text that failed is *failed. */
static status run(batch *b, size_t n, pool *workers, size_t *failed, err *e) {
    b->result = mem_array_zero(n, sizeof *b->result);
    b->e = mem_array_zero(n, sizeof *b->e);
    status s = RZ_OK;
    if (!b->result || !b->e) s = err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    else if (workers) pool_run(workers, (uint32_t)n, encode_one, b);
    for (size_t i = 0; s >= 0 && i < n; i++) {
        if (!workers) encode_one(b, (uint32_t)i, 0);
        if (b->result[i] >= 0) continue;
        s = b->result[i];
        if (e) *e = b->e[i];
        if (failed) *failed = i;
    }
    mem_free(b->result);
    mem_free(b->e);
    return s;
}

status tok_encode_batch(const tok *t, const str *text, size_t n, const tok_encode_options *o,
                        tok_ids *ids, size_t *failed, err *e) {
    if (n > UINT32_MAX)
        return err_set(e, RZ_EINVAL, "tokenizer: %zu texts, expected less than 4 billion", n);
    tok_encode_options alone = *o; /* a pool is not entered twice */
    alone.workers = NULL;
    for (size_t i = 0; i < n; i++) ids[i] = (tok_ids){0};
    batch b = {t, text, &alone, 0, ids, NULL, NULL};
    const status s = n ? run(&b, n, o->workers, failed, e) : RZ_OK;
    for (size_t i = 0; s < 0 && i < n; i++) tok_ids_free(&ids[i]);
    return s;
}

/* Where to cut: ends of at most `room` parts; returns their number. */
static size_t find_parts(const tok *t, str text, size_t step, str *part, size_t room) {
    size_t n = 0, from = 0;
    while (from < text.len) {
        size_t to = text.len;
        if (n + 1 < room && text.len - from > step) to = t->kind->cut(t, text, from + step);
        part[n++] = (str){text.p + from, to - from};
        from = to;
    }
    return n;
}

static bool append(tok_ids *out, const tok_ids *more) {
    if (!tok_ids_room(out, more->n)) return false;
    if (more->n) memcpy(out->p + out->n, more->p, more->n * sizeof *more->p);
    out->n += more->n;
    return true;
}

status tok_encode_parts(const tok *t, str text, int where, pool *workers, tok_ids *out, err *e) {
    const size_t most = text.len / PART_BYTES + 1;
    if (!t->kind->cut || most == 1) return t->kind->encode(t, text, where, out, e);
    str *part = mem_array(most, sizeof *part);
    tok_ids *ids = mem_array_zero(most, sizeof *ids);
    status s = RZ_OK;
    size_t n = 0;
    if (!part || !ids) {
        s = err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    } else {
        n = find_parts(t, text, PART_BYTES, part, most);
        batch b = {t, part, NULL, where, ids, NULL, NULL};
        s = run(&b, n, workers, NULL, e);
    }
    for (size_t i = 0; i < n; i++) {
        if (s >= 0 && !append(out, &ids[i])) s = err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
        tok_ids_free(&ids[i]);
    }
    mem_free(ids);
    mem_free(part);
    return s;
}
