/* gram_json.h - JSON's own shapes as rules, and numbers within bounds. Internal to src/grammar.
 *
 * What is made is a part of what JSON allows: little white space, numbers that fit a double,
 * escapes without halves of surrogate pairs. */
#ifndef GRAMMAR_GRAM_JSON_H
#define GRAMMAR_GRAM_JSON_H

#include "grammar/gram_tree.h"

/* Rules that are made once; 0: not yet, else the rule's number + 1. */
typedef struct gram_json {
    gram_tree *t;
    uint32_t space, string, number, integer, value, object, array;
} gram_json;

/* Calls of those rules. */
gram_node *gram_json_space(gram_json *j); /* none, one space, or a new line and its indent */
gram_node *gram_json_string(gram_json *j);
gram_node *gram_json_number(gram_json *j);
gram_node *gram_json_integer(gram_json *j);
gram_node *gram_json_value(gram_json *j);
gram_node *gram_json_object(gram_json *j);
gram_node *gram_json_array(gram_json *j);
/* One character of a string as JSON writes it. */
gram_node *gram_json_char(gram_json *j);
/* What separates: "," and space. */
gram_node *gram_json_comma(gram_json *j);
/* open, space, first more{least, most} (the whole may be missing when `optional`), space, close. */
gram_node *gram_json_list(gram_json *j, const char *brackets, gram_node *inside, bool optional);
/* A string's characters: those of a set, as JSON writes them. */
gram_node *gram_json_spell(gram_tree *t, const gram_range *r, uint32_t n);
/* The integers from lo to hi, lo <= hi. */
gram_node *gram_json_between(gram_tree *t, int64_t lo, int64_t hi);

#endif
