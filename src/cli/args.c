/* args.c - command line options, parsed by a table. Help is in args_help.c. */
#include "cli/args.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/nearest.h"

enum { MAX_OPTIONS = 128 };

typedef struct found {
    const arg_group *group;
    const arg_option *option;
} found;

static void *slot(found f, void *values) { return (char *)values + f.group->at + f.option->at; }

static found find_option(const arg_spec *s, str name, char letter) {
    for (size_t i = 0; i < s->n_group; i++)
        for (const arg_option *o = s->group[i].option; o->name; o++)
            if (letter ? o->letter == letter : str_is(name, o->name))
                return (found){&s->group[i], o};
    return (found){NULL, NULL};
}

/* ---- One value ---- */

static void describe_range(const arg_option *o, const char *what, char *out, size_t cap) {
    if (o->max > 2e9 && o->min <= -1e9) snprintf(out, cap, "%s", what);
    else if (o->max > 2e9) snprintf(out, cap, "%s, at least %.10g", what, o->min);
    else snprintf(out, cap, "%s from %.10g to %.10g", what, o->min, o->max);
}

static void describe_choice(const char *words, char *out, size_t cap) {
    str rest = str_of(words);
    size_t n = (size_t)snprintf(out, cap, "one of");
    while (rest.p && n < cap) {
        const str word = str_split(&rest, '|');
        n += (size_t)snprintf(out + n, cap - n, " %.*s", STR_FMT(word));
    }
}

/* What a value must be, for error texts. */
static void describe(const arg_option *o, char *out, size_t cap) {
    switch (o->kind) {
        case ARG_INT:
        case ARG_SIZE:
        case ARG_U64:
            describe_range(o, "a whole number", out, cap);
            break;
        case ARG_FLOAT:
            describe_range(o, "a number", out, cap);
            break;
        case ARG_BYTES:
            snprintf(out, cap, "a size in bytes such as 4096, 512M or 2G");
            break;
        case ARG_CHOICE:
            describe_choice(o->value, out, cap);
            break;
        default:
            snprintf(out, cap, "%s", o->value);
            break;
    }
}

static bool find_word(const char *words, str given, int *out) {
    str rest = str_of(words);
    for (int i = 0; rest.p; i++)
        if (str_eq(str_split(&rest, '|'), given)) {
            *out = i;
            return true;
        }
    return false;
}

static bool store_number(const arg_option *o, str text, void *to) {
    int64_t i;
    uint64_t u;
    double d;
    switch (o->kind) {
        case ARG_INT:
            if (!str_i64(text, &i) || (double)i < o->min || (double)i > o->max) return false;
            *(int *)to = (int)i;
            return true;
        case ARG_SIZE:
        case ARG_BYTES:
            if (o->kind == ARG_SIZE ? !str_u64(text, &u) : !str_bytes(text, &u)) return false;
            if ((double)u < o->min || (double)u > o->max || u > SIZE_MAX) return false;
            *(size_t *)to = (size_t)u;
            return true;
        case ARG_U64:
            return str_u64(text, to);
        default:
            if (!str_f64(text, &d) || d < o->min || d > o->max) return false;
            *(float *)to = (float)d;
            return true;
    }
}

static status store_list(arg_list *list, const char *text, size_t cap, err *e) {
    if (!list->item) {
        list->item = mem_array(cap, sizeof *list->item);
        if (!list->item) return err_set(e, RZ_ENOMEM, "out of memory for options");
    }
    list->item[list->n++] = text; /* never more than there are arguments */
    return RZ_OK;
}

/* `shown` is the option as it was typed, `cap` bounds how often an option can be given. */
static status store(found f, void *values, const char *shown, const char *text, size_t cap,
                    err *e) {
    void *to = slot(f, values);
    bool good = true;
    switch (f.option->kind) {
        case ARG_FLAG:
            *(bool *)to = true;
            return RZ_OK;
        case ARG_LIST:
            return store_list(to, text, cap, e);
        case ARG_TEXT:
            *(const char **)to = text;
            return RZ_OK;
        case ARG_CHOICE:
            good = find_word(f.option->value, str_of(text), to);
            break;
        default:
            good = store_number(f.option, str_of(text), to);
            break;
    }
    if (good) return RZ_OK;
    char want[200];
    describe(f.option, want, sizeof want);
    return err_set(e, RZ_EINVAL, "%s is \"%.80s\", expected %s", shown, text, want);
}

/* ---- The whole line ---- */

typedef struct parser {
    const arg_spec *spec;
    void *values;
    arg_list *rest;
    char **argv;
    int argc, at; /* argv[at] is being read */
    bool help;
} parser;

static status unknown(const parser *p, const char *shown, str name, err *e) {
    const char *names[MAX_OPTIONS + 1];
    char word[64];
    size_t n = 0;
    names[n++] = "help";
    for (size_t i = 0; i < p->spec->n_group; i++)
        for (const arg_option *o = p->spec->group[i].option; o->name && n < MAX_OPTIONS; o++)
            names[n++] = o->name;
    snprintf(word, sizeof word, "%.*s", STR_FMT(name));
    const char *near = nearest_name(word, names, n);
    if (near)
        return err_set(e, RZ_EINVAL, "%.60s: no such option; did you mean --%s?", shown, near);
    return err_set(e, RZ_EINVAL, "%.60s: no such option; --help lists them", shown);
}

/* The value of an option that needs one: behind it in the same argument, or the next argument. */
static status take_value(parser *p, found f, const char *shown, const char *inside,
                         const char **out, err *e) {
    char want[200];
    if (!inside && p->at + 1 < p->argc) inside = p->argv[++p->at];
    if (!inside) {
        describe(f.option, want, sizeof want);
        return err_set(e, RZ_EINVAL, "%s needs a value: %s", shown, want);
    }
    *out = inside;
    return RZ_OK;
}

static status read_long(parser *p, err *e) {
    const char *text = p->argv[p->at] + 2, *equals = strchr(text, '=');
    const str name = {text, equals ? (size_t)(equals - text) : strlen(text)};
    char shown[64];
    snprintf(shown, sizeof shown, "--%.*s", STR_FMT(name));
    if (str_is(name, "help") && !equals) {
        p->help = true;
        return RZ_OK;
    }
    const found f = find_option(p->spec, name, 0);
    if (!f.option) return unknown(p, shown, name, e);
    const char *value = equals ? equals + 1 : NULL;
    if (f.option->kind == ARG_FLAG) {
        if (value) return err_set(e, RZ_EINVAL, "%s takes no value, found \"%.80s\"", shown, value);
    } else {
        TRY(take_value(p, f, shown, value, &value, e));
    }
    return store(f, p->values, shown, value, (size_t)p->argc, e);
}

/* "-n5", "-n 5", "-qn5": flags may be joined, the rest of the word is the value of the last. */
static status read_letters(parser *p, err *e) {
    for (const char *c = p->argv[p->at] + 1; *c; c++) {
        const char shown[] = {'-', *c, 0};
        if (*c == 'h') {
            p->help = true;
            return RZ_OK;
        }
        const found f = find_option(p->spec, STR_LIT(""), *c);
        if (!f.option) return unknown(p, p->argv[p->at], STR_LIT(""), e);
        const char *value = c[1] ? c + 1 : NULL;
        if (f.option->kind != ARG_FLAG) TRY(take_value(p, f, shown, value, &value, e));
        TRY(store(f, p->values, shown, value, (size_t)p->argc, e));
        if (f.option->kind != ARG_FLAG) return RZ_OK;
    }
    return RZ_OK;
}

static status set_defaults(const arg_spec *s, void *values, err *e) {
    memset(values, 0, s->bytes);
    for (size_t i = 0; i < s->n_group; i++)
        for (const arg_option *o = s->group[i].option; o->name; o++)
            if (o->fallback)
                TRY(store((found){&s->group[i], o}, values, o->name, o->fallback, 1, e));
    return RZ_OK;
}

status args_parse(const arg_spec *spec, int argc, char **argv, void *values, arg_list *rest,
                  bool *help, err *e) {
    parser p = {spec, values, rest, argv, argc, 0, false};
    bool options = true;
    *rest = (arg_list){NULL, 0};
    *help = false;
    TRY(set_defaults(spec, values, e));
    for (; p.at < argc; p.at++) {
        const char *word = argv[p.at];
        if (options && strcmp(word, "--") == 0) options = false;
        else if (!options || word[0] != '-' || !word[1])
            TRY(store_list(rest, word, (size_t)argc, e));
        else TRY(word[1] == '-' ? read_long(&p, e) : read_letters(&p, e));
        if (p.help) break;
    }
    *help = p.help;
    return RZ_OK;
}

void args_free(const arg_spec *spec, void *values, arg_list *rest) {
    for (size_t i = 0; values && i < spec->n_group; i++)
        for (const arg_option *o = spec->group[i].option; o->name; o++)
            if (o->kind == ARG_LIST)
                mem_free(((arg_list *)slot((found){&spec->group[i], o}, values))->item);
    mem_free(rest->item);
    *rest = (arg_list){NULL, 0};
}
