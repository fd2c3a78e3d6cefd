/* gram_schema.h - what the files of the JSON schema reader share. Internal to src/grammar.
 *
 * A schema is read as a conjunction of objects: $ref and allOf add parts, and so does the branch of
 * an anyOf that is being looked at. Keywords are then asked of all parts at once. Equal
 * conjunctions are one rule, which is what makes recursive schemas end. */
#ifndef GRAMMAR_GRAM_SCHEMA_H
#define GRAMMAR_GRAM_SCHEMA_H

#include "grammar/gram_json.h"
#include "json/json.h"

enum { SCHEMA_MAX_PARTS = 64, SCHEMA_MAX_NEST = 60 };

typedef struct schema_part {
    const json *at;         /* an object */
    uint8_t any_of, one_of; /* already taken apart */
} schema_part;

typedef struct schema_set {
    schema_part part[SCHEMA_MAX_PARTS];
    uint32_t n;
    bool never; /* `false` is among them */
} schema_set;

typedef struct schema {
    gram_tree *t;
    gram_json j;
    arena mem;
    const json *root;
    map rules; /* of conjunctions: their parts as bytes -> rule */
    int depth;
    status failed;
    err *e;
} schema;

/* "JSON schema: ..."; the first failure counts. Returns a node that is none. */
gram_node *schema_fail(schema *s, status why, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Add a schema (true, false or an object), with what it refers to. */
void schema_add(schema *s, schema_set *set, const json *v);
/* The values a conjunction allows: usually the call of a rule. */
gram_node *schema_values(schema *s, schema_set *set);

/* The tightest bound a keyword of any part sets: a whole number >= 0. false: none does. */
bool schema_count(schema *s, const schema_set *set, const char *key, bool least, uint32_t *out);
/* The first part's value of that keyword, NULL when no part has it. */
const json *schema_find(const schema_set *set, const char *key);

/* gram_schema_type.c: the values of one type */
gram_node *schema_object(schema *s, const schema_set *set);
gram_node *schema_array(schema *s, const schema_set *set);
gram_node *schema_string(schema *s, const schema_set *set);
gram_node *schema_number(schema *s, const schema_set *set, bool whole);

#endif
