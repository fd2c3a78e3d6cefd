/* access.h - who may ask: API keys, and pages from elsewhere (CORS). */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "server/conn.h"

enum { ACCESS_MAX_KEYS = 1024 };

/* Copy keys and origin. RZ_EINVAL names what is wrong with one. */
status access_init(server *s, const rz_server_options *o, err *e);
void access_done(server *s);
/* Does the request carry a key, or need none? Keys are compared in a time that says nothing about
 * them. */
bool access_granted(const server *s, const http_request *r, const char *base);
/* 401 in the shape of the dialect that `path` belongs to. */
void access_refuse(conn *c, str path);
/* What a page elsewhere may send, for the answer to OPTIONS: appended with CRLF, or nothing. */
void access_preflight(const server *s, const http_request *r, const char *base, buf *out);

#endif
