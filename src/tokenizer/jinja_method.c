/* jinja_method.c - Python's methods of texts, lists and dicts, as far as templates may use them
 * (nothing that changes its object), and the global functions. */
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "tokenizer/jinja_run.h"
#include "unicode/ucd.h"
#include "unicode/utf8.h"

/* ---- texts ---- */

static bool is_blank(uint32_t cp) {
    return ucd_has(cp, UCD_P_White_Space) || (cp >= 0x1c && cp <= 0x1f);
}

/* The length of the first character of s if it is to be stripped, else 0. */
static size_t strip_first(str s, str set) {
    uint32_t cp;
    const size_t n = utf8_decode(s, &cp);
    if (!set.p) return cp != UTF8_BAD && is_blank(cp) ? n : 0;
    return str_find(set, (str){s.p, n}) >= 0 ? n : 0;
}

static size_t strip_last(str s, str set) {
    size_t at = s.len - 1;
    while (at && ((unsigned char)s.p[at] & 0xc0) == 0x80) at--;
    const str last = {s.p + at, s.len - at};
    return strip_first(last, set) == last.len ? last.len : 0;
}

static jv strip(run *r, jv v, const args *a, bool left, bool right) {
    const str set = jinja_arg_text(r, a, 0, "chars", (str){NULL, 0});
    str s = v.text;
    for (size_t n; left && s.len && (n = strip_first(s, set)) > 0;) s = (str){s.p + n, s.len - n};
    for (size_t n; right && s.len && (n = strip_last(s, set)) > 0;) s.len -= n;
    return jv_text(s);
}
static jv m_strip(run *r, jv v, const args *a) { return strip(r, v, a, true, true); }
static jv m_lstrip(run *r, jv v, const args *a) { return strip(r, v, a, true, false); }
static jv m_rstrip(run *r, jv v, const args *a) { return strip(r, v, a, false, true); }

static jv m_replace(run *r, jv v, const args *a) {
    const jv none = jv_none();
    const jv old = jinja_arg(a, 0, "old", none), with = jinja_arg(a, 1, "new", none);
    int64_t count = jinja_arg_int(r, a, 2, "count", -1);
    if (old.kind != JV_STRING || with.kind != JV_STRING)
        return jinja_raise(r, "replace needs two texts");
    buf b = BUF_INIT;
    b.limit = r->output_limit;
    str rest = v.text;
    while (count != 0 && !b.failed && jinja_pay(r, 1)) {
        ptrdiff_t at = str_find(rest, old.text);
        if (old.text.len == 0) { /* between all characters, and at both ends */
            buf_str(&b, with.text);
            if (rest.len == 0) break;
            at = (ptrdiff_t)jv_char_at(rest, 1);
        }
        if (at < 0) break;
        buf_add(&b, rest.p, (size_t)at);
        if (old.text.len) buf_str(&b, with.text);
        rest = (str){rest.p + at + old.text.len, rest.len - (size_t)at - old.text.len};
        if (count > 0) count--;
    }
    buf_str(&b, rest);
    jinja_pay(r, v.text.len / 16);
    return jinja_text_of(r, &b);
}

/* On white space when there is no separator: no empty parts then. */
static jv split_blank(run *r, str s, int64_t most) {
    const jv out = jinja_list(r, 0, false);
    while (!r->bad) {
        for (size_t n; s.len && (n = strip_first(s, (str){NULL, 0})) > 0;)
            s = (str){s.p + n, s.len - n};
        if (!s.len) break;
        size_t end = 0;
        while (end < s.len && !strip_first((str){s.p + end, s.len - end}, (str){NULL, 0})) {
            uint32_t cp;
            end += utf8_decode((str){s.p + end, s.len - end}, &cp);
        }
        if (most == 0) end = s.len;
        jinja_push(r, out, jv_text((str){s.p, end}));
        s = (str){s.p + end, s.len - end};
        if (most > 0) most--;
    }
    return out;
}

static jv m_split(run *r, jv v, const args *a) {
    const jv sep = jinja_arg(a, 0, "sep", jv_none());
    int64_t most = jinja_arg_int(r, a, 1, "maxsplit", -1);
    if (sep.kind == JV_NONE) return split_blank(r, v.text, most);
    if (sep.kind != JV_STRING || !sep.text.len) return jinja_raise(r, "empty separator");
    const jv out = jinja_list(r, 0, false);
    str rest = v.text;
    for (ptrdiff_t at; most != 0 && !r->bad && (at = str_find(rest, sep.text)) >= 0; most--) {
        jinja_push(r, out, jv_text((str){rest.p, (size_t)at}));
        rest = (str){rest.p + at + sep.text.len, rest.len - (size_t)at - sep.text.len};
    }
    if (!r->bad) jinja_push(r, out, jv_text(rest));
    return out;
}

/* Where `needle` occurs last, or -1. */
static ptrdiff_t find_last(str s, str needle) {
    for (size_t i = s.len >= needle.len ? s.len - needle.len + 1 : 0; i-- > 0;)
        if (str_eq((str){s.p + i, needle.len}, needle)) return (ptrdiff_t)i;
    return -1;
}

static jv m_rsplit(run *r, jv v, const args *a) {
    const jv sep = jinja_arg(a, 0, "sep", jv_none());
    int64_t most = jinja_arg_int(r, a, 1, "maxsplit", -1);
    if (most < 0) return m_split(r, v, a);
    if (sep.kind != JV_STRING || !sep.text.len) return jinja_raise(r, "rsplit needs a separator");
    const jv parts = jinja_list(r, 0, false), out = jinja_list(r, 0, false);
    str rest = v.text;
    for (ptrdiff_t at; most > 0 && !r->bad && (at = find_last(rest, sep.text)) >= 0; most--) {
        const size_t from = (size_t)at + sep.text.len;
        jinja_push(r, parts, jv_text((str){rest.p + from, rest.len - from}));
        rest.len = (size_t)at;
    }
    if (!r->bad) jinja_push(r, parts, jv_text(rest));
    for (size_t i = r->bad ? 0 : parts.list->n; i-- > 0;) jinja_push(r, out, parts.list->at[i]);
    return out;
}

static jv m_splitlines(run *r, jv v, const args *a) {
    const bool keep = jinja_arg_bool(a, 0, "keepends", false);
    const jv out = jinja_list(r, 0, false);
    const str s = v.text;
    for (size_t from = 0; from < s.len && !r->bad;) {
        size_t end = from;
        while (end < s.len && s.p[end] != '\n' && s.p[end] != '\r') end++;
        size_t next = end < s.len ? end + 1 : end;
        if (next < s.len && s.p[end] == '\r' && s.p[next] == '\n') next++;
        jinja_push(r, out, jv_text((str){s.p + from, (keep ? next : end) - from}));
        from = next;
    }
    return out;
}

static jv affix(run *r, jv v, const args *a, bool end) {
    const jv what = jinja_arg(a, 0, NULL, jv_none());
    if (what.kind == JV_STRING)
        return jv_bool(end ? str_ends(v.text, what.text) : str_starts(v.text, what.text));
    if (what.kind != JV_LIST)
        return jinja_raise(r, "%s needs a text", end ? "endswith" : "startswith");
    for (size_t i = 0; i < what.list->n; i++) {
        const jv w = what.list->at[i];
        if (w.kind == JV_STRING && (end ? str_ends(v.text, w.text) : str_starts(v.text, w.text)))
            return jv_bool(true);
    }
    return jv_bool(false);
}
static jv m_startswith(run *r, jv v, const args *a) { return affix(r, v, a, false); }
static jv m_endswith(run *r, jv v, const args *a) { return affix(r, v, a, true); }

static jv m_removeprefix(run *r, jv v, const args *a) {
    const str p = jinja_arg_text(r, a, 0, NULL, STR_LIT(""));
    return str_starts(v.text, p) ? jv_text((str){v.text.p + p.len, v.text.len - p.len}) : v;
}
static jv m_removesuffix(run *r, jv v, const args *a) {
    const str p = jinja_arg_text(r, a, 0, NULL, STR_LIT(""));
    return str_ends(v.text, p) ? jv_text((str){v.text.p, v.text.len - p.len}) : v;
}

static jv position(run *r, jv v, const args *a, bool last) {
    const str what = jinja_arg_text(r, a, 0, NULL, STR_LIT(""));
    const ptrdiff_t at = last ? find_last(v.text, what) : str_find(v.text, what);
    jinja_pay(r, v.text.len / 16);
    return jv_int(at < 0 ? -1 : (int64_t)jv_chars((str){v.text.p, (size_t)at}));
}
static jv m_find(run *r, jv v, const args *a) { return position(r, v, a, false); }
static jv m_rfind(run *r, jv v, const args *a) { return position(r, v, a, true); }

static jv m_join(run *r, jv v, const args *a) {
    const jv items = jinja_items(r, jinja_arg(a, 0, NULL, jv_none()));
    for (size_t i = 0; !r->bad && i < items.list->n; i++)
        if (items.list->at[i].kind != JV_STRING)
            return jinja_raise(r, "sequence item %zu: expected str instance, %s found", i,
                               jv_type(items.list->at[i]));
    return r->bad ? v : jinja_filter(r, STR_LIT("join"), items, &(args){.v = {v}, .n = 1});
}

static jv m_count(run *r, jv v, const args *a) {
    const jv what = jinja_arg(a, 0, NULL, jv_none());
    int64_t n = 0;
    if (v.kind == JV_LIST) {
        for (size_t i = 0; i < v.list->n; i++) n += jv_equal(v.list->at[i], what);
        return jv_int(n);
    }
    if (what.kind != JV_STRING || !what.text.len) return jinja_raise(r, "count needs a text");
    str rest = v.text;
    for (ptrdiff_t at; (at = str_find(rest, what.text)) >= 0 && jinja_pay(r, 1); n++)
        rest = (str){rest.p + at + what.text.len, rest.len - (size_t)at - what.text.len};
    return jv_int(n);
}

static jv m_index(run *r, jv v, const args *a) {
    if (v.kind == JV_STRING) {
        const jv at = m_find(r, v, a);
        return at.i < 0 ? jinja_raise(r, "substring not found") : at;
    }
    const jv what = jinja_arg(a, 0, NULL, jv_none());
    for (size_t i = 0; i < v.list->n; i++)
        if (jv_equal(v.list->at[i], what)) return jv_int((int64_t)i);
    return jinja_raise(r, "the value is not in the list");
}

/* Every character of a kind, and at least one. */
static jv all_of(str s, bool (*good)(uint32_t)) {
    for (size_t i = 0; i < s.len;) {
        uint32_t cp;
        i += utf8_decode((str){s.p + i, s.len - i}, &cp);
        if (cp == UTF8_BAD || !good(cp)) return jv_bool(false);
    }
    return jv_bool(s.len > 0);
}
static bool is_letter(uint32_t cp) { return ucd_in_major(cp, 'L'); }
static bool is_decimal(uint32_t cp) { return ucd_category_of(cp) == UCD_Nd; }
static bool is_alnum(uint32_t cp) { return is_letter(cp) || ucd_in_major(cp, 'N'); }
static jv m_isdigit(run *r, jv v, const args *a) {
    return (void)r, (void)a, all_of(v.text, is_decimal);
}
static jv m_isalpha(run *r, jv v, const args *a) {
    return (void)r, (void)a, all_of(v.text, is_letter);
}
static jv m_isalnum(run *r, jv v, const args *a) {
    return (void)r, (void)a, all_of(v.text, is_alnum);
}
static jv m_isspace(run *r, jv v, const args *a) {
    return (void)r, (void)a, all_of(v.text, is_blank);
}

static jv through_filter(run *r, jv v, const char *name) {
    return jinja_filter(r, str_of(name), v, &(args){.n = 0});
}
static jv m_upper(run *r, jv v, const args *a) { return (void)a, through_filter(r, v, "upper"); }
static jv m_lower(run *r, jv v, const args *a) { return (void)a, through_filter(r, v, "lower"); }
static jv m_capitalize(run *r, jv v, const args *a) {
    return (void)a, through_filter(r, v, "capitalize");
}

/* '{} {0} {name}'.format(...), without format specifications. */
static jv m_format(run *r, jv v, const args *a) {
    buf b = BUF_INIT;
    b.limit = r->output_limit;
    size_t next = 0;
    bool by_number = false;
    for (size_t i = 0; i < v.text.len && !r->bad; i++) {
        const char c = v.text.p[i];
        const char ahead = i + 1 < v.text.len ? v.text.p[i + 1] : 0;
        if ((c == '{' || c == '}') && ahead == c) i++;
        if (c != '{' || ahead == c) {
            buf_char(&b, c);
            continue;
        }
        const str rest = {v.text.p + i + 1, v.text.len - i - 1};
        const ptrdiff_t end = str_find(rest, STR_LIT("}"));
        const str name = {rest.p, end < 0 ? 0 : (size_t)end};
        uint64_t number = next;
        jv arg = jv_undefined(name);
        if (end < 0) {
            jinja_raise(r, "expected '}' before end of string");
            break;
        }
        const bool numbered = name.len && str_u64(name, &number);
        if (name.len == 0) next++;
        if (numbered) by_number = true;
        if (by_number && next) jinja_raise(r, "'{}' and '{0}' cannot be mixed");
        if (name.len == 0 || numbered)
            arg =
                jinja_arg(a, number < JINJA_MAX_ARGS ? (size_t)number : JINJA_MAX_ARGS, NULL, arg);
        else
            for (size_t k = 0; k < a->n_named; k++)
                if (str_eq(a->named[k].name, name)) arg = a->named[k].v;
        if (arg.kind == JV_UNDEFINED)
            jinja_raise(r, "format has no value for '{%.*s}'", STR_FMT(name));
        jv_print(&b, arg);
        i += name.len + 1;
    }
    return jinja_text_of(r, &b);
}

/* ---- dicts ---- */

static jv m_items(run *r, jv v, const args *a) { return (void)a, through_filter(r, v, "items"); }
static jv m_keys(run *r, jv v, const args *a) { return (void)a, jinja_items(r, v); }

static jv m_values(run *r, jv v, const args *a) {
    (void)a;
    const jv out = jinja_list(r, v.dict->n, false);
    for (size_t i = 0; i < v.dict->n && !r->bad; i++) jinja_push(r, out, v.dict->value[i]);
    return out;
}

static jv m_get(run *r, jv v, const args *a) {
    const jv *found = jv_find(v.dict, jinja_arg(a, 0, "key", jv_none()));
    jinja_pay(r, v.dict->n / 8);
    return found ? *found : jinja_arg(a, 1, "default", jv_none());
}

/* ---- loop ---- */

static jv m_cycle(run *r, jv v, const args *a) {
    if (a->n == 0) return jinja_raise(r, "no items for cycling given");
    return a->v[v.loop->index0 % a->n];
}

static jv m_changed(run *r, jv v, const args *a) {
    const jv now = jinja_list(r, a->n, true);
    for (size_t i = 0; i < a->n && !r->bad; i++) jinja_push(r, now, a->v[i]);
    const bool changed = !v.loop->has_seen || !jv_equal(now, v.loop->seen);
    v.loop->seen = now;
    v.loop->has_seen = true;
    return jv_bool(changed);
}

static const struct {
    jv_kind kind;
    const char *name;
    jinja_fn *fn;
} method_list[] = {
    {JV_STRING, "strip", m_strip},
    {JV_STRING, "lstrip", m_lstrip},
    {JV_STRING, "rstrip", m_rstrip},
    {JV_STRING, "split", m_split},
    {JV_STRING, "rsplit", m_rsplit},
    {JV_STRING, "splitlines", m_splitlines},
    {JV_STRING, "replace", m_replace},
    {JV_STRING, "startswith", m_startswith},
    {JV_STRING, "endswith", m_endswith},
    {JV_STRING, "removeprefix", m_removeprefix},
    {JV_STRING, "removesuffix", m_removesuffix},
    {JV_STRING, "find", m_find},
    {JV_STRING, "rfind", m_rfind},
    {JV_STRING, "index", m_index},
    {JV_STRING, "count", m_count},
    {JV_STRING, "join", m_join},
    {JV_STRING, "format", m_format},
    {JV_STRING, "upper", m_upper},
    {JV_STRING, "lower", m_lower},
    {JV_STRING, "title", jinja_title},
    {JV_STRING, "capitalize", m_capitalize},
    {JV_STRING, "isdigit", m_isdigit},
    {JV_STRING, "isdecimal", m_isdigit},
    {JV_STRING, "isnumeric", m_isdigit},
    {JV_STRING, "isalpha", m_isalpha},
    {JV_STRING, "isalnum", m_isalnum},
    {JV_STRING, "isspace", m_isspace},
    {JV_LIST, "index", m_index},
    {JV_LIST, "count", m_count},
    {JV_DICT, "items", m_items},
    {JV_DICT, "keys", m_keys},
    {JV_DICT, "values", m_values},
    {JV_DICT, "get", m_get},
    {JV_LOOP, "cycle", m_cycle},
    {JV_LOOP, "changed", m_changed},
};

jinja_fn *jinja_method(jv self, str name) {
    for (size_t i = 0; i < sizeof method_list / sizeof *method_list; i++)
        if (method_list[i].kind == self.kind && str_is(name, method_list[i].name))
            return method_list[i].fn;
    return NULL;
}

/* ---- globals ---- */

static jv g_range(run *r, jv v, const args *a) {
    (void)v;
    const int64_t one = jinja_arg_int(r, a, 0, NULL, 0);
    int64_t from = a->n > 1 ? one : 0;
    const int64_t to = a->n > 1 ? jinja_arg_int(r, a, 1, NULL, 0) : one;
    const int64_t step = jinja_arg_int(r, a, 2, NULL, 1);
    if (a->n == 0 || step == 0)
        return jinja_raise(r, "range needs a bound and a step that is not 0");
    const jv out = jinja_list(r, 0, false);
    while (!r->bad && (step > 0 ? from < to : from > to)) {
        jinja_push(r, out, jv_int(from));
        if (__builtin_add_overflow(from, step, &from)) break;
    }
    return out;
}

static jv new_dict(run *r, const args *a, bool name_space) {
    jv_dict *d = jv_dict_new(&r->mem, a->n_named);
    if (!d) return jinja_nomem(r);
    d->name_space = name_space;
    if (a->n && a->v[0].kind == JV_DICT)
        for (size_t i = 0; i < a->v[0].dict->n && jinja_pay(r, 1); i++)
            if (!jv_put(&r->mem, d, a->v[0].dict->key[i], a->v[0].dict->value[i]))
                return jinja_nomem(r);
    for (size_t i = 0; i < a->n_named; i++)
        if (!jv_put(&r->mem, d, jv_text(a->named[i].name), a->named[i].v)) return jinja_nomem(r);
    return (jv){.kind = JV_DICT, .dict = d};
}
static jv g_namespace(run *r, jv v, const args *a) { return (void)v, new_dict(r, a, true); }
static jv g_dict(run *r, jv v, const args *a) { return (void)v, new_dict(r, a, false); }

static jv g_raise(run *r, jv v, const args *a) {
    (void)v;
    const str text = jinja_arg_text(r, a, 0, "message", STR_LIT("the template refuses this input"));
    return jinja_raise(r, "%.*s", STR_FMT(text));
}

/* The local time by a format of strftime. */
static jv g_strftime_now(run *r, jv v, const args *a) {
    (void)v;
    const str format = jinja_arg_text(r, a, 0, "format", STR_LIT("%Y-%m-%d"));
    const char *c_format = arena_copy(&r->mem, format.p, format.len);
    const time_t now = (time_t)r->unix_s;
    struct tm local;
    char text[256] = "";
    if (!c_format) return jinja_nomem(r);
    if (!localtime_r(&now, &local)) return jinja_raise(r, "the time is out of range");
    const size_t len = strftime(text, sizeof text, c_format, &local);
    return jinja_copy(r, (str){text, len});
}

static const struct {
    const char *name;
    jinja_fn *fn;
} global_list[] = {
    {"range", g_range},           {"namespace", g_namespace},       {"dict", g_dict},
    {"raise_exception", g_raise}, {"strftime_now", g_strftime_now},
};

jinja_fn *jinja_global(str name) {
    for (size_t i = 0; i < sizeof global_list / sizeof *global_list; i++)
        if (str_is(name, global_list[i].name)) return global_list[i].fn;
    return NULL;
}
