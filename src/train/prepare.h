/* prepare.h - text and JSON lines to the token files that are trained on. */
#ifndef TRAIN_PREPARE_H
#define TRAIN_PREPARE_H

#include "base/pool.h"
#include "tokenizer/tok.h"

/* How far the files have been read, in bytes; non-zero stops. */
typedef int prepare_tell(void *ud, uint64_t done, uint64_t total);

typedef struct prepare_request {
    const tok *t;
    const char *const *in; /* [n_in] files, in order; .jsonl and .ndjson are lines of JSON */
    size_t n_in;
    str field;     /* the member of each line that is the text */
    str separator; /* documents of a text file lie between these, white space around them is left
                    * out; empty: the file is one document as it is */
    bool special;  /* special tokens written out in the text are recognised */
    bool begin;    /* each document begins with the vocabulary's BOS */
    bool end;      /* and ends with its EOS, if it has one */
    pool *workers;
    prepare_tell *tell; /* or NULL */
    void *ud;
} prepare_request;

typedef struct prepare_result {
    uint64_t documents, tokens, bytes; /* bytes of text */
} prepare_result;

/* Write every document's ids, one behind the other, as 32-bit little-endian numbers. Documents
 * without text are left out. The file appears whole or not at all and does not depend on the number
 * of threads. RZ_EFORMAT names file and line of what is no JSON or has no such text. */
status prepare_write(const prepare_request *r, const char *out, prepare_result *result, err *e);

#endif
