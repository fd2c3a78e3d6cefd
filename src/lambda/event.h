/* event.h - a Lambda event as the HTTP request it stands for. */
#ifndef LAMBDA_EVENT_H
#define LAMBDA_EVENT_H

#include "base/arena.h"
#include "base/buf.h"

typedef enum event_kind {
    EVENT_PLAIN, /* JSON for a route; the answer is the route's JSON                          */
    EVENT_V1,    /* API Gateway, REST: {"httpMethod","path","multiValueHeaders",...}          */
    EVENT_V2,    /* function URL and API Gateway, HTTP: {"version":"2.0","rawPath",...}       */
    EVENT_ALB,   /* load balancer: as V1, with {"requestContext":{"elb":...}}                 */
} event_kind;

typedef struct event {
    event_kind kind;
    bool head;     /* HEAD: the answer has no body                                            */
    bool lists;    /* EVENT_ALB: headers come as lists, and go back so                        */
    int code;      /* 0, or the status that says what is wrong with the event                 */
    char why[200]; /* then a sentence                                                         */
    buf request;   /* HTTP/1.1, one request, to be freed                                      */
} event;

/* `trace` may be empty: the X-Amzn-Trace-Id of the request unless the event has its own. The tree
 * is made in `mem`. */
void event_read(event *ev, str source, str trace, arena *mem);

#endif
