/* grammar_arg.c - constraints on the answer, from a file or the command line. */
#include "cli/grammar_arg.h"

#include "cli/input.h"

#define TEXT(n, f, v, h) \
    { .name = (n), .kind = ARG_TEXT, .at = offsetof(grammar_arg, f), .value = (v), .help = (h) }

/* clang-format off */
const arg_option grammar_arg_options[] = {
    TEXT("grammar", grammar_file, "PATH",
         "the answer fits this GBNF grammar; \"-\" is standard input"),
    TEXT("grammar-text", grammar, "TEXT", "the same, written here"),
    TEXT("json-schema", schema_file, "PATH", "the answer is JSON that this schema describes"),
    TEXT("json-schema-text", schema, "TEXT", "the same, written here"),
    TEXT("regex", regex, "RE", "this regular expression matches the whole answer"),
    {.name = "json", .kind = ARG_FLAG, .at = offsetof(grammar_arg, json),
     .help = "the answer is a JSON object"},
    {.name = NULL},
};
/* clang-format on */

typedef struct choice {
    const char *name, *file, *text;
    rz_grammar_kind kind;
} choice;

enum { N_CHOICE = 6 };

static void choices(const grammar_arg *a, choice out[N_CHOICE]) {
    const choice list[N_CHOICE] = {
        {"--grammar", a->grammar_file, NULL, RZ_GRAMMAR_GBNF},
        {"--grammar-text", NULL, a->grammar, RZ_GRAMMAR_GBNF},
        {"--json-schema", a->schema_file, NULL, RZ_GRAMMAR_SCHEMA},
        {"--json-schema-text", NULL, a->schema, RZ_GRAMMAR_SCHEMA},
        {"--regex", NULL, a->regex, RZ_GRAMMAR_REGEX},
        {"--json", NULL, a->json ? "" : NULL, RZ_GRAMMAR_JSON},
    };
    memcpy(out, list, sizeof list);
}

status grammar_arg_check(const grammar_arg *a, err *e) {
    choice list[N_CHOICE];
    const char *first = NULL;
    choices(a, list);
    for (int i = 0; i < N_CHOICE; i++) {
        if (!list[i].file && !list[i].text) continue;
        if (first)
            return err_set(e, RZ_EINVAL, "%s and %s: only one of them can hold", first,
                           list[i].name);
        first = list[i].name;
    }
    return RZ_OK;
}

status grammar_arg_make(const grammar_arg *a, const rz_tokenizer *t, rz_grammar **out, err *e) {
    choice list[N_CHOICE];
    choices(a, list);
    *out = NULL;
    for (int i = 0; i < N_CHOICE; i++) {
        const choice *c = &list[i];
        if (!c->file && !c->text) continue;
        buf text = BUF_INIT;
        status s = RZ_OK;
        if (c->file) s = input_text(NULL, c->file, "grammar", &text, e);
        else buf_text(&text, c->text);
        if (s >= 0 && text.failed) s = err_set(e, RZ_ENOMEM, "out of memory for a grammar");
        if (s >= 0) {
            s = rz_grammar_new(out, t, c->kind, text.p, text.len, e);
            if (s < 0) s = err_at(e, s, c->name);
        }
        buf_free(&text);
        return s;
    }
    return RZ_OK;
}
