/* reply.h - responses appended to a connection's output. Nothing here sends, blocks or fails: the
 * output is sticky, and conn_settle finds out. */
#ifndef SERVER_REPLY_H
#define SERVER_REPLY_H

#include "server/conn.h"

#define REPLY_JSON "application/json"

/* A whole reply; the request is finished. `extra` is NULL or header lines with their CRLF. */
void reply_send(conn *c, int code, const char *type, str body, const char *extra);
/* 200 with the JSON made in `body`, or 500 when making it ran out of memory. */
void reply_json(conn *c, const buf *body);
/* {"error":"..."} with the headers that go with the status (Retry-After). */
void reply_error(conn *c, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* 405, or 204 for OPTIONS, with the methods `path` has and more header lines (NULL: none). */
void reply_allow(conn *c, int code, str path, const char *more);

/* A reply in pieces, whose length is not known: chunks, or up to the end of the connection for
 * HTTP/1.0. Between begin and end anything may be appended between part calls. */
void reply_begin(conn *c, int code, const char *type, const char *extra);
/* Where to append; opens a chunk if none is open. */
buf *reply_part(conn *c);
/* Ends the open chunk: what was appended can be sent. */
void reply_part_end(conn *c);
void reply_end(conn *c);

/* "Not Found" */
const char *reply_reason(int code);
/* Decimal digits. */
void reply_number(buf *b, uint64_t v);
/* {"error":"text"} */
void reply_error_json(buf *b, str text);
/* A fresh body to build in; borrowed from the server until the reply. */
buf *reply_body(server *s);

#endif
