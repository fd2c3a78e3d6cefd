/* tok_lines.c - one line in memory at a time; output is gathered a little. */
#include "cli/tok_lines.h"

#include "base/base64.h"
#include "base/mem.h"
#include "cli/input.h"
#include "cli/output.h"
#include "json/json.h"

enum { GATHER = 1 << 16 };

typedef struct lines {
    const rz_tokenizer *t;
    int flags;
    arena mem;
    buf out;
} lines;

static status line_text(lines *l, str line, size_t number, str *text, err *e) {
    json *v = NULL;
    err why = {0};
    arena_reset(&l->mem);
    const status s = json_parse(&v, line, &l->mem, &why);
    if (s < 0) return err_set(e, s, "line %zu: %.400s", number, why.text);
    const json *plain = json_get(v, "text"), *b64 = json_get(v, "text_b64");
    const json *given = plain ? plain : b64;
    if (!given || given->kind != JSON_STRING || (plain && b64))
        return err_set(e, RZ_EFORMAT,
                       "line %zu: expected an object with a string \"text\" or \"text_b64\"",
                       number);
    *text = given->text;
    if (plain || given->text.len == 0) return RZ_OK;
    char *bytes = arena_alloc(&l->mem, given->text.len);
    if (!bytes) return err_set(e, RZ_ENOMEM, "line %zu: out of memory", number);
    const size_t n = base64_decode(given->text, bytes);
    if (n == SIZE_MAX) return err_set(e, RZ_EFORMAT, "line %zu: text_b64 is no base64", number);
    *text = (str){bytes, n};
    return RZ_OK;
}

static status flush(lines *l, err *e) {
    if (l->out.failed) return err_set(e, RZ_ENOMEM, "out of memory for the output");
    const status s = output_write(l->out.p, l->out.len, e);
    buf_clear(&l->out);
    return s;
}

static status encode_line(void *ctx, str line, size_t number, err *e) {
    lines *l = ctx;
    str text;
    rz_token *ids = NULL;
    size_t n = 0;
    line = str_trim(line);
    if (line.len == 0) return RZ_OK;
    TRY(line_text(l, line, number, &text, e));
    TRY(input_encode(l->t, text, l->flags, &ids, &n, e));
    buf_text(&l->out, "{\"ids\":[");
    for (size_t i = 0; i < n; i++) buf_printf(&l->out, i ? ",%d" : "%d", ids[i]);
    buf_text(&l->out, "]}\n");
    mem_free(ids);
    return l->out.len < GATHER && !l->out.failed ? RZ_OK : flush(l, e);
}

status tok_lines(const rz_tokenizer *t, int flags, const char *file, err *e) {
    lines l = {t, flags, ARENA_INIT, BUF_INIT};
    status s = input_lines(file, encode_line, &l, e);
    if (s >= 0) s = flush(&l, e);
    arena_free(&l.mem);
    buf_free(&l.out);
    return s;
}
