/* base64.h - RFC 4648, padded, nothing but its digits. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/str.h"

/* Writes the bytes `s` stands for to `out` (room for 3/4 of its length) and returns their number,
 * or SIZE_MAX when `s` is no base64 or empty. */
size_t base64_decode(str s, char *out);

#endif
