/* gram_json.c - see gram_json.h. */
#include "grammar/gram_json.h"

#include <stdio.h>

enum { INDENT = 20 };

static gram_node *once(gram_json *j, uint32_t *slot, gram_node *(*make)(gram_json *j)) {
    if (!*slot) { /* the number first: the rule may be part of itself */
        const uint32_t rule = gram_rule_new(j->t, NULL);
        if (rule == GRAM_INFINITE) return &j->t->none;
        *slot = rule + 1;
        gram_node *body = make(j);
        j->t->rule[rule].body = body;
    }
    return gram_call(j->t, *slot - 1);
}

static gram_node *range(gram_tree *t, uint32_t lo, uint32_t hi) {
    return gram_set(t, &(gram_range){lo, hi}, 1);
}

static gram_node *digits(gram_tree *t, uint32_t min, uint32_t max) {
    return gram_repeat(t, range(t, '0', '9'), min, max);
}

static gram_node *make_space(gram_json *j) {
    gram_tree *t = j->t;
    static const gram_range blank[] = {{' ', ' '}, {'\t', '\t'}};
    gram_node *indent = gram_repeat(t, gram_set(t, blank, 2), 0, INDENT);
    gram_node *all = gram_alt(t, gram_new(t, GRAM_EMPTY), gram_literal(t, " "));
    return gram_add(all, gram_cat(t, gram_literal(t, "\n"), indent));
}

gram_node *gram_json_space(gram_json *j) { return once(j, &j->space, make_space); }

gram_node *gram_json_comma(gram_json *j) {
    return gram_cat(j->t, gram_literal(j->t, ","), gram_json_space(j));
}

static const gram_range plain[] = {{0x20, 0x21}, {0x23, 0x5B}, {0x5D, GRAM_MAX_CHAR}};

gram_node *gram_json_char(gram_json *j) {
    gram_tree *t = j->t;
    static const gram_range named[] = {{'"', '"'}, {'/', '/'}, {'\\', '\\'}, {'b', 'b'},
                                       {'f', 'f'}, {'n', 'n'}, {'r', 'r'},   {'t', 't'}};
    static const gram_range hex[] = {{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
    static const gram_range not_d[] = {{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}};
    static const gram_range d[] = {{'D', 'D'}, {'d', 'd'}};
    gram_node *high = gram_cat(t, gram_set(t, not_d, 5), gram_repeat(t, gram_set(t, hex, 3), 3, 3));
    gram_node *low = gram_cat(t, gram_set(t, d, 2), range(t, '0', '7'));
    gram_add(low, gram_repeat(t, gram_set(t, hex, 3), 2, 2));
    gram_node *code = gram_cat(t, gram_literal(t, "u"), gram_alt(t, high, low));
    gram_node *escape = gram_alt(t, gram_set(t, named, sizeof named / sizeof *named), code);
    return gram_alt(t, gram_set(t, plain, 3), gram_cat(t, gram_literal(t, "\\"), escape));
}

static gram_node *make_string(gram_json *j) {
    gram_tree *t = j->t;
    gram_node *all = gram_repeat(t, gram_json_char(j), 0, GRAM_INFINITE);
    return gram_add(gram_cat(t, gram_literal(t, "\""), all), gram_literal(t, "\""));
}

gram_node *gram_json_string(gram_json *j) { return once(j, &j->string, make_string); }

/* At most 16 digits, which a double holds nearly exactly. */
static gram_node *make_integer(gram_json *j) {
    gram_tree *t = j->t;
    gram_node *more = gram_cat(t, range(t, '1', '9'), digits(t, 0, 15));
    gram_node *minus = gram_repeat(t, gram_literal(t, "-"), 0, 1);
    return gram_cat(t, minus, gram_alt(t, gram_literal(t, "0"), more));
}

gram_node *gram_json_integer(gram_json *j) { return once(j, &j->integer, make_integer); }

static gram_node *make_number(gram_json *j) {
    gram_tree *t = j->t;
    static const gram_range sign[] = {{'+', '+'}, {'-', '-'}}, e[] = {{'E', 'E'}, {'e', 'e'}};
    gram_node *fraction = gram_cat(t, gram_literal(t, "."), digits(t, 1, 16));
    gram_node *power = gram_cat(t, gram_set(t, e, 2), gram_repeat(t, gram_set(t, sign, 2), 0, 1));
    gram_add(power, digits(t, 1, 2));
    gram_node *all = gram_cat(t, gram_json_integer(j), gram_repeat(t, fraction, 0, 1));
    return gram_add(all, gram_repeat(t, power, 0, 1));
}

gram_node *gram_json_number(gram_json *j) { return once(j, &j->number, make_number); }

gram_node *gram_json_list(gram_json *j, const char *brackets, gram_node *inside, bool optional) {
    gram_tree *t = j->t;
    char text[2][2] = {{brackets[0], 0}, {brackets[1], 0}};
    gram_node *full = gram_cat(t, inside, gram_json_space(j));
    gram_node *all = gram_cat(t, gram_text(t, str_of(text[0])), gram_json_space(j));
    gram_add(all, gram_repeat(t, full, optional ? 0 : 1, 1));
    return gram_add(all, gram_text(t, str_of(text[1])));
}

/* one ("," one)* */
static gram_node *several(gram_json *j, gram_node *(*one)(gram_json *j)) {
    gram_tree *t = j->t;
    gram_node *more = gram_cat(t, gram_json_comma(j), one(j));
    return gram_cat(t, one(j), gram_repeat(t, more, 0, GRAM_INFINITE));
}

static gram_node *make_member(gram_json *j) {
    gram_tree *t = j->t;
    gram_node *key = gram_cat(t, gram_json_string(j), gram_literal(t, ":"));
    return gram_add(gram_add(key, gram_json_space(j)), gram_json_value(j));
}

static gram_node *make_object(gram_json *j) {
    return gram_json_list(j, "{}", several(j, make_member), true);
}

static gram_node *make_array(gram_json *j) {
    return gram_json_list(j, "[]", several(j, gram_json_value), true);
}

gram_node *gram_json_object(gram_json *j) { return once(j, &j->object, make_object); }
gram_node *gram_json_array(gram_json *j) { return once(j, &j->array, make_array); }

static gram_node *make_value(gram_json *j) {
    gram_tree *t = j->t;
    gram_node *all = gram_alt(t, gram_json_object(j), gram_json_array(j));
    gram_add(gram_add(all, gram_json_string(j)), gram_json_number(j));
    gram_add(gram_add(all, gram_literal(t, "true")), gram_literal(t, "false"));
    return gram_add(all, gram_literal(t, "null"));
}

gram_node *gram_json_value(gram_json *j) { return once(j, &j->value, make_value); }

status gram_read_json(gram_tree *t, err *e) {
    gram_json j = {.t = t};
    gram_node *body = gram_json_object(&j);
    t->root = gram_rule_new(t, body);
    return gram_tree_check(t, e);
}

/* ---- sets of characters inside strings ---- */

/* The part of r[n] within lo..hi, added to out. */
static void clip(const gram_range *r, uint32_t n, uint32_t lo, uint32_t hi, gram_range *out,
                 uint32_t *n_out) {
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t a = r[i].lo > lo ? r[i].lo : lo, b = r[i].hi < hi ? r[i].hi : hi;
        if (a <= b) out[(*n_out)++] = (gram_range){a, b};
    }
}

static bool has(const gram_range *r, uint32_t n, uint32_t c) {
    for (uint32_t i = 0; i < n; i++)
        if (r[i].lo <= c && c <= r[i].hi) return true;
    return false;
}

gram_node *gram_json_spell(gram_tree *t, const gram_range *r, uint32_t n) {
    static const char known[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    gram_range *open = arena_alloc(&t->mem, (3 * (size_t)n + 1) * sizeof *open);
    uint32_t n_open = 0;
    if (!open) {
        t->failed = true;
        return &t->none;
    }
    for (size_t i = 0; i < 3; i++) clip(r, n, plain[i].lo, plain[i].hi, open, &n_open);
    gram_node *all = gram_add(gram_new(t, GRAM_ALT), gram_set(t, open, n_open));
    for (uint32_t c = 0; c <= '\\'; c++) {
        char text[8];
        const char *at = c ? strchr(known, (int)c) : NULL;
        if ((c >= 0x20 && !at) || !has(r, n, c)) continue;
        if (at) (void)snprintf(text, sizeof text, "\\%c", letter[at - known]);
        else (void)snprintf(text, sizeof text, "\\u%04x", (unsigned)c);
        gram_add(all, gram_text(t, str_of(text)));
    }
    return all;
}

/* ---- integers within bounds ---- */

static gram_node *digit_range(gram_tree *t, char lo, char hi) {
    return range(t, (uint32_t)lo, (uint32_t)hi);
}

/* Texts of n digits from lo[] to hi[], which have n each: a first digit strictly between leaves the
 * rest free; one on a bound goes on with it. */
static gram_node *same_length(gram_tree *t, const char *lo, const char *hi, uint32_t n) {
    if (n == 0) return gram_new(t, GRAM_EMPTY);
    bool low = true, high = true;
    for (uint32_t i = 1; i < n; i++) {
        low &= lo[i] == '0';
        high &= hi[i] == '9';
    }
    if (low && high) return gram_cat(t, digit_range(t, lo[0], hi[0]), digits(t, n - 1, n - 1));
    if (lo[0] == hi[0])
        return gram_cat(t, digit_range(t, lo[0], lo[0]), same_length(t, lo + 1, hi + 1, n - 1));
    gram_node *all = gram_new(t, GRAM_ALT);
    const char first = low ? lo[0] : (char)(lo[0] + 1), last = high ? hi[0] : (char)(hi[0] - 1);
    if (!low)
        gram_add(all, gram_cat(t, digit_range(t, lo[0], lo[0]),
                               same_length(t, lo + 1, "999999999999999999999", n - 1)));
    if (first <= last)
        gram_add(all, gram_cat(t, digit_range(t, first, last), digits(t, n - 1, n - 1)));
    if (!high)
        gram_add(all, gram_cat(t, digit_range(t, hi[0], hi[0]),
                               same_length(t, "000000000000000000000", hi + 1, n - 1)));
    return all;
}

static gram_node *unsigned_between(gram_tree *t, uint64_t lo, uint64_t hi) {
    gram_node *all = gram_new(t, GRAM_ALT);
    for (;;) { /* one length after the other */
        char a[24], b[24];
        uint64_t most = 9;
        while (most < lo) most = most > UINT64_MAX / 10 - 1 ? UINT64_MAX : most * 10 + 9;
        if (most > hi) most = hi;
        const int n = snprintf(a, sizeof a, "%llu", (unsigned long long)lo);
        (void)snprintf(b, sizeof b, "%llu", (unsigned long long)most);
        gram_add(all, same_length(t, a, b, (uint32_t)n));
        if (most == hi) return all;
        lo = most + 1;
    }
}

gram_node *gram_json_between(gram_tree *t, int64_t lo, int64_t hi) {
    gram_node *all = gram_new(t, GRAM_ALT);
    if (lo < 0) {
        const uint64_t most = (uint64_t)0 - (uint64_t)lo;
        const uint64_t least = hi < 0 ? (uint64_t)0 - (uint64_t)hi : 1;
        gram_add(all, gram_cat(t, gram_literal(t, "-"), unsigned_between(t, least, most)));
    }
    if (hi >= 0) gram_add(all, unsigned_between(t, lo > 0 ? (uint64_t)lo : 0, (uint64_t)hi));
    return all;
}
