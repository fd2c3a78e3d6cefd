/* ucd.c - lookup in the generated tables, and sets by the names people write in \p{...}. */
#include "unicode/ucd.h"

#include <string.h>

static const ucd_record *record(uint32_t cp) {
    /* Above the last code point: the record of an unassigned one (U+10FFFF is a noncharacter, so
     * a plain unassigned code point is taken). */
    if (cp > UCD_MAX) cp = 0xE0FFE;
    return &ucd_records[ucd_stage2[(size_t)ucd_stage1[cp / UCD_BLOCK] * UCD_BLOCK +
                                   cp % UCD_BLOCK]];
}

const char *ucd_version(void) { return ucd_tables_version; }
ucd_category ucd_category_of(uint32_t cp) { return (ucd_category)record(cp)->category; }
ucd_grapheme ucd_grapheme_of(uint32_t cp) { return (ucd_grapheme)record(cp)->grapheme; }
unsigned ucd_script_of(uint32_t cp) { return record(cp)->script; }
unsigned ucd_n_scripts(void) { return ucd_tables_scripts; }
const char *ucd_script_name(unsigned script) { return ucd_scripts[script].name; }
bool ucd_has(uint32_t cp, ucd_property p) { return record(cp)->props >> p & 1; }

#define MARKS (1u << UCD_Mn | 1u << UCD_Mc | 1u << UCD_Me)
#define LETTERS (1u << UCD_Lu | 1u << UCD_Ll | 1u << UCD_Lt | 1u << UCD_Lm | 1u << UCD_Lo)

static bool word_record(const ucd_record *r) {
    const uint64_t props = (uint64_t)1 << UCD_P_Alphabetic | (uint64_t)1 << UCD_P_Join_Control;
    const uint32_t categories = MARKS | 1u << UCD_Nd | 1u << UCD_Pc;
    return (r->props & props) != 0 || (categories >> r->category & 1);
}

bool ucd_word(uint32_t cp) { return word_record(record(cp)); }

#define NAME(name, alias) #name,
#define ALIAS(name, alias) alias,
static const char *const category_names[] = {UCD_CATEGORY_LIST(NAME)};
static const char *const category_long[] = {UCD_CATEGORY_LIST(ALIAS)};
static const char *const property_names[] = {UCD_PROPERTY_LIST(NAME)};
static const char *const property_short[] = {UCD_PROPERTY_LIST(ALIAS)};
static const char *const grapheme_names[] = {UCD_GRAPHEME_LIST(NAME)};
static const char *const grapheme_short[] = {UCD_GRAPHEME_LIST(ALIAS)};

bool ucd_in_major(uint32_t cp, char major) {
    return category_names[record(cp)->category][0] == major;
}

static uint32_t moved(uint32_t cp, int32_t distance) { return (uint32_t)((int64_t)cp + distance); }

uint32_t ucd_lower(uint32_t cp) { return moved(cp, record(cp)->lower); }
uint32_t ucd_upper(uint32_t cp) { return moved(cp, record(cp)->upper); }
uint32_t ucd_fold(uint32_t cp) { return moved(cp, record(cp)->fold); }
uint32_t ucd_case_next(uint32_t cp) { return moved(cp, record(cp)->next); }

/* ---- names ---- */

static bool passed_over(char c) { return c == ' ' || c == '_' || c == '-' || c == '\t'; }
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* Loose matching of UAX #44, 5.9.3. */
static bool same_name(str a, const char *b) {
    size_t i = 0, j = 0;
    for (;;) {
        while (i < a.len && passed_over(a.p[i])) i++;
        while (b[j] && passed_over(b[j])) j++;
        if (i == a.len || !b[j]) return i == a.len && !b[j];
        if (lower(a.p[i++]) != lower(b[j++])) return false;
    }
}

static bool find_name(str name, const char *const *names, size_t n, uint32_t *out) {
    for (size_t i = 0; i < n; i++) {
        if (!same_name(name, names[i])) continue;
        *out = (uint32_t)i;
        return true;
    }
    return false;
}

static bool find_category(str name, uint32_t *mask) {
    static const struct {
        const char *name, *alias, *majors;
    } groups[] = {{"L", "Letter", "L"},      {"M", "Mark", "M"},   {"N", "Number", "N"},
                  {"P", "Punctuation", "P"}, {"S", "Symbol", "S"}, {"Z", "Separator", "Z"},
                  {"C", "Other", "C"},       {"P", "punct", "P"},  {"M", "Combining_Mark", "M"}};
    uint32_t i;
    if (same_name(name, "LC") || same_name(name, "L&") || same_name(name, "Cased_Letter")) {
        *mask = 1u << UCD_Lu | 1u << UCD_Ll | 1u << UCD_Lt;
        return true;
    }
    if (find_name(name, category_names, UCD_N_CATEGORY, &i) ||
        find_name(name, category_long, UCD_N_CATEGORY, &i)) {
        *mask = 1u << i;
        return true;
    }
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        if (!same_name(name, groups[g].name) && !same_name(name, groups[g].alias)) continue;
        *mask = 0;
        for (i = 0; i < UCD_N_CATEGORY; i++)
            if (category_names[i][0] == groups[g].majors[0]) *mask |= 1u << i;
        return true;
    }
    return false;
}

static bool find_script(str name, uint32_t *out) {
    for (uint32_t i = 0; i < ucd_tables_scripts; i++) {
        if (!same_name(name, ucd_scripts[i].name) && !same_name(name, ucd_scripts[i].alias))
            continue;
        *out = i;
        return true;
    }
    return false;
}

static bool find_property(str name, uint32_t *out) {
    return find_name(name, property_names, UCD_N_PROPERTY, out) ||
           find_name(name, property_short, UCD_N_PROPERTY, out) ||
           (same_name(name, "WSpace") && (*out = UCD_P_White_Space, true));
}

static bool find_bare(str name, ucd_set *s) {
    static const struct {
        const char *name;
        ucd_set set;
    } special[] = {{"Any", {UCD_SET_ANY, 0}},
                   {"ASCII", {UCD_SET_ASCII, 0}},
                   {"Assigned", {UCD_SET_CATEGORIES, ~(1u << UCD_Cn)}},
                   {"Digit", {UCD_SET_CATEGORIES, 1u << UCD_Nd}},
                   {"Cntrl", {UCD_SET_CATEGORIES, 1u << UCD_Cc}}};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (!same_name(name, special[i].name)) continue;
        *s = special[i].set;
        return true;
    }
    s->kind = UCD_SET_CATEGORIES;
    if (find_category(name, &s->what)) return true;
    s->kind = UCD_SET_SCRIPT;
    if (find_script(name, &s->what)) return true;
    s->kind = UCD_SET_PROPERTY;
    return find_property(name, &s->what);
}

bool ucd_set_find(str name, ucd_set *out) {
    ucd_set s = {UCD_SET_ANY, 0};
    const char *eq = name.len ? memchr(name.p, '=', name.len) : NULL;
    if (!eq && name.len) eq = memchr(name.p, ':', name.len);
    if (!eq) {
        if (!find_bare(name, &s)) return false;
    } else {
        const str key = {name.p, (size_t)(eq - name.p)};
        const str value = {eq + 1, name.len - key.len - 1};
        if (same_name(key, "gc") || same_name(key, "General_Category")) {
            s.kind = UCD_SET_CATEGORIES;
            if (!find_category(value, &s.what)) return false;
        } else if (same_name(key, "sc") || same_name(key, "Script")) {
            s.kind = UCD_SET_SCRIPT;
            if (!find_script(value, &s.what)) return false;
        } else if (same_name(key, "gcb") || same_name(key, "Grapheme_Cluster_Break")) {
            s.kind = UCD_SET_GRAPHEME;
            if (!find_name(value, grapheme_names, UCD_N_GRAPHEME, &s.what) &&
                !find_name(value, grapheme_short, UCD_N_GRAPHEME, &s.what))
                return false;
        } else {
            return false;
        }
    }
    *out = s;
    return true;
}

/* ---- sets ---- */

static bool has_record(ucd_set s, const ucd_record *r) {
    switch (s.kind) {
        case UCD_SET_CATEGORIES:
            return s.what >> r->category & 1;
        case UCD_SET_SCRIPT:
            return r->script == s.what;
        case UCD_SET_PROPERTY:
            return r->props >> s.what & 1;
        case UCD_SET_WORD:
            return word_record(r);
        case UCD_SET_GRAPHEME:
            return r->grapheme == s.what;
        default:
            return true;
    }
}

bool ucd_set_has(ucd_set s, uint32_t cp) {
    if (cp > UCD_MAX) return false;
    if (s.kind == UCD_SET_ASCII) return cp < 0x80;
    return has_record(s, record(cp));
}

/* Blocks repeat for long stretches of the code space: one seen to be uniform is passed at once. */
bool ucd_set_ranges(ucd_set s, ucd_range_fn *range, void *arg) {
    if (s.kind == UCD_SET_ANY) return range(arg, 0, UCD_MAX);
    if (s.kind == UCD_SET_ASCII) return range(arg, 0, 0x7F);
    uint32_t lo = 0, known = UINT32_MAX, uniform = UINT32_MAX; /* record and block just judged */
    bool in = false, judged = false;
    for (uint32_t b = 0; b < UCD_N_BLOCK; b++) {
        if (ucd_stage1[b] == uniform) continue;
        const uint16_t *block = ucd_stage2 + (size_t)ucd_stage1[b] * UCD_BLOCK;
        bool changed = false;
        for (uint32_t i = 0; i < UCD_BLOCK; i++) {
            if (block[i] == known) continue;
            known = block[i];
            judged = has_record(s, &ucd_records[known]);
            if (judged == in) continue;
            const uint32_t cp = b * UCD_BLOCK + i;
            if (in && !range(arg, lo, cp - 1)) return false;
            lo = cp;
            in = judged;
            changed |= i > 0;
        }
        uniform = changed ? UINT32_MAX : ucd_stage1[b];
    }
    return !in || range(arg, lo, UCD_MAX);
}

uint32_t ucd_cased_from(uint32_t cp) {
    uint16_t none = UINT16_MAX; /* a block seen to have no cased code point */
    bool whole = false;
    for (; cp <= UCD_MAX; cp++) {
        if (cp % UCD_BLOCK == 0) {
            while (cp <= UCD_MAX && ucd_stage1[cp / UCD_BLOCK] == none) cp += UCD_BLOCK;
            if (cp > UCD_MAX) break;
            whole = true;
        }
        if (record(cp)->next != 0) return cp;
        if (whole && cp % UCD_BLOCK == UCD_BLOCK - 1) none = ucd_stage1[cp / UCD_BLOCK];
    }
    return UCD_MAX + 1;
}
