/* nearest.h - did you mean? */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/* The name that was probably meant, or NULL when none is close. */
const char *nearest_name(const char *given, const char *const *name, size_t n);

#endif
