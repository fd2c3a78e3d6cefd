/* serving.h - the server in this process on a free port, spoken to through plain sockets. */
#ifndef TESTS_SERVING_H
#define TESTS_SERVING_H

#include <pthread.h>
#include <realizar.h>
#include <stdbool.h>

#include "base/buf.h"

typedef struct running {
    rz_model *model;
    rz_engine *engine;
    rz_server *server;
    pthread_t thread;
    rz_status status;
    rz_error error;
    uint64_t allocations; /* of the loop thread */
} running;

/* 1: servers made from now on wait with poll(). */
extern int serving_poll;
/* Tests that shrink limits do so between make_server and start_server. false: skipped or failed. */
bool make_with(running *r, const rz_server_options *opt, const rz_engine_options *eo);
bool make_server(running *r, const rz_server_options *opt);
/* The model at `path` under default settings. */
bool make_from(running *r, const char *path);
void start_server(running *r);
void wait_server(running *r);
void stop_server(running *r);
void nap(int ms);

enum { PATIENCE_MS = 20000 }; /* a hang fails the test instead of stopping it */

int dial_with(const running *r, int receive_buffer);
int dial(const running *r);
void put(int fd, const char *p, size_t len);
void say(int fd, const char *text);
/* Read until the end of the connection, an error, or `until` has appeared. */
const char *hear(int fd, buf *b, const char *until);
int status_of(const char *reply);
const char *body_of(const char *reply);
/* One request on a connection of its own. */
const char *ask(const running *r, buf *b, const char *request);
const char *ask_get(const running *r, buf *b, const char *path);
void format_post(buf *out, const char *path, const char *sent, const char *more);
const char *ask_post(const running *r, buf *b, const char *path, const char *sent);
double metric(const running *r, const char *name);
/* Wait until a metric has a value: things that happen on other threads, soon. */
bool becomes(const running *r, const char *name, double want);

typedef struct exchange {
    const char *path, *json; /* json NULL: GET */
    int status;
    const char *part; /* of the body */
} exchange;
/* Each on its own connection. */
void check_exchanges(const running *r, const exchange *list, size_t n);
/* The same of a server with the demo model, from start to stop. */
void check_demo(const rz_server_options *opt, const exchange *list, size_t n);

#endif
