/* native.h - what realizar's own endpoints share: model_id, encoding and decoding into the server's
 * scratch, lists of ids. */
#ifndef SERVER_NATIVE_H
#define SERVER_NATIVE_H

#include "server/fields.h"
#include "server/router.h"

/* The name this server was given, or "default". */
bool native_is_model(const server *s, str id);
/* 404 for a model_id that is not served here, 501 when the model has no tokenizer. */
void native_check(fields *f, const server *s);
/* Text to ids in srv->ids; *n of them. flags are RZ_ENCODE_... */
status native_encode(server *s, str text, int flags, size_t *n, err *e);
/* Ids to text, appended to out. */
status native_decode(const server *s, const rz_token *ids, size_t n, buf *out, err *e);
/* [1,2,3] */
void native_write_ids(buf *b, const rz_token *ids, size_t n);
/* The same, without brackets and with a comma in front unless `first`. */
void native_add_ids(buf *b, const rz_token *ids, size_t n, bool first);

#endif
