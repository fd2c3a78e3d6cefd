/* http.h - HTTP/1.0 and 1.1 requests parsed in place (RFC 9112).
 *
 * Both parsers are resumable: called again with the same bytes and more behind them they go on
 * where they stopped, and give the same result however the bytes were cut. They never allocate.
 * Strict where leniency would let two programs disagree about where a request ends: CRLF only, no
 * folded headers, one Content-Length, never together with Transfer-Encoding. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "server/limits.h"

#define HTTP_METHOD_LIST(X) \
    X(GET)                  \
    X(HEAD)                 \
    X(POST)                 \
    X(PUT)                  \
    X(PATCH)                \
    X(DELETE)               \
    X(OPTIONS)              \
    X(TRACE)                \
    X(CONNECT)

typedef enum http_method {
#define ROW(name) HTTP_##name,
    HTTP_METHOD_LIST(ROW)
#undef ROW
        HTTP_UNKNOWN_METHOD
} http_method;

enum { HTTP_MAX_HEADERS = 64 };

/* A piece of the head, counted from the first byte of the request. */
typedef struct http_span {
    uint16_t at, len;
} http_span;

typedef struct http_header {
    http_span name, value; /* value without surrounding white space */
} http_header;

typedef enum http_result { HTTP_PARTIAL, HTTP_DONE, HTTP_BAD } http_result;

typedef struct http_request {
    /* Valid once http_head has said HTTP_DONE. */
    http_method method;
    http_span target;       /* as sent                                               */
    http_span path, query;  /* of it; query without '?', at == 0 when there is none  */
    http_span content_type; /* at == 0 when absent                                   */
    uint8_t minor;          /* HTTP/1.minor, 0 or 1                                  */
    bool keep_alive;        /* the connection may carry another request              */
    bool chunked;           /* the body is chunked ...                               */
    bool has_length;        /* ... or has this many bytes; neither: there is none    */
    bool expect_continue;   /* the client waits for "100 Continue"                   */
    uint64_t length;
    uint32_t n_header;
    http_header header[HTTP_MAX_HEADERS];
    size_t head_len; /* bytes up to the body */
    /* Valid once it has said HTTP_BAD. */
    int status;      /* to reply with        */
    const char *why; /* a sentence           */
    /* Where parsing stands. */
    size_t line, scanned; /* start of the current line; no LF before `scanned` */
    uint8_t phase, seen;
} http_request;

/* A request that has not begun. */
void http_reset(http_request *r);
/* p[0..len) begins with the request. */
http_result http_head(http_request *r, const char *p, size_t len, const limits *lim);
/* Value of the first header called `name` (lower case), p == NULL when there is none. */
str http_find(const http_request *r, const char *base, const char *name);
static inline str http_at(const char *base, http_span s) { return (str){base + s.at, s.len}; }
const char *http_method_name(http_method m);

/* A chunked body on its way. Zeroed to begin. */
typedef struct http_chunks {
    size_t out;     /* decoded bytes so far, at the front of the buffer */
    uint64_t left;  /* of the current chunk                             */
    size_t trailer; /* bytes of trailer fields seen                     */
    int status;     /* as in http_request                               */
    const char *why;
    uint8_t phase;
} http_chunks;

/* p[0..out) is decoded, p[out..*len) raw. Decodes what is there, in place, and closes the gap:
 * afterwards p[0..out) is decoded and p[out..*len) is raw again: the start of something
 * unfinished, or with HTTP_DONE whatever followed the body. */
http_result http_chunked(http_chunks *c, char *p, size_t *len, const limits *lim);

#endif
