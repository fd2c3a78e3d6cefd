/* json.h - parse JSON (RFC 8259) to a tree in an arena, and write it into a buf.
 *
 * Strict: valid UTF-8 only, no trailing commas, duplicate keys refused, nesting limited. A \u0000
 * in a string is kept (strings are views with a length). Numbers keep their exact spelling beside
 * the double. */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { JSON_MAX_DEPTH = 128 };

typedef enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} json_kind;

typedef struct json json;
struct json {
    json_kind kind;
    uint32_t n;    /* elements of an array or object                       */
    bool truth;    /* JSON_BOOL                                            */
    double number; /* JSON_NUMBER; finite unless json_parse_python made it */
    str text;      /* JSON_STRING: decoded; JSON_NUMBER: as spelled        */
    str key;       /* of a member inside its object                        */
    json *child;   /* first element or member                              */
    json *next;    /* next sibling                                         */
};

/* Parse exactly one value with optional white space around it. Strings without escapes are views
 * into `text`, which must outlive the tree. RZ_EFORMAT says line and column. */
status json_parse(json **out, str text, arena *a, err *e);
/* The same, but the bare words Infinity, -Infinity and NaN are numbers, as Python's json writes
 * them: for config.json only. */
status json_parse_python(json **out, str text, arena *a, err *e);

/* Member of an object, or NULL (also when `obj` is NULL or no object). */
const json *json_get(const json *obj, const char *key);
/* Number without fraction inside [min, max]; false otherwise. */
bool json_int(const json *v, int64_t min, int64_t max, int64_t *out);
/* "object", "string" ...: for error texts. */
const char *json_kind_name(json_kind k);

/* Writing. Text that is not valid UTF-8 comes out with U+FFFD in place of each bad byte, and the
 * answer is false. */
bool json_write_string(buf *b, str s);
/* Shortest spelling that reads back as the same double; non-finite numbers become null. */
void json_write_number(buf *b, double v);
/* The tree as compact JSON. */
void json_write(buf *b, const json *v);

#endif
