/* jinja_run.h - a rendering in progress: shared by the evaluator, the filters and the methods. */
#ifndef TOKENIZER_JINJA_RUN_H
#define TOKENIZER_JINJA_RUN_H

#include "tokenizer/jinja_node.h"

enum { JINJA_MAX_ARGS = 16, JINJA_MAX_DEPTH = 150 };

typedef struct variable variable;
typedef struct scope scope;
struct scope {
    scope *up;
    variable *first;
};

typedef struct run {
    arena mem;
    buf *out; /* where text goes now: the result, or what a block or macro collects */
    size_t output_limit;
    uint64_t steps; /* left */
    int64_t unix_s;
    int depth;
    uint32_t line;
    scope *scope;
    scope *root;
    enum { JUMP_NONE, JUMP_BREAK, JUMP_CONTINUE } jump;
    bool bad;
    err *e;
} run;

typedef struct args {
    jv v[JINJA_MAX_ARGS];
    size_t n;
    struct {
        str name;
        jv v;
    } named[JINJA_MAX_ARGS];
    size_t n_named;
} args;

/* A filter (self is what stands before the bar), a method or a global function. */
typedef jv jinja_fn(run *r, jv self, const args *a);

struct jv_call {
    enum { CALL_MACRO, CALL_METHOD, CALL_LOOP } kind;
    str name;
    const node *params, *body; /* a macro's or caller's, with the scope it was made in */
    scope *scope;
    jinja_fn *fn; /* a method's or global's, bound to self */
    jv self;
};

struct jv_loop {
    size_t index0;
    const jv_list *items;
    jv seen; /* by changed() */
    bool has_seen;
};

/* Say what is wrong, once; everything returns quickly afterwards. Returns undefined. */
jv jinja_raise(run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Pay for `n` more operations; false: the budget is spent. */
bool jinja_pay(run *r, uint64_t n);
/* Nomem is an error of the template: it asked for too much. */
jv jinja_nomem(run *r);

/* A copy of what `b` holds as a text value; frees b. */
jv jinja_text_of(run *r, buf *b);
/* A text value copied into the rendering's memory. */
jv jinja_copy(run *r, str s);
jv jinja_list(run *r, size_t cap, bool tuple);
void jinja_push(run *r, jv list, jv v);

/* Argument number i, also by name; `absent` when it was not given. */
jv jinja_arg(const args *a, size_t i, const char *name, jv absent);
int64_t jinja_arg_int(run *r, const args *a, size_t i, const char *name, int64_t absent);
bool jinja_arg_bool(const args *a, size_t i, const char *name, bool absent);
str jinja_arg_text(run *r, const args *a, size_t i, const char *name, str absent);

/* The elements of what can be looped over, as a list value. */
jv jinja_items(run *r, jv v);
/* v.name and v[key]. */
jv jinja_attr(run *r, jv v, str name);
jv jinja_index(run *r, jv v, jv key);
/* a op b for NODE_BINARY and NODE_COMPARE_WITH. */
jv jinja_binary(run *r, char op, jv a, jv b);
bool jinja_compare(run *r, char op, jv a, jv b);

/* Python's s % arguments; `all`: every argument must be used. */
jv jinja_format(run *r, str s, const args *a, bool all);

/* str.title: its words end at whatever is no letter. */
jinja_fn jinja_title;
/* By name; raises when there is none. */
jv jinja_filter(run *r, str name, jv self, const args *a);
bool jinja_test(run *r, str name, jv v, const args *a);
/* A method of a text, list or dict; NULL: it has none of that name. */
jinja_fn *jinja_method(jv self, str name);
/* A global function. */
jinja_fn *jinja_global(str name);

#endif
