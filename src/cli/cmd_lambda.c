/* cmd_lambda.c - realizar lambda: one model as an AWS Lambda function.
 *
 * As `bootstrap` of a function's package the program is started without arguments. Then the words
 * of REALIZAR_ARGS are its arguments, or else the function's handler names the model. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/os.h"
#include "cli/model_arg.h"
#include "cli/stop.h"

enum { MAX_WORDS = 64 };

typedef struct lambda_args {
    model_arg model;
    compute_arg compute;
    const char *model_id;
    size_t parallel, kv_bytes;
    bool streaming, no_web;
} lambda_args;

/* clang-format off */
static const arg_option lambda_options[] = {
    {.name = "streaming", .kind = ARG_FLAG, .at = offsetof(lambda_args, streaming),
     .help = "answers go out as they are made: for a function URL with InvokeMode RESPONSE_STREAM"},
    {.name = "no-web", .kind = ARG_FLAG, .at = offsetof(lambda_args, no_web),
     .help = "without the page for browsers at /"},
    {.name = "model-id", .kind = ARG_TEXT, .at = offsetof(lambda_args, model_id), .value = "NAME",
     .fallback = "default", .help = "what /models calls the model"},
    {.name = "parallel", .kind = ARG_SIZE, .at = offsetof(lambda_args, parallel), .min = 1,
     .max = 65536, .value = "N", .fallback = "8",
     .help = "answers made at once, for events that ask for several"},
    {.name = "kv-bytes", .kind = ARG_BYTES, .at = offsetof(lambda_args, kv_bytes), .min = 0,
     .max = 9e18, .value = "SIZE", .fallback = "0",
     .help = "memory for keys and values; 0 = for all answers at full length, at most half of the "
             "machine's"},
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {
    {"Model", model_arg_options, offsetof(lambda_args, model)},
    {"Function", lambda_options, 0},
    {"Computing", compute_arg_options, offsetof(lambda_args, compute)},
};

static _Atomic(rz_server *) running; /* for the signal handler; NULL while loading */

static void stop_server(void) {
    rz_server *server = atomic_load(&running);
    if (server) rz_server_stop(server);
}

static status start(const lambda_args *a, rz_model *m, rz_engine **engine, rz_server **server,
                    err *e) {
    rz_engine_options eo = RZ_ENGINE_INIT;
    rz_server_options so = RZ_SERVER_INIT;
    const char *key = getenv("REALIZAR_API_KEY");
    eo.context = a->compute.ctx;
    eo.kv = (rz_kv)a->compute.kv;
    eo.kv_bytes = a->kv_bytes;
    eo.max_requests = a->parallel;
    TRY(rz_engine_new(engine, m, &eo, e));
    so.port = -2;
    so.model_id = a->model_id;
    so.no_web = a->no_web;
    so.api_keys = &key;
    so.n_api_keys = key && key[0] ? 1 : 0;
    return rz_server_new(server, *engine, &so, e);
}

static int run(const cmd_call *c, lambda_args *a, const arg_list *rest) {
    const uint64_t began = os_now_ns();
    rz_lambda_options opt = RZ_LAMBDA_INIT;
    rz_model *m = NULL;
    rz_engine *engine = NULL;
    rz_server *server = NULL;
    size_t used;
    err e = {0};
    if (!getenv("AWS_LAMBDA_RUNTIME_API"))
        return cmd_usage(c, "AWS_LAMBDA_RUNTIME_API is not set: this is not AWS Lambda");
    opt.streaming = a->streaming;
    signal(SIGPIPE, SIG_IGN);
    stop_listen(2, stop_server);
    status s = model_arg_take(&a->model, rest, &used, &e);
    if (s >= 0) s = model_arg_no_more(rest, used, &e);
    if (s >= 0) s = model_arg_open(&a->model, &a->compute, &m, &e);
    if (s >= 0) s = start(a, m, &engine, &server, &e);
    if (s < 0) {
        rz_lambda_init_error(&opt, &e, NULL);
    } else {
        fprintf(stderr, "realizar: ready after %.1f ms\n", (double)(os_now_ns() - began) * 1e-6);
        atomic_store(&running, server);
        if (stop_asked()) rz_server_stop(server); /* came before `running` was set */
        s = rz_lambda_run(server, &opt, &e);
        atomic_store(&running, NULL);
    }
    const bool asked = s == RZ_ECANCELED && stop_asked();
    const int code = s < 0 && !asked ? cmd_failed(c, &e) : CMD_OK;
    rz_server_free(server);
    rz_engine_free(engine);
    rz_model_close(m);
    return code;
}

/* Arguments from the environment: words of REALIZAR_ARGS, or the handler as the model. */
static int run_from_environment(const cmd_call *c) {
    const char *line = getenv("REALIZAR_ARGS"), *handler = getenv("_HANDLER");
    char *words[MAX_WORDS], *copy = mem_strdup(line && line[0] ? line : handler ? handler : "");
    lambda_args *a = mem_zero(sizeof *a);
    arg_list rest = {NULL, 0};
    bool help = false;
    int n = 0, code;
    err e = {0};
    if (copy && strcmp(copy, "demo") == 0) words[n++] = "--demo";
    else if (copy)
        for (char *save, *w = strtok_r(copy, " ", &save); w && n < MAX_WORDS;
             w = strtok_r(NULL, " ", &save))
            words[n++] = w;
    status s = copy && a ? args_parse(&cmd_lambda.args, n, words, a, &rest, &help, &e)
                         : err_set(&e, RZ_ENOMEM, "out of memory");
    if (s < 0) {
        rz_lambda_init_error(NULL, &e, NULL);
        code = cmd_failed(c, &e);
    } else {
        code = run(c, a, &rest);
    }
    if (a) args_free(&cmd_lambda.args, a, &rest);
    mem_free(a);
    mem_free(copy);
    return code;
}

static int lambda(const cmd_call *c) {
    lambda_args *a = c->values;
    if (a->model.path || a->model.demo || c->rest->n) return run(c, a, c->rest);
    return run_from_environment(c);
}

const cmd_spec cmd_lambda = {
    {"MODEL [OPTION ...]\n--demo [OPTION ...]",
     "Takes events from AWS Lambda's runtime API ($AWS_LAMBDA_RUNTIME_API) and answers them with "
     "the "
     "routes of `serve`: requests of function URLs, API Gateway and load balancers, and plain "
     "JSON. "
     "Without arguments, as `bootstrap` of a package, they are the words of $REALIZAR_ARGS, or the "
     "function's handler is the model: a path, or demo. $REALIZAR_API_KEY is a key requests must "
     "bring.",
     "lambda --demo\nlambda model.gguf --streaming --ctx 2048", groups,
     sizeof groups / sizeof *groups, sizeof(lambda_args)},
    lambda};
