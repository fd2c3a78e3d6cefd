/* input.h - text and token ids from where commands take them: argument, file, standard input. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "base/buf.h"
#include "base/err.h"

enum { INPUT_MAX = 256 << 20 }; /* bytes; more than any context holds */

/* Append to *out what was asked for: `text` itself; or `file` ("-" is standard input); or, with
 * neither (or text "-"), standard input unless that is a terminal. RZ_EINVAL when there is nothing
 * or both; then the error says "no <what>: ...". */
status input_text(const char *text, const char *file, const char *what, buf *out, err *e);
/* Call fn for each line, without its line end; `number` counts from 1. `file` NULL or "-": standard
 * input. Lines are read as they come, at most INPUT_MAX bytes each. Ends with what fn returns when
 * that is negative. */
typedef status input_line_fn(void *ctx, str line, size_t number, err *e);
status input_lines(const char *file, input_line_fn *fn, void *ctx, err *e);
/* Without one final line end, which editors and echo add. */
void input_trim_line_end(buf *b);

/* "1,2,3", "1 2 3" or "[1, 2, 3]" to ids (mem_free them). Any number from 0 to 2^31-1; `what` names
 * the text in errors. */
status input_ids(str text, const char *what, rz_token **out, size_t *n, err *e);

/* The ids of a text, growing as needed (mem_free them). `flags` are RZ_ENCODE_... */
status input_encode(const rz_tokenizer *t, str text, int flags, rz_token **out, size_t *n, err *e);

#endif
