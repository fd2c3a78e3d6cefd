/* server.h - the server as its own files see it. Everything belongs to the loop thread, which is
 * the caller of rz_server_run, except what job.h says engine threads touch. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <pthread.h>
#include <realizar.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "server/limits.h"
#include "server/loop.h"
#include "server/metrics.h"

enum { SERVER_READ_BYTES = 64 * 1024, SERVER_DATE_LEN = 29 };

typedef struct rz_server server;
typedef struct conn conn;
typedef struct job job;
typedef struct gen gen;

/* Tokens that mark the parts of a text to be filled in, -1: the vocabulary has none. See fim.h. */
typedef struct fim_marks {
    bool known; /* looked for already */
    rz_token prefix, suffix, middle, repo, file;
} fim_marks;

/* A descriptor of the server itself. */
typedef struct server_source {
    loop_source source; /* first */
    server *srv;
} server_source;

/* Where engine threads leave news for the loop. Generations are linked in themselves, so it is
 * never full and a post cannot fail. */
typedef struct outbox {
    server_source fd; /* an eventfd, readable while the list is not empty */
    pthread_mutex_t lock;
    gen *first, *last;
} outbox;

struct rz_server {
    rz_engine *engine; /* NULL: no text is made, only vectors */
    rz_model *model;
    const rz_tokenizer *tokenizer; /* NULL: the model has none */
    char *model_id;
    char **key; /* [n_key] */
    size_t n_key;
    char *cors; /* origin whose pages may ask, or NULL */
    bool no_web;
    limits lim;
    loop *loop;
    server_source listener, stop_fd;
    server_source given; /* a pipe of descriptors from rz_server_connect, -1: it listens instead */
    int give_fd;         /* where they are put in */
    int port;

    atomic_int stops;           /* calls of rz_server_stop                          */
    bool ran, draining, forced; /* forced: requests were cut off                    */
    bool log_access;            /* somebody listens to info lines                   */
    bool accepting;             /* false: closed, or resting for want of descriptors */
    loop_alarm head_alarm, body_alarm, idle_alarm, write_alarm, linger_alarm;
    loop_alarm drain_alarm, accept_alarm;
    loop_timer drain_timer, accept_timer;

    conn *conns; /* all open ones                                     */
    conn *gone;  /* closed in this round: an event may still name them */
    conn *spare; /* for reuse                                          */
    size_t n_conn, n_linger, n_spare;
    size_t held; /* bytes of all input buffers */
    job *jobs;
    size_t n_job;
    outbox outbox;
    metrics metrics;

    /* Scratch, used within one event and empty between two. */
    char *in; /* [SERVER_READ_BYTES] where sockets are read into   */
    buf out;  /* replies of the connection `writer`, not sent yet  */
    conn *writer;
    buf body;      /* a reply's body while it is made                   */
    arena arena;   /* a request's JSON                                  */
    rz_token *ids; /* [ids_cap] */
    size_t ids_cap;

    struct shapes *shapes; /* grammars lately asked for, or NULL */
    fim_marks fim;
    struct rate *rate;         /* NULL: anybody may ask as often as they like */
    struct embedder *embedder; /* computes vectors, NULL until somebody asks for one */

    uint64_t began_ns;
    uint64_t began_unix_ms;
    uint64_t date_second;
    char date[SERVER_DATE_LEN + 1]; /* "Sun, 06 Nov 1994 08:49:37 GMT" */
};

/* After a request: scratch is empty again, and what a large one needed is given back. */
void server_tidy(server *s);
/* The current date for replies. */
const char *server_date(server *s);
/* Longest prompt and answer; of a model that makes no text, the longest text. */
size_t server_context(const server *s);
/* Zeros without an engine. */
void server_engine_stats(const server *s, rz_engine_stats *out);
/* Descriptors were freed: accept again if that was what was missing. */
void server_rest_over(server *s);

#endif
