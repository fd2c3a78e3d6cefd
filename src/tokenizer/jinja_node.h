/* jinja_node.h - the tree of a template: made by jinja_parse.c, walked by jinja_eval.c. */
#ifndef TOKENIZER_JINJA_NODE_H
#define TOKENIZER_JINJA_NODE_H

#include "base/arena.h"
#include "tokenizer/jinja.h"
#include "tokenizer/jinja_value.h"

typedef enum token_kind {
    TOKEN_TEXT, /* outside of tags, white space control done */
    TOKEN_PRINT_OPEN,
    TOKEN_PRINT_CLOSE,
    TOKEN_TAG_OPEN,
    TOKEN_TAG_CLOSE,
    TOKEN_NAME,
    TOKEN_STRING, /* escapes resolved */
    TOKEN_INT,
    TOKEN_FLOAT,
    TOKEN_OP, /* one or two characters */
    TOKEN_END,
} token_kind;

typedef struct token {
    token_kind kind;
    uint32_t line;
    str text;
} token;

typedef enum node_kind {
    /* Expressions. */
    NODE_VALUE,        /* v                                       */
    NODE_NAME,         /* text                                    */
    NODE_LIST,         /* list a ..; op 't': a tuple              */
    NODE_DICT,         /* list a: key, value, key, value          */
    NODE_ATTR,         /* a.text                                  */
    NODE_INDEX,        /* a[b]                                    */
    NODE_SLICE,        /* a[b:c:d], each may be NULL              */
    NODE_CALL,         /* a(args b), args are NODE_ARG            */
    NODE_ARG,          /* value a, name text or none              */
    NODE_FILTER,       /* a | text(args b); a NULL: filter block  */
    NODE_TEST,         /* a is text(args b)                       */
    NODE_NOT,          /* not a                                   */
    NODE_NEGATE,       /* op '-' or '+'                           */
    NODE_BINARY,       /* a op b                                  */
    NODE_COMPARE,      /* a, then list b of NODE_COMPARE_WITH     */
    NODE_COMPARE_WITH, /* op, a                               */
    NODE_AND,          /* a and b */
    NODE_OR,           /* a or b  */
    NODE_IF_ELSE,      /* a if b else c (NULL: undefined)         */

    /* Statements. */
    NODE_TEXT,     /* text                                      */
    NODE_PRINT,    /* a                                         */
    NODE_IF,       /* if a: list b, else: list c                */
    NODE_FOR,      /* for target d in a, if e: list b, empty: c */
    NODE_SET,      /* target d = a, or the text of list b       */
    NODE_MACRO,    /* text(params a are NODE_ARG): list b       */
    NODE_CALLER,   /* call a with body b and params d           */
    NODE_BLOCK,    /* list b in a scope of its own (with), after assignments list a */
    NODE_FILTERED, /* text of list b through filters a        */
    NODE_BREAK,
    NODE_CONTINUE,
} node_kind;

/* Operators that are two characters or words have a letter. */
enum { OP_EQ = 'e', OP_NE = 'n', OP_LE = 'l', OP_GE = 'g', OP_POW = 'p', OP_FLOOR = 'f' };
enum { OP_IN = 'i', OP_NOT_IN = 'o' };

typedef struct node node;
struct node {
    uint8_t kind; /* node_kind */
    char op;
    uint32_t line;
    str text;
    jv v;
    node *a, *b, *c, *d, *e;
    node *next; /* in its list */
};

struct jinja {
    arena mem;
    node *body;
};

/* All tokens of `source`, ending in TOKEN_END; they live in `mem`. */
status jinja_lex(token **out, str source, arena *mem, err *e);

#endif
