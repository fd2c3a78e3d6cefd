/* msgpack.h - the MessagePack maps that .apr files describe themselves with: read as JSON values,
 * written from text. */
#ifndef FORMAT_MSGPACK_H
#define FORMAT_MSGPACK_H

#include "json/json.h"

/* One value that takes all of the bytes, as the tree JSON would have made: a bin becomes a string
 * in hexadecimal digits, an ext null, a number that is not finite null. Map keys must be strings
 * and each be there once; they have a 0 behind them. Other strings are views into `bytes`.
 * RZ_EFORMAT says at which byte. */
status msgpack_parse(json **out, str bytes, arena *a, err *e);

/* The head of a map of n pairs, of an array of n values; then their parts. */
void msgpack_map(buf *b, uint32_t n);
void msgpack_array(buf *b, uint32_t n);
void msgpack_str(buf *b, str s);

#endif
