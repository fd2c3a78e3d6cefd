/* base64.h - RFC 4648, padded, nothing but its digits. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/str.h"

/* Writes the bytes `s` stands for to `out` (room for 3/4 of its length) and returns their number,
 * or SIZE_MAX when `s` is no base64 or empty. */
size_t base64_decode(str s, char *out);
/* Digits for n bytes. */
size_t base64_length(size_t n);
/* Writes the digits of `s` (room for base64_length) and returns their number. */
size_t base64_encode(str s, char *out);

#endif
