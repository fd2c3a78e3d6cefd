/* gram_schema_type.c - what a conjunction of schemas allows of each type. */
#include <math.h>

#include "base/buf.h"
#include "grammar/gram_regex.h"
#include "grammar/gram_schema.h"

enum { MAX_MEMBERS = 2000, MAX_PREFIX = 500 };

/* ---- objects ---- */

typedef struct prop {
    str key;
    bool required;
    gram_node *pair; /* "key": value */
} prop;

typedef struct props {
    prop *p; /* [n] */
    uint32_t n;
} props;

static void note_key(schema *s, props *all, str key, bool required) {
    for (uint32_t i = 0; i < all->n; i++)
        if (str_eq(all->p[i].key, key)) {
            all->p[i].required |= required;
            return;
        }
    if (all->n == MAX_MEMBERS)
        (void)schema_fail(s, RZ_EFULL, "an object with more than %d members", MAX_MEMBERS);
    else all->p[all->n++] = (prop){key, required, NULL};
}

static void find_props(schema *s, const schema_set *set, props *all) {
    for (uint32_t i = 0; i < set->n && s->failed == RZ_OK; i++) {
        const json *list = json_get(set->part[i].at, "properties");
        if (list && list->kind != JSON_OBJECT)
            (void)schema_fail(s, RZ_EFORMAT, "properties must be an object");
        for (const json *m = list ? list->child : NULL; m && s->failed == RZ_OK; m = m->next)
            note_key(s, all, m->key, false);
    }
    for (uint32_t i = 0; i < set->n && s->failed == RZ_OK; i++) {
        const json *list = json_get(set->part[i].at, "required");
        if (list && list->kind != JSON_ARRAY)
            (void)schema_fail(s, RZ_EFORMAT, "required must be an array");
        for (const json *m = list ? list->child : NULL; m && s->failed == RZ_OK; m = m->next) {
            if (m->kind == JSON_STRING) note_key(s, all, m->text, true);
            else (void)schema_fail(s, RZ_EFORMAT, "required must hold strings");
        }
    }
}

/* The schemas of one member: of each part what it says of this key, or of keys it does not name. */
static gram_node *member_values(schema *s, const schema_set *set, str key) {
    schema_set *sub = arena_zero(&s->mem, 1, sizeof *sub);
    if (!sub) {
        s->t->failed = true;
        return &s->t->none;
    }
    for (uint32_t i = 0; i < set->n; i++) {
        const json *list = json_get(set->part[i].at, "properties"), *m = list ? list->child : NULL;
        while (m && !str_eq(m->key, key)) m = m->next;
        schema_add(s, sub, m ? m : json_get(set->part[i].at, "additionalProperties"));
    }
    return schema_values(s, sub);
}

static gram_node *quoted(schema *s, str text) {
    buf b = BUF_INIT;
    json_write_string(&b, text);
    gram_node *n = gram_text(s->t, buf_view(&b));
    s->t->failed |= b.failed;
    buf_free(&b);
    return n;
}

static gram_node *pair_of(schema *s, gram_node *key, gram_node *value) {
    gram_node *n = gram_cat(s->t, key, gram_literal(s->t, ":"));
    return gram_add(gram_add(n, gram_json_space(&s->j)), value);
}

/* Keys of plain characters that are none of the n, which begin with the same `depth` bytes: the
 * rest of such a key, with its quote. */
static gram_node *other_keys(schema *s, const str *key, uint32_t n, size_t depth, uint32_t rest) {
    gram_tree *t = s->t;
    gram_range *used = arena_alloc(&t->mem, (n + 3u) * sizeof *used);
    bool whole = false;
    uint32_t n_used = 0;
    if (!used || depth > GRAM_MAX_NEST) {
        if (!used) t->failed = true;
        else
            (void)schema_fail(s, RZ_EFULL,
                              "additionalProperties beside a key of more than %d "
                              "characters",
                              GRAM_MAX_NEST);
        return &t->none;
    }
    gram_node *all = gram_new(t, GRAM_ALT);
    for (uint32_t i = 0; i < n && s->failed == RZ_OK && !t->failed;) {
        if (key[i].len == depth) {
            whole = true;
            i++;
            continue;
        }
        const uint8_t c = (uint8_t)key[i].p[depth];
        uint32_t end = i;
        while (end < n && key[end].len > depth && (uint8_t)key[end].p[depth] == c) end++;
        used[n_used++] = (gram_range){c, c};
        gram_add(all, gram_cat(t, gram_set(t, &used[n_used - 1], 1),
                               other_keys(s, key + i, end - i, depth + 1, rest)));
        i = end;
    }
    used[n_used++] = (gram_range){0, 0x1F};
    used[n_used++] = (gram_range){'"', '"'};
    used[n_used++] = (gram_range){'\\', '\\'};
    gram_add(all, gram_cat(t, gram_set_not(t, used, n_used), gram_call(t, rest)));
    return whole ? all : gram_add(all, gram_literal(t, "\""));
}

static void sort_keys(str *key, uint32_t n) {
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = i; k && (key[k].len < key[k - 1].len
                                       ? memcmp(key[k].p, key[k - 1].p, key[k].len) <= 0
                                       : memcmp(key[k].p, key[k - 1].p, key[k - 1].len) < 0);
             k--) {
            const str other = key[k];
            key[k] = key[k - 1];
            key[k - 1] = other;
        }
}

/* A key that is not among the named ones. */
static gram_node *extra_key(schema *s, const props *all) {
    gram_tree *t = s->t;
    if (all->n == 0) return gram_json_string(&s->j);
    str *key = arena_alloc(&s->mem, all->n * sizeof *key);
    if (!key) {
        t->failed = true;
        return &t->none;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < all->n; i++) {
        bool plain = true;
        for (size_t k = 0; k < all->p[i].key.len; k++) {
            const uint8_t c = (uint8_t)all->p[i].key.p[k];
            plain &= c >= 0x20 && c != '"' && c != '\\';
            if (c >= 0x80) {
                schema_fail(s, RZ_EUNSUPPORTED,
                            "additionalProperties beside a key that is not ASCII");
                return &t->none;
            }
        }
        if (plain) key[n++] = all->p[i].key; /* what needs escapes is no plain key anyway */
    }
    sort_keys(key, n);
    static const gram_range special[] = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    gram_range copy[3];
    memcpy(copy, special, sizeof copy);
    gram_node *any = gram_repeat(t, gram_set_not(t, copy, 3), 0, GRAM_INFINITE);
    const uint32_t rest = gram_rule_new(t, gram_cat(t, any, gram_literal(t, "\"")));
    return gram_cat(t, gram_literal(t, "\""), other_keys(s, key, n, 0, rest));
}

/* A member whose key is not named, or NULL where there are none. */
static gram_node *extra_member(schema *s, const schema_set *set, const props *all) {
    schema_set *sub = arena_zero(&s->mem, 1, sizeof *sub);
    bool open = false;
    if (!sub) {
        s->t->failed = true;
        return NULL;
    }
    for (uint32_t i = 0; i < set->n; i++) {
        const json *v = json_get(set->part[i].at, "additionalProperties");
        open |= v != NULL;
        schema_add(s, sub, v);
    }
    if (sub->never || (!open && schema_find(set, "properties"))) return NULL;
    gram_node *value = schema_values(s, sub);
    return gram_call(s->t, gram_rule_new(s->t, pair_of(s, extra_key(s, all), value)));
}

static gram_node *with_comma(schema *s, gram_node *n) {
    return gram_cat(s->t, gram_json_comma(&s->j), n);
}

/* A copy of the reference: nodes have one parent. */
static gram_node *again(schema *s, const gram_node *n) {
    gram_node *copy = gram_new(s->t, n->kind);
    *copy = *n;
    copy->next = NULL;
    return copy;
}

/* Members in order: tail[i] is what may follow once something was written and member i is next. */
static gram_node *members(schema *s, const props *all, gram_node *extra) {
    gram_tree *t = s->t;
    gram_node *end = gram_new(t, GRAM_EMPTY);
    if (extra) end = gram_repeat(t, with_comma(s, again(s, extra)), 0, GRAM_INFINITE);
    uint32_t tail = gram_rule_new(t, end);
    /* first: what may come when nothing was written; NULL: at least one member must still come */
    gram_node *first = gram_new(t, GRAM_EMPTY);
    if (extra) first = gram_alt(t, first, gram_cat(t, again(s, extra), gram_call(t, tail)));
    for (uint32_t i = all->n; i-- > 0 && !t->failed;) {
        const prop *p = &all->p[i];
        gram_node *now = gram_cat(t, again(s, p->pair), gram_call(t, tail));
        gram_node *later = with_comma(s, again(s, p->pair));
        if (p->required) {
            first = now;
        } else {
            first = gram_alt(t, now, gram_call(t, gram_rule_new(t, first)));
            later = gram_repeat(t, later, 0, 1);
        }
        tail = gram_rule_new(t, gram_cat(t, later, gram_call(t, tail)));
    }
    return first;
}

/* Objects of any keys, min to max of them. */
static gram_node *counted(schema *s, gram_node *extra, uint32_t min, uint32_t max) {
    gram_tree *t = s->t;
    gram_node *more = gram_repeat(t, with_comma(s, again(s, extra)), min ? min - 1 : 0,
                                  max == GRAM_INFINITE ? max : max - 1);
    return gram_json_list(&s->j, "{}", gram_cat(t, extra, more), min == 0);
}

gram_node *schema_object(schema *s, const schema_set *set) {
    gram_tree *t = s->t;
    uint32_t min = 0, max = GRAM_INFINITE, n = 0;
    const bool least = schema_count(s, set, "minProperties", true, &min);
    const bool most = schema_count(s, set, "maxProperties", false, &max);
    const bool some = least || most;
    props all = {arena_alloc(&s->mem, MAX_MEMBERS * sizeof *all.p), 0};
    if (!all.p) t->failed = true;
    if (t->failed || s->failed != RZ_OK) return &t->none;
    find_props(s, set, &all);
    for (; n < all.n && s->failed == RZ_OK && !t->failed; n++) {
        gram_node *pair = pair_of(s, quoted(s, all.p[n].key), member_values(s, set, all.p[n].key));
        all.p[n].pair = gram_call(t, gram_rule_new(t, pair));
    }
    if (t->failed || s->failed != RZ_OK) return &t->none;
    gram_node *extra = extra_member(s, set, &all);
    if (some && (all.n || !extra))
        return schema_fail(s, RZ_EUNSUPPORTED,
                           "minProperties and maxProperties beside properties are not supported");
    if (some && max < min) return gram_new(t, GRAM_NEVER);
    if (some && max > 0) return counted(s, extra, min, max);
    if (some) return gram_json_list(&s->j, "{}", gram_new(t, GRAM_EMPTY), true);
    return gram_json_list(&s->j, "{}", members(s, &all, extra), false);
}

/* ---- arrays ---- */

/* Element i of arrays that a conjunction allows: of each part prefixItems[i], else items. */
static gram_node *element(schema *s, const schema_set *set, uint32_t i, bool *never) {
    schema_set *sub = arena_zero(&s->mem, 1, sizeof *sub);
    *never = false;
    if (!sub) {
        s->t->failed = true;
        return &s->t->none;
    }
    for (uint32_t k = 0; k < set->n; k++) {
        const json *prefix = json_get(set->part[k].at, "prefixItems");
        const json *items = json_get(set->part[k].at, "items");
        if (items && items->kind == JSON_ARRAY) prefix = items, items = NULL; /* before 2020-12 */
        const json *v = prefix ? prefix->child : NULL;
        for (uint32_t n = 0; v && n < i; n++) v = v->next;
        if (v) schema_add(s, sub, v);
        else if (items) schema_add(s, sub, items);
        else if (prefix) sub->never = true; /* nothing is said of what follows: leave it out */
    }
    *never = sub->never;
    return schema_values(s, sub);
}

static uint32_t longest_prefix(schema *s, const schema_set *set) {
    uint32_t most = 0;
    for (uint32_t k = 0; k < set->n; k++) {
        const json *prefix = json_get(set->part[k].at, "prefixItems");
        const json *items = json_get(set->part[k].at, "items");
        if (items && items->kind == JSON_ARRAY) prefix = items;
        if (prefix && prefix->kind != JSON_ARRAY)
            (void)schema_fail(s, RZ_EFORMAT, "prefixItems must be an array");
        else if (prefix && prefix->n > most) most = prefix->n;
    }
    if (most > MAX_PREFIX)
        (void)schema_fail(s, RZ_EFULL, "prefixItems of more than %d elements", MAX_PREFIX);
    return most;
}

gram_node *schema_array(schema *s, const schema_set *set) {
    gram_tree *t = s->t;
    uint32_t min = 0, max = GRAM_INFINITE;
    schema_count(s, set, "minItems", true, &min);
    schema_count(s, set, "maxItems", false, &max);
    const uint32_t prefix = longest_prefix(s, set);
    if (max < min) return gram_new(t, GRAM_NEVER);
    if (t->failed || s->failed != RZ_OK) return &t->none;
    if (max == 0) return gram_json_list(&s->j, "[]", gram_new(t, GRAM_EMPTY), true);
    bool none;
    /* From the last to the first: what may follow once element i - 1 is written. */
    gram_node *rest = element(s, set, prefix, &none), *tail = gram_new(t, GRAM_EMPTY),
              *first = NULL;
    const uint32_t fixed = prefix < max ? prefix : max;
    if (none && min > fixed) return gram_new(t, GRAM_NEVER);
    if (!none && max > fixed) {
        const uint32_t begun = fixed ? fixed : 1; /* elements written before the repetition */
        const uint32_t least = min > begun ? min - begun : 0;
        const uint32_t most = max == GRAM_INFINITE ? max : max - begun;
        tail = gram_repeat(t, with_comma(s, again(s, rest)), least, most);
        if (fixed == 0) first = gram_cat(t, rest, tail);
    }
    for (uint32_t i = fixed; i-- > 0 && s->failed == RZ_OK && !t->failed;) {
        gram_node *one = element(s, set, i, &none);
        gram_node *with = gram_cat(t, one, gram_call(t, gram_rule_new(t, tail)));
        if (i == 0) first = with;
        else tail = gram_repeat(t, with_comma(s, with), i < min ? 1 : 0, 1);
    }
    return gram_json_list(&s->j, "[]", first ? first : gram_new(t, GRAM_EMPTY), min == 0);
}

/* ---- strings ---- */

#define DATE                                                                                 \
    "[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]" \
    "[0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
#define TIME                                                                                     \
    "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):" \
    "[0-5][0-9])"
#define OCTET "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

/* Some of the texts each format means; all that come out are of it. */
static const struct {
    const char *name, *pattern;
} formats[] = {
    {"date", DATE},
    {"time", TIME},
    {"date-time", DATE "T" TIME},
    {"uuid", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"},
    {"ipv4", OCTET "(?:\\." OCTET "){3}"},
    {"duration", "P(?:[0-9]{1,4}W|[0-9]{1,4}D|T[0-9]{1,4}[HMS]|[0-9]{1,4}DT[0-9]{1,4}[HMS])"},
    {"email",
     "[A-Za-z0-9_+-]{1,20}(?:\\.[A-Za-z0-9_+-]{1,20}){0,3}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,20}"
     "[A-Za-z0-9])?(?:\\.[A-Za-z](?:[A-Za-z0-9-]{0,20}[A-Za-z0-9])?){1,3}"},
};

static gram_node *by_pattern(schema *s, str pattern, bool anywhere, gram_spell *spell) {
    gram_node *inside = &s->t->none;
    const status r = gram_regex(s->t, pattern, anywhere, spell, &inside, s->e);
    if (r < 0 && s->failed == RZ_OK) {
        s->failed = r;
        err_at(s->e, r, "JSON schema: pattern");
    }
    gram_node *open = gram_cat(s->t, gram_literal(s->t, "\""), inside);
    return gram_add(open, gram_literal(s->t, "\""));
}

gram_node *schema_string(schema *s, const schema_set *set) {
    gram_tree *t = s->t;
    uint32_t min = 0, max = GRAM_INFINITE;
    const bool least = schema_count(s, set, "minLength", true, &min);
    const bool most = schema_count(s, set, "maxLength", false, &max);
    const bool counted = least || most;
    const json *pattern = schema_find(set, "pattern"), *format = schema_find(set, "format");
    if (s->failed != RZ_OK) return &t->none;
    uint32_t patterns = 0;
    for (uint32_t i = 0; i < set->n; i++) {
        patterns += json_get(set->part[i].at, "pattern") ? 1 : 0;
        patterns += json_get(set->part[i].at, "format") ? 1 : 0;
    }
    if (patterns + (counted ? 1 : 0) > 1)
        return schema_fail(s, RZ_EUNSUPPORTED,
                           "more than one of pattern, format and minLength or maxLength for one "
                           "string is not supported");
    if ((pattern && pattern->kind != JSON_STRING) || (format && format->kind != JSON_STRING))
        return schema_fail(s, RZ_EFORMAT, "pattern and format must be strings");
    if (pattern) return by_pattern(s, pattern->text, true, gram_json_spell);
    for (size_t i = 0; format && i < sizeof formats / sizeof *formats; i++)
        if (str_is(format->text, formats[i].name))
            return by_pattern(s, str_of(formats[i].pattern), false, NULL);
    if (format)
        return schema_fail(s, RZ_EUNSUPPORTED, "format \"%.*s\" is not supported",
                           STR_FMT(format->text));
    if (!counted) return gram_json_string(&s->j);
    if (max < min) return gram_new(t, GRAM_NEVER);
    gram_node *inside = gram_repeat(t, gram_json_char(&s->j), min, max);
    return gram_add(gram_cat(t, gram_literal(t, "\""), inside), gram_literal(t, "\""));
}

/* ---- numbers ---- */

typedef struct bounds {
    double lo, hi;
    bool open_lo, open_hi, some; /* open: the bound itself is not allowed */
} bounds;

static void bound(schema *s, const schema_set *set, const char *key, bool low, bool open,
                  bounds *b) {
    for (uint32_t i = 0; i < set->n; i++) {
        const json *v = json_get(set->part[i].at, key);
        if (!v) continue;
        if (v->kind != JSON_NUMBER || fabs(v->number) > 9e15) {
            (void)schema_fail(s, RZ_EFORMAT, "%s must be a number within 9e15 of zero", key);
            return;
        }
        b->some = true;
        double *at = low ? &b->lo : &b->hi;
        bool *is_open = low ? &b->open_lo : &b->open_hi;
        const bool tighter = low ? v->number > *at : v->number < *at;
        if (!tighter && (v->number < *at || v->number > *at)) continue;
        *is_open = tighter ? open : (*is_open || open);
        *at = v->number;
    }
}

/* "." and digits of which the last is no zero: never a whole number. */
static gram_node *fraction(gram_tree *t) {
    static const gram_range digit = {'0', '9'}, last = {'1', '9'};
    gram_node *n = gram_cat(t, gram_literal(t, "."), gram_repeat(t, gram_set(t, &digit, 1), 0, 14));
    return gram_add(n, gram_set(t, &last, 1));
}

/* Whole numbers within the bounds, and n.f where all of n to n + 1 is. */
static gram_node *bounded(schema *s, const bounds *b, bool whole) {
    gram_tree *t = s->t;
    gram_node *all = gram_new(t, GRAM_ALT);
    double lo = ceil(b->lo), hi = floor(b->hi);
    if (!whole) {
        const double up = hi - 1, from = lo > 0 ? lo : 0; /* n.f above zero, n <= up */
        if (from <= up)
            gram_add(all,
                     gram_cat(t, gram_json_between(t, (int64_t)from, (int64_t)up), fraction(t)));
        const double down = -lo - 1, to = hi < 0 ? -hi : 0; /* -n.f */
        if (to <= down) {
            gram_node *minus =
                gram_cat(t, gram_literal(t, "-"), gram_json_between(t, (int64_t)to, (int64_t)down));
            gram_add(all, gram_add(minus, fraction(t)));
        }
    }
    if (b->open_lo && lo <= b->lo) lo++;
    if (b->open_hi && hi >= b->hi) hi--;
    if (lo <= hi) gram_add(all, gram_json_between(t, (int64_t)lo, (int64_t)hi));
    if (!all->child)
        return schema_fail(s, RZ_EUNSUPPORTED, "no %s between %g and %g can be made",
                           whole ? "integer" : "number", b->lo, b->hi);
    return all;
}

gram_node *schema_number(schema *s, const schema_set *set, bool whole) {
    bounds b = {-9999999999999999.0, 9999999999999999.0, false, false, false};
    for (uint32_t i = 0; i < set->n; i++) {
        const json *v = json_get(set->part[i].at, "multipleOf");
        if (!v) continue;
        if (!whole || v->kind != JSON_NUMBER || v->number < 1 || v->number > 1)
            return schema_fail(s, RZ_EUNSUPPORTED, "keyword \"multipleOf\" is not supported");
    }
    bound(s, set, "minimum", true, false, &b);
    bound(s, set, "maximum", false, false, &b);
    bound(s, set, "exclusiveMinimum", true, true, &b);
    bound(s, set, "exclusiveMaximum", false, true, &b);
    if (s->failed != RZ_OK) return &s->t->none;
    if (b.some) return bounded(s, &b, whole);
    return whole ? gram_json_integer(&s->j) : gram_json_number(&s->j);
}
