/* access.h - who may ask: API keys, and pages from elsewhere (CORS). */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "server/conn.h"

enum { ACCESS_MAX_KEYS = 1024 };

/* Copy keys and origin. RZ_EINVAL names what is wrong with one. */
status access_init(server *s, const rz_server_options *o, err *e);
void access_done(server *s);
/* Does the request carry a key, or need none? Keys are compared in a time that says nothing about
 * them. *key: which it is, or -1. */
bool access_granted(const server *s, const http_request *r, const char *base, int *key);
/* May whoever has this key, or without one (-1) this address, ask again already? Else c->retry_s
 * says when. */
bool access_in_time(conn *c, int key);
/* c->verdict, 401 or 429, in the shape of the dialect that `path` belongs to. */
void access_refuse(conn *c, str path);
/* What a page elsewhere may send, for the answer to OPTIONS: appended with CRLF, or nothing. */
void access_preflight(const server *s, const http_request *r, const char *base, buf *out);

#endif
