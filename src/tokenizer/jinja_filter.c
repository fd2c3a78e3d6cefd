/* jinja_filter.c - what stands behind `|` and behind `is`, one table row each. */
#include <math.h>

#include "base/mem.h"
#include "tokenizer/jinja_run.h"
#include "unicode/ucd.h"
#include "unicode/utf8.h"

/* ---- arguments ---- */

jv jinja_arg(const args *a, size_t i, const char *name, jv absent) {
    if (i < a->n) return a->v[i];
    for (size_t k = 0; name && k < a->n_named; k++)
        if (str_is(a->named[k].name, name)) return a->named[k].v;
    return absent;
}

int64_t jinja_arg_int(run *r, const args *a, size_t i, const char *name, int64_t absent) {
    const jv v = jinja_arg(a, i, name, jv_int(absent));
    if (v.kind == JV_INT) return v.i;
    if (v.kind == JV_BOOL) return v.truth;
    if (v.kind != JV_NONE) jinja_raise(r, "%s must be an integer, not %s", name, jv_type(v));
    return absent;
}

bool jinja_arg_bool(const args *a, size_t i, const char *name, bool absent) {
    return jv_truth(jinja_arg(a, i, name, jv_bool(absent)));
}

str jinja_arg_text(run *r, const args *a, size_t i, const char *name, str absent) {
    const jv v = jinja_arg(a, i, name, jv_none());
    if (v.kind == JV_STRING) return v.text;
    if (v.kind != JV_NONE) jinja_raise(r, "%s must be a text, not %s", name, jv_type(v));
    return absent;
}

/* ---- elements ---- */

static jv pair(run *r, jv a, jv b) {
    const jv p = jinja_list(r, 2, true);
    jinja_push(r, p, a);
    jinja_push(r, p, b);
    return p;
}

jv jinja_items(run *r, jv v) {
    size_t n = 0;
    if (r->bad || v.kind == JV_LIST) return v;
    if (v.kind != JV_UNDEFINED && v.kind != JV_STRING && v.kind != JV_DICT)
        return jinja_raise(r, "'%s' object is not iterable", jv_type(v));
    jv_length(v, &n);
    const jv out = jinja_list(r, n, false);
    if (v.kind == JV_DICT)
        for (size_t i = 0; i < n && !r->bad; i++) jinja_push(r, out, v.dict->key[i]);
    for (size_t at = 0; v.kind == JV_STRING && at < v.text.len && !r->bad;) {
        size_t end = at + 1;
        while (end < v.text.len && ((unsigned char)v.text.p[end] & 0xc0) == 0x80) end++;
        jinja_push(r, out, jv_text((str){v.text.p + at, end - at}));
        at = end;
    }
    return out;
}

/* v.a.b or v.0: attributes named by a path, as map and sort take them; `absent`, unless it is None,
 * in place of one that is missing. */
static jv path_or(run *r, jv v, jv path, jv absent) {
    if (path.kind == JV_INT) return jinja_index(r, v, path);
    if (path.kind != JV_STRING) return v;
    str rest = path.text;
    while (rest.p && !r->bad) {
        const str part = str_split(&rest, '.');
        int64_t i;
        v = str_i64(part, &i) ? jinja_index(r, v, jv_int(i)) : jinja_index(r, v, jv_text(part));
        if (v.kind == JV_UNDEFINED && absent.kind != JV_NONE) v = absent;
    }
    return v;
}

static jv path_of(run *r, jv v, jv path) { return path_or(r, v, path, jv_none()); }

static jv text_arg(run *r, jv v) {
    if (v.kind == JV_STRING) return v;
    buf b = BUF_INIT;
    jv_print(&b, v);
    return jinja_text_of(r, &b);
}

/* ---- texts ---- */

/* Which characters are written large: none, all, the first, those that begin a word as Jinja's
 * title filter sees words, or as Python's str.title does. */
typedef enum large { LARGE_NONE, LARGE_ALL, LARGE_FIRST, LARGE_WORDS, LARGE_LETTERS } large;

static bool begins_word_next(uint32_t cp, large how) {
    if (how == LARGE_WORDS)
        return (cp < 128 && strchr("-({[<", (int)cp)) || ucd_has(cp, UCD_P_White_Space);
    return how == LARGE_LETTERS && ucd_lower(cp) == cp && ucd_upper(cp) == cp &&
           !ucd_in_major(cp, 'L');
}

static jv mapped_case(run *r, str s, large how) {
    buf b = BUF_INIT;
    bool first = true;
    jinja_pay(r, s.len / 16);
    for (size_t i = 0; i < s.len && !r->bad;) {
        uint32_t cp;
        char out[4];
        const size_t n = utf8_decode((str){s.p + i, s.len - i}, &cp);
        if (cp == UTF8_BAD) {
            buf_add(&b, s.p + i, n);
        } else {
            const bool up = how == LARGE_ALL || (first && how != LARGE_NONE);
            const uint32_t to = up ? ucd_upper(cp) : ucd_lower(cp);
            buf_add(&b, out, utf8_encode(to, out));
            first = begins_word_next(cp, how);
        }
        i += n;
    }
    return jinja_text_of(r, &b);
}

jv jinja_title(run *r, jv v, const args *a) {
    (void)a;
    return mapped_case(r, v.text, LARGE_LETTERS);
}

static jv f_upper(run *r, jv v, const args *a) {
    (void)a;
    return mapped_case(r, text_arg(r, v).text, LARGE_ALL);
}
static jv f_lower(run *r, jv v, const args *a) {
    (void)a;
    return mapped_case(r, text_arg(r, v).text, LARGE_NONE);
}
static jv f_capitalize(run *r, jv v, const args *a) {
    (void)a;
    return mapped_case(r, text_arg(r, v).text, LARGE_FIRST);
}
static jv f_title(run *r, jv v, const args *a) {
    (void)a;
    return mapped_case(r, text_arg(r, v).text, LARGE_WORDS);
}

static jv f_trim(run *r, jv v, const args *a) {
    const jv t = text_arg(r, v);
    return r->bad ? t : jinja_method(t, STR_LIT("strip"))(r, t, a);
}

static jv f_replace(run *r, jv v, const args *a) {
    const jv t = text_arg(r, v);
    return r->bad ? t : jinja_method(t, STR_LIT("replace"))(r, t, a);
}

static jv f_string(run *r, jv v, const args *a) {
    (void)a;
    return text_arg(r, v);
}

static jv f_escape(run *r, jv v, const args *a) {
    static const char from[] = "&<>'\"";
    static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    (void)a;
    const str s = text_arg(r, v).text;
    buf b = BUF_INIT;
    b.limit = r->output_limit;
    for (size_t i = 0; i < s.len && !r->bad; i++) {
        const char *at = s.p[i] ? strchr(from, s.p[i]) : NULL;
        if (at) buf_text(&b, to[at - from]);
        else buf_char(&b, s.p[i]);
    }
    return jinja_text_of(r, &b);
}

static jv f_indent(run *r, jv v, const args *a) {
    const jv width = jinja_arg(a, 0, "width", jv_int(4));
    const bool first = jinja_arg_bool(a, 1, "first", false);
    const bool blank = jinja_arg_bool(a, 2, "blank", false);
    buf b = BUF_INIT, pad = BUF_INIT;
    b.limit = r->output_limit;
    if (width.kind == JV_STRING) buf_str(&pad, width.text);
    else
        for (int64_t i = jinja_arg_int(r, a, 0, "width", 4); i > 0 && i < 1000; i--)
            buf_char(&pad, ' ');
    str rest = text_arg(r, v).text;
    if (rest.len == 0) rest.p = "";
    for (bool begin = true; rest.p && !r->bad && !b.failed; begin = false) {
        const str line = str_split(&rest, '\n');
        if (!begin) buf_char(&b, '\n');
        if (begin ? first : blank || line.len) buf_str(&b, buf_view(&pad));
        buf_str(&b, line);
    }
    buf_free(&pad);
    return jinja_text_of(r, &b);
}

/* Python's % with %s, %d, %i, %f, %r, %x and %%, without widths other than a precision. */
jv jinja_format(run *r, str s, const args *a, bool all) {
    buf b = BUF_INIT;
    b.limit = r->output_limit;
    size_t next = 0;
    for (size_t i = 0; i < s.len && !r->bad; i++) {
        if (s.p[i] != '%') {
            buf_char(&b, s.p[i]);
            continue;
        }
        int precision = 6;
        if (++i < s.len && s.p[i] == '.')
            for (precision = 0, i++; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++)
                precision = precision < 100 ? precision * 10 + (s.p[i] - '0') : precision;
        const char kind = i < s.len ? s.p[i] : 0;
        if (kind == '%') {
            buf_char(&b, '%');
            continue;
        }
        const jv arg = jinja_arg(a, next, NULL, jv_none());
        if (next++ >= a->n) jinja_raise(r, "not enough arguments for format string");
        else if (kind == 's') jv_print(&b, arg);
        else if (kind == 'r') jv_repr(&b, arg);
        else if (!jv_is_number(arg))
            jinja_raise(r, "%%%c needs a number, not %s", kind, jv_type(arg));
        else if (kind == 'f')
            buf_printf(&b, "%.*f", precision < 20 ? precision : 20, jv_number(arg));
        else if (kind == 'd' || kind == 'i') buf_printf(&b, "%.0f", trunc(jv_number(arg)));
        else if (kind == 'x' && arg.kind == JV_INT)
            buf_printf(&b, "%llx", (unsigned long long)arg.i);
        else jinja_raise(r, "unsupported format character '%c'", kind ? kind : ' ');
    }
    if (all && next < a->n && !r->bad)
        jinja_raise(r, "not all arguments converted during string formatting");
    return jinja_text_of(r, &b);
}

static jv f_format(run *r, jv v, const args *a) {
    return jinja_format(r, text_arg(r, v).text, a, true);
}

static jv f_wordcount(run *r, jv v, const args *a) {
    (void)a;
    const str s = text_arg(r, v).text;
    int64_t n = 0;
    bool in_word = false;
    for (size_t i = 0; i < s.len; i++) {
        uint32_t cp;
        utf8_decode((str){s.p + i, s.len - i}, &cp);
        const bool word = (((unsigned char)s.p[i] & 0xc0) == 0x80) ? in_word : ucd_word(cp);
        n += word && !in_word;
        in_word = word;
    }
    return jv_int(n);
}

static jv f_tojson(run *r, jv v, const args *a) {
    const jv indent = jinja_arg(a, 0, "indent", jv_none());
    const jv ascii = jinja_arg(&(args){.n = 0}, 0, NULL, jv_bool(false));
    jv_json_style style = {-1, jv_truth(ascii), false, STR_LIT(", "), STR_LIT(": ")};
    for (size_t i = 0; i < a->n_named; i++) {
        if (str_is(a->named[i].name, "ensure_ascii")) style.ascii = jv_truth(a->named[i].v);
        if (str_is(a->named[i].name, "sort_keys")) style.sort = jv_truth(a->named[i].v);
    }
    if (indent.kind == JV_INT) {
        style.indent = indent.i < 0 ? 0 : indent.i > 64 ? 64 : (int)indent.i;
        style.comma = STR_LIT(",");
    }
    const jv separators = jinja_arg(a, 9, "separators", jv_none());
    if (separators.kind == JV_LIST && separators.list->n == 2 &&
        separators.list->at[0].kind == JV_STRING && separators.list->at[1].kind == JV_STRING) {
        style.comma = separators.list->at[0].text;
        style.colon = separators.list->at[1].text;
    }
    buf b = BUF_INIT;
    b.limit = r->output_limit;
    if (!jv_write_json(&b, v, &style) && !b.failed)
        jinja_raise(r, "Object of type %s is not JSON serializable", jv_type(v));
    return jinja_text_of(r, &b);
}

/* ---- numbers ---- */

static jv f_int(run *r, jv v, const args *a) {
    const jv absent = jinja_arg(a, 0, "default", jv_int(0));
    int64_t i;
    double f;
    (void)r;
    if (v.kind == JV_INT || v.kind == JV_BOOL) return jv_int(v.kind == JV_INT ? v.i : v.truth);
    if (v.kind == JV_STRING && str_i64(str_trim(v.text), &i)) return jv_int(i);
    if (v.kind == JV_FLOAT) f = v.f;
    else if (v.kind != JV_STRING || !str_f64(str_trim(v.text), &f)) return absent;
    return f > -9e18 && f < 9e18 ? jv_int((int64_t)f) : absent;
}

static jv f_float(run *r, jv v, const args *a) {
    double f;
    (void)r;
    if (jv_is_number(v)) return jv_float(jv_number(v));
    if (v.kind == JV_STRING && str_f64(str_trim(v.text), &f)) return jv_float(f);
    return jinja_arg(a, 0, "default", jv_float(0.0));
}

static jv f_abs(run *r, jv v, const args *a) {
    (void)a;
    if (v.kind == JV_FLOAT) return jv_float(fabs(v.f));
    if (!jv_is_number(v)) return jinja_raise(r, "abs needs a number, not %s", jv_type(v));
    return v.kind == JV_INT && v.i < 0 ? jinja_binary(r, '-', jv_int(0), v) : f_int(r, v, a);
}

static jv f_round(run *r, jv v, const args *a) {
    const int64_t places = jinja_arg_int(r, a, 0, "precision", 0);
    const str how = jinja_arg_text(r, a, 1, "method", STR_LIT("common"));
    if (!jv_is_number(v)) return jinja_raise(r, "round needs a number, not %s", jv_type(v));
    if (places < -300 || places > 300) return jinja_raise(r, "round has too many places");
    const double unit = pow(10, (double)places), x = jv_number(v) * unit;
    if (str_is(how, "ceil")) return jv_float(ceil(x) / unit);
    if (str_is(how, "floor")) return jv_float(floor(x) / unit);
    if (v.kind != JV_FLOAT && places >= 0) return f_int(r, v, a);
    return jv_float(nearbyint(x) / unit);
}

/* ---- lists ---- */

static jv f_length(run *r, jv v, const args *a) {
    size_t n;
    (void)a;
    if (!jv_length(v, &n)) return jinja_raise(r, "object of type '%s' has no len()", jv_type(v));
    jinja_pay(r, v.kind == JV_STRING ? n / 16 : 0);
    return jv_int((int64_t)n);
}

static jv f_list(run *r, jv v, const args *a) {
    (void)a;
    const jv items = jinja_items(r, v), out = jinja_list(r, 0, false);
    for (size_t i = 0; !r->bad && i < items.list->n; i++) jinja_push(r, out, items.list->at[i]);
    return out;
}

static jv f_first(run *r, jv v, const args *a) {
    (void)a;
    const jv items = jinja_items(r, v);
    return r->bad || !items.list->n ? jv_undefined(STR_LIT("the first item")) : items.list->at[0];
}

static jv f_last(run *r, jv v, const args *a) {
    (void)a;
    const jv items = jinja_items(r, v);
    return r->bad || !items.list->n ? jv_undefined(STR_LIT("the last item"))
                                    : items.list->at[items.list->n - 1];
}

static jv f_reverse(run *r, jv v, const args *a) {
    (void)a;
    const jv items = jinja_items(r, v), out = jinja_list(r, 0, false);
    for (size_t i = r->bad ? 0 : items.list->n; i-- > 0 && !r->bad;)
        jinja_push(r, out, items.list->at[i]);
    if (v.kind != JV_STRING || r->bad) return out;
    buf b = BUF_INIT;
    for (size_t i = 0; i < out.list->n; i++) buf_str(&b, out.list->at[i].text);
    return jinja_text_of(r, &b);
}

static jv f_join(run *r, jv v, const args *a) {
    const jv between = jinja_arg(a, 0, "d", JV_TEXT(""));
    const jv attribute = jinja_arg(a, 1, "attribute", jv_none());
    const jv items = jinja_items(r, v);
    buf b = BUF_INIT;
    b.limit = r->output_limit;
    for (size_t i = 0; !r->bad && i < items.list->n && jinja_pay(r, 1); i++) {
        if (i) jv_print(&b, between);
        jv_print(&b, path_of(r, items.list->at[i], attribute));
    }
    return jinja_text_of(r, &b);
}

static jv f_items(run *r, jv v, const args *a) {
    (void)a;
    if (v.kind == JV_UNDEFINED) return jinja_list(r, 0, false);
    if (v.kind != JV_DICT) return jinja_raise(r, "Can only get item pairs from a mapping.");
    const jv out = jinja_list(r, v.dict->n, false);
    for (size_t i = 0; i < v.dict->n && !r->bad; i++)
        jinja_push(r, out, pair(r, v.dict->key[i], v.dict->value[i]));
    return out;
}

static jv f_default(run *r, jv v, const args *a) {
    (void)r;
    const bool falsy = jinja_arg_bool(a, 1, "boolean", false);
    const jv other = jinja_arg(a, 0, "default_value", JV_TEXT(""));
    return v.kind == JV_UNDEFINED || (falsy && !jv_truth(v)) ? other : v;
}

/* How sort, dictsort, min, max, unique and groupby look at an element. */
typedef struct order {
    run *r;
    jv attribute;
    bool sensitive, down;
} order;

static jv key_of(const order *o, jv v) {
    v = path_of(o->r, v, o->attribute);
    return v.kind == JV_STRING && !o->sensitive && !o->r->bad
               ? mapped_case(o->r, v.text, LARGE_NONE)
               : v;
}

/* Does b come before a? */
static bool before(const order *o, jv a, jv b) {
    int c;
    if (o->r->bad || !jinja_pay(o->r, 1)) return false;
    if (jv_compare(a, b, &c)) return o->down ? c < 0 : c > 0;
    jinja_raise(o->r, "'<' not supported between instances of '%s' and '%s'", jv_type(b),
                jv_type(a));
    return false;
}

/* Stable merge sort of n values by n keys. */
static void merge_sort(const order *o, jv *key, jv *value, jv *spare, size_t n) {
    if (n < 2 || o->r->bad) return;
    const size_t half = n / 2;
    merge_sort(o, key, value, spare, half);
    merge_sort(o, key + half, value + half, spare, n - half);
    memcpy(spare, key, half * sizeof *key);
    memcpy(spare + half, value, half * sizeof *value);
    size_t i = 0, k = half, to = 0;
    while (i < half && !o->r->bad) {
        const bool right = k < n && before(o, spare[i], key[k]);
        key[to] = right ? key[k] : spare[i];
        value[to++] = right ? value[k] : spare[half + i];
        if (right) k++;
        else i++;
    }
}

static jv sorted(const order *o, jv items) {
    run *r = o->r;
    const jv out = f_list(r, items, &(args){.n = 0});
    if (r->bad) return out;
    const size_t n = out.list->n;
    jv *key = arena_zero(&r->mem, n + 1, sizeof *key);
    jv *spare = arena_zero(&r->mem, n + 2, sizeof *spare);
    if (!key || !spare) return jinja_nomem(r);
    for (size_t i = 0; i < n && !r->bad; i++) key[i] = key_of(o, out.list->at[i]);
    merge_sort(o, key, out.list->at, spare, n);
    return out;
}

static jv f_sort(run *r, jv v, const args *a) {
    const order o = {r, jinja_arg(a, 2, "attribute", jv_none()),
                     jinja_arg_bool(a, 1, "case_sensitive", false),
                     jinja_arg_bool(a, 0, "reverse", false)};
    return sorted(&o, v);
}

static jv f_dictsort(run *r, jv v, const args *a) {
    const bool by_value = str_is(jinja_arg_text(r, a, 1, "by", STR_LIT("key")), "value");
    const order o = {r, jv_int(by_value), jinja_arg_bool(a, 0, "case_sensitive", false),
                     jinja_arg_bool(a, 2, "reverse", false)};
    const jv pairs = f_items(r, v, a);
    return r->bad ? pairs : sorted(&o, pairs);
}

static jv f_unique(run *r, jv v, const args *a) {
    const order o = {r, jinja_arg(a, 1, "attribute", jv_none()),
                     jinja_arg_bool(a, 0, "case_sensitive", false), false};
    const jv items = jinja_items(r, v), out = jinja_list(r, 0, false),
             seen = jinja_list(r, 0, false);
    for (size_t i = 0; !r->bad && i < items.list->n; i++) {
        const jv key = key_of(&o, items.list->at[i]);
        if (r->bad || jinja_compare(r, OP_IN, key, seen)) continue;
        jinja_push(r, seen, key);
        jinja_push(r, out, items.list->at[i]);
    }
    return out;
}

static jv extreme(run *r, jv v, const args *a, bool down) {
    const order o = {r, jinja_arg(a, 1, "attribute", jv_none()),
                     jinja_arg_bool(a, 0, "case_sensitive", false), down};
    const jv list = sorted(&o, jinja_items(r, v));
    return f_first(r, list, a);
}
static jv f_min(run *r, jv v, const args *a) { return extreme(r, v, a, false); }
static jv f_max(run *r, jv v, const args *a) { return extreme(r, v, a, true); }

static jv f_sum(run *r, jv v, const args *a) {
    const jv attribute = jinja_arg(a, 0, "attribute", jv_none());
    jv total = jinja_arg(a, 1, "start", jv_int(0));
    const jv items = jinja_items(r, v);
    for (size_t i = 0; !r->bad && i < items.list->n; i++)
        total = jinja_binary(r, '+', total, path_of(r, items.list->at[i], attribute));
    return total;
}

static jv f_map(run *r, jv v, const args *a) {
    const jv attribute = jinja_arg(a, JINJA_MAX_ARGS, "attribute", jv_none());
    const jv absent = jinja_arg(a, JINJA_MAX_ARGS, "default", jv_none());
    const jv items = jinja_items(r, v), out = jinja_list(r, 0, false);
    args rest = *a;
    if (attribute.kind == JV_NONE) {
        if (a->n == 0 || a->v[0].kind != JV_STRING) return jinja_raise(r, "map needs a filter");
        rest.n--;
        memmove(rest.v, rest.v + 1, rest.n * sizeof *rest.v);
    }
    for (size_t i = 0; !r->bad && i < items.list->n; i++) {
        const jv item = items.list->at[i];
        const jv x = attribute.kind == JV_NONE ? jinja_filter(r, a->v[0].text, item, &rest)
                                               : path_or(r, item, attribute, absent);
        jinja_push(r, out, x);
    }
    return out;
}

/* select, reject, selectattr, rejectattr. */
static jv chosen(run *r, jv v, const args *a, bool by_attribute, bool keep) {
    const jv items = jinja_items(r, v), out = jinja_list(r, 0, false);
    const size_t skip = by_attribute ? 1 : 0;
    args rest = {.n = 0};
    if (by_attribute && a->n == 0) return jinja_raise(r, "the filter needs an attribute");
    if (a->n > skip && a->v[skip].kind != JV_STRING)
        return jinja_raise(r, "a test is named by a text");
    for (size_t i = skip + 1; i < a->n; i++) rest.v[rest.n++] = a->v[i];
    for (size_t i = 0; !r->bad && i < items.list->n; i++) {
        const jv item = items.list->at[i];
        const jv x = by_attribute ? path_of(r, item, a->v[0]) : item;
        const bool yes = a->n > skip ? jinja_test(r, a->v[skip].text, x, &rest) : jv_truth(x);
        if (yes == keep) jinja_push(r, out, item);
    }
    return out;
}
static jv f_select(run *r, jv v, const args *a) { return chosen(r, v, a, false, true); }
static jv f_reject(run *r, jv v, const args *a) { return chosen(r, v, a, false, false); }
static jv f_selectattr(run *r, jv v, const args *a) { return chosen(r, v, a, true, true); }
static jv f_rejectattr(run *r, jv v, const args *a) { return chosen(r, v, a, true, false); }

static jv f_groupby(run *r, jv v, const args *a) {
    const order o = {r, jinja_arg(a, 0, "attribute", jv_none()),
                     jinja_arg_bool(a, 2, "case_sensitive", false), false};
    const jv list = sorted(&o, jinja_items(r, v)), out = jinja_list(r, 0, false);
    jv group = {.kind = JV_UNDEFINED}, last = {.kind = JV_UNDEFINED};
    for (size_t i = 0; !r->bad && i < list.list->n; i++) {
        const jv key = key_of(&o, list.list->at[i]);
        if (i == 0 || !jv_equal(key, last)) {
            group = jinja_list(r, 0, false);
            jinja_push(r, out, pair(r, path_of(r, list.list->at[i], o.attribute), group));
        }
        last = key;
        if (!r->bad) jinja_push(r, group, list.list->at[i]);
    }
    return out;
}

/* batch(n, fill): lists of n; slice(n, fill): n lists. */
static jv f_batch(run *r, jv v, const args *a) {
    const int64_t n = jinja_arg_int(r, a, 0, "linecount", 1);
    const jv fill = jinja_arg(a, 1, "fill_with", jv_none());
    const jv items = jinja_items(r, v), out = jinja_list(r, 0, false);
    if (n < 1) return jinja_raise(r, "batch needs a count above 0");
    jv line = {.kind = JV_UNDEFINED};
    for (size_t i = 0; !r->bad && i < items.list->n; i++) {
        if (i % (uint64_t)n == 0) jinja_push(r, out, line = jinja_list(r, 0, false));
        if (!r->bad) jinja_push(r, line, items.list->at[i]);
    }
    while (!r->bad && fill.kind != JV_NONE && line.kind == JV_LIST && line.list->n < (uint64_t)n)
        jinja_push(r, line, fill);
    return out;
}

static const struct {
    const char *name;
    jinja_fn *fn;
} filter_list[] = {
    {"abs", f_abs},
    {"batch", f_batch},
    {"capitalize", f_capitalize},
    {"count", f_length},
    {"d", f_default},
    {"default", f_default},
    {"dictsort", f_dictsort},
    {"e", f_escape},
    {"escape", f_escape},
    {"first", f_first},
    {"float", f_float},
    {"format", f_format},
    {"groupby", f_groupby},
    {"indent", f_indent},
    {"int", f_int},
    {"items", f_items},
    {"join", f_join},
    {"last", f_last},
    {"length", f_length},
    {"list", f_list},
    {"lower", f_lower},
    {"map", f_map},
    {"max", f_max},
    {"min", f_min},
    {"reject", f_reject},
    {"rejectattr", f_rejectattr},
    {"replace", f_replace},
    {"reverse", f_reverse},
    {"round", f_round},
    {"safe", f_string},
    {"select", f_select},
    {"selectattr", f_selectattr},
    {"sort", f_sort},
    {"string", f_string},
    {"sum", f_sum},
    {"title", f_title},
    {"tojson", f_tojson},
    {"trim", f_trim},
    {"unique", f_unique},
    {"upper", f_upper},
    {"wordcount", f_wordcount},
};

jv jinja_filter(run *r, str name, jv self, const args *a) {
    for (size_t i = 0; i < sizeof filter_list / sizeof *filter_list && !r->bad; i++)
        if (str_is(name, filter_list[i].name)) return filter_list[i].fn(r, self, a);
    return jinja_raise(r, "No filter named '%.*s'.", STR_FMT(name));
}

/* ---- tests ---- */

static bool of_case(str s, bool upper) {
    bool any = false;
    for (size_t i = 0; i < s.len;) {
        uint32_t cp;
        i += utf8_decode((str){s.p + i, s.len - i}, &cp);
        if (cp == UTF8_BAD || ucd_lower(cp) == ucd_upper(cp)) continue;
        any = true;
        if ((upper ? ucd_upper(cp) : ucd_lower(cp)) != cp) return false;
    }
    return any;
}

static bool odd_or_even(run *r, jv v, int64_t rest) {
    if (v.kind == JV_INT) return (v.i & 1) == rest;
    jinja_raise(r, "odd and even need an integer, not %s", jv_type(v));
    return false;
}

bool jinja_test(run *r, str name, jv v, const args *a) {
    static const struct {
        const char *name;
        char op;
    } comparison[] = {{"==", OP_EQ},     {"eq", OP_EQ}, {"equalto", OP_EQ}, {"sameas", OP_EQ},
                      {"!=", OP_NE},     {"ne", OP_NE}, {"<", '<'},         {"lt", '<'},
                      {"lessthan", '<'}, {">", '>'},    {"gt", '>'},        {"greaterthan", '>'},
                      {"<=", OP_LE},     {"le", OP_LE}, {">=", OP_GE},      {"ge", OP_GE},
                      {"in", OP_IN}};
    for (size_t i = 0; i < sizeof comparison / sizeof *comparison; i++)
        if (str_is(name, comparison[i].name)) {
            if (a->n + a->n_named == 0) jinja_raise(r, "'%.*s' needs a value", STR_FMT(name));
            const jv other = jinja_arg(a, 0, "other", jv_none());
            if (str_is(name, "sameas") && v.kind != other.kind) return false;
            return jinja_compare(r, comparison[i].op, v, other);
        }
    if (str_is(name, "defined")) return v.kind != JV_UNDEFINED;
    if (str_is(name, "undefined")) return v.kind == JV_UNDEFINED;
    if (str_is(name, "none")) return v.kind == JV_NONE;
    if (str_is(name, "string")) return v.kind == JV_STRING;
    if (str_is(name, "number")) return jv_is_number(v);
    if (str_is(name, "integer")) return v.kind == JV_INT;
    if (str_is(name, "float")) return v.kind == JV_FLOAT;
    if (str_is(name, "boolean")) return v.kind == JV_BOOL;
    if (str_is(name, "true")) return v.kind == JV_BOOL && v.truth;
    if (str_is(name, "false")) return v.kind == JV_BOOL && !v.truth;
    if (str_is(name, "mapping")) return v.kind == JV_DICT && !v.dict->name_space;
    if (str_is(name, "iterable") || str_is(name, "sequence"))
        return v.kind == JV_STRING || v.kind == JV_LIST || v.kind == JV_UNDEFINED ||
               (v.kind == JV_DICT && !v.dict->name_space);
    if (str_is(name, "callable")) return v.kind == JV_CALL;
    if (str_is(name, "odd")) return odd_or_even(r, v, 1);
    if (str_is(name, "even")) return odd_or_even(r, v, 0);
    if (str_is(name, "lower")) return v.kind == JV_STRING && of_case(v.text, false);
    if (str_is(name, "upper")) return v.kind == JV_STRING && of_case(v.text, true);
    if (str_is(name, "divisibleby")) {
        const jv rest = jinja_binary(r, '%', v, jinja_arg(a, 0, "num", jv_int(0)));
        return !r->bad && !jv_truth(rest);
    }
    jinja_raise(r, "No test named '%.*s'.", STR_FMT(name));
    return false;
}
