/* yaml.c - a recursive-descent parser of the YAML subset in yaml.h.
 *
 * The reader always stands at a token of a content line (comments and blank lines are skipped) and
 * knows its column: a block goes on while the lines have the column of its first. The depth limit
 * bounds the recursion. Columns count characters, from 1, in error texts only. */
#include "json/yaml.h"

#include <math.h>
#include <stdio.h>

#include "base/map.h"
#include "json/parse_error.h"
#include "unicode/utf8.h"

typedef struct parser {
    const char *start, *p, *end;
    const char *line; /* first byte of the line p is in */
    arena *a;
    err *e;
    unsigned depth;
} parser;

#define FAIL_AT(ps, at, ...) parse_error("YAML", (ps)->start, at, (ps)->e, __VA_ARGS__)

static status no_memory(const parser *ps) {
    return parse_no_memory("YAML", (size_t)(ps->end - ps->start), ps->e);
}

static status parse_flow(parser *ps, json *v);
static status parse_block(parser *ps, json *v, size_t column);

/* ---- Moving ---- */

static bool at_end(const parser *ps) { return ps->p >= ps->end; }
static bool at_line_end(const parser *ps) {
    return at_end(ps) || *ps->p == '\n' ||
           (*ps->p == '\r' && (ps->end - ps->p == 1 || ps->p[1] == '\n'));
}
/* Is the byte behind ps->p + n white space or the end? */
static bool blank_at(const parser *ps, size_t n) {
    return (size_t)(ps->end - ps->p) <= n || strchr(" \t\r\n", ps->p[n]) != NULL;
}
static size_t column(const parser *ps) { return (size_t)(ps->p - ps->line); }

static void skip_spaces(parser *ps) {
    while (!at_end(ps) && (*ps->p == ' ' || *ps->p == '\t')) ps->p++;
}

/* Spaces and a comment behind a token. */
static void skip_rest(parser *ps) {
    const char *from = ps->p;
    skip_spaces(ps);
    if (!at_end(ps) && *ps->p == '#' && (ps->p > from || ps->p == ps->line))
        while (!at_end(ps) && *ps->p != '\n') ps->p++;
}

/* To the first token behind here, over line ends, blank lines and comments. */
static void next_token(parser *ps) {
    for (;;) {
        skip_rest(ps);
        if (!at_line_end(ps) || at_end(ps)) return;
        if (*ps->p == '\r') ps->p++;
        if (!at_end(ps)) ps->line = ++ps->p;
    }
}

/* Is this line "---"? */
static bool at_marker(const parser *ps) {
    return ps->p == ps->line && ps->end - ps->p >= 3 && memcmp(ps->p, "---", 3) == 0 &&
           blank_at(ps, 3);
}

/* A value has ended: nothing else on its line. Goes on to the next content line. */
static status end_line(parser *ps) {
    skip_rest(ps);
    if (!at_line_end(ps)) return FAIL_AT(ps, ps->p, "expected the end of the line after a value");
    next_token(ps);
    for (const char *c = ps->line; c < ps->p; c++)
        if (*c == '\t') return FAIL_AT(ps, c, "a tab in the indentation");
    return RZ_OK;
}

/* ---- Scalars ---- */

static bool is_word(str s, const char *lower, const char *title, const char *upper) {
    return str_is(s, lower) || str_is(s, title) || str_is(s, upper);
}

/* Numbers in spellings that JSON does not know get its spelling. */
static status set_number(parser *ps, json *v, double number) {
    char text[40];
    buf b = {text, 0, sizeof text, sizeof text, false};
    v->kind = JSON_NUMBER;
    v->number = number;
    json_write_number(&b, number);
    const char *copy = b.failed ? NULL : arena_copy(ps->a, b.p, b.len);
    if (!copy) return no_memory(ps);
    v->text = (str){copy, b.len};
    return RZ_OK;
}

/* As json_parse_python spells them. */
static void set_non_finite(json *v, double number, const char *text) {
    v->kind = JSON_NUMBER;
    v->number = number;
    v->text = str_of(text);
}

static bool hex_number(str s, double *out) {
    double v = 0;
    if (s.len < 3 || s.len > 14 || s.p[0] != '0' || s.p[1] != 'x') return false;
    for (size_t i = 2; i < s.len; i++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *at = strchr(digits, s.p[i]);
        if (!at || !*at) return false;
        v = v * 16 + (double)((at - digits) % 16);
    }
    *out = v;
    return true;
}

/* The core schema of YAML 1.2. */
static status resolve(parser *ps, json *v, str s) {
    double number;
    json *parsed = NULL;
    v->text = s;
    v->kind = JSON_STRING;
    if (s.len == 0 || str_is(s, "~") || is_word(s, "null", "Null", "NULL")) {
        v->kind = JSON_NULL;
        v->text = (str){NULL, 0};
    } else if (is_word(s, "true", "True", "TRUE") || is_word(s, "false", "False", "FALSE")) {
        v->kind = JSON_BOOL;
        v->truth = s.len == 4;
        v->text = (str){NULL, 0};
    } else if (hex_number(s, &number)) {
        return set_number(ps, v, number);
    } else if (is_word(s, ".nan", ".NaN", ".NAN")) {
        set_non_finite(v, (double)NAN, "NaN");
    } else if (is_word(s, ".inf", ".Inf", ".INF")) {
        set_non_finite(v, (double)INFINITY, "Infinity");
    } else if (is_word(s, "-.inf", "-.Inf", "-.INF")) {
        set_non_finite(v, -(double)INFINITY, "-Infinity");
    } else if (str_f64(s, &number)) {
        const status as_json = json_parse(&parsed, s, ps->a, NULL);
        if (as_json == RZ_ENOMEM) return no_memory(ps);
        if (as_json < 0) return set_number(ps, v, number);
        v->kind = JSON_NUMBER;
        v->number = parsed->number;
    }
    return RZ_OK;
}

/* A plain scalar ends at the line's end, at " #", at ": ", and inside brackets at ,[]{}. */
static str scan_plain(parser *ps, bool flow) {
    const char *from = ps->p, *last = ps->p;
    while (!at_line_end(ps)) {
        const char c = *ps->p;
        if (c == ':' && (blank_at(ps, 1) || (flow && strchr(",[]{}", ps->p[1])))) break;
        if (c == '#' && ps->p > from && (ps->p[-1] == ' ' || ps->p[-1] == '\t')) break;
        if (flow && strchr(",[]{}", c)) break;
        ps->p++;
        if (c != ' ' && c != '\t') last = ps->p;
    }
    ps->p = last;
    return (str){from, (size_t)(last - from)};
}

/* Over a quoted scalar; false when it does not end on this line. */
static bool skip_quoted(parser *ps) {
    const char quote = *ps->p++;
    while (!at_line_end(ps)) {
        const bool pair = ps->end - ps->p > 1 &&
                          (quote == '"' ? *ps->p == '\\' : *ps->p == quote && ps->p[1] == quote);
        if (!pair && *ps->p++ == quote) return true;
        if (pair) ps->p += 2;
    }
    return false;
}

/* 'it''s': a doubled quote is one. */
static status single_quoted(parser *ps, str *out) {
    const char *open = ps->p;
    if (!skip_quoted(ps)) return FAIL_AT(ps, open, "no closing quote on this line");
    const str raw = {open + 1, (size_t)(ps->p - open) - 2};
    *out = raw;
    if (!memchr(raw.p, '\'', raw.len)) return RZ_OK;
    char *to = arena_alloc(ps->a, raw.len);
    if (!to) return no_memory(ps);
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        to[n++] = raw.p[i];
        if (raw.p[i] == '\'') i++;
    }
    *out = (str){to, n};
    return RZ_OK;
}

/* The escapes of JSON strings are those of YAML that anybody writes. */
static status double_quoted(parser *ps, str *out) {
    const char *open = ps->p;
    json *v = NULL;
    if (!skip_quoted(ps)) return FAIL_AT(ps, open, "no closing quote on this line");
    const status s = json_parse(&v, (str){open, (size_t)(ps->p - open)}, ps->a, ps->e);
    if (s == RZ_ENOMEM) return no_memory(ps);
    if (s < 0) return FAIL_AT(ps, open, "a string in double quotes with an escape JSON has not");
    *out = v->text;
    return RZ_OK;
}

static status refuse(const parser *ps, bool flow) {
    static const struct {
        char c;
        const char *what;
    } features[] = {{'&', "anchors (&)"},        {'*', "aliases (*)"},
                    {'!', "tags (!)"},           {'|', "block scalars (|)"},
                    {'>', "block scalars (>)"},  {'%', "directives (%)"},
                    {'@', "reserved signs (@)"}, {'`', "reserved signs (`)"}};
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (*ps->p == features[i].c) return FAIL_AT(ps, ps->p, "%s are not read", features[i].what);
    if (*ps->p == '?' && blank_at(ps, 1))
        return FAIL_AT(ps, ps->p, "complex keys (?) are not read");
    if (strchr(flow ? ",:" : ",]}", *ps->p) && (*ps->p != ':' || blank_at(ps, 1)))
        return FAIL_AT(ps, ps->p, "'%c' is no value", *ps->p);
    return RZ_OK;
}

/* A string or whatever a plain scalar means. */
static status parse_scalar(parser *ps, json *v, bool flow) {
    v->kind = JSON_STRING;
    if (*ps->p == '"') return double_quoted(ps, &v->text);
    if (*ps->p == '\'') return single_quoted(ps, &v->text);
    TRY(refuse(ps, flow));
    return resolve(ps, v, scan_plain(ps, flow));
}

/* ---- Collections ---- */

static json *append(parser *ps, json *v, json ***link) {
    if (v->n == UINT32_MAX) return NULL;
    json *item = arena_zero(ps->a, 1, sizeof *item);
    if (!item) return NULL;
    **link = item;
    *link = &item->next;
    v->n++;
    return item;
}

static status enter(parser *ps, json *v, json_kind kind) {
    v->kind = kind;
    if (ps->depth >= JSON_MAX_DEPTH)
        return FAIL_AT(ps, ps->p, "nested deeper than %d levels", JSON_MAX_DEPTH);
    ps->depth++;
    return RZ_OK;
}

/* The key at ps->p and the colon behind it. */
static status parse_key(parser *ps, bool flow, map *seen, str *key) {
    const char *at = ps->p;
    if (*ps->p == '"') TRY(double_quoted(ps, key));
    else if (*ps->p == '\'') TRY(single_quoted(ps, key));
    else {
        TRY(refuse(ps, flow));
        *key = scan_plain(ps, flow);
        if (key->len == 0) return FAIL_AT(ps, at, "expected a key");
    }
    skip_spaces(ps);
    if (at_end(ps) || *ps->p != ':') return FAIL_AT(ps, ps->p, "expected ':' after the key");
    ps->p++;
    const map_put_result r = map_put(seen, *key, 0);
    if (r == MAP_NOMEM) return no_memory(ps);
    if (r == MAP_EXISTS)
        return FAIL_AT(ps, at, "key \"%.*s\" is given twice", (int)(key->len < 80 ? key->len : 80),
                       key->p);
    return RZ_OK;
}

static bool next_is(const parser *ps, char c) { return !at_end(ps) && *ps->p == c; }

static status flow_members(parser *ps, json *v, char close, map *seen) {
    json **link = &v->child;
    ps->p++;
    for (;;) {
        next_token(ps);
        if (next_is(ps, close)) break;
        if (at_end(ps)) return FAIL_AT(ps, ps->p, "expected '%c'", close);
        str key = {NULL, 0};
        if (close == '}') TRY(parse_key(ps, true, seen, &key));
        json *item = append(ps, v, &link);
        if (!item) return no_memory(ps);
        item->key = key;
        next_token(ps);
        if (at_end(ps)) return FAIL_AT(ps, ps->p, "expected '%c'", close);
        if (close != '}' || (*ps->p != ',' && *ps->p != '}')) TRY(parse_flow(ps, item));
        next_token(ps);
        if (next_is(ps, close)) break;
        if (!next_is(ps, ',')) return FAIL_AT(ps, ps->p, "expected ',' or '%c'", close);
        ps->p++;
    }
    ps->p++;
    return RZ_OK;
}

/* [ ... ], { ... } or a scalar inside them. */
static status parse_flow(parser *ps, json *v) {
    const bool list = *ps->p == '[';
    if (!list && *ps->p != '{') return parse_scalar(ps, v, true);
    map seen = MAP_INIT;
    TRY(enter(ps, v, list ? JSON_ARRAY : JSON_OBJECT));
    const status s = flow_members(ps, v, list ? ']' : '}', &seen);
    ps->depth--;
    map_free(&seen);
    return s;
}

/* A value on the line of its key or dash, or below it, deeper than `parent`. */
static status parse_value(parser *ps, json *v, size_t parent, bool below_key) {
    skip_rest(ps);
    if (at_line_end(ps)) {
        TRY(end_line(ps));
        const bool dash = !at_end(ps) && *ps->p == '-' && blank_at(ps, 1);
        const bool deeper = !at_end(ps) && column(ps) > parent;
        /* The dashes of a list may stand under the first letter of its key. */
        if (deeper || (below_key && dash && column(ps) == parent))
            return parse_block(ps, v, column(ps));
        v->kind = JSON_NULL;
        return RZ_OK;
    }
    if (*ps->p == '[' || *ps->p == '{') TRY(parse_flow(ps, v));
    else TRY(parse_scalar(ps, v, false));
    return end_line(ps);
}

static status block_list(parser *ps, json *v, size_t col) {
    json **link = &v->child;
    while (!at_end(ps) && column(ps) == col && *ps->p == '-' && blank_at(ps, 1)) {
        json *item = append(ps, v, &link);
        if (!item) return no_memory(ps);
        ps->p++;
        skip_rest(ps);
        /* "- key: value" begins a mapping, "- - 1" a list, in the column behind the dash. */
        if (at_line_end(ps)) TRY(parse_value(ps, item, col, false));
        else TRY(parse_block(ps, item, column(ps)));
    }
    return RZ_OK;
}

static status block_map(parser *ps, json *v, size_t col, map *seen) {
    json **link = &v->child;
    while (!at_end(ps) && column(ps) == col && !at_marker(ps)) {
        str key = {NULL, 0};
        TRY(parse_key(ps, false, seen, &key));
        if (!blank_at(ps, 0)) return FAIL_AT(ps, ps->p, "expected a space after ':'");
        json *item = append(ps, v, &link);
        if (!item) return no_memory(ps);
        item->key = key;
        TRY(parse_value(ps, item, col, true));
    }
    return RZ_OK;
}

/* Does a key stand here, with its colon on the same line? */
static bool looks_like_key(const parser *ps) {
    parser look = *ps;
    if (*ps->p == '[' || *ps->p == '{') return false;
    if (*ps->p == '"' || *ps->p == '\'') {
        if (!skip_quoted(&look)) return false;
    } else {
        scan_plain(&look, false);
    }
    skip_spaces(&look);
    return !at_end(&look) && *look.p == ':' && blank_at(&look, 1);
}

/* The block whose first token is here, in this column. */
static status parse_block(parser *ps, json *v, size_t col) {
    status s;
    map seen = MAP_INIT;
    if (*ps->p == '-' && blank_at(ps, 1)) {
        TRY(enter(ps, v, JSON_ARRAY));
        s = block_list(ps, v, col);
        ps->depth--;
    } else if (looks_like_key(ps)) {
        TRY(enter(ps, v, JSON_OBJECT));
        s = block_map(ps, v, col, &seen);
        map_free(&seen);
        ps->depth--;
    } else {
        s = *ps->p == '[' || *ps->p == '{' ? parse_flow(ps, v) : parse_scalar(ps, v, false);
        if (s >= 0) s = end_line(ps);
    }
    if (s >= 0 && !at_end(ps) && column(ps) > col)
        return FAIL_AT(ps, ps->p, "indented deeper than the line it belongs to");
    return s;
}

static status parse_document(parser *ps, json *v) {
    next_token(ps);
    if (at_marker(ps)) {
        ps->p += 3;
        next_token(ps);
    }
    for (const char *c = ps->line; c < ps->p; c++)
        if (*c == '\t') return FAIL_AT(ps, c, "a tab in the indentation");
    if (at_end(ps)) return RZ_OK;
    TRY(parse_block(ps, v, column(ps)));
    if (at_marker(ps)) return FAIL_AT(ps, ps->p, "several documents in one file");
    if (!at_end(ps)) return FAIL_AT(ps, ps->p, "expected the end, found text less indented");
    return RZ_OK;
}

status yaml_parse(json **out, str text, arena *a, err *e) {
    const char *start = text.len ? text.p : "";
    parser ps = {start, start, start + text.len, start, a, e, 0};
    const size_t valid = utf8_valid(text);
    if (valid != text.len) return FAIL_AT(&ps, start + valid, "bytes that are not UTF-8");
    for (const char *c = ps.start; c < ps.end; c++)
        if ((unsigned char)*c < 0x20 && !memchr("\t\r\n", *c, 3))
            return FAIL_AT(&ps, c, "control character 0x%02x", (unsigned)(unsigned char)*c);
    json *v = arena_zero(a, 1, sizeof *v);
    if (!v) return no_memory(&ps);
    TRY(parse_document(&ps, v));
    *out = v;
    return RZ_OK;
}
