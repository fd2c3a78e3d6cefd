/* jinja_lex.c - a template's source to tokens, with Jinja's rules for white space: the first line
 * break behind a tag goes (trim_blocks), spaces before a tag that begins its line go
 * (lstrip_blocks), `-` inside a delimiter takes all white space, `+` keeps it, and one line break
 * at the very end of the source goes. */
#include <string.h>

#include "tokenizer/jinja_node.h"
#include "unicode/utf8.h"

enum { MAX_BRACKETS = 128 };

typedef struct lexer {
    str source; /* line breaks are \n */
    size_t at;
    uint32_t line;
    arena *mem;
    token *list;
    size_t n, cap;
    bool line_begins; /* what was read last ended with a line break */
    err *e;
} lexer;

static status bad(const lexer *x, const char *what) {
    return err_set(x->e, RZ_EFORMAT, "template line %u: %s", x->line, what);
}

static status nomem(const lexer *x) { return err_set(x->e, RZ_ENOMEM, "template: out of memory"); }

static status push(lexer *x, token_kind kind, str text) {
    if (x->n == x->cap) {
        const size_t cap = x->cap ? x->cap * 2 : 256;
        token *list = arena_zero(x->mem, cap, sizeof *list);
        if (!list) return nomem(x);
        if (x->n) memcpy(list, x->list, x->n * sizeof *list);
        x->list = list;
        x->cap = cap;
    }
    x->list[x->n++] = (token){kind, x->line, text};
    return RZ_OK;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

/* The character `ahead` of the current one, 0 past the end. */
static char peek(const lexer *x, size_t ahead) {
    return x->at + ahead < x->source.len ? x->source.p[x->at + ahead] : 0;
}

static void skip(lexer *x, size_t n) {
    for (; n && x->at < x->source.len; n--)
        if (x->source.p[x->at++] == '\n') x->line++;
}

static bool ahead_is(const lexer *x, const char *what) {
    return str_starts((str){x->source.p + x->at, x->source.len - x->at}, str_of(what));
}

/* ---- text between tags ---- */

/* The text before the delimiter that is at `end`, whose third character is `sign`. */
static status text_before(lexer *x, size_t end, bool tag, char sign) {
    str t = {x->source.p + x->at, end - x->at};
    if (sign == '-') {
        while (t.len && is_space(t.p[t.len - 1])) t.len--;
    } else if (tag && sign != '+') {
        size_t line = t.len;
        while (line && t.p[line - 1] != '\n') line--;
        size_t i = line;
        while (i < t.len && is_space(t.p[i])) i++;
        if (i == t.len && (line > 0 || x->line_begins)) t.len = line;
    }
    if (t.len) {
        const status got = push(x, TOKEN_TEXT, t);
        if (got < 0) return got;
    }
    skip(x, end - x->at);
    return RZ_OK;
}

/* Behind a closing delimiter that had `sign` in front of it. */
static void after_close(lexer *x, bool tag, char sign) {
    const size_t from = x->at;
    if (sign == '-') {
        while (x->at < x->source.len && is_space(x->source.p[x->at])) skip(x, 1);
    } else if (tag && sign != '+' && peek(x, 0) == '\n') {
        skip(x, 1);
    }
    x->line_begins = x->at > from && x->source.p[x->at - 1] == '\n';
}

/* {# ... #} */
static status comment(lexer *x) {
    const str rest = {x->source.p + x->at + 2, x->source.len - x->at - 2};
    const ptrdiff_t end = str_find(rest, STR_LIT("#}"));
    if (end < 0) return bad(x, "the comment has no end");
    const char sign = end > 0 ? rest.p[end - 1] : 0;
    skip(x, (size_t)end + 4);
    after_close(x, true, sign);
    return RZ_OK;
}

/* {% name %} with any signs and spaces at the current place? Then its length, and the sign before
 * its end. */
static size_t plain_tag(const lexer *x, const char *name, char *open, char *close) {
    size_t i = 2;
    *open = *close = 0;
    if (peek(x, i) == '-' || peek(x, i) == '+') *open = peek(x, i++);
    while (is_space(peek(x, i))) i++;
    const size_t len = strlen(name);
    for (size_t k = 0; k < len; k++)
        if (peek(x, i + k) != name[k]) return 0;
    i += len;
    while (is_space(peek(x, i))) i++;
    if (peek(x, i) == '-' || peek(x, i) == '+') *close = peek(x, i++);
    return peek(x, i) == '%' && peek(x, i + 1) == '}' ? i + 2 : 0;
}

/* {% raw %} ... {% endraw %}, at its opening tag of `len` characters. */
static status raw_text(lexer *x, size_t len, char sign) {
    skip(x, len);
    after_close(x, true, sign);
    lexer end = *x;
    for (; end.at < end.source.len; skip(&end, 1)) {
        char open, close;
        const size_t n = ahead_is(&end, "{%") ? plain_tag(&end, "endraw", &open, &close) : 0;
        if (!n) continue;
        TRY(text_before(x, end.at, true, open));
        skip(x, n);
        after_close(x, true, close);
        return RZ_OK;
    }
    return bad(x, "raw without endraw");
}

/* ---- inside tags ---- */

/* One escape at p[0] == '\\' of a string that ends at `end`, as Python reads it, to out; returns
 * how many characters it took. */
static size_t escape(const char *p, const char *end, char *out, size_t *n) {
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    if (end - p < 2) {
        out[(*n)++] = *p;
        return 1;
    }
    const char *known = memchr(from, p[1], sizeof from - 1);
    if (known) {
        out[(*n)++] = to[known - from];
        return 2;
    }
    if (p[1] == '\n') return 2;
    size_t digits = p[1] == 'x' ? 2 : p[1] == 'u' ? 4 : p[1] == 'U' ? 8 : 0;
    uint32_t cp = 0;
    if (digits) {
        for (size_t i = 0; i < digits; i++) {
            const int d = p + 2 + i < end ? str_hex_digit(p[2 + i]) : -1;
            if (d < 0) digits = 0;
            else cp = cp * 16 + (uint32_t)d;
        }
        const size_t len = digits ? utf8_encode(cp, out + *n) : 0;
        *n += len;
        if (len) return 2 + digits;
    } else if (p[1] >= '0' && p[1] <= '7') {
        size_t i = 1;
        for (; i < 4 && p + i < end && p[i] >= '0' && p[i] <= '7'; i++)
            cp = cp * 8 + (uint32_t)(p[i] - '0');
        *n += utf8_encode(cp, out + *n);
        return i;
    }
    out[(*n)++] = p[0];
    out[(*n)++] = p[1];
    return 2;
}

static status string_token(lexer *x) {
    const char quote = peek(x, 0);
    const char *begin = x->source.p + x->at + 1, *limit = x->source.p + x->source.len;
    const char *end = begin;
    while (end < limit && *end != quote) end += *end == '\\' && end + 1 < limit ? 2 : 1;
    if (end >= limit) return bad(x, "the string has no end");
    char *text = arena_alloc(x->mem, (size_t)(end - begin) + 1);
    if (!text) return nomem(x);
    size_t n = 0;
    for (const char *p = begin; p < end;) {
        if (*p == '\\') p += escape(p, end, text, &n);
        else text[n++] = *p++;
    }
    const status got = push(x, TOKEN_STRING, (str){text, n});
    skip(x, (size_t)(end - begin) + 2);
    return got;
}

static status number_token(lexer *x) {
    size_t i = 0;
    bool real = false;
    while (is_digit(peek(x, i)) || (peek(x, i) == '_' && is_digit(peek(x, i + 1)))) i++;
    if (peek(x, i) == '.' && is_digit(peek(x, i + 1))) {
        real = true;
        for (i++; is_digit(peek(x, i));) i++;
    }
    if (peek(x, i) == 'e' || peek(x, i) == 'E') {
        const size_t sign = peek(x, i + 1) == '-' || peek(x, i + 1) == '+';
        if (is_digit(peek(x, i + 1 + sign))) {
            real = true;
            for (i += 1 + sign; is_digit(peek(x, i));) i++;
        }
    }
    char *text = arena_alloc(x->mem, i + 1);
    if (!text) return nomem(x);
    size_t n = 0;
    for (size_t k = 0; k < i; k++)
        if (peek(x, k) != '_') text[n++] = peek(x, k);
    skip(x, i);
    return push(x, real ? TOKEN_FLOAT : TOKEN_INT, (str){text, n});
}

static status name_or_op(lexer *x) {
    static const char *const two[] = {"==", "!=", "<=", ">=", "**", "//"};
    const char *at = x->source.p + x->at;
    if (is_name_start(*at)) {
        size_t i = 1;
        while (is_name_start(peek(x, i)) || is_digit(peek(x, i))) i++;
        x->at += i;
        return push(x, TOKEN_NAME, (str){at, i});
    }
    size_t len = 1;
    for (size_t i = 0; i < sizeof two / sizeof *two; i++)
        if (ahead_is(x, two[i])) len = 2;
    if (!memchr("()[]{}<>=+-*/%~|,.:;!", *at, 21) || (*at == '!' && len == 1))
        return bad(x, "unexpected character");
    x->at += len;
    return push(x, TOKEN_OP, (str){at, len});
}

/* From behind an opening delimiter through the closing one. */
static status tag(lexer *x, bool print) {
    const char *close = print ? "}}" : "%}";
    char bracket[MAX_BRACKETS];
    size_t depth = 0;
    for (;;) {
        while (is_space(peek(x, 0))) skip(x, 1);
        if (x->at >= x->source.len) return bad(x, print ? "{{ without }}" : "{% without %}");
        const char c = peek(x, 0);
        const size_t sign = c == '-' || c == '+';
        if (depth == 0 && peek(x, sign) == close[0] && peek(x, sign + 1) == close[1]) {
            skip(x, sign + 2);
            TRY(push(x, print ? TOKEN_PRINT_CLOSE : TOKEN_TAG_CLOSE, (str){close, 2}));
            after_close(x, !print, sign ? c : 0);
            return RZ_OK;
        }
        if (c == '(' || c == '[' || c == '{') {
            if (depth == MAX_BRACKETS) return bad(x, "brackets are nested too deeply");
            bracket[depth++] = (char)(c == '(' ? ')' : c == '[' ? ']' : '}');
        } else if (c == ')' || c == ']' || c == '}') {
            if (depth == 0 || bracket[--depth] != c) return bad(x, "brackets do not match");
        }
        if (c == '"' || c == '\'') TRY(string_token(x));
        else if (is_digit(c)) TRY(number_token(x));
        else TRY(name_or_op(x));
    }
}

/* Everything from the current place to behind the next tag, or to the end. */
static status piece(lexer *x) {
    size_t end = x->at;
    const char *p = x->source.p;
    while (end < x->source.len) {
        const char *brace = memchr(p + end, '{', x->source.len - end);
        if (!brace) {
            end = x->source.len;
            break;
        }
        end = (size_t)(brace - p);
        const char kind = end + 1 < x->source.len ? brace[1] : 0;
        if (kind == '{' || kind == '%' || kind == '#') break;
        end++;
    }
    if (end == x->source.len) return text_before(x, end, false, 0);
    const char kind = p[end + 1], sign = end + 2 < x->source.len ? p[end + 2] : 0;
    TRY(text_before(x, end, kind != '{', sign));
    if (kind == '#') return comment(x);
    if (kind == '%') {
        char open, close;
        const size_t raw = plain_tag(x, "raw", &open, &close);
        if (raw) return raw_text(x, raw, close);
    }
    TRY(push(x, kind == '{' ? TOKEN_PRINT_OPEN : TOKEN_TAG_OPEN, (str){p + end, 2}));
    skip(x, sign == '-' || sign == '+' ? 3 : 2);
    return tag(x, kind == '{');
}

/* A copy whose line breaks are all \n, without the last one. */
static bool copy_source(lexer *x, str source) {
    char *text = arena_alloc(x->mem, source.len + 1);
    if (!text) return false;
    size_t n = 0;
    for (size_t i = 0; i < source.len; i++) {
        if (source.p[i] != '\r') text[n++] = source.p[i];
        else if (i + 1 == source.len || source.p[i + 1] != '\n') text[n++] = '\n';
    }
    if (n && text[n - 1] == '\n') n--;
    x->source = (str){text, n};
    return true;
}

status jinja_lex(token **out, str source, arena *mem, err *e) {
    lexer x = {.line = 1, .mem = mem, .line_begins = true, .e = e};
    if (!copy_source(&x, source)) return nomem(&x);
    while (x.at < x.source.len) TRY(piece(&x));
    TRY(push(&x, TOKEN_END, STR_LIT("the end of the template")));
    *out = x.list;
    return RZ_OK;
}
