/* fields.h - typed members of a request's JSON object.
 *
 * Every read names the field, its range and its default. The first thing that is wrong sticks, with
 * a sentence naming the field; later reads return defaults, so a handler reads everything and asks
 * once. null counts as absent. Fields nobody reads are ignored. */
#ifndef SERVER_FIELDS_H
#define SERVER_FIELDS_H

#include <stdbool.h>

#include "json/json.h"
#include "server/router.h"

typedef struct fields {
    const json *root; /* an object, or NULL after failure */
    int status;       /* 0, or what to reply with: 400, 415, 422 */
    char text[512];
} fields;

/* Parse the body into the server's arena. 415 unless it is declared as JSON, 400 when it is none,
 * 422 when it is no object. */
void fields_parse(fields *f, const call *in);
/* The same for routes whose users send JSON as whatever their client calls it (curl -d: a form).
 * From a page in a browser it must still be declared: no page elsewhere may send that unasked. */
void fields_parse_untyped(fields *f, const call *in);
/* Something was wrong: reply with it and say true. */
bool fields_failed(fields *f, conn *c);
/* Let the first failure be this one. */
void fields_fail(fields *f, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* 422 when it is missing, of another kind, or (json's own limits) too large. */
const json *fields_need(fields *f, const char *key, json_kind kind);
/* NULL when absent. */
const json *fields_find(fields *f, const char *key, json_kind kind);
str fields_need_text(fields *f, const char *key);
str fields_text(fields *f, const char *key, str absent);
/* 422 for another kind or a fraction, 400 outside [min, max]. */
int64_t fields_int(fields *f, const char *key, int64_t min, int64_t max, int64_t absent);
uint64_t fields_u64(fields *f, const char *key, uint64_t absent);
double fields_number(fields *f, const char *key, double min, double max, double absent);
bool fields_bool(fields *f, const char *key, bool absent);
bool fields_has(const fields *f, const char *key);

#endif
