/* jinja_eval.c - walking the tree: scopes, statements, expressions. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "tokenizer/jinja_run.h"

struct variable {
    str name;
    jv v;
    variable *next;
};

static jv eval(run *r, const node *n);
static void execute(run *r, const node *list);

/* ---- errors, limits, memory ---- */

jv jinja_raise(run *r, const char *fmt, ...) {
    if (!r->bad) {
        char text[400];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        for (char *c = text; *c; c++)
            if (*c == '\n' || *c == '\r') *c = ' '; /* errors are one line */
        err_set(r->e, RZ_EINVAL, "chat template line %u: %s", r->line, text);
    }
    r->bad = true;
    return jv_undefined(STR_LIT(""));
}

jv jinja_nomem(run *r) { return jinja_raise(r, "the template needs too much memory"); }

bool jinja_pay(run *r, uint64_t n) {
    if (r->steps >= n) r->steps -= n;
    else jinja_raise(r, "the template runs for too long");
    return !r->bad;
}

jv jinja_copy(run *r, str s) {
    if (!jinja_pay(r, s.len / 64)) return jv_undefined(s);
    const char *p = arena_copy(&r->mem, s.p, s.len);
    return p ? jv_text((str){p, s.len}) : jinja_nomem(r);
}

jv jinja_text_of(run *r, buf *b) {
    const jv v = b->failed ? jinja_nomem(r) : jinja_copy(r, buf_view(b));
    buf_free(b);
    return v;
}

jv jinja_list(run *r, size_t cap, bool tuple) {
    jv_list *l = jv_list_new(&r->mem, cap);
    if (!l) return jinja_nomem(r);
    l->tuple = tuple;
    return (jv){.kind = JV_LIST, .list = l};
}

void jinja_push(run *r, jv list, jv v) {
    if (r->bad || !jinja_pay(r, 1)) return;
    if (!jv_push(&r->mem, list.list, v)) jinja_nomem(r);
}

/* ---- names ---- */

static variable *find(const scope *s, str name) {
    for (variable *v = s->first; v; v = v->next)
        if (str_eq(v->name, name)) return v;
    return NULL;
}

static void set(run *r, scope *s, str name, jv v) {
    variable *old = find(s, name);
    if (!old) {
        old = arena_zero(&r->mem, 1, sizeof *old);
        if (!old) {
            jinja_nomem(r);
            return;
        }
        *old = (variable){name, v, s->first};
        s->first = old;
    }
    old->v = v;
}

static scope *enter(run *r, scope *up) {
    scope *s = arena_zero(&r->mem, 1, sizeof *s);
    if (!s) jinja_nomem(r);
    else s->up = up;
    return s;
}

static jv bound(run *r, jinja_fn *fn, str name, jv self) {
    jv_call *c = arena_zero(&r->mem, 1, sizeof *c);
    if (!c) return jinja_nomem(r);
    c->kind = CALL_METHOD;
    c->fn = fn;
    c->self = self;
    c->name = name;
    return (jv){.kind = JV_CALL, .call = c};
}

static jv look_up(run *r, str name) {
    for (const scope *s = r->scope; s; s = s->up) {
        const variable *v = find(s, name);
        if (v) return v->v;
    }
    jinja_fn *fn = jinja_global(name);
    return fn ? bound(r, fn, name, jv_none()) : jv_undefined(name);
}

/* ---- attributes ---- */

static jv loop_attr(run *r, jv_loop *l, str name) {
    const int64_t i = (int64_t)l->index0, n = (int64_t)l->items->n;
    if (str_is(name, "index0")) return jv_int(i);
    if (str_is(name, "index")) return jv_int(i + 1);
    if (str_is(name, "first")) return jv_bool(i == 0);
    if (str_is(name, "last")) return jv_bool(i + 1 == n);
    if (str_is(name, "length")) return jv_int(n);
    if (str_is(name, "revindex")) return jv_int(n - i);
    if (str_is(name, "revindex0")) return jv_int(n - i - 1);
    if (str_is(name, "depth0")) return jv_int(0); /* counts recursive loops only */
    if (str_is(name, "depth")) return jv_int(1);
    if (str_is(name, "previtem"))
        return i > 0 ? l->items->at[i - 1] : jv_undefined(STR_LIT("there is no previous item"));
    if (str_is(name, "nextitem"))
        return i + 1 < n ? l->items->at[i + 1] : jv_undefined(STR_LIT("there is no next item"));
    jinja_fn *fn = jinja_method((jv){.kind = JV_LOOP, .loop = l}, name);
    return fn ? bound(r, fn, name, (jv){.kind = JV_LOOP, .loop = l}) : jv_undefined(name);
}

jv jinja_attr(run *r, jv v, str name) {
    if (v.kind == JV_UNDEFINED) return jinja_raise(r, "'%.*s' is undefined", STR_FMT(v.text));
    if (v.kind == JV_LOOP) return loop_attr(r, v.loop, name);
    if (v.kind == JV_DICT && v.dict->name_space) {
        const jv *m = jv_find_text(v.dict, name);
        return m ? *m : jv_undefined(name);
    }
    jinja_fn *fn = jinja_method(v, name);
    if (fn) return bound(r, fn, name, v);
    if (v.kind != JV_DICT) return jv_undefined(name);
    jinja_pay(r, v.dict->n / 8);
    const jv *m = jv_find_text(v.dict, name);
    return m ? *m : jv_undefined(name);
}

jv jinja_index(run *r, jv v, jv key) {
    if (v.kind == JV_UNDEFINED) return jinja_raise(r, "'%.*s' is undefined", STR_FMT(v.text));
    if (v.kind == JV_DICT) {
        jinja_pay(r, v.dict->n / 8);
        const jv *m = jv_find(v.dict, key);
        if (m) return *m;
    }
    size_t n;
    if ((v.kind == JV_LIST || v.kind == JV_STRING) && key.kind == JV_INT && jv_length(v, &n)) {
        int64_t i = key.i < 0 ? key.i + (int64_t)n : key.i;
        if (i < 0 || i >= (int64_t)n) return jv_undefined(STR_LIT("index out of range"));
        if (v.kind == JV_LIST) return v.list->at[i];
        jinja_pay(r, v.text.len / 64);
        const size_t at = jv_char_at(v.text, (size_t)i), end = jv_char_at(v.text, (size_t)i + 1);
        return jv_text((str){v.text.p + at, end - at});
    }
    return key.kind == JV_STRING ? jinja_attr(r, v, key.text)
                                 : jv_undefined(STR_LIT("no such key"));
}

/* Python's slice indices: where it begins, how many steps it takes. */
static int64_t slice_bound(jv v, int64_t n, int64_t absent, int64_t low, int64_t high) {
    if (v.kind == JV_NONE) return absent;
    const int64_t i = v.i < 0 ? (v.i < -n ? low : v.i + n) : v.i;
    return i < low ? low : i > high ? high : i;
}

static jv slice(run *r, const node *n) {
    const jv v = eval(r, n->a);
    const node *part[3] = {n->b, n->c, n->d};
    jv bound_at[3];
    for (int i = 0; i < 3; i++) {
        bound_at[i] = part[i] ? eval(r, part[i]) : jv_none();
        if (bound_at[i].kind == JV_BOOL) bound_at[i] = jv_int(bound_at[i].truth);
        if (bound_at[i].kind != JV_NONE && bound_at[i].kind != JV_INT)
            return jinja_raise(r, "slice indices must be integers, not %s", jv_type(bound_at[i]));
    }
    size_t len;
    if (r->bad) return v;
    if (v.kind == JV_UNDEFINED) return jinja_raise(r, "'%.*s' is undefined", STR_FMT(v.text));
    if ((v.kind != JV_LIST && v.kind != JV_STRING) || !jv_length(v, &len))
        return jinja_raise(r, "'%s' object cannot be sliced", jv_type(v));
    const int64_t step = bound_at[2].kind == JV_INT ? bound_at[2].i : 1, size = (int64_t)len;
    if (step == 0 || step == INT64_MIN) return jinja_raise(r, "slice step cannot be zero");
    const bool up = step > 0;
    int64_t from =
        slice_bound(bound_at[0], size, up ? 0 : size - 1, up ? 0 : -1, up ? size : size - 1);
    const int64_t to =
        slice_bound(bound_at[1], size, up ? size : -1, up ? 0 : -1, up ? size : size - 1);
    if (v.kind == JV_STRING && step == 1) {
        jinja_pay(r, v.text.len / 64);
        const size_t a = jv_char_at(v.text, (size_t)from);
        const size_t b = to > from ? jv_char_at(v.text, (size_t)to) : a;
        return jv_text((str){v.text.p + a, b - a});
    }
    const jv items = jinja_items(r, v);
    const jv out = jinja_list(r, 0, v.kind == JV_LIST && v.list->tuple);
    while (!r->bad && (up ? from < to : from > to)) {
        jinja_push(r, out, items.list->at[from]);
        if (__builtin_add_overflow(from, step, &from)) break;
    }
    if (v.kind == JV_LIST || r->bad) return out;
    buf text = BUF_INIT;
    for (size_t i = 0; i < out.list->n; i++) buf_str(&text, out.list->at[i].text);
    return jinja_text_of(r, &text);
}

/* ---- calls ---- */

static void evaluate_args(run *r, const node *list, args *a) {
    a->n = a->n_named = 0;
    for (const node *n = list; n && !r->bad; n = n->next) {
        if (a->n == JINJA_MAX_ARGS || a->n_named == JINJA_MAX_ARGS) {
            jinja_raise(r, "more than %d arguments", JINJA_MAX_ARGS);
        } else if (n->text.p) {
            a->named[a->n_named].name = n->text;
            a->named[a->n_named++].v = eval(r, n->a);
        } else {
            a->v[a->n++] = eval(r, n->a);
        }
    }
}

/* What the body prints, with every parameter a variable. */
static jv call_macro(run *r, const jv_call *m, const args *a) {
    scope *const before = r->scope, *inner = enter(r, m->scope);
    buf *const out = r->out;
    buf text = BUF_INIT;
    text.limit = r->output_limit;
    if (!inner) return jinja_nomem(r);
    r->scope = inner;
    size_t i = 0;
    for (const node *p = m->params; p && !r->bad; p = p->next, i++) {
        jv v = jv_undefined(p->text);
        bool given = i < a->n;
        if (given) v = a->v[i];
        for (size_t k = 0; k < a->n_named; k++)
            if (str_eq(a->named[k].name, p->text)) {
                v = a->named[k].v;
                given = true;
            }
        if (!given && p->a) v = eval(r, p->a);
        set(r, inner, p->text, v);
    }
    if (a->n > i) jinja_raise(r, "macro '%.*s' takes at most %zu arguments", STR_FMT(m->name), i);
    for (size_t k = 0; k < a->n_named; k++)
        if (str_is(a->named[k].name, "caller")) set(r, inner, STR_LIT("caller"), a->named[k].v);
    r->out = &text;
    execute(r, m->body);
    r->out = out;
    r->scope = before;
    r->jump = JUMP_NONE;
    return jinja_text_of(r, &text);
}

static jv call_value(run *r, jv callee, const args *a) {
    if (r->bad) return callee;
    if (callee.kind == JV_UNDEFINED)
        return jinja_raise(r, "'%.*s' is undefined", STR_FMT(callee.text));
    if (callee.kind != JV_CALL)
        return jinja_raise(r, "'%s' object is not callable", jv_type(callee));
    const jv_call *c = callee.call;
    return c->kind == CALL_MACRO ? call_macro(r, c, a) : c->fn(r, c->self, a);
}

static jv call(run *r, const node *n) {
    args a;
    const jv callee = eval(r, n->a);
    evaluate_args(r, n->b, &a);
    return call_value(r, callee, &a);
}

/* ---- operators ---- */

static bool integer(jv v) { return v.kind == JV_INT || v.kind == JV_BOOL; }
static int64_t int_of(jv v) { return v.kind == JV_BOOL ? v.truth : v.i; }

static jv unsupported(run *r, char op, jv a, jv b) {
    const jv u = a.kind == JV_UNDEFINED ? a : b;
    if (u.kind == JV_UNDEFINED) return jinja_raise(r, "'%.*s' is undefined", STR_FMT(u.text));
    const char *name = op == OP_POW ? "**" : op == OP_FLOOR ? "//" : (const char[]){op, 0};
    return jinja_raise(r, "unsupported operand types for %s: '%s' and '%s'", name, jv_type(a),
                       jv_type(b));
}

static jv int_power(run *r, int64_t base, int64_t exponent) {
    if (exponent < 0) return jv_float(pow((double)base, (double)exponent));
    int64_t result = 1;
    for (; exponent; exponent >>= 1) {
        if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) break;
        if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) break;
    }
    return exponent ? jinja_raise(r, "the number is too large") : jv_int(result);
}

static jv int_binary(run *r, char op, int64_t a, int64_t b) {
    int64_t v = 0;
    bool over = false;
    switch (op) {
        case '+':
            over = __builtin_add_overflow(a, b, &v);
            break;
        case '-':
            over = __builtin_sub_overflow(a, b, &v);
            break;
        case '*':
            over = __builtin_mul_overflow(a, b, &v);
            break;
        case '/':
            return b ? jv_float((double)a / (double)b) : jinja_raise(r, "division by zero");
        case OP_POW:
            return int_power(r, a, b);
        default: /* // and %: rounded down, the rest has the divisor's sign */
            if (b == 0) return jinja_raise(r, "division by zero");
            if (b == -1) {
                over = op == OP_FLOOR && __builtin_sub_overflow(0, a, &v);
                break;
            }
            v = a / b - (a % b != 0 && (a % b < 0) != (b < 0));
            if (op == '%') v = a - v * b;
    }
    return over ? jinja_raise(r, "the number is too large") : jv_int(v);
}

static jv float_binary(run *r, char op, double a, double b) {
    if ((op == '/' || op == OP_FLOOR || op == '%') && !(b < 0 || b > 0))
        return jinja_raise(r, "division by zero");
    switch (op) {
        case '+':
            return jv_float(a + b);
        case '-':
            return jv_float(a - b);
        case '*':
            return jv_float(a * b);
        case '/':
            return jv_float(a / b);
        case OP_POW:
            return jv_float(pow(a, b));
        case OP_FLOOR:
            return jv_float(floor(a / b));
        default:
            return jv_float(a - floor(a / b) * b);
    }
}

static jv repeat(run *r, jv v, int64_t times) {
    if (times < 0) times = 0;
    if (v.kind == JV_STRING) {
        size_t total;
        if (mem_mul_over(v.text.len, (size_t)times, &total) || total > r->output_limit)
            return jinja_nomem(r);
        buf text = BUF_INIT;
        for (int64_t i = 0; i < times && v.text.len; i++) buf_str(&text, v.text);
        return jinja_text_of(r, &text);
    }
    const jv out = jinja_list(r, 0, v.list->tuple);
    for (int64_t i = 0; i < times && v.list->n && !r->bad; i++)
        for (size_t k = 0; k < v.list->n && !r->bad; k++) jinja_push(r, out, v.list->at[k]);
    return out;
}

static jv join(run *r, jv a, jv b) {
    buf text = BUF_INIT;
    text.limit = r->output_limit;
    jv_print(&text, a);
    jv_print(&text, b);
    return jinja_text_of(r, &text);
}

jv jinja_binary(run *r, char op, jv a, jv b) {
    if (r->bad) return a;
    if (op == '~') return join(r, a, b);
    if (integer(a) && integer(b)) return int_binary(r, op, int_of(a), int_of(b));
    if (jv_is_number(a) && jv_is_number(b)) return float_binary(r, op, jv_number(a), jv_number(b));
    if (op == '+' && a.kind == JV_STRING && b.kind == JV_STRING) return join(r, a, b);
    if (op == '+' && a.kind == JV_LIST && b.kind == JV_LIST && a.list->tuple == b.list->tuple) {
        const jv out = jinja_list(r, a.list->n + b.list->n, a.list->tuple);
        for (size_t i = 0; i < a.list->n && !r->bad; i++) jinja_push(r, out, a.list->at[i]);
        for (size_t i = 0; i < b.list->n && !r->bad; i++) jinja_push(r, out, b.list->at[i]);
        return out;
    }
    const bool a_repeats = a.kind == JV_STRING || a.kind == JV_LIST;
    const bool b_repeats = b.kind == JV_STRING || b.kind == JV_LIST;
    if (op == '*' && a_repeats && integer(b)) return repeat(r, a, int_of(b));
    if (op == '*' && b_repeats && integer(a)) return repeat(r, b, int_of(a));
    if (op == '%' && a.kind == JV_STRING) {
        args list = {.n = 1, .v = {b}};
        if (b.kind == JV_LIST && b.list->tuple) {
            list.n = b.list->n < JINJA_MAX_ARGS ? b.list->n : JINJA_MAX_ARGS;
            for (size_t i = 0; i < list.n; i++) list.v[i] = b.list->at[i];
        }
        return jinja_format(r, a.text, &list,
                            b.kind != JV_DICT && b.kind != JV_LIST && b.kind != JV_UNDEFINED);
    }
    return unsupported(r, op, a, b);
}

static bool contains(run *r, jv in, jv what) {
    if (in.kind == JV_STRING) {
        if (what.kind == JV_STRING) return str_find(in.text, what.text) >= 0;
        jinja_raise(r, "'in <string>' requires string as left operand, not %s", jv_type(what));
        return false;
    }
    if (in.kind == JV_DICT) return jv_find(in.dict, what) != NULL;
    if (in.kind == JV_UNDEFINED) return false;
    if (in.kind != JV_LIST) {
        jinja_raise(r, "argument of type '%s' is not iterable", jv_type(in));
        return false;
    }
    for (size_t i = 0; i < in.list->n; i++)
        if (jv_equal(in.list->at[i], what)) return true;
    return false;
}

bool jinja_compare(run *r, char op, jv a, jv b) {
    int order = 0;
    size_t n;
    if (r->bad || (jv_length(b, &n) && !jinja_pay(r, n / 16))) return false;
    switch (op) {
        case OP_EQ:
            return jv_equal(a, b);
        case OP_NE:
            return !jv_equal(a, b);
        case OP_IN:
            return contains(r, b, a);
        case OP_NOT_IN:
            return !contains(r, b, a);
        default:
            break;
    }
    if (!jv_compare(a, b, &order)) {
        const char *name = op == OP_LE ? "<=" : op == OP_GE ? ">=" : op == '<' ? "<" : ">";
        const jv u = a.kind == JV_UNDEFINED ? a : b;
        if (u.kind == JV_UNDEFINED) jinja_raise(r, "'%.*s' is undefined", STR_FMT(u.text));
        else
            jinja_raise(r, "'%s' not supported between instances of '%s' and '%s'", name,
                        jv_type(a), jv_type(b));
        return false;
    }
    return op == OP_LE ? order <= 0 : op == OP_GE ? order >= 0 : op == '<' ? order < 0 : order > 0;
}

static jv compare_chain(run *r, const node *n) {
    jv left = eval(r, n->a);
    for (const node *c = n->b; c && !r->bad; c = c->next) {
        const jv right = eval(r, c->a);
        if (r->bad || !jinja_compare(r, c->op, left, right)) return jv_bool(false);
        left = right;
    }
    return jv_bool(true);
}

static jv negate(run *r, const node *n) {
    const jv v = eval(r, n->a);
    if (r->bad) return v;
    if (!jv_is_number(v)) return unsupported(r, n->op, v, v);
    if (v.kind == JV_FLOAT) return jv_float(n->op == '-' ? -v.f : v.f);
    return n->op == '-' ? int_binary(r, '-', 0, int_of(v)) : jv_int(int_of(v));
}

static jv make_list(run *r, const node *n) {
    const jv out = jinja_list(r, 0, n->op == 't');
    for (const node *m = n->a; m && !r->bad; m = m->next) {
        const jv v = eval(r, m);
        jinja_push(r, out, v);
    }
    return out;
}

static jv make_dict(run *r, const node *n) {
    jv_dict *d = jv_dict_new(&r->mem, 0);
    if (!d) return jinja_nomem(r);
    for (const node *m = n->a; m && !r->bad; m = m->next->next) {
        const jv key = eval(r, m), value = eval(r, m->next);
        if (key.kind == JV_LIST || key.kind == JV_DICT)
            return jinja_raise(r, "unhashable type: '%s'", jv_type(key));
        if (!r->bad && !jv_put(&r->mem, d, key, value)) return jinja_nomem(r);
    }
    return (jv){.kind = JV_DICT, .dict = d};
}

static jv named_call(run *r, const node *n) {
    args a;
    const jv self = eval(r, n->a);
    evaluate_args(r, n->b, &a);
    if (r->bad) return self;
    return n->kind == NODE_TEST ? jv_bool(jinja_test(r, n->text, self, &a))
                                : jinja_filter(r, n->text, self, &a);
}

static jv evaluate(run *r, const node *n) {
    switch ((node_kind)n->kind) {
        case NODE_VALUE:
            return n->v;
        case NODE_NAME:
            return look_up(r, n->text);
        case NODE_LIST:
            return make_list(r, n);
        case NODE_DICT:
            return make_dict(r, n);
        case NODE_ATTR: {
            const jv v = eval(r, n->a);
            return r->bad ? v : jinja_attr(r, v, n->text);
        }
        case NODE_INDEX: {
            const jv v = eval(r, n->a), key = eval(r, n->b);
            return r->bad ? v : jinja_index(r, v, key);
        }
        case NODE_SLICE:
            return slice(r, n);
        case NODE_CALL:
            return call(r, n);
        case NODE_FILTER:
        case NODE_TEST:
            return named_call(r, n);
        case NODE_NOT:
            return jv_bool(!jv_truth(eval(r, n->a)));
        case NODE_NEGATE:
            return negate(r, n);
        case NODE_BINARY: {
            const jv a = eval(r, n->a), b = eval(r, n->b);
            return jinja_binary(r, n->op, a, b);
        }
        case NODE_COMPARE:
            return compare_chain(r, n);
        case NODE_AND: {
            const jv a = eval(r, n->a);
            return jv_truth(a) && !r->bad ? eval(r, n->b) : a;
        }
        case NODE_OR: {
            const jv a = eval(r, n->a);
            return jv_truth(a) || r->bad ? a : eval(r, n->b);
        }
        case NODE_IF_ELSE:
            if (jv_truth(eval(r, n->b))) return eval(r, n->a);
            return n->c && !r->bad ? eval(r, n->c) : jv_undefined(STR_LIT("the value"));
        default:
            return jinja_raise(r, "not an expression");
    }
}

static jv eval(run *r, const node *n) {
    if (r->bad || !jinja_pay(r, 1)) return jv_undefined(STR_LIT(""));
    r->line = n->line;
    if (r->depth == JINJA_MAX_DEPTH) return jinja_raise(r, "nested too deeply");
    r->depth++;
    const jv v = evaluate(r, n);
    r->depth--;
    return v;
}

/* ---- statements ---- */

/* What `list` prints, as a value. */
static jv captured(run *r, const node *list) {
    buf *const out = r->out;
    buf text = BUF_INIT;
    text.limit = r->output_limit;
    r->out = &text;
    execute(r, list);
    r->out = out;
    return jinja_text_of(r, &text);
}

static void assign(run *r, const node *to, jv v) {
    if (r->bad) return;
    if (to->kind == NODE_NAME) {
        set(r, r->scope, to->text, v);
    } else if (to->kind == NODE_ATTR) {
        const jv space = eval(r, to->a);
        if (space.kind != JV_DICT || !space.dict->name_space)
            jinja_raise(r, "cannot assign attribute on non-namespace object");
        else if (!jv_put(&r->mem, space.dict, jv_text(to->text), v)) jinja_nomem(r);
    } else {
        const jv items = jinja_items(r, v);
        size_t i = 0, want = 0;
        for (const node *t = to->a; t; t = t->next) want++;
        if (!r->bad && items.list->n != want)
            jinja_raise(r, "cannot unpack %zu values into %zu names", items.list->n, want);
        for (const node *t = to->a; t && !r->bad; t = t->next) assign(r, t, items.list->at[i++]);
    }
}

/* Through the filters of {% filter a|b %} or {% set x | a %}: the innermost stands for `v`. */
static jv through(run *r, const node *filter, jv v) {
    if (!filter || r->bad) return v;
    args a;
    const jv self = through(r, filter->a, v);
    evaluate_args(r, filter->b, &a);
    return r->bad ? self : jinja_filter(r, filter->text, self, &a);
}

/* Elements of a loop that pass its condition. */
static jv passing(run *r, const node *n, jv items) {
    if (!n->e || r->bad) return items;
    const jv out = jinja_list(r, 0, false);
    scope *const before = r->scope;
    for (size_t i = 0; i < items.list->n && !r->bad; i++) {
        r->scope = enter(r, before);
        if (!r->scope) break;
        assign(r, n->d, items.list->at[i]);
        if (jv_truth(eval(r, n->e))) jinja_push(r, out, items.list->at[i]);
    }
    r->scope = before;
    return out;
}

static void loop(run *r, const node *n) {
    const jv over = eval(r, n->a);
    const jv items = passing(r, n, jinja_items(r, over));
    if (r->bad) return;
    if (items.list->n == 0) {
        execute(r, n->c);
        return;
    }
    scope *const before = r->scope;
    jv_loop *l = arena_zero(&r->mem, 1, sizeof *l);
    if (!l) {
        jinja_nomem(r);
        return;
    }
    l->items = items.list;
    for (; l->index0 < items.list->n && !r->bad && jinja_pay(r, 1); l->index0++) {
        r->scope = enter(r, before); /* what an iteration sets is gone in the next */
        if (!r->scope) break;
        set(r, r->scope, STR_LIT("loop"), (jv){.kind = JV_LOOP, .loop = l});
        assign(r, n->d, items.list->at[l->index0]);
        execute(r, n->b);
        const bool stop = r->jump == JUMP_BREAK;
        r->jump = JUMP_NONE;
        if (stop) break;
    }
    r->scope = before;
}

static jv new_macro(run *r, str name, const node *params, const node *body) {
    jv_call *c = arena_zero(&r->mem, 1, sizeof *c);
    if (!c) return jinja_nomem(r);
    c->kind = CALL_MACRO;
    c->name = name;
    c->params = params;
    c->body = body;
    c->scope = r->scope;
    return (jv){.kind = JV_CALL, .call = c};
}

/* {% call f(x) %}body{% endcall %}: f gets the body as `caller`. */
static void call_with_body(run *r, const node *n) {
    args a;
    const jv callee = eval(r, n->a->a);
    evaluate_args(r, n->a->b, &a);
    if (r->bad || a.n_named == JINJA_MAX_ARGS) {
        jinja_raise(r, "more than %d arguments", JINJA_MAX_ARGS);
        return;
    }
    a.named[a.n_named].name = STR_LIT("caller");
    a.named[a.n_named++].v = new_macro(r, STR_LIT("caller"), n->d, n->b);
    jv_print(r->out, call_value(r, callee, &a));
}

static void with_scope(run *r, const node *n) {
    scope *const before = r->scope;
    r->scope = enter(r, before);
    if (r->scope) {
        execute(r, n->a);
        execute(r, n->b);
    }
    r->scope = before;
}

static void statement(run *r, const node *n) {
    switch ((node_kind)n->kind) {
        case NODE_TEXT:
            buf_str(r->out, n->text);
            break;
        case NODE_PRINT: {
            const jv v = eval(r, n->a);
            if (!r->bad) jv_print(r->out, v);
            break;
        }
        case NODE_IF: {
            const bool yes = jv_truth(eval(r, n->a));
            if (!r->bad) execute(r, yes ? n->b : n->c);
            break;
        }
        case NODE_FOR:
            loop(r, n);
            break;
        case NODE_SET: {
            jv v;
            if (n->a) v = eval(r, n->a);
            else v = through(r, n->c, captured(r, n->b));
            assign(r, n->d, v);
            break;
        }
        case NODE_MACRO:
            set(r, r->scope, n->text, new_macro(r, n->text, n->a, n->b));
            break;
        case NODE_CALLER:
            call_with_body(r, n);
            break;
        case NODE_BLOCK:
            with_scope(r, n);
            break;
        case NODE_FILTERED: {
            const jv v = through(r, n->a, captured(r, n->b));
            if (!r->bad) jv_print(r->out, v);
            break;
        }
        case NODE_BREAK:
            r->jump = JUMP_BREAK;
            break;
        case NODE_CONTINUE:
            r->jump = JUMP_CONTINUE;
            break;
        default:
            jinja_raise(r, "not a statement");
    }
}

static void execute(run *r, const node *list) {
    if (r->depth == JINJA_MAX_DEPTH) {
        jinja_raise(r, "nested too deeply");
        return;
    }
    r->depth++;
    for (const node *n = list; n && !r->bad && r->jump == JUMP_NONE && jinja_pay(r, 1);
         n = n->next) {
        r->line = n->line;
        statement(r, n);
        if (r->out->failed) jinja_raise(r, "the text grows too long");
    }
    r->depth--;
}

status jinja_render(const jinja *t, const json *vars, const jinja_limits *lim, buf *out, err *e) {
    err why = {.status = RZ_OK};
    buf text = BUF_INIT;
    text.limit = lim->output;
    run r = {.mem = {.limit = lim->memory},
             .out = &text,
             .output_limit = lim->output,
             .steps = lim->steps,
             .unix_s = lim->unix_s,
             .e = &why};
    r.root = r.scope = enter(&r, NULL);
    for (const json *m = vars ? vars->child : NULL; m && !r.bad; m = m->next) {
        jv v;
        if (jv_from_json(&r.mem, m, &v)) set(&r, r.root, m->key, v);
        else jinja_nomem(&r);
    }
    if (!r.bad) execute(&r, t->body);
    if (!r.bad) buf_str(out, buf_view(&text));
    buf_free(&text);
    arena_free(&r.mem);
    return r.bad         ? err_set(e, why.status, "%s", why.text)
           : out->failed ? err_set(e, RZ_ENOMEM, "chat template: out of memory")
                         : RZ_OK;
}
