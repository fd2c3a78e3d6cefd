/* limits.h - every bound the server puts on what a client may do or hold. One struct, so that
 * tests can shrink them until the edges are a few bytes away. */
#ifndef SERVER_LIMITS_H
#define SERVER_LIMITS_H

#include <stddef.h>
#include <stdint.h>

typedef struct limits {
    size_t line_bytes;  /* request line without CRLF, else 414                   */
    size_t head_bytes;  /* request line, headers and blank line, else 431; < 64K */
    size_t headers;     /* else 431; at most HTTP_MAX_HEADERS                    */
    size_t body_bytes;  /* of one request, decoded, else 413                     */
    size_t held_bytes;  /* unfinished requests of all connections, else 503      */
    size_t connections; /* open at once; beyond, idle ones make room, else 503   */
    size_t batch;       /* prompts or texts in one request                       */
    size_t texts;       /* whose vectors one request asks for                    */
    size_t out_high;    /* unsent bytes at which a connection's work is held ... */
    size_t out_low;     /* ... and at which it goes on                           */
    uint32_t head_ms;   /* from the first byte to the end of the head, else 408  */
    uint32_t body_ms;   /* for every 16 KiB of body, else 408                    */
    uint32_t idle_ms;   /* between requests                                      */
    uint32_t write_ms;  /* a client that takes nothing for so long is dropped    */
    uint32_t linger_ms; /* reading on after an error reply, so that it arrives   */
    uint32_t drain_ms;  /* running requests may finish after the first stop      */
    uint32_t answer_ms; /* an answer must be complete within, else 504; 0: no limit  */
} limits;

#endif
