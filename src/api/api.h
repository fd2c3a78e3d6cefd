/* api.h - what the files of api/ share: the handle behind rz_model. */
#ifndef API_API_H
#define API_API_H

#include "base/buf.h"
#include "base/pool.h"
#include "model/model.h"
#include "runtime/engine.h"
#include "runtime/session.h"
#include "tokenizer/chat.h"
#include "tokenizer/tok.h"

struct rz_model {
    tensor_file *file;
    model *m;
    tok *tok; /* NULL: the file has no vocabulary */
    chat *chat;
    char *name;             /* general.name, or "" */
    buf layer_kinds, types; /* in words, with a 0 behind */
    pool *workers;
    buf image; /* of a synthetic model: the bytes the file is made of */
};

/* RZ_KV_AUTO: full precision for full-precision weights, halves otherwise. */
status api_kv_type(const rz_model *m, rz_kv kv, kv_type *out, err *e);
/* Tokens exist in the model's vocabulary, and there is at least one. */
status api_check_ids(const rz_model *m, const rz_token *ids, size_t n, err *e);
/* RZ_EUNSUPPORTED for models that have no next token. */
status api_check_predicts(const rz_model *m, err *e);
/* The number of threads meant by `wanted`: 0 is RZ_THREADS, or one for each core. */
status api_pick_threads(int wanted, int *out, err *e);
/* Settings are numbers in range, lists are there when their counts say so. */
status api_check_params(const rz_params *p, err *e);
/* A grammar is for the model's own tokenizer. */
status api_check_grammar(const rz_model *m, const rz_params *p, err *e);
/* A file that is written must not be the one that is read, nor a part of it. */
status api_refuse_same(const char *in, const char *out, err *e);
/* The caller's struct, cut or padded with zeros to our size: old callers know fewer fields. */
status api_take_struct(void *ours, size_t our_size, const void *theirs, const char *what, err *e);

#endif
