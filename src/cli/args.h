/* args.h - a command's options as a table: parsed, checked, and explained from the same rows.
 *
 * The table says where in the command's own struct a value goes. Defaults are written in the table
 * as text and parsed like a given value, so what help shows is what happens. -h and --help
 * belong to every command and are in no table. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "base/buf.h"
#include "base/err.h"

/* What an option's value is stored as. */
typedef enum arg_kind {
    ARG_FLAG,   /* bool; takes no value                                      */
    ARG_INT,    /* int                                                       */
    ARG_SIZE,   /* size_t, a count                                           */
    ARG_BYTES,  /* size_t, written "512", "64k" or "1.5G"                    */
    ARG_U64,    /* uint64_t, any                                             */
    ARG_FLOAT,  /* float                                                     */
    ARG_TEXT,   /* const char *, borrowed from argv                          */
    ARG_CHOICE, /* int: position of the word in `value`, which is "one|two"  */
    ARG_LIST,   /* arg_list: every value given, in order; has no default     */
} arg_kind;

typedef struct arg_list {
    const char **item; /* [n], each borrowed from argv */
    size_t n;
} arg_list;

/* One row. A table ends with a row without name. Without default the value is zero. */
typedef struct arg_option {
    const char *name; /* long name without dashes */
    char letter;      /* short name, or 0 */
    arg_kind kind;
    size_t at;            /* offset in the struct of its table */
    double min, max;      /* of numbers; max beyond 2e9 is shown as no limit */
    const char *value;    /* what help calls the value: "N"; of ARG_CHOICE the words */
    const char *fallback; /* the default, or NULL */
    const char *help;     /* one or two short sentences; NULL: not shown */
} arg_option;

/* Rows of several commands, so that their words are the same. place: of an int, of a bool. */
/* clang-format off */
#define ARG_ROW_THREADS(place)                                                                 \
    {.name = "threads", .kind = ARG_INT, .at = (place), .min = 0, .max = 1024, .value = "N",   \
     .fallback = "0", .help = "worker threads; 0 = RZ_THREADS, or one per core"}
#define ARG_ROW_QUIET(place, words)                                                            \
    {.name = "quiet", .letter = 'q', .kind = ARG_FLAG, .at = (place), .help = (words)}
/* clang-format on */

typedef struct arg_group {
    const char *title; /* heading in help */
    const arg_option *option;
    size_t at; /* where the struct of this table lies in the command's struct */
} arg_group;

typedef struct arg_spec {
    const char *usage;    /* behind the command's name: "MODEL [PROMPT]"; lines make forms */
    const char *about;    /* paragraph of help */
    const char *examples; /* command lines, one a line, or NULL */
    const arg_group *group;
    size_t n_group;
    size_t bytes; /* of the command's struct */
} arg_spec;

/* Fill `values` (spec->bytes of it) with defaults, then with argv[0..argc). What is no option goes
 * to *rest in order, and so does everything behind "--" and a lone "-". *help is set when help was
 * asked for; then nothing else counts. RZ_EINVAL names option, value and expectation.
 * Whatever is returned, args_free takes everything back. */
status args_parse(const arg_spec *spec, int argc, char **argv, void *values, arg_list *rest,
                  bool *help, err *e);
void args_free(const arg_spec *spec, void *values, arg_list *rest);

/* The whole help text of a command. */
void args_help(const arg_spec *spec, const char *command, const char *summary, buf *out);
/* Only the lines "usage: realizar command ...". */
void args_usage(const arg_spec *spec, const char *command, buf *out);

#endif
