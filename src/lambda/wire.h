/* wire.h - the client's side of HTTP/1.1 on one connection: a request is sent, the head of the
 * answer read, then its body piece by piece. Blocking, but for a deadline and a descriptor that
 * ends the waiting. */
#ifndef LAMBDA_WIRE_H
#define LAMBDA_WIRE_H

#include "base/buf.h"
#include "base/err.h"

typedef struct wire {
    int fd;               /* non-blocking, owned; -1: not connected       */
    int wake;             /* readable: RZ_ECANCELED while waiting; or -1  */
    uint64_t deadline_ns; /* monotonic; 0: none                           */
    bool late, eof;       /* late: the deadline was why it failed         */
    buf in;               /* received; in.p[at..] is not used yet         */
    size_t at;
} wire;
#define WIRE_INIT \
    { .fd = -1, .wake = -1, .in = BUF_INIT }

/* The head of an answer, and how much of its body is to come. */
typedef struct wire_answer {
    buf head; /* status line and fields, without the empty line */
    int code;
    bool chunked, sized, close, begun; /* begun: a chunk was read                 */
    uint64_t left;                     /* of the body, or of the chunk            */
} wire_answer;

/* "127.0.0.1:9001", "[::1]:9001" or "localhost:9001". */
status wire_connect(wire *w, str place, err *e);
/* Close and forget what was received. */
void wire_close(wire *w);
/* Close and free. */
void wire_done(wire *w);

status wire_send(wire *w, str bytes, err *e);
/* `size` more bytes as a chunk; none end the body, with these trailer lines. */
status wire_send_chunk(wire *w, str bytes, str trailer, err *e);
/* Interim answers (1xx) are skipped. RZ_ENOTFOUND when the connection ended before a byte came. */
status wire_head(wire *w, wire_answer *a, err *e);
/* Value of the first field called `name`, p == NULL when there is none. */
str wire_find(const wire_answer *a, const char *name);
/* The next field from *at on (0 to begin); false behind the last. */
bool wire_field(const wire_answer *a, size_t *at, str *name, str *value);
/* The next piece of the body, good until the next call; empty at its end. */
status wire_body(wire *w, wire_answer *a, str *piece, err *e);
/* The rest of the body, at most `max` bytes: RZ_EFULL beyond. */
status wire_all(wire *w, wire_answer *a, size_t max, buf *out, err *e);

#endif
