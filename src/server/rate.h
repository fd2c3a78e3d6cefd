/* rate.h - how many requests a key or an address may make: a bucket of tokens for each of them, one
 * taken by a request, refilled evenly. */
#ifndef SERVER_RATE_H
#define SERVER_RATE_H

#include "base/err.h"

typedef struct rate rate;

/* A full bucket holds what a minute gives. */
status rate_new(rate **out, uint32_t per_minute, err *e);
void rate_free(rate *r);
/* A request of `who` (any bytes) at that time. 0: granted; else the seconds until the next one will
 * be, at least 1. */
uint32_t rate_ask(rate *r, const void *who, size_t len, uint64_t now_ns);

#endif
