/* jinja_value.c - making, comparing and printing values the way Python does. */
#include "tokenizer/jinja_value.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

enum { MAX_DEPTH = 200 }; /* of values inside values: beyond it printing stops with "..." */

/* ---- making ---- */

static void *grow(arena *a, const void *old, size_t n, size_t cap) {
    jv *p = arena_zero(a, cap, sizeof *p);
    if (p && n) memcpy(p, old, n * sizeof *p);
    return p;
}

jv_list *jv_list_new(arena *a, size_t cap) {
    jv_list *l = arena_zero(a, 1, sizeof *l);
    if (!l || !cap) return l;
    l->at = grow(a, NULL, 0, cap);
    l->cap = cap;
    return l->at ? l : NULL;
}

bool jv_push(arena *a, jv_list *l, jv v) {
    if (l->n == l->cap) {
        const size_t cap = l->cap ? l->cap * 2 : 4;
        jv *at = grow(a, l->at, l->n, cap);
        if (!at) return false;
        l->at = at;
        l->cap = cap;
    }
    l->at[l->n++] = v;
    return true;
}

jv_dict *jv_dict_new(arena *a, size_t cap) {
    jv_dict *d = arena_zero(a, 1, sizeof *d);
    if (!d || !cap) return d;
    d->key = grow(a, NULL, 0, cap);
    d->value = grow(a, NULL, 0, cap);
    d->cap = cap;
    return d->key && d->value ? d : NULL;
}

static bool append(arena *a, jv_dict *d, jv key, jv value) {
    if (d->n == d->cap) {
        const size_t cap = d->cap ? d->cap * 2 : 4;
        jv *k = grow(a, d->key, d->n, cap), *v = grow(a, d->value, d->n, cap);
        if (!k || !v) return false;
        d->key = k;
        d->value = v;
        d->cap = cap;
    }
    d->key[d->n] = key;
    d->value[d->n++] = value;
    return true;
}

bool jv_put(arena *a, jv_dict *d, jv key, jv value) {
    jv *old = jv_find(d, key);
    if (!old) return append(a, d, key, value);
    *old = value;
    return true;
}

static jv from_number(const json *in) {
    int64_t i;
    const bool whole = !memchr(in->text.p, '.', in->text.len) &&
                       !memchr(in->text.p, 'e', in->text.len) &&
                       !memchr(in->text.p, 'E', in->text.len);
    return whole && str_i64(in->text, &i) ? jv_int(i) : jv_float(in->number);
}

bool jv_from_json(arena *a, const json *in, jv *out) {
    *out = jv_none();
    switch (in->kind) {
        case JSON_NULL:
            return true;
        case JSON_BOOL:
            *out = jv_bool(in->truth);
            return true;
        case JSON_NUMBER:
            *out = from_number(in);
            return true;
        case JSON_STRING:
            *out = jv_text(in->text);
            return true;
        case JSON_ARRAY:
            *out = (jv){.kind = JV_LIST, .list = jv_list_new(a, in->n)};
            break;
        case JSON_OBJECT:
            *out = (jv){.kind = JV_DICT, .dict = jv_dict_new(a, in->n)};
            break;
    }
    if (in->kind == JSON_ARRAY ? !out->list : !out->dict) return false;
    for (const json *m = in->child; m; m = m->next) {
        jv v;
        if (!jv_from_json(a, m, &v)) return false; /* JSON_MAX_DEPTH bounds the recursion */
        /* The parser has refused duplicate keys. */
        if (in->kind == JSON_ARRAY ? !jv_push(a, out->list, v)
                                   : !append(a, out->dict, jv_text(m->key), v))
            return false;
    }
    return true;
}

jv *jv_find(const jv_dict *d, jv key) {
    for (size_t i = 0; i < d->n; i++)
        if (jv_equal(d->key[i], key)) return &d->value[i];
    return NULL;
}

jv *jv_find_text(const jv_dict *d, str key) {
    for (size_t i = 0; i < d->n; i++)
        if (d->key[i].kind == JV_STRING && str_eq(d->key[i].text, key)) return &d->value[i];
    return NULL;
}

/* ---- asking ---- */

size_t jv_chars(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

size_t jv_char_at(str s, size_t i) {
    size_t at = 0;
    for (; at < s.len; at++)
        if (((unsigned char)s.p[at] & 0xc0) != 0x80 && i-- == 0) break;
    return at;
}

bool jv_length(jv v, size_t *n) {
    *n = 0;
    switch (v.kind) {
        case JV_UNDEFINED:
            return true;
        case JV_STRING:
            *n = jv_chars(v.text);
            return true;
        case JV_LIST:
            *n = v.list->n;
            return true;
        case JV_DICT:
            *n = v.dict->n;
            return true;
        default:
            return false;
    }
}

bool jv_truth(jv v) {
    switch (v.kind) {
        case JV_UNDEFINED:
        case JV_NONE:
            return false;
        case JV_BOOL:
            return v.truth;
        case JV_INT:
            return v.i != 0;
        case JV_FLOAT:
            return v.f < 0 || v.f > 0 || isnan(v.f);
        case JV_STRING:
            return v.text.len != 0;
        case JV_LIST:
            return v.list->n != 0;
        case JV_DICT:
            return v.dict->name_space || v.dict->n != 0;
        case JV_CALL:
        case JV_LOOP:
            break;
    }
    return true;
}

double jv_number(jv v) {
    if (v.kind == JV_FLOAT) return v.f;
    return v.kind == JV_INT ? (double)v.i : v.kind == JV_BOOL ? (double)v.truth : 0;
}

static int64_t whole(jv v) { return v.kind == JV_INT ? v.i : v.truth; }

static bool equal_to(jv a, jv b, int depth) {
    if (jv_is_number(a) && jv_is_number(b)) {
        if (a.kind != JV_FLOAT && b.kind != JV_FLOAT) return whole(a) == whole(b);
        const double x = jv_number(a), y = jv_number(b);
        return x <= y && x >= y;
    }
    if (a.kind != b.kind || depth > MAX_DEPTH) return false;
    switch (a.kind) {
        case JV_STRING:
            return str_eq(a.text, b.text);
        case JV_LIST:
            if (a.list->n != b.list->n || a.list->tuple != b.list->tuple) return false;
            for (size_t i = 0; i < a.list->n; i++)
                if (!equal_to(a.list->at[i], b.list->at[i], depth + 1)) return false;
            return true;
        case JV_DICT:
            if (a.dict == b.dict) return true;
            if (a.dict->n != b.dict->n) return false;
            for (size_t i = 0; i < a.dict->n; i++) {
                const jv *other = jv_find(b.dict, a.dict->key[i]);
                if (!other || !equal_to(a.dict->value[i], *other, depth + 1)) return false;
            }
            return true;
        case JV_CALL:
            return a.call == b.call;
        case JV_LOOP:
            return a.loop == b.loop;
        default:
            return true; /* None, undefined */
    }
}

bool jv_equal(jv a, jv b) { return equal_to(a, b, 0); }

static int order_of_text(str a, str b) {
    const size_t n = a.len < b.len ? a.len : b.len;
    const int c = n ? memcmp(a.p, b.p, n) : 0; /* UTF-8 sorts as its code points do */
    return c ? (c > 0) - (c < 0) : (a.len > b.len) - (a.len < b.len);
}

bool jv_compare(jv a, jv b, int *order) {
    *order = 0;
    if (jv_is_number(a) && jv_is_number(b)) {
        if (a.kind != JV_FLOAT && b.kind != JV_FLOAT)
            *order = (whole(a) > whole(b)) - (whole(a) < whole(b));
        else *order = (jv_number(a) > jv_number(b)) - (jv_number(a) < jv_number(b));
        return true;
    }
    if (a.kind == JV_STRING && b.kind == JV_STRING) {
        *order = order_of_text(a.text, b.text);
        return true;
    }
    if (a.kind != JV_LIST || b.kind != JV_LIST) return false;
    for (size_t i = 0; i < a.list->n && i < b.list->n; i++) {
        if (jv_equal(a.list->at[i], b.list->at[i])) continue;
        if (a.list->at[i].kind == JV_LIST) return false; /* one level is enough for sorting */
        return jv_compare(a.list->at[i], b.list->at[i], order);
    }
    *order = (a.list->n > b.list->n) - (a.list->n < b.list->n);
    return true;
}

const char *jv_type(jv v) {
    switch (v.kind) {
        case JV_UNDEFINED:
            return "Undefined";
        case JV_NONE:
            return "NoneType";
        case JV_BOOL:
            return "bool";
        case JV_INT:
            return "int";
        case JV_FLOAT:
            return "float";
        case JV_STRING:
            return "str";
        case JV_LIST:
            return v.list->tuple ? "tuple" : "list";
        case JV_DICT:
            return v.dict->name_space ? "Namespace" : "dict";
        case JV_CALL:
            return "function";
        case JV_LOOP:
            return "LoopContext";
    }
    return "object";
}

/* ---- printing ---- */

/* The shortest digits that read back as the same number, in Python's choice of form: a point from
 * 1e-4 up to 1e16, an exponent outside. */
static void print_float(buf *out, double f, bool json_names) {
    if (isnan(f) || isinf(f)) {
        const char *name =
            isnan(f) ? (json_names ? "NaN" : "nan") : (json_names ? "Infinity" : "inf");
        buf_printf(out, "%s%s", f < 0 ? "-" : "", name);
        return;
    }
    buf text = BUF_INIT;
    json_write_number(&text, fabs(f));
    if (!buf_cstr(&text)) buf_clear(&text);
    char digit[40];
    int n = 0, point = -1, exponent = 0;
    bool zeros = true; /* leading ones are places, not digits */
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.p[i];
        if (c == 'e') {
            int64_t power = 0;
            str_i64((str){text.p + i + 1, text.len - i - 1}, &power);
            exponent += (int)power;
            break;
        }
        if (c == '.') point = n;
        else if (c != '0' || !zeros) {
            zeros = false;
            if (n < 39) digit[n++] = c;
        } else if (point >= 0) exponent--;
    }
    out->failed |= text.failed;
    buf_free(&text);
    exponent += point < 0 ? n : point; /* the value is 0.DIGITS * 10^exponent */
    while (n > 1 && digit[n - 1] == '0') n--;
    if (n == 0) exponent = 1;
    if (signbit(f)) buf_char(out, '-');
    if (exponent > -4 && exponent <= 16) {
        if (exponent <= 0) buf_text(out, "0.");
        for (int i = exponent; i < 0; i++) buf_char(out, '0');
        for (int i = 0; i < n || i <= exponent; i++) {
            if (i == exponent && exponent > 0) buf_char(out, '.');
            buf_char(out, i < n ? digit[i] : '0');
        }
        return;
    }
    buf_char(out, digit[0]);
    if (n > 1) buf_char(out, '.');
    buf_add(out, digit + 1, (size_t)n - 1);
    exponent--;
    buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static void print_text(buf *out, str s) {
    const bool single = s.len && memchr(s.p, '\'', s.len) && !memchr(s.p, '"', s.len);
    const char quote = single ? '"' : '\'';
    buf_char(out, quote);
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.p[i];
        if (c == quote || c == '\\') buf_printf(out, "\\%c", c);
        else if (c == '\n') buf_text(out, "\\n");
        else if (c == '\r') buf_text(out, "\\r");
        else if (c == '\t') buf_text(out, "\\t");
        else if ((unsigned char)c < 0x20 || c == 0x7f) buf_printf(out, "\\x%02x", (unsigned char)c);
        else buf_char(out, c);
    }
    buf_char(out, quote);
}

static void repr(buf *out, jv v, int depth);

static void print_members(buf *out, const jv_dict *d, int depth) {
    buf_char(out, '{');
    for (size_t i = 0; i < d->n && !out->failed; i++) {
        if (i) buf_text(out, ", ");
        repr(out, d->key[i], depth + 1);
        buf_text(out, ": ");
        repr(out, d->value[i], depth + 1);
    }
    buf_char(out, '}');
}

static void repr(buf *out, jv v, int depth) {
    if (depth > MAX_DEPTH) {
        buf_text(out, "...");
        return;
    }
    switch (v.kind) {
        case JV_UNDEFINED:
            buf_text(out, "Undefined");
            break;
        case JV_NONE:
            buf_text(out, "None");
            break;
        case JV_BOOL:
            buf_text(out, v.truth ? "True" : "False");
            break;
        case JV_INT:
            buf_printf(out, "%lld", (long long)v.i);
            break;
        case JV_FLOAT:
            print_float(out, v.f, false);
            break;
        case JV_STRING:
            print_text(out, v.text);
            break;
        case JV_LIST:
            buf_char(out, v.list->tuple ? '(' : '[');
            for (size_t i = 0; i < v.list->n && !out->failed; i++) {
                if (i) buf_text(out, ", ");
                repr(out, v.list->at[i], depth + 1);
            }
            if (v.list->tuple && v.list->n == 1) buf_char(out, ',');
            buf_char(out, v.list->tuple ? ')' : ']');
            break;
        case JV_DICT:
            if (v.dict->name_space) buf_text(out, "<Namespace ");
            print_members(out, v.dict, depth);
            if (v.dict->name_space) buf_char(out, '>');
            break;
        case JV_CALL:
            buf_text(out, "<function>");
            break;
        case JV_LOOP:
            buf_text(out, "<LoopContext>");
            break;
    }
}

void jv_repr(buf *out, jv v) { repr(out, v, 0); }

void jv_print(buf *out, jv v) {
    if (v.kind == JV_STRING) buf_str(out, v.text);
    else if (v.kind != JV_UNDEFINED) repr(out, v, 0);
}

/* ---- JSON ---- */

static void json_text(buf *out, str s, bool ascii) {
    if (!ascii) {
        json_write_string(out, s);
        return;
    }
    buf quoted = BUF_INIT;
    json_write_string(&quoted, s); /* valid UTF-8 from here on */
    for (size_t i = 0; i < quoted.len; i++) {
        const unsigned char c = (unsigned char)quoted.p[i];
        if (c < 0x80) {
            buf_char(out, (char)c);
            continue;
        }
        const int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        uint32_t cp = c & (0x3fu >> more);
        for (int k = 0; k < more; k++) cp = cp << 6 | ((unsigned char)quoted.p[++i] & 0x3f);
        if (cp >= 0x10000) {
            buf_printf(out, "\\u%04x", 0xd800 + ((cp - 0x10000) >> 10));
            cp = 0xdc00 + ((cp - 0x10000) & 0x3ff);
        }
        buf_printf(out, "\\u%04x", cp);
    }
    out->failed |= quoted.failed;
    buf_free(&quoted);
}

static void line_break(buf *out, const jv_json_style *s, int depth) {
    if (s->indent < 0) return;
    buf_char(out, '\n');
    for (int i = 0; i < s->indent * depth; i++) buf_char(out, ' ');
}

static void json_key(buf *out, jv key, bool ascii) {
    if (key.kind == JV_STRING) {
        json_text(out, key.text, ascii);
        return;
    }
    buf_char(out, '"');
    if (key.kind == JV_NONE) buf_text(out, "null");
    else if (key.kind == JV_BOOL) buf_text(out, key.truth ? "true" : "false");
    else jv_repr(out, key);
    buf_char(out, '"');
}

static int by_key(const void *a, const void *b) {
    int order;
    const jv *const *x = a, *const *y = b;
    return jv_compare(**x, **y, &order) ? order : 0;
}

static bool json_value(buf *out, jv v, const jv_json_style *s, int depth);

static bool json_dict(buf *out, const jv_dict *d, const jv_json_style *s, int depth) {
    const jv **order = NULL;
    if (s->sort && d->n) {
        order = mem_array(d->n, sizeof *order);
        if (!order) {
            out->failed = true;
            return true;
        }
        for (size_t i = 0; i < d->n; i++) order[i] = &d->key[i];
        qsort(order, d->n, sizeof *order, by_key);
    }
    bool good = true;
    buf_char(out, '{');
    for (size_t k = 0; k < d->n && good; k++) {
        const size_t i = order ? (size_t)(order[k] - d->key) : k;
        if (k) buf_str(out, s->comma);
        line_break(out, s, depth + 1);
        json_key(out, d->key[i], s->ascii);
        buf_str(out, s->colon);
        good = json_value(out, d->value[i], s, depth + 1);
    }
    mem_free(order);
    if (d->n) line_break(out, s, depth);
    buf_char(out, '}');
    return good;
}

static bool json_value(buf *out, jv v, const jv_json_style *s, int depth) {
    if (depth > MAX_DEPTH || out->failed) return !out->failed && depth <= MAX_DEPTH;
    switch (v.kind) {
        case JV_NONE:
            buf_text(out, "null");
            return true;
        case JV_BOOL:
            buf_text(out, v.truth ? "true" : "false");
            return true;
        case JV_INT:
            buf_printf(out, "%lld", (long long)v.i);
            return true;
        case JV_FLOAT:
            print_float(out, v.f, true);
            return true;
        case JV_STRING:
            json_text(out, v.text, s->ascii);
            return true;
        case JV_LIST:
            buf_char(out, '[');
            for (size_t i = 0; i < v.list->n; i++) {
                if (i) buf_str(out, s->comma);
                line_break(out, s, depth + 1);
                if (!json_value(out, v.list->at[i], s, depth + 1)) return false;
            }
            if (v.list->n) line_break(out, s, depth);
            buf_char(out, ']');
            return true;
        case JV_DICT:
            return !v.dict->name_space && json_dict(out, v.dict, s, depth);
        default:
            return false;
    }
}

bool jv_write_json(buf *out, jv v, const jv_json_style *style) {
    return json_value(out, v, style, 0);
}
