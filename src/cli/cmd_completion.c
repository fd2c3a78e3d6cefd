/* cmd_completion.c - realizar completion: scripts for shells, made from the tables of options. */
#include "cli/cmd.h"

typedef struct completion_args {
    bool unused;
} completion_args;

static const arg_group no_groups[1];

static void list_options(const arg_spec *s, buf *out) {
    for (size_t i = 0; i < s->n_group; i++)
        for (const arg_option *o = s->group[i].option; o->name; o++)
            if (o->help) buf_printf(out, "--%s ", o->name);
    buf_text(out, "--help");
}

static void bash(buf *out) {
    const cmd_row *row;
    buf_text(out,
             "_realizar() {\n    local cur=${COMP_WORDS[COMP_CWORD]} options=\n"
             "    if [ \"$COMP_CWORD\" = 1 ]; then\n        COMPREPLY=($(compgen -W \"");
    for (size_t i = 0; (row = cmd_at(i)) != NULL; i++) buf_printf(out, "%s ", row->name);
    buf_text(out,
             "help --help --version\" -- \"$cur\"))\n        return\n    fi\n"
             "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; (row = cmd_at(i)) != NULL; i++) {
        buf_printf(out, "        %s) options=\"", row->name);
        list_options(&row->spec->args, out);
        buf_text(out, "\" ;;\n");
    }
    buf_text(out,
             "    esac\n    case $cur in\n"
             "        -*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;;\n"
             "        *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n    esac\n}\n"
             "complete -o filenames -F _realizar realizar\n");
}

static void zsh(buf *out) {
    buf_text(out, "autoload -U +X bashcompinit && bashcompinit\n");
    bash(out);
}

static void fish_text(buf *out, const char *text) {
    buf_char(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') buf_char(out, '\\');
        buf_char(out, *text);
    }
    buf_char(out, '\'');
}

static void fish(buf *out) {
    const cmd_row *row;
    for (size_t i = 0; (row = cmd_at(i)) != NULL; i++) {
        buf_printf(out, "complete -c realizar -n __fish_use_subcommand -a %s -d ", row->name);
        fish_text(out, row->summary);
        buf_char(out, '\n');
        const arg_spec *s = &row->spec->args;
        for (size_t k = 0; k < s->n_group; k++)
            for (const arg_option *o = s->group[k].option; o->name; o++) {
                if (!o->help) continue;
                buf_printf(out, "complete -c realizar -n '__fish_seen_subcommand_from %s' -l %s",
                           row->name, o->name);
                if (o->letter) buf_printf(out, " -s %c", o->letter);
                buf_text(out, o->kind == ARG_FLAG ? " -d " : " -r -d ");
                fish_text(out, o->help);
                buf_char(out, '\n');
            }
    }
}

static int completion(const cmd_call *c) {
    static const struct {
        const char *name;
        void (*write)(buf *out);
    } shell[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    buf out = BUF_INIT;
    if (c->rest->n != 1) return cmd_usage(c, "name one shell: bash, zsh or fish");
    for (size_t i = 0; i < sizeof shell / sizeof *shell; i++)
        if (strcmp(shell[i].name, c->rest->item[0]) == 0) {
            shell[i].write(&out);
            return cmd_print(c, &out);
        }
    return cmd_usage(c, "\"%.80s\" is no shell known here: bash, zsh or fish", c->rest->item[0]);
}

const cmd_spec cmd_completion = {{"bash|zsh|fish",
                                  "Prints a script that makes the shell complete commands, options "
                                  "and files.",
                                  "completion bash > ~/.local/share/bash-completion/completions/"
                                  "realizar\ncompletion fish | source",
                                  no_groups, 0, sizeof(completion_args)},
                                 completion};
