/* tok_hf.h - what the files tok_hf*.c share while they read a tokenizer.json.
 *
 * Anything a file says that this build does not know is an error that names file and field: a
 * tokenizer that is nearly right is wrong. */
#ifndef TOKENIZER_TOK_HF_H
#define TOKENIZER_TOK_HF_H

#include "json/json.h"
#include "tokenizer/tok_pipe.h"

enum { HF_MAX_STEPS = 64, HF_PATH = 160 };

/* What the decoder makes of the pieces. */
typedef enum hf_decode_op {
    HF_DECODE_BYTES,     /* GPT-2's alphabet to bytes */
    HF_DECODE_REPLACE,   /* `from` becomes `to` */
    HF_DECODE_FALLBACK,  /* "<0x0A>" is a byte */
    HF_DECODE_STRIP,     /* up to `left` times `from` at the front, `right` at the end */
    HF_DECODE_WORDPIECE, /* a space in front, or without `from` joined; tidied when `clean` */
    HF_DECODE_SUFFIX,    /* `from` at the end becomes a space */
    HF_DECODE_SPACED,    /* a space in front */
} hf_decode_op;

typedef struct hf_decode_step {
    hf_decode_op op;
    str from, to;
    uint32_t left, right;
    bool clean;
} hf_decode_step;

typedef struct hf {
    tok *t;
    const char *path;
    const json *root, *model;
    arena mem; /* the tree */
    tok_index x;
    str *piece; /* t->piece */
    norm_step norm[HF_MAX_STEPS];
    size_t n_norm;
    pre_step pre[HF_MAX_STEPS]; /* without regular expressions: PRE_SPLIT_RE has its in `text` */
    size_t n_pre;
    hf_decode_step decode[HF_MAX_STEPS];
    size_t n_decode;
    bool decode_fused; /* what follows is about the whole text */
    bool drops_first_space, drops_last_space;
    int32_t byte[256]; /* byte tokens, -1 */
} hf;

/* "PATH: WHERE.KEY is FOUND, expected WHAT" */
status hf_expected(const hf *h, const char *where, const char *key, const json *found,
                   const char *what, err *e);
/* The same for a "type" this build does not know. */
status hf_unknown(const hf *h, const char *where, const json *v, err *e);
status hf_no_memory(err *e);
/* Members. Missing or null: *out keeps its value. */
status hf_bool(const hf *h, const json *v, const char *where, const char *key, bool *out, err *e);
status hf_str(const hf *h, const json *v, const char *where, const char *key, str *out, err *e);
status hf_u32(const hf *h, const json *v, const char *where, const char *key, uint32_t *out,
              err *e);
/* Read every element of the array under `key` of v with fn, which is told where it stands. */
typedef status hf_read(hf *h, const json *v, const char *where, err *e);
status hf_each(hf *h, const json *v, const char *where, const char *key, hf_read *fn, err *e);
/* Is this the member "type"? */
bool hf_is(const json *v, const char *type);
/* A string or {"String": ...} / {"Regex": ...}. */
status hf_pattern(const hf *h, const json *v, const char *where, str *out, bool *regex, err *e);
/* The text copied into the tokenizer's arena; p NULL: no memory. */
str hf_keep(hf *h, str s);

status hf_read_normalizer(hf *h, err *e);     /* -> norm */
status hf_read_pre_tokenizer(hf *h, err *e);  /* -> pre */
status hf_read_decoder(hf *h, err *e);        /* -> decode */
status hf_read_post_processor(hf *h, err *e); /* -> t->before, t->after */
/* byte_at and bytes by `decode`. */
status hf_decode_pieces(hf *h, err *e);
/* The model, vocabulary being there: merges, scores, and the kind. */
status hf_open_model(hf *h, err *e);
/* BOS, EOS and the like, from the files beside it and by name. */
status hf_find_roles(hf *h, err *e);

#endif
