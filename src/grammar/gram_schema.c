/* gram_schema.c - JSON schemas (2020-12 and what older drafts spell the same) as grammars.
 *
 * Everything that comes out is described by the schema; not everything it describes comes out:
 * members stand in the order of `properties`, objects that name their members have no others unless
 * additionalProperties is given, and oneOf is read as anyOf. */
#include "grammar/gram_schema.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

gram_node *schema_fail(schema *s, status why, const char *fmt, ...) {
    char text[300];
    va_list list;
    va_start(list, fmt);
    (void)vsnprintf(text, sizeof text, fmt, list);
    va_end(list);
    if (s->failed == RZ_OK) s->failed = err_set(s->e, why, "JSON schema: %s", text);
    return &s->t->none;
}

/* ---- references ---- */

/* One step of a JSON pointer, with ~0 ~1 and %XX read; false: it is none. */
static bool unescape(schema *s, str part, str *out) {
    char *p = arena_alloc(&s->mem, part.len + 1);
    size_t n = 0;
    if (!p) {
        s->t->failed = true;
        return false;
    }
    for (size_t i = 0; i < part.len; i++) {
        const int high = i + 2 < part.len ? str_hex_digit(part.p[i + 1]) : -1;
        const int low = high >= 0 ? str_hex_digit(part.p[i + 2]) : -1;
        if (part.p[i] == '~' && i + 1 < part.len) p[n++] = part.p[++i] == '1' ? '/' : '~';
        else if (part.p[i] == '%' && low >= 0) p[n++] = (char)(high * 16 + low), i += 2;
        else p[n++] = part.p[i];
    }
    *out = (str){p, n};
    return true;
}

static const json *member(const json *object, str key) {
    if (!object || object->kind != JSON_OBJECT) return NULL;
    for (const json *m = object->child; m; m = m->next)
        if (str_eq(m->key, key)) return m;
    return NULL;
}

static const json *step_to(const json *at, str key) {
    uint64_t i;
    if (!at || at->kind != JSON_ARRAY) return member(at, key);
    if (!str_u64(key, &i) || i >= at->n) return NULL;
    const json *v = at->child;
    while (i--) v = v->next;
    return v;
}

/* "#", "#/$defs/name": within this schema only. */
static const json *resolve(schema *s, const json *ref) {
    if (ref->kind != JSON_STRING) {
        (void)schema_fail(s, RZ_EFORMAT, "$ref must be a string, not %s",
                          json_kind_name(ref->kind));
        return NULL;
    }
    str rest = ref->text;
    if (!str_starts(rest, STR_LIT("#")) || (rest.len > 1 && rest.p[1] != '/')) {
        (void)schema_fail(s, RZ_EUNSUPPORTED, "$ref \"%.*s\": only references that begin with #/",
                          STR_FMT(rest));
        return NULL;
    }
    const json *at = s->root;
    (void)str_split(&rest, '/');
    while (rest.p && at) {
        str key;
        if (!unescape(s, str_split(&rest, '/'), &key)) return NULL;
        at = step_to(at, key);
    }
    if (!at) (void)schema_fail(s, RZ_EFORMAT, "$ref \"%.*s\" leads nowhere", STR_FMT(ref->text));
    return at;
}

/* ---- conjunctions ---- */

static const char *const refused[] = {
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "contains",
    "minContains",
    "maxContains",
    "unevaluatedItems",
    "unevaluatedProperties",
    "additionalItems",
    "$dynamicRef",
    "$recursiveRef",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
};

static void check_keywords(schema *s, const json *v) {
    for (const json *m = v->child; m && s->failed == RZ_OK; m = m->next) {
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
            if (str_is(m->key, refused[i]))
                (void)schema_fail(s, RZ_EUNSUPPORTED, "keyword \"%s\" is not supported",
                                  refused[i]);
        if (str_is(m->key, "uniqueItems") && !(m->kind == JSON_BOOL && !m->truth))
            (void)schema_fail(s, RZ_EUNSUPPORTED, "keyword \"uniqueItems\" is not supported");
    }
}

static void add_part(schema *s, schema_set *set, schema_part part) {
    for (uint32_t i = 0; i < set->n; i++) {
        schema_part *p = &set->part[i];
        if (p->at != part.at) continue;
        p->any_of |= part.any_of;
        p->one_of |= part.one_of;
        return;
    }
    if (set->n == SCHEMA_MAX_PARTS) {
        (void)schema_fail(s, RZ_EFULL, "more than %d schemas apply to one value", SCHEMA_MAX_PARTS);
        return;
    }
    set->part[set->n++] = part;
}

void schema_add(schema *s, schema_set *set, const json *v) {
    if (!v || s->failed != RZ_OK) return;
    if (v->kind == JSON_BOOL) {
        set->never |= !v->truth;
        return;
    }
    if (v->kind != JSON_OBJECT) {
        (void)schema_fail(s, RZ_EFORMAT, "a schema must be an object or a boolean, not %s",
                          json_kind_name(v->kind));
        return;
    }
    for (uint32_t i = 0; i < set->n; i++)
        if (set->part[i].at == v) return; /* also where a reference comes back to itself */
    check_keywords(s, v);
    add_part(s, set, (schema_part){v, 0, 0});
    if (++s->depth > SCHEMA_MAX_NEST) (void)schema_fail(s, RZ_EFULL, "it nests too deeply");
    const json *ref = json_get(v, "$ref"), *all = json_get(v, "allOf");
    if (ref && s->failed == RZ_OK) schema_add(s, set, resolve(s, ref));
    if (all && all->kind != JSON_ARRAY)
        (void)schema_fail(s, RZ_EFORMAT, "allOf must be an array, not %s",
                          json_kind_name(all->kind));
    for (const json *m = all ? all->child : NULL; m && s->failed == RZ_OK; m = m->next)
        schema_add(s, set, m);
    s->depth--;
}

const json *schema_find(const schema_set *set, const char *key) {
    for (uint32_t i = 0; i < set->n; i++) {
        const json *v = json_get(set->part[i].at, key);
        if (v) return v;
    }
    return NULL;
}

bool schema_count(schema *s, const schema_set *set, const char *key, bool least, uint32_t *out) {
    bool found = false;
    for (uint32_t i = 0; i < set->n; i++) {
        const json *v = json_get(set->part[i].at, key);
        int64_t n;
        if (!v) continue;
        if (v->kind != JSON_NUMBER || !json_int(v, 0, INT64_MAX, &n)) {
            (void)schema_fail(s, RZ_EFORMAT, "%s must be a whole number that is not negative", key);
            return false;
        }
        if (n > GRAM_MAX_REPEAT && !least) n = GRAM_INFINITE; /* tested where states are counted */
        if (n > GRAM_MAX_REPEAT && least) {
            (void)schema_fail(s, RZ_EFULL, "%s is more than %d", key, GRAM_MAX_REPEAT);
            return false;
        }
        if (!found || (least ? (uint32_t)n > *out : (uint32_t)n < *out)) *out = (uint32_t)n;
        found = true;
    }
    return found;
}

/* ---- types ---- */

enum {
    T_NULL = 1,
    T_BOOL = 2,
    T_INTEGER = 4,
    T_NUMBER = 8,
    T_STRING = 16,
    T_ARRAY = 32,
    T_OBJECT = 64,
    T_ALL = 127,
};

static const struct {
    const char *name;
    unsigned type;
} types[] = {
    {"null", T_NULL},       {"boolean", T_BOOL},
    {"integer", T_INTEGER}, {"number", T_NUMBER | T_INTEGER},
    {"string", T_STRING},   {"array", T_ARRAY},
    {"object", T_OBJECT},
};

static unsigned type_named(schema *s, const json *v) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (v->kind == JSON_STRING && str_is(v->text, types[i].name)) return types[i].type;
    if (v->kind == JSON_STRING)
        (void)schema_fail(s, RZ_EFORMAT, "type \"%.*s\" does not exist", STR_FMT(v->text));
    else (void)schema_fail(s, RZ_EFORMAT, "type must be a string or an array of strings");
    return 0;
}

/* What a keyword is about, for schemas without `type`. */
static const struct {
    const char *key;
    unsigned type;
} about[] = {
    {"properties", T_OBJECT},
    {"required", T_OBJECT},
    {"additionalProperties", T_OBJECT},
    {"minProperties", T_OBJECT},
    {"maxProperties", T_OBJECT},
    {"items", T_ARRAY},
    {"prefixItems", T_ARRAY},
    {"minItems", T_ARRAY},
    {"maxItems", T_ARRAY},
    {"minLength", T_STRING},
    {"maxLength", T_STRING},
    {"pattern", T_STRING},
    {"format", T_STRING},
    {"minimum", T_NUMBER | T_INTEGER},
    {"maximum", T_NUMBER | T_INTEGER},
    {"exclusiveMinimum", T_NUMBER | T_INTEGER},
    {"exclusiveMaximum", T_NUMBER | T_INTEGER},
    {"multipleOf", T_NUMBER | T_INTEGER},
};

static unsigned types_of(schema *s, const schema_set *set) {
    unsigned all = T_ALL;
    bool named = false;
    for (uint32_t i = 0; i < set->n; i++) {
        const json *v = json_get(set->part[i].at, "type");
        if (!v) continue;
        unsigned some = 0;
        if (v->kind == JSON_ARRAY)
            for (const json *m = v->child; m; m = m->next) some |= type_named(s, m);
        else some = type_named(s, v);
        all &= some;
        named = true;
    }
    unsigned hinted = 0;
    for (size_t i = 0; i < sizeof about / sizeof *about && !named; i++)
        if (schema_find(set, about[i].key)) hinted |= about[i].type;
    return hinted ? hinted : all;
}

static gram_node *values_of_types(schema *s, const schema_set *set) {
    gram_tree *t = s->t;
    const unsigned type = types_of(s, set);
    if (type == T_ALL) return gram_json_value(&s->j);
    gram_node *all = gram_new(t, GRAM_ALT);
    if (type & T_OBJECT) gram_add(all, schema_object(s, set));
    if (type & T_ARRAY) gram_add(all, schema_array(s, set));
    if (type & T_STRING) gram_add(all, schema_string(s, set));
    if (type & T_NUMBER) gram_add(all, schema_number(s, set, false));
    else if (type & T_INTEGER) gram_add(all, schema_number(s, set, true));
    if (type & T_BOOL)
        gram_add(all, gram_alt(t, gram_literal(t, "true"), gram_literal(t, "false")));
    if (type & T_NULL) gram_add(all, gram_literal(t, "null"));
    return all;
}

/* ---- enum and const ---- */

static bool same(const json *a, const json *b) {
    if (a->kind != b->kind || a->n != b->n) return false;
    if (a->kind == JSON_BOOL) return a->truth == b->truth;
    if (a->kind == JSON_NUMBER) return a->number <= b->number && a->number >= b->number;
    if (a->kind == JSON_STRING) return str_eq(a->text, b->text);
    const json *y = b->child;
    for (const json *x = a->child; x; x = x->next, y = y->next) {
        const json *other = a->kind == JSON_OBJECT ? member(b, x->key) : y;
        if (!other || !same(x, other)) return false;
    }
    return true;
}

static unsigned type_of(const json *v) {
    int64_t n;
    switch (v->kind) {
        case JSON_NULL:
            return T_NULL;
        case JSON_BOOL:
            return T_BOOL;
        case JSON_STRING:
            return T_STRING;
        case JSON_ARRAY:
            return T_ARRAY;
        case JSON_OBJECT:
            return T_OBJECT;
        case JSON_NUMBER:
            break;
    }
    return json_int(v, INT64_MIN, INT64_MAX, &n) ? T_INTEGER | T_NUMBER : T_NUMBER;
}

/* Do the parts other than the one with `known`, which has v, allow it? */
static bool in_enums(const schema_set *set, const json *known, const json *v) {
    for (uint32_t i = 0; i < set->n; i++) {
        const json *one = json_get(set->part[i].at, "const");
        const json *list = json_get(set->part[i].at, "enum");
        if (list == known) continue;
        if (one && !same(one, v)) return false;
        const json *m = list ? list->child : v;
        while (m && !same(m, v)) m = m->next;
        if (list && !m) return false;
    }
    return true;
}

static void add_constant(schema *s, const schema_set *set, unsigned type, gram_node *all,
                         const json *known, const json *v) {
    if (!(type & type_of(v)) || !in_enums(set, known, v)) return;
    buf text = BUF_INIT;
    json_write(&text, v);
    if (text.failed) s->t->failed = true;
    else gram_add(all, gram_text(s->t, buf_view(&text)));
    buf_free(&text);
}

/* Only values that are written down; other keywords but `type` would have to be tried on them. */
static gram_node *constants(schema *s, const schema_set *set, const json *one, const json *list) {
    for (size_t i = 0; i < sizeof about / sizeof *about; i++)
        if (schema_find(set, about[i].key))
            return schema_fail(s, RZ_EUNSUPPORTED,
                               "keyword \"%s\" beside enum or const is not supported",
                               about[i].key);
    if (list && list->kind != JSON_ARRAY)
        return schema_fail(s, RZ_EFORMAT, "enum must be an array, not %s",
                           json_kind_name(list->kind));
    gram_node *all = gram_new(s->t, GRAM_ALT);
    const unsigned type = types_of(s, set);
    if (one) add_constant(s, set, type, all, one, one);
    for (const json *m = one ? NULL : list->child; m && !s->t->failed; m = m->next)
        add_constant(s, set, type, all, list, m);
    return all->child ? all : gram_new(s->t, GRAM_NEVER);
}

/* ---- anyOf and oneOf ---- */

static gram_node *branches(schema *s, const schema_set *set, const json *list) {
    if (list->kind != JSON_ARRAY || !list->n)
        return schema_fail(s, RZ_EFORMAT, "anyOf and oneOf must be arrays that are not empty");
    gram_node *all = gram_new(s->t, GRAM_ALT);
    schema_set *more = arena_alloc(&s->mem, sizeof *more);
    if (!more) s->t->failed = true;
    for (const json *m = list->child; m && s->failed == RZ_OK && !s->t->failed; m = m->next) {
        *more = *set;
        schema_add(s, more, m);
        gram_add(all, schema_values(s, more));
    }
    return all;
}

static gram_node *body_of(schema *s, schema_set *set) {
    for (uint32_t i = 0; i < set->n; i++) {
        schema_part *p = &set->part[i];
        const json *any = json_get(p->at, "anyOf"), *one = json_get(p->at, "oneOf");
        if (any && !p->any_of) {
            p->any_of = 1;
            return branches(s, set, any);
        }
        if (one && !p->one_of) {
            p->one_of = 1;
            return branches(s, set, one);
        }
    }
    const json *one = schema_find(set, "const"), *list = schema_find(set, "enum");
    return one || list ? constants(s, set, one, list) : values_of_types(s, set);
}

gram_node *schema_values(schema *s, schema_set *set) {
    if (s->failed != RZ_OK || s->t->failed) return &s->t->none;
    if (set->never) return gram_new(s->t, GRAM_NEVER);
    char key[SCHEMA_MAX_PARTS * (sizeof(void *) + 2)];
    size_t n = 0;
    for (uint32_t i = 0; i < set->n; i++) {
        memcpy(key + n, &set->part[i].at, sizeof(void *));
        n += sizeof(void *);
        key[n++] = (char)set->part[i].any_of;
        key[n++] = (char)set->part[i].one_of;
    }
    const uint64_t *known = map_get(&s->rules, (str){key, n});
    if (known) return gram_call(s->t, (uint32_t)*known);
    if (s->depth >= SCHEMA_MAX_NEST) return schema_fail(s, RZ_EFULL, "it nests too deeply");
    const uint32_t rule = gram_rule_new(s->t, NULL);
    const char *copy = arena_copy(&s->mem, key, n);
    if (rule == GRAM_INFINITE || !copy || map_put(&s->rules, (str){copy, n}, rule) == MAP_NOMEM) {
        s->t->failed = true;
        return &s->t->none;
    }
    s->depth++;
    gram_node *body = body_of(s, set);
    s->depth--;
    s->t->rule[rule].body = body;
    return gram_call(s->t, rule);
}

status gram_read_schema(gram_tree *t, str text, err *e) {
    schema s = {.t = t, .j = {.t = t}, .e = e};
    json *root = NULL;
    schema_set set = {.n = 0};
    if (text.len > GRAM_MAX_TEXT)
        return err_set(e, RZ_EFULL, "JSON schema: %zu bytes, at most %d are read", text.len,
                       GRAM_MAX_TEXT);
    s.mem.limit = GRAM_MAX_TREE;
    status r = json_parse(&root, text, &s.mem, e);
    if (r < 0) {
        err_at(e, r, "JSON schema");
    } else {
        s.root = root;
        schema_add(&s, &set, root);
        t->root = gram_rule_new(t, schema_values(&s, &set));
        r = s.failed != RZ_OK ? s.failed : gram_tree_check(t, e);
    }
    map_free(&s.rules);
    arena_free(&s.mem);
    return r;
}
