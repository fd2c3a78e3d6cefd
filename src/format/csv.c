/* csv.c - fields, quotes and line ends of CSV. */
#include "format/csv.h"

#include "base/mem.h"

csv csv_begin(str text, arena *mem) {
    if (str_starts(text, STR_LIT("\xef\xbb\xbf"))) text = (str){text.p + 3, text.len - 3};
    return (csv){.rest = text, .mem = mem};
}

void csv_done(csv *c) {
    mem_free(c->field);
    c->field = NULL;
    c->n = c->cap = 0;
}

static void skip(csv *c, size_t n) { c->rest = (str){c->rest.p + n, c->rest.len - n}; }

/* The n bytes from behind the first quote to the last, "" standing for one. */
static status unquote(csv *c, size_t n, size_t doubled, str *out, err *e) {
    *out = (str){c->rest.p, n};
    if (!doubled) return RZ_OK;
    char *copy = arena_alloc(c->mem, n);
    if (!copy) return err_set(e, RZ_ENOMEM, "out of memory for a field");
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        copy[len++] = c->rest.p[i];
        if (c->rest.p[i] == '"') i++;
    }
    *out = (str){copy, len};
    return RZ_OK;
}

static status quoted(csv *c, str *out, err *e) {
    const size_t began = c->line;
    size_t i = 0, doubled = 0;
    skip(c, 1);
    for (;; i++) {
        if (i == c->rest.len)
            return err_set(e, RZ_EFORMAT, "line %zu: a quote is not closed", began);
        if (c->rest.p[i] == '\n') c->line++;
        if (c->rest.p[i] != '"') continue;
        if (i + 1 == c->rest.len || c->rest.p[i + 1] != '"') break;
        doubled++;
        i++;
    }
    TRY(unquote(c, i, doubled, out, e));
    skip(c, i + 1);
    if (c->rest.len && !strchr(",\r\n", c->rest.p[0]))
        return err_set(e, RZ_EFORMAT, "line %zu: text behind a closing quote", c->line);
    return RZ_OK;
}

static status plain(csv *c, str *out, err *e) {
    size_t n = 0;
    while (n < c->rest.len && c->rest.p[n] != ',' && c->rest.p[n] != '\n') n++;
    *out = (str){c->rest.p, n};
    if (out->len && out->p[out->len - 1] == '\r') out->len--;
    if (n && memchr(c->rest.p, '"', n))
        return err_set(e, RZ_EFORMAT,
                       "line %zu: a quote inside a field that does not begin with one", c->line);
    skip(c, n);
    return RZ_OK;
}

static status put(csv *c, str field, err *e) {
    if (c->n == CSV_MAX_FIELDS)
        return err_set(e, RZ_EFULL, "line %zu: over %d fields", c->at, CSV_MAX_FIELDS);
    if (c->n == c->cap) {
        const size_t cap = c->cap ? 2 * c->cap : 16;
        str *more = mem_resize(c->field, cap, sizeof *more);
        if (!more) return err_set(e, RZ_ENOMEM, "out of memory for fields");
        c->field = more;
        c->cap = cap;
    }
    c->field[c->n++] = field;
    return RZ_OK;
}

/* One field and what ends it; *last: that was a line end, or the end. */
static status take_field(csv *c, bool *last, err *e) {
    str field = {0};
    if (c->rest.len && c->rest.p[0] == '"') TRY(quoted(c, &field, e));
    else TRY(plain(c, &field, e));
    TRY(put(c, field, e));
    *last = c->rest.len == 0 || c->rest.p[0] != ',';
    if (!*last) {
        skip(c, 1);
        return RZ_OK;
    }
    if (c->rest.len && c->rest.p[0] == '\r') skip(c, 1);
    if (c->rest.len && c->rest.p[0] != '\n')
        return err_set(e, RZ_EFORMAT, "line %zu: a carriage return inside a line", c->line);
    if (c->rest.len) skip(c, 1);
    return RZ_OK;
}

status csv_next(csv *c, bool *more, err *e) {
    *more = false;
    while (c->rest.len) {
        bool last = false;
        c->n = 0;
        c->at = ++c->line;
        while (!last) TRY(take_field(c, &last, e));
        if (c->n == 1 && str_trim(c->field[0]).len == 0) continue;
        *more = true;
        return RZ_OK;
    }
    return RZ_OK;
}
