/* jinja.h - the template language chat templates are written in: Jinja 3 as Hugging Face's
 * transformers sets it up (trim_blocks, lstrip_blocks, loop controls, the generation tag, Python's
 * way of printing values), without anything that reaches outside: no include, import, extends.
 *
 * A template is compiled once and rendered from any thread. Rendering is bounded in steps, memory
 * and output, so a hostile template ends with an error and nothing else. */
#ifndef TOKENIZER_JINJA_H
#define TOKENIZER_JINJA_H

#include "base/buf.h"
#include "base/err.h"
#include "json/json.h"

typedef struct jinja jinja;

/* RZ_EFORMAT names the line. `source` is copied. */
status jinja_compile(jinja **out, str source, err *e);
void jinja_free(jinja *t);

typedef struct jinja_limits {
    size_t memory;  /* bytes of values that live at once   */
    size_t output;  /* bytes of text                       */
    uint64_t steps; /* operations                          */
    int64_t unix_s; /* what strftime_now takes as the time */
} jinja_limits;

#define JINJA_LIMITS_DEFAULT \
    { (size_t)64 << 20, (size_t)32 << 20, 50u * 1000 * 1000, 0 }

/* Append to *out the template with the members of the object `vars` as its variables. RZ_EINVAL:
 * the template raised an exception of its own (its text is the error), an operation does not fit
 * its values, or a limit was reached. */
status jinja_render(const jinja *t, const json *vars, const jinja_limits *lim, buf *out, err *e);

#endif
