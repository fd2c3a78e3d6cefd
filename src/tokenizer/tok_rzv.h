/* tok_rzv.h - the compact form of a vocabulary, a .rzv file: what an open tokenizer looks things up
 * in, written as it lies in memory, so that opening it is mapping it.
 *
 *   | "RZVOCAB" 0 | u64 version | u64 bytes in all | u64 sum of what follows | items ... |
 *
 * Everything is little endian. Items follow one another in a fixed order, the same that
 * tok_rzv_file.c and the kinds' own functions name them in: numbers of 4 or 8 bytes, texts (length,
 * bytes), and arrays that begin at a multiple of 64 bytes and are used where they lie. One function
 * per structure says what its items are, for writing and for reading alike.
 *
 * A file from elsewhere may hold anything under a right sum. What is read is checked until every
 * later access stays inside its array and every later loop ends; ids may be wrong, nothing else. */
#ifndef TOKENIZER_TOK_RZV_H
#define TOKENIZER_TOK_RZV_H

#include "base/buf.h"
#include "base/err.h"

enum {
    RZV_VERSION = 2,
    RZV_HEADER = 32,
    RZV_ALIGN = 64,
    RZV_MOST_RUN = 4096, /* slots in use in a row in a hash table: searching one ends soon */
};

typedef struct rzv {
    struct rz_tokenizer *t; /* what is written, or made */
    const char *path;       /* for error texts */
    buf *out;               /* written so far; NULL: reading */
    str file;               /* read from, up to `at` */
    size_t at;
    err *e;
} rzv;

static inline bool rzv_reads(const rzv *a) { return !a->out; }

/* "PATH: NAME WHAT" */
status rzv_error(const rzv *a, const char *name, const char *what);
status rzv_no_memory(const rzv *a);

/* Each writes *v, or reads it and checks it. `name` is for error texts. */
status rzv_u32(rzv *a, const char *name, uint32_t *v, uint32_t low, uint32_t high);
status rzv_flag(rzv *a, const char *name, bool *v);
status rzv_id(rzv *a, const char *name, int32_t *v); /* of a token, or -1 */
status rzv_f64(rzv *a, const char *name, double *v);
/* Read: a view into the file. */
status rzv_str(rzv *a, const char *name, str *v);
/* `pointer` is the address of a pointer to n elements; read: it points into the file. */
status rzv_array(rzv *a, const char *name, void *pointer, size_t n, size_t each);
/* An array inside a structure. */
status rzv_inside(rzv *a, const char *name, void *p, size_t bytes);
/* 256 ids, one per byte, each of a token or -1. */
status rzv_bytes(rzv *a, const char *name, int32_t id[256]);

/* Length and sum of a whole file of at least RZV_HEADER bytes, put into a header: another one, or
 * its own. */
void rzv_seal_of(str file, char head[RZV_HEADER]);
void rzv_seal(char *file, size_t len);

#endif
