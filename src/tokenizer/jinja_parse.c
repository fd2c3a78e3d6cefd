/* jinja_parse.c - a template's tokens to its tree, by recursive descent along Jinja's grammar. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tokenizer/jinja_node.h"

enum { MAX_DEPTH = 64 };

typedef struct parser {
    const token *at;
    arena *mem;
    int depth;
    bool bad;
    err *e;
} parser;

static node *expression(parser *p);
static node *or_expression(parser *p);
static node *statements(parser *p, const char *const *until);

/* ---- errors and tokens ---- */

static node *fail(parser *p, const char *what, str found) {
    if (!p->bad)
        err_set(p->e, RZ_EFORMAT, "template line %u: %s, found '%.*s'", p->at->line, what,
                STR_FMT(found));
    p->bad = true;
    return NULL;
}

static node *expected(parser *p, const char *what) { return fail(p, what, p->at->text); }

static bool is_op(const parser *p, const char *op) {
    return p->at->kind == TOKEN_OP && str_is(p->at->text, op);
}
static bool is_name(const parser *p, const char *name) {
    return p->at->kind == TOKEN_NAME && str_is(p->at->text, name);
}
static bool take_op(parser *p, const char *op) {
    const bool yes = is_op(p, op);
    if (yes) p->at++;
    return yes;
}
static bool take_name(parser *p, const char *name) {
    const bool yes = is_name(p, name);
    if (yes) p->at++;
    return yes;
}
static void need_op(parser *p, const char *op) {
    char what[32];
    if (take_op(p, op)) return;
    snprintf(what, sizeof what, "expected '%s'", op);
    expected(p, what);
}
static str need_name(parser *p) {
    if (p->at->kind == TOKEN_NAME) return p->at++->text;
    expected(p, "expected a name");
    return (str){"", 0};
}

static node *no_memory(parser *p) {
    if (!p->bad) err_set(p->e, RZ_ENOMEM, "template: out of memory");
    p->bad = true;
    return NULL;
}

static node *make(parser *p, node_kind kind, node *a, node *b) {
    node *n = p->bad ? NULL : arena_zero(p->mem, 1, sizeof *n);
    if (!n) return no_memory(p);
    n->kind = (uint8_t)kind;
    n->line = a ? a->line : p->at[-1].line; /* a node is made behind its first token */
    n->a = a;
    n->b = b;
    return n;
}

static node *make_text(parser *p, node_kind kind, str text, node *a, node *b) {
    node *n = make(p, kind, a, b);
    if (n) n->text = text;
    return n;
}

static node *make_op(parser *p, node_kind kind, char op, node *a, node *b) {
    node *n = make(p, kind, a, b);
    if (n) n->op = op;
    return n;
}

static node *make_value(parser *p, jv v) {
    node *n = make(p, NODE_VALUE, NULL, NULL);
    if (n) n->v = v;
    return n;
}

/* Append to a list whose last link is *tail. */
static void append(node ***tail, node *n) {
    if (!n) return;
    **tail = n;
    *tail = &n->next;
}

/* ---- expressions ---- */

/* ( ... ) behind a callable, a filter or a test, the opening bracket taken. */
static node *arguments(parser *p) {
    node *list = NULL, **tail = &list;
    while (!p->bad && !is_op(p, ")")) {
        if (is_op(p, "*") || is_op(p, "**")) return expected(p, "* and ** are not supported here");
        str name = {NULL, 0};
        if (p->at->kind == TOKEN_NAME && p->at[1].kind == TOKEN_OP && str_is(p->at[1].text, "=")) {
            name = p->at->text;
            p->at += 2;
        }
        append(&tail, make_text(p, NODE_ARG, name, expression(p), NULL));
        if (!take_op(p, ",")) break;
    }
    need_op(p, ")");
    return list;
}

/* Expressions up to a closing bracket, for lists, tuples and dicts; `pairs`: key : value. */
static node *elements(parser *p, const char *close, bool pairs) {
    node *list = NULL, **tail = &list;
    while (!p->bad && !is_op(p, close)) {
        append(&tail, expression(p));
        if (pairs) {
            need_op(p, ":");
            append(&tail, expression(p));
        }
        if (!take_op(p, ",")) break;
    }
    need_op(p, close);
    return list;
}

static node *parenthesis(parser *p) {
    if (take_op(p, ")")) return make_op(p, NODE_LIST, 't', NULL, NULL);
    node *first = expression(p);
    if (!first || take_op(p, ")")) return first;
    need_op(p, ",");
    first->next = elements(p, ")", false);
    return make_op(p, NODE_LIST, 't', first, NULL);
}

static node *constant(parser *p, str name) {
    if (str_is(name, "true") || str_is(name, "True")) return make_value(p, jv_bool(true));
    if (str_is(name, "false") || str_is(name, "False")) return make_value(p, jv_bool(false));
    if (str_is(name, "none") || str_is(name, "None")) return make_value(p, jv_none());
    return make_text(p, NODE_NAME, name, NULL, NULL);
}

/* Strings next to each other are one. */
static node *string_literal(parser *p) {
    str whole = p->at++->text;
    while (p->at->kind == TOKEN_STRING) {
        char *text = arena_alloc(p->mem, whole.len + p->at->text.len + 1);
        if (!text) return no_memory(p);
        memcpy(text, whole.p, whole.len);
        memcpy(text + whole.len, p->at->text.p, p->at->text.len);
        whole = (str){text, whole.len + p->at++->text.len};
    }
    return make_value(p, jv_text(whole));
}

static node *primary(parser *p) {
    const token *t = p->at;
    int64_t i;
    double f;
    switch (t->kind) {
        case TOKEN_NAME:
            p->at++;
            return constant(p, t->text);
        case TOKEN_STRING:
            return string_literal(p);
        case TOKEN_INT:
            if (!str_i64(t->text, &i)) return expected(p, "the number is too large");
            p->at++;
            return make_value(p, jv_int(i));
        case TOKEN_FLOAT:
            if (!str_f64(t->text, &f)) return expected(p, "the number is too large");
            p->at++;
            return make_value(p, jv_float(f));
        default:
            break;
    }
    if (take_op(p, "(")) return parenthesis(p);
    if (take_op(p, "[")) return make(p, NODE_LIST, elements(p, "]", false), NULL);
    if (take_op(p, "{")) return make(p, NODE_DICT, elements(p, "}", true), NULL);
    return expected(p, "expected an expression");
}

/* a[ ... ], the bracket taken. */
static node *subscript(parser *p, node *a) {
    node *part[3] = {NULL, NULL, NULL};
    int n = 0;
    if (!is_op(p, ":")) part[0] = expression(p);
    while (n < 2 && take_op(p, ":")) {
        n++;
        if (!is_op(p, ":") && !is_op(p, "]")) part[n] = expression(p);
    }
    need_op(p, "]");
    if (n == 0) return make(p, NODE_INDEX, a, part[0]);
    node *slice = make(p, NODE_SLICE, a, part[0]);
    if (slice) {
        slice->c = part[1];
        slice->d = part[2];
    }
    return slice;
}

static node *postfix(parser *p, node *a) {
    while (!p->bad) {
        if (take_op(p, ".")) {
            if (p->at->kind == TOKEN_INT) a = make(p, NODE_INDEX, a, primary(p));
            else a = make_text(p, NODE_ATTR, need_name(p), a, NULL);
        } else if (take_op(p, "[")) {
            a = subscript(p, a);
        } else if (take_op(p, "(")) {
            a = make(p, NODE_CALL, a, arguments(p));
        } else {
            break;
        }
    }
    return a;
}

/* is [not] name [argument or (arguments)], `is` taken. */
static node *test(parser *p, node *a) {
    const bool negated = take_name(p, "not");
    const str name = need_name(p);
    node *args = NULL;
    const token_kind k = p->at->kind;
    if (take_op(p, "(")) {
        args = arguments(p);
    } else if (k == TOKEN_STRING || k == TOKEN_INT || k == TOKEN_FLOAT || is_op(p, "[") ||
               is_op(p, "{") ||
               (k == TOKEN_NAME && !is_name(p, "else") && !is_name(p, "or") && !is_name(p, "and") &&
                !is_name(p, "if") && !is_name(p, "is") && !is_name(p, "in") && !is_name(p, "not") &&
                !is_name(p, "recursive"))) {
        args = make(p, NODE_ARG, postfix(p, primary(p)), NULL);
    }
    node *n = make_text(p, NODE_TEST, name, a, args);
    return negated ? make(p, NODE_NOT, n, NULL) : n;
}

/* Filters, tests and calls behind a value. */
static node *filtered(parser *p, node *a) {
    while (!p->bad) {
        if (take_op(p, "|")) {
            const str name = need_name(p);
            node *args = take_op(p, "(") ? arguments(p) : NULL;
            a = make_text(p, NODE_FILTER, name, a, args);
        } else if (take_name(p, "is")) {
            a = test(p, a);
        } else if (take_op(p, "(")) {
            a = make(p, NODE_CALL, a, arguments(p));
        } else {
            break;
        }
    }
    return a;
}

static node *signed_value(parser *p, bool filters) {
    if (p->depth == MAX_DEPTH) return expected(p, "nested too deeply");
    p->depth++;
    node *a;
    if (take_op(p, "-")) a = make_op(p, NODE_NEGATE, '-', signed_value(p, false), NULL);
    else if (take_op(p, "+")) a = make_op(p, NODE_NEGATE, '+', signed_value(p, false), NULL);
    else a = primary(p);
    a = postfix(p, a);
    p->depth--;
    return filters ? filtered(p, a) : a;
}

/* One level of left-binding operators: `ops` are pairs of spelling and code. */
typedef struct op_row {
    const char *text;
    char code;
} op_row;

static bool take_any(parser *p, const op_row *ops, size_t n, char *code) {
    for (size_t i = 0; i < n; i++)
        if (take_op(p, ops[i].text)) {
            *code = ops[i].code;
            return true;
        }
    return false;
}

static node *power(parser *p) {
    static const op_row ops[] = {{"**", OP_POW}};
    node *a = signed_value(p, true);
    for (char op; !p->bad && take_any(p, ops, 1, &op);)
        a = make_op(p, NODE_BINARY, op, a, signed_value(p, true));
    return a;
}

static node *product(parser *p) {
    static const op_row ops[] = {{"*", '*'}, {"/", '/'}, {"//", OP_FLOOR}, {"%", '%'}};
    node *a = power(p);
    for (char op; !p->bad && take_any(p, ops, 4, &op);)
        a = make_op(p, NODE_BINARY, op, a, power(p));
    return a;
}

static node *concatenation(parser *p) {
    static const op_row ops[] = {{"~", '~'}};
    node *a = product(p);
    for (char op; !p->bad && take_any(p, ops, 1, &op);)
        a = make_op(p, NODE_BINARY, op, a, product(p));
    return a;
}

static node *sum(parser *p) {
    static const op_row ops[] = {{"+", '+'}, {"-", '-'}};
    node *a = concatenation(p);
    for (char op; !p->bad && take_any(p, ops, 2, &op);)
        a = make_op(p, NODE_BINARY, op, a, concatenation(p));
    return a;
}

static node *comparison(parser *p) {
    static const op_row ops[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<=", OP_LE},
                                 {">=", OP_GE}, {"<", '<'},    {">", '>'}};
    node *a = sum(p), *list = NULL, **tail = &list;
    while (!p->bad) {
        char op;
        if (take_any(p, ops, 6, &op)) {
        } else if (take_name(p, "in")) {
            op = OP_IN;
        } else if (is_name(p, "not") && p->at[1].kind == TOKEN_NAME &&
                   str_is(p->at[1].text, "in")) {
            p->at += 2;
            op = OP_NOT_IN;
        } else {
            break;
        }
        append(&tail, make_op(p, NODE_COMPARE_WITH, op, sum(p), NULL));
    }
    return list ? make(p, NODE_COMPARE, a, list) : a;
}

static node *negation(parser *p) {
    if (!take_name(p, "not")) return comparison(p);
    if (p->depth == MAX_DEPTH) return expected(p, "nested too deeply");
    p->depth++;
    node *a = make(p, NODE_NOT, negation(p), NULL);
    p->depth--;
    return a;
}

static node *and_expression(parser *p) {
    node *a = negation(p);
    while (!p->bad && take_name(p, "and")) a = make(p, NODE_AND, a, negation(p));
    return a;
}

static node *or_expression(parser *p) {
    node *a = and_expression(p);
    while (!p->bad && take_name(p, "or")) a = make(p, NODE_OR, a, and_expression(p));
    return a;
}

static node *expression(parser *p) {
    if (p->depth == MAX_DEPTH) return expected(p, "nested too deeply");
    p->depth++;
    node *a = or_expression(p);
    while (!p->bad && take_name(p, "if")) {
        node *condition = or_expression(p);
        node *n = make(p, NODE_IF_ELSE, a, condition);
        if (n && take_name(p, "else")) n->c = expression(p);
        a = n;
    }
    p->depth--;
    return a;
}

/* a, b, c without brackets is a tuple. */
static node *bare_tuple(parser *p, node *(*one)(parser *)) {
    node *first = one(p);
    if (p->bad || !is_op(p, ",")) return first;
    node **tail = &first->next;
    while (!p->bad && take_op(p, ",")) {
        const token_kind k = p->at->kind;
        if (k == TOKEN_TAG_CLOSE || k == TOKEN_PRINT_CLOSE || is_op(p, "=")) break;
        append(&tail, one(p));
    }
    return make_op(p, NODE_LIST, 't', first, NULL);
}

/* ---- statements ---- */

static void end_tag(parser *p) {
    if (p->at->kind == TOKEN_TAG_CLOSE) p->at++;
    else expected(p, "expected the end of the tag");
}

/* Where an assignment or a loop puts values: names, name.attribute, tuples of them. */
static node *target_one(parser *p) {
    if (take_op(p, "(")) {
        node *list = bare_tuple(p, target_one);
        need_op(p, ")");
        return list;
    }
    const str name = need_name(p);
    node *n = make_text(p, NODE_NAME, name, NULL, NULL);
    if (take_op(p, ".")) n = make_text(p, NODE_ATTR, need_name(p), n, NULL);
    return n;
}

static node *target(parser *p) { return bare_tuple(p, target_one); }

static node *if_statement(parser *p) {
    static const char *const branch[] = {"elif", "else", "endif", NULL};
    static const char *const end[] = {"endif", NULL};
    node *n = make(p, NODE_IF, expression(p), NULL);
    end_tag(p);
    node *body = statements(p, branch);
    if (!n || p->bad) return NULL;
    n->b = body;
    if (take_name(p, "elif")) {
        if (p->depth == MAX_DEPTH) return expected(p, "nested too deeply");
        p->depth++;
        n->c = if_statement(p);
        p->depth--;
        return n;
    }
    if (take_name(p, "else")) {
        end_tag(p);
        n->c = statements(p, end);
    }
    p->at++; /* endif */
    return n;
}

static node *for_statement(parser *p) {
    static const char *const branch[] = {"else", "endfor", NULL};
    static const char *const end[] = {"endfor", NULL};
    node *n = make(p, NODE_FOR, NULL, NULL);
    node *to = target(p);
    if (!take_name(p, "in")) expected(p, "expected 'in'");
    node *over = bare_tuple(p, or_expression);
    if (!n || p->bad) return NULL;
    n->d = to;
    n->a = over;
    if (take_name(p, "if")) n->e = expression(p);
    if (is_name(p, "recursive")) return expected(p, "recursive loops are not supported");
    end_tag(p);
    n->b = statements(p, branch);
    if (take_name(p, "else")) {
        end_tag(p);
        n->c = statements(p, end);
    }
    p->at++; /* endfor */
    return n;
}

static node *set_statement(parser *p) {
    static const char *const end[] = {"endset", NULL};
    node *n = make(p, NODE_SET, NULL, NULL);
    node *to = target(p);
    if (!n || p->bad) return NULL;
    n->d = to;
    if (take_op(p, "=")) {
        n->a = bare_tuple(p, expression);
        return n;
    }
    while (take_op(p, "|")) { /* {% set x | filter %} */
        const str name = need_name(p);
        node *args = take_op(p, "(") ? arguments(p) : NULL;
        n->c = make_text(p, NODE_FILTER, name, n->c, args);
    }
    end_tag(p);
    n->b = statements(p, end);
    p->at++;
    return n;
}

/* (a, b=1) of a macro or a call block, as a list of NODE_ARG whose value is the default. */
static node *parameters(parser *p) {
    node *list = NULL, **tail = &list;
    need_op(p, "(");
    while (!p->bad && !is_op(p, ")")) {
        const str name = need_name(p);
        node *absent = take_op(p, "=") ? expression(p) : NULL;
        append(&tail, make_text(p, NODE_ARG, name, absent, NULL));
        if (!take_op(p, ",")) break;
    }
    need_op(p, ")");
    return list;
}

static node *macro_statement(parser *p) {
    static const char *const end[] = {"endmacro", NULL};
    const str name = need_name(p);
    node *n = make_text(p, NODE_MACRO, name, parameters(p), NULL);
    end_tag(p);
    node *body = statements(p, end);
    if (!n || p->bad) return NULL;
    n->b = body;
    p->at++;
    if (p->at->kind == TOKEN_NAME) p->at++; /* endmacro may repeat the name */
    return n;
}

static node *call_statement(parser *p) {
    static const char *const end[] = {"endcall", NULL};
    node *n = make(p, NODE_CALLER, NULL, NULL);
    node *params = is_op(p, "(") ? parameters(p) : NULL;
    node *call = expression(p);
    if (!n || p->bad) return NULL;
    if (call->kind != NODE_CALL) return expected(p, "expected a call");
    n->a = call;
    n->d = params;
    end_tag(p);
    n->b = statements(p, end);
    p->at++;
    return n;
}

static node *filter_statement(parser *p) {
    static const char *const end[] = {"endfilter", NULL};
    node *chain = NULL;
    do {
        const str name = need_name(p);
        node *args = take_op(p, "(") ? arguments(p) : NULL;
        chain = make_text(p, NODE_FILTER, name, chain, args);
    } while (!p->bad && take_op(p, "|"));
    end_tag(p);
    node *n = make(p, NODE_FILTERED, chain, statements(p, end));
    if (n) p->at++;
    return n;
}

static node *with_statement(parser *p) {
    static const char *const end[] = {"endwith", NULL};
    node *list = NULL, **tail = &list;
    while (!p->bad && p->at->kind != TOKEN_TAG_CLOSE) {
        node *n = make(p, NODE_SET, NULL, NULL);
        node *to = target_one(p);
        need_op(p, "=");
        if (!n || p->bad) return NULL;
        n->d = to;
        n->a = expression(p);
        append(&tail, n);
        if (!take_op(p, ",")) break;
    }
    end_tag(p);
    node *n = make(p, NODE_BLOCK, list, statements(p, end));
    if (n) p->at++;
    return n;
}

/* The tag transformers puts around what the assistant said: its content and nothing else. */
static node *generation_statement(parser *p) {
    static const char *const end[] = {"endgeneration", NULL};
    end_tag(p);
    node *n = make(p, NODE_BLOCK, NULL, statements(p, end));
    if (n) p->at++;
    return n;
}

static node *break_statement(parser *p) { return make(p, NODE_BREAK, NULL, NULL); }
static node *continue_statement(parser *p) { return make(p, NODE_CONTINUE, NULL, NULL); }

static const struct {
    const char *name;
    node *(*parse)(parser *p); /* from behind the name to before the end of the last tag */
} statement_list[] = {
    {"if", if_statement},       {"for", for_statement},
    {"set", set_statement},     {"macro", macro_statement},
    {"call", call_statement},   {"filter", filter_statement},
    {"with", with_statement},   {"generation", generation_statement},
    {"break", break_statement}, {"continue", continue_statement},
};

static node *statement(parser *p) {
    const str name = need_name(p);
    for (size_t i = 0; i < sizeof statement_list / sizeof *statement_list && !p->bad; i++)
        if (str_is(name, statement_list[i].name)) {
            node *n = statement_list[i].parse(p);
            if (!p->bad) end_tag(p);
            return n;
        }
    return fail(p, "unknown or unsupported tag", name);
}

static bool ends_here(const parser *p, const char *const *until) {
    if (p->at->kind != TOKEN_TAG_OPEN || p->at[1].kind != TOKEN_NAME) return false;
    for (; until && *until; until++)
        if (str_is(p->at[1].text, *until)) return true;
    return false;
}

/* Everything up to a tag whose name is in `until`, which is then the current token. */
static node *statements(parser *p, const char *const *until) {
    node *list = NULL, **tail = &list;
    if (p->depth == MAX_DEPTH) return expected(p, "nested too deeply");
    p->depth++;
    while (!p->bad && !ends_here(p, until)) {
        const token *t = p->at;
        if (t->kind == TOKEN_END) {
            if (until) expected(p, "a tag was not closed");
            break;
        }
        p->at++;
        if (t->kind == TOKEN_TEXT) {
            append(&tail, make_text(p, NODE_TEXT, t->text, NULL, NULL));
        } else if (t->kind == TOKEN_PRINT_OPEN) {
            append(&tail, make(p, NODE_PRINT, bare_tuple(p, expression), NULL));
            if (p->at->kind == TOKEN_PRINT_CLOSE) p->at++;
            else expected(p, "expected '}}'");
        } else {
            append(&tail, statement(p));
        }
    }
    p->depth--;
    if (!p->bad && until) p->at++; /* now at the name of the tag that ends it */
    return list;
}

status jinja_compile(jinja **out, str source, err *e) {
    jinja *t = mem_zero(sizeof *t);
    if (!t) return err_set(e, RZ_ENOMEM, "template: out of memory");
    err why;
    parser p = {.mem = &t->mem, .e = &why};
    token *tokens = NULL;
    status got = jinja_lex(&tokens, source, &t->mem, &why);
    if (got == RZ_OK) {
        p.at = tokens;
        t->body = statements(&p, NULL);
        if (p.bad) got = why.status;
    }
    if (got < 0) {
        jinja_free(t);
        return err_set(e, got, "%s", why.text);
    }
    *out = t;
    return RZ_OK;
}

void jinja_free(jinja *t) {
    if (!t) return;
    arena_free(&t->mem);
    mem_free(t);
}
