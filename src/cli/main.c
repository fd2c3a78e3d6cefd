/* main.c - realizar COMMAND ...: finds the command, parses its options, runs it. */
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "cli/cmd.h"
#include "cli/cmd_list.h"
#include "cli/output.h"
#include "cli/stop.h"

/* clang-format off */
static const cmd_row rows[] = {
#define ROW(group, name, summary) {group, #name, summary, &cmd_##name},
    CMD_LIST(ROW)
#undef ROW
};
/* clang-format on */
enum { ROWS = sizeof rows / sizeof *rows };

static const char short_usage[] =
    "usage: realizar COMMAND [OPTION ...]\n"
    "  realizar run --demo \"Once upon a time\"     a story from the embedded model\n"
    "  realizar run MODEL.gguf \"Once upon a time\" your own model\n"
    "  realizar --help                            every command\n";

static const char examples[] =
    "\nExamples:\n"
    "  realizar run --demo \"Once upon a time\"\n"
    "  realizar run model.gguf --temperature 0 --max-tokens 50 \"The capital of France is\"\n"
    "  realizar serve model.gguf --port 8080\n"
    "  realizar info model.gguf\n"
    "\nEnvironment: RZ_THREADS (worker threads), RZ_LOG (error, warn, info, debug),\n"
    "RZ_CPU (instruction set to use). `realizar help COMMAND` explains a command.\n";

/* Who prints what no command prints. */
static const cmd_call self = {"", NULL, NULL};

const cmd_row *cmd_at(size_t i) { return i < ROWS ? &rows[i] : NULL; }

int cmd_failed(const cmd_call *c, const err *e) {
    if (e->status == RZ_ECANCELED && stop_asked()) return stop_exit_code();
    fprintf(stderr, "realizar%s%s: %s\n", *c->name ? " " : "", c->name, e->text);
    return CMD_FAILED;
}

int cmd_usage(const cmd_call *c, const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fprintf(stderr, "realizar %s: %s\n", c->name, text);
    return CMD_USAGE;
}

int cmd_print(const cmd_call *c, buf *out) {
    err e = {0};
    const status s = out->failed ? err_set(&e, RZ_ENOMEM, "out of memory for the output")
                                 : output_write(out->p, out->len, &e);
    buf_free(out);
    return s < 0 ? cmd_failed(c, &e) : CMD_OK;
}

static const cmd_row *find(const char *name) {
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}

static int unknown(const char *name) {
    const char *names[ROWS + 1];
    for (size_t i = 0; i < ROWS; i++) names[i] = rows[i].name;
    names[ROWS] = "help";
    const char *near = nearest_name(name, names, ROWS + 1);
    const bool option = name[0] == '-', file = str_ends(str_of(name), STR_LIT(".gguf"));
    if (file)
        fprintf(stderr, "realizar: \"%.80s\": no such command; did you mean realizar run %.80s?\n",
                name, name);
    else if (near && !option)
        fprintf(stderr, "realizar: \"%.80s\": no such command; did you mean %s?\n", name, near);
    else
        fprintf(stderr, "realizar: \"%.80s\": no such %s; realizar --help lists them\n", name,
                option ? "option before a command" : "command");
    return CMD_USAGE;
}

static int help_all(void) {
    buf out = BUF_INIT;
    buf_printf(&out, "realizar %s - run and serve language models\n\n", rz_version());
    buf_text(&out, "usage: realizar COMMAND [OPTION ...]\n");
    const char *group = "";
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(group, rows[i].group) != 0) buf_printf(&out, "\n%s:\n", rows[i].group);
        group = rows[i].group;
        buf_printf(&out, "  %-12s %s\n", rows[i].name, rows[i].summary);
    }
    buf_text(&out, "\nOther:\n  -h, --help   this text, or `realizar COMMAND --help`\n");
    buf_text(&out, "  -V, --version\n");
    buf_text(&out, examples);
    return cmd_print(&self, &out);
}

static int help_one(const cmd_row *row) {
    buf out = BUF_INIT;
    args_help(&row->spec->args, row->name, row->summary, &out);
    return cmd_print(&(cmd_call){row->name, NULL, NULL}, &out);
}

static int version(void) {
    buf out = BUF_INIT;
    buf_printf(&out, "realizar %s\n", rz_version());
    return cmd_print(&self, &out);
}

static int run(const cmd_row *row, int argc, char **argv) {
    const arg_spec *spec = &row->spec->args;
    err e = {0};
    arg_list rest = {NULL, 0};
    void *values = mem_zero(spec->bytes);
    const cmd_call call = {row->name, values, &rest};
    bool help = false;
    int code;
    if (!values) {
        err_set(&e, RZ_ENOMEM, "out of memory");
        return cmd_failed(&call, &e);
    }
    const status s = args_parse(spec, argc, argv, values, &rest, &help, &e);
    if (s < 0) code = s == RZ_EINVAL ? cmd_usage(&call, "%s", e.text) : cmd_failed(&call, &e);
    else if (help) code = help_one(row);
    else code = row->spec->run(&call);
    args_free(spec, values, &rest);
    mem_free(values);
    return code;
}

/* The name a Lambda package's program must have. */
static bool is_bootstrap(const char *path) {
    const char *slash = strrchr(path, '/');
    return strcmp(slash ? slash + 1 : path, "bootstrap") == 0;
}

int main(int argc, char **argv) {
    if (argc == 1 && is_bootstrap(argv[0])) return run(find("lambda"), 0, argv + 1);
    if (argc < 2) {
        fputs(short_usage, stderr);
        return CMD_FAILED;
    }
    const char *first = argv[1];
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) return version();
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) return help_all();
    const cmd_row *row = find(first);
    if (row) return run(row, argc - 2, argv + 2);
    if (strcmp(first, "help") != 0) return unknown(first);
    if (argc == 2) return help_all();
    row = find(argv[2]);
    return row ? help_one(row) : unknown(argv[2]);
}
