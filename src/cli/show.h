/* show.h - text and numbers as people read them. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "base/buf.h"

/* The text in quotes on one line: control characters and what is not UTF-8 are escaped, so that
 * nothing from a file can steer a terminal. Cut to about `max` bytes, 0 = whole. */
void show_quoted(buf *out, str s, size_t max);
/* The same without quotes. */
void show_plain(buf *out, str s, size_t max);
void show_bytes(buf *out, uint64_t n); /* "1.5 GiB" */
void show_count(buf *out, uint64_t n); /* "260.0K", "7.2B" */
void show_rate(buf *out, double v);    /* 3 to 4 digits */
/* Columns on a terminal that s takes, taking each character for one. */
size_t show_width(str s);

#endif
