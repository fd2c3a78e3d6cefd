/* gram_gbnf.c - GBNF, llama.cpp's notation for grammars.
 *
 *   root  ::= "yes" | "no" reason?     # a comment
 *   reason ::= ", because " [a-z ]{1,40} [^\n"]* (. | "\u00e9")+
 *
 * A rule ends with its line, unless a group is open, or this line ends or the next one begins with
 * | (or this one ends in ::=). */
#include <stdio.h>

#include "grammar/gram_tree.h"
#include "unicode/utf8.h"

typedef struct reader {
    gram_tree *t;
    str s;
    size_t at;
    int depth;
    status failed;
    err *e;
} reader;

/* "grammar: line 3, column 7: what". The first failure counts. */
static bool fail(reader *r, size_t at, const char *what) {
    unsigned line = 1, column = 1;
    for (size_t i = 0; i < at && i < r->s.len; i++) {
        column++;
        if (r->s.p[i] == '\n') line++, column = 1;
    }
    if (r->failed == RZ_OK)
        r->failed =
            err_set(r->e, RZ_EFORMAT, "grammar: line %u, column %u: %s", line, column, what);
    return false;
}

static bool at_end(const reader *r) { return r->at >= r->s.len; }
static char peek(const reader *r) { return at_end(r) ? '\0' : r->s.p[r->at]; }

static bool take(reader *r, const char *word) {
    const str rest = {r->s.p + r->at, r->s.len - r->at}, w = str_of(word);
    if (!str_starts(rest, w)) return false;
    r->at += w.len;
    return true;
}

/* Spaces and comments, with `lines` also line ends. */
static void skip(reader *r, bool lines) {
    while (!at_end(r)) {
        const char c = peek(r);
        if (c == '#') {
            while (!at_end(r) && peek(r) != '\n') r->at++;
        } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
            r->at++;
        } else {
            return;
        }
    }
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static bool read_name(reader *r, str *out) {
    const size_t from = r->at;
    while (!at_end(r) && is_word(peek(r))) r->at++;
    *out = (str){r->s.p + from, r->at - from};
    return out->len > 0;
}

static bool read_hex(reader *r, int digits, uint32_t *out) {
    uint32_t v = 0;
    for (int i = 0; i < digits; i++, r->at++) {
        const int d = str_hex_digit(peek(r));
        if (d < 0) return fail(r, r->at, "expected a hexadecimal digit");
        v = v * 16 + (uint32_t)d;
    }
    *out = v;
    return v <= GRAM_MAX_CHAR && (v < 0xD800 || v > 0xDFFF) ? true
                                                            : fail(r, r->at, "no such character");
}

/* One character of a literal or a class. */
static bool read_char(reader *r, uint32_t *cp) {
    static const char name[] = "nrt\\\"[]-^'/", *const value = "\n\r\t\\\"[]-^'/";
    if (at_end(r)) return fail(r, r->at, "the grammar ends inside a literal or a class");
    if (peek(r) != '\\') {
        const size_t n = utf8_decode((str){r->s.p + r->at, r->s.len - r->at}, cp);
        if (*cp == UTF8_BAD) return fail(r, r->at, "bytes that are no UTF-8");
        r->at += n;
        return true;
    }
    r->at++;
    const char c = peek(r);
    const char *known = c ? strchr(name, c) : NULL;
    if (!known && c != 'x' && c != 'u' && c != 'U') return fail(r, r->at - 1, "unknown escape");
    r->at++;
    if (!known) return read_hex(r, c == 'x' ? 2 : c == 'u' ? 4 : 8, cp);
    *cp = (uint8_t)value[known - name];
    return true;
}

static gram_node *read_literal(reader *r) {
    const size_t from = r->at++;
    const char *quote = memchr(r->s.p + r->at, '"', r->s.len - r->at);
    /* Escapes are longer than what they stand for, so the rest of the text is room enough. */
    size_t room = quote ? 1 : 0;
    for (size_t i = r->at; quote && i < r->s.len && r->s.p[i] != '"'; i++, room++)
        if (r->s.p[i] == '\\') i++, room++;
    char *text = quote ? arena_alloc(&r->t->mem, room + 4) : NULL;
    size_t n = 0;
    if (!quote) fail(r, from, "the literal is not closed");
    else if (!text) r->t->failed = true;
    if (!text) return &r->t->none;
    while (peek(r) != '"' || at_end(r)) {
        uint32_t cp = 0;
        if (!read_char(r, &cp)) return &r->t->none;
        n += utf8_encode(cp, text + n);
    }
    r->at++;
    gram_node *node = gram_new(r->t, n ? GRAM_TEXT : GRAM_EMPTY);
    node->text = (str){text, n};
    return node;
}

static gram_node *read_class(reader *r) {
    const size_t from = r->at++;
    size_t n = 0, cap = 0;
    gram_range *list = NULL;
    const bool negated = take(r, "^");
    while (peek(r) != ']' || at_end(r)) {
        gram_range c = {0, 0};
        if (at_end(r)) {
            fail(r, from, "the class is not closed");
            return &r->t->none;
        }
        if (!read_char(r, &c.lo)) return &r->t->none;
        c.hi = c.lo;
        if (peek(r) == '-' && r->at + 1 < r->s.len && r->s.p[r->at + 1] != ']') {
            const size_t dash = r->at++;
            if (!read_char(r, &c.hi)) return &r->t->none;
            if (c.hi < c.lo) {
                fail(r, dash, "a range that ends before it begins");
                return &r->t->none;
            }
        }
        if (n == cap) {
            cap = cap ? cap * 2 : 16;
            gram_range *more = arena_alloc(&r->t->mem, cap * sizeof *more);
            if (!more) {
                r->t->failed = true;
                return &r->t->none;
            }
            if (n) memcpy(more, list, n * sizeof *more);
            list = more;
        }
        list[n++] = c;
    }
    r->at++;
    if (!negated && n == 0) fail(r, from, "an empty class matches nothing");
    return negated ? gram_set_not(r->t, list, (uint32_t)n) : gram_set(r->t, list, (uint32_t)n);
}

static bool read_count(reader *r, uint32_t *out) {
    const size_t from = r->at;
    uint32_t v = 0;
    while (peek(r) >= '0' && peek(r) <= '9') {
        v = v * 10 + (uint32_t)(peek(r) - '0');
        if (v > GRAM_MAX_REPEAT) return fail(r, from, "more than 100000 repetitions");
        r->at++;
    }
    *out = v;
    return r->at > from ? true : fail(r, from, "expected a number");
}

/* {m} {m,} {m,n}; r->at is behind the brace. */
static bool read_counts(reader *r, uint32_t *min, uint32_t *max) {
    const size_t from = r->at;
    skip(r, false);
    if (!read_count(r, min)) return false;
    *max = *min;
    skip(r, false);
    if (take(r, ",")) {
        skip(r, false);
        *max = GRAM_INFINITE;
        if (peek(r) != '}' && !read_count(r, max)) return false;
        skip(r, false);
    }
    if (!take(r, "}")) return fail(r, r->at, "expected }");
    return *max >= *min ? true : fail(r, from, "a repetition whose most is below its least");
}

static gram_node *read_repeats(reader *r, gram_node *n) {
    while (r->failed == RZ_OK) {
        uint32_t min = 0, max = GRAM_INFINITE;
        const size_t from = r->at;
        if (take(r, "*")) min = 0;
        else if (take(r, "+")) min = 1;
        else if (take(r, "?")) max = 1;
        else if (!take(r, "{") || !read_counts(r, &min, &max)) return n;
        if (++r->depth > GRAM_MAX_NEST) fail(r, from, "repetitions and groups nest too deeply");
        n = gram_repeat(r->t, n, min, max);
    }
    return n;
}

static gram_node *read_choice(reader *r, bool nested);

/* A literal, a class, a rule's name, a group or a dot; NULL: none of them begins here. */
static gram_node *read_item(reader *r) {
    const size_t from = r->at;
    const char c = peek(r);
    str name;
    if (at_end(r)) return NULL;
    if (c == '"') return read_literal(r);
    if (c == '[') return read_class(r);
    if (c == '.') {
        static const gram_range any = {0, GRAM_MAX_CHAR};
        r->at++;
        return gram_set(r->t, &any, 1);
    }
    if (c == '<' || c == '!') {
        fail(r, from, "tokens as symbols are not supported");
        return NULL;
    }
    if (c == '(') {
        r->at++;
        if (r->depth >= GRAM_MAX_NEST) {
            fail(r, from, "groups nest too deeply");
            return NULL;
        }
        gram_node *n = read_choice(r, true);
        if (r->failed == RZ_OK && !take(r, ")")) fail(r, from, "the group is not closed");
        return n;
    }
    if (!is_word(c) || !read_name(r, &name)) return NULL;
    return gram_call(r->t, gram_rule_named(r->t, name, from));
}

static gram_node *read_sequence(reader *r, bool nested) {
    gram_node *cat = gram_new(r->t, GRAM_CAT);
    while (r->failed == RZ_OK && !r->t->failed) {
        const int depth = r->depth;
        gram_node *n = read_item(r);
        if (!n) break;
        skip(r, nested);
        n = read_repeats(r, n);
        r->depth = depth;
        skip(r, nested);
        gram_add(cat, n);
    }
    return cat;
}

static gram_node *read_choice(reader *r, bool nested) {
    gram_node *alt = gram_new(r->t, GRAM_ALT);
    r->depth++;
    skip(r, true);
    do {
        skip(r, true);
        gram_add(alt, read_sequence(r, nested));
        const size_t end = r->at;
        skip(r, true);
        if (peek(r) != '|' || at_end(r)) r->at = end; /* the next line may be another rule */
    } while (r->failed == RZ_OK && take(r, "|"));
    r->depth--;
    return alt;
}

static void read_rule(reader *r) {
    const size_t from = r->at;
    str name;
    if (!read_name(r, &name)) {
        fail(r, from, "expected the name of a rule");
        return;
    }
    const uint32_t rule = gram_rule_named(r->t, name, from);
    skip(r, false);
    if (!take(r, "::=")) {
        fail(r, r->at, "expected ::=");
        return;
    }
    gram_node *body = read_choice(r, false);
    if (r->failed != RZ_OK || r->t->failed) return;
    if (!at_end(r) && peek(r) != '\n' && peek(r) != '\r') {
        fail(r, r->at, "expected a literal, a class, a rule, a group, | or the end of the line");
        return;
    }
    if (r->t->rule[rule].body) fail(r, from, "this rule is defined already");
    r->t->rule[rule].body = body;
}

status gram_read_gbnf(gram_tree *t, str text, err *e) {
    if (text.len > GRAM_MAX_TEXT)
        return err_set(e, RZ_EFULL, "grammar: %zu bytes, at most %d are read", text.len,
                       GRAM_MAX_TEXT);
    reader r = {.t = t, .s = text, .e = e};
    for (skip(&r, true); !at_end(&r) && r.failed == RZ_OK && !t->failed; skip(&r, true))
        read_rule(&r);
    TRY(r.failed);
    TRY(gram_tree_check(t, e));
    for (uint32_t i = 0; i < t->n_rule; i++) {
        if (t->rule[i].body) continue;
        char what[96];
        const str name = t->rule[i].name;
        (void)snprintf(what, sizeof what, "rule %.*s is not defined",
                       (int)(name.len < 60 ? name.len : 60), name.p);
        fail(&r, t->rule[i].used_at, what);
        return r.failed;
    }
    const uint64_t *root = map_get(&t->names, STR_LIT("root"));
    if (!root) return err_set(e, RZ_EFORMAT, "grammar: there is no rule \"root\"");
    t->root = (uint32_t)*root;
    return RZ_OK;
}
