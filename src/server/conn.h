/* conn.h - one client connection: bytes in, requests, replies, bytes out. Loop thread only.
 *
 *   HEAD -> BODY -> (handler) -> HEAD          reply written at once, keep-alive
 *                             -> WORK -> HEAD  a job writes the reply later
 *                             -> CLOSING -> LINGER -> gone
 *
 * Input is read into the server's scratch and parsed there; only the unfinished rest is kept.
 * Output goes to the server's scratch and is sent once per event; only what the socket does not
 * take is kept. An idle connection owns no buffer. */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include <netinet/in.h>

#include "base/buf.h"
#include "server/http.h"
#include "server/loop.h"
#include "server/server.h"

typedef enum conn_state {
    CONN_HEAD,    /* waiting for a request, or in the middle of its head */
    CONN_BODY,    /* head read, body on its way                          */
    CONN_WORK,    /* a job will reply                                    */
    CONN_CLOSING, /* no more requests; sending what is left              */
    CONN_LINGER,  /* all sent; reading on so that no reset eats it       */
    CONN_GONE,
} conn_state;

typedef struct route route;

struct conn {
    loop_source source; /* first */
    server *srv;
    conn *prev, *next;
    loop_timer timer;
    conn_state state;

    /* Input. */
    buf in;        /* bytes of unfinished or waiting requests               */
    size_t in_cap; /* of it, as counted in srv->held                        */
    bool more;     /* `in` may hold a whole request nobody has looked at    */
    bool eof;      /* the client will send no more                          */
    bool deaf;     /* input waits in the socket while a job works           */
    http_request req;
    http_chunks chunks;
    uint64_t body_mark; /* body bytes at which the body timer starts again   */

    /* The request being answered. */
    const route *route;
    int verdict;      /* status found out before the body was read, 0 = route */
    uint32_t retry_s; /* with 429: when to ask again */
    job *job;
    bool keep;      /* another request may follow            */
    bool head_only; /* HEAD: no body in the reply            */
    bool old;       /* HTTP/1.0                              */
    bool replied;   /* the reply has begun                   */
    bool chunked;   /* it is sent in chunks                  */
    bool linger;    /* there may be unread input at the end  */
    bool served;    /* at least one reply was finished       */
    bool restart;   /* the timer is to start anew            */
    bool paused;    /* its job is held: the client is slow   */
    size_t part;    /* where the open chunk begins in the output, + 1; 0 = none */

    /* Output. */
    buf out;
    size_t out_at; /* sent of it */

    /* For the log. */
    struct sockaddr_in6 peer;
    uint64_t began_ns, reply_bytes;
    int status;
    http_method method;
    char target[96];
};

/* Take over an accepted socket. NULL when there is no memory: the socket is closed. */
conn *conn_open(server *s, int fd, const struct sockaddr_in6 *peer);
/* Drop the connection now; its job is cancelled. */
void conn_close(conn *c);
/* Its timer has run out: 408 for half a request, otherwise just close. */
void conn_late(loop_timer *t);
/* Free memory of the connections closed since the last call. */
void conn_sweep(server *s);
/* No new requests: closes what is idle. */
void conn_drain(conn *c);

/* Where replies are appended. Ask again after conn_settle. */
buf *conn_out(conn *c);
/* The reply is complete: log it and go on to the next request or to closing. */
void conn_finish(conn *c);
/* Send what was appended, look at waiting requests, set timers. To be called once after
 * everything that changed the connection; it may be gone afterwards. */
void conn_settle(conn *c);

#endif
