/* router.h - from method and path to the function that answers. */
#ifndef SERVER_ROUTER_H
#define SERVER_ROUTER_H

#include "server/conn.h"
#include "server/route_list.h"

/* A request with its body. Everything points into the input and is gone after the handler. */
typedef struct call {
    server *srv;
    const http_request *req;
    const char *base; /* what the spans of req are counted from */
    str path, rest, query, body;
} call;

/* Replies (reply.h) or starts a job (job.h) before it returns. */
typedef void handler(conn *c, const call *in);

struct route {
    http_method method;
    str path;
    handler *run;
};

/* The row for this request, or NULL with the code to reply with: 404, 405, or 204 for OPTIONS. */
const route *router_find(http_method m, str path, int *code);
/* The methods `path` has: "GET, HEAD, OPTIONS". */
void router_allow(str path, buf *out);
/* Answer c->req, whose head is at `base`: run its handler or reply what was wrong with it. */
void router_answer(conn *c, const char *base, str body);

#define ROW(method, path, run) handler run;
ROUTE_LIST(ROW)
#undef ROW

#endif
