/* re_parse.c - the text of a pattern to a tree.
 *
 * Recursive descent; depth is bounded by RE_MAX_NEST because only groups recurse. Classes and
 * escapes are in re_class.c. Nodes live in the tree's arena. */
#include <string.h>

#include "regex/re_int.h"
#include "unicode/utf8.h"

bool re_fail(re_parser *p, size_t at, const char *what) {
    if (p->failed == RZ_OK)
        p->failed = err_set(p->e, RZ_EFORMAT, "regex: offset %zu: %s", at, what);
    return false;
}

bool re_nomem(re_parser *p) {
    if (p->failed == RZ_OK) p->failed = err_set(p->e, RZ_ENOMEM, "regex: out of memory");
    return false;
}

re_node *re_node_new(re_tree *t, re_kind kind) {
    re_node *n = arena_zero(&t->mem, 1, sizeof *n);
    if (n) n->kind = (uint8_t)kind;
    return n;
}

static re_node *node(re_parser *p, re_kind kind) {
    re_node *n = re_node_new(p->t, kind);
    if (!n) re_nomem(p);
    return n;
}

bool re_parse_char(re_parser *p, uint32_t *cp) {
    const str rest = {p->pat.p + p->at, p->pat.len - p->at};
    const size_t len = utf8_decode(rest, cp);
    if (*cp == UTF8_BAD) return re_fail(p, p->at, "the pattern is not valid UTF-8");
    p->at += len;
    return true;
}

/* ---- sets as nodes ---- */

static uint64_t set_hash(const re_set *s) {
    uint64_t h = s->flags + 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < s->n; i++)
        h = (h ^ s->r[i].lo ^ (uint64_t)s->r[i].hi << 32) * 0xff51afd7ed558ccdu, h ^= h >> 29;
    return h;
}

static bool slots_grow(re_tree *t) {
    const uint32_t n = t->n_slot ? t->n_slot * 2 : 64;
    uint32_t *slot = arena_zero(&t->mem, n, sizeof *slot);
    re_set *set = arena_alloc(&t->mem, n / 2 * sizeof *set);
    if (!slot || !set) return false;
    for (uint32_t i = 0; i < t->n_set; i++) {
        uint32_t at = (uint32_t)set_hash(&t->set[i]) & (n - 1);
        while (slot[at]) at = (at + 1) & (n - 1);
        slot[at] = i + 1;
        set[i] = t->set[i];
    }
    t->set = set;
    t->set_slot = slot;
    t->n_slot = n;
    return true;
}

uint32_t re_intern(re_tree *t, const re_set *s) {
    if (t->n_set * 2 >= t->n_slot && !slots_grow(t)) return RE_INFINITE;
    uint32_t at = (uint32_t)set_hash(s) & (t->n_slot - 1);
    for (; t->set_slot[at]; at = (at + 1) & (t->n_slot - 1)) {
        const re_set *o = &t->set[t->set_slot[at] - 1];
        if (o->n == s->n && o->flags == s->flags &&
            (s->n == 0 || memcmp(o->r, s->r, s->n * sizeof *s->r) == 0))
            return t->set_slot[at] - 1;
    }
    if (t->n_set == RE_MAX_SET) return RE_INFINITE;
    t->set[t->n_set] = *s;
    t->set_slot[at] = ++t->n_set;
    return t->n_set - 1;
}

static bool intern(re_parser *p, const re_set *s, uint32_t *out) {
    *out = re_intern(p->t, s);
    if (*out != RE_INFINITE) return true;
    if (p->t->n_set < RE_MAX_SET) return re_nomem(p);
    if (p->failed == RZ_OK)
        p->failed = err_set(p->e, RZ_EFULL, "regex: more than %d different sets", RE_MAX_SET);
    return false;
}

/* A node for a set; (?i) widens it first. */
static re_node *set_node(re_parser *p, re_set *s) {
    re_set_sort(s);
    re_node *n = node(p, RE_N_SET);
    return n && intern(p, s, &n->a) ? n : NULL;
}

static re_node *char_node(re_parser *p, uint32_t cp) {
    re_set s = {NULL, 0, 0, 0};
    if (!re_set_add(&p->t->mem, &s, cp, cp) ||
        ((p->flags & RE_ICASE) && !re_set_fold(&p->t->mem, &s))) {
        re_nomem(p);
        return NULL;
    }
    return set_node(p, &s);
}

static re_node *assert_node(re_parser *p, re_assert_how how, bool neg, re_set *s) {
    re_node *n = node(p, RE_N_ASSERT);
    if (!n) return NULL;
    re_set_sort(s);
    n->how = (uint8_t)how;
    n->neg = neg;
    return intern(p, s, &n->a) ? n : NULL;
}

/* Not behind (or ahead of) any symbol but those in `except`: \A \z \Z and (?m)^ $. */
static re_node *edge_node(re_parser *p, re_assert_how how, bool line, uint32_t flags) {
    re_set s = {NULL, 0, 0, RE_SET_BAD | flags};
    bool ok = true;
    if (line) {
        ok = re_set_add(&p->t->mem, &s, 0, '\n' - 1) &&
             re_set_add(&p->t->mem, &s, '\n' + 1, UCD_MAX);
    } else {
        ok = re_set_add(&p->t->mem, &s, 0, UCD_MAX);
    }
    if (!ok) {
        re_nomem(p);
        return NULL;
    }
    return assert_node(p, how, true, &s);
}

static re_node *word_node(re_parser *p, bool neg) {
    re_set s = {NULL, 0, 0, 0};
    return re_perl_set(p, 'w', &s) ? assert_node(p, RE_WORD, neg, &s) : NULL;
}

static re_node *any_node(re_parser *p, bool newline) {
    re_set s = {NULL, 0, 0, 0};
    if (!(newline ? re_set_add(&p->t->mem, &s, 0, UCD_MAX)
                  : re_set_add(&p->t->mem, &s, 0, '\n' - 1) &&
                        re_set_add(&p->t->mem, &s, '\n' + 1, UCD_MAX))) {
        re_nomem(p);
        return NULL;
    }
    return set_node(p, &s);
}

/* ---- groups ---- */

static re_node *parse_alt(re_parser *p);

static bool peek(const re_parser *p, const char *text) {
    const str rest = {p->pat.p + p->at, p->pat.len - p->at};
    return str_starts(rest, str_of(text));
}

static bool take(re_parser *p, const char *text) {
    if (!peek(p, text)) return false;
    p->at += strlen(text);
    return true;
}

static bool name_char(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* A name up to `close`, which is passed. */
static bool parse_name(re_parser *p, char close, str *out) {
    const size_t from = p->at;
    while (p->at < p->pat.len && name_char(p->pat.p[p->at])) p->at++;
    *out = (str){p->pat.p + from, p->at - from};
    if (p->at == p->pat.len || p->pat.p[p->at] != close)
        return re_fail(p, from, "a group name is letters, digits and _, closed by > ' } or )");
    p->at++;
    return true;
}

static bool new_group(re_parser *p, size_t at, str name, uint32_t *number) {
    re_tree *t = p->t;
    if (name.p && (name.len == 0 || (name.p[0] >= '0' && name.p[0] <= '9')))
        return re_fail(p, at, "a group name begins with a letter or _");
    for (uint32_t i = 1; name.len && i < t->n_group; i++)
        if (str_eq(t->group[i].name, name)) return re_fail(p, at, "two groups have this name");
    if (t->n_group == RE_MAX_GROUP) return re_fail(p, at, "too many groups");
    if (name.len) {
        name.p = arena_copy(&t->mem, name.p, name.len);
        if (!name.p) return re_nomem(p);
    }
    t->group[t->n_group] = (re_group_info){name};
    *number = t->n_group++;
    return true;
}

/* Everything up to the closing parenthesis. */
static re_node *group_body(re_parser *p, size_t open) {
    if (++p->depth > RE_MAX_NEST) {
        re_fail(p, open, "groups are nested too deeply");
        return NULL;
    }
    const unsigned flags = p->flags;
    re_node *body = parse_alt(p);
    p->flags = flags;
    p->depth--;
    if (body && !take(p, ")")) {
        re_fail(p, open, "this group is not closed");
        return NULL;
    }
    return body;
}

static re_node *wrap(re_parser *p, re_kind kind, re_node *child, uint32_t a) {
    re_node *n = child ? node(p, kind) : NULL;
    if (!n) return NULL;
    n->child = child;
    n->a = a;
    return n;
}

static re_node *parse_capture(re_parser *p, size_t open, str name) {
    uint32_t number = 0;
    if (!new_group(p, open, name, &number)) return NULL;
    return wrap(p, RE_N_GROUP, group_body(p, open), number);
}

static re_node *parse_look(re_parser *p, size_t open, bool behind, bool neg) {
    re_node *n = wrap(p, RE_N_LOOK, group_body(p, open), 0);
    if (!n) return NULL;
    n->behind = behind;
    n->neg = neg;
    return n;
}

/* (?flags) or (?flags:...): p->at is behind the question mark. */
static re_node *parse_flags(re_parser *p, size_t open) {
    static const char letters[] = "imsxu";
    unsigned flags = p->flags, on = 1, any = 0;
    for (; p->at < p->pat.len; p->at++) {
        const char c = p->pat.p[p->at];
        if (c == '-' && on) {
            on = 0;
            continue;
        }
        const char *letter = c ? strchr(letters, c) : NULL;
        if (!letter) break;
        const unsigned bit = 1u << (letter - letters);
        const bool set = *letter == 'u' ? !on : on; /* the flag is "ASCII", the letter Unicode */
        flags = set ? flags | bit : flags & ~bit;
        any = 1;
    }
    if (any && take(p, ")")) {
        p->flags = flags;
        return node(p, RE_N_EMPTY);
    }
    if (!any || !take(p, ":")) {
        re_fail(p, open, "unknown kind of group, or flag");
        return NULL;
    }
    const unsigned before = p->flags;
    p->flags = flags;
    re_node *body = group_body(p, open);
    p->flags = before;
    return body;
}

static bool add_backref(re_parser *p, size_t at, uint32_t group) {
    if (p->n_backref == p->cap_backref) {
        const uint32_t cap = p->cap_backref ? p->cap_backref * 2 : 8;
        uint32_t *b = arena_alloc(&p->t->mem, cap * 2 * sizeof *b);
        if (!b) return re_nomem(p);
        if (p->n_backref) memcpy(b, p->backref_at, p->n_backref * 2 * sizeof *b);
        p->backref_at = b;
        p->cap_backref = cap;
    }
    p->backref_at[p->n_backref * 2] = (uint32_t)at;
    p->backref_at[p->n_backref++ * 2 + 1] = group;
    return true;
}

static re_node *backref_node(re_parser *p, size_t at, uint32_t group) {
    re_node *n = add_backref(p, at, group) ? node(p, RE_N_BACKREF) : NULL;
    if (!n) return NULL;
    n->a = group;
    n->icase = (p->flags & RE_ICASE) != 0;
    p->t->backrefs = true;
    return n;
}

static re_node *named_backref(re_parser *p, size_t at, char close) {
    str name;
    if (!parse_name(p, close, &name)) return NULL;
    for (uint32_t i = 1; i < p->t->n_group; i++)
        if (name.len && str_eq(p->t->group[i].name, name)) return backref_node(p, at, i);
    re_fail(p, at, "no group of this name stands before");
    return NULL;
}

static re_node *parse_comment(re_parser *p, size_t open) {
    while (p->at < p->pat.len && p->pat.p[p->at] != ')') p->at++;
    if (!take(p, ")")) {
        re_fail(p, open, "this comment is not closed");
        return NULL;
    }
    return node(p, RE_N_EMPTY);
}

/* p->at is behind the opening parenthesis. */
static re_node *parse_group(re_parser *p) {
    const size_t open = p->at - 1;
    str name;
    if (!take(p, "?")) return parse_capture(p, open, (str){NULL, 0});
    if (take(p, "#")) return parse_comment(p, open);
    if (take(p, ":")) return group_body(p, open);
    if (take(p, ">")) return wrap(p, RE_N_ATOMIC, group_body(p, open), 0);
    if (take(p, "=")) return parse_look(p, open, false, false);
    if (take(p, "!")) return parse_look(p, open, false, true);
    if (take(p, "<=")) return parse_look(p, open, true, false);
    if (take(p, "<!")) return parse_look(p, open, true, true);
    if (take(p, "P=")) return named_backref(p, open, ')');
    const bool quote = peek(p, "'");
    if (take(p, "P<") || take(p, "<") || take(p, "'"))
        return parse_name(p, quote ? '\'' : '>', &name) ? parse_capture(p, open, name) : NULL;
    return parse_flags(p, open);
}

/* ---- escapes that are no set and no character ---- */

/* A run of digits, at most `max`, as a number; RE_INFINITE when it is none or too large. */
static uint32_t digits(re_parser *p) {
    uint32_t v = 0;
    const size_t from = p->at;
    for (; p->at < p->pat.len && p->pat.p[p->at] >= '0' && p->pat.p[p->at] <= '9'; p->at++)
        if (v < 1000000) v = v * 10 + (uint32_t)(p->pat.p[p->at] - '0');
    return p->at == from ? RE_INFINITE : v;
}

/* \g1 \g-1 \g{1} \g{-1} \g{name}: p->at is behind the g. */
static re_node *parse_g(re_parser *p, size_t at) {
    const bool brace = take(p, "{"), minus = take(p, "-");
    if (brace && !minus && p->at < p->pat.len &&
        !(p->pat.p[p->at] >= '0' && p->pat.p[p->at] <= '9'))
        return named_backref(p, at, '}');
    const uint32_t v = digits(p);
    if (v == RE_INFINITE || v == 0 || (brace && !take(p, "}")) || (minus && v >= p->t->n_group)) {
        re_fail(p, at, "\\g takes the number or the {name} of a group");
        return NULL;
    }
    return backref_node(p, at, minus ? p->t->n_group - v : v);
}

static re_node *child_list(re_parser *p, re_kind kind, re_node *a, re_node *b) {
    re_node *n = a && b ? node(p, kind) : NULL;
    if (!n) return NULL;
    n->child = a;
    a->next = b;
    return n;
}

/* \R: \r\n, or one vertical space; never half of \r\n. */
static re_node *newline_node(re_parser *p) {
    re_set one = {NULL, 0, 0, 0}, lf = {NULL, 0, 0, 0}, cr = {NULL, 0, 0, 0};
    arena *a = &p->t->mem;
    if (!re_set_add(a, &one, '\n', '\f') || !re_set_add(a, &one, 0x85, 0x85) ||
        !re_set_add(a, &one, 0x2028, 0x2029) || !re_set_add(a, &lf, '\n', '\n') ||
        !re_set_add(a, &cr, '\r', '\r')) {
        re_nomem(p);
        return NULL;
    }
    re_set lf2 = lf, cr2 = cr;
    re_node *both = child_list(p, RE_N_CAT, set_node(p, &cr), set_node(p, &lf));
    re_node *alone =
        child_list(p, RE_N_CAT, set_node(p, &cr2), assert_node(p, RE_AHEAD, true, &lf2));
    re_node *n = child_list(p, RE_N_ALT, both, alone);
    re_node *other = n ? set_node(p, &one) : NULL;
    if (!other) return NULL;
    alone->next = other;
    return n;
}

static re_node *parse_pattern_text(re_parser *p, const char *text) {
    re_parser sub = *p;
    sub.pat = str_of(text);
    sub.at = 0;
    sub.flags = RE_EXTENDED;
    re_node *n = parse_alt(&sub);
    p->failed = sub.failed;
    memcpy(p->seen, sub.seen, sizeof p->seen);
    return n;
}

/* UAX #29, table 1c, with possessive loops: nothing that follows may take a part of it away. */
static const char grapheme_pattern[] =
    "\\r\\n | \\r(?!\\n) | \\n | [\\p{gcb=CN}--[\\r\\n]] |"
    "\\p{gcb=PP}*+ (?:"
    "  (?: \\p{gcb=L}++ (?: \\p{gcb=V}++ \\p{gcb=T}*+ | \\p{gcb=LV} \\p{gcb=V}*+ \\p{gcb=T}*+"
    "      | \\p{gcb=LVT} \\p{gcb=T}*+ | (?![\\p{gcb=V}\\p{gcb=LV}\\p{gcb=LVT}]) )"
    "    | \\p{gcb=V}++ \\p{gcb=T}*+ | \\p{gcb=LV} \\p{gcb=V}*+ \\p{gcb=T}*+"
    "    | \\p{gcb=LVT} \\p{gcb=T}*+ | \\p{gcb=T}++"
    "    | \\p{gcb=RI} (?: \\p{gcb=RI} | (?!\\p{gcb=RI}) )"
    "    | [^\\p{gcb=CN}\\r\\n\\p{gcb=L}\\p{gcb=V}\\p{gcb=T}\\p{gcb=LV}\\p{gcb=LVT}\\p{gcb=RI}"
    "\\p{gcb=PP}\\p{ExtPict}] )"
    "  [\\p{gcb=EX}\\p{gcb=ZWJ}\\p{gcb=SM}]*+"
    "  | \\p{ExtPict} (?: \\p{gcb=EX}*+ \\p{gcb=ZWJ} \\p{ExtPict} )* \\p{gcb=EX}*+"
    "    (?: \\p{gcb=ZWJ} (?!\\p{ExtPict}) [\\p{gcb=EX}\\p{gcb=ZWJ}\\p{gcb=SM}]*+"
    "      | \\p{gcb=SM} [\\p{gcb=EX}\\p{gcb=ZWJ}\\p{gcb=SM}]*+"
    "      | (?![\\p{gcb=ZWJ}\\p{gcb=SM}]) ) )"
    "| \\p{gcb=PP}++ (?![^\\p{gcb=CN}\\r\\n])";

/* p->at is behind the backslash. */
static re_node *parse_backslash(re_parser *p) {
    const size_t at = p->at - 1;
    re_set s = {NULL, 0, 0, 0};
    bool is_set = false;
    uint32_t cp = 0;
    if (p->at == p->pat.len) {
        re_fail(p, at, "the pattern ends in a backslash");
        return NULL;
    }
    const char c = p->pat.p[p->at];
    if (c >= '1' && c <= '9') return backref_node(p, at, digits(p));
    switch (c) {
        case 'A':
            p->at++;
            return edge_node(p, RE_BEHIND, false, 0);
        case 'z':
            p->at++;
            return edge_node(p, RE_AHEAD, false, 0);
        case 'Z':
            p->at++;
            return edge_node(p, RE_AHEAD, false, RE_SET_NOT_FINAL);
        case 'b':
            p->at++;
            return word_node(p, false);
        case 'B':
            p->at++;
            return word_node(p, true);
        case 'R':
            p->at++;
            return newline_node(p);
        case 'X':
            p->at++;
            return parse_pattern_text(p, grapheme_pattern);
        case 'N':
            p->at++;
            return any_node(p, false);
        case 'Q':
            p->at++;
            p->quoting = true;
            return node(p, RE_N_EMPTY);
        case 'E':
            p->at++;
            return node(p, RE_N_EMPTY);
        case 'g':
            p->at++;
            return parse_g(p, at);
        case 'k':
            p->at++;
            if (take(p, "<")) return named_backref(p, at, '>');
            if (take(p, "{")) return named_backref(p, at, '}');
            if (take(p, "'")) return named_backref(p, at, '\'');
            re_fail(p, at, "\\k takes the <name> of a group");
            return NULL;
        default:
            break;
    }
    if (!re_parse_escape(p, false, &s, &is_set, &cp)) return NULL;
    if (!is_set) return char_node(p, cp);
    if ((p->flags & RE_ICASE) && !re_set_fold(&p->t->mem, &s)) {
        re_nomem(p);
        return NULL;
    }
    return set_node(p, &s);
}

/* ---- quantifiers, sequences, alternatives ---- */

/* {n} {n,} {n,m} at p->at; false leaves p->at alone: a brace that is none stands for itself. */
static bool parse_braces(re_parser *p, uint32_t *min, uint32_t *max) {
    const size_t from = p->at++;
    *min = digits(p);
    *max = *min;
    if (*min != RE_INFINITE && take(p, ",")) {
        *max = digits(p);
        if (take(p, "}")) return true;
    } else if (*min != RE_INFINITE && take(p, "}")) {
        return true;
    }
    p->at = from;
    return false;
}

static re_node *parse_repeat(re_parser *p, re_node *atom) {
    uint32_t min = 0, max = RE_INFINITE;
    const size_t at = p->at;
    if (p->at == p->pat.len || p->quoting) return atom;
    const char c = p->pat.p[p->at];
    if (c == '{') {
        if (!parse_braces(p, &min, &max)) return atom;
    } else if (c == '*' || c == '+' || c == '?') {
        p->at++;
        min = c == '+';
        max = c == '?' ? 1 : RE_INFINITE;
    } else {
        return atom;
    }
    if (min > RE_MAX_REPEAT || (max > RE_MAX_REPEAT && max != RE_INFINITE) || max < min) {
        re_fail(p, at, "repeat counts are at most 65535, the smaller one first");
        return NULL;
    }
    re_node *n = wrap(p, RE_N_REPEAT, atom, min);
    if (!n) return NULL;
    n->b = max;
    if (take(p, "?")) n->lazy = true;
    else if (take(p, "+")) n = wrap(p, RE_N_ATOMIC, n, 0);
    return n;
}

static void skip_space(re_parser *p) {
    while ((p->flags & RE_EXTENDED) && p->at < p->pat.len) {
        const char c = p->pat.p[p->at];
        if (c == '#') {
            while (p->at < p->pat.len && p->pat.p[p->at] != '\n') p->at++;
        } else if (c == ' ' || (c >= '\t' && c <= '\r')) {
            p->at++;
        } else {
            return;
        }
    }
}

static re_node *parse_atom(re_parser *p) {
    uint32_t cp;
    const size_t at = p->at;
    re_set s = {NULL, 0, 0, 0};
    switch (p->pat.p[p->at]) {
        case '(':
            p->at++;
            return parse_group(p);
        case '[':
            p->at++;
            return re_parse_class(p, &s) ? set_node(p, &s) : NULL;
        case '.':
            p->at++;
            return any_node(p, (p->flags & RE_DOTALL) != 0);
        case '^':
            p->at++;
            return edge_node(p, RE_BEHIND, (p->flags & RE_MULTILINE) != 0, 0);
        case '$':
            p->at++;
            return edge_node(p, RE_AHEAD, (p->flags & RE_MULTILINE) != 0, 0);
        case '\\':
            p->at++;
            return parse_backslash(p);
        case '*':
        case '+':
        case '?':
            re_fail(p, at, "nothing stands before this quantifier");
            return NULL;
        case '{': {
            uint32_t min, max;
            if (parse_braces(p, &min, &max)) {
                re_fail(p, at, "nothing stands before this quantifier");
                return NULL;
            }
            break;
        }
        default:
            break;
    }
    return re_parse_char(p, &cp) ? char_node(p, cp) : NULL;
}

/* One character of \Q...\E, or NULL at its end (or on failure). */
static re_node *parse_quoted(re_parser *p) {
    uint32_t cp;
    if (take(p, "\\E")) {
        p->quoting = false;
        return node(p, RE_N_EMPTY);
    }
    return re_parse_char(p, &cp) ? char_node(p, cp) : NULL;
}

static re_node *parse_cat(re_parser *p) {
    re_node *cat = node(p, RE_N_CAT);
    if (!cat) return NULL;
    re_node **tail = &cat->child;
    for (;;) {
        if (!p->quoting) skip_space(p);
        if (p->at == p->pat.len || (!p->quoting && (peek(p, "|") || peek(p, ")")))) break;
        re_node *n = p->quoting ? parse_quoted(p) : parse_atom(p);
        if (!n) return NULL;
        if (p->quoting && peek(p, "\\E")) take(p, "\\E"), p->quoting = false;
        if (!p->quoting) skip_space(p);
        if (n->kind != RE_N_EMPTY) n = parse_repeat(p, n);
        if (!n) return NULL;
        if (n->kind == RE_N_EMPTY) continue;
        *tail = n;
        tail = &n->next;
    }
    if (cat->child && !cat->child->next) return cat->child;
    if (!cat->child) cat->kind = RE_N_EMPTY;
    return cat;
}

static re_node *parse_alt(re_parser *p) {
    re_node *first = parse_cat(p);
    if (!first || !peek(p, "|")) return first;
    re_node *alt = wrap(p, RE_N_ALT, first, 0);
    if (!alt) return NULL;
    for (re_node *last = first; take(p, "|"); last = last->next)
        if (!(last->next = parse_cat(p))) return NULL;
    return alt;
}

status re_parse(re_tree *t, str pattern, unsigned flags, err *e) {
    re_parser p = {.t = t, .pat = pattern, .flags = flags, .e = e};
    if (pattern.len > RE_MAX_PATTERN)
        return err_set(e, RZ_EFULL, "regex: a pattern of %zu bytes; the most is %d", pattern.len,
                       RE_MAX_PATTERN);
    t->group = arena_zero(&t->mem, RE_MAX_GROUP, sizeof *t->group);
    if (!t->group) return err_set(e, RZ_ENOMEM, "regex: out of memory");
    t->n_group = 1;
    t->root = parse_alt(&p);
    if (t->root && p.at < pattern.len) re_fail(&p, p.at, "this parenthesis was not opened");
    for (uint32_t i = 0; i < p.n_backref && p.failed == RZ_OK; i++)
        if (p.backref_at[i * 2 + 1] >= t->n_group)
            re_fail(&p, p.backref_at[i * 2], "there is no group of this number");
    return p.failed;
}
