/* args_help.c - help texts from the tables of args.h: two columns within 80. */
#include <stdio.h>

#include "cli/args.h"

enum { LEFT = 28, WIDTH = 80 };

/* Words behind each other up to WIDTH, continued under column `indent`, from `column` on. */
static void wrap(buf *out, const char *text, size_t indent, size_t column) {
    str rest = str_of(text);
    bool first = true;
    while (rest.p) {
        const str word = str_split(&rest, ' ');
        if (!first && column + 1 + word.len > WIDTH) {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            buf_char(out, ' ');
            column++;
        }
        buf_str(out, word);
        column += word.len;
        first = false;
    }
    buf_char(out, '\n');
}

static void show_option(const arg_option *o, buf *out) {
    const size_t start = out->len;
    if (o->letter) buf_printf(out, "  -%c, --%s", o->letter, o->name);
    else buf_printf(out, "      --%s", o->name);
    if (o->kind != ARG_FLAG) buf_printf(out, " %s", o->value);
    size_t column = out->len - start;
    if (column + 2 > LEFT) {
        buf_char(out, '\n');
        column = 0;
    }
    buf_printf(out, "%*s", (int)(LEFT - column), "");
    char text[512];
    if (o->fallback) snprintf(text, sizeof text, "%s (default: %s)", o->help, o->fallback);
    else snprintf(text, sizeof text, "%s", o->help);
    wrap(out, text, LEFT, LEFT);
}

void args_usage(const arg_spec *spec, const char *command, buf *out) {
    str rest = str_of(spec->usage);
    const char *before = "usage:";
    while (rest.p) {
        const str form = str_split(&rest, '\n');
        buf_printf(out, "%s realizar %s%s%.*s\n", before, command, form.len ? " " : "",
                   STR_FMT(form));
        before = "      ";
    }
}

void args_help(const arg_spec *spec, const char *command, const char *summary, buf *out) {
    buf_printf(out, "realizar %s - %s\n\n", command, summary);
    args_usage(spec, command, out);
    str about = str_of(spec->about);
    while (about.p) {
        const str paragraph = str_split(&about, '\n');
        char text[1024];
        snprintf(text, sizeof text, "%.*s", (int)paragraph.len, paragraph.p);
        buf_char(out, '\n');
        wrap(out, text, 0, 0);
    }
    for (size_t i = 0; i < spec->n_group; i++) {
        buf_printf(out, "\n%s:\n", spec->group[i].title);
        for (const arg_option *o = spec->group[i].option; o->name; o++)
            if (o->help) show_option(o, out);
    }
    buf_text(out, "\nOther:\n");
    show_option(&(arg_option){.name = "help", .letter = 'h', .help = "this text"}, out);
    if (!spec->examples) return;
    buf_text(out, "\nExamples:\n");
    str rest = str_of(spec->examples);
    while (rest.p) {
        const str line = str_split(&rest, '\n');
        buf_printf(out, "  realizar %.*s\n", (int)line.len, line.p);
    }
}
