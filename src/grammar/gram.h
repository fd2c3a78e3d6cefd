/* gram.h - what an answer may look like, and which tokens keep it so.
 *
 * A grammar is made for one tokenizer, from GBNF, a JSON schema or a regular expression. Any number
 * of texts may be under way with it, on any threads: what is found out for one (transitions, masks)
 * is there for all. The masks are a function of the grammar and the text so far, nothing else. */
#ifndef GRAMMAR_GRAM_H
#define GRAMMAR_GRAM_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "tokenizer/tok.h"

typedef struct rz_grammar grammar;

/* RZ_EFORMAT says what is no grammar, schema or pattern, and where; RZ_EUNSUPPORTED names what is
 * valid and not known here; RZ_EFULL what is too large. `t` must outlive the grammar. */
status grammar_new(grammar **out, const tok *t, rz_grammar_kind kind, str text, err *e);
/* One owner more; grammar_free takes one away, and the last one the grammar. [any thread] */
grammar *grammar_share(const grammar *g);
void grammar_free(grammar *g);
const tok *grammar_tok(const grammar *g);
/* 64-bit words of a mask: one bit for each id of the tokenizer. */
size_t grammar_words(const grammar *g);

/* One text under way. */
typedef struct gram_run {
    grammar *g; /* shared; NULL: there is none */
    struct gram_tables *t;
    uint32_t at;
} gram_run;

status gram_run_begin(gram_run *r, const grammar *g, err *e);
void gram_run_end(gram_run *r); /* of zeros: nothing happens */
/* bits[grammar_words]: the tokens that may come next; those that end a text where it may end here,
 * unless `no_end`. *any: there is one. RZ_EFULL: the grammar leaves too many ways open. */
status gram_run_mask(gram_run *r, uint64_t *bits, bool no_end, bool *any, err *e);
/* RZ_EINVAL when the token may not come next; then nothing has changed. */
status gram_run_token(gram_run *r, int32_t id, err *e);
/* Go on with bytes; *good of them fit. */
status gram_run_bytes(gram_run *r, str bytes, size_t *good, err *e);
bool gram_run_may_end(const gram_run *r);
/* It may end, and nothing may follow. */
bool gram_run_closed(const gram_run *r);

#endif
