/* tok_lines.h - JSON lines of texts to JSON lines of ids. */
#ifndef CLI_TOK_LINES_H
#define CLI_TOK_LINES_H

#include "base/err.h"
#include <realizar.h>

/* Read lines {"text":"..."} or {"text_b64":"..."} from `file` (NULL or "-": standard input) and
 * write a line {"ids":[...]} for each to standard output as it goes. Empty lines are left out.
 * RZ_EFORMAT names the line. */
status tok_lines(const rz_tokenizer *t, int flags, const char *file, err *e);

#endif
