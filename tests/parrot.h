/* parrot.h - a model that answers everything with the same words. */
#ifndef TESTS_PARROT_H
#define TESTS_PARROT_H

#include <stddef.h>

#include "base/err.h"

enum { PARROT_MAX = 30 };

/* A GGUF file at `path` whose model, whatever it is asked, says say[0] .. say[n - 1], one token
 * each, and ends. `chat_template` may be NULL. At most PARROT_MAX, all different. */
status parrot_write(const char *path, const char *chat_template, const char *const *say, size_t n,
                    err *e);

#endif
