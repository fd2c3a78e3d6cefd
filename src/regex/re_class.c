/* re_class.c - escapes and bracketed classes of a pattern.
 *
 * Operators of one class bind equally and from the left: [a&&b--c] is (a and b) without c, each
 * operand being everything between two operators. */
#include <string.h>

#include "regex/re_int.h"
#include "unicode/utf8.h"

static bool here(const re_parser *p, const char *text) {
    return str_starts((str){p->pat.p + p->at, p->pat.len - p->at}, str_of(text));
}

/* ---- named sets ---- */

bool re_named_set(re_parser *p, ucd_set name, bool ascii, re_set *out) {
    static const re_range low = {0, 0x7F};
    const re_set ascii_set = {(re_range *)&low, 1, 1, 0};
    size_t i = 0;
    const size_t n_seen = sizeof p->seen / sizeof *p->seen;
    for (; i < n_seen && p->seen[i].used; i++)
        if (p->seen[i].name.kind == name.kind && p->seen[i].name.what == name.what &&
            p->seen[i].ascii == ascii)
            return re_set_add_all(&p->t->mem, out, &p->seen[i].set) || re_nomem(p);
    re_set s = {NULL, 0, 0, 0};
    if (!re_set_add_ucd(&p->t->mem, &s, name) || (ascii && !re_set_and(&p->t->mem, &s, &ascii_set)))
        return re_nomem(p);
    if (i < n_seen) {
        p->seen[i].name = name;
        p->seen[i].ascii = ascii;
        p->seen[i].used = true;
        p->seen[i].set = s;
    }
    return re_set_add_all(&p->t->mem, out, &s) || re_nomem(p);
}

static bool add_horizontal(re_parser *p, re_set *s) {
    static const re_range h[] = {{9, 9},           {0x20, 0x20},     {0xA0, 0xA0},
                                 {0x1680, 0x1680}, {0x180E, 0x180E}, {0x2000, 0x200A},
                                 {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
    for (size_t i = 0; i < sizeof h / sizeof *h; i++)
        if (!re_set_add(&p->t->mem, s, h[i].lo, h[i].hi)) return re_nomem(p);
    return true;
}

/* The set of \d \w \s \h, or its complement for a capital, added to *out. */
bool re_perl_set(re_parser *p, char letter, re_set *out) {
    const bool ascii = (p->flags & RE_ASCII) != 0, neg = letter < 'a';
    re_set s = {NULL, 0, 0, 0};
    bool ok = true;
    switch (neg ? letter + 32 : letter) {
        case 'd':
            ok = re_named_set(p, (ucd_set){UCD_SET_CATEGORIES, 1u << UCD_Nd}, ascii, &s);
            break;
        case 'w':
            ok = re_named_set(p, (ucd_set){UCD_SET_WORD, 0}, ascii, &s);
            break;
        case 's':
            ok = re_named_set(p, (ucd_set){UCD_SET_PROPERTY, UCD_P_White_Space}, ascii, &s);
            break;
        default:
            ok = add_horizontal(p, &s);
            break;
    }
    if (!ok) return false;
    if (neg && !re_set_negate(&p->t->mem, &s)) return re_nomem(p);
    return re_set_add_all(&p->t->mem, out, &s) || re_nomem(p);
}

/* \p or \P: p->at is behind the letter. */
static bool parse_property(re_parser *p, bool neg, re_set *out) {
    const size_t at = p->at - 2;
    str name = {p->pat.p + p->at, 1};
    if (p->at == p->pat.len) return re_fail(p, at, "\\p takes a letter or a {name}");
    if (*name.p == '{') {
        const char *end = memchr(name.p, '}', p->pat.len - p->at);
        if (!end) return re_fail(p, at, "\\p{ is not closed");
        name = (str){name.p + 1, (size_t)(end - name.p) - 1};
        p->at = (size_t)(end - p->pat.p) + 1;
        if (name.len && name.p[0] == '^') {
            neg = !neg;
            name = (str){name.p + 1, name.len - 1};
        }
    } else {
        p->at++;
    }
    ucd_set named;
    if (!ucd_set_find(name, &named)) return re_fail(p, at, "no such Unicode property");
    re_set s = {NULL, 0, 0, 0};
    if (!re_named_set(p, named, false, &s)) return false;
    if ((p->flags & RE_ICASE) && !re_set_fold(&p->t->mem, &s)) return re_nomem(p);
    if (neg && !re_set_negate(&p->t->mem, &s)) return re_nomem(p);
    return re_set_add_all(&p->t->mem, out, &s) || re_nomem(p);
}

/* ---- escapes ---- */

/* {H...} or exactly `digits` (`least` of them at least) hexadecimal digits. */
static bool parse_hex(re_parser *p, size_t at, int least, int most, uint32_t *cp) {
    const bool brace = here(p, "{");
    uint32_t v = 0;
    int n = 0;
    p->at += brace;
    if (brace) least = 1, most = 8;
    for (; n < most && p->at < p->pat.len && str_hex_digit(p->pat.p[p->at]) >= 0; n++, p->at++)
        v = v * 16 + (uint32_t)str_hex_digit(p->pat.p[p->at]);
    if (n < least || (brace && !here(p, "}")))
        return re_fail(p, at, "hexadecimal digits are missing");
    p->at += brace;
    if (v > UCD_MAX || (v >= 0xD800 && v <= 0xDFFF)) return re_fail(p, at, "not a code point");
    *cp = v;
    return true;
}

static bool parse_octal(re_parser *p, uint32_t *cp) {
    uint32_t v = 0;
    for (int n = 0; n < 2 && p->at < p->pat.len; n++, p->at++) {
        const char c = p->pat.p[p->at];
        if (c < '0' || c > '7') break;
        v = v * 8 + (uint32_t)(c - '0');
    }
    *cp = v;
    return true;
}

bool re_parse_escape(re_parser *p, bool in_class, re_set *set, bool *is_set, uint32_t *cp) {
    static const char from[] = "nrtfvae", to[] = "\n\r\t\f\v\a\x1b";
    const size_t at = p->at - 1;
    *is_set = false;
    if (p->at == p->pat.len) return re_fail(p, at, "the pattern ends in a backslash");
    const char c = p->pat.p[p->at];
    if ((unsigned char)c >= 0x80) return re_parse_char(p, cp);
    p->at++;
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        *cp = (uint32_t)to[simple - from];
        return true;
    }
    switch (c) {
        case 'd':
        case 'D':
        case 'w':
        case 'W':
        case 's':
        case 'S':
        case 'h':
        case 'H':
            *is_set = true;
            return re_perl_set(p, c, set);
        case 'p':
        case 'P':
            *is_set = true;
            return parse_property(p, c == 'P', set);
        case 'x':
            return parse_hex(p, at, 1, 2, cp);
        case 'u':
            return parse_hex(p, at, 4, 4, cp);
        case '0':
            return parse_octal(p, cp);
        case 'b':
            *cp = '\b';
            return in_class || re_fail(p, at, "unknown escape");
        case 'c':
            if (p->at == p->pat.len || p->pat.p[p->at] < '?' || p->pat.p[p->at] > 'z')
                return re_fail(p, at, "\\c takes a letter");
            *cp = (uint32_t)(p->pat.p[p->at] >= 'a' ? p->pat.p[p->at] - 32 : p->pat.p[p->at]) ^ 64;
            p->at++;
            return true;
        default:
            break;
    }
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return re_fail(p, at, "unknown escape");
    *cp = (uint32_t)c;
    return true;
}

/* ---- [:posix:] ---- */

static bool parse_posix(re_parser *p, re_set *out) {
    static const struct {
        const char *name;
        re_range r[4];
    } rows[] = {{"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {0, 0}}},
                {"alpha", {{'A', 'Z'}, {'a', 'z'}, {0, 0}, {0, 0}}},
                {"ascii", {{0, 127}, {0, 0}, {0, 0}, {0, 0}}},
                {"blank", {{'\t', '\t'}, {' ', ' '}, {0, 0}, {0, 0}}},
                {"cntrl", {{0, 31}, {127, 127}, {0, 0}, {0, 0}}},
                {"digit", {{'0', '9'}, {0, 0}, {0, 0}, {0, 0}}},
                {"graph", {{'!', '~'}, {0, 0}, {0, 0}, {0, 0}}},
                {"lower", {{'a', 'z'}, {0, 0}, {0, 0}, {0, 0}}},
                {"print", {{' ', '~'}, {0, 0}, {0, 0}, {0, 0}}},
                {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
                {"space", {{'\t', '\r'}, {' ', ' '}, {0, 0}, {0, 0}}},
                {"upper", {{'A', 'Z'}, {0, 0}, {0, 0}, {0, 0}}},
                {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
                {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}, {0, 0}}}};
    const size_t at = p->at;
    const char *name = p->pat.p + at + 2;
    const bool neg = here(p, "[:^");
    name += neg;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const size_t len = strlen(rows[i].name), need = 2 + (size_t)neg + len + 2;
        if (p->pat.len - at < need || memcmp(name, rows[i].name, len) != 0 ||
            memcmp(name + len, ":]", 2) != 0)
            continue;
        re_set s = {NULL, 0, 0, 0};
        for (size_t k = 0; k < 4 && (k == 0 || rows[i].r[k].hi); k++)
            if (!re_set_add(&p->t->mem, &s, rows[i].r[k].lo, rows[i].r[k].hi)) return re_nomem(p);
        if (neg && !re_set_negate(&p->t->mem, &s)) return re_nomem(p);
        p->at += need;
        return re_set_add_all(&p->t->mem, out, &s) || re_nomem(p);
    }
    return re_fail(p, at, "no such [:class:]");
}

/* ---- [...] ---- */

typedef enum set_op { OP_NONE, OP_AND, OP_SUB, OP_XOR } set_op;

static set_op take_op(re_parser *p) {
    const set_op op = here(p, "&&")   ? OP_AND
                      : here(p, "--") ? OP_SUB
                      : here(p, "~~") ? OP_XOR
                                      : OP_NONE;
    if (op != OP_NONE) p->at += 2;
    return op;
}

static bool apply(re_parser *p, set_op op, re_set *left, re_set *right) {
    arena *a = &p->t->mem;
    re_set_sort(left);
    re_set_sort(right);
    bool ok = true;
    if (op == OP_NONE) {
        *left = *right;
    } else if (op == OP_AND) {
        ok = re_set_and(a, left, right);
    } else if (op == OP_SUB) {
        ok = re_set_sub(a, left, right);
    } else {
        re_set both = {NULL, 0, 0, 0}, all = {NULL, 0, 0, 0};
        ok = re_set_add_all(a, &both, left) && re_set_and(a, &both, right) &&
             re_set_add_all(a, &all, left) && re_set_add_all(a, &all, right);
        re_set_sort(&all);
        ok = ok && re_set_sub(a, &all, &both);
        *left = all;
    }
    return ok || re_nomem(p);
}

/* One character or set inside a class. */
static bool class_item(re_parser *p, re_set *s, bool *is_set, uint32_t *cp) {
    *is_set = false;
    if (here(p, "[:")) {
        *is_set = true;
        return parse_posix(p, s);
    }
    if (here(p, "[")) {
        re_set inner = {NULL, 0, 0, 0};
        *is_set = true;
        p->at++;
        return re_parse_class(p, &inner) && (re_set_add_all(&p->t->mem, s, &inner) || re_nomem(p));
    }
    if (here(p, "\\")) {
        p->at++;
        return re_parse_escape(p, true, s, is_set, cp);
    }
    return re_parse_char(p, cp);
}

/* An item and, where a '-' makes it one, the range it begins. */
static bool class_range(re_parser *p, re_set *s) {
    const size_t at = p->at;
    bool is_set;
    uint32_t lo, hi;
    if (!class_item(p, s, &is_set, &lo)) return false;
    if (is_set) return true;
    hi = lo;
    if (here(p, "-") && !here(p, "-]") && !here(p, "--")) {
        const size_t dash = p->at++;
        re_set after = {NULL, 0, 0, 0};
        if (here(p, "[") && !here(p, "[:")) {
            p->at = dash; /* [a-[b]]: the dash stands for itself */
            return re_set_add(&p->t->mem, s, lo, lo) || re_nomem(p);
        }
        if (!class_item(p, &after, &is_set, &hi)) return false;
        if (is_set) return re_fail(p, dash, "a range ends in a character, not in a set");
        if (hi < lo) return re_fail(p, at, "this range runs backwards");
    }
    return re_set_add(&p->t->mem, s, lo, hi) || re_nomem(p);
}

bool re_parse_class(re_parser *p, re_set *out) {
    const size_t open = p->at - 1;
    const bool neg = here(p, "^");
    re_set left = {NULL, 0, 0, 0}, right = {NULL, 0, 0, 0};
    set_op op = OP_NONE;
    if (++p->depth > RE_MAX_NEST) return re_fail(p, open, "classes are nested too deeply");
    p->at += neg;
    for (bool first = true;; first = false) {
        if (p->at == p->pat.len) return re_fail(p, open, "this class is not closed");
        if (!first && here(p, "]")) break;
        const set_op next = first ? OP_NONE : take_op(p);
        if (next != OP_NONE) {
            if (!apply(p, op, &left, &right)) return false;
            right = (re_set){NULL, 0, 0, 0};
            op = next;
        } else if (!class_range(p, &right)) {
            return false;
        }
    }
    p->at++;
    p->depth--;
    if (!apply(p, op, &left, &right)) return false;
    if ((p->flags & RE_ICASE) && !re_set_fold(&p->t->mem, &left)) return re_nomem(p);
    if (neg && !re_set_negate(&p->t->mem, &left)) return re_nomem(p);
    *out = left;
    return true;
}
