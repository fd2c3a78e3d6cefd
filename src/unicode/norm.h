/* norm.h - Unicode normalization forms and the other rewritings that tokenizers ask for.
 *
 * Bytes that are no UTF-8 pass through as they are and separate what stands around them. Every
 * function appends to *out; out of memory shows as out->failed. Unicode 15.0. */
#ifndef UNICODE_NORM_H
#define UNICODE_NORM_H

#include "base/buf.h"
#include "base/str.h"

typedef enum norm_form { NORM_NFC, NORM_NFD, NORM_NFKC, NORM_NFKD } norm_form;

/* How many bytes at the front are certainly in that form already, up to a place where the text may
 * be cut. s.len: all of it. Fast: a few bytes per nanosecond. */
size_t norm_done(str s, norm_form form);
void norm_apply(buf *out, str s, norm_form form);

/* Each character's lower case by itself (U+0130 becomes two; no final sigma). */
void norm_lower(buf *out, str s);
/* Without the characters of category Mn, or of any M. */
void norm_strip_marks(buf *out, str s, bool all_marks);

#endif
