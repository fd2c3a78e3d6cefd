/* jinja_value.h - what template expressions work on: Python's values, as far as templates use
 * them. Values are small and copied; what they point to lives in the arena of the rendering. */
#ifndef TOKENIZER_JINJA_VALUE_H
#define TOKENIZER_JINJA_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"

typedef enum jv_kind {
    JV_UNDEFINED, /* text: the name that was looked up, for the error */
    JV_NONE,
    JV_BOOL,
    JV_INT,
    JV_FLOAT,
    JV_STRING,
    JV_LIST, /* also tuples */
    JV_DICT, /* also namespaces */
    JV_CALL, /* something that can be called */
    JV_LOOP, /* `loop` inside a for */
} jv_kind;

typedef struct jv jv;
typedef struct jv_list jv_list;
typedef struct jv_dict jv_dict;
typedef struct jv_call jv_call;
typedef struct jv_loop jv_loop;

struct jv {
    jv_kind kind;
    union {
        bool truth;
        int64_t i;
        double f;
        str text;
        jv_list *list;
        jv_dict *dict;
        jv_call *call;
        jv_loop *loop;
    };
};

struct jv_list {
    jv *at; /* [n] */
    size_t n, cap;
    bool tuple;
};

/* In order of insertion; keys compare as values do. */
struct jv_dict {
    jv *key, *value; /* [n] */
    size_t n, cap;
    bool name_space;
};

#define JV_TEXT(lit) ((jv){.kind = JV_STRING, .text = STR_LIT(lit)})

static inline jv jv_none(void) { return (jv){.kind = JV_NONE}; }
static inline jv jv_bool(bool b) { return (jv){.kind = JV_BOOL, .truth = b}; }
static inline jv jv_int(int64_t i) { return (jv){.kind = JV_INT, .i = i}; }
static inline jv jv_float(double f) { return (jv){.kind = JV_FLOAT, .f = f}; }
static inline jv jv_text(str s) { return (jv){.kind = JV_STRING, .text = s}; }
static inline jv jv_undefined(str name) { return (jv){.kind = JV_UNDEFINED, .text = name}; }
static inline bool jv_is_number(jv v) {
    return v.kind == JV_BOOL || v.kind == JV_INT || v.kind == JV_FLOAT;
}

/* New values in `a`; false or NULL: no memory (or the arena's limit). */
jv_list *jv_list_new(arena *a, size_t cap);
bool jv_push(arena *a, jv_list *l, jv v);
jv_dict *jv_dict_new(arena *a, size_t cap);
bool jv_put(arena *a, jv_dict *d, jv key, jv value);
bool jv_from_json(arena *a, const json *in, jv *out);

/* The value of a key, or NULL. */
jv *jv_find(const jv_dict *d, jv key);
jv *jv_find_text(const jv_dict *d, str key);

bool jv_truth(jv v);
bool jv_equal(jv a, jv b);
/* -1, 0, 1 in *order; false when the two have no order (a text and a number). */
bool jv_compare(jv a, jv b, int *order);
/* As an integer or float for arithmetic; bools count as 0 and 1. */
double jv_number(jv v);
/* "str", "int", "dict": Python's name for the kind. */
const char *jv_type(jv v);
/* Characters, elements or members; false: the kind has no length. */
bool jv_length(jv v, size_t *n);

/* str(v): texts as they are, the rest as Python prints it. */
void jv_print(buf *out, jv v);
/* repr(v): texts in quotes. */
void jv_repr(buf *out, jv v);
/* json.dumps(v, ensure_ascii, indent, separators, sort_keys); indent below 0: on one line. False
 * for what is no JSON (undefined, functions). */
typedef struct jv_json_style {
    int indent;
    bool ascii, sort;
    str comma, colon;
} jv_json_style;
bool jv_write_json(buf *out, jv v, const jv_json_style *style);

/* Characters of valid UTF-8 text, and the byte at which character i begins (s.len past the end). */
size_t jv_chars(str s);
size_t jv_char_at(str s, size_t i);

#endif
