/* shapes.h - the shape of an answer that a request asks for, and the grammars made for the last few
 * of them: clients ask with the same schema again and again. */
#ifndef SERVER_SHAPES_H
#define SERVER_SHAPES_H

#include "server/fields.h"

/* response_format (text, json_object, json_schema), grammar, json_schema or regex into p->grammar,
 * which is the server's until the next request comes. 400 for what is no grammar, with its
 * place. */
void shapes_read(fields *f, server *s, rz_params *p);
/* Ollama's `format`: "json" or a schema; NULL, null and "" are none. */
void shapes_format(fields *f, server *s, const json *format, rz_params *p);
void shapes_done(server *s);

#endif
