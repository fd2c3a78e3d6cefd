/* sse.h - server-sent events over reply.h. */
#ifndef SERVER_SSE_H
#define SERVER_SSE_H

#include "server/reply.h"

/* 200 text/event-stream. */
void sse_begin(conn *c);
/* "event: NAME" (or none, when NULL) and "data: "; the caller appends one line of JSON ... */
buf *sse_event(conn *c, const char *name);
/* ... and ends the event. */
void sse_event_end(conn *c);
/* The last event was sent; the request is finished. */
void sse_end(conn *c);

#endif
