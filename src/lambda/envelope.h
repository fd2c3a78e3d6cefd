/* envelope.h - an HTTP answer in the form the source of an event expects. */
#ifndef LAMBDA_ENVELOPE_H
#define LAMBDA_ENVELOPE_H

#include "lambda/event.h"
#include "lambda/wire.h"

/* The whole answer to an HTTP event: {"statusCode":200,"headers":{...},"body":"..."}. */
void envelope_write(buf *out, const event *ev, const wire_answer *a, str body);
/* The same of an error that no route has answered: {"error":"..."} as its body. */
void envelope_error(buf *out, const event *ev, int code, const char *why);
/* What goes before a streamed body: its status and headers, and eight zero bytes. */
void envelope_prelude(buf *out, const wire_answer *a);
/* The answer to a plain event: the route's JSON, other text as a JSON string. */
void envelope_plain(buf *out, const wire_answer *a, str body);
/* {"errorMessage":"...","errorType":"..."} */
void envelope_failure(buf *out, const char *type, str message);
/* The sentence in a route's error body, or the body. */
str envelope_sentence(str body, arena *mem);

#endif
