/* openai.h - errors as OpenAI's clients read them. */
#ifndef SERVER_OPENAI_H
#define SERVER_OPENAI_H

#include "server/conn.h"

/* {"error":{"message","type","param","code"}}; 422 becomes 400, 503 says when to come again. */
void openai_fail(conn *c, int code, const char *text);
void openai_error(buf *b, int code, const char *text);

#endif
